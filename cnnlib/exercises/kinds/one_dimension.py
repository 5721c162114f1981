"""One dimension: what dense, local and shared layers weigh, a kernel that slides, and one in the mirror.

>>> from cnnlib.exercises import Task, check
>>> check(Task("joint_kernel", first=(1, 2), second=(3, -1)), [3, 5, -2]).right
True
>>> check(Task("activation_map", signal=(1, 4, 2), kernel=(-1, 1), bias=1), [4, -1]).slip
'forgot-the-relu'
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.activations import relu
from cnnlib.algorithms import toeplitz_matrix
from cnnlib.connections import KINDS as LAYERS
from cnnlib.connections import counts
from cnnlib.convolution import convolve, correlate
from cnnlib.exercises.answers import Array, Number, Shape
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.misconceptions import add
from cnnlib.exercises.tasks import add_kind
from cnnlib.sizes import activation_values, conv_macs, dense_parameters, output_size

# --- A dense layer over a picture ---------------------------------------------------------------------


def _flattened(input_shape: tuple[int, ...]) -> int:
    return activation_values((1, *input_shape))


def _dense_count(input_shape: tuple[int, ...], units: int) -> int:
    return dense_parameters(_flattened(input_shape), units)


def _roll_picture(dice: Dice) -> dict[str, Any]:
    return {"input_shape": (4 * dice.roll(5, 20), 4 * dice.roll(5, 20), dice.pick((3, 4)))}


def _roll_dense(dice: Dice) -> dict[str, Any]:
    return {**_roll_picture(dice), "units": dice.roll(2, 12) * 10}


add_kind(
    "flattened",
    _flattened,
    Number(),
    "how many numbers has one place of the picture, and how many places are there?",
    "from-dense-to-local",
    _roll_picture,
)
add(
    "flattened",
    "left-out-the-channels",
    lambda input_shape: math.prod(input_shape[:-1]) if len(input_shape) > 2 else None,
    "{answer} counts the places of the picture. Each place holds a number for every channel.",
    "from-dense-to-local",
)
add(
    "flattened",
    "added-up",
    lambda input_shape: sum(input_shape) if len(input_shape) > 1 else None,
    "{answer} adds the sides up. Rows times columns times channels: a place for every combination.",
    "from-dense-to-local",
)
add(
    "flattened",
    "channels-squared",
    lambda input_shape: math.prod(input_shape) * input_shape[-1] if len(input_shape) > 2 else None,
    "{answer} counts the channels twice. Each place holds one number a channel.",
    "from-dense-to-local",
)

add_kind(
    "dense_count",
    _dense_count,
    Number(),
    "how many lines lead into a single unit, what else belongs to it, and how many units are there?",
    "from-dense-to-local",
    _roll_dense,
    labels={"units": "units"},
)
add(
    "dense_count",
    "left-out-the-biases",
    lambda input_shape, units: dense_parameters(_flattened(input_shape), units, use_bias=False),
    "{answer} leaves out the biases: every unit has one.",
    "from-dense-to-local",
)
add(
    "dense_count",
    "one-bias-for-all",
    lambda input_shape, units: dense_parameters(_flattened(input_shape), units, use_bias=False) + 1,
    "{answer} has a single bias for the whole layer: every unit has its own.",
    "from-dense-to-local",
)
add(
    "dense_count",
    "a-bias-for-every-input",
    lambda input_shape, units: dense_parameters(units, _flattened(input_shape)),
    "{answer} gives a bias to every input. Biases belong to the outputs: one for each unit.",
    "from-dense-to-local",
)
add(
    "dense_count",
    "left-out-the-channels",
    lambda input_shape, units: _dense_count(input_shape[:-1], units) if len(input_shape) > 2 else None,
    "{answer} leaves out the channels: flattened, the picture has a number for each channel of each place.",
    "from-dense-to-local",
)
add(
    "dense_count",
    "counted-the-ends",
    lambda input_shape, units: _flattened(input_shape) + units,
    "{answer} adds inputs and units. There is a weight for every pair of the two: multiply.",
    "from-dense-to-local",
)

# --- Dense, local, shared: the same row through three layers ------------------------------------------


def _three_layers(layer: str, size: int, kernel_size: int, stride: int = 1) -> int:
    """The different weights of one of the three layers of chapter 1, on one axis and without biases."""
    return counts(layer, (1, size, 1), kernel_size, strides=stride, use_bias=False).parameters


def _roll_three(dice: Dice) -> dict[str, Any]:
    return {"layer": dice.pick(LAYERS), "size": dice.roll(12, 60), "kernel_size": dice.roll(3, 7)}


def _counted_as(other: str) -> Callable[..., Any]:
    return lambda layer, **given: None if layer == other else _three_layers(other, **given)


def _places_counted(places: Callable[..., int]) -> Callable[..., Any]:
    """A mistake in the number of outputs: the weights of one output times a wrong number of them."""

    def wrong(layer: str, size: int, kernel_size: int, stride: int) -> int | None:
        if layer == "convolution":
            return None
        right = output_size(size, kernel_size, stride)
        weights = _three_layers(layer, size, kernel_size, stride) // right
        return weights * places(size, right)

    return wrong


add_kind(
    "three_layers",
    _three_layers,
    Number(),
    "how many inputs does one output look at, how many outputs are there, and which of them share weights?",
    "from-dense-to-local",
    _roll_three,
    labels={"layer": "layer"},
)
for _layer, _message in (
    (
        "dense",
        "{answer} has a weight for every pair of input and output: that is the dense layer. Here an output "
        "looks at its own window alone.",
    ),
    (
        "local",
        "{answer} gives every window a set of weights of its own: that is the locally connected layer.",
    ),
    (
        "convolution",
        "{answer} is one kernel, shared by all places: that is the convolution.",
    ),
):
    add("three_layers", f"counted-the-{_layer}-layer", _counted_as(_layer), _message, "from-dense-to-local")
add(
    "three_layers",
    "forgot-the-one",
    _places_counted(lambda size, places: places - 1),
    "{answer} has an output too few: the place where the window starts counts too.",
    "one-dimension",
)
add(
    "three_layers",
    "as-many-outputs-as-inputs",
    _places_counted(lambda size, places: size),
    "{answer} has as many outputs as inputs. Without padding the window finds fewer places than that.",
    "one-dimension",
)

# --- What it costs ------------------------------------------------------------------------------------


def _row_macs(size: int, kernel_size: int, stride: int = 1) -> int:
    return conv_macs((1, size, 1), kernel_size, 1, stride)


def _roll_row(dice: Dice) -> dict[str, Any]:
    stride = dice.roll(2, 4)
    return {"size": dice.roll(100, 400), "kernel_size": stride + dice.roll(1, 12), "stride": stride}


add_kind(
    "row_macs",
    _row_macs,
    Number(),
    "how many products does one output take, and how many outputs are there?",
    "one-dimension",
    _roll_row,
)
add(
    "row_macs",
    "weights-for-work",
    lambda size, kernel_size, stride: kernel_size,
    "{answer} is the number of weights. Each of them works once at every place.",
    "one-dimension",
)
add(
    "row_macs",
    "outputs-for-work",
    output_size,
    "{answer} is the number of outputs. Each of them takes a product for every weight of the kernel.",
    "one-dimension",
)
add(
    "row_macs",
    "forgot-the-one",
    lambda size, kernel_size, stride: kernel_size * (output_size(size, kernel_size, stride) - 1),
    "{answer} has an output too few: the place where the window starts counts too.",
    "one-dimension",
)
add(
    "row_macs",
    "forgot-the-stride",
    lambda size, kernel_size, stride: _row_macs(size, kernel_size) if stride > 1 else None,
    "{answer} is the work at stride 1. With stride {stride} there are fewer places.",
    "one-dimension",
)
add(
    "row_macs",
    "a-window-at-every-input",
    lambda size, kernel_size, stride: kernel_size * size,
    "{answer} lays a window at every input. Count the places where one fits.",
    "one-dimension",
)
add(
    "row_macs",
    "counted-the-dense-layer",
    lambda size, kernel_size, stride: _three_layers("dense", size, kernel_size, stride),
    "{answer} is the work of a dense layer: an output of a convolution looks at its window alone.",
    "one-dimension",
)
add(
    "row_macs",
    "multiplications-and-additions",
    lambda size, kernel_size, stride: 2 * _row_macs(size, kernel_size, stride),
    "{answer} counts multiplications and additions apart. A MAC is one multiplication with its addition.",
    "one-dimension",
)

# --- Numbers that slide -------------------------------------------------------------------------------


def _symmetric(kernel: ArrayLike) -> bool:
    return bool(np.array_equal(np.flip(kernel), kernel))


def _flipped(signal: ArrayLike, kernel: ArrayLike, stride: int) -> NDArray | None:
    return None if _symmetric(kernel) else correlate(signal, np.flip(kernel), stride)


def _one_apart(signal: ArrayLike, kernel: ArrayLike, stride: int) -> NDArray | None:
    """Windows that start one input apart, although there are only as many as with the stride."""
    places = output_size(len(signal), len(kernel), stride)  # type: ignore[arg-type]
    return correlate(signal, kernel)[:places] if stride > 1 and places > 1 else None


def _first_places(signal: ArrayLike, kernel: ArrayLike, stride: int) -> NDArray | None:
    right = correlate(signal, kernel, stride)
    return right[:-1] if len(right) > 1 else None


def _slide(signal: ArrayLike, kernel: ArrayLike, stride: int = 1) -> NDArray:
    return correlate(signal, kernel, stride)


def _roll_slide(dice: Dice) -> dict[str, Any]:
    width = dice.roll(2, 5)
    return {
        "signal": dice.halves((width + dice.roll(4, 12),)),
        "kernel": dice.halves((width,)),
        "stride": dice.roll(1, 3),
    }


add_kind(
    "slide",
    _slide,
    Array(1),
    "which inputs lie under the kernel at the first place, and which at the next?",
    "one-dimension",
    _roll_slide,
)
_FLIPPED = (
    "This is the convolution with the flip. A convolution layer lays the kernel down as it is "
    "(cross-correlation)."
)
_ONE_APART = "The windows start one input apart. The window of output i starts at input i · stride."
_LAST_LOST = "The last place is missing: the place where the kernel starts counts too, hence the + 1."
add("slide", "flipped-the-kernel", _flipped, _FLIPPED, "one-dimension")
add("slide", "starts-one-apart", _one_apart, _ONE_APART, "one-dimension")
add("slide", "lost-the-last-place", _first_places, _LAST_LOST, "one-dimension")
add(
    "slide",
    "forgot-the-stride",
    lambda signal, kernel, stride: correlate(signal, kernel) if stride > 1 else None,
    "This is stride 1: the window must move on by the stride.",
    "one-dimension",
)
add(
    "slide",
    "went-over-the-edge",
    lambda signal, kernel, stride: correlate(signal, kernel, stride, padding="full"),
    "The kernel hangs over the ends. Without padding it must lie wholly inside.",
    "one-dimension",
)
add(
    "slide",
    "averaged",
    lambda signal, kernel, stride: correlate(signal, kernel, stride) / len(kernel),
    "The products are averaged. A weighted sum adds them up and divides by nothing.",
    "one-dimension",
)


# --- Bias and activation ------------------------------------------------------------------------------


def _activation_map(signal: ArrayLike, kernel: ArrayLike, bias: float, stride: int = 1) -> NDArray:
    return relu(correlate(signal, kernel, stride) + bias)


def _roll_activation(dice: Dice, arrays: bool = False) -> dict[str, Any]:
    """Small whole numbers to be worked out by hand, or arrays for a function."""
    if arrays:
        return {**_roll_slide(dice), "bias": dice.pick((-1, 1)) * dice.roll(1, 5) / 2}
    return {
        "signal": tuple(dice.roll(-2, 6) for _ in range(7)),
        "kernel": tuple(dice.roll(-2, 3) for _ in range(2)),
        "bias": dice.pick((-3, -2, -1, 1, 2)),
        "stride": dice.roll(1, 2),
    }


def _through(map_of: Callable[..., Any]) -> Callable[..., Any]:
    """A mistake in sliding, with bias and ReLU after it."""

    def wrong(signal: ArrayLike, kernel: ArrayLike, bias: float, stride: int) -> Any:
        feature_map = map_of(signal, kernel, stride)
        return None if feature_map is None else relu(feature_map + bias)

    return wrong


add_kind(
    "activation_map",
    _activation_map,
    Array(1),
    "what is the weighted sum at each place, what is added to it, and what is done with negative results?",
    "one-dimension",
    _roll_activation,
    labels={"bias": "bias"},
)
add(
    "activation_map",
    "forgot-the-relu",
    lambda signal, kernel, bias, stride: correlate(signal, kernel, stride) + bias,
    "This is the feature map. The ReLU, which sets negative results to 0, is still to come.",
    "one-dimension",
)
add(
    "activation_map",
    "forgot-the-bias",
    lambda signal, kernel, bias, stride: relu(correlate(signal, kernel, stride)) if bias else None,
    "The bias is missing: it is added to the sum at every place.",
    "one-dimension",
)
add(
    "activation_map",
    "bias-after-the-relu",
    lambda signal, kernel, bias, stride: relu(correlate(signal, kernel, stride)) + bias if bias else None,
    "The bias comes after the ReLU here. It belongs to the sum: first add it, then cut off.",
    "one-dimension",
)
add(
    "activation_map",
    "took-away-the-sign",
    lambda signal, kernel, bias, stride: np.abs(correlate(signal, kernel, stride) + bias),
    "This takes the sign away. The ReLU sets negative results to 0.",
    "one-dimension",
)
add("activation_map", "flipped-the-kernel", _through(_flipped), _FLIPPED, "one-dimension")
add("activation_map", "starts-one-apart", _through(_one_apart), _ONE_APART, "one-dimension")
add("activation_map", "lost-the-last-place", _through(_first_places), _LAST_LOST, "one-dimension")

# --- As a matrix --------------------------------------------------------------------------------------


def _toeplitz(kernel: ArrayLike, size: int, stride: int = 1) -> NDArray:
    return toeplitz_matrix(np.asarray(kernel), size, stride)


def _weights(dice: Dice, count: int) -> tuple[int, ...]:
    return tuple(dice.pick((-3, -2, -1, 1, 2, 3, 4)) for _ in range(count))


def _roll_toeplitz(dice: Dice, small: bool = False) -> dict[str, Any]:
    """A matrix for stride 2, or a small one, which is for stride 1."""
    width = dice.roll(2, 3)
    kernel = _weights(dice, width)
    if small:
        return {"kernel": kernel, "size": dice.roll(4, 5), "stride": 1}
    size = dice.pick((5, 7) if width == 2 else (5, 6, 7))  # so that one more row would stick out
    return {"kernel": kernel, "size": size, "stride": 2}


def _square(kernel: ArrayLike, size: int, stride: int, *, around: bool) -> NDArray:
    """A row for every ``stride``-th input; what sticks out is cut off, or goes on at the other end."""
    weights = np.asarray(kernel)
    rows = []
    for start in range(0, size, stride):
        row = np.zeros(size)
        for place, weight in enumerate(weights, start):
            if place < size or around:
                row[place % size] += weight
        rows.append(row)
    return np.array(rows)


add_kind(
    "toeplitz",
    _toeplitz,
    Array(2),
    "row i makes output i: which inputs does that output see, and with which weights?",
    "one-dimension",
    _roll_toeplitz,
)
add(
    "toeplitz",
    "forgot-the-stride",
    lambda kernel, size, stride: _toeplitz(kernel, size) if stride > 1 else None,
    "this is the matrix for stride 1: from row to row the kernel moves right by the stride.",
    "one-dimension",
)
add(
    "toeplitz",
    "flipped-the-kernel",
    lambda kernel, size, stride: None if _symmetric(kernel) else _toeplitz(np.flip(kernel), size, stride),
    "the kernel stands mirrored in the rows. A layer does not flip it.",
    "one-dimension",
)
add(
    "toeplitz",
    "rows-and-columns-exchanged",
    lambda kernel, size, stride: _toeplitz(kernel, size, stride).T,
    "rows and columns are exchanged: a row makes an output, a column belongs to an input.",
    "one-dimension",
)
add(
    "toeplitz",
    "a-row-for-every-start",
    lambda kernel, size, stride: _square(kernel, size, stride, around=False),
    "at the end the kernel is cut off. A row stands only for a place where the whole kernel fits.",
    "one-dimension",
)
add(
    "toeplitz",
    "went-round",
    lambda kernel, size, stride: _square(kernel, size, stride, around=True),
    "at the end the kernel goes on from the front. Without padding it must lie wholly inside.",
    "one-dimension",
)
add(
    "toeplitz",
    "lost-the-last-place",
    lambda kernel, size, stride: _toeplitz(kernel, size, stride)[:-1],
    "a row is missing: the place where the kernel starts counts too.",
    "one-dimension",
)

# --- In the mirror ------------------------------------------------------------------------------------


def _full_convolution(signal: ArrayLike, kernel: ArrayLike) -> NDArray:
    return convolve(signal, kernel)


def _roll_pair(dice: Dice, length: int = 3) -> dict[str, Any]:
    return {"signal": _weights(dice, length), "kernel": _weights(dice, 2)}


add_kind(
    "full_convolution",
    _full_convolution,
    Array(1),
    "at which places does the mirrored kernel touch the signal at all, and what lies under it there?",
    "one-dimension",
    _roll_pair,
)
add(
    "full_convolution",
    "forgot-the-flip",
    lambda signal, kernel: None if _symmetric(kernel) else correlate(signal, kernel, padding="full"),
    "this is the cross-correlation. The convolution of mathematics turns the kernel round first.",
    "one-dimension",
)
add(
    "full_convolution",
    "stayed-inside",
    lambda signal, kernel: convolve(signal, kernel, padding="valid"),
    "this is valid mode. In full mode the kernel may hang over both ends as long as it touches the signal.",
    "one-dimension",
)
add(
    "full_convolution",
    "kept-the-size",
    lambda signal, kernel: convolve(signal, kernel, padding="same"),
    "this is as long as the signal. In full mode there are m + k − 1 places.",
    "one-dimension",
)
add(
    "full_convolution",
    "stayed-inside-without-the-flip",
    lambda signal, kernel: None if _symmetric(kernel) else correlate(signal, kernel),
    "this is what a layer does: no flip, the kernel wholly inside. Asked is the convolution in full mode.",
    "one-dimension",
)
add(
    "full_convolution",
    "wrote-it-backwards",
    lambda signal, kernel: np.flip(convolve(signal, kernel)),
    "the numbers are there but in reverse order. The first weight meets the first input first.",
    "one-dimension",
)

# --- Two layers in a row ------------------------------------------------------------------------------


def _joint_kernel(first: ArrayLike, second: ArrayLike) -> NDArray:
    return convolve(first, second)


def _joint_width(kernel_size: int, layers: int) -> int:
    width = 1
    for _ in range(layers):
        width = output_size(width, kernel_size, padding="full")
    return width


add_kind(
    "joint_kernel",
    _joint_kernel,
    Array(1),
    "which inputs does one output of the second layer depend on, and by how much on each?",
    "one-dimension",
    lambda dice: {"first": _weights(dice, 2), "second": _weights(dice, dice.roll(2, 3))},
    labels={"first": "first kernel", "second": "second kernel"},
)
add(
    "joint_kernel",
    "correlated-the-kernels",
    lambda first, second: None if _symmetric(second) else correlate(first, second, padding="full"),
    "the kernels were correlated. Two layers in a row are one whose kernel is their convolution, with the "
    "flip.",
    "one-dimension",
)
add(
    "joint_kernel",
    "correlated-the-other-way",
    lambda first, second: None if _symmetric(first) else correlate(second, first, padding="full"),
    "the kernels were correlated, second with first. The kernel of both is their convolution, with the flip.",
    "one-dimension",
)
add(
    "joint_kernel",
    "added-the-kernels",
    lambda first, second: np.add(first, second) if len(first) == len(second) else None,
    "the kernels were added. That is what two layers side by side do whose outputs are added up.",
    "one-dimension",
)
add(
    "joint_kernel",
    "multiplied-weight-by-weight",
    lambda first, second: np.multiply(first, second) if len(first) == len(second) else None,
    "the weights were multiplied in pairs. Every weight of one meets every weight of the other.",
    "one-dimension",
)
add(
    "joint_kernel",
    "joined-end-to-end",
    lambda first, second: (*first, *second),
    "the kernels stand one behind the other. The second layer sees outputs of the first, not inputs.",
    "one-dimension",
)
add(
    "joint_kernel",
    "wrote-it-backwards",
    lambda first, second: np.flip(convolve(first, second)),
    "the numbers are there but in reverse order. The first weight belongs to the leftmost input.",
    "one-dimension",
)

add_kind(
    "joint_width",
    _joint_width,
    Number(),
    "by how much does each further layer widen what one output sees?",
    "one-dimension",
    lambda dice: {"kernel_size": dice.roll(3, 9), "layers": dice.roll(3, 6)},
    labels={"layers": "layers"},
)
add(
    "joint_width",
    "added-the-widths",
    lambda kernel_size, layers: kernel_size * layers,
    "{answer} adds the widths. Neighbouring windows overlap: a further layer adds one less than its kernel "
    "has.",
    "one-dimension",
)
add(
    "joint_width",
    "multiplied-the-widths",
    lambda kernel_size, layers: kernel_size**layers,
    "{answer} multiplies the widths. At stride 1 neighbouring windows below overlap in all but one place.",
    "one-dimension",
)
add(
    "joint_width",
    "forgot-the-one",
    lambda kernel_size, layers: _joint_width(kernel_size, layers) - 1,
    "{answer} counts what the layers add. The one place where it begins counts too.",
    "one-dimension",
)
add(
    "joint_width",
    "not-grown",
    lambda kernel_size, layers: kernel_size,
    "{answer} is the kernel of one layer. Its inputs are outputs of the layer below, and each sees more.",
    "one-dimension",
)

# --- What the weights sum to --------------------------------------------------------------------------


def _even_response(kernel: ArrayLike, level: float) -> float:
    """What a kernel makes of a window in which every input is ``level``."""
    weights = np.asarray(kernel)
    return float(correlate(np.full(weights.shape, level), weights).item())


def _even(rule: Callable[[NDArray], float], unless: float | None = None) -> Callable[..., Any]:
    """A wrong factor in place of the sum of the weights; no mistake where that sum is ``unless``."""

    def wrong(kernel: ArrayLike, level: float) -> float | None:
        weights = np.asarray(kernel, dtype=float)
        return None if weights.sum() == unless else float(rule(weights)) * level

    return wrong


add_kind(
    "even_response",
    _even_response,
    Number(),
    "every input under the window is the same number: what can be taken out of the sum?",
    "one-dimension",
    lambda dice: {"kernel": _weights(dice, dice.roll(3, 5)), "level": dice.roll(3, 20)},
    labels={"level": "level"},
)
add(
    "even_response",
    "kept-the-level",
    _even(lambda weights: 1, unless=1),
    "{answer} is the level itself. Only a kernel whose weights sum to 1 keeps it.",
    "one-dimension",
)
add(
    "even_response",
    "took-it-for-silent",
    _even(lambda weights: 0, unless=0),
    "{answer} would be the answer of a kernel whose weights sum to 0. What do these sum to?",
    "one-dimension",
)
add(
    "even_response",
    "without-the-signs",
    _even(lambda weights: np.abs(weights).sum()),
    "{answer} takes every weight as positive. Negative weights take away.",
    "one-dimension",
)
add(
    "even_response",
    "counted-the-weights",
    _even(lambda weights: weights.size),
    "{answer} multiplies by how many weights there are. It is their sum that counts.",
    "one-dimension",
)
add(
    "even_response",
    "averaged",
    _even(lambda weights: weights.mean(), unless=0),
    "{answer} takes the mean of the weights. A weighted sum divides by nothing.",
    "one-dimension",
)

# --- One output of many -------------------------------------------------------------------------------


def _one_output(signal: ArrayLike, kernel: ArrayLike, stride: int, place: int) -> float:
    """Output number ``place``, counted from 0."""
    return float(correlate(signal, kernel, stride)[place])


def _roll_one_output(dice: Dice) -> dict[str, Any]:
    width, stride = dice.roll(2, 3), dice.roll(1, 3)
    size = width + 2 * stride + dice.roll(0, 2)
    signal = tuple(dice.roll(0, 9) for _ in range(size))
    kernel = tuple(dice.pick((-2, -1, 1, 2, 3)) for _ in range(width))
    return {"signal": signal, "kernel": kernel, "stride": stride, "place": dice.roll(1, 2)}


add_kind(
    "one_output",
    _one_output,
    Number(),
    "at which input does the window of this output start, and which weight lies on which input?",
    "one-dimension",
    _roll_one_output,
    labels={"place": "output number"},
)
add(
    "one_output",
    "flipped-the-kernel",
    lambda signal, kernel, stride, place: (
        None if _symmetric(kernel) else _one_output(signal, np.flip(kernel), stride, place)
    ),
    "{answer} has the kernel the other way round. Its first weight lies on the first input of the window.",
    "one-dimension",
)
add(
    "one_output",
    "starts-one-apart",
    lambda signal, kernel, stride, place: _one_output(signal, kernel, 1, place) if stride > 1 else None,
    "{answer} has windows that start one input apart. Here the kernel moves on by {stride}.",
    "one-dimension",
)
add(
    "one_output",
    "counted-from-one",
    lambda signal, kernel, stride, place: _one_output(signal, kernel, stride, place - 1),
    "{answer} is the output before it. The first output is number 0.",
    "one-dimension",
)
add(
    "one_output",
    "without-the-weights",
    lambda signal, kernel, stride, place: _one_output(signal, np.ones(len(kernel)), stride, place),
    "{answer} adds up the inputs of the window. Each is multiplied by the weight that lies on it first.",
    "one-dimension",
)


def _matrix_shape(size: int, kernel_size: int, stride: int = 1) -> tuple[int, ...]:
    """The shape of the matrix that does what the layer does."""
    return toeplitz_matrix(np.ones(kernel_size), size, stride).shape


add_kind(
    "matrix_shape",
    _matrix_shape,
    Shape(("rows", "columns")),
    "what does a row of the matrix make, and what does a column belong to?",
    "one-dimension",
    lambda dice: {"size": dice.roll(6, 20), "kernel_size": dice.roll(2, 5), "stride": dice.roll(1, 3)},
)
add(
    "matrix_shape",
    "rows-and-columns-exchanged",
    lambda **given: _matrix_shape(**given)[::-1],
    "{answer} exchanges the two: the matrix is multiplied by the column of inputs and gives the outputs.",
    "one-dimension",
)
add(
    "matrix_shape",
    "square",
    lambda size, kernel_size, stride: (size, size),
    "{answer} has a row for every input. There is a row for every place of the kernel.",
    "one-dimension",
)
add(
    "matrix_shape",
    "as-wide-as-the-kernel",
    lambda size, kernel_size, stride: (_matrix_shape(size, kernel_size, stride)[0], kernel_size),
    "{answer} has room for the kernel alone. A row also holds zeros for the inputs that its output ignores.",
    "one-dimension",
)
add(
    "matrix_shape",
    "lost-the-last-place",
    lambda size, kernel_size, stride: (_matrix_shape(size, kernel_size, stride)[0] - 1, size),
    "{answer} lacks a row: the place where the kernel starts counts too.",
    "one-dimension",
)
add(
    "matrix_shape",
    "forgot-the-stride",
    lambda size, kernel_size, stride: _matrix_shape(size, kernel_size) if stride > 1 else None,
    "{answer} is the matrix for stride 1. With stride {stride} there are fewer places.",
    "one-dimension",
)

# --- What a layer without a flip learns ---------------------------------------------------------------


def _learned_kernel(kernel: ArrayLike) -> NDArray:
    """What a layer learns whose targets a true convolution with this kernel has made.

    A spike shows it: what the convolution makes of it, read backwards, is what a correlation needs.
    """
    weights = np.asarray(kernel, float)
    spike = np.zeros(2 * weights.size - 1)
    spike[weights.size - 1] = 1
    return convolve(spike, weights, padding="valid")[::-1]


add_kind(
    "learned_kernel",
    _learned_kernel,
    Array(1),
    "which weight must meet the first input of a window, so that the sums agree?",
    "one-dimension",
    lambda dice: {"kernel": _weights(dice, 3)},
)
add(
    "learned_kernel",
    "the-kernel-as-it-is",
    lambda kernel: None if _symmetric(kernel) else kernel,
    "these are the weights that the target was made with, flip included. The layer itself does not flip.",
    "one-dimension",
)
add(
    "learned_kernel",
    "signs-changed",
    lambda kernel: -np.asarray(kernel),
    "these are the weights with their signs changed. The flip changes their order, not their signs.",
    "one-dimension",
)
add(
    "learned_kernel",
    "turned-and-signs-changed",
    lambda kernel: None if _symmetric(kernel) else np.negative(np.flip(kernel)),
    "the signs have changed as well. The flip changes the order of the weights alone.",
    "one-dimension",
)
