"""The same convolution by other roads: loops to read, matrices to multiply by. Chapters 1, 2, 4 and 8.

:func:`cnnlib.convolution.conv`, which multiplies blocks of windows, is the road that is taken; these are for
teaching and for testing it. :data:`LADDER` has them all, from seven loops to the one that is called by
default; each takes (batch, *spatial, channels), padded already, and gives the same outputs:

>>> rng = np.random.default_rng(0)
>>> inputs, kernel = rng.normal(size=(2, 7, 8, 3)), rng.normal(size=(3, 3, 3, 4))
>>> for name, road in LADDER.items():
...     same = np.allclose(road(inputs, kernel, strides=2), conv(inputs, kernel, strides=2))
...     print(f"{name:11} {same} {multiplications(name, inputs.shape, 3, filters=4, strides=2):6}")
seven loops True   1944
loops       True   1944
windows     True   1944
im2col      True   1944
Toeplitz    True  12096
FFT         True   3360
Winograd    True   3456
blocks      True   1944
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.connections import conv_matrix
from cnnlib.convolution import as_floats, conv
from cnnlib.errors import ShapeError, SizeError
from cnnlib.padding import pad
from cnnlib.sizes import (
    PerAxis,
    as_int,
    conv_macs,
    effective_kernel_size,
    output_shape,
    output_size,
    per_axis,
    shown,
    transposed_shape,
)
from cnnlib.windows import sliding_windows

# ---------------------------------------------------------------------------------------------------
# Loops: every operator as it is said
# ---------------------------------------------------------------------------------------------------


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


def conv_seven_loops(inputs: NDArray, kernel: NDArray, strides: PerAxis = 1) -> NDArray[np.float64]:
    """Convolution of images, one multiplication and one addition at a time.

    ``inputs`` is (batch, height, width, channels), padded already, ``kernel`` (height, width, channels,
    filters).

    >>> conv_seven_loops(np.arange(9.0).reshape(1, 3, 3, 1), np.ones((2, 2, 1, 1)))[0, :, :, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """
    kernel_height, kernel_width, channels, filters = kernel.shape
    down, right = per_axis(strides, 2, "strides")
    outputs = np.zeros(output_shape(inputs.shape, (kernel_height, kernel_width), filters, strides))
    for image in range(outputs.shape[0]):
        for row in range(outputs.shape[1]):
            for column in range(outputs.shape[2]):
                for filter_ in range(filters):
                    for y in range(kernel_height):
                        for x in range(kernel_width):
                            for channel in range(channels):
                                seen = inputs[image, row * down + y, column * right + x, channel]
                                weight = kernel[y, x, channel, filter_]
                                outputs[image, row, column, filter_] += seen * weight
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
    share = filters // as_int(groups, "groups")
    for item, *place, filter_ in np.ndindex(outputs.shape):
        corner = [p * s for p, s in zip(place, steps, strict=True)]
        window = [slice(c, c + span, d) for c, span, d in zip(corner, spans, gaps, strict=True)]
        first = filter_ // share * depth  # of the channels that this filter's group sees
        seen = inputs[(item, *window, slice(first, first + depth))]
        outputs[(item, *place, filter_)] = (seen * kernel[..., filter_]).sum()
    return outputs


def conv_backward_loops(
    gradient: NDArray,
    inputs: NDArray,
    kernel: NDArray,
    strides: PerAxis = 1,
    dilation_rate: PerAxis = 1,
    groups: int = 1,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The loop twin of :func:`cnnlib.convolution.conv_backward`: every output pays back what it was given.

    To each input as much as the weight that it was multiplied by, to each weight as much as the input.
    Arguments are those of :func:`conv_loops`, and ``gradient``, dL/d(outputs); returns those of inputs,
    kernel and bias.

    >>> inputs, kernel = np.array([3.0, 1, 4]).reshape(1, 3, 1), np.array([1.0, 2]).reshape(2, 1, 1)
    >>> [array.ravel() for array in conv_backward_loops(np.ones((1, 2, 1)), inputs, kernel)]
    [array([1., 3., 2.]), array([4., 5.]), array([2.])]
    """
    (*kernel_size, depth, filters), rank = kernel.shape, inputs.ndim - 2
    steps, gaps = per_axis(strides, rank, "strides"), per_axis(dilation_rate, rank, "dilation_rate")
    spans = [effective_kernel_size(k, d) for k, d in zip(kernel_size, gaps, strict=True)]
    of_inputs, of_kernel, of_bias = np.zeros(inputs.shape), np.zeros(kernel.shape), np.zeros(filters)
    share = filters // as_int(groups, "groups")
    for (item, *place, filter_), slope in np.ndenumerate(gradient):
        corner = [p * s for p, s in zip(place, steps, strict=True)]
        window = [slice(c, c + span, d) for c, span, d in zip(corner, spans, gaps, strict=True)]
        first = filter_ // share * depth  # of the channels that this filter's group sees
        seen = (item, *window, slice(first, first + depth))
        of_inputs[seen] += slope * kernel[..., filter_]
        of_kernel[..., filter_] += slope * inputs[seen]
        of_bias[filter_] += slope
    return of_inputs, of_kernel, of_bias


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


def max_pool_backward_loops(
    gradient: NDArray, inputs: NDArray, pool_size: PerAxis, strides: PerAxis | None = None
) -> NDArray[np.float64]:
    """The loop twin of the backward pass of max pooling: the first largest input of a window gets it all.

    >>> row = np.array([1, 3, 3, 9.0]).reshape(1, 4, 1)
    >>> max_pool_backward_loops(np.array([[[10], [20], [30]]]), row, pool_size=2, strides=1).ravel()
    array([ 0., 30.,  0., 30.])
    """
    rank = inputs.ndim - 2
    sizes = per_axis(pool_size, rank, "pool_size")
    steps = sizes if strides is None else per_axis(strides, rank, "strides")
    results = np.zeros(inputs.shape)
    for item, *place, channel in np.ndindex(gradient.shape):
        corner = np.multiply(place, steps)
        window = [slice(c, c + k) for c, k in zip(corner, sizes, strict=True)]
        first = np.unravel_index(inputs[(item, *window, channel)].argmax(), sizes)
        results[(item, *np.add(corner, first), channel)] += gradient[(item, *place, channel)]
    return results


def lrn_loops(
    inputs: NDArray, depth_radius: int = 5, bias: float = 1, alpha: float = 1, beta: float = 0.5
) -> NDArray[np.float64]:
    """The loop twin of local response normalisation: each value by the strength of its neighbours.

    >>> lrn_loops(np.array([[3.0, 4]]), depth_radius=1, bias=0)
    array([[0.6, 0.8]])
    """
    outputs = np.zeros(inputs.shape)
    for *place, channel in np.ndindex(inputs.shape):
        nearest = slice(max(channel - depth_radius, 0), channel + depth_radius + 1)
        strength = bias + alpha * (inputs[(*place, nearest)] ** 2).sum()
        outputs[(*place, channel)] = inputs[(*place, channel)] / strength**beta
    return outputs


def depthwise_loops(
    inputs: NDArray, kernel: NDArray, strides: PerAxis = 1, dilation_rate: PerAxis = 1
) -> NDArray[np.float64]:
    """The loop twin of :func:`cnnlib.variants.depthwise_conv`: a window of one channel times one kernel.

    ``inputs`` is (batch, *spatial, channels), padded already, ``kernel`` (*kernel_size, channels,
    multiplier).

    >>> depthwise_loops(np.array([[1, 10], [2, 20.0]])[None], np.array([[[1], [2]], [[1], [3.0]]])).ravel()
    array([ 3., 80.])
    """
    (*size, channels, multiplier), rank = kernel.shape, inputs.ndim - 2
    steps, gaps = per_axis(strides, rank, "strides"), per_axis(dilation_rate, rank, "dilation_rate")
    shape = output_shape(inputs.shape, size, channels * multiplier, steps, "valid", gaps)
    outputs = np.zeros((*shape[:-1], channels, multiplier))
    for item, *place, channel, copy in np.ndindex(outputs.shape):
        window = [slice(p * s, p * s + k * d, d) for p, s, k, d in zip(place, steps, size, gaps, strict=True)]
        seen = inputs[(item, *window, channel)]
        outputs[(item, *place, channel, copy)] = (seen * kernel[..., channel, copy]).sum()
    return outputs.reshape(shape)


def locally_connected_loops(
    inputs: NDArray, kernel: NDArray, strides: PerAxis = 1, dilation_rate: PerAxis = 1
) -> NDArray[np.float64]:
    """The loop twin of :func:`cnnlib.variants.locally_connected`: at every place other weights.

    ``inputs`` is (batch, *spatial, channels), padded already, ``kernel`` (*output, *kernel_size, channels,
    filters).

    >>> kernel = np.array([[1, 0], [0, 1], [1, 1.0]]).reshape(3, 2, 1, 1)
    >>> locally_connected_loops(np.array([3, 1, 4, 1.0]).reshape(1, 4, 1), kernel).ravel()
    array([3., 4., 5.])
    """
    rank = inputs.ndim - 2
    steps, gaps = per_axis(strides, rank, "strides"), per_axis(dilation_rate, rank, "dilation_rate")
    size = kernel.shape[rank:-2]
    outputs = np.zeros(output_shape(inputs.shape, size, kernel.shape[-1], steps, "valid", gaps))
    for item, *place, filter_ in np.ndindex(outputs.shape):
        window = [slice(p * s, p * s + k * d, d) for p, s, k, d in zip(place, steps, size, gaps, strict=True)]
        seen, weights = inputs[(item, *window)], kernel[(*place, ..., filter_)]
        outputs[(item, *place, filter_)] = (seen * weights).sum()
    return outputs


def conv_transpose_loops(
    inputs: NDArray, kernel: NDArray, strides: PerAxis = 1, dilation_rate: PerAxis = 1
) -> NDArray[np.float64]:
    """The loop twin of :func:`cnnlib.upsampling.conv_transpose`: every input adds the kernel, times itself.

    ``inputs`` is (batch, *spatial, channels), ``kernel`` (*kernel_size, filters, channels); nothing is cut
    off.

    >>> conv_transpose_loops(np.array([1, 3.0]).reshape(1, 2, 1), np.ones((3, 1, 1)), strides=2).ravel()
    array([1., 1., 4., 3., 3.])
    """
    (*size, filters, _), rank = kernel.shape, inputs.ndim - 2
    steps, gaps = per_axis(strides, rank, "strides"), per_axis(dilation_rate, rank, "dilation_rate")
    outputs = np.zeros(transposed_shape(inputs.shape, size, filters, steps, 0, None, gaps))
    for item, *place, channel in np.ndindex(inputs.shape):
        window = [slice(p * s, p * s + k * d, d) for p, s, k, d in zip(place, steps, size, gaps, strict=True)]
        outputs[(item, *window)] += inputs[(item, *place, channel)] * kernel[..., channel]
    return outputs


def bilinear_loops(inputs: NDArray, size: PerAxis) -> NDArray[np.float64]:
    """The loop twin of :func:`cnnlib.upsampling.upsample_bilinear`: every input by how near its middle is.

    >>> bilinear_loops(np.array([0, 3.0]).reshape(1, 2, 1), size=3).ravel()
    array([0., 0., 1., 2., 3., 3.])
    """
    (batch, *spatial, channels), factors = inputs.shape, per_axis(size, inputs.ndim - 2, "size")
    outputs = np.zeros((batch, *np.multiply(spatial, factors), channels))
    for item, *place in np.ndindex(outputs.shape[:-1]):
        middles = [(p + 0.5) / f - 0.5 for p, f in zip(place, factors, strict=True)]
        middles = [min(max(m, 0), n - 1) for m, n in zip(middles, spatial, strict=True)]  # the border repeats
        for near in np.ndindex(*spatial):
            nearness = [max(1 - abs(m - n), 0) for m, n in zip(middles, near, strict=True)]
            outputs[(item, *place)] += math.prod(nearness) * inputs[(item, *near)]
    return outputs


# ---------------------------------------------------------------------------------------------------
# The ladder: the same products in other orders, and fewer of them
# ---------------------------------------------------------------------------------------------------


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


def conv_windows(inputs: ArrayLike, kernel: ArrayLike, strides: PerAxis = 1) -> NDArray[np.floating]:
    """All windows at once, as a view, and one sum over their axes and the kernel's.

    >>> conv_windows(np.arange(9.0).reshape(1, 3, 3, 1), np.ones((2, 2, 1, 1)))[0, :, :, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """
    inputs, kernel = _pair(inputs, kernel)
    windows = sliding_windows(inputs, kernel.shape[:-2], strides)
    return np.tensordot(windows, kernel, axes=kernel.ndim - 1)


def im2col(inputs: NDArray, kernel_size: PerAxis, strides: PerAxis = 1) -> NDArray:
    """One row for every place of the window, with all that it sees there.

    The result has shape (batch · places, inputs of a filter): each input stands in it as often as windows see
    it, which is what this road pays in memory.

    >>> im2col(np.array([3, 1, 4, 1, 5, 9]).reshape(1, 6, 1), kernel_size=3, strides=2)
    array([[3, 1, 4],
           [4, 1, 5]])
    """
    windows = sliding_windows(inputs, kernel_size, strides)
    places = inputs.ndim - 1  # axes: the batch, and a place along each spatial one
    return windows.reshape(math.prod(windows.shape[:places]), math.prod(windows.shape[places:]))


def conv_im2col(inputs: ArrayLike, kernel: ArrayLike, strides: PerAxis = 1) -> NDArray[np.floating]:
    """All windows laid out in one matrix, and one matrix product: what fast libraries began with.

    >>> conv_im2col(np.arange(9.0).reshape(1, 3, 3, 1), np.ones((2, 2, 1, 1)))[0, :, :, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """
    inputs, kernel = _pair(inputs, kernel)
    *size, _, filters = kernel.shape
    rows = im2col(inputs, size, strides)
    outputs = rows @ kernel.reshape(-1, filters)
    return outputs.reshape(output_shape(inputs.shape, size, filters, strides))


def conv_toeplitz(inputs: ArrayLike, kernel: ArrayLike, strides: PerAxis = 1) -> NDArray[np.floating]:
    """The whole layer as one matrix, mostly zeros, times the flattened image: for small images.

    >>> conv_toeplitz(np.arange(9.0).reshape(1, 3, 3, 1), np.ones((2, 2, 1, 1)))[0, :, :, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """
    inputs, kernel = _pair(inputs, kernel)
    matrix = conv_matrix(kernel, inputs.shape[1:-1], strides)
    outputs = inputs.reshape(len(inputs), matrix.shape[1]) @ matrix.T
    return outputs.reshape(output_shape(inputs.shape, kernel.shape[:-2], kernel.shape[-1], strides))


def conv_fft(inputs: ArrayLike, kernel: ArrayLike, strides: PerAxis = 1) -> NDArray[np.floating]:
    """A product in the frequency domain: cross-correlation there multiplies by the kernel's conjugate.

    It pays for large kernels. A stride throws finished outputs away.

    >>> conv_fft(np.arange(9.0).reshape(1, 3, 3, 1), np.ones((2, 2, 1, 1)))[0, :, :, 0].round(9)
    array([[ 8., 12.],
           [20., 24.]])
    """
    inputs, kernel = _pair(inputs, kernel)
    rank, spatial = inputs.ndim - 2, inputs.shape[1:-1]
    spectrum = np.fft.rfftn(inputs, axes=range(1, rank + 1))
    weights = np.fft.rfftn(kernel, s=spatial, axes=range(rank)).conj()  # zeros around it
    products = (spectrum[..., None, :] @ weights)[..., 0, :]  # channels summed, a column for each filter
    outputs = np.fft.irfftn(products, s=spatial, axes=range(1, rank + 1))
    places = output_shape(inputs.shape, kernel.shape[:rank])[1:-1]  # beyond them the kernel wraps round
    return _every(outputs, places, strides).astype(inputs.dtype)


#: Winograd's F(2, 3): two outputs of a kernel of 3 from four inputs by four multiplications instead of six.
#: outputs = A (G weights * B inputs), element by element.
WINOGRAD_INPUTS = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
WINOGRAD_KERNEL = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
WINOGRAD_OUTPUTS = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])


def conv_winograd(inputs: ArrayLike, kernel: ArrayLike, strides: PerAxis = 1) -> NDArray[np.floating]:
    """Tiles of two outputs an axis by fewer multiplications, for kernels of 3 along every axis.

    F(2, 3) on one axis, F(2×2, 3×3) on two: 16 multiplications where windows take 36. The transforms before
    and after only add, and halve. A stride throws finished outputs away. Source: A. Lavin and S. Gray, *Fast
    algorithms for convolutional neural networks* (2016), arXiv:1509.09308.

    >>> conv_winograd(np.arange(25.0).reshape(1, 5, 5, 1), np.ones((3, 3, 1, 1)))[0, :, :, 0]
    array([[ 54.,  63.,  72.],
           [ 99., 108., 117.],
           [144., 153., 162.]])

    Raises:
        ShapeError: a kernel of another size.
    """
    inputs, kernel = _pair(inputs, kernel)
    rank, size = inputs.ndim - 2, kernel.shape[:-2]
    if set(size) != {3}:
        raise ShapeError(f"F(2, 3) is for kernels of 3 along every axis, not {size}; use another road")
    shape = output_shape(inputs.shape, 3, kernel.shape[-1])  # at stride 1
    odd = [(0, n % 2) for n in shape[1:-1]]  # one more row, so that outputs come in pairs
    tiles = sliding_windows(pad(inputs, odd), 4, strides=2)  # (batch, *tiles, *4, channels)
    seen = _transform(tiles, WINOGRAD_INPUTS, range(1 + rank, 1 + 2 * rank))
    weights = _transform(kernel, WINOGRAD_KERNEL, range(rank))
    products = (seen[..., None, :] @ weights)[..., 0, :]
    pairs = _transform(products, WINOGRAD_OUTPUTS, range(1 + rank, 1 + 2 * rank))
    beside = [axis for tile in range(1, rank + 1) for axis in (tile, tile + rank)]
    sides = [2 * n for n in tiles.shape[1 : 1 + rank]]
    outputs = pairs.transpose(0, *beside, -1).reshape(shape[0], *sides, shape[-1])
    return _every(outputs, shape[1:-1], strides)


def _transform(array: NDArray, matrix: NDArray, axes: Sequence[int]) -> NDArray:
    """``matrix`` times the vectors along each of ``axes``."""
    for axis in axes:
        array = np.moveaxis(np.tensordot(array, matrix.astype(array.dtype), (axis, 1)), -1, axis)
    return array


def _every(outputs: NDArray, places: Sequence[int], strides: PerAxis) -> NDArray:
    """The first ``places`` along each axis, and of them one in ``strides``."""
    steps = per_axis(strides, len(places), "strides")
    return outputs[(slice(None), *(slice(0, n, s) for n, s in zip(places, steps, strict=True)))]


def _pair(inputs: ArrayLike, kernel: ArrayLike) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Both as floats of one dtype, or which shapes clash."""
    images, weights = as_floats(inputs, "inputs"), as_floats(kernel, "kernel")
    if images.ndim < 3 or weights.ndim != images.ndim or weights.shape[-2] != images.shape[-1]:
        raise ShapeError(
            f"inputs of shape {images.shape} and a kernel of shape {weights.shape} do not go together; "
            "they need (batch, *spatial, channels) and (*kernel_size, channels, filters)"
        )
    dtype = np.result_type(images, weights)
    return images.astype(dtype, copy=False), weights.astype(dtype, copy=False)


#: From the definition to what is called by default: every road takes (inputs, kernel, strides).
LADDER: dict[str, Callable[..., NDArray]] = {
    "seven loops": conv_seven_loops,
    "loops": conv_loops,
    "windows": conv_windows,
    "im2col": conv_im2col,
    "Toeplitz": conv_toeplitz,
    "FFT": conv_fft,
    "Winograd": conv_winograd,
    "blocks": conv,  # im2col of one block of places after the other: the default
}


def multiplications(
    road: str, input_shape: Sequence[int], kernel_size: PerAxis, filters: int, strides: PerAxis = 1
) -> int:
    """How often a road of the :data:`LADDER` multiplies an input by a weight.

    The transforms of FFT and Winograd, of inputs, weights and outputs, are left out, as is usual: their cost
    is shared by all filters or all channels. A complex product counts as four.

    >>> shape = (1, 224, 224, 64)
    >>> multiplications("windows", shape, 3, 64) / multiplications("Winograd", shape, 3, 64)
    2.25
    """
    if not isinstance(road, str) or road not in LADDER:
        raise SizeError(f"road {shown(road)} is unknown; use one of {', '.join(LADDER)}")
    batch, *spatial, channels = input_shape
    pairs = batch * channels * filters
    places = output_shape(input_shape, kernel_size, filters)[1:-1]
    if road == "FFT":  # real inputs: half of the frequencies say all
        return pairs * 4 * math.prod(spatial[:-1]) * (spatial[-1] // 2 + 1)
    if road == "Winograd":
        return pairs * math.prod(4 * -(-n // 2) for n in places)
    if road == "Toeplitz":
        outputs = math.prod(output_shape(input_shape, kernel_size, filters, strides))
        return outputs * math.prod(spatial) * channels
    return conv_macs(input_shape, kernel_size, filters, strides)
