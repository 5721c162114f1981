"""Grading on a cluster of worker processes: the same marks, whichever workers are killed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from grading import gradebook, run, task
from grading.errors import GradingError

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")

pytestmark = [pytest.mark.grading, pytest.mark.slow, pytest.mark.xdist_group("dask")]

WORKERS = 3


@contextlib.contextmanager
def cluster(folder: Path, threads: int = 1):
    """A scheduler and workers as a site would start them: processes that know nothing of the class."""
    address = folder / "scheduler.json"
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment |= {"PYTHONPATH": str(Path(__file__).parents[2]), "TMPDIR": str(folder / "tmp")}
    (folder / "tmp").mkdir()
    common = {"cwd": folder, "env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with contextlib.ExitStack() as stack:

        def start(program: str, *options: str) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", f"distributed.cli.dask_{program}", *options]
            process = subprocess.Popen(command, start_new_session=True, **common)
            stack.callback(process.wait)
            stack.callback(lambda: os.killpg(process.pid, signal.SIGKILL))
            return process

        here = ("--scheduler-file", str(address), "--no-dashboard", "--host", "127.0.0.1")
        start("scheduler", *here, "--port", "0")
        workers = [
            start("worker", *here, "--nthreads", str(threads)) for _ in range(WORKERS if threads == 1 else 1)
        ]
        until = time.monotonic() + 60
        while not address.exists() and time.monotonic() < until:
            time.sleep(0.1)
        yield json.loads(address.read_text())["address"], workers


def descendants(process: int) -> list[int]:
    try:
        found = [int(p) for p in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []
    return [*found, *(inner for child in found for inner in descendants(child))]


def test_workers_that_are_killed_cost_nothing_and_leave_nothing(new_course, tmp_path: Path) -> None:
    small = new_course()
    small.release()
    expected = {}
    for number in range(9):
        size, halve = 28 - number % 3, "def halve(n):\n    return n // 2" if number % 2 else ""
        points = {28: 2.0, 27: 0.5, 26: 0.0}[size] + (3 if number % 2 else 0)
        small.hand_in(f"s{number}", size=f"import time\ntime.sleep(1)\nanswer = {size}", halve=halve)
        expected[f"s{number}"] = points
    small.hand_in("zoe").joinpath("tiny.ipynb").write_text("no notebook")
    expected["zoe"] = 0.0
    before = set(task.scratch_folder().glob("course-*"))
    recorded: list[str] = []
    real = gradebook.record

    def counted(course, book, result, *more):
        recorded.append(result.student)
        return real(course, book, result, *more)

    with cluster(tmp_path) as (address, workers), pytest.MonkeyPatch.context() as patched:

        def kill_one() -> None:
            """Once marks come in, the process under one worker's nanny goes, then another worker whole."""
            while len(recorded) < 2:
                time.sleep(0.05)
            for victim in descendants(workers[0].pid)[:2]:
                os.kill(victim, signal.SIGKILL)
            while len(recorded) < 4:
                time.sleep(0.05)
            os.killpg(workers[1].pid, signal.SIGKILL)

        patched.setattr(gradebook, "record", counted)
        killer = threading.Thread(target=kill_one, daemon=True)
        killer.start()
        outcome = run.autograde(small.course, small.name, (), run.Options(scheduler=address))
        killer.join(1)
        assert not killer.is_alive(), "nothing was killed"
        (table,) = run.tables(small.course)
        assert {row.student: row.total for row in table.rows} == expected
        assert sorted(recorded) == sorted(expected), "a result was recorded twice, or never"
        assert outcome.problems.keys() == {"zoe"}
        # Nothing of the class is left with those that live; what the killed left went with the next task.
        left = set(task.scratch_folder().glob("course-grader-*")) - before
        assert [p for folder in left for p in folder.rglob("*.ipynb")] == []
        assert [p for p in (tmp_path / "tmp").rglob("*") if p.suffix in (".ipynb", ".db")] == []
    for folder in set(task.scratch_folder().glob("course-grader-*")) - before:
        shutil.rmtree(folder)


def test_a_worker_with_threads_is_refused(small, tmp_path: Path) -> None:
    small.release()
    small.hand_in("ada")
    with cluster(tmp_path, threads=2) as (address, _), pytest.raises(GradingError, match="--nthreads 1"):
        run.autograde(small.course, small.name, (), run.Options(scheduler=address))


def test_an_address_where_nobody_is(small, monkeypatch) -> None:
    from grading import cluster as grading_cluster

    monkeypatch.setattr(grading_cluster, "PATIENCE", 1)
    small.release()
    small.hand_in("ada")
    with pytest.raises(GradingError, match=r"no cluster with a worker answers at tcp://127\.0\.0\.1:9"):
        run.autograde(small.course, small.name, (), run.Options(scheduler="tcp://127.0.0.1:9"))
    assert not list(Path(tempfile.gettempdir()).glob("dask-*/worker*"))
