"""What makes a private course quick: its gradebook lies in memory, and what never changes is checked once.

nbgrader opens the gradebook a dozen times for one submission, each time as if for the first time: it looks
for every table, and SQLAlchemy compiles every query anew. It makes a new submission's rows one by one, asks
for each cell of the released notebook by itself, and proves for each cell that its own schema is one. Here a
process keeps its database in memory, filled anew for each submission, in which that is begun already, and
remembers the released cells, and which metadata it has found valid. What nbgrader asks and is told stays the
same.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbgrader.nbgraderformat.common
from nbgrader.api import Gradebook, SourceCell
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import scoped_session, sessionmaker
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


@functools.lru_cache(4)
def _filled(structure: bytes, assignment: str, student: str) -> sqlite3.Connection:
    """A database in memory that holds what this SQLite file holds, and a submission that has just begun."""
    memory = sqlite3.connect(":memory:", check_same_thread=False)
    with tempfile.TemporaryDirectory(prefix="structure-") as folder:
        file = Path(folder) / "gradebook.db"
        file.write_bytes(structure)
        with Gradebook(f"sqlite:///{file}") as book:
            rows.find_or_begin(book, assignment, student).save(book)
        with contextlib.closing(sqlite3.connect(file)) as source:
            source.backup(memory)
    return memory


@functools.lru_cache(4)
def _cells(structure: bytes) -> dict[tuple[str, ...], SourceCell]:
    """The released cells that nbgrader has asked for, by their places."""
    return {}


@contextlib.contextmanager
def course(structure: bytes, assignment: str, student: str) -> Iterator[str]:
    """Have nbgrader find a copy of this gradebook, an SQLite file's content, by the URL that this gives.

    A submission of this assignment by this student is begun in it, as if it were about to be graded.
    """
    engine = _engine()
    # A new one, so that nothing of an earlier submission, however that ended, can reach this database.
    engine.pool = StaticPool.recreate(engine.pool)  # type: ignore[arg-type]
    with contextlib.closing(engine.raw_connection()) as raw:
        _filled(structure, assignment, student).backup(raw.driver_connection)  # type: ignore[arg-type]
    patched: Any = Gradebook
    opened, jsonschema, asked = patched.__init__, _common.jsonschema, patched.find_source_cell
    patched.__init__ = functools.partialmethod(_open, opened)
    patched.find_source_cell = functools.partialmethod(_find_source_cell, asked, _cells(structure))
    _common.jsonschema = SimpleNamespace(**vars(jsonschema) | {"validate": _remembering(jsonschema.validate)})
    try:
        yield URL
    finally:
        patched.__init__, _common.jsonschema, patched.find_source_cell = opened, jsonschema, asked


def _open(
    self: Gradebook, opened: Any, db_url: str, course_id: str = "default_course", authenticator: Any = None
) -> None:
    """What ``Gradebook.__init__`` does, but for making the tables, which are there."""
    if db_url != URL:
        opened(self, db_url, course_id, authenticator)
        return
    self.engine = _engine()
    # Nobody else changes anything, so that nothing need be read again after each commit.
    self.db = scoped_session(sessionmaker(bind=self.engine, expire_on_commit=False))
    self.check_course(course_id=course_id)
    self.course_id, self.authenticator = course_id, authenticator


def _find_source_cell(
    self: Gradebook, asked: Any, known: dict[tuple[str, ...], SourceCell], *place: str
) -> SourceCell:
    """What ``Gradebook.find_source_cell`` finds; a released cell never changes, and is asked for once."""
    if self.engine is not _engine():
        found: SourceCell = asked(self, *place)
        return found
    if place not in known:
        cell = asked(self, *place)
        self.db.expunge(cell)
        known[place] = cell
    return known[place]


#: Metadata that nbgrader has found valid, as JSON; so many different pieces are remembered.
_valid: set[str] = set()
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
