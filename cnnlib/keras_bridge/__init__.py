"""The one door to Keras, the peer that every operator and every count is compared with.

Nothing else in this library imports Keras; it is loaded, with TensorFlow under it, when first used.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib import convolution, pooling
from cnnlib.convolution import as_floats
from cnnlib.errors import CnnError, MissingExtraError, ShapeError
from cnnlib.sizes import per_axis


class DisagreementError(CnnError, AssertionError):
    """This library and Keras gave different results."""


@functools.cache
def keras() -> ModuleType:
    """Keras on TensorFlow, loaded quietly, or an error that says how to get it."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up chatter
    try:
        with _silent():
            import keras as module
    except ImportError:
        raise MissingExtraError("Keras", "keras") from None
    return module


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep off the standard error what TensorFlow's C++ writes there while it is loaded.

    Some of it comes before TensorFlow has read its log level, so no setting of Python's stops it.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@dataclass(frozen=True)
class LayerFacts:
    """What Keras says of a layer before any number goes through it."""

    name: str
    output_shape: tuple[int | None, ...]
    weight_shape: tuple[int, ...] | None
    parameters: int


def layer_facts(layer: Any, input_shape: Sequence[int | None]) -> LayerFacts:
    """Build a Keras layer for ``input_shape`` (batch, *spatial, channels) and read its shapes and counts.

    >>> layer_facts(keras().layers.Conv2D(10, 5, padding="same"), (1, 32, 32, 3))
    LayerFacts(name='Conv2D', output_shape=(1, 32, 32, 10), weight_shape=(5, 5, 3, 10), parameters=760)
    """
    layer.build(tuple(input_shape))
    output = layer.compute_output_shape(tuple(input_shape))
    weights = tuple(layer.weights[0].shape) if layer.weights else None
    return LayerFacts(type(layer).__name__, tuple(output), weights, int(layer.count_params()))


def conv_facts(input_shape: Sequence[int], filters: int, kernel_size: Any, **arguments: Any) -> LayerFacts:
    """Shapes and counts of Keras' ``Conv1D``, ``Conv2D`` or ``Conv3D``, chosen by ``input_shape``.

    >>> conv_facts((1, 6, 1), filters=1, kernel_size=2, strides=2).output_shape
    (1, 3, 1)
    """
    layer = _layer("Conv", len(input_shape) - 2)
    return layer_facts(layer(filters, kernel_size, **arguments), input_shape)


def pool_facts(input_shape: Sequence[int], pool_size: Any, **arguments: Any) -> LayerFacts:
    """Shapes of Keras' ``MaxPooling1D``, ``2D`` or ``3D``, chosen by ``input_shape``.

    >>> pool_facts((1, 28, 28, 6), pool_size=2).output_shape
    (1, 14, 14, 6)
    """
    layer = _layer("MaxPooling", len(input_shape) - 2)
    return layer_facts(layer(pool_size, **arguments), input_shape)


def conv(
    inputs: ArrayLike,
    kernel: ArrayLike,
    strides: Any = 1,
    padding: str = "valid",
    dilation_rate: Any = 1,
    groups: int = 1,
    bias: ArrayLike | None = None,
) -> NDArray:
    """What a Keras convolution layer with these weights makes of ``inputs``.

    Arguments, shapes and result are those of :func:`cnnlib.convolution.conv`, as far as Keras has them:
    one to three spatial axes, and no stride together with dilation.

    >>> conv([[[3.0], [1.0], [4.0]]], [[[1.0]], [[2.0]]]).ravel()
    array([5., 9.])
    """
    values, weights = as_floats(inputs, "inputs"), as_floats(kernel, "kernel")
    rank = values.ndim - 2
    layer = _layer("Conv", rank)(
        weights.shape[-1],
        weights.shape[:rank],
        strides=strides,
        padding=padding,
        dilation_rate=dilation_rate,
        groups=groups,
        use_bias=bias is not None,
        dtype=str(np.result_type(values, weights)),
    )
    layer.build(values.shape)
    layer.set_weights([weights] if bias is None else [weights, np.asarray(bias)])
    return np.asarray(layer(values))


def max_pool(inputs: ArrayLike, pool_size: Any, strides: Any = None, padding: str = "valid") -> NDArray:
    """What Keras' max pooling layer makes of ``inputs`` (batch, *spatial, channels).

    >>> max_pool([[[1.0], [3.0], [2.0], [9.0]]], pool_size=2).ravel()
    array([3., 9.])
    """
    return _pool("MaxPooling", inputs, pool_size, strides, padding)


def average_pool(inputs: ArrayLike, pool_size: Any, strides: Any = None, padding: str = "valid") -> NDArray:
    """What Keras' average pooling layer makes of ``inputs`` (batch, *spatial, channels).

    >>> average_pool([[[1.0], [3.0], [2.0], [9.0]]], pool_size=2).ravel()
    array([2. , 5.5])
    """
    return _pool("AveragePooling", inputs, pool_size, strides, padding)


def _pool(name: str, inputs: ArrayLike, pool_size: Any, strides: Any, padding: str) -> NDArray:
    values = as_floats(inputs, "inputs")
    layer = _layer(name, values.ndim - 2)
    built = layer(pool_size, strides=strides, padding=padding, dtype=str(values.dtype))
    return np.asarray(built(values))


def _layer(name: str, rank: int) -> Any:
    if rank not in (1, 2, 3):
        raise ShapeError(f"Keras has {name}1D, 2D and 3D, but the input has {rank} spatial axes")
    return getattr(keras().layers, f"{name}{rank}D")


#: Our operators and their peers.
PEERS: dict[str, tuple[Callable[..., NDArray], Callable[..., NDArray], str]] = {
    "conv": (convolution.conv, conv, "Conv"),
    "max_pool": (pooling.max_pool, max_pool, "MaxPooling"),
    "average_pool": (pooling.average_pool, average_pool, "AveragePooling"),
}


@dataclass(frozen=True)
class Agreement:
    """The outcome of one comparison with Keras, which a notebook shows as a sentence."""

    layer: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    largest_difference: float
    allowed: float

    def __str__(self) -> str:
        return (
            f"cnnlib = Keras {self.layer}: {self.input_shape} → {self.output_shape},\n"
            f"largest difference {self.largest_difference:.1e} (rounding allows {self.allowed:.1e})"
        )

    __repr__ = __str__


def agree(operator: str, inputs: ArrayLike, *arguments: Any, **options: Any) -> Agreement:
    """Run one of our operators and its Keras layer on the same numbers and compare.

    Args:
        operator: ``conv``, ``max_pool`` or ``average_pool``.
        inputs, arguments, options: what the operator takes.

    Returns:
        what was compared, and the largest difference.

    Raises:
        DisagreementError: shapes differ, or values differ beyond the rounding of their dtype.

    >>> agree("max_pool", np.arange(8.0).reshape(1, 8, 1), pool_size=3, strides=2).output_shape
    (1, 3, 1)
    """
    if operator not in PEERS:
        raise CnnError(f"no operator {operator!r} to compare; there are {', '.join(PEERS)}")
    ours_of, theirs_of, name = PEERS[operator]
    values = as_floats(inputs, "inputs")
    ours = ours_of(values, *arguments, **options)
    theirs = theirs_of(values, *arguments, **options)
    layer = f"{name}{values.ndim - 2}D"
    if ours.shape != theirs.shape:
        raise DisagreementError(f"{layer}: our shape is {ours.shape}, Keras' is {theirs.shape}")
    largest = float(np.abs(ours - theirs).max(initial=0))
    allowed = _rounding(ours_of, theirs.dtype, values, *arguments, **options)
    if not largest <= allowed:
        raise DisagreementError(
            f"{layer}: values differ by {largest:.3g} where rounding allows {allowed:.3g}"
        )
    return Agreement(layer, values.shape, ours.shape, largest, allowed)


def _rounding(operator: Callable[..., NDArray], dtype: Any, *arguments: Any, **options: Any) -> float:
    """How far two right results may lie apart, because each adds its products in its own order.

    A sum of n products rounds by about sqrt(n) units in the last place of the sum of their absolute
    values (Higham, *Accuracy and Stability of Numerical Algorithms*, 2002, section 4.2), and that sum is
    what the operator makes of the absolute values of its arguments.
    """
    bound = inspect.signature(operator).bind(*arguments, **options)
    for name in {"inputs", "kernel", "bias"} & bound.arguments.keys():
        if bound.arguments[name] is not None:
            bound.arguments[name] = np.abs(as_floats(bound.arguments[name], name))
    magnitudes = operator(*bound.args, **bound.kwargs)
    if "kernel" in bound.arguments:
        terms = math.prod(bound.arguments["kernel"].shape[:-1])
    else:
        terms = math.prod(per_axis(bound.arguments["pool_size"], magnitudes.ndim - 2, "pool_size"))
    return float(np.finfo(dtype).eps * max(terms, 16) ** 0.5 * magnitudes.max(initial=0))
