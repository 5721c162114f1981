"""Answers to assignment 7 that no kind can make up; see ``Bank`` in ``conftest.py``."""

from __future__ import annotations

import runpy
from pathlib import Path

RIGHT: dict[str, list[str]] = {
    "transposed": [
        """
import numpy as np

def transposed(signal, kernel, stride=1):
    out = np.zeros((len(signal) - 1) * stride + len(kernel))
    for i in range(len(signal)):
        for t in range(len(kernel)):
            out[i * stride + t] += signal[i] * kernel[t]
    return out
""",
        """
import numpy as np

def transposed(signal, kernel, stride=1):
    apart = np.zeros((len(signal) - 1) * stride + 1)
    apart[::stride] = signal
    return np.convolve(apart, kernel)
""",
        """
import numpy as np

def transposed(signal, kernel, stride=1):
    size = (len(signal) - 1) * stride + len(kernel)
    matrix = np.zeros((len(signal), size))
    for row in range(len(signal)):
        matrix[row, row * stride : row * stride + len(kernel)] = kernel
    return (matrix.T @ signal).astype(np.float32)
""",
        """
from cnnlib import conv_transpose

def transposed(x, k, s=1):
    return conv_transpose(x[None, :, None], k[:, None, None], s, output_padding=0).ravel().tolist()
""",
    ],
    "input_slopes": [
        """
def input_slopes(gradient, kernel, stride=1):
    slopes, start = [], 0
    while start + len(kernel) <= len(gradient):
        slopes.append(sum(gradient[start + t] * kernel[t] for t in range(len(kernel))))
        start += stride
    return slopes
""",
        """
import numpy as np

def input_slopes(gradient, kernel, stride=1):
    return np.correlate(gradient, kernel, "valid")[::stride]
""",
        """
import numpy as np

def input_slopes(gradient, kernel, stride=1):
    windows = np.lib.stride_tricks.sliding_window_view(gradient, len(kernel))
    return (windows[::stride] @ kernel).astype(np.float32)
""",
        """
from cnnlib import correlate

def input_slopes(gradient, kernel, stride=1):
    return correlate(gradient, kernel, stride)
""",
    ],
    "kernel_slopes": [
        """
def kernel_slopes(gradient, signal, stride=1):
    count = len(gradient) - (len(signal) - 1) * stride
    return [sum(signal[i] * gradient[i * stride + t] for i in range(len(signal))) for t in range(count)]
""",
        """
import numpy as np

def kernel_slopes(gradient, signal, stride=1):
    apart = np.zeros((len(signal) - 1) * stride + 1)
    apart[::stride] = signal
    return np.correlate(gradient, apart, "valid")
""",
        """
import numpy as np

def kernel_slopes(gradient, signal, stride=1):
    count = len(gradient) - (len(signal) - 1) * stride
    places = stride * np.arange(len(signal))[:, None] + np.arange(count)
    return signal @ gradient[places]
""",
        """
from cnnlib import conv_transpose_backward

def kernel_slopes(g, x, s=1):
    import numpy as np

    kernel = np.zeros((len(g) - (len(x) - 1) * s, 1, 1))
    found = conv_transpose_backward(g[None, :, None], x[None, :, None], kernel, s, output_padding=0)
    return found.kernel.ravel()
""",
    ],
    "unpool": [
        """
import numpy as np

def unpool(pooled, switches, shape):
    out = np.zeros(shape[0] * shape[1])
    out[switches.ravel()] = pooled.ravel()
    return out.reshape(shape)
""",
        """
import numpy as np

def unpool(pooled, switches, shape):
    out = np.zeros(shape)
    for row in range(pooled.shape[0]):
        for column in range(pooled.shape[1]):
            place = switches[row, column]
            out[place // shape[1], place % shape[1]] = pooled[row, column]
    return out
""",
        """
import numpy as np

def unpool(pooled, switches, shape):
    out = np.zeros(shape, np.float32)
    np.put(out, switches, pooled)
    return out
""",
        """
from cnnlib import max_unpool

def unpool(pooled, switches, shape):
    return max_unpool(pooled[None, ..., None], switches[None, ..., None], (1, *shape, 1))[0, ..., 0].tolist()
""",
    ],
}

#: Cheats and slips that no registered misconception describes: name → (body, what is told, most points).
WRONG: dict[str, list[tuple[str, str, float]]] = {
    "transposed": [
        ("return np.zeros(3)", "gave zeros everywhere", 0),
        ("return 0 * right", "gave zeros everywhere", 0),
        ("return np.ones(len(right))", "which is not right", 0),
        ("return signal", "gave back its own input", 0),
        ("print(right)", "printed its result", 0),
        ("right", "returned None", 0),
        ("return right.astype(int)", "gave whole numbers", 0),
        ("return right[None]", "its array has 2 axes", 0),
        ("return right * np.nan", "its result is nan", 0),
        ("return right[:-1]", "which is not the shape of the output", 0),
        ("return right[::-1]", "which is not right", 0),
        ("signal *= 2\n    return right", "changed the array that was handed to it", 0),
        ("return right.view(SlyArray)", "is of type SlyArray", 0),
        ("return np.convolve(signal, kernel)", "this is stride 1", 1),
        ("return float(right.sum())", "is of type float", 0),
    ],
    "input_slopes": [
        ("return 0 * right", "gave zeros everywhere", 0),
        ("return np.ones(len(right))", "which is not right", 0),
        ("return gradient", "gave back its own input", 0),
        ("print(right)", "printed its result", 0),
        ("right", "returned None", 0),
        ("return right.astype(int)", "gave whole numbers", 0),
        ("return right[::-1]", "which is not right", 0),
        ("return -right", "which is not right", 0),
        ("gradient += 1\n    return right", "changed the array that was handed to it", 0),
        ("return right.view(SlyArray)", "is of type SlyArray", 0),
        ("return np.append(right, 0)", "which is not the shape of the output", 0),
    ],
    "kernel_slopes": [
        ("return 0 * right", "gave zeros everywhere", 0),
        ("return np.ones(len(right))", "which is not right", 0),
        ("return signal", "gave back its own input", 0),
        ("print(right)", "printed its result", 0),
        ("right", "returned None", 0),
        ("return right.astype(int)", "gave whole numbers", 0),
        ("return -right", "which is not right", 0),
        ("signal[0] = 7\n    return right", "changed the array that was handed to it", 0),
        ("return right.view(SlyArray)", "is of type SlyArray", 0),
        ("return right.sum()", "is of type float64", 0),
        ("return np.append(right, 0)", "which is not the shape of the output", 0),
    ],
    "unpool": [
        ("return np.zeros(shape)", "gave zeros everywhere", 0),
        ("return pooled", "gave back its own input", 0),
        ("return pooled.copy()", "which is not the shape of the output", 0),
        ("print(right)", "printed its result", 0),
        ("right", "returned None", 0),
        ("return right.ravel()", "its array has 1 axis", 0),
        ("return right.astype(int)", "gave whole numbers", 0),
        ("return right[::-1, ::-1]", "which is not right", 0),
        ("return right + pooled.min()", "which is not right", 0),
        ("switches += 1\n    return right", "changed the array that was handed to it", 0),
        ("right[switches] = pooled\n    return right", "raised", 0),
        ("return right.view(SlyArray)", "is of type SlyArray", 0),
        ("return right == 0", "is of type ndarray", 0),
    ],
}

HEADS = {
    "transposed": (
        "import numpy as np\n\n"
        "def transposed(signal, kernel, stride=1):\n"
        "    apart = np.zeros((len(signal) - 1) * stride + 1)\n    apart[::stride] = signal\n"
        "    right = np.convolve(apart, kernel)"
    ),
    "input_slopes": (
        "import numpy as np\n\n"
        "def input_slopes(gradient, kernel, stride=1):\n"
        '    right = np.correlate(gradient, kernel, "valid")[::stride].copy()'
    ),
    "kernel_slopes": (
        "import numpy as np\n\n"
        "def kernel_slopes(gradient, signal, stride=1):\n"
        "    apart = np.zeros((len(signal) - 1) * stride + 1)\n    apart[::stride] = signal\n"
        '    right = np.correlate(gradient, apart, "valid")'
    ),
    "unpool": (
        "import numpy as np\n\n"
        "def unpool(pooled, switches, shape):\n"
        "    right = np.zeros(shape)\n    np.put(right, switches, pooled)"
    ),
}

# --- Models: sources that look the numbers up in the student's own table -------------------------------

ModelSources = runpy.run_path(str(Path(__file__).parents[1] / "model_sources.py"))["ModelSources"]

DECODER = ModelSources(
    "decoder",
    "build-a-decoder",
    "layers.Conv2DTranspose(one.filters, one.kernel_size, strides=2, padding='same')",
    "layers.UpSampling2D(2)",
    "layers.Conv2D(three.filters, three.kernel_size, padding='same')",
    "layers.Conv2DTranspose(four.filters, four.kernel_size, strides=four.strides)",
)
MENDED = ModelSources(
    "mended",
    "mend-an-autoencoder",
    "layers.Conv2D(one.filters, 3, strides=2, padding='same')",
    "layers.Conv2D(two.filters, 3, strides=2, padding='same')",
    "layers.Conv2DTranspose(three.filters, three.kernel_size, strides=2, padding='same')",
    "layers.UpSampling2D(2)",
    "layers.Conv2D(more[0].filters, more[0].kernel_size, padding='same')",
)

for _model in (DECODER, MENDED):
    RIGHT[_model.name] = _model.styles()
RIGHT["decoder"].append(DECODER.but(2, "layers.UpSampling2D(size=(2, 2), interpolation='bilinear')"))
RIGHT["mended"].append(
    MENDED.but(5, "layers.Conv2D(more[0].filters, more[0].kernel_size, padding='same', activation='sigmoid')")
)

WRONG["decoder"] = [
    (
        DECODER.but(1, "layers.Conv2D(one.filters, one.kernel_size, strides=2, padding='same')"),
        "layer 1 is Conv2D, where Conv2DTranspose is asked for",
        0,
    ),
    (
        DECODER.but(1, "layers.Conv2DTranspose(one.filters, one.kernel_size, padding='same')"),
        "layer 1, Conv2DTranspose, makes (",
        0,
    ),
    (
        DECODER.but(1, "layers.Conv2DTranspose(one.filters, 5, strides=2, padding='same')"),
        "layer 1, Conv2DTranspose, has",
        3,
    ),
    (
        DECODER.but(1, "layers.Conv2DTranspose(one.kernel_size[0], one.filters, strides=2, padding='same')"),
        "layer 1, Conv2DTranspose, makes (",
        2,
    ),
    (
        DECODER.but(2, "layers.Conv2DTranspose(one.filters, 2, strides=2)"),
        "layer 2 is Conv2DTranspose, where UpSampling2D is asked for",
        3,
    ),
    (DECODER.but(2, "layers.UpSampling2D(3)"), "layer 2, UpSampling2D, makes (", 1),
    (
        DECODER.but(3, "layers.Conv2D(three.filters, three.kernel_size)"),
        "layer 3, Conv2D, makes (",
        2,
    ),
    (
        DECODER.but(3, "layers.Conv2D(three.filters, 7, padding='same')"),
        "layer 3, Conv2D, has",
        3,
    ),
    (
        DECODER.but(
            4, "layers.Conv2DTranspose(four.filters, four.kernel_size, strides=four.strides, padding='same')"
        ),
        "layer 4, Conv2DTranspose, makes (",
        3,
    ),
    (
        DECODER.but(
            4, "layers.Conv2DTranspose(four.filters, four.kernel_size, strides=four.strides, use_bias=False)"
        ),
        "layer 4, Conv2DTranspose, has",
        3,
    ),
    *DECODER.no_models(),
]

WRONG["mended"] = [
    (
        MENDED.but(1, "layers.Conv2D(one.filters, 3, padding='same')"),
        "layer 1, Conv2D, makes (",
        0,
    ),
    (
        MENDED.but(2, "layers.Conv2D(two.filters, 5, strides=2, padding='same')"),
        "layer 2, Conv2D, has",
        4,
    ),
    (
        MENDED.but(3, "layers.Conv2D(three.filters, three.kernel_size, strides=2, padding='same')"),
        "layer 3 is Conv2D, where Conv2DTranspose is asked for",
        2,
    ),
    (
        MENDED.but(3, "layers.Conv2DTranspose(three.filters, three.kernel_size, padding='same')"),
        "layer 3, Conv2DTranspose, makes (",
        2,
    ),
    (
        MENDED.but(3, "layers.Conv2DTranspose(three.filters, 3, strides=2, padding='same')"),
        "layer 3, Conv2DTranspose, has",
        4,
    ),
    (
        MENDED.but(4, "layers.Conv2DTranspose(three.filters, 2, strides=2)"),
        "layer 4 is Conv2DTranspose, where UpSampling2D is asked for",
        4,
    ),
    (MENDED.but(4, "layers.UpSampling2D(4)"), "layer 4, UpSampling2D, makes (", 3),
    (
        MENDED.but(5, "layers.Conv2D(more[0].filters, more[0].kernel_size)"),
        "layer 5, Conv2D, makes (",
        4,
    ),
    (
        MENDED.but(5, "layers.Conv2D(more[0].filters, 7, padding='same')"),
        "layer 5, Conv2D, has",
        4,
    ),
    *MENDED.no_models(),
]

#: Wrong ones that only the hidden test sees: as many weights, but in other shapes.
DISGUISED = {
    "decoder": [
        (
            DECODER.but(3, "layers.Conv2D(three.filters, (three.kernel_size[0] ** 2, 1), padding='same')"),
            "its weights have other shapes",
            3,
        ),
    ],
    "mended": [
        (
            MENDED.but(
                3,
                "layers.Conv2DTranspose("
                "three.filters, (three.kernel_size[0] ** 2, 1), strides=2, padding='same')",
            ),
            "its weights have other shapes",
            4,
        ),
    ],
}
