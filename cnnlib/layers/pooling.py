"""Pooling layers, and unpooling by the switches that pooling remembers. Chapters 7 and 10."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cnnlib import sizes
from cnnlib.errors import ShapeError
from cnnlib.layers.base import Floats, Weightless, one_image, open_sizes
from cnnlib.layers.nodes import Shape
from cnnlib.pooling import (
    average_pool,
    average_pool_backward,
    global_average_pool,
    global_average_pool_backward,
    global_max_pool,
    global_max_pool_backward,
    l2_pool,
    l2_pool_backward,
    max_pool,
    max_pool_backward,
    max_pool_switches,
)
from cnnlib.receptive_field import EVERYTHING, AnyWindow, Window
from cnnlib.sizes import Padding, PerAxis, padding_amounts, per_axis, split_padding
from cnnlib.upsampling import max_unpool, max_unpool_backward


@dataclass(eq=False, repr=False)
class Pooling(Weightless):
    """Base class of pooling: one number stands for each window, channel by channel.

    Args:
        pool_size: the window, one number or one an axis.
        strides: how far it moves; None moves it by its own size.
        padding: ``valid``, ``same``, a number, or one entry an axis.

    Input shape:
        (batch, *spatial, channels)

    Output shape:
        (batch, *output, channels)
    """

    rank: ClassVar[int]

    pool_size: PerAxis = 2
    strides: PerAxis | None = None
    padding: Padding = "valid"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.pool_size = per_axis(self.pool_size, self.rank, "pool_size")
        given = self.pool_size if self.strides is None else self.strides
        self.strides = per_axis(given, self.rank, "strides")
        if isinstance(self.padding, str):
            self.padding = self.padding.lower()
        for size, entry in zip(self.pool_size, split_padding(self.padding, self.rank), strict=True):
            padding_amounts(1, size, padding=entry)  # raises where it is unknown

    @property
    def options(self) -> tuple[PerAxis, PerAxis | None, Padding]:
        """What the operator is told beside the inputs."""
        return (self.pool_size, self.strides, self.padding)

    def compute_output_shape(self, input_shape: Shape) -> Any:
        """(batch, *output, channels), by :func:`cnnlib.sizes.output_shape`."""
        steps = self.pool_size if self.strides is None else self.strides
        return open_sizes(
            lambda shape: sizes.output_shape(shape, self.pool_size, None, steps, self.padding),
            input_shape,
            self.rank,
        )

    def connections(self, input_shape: Shape) -> int:
        """By :func:`cnnlib.sizes.pool_connections`."""
        return sizes.pool_connections(one_image(input_shape), *self.options)

    def window(self) -> AnyWindow:
        """Pool size, strides and padding."""
        steps = self.pool_size if self.strides is None else self.strides
        return Window(self.pool_size, steps, self.padding)


class MaxPooling(Pooling):
    """Keep the largest value of every window; arguments as in :class:`Pooling`."""

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Any, Any]:
        """By :func:`cnnlib.pooling.max_pool`."""
        outputs = max_pool(inputs, *self.options)
        return outputs, (inputs, outputs)

    def pass_back(self, gradient: Any, memory: Any) -> Any:
        """Each window hands its gradient to its largest value."""
        inputs, outputs = memory
        return max_pool_backward(gradient, inputs, *self.options, outputs=outputs)


class AveragePooling(Pooling):
    """Take the mean of every window; arguments as in :class:`Pooling`."""

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Any, Any]:
        """By :func:`cnnlib.pooling.average_pool`."""
        return average_pool(inputs, *self.options), inputs

    def pass_back(self, gradient: Any, memory: Any) -> Any:
        """Each window hands an equal share of its gradient to all its values."""
        return average_pool_backward(gradient, memory, *self.options)


class L2Pooling(Pooling):
    """The length of every window as a vector; arguments as in :class:`Pooling`. Keras has no such layer."""

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Any, Any]:
        """By :func:`cnnlib.pooling.l2_pool`."""
        outputs = l2_pool(inputs, *self.options)
        return outputs, (inputs, outputs)

    def pass_back(self, gradient: Any, memory: Any) -> Any:
        """Each value gets a share in proportion to itself."""
        inputs, outputs = memory
        return l2_pool_backward(gradient, inputs, *self.options, outputs=outputs)


class MaxPooling1D(MaxPooling):
    """Max pooling of rows.

    >>> MaxPooling1D(3, strides=2).compute_output_shape((None, 10, 4))
    (None, 4, 4)
    """

    rank = 1


class MaxPooling2D(MaxPooling):
    """Max pooling of images.

    >>> MaxPooling2D().compute_output_shape((None, 28, 28, 6))
    (None, 14, 14, 6)
    """

    rank = 2


class MaxPooling3D(MaxPooling):
    """Max pooling of volumes.

    >>> MaxPooling3D().compute_output_shape((None, 8, 28, 28, 6))
    (None, 4, 14, 14, 6)
    """

    rank = 3


class AveragePooling1D(AveragePooling):
    """Average pooling of rows.

    >>> AveragePooling1D(2)(np.array([1, 3, 2, 9.0]).reshape(1, 4, 1)).ravel()
    array([2. , 5.5], dtype=float32)
    """

    rank = 1


class AveragePooling2D(AveragePooling):
    """Average pooling of images.

    >>> AveragePooling2D(7).compute_output_shape((None, 7, 7, 1024))
    (None, 1, 1, 1024)
    """

    rank = 2


class AveragePooling3D(AveragePooling):
    """Average pooling of volumes.

    >>> AveragePooling3D(2).compute_output_shape((None, 8, 28, 28, 6))
    (None, 4, 14, 14, 6)
    """

    rank = 3


class L2Pooling1D(L2Pooling):
    """L2 pooling of rows.

    >>> L2Pooling1D(2)(np.array([3, 4.0]).reshape(1, 2, 1)).ravel()
    array([5.], dtype=float32)
    """

    rank = 1


class L2Pooling2D(L2Pooling):
    """L2 pooling of images.

    >>> L2Pooling2D(2).compute_output_shape((None, 28, 28, 6))
    (None, 14, 14, 6)
    """

    rank = 2


class L2Pooling3D(L2Pooling):
    """L2 pooling of volumes.

    >>> L2Pooling3D(2).compute_output_shape((None, 8, 28, 28, 6))
    (None, 4, 14, 14, 6)
    """

    rank = 3


class MaxPoolingWithSwitches2D(MaxPooling):
    """Max pooling of images that also tells where each maximum was; arguments as in :class:`Pooling`.

    It makes two outputs: the maxima, and the switches that :class:`MaxUnpooling2D` takes. Keras has no such
    layer; TensorFlow has ``tf.nn.max_pool_with_argmax``.

    >>> pooled, switches = MaxPoolingWithSwitches2D()(np.arange(16.0).reshape(1, 4, 4, 1))
    >>> pooled.ravel(), switches.ravel()
    (array([ 5.,  7., 13., 15.], dtype=float32), array([ 5,  7, 13, 15]))
    """

    rank = 2

    def compute_output_shape(self, input_shape: Shape) -> Any:
        """A list of two equal shapes: of the maxima and of the switches."""
        return [super().compute_output_shape(input_shape)] * 2

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Any, Any]:
        """By :func:`cnnlib.pooling.max_pool_switches`."""
        outputs, switches = max_pool_switches(inputs, *self.options)
        return [outputs, switches], (inputs, outputs)

    def pass_back(self, gradient: Any, memory: Any) -> Any:
        """As in :class:`MaxPooling`; the switches are whole numbers and have no gradient."""
        slopes, _ = gradient
        if slopes is None:  # only the switches are used
            slopes = np.zeros_like(memory[1])
        return super().pass_back(slopes, memory)


@dataclass(eq=False, repr=False)
class MaxUnpooling2D(Weightless):
    """Put every value back where pooling found the maximum; all else is zero.

    Takes the list [values, switches], the latter from :class:`MaxPoolingWithSwitches2D`.

    Args:
        size: how much larger the outputs are, one number or one an axis.
        output_size: (height, width) where that is no multiple, because pooling dropped the rest.

    Input shape:
        a list of two equal shapes (batch, height, width, channels)

    Output shape:
        (batch, height · size, width · size, channels)

    >>> values, switches = np.array([5, 7, 13, 15.0]).reshape(1, 2, 2, 1), np.array([5, 7, 13, 15])
    >>> MaxUnpooling2D()([values, switches.reshape(1, 2, 2, 1)])[0, :, :, 0]
    array([[ 0.,  0.,  0.,  0.],
           [ 0.,  5.,  0.,  7.],
           [ 0.,  0.,  0.,  0.],
           [ 0., 13.,  0., 15.]], dtype=float32)
    """

    TAKES_LIST: ClassVar[bool] = True

    size: PerAxis = 2
    output_size: PerAxis | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.size = per_axis(self.size, 2, "size")
        if self.output_size is not None:
            self.output_size = per_axis(self.output_size, 2, "output_size")

    def cast(self, arrays: Sequence[Any]) -> list[Any]:
        """The values as floats; the switches stay whole numbers."""
        values, switches = _pair(arrays)
        return [*super().cast([values]), np.asarray(switches)]

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """(batch, height · size, width · size, channels)."""
        values, switches = _pair(input_shape)
        if tuple(values) != tuple(switches):
            raise ShapeError(f"values of shape {values} need switches of the same shape, not {switches}")
        factors = per_axis(self.size, 2, "size")
        given = self.output_size
        wanted = None if given is None else per_axis(given, 2, "output_size")

        def enlarged(shape: tuple[int, ...]) -> tuple[int, ...]:
            grown = (n * factor for n, factor in zip(shape[1:-1], factors, strict=True))
            return (shape[0], *(wanted or grown), shape[-1])

        return open_sizes(enlarged, values, 2)

    def forward(self, inputs: Any, training: bool = False) -> tuple[Floats, Any]:
        """By :func:`cnnlib.upsampling.max_unpool`."""
        values, switches = inputs
        shape = self.compute_output_shape([values.shape, switches.shape])
        return max_unpool(values, switches, shape), (values, switches, shape)  # type: ignore[arg-type]

    def pass_back(self, gradient: Any, memory: Any) -> Any:
        """Each value takes what arrives at its place; the switches have no gradient."""
        return [max_unpool_backward(gradient, *memory), None]

    def window(self) -> AnyWindow:
        """A block for every value."""
        return Window(self.size, self.size, transposed=True)


def _pair(items: Any) -> tuple[Any, Any]:
    if not isinstance(items, (list, tuple)) or len(items) != 2:
        raise ShapeError("unpooling needs a list of two: the values and their switches")
    return items[0], items[1]


@dataclass(eq=False, repr=False)
class GlobalPooling(Weightless):
    """Base class of pooling over whole feature maps.

    Args:
        keepdims: keep the spatial axes, with one place each.

    Input shape:
        (batch, *spatial, channels)

    Output shape:
        (batch, channels), or (batch, 1, …, 1, channels)
    """

    rank: ClassVar[int]

    keepdims: bool = False

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(batch, channels), or with ones between them."""
        open_sizes(lambda shape: shape, input_shape, self.rank)  # raises where axes are missing
        ones = (1,) * self.rank if self.keepdims else ()
        return (input_shape[0], *ones, input_shape[-1])

    def connections(self, input_shape: Shape) -> int:
        """Every value of the inputs, once."""
        return sizes.activation_values(one_image(input_shape))

    def window(self) -> AnyWindow:
        """Every output sees everything."""
        return EVERYTHING

    def _kept(self, pooled: NDArray) -> NDArray:
        return pooled.reshape(len(pooled), *(1,) * self.rank, -1) if self.keepdims else pooled


class GlobalMaxPooling(GlobalPooling):
    """The largest value of each feature map; arguments as in :class:`GlobalPooling`."""

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Floats, Any]:
        """By :func:`cnnlib.pooling.global_max_pool`."""
        outputs = global_max_pool(inputs)
        return self._kept(outputs), (inputs, outputs)

    def pass_back(self, gradient: Any, memory: Any) -> Any:
        """To the largest value of each map."""
        inputs, outputs = memory
        return global_max_pool_backward(gradient.reshape(outputs.shape), inputs, outputs=outputs)


class GlobalAveragePooling(GlobalPooling):
    """The mean of each feature map; arguments as in :class:`GlobalPooling`."""

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Floats, Any]:
        """By :func:`cnnlib.pooling.global_average_pool`."""
        return self._kept(global_average_pool(inputs)), inputs

    def pass_back(self, gradient: Any, memory: Any) -> Any:
        """Spread evenly over each map."""
        return global_average_pool_backward(gradient.reshape(len(gradient), -1), memory)


class GlobalMaxPooling1D(GlobalMaxPooling):
    """Global max pooling of rows.

    >>> GlobalMaxPooling1D().compute_output_shape((None, 100, 8))
    (None, 8)
    """

    rank = 1


class GlobalMaxPooling2D(GlobalMaxPooling):
    """Global max pooling of images.

    >>> GlobalMaxPooling2D(keepdims=True).compute_output_shape((None, 7, 7, 1024))
    (None, 1, 1, 1024)
    """

    rank = 2


class GlobalMaxPooling3D(GlobalMaxPooling):
    """Global max pooling of volumes.

    >>> GlobalMaxPooling3D().compute_output_shape((None, 7, 7, 7, 16))
    (None, 16)
    """

    rank = 3


class GlobalAveragePooling1D(GlobalAveragePooling):
    """Global average pooling of rows.

    >>> GlobalAveragePooling1D().compute_output_shape((None, 100, 8))
    (None, 8)
    """

    rank = 1


class GlobalAveragePooling2D(GlobalAveragePooling):
    """Global average pooling of images.

    >>> GlobalAveragePooling2D()(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[3., 4.]], dtype=float32)
    """

    rank = 2


class GlobalAveragePooling3D(GlobalAveragePooling):
    """Global average pooling of volumes.

    >>> GlobalAveragePooling3D().compute_output_shape((None, 7, 7, 7, 16))
    (None, 16)
    """

    rank = 3
