"""Pooling before and after a shift, as it is printed: the numbers are those that it was given, and fit."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex

from cnnlib.errors import ShapeError, SizeError
from cnnlib.plots import style
from cnnlib.plots.pieces import number
from cnnlib.plots.shift_and_pool import WORDS, shift_and_pool

INPUTS, MOVED = np.array([[3.0, 1, 4, 1]]), np.array([[0.0, 3, 1, 4]])
OUTPUTS, OTHERS, GRADIENT = np.array([[3.0, 4]]), np.array([[3.0, 5]]), np.array([[1.0, 0, 1, 0]])


def test_it_shows_what_it_was_given_and_what_changed() -> None:
    figure = shift_and_pool(INPUTS, OUTPUTS, MOVED, OTHERS, GRADIENT, (0, 2, 1, 2), (0, 1))
    assert figure.get_size_inches()[0] <= style.WIDTH + 1e-9
    (axes,) = figure.axes
    shown = sorted(text.get_text() for text in axes.texts)
    values = np.concatenate([INPUTS, OUTPUTS, MOVED, OTHERS, GRADIENT], axis=None)
    assert shown == sorted([*WORDS.values(), *(number(float(value)) for value in values)])
    paper = to_hex(style.COLOURS["paper"])
    white = [patch for patch in axes.patches if patch.get_fill() and to_hex(patch.get_facecolor()) == paper]
    assert len(white) == (OUTPUTS != OTHERS).sum()


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(ShapeError, match="must have one shape"):
        shift_and_pool(INPUTS, OUTPUTS, MOVED[:, 1:], OTHERS, GRADIENT, (0, 0, 1, 2), (0, 0))
    with pytest.raises(SizeError, match="does not lie inside outputs"):
        shift_and_pool(INPUTS, OUTPUTS, MOVED, OTHERS, GRADIENT, (0, 0, 1, 2), (0, 2))
