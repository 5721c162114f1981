"""Pooling and a shift: the numbers are those of the library, in Python and in the browser."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from cnnlib.errors import CnnError, ShapeError, SizeError
from cnnlib.explorers import ShiftAndPool
from cnnlib.explorers.shift_and_pool import KINDS
from cnnlib.pooling import average_pool, max_pool

ROW: dict[str, Any] = {"inputs": [0, 3, 1, 4, 1, 5, 9, 2], "pool_size": 3, "strides": 1, "shift": 1}
PICTURE: dict[str, Any] = {
    "inputs": (np.arange(36).reshape(6, 6) * 7 % 10).tolist(),
    "pool_size": 3,
    "strides": 2,
    "padding": "same",
    "place": 4,
}


def drawn(count: int) -> list[dict[str, Any]]:
    """Examples drawn at random, of quarters; some windows do not fit."""
    random = np.random.default_rng(20260107)

    def one(rank: int) -> dict[str, Any]:
        size = random.integers(1, 13 if rank == 1 else 7, rank)
        return {
            "inputs": (random.integers(-12, 40, size) / 4).tolist(),
            "pool_size": int(random.integers(1, 5)),
            "strides": int(random.integers(1, 5)),
            "padding": ["valid", "same"][random.integers(2)],
            "kind": KINDS[random.integers(3)],
            "shift": int(random.integers(-6, 7)),
            "ring": bool(random.random() < 0.4),
        }

    return [one(1 + index % 2) for index in range(count)]


def say(page: Any) -> str:
    return page.locator(".cx-say").inner_text()


def labels(parts: dict[str, str]) -> list[list[list[float]]]:
    """The numbers of each drawing, as a screen reader gets them."""
    texts = re.findall(r'aria-label="[^:]*: ([^"]+)"', parts["panels"].replace("−", "-"))
    return [[[float(v) for v in row.split(", ")] for row in text.split("; ")] for text in texts]


@pytest.mark.parametrize("kind", KINDS)
def test_the_numbers_are_those_of_the_library(kind: str) -> None:
    explorer = ShiftAndPool(**{**PICTURE, "kind": kind, "shift": -2, "ring": True})
    values = np.array(PICTURE["inputs"], float)
    moved = np.roll(values, -2, axis=1)
    operator = average_pool if kind == "average" else max_pool
    size = 1 if kind == "strided" else 3

    def pooled(picture: Any) -> Any:
        return operator(picture[None, ..., None], size, 2, "same")[0, ..., 0]

    expected = [values, pooled(values), moved, pooled(moved)]
    for found, wanted in zip(labels(explorer._regions()), expected, strict=False):
        np.testing.assert_allclose(found, wanted, atol=5.1e-4)
    assert f"Of all outputs {(pooled(values) == pooled(moved)).sum()} of 9 stay" in repr(explorer)
    assert explorer.gradient.sum() == pytest.approx(9), "what outputs hand on arrives"


def test_a_gradient_is_how_much_an_input_moves_the_sum_of_the_outputs() -> None:
    """By differences small enough not to change which is the largest."""
    values = np.array([0, 3, 1, 4, 1.5, 5, 9, 2])
    for kind in KINDS:
        example = {**ROW, "inputs": values, "kind": kind}
        before = ShiftAndPool(**example).outputs.sum()
        for place in range(8):
            step = np.eye(8)[place] / 8
            change = ShiftAndPool(**{**example, "inputs": values + step}).outputs.sum() - before
            assert change * 8 == pytest.approx(ShiftAndPool(**example).gradient[0, place])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"inputs": [1, 2], "pool_size": 3}, SizeError, "axis 0: kernel 3 does not fit into input 2; pad by"),
        ({"inputs": [[[1]]]}, ShapeError, "inputs has shape (1, 1, 1); an explorer shows"),
        ({"inputs": range(25)}, SizeError, "axis 0: 25 cells are more … use at most 24"),
        (
            {"inputs": [1, 2], "kind": "min"},
            SizeError,
            "kind 'min' is unknown; use one of max, average, strided",
        ),
        ({"inputs": [1, 2], "padding": "full"}, SizeError, "padding 'full' is unknown … valid, same"),
        ({"inputs": [1, 2], "strides": 0}, SizeError, "strides must be a whole number of at least 1"),
        ({"inputs": [1, 2], "shift": 0.5}, SizeError, "shift must be a whole number"),
        (
            {"inputs": [1, 2], "shift": -3},
            SizeError,
            "2 columns cannot be shifted by -3; shift by",
        ),
        ({"inputs": [1, 2], "place": 1}, SizeError, "place 1 is none of the 1 windows"),
    ],
)
def test_bad_examples_are_refused(arguments: Any, error: type[Exception], words: str, says: Any) -> None:
    with pytest.raises(error) as caught:
        ShiftAndPool(**arguments)
    says(caught, words)


def test_the_script_computes_what_python_computes(show: Any, asked: Any) -> None:
    """Hundreds of examples, each at some window: the same HTML, numbers and words, and the same refusals."""
    fitting = 0
    for rank in (1, 2):
        cases, answers = [], []
        for example in drawn(800):
            if np.ndim(example["inputs"]) != rank:
                continue
            places = [0]
            try:
                explorer = ShiftAndPool(**example)
            except CnnError as error:
                answers.append(str(error))
            else:
                fitting += 1
                places = [(explorer.steps - 1) * (fitting % 3) // 2]
                answers.append([explorer._regions(place) for place in places])
            state = example | {"inputs": np.atleast_2d(example["inputs"]).tolist()}
            cases.append((state, [{"at": place} for place in places]))
        assert asked(show(ShiftAndPool(np.ones((3,) * rank))), cases) == answers
        assert any(isinstance(answer, str) for answer in answers)
    assert fitting >= 500


def test_all_by_keyboard(show: Any) -> None:
    page = show(ShiftAndPool(**PICTURE))
    page.locator(".cx-panels").focus()
    for key, place in (
        ("ArrowRight", 5),
        ("ArrowRight", 5),
        ("ArrowUp", 2),
        ("ArrowUp", 2),
        ("End", 8),
        ("Home", 0),
    ):
        page.keyboard.press(key)
        assert say(page) == ShiftAndPool(**PICTURE)._regions(place)["say"]
    reached = []
    for _ in range(7):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.dataset.c ?? document.activeElement.tagName"))
    assert reached == ["shift", "kind", "row", "column", "reset", "link", "SUMMARY"]
    page.keyboard.press("Enter")
    page.get_by_role("slider", name="shift").press("ArrowRight")
    page.get_by_role("combobox", name="pooling").press("ArrowDown")
    page.get_by_label("what goes out").press("Space")
    other = ShiftAndPool(**{**PICTURE, "shift": 1, "kind": "average", "ring": True})
    assert page.locator(".cx-facts").inner_html() == other._regions(0)["facts"]
    assert say(page) == other._regions(0)["say"]
    page.get_by_role("button", name="Reset").press("Enter")
    assert say(page) == repr(ShiftAndPool(**PICTURE))


def test_what_is_typed_is_pooled_or_refused(show: Any) -> None:
    page = show(ShiftAndPool(**ROW))
    page.locator("summary").click()
    page.get_by_label("input values").fill("2 -1 0.5 7 1 3")
    page.get_by_label("stride", exact=True).fill("2")
    page.get_by_label("padding").select_option("same")
    typed = {"inputs": [2, -1, 0.5, 7, 1, 3], "pool_size": 3, "strides": 2, "shift": 1}
    assert say(page) == repr(ShiftAndPool(**typed, padding="same"))
    page.get_by_label("padding").select_option("valid")
    page.get_by_role("spinbutton", name="window").fill("7")
    with pytest.raises(SizeError) as caught:
        ShiftAndPool(**{**typed, "pool_size": 7})
    assert page.get_by_role("alert").inner_text() == str(caught.value)


def test_by_mouse_and_finger(show: Any, dragged: Any, middle: Any) -> None:
    explorer = ShiftAndPool(**{**PICTURE, "place": 0})
    page = show(explorer)
    page.mouse.move(*middle(page, "w1", 0, 0))
    page.mouse.down()
    page.mouse.move(*middle(page, "w1", 2, 4), steps=4)
    page.mouse.up()
    assert say(page) == explorer._regions(5)["say"]
    page.mouse.click(*middle(page, "pl", 2, 1))
    assert say(page) == explorer._regions(7)["say"]
    page = show(explorer, width=360, has_touch=True, is_mobile=True)
    dragged(page, *(middle(page, "w0", part, part) for part in (0, 1, 2)))
    assert say(page) == explorer._regions(4)["say"]


def test_a_link_brings_the_example_back(show: Any) -> None:
    page = show(ShiftAndPool(**ROW, name="pool"))
    page.get_by_role("slider", name="shift").fill("-3")
    page.get_by_role("combobox", name="pooling").select_option("strided")
    page.wait_for_function("location.hash && location.hash === document.querySelector('[data-c=link]').hash")
    words, link = say(page), page.evaluate("location.hash").split("--")[1]
    again = show(ShiftAndPool(**ROW, name="pool-again"), hash=f"#pool-again--{link}")
    assert say(again) == words == repr(ShiftAndPool(**{**ROW, "shift": -3, "kind": "strided"}))
