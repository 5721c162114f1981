"""How weights begin: small random numbers, scaled by how many inputs a filter sums. Chapter 11.

The rules and names are Keras'; only the random numbers themselves differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cnnlib.errors import CnnError
from cnnlib.sizes import as_int

#: Draws weights: (generator, shape, dtype) to an array.
Initializer: TypeAlias = "Callable[[np.random.Generator, Sequence[int], np.dtype[Any]], NDArray]"

#: What layers without a seed of their own take theirs from, one after the other.
_source = np.random.SeedSequence()


def set_random_seed(seed: int) -> None:
    """Let all layers that are made from now on draw the same weights in every run, as in Keras.

    >>> from cnnlib.layers import Dense
    >>> def first_weight():
    ...     set_random_seed(1)
    ...     layer = Dense(1)
    ...     layer.build((None, 2))
    ...     return layer.weights["kernel"][0, 0]
    >>> bool(first_weight() == first_weight())
    True
    """
    global _source  # noqa: PLW0603  # as in Keras and NumPy, one source for whoever has none of their own
    _source = np.random.SeedSequence(seed)


def seed_sequence(seed: int | np.random.SeedSequence | None) -> np.random.SeedSequence:
    """Where a layer takes its random numbers from: its own seed, or else its turn at the common source."""
    if isinstance(seed, np.random.SeedSequence):
        return seed
    if seed is None:
        return _source.spawn(1)[0]
    return np.random.SeedSequence(as_int(seed, "seed", minimum=0))


#: The standard deviation of a normal distribution whose values beyond two deviations are drawn anew.
_TRUNCATED = 0.87962566103423978


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """The inputs that one output sums, and the outputs that one input reaches, as Keras counts them.

    The shape is (*kernel_size, channels in, channels out). Keras counts a depthwise kernel, whose last
    axis is the multiplier, in the same way, so that its fans come out larger than they are.

    >>> fans((5, 5, 3, 16)), fans((120, 84)), fans((3, 3, 6, 1))
    ((75, 400), (120, 84), (54, 9))
    """
    if len(shape) < 2:
        return (math.prod(shape), math.prod(shape))
    window = math.prod(shape[:-2])
    return (window * shape[-2], window * shape[-1])


def _truncated_normal(
    generator: np.random.Generator, shape: Sequence[int], dtype: Any, deviation: float
) -> NDArray:
    """Normal numbers within two deviations of 0; the others are drawn anew."""
    values = generator.standard_normal(tuple(shape), dtype)
    while (beyond := np.abs(values) > 2).any():
        values[beyond] = generator.standard_normal(np.count_nonzero(beyond), dtype)
    values *= deviation
    return values


def _uniform(generator: np.random.Generator, shape: Sequence[int], dtype: Any, limit: float) -> NDArray:
    """Numbers from -limit to limit; a large layer is never twice in memory."""
    values = generator.random(tuple(shape), dtype)
    values *= 2 * limit
    values -= limit
    return values


def _scaled(mode: str, scale: float, normal: bool) -> Initializer:
    """An initializer with a variance of scale / fan: that of He, Glorot and LeCun."""

    def draw(generator: np.random.Generator, shape: Sequence[int], dtype: Any) -> NDArray:
        fan_in, fan_out = fans(shape)
        fan = fan_in if mode == "fan_in" else (fan_in + fan_out) / 2
        variance = scale / max(fan, 1)
        if normal:
            return _truncated_normal(generator, shape, dtype, math.sqrt(variance) / _TRUNCATED)
        return _uniform(generator, shape, dtype, math.sqrt(3 * variance))

    return draw


#: By Keras' names: K. He et al. (2015), X. Glorot and Y. Bengio (2010), Y. LeCun et al. (1998).
INITIALIZERS: dict[str, Initializer] = {
    "zeros": lambda generator, shape, dtype: np.zeros(tuple(shape), dtype),
    "ones": lambda generator, shape, dtype: np.ones(tuple(shape), dtype),
    "glorot_uniform": _scaled("fan_avg", 1, normal=False),
    "glorot_normal": _scaled("fan_avg", 1, normal=True),
    "he_uniform": _scaled("fan_in", 2, normal=False),
    "he_normal": _scaled("fan_in", 2, normal=True),
    "lecun_uniform": _scaled("fan_in", 1, normal=False),
    "lecun_normal": _scaled("fan_in", 1, normal=True),
    "random_normal": lambda generator, shape, dtype: (
        generator.standard_normal(tuple(shape), dtype) * dtype.type(0.05)
    ),
    "random_uniform": lambda generator, shape, dtype: _uniform(generator, shape, dtype, 0.05),
    "truncated_normal": lambda generator, shape, dtype: _truncated_normal(generator, shape, dtype, 0.05),
}


def known_initializer(name: Any) -> str:
    """The name of an initializer as it was given, or an error with the names that there are.

    Raises:
        CnnError: an unknown name.
    """
    if not isinstance(name, str) or name not in INITIALIZERS:
        raise CnnError(f"initializer {name!r} is unknown; use one of {', '.join(INITIALIZERS)}")
    return name


def initial(
    name: str, shape: Sequence[int], generator: np.random.Generator, dtype: str = "float32"
) -> NDArray[np.floating]:
    """Weights of ``shape`` as the initializer ``name`` draws them.

    >>> weights = initial("he_normal", (3, 3, 64, 64), np.random.default_rng(0))
    >>> float(weights.std() / np.sqrt(2 / (3 * 3 * 64))).__round__(2)
    1.0

    Raises:
        CnnError: an unknown name.
    """
    draw = INITIALIZERS[known_initializer(name)]
    kind = np.dtype(dtype)
    drawn = np.promote_types(kind, np.float32)  # NumPy draws no float16
    return draw(generator, shape, drawn).astype(kind, copy=False)
