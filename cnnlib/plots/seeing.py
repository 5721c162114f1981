"""Figures on what a network sees: filters, maps, patches, explanations, Gram matrices, losses of a picture.

Chapter 14. What is drawn comes from :mod:`cnnlib.seeing`; here it is only laid out. A map has a scale of
its own only where the caller made it one, by :func:`brightness`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from cnnlib.errors import ShapeError, SizeError
from cnnlib.images import resize
from cnnlib.plots.pieces import (
    LINE,
    TIMES,
    arrow,
    canvas,
    grid,
    need_picture,
    number,
    page,
    picture,
)
from cnnlib.plots.style import COLOURS, WIDTH, new_figure, styled
from cnnlib.seeing import gram_matrix
from cnnlib.sizes import as_int, as_number

#: Every word in these figures; a translation replaces the values.
WORDS: dict[str, Any] = {
    "map": "map {}",
    "sum": "sum",
    "gram": "$G_{{{}{}}}$",
    "losses": ("style", "content", "roughness"),
    "step": "step",
    "loss": "loss",
}

#: Inches between pictures, and how many pixels a picture keeps at most for each inch.
GAP, PIXELS_AN_INCH = 0.08, 66


def brightness(values: ArrayLike, percentile: float = 99.0) -> NDArray[np.float64]:
    """A map on a scale of its own: 0 stays black, and what is above the percentile becomes white.

    Args:
        values: at least 0, (height, width).
        percentile: of the values, from 0 to 100; 100 gives white to the largest alone.

    Returns:
        from 0 to 1; zeros where there is nothing but zeros.

    >>> brightness([[0, 1], [2, 4]], percentile=100)
    array([[0.  , 0.25],
           [0.5 , 1.  ]])
    """
    shown = np.asarray(values, float)
    percentile = as_number(percentile, "percentile", 0)
    if percentile > 100:
        raise SizeError(f"percentile is {percentile:g}; give one from 0 to 100")
    top = float(np.percentile(shown, percentile)) or float(shown.max())
    return np.clip(shown / top, 0, 1) if top > 0 else np.zeros_like(shown)


def lit(image: ArrayLike, values: ArrayLike) -> NDArray[np.float64]:
    """A picture, dark where a coarse map is 0 and as it is where the map is largest.

    Args:
        image: (height, width, 3), from 0 to 1.
        values: (rows, columns), at least 0, such as :func:`cnnlib.seeing.grad_cam` makes.

    >>> lit(np.ones((2, 2, 3)), [[1, 0], [0, 1]])[..., 0].round(2)
    array([[1.  , 0.15],
           [0.15, 1.  ]])
    """
    colours = np.asarray(image, float)
    if colours.ndim != 3:
        raise ShapeError(f"a picture of shape {colours.shape} cannot be lit; it needs (height, width, 3)")
    light = resize(brightness(values, 100), *colours.shape[:2])
    return colours * (0.15 + 0.85 * np.clip(light, 0, 1))[..., None]


@styled
def table(
    rows: Mapping[str, Sequence[NDArray]],
    columns: Sequence[str] = (),
    frames: Mapping[str, Sequence[slice]] | None = None,
) -> Figure:
    """Rows of pictures, each under its title, all in squares of one size.

    Args:
        rows: for each title its pictures, (height, width) or (height, width, 3), from 0 to 1.
        columns: what stands above the columns.
        frames: for titles, the pixels of the first picture that are framed, one slice an axis.

    Raises:
        SizeError: there is no picture, or a row has another number of them than the titles of columns.
        ShapeError: what cannot be shown as a picture.
    """
    count = max((len(pictures) for pictures in rows.values()), default=0)
    if not count:
        raise SizeError("there is no picture to draw; give at least one row with one")
    if columns and any(len(pictures) != len(columns) for pictures in rows.values()):
        raise SizeError(f"{len(columns)} columns have titles, but rows have up to {count} pictures")
    size = (WIDTH - GAP * (count + 1)) / count
    size = min(size, 1.9)
    above = 0.05 + 1.25 * LINE * bool(columns)
    step = size + GAP + 1.15 * LINE
    height = above + step * len(rows)
    figure, axes = page(height, min(WIDTH, count * (size + GAP) + GAP))
    width = figure.get_figwidth()
    for column, title in enumerate(columns):
        axes.text(GAP + column * (size + GAP) + size / 2, above / 2 + 0.02, title, ha="center", va="center")
    for row, (title, pictures) in enumerate(rows.items()):
        top = above + row * step
        axes.text(GAP, top + LINE / 2, title, va="center", size=10)
        for column, values in enumerate(pictures):
            need_picture(values)
            left = GAP + column * (size + GAP)
            bottom = height - top - 1.1 * LINE - size
            panel = figure.add_axes((left / width, bottom / height, size / width, size / height))
            shown, many = _fewer(np.asarray(values, float), size)
            picture(panel, shown)
            if column == 0 and frames and title in frames:
                _frame(panel, frames[title], many)
    return figure


def _fewer(values: NDArray, size: float) -> tuple[NDArray, float]:
    """The picture of no more pixels than can be seen at this size in inches, and how many became one."""
    many = max(values.shape[:2]) / (size * PIXELS_AN_INCH)
    if many <= 1:
        return np.clip(values, 0, 1), 1.0
    height, width = (max(round(n / many), 1) for n in values.shape[:2])
    return np.clip(resize(values, height, width), 0, 1), many


def _frame(axes: Any, box: Sequence[slice], many: float) -> None:
    rows, columns = box
    corner = (columns.start / many - 0.5, rows.start / many - 0.5)
    sides = ((columns.stop - columns.start) / many, (rows.stop - rows.start) / many)
    for colour, width in (("paper", 4), ("highlight", 2.4)):  # seen on dark and on light ground
        axes.add_patch(
            Rectangle(
                corner,
                *sides,
                fill=False,
                edgecolor=COLOURS[colour],
                linewidth=width,
                zorder=3,
                clip_on=False,
            )
        )


@styled
def filters(weights: ArrayLike, silent: Collection[int] = (), columns: int = 8) -> Figure:
    """The filters of a first layer in colour: mid-grey is 0, and each has a scale of its own.

    Args:
        weights: (height, width, 3, filters).
        silent: the numbers of filters that are crossed out, because their maps never change.
        columns: how many stand in a row.

    Raises:
        ShapeError: the filters do not read three channels.
    """
    kernels = np.asarray(weights, float)
    if kernels.ndim != 4 or kernels.shape[2] != 3:
        raise ShapeError(
            f"weights of shape {kernels.shape} have no colours; it takes (height, width, 3, filters)"
        )
    count = kernels.shape[-1]
    rows = -(-count // as_int(columns, "columns"))
    figure = new_figure(0.05 + rows * (WIDTH / columns + 0.05))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for index, axes in enumerate(panels):
        if index >= count:
            axes.set_visible(False)
            continue
        one = kernels[..., index]
        picture(axes, 0.5 + one / (2 * (np.abs(one).max() or 1)))
        axes.set_title(str(index), size=10, pad=2)
        if index in silent:
            ends = np.array([-0.5, one.shape[0] - 0.5])
            for line in (ends, ends[::-1]):
                axes.plot(ends, line, color=COLOURS["paper"], linewidth=4)
                axes.plot(ends, line, color=COLOURS["ink"], linewidth=1.6)
            axes.set(xlim=ends, ylim=ends[::-1])
    return figure


@styled
def gram_by_hand(first: ArrayLike, second: ArrayLike) -> Figure:
    """Two small feature maps multiplied place by place and added up: the entries of their Gram matrix.

    Args:
        first, second: (height, width) of few small numbers.

    Raises:
        ShapeError: the maps differ in shape, or have not two axes.
    """
    maps = [np.asarray(values, float) for values in (first, second)]
    if maps[0].ndim != 2 or maps[0].shape != maps[1].shape:
        raise ShapeError(
            f"maps of shape {maps[0].shape} and {maps[1].shape}; give two of one (height, width)"
        )
    gram = gram_matrix(np.stack(maps, axis=-1)[None])[0]
    height, width = maps[0].shape
    colours, step = ("input", "kernel"), height + 1.15
    figure, axes = canvas(-0.3, 3 * width + 5.4, -0.9, 3 * step - 0.75)
    for row, (i, j) in enumerate(((0, 0), (0, 1), (1, 1))):
        top = row * step
        middle = top + height / 2
        for place, one in enumerate((i, j)):
            left = place * (width + 1)
            grid(axes, maps[one], left, top, colours[one], hatch="" if one == 0 else "//")
            axes.text(left + width / 2, top - 0.35, WORDS["map"].format(one + 1), ha="center", va="center")
        axes.text(width + 0.5, middle, TIMES, ha="center", va="center", size=14)
        axes.text(2 * width + 1.5, middle, "=", ha="center", va="center", size=14)
        products_at = 2 * width + 2
        grid(axes, maps[i] * maps[j], products_at, top, "padding")
        arrow(axes, (products_at + width + 0.1, middle), (products_at + width + 1.6, middle))
        axes.text(products_at + width + 0.8, middle - 0.35, WORDS["sum"], ha="center", va="center", size=10)
        cell = products_at + width + 1.8
        grid(axes, [[gram[i, j]]], cell, middle - 0.5, "output")
        axes.text(
            cell + 0.5, middle - 0.85, WORDS["gram"].format(i + 1, j + 1), ha="center", va="center", size=12
        )
    return figure


@styled
def distances(values: ArrayLike, names: Sequence[str], decimals: int = 2) -> Figure:
    """A table of distances, the nearer the darker; equal names that follow one another are framed together.

    Args:
        values: (n, n), at least 0.
        names: of rows and columns alike.
        decimals: how many are written.

    Raises:
        ShapeError: not as many rows and columns as names.
    """
    table_of = np.asarray(values, float)
    count = len(names)
    if table_of.shape != (count, count) or not count:
        raise ShapeError(f"distances of shape {table_of.shape} for {count} names; give one a pair")
    figure = new_figure(0.35 + 0.34 * count)
    axes = figure.subplots()
    limit = float(table_of.max()) or 1.0
    # White on dark and black on light both keep a contrast of more than 4.5 to 1.
    axes.imshow(table_of / limit, cmap="gray", vmin=-0.35, vmax=1.05, aspect="auto", interpolation="none")
    for (row, column), value in np.ndenumerate(table_of):
        shade = (value / limit + 0.35) / 1.4
        axes.text(
            column, row, f"{value:.{decimals}f}", ha="center", va="center", size=10,
            color=COLOURS["paper"] if shade < 0.46 else "black",
        )  # fmt: skip
    starts = [n for n in range(count) if n == 0 or names[n] != names[n - 1]]
    ends = [*starts[1:], count]
    for start, end in zip(starts, ends, strict=True):
        corner, side = (start - 0.5, start - 0.5), end - start
        axes.add_patch(
            Rectangle(
                corner, side, side, fill=False, edgecolor=COLOURS["highlight"], linewidth=2.8, clip_on=False
            )
        )
    middles = [(start + end - 1) / 2 for start, end in zip(starts, ends, strict=True)]
    axes.set_xticks(middles, [names[n] for n in starts])
    axes.set_yticks(middles, [names[n] for n in starts], rotation=90, va="center")
    axes.tick_params(length=0, labelsize=11, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    return figure


@styled
def losses(history: ArrayLike) -> Figure:
    """How the parts of a style transfer's loss change from step to step, on a logarithmic scale.

    Args:
        history: (steps + 1, 3), such as :class:`cnnlib.seeing.Styled` has; zeros are left out.

    Raises:
        ShapeError: another shape.
    """
    values = np.array(history, float)
    if values.ndim != 2 or values.shape[1] != 3 or not len(values):
        raise ShapeError(f"a history of shape {values.shape}; it has (steps + 1, 3)")
    figure = new_figure(2.7, 4.8)
    axes = figure.subplots()
    values[values <= 0] = np.nan
    for name, line, style in zip(WORDS["losses"], values.T, ("-", "--", ":"), strict=True):
        axes.plot(range(len(line)), line, style, label=name)
    axes.set(yscale="log", xlabel=WORDS["step"], ylabel=WORDS["loss"])
    axes.yaxis.set_major_formatter(lambda value, _: number(value))
    axes.legend(loc="upper right", ncols=3, bbox_to_anchor=(1, 1.16))
    return figure
