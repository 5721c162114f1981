"""A network that learns (chapter 11): loss and its slope, the way back through each layer, and steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.activations import relu, relu_backward, sigmoid_backward, softmax
from cnnlib.convolution import conv_backward, convolve, correlate
from cnnlib.exercises.answers import Array, Number
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.misconceptions import add, add_all
from cnnlib.exercises.tasks import add_kind
from cnnlib.functional import dense_backward, dropout_backward
from cnnlib.losses import sparse_categorical_crossentropy, sparse_categorical_crossentropy_backward
from cnnlib.normalization import batch_normalization_train
from cnnlib.optimizers import SGD
from cnnlib.pooling import max_pool, max_pool_backward
from cnnlib.sizes import conv_parameters, conv_weights, transposed_size

CHAPTER = "learning"

# --- From scores to a loss ----------------------------------------------------------------------------


def _probabilities(scores: Sequence[float]) -> NDArray[np.float64]:
    return np.asarray(softmax(np.array(scores, dtype=np.float64)))


def _probability(scores: Sequence[float], right: int) -> float:
    return float(_probabilities(scores)[right])


def _loss(scores: Sequence[float], right: int) -> float:
    batch = np.array([scores], dtype=np.float64)
    return float(sparse_categorical_crossentropy(np.array([right]), batch, from_logits=True))


def _score_gradient(scores: Sequence[float], right: int, asked: int) -> float:
    batch = np.array([scores], dtype=np.float64)
    slope = sparse_categorical_crossentropy_backward(1.0, np.array([right]), batch, from_logits=True)
    return float(slope[0, asked])


def _first_loss(classes: int) -> float:
    return _loss((0.0,) * classes, 0)


def _roll_scores(dice: Dice) -> dict[str, Any]:
    scores = tuple(dice.roll(-1, 3) for _ in range(3))
    return {"scores": scores, "right": dice.roll(0, 2)}


add_kind(
    "softmax_probability",
    _probability,
    Number(),
    "what makes every score positive, and what makes their sum 1?",
    CHAPTER,
    _roll_scores,
    labels={"scores": "scores", "right": "right class"},
)
add_kind(
    "cross_entropy",
    _loss,
    Number(),
    "which one probability does the loss look at, and which logarithm is it?",
    CHAPTER,
    _roll_scores,
)
add_kind(
    "score_gradient",
    _score_gradient,
    Number(),
    "what did the network say of this class, and what should it have said?",
    CHAPTER,
    lambda dice: {**_roll_scores(dice), "asked": dice.roll(0, 2)},
    labels={"asked": "asked"},
)
add_kind(
    "first_loss",
    _first_loss,
    Number(),
    "which probability does a network that knows nothing give to each class?",
    CHAPTER,
    lambda dice: {"classes": dice.roll(4, 60)},
    labels={"classes": "classes"},
)
add(
    "softmax_probability",
    "shares-of-scores",
    lambda scores, right: scores[right] / sum(scores) if sum(scores) else None,
    "{answer} divides scores by their sum. Scores may be negative: take powers of e first.",
    CHAPTER,
)
add(
    "softmax_probability",
    "forgot-the-sum",
    lambda scores, right: math.exp(scores[right]),
    "{answer} is the power of e. It becomes a probability when it is divided by the sum of all powers.",
    CHAPTER,
)
add(
    "softmax_probability",
    "sigmoid-for-softmax",
    lambda scores, right: 1 / (1 + math.exp(-scores[right])),
    "{answer} looks at one score alone (a sigmoid). Softmax compares it with the others.",
    CHAPTER,
)
add(
    "softmax_probability",
    "powers-of-two",
    lambda scores, right: 2.0 ** scores[right] / sum(2.0**score for score in scores),
    "{answer} takes powers of 2; softmax takes powers of e.",
    CHAPTER,
)
add(
    "cross_entropy",
    "probability-for-loss",
    _probability,
    "{answer} is the probability of the right class. The loss is minus its logarithm.",
    CHAPTER,
)
add(
    "cross_entropy",
    "forgot-the-minus",
    lambda scores, right: -_loss(scores, right),
    "the sign is wrong: the logarithm of a probability is never positive; the loss has a minus before it.",
    CHAPTER,
)
add(
    "cross_entropy",
    "logarithm-to-ten",
    lambda scores, right: _loss(scores, right) / math.log(10),
    "{answer} takes the logarithm to base 10; the loss takes the natural one.",
    CHAPTER,
)
add(
    "cross_entropy",
    "loss-of-the-favourite",
    lambda scores, right: None if scores[right] == max(scores) else _loss(scores, scores.index(max(scores))),
    "{answer} looks at the most probable class. The loss looks at the right one, however improbable.",
    CHAPTER,
)
add(
    "cross_entropy",
    "one-minus-probability",
    lambda scores, right: 1 - _probability(scores, right),
    "{answer} is what is missing from certainty. Cross-entropy takes a logarithm.",
    CHAPTER,
)
add(
    "score_gradient",
    "other-way-round",
    lambda **given: -_score_gradient(**given),
    "the sign is wrong: it is what was said minus what should have been said, p − t.",
    CHAPTER,
)
add(
    "score_gradient",
    "forgot-the-target",
    lambda scores, right, asked: _probability(scores, asked) if asked == right else None,
    "{answer} is the probability. This is the right class: take its target away.",
    CHAPTER,
)
add(
    "score_gradient",
    "target-of-every-class",
    lambda scores, right, asked: _probability(scores, asked) - 1 if asked != right else None,
    "{answer} takes 1 away. The target is 1 for the right class alone, and 0 for this one.",
    CHAPTER,
)
add(
    "score_gradient",
    "nothing-for-the-others",
    lambda scores, right, asked: 0 if asked != right else None,
    "{answer} would mean that this score does not matter. It raises the sum that all are divided by.",
    CHAPTER,
)
add(
    "score_gradient",
    "slope-by-the-probability",
    lambda scores, right, asked: -1 / _probability(scores, right) if asked == right else None,
    "{answer} is the slope by the probability. Asked is the slope by the score: go back through softmax too.",
    CHAPTER,
)
add(
    "first_loss",
    "probability-for-loss",
    lambda classes: 1 / classes,
    "{answer} is the probability of each class. The loss is minus its logarithm.",
    CHAPTER,
)
add(
    "first_loss",
    "logarithm-to-ten",
    lambda classes: _first_loss(classes) / math.log(10),
    "{answer} takes the logarithm to base 10; the loss takes the natural one.",
    CHAPTER,
)
add(
    "first_loss",
    "logarithm-to-two",
    lambda classes: _first_loss(classes) / math.log(2),
    "{answer} takes the logarithm to base 2; the loss takes the natural one.",
    CHAPTER,
)
add(
    "first_loss",
    "share-of-errors",
    lambda classes: 1 - 1 / classes,
    "{answer} is the share of errors. The loss is a logarithm of a probability.",
    CHAPTER,
)

# --- Back through a dense layer -----------------------------------------------------------------------


def _dense_back(inputs: Any, weights: Any, gradient: Any) -> Any:
    return dense_backward(
        np.array([gradient], dtype=np.float64),
        np.array([inputs], dtype=np.float64),
        np.array(weights, dtype=np.float64),
    )


def _weight_gradient(inputs: Any, weights: Any, gradient: Any) -> NDArray:
    return np.asarray(_dense_back(inputs, weights, gradient).kernel)


def _input_gradient(inputs: Any, weights: Any, gradient: Any) -> NDArray:
    return np.asarray(_dense_back(inputs, weights, gradient).inputs[0])


def _roll_dense(dice: Dice) -> dict[str, Any]:
    return {
        "inputs": tuple(dice.roll(-3, 4) for _ in range(3)),
        "weights": tuple(tuple(dice.roll(-3, 4) for _ in range(2)) for _ in range(3)),
        "gradient": tuple(dice.roll(-3, 4) for _ in range(2)),
    }


add_kind(
    "dense_weight_gradient",
    _weight_gradient,
    Array(2),
    "which one output does this weight touch, and by which input is it multiplied there?",
    CHAPTER,
    _roll_dense,
    labels={"weights": "weights", "gradient": "gradient"},
)
add_kind(
    "dense_input_gradient",
    _input_gradient,
    Array(1),
    "which outputs does this input touch, and with which weights?",
    CHAPTER,
    _roll_dense,
)
add(
    "dense_weight_gradient",
    "transposed",
    lambda **given: _weight_gradient(**given).T,
    "this has a row for every output. A gradient has the shape of what it belongs to: that of the weights.",
    CHAPTER,
)
add(
    "dense_weight_gradient",
    "weights-times-gradient",
    lambda inputs, weights, gradient: np.multiply(weights, gradient),
    "these are weights times gradients. The slope by a weight is the input that it was multiplied "
    "by, times g.",
    CHAPTER,
)
add(
    "dense_weight_gradient",
    "forgot-the-gradient",
    lambda inputs, weights, gradient: np.repeat(np.reshape(inputs, (-1, 1)), len(gradient), axis=1),
    "these are the inputs alone. What the loss makes of each output, g, is a factor too (chain rule).",
    CHAPTER,
)
add(
    "dense_input_gradient",
    "kept-apart",
    lambda inputs, weights, gradient: np.asarray(weights, dtype=float)[:, 0] * gradient[0],
    "this follows the first output alone. An input touches all outputs: add up what comes back from each.",
    CHAPTER,
)
add(
    "dense_input_gradient",
    "with-the-inputs",
    lambda inputs, weights, gradient: _input_gradient(inputs, weights, gradient) * inputs,
    "these are multiplied by the inputs. The slope by an input has the weights in it, not the input itself.",
    CHAPTER,
)
add(
    "dense_input_gradient",
    "forgot-the-gradient",
    lambda inputs, weights, gradient: np.sum(weights, axis=1),
    "these are sums of weights alone. What the loss makes of each output, g, is a factor too (chain rule).",
    CHAPTER,
)

# --- Back through a convolution -----------------------------------------------------------------------


def _as_row(values: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64).reshape(1, -1, 1)


def _row_back(signal: Any, kernel: Any, gradient: Any, stride: int) -> Any:
    filters = np.asarray(kernel, dtype=np.float64).reshape(-1, 1, 1)
    return conv_backward(_as_row(gradient), _as_row(signal), filters, stride)


def _kernel_gradient(signal: Any, kernel: Any, gradient: Any, stride: int = 1) -> NDArray:
    return np.asarray(_row_back(signal, kernel, gradient, stride).kernel).ravel()


def _signal_gradient(signal: Any, kernel: Any, gradient: Any, stride: int = 1) -> NDArray:
    return np.asarray(_row_back(signal, kernel, gradient, stride).inputs).ravel()


def _spread(gradient: Any, stride: int) -> NDArray:
    """The gradients with zeros between them, one for every place that was jumped over."""
    spread = np.zeros((len(gradient) - 1) * stride + 1)
    spread[::stride] = gradient
    return spread


def _stamped(signal: Any, kernel: Any, gradient: Any, stride: int) -> NDArray:
    """Shares of the kernel, each laid over the last instead of added to it."""
    laid = np.zeros(len(signal))
    for place, slope in enumerate(gradient):
        laid[place * stride : place * stride + len(kernel)] = slope * np.asarray(kernel, dtype=float)
    return laid


def _roll_row(dice: Dice) -> dict[str, Any]:
    stride = dice.roll(1, 2)
    outputs = 3
    return {
        "signal": tuple(dice.roll(-3, 5) for _ in range(transposed_size(outputs, 2, stride))),
        "kernel": tuple(dice.roll(-3, 4) for _ in range(2)),
        "gradient": tuple(dice.roll(-2, 3) for _ in range(outputs)),
        "stride": stride,
    }


add_kind(
    "kernel_gradient",
    _kernel_gradient,
    Array(1),
    "which input did this weight meet at each place, and what does the loss make of the output there?",
    CHAPTER,
    _roll_row,
)
add_kind(
    "signal_gradient",
    _signal_gradient,
    Array(1),
    "which outputs saw this input, and with which weight each?",
    CHAPTER,
    _roll_row,
)
add(
    "kernel_gradient",
    "backwards",
    lambda **given: _kernel_gradient(**given)[::-1],
    "the numbers are there but in reverse order. The first weight met the first inputs.",
    CHAPTER,
)
add(
    "kernel_gradient",
    "forgot-the-stride",
    lambda signal, kernel, gradient, stride: (
        correlate(signal, gradient)[: len(kernel)] if stride > 1 else None
    ),
    "this lets the window move by one. It moved by {stride}, so what a weight meets lies {stride} apart.",
    CHAPTER,
)
add(
    "kernel_gradient",
    "mean-for-sum",
    lambda gradient, **given: _kernel_gradient(gradient=gradient, **given) / len(gradient),
    "this is a mean over the places. A shared weight adds up what it hears from each of them.",
    CHAPTER,
)
add(
    "kernel_gradient",
    "first-place-only",
    lambda signal, kernel, gradient, stride: gradient[0] * np.asarray(signal[: len(kernel)], dtype=float),
    "this is the first place alone. A shared weight adds up what it hears from all places.",
    CHAPTER,
)
add(
    "signal_gradient",
    "without-the-flip",
    lambda signal, kernel, gradient, stride: convolve(_spread(gradient, stride), kernel[::-1]),
    "this slides the kernel as it is over the gradients. Each output stamps its own share of the "
    "kernel onto the "
    "inputs that it saw: lay the first stamp down and see.",
    CHAPTER,
)
add(
    "signal_gradient",
    "last-stamp-wins",
    lambda signal, kernel, gradient, stride: (
        _stamped(signal, kernel, gradient, stride) if stride < len(kernel) else None
    ),
    "where two outputs saw the same input, the later one has replaced the other. Their shares add up.",
    CHAPTER,
)
add(
    "signal_gradient",
    "forgot-the-stride",
    lambda signal, kernel, gradient, stride: (
        np.pad(convolve(gradient, kernel), (0, len(signal) - len(gradient) - len(kernel) + 1))
        if stride > 1
        else None
    ),
    "this moves the stamp by one. It moves by {stride} each time.",
    CHAPTER,
)
add(
    "signal_gradient",
    "backwards",
    lambda **given: _signal_gradient(**given)[::-1],
    "the numbers are there but in reverse order. The first input comes first.",
    CHAPTER,
)

# --- Back through ReLU and pooling --------------------------------------------------------------------


def _one_map(values: Any) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)[None, ..., None]


def _pool_back(values: Any, gradient: Any) -> NDArray:
    return np.asarray(max_pool_backward(_one_map(gradient), _one_map(values), 2))[0, ..., 0]


def _block_gradient(values: Any, gradient: Any) -> NDArray:
    """Back through 2×2 max pooling and the ReLU before it."""
    through = max_pool_backward(_one_map(gradient), relu(_one_map(values)), 2)
    return np.asarray(relu_backward(through, _one_map(values)))[0, ..., 0]


def _learning_places(values: Any) -> int:
    """How many values of a map get a gradient, whatever it is."""
    ones = np.ones(np.shape(max_pool(_one_map(values), 2))[1:3])
    return int(np.count_nonzero(_block_gradient(values, ones)))


def _roll_block(dice: Dice) -> dict[str, Any]:
    numbers = [dice.roll(-6, 7) for _ in range(16)]
    dead = dice.roll(0, 3)  # one window in which nothing is positive
    rows = [list(numbers[4 * row : 4 * row + 4]) for row in range(4)]
    top, left = 2 * (dead // 2), 2 * (dead % 2)
    for row in (top, top + 1):
        for column in (left, left + 1):
            rows[row][column] = -abs(rows[row][column]) - 1
    slopes = [dice.roll(1, 5), -dice.roll(1, 5), dice.roll(2, 6), -dice.roll(2, 6)]
    return {
        "values": tuple(tuple(row) for row in rows),
        "gradient": (tuple(slopes[:2]), tuple(slopes[2:])),
    }


add_kind(
    "block_gradient",
    _block_gradient,
    Array(2),
    "which value of each window won, and was it let through by the ReLU?",
    CHAPTER,
    _roll_block,
    labels={"values": "values"},
)
add_kind(
    "learning_places",
    _learning_places,
    Number(),
    "how many windows are there, how many values of each hear anything, and which windows are silent?",
    CHAPTER,
    lambda dice: {"values": _roll_block(dice)["values"]},
)
add(
    "block_gradient",
    "forgot-the-relu",
    _pool_back,
    "one window holds nothing positive, and its gradient has passed all the same. A ReLU passes "
    "nothing there.",
    CHAPTER,
)
add(
    "block_gradient",
    "to-the-whole-window",
    lambda values, gradient: np.kron(gradient, np.ones((2, 2))) * (np.asarray(values) > 0),
    "every positive value of a window got the gradient. Only the one that won moved the output.",
    CHAPTER,
)
add(
    "block_gradient",
    "shared-out",
    lambda values, gradient: np.kron(gradient, np.full((2, 2), 0.25)),
    "the gradient of a window was shared out evenly, as average pooling does. Max pooling gives it "
    "to the winner.",
    CHAPTER,
)
add(
    "block_gradient",
    "gradient-times-value",
    lambda values, gradient: _block_gradient(values, gradient) * values,
    "the gradients are multiplied by the values. The winner passes its gradient on as it is.",
    CHAPTER,
)
add(
    "block_gradient",
    "values-for-gradients",
    lambda values, gradient: (
        (_block_gradient(values, np.ones((2, 2))) != 0) * np.asarray(values, dtype=float)
    ),
    "these are the winners themselves. Asked is what comes back to them.",
    CHAPTER,
)
add(
    "learning_places",
    "one-a-window",
    lambda values: np.asarray(values).size // 4,
    "{answer} is one for each window. In one of them the winner is not positive, and the ReLU passes "
    "nothing back.",
    CHAPTER,
)
add(
    "learning_places",
    "all-that-are-positive",
    lambda values: int((np.asarray(values) > 0).sum()),
    "{answer} counts all that the ReLU lets through. Of each window, only the winner hears anything.",
    CHAPTER,
)
add(
    "learning_places",
    "every-value",
    lambda values: np.asarray(values).size,
    "{answer} lets every value learn. Ask the pooling which ones it took, and the ReLU which ones it "
    "let through.",
    CHAPTER,
)

# --- Steps --------------------------------------------------------------------------------------------


def _momentum_step(weight: float, gradient: float, velocity: float, rate: float, momentum: float) -> float:
    moved, memory = np.array([float(weight)]), np.array([float(velocity)])
    SGD(rate, momentum=momentum).update(moved, np.array([float(gradient)]), rate, memory)
    return float(moved[0])


def _roll_step(dice: Dice) -> dict[str, Any]:
    return {
        "weight": dice.roll(1, 8) + 0.5,
        "gradient": dice.pick((-4, -3, -2, 2, 3, 4, 5)),
        "velocity": dice.pick((-1.2, -0.8, -0.4, 0.4, 0.8, 1.2)),
        "rate": dice.pick((0.05, 0.1, 0.2)),
        "momentum": dice.pick((0.8, 0.9)),
    }


def _updates(examples: int, batch: int, epochs: int) -> int:
    return -(-examples // batch) * epochs


add_kind(
    "momentum_step",
    _momentum_step,
    Number(),
    "what is left of the old velocity, what does the gradient add to it, and where does it take the weight?",
    CHAPTER,
    _roll_step,
    labels={"weight": "weight", "velocity": "velocity", "rate": "rate", "momentum": "momentum"},
)
add_kind(
    "updates",
    _updates,
    Number(),
    "how many batches has one epoch, the last one included?",
    CHAPTER,
    lambda dice: {
        "examples": 100 * dice.roll(20, 90) + 10 * dice.roll(1, 9),
        "batch": dice.pick((32, 64, 128)),
        "epochs": dice.roll(5, 20),
    },
    labels={"examples": "examples", "batch": "batch", "epochs": "epochs"},
)
add(
    "momentum_step",
    "uphill",
    lambda gradient, **given: _momentum_step(gradient=-gradient, **given),
    "{answer} steps along the gradient, and so uphill. The step goes against it.",
    CHAPTER,
)
add(
    "momentum_step",
    "forgot-the-momentum",
    lambda velocity, **given: _momentum_step(velocity=0, **given),
    "{answer} has no velocity in it. A part of the old one is kept.",
    CHAPTER,
)
add(
    "momentum_step",
    "kept-all-velocity",
    lambda momentum, weight, gradient, velocity, rate: weight + velocity - rate * gradient,
    "{answer} keeps the whole velocity. Only the part ρ of it is kept.",
    CHAPTER,
)
add(
    "momentum_step",
    "forgot-the-rate",
    lambda rate, **given: given["weight"] + given["momentum"] * given["velocity"] - given["gradient"],
    "{answer} goes down the whole gradient. The learning rate makes the step small.",
    CHAPTER,
)
add(
    "momentum_step",
    "velocity-for-weight",
    lambda weight, **given: _momentum_step(weight=0, **given),
    "{answer} is the new velocity. It is added to the weight.",
    CHAPTER,
)
add(
    "updates",
    "dropped-the-last-batch",
    lambda examples, batch, epochs: examples // batch * epochs if examples % batch else None,
    "{answer} drops the last batch of each epoch. It is smaller, but it makes a step too: round up.",
    CHAPTER,
)
add(
    "updates",
    "rounded-at-the-end",
    lambda examples, batch, epochs: -(-examples * epochs // batch) if epochs > 1 else None,
    "{answer} fills up the last batch with the next epoch. Every epoch ends with a batch of its own: "
    "round first.",
    CHAPTER,
)
add(
    "updates",
    "one-epoch",
    lambda examples, batch, epochs: -(-examples // batch) if epochs > 1 else None,
    "{answer} is one epoch.",
    CHAPTER,
)
add(
    "updates",
    "a-step-an-example",
    lambda examples, batch, epochs: examples * epochs,
    "{answer} makes a step for every example. There is one step a batch.",
    CHAPTER,
)

# --- Normalisation ------------------------------------------------------------------------


def _normalised(held: Sequence[float], asked: int, scale: float, shift: float) -> float:
    """What batch normalisation makes of one of the values of a channel."""
    values = np.array(held, dtype=np.float64)[:, None]
    outputs, _, _ = batch_normalization_train(values, np.array([scale]), np.array([shift]), epsilon=0)
    return float(outputs[asked, 0])


def _roll_column(dice: Dice) -> dict[str, Any]:
    return {
        "held": tuple(dice.roll(0, 12) for _ in range(4)),
        "asked": dice.roll(0, 3),
        "scale": dice.roll(2, 4),
        "shift": dice.pick((-3, -2, -1, 1, 2, 3)),
    }


add_kind(
    "normalised_value",
    _normalised,
    Number(),
    "what are mean and variance of the channel, and in which order are scale and shift applied?",
    CHAPTER,
    _roll_column,
    labels={"held": "values of a channel", "scale": "γ", "shift": "β"},
)
add(
    "normalised_value",
    "divided-by-the-variance",
    lambda held, asked, scale, shift: (
        scale * (held[asked] - np.mean(held)) / np.var(held) + shift if np.var(held) else None
    ),
    "{answer} divides by the variance. Its square root is what makes the spread 1.",
    CHAPTER,
)
add(
    "normalised_value",
    "one-fewer",
    lambda held, asked, scale, shift: (
        scale * (held[asked] - np.mean(held)) / np.std(held, ddof=1) + shift if np.var(held) else None
    ),
    "{answer} divides the squares by n − 1. Batch normalisation takes their mean: divide by n.",
    CHAPTER,
)
add(
    "normalised_value",
    "forgot-the-mean",
    lambda held, asked, scale, shift: scale * held[asked] / np.std(held) + shift if np.var(held) else None,
    "{answer} does not take the mean away.",
    CHAPTER,
)
add(
    "normalised_value",
    "forgot-scale-and-shift",
    lambda held, asked, scale, shift: _normalised(held, asked, 1, 0),
    "{answer} is normalised, but the layer then multiplies by γ and adds β.",
    CHAPTER,
)
add(
    "normalised_value",
    "shift-before-scale",
    lambda held, asked, scale, shift: scale * (_normalised(held, asked, 1, 0) + shift),
    "{answer} adds β before it multiplies by γ. It is γ times the normalised value, and then β.",
    CHAPTER,
)

# --- Counts of a block with normalisation -------------------------------------------------------------


def _trained_parameters(kernel_size: int, channels: int, filters: int) -> int:
    """What a convolution without biases and the batch normalisation after it learn."""
    return conv_weights((kernel_size, kernel_size), channels, filters) + 2 * filters


def _all_parameters(kernel_size: int, channels: int, filters: int) -> int:
    """The same with the running mean and variance of each channel, which are not learned by a gradient."""
    return _trained_parameters(kernel_size, channels, filters) + 2 * filters


def _roll_block_count(dice: Dice) -> dict[str, Any]:
    return {
        "kernel_size": dice.pick((3, 5, 7)),
        "channels": dice.roll(3, 24),
        "filters": dice.roll(6, 48),
    }


add_kind(
    "block_trained",
    _trained_parameters,
    Number(),
    "which numbers of the two layers does a gradient change?",
    CHAPTER,
    _roll_block_count,
)
add_kind(
    "block_parameters",
    _all_parameters,
    Number(),
    "how many numbers does batch normalisation keep for each channel?",
    CHAPTER,
    _roll_block_count,
)
_KEPT_BIASES = (
    "{answer} gives the convolution biases. Here they are left out: the normalisation takes them off again."
)
add(
    "block_trained",
    "kept-the-biases",
    lambda kernel_size, channels, filters: (
        conv_parameters((kernel_size, kernel_size), channels, filters) + 2 * filters
    ),
    _KEPT_BIASES,
    CHAPTER,
)
add(
    "block_trained",
    "convolution-only",
    lambda kernel_size, channels, filters: conv_weights((kernel_size, kernel_size), channels, filters),
    "{answer} is the convolution alone. The normalisation learns a scale and a shift for each channel.",
    CHAPTER,
)
add(
    "block_trained",
    "running-means-too",
    _all_parameters,
    "{answer} counts running means and variances. They are measured, not learned.",
    CHAPTER,
)
add(
    "block_parameters",
    "kept-the-biases",
    lambda kernel_size, channels, filters: (
        conv_parameters((kernel_size, kernel_size), channels, filters) + 4 * filters
    ),
    _KEPT_BIASES,
    CHAPTER,
)
add(
    "block_parameters",
    "learned-ones-only",
    _trained_parameters,
    "{answer} is what is learned. Keras' summary also counts the running mean and variance of each channel.",
    CHAPTER,
)
add(
    "block_parameters",
    "one-set-for-the-layer",
    lambda kernel_size, channels, filters: conv_weights((kernel_size, kernel_size), channels, filters) + 4,
    "{answer} has one set of four numbers for the layer. Every channel has its own.",
    CHAPTER,
)

# --- Functions ----------------------------------------------------------------------------------------


def _mean_loss(scores: NDArray, labels: NDArray) -> float:
    return float(sparse_categorical_crossentropy(labels, scores, from_logits=True))


def _roll_batch(dice: Dice, examples: int | None = None, large: bool = False) -> dict[str, Any]:
    count, classes = examples or dice.roll(2, 5), dice.roll(3, 6)
    scores = dice.halves((count, classes))
    if large:
        scores = scores + 1000 * dice.roll(1, 3)  # the same losses, but powers that overflow
    return {"scores": scores, "labels": np.array([dice.roll(0, classes - 1) for _ in range(count)])}


add_kind(
    "mean_loss",
    _mean_loss,
    Number(),
    "what is the loss of a single example with two equal scores, and what does your function say?",
    CHAPTER,
    _roll_batch,
    labels={"labels": "labels"},
)


def _losses(scores: NDArray, labels: NDArray) -> NDArray:
    """The loss of every example by itself."""
    rows = zip(scores, labels, strict=True)
    return np.array([_loss(tuple(row), int(label)) for row, label in rows])


add(
    "mean_loss",
    "sum-for-mean",
    lambda scores, labels: _losses(scores, labels).sum(),
    "{answer} is the sum over the batch. The loss of a batch is the mean, so that its size does not matter.",
    CHAPTER,
)
add(
    "mean_loss",
    "forgot-the-minus",
    lambda scores, labels: -_mean_loss(scores, labels),
    "{answer} is negative. The loss is minus the logarithm.",
    CHAPTER,
)
add(
    "mean_loss",
    "over-all-classes",
    lambda scores, labels: _mean_loss(scores, labels) / scores.shape[1],
    "{answer} takes the mean over classes as well. Only the right class of each example counts.",
    CHAPTER,
)
add(
    "mean_loss",
    "softmax-over-the-batch",
    lambda scores, labels: float(-np.mean(np.log(softmax(scores, axis=0)[np.arange(len(labels)), labels]))),
    "{answer} takes softmax down the batch. Each example is a row of its own.",
    CHAPTER,
)


def _map_gradient(values: NDArray, gradient: NDArray) -> NDArray:
    return _pool_back(values, gradient)


def _roll_map(dice: Dice) -> dict[str, Any]:
    rows, columns = dice.roll(1, 3), dice.roll(2, 4)
    values = dice.halves((2 * rows, 2 * columns), low=-40, high=40)
    # All different, so that there is one winner in each window.
    values += np.arange(values.size).reshape(values.shape) / 128
    return {"values": values, "gradient": dice.halves((rows, columns))}


add_kind(
    "map_gradient",
    _map_gradient,
    Array(2),
    "for one window of four values: which of them gets the gradient, and what do the others get?",
    CHAPTER,
    _roll_map,
)
add(
    "map_gradient",
    "to-the-whole-window",
    lambda values, gradient: np.kron(gradient, np.ones((2, 2))),
    "Every value of a window got its gradient. Only the winner moved the output.",
    CHAPTER,
)
add(
    "map_gradient",
    "shared-out",
    lambda values, gradient: np.kron(gradient, np.full((2, 2), 0.25)),
    "The gradient of a window is shared out evenly, as average pooling does. Max pooling gives it to "
    "the winner.",
    CHAPTER,
)
add(
    "map_gradient",
    "to-the-smallest",
    lambda values, gradient: _pool_back(-values, gradient),
    "The gradient went to the smallest value of each window.",
    CHAPTER,
)
add(
    "map_gradient",
    "ones-for-gradients",
    lambda values, gradient: _pool_back(values, np.ones_like(gradient)),
    "The winners are marked, but each must get the gradient of its own window.",
    CHAPTER,
)


def _filter_gradient(inputs: NDArray, gradient: NDArray) -> NDArray:
    """The gradient of a layer's filters: (kernel height, kernel width, channels, filters)."""
    (height, width, channels), (rows, columns, filters) = inputs.shape, gradient.shape
    kernels = np.zeros((height - rows + 1, width - columns + 1, channels, filters))
    return np.asarray(conv_backward(gradient[None], inputs[None], kernels).kernel)


def _roll_filters(dice: Dice, channels: int | None = None, filters: int | None = None) -> dict[str, Any]:
    rows, columns = dice.roll(2, 4), dice.roll(2, 5)
    inputs = dice.halves((rows + dice.roll(1, 2), columns + dice.roll(1, 3), channels or dice.roll(2, 3)))
    return {"inputs": inputs, "gradient": dice.halves((rows, columns, filters or dice.roll(2, 3)))}


add_kind(
    "filter_gradient",
    _filter_gradient,
    Array(4),
    "for one weight: which inputs did it meet, at one output place after the other?",
    CHAPTER,
    _roll_filters,
)
add(
    "filter_gradient",
    "turned-round",
    lambda inputs, gradient: _filter_gradient(inputs, gradient)[::-1, ::-1],
    "The kernels are turned round. The weight at the top left met the inputs at the top left.",
    CHAPTER,
)
add(
    "filter_gradient",
    "mean-for-sum",
    lambda inputs, gradient: _filter_gradient(inputs, gradient) / gradient[..., 0].size,
    "This is a mean over the places. A shared weight adds up what it hears from each of them.",
    CHAPTER,
)
add(
    "filter_gradient",
    "first-channel-only",
    lambda inputs, gradient: (
        np.repeat(_filter_gradient(inputs[..., :1], gradient), inputs.shape[-1], axis=2)
        if inputs.shape[-1] > 1
        else None
    ),
    "Every kernel of a filter has the gradient of the first. The kernel for channel c met channel c.",
    CHAPTER,
)
add(
    "filter_gradient",
    "gradients-added-up",
    lambda inputs, gradient: (
        np.repeat(_filter_gradient(inputs, gradient.sum(axis=-1, keepdims=True)), gradient.shape[-1], axis=3)
        if gradient.shape[-1] > 1
        else None
    ),
    "All filters have the same gradient. Filter f hears from feature map f alone.",
    CHAPTER,
)
add(
    "filter_gradient",
    "channels-and-filters-exchanged",
    lambda inputs, gradient: (
        _filter_gradient(inputs, gradient).swapaxes(2, 3) if inputs.shape[-1] != gradient.shape[-1] else None
    ),
    "Channels and filters are exchanged. A gradient has the shape of what it belongs to: channels, "
    "then filters.",
    CHAPTER,
)


def _step_weights(
    x: NDArray, labels: NDArray, weights: NDArray, rate: float, averaged: bool = True, sign: float = -1.0
) -> NDArray:
    """The weights of a dense layer with softmax after one step of gradient descent on a batch."""
    scores = x @ weights
    slope = sparse_categorical_crossentropy_backward(1.0, labels, scores, from_logits=True)
    change = np.asarray(dense_backward(np.asarray(slope), x, weights).kernel)
    return weights + sign * rate * (change if averaged else change * len(x))


def _training_step(x: NDArray, labels: NDArray, weights: NDArray, rate: float) -> NDArray:
    return _step_weights(x, labels, weights, rate)


def _roll_training_step(dice: Dice, examples: int | None = None) -> dict[str, Any]:
    count, features, classes = examples or dice.roll(3, 6), dice.roll(2, 4), dice.roll(3, 4)
    return {
        "x": dice.halves((count, features), low=-4, high=4),
        "labels": np.array([dice.roll(0, classes - 1) for _ in range(count)]),
        "weights": dice.halves((features, classes), low=-3, high=3),
        "rate": dice.pick((0.25, 0.5)),
    }


add_kind(
    "training_step",
    _training_step,
    Array(2),
    "which of the four lines (scores, probabilities, gradient, step) is the first that gives a wrong array?",
    CHAPTER,
    _roll_training_step,
    labels={"x": "inputs"},
)


def _step_from(slope: Callable[[NDArray, NDArray], NDArray]) -> Callable[..., NDArray]:
    """A step with another slope of the scores."""

    def wrong(x: NDArray, labels: NDArray, weights: NDArray, rate: float) -> NDArray:
        return weights - rate * x.T @ slope(x @ weights, labels) / len(x)

    return wrong


def _targets(scores: NDArray, labels: NDArray) -> NDArray:
    return np.eye(scores.shape[1])[labels]


add(
    "training_step",
    "uphill",
    lambda **given: _step_weights(**given, sign=1.0),
    "The step goes along the gradient, and so uphill: the loss grows.",
    CHAPTER,
)
add(
    "training_step",
    "sum-for-mean",
    lambda **given: _step_weights(**given, averaged=False),
    "The step is the sum over the batch. The loss is a mean, so its gradient is divided by the "
    "number of examples.",
    CHAPTER,
)
add(
    "training_step",
    "softmax-over-the-batch",
    _step_from(lambda scores, labels: softmax(scores, axis=0) - _targets(scores, labels)),
    "Softmax was taken down the batch. Each example is a row: its probabilities sum to 1 along the row.",
    CHAPTER,
)
add(
    "training_step",
    "forgot-the-targets",
    _step_from(lambda scores, labels: np.asarray(softmax(scores))),
    "The targets are not taken away: the gradient by the scores is p − t.",
    CHAPTER,
)
add(
    "training_step",
    "forgot-the-softmax",
    _step_from(lambda scores, labels: scores - _targets(scores, labels)),
    "Scores are taken for probabilities. Softmax comes first.",
    CHAPTER,
)

# --- Bends, dropout, dead channels --------------------------------------------------------------------


def _slopes_bound(layers: int) -> float:
    """By how much, at least, so many sigmoids shrink a gradient that goes back through all of them."""
    steepest = float(sigmoid_backward(np.ones(1), np.zeros(1))[0])
    return steepest**-layers


add_kind(
    "slopes_bound",
    _slopes_bound,
    Number(),
    "how steep is a sigmoid where it is steepest, and what becomes of the slopes of a chain?",
    CHAPTER,
    lambda dice: {"layers": dice.roll(3, 12)},
    labels={"layers": "layers"},
)
add_all(
    "slopes_bound",
    CHAPTER,
    (
        "added-the-slopes",
        lambda layers: _slopes_bound(1) * layers if layers > 1 else None,
        "{answer} adds up. The slopes of a chain are multiplied.",
    ),
    (
        "one-half",
        lambda layers: 2**layers,
        "{answer} takes the value of the sigmoid at 0 for its slope there.",
    ),
    (
        "steepness-of-tanh",
        lambda layers: 1,
        "{answer} is the steepest slope of tanh and of ReLU. A sigmoid is never so steep.",
    ),
    (
        "one-layer-fewer",
        lambda layers: _slopes_bound(layers - 1),
        "{answer} leaves one of the {layers} layers out. Each has a sigmoid, the last one too.",
    ),
)


def _dropped(value: float, rate: float, mode: str) -> float:
    """What dropout makes of a value that it does not drop."""
    if mode == "in use":
        return value
    kept = dropout_backward(np.array([value]), np.ones(1, bool), rate)  # scaled as on the way forward
    return round(float(kept[0]), 9)


add_kind(
    "dropped",
    _dropped,
    Number(),
    "which values are scaled, when, and so that what stays as it was?",
    CHAPTER,
    lambda dice: {
        "value": 12 * dice.roll(1, 6),
        "rate": dice.pick((0.2, 0.25, 0.4, 0.5, 0.75)),
        "mode": dice.pick(("in training", "in training", "in use")),
    },
    labels={"value": "value", "mode": "mode"},
)
add_all(
    "dropped",
    CHAPTER,
    (
        "not-scaled",
        lambda value, rate, mode: value if mode == "in training" else None,
        "{answer} leaves a kept value as it is. Then the sum would fall in training, as others are dropped.",
    ),
    (
        "scaled-down",
        lambda value, rate, mode: value * (1 - rate),
        "{answer} makes kept values smaller. The values that were dropped are missing in the sum already.",
    ),
    (
        "scaled-in-use",
        lambda value, rate, mode: value / (1 - rate) if mode == "in use" else None,
        "{answer} scales in use. There nothing is dropped, and nothing has to be made up for.",
    ),
    (
        "divided-by-the-rate",
        lambda value, rate, mode: value / rate if rate != 0.5 else None,
        "{answer} divides by the share that is dropped.",
    ),
    (
        "added-the-rate",
        lambda value, rate, mode: value * (1 + rate) if mode == "in training" else None,
        "{answer} is larger by the share that is dropped. How many times larger must what is left be?",
    ),
)


def _dead_cost(kernel_size: int, channels: int, next_kernel: int, next_filters: int) -> int:
    """The parameters that one dead channel wastes: its filter, and what the next layer reads it by."""
    own = conv_parameters((kernel_size, kernel_size), channels, 1)
    return own + conv_weights((next_kernel, next_kernel), 1, next_filters)


add_kind(
    "dead_cost",
    _dead_cost,
    Number(),
    "what belongs to the filter that makes the channel, and which weights of the next layer meet it?",
    CHAPTER,
    lambda dice: {
        "kernel_size": dice.pick((3, 5)),
        "channels": dice.roll(2, 8),
        "next_kernel": dice.pick((3, 5)),
        "next_filters": dice.roll(6, 16),
    },
    labels={"next_kernel": "kernel of the next layer", "next_filters": "filters of the next layer"},
)
add_all(
    "dead_cost",
    CHAPTER,
    (
        "its-own-only",
        lambda kernel_size, channels, next_kernel, next_filters: conv_parameters(
            (kernel_size, kernel_size), channels, 1
        ),
        "{answer} is its own filter alone. The next layer has weights that read the channel.",
    ),
    (
        "readers-only",
        lambda kernel_size, channels, next_kernel, next_filters: conv_weights(
            (next_kernel, next_kernel), 1, next_filters
        ),
        "{answer} counts the weights that read it alone. It has a filter of its own as well.",
    ),
    (
        "forgot-its-bias",
        lambda **given: _dead_cost(**given) - 1,
        "{answer} leaves its bias out.",
    ),
    (
        "one-reader",
        lambda next_filters, **given: _dead_cost(next_filters=1, **given) if next_filters > 1 else None,
        "{answer} lets one filter of the next layer read it. All of them do.",
    ),
    (
        "biases-of-the-readers",
        lambda next_filters, **given: _dead_cost(next_filters=next_filters, **given) + next_filters,
        "{answer} counts the biases of the next layer, too. They are at work without this channel.",
    ),
    (
        "flat-filter",
        lambda channels, **given: _dead_cost(channels=1, **given) if channels > 1 else None,
        "{answer} leaves out how deep its filter is: as deep as its input.",
    ),
)
