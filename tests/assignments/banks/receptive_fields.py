"""Answers to assignment 5: functions, a repaired function and the model."""

from __future__ import annotations

import runpy
from pathlib import Path

RIGHT = {
    "receptive_size": [
        """
def receptive_size(layers):
    size, jump = 1, 1
    for kernel, stride in layers:
        size, jump = size + (kernel - 1) * jump, jump * stride
    return size
""",
        """
import math

def receptive_size(layers):
    strides = [stride for _, stride in layers]
    return 1 + sum((kernel - 1) * math.prod(strides[:l]) for l, (kernel, _) in enumerate(layers))
""",
        """
def receptive_size(layers):
    seen = 1                                  # from the last layer down: how many inputs so many outputs need
    for kernel, stride in reversed(layers):
        seen = (seen - 1) * stride + kernel
    return seen
""",
        """
from cnnlib.receptive_field import Window, receptive_field as field

def receptive_size(layers):
    return field([Window(*layer) for layer in layers]).size
""",
        """
import numpy as np

def receptive_size(layers):
    kernels, strides = np.array(layers).T
    jumps = np.r_[1, np.cumprod(strides)[:-1]]
    return 1 + (kernels - 1) @ jumps
""",
    ],
    "view": [
        """
def view(layers, output):
    size, jump, start = 1, 1, 0
    for kernel, stride, padding in layers:
        start = start - padding * jump
        size = size + (kernel - 1) * jump
        jump = jump * stride
    return start + output * jump, start + output * jump + size - 1
""",
        """
def view(layers, output):
    first = last = output                     # from the output down, both ends of the stretch
    for kernel, stride, padding in reversed(layers):
        first = first * stride - padding
        last = last * stride - padding + kernel - 1
    return [first, last]
""",
        """
import numpy as np
from cnnlib.receptive_field import Window, receptive_field

def view(layers, output):
    field = receptive_field([Window(*layer) for layer in layers])
    start = output * field.stride + field.offset
    return np.array([start, start + field.size - 1])
""",
        """
def view(layers, output):
    seen = {output}
    for kernel, stride, padding in layers[::-1]:
        seen = {place * stride - padding + tap for place in seen for tap in range(kernel)}
    return min(seen), max(seen)
""",
    ],
    "pixels_read": [
        """
def pixels_read(layers, output, size):
    sizes = [size]
    for kernel, stride, padding, dilation in layers:
        span = dilation * (kernel - 1) + 1
        sizes.append((sizes[-1] + 2 * padding - span) // stride + 1)
    wanted = [output]
    for n in range(len(layers) - 1, -1, -1):
        kernel, stride, padding, dilation = layers[n]
        below = []
        for place in wanted:
            for tap in range(kernel):
                pixel = place * stride - padding + tap * dilation
                if 0 <= pixel < sizes[n] and pixel not in below:
                    below.append(pixel)
        wanted = below
    return sorted(wanted)
""",
        """
from cnnlib.receptive_field import Window, inputs_seen

def pixels_read(layers, output, size):
    return inputs_seen([Window(*layer) for layer in layers], output, size)
""",
        """
import numpy as np

def pixels_read(layers, output, size):
    \"\"\"From the picture up: which pixels has each unit read?\"\"\"
    read = [{pixel} for pixel in range(size)]
    for kernel, stride, padding, dilation in layers:
        units = (len(read) + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
        padded = [set()] * padding + read + [set()] * padding
        read = [
            set().union(*(padded[unit * stride + tap * dilation] for tap in range(kernel)))
            for unit in range(units)
        ]
    return np.array(sorted(read[output]))
""",
        """
import numpy as np
from cnnlib import conv

def pixels_read(layers, output, size):
    \"\"\"A layer of ones tells who reads whom: nudge every pixel by itself.\"\"\"
    nudges = np.eye(size)[..., None]
    for kernel, stride, padding, dilation in layers:
        nudges = conv(nudges, np.ones((kernel, 1, 1)), stride, padding, dilation)
    return np.flatnonzero(nudges[:, output, 0]).tolist()
""",
    ],
}

#: Cheats and slips that no registered misconception describes: name → (body, what is told, most points).
WRONG: dict[str, list[tuple[str, str, float]]] = {
    "receptive_size": [
        ("return 7", "the same result, 7, comes out for different arguments", 0),
        ("return 0", "the same result, 0,", 0),
        ("print(size)", "printed its result and returned None", 0),
        ("return str(size)", "its result is text", 0),
        ("return [size]", "its result is a list; one number is asked for", 0),
        ("return float('nan')", "its result is nan", 0),
        ("return size, jump", "its result is a tuple", 0),
        ("return len(layers)", "which is not right", 0),
        ("return size / 0", "raised ZeroDivisionError", 0),
        ("return jump", "the same result, 1,", 0),
        ("return 1 + sum(kernel - 1 for kernel, _ in layers)", "leaves the strides out", 1),
        ("return size + jump", "which is not right", 0),
        ("return receptive_size(layers)", "raised RecursionError", 0),
        ("return Sly()", "is of type Sly", 0),
        ("return SlyInt(3)", "is of type SlyInt", 0),
    ],
    "view": [
        ("return 0, 6", "which is not right", 0),
        ("return first", "is of type int; a list or a NumPy array", 0),
        ("print(first, last)", "printed its result and returned None", 0),
        ("return last, first", "which is not right", 0),
        ("return f'{first}, {last}'", "its result is text", 0),
        ("return np.zeros(2)", "gave zeros everywhere", 0),
        ("return [[first, last]]", "its array has 2 axes", 0),
        ("return first, last, last - first + 1", "which is not the shape of the output", 0),
        ("return first, last - first + 1", "which is not right", 0),
        ("return max(first, 0), last", "cuts the view off where the picture begins", 1),
        ("return first / 0, last", "raised ZeroDivisionError", 0),
        ("return Sly()", "is of type Sly", 0),
        ("return float('nan'), last", "its result is nan", 0),
    ],
    "pixels_read": [
        ("return [output + 1]", "which is not the shape of the output", 0),
        ("return []", "gave", 0),
        ("return list(range(size))", "which is not the shape of the output", 0),
        ("print(right)", "printed its result and returned None", 0),
        ("return len(right)", "is of type int", 0),
        ("return set(right)", "is of type set", 0),
        ("return right[::-1]", "which is not right", 0),
        ("return right - 1", "which is not right", 0),
        ("return [right]", "its array has 2 axes", 0),
        ("return [pixel + 1 for pixel in right]", "which is not right", 0),
        ("return str(right)", "its result is text", 0),
        ("return [float('nan')] * len(right)", "its result is nan", 0),
        ("return right.astype(object)", "is of type ndarray", 0),
        ("return Sly()", "is of type Sly", 0),
        (  # the function as it was, with one fault of four mended
            "wanted = [output]\n    for kernel, stride, padding, dilation in reversed(layers):\n"
            "        wanted = [p * stride - padding + tap for p in wanted for tap in range(kernel)]\n"
            "    return sorted(wanted)",
            "Some pixels are told more than once",
            0,
        ),
    ],
}

HEADS = {
    "receptive_size": (
        "def receptive_size(layers):\n    size, jump = 1, 1\n    for kernel, stride in layers:\n"
        "        size, jump = size + (kernel - 1) * jump, jump\n    jump = 1"
    ),
    "view": (
        "import numpy as np\n\ndef view(layers, output):\n    first = last = output\n"
        "    for kernel, stride, padding in reversed(layers):\n"
        "        first, last = first * stride - padding, last * stride - padding + kernel - 1"
    ),
    "pixels_read": (
        "import numpy as np\nfrom cnnlib.receptive_field import Window, inputs_seen\n\n"
        "def pixels_read(layers, output, size):\n"
        "    right = np.array(inputs_seen([Window(*layer) for layer in layers], output, size))"
    ),
}

# --- The model ----------------------------------------------------------------------------------------

ModelSources = runpy.run_path(str(Path(__file__).parents[1] / "model_sources.py"))["ModelSources"]


def layer(which: str, kernel: str = "3", more: str = "") -> str:
    """Source of one layer of the table."""
    return f"layers.Conv2D({which}.filters, {kernel}, dilation_rate={which}.dilation_rate{more})"


GOOD = [layer("first"), layer("second"), layer("third")]


MODEL = ModelSources("model", "see-more", *GOOD, names="first, second, third")
built, variant = MODEL.built, MODEL.but


RIGHT["model"] = [
    built(*GOOD),
    """
import keras
table = sheet["see-more"]
model = keras.Sequential()
model.add(keras.Input(table.input_shape))
for one in table.layers:
    gaps = (one.dilation_rate,) * 2 if isinstance(one.dilation_rate, int) else one.dilation_rate
    model.add(keras.layers.Conv2D(filters=one.filters, kernel_size=(3, 3), dilation_rate=gaps))
""",
    """
import keras
table = sheet["see-more"]
x = image = keras.Input(shape=table.input_shape)
for one in table.layers:
    x = keras.layers.Conv2D(one.filters, 3, dilation_rate=one.dilation_rate)(x)
model = keras.Model(image, x)
""",
]

WRONG["model"] = [
    # the shapes of the table by a wider kernel: the counts betray it
    (
        built(
            *(
                layer(one, f"int(1 + 2 * np.max({one}.dilation_rate))").replace(
                    f"dilation_rate={one}.dilation_rate", "dilation_rate=1"
                )
                for one in ("first", "second", "third")
            )
        ).replace("import keras\n", "import keras\nimport numpy as np\n", 1),
        "the table asks for",
        1,
    ),
    (variant(2, "layers.Conv2D(second.filters, 3, padding='same')"), "layer 2, Conv2D, makes (", 1),
    (variant(3, "layers.Conv2D(third.filters, 3)"), "layer 3, Conv2D, makes (", 2),
    (variant(3, layer("third", more=", use_bias=False")), "the table asks for", 2),
    (variant(3, layer("third").replace("third.filters", "third.filters + 1")), "layer 3, Conv2D, makes (", 2),
    (variant(2, "layers.MaxPooling2D(2)"), "layer 2 is MaxPooling2D, where Conv2D is asked for", 1),
    (variant(1, "layers.DepthwiseConv2D(3)"), "layer 1 is DepthwiseConv2D", 2),
    (built(*GOOD[:2]), "the model has 2 layers", 0),
    (built(*GOOD, "layers.Flatten()"), "the model has 4 layers", 0),
    (built(*GOOD, shape="(64, 64, 1)"), "the input shape is (64, 64, 1)", 0),
    ("model = None", "model is of type NoneType", 0),
    ("import keras\nmodel = keras.layers.Conv2D(6, 3)", "model is of type Conv2D", 0),
    (
        "class Sly:\n    __eq__ = lambda self, other: True\n    built = True\nmodel = Sly()",
        "model is of type Sly",
        0,
    ),
]
