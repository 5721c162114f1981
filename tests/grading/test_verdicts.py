"""Verdicts are read back as they were printed, and every registered slip is known by its message."""

from __future__ import annotations

import collections

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlib.exercises import Marks, Task, check
from cnnlib.exercises.misconceptions import Misconception, everything
from grading import verdicts

ONE_ENTRY = {entry.message: entry for entry in reversed(list(everything()))}


def printed(monkeypatch, capsys, answers: dict, tasks: dict[str, Task]) -> str:
    """What a test cell prints while nbgrader grades."""
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    marks = Marks(answers)
    for name, task in tasks.items():
        marks.check(name, task, points=2)
    marks.score()
    return capsys.readouterr().out


def test_what_marks_print_is_read_back(monkeypatch, capsys) -> None:
    size = Task("output_size", size=28, kernel_size=5)
    shape = Task("conv_parameters", kernel_size=5, channels=3, filters=10)
    tasks = {"right": size, "slip": size, "biases": shape, "wrong": shape, "text": size, "missing": size}
    answers = {"right": 24, "slip": 23, "biases": 750, "wrong": 7, "text": "24"}
    told = verdicts.read(printed(monkeypatch, capsys, answers, tasks))
    assert [each.name for each in told] == list(tasks)
    assert [each.won for each in told] == [2, 0, 0, 0, 0, 0]
    assert {each.worth for each in told} == {2}
    assert [each.text for each in told] == [check(tasks[n], answers.get(n, ...)).text for n in tasks]
    slips = [each.slip and each.slip.name for each in told]
    assert slips == [None, "forgot-the-one", check(shape, 750).slip, None, None, None]
    assert [each.went for each in told] == ["full", *["none"] * 5]


@pytest.mark.parametrize("entry", ONE_ENTRY.values(), ids=lambda entry: f"{entry.kind}/{entry.name}")
def test_each_registered_message_is_known_again(entry: Misconception) -> None:
    text = entry.message.format_map(collections.defaultdict(lambda: 3, answer="12"))
    for around in (text, f"{text} See chapter 6, “Padding and stride”.", f"f(3, 1) gave 4. {text}"):
        found = verdicts.Told("x", around, 0, 1).slip
        assert found is not None
        assert found.message == entry.message


@pytest.mark.parametrize(
    "text", ["", "hello", "a: b", "a: b [1 of 2] c", "\x1b[31ma: b [1 of]", "a: b [x of 2]"]
)
def test_other_text_is_no_verdict(text: str) -> None:
    assert verdicts.read(text) == []


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    for told in verdicts.read(text):
        assert told.worth >= 0
    assert "".join(piece for piece, _ in verdicts.chapters(text)) == text


def test_a_chapter_s_page_is_found() -> None:
    text = check(Task("output_size", size=28, kernel_size=5), 23).text
    assert [page for _, page in verdicts.chapters(text) if page] == ["06-padding-and-stride"]
