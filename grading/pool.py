"""Run many tasks, each in a process that may die of it: on this machine, or on a cluster.

Knows nothing of nbgrader: a task is a function that can be imported, what all its calls share, and for each
call a key and an argument. Whatever becomes of a task is said once: its value, or why there is none. A
process that dies costs its task one more try, and nobody else anything.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import multiprocessing.connection
import os
import pickle
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: How often a task is tried whose process died.
TRIES = 2


@dataclass(frozen=True)
class Done:
    """What became of a task: a value, or the reason why there is none."""

    key: str
    value: Any = None
    lost: str = ""


@dataclass
class _Task:
    key: str
    argument: Any
    tries: int = 0


@dataclass
class _Worker:
    process: Any
    line: Any
    place: Path
    task: _Task | None = None
    since: float = field(default_factory=time.monotonic)


class Pool:
    """Processes on this machine that do one task at a time, each in a folder of its own.

    Args:
        function: ``"module:name"``; called as ``name(shared, argument)``.
        shared: what all calls share; sent to each process once.
        prepare: ``"module:name"`` called once in each new process, with its folder.
        rehearse: ``"module:name"`` called then with what all calls share, to get ready.
        processes: how many.
        seconds: the most that one task may take; its process is ended then, and the task is not tried again.
        place: where the processes' folders are made.

    >>> with Pool("operator:add", 1, processes=1) as pool:
    ...     [done.value for done in pool.run([("a", 1)])]
    [2]
    """

    def __init__(
        self,
        function: str,
        shared: Any,
        *,
        prepare: str = "",
        rehearse: str = "",
        processes: int = 1,
        seconds: float = 3600.0,
        place: Path | None = None,
    ) -> None:
        self._function, self._prepare, self._rehearse = function, prepare, rehearse
        self._seconds = seconds
        self._shared = pickle.dumps(shared)
        self._wanted = max(1, processes)
        self._own = None if place else tempfile.TemporaryDirectory(prefix="pool-", ignore_cleanup_errors=True)
        self._place = place or Path(self._own.name)  # type: ignore[union-attr]
        self._workers: list[_Worker] = []
        self._made = 0
        # A server that has imported all and forks: the first process costs what it costs, others next to
        # nothing. The coordinator itself is never forked, whatever threads it has.
        ways = multiprocessing.get_all_start_methods()
        self._context: Any = multiprocessing.get_context("forkserver" if "forkserver" in ways else "spawn")
        if "forkserver" in ways:
            self._context.set_forkserver_preload([__name__, function.partition(":")[0]])

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start all processes now, so that they get ready while something else is done."""
        while len(self._workers) < self._wanted:
            self._workers.append(self._new())

    def run(self, tasks: Iterable[tuple[str, Any]]) -> Iterator[Done]:
        """Do tasks, taken one by one when there is a process for them; what is done first comes first."""
        coming, again = iter(tasks), deque[_Task]()
        while True:
            while (task := again.popleft() if again else _next(coming)) is not None:
                self._give(self._free(), task)
                if len(self._workers) == self._wanted and all(w.task for w in self._workers):
                    break
            busy = [worker for worker in self._workers if worker.task is not None]
            if not busy:
                return
            for done, task in self._wait(busy):
                if done is not None:
                    yield done
                elif task is not None:
                    again.append(task)

    def _free(self) -> _Worker:
        """A process with nothing to do, a new one if need be."""
        for worker in self._workers:
            if worker.task is None:
                return worker
        self._workers.append(self._new())
        return self._workers[-1]

    def _new(self) -> _Worker:
        self._made += 1
        place = self._place / f"worker-{self._made}"
        place.mkdir(mode=0o700, parents=True)
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_work,
            args=(theirs, self._function, self._prepare, self._rehearse, str(place)),
            daemon=True,
        )
        with _without_main():
            process.start()
        theirs.close()
        worker = _Worker(process, ours, place)
        with contextlib.suppress(OSError):  # it died already; that is seen when it is given something
            ours.send_bytes(self._shared)
        return worker

    def _give(self, worker: _Worker, task: _Task) -> None:
        worker.task, worker.since = task, time.monotonic()
        task.tries += 1
        with contextlib.suppress(OSError):
            worker.line.send_bytes(pickle.dumps(task.argument))

    def _wait(self, busy: list[_Worker]) -> list[tuple[Done | None, _Task | None]]:
        """What has happened: tasks done, or to be tried again."""
        left = min(worker.since for worker in busy) + self._seconds - time.monotonic()
        ready = multiprocessing.connection.wait([w.line for w in busy], max(0.0, min(left, 3600.0)))
        happened: list[tuple[Done | None, _Task | None]] = []
        for worker in busy:
            task = worker.task
            assert task is not None
            if worker.line in ready:
                try:
                    kind, value = pickle.loads(worker.line.recv_bytes())
                except (EOFError, OSError, pickle.UnpicklingError):
                    code = self._end(worker)
                    if task.tries < TRIES:
                        happened.append((None, task))
                    else:
                        said = f"the process that did it ended with code {code}, {TRIES} times"
                        happened.append((Done(task.key, lost=said), None))
                    continue
                worker.task = None
                happened.append((Done(task.key, value) if kind else Done(task.key, lost=value), None))
            elif time.monotonic() - worker.since > self._seconds:
                self._end(worker)
                happened.append((Done(task.key, lost=f"it took more than {self._seconds:.0f} seconds"), None))
        return happened

    def _end(self, worker: _Worker) -> int | None:
        self._workers.remove(worker)
        worker.line.close()
        worker.process.kill()
        worker.process.join()
        shutil.rmtree(worker.place, ignore_errors=True)
        return int(worker.process.exitcode or 0)

    def close(self) -> None:
        """End all processes, whatever they do."""
        for worker in list(self._workers):
            worker.process.kill()
        for worker in list(self._workers):
            self._end(worker)
        if self._own is not None:
            self._own.cleanup()


def _next(coming: Iterator[tuple[str, Any]]) -> _Task | None:
    item = next(coming, None)
    return None if item is None else _Task(*item)


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Keep new processes from running the program's main module again: what they do is elsewhere."""
    main: dict[str, Any] = sys.modules["__main__"].__dict__
    kept: dict[str, Any] = {name: main[name] for name in ("__spec__", "__file__") if name in main}
    try:
        main["__spec__"] = None
        main.pop("__file__", None)
        yield
    finally:
        main.update(kept)


def load(name: str) -> Callable[..., Any]:
    """The function that ``"module:name"`` names."""
    module, _, attribute = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return found


def _end_with_parent() -> None:
    """End this process when the one that wanted it ends, however that does."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def _work(line: Any, function: str, prepare: str, rehearse: str, place: str) -> None:
    """What a process does: one task after another, until nobody is at the other end of the line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the coordinator, who ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.chdir(place)
    tempfile.tempdir = place
    os.environ["TMPDIR"] = place
    try:
        if prepare:
            load(prepare)(Path(place))
        call, shared = load(function), pickle.loads(line.recv_bytes())
        if rehearse:
            with contextlib.suppress(Exception):
                load(rehearse)(shared)
        while True:
            argument = pickle.loads(line.recv_bytes())
            try:
                answer = (True, call(shared, argument))
            except Exception:
                answer = (False, traceback.format_exc(limit=-3))
            line.send_bytes(pickle.dumps(answer))
    except (EOFError, OSError):
        os._exit(0)


def cores() -> int:
    """How many tasks this machine can do at a time."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def at_once(mib: int) -> int:
    """How many tasks to do at a time that wait as often as they compute, and may take so many MiB each.

    Two for each core, where there is memory for them; one in any case.

    >>> at_once(1) == 2 * cores(), at_once(1 << 40) == cores()
    (True, True)
    """
    return max(cores(), min(2 * cores(), _available_mib() // mib))


def _available_mib() -> int:
    """The memory that is free, or could be; none where the system does not tell."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) >> 10
    return 0
