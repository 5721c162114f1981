"""The warm start: a process that has imported everything, and forks a kernel for each submission.

``python -m grading.warm FD LIFE MODULES`` runs behind the outer wall of :mod:`grading.sandbox`. ``FD`` is a
listening socket; each connection asks for one kernel and stays open as long as that lives: the answer is the
kernel's pidfd, and at its end how it ended. When ``LIFE`` is closed at the other side, all goes.

TensorFlow survives a fork only as long as none of its operations has run, so that nothing is computed here.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import shutil
import signal
import socket
import sys
import traceback
from typing import Any

from grading import sandbox
from grading.limits import Limits


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
        request = json.loads(connection.recv(1 << 16))
        os.setsid()
        sandbox.separate()
        child = os.fork()
        if child == 0:
            _become(request, connection)
        kernel = os.pidfd_open(child)
        socket.send_fds(connection, [b"started"], [kernel])
        waiting = select.poll()
        waiting.register(kernel, select.POLLIN)
        waiting.register(connection, select.POLLIN | select.POLLHUP)
        if kernel not in dict(waiting.poll()):
            os.kill(child, signal.SIGKILL)
        _, status, used = os.wait4(child, 0)
        ended = {
            "code": os.waitstatus_to_exitcode(status),
            "cpu_seconds": used.ru_utime + used.ru_stime,
            "memory_kib": used.ru_maxrss,
        }
        with contextlib.suppress(OSError):
            connection.send(json.dumps(ended).encode())
    except BaseException as error:  # whatever it is, the other side must hear of it
        with contextlib.suppress(OSError):
            connection.send(json.dumps({"refused": f"{error}"}).encode())
    finally:
        os._exit(0)


def _become(request: dict[str, Any], connection: socket.socket) -> None:
    """Put up the inner wall and be a kernel; never return."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(f"{sandbox.RUN}/{request['place']}/log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        nowhere = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nowhere, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        connection.close()
        os.closerange(3, 1024)
        sandbox.enter(request["place"], Limits(**request["limits"]))
        shutil.copytree(f"{sandbox.RUN}/me/files", sandbox.HOME, dirs_exist_ok=True)
        os.environ.update(request.get("environment", {}))
        os.chdir(sandbox.HOME)
        sys.argv = ["kernel"]
        _kernel(request["arguments"])
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(1)


def _kernel(arguments: list[str]) -> None:
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance()
    app.initialize(["-f", f"{sandbox.RUN}/me/kernel.json", *arguments])
    app.start()


def warm(modules: list[str]) -> None:
    """Import what kernels and answers need, and walk once through the slow parts of starting up."""
    for name in (
        "ipykernel.kernelapp",
        "ipykernel.ipkernel",
        "ipykernel.debugger",
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


def main() -> None:
    """Read the descriptors, warm up, say so, serve."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    life = int(sys.argv[2])
    warm(sys.argv[3:])
    os.write(1, b"ready\n")
    serve(listener, life)


if __name__ == "__main__":
    main()
