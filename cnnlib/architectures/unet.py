"""U-Net: a label for every pixel; the way up sees again what the way down saw. Chapter 13.

O. Ronneberger, P. Fischer and T. Brox, *U-Net: convolutional networks for biomedical image segmentation*,
MICCAI 2015 (arXiv:1505.04597), Figure 1.
"""

from __future__ import annotations

from collections.abc import Sequence

from cnnlib.errors import SizeError
from cnnlib.layers import Concatenate, Conv2D, Conv2DTranspose, Cropping2D, Dropout, MaxPooling2D, Node
from cnnlib.network import Input, Model
from cnnlib.sizes import Padding


def unet(
    input_shape: Sequence[int] = (572, 572, 1),
    classes: int = 2,
    padding: Padding = "valid",
    filters: int = 64,
    depth: int = 4,
    dropout: float = 0.5,
    classifier_activation: str | None = "softmax",
) -> Model:
    """U-Net, unpadded as in the paper, or with maps that keep their size.

    Args:
        input_shape: (height, width, channels); every level must have an even size before pooling.
        classes: how many are told apart at every pixel.
        padding: ``valid`` as in the paper, so that the labels are for the middle of the image (388×388 of
            572×572), or ``same``.
        filters: of the first level; each further one has twice as many.
        depth: how many times the image is halved.
        dropout: the share of values dropped at the end of the way down, in training.
        classifier_activation: None leaves the scores as they are.

    >>> unet().output_shape
    (None, 388, 388, 2)
    """
    image = x = Input(input_shape)
    skipped = []
    for level in range(depth):
        x = _double(x, filters * 2**level, padding, f"down{level + 1}")
        skipped.append(x)
        x = MaxPooling2D(2, name=f"down{level + 1}_pool")(_even(x, level))
    x = _double(x, filters * 2**depth, padding, "bottom")
    x = Dropout(dropout, name="dropout")(x)
    for level in range(depth - 1, -1, -1):
        name, width = f"up{level + 1}", filters * 2**level
        x = Conv2DTranspose(width, 2, strides=2, name=f"{name}_conv_transpose")(x)
        x = Concatenate(name=f"{name}_concat")([_crop(skipped[level], x, f"{name}_crop"), x])
        x = _double(x, width, padding, name)
    x = Conv2D(classes, 1, activation=classifier_activation, name="predictions")(x)
    return Model(image, x, name="unet")


def _double(x: Node, filters: int, padding: Padding, name: str) -> Node:
    for number in (1, 2):
        conv = Conv2D(
            filters,
            3,
            padding=padding,
            activation="relu",
            kernel_initializer="he_normal",
            name=f"{name}_conv{number}",
        )
        x = conv(x)
    return x


def _even(x: Node, level: int) -> Node:
    if any(size is not None and size % 2 for size in x.shape[1:3]):
        raise SizeError(
            f"level {level + 1} has maps of {x.shape[1]}×{x.shape[2]}, which cannot be halved and doubled "
            "again; choose an input size that stays even"
        )
    return x


def _crop(x: Node, like: Node, name: str) -> Node:
    """The middle of ``x``, as large as ``like``."""
    margins = [n - m for n, m in zip(x.shape[1:3], like.shape[1:3], strict=True)]  # type: ignore[operator]
    if not any(margins):
        return x
    return Cropping2D([(margin // 2, margin - margin // 2) for margin in margins], name=name)(x)
