"""Pooling against its loop twin, window by window, and the properties of maxima and means."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import assume, given
from hypothesis import strategies as st

from cnnlib.algorithms import pool_loops
from cnnlib.padding import amounts_for, pad
from cnnlib.pooling import average_pool, global_average_pool, global_max_pool, max_pool


@st.composite
def problems(draw):
    rank = draw(st.integers(1, 4))
    pool_size = draw(st.tuples(*[st.integers(1, 3)] * rank))
    strides = draw(st.one_of(st.none(), st.tuples(*[st.integers(1, 4)] * rank)))
    padding = draw(
        st.one_of(
            st.sampled_from(["valid", "same", "full", "causal"]),
            st.tuples(*[st.tuples(st.integers(0, k - 1), st.integers(0, k - 1)) for k in pool_size]),
        )
    )
    spatial = draw(st.tuples(*[st.integers(1, 8 if rank < 3 else 4)] * rank))
    amounts = amounts_for(spatial, pool_size, strides or pool_size, padding)
    assume(all(n + sum(p) >= k for n, p, k in zip(spatial, amounts, pool_size, strict=True)))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    # Few different values, so that ties are common.
    inputs = random.integers(-3, 4, (2, *spatial, 2)).astype(draw(st.sampled_from([np.float32, np.float64])))
    return inputs, pool_size, strides, padding, amounts


@given(problems())
def test_maximum_equals_its_loop_twin(problem):
    inputs, pool_size, strides, padding, amounts = problem
    outputs = max_pool(inputs, pool_size, strides, padding)
    assert outputs.dtype == inputs.dtype
    np.testing.assert_array_equal(
        outputs, pool_loops(pad(inputs, amounts, value=-np.inf), pool_size, strides, np.max)
    )
    assert np.isfinite(outputs).all()  # padding never wins


@given(problems())
def test_mean_equals_its_loop_twin_over_what_is_inside(problem):
    inputs, pool_size, strides, padding, amounts = problem
    outputs = average_pool(inputs, pool_size, strides, padding)
    assert outputs.dtype == inputs.dtype
    expected = pool_loops(pad(inputs, amounts, value=np.nan), pool_size, strides, np.nanmean)
    np.testing.assert_allclose(outputs, expected, rtol=3 * np.finfo(inputs.dtype).eps, atol=1e-6)


@given(problems())
def test_between_least_and_largest_and_never_beyond_the_maximum(problem):
    inputs, *arguments, _ = problem
    highest, mean = max_pool(inputs, *arguments), average_pool(inputs, *arguments)
    lowest = -max_pool(-inputs, *arguments)
    slack = 1e-5
    assert (lowest - slack <= mean).all()
    assert (mean <= highest + slack).all()
    assert np.isin(highest, inputs).all()  # a maximum is one of the inputs


@given(problems(), st.integers(1, 4), st.integers(-9, 9))
def test_maximum_commutes_with_what_rises_and_mean_with_what_is_linear(problem, slope, shift):
    inputs, *arguments, _ = problem
    moved = slope * inputs + shift
    np.testing.assert_array_equal(max_pool(moved, *arguments), slope * max_pool(inputs, *arguments) + shift)
    np.testing.assert_array_equal(max_pool(np.exp(inputs), *arguments), np.exp(max_pool(inputs, *arguments)))
    np.testing.assert_allclose(
        average_pool(moved, *arguments), slope * average_pool(inputs, *arguments) + shift, atol=1e-4
    )


@given(problems())
def test_channels_and_images_do_not_mix(problem):
    inputs, *arguments, _ = problem
    for pool in (max_pool, average_pool):
        outputs = pool(inputs, *arguments)
        for item in range(2):
            for channel in range(2):
                alone = pool(inputs[item : item + 1, ..., channel : channel + 1], *arguments)
                np.testing.assert_array_equal(outputs[item : item + 1, ..., channel : channel + 1], alone)


def test_overlapping_maximum_equals_scipys(rng):
    image = rng.normal(size=(13, 17))
    expected = scipy.ndimage.maximum_filter(image, size=3, mode="constant", cval=-np.inf)
    np.testing.assert_array_equal(max_pool(image[None, ..., None], 3, 1, "same")[0, ..., 0], expected)
    np.testing.assert_array_equal(max_pool(image[None, ..., None], 3, 2)[0, ..., 0], expected[1:-1:2, 1:-1:2])


def test_two_small_maxima_are_one_larger():
    """3x3 at stride 1 twice sees what 5x5 sees once; means do not nest so."""
    inputs = np.random.default_rng(3).normal(size=(1, 9, 9, 1))
    np.testing.assert_array_equal(max_pool(max_pool(inputs, 3, 1), 3, 1), max_pool(inputs, 5, 1))
    assert not np.allclose(average_pool(average_pool(inputs, 3, 1), 3, 1), average_pool(inputs, 5, 1))


def test_strides_unless_told_are_the_pool_size():
    inputs = np.arange(24.0).reshape(1, 4, 6, 1)
    np.testing.assert_array_equal(max_pool(inputs, (2, 3)), max_pool(inputs, (2, 3), (2, 3)))
    assert max_pool(inputs, (2, 3)).shape == (1, 2, 2, 1)


def test_a_small_shift_leaves_the_maximum_and_moves_the_place():
    """Pooling forgets where in the window: a spike may move inside it unseen, and no further."""
    spike = np.zeros((1, 8, 1))
    spike[0, 2] = 1
    moved = np.roll(spike, 1, axis=1)
    np.testing.assert_array_equal(max_pool(spike, 2), max_pool(moved, 2))
    assert not np.array_equal(max_pool(spike, 2), max_pool(np.roll(spike, 2, axis=1), 2))


def test_ties_missing_and_infinite_values():
    def row(*values):
        return np.array(values, np.float32).reshape(1, -1, 1)

    np.testing.assert_array_equal(max_pool(row(2, 2, -1, -1), 2), row(2, -1))
    np.testing.assert_array_equal(max_pool(row(np.nan, 2, 3, 1), 2), row(np.nan, 3))
    np.testing.assert_array_equal(max_pool(row(2, np.nan, 3, 1), 2), row(np.nan, 3))
    np.testing.assert_array_equal(max_pool(row(-np.inf, -np.inf, np.inf, 1), 2), row(-np.inf, np.inf))
    np.testing.assert_array_equal(max_pool(row(-np.inf), 2, padding="same"), row(-np.inf))
    np.testing.assert_array_equal(average_pool(row(np.nan, 2, 3, 1), 2), row(np.nan, 2))
    np.testing.assert_array_equal(average_pool(row(-np.inf, 2, np.inf, 1), 2), row(-np.inf, np.inf))


def test_whole_numbers_are_promoted_and_do_not_overflow():
    white = np.full((1, 4, 4, 1), 255, np.uint8)
    assert max_pool(white, 2).dtype == average_pool(white, 2).dtype == np.float32
    np.testing.assert_array_equal(average_pool(white, 4), 255)
    np.testing.assert_array_equal(global_average_pool(white), 255)


def test_global_pooling_is_pooling_by_the_whole_map(rng):
    inputs = rng.normal(size=(3, 5, 4, 2))
    np.testing.assert_array_equal(global_max_pool(inputs), max_pool(inputs, (5, 4))[:, 0, 0])
    np.testing.assert_allclose(global_average_pool(inputs), average_pool(inputs, (5, 4))[:, 0, 0], rtol=1e-13)


@pytest.mark.parametrize("pool", [max_pool, average_pool])
def test_no_images_and_read_only_inputs(pool):
    assert pool(np.empty((0, 4, 4, 3)), 2).shape == (0, 2, 2, 3)
    inputs = np.ones((1, 4, 4, 3))[:, ::-1]
    inputs.setflags(write=False)
    outputs = pool(inputs, 1)
    outputs[...] = 0  # a copy, even where the window is a single element
    assert inputs.all()
