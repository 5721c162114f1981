"""Take in what a student handed in: bytes of any kind become a clean notebook, or a reason why not.

The notebook that nbgrader opens is always the released one, with the student's answers in their places, so
that nothing else in the file, clumsy or hostile, reaches it: no metadata, outputs, tests or ids of the
student's. Answers are found by grade id, then by cell id, by their text, by the names that they define, and
by where they stand. Cells of the student's own stay where they were, as plain cells, since answers may need
what they define. Nothing here runs or compiles what a student wrote.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import copy
import io
import json
import os
import re
import stat
import unicodedata
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dateutil.parser  # type: ignore[import-untyped]
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell

from grading.errors import GradingError, printable

#: The most files of a submission that are looked at, how deep in folders, and the largest of them (bytes).
MOST_FILES, MOST_DEPTH, MOST_BYTES = 200, 3, 64 << 20
#: The most values in a notebook's JSON, which may take fifty times their text in memory.
MOST_PARTS = 4_000_000
#: The largest archive that is opened, and the most files in it.
MOST_ZIPPED, MOST_ENTRIES = 32 << 20, 1000
#: The longest cell, the most cells of the student's own, the longest that these may be together.
MOST_SOURCE, MOST_EXTRAS, MOST_TEXT = 256 << 10, 500, 4 << 20
#: The largest picture in an answer, as base64.
MOST_PICTURE = 8 << 20
#: Where it is written when a submission was handed in.
TIMESTAMP = "timestamp.txt"

_SUFFIXES = (".ipynb", ".json", ".txt", ".zip")
_SKIPPED = re.compile(r"\.(?!\.?$)|__pycache__$|__MACOSX$")
_NO_NOTEBOOK = "only notebooks are graded"
_DAYS = (datetime(2000, 1, 1, 0), datetime(2004, 2, 2, 1))
_NO_TIME = (ValueError, OverflowError, TypeError, AttributeError, ArithmeticError)
_PICTURES = ("image/png", "image/jpeg", "image/gif")
_MAKE = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}
_ARCHIVES = {
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"%PDF": "a PDF file",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}


class Refused(GradingError):
    """Why there is nothing in a submission to give points for."""


@dataclass(frozen=True)
class Files:
    """What lay in a student's folder."""

    #: Name below the folder → content, of all files that may be a notebook or say something of one.
    contents: dict[str, bytes] = field(default_factory=dict)
    #: Name → why it was not read.
    left_out: dict[str, str] = field(default_factory=dict)
    #: When the latest of them was written (UTC, ISO 8601).
    written: str | None = None


@dataclass(frozen=True)
class Taken:
    """What is graded."""

    #: Released file name → the released notebook with the student's answers.
    notebooks: dict[str, bytes]
    #: What was put right, for the student.
    notes: list[str]


# --- From a folder ----------------------------------------------------------------------------------------


def read(folder: Path) -> Files:
    """Read the files of a folder that a student filled: no links, no devices, nothing without end."""
    files, latest = Files(), 0.0
    if not stat.S_ISDIR(folder.lstat().st_mode):
        return Files(left_out={folder.name: "a link, or no folder"})
    for number, (path, name) in enumerate(_walk(folder)):
        if number >= MOST_FILES:
            files.left_out["…"] = f"more than {MOST_FILES} files"
            break
        content = _content(path, name)
        if isinstance(content, str):
            files.left_out[_fresh(name, files)] = content
        else:
            files.contents[_fresh(name, files)] = content
            latest = max(latest, path.lstat().st_mtime)
    with contextlib.suppress(OverflowError, OSError, ValueError):  # a file may claim any year
        if latest:
            moment = datetime.fromtimestamp(latest, UTC).replace(tzinfo=None, microsecond=0)
            return Files(files.contents, files.left_out, moment.isoformat())
    return files


def _walk(folder: Path, prefix: str = "", depth: int = 0) -> Iterator[tuple[Path, str]]:
    """What is in a folder and in those in it, each with its name; folders without links, and not too deep."""
    folders = []
    for path in sorted(folder.iterdir(), key=lambda p: os.fsencode(p.name)):
        if _SKIPPED.match(path.name):
            continue
        if stat.S_ISDIR(path.lstat().st_mode):
            folders.append(path)
        else:
            yield path, prefix + legible(path.name)
    for path in folders if depth < MOST_DEPTH else ():
        yield from _walk(path, f"{prefix}{legible(path.name)}/", depth + 1)


def _content(path: Path, name: str) -> bytes | str:
    """A file's content, or why it is not read; the file may become another while it is looked at."""
    about = path.lstat()
    if not stat.S_ISREG(about.st_mode):
        kind = "a link" if stat.S_ISLNK(about.st_mode) else "no ordinary file"
        return f"{kind}; hand in the file itself"
    if "." in name and not name.rstrip(" .").casefold().endswith(_SUFFIXES):
        return _NO_NOTEBOOK
    if about.st_size > MOST_BYTES:
        return too_large(about.st_size)
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0))
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    with os.fdopen(descriptor, "rb") as handle:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return "no ordinary file; hand in the file itself"
        content = handle.read(MOST_BYTES + 1)
    return content if len(content) <= MOST_BYTES else too_large(len(content))


def too_large(size: int) -> str:
    """Why a file is not read.

    >>> too_large(200 << 20)
    'it has 200 MiB, and at most 64 are read; clear the outputs (Kernel ▸ Restart Kernel and Clear Outputs)'
    """
    return (
        f"it has {size >> 20} MiB, and at most {MOST_BYTES >> 20} are read; "
        "clear the outputs (Kernel ▸ Restart Kernel and Clear Outputs)"
    )


def legible(name: str) -> str:
    r"""A file's name as text: composed as usual, and read as Korean Windows wrote it where it is not UTF-8.

    >>> legible("과제.ipynb"), legible(os.fsdecode("과제.ipynb".encode("cp949")))
    ('과제.ipynb', '과제.ipynb')
    """
    raw = os.fsencode(name)
    for encoding in ("utf-8", "cp949"):
        with contextlib.suppress(UnicodeDecodeError):
            return unicodedata.normalize("NFC", raw.decode(encoding))
    return raw.decode("utf-8", "backslashreplace")


def _fresh(name: str, files: Files) -> str:
    while name in files.contents or name in files.left_out:
        name += " (2)"
    return name


def timestamp(content: bytes | None, written: str | None) -> tuple[str | None, list[str]]:
    """When it was handed in (UTC, ISO 8601, or None where nothing says), and what to tell the student.

    ``content`` is that of ``timestamp.txt``, ``written`` when the files were written.

    >>> timestamp(b"2026-03-09 18:00:00 +0900", None)
    ('2026-03-09T09:00:00', [])
    >>> timestamp(b"yesterday", "2026-03-09T18:00:00")[0]
    '2026-03-09T18:00:00'
    """
    said = _decoded(content[:200])[0].strip("\ufeff\0 \t\r\n") if content else ""
    if said:
        with warnings.catch_warnings(), contextlib.suppress(*_NO_TIME):
            warnings.simplefilter("ignore")  # names of time zones that it does not know
            # Twice, since the parser fills in what is not said: a date without its hour is none here.
            one, two = (dateutil.parser.parse(said[:100], default=day) for day in _DAYS)
            if one == two:
                moment = one if one.tzinfo is None else one.astimezone(UTC).replace(tzinfo=None)
                return moment.isoformat(), []
    if not said and content is None:
        return written, []
    what = f"{TIMESTAMP} holds no time that can be read ({_quoted(said[:40]) if said else 'it is empty'})"
    return written, [f"{what}; what counts is when the files were written" if written else what]


# --- The notebook that is graded --------------------------------------------------------------------------


def take(
    files: Mapping[str, bytes], released: Mapping[str, bytes], left_out: Mapping[str, str] | None = None
) -> Taken:
    """The released notebooks with the student's answers in their places.

    Args:
        files: what was handed in, as bytes by name.
        released: the assignment's notebooks as students got them, by file name.
        left_out: what else was handed in, with why it was not read.

    Raises:
        Refused: nothing in ``files`` can be graded; says why.
    """
    notes: list[str] = []
    problems = {name: reason for name, reason in (left_out or {}).items() if reason}
    candidates, unread = _candidates(files, tuple(released))
    problems.update(unread)
    notebooks, used = {}, set()
    fits: dict[str, _Fit] = {}
    for name in sorted(released):
        release = _Release(name, released[name])
        possible = [_Fit(release, candidate) for candidate in candidates if candidate.name not in used]
        possible = [fit for fit in possible if fit.belongs]
        if possible:
            fits[name] = max(possible, key=lambda fit: fit.rank)
            used.add(fits[name].candidate.name)
    if not fits:
        raise Refused(_missing(sorted(released), [c.name for c in candidates], problems))
    for name in sorted(released):
        if name not in fits:
            notes.append(f"{name} is missing: its questions got no points" + _because(name, problems))
            notebooks[name] = _Release(name, released[name]).blank()
            continue
        fit = fits[name]
        notes += fit.candidate.notes
        if fit.candidate.name != name:
            notes.append(
                f"graded was {_quoted(fit.candidate.name)}; hand it in as {name}" + _because(name, problems)
            )
        notebooks[name] = fit.rebuilt(notes)
    others = sorted(c.name for c in candidates if c.name not in used and c.like(released))
    if others:
        notes.append(f"not graded, since there is one that counts: {', '.join(map(_quoted, others[:5]))}")
    aside = sorted(name for name, why in problems.items() if why == _NO_NOTEBOOK)
    if aside:
        notes.append(f"only notebooks are graded; left out: {', '.join(map(_quoted, aside[:5]))}")
    return Taken(notebooks, notes)


def _quoted(name: str) -> str:
    return f'"{printable(name[:80]).replace(chr(10), " ")}"'


def _because(name: str, problems: Mapping[str, str]) -> str:
    return f" ({name}: {problems[name]})" if name in problems else ""


def _missing(expected: Sequence[str], others: Sequence[str], problems: Mapping[str, str]) -> str:
    """Why nothing can be graded: of the file that should be there, or of whatever else is."""
    for name in [*expected, *sorted(problems)]:
        if name in problems and problems[name] != _NO_NOTEBOOK:
            return f"{_plain(name)} is not a notebook that can be read ({problems[name]})"
    there = sorted({*others, *problems})
    said = f"{', '.join(expected)} is missing"
    if set(expected) & set(others):
        said = f"nothing of this assignment was found in {', '.join(sorted(set(expected) & set(others)))}"
        there = sorted(set(there) - set(expected))
    return said + (f"; there is {', '.join(_plain(n) for n in there[:5])}" if there else "")


def _plain(name: str) -> str:
    return printable(name[:80]).replace("\n", " ")


@dataclass(frozen=True)
class _Cell:
    """What counts of a cell that a student handed in."""

    kind: str
    source: str
    grade_id: str
    identity: str
    attachments: dict[str, dict[str, str]]


@dataclass(frozen=True)
class _Candidate:
    """A file that is a notebook of some kind."""

    name: str
    cells: list[_Cell]
    notes: list[str]

    def like(self, released: Iterable[str]) -> bool:
        """Whether it might be taken for the one that counts."""
        return any(_same(self.name, name) for name in released) or any(cell.grade_id for cell in self.cells)


def _same(name: str, released: str) -> bool:
    """Whether a file is called as released, but for case, blanks, the folder, and what copying adds."""
    return _bare(name) == _bare(released)


def _bare(name: str) -> str:
    base = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1].strip(" .").casefold()
    base = re.sub(r"(\.ipynb)?(\.(txt|json|zip))?$", "", base)
    return re.sub(r"[ _-]*(\(\d+\)|copy ?\d*|사본|복사본)$", "", base).strip()


def _candidates(
    files: Mapping[str, bytes], released: Sequence[str]
) -> tuple[list[_Candidate], dict[str, str]]:
    """The notebooks among the files, and why others are none."""
    found: list[_Candidate] = []
    problems: dict[str, str] = {}
    for name in sorted(files, key=lambda n: (n not in released, not n.casefold().endswith(".ipynb"), n)):
        content = files[name]
        if name == TIMESTAMP or len(found) >= 20:
            continue
        try:
            if content[:4] == b"PK\x03\x04":
                for inner, unpacked in _unzipped(content):
                    with contextlib.suppress(Refused):
                        found.append(_notebook(f"{name}/{inner}", unpacked))
            else:
                found.append(_notebook(name, content))
        except Refused as refused:
            if ".ipynb" in name.casefold() or not _plain_text(content) or name.casefold().endswith(".zip"):
                problems[name] = str(refused)
    return found, problems


def _plain_text(content: bytes) -> bool:
    return content.lstrip()[:1] != b"{" and content[:2] not in {head[:2] for head in _ARCHIVES}


def _unzipped(content: bytes) -> Iterator[tuple[str, bytes]]:
    """The notebooks of a zip archive, each as long as one may be; nothing else of it is unpacked."""
    if len(content) > MOST_ZIPPED or content.count(b"PK\x01\x02") > MOST_ENTRIES:
        raise Refused("an archive with too much in it; hand in the notebook itself")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [
                entry
                for entry in archive.infolist()
                if entry.filename.casefold().endswith(".ipynb")
                and not any(_SKIPPED.match(part) for part in re.split(r"[/\\]", entry.filename))
            ]
            if not 1 <= len(entries) <= 10:
                raise Refused(f"an archive with {len(entries)} notebooks in it; hand in the notebook itself")
            left = MOST_BYTES
            for entry in entries:
                if entry.flag_bits & 1:
                    raise Refused("an archive with a password; hand in the notebook itself")
                if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise Refused("an archive of a kind that is not opened; hand in the notebook itself")
                with archive.open(entry) as packed:
                    unpacked = packed.read(left + 1)
                left -= len(unpacked)
                if left < 0:
                    raise Refused(
                        f"an archive of more than {MOST_BYTES >> 20} MiB; hand in the notebook itself"
                    )
                yield entry.filename, unpacked
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError, RuntimeError) as error:
        raise Refused(f"an archive that cannot be opened ({type(error).__name__})") from None
    except Exception as error:  # zlib.error, and whatever else a broken archive may come to
        if isinstance(error, Refused):
            raise
        raise Refused(f"an archive that cannot be opened ({type(error).__name__})") from None


def _notebook(name: str, content: bytes) -> _Candidate:
    """A notebook read as leniently as can be."""
    if not content.strip(b"\0 \t\r\n\xef\xbb\xbf\xff\xfe"):
        raise Refused("it is empty")
    if len(content) > MOST_BYTES:
        raise Refused(too_large(len(content)))
    for head, kind in _ARCHIVES.items():
        if content.startswith(head):
            raise Refused(f"it is {kind}; hand in the notebook itself")
    if content[257:262] == b"ustar":
        raise Refused("it is a tar archive; hand in the notebook itself")
    text, notes = _decoded(content)
    if re.match(r"\s*<(!doctype|html|\?xml)", text[:200], re.IGNORECASE):
        raise Refused("it is a web page; hand in the file that Jupyter saves")
    if sum(text.count(mark) for mark in "[{,:") > MOST_PARTS:
        raise Refused("it holds too many values; clear the outputs and save it again")
    cells, more = _parsed(text)
    called = _quoted(name)
    return _Candidate(name, _read_cells(cells), [f"{called} {said}" for said in [*notes, *more]])


def _decoded(content: bytes) -> tuple[str, list[str]]:
    """Bytes as text, in whatever encoding an editor or a system may have left them."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe\0\0", "utf-32"),
        (b"\0\0\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if content.startswith(mark):
            return content.decode(encoding, "replace"), []
    head = content[:400]
    if len(head) > 3 and head[1::2].count(0) > len(head) // 4:
        return content.decode("utf-16-le", "replace"), []
    if len(head) > 3 and head[::2].count(0) > len(head) // 4:
        return content.decode("utf-16-be", "replace"), []
    with contextlib.suppress(UnicodeDecodeError):
        return content.decode("utf-8"), []
    with contextlib.suppress(UnicodeDecodeError):
        return content.decode("cp949"), ["is not in UTF-8; it was read as CP949 (Korean Windows)"]
    return content.decode("utf-8", "replace"), ["is not in UTF-8; what could not be read is shown as �"]


def _number(text: str) -> float:
    try:
        return float(text)
    except (ValueError, OverflowError):
        return float("inf")


#: JSON as Jupyter's own reader would take it and a little beyond: the last of equal keys counts, numbers may
#: have any length (none matters here), control characters may stand in strings.
_JSON = json.JSONDecoder(strict=False, parse_int=_number, parse_float=_number, parse_constant=lambda _: None)


def _parsed(text: str) -> tuple[list[Any], list[str]]:
    """The cells of a notebook as they stand in its JSON."""
    text = text.strip("\ufeff\0 \t\r\n")
    try:
        whole = _JSON.decode(text)
        problem = ""
    except RecursionError:
        problem = "its JSON is nested too deeply"
    except ValueError as error:
        line = getattr(error, "lineno", 0)
        problem = f"no valid JSON at line {line}" if line else "no valid JSON"
    if not problem:
        return _cells_of(whole), []
    if re.search(r"^<{7}(\s|$)", text, re.MULTILINE):
        for second, which in ((False, "first (yours)"), (True, "second")):
            with contextlib.suppress(ValueError, RecursionError, Refused):
                cells = _cells_of(_JSON.decode(_one_side(text, second)))
                return cells, [f"has git's conflict marks in it; of each, the {which} version counts"]
        problem = "git's conflict marks are in it; settle the conflict and hand it in again"
    cells = list(_from_the_beginning(text))
    if not cells:
        raise Refused(problem)
    return cells, [f"is damaged ({problem}); {len(cells)} cells from its beginning could be read"]


def _one_side(text: str, second: bool) -> str:
    """One side of each of git's conflicts."""
    kept, part = [], 0
    for line in text.splitlines():
        mark = re.match(r"(<{7}|\|{7}|={7}|>{7})(\s|$)", line)
        if mark:
            part = {"<": 1, "|": 2, "=": 3, ">": 0}[line[0]]
        elif part in (0, 3 if second else 1):
            kept.append(line)
    return "\n".join(kept)


def _cells_of(whole: Any) -> list[Any]:
    """The list of cells, in a notebook of any version."""
    if isinstance(whole, dict):
        if isinstance(whole.get("cells"), list):
            return list(whole["cells"])
        sheets = whole.get("worksheets")  # until version 3
        if isinstance(sheets, list):
            lists = [s["cells"] for s in sheets if isinstance(s, dict) and isinstance(s.get("cells"), list)]
            return [cell for cells in lists for cell in cells]
    raise Refused("it has no list of cells")


def _from_the_beginning(text: str) -> Iterator[Any]:
    """The cells before the place where the JSON breaks off."""
    start = re.search(r'(?<!\\)"cells"\s*:\s*\[', text)
    at = start.end() if start else len(text)
    while (next_one := re.compile(r"[\s,]*").match(text, at)) and text[
        next_one.end() : next_one.end() + 1
    ] == "{":
        try:
            cell, at = _JSON.raw_decode(text, next_one.end())
        except (ValueError, RecursionError):
            return
        yield cell


def _read_cells(cells: list[Any]) -> list[_Cell]:
    return [_read_cell(cell) for cell in cells if isinstance(cell, dict)]


def _read_cell(cell: dict[str, Any]) -> _Cell:
    kind = cell.get("cell_type")
    about = cell.get("metadata")
    ours = about.get("nbgrader") if isinstance(about, dict) else None
    grade_id = ours.get("grade_id") if isinstance(ours, dict) else None
    identity = cell.get("id")
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str):
        source = ""
    kind = {"code": "code", "raw": "raw"}.get(kind, "markdown") if isinstance(kind, str) else "markdown"
    return _Cell(
        kind,
        _clean(source),
        grade_id if isinstance(grade_id, str) else "",
        identity if isinstance(identity, str) else "",
        _pictures(cell.get("attachments")),
    )


def _clean(source: str) -> str:
    """Text that every program can write, with one kind of line ends."""
    text = source.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def _pictures(attachments: Any) -> dict[str, dict[str, str]]:
    """The pictures that were pasted into a cell."""
    kept: dict[str, dict[str, str]] = {}
    for name, kinds in attachments.items() if isinstance(attachments, dict) else ():
        for kind, text in kinds.items() if isinstance(kinds, dict) else ():
            if isinstance(text, list):
                text = "".join(part for part in text if isinstance(part, str))  # noqa: PLW2901
            if kind in _PICTURES and isinstance(text, str) and len(text) <= MOST_PICTURE and len(kept) < 20:
                with contextlib.suppress(binascii.Error, ValueError):
                    pure = base64.b64encode(base64.b64decode(re.sub(r"\s", "", text), validate=True)).decode()
                    kept[_clean(name)[:200]] = {kind: pure}
    return kept


# --- Which of the student's cells is which of the released ones -------------------------------------------


class _Release:
    """A notebook as students got it."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name
        self.notebook: NotebookNode = nbformat.v4.reads(content.decode("utf-8"))
        self.notebook.nbformat_minor = max(5, self.notebook.nbformat_minor)
        self.places: dict[str, int] = {}
        self.by_id: dict[str, int] = {}
        self.by_text: dict[str, int] = {}
        texts: dict[str, int] = {}
        for index, cell in enumerate(self.notebook.cells):
            cell.setdefault("id", f"cell-{index}")
            if "outputs" in cell:
                cell.outputs, cell.execution_count = [], None
            self.by_id[cell.id] = index
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
            if grade_id:
                self.places[grade_id] = index
            text = _squeezed(cell.source)
            texts[text] = texts.get(text, 0) + 1
            self.by_text[text] = index
        self.by_text = {text: i for text, i in self.by_text.items() if text and texts[text] == 1}

    def title(self, index: int) -> str:
        """What a cell is called, for the student."""
        cell = self.notebook.cells[index]
        return str(cell.metadata.get("nbgrader", {}).get("grade_id") or cell.id)

    def answers(self) -> list[int]:
        """Where students write."""
        return [i for i, cell in enumerate(self.notebook.cells) if self.is_answer(i)]

    def is_answer(self, index: int) -> bool:
        """Whether a cell is one that students write into."""
        return bool(self.notebook.cells[index].metadata.get("nbgrader", {}).get("solution"))

    def is_core(self, index: int) -> bool:
        """Whether a cell is an answer or a test."""
        about = self.notebook.cells[index].metadata.get("nbgrader", {})
        return bool(about.get("solution") or about.get("grade") or about.get("task"))

    def place(self, cell: _Cell) -> int | None:
        """Which of the released cells a student's cell says it is."""
        for known, key in (
            (self.places, cell.grade_id),
            (self.by_id, cell.identity),
            (self.by_text, _squeezed(cell.source)),
        ):
            if key in known:
                return known[key]
        return None

    def blank(self) -> bytes:
        """The notebook without answers."""
        return _written(self.notebook)


def _squeezed(source: str) -> str:
    return "\n".join(line.rstrip() for line in source.strip().splitlines())


_DEFINED = re.compile(
    r"^(?:(?:async[ \t]+)?def|class)[ \t]+(\w+)|^(\w+(?:[ \t]*,[ \t]*\w+)*)[ \t]*(?::[^=\n]{0,200})?=(?!=)",
    re.MULTILINE,
)


def defined(source: str) -> set[str]:
    r"""The names that a cell gives a meaning to, in lines that are not indented.

    Read from the text: to compile what a student wrote is no work for the grader's own process.

    >>> sorted(defined("a, b = 1, 2\nif a == b:\n    c = 3\ndef f(x):\n    return x"))
    ['a', 'b', 'f']
    """
    return {
        name.strip()
        for function, names in _DEFINED.findall(source[:MOST_SOURCE])
        for name in (function or names).split(",")
    }


class _Fit:
    """A student's notebook beside the released one."""

    def __init__(self, release: _Release, candidate: _Candidate) -> None:
        self.release, self.candidate = release, candidate
        cells = candidate.cells
        self._places: list[int | None] = [release.place(cell) for cell in cells]
        known = {place for place in self._places if place is not None}
        #: Answers that stand in the cell of another question, two in one.
        self._elsewhere: set[int] = set()
        self._guessed: set[int] = set()
        self._guess()
        #: Whether it is this assignment's: by its name, or by a question's or a test's.
        self.belongs = any(place is not None for place in self._places) and (
            _same(candidate.name, release.name) or any(release.is_core(place) for place in known)
        )
        filled = sum(bool(self._copies(place)) for place in release.answers())
        self.rank = (
            filled > 0,
            candidate.name == release.name,
            _same(candidate.name, release.name),
            filled,
            len(known),
            [-ord(c) for c in candidate.name],
        )

    def _guess(self) -> None:
        """Find answers whose cells have lost their names: by what they define, then by where they stand."""
        release, cells, places = self.release, self.candidate.cells, self._places
        defines = [defined(cell.source) for cell in cells]
        for answer in release.answers():
            if answer in places:
                continue
            names = defined(release.notebook.cells[answer].source)
            free = [i for i, place in enumerate(places) if place is None and names & defines[i]]
            if free:
                best = max(free, key=lambda i: (len(names & defines[i]), i))
                places[best] = answer
                self._guessed.add(answer)
            elif names and any(
                names & defines[i] and place is not None and release.is_answer(place)
                for i, place in enumerate(places)
            ):
                self._elsewhere.add(answer)
        for answer in release.answers():
            if answer in places or answer in self._elsewhere:
                continue
            before = [i for i, p in enumerate(places) if p is not None and p < answer]
            after = [i for i, p in enumerate(places) if p is not None and p > answer]
            first = max(before, default=-1) + 1
            last = min((i for i in after if i >= first), default=len(cells))
            kind = release.notebook.cells[answer].cell_type
            between = [
                i
                for i in range(first, last)
                if places[i] is None and cells[i].kind == kind and cells[i].source.strip()
            ]
            if (before or after) and between:
                places[between[0]] = answer
                self._guessed.add(answer)

    def _copies(self, place: int) -> list[int]:
        """The student's cells that are filled in for an answer, in their order."""
        blank = _squeezed(self.release.notebook.cells[place].source)
        return [
            i
            for i, p in enumerate(self._places)
            if p == place and _squeezed(self.candidate.cells[i].source) not in ("", blank)
        ]

    def rebuilt(self, notes: list[str]) -> bytes:
        """The released notebook with the student's answers, and the student's own cells between."""
        release, cells = self.release, self.candidate.cells
        notebook = copy.deepcopy(release.notebook)
        chosen: dict[int, int] = {}
        own: dict[int, list[int]] = {}
        for place in release.answers():
            copies = self._copies(place)
            if copies:
                chosen[place] = copies[-1]
                different = [i for i in copies if cells[i].source != cells[copies[-1]].source]
                if len(self._standing(place)) > 1:
                    notes.append(self._about_copies(place, different))
                own[place] = different
        self._tell_of_the_rest(chosen, notes)
        for index, extra in self._extras():
            own.setdefault(extra, []).append(index)
        for place, index in chosen.items():
            self._fill(notebook.cells[place], cells[index], release.title(place), notes)
        for place in self._elsewhere:
            if notebook.cells[place].cell_type == "code" and place not in chosen:
                notebook.cells[place].source = "# answered in the cell of another question"
        rebuilt, count, length = [], 0, 0
        for place, cell in enumerate([*notebook.cells, None]):
            for index in sorted(own.get(place, ())):
                count, length = count + 1, length + len(cells[index].source)
                if count <= MOST_EXTRAS and length <= MOST_TEXT and len(cells[index].source) <= MOST_SOURCE:
                    rebuilt.append(_plain_cell(cells[index], f"own-{count}", release.by_id))
            if cell is not None:
                rebuilt.append(cell)
        if count > MOST_EXTRAS or length > MOST_TEXT:
            notes.append(f"of {count} cells of your own, those at the end were left out: they are too many")
        notebook.cells = rebuilt
        return _written(notebook)

    def _standing(self, place: int) -> list[int]:
        return [i for i, p in enumerate(self._places) if p == place]

    def _about_copies(self, place: int, different: list[int]) -> str:
        title = self.release.title(place)
        if not different:
            return f"the copy of cell {title} was left out"
        return f"cell {title} was there {len(self._copies(place))} times; the last one counts"

    def _extras(self) -> Iterator[tuple[int, int]]:
        """The student's own cells, each with the released cell that it goes before."""
        ahead = len(self.release.notebook.cells)
        found = []
        for index in range(len(self._places) - 1, -1, -1):
            place = self._places[index]
            if place is not None:
                ahead = place
            elif self.candidate.cells[index].source.strip():
                found.append((index, ahead))
        yield from reversed(found)

    def _fill(self, cell: NotebookNode, answer: _Cell, title: str, notes: list[str]) -> None:
        if len(answer.source) > MOST_SOURCE:
            notes.append(f"cell {title} is longer than {MOST_SOURCE >> 10} KiB and was left out")
            return
        if cell.cell_type != answer.kind:
            notes.append(f"cell {title} had become a {answer.kind} cell; it was read as {cell.cell_type}")
        cell.source = answer.source
        if answer.attachments and cell.cell_type == "markdown":
            cell.attachments = answer.attachments

    def _tell_of_the_rest(self, chosen: Mapping[int, int], notes: list[str]) -> None:
        release, cells = self.release, self.candidate.cells
        there = set(self._places)
        order = [place for place in self._places if place is not None and self._places.count(place) == 1]
        if self._guessed & chosen.keys():
            named = ", ".join(release.title(p) for p in sorted(self._guessed & chosen.keys())[:5])
            notes.append(f"some cells had lost their names; taken for answers were those of {named}")
        if order != sorted(order):
            notes.append("cells had been moved; they were put back in their order")
        for place, cell in enumerate(release.notebook.cells):
            about = cell.metadata.get("nbgrader", {})
            title = release.title(place)
            if not about.get("grade_id") or release.is_answer(place):
                if release.is_answer(place) and place not in there:
                    told = "is answered in another cell" if place in self._elsewhere else "was not there"
                    notes.append(f"cell {title} {told}")
                continue
            standing = self._standing(place)
            what = "the test" if about.get("grade") else "the text"
            if not standing:
                notes.append(f"{what} {title} had been deleted; it was put back")
            elif any(_squeezed(cells[i].source) != _squeezed(cell.source) for i in standing):
                notes.append(f"{what} {title} had been changed; the original counts")


def _plain_cell(cell: _Cell, identity: str, taken: Mapping[str, int]) -> NotebookNode:
    while identity in taken:
        identity += "-"
    made = _MAKE[cell.kind](cell.source, id=identity)
    if cell.attachments and cell.kind == "markdown":
        made.attachments = cell.attachments
    return made


def _written(notebook: NotebookNode) -> bytes:
    return json.dumps(notebook, ensure_ascii=False, sort_keys=True).encode()
