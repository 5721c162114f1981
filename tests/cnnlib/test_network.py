"""Networks: graphs forward and back, what they remember and drop, names, errors."""

from __future__ import annotations

import gc
import json
import tracemalloc
import weakref

import numpy as np
import pytest

from cnnlib.errors import CnnError, DtypeError, ShapeError, SizeError
from cnnlib.layers import (
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Conv2D,
    Cropping1D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Layer,
    MaxPooling2D,
    MaxPoolingWithSwitches2D,
    MaxUnpooling2D,
    Multiply,
    ReLU,
    UpSampling2D,
)
from cnnlib.layers.base import Weightless
from cnnlib.layers.nodes import calls_behind
from cnnlib.network import Input, Model, Sequential
from cnnlib.receptive_field import ReceptiveField, receptive_field, receptive_fields


def branching() -> Model:
    """Two images in, two results out; branches, a shared layer, a skip, a gate, switches."""
    left, right = Input((8, 8, 2), name="left"), Input((8, 8, 2), name="right")
    shared = Conv2D(4, 3, padding="same", activation="silu", seed=0, name="shared")
    a, b = shared(left), shared(right)
    gate = Dense(4, activation="sigmoid", seed=1)(GlobalAveragePooling2D(keepdims=True)(a))
    both = Concatenate()([Multiply()([a, gate]), BatchNormalization()(b), a])
    pooled, switches = MaxPoolingWithSwitches2D()(both)
    bottom = Conv2D(12, 3, padding="same", activation="tanh", seed=2)(pooled)
    up = MaxUnpooling2D()([bottom, switches])
    total = Add()([up, both, Conv2D(12, 1, seed=3)(both)])
    pixels = Conv2D(2, 1, activation="softmax", seed=4, name="pixels")(total)
    label = Dense(3, seed=5, name="label")(Flatten()(pooled))
    model = Model([left, right], [pixels, label], name="branching")
    model.astype("float64")
    return model


def small(**options) -> Sequential:
    layers = [Conv2D(3, 3, activation="relu", seed=0), MaxPooling2D(), Flatten(), Dense(4, seed=1)]
    return Sequential([Input((8, 8, 1)), *layers], **options)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


# --- forward and backward --------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [False, True])
def test_gradients_of_a_graph_are_those_of_finite_differences(training):
    model = branching()
    images = [draw(2, 8, 8, 2, seed=1), draw(2, 8, 8, 2, seed=2)]
    outputs, tape = model.forward(images, training)
    slopes = [draw(*array.shape, seed=3) for array in outputs]
    below, gradients = model.backward(slopes, tape, needs_inputs=True)

    def loss():
        made = model.forward(images, training)[0]
        return sum(float((array * slope).sum()) for array, slope in zip(made, slopes, strict=True))

    checked = list(zip(images, below, strict=True))
    for layer in model.layers:
        assert gradients.get(layer.name, {}).keys() == set(layer.trainable)
        checked += [(layer.weights[name], gradients[layer.name][name]) for name in layer.trainable]
    rng = np.random.default_rng(4)
    for array, item in checked:
        assert array.shape == item.shape
        for place in rng.choice(array.size, size=min(4, array.size), replace=False):
            index, step = np.unravel_index(place, array.shape), 1e-6
            kept = array[index]
            array[index] = kept + step
            above = loss()
            array[index] = kept - step
            assert item[index] == pytest.approx((above - loss()) / (2 * step), rel=1e-4, abs=1e-6)
            array[index] = kept


def test_a_graph_computes_what_its_layers_do_one_by_one():
    image = Input((8, 8, 1))
    conv, bend, other = Conv2D(3, 3, padding="same"), ReLU(), Conv2D(3, 1)
    model = Model(image, Add()([bend(conv(image)), other(image)]))
    x = draw(2, 8, 8, 1).astype(np.float32)
    np.testing.assert_array_equal(model(x), bend(conv(x)) + other(x))
    np.testing.assert_array_equal(model.forward(x)[0], model(x))


def test_an_output_may_be_read_by_others():
    image = Input((8, 8, 1))
    middle = Conv2D(2, 3, seed=0)(image)
    last = Conv2D(2, 3, seed=1)(middle)
    model = Model(image, [middle, last])
    x = draw(1, 8, 8, 1)
    (first, second), tape = model.forward(x)
    _, both = model.backward([np.ones_like(first), np.ones_like(second)], tape)
    _, one = model.backward([np.ones_like(first), None], model.forward(x)[1])
    _, two = model.backward([None, np.ones_like(second)], model.forward(x)[1])
    for name in ("kernel", "bias"):
        np.testing.assert_allclose(both["conv2d"][name], one["conv2d"][name] + two["conv2d"][name], rtol=1e-4)
    assert "conv2d_1" not in one


def test_inputs_and_frozen_layers_cost_no_gradient(monkeypatch):
    model = small()
    asked = []
    original = Conv2D.backward

    def watched(self, gradient, memory, needs_inputs=True, rule=None):
        asked.append(needs_inputs)
        return original(self, gradient, memory, needs_inputs, rule)

    monkeypatch.setattr(Conv2D, "backward", watched)
    outputs, tape = model.forward(draw(1, 8, 8, 1))
    assert model.backward(np.ones_like(outputs), tape)[0] is None
    assert asked == [False]
    model.get_layer("conv2d").trainable = False
    _, tape = model.forward(draw(1, 8, 8, 1))
    _, gradients = model.backward(np.ones_like(outputs), tape)
    assert asked == [False]  # nobody before it learns, so that the way back ends sooner
    assert gradients.keys() == {"dense"}


def test_rules_change_how_activations_pass_gradients_back():
    """Guided backpropagation (Springenberg et al., 2015), for layers and for activations inside layers."""
    image = Input((4,))
    fused = Dense(6, activation="relu", seed=0, name="fused")(image)
    apart = Activation("relu")(Dense(6, seed=1, name="apart")(fused))
    model = Model(image, Dense(1, seed=2)(ReLU()(apart)))
    x = draw(3, 4)
    seen = []

    def guided(gradient, inputs, outputs):
        seen.append(outputs)
        return gradient * (gradient > 0) * (outputs > 0)

    outputs, tape = model.forward(x)
    plain, _ = model.backward(np.ones_like(outputs), tape, needs_inputs=True)
    _, tape = model.forward(x)
    found, _ = model.backward(np.ones_like(outputs), tape, needs_inputs=True, rules={"relu": guided})
    assert len(seen) == 3
    assert not np.allclose(plain, found)
    slopes = np.ones((3, 1)) @ model.get_layer("dense").weights["kernel"].T
    for values, name in zip(seen[1:], ("apart", "fused"), strict=True):
        slopes = slopes * (slopes > 0) * (values > 0)
        slopes = slopes @ model.get_layer(name).weights["kernel"].T
    slopes_in = found
    assert slopes_in.shape == x.shape
    np.testing.assert_allclose(found, slopes, rtol=1e-5, atol=1e-6)


def test_a_rule_that_does_what_the_activation_does_changes_nothing():
    model = small()
    x = draw(2, 8, 8, 1)
    outputs, tape = model.forward(x)
    plain = model.backward(np.ones_like(outputs), tape, needs_inputs=True)[0]
    rules = {"relu": lambda gradient, _, outputs: gradient * (outputs > 0), "tanh": None}
    again = model.backward(np.ones_like(outputs), model.forward(x)[1], needs_inputs=True, rules=rules)[0]
    np.testing.assert_array_equal(plain, again)


def test_predict_goes_batch_by_batch():
    model = small()
    x = draw(7, 8, 8, 1)
    np.testing.assert_allclose(model.predict(x, batch_size=3), model(x), rtol=1e-5, atol=1e-6)
    assert model.predict(x[:0]).shape == (0, 4)
    pixels, label = branching().predict([draw(5, 8, 8, 2), draw(5, 8, 8, 2)], batch_size=2)
    assert (pixels.shape, label.shape) == ((5, 8, 8, 2), (5, 3))
    with pytest.raises(SizeError, match="batch_size must be a whole number of at least 1, not 0"):
        model.predict(x, batch_size=0)


def test_activations_of_every_layer():
    model = small()
    x = draw(2, 8, 8, 1)
    found = model.activations(x)
    assert {name: array.shape for name, array in found.items()} == {
        "conv2d": (2, 6, 6, 3),
        "max_pooling2d": (2, 3, 3, 3),
        "flatten": (2, 27),
        "dense": (2, 4),
    }
    np.testing.assert_array_equal(found["dense"], model(x))
    assert model.activations(x, ["flatten"]).keys() == {"flatten"}
    shared = branching().activations([x[..., [0, 0]], x[..., [0, 0]]])
    assert {"shared", "shared:1"} < shared.keys()
    assert len(shared["max_pooling_with_switches2d"]) == 2
    with pytest.raises(CnnError, match=r"no layer 'flaten'; do you mean 'flatten'"):
        model.activations(x, ["flaten"])


# --- memory ----------------------------------------------------------------------------------------------


class Watching(Weightless):
    """Notes which of the arrays that passed through are still alive."""

    def __init__(self, log, **options):
        super().__init__(**options)
        self.log = log
        self.seen = []

    def forward(self, inputs, training=False):
        outputs = inputs + 1
        self.seen.append(weakref.ref(outputs))
        self.log.append(sum(ref() is not None for layer in self.log_layers for ref in layer.seen))
        return outputs, inputs

    def pass_back(self, gradient, memory):
        self.log.append(sum(ref() is not None for layer in self.log_layers for ref in layer.seen))
        return gradient * 2


def watching(depth):
    log = []
    layers = [Watching(log, name=f"step{number}") for number in range(depth)]
    for layer in layers:
        layer.log_layers = layers
    return Sequential([Input((3,)), *layers]), log


def test_a_call_drops_what_nobody_needs_any_more():
    model, log = watching(6)
    model(np.ones((1, 3)))
    assert log == [1, 2, 2, 2, 2, 2]  # the inputs and the outputs of one layer, no more


def test_the_tape_keeps_everything_and_the_way_back_drops_it_again():
    model, log = watching(6)
    outputs, tape = model.forward(np.ones((1, 3)))
    assert log == [1, 2, 3, 4, 5, 6]
    log.clear()
    below, _ = model.backward(np.ones_like(outputs), tape, needs_inputs=True)
    assert log == [6, 5, 4, 3, 2, 1]
    assert tape.memories == {}
    assert below.tolist() == [[64] * 3]
    with pytest.raises(CnnError, match="used already"):
        model.backward(np.ones_like(outputs), tape)


def test_memory_stays_near_what_the_summary_says():
    layers = [Conv2D(16, 3, padding="same", activation="relu", seed=n) for n in range(6)]
    model = Sequential([Input((64, 64, 16)), *layers])
    x = np.ones((4, 64, 64, 16), np.float32)
    model(x)  # draws the weights

    def peak(run):
        gc.collect()
        tracemalloc.start()
        kept = run()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        del kept
        return most

    summary, block = model.summary(), 4 << 20  # what a convolution lays out, and its padded inputs
    assert summary.peak_bytes == 2 * 64 * 64 * 16 * 4
    assert peak(lambda: model(x)) < 4 * summary.peak_bytes + block
    everything = 4 * (summary.bytes - x[0].nbytes)
    assert everything < peak(lambda: model.forward(x, training=True)) < everything + 4 * x[0].nbytes + block


def test_counting_makes_no_weights():
    tracemalloc.start()
    layers = [Flatten(), Dense(4096), Dense(4096), Dense(1000)]
    model = Sequential([Input((7, 7, 512)), *layers])
    assert model.count_params() == 123_642_856
    assert model.summary().macs == 25088 * 4096 + 4096 * 4096 + 4096 * 1000
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2 << 20


# --- names, weights, configuration -----------------------------------------------------------------------


def test_names_are_given_as_in_keras():
    model = Sequential(
        [Input((9, 9, 1)), Conv2D(2, 3), ReLU(), Conv2D(2, 3), Conv2D(2, 3, name="last"), ReLU()]
    )
    assert [layer.name for layer in model.layers] == ["conv2d", "re_lu", "conv2d_1", "last", "re_lu_1"]
    assert model.get_layer("conv2d_1") is model.layers[2]
    clash = [Conv2D(2, 3, name="conv2d"), Conv2D(2, 3)]
    assert [layer.name for layer in Sequential(clash).layers] == ["conv2d", "conv2d_1"]
    with pytest.raises(CnnError, match="several layers are named 'twice'"):
        Sequential([Flatten(name="twice"), Dense(3, name="twice")])


def test_layers_keep_their_names_in_a_part_of_the_network():
    model = small()
    part = Model(model.calls[1].outputs[0], model.outputs[0])  # from behind pooling on
    assert [layer.name for layer in part.layers] == ["flatten", "dense"]
    tail = Sequential([Input((8, 8, 1)), Conv2D(1, 1), *small().layers[:1]])
    assert [layer.name for layer in tail.layers] == ["conv2d", "conv2d_1"]
    extractor = Model(model.inputs[0], model.calls[1].outputs[0])
    x = draw(2, 8, 8, 1)
    np.testing.assert_array_equal(extractor(x), model.activations(x)["max_pooling2d"])
    np.testing.assert_allclose(part(extractor(x)), model(x), rtol=1e-6)
    assert [layer.name for layer in model.layers] == ["conv2d", "max_pooling2d", "flatten", "dense"]


def test_layers_stand_in_the_order_in_which_they_were_written():
    model = branching()
    assert [layer.name for layer in model.layers][:4] == [
        "shared",
        "global_average_pooling2d",
        "dense",
        "multiply",
    ]
    assert len(model.layers) == len(set(model.layers)) == len(model.calls) - 1
    seen = set(model.inputs)
    for call in model.calls:
        assert seen.issuperset(call.inputs)
        seen.update(call.outputs)
    assert [call for call in calls_behind(model.outputs) if call.inputs] == model.calls


def test_a_network_is_a_part_of_another():
    inner = small(name="inner")
    image = Input((8, 8, 1))
    outer = Model(image, Dense(2, seed=3, name="head")(inner(image)))
    x = draw(2, 8, 8, 1)
    np.testing.assert_allclose(outer(x), outer.get_layer("head")(inner(x)), rtol=1e-6)
    assert outer.layers[:-1] == inner.layers  # the same weights
    unbuilt = Sequential([Flatten(), Dense(3)])
    assert Model(image, unbuilt(image)).output_shape == (None, 3)
    chain = Sequential([Input((8, 8, 1)), small(), Dense(2, name="head")])
    assert chain.output_shape == (None, 2)
    assert chain.count_params() == outer.count_params()


def test_weights_go_in_and_out_as_a_list():
    model, other = small(), small()
    other.initialize(5)
    x = draw(2, 8, 8, 1)
    assert not np.allclose(model(x), other(x))
    other.set_weights(model.get_weights())
    np.testing.assert_array_equal(model(x), other(x))
    with pytest.raises(ShapeError, match="sequential has 4 weights, but 3 were given"):
        model.set_weights(model.get_weights()[:3])
    wrong = model.get_weights()
    wrong[2] = wrong[2].T
    with pytest.raises(
        ShapeError, match=r"dense \(Dense\): kernel has shape \(27, 4\), but \(4, 27\) was given"
    ):
        model.set_weights(wrong)
    again = small()
    again.initialize(5)
    other.initialize(5)
    np.testing.assert_array_equal(again(x), other(x))
    assert model.count_params() == sum(weight.size for weight in model.get_weights())


@pytest.mark.parametrize("make", [small, branching])
def test_configuration_goes_through_json(make):
    model = make()
    model.layers[0].trainable = False
    again = Model.from_config(json.loads(json.dumps(model.get_config())))
    assert type(again) is type(model)
    assert (again.name, again.input_shape, again.output_shape) == (
        model.name,
        model.input_shape,
        model.output_shape,
    )
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert str(again.summary()) == str(model.summary())
    again.set_weights(model.get_weights())
    x = [draw(2, *node.shape[1:]) for node in model.inputs]
    x = x if len(x) > 1 else x[0]
    for ours, theirs in zip(model(x), again(x), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert again.layers[0].trainable == ()


def test_only_known_layers_are_made_from_a_configuration():
    class Double(Weightless):
        def forward(self, inputs, training=False):
            return 2 * inputs, None

    config = Sequential([Input((3,)), Double()]).get_config()
    with pytest.raises(CnnError, match="there is no layer 'Double'"):
        Model.from_config(config)
    assert Model.from_config(config, custom={"Double": Double})(np.ones((1, 3))).tolist() == [[2, 2, 2]]
    for broken in (
        {},
        {**config, "outputs": [9]},
        {**config, "calls": [{"layer": 0}]},
        {**config, "lists": 3},
    ):
        with pytest.raises(CnnError, match=r"no network|no layer"):
            Model.from_config(broken)


def test_a_sequence_without_an_input_waits_for_its_first_call():
    model = Sequential([Conv2D(3, 3), Flatten()])
    model.add(Dense(2))
    assert [layer.name for layer in model.layers] == ["conv2d", "flatten", "dense"]
    for call in (model.count_params, model.summary, model.get_weights, lambda: model.input_shape):
        with pytest.raises(CnnError, match="begin the list with Input"):
            call()
    assert model(draw(2, 8, 8, 1)).shape == (2, 2)
    assert (model.input_shape, model.output_shape) == ((None, 8, 8, 1), (None, 2))
    model.add(Dense(1, name="more"))
    assert model.output_shape == (None, 1)
    outputs, _ = Sequential([Dense(2)]).forward(draw(3, 4))
    assert outputs.shape == (3, 2)
    built = Sequential([Dense(2)])
    built.build((None, 4))
    assert built.count_params() == 10


def test_dtype_is_the_layers():
    model = small()
    assert model(np.ones((1, 8, 8, 1), np.float64)).dtype == "float32"
    assert model(np.ones((1, 8, 8, 1), np.uint8)).dtype == "float32"
    model.astype("float64")
    assert model(np.ones((1, 8, 8, 1), np.float32)).dtype == "float64"
    assert {weight.dtype.name for weight in model.get_weights()} == {"float64"}


# --- errors ----------------------------------------------------------------------------------------------


def deep() -> list[Layer]:
    return [*(Conv2D(4, 3) for _ in range(3)), Conv2D(4, 5)]


ERRORS = [
    (
        lambda: Sequential([Input((9, 9, 1)), *deep()]),
        SizeError,
        ["conv2d_3 (Conv2D)", "kernel 5", "input 3"],
    ),
    (lambda: Sequential(deep())(draw(1, 9, 9, 1)), SizeError, ["conv2d_3 (Conv2D)", "kernel 5", "input 3"]),
    (lambda: small()(draw(2, 8, 8)), ShapeError, ["sequential", "(None, 8, 8, 1)", "(2, 8, 8)"]),
    (lambda: small()(draw(2, 8, 8, 3)), ShapeError, ["(None, 8, 8, 1)", "(2, 8, 8, 3)", "channels"]),
    (lambda: small()(np.ones((1, 8, 8, 1), complex)), DtypeError, ["sequential", "complex128"]),
    (lambda: branching()([draw(2, 8, 8, 2)]), ShapeError, ["branching has 2 inputs", "1 were given"]),
    (lambda: branching()(draw(3, 8, 8, 2)), ShapeError, ["branching has 2 inputs", "3 were given"]),
    (lambda: small().get_layer("conv"), CnnError, ["no layer 'conv'", "'conv2d'"]),
    (lambda: small().get_layer("xyz"), CnnError, ["no layer 'xyz'", "it has conv2d"]),
    (lambda: Input(28), ShapeError, ["(28, 28, 1)", "not 28"]),
    (lambda: Input((28, 0, 1)), SizeError, ["input shape", "not 0"]),
    (lambda: Model(Input((3,)), Dense(2)(Input((3,)))), CnnError, ["input of shape (None, 3)", "list it"]),
    (lambda: Model(Input((3,)), np.ones(3)), CnnError, ["outputs of a model are nodes", "ndarray"]),
    (lambda: Model([], []), CnnError, ["at least one node"]),
    (lambda: Sequential([Dense(3), Input((3,))]), CnnError, ["at the beginning"]),
    (lambda: Sequential([Input((3,)), "dense"]), CnnError, ["'dense' is no layer"]),
    (lambda: Add()([Input((3,)), np.ones((1, 3))]), ShapeError, ["on nodes and on ndarray"]),
    (lambda: small()([Input((8, 8, 1))] * 2), ShapeError, ["1 inputs", "2 nodes"]),
    (lambda: back(np.ones((1, 3))), ShapeError, ["outputs of shape (None, 4)", "(1, 3)"]),
    (lambda: Add()([Input((4, 4, 1)), Conv2D(1, 2)(Input((4, 4, 1)))]), ShapeError, ["add (Add)", "axis 1"]),
]


def back(gradient):
    model = small()
    return model.backward(gradient, model.forward(draw(1, 8, 8, 1))[1])


@pytest.mark.parametrize(("call", "kind", "words"), ERRORS)
def test_errors_name_the_layer_and_the_numbers(call, kind, words):
    with pytest.raises(kind) as raised:
        call()
    message = str(raised.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_errors_on_the_way_name_the_layer():
    class Broken(Layer):
        def forward(self, inputs, training=False):
            raise SizeError("kernel 9 does not fit")

    model = Sequential([Input((3,)), Dense(3), Broken()])
    with pytest.raises(SizeError, match=r"^broken \(Broken\): kernel 9 does not fit$"):
        model(np.ones((1, 3)))


def test_receptive_fields_are_read_off_a_network():
    image = Input((33, 35, 1))
    halved = Conv2D(2, 3, strides=2, padding=1)(image)
    aligned = Model(image, Add()([halved, Conv2D(2, 1, strides=2)(image)]))
    assert receptive_field(aligned) == receptive_field(aligned, axis=1) == ReceptiveField(3, 2, -1)
    assert not receptive_fields(aligned).misaligned
    # along each axis what the summary shows, and what a stack of the same windows sees
    stack = Sequential([Input((9, 12, 1)), Conv2D(2, (3, 5), strides=(1, 2)), MaxPooling2D()])
    fields = receptive_fields(stack).fields["max_pooling2d"]
    assert fields == (receptive_field(stack), receptive_field(stack, axis=1))
    assert tuple(stack.summary().rows[-1].field) == tuple(fields)
    assert fields == tuple(receptive_field(stack.layers, size, n) for n, size in enumerate((9, 12)))


def test_branches_of_unlike_strides_have_no_receptive_field_at_their_end():
    image = Input((8, 8, 1))
    torn = Model(image, Add()([UpSampling2D(2)(MaxPooling2D(2)(image)), MaxPooling2D(4, 1, "same")(image)]))
    assert receptive_field(torn).stride == 1  # up and down again
    flat = Input((8, 1))
    halves = Conv1D(1, 1, strides=2)(flat), Cropping1D((0, 4))(flat)  # 4 outputs each
    torn = Model(flat, Add()(list(halves)))
    (found,) = receptive_fields(torn).misaligned
    assert "strides" in str(found)
    with pytest.raises(SizeError, match="branches of <Model 'model' of 3 layers> move by different strides"):
        receptive_field(torn)


def test_shapes_may_be_open():
    """A network of convolutions takes images of every size."""
    image = Input((None, None, 3))
    x = Conv2D(4, 3, strides=2, padding="same", activation="relu")(image)
    model = Model(image, Dense(2)(GlobalAveragePooling2D()(x)))
    assert model.output_shape == (None, 2)
    assert model(draw(1, 20, 30, 3)).shape == model(draw(1, 7, 9, 3)).shape == (1, 2)
    assert model.summary().macs is None
    assert "?×?×4" in str(model.summary())


def test_dropout_drops_in_training_alone():
    model = Sequential([Input((50,)), Dropout(0.5, seed=0)])
    ones = np.ones((4, 50))
    assert (model(ones) == 1).all()
    outputs, tape = model.forward(ones, training=True)
    below, _ = model.backward(np.ones_like(outputs), tape, needs_inputs=True)
    np.testing.assert_array_equal(below, outputs)
