"""What is asked about one dimension is answered as NumPy answers it, by ways of its own."""

from __future__ import annotations

import numpy as np
import pytest

from cnnlib.exercises import Task, draw

SEEDS = [f"peer {number}" for number in range(8)]
each = pytest.mark.parametrize("seed", SEEDS)


def slid(signal, kernel, stride):
    return np.correlate(signal, kernel, "valid")[::stride]


@each
def test_a_kernel_that_slides(seed):
    task = draw("slide", seed)
    given = task.given
    np.testing.assert_allclose(task.answer, slid(given["signal"], given["kernel"], given["stride"]))


@each
@pytest.mark.parametrize("arrays", [False, True])
def test_bias_and_activation(seed, arrays):
    task = draw("activation_map", seed, arrays=arrays)
    given = task.given
    sums = slid(given["signal"], given["kernel"], given["stride"]) + given["bias"]
    np.testing.assert_allclose(task.answer, np.where(sums > 0, sums, 0))


@each
def test_the_matrix_does_what_the_layer_does(seed):
    task = draw("toeplitz", seed)
    kernel, size, stride = (task.given[name] for name in ("kernel", "size", "stride"))
    for signal in np.eye(size):
        np.testing.assert_allclose(task.answer @ signal, slid(signal, kernel, stride))


@each
def test_the_convolution_of_mathematics(seed):
    task = draw("full_convolution", seed)
    np.testing.assert_allclose(task.answer, np.convolve(task.given["signal"], task.given["kernel"]))


@each
def test_one_kernel_does_what_two_layers_do(seed):
    task = draw("joint_kernel", seed)
    signal = np.random.default_rng(0).normal(size=20)
    two = np.correlate(np.correlate(signal, task.given["first"]), task.given["second"])
    np.testing.assert_allclose(np.correlate(signal, task.answer), two)


@each
def test_a_stack_is_as_wide_as_what_moves_its_output(seed):
    task = draw("joint_width", seed)
    ones, signal = np.ones(task.given["kernel_size"]), np.zeros(121)
    signal[60] = 1
    for _ in range(task.given["layers"]):
        signal = np.convolve(signal, ones)
    assert task.answer == np.count_nonzero(signal)


@each
def test_an_even_signal(seed):
    task = draw("even_response", seed)
    kernel, level = task.given["kernel"], task.given["level"]
    np.testing.assert_allclose(np.correlate(np.full(9, level), kernel), task.answer)


@each
def test_dense_layers(seed):
    task = draw("dense_count", seed)
    inputs = np.zeros(task.given["input_shape"]).size
    assert Task("flattened", input_shape=task.given["input_shape"]).answer == inputs
    assert task.answer == np.zeros((inputs, task.given["units"])).size + np.zeros(task.given["units"]).size


@each
def test_three_layers_and_their_work(seed):
    given = dict(draw("row_macs", seed).given)
    size, width, stride = given["size"], given["kernel_size"], given["stride"]
    windows = [range(start, start + width) for start in range(0, size - width + 1, stride)]
    products = sum(len(window) for window in windows)
    assert Task("row_macs", **given).answer == products
    assert Task("three_layers", layer="local", **given).answer == products
    assert Task("three_layers", layer="dense", **given).answer == len(windows) * size
    assert Task("three_layers", layer="convolution", **given).answer == width
