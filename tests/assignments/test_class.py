"""The rehearsal class's expected marks, held against the test cells in this process.

`tests/grading/test_rehearsal.py` holds them against nbgrader itself; here a change of a check shows within
seconds which student it touches.
"""

from __future__ import annotations

import builtins
import contextlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cnnlib.exercises import Sheet, sheet
from grading import made_up
from grading.course import Course
from grading.rehearsal import Rehearsal, Work

CLASS = Path(__file__).parents[1] / "class"


@pytest.fixture(scope="module")
def rehearsal() -> Rehearsal:
    return Rehearsal.read(CLASS, Course.load(CLASS.parents[1]))


def pace(notebook: Any, task_id: str) -> str:
    """What the answers to a question take: a moment, Keras, or a training."""
    if notebook.trains(task_id):
        return "training"
    return "keras" if notebook.needs_keras(task_id) else "moment"


def graded(notebook: Any, work: Work, monkeypatch: Any, wanted: str = "moment") -> dict[str, float]:
    """Run the answers of one pace one after the other, as a notebook does: names live on."""
    marks: dict[str, float] = {}
    namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}
    namespace["sheet"] = Sheet(work.assignment, namespace)
    monkeypatch.setenv("COURSE_STUDENT", work.student)
    for task_id in notebook.graded:
        if pace(notebook, task_id) != wanted:
            continue
        source = work.cells.get(task_id, notebook.cell(task_id, released=True).source)
        source = made_up.fill(source, work.assignment, work.student)
        monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
        with contextlib.suppress(Exception):  # the notebook goes on, too
            exec(compile(source, task_id, "exec"), namespace)
        monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
        marks[task_id] = notebook.execute(notebook.cell(f"{task_id}-check").source, namespace)
    return marks


def works(rehearsal: Rehearsal, notebook: Any) -> list[Work]:
    return [work for work in rehearsal.works if work.assignment == notebook.name]


def test_the_class_is_as_varied_as_a_class(rehearsal):
    assert len(rehearsal.students) == 30
    assert len(rehearsal.works) <= 100
    per_assignment = Counter(work.assignment for work in rehearsal.works)
    assert per_assignment.keys() == rehearsal.due.keys()
    assert min(per_assignment.values()) >= len(made_up.PROFILES)
    assert len(rehearsal.students) > max(per_assignment.values())
    assert {work.student for work in rehearsal.works} >= {student.id for student in made(rehearsal)}
    totals = {sum(work.marks.values()) for work in Rehearsal.read(CLASS).works}
    assert min(totals) == 0
    assert max(totals) == 36
    assert len(totals) >= 10
    with_keras = [work for work in rehearsal.works if "keras" in str(work.cells)]
    assert 0.1 < len(with_keras) / len(rehearsal.works) < 0.7


def made(rehearsal: Rehearsal) -> list[Any]:
    return list(rehearsal.students[len(Rehearsal.read(CLASS).students) :])


def test_students_work_is_whole(rehearsal, notebook):
    by_hand = {question.id for question in notebook.assignment.questions if question.by_hand}
    for work in works(rehearsal, notebook):
        assert set(work.marks) == {f"{task_id}-check" for task_id in notebook.graded} | by_hand
        assert work.about.endswith(".")
        for task_id, points in notebook.graded.items():
            assert 0 <= work.marks[f"{task_id}-check"] <= points
            if task_id not in work.cells:
                assert work.marks[f"{task_id}-check"] == 0
        assert set(work.manual) <= set(work.cells)


def test_known_marks_are_what_the_test_cells_give(rehearsal, notebook, monkeypatch, capsys):
    for work in works(rehearsal, notebook):
        for task_id, points in graded(notebook, work, monkeypatch).items():
            assert points == work.marks[f"{task_id}-check"], (work.student, task_id)


@pytest.mark.keras
def test_known_marks_of_models_are_what_the_test_cells_give(rehearsal, notebook, monkeypatch, capsys):
    for work in works(rehearsal, notebook):
        for task_id, points in graded(notebook, work, monkeypatch, "keras").items():
            assert points == work.marks[f"{task_id}-check"], (work.student, task_id)


@pytest.mark.slow
def test_known_marks_of_trainings_are_what_the_test_cells_give(rehearsal, notebook, monkeypatch, capsys):
    for work in works(rehearsal, notebook):
        for task_id, points in graded(notebook, work, monkeypatch, "training").items():
            assert points == work.marks[f"{task_id}-check"], (work.student, task_id)


def test_who_copies_is_told(rehearsal, notebooks, monkeypatch, capsys):
    """The numbers of the one before, handed in as one's own."""
    for work in rehearsal.works:
        if work.about.startswith("Copied"):
            ids = tuple(each.student for each in rehearsal.works if each.assignment == work.assignment)
            monkeypatch.setattr(sheet, "class_ids", lambda ids=ids: ids)
            graded(notebooks[work.assignment], work, monkeypatch)
            assert "another student's numbers" in " ".join(capsys.readouterr().out.split())
