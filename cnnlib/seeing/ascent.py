"""What a unit would like to see best: an image made by climbing its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.convolution import as_floats
from cnnlib.errors import CnnError, ShapeError, SizeError
from cnnlib.filters import laplacian_pyramid, reconstruct
from cnnlib.layers.base import Floats
from cnnlib.network import Model
from cnnlib.seeing.parts import as_index, ends, frozen, noise, unit
from cnnlib.sizes import as_int, as_number


class Ascent(NamedTuple):
    """What climbing made.

    Attributes:
        images: one for each channel asked for, (n, *spatial, channels), in the network's own range.
        history: the activation of each before the first step, and after every one: (steps + 1, n).
    """

    images: Floats
    history: NDArray[np.float64]


def activation_maximisation(
    model: Model,
    index: int | Sequence[int],
    layer: str | None = None,
    steps: int = 64,
    rate: float = 0.05,
    jitter: int = 4,
    decay: float = 0.01,
    levels: int = 4,
    start: ArrayLike | None = None,
    limits: tuple[float, float] = (-1.0, 1.0),
    seed: int = 0,
) -> Ascent:
    """Change an image step by step, so that a channel answers ever more to it.

    What is climbed is the mean of the feature map, or the score of a class. Without more, the image fills
    with noise that no camera ever took; three things hold it back: it is shifted at random before every step,
    so that nothing hangs on single pixels; it fades towards grey; and coarse and fine parts of the gradient
    get the same say (as in A. Mordvintsev, C. Olah and M. Tyka, *Inceptionism*, 2015).

    Args:
        model: with one input and one output, of two spatial axes.
        index: which class, or channel of ``layer``; several are computed side by side.
        layer: None for the scores of the classes, before the softmax.
        steps: how many.
        rate: how far the values of the image move in one step, as a root mean square.
        jitter: the largest shift along each axis, in pixels; what leaves on one side comes in on the other.
        decay: the share of every value that is taken off in each step.
        levels: into how many sizes of detail the gradient is parted; 1 takes it as it is.
        start: an image (height, width, channels) to begin with, such as a photograph; noise around the
            middle of the range unless given.
        limits: the range of the image's values.
        seed: of noise and shifts.

    Source: D. Erhan et al., *Visualizing higher-layer features of a deep network* (2009); K. Simonyan,
    A. Vedaldi and A. Zisserman (2013, arXiv:1312.6034).

    Raises:
        CnnError: the gradient of the first step is 0, so that there is no way up.

    >>> from cnnlib.layers import Conv2D
    >>> from cnnlib.network import Input, Sequential
    >>> network = Sequential([Input((8, 8, 1)), Conv2D(2, 3, seed=0)])
    >>> climbed = activation_maximisation(network, index=1, steps=5, jitter=0, levels=1)
    >>> climbed.images.shape, bool(np.all(np.diff(climbed.history, axis=0) > 0))
    ((1, 8, 8, 1), True)
    """
    part = unit(model, layer)
    channels = [as_index(i, part) for i in (index if isinstance(index, Sequence) else [index])]
    steps, jitter = as_int(steps, "steps", minimum=0), as_int(jitter, "jitter", minimum=0)
    rate, decay = as_number(rate, "rate", 0), as_number(decay, "decay", 0, below=1)
    levels = as_int(levels, "levels")
    random = np.random.default_rng(seed)
    images = _start(part, start, len(channels), limits, random)
    middle = images.dtype.type(sum(limits) / 2)
    rows = np.arange(len(channels))

    def answers(outputs: Floats) -> NDArray[np.float64]:
        places = outputs.reshape(len(outputs), -1, outputs.shape[-1])
        return places[rows, :, channels].mean(axis=1, dtype=float)

    history = []
    with frozen(part):
        for step in range(steps):
            shift = tuple(int(n) for n in random.integers(-jitter, jitter + 1, size=2))
            history.append(answers(part(images)) if jitter else None)
            outputs, tape = part.forward(np.roll(images, shift, axis=(1, 2)))
            if history[-1] is None:
                history[-1] = answers(outputs)
            slopes = np.zeros_like(outputs)
            slopes.reshape(len(outputs), -1, outputs.shape[-1])[rows, :, channels] = 1
            gradient = part.backward(slopes, tape, needs_inputs=True)[0]
            if step == 0:
                _check_way_up(gradient, channels, part)
            gradient = np.roll(gradient, [-n for n in shift], axis=(1, 2))
            images += images.dtype.type(rate) * np.stack([_even(one, levels) for one in gradient])
            images -= images.dtype.type(decay) * (images - middle)
            np.clip(images, *limits, out=images)
    history.append(answers(part(images)))
    return Ascent(images, np.array(history))


def _start(
    model: Model,
    start: ArrayLike | None,
    count: int,
    limits: tuple[float, float],
    random: np.random.Generator,
) -> Floats:
    """The images before the first step, (count, height, width, channels)."""
    low, high = (as_number(limit, "limits") for limit in limits)
    if not low < high:
        raise SizeError(f"limits ({low:g}, {high:g}) leave no room; give the lower one first")
    shape = ends(model)[0].shape
    if len(shape) != 4:
        raise ShapeError(
            f"{model.name} takes inputs of shape {shape}; images have (batch, height, width, channels)"
        )
    if start is None:
        images = (low + high) / 2 + 0.05 * (high - low) / 2 * noise(model, count, random)
    else:
        image = as_floats(start, "start")
        if image.ndim != 3:
            raise ShapeError(f"start has shape {image.shape}; one image has (height, width, channels)")
        images = np.repeat(image[None], count, axis=0)
    return np.clip(images, low, high).astype(model.dtype)


def _check_way_up(gradient: Floats, channels: Sequence[int], model: Model) -> None:
    for number, one in zip(channels, gradient, strict=True):
        if not one.any():
            raise CnnError(
                f"channel {number} of {model.name} does not change with this image, so that there is no way "
                "up; begin with another seed or start, or name the layer before the activation"
            )


def _even(gradient: Floats, levels: int) -> Floats:
    """The gradient of one image with every size of detail brought to the same strength, 1 in all."""
    if levels > 1:
        parts = [part / _strength(part) for part in laplacian_pyramid(gradient, levels)]
        gradient = reconstruct(parts)
    return gradient / _strength(gradient)


def _strength(values: Floats) -> np.floating:
    """The root mean square; 1 for nothing but zeros, so that one can divide by it."""
    strength = np.sqrt(np.square(values, dtype=float).mean()).astype(values.dtype)
    return strength if strength > 0 else values.dtype.type(1)
