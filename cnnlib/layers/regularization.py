"""Dropout, of single values and of whole feature maps. Chapter 11."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlib.functional import dropout, dropout_backward
from cnnlib.layers.base import Floats, Weightless
from cnnlib.layers.nodes import Shape
from cnnlib.sizes import as_number


@dataclass(eq=False, repr=False)
class Dropout(Weightless):
    """In training, set a random part of the inputs to 0 and enlarge the rest; otherwise do nothing.

    Srivastava et al., *Dropout: a simple way to prevent neural networks from overfitting* (2014).

    Args:
        rate: the probability of each value to be dropped, at least 0 and below 1.
        noise_shape: where values share their fate, None or 1 an axis, as in Keras.
        seed: of the random numbers.

    Input shape, output shape:
        any, the same

    >>> layer = Dropout(0.5, seed=1)
    >>> layer(np.ones((1, 6)), training=True)
    array([[0., 2., 2., 2., 0., 0.]], dtype=float32)
    >>> layer(np.ones((1, 6)))
    array([[1., 1., 1., 1., 1., 1.]], dtype=float32)
    """

    rate: float
    noise_shape: Shape | None = None
    _: KW_ONLY
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        as_number(self.rate, "rate", least=0, below=1)
        self.generator = np.random.default_rng(self.seeds)

    def initialize(self, seed: int | np.random.SeedSequence | None = None) -> None:
        """Begin the random numbers anew."""
        super().initialize(seed)
        self.generator = np.random.default_rng(self.seeds)

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Floats, NDArray[np.bool_] | None]:
        """By :func:`cnnlib.functional.dropout`, in training."""
        if not training or self.rate == 0:
            return inputs, None
        return dropout(inputs, self.rate, self.generator, self.noise_shape)

    def shares_memory(self, training: bool) -> bool:
        """Outside training nothing is done."""
        return not training or self.rate == 0

    def pass_back(self, gradient: Any, memory: NDArray[np.bool_] | None) -> Any:
        """What was dropped gets nothing."""
        return gradient if memory is None else dropout_backward(gradient, memory, self.rate)


class SpatialDropout(Dropout):
    """Dropout of whole feature maps, whose values are much alike; arguments as in :class:`Dropout`."""

    rank: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self.noise_shape = (None, *(1,) * self.rank, None)


class SpatialDropout1D(SpatialDropout):
    """Dropout of whole feature maps of rows.

    >>> SpatialDropout1D(0.5).noise_shape
    (None, 1, None)
    """

    rank = 1


class SpatialDropout2D(SpatialDropout):
    """Dropout of whole feature maps of images.

    >>> outputs = SpatialDropout2D(0.5, seed=1)(np.ones((1, 8, 8, 4)), training=True)
    >>> outputs.mean(axis=(1, 2))
    array([[0., 2., 2., 2.]], dtype=float32)
    """

    rank = 2


class SpatialDropout3D(SpatialDropout):
    """Dropout of whole feature maps of volumes.

    >>> SpatialDropout3D(0.5).noise_shape
    (None, 1, 1, 1, None)
    """

    rank = 3
