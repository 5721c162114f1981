"""Dilated convolution (chapter 9): sizes, what a stack sees, and the gaps in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlib.convolution import conv
from cnnlib.exercises.answers import Array, Number
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.kinds.sizes import AXIS
from cnnlib.exercises.misconceptions import add
from cnnlib.exercises.tasks import add_kind
from cnnlib.receptive_field import Window, receptive_field
from cnnlib.sizes import effective_kernel_size, output_size, padding_amounts, remembered

_TOO_WIDE = "puts D inputs between neighbouring weights. Dilation D sets them D apart: D − 1 lie between."


def _dilated_size(size: int, kernel_size: int, dilation: int, stride: int = 1, padding: int = 0) -> int:
    return output_size(size, kernel_size, stride, padding, dilation)


def _roll_dilated_size(dice: Dice, strided: bool = True) -> dict[str, Any]:
    if not strided:
        return {
            "size": dice.roll(28, 64),
            "kernel_size": dice.pick((3, 3, 5)),
            "dilation": dice.roll(2, 4),
            "stride": 1,
            "padding": 0,
        }
    return {  # large enough for a slip of one place, of one gap and of one padding to differ
        "size": dice.roll(64, 128),
        "kernel_size": dice.pick((5, 7)),
        "dilation": dice.roll(3, 7),
        "stride": 2,
        "padding": dice.roll(5, 12),
    }


add_kind(
    "dilated_size",
    _dilated_size,
    Number(),
    "how many inputs lie from the first weight of the kernel to its last?",
    "variants",
    _roll_dilated_size,
    labels={"dilation": "dilation"},
)


def _as_if(span: Callable[[int, int], int]) -> Callable[..., int]:
    """The output size of somebody who takes another span for the dilated kernel."""
    return lambda size, kernel_size, dilation, stride, padding: output_size(
        size, span(kernel_size, dilation), stride, padding
    )


add(
    "dilated_size",
    "ignored-the-dilation",
    _as_if(lambda kernel, dilation: kernel),
    "{answer} is the size with dilation 1. Between neighbouring weights there are now inputs that are passed "
    "over, and they take room too.",
    "variants",
)
add(
    "dilated_size",
    "multiplied-the-kernel",
    _as_if(lambda kernel, dilation: kernel * dilation),
    "{answer} takes D·F for the span of the kernel. Only the gaps grow, and between F weights there is one "
    "gap fewer than weights.",
    "variants",
)
add(
    "dilated_size",
    "one-gap-too-wide",
    _as_if(lambda kernel, dilation: effective_kernel_size(kernel, dilation + 1)),
    "{answer} " + _TOO_WIDE,
    "variants",
)
add(
    "dilated_size",
    "took-it-for-a-stride",
    lambda size, kernel_size, dilation, stride, padding: output_size(
        size, kernel_size, stride * dilation, padding
    ),
    "{answer} moves the window D places at a time. That is a stride; a dilation spreads the weights within "
    "the window.",
    "variants",
)


def _with_span(rule: Callable[..., Any]) -> Callable[..., Any]:
    """A slip along an axis, made with the right span."""
    return lambda size, kernel_size, dilation, stride, padding: rule(
        size, effective_kernel_size(kernel_size, dilation), stride, padding
    )


for _name, _rule, _message, _chapter in AXIS:
    if _name != "same-for-valid":
        add("dilated_size", _name, _with_span(_rule), _message, _chapter)


def _dilated_padding(kernel_size: int, dilation: int) -> int:
    span = effective_kernel_size(kernel_size, dilation)
    return padding_amounts(span, kernel_size, padding="same", dilation=dilation)[0]


add_kind(
    "dilated_padding",
    _dilated_padding,
    Number(),
    "how far does the spread kernel reach from its middle to either side?",
    "variants",
    lambda dice: {"kernel_size": dice.pick((5, 7, 9)), "dilation": dice.roll(2, 5)},
    labels={"dilation": "dilation"},
)
add(
    "dilated_padding",
    "ignored-the-dilation",
    lambda kernel_size, dilation: _dilated_padding(kernel_size, 1),
    "{answer} keeps the size for dilation 1. The spread kernel reaches further out.",
    "variants",
)
add(
    "dilated_padding",
    "both-sides-together",
    lambda kernel_size, dilation: effective_kernel_size(kernel_size, dilation) - 1,
    "{answer} is the padding of both sides together; P is counted per side.",
    "padding-and-stride",
)
add(
    "dilated_padding",
    "the-dilation-itself",
    lambda kernel_size, dilation: dilation,
    "{answer} is D. That is enough for a kernel of 3, which has one weight on either side of its middle.",
    "variants",
)
add(
    "dilated_padding",
    "half-the-span",
    lambda kernel_size, dilation: effective_kernel_size(kernel_size, dilation) / 2,
    "{answer} is half the span. The place under its middle is already inside: take the middle away first.",
    "padding-and-stride",
)
add(
    "dilated_padding",
    "one-gap-too-wide",
    lambda kernel_size, dilation: _dilated_padding(kernel_size, dilation + 1),
    "{answer} " + _TOO_WIDE,
    "variants",
)


def _stack(kernel_size: int, dilations: Sequence[int]) -> list[Window]:
    return [Window(kernel_size, dilation_rate=dilation) for dilation in dilations]


@remembered  # asked for by one mistake after the other
def _dilated_field(kernel_size: int, dilations: Sequence[int]) -> int:
    seen = receptive_field(_stack(kernel_size, dilations)).size
    assert seen is not None  # convolutions see only a part
    return seen


def _roll_stack(dice: Dice, gaps: bool = False) -> dict[str, Any]:
    """Dilations that leave inputs out, or the usual ones that grow from 1 and leave out none."""
    if gaps:
        first, second = dice.roll(2, 4), dice.roll(2, 7)
        third = (dice.roll(2, 6),) if dice.roll(0, 1) else ()
        return {"kernel_size": 3, "dilations": (first, second, *third)}
    dilations = (1, dice.roll(2, 3), dice.roll(3, 5))  # no wider than what the layers below see
    more = (dice.roll(5, 9),) if dice.roll(0, 1) else ()
    return {"kernel_size": dice.pick((3, 3, 5)), "dilations": (*dilations, *more)}


add_kind(
    "dilated_field",
    _dilated_field,
    Number(),
    "what does each layer add to what one output sees?",
    "variants",
    _roll_stack,
    labels={"dilations": "dilations"},
)
add(
    "dilated_field",
    "ignored-the-dilation",
    lambda kernel_size, dilations: _dilated_field(kernel_size, (1,) * len(dilations)),
    "{answer} is what is seen without dilation. A layer with dilation D reaches D times as far to each side.",
    "variants",
)
add(
    "dilated_field",
    "added-the-spans",
    lambda kernel_size, dilations: sum(effective_kernel_size(kernel_size, d) for d in dilations),
    "{answer} adds the spans up. Each layer begins at a place that is seen already: it adds its span less "
    "one.",
    "variants",
)
add(
    "dilated_field",
    "last-layer-only",
    lambda kernel_size, dilations: effective_kernel_size(kernel_size, dilations[-1]),
    "{answer} is the span of the last layer alone. Its inputs, too, have looked at several places.",
    "variants",
)
add(
    "dilated_field",
    "multiplied-the-kernels",
    lambda kernel_size, dilations: kernel_size ** len(dilations),
    "{answer} multiplies the kernels. What a layer sees is added to what the layers below it see.",
    "receptive-field",
)
add(
    "dilated_field",
    "multiplied-by-the-dilation",
    lambda kernel_size, dilations: 1 + sum(kernel_size * d - 1 for d in dilations),
    "{answer} takes D·F for the span of each kernel. Between F weights there are F − 1 gaps.",
    "variants",
)


@remembered
def _touched(kernel_size: int, dilations: Sequence[int]) -> int:
    """How many inputs have a way to one output; the span counts those in the gaps, too."""
    reached: NDArray = np.ones((1, 1, 1))
    ones = np.ones((kernel_size, 1, 1))
    for dilation in dilations:
        reached = conv(reached, ones, padding="full", dilation_rate=dilation)
    return int(np.count_nonzero(reached))


add_kind(
    "touched_inputs",
    _touched,
    Number(),
    "if you draw one output and go down layer by layer, which inputs do the lines end at?",
    "variants",
    lambda dice: _roll_stack(dice, gaps=True),
    labels={"dilations": "dilations"},
)
add(
    "touched_inputs",
    "counted-the-gaps",
    _dilated_field,
    "{answer} is the span, from the first input seen to the last. Some of those between have no way to the "
    "output.",
    "variants",
)
add(
    "touched_inputs",
    "ignored-the-dilation",
    lambda kernel_size, dilations: _dilated_field(kernel_size, (1,) * len(dilations)),
    "{answer} is what the stack sees with dilation 1 in every layer.",
    "variants",
)
add(
    "touched_inputs",
    "no-ways-meet",
    lambda kernel_size, dilations: kernel_size ** len(dilations),
    "{answer} counts ways. Several ways may lead to the same input, which is one input all the same.",
    "variants",
)
add(
    "touched_inputs",
    "counted-the-weights",
    lambda kernel_size, dilations: kernel_size * len(dilations),
    "{answer} counts the weights of all layers. Every input of the upper layer looks at several inputs "
    "below.",
    "variants",
)
add(
    "touched_inputs",
    "counted-the-untouched",
    lambda kernel_size, dilations: _dilated_field(kernel_size, dilations) - _touched(kernel_size, dilations),
    "{answer} is how many are left out. Asked is how many are seen.",
    "variants",
)


def _row(signal: Any, kernel: Any, stride: int = 1, padding: Any = "valid", dilation: int = 1) -> NDArray:
    values, weights = np.asarray(signal, float)[None, :, None], np.asarray(kernel, float)[:, None, None]
    return conv(values, weights, stride, padding, dilation)[0, :, 0]


def _dilated_row(signal: Sequence[float], kernel: Sequence[float], dilation: int) -> NDArray:
    return _row(signal, kernel, dilation=dilation)


def _roll_dilated_row(dice: Dice, dilation: int | None = None) -> dict[str, Any]:
    dilation = dilation or dice.roll(2, 3)
    kernel = tuple(dice.pick((-2, -1, 1, 2, 3)) for _ in range(3))
    length = effective_kernel_size(3, dilation) + dice.roll(2, 3)
    return {
        "signal": tuple(dice.roll(0, 9) for _ in range(length)),
        "kernel": kernel,
        "dilation": dilation,
    }


add_kind(
    "dilated_row",
    _dilated_row,
    Array(1),
    "which inputs lie under the weights at the first place, and which at the next?",
    "variants",
    _roll_dilated_row,
    labels={"dilation": "dilation"},
)
add(
    "dilated_row",
    "ignored-the-dilation",
    lambda signal, kernel, dilation: _row(signal, kernel) if dilation > 1 else None,
    "this is dilation 1: the weights must meet inputs that lie {dilation} apart.",
    "variants",
)
add(
    "dilated_row",
    "one-gap-too-wide",
    lambda signal, kernel, dilation: _row(signal, kernel, dilation=dilation + 1),
    "this " + _TOO_WIDE,
    "variants",
)
add(
    "dilated_row",
    "took-it-for-a-stride",
    lambda signal, kernel, dilation: _row(signal, kernel, dilation) if dilation > 1 else None,
    "this moves the window {dilation} places at a time over neighbouring inputs. That is a stride; a "
    "dilation spreads the weights.",
    "variants",
)
add(
    "dilated_row",
    "moved-too-far",
    lambda signal, kernel, dilation: (
        _row(signal, kernel, dilation, dilation=dilation) if dilation > 1 else None
    ),
    "the weights are spread as they should be, but the window also moves {dilation} places at a time. "
    "Dilation does not change the stride, which is 1.",
    "variants",
)
add(
    "dilated_row",
    "flipped-the-kernel",
    lambda signal, kernel, dilation: (
        None if tuple(kernel) == tuple(kernel)[::-1] else _row(signal, tuple(kernel)[::-1], dilation=dilation)
    ),
    "this is the convolution with the flip. A convolution layer lays the kernel down as it is "
    "(cross-correlation).",
    "one-dimension",
)
add(
    "dilated_row",
    "kept-the-size",
    lambda signal, kernel, dilation: _row(signal, kernel, padding="same", dilation=dilation),
    "this is as with “same” padding. Without padding the spread kernel must lie wholly inside the input.",
    "padding-and-stride",
)
