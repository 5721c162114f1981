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
REHEARSAL = Rehearsal.read(CLASS, Course.load(CLASS.parents[1]))
WORKS = {f"{work.student}:{work.assignment}": work for work in REHEARSAL.works}
BY_HAND = {f"{work.student}:{work.assignment}" for work in Rehearsal.read(CLASS).works}


def graded(notebook: Any, work: Work, monkeypatch: Any, *, keras: bool) -> dict[str, float]:
    """Run the answers one after the other, as a notebook does: names live on."""
    marks: dict[str, float] = {}
    namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}
    namespace["sheet"] = Sheet(work.assignment, namespace)
    monkeypatch.setenv("COURSE_STUDENT", work.student)
    for task_id in notebook.graded:
        if notebook.needs_keras(task_id) != keras:
            continue
        source = work.cells.get(task_id, notebook.cell(task_id, released=True).source)
        source = made_up.fill(source, work.assignment, work.student)
        monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
        with contextlib.suppress(Exception):  # the notebook goes on, too
            exec(compile(source, task_id, "exec"), namespace)
        monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
        marks[task_id] = notebook.execute(notebook.cell(f"{task_id}-check").source, namespace)
    return marks


def test_the_class_is_as_varied_as_a_class():
    assert len(REHEARSAL.students) == 30
    assert len(REHEARSAL.works) <= 100
    per_assignment = Counter(work.assignment for work in REHEARSAL.works)
    assert per_assignment.keys() == REHEARSAL.due.keys()
    assert min(per_assignment.values()) >= len(made_up.PROFILES)
    assert len(REHEARSAL.students) > per_assignment["03-sizes-and-counts"]
    totals = {sum(WORKS[name].marks.values()) for name in BY_HAND}
    assert min(totals) == 0
    assert max(totals) == 36
    assert len(totals) >= 10
    with_keras = [name for name, work in WORKS.items() if "keras" in str(work.cells)]
    assert 0.1 < len(with_keras) / len(WORKS) < 0.7


@pytest.mark.parametrize("name", WORKS)
def test_a_student_s_work_is_whole(notebooks, name):
    work = WORKS[name]
    notebook = notebooks[work.assignment]
    by_hand = {question.id for question in notebook.assignment.questions if question.by_hand}
    assert set(work.marks) == {f"{task_id}-check" for task_id in notebook.graded} | by_hand
    assert work.about.endswith(".")
    for task_id, points in notebook.graded.items():
        assert 0 <= work.marks[f"{task_id}-check"] <= points
        if task_id not in work.cells:
            assert work.marks[f"{task_id}-check"] == 0
    assert set(work.manual) <= set(work.cells)


@pytest.mark.parametrize("name", WORKS)
def test_known_marks_are_what_the_test_cells_give(notebooks, name, monkeypatch, capsys):
    work = WORKS[name]
    for task_id, points in graded(notebooks[work.assignment], work, monkeypatch, keras=False).items():
        assert points == work.marks[f"{task_id}-check"], task_id


@pytest.mark.keras
def test_known_marks_of_models_are_what_the_test_cells_give(notebooks, monkeypatch, capsys):
    for name, work in WORKS.items():
        for task_id, points in graded(notebooks[work.assignment], work, monkeypatch, keras=True).items():
            assert points == work.marks[f"{task_id}-check"], (name, task_id)


def test_who_copies_is_told(notebooks, monkeypatch, capsys):
    """The numbers of the one before, handed in as one's own."""
    work = next(work for work in REHEARSAL.works if work.about.startswith("Copied"))
    ids = tuple(each.student for each in REHEARSAL.works if each.assignment == work.assignment)
    monkeypatch.setattr(sheet, "class_ids", lambda: ids)
    graded(notebooks[work.assignment], work, monkeypatch, keras=False)
    assert "another student's numbers" in " ".join(capsys.readouterr().out.split())
