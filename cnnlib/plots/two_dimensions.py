"""The figures of chapter 4: a window that slides down and across, classic filters, pyramids, moving pictures.

Weighted sums come from :mod:`cnnlib.convolution`, filtered pictures from :func:`cnnlib.filters.apply`, the
matrix from :mod:`cnnlib.connections`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from cnnlib.connections import connection_ids
from cnnlib.convolution import as_floats, correlate
from cnnlib.errors import ShapeError, SizeError
from cnnlib.filters import apply
from cnnlib.plots.pieces import (
    SLANT,
    arrow,
    as_plane,
    by,
    canvas,
    grid,
    kernel_picture,
    number,
    oblique_box,
    outline,
    page,
    picture,
    products,
)
from cnnlib.plots.style import COLOURS, WIDTH, new_figure, styled
from cnnlib.sizes import PerAxis, as_int, per_axis

#: All words in these figures; a translation replaces them.
WORDS: dict[str, Any] = {
    "axes": ("1-D: one axis free", "2-D: two axes free", "3-D: three axes free"),
    "column": "column",
    "frame": "frame {}",
    "level": "level {level}: {size}",
    "response": "answer to frames {first} to {last}",
    "row": "row",
}


@styled
def steps(image: ArrayLike, kernel: ArrayLike) -> Figure:
    """The window at every place, laid out as the outputs are: the cells that it covers, and their sum.

    Args:
        image: array (height, width) of few small numbers.
        kernel: array (height, width).

    Raises:
        ShapeError: not two axes each.
        SizeError: the kernel does not fit, or the drawing is wider than a page.
    """
    values, weights = as_plane(image, "image"), as_plane(kernel, "kernel")
    result = correlate(values, weights)
    (height, width), (tall, wide) = values.shape, weights.shape
    line = 0.5
    across, down = width + 0.75, height + line * tall + 0.95
    right, bottom = result.shape[1] * across - 0.6, result.shape[0] * down - 0.45
    if right * 0.3 > WIDTH:
        raise SizeError(
            f"{result.shape[1]} places side by side, each {width} cells wide, do not fit on a page; "
            "draw a smaller image"
        )
    figure, axes = canvas(-0.1, right + 0.1, -0.1, bottom)
    for (row, column), output in np.ndenumerate(result):
        left, top = column * across, row * down
        grid(axes, values, left, top, "input")
        window = values[row : row + tall, column : column + wide]
        looks: dict[str, Any] = {"facecolor": COLOURS["kernel"], "alpha": 0.55}
        for place in np.ndindex(window.shape):
            axes.add_patch(
                Rectangle((left + column + place[1], top + row + place[0]), 1, 1, **looks, zorder=1.2)
            )
        outline(axes, left + column, top + row, wide, tall)
        terms = products(window, weights).removesuffix(" =").split(" + ")
        lines = [" + ".join(terms[k : k + wide]) for k in range(0, len(terms), wide)]
        for index, words in enumerate(lines):
            opening = "+ " if index else ""
            ending = " =" if index == len(lines) - 1 else ""
            y = top + height + 0.35 + index * line
            axes.text(left, y + 0.1, opening + words + ending, va="center", size=10)
        level = top + height + 0.3 + (len(lines) - 1) * line / 2 - 0.35
        grid(axes, [[output]], left + width - 0.85, level, "output")
    return figure


@styled
def filtered(image: ArrayLike, kernels: Mapping[str, ArrayLike], columns: int = 2) -> Figure:
    """One picture under several kernels: each result with its kernel beside it.

    Results of kernels that sum to 0 show 0 as mid-grey, the others black as 0 and white as 1. Kernels of
    whole numbers up to 3×3 have their weights written in them.

    Args:
        image: array (height, width) of floats from 0 to 1.
        kernels: for each title an array (height, width).
        columns: how many results stand side by side.

    Raises:
        ShapeError: not two axes each.
        SizeError: there is no kernel.
    """
    values = as_plane(image, "image")
    if not kernels:
        raise SizeError("kernels is empty; give at least one to filter by")
    rows = -(-len(kernels) // columns)
    share = 0.42
    height = WIDTH / columns / (1 + share + 0.1) * values.shape[0] / values.shape[1] + 0.36
    figure = new_figure(rows * height)
    cells = figure.add_gridspec(rows, 2 * columns, width_ratios=(1, share) * columns)
    for index, (name, kernel) in enumerate(kernels.items()):
        weights = as_plane(kernel, "kernel")
        result = apply(values, weights)
        row, column = divmod(index, columns)
        left = figure.add_subplot(cells[row, 2 * column])
        picture(left, result, _limits(result, weights))
        left.set_title(name, loc="left", pad=4)
        _kernel(figure.add_subplot(cells[row, 2 * column + 1]), weights)
    return figure


def _limits(result: NDArray, weights: NDArray) -> tuple[float, float]:
    """What is black and what is white; the strongest hundredth of the answers may be cut off."""
    if abs(weights.sum()) > 1e-3:
        return 0, 1
    scale = float(np.quantile(np.abs(result), 0.99)) or 1.0
    return -scale, scale


def _kernel(axes: Axes, weights: NDArray) -> None:
    """A kernel in greys, its weights in it where they are few whole numbers."""
    scale = float(np.abs(weights).max())
    kernel_picture(axes, weights, scale)
    for draw, length in ((axes.axvline, weights.shape[1]), (axes.axhline, weights.shape[0])):
        for edge in range(1, length):
            draw(edge - 0.5, color=COLOURS["padding"], linewidth=0.6)
    if max(weights.shape) <= 3 and np.array_equal(weights, np.rint(weights)):
        for (row, column), weight in np.ndenumerate(weights):
            ink = COLOURS["paper"] if weight < 0 else "black"  # zero is mid-grey
            axes.text(column, row, number(float(weight)), ha="center", va="center", size=10, color=ink)


@styled
def outer(pairs: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> Figure:
    """A column times a row is a kernel, one below the other: numbers in cells.

    Args:
        pairs: for each title a column (height,) and a row (width,).

    Raises:
        SizeError: there is no pair.
        ShapeError: a column or a row that is not one row of numbers.
    """
    if not pairs:
        raise SizeError("pairs is empty; give at least one column and row")
    factors = [(name, _line(column, "column"), _line(row, "row")) for name, (column, row) in pairs.items()]
    widest = max(len(row) for _, _, row in factors)
    tops = np.cumsum([0.0, *[len(column) + 1.1 for _, column, _ in factors]])
    at_row, at_kernel = 2.0, 3.3 + widest
    figure, axes = canvas(-0.1, at_kernel + widest + 0.1, -0.9, tops[-1] - 0.85)
    for (name, column, row), top in zip(factors, tops[:-1], strict=True):
        middle = top + len(column) / 2
        axes.text(at_kernel, top - 0.1, name, va="bottom", size=10)
        axes.text(-0.05, top - 0.1, WORDS["column"], va="bottom", size=10)
        axes.text(at_row, middle - 0.6, WORDS["row"], va="bottom", size=10)
        grid(axes, column[:, None], 0, top, "input")
        axes.text(1.5, middle, "·", ha="center", va="center", size=18, weight="bold")
        grid(axes, row[None], at_row, middle - 0.5, "second")
        axes.text(at_row + len(row) + 0.65, middle, "=", ha="center", va="center", size=14)
        grid(axes, np.outer(column, row), at_kernel, top, "kernel")
    return figure


@styled
def pyramid(levels: Sequence[ArrayLike], window: int, centre: tuple[float, float]) -> Figure:
    """Pictures that halve from one to the next, to one scale, each with the same window over one spot.

    The first stands on the left, the second beside it, all others in a row below the second.

    Args:
        levels: arrays (height, width) of floats from 0 to 1, the largest first.
        window: its side, in pixels of each level.
        centre: the middle of the window, (row, column) in pixels of the first level.

    Raises:
        SizeError: there are no levels, or a window that does not lie inside each of them.
    """
    pictures = [as_plane(level, "level") for level in levels]
    if not pictures:
        raise SizeError("levels is empty; give at least one picture")
    side = as_int(window, "window")
    for index, values in enumerate(pictures):
        for axis, place in enumerate(centre):
            middle, length = place / 2**index, values.shape[axis]
            if not side / 2 <= middle <= length - side / 2:
                raise SizeError(
                    f"a window of {side} about {middle:g} leaves level {index}, which has {length} pixels "
                    f"along axis {axis}"
                )
    tall, widest = pictures[0].shape
    unit, label, gap = 3.1 / widest, 0.24, 0.14  # inches
    figure, axes = page(label + tall * unit + 0.04)
    left, top = 0.03, 0.0
    for index, values in enumerate(pictures):
        height, width = (n * unit for n in values.shape)
        words = WORDS["level"].format(level=index, size=by(values.shape))
        axes.text(left, top + label - 0.05, words, va="bottom", size=10)
        extent = (left, left + width, top + label + height, top + label)
        picture(axes, values)
        axes.images[-1].set_extent(extent)
        row, column = (place / 2**index - side / 2 for place in centre)
        outline(axes, left + column * unit, top + label + row * unit, side * unit, side * unit)
        if index == 0:
            left += width + gap
        elif index == 1:
            top += label + height + gap
        else:
            left += max(width, 1.05) + gap
    axes.set(xlim=(0, WIDTH), ylim=(label + tall * unit + 0.04, 0), aspect="auto")
    return figure


@styled
def sliding_axes() -> Figure:
    """Three boxes and the kernel in each: what it does not fill is where it slides."""
    size = (2.4, 3.0, 2.0)  # height, width, and the third axis
    kernels = ((2.4, 3.0, 0.6), (1.0, 1.2, 2.0), (1.0, 1.2, 0.6))
    free = ("z", "xy", "xyz")
    pitch = size[2] + SLANT * size[1] + 1.15
    figure, axes = canvas(-0.25, 3 * pitch - 0.7, -0.75, size[0] + SLANT * size[1] + 1.0)
    slant = SLANT
    for index, (kernel, directions) in enumerate(zip(kernels, free, strict=True)):
        left = index * pitch
        oblique_box(axes, left, 0, size, "input")
        back = slant * (size[1] - kernel[1])  # the front plane of the kernel is that of the box
        oblique_box(axes, left, back, kernel, "kernel")
        x, y = left + kernel[2] + 0.12, back + slant * kernel[1] + kernel[0] / 2
        if "z" in directions:
            arrow(axes, (x, y), (x + 1.0, y), linewidth=2, mutation_scale=14)
        if "y" in directions:
            low = back + slant * kernel[1] + kernel[0] + 0.08
            arrow(axes, (left + 0.3, low), (left + 0.3, low + 1.0), linewidth=2, mutation_scale=14)
        if "x" in directions:
            start = (left + kernel[2] + slant * kernel[1] * 0.75, back + slant * kernel[1] * 0.25 + 0.35)
            reach = 0.75
            arrow(axes, start, (start[0] + reach, start[1] - reach), linewidth=2, mutation_scale=14)
        low = size[0] + slant * size[1] + 0.55
        axes.text(left, low, WORDS["axes"][index], va="center", size=10)
    return figure


@styled
def video(frames: ArrayLike, response: ArrayLike, shown: Sequence[int]) -> Figure:
    """Some frames of a film, and below each what a kernel over time answers where it begins there.

    Args:
        frames: array (time, height, width) of floats from 0 to 1.
        response: array (fewer times, height, width); mid-grey is 0.
        shown: the frames, by number; each must begin a window.

    Raises:
        ShapeError: not three axes each, or more answers than frames.
        SizeError: a frame that begins no window.
    """
    film, answers = as_floats(frames, "frames"), as_floats(response, "response")
    if film.ndim != 3 or answers.ndim != 3 or len(answers) > len(film):
        raise ShapeError(
            f"frames of shape {film.shape} and a response of shape {answers.shape} do not go together; "
            "they need (time, height, width), with no more times in the response"
        )
    for time in shown:
        if not 0 <= time < len(answers):
            raise SizeError(f"frame {time} begins no window; there are answers to 0 to {len(answers) - 1}")
    span = len(film) - len(answers)
    scale = float(np.abs(answers).max()) or 1.0
    height = 2 * (WIDTH / len(shown) * film.shape[1] / film.shape[2] + 0.32)
    figure = new_figure(height)
    panels = figure.subplots(2, len(shown), squeeze=False)
    for column, time in enumerate(shown):
        picture(panels[0, column], film[time], title=WORDS["frame"].format(time))
        words = WORDS["response"].format(first=time, last=time + span)
        picture(panels[1, column], answers[time], (-scale, scale))
        panels[1, column].set_title(words, pad=4, size=10)
    return figure


@styled
def matrix(spatial: Sequence[int], kernel_size: PerAxis, letters: str) -> Figure:
    """The layer as a matrix: a letter for each weight, nothing where there is no connection.

    Args:
        spatial: (height, width) of the input, few pixels.
        kernel_size: of the kernel.
        letters: one for each weight, row by row.

    Raises:
        SizeError: more weights than letters, or a matrix wider than a page.
    """
    ids = connection_ids("convolution", spatial, kernel_size)
    if ids.max() > len(letters):
        raise SizeError(f"{ids.max()} weights need as many letters, not {len(letters)}")
    if ids.shape[1] * 0.3 > WIDTH:
        raise SizeError(f"a matrix of {by(ids.shape)} is wider than a page; use a smaller image")
    rows, columns = ids.shape
    figure, axes = canvas(-0.1, columns + 0.1, -0.1, rows + 0.1)
    inner = per_axis(spatial, 2, "spatial")[1]
    blocks = rows // (inner - per_axis(kernel_size, 2, "kernel_size")[1] + 1)
    for (row, column), weight in np.ndenumerate(ids):
        filled = (COLOURS["kernel"], 0.2 + 0.5 * weight / ids.max()) if weight else COLOURS["paper"]
        axes.add_patch(
            Rectangle((column, row), 1, 1, facecolor=filled, edgecolor=COLOURS["faint"], linewidth=0.7)
        )
        words = letters[weight - 1] if weight else "0"
        look: dict[str, Any] = {"style": "italic", "weight": "bold"} if weight else {"color": "#767676"}
        axes.text(column + 0.5, row + 0.52, words, ha="center", va="center", size=11, **look)
    step = rows // blocks
    for block in range(blocks):
        for across in range(columns // inner):
            outline(axes, across * inner, block * step, inner, step, "ink", linewidth=1.4)
    return figure


def _line(values: ArrayLike, name: str) -> NDArray[np.floating]:
    line = as_floats(values, name)
    if line.ndim != 1 or 0 in line.shape:
        raise ShapeError(f"{name} has shape {line.shape}; it must be one row of numbers")
    return line
