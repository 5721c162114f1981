"""Grade the rehearsal class of ``tests/class/``: made-up students whose marks are known.

Each submission is the released notebook with the student's answers put in, so that what is rehearsed is what
a class does. ``tests/class/README.md`` says what a student's file holds.
"""

from __future__ import annotations

import os
import shutil
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat

from grading import config, gradebook, release, run, state
from grading.course import ROOT, Course, is_name
from grading.errors import GradingError


@dataclass(frozen=True)
class Student:
    """A made-up student: answers by grade id, points given by hand, and the marks that must come out."""

    id: str
    first_name: str
    last_name: str
    submitted: datetime | None
    about: str
    cells: Mapping[str, str]
    manual: Mapping[str, float]
    marks: Mapping[str, float]


@dataclass(frozen=True)
class Rehearsal:
    """The class: one assignment, its due date, its students."""

    assignment: str
    due: datetime
    students: tuple[Student, ...]

    @classmethod
    def read(cls, folder: Path) -> Rehearsal:
        """Read ``class.toml`` and ``students/*.toml``."""
        about = _toml(folder / "class.toml")
        _expect(folder / "class.toml", about, {"assignment": str, "due": datetime}, {"timezone": str})
        files = sorted((folder / "students").glob("*.toml"))
        if not files:
            raise GradingError(f"{folder / 'students'} has no students")
        return cls(about["assignment"], _utc(about["due"]), tuple(_student(file) for file in files))


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
    rehearsal = Rehearsal.read(source)
    differing = release.differing(course, course.find(rehearsal.assignment))
    if differing:
        raise GradingError(
            f"{course.show(course.exercises / rehearsal.assignment)} is not what "
            f"{course.show(course.solutions)} would release today ({', '.join(differing)}); "
            "run: python -m grading release"
        )
    state.forget(stamp)
    if course.folder.exists():
        shutil.rmtree(course.folder)
    started = time.monotonic()
    run.say(f"rehearsing {rehearsal.assignment} with {len(rehearsal.students)} students …")
    hand_in(course, rehearsal)
    outcome = run.autograde(course, rehearsal.assignment)
    if outcome.problems:
        raise GradingError(
            f"no points for {', '.join(sorted(outcome.problems))}; see {course.show(course.log)}"
        )
    mark_by_hand(course, rehearsal)
    run.write_all(course, rehearsal.assignment)
    seconds = time.monotonic() - started
    state.note(stamp, mark, seconds=round(seconds, 1))
    run.say(f"the rehearsal took {seconds:.0f} s")
    return True


def hand_in(course: Course, rehearsal: Rehearsal) -> None:
    """Put the class into the gradebook and the submissions into their folders."""
    for student in rehearsal.students:
        if student.submitted is not None:
            target = course.submitted / student.id / rehearsal.assignment
            target.mkdir(parents=True)
            for file in sorted((course.exercises / rehearsal.assignment).glob("*.ipynb")):
                nbformat.write(answered(file, student), target / file.name)
            moment = student.submitted.strftime("%Y-%m-%d %H:%M:%S UTC")
            (target / "timestamp.txt").write_text(moment, encoding="utf-8")
    with course.surroundings() as log:
        release.record(course, rehearsal.assignment, log)
        with gradebook.opened(course) as book:
            book.update_or_create_assignment(rehearsal.assignment, duedate=rehearsal.due)
            for student in rehearsal.students:
                book.update_or_create_student(
                    student.id, first_name=student.first_name, last_name=student.last_name
                )


def answered(released: Path, student: Student) -> nbformat.NotebookNode:
    """The released notebook with a student's answers in it."""
    notebook = nbformat.read(released, as_version=4)
    cells = {
        cell.metadata.nbgrader.grade_id: cell
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    unknown = sorted(student.cells.keys() - cells.keys())
    if unknown:
        raise GradingError(f"{student.id} answers {', '.join(unknown)}, which {released.name} does not ask")
    for name, source in student.cells.items():
        cells[name].source = source.strip("\n")
    return notebook


def mark_by_hand(course: Course, rehearsal: Rehearsal) -> None:
    """Give the points that the made-up instructor gave."""
    with course.surroundings(), gradebook.opened(course) as book:
        for student in rehearsal.students:
            for question, points in student.manual.items():
                gradebook.give(book, rehearsal.assignment, student.id, question, points)


def _student(file: Path) -> Student:
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
    submitted = content.get("submitted")
    if submitted is None and (content.get("cells") or content.get("marks") or content.get("manual")):
        raise GradingError(f"{file} has answers or marks, and no time at which they were submitted")
    return Student(
        id=file.stem,
        first_name=content["first_name"],
        last_name=content["last_name"],
        submitted=_utc(submitted) if submitted else None,
        about=content["about"],
        cells=content.get("cells", {}),
        manual=content.get("manual", {}),
        marks=content.get("marks", {}),
    )


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
