"""Pooling: one number that stands for each window, channel by channel. Chapters 6 and 7.

There is nothing to learn, so there are no parameters; windows and sizes are those of convolution. Each
operator has its backward pass beside it, which says where the gradient goes: all of it to the largest
value, or a share to each. Whole numbers are promoted (:func:`cnnlib.convolution.as_floats`); a NaN makes
the results of the windows that it is in NaN, as in NumPy and Keras.

>>> row = np.array([1, 3, 2, 9.0]).reshape(1, 4, 1)
>>> max_pool_backward(np.array([[[10.0], [20.0]]]), row, pool_size=2).ravel()
array([ 0., 10.,  0., 20.])
>>> average_pool_backward(np.array([[[10.0], [20.0]]]), row, pool_size=2).ravel()
array([ 5.,  5., 10., 10.])
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib import threads
from cnnlib.convolution import BLOCK_BYTES, as_floats, as_gradient
from cnnlib.errors import ShapeError, SizeError
from cnnlib.padding import amounts_for
from cnnlib.sizes import Padding, PerAxis, output_shape, per_axis, remembered

Floats = NDArray[np.floating]
#: To reach a piece of fewer bytes than this takes longer than to compute it.
SHORT_PIECE = 1024
#: Channels of up to so many bytes are quicker to copy as one thing than one by one (measured).
WHOLE_PIECE = 64


def max_pool(
    inputs: ArrayLike,
    pool_size: PerAxis,
    strides: PerAxis | None = None,
    padding: Padding = "valid",
) -> Floats:
    """Keep the largest value of every window. Padding never wins.

    Args:
        inputs: array (batch, *spatial, channels).
        pool_size: the window, one number or one an axis.
        strides: how far it moves; None moves it by its own size, so that windows do not overlap.
        padding: as in :func:`cnnlib.convolution.conv`, on each side less than the window.

    Returns:
        array (batch, *output, channels).

    Raises:
        ShapeError: inputs without batch, spatial and channel axes, or values that are not one an axis.
        SizeError: a window that does not fit, or one that would see padding alone.

    >>> max_pool(np.array([1, 3, 2, 9.0]).reshape(1, 4, 1), pool_size=2).ravel()
    array([3., 9.])
    """
    values, axes, shape = _prepare(inputs, pool_size, strides, padding)
    outputs = np.empty(shape, values.dtype)

    def work(block: _Block) -> None:
        _fold(np.maximum, values[block.seen], block.axes, outputs[block.made])

    threads.each(work, _blocks(values, axes))
    return outputs


def max_pool_backward(
    gradient: ArrayLike,
    inputs: ArrayLike,
    pool_size: PerAxis,
    strides: PerAxis | None = None,
    padding: Padding = "valid",
    *,
    outputs: ArrayLike | None = None,
) -> Floats:
    """The gradient of :func:`max_pool`: each window hands its own to its largest value, all others get none.

    Where several are equal, the first has won, row by row, as in Keras. A window whose result is NaN hands
    nothing on.

    Args:
        gradient: array (batch, *output, channels), the loss's gradient of the outputs.
        inputs, pool_size, strides, padding: as they were in the forward pass.
        outputs: what the forward pass returned; computed anew where it is not given.

    Returns:
        array in the shape of ``inputs``.

    >>> row = np.array([1, 3, 2, 9, 4.0]).reshape(1, 5, 1)
    >>> max_pool_backward(np.ones((1, 2, 1)), row, pool_size=3, strides=2).ravel()      # windows overlap
    array([0., 1., 0., 1., 0.])
    """
    values, axes, shape = _prepare(inputs, pool_size, strides, padding)
    slopes = as_gradient(gradient, shape, values.dtype)
    highest = _made(outputs, shape, max_pool, values, pool_size, strides, padding)
    results = (np.empty if _tile(axes, values.shape) else np.zeros)(values.shape, values.dtype)

    def work(block: _Block) -> None:
        seen, given, top = values[block.seen], results[block.seen], highest[block.made]
        waiting = ~np.isnan(top)  # the windows whose largest value is not found yet
        *taps, last = _taps(block.axes, seen.shape)
        for place, tap in taps:
            won = _taken(seen, tap) == top[place]
            won &= waiting[place]
            waiting[place] ^= won
            _add(given, tap, slopes[block.made][place] * won, axes)
        place, tap = last  # where it was not found by now, it must be here
        _add(given, tap, slopes[block.made][place] * waiting[place], axes)

    _each_image(work, _blocks(values, axes))
    return results


def max_pool_switches(
    inputs: ArrayLike,
    pool_size: PerAxis,
    strides: PerAxis | None = None,
    padding: Padding = "valid",
) -> tuple[Floats, NDArray[np.int64]]:
    """The largest value of every window, and where it was, so that unpooling can put it back there.

    Arguments are those of :func:`max_pool`, and :func:`max_pool_backward` is the backward pass.

    Returns:
        outputs (batch, *output, channels), and switches in the same shape: the place of the first of the
        largest values, counted row by row in its own feature map: row x width + column.

    Zeiler and Fergus, *Visualizing and understanding convolutional networks* (2014).

    >>> picture = np.array([[1, 5, 2], [3, 4, 2], [0, 0, 7.0]]).reshape(1, 3, 3, 1)
    >>> outputs, switches = max_pool_switches(picture, pool_size=2, strides=1)
    >>> outputs[0, :, :, 0]
    array([[5., 5.],
           [4., 7.]])
    >>> switches[0, :, :, 0]
    array([[1, 1],
           [4, 8]])
    """
    values, axes, _ = _prepare(inputs, pool_size, strides, padding)
    outputs = max_pool(values, pool_size, strides, padding)
    switches = np.zeros(outputs.shape, np.int64)
    numbers = np.arange(math.prod(values.shape[1:-1])).reshape(1, *values.shape[1:-1], 1)

    def work(block: _Block) -> None:
        seen, here = values[block.seen], numbers[:, block.seen[1]]
        top, found = outputs[block.made], switches[block.made]
        missing = np.isnan(top).any()
        waiting = np.ones(top.shape, bool)
        for place, tap in _taps(block.axes, seen.shape):
            won = seen[tap] == top[place]
            if missing:
                won |= np.isnan(seen[tap])
            won &= waiting[place]
            waiting[place] ^= won
            found[place] += won * here[tap]

    threads.each(work, _blocks(values, axes))
    return outputs, switches


def average_pool(
    inputs: ArrayLike,
    pool_size: PerAxis,
    strides: PerAxis | None = None,
    padding: Padding = "valid",
) -> Floats:
    """Take the mean of every window, over the inputs in it: padding is not counted.

    Arguments, result and errors are those of :func:`max_pool`.

    >>> average_pool(np.array([1, 3, 2, 9.0]).reshape(1, 4, 1), pool_size=2).ravel()
    array([2. , 5.5])
    >>> average_pool(np.array([1, 3, 5.0]).reshape(1, 3, 1), pool_size=2, padding="same").ravel()
    array([2., 5.])
    """
    values, axes, shape = _prepare(inputs, pool_size, strides, padding)
    outputs = np.empty(shape, values.dtype)
    counts = _counts(values, axes)

    def work(block: _Block) -> None:
        sums = outputs[block.made]
        _fold(np.add, values[block.seen], block.axes, sums)
        sums /= counts[block.made[1:]]

    threads.each(work, _blocks(values, axes))
    return outputs


def average_pool_backward(
    gradient: ArrayLike,
    inputs: ArrayLike,
    pool_size: PerAxis,
    strides: PerAxis | None = None,
    padding: Padding = "valid",
) -> Floats:
    """The gradient of :func:`average_pool`: each window hands an equal share to every input in it.

    Arguments and result are those of :func:`max_pool_backward`.

    >>> average_pool_backward(np.array([[[6.0], [6.0]]]), np.zeros((1, 5, 1)), 3, strides=2).ravel()
    array([2., 2., 4., 2., 2.])
    """
    values, axes, shape = _prepare(inputs, pool_size, strides, padding)
    slopes = as_gradient(gradient, shape, values.dtype)
    shares = slopes / _counts(values, axes)
    return _spread(shares, values, axes)


def l2_pool(
    inputs: ArrayLike,
    pool_size: PerAxis,
    strides: PerAxis | None = None,
    padding: Padding = "valid",
) -> Floats:
    """The length of every window as a vector: the square root of the sum of squares.

    Arguments, result and errors are those of :func:`max_pool`. (Some authors take the mean of the squares:
    divide by the square root of the number of inputs in a window.)

    Boureau, Ponce and LeCun, *A theoretical analysis of feature pooling in visual recognition* (2010).

    >>> l2_pool(np.array([3, 4, 0, -2.0]).reshape(1, 4, 1), pool_size=2).ravel()
    array([5., 2.])
    """
    values, axes, shape = _prepare(inputs, pool_size, strides, padding)
    outputs = np.empty(shape, values.dtype)

    def work(block: _Block) -> None:
        lengths = outputs[block.made]
        _fold(np.add, np.square(values[block.seen]), block.axes, lengths)
        np.sqrt(lengths, out=lengths)

    threads.each(work, _blocks(values, axes))
    return outputs


def l2_pool_backward(
    gradient: ArrayLike,
    inputs: ArrayLike,
    pool_size: PerAxis,
    strides: PerAxis | None = None,
    padding: Padding = "valid",
    *,
    outputs: ArrayLike | None = None,
) -> Floats:
    """The gradient of :func:`l2_pool`: every input gets a share in proportion to itself, x / length.

    Arguments and result are those of :func:`max_pool_backward`. A window of zeros hands nothing on.

    >>> l2_pool_backward(np.array([[[10.0]]]), np.array([3, 4.0]).reshape(1, 2, 1), pool_size=2).ravel()
    array([6., 8.])
    """
    values, axes, shape = _prepare(inputs, pool_size, strides, padding)
    slopes = as_gradient(gradient, shape, values.dtype)
    lengths = _made(outputs, shape, l2_pool, values, pool_size, strides, padding)
    shares = np.divide(slopes, lengths, out=np.zeros_like(slopes), where=lengths != 0)
    results = _spread(shares, values, axes)
    results *= values
    return results


def global_max_pool(inputs: ArrayLike) -> Floats:
    """The largest value of each feature map: (batch, *spatial, channels) to (batch, channels).

    >>> global_max_pool(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[6., 7.]])
    """
    maps = _feature_maps(inputs)
    return maps.max(axis=_places(maps))


def global_max_pool_backward(
    gradient: ArrayLike, inputs: ArrayLike, *, outputs: ArrayLike | None = None
) -> Floats:
    """The gradient of :func:`global_max_pool`: to each map's largest value, split equally where several are.

    (Keras and TensorFlow do the same; in a window of :func:`max_pool` the first takes all.) A map whose
    result is NaN hands nothing on. ``gradient`` is (batch, channels), the result has the shape of ``inputs``.

    >>> global_max_pool_backward([[6.0]], np.array([1, 3, 3.0]).reshape(1, 3, 1)).ravel()
    array([0., 3., 3.])
    """
    maps = _feature_maps(inputs)
    slopes = _over_places(gradient, maps)
    made = _made(outputs, (len(maps), maps.shape[-1]), global_max_pool, maps)
    won = maps == made.reshape(slopes.shape)
    several = won.sum(axis=_places(maps), keepdims=True)
    return won * (slopes / np.maximum(several, 1).astype(slopes.dtype))


def global_average_pool(inputs: ArrayLike) -> Floats:
    """The mean of each feature map: (batch, *spatial, channels) to (batch, channels).

    >>> global_average_pool(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[3., 4.]])
    """
    maps = _feature_maps(inputs)
    return maps.mean(axis=_places(maps))


def global_average_pool_backward(gradient: ArrayLike, inputs: ArrayLike) -> Floats:
    """The gradient of :func:`global_average_pool`: (batch, channels) spread evenly over each feature map.

    >>> global_average_pool_backward([[6.0]], np.zeros((1, 3, 1))).ravel()
    array([2., 2., 2.])
    """
    maps = _feature_maps(inputs)
    slopes = _over_places(gradient, maps)
    share = slopes / slopes.dtype.type(math.prod(maps.shape[1:-1]))
    return np.broadcast_to(share, maps.shape).copy()


class _Axis(NamedTuple):
    """How the window moves along one axis: place p sees ``size`` inputs from p x step - before."""

    size: int
    step: int
    before: int
    places: int


class _Block(NamedTuple):
    """Some images, or some rows of one: which inputs are seen, which outputs made, and how."""

    seen: tuple[slice, slice]
    made: tuple[slice, slice]
    axes: list[_Axis]


def _prepare(
    inputs: ArrayLike, pool_size: PerAxis, strides: PerAxis | None, padding: Padding
) -> tuple[Floats, list[_Axis], tuple[int, ...]]:
    """The inputs as floats, the movement along every axis, and the shape of the outputs."""
    values = _feature_maps(inputs)
    axes, shape = _movement(values.shape, pool_size, strides, padding)
    return values, list(axes), shape


@remembered
def _movement(
    values: tuple[int, ...], pool_size: PerAxis, strides: PerAxis | None, padding: Padding
) -> tuple[tuple[_Axis, ...], tuple[int, ...]]:
    """The movement along every axis of values of this shape, and the shape of the outputs."""
    rank, spatial = len(values) - 2, values[1:-1]
    sizes = per_axis(pool_size, rank, "pool_size")
    steps = per_axis(pool_size if strides is None else strides, rank, "strides")
    amounts = amounts_for(spatial, sizes, steps, padding)
    shape = output_shape(values, sizes, None, steps, amounts)  # raises if a window does not fit
    for axis, (pair, size) in enumerate(zip(amounts, sizes, strict=True)):
        if max(pair) >= size:
            raise SizeError(
                f"axis {axis}: padding {pair} leaves a window of {size} without any input; "
                f"pad by less than {size} on each side"
            )
    moves = zip(sizes, steps, amounts, shape[1:-1], strict=True)
    return tuple(_Axis(size, step, before, places) for size, step, (before, _), places in moves), shape


def _blocks(values: NDArray, axes: list[_Axis]) -> Iterator[_Block]:
    """Split the work into parts that stay in a core's cache while they are worked on."""
    (size, step, before, places), length = axes[0], values.shape[1]
    row_bytes = max(math.prod(values.shape[2:]) * values.itemsize, 1)
    rows = max(BLOCK_BYTES // (row_bytes * step), 1)
    images = max(BLOCK_BYTES // (row_bytes * length), 1)
    for item in range(0, len(values), images):
        for top in range(0, places, rows):
            bottom = min(top + rows, places)
            start = top * step - before
            first, last = max(start, 0), min((bottom - 1) * step - before + size, length)
            chosen = slice(item, item + images)
            here = _Axis(size, step, first - start, bottom - top)
            yield _Block((chosen, slice(first, last)), (chosen, slice(top, bottom)), [here, *axes[1:]])


def _at(number: int, place: slice | int) -> tuple[slice | int, ...]:
    """The index that takes ``place`` along axis ``number`` and everything along the others."""
    return (*[slice(None)] * number, place)


def _whole(axis: _Axis, length: int) -> range:
    """The places whose window lies inside the input of this length, padding left out."""
    first = -(-axis.before // axis.step)
    return range(first, min((length + axis.before - axis.size) // axis.step + 1, axis.places))


def _fold(combine: np.ufunc, values: Floats, axes: list[_Axis], outputs: Floats) -> None:
    """Combine all values of each window into ``outputs``: down the columns first, then along the rows.

    A window is combined axis by axis, k + k steps for k x k values. Each step takes whole lines of memory.
    """
    for number, axis in enumerate(axes, start=1):
        made = outputs
        if number < len(axes):
            shape = (*values.shape[:number], axis.places, *values.shape[number + 1 :])
            made = np.empty(shape, values.dtype)
        whole = _whole(axis, values.shape[number])
        if whole:
            start = whole[0] * axis.step - axis.before
            seen = slice(start, start + (len(whole) - 1) * axis.step + 1, axis.step)
            target = made[_at(number, slice(whole[0], whole[-1] + 1))]
            short = number == len(axes) and values.shape[-1] * values.itemsize < SHORT_PIECE
            (_combine_rows if short else _combine_lines)(combine, values, number, axis.size, seen, target)
        for place in range(axis.places):
            if place not in whole:  # at the edge the window is cut
                start = place * axis.step - axis.before
                window = values[_at(number, slice(max(start, 0), start + axis.size))]
                combine.reduce(window, axis=number, out=made[_at(number, place)])
        values = made


def _combine_lines(
    combine: np.ufunc, values: Floats, number: int, size: int, seen: slice, outputs: Floats
) -> None:
    """Combine the first inputs of all windows, which are those ``seen``, with the second, then the third …"""
    first, *others = (
        values[_at(number, slice(seen.start + k, seen.stop + k, seen.step))] for k in range(size)
    )
    if not others:
        np.copyto(outputs, first)
    for other in others:
        first = combine(first, other, out=outputs)


def _combine_rows(
    combine: np.ufunc, values: Floats, number: int, size: int, seen: slice, outputs: Floats
) -> None:
    """The same along the last axis, where neighbours lie close together in memory: everything as one line.

    Shifted by one place and combined with itself, the line holds the windows at every place and, across the
    ends of rows, some that nobody wants. Those that are wanted are copied out, all channels as one piece.
    """
    channels = values.shape[-1]
    line = np.ascontiguousarray(values).reshape(-1)
    count = line.size - (size - 1) * channels
    total = line if size == 1 else np.empty_like(line)
    first = line[:count]
    for k in range(1, size):
        first = combine(first, line[k * channels : k * channels + count], out=total[:count])
    piece = np.dtype((np.void, channels * values.itemsize))
    outputs.view(piece)[...] = total.reshape(values.shape).view(piece)[_at(number, seen)]


def _taps(axes: list[_Axis], shape: tuple[int, ...]) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """For every place in a window, row by row: which outputs have an input there, and which inputs these are.

    >>> for (_, outputs), (_, inputs) in _taps([_Axis(size=2, step=2, before=1, places=2)], (1, 3, 1)):
    ...     print(np.arange(2)[outputs], np.arange(3)[inputs])
    [1] [1]
    [0 1] [0 2]
    """
    lines = []
    for (size, step, before, places), length in zip(axes, shape[1:-1], strict=True):
        pairs = []
        for tap in range(size):
            first = max(-((tap - before) // step), 0)
            count = min((length - 1 + before - tap) // step + 1, places) - first
            start = first * step + tap - before
            if count > 0:
                inputs = slice(start, start + (count - 1) * step + 1, step)
                pairs.append((slice(first, first + count), inputs))
        lines.append(pairs)
    for chosen in itertools.product(*lines):
        outputs, seen = zip(*chosen, strict=True)
        yield (slice(None), *outputs), (slice(None), *seen)


def _spread(shares: Floats, values: Floats, axes: list[_Axis]) -> Floats:
    """For every input the sum of the shares of the windows that it is in."""
    results = np.zeros(values.shape, values.dtype)

    def work(block: _Block) -> None:
        _unfold(shares[block.made], block.axes, results[block.seen])

    _each_image(work, _blocks(values, axes))
    return results


def _each_image(work: Callable[[_Block], None], blocks: Iterable[_Block]) -> None:
    """Work on the blocks; those of one image one after the other, since their windows may overlap."""

    def one_after_the_other(group: list[_Block]) -> None:
        for block in group:
            work(block)

    groups = itertools.groupby(blocks, key=lambda block: block.made[0])
    threads.each(one_after_the_other, [list(group) for _, group in groups])


def _unfold(shares: Floats, axes: list[_Axis], results: Floats) -> None:
    """Add to every input the shares of all windows that it is in: :func:`_fold` run backwards."""
    for number in reversed(range(1, len(axes) + 1)):
        axis = axes[number - 1]
        wider = results
        if number > 1:
            wider = np.zeros((*shares.shape[:number], *results.shape[number:]), shares.dtype)
        for place, tap in _taps([axis], (0, wider.shape[number], 0)):
            _add(wider, _at(number, tap[1]), shares[_at(number, place[1])], [axis])
        shares = wider


def _add(results: Floats, place: tuple[slice | int, ...], values: Floats, axes: list[_Axis]) -> None:
    """Add values to a part of the results; where windows do not overlap, nothing is there yet."""
    if any(axis.step < axis.size for axis in axes):
        results[place] += values
    elif (piece := _piece(results)) is not None:
        results.view(piece)[place] = values.view(piece)
    else:
        results[place] = values


def _tile(axes: list[_Axis], shape: tuple[int, ...]) -> bool:
    """Whether the windows cover all inputs, each once, so that nothing is left to be zero.

    >>> _tile([_Axis(size=2, step=2, before=0, places=3)], (1, 6, 1))
    True
    >>> _tile([_Axis(size=2, step=2, before=0, places=3)], (1, 7, 1))       # the last input is in none
    False
    """
    return all(
        size == step and before == 0 and places * size == length
        for (size, step, before, places), length in zip(axes, shape[1:-1], strict=True)
    )


def _taken(values: Floats, place: tuple[slice | int, ...]) -> Floats:
    """A part of the values: as an array of its own, where that is quicker to work on."""
    piece = _piece(values)
    if piece is None:
        return values[place]
    return np.ascontiguousarray(values.view(piece)[place]).view(values.dtype)


def _piece(values: Floats) -> np.dtype | None:
    """The channels of a place as one thing to copy, where they are few: NumPy is slow on short rows."""
    size = values.shape[-1] * values.itemsize
    apart = values.strides[-1] != values.itemsize
    return None if apart or not 0 < size <= WHOLE_PIECE else np.dtype((np.void, size))


def _counts(values: Floats, axes: list[_Axis]) -> Floats:
    """How many inputs lie in each window: (*output, 1), for windows may be cut at the edge."""
    counts: NDArray = np.ones(())
    for axis, length in zip(axes, values.shape[1:-1], strict=True):
        starts = np.arange(axis.places) * axis.step - axis.before
        inside = np.minimum(starts + axis.size, length) - np.maximum(starts, 0)
        counts = np.multiply.outer(counts, inside)
    counts = counts[..., None].astype(values.dtype)
    if counts.min() == counts.max():  # one number, shared by all places, divides in long runs
        return np.broadcast_to(counts.flat[0], counts.shape)
    return counts


def _feature_maps(inputs: ArrayLike) -> Floats:
    """The inputs as floats, (batch, *spatial, channels), with something in every map."""
    values = as_floats(inputs, "inputs")
    if values.ndim < 3:
        raise ShapeError(
            f"inputs of shape {values.shape} cannot be pooled; they need (batch, *spatial, channels)"
        )
    if 0 in values.shape[1:-1]:
        raise SizeError(f"feature maps of shape {values.shape[1:-1]} are empty; there is nothing to pool")
    return values


def _places(maps: NDArray) -> tuple[int, ...]:
    """The spatial axes."""
    return tuple(range(1, maps.ndim - 1))


def _over_places(gradient: ArrayLike, maps: NDArray) -> Floats:
    """A gradient (batch, channels) as (batch, 1, …, channels), or that its shape is another."""
    slopes = as_gradient(gradient, (len(maps), maps.shape[-1]), maps.dtype)
    return np.expand_dims(slopes, _places(maps))


def _made(
    outputs: ArrayLike | None, shape: tuple[int, ...], forward: Callable[..., Floats], *arguments: Any
) -> Floats:
    """What the forward pass returned: as it is given, where its shape is right, or computed anew."""
    if outputs is None:
        return forward(*arguments)
    values = as_floats(outputs, "outputs")
    if values.shape != shape:
        raise ShapeError(f"outputs have shape {values.shape}; these inputs give {shape}")
    return values
