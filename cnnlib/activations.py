"""Activations: the bend after every weighted sum, elementwise, and softmax. Chapters 4, 9 and 11.

Definitions are those of ``keras.activations``, each with its backward pass beside it. float32 stays float32,
and whole numbers are promoted by :func:`cnnlib.convolution.as_floats`. Every activation takes ``out=`` as
NumPy's functions do; ``out=inputs`` works in place.

>>> inputs = np.array([-2.0, 0, 3])
>>> relu(inputs, out=inputs) is inputs
True

Where the slope can be read off the outputs, a backward pass takes them instead of the inputs, so that a
layer may overwrite its inputs:

>>> tanh_backward(np.ones(2), inputs=None, outputs=np.array([0, 0.5]))
array([1.  , 0.75])
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.convolution import as_floats, as_gradient
from cnnlib.errors import CnnError, ShapeError
from cnnlib.sizes import as_int, as_number

Floats = NDArray[np.floating]


def relu(inputs: ArrayLike, *, out: Floats | None = None) -> Floats:
    """Rectified linear unit, max(x, 0), elementwise (Nair and Hinton, 2010). NaN stays NaN.

    >>> relu([-2.0, 0, 3])
    array([0., 0., 3.])
    """
    values = as_floats(inputs, "inputs")
    zeros = np.zeros(values.shape[1:], values.dtype)  # NumPy is slower where one side is a single number
    return np.maximum(values, zeros, out=out)


def relu_backward(
    gradient: ArrayLike, inputs: ArrayLike | None, *, outputs: ArrayLike | None = None
) -> Floats:
    """The gradient of :func:`relu`: all of it where x > 0, none elsewhere, at 0 itself none.

    >>> relu_backward([5.0, 5, 5], [-2.0, 0, 3])
    array([0., 0., 5.])
    """
    made = _made(linear, inputs, outputs)
    return as_gradient(gradient, made.shape, made.dtype) * (made > 0)


def relu6(inputs: ArrayLike, *, out: Floats | None = None) -> Floats:
    """Rectified linear unit that saturates at 6, min(max(x, 0), 6), elementwise (Krizhevsky, 2010).

    >>> relu6([-2.0, 3, 8])
    array([0., 3., 6.])
    """
    return np.clip(as_floats(inputs, "inputs"), 0, 6, out=out)


def relu6_backward(
    gradient: ArrayLike, inputs: ArrayLike | None, *, outputs: ArrayLike | None = None
) -> Floats:
    """The gradient of :func:`relu6`: all of it where 0 < x < 6, none elsewhere.

    >>> relu6_backward([5.0, 5, 5], [-2.0, 3, 8])
    array([0., 5., 0.])
    """
    made = _made(linear, inputs, outputs)
    return as_gradient(gradient, made.shape, made.dtype) * ((made > 0) & (made < 6))


def leaky_relu(inputs: ArrayLike, negative_slope: float = 0.2, *, out: Floats | None = None) -> Floats:
    """The input x where it is positive, ``negative_slope`` times x elsewhere, elementwise.

    Maas et al., *Rectifier nonlinearities improve neural network acoustic models* (2013).

    >>> leaky_relu([-10.0, 10])
    array([-2., 10.])
    """
    values = as_floats(inputs, "inputs")
    negative_slope = as_number(negative_slope, "negative_slope")
    falls = values * values.dtype.type(negative_slope)
    if 0 <= negative_slope <= 1:
        return np.maximum(values, falls, out=out)
    return _put(np.where(values > 0, values, falls), out)


def leaky_relu_backward(
    gradient: ArrayLike,
    inputs: ArrayLike | None,
    negative_slope: float = 0.2,
    *,
    outputs: ArrayLike | None = None,
) -> Floats:
    """The gradient of :func:`leaky_relu`: all of it where x > 0, ``negative_slope`` of it elsewhere.

    ``outputs`` serve instead of the inputs (which may be None) as long as the slope is not negative.

    >>> leaky_relu_backward([5.0, 5], [-10.0, 10])
    array([1., 5.])
    """
    made = _made(linear, inputs, outputs)
    slopes = as_gradient(gradient, made.shape, made.dtype)
    slope = made.dtype.type(as_number(negative_slope, "negative_slope"))
    return slopes * (made > 0) + slopes * (made <= 0) * slope


def elu(inputs: ArrayLike, alpha: float = 1.0, *, out: Floats | None = None) -> Floats:
    """Exponential linear unit: x where it is positive, alpha (e^x - 1) elsewhere (Clevert et al., 2016).

    >>> elu([-1000.0, 0, 3])
    array([-1.,  0.,  3.])
    """
    values = as_floats(inputs, "inputs")
    falls = np.expm1(np.minimum(values, 0))
    falls *= values.dtype.type(as_number(alpha, "alpha"))
    return np.add(np.maximum(values, 0), falls, out=out)


def elu_backward(
    gradient: ArrayLike, inputs: ArrayLike | None, alpha: float = 1.0, *, outputs: ArrayLike | None = None
) -> Floats:
    """The gradient of :func:`elu`: all of it where x > 0, elsewhere times y + alpha, by the outputs y.

    >>> elu_backward([1.0, 1, 1], [-1000.0, 0, 3])
    array([0., 1., 1.])
    """
    alpha = as_number(alpha, "alpha")
    made = _made(elu, inputs, outputs, alpha)
    factors = np.minimum(made, 0) + made.dtype.type(alpha)
    factors += (made > 0) * made.dtype.type(1 - alpha)
    return as_gradient(gradient, made.shape, made.dtype) * factors


def sigmoid(inputs: ArrayLike, *, out: Floats | None = None) -> Floats:
    """Logistic function 1 / (1 + e^-x), elementwise, without overflow at either end.

    >>> sigmoid([-1000.0, 0, 1000])
    array([0. , 0.5, 1. ])
    """
    values = as_floats(inputs, "inputs")
    top = np.exp(np.minimum(values, 0))  # neither exponent is ever positive
    return np.divide(top, 1 + np.exp(-np.abs(values)), out=out)


def sigmoid_backward(
    gradient: ArrayLike, inputs: ArrayLike | None, *, outputs: ArrayLike | None = None
) -> Floats:
    """The gradient of :func:`sigmoid`: times y (1 - y), by the outputs y, or the inputs where y is None.

    >>> sigmoid_backward([1.0, 1], [0.0, 1000])
    array([0.25, 0.  ])
    """
    made = _made(sigmoid, inputs, outputs)
    return as_gradient(gradient, made.shape, made.dtype) * (made * (1 - made))


def tanh(inputs: ArrayLike, *, out: Floats | None = None) -> Floats:
    """Hyperbolic tangent, elementwise: the S-curve from -1 to 1.

    >>> tanh([-1000.0, 0, 1000])
    array([-1.,  0.,  1.])
    """
    return np.tanh(as_floats(inputs, "inputs"), out=out)


def tanh_backward(
    gradient: ArrayLike, inputs: ArrayLike | None, *, outputs: ArrayLike | None = None
) -> Floats:
    """The gradient of :func:`tanh`: times 1 - y², by the outputs y, or the inputs where y is None.

    >>> tanh_backward([1.0, 1], [0.0, 1000])
    array([1., 0.])
    """
    made = _made(tanh, inputs, outputs)
    return as_gradient(gradient, made.shape, made.dtype) * (1 - made * made)


def silu(inputs: ArrayLike, *, out: Floats | None = None) -> Floats:
    """Sigmoid linear unit x sigmoid(x), also called swish, elementwise (Ramachandran et al., 2017).

    >>> silu([-1000.0, 0, 1000])
    array([  -0.,    0., 1000.])
    """
    values = as_floats(inputs, "inputs")
    return np.multiply(values, sigmoid(values), out=out)


def silu_backward(gradient: ArrayLike, inputs: ArrayLike) -> Floats:
    """The gradient of :func:`silu`: times s (1 + x (1 - s)) with s = sigmoid(x).

    >>> silu_backward([1.0, 1], [0.0, 1000])
    array([0.5, 1. ])
    """
    values = as_floats(inputs, "inputs")
    gate = sigmoid(values)
    return as_gradient(gradient, values.shape, values.dtype) * (gate * (1 + values * (1 - gate)))


def gelu(inputs: ArrayLike, approximate: bool = False, *, out: Floats | None = None) -> Floats:
    """Gaussian error linear unit x Φ(x), Φ the normal distribution function (Hendrycks and Gimpel, 2016).

    ``approximate`` takes Φ from a tanh; it is the paper's formula, and many times faster here. It is off
    unless asked for, as in ``keras.activations.gelu``; ``keras.ops.gelu`` has it on.

    >>> gelu([-1.0, 0, 1]).round(4)
    array([-0.1587,  0.    ,  0.8413])
    """
    values = as_floats(inputs, "inputs")
    return np.multiply(values, _normal(values, approximate), out=out)


def gelu_backward(gradient: ArrayLike, inputs: ArrayLike, approximate: bool = False) -> Floats:
    """The gradient of :func:`gelu`: times Φ(x) + x Φ'(x).

    >>> gelu_backward([1.0, 1], [0.0, 1000])
    array([0.5, 1. ])
    """
    values = as_floats(inputs, "inputs")
    below, near = _normal(values, approximate), _nearby(values)
    if approximate:
        density = 2 * below * (1 - below) * _GELU_SCALE * (1 + 3 * _GELU_CUBE * near * near)
    else:
        density = np.exp(-near * near / 2) * (1 / math.sqrt(2 * math.pi))
    return as_gradient(gradient, values.shape, values.dtype) * (below + near * density)


_GELU_SCALE, _GELU_CUBE = math.sqrt(2 / math.pi), 0.044715
_erf = np.frompyfunc(math.erf, 1, 1)  # NumPy has none


def _normal(values: Floats, approximate: bool) -> Floats:
    """The normal distribution function, exactly or as the tanh that comes near it."""
    if approximate:
        near = _nearby(values)
        return (1 + np.tanh(_GELU_SCALE * (near + _GELU_CUBE * near * near * near))) / 2
    return (1 + np.asarray(_erf(values * math.sqrt(0.5)), values.dtype)) / 2


def _nearby(values: Floats) -> Floats:
    """The values, kept within 35: the density is 0 there in every dtype, and no cube overflows."""
    return np.clip(values, -35, 35)


def softmax(inputs: ArrayLike, axis: int = -1, *, out: Floats | None = None) -> Floats:
    """Turn scores into probabilities: e^x divided by its sum along ``axis``, without overflow.

    >>> softmax([[0.0, 0], [10_000, 0]])
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    values = _check_scores(inputs, axis)
    outputs = np.subtract(values, values.max(axis=axis, keepdims=True), out=out)
    np.exp(outputs, out=outputs)
    outputs /= outputs.sum(axis=axis, keepdims=True)
    return outputs


def softmax_backward(
    gradient: ArrayLike, inputs: ArrayLike | None, axis: int = -1, *, outputs: ArrayLike | None = None
) -> Floats:
    """The gradient of :func:`softmax`, y (g - Σ g y), by the outputs y, or the inputs where y is None.

    >>> softmax_backward([[1.0, 0]], [[0.0, 0]])
    array([[ 0.25, -0.25]])
    """
    made = _made(softmax, inputs, outputs, axis)
    slopes = as_gradient(gradient, made.shape, made.dtype)
    return made * (slopes - (slopes * made).sum(axis=axis, keepdims=True))


def log_softmax(inputs: ArrayLike, axis: int = -1, *, out: Floats | None = None) -> Floats:
    """The logarithm of :func:`softmax`, finite even where a probability rounds to 0.

    >>> log_softmax([[1000.0, 0]])
    array([[    0., -1000.]])
    """
    values = _check_scores(inputs, axis)
    outputs = np.subtract(values, values.max(axis=axis, keepdims=True), out=out)
    outputs -= np.log(np.exp(outputs).sum(axis=axis, keepdims=True))
    return outputs


def log_softmax_backward(
    gradient: ArrayLike, inputs: ArrayLike | None, axis: int = -1, *, outputs: ArrayLike | None = None
) -> Floats:
    """The gradient of :func:`log_softmax`, g - softmax(x) Σ g, by the outputs, or the inputs without them.

    >>> log_softmax_backward([[1.0, 0]], [[0.0, 0]])
    array([[ 0.5, -0.5]])
    """
    made = _made(log_softmax, inputs, outputs, axis)
    slopes = as_gradient(gradient, made.shape, made.dtype)
    return slopes - np.exp(made) * slopes.sum(axis=axis, keepdims=True)


def _check_scores(inputs: ArrayLike, axis: int) -> Floats:
    """The inputs as floats, with at least one score along ``axis``."""
    values = as_floats(inputs, "inputs")
    axis = as_int(axis, "axis", minimum=min(-values.ndim, -1))
    if values.ndim == 0 or axis >= values.ndim or values.shape[axis] == 0:
        raise ShapeError(
            f"inputs of shape {values.shape} have no scores along axis {axis}; give at least one class"
        )
    return values


def linear(inputs: ArrayLike, *, out: Floats | None = None) -> Floats:
    """No activation: the inputs as they are, the same array where they are floats.

    >>> linear([-2.0, 3])
    array([-2.,  3.])
    """
    return _put(as_floats(inputs, "inputs"), out)


def linear_backward(
    gradient: ArrayLike, inputs: ArrayLike | None, *, outputs: ArrayLike | None = None
) -> Floats:
    """The gradient of :func:`linear`: as it is, the same array where it is floats.

    >>> linear_backward([5.0, 5], [-2.0, 3])
    array([5., 5.])
    """
    return as_floats(gradient, "gradient")


def _made(
    forward: Callable[..., Floats], inputs: ArrayLike | None, outputs: ArrayLike | None, *options: float
) -> Floats:
    """The outputs, or what ``forward`` makes of the inputs where no outputs are given."""
    if outputs is not None:
        return as_floats(outputs, "outputs")
    if inputs is None:
        raise CnnError("a backward pass needs the inputs or the outputs; both are None")
    return forward(inputs, *options)


def _put(values: Floats, out: Floats | None) -> Floats:
    """``values``, in the array ``out`` where there is one."""
    if out is None or out is values:
        return values
    np.copyto(out, values)
    return out


class Activation(NamedTuple):
    """An activation and its backward pass, and what the latter is computed from."""

    forward: Callable[..., Floats]
    backward: Callable[..., Floats]
    #: The backward pass needs the outputs alone, so that the inputs may be overwritten.
    by_outputs: bool = True


#: The activations by Keras' names.
ACTIVATIONS: dict[str, Activation] = {
    "linear": Activation(linear, linear_backward),
    "relu": Activation(relu, relu_backward),
    "relu6": Activation(relu6, relu6_backward),
    "leaky_relu": Activation(leaky_relu, leaky_relu_backward),
    "elu": Activation(elu, elu_backward),
    "sigmoid": Activation(sigmoid, sigmoid_backward),
    "tanh": Activation(tanh, tanh_backward),
    "silu": Activation(silu, silu_backward, by_outputs=False),
    "gelu": Activation(gelu, gelu_backward, by_outputs=False),
    "softmax": Activation(softmax, softmax_backward),
    "log_softmax": Activation(log_softmax, log_softmax_backward),
}


def activation(name: str | None, inputs: ArrayLike, *, out: Floats | None = None) -> Floats:
    """Apply the activation of this name, with Keras' defaults; None is ``linear``.

    Where ``ACTIVATIONS[name].by_outputs`` is true, ``out=inputs`` loses nothing that the backward pass needs.

    >>> activation("relu", [-1.0, 2])
    array([0., 2.])
    """
    return _named(name).forward(inputs, out=out)


def activation_backward(
    name: str | None, gradient: ArrayLike, inputs: ArrayLike | None, outputs: ArrayLike | None
) -> Floats:
    """The gradient of :func:`activation`, by whichever of inputs and outputs it needs; the other may be None.

    >>> activation_backward("relu", [5.0, 5], inputs=None, outputs=[0.0, 2])
    array([0., 5.])
    """
    chosen = _named(name)
    if chosen.by_outputs:
        return chosen.backward(gradient, inputs, outputs=outputs)
    return chosen.backward(gradient, inputs)


def _named(name: Any) -> Activation:
    key = "linear" if name is None else name
    if not isinstance(key, str) or key not in ACTIVATIONS:
        raise CnnError(f"no activation {name!r}; there are {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[key]
