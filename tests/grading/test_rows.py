"""Rows of submissions are those that nbgrader's own interface makes, and cost a handful of statements."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import sqlite3
import warnings
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import nbgrader.api
import pytest
import sqlalchemy
from nbgrader.api import Gradebook, MissingEntry

from grading import gradebook, rows

pytestmark = [
    pytest.mark.grading,
    # Of nbgrader's own way to begin a submission.
    pytest.mark.filterwarnings("ignore:Object of type:sqlalchemy.exc.SAWarning"),
]

CELLS = 8


@pytest.fixture(scope="module", autouse=True)
def any_version() -> Iterator[None]:
    """Spare nbgrader's asking another program for the version of its tables, which nobody reads here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nbgrader.api, "get_alembic_version", lambda: "any")
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gradebook that knows two assignments with cells of all kinds, and Ada, who handed in the second."""
    file = tmp_path_factory.mktemp("made") / "gradebook.db"
    with warnings.catch_warnings(), Gradebook(f"sqlite:///{file}", "cnn") as book:
        warnings.simplefilter("ignore", sqlalchemy.exc.SAWarning)
        for assignment in ("01-tiny", "02-other"):
            book.add_assignment(assignment)
            for notebook in ("one", "two"):
                book.add_notebook(notebook, assignment)
                where = {"notebook": notebook, "assignment": assignment}
                for number in range(CELLS):
                    book.add_grade_cell(f"test-{number}", max_score=2, cell_type="code", **where)
                    book.add_solution_cell(f"test-{number}", **where)
                book.add_solution_cell("answer", **where)
                book.add_task_cell("task", max_score=3, cell_type="markdown", **where)
            book.add_notebook("no cells", assignment)
        book.add_student("ada", first_name="Ada")
        book.add_submission("02-other", "ada")
        gradebook.quicken(book)
    return file


@pytest.fixture
def book(made: Path, tmp_path: Path) -> Iterator[Gradebook]:
    """A copy of it, to be changed."""
    file = shutil.copy(made, tmp_path)
    with Gradebook(f"sqlite:///{file}", "cnn") as book:
        yield book


def held(book: Gradebook, student: str) -> dict[str, list[dict[str, Any]]]:
    """All columns of all rows of a student's submissions; ids of rows as what they stand for."""
    tables = nbgrader.api.Base.metadata.tables
    stands: dict[str, Any] = {student: ("the student",)}
    for name in ("assignment", "notebook", "base_cell"):
        for row in book.db.execute(sqlalchemy.select(tables[name])).mappings():
            stands[row["id"]] = (name, row["name"], row.get("type"), stands.get(row.get("notebook_id")))
    found: dict[str, list[dict[str, Any]]] = {}
    for name, of in rows.OWN.items():
        own = {student, *(key for key, what in stands.items() if what[0] == "own")}
        chosen = sqlalchemy.select(tables[name]).where(tables[name].c[of].in_(own))
        found[name] = []
        for row in book.db.execute(chosen).mappings():
            said = {key: stands.get(value, value) for key, value in row.items() if key != "id"}
            if name != "student":
                assert len(row["id"]) == len(nbgrader.api.new_uuid())
                refers = (value for key, value in said.items() if key.endswith("_id"))
                stands[row["id"]] = ("own", name, *refers)
                found[name].append(said)
            else:
                found[name].append(said | {"id": "the student's"})
        found[name].sort(key=str)
    book.db.rollback()
    return found


def statements(book: Gradebook) -> list[str]:
    """What is asked of the database from now on."""
    asked: list[str] = []
    sqlalchemy.event.listen(
        book.engine, "before_cursor_execute", lambda _c, _cursor, statement, *_: asked.append(statement)
    )
    return asked


def test_a_new_submission_is_what_nbgrader_makes(book: Gradebook) -> None:
    when = "2026-03-09 18:00:00 +0900"
    book.update_or_create_student("bo")
    book.update_or_create_submission("01-tiny", "bo", timestamp=when)
    submission = rows.find_or_begin(book, "01-tiny", "cy")
    assert rows.find(book, "01-tiny", "cy") is None  # not before it is saved
    submission.submitted(when)
    submission.save(book)
    ours, theirs = held(book, "cy"), held(book, "bo")
    assert ours == theirs
    assert {name: len(found) for name, found in ours.items()} == {
        "student": 1,
        "submitted_assignment": 1,
        "submitted_notebook": 3,
        "grade": 2 * (CELLS + 1),
        "comment": 2 * (CELLS + 2),
    }


def test_a_student_who_is_known_stays_as_she_is(book: Gradebook) -> None:
    before = held(book, "ada")
    rows.find_or_begin(book, "01-tiny", "ada").save(book)
    after = held(book, "ada")
    assert after["student"] == before["student"]
    assert len(after["grade"]) == 2 * len(before["grade"])
    assert all(row in after["grade"] for row in before["grade"])


def test_what_is_found_is_what_nbgrader_finds(book: Gradebook) -> None:
    grade = book.find_grade("test-3", "two", "02-other", "ada")
    grade.auto_score, grade.manual_score, grade.extra_credit, grade.needs_manual_grade = 1.5, 2, 0.5, False
    comment = book.find_comment("task", "one", "02-other", "ada")
    comment.auto_comment, comment.manual_comment = "No response.", "But a nice one."
    book.db.commit()
    submission = rows.find(book, "02-other", "ada")
    assert submission is not None
    theirs = book.find_submission("02-other", "ada")
    assert (submission.id, submission.timestamp) == (theirs.id, None)
    named = {(n.name, g.name): g for n in theirs.notebooks for g in n.grades}
    assert submission.grades.keys() == named.keys()
    for place, ours in submission.grades.items():
        assert dataclasses.asdict(ours) == {key: getattr(named[place], key) for key in vars(ours)}
    said = {(n.name, c.name): c for n in theirs.notebooks for c in n.comments}
    assert submission.comments.keys() == said.keys()
    for place, own in submission.comments.items():
        assert dataclasses.asdict(own) == {key: getattr(said[place], key) for key in vars(own)}


def test_a_change_is_what_nbgrader_reads_then(book: Gradebook) -> None:
    before = held(book, "ada")
    submission = rows.find_or_begin(book, "02-other", "ada")
    submission.submitted("2026-03-09T12:00:00")
    submission.grades["one", "test-0"].auto_score = 2.0
    submission.grades["one", "test-0"].needs_manual_grade = False
    submission.grades["two", "task"].auto_score = 1.0
    submission.comments["two", "answer"].auto_comment = "No response."
    submission.save(book)
    theirs = book.find_submission("02-other", "ada")
    assert theirs.timestamp == datetime(2026, 3, 9, 12)
    assert theirs.score == 3
    assert book.find_comment("answer", "two", "02-other", "ada").comment == "No response."
    submission.submitted("2026-03-10T12:00:00")
    submission.save(book)  # once more: the same object knows what is held now
    assert book.find_submission("02-other", "ada").timestamp == datetime(2026, 3, 10, 12)
    after = held(book, "ada")
    changed = {name: sum(row not in before[name] for row in found) for name, found in after.items()}
    assert changed == {
        "student": 0,
        "submitted_assignment": 1,
        "submitted_notebook": 0,
        "grade": 2,
        "comment": 1,
    }


def test_points_that_a_person_gives_meanwhile_stay(book: Gradebook) -> None:
    submission = rows.find_or_begin(book, "02-other", "ada")
    submission.grades["one", "test-0"].auto_score = 2.0
    book.db.rollback()
    with Gradebook(str(book.engine.url)) as other:
        grade = other.find_grade("test-0", "one", "02-other", "ada")
        grade.manual_score = 1.0
        other.db.commit()
    submission.save(book)
    grade = book.find_grade("test-0", "one", "02-other", "ada")
    assert (grade.auto_score, grade.manual_score) == (2.0, 1.0)


def test_an_assignment_that_nobody_knows_is_told(book: Gradebook) -> None:
    with pytest.raises(MissingEntry, match="03-none"):
        rows.find_or_begin(book, "03-none", "ada")


def test_the_number_of_statements_does_not_grow_with_cells(book: Gradebook) -> None:
    asked = statements(book)
    for student, most in (("cy", 7), ("ada", 6)):
        del asked[:]
        submission = rows.find_or_begin(book, "01-tiny", student)
        for grade in submission.grades.values():
            grade.auto_score, grade.needs_manual_grade = 1.0, False
        submission.save(book)
        assert len(asked) == most, asked
    del asked[:]
    rows.find_or_begin(book, "01-tiny", "cy").save(book)
    assert len(asked) == 3
    assert all(statement.startswith("SELECT") for statement in asked)  # nothing has changed


def test_no_statement_looks_through_the_class(book: Gradebook) -> None:
    """What is asked for one submission is found by an index, in whatever else there is."""
    asked: list[tuple[str, Any]] = []
    sqlalchemy.event.listen(
        book.engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, given, _context, many: asked.append(
            (statement, given[0] if many else given)
        ),
    )
    for points in (None, 1.0):
        submission = rows.find_or_begin(book, "01-tiny", "cy")
        submission.submitted("2026-03-09T12:00:00" if points else None)
        for grade in submission.grades.values():
            grade.auto_score = points
        for comment in submission.comments.values():
            comment.auto_comment = points and "No response."
        submission.save(book)
    kinds = [statement.split()[0] for statement, _ in asked]
    assert [kinds.count(kind) for kind in ("SELECT", "INSERT", "UPDATE")] == [5, 5, 3]
    with contextlib.closing(sqlite3.connect(book.engine.url.database)) as database:
        for statement, given in asked:
            for *_, step in database.execute(f"explain query plan {statement}", given):
                way, table, *how = step.split()
                assert table not in rows.OWN or (way == "SEARCH" and "AUTOMATIC" not in how), step


@pytest.mark.parametrize("due", [None, datetime(2026, 3, 9, 18)])
def test_the_class_is_as_nbgrader_reads_it(book: Gradebook, due: datetime | None) -> None:
    book.update_or_create_assignment("02-other", duedate=due)
    for number, (student, when) in enumerate({"bo": "2026-03-09", "cy": "2026-03-11", "di": None}.items()):
        book.update_or_create_student(student)
        submission = rows.find_or_begin(book, "02-other", student)
        submission.submitted(when)
        for at, grade in enumerate(submission.grades.values()):
            grade.auto_score, grade.extra_credit, grade.needs_manual_grade = at, number or None, at % 2 == 0
        submission.save(book)
    for notebook in book.find_submission("02-other", "cy").notebooks[:2]:
        notebook.late_submission_penalty = 1.5
    if due:
        book.grant_extension("02-other", "cy", hours=2)
    book.db.commit()
    asked = statements(book)
    found = rows.of_class(book, "02-other")
    assert len(asked) == 2
    theirs = {s.student.id: s for s in book.assignment_submissions("02-other")}
    assert found.keys() == theirs.keys() == {"ada", "bo", "cy", "di"}
    for student, ours in found.items():
        submission = theirs[student]
        assert ours.timestamp == submission.timestamp
        assert ours.seconds_late == submission.total_seconds_late
        assert ours.penalty == sum(n.late_submission_penalty or 0.0 for n in submission.notebooks)
        for name, own in ours.grades.items():
            of_name = [g for n in submission.notebooks for g in n.grades if g.name == name]
            assert dataclasses.asdict(own) in [{k: getattr(g, k) for k in vars(own)} for g in of_name]
    assert found["cy"].seconds_late == (28 * 3600 if due else 0)
    assert rows.of_class(book, "03-none") == {}
