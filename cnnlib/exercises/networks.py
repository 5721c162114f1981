"""Small stacks of layers, as exercises need them: their shapes, their counts, and a summary with blanks.

Shapes leave the batch out: (height, width, channels).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from cnnlib.exercises.wording import shape_text
from cnnlib.sizes import Padding, PerAxis, conv_parameters, output_shape, per_axis

if TYPE_CHECKING:
    from cnnlib.layers import Layer


@dataclass(frozen=True)
class Conv:
    """A convolution layer with one bias a filter."""

    filters: int
    kernel_size: PerAxis
    strides: PerAxis = 1
    padding: Padding = "valid"
    keras_name: str = field(default="Conv2D", init=False)


@dataclass(frozen=True)
class Pool:
    """A max pooling layer; ``strides`` None moves the window by its own size."""

    pool_size: PerAxis
    strides: PerAxis | None = None
    padding: Padding = "valid"
    keras_name: str = field(default="MaxPooling2D", init=False)


#: What a stack may be made of: the two above, or any layer of :mod:`cnnlib.layers`.
AnyLayer: TypeAlias = "Conv | Pool | Layer"


@dataclass(frozen=True)
class Row:
    """What a layer makes of its input, and how many parameters it has."""

    layer: str
    output: tuple[int, ...]
    parameters: int


def trace(input_shape: Sequence[int], layers: Sequence[AnyLayer]) -> list[Row]:
    """Follow a shape (height, width, channels) through a stack of layers.

    >>> for row in trace((32, 32, 3), [Conv(6, 5), Pool(2)]):
    ...     print(row.layer, row.output, row.parameters)
    Conv2D (28, 28, 6) 456
    MaxPooling2D (14, 14, 6) 0
    >>> from cnnlib.layers import DepthwiseConv2D
    >>> trace((32, 32, 3), [DepthwiseConv2D(5, depth_multiplier=2)])
    [Row(layer='DepthwiseConv2D', output=(28, 28, 6), parameters=156)]
    """
    rows: list[Row] = []
    shape = tuple(input_shape)
    for layer in layers:
        channels = shape[-1]
        if isinstance(layer, Conv):
            sizes = per_axis(layer.kernel_size, len(shape) - 1, "kernel_size")
            shape = output_shape((1, *shape), sizes, layer.filters, layer.strides, layer.padding)[1:]
            count = conv_parameters(sizes, channels, layer.filters)
        elif isinstance(layer, Pool):
            steps = layer.pool_size if layer.strides is None else layer.strides
            shape = output_shape((1, *shape), layer.pool_size, None, steps, layer.padding)[1:]
            count = 0  # there is nothing to learn in a maximum
        else:
            specs = layer.weight_specs((None, *shape))
            shape = tuple(layer.compute_output_shape((None, *shape))[1:])
            count = sum(math.prod(weight.shape) for weight in specs.values())
        rows.append(Row(layer_name(layer), shape, count))
    return rows


def layer_name(layer: AnyLayer) -> str:
    """What Keras calls a layer."""
    return layer.keras_name if isinstance(layer, (Conv, Pool)) else type(layer).__name__


def model_table(input_shape: Sequence[int], rows: Sequence[Row]) -> str:
    """What a model is to be, as a table in Markdown: a row for the input and one for each layer.

    >>> print(model_table((32, 32, 3), trace((32, 32, 3), [Conv(60, 5)])))
    | layer | output | parameters |
    |---|---|---|
    | `keras.Input` | 32×32×3 | |
    | 1 · `Conv2D` | 28×28×60 | 4,560 |
    """
    lines = [
        f"| {number} · `{row.layer}` | {shape_text(row.output)} | {row.parameters:,} |"
        for number, row in enumerate(rows, 1)
    ]
    head = ["| layer | output | parameters |", "|---|---|---|"]
    return "\n".join([*head, f"| `keras.Input` | {shape_text(tuple(input_shape))} | |", *lines])


@dataclass(frozen=True)
class Summary:
    """A table like that of Keras' ``model.summary()``; entries in ``blanks`` are left open.

    A blank is (line, column), counted from 1; line 0 is the total.

    >>> print(Summary((32, 32, 3), (Conv(6, 5), Pool(2)), blanks={(1, 3), (0, 3)}))
       Layer         Output shape            Parameters
    1  Conv2D        (None, 28, 28, 6)                ?
    2  MaxPooling2D  (None, 14, 14, 6)                0
    Total                                             ?
    """

    input_shape: tuple[int, ...]
    layers: tuple[AnyLayer, ...]
    blanks: Collection[tuple[int, int]] = ()

    def __str__(self) -> str:
        rows = trace(self.input_shape, self.layers)
        wide = max(14, *(len(row.layer) + 2 for row in rows))
        lines = [f"   {'Layer':<{wide}}{'Output shape':<24}{'Parameters':>10}"]
        for number, row in enumerate(rows, start=1):
            cells = [row.layer, str((None, *row.output)), f"{row.parameters:,}"]
            name, shape, count = (
                "?" if (number, column) in self.blanks else cell for column, cell in enumerate(cells, 1)
            )
            lines.append(f"{number:<3}{name:<{wide}}{shape:<24}{count:>10}")
        total = "?" if (0, 3) in self.blanks else f"{sum(row.parameters for row in rows):,}"
        return "\n".join([*lines, f"{'Total':<{wide + 27}}{total:>10}"])
