"""What makes a private course quick: its gradebook lies in memory, and what never changes is checked once.

nbgrader opens the gradebook a dozen times for one submission, each time as if for the first time: it looks
for every table, and SQLAlchemy compiles every query anew. It makes a new submission's rows one by one, asks
for each cell by itself, and proves for each that its own schema is one. Here a process keeps its database in
memory, filled anew for each submission, in which that is begun already; it reads what is the submission's at
once, and remembers the released cells, and which metadata and forms of outputs it has found valid. Notebooks,
which nbconvert copies ten times, are copied as the trees that they are. What nbgrader asks and is told stays
the same.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jupyter_client.session
import nbgrader.nbgraderformat.common
from nbformat import NotebookNode
from nbformat.v4 import nbbase
from nbgrader.api import Comment, Course, Grade, Gradebook, SourceCell
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from sqlalchemy.pool import StaticPool

from grading import rows

_common: Any = nbgrader.nbgraderformat.common

#: What nbgrader knows the gradebook of the submission at hand by: a name, not a file.
URL = "sqlite:///private-gradebook"


class _Kept(StaticPool):
    """One connection for all who ask, which outlives them: the database would end with it."""

    def dispose(self) -> None:
        """Keep it."""

    def recreate(self) -> StaticPool:
        """Go on with the same."""
        return self


@functools.cache
def _engine() -> Engine:
    """The one that remembers what queries were compiled to."""
    return create_engine("sqlite://", poolclass=_Kept)


@dataclass(frozen=True)
class _Begun:
    """A gradebook in memory, in which one submission has just begun, and what is known of it."""

    memory: sqlite3.Connection
    assignment: str
    student: str
    courses: frozenset[str]
    #: The released cells that were asked for, by what was asked.
    cells: dict[tuple[str, ...], SourceCell] = field(default_factory=dict)


@functools.lru_cache(4)
def _begun(structure: bytes, assignment: str, student: str) -> _Begun:
    """What this SQLite file holds, and the submission."""
    memory = sqlite3.connect(":memory:", check_same_thread=False)
    with tempfile.TemporaryDirectory(prefix="structure-") as folder:
        file = Path(folder) / "gradebook.db"
        file.write_bytes(structure)
        with Gradebook(f"sqlite:///{file}") as book:
            rows.find_or_begin(book, assignment, student).save(book)
            courses = frozenset(book.db.scalars(select(Course.id)))
        with contextlib.closing(sqlite3.connect(file)) as source:
            source.backup(memory)
    return _Begun(memory, assignment, student, courses)


class _Patient(Session):
    """A session that commits when its gradebook is closed, and not after each cell: nobody else reads."""

    def commit(self) -> None:
        """Wait."""

    def finish(self) -> None:
        """Commit."""
        super().commit()


class _Private(Gradebook):
    """What nbgrader opens by :data:`URL`, and asks as always: what is known already is not asked again."""

    begun: _Begun
    _held: dict[tuple[str, ...], Grade | Comment] | None = None

    def close(self) -> None:
        """Write what has changed, and close."""
        self.db().finish()
        super().close()

    def find_source_cell(self, *place: str) -> SourceCell:
        """A released cell, which never changes."""
        known = self.begun.cells
        if place not in known:
            cell = super().find_source_cell(*place)
            self.db.expunge(cell)
            known[place] = cell
        return known[place]

    def find_grade(self, *place: str) -> Grade:
        """The submission's points for a cell."""
        found = self._of_submission("grade", place)
        return found if isinstance(found, Grade) else super().find_grade(*place)

    def find_comment(self, *place: str) -> Comment:
        """The submission's comment on a cell."""
        found = self._of_submission("comment", place)
        return found if isinstance(found, Comment) else super().find_comment(*place)

    def _of_submission(self, kind: str, place: tuple[str, ...]) -> Grade | Comment | None:
        """What there is for a cell, its notebook, the assignment and the student; all is read at once."""
        if self._held is None:
            submission = rows.find(self, self.begun.assignment, self.begun.student)
            assert submission is not None
            places = {
                each.id: (table, cell, notebook, self.begun.assignment, self.begun.student)
                for table, listed in (("grade", submission.grades), ("comment", submission.comments))
                for (notebook, cell), each in listed.items()
            }
            listed = [*self.db.scalars(select(Grade)), *self.db.scalars(select(Comment))]
            self._held = {places[each.id]: each for each in listed}
        return self._held.get((kind, *place))


@contextlib.contextmanager
def course(structure: bytes, assignment: str, student: str) -> Iterator[str]:
    """Have nbgrader find a copy of this gradebook, an SQLite file's content, by the URL that this gives.

    A submission of this assignment by this student is begun in it, as if it were about to be graded.
    """
    engine, begun = _engine(), _begun(structure, assignment, student)
    # A new one, so that nothing of an earlier submission, however that ended, can reach this database.
    engine.pool = StaticPool.recreate(engine.pool)  # type: ignore[arg-type]
    with contextlib.closing(engine.raw_connection()) as raw:
        begun.memory.backup(raw.driver_connection)  # type: ignore[arg-type]
    jsonschema = vars(_common.jsonschema)
    remembering = SimpleNamespace(**jsonschema | {"validate": _remembering(jsonschema["validate"])})
    with contextlib.ExitStack() as undo:
        for owner, name, quick in (
            (Gradebook, "__init__", functools.partialmethod(_open, Gradebook.__init__, begun)),
            (_common, "jsonschema", remembering),
            (nbbase, "validate", functools.partial(_validate, nbbase.validate)),
            (NotebookNode, "__deepcopy__", _copied),
            (jupyter_client.session, "extract_dates", lambda header: header),  # nobody asks when
        ):
            undo.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, quick)
        yield URL


def _open(
    self: Gradebook,
    opened: Any,
    begun: _Begun,
    db_url: str,
    course_id: str = "default_course",
    authenticator: Any = None,
) -> None:
    """What ``Gradebook.__init__`` does, but for making the tables, which are there."""
    if db_url != URL:
        opened(self, db_url, course_id, authenticator)
        return
    self.__class__, self.engine = _Private, _engine()
    self.begun = begun
    # Nobody else changes anything, so that nothing need be read again after a commit.
    self.db = scoped_session(sessionmaker(bind=self.engine, class_=_Patient, expire_on_commit=False))
    if course_id not in begun.courses:
        self.check_course(course_id=course_id)
    self.course_id, self.authenticator = course_id, authenticator


#: Metadata that nbgrader has found valid, as JSON, and forms of outputs; so many are remembered.
_valid: set[Any] = set()
_MOST_VALID = 10_000


def _remembering(validate: Any) -> Any:
    """What ``jsonschema.validate`` does; what was valid once is valid."""

    def remembered(instance: Any, schema: Any) -> None:
        known = json.dumps([instance, schema["properties"]["schema_version"]], sort_keys=True)
        if known not in _valid:
            validate(instance, schema)
            if len(_valid) < _MOST_VALID:
                _valid.add(known)

    return remembered


def _validate(validate: Any, node: Any, ref: str | None = None) -> None:
    """What nbformat does with each output; the form of one that was valid once is valid."""
    form = _form(node) if ref else None
    if form is not None and (ref, form) in _valid:
        return
    validate(node, ref)
    if form is not None and len(_valid) < _MOST_VALID:
        _valid.add((ref, form))


def _form(value: Any, depth: int = 2) -> Any:
    """What nbformat's schema looks at: of text, that it is text. None of what is large or deep.

    Submissions send what they like, and forms are kept for as long as the process lives.
    """
    if type(value) is str:
        return ""
    if type(value) in _LEAVES:
        return (type(value), value)
    if isinstance(value, list):
        return list if all(type(each) is str for each in value) else None
    if not isinstance(value, dict) or depth == 0 or len(value) > 10 or any(len(key) > 99 for key in value):
        return None
    form = frozenset((key, _form(each, depth - 1)) for key, each in value.items())
    return None if any(each is None for _, each in form) else form


_LEAVES = frozenset({str, int, float, bool, type(None)})


def _copied(node: NotebookNode, _: Any = None) -> NotebookNode:
    """What ``copy.deepcopy`` makes of a part of a notebook, which is a tree."""
    new = type(node)()
    for name, value in node.items():
        dict.__setitem__(new, name, _copy_of(value))
    return new


def _copy_of(value: Any) -> Any:
    if type(value) in _LEAVES:
        return value
    if type(value) is NotebookNode:
        return _copied(value)
    if type(value) is list:
        return [_copy_of(each) for each in value]
    return copy.deepcopy(value)
