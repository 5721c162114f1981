"""Seeing what a network sees: features, gradients by the image, favourite patches, style. Chapter 14.

Every function takes a network of :mod:`cnnlib.network` with one input and one output, trained or not, and
images prepared as that network wants them; layers are named, as in its summary.

>>> import numpy as np
>>> from cnnlib.layers import Conv2D, Dense, GlobalAveragePooling2D
>>> from cnnlib.network import Input, Sequential
>>> layers = [Conv2D(8, 3, activation="relu", seed=0), GlobalAveragePooling2D(), Dense(3, seed=1)]
>>> network = Sequential([Input((16, 16, 3)), *layers])
>>> images = np.random.default_rng(0).random((2, 16, 16, 3))
>>> saliency(network, images).shape, grad_cam(network, images).shape, features(network, images).shape
((2, 16, 16), (2, 14, 14), (2, 8))
"""

from cnnlib.seeing.ascent import Ascent, activation_maximisation
from cnnlib.seeing.gradients import (
    deconvnet,
    effective_receptive_field,
    effective_size,
    grad_cam,
    guided_backprop,
    input_gradient,
    saliency,
)
from cnnlib.seeing.maps import Patch, dead_channels, features, firing_rates, maximal_patches
from cnnlib.seeing.parts import scores
from cnnlib.seeing.style import (
    Styled,
    gram_matrix,
    gram_matrix_backward,
    mean_gram,
    style_loss,
    style_loss_backward,
    style_transfer,
)

__all__ = [
    "Ascent",
    "Patch",
    "Styled",
    "activation_maximisation",
    "dead_channels",
    "deconvnet",
    "effective_receptive_field",
    "effective_size",
    "features",
    "firing_rates",
    "grad_cam",
    "gram_matrix",
    "gram_matrix_backward",
    "guided_backprop",
    "input_gradient",
    "maximal_patches",
    "mean_gram",
    "saliency",
    "scores",
    "style_loss",
    "style_loss_backward",
    "style_transfer",
]
