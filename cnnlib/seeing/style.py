"""Style as which channels answer together, whatever the place: Gram matrices, textures, style transfer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.convolution import as_floats, as_gradient
from cnnlib.errors import CnnError, ShapeError
from cnnlib.layers.base import Floats
from cnnlib.network import Model
from cnnlib.optimizers import Adam
from cnnlib.seeing.parts import ends, frozen, node_named, noise
from cnnlib.sizes import as_int, as_number


def gram_matrix(inputs: ArrayLike) -> Floats:
    """How strongly each pair of channels answers together, summed over all places: G_ij = Σ_k F_ik F_jk.

    Where things stand in the image is forgotten; which colours and edges come together is kept.

    Args:
        inputs: feature maps (batch, *spatial, channels).

    Returns:
        (batch, channels, channels), symmetric, without negative eigenvalues.

    Source: L. A. Gatys, A. S. Ecker and M. Bethge, *Texture synthesis using convolutional neural networks*
    (2015, arXiv:1505.07376).

    >>> gram_matrix([[[1.0, 2], [3, 0]]])      # two places, two channels
    array([[[10.,  2.],
            [ 2.,  4.]]])
    """
    columns = _columns(inputs)
    return columns.swapaxes(1, 2) @ columns


def gram_matrix_backward(gradient: ArrayLike, inputs: ArrayLike) -> Floats:
    """The gradient of :func:`gram_matrix`: F (G' + G'ᵀ), for places as rows and channels as columns.

    Args:
        gradient: dL/d(outputs), (batch, channels, channels).
        inputs: (batch, *spatial, channels).

    >>> gram_matrix_backward([[[1.0, 0], [0, 0]]], [[[1.0, 2], [3, 0]]])
    array([[[2., 0.],
            [6., 0.]]])
    """
    columns = _columns(inputs)
    batch, _, channels = columns.shape
    slopes = as_gradient(gradient, (batch, channels, channels), columns.dtype)
    return (columns @ (slopes + slopes.swapaxes(1, 2))).reshape(np.shape(inputs))


def _columns(inputs: ArrayLike) -> Floats:
    """(batch, places, channels)."""
    maps = as_floats(inputs, "inputs")
    if maps.ndim < 3:
        raise ShapeError(f"inputs of shape {maps.shape} are no feature maps: (batch, *spatial, channels)")
    return maps.reshape(len(maps), math.prod(maps.shape[1:-1]), maps.shape[-1])


def style_loss(inputs: ArrayLike, target: ArrayLike) -> float:
    """How far the styles of feature maps are from ``target``: Σ (G - A)² / (4 C²), G a mean over places.

    Dividing by the places (M) lets images of unlike size be compared; with it, this is the loss of Gatys
    et al., Σ (G - A)² / (4 C² M²).

    Args:
        inputs: (batch, *spatial, channels).
        target: (batch, channels, channels), what :func:`mean_gram` made of the style.

    Returns:
        the mean over the batch.

    >>> style_loss(np.ones((1, 5, 5, 2)), mean_gram(np.zeros((1, 8, 8, 2))))
    0.25
    """
    difference = _off(inputs, target)
    return float(np.square(difference, dtype=float).sum() / (4 * len(difference) * difference.shape[1] ** 2))


def style_loss_backward(inputs: ArrayLike, target: ArrayLike) -> Floats:
    """The gradient of :func:`style_loss` by its inputs, in their shape (batch, *spatial, channels)."""
    difference = _off(inputs, target)
    columns = _columns(inputs)
    scale = 2 * len(difference) * difference.shape[1] ** 2 * columns.shape[1]
    return gram_matrix_backward(difference / difference.dtype.type(scale), inputs)


def mean_gram(inputs: ArrayLike) -> Floats:
    """The :func:`gram_matrix` divided by the number of places, so that it does not grow with the image.

    >>> mean_gram(np.ones((1, 5, 5, 2)))
    array([[[1., 1.],
            [1., 1.]]])
    """
    gram = gram_matrix(inputs)
    places = _columns(inputs).shape[1]
    if not places:
        raise ShapeError(f"inputs of shape {np.shape(inputs)} have no places to take a mean over")
    return gram / gram.dtype.type(places)


def _off(inputs: ArrayLike, target: ArrayLike) -> Floats:
    gram = mean_gram(inputs)
    wanted = as_floats(target, "target")
    if wanted.shape not in (gram.shape, (1, *gram.shape[1:])):
        raise ShapeError(
            f"target has shape {wanted.shape}, but feature maps of shape {np.shape(inputs)} "
            f"have a Gram matrix of {gram.shape}; make it of the same layer"
        )
    return gram - wanted.astype(gram.dtype, copy=False)


class Styled(NamedTuple):
    """What style transfer made.

    Attributes:
        image: (height, width, channels), in the network's own range.
        history: before every step, and after the last, the three parts of the loss as they are weighted:
            style, content, roughness; (steps + 1, 3).
    """

    image: Floats
    history: NDArray[np.float64]


def style_transfer(
    content: ArrayLike | None,
    style: ArrayLike,
    model: Model,
    style_layers: Sequence[str],
    content_layers: Sequence[str] = (),
    steps: int = 100,
    style_weight: float = 1.0,
    content_weight: float = 1.0,
    smoothness: float = 0.0,
    rate: float = 0.05,
    limits: tuple[float, float] = (-1.0, 1.0),
    seed: int = 0,
) -> Styled:
    """Paint one image in the style of another: feature maps as of the first, Gram matrices as of the second.

    The image itself is what learns, by Adam. Each layer's loss is divided by what it was at the beginning
    (for content: by the mean square of the maps), so that the weights say how much each part counts.

    Args:
        content: (height, width, channels), prepared as the network wants it; None makes a new texture out
            of noise, in the size of the network's input.
        style: (height, width, channels).
        model: with one input; both images have a size that it takes.
        style_layers: whose Gram matrices are to be those of ``style``; the higher, the larger its patterns.
        content_layers: whose feature maps are to be those of ``content``.
        steps: how many.
        style_weight, content_weight, smoothness: how much each counts; the last for the mean square of the
            differences between neighbouring pixels.
        rate: the learning rate of Adam.
        limits: the range of the image's values.
        seed: of the noise.

    Source: L. A. Gatys, A. S. Ecker and M. Bethge, *Image style transfer using convolutional neural
    networks*, CVPR 2016.
    """
    names = [*_names(style_layers, "style_layers"), *_names(content_layers, "content_layers")]
    weights = [
        as_number(weight, name, 0)
        for weight, name in ((style_weight, "style_weight"), (content_weight, "content_weight"))
    ]
    smoothness, rate = as_number(smoothness, "smoothness", 0), as_number(rate, "rate", 0)
    steps = as_int(steps, "steps", minimum=0)
    if not names or (content is None and content_layers):
        raise CnnError(
            "content_layers need a content" if names else "name at least one layer for style or content"
        )
    image, _ = ends(model)
    part = Model(image, [node_named(model, name) for name in names], model.name)
    cut = len(style_layers)
    grams = [mean_gram(maps) for maps in part(_batch(style, "style"))[:cut]]
    if content is None:
        start = 0.1 * noise(part, 1, np.random.default_rng(seed))
        picture, wanted = np.clip(start, *limits).astype(part.dtype), []
    else:
        picture = _batch(content, "content").astype(part.dtype)
        wanted = part(picture)[cut:]
    strengths = [float(np.square(maps, dtype=float).mean()) or 1.0 for maps in wanted]
    firsts: list[float] = []
    adam = Adam(rate)
    history = []
    with frozen(part):
        for step in range(steps + 1):
            found, tape = part.forward(picture)
            losses = [style_loss(maps, gram) for maps, gram in zip(found, grams, strict=False)]
            firsts = firsts or [loss or 1.0 for loss in losses]
            shares = [weights[0] / (cut * first) for first in firsts]
            ours = [weights[1] / (len(wanted) * strength) for strength in strengths]
            off = [maps - target for maps, target in zip(found[cut:], wanted, strict=True)]
            rough, roughness = _roughness(picture)
            history.append(
                (
                    math.fsum(share * loss for share, loss in zip(shares, losses, strict=True)),
                    math.fsum(
                        s * float(np.square(d, dtype=float).mean()) for s, d in zip(ours, off, strict=True)
                    ),
                    smoothness * rough,
                )
            )
            if step == steps:
                break
            slopes = [
                style_loss_backward(maps, gram) * maps.dtype.type(share)
                for maps, gram, share in zip(found, grams, shares, strict=False)
            ]
            slopes += [d * d.dtype.type(2 * share / d.size) for share, d in zip(ours, off, strict=True)]
            gradient = part.backward(slopes, tape, needs_inputs=True)[0]
            gradient = gradient + picture.dtype.type(smoothness) * roughness
            adam.apply({"image": gradient}, {"image": picture})
            np.clip(picture, *limits, out=picture)
    return Styled(picture[0], np.array(history))


def _names(layers: Sequence[str], what: str) -> list[str]:
    if isinstance(layers, str):
        raise CnnError(f"{what} is a list of names; give [{layers!r}]")
    return list(layers)


def _batch(image: ArrayLike, what: str) -> Floats:
    picture = as_floats(image, what)
    if picture.ndim != 3:
        raise ShapeError(f"{what} has shape {picture.shape}; one image has (height, width, channels)")
    return picture[None]


def _roughness(images: Floats) -> tuple[float, Floats]:
    """The mean square of the differences between neighbours along both axes, and its gradient."""
    gradient = np.zeros_like(images)
    total = 0.0
    for axis in (1, 2):
        step = np.diff(images, axis=axis)
        if not step.size:
            continue
        total += float(np.square(step, dtype=float).mean())
        slope = step * step.dtype.type(2 / step.size)
        after, before = [slice(None)] * 4, [slice(None)] * 4
        after[axis], before[axis] = slice(1, None), slice(None, -1)
        gradient[tuple(after)] += slope
        gradient[tuple(before)] -= slope
    return total, gradient
