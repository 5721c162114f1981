"""The table of marks, read back as a spreadsheet would read it."""

from __future__ import annotations

import csv
import io
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.export import as_csv, neutral
from grading.gradebook import Mark, Question, Row, Table

QUESTIONS = (Question("size", 2, False), Question("halve", 3, False), Question("why", 4, True))


def table(*rows: Row) -> Table:
    return Table("01-tiny", datetime(2026, 3, 9, 18), QUESTIONS, rows)


def row(student: str = "ada", first: str = "Ada", last: str = "Kim", **more) -> Row:
    return Row(student, first, last, more.pop("submitted", datetime(2026, 3, 9, 17, 42)), True, **more)


def read(table: Table) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(as_csv(table).decode("utf-8-sig"))))


def graded(why: Mark) -> Row:
    return row(
        marks={"size": Mark(2, None, 0, False), "halve": Mark(1.5, None, 0, False), "why": why},
        penalty=0.55,
        seconds_late=5400,
    )


def test_points_of_tests_and_points_by_hand_are_told_apart() -> None:
    (line,) = read(table(graded(Mark(None, 2, 0, False))))
    assert (line["size [2]"], line["halve [3]"], line["why [4]"]) == ("2", "1.5", "2")
    assert (line["automatic"], line["manual"], line["late penalty"]) == ("3.5", "2", "0.55")
    assert (line["total"], line["maximum"]) == ("4.95", "9")
    assert (line["hours late"], line["submitted (UTC)"]) == ("1.5", "2026-03-09 17:42:00")
    assert (line["waits for a person"], line["status"]) == ("", "graded")


def test_what_waits_for_a_person_is_named() -> None:
    (line,) = read(table(graded(Mark(None, None, 0, True))))
    assert (line["waits for a person"], line["status"], line["manual"]) == ("why", "waiting", "0")


def test_points_by_hand_go_before_those_of_the_tests() -> None:
    changed = row(marks={"size": Mark(0, 2, 0.5, False)})
    (line,) = read(table(changed))
    assert (line["size [2]"], line["automatic"], line["manual"], line["total"]) == ("2.5", "0", "2.5", "2.5")


def test_who_did_not_submit_has_a_row() -> None:
    (line,) = read(table(Row("eve", "Eve", "Park", None, False)))
    assert (line["status"], line["total"], line["size [2]"]) == ("not submitted", "0", "")


def test_a_penalty_never_goes_below_nothing() -> None:
    (line,) = read(table(row(marks={"size": Mark(1, None, 0, False)}, penalty=2)))
    assert line["total"] == "0"


@pytest.mark.parametrize(
    "name",
    ['=HYPERLINK("http://a.example";"marks")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1+1", "＠x"],
)
def test_names_are_no_formulas(name: str) -> None:
    (line,) = read(table(row(last=name)))
    assert line["last name"] == "'" + name


@pytest.mark.parametrize(
    "name", ["김", "Kim, Jr.", 'Ada "the first"', "O'Neill", "two\nlines", "a;b", "Łukasz Żółw"]
)
def test_names_survive(name: str) -> None:
    (line,) = read(table(row(last=name)))
    assert line["last name"] == name


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_any_name_survives_or_gets_an_apostrophe(name: str) -> None:
    (line,) = read(table(row(first=name)))
    assert line["first name"] in {name, "'" + name}
    assert not neutral(name).startswith(("=", "+", "-", "@"))


def test_excel_can_tell_that_it_is_utf_8() -> None:
    assert as_csv(table(row(last="김"))).startswith(b"\xef\xbb\xbf")
