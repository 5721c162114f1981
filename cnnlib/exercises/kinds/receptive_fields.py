"""What moves when the picture moves, and what one output sees of it. Chapter 8.

A layer is written (kernel, stride), (kernel, stride, padding) or (kernel, stride, padding, dilation), along
one axis; pooling counts like convolution.

>>> from cnnlib.exercises import Task, check
>>> stack = Task("receptive_size", layers=((5, 1), (2, 2), (3, 1)))
>>> check(stack, 10).text
'right.'
>>> check(stack, 8).slip, check(stack, 9).slip
('strides-ignored', 'pooling-adds-nothing')
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.activations import relu
from cnnlib.connections import shift
from cnnlib.convolution import convolve, correlate
from cnnlib.errors import SizeError
from cnnlib.exercises.answers import Array, Number
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.misconceptions import add, add_all
from cnnlib.exercises.networks import Conv, Pool, trace
from cnnlib.exercises.tasks import add_kind
from cnnlib.receptive_field import (
    ReceptiveField,
    Window,
    inputs_seen,
    layers_needed,
    receptive_field,
)
from cnnlib.sizes import conv_weights, output_size, remembered

CHAPTER = "receptive-field"
Layers = Sequence[Any]


@remembered  # asked for by one mistake after the other
def _field(layers: Layers) -> ReceptiveField:
    return receptive_field([Window(*layer) for layer in layers])


# --- Moving the input ---------------------------------------------------------------------------------


def _moved_map(signal: ArrayLike, kernel: ArrayLike, amount: int, stride: int = 1) -> NDArray:
    """What a convolution layer gives once the row has moved right and zeros have come in."""
    moved = shift(np.asarray(signal, np.float64)[None, :, None], amount)[0, :, 0]
    return correlate(moved, kernel, stride)


def _roll_moved_map(dice: Dice, stride: int | None = None) -> dict[str, Any]:
    """A pattern of three between zeros: it stays in the row, and so does what a kernel makes of it."""
    step = stride or dice.roll(1, 2)
    pattern = tuple(dice.pick((-2, -1, 1, 2, 3, 4, 5)) for _ in range(3))
    kernel = tuple(dice.pick((-2, -1, 1, 2, 3)) for _ in range(3))
    zeros = dice.roll(1, 2) * 2
    return {
        "signal": (0,) * zeros + pattern + (0,) * (8 - zeros),
        "kernel": kernel,
        "amount": 2 * dice.roll(1, 2) if step == 2 else dice.roll(1, 3),
        "stride": step,
    }


add_kind(
    "moved_map",
    _moved_map,
    Array(1),
    "at which place does the window meet the pattern now, and which weights has it there?",
    CHAPTER,
    _roll_moved_map,
    labels={"amount": "amount"},
)
add(
    "moved_map",
    "nothing-moved",
    lambda amount, **given: _moved_map(amount=0, **given),
    "this is the map of the row before it moved. A convolution layer is equivariant: its map moves too.",
    CHAPTER,
)
add(
    "moved_map",
    "moved-the-other-way",
    lambda amount, **given: _moved_map(amount=-amount, **given),
    "this is the map of the row moved to the left; it goes to the right.",
    CHAPTER,
)
add(
    "moved_map",
    "stride-ignored-in-the-shift",
    lambda amount, stride, **given: (
        _shifted(_moved_map(amount=0, stride=stride, **given), amount) if stride > 1 else None
    ),
    "this moves the map by as many places as the row. With stride {stride} one place of the map is {stride} "
    "inputs.",
    CHAPTER,
)
add(
    "moved_map",
    "flipped-the-kernel",
    lambda kernel, **given: _moved_map(kernel=kernel[::-1], **given) if kernel != kernel[::-1] else None,
    "this is the convolution with the flip. A convolution layer lays the kernel down as it is "
    "(cross-correlation).",
    "one-dimension",
)
add(
    "moved_map",
    "forgot-the-stride",
    lambda stride, **given: _moved_map(stride=1, **given) if stride > 1 else None,
    "this is stride 1: the window must move {stride} places at a time.",
    "padding-and-stride",
)


def _shifted(row: NDArray, amount: int) -> NDArray:
    return shift(row[None, :, None], min(amount, len(row)))[0, :, 0]


def _exact_shift(strides: Sequence[int]) -> int:
    """The smallest shift of the picture after which the last map is exactly the old one, moved."""
    return int(_field([(1, stride) for stride in strides]).stride)


def _roll_strides(dice: Dice) -> dict[str, Any]:
    return {"strides": tuple(dice.pick((1, 1, 2, 2, 3)) for _ in range(dice.roll(4, 6)))}


add_kind(
    "exact_shift",
    _exact_shift,
    Number(),
    "by how many pixels does the view move from one output of the last layer to the next?",
    CHAPTER,
    _roll_strides,
)
add(
    "exact_shift",
    "strides-added",
    lambda strides: int(np.sum(strides)),
    "{answer} adds the strides up. Each of them spaces out what the one before has left: strides multiply.",
    CHAPTER,
)
add(
    "exact_shift",
    "largest-stride-only",
    lambda strides: int(np.max(strides)),
    "{answer} is the largest stride alone; all of them have to divide the shift, one after the other.",
    CHAPTER,
)
add(
    "exact_shift",
    "steps-between-added",
    lambda strides: 1 + sum(stride - 1 for stride in strides),
    "{answer} adds up what the strides leave out. They multiply.",
    CHAPTER,
)
add(
    "exact_shift",
    "any-shift-will-do",
    lambda strides: 1,
    "{answer} would do without strides. After a shift by 1, a layer with a stride keeps other values.",
    CHAPTER,
)


def _map_shift(strides: Sequence[int], amount: int) -> float:
    return amount / _exact_shift(strides)


def _roll_map_shift(dice: Dice) -> dict[str, Any]:
    strides = _roll_strides(dice)["strides"]
    return {"strides": strides, "amount": dice.roll(2, 9) * math.prod(strides)}


add_kind(
    "map_shift",
    _map_shift,
    Number(),
    "how many pixels of the picture lie between two neighbouring outputs of the last layer?",
    CHAPTER,
    _roll_map_shift,
)
add(
    "map_shift",
    "as-far-as-the-picture",
    lambda strides, amount: amount,
    "{answer} moves the map as far as the picture. The map has fewer places: each step is many pixels.",
    CHAPTER,
)
add(
    "map_shift",
    "strides-added",
    lambda strides, amount: amount / sum(strides),
    "{answer} divides by the sum of the strides. Strides multiply.",
    CHAPTER,
)
add(
    "map_shift",
    "last-stride-only",
    lambda strides, amount: amount / max(strides),
    "{answer} divides by a single stride; every layer has one.",
    CHAPTER,
)
add(
    "map_shift",
    "not-at-all",
    lambda strides, amount: 0,
    "{answer} would be invariance. The layers are equivariant: the map moves with the picture.",
    CHAPTER,
)

# --- Equivariant, invariant, neither ------------------------------------------------------------------

EQUIVARIANT, INVARIANT, NEITHER = 1, 2, 3
_RAMP = np.linspace(1, 0, 8)

#: Maps of a row of eight numbers that is closed to a ring: what a question calls them, and what they do.
MAPS: dict[str, Callable[[NDArray], ArrayLike]] = {
    "ReLU": relu,
    "add 3 to every value": lambda row: row + 3,
    "subtract the mean of the row from every value": lambda row: row - row.mean(),
    "a convolution round the ring, kernel 1 −1 2": lambda row: row - np.roll(row, -1) + 2 * np.roll(row, -2),
    "every value minus its left neighbour": lambda row: row - np.roll(row, 1),
    "the maximum of three neighbours at every place": lambda row: np.maximum.reduce(
        [np.roll(row, -1), row, np.roll(row, 1)]
    ),
    "0 in place of every value below the mean of the row": lambda row: np.where(row < row.mean(), 0, row),
    "divide every value by the largest of the row": lambda row: row / row.max(),
    "the largest value of the row": np.max,
    "the mean of the row": np.mean,
    "how many values of the row are above 0": lambda row: (row > 0).sum(),
    "the values of the row, sorted": np.sort,
    "the sum of all squares": lambda row: (row**2).sum(),
    "the largest value minus the smallest": lambda row: row.max() - row.min(),
    "the mean of a convolution round the ring, kernel 2 1": lambda row: (2 * row + np.roll(row, -1)).mean(),
    "the largest of all differences of neighbours": lambda row: np.abs(row - np.roll(row, 1)).max(),
    "multiply by a ramp that falls from left to right": lambda row: row * _RAMP,
    "the row read backwards": lambda row: row[::-1],
    "0 in place of the first value": lambda row: np.r_[0, row[1:]],
    "running sums from the left": np.cumsum,
    "the largest value of the left half": lambda row: row[:4].max(),
    "a sum in which every place has a weight of its own": lambda row: row @ (1 + _RAMP),
    "the first value": lambda row: row[0],
    "a layer with other weights at every place": lambda row: row * (1 + _RAMP) - np.roll(row, -1) * _RAMP,
}


@functools.cache
def _movement(operator: str) -> int:
    """Try all shifts of a row on a ring, and see what comes of them."""
    row = Dice("a row on a ring").halves((8,), -15, 16) + np.arange(8) / 16
    before = np.asarray(MAPS[operator](row))
    after = {amount: np.asarray(MAPS[operator](np.roll(row, amount))) for amount in range(1, 8)}
    if all(np.allclose(moved, before) for moved in after.values()):
        return INVARIANT
    along = before.ndim and all(np.allclose(moved, np.roll(before, a)) for a, moved in after.items())
    return EQUIVARIANT if along else NEITHER


def _movements(operators: Sequence[str]) -> NDArray:
    """1, 2 or 3 for each map: equivariant, invariant, neither."""
    return np.array([_movement(operator) for operator in operators])


def _roll_movements(dice: Dice, count: int = 3) -> dict[str, Any]:
    free = list(MAPS)
    return {"operators": tuple(free.pop(dice.roll(0, len(free) - 1)) for _ in range(count))}


add_kind(
    "movements",
    _movements,
    Array(1),
    "take a short row, move it by one place, and compare: what comes out before, and what after?",
    CHAPTER,
    _roll_movements,
    labels={"operators": "maps"},
)


def _confused(swap: dict[int, int]) -> Callable[..., Any]:
    """Some answers taken for others; None where none of these maps is among them."""

    def wrong(operators: Sequence[str]) -> NDArray | None:
        right = _movements(operators)
        told = np.array([swap.get(int(one), one) for one in right])
        return None if np.array_equal(told, right) else told

    return wrong


add(
    "movements",
    "the-two-words-exchanged",
    _confused({EQUIVARIANT: INVARIANT, INVARIANT: EQUIVARIANT}),
    "this exchanges the words. Equivariant: the output moves with the input. Invariant: it stays as it is.",
    CHAPTER,
)
add(
    "movements",
    "never-neither",
    _confused({NEITHER: EQUIVARIANT}),
    "this lets a map move along whose rule knows where it stands. Move a row by one place: does each number "
    "that came out come again, one place further on?",
    CHAPTER,
)
add(
    "movements",
    "order-of-places",
    _confused({INVARIANT: NEITHER}),
    "this calls a map “neither” whose output does not care in which order the places are visited. What "
    "becomes of it when the row moves?",
    CHAPTER,
)
add(
    "movements",
    "only-plain-convolution-moves-along",
    _confused({EQUIVARIANT: NEITHER}),
    "this calls a map “neither” that treats all places alike. Equivariance asks no more than that.",
    CHAPTER,
)


def _inside_outputs(size: int, kernel_sizes: Sequence[int]) -> int:
    """The outputs along one axis that see no padding, of layers with ``same`` and stride 1."""
    field = receptive_field([Window(kernel, padding="same") for kernel in kernel_sizes], size)
    firsts = range(field.offset, field.offset + size)
    return sum(first >= 0 and first + (field.size or 0) <= size for first in firsts)


def _roll_inside(dice: Dice) -> dict[str, Any]:
    kernels = tuple(dice.pick((3, 5, 7)) for _ in range(dice.roll(2, 4)))
    return {"size": dice.roll(30, 120), "kernel_sizes": kernels}


add_kind(
    "inside_outputs",
    _inside_outputs,
    Number(),
    "how many outputs at one end see something of the padding, and how many at the other?",
    CHAPTER,
    _roll_inside,
    labels={"kernel_sizes": "kernels"},
)
add(
    "inside_outputs",
    "one-end-only",
    lambda size, kernel_sizes: size - sum(kernel - 1 for kernel in kernel_sizes) // 2,
    "{answer} leaves out the outputs at one end alone. There is a border at either end.",
    CHAPTER,
)
add(
    "inside_outputs",
    "last-layer-only",
    lambda size, kernel_sizes: size - (kernel_sizes[-1] - 1) if len(kernel_sizes) > 1 else None,
    "{answer} sees the padding of the last layer alone. Every layer carries the border further in.",
    CHAPTER,
)
add(
    "inside_outputs",
    "whole-kernels-taken-off",
    lambda size, kernel_sizes: size - sum(kernel_sizes),
    "{answer} takes off the whole kernels. Of its F inputs one is the window's own place: F − 1 are left.",
    CHAPTER,
)
add(
    "inside_outputs",
    "as-many-as-inputs",
    lambda size, kernel_sizes: size,
    "{answer} are all outputs. “Same” padding keeps their number, but those at the border see the padding.",
    CHAPTER,
)

# --- The size of the receptive field ------------------------------------------------------------------


def _receptive_size(layers: Layers) -> int | None:
    return _field(layers).size


def _roll_stack(dice: Dice, depth: int | None = None, strided: bool = True) -> dict[str, Any]:
    """Convolutions with a pooling or a strided layer here and there; the last layer is a convolution."""
    layers: list[tuple[int, int]] = []
    for _ in range((depth or dice.roll(4, 5)) - 1):
        pool = strided and layers and layers[-1] != (2, 2) and dice.roll(1, 2) == 1
        stride = dice.pick((1, 1, 2)) if strided else 1
        layers.append((2, 2) if pool else (dice.pick((3, 3, 5, 7)), stride))
    return {"layers": (*layers, (dice.pick((3, 5)), 1))}


def _by_rule(layers: Layers, widen: Callable[[int, int, int], int], jump: Callable[[int, int], int]) -> int:
    """The recursion of the chapter with another rule: r + widen(F, S, j), j = jump(j, S)."""
    size, step = 1, 1
    for kernel, stride, *_ in layers:
        size, step = size + widen(kernel, stride, step), jump(step, stride)
    return size


#: Mistakes about the size of a stack's receptive field: name, wrong rule, what to say.
SIZE_SLIPS: list[tuple[str, Callable[[Layers], Any], str]] = [
    (
        "strides-ignored",
        lambda layers: _by_rule(layers, lambda f, s, j: f - 1, lambda j, s: 1),
        "{answer} leaves the strides out. After a stride, neighbours are further apart: a layer adds (F − 1) "
        "jumps, not (F − 1) pixels.",
    ),
    (
        "own-stride-too",
        lambda layers: _by_rule(layers, lambda f, s, j: (f - 1) * j * s, lambda j, s: j * s),
        "{answer} lets a stride widen the view of its own layer. It spreads out the layers above it alone.",
    ),
    (
        "strides-added",
        lambda layers: _by_rule(layers, lambda f, s, j: (f - 1) * j, lambda j, s: j + s if s > 1 else j),
        "{answer} adds strides up. The jump is multiplied by each stride.",
    ),
    (
        "kernels-added",
        lambda layers: _by_rule(layers, lambda f, s, j: f * j, lambda j, s: j * s) - 1,
        "{answer} adds whole kernels. Neighbouring windows overlap: a layer adds F − 1 jumps, not F.",
    ),
    (
        "pooling-adds-nothing",
        lambda layers: (
            _by_rule(layers, lambda f, s, j: 0 if f == s else (f - 1) * j, lambda j, s: j * s)
            if any(f == s > 1 for f, s, *_ in layers)
            else None
        ),
        "{answer} lets pooling widen nothing. It counts like a convolution: its window adds F − 1 jumps.",
    ),
    (
        "left-out-the-one",
        lambda layers: _by_rule(layers, lambda f, s, j: (f - 1) * j, lambda j, s: j * s) - 1,
        "{answer} leaves out the pixel to begin with: without any layer, one output sees 1.",
    ),
    (
        "kernels-multiplied",
        lambda layers: math.prod(f for f, *_ in layers),
        "{answer} multiplies the kernels: that counts paths, and many of them end at the same pixel.",
    ),
]

add_kind(
    "receptive_size",
    _receptive_size,
    Number(),
    "how many pixels does the layer below see, and how far apart are two of its neighbours?",
    CHAPTER,
    _roll_stack,
    labels={"layers": "layers"},
)
for _name, _rule, _message in SIZE_SLIPS:
    add(
        "receptive_size",
        _name,
        lambda layers, rule=_rule: _unless_right(rule(layers), layers),
        _message,
        CHAPTER,
    )


def _unless_right(wrong: Any, layers: Layers) -> Any:
    """None where a mistake makes no difference: a stack without strides, or with them at its end alone."""
    return None if wrong == _receptive_size(layers) else wrong


def _receptive_sizes(layers: Layers) -> NDArray:
    return np.array([_receptive_size(layers[:depth]) for depth in range(1, len(layers) + 1)])


add_kind(
    "receptive_sizes",
    _receptive_sizes,
    Array(1),
    "what does the first layer see, and what do its neighbours add for the second?",
    CHAPTER,
    _roll_stack,
    labels={"layers": "layers"},
)
for _name, _rule, _message in SIZE_SLIPS[:-1]:
    add(
        "receptive_sizes",
        _name,
        lambda layers, rule=_rule: _growth(rule, layers),
        _message.replace("{answer}", "this", 1),
        CHAPTER,
    )


def _growth(rule: Callable[[Layers], Any], layers: Layers) -> NDArray | None:
    """A mistake about the size, made after every layer."""
    right = _receptive_sizes(layers)
    wrong = [rule(layers[:depth]) for depth in range(1, len(layers) + 1)]
    sizes = np.array([r if w is None else w for w, r in zip(wrong, right, strict=True)])
    return None if np.array_equal(sizes, right) else sizes


add(
    "receptive_sizes",
    "began-with-the-picture",
    lambda layers: np.r_[1, _receptive_sizes(layers)[:-1]],
    "this begins with the picture itself. The first number is what one output of the first layer sees.",
    CHAPTER,
)


def _windows(layers: Sequence[Conv | Pool]) -> tuple[tuple[int, int], ...]:
    """A stack of square layers as pairs (kernel, stride)."""
    pairs = []
    for layer in layers:
        size = layer.kernel_size if isinstance(layer, Conv) else layer.pool_size
        stride = layer.strides if layer.strides is not None else size
        if not isinstance(size, int) or not isinstance(stride, int):
            raise SizeError(f"{layer} is not square")
        pairs.append((size, stride))
    return tuple(pairs)


def _stack_field(input_shape: Sequence[int], layers: Sequence[Conv | Pool]) -> int | None:
    """What one output of the last layer sees of the picture, along one axis."""
    trace(input_shape, layers)  # the picture must be large enough
    return _receptive_size(_windows(layers))


def _roll_stack_field(dice: Dice) -> dict[str, Any]:
    side = 8 * dice.roll(6, 12)
    first, third = dice.pick((3, 5, 7)), dice.pick((3, 5))
    layers = (
        Conv(8 * dice.roll(1, 3), first, padding="same"),
        Pool(2),
        Conv(8 * dice.roll(3, 5), third, padding="same"),
        Pool(2),
        Conv(8 * dice.roll(6, 9), dice.pick((3, 5)), padding="same"),
    )
    return {"input_shape": (side, side, 3), "layers": layers}


add_kind(
    "stack_field",
    _stack_field,
    Number(),
    "what is the kernel of each layer and by how much does it move, and what does each add from below?",
    CHAPTER,
    _roll_stack_field,
)
for _name, _rule, _message in SIZE_SLIPS:
    add(
        "stack_field",
        _name,
        lambda input_shape, layers, rule=_rule: _unless_right(rule(_windows(layers)), _windows(layers)),
        _message,
        CHAPTER,
    )
add(
    "stack_field",
    "the-whole-picture",
    lambda input_shape, layers: (
        None if _stack_field(input_shape, layers) == input_shape[0] else input_shape[0]
    ),
    "{answer} is the whole picture. That is what a dense unit sees; a convolution has to earn its view.",
    CHAPTER,
)


@remembered
def _layers_needed(size: int, kernel_size: int) -> int:
    return layers_needed(size, kernel_size)


def _roll_layers_needed(dice: Dice) -> dict[str, Any]:
    kernel = dice.pick((3, 5, 7))
    return {"size": dice.roll(5, 30) * (kernel - 1) + dice.roll(1, kernel - 1), "kernel_size": kernel}


add_kind(
    "layers_needed",
    _layers_needed,
    Number(),
    "what does one layer see, and by how much does every further one widen that?",
    CHAPTER,
    _roll_layers_needed,
)


def _if_wrong(rule: Callable[[int, int], int]) -> Callable[..., Any]:
    def wrong(size: int, kernel_size: int) -> int | None:
        count = rule(size, kernel_size)
        return None if count == _layers_needed(size, kernel_size) else count

    return wrong


for _name, _count, _message in (
    (
        "kernels-side-by-side",
        lambda size, kernel: -(-size // kernel),
        "{answer} lays the kernels side by side. Windows overlap: a further layer adds F − 1.",
    ),
    (
        "forgot-the-first-pixel",
        lambda size, kernel: -(-size // (kernel - 1)),
        "{answer} leaves out the pixel to begin with: without any layer, one output sees 1.",
    ),
    (
        "rounded-down",
        lambda size, kernel: (size - 1) // (kernel - 1),
        "after {answer} layers an output does not yet see {size} pixels.",
    ),
    (
        "added-to-both-sides",
        lambda size, kernel: -(-(size - 1) // (2 * (kernel - 1))),
        "{answer} adds F − 1 at either end. A layer adds F − 1 in all, half of it on each side.",
    ),
):
    add("layers_needed", _name, _if_wrong(_count), _message, CHAPTER)

# --- Where it looks -----------------------------------------------------------------------------------


def _pixel_range(layers: Layers, output: int) -> NDArray:
    """The first and the last pixel, along one axis; below 0 they lie in the padding."""
    field = _field(layers)
    first = output * int(field.stride) + field.offset
    return np.array([first, first + (field.size or 0) - 1])


def _roll_padded_stack(
    dice: Dice, depth: int | None = None, padded: bool = True, least: int = 0
) -> dict[str, Any]:
    """``least``: the first output that may be asked for; the very first ones see the padding."""
    layers = [(dice.pick((3, 5)), dice.roll(1, 2), dice.roll(1, 2) if padded else 0)]
    for _ in range((depth or dice.roll(2, 3)) - 1):
        kernel = dice.pick((3, 3, 5))
        layers.append((kernel, dice.roll(1, 2), dice.roll(0, kernel // 2) if padded else 0))
    return {"layers": tuple(layers), "output": dice.roll(least, 8)}


add_kind(
    "pixel_range",
    _pixel_range,
    Array(1),
    "where does output 0 begin to look, how far apart do outputs look, and how much does each see?",
    CHAPTER,
    _roll_padded_stack,
    labels={"layers": "layers", "output": "output"},
)


def _looked(change: Callable[[ReceptiveField, Layers], tuple[int, int]]) -> Callable[..., Any]:
    """A view with another stride or offset."""

    def wrong(layers: Layers, output: int) -> NDArray | None:
        field = _field(layers)
        stride, offset = change(field, layers)
        first = output * stride + offset
        view = np.array([first, first + (field.size or 0) - 1])
        return None if np.array_equal(view, _pixel_range(layers, output)) else view

    return wrong


add(
    "pixel_range",
    "padding-forgotten",
    _looked(lambda field, layers: (int(field.stride), 0)),
    "{answer} lets output 0 begin at pixel 0. Padding moves the first window to the left.",
    CHAPTER,
)
add(
    "pixel_range",
    "padding-not-scaled",
    _looked(lambda field, layers: (int(field.stride), -sum(layer[2] for layer in layers))),
    "{answer} counts every padding in pixels. Padding of a later layer is made of that layer's inputs, and "
    "each of them is a jump wide.",
    CHAPTER,
)
add(
    "pixel_range",
    "padding-to-the-right",
    _looked(lambda field, layers: (int(field.stride), -field.offset)),
    "{answer} moves the view to the right. Padding comes before the first pixel: the view moves to the left.",
    CHAPTER,
)
add(
    "pixel_range",
    "stride-forgotten",
    _looked(lambda field, layers: (1, field.offset)),
    "{answer} moves the view by one pixel from output to output. It moves by the product of all strides.",
    CHAPTER,
)
add(
    "pixel_range",
    "counted-from-one",
    _looked(lambda field, layers: (int(field.stride), field.offset - int(field.stride))),
    "{answer} is the view of the output before. Outputs are counted from 0.",
    CHAPTER,
)
add(
    "pixel_range",
    "one-pixel-too-far",
    lambda layers, output: _pixel_range(layers, output) + np.array([0, 1]),
    "{answer} ends one pixel too far: a view of r pixels that begins at a ends at a + r − 1.",
    CHAPTER,
)


add(
    "pixel_range",
    "cut-off-at-the-picture",
    lambda layers, output: (
        np.maximum(_pixel_range(layers, output), 0) if any(padding for _, _, padding in layers) else None
    ),
    "{answer} cuts the view off where the picture begins. Padding counts here: pixels below 0 belong to it.",
    CHAPTER,
    over_many=True,
)


def _pixels_read(layers: Layers, output: int, size: int) -> NDArray:
    """The pixels, in order, that one output is computed from, out of a row of ``size``."""
    return np.array(inputs_seen([Window(*layer) for layer in layers], output, size), np.float64)


def _roll_pixels_read(dice: Dice, dilated: bool | None = None, padded: bool | None = None) -> dict[str, Any]:
    layers = []
    for _ in range(dice.roll(2, 3)):
        dilation = 1 if dilated is False else dice.roll(1, 3)
        padding = 0 if padded is False else dice.roll(0, dilation)
        layers.append((3, dice.roll(1, 2), padding, dilation))
    size = dice.roll(24, 40)
    places = size
    for kernel, stride, padding, dilation in layers:
        places = max(output_size(places, kernel, stride, padding, dilation), 1)
    return {"layers": tuple(layers), "output": dice.pick((0, places // 2, places - 1)), "size": size}


add_kind(
    "pixels_read",
    _pixels_read,
    Array(1),
    "which outputs of the layer below does this one read, and which of them are there at all?",
    CHAPTER,
    _roll_pixels_read,
    labels={"layers": "layers", "output": "output"},
)


def _read_otherwise(
    layers: Layers,
    output: int,
    size: int,
    *,
    clip: str = "everywhere",
    strided: bool = True,
    padded: bool = True,
    dilated: bool = True,
    once: bool = True,
) -> list[int]:
    """The walk down from one output with a slip; ``clip`` is ``everywhere``, ``at the end`` or ``never``."""
    sizes = [size]
    for kernel, stride, padding, dilation in layers:
        sizes.append(output_size(sizes[-1], kernel, stride, padding, dilation))
    wanted = [output]
    for (kernel, stride, padding, dilation), below in zip(
        reversed(layers), reversed(sizes[:-1]), strict=True
    ):
        step, before, gap = stride if strided else 1, padding if padded else 0, dilation if dilated else 1
        wanted = [place * step - before + tap * gap for place in wanted for tap in range(kernel)]
        if clip == "everywhere":
            wanted = [place for place in wanted if 0 <= place < below]
        if once:
            wanted = sorted(set(wanted))
    return sorted(place for place in wanted if clip == "never" or 0 <= place < size)


def _read_slip(**slip: Any) -> Callable[..., Any]:
    def wrong(layers: Layers, output: int, size: int) -> NDArray | None:
        read = np.array(_read_otherwise(layers, output, size, **slip), np.float64)
        return None if np.array_equal(read, _pixels_read(layers, output, size)) else read

    return wrong


def _hidden_padding_read(layers: Layers, output: int, size: int) -> NDArray | None:
    """What shows at the border alone, and there not always."""
    if not any(padding for _, _, padding, _ in layers[1:]):
        return None
    return np.array(_read_otherwise(layers, output, size, clip="at the end"), np.float64)


def _without_holes(layers: Layers, output: int, size: int) -> NDArray | None:
    read = _pixels_read(layers, output, size)
    stretch = np.arange(read[0], read[-1] + 1)
    return None if len(stretch) == len(read) else stretch


for _name, _wrong, _message in (
    (
        "padding-read-too",
        _read_slip(clip="never"),
        "Some of these places lie in the padding, below 0 or behind the last pixel: nothing is read there.",
    ),
    (
        "hidden-padding-read",
        _hidden_padding_read,
        "Padding was left out at the picture alone. The layers between have padding of their own, through "
        "which nothing is seen.",
    ),
    (
        "holes-filled",
        _without_holes,
        "This is everything from the first pixel to the last. With dilation, or strides larger than kernels, "
        "some between are not read.",
    ),
    ("dilation-forgotten", _read_slip(dilated=False), "The dilation was left out: taps lie D inputs apart."),
    (
        "stride-forgotten",
        _read_slip(strided=False),
        "The stride was left out: the window of output o begins at o · S − P.",
    ),
    (
        "padding-forgotten",
        _read_slip(padded=False),
        "The padding was left out: output 0 begins at −P, not at 0.",
    ),
    (
        "told-twice",
        _read_slip(once=False),
        "Some pixels are told more than once. Many paths lead to one pixel.",
    ),
):
    add("pixels_read", _name, _wrong, _message, CHAPTER, over_many=_wrong is _hidden_padding_read)

# --- How much it uses ---------------------------------------------------------------------------------


def _paths(layers: Layers) -> NDArray:
    """How many paths lead from one output to each of the inputs that it sees."""
    return np.array(_path_counts(layers))


@remembered
def _path_counts(layers: Layers) -> tuple[float, ...]:
    counts: NDArray = np.ones(1)
    for kernel, stride in reversed(layers):
        spread = np.zeros((len(counts) - 1) * stride + 1)
        spread[::stride] = counts
        counts = convolve(spread, np.ones(kernel))
    return tuple(counts.tolist())


def _roll_paths(dice: Dice) -> dict[str, Any]:
    layers = [(dice.roll(2, 4), dice.pick((1, 1, 2))) for _ in range(dice.roll(1, 2))]
    return {"layers": (*layers, (dice.roll(2, 3), 1))}


add_kind(
    "paths",
    _paths,
    Array(1),
    "which units does the top unit read, which inputs does each of those read, and where do they meet?",
    CHAPTER,
    _roll_paths,
    labels={"layers": "layers"},
)
for _name, _wrong, _message in (
    (
        "one-each",
        lambda layers: np.ones(_receptive_size(layers) or 1),
        "this gives every input one path. Inputs in the middle are reached through several units.",
    ),
    (
        "strides-ignored",
        lambda layers: _paths(tuple((kernel, 1) for kernel, _ in layers)),
        "this leaves the stride out: above a stride of S, neighbouring units begin S inputs apart.",
    ),
    (
        "one-layer-fewer",
        lambda layers: _paths(layers[:-1]) if len(layers) > 1 else None,
        "this is one layer fewer.",
    ),
    (
        "counted-one-too-few",
        lambda layers: _paths(layers) - 1,
        "every input that is seen has a path; begin to count at 1.",
    ),
):
    add(
        "paths",
        _name,
        lambda layers, wrong=_wrong: None if np.array_equal(wrong(layers), _paths(layers)) else wrong(layers),
        _message,
        CHAPTER,
    )

# --- What it costs ------------------------------------------------------------------------------------


def _alike_weights(way: str, kernel_size: int, depth: int, channels: int) -> int:
    """The weights of a stack of layers, or of the single layer that sees as much; biases left out."""
    if way == "stack":
        return depth * conv_weights((kernel_size, kernel_size), channels, channels)
    seen = _receptive_size(((kernel_size, 1),) * depth) or 0
    return conv_weights((seen, seen), channels, channels)


add_kind(
    "alike_weights",
    _alike_weights,
    Number(),
    "how large is the kernel, how many kernels has a filter, how many filters a layer, and how many layers?",
    CHAPTER,
    lambda dice: {
        "way": dice.pick(("stack", "single layer")),
        "kernel_size": dice.pick((3, 5)),
        "depth": dice.roll(2, 4),
        "channels": dice.roll(3, 30),
    },
    labels={"way": "way", "depth": "depth"},
)
add_all(
    "alike_weights",
    CHAPTER,
    (
        "took-the-other",
        lambda way, **given: _alike_weights("single layer" if way == "stack" else "stack", **given),
        "{answer} are the weights of the other way to see as much.",
    ),
    (
        "kernels-side-by-side",
        lambda way, kernel_size, depth, channels: (
            conv_weights((kernel_size * depth,) * 2, channels, channels) if way != "stack" else None
        ),
        "{answer} lays the kernels side by side. Windows overlap: a further layer adds F − 1.",
    ),
    (
        "one-layer-of-the-stack",
        lambda way, kernel_size, depth, channels: (
            conv_weights((kernel_size,) * 2, channels, channels) if way == "stack" else None
        ),
        "{answer} is one layer of the stack.",
    ),
    (
        "channels-once",
        lambda channels, **given: _alike_weights(channels=channels, **given) // channels,
        "{answer} has the channels in it once. A filter reads all channels, and there are as many filters.",
    ),
    (
        "along-one-axis",
        lambda way, kernel_size, depth, channels: (
            depth * conv_weights((kernel_size,), channels, channels)
            if way == "stack"
            else conv_weights((_receptive_size(((kernel_size, 1),) * depth) or 0,), channels, channels)
        ),
        "{answer} counts kernels along one axis; they are squares.",
    ),
)


def _widened_weights(weights: int, factor: int) -> int:
    """The weights of a layer once all layers have so many times as many filters."""
    return conv_weights((1, 1), factor, factor) * weights


add_kind(
    "widened_weights",
    _widened_weights,
    Number(),
    "how many times as many filters has the layer, and how many times as deep is each of them?",
    CHAPTER,
    lambda dice: {"weights": 100 * dice.roll(4, 40), "factor": dice.roll(2, 5)},
    labels={"weights": "weights", "factor": "factor"},
)
add(
    "widened_weights",
    "filters-only",
    lambda weights, factor: weights * factor,
    "{answer} counts more filters, each as deep as before. The layer below has more filters, too: that many "
    "more channels come in.",
    CHAPTER,
)
add(
    "widened_weights",
    "added-the-factors",
    lambda weights, factor: weights * 2 * factor if factor > 2 else None,
    "{answer} adds up what comes of more channels in and of more filters.",
    CHAPTER,
)
add(
    "widened_weights",
    "unchanged",
    lambda weights, factor: weights,
    "{answer} would be right if the size of the window alone decided. A filter is as deep as its input.",
    CHAPTER,
)
add(
    "widened_weights",
    "along-every-axis",
    lambda weights, factor: weights * factor**4,
    "{answer} lets the window grow as well. It keeps its size.",
    CHAPTER,
)
