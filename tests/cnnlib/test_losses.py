"""Losses against their formulas, sample by sample, their slopes against differences, and each other."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlib import losses
from cnnlib.activations import sigmoid, softmax, softmax_backward
from cnnlib.errors import DtypeError, ShapeError, SizeError
from cnnlib.losses import (
    EPSILON,
    binary_crossentropy,
    binary_crossentropy_backward,
    categorical_crossentropy,
    categorical_crossentropy_backward,
    mean_squared_error,
    mean_squared_error_backward,
    sparse_categorical_crossentropy,
    sparse_categorical_crossentropy_backward,
)

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(2, 5))


def drawn(shape, seed):
    """Labels, the same one-hot, and scores."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, shape[-1], shape[:-1])
    return labels, np.eye(shape[-1])[labels], random.normal(size=shape)


@given(SHAPES, SEEDS)
def test_crossentropy_is_the_mean_of_minus_log_of_the_right_ones_share(shape, seed):
    labels, one_hot, scores = drawn(shape, seed)
    shares = softmax(scores)
    said = np.mean([-math.log(shares[place][labels[place]]) for place in np.ndindex(labels.shape)])
    for found in (
        categorical_crossentropy(one_hot, shares),
        categorical_crossentropy(one_hot, 3 * shares),  # scaled to a sum of 1
        categorical_crossentropy(one_hot, scores, from_logits=True),
        sparse_categorical_crossentropy(labels, shares),
        sparse_categorical_crossentropy(labels[..., None], scores, from_logits=True),
    ):
        np.testing.assert_allclose(found, said, rtol=1e-12)


@given(SHAPES, SEEDS)
def test_binary_crossentropy_is_that_of_two_classes(shape, seed):
    _, answers, scores = drawn(shape, seed)
    yes = sigmoid(scores)
    pairs, both = np.stack([1 - answers, answers], -1), np.stack([1 - yes, yes], -1)
    expected = categorical_crossentropy(pairs, both)
    np.testing.assert_allclose(binary_crossentropy(answers, yes), expected, rtol=1e-12)
    np.testing.assert_allclose(binary_crossentropy(answers, scores, from_logits=True), expected, rtol=1e-12)


def test_squared_error_is_the_mean_over_everything(rng):
    target, output = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 5, 3))
    np.testing.assert_allclose(mean_squared_error(target, output), ((target - output) ** 2).mean())


@given(SHAPES, SEEDS)
def test_slopes_by_differences(check_gradients, shape, seed):
    labels, one_hot, scores = drawn(shape, seed)
    soft = softmax(np.random.default_rng(seed).normal(size=shape))  # targets need not be 0 and 1
    near = functools.partial(check_gradients, step=1e-6)
    for target in (one_hot, soft, 2 * one_hot):
        pair = categorical_crossentropy, categorical_crossentropy_backward
        near(*pair, {"output": scores}, target=target, from_logits=True)
        near(*pair, {"output": 2 * softmax(scores)}, target=target)
    pair = sparse_categorical_crossentropy, sparse_categorical_crossentropy_backward
    near(*pair, {"output": scores}, target=labels, from_logits=True)
    near(*pair, {"output": 2 * softmax(scores)}, target=labels)
    pair = binary_crossentropy, binary_crossentropy_backward
    near(*pair, {"output": scores}, target=soft, from_logits=True)
    near(*pair, {"output": softmax(scores)}, target=soft)
    near(mean_squared_error, mean_squared_error_backward, {"output": scores}, target=soft)


def test_through_the_softmax_it_is_the_slope_from_scores(rng):
    """Why a network may end in a softmax: the two backward passes together are shares minus target."""
    _, one_hot, scores = drawn((4, 1, 5), 3)
    shares = softmax(scores)
    chained = softmax_backward(categorical_crossentropy_backward(1, one_hot, shares), None, outputs=shares)
    np.testing.assert_allclose(chained, (shares - one_hot) / 4, atol=1e-12)
    direct = categorical_crossentropy_backward(1, one_hot, scores, from_logits=True)
    np.testing.assert_allclose(direct, (shares - one_hot) / 4, atol=1e-12)


LOSSES = {
    "categorical": (categorical_crossentropy, categorical_crossentropy_backward, [[0, 1.0], [1, 0]]),
    "sparse": (sparse_categorical_crossentropy, sparse_categorical_crossentropy_backward, [1, 0]),
    "binary": (binary_crossentropy, binary_crossentropy_backward, [[0, 1], [1, 0]]),
}


@pytest.mark.parametrize("name", LOSSES)
def test_certainty_in_what_is_wrong_stays_finite(name):
    loss, backward, target = LOSSES[name]
    for dtype in (np.float32, np.float64):
        sure = np.array([[1, 0], [0, 1]], dtype)  # wrong in both samples
        assert -math.log(2 * EPSILON) < loss(target, sure) < -math.log(EPSILON / 2)
        assert loss(target, sure).dtype == dtype
        assert np.isfinite(backward(1, target, sure)).all()
        scores = sure * dtype(1e4)
        scores[:, ::-1] -= scores
        np.testing.assert_allclose(loss(target, scores, from_logits=True), 2e4 if name != "binary" else 1e4)
        slopes = backward(1, target, scores, from_logits=True)
        assert slopes.dtype == dtype
        np.testing.assert_allclose(slopes, [[0.5, -0.5], [-0.5, 0.5]] if name != "binary" else slopes)


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_clipped_passes_no_slope(name):
    _, backward, target = LOSSES[name]
    output = np.array([[EPSILON / 10, 1 - EPSILON / 10], [0.5, 0.5]])
    slopes = backward(1, target, output)
    assert not slopes[0].any()
    assert slopes[1].any()


def test_the_gradient_of_the_loss_scales_all_and_promotes_nothing():
    output = np.array([[0.2, 0.8]], np.float32)
    for backward, target in ((b, t[:1]) for _, b, t in LOSSES.values()):
        once, thrice = backward(1, target, output), backward(np.float64(3), target, output)
        assert thrice.dtype == np.float32
        np.testing.assert_allclose(thrice, 3 * once, rtol=1e-6)


def test_labels_may_be_of_any_whole_kind():
    output = [[0.25, 0.75], [0.5, 0.5]]
    expected = sparse_categorical_crossentropy([1, 0], output)
    for labels in (np.uint8([1, 0]), np.float32([1, 0]), np.array([True, False]), [[1], [0]]):
        assert sparse_categorical_crossentropy(labels, output) == expected


TWO = np.full((2, 3), 1 / 3)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: categorical_crossentropy([0, 1], TWO),
            ShapeError,
            "target has shape (2,) and output (2, 3) … class numbers are for sparse_categorical_crossentropy",
        ),
        (lambda: categorical_crossentropy(TWO.T, TWO), ShapeError, "(3, 2) and output (2, 3)"),
        (lambda: categorical_crossentropy(1.0, 1.0), ShapeError, "target has shape ()"),
        (lambda: categorical_crossentropy(TWO[:0], TWO[:0]), ShapeError, "give at least one sample"),
        (lambda: categorical_crossentropy(TWO, TWO * 1j), DtypeError, "output has dtype complex128"),
        (lambda: binary_crossentropy([1], [[0.5]]), ShapeError, "(1,) and output (1, 1)"),
        (lambda: mean_squared_error([1, 2], [1.0]), ShapeError, "(2,) and output (1,)"),
        (lambda: sparse_categorical_crossentropy([0, 3], TWO), SizeError, "label 3 is none of 3 classes"),
        (lambda: sparse_categorical_crossentropy([-1, 0], TWO), SizeError, "label -1 … from 0 to 2"),
        (lambda: sparse_categorical_crossentropy([0.5, 1], TWO), DtypeError, "float64; labels are whole"),
        (lambda: sparse_categorical_crossentropy([0, np.nan], TWO), DtypeError, "labels are whole numbers"),
        (lambda: sparse_categorical_crossentropy(["a", "b"], TWO), DtypeError, "<U1"),
        (
            lambda: sparse_categorical_crossentropy([0], TWO),
            ShapeError,
            "(1,) … one label for each row: (2,)",
        ),
        (lambda: sparse_categorical_crossentropy(TWO, TWO), DtypeError, "labels are whole numbers"),
    ],
)
def test_bad_input_is_answered_in_one_line(call, error, words, says):
    with pytest.raises(error) as caught:
        call()
    says(caught, words)


@pytest.mark.keras
def test_keras_clips_at_the_same_place():
    """Values and slopes at the ends, where clipping decides; all else is compared case by case elsewhere."""
    from cnnlib.keras_bridge import keras
    from cnnlib.keras_bridge.backend import tensorflow

    tf = tensorflow()
    output = np.array([[0, 1], [EPSILON, 1 - EPSILON], [0.3, 0.7], [1 - 1e-8, 1e-8]], np.float32)
    for name, target in (
        ("categorical_crossentropy", np.eye(2, dtype=np.float32)[[0, 1, 1, 0]]),
        ("sparse_categorical_crossentropy", np.array([0, 1, 1, 0])),
        ("binary_crossentropy", np.eye(2, dtype=np.float32)[[0, 1, 1, 0]]),
    ):
        with tf.GradientTape() as tape:
            tensor = tf.constant(output)
            tape.watch(tensor)
            value = tf.reduce_mean(getattr(keras().losses, name)(tf.constant(target), tensor))
        np.testing.assert_allclose(getattr(losses, name)(target, output), np.asarray(value), rtol=1e-5)
        slopes = getattr(losses, f"{name}_backward")(1, target, output)
        theirs = np.asarray(tape.gradient(value, tensor))
        np.testing.assert_allclose(slopes, theirs, rtol=2e-5, atol=1e-6 * np.abs(theirs).max())
