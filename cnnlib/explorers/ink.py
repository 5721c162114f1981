"""Drawings of a pen on a small grid: as letters of a link, and as MNIST would show them.

``network_looking.js`` does the same, step by step.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: The side of the grid, and of the box that a digit of MNIST fits into.
SIDE, BOX = 28, 20
#: The greys of a drawing, besides none.
LEVELS = 15


def as_levels(greys: NDArray) -> NDArray[np.int64]:
    """Greys from 0 to 1 as the pen knows them, 0 to 15; what is not black stays so.

    >>> as_levels(np.array([0, 0.01, 0.5, 1]))
    array([ 0,  1,  8, 15])
    """
    return np.maximum(np.floor(greys * LEVELS + 0.5), greys > 0).astype(np.int64)


def packed(levels: NDArray[np.int64]) -> str:
    """A drawing as text: a letter for a cell with ink, a capital for two, a number for cells without.

    >>> packed(np.array([[0, 0, 15], [1, 1, 1], [0, 0, 0]]))
    '2oAa'
    """
    text = ""
    for level, run in itertools.groupby(levels.ravel().tolist()):
        count, letter = len(list(run)), chr(ord("a") + level - 1)
        text += letter.upper() * (count // 2) + letter * (count % 2) if level else str(count)
    return text.rstrip("0123456789")


class Fitted(NamedTuple):
    """A drawing as the network gets it, and how many times larger it has become."""

    greys: NDArray[np.float64]
    scale: float


def _overlap(n: int, m: int) -> NDArray[np.float64]:
    """How much each of m equal parts of n cells takes of each cell, (m, n): each row sums to 1."""
    part, cell = np.arange(m)[:, None], np.arange(n)
    shared = np.minimum((part + 1) * n / m, cell + 1) - np.maximum(part * n / m, cell)
    return np.clip(shared, 0, None) * m / n


def fitted(greys: NDArray[np.float64]) -> Fitted:
    """A drawing as the digits of MNIST were made (LeCun and others, 1998).

    What is drawn is scaled to a box of 20 × 20 cells, keeping its proportions, each new cell the mean of what
    it covers. Then it is moved by whole cells until its centre of mass lies at cell (14, 14) of the 28 × 28.

    >>> small = np.zeros((28, 28)); small[2:12, 3:5] = 1
    >>> found = fitted(small)
    >>> found.scale, [(int(a.min()), int(a.max())) for a in found.greys.nonzero()]
    (2.0, [(5, 24), (13, 16)])
    """
    rows, columns = (np.flatnonzero(greys.any(axis)) for axis in (1, 0))
    if not rows.size:
        return Fitted(greys, 1.0)
    box = greys[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(box.shape)
    sizes = [max(1, int(np.floor(n * scale + 0.5))) for n in box.shape]
    down, across = (_overlap(n, m) for n, m in zip(box.shape, sizes, strict=True))
    small = down @ box @ across.T
    mass, places = small.sum(), []
    for axis, m in enumerate(sizes):
        centre = (small.sum(1 - axis) * np.arange(m)).sum() / mass
        # What lies half-way between two cells, but for rounding, goes the same way everywhere.
        places.append(min(max(int(np.floor(SIDE / 2 - centre + 0.5 + 1e-9)), 0), SIDE - m))
    whole = np.zeros((SIDE, SIDE))
    whole[places[0] : places[0] + sizes[0], places[1] : places[1] + sizes[1]] = small
    return Fitted(whole, scale)
