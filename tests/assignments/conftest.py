"""Run an assignment's cells as nbgrader would, but in this process: what is tested is what is graded."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import io
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions
from traitlets.config import Config

import cnnlib.exercises
from cnnlib.exercises import Marks, NotYet, Task

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "solutions" / "03-sizes-and-counts" / "sizes-and-counts.ipynb"


@dataclasses.dataclass
class Result:
    """What a test cell did: points when autograded, what the student is told, and what Validate tells."""

    points: float
    told: str
    visible: str | None  # None: the visible check has nothing to say against it


@dataclasses.dataclass
class Asked:
    """One line of a test cell."""

    method: str
    name: str
    task: Any
    points: float


class Recorder(Marks):
    """Notes what a test cell asks instead of asking it."""

    asked: list[Asked]

    def __init__(self, namespace: Any) -> None:
        super().__init__(namespace)
        Recorder.asked = []

    def check(self, name: str, task: Task, points: float = 1) -> None:
        self.asked.append(Asked("check", name, task, points))

    def look(self, name: str, kind: str) -> None:
        self.asked.append(Asked("look", name, kind, 0))

    def function(
        self, name: str, cases: Any, points: float = 1, about: str = "", arguments: Any = None
    ) -> None:
        self.asked.append(Asked("function", name, cases, points))

    def refuses(
        self, name: str, calls: Any, error: Any = ValueError, points: float = 1, about: str = ""
    ) -> None:
        self.asked.append(Asked("refuses", name, calls, points))

    def model(self, name: str, input_shape: Any, wanted: Any, points: float = 1) -> None:
        self.asked.append(Asked("model", name, (input_shape, wanted), points))

    def score(self) -> None:
        return None


class Sheet:
    """An assignment: its solution notebook and what would be released of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.solution = nbformat.read(path, as_version=4)
        self.released = self.release()

    def release(self) -> nbformat.NotebookNode:
        """The notebook as students get it, by nbgrader's own preprocessors and this course's settings."""
        config = Config()
        config.ClearSolutions.code_stub = {"python": "# your answer here"}
        notebook, resources = nbformat.read(self.path, as_version=4), {}
        for preprocessor in (ClearSolutions, ClearHiddenTests):
            notebook, resources = preprocessor(config=config).preprocess(notebook, resources)
        return notebook

    def cell(self, grade_id: str, released: bool = False) -> nbformat.NotebookNode:
        notebook = self.released if released else self.solution
        return next(c for c in notebook.cells if c.metadata.nbgrader.grade_id == grade_id)

    @functools.cached_property
    def graded(self) -> dict[str, float]:
        """The autograded tasks (ids of the answer cells) and their points."""
        return {
            cell.metadata.nbgrader.grade_id.removesuffix("-check"): cell.metadata.nbgrader.points
            for cell in self.solution.cells
            if cell.metadata.nbgrader.grade and cell.cell_type == "code"
        }

    @functools.cache  # noqa: B019  # one sheet, as long as the session
    def asked(self, task_id: str, released: bool = False) -> tuple[Asked, ...]:
        """The lines of a task's test cell."""
        original = cnnlib.exercises.Marks
        cnnlib.exercises.Marks = Recorder
        try:
            self.execute(self.cell(f"{task_id}-check", released).source, {})
        finally:
            cnnlib.exercises.Marks = original
        return tuple(Recorder.asked)

    def run(self, task_id: str, answer: str | dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Result:
        """Grade an answer: source of the answer cell, or its variables.

        Variables not given are right, so that each wrong one is seen by itself.
        """
        namespaces = []
        for _ in range(2):
            namespace: dict[str, Any] = {"__name__": "__main__"}
            if isinstance(answer, str):
                exec(compile(answer, task_id, "exec"), namespace)
            else:
                exec(self.cell(task_id).source, namespace)
                namespace.update(answer)
            namespaces.append(namespace)
        monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            points = self.execute(self.cell(f"{task_id}-check").source, namespaces[0])
        told = " ".join(printed.getvalue().split())
        monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                visible = self.execute(self.cell(f"{task_id}-check", released=True).source, namespaces[1])
            assert visible is None, "Validate would take the number for partial credit"
        except NotYet as verdicts:
            visible = str(verdicts)
        monkeypatch.undo()
        return Result(points, told, visible and " ".join(visible.split()))

    @staticmethod
    def execute(source: str, namespace: dict[str, Any]) -> Any:
        """Run a cell; its value is that of its last line, as in a notebook."""
        module = ast.parse(source)
        last = module.body.pop()
        assert isinstance(last, ast.Expr)
        exec(compile(module, "<cell>", "exec"), namespace)
        return eval(compile(ast.Expression(last.value), "<cell>", "eval"), namespace)


SHEET = Sheet(NOTEBOOK)


@pytest.fixture(scope="session")
def sheet() -> Sheet:
    return SHEET


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test with an argument ``task_id`` every autograded task, one with ``part`` every value asked."""
    if "task_id" in metafunc.fixturenames:
        metafunc.parametrize("task_id", SHEET.graded)
    if "part" in metafunc.fixturenames:
        parts = {
            (task_id, line.name): line.task
            for task_id in SHEET.graded
            for line in SHEET.asked(task_id)
            if line.method == "check"
        }
        metafunc.parametrize("part", [(*key, task) for key, task in parts.items()], ids=lambda part: part[1])
    if "function" in metafunc.fixturenames:
        functions = {
            line.name: (task_id, line.name, line.task[0].kind.name)
            for task_id in SHEET.graded
            for line in SHEET.asked(task_id)
            if line.method == "function"
        }
        metafunc.parametrize("function", functions.values(), ids=lambda function: function[1])
