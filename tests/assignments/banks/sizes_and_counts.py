"""Answers to assignment 3: functions and the model, right in different styles and wrong in many."""

from __future__ import annotations

import runpy
from pathlib import Path

RIGHT = {
    "output_size": [
        """
def output_size(size, kernel_size, stride=1, padding=0):
    if size + 2 * padding < kernel_size:
        raise ValueError("too large")
    return (size + 2 * padding - kernel_size) // stride + 1
""",
        """
import math

def output_size(n, f, s=1, p=0):
    places = math.floor((n + 2 * p - f) / s) + 1
    if n + 2 * p - f < 0:
        raise ValueError(f"{f} > {n}")
    return places
""",
        """
def output_size(size, kernel_size, stride=1, padding=0):
    count = 0
    start = -padding
    while start + kernel_size <= size + padding:
        count += 1
        start += stride
    if count == 0:
        raise ValueError("the kernel does not fit")
    return count
""",
        """
import numpy as np

def output_size(size, kernel_size, stride=1, padding=0):
    if kernel_size > size + 2 * padding:
        raise ValueError("too large")
    return np.floor((size + 2 * padding - kernel_size) / stride) + 1      # a float that is whole
""",
        """
def output_size(size, kernel_size, stride=1, padding=0):
    starts = range(0, size + 2 * padding - kernel_size + 1, stride)
    if not starts:
        raise ValueError("no place")
    print("places:", len(starts))
    return len(starts)
""",
    ],
    "count_parameters": [
        """
def count_parameters(kernel_size, channels, filters, use_bias=True):
    return (kernel_size[0] * kernel_size[1] * channels + use_bias) * filters
""",
        """
import numpy as np

def count_parameters(kernel_size, channels, filters, use_bias=True):
    weights = np.prod([*kernel_size, channels, filters])
    return weights + filters if use_bias else weights
""",
        """
def count_parameters(k, c, f, b=True):
    total = 0
    for _ in range(f):
        for _ in range(c):
            total += k[0] * k[1]
        if b:
            total += 1
    return total
""",
    ],
    "conv2d": [
        """
import numpy as np

def conv2d(inputs, kernels, stride=1):
    h, w, c = inputs.shape
    kh, kw, _, filters = kernels.shape
    oh, ow = (h - kh) // stride + 1, (w - kw) // stride + 1
    out = np.zeros((oh, ow, filters))
    for f in range(filters):
        for y in range(oh):
            for x in range(ow):
                total = 0.0
                for i in range(kh):
                    for j in range(kw):
                        for k in range(c):
                            total += inputs[y * stride + i, x * stride + j, k] * kernels[i, j, k, f]
                out[y, x, f] = total
    return out
""",
        """
import numpy as np

def conv2d(inputs, kernels, stride=1):
    windows = np.lib.stride_tricks.sliding_window_view(inputs, kernels.shape[:2], axis=(0, 1))
    return np.einsum("yxcij,ijcf->yxf", windows[::stride, ::stride], kernels).astype(np.float32)
""",
        """
from cnnlib import conv

def conv2d(inputs, kernels, stride=1):
    return conv(inputs[None], kernels, strides=stride)[0]
""",
        """
def conv2d(inputs, kernels, stride=1):
    kh, kw = kernels.shape[:2]
    rows = range(0, inputs.shape[0] - kh + 1, stride)
    columns = range(0, inputs.shape[1] - kw + 1, stride)
    return [
        [
            [float((inputs[y : y + kh, x : x + kw] * kernels[..., f]).sum()) for f in range(kernels.shape[3])]
            for x in columns
        ]
        for y in rows
    ]
""",
    ],
}

#: Cheats and slips that no registered misconception describes: name → (body, what is told, most points).
WRONG: dict[str, list[tuple[str, str, float]]] = {
    "output_size": [
        ("return 24", "the same result, 24, comes out for different arguments", 0),
        ("return 0", "the same result, 0,", 0),
        ("print(size - kernel_size + 1)", "printed its result and returned None", 0),
        ("size - kernel_size + 1", "returned None. Is there a return", 0),
        ("return str(size)", "its result is text", 0),
        ("return True", "its result is True", 0),
        ("return float('nan')", "its result is nan", 0),
        ("return [size]", "its result is a list; one number is asked for", 0),
        ("return 10 ** 50", "more than 15 digits", 0),
        ("return size / 0", "raised ZeroDivisionError: division by zero", 0),
        ("return undefined", "raised NameError: name 'undefined' is not defined", 0),
        ("exit()", "raised RuntimeError: exit(None)", 0),
        ("return output_size(size, kernel_size, stride, padding)", "raised RecursionError", 0),
        ("raise ValueError('no')", "raised ValueError: no", 1),
        ("return size - kernel_size + 1", "is the size for stride 1", 1),
        (
            "return (size + 2 * padding - kernel_size) // stride + 1",
            "but the kernel does not fit there. Raise",
            3,
        ),
        (
            "room = size + 2 * padding - kernel_size\n    assert room >= 0\n    return room // stride + 1",
            "raised AssertionError, but a ValueError is asked for",
            3,
        ),
        ("return Sly()", "is of type Sly", 0),
        ("return SlyInt(3)", "is of type SlyInt", 0),
    ],
    "count_parameters": [
        ("return 760", "the same result, 760,", 0),
        ("return kernel_size", "its result is a tuple", 0),
        ("return None", "returned None", 0),
        ("print(760)", "printed its result", 0),
        ("return kernel_size * kernel_size * channels * filters", "raised TypeError", 0),
        ("return Sly()", "is of type Sly", 0),
        ("return float('inf')", "its result is inf", 0),
    ],
    "conv2d": [
        ("return np.zeros(3)", "its array has 1 axis", 0),
        ("return inputs", "gave back its own input", 0),
        ("return inputs.copy()", "which is not the shape of the output", 0),
        ("return out", "gave zeros everywhere", 0),
        ("print(right)", "printed its result", 0),
        ("return right.astype(int)", "gave whole numbers", 0),
        ("return right[::-1]", "gave an array", 0),
        ("return right * np.nan", "its result is nan", 0),
        ("return right.astype(object)", "is of type ndarray", 0),
        ("return right.sum(axis=-1)", "its array has 2 axes", 0),
        ("return right[..., 0]", "its array has 2 axes", 0),
        ("return right[None]", "its array has 4 axes", 0),
        ("inputs *= 2\n    return right", "changed the array that was handed to it", 0),
        ("kernels[:] = kernels[::-1, ::-1]\n    return right", "changed the array", 0),
        ("return right.view(SlyArray)", "is of type SlyArray", 0),
        ("return Sly()", "is of type Sly", 0),
        ("raise SystemExit", "raised RuntimeError: exit(None)", 0),
        ("return right + 1e-3", "gave an array of shape", 0),
        ("return conv(inputs[None], kernels)[0]", "is the result for stride 1", 3),
        ("return conv(inputs[None], kernels, stride, 'same')[0]", "gave an array of shape", 0),
    ],
}

HEADS = {
    "output_size": "def output_size(size, kernel_size, stride=1, padding=0):",
    "count_parameters": "def count_parameters(kernel_size, channels, filters, use_bias=True):",
    "conv2d": (
        "import numpy as np\nfrom cnnlib import conv\n\ndef conv2d(inputs, kernels, stride=1):\n"
        "    right = conv(inputs[None], kernels, stride)[0]\n    out = np.zeros(right.shape)"
    ),
}

# --- The model ----------------------------------------------------------------------------------------

ModelSources = runpy.run_path(str(Path(__file__).parents[1] / "model_sources.py"))["ModelSources"]
GOOD = [
    "layers.Conv2D(first.filters, first.kernel_size)",
    "layers.MaxPooling2D(2)",
    "layers.Conv2D(third.filters, third.kernel_size, padding='same')",
]


MODEL = ModelSources("model", "build-a-model", *GOOD, names="first, pooling, third")
built, variant = MODEL.built, MODEL.but


RIGHT["model"] = [
    built(*GOOD),
    """
import keras
table = sheet["build-a-model"]
first, _, third = table.layers
model = keras.Sequential()
model.add(keras.Input(table.input_shape))
model.add(keras.layers.Conv2D(filters=first.filters, kernel_size=(first.kernel_size,) * 2))
model.add(keras.layers.MaxPool2D())
model.add(keras.layers.Conv2D(third.filters, third.kernel_size, padding="same", activation="relu"))
""",
    """
import keras
table = sheet["build-a-model"]
first, _, third = table.layers
image = keras.Input(shape=table.input_shape)
x = keras.layers.Conv2D(first.filters, first.kernel_size, name="C1")(image)
x = keras.layers.MaxPooling2D((2, 2), strides=2)(x)
x = keras.layers.Conv2D(third.filters, third.kernel_size, strides=(1, 1), padding="same")(x)
model = keras.Model(image, x)
""",
    """
import keras
from keras import layers
first, pooling, third = sheet["build-a-model"].layers
model = keras.Sequential([LAYERS])
model.build((None, *sheet["build-a-model"].input_shape))
""".replace("LAYERS", ", ".join(GOOD)),
]

WRONG["model"] = [
    (
        variant(1, "layers.Conv2D(first.filters, first.kernel_size, padding='same')"),
        "layer 1, Conv2D, makes (",
        0,
    ),
    (variant(1, "layers.Conv2D(first.filters + 2, first.kernel_size)"), "layer 1, Conv2D, makes (", 0),
    (
        variant(1, "layers.Conv2D(first.filters, first.kernel_size, use_bias=False)"),
        "the table asks for",
        2,
    ),
    (
        variant(1, "layers.SeparableConv2D(first.filters, first.kernel_size)"),
        "layer 1 is SeparableConv2D, where Conv2D is asked for",
        2,
    ),
    (variant(2, "layers.AveragePooling2D(2)"), "layer 2 is AveragePooling2D", 2),
    (
        variant(2, "layers.Conv2D(first.filters, 2, strides=2)"),
        "layer 2 is Conv2D, where MaxPooling2D is asked for",
        2,
    ),
    (variant(2, "layers.MaxPooling2D(2, strides=1)"), "layer 2, MaxPooling2D, makes (", 1),
    (variant(3, "layers.Conv2D(third.filters, third.kernel_size)"), "layer 3, Conv2D, makes (", 2),
    (
        variant(3, "layers.Conv2D(third.filters, third.kernel_size + 2, padding='same')"),
        "layer 3, Conv2D, has",
        2,
    ),
    (built(*GOOD, shape="(28, 28, 1)"), "the input shape is (28, 28, 1)", 0),
    (built(*GOOD[:2]), "the model has 2 layers", 0),
    (
        "import keras\nmodel = keras.Sequential([keras.layers.Conv2D(6, 5)])",
        "does not know its input shape",
        0,
    ),
    ("import keras\nmodel = keras.layers.Conv2D(6, 5)", "model is of type Conv2D", 0),
    ("import keras\nmodel = [keras.layers.Conv2D(6, 5)]", "model is of type list", 0),
    ("model = None", "model is of type NoneType", 0),
    ("model = 'model'", "model is of type str", 0),
    (
        "class Sly:\n    __eq__ = lambda self, other: True\n    built = True\nmodel = Sly()",
        "model is of type Sly",
        0,
    ),
]

#: Wrong ones that only the hidden test sees: as above.
DISGUISED = {
    "model": [
        (  # as many weights as a square kernel
            variant(3, "layers.Conv2D(third.filters, (third.kernel_size**2, 1), padding='same')"),
            "its weights have other shapes",
            2,
        ),
    ],
}
