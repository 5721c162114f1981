"""Answers to assignment 8: four functions and a model, right in different styles and wrong in many."""

from __future__ import annotations

import runpy
from pathlib import Path

RIGHT = {
    "mean_loss": [
        """
import numpy as np

def mean_loss(scores, labels):
    shifted = scores - scores.max(axis=1, keepdims=True)
    p = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    targets = np.eye(scores.shape[1])[labels]
    return -np.mean(np.sum(targets * np.log(p + 1e-300), axis=1))
""",
        """
import math

def mean_loss(scores, labels):
    total = 0
    for row, label in zip(scores.tolist(), labels.tolist()):
        largest = max(row)
        total += largest - row[label] + math.log(sum(math.exp(score - largest) for score in row))
    return total / len(labels)
""",
        """
from scipy.special import logsumexp

def mean_loss(scores, labels):
    right = scores[range(len(labels)), labels]
    return (logsumexp(scores, axis=1) - right).mean()
""",
        """
from cnnlib.losses import sparse_categorical_crossentropy

def mean_loss(scores, labels):
    return sparse_categorical_crossentropy(labels, scores, from_logits=True)
""",
    ],
    "max_pool_back": [
        """
import numpy as np

def max_pool_back(values, gradient):
    back = np.zeros_like(values)
    for row in range(gradient.shape[0]):
        for column in range(gradient.shape[1]):
            best = None
            for i in (2 * row, 2 * row + 1):
                for j in (2 * column, 2 * column + 1):
                    if best is None or values[i, j] > values[best]:
                        best = i, j
            back[best] = gradient[row, column]
    return back
""",
        """
import numpy as np

def max_pool_back(values, gradient):
    rows, columns = gradient.shape
    largest = values.reshape(rows, 2, columns, 2).max(axis=(1, 3))
    spread = np.ones((2, 2))
    return np.where(values == np.kron(largest, spread), np.kron(gradient, spread), 0.0)
""",
        """
from cnnlib import max_pool_backward

def max_pool_back(values, gradient):
    return max_pool_backward(gradient[None, ..., None], values[None, ..., None], 2)[0, ..., 0]
""",
        """
def max_pool_back(values, gradient):
    back = [[0.0] * values.shape[1] for _ in range(values.shape[0])]
    for (row, column), slope in __import__("numpy").ndenumerate(gradient):
        places = [(2 * row + i, 2 * column + j) for i in (0, 1) for j in (0, 1)]
        top, left = max(places, key=lambda place: values[place])
        back[top][left] = float(slope)
    return back
""",
    ],
    "filter_gradient": [
        """
import numpy as np

def filter_gradient(inputs, gradient):
    rows, columns, filters = gradient.shape
    kh, kw = inputs.shape[0] - rows + 1, inputs.shape[1] - columns + 1
    weights = np.zeros((kh, kw, inputs.shape[2], filters))
    for y in range(rows):
        for x in range(columns):
            window = inputs[y : y + kh, x : x + kw]
            for f in range(filters):
                weights[..., f] += window * gradient[y, x, f]
    return weights
""",
        """
import numpy as np

def filter_gradient(inputs, gradient):
    windows = np.lib.stride_tricks.sliding_window_view(inputs, gradient.shape[:2], axis=(0, 1))
    return np.einsum("ijcyx,yxf->ijcf", windows, gradient).astype(np.float32)
""",
        """
from cnnlib import conv

def filter_gradient(inputs, gradient):
    channels_as_images = inputs.transpose(2, 0, 1)[..., None]
    return conv(channels_as_images, gradient[:, :, None]).transpose(1, 2, 0, 3)
""",
        """
import numpy as np
from cnnlib import conv_backward

def filter_gradient(inputs, gradient):
    size = [1 + n - m for n, m in zip(inputs.shape[:2], gradient.shape[:2])]
    kernels = np.zeros((*size, inputs.shape[-1], gradient.shape[-1]))
    return conv_backward(gradient[None], inputs[None], kernels).kernel
""",
    ],
    "training_step": [
        """
import numpy as np

def training_step(x, labels, weights, rate):
    scores = x @ weights
    powers = np.exp(scores)
    p = powers / powers.sum(axis=1)[:, None]
    targets = np.eye(weights.shape[1])[labels]
    gradient = x.T @ (p - targets) / len(labels)
    return weights - rate * gradient
""",
        """
import numpy as np

def training_step(x, labels, weights, rate):
    gradient = np.zeros_like(weights)
    for example, label in zip(x, labels):
        p = np.exp(example @ weights)
        p = p / p.sum()
        p[label] -= 1
        gradient += np.outer(example, p)
    return weights - rate * gradient / len(x)
""",
        """
import numpy as np
from cnnlib import softmax

def training_step(x, labels, weights, rate):
    slope = softmax(x @ weights)
    slope[np.arange(len(labels)), labels] -= 1
    return (weights - rate * np.mean(x[:, :, None] * slope[:, None, :], axis=0)).tolist()
""",
    ],
}

#: Cheats and slips that no registered misconception describes: (body, what is told, most points).
WRONG: dict[str, list[tuple[str, str, float]]] = {
    "mean_loss": [
        ("return 2.303", "the same result, 2.303, comes out for different arguments", 0),
        ("return 0", "the same result, 0,", 0),
        ("print(right)", "printed its result and returned None", 0),
        ("right", "returned None. Is there a return", 0),
        ("return str(right)", "its result is text", 0),
        ("return [right]", "its result is a list; one number is asked for", 0),
        ("return np.array([right])", "its result is a ndarray; one number is asked for", 0),
        ("return float('nan')", "its result is nan", 0),
        ("return True", "its result is True", 0),
        ("return right * len(labels)", "is the sum over the batch", 2),
        ("return -right", "is negative", 0),
        ("return right + 1", "which is not right", 0),
        (
            "p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)\n"
            "    return -np.mean(np.log(p[np.arange(len(labels)), labels]))",
            "its result is nan",
            2,
        ),
        ("return np.max(scores)", "which is not right", 0),
        ("scores -= scores.max()\n    return right", "changed the array that was handed to it", 0),
        ("return right / 0 if False else 1 / 0", "raised ZeroDivisionError", 0),
        ("return Sly()", "is of type Sly", 0),
    ],
    "max_pool_back": [
        ("return np.zeros(values.shape)", "gave zeros everywhere", 0),
        ("return values", "gave back its own input", 0),
        ("return gradient", "gave back its own input", 0),
        ("return gradient.copy()", "which is not the shape of the output", 0),
        ("return values.copy()", "which is not right", 0),
        ("return right[::-1]", "which is not right", 0),
        ("return right.sum()", "is of type float64", 0),
        ("return right[None]", "its array has 3 axes", 0),
        ("return right * np.nan", "its result is nan", 0),
        ("print(right)", "printed its result", 0),
        ("return np.where(right != 0, 1.0, 0.0)", "which is not right", 0),
        ("values[:] = right\n    return right", "changed the array that was handed to it", 0),
        ("gradient *= 2\n    return right", "changed the array that was handed to it", 0),
        ("return right.astype(int)", "gave whole numbers", 0),
        ("return right.astype(object)", "is of type ndarray", 0),
        ("return right.view(SlyArray)", "is of type SlyArray", 0),
        ("return Sly()", "is of type Sly", 0),
    ],
    "filter_gradient": [
        ("return np.zeros(right.shape)", "gave zeros everywhere", 0),
        ("return inputs", "gave back its own input", 0),
        ("return right[..., 0]", "its array has 3 axes", 0),
        ("return right.sum(axis=2)", "its array has 3 axes", 0),
        ("return right[::-1, ::-1]", "The kernels are turned round", 0),
        ("return right.transpose(3, 2, 0, 1)", "gave an array of shape", 0),
        ("return right / gradient.shape[0] / gradient.shape[1]", "This is a mean over the places", 0),
        ("return right * np.nan", "its result is nan", 0),
        ("return right.astype(int)", "gave whole numbers", 0),
        ("print(right)", "printed its result", 0),
        ("inputs *= 2\n    return right", "changed the array that was handed to it", 0),
        ("return right + 0.01", "which is not right", 0),
        ("return np.repeat(right[:, :, :1], right.shape[2], axis=2)", "gradient of the first", 2),
        ("return right.view(SlyArray)", "is of type SlyArray", 0),
        ("return Sly()", "is of type Sly", 0),
    ],
    "training_step": [
        (
            "scores = x @ weights\n    powers = np.exp(scores)\n    p = powers / powers.sum(axis=0)\n"
            "    targets = np.eye(weights.shape[1])[labels]\n    gradient = x.T @ (p - targets)\n"
            "    return weights + rate * gradient",
            "which is not right",
            0,
        ),
        ("return weights", "gave back its own input", 0),
        ("return weights.copy()", "which is not right", 0),
        ("return 2 * weights - right", "goes along the gradient, and so uphill", 0),
        ("return weights + len(x) * (right - weights)", "The step is the sum over the batch", 1),
        ("weights[:] = right\n    return weights.copy()", "changed the array that was handed to it", 0),
        ("weights -= 1\n    return right", "changed the array that was handed to it", 0),
        ("return np.zeros_like(weights)", "gave zeros everywhere", 0),
        ("return right.T", "which is not", 0),
        ("return right.sum(axis=0)", "its array has 1 axis", 0),
        ("return right - weights", "which is not right", 0),
        ("return right * np.nan", "its result is nan", 0),
        ("print(right)", "printed its result", 0),
        ("return right.view(SlyArray)", "is of type SlyArray", 0),
        ("return Sly()", "is of type Sly", 0),
    ],
}


def _head(definition: str, kind: str, names: str) -> str:
    """The head of a function whose body may use ``right``, what should come out."""
    copies = ", ".join(f"{name}=np.copy({name})" for name in names.split(", "))
    return (
        f"import numpy as np\nfrom cnnlib.exercises import Task\n\n{definition}\n"
        f"    right = Task('{kind}', **dict({copies})).answer"
    )


HEADS = {
    "mean_loss": _head("def mean_loss(scores, labels):", "mean_loss", "scores, labels"),
    "max_pool_back": _head("def max_pool_back(values, gradient):", "map_gradient", "values, gradient"),
    "filter_gradient": _head("def filter_gradient(inputs, gradient):", "filter_gradient", "inputs, gradient"),
    "training_step": _head(
        "def training_step(x, labels, weights, rate):", "training_step", "x, labels, weights, rate"
    ),
}

# --- The model ----------------------------------------------------------------------------------------

ModelSources = runpy.run_path(str(Path(__file__).parents[1] / "model_sources.py"))["ModelSources"]
GOOD = [
    "layers.Conv2D(first.filters, first.kernel_size, padding='same', use_bias=False)",
    "layers.BatchNormalization()",
    "layers.ReLU()",
    "layers.MaxPooling2D(2)",
    "layers.Flatten()",
    "layers.Dense(last.units)",
]


MODEL = ModelSources("normalised_network", "build-a-block", *GOOD, table="q", names="first, *_, last")
built, variant = MODEL.built, MODEL.but


RIGHT["normalised_network"] = [
    built(*GOOD),
    """
import keras
q = sheet["build-a-block"]
image = keras.Input(q.input_shape)
filters = q.rows[0].output[-1]
size = round((q.rows[0].parameters / filters / q.input_shape[-1]) ** 0.5)
x = keras.layers.Conv2D(filters, (size, size), padding="same", use_bias=False)(image)
x = keras.layers.MaxPool2D((2, 2))(keras.layers.ReLU()(keras.layers.BatchNormalization()(x)))
x = keras.layers.Dense(q.rows[-1].output[0], activation="softmax")(keras.layers.Flatten()(x))
normalised_network = keras.Model(image, x)
""",
    """
import keras
q = sheet["build-a-block"]
first, *_, last = q.layers
normalised_network = keras.Sequential()
normalised_network.add(keras.Input(shape=q.input_shape))
normalised_network.add(
    keras.layers.Conv2D(filters=first.filters, kernel_size=first.kernel_size, padding="same", use_bias=False)
)
normalised_network.add(keras.layers.BatchNormalization(momentum=0.9))
normalised_network.add(keras.layers.ReLU())
normalised_network.add(keras.layers.MaxPooling2D(pool_size=2, strides=2))
normalised_network.add(keras.layers.Flatten())
normalised_network.add(keras.layers.Dense(units=last.units))
""",
]

WRONG["normalised_network"] = [
    (
        variant(1, "layers.Conv2D(first.filters, first.kernel_size, padding='same')"),
        "layer 1, Conv2D, has",
        2.5,
    ),
    (
        variant(1, "layers.Conv2D(first.filters, first.kernel_size, use_bias=False)"),
        "layer 1, Conv2D, makes (",
        0,
    ),
    (variant(2, "layers.LayerNormalization()"), "layer 2 is LayerNormalization", 2.5),
    (variant(2, "layers.BatchNormalization(scale=False)"), "layer 2, BatchNormalization, has", 2.5),
    (variant(3, "layers.Activation('relu')"), "layer 3 is Activation, where ReLU is asked for", 2.5),
    (variant(4, "layers.AveragePooling2D(2)"), "layer 4 is AveragePooling2D", 2.5),
    (variant(4, "layers.MaxPooling2D(3)"), "layer 4, MaxPooling2D, makes (", 1.5),
    (variant(6, "layers.Dense(last.units, use_bias=False)"), "layer 6, Dense, has", 2.5),
    (built(*GOOD, shape="(28, 28, 2)"), "the input shape is (28, 28, 2)", 0),
    (built(*GOOD[:3]), "the model has 3 layers", 0),
    ("normalised_network = None", "normalised_network is of type NoneType", 0),
    ("normalised_network = [1]", "normalised_network is of type list", 0),
]

#: Wrong ones that only the hidden test sees.
DISGUISED = {
    "normalised_network": [
        (  # as many weights as a square kernel
            variant(1, GOOD[0].replace("first.kernel_size", "(first.kernel_size[0] ** 2, 1)")),
            "but its weights have other shapes",
            2.5,
        ),
    ],
}
