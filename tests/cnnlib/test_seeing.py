"""Looking into networks: beside Keras' tape, finite differences, and what must hold of every network."""

from __future__ import annotations

import numpy as np
import pytest

from cnnlib import seeing
from cnnlib.activations import softmax
from cnnlib.errors import CnnError, ShapeError
from cnnlib.layers import Add, Conv2D, Dense, Flatten, GlobalAveragePooling2D, MaxPooling2D
from cnnlib.network import Input, Model, Sequential


def classifier(**options) -> Sequential:
    layers = [Conv2D(6, 3, activation="relu", seed=0, name="maps"), GlobalAveragePooling2D()]
    last = Dense(4, activation="softmax", seed=1, name="last")
    return Sequential([Input((12, 12, 3)), *layers, last], **options)


def stack() -> Sequential:
    layers = [Conv2D(4, 3, activation="relu", seed=0), MaxPooling2D(), Conv2D(3, 3, seed=1, name="top")]
    return Sequential([Input((20, 20, 1)), *layers])


def images(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_gram_matrices_pass_gradients_back(check_gradients):
    maps = {"inputs": images(2, 3, 4, 5)}
    check_gradients(seeing.gram_matrix, seeing.gram_matrix_backward, maps)
    target, direction, step = images(2, 5, 5, seed=1), images(2, 3, 4, 5, seed=2), 1e-5
    ahead, behind = (seeing.style_loss(maps["inputs"] + s * direction, target) for s in (step, -step))
    found = (seeing.style_loss_backward(maps["inputs"], target) * direction).sum()
    np.testing.assert_allclose(found, (ahead - behind) / (2 * step), rtol=1e-6)


def test_a_gram_matrix_is_symmetric_positive_and_blind_to_places():
    maps = images(2, 4, 5, 3).astype(np.float32)
    gram = seeing.gram_matrix(maps)
    assert gram.dtype == np.float32
    np.testing.assert_array_equal(gram, gram.swapaxes(1, 2))
    assert np.linalg.eigvalsh(gram).min() > -1e-4
    shuffled = np.random.default_rng(1).permutation(maps.reshape(2, 20, 3), axis=1)
    np.testing.assert_allclose(seeing.gram_matrix(shuffled), gram, rtol=1e-5, atol=1e-5)


def test_the_saliency_of_a_linear_network_is_its_weights():
    network = Sequential([Input((3, 2, 2)), Flatten(), Dense(3, activation="softmax", seed=0, name="last")])
    weights = network.get_layer("last").weights["kernel"][:, 1].reshape(3, 2, 2)
    found = seeing.input_gradient(network, images(2, 3, 2, 2), 1)
    np.testing.assert_allclose(found, [weights, weights])
    expected = np.abs(weights).max(axis=-1)
    np.testing.assert_allclose(seeing.saliency(network, images(1, 3, 2, 2), 1)[0], expected)


def test_scores_are_what_softmax_is_taken_of():
    network, x = classifier(), images(3, 12, 12, 3)
    np.testing.assert_allclose(softmax(seeing.scores(network)(x)), network(x), rtol=1e-5)


def test_grad_cam_before_a_mean_and_a_dense_layer_is_the_class_activation_map():
    network, x = classifier(), images(2, 12, 12, 3)
    maps, weights = network.activations(x, ["maps"])["maps"], network.get_layer("last").weights["kernel"]
    expected = np.maximum(maps @ weights[:, 2], 0) / (10 * 10)
    np.testing.assert_allclose(seeing.grad_cam(network, x, 2), expected, atol=1e-6)


def test_grad_cam_where_another_way_leads_round_the_layer():
    image = Input((8, 8, 2))
    maps = Conv2D(2, 3, padding="same", seed=0, name="maps")(image)
    last = Dense(3, seed=2, name="last")
    network = Model(image, last(GlobalAveragePooling2D()(Add()([maps, image]))))
    x = images(1, 8, 8, 2)
    made = network.activations(x, ["maps"])["maps"]
    expected = np.maximum(made @ last.weights["kernel"][:, 1], 0) / 64
    np.testing.assert_allclose(seeing.grad_cam(network, x, 1, "maps"), expected, atol=1e-6)


def test_a_patch_alone_makes_the_answer_that_it_was_cut_out_for():
    network, x = stack(), images(5, 20, 20, 1)
    patches = seeing.maximal_patches(network, x, "top", index=1, top=3)
    best = np.sort(network(x)[..., 1].max(axis=(1, 2)))[::-1][:3]
    np.testing.assert_allclose([patch.activation for patch in patches], best, rtol=1e-6)
    for patch in patches:
        alone = Sequential([Input(patch.pixels.shape), *network.layers])(patch.pixels[None])
        assert alone.shape == (1, 1, 1, 3)
        np.testing.assert_allclose(alone[0, 0, 0, 1], patch.activation, rtol=1e-4)


def test_an_effective_receptive_field_lies_within_the_receptive_field():
    field = seeing.effective_receptive_field(stack(), "top")
    rows, columns = np.nonzero(field)
    assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == 8  # ((3 - 1) * 2 + 2) + (3 - 1)
    assert 1 < seeing.effective_size(field) <= 8


def test_climbing_raises_the_answer_and_the_seed_repeats_it():
    first, again = (seeing.activation_maximisation(stack(), [0, 2], "top", steps=8) for _ in range(2))
    assert (first.history[-1] > first.history[0]).all()
    np.testing.assert_array_equal(first.images, again.images)
    assert np.abs(first.images).max() <= 1


@pytest.mark.parametrize("content", [None, images(12, 12, 3, seed=3).clip(-1, 1)])
def test_style_transfer_brings_the_style_nearer(content):
    style = images(12, 12, 3, seed=4).clip(-1, 1)
    wanted = [] if content is None else ["maps"]
    made = seeing.style_transfer(content, style, classifier(), ["maps"], wanted, steps=20)
    assert made.image.shape == (12, 12, 3)
    assert made.history.shape == (21, 3)
    assert made.history[-1, 0] < 0.5 * made.history[0, 0]


def rectified() -> Sequential:
    """Dense, ReLU, dense, ReLU, scores: small enough to go back by hand."""
    layers = [Dense(5, activation="relu", name="low"), Dense(4, activation="relu", name="high"), Dense(3)]
    network = Sequential([Input((6,)), *layers])
    network.initialize(3)
    return network


#: What passes a ReLU on the way back: (gradient that comes from above, what came through it forward).
RULES = {
    "input_gradient": lambda above, through: above * (through > 0),
    "guided_backprop": lambda above, through: above * (through > 0) * (above > 0),
    "deconvnet": lambda above, through: above * (above > 0),
}


@pytest.mark.parametrize("way", RULES)
def test_the_ways_back_through_a_relu_are_those_of_a_loop(way):
    network, x = rectified(), images(4, 6, seed=5)
    first, _, second, _, last, _ = network.get_weights()
    found = getattr(seeing, way)(network, x, 1)
    for image, slopes in zip(x, found, strict=True):
        low = np.maximum(image @ first, 0)
        high = np.maximum(low @ second, 0)
        above = RULES[way](last[:, 1], high)
        above = RULES[way](second @ above, low)
        np.testing.assert_allclose(slopes, first @ above, rtol=1e-4, atol=1e-6)
    others = [getattr(seeing, other)(network, x, 1) for other in RULES if other != way]
    assert not any(np.allclose(found, other) for other in others)


def test_features_are_what_the_last_dense_layer_reads():
    network, x = classifier(), images(5, 12, 12, 3)
    found = seeing.features(network, x, batch_size=2)
    last = network.get_layer("last")
    kernel, bias = last.get_weights()
    np.testing.assert_allclose(seeing.scores(network)(x), found @ kernel + bias, rtol=1e-4, atol=1e-6)
    maps = seeing.features(network, x, "maps", batch_size=2)
    assert maps.shape == (5, 10, 10, 6)
    np.testing.assert_allclose(found, [image.mean(axis=(0, 1)) for image in maps], rtol=1e-4)


def test_firing_rates_count_places_one_by_one():
    network, x = stack(), images(5, 20, 20, 1)
    kernel, bias = network.layers[0].get_weights()
    kernel[..., 0], bias[0] = 0, -1  # a channel that never answers
    network.layers[0].set_weights([kernel, bias])
    (rates,) = seeing.firing_rates(network, x, batch_size=2).values()
    fired = np.zeros(4)
    for image in x:
        for row, column in np.ndindex(18, 18):
            window = image[row : row + 3, column : column + 3, :, None]
            fired += (window * kernel).sum(axis=(0, 1, 2)) + bias > 0
    np.testing.assert_allclose(rates, fired / (5 * 18 * 18))
    assert rates[0] == 0
    assert (rates[1:] > 0).all()


def test_learning_goes_on_after_looking():
    network = classifier()
    seeing.grad_cam(network, images(1, 12, 12, 3))
    assert network.get_layer("maps").trainable == ("kernel", "bias")


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: seeing.saliency(classifier(), images(1, 12, 12, 3), 4), CnnError, "4 channels … 4 is none"),
        (lambda: seeing.saliency(classifier(), images(2, 12, 12, 3), [1]), ShapeError, "1 indices for 2"),
        (lambda: seeing.grad_cam(classifier(), images(1, 12, 12, 3), 0, "mapz"), CnnError, "mean 'maps'"),
        (lambda: seeing.gram_matrix(np.ones((2, 2))), ShapeError, "(2, 2) are no feature maps"),
        (lambda: seeing.style_loss(np.ones((1, 2, 3)), np.ones((1, 2, 2))), ShapeError, "(1, 2, 2) … same"),
        (lambda: seeing.deconvnet(Sequential([Input((2,)), Dense(1)]), [[1, 1]]), CnnError, "has no ReLU"),
    ],
)
def test_errors_name_what_clashed(call, kind, words, says):
    with pytest.raises(kind) as caught:
        call()
    says(caught, words)


@pytest.mark.keras
def test_gradients_of_scores_are_those_of_keras():
    tensorflow = pytest.importorskip("tensorflow")
    from cnnlib.keras_bridge.models import to_keras

    part, x = seeing.scores(classifier()), images(2, 12, 12, 3).astype(np.float32)
    theirs, watched = to_keras(part), tensorflow.constant(x)
    with tensorflow.GradientTape() as tape:
        tape.watch(watched)
        score = tensorflow.reduce_sum(theirs(watched)[:, 2])
    expected = tape.gradient(score, watched).numpy()
    np.testing.assert_allclose(seeing.input_gradient(part, x, 2), expected, atol=1e-6)
