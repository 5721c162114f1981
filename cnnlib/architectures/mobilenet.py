"""MobileNet: depthwise separable convolutions throughout. Chapter 13.

A. G. Howard et al., *MobileNets: efficient convolutional neural networks for mobile vision applications*,
2017 (arXiv:1704.04861), Table 1, with names, padding and head of ``keras.applications.MobileNet``.
"""

from __future__ import annotations

from collections.abc import Sequence

from cnnlib.architectures.blocks import conv_bn, depthwise_bn
from cnnlib.layers import Activation, Conv2D, Dropout, GlobalAveragePooling2D, Node, Reshape
from cnnlib.network import Input, Model

#: The filters of the thirteen pointwise convolutions, and the strides of the depthwise ones before them.
BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)


def mobilenet(
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    alpha: float = 1.0,
    dropout: float = 1e-3,
    classifier_activation: str | None = "softmax",
) -> Model:
    """MobileNet v1.

    Args:
        input_shape: (height, width, channels), at least 32×32.
        classes: how many are told apart.
        alpha: the width multiplier of the paper, which scales the number of filters everywhere.
        dropout: the share of values dropped before the last layer, in training.
        classifier_activation: None leaves the scores as they are.

    >>> mobilenet().count_params(), mobilenet(alpha=0.25).count_params()
    (4253864, 475544)
    """
    image = Input(input_shape)
    x = conv_bn(image, int(32 * alpha), 3, strides=2, activation="relu6", name="conv1", suffix="")
    for number, (filters, strides) in enumerate(BLOCKS, start=1):
        x = separable_block(x, int(filters * alpha), strides, number)
    x = GlobalAveragePooling2D(keepdims=True, name="avg_pool")(x)
    x = Dropout(dropout, name="dropout")(x)
    x = Conv2D(classes, 1, name="conv_preds")(x)  # a dense layer, written as a convolution of 1×1 pixels
    x = Reshape((classes,), name="reshape_2")(x)
    x = Activation(classifier_activation or "linear", name="predictions")(x)
    return Model(image, x, name=f"mobilenet_{alpha:0.2f}")


def separable_block(x: Node, filters: int, strides: int, number: int) -> Node:
    """A depthwise 3×3 convolution and a pointwise one, each normalised and bent.

    >>> separable_block(Input((112, 112, 64)), 128, strides=2, number=2).shape
    (None, 56, 56, 128)
    """
    # Keras pads below and on the right only, whether the size is even or odd.
    padding = "same" if strides == 1 else ((0, 1), (0, 1))
    dw, pw = f"conv_dw_{number}", f"conv_pw_{number}"
    x = depthwise_bn(x, 3, strides, padding, activation="relu6", name=dw, suffix="")
    return conv_bn(x, filters, 1, activation="relu6", name=pw, suffix="")
