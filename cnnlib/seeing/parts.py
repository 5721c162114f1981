"""Parts of a network, cut out so that one can look into them: its scores, its beginning, its end.

A part shares its layers with the network that it was cut out of, weights included.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from cnnlib.errors import CnnError, ShapeError, SizeError
from cnnlib.layers.base import Floats, WeightedSum
from cnnlib.layers.nodes import Node
from cnnlib.network import Model
from cnnlib.sizes import as_int

#: Activations at the end of a classifier that turn scores into probabilities.
SQUASHING = ("softmax", "log_softmax", "sigmoid")

#: Which unit to look at: one number for all images, one for each, or None for the strongest of each.
Index: TypeAlias = "int | Sequence[int] | None"


def ends(model: Model) -> tuple[Node, Node]:
    """The input and the output of a network that has one of each, ``(batch, …)`` both.

    Raises:
        CnnError: it has several, or its shapes are not settled yet.
    """
    if not isinstance(model, Model):
        raise CnnError(f"only networks can be looked into, made by Sequential or Model, not {model!r}")
    _ = model.input_shape  # says what to do where the shapes are not known yet
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise CnnError(
            f"{model.name} has {len(model.inputs)} inputs and {len(model.outputs)} outputs; "
            "give a Model with one of each"
        )
    return model.inputs[0], model.outputs[0]


def scores(model: Model) -> Model:
    """The network without the softmax (or sigmoid) at its end: one score a class, ``(batch, classes)``.

    Probabilities of one image sum to 1, so that one of them also rises when the others fall; what speaks for
    a class is seen in its score. A last layer with a softmax of its own is copied without it.

    >>> from cnnlib.layers import Dense
    >>> from cnnlib.network import Input, Sequential
    >>> network = Sequential([Input((2,)), Dense(3, activation="softmax", kernel_initializer="ones")])
    >>> scores(network)(np.ones((1, 2)))
    array([[2., 2., 2.]], dtype=float32)
    """
    image, end = ends(model)
    layer = end.layer
    if end is image or getattr(layer, "activation", None) not in SQUASHING:
        return Model(image, end, model.name)
    if not isinstance(layer, WeightedSum):
        return Model(image, end.parents[0], model.name)
    linear = type(layer).from_config(layer.get_config() | {"activation": None})
    node = linear(end.parents[0])
    linear.set_weights(layer.get_weights())
    return Model(image, node, model.name)


def node_named(model: Model, layer: str) -> Node:
    """The node (batch, …) that ``layer`` makes, by the names of :meth:`cnnlib.network.Model.call_names`.

    Raises:
        CnnError: there is no such layer; the message names those that are near.
    """
    for call, name in model.call_names().items():
        if name == layer:
            return call.outputs[0]
    model.get_layer(layer)  # says what there is
    raise CnnError(f"{model.name} has no layer {layer!r}")


def up_to(model: Model, layer: str) -> Model:
    """The network from its input to what ``layer`` makes, ``(batch, …)``."""
    image, _ = ends(model)
    return Model(image, node_named(model, layer), f"{model.name} up to {layer}")


def unit(model: Model, layer: str | None) -> Model:
    """The network up to what is looked at, (batch, …): a layer, or the scores where none is named."""
    return scores(model) if layer is None else up_to(model, layer)


def behind(model: Model, node: Node) -> Model:
    """The network from an inner node (batch, …) on; where other ways lead round it, the image goes in too.

    Its inputs are a list, ``node`` the first of them.
    """
    image, end = ends(model)
    waiting, seen = [end], {node}
    while waiting:
        here = waiting.pop()
        if here not in seen:
            seen.add(here)
            waiting += here.parents
    return Model([node, image] if image in seen and node is not image else [node], end, model.name)


def last_maps(model: Model) -> str:
    """The name of the last layer before the outputs that still has places, as a classifier's last map does.

    Raises:
        CnnError: no layer has any.
    """
    for call, name in reversed(model.call_names().items()):
        node = call.outputs[0]
        if node not in model.outputs and any(n != 1 for n in node.shape[1:-1]):
            return name
    raise CnnError(f"{model.name} has no feature maps of more than one place before its outputs")


@contextlib.contextmanager
def frozen(model: Model) -> Iterator[None]:
    """Spare the gradients of the weights for a while, which nobody wants who only looks."""
    learning = [layer for layer in model.layers if layer.trainable]
    for layer in learning:
        layer.trainable = False
    try:
        yield
    finally:
        for layer in learning:
            layer.trainable = True


def channels_of(model: Model) -> int:
    """How many channels, or classes, a network's outputs have."""
    return int(ends(model)[1].shape[-1] or 0)


def as_index(index: ArrayLike, model: Model) -> int:
    """One of the channels that a network makes, as a plain number, or say how many there are.

    >>> from cnnlib.layers import Dense
    >>> from cnnlib.network import Input, Sequential
    >>> as_index(3, Sequential([Input((2,)), Dense(3)]))
    Traceback (most recent call last):
        ...
    cnnlib.errors.CnnError: sequential makes 3 channels, from 0 to 2; 3 is none of them
    """
    number, count = as_int(index, "index", minimum=0), channels_of(model)
    if number >= count:
        raise CnnError(
            f"{model.name} makes {count} channels, from 0 to {count - 1}; {number} is none of them"
        )
    return number


def noise(model: Model, count: int, random: np.random.Generator) -> Floats:
    """Images of normally distributed values in the size that a network takes: (count, *spatial, channels).

    Raises:
        SizeError: it takes images of any size.
    """
    wanted = model.inputs[0].shape
    shape = [n for n in wanted[1:] if n is not None]
    if len(shape) < len(wanted) - 1:
        raise SizeError(f"{model.name} takes images of any size, {wanted}; give an image to begin with")
    return random.normal(size=(count, *shape)).astype(model.dtype)


def strongest(outputs: Floats, index: Index, model: Model) -> tuple[Floats, np.ndarray]:
    """The largest of what a network makes of each image, or of one channel of it, and where it stands.

    Args:
        outputs: (batch, *spatial, channels), made by ``model``.
        index: the channel; one for each image, or None for whichever answers most.

    Returns:
        values (batch,) and their flat indices in each image's outputs (batch,).
    """
    batch, channels = len(outputs), outputs.shape[-1]
    flat = outputs.reshape(batch, math.prod(outputs.shape[1:]))
    if index is None:
        places = flat.argmax(axis=1)
    else:
        numbers = [index] * batch if np.ndim(index) == 0 else list(index)  # type: ignore[arg-type]
        if len(numbers) != batch:
            raise ShapeError(f"{len(numbers)} indices for {batch} images; give one, or one for each")
        chosen = np.array([as_index(number, model) for number in numbers], int)
        maps = outputs.reshape(batch, flat.shape[1] // channels, channels)
        rows = np.take_along_axis(maps, chosen[:, None, None], axis=2)[..., 0]
        places = rows.argmax(axis=1) * channels + chosen
    return np.take_along_axis(flat, places[:, None], axis=1)[:, 0], places
