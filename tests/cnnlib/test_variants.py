"""Variants of convolution against loops, against the full convolution that they stand for, and Keras."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import hypothesis
import numpy as np
import pytest
import scipy.linalg
import scipy.ndimage
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cnnlib import sizes, variants
from cnnlib.algorithms import depthwise_loops, locally_connected_loops
from cnnlib.convolution import conv, conv_backward
from cnnlib.errors import DtypeError, ShapeError, SizeError
from cnnlib.filters import box, gaussian, laplacian, prewitt, sharpen, sobel
from cnnlib.keras_bridge import keras
from cnnlib.padding import PAD_MODES, amounts_for, pad
from cnnlib.sizes import effective_kernel_size
from cnnlib.variants import (
    channel_shuffle,
    channel_shuffle_backward,
    depthwise_conv,
    depthwise_conv_backward,
    factors,
    locally_connected,
    locally_connected_backward,
    low_rank,
    pointwise_conv,
    pointwise_conv_backward,
    separable_conv,
    separable_conv_backward,
    separable_rank,
    spatially_separable_conv,
    spatially_separable_conv_backward,
)

#: For what is slower, or looks at many numbers in each case.
FEWER = hypothesis.settings(max_examples=hypothesis.settings.default.max_examples // 3)
SIDES = ("valid", "same", "full", "causal", 0, 1, 2)


@st.composite
def geometries(draw, ranks=(1, 2, 3)):
    """A shape (batch, *spatial, channels), a kernel size, and strides, padding and dilation that fit."""
    rank = draw(st.sampled_from(ranks))
    kernel_size = draw(st.tuples(*[st.integers(1, 4 if rank < 3 else 2)] * rank))
    gaps = draw(st.tuples(*[st.integers(1, 3)] * rank))
    steps = draw(st.tuples(*[st.integers(1, 4)] * rank))
    spatial = draw(st.tuples(*[st.integers(1, 8 if rank < 3 else 5)] * rank))
    padding = draw(
        st.one_of(
            st.sampled_from(SIDES),
            st.tuples(*[st.one_of(st.sampled_from(SIDES), st.tuples(*[st.integers(0, 3)] * 2))] * rank),
        )
    )
    amounts = amounts_for(spatial, kernel_size, steps, padding, gaps)
    for n, pair, k, d in zip(spatial, amounts, kernel_size, gaps, strict=True):
        assume(n + sum(pair) >= effective_kernel_size(k, d))
    shape = (draw(st.integers(1, 2)), *spatial, draw(st.integers(1, 4)))
    return shape, kernel_size, {"strides": steps, "padding": padding, "dilation_rate": gaps}


SEEDS, MULTIPLIERS = st.integers(0, 2**32 - 1), st.integers(1, 3)


def whole(seed: int, *shapes, dtype=np.float32):
    """Arrays of small whole numbers, whose sums are exact in every order."""
    random = np.random.default_rng(seed)
    return [random.integers(-8, 9, shape).astype(dtype) for shape in shapes]


def padded(inputs, kernel_size, arguments):
    amounts = amounts_for(
        inputs.shape[1:-1],
        kernel_size,
        arguments["strides"],
        arguments["padding"],
        arguments["dilation_rate"],
    )
    return pad(inputs, amounts)


# --- depthwise, pointwise, separable ----------------------------------------------------------------


@given(geometries(), MULTIPLIERS, SEEDS)
def test_depthwise_equals_its_loop_twin(geometry, multiplier, seed):
    shape, kernel_size, arguments = geometry
    inputs, kernel, bias = whole(seed, shape, (*kernel_size, shape[-1], multiplier), shape[-1] * multiplier)
    looped = depthwise_loops(
        padded(inputs, kernel_size, arguments), kernel, arguments["strides"], arguments["dilation_rate"]
    )
    outputs = depthwise_conv(inputs, kernel, bias=bias, **arguments)
    assert outputs.dtype == np.float32
    np.testing.assert_array_equal(outputs, looped + bias)


@FEWER
@given(geometries(), MULTIPLIERS, SEEDS)
def test_depthwise_is_a_full_convolution_full_of_zeros(geometry, multiplier, seed):
    shape, kernel_size, arguments = geometry
    channels = shape[-1]
    inputs, kernel = whole(seed, shape, (*kernel_size, channels, multiplier))
    full = np.zeros((*kernel_size, channels, channels, multiplier), np.float32)
    for channel in range(channels):
        full[..., channel, channel, :] = kernel[..., channel, :]
    expected = conv(inputs, full.reshape(*kernel_size, channels, -1), **arguments)
    np.testing.assert_array_equal(depthwise_conv(inputs, kernel, **arguments), expected)


@FEWER
@given(geometries(), MULTIPLIERS, st.integers(1, 3), SEEDS)
def test_separable_is_one_full_convolution(geometry, multiplier, filters, seed):
    """With the kernel that is, for every channel and filter, a sum of the channel's kernels."""
    shape, kernel_size, arguments = geometry
    channels, ones = shape[-1], (1,) * len(kernel_size)
    inputs, each, across, bias = whole(
        seed,
        shape,
        (*kernel_size, channels, multiplier),
        (*ones, channels * multiplier, filters),
        filters,
        dtype=np.float64,
    )
    full = np.einsum("...cm,cmf->...cf", each, across.reshape(channels, multiplier, filters))
    expected = conv(inputs, full, bias=bias, **arguments)
    np.testing.assert_array_equal(separable_conv(inputs, each, across, bias=bias, **arguments), expected)


def test_pointwise_is_a_dense_layer_at_every_place(rng):
    inputs, kernel, bias = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(5, 6)), rng.normal(size=6)
    np.testing.assert_allclose(pointwise_conv(inputs, kernel, bias), inputs @ kernel + bias, rtol=1e-12)
    np.testing.assert_allclose(pointwise_conv(inputs[0], kernel), inputs[0] @ kernel, rtol=1e-12)


@pytest.mark.parametrize("mode", PAD_MODES)
@FEWER
@given(geometries(ranks=(1, 2)), MULTIPLIERS, SEEDS)
def test_depthwise_gradients_by_differences(mode, check_gradients, geometry, multiplier, seed):
    shape, kernel_size, arguments = geometry
    random, channels = np.random.default_rng(seed), shape[-1]
    assume(mode == "constant" or fits_around(shape[1:-1], kernel_size, arguments))
    arrays = {
        "inputs": random.normal(size=shape),
        "kernel": random.normal(size=(*kernel_size, channels, multiplier)),
        "bias": random.normal(size=channels * multiplier),
    }
    check_gradients(depthwise_conv, depthwise_conv_backward, arrays, **arguments, pad_mode=mode)


def fits_around(spatial, kernel_size, arguments) -> bool:
    """Whether no side is padded by more than there is to mirror (NumPy mirrors mirrors beyond)."""
    amounts = amounts_for(
        spatial, kernel_size, arguments["strides"], arguments["padding"], arguments["dilation_rate"]
    )
    return all(max(pair) < n for pair, n in zip(amounts, spatial, strict=True))


@FEWER
@given(geometries(), MULTIPLIERS, SEEDS)
def test_separable_gradients_by_differences(check_gradients, geometry, multiplier, seed):
    shape, kernel_size, arguments = geometry
    random, channels = np.random.default_rng(seed), shape[-1]
    arrays = {
        "inputs": random.normal(size=shape),
        "depthwise_kernel": random.normal(size=(*kernel_size, channels, multiplier)),
        "pointwise_kernel": random.normal(size=(*[1] * len(kernel_size), channels * multiplier, 3)),
        "bias": random.normal(size=3),
    }
    check_gradients(separable_conv, separable_conv_backward, arrays, **arguments)


def test_pointwise_gradients_by_differences(check_gradients, rng):
    arrays = {
        name: rng.normal(size=s) for name, s in (("inputs", (2, 3, 4, 5)), ("kernel", (5, 6)), ("bias", 6))
    }
    check_gradients(pointwise_conv, pointwise_conv_backward, arrays)


@pytest.mark.keras
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (2, 1), (3, 1), (1, 2), (1, 3)])
def test_depthwise_and_separable_equal_keras(rank, strides, dilation):
    ops, ones = keras().ops, (1,) * rank
    for size, multiplier, padding in itertools.product((1, 2, 3), (1, 2), ("valid", "same")):
        inputs, each, across = whole(
            size, (2, *(9, 8)[:rank], 3), (*(size,) * rank, 3, multiplier), (*ones, 3 * multiplier, 4)
        )
        geometry = {"strides": strides, "padding": padding, "dilation_rate": dilation}
        theirs = ops.depthwise_conv(inputs, each, **geometry)
        np.testing.assert_array_equal(depthwise_conv(inputs, each, **geometry), theirs)
        theirs = ops.separable_conv(inputs, each, across, **geometry)
        np.testing.assert_array_equal(separable_conv(inputs, each, across, **geometry), theirs)


# --- shuffling -------------------------------------------------------------------------------------


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 3))
def test_shuffling_twice_restores_the_order(groups, each, spatial):
    inputs = np.arange(2 * 3**spatial * groups * each).reshape(2, *[3] * spatial, groups * each)
    shuffled = channel_shuffle(inputs, groups)
    np.testing.assert_array_equal(channel_shuffle(shuffled, each), inputs)
    np.testing.assert_array_equal(channel_shuffle_backward(shuffled, inputs, groups), inputs)
    for block in np.split(shuffled, each, axis=-1):  # each next group has one channel of every group
        np.testing.assert_array_equal(block[(0,) * (spatial + 1)] // each, np.arange(groups))


def test_shuffling_lets_every_output_see_every_input(rng):
    """Two grouped convolutions alone keep the groups apart; a shuffle between them mixes all."""
    first, second = rng.normal(size=(1, 3, 9)), rng.normal(size=(1, 3, 9))

    def seen(between):
        one = [between(conv(x[None, None], first, groups=3)) for x in np.eye(9)]
        return np.array([conv(x, second, groups=3).ravel() for x in one]) != 0

    assert seen(lambda x: x).sum() == 27
    assert seen(lambda x: channel_shuffle(x, 3)).all()


# --- which kernels factor ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kernel", "rank"),
    [
        (box(5), 1),
        (gaussian(7, 1.3), 1),
        (sobel("vertical"), 1),
        (sobel("horizontal"), 1),
        (prewitt("vertical"), 1),
        (laplacian(), 2),
        (sharpen(), 2),
        (np.eye(4), 4),
        (np.zeros((2, 3)), 0),
        (np.ones((1, 5)), 1),
    ],
)
def test_which_classic_kernels_factor(kernel, rank):
    assert separable_rank(kernel) == rank
    if rank > 1:
        with pytest.raises(SizeError, match=f"rank {rank} is no column times a row; add up {rank} pairs"):
            factors(kernel)
    else:
        column, row = factors(kernel)
        assert column.dtype == row.dtype == kernel.dtype
        np.testing.assert_allclose(np.outer(column, row), kernel, rtol=1e-6)


@given(
    hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.integers(-9, 9)),
    hnp.arrays(np.float64, st.integers(1, 6), elements=st.integers(-9, 9)),
)
def test_rank_and_factors_of_whole_numbers(plane, vector):
    rank = separable_rank(plane)
    assert rank == np.linalg.matrix_rank(plane) <= min(plane.shape)
    product = np.outer(vector, plane[0])
    assert separable_rank(product) == bool(product.any())
    np.testing.assert_allclose(np.outer(*factors(product)), product, rtol=1e-14)
    if rank:
        assert low_rank(plane, rank).error < 1e-12
        np.testing.assert_allclose(low_rank(plane, rank).kernel, plane, atol=1e-12)


def test_no_sum_of_so_many_pairs_comes_nearer(rng):
    plane = rng.normal(size=(5, 7))
    errors = [low_rank(plane, rank).error for rank in range(1, 6)]
    assert errors == sorted(errors, reverse=True)
    whole = np.linalg.norm(plane)
    values = scipy.linalg.svdvals(plane)
    for rank, error in enumerate(errors, start=1):
        found = low_rank(plane, rank)
        assert (found.columns.shape, found.rows.shape) == ((rank, 5), (rank, 7))
        assert error == pytest.approx(np.linalg.norm(plane - found.kernel) / whole, abs=1e-12)
        assert error == pytest.approx(np.linalg.norm(values[rank:]) / whole, abs=1e-12)
        for _ in range(20):  # any other sum is farther off
            columns, rows = rng.normal(size=(5, rank)), rng.normal(size=(rank, 7))
            columns = plane @ np.linalg.pinv(rows) if rank < 5 else columns
            assert np.linalg.norm(plane - columns @ rows) / whole >= error - 1e-12
    assert low_rank(np.zeros((2, 2)), 1).error == 0


@FEWER
@given(geometries(ranks=(2,)), SEEDS, st.sampled_from(list(PAD_MODES)), st.sampled_from([0, 3]))
def test_spatially_separable_is_one_full_convolution(geometry, seed, mode, value):
    shape, (height, width), arguments = geometry
    channels, middle, filters = shape[-1], 2, 3
    assume(mode == "constant" or fits_around(shape[1:-1], (height, width), arguments))
    edge = {"pad_mode": mode, "pad_value": value}
    inputs, column, row, bias = whole(
        seed, shape, (height, channels, middle), (width, middle, filters), filters, dtype=np.float64
    )
    full = np.einsum("hcm,wmf->hwcf", column, row)
    outputs = spatially_separable_conv(inputs, column, row, bias=bias, **arguments, **edge)
    np.testing.assert_array_equal(outputs, conv(inputs, full, bias=bias, **arguments, **edge))
    upright, flat = column[:, 0, 0], row[:, 0, 0]
    alone = np.repeat(np.outer(upright, flat)[..., None, None], channels, axis=2)
    outputs = spatially_separable_conv(inputs, upright, flat, **arguments, **edge)
    np.testing.assert_array_equal(outputs, depthwise_conv(inputs, alone, **arguments, **edge))


@pytest.mark.parametrize("vectors", [False, True])
@FEWER
@given(geometries(ranks=(2,)), SEEDS)
def test_spatially_separable_gradients_by_differences(vectors, check_gradients, geometry, seed):
    shape, (height, width), arguments = geometry
    random, channels = np.random.default_rng(seed), shape[-1]
    mode = list(PAD_MODES)[seed % 4]
    assume(mode == "constant" or fits_around(shape[1:-1], (height, width), arguments))
    arrays = {
        "inputs": random.normal(size=shape),
        "column": random.normal(size=height if vectors else (height, channels, 2)),
        "row": random.normal(size=width if vectors else (width, 2, 3)),
        "bias": random.normal(size=channels if vectors else 3),
    }
    check_gradients(
        spatially_separable_conv, spatially_separable_conv_backward, arrays, **arguments, pad_mode=mode
    )


def test_blurring_by_a_column_and_a_row_equals_scipy(rng):
    image = rng.normal(size=(9, 8))
    blur = gaussian(5, 1.0)
    column, row = factors(blur)
    outputs = spatially_separable_conv(image[None, ..., None], column, row, padding="same", pad_mode="edge")
    expected = scipy.ndimage.correlate(image, blur.astype(float), mode="nearest")
    np.testing.assert_allclose(outputs[0, ..., 0], expected, atol=1e-6)


# --- locally connected -----------------------------------------------------------------------------


@given(geometries(), st.integers(1, 3), SEEDS)
def test_locally_connected_equals_its_loop_twin(geometry, filters, seed):
    shape, kernel_size, arguments = geometry
    expected = sizes.locally_connected_shape(shape, kernel_size, filters, **arguments)
    outer = expected[: len(kernel_size)]
    inputs, kernel, bias = whole(seed, shape, expected, (*outer, filters))
    looped = locally_connected_loops(
        padded(inputs, kernel_size, arguments), kernel, arguments["strides"], arguments["dilation_rate"]
    )
    outputs = locally_connected(inputs, kernel, bias=bias, **arguments)
    assert outputs.dtype == np.float32
    np.testing.assert_array_equal(outputs, looped + bias)


@FEWER
@given(geometries(), st.integers(1, 3), SEEDS)
def test_equal_weights_everywhere_make_it_a_convolution(geometry, filters, seed):
    shape, kernel_size, arguments = geometry
    shared = (*kernel_size, shape[-1], filters)
    inputs, kernel, slopes = whole(seed, shape, shared, ())
    outputs = conv(inputs, kernel, **arguments)
    places = outputs.shape[1:-1]
    everywhere = np.broadcast_to(kernel, places + shared)
    np.testing.assert_array_equal(locally_connected(inputs, everywhere, **arguments), outputs)
    (slopes,) = whole(seed + 1, outputs.shape)
    ours = locally_connected_backward(slopes, inputs, everywhere, **arguments)
    theirs = conv_backward(slopes, inputs, kernel, **arguments)
    np.testing.assert_array_equal(ours.inputs, theirs.inputs)
    np.testing.assert_array_equal(ours.kernel.sum(axis=tuple(range(len(places)))), theirs.kernel)


@FEWER
@given(geometries(), SEEDS)
def test_locally_connected_gradients_by_differences(check_gradients, geometry, seed):
    shape, kernel_size, arguments = geometry
    random = np.random.default_rng(seed)
    weights = sizes.locally_connected_shape(shape, kernel_size, 2, **arguments)
    arrays = {
        "inputs": random.normal(size=shape),
        "kernel": random.normal(size=weights),
        "bias": random.normal(size=(*weights[: len(kernel_size)], 2)),
    }
    check_gradients(locally_connected, locally_connected_backward, arrays, **arguments)


# --- what all have in common -------------------------------------------------------------------------

#: Operator: the arrays that it takes after images (batch, 6, 6, 4).
TAKES = {
    "depthwise_conv": [(3, 3, 4, 2)],
    "pointwise_conv": [(4, 3)],
    "separable_conv": [(3, 3, 4, 2), (1, 1, 8, 3)],
    "spatially_separable_conv": [(3, 4, 2), (2, 2, 3)],
    "locally_connected": [(4, 4, 3, 3, 4, 2)],
}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("batch", [0, 2])
@pytest.mark.parametrize("name", TAKES)
def test_dtype_is_kept_both_ways_and_batches_may_be_empty(name, batch, dtype):
    operator, backward = getattr(variants, name), getattr(variants, name + "_backward")
    arrays = [np.ones((batch, 6, 6, 4), dtype), *(np.ones(shape, dtype) for shape in TAKES[name])]
    outputs = operator(*arrays)
    assert (outputs.dtype, len(outputs)) == (dtype, batch)
    found = backward(np.ones(outputs.shape, dtype), *arrays)
    assert [slopes.dtype for slopes in found] == [dtype] * len(found)
    assert [slopes.shape for slopes in found[:-1]] == [array.shape for array in arrays]


@pytest.mark.parametrize("name", TAKES)
def test_only_the_gradients_that_are_needed(name, rng):
    operator, backward = getattr(variants, name), getattr(variants, name + "_backward")
    arrays = [rng.normal(size=shape) for shape in [(2, 6, 6, 4), *TAKES[name]]]
    slopes = rng.normal(size=operator(*arrays).shape)
    everything = backward(slopes, *arrays)
    for size in range(len(everything) + 1):
        for needs in itertools.combinations(everything._fields, size):
            some = backward(slopes, *arrays, needs=needs)
            for field in everything._fields:
                if field in needs:
                    np.testing.assert_array_equal(getattr(some, field), getattr(everything, field))
                else:
                    assert getattr(some, field) is None


@pytest.mark.parametrize("name", TAKES)
def test_narrow_integers_are_promoted_and_inputs_left_alone(name, rng):
    operator = getattr(variants, name)
    image = rng.integers(0, 256, (1, 6, 4, 6), np.uint8).swapaxes(2, 3)[:, ::-1]  # lies oddly in memory
    arrays = [rng.integers(0, 100, shape, np.uint8) for shape in TAKES[name]]
    before = [a.copy() for a in (image, *arrays)]
    outputs = operator(image, *arrays)
    assert outputs.dtype == np.float32
    exact = operator(*(a.astype(np.float64) for a in (image, *arrays)))
    np.testing.assert_allclose(outputs, exact, rtol=1e-6)
    for array, old in zip((image, *arrays), before, strict=True):
        np.testing.assert_array_equal(array, old)


# --- counts ----------------------------------------------------------------------------------------


@given(st.tuples(*[st.integers(1, 5)] * 2), st.integers(1, 6), MULTIPLIERS, st.integers(1, 6))
def test_counts_are_those_of_the_arrays(kernel_size, channels, multiplier, filters):
    each = np.empty((*kernel_size, channels, multiplier)).size
    across = np.empty((1, 1, channels * multiplier, filters)).size
    assert sizes.depthwise_parameters(kernel_size, channels, multiplier, use_bias=False) == each
    assert sizes.depthwise_parameters(kernel_size, channels, multiplier) == each + channels * multiplier
    assert (
        sizes.separable_parameters(kernel_size, channels, filters, multiplier, use_bias=False)
        == each + across
    )
    assert sizes.separable_parameters(kernel_size, channels, filters, multiplier) == each + across + filters


@FEWER
@given(geometries(), MULTIPLIERS, st.integers(1, 3))
def test_operations_are_counted_as_products_are_made(geometry, multiplier, filters):
    """Ones everywhere and ones around them, so that a sum of products is their number."""
    shape, kernel_size, arguments = geometry
    edge = {"pad_mode": "constant", "pad_value": 1}
    ones, each = np.ones(shape), np.ones((*kernel_size, shape[-1], multiplier))
    middle = depthwise_conv(ones, each, **arguments, **edge)
    assert sizes.depthwise_macs(shape, kernel_size, multiplier, **arguments) == middle.sum()
    across = pointwise_conv(np.ones(middle.shape), np.ones((middle.shape[-1], filters)))
    total = sizes.separable_macs(shape, kernel_size, filters, multiplier, **arguments)
    assert total == middle.sum() + across.sum()


@FEWER
@given(geometries(), st.integers(1, 300))
def test_the_cost_of_separating_is_the_ratio_of_operations_and_weights(geometry, filters):
    shape, kernel_size, arguments = geometry
    cost = sizes.separable_cost(kernel_size, filters)
    assert cost == Fraction(1, filters) + Fraction(1, math.prod(kernel_size))
    separable = sizes.separable_macs(shape, kernel_size, filters, **arguments)
    assert cost == Fraction(separable, sizes.conv_macs(shape, kernel_size, filters, **arguments))
    separable = sizes.separable_parameters(kernel_size, shape[-1], filters, use_bias=False)
    assert cost == Fraction(separable, sizes.conv_weights(kernel_size, shape[-1], filters))


@FEWER
@given(geometries(), st.integers(1, 3))
def test_weights_that_are_not_shared_are_counted_place_by_place(geometry, filters):
    shape, kernel_size, arguments = geometry
    places = math.prod(sizes.output_shape(shape, kernel_size, filters, **arguments)[1:-1])
    for use_bias in (True, False):
        shared = sizes.conv_parameters(kernel_size, shape[-1], filters, use_bias=use_bias)
        ours = sizes.locally_connected_parameters(shape, kernel_size, filters, **arguments, use_bias=use_bias)
        assert ours == places * shared


@pytest.mark.keras
def test_parameters_are_those_of_the_keras_layers():
    layers = keras().layers
    for size, multiplier, use_bias in itertools.product((1, 3, (2, 5)), (1, 2), (True, False)):
        window = sizes.per_axis(size, 2, "kernel_size")
        layer = layers.DepthwiseConv2D(size, depth_multiplier=multiplier, use_bias=use_bias)
        layer.build((None, 9, 9, 6))
        assert layer.count_params() == sizes.depthwise_parameters(window, 6, multiplier, use_bias)
        layer = layers.SeparableConv2D(7, size, depth_multiplier=multiplier, use_bias=use_bias)
        layer.build((None, 9, 9, 6))
        assert layer.count_params() == sizes.separable_parameters(window, 6, 7, multiplier, use_bias)


# --- bad input -------------------------------------------------------------------------------------

X = np.ones((1, 6, 6, 4), np.float32)
D, P = np.ones((3, 3, 4, 2)), np.ones((1, 1, 8, 3))
L = np.ones((4, 4, 3, 3, 4, 2))
C, R = np.ones((3, 4, 2)), np.ones((3, 2, 5))
BAD = [
    (lambda: depthwise_conv(X[0, 0], D), ShapeError, "(6, 4) … (3, 3, 4, 2) … channels, multiplier"),
    (lambda: depthwise_conv(X, D[0]), ShapeError, "(1, 6, 6, 4) … (3, 4, 2)"),
    (
        lambda: depthwise_conv(X, D[:, :, :3]),
        ShapeError,
        "4 channels … for 3; it must have shape (3, 3, 4, 2)",
    ),
    (lambda: depthwise_conv(X, D, bias=np.ones(4)), ShapeError, "bias has shape (4,); 8 filters need (8,)"),
    (lambda: depthwise_conv(X, D[..., :0]), ShapeError, "is empty; every axis needs at least 1"),
    (lambda: depthwise_conv(X, D, dilation_rate=4), SizeError, "axis 0: kernel 3 spread over 9"),
    (lambda: depthwise_conv(X * 1j, D), DtypeError, "inputs has dtype complex64"),
    (lambda: depthwise_conv_backward(X, X, D), ShapeError, "gradient has shape (1, 6, 6, 4) … (1, 4, 4, 8)"),
    (lambda: pointwise_conv(X, P), ShapeError, "is (channels, filters), not (1, 1, 8, 3)"),
    (lambda: pointwise_conv(X, P[0, 0]), ShapeError, "4 channels … it must have shape (1, 1, 4, 3)"),
    (lambda: separable_conv(X, D, P[..., :4, :]), ShapeError, "8 channels … (1, 1, 4, 3); … (1, 1, 8)"),
    (lambda: separable_conv(X, D, np.ones((3, 3, 8, 3))), ShapeError, "(3, 3, 8, 3); it must have"),
    (lambda: separable_conv(X, D, P[0, 0]), ShapeError, "(8, 3); it must have shape (1, 1, 8)"),
    (lambda: separable_conv_backward(X, X, D, P), ShapeError, "gradient has shape (1, 6, 6, 4)"),
    (lambda: separable_conv_backward(X, X, D, P, needs=["kernel"]), ShapeError, "no gradient of kernel"),
    (lambda: channel_shuffle(X, 3), ShapeError, "4 channels cannot be shuffled in 3 groups; … divisors of 4"),
    (lambda: channel_shuffle(X, 0), SizeError, "groups must be a whole number of at least 1, not 0"),
    (lambda: channel_shuffle(3, 1), ShapeError, "a single number has no channels"),
    (lambda: channel_shuffle_backward(X[:, 1:], X, 2), ShapeError, "gradient has shape (1, 5, 6, 4)"),
    (lambda: channel_shuffle_backward(X, X, 3), ShapeError, "4 channels cannot be shuffled in 3 groups"),
    (lambda: channel_shuffle_backward(X, X, 0), SizeError, "groups … not 0"),
    (lambda: separable_rank([1, 2]), ShapeError, "shape (2,) has no rank; it must be (height, width)"),
    (lambda: separable_rank(np.ones((0, 3))), ShapeError, "(0, 3)"),
    (lambda: separable_rank([[np.nan, 1]]), SizeError, "kernel has 1 value(s) that are not finite"),
    (lambda: factors(np.eye(3)), SizeError, "rank 3 is no column times a row; add up 3 pairs, see low_rank"),
    (lambda: low_rank(np.eye(3), 4), SizeError, "rank 4 is more than … (3, 3) can have; at most 3"),
    (lambda: low_rank(np.eye(3), 0), SizeError, "rank must be … at least 1, not 0"),
    (lambda: spatially_separable_conv(X[0], C, R), ShapeError, "(6, 6, 4) … (3, 4, 2) … (3, 2, 5)"),
    (lambda: spatially_separable_conv(X, C, R[:, 0, 0]), ShapeError, "two vectors, or (kernel_height"),
    (lambda: spatially_separable_conv(X, C[:, :3], R), ShapeError, "4 channels"),
    (lambda: spatially_separable_conv(X, C, C), ShapeError, "2 channels … it must have shape (1, 3, 2, 2)"),
    (
        lambda: spatially_separable_conv(X[:, :2], C, R),
        SizeError,
        "axis 0: kernel 3 does not fit into input 2",
    ),
    (lambda: spatially_separable_conv(X, C[:0], R), SizeError, "kernel_size must be … at least 1, not 0"),
    (lambda: spatially_separable_conv_backward(X, X, C, R), ShapeError, "gradient has shape (1, 6, 6, 4)"),
    (
        lambda: spatially_separable_conv_backward(X, X, C, R, needs=["k"]),
        ShapeError,
        "no gradient of k; choose among inputs, column, row",
    ),
    (lambda: locally_connected(X, D), ShapeError, "(1, 6, 6, 4) … (3, 3, 4, 2) … (*output, *kernel_size"),
    (
        lambda: locally_connected(X, L[:3]),
        ShapeError,
        "(4, 4) places … (3, 4, 3, 3, 4, 2), it must have (4, 4, 3",
    ),
    (
        lambda: locally_connected(X, L[..., :3, :]),
        ShapeError,
        "over 4 channels … (4, 4, 3, 3, 3, 2), it must",
    ),
    (lambda: locally_connected(X, L, padding="same"), ShapeError, "(6, 6) places"),
    (lambda: locally_connected(X, L, bias=np.ones(2)), ShapeError, "bias has shape (2,); … (4, 4, 2)"),
    (lambda: locally_connected(X, L[..., :0]), ShapeError, "is empty"),
    (lambda: locally_connected(X[:, :2], L), SizeError, "axis 0: kernel 3 does not fit into input 2"),
    (lambda: locally_connected(X, L * 1j), DtypeError, "kernel has dtype complex128"),
    (
        lambda: locally_connected_backward(X, X, L),
        ShapeError,
        "gradient has shape (1, 6, 6, 4) … (1, 4, 4, 2)",
    ),
    (
        lambda: locally_connected_backward(X, X, L, needs=["row"]),
        ShapeError,
        "no gradient of row; choose among",
    ),
    (lambda: sizes.depthwise_parameters((3, 3), 0), SizeError, "channels must be … at least 1, not 0"),
    (lambda: sizes.depthwise_parameters((3, 3), 3, 0), SizeError, "multiplier must be … at least 1, not 0"),
    (
        lambda: sizes.separable_parameters(3, 3, 3),
        ShapeError,
        "kernel_size must have one number for each axis",
    ),
    (lambda: sizes.separable_cost(3, 4), ShapeError, "kernel_size must have one number for each axis"),
    (lambda: sizes.separable_cost((3, 3), 0), SizeError, "filters must be … at least 1, not 0"),
    (lambda: sizes.separable_macs((4, 4), 3, 1), ShapeError, "(4, 4) has 2 axes"),
    (
        lambda: sizes.locally_connected_parameters((1, 2, 2, 1), 3, 1),
        SizeError,
        "axis 0: kernel 3 does not fit",
    ),
]


@pytest.mark.parametrize(("call", "error", "words"), BAD)
def test_bad_input_is_answered_in_one_line(call, error, words, says):
    with pytest.raises(error) as caught:
        call()
    says(caught, words)
