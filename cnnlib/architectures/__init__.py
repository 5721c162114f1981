"""Whole networks of the literature, each as short as its paper's table. Chapters 12 and 13.

Every function lays out a network and returns it; its weights are drawn at the first use, so that counting
costs nothing even where there are 138 million of them.

>>> from cnnlib.architectures import vgg16
>>> vgg16().count_params()
138357544
"""

from __future__ import annotations

from cnnlib.architectures.alexnet import alexnet
from cnnlib.architectures.efficientnet import efficientnet_lite0
from cnnlib.architectures.googlenet import googlenet
from cnnlib.architectures.lenet import lenet5, lenet5_modern
from cnnlib.architectures.mobilenet import mobilenet
from cnnlib.architectures.nin import nin
from cnnlib.architectures.resnet import resnet18, resnet34, resnet50
from cnnlib.architectures.segnet import segnet
from cnnlib.architectures.shufflenet import shufflenet
from cnnlib.architectures.unet import unet
from cnnlib.architectures.vgg import vgg11, vgg13, vgg16, vgg19
from cnnlib.architectures.zfnet import zfnet

__all__ = [
    "alexnet",
    "efficientnet_lite0",
    "googlenet",
    "lenet5",
    "lenet5_modern",
    "mobilenet",
    "nin",
    "resnet18",
    "resnet34",
    "resnet50",
    "segnet",
    "shufflenet",
    "unet",
    "vgg11",
    "vgg13",
    "vgg16",
    "vgg19",
    "zfnet",
]
