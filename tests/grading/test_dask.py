"""Grading on a cluster of worker processes: the same marks, whichever workers are killed.

As root the machines of the cluster are real ones to each other: each has a network of its own, joined by a
bridge, and a temporary space of its own, where nothing of the class can be seen. Otherwise all are on one.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from grading import gradebook, run, task
from grading.errors import GradingError

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")

pytestmark = [pytest.mark.grading, pytest.mark.slow, pytest.mark.xdist_group("dask")]

WORKERS = 3
#: Which machine each of the workers is on: two share one.
PLACES = ("first", "first", "second")
#: In each submission, and in nothing else.
MARK = b"mark-of-the-class"
#: The one place for networks that stand for nothing (RFC 2544).
NETWORK, PORT = "198.18.0", 8786


class Machine:
    """A network and a temporary space of their own, held by a process; its kernel is this machine's."""

    def __init__(self, number: int) -> None:
        self.address = f"{NETWORK}.{number}"
        script = (
            "mount --make-rprivate / && for f in /tmp /dev/shm; do mount -t tmpfs none $f; done"
            " && ip link set lo up && echo ready && exec sleep 100000"
        )
        self.holder = subprocess.Popen(
            ["unshare", "-n", "-m", "sh", "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.holder.stdout is not None
        said = self.holder.stdout.readline()
        if said != "ready\n":
            self.close()
            raise OSError(said)

    def inside(self, *command: str) -> list[str]:
        """A command that runs on this machine."""
        return ["nsenter", "-t", str(self.holder.pid), "-n", "-m", "--", *command]

    def join(self, hub: Machine) -> None:
        """Plug it into a hub."""
        plug = f"plug{self.holder.pid}"
        ends = f"{plug} netns {hub.holder.pid} type veth peer name eth0 netns {self.holder.pid}"
        commands = [
            ["ip", "link", "add", *ends.split()],
            hub.inside("ip", "link", "set", plug, "master", "hub", "up"),
            self.inside("ip", "addr", "add", f"{self.address}/24", "dev", "eth0"),
            self.inside("ip", "link", "set", "eth0", "up"),
        ]
        for command in commands:
            subprocess.run(command, check=True, capture_output=True)

    def kept(self, *folders: str) -> dict[str, bytes]:
        """What lies in the temporary space."""
        root = Path(f"/proc/{self.holder.pid}/root")
        files = [file for folder in folders for file in (root / folder).rglob("*")]
        return {str(f.relative_to(root)): f.read_bytes() for f in files if f.is_file() and not f.is_symlink()}

    def close(self) -> None:
        """Take it away, with its network."""
        self.holder.kill()
        self.holder.wait()
        if self.holder.stdout:
            self.holder.stdout.close()


@contextlib.contextmanager
def machines(*names: str) -> Iterator[dict[str, Machine]]:
    """Machines on one network; none of them where this one does not allow it."""
    made: dict[str, Machine] = {}
    try:
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            if os.geteuid() == 0 and not Path(__file__).is_relative_to("/tmp"):
                hub = made["the hub"] = Machine(254)
                subprocess.run(hub.inside("ip", "link", "add", "hub", "type", "bridge"), check=True)
                subprocess.run(hub.inside("ip", "link", "set", "hub", "up"), check=True)
                for number, name in enumerate(names, 1):
                    made[name] = Machine(number)
                    made[name].join(hub)
        yield made if names and names[-1] in made else {}
    finally:
        for machine in made.values():
            machine.close()


def on(machine: Machine) -> None:
    """Let this thread, and those that it starts, be on a machine's network."""
    with Path(f"/proc/{machine.holder.pid}/ns/net").open() as network:
        if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), 0x40000000):
            raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def spread(there: dict[str, Machine]):
    """A scheduler and workers that are on several machines."""
    with contextlib.ExitStack() as stack:

        def start(machine: Machine, program: str, *options: str) -> subprocess.Popen[bytes]:
            variables = {
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "HOME": "/tmp",
            }
            command = machine.inside(sys.executable, "-m", f"distributed.cli.dask_{program}", *options)
            process = subprocess.Popen(
                command,
                start_new_session=True,
                env=variables,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait)
            stack.callback(lambda: os.killpg(process.pid, signal.SIGKILL))
            return process

        scheduler = there["scheduler"]
        options = ("--no-dashboard", "--host", scheduler.address, "--port", str(PORT))
        start(scheduler, "scheduler", *options)
        address = f"tcp://{scheduler.address}:{PORT}"
        workers = []
        for name in PLACES:
            here = ("--host", there[name].address, "--nthreads", "1", "--no-dashboard")
            workers.append(start(there[name], "worker", address, *here, "--local-directory", "/tmp"))
        yield address, workers


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


def kill_in_between(workers: list[subprocess.Popen[bytes]], recorded: list[str]) -> threading.Thread:
    """Once marks come in, the process under one worker's nanny goes, then another worker whole."""

    def kill() -> None:
        while len(recorded) < 2:
            time.sleep(0.05)
        for victim in descendants(workers[0].pid)[:2]:
            os.kill(victim, signal.SIGKILL)
        while len(recorded) < 4:
            time.sleep(0.05)
        os.killpg(workers[-1].pid, signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    return killer


def test_workers_that_are_killed_cost_nothing_and_leave_nothing(new_course, tmp_path: Path) -> None:
    small = new_course()
    small.release()
    expected = {}
    for number in range(9):
        size, halve = 28 - number % 3, "def halve(n):\n    return n // 2" if number % 2 else ""
        points = {28: 2.0, 27: 0.5, 26: 0.0}[size] + (3 if number % 2 else 0)
        text = f"import time\ntime.sleep(1)  # {MARK.decode()}\nanswer = {size}"
        small.hand_in(f"s{number}", size=text, halve=halve)
        expected[f"s{number}"] = points
    small.hand_in("zoe").joinpath("tiny.ipynb").write_text("no notebook")
    expected["zoe"] = 0.0
    before = set(task.scratch_folder().glob("course-*"))
    recorded: list[str] = []
    real = gradebook.record

    def counted(course, book, result, *more):
        recorded.append(result.student)
        return real(course, book, result, *more)

    def grade(address: str, there: dict[str, Machine]):
        if there:
            on(there["coordinator"])
        return run.autograde(small.course, small.name, (), run.Options(scheduler=address))

    with (
        machines("scheduler", "first", "second", "coordinator") as there,
        spread(there) if there else cluster(tmp_path) as (address, workers),
        pytest.MonkeyPatch.context() as patched,
        ThreadPoolExecutor(1) as thread,  # it alone changes its network
    ):
        patched.setattr(gradebook, "record", counted)
        killer = kill_in_between(workers, recorded)
        outcome = thread.submit(grade, address, there).result()
        killer.join(1)
        assert not killer.is_alive(), "nothing was killed"
        (table,) = run.tables(small.course)
        assert {row.student: row.total for row in table.rows} == expected
        assert sorted(recorded) == sorted(expected), "a result was recorded twice, or never"
        assert outcome.problems.keys() == {"zoe"}
        if there:
            # On a machine that lives nothing is left; what the killed left went with the next task.
            in_memory = there["first"].kept("dev/shm")
            assert [n for n, content in in_memory.items() if "course-" in n or MARK in content] == []
            # Who is gone in the middle has had what it worked on in memory alone.
            on_disk = {
                **there["first"].kept("tmp"),
                **there["second"].kept("tmp"),
                **there["scheduler"].kept("tmp"),
            }
            assert [
                name for name, content in on_disk.items() if MARK in content or b"hidden_exp" in content
            ] == []
            assert [name for name in on_disk if Path(name).suffix in (".ipynb", ".db")] == []
            return
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

    def left() -> set[Path]:
        return set(Path(tempfile.gettempdir()).glob("dask-*/worker*"))

    before = left()
    monkeypatch.setattr(grading_cluster, "PATIENCE", 1)
    small.release()
    small.hand_in("ada")
    with pytest.raises(GradingError, match=r"no cluster with a worker answers at tcp://127\.0\.0\.1:9"):
        run.autograde(small.course, small.name, (), run.Options(scheduler="tcp://127.0.0.1:9"))
    assert left() <= before
