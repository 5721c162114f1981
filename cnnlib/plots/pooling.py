"""The figures of chapter 7: windows that become one number, where gradients go, what a shift changes.

What is drawn is pooled, and pooled backwards, by :mod:`cnnlib.pooling`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import ArrayLike, NDArray

from cnnlib.convolution import as_floats
from cnnlib.errors import ShapeError, SizeError
from cnnlib.plots.pieces import SLANT, arrow, as_plane, by, canvas, grid, oblique_box, outline, picture
from cnnlib.plots.style import COLOURS, WIDTH, new_figure, styled
from cnnlib.pooling import (
    average_pool,
    average_pool_backward,
    max_pool,
    max_pool_backward,
    max_pool_switches,
)
from cnnlib.sizes import as_int, output_shape, per_axis

#: All words in these figures; a translation replaces them.
WORDS: dict[str, Any] = {
    "after": "moved by one",
    "average": "average",
    "average_gradient": "average pooling",
    "before": "before",
    "changed": "{changed} of {all} changed",
    "gradient": "gradient of\nthe outputs",
    "input": "input",
    "inputs": "inputs",
    "max": "maximum",
    "max_gradient": "max pooling",
    "pooled": "maximum of {}",
    "pooling": "{size}, stride {stride}",
    "shrunk": "{kind} of {size}",
}

#: Line styles and markers that tell curves apart without colour.
LOOKS = (("-", "o"), ("--", "s"), ("-.", "D"), (":", "^"), ((0, (5, 1, 1, 1, 1, 1)), "v"), ((0, (1, 1)), "*"))


@styled
def windows(values: ArrayLike, pool_size: int) -> Figure:
    """A small feature map cut into windows, and what the maximum and the average keep of each.

    The largest value of each window is marked.

    Args:
        values: array (height, width).
        pool_size: the side of the windows, which do not overlap.

    Raises:
        ShapeError: not two axes.
        SizeError: no window fits.
    """
    plane = as_plane(values, "values")
    size = as_int(pool_size, "pool_size")
    batch = plane[None, ..., None]
    largest, mean = max_pool(batch, size)[0, ..., 0], average_pool(batch, size)[0, ..., 0]
    height, width = plane.shape
    rows, columns = largest.shape
    at_max, at_mean = width + 1.5, width + columns + 2.7
    figure, axes = canvas(-0.1, at_mean + columns + 0.1, -0.75, height + 0.1)
    top = (height - rows) / 2
    for left, name, extent in (
        (0.0, "input", width),
        (at_max, "max", columns),
        (at_mean, "average", columns),
    ):
        y = -0.2 if name == "input" else top - 0.2
        axes.text(left + extent / 2, y, WORDS[name], ha="center", va="bottom", size=11, weight="bold")
    grid(axes, plane, 0, 0, "input")
    _frames(axes, 0, 0, largest.shape, size)
    _winners(axes, batch, size)
    arrow(axes, (width + 0.25, height / 2), (at_max - 0.25, height / 2))
    grid(axes, largest, at_max, top, "output")
    grid(axes, mean.round(2), at_mean, top, "second")
    return figure


@styled
def gradients(values: ArrayLike, gradient: ArrayLike, pool_size: int) -> Figure:
    """Where the gradient of each output goes: to the largest input alone, or in equal shares to all.

    Args:
        values: the inputs, array (height, width); those that are the largest of their window are marked.
        gradient: array (height / pool_size, width / pool_size), of the outputs.
        pool_size: the side of the windows, which do not overlap.

    Raises:
        ShapeError: not two axes, or ``gradient`` has not the shape of the outputs.
        SizeError: no window fits.
    """
    plane, slopes = as_plane(values, "values"), as_plane(gradient, "gradient")
    size = as_int(pool_size, "pool_size")
    batch, given = plane[None, ..., None], slopes[None, ..., None]
    through = {
        "max_gradient": max_pool_backward(given, batch, size)[0, ..., 0],
        "average_gradient": average_pool_backward(given, batch, size)[0, ..., 0],
    }
    height, width = plane.shape
    rows, columns = slopes.shape
    at_max, at_mean = columns + 1.4, columns + width + 2.2
    figure, axes = canvas(-0.3, at_mean + width + 0.1, -0.75, height + 0.1)
    top = (height - rows) / 2
    axes.text(columns / 2, top - 0.2, WORDS["gradient"], ha="center", va="bottom", size=10, weight="bold")
    grid(axes, slopes, 0, top, "kernel")
    arrow(axes, (columns + 0.2, height / 2), (at_max - 0.2, height / 2))
    for left, (name, result) in zip((at_max, at_mean), through.items(), strict=True):
        axes.text(left + width / 2, -0.2, WORDS[name], ha="center", va="bottom", size=10, weight="bold")
        grid(axes, result.round(2), left, 0, "kernel")
        _frames(axes, left, 0, slopes.shape, size)
    _winners(axes, batch, size, at_max)
    return figure


def _frames(axes: Axes, left: float, top: float, places: Sequence[int], size: int) -> None:
    """A dark frame about each window."""
    for row, column in np.ndindex(*places):
        corner = (left + column * size, top + row * size)
        outline(axes, *corner, size, size, "ink", linewidth=1.8, zorder=2.5, gid="window")


def _winners(axes: Axes, batch: NDArray, size: int, left: float = 0) -> None:
    """A thick outline about the largest value of each window."""
    _, switches = max_pool_switches(batch, size)
    for place in switches.ravel():
        row, column = divmod(int(place), batch.shape[2])
        outline(axes, left + column + 0.06, row + 0.06, 0.88, 0.88)


@styled
def volumes(input_shape: Sequence[int], pool_size: int, times: int) -> Figure:
    """Feature maps before and after pooling once or several times, as boxes to one scale.

    Args:
        input_shape: (height, width, channels).
        pool_size: the side of the windows, and their stride.
        times: how often they are pooled.

    Raises:
        ShapeError: not three axes.
        SizeError: a window does not fit.
    """
    shapes = [per_axis(input_shape, 3, "input_shape")]
    for _ in range(as_int(times, "times")):
        shapes.append(output_shape((1, *shapes[-1]), pool_size, None, pool_size)[1:])
    unit = max(shapes[0])
    gap, label = 0.42 * unit, 0.2 * unit
    breadths = [max(shape[2] + SLANT * shape[1], 0.5 * unit) for shape in shapes]
    right = sum(breadths) + gap * times
    low = shapes[0][0] + SLANT * shapes[0][1]
    figure = new_figure(1)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    left = 0.0
    for index, (shape, breadth) in enumerate(zip(shapes, breadths, strict=True)):
        back = SLANT * shape[1]
        start = left + (breadth - shape[2] - back) / 2
        middle = low / 2 - (shape[0] + back) / 2
        oblique_box(axes, start, middle, shape, "input" if index == 0 else "output")
        axes.text(
            left + breadth / 2, low + 0.8 * label, by(shape), ha="center", va="center", size=11, weight="bold"
        )
        left += breadth
        if index < times:
            arrow(axes, (left + 0.12 * gap, low / 2), (left + 0.88 * gap, low / 2))
            words = WORDS["pooling"].format(size=by((pool_size, pool_size)), stride=pool_size)
            axes.text(
                left + gap / 2,
                low / 2 - 0.05 * unit,
                words.replace(", ", ",\n"),
                ha="center",
                va="bottom",
                size=10,
            )
        left += gap
    edge = 0.06 * unit
    axes.set(xlim=(-edge, right + edge), ylim=(low + 1.3 * label, -edge), aspect="equal")
    figure.set_size_inches(WIDTH, WIDTH * (low + 1.3 * label + edge) / (right + 2 * edge))
    return figure


@styled
def shrunk(feature_map: ArrayLike, pool_sizes: Sequence[int]) -> Figure:
    """A feature map under the maximum (above) and the average (below) of ever larger windows; black is 0.

    Args:
        feature_map: array (height, width), not negative.
        pool_sizes: the sides of the windows, which do not overlap.

    Raises:
        ShapeError: not two axes.
        SizeError: no sizes, or a window that does not fit.
    """
    plane = as_plane(feature_map, "feature_map")
    if not pool_sizes:
        raise SizeError("pool_sizes is empty; give at least one")
    top = float(np.quantile(plane, 0.99)) or 1.0
    across = len(pool_sizes)
    height = 2 * (WIDTH / across * plane.shape[0] / plane.shape[1] + 0.34)
    figure = new_figure(height)
    panels = figure.subplots(2, across, squeeze=False)
    for row, (kind, pool) in enumerate((("max", max_pool), ("average", average_pool))):
        for column, size in enumerate(pool_sizes):
            pooled = pool(plane[None, ..., None], size)[0, ..., 0]
            picture(panels[row, column], pooled, (0, top))
            words = WORDS["shrunk"].format(kind=WORDS[kind], size=by((size, size)))
            panels[row, column].set_title(words, pad=4, size=10)
    return figure


@styled
def moved(signal: ArrayLike, pool_size: int) -> Figure:
    """A row of values and its maxima, before and after everything has moved right by one.

    The window moves by one and the ends are padded, so that there are as many maxima as values. What has
    changed by the move is hatched.

    Args:
        signal: array (m,), the values; the first of them enters only with the move, the last then leaves.
        pool_size: the width of the window.

    Raises:
        ShapeError: not one row of at least two numbers.
        SizeError: the window does not fit.
    """
    line = as_floats(signal, "signal")
    if line.ndim != 1 or len(line) < 2:
        raise ShapeError(f"signal has shape {line.shape}; it must be one row of at least two numbers")
    states = (line[1:], line[:-1])
    pooled = [max_pool(s[None, :, None], pool_size, 1, "same")[0, :, 0] for s in states]
    size, label = len(states[0]), 2.75
    pitch, block = 1.3, 3.65  # from row to row, and from state to state
    figure, axes = canvas(-label, size + 0.1, -0.75, 2 * block - 0.35)
    names = (WORDS["inputs"], WORDS["pooled"].format(pool_size))
    for when in (0, 1):
        top = when * block
        heading = WORDS["after" if when else "before"]
        axes.text(0, top - 0.15, heading, va="bottom", size=10, weight="bold")
        for kind, rows in enumerate((states, pooled)):
            level = top + kind * (pitch + 0.25 * when)
            changed = rows[0] != rows[1] if when else np.zeros(size, bool)
            for column, value in enumerate(rows[when]):
                looks: dict[str, Any] = {"hatch": "///", "hatch_linewidth": 1.2} if changed[column] else {}
                grid(axes, [[value]], column, level, "output" if kind else "input", **looks)
            axes.text(-0.15, level + 0.5, names[kind], ha="right", va="center", size=10)
            if when:
                words = WORDS["changed"].format(changed=int(changed.sum()), all=size)
                axes.text(size, level + 1.08, words, ha="right", va="top", size=10)
    return figure


@styled
def curves(series: Mapping[str, ArrayLike], across: str, up: str) -> Figure:
    """Shares that depend on a whole number, one curve a series, told apart by line and marker.

    Args:
        series: for each name an array (n,): the shares at 0, 1, … n - 1.
        across, up: what is along the axes.

    Raises:
        SizeError: no series, or more than there are looks.
    """
    if not 0 < len(series) <= len(LOOKS):
        raise SizeError(f"there are {len(series)} curves to draw; give from 1 to {len(LOOKS)}")
    figure = new_figure(3.6, 4.8)
    axes = figure.subplots()
    for (name, values), (line, marker) in zip(series.items(), LOOKS, strict=False):
        axes.plot(np.asarray(values), linestyle=line, marker=marker, markersize=5, label=name)
    axes.set(xlabel=across, ylabel=up, ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(color=COLOURS["faint"])
    figure.legend(loc="outside lower center", ncols=2)
    return figure
