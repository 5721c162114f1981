"""A task's own gradebook: quick, and in all that nbgrader asks the same as one in a file."""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import sqlalchemy
from nbformat import from_dict
from nbformat.v4 import nbbase
from nbgrader.api import Base, Gradebook, MissingEntry

from grading import private, task

#: What a row's own id is called, and those of others: no two databases agree on them.
IDS = ("id", "notebook_id", "cell_id", "assignment_id", "student_id")


@pytest.fixture(scope="module")
def structure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bytes]:
    """An assignment of two notebooks, with cells of each kind."""
    file = tmp_path_factory.mktemp("book") / "gradebook.db"
    with pytest.MonkeyPatch.context() as patch:  # nbgrader calls alembic
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        Gradebook(f"sqlite:///{file}").close()
    with Gradebook(f"sqlite:///{file}") as book:
        book.add_assignment("a")
        for notebook in ("one", "two"):
            book.add_notebook(notebook, "a")
            for cell in ("answer", "test", "essay"):
                book.add_source_cell(cell, notebook, "a", cell_type="code", source=f"{notebook} {cell}")
            book.add_solution_cell("answer", notebook, "a")
            book.add_grade_cell("test", notebook, "a", max_score=2, cell_type="code")
            book.add_task_cell("essay", notebook, "a", max_score=3, cell_type="markdown")
        yield task.structure(book, "a")


def rows(book: Gradebook) -> dict[str, list[list[tuple[str, Any]]]]:
    """All that a gradebook holds, but for ids."""
    return {
        table.name: sorted(
            [
                [(name, str(value)) for name, value in row.items() if name not in IDS]
                for row in book.db.execute(sqlalchemy.select(table)).mappings()
            ]
        )
        for table in Base.metadata.sorted_tables
    }


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's own
def test_what_is_begun_there_is_what_nbgrader_begins(structure: bytes, tmp_path: Path) -> None:
    (tmp_path / "gradebook.db").write_bytes(structure)
    with Gradebook(f"sqlite:///{tmp_path}/gradebook.db") as plain:
        plain.add_student("student")
        plain.add_submission("a", "student")
        expected = rows(plain)
        told = {c.name: (c.source, c.cell_type) for c in plain.find_notebook("one", "a").source_cells}
    with private.course(structure, "a", "student") as url, Gradebook(url) as book:
        assert rows(book) == expected
        for _ in range(2):  # the second time from memory
            found = {name: book.find_source_cell(name, "one", "a") for name in told}
            assert {name: (cell.source, cell.cell_type) for name, cell in found.items()} == told
        for find in (book.find_source_cell, book.find_grade, book.find_comment):
            with pytest.raises(MissingEntry):
                find("none", "one", "a", *(["student"] if find != book.find_source_cell else []))
        for notebook in ("one", "two"):
            for cell in ("test", "essay"):
                grade = book.find_grade(cell, notebook, "a", "student")
                assert (grade.name, grade.notebook.name) == (cell, notebook)
            for cell in ("answer", "essay"):
                comment = book.find_comment(cell, notebook, "a", "student")
                assert (comment.name, comment.notebook.name) == (cell, notebook)


def test_no_submission_finds_what_another_has_left(structure: bytes) -> None:
    for _ in range(2):
        with private.course(structure, "a", "student") as url:
            with Gradebook(url) as book:
                grade = book.find_grade("test", "one", "a", "student")
                assert grade.auto_score is None
                grade.auto_score = 2
                book.db.commit()
            with Gradebook(url) as again:
                assert again.find_grade("test", "one", "a", "student").auto_score == 2


def test_nbgrader_is_as_it_was_afterwards(structure: bytes, tmp_path: Path) -> None:
    opened = Gradebook.__init__
    with private.course(structure, "a", "student"):
        (tmp_path / "gradebook.db").write_bytes(structure)
        with Gradebook(f"sqlite:///{tmp_path}/gradebook.db") as file:  # others are asked as always
            file.find_source_cell("test", "two", "a").source = "changed"
            file.db.commit()
            file.db.expunge_all()
            assert file.find_source_cell("test", "two", "a").source == "changed"
    assert Gradebook.__init__ is opened


VALID = [
    {"output_type": "stream", "name": "stdout", "text": "a"},
    {"output_type": "stream", "name": "stderr", "text": ["a\n", "b"]},
    {"output_type": "error", "ename": "E", "evalue": "", "traceback": []},
    {"output_type": "error", "ename": "E", "evalue": "", "traceback": ["a", "b"]},
    {"output_type": "execute_result", "data": {"text/plain": "1"}, "metadata": {}, "execution_count": 1},
    {"output_type": "execute_result", "data": {}, "metadata": {"a": {"b": 1}}, "execution_count": None},
    {"output_type": "display_data", "data": {"application/json": {"a": [1, None]}}, "metadata": {}},
]
INVALID = [
    {"output_type": "stream", "name": "stdout"},
    {"output_type": "stream", "name": "stdout", "text": 1},
    {"output_type": "stream", "name": "stdout", "text": ["a", 1]},
    {"output_type": "stream", "name": 1, "text": "a"},
    {"output_type": "stream", "name": "stdout", "text": "a", "more": "b"},
    {"output_type": "error", "ename": "E", "evalue": "", "traceback": "a"},
    {"output_type": "error", "ename": "E", "evalue": None, "traceback": []},
    {"output_type": "execute_result", "data": {"text/plain": "1"}, "metadata": {}, "execution_count": -1},
    {"output_type": "execute_result", "data": {"text/plain": "1"}, "metadata": {}, "execution_count": 1.5},
    {"output_type": "execute_result", "data": {"text/plain": 1}, "metadata": {}, "execution_count": 1},
    {"output_type": "display_data", "data": {"text/plain": "1"}},
    {"output_type": "display_data", "data": "1", "metadata": {}},
]


def test_outputs_are_as_valid_as_nbformat_finds_them(structure: bytes) -> None:
    wanted = [nbbase.validate(from_dict(one), one["output_type"]) is None for one in VALID]
    assert all(wanted)
    deep: Any = 1
    for _ in range(450):
        deep = [deep]
    large = {"output_type": "display_data", "data": {"application/json": deep}, "metadata": {}}
    with private.course(structure, "a", "student"):
        kept = len(private._valid)
        nbbase.validate(large, "display_data")
        assert len(private._valid) == kept  # a submission does not fill the memory of who grades others
        for one in [*VALID, *VALID]:  # the second time by their form
            nbbase.validate(from_dict(one), one["output_type"])
        for one in INVALID:
            with pytest.raises(nbformat.ValidationError):
                nbbase.validate(from_dict(one), one["output_type"])
    for one in INVALID:  # and nbformat says so, too
        with pytest.raises(nbformat.ValidationError):
            nbbase.validate(from_dict(one), one["output_type"])


def test_copies_of_notebooks_are_those_of_deepcopy(structure: bytes, root: Path) -> None:
    notebooks = [nbformat.read(file, as_version=4) for file in sorted((root / "exercises").rglob("*.ipynb"))]
    odd = from_dict({"a": [[{"b": (1, {2})}], None, b"c"], "d": {"e": float("inf"), "f": {}}})
    odd["plain"] = [{"a": 1}]
    for node in [*notebooks, odd]:
        expected = copy.deepcopy(node)
        with private.course(structure, "a", "student"):
            made = copy.deepcopy(node)
        assert made == expected == node
        assert forms(made) == forms(expected)
        assert not {id(part) for part in parts(made)} & {id(part) for part in parts(node)}


def parts(value: Any) -> Iterator[Any]:
    """A value's containers that can change."""
    if isinstance(value, (dict, list)):
        yield value
        for each in value.values() if isinstance(value, dict) else value:
            yield from parts(each)


def forms(value: Any) -> list[type]:
    return [type(part) for part in parts(value)]
