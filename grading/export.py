"""The marks as a table: for Excel, LibreOffice and scripts, or as Canvas and Moodle import it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from grading import state
from grading.gradebook import Row, Table

#: What a spreadsheet would take for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")
#: What a terminal would obey when the file is shown in one, but for tabs and ends of lines.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def neutral(text: str) -> str:
    r"""Text that a spreadsheet shows and does not compute, and no terminal obeys.

    Programs that compute nothing see an apostrophe.

    >>> neutral("=HYPERLINK(1)"), neutral("-3"), neutral("Kim"), neutral("\x1b[2J")
    ("'=HYPERLINK(1)", "'-3", 'Kim', '\\x1b[2J')
    """
    text = _CONTROL.sub(lambda sign: f"\\x{ord(sign[0]):02x}", text)
    return "'" + text if text.lstrip(" ").startswith(_FORMULA) or text.startswith(_FORMULA) else text


def header(table: Table) -> list[str]:
    """The names of the columns."""
    return [
        "student",
        "last name",
        "first name",
        "submitted (UTC)",
        "hours late",
        *[f"{neutral(q.name)} [{_number(q.points)}]" for q in table.questions],
        "automatic",
        "manual",
        "late penalty",
        "total",
        "maximum",
        "waits for a person",
        "status",
        "reason",
    ]


def line(row: Row, table: Table) -> list[str]:
    """One student's fields. Questions without marks stay empty; a total is always there."""
    marks = [row.marks.get(q.name) for q in table.questions]
    return [
        neutral(row.student),
        neutral(row.last_name),
        neutral(row.first_name),
        _time(row.submitted),
        _number(row.seconds_late / 3600) if row.seconds_late else "",
        *["" if mark is None else _number(mark.score) for mark in marks],
        _number(row.automatic),
        _number(row.manual),
        _number(row.penalty),
        _number(row.total),
        _number(table.points),
        neutral(" ".join(row.waiting)),
        row.status,
        neutral(row.problem),
    ]


def as_csv(table: Table) -> bytes:
    """The whole table, in UTF-8 with the mark by which Excel knows it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header(table))
    writer.writerows(line(row, table) for row in table.rows)
    return text.getvalue().encode("utf-8-sig", "backslashreplace")


def as_canvas(table: Table) -> bytes:
    """What Canvas' gradebook imports: its leading columns, a row of points, one assignment.

    Canvas finds students by *SIS Login ID*, which is what their folder is called. Only marks that are
    final are in it, since an empty field would take a grade away.

    Source: ``lib/gradebook_importer.rb`` of instructure/canvas-lms (header, points row, matching).
    """
    rows = [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", neutral(table.assignment)],
        ["    Points Possible", "", "", "", "", _number(table.points)],
    ]
    for row in final(table):
        name = ", ".join(part for part in (row.last_name, row.first_name) if part) or row.student
        rows.append([neutral(name), "", "", neutral(row.student), "", _number(row.total)])
    return _packed(rows)


def as_moodle(table: Table) -> bytes:
    """What Moodle's grade import takes: map *Username* to the user, then grade and feedback to one item.

    Feedback goes along, since Moodle drops the grades of an item that gets one without the other. Only
    marks that are final are in it.

    Source: https://docs.moodle.org/311/en/Grade_import
    """
    rows = [
        [
            "Username",
            "First name",
            "Last name",
            neutral(table.assignment),
            neutral(f"{table.assignment} feedback"),
        ]
    ]
    for row in final(table):
        parts = [f"No points: {row.problem}"] if row.problem else _reached(row, table)
        if row.penalty:
            parts.append(f"late: −{_number(row.penalty)}")
        said = neutral(" · ".join(parts))
        rows.append(
            [neutral(row.student), neutral(row.first_name), neutral(row.last_name), _number(row.total), said]
        )
    return _packed(rows)


def final(table: Table) -> list[Row]:
    """Those whose marks wait for nobody any more."""
    return [row for row in table.rows if row.marks and not row.waiting]


def _reached(row: Row, table: Table) -> list[str]:
    return [
        f"{q.name.removesuffix('-check')} {_number(row.marks[q.name].score)}/{_number(q.points)}"
        for q in table.questions
        if q.name in row.marks
    ]


def _packed(rows: list[list[str]]) -> bytes:
    """CSV without a mark in front, which would become part of the first column's name."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


#: How marks can be written, and what the file's name ends in.
FORMATS: dict[str, tuple[Callable[[Table], bytes], str]] = {
    "csv": (as_csv, ".csv"),
    "canvas": (as_canvas, ".canvas.csv"),
    "moodle": (as_moodle, ".moodle.csv"),
}


def write(table: Table, folder: Path, kind: str = "csv") -> Path:
    """Write the table into a folder, all or nothing; return the file."""
    packed, ending = FORMATS[kind]
    file = folder / f"{table.assignment}{ending}"
    state.write(file, packed(table))
    return file


def _number(value: float) -> str:
    return f"{round(value, 2):.10g}"


def _time(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else ""
