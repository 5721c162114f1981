"""Layers that move values and change none: flatten, pad, crop, enlarge, shuffle. Chapters 6, 9, 10."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np

from cnnlib.errors import CnnError, ShapeError, SizeError
from cnnlib.layers.base import Floats, Weightless, open_sizes
from cnnlib.layers.nodes import Shape
from cnnlib.padding import pad, pad_backward
from cnnlib.receptive_field import EVERYTHING, AnyWindow, Window
from cnnlib.sizes import PerAxis, as_int, as_shape, per_axis
from cnnlib.upsampling import (
    upsample_bilinear,
    upsample_bilinear_backward,
    upsample_nearest,
    upsample_nearest_backward,
)
from cnnlib.variants import channel_shuffle, channel_shuffle_backward

#: One number for all sides, one an axis, or a pair (before, after) an axis.
Amounts: TypeAlias = "int | Sequence[int | tuple[int, int]]"


class _Reshaped(Weightless):
    """Base class of layers that give the same values, in the same order, in another shape."""

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Floats, Any]:
        """Reshape; nothing is copied."""
        return inputs.reshape(self.compute_output_shape(inputs.shape)), inputs.shape

    def pass_back(self, gradient: Any, memory: Any) -> Any:
        """Reshape back."""
        return gradient.reshape(memory)

    def shares_memory(self, training: bool) -> bool:
        """Nothing is copied."""
        return True

    def window(self) -> AnyWindow:
        """Places are lost: what follows sees everything."""
        return EVERYTHING


class Flatten(_Reshaped):
    """Each image as one row: rows, then columns, then channels.

    Input shape:
        (batch, …)

    Output shape:
        (batch, product of the others)

    >>> Flatten().compute_output_shape((None, 5, 5, 16))
    (None, 400)
    """

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(batch, features)."""
        sizes = input_shape[1:]
        return (input_shape[0], None if None in sizes else math.prod(sizes))  # type: ignore[arg-type]


@dataclass(eq=False, repr=False)
class Reshape(_Reshaped):
    """Lay the values of each image out in another shape, the last axis running fastest.

    Args:
        target_shape: without the batch; one size may be -1, which means the rest.

    Input shape:
        (batch, …)

    Output shape:
        (batch, *target_shape)

    >>> Reshape((28, -1)).compute_output_shape((None, 784))
    (None, 28, 28)
    """

    target_shape: tuple[int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.target_shape = tuple(
            as_int(n, "target_shape", minimum=-1) for n in as_shape(self.target_shape, "target_shape")
        )
        if self.target_shape.count(-1) > 1 or 0 in self.target_shape:
            raise SizeError(f"target_shape {self.target_shape} may have one -1, and no 0")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(batch, *target_shape), the -1 worked out."""
        if None in input_shape[1:]:
            raise ShapeError(f"inputs of shape {tuple(input_shape)} need known sizes to be reshaped")
        total = math.prod(input_shape[1:])  # type: ignore[arg-type]
        given = math.prod(n for n in self.target_shape if n != -1)
        if total % given if -1 in self.target_shape else total != given:
            raise ShapeError(
                f"inputs of shape {tuple(input_shape)} have {total} values an image, which do not "
                f"fill the shape {self.target_shape}"
            )
        return (input_shape[0], *(total // given if n == -1 else n for n in self.target_shape))


@dataclass(eq=False, repr=False)
class Permute(Weightless):
    """Exchange axes.

    Args:
        dims: where each axis comes from, counted from 1, the batch left out, as in Keras.

    Input shape:
        (batch, …)

    Output shape:
        (batch, the same sizes in another order)

    >>> Permute((2, 1, 3)).compute_output_shape((None, 20, 30, 3))
    (None, 30, 20, 3)
    """

    dims: tuple[int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.dims = tuple(as_int(n, "dims") for n in as_shape(self.dims, "dims"))
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise SizeError(f"dims {self.dims} must name each axis from 1 to {len(self.dims)} once")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The sizes in their new order."""
        if len(input_shape) != len(self.dims) + 1:
            raise ShapeError(f"inputs of shape {tuple(input_shape)} do not have {len(self.dims)} axes")
        return (input_shape[0], *(input_shape[n] for n in self.dims))

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Floats, None]:
        """Transpose."""
        return inputs.transpose(0, *self.dims), None

    def pass_back(self, gradient: Any, memory: None) -> Any:
        """Transpose back."""
        return gradient.transpose(np.argsort((0, *self.dims)))

    def shares_memory(self, training: bool) -> bool:
        """Nothing is copied."""
        return True

    def window(self) -> AnyWindow:
        """Places are exchanged: what follows sees other axes."""
        return EVERYTHING


def _pairs(amounts: Amounts, rank: int, name: str) -> tuple[tuple[int, int], ...]:
    """A pair (before, after) for each axis.

    >>> _pairs(1, 2, "padding"), _pairs((1, 2), 2, "padding"), _pairs(((0, 1), (2, 3)), 2, "padding")
    (((1, 1), (1, 1)), ((1, 1), (2, 2)), ((0, 1), (2, 3)))
    """
    if rank == 1 and isinstance(amounts, (list, tuple)) and len(amounts) == 2:
        amounts = [amounts]  # type: ignore[list-item]  # Keras' 1-D layers take (before, after)
    entries: Any = amounts if isinstance(amounts, (list, tuple)) else (amounts,) * rank
    if len(entries) != rank:
        raise ShapeError(f"{name} {amounts} has {len(entries)} entries for {rank} axes; give one an axis")
    before, after = zip(*(per_axis(entry, 2, name, minimum=0) for entry in entries), strict=True)
    return tuple(zip(before, after, strict=True))


class Edged(Weightless):
    """Base class of layers that add something at the edge, or take it away."""

    rank: ClassVar[int]
    #: The argument that says how much, and whether axes grow or shrink by it.
    ARGUMENT: ClassVar[str]
    SIGN: ClassVar[int]

    def __post_init__(self) -> None:
        super().__post_init__()
        setattr(self, self.ARGUMENT, self.amounts)

    @property
    def amounts(self) -> tuple[tuple[int, int], ...]:
        """A pair (before, after) for each axis."""
        return _pairs(getattr(self, self.ARGUMENT), self.rank, self.ARGUMENT)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Every axis longer or shorter by its pair."""
        return open_sizes(lambda shape: _changed(shape, self.amounts, self.SIGN), input_shape, self.rank)


@dataclass(eq=False, repr=False)
class ZeroPadding(Edged):
    """Put zeros around the edge.

    Args:
        padding: a number for all sides, one an axis, or a pair (before, after) an axis.

    Input shape:
        (batch, *spatial, channels)

    Output shape:
        (batch, *padded, channels)
    """

    ARGUMENT, SIGN = "padding", 1

    padding: Amounts = 1

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Floats, None]:
        """By :func:`cnnlib.padding.pad`."""
        return pad(inputs, self.amounts), None

    def pass_back(self, gradient: Any, memory: None) -> Any:
        """What fell on the zeros is dropped."""
        return pad_backward(gradient, self.amounts)

    def window(self) -> AnyWindow:
        """A window of one, and padding."""
        return Window((1,) * self.rank, padding=self.amounts)


class ZeroPadding1D(ZeroPadding):
    """Zeros around rows.

    >>> ZeroPadding1D((2, 0)).compute_output_shape((None, 10, 3))
    (None, 12, 3)
    """

    rank = 1


class ZeroPadding2D(ZeroPadding):
    """Zeros around images.

    >>> ZeroPadding2D(((0, 1), (0, 1))).compute_output_shape((None, 224, 224, 3))
    (None, 225, 225, 3)
    """

    rank = 2


class ZeroPadding3D(ZeroPadding):
    """Zeros around volumes.

    >>> ZeroPadding3D(3).compute_output_shape((None, 8, 8, 8, 3))
    (None, 14, 14, 14, 3)
    """

    rank = 3


@dataclass(eq=False, repr=False)
class Cropping(Edged):
    """Cut the edge off.

    Args:
        cropping: a number for all sides, one an axis, or a pair (before, after) an axis.

    Input shape:
        (batch, *spatial, channels)

    Output shape:
        (batch, *cropped, channels)
    """

    ARGUMENT, SIGN = "cropping", -1

    cropping: Amounts = 1

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Floats, None]:
        """A part of the inputs; nothing is copied."""
        return pad_backward(inputs, self.amounts), None

    def pass_back(self, gradient: Any, memory: None) -> Any:
        """What was cut off gets nothing."""
        return pad(gradient, self.amounts)

    def shares_memory(self, training: bool) -> bool:
        """Nothing is copied."""
        return True

    def window(self) -> AnyWindow:
        """A window of one turned round, whose padding is what is cut off."""
        return Window((1,) * self.rank, padding=self.amounts, transposed=True)


class Cropping1D(Cropping):
    """The ends of rows cut off.

    >>> Cropping1D((2, 0)).compute_output_shape((None, 10, 3))
    (None, 8, 3)
    """

    rank = 1


@dataclass(eq=False, repr=False)
class Cropping2D(Cropping):
    """The edges of images cut off; nothing is cut unless told, as in Keras.

    >>> Cropping2D(4).compute_output_shape((None, 64, 64, 128))
    (None, 56, 56, 128)
    """

    rank = 2

    cropping: Amounts = 0


class Cropping3D(Cropping):
    """The edges of volumes cut off.

    >>> Cropping3D().compute_output_shape((None, 8, 8, 8, 3))
    (None, 6, 6, 6, 3)
    """

    rank = 3


def _changed(shape: tuple[int, ...], amounts: Sequence[tuple[int, int]], sign: int) -> tuple[int, ...]:
    spatial = [n + sign * sum(pair) for n, pair in zip(shape[1:-1], amounts, strict=True)]
    if min(spatial) < 1:
        raise SizeError(f"inputs of {shape[1:-1]} cropped by {tuple(amounts)} leave nothing; crop less")
    return (shape[0], *spatial, shape[-1])


@dataclass(eq=False, repr=False)
class UpSampling(Weightless):
    """Enlarge by repeating values.

    Args:
        size: how often along each axis.

    Input shape:
        (batch, *spatial, channels)

    Output shape:
        (batch, *spatial · size, channels)
    """

    rank: ClassVar[int]

    size: PerAxis = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        self.size = per_axis(self.size, self.rank, "size")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Every axis ``size`` times as long."""
        factors = per_axis(self.size, self.rank, "size")
        return open_sizes(
            lambda shape: (shape[0], *(n * f for n, f in zip(shape[1:-1], factors, strict=True)), shape[-1]),
            input_shape,
            self.rank,
        )

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Floats, Any]:
        """By :func:`cnnlib.upsampling.upsample_nearest`."""
        return upsample_nearest(inputs, self.size), inputs

    def pass_back(self, gradient: Any, memory: Any) -> Any:
        """The sum over each block."""
        return upsample_nearest_backward(gradient, memory, self.size)

    def window(self) -> AnyWindow:
        """A block for every value."""
        return Window(self.size, self.size, transposed=True)


class UpSampling1D(UpSampling):
    """Rows enlarged by repetition.

    >>> UpSampling1D(3).compute_output_shape((None, 10, 4))
    (None, 30, 4)
    """

    rank = 1


@dataclass(eq=False, repr=False)
class UpSampling2D(UpSampling):
    """Images enlarged, by repetition or by linear interpolation.

    Args:
        size: how often along each axis.
        interpolation: ``nearest`` or ``bilinear``.

    >>> UpSampling2D((2, 3), interpolation="bilinear").compute_output_shape((None, 10, 10, 4))
    (None, 20, 30, 4)
    """

    rank = 2

    interpolation: str = "nearest"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.interpolation not in ("nearest", "bilinear"):
            raise CnnError(f"interpolation {self.interpolation!r} is unknown; use nearest or bilinear")

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Floats, Any]:
        """By :func:`cnnlib.upsampling.upsample_nearest` or ``upsample_bilinear``."""
        if self.interpolation == "bilinear":
            return upsample_bilinear(inputs, self.size), inputs
        return super().forward(inputs)

    def pass_back(self, gradient: Any, memory: Any) -> Any:
        """Each value gets the shares that it gave."""
        if self.interpolation == "bilinear":
            return upsample_bilinear_backward(gradient, memory, self.size)
        return super().pass_back(gradient, memory)

    def window(self) -> AnyWindow:
        """A block for every value; a tent over two of them where values are interpolated."""
        if self.interpolation == "nearest":
            return super().window()
        factors = per_axis(self.size, 2, "size")
        return Window(tuple(2 * f - f % 2 for f in factors), factors, "same", transposed=True)


class UpSampling3D(UpSampling):
    """Volumes enlarged by repetition.

    >>> UpSampling3D().compute_output_shape((None, 4, 4, 4, 8))
    (None, 8, 8, 8, 8)
    """

    rank = 3


@dataclass(eq=False, repr=False)
class ChannelShuffle(Weightless):
    """Deal the channels out, so that the next grouped convolution sees something of every group.

    Zhang et al., *ShuffleNet* (2018, arXiv:1707.01083). Keras has no such layer.

    Args:
        groups: of the convolution before.

    Input shape, output shape:
        (batch, *spatial, channels), the same

    >>> ChannelShuffle(2)(np.arange(6.0).reshape(1, 1, 6)).ravel()
    array([0., 3., 1., 4., 2., 5.], dtype=float32)
    """

    groups: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self.groups = as_int(self.groups, "groups")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The same shape, if the groups divide the channels."""
        if input_shape[-1] is not None and input_shape[-1] % self.groups:
            raise ShapeError(
                f"{input_shape[-1]} channels cannot be dealt out in {self.groups} groups; "
                f"choose groups among the divisors of {input_shape[-1]}"
            )
        return input_shape

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Floats, Any]:
        """By :func:`cnnlib.variants.channel_shuffle`."""
        return channel_shuffle(inputs, self.groups), inputs

    def pass_back(self, gradient: Any, memory: Any) -> Any:
        """Every channel's gradient goes back to where the channel came from."""
        return channel_shuffle_backward(gradient, memory, self.groups)
