"""Folders of a run: gone with it, removed by the next run where it was killed, never while it lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from grading import places

pytestmark = pytest.mark.skipif(
    places.fcntl is None, reason="this system has no locks that end with a process"
)

HOLD = """
import sys
from pathlib import Path
from grading import places
folder, held = places.make(Path(sys.argv[1]))
(folder / "answers.ipynb").write_text("x")
print(folder, flush=True)
sys.stdin.read()
"""


def test_what_a_killed_run_leaves_is_removed_and_what_lives_is_not(tmp_path: Path, root: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
    ) as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        with places.temporary(tmp_path) as mine:
            assert places.sweep(tmp_path) == []
            other.send_signal(signal.SIGKILL)
            other.wait()
            assert (theirs / "answers.ipynb").exists()
            assert places.sweep(tmp_path) == [theirs]
            assert mine.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_what_somebody_else_calls_so_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "course-notes").mkdir()
    (tmp_path / "course-notes" / "mine.txt").write_text("x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / places.LOCK).touch()
    (tmp_path / "course-link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "course-trap").mkdir()
    (tmp_path / "course-trap" / places.LOCK).symlink_to(tmp_path / "elsewhere" / places.LOCK)
    (tmp_path / "course-file").touch()
    before = sorted(tmp_path.rglob("*"))
    assert places.sweep(tmp_path, tmp_path / "missing") == []
    assert sorted(tmp_path.rglob("*")) == before


def test_several_hold_one_folder(tmp_path: Path) -> None:
    folder = tmp_path / "course-shared"
    folder.mkdir()
    held = [places.share(folder), places.share(folder)]
    for descriptor in held:
        assert places.sweep(tmp_path) == []
        assert descriptor is not None
        os.close(descriptor)
    assert places.sweep(tmp_path) == [folder]
    assert places.share(folder) is None


def test_a_folder_removed_while_it_was_being_made_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run finds the lock in the moment before it is held."""
    real, raced = places.fcntl.flock, []

    def flock(descriptor: int, how: int) -> None:
        if not raced:
            raced.append(places.sweep)
            monkeypatch.setattr(places.fcntl, "flock", real)
            assert len(places.sweep(tmp_path)) == 1
        real(descriptor, how)

    monkeypatch.setattr(places.fcntl, "flock", flock)
    folder, held = places.make(tmp_path)
    assert raced
    assert (folder / places.LOCK).exists()
    places.remove(folder, held)
    assert list(tmp_path.iterdir()) == []
