"""Execution that ends: nbgrader's ``Execute`` where a cell can cost itself, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute
from traitlets import Float, Integer


class Bounded(Execute):
    """Execution that ends: a cell that prints without end is stopped, and a dead kernel costs one cell."""

    output_kib = Integer(1024, help="The most that one cell may print; it is stopped there.").tag(config=True)
    most_restarts = Integer(20, help="How often a kernel that a cell has ended is started anew.").tag(
        config=True
    )
    seconds = Float(600, help="The most that a whole submission may take, in seconds.").tag(config=True)

    _printed = 0
    _restarts = 0

    def process_message(
        self, msg: dict[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Take a message from the kernel unless the cell has printed too much already."""
        if msg["msg_type"] in ("stream", "display_data", "execute_result", "error", "update_display_data"):
            before, most = self._printed, self.output_kib << 10
            self._printed += _size(msg["content"])
            if self._printed > most:
                if before <= most:
                    cell.outputs.append(
                        new_output(
                            "stream",
                            name="stdout",
                            text=f"\n… more than {self.output_kib} KiB printed; stopped here\n",
                        )
                    )
                    self._stopping = asyncio.ensure_future(self.km.interrupt_kernel())
                return None
        return super().process_message(msg, cell, cell_index)

    async def async_execute_cell(
        self, cell: NotebookNode, cell_index: int, *more: Any, **options: Any
    ) -> NotebookNode:
        """Execute a cell; where it ends the kernel, say so, and bring a new one to where the old one was."""
        self._printed = 0
        try:
            return await super().async_execute_cell(cell, cell_index, *more, **options)
        except (DeadKernelError, CellTimeoutError) as error:
            said = _why(self.km, error)
            cell.setdefault("outputs", []).append(
                new_output("error", ename="KernelEnded", evalue=said, traceback=[f"KernelEnded: {said}"])
            )
            await self._again(cell_index)
            return cell

    async def _again(self, index: int) -> None:
        """Start a new kernel and run the student's cells before this one again, but for those that end it."""
        self._enders.add(index)
        while self._restarts < self.most_restarts:
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
                except (DeadKernelError, CellTimeoutError):
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
        self._enders: set[int] = set()
        self._restarts = 0
        result: tuple[NotebookNode, dict[str, Any]] = super().preprocess(nb, *arguments, **options)
        return result

    execute_cell = run_sync(async_execute_cell)


def _size(content: Mapping[str, Any]) -> int:
    return (
        len(str(content.get("text", "")))
        + sum(len(str(v)) for v in dict(content.get("data") or {}).values())
        + 64
    )


def _why(manager: Any, error: Exception) -> str:
    """What ended a kernel, in words."""
    if isinstance(error, CellTimeoutError):
        return "this cell took too long, and did not stop when asked to"
    process = getattr(getattr(manager, "provisioner", None), "process", None)
    if process is not None:
        process.poll()
    code = getattr(process, "returncode", None)
    names = {
        -9: "it was stopped: too much memory, or time",
        -11: "a segmentation fault",
        -6: "it was aborted",
        -24: "it used up its processor time",
        0: "it ended itself",
    }
    how = names.get(code, f"it ended itself with code {code}") if code is not None else "no reason is known"
    return f"this cell ended the notebook's Python ({how}); the cells after it go on without it"
