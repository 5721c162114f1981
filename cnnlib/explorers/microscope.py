"""The convolution microscope: one input, one kernel, one window at a time. Chapters 2, 4, 6, 9 and 10.

Its numbers are those of :func:`cnnlib.conv` and :func:`cnnlib.conv_transpose`; its script repeats their
rules, and a test holds the two together in a browser, over hundreds of configurations.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.convolution import conv, conv_backward
from cnnlib.errors import ShapeError, SizeError
from cnnlib.explorers.axes import OF_ROW, Axis, check_drawn, facts, slid
from cnnlib.explorers.base import Explorer, as_name, button, choice, factor, field, listed, number, products
from cnnlib.explorers.cells import cell, lines, numbers, panel, plain, plain_panel, sliders, written
from cnnlib.explorers.form import FORM_WORDS, LARGEST, check, explored, form
from cnnlib.padding import PAD_MODES, pad
from cnnlib.sizes import (
    PADDING_MODES,
    PerAxis,
    as_int,
    as_number,
    effective_kernel_size,
    per_axis,
    shown,
    transposed_crop,
    transposed_size,
)
from cnnlib.upsampling import conv_transpose

#: The words that a reader sees, in Python and in the script; a translation replaces the values.
WORDS = FORM_WORDS | {
    "label_title": "Convolution microscope",
    "input": "input",
    "padded": "padded input",
    "kernel": "kernel",
    "output": "output",
    "cut": "output; dashed cells are cut off",
    "so_far": "output so far",
    "help": "Drag the orange window, or use the arrow keys here.",
    "label_back": "Back",
    "label_forward": "Forward",
    "play": "Play",
    "pause": "Pause",
    "label_inputs": "input values",
    "label_weights": "kernel weights",
    "label_amount": "a number",
    "each_side": "on each side",
    "label_pad_mode": "padded with",
    "label_pad_value": "the value",
    "label_constant": "a value",
    "label_edge": "edge",
    "label_reflect": "reflect",
    "label_circular": "circular",
    "label_transposed": "transposed",
    "label_backward": "backward",
    "label_stride_down": "stride down",
    "label_stride_across": "stride across",
    "slopes": "gradient of the output",
    "gradient": "gradient of the input so far",
    "kernel_gradient": "gradient of the kernel so far",
    "covers": "Step {step} of {steps}: the window covers {values} (padding: {count} of {taps}). "
    "Its weighted sum is {sum}, output {index}.",
    "stamps": "Step {step} of {steps}: input {index} is {value}. Times each weight it gives {values}, "
    "which is added to the outputs in the window (cut off: {count} of {taps}).",
    "hands": "Step {step} of {steps}: the gradient of output {index} is {value}. Times each weight it gives "
    "{values}, which is added to the gradients of the inputs in the window (padding: {count} of {taps}). "
    "Times each of these inputs it gives {inputs}, which is added to the gradients of the weights.",
    "lost_back": "What falls on the padding is lost.",
    "copied_back": "What falls on the padding goes to the inputs that it was copied from.",
    "transposed_fact": "{axis}: ({n} − 1)·{s} + {f} − {before} − {after} = {out}, "
    "from N = {n}, S = {s}, F = {f}, cut off {before} + {after}.",
    "nothing": "{where}: {n} input(s) with kernel {k}, stride {s} and dilation {d} cover "
    "{cover} output(s), of which padding cuts off {before} + {after}; "
    "pad by less, or take at least {more} more input(s)",
}

#: The most cells along an axis that are drawn, padding included: of a row, and of a picture.
MOST = (24, 14)


class ConvolutionMicroscope(Explorer):
    """A convolution of one small input by one kernel, which the reader steps through and changes.

    Args:
        inputs: array (m,) or (height, width).
        kernel: array of the same rank.
        stride: one number for all axes, or one for each.
        dilation: one number for all axes.
        padding: ``valid``, ``same``, ``full``, ``causal``, or a number for each side.
        pad_mode, pad_value: what is put around the edge; see :func:`cnnlib.padding.pad`.
        transposed: spread every input over a window of outputs instead; see :func:`cnnlib.conv_transpose`.
        backward: show where the gradient goes: each output hands a gradient of 1 to the inputs in its window,
            times the weights, and to the weights, times these inputs; see :func:`cnnlib.conv_backward`.
        place: the step to start at, counted from 0.
        name: what links call this explorer; letters, digits and hyphens.

    Raises:
        ShapeError: ranks clash, or are neither 1 nor 2.
        SizeError: the kernel does not fit, or there is more than can be drawn.

    >>> print(ConvolutionMicroscope([3, 1, 4, 1, 5, 9], [1, 2], stride=2, place=1))
    Step 2 of 3: the window covers 4, 1 (padding: 0 of 2). Its weighted sum is 6, output 1.
    """

    script, parts = "microscope", ("form", "sizes", "cells")
    words = WORDS

    def __init__(
        self,
        inputs: ArrayLike,
        kernel: ArrayLike,
        *,
        stride: PerAxis = 1,
        padding: str | int = "valid",
        pad_mode: str = "constant",
        pad_value: float = 0,
        dilation: int = 1,
        transposed: bool = False,
        backward: bool = False,
        place: int = 0,
        name: str | None = None,
    ) -> None:
        self.inputs, self.kernel = numbers(inputs, "inputs"), numbers(kernel, "kernel")
        if self.inputs.ndim != self.kernel.ndim:
            raise ShapeError(
                f"inputs of shape {self.inputs.shape} and a kernel of shape {self.kernel.shape} "
                "must have the same number of axes"
            )
        self.stride = per_axis(stride, self.inputs.ndim, "stride")
        self.dilation = as_int(dilation, "dilation")
        self.padding = padding if isinstance(padding, str) else as_int(padding, "padding", minimum=0)
        if not isinstance(pad_mode, str) or pad_mode not in PAD_MODES:
            raise SizeError(f"padding mode {shown(pad_mode)} is unknown; use one of {', '.join(PAD_MODES)}")
        self.pad_mode, self.pad_value = pad_mode, as_number(pad_value, "pad_value", -LARGEST, LARGEST)
        self.transposed, self.backward, self.name = bool(transposed), bool(backward), as_name(name)
        if self.transposed and self.backward:
            raise SizeError("backward is shown of a convolution; leave transposed or backward out")
        self._axes = [self._axis(axis) for axis in range(self.inputs.ndim)]
        self._check_drawn()
        self.place = as_int(place, "place", minimum=0)
        if self.place >= self.steps:
            raise SizeError(f"place {place} is none of the {self.steps} steps; use one below {self.steps}")

    def _axis(self, axis: int) -> Axis:
        """The sizes along one axis, or what is wrong with them."""
        n, k, stride = self.inputs.shape[axis], self.kernel.shape[axis], self.stride[axis]
        if not self.transposed:
            return slid(axis, n, k, stride, self.padding, self.dilation)
        try:
            amounts = transposed_crop(k, stride, self.padding, dilation=self.dilation)
            out = transposed_size(n, k, stride, self.padding, dilation=self.dilation)
        except SizeError as error:
            raise SizeError(f"{WORDS['where'].format(axis=axis)}: {error}") from None
        span = effective_kernel_size(k, self.dilation)
        return Axis(n, k, stride, self.dilation, span, *amounts, out, 0)

    def _check_drawn(self) -> None:
        most = MOST[self.inputs.ndim - 1]
        for axis, (n, _, _, _, _, before, after, out, _) in enumerate(self._axes):
            cells = out + before + max(after, 0) if self.transposed else n + before + after
            check_drawn(axis, cells, most)

    @property
    def steps(self) -> int:
        """How many places the window has; transposed, one for each input."""
        return int(np.prod([a.n if self.transposed else a.out for a in self._axes]))

    @property
    def outputs(self) -> NDArray[np.floating]:
        """What all steps together give, (m,) or (height, width): computed by the library's operators."""
        x, k = self.inputs[None, ..., None], self.kernel[..., None, None]
        if self.transposed:
            return conv_transpose(x, k, self.stride, self.padding, dilation_rate=self.dilation)[0, ..., 0]
        around: dict[str, Any] = {"pad_mode": self.pad_mode, "pad_value": self.pad_value}
        return conv(x, k, self.stride, self.padding, self.dilation, **around)[0, ..., 0]

    def __repr__(self) -> str:
        return self._regions()["say"]

    # --- one step, as the script writes it -----------------------------------------------------------------

    def _two_axes(self) -> tuple[Axis, Axis]:
        """A row is drawn as a picture of one row."""
        return (OF_ROW, self._axes[0]) if self.inputs.ndim == 1 else (self._axes[0], self._axes[1])

    def _regions(self, place: int | None = None) -> dict[str, str]:
        """The HTML of each part at a place: ``panels``, ``sum``, ``say`` and ``facts``."""
        at = self.place if place is None else place
        step = self._stamp(at) if self.transposed or self.backward else self._window(at)
        lines = facts(WORDS, self._axes, "transposed_fact" if self.transposed else "fact")
        if self.backward and any(a.before + a.after for a in self._axes):
            lines += f"<div>{WORDS['lost_back' if self.pad_mode == 'constant' else 'copied_back']}</div>"
        return step | {"facts": lines}

    def _index(self, at: int, columns: int) -> str:
        return str(at) if self.inputs.ndim == 1 else f"({at // columns}, {at % columns})"

    def _window(self, at: int) -> dict[str, str]:
        down, across = self._two_axes()
        amounts = [(a.before, a.after) for a in (down, across)]
        inputs, weights = np.atleast_2d(self.inputs), np.atleast_2d(self.kernel)
        padded = pad(inputs[None, ..., None], amounts, self.pad_mode, self.pad_value)[0, ..., 0]
        outputs = np.atleast_2d(self.outputs)
        top, left = at // across.out * down.s, at % across.out * across.s
        window = self._taken(at)
        inside = np.pad(np.ones(inputs.shape), amounts)
        count = int((1 - inside)[top : top + down.f : down.d, left : left + across.f : across.d].sum())
        reached = [size - a.dropped for size, a in zip(padded.shape, (down, across), strict=True)]

        cells = []
        for (i, j), value in np.ndenumerate(padded):
            y, x = i - top, j - left
            covered = 0 <= y < down.f and 0 <= x < across.f and y % down.d == 0 == x % across.d
            note = f"×{factor(weights[y // down.d, x // across.d])}" if covered else ""
            lost = i >= reached[0] or j >= reached[1]
            cells.append(cell(i, j, value, _look("in" if inside[i, j] else "", covered), note, lost))
        around = any(map(any, amounts))
        panels = panel(
            "win", WORDS["padded" if around else "input"], padded, cells, (top, left, down.f, across.f)
        )
        panels += plain_panel("k", WORDS["kernel"], weights, "k")
        results = [
            cell(i, j, v, "out" if i * across.out + j <= at else "no")
            for (i, j), v in np.ndenumerate(outputs)
        ]
        row, column = at // across.out, at % across.out
        panels += panel("pl", WORDS["output"], outputs, results, (row, column, 1, 1))
        total = outputs[row, column]
        say = WORDS["covers"].format(
            step=at + 1, steps=self.steps, values=listed(window), count=count, taps=weights.size,
            sum=number(total), index=self._index(at, across.out),
        )  # fmt: skip
        return {"panels": panels, "sum": products(window, weights, total), "say": say}

    def _gradients(self, slopes: NDArray) -> tuple[NDArray, NDArray]:
        """What inputs and kernel get of these gradients of the outputs, as pictures."""
        x, k = self.inputs[None, ..., None], self.kernel[..., None, None]
        given = slopes.reshape(1, *(a.out for a in self._axes), 1)
        around: dict[str, Any] = {"pad_mode": self.pad_mode, "pad_value": self.pad_value}
        found = conv_backward(given, x, k, self.stride, self.padding, self.dilation, **around)
        return np.atleast_2d(np.asarray(found.inputs)[0, ..., 0]), np.atleast_2d(
            np.asarray(found.kernel)[..., 0, 0]
        )

    def _taken(self, at: int) -> NDArray[np.floating]:
        """The values in a window, what is padded among them, as a picture."""
        down, across = self._two_axes()
        amounts = [(a.before, a.after) for a in (down, across)]
        inputs = np.atleast_2d(self.inputs)[None, ..., None]
        padded = pad(inputs, amounts, self.pad_mode, self.pad_value)[0, ..., 0]
        top, left = at // across.out * down.s, at % across.out * across.s
        return padded[top : top + down.f : down.d, left : left + across.f : across.d]

    def _stamp(self, at: int) -> dict[str, str]:
        """Transposed, or backward: what one cell hands to all in its window."""
        down, across = self._two_axes()
        weights = np.atleast_2d(self.kernel)
        back = self.backward
        source = np.ones((down.out, across.out)) if back else np.atleast_2d(self.inputs)
        row, column = divmod(at, source.shape[1])
        value = float(source[row, column])
        top, left = row * down.s, column * across.s
        # What the steps until now have added up to, before anything is cut off.
        begun = np.where(np.arange(source.size).reshape(source.shape) <= at, source, 0)
        whole = conv_transpose(
            begun[None, ..., None], weights[..., None, None], (down.s, across.s), 0, 0, (down.d, across.d)
        )[0, ..., 0]
        whole = np.pad(whole, [(0, a.dropped if back else max(-a.after, 0)) for a in (down, across)])
        kept = [range(a.before, a.before + (a.n if back else a.out)) for a in (down, across)]
        if back:
            of_inputs, of_kernel = self._gradients(begun)
            whole[kept[0].start : kept[0].stop, kept[1].start : kept[1].stop] = of_inputs

        cells, count = [], 0
        for (i, j), total in np.ndenumerate(whole):
            y, x = i - top, j - left
            covered = 0 <= y < down.f and 0 <= x < across.f and y % down.d == 0 == x % across.d
            stays = i in kept[0] and j in kept[1]
            count += covered and not stays
            note = f"×{factor(weights[y // down.d, x // across.d])}" if covered else ""
            kind = ("in" if back else "out") if stays else ""
            cells.append(cell(i, j, total, _look(kind, covered), note))
        panels = plain_panel(
            "pl", WORDS["slopes" if back else "input"], source, "out" if back else "in", (row, column, 1, 1)
        )
        panels += plain_panel("k", WORDS["kernel"], weights, "k")
        title = "gradient" if back else "cut" if whole.size > down.out * across.out else "so_far"
        panels += panel("win", WORDS[title], whole, cells, (top, left, down.f, across.f))
        stamp = value * weights
        total, taken = f"{factor(value)}·({listed(weights)}) = ({listed(stamp)})", ""
        if back:
            given = value * self._taken(at)
            taken = listed(given)
            total += f"; {factor(value)}·({taken}) = ({taken})"
            handed = [
                cell(i, j, gradient, "k", f"+{factor(float(given[i, j]))}")
                for (i, j), gradient in np.ndenumerate(of_kernel)
            ]
            panels += panel("kg", WORDS["kernel_gradient"], of_kernel, handed)
        say = WORDS["hands" if back else "stamps"].format(
            step=at + 1, steps=self.steps, index=self._index(at, source.shape[1]), value=number(value),
            values=listed(stamp), count=count, taps=weights.size, inputs=taken,
        )  # fmt: skip
        return {"panels": panels, "sum": total, "say": say}

    # --- the whole -----------------------------------------------------------------------------------------

    def _state(self) -> dict[str, Any]:
        return {
            "rank": self.inputs.ndim,
            "most": MOST[self.inputs.ndim - 1],
            "start": {"at": self.place},
        }

    def _content(self) -> str:
        return explored(self._regions(), self._controls(), WORDS["help"])

    def _controls(self) -> str:
        flat = self.inputs.ndim == 1
        steps = "".join(button(name, WORDS[f"label_{name}"]) for name in ("back", "forward"))
        steps += button("play", WORDS["play"])
        kind = "text" if flat else "textarea"
        modes = {mode: mode for mode in PADDING_MODES} | {"amount": WORDS["label_amount"]}
        strides = ("label_stride",) if flat else ("label_stride_down", "label_stride_across")
        numeric = not isinstance(self.padding, str)
        settings = [
            field("inputs", WORDS["label_inputs"], written(self.inputs), kind, **lines(self.inputs)),
            field("kernel", WORDS["label_weights"], written(self.kernel), kind, **lines(self.kernel)),
            *(
                field(f"stride{axis}", WORDS[word], str(stride), "number", min=1)
                for axis, (word, stride) in enumerate(zip(strides, self.stride, strict=True))
            ),
            field("dilation", WORDS["label_dilation"], str(self.dilation), "number", min=1),
            choice("padding", WORDS["label_padding"], modes, "amount" if numeric else str(self.padding)),
            field("amount", WORDS["each_side"], str(self.padding) if numeric else "1", "number", min=0),
            choice(
                "pad_mode",
                WORDS["label_pad_mode"],
                {mode: WORDS[f"label_{mode}"] for mode in PAD_MODES},
                self.pad_mode,
            ),
            field("pad_value", WORDS["label_pad_value"], plain(self.pad_value), "number", step="any"),
            check("transposed", WORDS["label_transposed"], self.transposed),
            check("backward", WORDS["label_backward"], self.backward),
        ]
        return form(WORDS, sliders(WORDS, flat) + steps, "".join(settings))

    def _figure(self) -> Any:
        from cnnlib.plots.microscope import microscope

        return microscope(
            self.inputs,
            self.kernel,
            stride=self.stride,
            padding=self.padding,
            pad_mode=self.pad_mode,
            pad_value=self.pad_value,
            dilation=self.dilation,
            transposed=self.transposed,
            backward=self.backward,
            place=self.place,
        )


def _look(kind: str, covered: bool) -> str:
    """The class of a cell: ``off`` and ``pd``, which are dashed, are padding or cut off."""
    return ("now" if kind else "off") if covered else kind or "pd"
