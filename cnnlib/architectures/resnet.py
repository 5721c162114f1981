"""ResNet: blocks that learn what to add to their inputs, so that depth no longer hurts. Chapter 13.

K. He, X. Zhang, S. Ren and J. Sun, *Deep residual learning for image recognition*, CVPR 2016
(arXiv:1512.03385), Table 1. Where a block changes the shape, a 1×1 convolution brings its inputs to the new
one (option B of the paper). ResNet-50 is that of ``keras.applications``: a block moves by its stride in its
first 1×1 convolution, as in the paper, and convolutions have biases; ResNet-18 and -34 have none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from cnnlib.architectures.blocks import conv_bn, pooled_classifier
from cnnlib.layers import Activation, Add, MaxPooling2D, Node
from cnnlib.network import Input, Model

#: That of Keras.
EPSILON = 1.001e-5


def resnet18(
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    classifier_activation: str | None = "softmax",
) -> Model:
    """ResNet with 18 layers of weights, in blocks of two 3×3 convolutions.

    The moving statistics of its normalisations, 9,600 numbers, are counted too.

    >>> resnet18().count_params() - 9_600
    11689512
    """
    return _resnet("resnet18", basic_block, (2, 2, 2, 2), False, input_shape, classes, classifier_activation)


def resnet34(
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    classifier_activation: str | None = "softmax",
) -> Model:
    """ResNet with 34 layers of weights, in blocks of two 3×3 convolutions.

    The moving statistics of its normalisations, 17,024 numbers, are counted too.

    >>> resnet34().count_params() - 17_024
    21797672
    """
    return _resnet("resnet34", basic_block, (3, 4, 6, 3), False, input_shape, classes, classifier_activation)


def resnet50(
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    classifier_activation: str | None = "softmax",
) -> Model:
    """ResNet with 50 layers of weights, in bottleneck blocks, as ``keras.applications.ResNet50``.

    Args:
        input_shape: (height, width, channels), at least 32×32.
        classes: how many are told apart.
        classifier_activation: None leaves the scores as they are.

    >>> resnet50().count_params()
    25636712
    """
    return _resnet(
        "resnet50", bottleneck_block, (3, 4, 6, 3), True, input_shape, classes, classifier_activation
    )


def _resnet(
    name: str,
    block: Callable[..., Node],
    depths: Sequence[int],
    use_bias: bool,
    input_shape: Sequence[int],
    classes: int,
    classifier_activation: str | None,
) -> Model:
    """The stem, four stages of ``depths`` blocks, and the head."""
    image = Input(input_shape)
    x = conv_bn(image, 64, 7, 2, padding=3, use_bias=use_bias, epsilon=EPSILON, name="conv1")
    x = MaxPooling2D(3, strides=2, padding=1, name="pool1_pool")(x)
    for stage, depth in enumerate(depths, start=2):
        for number in range(1, depth + 1):
            strides = 2 if number == 1 and stage > 2 else 1
            x = block(x, 64 * 2 ** (stage - 2), strides, use_bias, name=f"conv{stage}_block{number}")
    return Model(image, pooled_classifier(x, classes, classifier_activation), name=name)


def basic_block(x: Node, filters: int, strides: int, use_bias: bool, name: str) -> Node:
    """Two 3×3 convolutions and the inputs, added.

    >>> basic_block(Input((56, 56, 64)), 128, strides=2, use_bias=False, name="conv3_block1").shape
    (None, 28, 28, 128)
    """
    conv = partial(conv_bn, use_bias=use_bias, epsilon=EPSILON)
    residual = conv(x, filters, 3, strides, padding=1, name=f"{name}_1")
    residual = conv(residual, filters, 3, activation=None, name=f"{name}_2")
    return _join(_shortcut(x, filters, strides, use_bias, name), residual, name)


def bottleneck_block(x: Node, filters: int, strides: int, use_bias: bool, name: str) -> Node:
    """A 3×3 convolution between two 1×1 that take channels away and bring four times as many back.

    >>> bottleneck_block(Input((56, 56, 256)), 128, strides=2, use_bias=True, name="conv3_block1").shape
    (None, 28, 28, 512)
    """
    conv = partial(conv_bn, use_bias=use_bias, epsilon=EPSILON)
    residual = conv(x, filters, 1, strides, name=f"{name}_1")
    residual = conv(residual, filters, 3, name=f"{name}_2")
    residual = conv(residual, 4 * filters, 1, activation=None, name=f"{name}_3")
    return _join(_shortcut(x, 4 * filters, strides, use_bias, name), residual, name)


def _shortcut(x: Node, filters: int, strides: int, use_bias: bool, name: str) -> Node:
    """The inputs themselves, or brought to the block's shape."""
    if strides == 1 and x.shape[-1] == filters:
        return x
    return conv_bn(
        x, filters, 1, strides, activation=None, use_bias=use_bias, epsilon=EPSILON, name=f"{name}_0"
    )


def _join(shortcut: Node, residual: Node, name: str) -> Node:
    return Activation("relu", name=f"{name}_out")(Add(name=f"{name}_add")([shortcut, residual]))
