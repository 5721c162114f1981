"""Patterns that several networks share: a convolution with its normalisation, the head of a classifier."""

from __future__ import annotations

from cnnlib.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    GlobalAveragePooling2D,
    Node,
)
from cnnlib.sizes import Padding, PerAxis


def conv_bn(
    x: Node,
    filters: int,
    kernel_size: PerAxis,
    strides: PerAxis = 1,
    padding: Padding = "same",
    *,
    groups: int = 1,
    activation: str | None = "relu",
    use_bias: bool = False,
    epsilon: float = 1e-3,
    name: str,
    suffix: str = "_conv",
) -> Node:
    """Convolution, batch normalisation and activation: ``name`` + ``_conv``, ``_bn`` and, say, ``_relu``.

    The convolution needs no bias, because the normalisation adds one.

    >>> from cnnlib.network import Input
    >>> conv_bn(Input((224, 224, 3)), 32, 3, strides=2, name="stem").shape
    (None, 112, 112, 32)
    """
    conv = Conv2D(
        filters,
        kernel_size,
        strides,
        padding,
        groups=groups,
        use_bias=use_bias,
        kernel_initializer="he_normal",
        name=name + suffix,
    )
    return _normalised(conv(x), activation, epsilon, name)


def depthwise_bn(
    x: Node,
    kernel_size: PerAxis,
    strides: PerAxis = 1,
    padding: Padding = "same",
    *,
    activation: str | None = "relu",
    epsilon: float = 1e-3,
    name: str,
    suffix: str = "_conv",
) -> Node:
    """Depthwise convolution, batch normalisation and activation, named as in :func:`conv_bn`.

    >>> from cnnlib.network import Input
    >>> depthwise_bn(Input((112, 112, 32)), 3, name="first").shape
    (None, 112, 112, 32)
    """
    conv = DepthwiseConv2D(kernel_size, strides, padding, use_bias=False, name=name + suffix)
    return _normalised(conv(x), activation, epsilon, name)


def _normalised(x: Node, activation: str | None, epsilon: float, name: str) -> Node:
    x = BatchNormalization(epsilon=epsilon, name=f"{name}_bn")(x)
    return x if activation is None else Activation(activation, name=f"{name}_{activation}")(x)


def pooled_classifier(x: Node, classes: int, activation: str | None) -> Node:
    """The mean of every feature map, then one dense layer: the head of most networks since 2014.

    >>> from cnnlib.network import Input
    >>> pooled_classifier(Input((7, 7, 2048)), 1000, "softmax").shape
    (None, 1000)
    """
    x = GlobalAveragePooling2D(name="avg_pool")(x)
    return Dense(classes, activation=activation, name="predictions")(x)
