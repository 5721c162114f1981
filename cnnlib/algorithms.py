"""The same convolution by other roads: loops to read, and one matrix to multiply by. Chapters 1, 2, 4.

:func:`cnnlib.convolution.conv` is the road that is taken; these are for teaching and for testing it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cnnlib.sizes import PerAxis, effective_kernel_size, output_shape, output_size, per_axis


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


def conv_loops(
    inputs: NDArray, kernel: NDArray, strides: PerAxis = 1, dilation_rate: PerAxis = 1, groups: int = 1
) -> NDArray[np.float64]:
    """The loop twin of :func:`cnnlib.convolution.conv`: every output is a window times a filter, summed.

    ``inputs`` is (batch, *spatial, channels), padded already, ``kernel`` (*kernel_size, channels /
    groups, filters).

    >>> picture, kernel = np.arange(9.0).reshape(1, 3, 3, 1), np.ones((2, 2, 1, 1))
    >>> conv_loops(picture, kernel)[0, :, :, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """
    (*kernel_size, depth, filters), rank = kernel.shape, inputs.ndim - 2
    steps, gaps = per_axis(strides, rank, "strides"), per_axis(dilation_rate, rank, "dilation_rate")
    spans = [effective_kernel_size(k, d) for k, d in zip(kernel_size, gaps, strict=True)]
    outputs = np.zeros(output_shape(inputs.shape, kernel_size, filters, strides, "valid", dilation_rate))
    for item, *place, filter_ in np.ndindex(outputs.shape):
        corner = [p * s for p, s in zip(place, steps, strict=True)]
        window = [slice(c, c + span, d) for c, span, d in zip(corner, spans, gaps, strict=True)]
        first = filter_ // (filters // groups) * depth  # of the channels that this filter's group sees
        seen = inputs[(item, *window, slice(first, first + depth))]
        outputs[(item, *place, filter_)] = (seen * kernel[..., filter_]).sum()
    return outputs


def pool_loops(
    inputs: NDArray, pool_size: PerAxis, strides: PerAxis | None = None, summary: Callable = np.max
) -> NDArray[np.float64]:
    """The loop twin of pooling without padding: ``summary`` (a maximum, a mean) of every window.

    >>> pool_loops(np.array([1, 3, 2, 9.0]).reshape(1, 4, 1), 2, summary=np.mean).ravel()
    array([2. , 5.5])
    """
    rank = inputs.ndim - 2
    sizes = per_axis(pool_size, rank, "pool_size")
    steps = sizes if strides is None else per_axis(strides, rank, "strides")
    outputs = np.zeros(output_shape(inputs.shape, sizes, None, steps))
    for item, *place, channel in np.ndindex(outputs.shape):
        window = [slice(p * s, p * s + k) for p, s, k in zip(place, steps, sizes, strict=True)]
        outputs[(item, *place, channel)] = summary(inputs[(item, *window, channel)])
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
