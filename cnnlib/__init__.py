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
    "bed_of_nails": "upsampling",
    "bed_of_nails_backward": "upsampling",
    "channel_shuffle": "variants",
    "channel_shuffle_backward": "variants",
    "conv": "convolution",
    "conv_backward": "convolution",
    "conv_macs": "sizes",
    "conv_parameters": "sizes",
    "conv_transpose": "upsampling",
    "conv_transpose_backward": "upsampling",
    "conv_weights": "sizes",
    "convolve": "convolution",
    "correlate": "convolution",
    "depthwise_conv": "variants",
    "depthwise_conv_backward": "variants",
    "global_average_pool": "pooling",
    "global_max_pool": "pooling",
    "handwritten_digits": "images",
    "locally_connected": "variants",
    "locally_connected_backward": "variants",
    "max_pool": "pooling",
    "max_unpool": "upsampling",
    "max_unpool_backward": "upsampling",
    "output_shape": "sizes",
    "output_size": "sizes",
    "pad": "padding",
    "pad_backward": "padding",
    "padding_amounts": "sizes",
    "photograph": "images",
    "pointwise_conv": "variants",
    "pointwise_conv_backward": "variants",
    "recording": "signals",
    "separable_conv": "variants",
    "separable_conv_backward": "variants",
    "sliding_windows": "windows",
    "spatially_separable_conv": "variants",
    "spatially_separable_conv_backward": "variants",
    "train_test_split": "images",
    "upsample_bilinear": "upsampling",
    "upsample_bilinear_backward": "upsampling",
    "upsample_nearest": "upsampling",
    "upsample_nearest_backward": "upsampling",
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
    from cnnlib.upsampling import (
        bed_of_nails,
        bed_of_nails_backward,
        conv_transpose,
        conv_transpose_backward,
        max_unpool,
        max_unpool_backward,
        upsample_bilinear,
        upsample_bilinear_backward,
        upsample_nearest,
        upsample_nearest_backward,
    )
    from cnnlib.variants import (
        channel_shuffle,
        channel_shuffle_backward,
        depthwise_conv,
        depthwise_conv_backward,
        locally_connected,
        locally_connected_backward,
        pointwise_conv,
        pointwise_conv_backward,
        separable_conv,
        separable_conv_backward,
        spatially_separable_conv,
        spatially_separable_conv_backward,
    )
    from cnnlib.windows import sliding_windows

__all__ = [
    "average_pool",
    "bed_of_nails",
    "bed_of_nails_backward",
    "channel_shuffle",
    "channel_shuffle_backward",
    "conv",
    "conv_backward",
    "conv_macs",
    "conv_parameters",
    "conv_transpose",
    "conv_transpose_backward",
    "conv_weights",
    "convolve",
    "correlate",
    "depthwise_conv",
    "depthwise_conv_backward",
    "global_average_pool",
    "global_max_pool",
    "handwritten_digits",
    "locally_connected",
    "locally_connected_backward",
    "max_pool",
    "max_unpool",
    "max_unpool_backward",
    "output_shape",
    "output_size",
    "pad",
    "pad_backward",
    "padding_amounts",
    "photograph",
    "pointwise_conv",
    "pointwise_conv_backward",
    "recording",
    "separable_conv",
    "separable_conv_backward",
    "sliding_windows",
    "spatially_separable_conv",
    "spatially_separable_conv_backward",
    "train_test_split",
    "upsample_bilinear",
    "upsample_bilinear_backward",
    "upsample_nearest",
    "upsample_nearest_backward",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'cnnlib' has no attribute {name!r}")
    return getattr(importlib.import_module(f"cnnlib.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
