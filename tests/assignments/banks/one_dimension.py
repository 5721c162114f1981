"""Answers to assignment 1: functions and the model, right in different styles and wrong in many."""

from __future__ import annotations

import runpy
from pathlib import Path

RIGHT = {
    "correlate": [
        """
import numpy as np

def correlate(signal, kernel, stride=1):
    places = (len(signal) - len(kernel)) // stride + 1
    outputs = np.zeros(places)
    for place in range(places):
        for tap in range(len(kernel)):
            outputs[place] += kernel[tap] * signal[place * stride + tap]
    return outputs
""",
        """
import numpy as np

def correlate(signal, kernel, stride=1):
    windows = np.lib.stride_tricks.sliding_window_view(signal, len(kernel))
    return windows[::stride] @ kernel
""",
        """
def correlate(signal, kernel, stride=1):
    k = len(kernel)
    return [
        float(sum(w * x for w, x in zip(kernel, signal[start : start + k])))
        for start in range(0, len(signal) - k + 1, stride)
    ]
""",
        """
import numpy as np

def correlate(signal, kernel, stride=1):
    every = np.array([signal[i : i + len(kernel)] @ kernel for i in range(signal.size - kernel.size + 1)])
    print("all places:", every)
    return every[::stride].astype(np.float32)
""",
        """
from cnnlib.algorithms import toeplitz_matrix

def correlate(x, w, s=1):
    return tuple(toeplitz_matrix(w, len(x), s) @ x)
""",
    ],
    "layer": [
        """
import numpy as np

def layer(signal, kernel, bias, stride=1):
    places = (len(signal) - len(kernel)) // stride + 1
    activations = np.zeros(places)
    for i in range(places):
        window = signal[i * stride : i * stride + len(kernel)]
        activations[i] = max(np.dot(window, kernel) + bias, 0)
    return activations
""",
        """
from cnnlib import correlate, relu

def layer(signal, kernel, bias, stride=1):
    return relu(correlate(signal, kernel, stride) + bias)
""",
        """
def layer(signal, kernel, bias, stride=1):
    sums, start = [], 0
    while start + len(kernel) <= len(signal):
        total = bias
        for tap, weight in enumerate(kernel):
            total = total + weight * signal[start + tap]
        sums.append(float(total) if total > 0 else 0)
        start += stride
    return sums
""",
        """
import numpy as np

def layer(signal, kernel, bias, stride=1):
    windows = np.lib.stride_tricks.sliding_window_view(signal, kernel.shape)[::stride]
    return np.clip((windows * kernel).sum(axis=1) + bias, 0, None)
""",
    ],
}

#: Cheats and slips that no registered misconception describes: name → (body, what is told, most points).
WRONG: dict[str, list[tuple[str, str, float]]] = {
    "correlate": [
        ("return np.zeros(3)", "gave zeros everywhere", 0),
        ("return out", "gave zeros everywhere", 0),
        ("return signal", "gave back its own input", 0),
        ("return signal.copy()", "which is not the shape of the output", 0),
        ("return np.ones_like(right)", "which is not right", 0),
        ("print(right)", "printed its result and returned None", 0),
        ("right", "returned None. Is there a return", 0),
        ("return right[0]", "a list or a NumPy array of numbers is asked for", 0),
        ("return right[::-1]", "which is not right", 0),
        ("return right[None]", "its array has 2 axes", 0),
        ("return right * np.nan", "its result is nan", 0),
        ("return right + 1e-3", "which is not right", 0),
        ("return right.astype(int)", "gave whole numbers", 0),
        ("return right.astype(object)", "is of type ndarray", 0),
        ("return str(right)", "its result is text", 0),
        ("return signal @ kernel", "raised ValueError", 0),
        ("return undefined", "raised NameError: name 'undefined' is not defined", 0),
        ("signal *= 2\n    return right", "changed the array that was handed to it", 0),
        ("exit()", "raised RuntimeError: exit(None)", 0),
        ("return cnn_correlate(signal, kernel)", "This is stride 1", 2),
        ("return right.view(SlyArray)", "is of type SlyArray", 0),
        ("return Sly()", "is of type Sly", 0),
    ],
    "layer": [
        (  # as it is handed out
            "places = (len(signal) - len(kernel)) // stride\n"
            "    activations = np.zeros(places)\n"
            "    for i in range(places):\n"
            "        window = signal[i : i + len(kernel)]\n"
            "        activations[i] = max(np.dot(window, kernel), 0) + bias\n"
            "    return activations",
            "which is not the shape of the output",
            0,
        ),
        (  # two of the three slips mended: strides are not
            "places = (len(signal) - len(kernel)) // stride + 1\n"
            "    activations = np.zeros(places)\n"
            "    for i in range(places):\n"
            "        window = signal[i : i + len(kernel)]\n"
            "        activations[i] = max(np.dot(window, kernel) + bias, 0)\n"
            "    return activations",
            "The windows start one input apart",
            2,
        ),
        (  # the bias is still after the ReLU
            "return np.maximum(sums, 0) + bias",
            "The bias comes after the ReLU here",
            0,
        ),
        ("return np.maximum(sums[:-1] + bias, 0)", "The last place is missing", 0),
        ("return sums + bias", "This is the feature map", 0),
        ("return np.maximum(sums, 0)", "The bias is missing", 0),
        ("return np.minimum(sums + bias, 0)", "which is not right", 0),
        ("return np.maximum(sums + 2 * bias, 0)", "which is not right", 0),
        ("return np.zeros_like(sums)", "gave zeros everywhere", 0),
        ("return float(sums.sum())", "a list or a NumPy array of numbers is asked for", 0),
        ("return np.where(sums + bias > 0, sums + bias, np.nan)", "its result is nan", 0),
        ("return None", "returned None", 0),
        ("signal += 1\n    return np.maximum(sums + bias, 0)", "changed the array that was handed to it", 0),
        ("return Sly()", "is of type Sly", 0),
    ],
}

HEADS = {
    "correlate": (
        "import numpy as np\nfrom cnnlib import correlate as cnn_correlate\n\n"
        "def correlate(signal, kernel, stride=1):\n"
        "    right = cnn_correlate(signal, kernel, stride)\n    out = np.zeros(right.shape)"
    ),
    "layer": (
        "import numpy as np\nfrom cnnlib import correlate\n\n"
        "def layer(signal, kernel, bias, stride=1):\n    sums = correlate(signal, kernel, stride)"
    ),
}

# --- The model ----------------------------------------------------------------------------------------

ModelSources = runpy.run_path(str(Path(__file__).parents[1] / "model_sources.py"))["ModelSources"]
GOOD = [
    "layers.Conv1D(first.filters, first.kernel_size, strides=first.strides)",
    "layers.Conv1D(second.filters, second.kernel_size)",
    "layers.Conv1D(third.filters, third.kernel_size)",
]


MODEL = ModelSources("model", "build-a-model", *GOOD, names="first, second, third")
built, variant = MODEL.built, MODEL.but


RIGHT["model"] = [
    built(*GOOD),
    """
import keras
table = sheet["build-a-model"]
model = keras.Sequential()
model.add(keras.Input(table.input_shape))
for wanted in table.layers:
    width, step = wanted.kernel_size[0], wanted.strides[0]
    model.add(keras.layers.Conv1D(filters=wanted.filters, kernel_size=width, strides=step, activation="relu"))
""",
    """
import keras
table = sheet["build-a-model"]
x = row = keras.Input(shape=table.input_shape)
for number, wanted in enumerate(table.layers):
    layer = keras.layers.Conv1D(wanted.filters, wanted.kernel_size, wanted.strides, name=f"C{number}")
    x = layer(x)
model = keras.Model(row, x)
""",
]

WRONG["model"] = [
    (
        variant(1, "layers.Conv1D(first.filters, first.kernel_size)"),
        "layer 1, Conv1D, makes (",
        0,
    ),
    (
        variant(1, "layers.Conv1D(first.filters, first.kernel_size, strides=first.strides, padding='same')"),
        "layer 1, Conv1D, makes (",
        0,
    ),
    (
        variant(1, "layers.Conv1D(first.filters + 2, first.kernel_size, strides=first.strides)"),
        "layer 1, Conv1D, makes (",
        1,
    ),
    (
        variant(2, "layers.Conv1D(second.filters, second.kernel_size, use_bias=False)"),
        "the table asks for",
        2,
    ),
    (
        variant(2, "layers.Conv1D(second.kernel_size[0], second.filters)"),
        "layer 2, Conv1D, makes (",
        1,
    ),
    (
        variant(3, "layers.SeparableConv1D(third.filters, third.kernel_size)"),
        "layer 3 is SeparableConv1D, where Conv1D is asked for",
        2,
    ),
    (variant(3, "layers.Dense(third.filters)"), "layer 3 is Dense, where Conv1D is asked for", 2),
    (built(*GOOD, shape="(table.input_shape[0] + 1, table.input_shape[1])"), "the input shape is (", 0),
    (built(*GOOD[:2]), "the model has 2 layers", 0),
    (
        "import keras\nmodel = keras.Sequential([keras.layers.Conv1D(6, 5)])",
        "does not know its input shape",
        0,
    ),
    ("import keras\nmodel = keras.layers.Conv1D(6, 5)", "model is of type Conv1D", 0),
    ("model = None", "model is of type NoneType", 0),
    ("model = [6, 5]", "model is of type list", 0),
]
