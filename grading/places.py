"""Folders that exist only while a run does: held by a lock that goes with the process, however that ends.

What a run that was killed has left is known by its lock, which nobody holds any more, and is removed by the
next run on this machine, whosever class that is of. A folder without a lock is nobody's business.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows has no such lock: what a killed run leaves there is the system's to remove
    fcntl = None

#: What these folders are called, and the file in them that is locked.
PREFIX, LOCK = "course-", ".held"


def make(parent: Path) -> tuple[Path, int]:
    """Make a folder for this process alone; return it with what holds it (for :func:`remove`)."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        held = share(folder, alone=True)
        if held is not None:
            return folder, held


def share(folder: Path, *, alone: bool = False) -> int | None:
    """Hold a folder together with others; None where it was removed in this moment."""
    try:
        held = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    if fcntl is not None:
        fcntl.flock(held, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        if not os.fstat(held).st_nlink:
            os.close(held)
            return None
    return held


def remove(folder: Path, held: int) -> None:
    """Remove a folder that :func:`make` has made, and let go of it."""
    shutil.rmtree(folder, ignore_errors=True)
    os.close(held)


@contextlib.contextmanager
def temporary(parent: Path) -> Iterator[Path]:
    """A folder for as long as this lasts."""
    folder, held = make(parent)
    try:
        yield folder
    finally:
        remove(folder, held)


def sweep(*parents: Path) -> list[Path]:
    """Remove what dead runs of this user have left in these folders; return what was removed."""
    removed = []
    for folder in (found for parent in parents for found in parent.glob(f"{PREFIX}*")):
        with contextlib.suppress(OSError):
            if fcntl is None or folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            held = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
                removed.append(folder)
            finally:
                os.close(held)
    return removed
