"""Pictures as arrays, and kernels that slide over them: shapes, bytes, windows, filters and their work.

>>> from cnnlib.exercises import Task, check
>>> check(Task("eight_bits", value=200, change=100), 300).slip
'no-end-to-a-byte'
>>> check(Task("array_shape", width=1920, height=1080, count=8), [8, 1080, 1920, 3]).right
True
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.convolution import conv, correlate
from cnnlib.exercises.answers import Array, Number, Shape
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.misconceptions import add
from cnnlib.exercises.tasks import add_kind
from cnnlib.sizes import (
    activation_bytes,
    activation_values,
    conv_macs,
    conv_weights,
    item_bytes,
    output_shape,
    output_size,
)

# --- How many numbers, how many bytes -----------------------------------------------------------------


def _values(shape: tuple[int, ...]) -> int:
    return activation_values(shape)


def _lengths_added(shape: tuple[int, ...]) -> int:
    return sum(shape)


def _bytes(shape: tuple[int, ...], dtype: str) -> int:
    return activation_bytes(shape, dtype)


def _roll_batch(dice: Dice) -> dict[str, Any]:
    return {"shape": (dice.roll(2, 9), 4 * dice.roll(6, 60), 4 * dice.roll(6, 60), dice.pick((3, 4)))}


add_kind(
    "values",
    _values,
    Number(),
    "how many numbers has one pixel, one picture, all of them?",
    "images-are-tensors",
    _roll_batch,
    labels={"shape": "shape"},
)
add(
    "values",
    "left-out-the-channels",
    lambda shape: math.prod(shape[:-1]),
    "{answer} counts pixels. Each pixel holds a number for every channel.",
    "images-are-tensors",
)
add(
    "values",
    "left-out-the-first-axis",
    lambda shape: math.prod(shape[1:]),
    "{answer} is one picture. The first axis says how many there are.",
    "images-are-tensors",
)
add(
    "values",
    "added-up",
    _lengths_added,
    "{answer} adds the lengths of the axes up: multiply them.",
    "images-are-tensors",
)

add_kind(
    "bytes",
    _bytes,
    Number(),
    "how many numbers are there, and how many bytes does one of them take?",
    "images-are-tensors",
    lambda dice: {**_roll_batch(dice), "dtype": dice.pick(("uint8", "float32"))},
    labels={"dtype": "dtype"},
)
add(
    "bytes",
    "counted-the-values",
    lambda shape, dtype: _values(shape) if item_bytes(dtype) > 1 else None,
    "{answer} is how many numbers there are. In {dtype} each of them takes several bytes.",
    "images-are-tensors",
)
add(
    "bytes",
    "counted-bits",
    lambda shape, dtype: 8 * _bytes(shape, dtype),
    "{answer} counts bits. Eight of them make a byte.",
    "images-are-tensors",
)
add(
    "bytes",
    "as-if-uint-sixteen",
    lambda shape, dtype: 2 * _values(shape),
    "{answer} takes two bytes for a number, as uint16 and float16 do.",
    "images-are-tensors",
)
add(
    "bytes",
    "as-floats",
    lambda shape, dtype: _bytes(shape, "float32") if dtype == "uint8" else None,
    "{answer} is what the array takes as float32. In {dtype} a number is a single byte.",
    "images-are-tensors",
)
add(
    "bytes",
    "as-doubles",
    lambda shape, dtype: _bytes(shape, "float64") if dtype == "float32" else None,
    "{answer} is what the array takes as float64, NumPy's usual floats. Asked is {dtype}.",
    "images-are-tensors",
)
add(
    "bytes",
    "left-out-the-channels",
    lambda shape, dtype: _bytes(shape[:-1], dtype),
    "{answer} counts pixels. Each pixel holds a number for every channel.",
    "images-are-tensors",
)

# --- Which axis is which ------------------------------------------------------------------------------


#: Where the channels go, by the letters of chapter 3.
ORDERS = ("NHWC", "NCHW")
#: Sizes as people say them, width first.
SCREENS = (
    (1920, 1080),
    (1280, 720),
    (640, 480),
    (800, 600),
    (1024, 768),
    (1080, 1920),
    (720, 1280),
    (480, 640),
)


def _array_shape(width: int, height: int, count: int, order: str = "NHWC") -> tuple[int, ...]:
    """The shape of a batch of colour pictures of which people say width×height."""
    sizes = {"N": count, "H": height, "W": width, "C": 3}
    return tuple(sizes[axis] for axis in order)


def _roll_said(dice: Dice) -> dict[str, Any]:
    width, height = dice.pick(SCREENS)
    return {"width": width, "height": height, "count": dice.roll(2, 64), "order": dice.pick(ORDERS)}


def _written(axes: dict[str, str]) -> Callable[..., Any]:
    """A mistake in the order of the axes: what is written for each right order."""
    return lambda width, height, count, order: _array_shape(width, height, count, axes[order])


add_kind(
    "array_shape",
    _array_shape,
    Shape(("axis 0", "axis 1", "axis 2", "axis 3")),
    "which axis counts pictures, which rows, which columns, and where do the channels go?",
    "images-are-tensors",
    _roll_said,
    labels={"width": "width", "height": "height", "count": "pictures", "order": "order"},
)
add(
    "array_shape",
    "width-first",
    _written({"NHWC": "NWHC", "NCHW": "NCWH"}),
    "{answer} has the width before the height, as people say it. Arrays store the height first.",
    "images-are-tensors",
)
add(
    "array_shape",
    "the-other-order",
    _written({"NHWC": "NCHW", "NCHW": "NHWC"}),
    "{answer} has the channels at the other end. Keras keeps them last, PyTorch before the height.",
    "images-are-tensors",
)
add(
    "array_shape",
    "the-other-order-and-width-first",
    _written({"NHWC": "NCWH", "NCHW": "NWHC"}),
    "{answer} has the channels at the other end, and the width before the height.",
    "images-are-tensors",
)
add(
    "array_shape",
    "pictures-last",
    _written({"NHWC": "HWCN", "NCHW": "CHWN"}),
    "{answer} counts pictures along the last axis. The batch has the first.",
    "images-are-tensors",
)

# --- Where a number is stored -------------------------------------------------------------------------


def _array_strides(shape: tuple[int, ...], dtype: str) -> tuple[int, ...]:
    return np.empty(shape, dtype).strides


def _byte_offset(shape: tuple[int, ...], index: tuple[int, ...], dtype: str) -> int:
    return int(np.dot(index, _array_strides(shape, dtype)))


def _roll_stored(dice: Dice) -> dict[str, Any]:
    return {
        "shape": (dice.roll(20, 90), dice.roll(20, 90), dice.pick((3, 4))),
        "dtype": dice.pick(("float32", "int16")),
    }


def _roll_place(dice: Dice) -> dict[str, Any]:
    return {
        "shape": (dice.roll(20, 90), dice.roll(20, 90), 3),
        "index": (dice.roll(2, 15), dice.roll(2, 15), dice.roll(1, 2)),
        "dtype": dice.pick(("uint8", "float32")),
    }


add_kind(
    "array_strides",
    _array_strides,
    Shape(("bytes to the next row", "to the next column", "to the next channel")),
    "how many bytes lie between a number and the next one along each axis? Begin with the last axis.",
    "images-are-tensors",
    _roll_stored,
)
add(
    "array_strides",
    "counted-numbers",
    lambda shape, dtype: _array_strides(shape, "uint8") if item_bytes(dtype) > 1 else None,
    "{answer} counts numbers. A stride counts bytes, and a number of this dtype takes several.",
    "images-are-tensors",
)
add(
    "array_strides",
    "columns-first",
    lambda shape, dtype: np.empty(shape, dtype, order="F").strides,
    "{answer} has neighbours down a column side by side. NumPy stores row by row: the last axis is tightest.",
    "images-are-tensors",
)
add(
    "array_strides",
    "reversed",
    lambda shape, dtype: _array_strides(shape, dtype)[::-1],
    "{answer} has the strides in reverse order: the first belongs to the rows, which lie farthest apart.",
    "images-are-tensors",
)
add(
    "array_strides",
    "a-row-of-pixels",
    lambda shape, dtype: (
        shape[1] * item_bytes(dtype),
        shape[2] * item_bytes(dtype),
        item_bytes(dtype),
    ),
    "{answer} forgets that every pixel of a row takes all its channels along.",
    "images-are-tensors",
)

add_kind(
    "byte_offset",
    _byte_offset,
    Number(),
    "how many whole rows, how many whole pixels and how many channels lie before this number?",
    "images-are-tensors",
    _roll_place,
    labels={"index": "index"},
)
add(
    "byte_offset",
    "counted-numbers",
    lambda shape, index, dtype: _byte_offset(shape, index, "uint8") if item_bytes(dtype) > 1 else None,
    "{answer} counts numbers. In {dtype} each of them takes several bytes.",
    "images-are-tensors",
)
add(
    "byte_offset",
    "counted-from-one",
    lambda shape, index, dtype: _byte_offset(shape, tuple(place - 1 for place in index), dtype),
    "{answer} counts rows, columns and channels from 1. Indices start at 0.",
    "images-are-tensors",
)
add(
    "byte_offset",
    "x-before-y",
    lambda shape, index, dtype: (
        _byte_offset(shape, (index[1], index[0], index[2]), dtype) if index[0] != index[1] else None
    ),
    "{answer} takes the first index for the column. It counts rows, downwards.",
    "images-are-tensors",
)
add(
    "byte_offset",
    "left-out-the-channels",
    lambda shape, index, dtype: _byte_offset(shape[:2], index[:2], dtype),
    "{answer} walks over pixels of one number each. A pixel holds a number for every channel.",
    "images-are-tensors",
)
add(
    "byte_offset",
    "plane-by-plane",
    lambda shape, index, dtype: _byte_offset((shape[2], *shape[:2]), (index[2], *index[:2]), dtype),
    "{answer} is the place if the channels were stored one whole plane after the other (channels first).",
    "images-are-tensors",
)

# --- Eight bits ---------------------------------------------------------------------------------------


def _eight_bits(value: int, change: int) -> int:
    """What NumPy makes of ``value`` plus ``change`` in uint8; a negative ``change`` is taken away."""
    one, other = np.array([value], np.uint8), np.array([abs(change)], np.uint8)
    return int((one + other if change >= 0 else one - other)[0])


def _roll_bytes(dice: Dice) -> dict[str, Any]:
    if dice.roll(0, 1):
        return {"value": dice.roll(150, 250), "change": dice.roll(110, 250)}
    return {"value": dice.roll(10, 100), "change": -dice.roll(110, 230)}


add_kind(
    "eight_bits",
    _eight_bits,
    Number(),
    "how many values has a byte, and where does one arrive who goes past the end?",
    "images-are-tensors",
    _roll_bytes,
    labels={"value": "value", "change": "change"},
)
add(
    "eight_bits",
    "no-end-to-a-byte",
    lambda value, change: value + change if not 0 <= value + change < 256 else None,
    "{answer} does not fit into a byte, which holds 0 to 255.",
    "images-are-tensors",
)
add(
    "eight_bits",
    "stopped-at-the-end",
    lambda value, change: max(0, min(255, value + change)) if not 0 <= value + change < 256 else None,
    "{answer} stops at the end. NumPy does not stop: past the end it goes on from the other end.",
    "images-are-tensors",
)
add(
    "eight_bits",
    "a-value-too-few",
    lambda value, change: (value + change) % 255 if not 0 <= value + change < 256 else None,
    "{answer} goes round a dial of 255 values. With the 0 there is one more.",
    "images-are-tensors",
)
add(
    "eight_bits",
    "lost-the-sign",
    lambda value, change: abs(value + change) if value + change < 0 else None,
    "{answer} drops the sign. A byte has none to drop: it goes on from the other end.",
    "images-are-tensors",
)

# --- A window over a picture --------------------------------------------------------------------------


def _picture_map(picture: ArrayLike, kernel: ArrayLike) -> NDArray:
    return correlate(picture, kernel)


def _rows(dice: Dice, height: int, width: int, low: int, high: int) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(dice.roll(low, high) for _ in range(width)) for _ in range(height))


def _roll_picture_map(dice: Dice, arrays: bool = False, columns: int = 4) -> dict[str, Any]:
    """Small whole numbers to be worked out by hand, or arrays for a function."""
    if arrays:
        height, width = dice.roll(1, 3), dice.roll(1, 4)
        return {
            "picture": dice.halves((height + dice.roll(1, 5), width + dice.roll(2, 6))),
            "kernel": dice.halves((height, width)),
        }
    return {"picture": _rows(dice, 3, columns, 0, 4), "kernel": _rows(dice, 2, 2, -2, 2)}


def _turned(kernel: ArrayLike) -> NDArray | None:
    half_turn = np.flip(np.asarray(kernel))
    return None if np.array_equal(half_turn, kernel) else half_turn


def _over(change: Callable[[Any], Any]) -> Callable[..., Any]:
    """A mistake in the kernel, slid over the picture all the same."""

    def wrong(picture: ArrayLike, kernel: ArrayLike) -> NDArray | None:
        changed = change(kernel)
        return None if changed is None else correlate(picture, changed)

    return wrong


def _transposed(kernel: ArrayLike) -> NDArray | None:
    other = np.asarray(kernel).T
    return None if np.array_equal(other, kernel) else other


def _missing_edge(map_: NDArray) -> NDArray | None:
    return map_[:-1, :-1] if min(map_.shape[:2]) > 1 else None


add_kind(
    "picture_map",
    _picture_map,
    Array(2),
    "which four corners of the picture can the window reach, and what lies under it at each?",
    "two-dimensions",
    _roll_picture_map,
    labels={"picture": "picture"},
)
_TURNED = "The kernel is turned by half a turn: that is the convolution with the flip. A layer does not flip."
add("picture_map", "flipped-the-kernel", _over(_turned), _TURNED, "two-dimensions")
add(
    "picture_map",
    "kernel-on-its-side",
    _over(_transposed),
    "Rows and columns of the kernel are exchanged. Its first row lies on the upper row of the window.",
    "two-dimensions",
)
add(
    "picture_map",
    "rows-and-columns-exchanged",
    lambda picture, kernel: correlate(picture, kernel).T,
    "Rows and columns of the output are exchanged: a row of it belongs to windows side by side.",
    "two-dimensions",
)
add(
    "picture_map",
    "lost-the-last-place",
    lambda picture, kernel: _missing_edge(correlate(picture, kernel)),
    "The last row and column are missing: on each axis the place where the window starts counts too.",
    "two-dimensions",
)
add(
    "picture_map",
    "went-over-the-edge",
    lambda picture, kernel: correlate(picture, kernel, padding="full"),
    "The window hangs over the edge. Without padding it must lie wholly inside.",
    "two-dimensions",
)
add(
    "picture_map",
    "averaged",
    lambda picture, kernel: correlate(picture, kernel) / np.size(kernel) if np.size(kernel) > 1 else None,
    "The products are averaged. A weighted sum adds them up and divides by nothing.",
    "two-dimensions",
)

# --- Columns times rows -------------------------------------------------------------------------------


def _outer(down: ArrayLike, across: ArrayLike) -> NDArray:
    return np.outer(np.asarray(down), np.asarray(across))


def _outer_sum(down: ArrayLike, across: ArrayLike) -> NDArray:
    return np.add.outer(np.asarray(down), np.asarray(across))


add_kind(
    "separable_kernel",
    _outer,
    Array(2),
    "which number of the column and which number of the row meet in a cell?",
    "two-dimensions",
    lambda dice: {
        "down": tuple(dice.roll(-3, 4) for _ in range(3)),
        "across": tuple(dice.roll(-3, 4) for _ in range(3)),
    },
    labels={"down": "column", "across": "row"},
)
add(
    "separable_kernel",
    "column-and-row-exchanged",
    lambda down, across: _outer(across, down),
    "column and row are exchanged: along a row of the kernel, the numbers of the row change.",
    "two-dimensions",
)
add(
    "separable_kernel",
    "added",
    _outer_sum,
    "the numbers were added. Each weight is a number of the column times a number of the row.",
    "two-dimensions",
)
add(
    "separable_kernel",
    "the-row-three-times",
    lambda down, across: np.tile(across, (len(down), 1)),
    "every row is the row as it stands. Row i is that row times number i of the column.",
    "two-dimensions",
)
add(
    "separable_kernel",
    "one-number",
    lambda down, across: [[float(np.dot(down, across))]],
    "row times column is a single number. Column times row has a number for each pair.",
    "two-dimensions",
)

# --- What "2-D" counts --------------------------------------------------------------------------------


def _film_output(film: tuple[int, ...], window: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(n) for n in output_shape((1, *film, 1), window, 1)[1:-1])


def _sliding_axes(film: tuple[int, ...], window: tuple[int, ...]) -> int:
    """Along how many axes there is more than one place for the window."""
    return sum(places > 1 for places in _film_output(film, window))


def _roll_film(dice: Dice) -> dict[str, Any]:
    film = (dice.roll(6, 30), dice.roll(10, 60), dice.roll(70, 120))
    window = (dice.roll(2, 5), dice.roll(2, 7), dice.roll(2, 7))
    return {"film": film, "window": window}


def _roll_axes(dice: Dice) -> dict[str, Any]:
    """A window that fills one or two axes of the film, and is 1 along another now and then."""
    given = _roll_film(dice)
    film, window = given["film"], list(given["window"])
    filled = dice.pick(((0,), (1, 2), (0, 2), (0, 1), (1,), (2,)))
    for axis in filled:
        window[axis] = film[axis]
    open_axes = [axis for axis in range(3) if axis not in filled]
    window[dice.pick(open_axes)] = 1
    return {"film": film, "window": tuple(window)}


add_kind(
    "film_output",
    _film_output,
    Shape(("time", "height", "width")),
    "how many places has the window along each of the three axes?",
    "two-dimensions",
    _roll_film,
    labels={"film": "film", "window": "window"},
)
add(
    "film_output",
    "frame-by-frame",
    lambda film, window: (film[0], *_film_output(film, window)[1:]) if window[0] > 1 else None,
    "{answer} keeps the number of frames. The window slides in time as well, and finds fewer places there.",
    "two-dimensions",
)
add(
    "film_output",
    "time-summed-up",
    lambda film, window: (1, *_film_output(film, window)[1:]) if window[0] < film[0] else None,
    "{answer} sums the whole film up. The window is only a few frames long and slides in time, too.",
    "two-dimensions",
)
add(
    "film_output",
    "forgot-the-one",
    lambda film, window: tuple(n - 1 for n in _film_output(film, window)),
    "{answer} counts steps, not places: on each axis the place where the window starts counts too.",
    "two-dimensions",
)
add(
    "film_output",
    "same-for-valid",
    lambda film, window: film,
    "{answer} is the film itself. Without padding the window finds fewer places than there are pixels.",
    "two-dimensions",
)
add(
    "film_output",
    "height-and-width-exchanged",
    lambda film, window: tuple(_film_output(film, window)[axis] for axis in (0, 2, 1)),
    "{answer} has height and width exchanged: arrays store the height first.",
    "two-dimensions",
)

add_kind(
    "sliding_axes",
    _sliding_axes,
    Number(),
    "along which axes has the window more than one place to stand?",
    "two-dimensions",
    _roll_axes,
)
add(
    "sliding_axes",
    "counted-the-axes-of-the-array",
    lambda film, window: len(film),
    "{answer} is how many axes the array has. “2-D” counts only those that the window slides along.",
    "two-dimensions",
)
add(
    "sliding_axes",
    "counted-the-filled-axes",
    lambda film, window: sum(n == k for n, k in zip(film, window, strict=True)),
    "{answer} counts the axes that the window fills. Along those there is no room to slide.",
    "two-dimensions",
)
# --- One window, all channels -------------------------------------------------------------------------


def _filter_response(window: ArrayLike, weights: ArrayLike, bias: float) -> float:
    """What one filter makes of one window; both (height, width, channels)."""
    block = np.asarray(window, dtype=float)
    return float(conv(block[None], np.asarray(weights, float)[..., None], bias=[bias]).item())


def block(dice: Dice, low: int, high: int) -> tuple[Any, ...]:
    """Two rows of two pixels, each with three channels."""
    return tuple(_rows(dice, 2, 3, low, high) for _ in range(2))


def _roll_window(dice: Dice) -> dict[str, Any]:
    weights = block(dice, -2, 2)
    return {"window": block(dice, 0, 4), "weights": weights, "bias": dice.pick((-3, -2, -1, 1, 2, 3))}


def _sums(window: ArrayLike, weights: ArrayLike) -> NDArray:
    """The partial sum of every channel."""
    return (np.asarray(window, float) * np.asarray(weights, float)).sum(axis=(0, 1))


add_kind(
    "filter_response",
    _filter_response,
    Number(),
    "what is the partial sum of each channel, and what is added to them?",
    "filters-and-kernels",
    _roll_window,
    labels={"weights": "weights", "bias": "bias"},
)
add(
    "filter_response",
    "forgot-the-bias",
    lambda window, weights, bias: _filter_response(window, weights, 0),
    "{answer} leaves out the bias, which is added once to the sum of all products.",
    "filters-and-kernels",
)
add(
    "filter_response",
    "a-bias-for-every-channel",
    lambda window, weights, bias: float((_sums(window, weights) + bias).sum()),
    "{answer} adds the bias for every channel. A filter has one bias, added once.",
    "filters-and-kernels",
)
add(
    "filter_response",
    "first-channel-only",
    lambda window, weights, bias: float(_sums(window, weights)[0]) + bias,
    "{answer} uses the first channel alone. A filter is as deep as its input: add up all partial sums.",
    "filters-and-kernels",
)
add(
    "filter_response",
    "averaged-the-channels",
    lambda window, weights, bias: float(_sums(window, weights).mean()) + bias,
    "{answer} takes the mean of the partial sums. They are added up.",
    "filters-and-kernels",
)
add(
    "filter_response",
    "applied-the-relu",
    lambda window, weights, bias: 0 if float(_sums(window, weights).sum()) + bias < 0 else None,
    "{answer} is what the ReLU makes of it: that is the activation map. Asked is the feature map, before it.",
    "filters-and-kernels",
)
add(
    "filter_response",
    "largest-partial-sum",
    lambda window, weights, bias: float(_sums(window, weights).max()) + bias,
    "{answer} keeps the largest partial sum. A filter adds them all up.",
    "filters-and-kernels",
)

# --- What a layer makes and what it costs -------------------------------------------------------------


def _map_values(input_shape: tuple[int, ...], kernel_size: int, filters: int) -> int:
    return activation_values(output_shape((1, *input_shape), kernel_size, filters))


def _layer_macs(input_shape: tuple[int, ...], kernel_size: int, filters: int) -> int:
    return conv_macs((1, *input_shape), kernel_size, filters)


def _roll_layer(dice: Dice) -> dict[str, Any]:
    return {
        "input_shape": (4 * dice.roll(6, 40), 4 * dice.roll(6, 40), dice.pick((3, 4, 6, 8))),
        "kernel_size": dice.pick((3, 5, 7)),
        "filters": dice.roll(5, 24),
    }


def _weights(input_shape: tuple[int, ...], kernel_size: int, filters: int) -> int:
    return conv_weights((kernel_size, kernel_size), input_shape[-1], filters)


add_kind(
    "map_values",
    _map_values,
    Number(),
    "at how many places does the window fit, and how many numbers are made at each?",
    "filters-and-kernels",
    _roll_layer,
)
add(
    "map_values",
    "one-map-only",
    lambda input_shape, kernel_size, filters: _map_values(input_shape, kernel_size, 1),
    "{answer} is one feature map. Every filter makes one.",
    "filters-and-kernels",
)
add(
    "map_values",
    "kept-the-input-channels",
    lambda input_shape, kernel_size, filters: _map_values(input_shape, kernel_size, input_shape[-1]),
    "{answer} keeps the channels of the input. There is one feature map for every filter.",
    "filters-and-kernels",
)
add(
    "map_values",
    "same-for-valid",
    lambda input_shape, kernel_size, filters: activation_values((1, *input_shape[:2], filters)),
    "{answer} has an output at every pixel. Without padding the window fits at fewer places.",
    "filters-and-kernels",
)
add(
    "map_values",
    "a-map-for-every-kernel",
    lambda input_shape, kernel_size, filters: _map_values(
        input_shape, kernel_size, filters * input_shape[-1]
    ),
    "{answer} counts kernels, not filters: the partial sums of a filter are added into one feature map.",
    "filters-and-kernels",
)
add(
    "map_values",
    "forgot-the-one",
    lambda input_shape, kernel_size, filters: (
        math.prod(output_size(n, kernel_size) - 1 for n in input_shape[:2]) * filters
    ),
    "{answer} counts the steps of the window, not its places: where it starts counts too.",
    "filters-and-kernels",
)

add_kind(
    "layer_macs",
    _layer_macs,
    Number(),
    "how many products does one output value take, and how many output values are there?",
    "filters-and-kernels",
    _roll_layer,
)
add(
    "layer_macs",
    "weights-for-work",
    _weights,
    "{answer} is the number of weights. Each of them works once at every place.",
    "filters-and-kernels",
)
add(
    "layer_macs",
    "outputs-for-work",
    _map_values,
    "{answer} is the number of output values. Each of them takes a product for every weight of its filter.",
    "filters-and-kernels",
)
add(
    "layer_macs",
    "left-out-the-input-channels",
    lambda input_shape, kernel_size, filters: _layer_macs((*input_shape[:2], 1), kernel_size, filters),
    "{answer} leaves out the input channels: a filter is as deep as its input.",
    "filters-and-kernels",
)
add(
    "layer_macs",
    "counted-one-filter",
    lambda input_shape, kernel_size, filters: _layer_macs(input_shape, kernel_size, 1),
    "{answer} is the work of a single filter; the layer has more of them.",
    "filters-and-kernels",
)
add(
    "layer_macs",
    "a-window-at-every-pixel",
    lambda input_shape, kernel_size, filters: (
        _weights(input_shape, kernel_size, filters) * math.prod(input_shape[:2])
    ),
    "{answer} lays a window at every pixel. Count the places where one fits.",
    "filters-and-kernels",
)
add(
    "layer_macs",
    "multiplications-and-additions",
    lambda input_shape, kernel_size, filters: 2 * _layer_macs(input_shape, kernel_size, filters),
    "{answer} counts multiplications and additions apart. A MAC is one multiplication with its addition.",
    "filters-and-kernels",
)

# --- Functions on pictures ----------------------------------------------------------------------------


def _channels_first(pictures: NDArray) -> NDArray:
    return np.moveaxis(pictures, -1, 1)


def _roll_pictures(dice: Dice, channels: int | None = None) -> dict[str, Any]:
    height, width = dice.roll(2, 5), dice.roll(2, 5)
    return {"pictures": dice.halves((dice.roll(2, 3), height, width, channels or dice.roll(2, 4)))}


def _first_of(pictures: NDArray) -> tuple[int, ...]:
    count, height, width, channels = pictures.shape
    return count, channels, height, width


add_kind(
    "channels_first",
    _channels_first,
    Array(4),
    "where does the number of row y, column x and channel c of a picture stand in the result?",
    "images-are-tensors",
    _roll_pictures,
    labels={"pictures": "pictures"},
)
add(
    "channels_first",
    "reshaped",
    lambda pictures: pictures.reshape(_first_of(pictures)) if pictures.shape[-1] > 1 else None,
    "The shape is right, the numbers are shredded: reshape keeps the order of the numbers and cuts it anew. "
    "Move the axis instead.",
    "images-are-tensors",
)
add(
    "channels_first",
    "width-before-height",
    lambda pictures: pictures.transpose(0, 3, 2, 1),
    "Height and width are exchanged as well: every picture lies on its side.",
    "images-are-tensors",
)
add(
    "channels_first",
    "whole-shape-reversed",
    lambda pictures: pictures.T,
    "All axes are in reverse order. Only the channels move; the batch stays first.",
    "images-are-tensors",
)
add(
    "channels_first",
    "channels-before-the-batch",
    lambda pictures: np.moveaxis(pictures, -1, 0),
    "The channels stand before the batch. The axis that counts pictures stays first.",
    "images-are-tensors",
)
add(
    "channels_first",
    "not-moved",
    lambda pictures: pictures + 0,
    "The channels are still last.",
    "images-are-tensors",
)


def _one_filter(inputs: NDArray, weights: NDArray, bias: float) -> NDArray:
    return conv(inputs[None], weights[..., None], bias=[bias])[0, ..., 0]


def _roll_filter(dice: Dice, channels: int | None = None) -> dict[str, Any]:
    rows, columns, depth = dice.roll(1, 3), dice.roll(1, 4), channels or dice.roll(2, 4)
    return {
        "inputs": dice.halves((rows + dice.roll(1, 4), columns + dice.roll(2, 5), depth)),
        "weights": dice.halves((rows, columns, depth)),
        "bias": dice.pick((-1, 1)) * dice.roll(1, 6) / 2,
    }


add_kind(
    "one_filter",
    _one_filter,
    Array(2),
    "which block of the input does the filter meet at its first place, and what is made of all the products?",
    "filters-and-kernels",
    _roll_filter,
)
add(
    "one_filter",
    "flipped-the-kernel",
    lambda inputs, weights, bias: _one_filter(inputs, weights[::-1, ::-1], bias),
    _TURNED,
    "two-dimensions",
)
add(
    "one_filter",
    "forgot-the-bias",
    lambda inputs, weights, bias: _one_filter(inputs, weights, 0),
    "The bias is missing: it is added to the sum at every place.",
    "filters-and-kernels",
)
add(
    "one_filter",
    "a-bias-for-every-channel",
    lambda inputs, weights, bias: (
        _one_filter(inputs, weights, bias * inputs.shape[-1]) if inputs.shape[-1] > 1 else None
    ),
    "The bias is added for every channel. A filter has one bias, added once.",
    "filters-and-kernels",
)
add(
    "one_filter",
    "first-channel-only",
    lambda inputs, weights, bias: (
        _one_filter(inputs[..., :1], weights[..., :1], bias) if inputs.shape[-1] > 1 else None
    ),
    "Only the first channel was used. A filter is as deep as its input: sum over all channels.",
    "filters-and-kernels",
)
add(
    "one_filter",
    "averaged-over-channels",
    lambda inputs, weights, bias: (
        _one_filter(inputs, weights / inputs.shape[-1], bias) if inputs.shape[-1] > 1 else None
    ),
    "The channels were averaged. Their products are added up.",
    "filters-and-kernels",
)
add(
    "one_filter",
    "lost-the-last-place",
    lambda inputs, weights, bias: _missing_edge(_one_filter(inputs, weights, bias)),
    "The last row and column are missing: on each axis the place where the window starts counts too.",
    "filters-and-kernels",
)
add(
    "one_filter",
    "rows-and-columns-exchanged",
    lambda inputs, weights, bias: _one_filter(inputs, weights, bias).T,
    "Rows and columns are exchanged: height comes first, as arrays store it, then width.",
    "filters-and-kernels",
)
