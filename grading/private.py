"""What makes a private course quick: its gradebook lies in memory, and what never changes is checked once.

nbgrader opens the gradebook a dozen times for one submission, each time as if for the first time: it looks
for every table, and SQLAlchemy compiles every query anew. And it proves for each cell that its own schema is
one. Here a process keeps its database in memory, filled anew for each submission, and remembers which
metadata it has found valid. What nbgrader asks and is told stays the same.
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
from nbgrader.api import Gradebook
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import scoped_session, sessionmaker
from sqlalchemy.pool import StaticPool

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
def _filled(structure: bytes) -> sqlite3.Connection:
    """A database in memory that holds what this SQLite file holds."""
    memory = sqlite3.connect(":memory:", check_same_thread=False)
    with tempfile.TemporaryDirectory(prefix="structure-") as folder:
        file = Path(folder) / "gradebook.db"
        file.write_bytes(structure)
        with contextlib.closing(sqlite3.connect(file)) as source:
            source.backup(memory)
    return memory


@contextlib.contextmanager
def course(structure: bytes) -> Iterator[str]:
    """Have nbgrader find a copy of this gradebook, an SQLite file's content, by the URL that this gives."""
    engine = _engine()
    # A new one, so that nothing of an earlier submission, however that ended, can reach this database.
    engine.pool = StaticPool.recreate(engine.pool)  # type: ignore[arg-type]
    with contextlib.closing(engine.raw_connection()) as raw:
        _filled(structure).backup(raw.driver_connection)  # type: ignore[arg-type]
    opened, jsonschema = Gradebook.__init__, _common.jsonschema
    patched: Any = Gradebook
    patched.__init__ = functools.partialmethod(_open, opened)
    _common.jsonschema = SimpleNamespace(**vars(jsonschema) | {"validate": _remembering(jsonschema.validate)})
    try:
        yield URL
    finally:
        patched.__init__, _common.jsonschema = opened, jsonschema


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
