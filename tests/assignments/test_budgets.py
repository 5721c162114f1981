"""Networks under a budget: counted is what is there, wherever it is and whatever it says of itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnlib.exercises import Sheet
from cnnlib.exercises.budgets import PARTS, Budget, Exam, digits, last_field, read_network
from cnnlib.exercises.sheets.capstone import reference
from cnnlib.layers import Conv2D, Dense, Flatten, GlobalAveragePooling2D
from cnnlib.network import Input, Sequential
from grading import remote

BUDGET = Budget((0, 3, 8), 24, parameters=5_000, macs=60_000, field=11)


def simple() -> Sequential:
    network = reference(24, 3)
    network.initialize(seed=1)
    return network


class Across(remote.Student):
    """A student's kernel without a kernel: every message crosses as bytes, as between two of them."""

    def __init__(self, **answers: Any) -> None:
        self._answers, self._kept, self._printed = answers, [], 0

    def _ask(self, message: Any, blobs: Any) -> Any:
        reply, sent = remote._answer(*self._cross(message, blobs), self._answers, self._kept)
        return self._cross(reply, sent)

    @staticmethod
    def _cross(message: Any, blobs: Any) -> Any:
        sent = remote.frame(message, blobs)
        text, _ = remote.lengths(sent[: remote.HEAD])
        return remote.unframe(text, sent[remote.HEAD :])


def verdicts(network: Any, exam: bool = True) -> list[Any]:
    shape = BUDGET.input_shape
    found = BUDGET.judge("network", network, shape)
    return found + (Exam(BUDGET).judge("network", network, shape) if exam else [])


def test_a_network_in_the_student_s_kernel_is_judged_as_one_at_hand():
    network = simple()
    handle = Across(network=network).fetch(["network"])["network"]
    assert isinstance(handle, remote.Handle)
    assert verdicts(handle) == verdicts(network)
    assert [verdict.right for verdict in verdicts(handle)[:4]] == [True] * 4


def test_a_trained_network_is_examined_with_its_own_weights():
    images, labels = BUDGET.digits("exam")
    network = simple()
    network.fit(*BUDGET.digits(), epochs=2, batch_size=32, verbose=0, from_logits=True)
    share = np.mean(network.predict(images).argmax(axis=1) == labels)
    handle = Across(network=network).fetch(["network"])["network"]
    (verdict,) = Exam(BUDGET).judge("network", handle, BUDGET.input_shape)
    assert f"reads {share:.1%} of 300 digits" in verdict.text


@pytest.mark.parametrize(
    ("share", "points"), [(0.2, 0), (0.8499, 0), (0.85, 0.5), (0.9099, 0.5), (0.91, 1), (1, 1)]
)
def test_points_come_step_by_step(share, points):
    verdict = Exam(BUDGET)._mark(share, 300)
    assert verdict.share == points
    assert verdict.right == (points == 1)


def test_each_limit_is_judged_by_itself():
    wide = Sequential([Input((24, 24, 1)), Conv2D(60, 9), GlobalAveragePooling2D(), Dense(3)])
    assert [verdict.right for verdict in verdicts(wide, exam=False)] == [True, False, False, False]
    flat = Sequential([Input((24, 24, 1)), Flatten(), Dense(3)])
    assert [verdict.right for verdict in verdicts(flat, exam=False)] == [True, True, True, False]
    deep = Sequential([Input((24, 24, 1)), *(Conv2D(2, 3, strides=2) for _ in range(3)), Flatten(), Dense(4)])
    assert [verdict.right for verdict in verdicts(deep, exam=False)] == [False, True, True, True]


@pytest.mark.parametrize("classes", [(0, 3, 8), (1, 9)])
@pytest.mark.parametrize("side", [24, 28, 30])
def test_the_parts_of_the_digits_share_none_and_are_balanced(classes, side):
    seen: set[bytes] = set()
    for part in PARTS:
        images, labels = digits(classes, side, part)
        assert images.shape == (len(labels), side, side, 1)
        assert len(set(np.bincount(labels))) == 1
        assert 0 <= images.min() < images.max() <= 1
        own = {image.tobytes() for image in images}
        assert not own & seen
        seen |= own


def test_frames_and_cuts_keep_the_digit_in_the_middle():
    small, whole, large = (digits((7,), side).images for side in (24, 28, 30))
    np.testing.assert_array_equal(small, whole[:, 2:-2, 2:-2])
    np.testing.assert_array_equal(large[:, 1:-1, 1:-1], whole)


class _Says:
    """An object that calls itself a network and describes something else."""

    def __init__(self, description: Any, weights: Any = ()) -> None:
        self.description, self.weights = description, weights

    def get_config(self) -> Any:
        return self.description

    def get_weights(self) -> Any:
        return self.weights


_Says.__name__ = "Sequential"

HUGE = simple().get_config()
HUGE = HUGE | {"inputs": [{"name": "image", "shape": [10**9, 10**9, 1]}]}
LONG = simple().get_config() | {"note": list(range(30_000))}
CODE = simple().get_config() | {"note": print}
STRANGE = simple().get_config()
STRANGE = STRANGE | {"layers": [{"class": "os.system", "config": {"command": "true"}}]}


@pytest.mark.parametrize("description", [HUGE, LONG, CODE, STRANGE, {}, None, "Sequential", [1]], ids=type)
@pytest.mark.parametrize("far", [False, True])
def test_what_only_calls_itself_a_network_is_refused_in_words(description, far):
    answer: Any = _Says(description)
    if far:
        answer = Across(network=answer).fetch(["network"])["network"]
    for verdict in verdicts(answer):
        assert verdict.state == "form"
        assert verdict.text.startswith("network cannot be read: ")
        assert verdict.share == 0


@pytest.mark.parametrize("weights", [None, [], [np.zeros(3)], ["a"], [print], 7], ids=repr)
def test_weights_that_do_not_fit_are_refused_in_words(weights):
    answer = Across(network=_Says(simple().get_config(), weights)).fetch(["network"])["network"]
    *counted, examined = verdicts(answer)
    assert all(verdict.right for verdict in counted)
    assert examined.text.startswith("network cannot be read: ")


def test_every_budget_is_kept_by_a_simple_network_and_not_by_a_thoughtless_one():
    for number in range(60):
        asked = Sheet("10-capstone", student_id=f"student {number}")["design-and-train"]
        budget = asked.budget
        kept = budget.judge("network", reference(budget.side, 6), asked.input_shape)
        assert all(verdict.right for verdict in kept)
        thoughtless = Sequential([Input(budget.input_shape), Flatten(), Dense(120), Dense(6)])
        shapes, parameters, _, field = budget.judge("network", thoughtless, asked.input_shape)
        assert (shapes.right, parameters.right, field.right) == (True, False, False)
        assert 9 <= budget.field <= last_field(reference(budget.side, 6).summary())


def test_a_model_of_keras_is_told_from_a_network_of_the_library():
    model = type("Sequential", (), {"__module__": "keras.src.models.sequential"})()
    assert read_network("network", model)[1].text.startswith(
        "network is of type keras.Sequential; a network of cnn"
    )


def test_what_is_not_kept_sends_to_its_chapter():
    wide = Sequential([Input((24, 24, 1)), Conv2D(60, 9), GlobalAveragePooling2D(), Dense(3)])
    _, parameters, macs, field, exam = verdicts(wide)
    for verdict, chapter in ((parameters, 12), (macs, 12), (field, 8)):
        assert f"See chapter {chapter}, “" in verdict.text
    assert "far above its budget" in exam.text
    assert "See chapter 11, “" in Exam(BUDGET)._mark(0.5, 300).text


def test_an_answer_that_is_none_is_named():
    assert read_network("network", ...)[1].state == "empty"
    assert read_network("network", None)[1].text.startswith("network is of type NoneType;")
