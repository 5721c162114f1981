"""Marks are those of stock nbgrader, cell by cell, on submissions as students of good will write them.

Each submission is drawn from the answers of the rehearsal class, question by question. ``COURSE_EQUAL=200``
compares so many; by default a few, since each is graded three times.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest

from cnnlib.errors import CnnError
from grading import gradebook, made_up, provisioner, rehearsal, release, task
from grading.course import Course

pytestmark = [
    pytest.mark.grading,
    pytest.mark.slow,
    pytest.mark.xdist_group("stock"),
    pytest.mark.filterwarnings(
        "ignore"
    ),  # nbgrader's own, in this process; outside of tests they are not shown
]

NUMBER = int(os.environ.get("COURSE_EQUAL", "12"))
#: How many of them the command `nbgrader autograde` grades too, with a configuration that says nothing.
COLD = max(1, NUMBER // 16)


@pytest.fixture(scope="module")
def course(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Course:
    return Course.load(root, tmp_path_factory.mktemp("stock") / "class")


@pytest.fixture(scope="module")
def assignment(root: Path, course: Course) -> str:
    (name,) = rehearsal.Rehearsal.read(root / "tests" / "class").assignments
    with course.surroundings() as log:
        release.record(course, name, log)
    return name


@pytest.fixture(scope="module")
def jobs(root: Path, course: Course, assignment: str) -> list[task.Job]:
    """Submissions in which each answer is one that somebody of the class gave."""
    rng = np.random.default_rng(20260309)
    works = rehearsal.Rehearsal.read(root / "tests" / "class").works
    answers: dict[str, list[str]] = {}
    for work in works:
        for question, source in work.cells.items():
            if any(word in source for word in ("stderr", "warn", "logging")):
                continue  # for noise, stock nbgrader takes a right answer's points, and this course does not
            answers.setdefault(question, []).append(source)
    (released,) = sorted((course.exercises / assignment).glob("*.ipynb"))
    made = []
    for number in range(NUMBER):
        student = f"s{number}"
        cells = {"student-id": f"student_id = {student!r}"}  # stock nbgrader tells nobody who it is
        for question, given in answers.items():
            if rng.random() < 0.9:
                with contextlib.suppress(CnnError):  # a slip that does not show in these numbers
                    cells[question] = made_up.fill(given[rng.integers(len(given))], assignment, student)
        work = replace(works[0], student=student, cells=cells)
        content = nbformat.writes(rehearsal.answered(released, work)).encode()
        made.append(task.Job(assignment, student, {released.name: content}))
    return made


@pytest.fixture(scope="module")
def setups(course: Course, assignment: str) -> Iterator[tuple[task.Setup, task.Setup]]:
    """Ours, and nbgrader's own `Execute` in the tests' place, with a kernel that is quick to come."""
    with course.surroundings(), gradebook.opened(course) as book:
        ours, stock = task.setup(course, assignment, book), task.setup(course, assignment, book)
        stock.config.Autograde.autograde_preprocessors[0] = "nbgrader.preprocessors.Execute"
        del stock.config.Autograde["sanitize_preprocessors"]
        provisioner.register(course.solutions)
        yield ours, stock


def _marks(result: task.Result) -> dict[str, float | None]:
    return {score.question: score.points for score in result.scores}


def test_marks_are_those_of_stock_nbgrader(jobs: list[task.Job], setups) -> None:
    ours, stock = setups
    different, seen = {}, set()
    for job in jobs:
        expected = task._autograded(stock, job, job.files, task.Result(job.student, job.assignment))
        got = task.grade(ours, job)
        assert got.problem is None
        seen |= {(score.question, score.points) for score in expected.scores}
        if got.scores != expected.scores or got.comments != expected.comments:
            different[job.student] = (_marks(got), _marks(expected))
    assert not different
    # Right and wrong answers of many kinds were among them.
    assert len(seen) > 2 * len({question for question, _ in seen}) - 4


def test_marks_are_those_of_the_stock_command(
    course: Course, assignment: str, jobs: list[task.Job], setups, tmp_path: Path
) -> None:
    """Another course folder, nothing set but its names, kernels of the environment, the real command."""
    (tmp_path / "nbgrader_config.py").write_text(
        f"c = get_config()\nc.CourseDirectory.root = {str(tmp_path)!r}\nc.CourseDirectory.course_id = 'cnn'\n"
    )
    (tmp_path / "gradebook.db").write_bytes(setups[0].structure)
    chosen = jobs[:COLD]
    for job in chosen:
        folder = tmp_path / "submitted" / job.student / assignment
        folder.mkdir(parents=True)
        for name, content in job.files.items():
            (folder / name).write_bytes(content)
    with course.surroundings():
        environment = dict(os.environ) | {"PYTHONPATH": str(course.root)}
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", "autograde", assignment],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with gradebook.Gradebook(f"sqlite:///{tmp_path}/gradebook.db", "cnn") as book:
        for job in chosen:
            (notebook,) = book.find_submission(assignment, job.student).notebooks
            expected = {grade.name: grade.auto_score for grade in notebook.grades}
            got = task.grade(setups[0], job)
            assert got.problem is None, got.log
            assert _marks(got) == expected, job.student
