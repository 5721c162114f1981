"""Answers to assignment 2: functions and the model, right in different styles and wrong in many."""

from __future__ import annotations

import runpy
from pathlib import Path

RIGHT = {
    "channels_first": [
        """
import numpy as np

def channels_first(pictures):
    return np.moveaxis(pictures, 3, 1)
""",
        """
def channels_first(pictures):
    return pictures.transpose(0, 3, 1, 2)
""",
        """
import numpy as np

def channels_first(pictures):
    n, h, w, c = pictures.shape
    turned = np.zeros((n, c, h, w))
    for i in range(n):
        for y in range(h):
            for x in range(w):
                for k in range(c):
                    turned[i, k, y, x] = pictures[i, y, x, k]
    return turned
""",
        """
import numpy as np

def channels_first(batch):
    return np.stack([batch[..., c] for c in range(batch.shape[-1])], axis=1).astype(np.float32)
""",
        """
def channels_first(pictures):
    return [[picture[..., c].tolist() for c in range(picture.shape[-1])] for picture in pictures]
""",
        """
import numpy as np

def channels_first(pictures):
    return np.einsum("nhwc->nchw", pictures)
""",
    ],
    "one_filter": [
        """
import numpy as np

def one_filter(inputs, weights, bias):
    h, w, c = inputs.shape
    rows, columns, _ = weights.shape
    out = np.full((h - rows + 1, w - columns + 1), bias, dtype=float)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for u in range(rows):
                for v in range(columns):
                    for k in range(c):
                        out[i, j] += inputs[i + u, j + v, k] * weights[u, v, k]
    return out
""",
        """
import numpy as np

def one_filter(inputs, weights, bias):
    windows = np.lib.stride_tricks.sliding_window_view(inputs, weights.shape)[:, :, 0]
    return np.einsum("ijuvc,uvc->ij", windows, weights) + bias
""",
        """
from cnnlib import conv

def one_filter(inputs, weights, bias):
    return conv(inputs[None], weights[..., None], bias=[bias])[0, :, :, 0]
""",
        """
from cnnlib import correlate

def one_filter(inputs, weights, bias):
    partial = [correlate(inputs[..., c], weights[..., c]) for c in range(inputs.shape[-1])]
    return sum(partial) + bias
""",
        """
def one_filter(inputs, weights, bias):
    rows, columns = weights.shape[:2]
    return [
        [
            float((inputs[i : i + rows, j : j + columns] * weights).sum() + bias)
            for j in range(inputs.shape[1] - columns + 1)
        ]
        for i in range(inputs.shape[0] - rows + 1)
    ]
""",
    ],
}

#: Cheats and slips that no registered misconception describes: name → (body, what is told, most points).
WRONG: dict[str, list[tuple[str, str, float]]] = {
    "channels_first": [
        ("return pictures", "gave back its own input", 0),
        ("return pictures.copy()", "The channels are still last", 0),
        ("return np.zeros_like(right)", "gave zeros everywhere", 0),
        ("return np.ones_like(right)", "which is not right", 0),
        ("return right.shape", "its array has 1 axis", 0),
        ("return right[0]", "its array has 3 axes", 0),
        ("return right[:, ::-1]", "which is not right", 1),
        ("return right[..., ::-1]", "which is not right", 0),
        ("return pictures.reshape(right.shape)", "the numbers are shredded", 1),
        ("return pictures.swapaxes(1, 3)", "Height and width are exchanged as well", 0),
        ("return right * np.nan", "its result is nan", 0),
        ("return right.astype(int)", "gave whole numbers", 0),
        ("print(right)", "printed its result and returned None", 0),
        ("pictures[:] = 0\n    return right", "changed the array that was handed to it", 0),
        ("return pictures.reshape(1, 2, 3, 4)", "raised ValueError", 0),
        ("return right.view(SlyArray)", "is of type SlyArray", 0),
        ("return Sly()", "is of type Sly", 0),
    ],
    "one_filter": [
        ("return inputs", "gave back its own input", 0),
        ("return inputs[..., 0]", "which is not the shape of the output", 0),
        ("return np.zeros_like(right)", "gave zeros everywhere", 0),
        ("return np.full_like(right, bias)", "which is not right", 0),
        ("return right[..., None]", "its array has 3 axes", 0),
        ("return right.ravel()", "its array has 1 axis", 0),
        ("return right.sum()", "a list or a NumPy array of numbers is asked for", 0),
        ("return np.maximum(right, 0)", "which is not right", 0),
        ("return right[::-1, ::-1]", "which is not right", 0),
        ("return right + bias", "which is not right", 0),
        ("return right * np.nan", "its result is nan", 0),
        ("return right.astype(int)", "gave whole numbers", 0),
        ("print(right)", "printed its result and returned None", 0),
        ("inputs += 1\n    return right", "changed the array that was handed to it", 0),
        ("weights[:] = weights[::-1]\n    return right", "changed the array that was handed to it", 0),
        ("return inputs @ weights", "raised ValueError", 0),
        (
            "return conv(inputs[None], weights[..., None], padding='full')[0, ..., 0]",
            "gave an array",
            0,
        ),
        ("raise SystemExit", "raised RuntimeError: exit(None)", 0),
        ("return Sly()", "is of type Sly", 0),
    ],
}

HEADS = {
    "channels_first": (
        "import numpy as np\n\ndef channels_first(pictures):\n    right = np.moveaxis(pictures, -1, 1).copy()"
    ),
    "one_filter": (
        "import numpy as np\nfrom cnnlib import conv\n\ndef one_filter(inputs, weights, bias):\n"
        "    right = conv(inputs[None], weights[..., None], bias=[bias])[0, ..., 0]"
    ),
}

# --- The network --------------------------------------------------------------------------------------

ModelSources = runpy.run_path(str(Path(__file__).parents[1] / "model_sources.py"))["ModelSources"]
GOOD = [
    "layers.Conv2D(first.filters, first.kernel_size)",
    "layers.Conv2D(second.filters, second.kernel_size)",
    "layers.Conv2D(third.filters, 1)",
]


MODEL = ModelSources("mended", "mend-the-network", *GOOD, names="first, second, third")
built, variant = MODEL.built, MODEL.but


RIGHT["mended"] = [
    built(*GOOD),
    """
import keras
table = sheet["mend-the-network"]
mended = keras.Sequential()
mended.add(keras.Input(table.input_shape))
for wanted in table.layers:
    size = (wanted.kernel_size, wanted.kernel_size)
    mended.add(keras.layers.Conv2D(filters=wanted.filters, kernel_size=size, activation="relu"))
""",
    """
import keras
first, second, third = sheet["mend-the-network"].layers
picture = keras.Input(shape=sheet["mend-the-network"].input_shape)
x = keras.layers.Conv2D(first.filters, first.kernel_size, padding="valid", name="edges")(picture)
x = keras.layers.Conv2D(second.filters, second.kernel_size, strides=(1, 1))(x)
mended = keras.Model(picture, keras.layers.Conv2D(third.filters, (1, 1), padding="same")(x))
""",
]

WRONG["mended"] = [
    (variant(1, "layers.Conv2D(first.kernel_size, first.filters)"), "layer 1, Conv2D, makes (", 1),
    (
        variant(1, "layers.Conv2D(first.filters, first.kernel_size, padding='same')"),
        "layer 1, Conv2D, makes (",
        0,
    ),
    (
        variant(2, "layers.Conv2D(second.filters, second.kernel_size, use_bias=False)"),
        "the table asks for",
        2,
    ),
    (variant(3, "layers.Conv2D(third.filters, 3, padding='same')"), "layer 3, Conv2D, has", 2),
    (variant(3, "layers.Conv2D(third.filters, 3)"), "layer 3, Conv2D, makes (", 2),
    (variant(3, "layers.Dense(third.filters)"), "layer 3 is Dense, where Conv2D is asked for", 2),
    (
        variant(2, "layers.DepthwiseConv2D(second.kernel_size)"),
        "layer 2 is DepthwiseConv2D, where Conv2D is asked for",
        1,
    ),
    (built(*GOOD, shape="(table.input_shape[1], table.input_shape[0], 3)"), "the input shape is (", 0),
    (built(*GOOD, shape="(*table.input_shape[:2], 1)"), "the input shape is (", 0),
    (built(*GOOD[:2]), "the model has 2 layers", 0),
    (built(*GOOD, GOOD[-1]), "the model has 4 layers", 0),
    (
        "import keras\nmended = keras.Sequential([keras.layers.Conv2D(6, 5)])",
        "does not know its input shape",
        0,
    ),
    ("import keras\nmended = keras.layers.Conv2D(6, 5)", "mended is of type Conv2D", 0),
    ("mended = None", "mended is of type NoneType", 0),
]
