"""Small questions on pixels in a row are answered as NumPy, counting by itself, answers them."""

from __future__ import annotations

import numpy as np
import pytest

from cnnlib.exercises import Task, draw

each = pytest.mark.parametrize("seed", [f"peer {number}" for number in range(8)])


@each
def test_neighbours_on_the_tape(seed):
    task = draw("tape_distance", seed)
    height, width, down, right = task.given.values()
    tape = np.arange(height * width).reshape(height, width)
    assert task.answer == tape[down, right] - tape[0, 0]
    assert task.answer == Task("tape_distance", height=height + 3, width=width, down=down, right=right).answer


@each
def test_a_bar_that_moves(seed):
    task = draw("moved_bar", seed)
    height, width, bar, moved = task.given.values()
    row = np.array([0] + [1] * bar + [0] * (width - bar - 1))
    assert task.answer == height * (row != np.roll(row, moved)).sum()


@each
@pytest.mark.parametrize("grows", [False, True])
def test_the_price_of_more_pixels(seed, grows):
    task = draw("dense_growth", seed, grows=grows)
    assert task.answer == task.given["factor"] ** (4 if grows else 2)


@each
def test_a_pixel_is_found_by_its_index(seed):
    task = draw("pixel_index", seed)
    picture = np.zeros((task.given["height"], task.given["width"]))
    picture[task.answer] = 1
    assert (picture.any(axis=1)[: task.given["above"]].sum(), picture.sum(axis=0).argmax()) == (
        0,
        task.given["left"],
    )
    assert picture[task.given["above"]].any()


@each
def test_over_a_background(seed):
    task = draw("blended", seed)
    colour, background, opacity = task.given.values()
    assert task.answer == pytest.approx(np.interp(opacity, [0, 1], [background, colour]))


@each
def test_halving_until_it_fits(seed):
    task = draw("halvings", seed)
    size, kernel_size = task.given.values()
    assert size / 2**task.answer <= kernel_size < size / 2 ** (task.answer - 1)
