"""Keeping numbers in range: batch normalisation, and the local response normalisation before it. Chapter 11.

>>> heights = np.array([[150.0], [160], [170]])
>>> outputs, mean, variance = batch_normalization_train(heights)
>>> outputs.ravel().round(2), mean, variance.round(1)
(array([-1.22,  0.  ,  1.22]), array([160.]), array([66.7]))
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.convolution import as_floats, as_gradient
from cnnlib.errors import ShapeError, SizeError
from cnnlib.sizes import as_int, as_number

Floats = NDArray[np.floating]


class NormalizationGradients(NamedTuple):
    """What the loss changes by with the inputs, the scale and the shift, each in its own shape."""

    inputs: Floats
    gamma: Floats
    beta: Floats


def batch_normalization(
    inputs: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    epsilon: float = 1e-3,
) -> Floats:
    """Shift and scale every channel by given statistics, as a trained network does.

    Args:
        inputs: array (batch, ..., channels).
        mean, variance: arrays (channels,): in a network, the running averages of training.
        gamma, beta: arrays (channels,): the learned scale and shift, or None for 1 and 0.
        epsilon: added to the variance, so that a channel that never changes is not divided by 0.

    Returns:
        array of the same shape: gamma (inputs - mean) / √(variance + epsilon) + beta.

    Raises:
        ShapeError: a statistic without one number for each channel.

    The arguments have the names that the layer's weights have, and channels are the last axis;
    ``keras.ops.batch_normalization`` wants the ``axis`` to be named, and calls them ``scale`` and ``offset``.

    Ioffe and Szegedy, *Batch normalization* (2015, arXiv:1502.03167).

    >>> batch_normalization([[3.0]], mean=[1.0], variance=[3.999])
    array([[1.]])
    """
    values = _check_inputs(inputs)
    scale = _scale(values, variance, gamma, epsilon)
    shift = _each_channel(beta, "beta", values, 0) - _each_channel(mean, "mean", values) * scale
    outputs = values * scale
    outputs += shift
    return outputs


def batch_normalization_backward(
    gradient: ArrayLike,
    inputs: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    epsilon: float = 1e-3,
) -> NormalizationGradients:
    """The gradients of :func:`batch_normalization`; mean and variance are given, so that they have none.

    >>> batch_normalization_backward([[2.0]], [[3.0]], mean=[1.0], variance=[3.999]).inputs
    array([[1.]])
    """
    values = _check_inputs(inputs)
    slopes = as_gradient(gradient, values.shape, values.dtype)
    normalized = _normalize(values, mean, variance, epsilon)
    scale = _scale(values, variance, gamma, epsilon)
    return NormalizationGradients(slopes * scale, _totals(slopes * normalized), _totals(slopes))


def batch_normalization_train(
    inputs: ArrayLike, gamma: ArrayLike | None = None, beta: ArrayLike | None = None, epsilon: float = 1e-3
) -> tuple[Floats, Floats, Floats]:
    """Normalise every channel by the mean and variance that it has in this batch.

    Returns:
        outputs in the shape of ``inputs`` (batch, ..., channels), and the mean and the variance (channels,)
        of the batch. The variance is the mean squared deviation, not corrected by n - 1, as in Keras.

    >>> batch_normalization_train([[1.0], [3.0]], epsilon=0)[0].ravel()
    array([-1.,  1.])
    """
    values = _check_inputs(inputs)
    mean, variance = moments(values)
    return batch_normalization(values, mean, variance, gamma, beta, epsilon), mean, variance


def batch_normalization_train_backward(
    gradient: ArrayLike,
    inputs: ArrayLike,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    epsilon: float = 1e-3,
    *,
    statistics: tuple[ArrayLike, ArrayLike] | None = None,
) -> NormalizationGradients:
    """The gradients of :func:`batch_normalization_train`, through the mean and the variance as well.

    ``statistics`` are the mean and the variance that the forward pass returned; without them they are
    computed anew. The inputs' gradient of every channel sums to 0: to shift all inputs changes no output.

    >>> batch_normalization_train_backward([[1.0], [1.0]], [[1.0], [3.0]]).inputs.ravel()
    array([0., 0.])
    """
    values = _check_inputs(inputs)
    slopes = as_gradient(gradient, values.shape, values.dtype)
    mean, variance = moments(values) if statistics is None else statistics
    normalized = _normalize(values, mean, variance, epsilon)
    d_gamma, d_beta = _totals(slopes * normalized), _totals(slopes)
    count = _count(values)
    normalized *= d_gamma / count  # what every input changes by way of the variance …
    results = slopes - normalized
    results -= d_beta / count  # … and of the mean
    results *= _scale(values, variance, gamma, epsilon)
    return NormalizationGradients(results, d_gamma, d_beta)


def moments(inputs: ArrayLike) -> tuple[Floats, Floats]:
    """The mean and the variance (mean squared deviation) of every channel of (batch, ..., channels).

    >>> moments([[1.0, 5], [3.0, 5]])
    (array([2., 5.]), array([1., 0.]))
    """
    values = _check_inputs(inputs)
    count = _count(values)
    mean = _totals(values) / count
    deviations = values - mean
    return mean, _totals(np.square(deviations, out=deviations)) / count


def _count(values: Floats) -> np.floating:
    """How many values every channel has, in their dtype."""
    if values.size == 0:
        raise ShapeError(f"inputs of shape {values.shape} have no mean; give at least one value a channel")
    return values.dtype.type(values.size // values.shape[-1])


def _totals(values: Floats) -> Floats:
    """The sum of every channel, one axis after the other: many short sums round less than a long one."""
    while values.ndim > 1:
        values = values.sum(axis=0)
    return values


def local_response_normalization(
    inputs: ArrayLike,
    depth_radius: int = 5,
    bias: float = 1,
    alpha: float = 1,
    beta: float = 0.5,
    *,
    alpha_over_n: bool = False,
) -> Floats:
    """Divide every value by a power of its neighbourhood's strength, across channels.

    Args:
        inputs: array (batch, ..., channels).
        depth_radius: how many channels on each side are neighbours: n = 2 depth_radius + 1 in all.
        bias, alpha, beta: as in TensorFlow, see below.
        alpha_over_n: divide ``alpha`` by n, as Caffe, PyTorch and ONNX do. TensorFlow and the formula in the
            paper take it as it is.

    Returns:
        array of the same shape: inputs / (bias + alpha Σ inputs²)^beta, the sum over the neighbours.

    Krizhevsky et al., *ImageNet classification with deep convolutional neural networks* (2012), section
    3.3: bias 2, alpha 10⁻⁴, beta 0.75, depth_radius 2.

    >>> local_response_normalization([[[3.0, 4.0]]], depth_radius=1, bias=0, beta=0.5)
    array([[[0.6, 0.8]]])
    """
    values, alpha = _check_lrn(inputs, depth_radius, bias, alpha, beta, alpha_over_n)
    return values * _inverse_power(_strength(values, depth_radius, bias, alpha), beta)


def local_response_normalization_backward(
    gradient: ArrayLike,
    inputs: ArrayLike,
    depth_radius: int = 5,
    bias: float = 1,
    alpha: float = 1,
    beta: float = 0.5,
    *,
    alpha_over_n: bool = False,
) -> Floats:
    """The gradient of :func:`local_response_normalization`, in the shape of ``inputs``.

    A value changes its own output, and the strength that each of its neighbours is divided by.

    >>> local_response_normalization_backward([[[1.0, 0]]], [[[3.0, 4]]], depth_radius=0, bias=1, alpha=0)
    array([[[1., 0.]]])
    """
    values, alpha = _check_lrn(inputs, depth_radius, bias, alpha, beta, alpha_over_n)
    slopes = as_gradient(gradient, values.shape, values.dtype)
    strength = _strength(values, depth_radius, bias, alpha)
    results = slopes * _inverse_power(strength, beta)
    passed_on = _neighbours(results * values / strength, depth_radius)
    passed_on *= values
    passed_on *= values.dtype.type(2 * alpha * beta)
    results -= passed_on
    return results


def _strength(values: Floats, radius: int, bias: float, alpha: float) -> Floats:
    strength = _neighbours(np.square(values), radius)
    strength *= values.dtype.type(alpha)
    strength += values.dtype.type(bias)
    return strength


def _neighbours(values: Floats, radius: int) -> Floats:
    """The sum over ``radius`` channels on each side.

    The rows lie in memory one after the other with zeros between them, so that each neighbour is one
    shifted copy of everything.
    """
    channels = max(values.shape[-1], 1)
    radius = min(radius, channels - 1)
    rows = np.zeros((values.size // channels, channels + radius), values.dtype)
    rows[:, :channels] = values.reshape(-1, channels)
    before = np.zeros(radius, values.dtype)
    line = np.concatenate([before, rows.ravel(), before])
    total = line[: rows.size].copy()
    for shift in range(1, 2 * radius + 1):
        total += line[shift : shift + rows.size]
    return total.reshape(rows.shape)[:, :channels].reshape(values.shape)


def _inverse_power(strength: Floats, beta: float) -> Floats:
    """``strength`` to the power of -beta; by square roots where possible, which are many times faster."""
    if beta == 0.75:
        half = np.sqrt(strength)
        return 1 / (half * np.sqrt(half))
    if beta == 0.5:
        return 1 / np.sqrt(strength)
    return strength ** strength.dtype.type(-beta)


def _check_lrn(
    inputs: ArrayLike, depth_radius: int, bias: float, alpha: float, beta: float, alpha_over_n: bool
) -> tuple[Floats, float]:
    values = _check_inputs(inputs)
    radius = as_int(depth_radius, "depth_radius", minimum=0)
    for name, number in (("bias", bias), ("beta", beta)):
        as_number(number, name, least=0)
    alpha = as_number(alpha, "alpha", least=0)  # a negative strength has no root
    return values, alpha / (2 * radius + 1) if alpha_over_n else alpha


def _normalize(values: Floats, mean: ArrayLike, variance: ArrayLike, epsilon: float) -> Floats:
    """The inputs with mean 0 and variance 1 in every channel, before gamma and beta."""
    normalized = values - _each_channel(mean, "mean", values)
    normalized *= _scale(values, variance, None, epsilon)
    return normalized


def _scale(values: Floats, variance: ArrayLike, gamma: ArrayLike | None, epsilon: float) -> Floats:
    """What every channel is multiplied by: gamma / √(variance + epsilon)."""
    epsilon = as_number(epsilon, "epsilon", least=0)
    spread = _each_channel(variance, "variance", values)
    if (spread < 0).any():
        raise SizeError(
            f"variance {spread.min()} of channel {spread.argmin()} is negative; it is a mean of squares"
        )
    root = np.sqrt(spread + values.dtype.type(epsilon))
    return _each_channel(gamma, "gamma", values, 1) / root


def _each_channel(numbers: ArrayLike | None, name: str, values: Floats, default: float = 0) -> Floats:
    """One number for each channel in the dtype of ``values``, or an error."""
    channels = values.shape[-1]
    if numbers is None:
        return np.full(channels, default, values.dtype)
    array = as_floats(numbers, name)
    if array.shape != (channels,):
        raise ShapeError(f"{name} has shape {array.shape}; {channels} channels need ({channels},)")
    return array.astype(values.dtype, copy=False)


def _check_inputs(inputs: ArrayLike) -> Floats:
    values = as_floats(inputs, "inputs")
    if values.ndim < 2:
        raise ShapeError(
            f"inputs of shape {values.shape} cannot be normalised; they need (batch, ..., channels)"
        )
    return values
