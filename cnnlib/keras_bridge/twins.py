"""What Keras has in the place of each operator: functions of tensors, which TensorFlow's tape can follow.

They take the operator's own arguments and call the Keras layer with those weights, or the Keras function
where there is no layer. Only where Keras has neither do they call TensorFlow.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from cnnlib.keras_bridge.backend import keras, tensorflow
from cnnlib.keras_bridge.facts import layer_class

#: A tensor of TensorFlow, which this library does not know when it is imported.
Tensor = Any


@functools.lru_cache(maxsize=256)
def _built(kind: Any, channels: int, rank: int, options: tuple[tuple[str, Any], ...]) -> Any:
    """A built layer, kept: building takes longer than a call. Its own weights are never used."""
    layer = kind(**dict(options))
    layer.build((None, *[None] * rank, channels))
    return layer


def _call(
    kind: Any, inputs: Tensor, weights: Sequence[Tensor] = (), state: Sequence[Tensor] = (), **options: Any
) -> Any:
    """What a layer makes of ``inputs`` with these weights in place of its own."""
    training = options.pop("training", None)
    options |= {"dtype": inputs.dtype.name}
    frozen = tuple(sorted((n, tuple(v) if isinstance(v, list) else v) for n, v in options.items()))
    layer = _built(kind, inputs.shape[-1], len(inputs.shape) - 2, frozen)
    wanted = {} if training is None else {"training": training}
    outputs, after = layer.stateless_call(list(weights), list(state), inputs, **wanted)
    return (outputs, after) if training else outputs


def _spatial(name: str, inputs: Tensor, *weights: Tensor | None, **options: Any) -> Tensor:
    """The same for a layer that comes as 1D, 2D and 3D; a weight that is None is left out."""
    given = [weight for weight in weights if weight is not None]
    return _call(layer_class(name, len(inputs.shape) - 2), inputs, given, **options)


def _framed(inputs: Tensor, padding: Any) -> tuple[Tensor, str]:
    """The inputs with numbers or pairs of padding put around them, and the mode that is left to do."""
    if isinstance(padding, str):
        return inputs, padding
    rank = len(inputs.shape) - 2
    entries = [padding] * rank if isinstance(padding, int) else list(padding)
    pairs = [(entry, entry) if isinstance(entry, int) else tuple(entry) for entry in entries]
    return _spatial("ZeroPadding", inputs, padding=tuple(pairs) if rank > 1 else pairs[0]), "valid"


def conv(
    inputs: Tensor, kernel: Tensor, bias: Tensor | None = None, padding: Any = "valid", **options: Any
) -> Tensor:
    """Keras' ``Conv1D``, ``Conv2D`` or ``Conv3D``: kernel (*kernel_size, channels / groups, filters)."""
    inputs, mode = _framed(inputs, padding)
    options |= {"filters": kernel.shape[-1], "kernel_size": tuple(kernel.shape[:-2]), "padding": mode}
    return _spatial("Conv", inputs, kernel, bias, use_bias=bias is not None, **options)


def depthwise_conv(
    inputs: Tensor, kernel: Tensor, bias: Tensor | None = None, padding: Any = "valid", **options: Any
) -> Tensor:
    """Keras' ``DepthwiseConv1D`` or ``2D``: kernel (*kernel_size, channels, multiplier)."""
    inputs, mode = _framed(inputs, padding)
    options |= {"depth_multiplier": kernel.shape[-1], "kernel_size": tuple(kernel.shape[:-2])}
    return _spatial("DepthwiseConv", inputs, kernel, bias, use_bias=bias is not None, padding=mode, **options)


def separable_conv(
    inputs: Tensor,
    depthwise_kernel: Tensor,
    pointwise_kernel: Tensor,
    bias: Tensor | None = None,
    padding: Any = "valid",
    **options: Any,
) -> Tensor:
    """Keras' ``SeparableConv1D`` or ``2D``: pointwise_kernel (1, …, 1, channels · multiplier, filters)."""
    inputs, mode = _framed(inputs, padding)
    return _spatial(
        "SeparableConv",
        inputs,
        depthwise_kernel,
        pointwise_kernel,
        bias,
        filters=pointwise_kernel.shape[-1],
        kernel_size=tuple(depthwise_kernel.shape[:-2]),
        depth_multiplier=depthwise_kernel.shape[-1],
        use_bias=bias is not None,
        padding=mode,
        **options,
    )


def conv_transpose(inputs: Tensor, kernel: Tensor, bias: Tensor | None = None, **options: Any) -> Tensor:
    """Keras' ``Conv1DTranspose``, ``2D`` or ``3D``: kernel (*kernel_size, filters, channels)."""
    rank = len(inputs.shape) - 2
    kind = getattr(keras().layers, f"Conv{rank}DTranspose")
    options |= {"filters": kernel.shape[-2], "kernel_size": tuple(kernel.shape[:-2])}
    weights = [kernel] if bias is None else [kernel, bias]
    return _call(kind, inputs, weights, use_bias=bias is not None, **options)


def dense(inputs: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
    """Keras' ``Dense``: kernel (features, units)."""
    weights = [kernel] if bias is None else [kernel, bias]
    return _call(keras().layers.Dense, inputs, weights, units=kernel.shape[-1], use_bias=bias is not None)


def spatial_layer(name: str, inputs: Tensor, **options: Any) -> Tensor:
    """A layer without weights that comes as 1D, 2D and 3D (pooling, upsampling)."""
    if len(inputs.shape) == 3 and name == "UpSampling":  # UpSampling1D takes one number, not a tuple of one
        (options["size"],) = options["size"]
    return _spatial(name, inputs, **options)


def plain_layer(name: str, inputs: Tensor, **options: Any) -> Tensor:
    """A layer without weights that is the same for every rank (``Flatten``)."""
    return _call(getattr(keras().layers, name), inputs, **options)


def batch_normalization(
    inputs: Tensor, mean: Tensor, variance: Tensor, gamma: Tensor, beta: Tensor, epsilon: float
) -> Tensor:
    """Keras' ``BatchNormalization`` at inference, with these moving statistics (channels,)."""
    kind = keras().layers.BatchNormalization
    return _call(kind, inputs, [gamma, beta], [mean, variance], epsilon=epsilon)


def batch_normalization_train(
    inputs: Tensor, gamma: Tensor, beta: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The same in training; with a momentum of 0 the moving statistics (channels,) are those of the batch."""
    kind = keras().layers.BatchNormalization
    outputs, after = _call(
        kind, inputs, [gamma, beta], [gamma, gamma], epsilon=epsilon, momentum=0.0, training=True
    )
    return (outputs, *after)


def local_response_normalization(inputs: Tensor, **options: Any) -> Tensor:
    """TensorFlow's own function (batch, height, width, channels), since Keras has none."""
    return tensorflow().nn.local_response_normalization(inputs, **options)


def activation(name: str, inputs: Tensor, **options: Any) -> Tensor:
    """A function of ``keras.activations``, on inputs (batch, ..., channels)."""
    return getattr(keras().activations, name)(inputs, **options)


def loss(name: str, target: Tensor, output: Tensor, **options: Any) -> Tensor:
    """A class of ``keras.losses``: the mean over the batch of (batch, ..., classes)."""
    return getattr(keras().losses, name)(dtype=output.dtype.name, **options)(target, output)
