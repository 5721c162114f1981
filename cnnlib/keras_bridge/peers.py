"""The Keras twin of each operator: the same arguments, the same arrays, outputs and gradients.

A twin is a function of tensors that calls the Keras layer (or, where Keras has a function and no layer, the
function) that our operator is to equal. TensorFlow's tape differentiates it, so that the gradients, too,
are Keras' own.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib import activations, convolution, functional, losses, normalization, pooling, upsampling, variants
from cnnlib.convolution import as_floats
from cnnlib.errors import CnnError
from cnnlib.keras_bridge import rounding, twins
from cnnlib.keras_bridge.backend import tensorflow

#: Results by the name of what they belong to: "outputs", and a gradient for each array that went in.
Results = dict[str, NDArray]


@dataclass(frozen=True)
class Peer:
    """One of our operators, and what Keras has in its place."""

    operator: Callable[..., Any]
    twin: Callable[..., Any]
    #: The name that a reader of Keras' documentation looks for; ``{rank}`` is the number of spatial axes.
    layer: str
    #: Whether the outputs are some of the inputs, so that nothing rounds.
    selects: bool = False
    #: How far each result may round, where it is no sum of products: a function of ``rounding``.
    rounds: Callable[..., rounding.Bounds] | None = None
    #: The results of the operator by name, where there are several.
    results: tuple[str, ...] = ("outputs",)
    #: The array whose gradient a backward pass returns where it returns only one.
    towards: str = "inputs"

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
    signature = inspect.signature(peer(operator).operator)
    bound = signature.bind(*arguments, **options).arguments
    known = {name for name in bound if "ArrayLike" in str(signature.parameters[name].annotation)}
    arrays = {n: _as_array(v, n) for n, v in bound.items() if n in known and v is not None}
    return arrays, {n: v for n, v in bound.items() if n not in known}


def _as_array(values: ArrayLike, name: str) -> NDArray:
    labels = name == "target" and np.asarray(values).dtype.kind in "iu"  # class numbers stay what they are
    return np.asarray(values) if labels else as_floats(values, name)


def ours(
    operator: str, arrays: Mapping[str, NDArray], options: Mapping[str, Any], gradient: NDArray | None = None
) -> Results:
    """Our outputs and, where dL/d(outputs) is given, our gradients."""
    known = peer(operator)
    if gradient is None:
        return _by_name(known, known.operator(**arrays, **options))
    if known.backward is None:
        raise CnnError(f"{operator} has no backward pass")
    accepted = inspect.signature(known.backward).parameters
    given = {name: value for name, value in {**arrays, **options}.items() if name in accepted}
    found = known.backward(gradient, **given)
    if isinstance(found, np.ndarray):
        return {known.towards: found}
    return {name: slope for name, slope in found._asdict().items() if name in arrays}


def _by_name(known: Peer, found: Any) -> Results:
    values = found if len(known.results) > 1 else (found,)
    return {name: np.asarray(value) for name, value in zip(known.results, values, strict=True)}


def theirs(
    operator: str, arrays: Mapping[str, NDArray], options: Mapping[str, Any], gradient: NDArray | None = None
) -> Results:
    """Keras' outputs and, where dL/d(outputs) is given, the gradients of its tape."""
    known, tf = peer(operator), tensorflow()
    tensors = {name: tf.constant(value) for name, value in arrays.items()}
    if gradient is None:
        return _by_name(known, known.twin(**tensors, **options))
    with tf.GradientTape() as tape:
        tape.watch([tensor for tensor in tensors.values() if tensor.dtype.is_floating])
        found = known.twin(**tensors, **options)
        outputs = found[0] if len(known.results) > 1 else found
    slopes = tape.gradient(outputs, tensors, tf.constant(gradient))
    gradients = {name: np.asarray(slope) for name, slope in slopes.items() if slope is not None}
    return _by_name(known, found) | gradients


def peer(operator: str) -> Peer:
    """The entry of ``PEERS``, or an error that names them.

    >>> peer("conv").layer.format(rank=2)
    'Conv2D'
    """
    if not isinstance(operator, str) or operator not in PEERS:
        near = ", ".join(difflib.get_close_matches(str(operator), PEERS, 3) or list(PEERS)[:3])
        raise CnnError(f"no operator {operator!r} to compare; is it one of {near}? All are in PEERS")
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


def _activation(operator: Callable[..., NDArray], rounds: Any = rounding.elementwise, **notes: Any) -> Peer:
    name = operator.__name__
    return Peer(
        operator, partial(twins.activation, name), f"keras.activations.{name}", rounds=rounds, **notes
    )


def _loss(operator: Callable[..., Any], layer: str) -> Peer:
    rounds = partial(rounding.loss, operator.__name__)
    return Peer(
        operator, partial(twins.loss, layer), f"keras.losses.{layer}", rounds=rounds, towards="output"
    )


def _layer(operator: Callable[..., NDArray], layer: str, **notes: Any) -> Peer:
    """An operator without weights, and the layer that comes as 1D, 2D and 3D."""
    return Peer(operator, partial(twins.spatial_layer, layer), f"{layer}{{rank}}D", **notes)


#: Our operators and their peers.
PEERS: dict[str, Peer] = {
    "conv": Peer(convolution.conv, twins.conv, "Conv{rank}D"),
    "depthwise_conv": Peer(variants.depthwise_conv, twins.depthwise_conv, "DepthwiseConv{rank}D"),
    "separable_conv": Peer(variants.separable_conv, twins.separable_conv, "SeparableConv{rank}D"),
    "max_pool": _layer(pooling.max_pool, "MaxPooling", selects=True),
    "average_pool": _layer(pooling.average_pool, "AveragePooling", rounds=rounding.mean_of_windows),
    "global_max_pool": _layer(pooling.global_max_pool, "GlobalMaxPooling", selects=True),
    "global_average_pool": _layer(
        pooling.global_average_pool, "GlobalAveragePooling", rounds=rounding.mean_of_map
    ),
    "conv_transpose": Peer(upsampling.conv_transpose, twins.conv_transpose, "Conv{rank}DTranspose"),
    "upsample_nearest": _layer(upsampling.upsample_nearest, "UpSampling", selects=True),
    "upsample_bilinear": Peer(
        upsampling.upsample_bilinear,
        partial(twins.spatial_layer, "UpSampling", interpolation="bilinear"),
        "UpSampling{rank}D (bilinear)",
        rounds=rounding.bilinear,
    ),
    "dense": Peer(functional.dense, twins.dense, "Dense"),
    "flatten": Peer(functional.flatten, partial(twins.plain_layer, "Flatten"), "Flatten", selects=True),
    "batch_normalization": Peer(
        normalization.batch_normalization,
        twins.batch_normalization,
        "BatchNormalization",
        rounds=rounding.batch_normalization,
    ),
    "batch_normalization_train": Peer(
        normalization.batch_normalization_train,
        twins.batch_normalization_train,
        "BatchNormalization (training)",
        rounds=rounding.batch_normalization_train,
        results=("outputs", "mean", "variance"),
    ),
    "local_response_normalization": Peer(
        normalization.local_response_normalization,
        twins.local_response_normalization,
        "tf.nn.local_response_normalization",
        rounds=rounding.local_response_normalization,
    ),
    "relu": _activation(activations.relu, None, selects=True),
    "relu6": _activation(activations.relu6, None, selects=True),
    "leaky_relu": _activation(activations.leaky_relu),
    "elu": _activation(activations.elu),
    "sigmoid": _activation(activations.sigmoid, rounding.sigmoid),
    "tanh": _activation(activations.tanh),
    "silu": _activation(activations.silu),
    "gelu": _activation(activations.gelu),
    "softmax": _activation(activations.softmax, rounding.softmax),
    "log_softmax": _activation(activations.log_softmax, rounding.log_softmax),
    "categorical_crossentropy": _loss(losses.categorical_crossentropy, "CategoricalCrossentropy"),
    "sparse_categorical_crossentropy": _loss(
        losses.sparse_categorical_crossentropy, "SparseCategoricalCrossentropy"
    ),
    "binary_crossentropy": _loss(losses.binary_crossentropy, "BinaryCrossentropy"),
    "mean_squared_error": _loss(losses.mean_squared_error, "MeanSquaredError"),
}
