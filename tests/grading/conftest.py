"""A small course of its own for each test, and the graded rehearsal class for those that read it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from grading.course import Course


def cell(kind: str, grade_id: str, source: str, *, points: float | None = None, solution: bool, locked: bool):
    """A cell with nbgrader's metadata."""
    make = new_code_cell if kind == "code" else new_markdown_cell
    about = {
        "grade": points is not None,
        "grade_id": grade_id,
        "locked": locked,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    if points is not None:
        about["points"] = points
    return make(source, id=grade_id, metadata={"nbgrader": about})


def tiny():
    """An assignment with a question that gives part of its points, a function, and an explanation."""
    cells = [
        new_markdown_cell("# A tiny assignment\n\nWork, validate, submit. $2^5 = 32$", id="intro"),
        new_markdown_cell("## The size", id="size-text"),
        cell(
            "code",
            "size",
            "answer = ...\n### BEGIN SOLUTION\nanswer = 32 - 5 + 1\n### END SOLUTION",
            solution=True,
            locked=False,
        ),
        cell(
            "code",
            "size-test",
            'assert answer is not ..., "not answered yet"\n'
            "### BEGIN HIDDEN TESTS\n"
            "hidden_expectation_of_size = 28\n"
            "score = 2 if answer == hidden_expectation_of_size else 0.5 if answer == 27 else 0\n"
            "assert score, f'{answer} leaves something out'\n"
            "### END HIDDEN TESTS\n"
            "score",
            points=2,
            solution=False,
            locked=True,
        ),
        new_markdown_cell("## The function", id="function-text"),
        cell(
            "code",
            "halve",
            'def halve(n):\n    """Half of n, rounded down."""\n    ### BEGIN SOLUTION\n'
            "    return n // 2  # the floor of the half\n    ### END SOLUTION",
            solution=True,
            locked=False,
        ),
        cell(
            "code",
            "halve-test",
            "assert halve(4) == 2, 'half of 4 is 2'\n"
            "### BEGIN HIDDEN TESTS\n"
            "assert [halve(n) for n in (7, 9, 1001)] == [3, 4, 500]\n"
            "### END HIDDEN TESTS",
            points=3,
            solution=False,
            locked=True,
        ),
        new_markdown_cell("## Why", id="why-text"),
        cell(
            "markdown",
            "why",
            "### BEGIN SOLUTION\nBecause each window needs room for the whole kernel.\n### END SOLUTION",
            points=1,
            solution=True,
            locked=False,
        ),
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


class Tiny:
    """A checkout with one tiny assignment, and hands to work it with."""

    name = "01-tiny"
    #: What grading said, where a fixture has graded it.
    outcome: Any = None

    def __init__(self, root: Path, config: Path) -> None:
        self.root = root
        self.source = root / "solutions" / self.name / "tiny.ipynb"
        self.source.parent.mkdir(parents=True)
        shutil.copy(config, root / "nbgrader_config.py")
        nbformat.write(tiny(), self.source)

    @property
    def course(self) -> Course:
        """The course as its configuration says."""
        return Course.load(self.root)

    def release(self) -> None:
        """Make the exercises."""
        from grading.release import release

        release(self.course, self.name)

    def edit(self, change: Callable[[nbformat.NotebookNode], None]) -> None:
        """Change the instructor's notebook."""
        notebook = nbformat.read(self.source, as_version=4)
        change(notebook)
        nbformat.write(notebook, self.source)

    def hand_in(self, student: str, time: str = "2026-03-09 12:00:00 UTC", **answers: str) -> Path:
        """Hand in the released notebook with these cells replaced."""
        notebook = nbformat.read(self.root / "exercises" / self.name / "tiny.ipynb", as_version=4)
        for each in notebook.cells:
            if each.id in answers:
                each.source = answers[each.id]
        folder = self.root / "class" / "submitted" / student / self.name
        folder.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, folder / "tiny.ipynb")
        (folder / "timestamp.txt").write_text(time, encoding="utf-8")
        return folder


@pytest.fixture(scope="session")
def new_course(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Callable[[], Tiny]:
    """Make a small course, in a folder whose name holds a space."""

    def make() -> Tiny:
        place = tmp_path_factory.mktemp("course") / "a course"
        place.mkdir()
        return Tiny(place, root / "nbgrader_config.py")

    return make


@pytest.fixture
def small(new_course: Callable[[], Tiny]) -> Tiny:
    """A small course for one test."""
    return new_course()


@pytest.fixture(scope="session")
def rehearsed(root: Path) -> Course:
    """The rehearsal class, graded by `python -m grading rehearse`; what is fresh is not graded again."""
    from grading.rehearsal import rehearse

    return rehearse(root)[0]
