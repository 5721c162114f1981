"""The answer key of a student: all questions with that student's numbers, and the right answers, to print.

``python -m grading key ada-kim 03`` writes it as one page of HTML.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import markupsafe
import numpy as np

from cnnlib.exercises import Assignment, Question, Sheet, Work, sheets
from cnnlib.exercises.sheet import normalised
from cnnlib.exercises.tasks import TaskError
from grading.course import NAME_RULE, Course, is_name
from grading.errors import GradingError
from grading.feedback import filled, markdown


@dataclass(frozen=True)
class Entry:
    """A question in the key: what is shown to the student, and each part with its answer and points."""

    title: str
    points: float
    sort: str
    shown: markupsafe.Markup
    answers: tuple[tuple[str, str, float], ...]


def entries(assignment: Assignment, student: str) -> list[Entry]:
    """The key of an assignment, question by question.

    >>> key = entries(sheets.load("03-sizes-and-counts"), "ada")
    >>> key[0].title, key[0].answers[0]
    ('A window on a row', ('size_a', ' = 47', 1))
    """
    sheet = Sheet(assignment.name, student_id=student)
    return [_entry(question, sheet) for question in assignment.questions]


def _entry(question: Question, sheet: Sheet) -> Entry:
    shown, answers = markupsafe.Markup(""), []
    tasks: Any = {}
    if question.personal:
        asked = sheet[question.id]
        shown, tasks = markdown(asked.text), asked.tasks
    for part in question.parts:
        told = ": by its tests" if isinstance(part, Work) else f" = {text(tasks[part.name].answer)}"
        answers.append((part.name, told, part.points))
    if question.by_hand:
        answers.append(("explanation", ": by hand; the rubric stands with the solution", question.by_hand))
    return Entry(question.title, question.points, question.sort, shown, tuple(answers))


def text(answer: Any) -> str:
    """An answer as it may be written.

    >>> text(np.array([[1.0, -2.5]])), text((28, 28, 6))
    ('[[1, -2.5]]', '(28, 28, 6)')
    """
    if isinstance(answer, np.ndarray):
        answer = answer.tolist()
    if isinstance(answer, list):
        return f"[{', '.join(map(text, answer))}]"
    return f"{answer:g}" if isinstance(answer, float) else str(answer)


def write(course: Course, student: str, wanted: Sequence[str] = ()) -> list[Path]:
    """Write the keys of a student; return where they are: ``class/keys/STUDENT/ASSIGNMENT.html``.

    Raises:
        GradingError: the name can be no student id, or an assignment gives everybody the same.
    """
    if not is_name(student):
        raise GradingError(f"{student!r} can be no student id: {NAME_RULE}")
    names = [course.find(name) for name in wanted] or course.assignments()
    files = []
    for name in names:
        try:
            assignment = sheets.load(name)
        except TaskError as error:
            raise GradingError(f"{name} has no numbers of students' own: {error}") from None
        file = course.folder / "keys" / student / f"{name}.html"
        file.parent.mkdir(parents=True, exist_ok=True)
        page = filled(
            "key.html.j2",
            assignment=assignment,
            student=student,
            drawn_for=normalised(student),
            entries=entries(assignment, student),
        )
        file.write_text(page, encoding="utf-8")
        files.append(file)
    return files
