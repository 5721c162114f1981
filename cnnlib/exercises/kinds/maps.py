"""Numbers that come out of a convolution: of a signal, of a picture, of several channels and filters."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.convolution import conv, convolve, correlate
from cnnlib.exercises.answers import Array
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.misconceptions import add
from cnnlib.exercises.tasks import add_kind


def _correlate(signal: ArrayLike, kernel: ArrayLike, stride: int = 1) -> NDArray:
    return correlate(signal, kernel, stride)


def _conv2d(inputs: NDArray, kernels: NDArray, stride: int = 1) -> NDArray:
    return conv(inputs[None], kernels, stride)[0]


def _roll_signal(dice: Dice) -> dict[str, Any]:
    return {
        "signal": tuple(dice.roll(-3, 5) for _ in range(7)),
        "kernel": tuple(dice.roll(-3, 3) for _ in range(2)),
        "stride": dice.roll(1, 2),
    }


def _roll_conv2d(dice: Dice, channels: int | None = None, filters: int | None = None) -> dict[str, Any]:
    rows, columns = dice.roll(1, 3), dice.roll(1, 4)
    height, width = rows + dice.roll(1, 5), columns + dice.roll(2, 6)
    channels, filters = channels or dice.roll(2, 3), filters or dice.roll(2, 4)
    return {
        "inputs": dice.halves((height, width, channels)),
        "kernels": dice.halves((rows, columns, channels, filters)),
        "stride": dice.roll(1, 3),
    }


add_kind(
    "correlation",
    _correlate,
    Array(),
    "which inputs lie under the kernel at the first place, and which at the next?",
    "one-dimension",
    _roll_signal,
)
add_kind(
    "conv2d",
    _conv2d,
    Array(3),
    "which numbers are multiplied and added for the very first output value?",
    "filters-and-kernels",
    _roll_conv2d,
)

# --- Numbers that come out ----------------------------------------------------------------------------


def _symmetric(kernel: Any) -> bool:
    return bool(np.array_equal(np.flip(kernel), kernel))


add(
    "correlation",
    "flipped-the-kernel",
    lambda signal, kernel, stride: (
        None if _symmetric(kernel) else convolve(signal, kernel, stride, padding="valid")
    ),
    "this is the convolution with the flip. A convolution layer lays the kernel down as it is "
    "(cross-correlation).",
    "one-dimension",
)
add(
    "correlation",
    "forgot-the-stride",
    lambda signal, kernel, stride: correlate(signal, kernel) if stride > 1 else None,
    "this is stride 1: the window must move {stride} places at a time.",
    "one-dimension",
)
add(
    "correlation",
    "went-over-the-edge",
    lambda signal, kernel, stride: correlate(signal, kernel, stride, padding="full"),
    "this lets the kernel hang over the edge. Without padding it must lie wholly inside.",
    "padding-and-stride",
)
add(
    "correlation",
    "same-for-valid",
    lambda signal, kernel, stride: correlate(signal, kernel, stride, padding="same"),
    "this is as with “same” padding. Without padding the kernel must lie wholly inside the input.",
    "padding-and-stride",
)
add(
    "correlation",
    "wrote-it-backwards",
    lambda signal, kernel, stride: np.flip(correlate(signal, kernel, stride)),
    "the numbers are there but in reverse order. Start at the first place.",
    "one-dimension",
)
add(
    "conv2d",
    "flipped-the-kernel",
    lambda inputs, kernels, stride: conv(inputs[None], kernels[::-1, ::-1], stride)[0],
    "This is the convolution with the flip. A convolution layer lays the kernel down as it is "
    "(cross-correlation).",
    "one-dimension",
)
add(
    "conv2d",
    "forgot-the-stride",
    lambda inputs, kernels, stride: conv(inputs[None], kernels)[0] if stride > 1 else None,
    "This is the result for stride 1. The window for output row y starts at input row y · stride.",
    "padding-and-stride",
)
add(
    "conv2d",
    "first-channel-only",
    lambda inputs, kernels, stride: (
        conv(inputs[None, ..., :1], kernels[:, :, :1], stride)[0] if inputs.shape[-1] > 1 else None
    ),
    "Only the first channel was used. A filter is as deep as its input: sum over all channels.",
    "filters-and-kernels",
)
add(
    "conv2d",
    "first-filter-only",
    lambda inputs, kernels, stride: (
        np.repeat(conv(inputs[None], kernels[..., :1], stride)[0], kernels.shape[-1], axis=-1)
        if kernels.shape[-1] > 1
        else None
    ),
    "Every feature map is that of the first filter. Use kernels[..., f] for feature map f.",
    "filters-and-kernels",
)
add(
    "conv2d",
    "rows-and-columns-exchanged",
    lambda inputs, kernels, stride: conv(inputs[None], kernels, stride)[0].swapaxes(0, 1),
    "Rows and columns are exchanged: height comes first, as arrays store it, then width.",
    "filters-and-kernels",
)
add(
    "conv2d",
    "averaged-over-channels",
    lambda inputs, kernels, stride: (
        conv(inputs[None], kernels, stride)[0] / inputs.shape[-1] if inputs.shape[-1] > 1 else None
    ),
    "The channels were averaged. Their products are added up, not averaged.",
    "filters-and-kernels",
)
add(
    "conv2d",
    "wrote-it-backwards",
    lambda inputs, kernels, stride: conv(inputs[None], kernels, stride)[0][::-1, ::-1],
    "The picture is upside down and mirrored: output (0, 0) belongs to the window at the top left.",
    "one-dimension",
)
