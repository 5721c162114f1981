"""What stands between convolutions, under one name: dense layers, dropout, activations, losses and more.

Chapters 9 and 11. Plain functions on arrays, each with its backward pass beside it; what a backward pass
needs is passed in, and nothing is remembered. Activations are defined in :mod:`cnnlib.activations`, losses in
:mod:`cnnlib.losses`, normalisation in :mod:`cnnlib.normalization`; all can be had from here.

>>> inputs = np.ones((2, 3))
>>> relu(dense(inputs, kernel=-np.ones((3, 4)))).shape
(2, 4)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.activations import (
    ACTIVATIONS,
    Activation,
    activation,
    activation_backward,
    elu,
    elu_backward,
    gelu,
    gelu_backward,
    leaky_relu,
    leaky_relu_backward,
    linear,
    linear_backward,
    log_softmax,
    log_softmax_backward,
    relu,
    relu6,
    relu6_backward,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    silu,
    silu_backward,
    softmax,
    softmax_backward,
    tanh,
    tanh_backward,
)
from cnnlib.convolution import as_floats, as_gradient, check_needs
from cnnlib.errors import CnnError, ShapeError, SizeError
from cnnlib.losses import (
    binary_crossentropy,
    binary_crossentropy_backward,
    categorical_crossentropy,
    categorical_crossentropy_backward,
    mean_squared_error,
    mean_squared_error_backward,
    sparse_categorical_crossentropy,
    sparse_categorical_crossentropy_backward,
)
from cnnlib.normalization import (
    batch_normalization,
    batch_normalization_backward,
    batch_normalization_train,
    batch_normalization_train_backward,
    local_response_normalization,
    local_response_normalization_backward,
)
from cnnlib.sizes import as_int, as_shape

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "DenseGradients",
    "activation",
    "activation_backward",
    "batch_normalization",
    "batch_normalization_backward",
    "batch_normalization_train",
    "batch_normalization_train_backward",
    "binary_crossentropy",
    "binary_crossentropy_backward",
    "categorical_crossentropy",
    "categorical_crossentropy_backward",
    "dense",
    "dense_backward",
    "dropout",
    "dropout_backward",
    "elu",
    "elu_backward",
    "flatten",
    "flatten_backward",
    "gelu",
    "gelu_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "linear",
    "linear_backward",
    "local_response_normalization",
    "local_response_normalization_backward",
    "log_softmax",
    "log_softmax_backward",
    "mean_squared_error",
    "mean_squared_error_backward",
    "relu",
    "relu6",
    "relu6_backward",
    "relu_backward",
    "sigmoid",
    "sigmoid_backward",
    "silu",
    "silu_backward",
    "softmax",
    "softmax_backward",
    "sparse_categorical_crossentropy",
    "sparse_categorical_crossentropy_backward",
    "tanh",
    "tanh_backward",
]

Floats = NDArray[np.floating]


class DenseGradients(NamedTuple):
    """What the loss changes by with each argument of :func:`dense`, in the argument's own shape."""

    inputs: Floats | None
    kernel: Floats | None
    bias: Floats | None


def dense(inputs: ArrayLike, kernel: ArrayLike, bias: ArrayLike | None = None) -> Floats:
    """Connect every input with every unit: a weighted sum for each, and a bias.

    Args:
        inputs: array (..., features); all axes but the last are kept, as in Keras.
        kernel: array (features, units).
        bias: array (units,), or None.

    Returns:
        array (..., units).

    Raises:
        ShapeError: features or units clash.

    >>> dense([[1, 2.0]], [[1, 0, 3], [0, 1, 1.0]], bias=[0, 0, 10.0])
    array([[ 1.,  2., 15.]])
    """
    inputs, kernel = _check_dense(inputs, kernel)
    dtype = np.result_type(inputs, kernel)
    outputs = inputs.astype(dtype, copy=False) @ kernel.astype(dtype, copy=False)
    if bias is not None:
        shift = as_floats(bias, "bias")
        if shift.shape != kernel.shape[1:]:
            raise ShapeError(
                f"bias has shape {shift.shape}; {kernel.shape[1]} units need ({kernel.shape[1]},)"
            )
        outputs += shift.astype(dtype, copy=False)
    return outputs


def dense_backward(
    gradient: ArrayLike,
    inputs: ArrayLike,
    kernel: ArrayLike,
    *,
    needs: Sequence[str] = ("inputs", "kernel", "bias"),
) -> DenseGradients:
    """The gradients of :func:`dense`, given the loss's gradient (..., units) of its outputs.

    Each is in the shape of its argument; one that is not in ``needs`` is None and costs nothing.

    >>> dense_backward([[1.0, 1]], [[2, 3.0]], [[1, 0], [0, 1.0]]).kernel
    array([[2., 2.],
           [3., 3.]])
    """
    inputs, kernel = _check_dense(inputs, kernel)
    check_needs(needs, DenseGradients._fields)
    dtype = np.result_type(inputs, kernel)
    gradient = as_gradient(gradient, (*inputs.shape[:-1], kernel.shape[1]), dtype)
    rows = gradient.reshape(-1, kernel.shape[1])
    return DenseGradients(
        gradient @ kernel.T if "inputs" in needs else None,
        inputs.reshape(-1, inputs.shape[-1]).T @ rows if "kernel" in needs else None,
        rows.sum(axis=0) if "bias" in needs else None,
    )


def _check_dense(inputs: ArrayLike, kernel: ArrayLike) -> tuple[Floats, Floats]:
    """Both as floats, or which shapes clash."""
    inputs, kernel = as_floats(inputs, "inputs"), as_floats(kernel, "kernel")
    if kernel.ndim != 2 or inputs.ndim < 1 or inputs.shape[-1] != kernel.shape[0]:
        wanted = f"({inputs.shape[-1]}, units)" if inputs.ndim else "(features, units)"
        raise ShapeError(
            f"inputs of shape {inputs.shape} and a kernel of shape {kernel.shape} do not go together; "
            f"the kernel must have shape {wanted}"
        )
    return inputs, kernel


def flatten(inputs: ArrayLike) -> Floats:
    """Each image as one row, (batch, *shape) to (batch, product of shape): rows, then columns, then channels.

    >>> flatten(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[0., 1., 2., 3., 4., 5., 6., 7.]])
    """
    values = as_floats(inputs, "inputs")
    if values.ndim < 1:
        raise ShapeError("inputs of shape () cannot be flattened; they need a batch axis: (batch, ...)")
    return values.reshape(values.shape[0], math.prod(values.shape[1:]))


def flatten_backward(gradient: ArrayLike, inputs: ArrayLike) -> Floats:
    """The gradient (batch, features) back in the shape of ``inputs``.

    >>> flatten_backward(np.arange(4.0).reshape(1, 4), np.zeros((1, 2, 2, 1))).shape
    (1, 2, 2, 1)
    """
    values = as_floats(inputs, "inputs")
    return as_gradient(gradient, flatten(values).shape, values.dtype).reshape(values.shape)


def dropout(
    inputs: ArrayLike, rate: float, rng: np.random.Generator, noise_shape: Sequence[int | None] | None = None
) -> tuple[Floats, NDArray[np.bool_]]:
    """Set a random part of the inputs to 0 and enlarge the rest, so that the expected sum stays.

    Args:
        inputs: array of any shape.
        rate: the probability of each value to be dropped, at least 0 and below 1.
        rng: where the random numbers come from.
        noise_shape: the shape of the mask where values share their fate, None or 1 an axis as in Keras:
            (None, 1, 1, None) drops whole feature maps.

    Returns:
        outputs in the shape of ``inputs``, and the mask: true where a value was kept. The kept values are
        divided by 1 - rate ("inverted" dropout), so that nothing has to be done at inference.

    Srivastava et al., *Dropout: a simple way to prevent neural networks from overfitting* (2014).

    >>> outputs, mask = dropout(np.ones(6), rate=0.5, rng=np.random.default_rng(1))
    >>> outputs
    array([0., 2., 2., 2., 0., 0.])
    """
    values = as_floats(inputs, "inputs")
    keep = 1 - _check_rate(rate)
    if not isinstance(rng, np.random.Generator):
        raise CnnError(f"rng must be a generator such as np.random.default_rng(1), not {rng!r}")
    shape = values.shape if noise_shape is None else _noise_shape(noise_shape, values.shape)
    mask = rng.random(shape, dtype=np.float32) >= rate
    return values * _scaled(mask, keep, values.dtype), mask


def dropout_backward(gradient: ArrayLike, mask: NDArray[np.bool_], rate: float) -> Floats:
    """The gradient of :func:`dropout`, by the mask that it returned: what was dropped gets nothing.

    >>> dropout_backward(np.ones(3), np.array([True, False, True]), rate=0.5)
    array([2., 0., 2.])
    """
    values = as_floats(gradient, "gradient")
    _noise_shape(np.shape(mask), values.shape)
    return values * _scaled(mask, 1 - _check_rate(rate), values.dtype)


def _scaled(mask: NDArray[np.bool_], keep: float, dtype: np.dtype) -> Floats:
    return mask * dtype.type(1 / keep)


def _check_rate(rate: float) -> float:
    if isinstance(rate, bool) or not isinstance(rate, (int, float, np.number)) or not 0 <= rate < 1:
        raise SizeError(f"rate must be at least 0 and below 1, not {rate!r}; 0.5 drops half of the values")
    return float(rate)


def _noise_shape(noise_shape: Sequence[int | None], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a mask that ``shape`` can be multiplied with."""
    sizes = as_shape(noise_shape, "noise_shape")
    sizes = tuple(None if n is None else as_int(n, "noise_shape") for n in sizes)
    fits = all(n in (None, 1, m) for n, m in zip(sizes, shape, strict=False))
    if len(sizes) != len(shape) or not fits:
        raise ShapeError(
            f"a mask of shape {sizes} does not go with values of shape {shape}; "
            "each of its axes is as long, or 1 or None"
        )
    return tuple(m if n is None else n for n, m in zip(sizes, shape, strict=True))
