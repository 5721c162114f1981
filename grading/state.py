"""What is up to date: one small file for each result, holding the hash of what the result was made from."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
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
        noted = json.loads(stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def note(stamp: Path, mark: str, **more: Any) -> None:
    """Note that a result is complete."""
    write(stamp, json.dumps({"fingerprint": mark, **more}).encode())


def write(file: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, also where the power fails."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(file.name + ".new")
    _write_through(new, content)
    new.replace(file)
    _settle(file.parent)


def write_folder(folder: Path, files: Mapping[str, bytes], aside: Path | None = None) -> None:
    """Put a folder of files in the place of another one, whole; the other goes ``aside`` or is removed.

    Killed in between, it leaves the old folder, or none and a hidden one beside; writing it again mends that.
    """
    new, old = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    for name, content in sorted(files.items()):
        _write_through(new / name, content)
    _settle(new)
    if folder.exists():
        if aside is not None and not aside.exists():
            aside.parent.mkdir(parents=True, exist_ok=True)
            folder.replace(aside)
        else:
            shutil.rmtree(old, ignore_errors=True)
            folder.replace(old)
    new.replace(folder)
    _settle(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _write_through(file: Path, content: bytes) -> None:
    with file.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def _settle(folder: Path) -> None:
    """Have the names in a folder on disk, where the system can promise that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


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
