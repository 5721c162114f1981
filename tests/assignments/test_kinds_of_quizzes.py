"""What quizzes alone ask about is answered as networks, small steps, sets and simulations answer it."""

from __future__ import annotations

import numpy as np
import pytest

from cnnlib.activations import sigmoid
from cnnlib.architectures.googlenet import Inception, inception
from cnnlib.architectures.imagenet import prepare
from cnnlib.exercises import draw
from cnnlib.functional import dropout
from cnnlib.layers import Conv2D
from cnnlib.network import Input, Sequential
from cnnlib.pooling import max_pool
from cnnlib.receptive_field import receptive_field
from cnnlib.upsampling import conv_transpose

SEEDS = [f"peer {number}" for number in range(6)]
each = pytest.mark.parametrize("seed", SEEDS)


def given(kind, seed):
    """The parameters and the answer of a draw."""
    task = draw(kind, seed)
    return task.given, task.answer


# --- Chapters 8 and 10 --------------------------------------------------------------------------------


@each
def test_stack_and_single_layer_see_alike_and_have_what_their_networks_count(seed):
    g, answer = given("alike_weights", seed)
    kernel, channels = g["kernel_size"], g["channels"]
    stack = [Conv2D(channels, kernel, use_bias=False) for _ in range(g["depth"])]
    network = Sequential([Input((40, 40, channels)), *stack])
    if g["way"] != "stack":
        seen = receptive_field(network).size
        network = Sequential([Input((40, 40, channels)), Conv2D(channels, seen, use_bias=False)])
    assert answer == network.count_params()


@each
def test_a_layer_among_wider_ones(seed):
    g, answer = given("widened_weights", seed)
    factor = g["factor"]
    before, after = (
        Sequential([Input((9, 9, 2 * f)), Conv2D(3 * f, 3, use_bias=False)]).count_params()
        for f in (1, factor)
    )
    assert answer * before == g["weights"] * after


@each
def test_the_latent_representation_of_an_encoder(seed):
    g, answer = given("latent_values", seed)
    layers = [Conv2D(g["filters"], 3, strides=2, padding="same") for _ in range(g["layers"])]
    network = Sequential([Input((g["side"], g["side"], 1)), *layers])
    assert answer == np.prod(network.output_shape[1:])


@each
def test_what_is_pooled_again(seed):
    g, answer = given("pooled_again", seed)
    window = np.full((1, 2, 2, 1), 0.0 if g["way"] != "nearest neighbour" else g["value"])
    window[0, -1 if g["way"] == "max unpooling" else 0, -1, 0] = g["value"]
    assert answer == max_pool(window, 2).item()


@each
def test_the_framed_row_gives_the_transposed_convolution(seed):
    g, answer = given("framed_size", seed)
    values, kernel = np.arange(1.0, g["size"] + 1), np.arange(1.0, g["kernel_size"] + 1)
    apart = [0.0] * (g["kernel_size"] - 1)
    for value in values[:-1]:
        apart += [value, *[0.0] * (g["stride"] - 1)]
    apart += [values[-1], *[0.0] * (g["kernel_size"] - 1)]
    assert answer == len(apart)
    made = conv_transpose(values[None, :, None], kernel[:, None, None], g["stride"])
    np.testing.assert_allclose(np.correlate(apart, kernel[::-1], "valid"), made[0, :, 0])


# --- Chapters 11 and 12 -------------------------------------------------------------------------------


@each
def test_no_chain_of_sigmoids_is_steeper(seed):
    g, answer = given("slopes_bound", seed)
    x = np.linspace(-8, 8, 4001)
    steepest = np.diff(sigmoid(x)).max() / (x[1] - x[0])
    assert answer * steepest ** g["layers"] == pytest.approx(1, rel=1e-4)


@each
def test_dropout_makes_of_a_kept_value(seed):
    g, answer = given("dropped", seed)
    if g["mode"] == "in use":
        assert answer == g["value"]
    else:
        values, kept = dropout(np.full(200, float(g["value"])), g["rate"], np.random.default_rng(0))
        assert set(np.round(values[kept], 6)) == {round(float(answer), 6)}


@each
def test_a_dead_channel_costs_what_the_network_saves_without_it(seed):
    g, answer = given("dead_cost", seed)

    def parameters(filters):
        layers = [Conv2D(filters, g["kernel_size"]), Conv2D(g["next_filters"], g["next_kernel"])]
        return Sequential([Input((20, 20, g["channels"])), *layers]).count_params()

    assert answer == parameters(5) - parameters(4)


@each
def test_an_error_counts_photographs(seed):
    g, answer = given("share_wrong", seed)
    lists = [[place == rank for place in range(1, 11)] for rank in g["ranks"]]
    wrong = [not any(hits[: g["guesses"]]) for hits in lists]
    assert answer == pytest.approx(100 * np.mean(wrong))


@each
def test_answers_to_stripes_repeat(seed):
    g, answer = given("repeats_after", seed)
    stripes = np.arange(400.0) % g["period"]
    answers = stripes[:: g["stride"]]
    repeats = [n for n in range(1, 100) if np.allclose(answers[n:], answers[:-n])]
    assert answer == repeats[0] * g["stride"]


# --- Chapters 13 and 14 -------------------------------------------------------------------------------


@each
def test_the_channels_of_a_module(seed):
    g, answer = given("module_channels", seed)
    first, second = g["reduced"]
    module = Inception(g["ones"], first, g["threes"], second, g["fives"], g["projected"])
    image = Input((8, 8, 16))
    assert answer == inception(image, module, "module").shape[-1]


@each
def test_a_gradient_through_blocks_is_a_small_step_through_them(seed):
    g, answer = given("chain_slope", seed)

    def through(x):
        for _ in range(g["blocks"]):
            x = g["slope"] * x + (x if g["skip"] else 0)
        return x

    assert answer == pytest.approx((through(1.001) - through(0.999)) / 0.002)


@each
def test_a_thinned_layer_does_what_its_network_does(seed):
    g, answer = given("thinned_products", seed)
    full, thin = (
        Sequential([Input((5, 5, int(16 * a))), Conv2D(int(32 * a), 1)]).summary().macs
        for a in (1, g["alpha"])
    )
    assert answer / g["products"] == pytest.approx(thin / full)


@each
def test_masks_overlap_as_sets_do(seed):
    g, answer = given("mask_overlap", seed)
    one, other = ({place for place, ink in enumerate(g[name]) if ink} for name in ("true", "predicted"))
    assert answer == pytest.approx(len(one & other) / len(one | other))


@each
def test_bridges_carry_bytes(seed):
    g, answer = given("bridge_bits", seed)
    maps = np.zeros((1, g["height"], g["width"], g["channels"]), np.float32)
    expected = 2 * max_pool(maps, 2).size if g["bridge"] == "switches" else 8 * maps.nbytes
    assert answer == expected


@each
def test_pixels_are_prepared_as_photographs_are(seed):
    g, answer = given("prepared_value", seed)
    np.testing.assert_allclose(prepare(np.full((40, 40, 3), g["pixel"], np.uint8), 8), answer, atol=1e-5)


@each
def test_ties_behind_relu6(seed):
    g, answer = given("tied_at_the_top", seed)
    behind = sorted(min(max(one, 0), 6) for one in g["sums"])
    assert answer == behind.count(behind[-1])


@each
def test_ways_back_by_hand(seed):
    g, answer = given("way_back", seed)
    weights, outer, x = (np.array(g[name], float) for name in ("weights", "outer", "x"))
    on, positive = weights @ x > 0, outer > 0
    passes = {"the gradient": on, "the deconvolutional network": positive}.get(g["way"], on & positive)
    np.testing.assert_allclose(answer, (outer * passes) @ weights)
