"""Going up again, drawn: unpooling, transposed convolution seen three ways, uneven overlap. Chapter 10.

The numbers come from :mod:`cnnlib.upsampling`, the matrices from :func:`cnnlib.connections.conv_matrix`, the
sizes from :mod:`cnnlib.sizes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from cnnlib.connections import conv_matrix
from cnnlib.convolution import as_floats, conv
from cnnlib.errors import ShapeError, SizeError
from cnnlib.network import Model
from cnnlib.plots.network import boxes
from cnnlib.plots.pieces import (
    SLANT,
    arrow,
    by,
    canvas,
    grid,
    need_picture,
    number,
    oblique_box,
    outline,
    picture,
)
from cnnlib.plots.style import COLOURS, WIDTH, bare, new_figure, styled
from cnnlib.pooling import max_pool_switches
from cnnlib.sizes import as_int, transposed_size
from cnnlib.upsampling import bed_of_nails, conv_transpose, max_unpool, overlap_counts, upsample_nearest

#: Every word in these figures; a translation replaces the values.
WORDS = {
    "encoder": "encoder",
    "latent": "latent",
    "decoder": "decoder",
    "values": "{} values",
    "input": "input",
    "inputs": "inputs",
    "kernel": "kernel",
    "output": "output",
    "sum": "sum",
    "pooled": "max pooling",
    "bed_of_nails": "bed of nails",
    "nearest": "nearest",
    "max_unpooling": "max unpooling",
    "matrix": "convolution:\n{inputs} → {outputs}",
    "transposed": "transposed:\n{inputs} → {outputs}",
    "flipped": "kernel, turned round",
    "stretched": "inputs, with zeros between and around them",
    "kernel_size": "kernel {kernel}, stride {stride}",
    "counts": "count",
}


@styled
def hourglass(model: Model) -> Figure:
    """A network that goes down and up again, as volumes to one scale; a channel is as thick as a pixel.

    The waist is the step with the fewest values; what is before it is named the encoder, what is behind it
    the decoder.

    Raises:
        ShapeError: a step is no image, (height, width, channels).
    """
    steps = boxes(model)
    sizes = [tuple(int(n or 0) for n in step.shape[1:]) for step in steps]
    for step, size in zip(steps, sizes, strict=True):
        if len(size) != 3 or 0 in size:
            raise ShapeError(f"{step.words} makes {step.size}, but volumes need (height, width, channels)")
    values = [int(np.prod(size)) for size in sizes]
    waist = int(np.argmin(values))
    breadths = [size[2] + SLANT * size[1] for size in sizes]
    heights = [size[0] + SLANT * size[1] for size in sizes]
    tall = max(heights)
    gap = 0.16 * tall
    room = max(*breadths, 0.46 * tall)  # for the words below
    width, middle = len(steps) * room + (len(steps) - 1) * gap, tall / 2
    figure = new_figure(1)
    figure.set_layout_engine("none")
    axes = bare(figure.add_axes((0, 0, 1, 1)))
    line = 0.125 * tall
    ends: list[tuple[float, float]] = []
    for place, (step, size) in enumerate(zip(steps, sizes, strict=True)):
        left = place * (room + gap)
        start = left + (room - breadths[place]) / 2
        colour = "second" if place == waist else step.colour
        oblique_box(axes, start, middle - heights[place] / 2, size, colour)
        ends.append((start, start + breadths[place]))
        if place:
            arrow(axes, (ends[-2][1] + 0.03 * tall, middle), (start - 0.03 * tall, middle))
        words = (step.words.replace(" ", "\n", 1), by(size), WORDS["values"].format(values[place]))
        level = tall + 0.6 * line
        for text, weight in zip(words, ("normal", "bold", "normal"), strict=True):
            axes.text(
                left + room / 2, level, text, ha="center", va="top", size=12, weight=weight, linespacing=1.1
            )
            level += line * (1.9 if text is words[0] else 1)
    top = -1.5 * line
    spans = {"encoder": (0, waist - 1), "latent": (waist, waist), "decoder": (waist + 1, len(steps) - 1)}
    for name, (first, last) in spans.items():
        if last < first:
            continue
        begin, end = first * (room + gap), last * (room + gap) + room
        axes.plot([begin, end], [top + 0.75 * line] * 2, color=COLOURS["ink"], linewidth=1.2)
        axes.text((begin + end) / 2, top + 0.5 * line, WORDS[name], ha="center", va="bottom", weight="bold")
    low, high = top - 0.75 * line, tall + 4.9 * line
    axes.set(xlim=(-0.01 * width, 1.01 * width), ylim=(high, low), aspect="equal")
    figure.set_size_inches(WIDTH, WIDTH * (high - low) / (1.02 * width))
    return figure


@styled
def unpooling(values: ArrayLike) -> Figure:
    """Max pooling by 2×2 of one small feature map, and three ways to make it as large again.

    The winners are outlined; in the enlarged maps zeros are grey.

    Args:
        values: array (height, width), both even.

    Raises:
        ShapeError: it is no map with even sides.
    """
    maps = as_floats(values, "values")
    if maps.ndim != 2 or maps.shape[0] % 2 or maps.shape[1] % 2 or 0 in maps.shape:
        raise ShapeError(f"a map of shape {maps.shape} cannot be pooled by 2×2; it needs two even sides")
    batch = maps[None, ..., None]
    pooled, switches = max_pool_switches(batch, 2)
    (high, wide), (down, across) = maps.shape, pooled.shape[1:3]
    total = 3 * wide + 2 * 1.1
    figure, axes = canvas(-0.2, total + 0.2, -1, 2 * high + 1.7)
    left = (total - wide - 2.4 - across) / 2
    grid(axes, maps, left, 0, "input")
    for winner in switches.ravel().tolist():
        outline(axes, left + winner % wide, winner // wide, 1, 1)
    arrow(axes, (left + wide + 0.3, high / 2), (left + wide + 2.1, high / 2))
    at = left + wide + 2.4
    grid(axes, pooled[0, ..., 0], at, (high - down) / 2, "second")
    _title(axes, left + wide / 2, 0, WORDS["input"])
    _title(axes, at + across / 2, (high - down) / 2, WORDS["pooled"])
    enlarged = {
        "bed_of_nails": (bed_of_nails(pooled, 2), bed_of_nails(np.ones_like(pooled), 2)),
        "nearest": (upsample_nearest(pooled, 2), np.ones_like(batch)),
        "max_unpooling": (
            max_unpool(pooled, switches, batch.shape),
            max_unpool(np.ones_like(pooled), switches, batch.shape),
        ),
    }
    for place, (name, (result, filled)) in enumerate(enlarged.items()):
        x, y = place * (wide + 1.1), high + 1.5
        _two_colours(axes, result[0, ..., 0], filled[0, ..., 0] > 0, x, y, "output")
        _title(axes, x + wide / 2, y, WORDS[name])
    return figure


@styled
def stamps(inputs: ArrayLike, kernel: ArrayLike, stride: int = 1) -> Figure:
    """A transposed convolution of a row: every input stamps the kernel, times itself; then all are added.

    Raises:
        ShapeError: inputs or kernel are not one row of numbers.
    """
    values, weights, result = _transposed(inputs, kernel, stride)
    label = 3.6
    rows = len(values) + 1.35
    figure, axes = canvas(-label - 0.2, len(result) + 0.2, -1, rows + 0.15)
    axes.text(-label, -0.35, WORDS["input"], va="center", weight="bold")
    axes.text(-0.4, -0.35, WORDS["kernel"], ha="right", va="center", weight="bold")
    for place, value in enumerate(values):
        grid(axes, [[value]], -label, place, "input")
        axes.text(-label + 1.5, place + 0.52, "·", ha="center", va="center", size=16)
        axes.text(
            -0.4, place + 0.52, "  ".join(map(number, weights)), ha="right", va="center", color=COLOURS["ink"]
        )
        grid(axes, value * weights[None], place * stride, place, "kernel")
        for edge in range(len(result) + 1):
            axes.plot([edge, edge], [place, place + 1], color=COLOURS["faint"], linewidth=0.7, zorder=0)
    bottom = len(values) + 0.25
    axes.plot([0, len(result)], [bottom - 0.12] * 2, color=COLOURS["ink"], linewidth=1.4)
    axes.text(-0.4, bottom + 0.52, WORDS["sum"], ha="right", va="center", weight="bold")
    grid(axes, result[None], 0, bottom, "output")
    return figure


@styled
def matrices(inputs: ArrayLike, kernel: ArrayLike, stride: int = 1) -> Figure:
    """The matrix of a convolution of a row, and the same matrix transposed, times the inputs.

    Raises:
        ShapeError: see :func:`stamps`.
    """
    values, weights, result = _transposed(inputs, kernel, stride)
    matrix = conv_matrix(weights[:, None, None], [len(result)], stride)
    few, many = matrix.shape
    second = many + 1.6
    right = second + few + 1.1 + 1 + 1.1 + 1
    figure, axes = canvas(-0.2, right + 0.2, -1.75, many + 0.2)
    _two_colours(axes, matrix, matrix != 0, 0, (many - few) / 2, "kernel")
    names = {"inputs": many, "outputs": few}
    _title(axes, many / 2, (many - few) / 2, WORDS["matrix"].format(**names))
    _two_colours(axes, matrix.T, matrix.T != 0, second, 0, "kernel")
    names = {"inputs": few, "outputs": many}
    _title(axes, second + few / 2, 0, WORDS["transposed"].format(**names))
    x = second + few
    axes.text(x + 0.55, many / 2, "·", ha="center", va="center", size=18)
    grid(axes, values[:, None], x + 1.1, (many - few) / 2, "input")
    axes.text(x + 2.65, many / 2, "=", ha="center", va="center", size=16)
    grid(axes, (matrix.T @ values)[:, None], x + 3.2, 0, "output")
    return figure


@styled
def zeros_inserted(inputs: ArrayLike, kernel: ArrayLike, stride: int = 1, place: int = 0) -> Figure:
    """A transposed convolution of a row as an ordinary one: zeros go between the inputs and around them.

    Args:
        inputs, kernel: rows of numbers.
        stride: how far apart the inputs are set.
        place: the output whose window is outlined.

    Raises:
        ShapeError: see :func:`stamps`.
        SizeError: there is no output at ``place``.
    """
    values, weights, result = _transposed(inputs, kernel, stride)
    if not 0 <= as_int(place, "place", minimum=0) < len(result):
        raise SizeError(f"place {place} lies outside the {len(result)} outputs")
    spread = bed_of_nails(values[None, :, None], stride)[0, : (len(values) - 1) * stride + 1, 0]
    frame = len(weights) - 1
    turned = weights[::-1]
    outputs = conv(spread[None, :, None], turned[:, None, None], padding="full")[0, :, 0]
    length = len(spread) + 2 * frame
    figure, axes = canvas(-0.2, length + 1.6, -0.9, 5.2)
    axes.text(0, -0.4, WORDS["stretched"], va="center", weight="bold")
    for cell in range(length):
        inside = frame <= cell < frame + len(spread)
        real = inside and (cell - frame) % stride == 0
        value = spread[cell - frame] if inside else 0
        if real:
            grid(axes, [[value]], cell, 0, "input")
        else:
            grid(axes, [[value]], cell, 0, "padding", hatch="..." if inside else "////")
    outline(axes, place, 0, len(weights), 1)
    grid(axes, turned[None], place, 1.6, "kernel")
    axes.text(place + len(weights) + 0.3, 2.12, WORDS["flipped"], va="center")
    shift = frame / 2  # an output stands below the middle of its window
    arrow(axes, (place + shift + 0.5, 2.75), (place + shift + 0.5, 3.85))
    grid(axes, outputs[None], shift, 4, "output")
    outline(axes, place + shift, 4, 1, 1)
    axes.text(shift + len(outputs) + 0.15, 4.52, WORDS["output"], va="center")
    return figure


@styled
def stamps_2d(inputs: ArrayLike, kernel: ArrayLike, stride: int = 1) -> Figure:
    """A transposed convolution of a small map; outputs that several inputs write to are darker.

    The first and the last stamp are outlined.

    Raises:
        ShapeError: inputs or kernel are no map of numbers.
    """
    values, weights = as_floats(inputs, "inputs"), as_floats(kernel, "kernel")
    for name, array in (("inputs", values), ("kernel", weights)):
        if array.ndim != 2 or 0 in array.shape:
            raise ShapeError(f"{name} of shape {array.shape} are no map; they need (height, width)")
    result = conv_transpose(values[None, ..., None], weights[..., None, None], stride, 0)[0, ..., 0]
    counts = overlap_counts(values.shape, weights.shape, stride, 0)
    (tall, wide), (high, across) = result.shape, values.shape
    at_kernel = across + 1.2
    at = at_kernel + weights.shape[1] + 1.5
    figure, axes = canvas(-0.2, at + wide + 0.2, -0.9, tall + 0.2)
    middle = tall / 2
    grid(axes, values, 0, middle - high / 2, "input")
    _title(axes, across / 2, middle - high / 2, WORDS["input"])
    grid(axes, weights, at_kernel, middle - weights.shape[0] / 2, "kernel")
    _title(axes, at_kernel + weights.shape[1] / 2, middle - weights.shape[0] / 2, WORDS["kernel"])
    arrow(axes, (at - 1.2, middle), (at - 0.3, middle))
    for (row, column), value in np.ndenumerate(result):
        shade = (COLOURS["output"], 0.18 * min(int(counts[row, column]), 4))
        grid(axes, [[value]], at + column, row, "output", facecolor=shade)
    _title(axes, at + wide / 2, 0, WORDS["output"])
    outline(axes, at, 0, weights.shape[1], weights.shape[0])
    last = at + (across - 1) * stride, (high - 1) * stride
    outline(axes, *last, weights.shape[1], weights.shape[0], colour="third")
    outline(axes, 0, middle - high / 2, 1, 1)
    outline(axes, across - 1, middle + high / 2 - 1, 1, 1, colour="third")
    return figure


@styled
def overlap(size: int, kernel_sizes: Sequence[int], stride: int) -> Figure:
    """How many inputs write to each output of a row: a bar for each input, and their number below.

    Args:
        size: how many inputs there are.
        kernel_sizes: a drawing for each.
        stride: how far apart the bars begin.

    Raises:
        SizeError: there is no kernel size.
    """
    if not kernel_sizes:
        raise SizeError("kernel_sizes is empty; give at least one to draw")
    size, stride = as_int(size, "size"), as_int(stride, "stride")
    lengths = [transposed_size(size, kernel, stride, 0) for kernel in kernel_sizes]
    lanes = [min(size, -(-kernel // stride)) for kernel in kernel_sizes]
    heights = [1 + 0.5 * count + 1.5 for count in lanes]
    figure, axes = canvas(-0.2, max(lengths) + 0.2, 0, sum(heights))
    top = 0.0
    for kernel, length, lane, height in zip(kernel_sizes, lengths, lanes, heights, strict=True):
        words = WORDS["kernel_size"].format(kernel=kernel, stride=stride)
        axes.text(0, top + 0.5, words, va="center", weight="bold")
        for place in range(size):
            corner = (place * stride + 0.05, top + 1 + 0.5 * (place % lane))
            axes.add_patch(
                Rectangle(
                    corner,
                    kernel - 0.1,
                    0.4,
                    facecolor=COLOURS[("kernel", "input")[place % 2]],
                    edgecolor=COLOURS["ink"],
                    hatch=(None, "///")[place % 2],
                    linewidth=0.8,
                    gid="stamp",
                )
            )
        level = top + 1.05 + 0.5 * lane
        for cell, count in enumerate(overlap_counts(size, kernel, stride, 0)):
            shade = (COLOURS["output"], 0.22 * min(int(count), 4))
            grid(axes, [[count]], cell, level, "output", facecolor=shade)
        axes.plot([0, length], [level] * 2, color=COLOURS["ink"], linewidth=1.4)
        top += height
    return figure


@styled
def overlap_maps(size: int, kernel_sizes: Sequence[int], stride: int) -> Figure:
    """How many inputs write to each output of a square map; darker is more. Arguments as :func:`overlap`."""
    if not kernel_sizes:
        raise SizeError("kernel_sizes is empty; give at least one to draw")
    maps = [overlap_counts((size, size), kernel, stride, 0) for kernel in kernel_sizes]
    most = max(int(counts.max()) for counts in maps)
    gap = 0.8
    figure, axes = canvas(
        -0.1, sum(len(counts) + gap for counts in maps) - gap + 0.1, -1.2, len(maps[-1]) + 0.1
    )
    axes.set_ylim(max(len(counts) for counts in maps) + 0.1, -1.2)
    left = 0.0
    for kernel, counts in zip(kernel_sizes, maps, strict=True):
        for (row, column), count in np.ndenumerate(counts):
            shade = (COLOURS["output"], 0.08 + 0.72 * (int(count) - 1) / max(most - 1, 1))
            grid(axes, [[count]], left + column, row, "output", 10, facecolor=shade)
        _title(axes, left + len(counts) / 2, 0, WORDS["kernel_size"].format(kernel=kernel, stride=stride))
        left += len(counts) + gap
    return figure


@styled
def strips(rows: Mapping[str, NDArray]) -> Figure:
    """Rows of small pictures, each row with its title: 0 is black, 1 is white.

    Args:
        rows: for each title an array (pictures, height, width), all of one shape.

    Raises:
        SizeError: there is no row.
        ShapeError: a row has another shape.
    """
    if not rows:
        raise SizeError("rows is empty; give at least one to draw")
    shape = next(iter(rows.values())).shape
    for name, pictures in rows.items():
        if pictures.ndim != 3 or pictures.shape != shape:
            raise ShapeError(f"{name} has shape {pictures.shape}, not {shape}: (pictures, height, width)")
        need_picture(pictures[0])
    count, height, width = shape
    figure = new_figure(len(rows) * (0.3 + WIDTH / count * height / width))
    panels = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for axes, (name, pictures) in zip(panels, rows.items(), strict=True):
        picture(axes, np.hstack(list(pictures)))
        axes.set_title(name, loc="left", pad=3)
    return figure


def _transposed(
    inputs: ArrayLike, kernel: ArrayLike, stride: int
) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]:
    """Two rows of numbers and their transposed convolution, or what is wrong with them."""
    values, weights = as_floats(inputs, "inputs"), as_floats(kernel, "kernel")
    for name, array in (("inputs", values), ("kernel", weights)):
        if array.ndim != 1 or not array.size:
            raise ShapeError(f"{name} of shape {array.shape} are no row; give one axis of numbers")
    return values, weights, conv_transpose(values[None, :, None], weights[:, None, None], stride, 0)[0, :, 0]


def _two_colours(
    axes: Axes, values: NDArray, filled: NDArray[np.bool_], left: float, top: float, colour: str
) -> None:
    """Numbers in cells, in one colour where they are ``filled``, pale grey elsewhere."""
    for (row, column), value in np.ndenumerate(values):
        grid(axes, [[value]], left + column, top + row, colour if filled[row, column] else "faint")


def _title(axes: Axes, x: float, top: float, words: str) -> None:
    """A title above a grid."""
    axes.text(x, top - 0.2, words, ha="center", va="bottom", weight="bold", linespacing=1.15)
