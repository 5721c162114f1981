"""Pooling: what comes out, what is left, where the gradient goes. Chapter 7.

Rows and grids of numbers are nested tuples (so that a task can be written down); functions get arrays.

>>> from cnnlib.exercises import Task, check
>>> back = Task("pool_gradient", slopes=(6, 2), values=(1, 3, 9, 4, 5), pool_size=3, strides=2)
>>> check(back, [0, 0, 8, 0, 0]).text
'right.'
>>> check(back, [0, 0, 2, 0, 0]).slip, check(back, [2, 2, 8 / 3, 2 / 3, 2 / 3]).slip
('overwritten', 'shared-by-all')
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.connections import shift
from cnnlib.exercises.answers import Array, Number, Shape
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.kinds.sizes import IMAGE
from cnnlib.exercises.misconceptions import add, likely
from cnnlib.exercises.tasks import add_kind
from cnnlib.pooling import (
    average_pool,
    average_pool_backward,
    max_pool,
    max_pool_backward,
    max_pool_switches,
)
from cnnlib.sizes import Padding, dense_parameters, output_shape, output_size, padding_amounts

MAXIMUM, AVERAGE = "maximum", "average"
_POOLS = {MAXIMUM: max_pool, AVERAGE: average_pool}
_BACKWARD = {MAXIMUM: max_pool_backward, AVERAGE: average_pool_backward}


def _one_map(values: ArrayLike) -> NDArray:
    """A row or grid as the library wants it: a batch of one, with one channel."""
    return np.asarray(values, np.float64)[None, ..., None]


def _windows(
    shape: Sequence[int], pool_size: int, strides: int
) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """The places of the output, and the part of the input that the window covers there."""
    for place in np.ndindex(*(output_size(size, pool_size, strides) for size in shape)):
        yield place, tuple(slice(at * strides, at * strides + pool_size) for at in place)


def _reduced(values: ArrayLike, pool_size: int, strides: int, reduce: Callable[[NDArray], float]) -> NDArray:
    """Pooling with another rule in place of the maximum."""
    grid = np.asarray(values, np.float64)
    places = dict(_windows(grid.shape, pool_size, strides))
    result = np.zeros(tuple(at + 1 for at in max(places)))
    for place, window in places.items():
        result[place] = reduce(grid[window])
    return result


def _where_it_matters(wrong: Callable[..., Any], right: Callable[..., Any]) -> Callable[..., Any]:
    """A mistake that does not show on all inputs."""

    def rule(**given: Any) -> Any:
        result = wrong(**given)
        return None if result is None or np.array_equal(result, right(**given)) else result

    return rule


def _rows(array: NDArray) -> Any:
    """Nested tuples of plain numbers."""
    return tuple(_rows(row) for row in array) if array.ndim > 1 else tuple(array.tolist())


# --- What comes out -----------------------------------------------------------------------------------


def _pooled(
    values: ArrayLike,
    pool_size: int,
    strides: int | None = None,
    padding: Padding = "valid",
    rule: str = MAXIMUM,
) -> NDArray:
    return _POOLS[rule](_one_map(values), pool_size, strides, padding)[0, ..., 0]


def _roll_pooled(
    dice: Dice,
    shape: Sequence[int] | None = None,
    pool_size: int | None = None,
    strides: int | None = None,
    padding: Padding | None = None,
    rule: str | None = None,
) -> dict[str, Any]:
    """Whole numbers, the last of them below 0; means are whole where windows hold three values."""
    shape = shape or dice.pick(((4, 4), (4, 6), (7,)))
    window = pool_size or (2 if len(shape) > 1 else 3)
    step = strides or dice.roll(max(window - 1, 1), window)
    rule = rule or dice.pick((MAXIMUM, AVERAGE))
    grid = np.array([dice.roll(-6, 9) for _ in range(math.prod(shape))]).reshape(*shape)
    grid[(-1,) * grid.ndim] = dice.roll(-9, -1)
    if rule == AVERAGE and grid.ndim == 1:
        for _, part in _windows(grid.shape, window, step):
            grid[part][-1] -= grid[part].sum() % window
    return {
        "values": _rows(grid),
        "pool_size": window,
        "strides": step,
        "padding": padding or dice.pick(("valid", "same")),
        "rule": rule,
    }


add_kind(
    "pooled",
    _pooled,
    Array(),
    "which inputs lie in the first window, which in the next, and which one number stands for them?",
    "pooling",
    _roll_pooled,
    labels={"values": "values", "rule": "rule"},
)


def _only(wanted: str, wrong: Callable[..., Any]) -> Callable[..., Any]:
    """A mistake that can be made with one rule of pooling alone."""
    return lambda rule, **given: wrong(**given) if rule == wanted else None


def _strongest(window: NDArray) -> float:
    return float(window.flat[np.abs(window).argmax()])


def _unpadded(reduce: Callable[[NDArray], float]) -> Callable[..., Any]:
    def wrong(values: Any, pool_size: int, strides: int | None, padding: Padding) -> Any:
        return None if padding == "same" else _reduced(values, pool_size, strides or pool_size, reduce)

    return wrong


def _zeros_counted(values: Any, pool_size: int, strides: int | None, padding: Padding, rule: str) -> Any:
    if padding != "same":
        return None
    grid, step = np.asarray(values, np.float64), strides or pool_size
    amounts = [padding_amounts(size, pool_size, step, "same") for size in grid.shape]
    return _pooled(np.pad(grid, amounts), pool_size, step, rule=rule)


def _with_padding(padding: str) -> Callable[..., Any]:
    """The other padding, where that is another result."""

    def wrong(values: Any, pool_size: int, strides: int | None, rule: str, **given: Any) -> Any:
        right = _pooled(values, pool_size, strides, given["padding"], rule)
        other = _pooled(values, pool_size, strides, padding, rule)
        return None if other.shape == right.shape else other

    return wrong


add(
    "pooled",
    "took-the-mean",
    _only(MAXIMUM, lambda **given: _pooled(**given, rule=AVERAGE)),
    "this is the mean of every window. Max pooling keeps its largest value.",
    "pooling",
)
add(
    "pooled",
    "took-the-maximum",
    _only(AVERAGE, lambda **given: _pooled(**given, rule=MAXIMUM)),
    "this is the largest value of every window. Average pooling takes the mean of all values in it.",
    "pooling",
)
add(
    "pooled",
    "summed",
    _only(AVERAGE, _unpadded(np.sum)),
    "this is the sum of every window. A mean is the sum divided by how many values there are.",
    "pooling",
)
add(
    "pooled",
    "divided-by-the-side",
    _only(
        AVERAGE,
        lambda values, pool_size, strides, padding: (
            _pooled(values, pool_size, strides, padding, AVERAGE) * pool_size if np.ndim(values) > 1 else None
        ),
    ),
    "this is the sum of every window divided by the width of the window. How many values lie in it?",
    "pooling",
)
add(
    "pooled",
    "took-the-smallest",
    _only(MAXIMUM, _unpadded(np.min)),
    "this is the smallest value of every window. Max pooling keeps the largest.",
    "pooling",
)
add(
    "pooled",
    "largest-without-sign",
    _only(MAXIMUM, _unpadded(_strongest)),
    "this keeps the value that is farthest from 0. The sign counts: any positive number is larger than a "
    "negative one.",
    "pooling",
)
add(
    "pooled",
    "moved-by-one",
    lambda strides, pool_size, **given: (
        _pooled(pool_size=pool_size, strides=1, **given) if (strides or pool_size) > 1 else None
    ),
    "this is stride 1: the window must move by more than one place at a time.",
    "pooling",
)
add(
    "pooled",
    "moved-by-its-own-size",
    lambda strides, pool_size, **given: (
        _pooled(pool_size=pool_size, strides=pool_size, **given) if strides not in (None, pool_size) else None
    ),
    "this moves the window by its own size. Here the stride is smaller, so that windows overlap.",
    "pooling",
)
add(
    "pooled",
    "padding-counted",
    _zeros_counted,
    "this takes the padding for zeros among the inputs. Padding must not count in pooling: it never is the "
    "maximum, and a mean is over the real inputs in the window.",
    "pooling",
)
add(
    "pooled",
    "dropped-the-rest",
    _with_padding("valid"),
    "this drops what is left at the end, as without padding. With “same” one more window hangs over it.",
    "pooling",
)
add(
    "pooled",
    "hung-over-the-edge",
    _with_padding("same"),
    "this lets a window hang over the edge, as with “same”. Without padding it must lie wholly inside.",
    "pooling",
)

# --- Shapes and counts --------------------------------------------------------------------------------


def _pool_call_output(input_shape: Sequence[int], pool_size: int) -> tuple[int, ...]:
    return output_shape((1, *input_shape), pool_size, None, pool_size)[1:]


def _roll_pool_call(dice: Dice) -> dict[str, Any]:
    pool_size, channels = dice.pick((3, 4, 5)), 2 * dice.roll(4, 48)
    return {"input_shape": (dice.roll(30, 99), dice.roll(30, 99), channels), "pool_size": pool_size}


add_kind(
    "pool_call_output",
    _pool_call_output,
    Shape(IMAGE),
    "by how much does this window move if the call does not say?",
    "pooling",
    _roll_pool_call,
)

for _name in ("forgot-the-one", "rounded-up", "channels-shrunk-too", "channels-pooled-away"):
    _entry = next(entry for entry in likely("pool_output") if entry.name == _name)
    add(
        "pool_call_output",
        _name,
        lambda input_shape, pool_size, rule=_entry.rule: rule(
            input_shape=input_shape, pool_size=pool_size, strides=pool_size, padding=0
        ),
        _entry.message,
        _entry.chapter,
    )
for _stride, _name, _word in ((1, "stride-of-one", "one pixel"), (2, "stride-of-two", "two pixels")):
    add(
        "pool_call_output",
        _name,
        lambda input_shape, pool_size, stride=_stride: (
            output_shape((1, *input_shape), pool_size, None, stride)[1:] if pool_size != stride else None
        ),
        f"{{answer}} moves the window by {_word} at a time. Where a pooling layer is given no stride, Keras "
        "moves the window by its own size.",
        "pooling",
    )


def _pooled_side(size: int, pool_size: int, stride: int) -> int:
    return output_size(size, pool_size, stride)


add_kind(
    "pooled_side",
    _pooled_side,
    Number(),
    "how far can the window move before it would stick out, and how many steps is that?",
    "pooling",
    lambda dice: {"size": dice.roll(30, 120), "pool_size": dice.roll(2, 5), "stride": dice.roll(2, 5)},
)
for _name in ("forgot-the-one", "rounded-up", "kept-the-fraction", "forgot-the-stride"):
    _entry = next(entry for entry in likely("output_size") if entry.name == _name)
    add(
        "pooled_side",
        _name,
        lambda size, pool_size, stride, rule=_entry.rule: rule(size, pool_size, stride, 0),
        _entry.message,
        _entry.chapter,
    )
add(
    "pooled_side",
    "divided-by-the-window",
    lambda size, pool_size, stride: size // pool_size if stride != pool_size else None,
    "{answer} divides by the window. Here it moves by another number than its own size.",
    "pooling",
)


def _global_values(input_shape: Sequence[int]) -> int:
    return output_shape((1, *input_shape), input_shape[:2])[-1]


add_kind(
    "global_values",
    _global_values,
    Number(),
    "how many numbers stay of a single feature map, and how many maps are there?",
    "pooling",
    lambda dice: {"input_shape": (dice.roll(5, 15), dice.roll(5, 15), 8 * dice.roll(4, 64))},
)
add(
    "global_values",
    "one-for-all",
    lambda input_shape: 1,
    "{answer} makes one number of all feature maps. Pooling works on each feature map by itself.",
    "pooling",
)
add(
    "global_values",
    "one-for-every-place",
    lambda input_shape: math.prod(input_shape[:2]),
    "{answer} keeps a number for every place and mixes the channels. It is the places that go.",
    "pooling",
)
add(
    "global_values",
    "flattened",
    lambda **given: math.prod(given["input_shape"]),
    "{answer} keeps every value: that is Flatten. Global pooling leaves one number of each feature map.",
    "pooling",
)


def _values_left(input_shape: Sequence[int], pool_size: int, times: int) -> int:
    shape = (1, *input_shape)
    for _ in range(times):
        shape = output_shape(shape, pool_size, None, pool_size)
    return math.prod(shape)


def _roll_values_left(dice: Dice, times: int | None = None) -> dict[str, Any]:
    times = times or dice.roll(3, 4)  # after two, half a width each time is what one pooling leaves
    sides = [dice.roll(3, 11) * 2**times for _ in range(2)]
    return {"input_shape": (*sides, 8 * dice.roll(2, 16)), "pool_size": 2, "times": times}


add_kind(
    "values_left",
    _values_left,
    Number(),
    "what does one pooling do to the height, what to the width, and what to the number of channels?",
    "pooling",
    _roll_values_left,
    labels={"times": "times"},
)
add(
    "values_left",
    "halved-once-a-pooling",
    lambda input_shape, pool_size, times: math.prod(input_shape) / pool_size**times,
    "{answer} divides by the width of the window once for each pooling. Both height and width shrink.",
    "pooling",
)
add(
    "values_left",
    "one-pooling-only",
    lambda input_shape, pool_size, times: _values_left(input_shape, pool_size, 1) if times > 1 else None,
    "{answer} is what one pooling leaves; here there are {times}.",
    "pooling",
)
add(
    "values_left",
    "channels-shrunk-too",
    lambda input_shape, pool_size, times: math.prod(input_shape) / pool_size ** (3 * times),
    "{answer} shrinks the channels as well. Pooling works on each feature map by itself: their number stays.",
    "pooling",
)
add(
    "values_left",
    "left-out-the-channels",
    lambda input_shape, pool_size, times: _values_left((*input_shape[:2], 1), pool_size, times),
    "{answer} is one feature map; the layer has one for every channel.",
    "pooling",
)


def _poolings(size: int, pool_size: int) -> int:
    """How often a side can be pooled without padding before a single value is left."""
    times = 0
    while size >= pool_size:
        size, times = output_size(size, pool_size, pool_size), times + 1
    return times


add_kind(
    "poolings",
    _poolings,
    Number(),
    "write the sizes down one by one: after which of them does the window not fit any more?",
    "pooling",
    lambda dice: {"size": dice.roll(20, 300), "pool_size": 2},
)
add(
    "poolings",
    "one-too-many",
    lambda size, pool_size: _poolings(size, pool_size) + 1,
    "{answer} is one too many: the last of these windows no longer fits into what is left.",
    "pooling",
)
add(
    "poolings",
    "stopped-early",
    lambda size, pool_size: _poolings(size, pool_size) - 1,
    "{answer} stops while the window still fits once.",
    "pooling",
)
add(
    "poolings",
    "a-window-at-a-time",
    lambda size, pool_size: size // pool_size,
    "{answer} takes the same amount away each time. Every pooling divides what the one before has left.",
    "pooling",
)
add(
    "poolings",
    "for-both-sides",
    lambda size, pool_size: 2 * _poolings(size, pool_size),
    "{answer} counts height and width apart. One pooling shrinks both.",
    "pooling",
)


def _side_before(size: int, windows: Sequence[int], most: bool) -> int:
    """The smallest or largest side that poolings, each moved by its own size, bring down to ``size``."""

    def after(side: int) -> int:
        for window in windows:
            side = output_size(side, window, window)
        return side

    product = math.prod(windows)
    fitting = [side for side in range(size * product, (size + 2) * product) if after(side) == size]
    return fitting[-1] if most else fitting[0]


def _roll_side_before(dice: Dice, most: bool | None = None, count: int | None = None) -> dict[str, Any]:
    windows = tuple(dice.pick((2, 2, 3)) for _ in range(count or dice.roll(2, 3)))
    return {
        "size": dice.roll(3, 12),
        "windows": windows,
        "most": dice.pick((False, True)) if most is None else most,
    }


add_kind(
    "side_before",
    _side_before,
    Number(),
    "go up from the last layer: how many inputs do its windows cover, and how many more may be dropped?",
    "pooling",
    _roll_side_before,
    labels={"windows": "windows", "most": "most"},
)
add(
    "side_before",
    "nothing-dropped",
    lambda size, windows, most: size * math.prod(windows) if most else None,
    "{answer} is the smallest side, where nothing is dropped. Without padding a rest at the end is dropped "
    "without a word: how large may it be?",
    "pooling",
)
add(
    "side_before",
    "one-too-many",
    lambda size, windows, most: (size + 1) * math.prod(windows) if most else None,
    "with a side of {answer} one more window fits at every layer.",
    "pooling",
)
add(
    "side_before",
    "dropped-at-the-first-alone",
    lambda size, windows, most: (
        size * math.prod(windows) + windows[0] - 1 if most and len(windows) > 1 else None
    ),
    "{answer} drops inputs at the first pooling alone. Each pooling may drop some of what it gets.",
    "pooling",
)
add(
    "side_before",
    "windows-added",
    lambda size, windows, most: size * sum(windows) if sum(windows) != math.prod(windows) else None,
    "{answer} adds the windows up. One pooling after another divides again and again: going back, multiply.",
    "pooling",
)
add(
    "side_before",
    "one-pooling-only",
    lambda size, windows, most: size * windows[-1] + (windows[-1] - 1 if most else 0),
    "{answer} undoes the last pooling alone.",
    "pooling",
)


def _head_parameters(input_shape: Sequence[int], units: int, head: str) -> int:
    inputs = math.prod(input_shape) if head == "Flatten" else _global_values(input_shape)
    return dense_parameters(inputs, units)


def _roll_head(dice: Dice, head: str | None = None) -> dict[str, Any]:
    side, other = dice.roll(4, 12), dice.roll(4, 12)
    return {
        "input_shape": (side, other, 16 * dice.roll(2, 20)),
        "units": dice.pick((5, 10, 12, 20, 50)),
        "head": head or dice.pick(("Flatten", "GlobalAveragePooling2D")),
    }


add_kind(
    "head_parameters",
    _head_parameters,
    Number(),
    "how many numbers reach the dense layer, and how many weights and biases has each of its units?",
    "pooling",
    _roll_head,
    labels={"units": "units", "head": "head"},
)
add(
    "head_parameters",
    "left-out-the-biases",
    lambda units, **given: _head_parameters(units=units, **given) - units,
    "{answer} leaves out the biases: every unit has one.",
    "pooling",
)
add(
    "head_parameters",
    "one-bias-for-all",
    lambda units, **given: _head_parameters(units=units, **given) - units + 1,
    "{answer} has a single bias for the whole layer: every unit has its own.",
    "pooling",
)
add(
    "head_parameters",
    "flattened-instead",
    lambda head, **given: None if head == "Flatten" else _head_parameters(head="Flatten", **given),
    "{answer} gives a weight to every value of the maps. Global pooling leaves one number of each map.",
    "pooling",
)
add(
    "head_parameters",
    "pooled-instead",
    lambda head, **given: _head_parameters(head="pooled", **given) if head == "Flatten" else None,
    "{answer} is the count after global pooling. Flatten keeps every value of every map.",
    "pooling",
)
add(
    "head_parameters",
    "one-map-flattened",
    lambda input_shape, units, head: dense_parameters(math.prod(input_shape[:2]), units),
    "{answer} counts the places of a single map and leaves out the channels.",
    "pooling",
)

# --- A small shift ------------------------------------------------------------------------------------


def _shifted_pool(
    signal: ArrayLike, pool_size: int, strides: int, amount: int, padding: Padding = "valid"
) -> NDArray:
    """The row moves right by ``amount``, what leaves comes in again at the left, and is then pooled."""
    moved = shift(_one_map(signal), amount, "circular")
    return max_pool(moved, pool_size, strides, padding)[0, :, 0]


def _roll_shift(
    dice: Dice, size: int = 8, pool_size: int | None = None, strides: int | None = None
) -> dict[str, Any]:
    window = pool_size or dice.roll(2, 3)
    return {
        "signal": tuple(dice.roll(0, 9) for _ in range(size)),
        "pool_size": window,
        "strides": strides or dice.pick((1, window)),
        "amount": 1,
    }


add_kind(
    "shifted_pool",
    _shifted_pool,
    Array(1),
    "what does the row look like after it has moved, and which numbers lie in the first window now?",
    "pooling",
    _roll_shift,
    labels={"amount": "amount"},
)


def _outputs_moved(signal: Any, pool_size: int, strides: int, amount: int, padding: Padding) -> NDArray:
    return np.roll(_shifted_pool(signal, pool_size, strides, 0, padding), amount)


add(
    "shifted_pool",
    "nothing-changes",
    lambda amount, **given: _shifted_pool(amount=0, **given),
    "this is the output before the row moved. Pooling forgives a shift only where the maximum stays in its "
    "window.",
    "pooling",
)
add(
    "shifted_pool",
    "moved-the-outputs",
    lambda strides, **given: _outputs_moved(strides=strides, **given) if strides > 1 else None,
    "this moves the old outputs along. With a stride, the windows cut the moved row elsewhere: pool it anew.",
    "pooling",
)
add(
    "shifted_pool",
    "moved-the-other-way",
    lambda amount, **given: _shifted_pool(amount=-amount, **given),
    "this moves the row to the left. It goes to the right: every value to the place after its own.",
    "pooling",
)
add(
    "shifted_pool",
    "took-the-mean",
    lambda signal, pool_size, strides, amount, padding: average_pool(
        shift(_one_map(signal), amount, "circular"), pool_size, strides, padding
    )[0, :, 0],
    "this is the mean of every window. Max pooling keeps its largest value.",
    "pooling",
)


def _changed_outputs(
    signal: ArrayLike, pool_size: int, strides: int, amount: int, padding: Padding = "valid"
) -> int:
    before, after = (_shifted_pool(signal, pool_size, strides, by, padding) for by in (0, amount))
    return int((before != after).sum())


add_kind(
    "changed_outputs",
    _changed_outputs,
    Number(),
    "pool the row before and after it moves, and compare place by place: where do they differ?",
    "pooling",
    _roll_shift,
)
add(
    "changed_outputs",
    "none-changes",
    lambda **given: 0,
    "{answer} would be full invariance. A maximum changes if a larger value comes in or the largest leaves.",
    "pooling",
)
add(
    "changed_outputs",
    "all-change",
    lambda **given: _shifted_pool(**given).size,
    "{answer} are all of the outputs. Where the largest value stays in its window, the maximum stays too.",
    "pooling",
)
add(
    "changed_outputs",
    "those-that-stay",
    lambda **given: _shifted_pool(**given).size - _changed_outputs(**given),
    "{answer} counts the outputs that stay as they are; asked are those that change.",
    "pooling",
)
add(
    "changed_outputs",
    "counted-inputs",
    lambda signal, pool_size, strides, amount, padding: _changed_outputs(signal, 1, 1, amount),
    "{answer} counts the inputs that change; asked are outputs.",
    "pooling",
)

# --- Functions that pool ------------------------------------------------------------------------------


def _max_pool_map(inputs: NDArray, pool_size: int, strides: int) -> NDArray:
    return max_pool(inputs[None], pool_size, strides)[0]


def _average_pool_map(inputs: NDArray, pool_size: int, strides: int) -> NDArray:
    return average_pool(inputs[None], pool_size, strides)[0]


def _overlapping(dice: Dice, window: int) -> int:
    """A stride smaller than the window; seldom 1, where a forgotten stride does not show."""
    return dice.pick((1, 2, 2, window - 1))


def _roll_maps(
    dice: Dice, pool_size: int | None = None, overlap: bool | None = None, rest: bool | None = None
) -> dict[str, Any]:
    """``rest``: whether rows and columns are left at the end that no window reaches."""
    window = pool_size or (dice.roll(3, 4) if overlap else dice.roll(2, 3))
    step = window if overlap is False else _overlapping(dice, window) if overlap else dice.roll(1, window + 1)
    left = (dice.roll(1, step - 1) if step > 1 else 0) if rest is None or rest else 0
    sizes = [(dice.roll(2, 3) - 1) * step + window + left, (dice.roll(2, 4) - 1) * step + window + left]
    inputs = dice.halves((*sizes, dice.roll(2, 3)))
    inputs[..., 0] -= 5  # the first map is negative throughout
    return {
        "inputs": inputs,
        "pool_size": window,
        "strides": step,
    }


_FIRST_WINDOW = "which rows and columns lie in the window of output (0, 0), which in that of output (1, 0)?"
_MAPS = {"max_pool_map": _max_pool_map, "average_pool_map": _average_pool_map}
for _name, _solve in _MAPS.items():
    add_kind(_name, _solve, Array(3), _FIRST_WINDOW, "pooling", _roll_maps)


def _pooling_map(
    change: Callable[[NDArray], NDArray] | None = None, **other: Any
) -> dict[str, Callable[..., Any]]:
    """The same mistake in both functions: ``other`` arguments, or a ``change`` of what comes out."""

    def wrong(right: Callable[..., NDArray]) -> Callable[..., Any]:
        def rule(**given: Any) -> NDArray:
            result = right(**given | {name: value(given) for name, value in other.items()})
            return result if change is None else change(result)

        return _where_it_matters(rule, right)

    return {kind: wrong(right) for kind, right in _MAPS.items()}


def _with_partial_windows(inputs: NDArray, pool_size: int, strides: int, rule: str) -> NDArray:
    """Windows that hang over the end count too, with what is in them."""
    lacking = [-(size - pool_size) % strides for size in inputs.shape[:2]]
    return _POOLS[rule](inputs[None], pool_size, strides, [(0, more) for more in lacking])[0]


def _across(maps: NDArray, reduce: Callable[..., NDArray]) -> NDArray:
    return np.broadcast_to(reduce(maps, axis=-1, keepdims=True), maps.shape)


def _in_both(name: str, rules: dict[str, Callable[..., Any]], message: str) -> None:
    for kind, rule in rules.items():
        add(kind, name, rule, message, "pooling")


_in_both(
    "moved-by-its-own-size",
    _pooling_map(strides=lambda given: given["pool_size"]),
    "The window moves by its own size. The window for output row y starts at input row y · strides.",
)
_in_both(
    "moved-by-one",
    _pooling_map(strides=lambda given: 1),
    "This is stride 1. The window for output row y starts at input row y · strides.",
)
_in_both(
    "left-out-the-last",
    _pooling_map(lambda maps: maps[:-1, :-1]),
    "The last row and column of places are missing: the place where the window starts counts too, hence + 1.",
)
_in_both(
    "rows-and-columns-exchanged",
    _pooling_map(lambda maps: maps.swapaxes(0, 1)),
    "Rows and columns are exchanged: height comes first, as arrays store it, then width.",
)
_in_both(
    "hung-over-the-edge",
    {
        kind: _where_it_matters(functools.partial(_with_partial_windows, rule=rule), _MAPS[kind])
        for kind, rule in (("max_pool_map", MAXIMUM), ("average_pool_map", AVERAGE))
    },
    "A window hangs over the edge. A window that does not fit wholly is left out: round down.",
)
add(
    "max_pool_map",
    "began-at-zero",
    _where_it_matters(lambda **given: np.maximum(_max_pool_map(**given), 0), _max_pool_map),
    "Where all values of a window are negative, 0 comes out. Begin with a value of the window, not with 0.",
    "pooling",
)
add(
    "max_pool_map",
    "mixed-the-channels",
    lambda **given: _across(_max_pool_map(**given), np.max),
    "The maximum was taken over the channels too. Pooling works on each feature map by itself.",
    "pooling",
)
add(
    "max_pool_map",
    "took-the-mean",
    _average_pool_map,
    "This is the mean of every window. Max pooling keeps its largest value.",
    "pooling",
)
add(
    "average_pool_map",
    "mixed-the-channels",
    lambda **given: _across(_average_pool_map(**given), np.mean),
    "The mean was taken over the channels too. Pooling works on each feature map by itself.",
    "pooling",
)
add(
    "average_pool_map",
    "divided-by-the-side",
    lambda pool_size, **given: _average_pool_map(pool_size=pool_size, **given) * pool_size,
    "The sum of every window was divided by its width. How many values lie in it?",
    "pooling",
)
add(
    "average_pool_map",
    "summed",
    lambda pool_size, **given: _average_pool_map(pool_size=pool_size, **given) * pool_size**2,
    "This is the sum of every window. Divide it by how many values lie in the window.",
    "pooling",
)
add(
    "average_pool_map",
    "took-the-maximum",
    _max_pool_map,
    "This is the largest value of every window. Average pooling takes the mean.",
    "pooling",
)

# --- Where the gradient goes --------------------------------------------------------------------------


def _switches(values: ArrayLike, pool_size: int, strides: int | None = None) -> NDArray:
    return max_pool_switches(_one_map(values), pool_size, strides)[1][0, ..., 0]


def _roll_switches(dice: Dice, shape: Sequence[int] = (4, 5), pool_size: int = 2) -> dict[str, Any]:
    """Distinct numbers, so that every window has one winner."""
    free = list(range(-9, 30))
    chosen = [free.pop(dice.roll(0, len(free) - 1)) for _ in range(math.prod(shape))]
    return {"values": _rows(np.array(chosen).reshape(*shape)), "pool_size": pool_size}


add_kind(
    "switches",
    _switches,
    Array(2),
    "in which row and which column of the whole map stands the largest value of the first window?",
    "pooling",
    _roll_switches,
)


def _renamed(name: Callable[[NDArray, NDArray, tuple[int, ...], int], NDArray]) -> Callable[..., Any]:
    """Switches written otherwise; ``name`` gets row and column, the map's shape and the window's size."""

    def wrong(values: Any, pool_size: int, strides: int | None) -> Any:
        shape = np.shape(values)
        row, column = np.unravel_index(_switches(values, pool_size, strides), shape)
        return name(row, column, shape, strides or pool_size)

    return wrong


add(
    "switches",
    "counted-from-one",
    _renamed(lambda row, column, shape, step: row * shape[1] + column + 1),
    "this counts the places from 1. The first place, at the top left, is number 0.",
    "pooling",
)
add(
    "switches",
    "column-by-column",
    _renamed(lambda row, column, shape, step: column * shape[0] + row),
    "this counts down the columns. Count along the rows, as arrays store them: row · width + column.",
    "pooling",
)
add(
    "switches",
    "height-for-width",
    _renamed(lambda row, column, shape, step: row * shape[0] + column),
    "this multiplies the row by the height. A row is as long as the map is wide.",
    "pooling",
)
add(
    "switches",
    "within-the-window",
    _renamed(lambda row, column, shape, step: row % step * step + column % step),
    "this counts within each window. Unpooling needs the place in the whole map.",
    "pooling",
)
add(
    "switches",
    "values-for-places",
    _pooled,
    "these are the largest values themselves. Asked is where they stand.",
    "pooling",
)


def _pool_gradient(
    slopes: ArrayLike, values: ArrayLike, pool_size: int, strides: int | None = None, rule: str = MAXIMUM
) -> NDArray:
    back = _BACKWARD[rule](_one_map(slopes), _one_map(values), pool_size, strides)
    return back[0, ..., 0]


def _roll_gradient(
    dice: Dice,
    shape: Sequence[int] | None = None,
    pool_size: int | None = None,
    strides: int | None = None,
    rule: str | None = None,
) -> dict[str, Any]:
    """Distinct inputs; slopes that a window can share without fractions, none of them 0."""
    shape, rule = shape or dice.pick(((4, 4), (7,))), rule or dice.pick((MAXIMUM, AVERAGE))
    window = pool_size or (2 if len(shape) > 1 else 3)
    step, share = strides or 2, window ** len(shape) if rule == AVERAGE else 1
    sizes = [output_size(size, window, step) for size in shape]
    slopes = [dice.pick((-4, -3, -2, 2, 3, 4, 5)) * share for _ in range(math.prod(sizes))]
    return {
        "slopes": _rows(np.array(slopes).reshape(*sizes)),
        "values": _roll_switches(dice, shape)["values"],
        "pool_size": window,
        "strides": step,
        "rule": rule,
    }


def _roll_gradient_arrays(dice: Dice, overlap: bool = True) -> dict[str, Any]:
    """Few different numbers, so that some windows have two that are largest."""
    window = dice.roll(3, 4) if overlap else dice.roll(2, 3)
    step = _overlapping(dice, window) if overlap else window
    sizes = [dice.roll(2, 3), dice.roll(2, 4)]
    shape = [(size - 1) * step + window + dice.roll(0, step - 1) for size in sizes]
    slopes = [dice.pick((-2, -1, 1, 2, 3)) / 2 for _ in range(math.prod(sizes))]
    return {
        "slopes": np.array(slopes).reshape(sizes),
        "values": np.array([float(dice.roll(-3, 2)) for _ in range(math.prod(shape))]).reshape(shape),
        "pool_size": window,
        "strides": step,
    }


_WHO_WON = "whose nudge would change this output, and by how much?"
add_kind(
    "pool_gradient",
    _pool_gradient,
    Array(),
    _WHO_WON,
    "pooling",
    _roll_gradient,
    labels={"slopes": "gradient", "values": "values", "rule": "rule"},
)


def _max_pool_gradient(slopes: ArrayLike, values: ArrayLike, pool_size: int, strides: int) -> NDArray:
    return _pool_gradient(slopes, values, pool_size, strides)


add_kind("max_pool_gradient", _max_pool_gradient, Array(2), _WHO_WON, "pooling", _roll_gradient_arrays)


def _handed(hand: Callable[[NDArray, float, NDArray], None]) -> Callable[..., Any]:
    """A gradient handed back otherwise: ``hand`` gets a window's inputs, its slope, and where to put it."""

    def wrong(slopes: Any, values: Any, pool_size: int, strides: int | None) -> Any:
        grid, given = np.asarray(values, np.float64), np.asarray(slopes, np.float64)
        result = np.zeros(grid.shape)
        for place, window in _windows(grid.shape, pool_size, strides or pool_size):
            hand(grid[window], given[place], result[window])
        return result

    return wrong


def _to_winner(
    weigh: Callable[[NDArray], Any], *, last: bool = False
) -> Callable[[NDArray, float, NDArray], None]:
    def hand(window: NDArray, slope: float, back: NDArray) -> None:
        at = np.unravel_index(
            window.size - 1 - window.ravel()[::-1].argmax() if last else window.argmax(), window.shape
        )
        back[at] += slope * weigh(window)

    return hand


def _overwritten(window: NDArray, slope: float, back: NDArray) -> None:
    back[np.unravel_index(window.argmax(), window.shape)] = slope


def _to_all(share: Callable[[NDArray], Any]) -> Callable[[NDArray, float, NDArray], None]:
    def hand(window: NDArray, slope: float, back: NDArray) -> None:
        back += slope * share(window)

    return hand


def _to_corner(window: NDArray, slope: float, back: NDArray) -> None:
    back[(0,) * back.ndim] += slope


def _tied(window: NDArray) -> NDArray:
    return window == window.max()


#: Ways to hand a gradient back: name, for which rule, how, what to say, and whether ties are needed for it.
_HANDED: list[tuple[str, str, Callable[[NDArray, float, NDArray], None], str, bool]] = [
    (
        "shared-by-all",
        MAXIMUM,
        _to_all(lambda window: 1 / window.size),
        "this shares each gradient among all inputs of its window, as average pooling does. The maximum "
        "depends on one of them alone.",
        False,
    ),
    (
        "whole-to-all",
        MAXIMUM,
        _to_all(np.ones_like),
        "this hands each gradient, whole, to every input of its window. An input that is not the largest can "
        "be nudged without any effect.",
        False,
    ),
    (
        "to-the-first-corner",
        MAXIMUM,
        _to_corner,
        "this puts each gradient into the first corner of its window. It belongs to the largest value.",
        False,
    ),
    (
        "times-the-value",
        MAXIMUM,
        _to_winner(np.max),
        "this multiplies the gradient by the largest value. A nudge of the winner moves the output just as "
        "far: the factor is 1.",
        False,
    ),
    (
        "overwritten",
        MAXIMUM,
        _overwritten,
        "where an input wins in several windows, this keeps the gradient of one. They are added up.",
        False,
    ),
    (
        "to-the-last-of-equals",
        MAXIMUM,
        _to_winner(lambda window: 1, last=True),
        "where two values are equal and largest, this takes the last one. Keras takes the first, row by row.",
        True,
    ),
    (
        "to-all-equals",
        MAXIMUM,
        _to_all(_tied),
        "where two values are equal and largest, this gives the whole gradient to each. The first takes it.",
        True,
    ),
    (
        "shared-by-equals",
        MAXIMUM,
        _to_all(lambda window: _tied(window) / _tied(window).sum()),
        "where two values are equal and largest, this shares the gradient. The first one takes it all.",
        True,
    ),
    (
        "to-the-largest",
        AVERAGE,
        _to_winner(lambda window: 1),
        "this hands each gradient to the largest input, as max pooling does. A mean depends on all of them.",
        False,
    ),
    (
        "undivided",
        AVERAGE,
        _to_all(np.ones_like),
        "this hands the whole gradient to every input. A nudge of one moves the mean by its share only.",
        False,
    ),
    (
        "divided-by-the-side",
        AVERAGE,
        _to_all(lambda window: len(window) / window.size),
        "this divides each gradient by the width of the window. Among how many inputs is it shared?",
        False,
    ),
]


for _name, _of, _hand, _message, _needs_ties in _HANDED:
    _wrong = _handed(_hand)
    if not _needs_ties:
        _rule = _only(_of, _wrong)
        if _name in ("overwritten", "divided-by-the-side"):
            _rule = _where_it_matters(_rule, _pool_gradient)
        add("pool_gradient", _name, _rule, _message, "pooling")
    if _of == MAXIMUM:
        _message = _message[0].upper() + _message[1:]
        add("max_pool_gradient", _name, _where_it_matters(_wrong, _max_pool_gradient), _message, "pooling")

# --- A thin line --------------------------------------------------------------------------------------


def _line_left(value: int, pool_size: int, rule: str) -> float:
    """What pooling makes of a line one pixel wide, of this value on a ground of 0."""
    picture = np.zeros((pool_size, pool_size))
    picture[:, 0] = value
    return float(_pooled(picture, pool_size, rule=rule).item())


add_kind(
    "line_left",
    _line_left,
    Number(),
    "how many pixels of the line lie in one window, and how many of the ground?",
    "pooling",
    lambda dice: {
        "value": 8 * dice.roll(2, 12),
        "pool_size": dice.pick((2, 4, 8)),
        "rule": dice.pick((MAXIMUM, AVERAGE)),
    },
    labels={"value": "value"},
)
add(
    "line_left",
    "took-the-mean",
    _only(MAXIMUM, lambda value, pool_size: _line_left(value, pool_size, AVERAGE)),
    "{answer} is the mean of the window. Max pooling keeps its largest value.",
    "pooling",
)
add(
    "line_left",
    "took-the-maximum",
    _only(AVERAGE, lambda value, pool_size: _line_left(value, pool_size, MAXIMUM)),
    "{answer} is the largest value of the window. The mean takes the ground in, too.",
    "pooling",
)
add(
    "line_left",
    "a-point-for-a-line",
    lambda value, pool_size, rule: value / pool_size**2,
    "{answer} counts one pixel of the line. It crosses the whole window.",
    "pooling",
)
add(
    "line_left",
    "summed",
    lambda value, pool_size, rule: value * pool_size,
    "{answer} adds the pixels of the line up. One number of about their size stands for the window.",
    "pooling",
)
