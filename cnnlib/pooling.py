"""Pooling: one number that stands for each window, channel by channel. Chapters 6 and 7.

The windows are those of :mod:`cnnlib.windows`, the sizes those of :mod:`cnnlib.sizes`; there is
nothing to learn, so there are no parameters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.convolution import as_floats
from cnnlib.errors import ShapeError, SizeError
from cnnlib.padding import amounts_for, pad
from cnnlib.sizes import Padding, PerAxis, output_shape, per_axis
from cnnlib.windows import sliding_windows


def max_pool(
    inputs: ArrayLike,
    pool_size: PerAxis,
    strides: PerAxis | None = None,
    padding: Padding = "valid",
) -> NDArray:
    """Keep the largest value of every window. Padding never wins.

    Args:
        inputs: array (batch, *spatial, channels).
        pool_size: the window, one number or one an axis.
        strides: how far it moves; None moves it by its own size, so that windows do not overlap.
        padding: as in :func:`cnnlib.convolution.conv`.

    Returns:
        array (batch, *output, channels).

    >>> max_pool(np.array([1, 3, 2, 9.0]).reshape(1, 4, 1), pool_size=2).ravel()
    array([3., 9.])
    """
    return _fold(np.maximum, _pool_windows(inputs, pool_size, strides, padding, filling=-np.inf))


def average_pool(
    inputs: ArrayLike,
    pool_size: PerAxis,
    strides: PerAxis | None = None,
    padding: Padding = "valid",
) -> NDArray:
    """Take the mean of every window, over the inputs in it: padding is not counted.

    Arguments and result are those of :func:`max_pool`.

    >>> average_pool(np.array([1, 3, 2, 9.0]).reshape(1, 4, 1), pool_size=2).ravel()
    array([2. , 5.5])
    >>> average_pool(np.array([1, 3, 5.0]).reshape(1, 3, 1), pool_size=2, padding="same").ravel()
    array([2., 5.])
    """
    values = as_floats(inputs, "inputs")
    inside = np.ones((1, *values.shape[1:-1], 1), values.dtype)
    sums, counts = (
        _fold(np.add, _pool_windows(array, pool_size, strides, padding, filling=0))
        for array in (values, inside)
    )
    return sums / counts


def global_max_pool(inputs: ArrayLike) -> NDArray:
    """The largest value of each feature map: (batch, *spatial, channels) to (batch, channels).

    >>> global_max_pool(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[6., 7.]])
    """
    values = _feature_maps(inputs)
    return values.max(axis=tuple(range(1, values.ndim - 1)))


def global_average_pool(inputs: ArrayLike) -> NDArray:
    """The mean of each feature map: (batch, *spatial, channels) to (batch, channels).

    >>> global_average_pool(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[3., 4.]])
    """
    values = _feature_maps(inputs)
    return values.mean(axis=tuple(range(1, values.ndim - 1)))


def _feature_maps(inputs: ArrayLike) -> NDArray[np.floating]:
    """The inputs as floats, (batch, *spatial, channels), with something in every map."""
    values = as_floats(inputs, "inputs")
    if values.ndim < 3:
        raise ShapeError(
            f"inputs of shape {values.shape} cannot be pooled; they need (batch, *spatial, channels)"
        )
    if 0 in values.shape[1:-1]:
        raise SizeError(f"feature maps of shape {values.shape[1:-1]} are empty; there is nothing to pool")
    return values


def _pool_windows(
    inputs: ArrayLike,
    pool_size: PerAxis,
    strides: PerAxis | None,
    padding: Padding,
    filling: float,
) -> NDArray:
    """The windows to pool: a view (batch, *output, *pool_size, channels)."""
    values = _feature_maps(inputs)
    rank = values.ndim - 2
    steps = pool_size if strides is None else strides
    amounts = amounts_for(values.shape[1:-1], pool_size, steps, padding)
    output_shape(values.shape, pool_size, None, steps, amounts)  # raises before anything is padded
    for axis, (pair, size) in enumerate(zip(amounts, per_axis(pool_size, rank, "pool_size"), strict=True)):
        if max(pair) >= size:
            raise SizeError(
                f"axis {axis}: padding {pair} leaves a window of {size} without any input; "
                f"pad by less than {size} on each side"
            )
    return sliding_windows(pad(values, amounts, value=filling), pool_size, steps)


def _fold(combine: np.ufunc, windows: NDArray) -> NDArray:
    """Reduce the window axes: one pass over the whole array for each place in the window.

    A pass reads with long strides but in order, which is several times faster than reducing over
    many small axes at once.
    """
    rank = (windows.ndim - 2) // 2
    taps = (windows[(..., *place, slice(None))] for place in np.ndindex(windows.shape[rank + 1 : -1]))
    result = next(taps).copy()
    for tap in taps:
        combine(result, tap, out=result)
    return result
