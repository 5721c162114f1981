"""The figures of chapter 2: one row of numbers, and a kernel that slides along it.

Each returns a Matplotlib figure; every number in it is computed by the functions that the chapter
explains. The drawings use inches as their coordinates, so that text fits its cell at every size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from numpy.typing import ArrayLike, NDArray

from cnnlib.algorithms import toeplitz_matrix
from cnnlib.convolution import as_floats, convolve, correlate
from cnnlib.errors import ShapeError, SizeError
from cnnlib.padding import pad
from cnnlib.plots import style
from cnnlib.plots.pieces import (
    CELL,
    number,
    products,
    tint,
)
from cnnlib.sizes import (
    as_int,
    conv_macs,
    conv_weights,
    dense_parameters,
    dropped_inputs,
    output_size,
    padding_amounts,
)

#: Every word that a figure shows; a translation replaces the values.
WORDS = {
    "input": "input",
    "place": "place {}",
    "convolution": "convolution: {weights} shared weights, {lines} lines",
    "dense": "dense: {weights} weights, {lines} lines",
    "matrix": "matrix",
    "output": "output",
    "feature_map": "feature map",
    "activation_map": "activation map",
    "flipped": "$f(\\tau)$ and the flipped $g(t-\\tau)$ at $t={}$",
    "integral": "$(f * g)(t)$: the area, for every $t$",
    "tau": "$\\tau$",
    "time": "$t$",
    "target": "kernel that made the target",
    "learned": "kernel that was learned",
    "step": "step of gradient descent",
    "weights": "the weights while they learn",
    "weight": "weight {}",
    "recording": "recording",
    "template": "template: the kernel, {} samples",
    "score": "score of the window that starts here",
    "sample": "sample",
    "threshold": "threshold",
}

#: How weight 0, 1, 2 … of a kernel is told apart: colour, line, and hatching of its cell.
TAPS = (("kernel", "-", ""), ("third", "--", "///"), ("second", ":", "..."), ("highlight", "-.", "xx"))


def _row(values: ArrayLike, name: str) -> NDArray[np.floating]:
    row = as_floats(values, name)
    if row.ndim != 1:
        raise ShapeError(f"{name} has shape {row.shape}; draw one row of numbers, shape (m,)")
    return row


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure whose data coordinates are inches, growing to the right and upwards."""
    if width > style.WIDTH:
        raise SizeError(
            f"the drawing needs {width:.1f} inches and a page has {style.WIDTH}; shorten the input or kernel"
        )
    figure = style.new_figure(height, width)
    figure.set_layout_engine("none")  # these axes fill the figure; there is nothing to lay out
    axes = style.bare(figure.add_axes((0, 0, 1, 1)))
    axes.set(xlim=(0, width), ylim=(0, height))
    return figure, axes


def _cell(axes: Axes, x: float, y: float, text: str, colour: str, **looks: Any) -> None:
    """A square with a number in it; (x, y) is its lower left corner."""
    settings: dict[str, Any] = {
        "facecolor": tint(colour, 0.4),
        "edgecolor": style.COLOURS["ink"],
        "linewidth": 1,
    }
    axes.add_patch(Rectangle((x, y), CELL, CELL, **(settings | looks)))
    axes.text(x + CELL / 2, y + CELL / 2, text, ha="center", va="center", fontsize=11)


@style.styled
def slide(
    signal: ArrayLike,
    kernel: ArrayLike,
    stride: int = 1,
    padding: str | int | tuple[int, int] = "valid",
    flip: bool = False,
) -> Figure:
    """The kernel at every place where it may stand, and the weighted sum that it makes there.

    Padded zeros are dashed, inputs that no window reaches are hatched.

    Args:
        signal: array (m,).
        kernel: array (k,), written into the figure as it slides: mirrored where ``flip`` is set.
        stride, padding: as in :func:`cnnlib.correlate`.
        flip: convolution in the mathematical sense rather than cross-correlation.

    Raises:
        ShapeError: not one row of numbers.
        SizeError: the kernel does not fit, or the drawing is wider than a page.
    """
    row, weights = _row(signal, "signal"), _row(kernel, "kernel")
    before, after = padding_amounts(len(row), len(weights), stride, padding)
    outputs = (convolve if flip else correlate)(row, weights, stride, [(before, after)])
    dropped = dropped_inputs(len(row), len(weights), stride, padding)
    weights = weights[::-1] if flip else weights
    padded = pad(row[None, :, None], [(before, after)])[0, :, 0]

    label, pitch = 0.68, CELL + 0.12
    sums = [products(padded[p * stride : p * stride + len(weights)], weights) for p in range(len(outputs))]
    room = 0.083 * max(map(len, sums)) + 0.1
    width = label + len(padded) * CELL + room + CELL + 0.1
    figure, axes = _canvas(width, (len(outputs) + 1) * pitch + 0.16)
    top = (len(outputs)) * pitch + 0.1
    for index, value in enumerate(padded):
        is_pad = not before <= index < len(padded) - after
        looks: dict[str, Any] = {"linestyle": "--"} if is_pad else {}
        if index >= len(padded) - dropped:
            looks |= {"hatch": "///", "hatch_linewidth": 0.4}
        _cell(axes, label + index * CELL, top, number(value, 2), "padding" if is_pad else "input", **looks)
    axes.text(label - 0.08, top + CELL / 2, WORDS["input"], ha="right", va="center", fontsize=10)
    for place, output in enumerate(outputs):
        y = top - (place + 1) * pitch
        axes.text(
            label - 0.08, y + CELL / 2, WORDS["place"].format(place), ha="right", va="center", fontsize=10
        )
        for tap, weight in enumerate(weights):
            _cell(axes, label + (place * stride + tap) * CELL, y, number(weight, 2), "kernel", linewidth=1.6)
        right = width - CELL - 0.1
        axes.text(right - 0.08, y + CELL / 2, sums[place], ha="right", va="center", fontsize=10)
        _cell(axes, right, y, number(output, 2), "output")
    return figure


@style.styled
def network(size: int, kernel_size: int, stride: int = 1) -> Figure:
    """The same layer as a network, and below it a dense layer with as many outputs.

    Every line is one multiplication. Lines of one look carry one and the same weight; in the dense
    layer, every line has a weight of its own.

    Raises:
        SizeError: the kernel does not fit, or has more weights than there are looks.
    """
    places = output_size(size, kernel_size, stride)
    if kernel_size > len(TAPS):
        raise SizeError(
            f"kernel {kernel_size} has more weights than the {len(TAPS)} looks of a line; "
            f"use a kernel of at most {len(TAPS)}"
        )
    figure = style.new_figure(5.0)
    upper, lower = figure.subplots(2, 1)
    shape = (1, size, 1)
    shared = {
        (place * stride + tap, place): TAPS[tap] for place in range(places) for tap in range(kernel_size)
    }
    lines = conv_macs(shape, kernel_size, 1, stride)
    weights = conv_weights((kernel_size,), 1, 1)
    _nodes(upper, size, kernel_size, stride, shared)
    upper.set_title(WORDS["convolution"].format(weights=weights, lines=lines))
    everything = {(i, o): ("ink", "-", "") for i in range(size) for o in range(places)}
    count = dense_parameters(size, places, use_bias=False)
    _nodes(lower, size, kernel_size, stride, everything, linewidth=0.7)
    lower.set_title(WORDS["dense"].format(weights=count, lines=len(everything)))
    return figure


def _nodes(
    axes: Axes,
    size: int,
    kernel_size: int,
    stride: int,
    lines: Mapping[tuple[int, int], tuple[str, str, str]],
    linewidth: float = 2.2,
) -> None:
    """Inputs below, outputs above the middle of their windows, and the lines between them."""
    height, radius = 1.7, 0.27
    where = {place: place * stride + (kernel_size - 1) / 2 for place in {o for _, o in lines}}
    for (index, place), (colour, dash, _) in lines.items():
        axes.plot(
            (index, where[place]),
            (0, height),
            color=style.COLOURS[colour],
            linestyle=dash,
            linewidth=linewidth,
            zorder=1,
        )
    for index in range(size):
        axes.add_patch(Circle((index, 0), radius, facecolor=tint("input", 0.4), edgecolor="black", zorder=2))
        axes.text(index, 0, f"$x_{index}$", ha="center", va="center", zorder=3)
    for place, x in where.items():
        axes.add_patch(
            Circle((x, height), radius, facecolor=tint("output", 0.4), edgecolor="black", zorder=2)
        )
        axes.text(x, height, f"$y_{place}$", ha="center", va="center", zorder=3)
    style.bare(axes).set(xlim=(-0.5, size - 0.5), ylim=(-0.4, height + 0.4), aspect="equal")


@style.styled
def product(signal: ArrayLike, kernel: ArrayLike, stride: int = 1) -> Figure:
    """The same layer as a matrix product: a banded matrix times the input gives the output.

    Raises:
        ShapeError: not one row of numbers.
        SizeError: the kernel does not fit, or the drawing is wider than a page.
    """
    row, weights = _row(signal, "signal"), _row(kernel, "kernel")
    matrix = toeplitz_matrix(weights, len(row), stride)
    outputs = matrix @ row
    tall, gap, head = len(row) * CELL, 0.34, 0.3
    width = (len(row) + 2) * CELL + 2 * gap + 0.2
    figure, axes = _canvas(width, tall + head + 0.2)
    lift = 0.1 + (tall - len(outputs) * CELL) / 2  # the shorter columns stand in the middle
    for (place, index), value in np.ndenumerate(matrix):
        tap = index - place * stride
        y = lift + (len(outputs) - 1 - place) * CELL
        if 0 <= tap < len(weights):
            colour, _, hatch = TAPS[tap % len(TAPS)]
            _cell(axes, 0.1 + index * CELL, y, number(value, 2), colour, hatch=hatch, hatch_linewidth=0.4)
        else:
            _cell(axes, 0.1 + index * CELL, y, "0", "paper", edgecolor=style.COLOURS["faint"], zorder=0.5)
            axes.texts[-1].set_color("#767676")
    x = 0.1 + len(row) * CELL
    middle = 0.1 + tall / 2
    axes.text(x + gap / 2, middle, "×", ha="center", va="center", fontsize=14)
    for index, value in enumerate(row):
        _cell(axes, x + gap, 0.1 + (len(row) - 1 - index) * CELL, number(value, 2), "input")
    axes.text(x + gap * 1.5 + CELL, middle, "=", ha="center", va="center", fontsize=14)
    for place, value in enumerate(outputs):
        y = lift + (len(outputs) - 1 - place) * CELL
        _cell(axes, x + 2 * gap + CELL, y, number(value, 2), "output")
    heads = ((0.1 + len(row) * CELL / 2, "matrix"), (x + gap + CELL / 2, "input"))
    for centre, word in (*heads, (x + 2 * gap + 1.5 * CELL, "output")):
        axes.text(centre, tall + 0.18, WORDS[word], ha="center", va="bottom", fontsize=10)
    return figure


@style.styled
def stages(signal: ArrayLike, kernel: ArrayLike, bias: float = 0) -> Figure:
    """Input, feature map and activation map below one another, each value over its window's middle.

    Raises:
        ShapeError: not one row of numbers.
        SizeError: the kernel does not fit.
    """
    row, weights = _row(signal, "signal"), _row(kernel, "kernel")
    feature_map = correlate(row, weights) + bias
    rows = {
        "input": (row, 0.0, "input", ""),
        "feature_map": (feature_map, (len(weights) - 1) / 2, "output", "///"),
        "activation_map": (np.maximum(feature_map, 0), (len(weights) - 1) / 2, "output", ""),
    }
    figure = style.new_figure(4.6)
    for axes, (name, (values, start, colour, hatch)) in zip(
        figure.subplots(3, 1, sharex=True), rows.items(), strict=True
    ):
        places = start + np.arange(len(values))
        axes.bar(places, values, 0.6, color=tint(colour, 0.4), edgecolor=style.COLOURS["ink"], hatch=hatch)
        axes.axhline(0, color=style.COLOURS["ink"], linewidth=1)
        _write_values(axes, places, values)
        axes.set_title(WORDS[name], loc="left")
        axes.margins(y=0.3)
        style.bare(axes)
    return figure


@style.styled
def overlap(at: float = 1.5, step: float = 0.01) -> Figure:
    """The convolution integral: a push that lasts one second meets a response that dies away.

    The upper panel shows f, the flipped response g(t - τ) at one t, and the area under their product;
    the lower panel that area for every t, as a sum of many small products.

    Raises:
        SizeError: ``at`` lies outside 0 to 4, or the step is not above 0.
    """
    if not 0 <= at <= 4 or not step > 0:
        raise SizeError(f"at={at} must lie between 0 and 4 and step={step} above 0")
    tau = np.arange(0, 4, step) + step / 2
    push = (tau < 1).astype(float)
    response = np.exp(-tau)
    area = convolve(push, response)[: len(tau)] * step
    flipped = np.where(tau <= at, np.exp(-(at - tau)), 0)
    figure = style.new_figure(4.2)
    upper, lower = figure.subplots(2, 1, sharex=True)
    upper.fill_between(tau, push * flipped, facecolor=tint("output", 0.4), hatch="///", edgecolor="#555555")
    upper.plot(tau, push, color=style.COLOURS["third"])
    upper.plot(tau, flipped, color=style.COLOURS["highlight"], linestyle="--")
    upper.annotate("$f$", (0.5, 1.02), ha="center", va="bottom", color=style.COLOURS["third"])
    upper.annotate("$g$", (at + 0.06, 0.9), color=style.COLOURS["highlight"])
    upper.set_title(WORDS["flipped"].format(number(at, 2)), loc="left")
    upper.set(ylim=(0, 1.25), xlabel=WORDS["tau"], yticks=(0, 1))
    upper.tick_params(labelbottom=True)
    ends = tau + step / 2  # output n gathers the products up to the end of its step
    lower.plot(ends, area, color=style.COLOURS["ink"])
    lower.plot(at, np.interp(at, ends, area), "o", color=style.COLOURS["output"], markersize=9)
    lower.set_title(WORDS["integral"], loc="left")
    lower.set(ylim=(0, 1), xlabel=WORDS["time"], yticks=(0, 0.5, 1), xlim=(0, 4))
    return figure


@style.styled
def mirrored(target: ArrayLike, history: ArrayLike) -> Figure:
    """The kernel that made the target above the kernel that was learned, and how it got there.

    Args:
        target: array (k,), the kernel of the convolution with the flip.
        history: array (steps, k), the weights of the layer before every step and after the last.

    Raises:
        ShapeError: the history has not as many weights as the target.
    """
    made, path = _row(target, "target"), as_floats(history, "history")
    if path.ndim != 2 or path.shape[1] != len(made):
        raise ShapeError(
            f"history has shape {path.shape}; a target of {len(made)} weights needs (steps, {len(made)})"
        )
    figure = style.new_figure(5.2)
    rows = figure.subplots(3, 1, height_ratios=(1, 1, 1.5))
    for axes, values, word, colour in (
        (rows[0], made, "target", "third"),
        (rows[1], path[-1], "learned", "kernel"),
    ):
        axes.bar(range(len(made)), values, 0.5, color=tint(colour, 0.4), edgecolor=style.COLOURS["ink"])
        axes.axhline(0, color=style.COLOURS["ink"], linewidth=1)
        _write_values(axes, range(len(values)), values)
        axes.set_title(WORDS[word], loc="left")
        axes.margins(y=0.35)
        axes.set_xlim(-0.6, len(made) - 0.4)
        style.bare(axes)
    axes = rows[2]
    for tap, weights in enumerate(path.T):
        colour, dash, _ = TAPS[tap % len(TAPS)]
        axes.plot(weights, color=style.COLOURS[colour], linestyle=dash)
        axes.annotate(
            WORDS["weight"].format(tap),
            (len(path) - 1, weights[-1]),
            (5, 0),
            textcoords="offset points",
            va="center",
        )
    axes.set_title(WORDS["weights"], loc="left")
    axes.set(xlabel=WORDS["step"], xlim=(0, len(path) - 1))
    return figure


@style.styled
def filtered(
    signal: ArrayLike,
    kernels: Mapping[str, ArrayLike],
    times: ArrayLike | None = None,
    marks: Sequence[float] = (),
) -> Figure:
    """A recording and what each kernel makes of it, every output over the middle of its window.

    Args:
        signal: array (m,).
        kernels: title of a panel → array (k,).
        times: array (m,), evenly spaced; sample numbers unless given.
        marks: times at which a dotted line runs through all panels.

    Raises:
        ShapeError: not one row of numbers, or not as many times as samples.
        SizeError: a kernel does not fit.
    """
    row = _row(signal, "signal")
    clock = np.arange(len(row), dtype=float) if times is None else _row(times, "times")
    if clock.shape != row.shape:
        raise ShapeError(f"{len(clock)} times for {len(row)} samples; give one time a sample")
    figure = style.new_figure(1.55 * (len(kernels) + 1) + 0.2)
    panels = figure.subplots(len(kernels) + 1, 1, sharex=True, squeeze=False)[:, 0]
    panels[0].plot(clock, row, color=style.COLOURS["third"], linewidth=0.9)
    panels[0].set_title(WORDS["recording"], loc="left")
    for axes, (title, kernel) in zip(panels[1:], kernels.items(), strict=True):
        outputs = correlate(row, kernel)
        middle = (clock[: len(outputs)] + clock[len(clock) - len(outputs) :]) / 2
        axes.plot(middle, outputs, color=style.COLOURS["ink"], linewidth=1.2)
        axes.set_title(title, loc="left")
    for axes in panels:
        axes.axhline(0, color="#777777", linewidth=0.6)
        for mark in marks:
            axes.axvline(mark, color=style.COLOURS["highlight"], linestyle=":", linewidth=1.4)
    panels[-1].set_xlim(clock[0], clock[-1])
    return figure


@style.styled
def matched(
    signal: ArrayLike,
    template: ArrayLike,
    score: ArrayLike,
    found: Sequence[int],
    threshold: float | None = None,
) -> Figure:
    """A recording, the template that is looked for, and the score that tells where it is.

    Args:
        signal: array (m,).
        template: array (k,).
        score: array (m - k + 1,), one value for every window.
        found: the places (first samples of windows) that were found; shaded in the recording and
            marked in the score.
        threshold: drawn as a dashed line where given.

    Raises:
        ShapeError: the score has not one value for every window.
        SizeError: a place lies outside the score.
    """
    row, shape, values = _row(signal, "signal"), _row(template, "template"), _row(score, "score")
    places = output_size(len(row), len(shape))
    if len(values) != places:
        raise ShapeError(f"{len(values)} scores for {places} windows; give one score a window")
    for place in found:
        if as_int(place, "place", minimum=0) >= places:
            raise SizeError(f"place {place} lies outside the {places} windows")
    figure = style.new_figure(5.4)
    top, middle, bottom = figure.subplots(3, 1, height_ratios=(0.8, 1, 1))
    bottom.sharex(middle)
    top.plot(shape, color=style.COLOURS["kernel"])
    top.set(xlim=(0, len(row) - 1))  # the scale of the recording below
    top.set_title(WORDS["template"].format(len(shape)), loc="left")
    style.bare(top)
    middle.plot(row, color=style.COLOURS["third"], linewidth=0.9)
    middle.set_title(WORDS["recording"], loc="left")
    middle.tick_params(labelbottom=False)
    bottom.plot(values, color=style.COLOURS["ink"], linewidth=0.9)
    bottom.set_title(WORDS["score"], loc="left")
    if threshold is not None:
        bottom.axhline(threshold, color=style.COLOURS["highlight"], linestyle="--", linewidth=1.2)
        bottom.annotate(
            WORDS["threshold"], (len(row) - 1, threshold), (0, 2), textcoords="offset points", ha="right"
        )
    for place in found:
        middle.axvspan(
            place, place + len(shape) - 1, facecolor=tint("kernel", 0.4), edgecolor=style.COLOURS["kernel"]
        )
        bottom.plot(place, values[place], "v", color=style.COLOURS["output"], markersize=9)
    bottom.set(xlabel=WORDS["sample"], xlim=(0, len(row) - 1))
    return figure


def _write_values(axes: Axes, places: Iterable[float], values: Iterable[float]) -> None:
    """Write each value at the end of its bar: above it, or below where it is negative."""
    for x, value in zip(places, values, strict=True):
        axes.annotate(
            number(value, 2),
            (x, value),
            (0, 3 if value >= 0 else -3),
            textcoords="offset points",
            ha="center",
            va="bottom" if value >= 0 else "top",
        )
