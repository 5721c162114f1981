"""Convolutional neural networks in NumPy, readable enough to be taught from, equal to Keras.

Modules pair with chapters; each name below is loaded from its module when first used, so that
``import cnnlib`` is quick and needs NumPy alone.

>>> import numpy as np
>>> import cnnlib
>>> cnnlib.conv(np.ones((1, 32, 32, 3)), np.ones((5, 5, 3, 6))).shape
(1, 28, 28, 6)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

#: Public names and the module that each lives in.
_HOMES = {
    "average_pool": "pooling",
    "conv": "convolution",
    "conv_backward": "convolution",
    "conv_macs": "sizes",
    "conv_parameters": "sizes",
    "conv_weights": "sizes",
    "convolve": "convolution",
    "correlate": "convolution",
    "global_average_pool": "pooling",
    "global_max_pool": "pooling",
    "handwritten_digits": "images",
    "max_pool": "pooling",
    "output_shape": "sizes",
    "output_size": "sizes",
    "pad": "padding",
    "pad_backward": "padding",
    "padding_amounts": "sizes",
    "photograph": "images",
    "recording": "signals",
    "sliding_windows": "windows",
    "train_test_split": "images",
}

if TYPE_CHECKING:
    from cnnlib.convolution import conv, conv_backward, convolve, correlate
    from cnnlib.images import handwritten_digits, photograph, train_test_split
    from cnnlib.padding import pad, pad_backward
    from cnnlib.pooling import average_pool, global_average_pool, global_max_pool, max_pool
    from cnnlib.signals import recording
    from cnnlib.sizes import (
        conv_macs,
        conv_parameters,
        conv_weights,
        output_shape,
        output_size,
        padding_amounts,
    )
    from cnnlib.windows import sliding_windows

__all__ = [
    "average_pool",
    "conv",
    "conv_backward",
    "conv_macs",
    "conv_parameters",
    "conv_weights",
    "convolve",
    "correlate",
    "global_average_pool",
    "global_max_pool",
    "handwritten_digits",
    "max_pool",
    "output_shape",
    "output_size",
    "pad",
    "pad_backward",
    "padding_amounts",
    "photograph",
    "recording",
    "sliding_windows",
    "train_test_split",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'cnnlib' has no attribute {name!r}")
    return getattr(importlib.import_module(f"cnnlib.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
