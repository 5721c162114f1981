"""Drawings of cells with numbers in them, the fields that hold such numbers, and the sliders of a window.

``cells.js`` writes the same, letter for letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.errors import ShapeError, SizeError
from cnnlib.explorers.base import field, listed, number
from cnnlib.explorers.form import FORM_WORDS, LARGEST
from cnnlib.padding import as_array
from cnnlib.sizes import as_number

#: The side of a cell, in the units of the drawing.
CELL = 40


def drawable(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Numbers that fit into cells."""
    array = as_array(values, name)
    for value in array.ravel().tolist():
        as_number(value, name, -LARGEST, LARGEST)
    return array.astype(np.float64)


def numbers(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """One row or one picture of numbers that can be drawn."""
    array = as_array(values, name)
    if array.ndim not in (1, 2):
        raise ShapeError(f"{name} has shape {array.shape}; an explorer shows (m,) or (height, width)")
    if array.size == 0:
        raise SizeError(FORM_WORDS["empty"].format(name=name))
    return drawable(array, name)


class Cell(NamedTuple):
    """A cell's kind, which decides its colour, where it stands, and what is written in it."""

    kind: str
    row: int
    column: int
    marks: str


def cell(i: int, j: int, value: float, kind: str, note: str = "", lost: bool = False) -> Cell:
    """One cell: its number, what is noted below it, and a stroke where no window comes."""
    x, y, text = j * CELL, i * CELL, number(value)
    small = " class=s" if len(text) > 4 else ""
    marks = f'<path class=lost d="M{x} {y}l{CELL} {CELL}"/>' if lost else ""
    marks += f"<text{small} x={x + 20} y={y + (18 if note else 26)}>{text}</text>"
    if note:
        marks += f"<text class=w x={x + 20} y={y + 35}>{note}</text>"
    return Cell(kind, i, j, marks)


def squares(cells: Iterable[Cell]) -> dict[str, str]:
    """For each kind the path of its squares: neighbours in a row are one box with lines in it.

    >>> squares([cell(0, 1, 5, "in"), cell(0, 2, 5, "in"), cell(0, 3, 5, "in"), cell(1, 1, 5, "k")])
    {'in': 'M40 0h120v40h-120zm40 0v40m40-40v40', 'k': 'M40 40h40v40h-40z'}
    """
    runs: list[list[Cell]] = []
    for one in cells:
        last = runs[-1][-1] if runs else None
        if last and (last.kind, last.row, last.column) == (one.kind, one.row, one.column - 1):
            runs[-1].append(one)
        else:
            runs.append([one])
    paths: dict[str, str] = {}
    for first, *rest in runs:
        wide = CELL * (len(rest) + 1)
        box = f"M{first.column * CELL} {first.row * CELL}h{wide}v{CELL}h-{wide}z"
        lines = "".join(f"m{CELL}{-CELL if at else ' 0'}v{CELL}" for at in range(len(rest)))
        paths[first.kind] = paths.get(first.kind, "") + box + lines
    return paths


def panel(
    name: str,
    title: str,
    values: NDArray,
    cells: list[Cell],
    frame: tuple[int, int, int, int] | None = None,
    over: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> str:
    """A titled drawing of cells.

    ``frame`` is (row, column, rows, columns) of the window in it, ``over`` the cells by which windows hang
    over above, to the left, below and to the right.
    """
    top, left = (size * CELL for size in over[:2])
    height = values.shape[0] * CELL + top + over[2] * CELL
    width = values.shape[1] * CELL + left + over[3] * CELL
    drawn = "".join(f'<path class={kind} d="{path}"/>' for kind, path in squares(cells).items())
    drawn += "".join(one.marks for one in cells)
    if frame is not None:
        y, x, rows, columns = (size * CELL for size in frame)
        drawn += f'<path class=fr d="M{x} {y}h{columns}v{rows}h-{columns}z"/>'
    return (
        f"<div><div>{title}</div>"
        f'<svg data-p={name} viewBox="{-3 - left} {-3 - top} {width + 6} {height + 6}" role="img" '
        f'aria-label="{title}: {listed(values)}" style="width:{width + 6}px;min-width:{width * 17 // 20}px">'
        f"{drawn}</svg></div>"
    )


def plain_panel(
    name: str, title: str, values: NDArray, kind: str, frame: tuple[int, int, int, int] | None = None
) -> str:
    """A drawing whose cells are all of one kind."""
    cells = [cell(i, j, value, kind) for (i, j), value in np.ndenumerate(values)]
    return panel(name, title, values, cells, frame)


def plain(value: float) -> str:
    """A number as a field holds it."""
    return repr(float(value)).removesuffix(".0")


def written(array: NDArray) -> str:
    """Numbers as a reader types them: a line for each row."""
    return "\n".join(" ".join(map(plain, row)) for row in np.atleast_2d(array))


def lines(array: NDArray) -> dict[str, int]:
    """How large the field for an array is."""
    return {} if array.ndim == 1 else {"rows": len(array) + 1, "cols": 4 * array.shape[1]}


def sliders(words: Mapping[str, str], flat: bool) -> str:
    """What moves a window over a picture, or along a row."""
    place = field("column", words["label_place" if flat else "label_column"], "0", "range", min=0, max=0)
    return place if flat else field("row", words["label_row"], "0", "range", min=0, max=0) + place
