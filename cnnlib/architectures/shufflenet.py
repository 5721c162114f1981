"""ShuffleNet: 1×1 convolutions in groups, and a shuffle that lets the groups hear of each other. Chapter 13.

X. Zhang, X. Zhou, M. Lin and J. Sun, *ShuffleNet: an extremely efficient convolutional neural network for
mobile devices*, CVPR 2018 (arXiv:1707.01083), Table 1 and Figure 2.
"""

from __future__ import annotations

from collections.abc import Sequence

from cnnlib.architectures.blocks import conv_bn, depthwise_bn, pooled_classifier
from cnnlib.errors import SizeError
from cnnlib.layers import Activation, Add, AveragePooling2D, ChannelShuffle, Concatenate, MaxPooling2D, Node
from cnnlib.network import Input, Model

#: The output channels of the first stage by the number of groups: more groups afford more channels.
CHANNELS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}
#: The units of the three stages; the first of each halves the image and doubles the channels.
UNITS = (4, 8, 4)


def shufflenet(
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    groups: int = 3,
    classifier_activation: str | None = "softmax",
) -> Model:
    """ShuffleNet v1 at the paper's full width.

    Args:
        input_shape: (height, width, channels).
        classes: how many are told apart.
        groups: of the 1×1 convolutions: 1, 2, 3, 4 or 8.
        classifier_activation: None leaves the scores as they are.

    >>> shufflenet().output_shape
    (None, 1000)
    """
    if groups not in CHANNELS:
        raise SizeError(f"ShuffleNet is laid out for {', '.join(map(str, CHANNELS))} groups, not {groups}")
    image = Input(input_shape)
    x = conv_bn(image, 24, 3, strides=2, name="conv1")
    x = MaxPooling2D(3, strides=2, padding="same", name="pool1")(x)
    for stage, units in enumerate(UNITS):
        for number in range(units):
            filters = CHANNELS[groups] * 2**stage
            # 24 channels are too few for groups: the very first pointwise convolution sees all of them.
            first = 1 if stage == number == 0 else groups
            x = unit(
                x,
                filters,
                groups,
                first,
                strides=2 if number == 0 else 1,
                name=f"stage{stage + 2}_{number + 1}",
            )
    return Model(image, pooled_classifier(x, classes, classifier_activation), name=f"shufflenet_g{groups}")


def unit(x: Node, filters: int, groups: int, first_groups: int, strides: int, name: str) -> Node:
    """Pointwise in groups, shuffle, depthwise, pointwise in groups; added to the inputs or put beside them.

    >>> unit(Input((28, 28, 240)), 240, groups=3, first_groups=3, strides=1, name="stage2_2").shape
    (None, 28, 28, 240)
    >>> unit(Input((28, 28, 240)), 480, groups=3, first_groups=3, strides=2, name="stage3_1").shape
    (None, 14, 14, 480)
    """
    made = filters if strides == 1 else filters - x.shape[-1]  # type: ignore[operator]
    branch = conv_bn(x, filters // 4, 1, groups=first_groups, name=f"{name}_reduce")
    branch = ChannelShuffle(groups, name=f"{name}_shuffle")(branch)
    branch = depthwise_bn(branch, 3, strides, activation=None, name=f"{name}_depthwise")
    branch = conv_bn(branch, made, 1, groups=groups, activation=None, name=f"{name}_expand")
    if strides == 1:
        x = Add(name=f"{name}_add")([x, branch])
    else:
        x = AveragePooling2D(3, strides, padding="same", name=f"{name}_pool")(x)
        x = Concatenate(name=f"{name}_concat")([x, branch])
    return Activation("relu", name=f"{name}_out")(x)
