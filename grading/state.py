"""What is up to date: one small file for each result, holding the hash of what the result was made from."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows has no such lock; two runs at a time must be avoided by hand there
    fcntl = None

_LEAVE_OUT = {"__pycache__", ".ipynb_checkpoints", ".DS_Store"}


def fingerprint(paths: Iterable[Path], *more: object) -> str:
    """One hash of names and contents of files and of all files in folders, and of ``more``.

    >>> fingerprint([Path(__file__)]) == fingerprint([Path(__file__)])
    True
    >>> fingerprint([Path(__file__)]) == fingerprint([Path(__file__)], "more")
    False
    """
    digest = hashlib.sha256(repr(more).encode())
    for path in paths:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            if _LEAVE_OUT.isdisjoint(file.parts) and file.suffix != ".pyc":
                name = file.relative_to(path.parent).as_posix()
                content = file.read_bytes() if file.is_file() else b""
                digest.update(os.fsencode(f"{name}\0{len(content)}\0") + content)
    return digest.hexdigest()


def fresh(stamp: Path, mark: str) -> dict[str, Any] | None:
    """What was noted when the result was made, if it was made from just this; otherwise ``None``."""
    noted = read(stamp)
    return noted if noted.get("fingerprint") == mark else None


def read(stamp: Path) -> dict[str, Any]:
    """What was noted last; nothing where there is no note, or half of one."""
    try:
        noted: dict[str, Any] = json.loads(stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return noted


def note(stamp: Path, mark: str, **more: Any) -> None:
    """Note that a result is complete. Written aside first, so that a stamp is never half there."""
    stamp.parent.mkdir(parents=True, exist_ok=True)
    new = stamp.with_name(stamp.name + ".new")
    new.write_text(json.dumps({"fingerprint": mark, **more}), encoding="utf-8")
    new.replace(stamp)


@contextlib.contextmanager
def locked(file: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Let one process at a time do this; call ``waiting`` where another is at it.

    The lock goes with the process that holds it, however that ends.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as handle:
        if fcntl is not None:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def forget(stamp: Path) -> None:
    """Note that a result is about to change."""
    stamp.unlink(missing_ok=True)
