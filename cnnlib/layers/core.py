"""Dense layers, activations as layers of their own, and rescaling. Chapters 1, 4 and 11."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from cnnlib import activations as act
from cnnlib import sizes
from cnnlib.convolution import as_floats
from cnnlib.errors import ShapeError
from cnnlib.functional import DenseGradients, dense, dense_backward
from cnnlib.layers.base import (
    Activated,
    Floats,
    Rule,
    Weight,
    WeightedSum,
    Weightless,
    known_activation,
    one_image,
)
from cnnlib.layers.nodes import Shape
from cnnlib.receptive_field import EVERYTHING, AnyWindow
from cnnlib.sizes import as_int, as_number


@dataclass(eq=False, repr=False)
class Dense(WeightedSum):
    """Fully connected: every unit sums all inputs.

    Args:
        units: how many outputs.
        activation: the name of an activation, or None.
        use_bias: whether each unit has a bias.
        kernel_initializer, bias_initializer: how the weights begin.
        seed: of the random numbers.

    Input shape:
        (batch, …, features); axes between are kept, each place by itself, as in Keras

    Output shape:
        (batch, …, units)

    >>> layer = Dense(10, activation="softmax")
    >>> layer.build((None, 84))
    >>> layer.count_params()
    850
    """

    LEARNED = ("kernel", "bias")

    units: int
    activation: str | None = None
    use_bias: bool = True
    _: KW_ONLY
    kernel_initializer: str = "glorot_uniform"
    bias_initializer: str = "zeros"
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.units = as_int(self.units, "units")
        self.places = False  # whether there are axes between batch and features

    def build(self, input_shape: Shape) -> None:
        """Settle the shapes of the weights by the number of features."""
        super().build(input_shape)
        self.places = len(input_shape) > 2

    def weight_specs(self, input_shape: Shape) -> dict[str, Weight]:
        """The kernel (features, units), and one bias a unit."""
        features = input_shape[-1] if len(input_shape) > 1 else None
        if features is None:
            raise ShapeError(f"inputs of shape {tuple(input_shape)} need a known number of features")
        return {"kernel": Weight((features, self.units), self.kernel_initializer)} | self.bias_spec(
            self.units
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(batch, …, units)."""
        return (*input_shape[:-1], self.units)

    def sums(self, inputs: Floats) -> Floats:
        """By :func:`cnnlib.functional.dense`."""
        return dense(inputs, **self.weights)

    def sums_backward(self, gradient: Floats, inputs: Floats, needs: Sequence[str]) -> DenseGradients:
        """By :func:`cnnlib.functional.dense_backward`."""
        return dense_backward(gradient, inputs, self.weights["kernel"], needs=needs)

    def macs(self, input_shape: Shape) -> int:
        """By :func:`cnnlib.sizes.dense_macs`."""
        return sizes.dense_macs(one_image(input_shape), self.units)

    def connections(self, input_shape: Shape) -> int:
        """By :func:`cnnlib.sizes.dense_connections`."""
        return sizes.dense_connections(one_image(input_shape), self.units, self.use_bias)

    def window(self) -> AnyWindow:
        """Every unit sees everything, unless there are places, which the layer treats one by one."""
        return None if self.places else EVERYTHING


class Bend(Weightless):
    """Base class of activations that stand as layers of their own."""

    #: The name by which :meth:`cnnlib.network.Model.backward` chooses a rule.
    activation: str | None

    def bend(self, inputs: Floats) -> Floats:
        """The activation itself."""
        raise NotImplementedError

    def bend_backward(self, gradient: Floats, memory: Activated) -> Floats:
        """Its gradient, by the outputs where those are enough."""
        raise NotImplementedError

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Floats, Activated]:
        """Apply the activation; keep the inputs only where the way back needs them."""
        outputs = self.bend(inputs)
        by_outputs = act.ACTIVATIONS[self.activation or "linear"].by_outputs
        return outputs, Activated(None if by_outputs else inputs, outputs)

    def backward(
        self, gradient: Any, memory: Activated, needs_inputs: bool = True, rule: Rule | None = None
    ) -> tuple[Any, dict[str, Floats]]:
        """By the activation's own gradient, or by ``rule``."""
        if rule is not None:
            return (rule(gradient, *memory) if needs_inputs else None), {}
        return super().backward(gradient, memory, needs_inputs)

    def pass_back(self, gradient: Any, memory: Activated) -> Any:
        """By the activation's own gradient."""
        return self.bend_backward(gradient, memory)


@dataclass(eq=False, repr=False)
class Activation(Bend):
    """An activation by its name, elementwise or along the channels.

    Args:
        activation: such as ``relu``, ``tanh``, ``softmax``.

    Input shape, output shape:
        any, the same

    >>> Activation("relu")(np.array([[-1, 2.0]]))
    array([[0., 2.]], dtype=float32)
    """

    activation: str | None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.activation = known_activation(self.activation)

    def bend(self, inputs: Floats) -> Floats:
        """By :func:`cnnlib.activations.activation`."""
        return act.activation(self.activation, inputs)

    def bend_backward(self, gradient: Floats, memory: Activated) -> Floats:
        """By :func:`cnnlib.activations.activation_backward`."""
        return act.activation_backward(self.activation, gradient, *memory)


@dataclass(eq=False, repr=False)
class ReLU(Bend):
    """Rectified linear unit: max(x, 0).

    Args:
        max_value: where it saturates, or None.
        negative_slope: the slope below 0.

    Input shape, output shape:
        any, the same

    >>> ReLU(max_value=6)(np.array([[-1, 2, 8.0]]))
    array([[0., 2., 6.]], dtype=float32)
    """

    max_value: float | None = None
    negative_slope: float = 0.0

    @property
    def activation(self) -> str | None:  # type: ignore[override]
        """``relu``, ``relu6`` or ``leaky_relu``."""
        if self.negative_slope:
            return "leaky_relu"
        return "relu6" if self.max_value == 6 else "relu"

    def bend(self, inputs: Floats) -> Floats:
        """Cut off below 0, and above ``max_value``."""
        made = act.leaky_relu(inputs, self.negative_slope) if self.negative_slope else act.relu(inputs)
        if self.max_value is None:
            return made
        return np.minimum(made, as_number(self.max_value, "max_value", least=0), out=made)

    def bend_backward(self, gradient: Floats, memory: Activated) -> Floats:
        """Nothing passes where the outputs were cut off."""
        if self.max_value is not None:
            gradient = gradient * (memory.outputs < self.max_value)
        if self.negative_slope:
            return act.leaky_relu_backward(gradient, None, self.negative_slope, outputs=memory.outputs)
        return act.relu_backward(gradient, None, outputs=memory.outputs)


@dataclass(eq=False, repr=False)
class LeakyReLU(Bend):
    """Leaky rectified linear unit: x where it is positive, a part of it elsewhere.

    Args:
        negative_slope: that part.

    Input shape, output shape:
        any, the same

    >>> LeakyReLU(0.5)(np.array([[-1, 2.0]]))
    array([[-0.5,  2. ]], dtype=float32)
    """

    negative_slope: float = 0.3

    activation = "leaky_relu"

    def bend(self, inputs: Floats) -> Floats:
        """By :func:`cnnlib.activations.leaky_relu`."""
        return act.leaky_relu(inputs, self.negative_slope)

    def bend_backward(self, gradient: Floats, memory: Activated) -> Floats:
        """By :func:`cnnlib.activations.leaky_relu_backward`."""
        return act.leaky_relu_backward(gradient, None, self.negative_slope, outputs=memory.outputs)


@dataclass(eq=False, repr=False)
class ELU(Bend):
    """Exponential linear unit: x where it is positive, alpha (e^x - 1) elsewhere.

    Args:
        alpha: where it saturates, below 0.

    Input shape, output shape:
        any, the same

    >>> ELU()(np.array([[-100, 2.0]]))
    array([[-1.,  2.]], dtype=float32)
    """

    alpha: float = 1.0

    activation = "elu"

    def bend(self, inputs: Floats) -> Floats:
        """By :func:`cnnlib.activations.elu`."""
        return act.elu(inputs, self.alpha)

    def bend_backward(self, gradient: Floats, memory: Activated) -> Floats:
        """By :func:`cnnlib.activations.elu_backward`."""
        return act.elu_backward(gradient, None, self.alpha, outputs=memory.outputs)


@dataclass(eq=False, repr=False)
class Softmax(Bend):
    """Turn scores into probabilities.

    Args:
        axis: along which they sum to 1.

    Input shape, output shape:
        any, the same

    >>> Softmax()(np.array([[0, 0.0]]))
    array([[0.5, 0.5]], dtype=float32)
    """

    axis: int = -1

    activation = "softmax"

    def bend(self, inputs: Floats) -> Floats:
        """By :func:`cnnlib.activations.softmax`."""
        return act.softmax(inputs, self.axis)

    def bend_backward(self, gradient: Floats, memory: Activated) -> Floats:
        """By :func:`cnnlib.activations.softmax_backward`."""
        return act.softmax_backward(gradient, None, self.axis, outputs=memory.outputs)


@dataclass(eq=False, repr=False)
class Rescaling(Weightless):
    """Multiply by ``scale`` and add ``offset``: pixels from 0 … 255 to 0 … 1 with ``Rescaling(1 / 255)``.

    Args:
        scale, offset: one number, or one a channel.

    Input shape, output shape:
        any, the same

    >>> Rescaling(1 / 255)(np.array([[0, 255]], dtype=np.uint8))
    array([[0., 1.]], dtype=float32)
    """

    scale: float | tuple[float, ...]
    offset: float | tuple[float, ...] = 0.0

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Floats, None]:
        """Scale, then shift."""
        scale, offset = (
            as_floats(getattr(self, name), name).astype(inputs.dtype) for name in ("scale", "offset")
        )
        for name, values in (("scale", scale), ("offset", offset)):
            if values.shape not in ((), (1,), inputs.shape[-1:]):
                raise ShapeError(f"{name} has shape {values.shape}; give one number or {inputs.shape[-1]}")
        return inputs * scale + offset, None

    def pass_back(self, gradient: Any, memory: None) -> Any:
        """The gradient, scaled."""
        return gradient * np.asarray(self.scale, gradient.dtype)
