"""A submission's rows in nbgrader's tables, read and written with as few statements as there can be.

nbgrader's own objects ask for each cell's name, and for much else, by a query of its own: of all that the one
writer does for a result, that took most of the processor's time. Here the same tables, by nbgrader's own
definitions, get the same rows as from its interface; a test compares them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy
from nbgrader.api import Base, Gradebook, MissingEntry, new_uuid
from nbgrader.utils import parse_utc
from sqlalchemy import Connection, Table, and_, bindparam, select

#: A notebook's name, and that of a cell in it.
Place = tuple[str, str]

_TABLES: Mapping[str, Table] = Base.metadata.tables
_ASSIGNMENT, _STUDENT, _NOTEBOOK, _CELL, _SUBMISSION, _SUBMITTED, _GRADE, _COMMENT = (
    _TABLES[name]
    for name in (
        *("assignment", "student", "notebook", "base_cell"),
        *("submitted_assignment", "submitted_notebook", "grade", "comment"),
    )
)
#: The tables with rows of a student's own, and the column by which each refers to one before it.
OWN = {
    "student": "id",
    "submitted_assignment": "student_id",
    "submitted_notebook": "assignment_id",
    "grade": "notebook_id",
    "comment": "notebook_id",
}
#: What nbgrader calls the cells that it gives points for, and those that it comments on.
_GRADED, _COMMENTED = {"GradeCell", "TaskCell"}, {"SolutionCell", "TaskCell"}


@dataclass
class Grade:
    """The points of one student for one cell; at first as nbgrader begins them."""

    id: str
    notebook_id: str
    cell_id: str
    auto_score: float | None = None
    manual_score: float | None = None
    extra_credit: float | None = None
    needs_manual_grade: bool = bool(_GRADE.c.needs_manual_grade.default.arg)  # type: ignore[union-attr]


@dataclass
class Comment:
    """What nbgrader says by itself of one student's answer in one cell."""

    id: str
    notebook_id: str
    cell_id: str
    auto_comment: str | None = None


@dataclass
class Submission:
    """One student's submission of an assignment. Change it, then :meth:`save` it."""

    id: str
    assignment_id: str
    student_id: str
    timestamp: datetime | None = None
    grades: dict[Place, Grade] = field(default_factory=dict)
    comments: dict[Place, Comment] = field(default_factory=dict)
    #: Rows that are begun with it, where it is new: the student's, if need be, and its notebooks'.
    _student: list[dict[str, Any]] = field(default_factory=list)
    _notebooks: list[dict[str, Any]] = field(default_factory=list)
    #: What the database holds: by table and id.
    _held: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def submitted(self, timestamp: str | None) -> None:
        """Say when it was handed in, if that is known."""
        if timestamp:
            self.timestamp = parse_utc(timestamp)

    def save(self, book: Gradebook) -> None:
        """Write what is new and what has changed, in one transaction."""
        database = book.db.connection()
        for table, rows in self._rows():
            _write(database, table, rows, self._held)
        book.db.commit()
        self._hold()

    def _rows(self) -> Iterator[tuple[Table, list[dict[str, Any]]]]:
        """All rows, each table after those that it refers to."""
        yield _STUDENT, self._student
        yield (
            _SUBMISSION,
            [{name: getattr(self, name) for name in ("id", "assignment_id", "student_id", "timestamp")}],
        )
        yield _SUBMITTED, self._notebooks
        yield _GRADE, [vars(grade) for grade in self.grades.values()]
        yield _COMMENT, [vars(comment) for comment in self.comments.values()]

    def _hold(self) -> None:
        self._held = {(table.name, row["id"]): dict(row) for table, rows in self._rows() for row in rows}


def _write(
    database: Connection, table: Table, rows: list[dict[str, Any]], held: Mapping[tuple[str, str], Any]
) -> None:
    """Insert rows that are not held; of the others, change the columns that differ, and no other."""
    new, changed = [], defaultdict(list)
    for row in rows:
        was = held.get((table.name, row["id"]))
        if was is None:
            new.append(row)
        else:
            differing = {column: value for column, value in row.items() if value != was[column]}
            if differing:
                changed[tuple(differing)].append({"changed_id": row["id"], **differing})
    if new:
        database.execute(_INSERT[table.name], new)
    for changes in changed.values():
        database.execute(_UPDATE[table.name], changes)


_INSERT = {name: sqlalchemy.insert(_TABLES[name]) for name in OWN}
_UPDATE = {
    name: sqlalchemy.update(_TABLES[name]).where(_TABLES[name].c.id == bindparam("changed_id"))
    for name in OWN
}
_KNOWN = (
    select(
        _ASSIGNMENT.c.id.label("assignment"),
        _STUDENT.c.id.label("student"),
        _SUBMISSION.c.id.label("submission"),
        _SUBMISSION.c.timestamp,
    )
    .select_from(_ASSIGNMENT)
    .outerjoin(_STUDENT, _STUDENT.c.id == bindparam("student_id"))
    .outerjoin(
        _SUBMISSION,
        and_(
            _SUBMISSION.c.assignment_id == _ASSIGNMENT.c.id,
            _SUBMISSION.c.student_id == bindparam("student_id"),
        ),
    )
    .where(_ASSIGNMENT.c.name == bindparam("assignment_name"))
)
_CELLS = (
    select(_NOTEBOOK.c.id, _NOTEBOOK.c.name, _CELL.c.id, _CELL.c.name, _CELL.c.type)
    .select_from(_NOTEBOOK)
    .outerjoin(_CELL, _CELL.c.notebook_id == _NOTEBOOK.c.id)
    .where(_NOTEBOOK.c.assignment_id == bindparam("assignment"))
    .order_by(_NOTEBOOK.c.name, _CELL.c.name)
)


def _of_submission(table: Table, kind: type[Grade] | type[Comment]) -> sqlalchemy.Select[Any]:
    """The rows of a submission in one of the tables that name cells, with what these are called."""
    return (
        select(_NOTEBOOK.c.name, _CELL.c.name, *(table.c[each.name] for each in fields(kind)))
        .select_from(_SUBMITTED)
        .join(_NOTEBOOK, _NOTEBOOK.c.id == _SUBMITTED.c.notebook_id)
        .join(table, table.c.notebook_id == _SUBMITTED.c.id)
        .join(_CELL, _CELL.c.id == table.c.cell_id)
        .where(_SUBMITTED.c.assignment_id == bindparam("submission"))
    )


_GRADES, _COMMENTS = _of_submission(_GRADE, Grade), _of_submission(_COMMENT, Comment)


def find(book: Gradebook, assignment: str, student: str) -> Submission | None:
    """What the gradebook holds of a student's submission; None where it holds nothing."""
    return _look(book, assignment, student)[0]


def find_or_begin(book: Gradebook, assignment: str, student: str) -> Submission:
    """A student's submission; one that is in nobody's gradebook until it is saved, where there is none."""
    found, assignment_id, known = _look(book, assignment, student)
    return found or _begin(book.db.connection(), assignment_id, student, known)


def _look(book: Gradebook, assignment: str, student: str) -> tuple[Submission | None, str, bool]:
    """A submission, if there is one; the assignment's id; whether the student is known."""
    database = book.db.connection()
    about = database.execute(_KNOWN, {"assignment_name": assignment, "student_id": student}).first()
    if about is None:
        raise MissingEntry(f"No such assignment: {assignment}")
    if about.submission is None:
        return None, about.assignment, about.student is not None
    submission = Submission(about.submission, about.assignment, student, about.timestamp)
    wanted = {"submission": submission.id}
    for notebook, cell, *row in database.execute(_GRADES, wanted):
        submission.grades[notebook, cell] = Grade(*row)
    for notebook, cell, *row in database.execute(_COMMENTS, wanted):
        submission.comments[notebook, cell] = Comment(*row)
    submission._hold()
    return submission, about.assignment, True


def _begin(database: Connection, assignment: str, student: str, known: bool) -> Submission:
    """A new submission that mirrors the assignment, as nbgrader's ``add_submission`` makes it."""
    submission = Submission(new_uuid(), assignment, student)
    submission._student = [] if known else [{"id": student}]
    notebooks: dict[str, str] = {}
    for notebook_id, notebook, cell_id, cell, kind in database.execute(_CELLS, {"assignment": assignment}):
        if notebook_id not in notebooks:
            notebooks[notebook_id] = new_uuid()
        within = notebooks[notebook_id]
        if kind in _GRADED:
            submission.grades[notebook, cell] = Grade(new_uuid(), within, cell_id)
        if kind in _COMMENTED:
            submission.comments[notebook, cell] = Comment(new_uuid(), within, cell_id)
    submission._notebooks = [
        {"id": own, "notebook_id": notebook_id, "assignment_id": submission.id}
        for notebook_id, own in notebooks.items()
    ]
    return submission


@dataclass(frozen=True)
class Summary:
    """A submission among those of the class: lateness, the penalty for it, and grades by cell."""

    timestamp: datetime | None
    seconds_late: float
    penalty: float
    grades: Mapping[str, Grade]


_OF_CLASS = (
    select(
        *(_SUBMISSION.c[name] for name in ("id", "student_id", "timestamp", "extension")),
        _ASSIGNMENT.c.duedate,
        sqlalchemy.func.coalesce(sqlalchemy.func.sum(_SUBMITTED.c.late_submission_penalty), 0.0),
    )
    .select_from(_SUBMISSION)
    .join(_ASSIGNMENT, _ASSIGNMENT.c.id == _SUBMISSION.c.assignment_id)
    .outerjoin(_SUBMITTED, _SUBMITTED.c.assignment_id == _SUBMISSION.c.id)
    .where(_ASSIGNMENT.c.name == bindparam("assignment_name"))
    .group_by(_SUBMISSION.c.id, _ASSIGNMENT.c.id)
)
_GRADES_OF_CLASS = (
    select(_SUBMITTED.c.assignment_id, _CELL.c.name, *(_GRADE.c[each.name] for each in fields(Grade)))
    .select_from(_SUBMISSION)
    .join(_ASSIGNMENT, _ASSIGNMENT.c.id == _SUBMISSION.c.assignment_id)
    .join(_SUBMITTED, _SUBMITTED.c.assignment_id == _SUBMISSION.c.id)
    .join(_GRADE, _GRADE.c.notebook_id == _SUBMITTED.c.id)
    .join(_CELL, _CELL.c.id == _GRADE.c.cell_id)
    .where(_ASSIGNMENT.c.name == bindparam("assignment_name"))
)


def of_class(book: Gradebook, assignment: str) -> dict[str, Summary]:
    """All submissions of an assignment, by student, in two statements."""
    database, about = book.db.connection(), {"assignment_name": assignment}
    grades: dict[str, dict[str, Grade]] = defaultdict(dict)
    for submission, cell, *row in database.execute(_GRADES_OF_CLASS, about):
        grades[submission][cell] = Grade(*row)
    found = {}
    for submission, student, timestamp, extension, due, penalty in database.execute(_OF_CLASS, about):
        late = 0.0
        if timestamp is not None and due is not None:
            late = max(0.0, (timestamp - due - (extension or timedelta())).total_seconds())
        found[student] = Summary(timestamp, late, penalty, grades[submission])
    return found
