"""The rehearsal class's expected marks, held against the test cells in this process.

`tests/grading/test_rehearsal.py` holds them against nbgrader itself; here a change of a check shows within
seconds which student it touches.
"""

from __future__ import annotations

import builtins
import contextlib
import tomllib
from pathlib import Path
from typing import Any

import pytest

STUDENTS = {
    file.stem: tomllib.loads(file.read_text(encoding="utf-8"))
    for file in sorted((Path(__file__).parents[1] / "class" / "students").glob("*.toml"))
}
SUBMITTED = {name: student for name, student in STUDENTS.items() if "submitted" in student}


def graded(sheet: Any, student: dict[str, Any], task_ids: list[str], monkeypatch: Any) -> dict[str, float]:
    """Run the answers one after the other, as a notebook does: names live on."""
    marks, namespace = {}, {"__name__": "__main__", "__builtins__": builtins}
    for task_id in task_ids:
        source = student["cells"].get(task_id, sheet.cell(task_id, released=True).source)
        with contextlib.suppress(Exception):  # the notebook goes on, too
            exec(compile(source, task_id, "exec"), namespace)
        monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
        marks[task_id] = sheet.execute(sheet.cell(f"{task_id}-check").source, namespace)
    return marks


def test_the_class_is_as_varied_as_a_class():
    assert len(STUDENTS) >= 14
    assert len(STUDENTS) > len(SUBMITTED)
    totals = {name: sum(student["marks"].values()) for name, student in SUBMITTED.items()}
    assert max(totals.values()) == 36
    assert min(totals.values()) == 0
    assert len(set(totals.values())) >= 10
    with_keras = [name for name, student in SUBMITTED.items() if "keras" in str(student["cells"])]
    assert 0.3 < len(with_keras) / len(SUBMITTED) < 0.7


@pytest.mark.parametrize("name", SUBMITTED)
def test_a_student_s_file_is_whole(sheet, name):
    student = SUBMITTED[name]
    assert set(student["marks"]) == {f"{task_id}-check" for task_id in sheet.graded} | {"explain-to-a-friend"}
    assert student["about"].endswith(".")
    for task_id, points in sheet.graded.items():
        assert 0 <= student["marks"][f"{task_id}-check"] <= points
        if task_id not in student["cells"]:
            assert student["marks"][f"{task_id}-check"] == 0
    assert set(student.get("manual", {})) <= set(student["cells"])


@pytest.mark.parametrize("name", SUBMITTED)
def test_marks_by_hand_are_what_the_test_cells_give(sheet, name, monkeypatch, capsys):
    student = SUBMITTED[name]
    task_ids = [task_id for task_id in sheet.graded if task_id != "build-a-model"]
    for task_id, points in graded(sheet, student, task_ids, monkeypatch).items():
        assert points == student["marks"][f"{task_id}-check"], task_id


@pytest.mark.keras
def test_marks_of_models_are_what_the_test_cell_gives(sheet, monkeypatch, capsys):
    for name, student in SUBMITTED.items():
        marks = graded(sheet, student, ["build-a-model"], monkeypatch)
        assert marks["build-a-model"] == student["marks"]["build-a-model-check"], name
