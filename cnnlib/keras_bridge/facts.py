"""What Keras says of a layer before any number goes through it: shapes and counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cnnlib.errors import ShapeError
from cnnlib.keras_bridge.backend import keras


def layer_class(name: str, rank: int) -> Any:
    """Keras' class for ``rank`` spatial axes: ``layer_class("Conv", 2)`` is ``keras.layers.Conv2D``."""
    if rank not in (1, 2, 3):
        raise ShapeError(f"Keras has {name}1D, 2D and 3D, but the input has {rank} spatial axes")
    return getattr(keras().layers, f"{name}{rank}D")


@dataclass(frozen=True)
class LayerFacts:
    """What Keras says of a layer before any number goes through it."""

    name: str
    output_shape: tuple[int | None, ...]
    weight_shape: tuple[int, ...] | None
    parameters: int


def layer_facts(layer: Any, input_shape: Sequence[int | None]) -> LayerFacts:
    """Build a Keras layer for ``input_shape`` (batch, *spatial, channels) and read its shapes and counts.

    >>> layer_facts(keras().layers.Conv2D(10, 5, padding="same"), (1, 32, 32, 3))
    LayerFacts(name='Conv2D', output_shape=(1, 32, 32, 10), weight_shape=(5, 5, 3, 10), parameters=760)
    """
    layer.build(tuple(input_shape))
    output = layer.compute_output_shape(tuple(input_shape))
    weights = tuple(layer.weights[0].shape) if layer.weights else None
    return LayerFacts(type(layer).__name__, tuple(output), weights, int(layer.count_params()))


def conv_facts(input_shape: Sequence[int], filters: int, kernel_size: Any, **arguments: Any) -> LayerFacts:
    """Shapes and counts of Keras' ``Conv1D``, ``Conv2D`` or ``Conv3D``, chosen by ``input_shape``.

    >>> conv_facts((1, 6, 1), filters=1, kernel_size=2, strides=2).output_shape
    (1, 3, 1)
    """
    layer = layer_class("Conv", len(input_shape) - 2)
    return layer_facts(layer(filters, kernel_size, **arguments), input_shape)


def pool_facts(input_shape: Sequence[int], pool_size: Any, **arguments: Any) -> LayerFacts:
    """Shapes of Keras' ``MaxPooling1D``, ``2D`` or ``3D``, chosen by ``input_shape``.

    >>> pool_facts((1, 28, 28, 6), pool_size=2).output_shape
    (1, 14, 14, 6)
    """
    layer = layer_class("MaxPooling", len(input_shape) - 2)
    return layer_facts(layer(pool_size, **arguments), input_shape)
