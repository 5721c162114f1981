"""Figures on what moves with the picture and on what an output sees of it. Chapter 8.

Receptive fields come from :mod:`cnnlib.receptive_field`, shifted pictures from :mod:`cnnlib.connections`,
gradients from whoever computed them: nothing is worked out here that the library knows already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator
from numpy.typing import ArrayLike, NDArray

from cnnlib.connections import Equivariance, shift
from cnnlib.convolution import as_floats, conv, correlate
from cnnlib.errors import ShapeError, SizeError
from cnnlib.plots.pieces import (
    GREYS,
    arrow,
    by,
    canvas,
    grid,
    need,
    outline,
    picture,
)
from cnnlib.plots.style import COLOURS, WIDTH, bare, new_figure, styled
from cnnlib.receptive_field import HasSteps, ReceptiveField, Window, inputs_seen, receptive_field
from cnnlib.receptive_field import receptive_fields as fields_of
from cnnlib.sizes import as_int, output_size

#: Every word in these figures; a translation replaces the values.
WORDS = {
    "convolve": "convolve",
    "shift": "shift by {}",
    "photograph": "photograph",
    "shifted": "photograph, shifted",
    "after": "convolve, then shift",
    "before": "shift, then convolve",
    "layer": "layer {}",
    "inputs": "inputs",
    "sees": "sees {}",
    "layers": "layers",
    "size": "receptive field",
    "output": "output ({}, {})",
    "field": "{name}: {size}",
    "padding": "padding",
    "depth": "{layers} layers: {size}",
    "place": "place within the receptive field (0 to 1)",
    "share": "density of the gradient's square",
    "channel": "{}",
    "dead": "{}: dead",
}

#: Lines that can be told apart without colour.
LOOKS = (("highlight", "-"), ("third", "--"), ("output", "-."), ("second", ":"), ("ink", (0, (5, 1, 1, 1))))
#: The same on a photograph, light against dark ground.
FRAMES: tuple[tuple[str, Any], ...] = (
    ("kernel", "-"),
    ("input", "--"),
    ("paper", "-."),
    ("second", ":"),
    ("highlight", "-"),
)

#: Charts are narrower than pictures, so that the page enlarges their text with them.
CHART_WIDTH = 4.6


# --- what moves with the picture ---------------------------------------------------------------------------


@styled
def two_roads(signal: ArrayLike, kernel: ArrayLike, amount: int) -> Figure:
    """A row of numbers, first convolved and then shifted, and the other way round.

    The four rows stand at the corners of a square: to the right is convolution, down is a shift. What is
    not zero is framed.

    Args:
        signal: array (m,) of few small numbers.
        kernel: array (k,).
        amount: by how many places the row is shifted, to the right.

    Raises:
        ShapeError: not one row of numbers.
        SizeError: the kernel does not fit.
    """
    row, weights = as_floats(signal, "signal"), as_floats(kernel, "kernel")
    if row.ndim != 1 or weights.ndim != 1:
        raise ShapeError(
            f"signal {row.shape} and kernel {weights.shape} are not one row of numbers each, (m,) and (k,)"
        )
    amount = as_int(amount, "amount")
    moved, outputs = _moved(row, amount), correlate(row, weights)
    gap, down = 2.6, 3.2
    right = len(row) + gap
    figure, axes = canvas(-0.1, right + max(len(outputs) + 0.1, len(outputs) / 2 + 2.6), -0.3, down + 1.3)
    corners = (
        (row, 0.0, 0.0, "input"),
        (moved, 0.0, down, "input"),
        (outputs, right, 0.0, "output"),
        (correlate(moved, weights), right, down, "output"),
    )
    for values, left, top, colour in corners:
        grid(axes, values[None], left, top, colour)
        there = np.flatnonzero(values)
        if there.size:
            outline(axes, left + there[0], top, there[-1] - there[0] + 1, 1)
    for top in (0.5, down + 0.5):
        arrow(axes, (len(row) + 0.15, top), (right - 0.15, top))
        axes.text(len(row) + gap / 2, top - 0.25, WORDS["convolve"], ha="center", va="bottom", size=10)
    for left, length in ((0.0, len(row)), (right, len(outputs))):
        middle = left + length / 2
        arrow(axes, (middle, 1.15), (middle, down - 0.15))
        words = WORDS["shift"].format(amount)
        axes.text(middle + 0.25, (1 + down) / 2, words, ha="left", va="center", size=10)
    return figure


def _moved(row: NDArray, amount: int) -> NDArray:
    return shift(row[None, :, None], amount)[0, :, 0]


@styled
def two_orders(image: NDArray, kernel: NDArray, amount: tuple[int, int]) -> Figure:
    """A photograph and its shifted copy, above what a kernel makes of them in the two orders.

    Args:
        image: array (height, width) from 0 to 1.
        kernel: array (height, width), laid over the picture with ``same``.
        amount: pixels down and to the right.

    Raises:
        ShapeError: not a grey picture.
    """
    values = _one_image(image)
    weights = np.asarray(kernel, values.dtype)[..., None, None]
    moved = shift(values, amount)
    after = shift(conv(values, weights, padding="same"), amount)
    before = conv(moved, weights, padding="same")
    limit = float(np.abs(before).max()) / 2 or 1.0  # edges show better than by all
    height, width = image.shape
    figure = new_figure(2 * (0.35 + WIDTH / 2 * height / width))
    shown = (
        ("photograph", values, (0.0, 1.0)),
        ("shifted", moved, (0.0, 1.0)),
        ("after", after, (-limit, limit)),
        ("before", before, (-limit, limit)),
    )
    for axes, (word, pixels, limits) in zip(figure.subplots(2, 2).ravel(), shown, strict=True):
        picture(axes, pixels[0, ..., 0], limits, WORDS[word])
    return figure


def _one_image(image: NDArray) -> NDArray:
    if np.ndim(image) != 2:
        raise ShapeError(f"a picture of shape {np.shape(image)} is not grey; it needs (height, width)")
    return as_floats(image, "image")[None, ..., None]


@styled
def error_maps(results: Mapping[str, Equivariance]) -> Figure:
    """Where operator(shift(inputs)) and shift(operator(inputs)) differ: white where equal, black where most.

    A dashed frame holds the outputs whose view lies inside the picture before and after.

    Args:
        results: for each title what :func:`cnnlib.connections.equivariance` found on a picture.

    Raises:
        SizeError: there is no result.
        ShapeError: a result is not that of a picture.
    """
    need(results, "results")
    for result in results.values():
        if result.difference.ndim != 2:
            raise ShapeError(f"differences of shape {result.difference.shape} are no map (height, width)")
    columns = 2
    rows = -(-len(results) // columns)
    height, width = next(iter(results.values())).difference.shape
    figure = new_figure(rows * (0.4 + WIDTH / columns * height / width))
    panels = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axes, (title, result) in zip(panels, results.items(), strict=False):
        limit = result.scale / 2 or 1.0
        bare(axes).imshow(
            np.minimum(result.difference, limit), cmap="gray_r", vmin=0, vmax=limit, interpolation="none"
        )
        axes.set_title(title, fontsize=11)
        axes.spines[:].set(visible=True, linewidth=0.7)
        there = np.argwhere(result.inside)
        if there.size:
            (top, left), (bottom, right) = there.min(0), there.max(0)
            axes.add_patch(
                Rectangle(
                    (left - 0.5, top - 0.5),
                    right - left + 1,
                    bottom - top + 1,
                    fill=False,
                    edgecolor=COLOURS["highlight"],
                    linestyle="--",
                    linewidth=1.5,
                    gid="inside",
                )
            )
    for axes in panels[len(results) :]:
        axes.set_visible(False)
    return figure


# --- what an output sees ----------------------------------------------------------------------------------


@styled
def cones(stacks: Mapping[str, Sequence[Window]], size: int, columns: int = 1) -> Figure:
    """Every unit of some stacks of layers along one axis, and all that their middle output sees.

    Inputs are below. Units and lines that the middle unit of the last layer depends on are strong, all
    others faint; beside each layer stands how many inputs one of its units sees.

    Args:
        stacks: for each title the windows from the inputs on.
        size: the number of inputs.
        columns: how many drawings stand beside one another.

    Raises:
        SizeError: a window does not fit, or there is no stack.
    """
    need(stacks, "stacks")
    rows = -(-len(stacks) // columns)
    deepest = max(map(len, stacks.values()))
    height = 0.5 + 0.55 * deepest if columns > 1 else 0.55 + 0.62 * deepest
    figure = new_figure(rows * (height + 0.3), WIDTH)
    panels = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axes, (title, stack) in zip(panels, stacks.items(), strict=False):
        _cone(axes, list(stack), size)
        axes.set_ylim(-0.5, deepest + 0.45)
        axes.set_title(title, fontsize=11)
    for axes in panels[len(stacks) :]:
        axes.set_visible(False)
    return figure


def _cone(axes: Axes, stack: list[Window], size: int) -> None:
    """One stack: the units of layer l stand at height l, over the middle of what they see."""
    sizes = [as_int(size, "size")]
    for window in stack:
        kernel, stride, padding, dilation = (as_int(window.kernel_size, "kernel_size"), *window[1:4])
        sizes.append(output_size(sizes[-1], kernel, stride, padding, dilation))  # type: ignore[arg-type]
    top = sizes[-1] // 2
    fields = [receptive_field(stack[:layer], size) for layer in range(len(sizes))]
    seen = [set(inputs_seen(stack[layer:], top, sizes[layer])) for layer in range(len(sizes))]
    radius = 0.2 if size < 12 else 0.16

    def place(layer: int, unit: int) -> tuple[float, float]:
        return fields[layer].centre + unit * float(fields[layer].stride), layer

    for layer, window in enumerate(stack):
        for index in range(sizes[layer + 1]):
            for source in inputs_seen([window], index, sizes[layer]):
                strong = index in seen[layer + 1]
                (x0, y0), (x1, y1) = place(layer, source), place(layer + 1, index)
                axes.plot(
                    (x0, x1),
                    (y0, y1),
                    color=COLOURS["highlight" if strong else "faint"],
                    linewidth=1.6 if strong else 0.8,
                    zorder=2 if strong else 1,
                    gid="strong" if strong else "faint",
                )
    aspect = 0.62 if size < 12 else 0.8
    for layer, count in enumerate(sizes):
        for index in range(count):
            strong = index in seen[layer]
            x, y = place(layer, index)
            axes.plot(
                x,
                y,
                marker="o",
                markersize=radius * 60 * aspect,
                markerfacecolor=COLOURS["input" if layer == 0 else "output"] if strong else COLOURS["paper"],
                markeredgecolor=COLOURS["ink"] if strong else COLOURS["padding"],
                zorder=3,
                linestyle="none",
                gid="seen" if strong else "unseen",
            )
        words = WORDS["sees"].format(fields[layer].size) if layer else WORDS["inputs"]
        axes.text(size - (0.3 if size < 12 else -0.2), layer, words, ha="left", va="center", fontsize=10)
    bare(axes).set_xlim(-0.6, size + (1.6 if size < 12 else 4.9))


@styled
def growth(ways: Mapping[str, Sequence[Window]]) -> Figure:
    """The receptive field after each layer, one curve a way to stack them, on a scale that doubles.

    Raises:
        SizeError: there is no way, or one without layers.
    """
    need(ways, "ways")
    figure = new_figure(4.2, CHART_WIDTH)
    figure.set_layout_engine("constrained", h_pad=0.07, w_pad=0.07)
    axes = figure.subplots()
    for (name, stack), (colour, dash), marker in zip(
        ways.items(), LOOKS * len(ways), "osD^v" * len(ways), strict=False
    ):
        need(stack, f"the stack {name!r}")
        sizes: list[Any] = [receptive_field(list(stack)[:depth]).size for depth in range(len(stack) + 1)]
        axes.plot(sizes, color=COLOURS[colour], linestyle=dash, marker=marker, markersize=5, label=name)
    axes.set_yscale("log", base=2)
    axes.yaxis.set_major_locator(LogLocator(2, numticks=24))  # every doubling
    axes.yaxis.set_major_formatter("{x:.0f}")
    axes.set(xlabel=WORDS["layers"], ylabel=WORDS["size"])
    figure.legend(loc="outside upper left")
    return figure


@styled
def frames(
    image: NDArray, network: HasSteps, layers: Mapping[str, str], places: Sequence[Mapping[str, int] | int]
) -> Figure:
    """What one output of some layers sees, as frames on a photograph; a panel for each output.

    Where a frame leaves the picture, it lies on the padding, which is hatched.

    Args:
        image: array (height, width) or (height, width, 3) from 0 to 1, as large as the network wants.
        network: whatever :func:`cnnlib.receptive_field.receptive_fields` reads.
        layers: for each of them the name that stands in the legend.
        places: for each panel the row and column of the output, by the layer's name or one for all.

    Raises:
        ShapeError: the network has no such layer.
        SizeError: no layers, or no places.
    """
    need(layers, "layers")
    need(places, "places")
    height, width = image.shape[:2]
    fields = fields_of(network, (height, width)).fields
    for name in layers:
        if name not in fields:
            raise ShapeError(f"no layer is called {name!r}; there are {', '.join(map(str, fields))}")
    before = after = 0.0
    drawn: list[list[tuple[str, tuple[float, float, float, float]]]] = []
    for chosen in places:
        boxes = []
        for name in layers:
            index = chosen if isinstance(chosen, int) else chosen[name]
            (top, tall), (left, wide) = (_stretch(field, index) for field in fields[name])
            boxes.append((name, (left, top, wide, tall)))
            before = max(before, -left, -top)
            after = max(after, left + wide - width, top + tall - height)
        drawn.append(boxes)
    figure = new_figure(WIDTH / len(places) + 0.9)
    panels = figure.subplots(1, len(places), squeeze=False)[0]
    near, far = -0.5 - before - 3, after + 3 - 0.5  # a little more, so that no line is cut
    for axes, boxes in zip(panels, drawn, strict=True):
        axes.add_patch(
            Rectangle(
                (near, near),
                width + far - near,
                height + far - near,
                facecolor=COLOURS["faint"],
                edgecolor=COLOURS["padding"],
                hatch="///",
                linewidth=0,
                zorder=-1,
                gid="padding",
            )
        )
        picture(axes, image)
        for (_, (left, top, wide, tall)), (colour, dash) in zip(boxes, FRAMES * len(boxes), strict=False):
            axes.add_patch(
                Rectangle(
                    (left - 0.5, top - 0.5),
                    wide,
                    tall,
                    fill=False,
                    edgecolor=COLOURS[colour],
                    linestyle=dash,
                    linewidth=2,
                    path_effects=[withStroke(linewidth=4, foreground=COLOURS["ink"])],
                    gid="field",
                )
            )
        axes.set_xlim(near, width + far)
        axes.set_ylim(height + far, near)
    lines = [
        Line2D(
            [],
            [],
            color=COLOURS[colour],
            linestyle=dash,
            path_effects=[withStroke(linewidth=4, foreground=COLOURS["ink"])],
            label=WORDS["field"].format(name=words, size=_side(fields[name])),
        )
        for (name, words), (colour, dash) in zip(layers.items(), FRAMES * len(layers), strict=False)
    ]
    figure.legend(handles=lines, loc="outside lower center", ncols=2, handlelength=3)
    return figure


def _stretch(field: ReceptiveField | None, index: int) -> tuple[float, float]:
    """The first pixel that an output sees along one axis, and how many."""
    if field is None or field.size is None or not field.stride:
        raise SizeError("a layer that sees everything has no frame; choose one that slides")
    return float(field.offset + index * field.stride), float(field.size)


def _side(field: Sequence[ReceptiveField | None]) -> str:
    sizes = [one.size for one in field if one is not None]
    return by(sizes)


def spread(windows: Sequence[Window]) -> float:
    """The width of the effective receptive field that a stack of random layers starts with.

    Every tap of a layer takes an equal share of the gradient's square, and layers behind one another add up
    like dice: each adds (D·j)²·(F² - 1)/12 to the variance, j being the jump of its inputs.

    W. Luo, Y. Li, R. Urtasun and R. Zemel, *Understanding the effective receptive field in deep convolutional
    neural networks*, NIPS 2016 (arXiv:1701.04128).

    Args:
        windows: from the inputs on, along one axis.

    Returns:
        the standard deviation of the gradient's square, in inputs.

    >>> [round(spread([Window(3)] * depth), 3) for depth in (6, 24)]
    [2.0, 4.0]
    """
    variance, jump = 0.0, 1
    for window in windows:
        kernel, stride, dilation = (
            as_int(value, name)
            for value, name in zip(
                (window.kernel_size, window.strides, window.dilation_rate),
                ("kernel_size", "strides", "dilation_rate"),
                strict=True,
            )
        )
        variance += (dilation * jump) ** 2 * (kernel**2 - 1) / 12
        jump *= stride
    return variance**0.5


@styled
def gradient_maps(energies: Mapping[int, NDArray], window: Window) -> Figure:
    """How much of the gradient of one output falls on each input, for stacks of several depths.

    Above, each map fills its receptive field; below, the same along one axis, drawn over places from 0 to 1,
    and with it the bell curve that theory expects.

    Args:
        energies: for each number of layers an array (side, side): the mean square of the gradient, of which
            side is the receptive field.
        window: of each layer; :func:`spread` tells the width of the bell.

    Raises:
        SizeError: there is no map.
        ShapeError: a map is not square.
    """
    need(energies, "energies")
    for layers, energy in energies.items():
        if energy.ndim != 2 or energy.shape[0] != energy.shape[1]:
            raise ShapeError(f"the map of {layers} layers has shape {energy.shape}; it needs (side, side)")
    figure = new_figure(4.9)
    figure.set_layout_engine("constrained", h_pad=0.07, w_pad=0.07)
    upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.5)).ravel()
    for axes, (layers, energy) in zip(
        upper.subplots(1, len(energies), squeeze=False)[0], energies.items(), strict=True
    ):
        bare(axes).imshow(energy / energy.max(), cmap=GREYS.reversed(), vmin=0, vmax=1, interpolation="none")
        axes.spines[:].set(visible=True, edgecolor=COLOURS["highlight"], linewidth=1.6)
        side = len(energy)
        axes.set_title(WORDS["depth"].format(layers=layers, size=by((side, side))), fontsize=10)
    axes = lower.subplots()
    for (layers, energy), (colour, dash) in zip(energies.items(), LOOKS * len(energies), strict=False):
        side = len(energy)
        profile = energy.sum(axis=0) / energy.sum() * side
        axes.plot(
            (np.arange(side) + 0.5) / side,
            profile,
            color=COLOURS[colour],
            linestyle=dash,
            label=f"{layers} {WORDS['layers']}",
        )
        fine = np.linspace(0, 1, 201)
        sigma = spread([window] * layers) / side
        bell = np.exp(-0.5 * ((fine - 0.5) / sigma) ** 2) / (sigma * (2 * np.pi) ** 0.5)
        axes.fill_between(fine, bell, color=COLOURS[colour], alpha=0.13, linewidth=0, gid="bell")
    axes.set(xlabel=WORDS["place"], ylabel=WORDS["share"], xlim=(0, 1), ylim=(0, None))
    axes.legend()
    return figure


@styled
def channels(maps: NDArray, dead: Sequence[int], columns: int = 6) -> Figure:
    """The activation maps of one picture, all on one scale; the dead ones are named and crossed out.

    Args:
        maps: array (height, width, channels), none below 0.
        dead: the channels that were silent for every picture.
        columns: how many stand in a row.

    Raises:
        ShapeError: not the maps of one picture.
    """
    if maps.ndim != 3:
        raise ShapeError(f"maps of shape {maps.shape} are not (height, width, channels)")
    rows = -(-maps.shape[-1] // columns)
    height, width = maps.shape[:2]
    figure = new_figure(rows * (0.28 + WIDTH / columns * height / width))
    panels = list(figure.subplots(rows, columns, squeeze=False).ravel())
    limit = float(maps.max()) or 1.0
    for channel, axes in enumerate(panels):
        if channel >= maps.shape[-1]:
            axes.set_visible(False)
            continue
        picture(axes, maps[..., channel], (0, limit))
        gone = channel in dead
        axes.set_title(WORDS["dead" if gone else "channel"].format(channel), fontsize=10, pad=3)
        if gone:
            for ends in ((0, 1), (1, 0)):
                axes.plot(
                    (0, 1),
                    ends,
                    transform=axes.transAxes,
                    color=COLOURS["kernel"],
                    linewidth=1.5,
                    gid="cross",
                )
    return figure
