"""Counts: the weights and parameters of a layer and of a network, and the kernel behind a count."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from cnnlib.exercises.answers import Number, Shape
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.misconceptions import add
from cnnlib.exercises.networks import Conv, Pool, trace
from cnnlib.exercises.tasks import KINDS, TaskError, add_kind
from cnnlib.sizes import PerAxis, conv_parameters, kernel_shape, per_axis


def _weight_shape(kernel_size: PerAxis, channels: int, filters: int) -> tuple[int, ...]:
    return kernel_shape(per_axis(kernel_size, 2, "kernel_size"), channels, filters)


def _parameters(kernel_size: PerAxis, channels: int, filters: int, use_bias: bool = True) -> int:
    return conv_parameters(per_axis(kernel_size, 2, "kernel_size"), channels, filters, use_bias=use_bias)


def _kernel_from_count(parameters: int, channels: int, filters: int) -> int:
    """The width of the square kernel whose layer has so many parameters."""
    for width in range(1, math.isqrt(parameters) + 1):
        if _parameters(width, channels, filters) == parameters:
            return width
    raise TaskError(f"no square kernel gives {parameters} parameters")


def _network_parameters(input_shape: Sequence[int], layers: Sequence[Conv | Pool]) -> int:
    return sum(row.parameters for row in trace(input_shape, layers))


def _roll_layer(dice: Dice, oblong: bool = False) -> dict[str, Any]:
    return {
        "kernel_size": (dice.roll(1, 7), dice.roll(1, 7)) if oblong else dice.roll(1, 7),
        "channels": dice.roll(1, 16),
        "filters": dice.roll(2, 24),
    }


def _roll_count(dice: Dice) -> dict[str, Any]:
    width, channels, filters = dice.pick((3, 5, 7)), dice.roll(2, 16), dice.roll(4, 32)
    return {
        "parameters": _parameters(width, channels, filters),
        "channels": channels,
        "filters": filters,
    }


def _roll_network(dice: Dice) -> dict[str, Any]:
    first, second = Conv(dice.roll(4, 16), 5), Conv(dice.roll(8, 32), 3, padding="same")
    return {"input_shape": (dice.roll(24, 64), dice.roll(24, 64), 3), "layers": (first, Pool(2), second)}


add_kind(
    "weight_shape",
    _weight_shape,
    Shape(("kernel height", "kernel width", "input channels", "filters")),
    "how large is one filter, and how many of them are there?",
    "filters-and-kernels",
    _roll_layer,
)
add_kind(
    "conv_parameters",
    _parameters,
    Number(),
    "how many weights has a single filter, what else belongs to it, and how many filters are there?",
    "filters-and-kernels",
    _roll_layer,
)
add_kind(
    "kernel_from_count",
    _kernel_from_count,
    Number(),
    "how many of these parameters are weights, and how many weights has one kernel?",
    "filters-and-kernels",
    _roll_count,
)
add_kind(
    "network_parameters",
    _network_parameters,
    Number(),
    "which layers learn something, and how deep is the input of each?",
    "filters-and-kernels",
    _roll_network,
)

# --- Counts -------------------------------------------------------------------------------------------


def _if_bias(count: Callable[..., Any]) -> Callable[..., Any]:
    """A mistake about biases, which cannot be made where there are none."""
    return lambda use_bias, **given: count(**given) if use_bias else None


add(
    "conv_parameters",
    "left-out-the-biases",
    _if_bias(lambda **given: _parameters(**given, use_bias=False)),
    "{answer} leaves out the biases: every filter has one.",
    "filters-and-kernels",
)
add(
    "conv_parameters",
    "one-bias-for-all",
    _if_bias(lambda **given: _parameters(**given, use_bias=False) + 1 if given["filters"] > 1 else None),
    "{answer} has a single bias for the whole layer: every filter has its own.",
    "filters-and-kernels",
)
add(
    "conv_parameters",
    "left-out-the-input-channels",
    lambda channels, **given: _parameters(channels=1, **given) if channels > 1 else None,
    "{answer} leaves out the input channels: a filter is as deep as its input.",
    "filters-and-kernels",
)
add(
    "conv_parameters",
    "counted-one-filter",
    lambda filters, **given: _parameters(filters=1, **given) if filters > 1 else None,
    "{answer} is a single filter; the layer has more of them.",
    "filters-and-kernels",
)
add(
    "conv_parameters",
    "counted-kernels-not-filters",
    _if_bias(
        lambda channels, filters, **given: (
            _parameters(channels=channels, filters=filters, **given, use_bias=False) + channels * filters
            if channels > 1
            else None
        )
    ),
    "{answer} counts kernels, not filters: all kernels of a filter share one bias.",
    "filters-and-kernels",
)
add(
    "conv_parameters",
    "channels-and-filters-exchanged",
    lambda channels, filters, **given: (
        _parameters(channels=filters, filters=channels, **given)
        if channels != filters and given["use_bias"]
        else None
    ),
    "{answer} gives a bias to every input channel. Biases belong to filters: one for each output channel.",
    "filters-and-kernels",
)
add(
    "conv_parameters",
    "took-the-kernel-for-square",
    lambda kernel_size, **given: (
        None if isinstance(kernel_size, int) else _parameters(kernel_size=kernel_size[0], **given)
    ),
    "{answer} takes the kernel for a square. Its height and width may differ: multiply the two.",
    "filters-and-kernels",
    over_many=True,
)
add(
    "weight_shape",
    "order-of-pytorch",
    lambda kernel_size, channels, filters: (filters, channels, *per_axis(kernel_size, 2, "kernel_size")),
    "{answer} is PyTorch's order. Keras and this course store the kernel's height and width first.",
    "filters-and-kernels",
)
add(
    "weight_shape",
    "channels-and-filters-exchanged",
    lambda kernel_size, channels, filters: (
        (*per_axis(kernel_size, 2, "kernel_size"), filters, channels) if channels != filters else None
    ),
    "{answer} takes the number of filters for the channels of a filter: a filter is as deep as its input; "
    "how many filters there are comes last.",
    "filters-and-kernels",
)
add(
    "weight_shape",
    "left-out-the-input-channels",
    lambda kernel_size, channels, filters: (
        (*per_axis(kernel_size, 2, "kernel_size"), 1, filters) if channels > 1 else None
    ),
    "{answer} has flat filters. A filter is as deep as its input: one kernel for every input channel.",
    "filters-and-kernels",
)
add(
    "kernel_from_count",
    "area-for-width",
    lambda **given: KINDS["kernel_from_count"].solve(**given) ** 2,
    "{answer} is the number of weights in one kernel; asked is its width.",
    "filters-and-kernels",
)
add(
    "kernel_from_count",
    "left-out-the-input-channels",
    lambda parameters, channels, filters: round(math.sqrt((parameters - filters) / filters), 2),
    "{answer} forgets that every filter has a kernel for each input channel.",
    "filters-and-kernels",
)


def _network_count(per_row: Callable[[Any, int, int], int]) -> Callable[..., int]:
    """A wrong total: ``per_row`` counts a layer from the layer, its right count, and its input's channels."""

    def wrong(input_shape: Sequence[int], layers: Sequence[Any]) -> int:
        rows = trace(input_shape, layers)
        depths = [input_shape[-1], *(row.output[-1] for row in rows)]
        return sum(
            per_row(layer, row.parameters, depth)
            for layer, row, depth in zip(layers, rows, depths, strict=False)
        )

    return wrong


def _pool_window(layer: Any) -> int:
    return math.prod(per_axis(layer.pool_size, 2, "pool_size"))


def _network_kernels_of_the_input(input_shape: Sequence[int], layers: Sequence[Any]) -> int:
    return sum(
        _parameters(layer.kernel_size, input_shape[-1], layer.filters, use_bias=True)
        for layer in layers
        if isinstance(layer, Conv)
    )


add(
    "network_parameters",
    "gave-pooling-parameters",
    _network_count(
        lambda layer, count, depth: count if isinstance(layer, Conv) else (_pool_window(layer) + 1) * depth
    ),
    "{answer} gives pooling weights and biases. A maximum has nothing to learn: pooling has no parameters.",
    "padding-and-stride",
)
add(
    "network_parameters",
    "left-out-the-biases",
    _network_count(lambda layer, count, depth: count - layer.filters if isinstance(layer, Conv) else count),
    "{answer} leaves out the biases: every filter has one.",
    "filters-and-kernels",
)
add(
    "network_parameters",
    "as-deep-as-the-first-input",
    _network_kernels_of_the_input,
    "{answer} makes every filter as deep as the picture. A filter is as deep as the input of its own layer.",
    "filters-and-kernels",
)
add(
    "network_parameters",
    "last-layer-only",
    lambda input_shape, layers: trace(input_shape, layers)[-1].parameters,
    "{answer} is the last layer alone; asked is the sum over all layers.",
    "filters-and-kernels",
)
