"""Random-looking numbers that are the same on every machine, Python and NumPy, for ever.

Inputs of tests, and later each student's own numbers, are drawn from a text (the *seed*) by SHAKE-256;
NumPy's and Python's own generators do not promise the same stream from version to version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


class Dice:
    """A stream of draws that depends on the seed alone.

    >>> dice = Dice("an example")
    >>> [dice.roll(1, 6) for _ in range(8)]
    [4, 1, 4, 2, 4, 4, 3, 4]
    """

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self._draws = 0

    def roll(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        return low + self._next(1)[0] % (high - low + 1)

    def pick(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.roll(0, len(options) - 1)]

    def halves(self, shape: Sequence[int], low: int = -9, high: int = 9) -> NDArray[np.float64]:
        """Multiples of ½ from ``low``/2 to ``high``/2: sums of their products are exact in floats."""
        count = int(np.prod(shape))
        draws = [low + draw % (high - low + 1) for draw in self._next(count)]
        return np.array(draws, dtype=np.float64).reshape(shape) / 2

    def _next(self, count: int) -> list[int]:
        """``count`` whole numbers of 64 bits (so that a remainder is as good as even)."""
        self._draws += 1
        stream = hashlib.shake_256(f"{self.seed}/{self._draws}".encode()).digest(8 * count)
        return [int.from_bytes(stream[at : at + 8], "big") for at in range(0, len(stream), 8)]
