"""GoogLeNet: filters of several sizes side by side, made cheap by 1×1 convolutions before them. Chapter 13.

C. Szegedy et al., *Going deeper with convolutions*, CVPR 2015 (arXiv:1409.4842), Table 1. It won ILSVRC 2014
with a twelfth of AlexNet's parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from cnnlib.layers import (
    AveragePooling2D,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    LocalResponseNormalization,
    MaxPooling2D,
    Node,
)
from cnnlib.network import Input, Model


class Inception(NamedTuple):
    """The filters of a module's four branches; ``reduce`` are the 1×1 convolutions before the larger ones."""

    ones: int
    reduce_threes: int
    threes: int
    reduce_fives: int
    fives: int
    pooled: int


#: Table 1 of the paper; None stands for a pooling that halves the image.
MODULES: dict[str, Inception | None] = {
    "3a": Inception(64, 96, 128, 16, 32, 32),
    "3b": Inception(128, 128, 192, 32, 96, 64),
    "pool3": None,
    "4a": Inception(192, 96, 208, 16, 48, 64),
    "4b": Inception(160, 112, 224, 24, 64, 64),
    "4c": Inception(128, 128, 256, 24, 64, 64),
    "4d": Inception(112, 144, 288, 32, 64, 64),
    "4e": Inception(256, 160, 320, 32, 128, 128),
    "pool4": None,
    "5a": Inception(256, 160, 320, 32, 128, 128),
    "5b": Inception(384, 192, 384, 48, 128, 128),
}
#: The modules behind which the paper trains a classifier too, so that gradients reach the early layers.
AUXILIARY = ("4a", "4d")
#: The paper does not say; these are the values of Caffe's published network, which divides α by n = 5.
NORMALISATION: dict[str, Any] = {
    "depth_radius": 2,
    "bias": 1.0,
    "alpha": 1e-4,
    "beta": 0.75,
    "alpha_over_n": True,
}


def googlenet(
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    auxiliary: bool = False,
    dropout: float = 0.4,
    classifier_activation: str | None = "softmax",
) -> Model:
    """GoogLeNet (Inception v1), without batch normalisation, as in the paper.

    Args:
        input_shape: (height, width, channels).
        classes: how many are told apart.
        auxiliary: with the two classifiers that the paper adds for training, so that the outputs are
            [main, behind 4a, behind 4d]; their losses count 0.3 each.
        dropout: the share of values dropped before the last layer, in training (0.7 in the two others).
        classifier_activation: None leaves the scores as they are.

    >>> googlenet().count_params(), googlenet(auxiliary=True).count_params()
    (6998552, 13378280)
    """
    image = Input(input_shape)
    x = _conv(image, 64, 7, "conv1", strides=2)
    x = MaxPooling2D(3, strides=2, padding="same", name="pool1")(x)
    x = LocalResponseNormalization(**NORMALISATION, name="norm1")(x)
    x = _conv(x, 64, 1, "conv2_reduce")
    x = _conv(x, 192, 3, "conv2")
    x = LocalResponseNormalization(**NORMALISATION, name="norm2")(x)
    x = MaxPooling2D(3, strides=2, padding="same", name="pool2")(x)
    outputs = []
    for name, module in MODULES.items():
        if module is None:
            x = MaxPooling2D(3, strides=2, padding="same", name=name)(x)
        else:
            x = inception(x, module, f"inception_{name}")
        if auxiliary and name in AUXILIARY:
            outputs.append(_auxiliary(x, classes, classifier_activation, f"auxiliary_{name}"))
    x = GlobalAveragePooling2D(name="avg_pool")(x)
    x = Dropout(dropout, name="dropout")(x)
    main = Dense(classes, activation=classifier_activation, name="predictions")(x)
    return Model(image, [main, *outputs] if auxiliary else main, name="googlenet")


def inception(x: Node, module: Inception, name: str) -> Node:
    """One module: 1×1, 3×3 and 5×5 filters and a pooling on the same inputs, their maps stacked.

    >>> inception(Input((28, 28, 192)), MODULES["3a"], "inception_3a").shape
    (None, 28, 28, 256)
    """
    ones = _conv(x, module.ones, 1, f"{name}_1x1")
    threes = _conv(x, module.reduce_threes, 1, f"{name}_3x3_reduce")
    threes = _conv(threes, module.threes, 3, f"{name}_3x3")
    fives = _conv(x, module.reduce_fives, 1, f"{name}_5x5_reduce")
    fives = _conv(fives, module.fives, 5, f"{name}_5x5")
    pooled = MaxPooling2D(3, strides=1, padding="same", name=f"{name}_pool")(x)
    pooled = _conv(pooled, module.pooled, 1, f"{name}_pool_proj")
    return Concatenate(name=f"{name}_output")([ones, threes, fives, pooled])


def _conv(x: Node, filters: int, kernel_size: int, name: str, strides: int = 1) -> Node:
    return Conv2D(filters, kernel_size, strides, "same", activation="relu", name=name)(x)


def _auxiliary(x: Node, classes: int, activation: str | None, name: str) -> Node:
    """A small classifier on the feature maps of a module in the middle."""
    x = AveragePooling2D(5, strides=3, name=f"{name}_pool")(x)
    x = _conv(x, 128, 1, f"{name}_conv")
    x = Flatten(name=f"{name}_flatten")(x)
    x = Dense(1024, activation="relu", name=f"{name}_fc")(x)
    x = Dropout(0.7, name=f"{name}_dropout")(x)
    return Dense(classes, activation=activation, name=f"{name}_predictions")(x)
