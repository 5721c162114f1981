"""Power that fails while a result is written down, at every step, and disks that then hold half of it."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy.orm import Session

from grading import gradebook, run, state
from grading.task import Result, Said, Score

pytestmark = [pytest.mark.grading, pytest.mark.slow, pytest.mark.xdist_group("power")]


class PowerCut(BaseException):
    """Nothing that comes after it happens."""


def result(answer: int) -> Result:
    """What grading has made of a submission with this answer."""
    scores = (
        Score("tiny", "size-test", float(answer % 3), False),
        Score("tiny", "halve-test", 3.0, False),
        Score("tiny", "why", None, True),
    )
    notebook = b'{"cells": [], "answer": %d}' % answer
    said = (Said("tiny", "why", None),)
    return Result("ada", "01-tiny", scores, said, {"tiny.ipynb": notebook}, timestamp="2026-03-09T12:00:00")


class Class:
    """A small class where one result was written down, to be put back as it was then."""

    def __init__(self, small: Any, kept: Path) -> None:
        self.course, self._kept = small.course, kept
        with self.opened() as book:
            gradebook.record(self.course, book, result(1), "first")
        self.before = self.seen()
        shutil.copytree(self.course.folder, kept)

    @contextlib.contextmanager
    def opened(self) -> Iterator[Any]:
        """The gradebook, as a run opens it: what was begun is completed."""
        with (
            self.course.surroundings() as log,
            run._prepared(self.course, "01-tiny", log, run.Options()) as book,
        ):
            yield book

    def put_back(self) -> None:
        shutil.rmtree(self.course.folder)
        shutil.copytree(self._kept, self.course.folder)

    def mark(self) -> str:
        """Of what the class says that it was graded."""
        return str(state.read(self.course.stamp("01-tiny", "ada")).get("fingerprint", ""))

    def seen(self) -> tuple[Any, ...]:
        """All that a result leaves: rows, files, and of what they are."""
        with contextlib.closing(sqlite3.connect(self.course.gradebook)) as book:
            rows = book.execute(
                "select c.name, g.id, g.auto_score, g.manual_score, g.needs_manual_grade from grade g "
                "join base_cell c on g.cell_id = c.id order by c.name"
            ).fetchall()
        folder = self.course.autograded
        files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        left = sorted((self.course.folder / ".state" / "results").glob("*/*"))
        return self.mark(), rows, files, left

    def next_run(self) -> None:
        """What the next run does: heal, then grade what is not fresh."""
        with self.opened() as book:
            if self.mark() != "second":
                gradebook.record(self.course, book, result(2), "second")


@pytest.fixture(scope="module")
def made(new_course, tmp_path_factory: pytest.TempPathFactory) -> Class:
    """The class, made once."""
    small = new_course()
    small.release()
    small.hand_in("ada")
    return Class(small, tmp_path_factory.mktemp("kept") / "class")


@pytest.fixture
def klass(made: Class) -> Class:
    """The class as it was at first."""
    made.put_back()
    return made


def cut_at(patch: pytest.MonkeyPatch, step: int, how: str) -> list[str]:
    """Let the power fail at the n-th thing that changes a disk: before it, after it, or half-way through."""
    done: list[str] = []

    def wrap(owner: Any, name: str) -> None:
        real: Callable[..., Any] = getattr(owner, name)

        def changed(*arguments: Any, **options: Any) -> Any:
            done.append(name)
            if len(done) < step:
                return real(*arguments, **options)
            if len(done) == step:
                if how == "after":
                    real(*arguments, **options)
                elif how == "half" and name == "_write_through":
                    file, content = arguments
                    file.write_bytes(content[: len(content) // 2])
            raise PowerCut

        patch.setattr(owner, name, changed)

    wrap(state, "_write_through")
    wrap(Path, "replace")
    wrap(Path, "unlink")
    wrap(shutil, "rmtree")
    wrap(Session, "commit")
    return done


@pytest.mark.parametrize("how", ["before", "after", "half"])
def test_power_that_fails_at_any_step_loses_and_doubles_nothing(klass: Class, how: str) -> None:
    klass.next_run()
    expected = klass.seen()
    assert expected[0] == "second"
    assert expected[3] == []
    assert [row[1] for row in expected[1]] == [row[1] for row in klass.before[1]]
    steps = 0
    while True:
        klass.put_back()
        with klass.opened() as book, pytest.MonkeyPatch.context() as patch:
            done = cut_at(patch, steps + 1, how)
            try:
                gradebook.record(klass.course, book, result(2), "second")
            except PowerCut:
                book.db.rollback()
            else:
                break
        steps += 1
        klass.next_run()
        assert klass.seen() == expected, done
    assert steps >= 8


def test_a_journal_torn_anywhere_is_graded_anew(klass: Class) -> None:
    with klass.opened() as book:
        with pytest.MonkeyPatch.context() as patch:
            cut_at(patch, 2, "after")  # the journal is there, and nothing else
            with pytest.raises(PowerCut):
                gradebook.record(klass.course, book, result(2), "second")
        (journal,) = (klass.course.folder / ".state" / "results").glob("*/*")
        whole, chance = journal.read_bytes(), random.Random(1)
        torn = [whole[:length] for length in (0, 1, 64, 65, len(whole) - 1)]
        torn += [whole[: chance.randrange(len(whole))] for _ in range(30)]
        torn += [bytes(len(whole)), whole + b"\0", whole[1:], b"{}", whole.partition(b"\n")[2]]
        for _ in range(30):
            at = chance.randrange(len(whole))
            torn.append(whole[:at] + bytes([whole[at] ^ chance.randrange(1, 256)]) + whole[at + 1 :])
        # Whole, but of another version of this package.
        torn += [gradebook._sealed(content) for content in (b"{}", b"[]", b'{"notebooks": {"a": "b"}}', b"")]
        stamp = klass.course.stamp("01-tiny", "ada")
        noted = stamp.read_bytes()
        for content in torn:
            journal.write_bytes(content)
            stamp.write_bytes(noted)
            assert gradebook.heal(klass.course, book) == [], content
            assert not journal.exists()
            assert klass.mark() == ""  # so that it counts as new
            assert klass.seen()[1:] == klass.before[1:]
        journal.write_bytes(whole)
        assert gradebook.heal(klass.course, book) == ["ada"]
    assert klass.mark() == "second"
    klass.next_run()


def test_other_notes_torn_anywhere_cost_a_second_grading_and_nothing_else(klass: Class) -> None:
    stamp = klass.course.stamp("01-tiny", "ada")
    whole = stamp.read_bytes()
    for length in range(0, len(whole), 7):
        stamp.write_bytes(whole[:length])
        assert klass.mark() == ""
    stamp.write_bytes(b"[1, 2]")
    assert klass.mark() == ""
    klass.next_run()
    assert klass.mark() == "second"


def test_a_submissions_rows_are_found_without_a_look_at_all_others(klass: Class) -> None:
    with klass.opened() as book:
        for table, column in gradebook._SOUGHT:
            asked = f"explain query plan select * from {table} where {column} = 'x'"
            assert f"course_{table}_{column}" in str(book.db.execute(sqlalchemy.text(asked)).all())
