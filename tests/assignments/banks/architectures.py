"""Answers to assignment 9: the function and the two models, right in different styles and wrong in many."""

from __future__ import annotations

RIGHT = {
    "layer_bills": [
        """
def layer_bills(input_shape, kernel_size, filters, stride=1, padding=0, groups=1):
    height, width, channels = input_shape
    rows = (height + 2 * padding - kernel_size) // stride + 1
    columns = (width + 2 * padding - kernel_size) // stride + 1
    depth = channels // groups
    weights = kernel_size * kernel_size * depth * filters
    return weights + filters, weights * rows * columns, rows * columns * filters
""",
        """
import numpy as np

def layer_bills(shape, k, f, s=1, p=0, g=1):
    places = np.prod([(n + 2 * p - k) // s + 1 for n in shape[:2]])
    one = k * k * shape[2] // g
    return np.array([f * (one + 1), f * one * places, f * places])
""",
        """
def layer_bills(input_shape, kernel_size, filters, stride=1, padding=0, groups=1):
    parameters = macs = values = 0
    tops = range(-padding, input_shape[0] + padding - kernel_size + 1, stride)
    lefts = range(-padding, input_shape[1] + padding - kernel_size + 1, stride)
    for _ in range(filters):                   # filter by filter, place by place
        weights = kernel_size**2 * (input_shape[2] // groups)
        parameters += weights + 1
        for _ in tops:
            for _ in lefts:
                macs += weights
                values += 1
    return [parameters, macs, values]
""",
        """
from cnnlib.sizes import conv_macs, conv_parameters, output_shape

def layer_bills(input_shape, kernel_size, filters, stride=1, padding=0, groups=1):
    batch, square = (1, *input_shape), (kernel_size, kernel_size)
    _, rows, columns, maps = output_shape(batch, square, filters, stride, padding)
    return (
        conv_parameters(square, input_shape[2], filters, groups=groups),
        conv_macs(batch, square, filters, stride, padding, groups=groups),
        rows * columns * maps,
    )
""",
    ],
}

#: Cheats and slips that no registered misconception describes: (body, what is told, most points).
WRONG: dict[str, list[tuple[str, str, float]]] = {
    "layer_bills": [
        ("return (10, 20, 30)", "the same result, (10, 20, 30), comes out for different arguments", 0),
        ("return (0, 0, 0)", "the same result, (0, 0, 0),", 0),
        ("return 24", "its result is one number; a shape is asked for", 0),
        ("return right[:2]", "has 2 numbers; 3 are asked for", 0),
        ("print(right)", "printed its result and returned None", 0),
        ("right", "returned None. Is there a return", 0),
        ("return str(right)", "its result is text", 0),
        ("return (right[0], right[1], right[2] + 0.5)", "is not a whole number", 0),
        ("return (float('nan'), *right[1:])", "its result is nan", 0),
        ("return (True, *right[1:])", "its result is True", 0),
        ("return (-right[0], *right[1:])", "is not a whole number of at least 0", 0),
        ("return right[::-1]", "which is not right", 0),
        ("return (right[0], 2 * right[1], right[2])", "which is not right", 0),
        ("return (right[0], right[1], 4 * right[2])", "which is not right", 0),
        ("return right[0] / 0", "raised ZeroDivisionError", 0),
        ("raise SystemExit", "raised RuntimeError: exit(None)", 0),
        ("return right[3]", "raised IndexError", 0),
        ("return bills(input_shape, kernel_size, filters, stride, padding)", "With groups a filter sees", 4),
        ("return bills(input_shape, kernel_size, filters, stride, 0, groups)", "layer without padding", 2),
        ("return bills(input_shape, kernel_size, filters, 1, padding, groups)", "layer at stride 1", 2),
        ("return Sly()", "is of type Sly", 0),
        ("return (Sly(), Sly(), Sly())", "is of type Sly", 0),
        ("return (SlyInt(right[0]), *right[1:])", "is of type SlyInt", 0),
    ],
}

HEADS = {
    "layer_bills": (
        "from cnnlib.exercises import Task\n\n"
        "def bills(input_shape, kernel_size, filters, stride=1, padding=0, groups=1):\n"
        "    given = dict(stride=stride, padding=padding, groups=groups)\n"
        "    return Task('layer_bills', input_shape=input_shape, kernel_size=kernel_size,\n"
        "                filters=filters, **given).answer\n\n"
        "def layer_bills(input_shape, kernel_size, filters, stride=1, padding=0, groups=1):\n"
        "    right = bills(input_shape, kernel_size, filters, stride, padding, groups)"
    ),
}

# --- A LeNet ------------------------------------------------------------------------------------------

LENET = """
import keras
from keras import layers
q = sheet["build-a-lenet"]
(one, size_1, _), (two, size_2, _) = q.blocks
lenet = keras.Sequential([keras.Input(shape={input}), {layers}])
"""
LENET_LAYERS = [
    "layers.Conv2D(one, size_1, padding='same')",
    "layers.MaxPooling2D(2)",
    "layers.Conv2D(two, size_2)",
    "layers.MaxPooling2D(2)",
    "layers.Flatten()",
    "layers.Dense(q.units[0])",
]


def lenet(*layers: str, shape: str = "q.input_shape") -> str:
    """Source that builds a model of these layers."""
    return LENET.format(input=shape, layers=", ".join(layers))


def with_layer(number: int, layer: str) -> str:
    """The right LeNet with one layer exchanged."""
    return lenet(*LENET_LAYERS[: number - 1], layer, *LENET_LAYERS[number:])


RIGHT["lenet"] = [
    lenet(*LENET_LAYERS),
    """
import keras
q = sheet["build-a-lenet"]
lenet = keras.Sequential()
lenet.add(keras.Input(q.input_shape))
for filters, size, padding in q.blocks:
    lenet.add(keras.layers.Conv2D(filters, (size, size), padding=padding, activation="tanh"))
    lenet.add(keras.layers.MaxPool2D())
lenet.add(keras.layers.Flatten())
lenet.add(keras.layers.Dense(q.units[0], activation="softmax"))
""",
    """
import keras
q = sheet["build-a-lenet"]
image = keras.Input(shape=q.input_shape)
x = image
for row in q.rows:
    if row.layer == "Conv2D":
        filters = row.output[-1]
        size = round(((row.parameters / filters - 1) / x.shape[-1]) ** 0.5)
        same = "same" if row.output[0] == x.shape[1] else "valid"
        x = keras.layers.Conv2D(filters, size, padding=same, activation="relu")(x)
    elif row.layer == "MaxPooling2D":
        x = keras.layers.MaxPooling2D((2, 2), strides=2)(x)
    else:
        x = keras.layers.Flatten()(x) if row.layer == "Flatten" else keras.layers.Dense(row.output[0])(x)
lenet = keras.Model(image, x)
""",
]

WRONG["lenet"] = [
    (with_layer(1, "layers.Conv2D(one, size_1)"), "layer 1, Conv2D, makes (", 0),
    (with_layer(1, "layers.Conv2D(one, size_1 + 2, padding='same')"), "layer 1, Conv2D, has", 2.5),
    (with_layer(1, "layers.Conv2D(one + 1, size_1, padding='same')"), "layer 1, Conv2D, makes (", 2),
    (
        with_layer(2, "layers.AveragePooling2D(2)"),
        "layer 2 is AveragePooling2D, where MaxPooling2D is asked",
        2.5,
    ),
    (with_layer(2, "layers.MaxPooling2D(2, strides=1)"), "layer 2, MaxPooling2D, makes (", 0.5),
    (with_layer(3, "layers.Conv2D(two, size_2, padding='same')"), "layer 3, Conv2D, makes (", 1),
    (with_layer(3, "layers.Conv2D(two, size_2, use_bias=False)"), "the table asks for", 2.5),
    (with_layer(5, "layers.GlobalAveragePooling2D()"), "layer 5 is GlobalAveragePooling2D", 2),
    (with_layer(6, "layers.Dense(q.units[0] + 1)"), "layer 6, Dense, makes (", 2.5),
    (with_layer(6, "layers.Dense(q.units[0], use_bias=False)"), "layer 6, Dense, has", 2.5),
    (lenet(*LENET_LAYERS, shape="(28, 28, 5)"), "the input shape is (28, 28, 5)", 0),
    (lenet(*LENET_LAYERS[:4]), "the model has 4 layers", 0),
    ("lenet = None", "lenet is of type NoneType", 0),
    ("lenet = 'lenet5'", "lenet is of type str", 0),
    (
        "from cnnlib.architectures import lenet5_modern\nlenet = lenet5_modern()",
        "lenet is of type Sequential",
        0,
    ),
]

# --- An AlexNet to be mended --------------------------------------------------------------------------

ALEXNET = """
import keras
from keras import layers
q = sheet["mend-an-alexnet"]
mended = keras.Sequential([keras.Input(shape=q.input_shape), {layers}])
"""
ALEXNET_LAYERS = [
    "layers.Conv2D(q.filters, 11, strides=4)",
    "layers.MaxPooling2D(3, strides=2)",
    "layers.Conv2D(q.more, 5, padding='same', groups=q.towers)",
    "layers.MaxPooling2D(3, strides=2)",
    "layers.Flatten()",
    "layers.Dense(q.units)",
]


def alexnet(*layers: str) -> str:
    """Source that builds a model of these layers."""
    return ALEXNET.format(layers=", ".join(layers))


def with_mended(number: int, layer: str) -> str:
    """The right AlexNet with one layer exchanged."""
    return alexnet(*ALEXNET_LAYERS[: number - 1], layer, *ALEXNET_LAYERS[number:])


RIGHT["mended"] = [
    alexnet(*ALEXNET_LAYERS),
    """
import keras
from cnnlib.exercises.sheets.architectures import broken_code
q = sheet["mend-an-alexnet"]
code = broken_code(q).replace(", 11)", ", 11, strides=4)")
code = code.replace("MaxPooling2D(3)", "MaxPooling2D(3, strides=2)")
exec(code.replace('padding="same")', f'padding="same", groups={q.towers})'))
mended = broken
""",
    """
import keras
q = sheet["mend-an-alexnet"]
image = keras.Input(q.input_shape)
x = keras.layers.Conv2D(q.filters, (11, 11), (4, 4), activation="relu")(image)
x = keras.layers.MaxPool2D((3, 3), (2, 2))(x)
x = keras.layers.Conv2D(q.more, (5, 5), groups=q.towers, padding="same", activation="relu")(x)
x = keras.layers.MaxPool2D((3, 3), (2, 2))(x)
mended = keras.Model(image, keras.layers.Dense(q.units)(keras.layers.Flatten()(x)))
""",
]

WRONG["mended"] = [
    (
        "import keras\nfrom cnnlib.exercises.sheets.architectures import broken_code\n"
        'exec(broken_code(sheet["mend-an-alexnet"]))\nmended = broken',
        "layer 1, Conv2D, makes (",
        0,
    ),
    (with_mended(1, "layers.Conv2D(q.filters, 11)"), "layer 1, Conv2D, makes (", 0),
    (
        with_mended(1, "layers.Conv2D(q.filters, 11, strides=4, padding='same')"),
        "layer 1, Conv2D, makes (",
        2,
    ),
    (with_mended(2, "layers.MaxPooling2D(3)"), "layer 2, MaxPooling2D, makes (", 1),
    (with_mended(3, "layers.Conv2D(q.more, 5, padding='same')"), "layer 3, Conv2D, has", 2.5),
    (
        with_mended(3, "layers.Conv2D(q.more, 5, groups=q.towers)"),
        "layer 3, Conv2D, makes (",
        1,
    ),
    (with_mended(4, "layers.MaxPooling2D(3)"), "layer 4, MaxPooling2D, makes (", 1.5),
    (alexnet(*ALEXNET_LAYERS[:-1]), "the model has 5 layers", 0),
    ("mended = 3", "mended is of type int", 0),
    ("mended = [1, 2, 3]", "mended is of type list", 0),
]
#: Wrong ones that only the hidden test sees.
DISGUISED = {
    "lenet": [
        (  # as many weights as a square kernel
            with_layer(1, "layers.Conv2D(one, (size_1**2, 1), padding='same')"),
            "but its weights have other shapes",
            2.5,
        ),
    ],
    "mended": [
        (
            with_mended(3, "layers.Conv2D(q.more, (25, 1), padding='same', groups=q.towers)"),
            "but its weights have other shapes",
            2.5,
        ),
    ],
}
