"""How weights learn from their gradients: SGD with momentum, Adam, and learning rates that fall. Chapter 11.

The update rules are those of Keras 3, so that the same weights, batches and settings give the same losses.

>>> weight = {"kernel": np.array([1.0, -2.0])}
>>> sgd = SGD(learning_rate=0.1, momentum=0.9)
>>> for _ in range(2):
...     sgd.apply({"kernel": np.array([1.0, 1.0])}, weight)
...     print(weight["kernel"])
[ 0.9 -2.1]
[ 0.71 -2.29]
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cnnlib import sizes
from cnnlib.errors import CnnError, ShapeError
from cnnlib.sizes import as_int

#: A learning rate: one number, or a function of the number of updates made so far.
LearningRate: TypeAlias = "float | Callable[[int], float]"


class OptionError(CnnError, ValueError):
    """An option of training that makes no sense: a negative learning rate, an unknown loss."""


def as_number(value: Any, name: str, least: float = 0, below: float = math.inf) -> float:
    """Return ``value`` as a float from ``least`` to under ``below``, or say what is wrong with it.

    >>> as_number(0.9, "momentum", 0, below=1)
    0.9
    """
    return sizes.as_number(value, name, least, below, OptionError)


# Learning rates that fall. Each is called with the number of updates made so far, as in Keras.


@dataclass(frozen=True)
class ExponentialDecay:
    """A rate that is multiplied by ``decay_rate`` every ``decay_steps`` updates, smoothly or in stairs.

    >>> stairs = ExponentialDecay(0.1, decay_steps=100, decay_rate=0.5, staircase=True)
    >>> [stairs(step) for step in (0, 99, 100, 250)]
    [0.1, 0.1, 0.05, 0.025]
    """

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False

    def __post_init__(self) -> None:
        as_number(self.initial_learning_rate, "initial_learning_rate")
        as_int(self.decay_steps, "decay_steps")
        as_number(self.decay_rate, "decay_rate")

    def __call__(self, step: int) -> float:
        """The rate of the update after ``step`` others."""
        exponent = step // self.decay_steps if self.staircase else step / self.decay_steps
        return self.initial_learning_rate * self.decay_rate**exponent


@dataclass(frozen=True)
class PiecewiseConstantDecay:
    """A rate for each stretch: ``values[0]`` up to and with update ``boundaries[0]``, then the next.

    >>> drop = PiecewiseConstantDecay(boundaries=[100, 200], values=[0.1, 0.01, 0.001])
    >>> [drop(step) for step in (0, 100, 101, 201)]
    [0.1, 0.1, 0.01, 0.001]
    """

    boundaries: Sequence[int]
    values: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.values) != len(self.boundaries) + 1:
            raise OptionError(
                f"{len(self.boundaries)} boundaries make {len(self.boundaries) + 1} stretches, "
                f"but there are {len(self.values)} values; give one value more than boundaries"
            )
        if list(self.boundaries) != sorted(self.boundaries):
            raise OptionError(f"boundaries {list(self.boundaries)} must rise")

    def __call__(self, step: int) -> float:
        """The rate of the update after ``step`` others."""
        return self.values[bisect.bisect_left(self.boundaries, step)]


@dataclass(frozen=True)
class CosineDecay:
    """A rate that falls along half a cosine to ``alpha`` times the first within ``decay_steps``, and stays.

    Source: Loshchilov and Hutter, *SGDR* (2017, arXiv:1608.03983).

    >>> cosine = CosineDecay(0.1, decay_steps=100)
    >>> [round(cosine(step), 4) for step in (0, 50, 100, 150)]
    [0.1, 0.05, 0.0, 0.0]
    """

    initial_learning_rate: float
    decay_steps: int
    alpha: float = 0.0

    def __post_init__(self) -> None:
        as_number(self.initial_learning_rate, "initial_learning_rate")
        as_int(self.decay_steps, "decay_steps")
        as_number(self.alpha, "alpha")

    def __call__(self, step: int) -> float:
        """The rate of the update after ``step`` others."""
        done = min(step, self.decay_steps) / self.decay_steps
        cosine = 0.5 * (1 + math.cos(math.pi * done))
        return self.initial_learning_rate * ((1 - self.alpha) * cosine + self.alpha)


class Optimizer:
    """What all update rules share: a learning rate, weight decay, and a memory for every weight.

    Args:
        learning_rate: a number, or a function of the number of updates made so far.
        weight_decay: the part of every weight, times the learning rate, that is taken off before each
            update, apart from the gradient ("decoupled": Loshchilov and Hutter, 2019, arXiv:1711.05101).
            None or 0: nothing. AlexNet instead adds ``weight_decay * weight`` to the gradient, so that
            momentum carries it on.
    """

    #: The arrays that are remembered for every weight, zero at first.
    remembers: tuple[str, ...] = ()

    def __init__(self, learning_rate: LearningRate, weight_decay: float | None = None) -> None:
        self.learning_rate = (
            learning_rate if callable(learning_rate) else as_number(learning_rate, "learning_rate")
        )
        self.weight_decay = as_number(0 if weight_decay is None else weight_decay, "weight_decay")
        self.iterations = 0
        self.memory: dict[Hashable, tuple[NDArray, ...]] = {}

    @property
    def rate(self) -> float:
        """The learning rate of the next update."""
        return float(
            self.learning_rate(self.iterations) if callable(self.learning_rate) else self.learning_rate
        )

    def apply(self, gradients: Mapping[Any, NDArray], weights: Mapping[Any, NDArray]) -> None:
        """Change every weight that has a gradient, in place.

        Args:
            gradients: arrays by any key; weights: the arrays with the same keys, in the same shapes.
        """
        rate = self.rate
        for key, gradient in gradients.items():
            weight = weights[key]
            if gradient.shape != weight.shape:
                raise ShapeError(f"{key}: gradient {gradient.shape} for a weight of shape {weight.shape}")
            if self.weight_decay:
                weight *= 1 - self.weight_decay * rate
            if key not in self.memory:
                self.memory[key] = tuple(np.zeros_like(weight) for _ in self.remembers)
            self.update(weight, gradient, rate, *self.memory[key])
        self.iterations += 1

    def update(self, weight: NDArray, gradient: NDArray, rate: float, *memory: NDArray) -> None:
        """Change one weight, and what is remembered of it, in place."""
        raise NotImplementedError

    def __repr__(self) -> str:
        options = {k: v for k, v in vars(self).items() if k not in ("iterations", "memory", "remembers")}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in options.items())})"


class SGD(Optimizer):
    """Stochastic gradient descent: a step against the gradient, with momentum if wanted.

    With momentum μ a velocity v is kept: v ← μ·v − rate·gradient; weight ← weight + v. Nesterov's form
    looks one step ahead: weight ← weight + μ·v − rate·gradient, with the new v.

    Args:
        learning_rate, weight_decay: see :class:`Optimizer`.
        momentum: the part of the velocity that is kept, 0 to under 1.
        nesterov: look ahead.

    Source: Sutskever et al., *On the importance of initialization and momentum in deep learning* (2013).
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
    ) -> None:
        super().__init__(learning_rate, weight_decay)
        self.momentum = as_number(momentum, "momentum", below=1)
        self.nesterov = bool(nesterov)
        self.remembers = ("velocity",) if self.momentum else ()

    def update(self, weight: NDArray, gradient: NDArray, rate: float, *memory: NDArray) -> None:
        """Step against the gradient, or along the velocity that it changes."""
        step = gradient * weight.dtype.type(rate)
        if not memory:
            weight -= step
            return
        (velocity,) = memory
        velocity *= self.momentum
        velocity -= step
        if self.nesterov:
            weight += self.momentum * velocity - step
        else:
            weight += velocity


class Adam(Optimizer):
    """Steps of about the learning rate for every weight, whatever the size of its gradients.

    Running means of the gradient, m, and of its square, v, both zero at first and corrected for that:
    weight ← weight − rate·√(1 − β₂ᵗ)/(1 − β₁ᵗ) · m / (√v + ε).

    Args:
        learning_rate, weight_decay: see :class:`Optimizer`.
        beta_1, beta_2: how much of the two means is kept, 0 to under 1.
        epsilon: keeps the quotient finite.

    Source: Kingma and Ba, *Adam* (2015, arXiv:1412.6980), with the ε of the formula before its section 2.1.
    """

    remembers = ("mean", "square")

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        *,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
    ) -> None:
        super().__init__(learning_rate, weight_decay)
        self.beta_1 = as_number(beta_1, "beta_1", below=1)
        self.beta_2 = as_number(beta_2, "beta_2", below=1)
        self.epsilon = as_number(epsilon, "epsilon")

    def update(self, weight: NDArray, gradient: NDArray, rate: float, *memory: NDArray) -> None:
        """Move both means a little towards this gradient, then step along their quotient."""
        mean, square = memory
        change = gradient - mean
        mean += np.multiply(change, 1 - self.beta_1, out=change)
        np.multiply(gradient, gradient, out=change)  # one array for all that comes between
        change -= square
        square += np.multiply(change, 1 - self.beta_2, out=change)
        step = self.iterations + 1
        correction = math.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        quotient = np.sqrt(square, out=change)
        quotient += self.epsilon
        np.divide(mean, quotient, out=quotient)
        weight -= np.multiply(quotient, rate * correction, out=quotient)


#: By name, with Keras' default settings.
OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {"sgd": SGD, "adam": Adam}


def optimizer(given: str | Optimizer) -> Optimizer:
    """The optimizer of this name (in any case) with its default settings, or the one given.

    >>> optimizer("adam")
    Adam(learning_rate=0.001, weight_decay=0.0, beta_1=0.9, beta_2=0.999, epsilon=1e-07)
    """
    if isinstance(given, Optimizer):
        return given
    name = given.lower() if isinstance(given, str) else ""
    if name not in OPTIMIZERS:
        raise OptionError(f"optimizer {given!r} is unknown; use one of {', '.join(OPTIMIZERS)}, or SGD(...)")
    return OPTIMIZERS[name]()
