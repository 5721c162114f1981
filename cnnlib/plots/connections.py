"""Who is connected with whom: pictures as rows, moved and shuffled pictures, three layers. Chapter 1.

Connections, counts and shifts come from :mod:`cnnlib.connections`; what is measured on pictures only for
these figures (:func:`neighbour_correlation`, :func:`shift_distances`) stands here, beside its drawing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike, NDArray

from cnnlib.connections import KINDS, connection_ids, counts, shift
from cnnlib.errors import ShapeError, SizeError
from cnnlib.functional import dense
from cnnlib.plots import pieces
from cnnlib.plots.style import COLOURS, WIDTH, bare, new_figure, styled
from cnnlib.sizes import PerAxis, as_int, dense_parameters

#: Every word in these figures; a translation replaces the values.
WORDS = {
    "picture": "picture",
    "flattened": "flattened",
    "score": "score",
    "ordered": "as taken",
    "shuffled": "pixels shuffled",
    "distance": "distance between two pixels of a row",
    "correlation": "correlation",
    "shift": "shifted to the right by (pixels)",
    "apart": "distance between pictures",
    "moved": "a digit and its shifted self",
    "typical": "two digits, typically",
    "nearest": "nearest other picture",
    "nearest_class": "nearest of another digit",
    "pixels": "pixels of the picture",
    "parameters": "parameters of the first layer",
    "memory": "1 GiB",
    "dense": "dense",
    "local": "locally connected",
    "convolution": "convolution",
    "units": "dense, {:,} outputs",
    "as_many": "dense, as many outputs",
    "time": "1-D: samples of a recording",
    "image": "2-D: pixels of a picture",
    "video": "3-D: pixels of a video",
    "counts": "{name}: {lines} connections, {weights} weights",
    "inputs": "inputs",
    "outputs": "outputs",
    "accuracy": "digits recognised",
    "guessing": "guessing",
}

#: How the weights of a small kernel are told apart: colour, line, and hatching of the cell.
TAPS = (("kernel", "-", ""), ("third", "--", "///"), ("second", ":", "..."), ("highlight", "-.", "xx"))
#: The lines of a chart: colour, line and marker.
LINES: tuple[dict[str, Any], ...] = tuple(
    {"color": COLOURS[colour], "linestyle": dash, "marker": marker}
    for colour, dash, marker in (
        ("third", "-", "o"),
        ("highlight", "--", "s"),
        ("output", "-.", "^"),
        ("second", ":", "D"),
    )
)
#: Charts are narrower than pictures, so that the page enlarges their text with them.
CHART_WIDTH = 5.2


@styled
def scores(picture: ArrayLike, templates: Mapping[str, ArrayLike]) -> Figure:
    """A small picture, flattened to a row, and the score that each template gives it.

    Args:
        picture: array (height, width) of small numbers.
        templates: name → array (height, width); the rows of the weight matrix, in the shape of the picture.

    Raises:
        ShapeError: no (height, width), or a template of another shape.
    """
    pixels = np.asarray(picture, float)
    weights = {name: np.asarray(values, float) for name, values in templates.items()}
    if pixels.ndim != 2 or any(w.shape != pixels.shape for w in weights.values()) or not weights:
        raise ShapeError(
            f"a picture of shape {pixels.shape} and templates of shape {[w.shape for w in weights.values()]} "
            "do not go together; all need the same (height, width)"
        )
    height, width = pixels.shape
    results = dense(pixels.reshape(1, -1), np.stack([w.ravel() for w in weights.values()], axis=1))[0]
    shown = {WORDS["picture"]: pixels, **weights}
    left, pitch = 2.9, width + 1.2
    right = left + max(pixels.size + 2.2, len(shown) * pitch)
    below = height + 1.3
    figure, axes = pieces.canvas(-0.1, right, -0.85, below + 1.35 * len(shown) + 0.35)
    for place, (name, values) in enumerate(shown.items()):
        colour = "kernel" if place else "input"
        pieces.grid(axes, values, left + place * pitch, 0, colour)
        axes.text(left + place * pitch + width / 2, -0.12, name, ha="center", va="bottom", weight="bold")
        top = below + 1.35 * place
        pieces.grid(axes, values.reshape(1, -1), left, top, colour)
        label = name if place else WORDS["flattened"]
        axes.text(left - 0.25, top + 0.5, label, ha="right", va="center", size=10)
        if place:
            pieces.grid(axes, [[results[place - 1]]], left + pixels.size + 1.1, top, "output")
            axes.text(left + pixels.size + 0.55, top + 0.5, "=", ha="center", va="center", size=13)
    axes.text(left + pixels.size + 1.6, below + 1.2, WORDS["score"], ha="center", va="bottom", weight="bold")
    for row in range(1, height):
        cut = left + row * width
        axes.plot((cut, cut), (below - 0.15, below + 1.15), color=COLOURS["ink"], lw=2.4)
    return figure


@styled
def templates(kernel: ArrayLike, shape: Sequence[int], names: Sequence[str] = (), columns: int = 5) -> Figure:
    """The columns of a dense layer's weights, each in the shape of the pictures that it reads.

    Args:
        kernel: array (inputs, units), as Keras stores it.
        shape: (height, width) of the pictures that were flattened.
        names: of the units; their numbers, if not given.
        columns: how many stand in a row.

    Raises:
        ShapeError: the weights have not as many inputs as the pictures have pixels.
    """
    weights = np.asarray(kernel, float)
    height, width = shape
    if weights.ndim != 2 or weights.shape[0] != height * width:
        raise ShapeError(
            f"weights of shape {weights.shape} do not read pictures of {height}x{width}; "
            f"they need ({height * width}, units)"
        )
    units = weights.shape[1]
    names = names or [str(unit) for unit in range(units)]
    rows = -(-units // columns)
    figure = new_figure(rows * (WIDTH / columns * height / width + 0.3))
    scale = np.abs(weights).max()
    panels = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for unit, axes in enumerate(panels):
        axes.set_visible(unit < units)
        if unit < units:
            pieces.kernel_picture(axes, weights[:, unit].reshape(height, width), scale)
            axes.set_title(names[unit], pad=3)
    return figure


def neighbour_correlation(image: ArrayLike, distance: int) -> float:
    """How well a pixel tells the one so far to its right: their correlation over the whole picture.

    Args:
        image: array (height, width).
        distance: pixels; smaller than the width.

    >>> ramp = np.tile(np.arange(8.0), (4, 1))
    >>> round(neighbour_correlation(ramp, 1), 6)
    1.0
    """
    grey = np.asarray(image, float)
    if grey.ndim != 2:
        raise ShapeError(f"an image of shape {grey.shape} has no single brightness; give (height, width)")
    apart = as_int(distance, "distance")
    if apart > grey.shape[1] - 1:
        raise SizeError(f"no two pixels of a row of {grey.shape[1]} are {apart} apart")
    return float(np.corrcoef(grey[:, :-apart].ravel(), grey[:, apart:].ravel())[0, 1])


@styled
def neighbours(
    image: NDArray, shuffled: NDArray, others: Mapping[str, NDArray], distances: Sequence[int]
) -> Figure:
    """A picture and its pixels in another order; below, how alike pixels are that lie so far apart.

    Args:
        image, shuffled: arrays (height, width), from 0 to 1.
        others: name → array (height, width), for the chart.
        distances: pixels, rising.
    """
    figure = new_figure(5.3)
    top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.1))[:, 0]
    for axes, values, word in zip(
        top.subplots(1, 2), (image, shuffled), ("ordered", "shuffled"), strict=True
    ):
        pieces.picture(axes, values, title=WORDS[word])
    axes = bottom.subplots()
    curves = {**others, WORDS["shuffled"]: shuffled}
    for looks, (name, values) in zip(LINES, curves.items(), strict=False):
        found = [neighbour_correlation(values, distance) for distance in distances]
        axes.plot(distances, found, label=name, markersize=5, **looks)
    axes.set_xscale("log", base=2)
    axes.set_xticks(distances, [str(distance) for distance in distances])
    axes.set(xlabel=WORDS["distance"], ylabel=WORDS["correlation"], ylim=(-0.15, 1.05), yticks=(0, 0.5, 1))
    axes.axhline(0, color=COLOURS["ink"], linewidth=0.6)
    bottom.legend(loc="outside lower center", ncols=len(curves))
    return figure


class ShiftDistances(NamedTuple):
    """How far pictures are from their shifted selves, and from one another (Euclidean, over all pixels).

    Attributes:
        moved: array (shifts, pictures), from each picture to itself, shifted.
        nearest: array (pictures,), to the nearest other picture.
        nearest_class: array (pictures,), to the nearest picture of another class.
        typical: array (pictures,), the median over all other pictures.
    """

    moved: NDArray[np.floating]
    nearest: NDArray[np.floating]
    nearest_class: NDArray[np.floating]
    typical: NDArray[np.floating]


def shift_distances(images: ArrayLike, labels: ArrayLike, shifts: Sequence[int]) -> ShiftDistances:
    """Compare the distance to a shifted copy with the distances to all other pictures.

    Args:
        images: array (pictures, height, width).
        labels: array (pictures,), the class of each; at least two classes.
        shifts: pixels to the right.

    >>> dots = np.eye(4).reshape(4, 1, 4)
    >>> found = shift_distances(dots, [0, 0, 1, 1], [1])
    >>> found.moved.round(2), found.nearest_class.round(2)
    (array([[1.41, 1.41, 1.41, 1.  ]]), array([1.41, 1.41, 1.41, 1.41]))
    """
    pictures, classes = np.asarray(images, float), np.asarray(labels)
    if pictures.ndim != 3 or classes.shape != pictures.shape[:1] or len(set(classes.tolist())) < 2:
        raise ShapeError(
            f"pictures of shape {pictures.shape} with labels of shape {classes.shape} cannot be compared; "
            "give (pictures, height, width) and one label each, of two classes or more"
        )
    rows = pictures.reshape(len(pictures), -1)
    squares = (rows**2).sum(axis=1)
    apart = np.sqrt(np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0))
    np.fill_diagonal(apart, np.nan)
    elsewhere = np.where(classes[:, None] == classes, np.nan, apart)
    moved = [
        np.sqrt(((shift(pictures[..., None], (0, s))[..., 0] - pictures) ** 2).sum(axis=(1, 2)))
        for s in shifts
    ]
    return ShiftDistances(
        np.array(moved), np.nanmin(apart, 1), np.nanmin(elsewhere, 1), np.nanmedian(apart, 1)
    )


@styled
def shifted(examples: NDArray, found: ShiftDistances, shifts: Sequence[int]) -> Figure:
    """Shifted copies of a picture, and how far copies are from the original.

    Args:
        examples: array (height, width), one picture from 0 to 1.
        found: of :func:`shift_distances`.
        shifts: the shifts of its rows.

    Raises:
        ShapeError: not one row of distances for every shift.
    """
    if len(found.moved) != len(shifts):
        raise ShapeError(f"{len(found.moved)} rows of distances for {len(shifts)} shifts; give one each")
    figure = new_figure(4.6)
    top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 2.3))[:, 0]
    for axes, amount in zip(top.subplots(1, len(shifts)), shifts, strict=True):
        copy = shift(examples[None, ..., None], (0, amount))[0, ..., 0]
        pieces.picture(axes, copy, title=pieces.number(amount))
    axes = bottom.subplots()
    middle = np.median(found.moved, axis=1)
    low, high = np.percentile(found.moved, (25, 75), axis=1)
    axes.fill_between(shifts, low, high, color=COLOURS["third"], alpha=0.2, linewidth=0)
    axes.plot(shifts, middle, label=WORDS["moved"], **LINES[0])
    for name, looks in (("typical", "-."), ("nearest_class", "--"), ("nearest", ":")):
        level = float(np.median(getattr(found, name)))
        axes.axhline(level, color=COLOURS["ink"], linestyle=looks, linewidth=1.3)
        axes.annotate(
            WORDS[name], (shifts[-1], level), (0, -3), textcoords="offset points", ha="right", va="top"
        )
    axes.set(xlabel=WORDS["shift"], ylabel=WORDS["apart"], xticks=list(shifts))
    axes.set_ylim(0, max(high.max(), float(np.median(found.typical))) * 1.05)
    axes.annotate(
        WORDS["moved"],
        (shifts[1], middle[1]),
        (8, -16),
        textcoords="offset points",
        color=COLOURS["third"],
        weight="bold",
    )
    return figure


@styled
def growth(
    pictures: Mapping[str, tuple[int, int]],
    kernel_size: PerAxis = 5,
    filters: int = 6,
    units: int = 1000,
) -> Figure:
    """How many parameters the first layer takes for larger and larger colour pictures.

    Args:
        pictures: name → (height, width).
        kernel_size, filters: of the convolution and of the locally connected layer.
        units: outputs of a dense layer that does not grow with the picture.
    """
    shapes = [(1, height, width, 3) for height, width in pictures.values()]
    sizes = [height * width for height, width in pictures.values()]
    curves: dict[str, list[int]] = {WORDS["as_many"]: [], WORDS["units"].format(units): []}
    curves |= {WORDS["local"]: [], WORDS["convolution"]: []}
    for shape, pixels in zip(shapes, sizes, strict=True):
        found = [counts(kind, shape, kernel_size, filters).parameters for kind in KINDS]
        row = (found[0], dense_parameters(3 * pixels, units), found[1], found[2])
        for curve, value in zip(curves.values(), row, strict=True):
            curve.append(value)
    figure = new_figure(4.8, CHART_WIDTH)
    axes = figure.subplots()
    for looks, (name, values) in zip(LINES, curves.items(), strict=True):
        axes.loglog(sizes, values, markersize=5, label=name, **looks)
    axes.axhline(2**30 / 4, color=COLOURS["ink"], linewidth=0.9, linestyle=(0, (1, 3)))
    axes.annotate(
        WORDS["memory"], (sizes[-1], 2**30 / 4), (0, 2), textcoords="offset points", ha="right", va="bottom"
    )
    axes.set_xticks(sizes, list(pictures))
    axes.set_xticks([], minor=True)
    axes.set(xlabel=WORDS["pixels"], ylabel=WORDS["parameters"])
    axes.margins(x=0.06, y=0.07)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


@styled
def grids(signal: ArrayLike, picture: NDArray, video: NDArray, window: int = 5) -> Figure:
    """Data on grids of one, two and three axes, and a small window on each.

    Args:
        signal: array (m,).
        picture: array (height, width), from 0 to 1.
        video: array (frames, height, width), from 0 to 1.
        window: how many neighbours along each axis the window holds; three frames of the video.

    Raises:
        ShapeError: another number of axes.
    """
    row = np.asarray(signal, float)
    if (row.ndim, picture.ndim, video.ndim) != (1, 2, 3):
        raise ShapeError(
            f"grids of shape {row.shape}, {picture.shape} and {video.shape}: give (m,), (height, width) and "
            "(frames, height, width)"
        )
    figure = new_figure(4.6)
    top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 2))[:, 0]
    axes = top.subplots()
    axes.plot(row, color=COLOURS["third"], marker=".", markersize=5, linewidth=1)
    start = int(row.argmax()) - window // 2
    axes.axvspan(start - 0.5, start + window - 0.5, facecolor=(COLOURS["kernel"], 0.4), edgecolor="none")
    for edge in (start - 0.5, start + window - 0.5):
        axes.axvline(edge, color=COLOURS["highlight"], linewidth=2.4)
    bare(axes).set_title(WORDS["time"], loc="left")
    left, right = bottom.subplots(1, 2, width_ratios=(1, 1.35))
    corner = (picture.shape[1] // 2 - window // 2 - 0.5, picture.shape[0] // 2 - window // 2 - 0.5)
    pieces.picture(left, picture)
    left.set_title(WORDS["image"], loc="left")
    pieces.outline(left, *corner, window, window)
    _frames(right, video, window)
    right.set_title(WORDS["video"], loc="left")
    return figure


def _frames(axes: Axes, video: NDArray, window: int) -> None:
    """Frames behind one another, the first in front, with a window that is three frames deep."""
    count, height, width = video.shape
    step = 0.16 * width
    bare(axes)
    for frame in reversed(range(count)):
        away = frame * step
        bounds = (away, away + width, height - away, -away)
        axes.imshow(
            video[frame],
            extent=bounds,
            cmap=pieces.GREYS,
            vmin=0,
            vmax=1,
            interpolation="none",
            zorder=-frame,
        )
        edge = Rectangle((away, -away), width, height, fill=False, edgecolor=COLOURS["ink"], lw=0.8)
        edge.set_zorder(0.5 - frame)
        axes.add_patch(edge)
        if frame < 3:
            corner = (away + width - window - 1, -away + 1)
            side = Rectangle(corner, window, window, fill=False, edgecolor=COLOURS["highlight"], lw=2.4)
            side.set_zorder(0.6 - frame)
            axes.add_patch(side)
    axes.set(xlim=(-1, (count - 1) * step + width + 1), ylim=(height + 1, -(count - 1) * step - 1))
    axes.set_aspect("equal")


@styled
def layers(size: int, kernel_size: int, stride: int = 1) -> Figure:
    """Three layers between the same inputs and outputs: a matrix of numbered weights, and a network.

    Every row of a matrix is an output, every column an input; an empty cell is no connection, equal numbers
    are one shared weight.

    Args:
        size: inputs, on one axis.
        kernel_size, stride: of the convolution.

    Raises:
        SizeError: the kernel does not fit, or has more weights than there are looks to tell them apart.
    """
    if kernel_size > len(TAPS):
        raise SizeError(f"kernel {kernel_size} has more than {len(TAPS)} weights to be told apart")
    cell = 0.34
    matrices = {kind: connection_ids(kind, (size,), kernel_size, stride) for kind in KINDS}
    places = len(matrices["dense"])
    tall = max(places * cell, 1.3)
    block = tall + 0.55
    figure, axes = pieces.page(len(KINDS) * block + 0.05)
    for number, (kind, ids) in enumerate(matrices.items()):
        top = number * block + 0.42
        lines = int((ids > 0).sum())
        weights = len(np.unique(ids[ids > 0]))
        title = WORDS["counts"].format(name=WORDS[kind], lines=lines, weights=weights)
        axes.text(0.1, top - 0.12, title, va="bottom", weight="bold", size=11)
        for (output, entry), weight in np.ndenumerate(ids):
            colour, _, hatch = _look(kind, weight)
            corner = (0.1 + entry * cell, top + output * cell)
            fill: Any = (COLOURS[colour], 0.35) if weight else COLOURS["paper"]
            looks: dict[str, Any] = {"hatch": hatch, "hatch_linewidth": 0.4} if weight else {}
            edge = COLOURS["ink"] if weight else COLOURS["faint"]
            patch = Rectangle(corner, cell, cell, facecolor=fill, edgecolor=edge, lw=0.7, **looks)
            patch.set_zorder(2 if weight else 1)
            axes.add_patch(patch)
            if weight:
                axes.text(
                    corner[0] + cell / 2,
                    corner[1] + cell / 2,
                    str(weight),
                    ha="center",
                    va="center",
                    size=10,
                    bbox=pieces.PLATE | {"pad": 0.8} if hatch else None,
                )
        _network(
            axes,
            kind,
            ids,
            matrices["convolution"] > 0,
            (0.1 + size * cell + 0.5, WIDTH - 0.3),
            (top + 0.12, top + tall - 0.14),
        )
    return figure


def _look(kind: str, weight: Any) -> tuple[str, str, str]:
    """Colour, line and hatching of a connection: a convolution's weights are told apart, others are many."""
    if kind == "convolution" and weight:
        return TAPS[weight - 1]
    return ("input" if kind == "dense" else "output", "-", "")


def _network(
    axes: Axes,
    kind: str,
    ids: NDArray,
    seen: NDArray[np.bool_],
    across: tuple[float, float],
    down: tuple[float, float],
) -> None:
    """Outputs above, inputs below, a line for every connection."""
    inputs = ids.shape[1]
    x = np.linspace(*across, inputs)
    y = [x[row].mean() for row in seen]  # above the middle of its window
    for (output, entry), weight in np.ndenumerate(ids):
        if weight:
            colour, dash, _ = _look(kind, weight)
            looks: dict[str, Any] = (
                {"color": COLOURS[colour], "linestyle": dash, "lw": 2}
                if kind == "convolution"
                else {"color": COLOURS["ink"], "lw": 0.8}
            )
            axes.plot((x[entry], y[output]), (down[1], down[0]), zorder=1, **looks)
    for places, level, colour in ((x, down[1], "input"), (y, down[0], "output")):
        for place in places:
            axes.add_patch(Circle((place, level), 0.1, facecolor=COLOURS["paper"], zorder=2))
            axes.add_patch(
                Circle((place, level), 0.1, facecolor=(COLOURS[colour], 0.5), edgecolor="black", zorder=3)
            )


@styled
def matrices(spatial: Sequence[int], kernel_size: PerAxis, strides: PerAxis = 1) -> Figure:
    """The connections of three layers on a picture, as matrices too large for numbers: a colour a weight."""
    figure = new_figure(6.2, WIDTH - 0.4)
    shades = matplotlib.colormaps["viridis"].with_extremes(bad=COLOURS["paper"])
    for axes, kind in zip(figure.subplots(len(KINDS), 1), KINDS, strict=True):
        ids = connection_ids(kind, spatial, kernel_size, strides).astype(float)
        ids[ids == 0] = np.nan
        axes.imshow(ids, cmap=shades, interpolation="none")
        lines, weights = int((ids > 0).sum()), len(np.unique(ids[ids > 0]))
        axes.set_title(
            WORDS["counts"].format(name=WORDS[kind], lines=lines, weights=weights), loc="left", weight="bold"
        )
        axes.set(xticks=[], yticks=[], ylabel=WORDS["outputs"])
        axes.spines[:].set(visible=True, linewidth=0.7)
    axes.set_xlabel(WORDS["inputs"])
    return figure


@styled
def accuracies(results: Mapping[str, Mapping[str, float]], guessing: float) -> Figure:
    """How many pictures each network recognises, of each kind of pictures.

    Args:
        results: network → kind of pictures → share from 0 to 1; the same kinds for all.
        guessing: the share that guessing would give, drawn as a dotted line.

    Raises:
        ShapeError: not all networks have the same kinds.
    """
    kinds = list(next(iter(results.values()), {}))
    if not kinds or any(list(found) != kinds for found in results.values()):
        raise ShapeError("results needs the same kinds of pictures for every network, and at least one")
    figure = new_figure(0.9 + 0.34 * len(results) * len(kinds), WIDTH - 0.2)
    axes = figure.subplots()
    thick = 0.8 / len(kinds)
    looks = (("third", ""), ("kernel", "///"), ("output", "..."))
    for place, kind in enumerate(kinds):
        values = [found[kind] for found in results.values()]
        y = np.arange(len(results)) + (place - (len(kinds) - 1) / 2) * thick
        colour, hatch = looks[place % len(looks)]
        axes.barh(
            y,
            values,
            thick * 0.92,
            facecolor=(COLOURS[colour], 0.6),
            edgecolor=COLOURS["ink"],
            linewidth=0.8,
            hatch=hatch,
            label=kind,
        )
        for height, value in zip(y, values, strict=True):
            axes.text(value + 0.012, height, f"{value:.0%}", va="center", size=10)
    axes.axvline(guessing, color=COLOURS["ink"], linestyle=":", linewidth=1.4)
    axes.text(guessing, -0.62, WORDS["guessing"], ha="center", va="bottom", size=10)
    axes.set_yticks(range(len(results)), list(results))
    axes.set(xlim=(0, 1.08), ylim=(len(results) - 0.5, -0.65), xticks=(0, 0.25, 0.5, 0.75, 1))
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel(WORDS["accuracy"])
    figure.legend(loc="outside upper right", ncols=len(kinds))
    return figure
