"""Batch normalisation and local response normalisation as layers. Chapters 11 and 12."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np  # noqa: F401  # for the examples

from cnnlib.errors import ShapeError, SizeError
from cnnlib.functional import (
    batch_normalization,
    batch_normalization_backward,
    batch_normalization_train,
    batch_normalization_train_backward,
    local_response_normalization,
    local_response_normalization_backward,
)
from cnnlib.layers.base import Floats, Layer, Weight, Weightless
from cnnlib.layers.nodes import Shape
from cnnlib.sizes import as_number


@dataclass(eq=False, repr=False)
class BatchNormalization(Layer):
    """Bring every channel to mean 0 and variance 1, then to a learned scale and shift.

    In training the batch's own mean and variance are used, and moving averages of them are kept; otherwise,
    and when the layer is frozen, those averages are used. It is the one layer whose forward pass changes its
    weights. Ioffe and Szegedy, *Batch normalization* (2015, arXiv:1502.03167).

    Args:
        momentum: how much of the moving averages stays at each step.
        epsilon: added to the variance.
        center, scale: whether beta is added, and gamma multiplied with.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: how the
            weights begin.

    Input shape, output shape:
        (batch, …, channels), the same

    >>> layer = BatchNormalization()
    >>> layer(np.array([[1.0], [3.0]]), training=True).round(2).ravel()
    array([-1.,  1.], dtype=float32)
    >>> layer.weights["moving_mean"], layer.weights["moving_variance"]
    (array([0.02], dtype=float32), array([1.], dtype=float32))
    """

    LEARNED = ("gamma", "beta")

    _: KW_ONLY
    momentum: float = 0.99
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: str = "zeros"
    gamma_initializer: str = "ones"
    moving_mean_initializer: str = "zeros"
    moving_variance_initializer: str = "ones"
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if as_number(self.momentum, "momentum", least=0) > 1:
            raise SizeError(f"momentum must be from 0 to 1, not {self.momentum!r}; 0.99 is usual")

    def weight_specs(self, input_shape: Shape) -> dict[str, Weight]:
        """One number for each channel: gamma, beta, and the moving averages."""
        if len(input_shape) < 2 or input_shape[-1] is None:
            raise ShapeError(f"inputs of shape {tuple(input_shape)} need a known number of channels")
        there = {"gamma": self.scale, "beta": self.center, "moving_mean": True, "moving_variance": True}
        return {
            name: Weight((input_shape[-1],), getattr(self, f"{name}_initializer"))
            for name, used in there.items()
            if used
        }

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Floats, Any]:
        """By the batch's statistics in training, by their moving averages otherwise."""
        weights = self.weights
        gamma, beta = weights.get("gamma"), weights.get("beta")
        if not training or self._frozen:
            moving = weights["moving_mean"], weights["moving_variance"]
            return batch_normalization(inputs, *moving, gamma, beta, self.epsilon), (inputs, None)
        outputs, *statistics = batch_normalization_train(inputs, gamma, beta, self.epsilon)
        for name, value in zip(("moving_mean", "moving_variance"), statistics, strict=True):
            weights[name] *= self.momentum
            weights[name] += value * (1 - self.momentum)
        return outputs, (inputs, statistics)

    def backward(
        self, gradient: Any, memory: Any, needs_inputs: bool = True
    ) -> tuple[Any, dict[str, Floats]]:
        """In training also through mean and variance, which depend on all inputs."""
        inputs, statistics = memory
        weights = self.weights
        gamma, beta = weights.get("gamma"), weights.get("beta")
        if statistics is None:
            moving = weights["moving_mean"], weights["moving_variance"]
            found = batch_normalization_backward(gradient, inputs, *moving, gamma, beta, self.epsilon)
        else:
            found = batch_normalization_train_backward(
                gradient, inputs, gamma, beta, self.epsilon, statistics=tuple(statistics)
            )
        return found.inputs if needs_inputs else None, {name: getattr(found, name) for name in self.trainable}


@dataclass(eq=False, repr=False)
class LocalResponseNormalization(Weightless):
    """Divide every value by a power of its neighbourhood's strength, across channels.

    Keras has no such layer; arguments are those of ``tf.nn.local_response_normalization``. Krizhevsky et al.
    (2012), section 3.3: bias 2, alpha 1e-4, beta 0.75, depth_radius 2.

    Args:
        depth_radius: how many channels on each side are neighbours: n = 2 depth_radius + 1 in all.
        bias, alpha, beta: outputs are inputs / (bias + alpha Σ inputs²)^beta.
        alpha_over_n: divide ``alpha`` by n, as Caffe and PyTorch do.

    Input shape, output shape:
        (batch, …, channels), the same

    >>> LocalResponseNormalization(depth_radius=0)(np.array([[0, 1.0]])).round(3)
    array([[0.   , 0.707]], dtype=float32)
    """

    depth_radius: int = 5
    bias: float = 1.0
    alpha: float = 1.0
    beta: float = 0.5
    _: KW_ONLY
    alpha_over_n: bool = False

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Floats, Floats]:
        """By :func:`cnnlib.functional.local_response_normalization`."""
        return local_response_normalization(inputs, *self._options, alpha_over_n=self.alpha_over_n), inputs

    def pass_back(self, gradient: Any, memory: Floats) -> Any:
        """By :func:`cnnlib.functional.local_response_normalization_backward`."""
        return local_response_normalization_backward(
            gradient, memory, *self._options, alpha_over_n=self.alpha_over_n
        )

    @property
    def _options(self) -> tuple[int, float, float, float]:
        return (self.depth_radius, self.bias, self.alpha, self.beta)
