"""Classic architectures (chapter 12): the four bills of a layer and of a network, and what training keeps."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from cnnlib.errors import SizeError
from cnnlib.exercises.answers import Number, Shape
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.misconceptions import add, add_all
from cnnlib.exercises.networks import Conv, Pool, trace
from cnnlib.exercises.tasks import TaskError, add_kind
from cnnlib.sizes import (
    activation_values,
    conv_connections,
    conv_macs,
    conv_parameters,
    conv_weights,
    dense_macs,
    dense_parameters,
    item_bytes,
    output_shape,
    transposed_size,
)

CHAPTER = "classic-architectures"
_MIB = 2**20

# --- One layer: work, activations, connections --------------------------------------------------------


def _batched(input_shape: Sequence[int]) -> tuple[int, ...]:
    return (1, *input_shape)


def _layer_output(
    input_shape: Sequence[int], kernel_size: int, filters: int, strides: int, padding: Any
) -> tuple[int, ...]:
    return output_shape(_batched(input_shape), kernel_size, filters, strides, padding)[1:]


def _work(
    input_shape: Sequence[int], kernel_size: int, filters: int, strides: int = 1, padding: Any = 0
) -> int:
    return conv_macs(_batched(input_shape), kernel_size, filters, strides, padding)


def _values(
    input_shape: Sequence[int], kernel_size: int, filters: int, strides: int = 1, padding: Any = 0
) -> int:
    return activation_values(output_shape(_batched(input_shape), kernel_size, filters, strides, padding))


def _connections(
    input_shape: Sequence[int], kernel_size: int, filters: int, strides: int = 1, padding: Any = 0
) -> int:
    return conv_connections(_batched(input_shape), kernel_size, filters, strides, padding)


def _roll_bill(dice: Dice) -> dict[str, Any]:
    kernel = dice.pick((3, 5, 7))
    return {
        "input_shape": (2 * dice.roll(12, 32), 2 * dice.roll(12, 32), dice.pick((3, 4, 6, 8))),
        "kernel_size": kernel,
        "filters": dice.pick((10, 12, 14, 16, 18, 20, 24)),
        "strides": 2,
        "padding": dice.pick((0, kernel // 2)),
    }


add_kind(
    "conv_macs",
    _work,
    Number(),
    "how many products make one output value, and how many output values are there?",
    CHAPTER,
    _roll_bill,
)
add_kind(
    "conv_values",
    _values,
    Number(),
    "how many places has one output map, and how many maps are there?",
    CHAPTER,
    _roll_bill,
)
add_kind(
    "conv_connections",
    _connections,
    Number(),
    "how many numbers does one unit of the output listen to, its bias among them, and how many units "
    "are there?",
    CHAPTER,
    _roll_bill,
)


def _over_input_places(count: Callable[..., int]) -> Callable[..., int | None]:
    """A count made as if the output had as many places as the input."""

    def wrong(input_shape: Any, kernel_size: int, filters: int, strides: int, padding: Any) -> int | None:
        if _layer_output(input_shape, kernel_size, filters, strides, padding)[:2] == tuple(input_shape[:2]):
            return None
        return count(input_shape, kernel_size, filters, 1, "same")

    return wrong


def _weights_of(input_shape: Any, kernel_size: int, filters: int, **_: Any) -> int:
    return conv_weights((kernel_size, kernel_size), input_shape[-1], filters)


def _places_of(**given: Any) -> int:
    return math.prod(_layer_output(**given)[:2])


add(
    "conv_macs",
    "weights-for-work",
    _weights_of,
    "{answer} is the number of weights. Each of them is used at every place of the output.",
    CHAPTER,
)
add(
    "conv_macs",
    "left-out-the-input-channels",
    lambda input_shape, **given: _work((*input_shape[:2], 1), **given) if input_shape[-1] > 1 else None,
    "{answer} leaves out the input channels: one output value is a sum over all of them.",
    CHAPTER,
)
add(
    "conv_macs",
    "left-out-the-filters",
    lambda filters, **given: _work(filters=1, **given) if filters > 1 else None,
    "{answer} is the work of a single filter; the layer has more of them.",
    CHAPTER,
)
add(
    "conv_macs",
    "at-every-input-place",
    _over_input_places(_work),
    "{answer} counts a window at every place of the input. Work is done once for each place of the output.",
    CHAPTER,
)
add(
    "conv_macs",
    "two-operations",
    lambda **given: 2 * _work(**given),
    "{answer} counts products and sums apart. A multiply–accumulate is one of each, counted together.",
    CHAPTER,
)
add(
    "conv_macs",
    "with-the-biases",
    _connections,
    "{answer} counts the biases too. Those are connections, as the paper of 1998 counts; a bias is "
    "not multiplied.",
    CHAPTER,
)
add(
    "conv_values",
    "one-map-only",
    _places_of,
    "{answer} is one map of the output; there is one for every filter.",
    CHAPTER,
)
add(
    "conv_values",
    "channels-of-the-input",
    lambda **given: _places_of(**given) * given["input_shape"][-1],
    "{answer} keeps the channels of the input. The output has as many as there are filters.",
    CHAPTER,
)
add(
    "conv_values",
    "at-every-input-place",
    _over_input_places(_values),
    "{answer} takes the output to be as high and wide as the input. Work out its size first.",
    CHAPTER,
)
add(
    "conv_values",
    "bytes-for-values",
    lambda **given: item_bytes() * _values(**given),
    "{answer} counts bytes. Asked is how many numbers there are; each takes 4 bytes in float32.",
    CHAPTER,
)
add(
    "conv_connections",
    "left-out-the-biases",
    _work,
    "{answer} leaves out the biases: a unit listens to its window and to its bias.",
    CHAPTER,
)
add(
    "conv_connections",
    "parameters-for-connections",
    lambda input_shape, kernel_size, filters, **_: conv_parameters(
        (kernel_size, kernel_size), input_shape[-1], filters
    ),
    "{answer} counts every parameter once. A connection is a parameter in use: it counts at every "
    "place again.",
    CHAPTER,
)
add(
    "conv_connections",
    "one-bias-a-map",
    lambda **given: _work(**given) + given["filters"],
    "{answer} counts each bias once. It is shared, but every unit of the map uses it.",
    CHAPTER,
)
add(
    "conv_connections",
    "at-every-input-place",
    _over_input_places(_connections),
    "{answer} has a unit at every place of the input. Work out the size of the output first.",
    CHAPTER,
)

# --- LeNet-5: who sees whom ---------------------------------------------------------------------------


def _partial_parameters(table: Sequence[Sequence[int]], maps: int, kernel_size: int) -> int:
    # One little layer for each filter, as in chapter 12.
    return sum(conv_parameters((kernel_size, kernel_size), len(seen), 1) for seen in table)


def _partial_connections(table: Sequence[Sequence[int]], maps: int, kernel_size: int, size: int) -> int:
    side = transposed_size(size, kernel_size)  # the input that leaves so many outputs
    return sum(conv_connections((1, side, side, len(seen)), kernel_size, 1) for seen in table)


def _full(table: Sequence[Sequence[int]], maps: int) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(range(maps)) for _ in table)


def _kernels(table: Sequence[Sequence[int]]) -> int:
    return sum(map(len, table))


def _roll_table(dice: Dice) -> dict[str, Any]:
    maps = dice.roll(4, 6)
    threes, fours = dice.roll(2, maps), dice.roll(1, maps)
    start = dice.roll(0, maps - 1)

    def neighbours(count: int, width: int) -> list[tuple[int, ...]]:
        return [
            tuple(sorted((start + first + step) % maps for step in range(width))) for first in range(count)
        ]

    table = (*neighbours(threes, maps - 2), *neighbours(fours, maps - 1), tuple(range(maps)))
    return {"table": table, "maps": maps, "kernel_size": dice.pick((3, 5))}


add_kind(
    "partial_parameters",
    _partial_parameters,
    Number(),
    "how many crosses has the table, what does a cross cost, and what does each filter have besides?",
    CHAPTER,
    _roll_table,
    labels={"table": "table", "maps": "maps"},
)
add_kind(
    "partial_connections",
    _partial_connections,
    Number(),
    "at how many places is each of the parameters used?",
    CHAPTER,
    lambda dice: {**_roll_table(dice), "size": dice.roll(6, 14)},
)
add(
    "partial_parameters",
    "all-kernels",
    lambda table, maps, kernel_size: _partial_parameters(_full(table, maps), maps, kernel_size),
    "{answer} lets every filter see every map. Where the table has no cross there is no kernel.",
    CHAPTER,
)
add(
    "partial_parameters",
    "a-bias-for-every-kernel",
    lambda table, maps, kernel_size: (kernel_size**2 + 1) * _kernels(table),
    "{answer} has a bias for every cross. All kernels of a filter (a column) share one bias.",
    CHAPTER,
)
add(
    "partial_parameters",
    "left-out-the-biases",
    lambda table, maps, kernel_size: kernel_size**2 * _kernels(table),
    "{answer} leaves out the biases: every filter has one.",
    CHAPTER,
)
add(
    "partial_parameters",
    "one-kernel-a-filter",
    lambda table, maps, kernel_size: conv_parameters((kernel_size, kernel_size), 1, len(table)),
    "{answer} gives each filter a single kernel. It has one for every map that it sees: count the crosses.",
    CHAPTER,
)
add(
    "partial_connections",
    "parameters-for-connections",
    lambda size, **given: _partial_parameters(**given),
    "{answer} counts every parameter once. A connection is a parameter in use: it counts at every "
    "place again.",
    CHAPTER,
)
add(
    "partial_connections",
    "one-side-only",
    lambda size, **given: size * _partial_parameters(**given),
    "{answer} multiplies by one side of the map. Its places are height times width.",
    CHAPTER,
)
add(
    "partial_connections",
    "all-kernels",
    lambda table, maps, **given: _partial_connections(_full(table, maps), maps, **given),
    "{answer} lets every filter see every map. Where the table has no cross there is no connection.",
    CHAPTER,
)
add(
    "partial_connections",
    "left-out-the-biases",
    lambda table, maps, kernel_size, size: size**2 * kernel_size**2 * _kernels(table),
    "{answer} leaves out the biases: a unit listens to its windows and to its bias.",
    CHAPTER,
)

# --- AlexNet: two towers, and the size of the input ---------------------------------------------------


def _tower_parameters(kernel_size: int, channels: int, filters: int, towers: int) -> int:
    return conv_parameters((kernel_size, kernel_size), channels, filters, groups=towers)


def _roll_towers(dice: Dice) -> dict[str, Any]:
    towers = dice.pick((2, 4))
    return {
        "kernel_size": dice.pick((3, 5)),
        "channels": 8 * dice.roll(3, 16),
        "filters": 8 * dice.roll(4, 24),
        "towers": towers,
    }


add_kind(
    "tower_parameters",
    _tower_parameters,
    Number(),
    "how deep is one filter, how many filters are there in all towers together, and what has each besides?",
    CHAPTER,
    _roll_towers,
    labels={"towers": "towers"},
)
add(
    "tower_parameters",
    "in-one-piece",
    lambda towers, **given: _tower_parameters(**given, towers=1),
    "{answer} is the layer in one piece. In towers a filter sees only the maps of its own tower.",
    CHAPTER,
)
add(
    "tower_parameters",
    "divided-the-biases-too",
    lambda towers, **given: _tower_parameters(**given, towers=1) // towers,
    "{answer} divides the biases as well. There are as many filters as before, and each keeps its bias.",
    CHAPTER,
)
add(
    "tower_parameters",
    "one-tower-only",
    lambda kernel_size, channels, filters, towers: conv_parameters(
        (kernel_size, kernel_size), channels // towers, filters // towers
    ),
    "{answer} is one tower alone; the layer is all of them.",
    CHAPTER,
)
add(
    "tower_parameters",
    "left-out-the-biases",
    lambda kernel_size, channels, filters, towers: conv_weights(
        (kernel_size, kernel_size), channels, filters, groups=towers
    ),
    "{answer} leaves out the biases: every filter has one.",
    CHAPTER,
)


def _needed_input(outputs: int, kernel_size: int, stride: int) -> int:
    # What a layer makes of the input is undone by a transposed one of the same numbers.
    return transposed_size(outputs, kernel_size, stride)


add_kind(
    "needed_input",
    _needed_input,
    Number(),
    "how many steps lead from the first window to the last, and how far does the last one reach?",
    CHAPTER,
    lambda dice: {
        "outputs": dice.roll(20, 60),
        "kernel_size": dice.pick((7, 9, 11, 13)),
        "stride": dice.roll(2, 5),
    },
    labels={"outputs": "outputs"},
)
add(
    "needed_input",
    "windows-times-stride",
    lambda outputs, kernel_size, stride: outputs * stride,
    "{answer} is outputs times stride. The last window takes its whole width, not one stride.",
    CHAPTER,
)
add(
    "needed_input",
    "one-step-too-many",
    lambda outputs, kernel_size, stride: outputs * stride + kernel_size,
    "{answer} makes a step for every output. Between so many places there is one step fewer.",
    CHAPTER,
)
add(
    "needed_input",
    "forgot-the-kernel",
    lambda outputs, kernel_size, stride: (outputs - 1) * stride,
    "{answer} is where the last window begins; it needs room for the kernel.",
    CHAPTER,
)
add(
    "needed_input",
    "side-by-side",
    lambda outputs, kernel_size, stride: outputs * kernel_size,
    "{answer} lays the windows side by side. Neighbours overlap: the window moves by the stride only.",
    CHAPTER,
)

# --- Where maps meet units ----------------------------------------------------------------------------


def _dense_of_map(map_shape: Sequence[int], units: int) -> int:
    return dense_parameters(activation_values(map_shape), units)


def _dense_of_larger_map(map_shape: Sequence[int], units: int, factor: int) -> int:
    height, width, channels = map_shape
    return _dense_of_map((factor * height, factor * width, channels), units)


def _dense_of_averages(map_shape: Sequence[int], units: int) -> int:
    return dense_parameters(map_shape[-1], units)


def _roll_map(dice: Dice) -> dict[str, Any]:
    return {
        "map_shape": (dice.roll(4, 6), dice.roll(7, 9), 8 * dice.roll(2, 8)),
        "units": 10 * dice.roll(3, 20),
    }


add_kind(
    "dense_of_map",
    _dense_of_map,
    Number(),
    "how many numbers does one unit read, and what has it besides a weight for each?",
    CHAPTER,
    _roll_map,
    labels={"map_shape": "maps", "units": "units"},
)
add_kind(
    "dense_of_larger_map",
    _dense_of_larger_map,
    Number(),
    "which parts of the network know how large the map is?",
    CHAPTER,
    lambda dice: {**_roll_map(dice), "factor": dice.roll(2, 3)},
    labels={"factor": "factor"},
)
add_kind(
    "dense_of_averages",
    _dense_of_averages,
    Number(),
    "how many numbers are left of the maps when each has become its mean?",
    CHAPTER,
    _roll_map,
)
_NO_BIAS = "{answer} leaves out the biases: every unit has one."
add(
    "dense_of_map",
    "left-out-the-biases",
    lambda map_shape, units: activation_values(map_shape) * units,
    _NO_BIAS,
    CHAPTER,
)
add(
    "dense_of_map",
    "one-bias-for-all",
    lambda map_shape, units: activation_values(map_shape) * units + 1,
    "{answer} has a single bias for the whole layer: every unit has its own.",
    CHAPTER,
)
add(
    "dense_of_map",
    "channels-only",
    _dense_of_averages,
    "{answer} reads one number a channel. Flattened, the map has a number for every place and every channel.",
    CHAPTER,
)
add(
    "dense_of_map",
    "one-map-only",
    lambda map_shape, units: _dense_of_map((*map_shape[:2], 1), units),
    "{answer} reads a single channel. Flattened, the map has a number for every place and every channel.",
    CHAPTER,
)
add(
    "dense_of_larger_map",
    "unchanged",
    lambda map_shape, units, factor: _dense_of_map(map_shape, units),
    "{answer} is the count for the smaller image. A filter does not care, but a dense layer has a "
    "weight for every place.",
    CHAPTER,
)
add(
    "dense_of_larger_map",
    "one-side-only",
    lambda map_shape, units, factor: _dense_of_map((factor * map_shape[0], *map_shape[1:]), units),
    "{answer} enlarges one side. The map grows in height and in width.",
    CHAPTER,
)
add(
    "dense_of_larger_map",
    "more-biases-too",
    lambda map_shape, units, factor: factor**2 * _dense_of_map(map_shape, units),
    "{answer} multiplies the biases too. There are as many units as before, so as many biases.",
    CHAPTER,
)
add(
    "dense_of_larger_map",
    "left-out-the-biases",
    lambda map_shape, units, factor: factor**2 * activation_values(map_shape) * units,
    _NO_BIAS,
    CHAPTER,
)
add(
    "dense_of_averages",
    "kept-the-places",
    _dense_of_map,
    "{answer} still reads every place. Global average pooling leaves one mean for each map.",
    CHAPTER,
)
add(
    "dense_of_averages",
    "averaged-the-channels",
    lambda map_shape, units: _dense_of_map((*map_shape[:2], 1), units),
    "{answer} averages over the channels. The mean is taken over the places of each map by itself.",
    CHAPTER,
)
add(
    "dense_of_averages",
    "left-out-the-biases",
    lambda map_shape, units: map_shape[-1] * units,
    _NO_BIAS,
    CHAPTER,
)

# --- VGG: small kernels -------------------------------------------------------------------------------


def _equal_kernel(kernel_size: int, depth: int) -> int:
    # The input that leaves one output after so many layers at stride 1.
    return functools.reduce(lambda size, _: transposed_size(size, kernel_size), range(depth), 1)


def _stack_weights(kernel_size: int, depth: int, before: int, channels: int) -> int:
    square = (kernel_size, kernel_size)
    return conv_weights(square, before, channels) + (depth - 1) * conv_weights(square, channels, channels)


def _single_weights(kernel_size: int, depth: int, before: int, channels: int) -> int:
    width = _equal_kernel(kernel_size, depth)
    return conv_weights((width, width), before, channels)


def _roll_stack(dice: Dice) -> dict[str, Any]:
    before = 4 * dice.roll(4, 16)
    return {"kernel_size": 3, "depth": dice.roll(3, 5), "before": before, "channels": 2 * before}


add_kind(
    "equal_kernel",
    _equal_kernel,
    Number(),
    "how many inputs does one unit of the last layer see, and how many more does each layer add?",
    CHAPTER,
    lambda dice: {"kernel_size": dice.pick((3, 5, 7)), "depth": dice.roll(2, 6)},
    labels={"depth": "depth"},
)
add_kind(
    "stack_weights",
    _stack_weights,
    Number(),
    "how deep is the input of the first of these layers, and how deep that of the others?",
    CHAPTER,
    _roll_stack,
    labels={"before": "channels before"},
)
add_kind(
    "single_weights",
    _single_weights,
    Number(),
    "how large is the kernel that sees as much, and how deep is its input?",
    CHAPTER,
    _roll_stack,
)
add(
    "equal_kernel",
    "added-the-kernels",
    lambda kernel_size, depth: kernel_size * depth,
    "{answer} adds up the kernels. Neighbouring windows overlap: each layer adds F − 1, not F.",
    CHAPTER,
)
add(
    "equal_kernel",
    "multiplied-the-kernels",
    lambda kernel_size, depth: kernel_size**depth,
    "{answer} multiplies the kernels. At stride 1 each layer adds the same: F − 1.",
    CHAPTER,
)
add(
    "equal_kernel",
    "forgot-the-first",
    lambda kernel_size, depth: _equal_kernel(kernel_size, depth) - 1,
    "{answer} leaves out the place that the unit stands on: begin with 1.",
    CHAPTER,
)
add(
    "stack_weights",
    "all-between-equal-channels",
    lambda before, channels, **given: _stack_weights(before=channels, channels=channels, **given),
    "{answer} gives every layer the same depth. The first of them reads the {before} channels that "
    "came before.",
    CHAPTER,
)
add(
    "stack_weights",
    "all-like-the-first",
    lambda depth, **given: depth * _stack_weights(depth=1, **given),
    "{answer} makes every layer like the first. From the second on, a filter reads {channels} channels.",
    CHAPTER,
)
add(
    "stack_weights",
    "one-layer-only",
    lambda depth, **given: _stack_weights(depth=1, **given),
    "{answer} is the first layer alone; there are {depth}.",
    CHAPTER,
)
add(
    "stack_weights",
    "with-the-biases",
    lambda **given: _stack_weights(**given) + given["depth"] * given["channels"],
    "{answer} counts biases. Only weights are compared here.",
    CHAPTER,
)
add(
    "single_weights",
    "kernel-of-the-stack",
    lambda depth, **given: _stack_weights(depth=1, **given),
    "{answer} keeps the small kernel. The single layer must see as much as the whole stack.",
    CHAPTER,
)
add(
    "single_weights",
    "added-the-kernels",
    lambda kernel_size, depth, before, channels: conv_weights((kernel_size * depth,) * 2, before, channels),
    "{answer} has a kernel as wide as all kernels together. Windows overlap: each layer adds F − 1, not F.",
    CHAPTER,
)
add(
    "single_weights",
    "deep-as-its-output",
    lambda before, channels, **given: _single_weights(before=channels, channels=channels, **given),
    "{answer} makes a filter as deep as its output. It is as deep as its input: {before} channels.",
    CHAPTER,
)
add(
    "single_weights",
    "with-the-biases",
    lambda **given: _single_weights(**given) + given["channels"],
    "{answer} counts biases. Only weights are compared here.",
    CHAPTER,
)

# --- Whole networks of LeNet's kind -------------------------------------------------------------------

#: What can be asked to be largest, as fields of a :class:`Bill`, and what a question calls it.
BILLS = {"parameters": "parameters", "macs": "multiply–accumulates", "values": "output values"}


class Bill(NamedTuple):
    """One layer of a network: its kind, what it makes, and what that costs."""

    layer: str
    output: tuple[int, ...]
    parameters: int
    macs: int
    values: int


@functools.lru_cache(maxsize=256)
def lenet_like(
    input_shape: tuple[int, ...], blocks: tuple[tuple[int, int, str], ...], units: tuple[int, ...]
) -> tuple[Bill, ...]:
    """A network of LeNet's kind, layer by layer: blocks of convolution and 2×2 pooling, then dense layers.

    Args:
        input_shape: (height, width, channels).
        blocks: (filters, kernel size, padding) of each convolution.
        units: those of each dense layer.

    >>> bills = lenet_like((28, 28, 1), ((6, 5, "same"), (16, 5, "valid")), (120, 84, 10))
    >>> sum(bill.parameters for bill in bills), bills[-1]
    (61706, Bill(layer='Dense', output=(10,), parameters=850, macs=840, values=10))
    """
    bills: list[Bill] = []
    shape = tuple(input_shape)
    layers: list[Conv | Pool] = []
    for filters, kernel_size, padding in blocks:
        layers += [Conv(filters, kernel_size, padding=padding), Pool(2)]
    for layer, row in zip(layers, trace(shape, layers), strict=True):
        work = 0
        if isinstance(layer, Conv):
            work = conv_macs((1, *shape), layer.kernel_size, layer.filters, padding=layer.padding)
        bills.append(Bill(row.layer, row.output, row.parameters, work, activation_values(row.output)))
        shape = row.output
    shape = (activation_values(shape),)
    bills.append(Bill("Flatten", shape, 0, 0, 0))  # the same numbers in a row take no memory again
    for count in units:
        work = dense_macs((1, *shape), count)
        bills.append(Bill("Dense", (count,), dense_parameters(shape[0], count), work, count))
        shape = (count,)
    return tuple(bills)


def _dearest_layer(input_shape: Any, blocks: Any, units: Any, bill: str) -> int:
    """The number, from 1, of the layer to which the largest part of a bill falls."""
    amounts = [getattr(row, bill) for row in lenet_like(input_shape, blocks, units)]
    if amounts.count(max(amounts)) > 1:
        raise SizeError(f"two layers share the largest number of {bill}; ask about another network")
    return 1 + amounts.index(max(amounts))


def _network_total(input_shape: Any, blocks: Any, units: Any) -> int:
    return sum(row.parameters for row in lenet_like(input_shape, blocks, units))


def _last_map(input_shape: Any, blocks: Any) -> tuple[int, ...]:
    return lenet_like(input_shape, blocks, ())[-2].output


def _roll_lenet(dice: Dice) -> dict[str, Any]:
    side = 4 * dice.roll(6, 12)
    return {
        "input_shape": (side, side + 4 * dice.roll(1, 4), dice.pick((1, 3))),
        "blocks": (
            (dice.roll(4, 10), 5, dice.pick(("same", "valid"))),
            (dice.roll(12, 24), dice.pick((3, 5)), dice.pick(("same", "valid"))),
        ),
        "units": (10 * dice.roll(6, 15), dice.roll(5, 12)),
    }


add_kind(
    "dearest_layer",
    _dearest_layer,
    Number(),
    "how many places, how many filters and how deep: which of these three are in that bill, and "
    "where are they large?",
    CHAPTER,
    lambda dice: {**_roll_lenet(dice), "bill": dice.pick(tuple(BILLS))},
    labels={"blocks": "blocks", "bill": "bill"},
)
add_kind(
    "network_total",
    _network_total,
    Number(),
    "which layers learn something, and how many numbers does a filter or a unit of each read?",
    CHAPTER,
    _roll_lenet,
)
add_kind(
    "last_map",
    _last_map,
    Shape(("height", "width", "channels")),
    "what does each layer make of height and width, one after the other?",
    CHAPTER,
    lambda dice: {name: value for name, value in _roll_lenet(dice).items() if name != "units"},
)

for _bill, _what, _reason in (
    ("parameters", "parameters", "a dense layer has a weight for every value of the map"),
    ("macs", "work", "every weight of a convolution is used at every place"),
    ("values", "output values", "maps are largest before the first pooling"),
):
    add(
        "dearest_layer",
        f"the-one-with-most-{_bill}",
        lambda bill, asked=_bill, **given: None if bill == asked else _dearest_layer(**given, bill=asked),
        f"layer {{answer}} has the most {_what} ({_reason}). Asked is another bill.",
        CHAPTER,
    )
add(
    "network_total",
    "left-out-the-biases",
    lambda input_shape, blocks, units: (
        _network_total(input_shape, blocks, units) - sum(block[0] for block in blocks) - sum(units)
    ),
    "{answer} leaves out the biases: every filter and every unit has one.",
    CHAPTER,
)
add(
    "network_total",
    "convolutions-only",
    lambda **given: sum(row.parameters for row in lenet_like(**given) if row.layer == "Conv2D"),
    "{answer} leaves out the dense layers, and those have the most.",
    CHAPTER,
)
add(
    "network_total",
    "dense-reads-channels-only",
    lambda input_shape, blocks, units: (
        _network_total(input_shape, blocks, units)
        - _dense_of_map(_last_map(input_shape, blocks), units[0])
        + dense_parameters(blocks[-1][0], units[0])
    ),
    "{answer} lets the first dense layer read one number a channel. It reads every place of every map.",
    CHAPTER,
)
add(
    "network_total",
    "flattened-before-pooling",
    lambda input_shape, blocks, units: (
        _network_total(input_shape, blocks, units)
        - _dense_of_map(_last_map(input_shape, blocks), units[0])
        + _dense_of_map(lenet_like(input_shape, blocks, ())[-3].output, units[0])
    ),
    "{answer} flattens the maps before the last pooling. The dense layer reads what pooling leaves.",
    CHAPTER,
)
add(
    "last_map",
    "before-the-last-pooling",
    lambda input_shape, blocks: lenet_like(input_shape, blocks, ())[-3].output,
    "{answer} is what the last convolution makes; it is pooled once more.",
    CHAPTER,
)
add(
    "last_map",
    "same-for-valid",
    lambda input_shape, blocks: (
        _last_map(input_shape, tuple((filters, size, "same") for filters, size, _ in blocks))
        if any(padding == "valid" for *_, padding in blocks)
        else None
    ),
    "{answer} pads every convolution. Without padding, F − 1 places are lost in height and in width.",
    CHAPTER,
)
add(
    "last_map",
    "valid-for-same",
    lambda input_shape, blocks: (
        _last_map(input_shape, tuple((filters, size, "valid") for filters, size, _ in blocks))
        if any(padding == "same" for *_, padding in blocks)
        else None
    ),
    "{answer} loses F − 1 places in every convolution. With “same” padding the size stays.",
    CHAPTER,
)
add(
    "last_map",
    "rows-and-columns-exchanged",
    lambda input_shape, blocks: _last_map((input_shape[1], input_shape[0], input_shape[2]), blocks),
    "{answer} has rows and columns exchanged: arrays store height first, then width, then channels.",
    CHAPTER,
)


def _units_from_count(parameters: int, map_shape: Sequence[int]) -> int:
    """The units of a dense layer on a flattened map that has so many parameters."""
    units = parameters // _dense_of_map(map_shape, 1)
    if _dense_of_map(map_shape, units) != parameters:
        raise TaskError(f"no dense layer on {tuple(map_shape)} has {parameters} parameters")
    return units


def _roll_units(dice: Dice) -> dict[str, Any]:
    given = _roll_map(dice)
    return {"parameters": _dense_of_map(**given), "map_shape": given["map_shape"]}


add_kind(
    "units_from_count",
    _units_from_count,
    Number(),
    "how many parameters has a single unit?",
    CHAPTER,
    _roll_units,
)
add(
    "units_from_count",
    "forgot-the-bias",
    lambda parameters, map_shape: parameters / activation_values(map_shape),
    "{answer} is not whole, because the biases are among the parameters: a unit has one weight for "
    "each input, and a bias.",
    CHAPTER,
)
add(
    "units_from_count",
    "one-map-only",
    lambda parameters, map_shape: parameters / _dense_of_map((*map_shape[:2], 1), 1),
    "{answer} lets a unit read a single map. It reads every place of every map.",
    CHAPTER,
)
add(
    "units_from_count",
    "channels-only",
    lambda parameters, map_shape: parameters / _dense_of_averages(map_shape, 1),
    "{answer} lets a unit read one number a channel. It reads every place of every map.",
    CHAPTER,
)

# --- What training keeps ------------------------------------------------------------------------------

#: Weights, their gradients and their momentum: what training holds whatever the batch.
COPIES = 3


def _training_values(parameters: int, activations: int, batch: int) -> int:
    return COPIES * parameters + batch * activations


def _largest_batch(memory: int, parameters: int, activations: int) -> int:
    """The most images that fit into ``memory`` MiB in float32."""
    batch = (memory * _MIB // item_bytes() - COPIES * parameters) // activations
    if batch < 1:
        raise SizeError(f"{memory} MiB do not hold a single image")
    return batch


def _break_even(parameters: int, activations: int) -> int:
    """The smallest batch whose activations are more numbers than weights, gradients and momentum."""
    return COPIES * parameters // activations + 1


def _roll_training(dice: Dice) -> dict[str, Any]:
    return {"parameters": 1000 * dice.roll(400, 3000), "activations": 1000 * dice.roll(40, 160)}


def _roll_memory(dice: Dice) -> dict[str, Any]:
    given = _roll_training(dice)
    batch = dice.roll(20, 90)
    kept = item_bytes() * _training_values(**given, batch=batch)
    return {"memory": kept // _MIB + 2, **given}


add_kind(
    "training_values",
    _training_values,
    Number(),
    "what is there once whatever the batch, and what is there once for every image?",
    CHAPTER,
    lambda dice: {**_roll_training(dice), "batch": dice.pick((16, 32, 48, 64))},
    labels={"activations": "activations", "batch": "batch"},
)
add_kind(
    "largest_batch",
    _largest_batch,
    Number(),
    "how much is left once weights, gradients and momentum have their place, and how much does one "
    "image need?",
    CHAPTER,
    _roll_memory,
    labels={"memory": "memory (MiB)"},
)
add_kind(
    "break_even",
    _break_even,
    Number(),
    "which of the two sums grows with the batch, and where does it overtake the other?",
    CHAPTER,
    _roll_training,
)
add(
    "training_values",
    "one-image",
    lambda parameters, activations, batch: _training_values(parameters, activations, 1),
    "{answer} keeps the activations of one image. They are kept for every image of the batch.",
    CHAPTER,
)
add(
    "training_values",
    "weights-once",
    lambda parameters, activations, batch: parameters + batch * activations,
    "{answer} holds the weights alone. Each has a gradient besides, and momentum keeps one number more.",
    CHAPTER,
)
add(
    "training_values",
    "forgot-the-momentum",
    lambda parameters, activations, batch: 2 * parameters + batch * activations,
    "{answer} holds weights and gradients. Momentum keeps a velocity for every weight as well.",
    CHAPTER,
)
add(
    "training_values",
    "weights-for-every-image",
    lambda parameters, activations, batch: batch * (COPIES * parameters + activations),
    "{answer} has a copy of the weights for every image. All images of a batch share them.",
    CHAPTER,
)
add(
    "training_values",
    "activations-only",
    lambda parameters, activations, batch: batch * activations,
    "{answer} counts the activations alone. Weights, gradients and momentum are there as well.",
    CHAPTER,
)
add(
    "largest_batch",
    "forgot-the-weights",
    lambda memory, parameters, activations: memory * _MIB // item_bytes() // activations,
    "{answer} leaves no room for weights, gradients and momentum.",
    CHAPTER,
)
add(
    "largest_batch",
    "weights-once",
    lambda memory, parameters, activations: (memory * _MIB // item_bytes() - parameters) // activations,
    "{answer} leaves room for the weights, but not for gradients and momentum.",
    CHAPTER,
)
add(
    "largest_batch",
    "a-byte-a-value",
    lambda memory, parameters, activations: (memory * _MIB - COPIES * parameters) // activations,
    "{answer} takes one byte for a number. In float32 it takes four.",
    CHAPTER,
)
add(
    "largest_batch",
    "rounded-up",
    lambda memory, parameters, activations: _largest_batch(memory, parameters, activations) + 1,
    "{answer} would not fit any more: an image whose activations do not fit wholly does not fit. Round down.",
    CHAPTER,
)
add(
    "break_even",
    "weights-once",
    lambda parameters, activations: parameters // activations + 1,
    "{answer} compares with the weights alone. Gradients and momentum are as large again, each.",
    CHAPTER,
)
add(
    "break_even",
    "forgot-the-momentum",
    lambda parameters, activations: 2 * parameters // activations + 1,
    "{answer} compares with weights and gradients. Momentum keeps a number for every weight as well.",
    CHAPTER,
)
add(
    "break_even",
    "still-below",
    lambda parameters, activations: COPIES * parameters // activations,
    "{answer} is the last batch whose activations still take less (or as much). Asked is the first "
    "that takes more.",
    CHAPTER,
)

# --- Writing the rule: three bills at once ------------------------------------------------------------


def _layer_bills(
    input_shape: Sequence[int],
    kernel_size: int,
    filters: int,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
) -> tuple[int, int, int]:
    shape, square = _batched(input_shape), (kernel_size, kernel_size)
    return (
        conv_parameters(square, input_shape[-1], filters, groups=groups),
        conv_macs(shape, square, filters, stride, padding, groups=groups),
        activation_values(output_shape(shape, square, filters, stride, padding)),
    )


def _roll_layer_bills(dice: Dice) -> dict[str, Any]:
    kernel, groups = dice.pick((1, 3, 5, 7)), dice.pick((1, 2, 4))
    return {
        "input_shape": (dice.roll(12, 40), dice.roll(12, 40), 4 * dice.roll(1, 8)),
        "kernel_size": kernel,
        "filters": 4 * dice.roll(1, 12),
        "stride": dice.roll(1, 3),
        "padding": dice.roll(0, kernel // 2),
        "groups": groups,
    }


add_kind(
    "layer_bills",
    _layer_bills,
    Shape(("parameters", "MACs", "values")),
    "what are the three numbers of a layer with a single 1×1 filter, worked out by hand?",
    CHAPTER,
    _roll_layer_bills,
    labels={"groups": "groups"},
)


def _bills(change: Callable[[int, int, int, dict[str, Any]], tuple[int, ...] | None]) -> Callable[..., Any]:
    """A mistake in one of the three numbers: ``change`` gets them, and what is given."""
    return lambda **given: change(*_layer_bills(**given), given)


add(
    "layer_bills",
    "left-out-the-biases",
    _bills(lambda parameters, macs, values, given: (parameters - given["filters"], macs, values)),
    "The biases are left out of the parameters: every filter has one.",
    CHAPTER,
)
add(
    "layer_bills",
    "biases-as-work",
    _bills(lambda parameters, macs, values, given: (parameters, macs + values, values)),
    "The biases are counted as work. A bias is added, not multiplied: MACs leave it out.",
    CHAPTER,
)
add(
    "layer_bills",
    "ignored-the-groups",
    lambda groups, **given: _layer_bills(**given, groups=1) if groups > 1 else None,
    "This is the layer in one piece. With groups a filter sees input channels / groups of them.",
    CHAPTER,
)
add(
    "layer_bills",
    "forgot-the-padding",
    lambda padding, **given: _layer_bills(**given, padding=0) if padding else None,
    "This is the layer without padding: P adds to both sides of the input.",
    CHAPTER,
)
add(
    "layer_bills",
    "forgot-the-stride",
    lambda stride, **given: _layer_bills(**given, stride=1) if stride > 1 else None,
    "This is the layer at stride 1.",
    CHAPTER,
)
add(
    "layer_bills",
    "one-map-only",
    _bills(lambda parameters, macs, values, given: (parameters, macs, values // given["filters"])),
    "The values are those of one output map; there is one for every filter.",
    CHAPTER,
)
add(
    "layer_bills",
    "weights-for-work",
    _bills(lambda parameters, macs, values, given: (parameters, parameters - given["filters"], values)),
    "The work is the number of weights. Each of them is used at every place of the output.",
    CHAPTER,
)

# --- Errors of a competition, and stripes under a stride ----------------------------------------------


def _share_wrong(ranks: Sequence[int], guesses: int) -> float:
    """In per cent: pictures whose class is not among so many guesses; ranks count from 1."""
    return 100 * sum(rank > guesses for rank in ranks) / len(ranks)


add_kind(
    "share_wrong",
    _share_wrong,
    Number(),
    "for which pictures is the right class among the guesses that count?",
    CHAPTER,
    lambda dice: {
        "ranks": tuple(dice.pick((1, 1, 2, 3, 4, 5, 5, 6, 7, 9)) for _ in range(10)),
        "guesses": dice.pick((1, 5)),
    },
    labels={"ranks": "ranks", "guesses": "guesses"},
)
add_all(
    "share_wrong",
    CHAPTER,
    (
        "share-right",
        lambda ranks, guesses: 100 - _share_wrong(ranks, guesses),
        "{answer} is the share of the pictures that are right. An error is what is left.",
    ),
    (
        "the-other-error",
        lambda ranks, guesses: _share_wrong(ranks, 6 - guesses),
        "{answer} is the other of the two errors: one looks at the first guess, one at five of them.",
    ),
    (
        "one-guess-fewer",
        lambda ranks, guesses: _share_wrong(ranks, guesses - 1) if guesses > 1 else None,
        "{answer} takes the last of the {guesses} guesses for wrong. It counts as well.",
    ),
    (
        "counted-pictures",
        lambda ranks, guesses: sum(rank > guesses for rank in ranks),
        "{answer} is a number of pictures. How many in a hundred would that be?",
    ),
    (
        "mean-rank",
        lambda ranks, guesses: sum(ranks) / len(ranks),
        "{answer} is the mean of the ranks. An error counts pictures, however far off the guess is.",
    ),
)


def _repeats_after(period: int, stride: int) -> int:
    """After how many pixels the answers of a strided filter to stripes begin anew."""
    return math.lcm(period, stride)


add_kind(
    "repeats_after",
    _repeats_after,
    Number(),
    "where in the stripes does the filter stand, step by step, and when is it back where it began?",
    CHAPTER,
    lambda dice: {"period": dice.roll(3, 12), "stride": dice.roll(2, 8)},
    labels={"period": "period"},
)
add_all(
    "repeats_after",
    CHAPTER,
    (
        "period-of-the-stripes",
        lambda period, stride: period if period % stride else None,
        "{answer} is the period of the stripes. Does a step of {stride} pixels come out at that place?",
    ),
    (
        "the-stride",
        lambda period, stride: stride if stride % period else None,
        "{answer} is one step. Does the filter stand at the same place of a stripe after it?",
    ),
    (
        "period-times-stride",
        lambda period, stride: period * stride if math.gcd(period, stride) > 1 else None,
        "after {answer} pixels it is back where it began, but not for the first time.",
    ),
    (
        "counted-steps",
        lambda period, stride: (
            _repeats_after(period, stride) // stride if math.gcd(period, stride) > 1 else None
        ),
        "{answer} is a number of steps. Each of them is {stride} pixels wide.",
    ),
    (
        "added-them",
        lambda period, stride: period + stride,
        "{answer} adds period and stride up.",
    ),
)
