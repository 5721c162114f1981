"""Convolution for every rank, as a layer computes it, and its two namesakes from mathematics.

Chapters 2, 4, 5 and 6. :func:`conv` is what deep learning calls convolution: channels, a batch, no
flip. :func:`correlate` and :func:`convolve` are the two operations of signal processing on plain
arrays, told apart by the flip.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.errors import DtypeError, ShapeError
from cnnlib.padding import amounts_for, pad, pad_backward
from cnnlib.sizes import Padding, PerAxis, as_int, kernel_shape, output_shape, per_axis
from cnnlib.windows import sliding_windows

#: The windows that are laid out side by side for one matrix product, in bytes: about a core's cache.
BLOCK_BYTES = 1 << 20
#: … but never fewer than this many, so that a deep kernel is not read anew for every few places.
BLOCK_PLACES = 256
#: A matrix with this many columns multiplies at full speed; a narrower one is widened.
WIDE_ENOUGH = 64


def as_floats(array: ArrayLike, name: str) -> NDArray[np.floating]:
    """Return ``array`` as floating point: floats as they are, bool and integers as float32 or float64.

    Integers of up to 16 bits become float32, which holds them exactly, so that an 8-bit image never
    overflows; wider ones become float64.

    >>> as_floats(np.array([200, 100], dtype=np.uint8), "image").dtype
    dtype('float32')

    Raises:
        DtypeError: complex numbers, objects, text.
        ShapeError: nested lists of different lengths.
    """
    try:
        values = np.asarray(array)
    except ValueError:  # NumPy's own message speaks of sequences and elements
        raise ShapeError(f"{name} is ragged: its rows differ in length; make them equally long") from None
    if values.dtype.kind == "f":
        return values
    if values.dtype.kind in "biu":
        return values.astype(np.float32 if values.dtype.itemsize <= 2 else np.float64)
    raise DtypeError(f"{name} has dtype {values.dtype}; convert it to float32 or float64")


def conv(
    inputs: ArrayLike,
    kernel: ArrayLike,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation_rate: PerAxis = 1,
    groups: int = 1,
    bias: ArrayLike | None = None,
    *,
    pad_mode: str = "constant",
    pad_value: float = 0,
) -> NDArray[np.floating]:
    """Slide every filter over the inputs: a weighted sum at every place, and a bias.

    Args:
        inputs: array (batch, *spatial, channels), of one, two, three … spatial axes.
        kernel: array (*kernel_size, channels / groups, filters).
        strides: how far the window moves, one number or one an axis.
        padding: ``valid``, ``same``, ``full``, ``causal``, a number, or one entry an axis, each a
            number or a pair (before, after).
        dilation_rate: the distance of neighbouring weights, one number or one an axis.
        groups: the channels are split into so many groups, and each filter sees one of them.
        bias: array (filters,), or None.
        pad_mode, pad_value: what is put around the edge; see :func:`cnnlib.padding.pad`.

    Returns:
        array (batch, *output, filters); float32 where all arguments are float32 or narrow integers.

    Raises:
        ShapeError: ranks, channels or groups clash.
        SizeError: the kernel does not fit.
        DtypeError: complex numbers, objects, text.

    >>> row = np.array([3, 1, 4, 1, 5, 9.0]).reshape(1, 6, 1)
    >>> conv(row, np.array([1, 2.0]).reshape(2, 1, 1)).ravel()
    array([ 5.,  9.,  6., 11., 23.])
    """
    inputs, kernel = as_floats(inputs, "inputs"), as_floats(kernel, "kernel")
    dtype = np.result_type(inputs, kernel)
    rank = _check_shapes(inputs, kernel, groups)
    kernel_size, filters = kernel.shape[:rank], kernel.shape[-1]
    steps = per_axis(strides, rank, "strides")
    gaps = per_axis(dilation_rate, rank, "dilation_rate")
    amounts = amounts_for(inputs.shape[1:-1], kernel_size, steps, padding, gaps)
    outputs = np.empty(output_shape(inputs.shape, kernel_size, filters, steps, amounts, gaps), dtype)
    shift = _check_bias(bias, filters, dtype)
    padded = pad(inputs.astype(dtype, copy=False), amounts, pad_mode, pad_value)
    kernel = kernel.astype(dtype, copy=False)

    copies = _copies(padded, outputs.shape, gaps, groups)
    if copies > 1:  # the same weights for several neighbouring places at once
        kernel, shift = _widen(kernel, copies, steps[-1]), np.tile(shift, copies)
        steps = (*steps[:-1], steps[-1] * copies)
    before, across = outputs.shape[:-2], outputs.shape[-2]
    places = outputs.reshape(*before, across // copies, copies * filters)  # copies are filters for now

    depth, width = kernel.shape[-2], kernel.shape[-1] // groups
    for group in range(groups):
        seen, chosen = (slice(group * size, (group + 1) * size) for size in (depth, width))
        windows = sliding_windows(padded[..., seen], kernel.shape[:rank], steps, gaps)
        _multiply_blocks(windows, kernel[..., chosen].reshape(-1, width), shift[chosen], places[..., chosen])
    return outputs


class ConvGradients(NamedTuple):
    """What :func:`conv_backward` returns: dL/d(argument) of each, None where it was not asked for."""

    inputs: NDArray[np.floating] | None
    kernel: NDArray[np.floating] | None
    bias: NDArray[np.floating] | None


def conv_backward(
    gradient: ArrayLike,
    inputs: ArrayLike,
    kernel: ArrayLike,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation_rate: PerAxis = 1,
    groups: int = 1,
    *,
    pad_mode: str = "constant",
    pad_value: float = 0,
    needs: Collection[str] = ConvGradients._fields,
) -> ConvGradients:
    """The gradients of :func:`conv`: how the loss changes with the inputs, the kernel and the bias.

    Args:
        gradient: array (batch, *output, filters), dL/d(outputs).
        inputs, kernel, strides, padding, dilation_rate, groups, pad_mode, pad_value: what
            :func:`conv` was given.
        needs: which gradients to compute; the others are None and cost nothing (the first layer of a
            network needs none of its inputs).

    Returns:
        ``ConvGradients(inputs, kernel, bias)``, each in the shape of its argument and the dtype of
        the outputs.

    Raises:
        ShapeError: ``gradient`` has not the shape of the outputs; and all that :func:`conv` raises.

    >>> row, kernel = np.array([3, 1, 4, 1.0]).reshape(1, 4, 1), np.array([1, 2.0]).reshape(2, 1, 1)
    >>> grads = conv_backward(np.ones((1, 3, 1)), row, kernel)
    >>> grads.inputs.ravel(), grads.kernel.ravel(), grads.bias
    (array([1., 3., 3., 2.]), array([8., 6.]), array([3.]))
    """
    inputs, kernel = as_floats(inputs, "inputs"), as_floats(kernel, "kernel")
    dtype = np.result_type(inputs, kernel)
    rank = _check_shapes(inputs, kernel, groups)
    kernel_size, filters = kernel.shape[:rank], kernel.shape[-1]
    steps = per_axis(strides, rank, "strides")
    gaps = per_axis(dilation_rate, rank, "dilation_rate")
    amounts = amounts_for(inputs.shape[1:-1], kernel_size, steps, padding, gaps)
    shape = output_shape(inputs.shape, kernel_size, filters, steps, amounts, gaps)
    slopes = as_gradient(gradient, shape, dtype)
    if unknown := set(needs) - set(ConvGradients._fields):
        raise ShapeError(f"no gradient of {', '.join(sorted(unknown))}; conv has {ConvGradients._fields}")

    inputs_slopes = kernel_slopes = bias_slopes = None
    padded = pad(inputs.astype(dtype, copy=False), amounts, pad_mode, pad_value)
    if "bias" in needs:
        bias_slopes = slopes.sum(axis=tuple(range(rank + 1)))
    if "kernel" in needs:
        kernel_slopes = np.empty(kernel.shape, dtype)
    if "inputs" in needs:
        padded_slopes = np.zeros(padded.shape, dtype)
    depth, width = kernel.shape[-2], filters // groups
    for group in range(groups):
        seen, chosen = (slice(group * size, (group + 1) * size) for size in (depth, width))
        for tap in np.ndindex(kernel_size):
            reached = tuple(
                slice(t * d, t * d + (n - 1) * s + 1, s)
                for t, d, n, s in zip(tap, gaps, shape[1:-1], steps, strict=True)
            )
            touched = (slice(None), *reached, seen)
            if kernel_slopes is not None:
                kernel_slopes[(*tap, slice(None), chosen)] = np.tensordot(
                    padded[touched], slopes[..., chosen], (range(rank + 1), range(rank + 1))
                )
            if "inputs" in needs:
                padded_slopes[touched] += slopes[..., chosen] @ kernel[(*tap, slice(None), chosen)].T
    if "inputs" in needs:
        inputs_slopes = np.ascontiguousarray(pad_backward(padded_slopes, amounts, pad_mode))
    return ConvGradients(inputs_slopes, kernel_slopes, bias_slopes)


def as_gradient(gradient: ArrayLike, shape: Sequence[int], dtype: Any) -> NDArray[np.floating]:
    """Return the gradient of outputs of this shape and dtype in that dtype, or say that the shape is another.

    >>> as_gradient([1, 0], shape=(2,), dtype=np.float32)
    array([1., 0.], dtype=float32)
    """
    slopes = as_floats(gradient, "gradient").astype(dtype, copy=False)
    if slopes.shape != tuple(shape):
        raise ShapeError(f"gradient has shape {slopes.shape}; the outputs that it is of have {tuple(shape)}")
    return slopes


def _multiply_blocks(windows: NDArray, matrix: NDArray, bias: NDArray, outputs: NDArray) -> None:
    """Write windows @ matrix + bias into outputs, some images or some rows of one image at a time.

    Only one block of windows is ever copied, so that memory stays near that of the output. (Laying
    out all windows at once, im2col, takes as many times the input as the kernel has weights.)
    """
    batch, height, *row = windows.shape
    row_bytes = max(math.prod(row) * windows.itemsize, 1)
    row_places = math.prod(outputs.shape[2:-1])
    rows = max(BLOCK_BYTES // row_bytes, BLOCK_PLACES // row_places, 1)
    images = max(rows // height, 1)
    for item in range(0, batch, images):
        for start in range(0, height, rows):
            block = slice(item, item + images), slice(start, start + rows)
            product = outputs[block].reshape(-1, matrix.shape[1])  # a view: the block is contiguous
            np.matmul(windows[block].reshape(-1, matrix.shape[0]), matrix, out=product)
            product += bias


def _copies(padded: NDArray, shape: Sequence[int], gaps: Sequence[int], groups: int) -> int:
    """How many neighbouring places along the last axis are worth computing in one product.

    Few filters make a thin matrix, which multiplies slowly. The zeros in the wider one would spread NaN
    and infinity to the neighbours, so that it is for finite inputs alone.
    """
    *_, places, filters = shape
    most = min(places, WIDE_ENOUGH // filters)
    copies = max((n for n in range(1, most + 1) if places % n == 0), default=1)
    if copies == 1 or groups > 1 or gaps[-1] > 1:
        return 1
    with np.errstate(over="ignore", invalid="ignore"):
        return copies if np.isfinite(padded.sum()) else 1


def _widen(kernel: NDArray, copies: int, stride: int) -> NDArray:
    """The kernel beside itself, each copy ``stride`` further right: a strip of its Toeplitz matrix.

    >>> _widen(np.array([1, 2]).reshape(2, 1, 1), copies=3, stride=1)[:, 0].T
    array([[1, 2, 0, 0],
           [0, 1, 2, 0],
           [0, 0, 1, 2]])
    """
    *before, size, channels, filters = kernel.shape
    wide = np.zeros((*before, (copies - 1) * stride + size, channels, copies, filters), kernel.dtype)
    for copy in range(copies):
        wide[..., copy * stride : copy * stride + size, :, copy, :] = kernel
    return wide.reshape(*wide.shape[:-2], copies * filters)


def _check_shapes(inputs: NDArray, kernel: NDArray, groups: int) -> int:
    """Return the number of spatial axes, or say which shapes clash."""
    rank = inputs.ndim - 2
    if rank < 1 or kernel.ndim != inputs.ndim:
        raise ShapeError(
            f"inputs of shape {inputs.shape} and a kernel of shape {kernel.shape} do not go together; "
            "they need (batch, *spatial, channels) and (*kernel_size, channels / groups, filters)"
        )
    groups = as_int(groups, "groups")
    channels, filters = inputs.shape[-1], kernel.shape[-1]
    if 0 in kernel.shape:
        raise ShapeError(f"kernel of shape {kernel.shape} is empty; every axis needs at least 1")
    expected = kernel_shape(kernel.shape[:rank], channels, filters, groups)
    if kernel.shape != expected:
        raise ShapeError(
            f"inputs have {channels} channels in {groups} group(s), but the kernel of shape "
            f"{kernel.shape} sees {kernel.shape[-2]}; it must have shape {expected}"
        )
    return rank


def _check_bias(bias: ArrayLike | None, filters: int, dtype: Any) -> NDArray:
    if bias is None:
        return np.zeros(filters, dtype)
    shift = as_floats(bias, "bias").astype(dtype, copy=False)
    if shift.shape != (filters,):
        raise ShapeError(f"bias has shape {shift.shape}; {filters} filters need ({filters},)")
    return shift


def correlate(
    signal: ArrayLike,
    kernel: ArrayLike,
    stride: PerAxis = 1,
    padding: Padding = "valid",
    dilation: PerAxis = 1,
) -> NDArray[np.floating]:
    """Cross-correlation of two plain arrays of the same rank: products summed, nothing flipped.

    This is what a "convolution" layer computes for one channel and one filter.

    >>> correlate([2, 3], [1, -1], padding="full")
    array([-2., -1.,  3.])
    """
    signal, kernel = as_floats(signal, "signal"), as_floats(kernel, "kernel")
    if signal.ndim != kernel.ndim or signal.ndim == 0:
        raise ShapeError(
            f"a signal of shape {signal.shape} and a kernel of shape {kernel.shape} must have the "
            "same number of axes, at least one"
        )
    return conv(signal[None, ..., None], kernel[..., None, None], stride, padding, dilation)[0, ..., 0]


def convolve(
    signal: ArrayLike, kernel: ArrayLike, stride: PerAxis = 1, padding: Padding = "full"
) -> NDArray[np.floating]:
    """Convolution in the mathematical sense: the kernel is flipped along every axis, then slid.

    >>> convolve([2, 3], [1, 1])
    array([2., 5., 3.])
    >>> convolve([2, 3], [1, -1])               # the flip: compare with correlate
    array([ 2.,  1., -3.])
    """
    return correlate(signal, np.flip(as_floats(kernel, "kernel")), stride, padding)
