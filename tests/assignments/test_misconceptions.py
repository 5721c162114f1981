"""The registry of misconceptions: whole, distinguishable, and silent about the right answer."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

from cnnlib.errors import CnnError
from cnnlib.exercises import KINDS, Task, TaskError, check, draw, draw_cases, faults, quizzes, well_posed
from cnnlib.exercises import misconceptions as registry
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.wording import CHAPTERS, LABELS, SAY, say

quizzes.by_chapter()  # their questions with sentences stand in the same registry
ENTRIES = list(registry.everything())
IDS = [f"{entry.kind}:{entry.name}" for entry in ENTRIES]
each_kind = pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "first_slip"])


def test_there_are_many_and_their_names_are_unique_within_a_kind():
    assert len({entry.name for entry in ENTRIES}) >= 12
    assert len(set(IDS)) == len(IDS)
    assert all(registry.likely(kind) for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_entries_are_well_formed(kind):
    for entry in registry.likely(kind):
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", entry.name)
        assert entry.kind == kind
        assert entry.chapter in CHAPTERS
        blanks = set(re.findall(r"\{(\w+)\}", entry.message))
        parameters = set(inspect.signature(KINDS[kind].solve).parameters)
        assert blanks <= {"answer"} | parameters
        assert entry.message.rstrip("”").endswith((".", "?")), entry.name


@each_kind
def test_every_entry_applies_to_some_task_and_is_wrong_there(kind):
    silent = {entry.name: entry for entry in registry.likely(kind)}
    for number in range(200):
        hints = {"oblong": True} if "took-the-kernel-for-square" in silent and number % 2 else {}
        task = draw(kind, f"{kind}/{number}", **hints)
        for name, entry in list(silent.items()):
            wrong = entry.answer(task)
            if wrong is not None and not task.kind.form.same(wrong, task.answer):
                del silent[name]
        if not silent:
            return
    pytest.fail(f"never make a difference: {', '.join(silent)}")


def test_the_consequence_of_a_slip_is_told_from_the_slip():
    from cnnlib.exercises import Line

    one, ten = (Task("conv_parameters", kernel_size=5, channels=3, filters=n) for n in (1, 10))
    task = Task("first_slip", lines=[Line(one.answer, one), Line(one.answer, ten), Line(0, ten)])
    assert task.answer == 2
    assert check(task, 3).slip == "the-consequence"
    with pytest.raises(TaskError, match="no slip"):
        _ = Task("first_slip", lines=[Line(one.answer, one)]).answer


@each_kind
def test_well_posed_variants_can_be_drawn_of_every_kind(kind):
    tasks = [draw(kind, f"03/variant/{student}", accept=well_posed) for student in range(12)]
    assert all(faults(task) == [] for task in tasks)
    assert len({repr(task) for task in tasks}) >= 4


def test_draws_are_the_same_for_ever():
    # Written down once. If this fails, every student's numbers would change.
    assert Dice("golden").roll(0, 999) == 710
    assert dict(draw("output_size", "golden").given) == {
        "size": 61,
        "kernel_size": 3,
        "stride": 3,
        "padding": 0,
    }
    np.testing.assert_array_equal(Dice("golden").halves((2, 3)), [[3.0, 3.0, -3.5], [4.0, -1.5, -4.5]])


def test_dice_are_fair_enough():
    dice = Dice("fair")
    counts = np.bincount([dice.roll(1, 6) for _ in range(3000)], minlength=7)[1:]
    assert counts.min() > 420
    assert counts.max() < 580


def test_bad_tasks_are_refused_with_what_is_wrong():
    with pytest.raises(TaskError, match="no kind of task is called 'ouput_size'; did you mean 'output_size'"):
        Task("ouput_size")
    with pytest.raises(TaskError, match="missing a required argument: 'filters'"):
        Task("conv_parameters", kernel_size=3, channels=3)
    with pytest.raises(TaskError, match="no kind of task"):
        draw("size", "seed")
    with pytest.raises(TaskError, match="no acceptable task among 1,000"):
        draw("output_size", "seed", accept=lambda task: False)
    with pytest.raises(TaskError, match="no square kernel"):
        _ = Task("kernel_from_count", parameters=100, channels=3, filters=8).answer


def test_bad_entries_are_refused_with_what_is_wrong():
    def rule(**given: object) -> None:
        return None

    with pytest.raises(CnnError, match="no kind of task is called 'sizes'"):
        registry.add("sizes", "x", rule, "…", "one-dimension")
    with pytest.raises(CnnError, match="no chapter is labelled 'nowhere'"):
        registry.add("output_size", "x", rule, "…", "nowhere")
    with pytest.raises(CnnError, match="already has a misconception 'forgot-the-one'"):
        registry.add("output_size", "forgot-the-one", rule, "…", "one-dimension")
    assert list(registry.everything()) == ENTRIES


def test_cases_for_functions_show_every_mistake_that_can_show():
    for kind in ("output_size", "conv_parameters", "conv2d"):
        cases = draw_cases(kind, "any seed", 8)
        for entry in registry.likely(kind):
            wrong = [(entry.answer(case), case.answer) for case in cases]
            told = [pair for pair in wrong if pair[0] is not None]
            assert not told or any(not cases[0].kind.form.same(*pair) for pair in told), entry.name


def test_every_parameter_has_a_word_and_every_sentence_can_be_said():
    for kind in KINDS.values():
        for name in inspect.signature(kind.solve).parameters:
            assert name in {**LABELS, **kind.labels, "layers": "", "lines": ""}, f"{kind.name}: {name}"
    for key, sentence in SAY.items():
        blanks = set(re.findall(r"\{(\w+)", sentence))
        assert say(key, **dict.fromkeys(blanks, 1))


def test_messages_link_to_the_book_where_its_address_is_known(monkeypatch):
    monkeypatch.setenv("COURSE_SITE", "https://example.org/cnn/")
    task = Task("output_size", size=28, kernel_size=5)
    assert check(task, 23).text.endswith("https://example.org/cnn/06-padding-and-stride.html.")
