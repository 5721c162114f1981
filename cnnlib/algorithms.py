"""The same convolution by other roads: loops to read, and one matrix to multiply by. Chapters 1, 2, 4.

:func:`cnnlib.convolution.conv` is the road that is taken; these are for teaching and for testing it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cnnlib.sizes import output_size


def correlate_loops(signal: NDArray, kernel: NDArray, stride: int = 1) -> NDArray[np.float64]:
    """Cross-correlation in one dimension, as it is said: at each place, multiply and add.

    >>> correlate_loops(np.array([3, 1, 4, 1, 5, 9]), np.array([1, 2]))
    array([ 5.,  9.,  6., 11., 23.])
    """
    places = output_size(len(signal), len(kernel), stride)
    outputs = np.zeros(places)
    for place in range(places):
        for tap in range(len(kernel)):
            outputs[place] += signal[place * stride + tap] * kernel[tap]
    return outputs


def conv_loops(inputs: NDArray, kernel: NDArray, stride: int = 1) -> NDArray[np.float64]:
    """The loop twin of :func:`cnnlib.convolution.conv` for images, ``valid``, one group.

    ``inputs`` is (batch, height, width, channels), ``kernel`` (height, width, channels, filters).
    """
    (batch, height, width, _), (rows, columns, _, filters) = inputs.shape, kernel.shape
    shape = (batch, output_size(height, rows, stride), output_size(width, columns, stride), filters)
    outputs = np.zeros(shape)
    for item, y, x, filter_ in np.ndindex(shape):
        top, left = y * stride, x * stride
        window = inputs[item, top : top + rows, left : left + columns]
        outputs[item, y, x, filter_] = (window * kernel[..., filter_]).sum()
    return outputs


def toeplitz_matrix(kernel: NDArray, size: int, stride: int = 1) -> NDArray:
    """The matrix (outputs, size) whose product with a signal is its cross-correlation with ``kernel``.

    Every row holds the same weights, ``stride`` further right; all else is zero.

    >>> toeplitz_matrix(np.array([1, 2]), size=4)
    array([[1, 2, 0, 0],
           [0, 1, 2, 0],
           [0, 0, 1, 2]])
    """
    kernel = np.asarray(kernel)
    matrix = np.zeros((output_size(size, len(kernel), stride), size), kernel.dtype)
    for place, row in enumerate(matrix):
        row[place * stride : place * stride + len(kernel)] = kernel
    return matrix
