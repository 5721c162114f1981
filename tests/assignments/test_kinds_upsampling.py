"""What is asked about going up again is answered as matrices, counting, NumPy and Keras answer it."""

from __future__ import annotations

import numpy as np
import pytest

from cnnlib.exercises import draw
from cnnlib.exercises.checks import well_posed
from cnnlib.exercises.kinds.upsampling import WAYS

SEEDS = [f"peer {number}" for number in range(8)]
each = pytest.mark.parametrize("seed", SEEDS)


def matrix(kernel, size, stride):
    """The matrix of a convolution of ``size`` inputs: a row for each place of the kernel."""
    places = range(0, size - len(kernel) + 1, stride)
    rows = np.zeros((len(places), size))
    for row, place in zip(rows, places, strict=True):
        row[place : place + len(kernel)] = kernel
    return rows


def outputs_of(size, kernel_size, stride, padding):
    """How many windows a convolution has, by laying them down one after the other."""
    return sum(1 for _ in range(-padding, size + padding - kernel_size + 1, stride))


# --- Unpooling ----------------------------------------------------------------------------------------


@each
@pytest.mark.parametrize("way", WAYS)
def test_three_ways_back(seed, way):
    task = draw("unpooled", seed, way=way)
    picture = np.array(task.given["picture"], float)
    for column in range(0, picture.shape[1], 2):
        window, found = picture[:, column : column + 2], task.answer[:, column : column + 2]
        expected = {
            "bed of nails": [[window.max(), 0], [0, 0]],
            "nearest neighbour": np.full((2, 2), window.max()),
            "max unpooling": np.where(window == window.max(), window, 0),
        }[way]
        np.testing.assert_array_equal(found, expected)


@each
def test_a_switch_is_a_place(seed):
    task = draw("unpool_map", seed)
    pooled, switches, shape = task.given.values()
    flat = np.zeros(shape).ravel()
    flat[switches] = pooled
    np.testing.assert_array_equal(task.answer.ravel(), flat)


# --- Transposed convolution ---------------------------------------------------------------------------


@each
@pytest.mark.parametrize("arrays", [False, True])
def test_stamps_are_a_transposed_matrix(seed, arrays):
    task = draw("stamped_row", seed, arrays=arrays)
    signal, kernel, stride = task.given.values()
    rows = matrix(kernel, len(task.answer), stride)
    np.testing.assert_allclose(task.answer, rows.T @ np.asarray(signal))


@each
@pytest.mark.parametrize("arrays", [False, True])
def test_the_gradient_of_the_inputs_is_the_matrix_itself(seed, arrays):
    task = draw("input_slopes", seed, arrays=arrays)
    gradient, kernel, stride = task.given.values()
    np.testing.assert_allclose(task.answer, matrix(kernel, len(gradient), stride) @ np.asarray(gradient))


@each
def test_the_gradient_of_the_kernel_is_that_of_small_steps(seed):
    task = draw("kernel_slopes", seed)
    gradient, signal, stride = task.given.values()

    def loss(kernel):
        return gradient @ (matrix(kernel, len(gradient), stride).T @ signal)

    zeros = np.zeros(len(task.answer))  # the loss is linear in the kernel, so that any step will do
    np.testing.assert_allclose(task.answer, [loss(one) - loss(zeros) for one in np.eye(len(zeros))])


@each
def test_sizes_lead_back(seed):
    given = dict(draw("transposed_size", seed).given)
    size, added = draw("transposed_size", seed).answer, given.pop("output_padding")
    inputs = given.pop("size")
    assert outputs_of(size, **given) == inputs
    assert outputs_of(size - added, **given) == inputs
    assert outputs_of(size - added - 1, **given) == inputs - 1  # nothing smaller does


@each
def test_the_largest_input_is_the_last_that_has_so_many_outputs(seed):
    task = draw("largest_input", seed)
    given = dict(task.given)
    outputs = given.pop("size")
    assert outputs_of(task.answer, **given) == outputs
    assert outputs_of(task.answer + 1, **given) == outputs + 1


@each
def test_products_are_counted_stamp_by_stamp(seed):
    task = draw("up_products", seed)
    shape, size, filters, _ = task.given.values()
    assert task.answer == np.zeros(shape).size * np.zeros((size, size, filters)).size


# --- Checkerboards ------------------------------------------------------------------------------------


@each
def test_stamps_that_meet(seed):
    task = draw("overlaps", seed)
    size, kernel, stride = task.given.values()
    stamps = [set(range(place * stride, place * stride + kernel)) for place in range(size)]
    assert task.answer.tolist() == [sum(n in stamp for stamp in stamps) for n in range(len(task.answer))]


@each
def test_phases_are_what_a_constant_is_multiplied_by(seed):
    task = draw("phase_sums", seed, accept=well_posed)
    kernel, stride = task.given.values()
    assert task.answer.tolist() == [sum(kernel[phase::stride]) for phase in range(stride)]


@each
def test_the_fourth_weight_leaves_no_pattern(seed):
    task = draw("balancing_weight", seed, accept=well_posed)
    kernel = [*task.given["kernel"], task.answer]
    inside = (matrix(kernel, 20, 2).T @ np.ones(9))[4:-4]
    assert np.ptp(inside) == 0


@pytest.mark.keras
def test_keras_makes_and_counts_the_same():
    from cnnlib.keras_bridge import keras, layer_facts

    layers = keras().layers
    for seed in SEEDS[:2]:
        task = draw("keras_transposed_size", seed, accept=well_posed)
        size, kernel, stride, mode = task.given.values()
        layer = layers.Conv1DTranspose(1, kernel, strides=stride, padding=mode)
        assert layer_facts(layer, (1, size, 1)).output_shape[1] == task.answer

        task = draw("up_output", seed)
        shape, kernel, filters, strides = task.given.values()
        layer = layers.Conv2DTranspose(filters, kernel, strides=strides, padding="same")
        assert layer_facts(layer, (1, *shape)).output_shape[1:] == task.answer

        for kind, fact in (("transposed_weights", "weight_shape"), ("transposed_parameters", "parameters")):
            task = draw(kind, seed)
            kernel, channels, filters = task.given.values()
            layer = layers.Conv2DTranspose(filters, kernel)
            assert getattr(layer_facts(layer, (1, 4, 4, channels)), fact) == task.answer
