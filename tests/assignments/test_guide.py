"""What the instructor's guide says of adding a mistake and a task is done here, word for word."""

from __future__ import annotations

import contextlib
import io
import re
from typing import Any

import pytest

from cnnlib.exercises import Assignment, NotYet, Sheet, Task, check, misconceptions, sheet
from cnnlib.exercises.overview import slips, table
from cnnlib.exercises.sheet import assignments


@pytest.fixture(scope="module")
def blocks(root) -> list[str]:
    guide = (root / "chapters" / "for-instructors.md").read_text(encoding="utf-8")
    section = guide.split("### Add a mistake, or a task")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


def test_the_mistake_of_the_guide_is_told(blocks):
    task = Task("conv_parameters", kernel_size=5, channels=3, filters=10)
    before = check(task, 18)
    assert before.state == "wrong"
    names: dict[str, Any] = {}
    exec(blocks[0], names)
    (added,) = (entry for entry in misconceptions.likely("conv_parameters") if entry.name == "added-up")
    try:
        assert check(task, 18).text.startswith("18 adds what is to be multiplied. See chapter 5")
    finally:
        misconceptions.remove(added)


def test_the_task_of_the_guide_can_be_asked_and_checked(blocks, monkeypatch):
    names: dict[str, Any] = {}
    exec(blocks[1], names)
    extended = Assignment("03-sizes-and-counts", "Sizes and counts", (names["question"],))
    monkeypatch.setattr(sheet.sheets, "load", lambda name: extended)
    visible = re.sub(r"### BEGIN HIDDEN TESTS\n.*### END HIDDEN TESTS\n", "", blocks[2], flags=re.DOTALL)
    for student in ("ada", "김하늘"):
        space: dict[str, Any] = {}
        space["sheet"] = own = Sheet("03-sizes-and-counts", space, student)
        right = own.answers("count-another")
        assert "`parameters_c`" in own.show("count-another")
        assert "not answered yet" in said(visible, space)
        assert "no slip that I know" in said(visible, space | {"parameters_c": 1, "parameters_d": 1})
        space |= right
        assert said(visible, space).startswith("parameters_c: right. parameters_d: filled in;")
        monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
        assert said(blocks[2], space) == "parameters_c: right. [1 of 1] parameters_d: right. [1 of 1]"
        monkeypatch.delenv("NBGRADER_EXECUTION")


def said(source: str, names: dict[str, Any]) -> str:
    """What a check cell tells."""
    names["sheet"]._namespace = names
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            exec(source, names)
        except NotYet as verdicts:
            return " ".join(str(verdicts).split())
    return " ".join(printed.getvalue().split())


def test_the_table_names_every_task_with_its_points_and_slips():
    count = 0
    for assignment in assignments():
        lines = table(assignment).splitlines()
        assert len(lines) == len(assignment.questions) + 2
        for question, line in zip(assignment.questions, lines[2:], strict=True):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            assert cells[0] == f"**{question.title}** · {question.sort}"
            assert float(cells[2]) == question.points
            assert int(cells[3]) == question.difficulty
            for name in slips(question):
                assert name.replace("-", " ") in cells[4]
            count += bool(question.parts)
    assert count >= 100


@pytest.mark.grading
def test_a_key_holds_the_student_s_answers_and_nobody_else_s(tmp_path, root):
    from grading import key
    from grading.course import Course
    from grading.errors import GradingError

    course = Course.load(root, tmp_path / "class")
    (file,) = key.write(course, "Ada-Kim", ["03"])
    assert file == tmp_path / "class" / "keys" / "Ada-Kim" / "03-sizes-and-counts.html"
    page = file.read_text(encoding="utf-8")
    own = Sheet("03-sizes-and-counts", student_id="ada-kim")
    for question in own.assignment.questions:
        assert question.title in page
        for name, answer in own.answers(question.id).items() if question.values else ():
            assert f"<b>{name}</b> = {key.text(answer)} " in page
    assert "<script" not in page
    assert len(key.write(course, "ada-kim")) == len(assignments())
    with pytest.raises(GradingError, match="no student id"):
        key.write(course, "../ada")
