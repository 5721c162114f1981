"""The graph that a network is: layers called on symbols instead of arrays.

Calling a layer on a :class:`Node` computes nothing but a shape, and remembers the call; a
:class:`cnnlib.network.Model` follows the calls back from its outputs to its inputs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from cnnlib.layers.base import Layer

#: (batch, *spatial, channels) or (batch, features); None is a size that is not known yet.
Shape: TypeAlias = "tuple[int | None, ...]"

_numbers = itertools.count()


class Call:
    """One use of a layer: the nodes that it reads and the nodes that it makes.

    Calls are numbered as they are made, so that to sort them is to put every call after those that it
    reads, in the order in which the network was written down.

    Attributes:
        layer: the layer called; a shared layer has several calls.
        inputs: the nodes that it reads, none for an input of a network.
        takes_list: whether the layer takes a list, as merging layers do.
        outputs: the nodes that it makes; most layers make one.
    """

    def __init__(
        self, layer: Layer, inputs: Sequence[Node], takes_list: bool, shapes: Sequence[Shape]
    ) -> None:
        self.number = next(_numbers)
        self.layer = layer
        self.inputs = tuple(inputs)
        self.takes_list = takes_list
        self.outputs = tuple(Node(shape, self, place) for place, shape in enumerate(shapes))

    @property
    def input_shape(self) -> Any:
        """The shape that the layer reads, or a list of them where it takes a list."""
        shapes = [node.shape for node in self.inputs]
        return shapes if self.takes_list else shapes[0] if shapes else self.outputs[0].shape

    def __repr__(self) -> str:
        return f"<Call {self.number} of {self.layer.name}>"


class Node:
    """A value that a network will compute: its shape is known, its numbers are not.

    Attributes:
        shape: (None, *spatial, channels).
        call: what makes it.
        place: which of the outputs of that call it is.
    """

    __slots__ = ("call", "place", "shape")

    def __init__(self, shape: Shape, call: Call, place: int = 0) -> None:
        self.shape = shape
        self.call = call
        self.place = place

    @property
    def layer(self) -> Layer:
        """The layer that makes it."""
        return self.call.layer

    @property
    def parents(self) -> tuple[Node, ...]:
        """The nodes that its layer reads."""
        return self.call.inputs

    def __repr__(self) -> str:
        return f"<Node {self.shape} of {self.layer.name}>"


def is_symbolic(inputs: Any) -> bool:
    """Whether ``inputs`` is a node or a list with a node in it (and not an array or a list of arrays)."""
    if isinstance(inputs, (list, tuple)):
        return any(isinstance(item, Node) for item in inputs)
    return isinstance(inputs, Node)


def calls_behind(nodes: Iterable[Node]) -> list[Call]:
    """All calls that ``nodes`` depend on, inputs of the network included, each after those that it reads."""
    found: set[Call] = set()
    waiting = [node.call for node in nodes]
    while waiting:
        call = waiting.pop()
        if call not in found:
            found.add(call)
            waiting += [node.call for node in call.inputs]
    return sorted(found, key=lambda call: call.number)
