"""One window of a photograph, which the reader moves: pixels, weights, their sum, its place in the map.

It stands on the first page, and in chapter 4; its pixels are those that the page's figure shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib import filters
from cnnlib.convolution import as_floats, correlate
from cnnlib.errors import ShapeError, SizeError
from cnnlib.explorers.base import (
    Explorer,
    as_name,
    button,
    choice,
    field,
    listed,
    number,
    products,
    region,
)
from cnnlib.explorers.pictures import png_url
from cnnlib.sizes import shown

#: The words that a reader sees, in Python and in the script; a translation replaces the values.
WORDS = {
    "label_title": "One window of a photograph",
    "photograph": "photograph",
    "map": "feature map",
    "pixels": "pixels",
    "weights": "kernel",
    "total": "sum",
    "help": "Drag the orange window, or use the arrow keys here.",
    "row": "row",
    "column": "column",
    "kernel": "kernel",
    "reset": "Reset",
    "link": "Link to this window",
    "upright": "upright edges",
    "level": "level edges",
    "second": "change in all directions",
    "say": "Row {row}, column {column}: the window covers {values}. Its weighted sum is {sum}.",
}

#: The side of a cell, and the gap for a sign between two arrays, in the units of the drawing.
CELL, GAP = 40, 32
#: How far the frame stands off its window, and how far a finger may miss it, in pixels of the photograph.
MARGIN, REACH = 3.5, 11
#: The greys of the map that stands there until the script runs: few, for a small page.
SHADES = 32
#: From this grey on, black stands out better than white.
BRIGHT = 118


class OneWindow(Explorer):
    """A grey photograph, its cross-correlation with a kernel, and the numbers of one window.

    Args:
        image: grey pixels (height, width) from 0 to 255; a part of ``camera`` unless given.
        kernels: title → weights (height, width), all of one shape; three edge detectors unless given.
        place: row and column of the window's upper left corner; the middle unless given.
        name: what links call this explorer; letters, digits and hyphens.

    Raises:
        ShapeError: no grey picture, or kernels of several shapes.
        SizeError: the window does not lie inside the image, or a pixel outside 0 to 255.

    >>> OneWindow(np.eye(8) * 200, {"sum": np.ones((3, 3))}, place=(2, 1))
    Row 2, column 1: the window covers 0, 200, 0; 0, 0, 200; 0, 0, 0. Its weighted sum is 400.
    """

    script = "one_window"
    words = WORDS

    def __init__(
        self,
        image: ArrayLike | None = None,
        kernels: Mapping[str, ArrayLike] | None = None,
        *,
        place: tuple[int, int] | None = None,
        name: str | None = None,
    ) -> None:
        if image is None:  # the man behind the camera, as the figure of the first page shows him
            from cnnlib.plots.one_window import PLACE, photograph_part

            image, place = photograph_part(), place or PLACE
        self.image = _pixels(image)
        chosen = _edges() if kernels is None else kernels
        self.kernels = {
            title: as_floats(weights, title).astype(np.float64) for title, weights in chosen.items()
        }
        shapes = {weights.shape for weights in self.kernels.values()}
        if len(shapes) != 1 or len(next(iter(shapes))) != 2:
            raise ShapeError(
                f"kernels have shapes {shown(sorted(shapes))}; all must have one (height, width)"
            )
        self.size: tuple[int, int] = next(iter(shapes))
        self.maps = [correlate(self.image, weights) for weights in self.kernels.values()]
        rows, columns = self.maps[0].shape
        row, column = (rows // 2, columns // 2) if place is None else place
        if not (0 <= row < rows and 0 <= column < columns):
            raise SizeError(
                f"a window at {place} does not lie inside an image of {self.image.shape}; "
                f"choose a row below {rows} and a column below {columns}"
            )
        self.place, self.name = (int(row), int(column)), as_name(name)

    def __repr__(self) -> str:
        return self._regions()["say"]

    def _regions(self, kernel: int = 0, place: tuple[int, int] | None = None) -> dict[str, str]:
        """The HTML of each part at a place: ``numbers``, ``sum``, ``say`` and the two frames."""
        row, column = self.place if place is None else place
        height, width = self.size
        weights = list(self.kernels.values())[kernel]
        window = self.image[row : row + height, column : column + width]
        total = float(self.maps[kernel][row, column])
        return {
            "numbers": _numbers(window, weights, total),
            "sum": products(window, weights, total),
            "say": WORDS["say"].format(row=row, column=column, values=listed(window), sum=number(total)),
            "in": _frame(row, column, height, width),
            "out": _frame(row, column, 1, 1),
        }

    def shades(self, kernel: int = 0) -> NDArray[np.uint8]:
        """The feature map as it is painted: mid-grey is 0, white and black are large."""
        result = self.maps[kernel]
        largest = float(np.abs(result).max()) * 0.6 or 1.0
        return np.floor(np.clip((result / largest + 1) / 2, 0, 1) * 255 + 0.5).astype(np.uint8)

    def _state(self) -> dict[str, Any]:
        return {
            "kernels": [weights.tolist() for weights in self.kernels.values()],
            "start": {"kernel": 0, "row": self.place[0], "column": self.place[1]},
        }

    def _content(self) -> str:
        parts = self._regions()
        few = (np.round(self.shades() / 255 * (SHADES - 1)) * 255 / (SHADES - 1)).astype(np.uint8)
        pictures = "".join(
            f"<div><div>{WORDS[word]}</div>"
            f'<svg data-p="{panel}" viewBox="0 0 {pixels.shape[1]} {pixels.shape[0]}" role="img" '
            f'aria-label="{WORDS[word]}" class="cx-pic"><image data-i="{panel}" href="{png_url(pixels)}" '
            f'width="{pixels.shape[1]}" height="{pixels.shape[0]}"></image>'
            f'<g data-r="{frame}">{parts[frame]}</g></svg></div>'
            for word, panel, frame, pixels in (
                ("photograph", "win", "in", self.image),
                ("map", "pl", "out", few),
            )
        )
        rows, columns = self.maps[0].shape
        options = {str(index): title for index, title in enumerate(self.kernels)}
        controls = (
            choice("kernel", WORDS["kernel"], options, "0")
            + field("row", WORDS["row"], str(self.place[0]), "range", min=0, max=rows - 1)
            + field("column", WORDS["column"], str(self.place[1]), "range", min=0, max=columns - 1)
            + button("reset", WORDS["reset"])
            + f'<a data-c="link" href="#">{WORDS["link"]}</a>'
        )
        return (
            region("panels", pictures, tabindex="0", role="group", aria_label=WORDS["help"])
            + region("numbers", parts["numbers"])
            + region("sum", parts["sum"], "p")
            + region("say", parts["say"], "p", role="status", aria_live="polite")
            + f'<div class="cx-controls" hidden><div class="cx-steps">{controls}</div></div>'
        )

    def _figure(self) -> Any:
        from cnnlib.plots.one_window import one_window

        return one_window(self.image, next(iter(self.kernels.values())), self.place)


def _edges() -> dict[str, NDArray]:
    return {
        WORDS["upright"]: filters.sobel("vertical"),
        WORDS["level"]: filters.sobel("horizontal"),
        WORDS["second"]: filters.laplacian(),
    }


def _pixels(image: ArrayLike) -> NDArray[np.uint8]:
    """Grey pixels, whole numbers of 0 to 255."""
    values = as_floats(image, "image")
    if values.ndim != 2 or 0 in values.shape:
        raise ShapeError(f"image has shape {values.shape}; it needs grey pixels (height, width)")
    if not ((values >= 0) & (values <= 255) & (values == np.floor(values))).all():
        raise SizeError("image has values that are no whole numbers from 0 to 255; give grey pixels")
    return values.astype(np.uint8)


def _frame(row: int, column: int, height: int, width: int) -> str:
    """The frame about a window: a white line below the orange one, and what a finger may touch."""
    parts = []
    for name, off in (("hit", REACH), ("halo", MARGIN), ("fr", MARGIN)):
        x, y, w, h = (number(v) for v in (column - off, row - off, width + 2 * off, height + 2 * off))
        parts.append(f'<path class="{name}" d="M{x} {y}h{w}v{h}h-{w}z"/>'.replace("−", "-"))
    return "".join(parts)


def _numbers(window: NDArray, weights: NDArray, total: float) -> str:
    """Pixels, weights and their sum as cells side by side."""
    height, width = weights.shape
    second, third = width * CELL + GAP, 2 * (width * CELL + GAP)
    middle = height * CELL // 2 + 32
    parts = [_title(0, WORDS["pixels"]), _title(second, WORDS["weights"]), _title(third, WORDS["total"])]
    for (i, j), value in np.ndenumerate(window):
        ink = "#fff" if value < BRIGHT else "#000"
        paint = f"rgb({value},{value},{value})"
        looks = f'style="fill:{paint}"', f'style="fill:{ink}"'
        parts.append(_cell(j * CELL, 26 + i * CELL, number(value), *looks))
    for (i, j), weight in np.ndenumerate(weights):
        parts.append(_cell(second + j * CELL, 26 + i * CELL, number(weight), 'class="k"'))
    for sign, x in (("×", second), ("=", third)):
        parts.append(f"<text x={x - GAP // 2} y={middle}>{sign}</text>")
    parts.append(
        f'<rect class="out wide" x={third} y={middle - 26} />'
        f"<text x={third + CELL} y={middle}>{number(total)}</text>"
    )
    box = f"-2 0 {third + 2 * CELL + 4} {28 + height * CELL}"
    label = f"{listed(window)} × {listed(weights)} = {number(total)}"
    return (
        f'<svg viewBox="{box}" role="img" aria-label="{label}" style="width:{third + 2 * CELL + 4}px">'
        f"{''.join(parts)}</svg>"
    )


def _title(x: int, text: str) -> str:
    return f'<text class="t" x={x} y=18>{text}</text>'


def _cell(x: int, y: int, text: str, look: str, ink: str = "") -> str:
    return f"<rect {look} x={x} y={y} /><text {ink} x={x + 20} y={y + 26}>{text}</text>"
