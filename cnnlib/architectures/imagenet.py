"""What goes into a network trained on ImageNet, and what its 1,000 outputs are called. Chapter 13.

J. Deng et al., *ImageNet: a large-scale hierarchical image database*, CVPR 2009; O. Russakovsky et al.,
*ImageNet large scale visual recognition challenge*, IJCV 115 (2015). The classes are nouns of WordNet.
"""

from __future__ import annotations

import functools
import importlib.resources
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.errors import ShapeError
from cnnlib.images import crop, resize, to_floats
from cnnlib.sizes import as_int


class Guess(NamedTuple):
    """One of the classes, and how probable the network finds it."""

    wordnet: str
    name: str
    probability: float


@functools.cache
def classes() -> tuple[tuple[str, str], ...]:
    """The 1,000 classes in the order of the outputs: their identifiers in WordNet, and their names.

    >>> classes()[281], classes()[967]
    (('n02123045', 'tabby'), ('n07920052', 'espresso'))
    """
    text = (importlib.resources.files(__package__) / "imagenet_classes.txt").read_text(encoding="utf-8")
    lines = [line.partition(" ") for line in text.splitlines() if not line.startswith("#")]
    return tuple((wordnet, name) for wordnet, _, name in lines)


def prepare(photograph: ArrayLike, size: int = 224) -> NDArray[np.float32]:
    """Make of a photograph what :func:`cnnlib.architectures.efficientnet_lite0` was trained on.

    The middle is cut out, a square of 7/8 of the shorter side; it is brought to ``size`` × ``size`` pixels by
    bicubic interpolation, and its values from 0 … 255 to about -1 … 1.

    Args:
        photograph: uint8, (height, width, 3), or (height, width) in grey.
        size: of the square, in pixels.

    Returns:
        float32, a batch of one: (1, size, size, 3).

    >>> from cnnlib.images import photograph
    >>> prepare(photograph("cat")).shape
    (1, 224, 224, 3)
    """
    pixels = to_floats(photograph) * 255
    size = as_int(size, "size")
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ShapeError(f"a photograph has shape (height, width, 3) or (height, width), not {pixels.shape}")
    side = max(min(pixels.shape[:2]) * size // (size + 32), 1)
    square = resize(crop(pixels, side, side), size, size)
    return ((square - 127) / 128)[None].astype(np.float32)


def decode(probabilities: ArrayLike, top: int = 5) -> list[list[Guess]]:
    """The most probable classes of each image, the best first.

    Args:
        probabilities: (batch, 1000), what the network made of a batch.
        top: how many are wanted.

    >>> scores = np.zeros((1, 1000)); scores[0, 967] = 0.9
    >>> decode(scores, top=1)
    [[Guess(wordnet='n07920052', name='espresso', probability=0.9)]]
    """
    rows = np.asarray(probabilities)
    names = classes()
    if rows.ndim != 2 or rows.shape[1] != len(names):
        raise ShapeError(
            f"predictions have shape (batch, {len(names)}), one for each class, not {rows.shape}"
        )
    top = min(as_int(top, "top"), len(names))
    best = np.argsort(-rows, axis=1, kind="stable")[:, :top]
    return [
        [Guess(names[i][0], names[i][1], float(row[i])) for i in order]
        for row, order in zip(rows, best, strict=True)
    ]
