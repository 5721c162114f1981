"""Figures on learning: activations, gradients on their way back, what a trained network knows. Chapter 11.

Activations, losses and gradients come from :mod:`cnnlib.functional`, :mod:`cnnlib.convolution` and
:mod:`cnnlib.pooling`; what was learned comes from a network that the chapter has trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from cnnlib.activations import activation, activation_backward, relu, relu_backward, softmax
from cnnlib.convolution import conv, conv_backward
from cnnlib.errors import ShapeError, SizeError
from cnnlib.losses import sparse_categorical_crossentropy_backward
from cnnlib.padding import pad
from cnnlib.plots.pieces import (
    GREYS,
    LINE,
    STAR,
    TIMES,
    arrow,
    canvas,
    grid,
    kernel_picture,
    need,
    number,
    outline,
    picture,
    products,
    sign,
    tint,
)
from cnnlib.plots.style import COLOURS, WIDTH, bare, new_figure, styled
from cnnlib.pooling import max_pool, max_pool_backward

#: Every word in these figures; a translation replaces the values.
WORDS = {
    "bend": "activation",
    "slope": "its slope",
    "input": "input",
    "depth": "layer, from the image on",
    "gradient size": "size of the gradient",
    "scores": "scores $z$",
    "powers": "$e^z$",
    "probabilities": "probabilities $p$",
    "difference": "gradient $p - t$",
    "inputs": "inputs $x$",
    "weights": "weight $w_{tap}$ meets",
    "given": "gradient of the outputs $g$",
    "stamps": "output $y_{place}$ hands back",
    "sum": "gradient of the inputs",
    "kernel": "kernel",
    "turned": "turned round",
    "framed": "gradient, framed",
    "back": "gradient\nof the inputs",
    "feature map": "feature map",
    "activation map": "after ReLU",
    "pooled": "pooled",
    "forward": "forward",
    "backward": "backward",
    "epoch": "epoch",
    "loss": "loss",
    "accuracy": "accuracy",
    "training": "training",
    "validation": "validation",
    "batch": "batch",
    "ours": "NumPy",
    "theirs": "Keras",
    "apart": "difference",
    "before": "at first",
    "after": "learned",
    "answer": "answers",
    "said": "the network says",
    "is": "the label says",
    "rate": "learning rate",
    "last loss": "loss of the last epoch",
    "channel": "channel",
    "fires": "share > 0",
    "dead": "dead",
}

#: What tells lines apart beside their colour.
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (3, 3)))
MARKERS = "osD^v*"
#: Charts are narrower than drawings, so that the page enlarges their text with them.
CHART_WIDTH = 4.8


# --- activations and losses ------------------------------------------------------------------------------


@styled
def bends(names: Sequence[str], reach: float = 4) -> Figure:
    """Plot activations by Keras' names, and beside them their slopes.

    Args:
        names: of :data:`cnnlib.activations.ACTIVATIONS`.
        reach: inputs from minus this to this.

    Raises:
        CnnError: an unknown activation.
    """
    need(names, "names")
    inputs = np.linspace(-reach, reach, 321)
    figure = new_figure(3.3)
    left, right = figure.subplots(1, 2)
    for name, line in zip(names, LINES, strict=False):
        outputs = activation(name, inputs)
        left.plot(inputs, outputs, linestyle=line, label=name)
        right.plot(inputs, activation_backward(name, np.ones_like(inputs), inputs, outputs), linestyle=line)
    left.set(ylim=(-1.5, 3), title=WORDS["bend"], xlabel=WORDS["input"])
    right.set(ylim=(-0.2, 1.25), title=WORDS["slope"], xlabel=WORDS["input"])
    for axes in (left, right):
        axes.axhline(0, color=COLOURS["faint"], linewidth=1, zorder=0)
    figure.legend(loc="outside lower center", ncols=3)
    return figure


@styled
def by_layer(sizes: Mapping[str, ArrayLike]) -> Figure:
    """Plot one positive number a layer on a logarithmic scale, a line for each network.

    Args:
        sizes: for each name the numbers of all layers, the first layer first.
    """
    need(sizes, "sizes")
    figure = new_figure(3.2, CHART_WIDTH)
    axes = figure.subplots()
    for (name, values), line, marker in zip(sizes.items(), LINES, MARKERS, strict=False):
        numbers = np.asarray(values, float)
        if numbers.ndim != 1 or not (numbers > 0).all():
            raise SizeError(f"{name}: sizes on a logarithmic scale must be above 0, one for each layer")
        axes.semilogy(range(1, len(numbers) + 1), numbers, linestyle=line, marker=marker, ms=5, label=name)
    axes.set(xlabel=WORDS["depth"], ylabel=WORDS["gradient size"])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower right")
    return figure


@styled
def from_scores(scores: ArrayLike, label: int) -> Figure:
    """Draw the way from scores to probabilities, and the gradient of the cross-entropy at the scores.

    Args:
        scores: (classes,), at most six of them.
        label: the right class.
    """
    values = np.asarray(scores, float)
    if values.ndim != 1 or not 1 < len(values) <= 6:
        raise ShapeError(f"scores of shape {values.shape} cannot be drawn; give 2 to 6 classes")
    slopes = sparse_categorical_crossentropy_backward(1, [label], values[None], from_logits=True)[0]
    rows = {
        "scores": (values, "input"),
        "powers": (np.exp(values), "second"),
        "probabilities": (softmax(values), "output"),
        "difference": (slopes, "highlight"),
    }
    figure = new_figure(2.6)
    panels = figure.subplots(1, len(rows))
    for axes, (word, (heights, colour)) in zip(panels, rows.items(), strict=True):
        looks: dict[str, Any] = {"edgecolor": COLOURS["ink"], "linewidth": 0.8}
        bars = axes.bar(range(len(heights)), heights, color=COLOURS[colour], **looks)
        bars[label].set_hatch("//")
        reach = float(np.abs(heights).max()) or 1.0
        low = 0.0 if heights.min() >= 0 else -1.35 * reach
        axes.set(ylim=(low, 1.25 * reach), xlim=(-0.7, len(heights) - 0.3))
        for place, height in enumerate(heights):
            text = number(float(height), 3 if abs(height) < 1 else 2)
            upright = height >= 0
            axes.annotate(
                text, (place, height), (0, 2 if upright else -2), textcoords="offset points",
                ha="center", va="bottom" if upright else "top", size=10,
            )  # fmt: skip
        axes.axhline(0, color=COLOURS["ink"], linewidth=0.8)
        axes.set_title(WORDS[word])
        bare(axes).set_xticks(range(len(heights)))
        axes.tick_params(length=0)
    return figure


# --- the way back ----------------------------------------------------------------------------------------


@styled
def line_back(signal: ArrayLike, kernel: ArrayLike, gradient: ArrayLike) -> Figure:
    """Draw how a gradient goes back through a 1-D convolution of stride 1, to the kernel and to the inputs.

    Above, each weight meets the inputs that it was multiplied with; below, each output hands its share
    back to the inputs that it saw, and the shares are added up column by column.

    Args:
        signal: (inputs,), kernel: (weights,), gradient: (outputs,).

    Raises:
        ShapeError: the gradient is not in the shape of the outputs.
    """
    x, w, g = (np.asarray(row, float).ravel() for row in (signal, kernel, gradient))
    found = conv_backward(g.reshape(1, -1, 1), x.reshape(1, -1, 1), w.reshape(-1, 1, 1))
    assert found.kernel is not None  # all gradients were asked for
    assert found.inputs is not None
    margin = 5.2
    right = len(x) + 6.0
    below = 2.5 + 1.25 * len(w)
    figure, axes = canvas(-margin, right, -0.2, below + 2.2 + 1.25 * len(g))
    words: dict[str, Any] = {"va": "center", "size": 11}

    def say(row: float, text: str) -> None:
        axes.text(-0.4, row + 0.5, text, ha="right", **words)

    grid(axes, x[None], 0, 0, "input")
    say(0, WORDS["inputs"])
    for tap, total in enumerate(found.kernel.ravel()):
        row = 1.6 + 1.25 * tap
        grid(axes, g[None], tap, row, "highlight")
        say(row, WORDS["weights"].format(tap=tap))
        spelled = f"{products(x[tap : tap + len(g)], g)} {number(float(total))}"
        axes.text(len(x) + 0.4, row + 0.5, spelled, ha="left", **words)
    axes.axhline(below - 0.55, color=COLOURS["padding"], linewidth=1)
    for place, share in enumerate(g):
        row = below + 1.25 * place
        grid(axes, share * w[None], place, row, "second")
        say(row, WORDS["stamps"].format(place=place))
        spelled = f"{number(share)}·({', '.join(number(float(weight)) for weight in w)})"
        axes.text(len(x) + 0.4, row + 0.5, spelled, ha="left", **words)
    row = below + 1.25 * len(g) + 0.5
    grid(axes, found.inputs.reshape(1, -1), 0, row, "output")
    say(row, WORDS["sum"])
    return figure


@styled
def plane_back(gradient: ArrayLike, kernel: ArrayLike, place: tuple[int, int] = (0, 0)) -> Figure:
    """Draw a 2-D gradient's way to the inputs: framed with zeros, it meets the kernel turned by half a turn.

    Args:
        gradient: (height, width), of the outputs.
        kernel: (height, width).
        place: the input whose window is outlined.

    Raises:
        ShapeError: an argument without two axes.
    """
    slopes, weights = np.asarray(gradient, float), np.asarray(kernel, float)
    if slopes.ndim != 2 or weights.ndim != 2:
        raise ShapeError(
            f"a gradient of shape {slopes.shape} and a kernel of shape {weights.shape} cannot be drawn; "
            "both need (height, width)"
        )
    height, width = weights.shape
    amounts = [(height - 1, height - 1), (width - 1, width - 1)]
    framed = pad(slopes[None, ..., None], amounts)[0, ..., 0]
    turned = weights[::-1, ::-1]
    back = conv(framed[None, ..., None], turned[..., None, None])[0, ..., 0]
    if not (0 <= place[0] < back.shape[0] and 0 <= place[1] < back.shape[1]):
        raise SizeError(f"place {place} lies outside the inputs of {back.shape[0]}{TIMES}{back.shape[1]}")
    rows, columns = framed.shape
    gap = 1.1
    second = columns + gap
    third = second + width + gap
    middle = rows / 2
    top = middle - back.shape[0] / 2
    figure, axes = canvas(-0.3, third + back.shape[1] + 0.3, min(-1.0, top - 1.6), rows + 0.4)
    inside = np.zeros(framed.shape, bool)
    inside[height - 1 : rows - height + 1, width - 1 : columns - width + 1] = True
    grid(axes, np.where(inside, np.nan, framed), 0, 0, "padding", hatch="///")
    grid(axes, slopes, width - 1, height - 1, "highlight", facecolor=tint("highlight", 0.3))
    grid(axes, turned, second, middle - height / 2, "kernel")
    grid(axes, back, third, top, "output")
    outline(axes, place[1], place[0], width, height)
    outline(axes, third + place[1], top + place[0], 1, 1)
    for left, text in ((columns + gap / 2, STAR), (third - gap / 2, "=")):
        axes.text(left, middle, text, ha="center", va="center", size=22 if text == STAR else 16)
    looks: dict[str, Any] = {"ha": "center", "va": "bottom", "size": 11}
    axes.text(columns / 2, -0.25, WORDS["framed"], **looks)
    title = f"{WORDS['kernel']},\n{WORDS['turned']}"
    axes.text(second + width / 2, middle - height / 2 - 0.25, title, **looks)
    axes.text(third + back.shape[1] / 2, top - 0.25, WORDS["back"], **looks)
    return figure


@styled
def block_back(feature_map: ArrayLike, gradient: ArrayLike) -> Figure:
    """Draw a block of ReLU and 2×2 max pooling: values forward, and below them the gradient backward.

    Args:
        feature_map: (height, width), both even, before the ReLU.
        gradient: (height / 2, width / 2), of the pooled values.

    Raises:
        ShapeError: shapes that do not go together.
    """
    values, slopes = np.asarray(feature_map, float), np.asarray(gradient, float)
    if values.ndim != 2 or values.shape[0] % 2 or values.shape[1] % 2:
        raise ShapeError(f"a feature map of shape {values.shape} is not made of 2{TIMES}2 windows")
    active = relu(values)
    forward = [values, active, max_pool(active[None, ..., None], 2)[0, ..., 0]]
    unpooled = max_pool_backward(slopes[None, ..., None], active[None, ..., None], 2)[0, ..., 0]
    backward = [relu_backward(unpooled, values), unpooled, slopes]
    height, width = values.shape
    gap, between = 1.5, 1.7
    lefts = [0.0, width + gap, 2 * (width + gap)]
    figure, axes = canvas(-0.3, lefts[2] + width / 2 + 0.3, -1.9, 2 * height + between + 0.2)
    looks: dict[str, Any] = {"ha": "center", "va": "bottom", "size": 11}
    for word, left, data in zip(("feature map", "activation map", "pooled"), lefts, forward, strict=True):
        axes.text(left + data.shape[1] / 2, -0.9, WORDS[word], **looks)
    for row, (word, grids) in enumerate((("forward", forward), ("backward", backward))):
        top = row * (height + between)
        for place, (left, data) in enumerate(zip(lefts, grids, strict=True)):
            start = top + (height - data.shape[0]) / 2
            for (y, x), value in np.ndenumerate(data):
                back = "highlight" if value else "padding"  # where nothing comes back, the cell is grey
                colour = ("input", "second", "output")[place] if word == "forward" else back
                grid(axes, np.full((1, 1), value), left + x, start + y, colour)
        for left, end in ((width + 0.2, width + gap - 0.2), (2 * width + gap + 0.2, lefts[2] - 0.2)):
            ends = ((left, top + height / 2), (end, top + height / 2))
            arrow(axes, *(ends if word == "forward" else ends[::-1]))
        axes.text(0, top - 0.15, WORDS[word], ha="left", va="bottom", size=11, style="italic")
    return figure


# --- training --------------------------------------------------------------------------------------------


@styled
def progress(history: Mapping[str, Sequence[float]]) -> Figure:
    """Plot loss and accuracy of training and validation, epoch by epoch.

    Args:
        history: ``loss``, ``accuracy``, ``val_loss`` and ``val_accuracy``, as a training notes them.
    """
    figure = new_figure(2.8)
    for axes, word in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        epochs = range(1, len(history[word]) + 1)
        axes.plot(epochs, history[word], "-", marker="o", ms=4, label=WORDS["training"])
        axes.plot(epochs, history[f"val_{word}"], "--", marker="s", ms=4, label=WORDS["validation"])
        axes.set(xlabel=WORDS["epoch"], title=WORDS[word])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(loc="best")
    return figure


@styled
def side_by_side(runs: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> Figure:
    """Plot the losses of pairs of runs over one another, batch by batch, and below how far they are apart.

    Args:
        runs: for each network the losses of our run and of Keras', (batches,) each.

    Raises:
        ShapeError: not as many numbers in both.
    """
    need(runs, "runs")
    figure = new_figure(1.7 * len(runs) + 1.9, CHART_WIDTH)
    *panels, below = figure.subplots(len(runs) + 1, 1, sharex=True)
    looks = zip(("highlight", "third", "output"), ".+x", strict=True)
    for (name, pair), axes, (colour, marker) in zip(runs.items(), panels, looks, strict=False):
        ours, theirs = (np.asarray(losses, float) for losses in pair)
        if ours.shape != theirs.shape or ours.ndim != 1:
            raise ShapeError(
                f"{name}: losses of shapes {ours.shape} and {theirs.shape} cannot lie side by side"
            )
        batches = np.arange(1, len(ours) + 1)
        axes.plot(batches, ours, "-", color=COLOURS["input"], linewidth=4, label=WORDS["ours"])
        axes.plot(batches, theirs, "--", color=COLOURS["ink"], linewidth=1.2, label=WORDS["theirs"])
        axes.set(ylabel=WORDS["loss"], ylim=(0, None), title=name)
        apart = np.abs(ours - theirs)
        seen = apart > 0  # none has no place on a logarithmic scale
        below.semilogy(batches[seen], apart[seen], marker, color=COLOURS[colour], label=name)
    panels[0].legend()
    below.set(xlabel=WORDS["batch"], ylabel=WORDS["apart"], ylim=(1e-9, 1e3))
    below.legend(loc="upper left", ncols=2)
    return figure


@styled
def by_rate(losses: Mapping[str, Mapping[float, float]]) -> Figure:
    """Plot what each learning rate comes to, a line for each kind of network.

    Args:
        losses: for each name the last loss by learning rate; NaN where training broke off.
    """
    need(losses, "losses")
    figure = new_figure(3.0, CHART_WIDTH)
    axes = figure.subplots()
    for (name, found), line, marker in zip(losses.items(), LINES, MARKERS, strict=False):
        axes.semilogx(list(found), list(found.values()), linestyle=line, marker=marker, label=name)
    axes.set(xlabel=WORDS["rate"], ylabel=WORDS["last loss"])
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper center")
    return figure


# --- what was learned ------------------------------------------------------------------------------------


@styled
def learned_filters(before: ArrayLike, after: ArrayLike) -> Figure:
    """Draw the kernels of a first layer at the start and at the end, each row on one scale.

    Args:
        before, after: (height, width, 1, filters).
    """
    rows = {"before": np.asarray(before), "after": np.asarray(after)}
    for kernel in rows.values():
        if kernel.ndim != 4 or kernel.shape[2] != 1:
            raise ShapeError(f"a kernel of shape {kernel.shape} is not that of a layer on grey images")
    count = rows["after"].shape[-1]
    figure = new_figure(0.35 + 2 * WIDTH / (count + 1))
    panels = figure.subplots(2, count, squeeze=False)
    for line, (word, kernel) in zip(panels, rows.items(), strict=True):
        for axes, weights in zip(line, np.moveaxis(kernel[:, :, 0], -1, 0), strict=True):
            kernel_picture(axes, weights, float(np.abs(kernel).max()))
        line[0].set_ylabel(WORDS[word])
    for axes, index in zip(panels[0], range(count), strict=True):
        axes.set_title(str(index))
    return figure


@styled
def answers(image: ArrayLike, kernel: ArrayLike, maps: ArrayLike) -> Figure:
    """Draw an image, every kernel of a first layer, and below it the map that it makes of the image.

    The kernels share one scale; each map runs from 0 (black) to its own largest value (white).

    Args:
        image: (height, width), kernel: (height, width, 1, filters), maps: (height, width, filters).
    """
    shown, weights, found = np.asarray(image), np.asarray(kernel), np.asarray(maps)
    if shown.ndim != 2 or weights.ndim != 4 or found.ndim != 3 or weights.shape[-1] != found.shape[-1]:
        raise ShapeError(
            f"image {shown.shape}, kernel {weights.shape} and maps {found.shape} do not go together; "
            "they need (height, width), (height, width, 1, filters) and (height, width, filters)"
        )
    count = weights.shape[-1]
    figure = new_figure(0.1 + 2.1 * WIDTH / (count + 1))
    panels = figure.subplots(2, count + 1)
    sign(panels[0, 0], STAR)
    picture(panels[1, 0], shown, (0, float(shown.max()) or 1.0))
    for index in range(count):
        kernel_picture(panels[0, index + 1], weights[:, :, 0, index], float(np.abs(weights).max()))
        map_ = found[..., index]
        picture(panels[1, index + 1], map_, (0, float(map_.max()) or 1.0))
    return figure


@styled
def sheet(rows: Mapping[str, Sequence[NDArray]], titles: Sequence[str] = ()) -> Figure:
    """Small pictures in named rows, each from 0 (black) to its own largest value (white).

    Args:
        rows: for each name pictures (height, width).
        titles: one above each picture, row by row; none, if not given.
    """
    need(rows, "rows")
    columns = max(map(len, rows.values()))
    if titles and len(titles) != sum(map(len, rows.values())):
        raise ShapeError(f"{len(titles)} titles for {sum(map(len, rows.values()))} pictures")
    lines = 1 + max((text.count("\n") for text in titles), default=-1)
    figure = new_figure(len(rows) * (WIDTH / (columns + 0.8) + lines * LINE + 0.05))
    panels = figure.subplots(len(rows), columns, squeeze=False)
    number_shown = 0
    for line, (name, pictures) in zip(panels, rows.items(), strict=True):
        for axes in line[len(pictures) :]:
            axes.set_visible(False)
        for axes, values in zip(line, pictures, strict=False):
            if values.ndim != 2:
                raise ShapeError(f"{name}: a picture of shape {values.shape} needs (height, width)")
            bare(axes).imshow(values, cmap=GREYS, vmin=0, vmax=values.max() or 1, interpolation="none")
            if titles:
                axes.set_title(titles[number_shown], fontsize=10, pad=3)
            number_shown += 1
        if name.strip():
            line[0].set_ylabel(name)
    return figure


@styled
def confusion(counts: ArrayLike) -> Figure:
    """Draw how often each class (row) was taken for each (column); what is right is shaded lightly.

    Args:
        counts: (classes, classes), whole numbers.
    """
    table = np.asarray(counts)
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise ShapeError(f"counts of shape {table.shape} are no table of classes by classes")
    classes = len(table)
    figure = new_figure(4.2, 4.2)
    axes = figure.subplots()
    wrong = np.where(np.eye(classes, dtype=bool), 0, table)
    axes.imshow(wrong, cmap="Oranges", vmin=0, vmax=1.6 * max(int(wrong.max()), 4), interpolation="none")
    for (row, column), count in np.ndenumerate(table):
        if row == column:
            axes.text(column, row, str(count), ha="center", va="center", size=10, color=COLOURS["third"])
        elif count:
            axes.text(column, row, str(count), ha="center", va="center", size=11, weight="bold")
    axes.set(xticks=range(classes), yticks=range(classes), xlabel=WORDS["said"], ylabel=WORDS["is"])
    axes.spines[:].set(visible=True)
    axes.tick_params(length=0)
    return figure


@styled
def firing(runs: Mapping[str, Mapping[str, ArrayLike]]) -> Figure:
    """Draw how often each channel is above 0; one that never is gets a cross and is called dead.

    Args:
        runs: for each training the rates (channels,) by the layers' names, as
            :func:`cnnlib.seeing.firing_rates` finds them; the same layers in all.
    """
    need(runs, "runs")
    layers = list(next(iter(runs.values())))
    widths = [len(np.asarray(next(iter(runs.values()))[layer])) + 3 for layer in layers]
    figure = new_figure(1.75 * len(runs) + 0.2)
    panels = figure.subplots(len(runs), len(layers), squeeze=False, width_ratios=widths, sharey=True)
    for line, (name, rates) in zip(panels, runs.items(), strict=True):
        for axes, layer in zip(line, layers, strict=True):
            _rates(axes, np.asarray(rates[layer], float))
            axes.set_title(f"{name}: {layer}")
        line[0].set_ylabel(WORDS["fires"])
    for axes in panels[-1]:
        axes.set_xlabel(WORDS["channel"])
    return figure


def _rates(axes: Axes, rates: NDArray) -> None:
    """One bar a channel, a cross where there is none to see."""
    axes.bar(range(len(rates)), rates, color=COLOURS["output"], edgecolor=COLOURS["ink"], linewidth=0.6)
    dead = np.flatnonzero(rates == 0)
    axes.plot(dead, np.full(len(dead), 0.06), "x", color=COLOURS["highlight"], ms=9, mew=2.5, gid="dead")
    for channel in dead.tolist():
        axes.text(
            channel, 0.16, WORDS["dead"], rotation=90, ha="center", va="bottom", size=10,
            color=COLOURS["highlight"],
        )  # fmt: skip
    axes.set(ylim=(0, 1), xlim=(-0.8, len(rates) - 0.2))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
