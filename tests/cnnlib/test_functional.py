"""Dense layers, flattening and dropout: sums said as loops, slopes by differences, chances by counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlib import activations, functional, losses, normalization
from cnnlib.convolution import conv
from cnnlib.errors import CnnError, DtypeError, ShapeError, SizeError
from cnnlib.functional import (
    dense,
    dense_backward,
    dropout,
    dropout_backward,
    flatten,
    flatten_backward,
)

SEEDS = st.integers(0, 2**32 - 1)
LEADING = st.lists(st.integers(1, 4), min_size=0, max_size=3).map(tuple)


@given(LEADING, st.integers(1, 5), st.integers(1, 4), SEEDS)
def test_dense_is_a_weighted_sum_for_every_unit(leading, features, units, seed):
    random = np.random.default_rng(seed)
    inputs, kernel, bias = (random.normal(size=s) for s in ((*leading, features), (features, units), units))
    outputs = dense(inputs, kernel, bias)
    assert outputs.shape == (*leading, units)
    for *place, unit in np.ndindex(outputs.shape):
        said = sum(inputs[(*place, f)] * kernel[f, unit] for f in range(features)) + bias[unit]
        np.testing.assert_allclose(outputs[(*place, unit)], said, atol=1e-12)
    np.testing.assert_allclose(dense(inputs, kernel), outputs - bias, atol=1e-12)


@given(LEADING, st.integers(1, 5), st.integers(1, 4), SEEDS)
def test_slopes_of_dense_by_differences(check_gradients, leading, features, units, seed):
    random = np.random.default_rng(seed)
    shapes = {"inputs": (*leading, features), "kernel": (features, units), "bias": (units,)}
    arrays = {name: random.normal(size=shape) for name, shape in shapes.items()}
    check_gradients(dense, dense_backward, arrays)


def test_dense_on_a_flattened_picture_is_one_filter_as_large_as_the_picture(rng):
    """The same weights in the same order: rows, columns, channels."""
    pictures, kernel = rng.normal(size=(2, 4, 3, 5)), rng.normal(size=(4, 3, 5, 6))
    np.testing.assert_allclose(
        dense(flatten(pictures), kernel.reshape(-1, 6)), conv(pictures, kernel)[:, 0, 0], rtol=1e-12
    )


def test_only_the_gradients_that_are_needed_are_made(rng):
    inputs, kernel, gradient = rng.normal(size=(2, 3)), rng.normal(size=(3, 4)), rng.normal(size=(2, 4))
    whole = dense_backward(gradient, inputs, kernel)
    part = dense_backward(gradient, inputs, kernel, needs=("kernel",))
    assert part.inputs is None
    assert part.bias is None
    np.testing.assert_array_equal(part.kernel, whole.kernel)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=4).map(tuple), SEEDS)
def test_flattening_and_back_changes_nothing(shape, seed):
    inputs = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    rows = flatten(inputs)
    assert rows.shape == (shape[0], int(np.prod(shape[1:])))
    back = flatten_backward(rows, inputs)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, inputs)
    assert [row.tolist() for row in rows] == [image.ravel().tolist() for image in inputs]


@pytest.mark.parametrize("rate", [0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dropout_drops_its_share_and_keeps_the_expected_sum(rate, dtype, rng):
    inputs = np.full(40_000, 3, dtype)
    outputs, mask = dropout(inputs, rate, rng)
    assert outputs.dtype == dtype
    assert abs((~mask).mean() - rate) <= 5 * np.sqrt(rate * (1 - rate) / mask.size)  # five deviations
    np.testing.assert_allclose(outputs[mask], 3 / (1 - rate), rtol=1e-6)
    assert not outputs[~mask].any()
    np.testing.assert_allclose(outputs.mean(), 3, rtol=0.05)


def test_dropped_values_get_no_gradient_and_kept_ones_as_much_as_they_were_enlarged(rng):
    inputs, gradient = rng.normal(size=(5, 6)), rng.normal(size=(5, 6))
    _, mask = dropout(inputs, 0.25, rng)
    slopes = dropout_backward(gradient, mask, 0.25)
    np.testing.assert_allclose(slopes, np.where(mask, gradient / 0.75, 0), rtol=1e-12)
    assert dropout_backward(gradient.astype(np.float32), mask, 0.25).dtype == np.float32


def test_the_same_generator_state_drops_the_same(rng):
    inputs = np.ones(100)
    first, second, third = (dropout(inputs, 0.5, np.random.default_rng(seed))[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, third)


def test_whole_feature_maps_share_their_fate(rng):
    inputs = rng.normal(size=(6, 4, 5, 8)) + 10
    outputs, mask = dropout(inputs, 0.5, rng, noise_shape=(None, 1, 1, None))
    assert mask.shape == (6, 1, 1, 8)
    dropped = (outputs == 0).mean(axis=(1, 2))
    assert set(np.unique(dropped)) == {0, 1}
    slopes = dropout_backward(np.ones_like(inputs), mask, 0.5)
    np.testing.assert_array_equal(slopes != 0, outputs != 0)


def test_dtypes_are_kept_and_narrow_integers_promoted(rng):
    inputs, kernel = rng.normal(size=(2, 3)).astype(np.float32), rng.normal(size=(3, 4)).astype(np.float32)
    assert dense(inputs, kernel, np.ones(4)).dtype == np.float32  # a float64 bias promotes nothing
    assert {g.dtype for g in dense_backward(np.ones((2, 4)), inputs, kernel)} == {np.dtype(np.float32)}
    white = np.full((1, 300), 255, np.uint8)
    assert dense(white, np.ones((300, 1), np.uint8)) == 255 * 300


def test_all_is_to_be_had_from_one_place():
    """What the modules beside it define is the very same here."""
    for module in (activations, losses, normalization):
        for name in set(functional.__all__) & set(vars(module)):
            assert getattr(functional, name) is getattr(module, name)
    offered = {n for m in (activations, losses) for n in vars(m) if n.endswith("_backward")}
    assert offered <= set(functional.__all__)


X = np.ones((2, 3))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: dense(X, np.ones((4, 5))), ShapeError, "(2, 3) … (4, 5) … must have shape (3, units)"),
        (lambda: dense(X, np.ones(3)), ShapeError, "a kernel of shape (3,)"),
        (lambda: dense(3.0, X), ShapeError, "inputs of shape () … (features, units)"),
        (lambda: dense(X, np.ones((3, 4)), np.ones(3)), ShapeError, "bias has shape (3,); 4 units need (4,)"),
        (lambda: dense(X, np.ones((3, 4)), 1.0), ShapeError, "bias has shape ()"),
        (lambda: dense(X * 1j, np.ones((3, 4))), DtypeError, "complex128"),
        (lambda: dense_backward(X, X, np.ones((3, 4))), ShapeError, "(2, 3) … (2, 4)"),
        (lambda: flatten(1.0), ShapeError, "shape () … need a batch axis"),
        (lambda: flatten_backward(X, np.ones((2, 2, 2))), ShapeError, "(2, 3) … (2, 4)"),
        (lambda: dropout(X, 1, np.random.default_rng(1)), SizeError, "at least 0 and below 1, not 1"),
        (lambda: dropout(X, -0.1, np.random.default_rng(1)), SizeError, "not -0.1"),
        (lambda: dropout(X, float("nan"), np.random.default_rng(1)), SizeError, "not nan"),
        (lambda: dropout(X, "half", np.random.default_rng(1)), SizeError, "not 'half'"),
        (lambda: dropout(X, True, np.random.default_rng(1)), SizeError, "not True"),
        (lambda: dropout(X, 0.5, 7), CnnError, "such as np.random.default_rng(1), not 7"),
        (
            lambda: dropout(X, 0.5, np.random.default_rng(1), noise_shape=(2,)),
            ShapeError,
            "a mask of shape (2,) does not go with values of shape (2, 3)",
        ),
        (lambda: dropout(X, 0.5, np.random.default_rng(1), noise_shape=(None, 2)), ShapeError, "(None, 2)"),
        (lambda: dropout_backward(X, np.ones((3, 2), bool), 0.5), ShapeError, "(3, 2)"),
    ],
)
def test_bad_input_is_answered_in_one_line(call, error, words, says):
    with pytest.raises(error) as caught:
        call()
    says(caught, words)
