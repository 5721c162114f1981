"""Output sizes: along one axis, of convolution and of pooling layers, and the padding that keeps a size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cnnlib.exercises.answers import Number, Shape
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.misconceptions import add
from cnnlib.exercises.tasks import add_kind
from cnnlib.sizes import (
    Padding,
    PerAxis,
    dropped_inputs,
    output_shape,
    output_size,
    padding_amounts,
    per_axis,
)

#: The axes of an image or of feature maps, the batch left out.
IMAGE = ("height", "width", "channels")
_HOW_MANY_STEPS = "how far can the window move before it would stick out, and how many steps is that?"


def _axis_output(size: int, kernel_size: int, stride: int = 1, padding: int = 0) -> int:
    return output_size(size, kernel_size, stride, padding)


def _axis_rest(size: int, kernel_size: int, stride: int = 1, padding: int = 0) -> int:
    return dropped_inputs(size, kernel_size, stride, padding)


def _keeping_padding(kernel_size: int) -> int:
    # At stride 1 the padding that keeps the size does not depend on the size.
    return padding_amounts(kernel_size, kernel_size, padding="same")[0]


def _conv_output(
    input_shape: Sequence[int],
    kernel_size: PerAxis,
    filters: int,
    strides: PerAxis = 1,
    padding: Padding = 0,
) -> tuple[int, ...]:
    return output_shape((1, *input_shape), kernel_size, filters, strides, padding)[1:]


def _pool_output(
    input_shape: Sequence[int], pool_size: PerAxis, strides: PerAxis, padding: Padding = 0
) -> tuple[int, ...]:
    return output_shape((1, *input_shape), pool_size, None, strides, padding)[1:]


def _roll_axis(dice: Dice) -> dict[str, Any]:
    kernel, stride = dice.roll(1, 11), dice.roll(1, 4)
    return {
        "size": dice.roll(kernel, 64),
        "kernel_size": kernel,
        "stride": stride,
        "padding": dice.roll(0, max(kernel - 1, 0)),
    }


def _roll_conv(dice: Dice) -> dict[str, Any]:
    kernel = dice.pick((3, 5, 7, 9))
    return {
        "input_shape": (dice.roll(24, 96), dice.roll(24, 96), dice.pick((1, 3, 8, 16))),
        "kernel_size": kernel,
        "filters": dice.roll(4, 64),
        "strides": dice.roll(1, 3),
        "padding": dice.roll(0, kernel // 2),
    }


def _roll_pool(dice: Dice) -> dict[str, Any]:
    return {
        "input_shape": (dice.roll(24, 96), dice.roll(24, 96), 2 * dice.roll(4, 48)),
        "pool_size": dice.roll(2, 3),
        "strides": 2,
        "padding": dice.pick((0, 0, 0, 1)),
    }


add_kind("output_size", _axis_output, Number(), _HOW_MANY_STEPS, "padding-and-stride", _roll_axis)
add_kind(
    "dropped_inputs",
    _axis_rest,
    Number(),
    "where does the last window end, and what lies behind it?",
    "padding-and-stride",
    _roll_axis,
)
add_kind(
    "keeping_padding",
    _keeping_padding,
    Number(),
    "by how much does the kernel shrink the input, and how is that shared by the two sides?",
    "padding-and-stride",
    lambda dice: {"kernel_size": 2 * dice.roll(1, 7) + 1},
)
add_kind(
    "conv_output",
    _conv_output,
    Shape(IMAGE),
    "which of height, width and channels does the window decide, and what decides the other?",
    "padding-and-stride",
    _roll_conv,
)
add_kind(
    "pool_output",
    _pool_output,
    Shape(IMAGE),
    "what does pooling do to a single feature map, and to how many of them?",
    "padding-and-stride",
    _roll_pool,
)

# --- One axis -----------------------------------------------------------------------------------------


def per_side(padding: Any) -> int:
    """The padding as a number; 0 for ``valid``."""
    return padding if isinstance(padding, int) else 0


def _forgot_the_one(size: int, kernel_size: int, stride: int, padding: Any) -> int:
    return output_size(size, kernel_size, stride, padding) - 1


def _forgot_padding(size: int, kernel_size: int, stride: int, padding: Any) -> int | None:
    return output_size(size, kernel_size, stride) if per_side(padding) else None


def _padded_one_side(size: int, kernel_size: int, stride: int, padding: Any) -> int | None:
    one_sided = (per_side(padding), 0)
    return output_size(size, kernel_size, stride, one_sided) if per_side(padding) else None


def _rounded_up(size: int, kernel_size: int, stride: int, padding: Any) -> int | None:
    rest = dropped_inputs(size, kernel_size, stride, padding)
    return output_size(size, kernel_size, stride, padding) + 1 if rest else None


def _kept_fraction(size: int, kernel_size: int, stride: int, padding: Any) -> float | None:
    rest = dropped_inputs(size, kernel_size, stride, padding)
    return output_size(size, kernel_size, stride, padding) + rest / stride if rest else None


def _rounded(size: int, kernel_size: int, stride: int, padding: Any) -> int:
    rest = dropped_inputs(size, kernel_size, stride, padding)
    return round(output_size(size, kernel_size, stride, padding) + rest / stride)


def _forgot_stride(size: int, kernel_size: int, stride: int, padding: Any) -> int | None:
    return output_size(size, kernel_size, padding=padding) if stride > 1 else None


def _same_for_valid(size: int, kernel_size: int, stride: int, padding: Any) -> int | None:
    return None if per_side(padding) or padding == "same" else output_size(size, kernel_size, stride, "same")


#: Mistakes along one axis: they are also made in shapes.
AXIS: list[tuple[str, Callable[..., Any], str, str]] = [
    (
        "forgot-the-one",
        _forgot_the_one,
        "{answer} counts the steps that the window takes, not the places where it stands: the place where "
        "it starts counts too, hence the + 1.",
        "padding-and-stride",
    ),
    (
        "forgot-the-padding",
        _forgot_padding,
        "{answer} is the size without padding: P adds to both sides of the input.",
        "padding-and-stride",
    ),
    (
        "padded-one-side",
        _padded_one_side,
        "{answer} adds P once. The padding is P on each side: 2P in all.",
        "padding-and-stride",
    ),
    (
        "rounded-up",
        _rounded_up,
        "{answer} counts a last window that would stick out of the input. Round down (floor): what is left "
        "at the end is dropped.",
        "padding-and-stride",
    ),
    (
        "forgot-the-stride",
        _forgot_stride,
        "{answer} is the size for stride 1. The window moves S at a time: divide the way it can go by S.",
        "padding-and-stride",
    ),
    (
        "same-for-valid",
        _same_for_valid,
        "{answer} would be the size with “same” padding. Without padding the window must lie wholly inside "
        "the input.",
        "padding-and-stride",
    ),
]

for _name, _rule, _message, _chapter in AXIS:
    add("output_size", _name, _rule, _message, _chapter)
add(
    "output_size",
    "kept-the-fraction",
    _kept_fraction,
    "{answer} is not whole: a window either fits or it does not. Round down (floor).",
    "padding-and-stride",
)
add(
    "output_size",
    "used-round",
    _rounded,
    "{answer} is rounded to the nearest whole number. A window that sticks out does not count: round down, "
    "with // or math.floor.",
    "padding-and-stride",
    over_many=True,
)

# --- Shapes: what goes wrong along an axis goes wrong along both ----------------------------------------


def along_both(
    rule: Callable[..., Any], input_shape: Sequence[int], window: Any, strides: Any, padding: Any
) -> tuple[Any, Any] | None:
    """A mistake along one axis, made along both; None where it makes no difference on either."""
    sizes, steps = per_axis(window, 2, "window"), per_axis(strides, 2, "strides")
    arguments = list(zip(input_shape[:2], sizes, steps, strict=True))
    wrong = [rule(size, kernel, step, padding) for size, kernel, step in arguments]
    if wrong[0] is None and wrong[1] is None:
        return None
    height, width = (
        output_size(size, kernel, step, padding) if entry is None else entry
        for entry, (size, kernel, step) in zip(wrong, arguments, strict=True)
    )
    return height, width


def _conv_along(rule: Callable[..., Any]) -> Callable[..., Any]:
    def wrong(input_shape: Any, kernel_size: Any, filters: int, strides: Any, padding: Any) -> Any:
        sides = along_both(rule, input_shape, kernel_size, strides, padding)
        return None if sides is None else (*sides, filters)

    return wrong


def _pool_along(rule: Callable[..., Any]) -> Callable[..., Any]:
    def wrong(input_shape: Any, pool_size: Any, strides: Any, padding: Any) -> Any:
        sides = along_both(rule, input_shape, pool_size, strides, padding)
        return None if sides is None else (*sides, input_shape[-1])

    return wrong


for _name, _rule, _message, _chapter in AXIS:
    add("conv_output", _name, _conv_along(_rule), _message, _chapter)
    if _name != "same-for-valid":  # in pooling it gives what rounding up gives
        add("pool_output", _name, _pool_along(_rule), _message, _chapter)


def _conv_shape(input_shape: Any, kernel_size: Any, filters: int, strides: Any, padding: Any) -> Any:
    return output_shape((1, *input_shape), kernel_size, filters, strides, padding)[1:]


def _pool_shape(input_shape: Any, pool_size: Any, strides: Any, padding: Any) -> Any:
    return output_shape((1, *input_shape), pool_size, None, strides, padding)[1:]


def _swapped(shape: Any) -> Any:
    height, width, channels = shape
    return None if height == width else (width, height, channels)


_SWAPPED = "{answer} has rows and columns exchanged: arrays store height first, then width, then channels."
add(
    "conv_output",
    "rows-and-columns-exchanged",
    lambda **given: _swapped(_conv_shape(**given)),
    _SWAPPED,
    "filters-and-kernels",
)
add(
    "pool_output",
    "rows-and-columns-exchanged",
    lambda **given: _swapped(_pool_shape(**given)),
    _SWAPPED,
    "filters-and-kernels",
)
add(
    "conv_output",
    "kept-the-input-channels",
    lambda **given: (*_conv_shape(**given)[:2], given["input_shape"][-1]),
    "{answer} keeps the channels of the input. Each filter adds them all up into one feature map, so there "
    "are as many output channels as filters.",
    "filters-and-kernels",
)
add(
    "conv_output",
    "a-map-for-every-kernel",
    lambda **given: (
        (*_conv_shape(**given)[:2], given["filters"] * given["input_shape"][-1])
        if given["input_shape"][-1] > 1
        else None
    ),
    "{answer} counts kernels, not filters: a filter has a kernel for every input channel, but their results "
    "are added into one feature map.",
    "filters-and-kernels",
)
add(
    "pool_output",
    "channels-shrunk-too",
    lambda **given: (
        *_pool_shape(**given)[:2],
        max(1, given["input_shape"][-1] // per_axis(given["strides"], 2, "strides")[0]),
    ),
    "{answer} shrinks the channels as well. Pooling works on each feature map by itself, so their number "
    "stays.",
    "padding-and-stride",
)
add(
    "pool_output",
    "channels-pooled-away",
    lambda **given: (*_pool_shape(**given)[:2], 1),
    "{answer} has one channel left. Pooling does not add channels up; it works on each feature map by "
    "itself.",
    "padding-and-stride",
)
add(
    "pool_output",
    "window-for-stride",
    lambda input_shape, pool_size, strides, padding: (
        _pool_shape(input_shape, pool_size, pool_size, padding) if pool_size != strides else None
    ),
    "{answer} moves the window by its own size. Here the stride is another number, so windows overlap.",
    "padding-and-stride",
)

# --- Padding ------------------------------------------------------------------------------------------

add(
    "dropped_inputs",
    "rest-of-the-input",
    lambda size, kernel_size, stride, padding: size % stride,
    "{answer} is what is left when the input is divided by the stride. The first window already takes F of "
    "it: only the rest is walked over.",
    "padding-and-stride",
)
add(
    "dropped_inputs",
    "what-is-lacking",
    lambda size, kernel_size, stride, padding: (
        stride - dropped_inputs(size, kernel_size, stride, padding)
        if dropped_inputs(size, kernel_size, stride, padding)
        else None
    ),
    "{answer} is what one more window would need. Asked is what lies behind the last window that fits.",
    "padding-and-stride",
)
add(
    "dropped_inputs",
    "nothing-dropped",
    lambda size, kernel_size, stride, padding: (
        0 if dropped_inputs(size, kernel_size, stride, padding) else None
    ),
    "{answer} would mean that the last window ends exactly at the edge. Does (N + 2P − F)/S come out whole?",
    "padding-and-stride",
)
add(
    "keeping_padding",
    "both-sides-together",
    lambda kernel_size: kernel_size - 1,
    "{answer} is the padding of both sides together; P is counted per side.",
    "padding-and-stride",
)
add(
    "keeping_padding",
    "half-the-kernel",
    lambda kernel_size: kernel_size / 2,
    "{answer} is half the kernel. The place under its middle is already inside: take the middle away first.",
    "padding-and-stride",
)
add(
    "keeping_padding",
    "one-too-many",
    lambda kernel_size: (kernel_size + 1) // 2,
    "{answer} counts the middle of the kernel too; with it the output is larger than the input.",
    "padding-and-stride",
)
