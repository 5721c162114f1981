"""Grade one student's submission of one assignment with nbgrader's own converters.

Whatever happens here touches this submission alone.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory

from grading import gradebook, state
from grading.course import Course, is_name
from grading.errors import SubmissionError


def mark(course: Course, assignment: str, student: str) -> str:
    """A hash of all that decides the marks: the submission, the tests, the library, the configuration."""
    return state.fingerprint(
        [
            course.submitted / student / assignment,
            course.solutions / assignment,
            course.root / "cnnlib",
            course.root / "nbgrader_config.py",
            course.root / "requirements.lock",
            Path(__file__),
        ]
    )


def autograde(course: Course, assignment: str, student: str, log: logging.Logger) -> float:
    """Grade one submission and return the seconds that it took.

    Points and comments given by hand stay; where the answer has not changed since, nobody is asked to look
    at it again. Call it inside :meth:`grading.course.Course.surroundings`.

    Raises:
        SubmissionError: the submission cannot be graded; the message says why.
    """
    started = time.monotonic()
    check(course, assignment, student)
    fingerprint = mark(course, assignment, student)
    note = course.stamp(assignment, student)
    state.forget(note)
    with gradebook.opened(course) as book:
        reviewed = gradebook.reviewed(book, assignment, student)
    before = _answers(course, assignment, student)
    config = course.settings(assignment_id=assignment, student_id=student)
    begun = course.log.stat().st_size
    log.info("grading %s of %s", assignment, student)
    try:
        directory = CourseDirectory(config=config, log=log)
        with _silent_kernel():
            Autograde(coursedir=directory, config=config, log=log, force=True).start()
    except (NbGraderException, SystemExit) as error:
        raise SubmissionError(f"nbgrader gave up ({_reason(course, begun)})") from error
    if not (course.autograded / student / assignment).is_dir():
        raise SubmissionError(f"nbgrader left no result ({_reason(course, begun)})")
    after = _answers(course, assignment, student)
    with gradebook.opened(course) as book:
        kept = [question for question in reviewed if before.get(question) == after.get(question)]
        gradebook.keep_reviewed(book, assignment, student, kept)
    seconds = time.monotonic() - started
    state.note(note, fingerprint, seconds=round(seconds, 2))
    return seconds


@contextlib.contextmanager
def _silent_kernel() -> Iterator[None]:
    """Keep off the terminal what a kernel writes past its cells; endless as it may be, it is not kept."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved[0], 1)
        os.dup2(saved[1], 2)
        for descriptor in (nowhere, *saved):
            os.close(descriptor)


def check(course: Course, assignment: str, student: str) -> None:
    """Say what would make nbgrader stumble, before it does."""
    folder = course.submitted / student / assignment
    if not is_name(student):
        raise SubmissionError(
            "the folder's name can be no student id; use letters, digits, dots, hyphens, underscores or @"
        )
    expected = [p.name for p in course.notebooks(assignment)]
    there = {p.name for p in folder.glob("*.ipynb")}
    if not there.intersection(expected):
        raise SubmissionError(
            f"{', '.join(expected)} is missing" + (f"; there is {', '.join(sorted(there))}" if there else "")
        )
    for name in sorted(there.intersection(expected)):
        try:
            nbformat.validate(nbformat.read(folder / name, as_version=4))
        except Exception as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise SubmissionError(f"{name} is not a notebook that can be read ({first[:120]})") from error


def _answers(course: Course, assignment: str, student: str) -> dict[str, str]:
    """What the student had written in each cell when it was last graded; nothing where that was cut short."""
    try:
        return {
            cell.metadata.nbgrader.grade_id: cell.source
            for file in sorted((course.autograded / student / assignment).glob("*.ipynb"))
            for cell in nbformat.read(file, as_version=4).cells
            if "grade_id" in cell.metadata.get("nbgrader", {})
        }
    except ValueError:  # half a file, written by a run that was killed
        return {}


def _reason(course: Course, begun: int) -> str:
    """What nbgrader's log says of this submission: the log's size was ``begun`` before it."""
    lines = course.log.read_bytes()[begun:].decode("utf-8", "replace").splitlines()
    said = [line.strip() for line in lines if "Error: " in line and not line.startswith(" ")]
    return f"{said[-1][:200] if said else 'no reason given'}; all of it: {course.show(course.log)}"
