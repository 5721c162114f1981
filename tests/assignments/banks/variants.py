"""Answers to assignment 6 that no kind can make up; see ``Bank`` in ``conftest.py``."""

from __future__ import annotations

import runpy
from pathlib import Path

RIGHT: dict[str, list[str]] = {
    "depthwise": [
        """
import numpy as np

def depthwise(inputs, kernels, stride=1):
    h, w, channels = inputs.shape
    kh, kw, _, multiplier = kernels.shape
    oh, ow = (h - kh) // stride + 1, (w - kw) // stride + 1
    out = np.zeros((oh, ow, channels * multiplier))
    for c in range(channels):
        for m in range(multiplier):
            for y in range(oh):
                for x in range(ow):
                    total = 0.0
                    for i in range(kh):
                        for j in range(kw):
                            total += inputs[y * stride + i, x * stride + j, c] * kernels[i, j, c, m]
                    out[y, x, c * multiplier + m] = total
    return out
""",
        """
import numpy as np

def depthwise(inputs, kernels, stride=1):
    windows = np.lib.stride_tricks.sliding_window_view(inputs, kernels.shape[:2], axis=(0, 1))
    maps = np.einsum("yxcij,ijcm->yxcm", windows[::stride, ::stride], kernels)
    return maps.reshape(*maps.shape[:2], -1).astype(np.float32)
""",
        """
from cnnlib import conv

def depthwise(inputs, kernels, stride=1):
    *size, channels, multiplier = kernels.shape
    as_groups = kernels.reshape(*size, 1, channels * multiplier)
    return conv(inputs[None], as_groups, stride, groups=channels)[0]
""",
        """
from cnnlib import depthwise_conv

def depthwise(picture, weights, step=1):
    return depthwise_conv(picture[None], weights, strides=step)[0].tolist()
""",
    ],
    "shuffle": [
        """
def shuffle(inputs, groups):
    height, width, channels = inputs.shape
    return inputs.reshape(height, width, groups, -1).transpose(0, 1, 3, 2).reshape(height, width, channels)
""",
        """
import numpy as np

def shuffle(inputs, groups):
    out = np.zeros(inputs.shape)
    each = inputs.shape[2] // groups
    for g in range(groups):
        for k in range(each):
            out[:, :, k * groups + g] = inputs[:, :, g * each + k]
    return out
""",
        """
import numpy as np

def shuffle(inputs, groups):
    order = np.arange(inputs.shape[-1]).reshape(groups, -1).T.ravel()
    return inputs[..., order]
""",
        """
from cnnlib import channel_shuffle

def shuffle(inputs, groups):
    return channel_shuffle(inputs, groups)
""",
    ],
}

#: Cheats and slips that no registered misconception describes: name → (body, what is told, most points).
WRONG: dict[str, list[tuple[str, str, float]]] = {
    "depthwise": [
        ("return np.zeros(3)", "its array has 1 axis", 0),
        ("return inputs", "gave back its own input", 0),
        ("return out", "gave zeros everywhere", 0),
        ("print(right)", "printed its result", 0),
        ("right", "returned None", 0),
        ("return right.astype(int)", "gave whole numbers", 0),
        ("return right * np.nan", "its result is nan", 0),
        ("return right.sum(axis=-1)", "its array has 2 axes", 0),
        ("return right[None]", "its array has 4 axes", 0),
        ("inputs *= 2\n    return right", "changed the array that was handed to it", 0),
        ("return right.view(SlyArray)", "is of type SlyArray", 0),
        ("return Sly()", "is of type Sly", 0),
        ("raise SystemExit", "raised RuntimeError: exit(None)", 0),
        ("return right[::-1]", "which is not right", 1),  # a single row is the same upside down
        ("return kernels[:, :, 5]", "raised IndexError", 0),
        ("return depthwise_conv(inputs[None], kernels)[0]", "is the result for stride 1", 3),
        (
            "maps = depthwise_conv(inputs[None], kernels, stride)[0]\n"
            "    return np.repeat(maps.sum(axis=-1, keepdims=True), maps.shape[-1], axis=-1)",
            "which is not right",
            1,
        ),
    ],
    "shuffle": [
        ("return inputs", "gave back its own input", 0),
        ("return np.zeros(inputs.shape)", "gave zeros everywhere", 0),
        ("return np.ones(inputs.shape)", "which is not right", 0),
        ("print(right)", "printed its result", 0),
        ("right", "returned None", 0),
        ("return right[..., :groups]", "which is not the shape of the output", 0),
        ("return right.ravel()", "its array has 1 axis", 0),
        ("return right.astype(int)", "gave whole numbers", 0),
        ("return right[..., ::-1]", "which is not right", 0),
        ("inputs[:] = right\n    return inputs", "changed the array that was handed to it", 0),
        ("return inputs.reshape(groups, -1).T", "its array has 2 axes", 0),
        ("return inputs.reshape(inputs.shape[0], groups, 7)", "raised ValueError", 0),
        ("return right.view(SlyArray)", "is of type SlyArray", 0),
        ("return right.transpose(1, 0, 2)", "which is not", 1),  # of one pixel it is the same
    ],
}

HEADS = {
    "depthwise": (
        "import numpy as np\nfrom cnnlib import depthwise_conv\n\n"
        "def depthwise(inputs, kernels, stride=1):\n"
        "    right = depthwise_conv(inputs[None], kernels, stride)[0]\n    out = np.zeros(right.shape)"
    ),
    "shuffle": (
        "import numpy as np\nfrom cnnlib import channel_shuffle\n\n"
        "def shuffle(inputs, groups):\n    right = channel_shuffle(inputs, groups)"
    ),
}

# --- Models: sources that look the numbers up in the student's own table -------------------------------

ModelSources = runpy.run_path(str(Path(__file__).parents[1] / "model_sources.py"))["ModelSources"]

BLOCK = ModelSources(
    "model",
    "build-a-block",
    "layers.DepthwiseConv2D(one.kernel_size, 2, padding='same', depth_multiplier=one.depth_multiplier)",
    "layers.Conv2D(two.filters, 1)",
    "layers.Conv2D(three.filters, 3, dilation_rate=three.dilation_rate)",
    "layers.SeparableConv2D(four.filters, four.kernel_size, padding='same')",
)
MENDED = ModelSources(
    "mended",
    "mend-a-network",
    "layers.Conv2D(one.filters, 3, padding='same', groups=one.groups)",
    "layers.DepthwiseConv2D(two.kernel_size, padding='same')",
    "layers.Conv2D(three.filters, 1)",
    "layers.Conv2D(four.filters, 3, dilation_rate=four.dilation_rate)",
)

for _model in (BLOCK, MENDED):
    RIGHT[_model.name] = _model.styles()

RIGHT["model"].append(
    BLOCK.but(2, "layers.Conv2D(filters=two.filters, kernel_size=(1, 1), activation='relu')")
)
RIGHT["mended"].append(
    MENDED.but(2, "layers.DepthwiseConv2D(two.kernel_size[0], depth_multiplier=1, padding='same')")
)

WRONG["model"] = [
    (
        BLOCK.but(1, "layers.DepthwiseConv2D(one.kernel_size, padding='same')"),
        "layer 1, DepthwiseConv2D, makes (",
        0,
    ),
    (
        BLOCK.but(
            1,
            "layers.Conv2D(table.rows[0].output[-1], one.kernel_size, strides=2, padding='same')",
        ),
        "layer 1 is Conv2D, where DepthwiseConv2D is asked for",
        3,
    ),
    (
        BLOCK.but(2, "layers.DepthwiseConv2D(1)"),
        "layer 2 is DepthwiseConv2D, where Conv2D is asked for",
        3,
    ),
    (
        BLOCK.but(2, "layers.Conv2D(two.filters, 3, padding='same')"),
        "layer 2, Conv2D, has",
        3,
    ),
    (BLOCK.but(3, "layers.Conv2D(three.filters, 3)"), "layer 3, Conv2D, makes (", 2),
    (BLOCK.but(3, "layers.Conv2D(three.filters, 3, strides=2)"), "layer 3, Conv2D, makes (", 2),
    (
        BLOCK.but(3, "layers.Conv2D(three.filters, 2 * three.dilation_rate[0] + 1)"),
        "layer 3, Conv2D, has",
        3,
    ),
    (
        BLOCK.but(4, "layers.Conv2D(four.filters, four.kernel_size, padding='same')"),
        "layer 4 is Conv2D, where SeparableConv2D is asked for",
        3,
    ),
    (
        BLOCK.but(4, "layers.SeparableConv2D(four.filters, 7, padding='same')"),
        "layer 4, SeparableConv2D, has",
        3,
    ),
    (
        BLOCK.but(
            4, "layers.SeparableConv2D(four.filters, four.kernel_size, padding='same', use_bias=False)"
        ),
        "layer 4, SeparableConv2D, has",
        3,
    ),
    *BLOCK.no_models(),
]

WRONG["mended"] = [
    (MENDED.but(1, "layers.Conv2D(one.filters, 3, padding='same')"), "layer 1, Conv2D, has", 3),
    (MENDED.but(1, "layers.Conv2D(one.filters, 3, groups=one.groups)"), "layer 1, Conv2D, makes (", 0),
    (
        MENDED.but(1, "layers.Conv2D(one.filters, 3, padding='same', groups=one.groups, use_bias=False)"),
        "layer 1, Conv2D, has",
        3,
    ),
    (
        MENDED.but(2, "layers.DepthwiseConv2D(one.filters, two.kernel_size, padding='same')"),
        "layer 2, DepthwiseConv2D, makes (",
        1,
    ),
    (
        MENDED.but(2, "layers.Conv2D(one.filters, two.kernel_size, padding='same')"),
        "layer 2 is Conv2D, where DepthwiseConv2D is asked for",
        3,
    ),
    (MENDED.but(2, "layers.DepthwiseConv2D(two.kernel_size)"), "layer 2, DepthwiseConv2D, makes (", 1),
    (MENDED.but(4, "layers.Conv2D(four.filters, 3, strides=2)"), "layer 4, Conv2D, makes (", 3),
    (MENDED.but(4, "layers.Conv2D(four.filters, 3)"), "layer 4, Conv2D, makes (", 3),
    *MENDED.no_models(),
]

#: Wrong ones that only the hidden test sees: as many weights, but in other shapes.
DISGUISED = {
    "model": [
        (
            BLOCK.but(
                1,
                "layers.DepthwiseConv2D((1, one.kernel_size[0] ** 2), strides=2, padding='same', "
                "depth_multiplier=one.depth_multiplier)",
            ),
            "its weights have other shapes",
            3,
        ),
        (
            BLOCK.but(
                4, "layers.SeparableConv2D(four.filters, (four.kernel_size[0] ** 2, 1), padding='same')"
            ),
            "its weights have other shapes",
            3,
        ),
    ],
    "mended": [
        (
            MENDED.but(1, "layers.Conv2D(one.filters, (9, 1), padding='same', groups=one.groups)"),
            "its weights have other shapes",
            3,
        ),
    ],
}
