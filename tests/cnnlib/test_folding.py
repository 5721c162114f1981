"""Folding batch normalisation: the same outputs from fewer layers, in graphs of every kind."""

from __future__ import annotations

import numpy as np
import pytest

from cnnlib.architectures import mobilenet, resnet18, shufflenet
from cnnlib.folding import fold_batch_norm
from cnnlib.layers import (
    Activation,
    Add,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Dense,
    DepthwiseConv2D,
    Flatten,
    MaxPoolingWithSwitches2D,
    MaxUnpooling2D,
    ReLU,
)
from cnnlib.network import Input, Model, Sequential


def learn_something(model, rng) -> None:
    """Statistics and factors that are neither 0 nor 1."""
    for layer in model.layers:
        if isinstance(layer, BatchNormalization):
            n = next(iter(layer.weight_shapes.values()))
            layer.set_weights(
                [
                    rng.uniform(0.2, 2, n) if name in ("gamma", "moving_variance") else rng.normal(size=n)
                    for name in layer.weight_shapes
                ]
            )


def folded(model, rng):
    """The folded network, once it has been seen to compute the same."""
    model.astype("float64")
    learn_something(model, rng)
    made = fold_batch_norm(model)
    for shape in [(3, *node.shape[1:]) for node in model.inputs]:
        x = rng.normal(size=shape)
        wanted, found = model(x), made(x)
        listed = isinstance(wanted, list)
        for a, b in zip(*((wanted, found) if listed else ([wanted], [found])), strict=True):
            assert a.dtype == b.dtype
            assert np.allclose(a, b, rtol=1e-9, atol=1e-12)
    assert made.output_shape == model.output_shape
    assert made.name == model.name
    return made


def kinds(model) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def test_chain(rng):
    model = Sequential(
        [
            Input((9, 8, 3)),
            Conv2D(4, 3, strides=2, padding="same", groups=1),
            BatchNormalization(),
            Activation("relu6"),
            DepthwiseConv2D(3, depth_multiplier=2, use_bias=False),
            BatchNormalization(scale=False),
            Flatten(),
            Dense(5, use_bias=False),
            BatchNormalization(center=False, epsilon=0.1),
            Activation("softmax"),
        ]
    )
    made = folded(model, rng)
    assert kinds(made) == ["Conv2D", "DepthwiseConv2D", "Flatten", "Dense"]
    assert [layer.activation for layer in made.layers if not isinstance(layer, Flatten)] == [
        "relu6",
        None,
        "softmax",
    ]
    assert [layer.name for layer in made.layers] == ["conv2d", "depthwise_conv2d", "flatten", "dense"]


def test_one_dimension_and_neither_gamma_nor_beta(rng):
    model = Sequential([Input((9, 2)), Conv1D(3, 4), BatchNormalization(center=False, scale=False), ReLU(6)])
    assert kinds(folded(model, rng)) == ["Conv1D", "ReLU"]


@pytest.mark.parametrize(
    "layers",
    [
        lambda: [Conv2D(4, 3, activation="relu"), BatchNormalization()],  # the activation comes between
        lambda: [BatchNormalization(), Conv2D(4, 3)],  # nothing before it
        lambda: [Conv2D(4, 3), Activation("tanh"), BatchNormalization()],
        lambda: [Conv2DTranspose(4, 3), BatchNormalization()],
    ],
)
def test_what_cannot_be_folded_stays(layers, rng):
    model = Sequential([Input((6, 6, 2)), *layers()])
    assert kinds(folded(model, rng)) == kinds(model)


def test_a_convolution_that_somebody_else_reads_stays(rng):
    image = Input((6, 6, 4))
    sums = Conv2D(4, 3, padding="same")(image)
    model = Model(image, Add()([BatchNormalization()(sums), sums]))
    assert kinds(folded(model, rng)) == ["Conv2D", "BatchNormalization", "Add"]


def test_a_convolution_whose_maps_are_asked_for_stays(rng):
    image = Input((6, 6, 4))
    sums = Conv2D(4, 3)(image)
    assert kinds(folded(Model(image, [sums, BatchNormalization()(sums)]), rng)) == [
        "Conv2D",
        "BatchNormalization",
    ]


def test_an_activation_stays_where_the_normalised_maps_are_read_too(rng):
    image = Input((6, 6, 4))
    normal = BatchNormalization()(Conv2D(4, 3, padding="same")(image))
    model = Model(image, Add()([Activation("relu")(normal), normal]))
    assert kinds(folded(model, rng)) == ["Conv2D", "Activation", "Add"]


def test_shared_layers_stay_shared(rng):
    image = Input((6, 6, 4))
    conv, norm = Conv2D(4, 3, padding="same"), BatchNormalization()
    model = Model(image, norm(conv(norm(conv(image)))))
    assert kinds(folded(model, rng)) == ["Conv2D", "BatchNormalization"]


def test_layers_with_two_outputs_and_frozen_ones(rng):
    image = Input((6, 6, 2))
    normal = BatchNormalization()(Conv2D(4, 3, padding="same")(image))
    pooled, switches = MaxPoolingWithSwitches2D()(normal)
    last = Conv2D(2, 1)
    last.trainable = False
    model = Model(image, last(MaxUnpooling2D()([pooled, switches])))
    made = folded(model, rng)
    assert kinds(made) == ["Conv2D", "MaxPoolingWithSwitches2D", "MaxUnpooling2D", "Conv2D"]
    assert made.layers[-1].trainable == ()


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: resnet18((32, 32, 3), 5), marks=pytest.mark.slow),
        lambda: mobilenet((32, 32, 3), 5, alpha=0.25),
        lambda: shufflenet((32, 32, 3), 5, groups=1),
    ],
    ids=["resnet18", "mobilenet", "shufflenet"],
)
def test_whole_networks_lose_every_normalisation(make, rng):
    made = folded(make(), rng)
    assert "BatchNormalization" not in kinds(made)


def test_the_first_network_is_left_as_it_was(rng):
    model = Sequential([Input((6, 6, 2)), Conv2D(4, 3), BatchNormalization()])
    learn_something(model, rng)
    before = model.get_weights()
    made = fold_batch_norm(model)
    made.layers[0].weights["kernel"][...] = 0
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert kinds(model) == ["Conv2D", "BatchNormalization"]
