"""Network in network: 1×1 convolutions between the others, and no dense layer at the end. Chapter 13.

M. Lin, Q. Chen and S. Yan, *Network in network*, ICLR 2014 (arXiv:1312.4400), as its authors trained it on
CIFAR-10. A 1×1 convolution is a small dense layer applied at every place; the last one makes one feature map
a class, and the mean of that map is the score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnlib.layers import Activation, AveragePooling2D, Conv2D, Dropout, GlobalAveragePooling2D, MaxPooling2D
from cnnlib.network import Input, Sequential


def nin(
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    dropout: float = 0.5,
    classifier_activation: str | None = "softmax",
) -> Sequential:
    """Network in network, for pictures of 32×32 pixels.

    Args:
        input_shape: (height, width, channels).
        classes: how many are told apart.
        dropout: the share of values dropped behind each pooling, in training.
        classifier_activation: None leaves the scores as they are.

    >>> nin().count_params()
    966986
    """
    return Sequential(
        [
            Input(input_shape),
            *_mlpconv(1, 5, (192, 160, 96)),
            MaxPooling2D(3, strides=2, padding="same", name="pool1"),
            Dropout(dropout, name="drop1"),
            *_mlpconv(2, 5, (192, 192, 192)),
            AveragePooling2D(3, strides=2, padding="same", name="pool2"),
            Dropout(dropout, name="drop2"),
            *_mlpconv(3, 3, (192, 192, classes)),
            GlobalAveragePooling2D(name="scores"),
            Activation(classifier_activation or "linear", name="predictions"),
        ],
        name="nin",
    )


def _mlpconv(number: int, kernel_size: int, filters: Sequence[int]) -> list[Any]:
    """A convolution and two 1×1 convolutions: a small network that slides over the image as one."""
    windows = (kernel_size, 1, 1)
    return [
        Conv2D(f, k, padding="same", activation="relu", name=f"mlpconv{number}_{step}")
        for step, (f, k) in enumerate(zip(filters, windows, strict=True), start=1)
    ]
