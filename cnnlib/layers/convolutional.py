"""Convolution layers and their variants: the operators of chapters 5, 9 and 10 with weights of their own.

Arguments and defaults are Keras'. ``padding`` may also be ``full``, ``causal``, a number, or one entry an
axis, and ``pad_mode`` says what is put around the edge; strides, dilation and groups go together as
they like. Arguments after ``padding`` are given by name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from cnnlib import sizes
from cnnlib.convolution import ConvGradients, conv, conv_backward
from cnnlib.errors import ShapeError
from cnnlib.layers.base import Floats, Weight, WeightedSum, one_image, open_sizes
from cnnlib.layers.nodes import Shape
from cnnlib.padding import pad
from cnnlib.receptive_field import Window
from cnnlib.sizes import Padding, PerAxis, as_int, padding_amounts, per_axis, split_padding
from cnnlib.upsampling import ConvTransposeGradients, conv_transpose, conv_transpose_backward
from cnnlib.variants import (
    LocallyConnectedGradients,
    SeparableGradients,
    depthwise_conv,
    depthwise_conv_backward,
    locally_connected,
    locally_connected_backward,
    separable_conv,
    separable_conv_backward,
)


class Windowed(WeightedSum):
    """Base class of layers whose weights look through a window that slides."""

    rank: ClassVar[int]
    #: The arguments that the operator takes too, beside inputs and weights.
    OPTIONS: ClassVar[tuple[str, ...]]

    kernel_size: PerAxis
    strides: PerAxis
    padding: Padding
    dilation_rate: PerAxis

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("kernel_size", "strides", "dilation_rate"):
            setattr(self, name, per_axis(getattr(self, name), self.rank, name))
        if isinstance(self.padding, str):
            self.padding = self.padding.lower()
        entries = split_padding(self.padding, self.rank)
        for size, entry in zip(_tuple(self.kernel_size), entries, strict=True):
            padding_amounts(1, size, padding=entry)  # raises where it is unknown
        if (mode := getattr(self, "pad_mode", None)) is not None:
            pad(np.zeros((1,) * (self.rank + 2)), [(1, 1)] * self.rank, mode, getattr(self, "pad_value", 0))

    @property
    def options(self) -> dict[str, Any]:
        """What the operator is told beside inputs and weights."""
        return {name: getattr(self, name) for name in self.OPTIONS}

    @property
    def sliding(self) -> tuple[PerAxis, Padding, PerAxis]:
        """Strides, padding and dilation, in the order of :mod:`cnnlib.sizes`."""
        return (self.strides, self.padding, self.dilation_rate)

    def slide(self, input_shape: Shape, filters: int | None) -> Shape:
        """The shape that the window makes of ``input_shape``, by :func:`cnnlib.sizes.output_shape`."""
        return open_sizes(
            lambda shape: sizes.output_shape(shape, self.kernel_size, filters, *self.sliding),
            input_shape,
            self.rank,
        )

    def window(self) -> Window:
        """Kernel size, strides, padding and dilation."""
        return Window(self.kernel_size, *self.sliding)


@dataclass(eq=False, repr=False)
class Sliding(Windowed):
    """Base class with the arguments that all these layers have, besides those in Keras' order."""

    _: KW_ONLY
    dilation_rate: PerAxis = 1
    activation: str | None = None
    use_bias: bool = True
    bias_initializer: str = "zeros"
    seed: int | None = None


@dataclass(eq=False, repr=False)
class Conv(Sliding):
    """Convolution: every filter slides over the inputs and makes one feature map.

    Args:
        filters: how many, which is the number of output channels.
        kernel_size: the window, one number or one an axis.
        strides: how far the window moves.
        padding: ``valid``, ``same``, ``full``, ``causal``, a number, or one entry an axis.
        dilation_rate: the distance of neighbouring weights.
        groups: the channels are split into so many groups, and each filter sees one of them.
        activation: the name of what bends the feature maps into activation maps, or None.
        use_bias: whether each filter has a bias.
        kernel_initializer, bias_initializer: how the weights begin; see
            :mod:`cnnlib.layers.initializers`.
        pad_mode, pad_value: what is put around the edge; see :func:`cnnlib.padding.pad`.
        seed: of the random numbers.

    Input shape:
        (batch, *spatial, channels)

    Output shape:
        (batch, *output, filters)
    """

    LEARNED = ("kernel", "bias")
    OPTIONS = ("strides", "padding", "dilation_rate", "groups", "pad_mode", "pad_value")

    filters: int
    kernel_size: PerAxis
    strides: PerAxis = 1
    padding: Padding = "valid"
    _: KW_ONLY
    groups: int = 1
    kernel_initializer: str = "glorot_uniform"
    pad_mode: str = "constant"
    pad_value: float = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.filters, self.groups = as_int(self.filters, "filters"), as_int(self.groups, "groups")
        sizes.kernel_shape(_tuple(self.kernel_size), self.groups, self.filters, self.groups)  # raises unless
        # the filters can be split; whether the channels can, is known when the layer is built

    def weight_specs(self, input_shape: Shape) -> dict[str, Weight]:
        """The kernel (*kernel_size, channels / groups, filters), and one bias a filter."""
        self.compute_output_shape(input_shape)  # raises where the kernel does not fit
        shape = sizes.kernel_shape(
            _tuple(self.kernel_size), _channels(input_shape), self.filters, self.groups
        )
        return {"kernel": Weight(shape, self.kernel_initializer)} | self.bias_spec(self.filters)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(batch, *output, filters)."""
        return self.slide(input_shape, self.filters)

    def sums(self, inputs: Floats) -> Floats:
        """By :func:`cnnlib.convolution.conv`."""
        return conv(inputs, **self.weights, **self.options)

    def sums_backward(self, gradient: Floats, inputs: Floats, needs: Sequence[str]) -> ConvGradients:
        """By :func:`cnnlib.convolution.conv_backward`."""
        return conv_backward(gradient, inputs, self.weights["kernel"], **self.options, needs=needs)

    def macs(self, input_shape: Shape) -> int:
        """By :func:`cnnlib.sizes.conv_macs`."""
        shape = one_image(input_shape)
        return sizes.conv_macs(shape, self.kernel_size, self.filters, *self.sliding, self.groups)

    def connections(self, input_shape: Shape) -> int:
        """By :func:`cnnlib.sizes.conv_connections`."""
        window = (self.kernel_size, self.filters, *self.sliding, self.groups)
        return sizes.conv_connections(one_image(input_shape), *window, self.use_bias)


class Conv1D(Conv):
    """Convolution of rows (batch, width, channels); arguments as in :class:`Conv`.

    >>> Conv1D(32, 3, padding="causal").compute_output_shape((None, 100, 8))
    (None, 100, 32)
    """

    rank = 1


class Conv2D(Conv):
    """Convolution of images (batch, height, width, channels); arguments as in :class:`Conv`.

    >>> layer = Conv2D(10, 5, padding=2)
    >>> layer.build((None, 32, 32, 3))
    >>> layer.count_params(), layer.compute_output_shape((None, 32, 32, 3))
    (760, (None, 32, 32, 10))
    """

    rank = 2


class Conv3D(Conv):
    """Convolution of volumes (batch, depth, height, width, channels); arguments as in :class:`Conv`.

    >>> Conv3D(8, 3, strides=2).compute_output_shape((None, 16, 32, 32, 1))
    (None, 7, 15, 15, 8)
    """

    rank = 3


@dataclass(eq=False, repr=False)
class DepthwiseConv(Sliding):
    """Depthwise convolution: every channel is filtered by itself.

    Args:
        kernel_size, strides, padding, dilation_rate, activation, use_bias, bias_initializer, pad_mode,
            pad_value, seed: as in :class:`Conv`.
        depth_multiplier: how many kernels each channel has.
        depthwise_initializer: how they begin.

    Input shape:
        (batch, *spatial, channels)

    Output shape:
        (batch, *output, channels · depth_multiplier)
    """

    LEARNED = ("kernel", "bias")
    OPTIONS = ("strides", "padding", "dilation_rate", "pad_mode", "pad_value")

    kernel_size: PerAxis
    strides: PerAxis = 1
    padding: Padding = "valid"
    _: KW_ONLY
    depth_multiplier: int = 1
    depthwise_initializer: str = "glorot_uniform"
    pad_mode: str = "constant"
    pad_value: float = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.depth_multiplier = as_int(self.depth_multiplier, "depth_multiplier")

    def weight_specs(self, input_shape: Shape) -> dict[str, Weight]:
        """The kernel (*kernel_size, channels, depth_multiplier), and a bias for each output channel."""
        filters = self.compute_output_shape(input_shape)[-1]
        shape = (*_tuple(self.kernel_size), _channels(input_shape), self.depth_multiplier)
        return {"kernel": Weight(shape, self.depthwise_initializer)} | self.bias_spec(filters or 0)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(batch, *output, channels · depth_multiplier)."""
        return self.slide(input_shape, _channels(input_shape) * self.depth_multiplier)

    def sums(self, inputs: Floats) -> Floats:
        """By :func:`cnnlib.variants.depthwise_conv`."""
        return depthwise_conv(inputs, **self.weights, **self.options)

    def sums_backward(self, gradient: Floats, inputs: Floats, needs: Sequence[str]) -> ConvGradients:
        """By :func:`cnnlib.variants.depthwise_conv_backward`."""
        return depthwise_conv_backward(gradient, inputs, self.weights["kernel"], **self.options, needs=needs)

    def macs(self, input_shape: Shape) -> int:
        """By :func:`cnnlib.sizes.depthwise_macs`."""
        shape = one_image(input_shape)
        return sizes.depthwise_macs(shape, self.kernel_size, self.depth_multiplier, *self.sliding)

    def connections(self, input_shape: Shape) -> int:
        """By :func:`cnnlib.sizes.conv_connections`, with as many groups as channels."""
        shape, channels = one_image(input_shape), _channels(input_shape)
        window = (self.kernel_size, channels * self.depth_multiplier, *self.sliding, channels)
        return sizes.conv_connections(shape, *window, self.use_bias)


class DepthwiseConv1D(DepthwiseConv):
    """Depthwise convolution of rows; arguments as in :class:`DepthwiseConv`.

    >>> DepthwiseConv1D(3, depth_multiplier=2).compute_output_shape((None, 10, 8))
    (None, 8, 16)
    """

    rank = 1


class DepthwiseConv2D(DepthwiseConv):
    """Depthwise convolution of images; arguments as in :class:`DepthwiseConv`.

    >>> layer = DepthwiseConv2D(3, padding="same", use_bias=False)
    >>> layer.build((None, 112, 112, 32))
    >>> layer.weight_shapes
    {'kernel': (3, 3, 32, 1)}
    """

    rank = 2


@dataclass(eq=False, repr=False)
class SeparableConv(Sliding):
    """Depthwise separable convolution: a depthwise one, then a 1×1 convolution that mixes the channels.

    Args:
        filters, kernel_size, strides, padding, dilation_rate, activation, use_bias, bias_initializer,
            pad_mode, pad_value, seed: as in :class:`Conv`.
        depth_multiplier: how many kernels each channel has in the depthwise step.
        depthwise_initializer, pointwise_initializer: how the weights of the steps begin.

    Input shape:
        (batch, *spatial, channels)

    Output shape:
        (batch, *output, filters)
    """

    LEARNED = ("depthwise_kernel", "pointwise_kernel", "bias")
    OPTIONS = ("strides", "padding", "dilation_rate", "pad_mode", "pad_value")

    filters: int
    kernel_size: PerAxis
    strides: PerAxis = 1
    padding: Padding = "valid"
    _: KW_ONLY
    depth_multiplier: int = 1
    depthwise_initializer: str = "glorot_uniform"
    pointwise_initializer: str = "glorot_uniform"
    pad_mode: str = "constant"
    pad_value: float = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.filters = as_int(self.filters, "filters")
        self.depth_multiplier = as_int(self.depth_multiplier, "depth_multiplier")

    def weight_specs(self, input_shape: Shape) -> dict[str, Weight]:
        """The kernels of both steps, and one bias a filter."""
        self.compute_output_shape(input_shape)  # raises where the kernel does not fit
        channels, ones = _channels(input_shape), (1,) * self.rank
        depthwise = (*_tuple(self.kernel_size), channels, self.depth_multiplier)
        pointwise = (*ones, channels * self.depth_multiplier, self.filters)
        return {
            "depthwise_kernel": Weight(depthwise, self.depthwise_initializer),
            "pointwise_kernel": Weight(pointwise, self.pointwise_initializer),
        } | self.bias_spec(self.filters)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(batch, *output, filters)."""
        return self.slide(input_shape, self.filters)

    def sums(self, inputs: Floats) -> Floats:
        """By :func:`cnnlib.variants.separable_conv`."""
        return separable_conv(inputs, **self.weights, **self.options)

    def sums_backward(self, gradient: Floats, inputs: Floats, needs: Sequence[str]) -> SeparableGradients:
        """By :func:`cnnlib.variants.separable_conv_backward`."""
        kernels = self.weights["depthwise_kernel"], self.weights["pointwise_kernel"]
        return separable_conv_backward(gradient, inputs, *kernels, **self.options, needs=needs)

    def macs(self, input_shape: Shape) -> int:
        """By :func:`cnnlib.sizes.separable_macs`."""
        window = (self.kernel_size, self.filters, self.depth_multiplier, *self.sliding)
        return sizes.separable_macs(one_image(input_shape), *window)

    def connections(self, input_shape: Shape) -> int:
        """The products of both steps, and a bias for each output."""
        outputs = math.prod(one_image(self.compute_output_shape(input_shape)))
        return self.macs(input_shape) + (outputs if self.use_bias else 0)


class SeparableConv1D(SeparableConv):
    """Depthwise separable convolution of rows; arguments as in :class:`SeparableConv`.

    >>> SeparableConv1D(4, 3).compute_output_shape((None, 10, 8))
    (None, 8, 4)
    """

    rank = 1


class SeparableConv2D(SeparableConv):
    """Depthwise separable convolution of images; arguments as in :class:`SeparableConv`.

    >>> layer = SeparableConv2D(128, 3, use_bias=False)
    >>> layer.build((None, 112, 112, 64))
    >>> layer.count_params()
    8768
    """

    rank = 2


@dataclass(eq=False, repr=False)
class ConvTranspose(Sliding):
    """Transposed convolution: every input is spread over a window of outputs.

    Args:
        filters, kernel_size, strides, padding, dilation_rate, activation, use_bias, kernel_initializer,
            bias_initializer, seed: as in :class:`Conv`, of the convolution that leads back.
        output_padding: which of the sizes that lead back to the same one; see
            :func:`cnnlib.sizes.transposed_crop`.

    Input shape:
        (batch, *spatial, channels)

    Output shape:
        (batch, *output, filters)
    """

    LEARNED = ("kernel", "bias")
    OPTIONS = ("strides", "padding", "output_padding", "dilation_rate")

    filters: int
    kernel_size: PerAxis
    strides: PerAxis = 1
    padding: Padding = "valid"
    _: KW_ONLY
    output_padding: PerAxis | None = None
    kernel_initializer: str = "glorot_uniform"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.filters = as_int(self.filters, "filters")
        if self.output_padding is not None:
            self.output_padding = per_axis(self.output_padding, self.rank, "output_padding", minimum=0)

    def weight_specs(self, input_shape: Shape) -> dict[str, Weight]:
        """The kernel (*kernel_size, filters, channels), and one bias a filter."""
        self.compute_output_shape(input_shape)  # raises where nothing would be left
        shape = (*_tuple(self.kernel_size), self.filters, _channels(input_shape))
        return {"kernel": Weight(shape, self.kernel_initializer)} | self.bias_spec(self.filters)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(batch, *output, filters), by :func:`cnnlib.sizes.transposed_shape`."""
        window = (self.strides, self.padding, self.output_padding, self.dilation_rate)
        return open_sizes(
            lambda shape: sizes.transposed_shape(shape, self.kernel_size, self.filters, *window),
            input_shape,
            self.rank,
        )

    def sums(self, inputs: Floats) -> Floats:
        """By :func:`cnnlib.upsampling.conv_transpose`."""
        return conv_transpose(inputs, **self.weights, **self.options)

    def sums_backward(self, gradient: Floats, inputs: Floats, needs: Sequence[str]) -> ConvTransposeGradients:
        """By :func:`cnnlib.upsampling.conv_transpose_backward`."""
        return conv_transpose_backward(gradient, inputs, self.weights["kernel"], **self.options, needs=needs)

    def macs(self, input_shape: Shape) -> int:
        """By :func:`cnnlib.sizes.transposed_macs`."""
        return sizes.transposed_macs(one_image(input_shape), self.kernel_size, self.filters)

    def connections(self, input_shape: Shape) -> int:
        """The products, and a bias for each output."""
        outputs = math.prod(one_image(self.compute_output_shape(input_shape)))
        return self.macs(input_shape) + (outputs if self.use_bias else 0)

    def window(self) -> Window:
        """The window turned round."""
        return Window(self.kernel_size, *self.sliding, transposed=True, output_padding=self.output_padding)


class Conv1DTranspose(ConvTranspose):
    """Transposed convolution of rows; arguments as in :class:`ConvTranspose`.

    >>> Conv1DTranspose(4, 3, strides=2).compute_output_shape((None, 10, 8))
    (None, 21, 4)
    """

    rank = 1


class Conv2DTranspose(ConvTranspose):
    """Transposed convolution of images; arguments as in :class:`ConvTranspose`.

    >>> Conv2DTranspose(64, 5, strides=2, padding="same").compute_output_shape((None, 7, 7, 128))
    (None, 14, 14, 64)
    """

    rank = 2


class Conv3DTranspose(ConvTranspose):
    """Transposed convolution of volumes; arguments as in :class:`ConvTranspose`.

    >>> Conv3DTranspose(2, 2, strides=2).compute_output_shape((None, 4, 8, 8, 16))
    (None, 8, 16, 16, 2)
    """

    rank = 3


@dataclass(eq=False, repr=False)
class LocallyConnected(Sliding):
    """Look through windows as a convolution does, but with other weights at every place.

    Keras had such layers up to version 2.

    Args:
        filters, kernel_size, strides, padding, dilation_rate, activation, use_bias, kernel_initializer,
            bias_initializer, seed: as in :class:`Conv`.

    Input shape:
        (batch, *spatial, channels), all sizes known but the batch

    Output shape:
        (batch, *output, filters)
    """

    LEARNED = ("kernel", "bias")
    OPTIONS = ("strides", "padding", "dilation_rate")

    filters: int
    kernel_size: PerAxis
    strides: PerAxis = 1
    padding: Padding = "valid"
    _: KW_ONLY
    kernel_initializer: str = "glorot_uniform"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.filters = as_int(self.filters, "filters")

    def weight_specs(self, input_shape: Shape) -> dict[str, Weight]:
        """The kernel (*output, *kernel_size, channels, filters), and a bias for each output."""
        shape = one_image(input_shape)
        places = sizes.locally_connected_shape(shape, self.kernel_size, self.filters, *self.sliding)
        biases = self.bias_spec(*one_image(self.compute_output_shape(input_shape))[1:])
        return {"kernel": Weight(places, self.kernel_initializer)} | biases

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(batch, *output, filters)."""
        return self.slide(input_shape, self.filters)

    def sums(self, inputs: Floats) -> Floats:
        """By :func:`cnnlib.variants.locally_connected`."""
        return locally_connected(inputs, **self.weights, **self.options)

    def sums_backward(
        self, gradient: Floats, inputs: Floats, needs: Sequence[str]
    ) -> LocallyConnectedGradients:
        """By :func:`cnnlib.variants.locally_connected_backward`."""
        return locally_connected_backward(
            gradient, inputs, self.weights["kernel"], **self.options, needs=needs
        )

    def macs(self, input_shape: Shape) -> int:
        """Those of a convolution, by :func:`cnnlib.sizes.conv_macs`."""
        return sizes.conv_macs(one_image(input_shape), self.kernel_size, self.filters, *self.sliding)

    def connections(self, input_shape: Shape) -> int:
        """Each weight is used once: as many as parameters."""
        shape = one_image(input_shape)
        return sizes.conv_connections(
            shape, self.kernel_size, self.filters, *self.sliding, use_bias=self.use_bias
        )


class LocallyConnected1D(LocallyConnected):
    """Locally connected rows; arguments as in :class:`LocallyConnected`.

    >>> layer = LocallyConnected1D(1, 2, use_bias=False)
    >>> layer.build((None, 4, 1))
    >>> layer.weight_shapes
    {'kernel': (3, 2, 1, 1)}
    """

    rank = 1


class LocallyConnected2D(LocallyConnected):
    """Locally connected images; arguments as in :class:`LocallyConnected`.

    >>> layer = LocallyConnected2D(6, 5)
    >>> layer.build((None, 32, 32, 3))
    >>> layer.count_params()
    357504
    """

    rank = 2


def _channels(input_shape: Shape) -> int:
    """The number of channels, which weights depend on."""
    if not input_shape or input_shape[-1] is None:
        raise ShapeError(f"inputs of shape {tuple(input_shape)} need a known number of channels")
    return input_shape[-1]


def _tuple(sizes_: PerAxis) -> tuple[int, ...]:
    """What ``__post_init__`` made a tuple, known as one to type checkers too."""
    return sizes_ if isinstance(sizes_, tuple) else (sizes_,)
