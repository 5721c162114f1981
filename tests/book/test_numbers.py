"""A value is found however it is written, and not where something else is written."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from book.numbers import find, flatten, mask, plain, stands_in

WRITTEN = [
    (5, "There are 5 places"),
    (5, "There are five places"),
    (5, "$O = 5$"),
    (5, "`5`"),
    (-3, "it is −3"),
    (-3, "it is $-3$"),
    (-3, "[2, -3]"),
    (2061616, "2,061,616 values"),
    (2061616, "$2{,}061{,}616$"),
    (2061616, r"$2\,061\,616$"),
    (2061616, "2061616"),
    (2061616, "2.06 million"),
    (2061616, "2.1 million"),
    (np.int64(28), "28 rows"),
    ((28, 28), "28×28 pixels"),
    ((28, 28), "28x28 pixels"),
    ((28, 28), r"$28 \times 28$"),
    ((28, 28), r"$28\times28$"),
    ((28, 28), "28 by 28"),
    ((1, 1916, 1076, 1), "`(1, 1916, 1076, 1)`"),
    ((None, 28, 28, 6), "(None, 28, 28, 6)"),
    (np.array([2.0, 5.0, 3.0]), r"$[2\ 5\ 3]$"),
    (np.array([2.0, 5.0, 3.0]), "2, 5 and 3"),
    (np.array([[1, 2], [3, 4]]), r"$\begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}$".replace("bmatrix", "b")),
    (1 / 3, "0.33"),
    (1 / 3, "1/3"),
    (Fraction(1, 3), "1/3"),
    (0.25, "25 %"),
    (0.25, "25%"),
    (0.25, r"$25\,\%$"),
    (0.3333, "33.3 %"),
    (1.19e-7, r"$1.2 \times 10^{-7}$"),
    (1.19e-7, "1.2e-7"),
    (8.97, "9.0 times"),
    ("same", "the padding `same`"),
]

NOT_WRITTEN = [
    (5, "There are 15 places"),
    (5, "There are 5.5 places"),
    (5, "Conv5 and x5"),
    (5, "VGG-5"),
    (3, "it is −3"),
    (-3, "5 - 3"),
    (28, "28.4"),
    ((28, 28), "28×28×6"),
    ((28, 28, 6), "28×28×8"),
    ((28, 28), "28 rows and, on the other hand, as many as 28 columns"),
    (1 / 3, "0.34"),
    (1 / 3, "0.3334"),
    (0.25, "25"),
    (0.004, "0.0"),
    (2061616, "2.07 million"),
    (2061616, "2,061,61"),
    ("same", "the samehood"),
]


@pytest.mark.parametrize(("value", "text"), WRITTEN)
def test_a_value_is_found_in_each_spelling(value: Any, text: str) -> None:
    assert stands_in(value, mask(plain(text)))


@pytest.mark.parametrize(("value", "text"), NOT_WRITTEN)
def test_a_value_is_not_found_where_something_else_is_written(value: Any, text: str) -> None:
    assert not stands_in(value, mask(plain(text)))


@given(st.integers(-(10**12), 10**12))
def test_every_whole_number_is_found_with_and_without_commas(number: int) -> None:
    assert stands_in(number, f"it is {number}, really")
    assert stands_in(number, f"it is {number:,}, really")
    assert not stands_in(number + 1, f"it is {number}, really")


@given(st.floats(0.01, 1e6), st.integers(1, 5))
def test_a_decimal_is_found_as_far_as_it_is_typed(value: float, decimals: int) -> None:
    typed = f"{value:.{decimals}f}"
    if float(typed) > 0:
        assert stands_in(value, f"about {typed} times")
    assert not stands_in(value + 2 * 10**-decimals, f"about {typed} times")


@given(st.lists(st.integers(0, 9999), min_size=2, max_size=5))
def test_every_shape_is_found_as_a_tuple_and_with_times(shape: list[int]) -> None:
    assert stands_in(tuple(shape), f"`{tuple(shape)}`")
    assert stands_in(tuple(shape), "×".join(map(str, shape)))
    assert not stands_in((*shape, 1), "×".join(map(str, shape)))


@pytest.mark.parametrize(
    "text",
    [
        "chapter 12",
        "Chapters 10, 11 and 12",
        "figure 12",
        "see {ref}`figure-12`",
        "[text](page-12.md)",
        "![alt](picture.png){width=300px}",
        "<https://example.org/12>",
        "10. an item",
        "VGG-16",
        "AlexNet in 2012",
        "Python 3.11",
        "$x_{10}$",
        "a 10-d vector",
    ],
)
def test_names_and_places_are_no_numbers(text: str) -> None:
    assert [number.text for number in find(mask(plain(text))) if len(number.text) > 1] == []


@pytest.mark.parametrize("value", ["text", {"a": 1}, object(), True])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="neither a number nor"):
        flatten(value)
