"""Small questions on what a window sees: frames of padding, pixels out of reach, places in a picture.

>>> from cnnlib.exercises import Task, check
>>> check(Task("unseen_pixels", size=6, kernel_size=3, stride=2), 12).slip
'corner-counted-twice'
>>> check(Task("filled_row", row=(10, 20, 30), mode="reflect"), [30, 20, 10, 20, 30, 20, 10]).right
True
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlib.algorithms import im2col
from cnnlib.connections import coverage
from cnnlib.exercises.answers import Array, Number, Shape
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.misconceptions import add
from cnnlib.exercises.tasks import add_kind
from cnnlib.padding import pad
from cnnlib.sizes import conv_macs, conv_weights, kernel_shape, output_size, padding_amounts

# --- Pixels that no window reaches --------------------------------------------------------------------


def _unseen_pixels(size: int, kernel_size: int, stride: int) -> int:
    return int((coverage(size, kernel_size, stride) == 0).sum())


def _unseen_lines(size: int, kernel_size: int, stride: int) -> int:
    """Rows that no window reaches; there are as many columns."""
    return int((coverage(size, kernel_size, stride).sum(axis=1) == 0).sum())


def _of_lines(count: Callable[[int, int], int]) -> Callable[..., Any]:
    """A mistake in counting pixels; ``count`` gets the unseen lines of one axis and the size."""

    def wrong(size: int, kernel_size: int, stride: int) -> int | None:
        lines = _unseen_lines(size, kernel_size, stride)
        return count(lines, size) if lines else None

    return wrong


def _roll_unseen(dice: Dice, gaps: bool = False) -> dict[str, Any]:
    """``gaps``: a stride larger than the kernel, so that pixels between the windows are not seen either."""
    if gaps:
        kernel_size = dice.roll(1, 2)
        return {"size": dice.roll(5, 12), "kernel_size": kernel_size, "stride": kernel_size + dice.roll(1, 2)}
    stride = dice.roll(2, 4)
    places = dice.roll(2, 3)
    kernel_size = stride + dice.roll(0, 2)
    size = kernel_size + (places - 1) * stride + dice.roll(1, stride - 1)
    return {"size": size, "kernel_size": kernel_size, "stride": stride}


add_kind(
    "unseen_pixels",
    _unseen_pixels,
    Number(),
    "which rows and which columns does no window reach, and how many pixels lie in them?",
    "padding-and-stride",
    _roll_unseen,
)
add(
    "unseen_pixels",
    "lines-for-pixels",
    _of_lines(lambda lines, size: lines),
    "{answer} counts rows. Asked are pixels, in those rows and in the columns that are not reached.",
    "padding-and-stride",
)
add(
    "unseen_pixels",
    "rows-only",
    _of_lines(lambda lines, size: lines * size),
    "{answer} counts the rows that are not reached. There are as many columns.",
    "padding-and-stride",
)
add(
    "unseen_pixels",
    "corner-counted-twice",
    _of_lines(lambda lines, size: 2 * lines * size),
    "{answer} counts some pixels twice: those that lie in such a row and in such a column.",
    "padding-and-stride",
)
add(
    "unseen_pixels",
    "where-both-miss",
    _of_lines(lambda lines, size: lines**2 if lines > 1 else None),  # type: ignore[arg-type,return-value]
    "{answer} counts pixels whose row and whose column are both not reached. One of the two is enough.",
    "padding-and-stride",
)
add(
    "unseen_pixels",
    "nothing-lost",
    _of_lines(lambda lines, size: 0),
    "{answer} would mean that the windows reach every row and column. Write down where they start and end.",
    "padding-and-stride",
)

# --- How many windows see a pixel ---------------------------------------------------------------------


def _pixel_coverage(size: int, kernel_size: int, row: int, column: int) -> int:
    return int(coverage(size, kernel_size)[row, column])


def _roll_pixel(dice: Dice) -> dict[str, Any]:
    kernel_size = dice.pick((3, 4, 5))
    return {
        "size": 2 * kernel_size + dice.roll(0, 4),
        "kernel_size": kernel_size,
        "row": dice.roll(0, kernel_size - 2),
        "column": dice.roll(0, kernel_size),
    }


add_kind(
    "pixel_coverage",
    _pixel_coverage,
    Number(),
    "at how many places down can the window stand so that it covers the row, and at how many across?",
    "padding-and-stride",
    _roll_pixel,
    labels={"row": "row", "column": "column"},
)
add(
    "pixel_coverage",
    "as-in-the-middle",
    lambda size, kernel_size, row, column: kernel_size**2,
    "{answer} windows see a pixel in the middle. Near the edge some of them would stick out.",
    "padding-and-stride",
)
add(
    "pixel_coverage",
    "one-window-only",
    lambda size, kernel_size, row, column: 1 if row or column else None,
    "{answer} window sees a corner. Windows overlap: this pixel lies a little further inside.",
    "padding-and-stride",
)
add(
    "pixel_coverage",
    "added-up",
    lambda size, kernel_size, row, column: min(row + 1, kernel_size) + min(column + 1, kernel_size),
    "{answer} adds the places down and across. Every place down goes with every place across.",
    "padding-and-stride",
)
add(
    "pixel_coverage",
    "counted-from-one",
    lambda size, kernel_size, row, column: min(row, kernel_size) * min(column, kernel_size),
    "{answer} takes row and column for counted from 1. The outermost ones are number 0.",
    "padding-and-stride",
)

# --- The frame ----------------------------------------------------------------------------------------


def _frame_cells(size: int, padding: int) -> int:
    picture = np.ones((1, size, size, 1), int)
    return int((pad(picture, [(padding, padding)] * 2) == 0).sum())


add_kind(
    "frame_cells",
    _frame_cells,
    Number(),
    "how high and how wide is the picture with its frame, and how much of that was there before?",
    "padding-and-stride",
    lambda dice: {"size": dice.roll(3, 12), "padding": dice.roll(1, 3)},
)
add(
    "frame_cells",
    "corners-forgotten",
    lambda size, padding: 4 * size * padding,
    "{answer} leaves the four corners of the frame out.",
    "padding-and-stride",
)
add(
    "frame_cells",
    "padded-one-side",
    lambda size, padding: (size + padding) ** 2 - size**2,
    "{answer} adds P once to each axis. There are rows above and below, columns left and right.",
    "padding-and-stride",
)
add(
    "frame_cells",
    "whole-picture",
    lambda size, padding: (size + 2 * padding) ** 2,
    "{answer} counts the picture as well. Asked is the frame alone.",
    "padding-and-stride",
)
add(
    "frame_cells",
    "corners-counted-twice",
    lambda size, padding: 4 * (size + 2 * padding) * padding,
    "{answer} counts the corners of the frame twice, once for a row and once for a column.",
    "padding-and-stride",
)

# --- “same” -------------------------------------------------------------------------------------------


def _same_amounts(size: int, kernel_size: int, stride: int) -> tuple[int, int]:
    return padding_amounts(size, kernel_size, stride, "same")


def _unless_right(rule: Callable[..., Any]) -> Callable[..., Any]:
    def wrong(**given: Any) -> Any:
        result = rule(**given)
        return None if result == _same_amounts(**given) else result

    return wrong


add_kind(
    "same_amounts",
    _same_amounts,
    Shape(("before", "after")),
    "how many outputs does “same” make at this stride, and how many inputs do so many windows need?",
    "padding-and-stride",
    lambda dice: {"size": dice.roll(5, 16), "kernel_size": dice.roll(2, 7), "stride": dice.roll(1, 3)},
)
add(
    "same_amounts",
    "odd-one-first",
    _unless_right(lambda **given: _same_amounts(**given)[::-1]),
    "{answer} puts the odd element at the start. Keras puts it at the end.",
    "padding-and-stride",
)
add(
    "same_amounts",
    "as-at-stride-one",
    _unless_right(lambda size, kernel_size, stride: _same_amounts(size, kernel_size, 1)),
    "{answer} is the padding at stride 1. With a stride there are fewer windows, which may need less.",
    "padding-and-stride",
)
add(
    "same_amounts",
    "nothing-before",
    _unless_right(lambda **given: (0, sum(_same_amounts(**given)))),
    "{answer} puts everything at the end. Only the odd element goes there.",
    "padding-and-stride",
)

# --- What stands in the frame -------------------------------------------------------------------------


#: Fillings of chapter 6 by the names of :func:`cnnlib.padding.pad`.
FILLINGS = ("reflect", "edge", "circular")


def _filled_row(row: Sequence[int], mode: str) -> NDArray:
    """The row with two elements of padding at either end."""
    return pad(np.asarray(row).reshape(1, -1, 1), [(2, 2)], mode).ravel()


def _mirrored_with_the_edge(row: Sequence[int]) -> NDArray:
    return np.pad(np.asarray(row), 2, mode="symmetric")


add_kind(
    "filled_row",
    _filled_row,
    Array(1),
    "does the row repeat its outermost value, turn back at it, or begin anew from its other end?",
    "padding-and-stride",
    lambda dice: {"row": tuple(dice.roll(1, 30) for _ in range(4)), "mode": dice.pick(FILLINGS)},
    labels={"row": "row", "mode": "filling"},
)
for _mode, _message in (
    ("constant", "the frame is filled with zeros, which is the default but not what is asked."),
    ("reflect", "the row is mirrored at its outermost values: that is “reflect”."),
    ("edge", "the outermost value is repeated: that is “edge”."),
    ("circular", "the row goes on with its other end: that is “circular”."),
):
    add(
        "filled_row",
        f"filled-as-{_mode}",
        lambda row, mode, other=_mode: None if mode == other else _filled_row(row, other),
        _message,
        "padding-and-stride",
    )
add(
    "filled_row",
    "edge-mirrored-too",
    lambda row, mode: _mirrored_with_the_edge(row) if mode == "reflect" else None,
    "the outermost value stands twice. The mirror of “reflect” stands on it and does not repeat it.",
    "padding-and-stride",
)

# --- Without padding, and with a stride ---------------------------------------------------------------


def _unpadded_layers(size: int, kernel_size: int) -> int:
    """How many layers without padding fit on an axis."""
    layers = 0
    while size >= kernel_size:
        size, layers = output_size(size, kernel_size), layers + 1
    return layers


add_kind(
    "unpadded_layers",
    _unpadded_layers,
    Number(),
    "how much does each layer take off, and after how many of them is less left than a kernel?",
    "padding-and-stride",
    lambda dice: {"size": dice.roll(15, 64), "kernel_size": dice.pick((3, 5, 7, 9))},
)
add(
    "unpadded_layers",
    "a-kernel-a-layer",
    lambda size, kernel_size: size // kernel_size,
    "{answer} takes a whole kernel off at each layer. How much smaller than its input is an output?",
    "padding-and-stride",
)
add(
    "unpadded_layers",
    "one-too-few",
    lambda size, kernel_size: _unpadded_layers(size, kernel_size) - 1,
    "{answer} stops while the kernel fits once more.",
    "padding-and-stride",
)
add(
    "unpadded_layers",
    "one-too-many",
    lambda size, kernel_size: _unpadded_layers(size, kernel_size) + 1,
    "{answer} is one too many: what is left is smaller than the last of these kernels.",
    "padding-and-stride",
)
add(
    "unpadded_layers",
    "one-a-layer",
    lambda size, kernel_size: size - kernel_size + 1 if kernel_size > 2 else None,
    "{answer} takes a single element off at each layer. A wider kernel takes more.",
    "padding-and-stride",
)


def _strided_work(size: int, kernel_size: int, stride: int) -> int:
    """Multiply–accumulates of one filter over a grey picture, padded so that stride 1 keeps the size."""
    return conv_macs((1, size, size, 1), kernel_size, 1, stride, "same")


add_kind(
    "strided_work",
    _strided_work,
    Number(),
    "how many rows are left, how many columns, and does the work at one place change?",
    "padding-and-stride",
    lambda dice: {
        "size": 20 * dice.roll(1, 5),
        "kernel_size": dice.pick((3, 5)),
        "stride": dice.pick((2, 2, 4, 5)),
    },
)
add(
    "strided_work",
    "one-axis-only",
    lambda size, kernel_size, stride: _strided_work(size, kernel_size, 1) // stride,
    "{answer} leaves out places along one axis alone. The window skips rows and columns.",
    "padding-and-stride",
)
add(
    "strided_work",
    "computed-and-thrown-away",
    lambda size, kernel_size, stride: _strided_work(size, kernel_size, 1),
    "{answer} is the work at stride 1. What the stride skips need not be computed.",
    "padding-and-stride",
)
add(
    "strided_work",
    "kernel-shrunk-too",
    lambda size, kernel_size, stride: _strided_work(size, 1, stride),
    "{answer} is the number of places. At each of them every weight of the kernel works once.",
    "padding-and-stride",
)

# --- Places and windows in two dimensions -------------------------------------------------------------


def _places(input_shape: Sequence[int], kernel_size: Sequence[int]) -> int:
    """At how many places of a picture a kernel can stand."""
    return len(im2col(np.zeros((1, *input_shape, 1)), tuple(kernel_size)))


def _roll_places(dice: Dice) -> dict[str, Any]:
    kernel_size = (dice.roll(2, 4), dice.roll(2, 4))
    rows, columns = dice.roll(1, 5), dice.roll(2, 7)
    return {"input_shape": (kernel_size[0] + rows, kernel_size[1] + columns), "kernel_size": kernel_size}


def _per_axis(input_shape: Sequence[int], kernel_size: Sequence[int]) -> list[int]:
    return [output_size(*pair) for pair in zip(input_shape, kernel_size, strict=True)]


add_kind(
    "places",
    _places,
    Number(),
    "at how many places across can the kernel stand, and at how many down?",
    "two-dimensions",
    _roll_places,
)
add(
    "places",
    "forgot-the-one",
    lambda input_shape, kernel_size: int(np.prod([n - 1 for n in _per_axis(input_shape, kernel_size)])),
    "{answer} counts steps, not places: on each axis the place where the kernel starts counts too.",
    "two-dimensions",
)
add(
    "places",
    "added-up",
    lambda input_shape, kernel_size: sum(_per_axis(input_shape, kernel_size)),
    "{answer} adds the places down and across. At every place down the kernel goes all the way across.",
    "two-dimensions",
)
add(
    "places",
    "a-place-for-every-pixel",
    lambda input_shape, kernel_size: int(np.prod(input_shape)),
    "{answer} is the number of pixels. Near the right and the lower edge the kernel would stick out.",
    "two-dimensions",
)
add(
    "places",
    "both-axes-alike",
    lambda input_shape, kernel_size: (
        min(_per_axis(input_shape, kernel_size)) ** 2
        if len(set(_per_axis(input_shape, kernel_size))) > 1
        else None
    ),
    "{answer} counts the same number of places down and across. Each axis follows the rule by itself.",
    "two-dimensions",
)


def _window_rows(input_shape: Sequence[int], kernel_size: int) -> tuple[int, ...]:
    """The shape of the matrix that holds every window, laid out, as a row."""
    return im2col(np.zeros((1, *input_shape)), kernel_size).shape


def _roll_window_rows(dice: Dice, channels: int | None = None) -> dict[str, Any]:
    kernel_size = dice.pick((2, 3, 4))
    sides = (kernel_size + dice.roll(1, 4), kernel_size + dice.roll(5, 7))
    return {"input_shape": (*sides, channels or dice.roll(2, 4)), "kernel_size": kernel_size}


add_kind(
    "window_rows",
    _window_rows,
    Shape(("rows", "columns")),
    "how many windows are there, and how many numbers lie in one of them?",
    "two-dimensions",
    _roll_window_rows,
)
add(
    "window_rows",
    "rows-and-columns-exchanged",
    lambda **given: _window_rows(**given)[::-1],
    "{answer} stands the windows up as columns. Each of them is a row.",
    "two-dimensions",
)
add(
    "window_rows",
    "left-out-the-channels",
    lambda input_shape, kernel_size: (
        _window_rows((*input_shape[:2], 1), kernel_size) if input_shape[-1] > 1 else None
    ),
    "{answer} lays out one channel. A window is as deep as the input.",
    "filters-and-kernels",
)
add(
    "window_rows",
    "the-kernel-taken-apart",
    lambda input_shape, kernel_size: (_window_rows(input_shape, kernel_size)[0], int(np.prod(input_shape))),
    "{answer} has a column for every number of the picture: that is the matrix that takes the kernel apart.",
    "two-dimensions",
)
add(
    "window_rows",
    "a-row-for-every-pixel",
    lambda input_shape, kernel_size: (
        int(np.prod(input_shape[:2])),
        _window_rows(input_shape, kernel_size)[1],
    ),
    "{answer} lays a window at every pixel. Count the places where one fits.",
    "two-dimensions",
)


def _split_products(kernel_size: int) -> int:
    """Products a pixel when a square kernel is slid as a column and a row."""
    return conv_weights((kernel_size, 1), 1, 1) + conv_weights((1, kernel_size), 1, 1)


add_kind(
    "split_products",
    _split_products,
    Number(),
    "how many weights has the row, how many the column, and how often does each of them slide?",
    "two-dimensions",
    lambda dice: {"kernel_size": dice.roll(5, 33)},
)
add(
    "split_products",
    "both-at-once",
    lambda kernel_size: kernel_size**2,
    "{answer} is what the whole square takes at once. Row and column slide one after the other.",
    "two-dimensions",
)
add(
    "split_products",
    "one-of-the-two",
    lambda kernel_size: kernel_size,
    "{answer} is one of the two. The other one slides over what it leaves.",
    "two-dimensions",
)
add(
    "split_products",
    "middle-shared",
    lambda kernel_size: 2 * kernel_size - 1,
    "{answer} counts the middle once, as in a cross. Row and column are two kernels, each with its own.",
    "two-dimensions",
)

# --- One filter ---------------------------------------------------------------------------------------


def _filter_weights(input_shape: Sequence[int], kernel_size: int) -> int:
    return conv_weights((kernel_size, kernel_size), input_shape[-1], 1)


add_kind(
    "filter_weights",
    _filter_weights,
    Number(),
    "which block of the input does the filter meet at one place, and how deep is it?",
    "filters-and-kernels",
    lambda dice: {
        "input_shape": (dice.roll(8, 20), dice.roll(8, 20), dice.roll(3, 9)),
        "kernel_size": dice.roll(2, 5),
    },
)
add(
    "filter_weights",
    "a-kernel-for-a-filter",
    lambda input_shape, kernel_size: kernel_size**2,
    "{answer} is one kernel. A filter has a kernel for every channel of its input.",
    "filters-and-kernels",
)
add(
    "filter_weights",
    "side-for-area",
    lambda input_shape, kernel_size: kernel_size * input_shape[-1],
    "{answer} takes one side of the kernel. Its height and its width both count.",
    "filters-and-kernels",
)
add(
    "filter_weights",
    "counted-the-bias",
    lambda **given: _filter_weights(**given) + 1,
    "{answer} counts the bias too. Asked are the weights.",
    "filters-and-kernels",
)
add(
    "filter_weights",
    "as-large-as-the-input",
    lambda input_shape, kernel_size: int(np.prod(input_shape)),
    "{answer} has a weight for every number of the input, like a unit of a dense layer.",
    "filters-and-kernels",
)


def _channel_sum(sums: Sequence[float], bias: float) -> float:
    return float(np.sum(sums) + bias)


add_kind(
    "channel_sum",
    _channel_sum,
    Number(),
    "what becomes of the partial sums of a filter, and how often is its bias added?",
    "filters-and-kernels",
    lambda dice: {
        "sums": tuple(dice.roll(-9, 9) for _ in range(dice.roll(3, 5))),
        "bias": dice.pick((-3, -2, -1, 1, 2, 3)),
    },
    labels={"sums": "partial sums"},
)
add(
    "channel_sum",
    "forgot-the-bias",
    lambda sums, bias: _channel_sum(sums, 0),
    "{answer} leaves out the bias.",
    "filters-and-kernels",
)
add(
    "channel_sum",
    "a-bias-for-every-channel",
    lambda sums, bias: _channel_sum(sums, bias * len(sums)),
    "{answer} adds the bias for every channel. A filter has one.",
    "filters-and-kernels",
)
add(
    "channel_sum",
    "averaged-the-channels",
    lambda sums, bias: float(np.mean(sums) + bias),
    "{answer} takes the mean of the partial sums.",
    "filters-and-kernels",
)
add(
    "channel_sum",
    "largest-partial-sum",
    lambda sums, bias: float(max(sums) + bias),
    "{answer} keeps the largest partial sum and drops the others.",
    "filters-and-kernels",
)

# --- Torch7's call ------------------------------------------------------------------------------------


def _torch_call(planes: int, maps: int, wide: int, tall: int) -> tuple[int, ...]:
    """Keras' weights for ``nn.SpatialConvolution(planes, maps, wide, tall)``."""
    return kernel_shape((tall, wide), planes, maps)


def _roll_call(dice: Dice) -> dict[str, Any]:
    wide = dice.pick((1, 3, 5, 7, 9))
    tall = dice.pick([size for size in (1, 3, 5, 7, 9) if size != wide])
    return {
        "planes": dice.pick((3, 6, 8, 12)),
        "maps": dice.pick((10, 16, 20, 32)),
        "wide": wide,
        "tall": tall,
    }


add_kind(
    "torch_call",
    _torch_call,
    Shape(("height", "width", "channels", "filters")),
    "which of the four arguments is a width, which counts channels, and which axis does Keras store first?",
    "padding-and-stride",
    _roll_call,
    labels={"planes": "nInputPlane", "maps": "nOutputPlane", "wide": "kW", "tall": "kH"},
)
add(
    "torch_call",
    "width-first",
    lambda planes, maps, wide, tall: kernel_shape((wide, tall), planes, maps),
    "{answer} keeps the order of the call, which says the width first. Keras stores the height first.",
    "padding-and-stride",
)
add(
    "torch_call",
    "filters-first",
    lambda planes, maps, wide, tall: (maps, planes, tall, wide),
    "{answer} is the order in which Torch7 and PyTorch store weights.",
    "padding-and-stride",
)
add(
    "torch_call",
    "as-called",
    lambda planes, maps, wide, tall: (planes, maps, wide, tall),
    "{answer} writes the arguments down in the order of the call.",
    "padding-and-stride",
)
add(
    "torch_call",
    "channels-and-filters-exchanged",
    lambda planes, maps, wide, tall: kernel_shape((tall, wide), maps, planes),
    "{answer} has the channels that go in last. In Keras the filters come last.",
    "padding-and-stride",
)
