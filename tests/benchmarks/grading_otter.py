"""The rehearsal's assignment for Otter: its environment, its tests, its command.

Otter-Grader has an environment of its own (``.cache/otter``, from ``grading_otter.txt``): what it needs
clashes with what nbgrader needs. The tests are those of the course, as exception-based tests of Otter's: each
is run in what the student's notebook has left, and passes where the answer is right.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat

from grading.course import Course

ROOT = Path(__file__).resolve().parents[2]
PINS = Path(__file__).with_suffix(".txt")
PLACE = ROOT / ".cache" / "otter"

#: One of Otter's test files. Outside of nbgrader, the course's tests raise where an answer is not right.
TEST = """
from otter.test_files import test_case

OK_FORMAT = False
name = {name!r}
points = {points!r}


@test_case(points={points!r}, hidden=True)
def test_answer(env):
    exec({source!r}, env)
"""


class Missing(Exception):
    """Why Otter cannot be had here."""


def environment(place: Path = PLACE) -> Path:
    """The Python of Otter's environment, which is made where it is not there, or is of other pins."""
    python, noted = place / "bin" / "python", place / "made-from"
    mark = hashlib.sha256(PINS.read_bytes() + sys.version.encode()).hexdigest()
    if noted.is_file() and noted.read_text() == mark:
        return python
    shutil.rmtree(place, ignore_errors=True)
    for command in (
        [sys.executable, "-m", "venv", str(place)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(PINS)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Missing((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    noted.write_text(mark)
    return python


def convert(course: Course, assignment: str, place: Path, python: Path) -> list[Sequence[str]]:
    """Write tests and submissions as Otter wants them; return the commands that grade them."""
    (solution,) = course.notebooks(assignment)
    tests = place / "tests"
    tests.mkdir(parents=True)
    for name, points, source in _tests(nbformat.read(solution, as_version=4)):
        (tests / f"{name}.py").write_text(TEST.format(name=name, points=points, source=source))
    archive = place / "autograder.zip"
    generate = [str(python), "-m", "otter", "generate", "-t", str(tests), "-o", str(archive)]
    done = subprocess.run(generate, cwd=place, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing((done.stderr or done.stdout).strip()[-300:])
    commands: list[Sequence[str]] = []
    for folder in sorted(course.submitted.iterdir()):
        (file,) = (folder / assignment).glob("*.ipynb")
        notebook = nbformat.read(file, as_version=4)
        # The tests that students see would run twice.
        notebook.cells = [c for c in notebook.cells if not _is_test(c)]
        target = place / "handed-in" / folder.name / file.name
        target.parent.mkdir(parents=True)
        nbformat.write(notebook, target)
        out = place / "results" / folder.name
        out.mkdir(parents=True)
        commands.append(
            ["-m", "otter", "run", "--no-logo", "-a", str(archive), "-o", str(out), str(target)],
        )
    return commands


def check(place: Path, number: int) -> None:
    """Whether Otter has given results for so many; that it gave nobody anything would be no measurement."""
    found = [json.loads(file.read_text()) for file in sorted((place / "results").glob("*/results.json"))]
    passed = [test for result in found for test in result["tests"] if test.get("score")]
    if len(found) != number or not passed:
        raise SystemExit(f"Otter graded {len(found)} of {number}, and passed {len(passed)} tests")


def _is_test(cell: Any) -> bool:
    about = cell.metadata.get("nbgrader", {})
    return bool(cell.cell_type == "code" and about.get("grade") and not about.get("solution"))


def _tests(solution: Any) -> Iterator[tuple[str, float, str]]:
    """The tests of a solution: a name that can be a module's, the points, the code."""
    for cell in solution.cells:
        if _is_test(cell):
            about = cell.metadata.nbgrader
            yield about.grade_id.replace("-", "_"), float(about.points), cell.source
