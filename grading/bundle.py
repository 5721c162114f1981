"""What a student at home needs, as one archive: notebooks, the library, pinned packages, and how to begin.

``python -m grading bundle`` makes it, always the same bytes from the same sources.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from book.wheel import WheelError, build_wheel
from grading import state
from grading.course import Course
from grading.errors import GradingError
from grading.feedback import filled

#: What a student works with; all that these need is pinned with them.
ROOTS = ("cnnlib[keras,plots,data,training]", "jupyterlab", "nbgrader")
#: The machines that students have, as markers of requirements name them.
MACHINES = (
    {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"},
    {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix", "platform_machine": "arm64"},
    {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
)
#: The one folder in the archive.
FOLDER = "cnn-exercises"
#: The time of every file in the archive: the earliest that a zip can hold.
MOMENT = (1980, 1, 1, 0, 0, 0)


def make(course: Course, out: Path | None = None) -> Path:
    """Write the archive; return where it is: ``build/students/cnn-exercises.zip`` unless told.

    Raises:
        GradingError: no assignment is released, the library could not be built, or a package is not in the
            lock file.
    """
    notebooks = {
        f"exercises/{file.relative_to(course.exercises).as_posix()}": file.read_bytes()
        for name in course.assignments()
        for file in sorted((course.exercises / name).glob("*.ipynb"))
    }
    if not notebooks:
        raise GradingError(
            f"{course.show(course.exercises)} holds no notebook; run: python -m grading release"
        )
    try:
        wheel, content = build_wheel(course.root)
    except WheelError as error:
        raise GradingError(str(error)) from None
    pins = requirements(course.root / "requirements.lock")
    pins.append(f"./{wheel} --hash=sha256:{hashlib.sha256(content).hexdigest()}")
    files = {
        "START-HERE.html": guide(sorted({Path(name).parts[1] for name in notebooks})).encode(),
        "requirements.txt": "\n".join(["# Made from the course's lock file.", *pins, ""]).encode(),
        wheel: content,
        **notebooks,
    }
    target = out or course.root / "build" / "students" / f"{FOLDER}.zip"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in files.items():
            about = zipfile.ZipInfo(f"{FOLDER}/{name}", MOMENT)
            about.compress_type, about.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(about, data)
    state.write(target, packed.getvalue())
    return target


def requirements(lock: Path) -> list[str]:
    """The lines of the lock file that a student's work needs, on any of :data:`MACHINES`.

    What needs what is read from the packages that are installed here; one that is not (for Windows, say) is
    taken from the lock file all the same.
    """
    locked = _entries(lock)
    wanted: set[str] = set()
    ahead = [Requirement(root) for root in ROOTS]
    seen: set[tuple[str, str]] = set()
    while ahead:
        requirement = ahead.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *sorted(requirement.extras)):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            ahead += _needs(name, extra)
        if name != "cnnlib":
            wanted.add(name)
    # A package that the lock file leaves out is one that this Python has in itself (backports).
    return [line for name in sorted(wanted & locked.keys()) for line in locked[name]]


def _needs(name: str, extra: str) -> Iterator[Requirement]:
    """What an installed package asks for on some machine, with one of its extras."""
    try:
        asked = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return
    for text in asked:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None:
            if not extra:
                yield requirement
        elif any(marker.evaluate(machine | {"extra": extra}) for machine in MACHINES):
            yield requirement


def _entries(lock: Path) -> dict[str, list[str]]:
    """The lock file's lines for each package: its version, and the hashes below it."""
    entries: dict[str, list[str]] = {}
    name = ""
    for line in lock.read_text(encoding="utf-8").splitlines():
        if start := re.match(r"([A-Za-z0-9][\w.-]*)==", line):
            name = canonicalize_name(start[1])
        if name and line.strip():
            entries.setdefault(name, []).append(line)
    return entries


def guide(assignments: list[str]) -> str:
    """The page to begin with, for Windows, macOS and Linux."""
    return filled("start.html.j2", folder=FOLDER, assignments=assignments)
