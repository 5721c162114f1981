r"""Which output is connected to which input, by which weight; what happens when the input moves.

Chapters 1, 6 and 8.

Three layers can look at the same input and make outputs of the same number: ``dense`` connects all with all,
``local`` only near with near, ``convolution`` does the same and shares its weights. As matrices of weight
numbers (0 is no connection, equal numbers are one shared weight):

>>> for kind in KINDS:
...     print(kind, *connection_ids(kind, (4,), kernel_size=2), sep="\n")
dense
[1 2 3 4]
[5 6 7 8]
[ 9 10 11 12]
local
[1 2 0 0]
[0 3 4 0]
[0 0 5 6]
convolution
[1 2 0 0]
[0 1 2 0]
[0 0 1 2]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.convolution import as_floats
from cnnlib.errors import ShapeError, SizeError
from cnnlib.padding import amounts_for, pad
from cnnlib.receptive_field import AnyWindow, HasWindow, receptive_field
from cnnlib.sizes import (
    Padding,
    PerAxis,
    as_int,
    as_shape,
    conv_connections,
    conv_parameters,
    dense_connections,
    dense_parameters,
    kernel_shape,
    locally_connected_parameters,
    output_shape,
    padding_amounts,
    per_axis,
    shown,
)
from cnnlib.windows import sliding_windows

#: The layers that are compared.
KINDS = ("dense", "local", "convolution")
#: The largest matrix that is written out, in numbers: 1 GiB of float64.
MATRIX_VALUES = 1 << 27


class Counts(NamedTuple):
    """What a layer has: outputs, connections of one image (biases among them), and parameters."""

    outputs: int
    connections: int
    parameters: int


def counts(
    kind: str,
    input_shape: Sequence[int],
    kernel_size: PerAxis,
    filters: int = 1,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    use_bias: bool = True,
) -> Counts:
    """Outputs, connections and parameters of one of the :data:`KINDS` of layers.

    Args:
        kind: ``dense``, ``local`` or ``convolution``.
        input_shape: (batch, *spatial, channels).
        kernel_size, filters, strides, padding: of the convolution; they say how many outputs the dense layer
            is given, so that all three can be compared.
        use_bias: whether biases are counted: one an output, or one a filter where weights are shared.

    >>> for kind in KINDS:
    ...     print(f"{kind:12}", *counts(kind, (1, 32, 32, 3), kernel_size=5, filters=6))
    dense        4704 14455392 14455392
    local        4704 357504 357504
    convolution  4704 357504 456
    """
    _known(kind)
    _, *rest = output_shape(input_shape, kernel_size, filters, strides, padding)
    outputs, inputs = math.prod(rest), math.prod(tuple(input_shape)[1:])
    if kind == "dense":
        return Counts(
            outputs,
            dense_connections((1, inputs), outputs, use_bias),
            dense_parameters(inputs, outputs, use_bias),
        )
    size = per_axis(kernel_size, len(rest) - 1, "kernel_size")
    image = (1, *tuple(input_shape)[1:])
    connections = conv_connections(image, size, filters, strides, padding, use_bias=use_bias)
    if kind == "convolution":
        return Counts(
            outputs, connections, conv_parameters(size, input_shape[-1], filters, use_bias=use_bias)
        )
    own = locally_connected_parameters(input_shape, size, filters, strides, padding, use_bias=use_bias)
    return Counts(outputs, connections, own)


def conv_matrix(
    kernel: NDArray,
    spatial: Sequence[int],
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation_rate: PerAxis = 1,
) -> NDArray:
    """The matrix that a convolution layer multiplies its flattened inputs by.

    On one axis it is a Toeplitz matrix (:func:`cnnlib.algorithms.toeplitz_matrix`), the same numbers along
    every diagonal; on two, its blocks repeat along diagonals, and so do the numbers in each block ("doubly
    blocked").

    Args:
        kernel: array (*kernel_size, channels, filters).
        spatial: the size of the inputs, one number an axis.
        strides, padding, dilation_rate: as in :func:`cnnlib.convolution.conv`; what is padded is zero, and
            has no column.

    Returns:
        array (places · filters, inputs · channels), both flattened in row-major order.

    Raises:
        SizeError: the kernel does not fit, or the matrix would have more than :data:`MATRIX_VALUES` numbers.

    >>> conv_matrix(np.array([[1, 2], [3, 4]])[..., None, None], (3, 3))
    array([[1, 2, 0, 3, 4, 0, 0, 0, 0],
           [0, 1, 2, 0, 3, 4, 0, 0, 0],
           [0, 0, 0, 1, 2, 0, 3, 4, 0],
           [0, 0, 0, 0, 1, 2, 0, 3, 4]])
    """
    kernel, spatial = np.asarray(kernel), as_shape(spatial, "spatial")
    if kernel.ndim != len(spatial) + 2:
        raise ShapeError(
            f"a kernel of shape {kernel.shape} does not go with inputs of size {spatial}; "
            "it needs (*kernel_size, channels, filters)"
        )
    *size, channels, filters = kernel.shape
    _, *places, _ = output_shape((1, *spatial, channels), size, filters, strides, padding, dilation_rate)
    amounts = amounts_for(spatial, size, strides, padding, dilation_rate)
    padded = [n + sum(pair) for n, pair in zip(spatial, amounts, strict=True)]
    rows, columns = math.prod(places) * filters, math.prod(padded) * channels
    if rows * columns > MATRIX_VALUES:
        raise SizeError(
            f"the matrix of {rows} x {columns} would have {rows * columns} numbers, more than "
            f"{MATRIX_VALUES}; use a smaller image or another road"
        )
    rank = len(places)
    steps, gaps = per_axis(strides, rank, "strides"), per_axis(dilation_rate, rank, "dilation_rate")
    matrix = np.zeros((*places, filters, *padded, channels), kernel.dtype)
    for place in np.ndindex(*places):
        corner = [p * s for p, s in zip(place, steps, strict=True)]
        window = [slice(c, c + (k - 1) * d + 1, d) for c, k, d in zip(corner, size, gaps, strict=True)]
        matrix[(*place, slice(None), *window)] = np.moveaxis(kernel, -1, 0)
    inside = [slice(before, before + n) for (before, _), n in zip(amounts, spatial, strict=True)]
    matrix = matrix[(*[slice(None)] * (rank + 1), *inside)]
    return matrix.reshape(rows, math.prod(spatial) * channels)


def connection_ids(
    kind: str,
    spatial: Sequence[int],
    kernel_size: PerAxis,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation_rate: PerAxis = 1,
    channels: int = 1,
    filters: int = 1,
) -> NDArray[np.int64]:
    """Which weight connects each output to each input, from 1 on; 0 where there is no connection.

    Args:
        kind: one of the :data:`KINDS`.
        spatial: the size of the inputs, one number an axis.
        kernel_size, strides, padding, dilation_rate, channels, filters: of the convolution; the others have
            as many outputs.

    Returns:
        array (outputs, inputs), both flattened in row-major order, channels last. Weights are numbered in
        the order in which a row meets them; a convolution's in the order of its kernel.

    >>> connection_ids("convolution", (3,), kernel_size=3, padding="same")
    array([[2, 3, 0],
           [1, 2, 3],
           [0, 1, 2]])
    """
    _known(kind)
    spatial = as_shape(spatial, "spatial")
    size = per_axis(kernel_size, len(spatial), "kernel_size")
    shape = kernel_shape(size, channels, filters)
    numbers = np.arange(1, math.prod(shape) + 1).reshape(filters, *shape[:-1])  # filter by filter
    ids = conv_matrix(np.moveaxis(numbers, 0, -1), spatial, strides, padding, dilation_rate)
    there = np.ones_like(ids, bool) if kind == "dense" else ids > 0
    return ids if kind == "convolution" else np.where(there, there.cumsum().reshape(ids.shape), 0)


def coverage(
    size: int, kernel_size: int, stride: int = 1, padding: str | int | tuple[int, int] = "valid"
) -> NDArray[np.int64]:
    """How many windows see each pixel of a square image.

    Every pixel gets a number of its own, padding none; then the numbers in all windows are counted.

    Args:
        size, kernel_size, stride, padding: as in :func:`cnnlib.sizes.output_size`, for both axes.

    Returns:
        array (size, size) of counts.

    >>> coverage(4, kernel_size=3)
    array([[1, 2, 2, 1],
           [2, 4, 4, 2],
           [2, 4, 4, 2],
           [1, 2, 2, 1]])
    """
    size = as_int(size, "size", minimum=0)
    numbers = np.arange(1, size * size + 1).reshape(1, size, size, 1)
    pair = padding_amounts(size, kernel_size, stride, padding)
    windows = sliding_windows(pad(numbers, [pair, pair]), kernel_size, stride)
    return np.bincount(windows.ravel(), minlength=size * size + 1)[1:].reshape(size, size)


# ---------------------------------------------------------------------------------------------------
# Moving the input
# ---------------------------------------------------------------------------------------------------


def shift(inputs: ArrayLike, amount: PerAxis, mode: str = "constant", value: float = 0) -> NDArray:
    """Move a picture: down and to the right by positive amounts, up and to the left by negative ones.

    Args:
        inputs: array (batch, *spatial, channels).
        amount: pixels, one number for all spatial axes or one for each.
        mode, value: what comes in from outside, as in :func:`cnnlib.padding.pad`; ``circular`` brings back
            what went out at the other end.

    Returns:
        array of the same shape and dtype.

    >>> shift(np.array([1, 2, 3, 4]).reshape(1, 4, 1), 1).ravel()
    array([0, 1, 2, 3])
    >>> shift(np.array([1, 2, 3, 4]).reshape(1, 4, 1), -1, "circular").ravel()
    array([2, 3, 4, 1])
    """
    values = np.asarray(inputs)
    amounts = _amounts(amount, values)
    wider = pad(values, [(max(a, 0), max(-a, 0)) for a in amounts], mode, value)
    kept = (slice(max(-a, 0), max(-a, 0) + n) for a, n in zip(amounts, values.shape[1:-1], strict=True))
    return wider[(slice(None), *kept)]


class Equivariance(NamedTuple):
    """How far operator(shift(inputs)) is from shift(operator(inputs)).

    Attributes:
        difference: array (*output), the largest absolute difference over batch and channels.
        inside: array (*output) of bool: the outputs whose view lies in the picture before and after.
        scale: the largest absolute value of operator(inputs), to compare with.
    """

    difference: NDArray[np.floating]
    inside: NDArray[np.bool_]
    scale: float

    @property
    def error_inside(self) -> float:
        """The largest difference inside: 0, to rounding, where the operator is equivariant."""
        return float(self.difference[self.inside].max(initial=0))

    @property
    def error_border(self) -> float:
        """The largest difference where the border, or what was shifted in, is seen."""
        return float(self.difference[~self.inside].max(initial=0))


def equivariance(
    operator: Callable[[NDArray], NDArray],
    windows: Iterable[AnyWindow | HasWindow],
    inputs: ArrayLike,
    amount: PerAxis,
    mode: str = "constant",
) -> Equivariance:
    """Compare operator(shift(inputs)) with shift(operator(inputs)), inside and at the border.

    The outputs move by ``amount`` / stride; where the stride does not divide it, by the nearest whole number,
    and nothing can be expected to agree.

    Args:
        operator: takes (batch, *spatial, channels) and gives as many axes: a layer, or a stack of layers.
        windows: of its layers, as for :func:`cnnlib.receptive_field.receptive_field`.
        inputs: array (batch, *spatial, channels).
        amount: pixels, as in :func:`shift`.
        mode: what comes in from outside.

    >>> from cnnlib.convolution import conv
    >>> from cnnlib.receptive_field import Window
    >>> picture, kernel = np.arange(100.0).reshape(1, 10, 10, 1) ** 2, np.ones((3, 3, 1, 1))
    >>> def layer(x):
    ...     return conv(x, kernel, padding="same")
    >>> moved = equivariance(layer, [Window(3, padding="same")], picture, (2, 1))
    >>> moved.error_inside, moved.error_border > 0, int(moved.inside.sum())
    (0.0, True, 42)
    """
    values = as_floats(inputs, "inputs")
    amounts, spatial = _amounts(amount, values), values.shape[1:-1]
    layers = list(windows)
    fields = [receptive_field(layers, n, axis) for axis, n in enumerate(spatial)]
    before, moved = operator(values), operator(shift(values, amounts, mode))
    if before.ndim != values.ndim:
        raise ShapeError(
            f"the operator makes shape {before.shape} of {values.shape}; it must keep the spatial axes"
        )
    steps = [round(Fraction(a) / (f.stride or 1)) for a, f in zip(amounts, fields, strict=True)]
    difference = np.abs(moved - shift(before, steps, mode)).max(axis=(0, -1), initial=0)
    inside = np.ones(difference.shape, bool)
    for axis, (a, step, field, n) in enumerate(zip(amounts, steps, fields, spatial, strict=True)):
        first = np.arange(difference.shape[axis]) * float(field.stride) + field.offset
        last = first + (n if field.size is None else field.size) - 1
        there = step * float(field.stride)  # how far away the output that is compared with it was
        seen = (first >= max(a, there, 0)) & (last <= n - 1 + min(a, there, 0))
        inside &= seen.reshape(-1, *(1,) * (len(spatial) - 1 - axis))
    return Equivariance(difference, inside, float(np.abs(before).max(initial=0)))


class Invariance(NamedTuple):
    """What a shift of the inputs leaves as it was.

    Attributes:
        unchanged: the share of outputs that keep their value, from 0 to 1.
        change: the mean absolute difference, as a share of the mean absolute deviation of the outputs.
    """

    unchanged: float
    change: float


def invariance(
    operator: Callable[[NDArray], NDArray], inputs: ArrayLike, amount: PerAxis, mode: str = "edge"
) -> Invariance:
    """Compare operator(shift(inputs)) with operator(inputs), place by place.

    Max pooling forgives a small shift where the maximum stays in its window, and no other.

    Args:
        operator: takes and gives an array, such as pooling or a whole network.
        inputs: array (batch, *spatial, channels).
        amount, mode: as in :func:`shift`.

    >>> from cnnlib.pooling import max_pool
    >>> row = np.array([9, 0, 0, 0, 9, 0, 0, 0]).reshape(1, 8, 1)
    >>> def pooled(x):
    ...     return max_pool(x, pool_size=2)
    >>> invariance(pooled, row, 1).unchanged, invariance(pooled, row, -1).unchanged
    (1.0, 0.25)
    """
    values = as_floats(inputs, "inputs")
    before, after = operator(values), operator(shift(values, amount, mode))
    if before.size == 0:
        raise SizeError(f"the operator makes nothing of shape {values.shape}; give it a larger picture")
    spread = np.abs(before - before.mean()).mean()
    change = np.abs(after - before).mean()
    return Invariance(
        float((after == before).mean()), float(change / spread) if spread else float(change > 0)
    )


def _amounts(amount: PerAxis, values: NDArray) -> tuple[int, ...]:
    """One whole number a spatial axis, which may be negative but not larger than the picture."""
    if values.ndim < 3:
        raise ShapeError(
            f"inputs of shape {values.shape} cannot be shifted; they need (batch, *spatial, channels)"
        )
    amounts = per_axis(amount, values.ndim - 2, "amount", minimum=-max(values.shape[1:-1]))
    for axis, (a, n) in enumerate(zip(amounts, values.shape[1:-1], strict=True)):
        if abs(a) > n:
            raise SizeError(f"axis {axis}: a picture of {n} cannot be shifted by {a}; shift by at most {n}")
    return amounts


def _known(kind: str) -> None:
    if not isinstance(kind, str) or kind not in KINDS:
        raise SizeError(f"layer {shown(kind)} is unknown; use one of {', '.join(KINDS)}")
