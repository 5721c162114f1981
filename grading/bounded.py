"""Execution that ends: nbgrader's ``Execute`` where a cell can cost itself, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute
from nbgrader.utils import is_grade
from traitlets import Float, Integer, Unicode

from cnnlib.exercises.sheet import VARIABLES
from grading import processor
from grading.config import KERNEL, Sandbox, refusal
from grading.errors import SandboxError
from grading.limits import PATIENCE

#: What a cell sends that counts as printed, or is shown; all else but the kernel's state is dropped.
_SHOWN = ("stream", "display_data", "execute_result", "error", "update_display_data", "clear_output")
#: Where kernels find whose notebook they run.
STUDENT = VARIABLES[0]
#: Less time than this is no time for a cell, and not worth adding to one's.
LEAST, WORTH = 0.5, 0.05


class Bounded(Execute):
    """Execution that ends: a cell that prints without end is stopped, and a dead kernel costs one cell."""

    output_kib = Integer(1024, help="The most that one cell may print; it is stopped there.").tag(config=True)
    most_restarts = Integer(20, help="How often a kernel that a cell has ended is started anew.").tag(
        config=True
    )
    student = Unicode("", help="Whose submission it is, where nbgrader knows another name.").tag(config=True)
    seconds = Float(
        600,
        help="The most that a whole submission may take, in seconds, without what it waits for processors.",
    ).tag(config=True)

    # A submission's own tag would keep a test from running, and what did not run is right for nbgrader.
    skip_cells_with_tag = Unicode("")

    _printed = 0
    _restarts = 0
    _until = _last = float("inf")
    #: A kernel, and how many seconds of those in which it waited were added to its limits.
    _owing: tuple[Any, float] = (None, 0.0)

    def process_message(
        self, msg: dict[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Take a message from the kernel unless the cell has printed too much already."""
        if msg["msg_type"].startswith("comm"):
            return None  # widgets: nobody will move them, and their state would pile up
        if msg["msg_type"] in _SHOWN:
            before, most = self._printed, self.output_kib << 10
            self._printed += _size(msg["content"])
            if self._printed > most:
                if before <= most:
                    said = f"more than {self.output_kib} KiB printed; stopped here"
                    if is_grade(cell):  # its points may be among what is left out
                        tell(cell, "TooMuchPrinted", said)
                    else:
                        cell.outputs.append(new_output("stream", name="stdout", text=f"\n… {said}\n"))
                    self._stopping = asyncio.ensure_future(self.km.interrupt_kernel())
                return None
            count = msg["content"].get("execution_count")
            if count is not None and (type(count) is not int or count < 0):
                return None
            try:
                return super().process_message(msg, cell, cell_index)
            except Exception:  # a kernel may say that it shows what cannot stand in a notebook
                return None
        return super().process_message(msg, cell, cell_index)

    async def async_execute_cell(
        self, cell: NotebookNode, cell_index: int, *more: Any, **options: Any
    ) -> NotebookNode:
        """Execute a cell; where it ends the kernel, say so, and bring a new one to where the old one was."""
        if cell.cell_type == "code" and self.left() < LEAST:
            return self._out_of_time(cell)
        self._printed = 0
        try:
            return await super().async_execute_cell(cell, cell_index, *more, **options)
        except Exception as error:  # a kernel may also answer with what is no answer
            if isinstance(error, DeadKernelError) and killed(self.km) and cell_index not in self._tried:
                self._tried.add(cell_index)
                await self._again(cell_index, its_fault=False)
                return await self.async_execute_cell(cell, cell_index, *more, **options)
            tell(cell, "KernelEnded", why(self.km, error))
            await self._again(cell_index)
            return cell

    def left(self) -> float:
        """How many seconds of the whole submission's are left."""
        left = self._until - time.monotonic()
        return left if left >= LEAST else left + self.owed()

    def owed(self) -> float:
        """Seconds to add to limits, once: those in which the kernel could have run, and others did.

        A limit by the clock is for what a submission does by itself. What its neighbours leave to it is not
        its doing.
        """
        kernel, given = self._owing
        if kernel is not self.km:
            kernel, given = self.km, 0.0
        process = getattr(getattr(kernel, "provisioner", None), "pid", None)
        waited = processor.waited(process) if process else 0.0
        more = min(waited - given, self._last - time.monotonic())
        if more < WORTH:
            return 0.0
        self._owing = kernel, given + more
        self._until = min(self._until + more, self._last)
        return more

    async def _async_handle_timeout(
        self, timeout: int, cell: NotebookNode | None = None
    ) -> dict[str, Any] | None:
        """Give a cell the time in which others had the processors; only then is it late."""
        while (more := self.owed()) > 0:
            if (reply := await self._reply(more)) is not None:
                return reply
        late: dict[str, Any] | None = await super()._async_handle_timeout(timeout, cell)
        return late

    async def _reply(self, seconds: float) -> dict[str, Any] | None:
        """The answer of the kernel, if it comes within so many seconds."""
        assert self.kc is not None
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                reply: dict[str, Any] = await self.kc.shell_channel.get_msg(timeout=min(left, 1))
                if reply["msg_type"] == "execute_reply":
                    return reply
            await self._async_check_alive()
        return None

    def _out_of_time(self, cell: NotebookNode) -> NotebookNode:
        cell.outputs = []
        most = f"{self.seconds:g} seconds that a whole notebook may take"
        return tell(cell, "OutOfTime", f"the notebook has used up the {most}; this cell was not run")

    def _get_timeout(self, cell: NotebookNode | None) -> float | None:
        timeout = super()._get_timeout(cell)
        left = self.left()
        return timeout if left == float("inf") else max(LEAST, min(timeout or left, left))

    async def _again(self, index: int, *, its_fault: bool = True) -> None:
        """Start a new kernel and run the student's cells before this one again, but for those that end it."""
        if its_fault:
            self._enders.add(index)
        while self._restarts < self.most_restarts and self.left() > LEAST:
            self._restarts += 1
            await self._async_cleanup_kernel()
            self.km = self.create_kernel_manager()
            await self.async_start_new_kernel()
            await self.async_start_new_kernel_client()
            await self._prepare()
            for earlier, cell in enumerate(self.nb.cells[:index]):
                if earlier in self._enders or cell.cell_type != "code" or not self._is_students(cell):
                    continue
                try:
                    self._printed = 0
                    await NotebookClient.async_execute_cell(self, cell.copy(), earlier)
                except Exception as error:
                    if not (isinstance(error, DeadKernelError) and killed(self.km)):
                        self._enders.add(earlier)
                    break
            else:
                return

    async def _prepare(self) -> None:
        """Put a new kernel right before its first cell."""

    def _is_students(self, cell: NotebookNode) -> bool:
        return True

    def preprocess(
        self, nb: NotebookNode, *arguments: Any, **options: Any
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Execute a notebook."""
        if self.kernel_name == KERNEL:
            from grading import provisioner

            provisioner.set_limits(Sandbox(config=self.config).limits())
        self._enders: set[int] = set()
        self._tried: set[int] = set()
        self._restarts = 0
        self._until = time.monotonic() + self.seconds
        self._last = self._until + (PATIENCE - 1) * self.seconds
        known = (arguments[0] if arguments else options.get("resources")) or {}
        with _called(self.student or known.get("nbgrader", {}).get("student", "")):
            result: tuple[NotebookNode, dict[str, Any]] = super().preprocess(nb, *arguments, **options)
        return result

    execute_cell = run_sync(async_execute_cell)


@contextlib.contextmanager
def _called(student: str) -> Iterator[None]:
    """Tell kernels whose notebook they run: its numbers are drawn from that id alone."""
    before = os.environ.get(STUDENT)
    try:
        if student:
            os.environ[STUDENT] = student
        yield
    finally:
        if before is None:
            os.environ.pop(STUDENT, None)
        else:
            os.environ[STUDENT] = before


def _size(content: Mapping[str, Any]) -> int:
    return (
        len(str(content.get("text", "")))
        + sum(len(str(v)) for v in dict(content.get("data") or {}).values())
        + 512
    )


def tell(cell: NotebookNode, name: str, text: str) -> NotebookNode:
    """Add an error of the grader's own to a cell; nbgrader gives nothing for a test that has one."""
    error = new_output("error", ename=name, evalue=text, traceback=[f"{name}: {text}"])
    cell.setdefault("outputs", []).append(error)
    return cell


class Refused(Bounded):
    """Stands where submissions would run, on a machine that can have no sandbox: it runs nothing."""

    def preprocess(
        self, nb: NotebookNode, *arguments: Any, **options: Any
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Refuse."""
        raise SandboxError(refusal(f"it needs Linux, and this is {sys.platform}"))


def _process(manager: Any) -> Any:
    """A kernel's process, asked whether and how it has ended."""
    process = getattr(getattr(manager, "provisioner", None), "process", None)
    if process is not None:
        process.poll()
    return process


def killed(manager: Any) -> bool:
    """Whether somebody else has killed a kernel: neither its own code, which cannot, nor a limit of ours.

    Nobody within a sandbox can kill its first process. The machine can, where its own memory is at an end,
    and so can who looks after it; that is not the submission's fault, and is tried once more.
    """
    process = _process(manager)
    ended = getattr(process, "ended", None)
    return ended is not None and process.returncode == -signal.SIGKILL and not ended.get("over")


def why(manager: Any, error: Exception) -> str:
    """What ended a kernel, in words."""
    if isinstance(error, CellTimeoutError):
        return "this cell took too long, and did not stop when asked to"
    if not isinstance(error, DeadKernelError):
        return f"this cell left the notebook's Python in no state to answer ({type(error).__name__})"
    process = _process(manager)
    over = getattr(process, "ended", {}).get("over")
    if over == "memory":
        return (
            "this cell, with all that it started, took too much memory; the cells after it go on without it"
        )
    if over == "processor":
        return (
            "this cell, with all that it started, used up the processor time of a notebook; "
            "the cells after it go on without it"
        )
    code = getattr(process, "returncode", None)
    names = {
        -9: "it was stopped: too much memory, or time",
        -11: "it crashed: a fault in compiled code",
        -6: "it was aborted",
        -24: "it used up its processor time",
        0: "it ended itself",
    }
    how = names.get(code, f"it ended itself with code {code}") if code is not None else "no reason is known"
    return f"this cell ended the notebook's Python ({how}); the cells after it go on without it"
