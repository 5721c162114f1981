"""Run a submission in two kernels: the student's cells in one, the tests in the other.

Nothing in the student's process can forge a mark or read a hidden test: the tests never come near it. They
run in the examiner's kernel, which asks for values and calls functions through :mod:`grading.remote`; this
module is the switchboard between the two, and keeps the time. It is nbgrader's ``Execute`` in all other
respects, and is named in ``nbgrader_config.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any

from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_notebook
from nbgrader.utils import is_grade, is_locked, is_solution
from traitlets import Float

from grading import provisioner, remote
from grading.bounded import Bounded
from grading.config import Sandbox

_SERVE = "__import__('grading.remote').remote.serve()"
_READY = "__import__('grading.remote').remote.stand_exit()"


class TrustedExecute(Bounded):
    """The student's cells in one kernel, the tests in another."""

    call_seconds = Float(20, help="How long one call of a student's function may take, in seconds.").tag(
        config=True
    )

    _examiner: NotebookClient | None = None

    async def _prepare(self) -> None:
        await _silently(self, _READY)

    def _is_students(self, cell: NotebookNode) -> bool:
        return not is_grade(cell)

    def preprocess(
        self, nb: NotebookNode, *arguments: Any, **options: Any
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Execute a notebook with an examiner beside it."""
        provisioner.set_limits(Sandbox(config=self.config).limits())
        try:
            return super().preprocess(nb, *arguments, **options)
        finally:
            if self._examiner is not None:
                with contextlib.suppress(Exception):
                    self._examiner._cleanup_kernel()
                self._examiner = None

    async def async_start_new_kernel_client(self) -> Any:
        """Begin the student's kernel, and with the first one the examiner's."""
        client = await super().async_start_new_kernel_client()
        await self._prepare()
        if self._examiner is None:
            self._examiner = Examiner(
                kernel_name=self.kernel_name,
                kernel_manager_class=self.kernel_manager_class,
                timeout=self.timeout,
                startup_timeout=self.startup_timeout,
                extra_arguments=list(self.extra_arguments),
                allow_errors=True,
                coalesce_streams=True,
                record_timing=False,
                shutdown_kernel="immediate",
                interrupt_on_timeout=True,
                error_on_timeout=self.error_on_timeout,
                config=self.config,
            )
            NotebookClient.__init__(self._examiner, new_notebook())
            self._examiner.resources = {}
            self._examiner.create_kernel_manager()
            await self._examiner.async_start_new_kernel()
            await self._examiner.async_start_new_kernel_client()
        return client

    start_new_kernel_client = run_sync(async_start_new_kernel_client)

    async def async_execute_cell(
        self, cell: NotebookNode, cell_index: int, *more: Any, **options: Any
    ) -> NotebookNode:
        """Execute a cell where it belongs: tests with the examiner, all else with the student."""
        if cell.cell_type != "code" or not is_grade(cell):
            done = await super().async_execute_cell(cell, cell_index, *more, **options)
            if cell.cell_type == "code" and is_locked(cell) and not is_solution(cell):
                await _silently(self._examiner, cell.source)
                await _silently(self._examiner, "__import__('grading.remote').remote.trust()")
            return done
        return await self._examine(cell, cell_index)

    async def _examine(self, cell: NotebookNode, index: int) -> NotebookNode:
        examiner = self._examiner
        assert examiner is not None
        names, quoted = (sorted(part) for part in remote.wanted(cell.source))
        board = Switchboard(self, examiner, float(self.timeout or 60), self.call_seconds)
        async with board:
            serving = await self._serve()
            await _silently(
                examiner, f"__import__('grading.remote').remote.begin({names!r}, {quoted!r})", board.seconds
            )
            examiner._printed = 0  # type: ignore[attr-defined]
            examiner.nb.cells = [cell]
            await NotebookClient.async_execute_cell(examiner, cell, 0, execution_count=index + 1)
            await _silently(examiner, "__import__('grading.remote').remote.end()")
            alive = await self._served(serving)
        if not alive:
            await self._again(index)
        return cell

    async def _serve(self) -> str:
        assert self.kc is not None
        return str(self.kc.execute(_SERVE, silent=True, store_history=False))

    async def _served(self, serving: str) -> bool:
        """Whether the student's kernel is back from answering."""
        until = time.monotonic() + 5
        while time.monotonic() < until:
            try:
                reply = await self.kc.shell_channel.get_msg(timeout=0.5)
            except Exception:  # nothing yet
                if not await self.kc.is_alive():
                    return False
                continue
            if reply["parent_header"].get("msg_id") == serving:
                return True
        return False

    execute_cell = run_sync(async_execute_cell)


class Examiner(Bounded):
    """The kernel that runs the tests."""


class Switchboard:
    """Carries messages between the two kernels, and ends calls that take too long."""

    def __init__(self, student: Any, examiner: Any, seconds: float, call_seconds: float) -> None:
        self._student, self._examiner = student, examiner
        self.seconds, self._call = seconds, call_seconds
        self._until = time.monotonic() + 0.8 * seconds
        self._servers: list[asyncio.AbstractServer] = []
        self._ends: dict[str, asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]] = {}
        self._carrying: asyncio.Task[None] | None = None
        self._gone = False

    async def __aenter__(self) -> Switchboard:
        loop = asyncio.get_running_loop()
        for who, client in (("student", self._student), ("examiner", self._examiner)):
            self._ends[who] = loop.create_future()

            def come(reader: Any, writer: Any, end: asyncio.Future[Any] = self._ends[who]) -> None:
                if end.done():
                    writer.close()
                else:
                    end.set_result((reader, writer))

            door = Path(client.km.provisioner.place) / "door"
            door.unlink(missing_ok=True)
            self._servers.append(await asyncio.start_unix_server(come, door))
            door.chmod(0o777)
        self._carrying = asyncio.ensure_future(self._carry())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._carrying:
            self._carrying.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._carrying
        for end in self._ends.values():
            if end.done() and not end.cancelled():
                end.result()[1].close()
        for server in self._servers:
            server.close()

    async def _carry(self) -> None:
        from_examiner, to_examiner = await self._ends["examiner"]
        try:
            while True:
                question = await _receive(from_examiner)
                answer = await self._answer(question)
                to_examiner.write(answer)
                await to_examiner.drain()
        except (asyncio.IncompleteReadError, OSError, remote.ProtocolError):
            pass
        finally:
            to_examiner.close()
            if self._ends["student"].done():
                self._ends["student"].result()[1].close()

    async def _answer(self, question: bytes) -> bytes:
        left = min(self._call, self._until - time.monotonic())
        if self._gone:
            return _ended()
        if left <= 0:
            return _late()
        try:
            reader, writer = await asyncio.wait_for(self._ends["student"], left)
            writer.write(question)
            await writer.drain()
            receiving = asyncio.ensure_future(_receive(reader))
            done, _ = await asyncio.wait([receiving], timeout=left)
            for _ in range(2):  # an interrupt; a second one for what catches the first
                if done:
                    break
                await self._student.km.interrupt_kernel()
                done, _ = await asyncio.wait([receiving], timeout=1)
            if not done:
                receiving.cancel()
                await self._student.km.provisioner.kill()
                self._gone = True
                return _late()
            return receiving.result()
        except (TimeoutError, asyncio.IncompleteReadError, OSError, remote.ProtocolError):
            self._gone = True
            return _ended()


def _ended() -> bytes:
    return remote.frame({"raised": {"types": ["RuntimeError"], "text": "it ended the notebook's Python"}}, [])


def _late() -> bytes:
    return remote.frame(
        {"raised": {"types": ["TimeoutError"], "text": "it took too long and was stopped"}}, []
    )


async def _receive(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(remote.HEAD)
    _, body = remote.lengths(head)
    return head + await reader.readexactly(body)


async def _silently(client: Any, source: str, seconds: float = 60) -> None:
    """Run something of our own in a kernel; its output, if any, concerns nobody."""
    identity = client.kc.execute(source, silent=True, store_history=False)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(Exception):
            reply = await client.kc.shell_channel.get_msg(timeout=1)
            if reply["parent_header"].get("msg_id") == identity:
                return
            continue
        if not await client.kc.is_alive():
            return
