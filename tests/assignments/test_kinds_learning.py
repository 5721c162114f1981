"""What is asked about learning is answered as measured slopes, SciPy and a network of the library say it."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.special import softmax as scipy_softmax

from cnnlib.exercises import Task, draw
from cnnlib.layers import BatchNormalization, Conv2D, Dense
from cnnlib.network import Input, Sequential
from cnnlib.training import SGD, Loss, train_on_batch

SEEDS = [f"peer {number}" for number in range(8)]
each = pytest.mark.parametrize("seed", SEEDS)


def slopes(loss, values, step=1e-5):
    """The slope of a loss by each of its values, measured."""
    values = np.array(values, dtype=float)
    found = np.zeros_like(values)
    for place in np.ndindex(values.shape):
        up, down = values.copy(), values.copy()
        up[place] += step
        down[place] -= step
        found[place] = (loss(up) - loss(down)) / (2 * step)
    return found


@each
def test_probabilities_losses_and_slopes_of_scores(seed):
    given = draw("score_gradient", seed).given
    scores, right = np.array(given["scores"], dtype=float), given["right"]
    two = {"scores": given["scores"], "right": right}
    assert Task("softmax_probability", **two).answer == pytest.approx(scipy_softmax(scores)[right])
    assert Task("cross_entropy", **two).answer == pytest.approx(-log_softmax(scores)[right])
    measured = slopes(lambda s: -log_softmax(s)[right], scores)
    assert Task("score_gradient", **given).answer == pytest.approx(measured[given["asked"]], abs=1e-6)
    classes = draw("first_loss", seed).given["classes"]
    assert Task("first_loss", classes=classes).answer == pytest.approx(-np.log(1 / classes))


@each
def test_the_way_back_through_a_dense_layer(seed):
    given = draw("dense_weight_gradient", seed).given
    x, w, g = (np.array(given[name], dtype=float) for name in ("inputs", "weights", "gradient"))
    by_weights = slopes(lambda weights: x @ weights @ g, w)
    np.testing.assert_allclose(Task("dense_weight_gradient", **given).answer, by_weights, atol=1e-6)
    by_inputs = slopes(lambda inputs: inputs @ w @ g, x)
    np.testing.assert_allclose(Task("dense_input_gradient", **given).answer, by_inputs, atol=1e-6)


@each
def test_the_way_back_through_a_convolution(seed):
    given = draw("kernel_gradient", seed).given
    x, w, g = (np.array(given[name], dtype=float) for name in ("signal", "kernel", "gradient"))

    def loss(signal, kernel):
        return np.correlate(signal, kernel, "valid")[:: given["stride"]] @ g

    by_kernel = slopes(lambda kernel: loss(x, kernel), w)
    np.testing.assert_allclose(Task("kernel_gradient", **given).answer, by_kernel, atol=1e-6)
    by_signal = slopes(lambda signal: loss(signal, w), x)
    np.testing.assert_allclose(Task("signal_gradient", **given).answer, by_signal, atol=1e-6)


def pooled(values):
    rows, columns = (size // 2 for size in values.shape)
    return values.reshape(rows, 2, columns, 2).max(axis=(1, 3))


@each
def test_the_way_back_through_pooling_and_relu(seed):
    given = draw("map_gradient", seed).given
    measured = slopes(lambda values: (pooled(values) * given["gradient"]).sum(), given["values"])
    np.testing.assert_allclose(Task("map_gradient", **given).answer, measured, atol=1e-6)
    # All different and none zero: at a kink there is no slope to be measured.
    block = draw("block_gradient", seed).given
    values = np.array(block["values"]) + np.arange(1, 17).reshape(4, 4) / 100
    gradient = np.array(block["gradient"])
    measured = slopes(lambda v: (pooled(np.maximum(v, 0)) * gradient).sum(), values)
    found = Task("block_gradient", values=values, gradient=gradient).answer
    np.testing.assert_allclose(found, measured, atol=1e-6)
    assert Task("learning_places", values=values).answer == np.count_nonzero(measured)


@each
def test_what_a_filter_hears(seed):
    given = draw("filter_gradient", seed).given
    inputs, gradient = given["inputs"], given["gradient"]
    answer = Task("filter_gradient", **given).answer
    windows = np.lib.stride_tricks.sliding_window_view(inputs, answer.shape[:2], axis=(0, 1))
    measured = slopes(lambda w: (np.einsum("yxcij,ijcf->yxf", windows, w) * gradient).sum(), 0 * answer)
    np.testing.assert_allclose(answer, measured, atol=1e-5)


@each
def test_a_step_of_training_is_the_library_s(seed):
    given = draw("training_step", seed).given
    x, labels, weights, rate = given.values()
    network = Sequential([Input((x.shape[1],)), Dense(weights.shape[1], use_bias=False)])
    network.astype("float64")
    network.set_weights([weights])
    logs = train_on_batch(
        network, x, labels, SGD(rate), Loss("sparse_categorical_crossentropy", from_logits=True)
    )
    np.testing.assert_allclose(Task("training_step", **given).answer, network.get_weights()[0])
    assert Task("mean_loss", scores=x @ weights, labels=labels).answer == pytest.approx(logs["loss"])


@each
def test_losses_of_large_scores_are_those_of_small_ones(seed):
    given = draw("mean_loss", seed).given
    large = Task("mean_loss", scores=given["scores"] + 5000, labels=given["labels"])
    assert large.answer == pytest.approx(Task("mean_loss", **given).answer)


@each
def test_a_step_with_momentum_and_the_number_of_steps(seed):
    w, g, v, rate, momentum = draw("momentum_step", seed).given.values()
    assert draw("momentum_step", seed).answer == pytest.approx(w + momentum * v - rate * g)
    examples, batch, epochs = draw("updates", seed).given.values()
    counted = sum(1 for _ in range(epochs) for _ in range(0, examples, batch))
    assert draw("updates", seed).answer == counted


@each
def test_a_normalised_channel_has_mean_beta_and_spread_gamma(seed):
    task = draw("normalised_value", seed)
    held, _, scale, shift = task.given.values()
    values = [Task("normalised_value", **{**task.given, "asked": at}).answer for at in range(len(held))]
    assert np.mean(values) == pytest.approx(shift)
    assert np.std(values) == pytest.approx(scale)


@each
def test_the_counts_of_a_block_are_those_of_the_layers(seed):
    given = draw("block_trained", seed).given
    convolution = Conv2D(given["filters"], given["kernel_size"], use_bias=False)
    table = Sequential([Input((16, 16, given["channels"])), convolution, BatchNormalization()]).summary()
    assert Task("block_trained", **given).answer == table.learned
    assert Task("block_parameters", **given).answer == table.parameters


# --- The notebook -------------------------------------------------------------------------------------


def test_the_step_to_mend_has_three_slips(notebooks):
    """Each correction alone leaves it wrong, all three make it right."""
    question = notebooks["08-learning"].cell("mend-a-step-question").source
    source = re.search(r"```python\n(.*?)```", question, re.DOTALL).group(1)
    assert "There are three slips in it" in question
    corrections = [
        ("powers.sum(axis=0)", "powers.sum(axis=1, keepdims=True)"),
        ("x.T @ (p - targets)", "x.T @ (p - targets) / len(x)"),
        ("weights + rate", "weights - rate"),
    ]
    task = draw("training_step", "mended", examples=4)

    def right(chosen):
        mended = source
        for wrong, correct in chosen:
            assert mended.count(wrong) == 1
            mended = mended.replace(wrong, correct)
        space = {"np": np}
        exec(mended, space)
        return np.allclose(space["training_step"](*task.given.values()), task.answer)

    assert right(corrections)
    for left_out in range(3):
        assert not right(corrections[:left_out] + corrections[left_out + 1 :])
