"""The Keras twin of each operator: the same arguments, the same arrays, outputs and gradients.

A twin is a function of tensors that calls the Keras layer (or, where Keras has a function and no layer, the
function) that our operator is to equal. TensorFlow's tape differentiates it, so that the gradients, too,
are Keras' own.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib import convolution, pooling
from cnnlib.convolution import as_floats
from cnnlib.errors import CnnError
from cnnlib.keras_bridge.backend import keras, tensorflow
from cnnlib.keras_bridge.facts import layer_class
from cnnlib.sizes import per_axis

#: A tensor of TensorFlow, which this library does not know when it is imported.
Tensor = Any
#: Results by the name of what they belong to: "outputs", and a gradient for each array that went in.
Results = dict[str, NDArray]
#: The arguments that are arrays; all others are options.
ARRAYS = ("inputs", "kernel", "depthwise_kernel", "pointwise_kernel", "bias")


@dataclass(frozen=True)
class Peer:
    """One of our operators, and what Keras has in its place."""

    operator: Callable[..., Any]
    twin: Callable[..., Tensor]
    #: The name that a reader of Keras' documentation looks for; ``{rank}`` is the number of spatial axes.
    layer: str
    #: Whether the outputs are some of the inputs, so that nothing rounds.
    selects: bool = False
    #: How far each result may round, where that is no sum of products: see ``agreement.summed``.
    rounds: Callable[..., dict[str, tuple[NDArray, Any]]] | None = None

    @functools.cached_property
    def backward(self) -> Callable[..., Any] | None:
        """The backward pass, which stands beside its operator."""
        module = importlib.import_module(self.operator.__module__)
        return getattr(module, f"{self.operator.__name__}_backward", None)


def bind(operator: str, *arguments: Any, **options: Any) -> tuple[dict[str, NDArray], dict[str, Any]]:
    """Sort the arguments of an operator into arrays and options, each under its name.

    >>> arrays, options = bind("max_pool", [[[1.0], [3.0]]], 2, padding="same")
    >>> arrays["inputs"].shape, options
    ((1, 2, 1), {'pool_size': 2, 'padding': 'same'})
    """
    bound = inspect.signature(peer(operator).operator).bind(*arguments, **options).arguments
    arrays = {n: as_floats(v, n) for n, v in bound.items() if n in ARRAYS and v is not None}
    return arrays, {n: v for n, v in bound.items() if n not in ARRAYS}


def ours(
    operator: str, arrays: Mapping[str, NDArray], options: Mapping[str, Any], gradient: NDArray | None = None
) -> Results:
    """Our outputs and, where dL/d(outputs) is given, our gradients."""
    known = peer(operator)
    if gradient is None:
        return {"outputs": known.operator(**arrays, **options)}
    if known.backward is None:
        raise CnnError(f"{operator} has no backward pass")
    accepted = inspect.signature(known.backward).parameters
    given = {name: value for name, value in {**arrays, **options}.items() if name in accepted}
    found = known.backward(gradient, **given)
    if isinstance(found, np.ndarray):
        return {"inputs": found}
    return {name: found._asdict()[name] for name in arrays}


def theirs(
    operator: str, arrays: Mapping[str, NDArray], options: Mapping[str, Any], gradient: NDArray | None = None
) -> Results:
    """Keras' outputs and, where dL/d(outputs) is given, the gradients of its tape."""
    tf = tensorflow()
    tensors = {name: tf.constant(value) for name, value in arrays.items()}
    if gradient is None:
        return {"outputs": np.asarray(peer(operator).twin(**tensors, **options))}
    with tf.GradientTape() as tape:
        tape.watch(list(tensors.values()))
        outputs = peer(operator).twin(**tensors, **options)
    slopes = tape.gradient(outputs, tensors, tf.constant(gradient))
    return {"outputs": np.asarray(outputs)} | {name: np.asarray(slope) for name, slope in slopes.items()}


def peer(operator: str) -> Peer:
    """The entry of ``PEERS``, or an error that names them.

    >>> peer("conv").layer.format(rank=2)
    'Conv2D'
    """
    if operator not in PEERS:
        raise CnnError(f"no operator {operator!r} to compare; there are {', '.join(PEERS)}")
    return PEERS[operator]


def conv(
    inputs: ArrayLike,
    kernel: ArrayLike,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    groups: int = 1,
    bias: ArrayLike | None = None,
) -> NDArray:
    """What a Keras convolution layer with these weights makes of ``inputs``.

    Arguments, shapes and result are those of :func:`cnnlib.convolution.conv`, as far as Keras has them:
    one to three spatial axes, and no stride together with dilation. (Padding by numbers or pairs is
    Keras' ``ZeroPadding`` layer in front of one without padding.)

    >>> conv([[[3.0], [1.0], [4.0]]], [[[1.0]], [[2.0]]]).ravel()
    array([5., 9.])
    """
    return _outputs("conv", inputs, kernel, strides, padding, dilation_rate, groups, bias)


def max_pool(inputs: ArrayLike, pool_size: Any, strides: Any = None, padding: str = "valid") -> NDArray:
    """What Keras' max pooling layer makes of ``inputs`` (batch, *spatial, channels).

    >>> max_pool([[[1.0], [3.0], [2.0], [9.0]]], pool_size=2).ravel()
    array([3., 9.])
    """
    return _outputs("max_pool", inputs, pool_size, strides, padding)


def average_pool(inputs: ArrayLike, pool_size: Any, strides: Any = None, padding: str = "valid") -> NDArray:
    """What Keras' average pooling layer makes of ``inputs`` (batch, *spatial, channels).

    >>> average_pool([[[1.0], [3.0], [2.0], [9.0]]], pool_size=2).ravel()
    array([2. , 5.5])
    """
    return _outputs("average_pool", inputs, pool_size, strides, padding)


def _outputs(operator: str, *arguments: Any) -> NDArray:
    arrays, options = bind(operator, *arguments)
    dtype = np.result_type(*arrays.values())
    return theirs(operator, {n: v.astype(dtype, copy=False) for n, v in arrays.items()}, options)["outputs"]


# ---- the twins: tensors in, tensors out ----


@functools.lru_cache(maxsize=256)
def _layer(kind: Any, channels: int, rank: int, options: tuple[tuple[str, Any], ...]) -> Any:
    """A built layer, kept: building takes longer than a call. Its own weights are never used."""
    layer = kind(**dict(options))
    layer.build((None, *[None] * rank, channels))
    return layer


def _call(name: str, inputs: Tensor, weights: list[Tensor], **options: Any) -> Tensor:
    """What the layer makes of ``inputs`` with these weights in place of its own."""
    rank = len(inputs.shape) - 2
    options |= {"dtype": inputs.dtype.name}
    frozen = tuple(sorted((n, tuple(v) if isinstance(v, list) else v) for n, v in options.items()))
    layer = _layer(layer_class(name, rank), inputs.shape[-1], rank, frozen)
    return layer.stateless_call(weights, [], inputs)[0]


def _framed(inputs: Tensor, padding: Any) -> tuple[Tensor, str]:
    """The inputs with numbers or pairs of padding put around them, and the mode that is left to do."""
    if isinstance(padding, str):
        return inputs, padding
    rank = len(inputs.shape) - 2
    entries = [padding] * rank if isinstance(padding, int) else list(padding)
    pairs = [(entry, entry) if isinstance(entry, int) else tuple(entry) for entry in entries]
    name, amounts = "ZeroPadding", tuple(pairs) if rank > 1 else pairs[0]
    return _call(name, inputs, [], padding=amounts), "valid"


def _conv(inputs: Tensor, kernel: Tensor, bias: Tensor | None = None, **options: Any) -> Tensor:
    rank = len(inputs.shape) - 2
    inputs, options["padding"] = _framed(inputs, options.get("padding", "valid"))
    return _call(
        "Conv",
        inputs,
        [kernel] if bias is None else [kernel, bias],
        filters=kernel.shape[-1],
        kernel_size=tuple(kernel.shape[:rank]),
        use_bias=bias is not None,
        **options,
    )


def _pool(name: str, inputs: Tensor, **options: Any) -> Tensor:
    return _call(name, inputs, [], **options)


# ---- how far right results may lie apart, where nothing but a sum of products is at work ----


def _average_rounds(
    arrays: Mapping[str, NDArray], options: Mapping[str, Any], gradient: NDArray | None
) -> dict[str, tuple[NDArray, Any]]:
    """A mean adds a window's values and divides; its gradient adds one share a window."""
    inputs = np.abs(arrays["inputs"])
    size = per_axis(options["pool_size"], inputs.ndim - 2, "pool_size")
    slopes = None if gradient is None else np.abs(gradient)
    return {
        n: (v, math.prod(size)) for n, v in ours("average_pool", {"inputs": inputs}, options, slopes).items()
    }


#: Our operators and their peers.
PEERS: dict[str, Peer] = {
    "conv": Peer(convolution.conv, _conv, "Conv{rank}D"),
    "max_pool": Peer(
        pooling.max_pool, functools.partial(_pool, "MaxPooling"), "MaxPooling{rank}D", selects=True
    ),
    "average_pool": Peer(
        pooling.average_pool,
        functools.partial(_pool, "AveragePooling"),
        "AveragePooling{rank}D",
        rounds=_average_rounds,
    ),
}
