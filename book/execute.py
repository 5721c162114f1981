"""Runs the notebooks among the chapters, several at a time, and keeps their outputs in a Jupyter cache.

Jupyter Book finds them there. Its own cache asks only whether a notebook's cells changed; ours lies in a
folder named after everything else that its outputs hang on: the library, the lock file, the Python.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Coroutine, Iterable
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

#: Seconds that one cell may take.
TIMEOUT = 180
#: Notebooks run side by side; each has a kernel of its own.
JOBS = min(2, os.cpu_count() or 1)
#: When pages were executed, in the folder of their outputs.
RECORD = "executed.json"

T = TypeVar("T")
Say = Callable[[str], None]
#: A chapter, its notebook with outputs, the seconds it took, and what went wrong.
Ran = tuple[Path, Any, float, str]
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class ExecutionError(Exception):
    """Cells failed; the message names the chapters and shows the tracebacks."""


def is_notebook(path: Path) -> bool:
    """Whether the chapter at ``path`` says that it is to be executed."""
    head = path.read_text(encoding="utf-8").split("\n---", 1)[0]
    return head.startswith("---") and "format_name: myst" in head


def execute(chapters: Iterable[Path], cache_folder: Path, say: Say) -> int:
    """Run those of ``chapters`` whose outputs are not yet in the cache; return how many were run.

    Raises:
        ExecutionError: a cell of a chapter raised, or took longer than :data:`TIMEOUT` seconds. The
            other chapters are run to their end, so that one build tells all that is wrong.
    """
    from jupyter_cache import get_cache  # Jupyter is slow to load, and not needed when nothing changed
    from jupyter_cache.base import CacheBundleIn

    cache = get_cache(cache_folder)
    pending = [(path, notebook) for path in chapters if not _cached(cache, notebook := read(path))]
    if not pending:
        return 0
    # One thread for each product: several notebooks run at once, and small products wait for one another.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    say(f"running {len(pending)} notebook{'s' * (len(pending) > 1)}, {JOBS} at a time")
    failures = []
    for path, notebook, seconds, trouble in _wait_for(_run_all(pending, say)):
        if trouble:
            failures.append(_told(path, trouble))
        else:
            bundle = CacheBundleIn(notebook, str(path), data={"execution_seconds": seconds})
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            remember(cache_folder, path.stem, seconds)
    if failures:
        raise ExecutionError("\n\n".join(failures))
    return len(pending)


def remember(cache_folder: Path, page: str, seconds: float) -> None:
    """Note for the foot of a page when it was executed, and for how long."""
    record = executed(cache_folder) | {page: {"day": f"{date.today():%Y-%m-%d}", "seconds": round(seconds)}}
    (cache_folder / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")


def executed(cache_folder: Path) -> dict[str, dict[str, Any]]:
    """For each page its ``day`` (ISO 8601) and how many ``seconds`` it took."""
    record = cache_folder / RECORD
    return dict(json.loads(record.read_text(encoding="utf-8"))) if record.is_file() else {}


def read(path: Path) -> Any:
    """The chapter at ``path`` as a notebook, read as Jupyter Book reads it."""
    from myst_nb.core.read import myst_nb_reader_plugin  # type: ignore[import-untyped]

    return myst_nb_reader_plugin(str(path))


def forget_others(cache_folder: Path) -> None:
    """Remove the caches beside this one: they were made with another library."""
    for other in cache_folder.parent.glob("*"):
        if other.is_dir() and other != cache_folder:
            shutil.rmtree(other, ignore_errors=True)


def _cached(cache: Any, notebook: Any) -> bool:
    try:
        cache.match_cache_notebook(notebook)
    except KeyError:
        return False
    return True


def _wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Finish asynchronous work; in another thread where this one is busy with such work already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


async def _run_all(pending: Iterable[tuple[Path, Any]], say: Say) -> list[Ran]:
    free = asyncio.Semaphore(JOBS)

    async def run(path: Path, notebook: Any) -> Ran:
        async with free:
            start = time.monotonic()
            trouble = await _run(notebook, path.parent)
            seconds = time.monotonic() - start
            say(f"  {path.name} {'failed after' if trouble else 'took'} {seconds:.1f} s")
            return path, notebook, seconds, trouble

    return await asyncio.gather(*(run(path, notebook) for path, notebook in pending))


async def _run(notebook: Any, folder: Path) -> str:
    """Run a notebook in place, in a kernel of its own; return what went wrong, if anything did."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # it warns of an open port on this machine
    )
    try:
        await client.async_execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return str(error) or type(error).__name__
    return ""


def _told(path: Path, trouble: str) -> str:
    """What went wrong in a chapter: its name, the cell, the traceback without colours."""
    lines = _ANSI.sub("", trouble).strip().splitlines()
    return f"chapters/{path.name}: a cell failed\n" + "\n".join(f"    {line}" for line in lines)
