"""Batch normalisation folded into the convolution before it, once learning is done. Chapter 13.

In use, batch normalisation multiplies every feature map by a number and adds another. A convolution can do
both itself, with larger or smaller weights and another bias: the same outputs, in fewer passes over memory.

>>> from cnnlib.layers import Activation, BatchNormalization, Conv2D
>>> from cnnlib.network import Input, Sequential
>>> network = Sequential([Input((8, 8, 3)), Conv2D(4, 3), BatchNormalization(), Activation("relu")])
>>> [(layer.label, layer.activation) for layer in fold_batch_norm(network).layers]
[('conv2d (Conv2D)', 'relu')]
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlib.layers import Activation, BatchNormalization, Dense, Layer, Node
from cnnlib.layers.convolutional import Conv, DepthwiseConv
from cnnlib.layers.nodes import Call
from cnnlib.network import Input, Model

#: Layers whose kernel has the output channels on its last axes, so that it can be scaled map by map.
FOLDABLE = (Conv, DepthwiseConv, Dense)


def fold_batch_norm(model: Model) -> Model:
    """A network with the same outputs, in which convolutions do what the normalisations behind them did.

    A normalisation is folded into the convolution, depthwise convolution or dense layer before it if that has
    no activation and nobody else reads its outputs; an :class:`cnnlib.layers.Activation` that comes next
    moves into the layer too. Everything else is copied. Weights are not shared with ``model``, which stays as
    it is.

    Args:
        model: built, with the weights that it is to be used with.

    Returns:
        a new network. It can be trained no better than a network without batch normalisation.
    """
    chains = _chains(model)
    behind = {call for chain in chains.values() for call in chain}
    made: dict[Node, Node] = {node: Input(node.shape[1:], name=node.layer.name) for node in model.inputs}
    copies: dict[Layer, Layer] = {}
    for call in model.calls:
        if call in behind:  # done already by the layer before
            continue
        chain = chains.get(call, [])
        new = call.layer not in copies
        layer = copies.setdefault(call.layer, _copy(call.layer, chain)) if new else copies[call.layer]
        given = [made[node] for node in call.inputs]
        outputs = layer(given if call.takes_list else given[0])
        if new and layer.weight_shapes:
            layer.set_weights(_folded(call.layer, chain) if chain else call.layer.get_weights())
        last = chain[-1] if chain else call
        made.update(zip(last.outputs, outputs if isinstance(outputs, list) else [outputs], strict=True))
    ends = [[made[node] for node in nodes] for nodes in (model.inputs, model.outputs)]
    inputs, outputs = (nodes if len(nodes) > 1 else nodes[0] for nodes in ends)
    return Model(inputs, outputs, name=model.name)


def _chains(model: Model) -> dict[Call, list[Call]]:
    """For every call that takes others in: the normalisation behind it, and the activation behind that."""
    readers: dict[Node, list[Call]] = {}
    for call in model.calls:
        for node in call.inputs:
            readers.setdefault(node, []).append(call)
    uses = Counter(call.layer for call in model.calls)

    def next_call(call: Call, kind: type[Layer]) -> Call | None:
        (node,) = call.outputs
        found = readers.get(node, [])
        if len(found) != 1 or node in model.outputs or not isinstance(found[0].layer, kind):
            return None
        return found[0] if uses[found[0].layer] == 1 else None

    chains = {}
    for call in model.calls:
        layer: Any = call.layer
        if not isinstance(layer, FOLDABLE) or layer.activation is not None or uses[layer] > 1:
            continue
        if normalisation := next_call(call, BatchNormalization):
            bend = next_call(normalisation, Activation)
            chains[call] = [normalisation] + ([bend] if bend else [])
    return chains


def _copy(layer: Layer, chain: list[Call]) -> Layer:
    """A layer with the same arguments, or with those that let it do the work of the chain behind it."""
    config = layer.get_config() | {"name": layer.name}
    if chain:
        bend = chain[1].layer.activation if len(chain) > 1 else None  # type: ignore[attr-defined]
        config |= {"use_bias": True, "activation": bend}
    return type(layer).from_config(config)


def _folded(layer: Layer, chain: list[Call]) -> list[NDArray]:
    """Kernel and bias of the layer that does the normalisation too."""
    kernel, bias = layer.weights["kernel"], layer.weights.get("bias", 0)
    scale, shift = _scale_and_shift(chain[0].layer)
    channels = kernel.shape[-2:] if isinstance(layer, DepthwiseConv) else kernel.shape[-1:]
    return [kernel * scale.reshape(channels), bias * scale + shift]


def _scale_and_shift(norm: Any) -> tuple[NDArray, NDArray]:
    """What a normalisation multiplies every map by and then adds, in double precision."""
    weights = {name: weight.astype(np.float64) for name, weight in norm.weights.items()}
    scale = weights.get("gamma", 1.0) / np.sqrt(weights["moving_variance"] + norm.epsilon)
    return scale, weights.get("beta", 0.0) - weights["moving_mean"] * scale
