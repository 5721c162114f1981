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
from numpy.typing import NDArray

from cnnlib.errors import DtypeError, ShapeError, SizeError
from cnnlib.sizes import Padding, PerAxis, as_shape, padding_amounts, per_axis, split_padding

#: The values that may be put around the edge, in the words of this library and of NumPy.
PAD_MODES = {"constant": "constant", "edge": "edge", "reflect": "reflect", "circular": "wrap"}


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
    if mode not in PAD_MODES:
        raise SizeError(f"padding mode {mode!r} is unknown; use one of {', '.join(PAD_MODES)}")
    inputs, amounts = np.asarray(inputs), as_shape(amounts, "amounts")
    if len(amounts) != inputs.ndim - 2:
        raise ShapeError(
            f"{len(amounts)} pairs of padding for {inputs.ndim - 2} spatial axes "
            f"of shape {inputs.shape}; give one pair (before, after) an axis"
        )
    pairs = [per_axis(pair, 2, "padding", minimum=0) for pair in amounts]
    if not any(map(any, pairs)):
        return inputs
    if mode != "constant" and 0 in inputs.shape[1:-1]:
        raise SizeError(f"shape {inputs.shape} has nothing to repeat; pad it by a constant")
    widths = [(0, 0), *pairs, (0, 0)]
    if mode == "constant":
        return np.pad(inputs, widths, mode="constant", constant_values=_constant(value, inputs.dtype))
    return np.pad(inputs, widths, mode=PAD_MODES[mode])  # type: ignore[call-overload]


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
