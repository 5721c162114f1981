"""One filter at a time: what each channel gives, their sum, and what groups leave out. Chapters 5 and 9.

Its numbers are those of :func:`cnnlib.conv` and of :mod:`cnnlib.sizes`; its script repeats their rules, and a
test holds the two together in a browser, over hundreds of layers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.convolution import conv
from cnnlib.errors import ShapeError, SizeError
from cnnlib.explorers.axes import check_drawn, slid
from cnnlib.explorers.base import Explorer, as_name, choice, factor, field, number
from cnnlib.explorers.cells import CELL, drawable, plain_panel, sliders, written
from cnnlib.explorers.form import FORM_WORDS, check, explored, form
from cnnlib.sizes import (
    as_int,
    conv_macs,
    conv_parameters,
    kernel_shape,
    separable_macs,
    separable_parameters,
    shown,
)
from cnnlib.variants import depthwise_conv

#: The words that a reader sees, in Python and in the script; a translation replaces the values.
WORDS = FORM_WORDS | {
    "label_title": "Channels in, filters out",
    "help": "Drag the orange window, or use the arrow keys here; "
    "click a row of the last drawing to choose a filter.",
    "label_link": "Link to this filter",
    "label_settings": "Change the layer",
    "kind": "layer",
    "plain": "plain",
    "grouped": "in groups",
    "depthwise": "depthwise",
    "pointwise": "pointwise (1×1)",
    "separable": "depthwise, then pointwise",
    "label_groups": "groups",
    "channels": "channels",
    "filters": "filters",
    "label_filter": "filter",
    "label_use_bias": "bias",
    "label_inputs": "input values, a block for each channel",
    "label_kernel": "kernel weights, filter by filter, a block for each channel",
    "label_bias": "biases",
    "uneven": "{name} has {rows} rows, which make no {count} blocks of one height; give each as many",
    "miscounted": "{name} has {count} numbers; give {wanted}, one for each filter",
    "channel": "channel {c}",
    "kernel": "its kernel",
    "partial": "partial sums",
    "unread": "channel {c}: this filter has no weights for it",
    "feature_map": "feature map {f}",
    "bank": "which filter (down) reads which channel (across)",
    "filter_at": "Filter {f} of 0 to {last}, row {row}, column {column}: {given}. {total}",
    "gives": "channel {c} gives {sum}",
    "with_bias": "With the bias {bias} that makes {result}.",
    "no_bias": "That makes {result}.",
    "weights": "weights",
    "parameters": "parameters",
    "macs": "products",
    "unsplit": "{count} {what} cannot be split into {groups} groups; "
    "choose groups among the divisors of {count}",
}

#: The layers to switch between; what they leave of the window and of the channels.
KINDS = ("plain", "grouped", "depthwise", "pointwise")
#: The most cells along an axis, channels and filters that are drawn.
MOST, MOST_CHANNELS = 8, 6


class FilterStack(Explorer):
    """A layer of few channels and filters, one filter at one place at a time; stride 1, no padding.

    Args:
        inputs: array (height, width, channels).
        kernel: the weights of the plain layer, array (height, width, channels, filters); other kinds keep a
            part of them: groups leave out what lies between groups, a pointwise layer all but the middle.
        bias: one number for each filter, or one for all.
        kind: ``plain``, ``grouped``, ``depthwise`` or ``pointwise``.
        groups: into how many groups channels and filters are cut where the layer is grouped.
        use_bias: without it, biases are left out of the sums and of the counts.
        filter: the filter to start at, counted from 0.
        place: row and column of the output to start at.
        name: what links call this explorer; letters, digits and hyphens.

    Raises:
        ShapeError: arrays that do not go together, or channels that cannot be split into the groups.
        SizeError: the window does not fit, or there is more than can be drawn.

    >>> FilterStack(np.ones((3, 3, 2)), np.ones((2, 2, 2, 3)), bias=1, filter=2)
    Filter 2 of 0 to 2, row 0, column 0: channel 0 gives 4, channel 1 gives 4. With the bias 1 that makes 9.
    """

    script, parts = "filter_stack", ("form", "sizes", "cells")
    words = WORDS

    def __init__(
        self,
        inputs: ArrayLike,
        kernel: ArrayLike,
        bias: ArrayLike = 0,
        *,
        kind: str = "plain",
        groups: int = 2,
        use_bias: bool = True,
        filter: int = 0,
        place: tuple[int, int] = (0, 0),
        name: str | None = None,
    ) -> None:
        self.inputs, self.kernel = drawable(inputs, "inputs"), drawable(kernel, "kernel")
        if self.inputs.ndim != 3 or self.kernel.ndim != 4 or self.inputs.shape[2] != self.kernel.shape[2]:
            raise ShapeError(
                f"inputs of shape {self.inputs.shape} and a kernel of shape {self.kernel.shape} do not go "
                "together; they need (height, width, channels) and (height, width, channels, filters)"
            )
        (height, width, self.channels), self.filters = self.inputs.shape, self.kernel.shape[3]
        for what, count in (("channels", self.channels), ("filters", self.filters)):
            if count > MOST_CHANNELS:
                raise SizeError(WORDS["at_most"].format(name=what, value=count, most=MOST_CHANNELS))
        biases = drawable(bias, "bias")
        if biases.shape not in ((), (self.filters,)):
            raise ShapeError(
                f"bias has shape {biases.shape}; give one number or one for each of {self.filters} filters"
            )
        self.bias = np.broadcast_to(biases, (self.filters,))
        if kind not in KINDS:
            raise SizeError(f"kind {shown(kind)} is unknown; use one of {', '.join(KINDS)}")
        self.kind, self.groups, self.use_bias = kind, as_int(groups, "groups"), bool(use_bias)
        self._groups = {"grouped": self.groups, "depthwise": self.channels}.get(kind, 1)
        size = self._window(kind)
        kernel_shape(size, self.channels, self.filters, self._groups)  # raises where they cannot be split
        self._axes = [
            slid(axis, n, k, 1, "valid")
            for axis, (n, k) in enumerate(zip((height, width), size, strict=True))
        ]
        for axis, n in enumerate((height, width)):
            check_drawn(axis, n, MOST)
        self.filter, self.name = as_int(filter, "filter", minimum=0), as_name(name)
        if self.filter >= self.filters:
            raise SizeError(
                f"filter {filter} is none of the {self.filters} filters; use one below {self.filters}"
            )
        row, column = (as_int(p, "place", minimum=0) for p in place)
        if row >= self._axes[0].out or column >= self._axes[1].out:
            raise SizeError(
                f"place ({row}, {column}) lies outside the output of {self._axes[0].out}×{self._axes[1].out}"
            )
        self.place = row * self._axes[1].out + column

    def _window(self, kind: str) -> tuple[int, ...]:
        return (1, 1) if kind == "pointwise" else self.kernel.shape[:2]

    def reads(self, filter: int) -> range:
        """The channels that a filter has weights for.

        >>> FilterStack(np.ones((2, 2, 4)), np.ones((1, 1, 4, 4)), kind="grouped").reads(2)
        range(2, 4)
        """
        each = self.channels // self._groups
        first = filter // (self.filters // self._groups) * each
        return range(first, first + each)

    @property
    def weights(self) -> NDArray[np.floating]:
        """What this layer keeps of the plain one's weights, (height, width, channels, filters)."""
        middle = [slice(n // 2, n // 2 + 1) for n in self.kernel.shape[:2]]
        return self.kernel[tuple(middle)] if self.kind == "pointwise" else self.kernel

    @property
    def outputs(self) -> NDArray[np.floating]:
        """The feature maps, (height, width, filters): computed by the library's operator."""
        own = [self.weights[:, :, self.reads(f), f] for f in range(self.filters)]
        bias = self.bias if self.use_bias else None
        return conv(self.inputs[None], np.stack(own, axis=-1), groups=self._groups, bias=bias)[0]

    def __repr__(self) -> str:
        return self._regions()["say"]

    # --- one filter at one place, as the script writes it --------------------------------------------------

    def _regions(self, filter: int | None = None, place: int | None = None) -> dict[str, str]:
        """The HTML of each part: ``panels``, ``sum``, ``say`` and ``facts``."""
        f, at = self.filter if filter is None else filter, self.place if place is None else place
        row, column = divmod(at, self._axes[1].out)
        own = self.reads(f)
        sums = depthwise_conv(self.inputs[None, ..., own], self.weights[:, :, own, f, None])[0]
        outputs = self.outputs[..., f]
        parts, result = sums[row, column].tolist(), number(float(outputs[row, column]))
        given = ", ".join(
            WORDS["gives"].format(c=c, sum=number(part)) for c, part in zip(own, parts, strict=True)
        )
        bias = [float(self.bias[f])] if self.use_bias else []
        total = WORDS["with_bias" if bias else "no_bias"].format(
            bias=number(float(self.bias[f])), result=result
        )
        say = WORDS["filter_at"].format(
            f=f, last=self.filters - 1, row=row, column=column, given=given, total=total
        )
        return {
            "panels": self._panels(f, row, column, sums, outputs),
            "sum": f"{' + '.join(map(factor, [*parts, *bias]))} = {result}",
            "say": say,
            "facts": self._counts(),
        }

    def _panels(self, f: int, row: int, column: int, sums: NDArray, outputs: NDArray) -> str:
        own, lines = self.reads(f), []
        spot, window = (row, column, 1, 1), (row, column, self._axes[0].k, self._axes[1].k)
        for c in range(self.channels):
            title, picture = WORDS["channel"].format(c=c), self.inputs[..., c]
            if c in own:
                line = plain_panel(f"w{c}", title, picture, "in", window)
                line += "<b>⋆</b>" + plain_panel(f"k{c}", WORDS["kernel"], self.weights[..., c, f], "k")
                line += "<b>=</b>" + plain_panel(f"s{c}", WORDS["partial"], sums[..., c - own[0]], "so", spot)
            else:
                line = plain_panel(f"u{c}", WORDS["unread"].format(c=c), picture, "pd")
            lines.append(f"<div class=ln>{line}</div>")
        result = plain_panel("pl", WORDS["feature_map"].format(f=f), outputs, "out", spot)
        return f"{''.join(lines)}<div class=ln>{result}{self._bank(f)}</div>"

    def _bank(self, f: int) -> str:
        """A row for each filter, a column for each channel: filled where there are weights."""
        there = np.array([[c in self.reads(g) for c in range(self.channels)] for g in range(self.filters)])
        small = CELL // 2
        cells = "".join(
            f"<rect class={'k' if on else 'no'} x={c * small} y={g * small} />"
            for (g, c), on in np.ndenumerate(there)
        )
        width, height = self.channels * small, self.filters * small
        rows = "; ".join(f"{g}: {', '.join(map(str, self.reads(g)))}" for g in range(self.filters))
        title = WORDS["bank"]
        return (
            f'<div><div>{title}</div><svg data-p=m viewBox="-3 -3 {width + 6} {height + 6}" role="img" '
            f'aria-label="{title}: {rows}" style="width:{width + 6}px">{cells}'
            f'<path class=fr d="M0 {f * small}h{width}v{small}h-{width}z"/></svg></div>'
        )

    def _counts(self) -> str:
        """Weights, parameters and multiplications of this layer and of the others of its size."""
        shape, head = (1, *self.inputs.shape), ("kind", "weights", "parameters", "macs")
        lines = "".join(f"<th scope=col>{WORDS[key]}</th>" for key in head)
        lines = f"<tr>{lines}</tr>"
        for kind in (*KINDS, "separable"):
            size = self._window(kind)
            groups = {"grouped": self.groups, "depthwise": self.channels}.get(kind, 1)
            counts = ["—"] * 3
            if kind == "separable":
                every = kernel_shape(size, self.channels, self.channels, self.channels)
                mixed = kernel_shape((1, 1), self.channels, self.filters)
                counts = [
                    f"{'×'.join(map(str, every))}, {'×'.join(map(str, mixed))}",
                    str(separable_parameters(size, self.channels, self.filters, use_bias=self.use_bias)),
                    str(separable_macs(shape, size, self.filters)),
                ]
            elif self.channels % groups == 0 == self.filters % groups:
                counts = [
                    "×".join(map(str, kernel_shape(size, self.channels, self.filters, groups))),
                    str(conv_parameters(size, self.channels, self.filters, groups, self.use_bias)),
                    str(conv_macs(shape, size, self.filters, groups=groups)),
                ]
            cells = "".join(f"<td>{count}</td>" for count in counts)
            here = " class=here" if kind == self.kind else ""
            lines += f"<tr{here}><th scope=row>{WORDS[kind]}</th>{cells}</tr>"
        return f"<table>{lines}</table>"

    # --- the whole -----------------------------------------------------------------------------------------

    def _state(self) -> dict[str, Any]:
        return {
            "all": [self.channels, self.filters],
            "most": MOST,
            "start": {"filter": self.filter, "at": self.place},
        }

    def _content(self) -> str:
        return explored(self._regions(), self._controls(), WORDS["help"])

    def _controls(self) -> str:
        steps = choice("kind", WORDS["kind"], {kind: WORDS[kind] for kind in KINDS}, self.kind)
        steps += field("groups", WORDS["label_groups"], str(self.groups), "number", min=1)
        steps += field("filter", WORDS["label_filter"], "0", "range", min=0, max=0) + sliders(
            WORDS, flat=False
        )
        settings = "".join(
            field(what, WORDS[what], str(count), "number", min=1, max=count)
            for what, count in (("channels", self.channels), ("filters", self.filters))
        )
        settings += check("use_bias", WORDS["label_use_bias"], self.use_bias)
        planes = {"inputs": np.moveaxis(self.inputs, 2, 0), "kernel": self.kernel.transpose(3, 2, 0, 1)}
        for name, values in planes.items():
            text = "\n\n".join(map(written, values.reshape(-1, *values.shape[-2:])))
            settings += field(
                name, WORDS[f"label_{name}"], text, "textarea", rows=6, cols=4 * values.shape[-1]
            )
        settings += field("bias", WORDS["label_bias"], written(self.bias))
        return form(WORDS, steps, settings)

    def _figure(self) -> Any:
        from cnnlib.plots.filter_stack import stack

        own, bias = self.reads(self.filter), float(self.bias[self.filter]) if self.use_bias else 0
        place = divmod(self.place, self._axes[1].out)
        return stack(self.inputs[..., own], self.weights[:, :, own, self.filter], bias, place)
