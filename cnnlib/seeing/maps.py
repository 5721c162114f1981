"""What layers answer to: features of images, the patches that a channel likes best, dead channels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.errors import CnnError, ShapeError
from cnnlib.layers import Dense
from cnnlib.layers.base import Floats
from cnnlib.network import Model
from cnnlib.receptive_field import input_range
from cnnlib.seeing.gradients import RECTIFIERS
from cnnlib.seeing.parts import as_index, ends, up_to
from cnnlib.sizes import as_int
from cnnlib.summary import graph_steps


def features(model: Model, images: ArrayLike, layer: str | None = None, batch_size: int = 32) -> Floats:
    """What a network makes of images before it decides: alike for images that are alike.

    Args:
        model: with one input and one output.
        images: (batch, *spatial, channels), prepared as the network wants them.
        layer: whose outputs; unless told, what the last dense layer reads.
        batch_size: how many images are computed at a time.

    Returns:
        (batch, features), or (batch, *spatial, channels) of a layer with feature maps.

    >>> from cnnlib.layers import Conv2D, Dense, GlobalAveragePooling2D
    >>> from cnnlib.network import Input, Sequential
    >>> network = Sequential([Input((8, 8, 3)), Conv2D(5, 3), GlobalAveragePooling2D(), Dense(2)])
    >>> features(network, np.ones((4, 8, 8, 3))).shape
    (4, 5)
    """
    if layer is not None:
        return up_to(model, layer).predict(images, batch_size)
    image, _ = ends(model)
    for call in reversed(model.calls):
        if isinstance(call.layer, Dense):
            return Model(image, call.inputs[0], model.name).predict(images, batch_size)
    raise CnnError(f"{model.name} has no dense layer that would read features; name a layer")


class Patch(NamedTuple):
    """A piece of an image that a channel answers to.

    Attributes:
        image: the number of the image.
        place: where in the feature map the answer stands, one number an axis.
        activation: the answer.
        box: the pixels that it is computed from, one slice an axis; at the border, as far as the image goes.
        pixels: these pixels, (*spatial, channels).
    """

    image: int
    place: tuple[int, ...]
    activation: float
    box: tuple[slice, ...]
    pixels: NDArray


def maximal_patches(
    model: Model, images: ArrayLike, layer: str, index: int, top: int = 9, batch_size: int = 32
) -> list[Patch]:
    """The pieces of the images that one channel answers most to, the best first, at most one of each image.

    Args:
        model: with one input.
        images: (batch, *spatial, channels), prepared as the network wants them.
        layer: a layer with feature maps.
        index: the channel.
        top: how many pieces.
        batch_size: how many images are computed at a time.

    Returns:
        at most ``top`` pieces, cut out by the layer's receptive field.

    Source: M. D. Zeiler and R. Fergus, *Visualizing and understanding convolutional networks* (2013,
    arXiv:1311.2901).
    """
    part = up_to(model, layer)
    index = as_index(index, part)
    batch = np.asarray(images)
    maps = _one_map(part, batch, index, batch_size)
    if maps.ndim < 2:
        raise ShapeError(
            f"{layer} makes {part.output_shape}, which has no places; name one with feature maps"
        )
    best = maps.reshape(len(maps), -1).argmax(axis=1) if len(maps) else np.zeros(0, int)
    answers = maps.reshape(len(maps), -1).max(axis=1, initial=-np.inf) if len(maps) else np.zeros(0)
    names = {node: node.layer.name for node in part.inputs}
    names |= {node: name for call, name in part.call_names().items() for node in call.outputs}
    steps = graph_steps(part.inputs, part.calls, names)
    patches = []
    for number in np.argsort(-answers, kind="stable")[: as_int(top, "top")]:
        place = tuple(int(n) for n in np.unravel_index(best[number], maps.shape[1:]))
        ranges = [
            input_range(steps, place[axis], size, axis, names[part.outputs[0]])
            for axis, size in enumerate(batch.shape[1:-1])
        ]
        box = tuple(slice(seen.start, seen.stop) for seen in ranges)
        patches.append(Patch(int(number), place, float(answers[number]), box, batch[number][box]))
    return patches


def _one_map(model: Model, images: NDArray, index: int, batch_size: int) -> Floats:
    """One feature map of every image, the others dropped batch by batch: (batch, *spatial)."""
    size = as_int(batch_size, "batch_size")
    starts = range(0, max(len(images), 1), size)
    return np.concatenate([model(images[start : start + size])[..., index] for start in starts])


def firing_rates(model: Model, images: ArrayLike, batch_size: int = 32) -> dict[str, NDArray[np.float64]]:
    """How often each channel behind a ReLU is not 0, over all images and places: by layer, (channels,).

    Args:
        model: with one input and one output, and ReLUs.
        images: (batch, *spatial, channels).
        batch_size: how many images are computed at a time.

    >>> from cnnlib.layers import Dense
    >>> from cnnlib.network import Input, Sequential
    >>> network = Sequential([Input((2,)), Dense(2, activation="relu")])
    >>> network.set_weights([[[1, -1], [1, -1]], [0, 0]])
    >>> firing_rates(network, np.ones((5, 2)))
    {'dense': array([1., 0.])}
    """
    ends(model)
    names = [
        name
        for call, name in model.call_names().items()
        if getattr(call.layer, "activation", None) in RECTIFIERS
    ]
    if not names:
        raise CnnError(f"{model.name} has no ReLU, without which channels do not fall silent")
    batch = np.asarray(images)
    if batch.ndim < 2 or not len(batch):
        raise ShapeError(f"images of shape {batch.shape} are none; give (batch, *spatial, channels)")
    rates: dict[str, NDArray[np.float64]] = {}
    size = as_int(batch_size, "batch_size")
    for start in range(0, len(batch), size):
        part = batch[start : start + size]
        for name, outputs in model.activations(part, names).items():
            share = (outputs > 0).mean(axis=tuple(range(outputs.ndim - 1))) * (len(part) / len(batch))
            rates[name] = rates.get(name, 0.0) + share
    return rates


def dead_channels(model: Model, images: ArrayLike, batch_size: int = 32) -> dict[str, list[int]]:
    """The channels behind a ReLU that are 0 at every place of every image, by layer.

    No gradient passes them, so that they will not learn from these images either; a learning rate that is
    too high leaves many.

    Args:
        model, images, batch_size: as for :func:`firing_rates`.

    >>> from cnnlib.layers import Dense
    >>> from cnnlib.network import Input, Sequential
    >>> network = Sequential([Input((2,)), Dense(2, activation="relu")])
    >>> network.set_weights([[[1, -1], [1, -1]], [0, 0]])
    >>> dead_channels(network, np.ones((5, 2)))
    {'dense': [1]}
    """
    rates = firing_rates(model, images, batch_size)
    return {name: np.flatnonzero(rate == 0).tolist() for name, rate in rates.items()}
