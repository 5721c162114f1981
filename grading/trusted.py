"""Run a submission in two kernels: the student's cells in one, the tests in the other.

Nothing in the student's process can forge a mark or read a hidden test: the tests never come near it. They
run in the examiner's kernel, which asks for values and calls functions through :mod:`grading.remote`; this
module is the switchboard between the two, and keeps the time. It is nbgrader's ``Execute`` in all other
respects, and is named in ``nbgrader_config.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_notebook
from nbgrader.api import Gradebook
from nbgrader.preprocessors import OverwriteCells
from nbgrader.utils import is_grade, is_locked, is_solution
from traitlets import Float, List, Unicode

from cnnlib.exercises.sheet import CLASS
from grading import remote
from grading.bounded import LEAST, Bounded, killed, tell, why
from grading.config import Sandbox

#: The variable in which a notebook says who its student is; tests tell where the grader knows better.
STUDENT_ID = "student_id"


def _remote(name: str, *arguments: Any) -> str:
    """Code that calls a function of :mod:`grading.remote` inside a kernel, whatever is defined there."""
    return f"__import__('grading.remote').remote.{name}({', '.join(map(repr, arguments))})"


class TrustedExecute(Bounded):
    """The student's cells in one kernel, the tests in another."""

    call_seconds = Float(20, help="How long one call of a student's function may take, in seconds.").tag(
        config=True
    )

    classmates = List(Unicode(), help="The ids of those who handed in: a wrong answer may be theirs.").tag(
        config=True
    )

    _examiner: Examiner | None = None
    _beginning: asyncio.Task[Examiner] | None = None
    _apart = True
    _sources: dict[str, tuple[str, str]] | None = None
    #: The course's own cells so far; what they define is nobody's to replace.
    _common: list[str]

    def preprocess(
        self, nb: NotebookNode, resources: Any = None, **options: Any
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Execute a notebook with an examiner beside it."""
        self._apart = Sandbox(config=self.config).trusted
        self._sources = _sources(resources, OverwriteCells(config=self.config).missing_cell_notification)
        self._common = []
        try:
            return super().preprocess(nb, resources, **options)
        finally:
            examiner, self._examiner, self._beginning = self._examiner, None, None
            if examiner is not None:
                with contextlib.suppress(Exception):
                    examiner._cleanup_kernel()

    def _is_own(self, cell: NotebookNode) -> bool:
        """Whether a cell is the course's, word for word; what a submission calls a test may be none."""
        if cell.cell_type != "code" or not is_locked(cell) or is_solution(cell):
            return False
        if self._sources is None:
            return True
        name = cell.metadata.nbgrader.get("grade_id")
        return cell.source in self._sources.get(name, ())

    def _is_students(self, cell: NotebookNode) -> bool:
        return not self._apart or not (is_grade(cell) and self._is_own(cell))

    async def _prepare(self) -> None:
        await _silently(self, _remote("stand_exit"))

    async def async_start_new_kernel(self, **options: Any) -> None:
        """Begin the student's kernel, and beside it the examiner's."""
        if self._apart and self._examiner is None and self._beginning is None:
            self._beginning = asyncio.ensure_future(self._begin())
        await super().async_start_new_kernel(**options)

    async def async_start_new_kernel_client(self) -> Any:
        """Get in touch with the student's kernel."""
        client = await super().async_start_new_kernel_client()
        await self._prepare()
        return client

    start_new_kernel = run_sync(async_start_new_kernel)
    start_new_kernel_client = run_sync(async_start_new_kernel_client)

    async def _begin(self) -> Examiner:
        """A new examiner."""
        examiner = Examiner(
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
        NotebookClient.__init__(examiner, new_notebook())
        examiner.resources = {}
        examiner.create_kernel_manager()
        self._examiner = examiner
        await examiner.async_start_new_kernel()
        await examiner.async_start_new_kernel_client()
        examiner.variables = {CLASS: json.dumps(list(self.classmates))}
        return examiner

    async def _ready(self) -> Examiner:
        if self._beginning is None:
            self._beginning = asyncio.ensure_future(self._begin())
        return await self._beginning

    async def async_execute_cell(
        self, cell: NotebookNode, cell_index: int, *more: Any, **options: Any
    ) -> NotebookNode:
        """Execute a cell where it belongs: tests with the examiner, all else with the student."""
        if self._apart and is_grade(cell) and self._is_own(cell):
            if self.left() < LEAST:
                return self._out_of_time(cell)
            return await self._examine(cell, cell_index)
        if self._apart and cell.cell_type == "code" and is_grade(cell) and not is_solution(cell):
            cell.outputs = []
            return tell(cell, "NoTest", "this cell is not one of the assignment's own tests; it was not run")
        done = await super().async_execute_cell(cell, cell_index, *more, **options)
        if self._apart and self._is_own(cell):
            self._common.append(cell.source)
        return done

    execute_cell = run_sync(async_execute_cell)

    async def _examine(self, cell: NotebookNode, index: int) -> NotebookNode:
        """Run a test; once more where one of the two kernels was killed by somebody else meanwhile."""
        if await self._examined(cell, index):
            await self._examined(cell, index)
        return cell

    async def _examined(self, cell: NotebookNode, index: int) -> bool:
        """Run a test; tell whether somebody else killed one of the two kernels."""
        examiner = await self._ready()
        seconds = min(float(self.timeout or 60), self.left())
        examiner.most_seconds = seconds
        async with Switchboard(self, examiner, seconds, self.call_seconds) as board:
            serving = await self._serve()
            healthy = await examiner.test(cell, index, self._common)
            alive = await self._served(serving) and not board.killed
        disturbed = (not healthy and killed(examiner.km)) or (
            not alive and not board.killed and killed(self.km)
        )
        if not healthy:
            with contextlib.suppress(Exception):
                await examiner._async_cleanup_kernel()
            self._beginning = None
        if not alive:
            await self._again(index)
        return disturbed

    async def _serve(self) -> str:
        assert self.kc is not None
        return str(self.kc.execute(_remote("serve"), silent=True, store_history=False))

    async def _served(self, serving: str) -> bool:
        """Whether the student's kernel is back from answering."""
        until = time.monotonic() + 5
        while True:
            if time.monotonic() > until:
                until += self.owed()
                if time.monotonic() > until:
                    return False
            try:
                reply = await self.kc.shell_channel.get_msg(timeout=0.5)
            except Exception:  # nothing yet, or nothing that can be read
                if not await self.kc.is_alive():
                    return False
                continue
            if reply["parent_header"].get("msg_id") == serving:
                return True


class Examiner(Bounded):
    """The kernel that runs the tests."""

    #: What a test may take.
    most_seconds = 60.0
    #: What was added to the student's limits since the test began.
    lent = 0.0
    #: What its first test finds in the environment.
    variables: Mapping[str, str] = MappingProxyType({})
    _known = 0
    _status: str | None = None

    async def test(self, cell: NotebookNode, index: int, common: Sequence[str]) -> bool:
        """Run a test, and tell whether the examiner is fit for the next.

        ``common`` are the course's own cells that came before it. For nbgrader a test without an error is
        right, so that whatever keeps it from ending well must be one.
        """
        self._printed, self._status, self.lent = 0, None, 0.0
        self.nb.cells = [cell]
        source, cell.source = cell.source, self._request(cell.source, common)
        try:
            await NotebookClient.async_execute_cell(
                self, cell, 0, execution_count=index + 1, store_history=False
            )
        except Exception as error:
            tell(cell, "ExaminerEnded", f"the test could not be finished: {why(self.km, error)}")
            return False
        finally:
            cell.source = source
        if self._status != "ok" and not any(output.output_type == "error" for output in cell.outputs):
            tell(cell, "ExaminerEnded", f"the test could not be finished ({self._status})")
            return False
        return True

    def _request(self, source: str, common: Sequence[str]) -> str:
        """What has the examiner run a test, and what it does not know yet."""
        names, quoted = remote.wanted(source)
        new, self._known = list(common[self._known :]), len(common)
        variables, self.variables = dict(self.variables), {}
        return _remote("examine", source, sorted(names), sorted(quoted | {STUDENT_ID}), new, variables)

    def on_cell_executed(self, **about: Any) -> None:
        """Keep how it ended."""
        self._status = about["execute_reply"]["content"].get("status")
        super().on_cell_executed(**about)

    def _get_timeout(self, cell: NotebookNode | None) -> float | None:
        return max(LEAST, self.most_seconds)

    def owed(self) -> float:
        """What it has waited for processors, and what it has waited for a student who did."""
        lent, self.lent = self.lent, 0.0
        return super().owed() + lent


def _sources(resources: Any, notification: str) -> dict[str, tuple[str, str]] | None:
    """The course's own cells of a notebook by name, from the gradebook; None outside nbgrader.

    Each also as nbgrader puts it back where it is missing, below a comment that says so.
    """
    about = (resources or {}).get("nbgrader") or {}
    if "db_url" not in about:
        return None
    with Gradebook(about["db_url"]) as book:
        notebook = book.find_notebook(about["notebook"], about["assignment"])
        return {
            cell.name: (cell.source, "# " + notification.format(cell_id=cell.name) + cell.source)
            for cell in notebook.source_cells
            if cell.locked
        }


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
        #: Whether the student's kernel was ended here; it may have said before that it is ready again.
        self.killed = False

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

    def _left(self) -> float:
        """How many seconds the next answer may take."""
        left = self._until - time.monotonic()
        return min(self._call, left if left > self._call else left + self._more())

    def _more(self) -> float:
        """How many seconds more there are, since the student's kernel waited for a processor."""
        more = float(self._student.owed())
        self._until += more
        self._examiner.lent += more
        return more

    async def _answer(self, question: bytes) -> bytes:
        left = self._left()
        if self._gone:
            return _ended()
        if left <= 0:
            return _late()
        try:
            reader, writer = await asyncio.wait_for(asyncio.shield(self._ends["student"]), left)
            writer.write(question)
            await writer.drain()
            receiving = asyncio.ensure_future(_receive(reader))
            done, _ = await asyncio.wait([receiving], timeout=left)
            while not done and (more := self._more()) > 0:
                done, _ = await asyncio.wait([receiving], timeout=more)
            for _ in range(2):  # an interrupt; a second one for what catches the first
                if done:
                    break
                await self._student.km.interrupt_kernel()
                done, _ = await asyncio.wait([receiving], timeout=1)
            if not done:
                receiving.cancel()
                await self._student.km.provisioner.kill()
                self._gone = self.killed = True
                return _late()
            return receiving.result()
        except (TimeoutError, asyncio.IncompleteReadError, OSError, remote.ProtocolError):
            self._gone = True
            return _ended()


def _ended() -> bytes:
    return _raised("RuntimeError", "it ended the notebook's Python")


def _late() -> bytes:
    return _raised("TimeoutError", "it took too long and was stopped")


def _raised(kind: str, text: str) -> bytes:
    """The answer of a call that ended in an error."""
    return remote.frame({"raised": {"types": [kind], "text": text}}, [])


async def _receive(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(remote.HEAD)
    _, body = remote.lengths(head)
    return head + await reader.readexactly(body)


async def _silently(client: Any, source: str, seconds: float = 60) -> dict[str, Any]:
    """Run something of our own in a kernel, and return how it ended; its output, if any, concerns nobody."""
    identity = client.kc.execute(source, silent=True, store_history=False)
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        try:
            reply = await client.kc.shell_channel.get_msg(timeout=min(left, 1))
        except Exception:  # nothing yet, or nothing that can be read
            if not await client.kc.is_alive():
                return {"status": "dead"}
            continue
        if reply["parent_header"].get("msg_id") == identity and isinstance(reply["content"], dict):
            return dict(reply["content"])
    return {"status": "late"}
