"""The command line: what it says when something is wrong, and that it works from anywhere."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from grading import gradebook, state
from grading.cli import main, parser

pytestmark = pytest.mark.grading


def told(capsys, *arguments: str, root: Path) -> str:
    """What a command that fails says: one line, and no traceback."""
    assert main(arguments, root) == 1
    said = capsys.readouterr().err
    assert said.startswith("grading: ")
    assert said.count("\n") == 1
    assert "Traceback" not in said
    return said


def test_an_unknown_assignment(small, capsys) -> None:
    said = told(capsys, "grade", "99", root=small.root)
    assert "no assignment '99'" in said
    assert "there are: 01-tiny" in said
    assert "no assignment 'tiny'" in told(capsys, "release", "tiny", root=small.root)


def test_a_beginning_of_several_assignments(small, capsys) -> None:
    shutil.copytree(small.source.parent, small.source.parent.with_name("01-two"))
    said = told(capsys, "release", "01", root=small.root)
    assert "'01' may be any of several assignments, type more of one: 01-tiny, 01-two" in said


def test_no_assignments_at_all(small, capsys) -> None:
    small.source.unlink()
    assert "holds no assignment" in told(capsys, "release", root=small.root)


def test_no_submissions(small, capsys) -> None:
    small.release()
    assert "put each into class/submitted/STUDENT/01-tiny/" in told(capsys, "grade", "01", root=small.root)


def test_without_a_sandbox_nothing_runs_unless_told_to(small, capsys, monkeypatch) -> None:
    small.release()
    small.hand_in("ada")
    monkeypatch.setattr("grading.config.why_not", lambda root: "no namespaces")
    said = told(capsys, "grade", "01", root=small.root)
    assert "no sandbox on this machine (no namespaces)" in said
    assert "--unsandboxed" in said
    assert not (small.root / "class" / "autograded").exists()


def test_a_student_who_handed_in_nothing(small, capsys) -> None:
    small.release()
    small.hand_in("ada")
    assert "bo handed in nothing" in told(capsys, "grade", "01", "--student", "bo", root=small.root)


@pytest.mark.parametrize("verb", ["feedback", "export", "report"])
def test_results_before_grading(small, capsys, verb: str) -> None:
    assert "there is no gradebook at class/gradebook.db yet" in told(capsys, verb, root=small.root)


def test_a_gradebook_that_is_none(small, capsys) -> None:
    small.release()
    small.hand_in("ada")
    small.course.gradebook.write_bytes(b"not a database at all" * 100)
    said = told(capsys, "grade", "01", root=small.root)
    assert "class/gradebook.db cannot be used as a gradebook (file is not a database)" in said
    assert small.course.gradebook.read_bytes().startswith(b"not a database")


def recorded(small):
    """A course whose gradebook knows its assignment."""
    from grading import release

    course = small.course
    with course.surroundings() as log:
        release.record(course, small.name, log)
    return course


def test_a_gradebook_left_half_made_is_completed(small) -> None:
    course = recorded(small)
    with sqlite3.connect(course.gradebook) as database:
        version = database.execute("select version_num from alembic_version").fetchall()
        assert len(version) == 1
        database.execute("drop table alembic_version")
    with course.surroundings(), gradebook.opened(course) as book:
        assert [a.name for a in book.assignments] == [small.name]
    with sqlite3.connect(course.gradebook) as database:
        assert database.execute("select version_num from alembic_version").fetchall() == version


def test_a_half_made_gradebook_of_another_version_is_left_alone(small, capsys) -> None:
    course = recorded(small)
    with sqlite3.connect(course.gradebook) as database:
        database.execute("drop table alembic_version")
        database.execute("alter table student drop column lms_user_id")
    content = course.gradebook.read_bytes()
    said = told(capsys, "report", root=small.root)
    assert "left half-made by another version of nbgrader (table student)" in said
    assert course.gradebook.read_bytes() == content


def test_without_alembic_nothing_is_begun(small, capsys, monkeypatch) -> None:
    small.release()
    small.hand_in("ada")
    monkeypatch.setattr("grading.course.shutil.which", lambda name: None)
    assert "nbgrader needs the program `alembic`" in told(capsys, "grade", "01", root=small.root)
    assert not small.course.gradebook.exists()


def test_cells_changed_after_students_handed_in(small, capsys) -> None:
    small.release()
    small.hand_in("ada")
    assert main(["grade", "01"], small.root) == 0
    small.edit(lambda notebook: notebook.cells.pop(5))
    capsys.readouterr()
    assert "cells were added or removed after students handed in" in told(
        capsys, "grade", "01", root=small.root
    )


def test_a_path_that_nbgrader_would_take_for_a_pattern(small, capsys) -> None:
    assert "cannot work in a path with" in told(capsys, "--class", "class[1]", "report", root=small.root)


def test_outside_a_checkout(tmp_path, capsys) -> None:
    assert "nbgrader_config.py is missing" in told(capsys, "report", root=tmp_path)


def test_what_the_system_refuses_is_told_in_a_line(small, capsys) -> None:
    """A file in the place of a folder stands for all that a disk or its owner may refuse."""
    (small.root / "class").touch()
    assert "class" in told(capsys, "release", root=small.root)


@pytest.mark.parametrize("verb", ["feedback", "export", "report"])
def test_what_is_written_waits_for_a_run_that_grades(small, monkeypatch, verb: str) -> None:
    held = []

    @contextlib.contextmanager
    def locked(course) -> Iterator[None]:
        held.append(True)
        yield
        held.pop()

    def writes(*_: object) -> None:
        assert held

    monkeypatch.setattr("grading.run.locked", locked)
    for name in ("feedback", "marks", "report"):
        monkeypatch.setattr(f"grading.run.write_{name}", writes)
    assert main([verb], small.root) == 0


def test_an_interruption_says_how_to_go_on(small, capsys, monkeypatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("grading.run.write_report", interrupted)
    assert main(["report"], small.root) == 130
    assert "run the same command again" in capsys.readouterr().err


def test_from_another_folder_without_a_home_or_path(small, tmp_path) -> None:
    small.release()
    small.hand_in("김지우", size="answer = 28")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = (
        "import sys; from pathlib import Path; from grading.cli import main; "
        "sys.exit(main(sys.argv[2:], Path(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", command, str(small.root), "grade", "01-tiny"],
        cwd=elsewhere,
        env={"PATH": "/nonexistent", "HOME": "/nonexistent", "LANG": "C"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "김지우  2 points" in done.stdout
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("verb", ["feedback", "export", "report", "collect"])
def test_a_gradebook_that_one_verb_was_told_all_can_be_told(small, capsys, verb: str, tmp_path) -> None:
    """Marks that were written elsewhere must be found there again."""
    other = tmp_path / "other.db"
    more = ["01", str(tmp_path)] if verb == "collect" else []
    if verb == "collect":
        other.write_bytes(b"not a database at all" * 100)  # looked at for names, where it is there
        assert "other.db cannot be used" in told(
            capsys, verb, "--db", f"sqlite:///{other}", *more, root=small.root
        )
    else:
        said = told(capsys, verb, "--db", f"sqlite:///{other}", root=small.root)
        assert f"there is no gradebook at {other} yet" in said


def test_who_watches_sees_how_far_it_is_and_how_long_it_takes(capfd, monkeypatch) -> None:
    from grading import run
    from grading.gradebook import Recorded
    from grading.task import Result

    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    progress = run._Progress(2)
    progress.tell(Result("ada", "01", final=True, sandboxed=True), Recorded(3, 0))
    progress.tell(
        Result("bo", "01", final=True, sandboxed=True, problem="no notebook\x1b[2J"), Recorded(0, 0)
    )
    progress.close()
    said = capfd.readouterr()
    assert said.out.strip().splitlines()[-1].endswith(r"[2/2] bo  0 points: no notebook\x1b[2J")
    assert "ada" not in said.out  # nothing to tell of
    assert "0 of 2 graded, ? left" in said.err
    assert " 50 % |" in said.err
    assert "1 of 2 graded, 00:0" in said.err


@pytest.mark.parametrize("number", ["0", "-2", "two", "1.5"])
def test_a_number_of_processes_that_is_none(number: str, capsys) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["grade", "01", "--jobs", number])
    assert f"{number!r} is no number of processes: give 1 or more" in capsys.readouterr().err


def test_a_cluster_is_this_machine_where_none_is_named() -> None:
    asked = {"": [], "local": ["--scheduler"], "tcp://10.0.0.5:8786": ["--scheduler", "tcp://10.0.0.5:8786"]}
    for address, more in asked.items():
        assert parser().parse_args(["grade", "01", *more]).scheduler == address


def test_each_verb_says_what_it_does_and_what_happens_by_default() -> None:
    (verbs,) = (action for action in parser()._actions if isinstance(action.choices, dict))
    for name, verb in verbs.choices.items():
        assert verb.description, name
        for action in verb._actions:
            assert action.help, (name, action.dest)
            if action.nargs in (None, "*") and not action.required:  # what may be left out
                said = "all other" in action.help or "default: " in action.help
                assert said, (name, action.dest)


def test_help_is_quick_and_names_every_verb() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "grading", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    for verb in ("release", "collect", "grade", "feedback", "export", "report", "rehearse"):
        assert verb in done.stdout
    assert "nbgrader.converters" not in done.stderr


def test_two_runs_of_one_class_wait_for_each_other(tmp_path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path; from grading.state import locked\n"
            "with locked(Path(sys.argv[1])):\n    print('held', flush=True); sys.stdin.read()",
            str(tmp_path / "lock"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "held\n"
    waited = []

    def let_go() -> None:
        waited.append(True)
        holder.stdin.close()

    with state.locked(tmp_path / "lock", let_go):
        assert waited == [True]
    holder.wait(timeout=10)
    holder.stdout.close()
    with state.locked(tmp_path / "lock", let_go):
        assert waited == [True]
