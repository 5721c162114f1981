"""Figures on the border: places of a window, frames of padding, coverage, what stride keeps. Chapter 6.

Sizes come from :mod:`cnnlib.sizes`, padded arrays from :mod:`cnnlib.padding`, coverage from
:mod:`cnnlib.connections`: nothing is worked out here that the library knows already.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from cnnlib.connections import coverage
from cnnlib.errors import SizeError
from cnnlib.padding import pad
from cnnlib.plots.pieces import (
    PLATE,
    need,
    need_picture,
)
from cnnlib.plots.style import COLOURS, WIDTH, bare, new_figure, styled
from cnnlib.sizes import as_int, dropped_inputs, output_size, padding_amounts

#: Every word in these figures; a translation replaces the values.
WORDS = {
    "places": "N = {size}, F = {kernel}, S = {stride}, padding {before} + {after}: {places} places",
    "padding": "P",
    "grids": "F = {kernel}, S = {stride}, padding {before} + {after}",
    "input": "input {size}×{size}",
    "padded": "padded to {size}×{size}",
    "output": "output {size}×{size}",
    "coverage": "F = {kernel}, S = {stride}, padding {before} + {after}",
    "layers": "layers",
    "side": "side of the feature map",
    "kernel": "F = {kernel}: {layers} layers",
    "original": "photograph",
    "distance": "distance from the border (pixels)",
    "error": "mean error (grey levels)",
    "size": "{name}: {height}×{width}",
}

#: Charts are narrower than pictures, so that the page enlarges their text with them.
CHART_WIDTH = 4.6


class Setting(NamedTuple):
    """One window along one axis: what :func:`cnnlib.sizes.output_size` takes.

    >>> Setting(6, kernel_size=3, stride=2).places
    2
    """

    size: int
    kernel_size: int
    stride: int = 1
    padding: str | int | tuple[int, int] = "valid"

    @property
    def places(self) -> int:
        """The number of places at which the window fits."""
        return output_size(*self)

    @property
    def amounts(self) -> tuple[int, int]:
        """The padding (before, after)."""
        return padding_amounts(*self)

    @property
    def dropped(self) -> int:
        """The elements at the end that no window reaches."""
        return dropped_inputs(*self)

    def words(self, template: str) -> str:
        """The sizes put into one of :data:`WORDS`."""
        before, after = self.amounts
        return WORDS[template].format(
            size=self.size,
            kernel=self.kernel_size,
            stride=self.stride,
            before=before,
            after=after,
            places=self.places,
        )


def ring_means(values: NDArray, rings: int) -> NDArray[np.float64]:
    """The mean over each square ring of a picture, from the outermost inwards.

    Args:
        values: array (height, width).
        rings: how many rings; at most half of the shorter side, rounded up.

    Returns:
        array (rings,).

    >>> ring_means(np.array([[1, 1, 1], [1, 9, 1], [1, 1, 1]]), rings=2)
    array([1., 9.])
    """
    height, width = values.shape
    if not 1 <= rings <= (min(height, width) + 1) // 2:
        raise SizeError(
            f"a picture of {height}x{width} has {(min(height, width) + 1) // 2} rings, not {rings}"
        )
    y, x = np.indices(values.shape)
    distance = np.minimum(np.minimum(y, height - 1 - y), np.minimum(x, width - 1 - x))
    return np.array([values[distance == ring].mean() for ring in range(rings)])


@styled
def places(settings: Sequence[Setting]) -> Figure:
    """Draw one axis with the window at all its places, a panel for each setting.

    Inputs carry their index; padding is grey and hatched; what no window reaches is crossed out.
    """
    need(settings, "settings")
    heights = [0.75 + 0.3 * setting.places for setting in settings]
    widest = max(setting.size + sum(setting.amounts) for setting in settings)
    figure = new_figure(sum(heights), min(WIDTH, 1.2 + 0.55 * widest) if widest > 8 else WIDTH)
    panels = figure.subplots(len(settings), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, setting in zip(panels, settings, strict=True):
        before, after = setting.amounts
        total = setting.size + before + after
        for cell in range(total):
            inside = before <= cell < before + setting.size
            kind = "dropped" if cell >= total - setting.dropped else "input" if inside else "padding"
            _cell(axes, cell - before, 0.0, kind)
            words = f"{cell - before}" if inside else WORDS["padding"]
            axes.text(
                cell - before + 0.5,
                0.5,
                words,
                ha="center",
                va="center",
                fontsize=12,
                bbox=PLATE if kind != "input" else None,
            )
        for place in range(setting.places):
            start, top = place * setting.stride - before, 1.25 + 0.55 * place
            axes.add_patch(
                Rectangle(
                    (start + 0.06, top),
                    setting.kernel_size - 0.12,
                    0.4,
                    facecolor=COLOURS["kernel"],
                    edgecolor=COLOURS["ink"],
                    gid="window",
                )
            )
        axes.set_xlim(-before - 0.1, total - before + 0.1)
        axes.set_ylim(1.25 + 0.55 * setting.places, -0.1)
        axes.set_title(setting.words("places"), loc="left", fontsize=12)
        bare(axes)
    _share_limits(panels)
    return figure


@styled
def grids(settings: Sequence[Setting]) -> Figure:
    """Draw square inputs with their frame, the window at its first place, and the outputs.

    One row a setting; columns and rows that no window reaches are crossed out.
    """
    need(settings, "settings")
    figure = new_figure(2.7 * len(settings))
    figure.set_layout_engine(
        "constrained", hspace=0.08
    )  # a row's caption stays clear of the next row's title
    panels = figure.subplots(len(settings), 2, squeeze=False)
    widest = max(setting.size + sum(setting.amounts) for setting in settings)
    for (left, right), setting in zip(panels, settings, strict=True):
        before, after = setting.amounts
        total = setting.size + before + after
        for y, x in np.ndindex(total, total):
            inside = before <= min(y, x) and max(y, x) < before + setting.size
            dropped = max(y, x) >= total - setting.dropped
            _cell(left, x, y, "dropped" if dropped else "input" if inside else "padding")
        left.add_patch(
            Rectangle(
                (0, 0),
                setting.kernel_size,
                setting.kernel_size,
                facecolor="none",
                edgecolor=COLOURS["kernel"],
                linewidth=4,
                gid="window",
            )
        )
        for y, x in np.ndindex(setting.places, setting.places):
            _cell(right, x, y, "output")
        for axes, side in ((left, total), (right, setting.places)):
            middle = side / 2
            axes.set_xlim(middle - widest / 2 - 0.2, middle + widest / 2 + 0.2)
            axes.set_ylim(middle + widest / 2 + 0.2, middle - widest / 2 - 0.2)
            axes.set_aspect("equal")
            bare(axes)
        grown = "\n" + WORDS["padded"].format(size=total) if total > setting.size else ""
        left.set_title(WORDS["input"].format(size=setting.size) + grown, fontsize=12)
        right.set_title(WORDS["output"].format(size=setting.places), fontsize=12)
        left.set_xlabel(setting.words("grids"), fontsize=12)
        right.add_artist(
            FancyArrowPatch(
                (-0.14, 0.5),
                (0.02, 0.5),
                transform=right.transAxes,
                arrowstyle="-|>",
                mutation_scale=16,
                color=COLOURS["ink"],
                clip_on=False,
            )
        )
    return figure


@styled
def coverage_maps(settings: Sequence[Setting]) -> Figure:
    """Write into every pixel how many windows see it; darker is more, crossed out none. Two maps a row."""
    need(settings, "settings")
    rows = -(-len(settings) // 2)
    figure = new_figure(2.95 * rows)
    panels = figure.subplots(rows, 2, squeeze=False).ravel()
    for axes in panels[len(settings) :]:
        axes.set_visible(False)
    for axes, setting in zip(panels, settings, strict=False):
        counts = coverage(*setting)
        axes.imshow(counts, cmap="Blues", vmin=0, vmax=setting.kernel_size**2 * 1.3)
        for (y, x), count in np.ndenumerate(counts):
            dark = count > 0.75 * setting.kernel_size**2
            if count == 0:
                _cell(axes, x - 0.5, y - 0.5, "dropped")
            axes.text(
                x,
                y,
                f"{count}",
                ha="center",
                va="center",
                fontsize=12,
                color=COLOURS["paper" if dark else "ink"],
                bbox=PLATE if count == 0 else None,
            )
        axes.set_title(setting.words("coverage"), fontsize=11)
        bare(axes)
    return figure


@styled
def shrinking(size: int, kernel_sizes: Sequence[int]) -> Figure:
    """Plot the side of the feature map after each layer without padding, until the kernel no longer fits."""
    need(kernel_sizes, "kernel_sizes")
    figure = new_figure(3.0, CHART_WIDTH)
    axes = figure.subplots()
    for kernel_size, marker in zip(kernel_sizes, "osD^v*" * len(kernel_sizes), strict=False):
        sides = sides_without_padding(size, kernel_size)
        label = WORDS["kernel"].format(kernel=kernel_size, layers=len(sides) - 1)
        axes.plot(range(len(sides)), sides, marker=marker, label=label)
    _finish_curves(axes, WORDS["layers"], WORDS["side"])
    return figure


def sides_without_padding(size: int, kernel_size: int) -> list[int]:
    """The side of a square feature map after 0, 1, 2 … layers without padding, as long as the kernel fits.

    >>> sides_without_padding(32, kernel_size=5)
    [32, 28, 24, 20, 16, 12, 8, 4]
    """
    if as_int(kernel_size, "kernel_size") < 2:
        raise SizeError(f"a kernel of {kernel_size} never shrinks anything; use a kernel of at least 2")
    sides = [as_int(size, "input size")]
    while sides[-1] >= kernel_size:
        sides.append(output_size(sides[-1], kernel_size))
    return sides


@styled
def frames(image: NDArray, amount: int, fillings: Mapping[str, tuple[str, float]]) -> Figure:
    """Show a picture with a frame of each filling around it; a line marks where the picture ends.

    Args:
        image: array (height, width) or (height, width, 3), uint8.
        amount: the width of the frame in pixels.
        fillings: for each name a mode of :func:`cnnlib.padding.pad` and its constant.
    """
    need(fillings, "fillings")
    need_picture(image)
    pictures = {WORDS["original"]: image}
    planes = image.reshape(1, *image.shape[:2], -1)
    for name, (mode, value) in fillings.items():
        framed = pad(planes, [(amount, amount)] * 2, mode, value)[0]
        pictures[name] = framed.reshape(*framed.shape[:2], *image.shape[2:])
    height, width = image.shape[:2]
    shape = (height + 2 * amount, width + 2 * amount)
    figure, panels = _two_columns(len(pictures), shape)
    for axes, (name, picture) in zip(panels, pictures.items(), strict=True):
        _show(axes, picture)
        grown = (picture.shape[0] - height) // 2
        axes.add_patch(
            Rectangle(
                (grown - 0.5, grown - 0.5),
                width,
                height,
                facecolor="none",
                edgecolor=COLOURS["kernel"],
                linewidth=1.5,
                gid="edge",
            )
        )
        axes.set_xlim(-amount + grown - 0.5, width + amount + grown - 0.5)
        axes.set_ylim(height + amount + grown - 0.5, -amount + grown - 0.5)
        axes.set_title(name, fontsize=13)
    return figure


@styled
def error_profile(errors: Mapping[str, NDArray], rings: int) -> Figure:
    """Plot the mean of each picture of errors, ring by ring from the border inwards."""
    need(errors, "errors")
    figure = new_figure(3.0, CHART_WIDTH)
    axes = figure.subplots()
    for (name, error), marker in zip(errors.items(), "osD^v*" * len(errors), strict=False):
        axes.plot(range(rings), ring_means(error, rings), marker=marker, label=name)
    _finish_curves(axes, WORDS["distance"], WORDS["error"])
    return figure


@styled
def to_scale(pictures: Mapping[str, NDArray]) -> Figure:
    """Show pictures with every pixel equally large, and their sizes; small ones share a row.

    Args:
        pictures: for each name an array (height, width) or (height, width, 3), uint8.
    """
    need(pictures, "pictures")
    for picture in pictures.values():
        need_picture(picture)
    widest = max(picture.shape[1] for picture in pictures.values())
    label, gap = widest * 0.075, widest * 0.04
    left = top = bottom = 0.0
    spots = []
    for picture in pictures.values():
        height, width = picture.shape[:2]
        if left + width > widest:
            left, top = 0.0, bottom
        spots.append((left, top + label))
        left += width + gap
        bottom = max(bottom, top + label + height + gap)
    figure = new_figure(WIDTH * bottom / widest)
    axes = bare(figure.subplots())
    for (x, y), (name, picture) in zip(spots, pictures.items(), strict=True):
        height, width = picture.shape[:2]
        _show(axes, picture, extent=(x, x + width, y + height, y))
        words = WORDS["size"].format(name=name, height=height, width=width)
        axes.text(x, y - 0.2 * label, words, va="bottom", fontsize=12)
    axes.set_xlim(0, widest)
    axes.set_ylim(bottom, 0)
    return figure


def _cell(axes: Axes, x: float, y: float, kind: str) -> None:
    """Draw a unit square whose hatch as well as colour says what it is."""
    colours = {"dropped": COLOURS["paper"]}
    hatches = {"padding": "///", "dropped": "xxx"}
    axes.add_patch(
        Rectangle(
            (x, y),
            1,
            1,
            facecolor=colours.get(kind) or COLOURS[kind],
            edgecolor=COLOURS["highlight"] if kind == "dropped" else COLOURS["ink"],
            hatch=hatches.get(kind),
            linewidth=1,
            gid=kind,
        )
    )


def _share_limits(panels: Iterable[Axes]) -> None:
    """Let cells be equally wide in all panels."""
    rows = list(panels)
    lows, highs = zip(*(axes.get_xlim() for axes in rows), strict=True)
    for axes in rows:
        axes.set_xlim(min(lows), max(highs))


def _two_columns(count: int, shape: Sequence[int]) -> tuple[Figure, list[Axes]]:
    """A figure for ``count`` pictures of ``shape`` (height, width, ...), two a row."""
    rows = -(-count // 2)
    figure = new_figure(rows * (0.35 + WIDTH / 2 * shape[0] / shape[1]))
    panels = list(figure.subplots(rows, 2, squeeze=False).ravel())
    for axes in panels[count:]:
        axes.set_visible(False)
    return figure, panels[:count]


def _show(axes: Axes, picture: NDArray, top: float = 255, **options: Any) -> None:
    """Show a picture pixel for pixel (not resampled, so that the SVG holds no more than the picture)."""
    axes.imshow(picture, interpolation="none", vmin=0, vmax=top, **options)
    bare(axes)


def _finish_curves(axes: Axes, across: str, up: str) -> None:
    """Label curves over a whole number, from 0 upwards."""
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.set_ylim(0, None)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color=COLOURS["faint"])
    axes.legend()
