"""Layers in which branches meet: sums, products, concatenation. Chapters 12 and 13.

They take a list of arrays, of equal shapes or such as NumPy stretches (sizes of 1), and give a list of
gradients back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from cnnlib.errors import ShapeError
from cnnlib.layers.base import Floats, Weightless
from cnnlib.layers.nodes import Shape
from cnnlib.sizes import as_int


class Merge(Weightless):
    """Base class of layers that combine equal shapes value by value."""

    TAKES_LIST: ClassVar[bool] = True

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The common shape; sizes of 1 are stretched."""
        shapes = _several(input_shape)
        if len({len(shape) for shape in shapes}) > 1:
            raise ShapeError(f"shapes {_listed(shapes)} differ in their number of axes; they cannot meet")
        common: list[int | None] = []
        for axis, lengths in enumerate(zip(*shapes, strict=True)):
            known = {n for n in lengths if n not in (None, 1)}
            if len(known) > 1:
                raise ShapeError(
                    f"shapes {_listed(shapes)} differ along axis {axis}; pad, crop or pool one of them"
                )
            common.append(known.pop() if known else None if None in lengths else 1)
        return tuple(common)


def _several(shapes: Any) -> list[Shape]:
    if not isinstance(shapes, (list, tuple)) or len(shapes) < 2 or not isinstance(shapes[0], (list, tuple)):
        raise ShapeError("branches are given as a list of at least two, such as [left, right]")
    return [tuple(shape) for shape in shapes]


def _listed(shapes: Sequence[Shape]) -> str:
    return " and ".join(map(str, shapes))


def _unstretched(gradient: Floats, shape: tuple[int, ...]) -> Floats:
    """A gradient in the shape of an input that was stretched: the sum over what it was stretched to."""
    if gradient.shape == shape:
        return gradient
    axes = tuple(a for a, (n, m) in enumerate(zip(shape, gradient.shape, strict=True)) if n != m)
    return gradient.sum(axis=axes, keepdims=True)


class Add(Merge):
    """The sum of all inputs.

    Input shape:
        a list of equal shapes

    Output shape:
        the same

    >>> Add()([np.ones((1, 2)), np.full((1, 2), 4)])
    array([[5., 5.]], dtype=float32)
    """

    def forward(self, inputs: Any, training: bool = False) -> tuple[Floats, Any]:
        """Add up."""
        total = inputs[0] + inputs[1]
        for array in inputs[2:]:
            total = total + array
        return total, [array.shape for array in inputs]

    def pass_back(self, gradient: Any, memory: Any) -> Any:
        """The same gradient for every input."""
        return [_unstretched(gradient, shape) for shape in memory]


class Subtract(Merge):
    """The first of two inputs minus the second.

    Input shape:
        a list of two equal shapes

    Output shape:
        the same

    >>> Subtract()([np.full((1, 2), 4), np.ones((1, 2))])
    array([[3., 3.]], dtype=float32)
    """

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The common shape of two."""
        if len(_several(input_shape)) != 2:
            raise ShapeError(f"a difference is of two inputs, not of {len(input_shape)}")
        return super().compute_output_shape(input_shape)

    def forward(self, inputs: Any, training: bool = False) -> tuple[Floats, Any]:
        """Subtract."""
        return inputs[0] - inputs[1], [array.shape for array in inputs]

    def pass_back(self, gradient: Any, memory: Any) -> Any:
        """The gradient, and its negative."""
        return [_unstretched(gradient, memory[0]), -_unstretched(gradient, memory[1])]


class Average(Add):
    """The mean of all inputs.

    Input shape:
        a list of equal shapes

    Output shape:
        the same

    >>> Average()([np.ones((1, 2)), np.full((1, 2), 4)])
    array([[2.5, 2.5]], dtype=float32)
    """

    def forward(self, inputs: Any, training: bool = False) -> tuple[Floats, Any]:
        """Add up, and divide by how many there are."""
        total, shapes = super().forward(inputs)
        total /= len(inputs)
        return total, shapes

    def pass_back(self, gradient: Any, memory: Any) -> Any:
        """An equal share for every input."""
        return super().pass_back(gradient / len(memory), memory)


class Multiply(Merge):
    """The product of all inputs.

    Input shape:
        a list of equal shapes

    Output shape:
        the same

    >>> Multiply()([np.full((1, 2), 3), np.full((1, 2), 4)])
    array([[12., 12.]], dtype=float32)
    """

    def forward(self, inputs: Any, training: bool = False) -> tuple[Floats, Any]:
        """Multiply."""
        product = inputs[0]
        for array in inputs[1:]:
            product = product * array
        return product, list(inputs)

    def pass_back(self, gradient: Any, memory: Any) -> Any:
        """The gradient times all the other inputs."""
        found = []
        for place, array in enumerate(memory):
            slopes = gradient
            for other in (*memory[:place], *memory[place + 1 :]):
                slopes = slopes * other
            found.append(_unstretched(slopes, array.shape))
        return found


class Maximum(Merge):
    """The largest of all inputs, value by value; the first of equals wins.

    Input shape:
        a list of equal shapes

    Output shape:
        the same

    >>> Maximum()([np.array([[1, 5.0]]), np.array([[2, 3.0]])])
    array([[2., 5.]], dtype=float32)
    """

    def forward(self, inputs: Any, training: bool = False) -> tuple[Floats, Any]:
        """Take the largest."""
        largest = inputs[0]
        for array in inputs[1:]:
            largest = np.maximum(largest, array)
        return largest, (list(inputs), largest)

    def pass_back(self, gradient: Any, memory: Any) -> Any:
        """To the winner of every place."""
        inputs, largest = memory
        found, given = [], np.zeros(largest.shape, bool)
        for array in inputs:
            wins = (array == largest) & ~given
            given |= wins
            found.append(_unstretched(gradient * wins, array.shape))
        return found


@dataclass(eq=False, repr=False)
class Concatenate(Weightless):
    """Put all inputs one behind the other along an axis: the channels, unless told.

    Args:
        axis: which axis, as NumPy counts.

    Input shape:
        a list of shapes that are equal but for that axis

    Output shape:
        that axis is as long as all of them together

    >>> Concatenate().compute_output_shape([(None, 28, 28, 64), (None, 28, 28, 128)])
    (None, 28, 28, 192)
    """

    axis: int = -1

    TAKES_LIST: ClassVar[bool] = True

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The lengths along the axis added up."""
        shapes = _several(input_shape)
        rank = len(shapes[0])
        axis = as_int(self.axis, "axis", minimum=-rank)
        axis += rank if axis < 0 else 0
        others = [shape[:axis] + shape[axis + 1 :] for shape in shapes]
        if not 0 <= axis < rank or any(len(shape) != rank for shape in shapes):
            raise ShapeError(f"shapes {_listed(shapes)} cannot be concatenated along axis {self.axis}")
        for lengths in zip(*others, strict=True):
            if len({n for n in lengths if n is not None}) > 1:
                raise ShapeError(
                    f"shapes {_listed(shapes)} can be concatenated along axis {self.axis} only if all "
                    "other axes are equal; pad, crop or pool first"
                )
        along = [shape[axis] for shape in shapes]
        total = None if None in along else sum(along)  # type: ignore[arg-type]
        return (*shapes[0][:axis], total, *shapes[0][axis + 1 :])

    def forward(self, inputs: Any, training: bool = False) -> tuple[Floats, Any]:
        """Concatenate."""
        return np.concatenate(inputs, axis=self.axis), [array.shape[self.axis] for array in inputs]

    def pass_back(self, gradient: Any, memory: Any) -> Any:
        """Cut the gradient where the inputs met."""
        return np.split(gradient, np.cumsum(memory)[:-1], axis=self.axis)
