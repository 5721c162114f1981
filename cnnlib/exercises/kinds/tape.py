"""Small questions on pixels in a row: where they lie, what moves them, what a dense layer pays for them.

>>> from cnnlib.exercises import Task, check
>>> check(Task("tape_distance", height=6, width=9, down=2, right=1), 19).right
True
>>> check(Task("dense_growth", height=20, width=30, factor=3, grows=False), 3).slip
'sides-for-areas'
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnnlib.connections import shift
from cnnlib.exercises.answers import Number, Shape
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.misconceptions import add
from cnnlib.exercises.tasks import add_kind
from cnnlib.sizes import dense_parameters

# --- Neighbours on the tape ---------------------------------------------------------------------------


def _tape_distance(height: int, width: int, down: int, right: int) -> int:
    """How far apart two pixels of a flattened picture lie."""
    return int(np.ravel_multi_index((down, right), (height, width)))


def _roll_neighbours(dice: Dice) -> dict[str, Any]:
    height = dice.roll(5, 9)
    return {
        "height": height,
        "width": height + dice.roll(2, 12),
        "down": dice.roll(2, 3),
        "right": dice.roll(2, 4),
    }


add_kind(
    "tape_distance",
    _tape_distance,
    Number(),
    "how many places does one row of the picture take on the tape, and how many rows lie between the two?",
    "from-dense-to-local",
    _roll_neighbours,
    labels={"height": "height", "width": "width", "down": "rows down", "right": "columns to the right"},
)
add(
    "tape_distance",
    "height-for-width",
    lambda height, width, down, right: down * height + right if height != width else None,
    "{answer} goes down by the height of the picture. A strip is as long as the picture is wide.",
    "from-dense-to-local",
)
add(
    "tape_distance",
    "steps-in-the-picture",
    lambda height, width, down, right: down + right,
    "{answer} counts steps in the picture. On the tape a whole strip lies between a pixel and the one below.",
    "from-dense-to-local",
)
add(
    "tape_distance",
    "column-by-column",
    lambda height, width, down, right: right * height + down,
    "{answer} cuts the picture into columns. The strips are its rows.",
    "from-dense-to-local",
)
add(
    "tape_distance",
    "pixels-between",
    lambda **given: _tape_distance(**given) - 1,
    "{answer} counts the pixels between the two. Asked is the number of steps from one to the other.",
    "from-dense-to-local",
)

# --- A bar that moves ---------------------------------------------------------------------------------


def _moved_bar(height: int, width: int, bar: int, moved: int) -> int:
    """How many values change when an upright bar of ones moves to the right."""
    picture = np.zeros((1, height, width, 1), int)
    picture[:, :, 1 : 1 + bar] = 1
    return int((shift(picture, (0, moved)) != picture).sum())


def _roll_bar(dice: Dice) -> dict[str, Any]:
    bar, moved = dice.roll(2, 5), dice.roll(1, 2)
    return {"height": dice.roll(4, 12), "width": bar + moved + dice.roll(3, 9), "bar": bar, "moved": moved}


add_kind(
    "moved_bar",
    _moved_bar,
    Number(),
    "which pixels does the bar leave, which does it reach, and which does it cover before and after?",
    "from-dense-to-local",
    _roll_bar,
    labels={"bar": "columns of the bar", "moved": "columns moved"},
)
add(
    "moved_bar",
    "where-it-arrives-only",
    lambda **given: _moved_bar(**given) // 2,
    "{answer} counts the pixels on one side of the bar. On its other side pixels change as well.",
    "from-dense-to-local",
)
add(
    "moved_bar",
    "the-whole-bar-twice",
    lambda height, width, bar, moved: 2 * bar * height if moved < bar else None,
    "{answer} counts the whole bar before and after. Where the two overlap the pixels stay as they are.",
    "from-dense-to-local",
)
add(
    "moved_bar",
    "nothing-changes",
    lambda **given: 0,
    "{answer} is what changes for us, who see the same bar. The layer is given numbers, one for each place.",
    "from-dense-to-local",
)
add(
    "moved_bar",
    "everything-changes",
    lambda height, width, bar, moved: height * width,
    "{answer} is every pixel. Most of them are ground, or bar, both before and after.",
    "from-dense-to-local",
)

# --- The price of more pixels -------------------------------------------------------------------------


def _dense_growth(height: int, width: int, factor: int, grows: bool) -> int:
    """How many times as many weights a dense layer has when both sides of its picture grow."""

    def weights(times: int) -> int:
        places = height * width * times**2
        return dense_parameters(places * 3, places if grows else 10, use_bias=False)

    return weights(factor) // weights(1)


def _growth_of(power: int, *, where: bool | None = None) -> Any:
    return lambda height, width, factor, grows: factor**power if where in (None, grows) else None


add_kind(
    "dense_growth",
    _dense_growth,
    Number(),
    "how many times as many inputs are there, and outputs? There is a weight for each pair of the two.",
    "from-dense-to-local",
    lambda dice: {
        "height": 10 * dice.roll(2, 9),
        "width": 10 * dice.roll(10, 15),
        "factor": dice.roll(2, 5),
        "grows": dice.pick((False, True)),
    },
    labels={"factor": "factor", "grows": "an output for every pixel"},
)
add(
    "dense_growth",
    "sides-for-areas",
    _growth_of(1),
    "{answer} is how the sides grow. The layer reads pixels: height and width both count.",
    "from-dense-to-local",
)
add(
    "dense_growth",
    "outputs-left-as-they-are",
    _growth_of(2, where=True),
    "{answer} is how the inputs grow. Here there are more outputs as well.",
    "from-dense-to-local",
)
add(
    "dense_growth",
    "outputs-grow-too",
    _growth_of(4, where=False),
    "{answer} lets the outputs grow as well. Here their number is fixed.",
    "from-dense-to-local",
)
add(
    "dense_growth",
    "three-sides",
    _growth_of(3),
    "{answer} lets three sides grow. Height and width do; a pixel still has three channels.",
    "from-dense-to-local",
)

# --- A pixel and its index ----------------------------------------------------------------------------


def _pixel_index(height: int, width: int, left: int, above: int) -> tuple[int, ...]:
    """The index of the pixel with so many pixels to its left and above it."""
    numbers = np.arange(height * width).reshape(height, width)
    return tuple(int(place) for place in np.argwhere(numbers == numbers[above:, left:].min())[0])


add_kind(
    "pixel_index",
    _pixel_index,
    Shape(("first index", "second index")),
    "which index counts downwards, which to the right, and at what number do both begin?",
    "images-are-tensors",
    lambda dice: {
        "height": 10 * dice.roll(6, 20),
        "width": 10 * dice.roll(21, 40),
        "left": dice.roll(100, 200),
        "above": dice.roll(5, 50),
    },
    labels={"left": "to its left", "above": "above it"},
)
add(
    "pixel_index",
    "x-before-y",
    lambda height, width, left, above: (left, above) if left != above else None,
    "{answer} puts the distance to the right first, as in (x, y). An array is indexed like a matrix.",
    "images-are-tensors",
)
add(
    "pixel_index",
    "counted-from-one",
    lambda height, width, left, above: (above + 1, left + 1),
    "{answer} counts from 1. The pixel in the corner, with none above it and none to its left, is [0, 0].",
    "images-are-tensors",
)
add(
    "pixel_index",
    "counted-upwards",
    lambda height, width, left, above: (height - 1 - above, left),
    "{answer} counts rows from the bottom, as in a coordinate system. Arrays count downwards.",
    "images-are-tensors",
)

# --- A picture over a background ----------------------------------------------------------------------


def _blended(colour: int, background: int, opacity: float) -> float:
    return round(opacity * colour + (1 - opacity) * background, 6)  # whole numbers stay whole


add_kind(
    "blended",
    _blended,
    Number(),
    "what share of the result comes from the picture, and where does the rest come from?",
    "images-are-tensors",
    lambda dice: {
        "colour": 20 * dice.roll(0, 12),
        "background": 20 * dice.roll(0, 12),
        "opacity": dice.pick((0.1, 0.2, 0.25, 0.3, 0.7, 0.75, 0.8, 0.9)),
    },
    labels={"colour": "picture", "background": "background", "opacity": "alpha"},
)
add(
    "blended",
    "shares-exchanged",
    lambda colour, background, opacity: _blended(background, colour, opacity),
    "{answer} exchanges the two. Alpha says how opaque the picture is: at 1 nothing behind it is seen.",
    "images-are-tensors",
)
add(
    "blended",
    "background-left-out",
    lambda colour, background, opacity: _blended(colour, 0, opacity) if background else None,
    "{answer} is the picture's share alone. Where it is not opaque, the background shows through.",
    "images-are-tensors",
)
add(
    "blended",
    "background-in-full",
    lambda colour, background, opacity: _blended(colour, 0, opacity) + background if background else None,
    "{answer} adds the whole background. The picture hides a part of it: the two shares make 1.",
    "images-are-tensors",
)
add(
    "blended",
    "half-and-half",
    lambda colour, background, opacity: _blended(colour, background, 0.5),
    "{answer} takes half of each, whatever alpha says.",
    "images-are-tensors",
)

# --- A thing and the kernel that looks for it ---------------------------------------------------------


def _halvings(size: int, kernel_size: int) -> int:
    """How often a picture must be halved until a thing in it is no larger than the kernel."""
    return math.ceil(math.log2(size / kernel_size))


def _roll_halvings(dice: Dice) -> dict[str, Any]:
    kernel_size = dice.pick((5, 7, 9, 11, 13, 15))
    return {"size": kernel_size * 2 ** dice.roll(2, 5), "kernel_size": kernel_size}


add_kind(
    "halvings",
    _halvings,
    Number(),
    "how wide is the thing after one halving, after two, and so on?",
    "two-dimensions",
    _roll_halvings,
)
add(
    "halvings",
    "factor-for-times",
    lambda size, kernel_size: size // kernel_size,
    "{answer} is by how much the thing must shrink. One halving after another multiplies up.",
    "two-dimensions",
)
add(
    "halvings",
    "area-for-width",
    lambda size, kernel_size: _halvings(size, kernel_size) / 2,
    "{answer} takes every halving for a quarter. The area falls to a quarter, the width to a half.",
    "two-dimensions",
)
add(
    "halvings",
    "one-too-many",
    lambda size, kernel_size: _halvings(size, kernel_size) + 1,
    "{answer} counts the picture as it is, too. The first level of the pyramid takes no halving.",
    "two-dimensions",
)
