"""The picture on the first page: one window of a photograph, from its pixels to one number of the result."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from cnnlib.convolution import correlate
from cnnlib.errors import ShapeError
from cnnlib.images import photograph
from cnnlib.plots import style

#: The words in this figure; a translation replaces them.
WORDS = {
    "pixels": "pixels of one window",
    "kernel": "kernel",
    "sum": "sum",
    "photograph": "photograph",
    "result": "feature map",
}

#: The part of the photograph ``camera`` that the first page shows, and a window in it that meets an edge.
FACE = (slice(60, 190), slice(160, 340))
PLACE = (59, 109)
#: The share of the largest value at which the feature map is white; edges show better than by all.
CONTRAST = 0.6


def photograph_part() -> NDArray[np.uint8]:
    """The part of the photograph that the first page shows, (height, width)."""
    return photograph("camera", grey=True)[FACE]


@style.styled
def one_window(
    image: NDArray[np.uint8], kernel: NDArray[np.floating], place: tuple[int, int] = PLACE
) -> Figure:
    """Draw an image, its cross-correlation with ``kernel``, and the numbers of the window at ``place``.

    Args:
        image: grey pixels (height, width).
        kernel: weights (height, width), small enough to be written out.
        place: row and column of the window's upper left corner, and of the number it gives.

    Raises:
        ShapeError: the window does not lie inside the image.
    """
    result = correlate(image, kernel)
    row, column = place
    if not (0 <= row < result.shape[0] and 0 <= column < result.shape[1]):
        raise ShapeError(
            f"a window of {kernel.shape} at {place} does not lie inside an image of {image.shape}; "
            f"choose a row below {result.shape[0]} and a column below {result.shape[1]}"
        )
    figure = style.new_figure(4.3)
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.25, 1)).flat
    before, after = above.subplots(1, 2)
    pixels, weights, total = below.subplots(1, 3, width_ratios=(3, 3, 1.6))

    before.imshow(image, vmin=0, vmax=255)
    largest = float(np.abs(result).max()) * CONTRAST
    after.imshow(result, vmin=-largest, vmax=largest)  # mid-grey is 0
    before.set_title(WORDS["photograph"])
    after.set_title(WORDS["result"])
    _mark(style.bare(before), place, kernel.shape, "highlight")
    _mark(style.bare(after), place, (1, 1), "output")

    window = image[row : row + kernel.shape[0], column : column + kernel.shape[1]]
    _numbers(pixels, window, WORDS["pixels"], "highlight", window)
    _numbers(weights, kernel, WORDS["kernel"], "kernel")
    _numbers(total, result[row : row + 1, column : column + 1], WORDS["sum"], "output")
    for axes, sign in ((weights, "×"), (total, "=")):
        axes.annotate(
            sign,
            (0, 0.5),
            (-13, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=15,
        )
    return figure


def _mark(axes: Axes, place: tuple[int, int], size: tuple[int, ...], colour: str) -> None:
    """Frame a window, with a margin that keeps a single pixel visible."""
    margin = 3.5
    corner = (place[1] - 0.5 - margin, place[0] - 0.5 - margin)
    for ink, thickness in (("paper", 5), (colour, 2.5)):  # white below, to stand out from any grey
        axes.add_patch(
            Rectangle(
                corner,
                size[1] + 2 * margin,
                size[0] + 2 * margin,
                fill=False,
                edgecolor=style.COLOURS[ink],
                linewidth=thickness,
            )
        )


def _numbers(
    axes: Axes, values: NDArray, title: str, colour: str, shades: NDArray[np.uint8] | None = None
) -> None:
    """Write an array into a grid of cells; ``shades`` paints each cell as the pixel that it is."""
    height, width = values.shape
    for (y, x), value in np.ndenumerate(values):
        shade = None if shades is None else float(shades[y, x]) / 255
        paint = style.COLOURS["paper"] if shade is None else (shade, shade, shade)
        ink = style.COLOURS["paper"] if shade is not None and shade < 0.5 else style.COLOURS["ink"]
        line = style.COLOURS[colour]
        axes.add_patch(Rectangle((x, y), 1, 1, facecolor=paint, edgecolor=line, linewidth=1.5))
        axes.text(x + 0.5, y + 0.52, f"{value:.0f}".replace("-", "−"), ha="center", va="center", color=ink)
    axes.set_xlim(-0.05, width + 0.05)
    axes.set_ylim(height + 0.05, -0.05)
    axes.set_aspect("equal")
    axes.set_title(title)
    style.bare(axes)
