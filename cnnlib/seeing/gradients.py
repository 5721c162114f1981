"""Which pixels speak for an answer: gradients of one unit by the image, and three ways to pass them back."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.activations import activation_backward
from cnnlib.errors import CnnError, SizeError
from cnnlib.layers import ReLU
from cnnlib.layers.base import Floats, Rule
from cnnlib.network import Model
from cnnlib.seeing.parts import (
    Index,
    behind,
    frozen,
    last_maps,
    node_named,
    noise,
    scores,
    strongest,
    unit,
    up_to,
)
from cnnlib.sizes import as_int


def input_gradient(
    model: Model,
    images: ArrayLike,
    index: Index = None,
    layer: str | None = None,
    rules: Mapping[str, Rule] | None = None,
) -> Floats:
    """How one unit of a network changes with every value of the image.

    Args:
        model: with one input and one output.
        images: (batch, *spatial, channels), prepared as the network wants them.
        index: which class, or which channel of ``layer``; one for all images, one for each, or None for the
            one that answers most. Of a feature map, it is the place that answers most.
        layer: the unit's layer; None is the class' score, before the softmax.
        rules: how activations pass gradients back, as in :meth:`cnnlib.network.Model.backward`.

    Returns:
        d(unit)/d(image), in the shape of the images.

    A linear network changes by its weights:

    >>> from cnnlib.layers import Dense
    >>> from cnnlib.network import Input, Sequential
    >>> network = Sequential([Input((3,)), Dense(2, activation="softmax")])
    >>> network.set_weights([[[1, 2], [3, 4], [5, 6]], [0, 0]])
    >>> input_gradient(network, np.ones((1, 3)), index=1)
    array([[2., 4., 6.]], dtype=float32)
    """
    part = unit(model, layer)
    with frozen(part):
        outputs, tape = part.forward(images)
        return part.backward(_at_strongest(outputs, index, part), tape, needs_inputs=True, rules=rules)[0]


def _at_strongest(outputs: Floats, index: Index, model: Model) -> Floats:
    """The gradient of the unit by the outputs: 1 where it stands, 0 elsewhere."""
    _, places = strongest(outputs, index, model)
    slopes = np.zeros((len(outputs), math.prod(outputs.shape[1:])), outputs.dtype)
    np.put_along_axis(slopes, places[:, None], 1, axis=1)
    return slopes.reshape(outputs.shape)


def saliency(model: Model, images: ArrayLike, index: Index = None, layer: str | None = None) -> Floats:
    """How much the answer depends on each pixel: the largest gradient over its colours, without sign.

    Args:
        model, images, index, layer: as for :func:`input_gradient`.

    Returns:
        (batch, *spatial), at least 0.

    Source: K. Simonyan, A. Vedaldi and A. Zisserman, *Deep inside convolutional networks: visualising image
    classification models and saliency maps* (2013, arXiv:1312.6034).
    """
    return np.abs(input_gradient(model, images, index, layer)).max(axis=-1)


def guided_backprop(model: Model, images: ArrayLike, index: Index = None, layer: str | None = None) -> Floats:
    """The gradient, of which every ReLU lets pass only what is positive and came through it forward.

    The pictures are sharp, because edges are kept; but they depend little on the class, and hardly on the
    weights of the upper layers (J. Adebayo et al., *Sanity checks for saliency maps*, NeurIPS 2018).

    Args:
        model, images, index, layer: as for :func:`input_gradient`; the network has ReLUs.

    Returns:
        in the shape of the images.

    Source: J. T. Springenberg et al., *Striving for simplicity: the all convolutional net* (2014,
    arXiv:1412.6806).
    """
    _check_rectified(unit(model, layer))
    return input_gradient(model, images, index, layer, GUIDED)


def deconvnet(model: Model, images: ArrayLike, index: Index = None, layer: str | None = None) -> Floats:
    """The way back of a deconvolutional network: a ReLU cuts off what is negative, whatever came forward.

    Convolutions go back transposed and max pooling by its switches, as gradients do; the ReLU alone makes
    the difference to :func:`saliency` and :func:`guided_backprop`. Where strides take the place of max
    pooling, no switch says where the answer came from, and the picture is a pattern that hardly depends on
    the image.

    Args:
        model, images, index, layer: as for :func:`input_gradient`; the network has ReLUs.

    Returns:
        in the shape of the images.

    Source: M. D. Zeiler and R. Fergus, *Visualizing and understanding convolutional networks* (2013,
    arXiv:1311.2901).
    """
    _check_rectified(unit(model, layer))
    return input_gradient(model, images, index, layer, DECONVNET)


def _guided(name: str) -> Rule:
    def rule(gradient: Floats, inputs: Floats | None, outputs: Floats) -> Floats:
        return activation_backward(name, np.maximum(gradient, 0), inputs, outputs)

    return rule


def _deconvolved(gradient: Floats, inputs: Floats | None, outputs: Floats) -> Floats:
    return np.maximum(gradient, 0)


#: The activations that rectify.
RECTIFIERS = ("relu", "relu6")
#: Rules for :meth:`cnnlib.network.Model.backward`.
GUIDED: Mapping[str, Rule] = {name: _guided(name) for name in RECTIFIERS}
DECONVNET: Mapping[str, Rule] = dict.fromkeys(RECTIFIERS, _deconvolved)


def _check_rectified(model: Model) -> None:
    """Raise unless there are ReLUs, all of a kind that the rules know."""
    found = {getattr(layer, "activation", None) for layer in model.layers} - {None}
    if not found.intersection(RECTIFIERS):
        raise CnnError(
            f"{model.name} has no ReLU whose way back could be changed; its activations are "
            f"{', '.join(sorted(map(str, found))) or 'none'}"
        )
    for layer in model.layers:
        if isinstance(layer, ReLU) and layer.max_value not in (None, 6):
            raise CnnError(f"{layer.label} is cut off at {layer.max_value:g}; only ReLU and ReLU6 are known")


def grad_cam(model: Model, images: ArrayLike, index: Index = None, layer: str | None = None) -> Floats:
    """Where the network sees a class: the feature maps of a layer, weighted by what they do for its score.

    A map's weight is the mean of the score's gradient over its places; of the weighted sum, what is negative
    is cut off. Where the maps are averaged and a dense layer follows, this is the class activation map of
    B. Zhou et al. (2016) but for a factor.

    Args:
        model, images, index: as for :func:`input_gradient`.
        layer: whose feature maps; the last that has places unless told.

    Returns:
        (batch, *spatial) in the size of the feature maps, at least 0; enlarge it to lay it over the image.

    Source: R. R. Selvaraju et al., *Grad-CAM: visual explanations from deep networks via gradient-based
    localization* (2017, arXiv:1610.02391).
    """
    whole = scores(model)
    layer = last_maps(whole) if layer is None else layer
    node = node_named(whole, layer)
    if len(node.shape) < 3:
        raise CnnError(f"{layer} makes {node.shape}, which has no places; name a layer with feature maps")
    maps = up_to(whole, layer)(images)
    rest = behind(whole, node)
    with frozen(rest):
        outputs, tape = rest.forward([maps, images][: len(rest.inputs)])
        slopes = rest.backward(_at_strongest(outputs, index, whole), tape, needs_inputs=True)[0][0]
    weights = slopes.mean(axis=tuple(range(1, slopes.ndim - 1)), keepdims=True)
    return np.maximum((weights * maps).sum(axis=-1), 0)


def effective_receptive_field(
    model: Model, layer: str, images: ArrayLike | None = None, samples: int = 16, seed: int = 0
) -> NDArray[np.float64]:
    """How much the unit in the middle of a layer depends on each pixel, on the whole.

    The receptive field of :mod:`cnnlib.receptive_field` says which pixels can matter; those in its middle
    are seen along more ways than those at its edge, so that they matter more. The root mean square of the
    gradient is taken over images and over the layer's channels (each with a random sign).

    Args:
        model: with one input.
        layer: whose unit.
        images: (batch, *spatial, channels); noise unless given.
        samples: how many images of noise, and how often signs are drawn for each of given ones: once.
        seed: of noise and signs.

    Returns:
        (*spatial) of the image, at least 0.

    Source: W. Luo et al., *Understanding the effective receptive field in deep convolutional neural
    networks* (2016, arXiv:1701.04128).
    """
    part = up_to(model, layer)
    random = np.random.default_rng(seed)
    if images is None:
        images = noise(part, as_int(samples, "samples"), random)
    total: NDArray[np.float64] | float = 0.0
    count = 0
    with frozen(part):
        for image in np.asarray(images):  # one at a time, so that memory stays small
            outputs, tape = part.forward(image[None])
            slopes = np.zeros_like(outputs)
            middle = tuple(n // 2 for n in outputs.shape[1:-1])
            slopes[(0, *middle)] = random.choice([-1, 1], outputs.shape[-1])
            found = part.backward(slopes, tape, needs_inputs=True)[0][0]
            total = total + (found.astype(float) ** 2).sum(axis=-1)
            count += 1
    if not count:
        raise SizeError("there is no image to look at; give at least one")
    return np.sqrt(np.asarray(total) / count)


def effective_size(field: ArrayLike, least: float = 0.0455) -> float:
    """The side of a square (or cube) of as many pixels as matter at least ``least`` of what the most does.

    The share that is usual, 1 - 95.45 %, is where a bell has fallen to at about two and a half standard
    deviations.

    Args:
        field: (*spatial), such as :func:`effective_receptive_field` returns.

    >>> effective_size([[0, 1, 0], [1, 9, 1], [0, 1, 0]], least=0.1) ** 2
    5.000000000000001
    """
    seen = np.asarray(field, float)
    return float((seen >= least * seen.max(initial=0)).sum() ** (1 / max(seen.ndim, 1)))
