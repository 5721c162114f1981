"""Going up again: from few places to many, by copying, by unpooling, or by weights. Chapter 10.

A transposed convolution is the gradient of a convolution with respect to its inputs: its matrix is the
transposed matrix of :func:`cnnlib.convolution.conv`, and it is computed by that function's backward pass, as
its own backward pass is the convolution. Every operator has its backward pass beside it:
``<operator>_backward(gradient, <arguments>)``.

>>> import numpy as np
>>> small = np.array([1, 2.0]).reshape(1, 2, 1)
>>> bed_of_nails(small, size=2).ravel()
array([1., 0., 2., 0.])
>>> upsample_nearest(small, size=2).ravel()
array([1., 1., 2., 2.])
>>> upsample_bilinear(small, size=2).ravel()
array([1.  , 1.25, 1.75, 2.  ])
>>> conv_transpose(small, np.array([0.5, 1, 0.5]).reshape(3, 1, 1), strides=2).ravel()
array([0.5, 1. , 1.5, 2. , 1. ])
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.convolution import as_bias, as_floats, as_gradient, check_needs, conv, conv_backward
from cnnlib.errors import DtypeError, ShapeError, SizeError
from cnnlib.padding import as_array
from cnnlib.sizes import (
    Padding,
    PerAxis,
    as_int,
    as_shape,
    per_axis,
    transposed_crops,
    transposed_shape,
)


def conv_transpose(
    inputs: ArrayLike,
    kernel: ArrayLike,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    output_padding: PerAxis | None = None,
    dilation_rate: PerAxis = 1,
    bias: ArrayLike | None = None,
    *,
    groups: int = 1,
) -> NDArray[np.floating]:
    """Spread every input over a window of outputs, weighted by the kernel, and add up where windows overlap.

    It is the linear map whose matrix is the transposed matrix of :func:`cnnlib.convolution.conv` with the
    same arguments (Zeiler et al., *Deconvolutional networks*, 2010; Dumoulin and Visin, 2016).

    Args:
        inputs: array (batch, *spatial, channels).
        kernel: array (*kernel_size, filters / groups, channels): outputs before inputs, as Keras keeps it.
        strides: how far apart the windows of neighbouring inputs lie, one number or one an axis.
        padding: that of the convolution; what it would have put around is cut off here.
        output_padding: how many outputs to add after each axis; less than the stride. None as Keras: see
            :func:`cnnlib.sizes.transposed_crop`.
        dilation_rate: the distance of neighbouring weights, one number or one an axis.
        bias: array (filters,), or None.
        groups: filters and channels are split into so many groups (Keras has 1 only).

    Returns:
        array (batch, *output, filters), of :func:`cnnlib.sizes.transposed_shape`.

    Raises:
        ShapeError: ranks, channels or groups clash.
        SizeError: nothing is left after cropping, or ``output_padding`` is not less than the stride.

    >>> nails = np.array([1, 0, 3.0]).reshape(1, 3, 1)
    >>> conv_transpose(nails, np.array([1, 2, 1.0]).reshape(3, 1, 1), strides=2).ravel()
    array([1., 2., 1., 0., 3., 6., 3.])
    """
    inputs, kernel = as_floats(inputs, "inputs"), as_floats(kernel, "kernel")
    shape, amounts = _check_shapes(inputs, kernel, strides, padding, output_padding, dilation_rate, groups)
    dtype = np.result_type(inputs, kernel)
    shift = as_bias(bias, shape[-1], dtype)
    before = np.broadcast_to(np.zeros((), dtype), shape)  # its values do not matter
    outputs = conv_backward(
        inputs, before, kernel, strides, amounts, dilation_rate, groups, needs=("inputs",)
    ).inputs
    assert outputs is not None  # it was asked for
    if shift is not None:
        outputs += shift
    return outputs


class ConvTransposeGradients(NamedTuple):
    """What :func:`conv_transpose_backward` returns; None where a gradient was not asked for."""

    inputs: NDArray[np.floating] | None
    kernel: NDArray[np.floating] | None
    bias: NDArray[np.floating] | None


def conv_transpose_backward(
    gradient: ArrayLike,
    inputs: ArrayLike,
    kernel: ArrayLike,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    output_padding: PerAxis | None = None,
    dilation_rate: PerAxis = 1,
    *,
    groups: int = 1,
    needs: Collection[str] = ConvTransposeGradients._fields,
) -> ConvTransposeGradients:
    """The gradients of :func:`conv_transpose`: that of its inputs is the convolution itself.

    ``gradient`` is (batch, *output, filters); the result has the fields ``inputs``, ``kernel`` (*kernel_size,
    filters / groups, channels) and ``bias``, each None where ``needs`` does not name it.

    >>> slope, kernel = np.array([1, 2, 3, 4, 5.0]).reshape(1, 5, 1), np.ones((3, 1, 1))
    >>> conv_transpose_backward(slope, np.ones((1, 2, 1)), kernel, strides=2).inputs.ravel()
    array([ 6., 12.])
    """
    check_needs(needs, ConvTransposeGradients._fields)
    inputs, kernel = as_floats(inputs, "inputs"), as_floats(kernel, "kernel")
    shape, amounts = _check_shapes(inputs, kernel, strides, padding, output_padding, dilation_rate, groups)
    slopes = as_gradient(gradient, shape, np.result_type(inputs, kernel))
    geometry = strides, amounts, dilation_rate, groups
    return ConvTransposeGradients(
        conv(slopes, kernel, *geometry) if "inputs" in needs else None,
        # <conv_transpose(x), g> = <x, conv(g)>: what the kernel does there, with both arrays exchanged
        conv_backward(inputs, slopes, kernel, *geometry, needs=("kernel",)).kernel
        if "kernel" in needs
        else None,
        slopes.sum(axis=tuple(range(slopes.ndim - 1))) if "bias" in needs else None,
    )


def _check_shapes(
    inputs: NDArray,
    kernel: NDArray,
    strides: PerAxis,
    padding: Padding,
    output_padding: PerAxis | None,
    dilation_rate: PerAxis,
    groups: int,
) -> tuple[tuple[int, ...], list[tuple[int, int]]]:
    """Return the shape of the outputs and the padding of the convolution that leads back from them."""
    rank = inputs.ndim - 2
    if rank < 1 or kernel.ndim != inputs.ndim:
        raise ShapeError(
            f"inputs of shape {inputs.shape} and a kernel of shape {kernel.shape} do not go together; they "
            "need (batch, *spatial, channels) and (*kernel_size, filters / groups, channels)"
        )
    if 0 in kernel.shape:
        raise ShapeError(f"kernel of shape {kernel.shape} is empty; every axis needs at least 1")
    if kernel.shape[-1] != inputs.shape[-1]:
        raise ShapeError(
            f"inputs have {inputs.shape[-1]} channels, but the kernel of shape {kernel.shape} sees "
            f"{kernel.shape[-1]}; a transposed kernel is (*kernel_size, filters / groups, channels)"
        )
    kernel_size, filters = kernel.shape[:rank], kernel.shape[-2] * as_int(groups, "groups")
    geometry = strides, padding, output_padding, dilation_rate
    shape = transposed_shape(inputs.shape, kernel_size, filters, *geometry)
    return shape, [(before, max(after, 0)) for before, after in transposed_crops(kernel_size, *geometry)]


def overlap_counts(
    size: PerAxis,
    kernel_size: PerAxis,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    output_padding: PerAxis | None = None,
    dilation_rate: PerAxis = 1,
) -> NDArray[np.int64]:
    """How many inputs of a transposed convolution write to each of its outputs: (*output).

    Where the stride does not divide the kernel, neighbours differ, and the picture shows a checkerboard
    (Odena, Dumoulin and Olah, *Deconvolution and checkerboard artifacts*, 2016).

    Args:
        size: the inputs along each axis: one number for a signal, a sequence for an image.
        kernel_size, strides, padding, output_padding, dilation_rate: as in :func:`conv_transpose`.

    >>> overlap_counts(4, kernel_size=3, strides=2)             # uneven
    array([1, 1, 2, 1, 2, 1, 2, 1, 1])
    >>> overlap_counts(4, kernel_size=4, strides=2)             # even, but for the border
    array([1, 1, 2, 2, 2, 2, 2, 2, 1, 1])
    """
    sizes = per_axis(size, 1 if np.ndim(size) == 0 else len(as_shape(size, "size")), "size")
    kernel = np.ones((*per_axis(kernel_size, len(sizes), "kernel_size"), 1, 1))
    counts = conv_transpose(np.ones((1, *sizes, 1)), kernel, strides, padding, output_padding, dilation_rate)
    return counts[0, ..., 0].astype(np.int64)


def bed_of_nails(inputs: ArrayLike, size: PerAxis) -> NDArray:
    """Set every value at the first corner of a block of zeros.

    Args:
        inputs: array (batch, *spatial, channels).
        size: the block, one number or one an axis.

    Returns:
        array (batch, *spatial · size, channels) of the same dtype.

    >>> bed_of_nails(np.array([[1, 2], [3, 4]])[None, ..., None], size=2)[0, ..., 0]
    array([[1, 0, 2, 0],
           [0, 0, 0, 0],
           [3, 0, 4, 0],
           [0, 0, 0, 0]])
    """
    values, factors = _check_factors(inputs, size)
    outputs = np.zeros(_enlarged(values, factors), values.dtype)
    outputs[_corners(factors)] = values
    return outputs


def bed_of_nails_backward(gradient: ArrayLike, inputs: ArrayLike, size: PerAxis) -> NDArray:
    """The gradient of :func:`bed_of_nails`: the corner of every block; the zeros came from nowhere.

    >>> bed_of_nails_backward(np.arange(6.0).reshape(1, 6, 1), np.zeros((1, 2, 1)), size=3).ravel()
    array([0., 3.])
    """
    values, factors = _check_factors(as_floats(inputs, "inputs"), size)
    return as_gradient(gradient, _enlarged(values, factors), values.dtype)[_corners(factors)].copy()


def upsample_nearest(inputs: ArrayLike, size: PerAxis) -> NDArray:
    """Repeat every value over a block: nearest-neighbour interpolation, Keras' ``UpSampling2D``.

    Arguments and result are those of :func:`bed_of_nails`.

    >>> upsample_nearest(np.array([[1, 2]])[None, ..., None], size=(2, 3))[0, ..., 0]
    array([[1, 1, 1, 2, 2, 2],
           [1, 1, 1, 2, 2, 2]])
    """
    values, factors = _check_factors(inputs, size)
    for axis, factor in enumerate(factors, start=1):
        values = np.repeat(values, factor, axis=axis)
    return values


def upsample_nearest_backward(gradient: ArrayLike, inputs: ArrayLike, size: PerAxis) -> NDArray:
    """The gradient of :func:`upsample_nearest`: the sum over the block that a value was repeated over.

    >>> upsample_nearest_backward(np.arange(6.0).reshape(1, 6, 1), np.zeros((1, 2, 1)), size=3).ravel()
    array([ 3., 12.])
    """
    values, factors = _check_factors(as_floats(inputs, "inputs"), size)
    slopes = as_gradient(gradient, _enlarged(values, factors), values.dtype)
    split = [part for n, factor in zip(values.shape[1:-1], factors, strict=True) for part in (n, factor)]
    blocks = slopes.reshape(len(values), *split, values.shape[-1])
    return blocks.sum(axis=tuple(range(2, blocks.ndim - 1, 2)), dtype=slopes.dtype)


def upsample_bilinear(inputs: ArrayLike, size: PerAxis) -> NDArray[np.floating]:
    """Interpolate linearly between neighbours along every axis, as Keras' ``UpSampling2D`` with ``bilinear``.

    Values are taken to stand in the middle of their blocks; beyond the outermost the border is repeated.
    Arguments and result are those of :func:`bed_of_nails`; integers become floats.

    >>> upsample_bilinear(np.array([0, 3.0]).reshape(1, 2, 1), size=3).ravel()
    array([0., 0., 1., 2., 3., 3.])
    """
    values, factors = _check_factors(as_floats(inputs, "inputs"), size)
    outputs = np.empty(_enlarged(values, factors), values.dtype)
    for image, enlarged in zip(values, outputs, strict=True):  # one at a time stays in the cache
        longer = image
        for axis, factor in enumerate(factors):
            longer = _interpolate(longer, axis, factor)
        enlarged[...] = longer
    return outputs


def upsample_bilinear_backward(gradient: ArrayLike, inputs: ArrayLike, size: PerAxis) -> NDArray[np.floating]:
    """The gradient of :func:`upsample_bilinear`: every output gives its two neighbours their shares back.

    >>> upsample_bilinear_backward(np.ones((1, 6, 1)), np.zeros((1, 2, 1)), size=3).ravel()
    array([3., 3.])
    """
    values, factors = _check_factors(as_floats(inputs, "inputs"), size)
    slopes = as_gradient(gradient, _enlarged(values, factors), values.dtype)
    gathered = np.empty(values.shape, slopes.dtype)
    for shares, image in zip(slopes, gathered, strict=True):
        shorter = shares
        for axis, factor in enumerate(factors):
            shorter = _interpolate_backward(shorter, axis, factor)
        image[...] = shorter
    return gathered


def _interpolate(image: NDArray, axis: int, factor: int) -> NDArray:
    """Every value as a block along ``axis``, whose places go part of the way to the neighbour's value."""
    outputs = np.empty(
        (*image.shape[:axis], image.shape[axis] * factor, *image.shape[axis + 1 :]), image.dtype
    )
    source, longer = np.moveaxis(image, axis, 0), np.moveaxis(outputs, axis, 0)
    rise = np.diff(source, axis=0)
    for phase, offset in enumerate(_offsets(factor)):
        places = longer[phase::factor]
        places[...] = source
        inner = places[1:] if offset < 0 else places[:-1]  # the outermost has no neighbour
        inner += offset * rise
    return outputs


def _interpolate_backward(slopes: NDArray, axis: int, factor: int) -> NDArray:
    """The sum over every block, and what its places owe to the difference between neighbours."""
    above = np.moveaxis(slopes, axis, 0)
    below = above[::factor].copy()
    for phase in range(1, factor):
        below += above[phase::factor]
    rise = np.zeros((len(below) - 1, *below.shape[1:]), slopes.dtype)
    for phase, offset in enumerate(_offsets(factor)):
        places = above[phase::factor]
        rise += offset * (places[1:] if offset < 0 else places[:-1])
    below[1:] += rise
    below[:-1] -= rise
    return np.moveaxis(below, 0, axis)


def _offsets(factor: int) -> list[float]:
    """How far each place of a block lies from its middle, as a share of the block.

    >>> _offsets(2), _offsets(3)
    ([-0.25, 0.25], [-0.3333333333333333, 0.0, 0.3333333333333333])
    """
    return [(2 * phase + 1 - factor) / (2 * factor) for phase in range(factor)]


def max_unpool(inputs: ArrayLike, switches: ArrayLike, output_shape: Sequence[int]) -> NDArray:
    """Put every value back where the maximum was found that pooling kept; all else is zero.

    Where windows overlapped and two of them kept the same place, the later value stands. Zeiler and Fergus
    (2014); Badrinarayanan et al., *SegNet* (2017).

    Args:
        inputs: array (batch, *pooled, channels).
        switches: whole numbers in the same shape: the flat index of the winner within its image's channel,
            as :func:`cnnlib.pooling.max_pool_switches` gives them (row · width + column in an image).
        output_shape: (batch, *spatial, channels), the shape before pooling.

    Returns:
        array of ``output_shape`` and the dtype of ``inputs``.

    Raises:
        ShapeError: the shapes clash.
        SizeError: a switch lies outside the feature map.
        DtypeError: switches that are no whole numbers.

    >>> kept, switches = np.array([7, 9]).reshape(1, 2, 1), np.array([1, 2]).reshape(1, 2, 1)
    >>> max_unpool(kept, switches, (1, 4, 1)).ravel()
    array([0, 7, 9, 0])
    """
    values = as_array(inputs, "inputs")
    shape, places = _check_switches(values, switches, output_shape)
    outputs = np.zeros(shape, values.dtype)
    outputs.reshape(-1)[places] = values
    return outputs


def max_unpool_backward(
    gradient: ArrayLike, inputs: ArrayLike, switches: ArrayLike, output_shape: Sequence[int]
) -> NDArray:
    """The gradient of :func:`max_unpool`: each value takes what arrives at its place, unless it was covered.

    >>> switches = np.array([1, 2]).reshape(1, 2, 1)
    >>> max_unpool_backward(np.arange(4).reshape(1, 4, 1), np.zeros((1, 2, 1)), switches, (1, 4, 1)).ravel()
    array([1., 2.])
    """
    values = as_floats(inputs, "inputs")
    shape, places = _check_switches(values, switches, output_shape)
    slopes = as_gradient(gradient, shape, values.dtype)
    taken = slopes.reshape(-1)[places]
    owner = np.empty(slopes.size, np.intp)
    turn = np.arange(places.size).reshape(places.shape)
    owner[places] = turn
    taken[owner[places] != turn] = 0  # a later value stands there
    return taken


def _check_switches(
    values: NDArray, switches: ArrayLike, output_shape: Sequence[int]
) -> tuple[tuple[int, ...], NDArray[np.intp]]:
    """Return the shape of the outputs, and each value's place in them laid flat."""
    shape = tuple(as_int(n, "output_shape", minimum=0) for n in as_shape(output_shape, "output_shape"))
    chosen = as_array(switches, "switches")
    if chosen.dtype.kind not in "iu":
        raise DtypeError(f"switches have dtype {chosen.dtype}; they are indices, whole numbers")
    if values.ndim < 3 or chosen.shape != values.shape:
        raise ShapeError(
            f"inputs of shape {values.shape} and switches of shape {chosen.shape} do not go together; both "
            "are (batch, *pooled, channels)"
        )
    if len(shape) != values.ndim or (shape[0], shape[-1]) != (values.shape[0], values.shape[-1]):
        raise ShapeError(
            f"inputs of shape {values.shape} cannot be unpooled to {shape}; it must be "
            f"({values.shape[0]}, {values.ndim - 2} spatial sizes, {values.shape[-1]})"
        )
    batch, *spatial, channels = shape
    plane = int(np.prod(spatial))
    if chosen.size and (chosen.min() < 0 or chosen.max() >= plane):
        worst = chosen.min() if chosen.min() < 0 else chosen.max()
        raise SizeError(
            f"switch {worst} lies outside a feature map of {tuple(spatial)}; it must be from 0 to {plane - 1}"
        )
    image = np.arange(batch).reshape(-1, *[1] * (values.ndim - 1))
    return shape, (image * plane + chosen.astype(np.intp)) * channels + np.arange(channels)


def _check_factors(inputs: ArrayLike, size: PerAxis) -> tuple[NDArray, tuple[int, ...]]:
    """Return the inputs and a factor for each spatial axis, or say what is wrong with them."""
    values = as_array(inputs, "inputs")
    if values.ndim < 3:
        raise ShapeError(
            f"inputs of shape {values.shape} cannot be enlarged; they need (batch, *spatial, channels)"
        )
    return values, per_axis(size, values.ndim - 2, "size")


def _enlarged(values: NDArray, factors: Sequence[int]) -> tuple[int, ...]:
    """The shape of ``values`` with every spatial axis ``factor`` times as long."""
    batch, *spatial, channels = values.shape
    return (batch, *(n * factor for n, factor in zip(spatial, factors, strict=True)), channels)


def _corners(factors: Sequence[int]) -> tuple[slice, ...]:
    """The index of the first corner of every block."""
    return (slice(None), *(slice(None, None, factor) for factor in factors))
