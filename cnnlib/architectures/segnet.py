"""SegNet: a label for every pixel; the decoder unpools to where the encoder found each maximum. Chapter 13.

V. Badrinarayanan, A. Kendall and R. Cipolla, *SegNet: a deep convolutional encoder-decoder architecture for
image segmentation*, IEEE TPAMI 2017 (arXiv:1511.00561). The encoder is VGG-16's convolutions; the
decoder is its mirror image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnlib.architectures.blocks import conv_bn
from cnnlib.layers import Activation, Conv2D, MaxPoolingWithSwitches2D, MaxUnpooling2D, Node
from cnnlib.network import Input, Model

#: The blocks of the encoder: how many filters, in how many convolutions.
BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


def segnet(
    input_shape: Sequence[int] = (352, 480, 3),
    classes: int = 11,
    blocks: Sequence[tuple[int, int]] = BLOCKS,
    classifier_activation: str | None = "softmax",
) -> Model:
    """SegNet, for street scenes of eleven classes.

    Args:
        input_shape: (height, width, channels). Multiples of 32 are halved without a rest; others, such as the
            360×480 of the paper, work too.
        classes: how many are told apart at every pixel.
        blocks: of the encoder, as (filters, convolutions); pooling halves the maps after each. The decoder
            has the same, the other way round.
        classifier_activation: None leaves the scores as they are.

    >>> segnet().output_shape
    (None, 352, 480, 11)
    """
    image = x = Input(input_shape)
    remembered: list[tuple[Any, Node]] = []
    for block, (filters, depth) in enumerate(blocks, start=1):
        for number in range(1, depth + 1):
            x = conv_bn(x, filters, 3, use_bias=True, name=f"encoder{block}_{number}")
        size = x.shape[1:3]
        x, switches = MaxPoolingWithSwitches2D(2, padding="same", name=f"encoder{block}_pool")(x)
        remembered.append((size, switches))
    for block in range(len(blocks), 0, -1):
        filters, depth = blocks[block - 1]
        size, switches = remembered.pop()
        x = MaxUnpooling2D(2, output_size=size, name=f"decoder{block}_unpool")([x, switches])
        for number in range(depth, 1, -1):
            x = conv_bn(x, filters, 3, use_bias=True, name=f"decoder{block}_{number}")
        if block > 1:  # the last convolution of a block leads to the width of the next
            x = conv_bn(x, blocks[block - 2][0], 3, use_bias=True, name=f"decoder{block}_1")
    x = Conv2D(classes, 3, padding="same", name="decoder1_1")(x)
    return Model(image, Activation(classifier_activation or "linear", name="predictions")(x), name="segnet")
