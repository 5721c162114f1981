"""Runs the notebooks among the chapters, several at a time, and keeps their outputs in a Jupyter cache.

Jupyter Book finds them there. Its own cache asks only whether a notebook's cells changed; ours lies in a
folder named after everything else that its outputs hang on: the library, the lock file, the Python.
"""

from __future__ import annotations

import concurrent.futures
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import single_nb_execution

#: Seconds that one cell may take.
TIMEOUT = 180
#: Notebooks run side by side; each has a kernel of its own.
JOBS = min(2, os.cpu_count() or 1)

Say = Callable[[str], None]
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
    cache = get_cache(cache_folder)
    pending = [(path, notebook) for path in chapters if not _cached(cache, notebook := read(path))]
    if not pending:
        return 0
    say(f"running {len(pending)} notebook{'s' * (len(pending) > 1)}, {JOBS} at a time")
    failures = []
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        futures = {pool.submit(_run, notebook, path.parent): path for path, notebook in pending}
        for future in concurrent.futures.as_completed(futures):
            path, (result, seconds) = futures[future], future.result()
            if result.err:
                failures.append(_told(path, result.err))
                say(f"  {path.name} failed after {seconds:.1f} s")
                continue
            bundle = CacheBundleIn(result.nb, str(path), data={"execution_seconds": seconds})
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            say(f"  {path.name} took {seconds:.1f} s")
    if failures:
        raise ExecutionError("\n\n".join(failures))
    return len(pending)


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


def _run(notebook: Any, folder: Path) -> tuple[Any, float]:
    start = time.monotonic()
    result = single_nb_execution(
        notebook,
        cwd=str(folder),
        timeout=TIMEOUT,
        allow_errors=False,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # it warns of an open port on this machine
    )
    return result, time.monotonic() - start


def _told(path: Path, error: Exception) -> str:
    """What went wrong in a chapter: its name, the cell, the traceback without colours."""
    text = _ANSI.sub("", str(error)).strip()
    return f"chapters/{path.name}: a cell failed\n" + "\n".join(f"    {line}" for line in text.splitlines())
