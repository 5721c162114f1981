"""Connection matrices against what impulses do, and shifts against rolling, SciPy and whole-number truths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st

from cnnlib import sizes
from cnnlib.connections import (
    KINDS,
    connection_ids,
    conv_matrix,
    counts,
    coverage,
    equivariance,
    invariance,
    shift,
)
from cnnlib.convolution import conv
from cnnlib.errors import ShapeError, SizeError
from cnnlib.padding import pad
from cnnlib.pooling import average_pool, global_average_pool, max_pool
from cnnlib.receptive_field import Window, inputs_seen
from cnnlib.variants import locally_connected


@st.composite
def layers(draw):
    """(spatial, kernel_size, options) of a small layer that fits."""
    rank = draw(st.integers(1, 2))
    size = tuple(draw(st.integers(1, 3)) for _ in range(rank))
    dilation = tuple(draw(st.integers(1, 2)) for _ in range(rank))
    spatial = tuple((k - 1) * d + 1 + draw(st.integers(0, 3)) for k, d in zip(size, dilation, strict=True))
    padding = draw(st.sampled_from(["valid", "same", "full", 1, ((1, 0),) * rank]))
    strides = tuple(draw(st.integers(1, 2)) for _ in range(rank))
    return spatial, size, {"strides": strides, "padding": padding, "dilation_rate": dilation}


@given(layers(), st.integers(1, 2), st.integers(1, 2))
def test_the_matrix_of_a_convolution_is_what_it_does_to_impulses(layer, channels, filters):
    """Column by column: a linear map is known by what it makes of single ones."""
    spatial, size, options = layer
    kernel = np.random.default_rng(1).integers(1, 9, (*size, channels, filters))
    impulses = np.eye(int(np.prod(spatial)) * channels).reshape(-1, *spatial, channels)
    expected = conv(impulses, kernel, **options).reshape(len(impulses), -1).T
    matrix = conv_matrix(kernel, spatial, **options)
    assert matrix.dtype == kernel.dtype
    np.testing.assert_array_equal(matrix, expected)


@given(layers(), st.integers(1, 2), st.integers(1, 2))
def test_ids_put_weights_where_the_layers_put_them(layer, channels, filters):
    """With the weights looked up by their numbers, each matrix is its layer."""
    spatial, size, options = layer
    numbers = np.random.default_rng(2)
    inputs = numbers.integers(-9, 9, (2, *spatial, channels))
    flat = inputs.reshape(2, -1)
    ids = {kind: connection_ids(kind, spatial, size, **options, channels=channels, filters=filters)
           for kind in KINDS}  # fmt: skip

    kernel = numbers.integers(-9, 9, (*size, channels, filters))
    weights = np.r_[0, np.moveaxis(kernel, -1, 0).ravel()]
    outputs = conv(inputs, kernel, **options)
    np.testing.assert_array_equal(flat @ weights[ids["convolution"]].T, outputs.reshape(2, -1))

    assert (ids["dense"] > 0).all()
    assert ((ids["local"] > 0) == (ids["convolution"] > 0)).all()
    for kind in ("dense", "local"):  # nothing is shared
        used = ids[kind][ids[kind] > 0]
        np.testing.assert_array_equal(np.sort(used), np.arange(1, used.size + 1))
    if options["padding"] == "valid" and set(options["dilation_rate"]) == {1}:
        places = outputs.shape[1:-1]
        own = numbers.integers(-9, 9, (*places, *size, channels, filters))
        # numbered output by output, filter by filter
        weights = np.r_[0, np.moveaxis(own, -1, len(places)).ravel()]
        local = locally_connected(inputs, own, options["strides"])
        np.testing.assert_array_equal(flat @ weights[ids["local"]].T, local.reshape(2, -1))


@given(layers(), st.integers(1, 3), st.integers(1, 3))
def test_counts_are_those_of_the_matrices(layer, channels, filters):
    """Without padding: connections are the entries, parameters the different numbers among them."""
    spatial, size, options = layer
    options = {"strides": options["strides"], "padding": "valid"}
    for kind in KINDS:
        ids = connection_ids(kind, spatial, size, **options, channels=channels, filters=filters)
        said = counts(kind, (None, *spatial, channels), size, filters, **options, use_bias=False)
        assert said == (len(ids), np.count_nonzero(ids), len(np.unique(ids[ids > 0])))
        biased = counts(kind, (7, *spatial, channels), size, filters, **options)
        assert biased.connections == said.connections + len(ids)
        assert biased.parameters == said.parameters + (filters if kind == "convolution" else len(ids))


def test_the_syllabus_image():
    dense, local, shared = (counts(kind, (1, 32, 32, 3), 5, 6) for kind in KINDS)
    assert dense.outputs == local.outputs == shared.outputs == 28 * 28 * 6
    assert dense.parameters == (3072 + 1) * 4704
    assert local.parameters == local.connections == shared.connections == 76 * 4704
    assert shared.parameters == sizes.conv_parameters((5, 5), 3, 6)


@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 3), st.sampled_from(["valid", "same", "full", 1]))
def test_coverage_is_the_sum_of_the_columns(size, kernel, stride, padding):
    if size + sum(sizes.padding_amounts(size, kernel, stride, padding)) < kernel:
        return
    ids = connection_ids("convolution", (size, size), kernel, stride, padding)
    np.testing.assert_array_equal(coverage(size, kernel, stride, padding).ravel(), (ids > 0).sum(0))


@given(
    size=st.integers(1, 12),
    kernel_size=st.integers(1, 5),
    stride=st.integers(1, 4),
    padding=st.sampled_from(["valid", "same", "full", 1, (0, 2)]),
)
def test_coverage_counts_what_a_loop_over_windows_counts(size, kernel_size, stride, padding):
    before, after = sizes.padding_amounts(size, kernel_size, stride, padding)
    total = size + before + after
    if total < kernel_size:
        with pytest.raises(SizeError):
            coverage(size, kernel_size, stride, padding)
        return
    counts = np.zeros((total, total), int)
    for y in range(0, total - kernel_size + 1, stride):
        for x in range(0, total - kernel_size + 1, stride):
            counts[y : y + kernel_size, x : x + kernel_size] += 1
    expected = counts[before : before + size, before : before + size]
    np.testing.assert_array_equal(coverage(size, kernel_size, stride, padding), expected)


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 5])
def test_coverage_without_stride_is_the_full_convolution_of_ones(kernel_size):
    places = sizes.output_size(9, kernel_size)
    ones, kernel = np.ones((1, places, places, 1)), np.ones((kernel_size, kernel_size, 1, 1))
    full = conv(ones, kernel, padding="full")[0, ..., 0]
    np.testing.assert_array_equal(coverage(9, kernel_size), full)


@pytest.mark.keras
@pytest.mark.parametrize(("kernel_size", "stride"), [(3, 1), (3, 2), (5, 2), (4, 3)])
def test_coverage_is_what_keras_sends_back_from_ones(kernel_size, stride):
    from cnnlib.keras_bridge import keras

    places = sizes.output_size(7, kernel_size, stride)
    back = keras().layers.Conv2DTranspose(
        1, kernel_size, strides=stride, kernel_initializer="ones", use_bias=False
    )
    sent = np.asarray(back(np.ones((1, places, places, 1))))[0, ..., 0]
    seen = coverage(7, kernel_size, stride)
    reach = sent.shape[0]
    np.testing.assert_array_equal(seen[:reach, :reach], sent)
    assert not seen[reach:].any()
    assert not seen[:, reach:].any()


def test_connections_are_what_outputs_see():
    window = Window(3, 2, "same", 2)
    ids = connection_ids("convolution", (9,), 3, 2, "same", 2)
    for output, row in enumerate(ids):
        assert tuple(np.flatnonzero(row)) == inputs_seen([window], output, 9)


# -- moving the input ---------------------------------------------------------------------------------


@given(st.integers(1, 3), st.data())
def test_circular_shift_rolls(rank, data):
    shape = (2, *(data.draw(st.integers(1, 5)) for _ in range(rank)), 3)
    amount = tuple(data.draw(st.integers(-n, n)) for n in shape[1:-1])
    inputs = np.arange(np.prod(shape)).reshape(shape)
    rolled = np.roll(inputs, amount, axis=tuple(range(1, rank + 1)))
    np.testing.assert_array_equal(shift(inputs, amount, "circular"), rolled)


@pytest.mark.parametrize(
    ("mode", "peer"), [("constant", "constant"), ("edge", "nearest"), ("reflect", "mirror")]
)
@pytest.mark.parametrize("amount", [(0, 0), (2, -1), (-3, 3), (5, 0), (-5, -4)])
def test_shift_as_scipy_shifts(rng, mode, peer, amount):
    image = rng.integers(0, 255, (6, 7), dtype=np.uint8)
    expected = scipy.ndimage.shift(image, amount, order=0, mode=peer, cval=7)
    shifted = shift(image[None, ..., None], amount, mode, 7 if mode == "constant" else 0)
    assert shifted.dtype == np.uint8
    np.testing.assert_array_equal(shifted[0, ..., 0], expected)


#: Whole numbers, so that what is equal is equal to the last bit.
PICTURE = np.random.default_rng(3).integers(-99, 99, (1, 24, 24, 2)).astype(float)
KERNEL = np.random.default_rng(4).integers(-9, 9, (3, 3, 2, 4)).astype(float)


@given(st.integers(-6, 6), st.integers(-6, 6), st.sampled_from(["valid", "same", "full", 2]))
def test_convolution_is_equivariant_inside_and_not_at_the_border(down, right, padding):
    def layer(x):
        return conv(x, KERNEL, padding=padding)

    moved = equivariance(layer, [Window(3, padding=padding)], PICTURE, (down, right))
    assert moved.error_inside == 0
    assert moved.scale == np.abs(layer(PICTURE)).max()
    # The inside is all that can be expected: each output whose windows, here and there, hold pixels alone.
    amounts = sizes.padding_amounts(24, 3, 1, padding)
    sides = [
        {
            o
            for o in range(moved.difference.shape[0])
            if all(max(a, 0) <= o - amounts[0] + tap <= 23 + min(a, 0) for tap in range(3))
        }
        for a in (down, right)
    ]
    expected = np.zeros(moved.inside.shape, bool)
    expected[np.ix_(*(sorted(side) for side in sides))] = True
    np.testing.assert_array_equal(moved.inside, expected)
    if down or right:
        assert moved.error_border > 0.1


@given(st.integers(-12, 12), st.integers(-12, 12))
def test_on_a_ring_there_is_no_border(down, right):
    """Circular padding and a circular shift: equal everywhere, in full."""

    def layer(x):
        return conv(x, KERNEL, padding="same", pad_mode="circular")

    moved = equivariance(layer, [Window(3, padding="same")], PICTURE, (down, right), "circular")
    assert moved.error_inside == moved.error_border == 0


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_stride_keeps_only_its_own_multiples(stride):
    def layer(x):
        return conv(x, KERNEL, stride)

    for amount in range(-8, 9):
        moved = equivariance(layer, [Window(3, stride)], PICTURE, amount)
        assert moved.inside.any()
        assert (moved.error_inside == 0) == (amount % stride == 0), (stride, amount)


@given(st.integers(-7, 7), st.integers(0, 3), st.integers(37, 40))
def test_between_its_multiples_a_stride_is_off_by_the_rest(amount, before, size):
    """On a ramp the difference is the distance, in pixels, to the nearest multiple of the stride."""
    ramp = np.arange(100.0, 100 + size).reshape(1, size, 1)
    window = Window(1, 4, ((before, 0),))
    moved = equivariance(lambda x: pad(x, [(before, 0)])[:, ::4], [window], ramp, amount)
    assert moved.error_inside == min(amount % 4, -amount % 4)
    assert moved.inside.sum() >= 6


def test_a_stack_is_measured_by_its_own_stride():
    def network(x):
        return max_pool(np.maximum(conv(max_pool(x, 2), KERNEL, padding="same"), 0), 2)

    windows = [Window(2, 2), Window(3, padding="same"), None, Window(2, 2)]
    for amount in range(-8, 9):
        moved = equivariance(network, windows, PICTURE, amount)
        assert moved.inside.any()
        assert (moved.error_inside == 0) == (amount % 4 == 0)


def test_pooling_forgives_a_shift_in_its_windows_and_no_other(rng):
    bright = np.zeros((1, 12, 1))
    bright[0, ::4] = rng.integers(1, 9, (3, 1))  # each maximum at the start of a window of 4
    wide = np.repeat(bright[:, ::4], 4, axis=1)

    def pooled(x):
        return max_pool(x, 4)

    for amount in range(4):
        assert invariance(pooled, bright, amount, "constant") == (1.0, 0.0)
    assert invariance(pooled, bright, -1, "constant").unchanged < 1
    assert invariance(pooled, bright, 4, "constant").unchanged < 1
    # Average pooling forgives nothing but an even picture.
    assert invariance(lambda x: average_pool(x, 4), wide, 1).unchanged < 1
    assert invariance(lambda x: average_pool(x, 4), np.ones((1, 12, 1)), 1) == (1.0, 0.0)


def test_global_pooling_forgives_everything_on_a_ring():
    for amount in itertools.product((-5, 0, 3), repeat=2):
        moved = invariance(lambda x: global_average_pool(x).round(9), PICTURE, amount, "circular")
        assert moved == (1.0, 0.0)


def test_change_is_told_against_the_spread_of_the_outputs(rng):
    """A shift of noise changes everything, whatever the contrast: independent values differ by as much."""
    noise = rng.normal(size=(1, 200, 200, 1))
    for contrast in (1, 100):
        moved = invariance(lambda x: x, noise * contrast, 1, "circular")
        assert moved.unchanged == 0
        assert moved.change == pytest.approx(np.sqrt(2), abs=0.02)  # of normal noise
    assert invariance(lambda x: 0 * x, noise, 1) == (1.0, 0.0)


def test_shift_takes_in_what_pad_puts_around(rng):
    inputs = rng.normal(size=(1, 5, 4, 2))
    around = pad(inputs, [(2, 0), (0, 1)], "constant", 3)
    np.testing.assert_array_equal(shift(inputs, (2, -1), value=3), around[:, :5, 1:])


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: counts("sparse", (1, 8, 1), 3), SizeError, "'sparse' is unknown; use one of dense, local"),
        (lambda: connection_ids("sparse", (8,), 3), SizeError, "use one of dense, local, convolution"),
        (lambda: connection_ids(["local"], (8,), 3), SizeError, "['local'] is unknown"),
        (
            lambda: conv_matrix(np.ones((3, 3)), (8, 8)),
            ShapeError,
            "(3, 3) does not go with inputs of size (8, 8)",
        ),
        (
            lambda: conv_matrix(np.ones((3, 1, 1)), 8),
            ShapeError,
            "spatial must have one number for each axis",
        ),
        (lambda: coverage("8", 3), SizeError, "size must be a whole number of at least 0, not '8'"),
        (lambda: connection_ids("local", (8,), 9), SizeError, "kernel 9 does not fit into input 8"),
        (
            lambda: shift(np.ones((4, 4)), 1),
            ShapeError,
            "(4, 4) cannot be shifted; they need (batch, *spatial",
        ),
        (
            lambda: shift(np.ones((1, 4, 4, 1)), (1, 5)),
            SizeError,
            "axis 1: a picture of 4 cannot be shifted by 5",
        ),
        (
            lambda: shift(np.ones((1, 4, 1)), 0.5),
            SizeError,
            "amount must be a whole number of at least -4, not 0.5",
        ),
        (lambda: shift(np.ones((1, 4, 4, 1)), (1, 2, 3)), ShapeError, "3 values (1, 2, 3) for 2 axes"),
        (
            lambda: equivariance(global_average_pool, ["everything"], np.ones((1, 4, 4, 1)), 1),
            ShapeError,
            "makes shape (1, 1) of (1, 4, 4, 1); it must keep the spatial axes",
        ),
        (lambda: invariance(lambda x: x[:0], np.ones((1, 4, 1)), 1), SizeError, "give it a larger picture"),
    ],
)
def test_errors_name_the_numbers(call, error, says):
    with pytest.raises(error) as caught:
        call()
    assert says in str(caught.value)
