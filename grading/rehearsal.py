"""Grade the rehearsal class of ``tests/class/``: made-up students whose marks are known.

Each submission is the released notebook with the student's answers put in, so that what is rehearsed is what
a class does. Some students are files, written by hand to show something special; the others' answers are
made by :mod:`grading.made_up`, over all assignments. ``tests/class/README.md`` says more.
"""

from __future__ import annotations

import os
import shutil
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nbformat

from cnnlib.exercises import sheets
from grading import config, gradebook, leaks, made_up, release, run, state
from grading.course import ROOT, Course, is_name
from grading.errors import GradingError


@dataclass(frozen=True)
class Student:
    """A made-up student."""

    id: str
    first_name: str
    last_name: str


@dataclass(frozen=True)
class Work:
    """What a student hands in for an assignment.

    Answers by grade id, points given by hand, and the marks that must come out.
    """

    student: str
    assignment: str
    submitted: datetime
    about: str
    cells: Mapping[str, str]
    manual: Mapping[str, float] = field(default_factory=dict)
    marks: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Rehearsal:
    """The class: its students, when each assignment is due, and what is handed in."""

    students: tuple[Student, ...]
    due: Mapping[str, datetime]
    works: tuple[Work, ...]

    @property
    def assignments(self) -> tuple[str, ...]:
        """What is graded, in order."""
        return tuple(sorted({work.assignment for work in self.works}))

    @classmethod
    def read(cls, folder: Path, course: Course | None = None) -> Rehearsal:
        """Read ``class.toml`` and ``students/*.toml``; with a course, make up the other submissions."""
        about = _toml(folder / "class.toml")
        _expect(
            folder / "class.toml",
            about,
            {"assignment": str, "due": datetime},
            {"timezone": str, "made_up": dict},
        )
        files = sorted((folder / "students").glob("*.toml"))
        if not files:
            raise GradingError(f"{folder / 'students'} has no students")
        name, due = about["assignment"], {about["assignment"]: _utc(about["due"])}
        read = [_student(file, name) for file in files]
        students, works = [student for student, _ in read], [work for _, work in read if work is not None]
        if course is not None and "made_up" in about:
            table = about["made_up"]
            _expect(folder / "class.toml", table, {"each": int, "students": list}, {})
            students += [_named(full) for full in table["students"]]
            others = [other for other in course.assignments() if other != name]
            for other in others:
                due[other] = due[name] + timedelta(weeks=_number(other) - _number(name))
            works += _made_up(course, students, others, due, table["each"])
        return cls(tuple(students), due, tuple(works))


def _number(assignment: str) -> int:
    return int(assignment.split("-", maxsplit=1)[0])


def _named(full: str) -> Student:
    """A student of whom nothing but the name is known."""
    first, _, last = full.partition(" ")
    return Student("-".join(full.lower().split()), first, last)


def _made_up(
    course: Course,
    students: Sequence[Student],
    assignments: Sequence[str],
    due: Mapping[str, datetime],
    each: int,
) -> list[Work]:
    works: list[Work] = []
    ids = [student.id for student in students]
    for student, name, profile, before in made_up.plan(ids, assignments, each):
        assignment, bank = sheets.load(name), made_up.Bank(name, course.root)
        explained = [question for question in assignment.questions if question.by_hand]
        letter = made_up.letter(_model_letter(course, name, explained[0].id), profile.by_hand)
        number = len(works)
        written = made_up.answer(assignment, bank, student, profile.way, before, number, letter)
        worth = {} if profile.by_hand is None else {q.id: q.by_hand * profile.by_hand for q in explained}
        moment = due[name] - timedelta(hours=profile.hours)
        works.append(Work(student, name, moment, profile.about, written.cells, worth, written.marks))
    return works


def _model_letter(course: Course, assignment: str, question: str) -> str:
    """The model answer to a question that a person marks."""
    for file in course.notebooks(assignment):
        for cell in nbformat.read(file, as_version=4).cells:
            if cell.metadata.get("nbgrader", {}).get("grade_id") == question:
                return "\n".join(leaks.region(cell.source, "solution"))
    return ""


def place(root: Path = ROOT) -> Path:
    """The rehearsal's class folder."""
    return root / "build" / "rehearsal"


def rehearse(root: Path = ROOT) -> tuple[Course, bool]:
    """Grade the rehearsal class unless nothing changed since; return the course and whether it was graded."""
    # Its code is the course's own: where there can be no sandbox, it is graded all the same.
    reason = None if config.unsandboxed() else config.why_not(ROOT)
    if reason is not None:
        run.say(f"note: no sandbox on this machine ({reason}); the rehearsal does without")
        os.environ[config.UNSANDBOXED] = "1"
    course = Course.load(root, place(root))
    waiting = f"waiting for another rehearsal in {course.show(course.folder)} …"
    with state.locked(course.folder.with_suffix(".lock"), lambda: run.say(waiting)):
        return course, _rehearse(course)


def _rehearse(course: Course) -> bool:
    root, source = course.root, course.root / "tests" / "class"
    stamp = course.folder / "complete.json"
    parts = [course.solutions, course.exercises, source, root / "cnnlib", root / "grading"]
    mark = state.fingerprint([*parts, root / "nbgrader_config.py", root / "requirements.lock"])
    if state.fresh(stamp, mark):
        run.say(f"the rehearsal class is graded; nothing has changed since ({course.show(course.folder)})")
        return False
    rehearsal = Rehearsal.read(source, course)
    for name in rehearsal.assignments:
        differing = release.differing(course, course.find(name))
        if differing:
            raise GradingError(
                f"{course.show(course.exercises / name)} is not what "
                f"{course.show(course.solutions)} would release today ({', '.join(differing)}); "
                "run: python -m grading release"
            )
    state.forget(stamp)
    if course.folder.exists():
        shutil.rmtree(course.folder)
    started = time.monotonic()
    count = f"{len(rehearsal.works)} submissions of {len(rehearsal.students)} students"
    run.say(f"rehearsing {', '.join(rehearsal.assignments)}: {count} …")
    hand_in(course, rehearsal)
    if not config.unsandboxed():
        from grading import provisioner  # its modules are those of Linux

        provisioner.register(course.solutions)
        provisioner.address()  # one warm start, which has imported what any assignment needs
    for name in rehearsal.assignments:
        outcome = run.autograde(course, name)
        if outcome.problems:
            raise GradingError(
                f"no points for {', '.join(sorted(outcome.problems))}; see {course.show(course.log)}"
            )
    mark_by_hand(course, rehearsal)
    run.write_marks(course)
    run.write_report(course)
    run.write_feedback(course)
    seconds = time.monotonic() - started
    state.note(stamp, mark, seconds=round(seconds, 1))
    run.say(f"the rehearsal took {seconds:.0f} s")
    return True


def hand_in(course: Course, rehearsal: Rehearsal) -> None:
    """Put the class into the gradebook and the submissions into their folders."""
    for work in rehearsal.works:
        target = course.submitted / work.student / work.assignment
        target.mkdir(parents=True)
        for file in sorted((course.exercises / work.assignment).glob("*.ipynb")):
            nbformat.write(answered(file, work), target / file.name)
        moment = work.submitted.strftime("%Y-%m-%d %H:%M:%S UTC")
        (target / "timestamp.txt").write_text(moment, encoding="utf-8")
    with course.surroundings() as log:
        for name in rehearsal.assignments:
            release.record(course, name, log)
        with gradebook.opened(course) as book:
            for name in rehearsal.assignments:
                book.update_or_create_assignment(name, duedate=rehearsal.due[name])
            for student in rehearsal.students:
                book.update_or_create_student(
                    student.id, first_name=student.first_name, last_name=student.last_name
                )


def answered(released: Path, work: Work) -> nbformat.NotebookNode:
    """The released notebook with a student's answers in it."""
    notebook = nbformat.read(released, as_version=4)
    cells = {
        cell.metadata.nbgrader.grade_id: cell
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    unknown = sorted(work.cells.keys() - cells.keys())
    if unknown:
        raise GradingError(f"{work.student} answers {', '.join(unknown)}, which {released.name} does not ask")
    for name, source in work.cells.items():
        cells[name].source = made_up.fill(source, work.assignment, work.student).strip("\n")
    return notebook


def mark_by_hand(course: Course, rehearsal: Rehearsal) -> None:
    """Give the points that the made-up instructor gave."""
    with course.surroundings(), gradebook.opened(course) as book:
        for work in rehearsal.works:
            for question, points in work.manual.items():
                gradebook.give(book, work.assignment, work.student, question, points)


def _student(file: Path, assignment: str) -> tuple[Student, Work | None]:
    content = _toml(file)
    text, table = str, dict
    _expect(
        file,
        content,
        {"first_name": text, "last_name": text, "about": text},
        {"submitted": datetime, "cells": table, "manual": table, "marks": table},
    )
    if not is_name(file.stem):
        raise GradingError(f"{file}: the file's name is the student's id and can be no folder")
    student = Student(file.stem, content["first_name"], content["last_name"])
    submitted = content.get("submitted")
    answered = {name: content.get(name, {}) for name in ("cells", "manual", "marks")}
    if submitted is None:
        if any(answered.values()):
            raise GradingError(f"{file} has answers or marks, and no time at which they were submitted")
        return student, None
    return student, Work(student.id, assignment, _utc(submitted), content["about"], **answered)


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise GradingError(f"{file} cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise GradingError(f"{file} is not valid TOML: {error}") from error


def _expect(
    file: Path, content: Mapping[str, Any], needed: Mapping[str, type], other: Mapping[str, type]
) -> None:
    missing = sorted(needed.keys() - content.keys())
    unknown = sorted(content.keys() - needed.keys() - other.keys())
    kinds = {**other, **needed}
    wrong = sorted(
        name for name in content.keys() & kinds.keys() if not isinstance(content[name], kinds[name])
    )
    for names, what in (
        (missing, "lacks"),
        (unknown, "has the unknown"),
        (wrong, "has the wrong kind of value for"),
    ):
        if names:
            raise GradingError(f"{file} {what} {', '.join(names)}")


def _utc(moment: datetime) -> datetime:
    """The moment as nbgrader keeps it: UTC, without a time zone."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
