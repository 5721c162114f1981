"""The one sliding window that convolution and pooling share. Chapters 2 and 6.

>>> import numpy as np
>>> row = np.arange(6).reshape(1, 6, 1)                   # (batch, width, channels)
>>> sliding_windows(row, kernel_size=2, strides=2)[0, :, :, 0]
array([[0, 1],
       [2, 3],
       [4, 5]])
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cnnlib.padding import as_array
from cnnlib.sizes import PerAxis, output_shape, per_axis, remembered


def sliding_windows(
    inputs: NDArray, kernel_size: PerAxis, strides: PerAxis = 1, dilation_rate: PerAxis = 1
) -> NDArray:
    """Every window of ``inputs`` that a kernel of ``kernel_size`` would see, without copying.

    Args:
        inputs: array (batch, *spatial, channels), already padded.
        kernel_size, strides, dilation_rate: one number for all spatial axes or one for each.

    Returns:
        read-only view (batch, *output, *kernel_size, channels).

    Raises:
        SizeError: a window does not fit along an axis.
    """
    inputs = as_array(inputs, "inputs")
    shape, jumps = _view(inputs.shape, inputs.strides, kernel_size, strides, dilation_rate)
    return np.lib.stride_tricks.as_strided(inputs, shape, jumps, writeable=False)


@remembered
def _view(
    shape: tuple[int, ...],
    jumps: tuple[int, ...],
    kernel_size: PerAxis,
    strides: PerAxis,
    dilation_rate: PerAxis,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shape of the windows, and the bytes from one element to the next along each of their axes.

    From window to window it is a stride further, from weight to weight within a window a dilation.
    """
    outputs = output_shape(shape, kernel_size, None, strides, "valid", dilation_rate)  # raises if unfit
    rank = len(shape) - 2
    kernels = per_axis(kernel_size, rank, "kernel_size")
    steps = per_axis(strides, rank, "strides")
    gaps = per_axis(dilation_rate, rank, "dilation_rate")
    item, *along, channel = jumps
    between = [size * step for size, step in zip(along, steps, strict=True)]
    within = [size * gap for size, gap in zip(along, gaps, strict=True)]
    return (*outputs[:-1], *kernels, outputs[-1]), (item, *between, *within, channel)
