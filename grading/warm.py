"""The warm start: a process that has imported everything, and forks a kernel for each submission.

``python -m grading.warm FD LIFE MODULES`` runs behind the outer wall of :mod:`grading.sandbox`. ``FD`` is a
listening socket; each connection asks for one kernel, with the counter of its control group if there is one,
and stays open as long as that lives: the answer is the kernel's pidfd, and at its end how it ended. When
``LIFE`` is closed at the other side, all goes.

TensorFlow survives a fork only as long as none of its operations has run, so that nothing is computed here.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import json
import os
import re
import select
import shutil
import signal
import socket
import sys
import threading
import time
import traceback
import types
from pathlib import Path
from typing import Any, ClassVar

from traitlets.config.loader import Config, DeferredConfigString

from grading import processor, sandbox
from grading.errors import SandboxError
from grading.limits import Limits

#: The longest text of one message of a kernel's.
MOST_SENT = 2 << 20
_MADV_COLLAPSE = 25


def serve(listener: socket.socket, life: int) -> None:
    """Fork a kernel for each connection, until the other side is gone."""
    waiting = select.poll()
    for descriptor in (listener.fileno(), life):
        waiting.register(descriptor, select.POLLIN | select.POLLHUP)
    while True:
        for descriptor, _ in waiting.poll(1000):
            if descriptor == life:
                return
            connection, _ = listener.accept()
            with connection:
                if os.fork() == 0:
                    listener.close()
                    _guard(connection)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _guard(connection: socket.socket) -> None:
    """Start one kernel and hold it: it ends with the connection, and the connection tells its end."""
    try:
        said, counters, _, _ = socket.recv_fds(connection, 1 << 16, 1)
        request = json.loads(said)
        os.setsid()
        sandbox.separate()
        user = sandbox.NOBODY + os.getpid() % sandbox.NOBODIES
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:
            ours.close()
            _become(request, connection, theirs, user)
        theirs.close()
        kernel = os.pidfd_open(child)
        if ours.recv(1) != b"r":
            raise SandboxError(_last_word(request["place"]))
        sandbox.seal()
        ours.close()
        socket.send_fds(connection, [b"started"], [kernel])
        limits = Limits(**request["limits"])
        over, seconds = _watch(kernel, connection, limits, counters[0] if counters else None)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        _, status, used = os.wait4(child, 0)
        own = used.ru_utime + used.ru_stime
        if os.WIFSIGNALED(status) and own >= limits.cpu_seconds:
            over = over or "processor"  # the system was quicker than the look at it
        ended = {
            "code": os.waitstatus_to_exitcode(status),
            "over": over,
            "cpu_seconds": max(own, seconds),
            "memory_kib": used.ru_maxrss,
        }
        with contextlib.suppress(OSError):
            connection.send(json.dumps(ended).encode())
    except BaseException as error:  # whatever it is, the other side must hear of it
        with contextlib.suppress(OSError):
            connection.send(json.dumps({"refused": f"{error}"}).encode())
    finally:
        os._exit(0)


def _last_word(place: str) -> str:
    """What a kernel that did not come up has written."""
    for folder in ("me", place):  # before and after it was put behind the inner wall
        with contextlib.suppress(OSError):
            said = Path(f"{sandbox.RUN}/{folder}/log").read_text(errors="replace").split()
            return " ".join(said)[-300:]
    return "it ended without a word"


def _watch(kernel: int, connection: socket.socket, limits: Limits, counter: int | None) -> tuple[str, float]:
    """Wait for the kernel's end or the other side's; tell of what the sandbox as a whole took too much.

    The limits on each process say nothing of a hundred of them, nor of what they share, nor of a chain in
    which each ends before its own limit. Also returned: the processor time of all, in seconds.
    """
    waiting = select.poll()
    waiting.register(kernel, select.POLLIN)
    waiting.register(connection, select.POLLIN | select.POLLHUP)
    most_kib, ledger, seconds = limits.memory_mib << 10, processor.Ledger(), 0.0
    while not waiting.poll(250):
        # A group that counts nothing holds nobody: the system did not allow it after all.
        seconds = (processor.used(counter) if counter is not None else 0) or ledger.look(time.monotonic())
        if seconds > limits.cpu_seconds:
            return "processor", seconds
        if (
            _kib("status", ("RssAnon:", "RssShmem:")) > most_kib
            and _kib("smaps_rollup", ("Pss:",)) > most_kib
        ):
            return "memory", seconds
    return "", seconds


def _kib(file: str, fields: tuple[str, ...]) -> int:
    """Add up these fields over all processes of the sandbox: its own /proc is what lies here by now."""
    total = 0
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                for line in (process / file).read_text().splitlines():
                    if line.startswith(fields):
                        total += int(line.split()[1])
    return total


def _become(request: dict[str, Any], connection: socket.socket, guard: socket.socket, user: int) -> None:
    """Put up the inner wall and be a kernel; never return."""
    try:
        # Out of its guard's process group: an ordinary user's guard is the same user, and a signal to the
        # group (`os.kill(os.getppid(), …)`, where the parent is 0) would end it, and with it the kernel.
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(f"{sandbox.RUN}/{request['place']}/log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        connection.close()
        os.closerange(3, guard.fileno())
        os.closerange(guard.fileno() + 1, 4096)
        sandbox.enter(request["place"], Limits(**request["limits"]), user)
        os.environ.update(request.get("environment", {}))
        os.chdir(sandbox.HOME)
        sys.argv = ["kernel"]
        app = _kernel(request["arguments"])
        # The sockets lie there, and nothing of the submission has run yet.
        guard.send(b"r")
        guard.recv(1)
        guard.close()
        shutil.copytree(f"{sandbox.RUN}/me/files", sandbox.HOME, dirs_exist_ok=True)
        os.dup2(0, 1)  # what is written past Python's own streams goes nowhere
        os.dup2(0, 2)
        app.start()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(1)


#: A setting on a command line.
_SETTING = re.compile(r"--(\w+)\.(\w+)=(.*)", re.DOTALL)


def _begin() -> None:
    """Begin a kernel as far as all are alike: to read a command line and settings is a third of its start."""
    from ipykernel.kernelapp import IPKernelApp
    from ipykernel.zmqshell import ZMQInteractiveShell
    from IPython.core.application import BaseIPythonApplication

    whole = BaseIPythonApplication.initialize
    # A history on disk, with a thread of its own, is for people who come back.
    line = ["-f", f"{sandbox.RUN}/me/kernel.json", "--HistoryManager.enabled=False"]
    app = IPKernelApp.instance()
    whole(app, line)
    shell = ZMQInteractiveShell.instance(parent=app, profile_dir=app.profile_dir)
    for name in app.default_extensions:
        shell.extension_manager.load_extension(name)  # type: ignore[union-attr]
    shell.run_cell("None", silent=True)

    def initialize(self: BaseIPythonApplication, arguments: list[str]) -> None:
        """Read the rest of the command line."""
        settings = [_SETTING.fullmatch(argument) for argument in arguments]
        if any(setting is None or setting[1] != "IPKernelApp" for setting in settings):
            ZMQInteractiveShell.clear_instance()  # it may be meant
            whole(self, [*line, *arguments])
            return
        more = {name: DeferredConfigString(value) for _, name, value in (s.groups() for s in settings if s)}
        self.update_config(Config(IPKernelApp=more))

    BaseIPythonApplication.initialize = initialize  # type: ignore[method-assign, assignment]


def _kernel(arguments: list[str]) -> Any:
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance()
    app.initialize(arguments)
    app.shell.parent = app.shell.kernel = app.kernel  # type: ignore[union-attr]
    del app.shell._sys_modules_keys  # type: ignore[union-attr]  # what _Modest has left of it; ``%reset`` does without
    return app


def _shorten() -> None:
    """Cut what a kernel sends, so that one output of a gigabyte becomes no message of a gigabyte.

    A courtesy to those who print too much by mistake: who means harm can undo it, and meets the grader's own
    limit on messages.
    """
    from jupyter_client.session import Session

    whole = Session.serialize

    def serialize(self: Session, message: dict[str, Any], *rest: Any, **options: Any) -> list[bytes]:
        content = message.get("content")
        if isinstance(content, dict):
            for name in ("text", "evalue"):
                if isinstance(content.get(name), str):
                    content[name] = content[name][:MOST_SENT]
            if isinstance(content.get("data"), dict):
                for kind, value in content["data"].items():
                    if isinstance(value, str) and len(value) > MOST_SENT:
                        content["data"][kind] = value[:MOST_SENT]
            if isinstance(content.get("traceback"), list):
                content["traceback"] = [str(line)[: MOST_SENT // 50] for line in content["traceback"][:50]]
        return whole(self, message, *rest, **options)

    Session.serialize = serialize  # type: ignore[assignment, method-assign]


def _flush_what_is_there() -> None:
    """Spare kernels the flushing of streams that hold nothing: for each cell it wakes a thread ten times."""
    from ipykernel.iostream import OutStream

    whole = OutStream.flush

    def flush(self: OutStream) -> None:
        if self._flush_pending or self._buffers:
            whole(self)

    OutStream.flush = flush  # type: ignore[method-assign]


def warm(modules: list[str]) -> None:
    """Import what kernels and answers need, and walk once through the slow parts of starting up."""
    for name in (
        "ipykernel.kernelapp",
        "ipykernel.ipkernel",
        "ipykernel.debugger",
        "IPython.core.completerlib",
        "IPython.core.debugger",
        "IPython.core.logger",
        "IPython.core.oinspect",
        "IPython.extensions.storemagic",
        "sqlite3",
        "tornado.platform.asyncio",
        "IPython.core.ultratb",
        "pyseccomp",
        *modules,
    ):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    from IPython.core.ultratb import VerboseTB

    try:
        raise ValueError("once, so that the first real traceback is quick")
    except ValueError as error:
        VerboseTB(theme_name="nocolor").text(type(error), error, error.__traceback__)
    for name in ("ipykernel.ipkernel", "IPython.core.shellapp"):
        vars(sys.modules[name])["sys"] = _Modest("sys")
    _begin()
    processor.settle()
    _gather()


def _transform_once() -> None:
    """Spare kernels the second of two looks at each cell: they transform it to see whether it awaits."""
    from ipykernel.ipkernel import IPythonKernel
    from ipykernel.zmqshell import ZMQInteractiveShell

    execute, transform = IPythonKernel.do_execute, ZMQInteractiveShell.transform_cell
    # None when a request has come; then its text, and what came of it, until that is asked for again.
    asked: list[tuple[str, str] | None] = []

    @functools.wraps(execute)
    def do_execute(*arguments: Any, **options: Any) -> Any:
        asked[:] = [None]
        return execute(*arguments, **options)

    @functools.wraps(transform)
    def transform_cell(shell: Any, raw_cell: str) -> str:
        first, last = asked == [None], asked.pop() if asked else None
        if last is not None and last[0] == raw_cell:
            return last[1]
        transformed = str(transform(shell, raw_cell))
        if first:
            asked.append((raw_cell, transformed))
        return transformed

    setattr(IPythonKernel, "do_execute", do_execute)  # noqa: B010
    setattr(ZMQInteractiveShell, "transform_cell", transform_cell)  # noqa: B010


def _answer_directly() -> None:
    """Have kernels read requests where they run cells, as they did before there were subshells.

    Nobody opens one here; the thread that would tell which a request is for takes a sixth of a short cell's
    time.
    """
    from ipykernel.ipkernel import IPythonKernel
    from ipykernel.kernelapp import IPKernelApp

    whole = IPKernelApp.init_control

    def init_control(self: IPKernelApp, context: Any) -> None:
        whole(self, context)
        self.shell_channel_thread = _NoThread()

    setattr(IPKernelApp, "init_control", init_control)  # noqa: B010
    setattr(IPythonKernel, "_supports_kernel_subshells", False)  # noqa: B010  # a property otherwise


class _NoThread:
    """Stands where a kernel looks for the thread that reads requests, and tells it which one runs cells."""

    parent_thread = threading.main_thread()

    def __bool__(self) -> bool:
        return False


class _Modest(types.ModuleType):
    """``sys`` as it is, but that no modules are listed in it.

    Kernels make lists of all modules as they start, for a debugger and for ``%reset``. A look at each of
    some thousand modules copies the memory in which it lies, and took a third of a kernel's start.
    """

    modules: ClassVar[dict[str, Any]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)


def _gather() -> None:
    """Put this process's memory together into large pages, as far as it goes: forking copies a table of them.

    A courtesy of Linux 6.1 and later; where it cannot be had, a fork takes half as long again.
    """
    advise, size = ctypes.CDLL(None).madvise, 2 << 20
    for line in Path("/proc/self/maps").read_text().splitlines():
        area, rights, *_, name = [*line.split(maxsplit=5), ""][:6]
        if rights == "rw-p" and name in ("", "[heap]"):
            start, end = (int(part, 16) for part in area.split("-"))
            for place in range(-(-start // size) * size, end - size + 1, size):
                advise(ctypes.c_void_p(place), ctypes.c_size_t(size), _MADV_COLLAPSE)


def main() -> None:
    """Read the descriptors, warm up, say so, serve."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    life = int(sys.argv[2])
    warm(sys.argv[3:])
    _shorten()
    _flush_what_is_there()
    _answer_directly()
    _transform_once()
    os.write(1, b"ready\n")
    serve(listener, life)


if __name__ == "__main__":
    main()
