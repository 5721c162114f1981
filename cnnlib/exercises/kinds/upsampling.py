"""Going up again (chapter 10): unpooling, transposed convolution, its sizes, counts and gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.convolution import correlate
from cnnlib.exercises.answers import Array, Number, Shape
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.kinds.sizes import IMAGE
from cnnlib.exercises.misconceptions import add, add_all
from cnnlib.exercises.tasks import add_kind
from cnnlib.pooling import max_pool_switches
from cnnlib.sizes import (
    conv_macs,
    conv_parameters,
    kernel_shape,
    output_size,
    remembered,
    transposed_macs,
    transposed_shape,
    transposed_size,
)
from cnnlib.upsampling import (
    bed_of_nails,
    conv_transpose,
    conv_transpose_backward,
    max_unpool,
    overlap_counts,
    upsample_nearest,
)

# --- Unpooling ----------------------------------------------------------------------------------------

#: The three ways back from a window's maximum.
WAYS = ("bed of nails", "nearest neighbour", "max unpooling")


@remembered  # one mistake after the other asks for it
def _unpooled(picture: Sequence[Sequence[int]], way: str) -> NDArray:
    """A picture of even sides, max-pooled by 2×2 and enlarged again."""
    values = np.asarray(picture, float)[None, ..., None]
    pooled, switches = max_pool_switches(values, 2)
    if way == "max unpooling":
        return max_unpool(pooled, switches, values.shape)[0, ..., 0]
    enlarge = bed_of_nails if way == "bed of nails" else upsample_nearest
    return enlarge(pooled, 2)[0, ..., 0]


def _roll_picture(dice: Dice, windows: int = 3) -> dict[str, Any]:
    """Some windows of 2×2 side by side, in each of which one value is the largest."""
    drawn = []
    for _ in range(windows):
        window = [dice.roll(0, 4) for _ in range(4)]
        window[dice.roll(0, 3)] = dice.roll(5, 9)
        drawn.append(np.reshape(window, (2, 2)))
    return {"picture": tuple(map(tuple, np.hstack(drawn).tolist())), "way": dice.pick(WAYS)}


add_kind(
    "unpooled",
    _unpooled,
    Array(2),
    "where did the largest value of each window stand, and which places does this way fill?",
    "upsampling",
    _roll_picture,
    labels={"picture": "picture", "way": "way back"},
)


def _in_the_way_of(other: str) -> Callable[..., Any]:
    return lambda picture, way: _unpooled(picture, other) if way != other else None


add(
    "unpooled",
    "drove-nails",
    _in_the_way_of("bed of nails"),
    "this is the bed of nails: each value in the first corner of its window, and zeros elsewhere.",
    "upsampling",
)
add(
    "unpooled",
    "repeated-the-values",
    _in_the_way_of("nearest neighbour"),
    "this is the nearest neighbour: each value all over its window.",
    "upsampling",
)
add(
    "unpooled",
    "used-the-switches",
    _in_the_way_of("max unpooling"),
    "this is max unpooling: each value where it was found.",
    "upsampling",
)
add(
    "unpooled",
    "kept-the-picture",
    lambda picture, way: picture,
    "this is the picture before pooling. Pooling kept one value of each window; the others are lost.",
    "upsampling",
)
add(
    "unpooled",
    "laid-copies-side-by-side",
    lambda picture, way: np.tile(_unpooled(picture, "nearest neighbour")[::2, ::2], (2, 2)),
    "this lays whole copies of the pooled map side by side. Each value stays in its own window.",
    "upsampling",
)
add(
    "unpooled",
    "the-last-corner",
    lambda picture, way: (
        np.roll(_unpooled(picture, "bed of nails"), (1, 1), (0, 1)) if way == "bed of nails" else None
    ),
    "the nails stand in the last corner of each window. They belong in the first, at the upper left.",
    "upsampling",
)

# --- Stamps -------------------------------------------------------------------------------------------


def _stamped(signal: ArrayLike, kernel: ArrayLike, stride: int = 1) -> NDArray:
    """The transposed convolution of a row: every input stamps the kernel, and what overlaps is added."""
    values, weights = np.asarray(signal, float), np.asarray(kernel, float)
    return conv_transpose(values[None, :, None], weights[:, None, None], stride, output_padding=0)[0, :, 0]


def _overwritten(signal: ArrayLike, kernel: ArrayLike, stride: int = 1) -> NDArray:
    """The stamps if a later one covers what an earlier one wrote."""
    outputs, weights = np.zeros_like(_stamped(signal, kernel, stride)), np.asarray(kernel, float)
    for place, value in enumerate(np.asarray(signal, float)):
        outputs[place * stride : place * stride + len(weights)] = value * weights
    return outputs


def _roll_stamps(dice: Dice, arrays: bool = False) -> dict[str, Any]:
    """``arrays``: inputs for a function, as arrays of halves; else small whole numbers for a pencil."""
    stride, longer = dice.roll(1, 3), dice.roll(1, 2)
    if arrays:
        return {
            "signal": dice.halves((dice.roll(3, 6),)),
            "kernel": dice.halves((stride + longer,)),
            "stride": stride,
        }
    stride = max(stride, 2)
    return {
        "signal": tuple(dice.roll(1, 5) for _ in range(3)),
        "kernel": tuple(dice.pick((-2, -1, 1, 2, 3)) for _ in range(stride + longer)),
        "stride": stride,
    }


add_kind(
    "stamped_row",
    _stamped,
    Array(1),
    "at which place does the stamp of each input begin, and which stamps meet in each output?",
    "upsampling",
    _roll_stamps,
)
add(
    "stamped_row",
    "covered-the-overlap",
    _overwritten,
    "where stamps overlap, a later one covers an earlier one here. They are added.",
    "upsampling",
)
add(
    "stamped_row",
    "flipped-the-kernel",
    lambda signal, kernel, stride: (
        None if np.array_equal(kernel, np.flip(kernel)) else _stamped(signal, np.flip(kernel), stride)
    ),
    "the stamp is the kernel turned round. It is stamped as it is; only where an ordinary convolution slides "
    "over inputs with zeros between them is it turned.",
    "upsampling",
)
add(
    "stamped_row",
    "forgot-the-stride",
    lambda signal, kernel, stride: _stamped(signal, kernel) if stride > 1 else None,
    "this is stride 1: stamps of neighbouring inputs must lie {stride} places apart.",
    "upsampling",
)
add(
    "stamped_row",
    "stamps-end-to-end",
    lambda signal, kernel, stride: np.outer(signal, kernel).ravel(),
    "the stamps stand end to end. They lie {stride} places apart, however long they are.",
    "upsampling",
)
add(
    "stamped_row",
    "cut-the-ends",
    lambda signal, kernel, stride: (
        _stamped(signal, kernel, stride)[: np.size(signal) * stride] if np.size(kernel) > stride else None
    ),
    "the end of the last stamp is missing. Without padding nothing is cut off.",
    "upsampling",
)

# --- Sizes --------------------------------------------------------------------------------------------


def _transposed(
    size: int, kernel_size: int, stride: int = 1, padding: int = 0, output_padding: int = 0
) -> int:
    return transposed_size(size, kernel_size, stride, padding, output_padding)


def _roll_transposed(dice: Dice, plain: bool = False) -> dict[str, Any]:
    """``plain``: without padding."""
    stride = dice.roll(2, 4)
    kernel = stride + dice.roll(1, 3 if plain else 6)
    return {
        "size": dice.roll(6, 30),
        "kernel_size": kernel,
        "stride": stride,
        "padding": 0 if plain else dice.roll(1, min(4, kernel - 1)),
        "output_padding": 0 if plain else dice.roll(0, stride - 1),
    }


_LAST_STAMP = "where does the stamp of the last input begin, how long is it, and what is cut off?"
add_kind(
    "transposed_size",
    _transposed,
    Number(),
    _LAST_STAMP,
    "upsampling",
    _roll_transposed,
    labels={"output_padding": "output padding"},
)
add(
    "transposed_size",
    "went-down",
    lambda size, kernel_size, stride, padding, output_padding: output_size(
        size, kernel_size, stride, padding
    ),
    "{answer} is what an ordinary convolution makes. A transposed one goes the other way, from few to many.",
    "upsampling",
)
add(
    "transposed_size",
    "times-the-stride",
    lambda size, kernel_size, stride, padding, output_padding: size * stride,
    "{answer} is N·S, which Keras' “same” gives. Here the padding is a number: begin with the last stamp.",
    "upsampling",
)
add(
    "transposed_size",
    "one-stride-too-many",
    lambda size, stride, **given: _transposed(size + 1, stride=stride, **given),
    "{answer} goes N strides. The first stamp begins at 0, so that from the first to the last there are N "
    "− 1.",
    "upsampling",
)
add(
    "transposed_size",
    "forgot-the-padding",
    lambda padding, **given: _transposed(**given) if padding else None,
    "{answer} cuts nothing off. What lies in the padding of the convolution is no output: P on each side.",
    "upsampling",
)
add(
    "transposed_size",
    "cut-one-side",
    lambda padding, **given: _transposed(**given) - padding if padding else None,
    "{answer} cuts P off once. It is cut off on both sides: 2P in all.",
    "upsampling",
)
add(
    "transposed_size",
    "added-the-padding",
    lambda padding, **given: _transposed(**given) + 2 * padding if padding else None,
    "{answer} adds the padding. On the way down it was put around; on the way up it is cut off.",
    "upsampling",
)
add(
    "transposed_size",
    "forgot-the-output-padding",
    lambda output_padding, **given: _transposed(**given) if output_padding else None,
    "{answer} leaves out the output padding, which adds outputs at the end.",
    "upsampling",
)


def _by_mode(size: int, kernel_size: int, stride: int, mode: str) -> int:
    return transposed_size(size, kernel_size, stride, mode)


def _roll_mode(dice: Dice) -> dict[str, Any]:
    stride = dice.roll(2, 5)
    return {
        "size": dice.roll(6, 30),
        "kernel_size": dice.roll(2, 7),
        "stride": stride,
        "mode": dice.pick(("same", "valid")),
    }


add_kind(
    "keras_transposed_size",
    _by_mode,
    Number(),
    "what does Keras promise for this word, and is the kernel at least as long as the stride?",
    "upsampling",
    _roll_mode,
    labels={"mode": "padding"},
)
add(
    "keras_transposed_size",
    "the-other-word",
    lambda size, kernel_size, stride, mode: _by_mode(
        size, kernel_size, stride, "valid" if mode == "same" else "same"
    ),
    "{answer} is what the other word gives: “same” makes N·S, “valid” cuts nothing off.",
    "upsampling",
)
add(
    "keras_transposed_size",
    "without-keras-addition",
    lambda size, kernel_size, stride, mode: (
        _transposed(size, kernel_size, stride) if kernel_size < stride else None
    ),
    "{answer} ends with the last stamp. Where the kernel is shorter than the stride, Keras adds outputs "
    "until the last input has a full stride of its own.",
    "upsampling",
)
add(
    "keras_transposed_size",
    "kept-the-size",
    lambda size, kernel_size, stride, mode: size,
    "{answer} is the size of the input. A stride on the way up makes more outputs than inputs, even with "
    "“same”.",
    "upsampling",
)
add(
    "keras_transposed_size",
    "one-stride-too-many",
    lambda size, kernel_size, stride, mode: _transposed(size + 1, kernel_size, stride),
    "{answer} is N·S + F. The stamp of the last input begins after N − 1 strides.",
    "upsampling",
)


def _largest_input(size: int, kernel_size: int, stride: int, padding: int) -> int:
    """The largest input of which a convolution makes ``size`` outputs."""
    return transposed_size(size, kernel_size, stride, padding, stride - 1)


def _roll_largest(dice: Dice) -> dict[str, Any]:
    given = _roll_transposed(dice)
    del given["output_padding"]
    return given


add_kind(
    "largest_input",
    _largest_input,
    Number(),
    "where does the last window end, and how many inputs may lie behind it before one more window fits?",
    "upsampling",
    _roll_largest,
)
add(
    "largest_input",
    "the-smallest-input",
    _transposed,
    "{answer} is the smallest of them, in which the last window ends exactly at the edge.",
    "upsampling",
)
add(
    "largest_input",
    "one-too-many",
    lambda **given: _transposed(**given) + given["stride"],
    "with {answer} inputs one more window would fit.",
    "upsampling",
)
add(
    "largest_input",
    "times-the-stride",
    lambda size, kernel_size, stride, padding: size * stride,
    "{answer} is N·S. How long the last window is, and what was padded, counts as well.",
    "upsampling",
)
add(
    "largest_input",
    "forgot-the-padding",
    lambda padding, **given: _largest_input(**given, padding=0) if padding else None,
    "{answer} counts the padding as inputs: P on each side was put around them.",
    "upsampling",
)

# --- Weights and products -----------------------------------------------------------------------------


def _transposed_weights(kernel_size: int, channels: int, filters: int) -> tuple[int, ...]:
    # A transposed layer has the weights of the convolution that leads back: from its filters to its channels.
    return kernel_shape((kernel_size, kernel_size), filters, channels)


def _roll_up(dice: Dice) -> dict[str, Any]:
    return {
        "kernel_size": dice.roll(2, 6),
        "channels": dice.pick((8, 12, 16, 24, 32)),
        "filters": dice.pick((3, 4, 6, 10, 20)),
    }


add_kind(
    "transposed_weights",
    _transposed_weights,
    Shape(("kernel height", "kernel width", "third axis", "fourth axis")),
    "which layer leads back from these filters to these channels, and how does it store its weights?",
    "upsampling",
    _roll_up,
)
add(
    "transposed_weights",
    "order-of-a-convolution",
    lambda kernel_size, channels, filters: kernel_shape((kernel_size, kernel_size), channels, filters),
    "{answer} is how Conv2D stores its weights. In a transposed layer the filters come before the input "
    "channels.",
    "upsampling",
)
add(
    "transposed_weights",
    "order-of-pytorch",
    lambda kernel_size, channels, filters: (channels, filters, kernel_size, kernel_size),
    "{answer} is PyTorch's order. Keras and this course store the kernel's height and width first.",
    "upsampling",
)
add(
    "transposed_weights",
    "left-out-the-input-channels",
    lambda kernel_size, channels, filters: (kernel_size, kernel_size, filters, 1),
    "{answer} has a kernel for each filter, but only for one input channel. Every channel stamps its own.",
    "upsampling",
)


def _transposed_parameters(kernel_size: int, channels: int, filters: int) -> int:
    return conv_parameters((kernel_size, kernel_size), channels, filters)


add_kind(
    "transposed_parameters",
    _transposed_parameters,
    Number(),
    "how many weights has the stamp of one input value, how many channels stamp, and what is added at the "
    "end?",
    "upsampling",
    _roll_up,
)
add(
    "transposed_parameters",
    "left-out-the-biases",
    lambda kernel_size, channels, filters: _transposed_parameters(kernel_size, channels, filters) - filters,
    "{answer} leaves out the biases: every filter has one.",
    "filters-and-kernels",
)
add(
    "transposed_parameters",
    "biases-for-the-input-channels",
    lambda kernel_size, channels, filters: (
        _transposed_parameters(kernel_size, channels, filters) - filters + channels
    ),
    "{answer} gives a bias to every input channel. Biases are added to what comes out: one a filter.",
    "upsampling",
)
add(
    "transposed_parameters",
    "left-out-the-input-channels",
    lambda kernel_size, channels, filters: _transposed_parameters(kernel_size, 1, filters),
    "{answer} leaves out the input channels. Every channel stamps with weights of its own.",
    "upsampling",
)
add(
    "transposed_parameters",
    "counted-one-filter",
    lambda kernel_size, channels, filters: _transposed_parameters(kernel_size, channels, 1),
    "{answer} is a single filter; the layer has {filters}.",
    "filters-and-kernels",
)


def _up_output(input_shape: Sequence[int], kernel_size: int, filters: int, strides: int) -> tuple[int, ...]:
    """With “same” padding."""
    return transposed_shape((1, *input_shape), kernel_size, filters, strides, "same")[1:]


def _roll_up_output(dice: Dice) -> dict[str, Any]:
    sides = dice.roll(5, 16), dice.roll(5, 16)
    layer = _roll_up(dice)
    return {
        "input_shape": (*sides, layer["channels"]),
        "kernel_size": layer["kernel_size"],
        "filters": layer["filters"],
        "strides": dice.roll(2, 4),
    }


add_kind(
    "up_output",
    _up_output,
    Shape(IMAGE),
    "what does a stride do to a side on the way up, and what decides the channels?",
    "upsampling",
    _roll_up_output,
)
add(
    "up_output",
    "went-down",
    lambda input_shape, kernel_size, filters, strides: (
        *(output_size(side, kernel_size, strides, "same") for side in input_shape[:2]),
        filters,
    ),
    "{answer} divides by the stride, as a convolution does. A transposed one multiplies.",
    "upsampling",
)
add(
    "up_output",
    "kept-the-input-channels",
    lambda input_shape, **given: (*_up_output(input_shape, **given)[:2], input_shape[-1]),
    "{answer} keeps the channels of the input. There are as many output channels as filters.",
    "filters-and-kernels",
)
add(
    "up_output",
    "enlarged-the-channels",
    lambda input_shape, filters, strides, **given: (
        *_up_output(input_shape, filters=filters, strides=strides, **given)[:2],
        filters * strides,
    ),
    "{answer} enlarges the channels as well. The stride moves stamps in height and width.",
    "upsampling",
)
add(
    "up_output",
    "valid-for-same",
    lambda input_shape, kernel_size, filters, strides: (
        transposed_shape((1, *input_shape), kernel_size, filters, strides)[1:]
        if kernel_size > strides
        else None
    ),
    "{answer} is the shape with “valid” padding, where nothing is cut off.",
    "upsampling",
)


def _up_products(input_shape: Sequence[int], kernel_size: int, filters: int, strides: int) -> int:
    del strides  # it moves the stamps further apart, and makes no more of them
    return transposed_macs((1, *input_shape), kernel_size, filters)


add_kind(
    "up_products",
    _up_products,
    Number(),
    "how many weights are in the stamp of one input value, and how many input values are there?",
    "upsampling",
    _roll_up_output,
)
add(
    "up_products",
    "counted-at-every-output",
    lambda input_shape, kernel_size, filters, strides: conv_macs(
        (1, input_shape[0] * strides, input_shape[1] * strides, input_shape[2]),
        kernel_size,
        filters,
        padding="same",
    ),
    "{answer} lets every output look at a whole window, as if zeros had been put between the inputs. Count "
    "stamps: one for each input.",
    "upsampling",
)
add(
    "up_products",
    "left-out-the-input-channels",
    lambda input_shape, kernel_size, filters, strides: transposed_macs(
        (1, *input_shape[:2], 1), kernel_size, filters
    ),
    "{answer} lets one channel stamp. Every value of every channel does.",
    "upsampling",
)
add(
    "up_products",
    "counted-one-filter",
    lambda input_shape, kernel_size, filters, strides: transposed_macs((1, *input_shape), kernel_size, 1),
    "{answer} is one filter; a stamp has a layer of weights for each of the {filters}.",
    "upsampling",
)
add(
    "up_products",
    "counted-one-place",
    lambda input_shape, kernel_size, filters, strides: transposed_macs(
        (1, 1, 1, input_shape[-1]), kernel_size, filters
    ),
    "{answer} is one place of the input. All places stamp.",
    "upsampling",
)

# --- Checkerboards ------------------------------------------------------------------------------------


@remembered
def _overlaps(size: int, kernel_size: int, stride: int) -> NDArray:
    return overlap_counts(size, kernel_size, stride)


def _roll_overlaps(dice: Dice) -> dict[str, Any]:
    stride = dice.roll(2, 3)
    longer = dice.pick([n for n in range(1, 5) if stride + n != 2 * stride or stride == 3])
    return {"size": dice.roll(3, 5), "kernel_size": stride + longer, "stride": stride}


add_kind(
    "overlaps",
    _overlaps,
    Array(1),
    "from where to where does each stamp reach, and how many of them cover each output?",
    "upsampling",
    _roll_overlaps,
)
add(
    "overlaps",
    "no-overlap",
    lambda size, kernel_size, stride: np.ones(transposed_size(size, kernel_size, stride)),
    "this lets every output be written to once. The kernel is longer than the stride, so that stamps "
    "overlap.",
    "upsampling",
)
add(
    "overlaps",
    "forgot-the-border",
    lambda size, kernel_size, stride: np.resize(
        _overlaps(3 * size + kernel_size, kernel_size, stride)[stride * kernel_size :],
        transposed_size(size, kernel_size, stride),
    ),
    "this is the middle, all the way to both ends. At the border fewer stamps meet.",
    "upsampling",
)
add(
    "overlaps",
    "forgot-the-stride",
    lambda size, kernel_size, stride: _overlaps(size, kernel_size, 1),
    "this is stride 1: stamps of neighbouring inputs lie {stride} places apart.",
    "upsampling",
)
add(
    "overlaps",
    "counted-weights-and-not-stamps",
    lambda size, kernel_size, stride: _stamped(np.ones(size), np.arange(1, kernel_size + 1), stride),
    "this adds numbers of weights. Asked is how many stamps cover each output.",
    "upsampling",
)


def _phase_sums(kernel: ArrayLike, stride: int) -> NDArray:
    """What each phase of the outputs makes of a constant input of 1, away from the border."""
    inside = _stamped(np.ones(3 * np.size(kernel)), kernel, stride)[stride * np.size(kernel) :]
    return inside[:stride]


def _roll_phases(dice: Dice) -> dict[str, Any]:
    stride = dice.roll(2, 3)
    count = dice.pick((4, 5, 6) if stride == 2 else (5, 6, 7))
    return {"kernel": tuple(dice.pick((-2, -1, 1, 2, 3, 4)) for _ in range(count)), "stride": stride}


add_kind(
    "phase_sums",
    _phase_sums,
    Array(1),
    "which weights reach output 0 of every stride, and which reach the output after it?",
    "upsampling",
    _roll_phases,
)
add(
    "phase_sums",
    "cut-into-pieces",
    lambda kernel, stride: [float(np.sum(part)) for part in np.array_split(kernel, stride)],
    "this cuts the kernel into pieces of neighbours. A phase has the weights that lie {stride} apart.",
    "upsampling",
)
add(
    "phase_sums",
    "counted-the-weights",
    lambda kernel, stride: [len(kernel[phase::stride]) for phase in range(stride)],
    "this counts the weights of each phase. What a constant input is multiplied by is their sum.",
    "upsampling",
)
add(
    "phase_sums",
    "averaged-the-weights",
    lambda kernel, stride: [float(np.mean(kernel[phase::stride])) for phase in range(stride)],
    "this averages the weights of each phase. Stamps that meet are added.",
    "upsampling",
)
add(
    "phase_sums",
    "summed-the-whole-kernel",
    lambda kernel, stride: [sum(kernel)] * stride,
    "this adds up the whole kernel for every output. Only weights that lie {stride} apart reach the same "
    "output.",
    "upsampling",
)


def _balancing_weight(kernel: Sequence[float]) -> float:
    """The fourth weight with which three others leave no pattern at stride 2."""
    even, odd = _phase_sums([*kernel, 0], 2)
    return float(even - odd)


add_kind(
    "balancing_weight",
    _balancing_weight,
    Number(),
    "which weights reach the even outputs, which the odd ones, and what must be equal?",
    "upsampling",
    lambda dice: {"kernel": tuple(dice.roll(1, 9) for _ in range(3))},
)
add(
    "balancing_weight",
    "balanced-the-halves",
    lambda kernel: kernel[0] + kernel[1] - kernel[2],
    "{answer} makes the first half as strong as the second. Neighbours in the kernel reach different "
    "outputs.",
    "upsampling",
)
add(
    "balancing_weight",
    "mirrored-the-kernel",
    lambda kernel: kernel[0],
    "{answer} makes the kernel the same from both ends. Do the even and the odd outputs get equally much?",
    "upsampling",
)
add(
    "balancing_weight",
    "made-the-sum-zero",
    lambda kernel: -sum(kernel),
    "with {answer} all weights add up to nothing. Asked is that both phases have the same sum.",
    "upsampling",
)
add(
    "balancing_weight",
    "made-the-steps-equal",
    lambda kernel: kernel[2] + kernel[1] - kernel[0],
    "{answer} pairs the first weight with the last. Here the first meets the third, the second the fourth.",
    "upsampling",
)

# --- Backwards ----------------------------------------------------------------------------------------


def _slopes(gradient: ArrayLike, signal: ArrayLike, kernel: ArrayLike, stride: int) -> Any:
    g, x, k = (np.asarray(array, float) for array in (gradient, signal, kernel))
    return conv_transpose_backward(
        g[None, :, None], x[None, :, None], k[:, None, None], stride, output_padding=0
    )


def _input_slopes(gradient: ArrayLike, kernel: ArrayLike, stride: int = 1) -> NDArray:
    """dL/d(inputs) of a transposed convolution of a row."""
    count = output_size(np.size(gradient), np.size(kernel), stride)
    return _slopes(gradient, np.zeros(count), kernel, stride).inputs[0, :, 0]


def _roll_slopes(dice: Dice, arrays: bool = False) -> dict[str, Any]:
    stride, longer, count = dice.roll(1, 3), dice.roll(1, 2), 3
    if not arrays:
        stride = max(stride, 2)
    size = (count - 1) * stride + stride + longer
    if arrays:
        return {"gradient": dice.halves((size,)), "kernel": dice.halves((stride + longer,)), "stride": stride}
    return {
        "gradient": tuple(dice.roll(-3, 5) for _ in range(size)),
        "kernel": tuple(dice.pick((-2, -1, 1, 2, 3)) for _ in range(stride + longer)),
        "stride": stride,
    }


add_kind(
    "input_slopes",
    _input_slopes,
    Array(1),
    "to which outputs did this input stamp, and with which weights?",
    "upsampling",
    _roll_slopes,
    labels={"gradient": "gradient"},
)
add(
    "input_slopes",
    "stamped-once-more",
    lambda gradient, kernel, stride: _stamped(gradient, kernel, stride),  # noqa: PLW0108  # other names
    "this stamps the gradient, as on the way forward. Backwards every input gathers from the outputs to "
    "which it wrote.",
    "upsampling",
)
add(
    "input_slopes",
    "flipped-the-kernel",
    lambda gradient, kernel, stride: (
        None if np.array_equal(kernel, np.flip(kernel)) else _input_slopes(gradient, np.flip(kernel), stride)
    ),
    "the kernel is turned round. An input gathers with the weights that it stamped with, in the same order.",
    "upsampling",
)
add(
    "input_slopes",
    "forgot-the-stride",
    lambda gradient, kernel, stride: _input_slopes(gradient, kernel) if stride > 1 else None,
    "this is stride 1: the stamps of neighbouring inputs began {stride} places apart.",
    "upsampling",
)
add(
    "input_slopes",
    "went-over-the-edge",
    lambda gradient, kernel, stride: correlate(gradient, kernel, stride, padding="full"),
    "this lets the kernel hang over the edge. There are as many gradients as there were inputs.",
    "upsampling",
)


def _kernel_slopes(gradient: ArrayLike, signal: ArrayLike, stride: int = 1) -> NDArray:
    """dL/d(kernel) of a transposed convolution of a row."""
    count = np.size(gradient) - (np.size(signal) - 1) * stride
    return _slopes(gradient, signal, np.zeros(count), stride).kernel[:, 0, 0]


def _roll_kernel_slopes(dice: Dice) -> dict[str, Any]:
    stride, count = dice.roll(1, 3), dice.roll(2, 4)
    return {
        "gradient": dice.halves(((count - 1) * stride + stride + dice.roll(1, 2),)),
        "signal": dice.halves((count,)),
        "stride": stride,
    }


add_kind(
    "kernel_slopes",
    _kernel_slopes,
    Array(1),
    "at which output did weight t meet input i, and over what do you add up?",
    "upsampling",
    _roll_kernel_slopes,
    labels={"gradient": "gradient"},
)
add(
    "kernel_slopes",
    "flipped-the-inputs",
    lambda gradient, signal, stride: (
        None if np.array_equal(signal, np.flip(signal)) else _kernel_slopes(gradient, np.flip(signal), stride)
    ),
    "The inputs are taken in reverse. Weight t met input i at output i · stride + t.",
    "upsampling",
)
add(
    "kernel_slopes",
    "forgot-the-stride",
    lambda gradient, signal, stride: (
        correlate(gradient, signal)[: len(_kernel_slopes(gradient, signal, stride))] if stride > 1 else None
    ),
    "Neighbouring inputs are taken to have stamped one place apart: weight t met input i at output "
    "i · stride + t.",
    "upsampling",
)
add(
    "kernel_slopes",
    "wrote-it-backwards",
    lambda gradient, signal, stride: np.flip(_kernel_slopes(gradient, signal, stride)),
    "The numbers are there, but in reverse order: the first one belongs to weight 0.",
    "upsampling",
)
add(
    "kernel_slopes",
    "averaged-over-the-inputs",
    lambda gradient, signal, stride: _kernel_slopes(gradient, signal, stride) / len(signal),
    "This is the mean over the inputs. What each of them contributes is added.",
    "upsampling",
)


def _unpool_map(pooled: NDArray, switches: NDArray, shape: tuple[int, int]) -> NDArray:
    return max_unpool(pooled[None, ..., None], switches[None, ..., None], (1, *shape, 1))[0, ..., 0]


def _roll_unpool_map(dice: Dice) -> dict[str, Any]:
    rows, columns = dice.roll(1, 3), dice.roll(2, 4)
    picture = dice.halves((2 * rows, 2 * columns), 1, 999)
    pooled, switches = max_pool_switches(picture[None, ..., None], 2)
    return {
        "pooled": pooled[0, ..., 0],
        "switches": switches[0, ..., 0],
        "shape": (2 * rows, 2 * columns),
    }


add_kind(
    "unpool_map",
    _unpool_map,
    Array(2),
    "in which row and in which column does switch number s lie?",
    "upsampling",
    _roll_unpool_map,
    labels={"pooled": "pooled map", "switches": "switches", "shape": "shape"},
)
add(
    "unpool_map",
    "drove-nails",
    lambda pooled, switches, shape: bed_of_nails(pooled[None, ..., None], 2)[0, ..., 0],
    "Every value stands in the first corner of its window. Its switch says where it belongs.",
    "upsampling",
)
add(
    "unpool_map",
    "repeated-the-values",
    lambda pooled, switches, shape: upsample_nearest(pooled[None, ..., None], 2)[0, ..., 0],
    "Every value fills its window. It belongs only where its switch says.",
    "upsampling",
)
add(
    "unpool_map",
    "counted-down-the-columns",
    lambda pooled, switches, shape: (
        np.ravel(_unpool_map(pooled, switches, shape)).reshape(shape, order="F")
        if shape[0] != shape[1]
        else _unpool_map(pooled, switches, shape).T
    ),
    "Rows and columns are exchanged. A switch is row · width + column: it counts along the rows.",
    "upsampling",
)
add(
    "unpool_map",
    "wrote-the-switches",
    lambda pooled, switches, shape: _unpool_map(switches.astype(float), switches, shape),
    "The switches were written, not the values. A switch is a place; what belongs there is in pooled.",
    "upsampling",
)

# --- Down and up --------------------------------------------------------------------------------------


def _latent_values(side: int, layers: int, filters: int) -> int:
    """The values in the middle: square maps, halved by each of so many layers."""
    for _ in range(layers):
        side = output_size(side, 3, 2, "same")
    return side * side * filters


add_kind(
    "latent_values",
    _latent_values,
    Number(),
    "how high and wide are the maps after the last layer, and how many are there?",
    "upsampling",
    lambda dice: {"side": 8 * dice.roll(2, 8), "layers": dice.roll(2, 3), "filters": dice.roll(3, 12)},
    labels={"side": "side", "layers": "layers"},
)
add_all(
    "latent_values",
    "upsampling",
    (
        "one-map-only",
        lambda side, layers, filters: _latent_values(side, layers, 1),
        "{answer} is one map; there is one for every filter.",
    ),
    (
        "one-side-only",
        lambda side, layers, filters: _latent_values(side, layers, filters) * 2**layers,
        "{answer} halves one side. A stride of 2 halves height and width.",
    ),
    (
        "one-layer-only",
        lambda side, layers, filters: _latent_values(side, 1, filters) if layers > 1 else None,
        "{answer} halves the sides once. Each of the {layers} layers does.",
    ),
    (
        "nothing-halved",
        lambda side, layers, filters: _latent_values(side, 0, filters),
        "{answer} leaves the maps as large as the picture.",
    ),
    (
        "filters-of-every-layer",
        lambda side, layers, filters: _latent_values(side, layers, filters**layers),
        "{answer} multiplies the filters of all layers. The maps of one layer are the input of the next: "
        "only those of the last are there at the end.",
    ),
)


def _pooled_again(value: int, way: str) -> int:
    """One pooled value, enlarged to 2×2 and max-pooled once more; where its window is known, it won last."""
    pooled = np.full((1, 1, 1, 1), float(value))
    if way == "max unpooling":
        large = max_unpool(pooled, np.full(pooled.shape, 3), (1, 2, 2, 1))
    else:
        large = (bed_of_nails if way == "bed of nails" else upsample_nearest)(pooled, 2)
    return int(max_pool_switches(large, 2)[0].item())


add_kind(
    "pooled_again",
    _pooled_again,
    Number(),
    "which four values does this way put into the window, and which of them is the largest?",
    "upsampling",
    lambda dice: {"value": dice.pick((-1, 1)) * 4 * dice.roll(1, 9), "way": dice.pick(WAYS)},
    labels={"value": "value", "way": "way"},
)
add_all(
    "pooled_again",
    "upsampling",
    (
        "came-back-unharmed",
        lambda value, way: value if _pooled_again(value, way) != value else None,
        "{answer} overlooks the zeros that {way} writes beside it. They take part in the maximum.",
    ),
    (
        "zeros-win",
        lambda value, way: 0 if _pooled_again(value, way) != 0 else None,
        "{answer} would have to stand in the window, and nothing larger beside it.",
    ),
    (
        "shared-out",
        lambda value, way: value // 4,
        "{answer} shares the value out over the window, as the gradient of average pooling does.",
    ),
    (
        "lost-the-sign",
        lambda value, way: -value if value < 0 else None,
        "{answer} has lost its sign. Nothing here takes it away.",
    ),
    (
        "added-up",
        lambda value, way: 4 * value if way == "nearest neighbour" else None,
        "{answer} adds the window up. Pooling takes the largest.",
    ),
)


def _framed_size(size: int, kernel_size: int, stride: int) -> int:
    """The row of the third view: inputs, zeros between them, and the frame on both sides."""
    return transposed_size(size, kernel_size, stride) + kernel_size - 1


add_kind(
    "framed_size",
    _framed_size,
    Number(),
    "how many zeros stand between two inputs, how many such gaps are there, and how wide is the frame?",
    "upsampling",
    lambda dice: {"size": dice.roll(3, 12), "kernel_size": dice.roll(2, 7), "stride": dice.roll(2, 4)},
)
add_all(
    "framed_size",
    "upsampling",
    (
        "a-zero-for-every-stride",
        lambda size, kernel_size, stride: _framed_size(size, kernel_size, stride + 1),
        "{answer} puts {stride} zeros between two inputs. They stand {stride} places apart.",
    ),
    (
        "zeros-behind-the-last",
        lambda size, kernel_size, stride: _framed_size(size, kernel_size, stride) + stride - 1,
        "{answer} puts zeros behind the last input, too. They stand between inputs.",
    ),
    (
        "framed-at-one-end",
        transposed_size,
        "{answer} is framed at one end only.",
    ),
    (
        "frame-of-a-whole-kernel",
        lambda size, kernel_size, stride: _framed_size(size, kernel_size, stride) + 2,
        "{answer} has a frame as wide as the kernel. It must still overlap the first input by one.",
    ),
    (
        "no-frame",
        lambda size, kernel_size, stride: _framed_size(size, 1, stride) if kernel_size > 1 else None,
        "{answer} leaves out the frame.",
    ),
    (
        "no-zeros-between",
        lambda size, kernel_size, stride: _framed_size(size, kernel_size, 1) if stride > 1 else None,
        "{answer} leaves out the zeros between the inputs.",
    ),
)
