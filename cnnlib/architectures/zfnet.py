"""ZFNet: AlexNet after its authors had looked inside. Chapter 12.

M. D. Zeiler and R. Fergus, *Visualizing and understanding convolutional networks*, ECCV 2014
(arXiv:1311.2901, Figure 3). AlexNet's first filters, 11×11 at stride 4, had dead and aliased maps;
7×7 at stride 2 has not.
"""

from __future__ import annotations

from collections.abc import Sequence

from cnnlib.architectures.alexnet import NORMALISATION
from cnnlib.layers import Conv2D, Dense, Dropout, Flatten, LocalResponseNormalization, MaxPooling2D
from cnnlib.network import Input, Sequential


def zfnet(
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    filters: Sequence[int] = (384, 384, 256),
    dropout: float = 0.5,
    classifier_activation: str | None = "softmax",
) -> Sequential:
    """ZFNet, in one tower.

    Args:
        input_shape: (height, width, channels).
        classes: how many are told apart.
        filters: of conv3, conv4 and conv5. Those of AlexNet are the paper's Figure 3; (512, 1024, 512) is
            the wider network that did best.
        dropout: the share of values dropped before each of the last two dense layers, in training.
        classifier_activation: None leaves the scores as they are.

    >>> zfnet().count_params()
    62357608
    """
    third, fourth, fifth = filters
    return Sequential(
        [
            Input(input_shape),
            Conv2D(96, 7, strides=2, padding=1, activation="relu", name="conv1"),
            MaxPooling2D(3, strides=2, padding="same", name="pool1"),
            LocalResponseNormalization(**NORMALISATION, name="norm1"),
            Conv2D(256, 5, strides=2, activation="relu", name="conv2"),
            MaxPooling2D(3, strides=2, padding="same", name="pool2"),
            LocalResponseNormalization(**NORMALISATION, name="norm2"),
            Conv2D(third, 3, padding="same", activation="relu", name="conv3"),
            Conv2D(fourth, 3, padding="same", activation="relu", name="conv4"),
            Conv2D(fifth, 3, padding="same", activation="relu", name="conv5"),
            MaxPooling2D(3, strides=2, name="pool5"),
            Flatten(name="flatten"),
            Dense(4096, activation="relu", name="fc6"),
            Dropout(dropout, name="drop6"),
            Dense(4096, activation="relu", name="fc7"),
            Dropout(dropout, name="drop7"),
            Dense(classes, activation=classifier_activation, name="fc8"),
        ],
        name="zfnet",
    )
