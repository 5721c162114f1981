"""Whole networks across the bridge: every layer there and back, and the networks that Keras ships."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cnnlib import layers
from cnnlib.errors import ShapeError
from cnnlib.keras_bridge.models import BridgeError, copy_weights, from_keras, to_keras
from cnnlib.layers import (
    ELU,
    LAYERS,
    Activation,
    Add,
    Average,
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    BatchNormalization,
    ChannelShuffle,
    Concatenate,
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    Cropping1D,
    Cropping2D,
    Cropping3D,
    Dense,
    DepthwiseConv1D,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    L2Pooling1D,
    L2Pooling2D,
    L2Pooling3D,
    LeakyReLU,
    LocallyConnected1D,
    LocallyConnected2D,
    LocalResponseNormalization,
    Maximum,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
    MaxPoolingWithSwitches2D,
    MaxUnpooling2D,
    Multiply,
    Permute,
    ReLU,
    Rescaling,
    Reshape,
    SeparableConv1D,
    SeparableConv2D,
    Softmax,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
    Subtract,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from cnnlib.network import Input, Model, Sequential

pytestmark = pytest.mark.keras

ROW, IMAGE, VOLUME = (13, 4), (9, 8, 4), (6, 5, 7, 4)

#: Layers that read one array: each is to be equal to its Keras twin on inputs of this shape.
SINGLE = {
    ROW: [
        Conv1D(6, 3, activation="relu"),
        Conv1D(6, 3, 2, "same", groups=2),
        Conv1D(3, 3, padding="causal", dilation_rate=2),
        Conv1D(3, 4, padding="full", strides=3),
        Conv1D(3, 3, padding=[(2, 1)], dilation_rate=2, strides=2),
        Conv1D(3, 3, padding=2, pad_mode="circular"),
        Conv1DTranspose(3, 3, strides=2),
        Conv1DTranspose(3, 5, strides=3, padding="same", activation="tanh"),
        Conv1DTranspose(3, 5, strides=3, padding=2, output_padding=0),
        DepthwiseConv1D(3, 2, "same", depth_multiplier=2),
        DepthwiseConv1D(3, padding="causal"),
        SeparableConv1D(5, 3, padding="same", activation="silu"),
        LocallyConnected1D(5, 3, 2, activation="relu"),
        LocallyConnected1D(5, 3, padding="same", dilation_rate=2, use_bias=False),
        MaxPooling1D(3, 2, "same"),
        AveragePooling1D(3, 2, "same"),
        L2Pooling1D(3, 2, "same"),
        GlobalMaxPooling1D(),
        GlobalAveragePooling1D(keepdims=True),
        UpSampling1D(3),
        ZeroPadding1D((2, 1)),
        Cropping1D((1, 3)),
        SpatialDropout1D(0.5),
        ChannelShuffle(2),
        LocalResponseNormalization(1, 2.0, 0.5, 0.75, alpha_over_n=True),
        Permute((2, 1)),
    ],
    IMAGE: [
        Conv2D(6, (3, 2), activation="elu"),
        Conv2D(6, 3, (2, 1), "same"),
        Conv2D(6, 3, padding=1, use_bias=False),
        Conv2D(6, 3, 2, "same", dilation_rate=2, groups=2),
        Conv2D(6, 3, (2, 1), padding=[(0, 2), 1], dilation_rate=(1, 2), activation="gelu"),
        Conv2D(6, 3, padding="causal"),
        Conv2D(6, 3, padding="full", pad_mode="reflect"),
        Conv2D(6, 3, padding="same", pad_mode="edge", activation="leaky_relu"),
        Conv2D(6, 3, padding=2, pad_value=1.5),
        Conv2DTranspose(3, 3, 2, "same", activation="relu6"),
        Conv2DTranspose(3, 4, 2, "same"),
        Conv2DTranspose(3, 4, 2, "same", output_padding=0),
        Conv2DTranspose(3, 3, 2, 1, output_padding=1),
        DepthwiseConv2D(3, 2, "same", depth_multiplier=2, activation="relu6"),
        DepthwiseConv2D(3, (1, 2), padding=1),
        DepthwiseConv2D(3, 2, dilation_rate=2),
        SeparableConv2D(5, 3, 2, "same", depth_multiplier=3),
        SeparableConv2D(5, (2, 3), padding=(1, 2)),
        LocallyConnected2D(5, 3, 2, activation="softmax"),
        LocallyConnected2D(5, (2, 3), padding="same"),
        MaxPooling2D(),
        MaxPooling2D(3, 2, 1),
        AveragePooling2D(3, 1, "same"),
        AveragePooling2D((3, 2), 2, 1),
        L2Pooling2D(3, 2, 1),
        GlobalMaxPooling2D(keepdims=True),
        GlobalAveragePooling2D(),
        UpSampling2D((2, 3)),
        UpSampling2D(2, interpolation="bilinear"),
        ZeroPadding2D(((1, 2), (0, 3))),
        Cropping2D(((1, 2), (0, 3))),
        Permute((3, 1, 2)),
        Reshape((-1, 6)),
        Flatten(),
        BatchNormalization(epsilon=0.01, scale=False),
        BatchNormalization(center=False),
        LocalResponseNormalization(2, 2, 1e-1, 0.75),
        Dropout(0.5),
        SpatialDropout2D(0.5),
        ChannelShuffle(2),
        Rescaling(1 / 255, -1),
        ReLU(),
        ReLU(max_value=1, negative_slope=0.1),
        LeakyReLU(),
        ELU(0.5),
        Softmax(),
        Softmax(axis=1),
        Dense(3, activation="softmax"),
        *(Activation(name) for name in ("tanh", "sigmoid", "silu", "log_softmax", "relu")),
    ],
    VOLUME: [
        Conv3D(3, 3, padding="same", activation="relu"),
        Conv3D(3, (1, 2, 3), 2, padding=1),
        Conv3DTranspose(3, 3, 2, "same"),
        MaxPooling3D(2, 1, "same"),
        AveragePooling3D(),
        L2Pooling3D(),
        GlobalMaxPooling3D(),
        GlobalAveragePooling3D(),
        UpSampling3D(2),
        ZeroPadding3D((1, (0, 2), 3)),
        Cropping3D(((1, 0), 1, (2, 1))),
        SpatialDropout3D(0.5),
        BatchNormalization(),
    ],
}
#: Layers that read two arrays of one shape.
MERGING = [Add(), Subtract(), Average(), Multiply(), Maximum(), Concatenate(), Concatenate(axis=1)]
CASES = [(shape, layer) for shape, cases in SINGLE.items() for layer in cases]


def images(shape, count=2, seed=0):
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype(np.float32)


def scramble(model, seed=3):
    """Weights that are all different, biases and statistics too; variances stay positive."""
    rng = np.random.default_rng(seed)
    model.set_weights(
        [
            np.abs(rng.normal(0.5, 0.4, w.shape)) if w.ndim == 1 else rng.normal(0, 0.3, w.shape)
            for w in model.get_weights()
        ]
    )
    return model


def equal(ours, theirs, *arrays, factor=1):
    """Outputs, up to the rounding of sums."""
    given = list(arrays) if len(arrays) > 1 else arrays[0]
    expected = map(np.asarray, _listed(theirs(given)))
    for mine, other in zip(_listed(ours(given)), expected, strict=True):
        assert mine.shape == other.shape
        np.testing.assert_allclose(
            mine, other, rtol=2e-4, atol=factor * 2e-5 * max(np.abs(other).max(), 1e-3)
        )


def _listed(outputs):
    return outputs if isinstance(outputs, (list, tuple)) else [outputs]


def there_and_back(model, *arrays):
    """Our model, its Keras twin and the twin's twin compute the same, with as many parameters."""
    scramble(model)
    theirs = to_keras(model)
    assert theirs.count_params() == model.count_params()
    equal(model, theirs, *arrays)
    return theirs


def test_every_layer_is_here():
    """A new layer needs a case here. (Those of a single network are tested with that.)"""
    general = {kind for kind, layer in LAYERS.items() if layer.__module__.startswith("cnnlib.layers")}
    tested = {type(layer).__name__ for _, layer in CASES} | {type(layer).__name__ for layer in MERGING}
    assert tested | {"MaxPoolingWithSwitches2D", "MaxUnpooling2D"} == general


@pytest.mark.parametrize(("shape", "layer"), CASES, ids=[repr(layer) for _, layer in CASES])
def test_a_layer_computes_what_its_twin_does(shape, layer):
    kind = type(layer)
    model = Sequential([Input(shape), kind.from_config(layer.get_config() | {"name": "it"})])
    theirs = there_and_back(model, images(shape))
    if len(theirs.layers) == 2 and type(theirs.layers[1]).__module__.startswith("keras"):
        again = from_keras(theirs)  # where Keras has the layer itself, it comes back as it was
        assert type(again.layers[0]) is kind
        equal(again, theirs, images(shape))


@pytest.mark.parametrize("layer", MERGING, ids=repr)
def test_a_merging_layer_computes_what_its_twin_does(layer):
    nodes = [Input(IMAGE, name="left"), Input(IMAGE, name="right")]
    model = Model(nodes, layer(nodes))
    theirs = there_and_back(model, images(IMAGE), images(IMAGE, seed=1))
    again = from_keras(theirs)
    equal(again, theirs, images(IMAGE), images(IMAGE, seed=1))


@pytest.mark.parametrize("padding", ["valid", "same", 1])
@pytest.mark.parametrize("size", [2, 3])
def test_switches_and_unpooling_are_tensorflows(padding, size):
    image = Input(IMAGE)
    pooled, switches = MaxPoolingWithSwitches2D(size, 2, padding)(image)
    model = Model(image, [pooled, switches, MaxUnpooling2D(2, output_size=IMAGE[:2])([pooled, switches])])
    theirs = there_and_back(model, images(IMAGE))
    assert len(theirs.outputs) == 3


def test_branches_and_shared_layers_come_across():
    image = Input((8, 8, 3), name="photograph")
    shared = Conv2D(3, 3, padding=1, dilation_rate=1, name="shared", activation="relu")
    once = shared(image)
    twice = BatchNormalization()(shared(once))
    head = Dense(4, activation="softmax")(GlobalAveragePooling2D()(Concatenate()([once, twice, image])))
    model = Model(image, [head, twice], name="branching")
    theirs = there_and_back(model, images((8, 8, 3)))
    assert theirs.name == "branching"
    assert [t.name for t in theirs.inputs] == ["photograph"]
    assert {layer.name for layer in model.layers} <= {layer.name for layer in theirs.layers}


def test_a_part_of_a_network_comes_across():
    image = Input((8, 8, 1))
    inner = Conv2D(2, 3, name="first")(image)
    model = Model(inner, Flatten()(Conv2D(3, 3, name="second")(inner)))
    there_and_back(model, images((6, 6, 2)))


def test_gradients_are_kerass_too():
    """Through a network with most kinds of layers, in training mode: weights and inputs."""
    from cnnlib.keras_bridge.backend import tensorflow

    image = Input((12, 12, 2))
    x = Conv2D(4, 3, padding=1, activation="relu")(image)
    x = LocalResponseNormalization(2, 1, 0.1, 0.75)(MaxPooling2D(3, 2, "same")(x))
    x = BatchNormalization()(x)
    side = DepthwiseConv2D(3, padding="same", activation="tanh")(x)
    x = ChannelShuffle(2)(Concatenate()([x, Conv2D(4, 1, groups=2)(side)]))
    x = AveragePooling2D()(Conv2DTranspose(4, 3, 2, padding="same", activation="silu")(x))
    model = scramble(Model(image, Dense(3)(Flatten()(LocallyConnected2D(2, 3)(x)))))
    theirs = to_keras(model)
    batch, wanted = images((12, 12, 2), 3), images((3,), 3, seed=9)
    outputs, tape = model.forward(batch, training=True)
    slopes, gradients = model.backward(wanted, tape, needs_inputs=True)
    tf = tensorflow()
    with tf.GradientTape() as theirs_tape:
        tensor = tf.constant(batch)
        theirs_tape.watch(tensor)
        theirs_outputs = theirs(tensor, training=True)
    variables = {
        f"{layer.name}/{w.name}": w.value for layer in theirs.layers for w in layer.trainable_weights
    }
    expected = theirs_tape.gradient(theirs_outputs, {"inputs": tensor} | variables, tf.constant(wanted))
    np.testing.assert_allclose(outputs, theirs_outputs, rtol=2e-4, atol=2e-4)
    found = {f"{layer}/{name}": g for layer, names in gradients.items() for name, g in names.items()}
    assert found.keys() == variables.keys()
    for key, gradient in (found | {"inputs": slopes}).items():
        other = np.asarray(expected[key])
        np.testing.assert_allclose(gradient, other, rtol=2e-3, atol=2e-4 * np.abs(other).max(), err_msg=key)
    for layer in model.layers:
        if isinstance(layer, BatchNormalization):  # what training did to the statistics
            for mine, other in zip(
                layer.get_weights(), theirs.get_layer(layer.name).get_weights(), strict=True
            ):
                np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)


# Networks of Keras


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size"), [("VGG16", 32), ("ResNet50", 64), ("MobileNet", 64)])
def test_networks_that_keras_ships_compute_the_same_here(name, size):
    from cnnlib.keras_bridge import keras

    shape = (size, size, 3)
    theirs = getattr(keras().applications, name)(weights=None, input_shape=shape, classes=7)
    if name != "VGG16":  # statistics that are not all 0 and 1
        rng = np.random.default_rng(1)
        for layer in theirs.layers:
            if type(layer).__name__ == "BatchNormalization":
                layer.set_weights([np.abs(rng.normal(1, 0.1, w.shape)) for w in layer.get_weights()])
    ours = from_keras(theirs)
    assert ours.count_params() == theirs.count_params()
    assert ours.name == theirs.name
    equal(ours, theirs, images(shape), factor=10)
    if name == "MobileNet":
        again = to_keras(ours)
        equal(ours, again, images(shape), factor=10)


def test_a_sequential_model_within_another_comes_here():
    from cnnlib.keras_bridge import keras

    k = keras().layers
    inner = keras().Sequential(
        [keras().Input((6, 6, 2)), k.Conv2D(3, 3, activation="relu"), k.MaxPooling2D()]
    )
    image = keras().Input((6, 6, 2), name="photograph")
    theirs = keras().Model(image, k.Dense(2)(k.Flatten()(inner(image))), name="outer")
    ours = from_keras(theirs)
    assert [type(layer).__name__ for layer in ours.layers] == ["Conv2D", "MaxPooling2D", "Flatten", "Dense"]
    equal(ours, theirs, images((6, 6, 2)))


# Weights


def small(kernel=3, name="conv"):
    return Sequential([Input((6, 6, 1)), Conv2D(2, kernel, name=name), Flatten(), Dense(2, name="last")])


def test_weights_go_both_ways():
    ours, others = scramble(small()), scramble(small(), seed=8)
    theirs = to_keras(ours)
    copy_weights(others, theirs)
    equal(others, theirs, images((6, 6, 1)))
    copy_weights(theirs, ours)
    np.testing.assert_array_equal(ours(images((6, 6, 1))), others(images((6, 6, 1))))


def test_layers_of_other_names_are_matched_in_order():
    ours, renamed = scramble(small()), scramble(small(name="other"), seed=8)
    copy_weights(ours, renamed)
    np.testing.assert_array_equal(ours(images((6, 6, 1))), renamed(images((6, 6, 1))))


def test_weights_that_do_not_fit_name_the_layer():
    with pytest.raises(
        ShapeError, match=r"conv has weights of shape \[\(5, 5, 1, 2\), .* of conv are \[\(3, 3"
    ):
        copy_weights(small(), small(kernel=5))
    deeper = Sequential([Input((6, 6, 1)), Conv2D(2, 3, name="conv"), Conv2D(2, 3), Flatten(), Dense(2)])
    with pytest.raises(ShapeError, match="2 layers with weights and sequential has 3"):
        copy_weights(small(), deeper)


# What cannot cross


def test_what_keras_cannot_have_names_the_layer():
    class Doubled(layers.Layer):
        def forward(self, inputs, training=False):
            return 2 * inputs, None

    def crossing(layer, shape=IMAGE):
        return lambda: to_keras(Sequential([Input(shape), layer]))

    for call, words in {
        crossing(Doubled(name="own")): r"own \(Doubled\): Keras has no such layer",
        crossing(
            Conv2DTranspose(2, 3, 2, dilation_rate=2, name="up")
        ): r"up \(Conv2DTranspose\): Keras refuses it",
        crossing(Conv2D(2, 3, padding=1, name="open"), (None, None, 3)): r"open \(Conv2D\): padding 1 needs",
    }.items():
        with pytest.raises(BridgeError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_what_is_not_here_names_the_layer():
    from cnnlib.keras_bridge import keras

    k = keras().layers
    image = keras().Input((6, 6, 3))
    for layer, words in {
        k.GaussianNoise(0.1, name="noise"): r"noise \(GaussianNoise\): there is no such layer here",
        k.Conv2D(2, 3, activation=lambda x: x * 2, name="conv"): r"conv \(Conv2D\): .*activation",
        k.Conv2D(2, 3, activation="selu", name="conv"): r"conv \(Conv2D\): no activation 'selu'",
        k.ReLU(threshold=1.0, name="re"): r"re \(ReLU\): there is no threshold=1.0 here",
        k.BatchNormalization(axis=1, name="bn"): r"bn \(BatchNormalization\): there is no axis=1 here",
        k.UpSampling2D(interpolation="bicubic", name="up"): r"up \(UpSampling2D\): interpolation 'bicubic'",
    }.items():
        with pytest.raises(BridgeError, match=words) as caught:
            from_keras(keras().Model(image, layer(image)))
        assert "\n" not in str(caught.value)
    with pytest.raises(BridgeError, match="is not built yet"):
        from_keras(keras().Sequential([k.Flatten()]))

    class Own(keras().Model):
        pass

    with pytest.raises(BridgeError, match="own is a Own, not a sequential or functional model"):
        from_keras(Own(name="own"))


def test_parameters_are_counted_alike():
    ours = small()
    assert (
        to_keras(ours).count_params()
        == ours.count_params()
        == sum(math.prod(w.shape) for w in ours.get_weights())
    )
