"""A task's own gradebook: quick, and in all that nbgrader asks the same as one in a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
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
