"""Convolutions that leave something out: depthwise, pointwise, separable, shuffled, unshared. Chapter 9.

Each is :func:`cnnlib.convolution.conv` with a kernel of a certain form, and is computed by it, forward
and backward; only locally connected layers, which share no weights, are something else. Every operator
has its backward pass beside it: ``<operator>_backward(gradient, <arguments>)`` returns dL/d(inputs), or one
gradient for each array that the operator took.

>>> import numpy as np
>>> image = np.ones((1, 8, 8, 32), np.float32)
>>> full = np.ones((3, 3, 32, 64), np.float32)
>>> each, across = np.ones((3, 3, 32, 1), np.float32), np.ones((1, 1, 32, 64), np.float32)
>>> conv(image, full).shape, full.size
((1, 6, 6, 64), 18432)
>>> separable_conv(image, each, across).shape, each.size + across.size
((1, 6, 6, 64), 2336)
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.convolution import ConvGradients, as_floats, as_gradient, check_needs, conv, conv_backward
from cnnlib.errors import ShapeError, SizeError
from cnnlib.padding import amounts_for, as_array, pad, pad_backward
from cnnlib.sizes import Padding, PerAxis, as_int, locally_connected_shape, output_shape, per_axis
from cnnlib.windows import sliding_windows


def depthwise_conv(
    inputs: ArrayLike,
    kernel: ArrayLike,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation_rate: PerAxis = 1,
    bias: ArrayLike | None = None,
    *,
    pad_mode: str = "constant",
    pad_value: float = 0,
) -> NDArray[np.floating]:
    """Filter every channel by itself, with ``multiplier`` kernels of its own: as many groups as channels.

    Args:
        inputs: array (batch, *spatial, channels).
        kernel: array (*kernel_size, channels, multiplier).
        bias: array (channels · multiplier,), or None.
        strides, padding, dilation_rate, pad_mode, pad_value: as in :func:`cnnlib.convolution.conv`.

    Returns:
        array (batch, *output, channels · multiplier); what kernel m makes of channel c is output channel
        c · multiplier + m.

    Raises:
        ShapeError: ``kernel`` has not the channels of ``inputs``; and all that ``conv`` raises.

    >>> pairs = np.array([[1, 10], [2, 20], [3, 30.0]])[None]       # three places, two channels
    >>> kernel = np.array([[1, 1], [-1, 0.0]]).reshape(2, 2, 1)     # a difference, and a copy
    >>> depthwise_conv(pairs, kernel)
    array([[[-1., 10.],
            [-1., 20.]]])
    """
    inputs, kernel = as_floats(inputs, "inputs"), as_floats(kernel, "kernel")
    groups = _check_depthwise(inputs, kernel)
    chosen = _as_groups(kernel)
    return conv(
        inputs, chosen, strides, padding, dilation_rate, groups, bias, pad_mode=pad_mode, pad_value=pad_value
    )


def depthwise_conv_backward(
    gradient: ArrayLike,
    inputs: ArrayLike,
    kernel: ArrayLike,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation_rate: PerAxis = 1,
    *,
    pad_mode: str = "constant",
    pad_value: float = 0,
    needs: Collection[str] = ConvGradients._fields,
) -> ConvGradients:
    """The gradients of :func:`depthwise_conv`; see :func:`cnnlib.convolution.conv_backward`.

    ``gradient`` is (batch, *output, channels · multiplier); the result has the fields ``inputs``, ``kernel``
    and ``bias``, each None where ``needs`` does not name it.

    >>> pairs, kernel = np.array([[1, 10], [2, 20.0]])[None], np.ones((2, 2, 1))
    >>> depthwise_conv_backward([[[1, 3.0]]], pairs, kernel).kernel[..., 0]
    array([[ 1., 30.],
           [ 2., 60.]])
    """
    inputs, kernel = as_floats(inputs, "inputs"), as_floats(kernel, "kernel")
    groups = _check_depthwise(inputs, kernel)
    found = conv_backward(
        gradient,
        inputs,
        _as_groups(kernel),
        strides,
        padding,
        dilation_rate,
        groups,
        pad_mode=pad_mode,
        pad_value=pad_value,
        needs=needs,
    )
    return found if found.kernel is None else found._replace(kernel=found.kernel.reshape(kernel.shape))


def _as_groups(kernel: NDArray) -> NDArray:
    """A depthwise kernel (*kernel_size, channels, multiplier) as :func:`conv` takes it, in groups of one."""
    *size, channels, multiplier = kernel.shape
    return kernel.reshape(*size, 1, channels * multiplier)


def _check_depthwise(inputs: NDArray, kernel: NDArray) -> int:
    """Return the number of channels, or say which shapes clash."""
    if inputs.ndim < 3 or kernel.ndim != inputs.ndim:
        raise ShapeError(
            f"inputs of shape {inputs.shape} and a depthwise kernel of shape {kernel.shape} do not go "
            "together; they need (batch, *spatial, channels) and (*kernel_size, channels, multiplier)"
        )
    channels = inputs.shape[-1]
    if kernel.shape[-2] != channels:
        raise ShapeError(
            f"inputs have {channels} channels, but the depthwise kernel of shape {kernel.shape} has weights "
            f"for {kernel.shape[-2]}; it must have shape {(*kernel.shape[:-2], channels, kernel.shape[-1])}"
        )
    return channels


def pointwise_conv(
    inputs: ArrayLike, kernel: ArrayLike, bias: ArrayLike | None = None
) -> NDArray[np.floating]:
    """Mix the channels of every place by itself: a convolution whose window is 1×1, a dense layer a place.

    Args:
        inputs: array (batch, *spatial, channels).
        kernel: array (channels, filters).
        bias: array (filters,), or None.

    Returns:
        array (batch, *spatial, filters).

    >>> colours = np.array([[255, 0, 0], [255, 255, 255.0]]).reshape(1, 2, 3)
    >>> pointwise_conv(colours, np.full((3, 1), 1 / 3)).ravel()         # colour to grey
    array([ 85., 255.])
    """
    inputs, kernel = as_floats(inputs, "inputs"), as_floats(kernel, "kernel")
    return conv(inputs, _as_window(kernel, inputs), bias=bias)


def pointwise_conv_backward(
    gradient: ArrayLike,
    inputs: ArrayLike,
    kernel: ArrayLike,
    *,
    needs: Collection[str] = ConvGradients._fields,
) -> ConvGradients:
    """The gradients of :func:`pointwise_conv`: ``inputs``, ``kernel`` (channels, filters) and ``bias``.

    >>> found = pointwise_conv_backward([[[1.0], [2]]], [[[3.0, 4], [5, 6]]], [[10.0], [20]])
    >>> found.inputs
    array([[[10., 20.],
            [20., 40.]]])
    >>> found.kernel.ravel(), found.bias
    (array([13., 16.]), array([3.]))
    """
    inputs, kernel = as_floats(inputs, "inputs"), as_floats(kernel, "kernel")
    found = conv_backward(gradient, inputs, _as_window(kernel, inputs), needs=needs)
    return found if found.kernel is None else found._replace(kernel=found.kernel.reshape(kernel.shape))


def _as_window(kernel: NDArray, inputs: NDArray) -> NDArray:
    """A matrix (channels, filters) as the kernel of a 1×1 convolution of ``inputs``."""
    if kernel.ndim != 2:
        raise ShapeError(
            f"a pointwise kernel is (channels, filters), not {kernel.shape}; "
            "cnnlib.conv takes it with its window of ones"
        )
    return kernel.reshape((1,) * (inputs.ndim - 2) + kernel.shape)


class SeparableGradients(NamedTuple):
    """What :func:`separable_conv_backward` returns; None where a gradient was not asked for."""

    inputs: NDArray[np.floating] | None
    depthwise_kernel: NDArray[np.floating] | None
    pointwise_kernel: NDArray[np.floating] | None
    bias: NDArray[np.floating] | None


def separable_conv(
    inputs: ArrayLike,
    depthwise_kernel: ArrayLike,
    pointwise_kernel: ArrayLike,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation_rate: PerAxis = 1,
    bias: ArrayLike | None = None,
    *,
    pad_mode: str = "constant",
    pad_value: float = 0,
) -> NDArray[np.floating]:
    """Depthwise separable convolution: first space, channel by channel, then channels, place by place.

    Sifre, *Rigid-motion scattering for image classification* (2014); Howard et al., *MobileNets* (2017).

    Args:
        inputs: array (batch, *spatial, channels).
        depthwise_kernel: array (*kernel_size, channels, multiplier).
        pointwise_kernel: array (1, …, 1, channels · multiplier, filters), as Keras keeps it.
        bias: array (filters,), or None.
        strides, padding, dilation_rate, pad_mode, pad_value: of the depthwise step, as in
            :func:`depthwise_conv`.

    Returns:
        array (batch, *output, filters).

    >>> row = np.array([[1, 10], [2, 20], [3, 30.0]])[None]
    >>> separable_conv(row, np.ones((2, 2, 1)), np.array([1, 2.0]).reshape(1, 2, 1)).ravel()
    array([ 63., 105.])
    """
    middle = depthwise_conv(
        inputs,
        depthwise_kernel,
        strides,
        padding,
        dilation_rate,
        pad_mode=pad_mode,
        pad_value=pad_value,
    )
    return conv(middle, _check_pointwise(pointwise_kernel, middle), bias=bias)


def separable_conv_backward(
    gradient: ArrayLike,
    inputs: ArrayLike,
    depthwise_kernel: ArrayLike,
    pointwise_kernel: ArrayLike,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation_rate: PerAxis = 1,
    *,
    pad_mode: str = "constant",
    pad_value: float = 0,
    needs: Collection[str] = SeparableGradients._fields,
) -> SeparableGradients:
    """The gradients of :func:`separable_conv`, last step first.

    ``gradient`` is (batch, *output, filters); what lies between the two steps is computed again.

    >>> row = np.array([[1, 10], [2, 20.0]])[None]
    >>> found = separable_conv_backward([[[1.0]]], row, np.ones((2, 2, 1)), np.ones((1, 2, 1)))
    >>> found.depthwise_kernel[..., 0]
    array([[ 1., 10.],
           [ 2., 20.]])
    >>> found.pointwise_kernel.ravel()
    array([ 3., 30.])
    """
    check_needs(needs, SeparableGradients._fields)
    first = {name: name in needs for name in ("inputs", "depthwise_kernel")}
    middle = depthwise_conv(
        inputs,
        depthwise_kernel,
        strides,
        padding,
        dilation_rate,
        pad_mode=pad_mode,
        pad_value=pad_value,
    )
    wanted = [name for name in ("kernel", "bias") if name in needs or f"pointwise_{name}" in needs]
    across = conv_backward(
        gradient,
        middle,
        _check_pointwise(pointwise_kernel, middle),
        needs=[*wanted, "inputs"] if any(first.values()) else wanted,
    )
    if across.inputs is None:
        return SeparableGradients(None, None, across.kernel, across.bias)
    each = depthwise_conv_backward(
        across.inputs,
        inputs,
        depthwise_kernel,
        strides,
        padding,
        dilation_rate,
        pad_mode=pad_mode,
        pad_value=pad_value,
        needs=[name.removeprefix("depthwise_") for name, wished in first.items() if wished],
    )
    return SeparableGradients(each.inputs, each.kernel, across.kernel, across.bias)


def _check_pointwise(kernel: ArrayLike, middle: NDArray) -> NDArray:
    """Return the kernel of the 1×1 step, or say that its window is larger or its channels are others."""
    weights = as_floats(kernel, "pointwise_kernel")
    ones, channels = (1,) * (middle.ndim - 2), middle.shape[-1]
    if weights.ndim != middle.ndim or weights.shape[:-1] != (*ones, channels):
        raise ShapeError(
            f"the depthwise step gives {channels} channels, but the pointwise kernel has shape "
            f"{weights.shape}; it must have shape {(*ones, channels)} with the filters behind"
        )
    return weights


def channel_shuffle(inputs: ArrayLike, groups: int) -> NDArray:
    """Deal the channels out like cards, so that the next grouped convolution sees something of every group.

    Channels in ``groups`` blocks one after another become blocks with one channel of each. Shuffling again
    with channels / groups blocks restores the order. Zhang et al., *ShuffleNet* (2018).

    Args:
        inputs: array (batch, *spatial, channels).
        groups: a divisor of the number of channels.

    Returns:
        array of the same shape and dtype.

    >>> channel_shuffle(np.arange(6).reshape(1, 1, 6), groups=2).ravel()
    array([0, 3, 1, 4, 2, 5])
    """
    values = as_array(inputs, "inputs")
    groups, each = _check_groups(values, groups)
    blocks = values.reshape(*values.shape[:-1], groups, each)
    return np.swapaxes(blocks, -1, -2).reshape(values.shape)


def channel_shuffle_backward(gradient: ArrayLike, inputs: ArrayLike, groups: int) -> NDArray:
    """The gradient of :func:`channel_shuffle`: every channel's share goes back to where it came from.

    >>> shuffled = channel_shuffle(np.arange(6).reshape(1, 1, 6), groups=2)
    >>> channel_shuffle_backward(shuffled, np.zeros((1, 1, 6)), groups=2).ravel()
    array([0., 1., 2., 3., 4., 5.])
    """
    values = as_floats(inputs, "inputs")
    slopes = as_gradient(gradient, values.shape, values.dtype)
    return channel_shuffle(slopes, _check_groups(slopes, groups)[1])


def _check_groups(values: NDArray, groups: int) -> tuple[int, int]:
    """Return the number of groups and that of channels in each, or say that they do not divide."""
    groups = as_int(groups, "groups")
    if values.ndim < 1:
        raise ShapeError("a single number has no channels to shuffle; inputs are (batch, *spatial, channels)")
    channels = values.shape[-1]
    if channels % groups:
        raise ShapeError(
            f"{channels} channels cannot be shuffled in {groups} groups; "
            f"choose groups among the divisors of {channels}"
        )
    return groups, channels // groups


def separable_rank(kernel: ArrayLike) -> int:
    """The fewest pairs of a column and a row whose products add up to a kernel (height, width): its rank.

    A kernel of rank 1 is one column times one row, so that two thin convolutions do its work. Counted are
    the singular values that stand out of the rounding of the kernel's dtype: a float32 kernel stays float32.

    >>> separable_rank([[1, 0, -1], [2, 0, -2], [1, 0, -1]])            # Sobel
    1
    >>> separable_rank([[0, 1, 0], [1, -4, 1], [0, 1, 0]])              # Laplacian
    2
    """
    return int(np.linalg.matrix_rank(_plane(kernel)))


def factors(kernel: ArrayLike) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Split a kernel (height, width) into a column (height,) and a row (width,) whose product it is.

    The row is 1 where the kernel is largest, so that whole numbers stay whole where they can.

    Raises:
        SizeError: the kernel has a rank above 1, so that no pair can do it.

    >>> factors([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    (array([1., 2., 1.]), array([ 1.,  0., -1.]))
    >>> factors([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    Traceback (most recent call last):
        ...
    cnnlib.errors.SizeError: a kernel of rank 2 is no column times a row; add up 2 pairs, see low_rank
    """
    plane = _plane(kernel)
    rank = separable_rank(plane)
    if rank > 1:
        raise SizeError(
            f"a kernel of rank {rank} is no column times a row; add up {rank} pairs, see low_rank"
        )
    if rank == 0:
        return plane[:, 0].copy(), plane[0].copy()
    row, column = np.unravel_index(np.abs(plane).argmax(), plane.shape)
    return plane[:, column].copy(), plane[row] / plane[row, column]


class LowRank(NamedTuple):
    """A kernel as a sum of columns times rows, and how much of it the sum misses."""

    columns: NDArray[np.floating]  # (rank, height)
    rows: NDArray[np.floating]  # (rank, width)
    error: float  # Frobenius norm of what is missing, as a share of the kernel's

    @property
    def kernel(self) -> NDArray[np.floating]:
        """The sum itself, (height, width)."""
        return self.columns.T @ self.rows


def low_rank(kernel: ArrayLike, rank: int) -> LowRank:
    """The best approximation of a kernel (height, width) by ``rank`` columns times rows.

    Singular values are cut off after ``rank``; no other sum of so many pairs comes nearer (Eckart and
    Young, 1936).

    >>> laplacian = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0.0]])
    >>> [round(low_rank(laplacian, rank).error, 3) for rank in (1, 2)]
    [0.101, 0.0]
    >>> low_rank(laplacian, 2).kernel.round(12) + 0.0
    array([[ 0.,  1.,  0.],
           [ 1., -4.,  1.],
           [ 0.,  1.,  0.]])
    """
    plane = _plane(kernel)
    rank = as_int(rank, "rank")
    if rank > min(plane.shape):
        raise SizeError(
            f"rank {rank} is more than a kernel of shape {plane.shape} can have; at most {min(plane.shape)}"
        )
    left, values, right = np.linalg.svd(plane, full_matrices=False)
    root = np.sqrt(values[:rank, None])
    whole = np.linalg.norm(values)
    error = float(np.linalg.norm(values[rank:]) / whole) if whole else 0.0
    return LowRank(root * left.T[:rank], root * right[:rank], error)


def _plane(kernel: ArrayLike) -> NDArray[np.floating]:
    """Return a finite kernel (height, width) as floats, or say what it is instead."""
    plane = as_floats(kernel, "kernel")
    if plane.ndim != 2 or 0 in plane.shape:
        raise ShapeError(f"a kernel of shape {plane.shape} has no rank; it must be (height, width)")
    if not np.isfinite(plane).all():
        raise SizeError(f"kernel has {np.count_nonzero(~np.isfinite(plane))} value(s) that are not finite")
    return plane


#: What :func:`conv` takes after its inputs: kernel, strides, padding, dilation and groups.
_Step: TypeAlias = tuple[NDArray, tuple[int, int], str, tuple[int, int], int]


class SpatiallySeparableGradients(NamedTuple):
    """What :func:`spatially_separable_conv_backward` returns; None where it was not asked for."""

    inputs: NDArray[np.floating] | None
    column: NDArray[np.floating] | None
    row: NDArray[np.floating] | None
    bias: NDArray[np.floating] | None


def spatially_separable_conv(
    inputs: ArrayLike,
    column: ArrayLike,
    row: ArrayLike,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation_rate: PerAxis = 1,
    bias: ArrayLike | None = None,
    *,
    pad_mode: str = "constant",
    pad_value: float = 0,
) -> NDArray[np.floating]:
    """Convolve images with a column and then with a row: n + n weights do the work of n × n.

    Szegedy et al., *Rethinking the Inception architecture* (2016). The image is padded once, before the
    column, so that the result is that of one convolution with the product of both.

    Args:
        inputs: array (batch, height, width, channels).
        column, row: arrays (kernel_height, channels, middle) and (kernel_width, middle, filters), as a
            network learns them; or vectors (kernel_height,) and (kernel_width,), as :func:`factors` gives
            them, which filter each channel by itself.
        bias: array (filters,), or None.
        strides, padding, dilation_rate, pad_mode, pad_value: as in :func:`cnnlib.convolution.conv`.

    Returns:
        array (batch, *output, filters), or as many channels as before.

    >>> image = np.arange(12.0).reshape(1, 3, 4, 1)
    >>> sobel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    >>> spatially_separable_conv(image, *factors(sobel)).ravel()
    array([-8., -8.])
    >>> conv(image, sobel.reshape(3, 3, 1, 1)).ravel()
    array([-8., -8.])
    """
    padded, _, upright, flat = _two_steps(
        inputs, column, row, strides, padding, dilation_rate, pad_mode, pad_value
    )
    return conv(conv(padded, *upright), *flat, bias)


def spatially_separable_conv_backward(
    gradient: ArrayLike,
    inputs: ArrayLike,
    column: ArrayLike,
    row: ArrayLike,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation_rate: PerAxis = 1,
    *,
    pad_mode: str = "constant",
    pad_value: float = 0,
    needs: Collection[str] = SpatiallySeparableGradients._fields,
) -> SpatiallySeparableGradients:
    """The gradients of :func:`spatially_separable_conv`, the row's step first.

    ``gradient`` is (batch, *output, filters); what lies between the two steps is computed again.

    >>> image = np.array([[1, 2], [3, 4.0]]).reshape(1, 2, 2, 1)
    >>> found = spatially_separable_conv_backward(np.ones((1, 1, 1, 1)), image, [1, 10.0], [1, -1.0])
    >>> found.column, found.row
    (array([-1., -1.]), array([31., 42.]))
    >>> found.inputs[0, ..., 0]
    array([[  1.,  -1.],
           [ 10., -10.]])
    """
    check_needs(needs, SpatiallySeparableGradients._fields)
    padded, amounts, upright, flat = _two_steps(
        inputs, column, row, strides, padding, dilation_rate, pad_mode, pad_value
    )
    last = conv_backward(gradient, conv(padded, *upright), *flat)
    assert last.inputs is not None  # nothing was left out of what it returns
    first = conv_backward(last.inputs, padded, *upright)
    found = {
        "inputs": np.ascontiguousarray(pad_backward(np.asarray(first.inputs), amounts, pad_mode)),
        "column": _shared(np.asarray(first.kernel), column),
        "row": _shared(np.asarray(last.kernel), row),
        "bias": last.bias,
    }
    return SpatiallySeparableGradients(**{name: found[name] if name in needs else None for name in found})


def _shared(gradient: NDArray, weights: ArrayLike) -> NDArray:
    """A gradient in the shape of the weights: of a vector that all channels share, the sum over them."""
    if np.ndim(weights) == 1:
        return gradient.sum(axis=(-2, -1)).ravel()
    return gradient.reshape(np.shape(weights))


def _two_steps(
    inputs: ArrayLike,
    column: ArrayLike,
    row: ArrayLike,
    strides: PerAxis,
    padding: Padding,
    dilation_rate: PerAxis,
    pad_mode: str,
    pad_value: float,
) -> tuple[NDArray, list[tuple[int, int]], _Step, _Step]:
    """The padded images, what was padded, and the arguments of :func:`conv` for the column and the row."""
    images = as_floats(inputs, "inputs")
    upright, flat = as_floats(column, "column"), as_floats(row, "row")
    if images.ndim != 4 or (upright.ndim, flat.ndim) not in {(1, 1), (3, 3)}:
        raise ShapeError(
            f"inputs of shape {images.shape}, a column of shape {upright.shape} and a row of shape "
            f"{flat.shape} do not go together; they need (batch, height, width, channels) and two vectors, "
            "or (kernel_height, channels, middle) and (kernel_width, middle, filters)"
        )
    groups = 1
    if upright.ndim == 1:
        groups = images.shape[-1]
        upright, flat = (np.repeat(vector[:, None, None], groups, axis=-1) for vector in (upright, flat))
    steps, gaps = per_axis(strides, 2, "strides"), per_axis(dilation_rate, 2, "dilation_rate")
    window = (upright.shape[0], flat.shape[0])
    amounts = amounts_for(images.shape[1:-1], window, steps, padding, gaps)
    output_shape(images.shape, window, None, steps, amounts, gaps)  # raises before anything is padded
    return (
        pad(images, amounts, pad_mode, pad_value),
        amounts,
        (upright[:, None], (steps[0], 1), "valid", (gaps[0], 1), groups),
        (flat[None], (1, steps[1]), "valid", (1, gaps[1]), groups),
    )


class LocallyConnectedGradients(NamedTuple):
    """What :func:`locally_connected_backward` returns; None where a gradient was not asked for."""

    inputs: NDArray[np.floating] | None
    kernel: NDArray[np.floating] | None
    bias: NDArray[np.floating] | None


def locally_connected(
    inputs: ArrayLike,
    kernel: ArrayLike,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation_rate: PerAxis = 1,
    bias: ArrayLike | None = None,
) -> NDArray[np.floating]:
    """Look through windows as a convolution does, but with other weights at every place.

    Args:
        inputs: array (batch, *spatial, channels).
        kernel: array (*output, *kernel_size, channels, filters): one kernel a place.
        bias: array (*output, filters), or None.
        strides, padding, dilation_rate: as in :func:`cnnlib.convolution.conv`.

    Returns:
        array (batch, *output, filters).

    Raises:
        ShapeError: ``kernel`` or ``bias`` does not have a place for each output.

    >>> row = np.array([3, 1, 4, 1.0]).reshape(1, 4, 1)
    >>> kernel = np.array([[1, 0], [0, 1], [1, 1.0]]).reshape(3, 2, 1, 1)       # three places, two taps
    >>> locally_connected(row, kernel).ravel()
    array([3., 4., 5.])
    """
    inputs, kernel = as_floats(inputs, "inputs"), as_floats(kernel, "kernel")
    dtype = np.result_type(inputs, kernel)
    kernel_size, steps, gaps, amounts, shape = _check_places(inputs, kernel, strides, padding, dilation_rate)
    if bias is not None:
        shift = as_floats(bias, "bias").astype(dtype, copy=False)
        if shift.shape != shape[1:]:
            raise ShapeError(f"bias has shape {shift.shape}; every place and filter has its own: {shape[1:]}")
    outputs = np.empty(shape, dtype)
    windows = sliding_windows(pad(inputs, amounts), kernel_size, steps, gaps)
    for line, weights in enumerate(_as_matrices(kernel)):  # one row of places at a time bounds the memory
        outputs[:, line] = np.moveaxis(_seen(windows[:, line], len(kernel_size)) @ weights, -2, 0)
    if bias is not None:
        outputs += shift
    return outputs


def locally_connected_backward(
    gradient: ArrayLike,
    inputs: ArrayLike,
    kernel: ArrayLike,
    strides: PerAxis = 1,
    padding: Padding = "valid",
    dilation_rate: PerAxis = 1,
    *,
    needs: Collection[str] = LocallyConnectedGradients._fields,
) -> LocallyConnectedGradients:
    """The gradients of :func:`locally_connected`: at every place those of a small dense layer.

    ``gradient`` is (batch, *output, filters); the fields are ``inputs``, ``kernel`` (*output, *kernel_size,
    channels, filters) and ``bias`` (*output, filters).

    >>> row = np.array([3, 1, 4.0]).reshape(1, 3, 1)
    >>> found = locally_connected_backward([[[1.0], [2]]], row, np.ones((2, 2, 1, 1)))
    >>> found.kernel[..., 0, 0]
    array([[3., 1.],
           [2., 8.]])
    >>> found.inputs.ravel(), found.bias.ravel()
    (array([1., 3., 2.]), array([1., 2.]))
    """
    check_needs(needs, LocallyConnectedGradients._fields)
    inputs, kernel = as_floats(inputs, "inputs"), as_floats(kernel, "kernel")
    dtype = np.result_type(inputs, kernel)
    kernel_size, steps, gaps, amounts, shape = _check_places(inputs, kernel, strides, padding, dilation_rate)
    rank = len(kernel_size)
    slopes = as_gradient(gradient, shape, dtype)
    padded = pad(inputs, amounts)
    windows = sliding_windows(padded, kernel_size, steps, gaps)
    padded_slopes = np.zeros(padded.shape, dtype) if "inputs" in needs else None
    kernel_slopes = np.empty(kernel.shape, dtype) if "kernel" in needs else None
    for line, weights in enumerate(_as_matrices(kernel)):
        above = np.moveaxis(slopes[:, line], 0, -2)  # (*places, batch, filters)
        if kernel_slopes is not None:
            below = np.swapaxes(_seen(windows[:, line], rank), -1, -2) @ above
            kernel_slopes[line] = below.reshape(kernel_slopes[line].shape)
        if padded_slopes is not None:
            spread = np.moveaxis(above @ np.swapaxes(weights, -1, -2), -2, 0)
            spread = spread.reshape(*slopes[:, line].shape[:-1], *kernel_size, inputs.shape[-1])
            for tap in np.ndindex(kernel_size):
                first, *others = (t * d for t, d in zip(tap, gaps, strict=True))
                touched = (
                    slice(o, o + (n - 1) * s + 1, s)
                    for o, n, s in zip(others, shape[2:-1], steps[1:], strict=True)
                )
                padded_slopes[(slice(None), line * steps[0] + first, *touched)] += spread[
                    (..., *tap, slice(None))
                ]
    return LocallyConnectedGradients(
        None if padded_slopes is None else np.ascontiguousarray(pad_backward(padded_slopes, amounts)),
        kernel_slopes,
        slopes.sum(axis=0) if "bias" in needs else None,
    )


def _seen(windows: NDArray, rank: int) -> NDArray:
    """The windows (batch, *places, *kernel_size, channels) of a row of places as (*places, batch, values)."""
    seen = np.moveaxis(windows, 0, rank - 1)
    return seen.reshape(*seen.shape[:rank], math.prod(seen.shape[rank:]))


def _as_matrices(kernel: NDArray) -> NDArray:
    """Weights (*output, *kernel_size, channels, filters) as one matrix (values, filters) a place."""
    rank = (kernel.ndim - 2) // 2
    return kernel.reshape(*kernel.shape[:rank], -1, kernel.shape[-1])


def _check_places(
    inputs: NDArray, kernel: NDArray, strides: PerAxis, padding: Padding, dilation_rate: PerAxis
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], list[tuple[int, int]], tuple[int, ...]]:
    """Return kernel size, strides, dilation, padding and output shape, or say which shapes clash."""
    rank = inputs.ndim - 2
    if rank < 1 or kernel.ndim != 2 * rank + 2:
        raise ShapeError(
            f"inputs of shape {inputs.shape} and a kernel of shape {kernel.shape} do not go together; they "
            "need (batch, *spatial, channels) and (*output, *kernel_size, channels, filters)"
        )
    if 0 in kernel.shape:
        raise ShapeError(f"kernel of shape {kernel.shape} is empty; every axis needs at least 1")
    kernel_size, filters = kernel.shape[rank:-2], kernel.shape[-1]
    steps, gaps = per_axis(strides, rank, "strides"), per_axis(dilation_rate, rank, "dilation_rate")
    amounts = amounts_for(inputs.shape[1:-1], kernel_size, steps, padding, gaps)
    shape = output_shape(inputs.shape, kernel_size, filters, steps, amounts, gaps)
    expected = locally_connected_shape(inputs.shape, kernel_size, filters, steps, amounts, gaps)
    if kernel.shape != expected:
        raise ShapeError(
            f"inputs of shape {inputs.shape} have {shape[1:-1]} places for a window of {kernel_size}, each "
            f"over {inputs.shape[-1]} channels; the kernel has shape {kernel.shape}, it must have {expected}"
        )
    return kernel_size, steps, gaps, amounts, shape
