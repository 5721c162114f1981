"""The marks as a table that Excel, LibreOffice and scripts can read."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from pathlib import Path

from grading.gradebook import Row, Table

#: What a spreadsheet would take for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")


def neutral(text: str) -> str:
    """Text that a spreadsheet shows and does not compute; others lose nothing but see an apostrophe.

    >>> neutral("=HYPERLINK(1)"), neutral("-3"), neutral("Kim")
    ("'=HYPERLINK(1)", "'-3", 'Kim')
    """
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
    ]


def as_csv(table: Table) -> bytes:
    """The whole table, in UTF-8 with the mark by which Excel knows it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header(table))
    writer.writerows(line(row, table) for row in table.rows)
    return text.getvalue().encode("utf-8-sig", "backslashreplace")


def write(table: Table, file: Path) -> None:
    """Write the table, all or nothing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(file.name + ".new")
    new.write_bytes(as_csv(table))
    new.replace(file)


def _number(value: float) -> str:
    return f"{round(value, 2):.10g}"


def _time(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else ""
