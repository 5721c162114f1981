"""Bring what students handed in elsewhere into the class's folder: a platform's download, an exchange.

Nothing is unpacked: an archive's entries are read one by one, each up to the size that intake allows, and of
their names only the last part is used.
"""

from __future__ import annotations

import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from grading import intake, state
from grading.course import Course, is_name
from grading.errors import GradingError

#: Moodle: ``Ada Kim_12345_assignsubmission_file_/sizes.ipynb``, or all of it in the file's name.
MOODLE = re.compile(r"(?P<name>[^/]+?)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)_/?(?P<file>[^/]*)$")
#: Canvas: ``kimada_LATE_12345_67890_sizes-2.ipynb``.
CANVAS = re.compile(
    r"(?P<name>[^/_]+)_(?:late_)?(?P<id>\d+)_(?:\d+)_(?:text\.html|(?P<file>[^/]+))$", re.IGNORECASE
)
#: nbgrader's exchange: ``ada+03-sizes+2026-03-09 17:42:00.123456 UTC+secret``.
EXCHANGE = re.compile(r"(?P<name>[^/+]+)\+(?P<assignment>[^/+]+)\+(?P<time>[^/+]+ UTC)(?:\+[^/]*)?$")


@dataclass
class Found:
    """What one student handed in, as a platform calls the student."""

    name: str
    number: str = ""
    time: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Person:
    """A student whom the gradebook knows."""

    id: str
    full_name: str = ""
    number: str = ""


def find(source: Path, assignment: str) -> list[Found]:
    """All submissions of an assignment in a folder or zip archive of downloads; of several, the latest.

    Raises:
        GradingError: there is none, or ``source`` is nothing of the kind.
    """
    if source.is_dir():
        found = list(_in_folder(source, assignment))
    elif zipfile.is_zipfile(source):
        found = list(_in_archive(source))
    else:
        raise GradingError(f"{source} is neither a folder nor a zip archive")
    latest: dict[str, Found] = {}
    for each in sorted(found, key=lambda f: f.time):
        latest[f"{each.name}\0{each.number}"] = each
    kept = [each for each in latest.values() if each.files or each.left_out]
    if not kept:
        raise GradingError(
            f"{source} holds no submission of {assignment}; it may be a download of Moodle or Canvas "
            "(a folder, or the zip archive itself), nbgrader's exchange, or a folder or a notebook a student"
        )
    return kept


def _in_folder(source: Path, assignment: str) -> Iterator[Found]:
    together: dict[tuple[str, str], Found] = {}
    for path in sorted(source.iterdir()):
        if path.name.startswith(".") or path.is_symlink():
            continue
        if path.is_dir():
            exchange, moodle = EXCHANGE.match(path.name), MOODLE.match(path.name)
            if exchange and exchange["assignment"] != assignment:
                continue
            inner = path / assignment
            read = intake.read(inner if inner.is_dir() and not inner.is_symlink() else path)
            named = exchange or moodle
            yield Found(
                named["name"] if named else path.name,
                moodle["id"] if moodle else "",
                exchange["time"] if exchange else "",
                read.contents,
                read.left_out,
            )
        elif path.is_file():
            _add(together, path.name, lambda path=path: path.read_bytes(), path.stat().st_size)
    yield from together.values()


def _in_archive(source: Path) -> Iterator[Found]:
    together: dict[tuple[str, str], Found] = {}
    try:
        with zipfile.ZipFile(source) as archive:
            for entry in archive.infolist():
                if not entry.is_dir():
                    _add(together, entry.filename, lambda entry=entry: _read(archive, entry), entry.file_size)
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        raise GradingError(f"{source} cannot be read ({error})") from error
    yield from together.values()


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with archive.open(entry) as handle:  # what an entry says of its size may be a lie
        return handle.read(intake.MOST_BYTES + 1)


def _add(together: dict[tuple[str, str], Found], name: str, read: object, size: int) -> None:
    """Put a file to the student whose it is, by its name."""
    path = PurePosixPath(name.replace("\\", "/"))
    for pattern in (MOODLE, CANVAS):
        matched = pattern.search(str(path)) or pattern.search(path.name)
        if matched:
            who, file = (matched["name"], matched["id"]), matched["file"] or "text.html"
            break
    else:
        # ada/sizes.ipynb, or ada.ipynb
        who = (path.parts[0] if len(path.parts) > 1 else path.stem, "")
        file = path.name
    found = together.setdefault(who, Found(*who))
    file = PurePosixPath(file).name
    if size > intake.MOST_BYTES or len(found.files) >= intake.MOST_FILES:
        found.left_out[file] = intake.too_large(size)
        return
    content = read()  # type: ignore[operator]
    if len(content) > intake.MOST_BYTES:
        found.left_out[file] = intake.too_large(len(content))
    else:
        found.files[file] = content


def _bare(name: str) -> str:
    """A name as Canvas writes it: letters and digits alone, in small letters."""
    return "".join(c for c in unicodedata.normalize("NFC", name).casefold() if c.isalnum())


def student_id(found: Found, people: Iterable[Person]) -> str:
    """The student whom the gradebook knows by the platform's number or by the name; else an id of the name.

    >>> people = [Person("ada", "Ada Kim", "77"), Person("bo", "Bo Kim")]
    >>> student_id(Found("Ada Kim", "5"), people), student_id(Found("kimbo", "6"), people)
    ('ada', 'bo')
    >>> student_id(Found("whoever", "77"), people), student_id(Found("Cy O'Neil", "8"), people)
    ('ada', 'Cy-O-Neil-8')
    """
    known = list(people)
    for person in known:
        if found.name == person.id or (found.number and found.number == person.number):
            return person.id
    bare = _bare(found.name)
    same = []
    for person in known:
        first, _, last = person.full_name.rpartition(" ")
        if person.full_name and bare in (_bare(person.full_name), _bare(last + first)):
            same.append(person.id)
    if len(same) == 1:  # of two who are called alike, a person must say who it is
        return same[0]
    plain = re.sub(r"[^\w.@-]+", "-", unicodedata.normalize("NFC", found.name)).strip("-.")
    return f"{plain or 'student'}-{found.number}" if found.number else plain or "student"


def collect(
    course: Course, assignment: str, source: Path, people: Iterable[Person] = ()
) -> tuple[dict[str, str], list[str]]:
    """Put submissions into ``submitted/STUDENT/ASSIGNMENT/``.

    Returns:
        what became of each student's (``new``, ``replaced``, ``unchanged``), and what to tell the instructor.
    """
    known, done, notes = list(people), dict[str, str](), list[str]()
    for found in find(source, assignment):
        student = student_id(found, known)
        if not is_name(student):
            notes.append(f"{found.name}: this can be no student id; collect it by hand")
            continue
        if student in done:
            notes.append(f"{found.name}: there is another submission of {student}; collect it by hand")
            continue
        if known and student not in {person.id for person in known}:
            notes.append(f"{found.name} is not in the gradebook; taken as {student}")
        notes += [f"{student}: {name} was left out ({why})" for name, why in found.left_out.items()]
        files = {_safe(name): content for name, content in found.files.items()}
        if found.time:
            files[intake.TIMESTAMP] = found.time.encode()
        target = course.submitted / student / assignment
        there = intake.read(target).contents if target.is_dir() and not target.is_symlink() else None
        if there == files:
            done[student] = "unchanged"
            continue
        state.write_folder(target, files)
        done[student] = "new" if there is None else "replaced"
    return done, notes


def _safe(name: str) -> str:
    """A file's own name, without folders and without what could hide it or lead elsewhere."""
    last = PurePosixPath(name.replace("\\", "/")).name.replace("\0", "")
    return last.lstrip(".")[:200] or "file"


def summary(done: Mapping[str, str]) -> str:
    """What was collected, in a line.

    >>> summary({"ada": "new", "bo": "unchanged", "cy": "new"})
    '2 new, 1 unchanged'
    """
    counts = {kind: list(done.values()).count(kind) for kind in ("new", "replaced", "unchanged")}
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count) or "nothing"
