"""Activations against their formulas, number by number, and their slopes against differences."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cnnlib import activations
from cnnlib.activations import (
    ACTIVATIONS,
    activation,
    activation_backward,
    elu,
    elu_backward,
    gelu,
    gelu_backward,
    leaky_relu,
    leaky_relu_backward,
    linear,
    log_softmax,
    log_softmax_backward,
    relu,
    relu6,
    relu_backward,
    softmax,
    softmax_backward,
)
from cnnlib.errors import CnnError, DtypeError, ShapeError

NAMES = sorted(ACTIVATIONS)
#: Each elementwise activation of one number, as a textbook says it.
SAID = {
    "linear": lambda x: x,
    "relu": lambda x: max(x, 0),
    "relu6": lambda x: min(max(x, 0), 6),
    "leaky_relu": lambda x: x if x > 0 else 0.2 * x,
    "elu": lambda x: x if x > 0 else math.exp(x) - 1,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "tanh": lambda x: (math.exp(x) - math.exp(-x)) / (math.exp(x) + math.exp(-x)),
    "silu": lambda x: x / (1 + math.exp(-x)),
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
}
ROW = np.array([-8.5, -3, -1, -0.25, 0, 0.25, 1, 3, 5.9, 6, 8.5])
SMOOTH = np.delete(ROW, [4, 9])  # without the corners at 0 and 6


@pytest.mark.parametrize("name", SAID)
def test_each_is_what_its_formula_says(name):
    np.testing.assert_allclose(activation(name, ROW), [SAID[name](x) for x in ROW], rtol=1e-13, atol=1e-15)


def test_softmax_is_a_distribution_in_the_order_of_the_scores(rng):
    scores = rng.normal(size=(4, 3, 7))
    for axis in (-1, 1, 0):
        shares = softmax(scores, axis)
        np.testing.assert_allclose(shares.sum(axis=axis), 1)
        np.testing.assert_array_equal(shares.argsort(axis), scores.argsort(axis))
        np.testing.assert_allclose(shares, softmax(scores + 100, axis))  # only differences count
        np.testing.assert_allclose(np.log(shares), log_softmax(scores, axis))
    one = scores[0, 0]
    np.testing.assert_allclose(softmax(one), [math.exp(x) / sum(map(math.exp, one)) for x in one])


@pytest.mark.parametrize("name", NAMES)
def test_slopes_by_differences(name, check_gradients):
    inputs = {"inputs": np.stack([SMOOTH, SMOOTH[::-1] / 3 + 0.01])}
    check_gradients(ACTIVATIONS[name].forward, ACTIVATIONS[name].backward, inputs, step=1e-5)


def test_slopes_with_other_options_by_differences(check_gradients):
    inputs = {"inputs": SMOOTH[None]}
    for slope in (0, 0.01, 1.0, 3.0, -0.5):
        check_gradients(leaky_relu, leaky_relu_backward, inputs, 1e-5, negative_slope=slope)
    for alpha in (0.5, 1.0, 2.0):
        check_gradients(elu, elu_backward, inputs, 1e-5, alpha=alpha)
    check_gradients(gelu, gelu_backward, inputs, 1e-5, approximate=True)
    far = np.array([[-1e4, 1e4]], np.float16)
    assert gelu(far, approximate=True).tolist() == [[0, 1e4]]
    assert gelu_backward(np.ones_like(far), far, approximate=True).tolist() == [[0, 1]]
    columns = {"inputs": np.outer(SMOOTH, [1, 0.5, -0.2])}
    check_gradients(softmax, softmax_backward, columns, 1e-5, axis=0)
    check_gradients(log_softmax, log_softmax_backward, columns, 1e-5, axis=0)


@pytest.mark.parametrize("name", [name for name in NAMES if ACTIVATIONS[name].by_outputs])
def test_outputs_tell_as_much_as_inputs(name, rng):
    inputs, gradient = np.stack([ROW, ROW / 5]), rng.normal(size=(2, len(ROW)))
    outputs = activation(name, inputs)
    by_inputs = ACTIVATIONS[name].backward(gradient, inputs)
    np.testing.assert_allclose(activation_backward(name, gradient, None, outputs), by_inputs, atol=1e-12)


def test_the_rest_needs_inputs_and_says_so():
    assert {name for name in NAMES if not ACTIVATIONS[name].by_outputs} == {"gelu", "silu"}
    with pytest.raises(CnnError, match="needs the inputs or the outputs; both are None"):
        activation_backward("tanh", [1.0], None, None)
    with pytest.raises(DtypeError):
        activation_backward("silu", [1.0], None, [1.0])


def test_corners_have_the_slopes_that_keras_gives_them():
    ones = np.ones(3)
    np.testing.assert_array_equal(relu_backward(ones, [-0.0, 0.0, 1e-300]), [0, 0, 1])
    np.testing.assert_array_equal(activation_backward("relu6", ones, [0.0, 6, 5.999], None), [0, 0, 1])
    np.testing.assert_array_equal(leaky_relu_backward(ones, [0.0, -1, 1]), [0.2, 0.2, 1])
    np.testing.assert_array_equal(elu_backward(ones, [0.0, -1e9, 1], alpha=0.5), [0.5, 0, 1])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_the_dtype_is_kept_both_ways_and_nothing_overflows(name, dtype):
    inputs = np.array([[-1e4, -30, -1, 0, 2, 30, 1e4]], dtype)
    outputs = activation(name, inputs)
    slopes = activation_backward(name, np.ones_like(inputs), inputs, outputs)
    assert outputs.dtype == slopes.dtype == dtype
    assert np.isfinite(outputs).all()
    assert np.isfinite(slopes).all()
    assert (np.diff(outputs) >= 0).all() or name in ("silu", "gelu")  # all others rise


@pytest.mark.parametrize("name", NAMES)
def test_in_place_gives_the_same(name, rng):
    inputs = rng.normal(size=(3, 4, 5)).astype(np.float32)
    expected, work = activation(name, inputs), inputs.copy()
    assert activation(name, work, out=work) is work
    np.testing.assert_array_equal(work, expected)
    if name != "linear":
        assert not np.shares_memory(expected, inputs)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_value_stays_missing_and_alone(name):
    outputs = activation(name, np.array([[1.0, np.nan], [2, 3]]))
    assert np.isnan(outputs[0, 1])
    assert np.isfinite(outputs[1]).all()
    assert np.isfinite(outputs[0, 0]) or "softmax" in name


def test_whole_numbers_are_promoted():
    assert relu(np.array([200], np.uint8)).dtype == np.float32
    assert relu6([3, 8]).tolist() == [3, 6]
    kept = np.ones(2)
    assert linear(kept) is kept


def test_the_exact_gelu_and_the_papers_formula_are_near_but_not_the_same():
    exact, near = gelu(ROW), gelu(ROW, approximate=True)
    assert 1e-5 < np.abs(exact - near).max() < 1e-3


def test_every_function_is_in_the_table_and_comes_with_its_backward_pass():
    public = {name for name, value in vars(activations).items() if callable(value) and name in ACTIVATIONS}
    assert public == set(ACTIVATIONS)
    for name, known in ACTIVATIONS.items():
        assert known.forward is getattr(activations, name)
        assert known.backward is getattr(activations, f"{name}_backward")
    assert activation(None, [1.0]) == [1.0]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: activation("rulu", [1.0]), CnnError, "no activation 'rulu'; there are linear, relu, relu6"),
        (lambda: activation(3, [1.0]), CnnError, "no activation 3"),
        (lambda: activation_backward(["relu"], [1.0], [1.0], None), CnnError, "no activation ['relu']"),
        (lambda: relu([1j]), DtypeError, "inputs has dtype complex128"),
        (lambda: relu_backward([1.0], [1.0, 2]), ShapeError, "gradient has shape (1,) … (2,)"),
        (lambda: softmax(3.0), ShapeError, "shape () have no scores along axis -1; give at least one class"),
        (lambda: softmax(np.ones((2, 0))), ShapeError, "(2, 0) have no scores along axis -1"),
        (lambda: log_softmax(np.ones((2, 3)), axis=2), ShapeError, "(2, 3) have no scores along axis 2"),
    ],
)
def test_bad_input_is_answered_in_one_line(call, error, words, says):
    with pytest.raises(error) as caught:
        call()
    says(caught, words)


@pytest.mark.keras
@pytest.mark.parametrize("name", NAMES)
def test_keras_agrees_at_the_corners_and_the_ends(name):
    from cnnlib.keras_bridge import keras

    row = np.array([[-1e4, -88, -17, -1e-3, -0.0, 0, 1e-3, 5.999, 6, 88, 1e4]], np.float32)
    theirs = np.asarray(getattr(keras().activations, name)(row))
    # TensorFlow's elu is off by 1e-8 near 0, where it takes e^x - 1 at its word.
    np.testing.assert_allclose(
        activation(name, row), theirs, rtol=3e-6, atol=2e-8 if name == "elu" else 1e-36
    )
