"""Made-up answers for the rehearsal class: from the sheets, the banks, and a plan that gives marks.

Each submission follows a :class:`Profile`. Its marks are known by construction, from the sheet and what the
bank says of an answer, and no check is asked for them.
"""

from __future__ import annotations

import itertools
import re
import runpy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cnnlib.exercises import Assignment, Question, Sheet, Task, Work, sheets
from cnnlib.exercises.answers import plain
from cnnlib.exercises.misconceptions import answers, mistaken
from grading.errors import GradingError


@dataclass(frozen=True)
class Answers:
    """What somebody wrote: sources by grade id, and the marks that must come out."""

    cells: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Profile:
    """How somebody works.

    Attributes:
        about: in words.
        way: one of the ways of :func:`answer`.
        hours: how long before the due date it is handed in (after it, where negative).
        by_hand: the share of the points that a person gives for the explanation; None where it waits.
    """

    about: str
    way: str
    hours: float = 5
    by_hand: float | None = 1


#: The plan: submissions of an assignment go round these.
PROFILES = (
    Profile("Everything right, plain numbers, lists and tuples.", "plain"),
    Profile("A slip in each question that has numbers of its own; functions cheat.", "slips", 2, 0.5),
    Profile("Everything right, the NumPy way; two started days late.", "numpy", -30),
    Profile("Answered the first half and stopped.", "half", 26, None),
    Profile("Copied the values of the one before, who has other numbers.", "copied", 1, 0.5),
    Profile("Handed the notebook in as it was released.", "untouched", 0.5, None),
    Profile("Knows the numbers, and writes them as text; no model.", "text", 50, 0.5),
    Profile("Right, with floats that are whole; no model; within the grace time.", "floats", -0.1),
)


class Bank:
    """The answers to an assignment that no kind can make up: ``tests/assignments/banks``."""

    def __init__(self, assignment: str, root: Path) -> None:
        folder = root / "tests" / "assignments" / "banks"
        file = folder / f"{sheets.module_name(assignment)}.py"
        content = runpy.run_path(str(file)) if file.exists() else {}
        self.right: Mapping[str, list[str]] = content.get("RIGHT", {})
        self.wrong: Mapping[str, list[tuple[str, str, float]]] = content.get("WRONG", {})
        self.heads: Mapping[str, str] = content.get("HEADS", {})


# --- Answers in hand-made files: «size_a» is the right one, «size_a:forgot-the-one» a slip's ---------------

_BLANK = re.compile(r"«([^»]+)»")


def fill(source: str, assignment: str, student: str) -> str:
    """Put a student's numbers into an answer.

    «part» is the right answer, «part:slip» that of a registered mistake, and «question.fact.0.name» something
    of a question's facts.
    """
    if not _BLANK.search(source):
        return source
    sheet = Sheet(assignment, student_id=student)
    tasks: dict[str, Task] = {}
    for question in sheet.assignment.questions:
        if question.personal:
            tasks |= sheet[question.id].tasks

    def value(match: re.Match[str]) -> str:
        name, _, slip = match[1].partition(":")
        if name in tasks:
            return literal(mistaken(tasks[name], slip) if slip else tasks[name].answer)
        question, *path = name.split(".")
        found: Any = sheet[question]
        for step in path:
            found = found[int(step)] if step.isdigit() else getattr(found, step)
        return literal(found)

    return _BLANK.sub(value, source)


def literal(value: Any) -> str:
    """A value as a student would type it.

    >>> literal(np.array([[1.0, 2.5]]))
    '[[1, 2.5]]'
    """
    return repr(plain(value))


# --- Answers by profile -------------------------------------------------------------------------------


def answer(
    assignment: Assignment, bank: Bank, student: str, way: str, other: str, number: int, letter: str
) -> Answers:
    """What a student writes who works in a way.

    Args:
        assignment: what is asked.
        bank: answers for functions and models.
        student: whose numbers.
        way: as :class:`Profile` says.
        other: from whom values are copied.
        number: goes round the styles and slips.
        letter: what stands in the explanation.
    """
    cells: dict[str, str] = {}
    marks: dict[str, float] = {}
    mine, theirs = (Sheet(assignment.name, student_id=who) for who in (student, other))
    graded = [question for question in assignment.questions if question.parts]
    for place, question in enumerate(graded):
        done = way != "untouched" and not (way == "half" and place >= len(graded) / 2)
        source, points = _answer(question, mine, theirs, bank, way, number + place)
        cells |= {question.id: source} if done and source else {}
        marks[f"{question.id}-check"] = points if done and source else 0
    for question in assignment.questions:
        if question.by_hand:
            marks[question.id] = 0
            cells |= {question.id: letter} if way not in ("untouched", "half") else {}
    return Answers(cells, marks)


def _answer(
    question: Question, mine: Sheet, theirs: Sheet, bank: Bank, way: str, number: int
) -> tuple[str, float]:
    """The source of an answer's cell, and what it is worth."""
    lines: list[str] = []
    points: float = 0
    for part in question.parts:
        if isinstance(part, Work):
            source, worth = _work(part, bank, way, number)
        else:
            task = mine[question.id].tasks[part.name]
            copied = theirs[question.id].tasks[part.name].answer
            source, right = _value(task, way, copied, number, part is question.values[0])
            source, worth = f"{part.name} = {source}", part.points if right else 0
        lines.append(source)
        points += worth
    head = ["import numpy as np\n"] if any("np." in line for line in lines) else []
    return "\n".join([*head, *lines]).strip(), points


def _work(part: Work, bank: Bank, way: str, number: int) -> tuple[str, float]:
    """A function or a model; models load Keras, and so only some have one."""
    if part.kind is None and way not in ("plain", "copied"):
        return "", 0
    head = bank.heads.get(part.name) if way == "slips" else None
    if way == "slips":
        sources = [source for source, _, most in bank.wrong.get(part.name, ()) if most == 0]
        sources = [source for source in sources if "Sly" not in source]  # a class of the tests'
    else:
        sources = list(bank.right.get(part.name, ()))
    if not sources:  # a bank in the making
        return "", 0
    source = sources[number % len(sources)]
    return f"{head}\n    {source}" if head else source, 0 if way == "slips" else part.points


def _value(task: Task, way: str, copied: Any, number: int, first: bool) -> tuple[str, bool]:
    """What is typed for a value, and whether it is right."""
    right = task.answer
    if way == "copied":
        return literal(copied), bool(task.kind.form.same(copied, right))
    if way == "text":
        return f'"{literal(right)}"', False
    if way == "slips" and first:
        slips = answers(task)
        return (literal(slips[number % len(slips)][1]), False) if slips else ("None", False)
    if way == "numpy":
        return (f"np.array({literal(right)})" if np.ndim(right) else f"np.float64({literal(right)})"), True
    if way == "floats" and isinstance(right, int):
        return repr(float(right)), True
    return literal(right), True


def plan(
    students: Iterable[str], assignments: Iterable[str], each: int
) -> Iterator[tuple[str, str, Profile, str]]:
    """Who hands in what, and how: (student, assignment, profile, the one before).

    Students take turns, so that each hands in about as much as any other.

    >>> [(who, how.way) for who, _, how, _ in plan(["ada", "ben", "eve"], ["01", "02"], 2)]
    [('ada', 'plain'), ('ben', 'slips'), ('eve', 'plain'), ('ada', 'slips')]
    """
    turns = itertools.cycle(students)
    for assignment in assignments:
        before = ""
        for number in range(each):
            student = next(turns)
            yield student, assignment, PROFILES[number % len(PROFILES)], before or student
            before = student


def letter(solution: str, share: float | None) -> str:
    """An explanation: the beginning of the model answer, longer where it is worth more."""
    sentences = re.split(r"(?<=\.)\s+", " ".join(solution.split("**Rubric**", maxsplit=1)[0].split()))
    text = " ".join(sentences[: max(1, round(len(sentences) * (share or 0.5)))])
    if not text:
        raise GradingError("an explanation has no model answer")
    return text
