"""What is asked about designs is answered as networks of the library, laid out or run, say it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cnnlib import seeing
from cnnlib.exercises import Sheet, Task, draw
from cnnlib.exercises.budgets import Budget, last_field
from cnnlib.exercises.sheets.capstone import reference
from cnnlib.folding import fold_batch_norm
from cnnlib.layers import Add, BatchNormalization, Conv2D, Dense, Flatten, GlobalAveragePooling2D, ReLU
from cnnlib.network import Input, Model, Sequential

SEEDS = [f"peer {number}" for number in range(8)]
each = pytest.mark.parametrize("seed", SEEDS)


@each
def test_a_reduction_and_what_lies_behind_it(seed):
    k, channels, reduced, filters = draw("reduced_weights", seed).given.values()
    layers = (Conv2D(reduced, 1, use_bias=False), Conv2D(filters, k, padding="same", use_bias=False))
    network = Sequential([Input((16, 16, channels)), *layers])
    assert draw("reduced_weights", seed).answer == network.count_params()


@each
def test_a_residual_block(seed):
    task = draw("residual_parameters", seed)
    channels, filters = task.given.values()
    x = Input((16, 16, channels))
    inner = ReLU()(Conv2D(filters, 3, padding="same")(x))
    through = Conv2D(filters, 3, padding="same")(inner)
    around = x if channels == filters else Conv2D(filters, 1)(x)
    assert task.answer == Model(x, ReLU()(Add()([through, around]))).count_params()


@each
def test_folding_as_the_library_folds(seed):
    bias, scale, shift, mean, variance = draw("folded_bias", seed).given.values()
    weight = draw("folded_weight", seed).given["weight"]
    network = Sequential([Input((4, 4, 1)), Conv2D(1, 1), BatchNormalization(epsilon=0)])
    network.set_weights(
        [np.full((1, 1, 1, 1), weight), *(np.array([float(n)]) for n in (bias, scale, shift, mean, variance))]
    )
    kernel, folded = fold_batch_norm(network).get_weights()
    assert Task("folded_bias", **draw("folded_bias", seed).given).answer == pytest.approx(folded[0])
    asked = Task("folded_weight", weight=weight, scale=scale, variance=variance)
    assert asked.answer == pytest.approx(kernel.item())


@each
def test_gram_and_grad_cam_as_the_library_computes_them(seed):
    task = draw("gram", seed)
    features = np.array(task.given["features"], dtype=float)
    np.testing.assert_allclose(task.answer, np.einsum("ki,kj->ij", features, features))
    # A network whose feature maps are its inputs, and whose score has just these slopes.
    task = draw("cam", seed)
    maps, slopes = task.given.values()
    layers = [Conv2D(maps.shape[-1], 1, use_bias=False, name="maps"), Flatten(), Dense(1, use_bias=False)]
    network = Sequential([Input(maps.shape), *layers])
    network.astype("float64")
    network.set_weights([np.eye(maps.shape[-1])[None, None], slopes.reshape(-1, 1)])
    np.testing.assert_allclose(task.answer, seeing.grad_cam(network, maps[None], 0, "maps")[0], atol=1e-12)


def drafted(input_shape, plan, classes):
    """The network that a draft describes."""
    convolutions = [Conv2D(filters, size, strides=stride) for filters, size, stride in plan]
    return Sequential([Input(tuple(input_shape)), *convolutions, Flatten(), Dense(classes)])


@each
def test_the_bills_of_a_draft(seed):
    task = draw("draft_cost", seed)
    table = drafted(**task.given).summary()
    assert task.answer == (table.parameters, table.macs, last_field(table))
    for kind, amount in (("draft_parameters", table.parameters), ("draft_macs", table.macs)):
        assert Task(kind, **task.given).answer == amount
    assert Task("draft_field", plan=task.given["plan"]).answer == last_field(table)


@each
def test_one_filter_more_would_be_above_the_limit(seed):
    task = draw("most_filters", seed)
    limit, size, channels, side, classes = task.given.values()

    def cost(filters):
        shape = (side + size - 1, side + size - 1, channels)
        return drafted(shape, [(filters, size, 1)], classes).count_params()

    assert cost(task.answer) <= limit < cost(task.answer + 1)


# --- The letter of the capstone -----------------------------------------------------------------------


def test_the_bills_in_the_defence_are_those_of_the_two_designs(notebooks):
    """What was read by trained networks is measured; all else is counted here."""
    letter = " ".join(notebooks["10-capstone"].cell("defend-it").source.split())
    budget = Sheet("10-capstone", student_id="model-answer")["design-and-train"].budget
    assert budget == Budget((0, 2, 4, 5, 6, 8), 24, parameters=5200, macs=60_000, field=11)
    assert "digits 0, 2, 4, 5, 6, 8 in 24×24 pixels; at most 5,200 parameters and 60,000" in letter
    first = reference(24, 6).summary()
    second = drafted(budget.input_shape, [(8, 3, 2), (16, 3, 2), (16, 3, 1)], 6).summary()
    _, one, two, _, dense = first.rows
    for told in (
        f"stride 2) has {one.parameters} parameters and does {one.macs / first.macs:.0%}".replace("%", " %"),
        f"stride 2) has {two.parameters:,} and does {two.macs / first.macs:.0%}".replace("%", " %"),
        f"the dense layer has {dense.parameters}",
        f"Together {first.parameters:,} parameters and {first.macs:,} multiply–accumulates",
        f"field {last_field(first)}×{last_field(first)}",
        f"{second.parameters:,} parameters, {second.macs:,} products, field {last_field(second)}×",
        f"It takes {1 - first.macs / second.macs:.0%} less work".replace("%", " %"),
    ):
        assert told in letter
    wider = drafted(budget.input_shape, [(8, 5, 2), (17, 5, 2)], 6).summary()
    more = wider.parameters - first.parameters, wider.macs - first.macs
    assert f"One filter more in layer 2 costs {more[0]} parameters and {more[1]:,} products" in letter
    room = (budget.parameters - first.parameters) // more[0], (budget.macs - first.macs) // more[1]
    assert room == (3, 5)
    assert "three more, work five" in letter
    seen = 13 + 4 * (two.output_shape[1] - 1)
    assert f"The last windows end at pixel {seen} of 24" in letter
    held = budget.digits("validation").images[..., 0]
    lost = held[:, seen:].any(axis=(1, 2)) | held[:, :, seen:].any(axis=(1, 2))
    assert f"{np.count_nonzero(lost)} of the {len(held)} digits have ink there" in letter
    assert re.search(r"standard error is 0\.9 points", letter)
    assert round(100 * (0.95 * 0.05 / len(held)) ** 0.5, 1) == 0.9


def test_a_padded_first_layer_would_see_everything():
    """As the defence says: then the last windows reach the end of 24 pixels."""
    layers = [Conv2D(8, 5, strides=2, padding=1), Conv2D(16, 5, strides=2), GlobalAveragePooling2D()]
    network = Sequential([Input((24, 24, 1)), *layers])
    field, places = network.summary().rows[2].field[0], network.summary().rows[2].output_shape[1]
    assert field.offset + field.stride * (places - 1) + field.size >= 24
