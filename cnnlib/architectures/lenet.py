"""LeNet-5: the network that read the cheques, as it was in 1998 and as it is built today. Chapters 11 and 12.

Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, *Gradient-based learning applied to document recognition*,
Proceedings of the IEEE 86 (1998), section II.B, Table I and Appendix A.

Three of its layers are no longer in use, and live here: pooling with a coefficient and a bias to learn
(:class:`Subsampling2D`), a convolution whose filters see only some of the maps (:class:`PartialConv2D`), and
outputs that measure how far the features are from a drawing of each digit (:class:`RadialBasis`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlib import sizes
from cnnlib.activations import tanh, tanh_backward
from cnnlib.convolution import conv, conv_backward
from cnnlib.errors import ShapeError
from cnnlib.layers import (
    LAYERS,
    AveragePooling2D,
    Conv2D,
    Dense,
    Flatten,
    Layer,
    MaxPooling2D,
    Rescaling,
    Shape,
    Weight,
)
from cnnlib.layers.base import Floats, Weightless, one_image
from cnnlib.network import Input, Sequential
from cnnlib.receptive_field import EVERYTHING, AnyWindow

#: Which maps of S2 each of the sixteen filters of C3 sees: Table I of the paper, column by column.
TABLE = (
    *((n, (n + 1) % 6, (n + 2) % 6) for n in range(6)),  # three neighbours
    *((n, (n + 1) % 6, (n + 2) % 6, (n + 3) % 6) for n in range(6)),  # four neighbours
    (0, 1, 3, 4),
    (1, 2, 4, 5),
    (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)

#: What the features of each digit should look like, 7 pixels wide and 12 high. The paper shows such drawings
#: (Figure 3) but does not print their values; these were drawn for this course in the same manner.
DRAWINGS = """
 .#####.  ...#...  .#####.  .#####.  .....#.  #######  .#####.  #######  .#####.  .#####.
 ##...##  ..##...  ##...##  ##...##  ....##.  ##.....  ##...##  .....##  ##...##  ##...##
 ##...##  .###...  .....##  .....##  ...###.  ##.....  ##.....  .....##  ##...##  ##...##
 ##...##  ...#...  .....##  .....##  ..####.  ##.....  ##.....  ....##.  ##...##  ##...##
 ##...##  ...#...  ....##.  ....##.  .##.##.  ######.  ##.....  ....##.  .##.##.  ##...##
 ##...##  ...#...  ....##.  ..###..  .##.##.  .....##  ######.  ...##..  ..###..  .######
 ##...##  ...#...  ...##..  ....##.  ##..##.  .....##  ##...##  ...##..  .##.##.  .....##
 ##...##  ...#...  ..##...  .....##  #######  .....##  ##...##  ..##...  ##...##  .....##
 ##...##  ...#...  ..##...  .....##  ....##.  .....##  ##...##  ..##...  ##...##  .....##
 ##...##  ...#...  .##....  .....##  ....##.  .....##  ##...##  .##....  ##...##  .....##
 ##...##  ...#...  ##.....  ##...##  ....##.  ##...##  ##...##  .##....  ##...##  ##...##
 .#####.  .#####.  #######  .#####.  ....##.  .#####.  .#####.  .##....  .#####.  .#####.
"""


def digit_codes() -> NDArray[np.float32]:
    """The drawings as numbers, (84, 10): +1 where there is ink, -1 elsewhere, row by row.

    >>> digit_codes().shape, np.unique(digit_codes()).tolist()
    ((84, 10), [-1.0, 1.0])
    """
    rows = [line.split() for line in DRAWINGS.split("\n") if line]
    ink = [[[pixel == "#" for pixel in row[digit]] for row in rows] for digit in range(10)]
    return np.ascontiguousarray(np.where(np.reshape(ink, (10, -1)), 1, -1).T, np.float32)


# -- the network of 1998 -------------------------------------------------------------------------------


def lenet5(scores: bool = False) -> Sequential:
    """LeNet-5 as published: 32×32 pixels, white -0.1 and ink 1.175, to a penalty for each digit.

    It has 60,000 weights to learn and 340,908 connections. The 840 numbers of the drawings at the end are
    fixed, and the answer is the digit with the smallest penalty.

    Args:
        scores: turn the penalties' sign round, so that the largest wins and softmax losses apply.

    >>> network = lenet5()
    >>> network.count_params() - network.get_layer("output").count_params()
    60000
    """
    return Sequential(
        [
            Input((32, 32, 1)),
            Conv2D(6, 5, **_FANS, name="C1"),
            ScaledTanh(name="C1_squash"),
            Subsampling2D(name="S2"),
            ScaledTanh(name="S2_squash"),
            PartialConv2D(TABLE, 5, name="C3"),
            ScaledTanh(name="C3_squash"),
            Subsampling2D(name="S4"),
            ScaledTanh(name="S4_squash"),
            Conv2D(120, 5, **_FANS, name="C5"),
            ScaledTanh(name="C5_squash"),
            Flatten(name="flatten"),
            Dense(84, **_FANS, name="F6"),
            ScaledTanh(name="F6_squash"),
            RadialBasis(name="output"),
            *([Rescaling(-1.0, name="scores")] if scores else []),
        ],
        name="lenet5",
    )


#: The paper draws weights uniformly within ±2.4 / fan-in; this is the same rule with today's constant.
_FANS: dict[str, Any] = {"kernel_initializer": "lecun_uniform"}


@dataclass(eq=False, repr=False)
class ScaledTanh(Weightless):
    """The paper's squashing function, A·tanh(S·x) with A = 1.7159 and S = 2/3, so that ±1 stay ±1.

    >>> ScaledTanh()(np.array([[-1.0, 0.0, 1.0]])).round(4)
    array([[-1.,  0.,  1.]], dtype=float32)
    """

    amplitude: float = 1.7159
    slope: float = 2 / 3

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Floats, Floats]:
        """By :func:`cnnlib.activations.tanh`."""
        bent = tanh(inputs * inputs.dtype.type(self.slope))
        return bent * bent.dtype.type(self.amplitude), bent

    def pass_back(self, gradient: Floats, memory: Floats) -> Floats:
        """By the slope of tanh, which its outputs tell."""
        return tanh_backward(
            gradient * gradient.dtype.type(self.amplitude * self.slope), None, outputs=memory
        )


@dataclass(eq=False, repr=False)
class Subsampling2D(Layer):
    """Pooling with two weights a map: the sum over the window, times a coefficient, plus a bias.

    Args:
        pool_size: the window, which moves by its own size.

    Input shape:
        (batch, height, width, channels)

    Output shape:
        (batch, height / pool_size, width / pool_size, channels)

    >>> layer = Subsampling2D()
    >>> layer.build((None, 28, 28, 6))
    >>> layer.count_params(), layer.connections((None, 28, 28, 6))
    (12, 5880)
    """

    LEARNED = ("coefficient", "bias")

    pool_size: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        self._mean = AveragePooling2D(self.pool_size)

    def weight_specs(self, input_shape: Shape) -> dict[str, Weight]:
        """One coefficient and one bias a channel."""
        channels = (input_shape[-1] or 0,)
        return {"coefficient": Weight(channels, "ones"), "bias": Weight(channels, "zeros")}

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """That of :class:`cnnlib.layers.AveragePooling2D`."""
        return self._mean.compute_output_shape(input_shape)

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Floats, Any]:
        """The mean is the sum over the number of inputs; both are the same up to the coefficient."""
        mean, memory = self._mean.forward(inputs)
        sums = mean * self.pool_size**2
        return sums * self.weights["coefficient"] + self.weights["bias"], (sums, memory)

    def backward(
        self, gradient: Floats, memory: Any, needs_inputs: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """Each weight takes its share over the whole map."""
        sums, pooled = memory
        gradients = {
            "coefficient": (gradient * sums).sum(axis=(0, 1, 2)),
            "bias": gradient.sum(axis=(0, 1, 2)),
        }
        inputs = None
        if needs_inputs:
            inputs = self._mean.pass_back(gradient * self.weights["coefficient"] * self.pool_size**2, pooled)
        return inputs, {name: gradients[name] for name in self.trainable}

    def macs(self, input_shape: Shape) -> int:
        """One product with a coefficient for each output."""
        return sizes.activation_values(one_image(self.compute_output_shape(input_shape)))

    def connections(self, input_shape: Shape) -> int:
        """By :func:`cnnlib.sizes.pool_connections`, with the bias."""
        return sizes.pool_connections(one_image(input_shape), self.pool_size, use_bias=True)

    def window(self) -> AnyWindow:
        """That of pooling."""
        return self._mean.window()


@dataclass(eq=False, repr=False)
class PartialConv2D(Layer):
    """Convolution whose filters see only some of the maps, so that they cannot all learn the same.

    Args:
        table: for each filter, the channels that it sees.
        kernel_size: the window.

    Input shape:
        (batch, height, width, channels)

    Output shape:
        (batch, height - kernel_size + 1, width - kernel_size + 1, filters)

    >>> layer = PartialConv2D(TABLE, 5)
    >>> layer.build((None, 14, 14, 6))
    >>> layer.weight_shapes, layer.count_params(), layer.connections((None, 14, 14, 6))
    ({'kernel': (5, 5, 60), 'bias': (16,)}, 1516, 151600)
    """

    LEARNED = ("kernel", "bias")

    table: Sequence[Sequence[int]]
    kernel_size: int
    _: KW_ONLY
    kernel_initializer: str = "lecun_uniform"
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.table = tuple(tuple(seen) for seen in self.table)
        self._conv = Conv2D(len(self.table), self.kernel_size)
        #: Where each kernel stands in that of a full convolution: its channel and its filter.
        self.places = tuple(
            np.array([(channel, filter_) for filter_, seen in enumerate(self.table) for channel in seen]).T
        )

    def weight_specs(self, input_shape: Shape) -> dict[str, Weight]:
        """One kernel for every pair of a filter and a channel that it sees, and one bias a filter."""
        channels, needed = input_shape[-1] or 0, max(map(max, self.table)) + 1
        if channels < needed:
            raise ShapeError(f"the table speaks of {needed} channels, but the inputs have {channels}")
        size = (self.kernel_size, self.kernel_size, len(self.places[0]))
        return {"kernel": Weight(size, self.kernel_initializer), "bias": Weight((len(self.table),), "zeros")}

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """That of a full convolution."""
        return self._conv.compute_output_shape(input_shape)

    def full_kernel(self, channels: int) -> Floats:
        """The kernel of a full convolution, zero where a filter does not look."""
        kernel = self.weights["kernel"]
        full = np.zeros((*kernel.shape[:2], channels, len(self.table)), kernel.dtype)
        full[:, :, *self.places] = kernel
        return full

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Floats, Floats]:
        """By :func:`cnnlib.convolution.conv`."""
        return conv(inputs, self.full_kernel(inputs.shape[-1]), bias=self.weights["bias"]), inputs

    def backward(
        self, gradient: Floats, memory: Floats, needs_inputs: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """By :func:`cnnlib.convolution.conv_backward`; weights that are not there learn nothing."""
        needs = ("inputs", "kernel", "bias") if needs_inputs else ("kernel", "bias")
        gradients: Any = conv_backward(gradient, memory, self.full_kernel(memory.shape[-1]), needs=needs)
        learned = {"kernel": gradients.kernel[:, :, *self.places], "bias": gradients.bias}
        return gradients.inputs, {name: learned[name] for name in self.trainable}

    def macs(self, input_shape: Shape) -> int:
        """Every kernel at every place."""
        places = sizes.activation_values(one_image(self.compute_output_shape(input_shape))[:-1])
        return self.kernel_size**2 * len(self.places[0]) * places

    def connections(self, input_shape: Shape) -> int:
        """The products, and a bias for each output."""
        outputs = sizes.activation_values(one_image(self.compute_output_shape(input_shape)))
        return self.macs(input_shape) + outputs

    def window(self) -> AnyWindow:
        """That of a full convolution."""
        return self._conv.window()


@dataclass(eq=False, repr=False)
class RadialBasis(Layer):
    """The squared distance of the features from each digit's drawing, which is fixed.

    Input shape:
        (batch, 84)

    Output shape:
        (batch, 10), the smaller the better

    >>> penalties = RadialBasis()(digit_codes().T[[3]])
    >>> int(penalties.argmin()), float(penalties.min())
    (3, 0.0)
    """

    def weight_specs(self, input_shape: Shape) -> dict[str, Weight]:
        """The drawings (84, 10)."""
        codes = digit_codes()
        if tuple(input_shape[1:]) != codes.shape[:1]:
            raise ShapeError(
                f"the drawings have {len(codes)} pixels, but the inputs are {tuple(input_shape)}"
            )
        return {"codes": Weight(codes.shape, "zeros")}

    def initialize(self, seed: int | np.random.SeedSequence | None = None) -> None:
        """Take the drawings; nothing is drawn by lot."""
        self._weights = {"codes": digit_codes().astype(self.dtype)}

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(batch, 10)."""
        return (input_shape[0], self.weight_shapes["codes"][-1])

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Floats, Floats]:
        """Σ (x - code)² for each code."""
        away = inputs[:, :, None] - self.weights["codes"]
        return (away * away).sum(axis=1), away

    def backward(
        self, gradient: Floats, memory: Floats, needs_inputs: bool = True
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """Towards each code, by twice the distance."""
        return (2 * (memory * gradient[:, None, :]).sum(axis=2) if needs_inputs else None), {}

    def macs(self, input_shape: Shape) -> int:
        """One product for each feature and digit."""
        return sizes.dense_macs(one_image(input_shape), self.weight_shapes["codes"][-1])

    def connections(self, input_shape: Shape) -> int:
        """As many as products."""
        return self.macs(input_shape)

    def window(self) -> AnyWindow:
        """It sees all features."""
        return EVERYTHING


LAYERS.update({kind.__name__: kind for kind in (ScaledTanh, Subsampling2D, PartialConv2D, RadialBasis)})


# -- the network as it is built today ------------------------------------------------------------------


def lenet5_modern(
    input_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
    activation: str = "relu",
    pooling: str = "max",
    classifier_activation: str | None = "softmax",
) -> Sequential:
    """LeNet-5 of today's layers: full connections, plain pooling, one activation, softmax.

    Args:
        input_shape: (height, width, channels). Digits of 28×28 pixels are padded to the paper's 32×32.
        classes: how many are told apart.
        activation: ``relu``, or ``tanh`` as it would have been.
        pooling: ``max``, or ``average`` as it would have been.
        classifier_activation: None leaves the scores as they are.

    >>> lenet5_modern().count_params(), lenet5_modern((32, 32, 1)).count_params()
    (61706, 61706)
    """
    if pooling not in _POOLINGS:
        raise ShapeError(f"pooling must be {' or '.join(_POOLINGS)}, not {pooling!r}")
    pool = _POOLINGS[pooling]
    return Sequential(
        [
            Input(input_shape),
            Conv2D(
                6, 5, padding="same" if input_shape[0] == 28 else "valid", activation=activation, name="C1"
            ),
            pool(2, name="S2"),
            Conv2D(16, 5, activation=activation, name="C3"),
            pool(2, name="S4"),
            Flatten(name="flatten"),
            Dense(120, activation=activation, name="C5"),
            Dense(84, activation=activation, name="F6"),
            Dense(classes, activation=classifier_activation, name="output"),
        ],
        name="lenet5_modern",
    )


_POOLINGS: dict[str, Any] = {"max": MaxPooling2D, "average": AveragePooling2D}
