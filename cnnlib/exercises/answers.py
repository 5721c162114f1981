"""Reading what a student wrote: plain data, or a sentence that says what is wrong with it.

Nothing here asks the student's object anything: types are compared exactly, so that an object that calls
itself equal to everything is "of type Sly" and not right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlib.exercises.wording import say

#: Whole numbers with more digits than this are refused.
DIGITS = 15
#: Arrays with more axes than this are refused.
AXES = 8

_WHOLE = (int, *(np.dtype(code).type for code in "bhilqBHILQ"))
_REAL = (float, *(np.dtype(code).type for code in "efdg"))
_BOOL = (bool, np.bool_)


class FormError(Exception):
    """An answer that is not of the kind asked for; the message says what it is."""


class EmptyAnswer(FormError):
    """An answer that is still the ``...`` of the released notebook."""

    def __init__(self) -> None:
        super().__init__(say("empty"))


def _reject_common(value: Any) -> None:
    kind = type(value)
    if kind is type(...):
        raise EmptyAnswer
    if value is None:
        raise FormError(say("none"))
    if kind in _BOOL:
        raise FormError(say("bool", value=bool(value)))


def _type_name(value: Any) -> str:
    return type.__dict__["__name__"].__get__(type(value))[:40]  # past what a metaclass may say


@dataclass(frozen=True)
class Number:
    """One number."""

    def read(self, value: Any) -> int | float:
        """Return an int or a finite float.

        >>> Number().read(np.int64(28)), Number().read(27.5)
        (28, 27.5)
        >>> Number().read("28")
        Traceback (most recent call last):
            ...
        cnnlib.exercises.answers.FormError: your answer is text. Write the number without quotation marks.
        """
        _reject_common(value)
        kind = type(value)
        if kind is np.ndarray and value.shape == () and value.dtype.kind in "iuf":
            return self.read(value[()])
        if kind in _WHOLE:
            number = int(value)
            if abs(number) >= 10**DIGITS:
                raise FormError(say("huge", digits=DIGITS))
            return number
        if kind in _REAL:
            return self._read_float(float(value))
        if kind is str or kind is np.str_:
            raise FormError(say("text-number"))
        if kind in (list, tuple, set, dict, np.ndarray):
            raise FormError(say("sequence-for-number", type=_type_name(value)))
        raise FormError(say("type-number", type=_type_name(value)))

    @staticmethod
    def _read_float(number: float) -> int | float:
        if not math.isfinite(number):
            raise FormError(say("nan", value=number))
        if abs(number) >= 10**DIGITS:
            raise FormError(say("huge", digits=DIGITS))
        return int(number) if number.is_integer() else number

    @staticmethod
    def same(first: Any, second: Any) -> bool:
        """Compare two read numbers: whole ones exactly, fractions to two decimals.

        >>> Number.same(54.25, 54.2537), Number.same(54, 54.004)
        (True, False)
        """
        if type(first) is int or type(second) is int:
            return type(first) is type(second) and first == second
        return bool(abs(first - second) < 0.01)


@dataclass(frozen=True)
class Shape:
    """Whole numbers in a given order, named by ``axes``."""

    axes: tuple[str, ...]

    def read(self, value: Any) -> tuple[int, ...]:
        """Return a tuple of ints.

        >>> Shape(("height", "width", "channels")).read([28, np.int32(28), 6])
        (28, 28, 6)
        """
        _reject_common(value)
        kind, axes = type(value), ", ".join(self.axes)
        if kind in _WHOLE or kind in _REAL:
            raise FormError(say("number-for-shape", count=len(self.axes), axes=axes))
        if kind is str or kind is np.str_:
            raise FormError(say("text-shape", axes=axes))
        if kind is np.ndarray and value.ndim == 1 and value.dtype.kind in "iuf":
            value, kind = value.tolist(), list
        if kind not in (list, tuple):
            raise FormError(say("type-shape", type=_type_name(value), axes=axes))
        entries = list(value)
        if len(entries) == len(self.axes) + 1 and (entries[0] is None or type(entries[0]) is int):
            raise FormError(say("batch", given=len(entries), axes=axes))
        if len(entries) != len(self.axes):
            raise FormError(say("length", given=len(entries), count=len(self.axes), axes=axes))
        return tuple(self._read_entry(entry) for entry in entries)

    @staticmethod
    def _read_entry(entry: Any) -> int:
        number = Number().read(entry)
        if type(number) is not int or number < 0:
            raise FormError(say("fraction-in-shape", value=number))
        return number

    @staticmethod
    def same(first: Any, second: Any) -> bool:
        """Compare two read shapes."""
        return bool(first == second)


@dataclass(frozen=True)
class Array:
    """Numbers along ``ndim`` axes; None allows any."""

    ndim: int | None = None

    def read(self, value: Any) -> NDArray[np.float64]:
        """Return a float64 array that shares nothing with the answer.

        >>> Array(1).read([1, 2.5])
        array([1. , 2.5])
        """
        _reject_common(value)
        kind = type(value)
        if kind is str or kind is np.str_:
            raise FormError(say("text-array"))
        if kind is np.ndarray and value.dtype.kind in "iuf":
            array = np.array(value, dtype=np.float64)
        elif kind in (list, tuple):
            array = _rectangular(value)
        else:
            raise FormError(say("type-array", type=_type_name(value)))
        if self.ndim is not None and array.ndim != self.ndim:
            given = "1 axis" if array.ndim == 1 else f"{array.ndim} axes"
            raise FormError(say("axes", given=given, shape=array.shape, count=self.ndim))
        for number in array.ravel()[~np.isfinite(array.ravel())][:1]:
            raise FormError(say("nan", value=number))
        return array

    @staticmethod
    def same(first: Any, second: Any) -> bool:
        """Compare two read arrays, to within rounding in float32."""
        return first.shape == second.shape and bool(np.allclose(first, second, rtol=1e-5, atol=1e-5))


def _rectangular(value: Any, depth: int = 0) -> NDArray[np.float64]:
    """An array from nested lists and tuples of plain numbers (or of arrays)."""
    if depth > AXES:  # a list may even hold itself
        raise FormError(say("deep", count=AXES))
    if type(value) is np.ndarray and value.dtype.kind in "iuf":
        return np.array(value, dtype=np.float64)
    if type(value) not in (list, tuple):
        return np.array(float(Number().read(value)))
    rows = [_rectangular(entry, depth + 1) for entry in value]
    if len({row.shape for row in rows}) > 1:
        raise FormError(say("ragged"))
    return np.array(rows, dtype=np.float64)


@dataclass(frozen=True)
class Sentence:
    """One of several sentences."""

    def read(self, value: Any) -> str:
        """Return the sentence.

        >>> Sentence().read("a kernel")
        'a kernel'
        """
        _reject_common(value)
        if type(value) not in (str, np.str_):
            raise FormError(say("type-sentence", type=_type_name(value)))
        return str(value)

    @staticmethod
    def same(first: Any, second: Any) -> bool:
        """Compare two sentences."""
        return bool(first == second)


#: Any of them.
Form = Number | Shape | Array | Sentence


def brief(value: Any, limit: int = 60) -> str:
    """Write a read answer in a sentence, shortened.

    >>> brief((28, 28, 6)), brief(np.array([1.0, 2.5]))
    ('(28, 28, 6)', '[1, 2.5]')
    """
    if isinstance(value, np.ndarray):
        if value.size > 12:
            return f"an array of shape {value.shape}"
        text = str(plain(value))
    else:
        text = str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def plain(value: Any) -> Any:
    """A read answer as lists and numbers, whole ones without a point.

    >>> plain(np.array([[1.0, 2.5]])), plain((28, 28, 6))
    ([[1, 2.5]], (28, 28, 6))
    """
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
