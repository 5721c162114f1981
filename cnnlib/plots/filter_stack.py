"""Channels, filters and feature maps, drawn. The figures of chapter 5.

Every number in these figures comes out of :func:`cnnlib.convolution.conv`; the partial sums of the
channels are what the same convolution gives when each channel is a group of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from cnnlib.convolution import as_floats, conv
from cnnlib.errors import ShapeError, SizeError
from cnnlib.plots.pieces import (
    SLANT,
    STAR,
    arrow,
    by,
    canvas,
    chain,
    grid,
    kernel_picture,
    number,
    oblique_box,
    outline,
    picture,
    sign,
    signed,
)
from cnnlib.plots.style import COLOURS, WIDTH, bare, new_figure, styled
from cnnlib.sizes import PerAxis, as_int, kernel_shape, output_shape, per_axis

#: All words in these figures; a translation replaces them.
WORDS: dict[str, Any] = {
    "bias": "bias",
    "channel": "channel {}",
    "feature_map": "feature map",
    "filter": "filter {}",
    "filters": ("{} filter", "{} filters"),
    "input": "input",
    "kernel": "kernel",
    "maps": ("{} map", "{} maps"),
    "partial": "partial sum",
    "photograph": "photograph",
    "rgb": ("red", "green", "blue"),
}


def partial_sums(inputs: ArrayLike, kernel: ArrayLike) -> NDArray[np.floating]:
    """What each channel contributes to one feature map, before the channels are added.

    Args:
        inputs: array (height, width, channels).
        kernel: one filter, array (height, width, channels).

    Returns:
        array (output height, output width, channels); its sum over the last axis is the feature map
        without its bias.

    Raises:
        ShapeError: the filter is not as deep as the input.
        SizeError: the filter does not fit.

    >>> partial_sums(np.ones((3, 3, 2)), np.ones((2, 2, 2)))[0, 0]
    array([4., 4.])
    """
    values, weights = as_floats(inputs, "inputs"), as_floats(kernel, "kernel")
    if values.ndim != 3 or weights.ndim != 3 or values.shape[-1] != weights.shape[-1]:
        raise ShapeError(
            f"an input of shape {values.shape} and a filter of shape {weights.shape} do not go together; "
            "they need (height, width, channels), with as many channels in both"
        )
    return conv(values[None], weights[:, :, None, :], groups=values.shape[-1])[0]


@styled
def stack(inputs: ArrayLike, kernel: ArrayLike, bias: float = 0, place: tuple[int, int] = (0, 0)) -> Figure:
    """One filter as a stack of kernels: each channel's partial sums, then their sum and the bias.

    Args:
        inputs: array (height, width, channels) of few small numbers.
        kernel: one filter, array (height, width, channels).
        bias: what is added at every place.
        place: the output (row, column) whose window is outlined.

    Raises:
        ShapeError, SizeError: see :func:`partial_sums`; or ``place`` is not in the output.
    """
    values, weights = np.asarray(inputs), np.asarray(kernel)
    sums = partial_sums(values, weights)
    result = conv(values[None], weights[..., None], bias=[bias])[0, ..., 0]
    row, column = (as_int(p, "place", minimum=0) for p in place)
    if row >= result.shape[0] or column >= result.shape[1]:
        raise SizeError(f"place ({row}, {column}) lies outside the output of {by(result.shape)}")
    (height, width, channels), (tall, wide, _) = values.shape, weights.shape
    at_kernel, at_sum = width + 1.2, width + wide + 2.4
    right = at_sum + result.shape[1]
    pitch = max(height, tall, result.shape[0]) + 0.95
    bottom = channels * pitch + max(result.shape[0], 2) + 0.1
    figure, axes = canvas(-0.1, right + 0.4, -1.1, bottom)
    for x, size, word in (
        (0, width, "input"),
        (at_kernel, wide, "kernel"),
        (at_sum, result.shape[1], "partial"),
    ):
        axes.text(x + size / 2, -0.75, WORDS[word], ha="center", va="center", weight="bold")
    for channel in range(channels):
        top = channel * pitch
        middle = top + height / 2
        axes.text(0, top - 0.07, _channel_name(channel, channels), size=10, va="bottom")
        grid(axes, values[..., channel], 0, top, "input")
        outline(axes, column, top + row, wide, tall)
        axes.text(width + 0.6, middle, STAR, ha="center", va="center", size=26)
        grid(axes, weights[..., channel], at_kernel, middle - tall / 2, "kernel")
        axes.text(at_sum - 0.6, middle, "=", ha="center", va="center", size=14)
        level = middle - result.shape[0] / 2
        grid(axes, sums[..., channel], at_sum, level, "second")
        outline(axes, at_sum + column, level + row, 1, 1)
        if channel:
            between = level - (pitch - result.shape[0]) / 2
            axes.text(at_sum + result.shape[1] / 2, between, "+", ha="center", va="center", size=14)
    level = channels * pitch
    grid(axes, result, at_sum, level, "output")
    outline(axes, at_sum + column, level + row, 1, 1)
    axes.text(
        at_sum - 0.25,
        level + result.shape[0] / 2,
        f"{chain(sums[row, column])}\n{signed(bias)} ({WORDS['bias']}) = {number(result[row, column])}",
        ha="right",
        va="center",
        linespacing=1.5,
    )
    axes.text(
        at_sum + result.shape[1] / 2,
        level - 0.07,
        WORDS["feature_map"],
        ha="center",
        va="bottom",
        weight="bold",
    )
    return figure


@styled
def bank(kernel: ArrayLike) -> Figure:
    """The weights of a layer, (height, width, channels, filters): a row a channel, a column a filter.

    Raises:
        ShapeError: the array has not these four axes.
    """
    weights = np.asarray(kernel)
    if weights.ndim != 4 or 0 in weights.shape:
        raise ShapeError(
            f"a kernel of shape {weights.shape} is no bank of filters; "
            "it needs (height, width, channels, filters)"
        )
    tall, wide, channels, filters = weights.shape
    down, across, left = tall + 0.5, wide + 1.1, 2.6
    figure, axes = canvas(0, left + filters * across - 0.4, -1.25, channels * down)
    for channel in range(channels):
        axes.text(
            left - 0.6, channel * down + tall / 2, _channel_name(channel, channels), ha="right", va="center"
        )
    for index in range(filters):
        x = left + index * across
        axes.add_patch(
            Rectangle(
                (x - 0.3, -0.35),
                wide + 0.6,
                channels * down + 0.2,
                fill=False,
                edgecolor=COLOURS["ink"],
                linestyle="--",
                linewidth=1.4,
            )
        )
        axes.text(
            x + wide / 2, -0.6, WORDS["filter"].format(index + 1), ha="center", va="bottom", weight="bold"
        )
        for channel in range(channels):
            grid(axes, weights[:, :, channel, index], x, channel * down, "kernel")
    return figure


class _Volume(NamedTuple):
    """A box of (height, width, channels), drawn ``copies`` times one above the other."""

    size: tuple[int, ...]
    copies: int
    colour: str
    words: str

    @property
    def breadth(self) -> float:
        """What it takes from left to right: its channels, and its width slantwise."""
        return self.size[2] + SLANT * self.size[1]

    def tops(self, middle: float) -> list[float]:
        """Where each copy begins, so that all of them are centred about ``middle``."""
        step = self.size[0] + SLANT * self.size[1] + 0.8
        return [middle + (index - self.copies / 2) * step + 0.4 for index in range(self.copies)]


@styled
def volumes(input_shape: Sequence[int], layers: Sequence[tuple[PerAxis, int]], most: int = 10) -> Figure:
    """Input, filters and output of one convolution layer after another, as boxes to one scale.

    Args:
        input_shape: (height, width, channels).
        layers: for each layer the kernel size and the number of filters; stride 1, no padding.
        most: of more filters than these, only so many are drawn.

    Raises:
        ShapeError: ``input_shape`` has not three axes.
        SizeError: a kernel does not fit.
    """
    shape = per_axis(input_shape, 3, "input_shape")
    parts = [_Volume(shape, 1, "input", WORDS["input"])]
    for kernel_size, filters in layers:
        size = kernel_shape(per_axis(kernel_size, 2, "kernel_size"), shape[-1], filters)[:-1]
        shape = output_shape((1, *shape), kernel_size, filters)[1:]
        parts.append(_Volume(size, min(filters, most), "kernel", _count("filters", filters)))
        parts.append(_Volume(shape, 1, "output", _count("maps", filters)))
    unit = max(part.size[0] for part in parts)  # gaps and labels grow with the picture
    tops = [part.tops(0) for part in parts]
    low = max(top[-1] + part.size[0] + SLANT * part.size[1] for top, part in zip(tops, parts, strict=True))
    left, end, gap, line = 0.0, 0.0, 0.2 * unit, 0.16 * unit
    figure = new_figure(1)
    axes = bare(figure.add_subplot())
    for index, (part, top) in enumerate(zip(parts, tops, strict=True)):
        room = max(part.breadth, 0.42 * unit)  # for the label
        start = left + (room - part.breadth) / 2
        for y in top:
            oblique_box(axes, start, y, part.size, part.colour)
        if index:
            arrow(axes, (end, 0), (start, 0))
        end = start + part.breadth
        for row, (text, weight) in enumerate(((by(part.size), "bold"), (part.words, "normal"))):
            axes.text(left + room / 2, low + (row + 1) * line, text, ha="center", size=10, weight=weight)
        left += room + gap
    right, bottom, high = left - gap, low + 2.3 * line, min(top[0] for top in tops)
    axes.set(xlim=(-1, right + 1), ylim=(bottom, high - 1), aspect="equal")
    figure.set_size_inches(WIDTH, WIDTH * (bottom - high + 1) / (right + 2))
    return figure


@styled
def photograph_sums(image: ArrayLike, kernel: ArrayLike) -> Figure:
    """One filter over a photograph: every channel, its kernel and its partial sums; then their sum.

    In the channels black is 0 and white is 1; in kernels and sums mid-grey is 0, lighter is positive and
    darker negative, all sums on one scale.

    Args:
        image: array (height, width, 3) of floats from 0 to 1.
        kernel: one filter, array (height, width, 3).

    Raises:
        ShapeError, SizeError: see :func:`partial_sums`.
    """
    pixels, weights = as_floats(image, "image"), as_floats(kernel, "kernel")
    sums = partial_sums(pixels, weights)
    result = conv(pixels[None], weights[..., None])[0, ..., 0]
    channels = pixels.shape[-1]
    scale = max(float(np.abs(sums).max()), float(np.abs(result).max()))
    height = 2.05 * (channels + 1) * pixels.shape[0] / pixels.shape[1] + 0.3 * (channels + 2)
    figure = new_figure(height)
    cells = figure.add_gridspec(channels + 1, 5, width_ratios=(1, 0.1, 0.42, 0.1, 1))
    for channel in range(channels):
        name, plus = _channel_name(channel, channels), "+ " if channel else ""
        picture(figure.add_subplot(cells[channel, 0]), pixels[..., channel], (0, 1), name)
        sign(figure.add_subplot(cells[channel, 1]), STAR)
        kernel_picture(figure.add_subplot(cells[channel, 2]), weights[..., channel], np.abs(weights).max())
        sign(figure.add_subplot(cells[channel, 3]), "=")
        axes = figure.add_subplot(cells[channel, 4])
        picture(axes, sums[..., channel], (-scale, scale), plus + WORDS["partial"])
    picture(figure.add_subplot(cells[channels, 0]), pixels, (0, 1), WORDS["photograph"])
    axes = figure.add_subplot(cells[channels, 4])
    picture(axes, result, (-scale, scale), "= " + WORDS["feature_map"])
    return figure


@styled
def feature_maps(image: ArrayLike, kernel: ArrayLike, names: Sequence[str]) -> Figure:
    """A photograph seen by many filters: under each feature map the kernels of its filter.

    Mid-grey is 0, lighter is positive, darker negative; each map has a scale of its own.

    Args:
        image: array (height, width, channels) of floats from 0 to 1.
        kernel: the bank, array (height, width, channels, filters).
        names: a name for each filter.

    Raises:
        ShapeError: image and bank clash, or there are not as many names as filters.
    """
    pixels, weights = as_floats(image, "image"), as_floats(kernel, "kernel")
    maps = conv(pixels[None], weights)[0]
    channels, filters = weights.shape[2:]
    if len(names) != filters:
        raise ShapeError(f"{len(names)} names for {filters} filters; give {filters} names")
    rows = -(-filters // 2)
    figure = new_figure(rows * (2.6 * maps.shape[0] / maps.shape[1] + 1.05))
    heights = ((1, 0.24, 0.06) * rows)[:-1]  # map, kernels, gap
    widths = (*(1,) * channels, 0.2, *(1,) * channels)
    cells = figure.add_gridspec(len(heights), len(widths), height_ratios=heights, width_ratios=widths)
    for index, name in enumerate(names):
        top, left = index // 2 * 3, index % 2 * (channels + 1)
        shown, weight = maps[..., index], weights[..., index]
        limit = float(np.abs(shown).max()) or 1.0
        picture(figure.add_subplot(cells[top, left : left + channels]), shown, (-limit, limit), name)
        for channel in range(channels):
            axes = figure.add_subplot(cells[top + 1, left + channel])
            kernel_picture(axes, weight[..., channel], np.abs(weight).max())
    return figure


def _count(word: str, count: int) -> str:
    return WORDS[word][count != 1].format(count)


def _channel_name(channel: int, channels: int) -> str:
    return WORDS["rgb"][channel] if channels == 3 else WORDS["channel"].format(channel + 1)
