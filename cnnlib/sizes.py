"""Sizes and counts: the arithmetic of convolution and pooling, on integers alone.

Chapters 2, 5 and 6. Every size in the course, in operators, plots, exercises and checks, is computed
here and nowhere else. Functions on one axis take ``size``, ``kernel_size``, ``stride``, ``dilation``;
functions on whole shapes take Keras' argument names and a value for all axes or one for each.

The rules are those of Keras 3 (and of TensorFlow, whose white paper on padding they follow); the
arithmetic is told in pictures by Dumoulin and Visin, *A guide to convolution arithmetic for deep
learning* (2016, arXiv:1603.07285).
"""

from __future__ import annotations

import functools
import math
import numbers
import operator
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, ParamSpec, TypeAlias, TypeVar

from cnnlib.errors import CnnError, ShapeError, SizeError

#: What a caller may write for the padding: a mode, an amount for both sides, or pairs (before, after).
Padding: TypeAlias = "str | int | Sequence[int | tuple[int, int]]"
#: One value for all axes or one for each.
PerAxis: TypeAlias = "int | Sequence[int]"

PADDING_MODES = ("valid", "same", "full", "causal")
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
#: Bytes of a number, by the name of its type.
_ITEM_BYTES = {
    **{f"{kind}{bits}": bits // 8 for kind in ("float", "int", "uint") for bits in (16, 32, 64)},
    **{"bfloat16": 2, "int8": 1, "uint8": 1, "bool": 1},
}


def remembered(rule: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Let a rule on whole numbers keep its results: a network asks for the same ones batch after batch.

    Only plain whole numbers, words and tuples of them are looked up; all else (a list, an array, True, 1.0,
    which is equal to 1 but no size) goes to the rule itself. Results are shared: let them be tuples.

    >>> @remembered
    ... def area(shape):
    ...     print("computed")
    ...     return math.prod(shape)
    >>> area((2, 3)), area((2, 3)), area([2, 3])
    computed
    computed
    (6, 6, 6)
    """
    known = functools.lru_cache(maxsize=1024)(rule)

    @functools.wraps(rule)
    def asked(*arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
        return known(*arguments) if not named and _plain(arguments) else rule(*arguments, **named)

    return asked


def _plain(value: Any) -> bool:
    """Whether equal values are the same to every rule: numbers, words, None, and tuples of them."""
    kind = type(value)
    return kind is int or kind is str or value is None or (kind is tuple and all(map(_plain, value)))


def as_int(value: Any, name: str, minimum: int = 1) -> int:
    """Return ``value`` as a plain int, or say what is wrong with it.

    >>> as_int(3, "stride")
    3
    >>> as_int(0, "stride")
    Traceback (most recent call last):
        ...
    cnnlib.errors.SizeError: stride must be a whole number of at least 1, not 0
    """
    if type(value) is int and minimum <= value <= sys.maxsize:  # the common case, which is asked for often
        return value
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or number < minimum:
        raise SizeError(f"{name} must be a whole number of at least {minimum}, not {shown(value)}")
    if number > sys.maxsize:
        raise SizeError(f"{name} {number:.1e} is more than any array has; use a number below 2**63")
    return number


def as_number(
    value: Any,
    name: str,
    least: float = -math.inf,
    below: float = math.inf,
    kind: type[CnnError] = SizeError,
) -> float:
    """Return ``value`` as a float from ``least`` to under ``below``, or say what is wrong with it.

    >>> as_number(0.9, "momentum", 0, below=1)
    0.9
    >>> as_number("0.9", "momentum", 0, below=1)
    Traceback (most recent call last):
        ...
    cnnlib.errors.SizeError: momentum must be a number of at least 0 and below 1, not '0.9'
    """
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or not least <= value < below:
        lower = f" of at least {least:g}" if least > -math.inf else ""
        upper = f" and below {below:g}" if below < math.inf else ""
        raise kind(f"{name} must be a number{lower}{upper}, not {shown(value)}")
    return float(value)


def shown(value: Any) -> str:
    """Any value in one short line, for messages.

    >>> shown(list(range(100)))
    '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, …'
    """
    line = " ".join(repr(value).split())
    return line if len(line) <= 60 else f"{line[:59]}…"


def per_axis(value: PerAxis, rank: int, name: str, minimum: int = 1) -> tuple[int, ...]:
    """Spread one value over ``rank`` axes, or check that there is one for each.

    >>> per_axis(2, rank=2, name="strides")
    (2, 2)
    >>> per_axis((1, 2), rank=3, name="strides")
    Traceback (most recent call last):
        ...
    cnnlib.errors.ShapeError: strides has 2 values (1, 2) for 3 axes; give one number or 3 of them
    """
    try:
        values = tuple(value)  # type: ignore[arg-type]
    except TypeError:
        values = (value,) * rank  # type: ignore[assignment]
    if len(values) != rank:
        raise ShapeError(
            f"{name} has {len(values)} values {shown(values)} for {rank} axes; "
            f"give one number or {rank} of them"
        )
    return tuple(as_int(v, name, minimum) for v in values)


def as_shape(value: Any, name: str) -> tuple[Any, ...]:
    """Return ``value`` as a tuple, or say that it needs an entry for each axis.

    >>> as_shape([5, 5], "kernel_size")
    (5, 5)
    >>> as_shape(5, "kernel_size")
    Traceback (most recent call last):
        ...
    cnnlib.errors.ShapeError: kernel_size must have one number for each axis, such as (5, 5), not 5
    """
    if isinstance(value, str) or not hasattr(value, "__iter__") or getattr(value, "shape", None) == ():
        example = (value, value) if isinstance(value, int) else (5, 5)
        raise ShapeError(f"{name} must have one number for each axis, such as {example}, not {shown(value)}")
    return tuple(value)


def effective_kernel_size(kernel_size: int, dilation: int = 1) -> int:
    """The inputs that a kernel spans once gaps of ``dilation`` - 1 lie between its weights.

    >>> effective_kernel_size(3), effective_kernel_size(3, dilation=2)
    (3, 5)
    """
    return as_int(dilation, "dilation") * (as_int(kernel_size, "kernel_size") - 1) + 1


def padding_amounts(
    size: int,
    kernel_size: int,
    stride: int = 1,
    padding: str | int | tuple[int, int] = "valid",
    dilation: int = 1,
) -> tuple[int, int]:
    """The padding before and after one axis, in elements.

    ``valid`` pads nothing; ``same`` pads so that the output has ``ceil(size / stride)`` elements, the
    odd one after (as Keras and TensorFlow do); ``full`` lets the kernel overlap the input by a single
    element at either end; ``causal`` pads only before. A number pads both sides by that much.

    >>> padding_amounts(4, kernel_size=3, padding="same")
    (1, 1)
    >>> padding_amounts(6, kernel_size=3, stride=2, padding="same")    # not symmetric
    (0, 1)
    >>> padding_amounts(2, kernel_size=2, padding="full")
    (1, 1)
    """
    size = as_int(size, "input size", minimum=0)
    stride = as_int(stride, "stride")
    span = effective_kernel_size(kernel_size, dilation)
    if padding is not None and not isinstance(padding, str):
        before, after = per_axis(padding, 2, "padding", minimum=0)
        return (before, after)
    mode = padding and padding.lower()  # as in Keras: "SAME" is "same"
    if mode == "valid":
        return (0, 0)
    if mode == "same":
        total = max((-(-size // stride) - 1) * stride + span - size, 0)
        return (total // 2, total - total // 2)
    if mode == "full":
        return (span - 1, span - 1)
    if mode == "causal":
        return (span - 1, 0)
    raise SizeError(
        f"padding {shown(padding)} is unknown; use one of {', '.join(PADDING_MODES)}, "
        "a number for both sides or a pair (before, after)"
    )


def output_size(
    size: int,
    kernel_size: int,
    stride: int = 1,
    padding: str | int | tuple[int, int] = "valid",
    dilation: int = 1,
) -> int:
    """The number of places at which a kernel fits along one axis: ⌊(N + 2P - F) / S⌋ + 1.

    N is the input size, P the padding on each side (where the sides differ, their sum stands for 2P), F
    the effective kernel size and S the stride. The same rule serves convolution and pooling.

    >>> output_size(6, kernel_size=2), output_size(6, kernel_size=2, stride=2)
    (5, 3)
    >>> output_size(32, kernel_size=5, padding=2)
    32
    >>> output_size(6, kernel_size=3, stride=2)     # the last input is dropped
    2

    Raises:
        SizeError: the kernel does not fit, or an argument is not a positive whole number.
    """
    before, after = padding_amounts(size, kernel_size, stride, padding, dilation)
    span = effective_kernel_size(kernel_size, dilation)
    room = size + before + after - span
    if room < 0:
        spread = f" spread over {span} by dilation {dilation}" if dilation > 1 else ""
        padded = f" with padding {before} + {after}" if before or after else ""
        lacking = -(-(span - size) // 2)
        largest = (size + before + after - 1) // dilation + 1
        smaller = f" or use a kernel of at most {largest}" if largest > 0 else ""
        raise SizeError(
            f"kernel {kernel_size}{spread} does not fit into input {size}{padded}; "
            f"pad by at least {lacking} on each side{smaller}"
        )
    return room // stride + 1


def dropped_inputs(
    size: int,
    kernel_size: int,
    stride: int = 1,
    padding: str | int | tuple[int, int] = "valid",
    dilation: int = 1,
) -> int:
    """The elements at the end of the padded axis that no window reaches, because sizes do not divide.

    >>> dropped_inputs(6, kernel_size=3, stride=2), dropped_inputs(7, kernel_size=3, stride=2)
    (1, 0)
    """
    places = output_size(size, kernel_size, stride, padding, dilation)
    before, after = padding_amounts(size, kernel_size, stride, padding, dilation)
    reach = (places - 1) * stride + effective_kernel_size(kernel_size, dilation)
    return size + before + after - reach


def split_padding(padding: Padding, rank: int) -> tuple[str | int | tuple[int, int], ...]:
    """Give each axis its own padding: a mode or number is for all, a sequence has one entry an axis.

    >>> split_padding("same", 2), split_padding((1, (0, 2)), 2)
    (('same', 'same'), (1, (0, 2)))
    """
    if isinstance(padding, str) or not hasattr(padding, "__len__") or getattr(padding, "shape", None) == ():
        return (padding,) * rank  # type: ignore[return-value]
    entries = tuple(padding)  # type: ignore[arg-type]
    if len(entries) != rank:
        raise ShapeError(
            f"padding has {len(entries)} entries {entries} for {rank} axes; "
            f"give one mode, one number, or {rank} numbers or pairs (before, after)"
        )
    return entries


def output_shape(
    input_shape: Sequence[int],
    kernel_size: PerAxis,
    filters: int | None = None,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation_rate: PerAxis = 1,
) -> tuple[int, ...]:
    """The shape that a convolution or pooling makes of ``input_shape`` (batch, *spatial, channels).

    ``filters`` is the number of output channels; None keeps the channels, as pooling does.

    >>> output_shape((1, 32, 32, 3), kernel_size=5, filters=10, padding=2)
    (1, 32, 32, 10)
    >>> output_shape((1, 224, 224, 64), kernel_size=2, strides=2)
    (1, 112, 112, 64)

    Raises:
        SizeError: the kernel does not fit along an axis (the message names the axis).
        ShapeError: there are not as many values as axes.
    """
    batch, *spatial, channels = _checked_shape(input_shape)
    rank = len(spatial)
    kernels = per_axis(kernel_size, rank, "kernel_size")
    steps = per_axis(strides, rank, "strides")
    gaps = per_axis(dilation_rate, rank, "dilation_rate")
    outputs = []
    for axis, (n, k, s, p, d) in enumerate(
        zip(spatial, kernels, steps, split_padding(padding, rank), gaps, strict=True)
    ):
        try:
            outputs.append(output_size(n, k, s, p, d))
        except SizeError as error:
            raise SizeError(f"axis {axis}: {error}") from None
    last = channels if filters is None else as_int(filters, "filters")
    return (batch, *outputs, last)


def _checked_shape(input_shape: Sequence[int]) -> tuple[Any, ...]:
    """Return (batch, *spatial, channels) as a tuple, or say what it lacks."""
    shape = as_shape(input_shape, "input_shape")
    if len(shape) < 3:
        raise ShapeError(
            f"input shape {shown(shape)} has {len(shape)} axes; "
            "it needs (batch, at least one spatial axis, channels)"
        )
    batch, *_, channels = shape
    if batch is not None:  # Keras leaves the batch open
        as_int(batch, "batch", minimum=0)
    as_int(channels, "channels", minimum=0)
    return shape


def kernel_shape(kernel_size: Sequence[int], channels: int, filters: int, groups: int = 1) -> tuple[int, ...]:
    """The shape of a layer's weights, (*kernel_size, channels / groups, filters), as Keras stores them.

    >>> kernel_shape((5, 5), channels=3, filters=16)
    (5, 5, 3, 16)

    Raises:
        ShapeError: groups does not divide both channels and filters.
    """
    size = tuple(as_int(k, "kernel_size") for k in as_shape(kernel_size, "kernel_size"))
    channels, filters = as_int(channels, "channels"), as_int(filters, "filters")
    groups = as_int(groups, "groups")
    for what, count in (("channels", channels), ("filters", filters)):
        if count % groups:
            raise ShapeError(
                f"{count} {what} cannot be split into {groups} groups; "
                f"choose groups among the divisors of {count}"
            )
    return (*size, channels // groups, filters)


def conv_weights(kernel_size: Sequence[int], channels: int, filters: int, groups: int = 1) -> int:
    """The number of weights of a convolution layer, biases left out.

    >>> conv_weights((4, 4), channels=3, filters=1), conv_weights((5, 5), channels=3, filters=16)
    (48, 1200)
    """
    return math.prod(kernel_shape(kernel_size, channels, filters, groups))


def conv_parameters(
    kernel_size: Sequence[int], channels: int, filters: int, groups: int = 1, use_bias: bool = True
) -> int:
    """The trainable parameters of a convolution layer: the weights and one bias a filter.

    >>> conv_parameters((5, 5), channels=3, filters=1)
    76
    >>> conv_parameters((5, 5), channels=3, filters=10)
    760
    """
    return conv_weights(kernel_size, channels, filters, groups) + (filters if use_bias else 0)


def conv_macs(
    input_shape: Sequence[int],
    kernel_size: PerAxis,
    filters: int,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation_rate: PerAxis = 1,
    groups: int = 1,
) -> int:
    """The multiply-accumulate operations of a convolution: weights of a filter x output values.

    >>> conv_macs((1, 6, 1), kernel_size=2, filters=1)      # 5 places, 2 products at each
    10
    """
    out = output_shape(input_shape, kernel_size, filters, strides, padding, dilation_rate)
    size = per_axis(kernel_size, len(out) - 2, "kernel_size")
    one_filter = conv_weights(size, input_shape[-1], filters, groups) // out[-1]
    return one_filter * math.prod(out)


def depthwise_parameters(
    kernel_size: Sequence[int], channels: int, multiplier: int = 1, use_bias: bool = True
) -> int:
    """The parameters of a depthwise convolution: ``multiplier`` kernels for each channel, and biases.

    >>> depthwise_parameters((3, 3), channels=64, use_bias=False)
    576
    """
    channels, multiplier = as_int(channels, "channels"), as_int(multiplier, "multiplier")
    return conv_parameters(kernel_size, channels, channels * multiplier, channels, use_bias)


def separable_parameters(
    kernel_size: Sequence[int], channels: int, filters: int, multiplier: int = 1, use_bias: bool = True
) -> int:
    """The parameters of a depthwise convolution and the 1×1 convolution after it; one bias a filter.

    >>> separable_parameters((3, 3), channels=64, filters=128, use_bias=False)      # 576 + 8192
    8768
    >>> conv_parameters((3, 3), channels=64, filters=128, use_bias=False)
    73728
    """
    each = depthwise_parameters(kernel_size, channels, multiplier, use_bias=False)
    ones = (1,) * len(tuple(kernel_size))
    return each + conv_parameters(ones, channels * multiplier, filters, use_bias=use_bias)


def depthwise_macs(
    input_shape: Sequence[int],
    kernel_size: PerAxis,
    multiplier: int = 1,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation_rate: PerAxis = 1,
) -> int:
    """The multiply-accumulate operations of a depthwise convolution: one kernel an output value.

    >>> depthwise_macs((1, 112, 112, 64), kernel_size=3, padding="same")
    7225344
    """
    channels = as_int(_checked_shape(input_shape)[-1], "channels")
    filters = channels * as_int(multiplier, "multiplier")
    return conv_macs(input_shape, kernel_size, filters, strides, padding, dilation_rate, groups=channels)


def separable_macs(
    input_shape: Sequence[int],
    kernel_size: PerAxis,
    filters: int,
    multiplier: int = 1,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation_rate: PerAxis = 1,
) -> int:
    """The multiply-accumulate operations of a depthwise convolution and the 1×1 convolution after it.

    >>> shape = (1, 112, 112, 64)
    >>> separable_macs(shape, 3, filters=128, padding="same")
    109985792
    >>> conv_macs(shape, 3, filters=128, padding="same")
    924844032
    """
    each = depthwise_macs(input_shape, kernel_size, multiplier, strides, padding, dilation_rate)
    between = input_shape[-1] * multiplier
    middle = output_shape(input_shape, kernel_size, between, strides, padding, dilation_rate)
    return each + conv_macs(middle, 1, filters)


def separable_cost(kernel_size: Sequence[int], filters: int) -> Fraction:
    """What a depthwise separable convolution costs against a full one: 1 / C_out + 1 / k².

    It holds for operations and, without biases, for weights, whatever the number of input channels.

    >>> cost = separable_cost((3, 3), filters=256)
    >>> cost, round(1 / float(cost), 1)             # "eight to nine times fewer"
    (Fraction(265, 2304), 8.7)
    """
    window = math.prod(as_int(k, "kernel_size") for k in as_shape(kernel_size, "kernel_size"))
    return Fraction(1, as_int(filters, "filters")) + Fraction(1, window)


def locally_connected_shape(
    input_shape: Sequence[int],
    kernel_size: PerAxis,
    filters: int,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation_rate: PerAxis = 1,
) -> tuple[int, ...]:
    """The shape of the weights where every place has its own: (*output, *kernel_size, channels, filters).

    >>> locally_connected_shape((1, 32, 32, 3), kernel_size=5, filters=6)
    (28, 28, 5, 5, 3, 6)
    """
    _, *places, _ = output_shape(input_shape, kernel_size, filters, strides, padding, dilation_rate)
    return (
        *places,
        *kernel_shape(per_axis(kernel_size, len(places), "kernel_size"), input_shape[-1], filters),
    )


def locally_connected_parameters(
    input_shape: Sequence[int],
    kernel_size: PerAxis,
    filters: int,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation_rate: PerAxis = 1,
    use_bias: bool = True,
) -> int:
    """The parameters of a layer that looks as locally as a convolution but shares nothing.

    Its multiply-accumulate operations are those of the convolution, :func:`conv_macs`.

    >>> locally_connected_parameters((1, 32, 32, 3), kernel_size=5, filters=6)
    357504
    >>> conv_parameters((5, 5), channels=3, filters=6)
    456
    """
    shape = locally_connected_shape(input_shape, kernel_size, filters, strides, padding, dilation_rate)
    places = math.prod(shape[: (len(shape) - 2) // 2])
    return math.prod(shape) + (places * shape[-1] if use_bias else 0)


def transposed_crop(
    kernel_size: int,
    stride: int = 1,
    padding: str | int | tuple[int, int] = "valid",
    output_padding: int | None = None,
    dilation: int = 1,
) -> tuple[int, int]:
    """What a transposed convolution cuts off before and after one axis; negative: it adds so much.

    Every input of a transposed convolution is spread over F outputs, so that N inputs, S apart, cover
    (N - 1)·S + F of them. ``padding`` is that of the convolution whose transpose this is, and what that
    put around its input is cut off here. A convolution rounds down, so that inputs of up to S different
    sizes give it the same output; ``output_padding`` chooses among them by adding outputs after the axis.
    None means what Keras takes: ``valid`` covers at least a stride for each input, ``same`` gives N·S
    outputs; where the padding is a number, a pair, ``full`` or ``causal``, nothing is added.

    >>> transposed_crop(3, stride=2, padding="same"), transposed_crop(4, stride=2, padding="same")
    ((0, 1), (1, 1))
    >>> transposed_crop(2, stride=3)                # the window is narrower than the stride
    (0, -1)
    >>> transposed_crop(3, stride=2, padding=1, output_padding=1)
    (1, 0)
    """
    stride = as_int(stride, "stride")
    span = effective_kernel_size(kernel_size, dilation)
    if output_padding is not None and as_int(output_padding, "output_padding", minimum=0) >= stride:
        raise SizeError(
            f"output_padding {output_padding} must be smaller than stride {stride}; "
            "no convolution would have left out so much"
        )
    mode = padding.lower() if isinstance(padding, str) else ""  # an array would compare element by element
    if mode == "same":
        added = stride - span % 2 if output_padding is None else output_padding
        total = 2 * (span // 2) - added
        before = max(total, 0) // 2
        return (before, total - before)
    default = max(stride - span, 0) if mode == "valid" else 0
    before, after = padding_amounts(0, kernel_size, stride, padding, dilation)
    return (before, after - (default if output_padding is None else output_padding))


def transposed_size(
    size: int,
    kernel_size: int,
    stride: int = 1,
    padding: str | int | tuple[int, int] = "valid",
    output_padding: int | None = None,
    dilation: int = 1,
) -> int:
    """The outputs of a transposed convolution along one axis: (N - 1)·S + F - 2P + output_padding.

    Symbols as in :func:`output_size`, whose inverse this is: a convolution with the same arguments makes
    N of that many again. What ``padding`` and ``output_padding`` mean is told by :func:`transposed_crop`.

    >>> transposed_size(4, kernel_size=3, stride=2), output_size(9, kernel_size=3, stride=2)
    (9, 4)
    >>> transposed_size(4, kernel_size=3, stride=2, padding="same")
    8
    >>> transposed_size(4, kernel_size=3, stride=2, padding=1, output_padding=1)
    8

    Raises:
        SizeError: nothing is left after cropping, or an argument is not a whole number.
    """
    size = as_int(size, "input size")
    before, after = transposed_crop(kernel_size, stride, padding, output_padding, dilation)
    spread = (size - 1) * stride + effective_kernel_size(kernel_size, dilation)
    if spread - before - after < 1:
        raise SizeError(
            f"{size} input(s) with kernel {kernel_size}, stride {stride} and dilation {dilation} cover "
            f"{spread} output(s), of which padding cuts off {before} + {after}; "
            f"pad by less, or take at least {-(-(before + after - spread + 1) // stride)} more input(s)"
        )
    return spread - before - after


def transposed_shape(
    input_shape: Sequence[int],
    kernel_size: PerAxis,
    filters: int,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    output_padding: PerAxis | None = None,
    dilation_rate: PerAxis = 1,
) -> tuple[int, ...]:
    """The shape that a transposed convolution makes of ``input_shape`` (batch, *spatial, channels).

    >>> transposed_shape((1, 7, 7, 128), kernel_size=5, filters=64, strides=2, padding="same")
    (1, 14, 14, 64)

    Raises:
        SizeError: nothing is left along an axis (the message names the axis).
        ShapeError: there are not as many values as axes.
    """
    batch, *spatial, _ = _checked_shape(input_shape)
    axes = _transposed_axes(len(spatial), kernel_size, strides, padding, output_padding, dilation_rate)
    outputs = []
    for axis, (size, geometry) in enumerate(zip(spatial, axes, strict=True)):
        try:
            outputs.append(transposed_size(size, *geometry))
        except SizeError as error:
            raise SizeError(f"axis {axis}: {error}") from None
    return (batch, *outputs, as_int(filters, "filters"))


def transposed_crops(
    kernel_size: Sequence[int],
    strides: PerAxis = 1,
    padding: Padding = "valid",
    output_padding: PerAxis | None = None,
    dilation_rate: PerAxis = 1,
) -> list[tuple[int, int]]:
    """The pairs (before, after) that :func:`transposed_crop` gives for every axis.

    >>> transposed_crops((3, 4), strides=2, padding="same")
    [(0, 1), (1, 1)]
    """
    size = as_shape(kernel_size, "kernel_size")
    axes = _transposed_axes(len(size), size, strides, padding, output_padding, dilation_rate)
    return [transposed_crop(*geometry) for geometry in axes]


def _transposed_axes(
    rank: int,
    kernel_size: PerAxis,
    strides: PerAxis,
    padding: Padding,
    output_padding: PerAxis | None,
    dilation_rate: PerAxis,
) -> list[tuple[Any, ...]]:
    """For every axis its kernel size, stride, padding, output padding and dilation."""
    added = (None,) * rank if output_padding is None else per_axis(output_padding, rank, "output_padding", 0)
    return list(
        zip(
            per_axis(kernel_size, rank, "kernel_size"),
            per_axis(strides, rank, "strides"),
            split_padding(padding, rank),
            added,
            per_axis(dilation_rate, rank, "dilation_rate"),
            strict=True,
        )
    )


def transposed_macs(input_shape: Sequence[int], kernel_size: PerAxis, filters: int) -> int:
    """The multiply-accumulate operations of a transposed convolution: weights of an input value x inputs.

    Those of the convolution whose transpose it is; products that cropping throws away are counted, as
    :func:`conv_macs` counts those with padding.

    >>> transposed_macs((1, 7, 7, 128), kernel_size=5, filters=64)
    10035200
    """
    shape = _checked_shape(input_shape)
    size = per_axis(kernel_size, len(shape) - 2, "kernel_size")
    return math.prod(shape[:-1]) * conv_weights(size, shape[-1], filters)


def dense_parameters(inputs: int, units: int, use_bias: bool = True) -> int:
    """The parameters of a fully connected layer: a weight for every pair, and one bias a unit.

    >>> dense_parameters(3072, 10, use_bias=False)
    30720
    """
    return as_int(inputs, "inputs") * as_int(units, "units") + (units if use_bias else 0)


def dense_macs(input_shape: Sequence[int], units: int) -> int:
    """The multiply-accumulate operations of a fully connected layer over the last axis of its inputs.

    >>> dense_macs((1, 4096), units=1000)
    4096000
    """
    shape = tuple(as_int(n, "input_shape", minimum=0) for n in as_shape(input_shape, "input_shape"))
    return math.prod(shape) * as_int(units, "units")


def pool_operations(
    input_shape: Sequence[int],
    pool_size: PerAxis,
    strides: PerAxis | None = None,
    padding: Padding = "valid",
) -> int:
    """The comparisons of max pooling, or the additions of average pooling: one fewer than a window holds.

    They are no multiply-accumulate operations, and usually left out of their count.

    >>> pool_operations((1, 224, 224, 64), pool_size=2)
    2408448
    """
    steps = pool_size if strides is None else strides
    out = output_shape(input_shape, pool_size, None, steps, padding)
    return (math.prod(per_axis(pool_size, len(out) - 2, "pool_size")) - 1) * math.prod(out)


def conv_connections(
    input_shape: Sequence[int],
    kernel_size: PerAxis,
    filters: int,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation_rate: PerAxis = 1,
    groups: int = 1,
    use_bias: bool = True,
) -> int:
    """The connections of a convolution layer: for every output its window of inputs, and its bias.

    This is how LeCun et al. (1998) count for LeNet-5: each weight as often as it is used, which is what
    sharing hides. A locally connected layer has as many, and a parameter for each.

    >>> conv_connections((1, 32, 32, 1), kernel_size=5, filters=6), conv_parameters((5, 5), 1, 6)
    (122304, 156)
    """
    macs = conv_macs(input_shape, kernel_size, filters, strides, padding, dilation_rate, groups)
    outputs = math.prod(output_shape(input_shape, kernel_size, filters, strides, padding, dilation_rate))
    return macs + (outputs if use_bias else 0)


def pool_connections(
    input_shape: Sequence[int],
    pool_size: PerAxis,
    strides: PerAxis | None = None,
    padding: Padding = "valid",
    use_bias: bool = False,
) -> int:
    """The connections of a pooling layer: for every output its window, in its own feature map.

    LeNet-5's subsampling adds a trainable bias: ``use_bias`` counts it.

    >>> pool_connections((1, 28, 28, 6), pool_size=2, use_bias=True)
    5880
    """
    steps = pool_size if strides is None else strides
    out = output_shape(input_shape, pool_size, None, steps, padding)
    window = math.prod(per_axis(pool_size, len(out) - 2, "pool_size"))
    return (window + (1 if use_bias else 0)) * math.prod(out)


def dense_connections(input_shape: Sequence[int], units: int, use_bias: bool = True) -> int:
    """The connections of a fully connected layer: for one input vector as many as it has parameters.

    >>> dense_connections((1, 120), units=84)
    10164
    """
    macs = dense_macs(input_shape, units)
    outputs = math.prod(tuple(input_shape)[:-1]) * as_int(units, "units")
    return macs + (outputs if use_bias else 0)


def activation_values(shape: Sequence[int | None]) -> int:
    """The numbers in an activation of ``shape``; an open batch, None, counts as one image.

    >>> activation_values((None, 224, 224, 64))
    3211264
    """
    first, *rest = as_shape(shape, "shape") or (1,)
    batch = 1 if first is None else first
    return math.prod(as_int(n, "shape", minimum=0) for n in (batch, *rest))


def item_bytes(dtype: Any = "float32") -> int:
    """The bytes of one number of ``dtype``, a name or NumPy's own type.

    >>> item_bytes(), item_bytes("float16"), item_bytes("uint8")
    (4, 2, 1)
    """
    size = getattr(dtype, "itemsize", None)  # of numpy.dtype("float32"), but not of numpy.float32
    name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", repr(dtype))
    if not isinstance(size, int):
        size = _ITEM_BYTES.get(name)
    if size is None:
        raise SizeError(f"dtype {name!r} is unknown; use one of {', '.join(_ITEM_BYTES)}")
    return size


def activation_bytes(shape: Sequence[int | None], dtype: Any = "float32") -> int:
    """The memory that an activation of ``shape`` takes, in bytes (a MiB is 1,048,576 of them).

    >>> activation_bytes((1, 224, 224, 64)) / 2**20
    12.25
    """
    return activation_values(shape) * item_bytes(dtype)
