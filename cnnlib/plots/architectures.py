"""The classic networks compared: who won when, who sees whom, where memory and parameters go. Chapter 12.

Whole networks are drawn by :mod:`cnnlib.plots.network`. Counts come from :mod:`cnnlib.summary`; the results
of the competition, which nobody can compute, stand in :data:`ILSVRC`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import ArrayLike, NDArray

from cnnlib.convolution import as_floats, conv
from cnnlib.errors import ShapeError, SizeError
from cnnlib.layers import Conv2D, Dense
from cnnlib.network import Model
from cnnlib.plots.pieces import arrow, by, canvas, labelled, page
from cnnlib.plots.style import COLOURS, WIDTH, bare, new_figure, styled
from cnnlib.sizes import as_int, item_bytes, per_axis
from cnnlib.summary import Row, Summary

#: Every word in these figures; a translation replaces the values.
WORDS: dict[str, Any] = {
    "error": "top-5 error (%)",
    "by_hand": "features made by hand",
    "cnn": "convolutional networks",
    "person": "a person who trained for it",
    "someone": "person",
    "layers": "{count} layers",
    "maps": "maps of S2",
    "filters": "filters of C3",
    "seen": "maps seen",
    "readers": "filters that see it",
    "input": "input",
    "tower": "tower {number}",
    "stripes": "stripes",
    "stride": "stride {size}",
    "place": "place (pixels)",
    "memory": "activations (MiB)",
    "parameters": "parameters (million)",
    "conv": "convolution",
    "pool": "pooling",
    "dense": "dense",
    "other": "the rest",
    "batch": "images in a batch",
    "gibibytes": "memory (GiB)",
    "kept": "activations",
    "weights": "weights, gradient, momentum",
    "even": "{count:.1f} images",
    "shares": ("parameters", "MACs", "activations"),
    "share": "share of the whole (%)",
}

MIB, GIB = 2**20, 2**30
#: Charts are narrower than pictures, so that the page enlarges their text with them.
CHART_WIDTH = 4.9

#: How each kind of layer is filled: colour and hatch.
KINDS = {
    "conv": ("output", ""),
    "pool": ("second", "////"),
    "dense": ("third", "\\\\\\"),
    "other": ("faint", ""),
}


#: How each kind of result is filled: colour and hatch.
RESULTS = {"by_hand": ("padding", "////"), "cnn": ("output", ""), "person": ("kernel", "xx")}


class Entry(NamedTuple):
    """One result in the classification task of ILSVRC.

    Attributes:
        year: of the competition.
        name: of the entry.
        error: the share of test images whose class is not among the five best guesses, in per cent.
        layers: with weights, in the deepest of its networks; 0 where it is no network.
        what: how the number came about.
    """

    year: int
    name: str
    error: float
    layers: int
    what: str


#: The winners, and VGG, the second of 2014, without data from outside the competition: O. Russakovsky et al.,
#: *ImageNet large scale visual recognition challenge*, IJCV 115 (2015), Table 5; K. He et al., *Deep residual
#: learning for image recognition*, CVPR 2016, for 2015. Layers are those of the papers. Clarifai's
#: are those of ZFNet, by whose method its networks were chosen.
ILSVRC = (
    Entry(2010, "NEC-UIUC", 28.2, 0, "SIFT and LBP features, support vector machines"),
    Entry(2011, "XRCE", 25.8, 0, "Fisher vectors, support vector machines"),
    Entry(2012, "AlexNet", 16.4, 8, "5 networks"),
    Entry(2013, "Clarifai", 11.7, 8, "several networks of ZFNet's kind"),
    Entry(2014, "VGG", 7.3, 19, "7 networks; second place"),
    Entry(2014, "GoogLeNet", 6.7, 22, "7 networks"),
    Entry(2015, "ResNet", 3.57, 152, "6 networks"),
)
#: The error of the better of two people who trained for it, on 1,500 of the test images (the same paper).
HUMAN_ERROR = 5.1


@styled
def timeline(entries: Sequence[Entry] = ILSVRC, human: float = HUMAN_ERROR) -> Figure:
    """A bar for each entry of the competition, with its error, its depth, and the error of a person.

    Raises:
        SizeError: there is no entry.
    """
    if not entries:
        raise SizeError("entries is empty; give at least one result to draw")
    bars = [(entry.error, entry.layers, "cnn" if entry.layers else "by_hand") for entry in entries]
    bars.append((human, 0, "person"))
    figure = new_figure(0.6 + 0.36 * len(bars))
    axes = figure.subplots()
    for place, (error, layers, word) in enumerate(bars):
        colour, hatch = RESULTS[word]
        axes.barh(place, error, 0.7, color=COLOURS[colour], edgecolor=COLOURS["ink"], hatch=hatch, lw=0.7)
        depth = ", " + WORDS["layers"].format(count=layers) if layers else ""
        axes.text(error + 0.4, place, f"{error:g}{depth}", va="center", size=11)
    names = [f"{entry.year}  {entry.name}" for entry in entries]
    axes.set_yticks(range(len(bars)), [*names, WORDS["someone"]], size=11)
    axes.tick_params(axis="y", length=0)
    longest = max(error for error, *_ in bars)
    axes.set(xlabel=WORDS["error"], xlim=(0, longest * 1.42), ylim=(len(bars) - 0.5, -0.5))
    axes.legend(
        handles=[
            Patch(facecolor=COLOURS[colour], hatch=hatch, edgecolor=COLOURS["ink"], label=WORDS[word])
            for word, (colour, hatch) in RESULTS.items()
        ],
        loc="lower right",
        handlelength=1.3,
        borderaxespad=0,
    )
    return figure


@styled
def partial_table(table: Sequence[Sequence[int]], channels: int) -> Figure:
    """Which maps each filter sees: a row a map, a column a filter, with the sums of both.

    Args:
        table: for each filter, the maps that it sees, counted from zero.
        channels: the number of maps.

    Raises:
        SizeError: a filter sees a map that is not there.
    """
    channels = as_int(channels, "channels")
    wrong = next((channel for seen in table for channel in seen if not 0 <= channel < channels), None)
    if wrong is not None:
        raise SizeError(f"a filter sees map {wrong}, but there are only the maps 0 to {channels - 1}")
    filters = len(table)
    figure, axes = canvas(-1.6, filters + 2.5, -1.9, channels + 2.3)
    for column, seen in enumerate(table):
        axes.text(column + 0.5, -0.35, f"{column}", ha="center", va="center", size=10)
        axes.text(column + 0.5, channels + 0.55, f"{len(seen)}", ha="center", va="center", size=10)
        for row in range(channels):
            there = row in seen
            fill = (COLOURS["kernel"], 0.65) if there else COLOURS["paper"]
            axes.add_patch(Rectangle((column, row), 1, 1, facecolor=fill, edgecolor=COLOURS["ink"], lw=0.7))
            if there:
                axes.text(column + 0.5, row + 0.52, "×", ha="center", va="center", size=11)
    for row in range(channels):
        axes.text(-0.4, row + 0.52, f"{row}", ha="center", va="center", size=10)
        readers = sum(row in seen for seen in table)
        axes.text(filters + 0.6, row + 0.52, f"{readers}", ha="center", va="center", size=10)
    axes.text(filters / 2, -1.25, WORDS["filters"], ha="center", va="center")
    axes.text(-1.2, channels / 2, WORDS["maps"], ha="center", va="center", rotation=90)
    axes.text(filters / 2, channels + 1.45, WORDS["seen"], ha="center", va="center")
    axes.text(filters + 1.7, channels / 2, WORDS["readers"], ha="center", va="center", rotation=90)
    return figure


@styled
def towers(model: Model) -> Figure:
    """A network in two towers: each convolution and dense layer as two halves, and who reads whom.

    A convolution in two groups reads its own tower only; everything else reads both.

    Raises:
        ShapeError: no convolution of the network has two groups.
    """
    layers = [layer for layer in model.layers if isinstance(layer, Conv2D | Dense)]
    if not any(getattr(layer, "groups", 1) == 2 for layer in layers):
        raise ShapeError(f"{model.name} has no convolution in two groups, so it has no towers to draw")
    shapes = {row.name: row.output_shape for row in model.summary().rows}
    places, wide, pitch = (1.7, WIDTH - 1.7), 1.75, 0.78
    figure, axes = page(0.9 + pitch * len(layers))
    top = 0.5
    for number, x in enumerate(places, start=1):
        axes.text(x, 0.14, WORDS["tower"].format(number=number), ha="center", va="center", weight="bold")
    labelled(axes, WIDTH / 2, top, 1.65, [f"{WORDS['input']}  {by(model.input_shape[1:])}"], "input")
    before: list[tuple[float, float]] = [(WIDTH / 2, top + 0.15)]
    for place, layer in enumerate(layers):
        middle = top + pitch * (place + 1)
        shape = shapes[layer.name][1:]
        last = place == len(layers) - 1
        halves = (WIDTH / 2,) if last else places
        shown = (*shape[:-1], shape[-1] // len(halves))
        kernel = f"  {by(per_axis(layer.kernel_size, 2, 'kernel_size'))}" if isinstance(layer, Conv2D) else ""
        colour = "output" if isinstance(layer, Conv2D) else "third"
        for side, x in enumerate(halves):
            labelled(axes, x, middle, wide, [f"{layer.name}{kernel}", by(shown)], colour)
            own = getattr(layer, "groups", 1) == 2
            for other, (start, foot) in enumerate(before):
                if own and other != side:
                    continue
                crossing = len(before) > 1 and other != side and not last
                looks: dict[str, Any] = {"linestyle": "--", "color": COLOURS["highlight"]} if crossing else {}
                near = x + (0.25 if start > x else -0.25) * (start != x) * (not last)
                arrow(axes, (start, foot), (near, middle - 0.24), **looks)
        before = [(x, middle + 0.24) for x in halves]
    return figure


@styled
def aliasing(stripes: ArrayLike, kernel: ArrayLike, strides: Sequence[int]) -> Figure:
    """A row of fine stripes, and what a filter answers to it at several strides; stride 1 as a thin line.

    Args:
        stripes: array (places,).
        kernel: the filter, array (taps,).
        strides: one panel each.

    Raises:
        ShapeError: not a row each.
        SizeError: the filter does not fit, or there is no stride.
    """
    row, taps = as_floats(stripes, "stripes"), as_floats(kernel, "kernel")
    if row.ndim != 1 or taps.ndim != 1:
        raise ShapeError(f"stripes of shape {row.shape} and a filter of shape {taps.shape} are no rows")
    if not strides:
        raise SizeError("strides is empty; give at least one to draw")
    every = answers(row, taps, 1)
    start = (len(taps) - 1) / 2  # the pixel in the middle of the first window
    figure = new_figure(1.0 + 1.45 * len(strides))
    heights = (0.35, *[1] * len(strides))
    first, *panels = figure.subplots(1 + len(strides), 1, sharex=True, height_ratios=heights)
    first.imshow(row[None], cmap="gray", aspect="auto", extent=(-0.5, len(row) - 0.5, 0, 1))
    first.set_title(WORDS["stripes"], loc="left")
    bare(first)
    for axes, stride in zip(panels, strides, strict=True):
        some = answers(row, taps, stride)
        places = start + stride * np.arange(len(some))
        axes.plot(start + np.arange(len(every)), every, color=COLOURS["padding"], linewidth=1.2)
        axes.plot(places, some, "o-", color=COLOURS["third"], markersize=4.5)
        axes.set_title(WORDS["stride"].format(size=stride), loc="left")
        axes.set_yticks([0])
        axes.axhline(0, color=COLOURS["faint"], linewidth=1, zorder=0)
    first.tick_params(bottom=False, labelbottom=False)
    panels[-1].set_xlabel(WORDS["place"])
    panels[-1].set_xticks(range(0, len(row) + 1, 10))
    return figure


def answers(row: NDArray, taps: NDArray, stride: int) -> NDArray[np.floating]:
    """What a filter answers along a row.

    >>> answers(np.array([1.0, 2, 3, 4]), np.array([-1.0, 1]), stride=2)
    array([1., 1.])
    """
    return conv(row[None, :, None], taps[:, None, None], strides=stride)[0, :, 0]


def kind(row: Row) -> str:
    """What a row of a summary is: ``conv``, ``pool``, ``dense`` or ``other``.

    >>> from cnnlib.architectures import lenet5
    >>> [kind(row) for row in lenet5().summary().rows][:4]
    ['other', 'conv', 'other', 'pool']
    """
    if "Conv" in row.kind:
        return "conv"
    if "Pool" in row.kind or "Subsampling" in row.kind:
        return "pool"
    return "dense" if row.kind in ("Dense", "RadialBasis") else "other"


@styled
def memory_and_parameters(summary: Summary) -> Figure:
    """A bar to the left for the memory of each layer's outputs, one to the right for its parameters.

    Layers that make nothing of their own, and dropout, are left out.

    Raises:
        SizeError: a size of the network is open.
    """
    need_sizes(summary)
    rows = [row for row in summary.rows if row.values and row.kind != "Dropout"]
    figure = new_figure(0.75 + 0.205 * len(rows))
    left, right = figure.subplots(1, 2, sharey=True)
    for place, row in enumerate(rows):
        colour, hatch = KINDS[kind(row)]
        looks: dict[str, Any] = {
            "color": COLOURS[colour],
            "edgecolor": COLOURS["ink"],
            "hatch": hatch,
            "linewidth": 0.6,
        }
        left.barh(place, (row.bytes or 0) / MIB, 0.74, **looks)
        right.barh(place, row.parameters / 1e6, 0.74, **looks)
    left.invert_xaxis()
    left.yaxis.tick_right()
    left.spines[:].set_visible(False)
    left.spines["bottom"].set_visible(True)
    left.spines["right"].set_visible(True)
    left.set_yticks(range(len(rows)), [row.name for row in rows])
    left.tick_params(axis="y", length=0, pad=4)
    for axes, word in ((left, "memory"), (right, "parameters")):
        axes.set_xlabel(WORDS[word])
    left.set_ylim(len(rows) - 0.4, -0.6)
    used = dict.fromkeys(kind(row) for row in rows)
    figure.legend(handles=_legend(used), loc="outside upper center", ncols=len(used), columnspacing=1)
    return figure


@styled
def training_memory(summary: Summary, most: int) -> Figure:
    """The memory of training against the size of the batch: what grows with it, and what does not.

    Args:
        summary: of the network.
        most: the largest batch.

    Raises:
        SizeError: a size of the network is open.
    """
    fixed, one = fixed_and_per_image(summary)
    most = as_int(most, "most")
    figure = new_figure(3.0, CHART_WIDTH)
    axes = figure.subplots()
    axes.plot([0, most], np.array([fixed, fixed]) / GIB, "--", color=COLOURS["third"], label=WORDS["weights"])
    axes.plot([0, most], np.array([0, one * most]) / GIB, color=COLOURS["output"], label=WORDS["kept"])
    even = fixed / one
    if even <= most:
        axes.plot(even, fixed / GIB, "o", color=COLOURS["highlight"], markersize=8)
        said = WORDS["even"].format(count=even)
        axes.annotate(said, (even, fixed / GIB), (6, -6), textcoords="offset points", va="top", size=10)
    axes.set(xlabel=WORDS["batch"], ylabel=WORDS["gibibytes"], xlim=(0, most), ylim=(0, None))
    axes.legend(loc="upper left")
    return figure


def fixed_and_per_image(summary: Summary) -> tuple[int, int]:
    """The bytes that training takes whatever the batch (weights, gradient, momentum), and for each image.

    Dropout's outputs are left out, as in :func:`memory_and_parameters`.

    >>> from cnnlib.architectures import vgg16
    >>> [count / 2**20 > 50 for count in fixed_and_per_image(vgg16().summary())]
    [True, True]
    """
    need_sizes(summary)
    kept = sum(row.bytes or 0 for row in summary.rows if row.kind != "Dropout")
    return summary.weight_bytes + 2 * item_bytes() * summary.learned, kept


def need_sizes(summary: Summary) -> None:
    """Refuse a network whose sizes are open.

    Raises:
        SizeError: it has none to count.
    """
    if summary.values is None:
        raise SizeError(
            f"{summary.name} has open sizes, so its memory cannot be counted; give its input shape"
        )


@styled
def shares(summaries: Mapping[str, Summary]) -> Figure:
    """For each network three bars: how parameters, MACs and activations divide among kinds of layers.

    Raises:
        SizeError: there is no network, or one has open sizes.
    """
    if not summaries:
        raise SizeError("summaries is empty; give at least one network")
    figure = new_figure(0.95 + 0.82 * len(summaries))
    axes = figure.subplots()
    ticks: dict[float, str] = {}
    for number, (name, summary) in enumerate(summaries.items()):
        for line, (word, parts) in enumerate(zip(WORDS["shares"], divided(summary), strict=True)):
            y, left = 4 * number + line, 0.0
            ticks[y] = word
            for part, count in parts.items():
                colour, hatch = KINDS[part]
                width = 100 * count / sum(parts.values())
                axes.barh(
                    y, width, 0.8, left, color=COLOURS[colour], edgecolor=COLOURS["ink"], hatch=hatch, lw=0.6
                )
                left += width
        axes.text(-28, 4 * number + 1, name, ha="center", va="center", rotation=90, weight="bold")
    axes.set_yticks(list(ticks), list(ticks.values()))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set(xlabel=WORDS["share"], xlim=(0, 100), ylim=(4 * len(summaries) - 1.4, -0.6))
    figure.legend(handles=_legend(KINDS), loc="outside upper center", ncols=len(KINDS), columnspacing=1)
    return figure


def divided(summary: Summary) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Parameters, MACs and activations of a network by :func:`kind` of layer; dropout is left out.

    >>> from cnnlib.architectures import vgg16
    >>> parameters, *_ = divided(vgg16().summary())
    >>> parameters
    {'conv': 14714688, 'pool': 0, 'dense': 123642856, 'other': 0}
    """
    need_sizes(summary)
    rows = [(kind(row), row) for row in summary.rows if row.kind != "Dropout"]
    parameters, macs, values = (
        {part: sum(count(row) for found, row in rows if found == part) for part in KINDS}
        for count in (
            lambda row: row.parameters,
            lambda row: row.macs or 0,
            lambda row: row.values or 0,
        )
    )
    return parameters, macs, values


def _legend(kinds: Any) -> list[Patch]:
    return [
        Patch(
            facecolor=COLOURS[KINDS[part][0]],
            hatch=KINDS[part][1],
            edgecolor=COLOURS["ink"],
            linewidth=0.6,
            label=WORDS[part],
        )
        for part in kinds
    ]
