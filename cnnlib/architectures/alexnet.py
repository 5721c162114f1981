"""AlexNet: the network that won ILSVRC 2012 by ten points. Chapter 12.

A. Krizhevsky, I. Sutskever and G. E. Hinton, *ImageNet classification with deep convolutional neural
networks*, NIPS 2012. Its two towers, one on each of two graphics cards, exchange their feature maps
only before conv3; conv2, conv4 and conv5 see those of their own tower, which is a convolution in two groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnlib.layers import Conv2D, Dense, Dropout, Flatten, LocalResponseNormalization, MaxPooling2D
from cnnlib.network import Input, Sequential

#: Local response normalisation as the paper has it: k = 2, n = 5, α = 1e-4 (not divided by n), β = 0.75.
NORMALISATION: dict[str, Any] = {"depth_radius": 2, "bias": 2.0, "alpha": 1e-4, "beta": 0.75}


def alexnet(
    input_shape: Sequence[int] = (227, 227, 3),
    classes: int = 1000,
    towers: int = 2,
    dropout: float = 0.5,
    classifier_activation: str | None = "softmax",
) -> Sequential:
    """AlexNet, as it was trained on two cards, or in one piece.

    Args:
        input_shape: (height, width, channels). The paper says 224, but its sizes come out with 227.
        classes: how many are told apart.
        towers: 2 as in the paper; 1 lets every filter see all feature maps.
        dropout: the share of values dropped before each of the two hidden dense layers, in training.
        classifier_activation: None leaves the scores as they are.

    >>> alexnet().count_params(), alexnet(towers=1).count_params()
    (60965224, 62378344)
    """
    together: dict[str, Any] = {"activation": "relu"}
    split: dict[str, Any] = {"activation": "relu", "groups": towers, "bias_initializer": "ones"}
    dense: dict[str, Any] = {"activation": "relu", "bias_initializer": "ones"}
    return Sequential(
        [
            Input(input_shape),
            Conv2D(96, 11, strides=4, **together, name="conv1"),
            LocalResponseNormalization(**NORMALISATION, name="norm1"),
            MaxPooling2D(3, strides=2, name="pool1"),
            Conv2D(256, 5, padding="same", **split, name="conv2"),
            LocalResponseNormalization(**NORMALISATION, name="norm2"),
            MaxPooling2D(3, strides=2, name="pool2"),
            Conv2D(384, 3, padding="same", **together, name="conv3"),
            Conv2D(384, 3, padding="same", **split, name="conv4"),
            Conv2D(256, 3, padding="same", **split, name="conv5"),
            MaxPooling2D(3, strides=2, name="pool5"),
            Flatten(name="flatten"),
            Dropout(dropout, name="drop6"),
            Dense(4096, **dense, name="fc6"),
            Dropout(dropout, name="drop7"),
            Dense(4096, **dense, name="fc7"),
            Dense(classes, activation=classifier_activation, name="fc8"),
        ],
        name="alexnet" if towers == 2 else f"alexnet_{towers}_tower",
    )
