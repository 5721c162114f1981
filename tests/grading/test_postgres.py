"""A gradebook on PostgreSQL: a real server, started here, where Debian's package is installed."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from grading import gradebook, run
from grading.course import Course

pytestmark = [pytest.mark.grading, pytest.mark.slow, pytest.mark.xdist_group("postgres")]


def programs() -> Path | None:
    """Where the server's programs lie: the newest version's."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[-3]))
    return found[-1].parent if found else None


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of an empty database."""
    pytest.importorskip("psycopg2", reason="the extra `cluster` is not installed")
    there = programs()
    if there is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    with serving(there) as address:
        yield address


@contextlib.contextmanager
def serving(there: Path, *, safe: bool = False) -> Iterator[str]:
    """A database server that listens on a local socket alone; the address of an empty database.

    What it has said to be written is on disk only where ``safe``.
    """
    place = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a short path: sockets' names end at 107 bytes
    # The server refuses to run as root; Debian's package brings a user for it.
    as_user = {"user": "postgres"} if os.geteuid() == 0 else {}
    if as_user:
        shutil.chown(place, "postgres")
    data = place / "data"

    def call(*command: object) -> None:
        subprocess.run(
            [str(part) for part in command],
            check=True,
            capture_output=True,
            cwd=place,
            timeout=120,
            **as_user,
        )

    try:
        call(there / "initdb", "-D", data, "-U", "grader", "-A", "trust", "-E", "UTF8", "--no-sync")
        settings = f"-c listen_addresses='' -c unix_socket_directories={place}" + " -c fsync=off" * (not safe)
        call(there / "pg_ctl", "-D", data, "-w", "-l", place / "log", "-o", settings, "start")
        try:
            call(there / "createdb", "-h", place, "-U", "grader", "grades")
            yield f"postgresql+psycopg2://grader@/grades?host={place}"
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):
                call(there / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def test_the_same_marks_as_with_sqlite(server: str, small) -> None:
    small.release()
    small.hand_in("ada", size="answer = 28", halve="def halve(n):\n    return n // 2", why="Because.")
    small.hand_in("김지우", size="answer = 27")
    small.hand_in("zoe").joinpath("tiny.ipynb").write_text("no notebook")
    lines = []
    for course in (small.course, Course.load(small.root, "other", server)):
        if course.folder.name == "other":
            shutil.copytree(small.course.submitted, course.submitted)
            assert course.gradebook is None
        run.grade(course, small.name)
        with course.surroundings(), gradebook.opened(course) as book:
            gradebook.give(book, small.name, "ada", "why", 1)
        run.autograde(course, small.name, (), run.Options(again=True))
        run.write_marks(course)
        lines.append((course.folder / "marks" / f"{small.name}.csv").read_text(encoding="utf-8-sig"))
    assert lines[0] == lines[1]
    assert "ada" in lines[0]
    assert not (small.root / "other" / "gradebook.db").exists()


def test_a_server_that_is_not_there_is_told_in_a_line(small, capsys) -> None:
    pytest.importorskip("psycopg2", reason="the extra `cluster` is not installed")
    from grading.cli import main

    small.release()
    small.hand_in("ada")
    url = "postgresql+psycopg2://grader:secret@127.0.0.1:1/grades"
    assert main(["grade", "01", "--db", url], small.root) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "could not be used" in said
    assert "see whether its server answers" in said
    assert "secret" not in said
    assert main(["grade", "01", "--db", "nonsense"], small.root) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "name one as postgresql+psycopg2://" in said
