"""What figures are put together from: numbers in cells, windows, volumes, arrows, grey pictures.

Drawings that count in cells use :func:`canvas`, those that count in inches :func:`page`; in both, y grows
downwards, as the rows of an array do. The figures themselves stand in the modules of their chapters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle
from numpy.typing import ArrayLike, NDArray

from cnnlib.convolution import as_floats
from cnnlib.errors import ShapeError, SizeError
from cnnlib.plots.style import COLOURS, WIDTH, bare, new_figure, styled

MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"
#: The operation itself: cross-correlation.
STAR = "\N{STAR OPERATOR}"

#: Inches that one cell with a number in it takes.
CELL = 0.42
#: Inches that a line of text takes.
LINE = 0.19
#: Few enough greys for a small file, too many to be told apart.
GREYS = matplotlib.colormaps["gray"].resampled(49)
#: How far to the right and up the width of a volume leads, for each pixel of it.
SLANT = 0.35
#: How every arrow is drawn.
ARROW: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 10, "linewidth": 1}
#: A plate behind a number that stands on hatching.
PLATE = {"facecolor": COLOURS["paper"], "edgecolor": "none", "pad": 1.5}


# --- what is written -------------------------------------------------------------------------------------


def number(value: float, decimals: int | None = None) -> str:
    """A number as the figures write it: short, with a true minus sign, rounded if wished.

    >>> number(-2.0), number(0.5), number(-0.0), number(1 / 3, 2)
    ('−2', '0.5', '0', '0.33')
    """
    rounded = value if decimals is None else round(float(value), decimals)
    return f"{rounded + 0.0:g}".replace("-", MINUS)  # + 0.0 makes −0 a plain 0


def signed(value: float) -> str:
    """A term of a sum: ``+ 5`` or ``− 5``."""
    return f"{MINUS if value < 0 else '+'} {number(abs(value))}"


def chain(values: Sequence[float]) -> str:
    """A sum written out.

    >>> chain([5, 2, -3])
    '5 + 2 − 3'
    """
    return " ".join([number(values[0]), *map(signed, values[1:])])


def products(window: ArrayLike, weights: ArrayLike) -> str:
    """A weighted sum spelled out; negative numbers after an operator stand in brackets.

    >>> products([3, 1], [-1, 1]), products([3, 1], [1, -1])
    ('−1·3 + 1·1 =', '1·3 + (−1)·1 =')
    """
    terms: list[str] = []
    for x, w in zip(np.ravel(window), np.ravel(weights), strict=True):
        factors = [number(w, 2), number(x, 2)]
        bracketed = [f"({f})" if f[0] == MINUS else f for f in factors]
        terms.append(f"{bracketed[0] if terms else factors[0]}·{bracketed[1]}")
    return " + ".join(terms) + " ="


def by(sizes: Sequence[Any]) -> str:
    """A shape as people write it.

    >>> by((5, 5, 3))
    '5×5×3'
    """
    return TIMES.join(map(str, sizes))


def tint(colour: str, strength: float) -> tuple[float, float, float]:
    """A house colour thinned with white, opaque, so that dark numbers stand out on it."""
    red, green, blue = (1 - strength * (1 - part) for part in to_rgb(COLOURS[colour]))
    return (red, green, blue)


# --- where it is drawn -----------------------------------------------------------------------------------


def canvas(left: float, right: float, top: float, bottom: float) -> tuple[Figure, Axes]:
    """A figure whose unit is one cell with a number in it, y downwards; no wider than a page."""
    size = min(CELL, WIDTH / (right - left))
    figure = new_figure((bottom - top) * size, (right - left) * size)
    figure.set_layout_engine("none")  # the axes fill it, nothing is left to arrange
    axes = bare(figure.add_axes((0, 0, 1, 1)))
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    return figure, axes


def page(height: float, width: float = WIDTH) -> tuple[Figure, Axes]:
    """A figure whose unit is the inch, y downwards."""
    figure = new_figure(height, width)
    figure.set_layout_engine("none")
    axes = bare(figure.add_axes((0, 0, 1, 1)))
    axes.set(xlim=(0, width), ylim=(height, 0))
    return figure, axes


# --- what is drawn ---------------------------------------------------------------------------------------


def grid(
    axes: Axes, values: ArrayLike, left: float, top: float, colour: str, size: float = 11, **looks: Any
) -> None:
    """Numbers in unit cells of one colour.

    Args:
        axes: as :func:`canvas` makes them.
        values: array (rows, columns); a NaN leaves its cell empty.
        left, top: the upper left corner.
        colour: its name in :data:`cnnlib.plots.style.COLOURS`.
        size: of the text, in points; at least 10.
        looks: of the cells, as Matplotlib's ``Rectangle`` takes them (``hatch``, ``linestyle``, …).
    """
    settings: dict[str, Any] = {"facecolor": (COLOURS[colour], 0.3), "edgecolor": COLOURS["ink"], "lw": 0.7}
    for (row, column), value in np.ndenumerate(np.asarray(values)):
        axes.add_patch(Rectangle((left + column, top + row), 1, 1, **(settings | looks)))
        if not np.isnan(value):
            axes.text(
                left + column + 0.5,
                top + row + 0.52,
                number(float(value)),
                ha="center",
                va="center",
                size=size,
                bbox=PLATE if "hatch" in looks else None,
            )


def outline(
    axes: Axes,
    left: float,
    top: float,
    width: float,
    height: float,
    colour: str = "highlight",
    **looks: Any,
) -> None:
    """The frame about the window that is being looked at: thick, unless ``looks`` say otherwise."""
    settings: dict[str, Any] = {"edgecolor": COLOURS[colour], "linewidth": 2.8, "zorder": 3} | looks
    axes.add_patch(Rectangle((left, top), width, height, fill=False, **settings))


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], **looks: Any) -> None:
    """An arrow from one point to another, in the units of the axes."""
    settings: dict[str, Any] = {"color": COLOURS["ink"], "shrinkA": 1, "shrinkB": 1} | ARROW | looks
    axes.add_patch(FancyArrowPatch(start, end, **settings))


def labelled(axes: Axes, x: float, y: float, width: float, lines: Sequence[str], colour: str) -> None:
    """A box about (x, y) with some lines of text in it, on a :func:`page`."""
    height = len(lines) * LINE + 0.1
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=(COLOURS[colour], 0.3),
            edgecolor=COLOURS["ink"],
            linewidth=0.8,
        )
    )
    for place, line in enumerate(lines):
        axes.text(x, y + LINE * (place - (len(lines) - 1) / 2), line, ha="center", va="center", size=10)


def oblique_box(axes: Axes, left: float, top: float, size: Sequence[float], colour: str) -> None:
    """A box in oblique projection: channels to the right, height down, width slanting backwards.

    Args:
        left, top: of what it covers, in an axes with y downwards.
        size: (height, width, channels) in the units of the axes.
        colour: its name in :data:`cnnlib.plots.style.COLOURS`.
    """
    height, width, channels = size
    back = SLANT * width
    front = [(0, back), (channels, back), (channels, back + height), (0, back + height)]
    side = [(channels, back), (channels + back, 0), (channels + back, height), (channels, back + height)]
    lid = [(0, back), (back, 0), (channels + back, 0), (channels, back)]
    for face, opacity in ((front, 0.75), (side, 0.45), (lid, 0.2)):
        points = [(left + x, top + y) for x, y in face]
        fill = (COLOURS[colour], opacity)
        axes.add_patch(Polygon(points, facecolor=fill, edgecolor=COLOURS["ink"], linewidth=0.7))


def picture(axes: Axes, values: NDArray, limits: tuple[float, float] = (0, 1), title: str = "") -> None:
    """A picture, (height, width) in greys between the limits or (height, width, 3) in colour from 0 to 1.

    It is not resampled and has few shades, so that the file holds no more than can be seen.
    """
    shown = np.round(values * 31) / 31 if values.ndim == 3 else values
    bare(axes).imshow(shown, cmap=GREYS, vmin=limits[0], vmax=limits[1], interpolation="none")
    if title:
        axes.set_title(title, pad=4)


def kernel_picture(axes: Axes, weights: NDArray, scale: float) -> None:
    """A kernel in greys: mid-grey is 0, white the largest weight, black its opposite."""
    limit = float(scale) or 1.0
    axes.imshow(weights, cmap="gray", vmin=-limit, vmax=limit, interpolation="none")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, linewidth=0.7)


def sign(axes: Axes, text: str) -> None:
    """A sign such as ``=`` or :data:`STAR` that fills an axes between two pictures."""
    size = 26 if text == STAR else 16  # the star is drawn small
    bare(axes).text(0.5, 0.5, text, ha="center", va="center", size=size, transform=axes.transAxes)


@styled
def gallery(
    pictures: Mapping[str, NDArray], columns: int = 2, limits: tuple[float, float] | None = None
) -> Figure:
    """Pictures of one shape beside one another, all on one scale.

    Args:
        pictures: for each title an array (height, width) or (height, width, 3).
        columns: how many stand in a row.
        limits: the values that are black and white; 0 and the largest value, if not given.

    Raises:
        SizeError: there is no picture.
        ShapeError: what cannot be shown.
    """
    need(pictures, "pictures")
    for values in pictures.values():
        need_picture(values)
    rows = -(-len(pictures) // columns)
    height, width = next(iter(pictures.values())).shape[:2]
    figure = new_figure(rows * (0.35 + WIDTH / columns * height / width))
    panels = list(figure.subplots(rows, columns, squeeze=False).ravel())
    bottom, top = limits or (0, max(float(values.max()) for values in pictures.values()))
    for axes, (name, values) in zip(panels, pictures.items(), strict=False):
        # Not resampled, so that the SVG holds no more than the picture.
        bare(axes).imshow(values, interpolation="none", vmin=bottom, vmax=top)
        axes.set_title(name, fontsize=13 if columns < 3 else 11)
    for axes in panels[len(pictures) :]:
        axes.set_visible(False)
    return figure


# --- what can be drawn -----------------------------------------------------------------------------------


def need(values: Sized, name: str) -> None:
    """Refuse to draw nothing.

    Raises:
        SizeError: there is not a single value.
    """
    if not len(values):
        raise SizeError(f"{name} is empty; give at least one to draw")


def as_plane(values: ArrayLike, name: str) -> NDArray[np.floating]:
    """One feature map as floats, (height, width).

    Raises:
        ShapeError: it has other axes, or an empty one.
    """
    array = as_floats(values, name)
    if array.ndim != 2 or 0 in array.shape:
        raise ShapeError(f"{name} has shape {array.shape}; it must be (height, width)")
    return array


def need_picture(image: NDArray) -> None:
    """Refuse what is no picture.

    Raises:
        ShapeError: neither (height, width) nor (height, width, 3 or 4).
    """
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[-1] not in (3, 4)):
        raise ShapeError(
            f"a picture of shape {image.shape} cannot be shown; "
            "it needs (height, width) or (height, width, 3)"
        )
