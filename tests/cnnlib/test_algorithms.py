"""The roads for teaching agree with definitions, with SciPy, and with the road that is taken."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cnnlib.algorithms import (
    LADDER,
    WINOGRAD_INPUTS,
    WINOGRAD_KERNEL,
    WINOGRAD_OUTPUTS,
    conv_loops,
    conv_seven_loops,
    correlate_loops,
    im2col,
    multiplications,
    pool_loops,
    toeplitz_matrix,
)
from cnnlib.connections import conv_matrix
from cnnlib.convolution import correlate
from cnnlib.errors import ShapeError, SizeError
from cnnlib.sizes import conv_macs, output_shape

WHOLE = st.integers(-9, 9)
SIGNALS = hnp.arrays(np.int64, st.integers(4, 20), elements=WHOLE)
KERNELS = hnp.arrays(np.int64, st.integers(1, 4), elements=WHOLE)


@given(SIGNALS, KERNELS, st.integers(1, 4))
def test_one_axis_by_four_roads(signal, kernel, stride):
    expected = scipy.signal.correlate(signal, kernel, "valid")[::stride]
    np.testing.assert_array_equal(correlate_loops(signal, kernel, stride), expected)
    np.testing.assert_array_equal(toeplitz_matrix(kernel, len(signal), stride) @ signal, expected)
    np.testing.assert_array_equal(correlate(signal, kernel, stride), expected)
    looped = conv_loops(signal[None, :, None], kernel[:, None, None], stride)
    np.testing.assert_array_equal(looped[0, :, 0], expected)


@given(KERNELS, st.integers(4, 12))
def test_the_matrix_is_scipys_toeplitz(kernel, size):
    column = np.r_[kernel[0], np.zeros(size - len(kernel), int)]
    row = np.r_[kernel, np.zeros(size - len(kernel), int)]
    np.testing.assert_array_equal(toeplitz_matrix(kernel, size), scipy.linalg.toeplitz(column, row))


@given(KERNELS, st.integers(4, 12), st.integers(1, 4))
def test_the_matrix_shares_its_weights(kernel, size, stride):
    """Each row holds the kernel and no more, so that the number of free weights is the kernel's."""
    matrix = toeplitz_matrix(kernel, size, stride)
    assert matrix.dtype == kernel.dtype
    for place, row in enumerate(matrix):
        np.testing.assert_array_equal(row[place * stride :][: len(kernel)], kernel)
    assert np.abs(matrix).sum() == len(matrix) * np.abs(kernel).sum()


def test_loops_on_images_against_scipy(rng):
    image, kernel = rng.integers(-9, 9, (7, 8, 3)), rng.integers(-9, 9, (3, 2, 3, 2))
    looped = conv_loops(image[None], kernel)
    for f in range(2):
        planes = [scipy.signal.correlate2d(image[..., c], kernel[..., c, f], "valid") for c in range(3)]
        np.testing.assert_array_equal(looped[0, ..., f], sum(planes))


@pytest.mark.parametrize(("summary", "reduce"), [(np.max, "max"), (np.mean, "mean"), (np.min, "min")])
def test_pooling_without_overlap_is_a_reshape(rng, summary, reduce):
    inputs = rng.normal(size=(2, 6, 8, 3))
    tiled = inputs.reshape(2, 3, 2, 4, 2, 3)
    expected = getattr(tiled, reduce)(axis=(2, 4))
    np.testing.assert_allclose(pool_loops(inputs, 2, summary=summary), expected, rtol=1e-14)


# -- the ladder ---------------------------------------------------------------------------------------


@st.composite
def problems(draw, rank=None, kernel=None, dtype=np.float64):
    """(inputs, kernel, strides) that fit."""
    rank = rank or draw(st.integers(1, 3))
    size = [kernel or draw(st.integers(1, 3)) for _ in range(rank)]
    spatial = [draw(st.integers(k, k + 5)) for k in size]
    strides = tuple(draw(st.integers(1, 3)) for _ in range(rank))
    batch, channels, filters = draw(st.integers(0, 2)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    numbers = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    inputs = numbers.normal(size=(batch, *spatial, channels)).astype(dtype)
    return inputs, numbers.normal(size=(*size, channels, filters)).astype(dtype), strides


def fits(road, kernel):
    """Which problems a road is for."""
    return {"seven loops": kernel.ndim == 4, "Winograd": set(kernel.shape[:-2]) == {3}}.get(road, True)


def bound(inputs, kernel, dtype):
    """Rounding of an inner product, by the sum of its absolute products; transforms add to it."""
    return 64 * np.finfo(dtype).eps * max(np.abs(inputs).sum() * np.abs(kernel).max(), 1)


@given(st.one_of(problems(), problems(rank=2), problems(kernel=3)))
def test_all_roads_lead_to_the_same_outputs(problem):
    inputs, kernel, strides = problem
    expected = conv_loops(inputs, kernel, strides)
    for road, function in LADDER.items():
        if fits(road, kernel):
            outputs = function(inputs, kernel, strides)
            assert outputs.shape == expected.shape, road
            np.testing.assert_allclose(
                outputs, expected, rtol=0, atol=bound(inputs, kernel, np.float64), err_msg=road
            )


@given(problems(rank=2, kernel=3, dtype=np.float32))
def test_fast_roads_keep_float32(problem):
    inputs, kernel, strides = problem
    expected = conv_loops(inputs.astype(np.float64), kernel.astype(np.float64), strides)
    for road in ("windows", "im2col", "Toeplitz", "FFT", "Winograd", "blocks"):
        outputs = LADDER[road](inputs, kernel, strides)
        assert outputs.dtype == np.float32, road
        np.testing.assert_allclose(
            outputs, expected, rtol=0, atol=bound(inputs, kernel, np.float32), err_msg=road
        )


@pytest.mark.parametrize("road", LADDER)
def test_every_road_is_exact_on_small_whole_numbers(rng, road):
    inputs, kernel = rng.integers(-4, 5, (2, 8, 7, 2)), rng.integers(-4, 5, (3, 3, 2, 3))
    expected = np.einsum(
        "bijklc,klcf->bijf",
        np.lib.stride_tricks.sliding_window_view(inputs, (3, 3), (1, 2)).transpose(0, 1, 2, 4, 5, 3),
        kernel,
    )
    outputs = LADDER[road](inputs, kernel)
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-12 if road == "FFT" else 0)


def test_an_image_smaller_than_a_tile_and_odd_ones(rng):
    kernel = rng.normal(size=(3, 3, 2, 2))
    for height, width in ((3, 3), (3, 4), (4, 5), (6, 3)):
        inputs = rng.normal(size=(1, height, width, 2))
        np.testing.assert_allclose(
            LADDER["Winograd"](inputs, kernel), conv_loops(inputs, kernel), rtol=1e-9, atol=1e-12
        )


class Counted:
    """A number that counts its products."""

    products = 0

    def __init__(self, value):
        self.value = value

    def __mul__(self, other):
        Counted.products += 1
        return self.value * other.value


def test_seven_loops_multiply_as_often_as_is_said(rng):
    inputs, kernel = rng.integers(-9, 9, (2, 5, 6, 2)), rng.integers(-9, 9, (2, 3, 2, 3))
    Counted.products = 0
    outputs = conv_seven_loops(np.vectorize(Counted)(inputs), np.vectorize(Counted)(kernel), (2, 1))
    np.testing.assert_array_equal(outputs, conv_loops(inputs, kernel, (2, 1)))
    assert Counted.products == multiplications("seven loops", inputs.shape, (2, 3), 3, (2, 1))


def test_counts_are_those_of_what_is_multiplied(rng):
    shape, filters = (2, 7, 10, 3), 4
    inputs, kernel = rng.normal(size=shape), rng.normal(size=(3, 3, 3, filters))
    for strides in (1, 2):
        rows = im2col(inputs, (3, 3), strides)
        macs = rows.size * filters
        assert macs == conv_macs(shape, 3, filters, strides)
        for road in ("seven loops", "loops", "windows", "im2col", "blocks"):
            assert multiplications(road, shape, 3, filters, strides) == macs
        matrix = conv_matrix(kernel, shape[1:-1], strides)
        assert multiplications("Toeplitz", shape, 3, filters, strides) == matrix.size * len(inputs)
        spectrum = np.fft.rfftn(inputs, axes=(1, 2))
        assert multiplications("FFT", shape, 3, filters, strides) == 4 * spectrum.size * filters
    tiles = 3 * 4  # 5 x 8 outputs in tiles of 2 x 2
    assert multiplications("Winograd", shape, 3, filters) == 2 * tiles * 16 * 3 * filters


def test_winograd_saves_what_lavin_and_gray_say():
    """Per axis two outputs by 4 instead of 6 multiplications: 1.5 times, 2.25 times, 3.375 times fewer."""
    for rank in (1, 2, 3):
        shape = (1, *(18,) * rank, 5)
        saved = multiplications("windows", shape, 3, 7) / multiplications("Winograd", shape, 3, 7)
        assert saved == pytest.approx(1.5**rank)
    small = np.stack([WINOGRAD_INPUTS @ v for v in np.eye(4)])
    assert set(np.unique(small)) == {-1, 0, 1}  # the inputs are only added
    assert set(np.unique(WINOGRAD_KERNEL)) == {-0.5, 0, 0.5, 1}
    # The three matrices are F(2, 3): for every input and weight the bilinear form is the correlation.
    form = np.einsum("om,mw,mi->owi", WINOGRAD_OUTPUTS, WINOGRAD_KERNEL, WINOGRAD_INPUTS)
    for output, weight, place in np.ndindex(2, 3, 4):
        assert form[output, weight, place] == (place == output + weight)


@given(problems())
def test_the_matrix_is_made_of_the_kernels_weights_alone(problem):
    """Each row holds one filter once; the matrix of one axis and one channel is the Toeplitz matrix."""
    _, kernel, strides = problem
    spatial = [k + 2 for k in kernel.shape[:-2]]
    matrix = conv_matrix(kernel, spatial, strides)
    filters = kernel.shape[-1]
    for row, weights in enumerate(matrix):
        np.testing.assert_array_equal(weights[weights != 0], kernel[..., row % filters].ravel())
    if kernel.ndim == 3:
        single = conv_matrix(kernel[:, :1, :1], spatial, strides)
        np.testing.assert_array_equal(single, toeplitz_matrix(kernel[:, 0, 0], spatial[0], strides[0]))


def test_the_doubly_blocked_matrix_is_toeplitz_of_toeplitz(rng):
    kernel = rng.integers(1, 9, (2, 3))
    matrix = conv_matrix(kernel[..., None, None], (4, 5))
    blocks = matrix.reshape(3, 3, 4, 5).swapaxes(1, 2)
    for down, right in np.ndindex(3, 4):
        tap = right - down
        inside = toeplitz_matrix(kernel[tap], 5) if 0 <= tap < 2 else np.zeros((3, 5))
        np.testing.assert_array_equal(blocks[down, right], inside)


def test_im2col_holds_every_window_once(rng):
    inputs = rng.normal(size=(2, 6, 5, 3))
    rows = im2col(inputs, (3, 2), (2, 1))
    places = output_shape(inputs.shape, (3, 2), None, (2, 1))[:-1]
    assert rows.shape == (np.prod(places), 3 * 2 * 3)
    for row, (item, y, x) in zip(rows, np.ndindex(*places), strict=True):
        np.testing.assert_array_equal(row, inputs[item, 2 * y : 2 * y + 3, x : x + 2].ravel())


def test_roads_say_what_they_are_not_for(rng):
    with pytest.raises(ShapeError, match=r"F\(2, 3\) is for kernels of 3 along every axis, not \(3, 2\)"):
        LADDER["Winograd"](np.ones((1, 6, 6, 1)), np.ones((3, 2, 1, 1)))
    with pytest.raises(SizeError, match=r"9216 x 150528 would have 1387266048 numbers, more than 134217728"):
        conv_matrix(np.ones((224 - 95, 224 - 95, 3, 1)), (224, 224))
    with pytest.raises(SizeError, match="road 'magic' is unknown; use one of seven loops, loops"):
        multiplications("magic", (1, 6, 6, 1), 3, 1)
    for road in ("windows", "im2col", "Toeplitz", "FFT", "Winograd"):
        with pytest.raises(ShapeError, match=r"\(1, 6, 6, 2\) and a kernel of shape \(3, 3, 3, 1\)"):
            LADDER[road](np.ones((1, 6, 6, 2)), np.ones((3, 3, 3, 1)))
        with pytest.raises(SizeError, match="kernel 3 does not fit into input 2"):
            LADDER[road](np.ones((1, 2, 6, 1)), np.ones((3, 3, 1, 1)))
