"""How far two right results may lie apart, where an operator does more than add up products.

Every function returns, for the outputs or the gradients of one operator, the magnitudes that go into each
number and the count of roundings: results may differ by that many units in the last place of the magnitude.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlib import activations, losses, normalization, pooling, upsampling
from cnnlib.sizes import per_axis

#: Magnitude and number of roundings, by the name of the result.
Bounds = dict[str, tuple[NDArray, "NDArray | float"]]
Arrays = Mapping[str, NDArray]
Options = Mapping[str, Any]
#: An exponential, a logarithm or a hyperbolic tangent is off by so many units in either library.
ELEMENTARY = 8.0


def mean_of_windows(arrays: Arrays, options: Options, gradient: NDArray | None) -> Bounds:
    """A mean adds a window's values and divides (by their number); its gradient adds one share a window."""
    inputs = np.abs(arrays["inputs"])
    count = float(math.prod(per_axis(options["pool_size"], inputs.ndim - 2, "pool_size")))
    if gradient is None:
        return {"outputs": (pooling.average_pool(inputs, **options), count)}
    slopes: NDArray = pooling.average_pool_backward(np.abs(gradient), inputs, **options)
    return {"inputs": (slopes, count)}


def mean_of_map(arrays: Arrays, options: Options, gradient: NDArray | None) -> Bounds:
    """The same for the mean of a whole feature map, (batch, *spatial, channels) to (batch, channels)."""
    inputs = np.abs(arrays["inputs"])
    if gradient is None:
        return {"outputs": (pooling.global_average_pool(inputs), float(math.prod(inputs.shape[1:-1])))}
    return {"inputs": (pooling.global_average_pool_backward(np.abs(gradient), inputs), 1.0)}


def bilinear(arrays: Arrays, options: Options, gradient: NDArray | None) -> Bounds:
    """A weighted mean of neighbours; its weights are differences of places (and rounded as these are)."""
    inputs = arrays["inputs"]
    sizes = per_axis(options["size"], inputs.ndim - 2, "size")
    terms = 2.0 * max(n * size for n, size in zip(inputs.shape[1:-1], sizes, strict=True))
    if gradient is None:
        shape = upsampling.upsample_bilinear(inputs, **options).shape
        return {"outputs": (np.full(shape, np.abs(inputs).max(initial=0)), terms)}
    total = np.abs(gradient).max(initial=0) * inputs.dtype.type(4 * math.prod(sizes))
    return {"inputs": (np.full(inputs.shape, total), terms)}


def elementwise(arrays: Arrays, options: Options, gradient: NDArray | None) -> Bounds:
    """A bend x ↦ f(x): |f(x)| is at most about |x|, its slope at most about 1 and no quicker to change.

    Near 0 the errors are those of a number near 1, since an exponential may have 1 subtracted from it.
    """
    size = np.abs(arrays["inputs"])
    steep = max([1.0, *(abs(float(value)) for value in options.values())])
    if gradient is None:
        return {"outputs": (size.dtype.type(steep) * (1 + size), ELEMENTARY)}
    return {"inputs": (np.abs(gradient) * (1 + size) * size.dtype.type(steep), ELEMENTARY)}


def sigmoid(arrays: Arrays, options: Options, gradient: NDArray | None) -> Bounds:
    """A quotient of exp(-x), whose relative error is that of x times x."""
    size = np.abs(arrays["inputs"])
    outputs = activations.sigmoid(arrays["inputs"])
    if gradient is None:
        return {"outputs": (outputs * (1 + size), ELEMENTARY)}
    return {"inputs": (np.abs(gradient) * outputs * (1 + size), ELEMENTARY)}


def softmax(arrays: Arrays, options: Options, gradient: NDArray | None) -> Bounds:
    """Exponentials over their sum: an error of x is one of exp(x) in proportion to |x|."""
    inputs, axis = arrays["inputs"], options.get("axis", -1)
    outputs = activations.softmax(inputs, **options)
    spread = 1 + 2 * np.abs(inputs).max(axis=axis, keepdims=True)
    terms = inputs.shape[axis] + ELEMENTARY
    if gradient is None:
        return {"outputs": (outputs * spread, terms)}
    size = np.abs(gradient)
    return {"inputs": (outputs * spread * (size + (size * outputs).sum(axis=axis, keepdims=True)), terms)}


def log_softmax(arrays: Arrays, options: Options, gradient: NDArray | None) -> Bounds:
    """Scores x less log(Σ exp(x))."""
    inputs, axis = arrays["inputs"], options.get("axis", -1)
    spread = 1 + 2 * np.abs(inputs).max(axis=axis, keepdims=True)
    terms = inputs.shape[axis] + ELEMENTARY
    if gradient is None:
        return {"outputs": (np.abs(activations.log_softmax(inputs, **options)) + spread, terms)}
    size = np.abs(gradient)
    total = size.sum(axis=axis, keepdims=True)
    return {"inputs": (size + activations.softmax(inputs, **options) * spread * total, terms)}


def batch_normalization(arrays: Arrays, options: Options, gradient: NDArray | None) -> Bounds:
    """A difference and a product: (|x| + |mean|) instead of x - mean; gradients add over all places."""
    positive = {name: np.abs(value) for name, value in arrays.items()} | {"mean": -np.abs(arrays["mean"])}
    positive["variance"] = arrays["variance"]
    places = float(math.prod(arrays["inputs"].shape[:-1]))
    if gradient is None:
        return {"outputs": (normalization.batch_normalization(**positive, **options), ELEMENTARY)}
    found = normalization.batch_normalization_backward(np.abs(gradient), **positive, **options)
    return {name: (value, places + ELEMENTARY) for name, value in found._asdict().items()}


def batch_normalization_train(arrays: Arrays, options: Options, gradient: NDArray | None) -> Bounds:
    """The same, where mean and variance (channels,) are sums over the batch too, and round as such.

    An error of the mean shifts a whole channel, and one of the variance scales it, so that the largest value
    of a channel counts for all of it.
    """
    inputs, gamma, beta = (np.abs(arrays[name]) for name in ("inputs", "gamma", "beta"))
    others = tuple(range(inputs.ndim - 1))
    _, variance = normalization.moments(arrays["inputs"])
    largest = inputs.max(axis=others)
    epsilon = inputs.dtype.type(options["epsilon"])
    root = 1 / np.sqrt(variance + epsilon)
    # variance is known to about eps · largest², and the root of it so much worse
    spread = 1 + (largest * root) ** 2
    terms = float(math.prod(inputs.shape[:-1])) + ELEMENTARY
    if gradient is None:
        outputs = np.broadcast_to(2 * largest * root * spread * gamma + beta, inputs.shape)
        return {"outputs": (outputs, terms), "mean": (largest, terms), "variance": (largest**2 * 4, terms)}
    size = np.abs(gradient)
    total = size.sum(axis=others)
    slopes = gamma * root * spread * (size + total * (1 + (2 * largest * root) ** 2))
    return {
        "inputs": (slopes, terms),
        "gamma": (total * 2 * largest * root * spread, terms),
        "beta": (total, terms),
    }


def local_response_normalization(arrays: Arrays, options: Options, gradient: NDArray | None) -> Bounds:
    """A power of a sum of squares (all of one sign); in its gradient two such terms are subtracted."""
    inputs = np.abs(arrays["inputs"])
    terms = (2 * options["depth_radius"] + 1) * max(1.0, options["beta"]) + ELEMENTARY
    if gradient is None:
        return {"outputs": (normalization.local_response_normalization(inputs, **options), terms)}
    strength = normalization._strength(inputs, options["depth_radius"], options["bias"], options["alpha"])
    power = normalization._inverse_power(strength, options["beta"])
    results = np.abs(gradient) * power
    shared = normalization._neighbours(results * inputs / strength, options["depth_radius"]) * inputs
    return {"inputs": (results + 2 * options["alpha"] * options["beta"] * shared, terms)}


def loss(name: str, arrays: Arrays, options: Options, gradient: NDArray | None) -> Bounds:
    """A mean of terms of one sign, of log(p) with p itself rounded."""
    target, output = np.abs(arrays["target"]), arrays["output"]
    spread = float(1 + 2 * np.abs(output).max(initial=0)) if options.get("from_logits") else 4.0
    terms = 2 * ELEMENTARY
    if gradient is None:
        value = np.abs(getattr(losses, name)(arrays["target"], output, **options))
        return {"outputs": (np.asarray(value + spread * target.mean() + spread, output.dtype), terms)}
    slopes = np.abs(getattr(losses, f"{name}_backward")(gradient, arrays["target"], output, **options))
    return {"output": (slopes + spread * slopes.mean() + np.abs(gradient) / output.size, terms)}
