"""Whole networks on both sides of the bridge: the same layers and weights in Keras and here. Chapter 11.

:func:`to_keras` builds the Keras model of one of our networks, :func:`from_keras` the other way round, and
:func:`copy_weights` carries weights between two that are there already. A layer has its twin in the layer
of the same name; what Keras has not (other paddings, strides together with dilation, switches, local
response normalisation …) is put together from Keras' and TensorFlow's own operators, never from ours, so
that the two sides stay independent of each other.

>>> from cnnlib.layers import Conv2D, Flatten
>>> from cnnlib.network import Input, Sequential
>>> ours = Sequential([Input((6, 6, 1)), Conv2D(2, 3, strides=2, padding=1, name="first"), Flatten()])
>>> theirs = to_keras(ours)
>>> theirs.count_params() == ours.count_params()
True
>>> images = np.arange(36, dtype=np.float32).reshape(1, 6, 6, 1)
>>> np.allclose(ours(images), theirs(images), rtol=1e-5)
True
"""

from __future__ import annotations

import dataclasses
import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlib import layers, sizes
from cnnlib.errors import CnnError, ShapeError
from cnnlib.keras_bridge.backend import keras, tensorflow
from cnnlib.layers.base import Layer
from cnnlib.layers.nodes import Node
from cnnlib.network import Input, Model
from cnnlib.padding import PAD_MODES, amounts_for

#: A tensor of Keras or TensorFlow, which this library does not know when it is imported.
Tensor = Any


class BridgeError(CnnError, ValueError):
    """A layer or model that the other side cannot have."""


# From here to Keras


def to_keras(model: Model) -> Any:
    """The Keras model with the layers, names and weights of one of ours.

    Args:
        model: of known input shape.

    Returns:
        a ``keras.Model``; where a layer needs help, there are several Keras layers, such as
        ``conv2d_pad`` before ``conv2d``.

    Raises:
        BridgeError: a layer that Keras cannot have; the message names it.
    """
    twins: dict[Layer, list[Any]] = {}
    kind = model.dtype  # Keras would round inputs to float32
    tensors = {
        node: keras().Input(node.shape[1:], name=_input_name(node), dtype=kind) for node in model.inputs
    }
    for call in model.calls:
        given = [tensors[node] for node in call.inputs]
        made: Any = given if call.takes_list else given[0]
        try:
            if call.layer not in twins:
                twins[call.layer] = _twins(call.layer)
            for twin in twins[call.layer]:
                if getattr(twin, "sized", False) and None in made.shape[1:-1]:
                    raise BridgeError(
                        f"padding {getattr(call.layer, 'padding', '')!r} needs inputs of known size"
                    )
                made = twin(made)
        except BridgeError as error:
            raise BridgeError(f"{call.layer.label}: {error}") from None
        except (ValueError, TypeError, NotImplementedError) as error:
            raise BridgeError(f"{call.layer.label}: Keras refuses it: {_first_line(error)}") from None
        several = made if isinstance(made, (list, tuple)) else [made]
        tensors.update(zip(call.outputs, several, strict=True))
    ends = ([tensors[node] for node in nodes] for nodes in (model.inputs, model.outputs))
    theirs = keras().Model(*(end[0] if len(end) == 1 else end for end in ends), name=model.name)
    copy_weights(model, theirs)
    return theirs


def _input_name(node: Node) -> str:
    """The name of an input; where a network begins within another one, a name of its own."""
    return node.layer.name if not node.parents else f"{node.layer.name}_outputs"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _twins(layer: Layer) -> list[Any]:
    """The Keras layers that together compute what this one does, one after the other."""
    for kind in type(layer).__mro__:
        if kind.__name__ in TWINS:
            return TWINS[kind.__name__](layer)
    if not hasattr(keras().layers, type(layer).__name__):
        raise BridgeError("Keras has no such layer, and none is put together here")
    return [_same(layer)]


def _same(layer: Layer, **changes: Any) -> Any:
    """Keras' layer of the same name, with those of our arguments that it knows."""
    kind = getattr(keras().layers, type(layer).__name__)
    known = inspect.signature(kind.__init__).parameters
    arguments = {
        field.name: getattr(layer, field.name)
        for field in dataclasses.fields(layer)
        if field.name in known or field.name in ("name", "dtype")
    }
    return kind(**(arguments | changes))


def _custom(
    layer: Layer, function: Callable[..., Tensor], name: str | None = None, sized: bool = False
) -> Any:
    """A Keras layer that applies a function to tensors (inputs, *weights).

    It has the weights and the name of ours, unless it gets a name of its own and has none. One that is
    ``sized`` needs to know the size of its inputs.
    """
    shapes = {} if name else layer.weight_shapes

    class Custom(keras().layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name=name or layer.name, dtype=layer.dtype)
            self.arrays = [
                self.add_weight(name=key, shape=shape, trainable=key in layer.LEARNED)
                for key, shape in shapes.items()
            ]
            self.built, self.sized = True, sized

        def call(self, inputs: Any) -> Any:
            return function(inputs, *self.arrays)

    Custom.__name__ = type(layer).__name__
    return Custom()


def _padded(layer: Any, inputs: Tensor, size: Any, filling: float = 0, mode: str = "constant") -> Tensor:
    """The inputs, padded as ``layer`` wants it for windows of this size."""
    spatial = tuple(inputs.shape[1:-1])
    dilation = getattr(layer, "dilation_rate", 1)
    amounts = amounts_for(spatial, size, layer.strides, layer.padding, dilation)
    if mode == "constant":
        return keras().ops.pad(inputs, [(0, 0), *amounts, (0, 0)], constant_values=filling)
    for axis, (length, pair) in enumerate(zip(spatial, amounts, strict=True), 1):
        taken = np.pad(np.arange(length), pair, mode=PAD_MODES[mode])  # type: ignore[call-overload]
        inputs = keras().ops.take(inputs, taken, axis=axis)
    return inputs


def _conv(layer: Any) -> list[Any]:
    """Convolution of any kind: as Keras has it, or between padding before it and thinning after it."""
    kind = type(layer).__name__
    mode, value = getattr(layer, "pad_mode", "constant"), getattr(layer, "pad_value", 0)
    both = max(layer.strides) > 1 and max(layer.dilation_rate) > 1  # Keras refuses one with the other
    uneven = "Depthwise" in kind or "Separable" in kind  # these take one stride for all axes
    thinned = both or (uneven and len(set(layer.strides)) > 1)
    named = layer.padding in ("valid", "same") or (layer.padding == "causal" and kind == "Conv1D")
    if named and not thinned and mode == "constant" and value == 0:
        return [_same(layer)]

    def pad(inputs: Tensor) -> Tensor:
        return _padded(layer, inputs, layer.kernel_size, value, mode)

    before = _custom(layer, pad, f"{layer.name}_pad", sized=True)
    if not thinned:
        return [before, _same(layer, padding="valid")]
    places = (slice(None), *(slice(None, None, step) for step in layer.strides))
    after = _custom(layer, lambda inputs: inputs[places], f"{layer.name}_strides")
    return [before, _same(layer, padding="valid", strides=1), after]


def _conv_transpose(layer: Any) -> list[Any]:
    """Transposed convolution: as Keras has it, or with no padding and then cropped.

    An even kernel with ``same`` and no output padding is cropped too: TensorFlow ends the process there.
    """
    fatal = layer.padding == "same" and any(k % 2 == 0 for k in layer.kernel_size) and layer.output_padding
    if layer.padding in ("valid", "same") and not (fatal and 0 in layer.output_padding):
        return [_same(layer)]
    rank = layer.rank
    added = layer.output_padding or (None,) * rank
    crops = []
    for size, step, padding, extra, dilation in zip(
        layer.kernel_size,
        layer.strides,
        sizes.split_padding(layer.padding, rank),
        added,
        layer.dilation_rate,
        strict=True,
    ):
        before, after = sizes.transposed_crop(size, step, padding, extra, dilation)
        _, spare = sizes.transposed_crop(size, step, "valid", None, dilation)  # what Keras adds by itself
        crops.append((before, after - spare))
    if min(map(min, crops)) < 0:
        raise BridgeError(f"Keras cannot crop its outputs by {crops}")
    crop = _crop_layer(rank, crops, name=f"{layer.name}_crop")
    return [_same(layer, padding="valid", output_padding=None), crop]


def _crop_layer(rank: int, crops: Sequence[tuple[int, int]], **options: Any) -> Any:
    kind = getattr(keras().layers, f"Cropping{rank}D")
    return kind(crops[0] if rank == 1 else tuple(crops), **options)


def _locally_connected(layer: Any) -> list[Any]:
    """Local windows, each with weights of its own: a product for every place."""
    rank, ops = layer.rank, keras().ops

    def connect(inputs: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
        values = _padded(layer, inputs, layer.kernel_size)
        places = tuple(kernel.shape[:rank])
        taps = []
        for tap in np.ndindex(*layer.kernel_size):
            starts = [t * d for t, d in zip(tap, layer.dilation_rate, strict=True)]
            window = (
                slice(start, start + (n - 1) * step + 1, step)
                for start, n, step in zip(starts, places, layer.strides, strict=True)
            )
            taps.append(values[(slice(None), *window)])
        count, channels, filters = len(taps), kernel.shape[-2], kernel.shape[-1]
        seen = ops.reshape(ops.stack(taps, axis=-2), (-1, int(np.prod(places)), count, channels))
        weights = ops.reshape(kernel, (int(np.prod(places)), count, channels, filters))
        sums = ops.reshape(ops.einsum("bpkc,pkcf->bpf", seen, weights), (-1, *places, filters))
        sums = sums if bias is None else sums + bias
        return sums if layer.activation is None else keras().activations.get(layer.activation)(sums)

    return [_custom(layer, connect, sized=True)]


def _max_pooling(layer: Any) -> list[Any]:
    if layer.padding in ("valid", "same"):
        return [_same(layer)]
    before = _custom(
        layer, lambda x: _padded(layer, x, layer.pool_size, -np.inf), f"{layer.name}_pad", sized=True
    )
    return [before, _same(layer, padding="valid")]


def _window_sums(layer: Any, inputs: Tensor) -> Tensor:
    """The sum of every window, with padding counted as 0."""
    values = _padded(layer, inputs, layer.pool_size)
    means = tensorflow().nn.avg_pool(values, layer.pool_size, layer.strides, "VALID")
    return means * float(np.prod(layer.pool_size))


def _average_pooling(layer: Any) -> list[Any]:
    """With padding by numbers a quotient of sums, since padding is not counted."""
    if layer.padding in ("valid", "same"):
        return [_same(layer)]

    def mean(inputs: Tensor) -> Tensor:
        return _window_sums(layer, inputs) / _window_sums(layer, keras().ops.ones_like(inputs))

    return [_custom(layer, mean, sized=True)]


def _l2_pooling(layer: Any) -> list[Any]:
    ops = keras().ops

    def length(inputs: Tensor) -> Tensor:
        return ops.sqrt(_window_sums(layer, ops.square(inputs)))

    return [_custom(layer, length, sized=True)]


def _pooling_with_switches(layer: Any) -> list[Any]:
    """TensorFlow's own, its places counted without channels and without padding."""
    tf = tensorflow()

    def pool(inputs: Tensor) -> list[Tensor]:
        _, width, channels = inputs.shape[1:]
        mode = str(layer.padding).upper()
        shift, wide = (0, 0), width
        values = inputs
        if mode not in ("VALID", "SAME"):
            values, mode = _padded(layer, inputs, layer.pool_size, -np.inf), "VALID"
            amounts = amounts_for(inputs.shape[1:-1], layer.pool_size, layer.strides, layer.padding)
            shift, wide = (amounts[0][0], amounts[1][0]), values.shape[2]
        pooled, places = tf.nn.max_pool_with_argmax(values, layer.pool_size, layer.strides, mode)
        places = places // channels
        return [pooled, (places // wide - shift[0]) * width + places % wide - shift[1]]

    return [_custom(layer, pool, sized=True)]


def _unpooling(layer: Any) -> list[Any]:
    """Values scattered to their places; where two meet, the sum of one and zeros is TensorFlow's last."""
    tf = tensorflow()

    def unpool(inputs: list[Tensor]) -> Tensor:
        values, switches = inputs
        shape = layer.compute_output_shape([tuple(values.shape), tuple(switches.shape)])
        plane, channels = int(np.prod(shape[1:-1])), shape[-1]
        count = tf.shape(values)[0]
        image = tf.cast(tf.reshape(tf.range(count), (-1, 1, 1, 1)), switches.dtype)
        flat = (image * plane + switches) * channels + tf.range(channels, dtype=switches.dtype)
        canvas = tf.zeros([count * plane * channels], values.dtype)
        updated = tf.tensor_scatter_nd_update(canvas, tf.reshape(flat, (-1, 1)), tf.reshape(values, [-1]))
        return tf.reshape(updated, (-1, *shape[1:]))

    return [_custom(layer, unpool)]


def _local_response_normalization(layer: Any) -> list[Any]:
    """TensorFlow's own, on images of any rank."""
    alpha = layer.alpha / (2 * layer.depth_radius + 1) if layer.alpha_over_n else layer.alpha

    def normalize(inputs: Tensor) -> Tensor:
        rows = tensorflow().reshape(inputs, (-1, 1, 1, inputs.shape[-1]))
        made = tensorflow().nn.local_response_normalization(
            rows, layer.depth_radius, layer.bias, alpha, layer.beta
        )
        return tensorflow().reshape(made, (-1, *inputs.shape[1:]))

    return [_custom(layer, normalize)]


def _channel_shuffle(layer: Any) -> list[Any]:
    """Channels as a table, groups by members, turned on its side."""

    def shuffle(inputs: Tensor) -> Tensor:
        order = np.arange(inputs.shape[-1]).reshape(layer.groups, -1).T.ravel()
        return keras().ops.take(inputs, order, axis=-1)

    return [_custom(layer, shuffle)]


def _subsampling(layer: Any) -> list[Any]:
    """LeNet-5's pooling: the sum over each window, times a coefficient, plus a bias."""

    def subsample(inputs: Tensor, coefficient: Tensor, bias: Tensor) -> Tensor:
        means = tensorflow().nn.avg_pool2d(inputs, layer.pool_size, layer.pool_size, "VALID")
        return means * layer.pool_size**2 * coefficient + bias

    return [_custom(layer, subsample)]


def _partial_conv(layer: Any) -> list[Any]:
    """LeNet-5's C3: a convolution for every filter, of the maps that it sees."""
    ops = keras().ops

    def connect(inputs: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
        maps, first = [], 0
        for seen in layer.table:
            weights = kernel[:, :, first : first + len(seen), None]
            maps.append(ops.conv(ops.take(inputs, list(seen), axis=-1), weights, padding="valid"))
            first += len(seen)
        return ops.concatenate(maps, axis=-1) + bias

    return [_custom(layer, connect)]


def _radial_basis(layer: Any) -> list[Any]:
    """LeNet-5's outputs: squared distances."""
    ops = keras().ops
    return [_custom(layer, lambda inputs, codes: ops.sum((inputs[:, :, None] - codes) ** 2, axis=1))]


def _scaled_tanh(layer: Any) -> list[Any]:
    """LeNet-5's squashing function."""
    return [_custom(layer, lambda inputs: layer.amplitude * keras().ops.tanh(layer.slope * inputs))]


#: Layers whose twin is not simply Keras' layer of the same name and arguments.
TWINS: dict[str, Callable[[Any], list[Any]]] = {
    "Conv": _conv,
    "DepthwiseConv": _conv,
    "SeparableConv": _conv,
    "ConvTranspose": _conv_transpose,
    "LocallyConnected": _locally_connected,
    "MaxPoolingWithSwitches2D": _pooling_with_switches,
    "MaxUnpooling2D": _unpooling,
    "MaxPooling": _max_pooling,
    "AveragePooling": _average_pooling,
    "L2Pooling": _l2_pooling,
    "LocalResponseNormalization": _local_response_normalization,
    "ChannelShuffle": _channel_shuffle,
    "Subsampling2D": _subsampling,
    "PartialConv2D": _partial_conv,
    "RadialBasis": _radial_basis,
    "ScaledTanh": _scaled_tanh,
    "ZeroPadding1D": lambda layer: [_same(layer, padding=layer.amounts[0])],
    "Cropping1D": lambda layer: [_same(layer, cropping=layer.amounts[0])],
    "UpSampling1D": lambda layer: [_same(layer, size=layer.size[0])],
}


# From Keras to here


def from_keras(theirs: Any) -> Model:
    """Our network with the layers, names and weights of a Keras model, sequential or functional.

    Args:
        theirs: built; a model that stands in it as one layer is taken apart.

    Raises:
        BridgeError: a layer, or an argument of one, that there is not here; the message names it.
    """
    graph = _functional(theirs)
    twins: dict[Any, Layer] = {}

    def operation(layer: Any) -> Callable[..., Any]:
        if hasattr(layer, "_run_through_graph") or hasattr(layer, "_functional"):
            inner = _functional(layer)
            return lambda *nodes, **options: inner._run_through_graph(nodes, operation)
        if layer not in twins:
            twins[layer] = _our_layer(layer)
        return lambda inputs, *rest, **options: twins[layer](inputs)

    nodes = [
        Input(tuple(tensor.shape)[1:], name=tensor._keras_history.operation.name) for tensor in graph.inputs
    ]
    outputs = graph._run_through_graph(nodes, operation)
    ours = Model(nodes[0] if len(nodes) == 1 else nodes, outputs, name=theirs.name)
    for layer, twin in twins.items():
        _set(twin, layer.get_weights())
    return ours


def _functional(theirs: Any) -> Any:
    """The graph of a Keras model, or what it lacks."""
    graph = getattr(theirs, "_functional", theirs)
    if graph is None:
        raise BridgeError(f"{theirs.name} is not built yet; give its input shape by build() or an Input")
    if not hasattr(graph, "_run_through_graph"):
        raise BridgeError(f"{theirs.name} is a {type(theirs).__name__}, not a sequential or functional model")
    return graph


def _our_layer(theirs: Any) -> Layer:
    """Our layer of the same name, or which of its arguments we do not have."""
    label = f"{theirs.name} ({type(theirs).__name__})"
    kind = layers.LAYERS.get(type(theirs).__name__)
    if kind is None:
        raise BridgeError(f"{label}: there is no such layer here")
    with warnings.catch_warnings(action="ignore"):  # of functions without a name, which are refused below
        config = theirs.get_config() | {"dtype": theirs.variable_dtype}
    known = {field.name for field in dataclasses.fields(kind)} | {"trainable"}
    arguments = {}
    for key, value in config.items():
        if key.endswith(("_initializer", "_regularizer", "_constraint")) or key in SILENT:
            continue
        if key in known:
            arguments[key] = value
        elif key == "axis" and len(theirs.input.shape) - 1 == value % len(theirs.input.shape):
            continue  # the last, as always here
        elif value not in NEUTRAL.get(key, (None,)):
            raise BridgeError(f"{label}: there is no {key}={value!r} here")
    if isinstance(arguments.get("activation"), dict):
        raise BridgeError(f"{label}: its activation has no name that is known here")
    try:
        return kind.from_config(arguments)
    except CnnError as error:
        raise BridgeError(f"{label}: {error}") from None


#: Arguments of Keras' layers that say nothing of what they compute, only of how it is run or trained.
SILENT = frozenset({"autocast", "seed", "implementation", "synchronized", "sparse", "ragged", "optional"})
#: Arguments that there are not here, and the values of them that change nothing.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "data_format": ("channels_last", None),
    "threshold": (0.0, None),
    "renorm": (False,),
    "renorm_clipping": (None,),
    "renorm_momentum": (0.99,),
    "groups": (1,),
}


# Weights


def copy_weights(source: Any, target: Any) -> None:
    """Give one network the weights of another: ours or a Keras model, either way.

    Layers are matched by name where all that have weights have the same names on both sides, and by their
    order otherwise.

    Raises:
        ShapeError: not as many layers with weights, or a layer with weights of another shape.

    >>> from cnnlib.layers import Dense
    >>> from cnnlib.network import Input, Sequential
    >>> first, second = (Sequential([Input((3,)), Dense(2)]) for _ in range(2))
    >>> copy_weights(first, second)
    >>> np.array_equal(first(np.eye(3)), second(np.eye(3)))
    True
    """
    givers, takers = _weighted(source), _weighted(target)
    if len(givers) != len(takers):
        raise ShapeError(
            f"{source.name} has {len(givers)} layers with weights and {target.name} has {len(takers)}; "
            "they must be the same network"
        )
    by_name = {layer.name: layer for layer in givers}
    if by_name.keys() == {layer.name for layer in takers}:
        givers = [by_name[layer.name] for layer in takers]
    for giver, taker in zip(givers, takers, strict=True):
        _set(taker, giver.get_weights(), of=giver.name)


def _weighted(model: Any) -> list[Any]:
    """The layers with weights, those of models within the model too."""
    found = []
    for layer in model.layers:
        if getattr(layer, "layers", None):
            found += _weighted(layer)
        elif _shapes(layer):
            found.append(layer)
    return found


def _shapes(layer: Any) -> list[tuple[int, ...]]:
    if isinstance(layer, Layer):
        return list(layer.weight_shapes.values())
    return [tuple(weight.shape) for weight in layer.weights]


def _set(layer: Any, weights: list[NDArray], of: str = "") -> None:
    given, wanted = [tuple(weight.shape) for weight in weights], _shapes(layer)
    if given != wanted:
        named = f" of {of}" if of else ""
        raise ShapeError(f"{layer.name} has weights of shape {wanted}, but those{named} are {given}")
    if given:
        layer.set_weights(weights)
