"""The roads for teaching agree with definitions, with SciPy, and with the road that is taken."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cnnlib.algorithms import conv_loops, correlate_loops, pool_loops, toeplitz_matrix
from cnnlib.convolution import correlate

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
