"""Run an assignment's cells as nbgrader would, but in this process: what is tested is what is graded.

Tests run over all notebooks in ``solutions/``. One with an argument ``notebook`` gets each of them, with
``task`` every autograded question, with ``part`` every value that is asked for, with ``function`` and
``model`` every function and model. Answers beside those that follow from a part's kind are in
``banks/``; its ``__init__``-less modules are read as data (see ``Bank``).
"""

from __future__ import annotations

import ast
import contextlib
import copy
import dataclasses
import functools
import io
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import nbformat
import pytest
from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions
from traitlets.config import Config

from cnnlib.exercises import Marks, NotYet, Part, Question, Sheet, Task, Work, sheet, sheets

ROOT = Path(__file__).parents[2]
#: Whose numbers are tried.
STUDENTS = ("ada", "김하늘", "s1234567")


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

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        Recorder.asked = []

    def check(self, name: str, task: Task | None = None, points: float | None = None) -> None:
        drawn, question = self._from_sheet(name)
        worth = next(part.points for part in drawn.assignment[question].parts if part.name == name)
        self.asked.append(Asked("check", name, drawn[question].tasks[name], worth))
        assert task is None, f"{name}: the sheet knows the task"
        assert points is None, f"{name}: the sheet knows the points"

    def look(self, name: str, kind: str | None = None) -> None:
        self._from_sheet(name)
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


@dataclasses.dataclass
class Bank:
    """Answers that no kind can make up.

    Attributes:
        right: name of a function or model → sources of answer cells that are right, in different styles.
        wrong: name → wrong ones: (source, what is told of it, the most points); the source is the body of
            the function where ``heads`` has its head.
        heads: name of a function → what stands before such a body.
        disguised: wrong ones as above that Validate lets pass and the hidden test sees.
        values: name of a part → more wrong values, each with what is told: (source, told).
    """

    right: dict[str, list[str]]
    wrong: dict[str, list[tuple[str, str, float]]]
    heads: dict[str, str]
    disguised: dict[str, list[tuple[str, str, float]]]
    values: dict[str, list[tuple[str, str]]]

    @classmethod
    def read(cls, file: Path) -> Bank:
        content = runpy.run_path(str(file)) if file.exists() else {}
        return cls(*(content.get(name, {}) for name in ("RIGHT", "WRONG", "HEADS", "DISGUISED", "VALUES")))


class Notebook:
    """An assignment: its solution notebook and what would be released of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.parent.name
        self.assignment = sheets.load(self.name)
        self.solution = nbformat.read(path, as_version=4)
        self.released = self.release()
        self.bank = Bank.read(Path(__file__).parent / "banks" / f"{sheets.module_name(self.name)}.py")

    def __repr__(self) -> str:
        return self.name

    def release(self) -> nbformat.NotebookNode:
        """The notebook as students get it, by nbgrader's own preprocessors and this course's settings."""
        config = Config()
        config.ClearSolutions.code_stub = {"python": "# your answer here"}
        config.ClearSolutions.text_stub = "*Write your answer here.*"
        notebook, resources = copy.deepcopy(self.solution), {}
        for preprocessor in (ClearSolutions, ClearHiddenTests):
            notebook, resources = preprocessor(config=config).preprocess(notebook, resources)
        return notebook

    @functools.cached_property
    def _cells(self) -> dict[bool, dict[str, nbformat.NotebookNode]]:
        return {
            released: {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells}
            for released, notebook in ((False, self.solution), (True, self.released))
        }

    def cell(self, grade_id: str, released: bool = False) -> nbformat.NotebookNode:
        return self._cells[released][grade_id]

    @functools.cached_property
    def graded(self) -> dict[str, float]:
        """The autograded tasks (ids of the answer cells) and their points."""
        return {
            cell.metadata.nbgrader.grade_id.removesuffix("-check"): cell.metadata.nbgrader.points
            for cell in self.solution.cells
            if cell.metadata.nbgrader.grade and cell.cell_type == "code"
        }

    def needs_keras(self, task_id: str) -> bool:
        """Whether the model answer, or one of the bank's, imports Keras."""
        names = [part.name for part in self.assignment[task_id].parts]
        sources = [self.cell(task_id).source, *(s for name in names for s in self.bank.right.get(name, ()))]
        return any(re.search(r"\bkeras\b", source) for source in sources)

    def trains(self, task_id: str) -> bool:
        """Whether the model answer trains a network, which takes its time."""
        return ".fit(" in self.cell(task_id).source

    def start(self, student: str) -> dict[str, Any]:
        """The names of a notebook in which the first cells have been run by a student."""
        namespace: dict[str, Any] = {"__name__": "__main__"}
        namespace["sheet"] = Sheet(self.name, namespace, student)
        return namespace

    @functools.cache  # noqa: B019  # one notebook, as long as the session
    def asked(self, task_id: str, released: bool = False, student: str = STUDENTS[0]) -> tuple[Asked, ...]:
        """The lines of a task's test cell."""
        original = sheet.Marks
        sheet.Marks = Recorder  # type: ignore[misc]
        try:
            self.execute(self.cell(f"{task_id}-check", released).source, self.start(student))
        finally:
            sheet.Marks = original  # type: ignore[misc]
        return tuple(Recorder.asked)

    @functools.cache  # noqa: B019
    def solved(self, task_id: str, student: str) -> dict[str, Any]:
        """What the model answer defines."""
        namespace = self.start(student)
        exec(_compiled(self.cell(task_id).source), namespace)
        return namespace

    def run(
        self,
        task_id: str,
        answer: str | dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
        student: str = STUDENTS[0],
        extra: dict[str, Any] | None = None,
    ) -> Result:
        """Grade an answer: source of the answer cell, or its variables.

        Variables not given are right, so that each wrong one is seen by itself.
        """
        namespaces = []
        for _ in range(2):
            namespace = self.start(student) | (extra or {})
            namespace["sheet"]._namespace = namespace
            if isinstance(answer, str):
                exec(_compiled(answer), namespace)
            else:
                model = self.solved(task_id, student)
                namespace |= {name: model[name] for name in model if name not in namespace} | answer
                namespace["sheet"]._namespace = namespace
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
        body, last = _parted(source)
        exec(body, namespace)
        return eval(last, namespace)


@functools.cache
def _compiled(source: str) -> CodeType:
    return compile(source, "<cell>", "exec")


@functools.cache
def _parted(source: str) -> tuple[CodeType, CodeType]:
    module = ast.parse(source)
    last = module.body.pop()
    assert isinstance(last, ast.Expr)
    return compile(module, "<cell>", "exec"), compile(ast.Expression(last.value), "<cell>", "eval")


@dataclasses.dataclass(frozen=True)
class Piece:
    """A question of a notebook, and one part of it where a test is about one."""

    notebook: Notebook
    question: Question
    part: Any = None

    @property
    def id(self) -> str:
        return self.question.id

    @property
    def name(self) -> str:
        return str(self.part.name)

    @property
    def points(self) -> float:
        """What the question is worth."""
        return self.notebook.graded[self.id]

    def task(self, student: str = STUDENTS[0]) -> Task:
        """A part's task, as a student gets it."""
        return Sheet(self.notebook.name, student_id=student)[self.id].tasks[self.name]

    def run(self, answer: Any, monkeypatch: Any, student: str = STUDENTS[0], **extra: Any) -> Result:
        return self.notebook.run(self.id, answer, monkeypatch, student, extra)


NOTEBOOKS = [Notebook(path) for path in sorted((ROOT / "solutions").glob("*/*.ipynb"))]


@pytest.fixture(scope="session")
def notebooks() -> dict[str, Notebook]:
    """All notebooks by the name of their assignment."""
    return {notebook.name: notebook for notebook in NOTEBOOKS}


def _pieces(kind: type | None) -> Iterator[Piece]:
    for notebook in NOTEBOOKS:
        for question in notebook.assignment.questions:
            if question.id not in notebook.graded:
                continue
            if kind is None:
                yield Piece(notebook, question)
            else:
                yield from (Piece(notebook, question, p) for p in question.parts if isinstance(p, kind))


def _parameters(pieces: Iterator[Piece]) -> list[Any]:
    return [
        pytest.param(
            piece,
            id=f"{piece.notebook.assignment.order:02}-{piece.id}" + (f"-{piece.name}" if piece.part else ""),
            marks=[pytest.mark.keras] * piece.notebook.needs_keras(piece.id)
            + [pytest.mark.slow] * piece.notebook.trains(piece.id),
        )
        for piece in pieces
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give tests the notebooks, tasks, parts, functions and models that they ask for by name."""
    wanted = {
        "task": lambda: _pieces(None),
        "part": lambda: _pieces(Part),
        "function": lambda: (piece for piece in _pieces(Work) if piece.part.kind is not None),
        "model": lambda: (piece for piece in _pieces(Work) if piece.part.kind is None),
    }
    if "notebook" in metafunc.fixturenames:
        metafunc.parametrize("notebook", NOTEBOOKS, ids=repr)
    for name, pieces in wanted.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, _parameters(pieces()))
