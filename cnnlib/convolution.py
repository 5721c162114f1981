"""Convolution for every rank, as a layer computes it, and its two namesakes from mathematics.

Chapters 2, 4, 5 and 6. :func:`conv` is what deep learning calls convolution: channels, a batch, no
flip. :func:`correlate` and :func:`convolve` are the two operations of signal processing on plain
arrays, told apart by the flip.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib import threads
from cnnlib.errors import DtypeError, ShapeError
from cnnlib.padding import amounts_for, as_array, pad, pad_backward
from cnnlib.sizes import Padding, PerAxis, as_int, kernel_shape, output_shape, per_axis, remembered
from cnnlib.windows import sliding_windows

#: The windows that are laid out side by side for one matrix product, in bytes: about a core's cache.
BLOCK_BYTES = 1 << 20
#: … but never fewer than this many, so that a deep kernel is not read anew for every few places.
BLOCK_PLACES = 512
#: Groups are merged until their filters fill so many columns; more would mean more zeros than it saves.
MERGED_WIDTH = 16
#: From so many channels and filters on, sums of neighbours are quicker than more products (measured).
DEEP = 128
#: Inputs of up to so many channels get their gradient in strips of up to so many outputs (measured).
FEW_CHANNELS, STRIP = 8, 5
#: … where a strip's product has at least so many rows: a long signal has one only, and is better convolved.
STRIP_ROWS = 8
#: NumPy adds short rows slowly; so many numbers at a stroke are enough.
LONG_ROW = 512
#: A sum over blocks is made of so many parts, so that threads can work on some at a time.
PARTS = 8

#: Some images, some rows of one image, or some places of one row.
Block: TypeAlias = tuple[slice, ...]


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
    values = as_array(array, name)
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
    plan = _plan(inputs, kernel, strides, padding, dilation_rate, groups)
    shift = as_bias(bias, plan.kernel.shape[-1], plan.kernel.dtype)
    padded = pad(plan.inputs, plan.amounts, pad_mode, pad_value)
    outputs = np.empty(plan.shape, padded.dtype)
    _slide(padded, plan.kernel, shift, plan.steps, plan.gaps, groups, outputs)
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
    check_needs(needs, ConvGradients._fields)
    plan = _plan(inputs, kernel, strides, padding, dilation_rate, groups)
    slopes = as_gradient(gradient, plan.shape, plan.kernel.dtype)
    of_inputs = of_kernel = of_bias = None
    if "inputs" in needs:
        of_inputs = _inputs_gradient(slopes, plan, groups, pad_mode)
    if "kernel" in needs:
        padded = pad(plan.inputs, plan.amounts, pad_mode, pad_value)
        of_kernel = _kernel_gradient(slopes, padded, plan, groups)
    if "bias" in needs:
        of_bias = _sum_rows(slopes.reshape(-1, slopes.shape[-1]))
    return ConvGradients(of_inputs, of_kernel, of_bias)


def as_gradient(gradient: ArrayLike, shape: Sequence[int], dtype: Any) -> NDArray[np.floating]:
    """Return the gradient of outputs of this shape and dtype in that dtype, or say that the shape is another.

    >>> as_gradient([1, 0], shape=(2,), dtype=np.float32)
    array([1., 0.], dtype=float32)
    """
    slopes = as_floats(gradient, "gradient").astype(dtype, copy=False)
    if slopes.shape != tuple(shape):
        raise ShapeError(f"gradient has shape {slopes.shape}; the outputs that it is of have {tuple(shape)}")
    return slopes


def check_needs(needs: Collection[str], fields: Sequence[str]) -> None:
    """Say which of the gradients asked for are none of ``fields``.

    >>> check_needs(["inputs", "weights"], ["inputs", "kernel"])
    Traceback (most recent call last):
        ...
    cnnlib.errors.ShapeError: there is no gradient of weights; choose among inputs, kernel
    """
    named = [needs] if isinstance(needs, str) or not np.iterable(needs) else needs
    if unknown := [str(name) for name in named if name not in fields]:
        raise ShapeError(
            f"there is no gradient of {', '.join(sorted(unknown))}; choose among {', '.join(fields)}"
        )


def as_bias(bias: ArrayLike | None, filters: int, dtype: Any) -> NDArray[np.floating] | None:
    """Return a bias for each filter in this dtype (None where there is none), or say that its shape is wrong.

    >>> as_bias([1, 0], filters=2, dtype=np.float32)
    array([1., 0.], dtype=float32)
    """
    if bias is None:
        return None
    shift = as_floats(bias, "bias").astype(dtype, copy=False)
    if shift.shape != (filters,):
        raise ShapeError(f"bias has shape {shift.shape}; {filters} filters need ({filters},)")
    return shift


class _Plan(NamedTuple):
    """The arguments of a convolution, checked: arrays of one dtype, and a value for every axis."""

    inputs: NDArray
    kernel: NDArray
    steps: tuple[int, ...]
    gaps: tuple[int, ...]
    amounts: tuple[tuple[int, int], ...]
    shape: tuple[int, ...]  # of the outputs


def _plan(
    inputs: ArrayLike,
    kernel: ArrayLike,
    strides: PerAxis,
    padding: Padding,
    dilation_rate: PerAxis,
    groups: int,
) -> _Plan:
    inputs, kernel = as_floats(inputs, "inputs"), as_floats(kernel, "kernel")
    dtype = np.result_type(inputs, kernel)
    geometry = _geometry(inputs.shape, kernel.shape, strides, padding, dilation_rate, groups)
    return _Plan(inputs.astype(dtype, copy=False), kernel.astype(dtype, copy=False), *geometry)


@remembered
def _geometry(
    shape: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: PerAxis,
    padding: Padding,
    dilation_rate: PerAxis,
    groups: int,
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[tuple[int, int], ...], tuple[int, ...]]:
    """Strides, dilation and padding of every axis, and the shape of the outputs, or what does not fit."""
    rank = _check_shapes(shape, kernel, groups)
    steps = per_axis(strides, rank, "strides")
    gaps = per_axis(dilation_rate, rank, "dilation_rate")
    amounts = tuple(amounts_for(shape[1:-1], kernel[:rank], steps, padding, gaps))
    return steps, gaps, amounts, output_shape(shape, kernel[:rank], kernel[-1], steps, amounts, gaps)


def _slide(
    padded: NDArray,
    kernel: NDArray,
    bias: NDArray | None,
    steps: tuple[int, ...],
    gaps: tuple[int, ...],
    groups: int,
    outputs: NDArray,
) -> None:
    """Write into ``outputs`` the weighted sum of every window of ``padded``, and the bias.

    A window laid out as a row, times the filters as columns, is all there is to it. What comes before
    shapes the matrix for speed: BLAS is slow where it has few columns, and quick to multiply by zeros.
    """
    if groups == padded.shape[-1] == outputs.shape[-1] > 1:
        _accumulate(padded, kernel, bias, steps, gaps, outputs)
        return
    if _deep(kernel.shape, steps, gaps, groups, outputs.shape):
        _multiply_pairs(padded, kernel, bias, outputs)
        if _finite(outputs):  # it mixes neighbours, which would spread NaN and infinity
            return
    merged, copies = _breadth(kernel.shape, groups, steps[-1], gaps[-1], outputs.shape)
    if merged * copies > 1 and not _finite(padded):
        merged = copies = 1  # zeros times NaN or infinity would spread them
    kernel, groups = _widen(_merge(kernel, groups, merged), copies, steps[-1]), groups // merged
    bias = None if bias is None else np.tile(bias, copies)
    steps = (*steps[:-1], steps[-1] * copies)
    rank, filters = len(steps), kernel.shape[-1]
    *before, across, _ = outputs.shape
    places = outputs.reshape(*before, across // copies, filters)  # copies are filters for now
    depth, width = kernel.shape[-2], filters // groups
    for group in range(groups):
        seen, chosen = (slice(group * size, (group + 1) * size) for size in (depth, width))
        windows = sliding_windows(padded[..., seen], kernel.shape[:rank], steps, gaps)
        matrix = kernel[..., chosen].reshape(-1, width)
        shift = None if bias is None else bias[chosen]
        _multiply_blocks(windows, matrix, shift, places[..., chosen])


def _multiply_blocks(windows: NDArray, matrix: NDArray, bias: NDArray | None, outputs: NDArray) -> None:
    """Write windows @ matrix + bias into outputs, some images or some rows at a time.

    Only a block of windows (one a thread) is ever copied, so that memory stays near that of the output.
    (Laying out all windows at once, im2col, takes as many times the input as the kernel has weights.)
    """

    def multiply(block: Block) -> None:
        product = outputs[block].reshape(-1, matrix.shape[1])  # a view: the block is contiguous
        np.matmul(_laid_out(windows[block]), matrix, out=product)
        if bias is not None:
            together, _ = _long_rows(product)
            together += np.tile(bias, together.shape[1] // len(bias))

    threads.each(multiply, _blocks(outputs.shape[:-1], matrix.shape[0] * windows.itemsize))


def _long_rows(rows: NDArray) -> tuple[NDArray, int]:
    """Several short rows as one long one, (rows / n, n * columns), and this number n.

    >>> _long_rows(np.zeros((6, LONG_ROW // 4)))[0].shape == (2, 3 * LONG_ROW // 4)
    True
    """
    count, columns = rows.shape
    together = _largest_divisor(count, LONG_ROW // columns) if rows.flags.c_contiguous and columns else 1
    return rows.reshape(count // together, together * columns), together


def _sum_rows(rows: NDArray) -> NDArray:
    """The sum of all rows, (columns,), by BLAS: its product with ones is quick where rows are long."""
    long, together = _long_rows(rows)
    sums = np.ones(len(long), rows.dtype) @ long
    return sums.reshape(together, rows.shape[1]).sum(axis=0)


def _laid_out(windows: NDArray) -> NDArray:
    """Windows as rows of a matrix, (places, weights of a filter): a copy, unless they lie so already.

    Pixels side by side in a window lie side by side in memory too. Seen as one item, they are copied at one
    stroke; number by number it takes twice as long where channels are few.
    """
    weights = math.prod(windows.shape[windows.ndim // 2 :])
    strips = windows.reshape(*windows.shape[:-2], -1)
    if strips.strides[-1] != strips.itemsize:  # dilation or groups part the pixels
        return strips.reshape(-1, weights)
    strip = np.dtype((np.void, strips.shape[-1] * strips.itemsize))
    rows = strips.view(strip).reshape(-1, weights // strips.shape[-1])
    return np.ascontiguousarray(rows).view(windows.dtype)  # a few windows may have stayed a view


def _blocks(shape: Sequence[int], place_bytes: int) -> Iterator[Block]:
    """Cut the places (batch, *output) into blocks of about BLOCK_BYTES: images, rows, or parts of a row.

    A block is a range of one axis, whole in the axes after it and a single index in those before, so
    that its places lie one behind the other. ``place_bytes`` is what one place takes.

    >>> list(_blocks((4, 300), place_bytes=BLOCK_BYTES // 600))     # two images of 300 places each
    [(slice(0, 2, None),), (slice(2, 4, None),)]
    >>> list(_blocks((1, 900), place_bytes=BLOCK_BYTES // 600))
    [(slice(0, 1, None), slice(0, 600, None)), (slice(0, 1, None), slice(600, 900, None))]
    """
    size, *inner = shape
    within = math.prod(inner)
    most = max(BLOCK_BYTES // max(place_bytes, 1), BLOCK_PLACES)
    if inner and within > most:
        for index in range(size):
            for block in _blocks(inner, place_bytes):
                yield slice(index, index + 1), *block
        return
    step = max(most // max(within, 1), 1)
    for start in range(0, size, step):
        yield (slice(start, min(start + step, size)),)


def _deep(
    kernel_shape: Sequence[int],
    steps: Sequence[int],
    gaps: Sequence[int],
    groups: int,
    shape: Sequence[int],
) -> bool:
    """Whether pairs of rows share products: with kernels of 3 rows, many channels and many filters."""
    plain = groups == max(steps) == max(gaps) == 1
    return plain and kernel_shape[0] == 3 and shape[1] % 2 == 0 and min(kernel_shape[-2:]) >= DEEP


def _multiply_pairs(padded: NDArray, kernel: NDArray, bias: NDArray | None, outputs: NDArray) -> None:
    """Two neighbouring rows by four products instead of six: a third less to multiply, more to add.

    Inputs a b c d and weights x y z along the first spatial axis make ax + by + cz and bx + cy + dz. Both
    are sums of (a-c)x, (b+c)(x+y+z)/2, (c-b)(x-y+z)/2 and (b-d)z. The weights' share of the sums is done
    once for all places, and with many channels the products outweigh the rest (Winograd, 1980; Lavin and
    Gray, *Fast algorithms for convolutional neural networks*, 2016).
    """
    batch, height, *rest = outputs.shape
    pairs = outputs.reshape(batch, height // 2, 2, *rest)
    x, y, z = (kernel[tap].reshape(-1, kernel.shape[-1]) for tap in range(3))
    size = (1, *kernel.shape[1:-2])

    with np.errstate(over="ignore", invalid="ignore"):  # the plain road will say it
        odd, even = y / 2, x + z
        even /= 2
        weights = x, even + odd, np.subtract(even, odd, out=even), z

    def share(part: tuple[NDArray, NDArray, np.ufunc, NDArray]) -> NDArray:
        one, other, combine, matrix = part
        with np.errstate(over="ignore", invalid="ignore"):
            return sliding_windows(combine(one, other), size).reshape(-1, len(x)) @ matrix

    def multiply(block: Block) -> None:
        images, rows, *others = block if len(block) > 1 else (*block, slice(0, height // 2))
        others_seen = (slice(o.start, o.stop + k - 1) for o, k in zip(others, size[1:], strict=False))
        first, end = 2 * rows.start, 2 * rows.stop
        seen = padded[(images, slice(first, end + 2), *others_seen)]
        a, b, c, d = (seen[:, row : end - first + row : 2] for row in range(4))
        signs = np.subtract, np.add, np.subtract, np.subtract
        parts = zip((a, b, c, b), (c, c, b, d), signs, weights, strict=True)
        one, plus, minus, last = threads.in_order(share, parts)
        with np.errstate(over="ignore", invalid="ignore"):
            if bias is not None:
                plus += bias  # which is in both sums
            one += plus
            one += minus
            plus -= minus
            plus -= last
        for row, product in enumerate((one, plus)):
            target: tuple[Any, ...] = (images, rows, row, *others)
            pairs[target] = product.reshape(pairs[target].shape)

    threads.each(multiply, _blocks((batch, height // 2, *rest[:-1]), len(x) * padded.itemsize))


def _accumulate(
    padded: NDArray,
    kernel: NDArray,
    bias: NDArray | None,
    steps: tuple[int, ...],
    gaps: tuple[int, ...],
    outputs: NDArray,
) -> None:
    """The depthwise case, a filter of its own for every channel: there is no matrix to multiply by.

    Each weight multiplies its shifted image, and the products are added, a block at a time. Where the
    window moves by one, the pixels of a row and their channels are one long row, in which neighbours
    are so many channels apart, and NumPy runs through it without a break.
    """
    rank, (*before, across, channels) = len(steps), outputs.shape
    row = np.broadcast_to(kernel, (*kernel.shape[:rank], across, channels))
    shift = np.zeros(channels, outputs.dtype) if bias is None else bias
    shift = np.broadcast_to(shift, (across, channels))
    if steps[-1] == 1 and outputs.size:
        padded, outputs = padded.reshape(*padded.shape[:-2], -1, 1), outputs.reshape(*before, -1, 1)
        row, shift = row.reshape(*row.shape[:rank], -1, 1), shift.reshape(-1, 1)
        gaps = (*gaps[:-1], gaps[-1] * channels)
    windows = sliding_windows(padded, kernel.shape[:rank], steps, gaps)
    places, taps, channel = _axes(rank)

    def add_up(block: Block) -> None:
        target, along = outputs[block], block[rank:]
        weights = row[(*[slice(None)] * rank, *along)]
        np.einsum(
            windows[block], [*places, *taps, channel], weights, [*taps, places[-1], channel],
            [*places, channel], out=target,
        )  # fmt: skip
        if bias is not None:
            target += shift[along]

    threads.each(add_up, _blocks(outputs.shape[:-1], outputs.shape[-1] * outputs.itemsize))


def _axes(rank: int) -> tuple[list[int], list[int], int]:
    """The axes of windows by number, as einsum takes them: batch and places, then taps, then the channel."""
    return list(range(rank + 1)), list(range(rank + 1, 2 * rank + 1)), 2 * rank + 1


def _inputs_gradient(slopes: NDArray, plan: _Plan, groups: int, pad_mode: str) -> NDArray:
    """Give every output's gradient back to its window: a convolution again, with the filters turned round.

    With a stride of S, neighbouring inputs meet different weights, but every S-th one the same: the
    inputs fall into S phases along an axis, and each phase is a convolution of stride 1.
    """
    _, *spatial, channels = plan.inputs.shape
    *kernel_size, depth, filters = plan.kernel.shape
    turned = plan.kernel.reshape(*kernel_size, depth, groups, filters // groups)
    turned = np.swapaxes(turned, -1, -3).reshape(*kernel_size, filters // groups, channels)
    # What a constant at the edge is told is of no use, so that only the inputs themselves are asked for.
    starts, reach = [before for before, _ in plan.amounts], spatial
    if pad_mode != "constant":
        starts, reach = [0] * len(spatial), [n + sum(a) for n, a in zip(spatial, plan.amounts, strict=True)]
    target = np.zeros((len(slopes), *reach, channels), slopes.dtype)
    if _few_channels(plan, groups) and _finite(slopes):
        _add_strips(slopes, plan, starts, target)
        return _folded(target, plan, pad_mode)
    for first in np.ndindex(plan.steps):
        phase = target[(slice(None), *(slice(f, None, s) for f, s in zip(first, plan.steps, strict=True)))]
        axes = [
            _phase(f + start, step, size, gap, count, places)
            for f, start, step, size, gap, count, places in zip(
                first,
                starts,
                plan.steps,
                kernel_size,
                plan.gaps,
                phase.shape[1:-1],
                slopes.shape[1:-1],
                strict=True,
            )
        ]
        if phase.size and all(axis is not None for axis in axes):
            taps, crops, amounts, gaps = zip(*axes, strict=True)
            seen = pad(slopes[(slice(None), *crops)], amounts)
            part = phase if phase.flags.c_contiguous else np.empty(phase.shape, phase.dtype)
            _slide(seen, turned[taps], None, (1,) * len(spatial), gaps, groups, part)
            if part is not phase:
                phase[...] = part
    return _folded(target, plan, pad_mode)


def _folded(target: NDArray, plan: _Plan, pad_mode: str) -> NDArray:
    """The gradient of the inputs out of that of the padded ones, unless the padding was left out already."""
    if pad_mode == "constant":
        return target
    return np.ascontiguousarray(pad_backward(target, plan.amounts, pad_mode))


def _few_channels(plan: _Plan, groups: int) -> bool:
    """Whether to give gradients back in strips, which pays where the inputs have few channels."""
    plain = groups == 1 == max(plan.steps) and plan.gaps[-1] == 1
    images, *rows, _, _ = plan.shape
    together = min(_images(plan.shape, plan.kernel.itemsize), images) * math.prod(rows)
    return plain and plan.kernel.shape[-2] <= FEW_CHANNELS and together >= STRIP_ROWS


def _images(shape: tuple[int, ...], itemsize: int) -> int:
    """How many images of outputs make a block; at least one."""
    return max(BLOCK_BYTES // max(math.prod(shape[1:]) * itemsize, 1), 1)


def _add_strips(slopes: NDArray, plan: _Plan, starts: Sequence[int], target: NDArray) -> None:
    """Give the gradients of some neighbouring outputs back at once, one row of the kernel after the other.

    The outputs of a strip, times a banded (Toeplitz) matrix, are what they add to the inputs that the strip
    sees: nothing has to be laid out, and the sums are done in long rows. The inputs begin ``starts``
    places within the padded ones.
    """
    *lead, breadth, channels, filters = plan.kernel.shape
    places, width = slopes.shape[-2], target.shape[-2]
    strip = -(-places // -(-places // STRIP))  # as few strips as may be, all of about one length
    banded = np.zeros((*lead, strip, filters, strip - 1 + breadth, channels), slopes.dtype)
    for place in range(strip):
        banded[..., place, :, place : place + breadth, :] = np.moveaxis(plan.kernel, -1, -3)
    banded = banded.reshape(*lead, strip * filters, (strip - 1 + breadth) * channels)
    rows = slopes.reshape(*slopes.shape[:-2], places * filters)
    sums = target.reshape(*target.shape[:-2], width * channels)

    def add_up(block: Block) -> None:
        for tap in np.ndindex(*lead):
            seen, met = [slice(None)], [slice(None)]
            for t, gap, start, n, size in zip(
                tap, plan.gaps, starts, rows.shape[1:], sums.shape[1:], strict=False
            ):
                offset = t * gap - start  # from an output to the input that met this weight
                low = max(-offset, 0)
                high = max(min(n, size - offset), low)
                seen.append(slice(low, high))
                met.append(slice(low + offset, high + offset))
            part = sums[block][tuple(met)]
            given = rows[block][tuple(seen)].reshape(-1, places * filters)
            for left in range(0, places, strip):
                right, first = min(left + strip, places), left - starts[-1]
                low, high = max(first, 0), max(min(right - starts[-1] + breadth - 1, width), 0)
                matrix = banded[tap][: (right - left) * filters, (low - first) * channels :]
                matrix = matrix[:, : max(high - low, 0) * channels]
                product = given[:, left * filters : right * filters] @ matrix
                sum_ = part[..., low * channels : low * channels + matrix.shape[1]]
                sum_ += product.reshape(sum_.shape)

    step = _images(slopes.shape, slopes.itemsize)
    threads.each(add_up, [(slice(start, start + step),) for start in range(0, len(rows), step)])


def _phase(
    first: int, stride: int, kernel_size: int, gap: int, count: int, places: int
) -> tuple[slice, slice, tuple[int, int], int] | None:
    """Along one axis: which outputs the padded inputs ``first``, ``first`` + ``stride`` … have gone into.

    Returns:
        the weights that these inputs met, last first; the outputs that are there, and the zeros to put
        before and after them; and the dilation of the weights. None where they met no weight.

    >>> _phase(0, stride=2, kernel_size=3, gap=1, count=4, places=3)    # inputs 0, 2, 4, 6
    (slice(2, None, -2), slice(0, 3, None), (1, 1), 1)
    >>> _phase(1, stride=2, kernel_size=3, gap=1, count=3, places=3)    # inputs 1, 3, 5
    (slice(1, None, -2), slice(0, 3, None), (0, 0), 1)
    """
    met = [tap for tap in range(kernel_size) if (first - gap * tap) % stride == 0]
    if not met:
        return None
    apart = stride // math.gcd(stride, gap)
    dilation = gap * apart // stride
    start = (first - gap * met[-1]) // stride  # the output that met the last of these weights first
    length = count + (len(met) - 1) * dilation
    low, high = (min(max(edge, 0), places) for edge in (start, start + length))
    before = min(max(-start, 0), length)
    return slice(met[-1], None, -apart), slice(low, high), (before, length - before - (high - low)), dilation


def _kernel_gradient(slopes: NDArray, padded: NDArray, plan: _Plan, groups: int) -> NDArray:
    """Sum over all places of window x gradient: the windows as columns, times the gradient as rows."""
    (*kernel_size, depth, filters), steps = plan.kernel.shape, plan.steps
    slopes = np.ascontiguousarray(slopes)
    if groups == padded.shape[-1] == filters > 1:
        return _accumulated_gradient(slopes, padded, plan)
    merged, copies = _breadth(plan.kernel.shape, groups, steps[-1], plan.gaps[-1], plan.shape)
    wide_size = (*kernel_size[:-1], kernel_size[-1] + (copies - 1) * steps[-1])
    *before, across, _ = slopes.shape
    slopes = slopes.reshape(*before, across // copies, copies * filters)
    steps, groups = (*steps[:-1], steps[-1] * copies), groups // merged
    depth, width = depth * merged, copies * filters // groups
    wide = np.empty((*wide_size, depth, copies * filters), slopes.dtype)
    for group in range(groups):
        seen, chosen = (slice(group * size, (group + 1) * size) for size in (depth, width))
        windows = sliding_windows(padded[..., seen], wide_size, steps, plan.gaps)
        product = _sum_blocks(windows, slopes[..., chosen], math.prod(wide_size) * depth)
        wide[..., chosen] = product.reshape(*wide_size, depth, width)
    return _merge_backward(_widen_backward(wide, copies, plan.steps[-1]), groups * merged, merged)


def _sum_blocks(windows: NDArray, slopes: NDArray, weights: int) -> NDArray:
    """windowsᵀ @ slopes, (weights, filters), as a sum of some parts, each a sum over some blocks."""
    filters = slopes.shape[-1]

    def add_up(blocks: Sequence[Block]) -> NDArray:
        total = np.zeros((weights, filters), slopes.dtype)
        product = np.empty_like(total)
        for block in blocks:
            np.matmul(_laid_out(windows[block]).T, slopes[block].reshape(-1, filters), out=product)
            total += product
        return total

    blocks = list(_blocks(slopes.shape[:-1], weights * windows.itemsize))
    size = -(-len(blocks) // PARTS) or 1
    total = np.zeros((weights, filters), slopes.dtype)
    for part in threads.in_order(add_up, [blocks[i : i + size] for i in range(0, len(blocks), size)]):
        total += part
    return total


def _accumulated_gradient(slopes: NDArray, padded: NDArray, plan: _Plan) -> NDArray:
    """The depthwise case: each weight's gradient is its shifted image times the gradient, summed."""
    rank, channels = len(plan.steps), slopes.shape[-1]
    windows = sliding_windows(padded, plan.kernel.shape[:rank], plan.steps, plan.gaps)
    places, taps, channel = _axes(rank)

    def add_up(block: Block) -> NDArray:
        along = np.einsum(
            windows[block], [*places, *taps, channel], slopes[block], [*places, channel],
            [*taps, places[-1], channel],
        )  # fmt: skip
        return along.sum(axis=-2, keepdims=True)  # the last places are kept apart until here: long rows

    return sum(
        threads.in_order(add_up, _blocks(slopes.shape[:-1], channels * slopes.itemsize)),
        np.zeros(plan.kernel.shape, slopes.dtype),
    )


@functools.cache
def _breadth(
    kernel_shape: tuple[int, ...], groups: int, stride: int, gap: int, shape: tuple[int, ...]
) -> tuple[int, int]:
    """How many groups, and how many neighbouring places along the last axis, are worth one product.

    Few filters make a thin matrix, which multiplies slowly, and its windows have to be laid out all the
    same; every place more in one product, on the other hand, means more zeros to multiply by.
    """
    *_, breadth, depth, _ = kernel_shape
    *_, places, filters = shape
    merged = _largest_divisor(groups, MERGED_WIDTH * groups // filters)
    if merged < groups or gap > 1:
        return merged, 1

    def cost(copies: int) -> float:
        strip = breadth + (copies - 1) * stride
        return strip / copies * (_product_cost(copies * filters) + _layout_cost(strip * depth * merged))

    return merged, min((n for n in range(1, min(places, 64) + 1) if places % n == 0), key=cost, default=1)


def _largest_divisor(number: int, most: int) -> int:
    return max((n for n in range(1, min(most, number) + 1) if number % n == 0), default=1)


def _product_cost(columns: int) -> float:
    """What a product with so many columns takes for each element of the rows; a wide one, 1 a column.

    As measured with OpenBLAS, which works on eight columns at once and has a quick way for up to three.
    """
    return 2 * columns if columns <= 3 else 8 * -(-columns // 8) + 8


def _layout_cost(run: int) -> float:
    """What it takes to lay out one element, in the same unit, where so many are copied at a stroke."""
    return 4 + 200 / run


def _finite(array: NDArray) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum()))


def _merge(kernel: NDArray, groups: int, merged: int) -> NDArray:
    """The kernel of fewer groups, each of ``merged`` old ones: zeros where a filter is to see nothing.

    >>> _merge(np.array([1, 2, 3, 4]).reshape(1, 1, 4), groups=4, merged=2)[0]
    array([[1, 0, 3, 0],
           [0, 2, 0, 4]])
    """
    if merged == 1:
        return kernel
    *size, depth, filters = kernel.shape
    parts = kernel.reshape(*size, depth, groups // merged, merged, filters // groups)
    broad = np.zeros((*size, merged, *parts.shape[-4:]), kernel.dtype)
    for one in range(merged):
        broad[..., one, :, :, one, :] = parts[..., one, :]
    return broad.reshape(*size, merged * depth, filters)


def _merge_backward(gradient: NDArray, groups: int, merged: int) -> NDArray:
    """The gradient of :func:`_merge`: what is no zero of it."""
    *size, depth, filters = gradient.shape
    broad = gradient.reshape(*size, merged, depth // merged, groups // merged, merged, filters // groups)
    parts = np.stack([broad[..., one, :, :, one, :] for one in range(merged)], axis=-2)
    return parts.reshape(*size, depth // merged, filters)


def _widen(kernel: NDArray, copies: int, stride: int) -> NDArray:
    """The kernel beside itself, each copy ``stride`` further right: a strip of its Toeplitz matrix.

    >>> _widen(np.array([1, 2]).reshape(2, 1, 1), copies=3, stride=1)[:, 0].T
    array([[1, 2, 0, 0],
           [0, 1, 2, 0],
           [0, 0, 1, 2]])
    """
    if copies == 1:
        return kernel
    *before, size, channels, filters = kernel.shape
    wide = np.zeros((*before, (copies - 1) * stride + size, channels, copies, filters), kernel.dtype)
    for copy in range(copies):
        wide[..., copy * stride : copy * stride + size, :, copy, :] = kernel
    return wide.reshape(*wide.shape[:-2], copies * filters)


def _widen_backward(gradient: NDArray, copies: int, stride: int) -> NDArray:
    """The gradient of :func:`_widen`: the copies' shares, added."""
    *before, breadth, channels, filters = gradient.shape
    wide = gradient.reshape(*before, breadth, channels, copies, filters // copies)
    size = breadth - (copies - 1) * stride
    shares = (wide[..., copy * stride : copy * stride + size, :, copy, :] for copy in range(copies))
    return sum(shares, start=np.zeros((), gradient.dtype))


def _check_shapes(inputs: tuple[int, ...], kernel: tuple[int, ...], groups: int) -> int:
    """Return the number of spatial axes, or say which shapes clash."""
    rank = len(inputs) - 2
    if rank < 1 or len(kernel) != len(inputs):
        raise ShapeError(
            f"inputs of shape {inputs} and a kernel of shape {kernel} do not go together; "
            "they need (batch, *spatial, channels) and (*kernel_size, channels / groups, filters)"
        )
    groups = as_int(groups, "groups")
    channels, filters = inputs[-1], kernel[-1]
    if 0 in kernel:
        raise ShapeError(f"kernel of shape {kernel} is empty; every axis needs at least 1")
    expected = kernel_shape(kernel[:rank], channels, filters, groups)
    if kernel != expected:
        raise ShapeError(
            f"inputs have {channels} channels in {groups} group(s), but the kernel of shape "
            f"{kernel} sees {kernel[-2]}; it must have shape {expected}"
        )
    return rank


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
