"""Every layer by the same questions: shapes, gradients, configuration, what it sees, what it leaves alone."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest

import cnnlib.layers
from cnnlib import sizes
from cnnlib.errors import CnnError, DtypeError, ShapeError, SizeError
from cnnlib.layers import (
    ELU,
    LAYERS,
    Activation,
    Add,
    Average,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Cropping2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalMaxPooling2D,
    L2Pooling2D,
    Layer,
    LeakyReLU,
    LocallyConnected2D,
    MaxPooling2D,
    Permute,
    ReLU,
    Rescaling,
    Reshape,
    SeparableConv2D,
    UpSampling2D,
    ZeroPadding2D,
    set_random_seed,
)
from cnnlib.layers.base import base_name
from cnnlib.layers.initializers import INITIALIZERS, fans, initial
from cnnlib.network import Sequential
from cnnlib.receptive_field import Window, inputs_seen

IMAGE = (2, 7, 6, 4)
ROW, VOLUME = (2, 9, 4), (2, 4, 5, 4, 2)

#: For every layer some ways to make it, each with the shape of its inputs (a list of shapes where it merges).
EXAMPLES: dict[str, list[tuple[dict, tuple | list]]] = {
    "Activation": [({"activation": "silu"}, IMAGE), ({"activation": "softmax"}, (3, 5))],
    "Add": [({}, [IMAGE, IMAGE]), ({}, [IMAGE] * 3), ({}, [IMAGE, (2, 1, 1, 4)])],
    "Average": [({}, [IMAGE] * 3)],
    "BatchNormalization": [({}, IMAGE), ({"scale": False}, (5, 4)), ({"center": False}, ROW)],
    "ChannelShuffle": [({"groups": 2}, IMAGE)],
    "Concatenate": [({}, [IMAGE, (2, 7, 6, 1)]), ({"axis": 1}, [IMAGE, (2, 3, 6, 4), IMAGE])],
    "Conv1D": [({"filters": 3, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}, ROW)],
    "Conv2D": [
        ({"filters": 3, "kernel_size": (3, 2), "strides": 2, "activation": "relu"}, IMAGE),
        ({"filters": 6, "kernel_size": 3, "padding": "same", "groups": 2, "activation": "gelu"}, IMAGE),
        ({"filters": 2, "kernel_size": 3, "padding": ((1, 2), 0), "use_bias": False}, IMAGE),
        ({"filters": 2, "kernel_size": 3, "padding": 1, "pad_mode": "circular"}, IMAGE),
    ],
    "Conv3D": [({"filters": 2, "kernel_size": 2, "activation": "tanh"}, VOLUME)],
    "Conv1DTranspose": [({"filters": 3, "kernel_size": 3, "strides": 2}, ROW)],
    "Conv2DTranspose": [
        ({"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same", "activation": "relu"}, IMAGE),
        ({"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 0}, IMAGE),
    ],
    "Conv3DTranspose": [({"filters": 2, "kernel_size": 2, "strides": 2}, VOLUME)],
    "Cropping1D": [({"cropping": (1, 2)}, ROW)],
    "Cropping2D": [({"cropping": ((1, 0), (2, 1))}, IMAGE), ({"cropping": (2, 1)}, IMAGE)],
    "Cropping3D": [({"cropping": 1}, VOLUME)],
    "Dense": [({"units": 5, "activation": "sigmoid"}, (3, 4)), ({"units": 5, "use_bias": False}, IMAGE)],
    "DepthwiseConv1D": [({"kernel_size": 3, "depth_multiplier": 2}, ROW)],
    "DepthwiseConv2D": [({"kernel_size": 3, "padding": "same", "activation": "relu6"}, IMAGE)],
    "Dropout": [({"rate": 0.4, "seed": 1}, IMAGE), ({"rate": 0}, IMAGE)],
    "ELU": [({"alpha": 0.7}, IMAGE)],
    "Flatten": [({}, IMAGE)],
    "GlobalAveragePooling1D": [({}, ROW)],
    "GlobalAveragePooling2D": [({}, IMAGE), ({"keepdims": True}, IMAGE)],
    "GlobalAveragePooling3D": [({}, VOLUME)],
    "GlobalMaxPooling1D": [({}, ROW)],
    "GlobalMaxPooling2D": [({}, IMAGE), ({"keepdims": True}, IMAGE)],
    "GlobalMaxPooling3D": [({}, VOLUME)],
    "AveragePooling1D": [({"pool_size": 3, "strides": 2}, ROW)],
    "AveragePooling2D": [({"pool_size": 3, "strides": 2, "padding": "same"}, IMAGE)],
    "AveragePooling3D": [({}, VOLUME)],
    "L2Pooling1D": [({}, ROW)],
    "L2Pooling2D": [({"pool_size": (2, 3)}, IMAGE)],
    "L2Pooling3D": [({}, VOLUME)],
    "LeakyReLU": [({"negative_slope": 0.1}, IMAGE)],
    "LocalResponseNormalization": [
        ({"depth_radius": 1, "beta": 0.75}, IMAGE),
        ({"alpha_over_n": True}, IMAGE),
    ],
    "LocallyConnected1D": [({"filters": 3, "kernel_size": 2, "strides": 2}, ROW)],
    "LocallyConnected2D": [({"filters": 3, "kernel_size": 2, "activation": "relu"}, IMAGE)],
    "MaxPooling1D": [({"pool_size": 3, "strides": 2, "padding": "same"}, ROW)],
    "MaxPooling2D": [({}, IMAGE), ({"pool_size": 3, "strides": 2}, IMAGE)],
    "MaxPooling3D": [({}, VOLUME)],
    "MaxPoolingWithSwitches2D": [({}, IMAGE)],
    "MaxUnpooling2D": [({}, [IMAGE, IMAGE]), ({"output_size": (15, 13)}, [IMAGE, IMAGE])],
    "Maximum": [({}, [IMAGE] * 3)],
    "Multiply": [({}, [IMAGE, IMAGE]), ({}, [IMAGE, (2, 1, 1, 4)])],
    "Permute": [({"dims": (3, 1, 2)}, IMAGE)],
    "ReLU": [({}, IMAGE), ({"max_value": 0.5}, IMAGE), ({"max_value": 1.0, "negative_slope": 0.2}, IMAGE)],
    "Rescaling": [({"scale": 2.0, "offset": 1.0}, IMAGE), ({"scale": (1.0, 2.0, 3.0, 4.0)}, IMAGE)],
    "Reshape": [({"target_shape": (3, -1)}, IMAGE)],
    "SeparableConv1D": [({"filters": 3, "kernel_size": 3}, ROW)],
    "SeparableConv2D": [
        ({"filters": 3, "kernel_size": 3, "depth_multiplier": 2, "activation": "elu"}, IMAGE),
    ],
    "Softmax": [({}, IMAGE), ({"axis": 1}, IMAGE)],
    "SpatialDropout1D": [({"rate": 0.5, "seed": 2}, ROW)],
    "SpatialDropout2D": [({"rate": 0.5, "seed": 2}, IMAGE)],
    "SpatialDropout3D": [({"rate": 0.5, "seed": 2}, VOLUME)],
    "Subtract": [({}, [IMAGE, IMAGE])],
    "UpSampling1D": [({"size": 3}, ROW)],
    "UpSampling2D": [({"size": (2, 3)}, IMAGE), ({"size": (3, 2), "interpolation": "bilinear"}, IMAGE)],
    "UpSampling3D": [({}, VOLUME)],
    "ZeroPadding1D": [({"padding": (2, 0)}, ROW)],
    "ZeroPadding2D": [({"padding": ((1, 0), (0, 2))}, IMAGE), ({"padding": (2, 1)}, IMAGE)],
    "ZeroPadding3D": [({}, VOLUME)],
}
CASES = [
    pytest.param(kind, arguments, shape, id=f"{kind}-{number}")
    for kind, cases in EXAMPLES.items()
    for number, (arguments, shape) in enumerate(cases)
]
every_layer = pytest.mark.parametrize(("kind", "arguments", "shape"), CASES)


def make(kind, arguments, shape, dtype="float64") -> Layer:
    layer = LAYERS[kind](**arguments, dtype=dtype, **({} if "seed" in arguments else seeded(kind)))
    layer.build(shape)
    return layer


def seeded(kind):
    return {"seed": 3} if "seed" in inspect.signature(LAYERS[kind]).parameters else {}


def numbers(kind, shape, dtype="float64"):
    """Inputs far from kinks: all different, none near 0."""
    rng = np.random.default_rng(5)

    def draw(one):
        values = rng.permutation(np.prod(one)) + 0.5
        return ((values / values.size - 0.5) * 3).reshape(one).astype(dtype)

    if kind == "MaxUnpooling2D":
        places = rng.permuted(np.tile(np.arange(14 * 12), (2, 4, 1)), axis=-1)[..., : 7 * 6]
        return [draw(shape[0]), places.transpose(0, 2, 1).reshape(shape[1])]
    if isinstance(shape, list):  # no value stands in two of them
        return [(draw(one) + 0.003 * place).astype(dtype) for place, one in enumerate(shape)]
    return draw(shape)


def listed(value):
    return list(value) if isinstance(value, (list, tuple)) else [value]


def test_every_layer_has_an_example():
    own = {kind for kind, layer in LAYERS.items() if layer.__module__.startswith("cnnlib.layers")}
    assert own == set(EXAMPLES)
    assert own <= set(cnnlib.layers.__all__)


@every_layer
def test_the_shape_is_known_before_anything_is_computed(kind, arguments, shape):
    layer = make(kind, arguments, shape)
    outputs, _ = layer.forward(numbers(kind, shape))
    promised = layer.compute_output_shape(shape)
    promised = promised if isinstance(promised, list) else [promised]
    assert [array.shape for array in listed(outputs)] == promised
    open_batch = [(None, *s[1:]) for s in shape] if isinstance(shape, list) else (None, *shape[1:])
    opened = layer.compute_output_shape(open_batch)
    opened = opened if isinstance(opened, list) else [opened]
    assert opened == [(None, *s[1:]) for s in promised]


@every_layer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_is_kept_and_inputs_are_left_alone(kind, arguments, shape, dtype):
    layer = make(kind, arguments, shape, dtype)
    inputs = numbers(kind, shape, dtype)
    before = [array.copy() for array in listed(inputs)]
    for training in (False, True):
        outputs, memory = layer.forward(inputs, training)
        assert listed(outputs)[0].dtype == dtype
        kept = [array.copy() for array in listed(outputs)]
        below, learned = layer.backward(gradient_for(outputs), memory)
        assert all(item.dtype == dtype for item in listed(below) if item is not None)
        assert all(item.dtype == dtype for item in learned.values())
        assert set(learned) == set(layer.trainable)
        for now, then in zip([*listed(inputs), *listed(outputs)], [*before, *kept], strict=True):
            np.testing.assert_array_equal(now, then)


def gradient_for(outputs):
    rng = np.random.default_rng(7)
    slopes = [rng.normal(size=array.shape).astype(array.dtype) for array in listed(outputs)]
    return [slopes[0], None] if isinstance(outputs, list) else slopes[0]


@every_layer
@pytest.mark.parametrize("training", [False, True])
def test_gradients_are_those_of_finite_differences(kind, arguments, shape, training):
    layer = make(kind, arguments, shape)
    inputs = numbers(kind, shape)

    def outputs():
        if isinstance(layer, Dropout):
            layer.initialize()  # the same mask again
        weights = {name: weight.copy() for name, weight in layer.weights.items()}
        made, memory = layer.forward(inputs, training)
        layer.weights.update({name: w for name, w in weights.items() if name.startswith("moving")})
        return made, memory

    made, memory = outputs()
    gradient = gradient_for(made)
    below, learned = layer.backward(gradient, memory)

    def loss():
        return float((listed(outputs()[0])[0] * listed(gradient)[0]).sum())

    checked = [(array, item) for array, item in zip(listed(inputs), listed(below), strict=True)]
    checked += [(layer.weights[name], item) for name, item in learned.items()]
    rng = np.random.default_rng(11)
    for array, item in checked:
        if item is None:
            continue
        assert item.shape == array.shape
        for place in rng.choice(array.size, size=min(10, array.size), replace=False):
            index, step = np.unravel_index(place, array.shape), 1e-6
            kept = array[index]
            array[index] = kept + step
            above = loss()
            array[index] = kept - step
            difference = (above - loss()) / (2 * step)
            array[index] = kept
            assert item[index] == pytest.approx(difference, rel=2e-5, abs=2e-7)


@every_layer
def test_configuration_goes_through_json(kind, arguments, shape):
    layer = make(kind, arguments, shape)
    config = json.loads(json.dumps(layer.get_config()))
    again = LAYERS[kind].from_config(config)
    assert again.get_config() == layer.get_config()
    again.build(shape)
    again.set_weights(layer.get_weights())
    inputs = numbers(kind, shape)
    for ours, theirs in zip(listed(layer(inputs)), listed(again(inputs)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@every_layer
def test_what_is_not_needed_is_not_computed(kind, arguments, shape):
    layer = make(kind, arguments, shape)
    layer.trainable = False
    outputs, memory = layer.forward(numbers(kind, shape), training=True)
    below, learned = layer.backward(gradient_for(outputs), memory, needs_inputs=False)
    assert learned == {}
    assert below is None
    assert layer.get_config()["trainable"] is False
    assert LAYERS[kind].from_config(layer.get_config()).get_config()["trainable"] is False


SLIDING = [
    case
    for case in CASES
    if hasattr(LAYERS[case.values[0]], "rank")
    and case.values[2] == IMAGE
    and "pad_mode" not in case.values[1]
    and "Dropout" not in case.values[0]
]


@pytest.mark.parametrize(("kind", "arguments", "shape"), SLIDING)
def test_the_window_tells_what_is_seen(kind, arguments, shape):
    """Inputs are changed line by line; the outputs that change are those that the window says."""
    layer = make(kind, arguments, shape)
    inputs = numbers(kind, shape)
    before = listed(layer(inputs))[0]
    changed = []
    for line in range(shape[1]):
        # A line at infinity dominates every sum, mean, maximum and norm that it is part of.
        inputs = numbers(kind, shape)
        inputs[:, line] += 1e6 * (1 + np.arange(inputs[:, line].size).reshape(inputs[:, line].shape))
        lines = np.abs(listed(layer(inputs))[0] - before)
        changed.append(np.flatnonzero(lines.max(axis=(0, *range(2, lines.ndim)))) if lines.ndim > 2 else [0])
    places = before.shape[1] if before.ndim > 2 else 1
    for place in range(places):
        seen = tuple(line for line in range(shape[1]) if place in changed[line])
        assert seen == inputs_seen([layer], place, shape[1])


@every_layer
def test_counts_agree_with_the_weights(kind, arguments, shape):
    layer = make(kind, arguments, shape)
    assert layer.count_params() == sum(weight.size for weight in layer.weights.values())
    assert [weight.shape for weight in layer.get_weights()] == list(layer.weight_shapes.values())
    one = [(None, *s[1:]) for s in shape] if isinstance(shape, list) else (None, *shape[1:])
    assert layer.macs(one) >= 0
    if isinstance(layer, (Conv2D, LocallyConnected2D, DepthwiseConv2D, SeparableConv2D, Conv2DTranspose)):
        outputs = sizes.activation_values(layer.compute_output_shape(one))
        assert layer.connections(one) == layer.macs(one) + (outputs if layer.use_bias else 0)


def test_operations_are_those_of_the_weights_that_are_used():
    """With inputs and weights of 1 and no padding, every product adds 1: the sum counts them."""
    for layer in (
        Conv2D(4, 3, strides=2, groups=2, kernel_initializer="ones"),
        DepthwiseConv2D(2, depth_multiplier=3, depthwise_initializer="ones"),
        LocallyConnected2D(2, 3, kernel_initializer="ones"),
        Conv2DTranspose(2, 3, strides=2, kernel_initializer="ones"),
        Dense(5, kernel_initializer="ones"),
        Conv3D(2, 1, kernel_initializer="ones"),
    ):
        shape = VOLUME[1:] if isinstance(layer, Conv3D) else IMAGE[1:]
        assert layer(np.ones((1, *shape))).sum() == layer.macs((None, *shape))


# --- weights -------------------------------------------------------------------------------------------


def test_weights_are_drawn_when_they_are_first_used():
    layer = Dense(4096)
    layer.build((None, 25088))
    assert layer.count_params() == 25089 * 4096
    assert not layer._weights
    small = Dense(3, seed=0)
    small.build((None, 4))
    assert small.weights is small.weights
    assert small.weights["kernel"] is small.weights["kernel"]


def test_seeds_decide_the_weights():
    def kernel(**seed):
        layer = Conv2D(4, 3, **seed)
        layer.build((None, 8, 8, 3))
        return layer.weights["kernel"]

    np.testing.assert_array_equal(kernel(seed=1), kernel(seed=1))
    assert not np.array_equal(kernel(seed=1), kernel(seed=2))
    assert not np.array_equal(kernel(), kernel())
    set_random_seed(4)
    first = [kernel(), kernel()]
    set_random_seed(4)
    np.testing.assert_array_equal(first, [kernel(), kernel()])
    assert not np.array_equal(*first)
    layer = Conv2D(4, 3, seed=1)
    layer.build((None, 8, 8, 3))
    before = layer.get_weights()
    layer.initialize(9)
    assert not np.array_equal(before[0], layer.weights["kernel"])


def test_weights_are_copied_in_and_out():
    layer = Dense(2)
    layer.build((None, 3))
    given = [np.ones((3, 2)), np.zeros(2)]
    layer.set_weights(given)
    given[0][:] = 7
    taken = layer.get_weights()
    taken[0][:] = 8
    assert layer.weights["kernel"].tolist() == [[1, 1]] * 3
    assert layer.weights["kernel"].dtype == "float32"


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initializers_have_the_spread_that_they_promise(name):
    weights = initial(name, (3, 3, 64, 128), np.random.default_rng(0))
    fan_in, fan_out = 3 * 3 * 64, 3 * 3 * 128
    variance = {
        "zeros": 0,
        "ones": 0,
        "glorot": 2 / (fan_in + fan_out),
        "he": 2 / fan_in,
        "lecun": 1 / fan_in,
        "random_normal": 0.05**2,
        "random_uniform": 0.1**2 / 12,
        "truncated_normal": (0.05 * 0.87962566103423978) ** 2,
    }
    key = name if name in variance else name.split("_")[0]
    assert weights.dtype == "float32"
    assert weights.var() == pytest.approx(variance[key], rel=0.02)
    assert weights.mean() == pytest.approx(1 if name == "ones" else 0, abs=1e-3)


def test_batch_normalisation_changes_its_averages_in_training_alone():
    layer = BatchNormalization(momentum=0.9, dtype="float64")
    inputs = np.random.default_rng(0).normal(3, 2, (64, 5))
    layer(inputs)
    assert layer.weights["moving_mean"].tolist() == [0] * 5
    layer(inputs, training=True)
    np.testing.assert_allclose(layer.weights["moving_mean"], 0.1 * inputs.mean(axis=0))
    np.testing.assert_allclose(layer.weights["moving_variance"], 0.9 + 0.1 * inputs.var(axis=0))
    layer.trainable = False  # as in Keras, a frozen layer uses its averages and keeps them
    before = layer.get_weights()
    np.testing.assert_array_equal(layer(inputs, training=True), layer(inputs))
    np.testing.assert_array_equal(before, layer.get_weights())
    assert layer.trainable == ()
    layer.trainable = True
    assert layer.trainable == ("gamma", "beta")


def test_dropout_keeps_the_mean_and_draws_anew():
    layer = Dropout(0.3, seed=0)
    ones = np.ones((100, 100), np.float32)
    first, second = layer(ones, training=True), layer(ones, training=True)
    assert first.mean() == pytest.approx(1, abs=0.02)
    assert (first == 0).mean() == pytest.approx(0.3, abs=0.02)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(layer(ones), ones)


def test_the_activation_is_computed_in_place_of_the_sums():
    """One array of the outputs' size, not two."""
    layer = Conv2D(3, 3, activation="relu")
    layer.build((None, 8, 8, 1))
    outputs, (_, activated) = layer.forward(np.ones((1, 8, 8, 1), np.float32))
    assert activated.outputs is outputs
    assert activated.inputs is None


# --- what is wrong with them -----------------------------------------------------------------------------

WRONG = [
    (lambda: Conv2D(6, 5)(np.ones((1, 3, 3, 1))), SizeError, ["conv2d (Conv2D)", "kernel 5", "input 3"]),
    (lambda: Conv2D(6, 5)(np.ones((28, 28, 1))), ShapeError, ["3 axes", "(batch, height, width, channels)"]),
    (lambda: Conv1D(6, 5)(np.ones((1, 28, 28, 1))), ShapeError, ["4 axes", "(batch, width, channels)"]),
    (lambda: Conv3D(6, 5)(np.ones((1, 28, 28, 1))), ShapeError, ["(batch, depth, height, width, channels)"]),
    (lambda: Conv2D(5, 3, groups=2)(np.ones((1, 8, 8, 4))), ShapeError, ["5 filters", "2 groups"]),
    (lambda: Conv2D(4, 3, groups=2)(np.ones((1, 8, 8, 3))), ShapeError, ["3 channels", "2 groups"]),
    (lambda: Conv2D(0, 3), SizeError, ["filters", "not 0"]),
    (lambda: Conv2D(4, 3, strides=0), SizeError, ["strides", "not 0"]),
    (lambda: Conv2D(4, (3, 3, 3)), ShapeError, ["kernel_size has 3 values", "2 axes"]),
    (lambda: Conv2D(4, 3, padding="some")(np.ones((1, 8, 8, 4))), SizeError, ["padding 'some'", "valid"]),
    (lambda: Conv2D(4, 3, activation="rule"), CnnError, ["'rule'", "relu"]),
    (lambda: Conv2D(4, 3, dtype="int32"), DtypeError, ["int32", "float32"]),
    (lambda: Conv2D(4, 3)(np.ones((1, 8, 8, 1), complex)), DtypeError, ["complex128"]),
    (lambda: Conv2D(4, 3, kernel_initializer="random")(np.ones((1, 8, 8, 1))), CnnError, ["'random'", "he_"]),
    (lambda: Conv2D(4, 3).weights, CnnError, ["conv2d (Conv2D)", "no weights yet"]),
    (lambda: Dense(4).count_params(), CnnError, ["dense (Dense)", "no weights yet"]),
    (lambda: Dense(4)(np.ones(4)), ShapeError, ["(4,)", "features"]),
    (lambda: Dropout(1), SizeError, ["below 1", "not 1"]),
    (lambda: BatchNormalization(momentum=2), SizeError, ["momentum", "not 2"]),
    (lambda: MaxPooling2D(5)(np.ones((1, 3, 3, 1))), SizeError, ["max_pooling2d", "kernel 5", "input 3"]),
    (lambda: Add()([np.ones((1, 4, 4, 1)), np.ones((1, 5, 4, 1))]), ShapeError, ["(1, 4, 4, 1)", "axis 1"]),
    (lambda: Add()(np.ones((1, 4, 4, 1))), ShapeError, ["list of at least two"]),
    (lambda: Concatenate()([np.ones((1, 4, 4, 1)), np.ones((1, 5, 4, 1))]), ShapeError, ["axis -1"]),
    (lambda: Concatenate(7)([np.ones((1, 4)), np.ones((1, 5))]), ShapeError, ["along axis 7"]),
    (lambda: Average()([np.ones((1, 4))]), ShapeError, ["at least two"]),
    (lambda: Reshape((3, 3))(np.ones((1, 8))), ShapeError, ["8 values", "(3, 3)"]),
    (lambda: Reshape((3, -1))(np.ones((1, 8))), ShapeError, ["8 values", "(3, -1)"]),
    (lambda: Reshape((-1, -1)), SizeError, ["one -1"]),
    (lambda: Permute((1, 3)), SizeError, ["(1, 3)", "from 1 to 2"]),
    (lambda: Permute((2, 1))(np.ones((1, 8))), ShapeError, ["(1, 8)", "2 axes"]),
    (lambda: Cropping2D(2)(np.ones((1, 4, 4, 1))), SizeError, ["(4, 4)", "crop less"]),
    (lambda: ZeroPadding2D((1, 2, 3)), ShapeError, ["3 entries", "2 axes"]),
    (lambda: ZeroPadding2D(-1), SizeError, ["padding", "-1"]),
    (lambda: UpSampling2D(interpolation="cubic"), CnnError, ["'cubic'", "bilinear"]),
    (lambda: LAYERS["ChannelShuffle"](3)(np.ones((1, 8, 8, 4))), ShapeError, ["4 channels", "3 groups"]),
    (lambda: LAYERS["MaxUnpooling2D"]()(np.ones((1, 4, 4, 1))), ShapeError, ["list of two", "switches"]),
    (lambda: Dense.from_config({"unit": 4}), CnnError, ["Dense", "unit"]),
]


@pytest.mark.parametrize(("call", "kind", "words"), WRONG)
def test_errors_name_the_layer_and_the_mend(call, kind, words):
    with pytest.raises(kind) as raised:
        call()
    message = str(raised.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_layer_keeps_to_the_inputs_that_it_was_built_for():
    layer = Conv2D(4, 3)
    layer(np.ones((1, 8, 8, 3)))
    layer(np.ones((5, 20, 9, 3)))  # other sizes are no other weights
    with pytest.raises(ShapeError, match=r"weights of shape .*\(3, 3, 3, 4\).* need .*\(3, 3, 1, 4\)"):
        layer(np.ones((1, 8, 8, 1)))
    with pytest.raises(
        ShapeError, match=r"conv2d \(Conv2D\) has 2 weights \(kernel, bias\), but 1 were given"
    ):
        layer.set_weights([np.ones((3, 3, 3, 4))])
    with pytest.raises(ShapeError, match=r"kernel has shape \(3, 3, 3, 4\), but \(3, 3, 1, 4\) was given"):
        layer.set_weights([np.ones((3, 3, 1, 4)), np.ones(4)])


def test_open_sizes_stay_open():
    assert Conv2D(4, 3, strides=2).compute_output_shape((None, None, 9, 3)) == (None, None, 4, 4)
    assert Flatten().compute_output_shape((None, None, 4)) == (None, None)
    assert Dense(3).compute_output_shape((None, None, 4)) == (None, None, 3)
    assert Add().compute_output_shape([(None, None, 4), (None, 9, 4)]) == (None, 9, 4)
    assert Concatenate().compute_output_shape([(None, None, 4), (None, None, 3)]) == (None, None, 7)


def test_windows_of_layers_that_slide():
    assert Conv2D(4, 3, strides=2, padding="same").window() == Window((3, 3), (2, 2), "same", (1, 1))
    assert MaxPooling2D(3).window() == Window((3, 3), (3, 3), "valid")
    assert GlobalMaxPooling2D().window() == Flatten().window() == "everything"
    places, features = Dense(3), Dense(3)
    places.build((None, 4, 4, 8))
    features.build((None, 8))
    assert (places.window(), features.window()) == (None, "everything")


def test_representations_show_what_differs_from_the_defaults():
    assert repr(Conv2D(6, 5)) == "Conv2D(filters=6, kernel_size=(5, 5))"
    assert repr(Conv2D(6, 5, activation="relu", name="C1")).endswith("activation='relu', name='C1')")
    assert repr(Flatten()) == "Flatten()"


def test_rules_take_the_place_of_an_activation():
    def rule(gradient, inputs, outputs):
        assert inputs is None
        return gradient * 0 + 5

    for layer in (Activation("relu"), ReLU(), LeakyReLU(), ELU()):
        _, memory = layer.forward(np.ones((1, 4)))
        assert layer.backward(np.ones((1, 4)), memory, rule=rule)[0].tolist() == [[5] * 4]
    layer = L2Pooling2D()
    _, memory = layer.forward(np.ones((1, 4, 4, 1)))
    with pytest.raises(TypeError):  # it has no activation
        layer.backward(np.ones((1, 2, 2, 1)), memory, rule=rule)


def test_the_first_of_equals_wins():
    equal = np.ones((1, 3))
    _, memory = LAYERS["Maximum"]().forward([equal, equal, equal - 1])
    assert [item.tolist() for item in LAYERS["Maximum"]().pass_back(equal, memory)] == [
        [[1, 1, 1]],
        [[0, 0, 0]],
        [[0, 0, 0]],
    ]


def test_rescaling_takes_pixels():
    picture = np.array([[0, 51, 255]], np.uint8)
    np.testing.assert_allclose(Rescaling(1 / 255)(picture), [[0, 0.2, 1]], rtol=1e-6)


# --- beside Keras ----------------------------------------------------------------------------------------


@pytest.mark.keras
def test_arguments_defaults_and_names_are_those_of_keras():
    from cnnlib.keras_bridge import keras

    compared = 0
    for kind, ours in LAYERS.items():
        theirs = getattr(keras().layers, kind, None)
        if theirs is None or not ours.__module__.startswith("cnnlib.layers"):
            continue
        mine, parameters = inspect.signature(ours).parameters, inspect.signature(theirs).parameters
        for name in (mine.keys() & parameters.keys()) - {"name", "dtype"}:
            wanted, own = parameters[name].default, mine[name].default
            if name.endswith("initializer") or wanted is inspect.Parameter.empty:
                wanted = own if own is not inspect.Parameter.empty else wanted  # ours may have one more
            while isinstance(wanted, tuple):  # ((1, 1), (1, 1)) says no more than 1
                assert len(set(wanted)) == 1
                wanted = wanted[0]
            assert own == wanted, (kind, name, own, wanted)
            compared += 1
        needed = {name for name, parameter in mine.items() if parameter.default is inspect.Parameter.empty}
        assert needed <= parameters.keys(), kind
        positions = [name for name in mine if name in parameters and mine[name].kind.name != "KEYWORD_ONLY"]
        theirs_first = [name for name in parameters if name in positions]
        assert positions == theirs_first, kind
        assert base_name(kind) == keras().src.utils.naming.to_snake_case(kind)
    assert compared > 100


@pytest.mark.keras
def test_fans_are_those_of_keras():
    from cnnlib.keras_bridge import keras

    compute = keras().src.initializers.random_initializers.compute_fans
    for shape in ((5, 5, 3, 16), (120, 84), (3, 3, 6, 1), (7,), (3, 4, 5), (2, 2, 2, 3, 4), ()):
        assert fans(shape) == tuple(map(int, compute(shape)))


def test_what_is_always_so_may_be_said():
    image = np.ones((1, 8, 8, 3))
    for made in (Conv2D(4, 3, data_format="channels_last"), MaxPooling2D(2, data_format=None), Flatten()):
        assert made(image).ndim in (2, 4)
        assert "data_format" not in made.get_config()


def test_one_layer_is_a_network_and_layers_have_numbers():
    first, last = Dense(3), Dense(4)
    assert Sequential(first)(np.ones((2, 5))).shape == (2, 3)
    network = Sequential([first, last])
    assert network.get_layer(index=0) is network.get_layer("dense") is first
    assert network.get_layer(index=-1) is last
