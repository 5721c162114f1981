"""VGG: 3×3 convolutions and 2×2 pooling, and nothing else, up to 19 layers deep. Chapter 12.

K. Simonyan and A. Zisserman, *Very deep convolutional networks for large-scale image recognition*, ICLR 2015
(arXiv:1409.1556). The four functions are its configurations A, B, D and E. Names are those of
``keras.applications``; dropout is the paper's, which Keras leaves out.
"""

from __future__ import annotations

from collections.abc import Sequence

from cnnlib.layers import Conv2D, Dense, Dropout, Flatten, Layer, MaxPooling2D, Node
from cnnlib.network import Input, Sequential

#: The filters of the five blocks; pooling halves the image after each of them.
FILTERS = (64, 128, 256, 512, 512)


def vgg11(
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    dropout: float = 0.5,
    classifier_activation: str | None = "softmax",
) -> Sequential:
    """VGG with 11 layers of weights, configuration A of the paper.

    >>> vgg11().count_params()
    132863336
    """
    return _vgg("vgg11", (1, 1, 2, 2, 2), input_shape, classes, dropout, classifier_activation)


def vgg13(
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    dropout: float = 0.5,
    classifier_activation: str | None = "softmax",
) -> Sequential:
    """VGG with 13 layers of weights, configuration B of the paper.

    >>> vgg13().count_params()
    133047848
    """
    return _vgg("vgg13", (2, 2, 2, 2, 2), input_shape, classes, dropout, classifier_activation)


def vgg16(
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    dropout: float = 0.5,
    classifier_activation: str | None = "softmax",
) -> Sequential:
    """VGG with 16 layers of weights, configuration D of the paper, as ``keras.applications.VGG16``.

    Args:
        input_shape: (height, width, channels); five halvings must leave something.
        classes: how many are told apart.
        dropout: the share of values dropped behind each of the two hidden dense layers, in training.
        classifier_activation: None leaves the scores as they are.

    >>> vgg16().count_params()
    138357544
    """
    return _vgg("vgg16", (2, 2, 3, 3, 3), input_shape, classes, dropout, classifier_activation)


def vgg19(
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    dropout: float = 0.5,
    classifier_activation: str | None = "softmax",
) -> Sequential:
    """VGG with 19 layers of weights, configuration E of the paper, as ``keras.applications.VGG19``.

    >>> vgg19().count_params()
    143667240
    """
    return _vgg("vgg19", (2, 2, 4, 4, 4), input_shape, classes, dropout, classifier_activation)


def _vgg(
    network_name: str,
    depths: Sequence[int],
    input_shape: Sequence[int],
    classes: int,
    dropout: float,
    classifier_activation: str | None,
) -> Sequential:
    """Five blocks of ``depths`` convolutions, then three dense layers."""
    network: list[Layer | Node] = [Input(input_shape)]
    for block, (depth, filters) in enumerate(zip(depths, FILTERS, strict=True), start=1):
        for number in range(1, depth + 1):
            name = f"block{block}_conv{number}"
            network.append(Conv2D(filters, 3, padding="same", activation="relu", name=name))
        network.append(MaxPooling2D(2, name=f"block{block}_pool"))
    network += [
        Flatten(name="flatten"),
        Dense(4096, activation="relu", name="fc1"),
        Dropout(dropout, name="drop1"),
        Dense(4096, activation="relu", name="fc2"),
        Dropout(dropout, name="drop2"),
        Dense(classes, activation=classifier_activation, name="predictions"),
    ]
    return Sequential(network, name=network_name)
