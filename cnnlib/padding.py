"""What to put around the edge: padding an array before a window slides over it. Chapter 6.

>>> import numpy as np
>>> row = np.array([1, 2, 3]).reshape(1, 3, 1)      # (batch, width, channels)
>>> for mode in PAD_MODES:
...     print(f"{mode:9}", pad(row, [(2, 2)], mode).ravel())
constant  [0 0 1 2 3 0 0]
edge      [1 1 1 2 3 3 3]
reflect   [3 2 1 2 3 2 1]
circular  [2 3 1 2 3 1 2]
"""

from __future__ import annotations

import numbers
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.errors import DtypeError, ShapeError, SizeError
from cnnlib.sizes import Padding, PerAxis, as_shape, padding_amounts, per_axis, split_padding

#: The values that may be put around the edge, in the words of this library and of NumPy.
PAD_MODES = {"constant": "constant", "edge": "edge", "reflect": "reflect", "circular": "wrap"}


def as_array(values: ArrayLike, name: str) -> NDArray:
    """Return ``values`` as an array (of any shape), or say that their rows differ in length.

    >>> as_array([[1, 2], [3]], "inputs")
    Traceback (most recent call last):
        ...
    cnnlib.errors.ShapeError: inputs is ragged: its rows differ in length; make them equally long
    """
    try:
        return np.asarray(values)
    except ValueError:  # NumPy's own message speaks of sequences and elements
        raise ShapeError(f"{name} is ragged: its rows differ in length; make them equally long") from None


def pad(
    inputs: NDArray,
    amounts: Sequence[tuple[int, int]],
    mode: str = "constant",
    value: float = 0,
) -> NDArray:
    """Put ``amounts`` elements before and after each spatial axis.

    Args:
        inputs: array (batch, *spatial, channels).
        amounts: a pair (before, after) for each spatial axis.
        mode: ``constant`` (``value`` everywhere), ``edge`` (the outermost value again), ``reflect``
            (mirrored, the edge itself not repeated) or ``circular`` (the other end).
        value: the constant; 0 unless told.

    Returns:
        array (batch, *padded, channels) of the same dtype; ``inputs`` itself where nothing is added.

    Raises:
        SizeError: an unknown mode, a negative amount, or an empty axis that has nothing to repeat.
        ShapeError: not as many pairs as spatial axes.
        DtypeError: a constant that the dtype of ``inputs`` cannot hold.
    """
    inputs = as_array(inputs, "inputs")
    pairs = _pairs(inputs, amounts, mode)
    if not any(map(any, pairs)):
        return inputs
    if mode != "constant" and 0 in inputs.shape[1:-1]:
        raise SizeError(f"shape {inputs.shape} has nothing to repeat; pad it by a constant")
    widths = [(0, 0), *pairs, (0, 0)]
    if mode != "constant":
        return np.pad(inputs, widths, mode=PAD_MODES[mode])  # type: ignore[call-overload]
    constant = _constant(value, inputs.dtype)
    shape = [size + sum(pair) for size, pair in zip(inputs.shape, widths, strict=True)]
    # By hand, because np.pad takes longer over its arguments than over a small batch.
    padded = np.full(shape, constant, inputs.dtype) if constant else np.zeros(shape, inputs.dtype)
    inside = (slice(before, before + n) for n, (before, _) in zip(inputs.shape, widths, strict=True))
    padded[tuple(inside)] = inputs
    return padded


def pad_backward(gradient: NDArray, amounts: Sequence[tuple[int, int]], mode: str = "constant") -> NDArray:
    """The gradient of :func:`pad`: what was put around the edge gives its share back to where it came from.

    A constant came from nowhere, so that its share is dropped.

    Args:
        gradient: array (batch, *padded, channels), dL/d(outputs of pad).
        amounts, mode: as they were given to :func:`pad`.

    Returns:
        array (batch, *spatial, channels), dL/d(inputs); a view where nothing is added up.

    Raises:
        SizeError: an unknown mode, or more padding than there are elements.
        ShapeError: not as many pairs as spatial axes.

    >>> row = np.ones((1, 7, 1))
    >>> for mode in PAD_MODES:
    ...     print(f"{mode:9}", pad_backward(row, [(2, 2)], mode).ravel())
    constant  [1. 1. 1.]
    edge      [3. 1. 3.]
    reflect   [2. 3. 2.]
    circular  [2. 3. 2.]
    """
    gradient = as_array(gradient, "gradient")
    for axis, (before, after) in enumerate(_pairs(gradient, amounts, mode), start=1):
        size = gradient.shape[axis] - before - after
        if size < (mode != "constant"):
            raise SizeError(
                f"axis {axis - 1}: a gradient of {gradient.shape[axis]} elements is too short for "
                f"padding {before} + {after}; it needs the padded size"
            )
        places = np.moveaxis(gradient, axis, 0)
        folded = places[before : before + size]
        if mode != "constant" and (before or after):
            folded = folded.copy()
            sources = np.pad(np.arange(size), (before, after), mode=PAD_MODES[mode])  # type: ignore[call-overload]
            for place in (*range(before), *range(before + size, len(places))):
                folded[sources[place]] += places[place]
        gradient = np.moveaxis(folded, 0, axis)
    return gradient


def _pairs(array: NDArray, amounts: Sequence[tuple[int, int]], mode: str) -> list[tuple[int, ...]]:
    """Return the checked pairs (before, after) of every spatial axis, or say what is wrong."""
    if not isinstance(mode, str) or mode not in PAD_MODES:
        raise SizeError(f"padding mode {mode!r} is unknown; use one of {', '.join(PAD_MODES)}")
    amounts = as_shape(amounts, "amounts")
    if len(amounts) != array.ndim - 2:
        raise ShapeError(
            f"{len(amounts)} pairs of padding for {array.ndim - 2} spatial axes "
            f"of shape {array.shape}; give one pair (before, after) an axis"
        )
    return [per_axis(pair, 2, "padding", minimum=0) for pair in amounts]


def _constant(value: float, dtype: np.dtype) -> float:
    """Return ``value``, or say that ``dtype`` cannot hold it (an 8-bit image would wrap -1 to 255)."""
    if not isinstance(value, (numbers.Real, np.bool_)):
        raise DtypeError(f"padding value must be one real number, not {value!r}")
    number = float(value)
    if dtype.kind in "biu":
        least, most = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if not (least <= number <= most and number.is_integer()):
            raise DtypeError(
                f"padding value {value} is no whole number from {least} to {most}, as {dtype} needs; "
                "convert the inputs to float32"
            )
    return number


def amounts_for(
    spatial: Sequence[int],
    kernel_size: PerAxis,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation_rate: PerAxis = 1,
) -> list[tuple[int, int]]:
    """The pairs (before, after) that ``padding`` means for every axis of ``spatial``.

    >>> amounts_for((6, 6), kernel_size=3, strides=2, padding="same")
    [(0, 1), (0, 1)]
    """
    spatial = as_shape(spatial, "spatial")
    rank = len(spatial)
    return [
        padding_amounts(n, k, s, p, d)
        for n, k, s, p, d in zip(
            spatial,
            per_axis(kernel_size, rank, "kernel_size"),
            per_axis(strides, rank, "strides"),
            split_padding(padding, rank),
            per_axis(dilation_rate, rank, "dilation_rate"),
            strict=True,
        )
    ]
