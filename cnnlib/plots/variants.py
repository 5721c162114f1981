"""What each variant of convolution leaves out, and what that saves. The figures of chapter 9.

Sizes and costs come from :mod:`cnnlib.sizes`, ranks and factors from :mod:`cnnlib.variants`; where a drawing
says what an output sees, ones were sent back through the layers themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from numpy.typing import ArrayLike, NDArray

from cnnlib.convolution import as_floats, conv_backward
from cnnlib.errors import ShapeError, SizeError
from cnnlib.filters import apply
from cnnlib.plots.pieces import (
    PLATE,
    STAR,
    arrow,
    by,
    canvas,
    grid,
    kernel_picture,
    need,
    need_picture,
    number,
    outline,
    page,
    picture,
    tint,
)
from cnnlib.plots.style import COLOURS, WIDTH, new_figure, styled
from cnnlib.sizes import as_int, effective_kernel_size, kernel_shape, separable_cost
from cnnlib.variants import (
    channel_shuffle,
    channel_shuffle_backward,
    depthwise_conv,
    low_rank,
    pointwise_conv,
    separable_rank,
)

#: All words in these figures; a translation replaces them.
WORDS: dict[str, Any] = {
    "channel": "channel {}",
    "channels_in": "channels in",
    "cost_kernel": "{}×{}",
    "cost_limit": "at most {}",
    "cost_x": "output channels",
    "cost_y": "times fewer operations",
    "depthwise": "own kernel",
    "dilation": "D = {}",
    "dilations": "D = {}",
    "each": "one map each",
    "enters": "from {} channels on",
    "error": "misses {:.0f} %",
    "error_x": "share of the kernel that one pair misses",
    "error_y": "share of the kernels",
    "filters": "filters",
    "group": "group {}",
    "input": "input",
    "mean": "photograph",
    "mixed": "every mixture a map",
    "pairs": ("{} pair", "{} pairs"),
    "paths": "ways",
    "pointwise": "mixtures",
    "rank": "{}\nrank {}",
    "rows": ("channels", "layer 1", "shuffled", "layer 2", "as they are"),
    "saving": "{} to {} times fewer",
    "seen": "{} of {} inputs seen",
    "sees": "spans {}",
    "shares": "{:.1f} %",
    "shuffled": "with a shuffle between: output 1 sees {} of {} channels",
    "unshuffled": "group stays with group: output 1 sees {} of {} channels",
    "weights": "{}: {} weights",
}

#: How several lines, groups or parts are told apart: colour, line and hatching.
LOOKS = (("third", "-", ""), ("highlight", "--", "///"), ("output", ":", "\\\\"), ("second", "-.", "xx"))
#: Greys of a kernel map: no weight, a weight.
MASK = ListedColormap([COLOURS["paper"], COLOURS["kernel"]])


# --- dilation --------------------------------------------------------------------------------------------


@styled
def holes(dilations: Sequence[int], kernel_size: int = 3) -> Figure:
    """Where the weights of one kernel stand on the input, for several dilations.

    Args:
        dilations: one panel each.
        kernel_size: along both axes.
    """
    need(dilations, "dilations")
    spans = [effective_kernel_size(kernel_size, dilation) for dilation in dilations]
    side, gap = max(spans), 1.0
    figure, axes = canvas(-0.1, len(spans) * (side + gap) - gap + 0.1, -0.95, side + 0.95)
    for panel, (dilation, span) in enumerate(zip(dilations, spans, strict=True)):
        left = panel * (side + gap)
        corner = (side - span) / 2
        for row, column in np.ndindex(side, side):
            _cell(axes, left + column, row, "input")
        taps = corner + dilation * np.arange(kernel_size)
        for row in taps:
            for column in taps:
                _cell(axes, left + float(column), float(row), "kernel")
        outline(axes, left + corner, corner, span, span, linewidth=2.2)
        middle = left + side / 2
        axes.text(
            middle,
            -0.25,
            WORDS["dilation"].format(dilation),
            ha="center",
            va="bottom",
            weight="bold",
            size=12,
        )
        words = WORDS["sees"].format(by((span, span)))
        axes.text(middle, side + 0.22, words, ha="center", va="top", size=12)
    return figure


def ways(dilations: Sequence[int], kernel_size: int = 3) -> NDArray[np.int64]:
    """In how many ways each input reaches one output of a stack of dilated layers.

    Args:
        dilations: of the layers, the lowest first.
        kernel_size: of all of them.

    Returns:
        array (inputs spanned,): 0 where an input in between is not seen.

    >>> ways([1, 1])
    array([1, 2, 3, 2, 1])
    >>> ways([2, 2])
    array([1, 0, 2, 0, 3, 0, 2, 0, 1])
    """
    ones, reached = np.ones((kernel_size, 1, 1)), np.ones((1, 1, 1))
    for dilation in reversed(dilations):
        size = reached.shape[1] + effective_kernel_size(kernel_size, dilation) - 1
        below = conv_backward(reached, np.zeros((1, size, 1)), ones, dilation_rate=dilation)
        reached = np.asarray(below.inputs)
    return np.rint(reached.ravel()).astype(np.int64)


@styled
def dilated_stacks(stacks: Sequence[Sequence[int]], kernel_size: int = 3) -> Figure:
    """What one output of a stack of dilated layers sees, layer by layer, along one axis.

    Under every input stands in how many ways it reaches the output; inputs that are left out are hatched.

    Args:
        stacks: for each panel the dilations of its layers, the lowest first.
        kernel_size: of all layers.

    Raises:
        SizeError: nothing to draw, or an output sees more inputs than a page is wide.
    """
    need(stacks, "stacks")
    reached = [ways(dilations, kernel_size) for dilations in stacks]
    widest, step = max(map(len, reached)), 0.46
    if widest > 16:
        raise SizeError(f"an output that sees {widest} inputs is wider than a page; use smaller dilations")
    heights = [0.75 + step * len(dilations) + 0.45 for dilations in stacks]
    figure, axes = page(sum(heights) - 0.2)
    margin, top = 0.5, 0.0
    pitch = (WIDTH - margin - 0.05) / widest
    for dilations, counts, height in zip(stacks, reached, heights, strict=True):
        left = (WIDTH + margin - pitch * len(counts)) / 2 + pitch / 2
        title = WORDS["dilations"].format(", ".join(map(str, dilations)))
        words = WORDS["seen"].format(np.count_nonzero(counts), len(counts))
        axes.text(
            (WIDTH + margin) / 2, top + 0.22, f"{title}: {words}", ha="center", va="center", weight="bold"
        )
        spots = {(len(counts) - 1) / 2}
        for depth, dilation in reversed(list(enumerate(dilations))):
            y = top + 0.5 + step * (len(dilations) - 1 - depth)
            taps = dilation * (np.arange(kernel_size) - (kernel_size - 1) / 2)
            colour, line, _ = LOOKS[depth % len(LOOKS)]
            for spot in spots:
                for tap in taps:
                    ends = [left + pitch * spot, left + pitch * (spot + tap)]
                    axes.plot(ends, [y, y + step], color=COLOURS[colour], linestyle=line, lw=1.3, zorder=1)
            for spot in spots:
                axes.add_patch(_dot(left + pitch * spot, y, "output"))
            spots = {float(spot + tap) for spot in spots for tap in taps}
        bottom = top + 0.5 + step * len(dilations)
        for place, count in enumerate(counts):
            x = left + pitch * place
            looks: dict[str, Any] = {} if count else {"hatch": "////", "facecolor": COLOURS["paper"]}
            axes.add_patch(_square(x, bottom, 0.13, "input", **looks))
            axes.text(x, bottom + 0.3, number(float(count)), ha="center", va="center", size=10)
        axes.text(0.02, bottom + 0.3, WORDS["paths"], ha="left", va="center", size=10)
        top += height
    return figure


# --- channels --------------------------------------------------------------------------------------------


@styled
def colour_mixes(image: ArrayLike, weights: ArrayLike, names: Sequence[str]) -> Figure:
    """A photograph and what 1×1 filters make of its colours.

    A mixture whose weights add up to 1 is shown from black, 0, to white, 1; another about mid-grey, 0.

    Args:
        image: array (height, width, 3) of floats from 0 to 1.
        weights: array (3, filters), the kernel of a pointwise convolution.
        names: a title for each filter.

    Raises:
        ShapeError: image, weights and names do not go together.
    """
    photo, kernel = as_floats(image, "image"), as_floats(weights, "weights")
    if photo.ndim != 3 or kernel.shape != (photo.shape[-1], len(names)) or photo.shape[-1] != 3:
        raise ShapeError(
            f"an image of shape {photo.shape}, weights of shape {kernel.shape} and {len(names)} names do not "
            "go together; they need (height, width, 3), (3, filters) and a name for each filter"
        )
    maps = pointwise_conv(photo[None], kernel)[0]
    panels = 1 + len(names)
    rows = -(-panels // 2)
    figure = new_figure(rows * (WIDTH / 2 * photo.shape[0] / photo.shape[1] + 0.35))
    grid_ = figure.subplots(rows, 2, squeeze=False).ravel()
    picture(grid_[0], photo, title=WORDS["mean"])
    for index, name in enumerate(names):
        shown = maps[..., index]
        limit = float(np.abs(shown).max()) or 1.0
        ends = (0.0, 1.0) if np.isclose(kernel[:, index].sum(), 1) else (-limit, limit)
        picture(grid_[index + 1], shown, ends, name)
    for axes in grid_[panels:]:
        axes.set_visible(False)
    return figure


@styled
def kernel_maps(kernels: Mapping[str, ArrayLike], columns: int = 2) -> Figure:
    """Which weights a layer has: a row a filter, a column a channel, in every box the window of the kernel.

    Args:
        kernels: for each title the weights written out in full, (height, width, channels, filters), with 0
            where there is no connection.
        columns: how many panels stand in a row.

    Raises:
        SizeError: there is nothing to draw.
        ShapeError: a kernel has not these four axes.
    """
    need(kernels, "kernels")
    arrays = {name: np.asarray(kernel) for name, kernel in kernels.items()}
    for array in arrays.values():
        if array.ndim != 4 or 0 in array.shape:
            raise ShapeError(
                f"a kernel of shape {array.shape} has no map; it needs (height, width, channels, filters)"
            )
    rows = -(-len(arrays) // columns)
    figure = new_figure(rows * (WIDTH / columns + 0.25) + 0.3)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for index, (axes, (name, array)) in enumerate(zip(panels, arrays.items(), strict=False)):
        tall, wide, channels, filters = array.shape
        mask = (array != 0).transpose(3, 0, 2, 1).reshape(filters * tall, channels * wide)
        axes.imshow(mask, cmap=MASK, vmin=0, vmax=1, interpolation="none", aspect="auto")
        axes.set_box_aspect(1)
        looks: tuple[dict[str, Any], ...] = (
            {"color": COLOURS["ink"], "lw": 0.9},
            {"color": COLOURS["faint"], "lw": 0.5},
        )
        for count, size, draw in ((channels, wide, axes.axvline), (filters, tall, axes.axhline)):
            for line in range(count * size + 1):
                draw(line - 0.5, **looks[bool(line % size)])
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(visible=True, linewidth=0.9)
        axes.set_title(WORDS["weights"].format(name, f"{np.count_nonzero(mask):,}"), fontsize=11)
        if index % columns == 0:
            axes.set_ylabel(WORDS["filters"], fontsize=11)
        if index >= len(arrays) - columns:
            axes.set_xlabel(WORDS["channels_in"], fontsize=11)
    for axes in panels[len(arrays) :]:
        axes.set_visible(False)
    return figure


def channels_seen(channels: int, groups: int, shuffled: bool) -> NDArray[np.bool_]:
    """Which input channels each output of two grouped layers depends on.

    Args:
        channels: of the input, and the filters of both layers.
        groups: of both layers.
        shuffled: whether the channels are shuffled between them.

    Returns:
        array (outputs, channels).

    >>> channels_seen(4, 2, shuffled=False)[0], channels_seen(4, 2, shuffled=True)[0]
    (array([ True,  True, False, False]), array([ True,  True,  True,  True]))
    """
    kernel = np.ones(kernel_shape((1,), channels, channels, groups))
    one_each = np.eye(channels)[:, None]  # a batch with one output each
    zeros = np.zeros_like(one_each)
    between = conv_backward(one_each, zeros, kernel, groups=groups, needs=["inputs"]).inputs
    if shuffled:
        between = channel_shuffle_backward(np.asarray(between), zeros, groups)
    below = conv_backward(np.asarray(between), zeros, kernel, groups=groups, needs=["inputs"]).inputs
    return np.asarray(below)[:, 0] != 0


@styled
def wires(channels: int, groups: int) -> Figure:
    """Two grouped layers one above the other, without and with a shuffle between them, as wires.

    Thick are the wires that lead to output 1; the groups differ in colour and line.

    Args:
        channels: of the input, and the filters of both layers; up to 12.
        groups: a divisor of it, up to 4.

    Raises:
        SizeError: more than can be drawn.
        ShapeError: ``groups`` does not divide ``channels``.
    """
    kernel_shape((1,), channels, channels, groups)  # refuses what does not divide
    if channels > 12 or groups > len(LOOKS):
        raise SizeError(
            f"{channels} channels in {groups} groups are more than 12 in {len(LOOKS)}; draw fewer"
        )
    height, margin, size = 2.75, 0.95, channels // groups
    pitch = (WIDTH - margin - 0.05) / channels
    figure, axes = page(2 * height)
    for panel, shuffled in enumerate((False, True)):
        seen = channels_seen(channels, groups, shuffled)[0]
        top = panel * height
        words = WORDS["shuffled" if shuffled else "unshuffled"].format(np.count_nonzero(seen), channels)
        axes.text(WIDTH / 2, top + 0.2, words, ha="center", va="center", weight="bold")
        plain = np.arange(channels)
        order = channel_shuffle(plain[None, None], groups).ravel() if shuffled else plain
        heard = plain < size  # what the second layer's first group hears
        asked = np.isin(plain, order[heard])
        levels = [top + y for y in (0.52, 1.15, 1.75, 2.38)]
        spots = [margin + pitch * (place + 0.5) for place in range(channels)]
        for one, other in product(range(channels), repeat=2):
            if (group := one // size) == other // size:
                first, second = bool(seen[one] and asked[other]), bool(heard[one] and other == 0)
                _wire(axes, (spots[one], spots[other]), levels[:2], group, first)
                _wire(axes, (spots[one], spots[other]), levels[2:], group, second)
        for place, source in enumerate(order):
            _wire(axes, (spots[source], spots[place]), levels[1:3], source // size, bool(heard[place]))
        rows = ((plain, seen), (plain, asked), (order, heard), (plain, plain == 0))
        for depth, (level, (marks, lit)) in enumerate(zip(levels, rows, strict=True)):
            name = WORDS["rows"][depth if depth != 2 or shuffled else -1]
            axes.text(0.05, level, name, ha="left", va="center", size=10)
            for place, mark in enumerate(marks):
                colour = LOOKS[mark // size][0] if depth < 3 else "faint"
                box = _square(spots[place], level, 0.155, colour, linewidth=2.2 if lit[place] else 0.7)
                axes.add_patch(box)
                axes.text(spots[place], level, str(mark + 1), ha="center", va="center", size=10)
    return figure


@styled
def separable(inputs: ArrayLike, depthwise: ArrayLike, pointwise: ArrayLike) -> Figure:
    """A depthwise separable convolution in numbers: one map a channel, then mixtures of these maps.

    Args:
        inputs: array (height, width, channels) of few small numbers; up to 4 channels.
        depthwise: array (height, width, channels), one kernel a channel.
        pointwise: array (channels, filters), what each output takes of each channel.

    Raises:
        ShapeError: the arrays do not go together.
    """
    values, each, across = np.asarray(inputs), np.asarray(depthwise), np.asarray(pointwise)
    channels = values.shape[-1] if values.ndim == 3 else 0
    if each.ndim != 3 or across.ndim != 2 or not channels == each.shape[-1] == across.shape[0] <= 4:
        raise ShapeError(
            f"inputs of shape {values.shape}, kernels of shape {each.shape} and mixtures of shape "
            f"{across.shape} do not go together; they need (height, width, channels), (height, width, "
            "channels) and (channels, filters), with up to 4 channels"
        )
    middle = depthwise_conv(values[None], each[..., None])
    result = pointwise_conv(middle, across)[0]
    letters = "ABCD"
    (height, width, _), (tall, wide, _) = values.shape, each.shape
    down, across_ = result.shape[:2]
    filters = across.shape[1]
    at_kernel, at_map = width + 0.9, width + wide + 1.8
    at_result = at_map + across_ + 3.9
    step = max(down + 1.0, 2.6)
    pitch = max(height + 0.9, filters * step / channels)
    bottom = max(channels * pitch, filters * step)
    figure, axes = canvas(-0.1, at_result + across_ + 0.1, -0.85, bottom - 0.2)
    heads = ((0, width, "input"), (at_kernel, wide, "depthwise"), (at_map, across_, "each"))
    for x, size, word in (*heads, (at_result - 1.3, across_ + 1.3, "pointwise")):
        axes.text(x + size / 2, -0.5, WORDS[word], ha="center", va="center", weight="bold", size=10)
    centres = [bottom * (channel + 0.5) / channels for channel in range(channels)]
    ends = [bottom * (index + 0.5) / filters for index in range(filters)]
    for channel, centre in enumerate(centres):
        grid(axes, values[..., channel], 0, centre - height / 2, "input")
        axes.text(width + 0.45, centre, STAR, ha="center", va="center", size=24)
        grid(axes, each[..., channel], at_kernel, centre - tall / 2, "kernel")
        axes.text(at_map - 0.45, centre, "=", ha="center", va="center", size=14)
        grid(axes, middle[0, ..., channel], at_map, centre - down / 2, "second")
        axes.text(at_map + across_ / 2, centre + down / 2 + 0.35, letters[channel], ha="center", va="center")
        for index, end in enumerate(ends):
            if across[channel, index]:
                arrow(axes, (at_map + across_ + 0.05, centre), (at_result - 2.65, end))
    for index, end in enumerate(ends):
        axes.text(at_result - 0.2, end, f"{_mixture(across[:, index], letters)} =", ha="right", va="center")
        grid(axes, result[..., index], at_result, end - down / 2, "output")
    return figure


def _mixture(weights: NDArray, letters: str) -> str:
    """A weighted sum of lettered maps: A + 2B."""
    terms = ""
    for weight, letter in zip(weights, letters, strict=False):
        if weight:
            size = "" if abs(weight) == 1 else number(float(abs(weight)))
            sign = number(-1.0)[0] if weight < 0 else "+"
            terms += f" {sign} {size}{letter}" if terms else f"{sign if weight < 0 else ''}{size}{letter}"
    return terms or "0"


# --- what it saves ---------------------------------------------------------------------------------------


@styled
def savings(
    kernel_sizes: Sequence[int] = (3, 5, 7), most: int = 1024, quoted: tuple[int, int] = (8, 9)
) -> Figure:
    """How many times fewer operations a depthwise separable convolution takes, by filters and kernel size.

    Args:
        kernel_sizes: a curve each; up to four.
        most: the largest number of output channels.
        quoted: a range of savings that is marked, and where the first curve enters it.

    Raises:
        SizeError: more curves than can be told apart, or the first never enters the range.
    """
    need(kernel_sizes, "kernel_sizes")
    if len(kernel_sizes) > len(LOOKS):
        raise SizeError(f"{len(kernel_sizes)} curves cannot be told apart; draw up to {len(LOOKS)}")
    filters = np.arange(1, as_int(most, "most") + 1)
    figure = new_figure(3.6, 4.9)
    axes = figure.add_subplot()
    low, high = quoted
    axes.axhspan(
        low, high, facecolor=(COLOURS["kernel"], 0.35), hatch="///", edgecolor=COLOURS["padding"], lw=0
    )
    for index, kernel_size in enumerate(kernel_sizes):
        curve = np.array([1 / float(separable_cost((kernel_size, kernel_size), int(n))) for n in filters])
        colour, line, _ = LOOKS[index]
        axes.plot(filters, curve, color=COLOURS[colour], linestyle=line)
        axes.text(
            most * 1.08, curve[-1], WORDS["cost_kernel"].format(kernel_size, kernel_size), va="center",
            color=COLOURS["ink"], size=10,
        )  # fmt: skip
        if index == 0:
            inside = np.flatnonzero(curve >= low - 1e-9)
            if not len(inside):
                raise SizeError(f"{kernel_size}x{kernel_size} never saves {low} times; choose a lower range")
            enters = int(filters[inside[0]])
            axes.plot([enters], [curve[inside[0]]], "o", color=COLOURS["ink"], zorder=4)
            axes.annotate(
                WORDS["enters"].format(enters),
                (enters, low),
                (enters * 1.5, low * 0.42),
                arrowprops={"arrowstyle": "-", "color": COLOURS["ink"]},
                size=10,
            )
    axes.text(1.05, (low * high) ** 0.5 * 1.22, WORDS["saving"].format(low, high), size=10, va="bottom")
    axes.axhline(1, color=COLOURS["padding"], lw=1)
    axes.set(xscale="log", yscale="log", xlabel=WORDS["cost_x"], ylabel=WORDS["cost_y"], xlim=(1, most))
    ticks = [n for n in (1, 4, 16, 64, 256, 1024, 4096) if n <= most]
    axes.set_xticks(ticks, map(str, ticks))
    axes.set_yticks([0.5, 1, 2, 4, 8, 16, 32], ["½", "1", "2", "4", "8", "16", "32"])
    axes.minorticks_off()
    return figure


@styled
def shares(parts: Mapping[str, Mapping[str, float]]) -> Figure:
    """Bars of parts of a whole, one bar a count, with the share of each part written down.

    Args:
        parts: for each bar its title, and how much each part has of it; the same parts in all, up to four.

    Raises:
        SizeError: there is nothing to draw, or parts differ.
    """
    need(parts, "parts")
    names = list(next(iter(parts.values())))
    if any(list(bar) != names for bar in parts.values()) or len(names) > len(LOOKS):
        raise SizeError(f"every bar needs the same parts, up to {len(LOOKS)}: {', '.join(names)}")
    figure = new_figure(0.95 * len(parts) + 0.75)
    axes = figure.add_subplot()
    for row, bar in enumerate(parts.values()):
        start, whole = 0.0, sum(bar.values())
        for index, value in enumerate(bar.values()):
            colour, _, hatch = LOOKS[index]
            length = 100 * value / whole
            axes.barh(
                row, length, left=start, height=0.42, facecolor=(COLOURS[colour], 0.45), hatch=hatch,
                edgecolor=COLOURS["ink"], lw=0.8, label=names[index] if row == 0 else None,
            )  # fmt: skip
            if length > 8:
                axes.text(
                    start + length / 2, row, WORDS["shares"].format(length), ha="center", va="center",
                    size=10, bbox=PLATE if hatch else None,
                )  # fmt: skip
            start += length
        rest = [
            f"{name} {WORDS['shares'].format(100 * value / whole)}"
            for name, value in bar.items()
            if 100 * value / whole <= 8
        ]
        axes.text(100, row + 0.24, ", ".join(rest), ha="right", va="top", size=10)
    axes.set(yticks=range(len(parts)), xticks=[], xlim=(0, 100), ylim=(len(parts) - 0.4, -0.4))
    axes.set_yticklabels(list(parts), fontsize=11)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


# --- kernels that factor ---------------------------------------------------------------------------------


@styled
def ranks(kernels: Mapping[str, ArrayLike], columns: int = 4) -> Figure:
    """Kernels in greys with their rank, and under each its singular values as bars, the largest as 1.

    Args:
        kernels: for each name an array (height, width).
        columns: how many stand in a row.
    """
    need(kernels, "kernels")
    rows = -(-len(kernels) // columns)
    figure = new_figure(rows * 2.35)
    layout = figure.add_gridspec(rows * 2, columns, height_ratios=(1.25, 0.65) * rows)
    for index, (name, kernel) in enumerate(kernels.items()):
        row, column = divmod(index, columns)
        plane = np.asarray(kernel, float)
        axes = figure.add_subplot(layout[2 * row, column])
        kernel_picture(axes, plane, float(np.abs(plane).max()))
        axes.set_title(WORDS["rank"].format(name, separable_rank(np.asarray(kernel))), fontsize=10.5)
        bars = figure.add_subplot(layout[2 * row + 1, column])
        values = np.linalg.svd(plane, compute_uv=False)
        values = values / (values[0] or 1)
        bars.bar(np.arange(len(values)) + 1, values, color=COLOURS["third"], width=0.6)
        bars.set(ylim=(0, 1.05), xlim=(0.4, len(values) + 0.6), yticks=[0, 1], xticks=[])
        if column:
            bars.set_yticklabels([])
    return figure


@styled
def approximations(image: ArrayLike, kernel: ArrayLike, ranks: Sequence[int]) -> Figure:
    """A picture filtered by the best sums of so many pairs of a column and a row for a kernel.

    Args:
        image: array (height, width).
        kernel: array (height, width).
        ranks: how many pairs are added up, one number for each panel.

    Raises:
        ShapeError: no grey picture.
    """
    photo, weights = as_floats(image, "image"), as_floats(kernel, "kernel")
    need_picture(photo)
    if photo.ndim != 2:
        raise ShapeError(f"a picture of shape {photo.shape} has colours; give one channel, (height, width)")
    need(ranks, "ranks")
    pieces = [low_rank(weights, rank) for rank in ranks]
    shown = [piece.kernel for piece in pieces]
    titles = [
        f"{WORDS['pairs'][rank != 1].format(rank)}: {WORDS['error'].format(100 * piece.error)}"
        for rank, piece in zip(ranks, pieces, strict=True)
    ]
    answers = [np.abs(apply(photo, one)) for one in shown]
    scale, limit = (
        float(np.abs(weights).max()),
        float(np.quantile(np.abs(apply(photo, weights)), 0.995)) or 1.0,
    )
    count = len(shown)
    figure = new_figure(WIDTH / count * (photo.shape[0] / photo.shape[1] + 0.5) + 0.55)
    layout = figure.add_gridspec(2, count, height_ratios=(0.5, photo.shape[0] / photo.shape[1]))
    for index, (one, answer, title) in enumerate(zip(shown, answers, titles, strict=True)):
        axes = figure.add_subplot(layout[0, index])
        kernel_picture(axes, one, scale)
        axes.set_title(title, fontsize=10.5)
        picture(figure.add_subplot(layout[1, index]), answer, (0, limit))
    return figure


@styled
def pair_errors(kernels: Mapping[str, ArrayLike]) -> Figure:
    """How well one column times one row does for many kernels: the share of kernels below each error.

    Args:
        kernels: for each name an array (number of kernels, height, width); up to four names.
    """
    need(kernels, "kernels")
    figure = new_figure(3.6, 4.9)
    axes = figure.add_subplot()
    for (colour, line, _), (name, planes) in zip(LOOKS, kernels.items(), strict=False):
        errors = np.sort([low_rank(plane, 1).error for plane in np.asarray(planes)])
        share = np.arange(1, len(errors) + 1) / len(errors)
        keep = np.unique(np.linspace(0, len(errors) - 1, 300).astype(int))  # enough for a smooth line
        axes.plot(errors[keep], share[keep], color=COLOURS[colour], linestyle=line, label=name)
    axes.set(xlim=(0, 0.9), ylim=(0, 1), xlabel=WORDS["error_x"], ylabel=WORDS["error_y"])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


# --- small parts -----------------------------------------------------------------------------------------


def _cell(axes: Axes, left: float, top: float, kind: str) -> None:
    looks: dict[str, Any] = {"facecolor": (COLOURS[kind], 0.3), "edgecolor": COLOURS["padding"], "lw": 0.7}
    if kind == "kernel":
        looks |= {"facecolor": COLOURS[kind], "edgecolor": COLOURS["ink"], "hatch": "//", "zorder": 2}
    axes.add_patch(Rectangle((left, top), 1, 1, **looks))


def _dot(x: float, y: float, colour: str) -> Circle:
    return Circle((x, y), 0.075, facecolor=COLOURS[colour], edgecolor=COLOURS["ink"], lw=0.8, zorder=2)


def _square(x: float, y: float, half: float, colour: str, **looks: Any) -> Rectangle:
    """A square about (x, y) in a thinned colour, opaque, so that wires end at it."""
    settings: dict[str, Any] = {
        "facecolor": tint(colour, 0.45),
        "edgecolor": COLOURS["ink"],
        "linewidth": 0.8,
        "zorder": 2,
    }
    return Rectangle((x - half, y - half), 2 * half, 2 * half, **(settings | looks))


def _wire(axes: Axes, across: Sequence[float], down: Sequence[float], group: int, lit: bool) -> None:
    colour, line, _ = LOOKS[group]
    looks: dict[str, Any] = {"lw": 2.4, "zorder": 1.5} if lit else {"lw": 0.8, "alpha": 0.45}
    axes.plot(across, down, color=COLOURS[colour], linestyle=line, **looks)
