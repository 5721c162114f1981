"""Pooling against its loop twin, window by window, and the properties of maxima and means."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cnnlib import pooling, threads
from cnnlib.algorithms import max_pool_backward_loops, pool_loops
from cnnlib.errors import DtypeError, ShapeError, SizeError
from cnnlib.padding import amounts_for, pad, pad_backward
from cnnlib.pooling import (
    average_pool,
    average_pool_backward,
    global_average_pool,
    global_average_pool_backward,
    global_max_pool,
    global_max_pool_backward,
    l2_pool,
    l2_pool_backward,
    max_pool,
    max_pool_backward,
    max_pool_switches,
)


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
def test_length_equals_its_loop_twin(problem):
    inputs, pool_size, strides, padding, amounts = problem
    outputs = l2_pool(inputs, pool_size, strides, padding)
    assert outputs.dtype == inputs.dtype
    expected = pool_loops(pad(inputs, amounts), pool_size, strides, lambda window: np.sqrt((window**2).sum()))
    np.testing.assert_allclose(outputs, expected, rtol=3 * np.finfo(inputs.dtype).eps)


def slopes_like(outputs, whole=True):
    random = np.random.default_rng(outputs.size)
    values = random.integers(-9, 10, outputs.shape) if whole else random.normal(size=outputs.shape)
    return values.astype(outputs.dtype)


@given(problems())
def test_backward_of_the_maximum_equals_its_loop_twin_ties_included(problem):
    inputs, pool_size, strides, padding, amounts = problem
    outputs = max_pool(inputs, pool_size, strides, padding)
    gradient = slopes_like(outputs)
    expected = max_pool_backward_loops(gradient, pad(inputs, amounts, value=-np.inf), pool_size, strides)
    expected = pad_backward(expected, amounts)  # nothing lies there: padding never wins
    for given_outputs in (None, outputs):
        found = max_pool_backward(gradient, inputs, pool_size, strides, padding, outputs=given_outputs)
        assert found.dtype == inputs.dtype
        np.testing.assert_array_equal(found, expected)
    assert found.sum() == gradient.sum()


@given(problems())
def test_switches_say_where_the_first_largest_value_was(problem):
    inputs, *arguments, _ = problem
    outputs, switches = max_pool_switches(inputs, *arguments)
    np.testing.assert_array_equal(outputs, max_pool(inputs, *arguments))
    assert switches.dtype == np.int64
    maps = inputs.reshape(2, -1, 2)
    found = np.take_along_axis(maps, switches.reshape(2, -1, 2), axis=1)
    np.testing.assert_array_equal(found.reshape(outputs.shape), outputs)
    # The backward pass of ones counts how often each place has won; so do the switches.
    wins = np.zeros(maps.shape)
    for item, _, channel in np.ndindex(2, 1, 2):
        np.add.at(wins[item, :, channel], switches.reshape(2, -1, 2)[item, :, channel], 1)
    expected = max_pool_backward(np.ones_like(outputs), inputs, *arguments)
    np.testing.assert_array_equal(wins.reshape(inputs.shape), expected)


@given(problems())
def test_backward_of_the_mean_is_its_transpose(problem):
    """<pool(x), g> = <x, backward(g)> for every x and g; the mean is linear, so that this is all of it."""
    inputs, *arguments, _ = problem
    outputs = average_pool(inputs, *arguments)
    gradient = slopes_like(outputs)
    found = average_pool_backward(gradient, inputs, *arguments)
    assert found.dtype == inputs.dtype
    np.testing.assert_allclose((outputs * gradient).sum(), (inputs * found).sum(), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found.sum(), gradient.sum(), rtol=1e-4, atol=1e-3)  # shares add up


@given(problems())
def test_slopes_by_differences(check_gradients, problem):
    inputs, pool_size, strides, padding, _ = problem
    apart = np.random.default_rng(inputs.size).permutation(inputs.size).reshape(inputs.shape) / inputs.size
    options = {"pool_size": pool_size, "strides": strides, "padding": padding}
    check_gradients(average_pool, average_pool_backward, {"inputs": apart}, **options)
    small = 0.1 / inputs.size  # no two values change places
    check_gradients(max_pool, max_pool_backward, {"inputs": apart}, step=small / 4, **options)
    check_gradients(l2_pool, l2_pool_backward, {"inputs": apart + 0.5}, step=1e-5, **options)


@settings(max_examples=settings.default.max_examples // 2)
@given(problems(), st.integers(1, 3000), st.sampled_from([0, 1 << 20]))
def test_blocks_and_threads_change_no_bit(problem, block_bytes, short_piece):
    """However the work is cut and shared out, and whichever way rows are combined."""
    inputs, *arguments, _ = problem
    gradient = slopes_like(max_pool(inputs, *arguments), whole=False)

    def everything():
        return [
            max_pool(inputs, *arguments),
            max_pool_backward(gradient, inputs, *arguments),
            *max_pool_switches(inputs, *arguments),
            average_pool(inputs, *arguments),
            average_pool_backward(gradient, inputs, *arguments),
            l2_pool(inputs, *arguments),
            l2_pool_backward(gradient, inputs, *arguments),
        ]

    expected = everything()
    with pytest.MonkeyPatch.context() as patch, threads.using(2):
        patch.setattr(pooling, "SHORT_PIECE", short_piece)
        for found, whole in zip(everything(), expected, strict=True):
            np.testing.assert_array_equal(found, whole)
        patch.setattr(pooling, "BLOCK_BYTES", block_bytes)
        for found, whole in zip(everything(), expected, strict=True):
            np.testing.assert_allclose(found, whole, rtol=1e-5, atol=1e-5)  # sums in another order
        np.testing.assert_array_equal(everything()[0], expected[0])


def test_memory_stays_near_that_of_the_result():
    inputs = np.ones((1, 512, 512, 16), np.float32)  # 16 MiB
    outputs = max_pool(inputs, 2)
    for run, result in (
        (lambda: max_pool(inputs, 2), outputs.nbytes),
        (lambda: average_pool(inputs, 3, 1, "same"), inputs.nbytes),
        (lambda: max_pool_backward(outputs, inputs, 2, outputs=outputs), inputs.nbytes),
        (lambda: average_pool_backward(outputs, inputs, 2), inputs.nbytes + outputs.nbytes),
    ):
        tracemalloc.start()
        run()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < result + 4 * pooling.BLOCK_BYTES


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


def test_missing_and_infinite_values_backwards():
    def row(*values):
        return np.array(values, np.float32).reshape(1, -1, 1)

    ones = row(1, 1)
    np.testing.assert_array_equal(max_pool_backward(ones, row(np.nan, 2, 3, 1), 2), row(0, 0, 1, 0))
    bottom = row(-np.inf, -np.inf, np.inf, 1)
    np.testing.assert_array_equal(max_pool_backward(ones, bottom, 2), row(1, 0, 1, 0))
    np.testing.assert_array_equal(max_pool_backward(row(1), row(-np.inf), 3, padding="same"), row(1))
    outputs, switches = max_pool_switches(row(2, np.nan, np.nan, 1, -np.inf, -np.inf), 3)
    np.testing.assert_array_equal(outputs, row(np.nan, 1))
    assert switches.ravel().tolist() == [1, 3]
    np.testing.assert_array_equal(l2_pool_backward(ones, row(0, 0, 3, 4), 2), row(0, 0, 0.6, 0.8))


def test_global_slopes(check_gradients, rng):
    for rank in (1, 2, 3):
        shape = (2, *range(3, 3 + rank), 4)
        inputs = rng.permutation(np.prod(shape)).reshape(shape) / 10
        check_gradients(global_average_pool, global_average_pool_backward, {"inputs": inputs})
        check_gradients(global_max_pool, global_max_pool_backward, {"inputs": inputs}, step=0.01)
    ties = np.array([3.0, 1, 3, 3, 0]).reshape(1, 5, 1)
    for outputs in (None, [[3.0]]):
        slopes = global_max_pool_backward([[6.0]], ties, outputs=outputs)
        assert slopes.ravel().tolist() == [2, 0, 2, 2, 0]
    assert not global_max_pool_backward([[6.0]], ties * np.nan).any()


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


ONES = np.ones((1, 4, 4, 3))
HALF = np.ones((1, 2, 2, 3))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: max_pool_backward(ONES, ONES, 2), ShapeError, "(1, 4, 4, 3) … (1, 2, 2, 3)"),
        (
            lambda: max_pool_backward(HALF, ONES, 2, outputs=ONES),
            ShapeError,
            "outputs have shape (1, 4, 4, 3)",
        ),
        (lambda: max_pool_backward(HALF, ONES, 5), SizeError, "kernel 5 does not fit into input 4"),
        (lambda: max_pool_backward(HALF, ONES[0, 0], 2), ShapeError, "(4, 3) cannot be pooled"),
        (lambda: max_pool_backward(HALF * 1j, ONES, 2), DtypeError, "gradient has dtype complex128"),
        (lambda: max_pool_switches(ONES, 2, padding=2), SizeError, "(2, 2) leaves a window of 2 without any"),
        (lambda: average_pool_backward(HALF[..., :1], ONES, 2), ShapeError, "(1, 2, 2, 1)"),
        (lambda: l2_pool(ONES, 0), SizeError, "not 0"),
        (lambda: l2_pool_backward(HALF, ONES, 3), ShapeError, "(1, 2, 2, 3) … (1, 1, 1, 3)"),
        (lambda: global_max_pool_backward(np.ones((1, 2)), ONES), ShapeError, "(1, 2) … (1, 3)"),
        (lambda: global_max_pool_backward([[1.0] * 3], ONES, outputs=[1.0]), ShapeError, "(1,) … (1, 3)"),
        (lambda: global_average_pool_backward(np.ones(3), ONES), ShapeError, "(3,) … (1, 3)"),
    ],
)
def test_bad_input_is_answered_in_one_line(call, error, words, says):
    with pytest.raises(error) as caught:
        call()
    says(caught, words)


@pytest.mark.keras
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_keras_breaks_ties_alike(padding, rng):
    """Few different values, most of them equal: the first takes all in a window, all share in a map."""
    from cnnlib.keras_bridge import keras
    from cnnlib.keras_bridge.backend import tensorflow

    tf = tensorflow()
    inputs = rng.integers(0, 2, (3, 7, 8, 4)).astype(np.float32)
    for layer, backward, arguments in (
        (keras().layers.MaxPooling2D(3, 2, padding), max_pool_backward, (3, 2, padding)),
        (keras().layers.AveragePooling2D(3, 2, padding), average_pool_backward, (3, 2, padding)),
        (keras().layers.GlobalMaxPooling2D(), global_max_pool_backward, ()),
    ):
        with tf.GradientTape() as tape:
            tensor = tf.constant(inputs)
            tape.watch(tensor)
            outputs = layer(tensor)
        gradient = slopes_like(np.asarray(outputs))
        theirs = np.asarray(tape.gradient(outputs, tensor, tf.constant(gradient)))
        np.testing.assert_allclose(backward(gradient, inputs, *arguments), theirs, rtol=1e-5, atol=1e-5)
