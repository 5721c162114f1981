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
from cnnlib.sizes import PerAxis, effective_kernel_size, output_shape, per_axis


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
    rank = inputs.ndim - 2
    output_shape(inputs.shape, kernel_size, None, strides, "valid", dilation_rate)  # raises if unfit
    kernels = per_axis(kernel_size, rank, "kernel_size")
    steps = per_axis(strides, rank, "strides")
    gaps = per_axis(dilation_rate, rank, "dilation_rate")
    spans = tuple(effective_kernel_size(k, d) for k, d in zip(kernels, gaps, strict=True))
    axes = tuple(range(1, rank + 1))
    view = np.lib.stride_tricks.sliding_window_view(inputs, spans, axis=axes)
    places = tuple(slice(None, None, s) for s in steps)
    taps = tuple(slice(None, None, d) for d in gaps)
    view = view[(slice(None), *places, slice(None), *taps)]
    return np.moveaxis(view, rank + 1, -1)  # channels last again
