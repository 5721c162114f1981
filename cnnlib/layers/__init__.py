"""The layers of a network, by Keras' names and with Keras' arguments. Chapters 11 to 13.

Each is a thin class around an operator of this library: what it adds are weights, and their gradients
on the way back. :mod:`cnnlib.layers.base` says what a layer is; networks are built of them in
:mod:`cnnlib.network`.

>>> import numpy as np
>>> Conv2D(6, 5, activation="relu")(np.ones((1, 28, 28, 1))).shape
(1, 24, 24, 6)
"""

from __future__ import annotations

from cnnlib.layers.base import Layer, Weight
from cnnlib.layers.convolutional import (
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    DepthwiseConv1D,
    DepthwiseConv2D,
    LocallyConnected1D,
    LocallyConnected2D,
    SeparableConv1D,
    SeparableConv2D,
)
from cnnlib.layers.core import ELU, Activation, Dense, LeakyReLU, ReLU, Rescaling, Softmax
from cnnlib.layers.initializers import set_random_seed
from cnnlib.layers.merging import Add, Average, Concatenate, Maximum, Multiply, Subtract
from cnnlib.layers.nodes import Call, Node, Shape
from cnnlib.layers.normalization import BatchNormalization, LocalResponseNormalization
from cnnlib.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    L2Pooling1D,
    L2Pooling2D,
    L2Pooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
    MaxPoolingWithSwitches2D,
    MaxUnpooling2D,
)
from cnnlib.layers.regularization import Dropout, SpatialDropout1D, SpatialDropout2D, SpatialDropout3D
from cnnlib.layers.reshaping import (
    ChannelShuffle,
    Cropping1D,
    Cropping2D,
    Cropping3D,
    Flatten,
    Permute,
    Reshape,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)

#: Every layer by its class' name, as saved networks name them.
LAYERS: dict[str, type[Layer]] = {
    name: kind
    for name, kind in sorted(globals().items())
    if isinstance(kind, type) and issubclass(kind, Layer) and kind is not Layer
}

__all__ = [
    "ELU",
    "LAYERS",
    "Activation",
    "Add",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "BatchNormalization",
    "Call",
    "ChannelShuffle",
    "Concatenate",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "L2Pooling1D",
    "L2Pooling2D",
    "L2Pooling3D",
    "Layer",
    "LeakyReLU",
    "LocalResponseNormalization",
    "LocallyConnected1D",
    "LocallyConnected2D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "MaxPoolingWithSwitches2D",
    "MaxUnpooling2D",
    "Maximum",
    "Multiply",
    "Node",
    "Permute",
    "ReLU",
    "Rescaling",
    "Reshape",
    "SeparableConv1D",
    "SeparableConv2D",
    "Shape",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "Subtract",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "Weight",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "set_random_seed",
]
