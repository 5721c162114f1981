"""Batch normalisation by its statistics, response normalisation by its loop twin, both by differences."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlib.algorithms import lrn_loops
from cnnlib.errors import DtypeError, ShapeError, SizeError
from cnnlib.normalization import (
    batch_normalization,
    batch_normalization_backward,
    batch_normalization_train,
    batch_normalization_train_backward,
    local_response_normalization,
    local_response_normalization_backward,
    moments,
)

SEEDS = st.integers(0, 2**32 - 1)
#: (batch, ..., channels) with nothing, a row, a picture or a volume between.
SHAPES = st.integers(0, 3).flatmap(
    lambda rank: st.tuples(
        st.integers(2, 4), *[st.integers(1, 4 if rank < 3 else 2)] * rank, st.integers(1, 5)
    )
)


def channelwise(shape, seed):
    random, channels = np.random.default_rng(seed), shape[-1]
    inputs = random.normal(size=shape) * random.uniform(0.5, 2, channels) + random.normal(size=channels)
    return inputs, random.normal(size=channels), random.normal(size=channels)


@given(SHAPES, SEEDS)
def test_a_batch_is_normalised_channel_by_channel(shape, seed):
    inputs, gamma, beta = channelwise(shape, seed)
    outputs, mean, variance = batch_normalization_train(inputs, gamma, beta)
    rows = inputs.reshape(-1, shape[-1])
    for channel, column in enumerate(rows.T):
        np.testing.assert_allclose(mean[channel], column.mean(), atol=1e-12)
        np.testing.assert_allclose(variance[channel], column.var(), atol=1e-12)
        said = gamma[channel] * (column - column.mean()) / np.sqrt(column.var() + 1e-3) + beta[channel]
        np.testing.assert_allclose(outputs.reshape(-1, shape[-1])[:, channel], said, atol=1e-10)
    given_them = batch_normalization(inputs, mean, variance, gamma, beta)
    np.testing.assert_array_equal(outputs, given_them)
    undone = batch_normalization(outputs, beta, gamma**2, np.sqrt(variance + 1e-3) * np.sign(gamma), mean, 0)
    np.testing.assert_allclose(undone, inputs, atol=1e-6)  # with these statistics it is its own inverse


def test_without_scale_and_shift_they_are_one_and_zero(rng):
    inputs = rng.normal(size=(4, 3, 2))
    plain = batch_normalization_train(inputs)[0]
    np.testing.assert_array_equal(plain, batch_normalization_train(inputs, np.ones(2), np.zeros(2))[0])
    np.testing.assert_allclose(batch_normalization_train(inputs, epsilon=0)[0].std(axis=(0, 1)), 1)


@given(SHAPES, SEEDS)
def test_slopes_of_batch_normalisation_by_differences(check_gradients, shape, seed):
    inputs, gamma, beta = channelwise(shape, seed)
    arrays = {"inputs": inputs, "gamma": gamma, "beta": beta}
    mean, variance = np.arange(shape[-1]), np.arange(shape[-1]) + 0.5
    check_gradients(
        batch_normalization,
        batch_normalization_backward,
        arrays,
        step=1e-4,
        mean=mean,
        variance=variance,
        epsilon=0.1,
    )

    def outputs(**arguments):
        return batch_normalization_train(**arguments)[0]

    check_gradients(outputs, batch_normalization_train_backward, arrays, step=1e-5, epsilon=0.5)


@given(SHAPES, SEEDS)
def test_moving_all_inputs_or_scaling_them_changes_nothing(shape, seed):
    """So the inputs' slopes sum to 0, and (without epsilon) are square to the inputs themselves."""
    inputs, gamma, beta = channelwise((shape[0] + 2, *shape[1:]), seed)
    gradient = np.random.default_rng(seed + 1).normal(size=inputs.shape)
    slopes = batch_normalization_train_backward(gradient, inputs, gamma, beta, epsilon=0).inputs
    others = tuple(range(inputs.ndim - 1))
    scale = np.abs(slopes).sum(axis=others) + 1
    assert (np.abs(slopes.sum(axis=others)) < 1e-9 * scale).all()
    assert (np.abs((slopes * inputs).sum(axis=others)) < 1e-8 * scale).all()


def test_statistics_handed_on_are_used(rng):
    inputs, gradient = rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    statistics = moments(inputs)
    expected = batch_normalization_train_backward(gradient, inputs)
    for found, anew in zip(
        batch_normalization_train_backward(gradient, inputs, statistics=statistics), expected, strict=True
    ):
        np.testing.assert_array_equal(found, anew)
    wrong = batch_normalization_train_backward(
        gradient, inputs, statistics=(statistics[0] + 1, statistics[1])
    )
    assert not np.allclose(wrong.gamma, expected.gamma)


def test_long_sums_lose_little(rng):
    """A float32 mean of a quarter of a million numbers far from 0, where adding one by one is off by 1e-2."""
    inputs = (rng.normal(size=(16, 128, 128, 2)) + 1000).astype(np.float32)
    mean, variance = moments(inputs)
    exact = inputs.astype(np.float64)
    assert mean.dtype == variance.dtype == np.float32
    np.testing.assert_allclose(mean, exact.mean(axis=(0, 1, 2)), rtol=5e-7)
    np.testing.assert_allclose(variance, exact.var(axis=(0, 1, 2)), rtol=1e-5)


@given(
    SHAPES,
    st.integers(0, 6),
    st.sampled_from([0.5, 0.75, 1.0, 0.3]),
    st.floats(0.1, 3),
    st.floats(0, 2),
    SEEDS,
)
def test_response_normalisation_equals_its_loop_twin(shape, radius, beta, bias, alpha, seed):
    inputs = np.random.default_rng(seed).normal(size=shape)
    settings = {"depth_radius": radius, "bias": bias, "beta": beta}
    expected = lrn_loops(inputs, alpha=alpha, **settings)
    np.testing.assert_allclose(
        local_response_normalization(inputs, alpha=alpha, **settings), expected, rtol=1e-12
    )
    as_caffe = local_response_normalization(
        inputs, alpha=alpha * (2 * radius + 1), alpha_over_n=True, **settings
    )
    np.testing.assert_allclose(as_caffe, expected, rtol=1e-12)
    single = local_response_normalization(inputs.astype(np.float32), alpha=alpha, **settings)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=1e-5)


@given(SHAPES, st.integers(0, 6), st.sampled_from([0.5, 0.75, 0.3]), st.booleans(), SEEDS)
def test_slopes_of_response_normalisation_by_differences(check_gradients, shape, radius, beta, over_n, seed):
    check_gradients(
        local_response_normalization,
        local_response_normalization_backward,
        {"inputs": np.random.default_rng(seed).normal(size=shape)},
        step=1e-5,
        depth_radius=radius,
        bias=1.5,
        alpha=0.7,
        beta=beta,
        alpha_over_n=over_n,
    )


def test_only_neighbouring_channels_count(rng):
    """A NaN, or a change, reaches as far as the radius says and no further."""
    inputs = rng.normal(size=(2, 3, 9))
    changed = inputs.copy()
    changed[1, 2, 4] = np.nan
    outputs = local_response_normalization(changed, depth_radius=2)
    assert np.isnan(outputs[1, 2, 2:7]).all()
    assert np.isnan(outputs).sum() == 5
    kept = ~np.isnan(outputs)
    np.testing.assert_array_equal(outputs[kept], local_response_normalization(inputs, depth_radius=2)[kept])


def test_float32_stays_both_ways_and_integers_are_promoted(rng):
    inputs = rng.normal(size=(3, 4, 5)).astype(np.float32)
    gradient, numbers = inputs.astype(np.float64), np.ones(5)  # float64 statistics promote nothing
    found = [
        batch_normalization(inputs, numbers, numbers, numbers, numbers),
        *batch_normalization_backward(gradient, inputs, numbers, numbers, numbers),
        *batch_normalization_train(inputs, numbers, numbers),
        *batch_normalization_train_backward(gradient, inputs, numbers),
        local_response_normalization(inputs, alpha_over_n=True),
        local_response_normalization_backward(gradient, inputs),
    ]
    assert {array.dtype for array in found} == {np.dtype(np.float32)}
    assert local_response_normalization(np.full((1, 2, 3), 200, np.uint8)).dtype == np.float32


X = np.ones((2, 3, 4))
normalize = functools.partial(batch_normalization, X)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: batch_normalization(np.ones(3), 1, 1), ShapeError, "(3,) … need (batch, ..., channels)"),
        (lambda: normalize(np.ones(3), np.ones(4)), ShapeError, "mean has shape (3,); 4 channels need (4,)"),
        (lambda: normalize(np.ones(4), 1.0), ShapeError, "variance has shape ()"),
        (lambda: normalize(np.ones(4), np.ones(4), np.ones((1, 4))), ShapeError, "gamma has shape (1, 4)"),
        (lambda: normalize(np.ones(4), np.ones(4), None, ["a"]), DtypeError, "beta has dtype <U1"),
        (lambda: normalize(np.ones(4), np.array([1, 1, -2, 1])), SizeError, "-2.0 of channel 2 is negative"),
        (lambda: normalize(np.ones(4), np.ones(4), epsilon=-1), SizeError, "at least 0, not -1"),
        (lambda: normalize(np.ones(4), np.ones(4), epsilon=float("nan")), SizeError, "nan"),
        (lambda: batch_normalization_train(X[:0]), ShapeError, "(0, 3, 4) have no mean; give at least one"),
        (lambda: batch_normalization_train(X[..., :0]), ShapeError, "have no mean"),
        (lambda: batch_normalization_train_backward(X[:1], X), ShapeError, "(1, 3, 4) … (2, 3, 4)"),
        (lambda: local_response_normalization(X, -1), SizeError, "depth_radius must be a whole number … -1"),
        (lambda: local_response_normalization(X, 1.5), SizeError, "not 1.5"),
        (lambda: local_response_normalization(X * 1j), DtypeError, "complex128"),
        (lambda: local_response_normalization_backward(X.T, X), ShapeError, "(4, 3, 2)"),
    ],
)
def test_bad_input_is_answered_in_one_line(call, error, words, says):
    with pytest.raises(error) as caught:
        call()
    says(caught, words)
