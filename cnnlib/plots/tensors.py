"""Pictures as numbers: pixels, planes, stacks of pictures, memory, and sums that wrap around. Chapter 3.

Whatever is only pictures beside one another is drawn by :func:`cnnlib.plots.pieces.gallery`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Arc, Circle, Rectangle
from numpy.typing import NDArray

from cnnlib.errors import DtypeError, ShapeError, SizeError
from cnnlib.plots import pieces
from cnnlib.plots.pieces import gallery
from cnnlib.plots.style import COLOURS, WIDTH, bare, new_figure, styled

__all__ = ["WORDS", "clocks", "frames", "gallery", "ladder", "memory", "pixels", "planes"]

#: Every word in these figures; a translation replaces the values.
WORDS: dict[str, Any] = {
    "photograph": "photograph",
    "rows": "rows {}–{}, columns {}–{}",
    "rgb": ("red", "green", "blue"),
    "value": "{}: {}",
    "stack": "{}: {}",
    "time": "time",
    "axis": "axis {}: {}",
    "memory": "memory, one byte a cell",
    "layout": "shape {}\nstrides {}",
    "sum": "{} {} {} = {}",
}

#: How brightly each channel's sheet is tinted.
TINTS = np.eye(3)


@styled
def pixels(image: NDArray, top: int, left: int, height: int = 8, width: int = 7) -> Figure:
    """A photograph with a small frame in it, and the numbers in that frame.

    Args:
        image: array (height, width) of uint8.
        top, left, height, width: of the frame, in pixels.

    Raises:
        ShapeError, DtypeError: no grey picture of 8 bits.
        SizeError: the frame is not inside the picture.
    """
    if image.ndim != 2:
        raise ShapeError(f"a picture of shape {image.shape} is not grey; give (height, width)")
    if image.dtype != np.uint8:
        raise DtypeError(f"the pixels have dtype {image.dtype}; draw those of 8 bits, uint8")
    if min(top, left) < 0 or top + height > image.shape[0] or left + width > image.shape[1]:
        raise SizeError(
            f"a frame of {height}x{width} at ({top}, {left}) leaves the picture of "
            f"{image.shape[0]}x{image.shape[1]}"
        )
    part = image[top : top + height, left : left + width]
    cell, gap = 0.36, 0.25
    room = WIDTH - 0.2 - width * cell - gap
    tall = room * image.shape[0] / image.shape[1]
    page_height = max(tall, height * cell) + 0.5
    figure, axes = pieces.page(page_height)
    middle = 0.35 + (page_height - 0.45) / 2
    y = middle - tall / 2
    _sheet(axes, image / 255, 0.1, y, room, tall)
    scale = room / image.shape[1]
    pieces.outline(axes, 0.1 + left * scale, y + top * scale, width * scale, height * scale)
    axes.text(0.1 + room / 2, y - 0.06, WORDS["photograph"], ha="center", va="bottom", weight="bold")
    x, y = 0.1 + room + gap, middle - height * cell / 2
    for (row, column), value in np.ndenumerate(part):
        corner = (x + column * cell, y + row * cell)
        shade = str(value / 255)
        axes.add_patch(Rectangle(corner, cell, cell, facecolor=shade, edgecolor=COLOURS["faint"], lw=0.5))
        axes.text(
            corner[0] + cell / 2,
            corner[1] + cell / 2,
            str(value),
            ha="center",
            va="center_baseline",
            size=10,
            color="white" if value < 118 else "black",  # the brighter contrast of the two
        )
    pieces.outline(axes, x, y, width * cell, height * cell)
    words = WORDS["rows"].format(top, top + height - 1, left, left + width - 1)
    axes.text(x + width * cell / 2, y - 0.06, words, ha="center", va="bottom", weight="bold")
    return figure


def _sheet(axes: Axes, values: NDArray, left: float, top: float, width: float, height: float) -> None:
    """A picture at a place of a page, in inches; later ones lie above earlier ones."""
    limits = axes.get_xlim(), axes.get_ylim()
    axes.imshow(
        np.round(values * 31) / 31 if values.ndim == 3 else values,
        extent=(left, left + width, top + height, top),
        cmap=pieces.GREYS,
        vmin=0,
        vmax=1,
        interpolation="none",
        aspect="auto",
        zorder=1,
    )
    axes.set(xlim=limits[0], ylim=limits[1])


@styled
def planes(image: NDArray, place: tuple[int, int]) -> Figure:
    """A colour picture and its three planes in grey, with the values at one pixel.

    Args:
        image: array (height, width, 3) of uint8.
        place: (row, column) of the pixel.

    Raises:
        ShapeError, DtypeError: no colour picture of 8 bits.
        SizeError: the pixel lies outside.
    """
    if image.ndim != 3 or image.shape[-1] != 3:
        raise ShapeError(f"a picture of shape {image.shape} has no three colours; give (height, width, 3)")
    if image.dtype != np.uint8:
        raise DtypeError(f"the pixels have dtype {image.dtype}; draw those of 8 bits, uint8")
    row, column = place
    height, width = image.shape[:2]
    if not (0 <= row < height and 0 <= column < width):
        raise SizeError(f"pixel ({row}, {column}) lies outside the picture of {height}x{width}")
    figure = new_figure(2 * (WIDTH / 2 * height / width + 0.3))
    panels = figure.subplots(2, 2).ravel()
    pieces.picture(panels[0], image / 255, title=WORDS["photograph"])
    for channel, axes in enumerate(panels[1:]):
        value = WORDS["value"].format(WORDS["rgb"][channel], image[row, column, channel])
        pieces.picture(axes, image[..., channel] / 255, title=value)
    for axes in panels:
        axes.plot(column, row, "s", ms=11, mfc="none", mec=COLOURS["paper"], mew=4)
        axes.plot(column, row, "s", ms=11, mfc="none", mec=COLOURS["highlight"], mew=2)
    return figure


@styled
def ladder(rungs: Mapping[str, NDArray], times: Sequence[str] = ()) -> Figure:
    """Arrays of more and more axes, each drawn as stacks of sheets: one stack a picture, one sheet a channel.

    Args:
        rungs: name → array (height, width), (height, width, channels), or with another axis in front; values
            from 0 to 1. The colours of three channels are red, green, blue; a fourth is drawn in grey.
        times: those of the names whose first axis is time, drawn as an arrow.

    Raises:
        ShapeError: more than four axes, or fewer than two.
    """
    wide, offset, pitch = 0.95, 0.09, 1.34
    shapes = {name: np.asarray(values).shape for name, values in rungs.items()}
    for name, shape in shapes.items():
        if not 2 <= len(shape) <= 4:
            raise ShapeError(f"{name} has shape {shape}; draw arrays of two to four axes")
    tops, height = [], 0.0
    for shape in shapes.values():
        tops.append(height)
        rows, columns = shape[:2] if len(shape) < 4 else shape[1:3]
        depth = 1 if len(shape) == 2 else shape[-1]
        height += wide * rows / columns + (depth - 1) * offset + 0.56
    figure, axes = pieces.page(height)
    for top, (name, values) in zip(tops, rungs.items(), strict=True):
        title = WORDS["stack"].format(name, values.shape)
        axes.text(0.1, top + 0.22, title, weight="bold", va="center")
        pictures = [values] if values.ndim < 4 else list(values)
        tall = wide * pictures[0].shape[0] / pictures[0].shape[1]
        for place, picture in enumerate(pictures[:4]):
            sheets = _sheets(picture)
            for depth, sheet in reversed(list(enumerate(sheets))):
                x = 0.1 + place * pitch + depth * offset
                y = top + 0.4 + (len(sheets) - 1 - depth) * offset
                _sheet(axes, sheet, x, y, wide, tall)
                frame = Rectangle((x, y), wide, tall, fill=False, edgecolor=COLOURS["ink"], lw=0.7)
                frame.set_zorder(1.01)
                axes.add_patch(frame)
        if name in times:
            y = top + 0.22
            pieces.arrow(axes, (3.3, y), (WIDTH - 0.7, y))
            axes.text(WIDTH - 0.65, y, WORDS["time"], va="center", size=10)
    return figure


def _sheets(picture: NDArray) -> list[NDArray]:
    """The channels of a picture as sheets in their own colours, brightened so that little is lost."""
    if picture.ndim == 2:
        return [picture]
    return [
        np.sqrt(picture[..., [channel]]) * TINTS[channel] if channel < 3 else picture[..., channel]
        for channel in range(picture.shape[-1])
    ]


@styled
def frames(pictures: Mapping[str, Sequence[int]]) -> Figure:
    """Pictures of two or more sizes as outlines to one scale, with their axes and a pixel [row, column].

    Args:
        pictures: what people call them → shape (height, width, ...).
    """
    largest = max(max(shape[:2]) for shape in pictures.values())
    scale = 2.0 / largest
    figure, axes = pieces.page(2.0 + 1.15)
    room = WIDTH / len(pictures)
    for place, (name, shape) in enumerate(pictures.items()):
        tall, wide = shape[0] * scale, shape[1] * scale
        x, y = room * place + (room - wide) / 2 + 0.12, 0.72
        axes.add_patch(
            Rectangle((x, y), wide, tall, facecolor=(COLOURS["input"], 0.25), edgecolor=COLOURS["ink"])
        )
        axes.text(room * (place + 0.5), 0.16, name, ha="center", va="center", weight="bold")
        pieces.arrow(axes, (x, y - 0.1), (x + wide, y - 0.1), color=COLOURS["third"], linewidth=1.6)
        axes.text(
            x + wide / 2, y - 0.15, WORDS["axis"].format(1, shape[1]), ha="center", va="bottom", size=10
        )
        pieces.arrow(axes, (x - 0.1, y), (x - 0.1, y + tall), color=COLOURS["highlight"], linewidth=1.6)
        axes.text(
            x - 0.16,
            y + tall / 2,
            WORDS["axis"].format(0, shape[0]),
            ha="right",
            va="center",
            rotation=90,
            size=10,
        )
        row, column = shape[0] // 4, shape[1] // 2
        spot = (x + column * scale, y + row * scale)
        axes.add_patch(Circle(spot, 0.05, facecolor=COLOURS["ink"]))
        axes.text(spot[0], spot[1] + 0.2, f"[{row}, {column}]", ha="center", va="center", size=10)
        axes.text(x + wide / 2, y + tall + 0.22, str(tuple(shape)), ha="center", va="center", size=10)
    return figure


@styled
def memory(views: Mapping[str, NDArray], columns: int = 2) -> Figure:
    """Arrays that look at the same bytes: the row of bytes, and what each array takes from it.

    Args:
        views: name → array (rows, columns) of uint8, all views of one array whose bytes hold 0, 1, 2, …, so
            that a number is also the place where it is stored.
        columns: how many are drawn beside one another.

    Raises:
        ShapeError, DtypeError: another number of axes, or of bytes a number.
        SizeError: an array has a memory of its own, or there is none at all.
    """
    arrays = list(views.values())
    for name, view in views.items():
        if view.ndim != 2 or 0 in view.shape:
            raise ShapeError(f"{name} has shape {view.shape}; draw (rows, columns)")
        if view.dtype != np.uint8:
            raise DtypeError(f"{name} has dtype {view.dtype}; draw bytes, uint8, one a number")
        if not np.shares_memory(view, arrays[0]):
            raise SizeError(f"{name} has a memory of its own; give views of the same array")
    if not arrays:
        raise SizeError("views is empty; give at least one")
    size = max(int(view.max()) for view in arrays) + 1
    wide = max(size + 0.4, 13.2)
    room = wide / columns
    tops, bottom = [], 2.6
    for first in range(0, len(arrays), columns):
        row = arrays[first : first + columns]
        tops += [bottom] * len(row)
        bottom += max(view.shape[0] for view in row) + 3.0
    figure, axes = pieces.canvas(-0.2, wide, -0.9, bottom - 1.2)
    axes.text(0, -0.15, WORDS["memory"], va="bottom", weight="bold")
    pieces.grid(axes, np.arange(size)[None], 0, 0, "input")
    for place, ((name, view), y) in enumerate(zip(views.items(), tops, strict=True)):
        x = place % columns * room
        axes.text(x, y - 0.75, name, va="bottom", weight="bold")
        pieces.grid(axes, view, x, y, "output")
        down, along = view.strides
        right = x + view.shape[1]
        _step(axes, (x + 0.5, y - 0.2), (min(x + 1.5, right - 0.3), y - 0.2), along, "third")
        _step(axes, (right + 0.25, y + 0.5), (right + 0.25, y + 1.5), down, "highlight")
        words = WORDS["layout"].format(view.shape, view.strides)
        axes.text(x, y + view.shape[0] + 0.2, words, va="top", size=10)
    return figure


def _step(axes: Axes, start: tuple[float, float], end: tuple[float, float], bytes_: int, colour: str) -> None:
    """An arrow from one number to the next along an axis, with the bytes that lie between."""
    pieces.arrow(axes, start, end, color=COLOURS[colour], linewidth=1.6)
    sign = "+" if bytes_ >= 0 else pieces.MINUS
    horizontal = start[1] == end[1]
    axes.text(
        end[0] + 0.12,
        end[1] if horizontal else (start[1] + end[1]) / 2,
        f"{sign}{abs(bytes_)}",
        color=COLOURS[colour],
        weight="bold",
        size=10,
        va="center",
    )


@styled
def clocks(sums: Sequence[tuple[int, int]]) -> Figure:
    """Sums of 8-bit numbers on a dial of 256 values, which begins again after 255.

    Args:
        sums: pairs (start, step), such as (200, 100) or (30, -50); start from 0 to 255.

    Raises:
        SizeError: a start that 8 bits cannot hold, or steps of more than a turn.
    """
    for start, step in sums:
        if not 0 <= start <= 255 or not 0 < abs(step) <= 255:
            raise SizeError(f"{start} and {step}: start from 0 to 255 and step by 1 to 255, up or down")
    figure = new_figure(2.9)
    for axes, (start, step) in zip(np.ravel(figure.subplots(1, len(sums))), sums, strict=True):
        one, other = np.array([start], np.uint8), np.array([abs(step)], np.uint8)
        end = int((one + other if step > 0 else one - other)[0])
        bare(axes).set(xlim=(-1.62, 1.62), ylim=(-1.5, 1.5), aspect="equal")
        axes.add_patch(Circle((0, 0), 1, fill=False, edgecolor=COLOURS["ink"], lw=1.2))
        for mark in range(0, 256, 32):
            x, y = _on_dial(mark)
            axes.plot((0.93 * x, x), (0.93 * y, y), color=COLOURS["ink"], lw=1)
        for value, colour, shape in ((start, "third", "o"), (end, "highlight", "s")):
            x, y = _on_dial(value)
            axes.plot(x, y, shape, color=COLOURS[colour], ms=9, zorder=4)
            axes.text(1.33 * x, 1.24 * y, str(value), ha="center", va="center", weight="bold")
        axes.text(0, 0.72, "0", ha="center", va="center", size=10)
        first, last = _angle(start), _angle(start) - 360 * step / 256
        axes.add_patch(
            Arc(
                (0, 0),
                1.1,
                1.1,
                theta1=min(first, last),
                theta2=max(first, last),
                color=COLOURS["kernel"],
                lw=3,
            )
        )
        turn = -1 if step > 0 else 1
        tip, before = np.deg2rad(last), np.deg2rad(last - turn * 14)
        pieces.arrow(
            axes,
            (0.55 * np.cos(before), 0.55 * np.sin(before)),
            (0.55 * np.cos(tip), 0.55 * np.sin(tip)),
            color=COLOURS["kernel"],
            linewidth=3,
            mutation_scale=16,
        )
        sign = "+" if step > 0 else pieces.MINUS
        axes.set_title(WORDS["sum"].format(start, sign, abs(step), end), weight="bold")
    return figure


def _angle(value: float) -> float:
    """Degrees of a value on the dial: 0 at the top, clockwise."""
    return 90 - 360 * value / 256


def _on_dial(value: float) -> tuple[float, float]:
    angle = np.deg2rad(_angle(value))
    return float(np.cos(angle)), float(np.sin(angle))
