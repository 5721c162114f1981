"""Grade on a Dask cluster: the same tasks as on one machine, by workers that may be anywhere.

A worker needs this package and nothing of the class: it gets the assignment's structure once, by a plugin,
and the bytes of one submission with each task; it gives back a result, as text. Dask sends a task whose
worker died to another one, and gives up on a task that has ended several workers.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import distributed
from distributed import Client, LocalCluster, WorkerPlugin, as_completed

from grading import places, pool, task
from grading.errors import GradingError

#: The address that asks for workers on this machine.
LOCAL = "local"
#: Dask keeps the last messages of each connection for those who look into Dask: a thousand for each worker,
#: as large as submissions are. So many are enough here.
LOG_LENGTH, FEW = "distributed.admin.low-level-log-length", 10
#: Seconds to wait for a scheduler, and for its first worker.
PATIENCE = 60


class Cluster:
    """A connection to a cluster whose workers grade submissions of one assignment.

    Args:
        address: the scheduler's address, or :data:`LOCAL`.
        setup: what all submissions share.
        jobs: workers to start where ``address`` is :data:`LOCAL`.
    """

    def __init__(self, address: str, setup: task.Setup, jobs: int = 1) -> None:
        self._address, self._setup, self._jobs = address, setup, jobs
        self._stack = contextlib.ExitStack()
        self.plugin = Grader(setup)

    def __enter__(self) -> Cluster:
        with contextlib.ExitStack() as stack:
            place: Any = self._address
            stack.enter_context(dask.config.set({LOG_LENGTH: FEW}))
            if self._address == LOCAL:
                place = stack.enter_context(
                    LocalCluster(
                        n_workers=self._jobs,
                        threads_per_worker=1,  # nbgrader changes the folder and the environment it is in
                        dashboard_address=None,
                        local_directory=stack.enter_context(places.temporary(_disk())),
                        silence_logs=40,
                    )
                )
            try:
                self.client = stack.enter_context(Client(place, timeout=PATIENCE, set_as_default=False))
                self.client.wait_for_workers(1, timeout=PATIENCE)
            except (OSError, ValueError, TimeoutError) as error:
                raise GradingError(
                    f"no cluster with a worker answers at {self._address} ({type(error).__name__}: {error})"
                ) from error
            self._check()
            self.client.register_plugin(self.plugin, name=self.plugin.name)
            stack.callback(self._leave)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _check(self) -> None:
        many = {
            name: about["nthreads"]
            for name, about in self.client.scheduler_info(n_workers=-1)["workers"].items()
            if about["nthreads"] != 1
        }
        if many:
            name, threads = next(iter(many.items()))
            raise GradingError(
                f"the worker {name} has {threads} threads; nbgrader needs a process for each submission: "
                "start workers with --nthreads 1"
            )

    def _leave(self) -> None:
        with contextlib.suppress(Exception):  # workers that are gone have left nothing to take away
            self.client.unregister_worker_plugin(self.plugin.name)

    def run(self, jobs: Iterable[tuple[str, task.Job]]) -> Iterator[pool.Done]:
        """Grade submissions; what is done first comes first. Only a few are on the way at a time."""
        coming, names = iter(jobs), dict[str, str]()
        waiting = as_completed(loop=self.client.loop)

        def send() -> bool:
            item = next(coming, None)
            if item is None:
                return False
            future = self.client.submit(
                grade_here, self.plugin.name, item[1], key=f"grade-{uuid.uuid4().hex}", pure=False
            )
            names[future.key] = item[0]
            waiting.add(future)
            return True

        ahead = 2 * max(1, len(self.client.scheduler_info(n_workers=-1)["workers"]))
        for _ in range(ahead):
            send()
        while names:
            future = next(waiting)
            key = names.pop(future.key)
            try:
                done = pool.Done(key, task.Result.from_json(future.result()))
            except distributed.scheduler.KilledWorker:
                done = pool.Done(key, lost="several workers ended while they graded it")
            except Exception as error:
                if self.client.status != "running":
                    raise GradingError(
                        f"the cluster at {self._address} is gone; run it again to go on"
                    ) from error
                done = pool.Done(key, lost=f"{type(error).__name__}: {error}")
            future.release()
            send()
            yield done


def _disk() -> Path:
    """Where the workers that are started here keep what Dask puts on disk."""
    places.sweep(*task.scratch_folders())
    return Path(tempfile.gettempdir())


class Grader(WorkerPlugin):
    """What each worker holds while a run lasts: what submissions share, and a place in memory."""

    def __init__(self, setup: task.Setup) -> None:
        self.shared = setup
        self.name = f"grader-{uuid.uuid4().hex[:12]}"

    def setup(self, worker: Any) -> None:
        """Make the worker one that grades; called by Dask in each worker, also in those that come later."""
        places.sweep(*task.scratch_folders())
        self._place = task.scratch_folder() / f"{places.PREFIX}{self.name}-{os.getuid()}"
        held: int | None = None
        while held is None:
            self._place.mkdir(mode=0o700, exist_ok=True)
            if self._place.is_symlink() or self._place.stat().st_uid != os.getuid():
                raise GradingError(f"{self._place} belongs to somebody else")
            held = places.share(self._place)
        self._held = held
        self._mine = self._place / f"worker-{os.getpid()}"
        self._mine.mkdir(mode=0o700, exist_ok=True)
        self._before, self._temporary = Path.cwd(), tempfile.tempdir
        task.surround(self._mine)
        tempfile.tempdir = str(self._mine)
        self._host = Host(self._place / "warm") if self.shared.sandboxed else None

    def teardown(self, worker: Any) -> None:
        """Leave nothing behind."""
        os.chdir(self._before)
        tempfile.tempdir = self._temporary
        if self._host is not None:
            self._host.close()
        shutil.rmtree(self._mine, ignore_errors=True)
        self._sweep()
        os.close(self._held)
        places.sweep(self._place.parent)  # unless another worker of this host holds it still

    def _sweep(self) -> None:
        """Remove what workers of this host have left that were killed."""
        for folder in self._place.glob("worker-*"):
            try:
                os.kill(int(folder.name.removeprefix("worker-")), 0)
            except ProcessLookupError:
                shutil.rmtree(folder, ignore_errors=True)
            except (PermissionError, ValueError):
                continue

    def grade(self, job: task.Job) -> str:
        """Grade one submission."""
        self._sweep()
        warm = self._host.address(self.shared) if self._host is not None else ""
        return task.grade(self.shared, replace(job, warm=warm)).to_json()


def grade_here(plugin: str, job: task.Job) -> str:
    """Grade one submission in this worker."""
    worker = distributed.get_worker()
    until = time.monotonic() + PATIENCE
    while plugin not in worker.plugins and time.monotonic() < until:
        time.sleep(0.05)  # a worker that has just come
    grader: Any = worker.plugins[plugin]
    return str(grader.grade(job))


class Host:
    """The one warm start that all workers of a host share; another one starts it anew if its owner ends."""

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file, threading.Lock()
        self._own: Any = None
        self._held: Any = None

    def address(self, setup: task.Setup) -> str:
        """Where the warm start is; it is started here if no living process of this host has one."""
        from grading import provisioner

        with self._lock:
            until = time.monotonic() + provisioner.PATIENCE
            while self._own is None:
                handle = self._file.open("a+")
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    handle.seek(0)
                    said = handle.read()
                    handle.close()
                    if said.endswith("\n"):
                        return said.strip()
                    if time.monotonic() > until:
                        raise GradingError(
                            "another worker of this host began a warm start and did not end"
                        ) from None
                    time.sleep(0.1)
                    continue
                handle.truncate(0)
                sources = [content.decode("utf-8") for content in setup.released.values()]
                self._own = provisioner.WarmStart(provisioner.modules_for(sources))
                self._held = handle  # the lock goes with this process, however that ends
                handle.write(f"{self._own.address}\n")
                handle.flush()
            return str(self._own.address)

    def close(self) -> None:
        """End the warm start, if it is this process's own."""
        if self._own is not None:
            self._own.close()
            self._held.truncate(0)
            self._held.close()
            self._own = None
