"""Answers to assignment 4: functions, a repaired function and a repaired network."""

from __future__ import annotations

import runpy
from pathlib import Path

RIGHT = {
    "max_pool2d": [
        """
import numpy as np

def max_pool2d(inputs, pool_size, strides):
    h, w, c = inputs.shape
    out = np.full(((h - pool_size) // strides + 1, (w - pool_size) // strides + 1, c), -np.inf)
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            for k in range(c):
                for i in range(pool_size):
                    for j in range(pool_size):
                        out[y, x, k] = max(out[y, x, k], inputs[y * strides + i, x * strides + j, k])
    return out
""",
        """
import numpy as np

def max_pool2d(inputs, pool_size, strides):
    windows = np.lib.stride_tricks.sliding_window_view(inputs, (pool_size, pool_size), axis=(0, 1))
    return windows[::strides, ::strides].max(axis=(-2, -1)).astype(np.float32)
""",
        """
from cnnlib import max_pool

def max_pool2d(inputs, pool_size, strides):
    return max_pool(inputs[None], pool_size, strides)[0]
""",
        """
def max_pool2d(inputs, pool_size, strides):
    rows = range(0, inputs.shape[0] - pool_size + 1, strides)
    columns = range(0, inputs.shape[1] - pool_size + 1, strides)
    return [
        [inputs[y : y + pool_size, x : x + pool_size].max(axis=(0, 1)).tolist() for x in columns]
        for y in rows
    ]
""",
        """
import numpy as np

def max_pool2d(inputs, pool_size, strides):
    h, w, _ = inputs.shape
    rows, columns = (h - pool_size) // strides + 1, (w - pool_size) // strides + 1
    best = None
    for i in range(pool_size):                      # every tap of the window at once
        for j in range(pool_size):
            tap = inputs[i::strides, j::strides][:rows, :columns]
            best = tap if best is None else np.maximum(best, tap)
    return best
""",
    ],
    "max_pool_gradient": [
        """
import numpy as np

def max_pool_gradient(slopes, values, pool_size, strides):
    out = np.zeros(values.shape)
    for y in range(slopes.shape[0]):
        for x in range(slopes.shape[1]):
            best, at = None, None
            for i in range(y * strides, y * strides + pool_size):
                for j in range(x * strides, x * strides + pool_size):
                    if best is None or values[i, j] > best:
                        best, at = values[i, j], (i, j)
            out[at] += slopes[y, x]
    return out
""",
        """
import numpy as np

def max_pool_gradient(slopes, values, pool_size, strides):
    names = np.arange(values.size).reshape(values.shape)
    seen, named = (
        np.lib.stride_tricks.sliding_window_view(a, (pool_size, pool_size))[::strides, ::strides]
        for a in (values, names)
    )
    seen, named = (a[: slopes.shape[0], : slopes.shape[1]].reshape(slopes.size, -1) for a in (seen, named))
    winners = named[np.arange(slopes.size), seen.argmax(axis=1)]
    result = np.zeros(values.size)
    np.add.at(result, winners, slopes.ravel())
    return result.reshape(values.shape)
""",
        """
from cnnlib import max_pool_backward

def max_pool_gradient(slopes, values, pool_size, strides):
    return max_pool_backward(slopes[None, ..., None], values[None, ..., None], pool_size, strides)[0, ..., 0]
""",
        """
def max_pool_gradient(slopes, values, pool_size, strides):
    gradient = [[0.0] * values.shape[1] for _ in range(values.shape[0])]
    for (y, x), slope in __import__("numpy").ndenumerate(slopes):
        places = [
            (y * strides + i, x * strides + j) for i in range(pool_size) for j in range(pool_size)
        ]
        row, column = max(places, key=lambda place: values[place])      # the first of the largest
        gradient[row][column] += float(slope)
    return gradient
""",
    ],
    "average_pool2d": [
        """
import numpy as np

def average_pool2d(inputs, pool_size, strides):
    height, width, channels = inputs.shape
    rows = (height - pool_size) // strides + 1
    columns = (width - pool_size) // strides + 1
    outputs = np.zeros((rows, columns, channels))
    for y in range(rows):
        for x in range(columns):
            for c in range(channels):
                band = inputs[y * strides : y * strides + pool_size, :, c]
                outputs[y, x, c] = band[:, x * strides : x * strides + pool_size].mean()
    return outputs
""",
        """
import numpy as np

def average_pool2d(inputs, pool_size, strides):
    windows = np.lib.stride_tricks.sliding_window_view(inputs, (pool_size, pool_size), axis=(0, 1))
    return windows[::strides, ::strides].mean(axis=(-2, -1)).astype(np.float32)
""",
        """
from cnnlib import average_pool

def average_pool2d(inputs, pool_size, strides):
    return average_pool(inputs[None], pool_size, strides)[0]
""",
        """
import numpy as np
from cnnlib import conv

def average_pool2d(inputs, pool_size, strides):
    channels = inputs.shape[-1]                     # a convolution, each channel for itself
    equal = np.full((pool_size, pool_size, 1, channels), 1 / pool_size**2)
    return conv(inputs[None], equal, strides=strides, groups=channels)[0]
""",
    ],
}

#: Cheats and slips that no registered misconception describes: name → (body, what is told, most points).
WRONG: dict[str, list[tuple[str, str, float]]] = {
    "max_pool2d": [
        ("return np.zeros(3)", "its array has 1 axis", 0),
        ("return inputs", "gave back its own input", 0),
        ("return out", "gave zeros everywhere", 0),
        ("print(right)", "printed its result", 0),
        ("right", "returned None. Is there a return", 0),
        ("return right * np.nan", "its result is nan", 0),
        ("return right[None]", "its array has 4 axes", 0),
        ("return right[..., 0]", "its array has 2 axes", 0),
        ("return right.max(axis=-1)", "its array has 2 axes", 0),
        ("inputs -= inputs.min()\n    return right", "changed the array that was handed to it", 0),
        ("return right.astype(int)", "gave whole numbers", 0),
        ("return np.abs(right)", "gave an array", 0),
        ("return -max_pool(-inputs[None], pool_size, strides)[0]", "gave an array", 0),
        ("return right + 1e-3", "gave an array", 0),
        ("return right.view(SlyArray)", "is of type SlyArray", 0),
        ("return Sly()", "is of type Sly", 0),
        ("return max(inputs)", "raised ValueError", 0),
        ("raise SystemExit", "raised RuntimeError: exit(None)", 0),
        (  # the chapter's short form, right where windows tile the picture
            "h, w, c = inputs.shape\n    p = pool_size\n"
            "    return inputs.reshape(h // p, p, w // p, p, c).max(axis=(1, 3))",
            "raised ValueError: cannot reshape array",
            1,
        ),
        (  # its slip: the axes of two rows
            "h, w, c = inputs.shape\n    p = pool_size\n    trimmed = inputs[: h // p * p, : w // p * p]\n"
            "    return trimmed.reshape(h // p, p, w // p, p, c).max(axis=(1, 2))",
            "which is not the shape of the output",
            0,
        ),
    ],
    "max_pool_gradient": [
        ("return np.zeros(values.shape)", "gave zeros everywhere", 0),
        ("return values", "gave back its own input", 0),
        ("return slopes.copy()", "which is not the shape of the output", 0),
        ("print(right)", "printed its result", 0),
        ("return np.zeros(3)", "its array has 1 axis", 0),
        ("return right[..., None]", "its array has 3 axes", 0),
        ("return right * np.nan", "its result is nan", 0),
        ("return -right", "gave an array", 0),
        ("return (right != 0) * 1.0", "gave an array", 0),
        ("return right.astype(int)", "gave whole numbers", 0),
        ("return right / pool_size**2", "gave an array", 0),
        ("values[:] = right\n    return right", "changed the array that was handed to it", 0),
        ("slopes *= 2\n    return right", "changed the array that was handed to it", 0),
        ("return right.view(SlyArray)", "is of type SlyArray", 0),
        ("return Sly()", "is of type Sly", 0),
        ("return max_pool_gradient(slopes, values, pool_size, strides)", "raised RecursionError", 0),
    ],
    "average_pool2d": [
        ("return np.zeros(3)", "its array has 1 axis", 0),
        ("return inputs", "gave back its own input", 0),
        ("return 0 * right", "gave zeros everywhere", 0),
        ("print(right)", "printed its result", 0),
        ("return right.astype(int)", "gave whole numbers", 0),
        ("return np.round(right)", "gave an array", 0),
        ("return right[None]", "its array has 4 axes", 0),
        ("return right * np.nan", "its result is nan", 0),
        ("inputs /= pool_size**2\n    return right", "changed the array that was handed to it", 0),
        ("return right.view(SlyArray)", "is of type SlyArray", 0),
        ("return Sly()", "is of type Sly", 0),
        ("return right + 1e-3", "gave an array", 0),
        (  # one fault of four left: where the window begins
            "for y in range(out.shape[0]):\n        for x in range(out.shape[1]):\n"
            "            out[y, x] = inputs[y : y + pool_size, x : x + pool_size].mean(axis=(0, 1))\n"
            "    return out",
            "gave an array",
            0,
        ),
        (  # another one: rows // strides
            "rows, columns = inputs.shape[0] // strides, inputs.shape[1] // strides\n"
            "    out = np.zeros((rows, columns, inputs.shape[2]))\n"
            "    for y, x in np.ndindex(rows, columns):\n"
            "        top, left = y * strides, x * strides\n"
            "        out[y, x] = inputs[top : top + pool_size, left : left + pool_size].mean(axis=(0, 1))\n"
            "    return out",
            "gave an array",
            2,
        ),
    ],
}

HEADS = {
    "max_pool2d": (
        "import numpy as np\nfrom cnnlib import max_pool\n\ndef max_pool2d(inputs, pool_size, strides):\n"
        "    right = max_pool(inputs[None], pool_size, strides)[0]\n    out = np.zeros(right.shape)"
    ),
    "max_pool_gradient": (
        "import numpy as np\nfrom cnnlib import max_pool_backward\n\n"
        "def max_pool_gradient(slopes, values, pool_size, strides):\n"
        "    back = max_pool_backward(slopes[None, ..., None], values[None, ..., None], pool_size, strides)\n"
        "    right = back[0, ..., 0]"
    ),
    "average_pool2d": (
        "import numpy as np\nfrom cnnlib import average_pool\n\n"
        "def average_pool2d(inputs, pool_size, strides):\n"
        "    right = average_pool(inputs[None], pool_size, strides)[0]\n    out = np.zeros(right.shape)"
    ),
}

# --- The network --------------------------------------------------------------------------------------

ModelSources = runpy.run_path(str(Path(__file__).parents[1] / "model_sources.py"))["ModelSources"]
GOOD = [
    "layers.Conv2D(first.filters, 5, padding='same')",
    "layers.MaxPooling2D(3, strides=2)",
    "layers.Conv2D(second.filters, 3)",
    "layers.MaxPooling2D(2)",
    "layers.GlobalAveragePooling2D()",
    "layers.Dense(network.units)",
]
#: As the question shows it.
BROKEN = [
    "layers.Conv2D(first.filters, 5)",
    "layers.MaxPooling2D(3)",
    "layers.Conv2D(second.filters, 3, strides=2)",
    "layers.MaxPooling2D(2, strides=1)",
    "layers.Flatten()",
    "layers.Dense(network.units)",
]


MODEL = ModelSources("model", "repair-a-network", *GOOD, table="network", names="first, _, second, *_")
built, variant = MODEL.built, MODEL.but


RIGHT["model"] = [
    built(*GOOD),
    """
import keras
network = sheet["repair-a-network"]
model = keras.Sequential()
model.add(keras.Input(network.input_shape))
model.add(keras.layers.Conv2D(network.layers[0].filters, (5, 5), padding="same", activation="relu"))
model.add(keras.layers.MaxPool2D((3, 3), strides=(2, 2)))
model.add(keras.layers.Conv2D(network.layers[2].filters, 3, activation="relu"))
model.add(keras.layers.MaxPool2D())
model.add(keras.layers.GlobalAvgPool2D())
model.add(keras.layers.Dense(network.units, activation="softmax"))
""",
    """
import keras
network = sheet["repair-a-network"]
image = keras.Input(network.input_shape)
x = keras.layers.Conv2D(network.layers[0].filters, 5, padding="same")(image)
x = keras.layers.MaxPooling2D(3, 2)(x)
x = keras.layers.Conv2D(network.layers[2].filters, 3)(x)
x = keras.layers.MaxPooling2D(2, 2)(x)
x = keras.layers.GlobalAveragePooling2D()(x)
model = keras.Model(image, keras.layers.Dense(network.units)(x))
""",
]

WRONG["model"] = [
    (built(*BROKEN), "layer 1, Conv2D, makes (", 0),
    (variant(1, BROKEN[0]), "layer 1, Conv2D, makes (", 1),
    (variant(2, BROKEN[1]), "layer 2, MaxPooling2D, makes (", 1.5),
    (variant(3, BROKEN[2]), "layer 3, Conv2D, makes (", 2),
    (variant(4, BROKEN[3]), "layer 4, MaxPooling2D, makes (", 2.5),
    (variant(5, BROKEN[4]), "layer 5 is Flatten, where GlobalAveragePooling2D is asked for", 2),
    (variant(5, "layers.GlobalMaxPooling2D()"), "layer 5 is GlobalMaxPooling2D", 2.5),
    (variant(2, "layers.AveragePooling2D(3, strides=2)"), "layer 2 is AveragePooling2D", 2.5),
    (variant(3, "layers.Conv2D(second.filters, 3, use_bias=False)"), "the table asks for", 2.5),
    (variant(6, "layers.Dense(network.units + 1)"), "layer 6, Dense, makes (", 2.5),
    (built(*GOOD[:5]), "the model has 5 layers", 0),
    (built(*GOOD, shape="(28, 28, 3)"), "the input shape is (28, 28, 3)", 0),
    ("model = None", "model is of type NoneType", 0),
    ("model = [1, 2, 3]", "model is of type list", 0),
    (
        "class Sly:\n    __eq__ = lambda self, other: True\n    built = True\nmodel = Sly()",
        "model is of type Sly",
        0,
    ),
]

#: Wrong ones that only the hidden test sees: as above.
DISGUISED = {
    "model": [
        (  # 25 weights in a kernel of another form
            variant(1, "layers.Conv2D(first.filters, (25, 1), padding='same')"),
            "but its weights have other shapes",
            2.5,
        ),
    ],
}
