"""How wrong a network is, as one number: the losses of classification and regression. Chapters 9 and 11.

Definitions are those of ``keras.losses``: each is a mean over the batch (and over all places, where there
is a prediction for every pixel). Each has its backward pass beside it; the ``gradient`` that it is given is
that of the loss, a number, 1 where the loss is the end of the chain.

>>> categorical_crossentropy([[0, 1]], [[0.5, 0.5]]).round(3)
np.float64(0.693)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.activations import log_softmax, sigmoid, softmax
from cnnlib.convolution import as_floats, as_gradient
from cnnlib.errors import DtypeError, ShapeError, SizeError
from cnnlib.padding import as_array

Floats = NDArray[np.floating]

#: Probabilities are kept this far from 0 and 1, so that their logarithms are finite (Keras' epsilon).
EPSILON = 1e-7


def categorical_crossentropy(target: ArrayLike, output: ArrayLike, from_logits: bool = False) -> np.floating:
    """The cross-entropy of predicted class probabilities: the mean of -Σ target log(output).

    Args:
        target: array (..., classes), for each sample 1 at its class (or a distribution that sums to 1).
        output: array (..., classes): probabilities (scaled to a sum of 1, then kept from 0 and 1 by 1e-7)
            or, where ``from_logits``, the scores before the softmax.
        from_logits: whether ``output`` are scores.

    Returns:
        a number of the dtype of ``output``.

    Raises:
        ShapeError: target and output differ in shape.

    >>> categorical_crossentropy([[1, 0, 0]], [[100.0, 0, 0]], from_logits=True).round(3)
    np.float64(0.0)
    """
    target, output = _check_pair(target, output)
    logs = log_softmax(output) if from_logits else np.log(_clip(output / _total(output)))
    return _mean(-(target * logs).sum(axis=-1))


def categorical_crossentropy_backward(
    gradient: float, target: ArrayLike, output: ArrayLike, from_logits: bool = False
) -> Floats:
    """The gradient of :func:`categorical_crossentropy` with respect to ``output``, in its shape.

    From scores it is the difference between probabilities and target, divided by the number of samples.

    >>> categorical_crossentropy_backward(1, [[1.0, 0]], [[0.0, 0]], from_logits=True)
    array([[-0.5,  0.5]])
    """
    target, output = _check_pair(target, output)
    share = _share(gradient, output[..., 0])
    if from_logits:
        return share * (softmax(output) * target.sum(axis=-1, keepdims=True) - target)
    total = _total(output)
    scaled = output / total
    slopes = np.where(_inside(scaled), -target / _clip(scaled), 0)
    return share * (slopes - (slopes * scaled).sum(axis=-1, keepdims=True)) / total


def sparse_categorical_crossentropy(
    target: ArrayLike, output: ArrayLike, from_logits: bool = False
) -> np.floating:
    """The same as :func:`categorical_crossentropy` with labels: ``target`` (...) or (..., 1) holds classes.

    Raises:
        ShapeError: not one label for each row of ``output`` (..., classes).
        SizeError: a label that is no class.
        DtypeError: labels that are no whole numbers.

    >>> sparse_categorical_crossentropy([1], [[0.5, 0.5]]).round(3)
    np.float64(0.693)
    """
    labels, output = _check_labels(target, output)
    logs = log_softmax(output if from_logits else np.log(_clip(output)))
    return _mean(-np.take_along_axis(logs, labels, axis=-1)[..., 0])


def sparse_categorical_crossentropy_backward(
    gradient: float, target: ArrayLike, output: ArrayLike, from_logits: bool = False
) -> Floats:
    """The gradient of :func:`sparse_categorical_crossentropy` with respect to ``output``, in its shape.

    >>> sparse_categorical_crossentropy_backward(1, [0], [[0.0, 0]], from_logits=True)
    array([[-0.5,  0.5]])
    """
    labels, output = _check_labels(target, output)
    clipped = output if from_logits else _clip(output)
    slopes = softmax(clipped if from_logits else np.log(clipped))
    np.put_along_axis(slopes, labels, np.take_along_axis(slopes, labels, axis=-1) - 1, axis=-1)
    slopes *= _share(gradient, output[..., 0])
    return slopes if from_logits else np.where(_inside(output), slopes / clipped, 0)


def binary_crossentropy(target: ArrayLike, output: ArrayLike, from_logits: bool = False) -> np.floating:
    """The cross-entropy of independent yes-or-no predictions, the mean over all of them.

    Args:
        target: array of any shape, 1 for yes and 0 for no.
        output: array of the same shape: probabilities or, where ``from_logits``, scores before the sigmoid.
        from_logits: whether ``output`` are scores.

    >>> binary_crossentropy([1, 0], [0.5, 0.5]).round(3)
    np.float64(0.693)
    """
    target, output = _check_pair(target, output)
    if from_logits:  # log(1 + e^-|x|), the part that must not overflow, is the same for both answers
        return _mean(np.maximum(output, 0) - output * target + np.log1p(np.exp(-np.abs(output))))
    clipped = _clip(output)
    return _mean(-(target * np.log(clipped) + (1 - target) * np.log(1 - clipped)))


def binary_crossentropy_backward(
    gradient: float, target: ArrayLike, output: ArrayLike, from_logits: bool = False
) -> Floats:
    """The gradient of :func:`binary_crossentropy` with respect to ``output``, in its shape.

    >>> binary_crossentropy_backward(1, [1.0, 0], [0.0, 0], from_logits=True)
    array([-0.25,  0.25])
    """
    target, output = _check_pair(target, output)
    share = _share(gradient, output)
    if from_logits:
        return share * (sigmoid(output) - target)
    clipped = _clip(output)
    return share * np.where(_inside(output), (clipped - target) / (clipped * (1 - clipped)), 0)


def mean_squared_error(target: ArrayLike, output: ArrayLike) -> np.floating:
    """The mean of (output - target)², over all values of arrays of the same shape.

    >>> mean_squared_error([0, 1], [0, 3.0])
    np.float64(2.0)
    """
    target, output = _check_pair(target, output)
    return _mean(np.square(output - target))


def mean_squared_error_backward(gradient: float, target: ArrayLike, output: ArrayLike) -> Floats:
    """The gradient of :func:`mean_squared_error` with respect to ``output``, in its shape.

    >>> mean_squared_error_backward(1, [0, 1], [0, 3.0])
    array([0., 2.])
    """
    target, output = _check_pair(target, output)
    return 2 * _share(gradient, output) * (output - target)


def _check_pair(target: ArrayLike, output: ArrayLike) -> tuple[Floats, Floats]:
    """Both as floats of the output's dtype, or which shapes clash."""
    target, output = as_floats(target, "target"), as_floats(output, "output")
    if target.shape != output.shape or output.ndim == 0:
        hint = ""
        if output.ndim and target.shape in (output.shape[:-1], (*output.shape[:-1], 1)):
            hint = "; class numbers are for sparse_categorical_crossentropy"
        raise ShapeError(
            f"target has shape {target.shape} and output {output.shape}; they must be equal{hint}"
        )
    return target.astype(output.dtype, copy=False), output


def _check_labels(target: ArrayLike, output: ArrayLike) -> tuple[NDArray[np.integer], Floats]:
    """The labels as (..., 1), one for each row of output, or what is wrong with them."""
    labels, output = as_array(target, "target"), as_floats(output, "output")
    if labels.dtype.kind == "f" and np.isfinite(labels).all() and np.array_equal(labels, np.floor(labels)):
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "biu":
        raise DtypeError(f"target has dtype {labels.dtype}; labels are whole numbers: 0 for the first class")
    if output.ndim == 0 or labels.shape not in (output.shape[:-1], (*output.shape[:-1], 1)):
        raise ShapeError(
            f"target has shape {labels.shape} and output {output.shape}; "
            f"it needs one label for each row: {output.shape[:-1]}"
        )
    classes = output.shape[-1]
    wrong = labels[(labels < 0) | (labels >= classes)]
    if wrong.size:
        raise SizeError(
            f"label {wrong.flat[0]} is none of {classes} classes; labels go from 0 to {classes - 1}"
        )
    return labels.astype(np.int64).reshape(*output.shape[:-1], 1), output


def _clip(probabilities: Floats) -> Floats:
    return np.clip(probabilities, EPSILON, 1 - EPSILON)


def _inside(probabilities: Floats) -> NDArray[np.bool_]:
    """Where clipping changes nothing, so that the gradient passes."""
    bounds = probabilities.dtype.type(EPSILON), probabilities.dtype.type(1 - EPSILON)
    return (probabilities >= bounds[0]) & (probabilities <= bounds[1])


def _total(output: Floats) -> Floats:
    return output.sum(axis=-1, keepdims=True)


def _mean(losses: Floats) -> np.floating:
    """The mean of all; a batch without samples has none."""
    if losses.size == 0:
        raise ShapeError(f"losses of shape {losses.shape} have no mean; give at least one sample")
    return losses.mean()


def _share(gradient: float, losses: Floats) -> np.floating:
    """What one loss adds to the mean, times the gradient of the mean, in the dtype of the losses."""
    return losses.dtype.type(float(as_gradient(gradient, (), losses.dtype)) / max(losses.size, 1))
