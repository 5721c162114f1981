"""Kernels from the warm start: what Jupyter asks to launch, interrupt and kill a kernel behind two walls.

A kernelspec that names the provisioner ``course-sandbox`` (:func:`register` makes it known) gets its
kernels from the one :class:`WarmStart` of this process, or from that of the process which started it
(``COURSE_WARM``). The kernel and its manager talk through local sockets in a folder that both see; there is
no network.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import json
import math
import os
import queue
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from dataclasses import asdict
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from cnnlib.exercises import sheets
from grading import places, processor, sandbox
from grading.config import refusal
from grading.course import ENVIRONMENT, ROOT
from grading.errors import SandboxError
from grading.limits import Limits

#: The name under which kernelspecs ask for it, and the variable that tells where a warm start waits.
NAME, VARIABLE = "course-sandbox", "COURSE_WARM"
#: What is imported ahead for every assignment, and what for those whose notebooks speak of it.
ALWAYS = (
    *("numpy", "cnnlib.exercises", *(f"cnnlib.exercises.sheets.{name}" for name in sheets.names())),
    *("matplotlib.pyplot", "matplotlib_inline.backend_inline"),
)
_WHERE_NAMED = {"keras": re.compile(r"\b(?:keras|tensorflow)\b"), "scipy": re.compile(r"\bscipy\b")}
#: Seconds that the warm start may take: TensorFlow alone takes ten on a slow disk.
PATIENCE = 180
#: The longest message of a kernel's that is read, in bytes, and how many may wait to be read.
MOST_SENT, MOST_WAITING = 16 << 20, 64


def modules_for(sources: list[str]) -> list[str]:
    """What to import ahead for notebooks with this text.

    >>> modules_for(["import numpy as np"])[-1], modules_for(["build a Keras model: keras.Sequential"])[-1]
    ('matplotlib_inline.backend_inline', 'keras')
    """
    text = "\n".join(sources)
    return [*ALWAYS, *(name for name, pattern in _WHERE_NAMED.items() if pattern.search(text))]


class WarmStart:
    """A process behind the outer wall that has imported everything, and forks kernels on demand."""

    def __init__(self, modules: list[str], root: Path = ROOT) -> None:
        self._closed = False
        self.modules = frozenset(modules)
        # A short path: the names of local sockets end at 107 bytes.
        places.sweep(Path("/tmp"))
        processor.sweep()
        self.folder, self._held = places.make(Path("/tmp"))
        self.folder.chmod(0o711)
        self._log = (self.folder / "log").open("wb")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.folder / "warm"))
            listener.listen(128)
            theirs, self._life = os.pipe()
            passed = (listener.fileno(), theirs)
            command = sandbox.outer(
                self.folder, root, ["-m", "grading.warm", *map(str, passed), *modules], environment(root)
            )
            self._process = subprocess.Popen(
                command, pass_fds=passed, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log
            )
            os.close(theirs)
        atexit.register(self.close)
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        if not ready or self._process.stdout.readline() != b"ready\n":
            said = (self.folder / "log").read_text(errors="replace").strip().splitlines()
            self.close()
            raise SandboxError(refusal(said[-1] if said else "no word from it"))

    @property
    def address(self) -> str:
        """What goes into ``COURSE_WARM`` of processes that share this one."""
        return str(self.folder)

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """End it, and every kernel with it; a second time does nothing."""
        if self._closed:  # the numbers of its descriptors may be somebody else's by now
            return
        self._closed = True
        atexit.unregister(self.close)
        os.close(self._life)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._log.close()
        places.remove(self.folder, self._held)

    def __enter__(self) -> WarmStart:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def environment(root: Path) -> dict[str, str]:
    """The environment variables inside: none of those outside."""
    home = sandbox.HOME
    return ENVIRONMENT | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.defpath]),
        "PYTHONPATH": str(root),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "HOME": home,
        "USER": "student",
        "LOGNAME": "student",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "TMPDIR": "/tmp",
        "MPLCONFIGDIR": f"{home}/.matplotlib",
        "IPYTHONDIR": f"{home}/.ipython",
        "KERAS_HOME": f"{home}/.keras",
        # Two threads for each core would meet the limit on processes on a large machine.
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
    }


class Forked:
    """A kernel in its sandbox, with what :class:`LocalProvisioner` asks of a :class:`subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(
        self, connection: socket.socket, pidfd: int, account: processor.Account | None = None
    ) -> None:
        self._connection, self._pidfd, self._account = connection, pidfd, account
        self.returncode: int | None = None
        #: How it ended: code, cpu_seconds, memory_kib.
        self.ended: dict[str, Any] = {}
        self.pid = _pid_of(pidfd)
        if account is not None:
            account.take(self.pid)  # before anything of the submission runs in it

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            try:
                self.ended = json.loads(self._connection.recv(1 << 16) or "{}")
            except (OSError, ValueError):
                self.ended = {}
            self.returncode = int(self.ended.get("code", -signal.SIGKILL))
            _spent.append(float(self.ended.get("cpu_seconds", 0)))
            self._connection.close()
            os.close(self._pidfd)
            if self._account is not None:
                self._account.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        if self.returncode is None:
            select.select([self._connection], [], [], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("kernel", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal to the kernel itself, wherever its namespaces are."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                # The first process of a namespace takes no notice of a request to end.
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL if number == signal.SIGTERM else number)

    def terminate(self) -> None:
        """End it at once; whatever it started ends with it."""
        self.send_signal(signal.SIGKILL)

    kill = terminate


def _pid_of(pidfd: int) -> int:
    for line in Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines():
        if line.startswith("Pid:"):
            return int(line.split()[1])
    return -1


class Client(AsyncKernelClient):
    """What talks to a kernel of the warm start, which is ready as soon as it has answered."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """As the parent's, but without listening for a fifth of a second whether the kernel says more.

        Who executes cells leaves aside whatever is no answer to them.
        """
        until = time.monotonic() + (math.inf if timeout is None else timeout)
        while True:
            self.kernel_info()
            with contextlib.suppress(queue.Empty):
                reply = await self.shell_channel.get_msg(timeout=1)
                if reply["msg_type"] == "kernel_info_reply":
                    await self.iopub_channel.get_msg(timeout=0.2)  # what it prints is heard, too
                    self._handle_kernel_info_reply(reply)
                    return
            if not await self._async_is_alive():
                raise RuntimeError("the kernel ended before it answered")
            if time.monotonic() > until:
                raise RuntimeError(f"the kernel did not answer in {timeout:g} seconds")


class SandboxProvisioner(LocalProvisioner):
    """Launches kernels in the sandbox."""

    place: Path | None = None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Make the folder that kernel and manager share, and write each its own view of the connection."""
        manager: Any = self.parent
        self.place = Path(address()) / f"k{uuid.uuid4().hex[:10]}"
        sandbox.make_place(self.place)
        manager.transport, manager.ip, manager.cache_ports = "ipc", str(self.place / "k"), False
        if isinstance(manager, AsyncKernelManager):
            manager.client_factory = Client
        # Whatever a kernel sends, in messages however long and many: no more than this is taken in at once.
        manager.context.setsockopt(zmq.MAXMSGSIZE, MOST_SENT)
        manager.context.setsockopt(zmq.RCVHWM, MOST_WAITING)
        kwargs = await super().pre_launch(**kwargs)
        inside = json.loads(Path(manager.connection_file).read_text())
        inside["ip"] = f"{sandbox.RUN}/me/k"
        (self.place / "kernel.json").write_text(json.dumps(inside))
        (self.place / "kernel.json").chmod(0o644)
        return kwargs

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Have one forked; it starts with a copy of what lies in ``cwd``, notebooks left out."""
        assert self.place is not None
        files = Path(kwargs["cwd"]) if kwargs.get("cwd") else None
        _copy_files(files, self.place / "files", limits().disk_mib << 18)
        request = {
            "place": self.place.name,
            "limits": asdict(limits()),
            "arguments": [part for part in cmd if part.startswith("--")],
            "environment": {
                k: v
                for k, v in os.environ.items()
                if k in ("NBGRADER_EXECUTION", "COURSE_STUDENT", "JUPYTERHUB_USER")
            },
        }
        kernel = await asyncio.to_thread(_fork, request)
        self.process = kernel  # type: ignore[assignment]
        self.pid, self.pgid, self.cwd = kernel.pid, None, str(files or "")
        return self.connection_info

    async def kill(self, restart: bool = False) -> None:
        """End it, and wait until it has ended: its manager looks again after a tenth of a second only."""
        await super().kill(restart=restart)
        process: Any = self.process
        if process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, 5)

    async def cleanup(self, restart: bool = False) -> None:
        """Remove what the kernel and its manager shared."""
        await super().cleanup(restart=restart)
        if self.place is not None and not restart:
            shutil.rmtree(self.place, ignore_errors=True)


def _fork(request: dict[str, Any]) -> Forked:
    """Ask the warm start for a kernel."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(60)
    account = processor.account()
    with contextlib.ExitStack() as undo:
        undo.callback(connection.close)
        if account is not None:
            undo.callback(account.close)
        try:
            connection.connect(str(Path(address()) / "warm"))
            counter = [account.counter] if account is not None else []
            socket.send_fds(connection, [json.dumps(request).encode()], counter)
            said, descriptors, _, _ = socket.recv_fds(connection, 1 << 16, 1)
        except OSError as error:
            raise SandboxError(f"the warm start does not answer ({error})") from error
        if said != b"started" or not descriptors:
            refused = json.loads(said or b"{}").get("refused", "no word from it")
            raise SandboxError(f"no kernel could be started in the sandbox: {refused}")
        undo.pop_all()
    connection.settimeout(None)
    return Forked(connection, descriptors[0], account)


def _copy_files(source: Path | None, target: Path, most: int) -> None:
    """What an assignment brings along besides notebooks: data, pictures; ``most`` bytes of it."""
    target.mkdir()
    for path in sorted(source.rglob("*")) if source else ():
        inside = target / path.relative_to(source)  # type: ignore[arg-type]
        if path.is_symlink() or not path.is_file() or path.suffix == ".ipynb":
            continue
        most -= path.stat().st_size
        if most < 0:
            break
        inside.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, inside)


_own: WarmStart | None = None
_limits = Limits()
_spent: list[float] = []
_sources = ROOT / "solutions"


def limits() -> Limits:
    """What a kernel may use."""
    return _limits


def set_limits(new: Limits) -> None:
    """Change what kernels that start from now on may use."""
    global _limits  # noqa: PLW0603  # one setting for all kernels of the process
    _limits = new


def spent() -> float:
    """The processor time of all kernels that have ended since this was last asked, in seconds."""
    total = sum(_spent)
    _spent.clear()
    return total


def address() -> str:
    """The folder of the warm start to use: one is started where none is named."""
    global _own  # noqa: PLW0603  # one for the process
    named = os.environ.get(VARIABLE)
    if named:
        return named
    notebooks = sorted(_sources.rglob("*.ipynb"))
    modules = _needed(tuple((file, file.stat().st_mtime_ns) for file in notebooks))
    # Somebody killed it, or it was meant for notebooks that need less: kernels need another one.
    if _own is not None and not (_own.alive and _own.modules.issuperset(modules)):
        _own.close()
        _own = None
    if _own is None:
        _own = WarmStart(modules)
    return _own.address


@functools.lru_cache(16)
def _needed(notebooks: tuple[tuple[Path, int], ...]) -> list[str]:
    """What to import ahead for these notebooks, each with the time when it was written."""
    return modules_for([file.read_text(encoding="utf-8") for file, _ in notebooks])


def register(sources: Path = _sources) -> None:
    """Make the provisioner known to Jupyter in this process, without any package's entry points.

    ``sources`` is where the notebooks lie that tell what to import ahead.
    """
    global _sources  # noqa: PLW0603  # one for the process
    _sources = sources
    entry = EntryPoint(NAME, f"{__name__}:SandboxProvisioner", KernelProvisionerFactory.GROUP_NAME)
    KernelProvisionerFactory.instance().provisioners[NAME] = entry
