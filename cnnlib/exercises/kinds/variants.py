"""1×1, depthwise and separable convolution (chapter 9)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlib.convolution import conv
from cnnlib.exercises.answers import Array, Number, Shape
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.kinds.sizes import IMAGE
from cnnlib.exercises.misconceptions import add
from cnnlib.exercises.networks import AnyLayer, Row, trace
from cnnlib.exercises.tasks import TaskError, add_kind
from cnnlib.layers import Conv2D, DepthwiseConv2D
from cnnlib.sizes import (
    conv_macs,
    conv_parameters,
    conv_weights,
    depthwise_macs,
    depthwise_parameters,
    output_shape,
    per_axis,
    separable_cost,
    separable_macs,
    separable_parameters,
)
from cnnlib.variants import channel_shuffle, depthwise_conv, factors, pointwise_conv, separable_rank

# --- 1×1 ----------------------------------------------------------------------------------------------


def _pixel_mix(pixel: Sequence[float], weights: Sequence[Sequence[float]]) -> NDArray:
    """What 1×1 filters, a column of ``weights`` each, make of one pixel."""
    return pointwise_conv(np.asarray(pixel, float)[None, None], np.asarray(weights, float))[0, 0]


def _roll_pixel(dice: Dice) -> dict[str, Any]:
    return {
        "pixel": tuple(dice.roll(1, 9) for _ in range(3)),
        "weights": tuple(tuple(dice.roll(-2, 3) for _ in range(3)) for _ in range(3)),
    }


add_kind(
    "pixel_mix",
    _pixel_mix,
    Array(1),
    "which weights belong to the first filter, and which channel does each of them meet?",
    "variants",
    _roll_pixel,
    labels={"pixel": "pixel", "weights": "weights"},
)
add(
    "pixel_mix",
    "took-rows-for-filters",
    lambda pixel, weights: _pixel_mix(pixel, np.transpose(weights).tolist()),
    "this takes a row of the weights for a filter. As Keras stores them, a row is a channel of the input and "
    "a column is a filter.",
    "variants",
)
add(
    "pixel_mix",
    "averaged-over-channels",
    lambda pixel, weights: _pixel_mix(pixel, weights) / len(pixel),
    "the channels were averaged. Their products are added up, not averaged.",
    "variants",
)
add(
    "pixel_mix",
    "each-channel-by-itself",
    lambda pixel, weights: np.multiply(pixel, np.diagonal(weights)),
    "this gives every channel one weight of its own, as a depthwise layer does. A 1×1 filter has a weight "
    "for every channel and adds the products.",
    "variants",
)
add(
    "pixel_mix",
    "left-the-weights-out-of-the-sum",
    lambda pixel, weights: np.sum(pixel) * np.sum(weights, axis=0),
    "this multiplies the sum of the pixel by the sum of the weights. Each channel meets its own weight, and "
    "the products are added.",
    "variants",
)

# --- Depthwise, separable -----------------------------------------------------------------------------


def _depthwise_output(
    input_shape: Sequence[int], kernel_size: int, multiplier: int = 1, strides: int = 1, padding: int = 0
) -> tuple[int, ...]:
    channels = input_shape[-1] * multiplier
    return output_shape((1, *input_shape), kernel_size, channels, strides, padding)[1:]


def _roll_depthwise_output(dice: Dice) -> dict[str, Any]:
    kernel = dice.pick((3, 5, 7))
    return {
        "input_shape": (dice.roll(24, 64), dice.roll(24, 64), dice.pick((8, 12, 16, 24, 32))),
        "kernel_size": kernel,
        "multiplier": dice.roll(2, 4),
        "strides": dice.roll(1, 2),
        "padding": dice.roll(1, kernel // 2),
    }


add_kind(
    "depthwise_output",
    _depthwise_output,
    Shape(IMAGE),
    "which of height, width and channels does the window decide, and how many maps come out of one channel?",
    "variants",
    _roll_depthwise_output,
    labels={"multiplier": "multiplier"},
)
add(
    "depthwise_output",
    "forgot-the-multiplier",
    lambda multiplier, **given: _depthwise_output(**given) if multiplier > 1 else None,
    "{answer} has one map a channel. Here every channel has {multiplier} kernels, and each makes a map.",
    "variants",
)
add(
    "depthwise_output",
    "added-the-channels-up",
    lambda multiplier, **given: (*_depthwise_output(**given)[:2], multiplier),
    "{answer} adds the channels up, as a plain filter does. A depthwise layer keeps them apart.",
    "variants",
)
add(
    "depthwise_output",
    "rows-and-columns-exchanged",
    lambda input_shape, **given: (
        _depthwise_output((input_shape[1], input_shape[0], input_shape[2]), **given)
        if input_shape[0] != input_shape[1]
        else None
    ),
    "{answer} has rows and columns exchanged: arrays store height first, then width, then channels.",
    "filters-and-kernels",
)
add(
    "depthwise_output",
    "forgot-the-padding",
    lambda padding, **given: _depthwise_output(**given) if padding else None,
    "{answer} is the shape without padding: P adds to both sides of the input.",
    "padding-and-stride",
)
add(
    "depthwise_output",
    "forgot-the-stride",
    lambda strides, **given: _depthwise_output(**given) if strides > 1 else None,
    "{answer} is the shape for stride 1. The window moves S at a time.",
    "padding-and-stride",
)


def _depthwise_count(kernel_size: int, channels: int, multiplier: int = 1, use_bias: bool = True) -> int:
    return depthwise_parameters((kernel_size, kernel_size), channels, multiplier, use_bias)


add_kind(
    "depthwise_parameters",
    _depthwise_count,
    Number(),
    "how many kernels are there in all, how large is each, and what belongs to every output channel?",
    "variants",
    lambda dice: {
        "kernel_size": dice.pick((3, 5, 7)),
        "channels": dice.pick((8, 12, 16, 24, 32)),
        "multiplier": dice.roll(2, 3),
    },
    labels={"multiplier": "multiplier"},
)
add(
    "depthwise_parameters",
    "counted-a-plain-layer",
    lambda kernel_size, channels, multiplier, use_bias: conv_parameters(
        (kernel_size, kernel_size), channels, channels * multiplier, use_bias=use_bias
    ),
    "{answer} is a plain layer with as many maps. Here a kernel looks at one channel only, so that there "
    "is no depth to multiply by.",
    "variants",
)
add(
    "depthwise_parameters",
    "forgot-the-multiplier",
    lambda multiplier, **given: _depthwise_count(**given) if multiplier > 1 else None,
    "{answer} has one kernel a channel; here every channel has {multiplier}.",
    "variants",
)
add(
    "depthwise_parameters",
    "one-kernel-for-all-channels",
    lambda kernel_size, channels, multiplier, use_bias: conv_parameters(
        (kernel_size, kernel_size), 1, multiplier, use_bias=use_bias
    ),
    "{answer} lets all channels share the same kernels. Each channel has its own.",
    "variants",
)
add(
    "depthwise_parameters",
    "left-out-the-biases",
    lambda use_bias, **given: _depthwise_count(**given, use_bias=False) if use_bias else None,
    "{answer} leaves out the biases: every output channel has one.",
    "filters-and-kernels",
)
add(
    "depthwise_parameters",
    "a-bias-for-each-input-channel",
    lambda channels, multiplier, use_bias, **given: (
        _depthwise_count(channels=channels, multiplier=multiplier, **given, use_bias=False) + channels
        if use_bias and multiplier > 1
        else None
    ),
    "{answer} gives a bias to every input channel. Biases belong to output channels, and there are more of "
    "them.",
    "variants",
)


def _separable_count(
    kernel_size: int, channels: int, filters: int, multiplier: int = 1, use_bias: bool = True
) -> int:
    return separable_parameters((kernel_size, kernel_size), channels, filters, multiplier, use_bias)


add_kind(
    "separable_parameters",
    _separable_count,
    Number(),
    "which two layers is this one made of, and where does it have its biases?",
    "variants",
    lambda dice: {
        "kernel_size": dice.pick((3, 5)),
        "channels": dice.pick((8, 12, 16, 24, 32)),
        "filters": dice.pick((20, 40, 48, 64, 80)),
    },
    labels={"multiplier": "multiplier"},
)
add(
    "separable_parameters",
    "counted-a-plain-layer",
    lambda kernel_size, channels, filters, multiplier, use_bias: conv_parameters(
        (kernel_size, kernel_size), channels, filters, use_bias=use_bias
    ),
    "{answer} is a plain layer with this kernel. A separable one looks at space first, channel by channel, "
    "and mixes channels after.",
    "variants",
)
add(
    "separable_parameters",
    "left-out-the-mixing",
    lambda kernel_size, channels, filters, multiplier, use_bias: _depthwise_count(
        kernel_size, channels, multiplier, use_bias
    ),
    "{answer} is the depthwise step alone. The 1×1 step that mixes the channels has weights, too.",
    "variants",
)
add(
    "separable_parameters",
    "left-out-the-kernels",
    lambda kernel_size, channels, filters, multiplier, use_bias: conv_parameters(
        (1, 1), channels * multiplier, filters, use_bias=use_bias
    ),
    "{answer} is the 1×1 step alone. The depthwise step before it has weights, too.",
    "variants",
)
add(
    "separable_parameters",
    "biases-in-both-steps",
    lambda channels, multiplier, use_bias, **given: (
        _separable_count(channels=channels, multiplier=multiplier, **given) + channels * multiplier
        if use_bias
        else None
    ),
    "{answer} has biases after both steps. Keras' SeparableConv2D has them only at its end: one a filter.",
    "variants",
)
add(
    "separable_parameters",
    "left-out-the-biases",
    lambda use_bias, **given: _separable_count(**given, use_bias=False) if use_bias else None,
    "{answer} leaves out the biases: every filter has one.",
    "filters-and-kernels",
)


def _separable_saving(kernel_size: int, channels: int, filters: int) -> float:
    """How many times fewer products a separable layer takes than the plain one."""
    return float(1 / separable_cost((kernel_size, kernel_size), filters))


add_kind(
    "separable_saving",
    _separable_saving,
    Number(),
    "how many products does one place cost in either layer, and which factors cancel?",
    "variants",
    lambda dice: {
        "kernel_size": dice.pick((3, 3, 5, 7)),
        "channels": dice.pick((16, 24, 48, 64, 96)),
        "filters": dice.pick((3, 10, 20, 32, 40, 80, 128)),
    },
)
add(
    "separable_saving",
    "saved-the-window",
    lambda kernel_size, channels, filters: kernel_size**2,
    "{answer} is the area of the window. It would save so much if the 1×1 step cost nothing.",
    "variants",
)
add(
    "separable_saving",
    "saved-the-filters",
    lambda kernel_size, channels, filters: filters,
    "{answer} is the number of filters. It would save so much if the depthwise step were all.",
    "variants",
)
add(
    "separable_saving",
    "took-the-input-channels",
    lambda kernel_size, channels, filters: _separable_saving(kernel_size, filters, channels),
    "{answer} puts the input channels into the ratio. They occur in both layers and cancel; the output "
    "channels stay.",
    "variants",
)
add(
    "separable_saving",
    "upside-down",
    lambda kernel_size, channels, filters: 1 / _separable_saving(kernel_size, channels, filters),
    "{answer} is the share of the products that is left. Asked is how many times fewer there are.",
    "variants",
)


def _separable_products(input_shape: Sequence[int], kernel_size: int, filters: int) -> int:
    return separable_macs((1, *input_shape), kernel_size, filters, padding="same")


def _depthwise_products(input_shape: Sequence[int], kernel_size: int) -> int:
    return depthwise_macs((1, *input_shape), kernel_size, padding="same")


add_kind(
    "separable_products",
    _separable_products,
    Number(),
    "how many products does one place take in the first step, how many in the second, and how many places "
    "are there?",
    "variants",
    lambda dice: {
        "input_shape": (dice.pick((14, 28, 32, 56)), dice.pick((14, 20, 28, 40)), dice.pick((8, 16, 24, 32))),
        "kernel_size": dice.pick((3, 5)),
        "filters": dice.pick((20, 40, 48, 64)),
    },
)
add(
    "separable_products",
    "counted-a-plain-layer",
    lambda input_shape, kernel_size, filters: conv_macs(
        (1, *input_shape), kernel_size, filters, padding="same"
    ),
    "{answer} is what the plain layer costs. Here every place takes two small steps: one a channel, then "
    "one a filter.",
    "variants",
)
add(
    "separable_products",
    "counted-one-place",
    lambda input_shape, kernel_size, filters: _separable_products(
        (1, 1, input_shape[-1]), kernel_size, filters
    ),
    "{answer} is the cost of a single place. With “same” padding there are as many places as the input has.",
    "variants",
)
add(
    "separable_products",
    "left-out-the-mixing",
    lambda input_shape, kernel_size, filters: _depthwise_products(input_shape, kernel_size),
    "{answer} is the depthwise step alone. The 1×1 step that mixes the channels costs something, too.",
    "variants",
)
add(
    "separable_products",
    "left-out-the-kernels",
    lambda input_shape, kernel_size, filters: conv_macs((1, *input_shape), 1, filters),
    "{answer} is the 1×1 step alone. The depthwise step before it costs something, too.",
    "variants",
)
add(
    "separable_products",
    "multiplied-the-steps",
    lambda input_shape, kernel_size, filters: (
        _depthwise_products(input_shape, kernel_size) * input_shape[-1] * filters
    ),
    "{answer} multiplies the costs of the two steps. One comes after the other: they are added.",
    "variants",
)


def _depthwise_map(inputs: NDArray, kernels: NDArray, stride: int = 1) -> NDArray:
    return depthwise_conv(inputs[None], kernels, stride)[0]


def _roll_depthwise_map(
    dice: Dice, channels: int | None = None, multiplier: int | None = None
) -> dict[str, Any]:
    rows, columns = dice.roll(1, 3), dice.roll(1, 4)
    height, width = rows + dice.roll(1, 4), columns + dice.roll(2, 5)
    channels, multiplier = channels or dice.roll(2, 4), multiplier or dice.roll(2, 3)
    return {
        "inputs": dice.halves((height, width, channels)),
        "kernels": dice.halves((rows, columns, channels, multiplier)),
        "stride": dice.roll(1, 2),
    }


add_kind(
    "depthwise_map",
    _depthwise_map,
    Array(3),
    "which channel and which kernel make the very first number of the result, and which the next map?",
    "variants",
    _roll_depthwise_map,
)


def _regrouped(kernels: NDArray, maps: NDArray) -> NDArray:
    """The maps with all first kernels before all second ones."""
    *_, channels, multiplier = kernels.shape
    return channel_shuffle(maps, channels) if min(channels, multiplier) > 1 else maps


add(
    "depthwise_map",
    "added-the-channels-up",
    lambda inputs, kernels, stride: conv(inputs[None], kernels, stride)[0] if inputs.shape[-1] > 1 else None,
    "The channels were added up, as a plain layer does. Here each channel keeps maps of its own.",
    "variants",
)
add(
    "depthwise_map",
    "kernels-before-channels",
    lambda inputs, kernels, stride: (
        _regrouped(kernels, _depthwise_map(inputs, kernels, stride)) if kernels.shape[-1] > 1 else None
    ),
    "The maps stand in another order: what kernel m makes of channel c is map c · M + m. All maps of a "
    "channel stand side by side.",
    "variants",
)
add(
    "depthwise_map",
    "one-kernel-for-all-channels",
    lambda inputs, kernels, stride: (
        _depthwise_map(inputs, np.repeat(kernels[:, :, :1], inputs.shape[-1], axis=2), stride)
        if inputs.shape[-1] > 1
        else None
    ),
    "Every channel meets the kernels of the first one. Channel c has kernels[:, :, c].",
    "variants",
)
add(
    "depthwise_map",
    "first-channel-only",
    lambda inputs, kernels, stride: (
        _depthwise_map(np.repeat(inputs[..., :1], inputs.shape[-1], axis=-1), kernels, stride)
        if inputs.shape[-1] > 1
        else None
    ),
    "Every kernel meets the first channel of the input. The kernels of channel c meet inputs[..., c].",
    "variants",
)
add(
    "depthwise_map",
    "first-kernel-only",
    lambda inputs, kernels, stride: (
        _depthwise_map(inputs, kernels[..., :1], stride) if kernels.shape[-1] > 1 else None
    ),
    "There is one map a channel. Each channel has as many kernels as the last axis of kernels is long.",
    "variants",
)
add(
    "depthwise_map",
    "flipped-the-kernel",
    lambda inputs, kernels, stride: _depthwise_map(inputs, kernels[::-1, ::-1], stride),
    "This is the convolution with the flip. A convolution layer lays the kernel down as it is "
    "(cross-correlation).",
    "one-dimension",
)
add(
    "depthwise_map",
    "forgot-the-stride",
    lambda inputs, kernels, stride: _depthwise_map(inputs, kernels) if stride > 1 else None,
    "This is the result for stride 1. The window for output row y starts at input row y · stride.",
    "padding-and-stride",
)

# --- Columns and rows ---------------------------------------------------------------------------------

#: A kernel with a gap in it, which is None.
Gappy = Sequence[Sequence[int | None]]


def _gap(kernel: Gappy) -> tuple[int, int]:
    return next((i, j) for i, row in enumerate(kernel) for j, entry in enumerate(row) if entry is None)


def _filled(kernel: Gappy, entry: float) -> NDArray:
    return np.array([[entry if value is None else value for value in row] for row in kernel], float)


def _missing_entry(kernel: Gappy) -> float:
    """The number in the gap with which the kernel is a column times a row."""
    i, j = _gap(kernel)
    others = np.delete(_filled(kernel, 0), i, axis=0)
    row = factors(others)[1]  # every row is a multiple of it
    b = next(b for b in range(len(row)) if b != j and row[b])
    entry = _filled(kernel, 0)[i, b] / row[b] * row[j]
    if separable_rank(_filled(kernel, entry)) != 1:
        raise TaskError("no number in the gap makes a column times a row of this kernel")
    return float(np.round(entry, 9))


def _roll_gappy(dice: Dice) -> dict[str, Any]:
    column, row = ([dice.roll(1, 5) for _ in range(3)] for _ in range(2))
    i, j = dice.roll(0, 2), dice.roll(0, 2)
    kernel = np.outer(column, row).tolist()
    kernel[i][j] = None
    return {"kernel": tuple(map(tuple, kernel))}


add_kind(
    "missing_entry",
    _missing_entry,
    Number(),
    "by what number do you multiply one row to get another?",
    "variants",
    _roll_gappy,
)


def _neighbours(kernel: Gappy) -> tuple[float, float, float]:
    """From another row and another column: the entries beside the gap, above it, and where the two cross."""
    (i, j), values = _gap(kernel), _filled(kernel, 0)
    a, b = (i + 1) % 3, (j + 1) % 3
    return values[i, b], values[a, j], values[a, b]


def _went_on_by_adding(kernel: Gappy) -> float:
    beside, above, across = _neighbours(kernel)
    return beside + above - across


add(
    "missing_entry",
    "went-on-by-adding",
    _went_on_by_adding,
    "{answer} adds the same number from row to row. In a column times a row, each row is a multiple of the "
    "others.",
    "variants",
)
add(
    "missing_entry",
    "mirrored-it",
    lambda kernel: kernel[_gap(kernel)[1]][_gap(kernel)[0]],
    "{answer} makes the kernel symmetric about its diagonal. A column times a row need not be.",
    "variants",
)
add(
    "missing_entry",
    "took-the-middle",
    lambda kernel: round(float(np.sum(_filled(kernel, 0))) / 8, 2),
    "{answer} is the mean of the others. Look at two rows: by what number is one multiplied to get the "
    "other?",
    "variants",
)
add(
    "missing_entry",
    "multiplied-the-neighbours",
    lambda kernel: _neighbours(kernel)[0] * _neighbours(kernel)[1],
    "{answer} multiplies two entries of the kernel. Each of them is a product already.",
    "variants",
)


def _column_row_weights(kernel_size: int, channels: int, between: int, filters: int) -> int:
    """A column of kernel_size×1 and a row of 1×kernel_size, without biases."""
    return conv_weights((kernel_size, 1), channels, between) + conv_weights(
        (1, kernel_size), between, filters
    )


add_kind(
    "column_row_weights",
    _column_row_weights,
    Number(),
    "which two layers stand one after the other, and how deep is the input of each?",
    "variants",
    lambda dice: {
        "kernel_size": dice.pick((5, 7, 9)),
        "channels": 4 * dice.roll(2, 8),
        "between": 4 * dice.roll(2, 8),
        "filters": 4 * dice.roll(3, 12),
    },
    labels={"between": "channels between"},
)
add(
    "column_row_weights",
    "counted-the-square",
    lambda kernel_size, channels, between, filters: conv_weights(
        (kernel_size, kernel_size), channels, filters
    ),
    "{answer} is the plain layer with a square kernel.",
    "variants",
)
add(
    "column_row_weights",
    "left-out-the-channels",
    lambda kernel_size, channels, between, filters: 2 * kernel_size,
    "{answer} is one column and one row. These layers mix channels, too: each filter has a column, or a row, "
    "for every channel of its input.",
    "variants",
)
add(
    "column_row_weights",
    "one-step-only",
    lambda kernel_size, channels, between, filters: conv_weights((kernel_size, 1), channels, between),
    "{answer} is the column layer alone; a row layer follows.",
    "variants",
)
add(
    "column_row_weights",
    "skipped-the-channels-between",
    lambda kernel_size, channels, between, filters: 2 * conv_weights((kernel_size, 1), channels, filters),
    "{answer} lets both layers lead from the first channels to the last. The first one ends in the channels "
    "between, and the second begins there.",
    "variants",
)

# --- A whole stack ------------------------------------------------------------------------------------


def _stack_total(input_shape: Sequence[int], layers: Sequence[AnyLayer]) -> int:
    return sum(row.parameters for row in trace(input_shape, layers))


def _roll_mobile(dice: Dice) -> dict[str, Any]:
    groups = dice.pick((2, 4))
    layers = (
        DepthwiseConv2D(dice.pick((3, 5)), padding="same"),
        Conv2D(8 * dice.roll(2, 5), 1),
        Conv2D(8 * dice.roll(2, 5), 3, padding="same", groups=groups),
    )
    return {"input_shape": (dice.roll(16, 40), dice.roll(16, 40), 8 * dice.roll(1, 3)), "layers": layers}


add_kind(
    "stack_total",
    _stack_total,
    Number(),
    "what does each layer learn, and have you counted all of them?",
    "variants",
    _roll_mobile,
    labels={"layers": "layers"},
)


def _total_of(count: Callable[[AnyLayer, Row, int], int]) -> Callable[..., int]:
    """A wrong total: ``count`` gets a layer, its right row, and the channels of its input."""

    def wrong(input_shape: Sequence[int], layers: Sequence[AnyLayer]) -> int:
        rows = trace(input_shape, layers)
        depths = [input_shape[-1], *(row.output[-1] for row in rows)]
        return sum(map(count, layers, rows, depths))

    return wrong


def _without_groups(layer: AnyLayer, row: Row, channels: int) -> int:
    if isinstance(layer, Conv2D):
        return conv_parameters(per_axis(layer.kernel_size, 2, "kernel_size"), channels, layer.filters)
    return row.parameters


add(
    "stack_total",
    "ignored-the-groups",
    _total_of(_without_groups),
    "{answer} counts the layer in groups as if it had none. A filter sees its own group only.",
    "variants",
)
add(
    "stack_total",
    "left-out-the-biases",
    _total_of(lambda layer, row, channels: row.parameters - row.output[-1]),
    "{answer} leaves out the biases: every output channel has one.",
    "filters-and-kernels",
)
add(
    "stack_total",
    "left-out-the-depthwise-layer",
    _total_of(lambda layer, row, channels: 0 if row.layer == "DepthwiseConv2D" else row.parameters),
    "{answer} leaves out the depthwise layer. It learns something, too, even if it is little.",
    "variants",
)
add(
    "stack_total",
    "depthwise-as-a-plain-layer",
    _total_of(
        lambda layer, row, channels: (
            row.parameters + (row.parameters - row.output[-1]) * (channels - 1)
            if row.layer == "DepthwiseConv2D"
            else row.parameters
        )
    ),
    "{answer} counts the depthwise layer as a plain one. Each of its kernels looks at one channel.",
    "variants",
)
