"""The table of marks, read back as a spreadsheet would read it."""

from __future__ import annotations

import csv
import io
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading import cli
from grading.export import FORMATS, as_canvas, as_csv, as_moodle, neutral, write
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


def rows_of(packed: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(packed.decode("utf-8"))))


CLASS = table(
    graded(Mark(None, 2, 0, False)),
    row(
        "bo",
        "",
        "",
        marks={q.name: Mark(0, None, 0, False) for q in QUESTIONS},
        problem="no notebook, <none>",
    ),
    row("cy", "Cy", "=1+1", marks={"size": Mark(2, None, 0, False), "why": Mark(None, None, 0, True)}),
    Row("eve", "Eve", "Park", None, False),
)


def test_canvas_finds_its_columns_the_points_and_the_students() -> None:
    """As Canvas' own importer reads it: leading columns in order, a row of points, logins, scores."""
    head, points, *students = rows_of(as_canvas(CLASS))
    assert "Student" in head[0]
    assert "ID" in head[1]
    assert head[2:5] == ["SIS User ID", "SIS Login ID", "Section"]
    assert head[5:] == ["01-tiny"]
    assert "Points Possible" in points[0]
    assert float(points[5]) == 9
    assert [(line[0], line[3], line[5]) for line in students] == [
        ("Kim, Ada", "ada", "4.95"),
        ("bo", "bo", "0"),
    ]
    assert {len(line) for line in (head, points, *students)} == {6}


def test_moodle_gets_a_user_a_grade_and_feedback() -> None:
    head, *students = rows_of(as_moodle(CLASS))
    assert head == ["Username", "First name", "Last name", "01-tiny", "01-tiny feedback"]
    assert students == [
        ["ada", "Ada", "Kim", "4.95", "size 2/2 · halve 1.5/3 · why 2/4 · late: −0.55"],
        ["bo", "", "", "0", "No points: no notebook, <none>"],
    ]


@pytest.mark.parametrize("kind", ["canvas", "moodle"])
def test_the_first_column_s_name_is_its_own(kind: str) -> None:
    assert FORMATS[kind][0](CLASS)[:3] in (b"Stu", b"Use")


@pytest.mark.parametrize("kind", FORMATS)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_field_of_any_format_is_a_formula(kind: str, name: str) -> None:
    marks = {q.name: Mark(1, None, 0, False) for q in QUESTIONS}
    packed = FORMATS[kind][0](table(row(first=f"={name}", last=f"@{name}", marks=marks, problem=name)))
    for line in csv.reader(io.StringIO(packed.decode("utf-8-sig"), newline="")):
        for field in line:
            assert not field.startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize("kind", FORMATS)
def test_no_field_of_any_format_moves_a_terminal(kind: str) -> None:
    marks = {q.name: Mark(1, None, 0, False) for q in QUESTIONS}
    name = "".join(map(chr, (*range(32), *range(127, 160))))
    text = FORMATS[kind][0](table(row(first=name, last=name, marks=marks, problem=name))).decode("utf-8-sig")
    assert {sign for sign in text if not sign.isprintable()} <= set("\t\r\n")


def test_each_format_has_a_file_of_its_own(tmp_path) -> None:
    files = [write(CLASS, tmp_path / "marks", kind) for kind in FORMATS]
    assert [file.name for file in files] == ["01-tiny.csv", "01-tiny.canvas.csv", "01-tiny.moodle.csv"]
    assert sorted((tmp_path / "marks").iterdir()) == sorted(files)
    options = cli.parser().parse_args(["export", "--format", "canvas", "01"])
    assert options.format == "canvas"
    for kind in FORMATS:
        assert cli.parser().parse_args(["export", "--format", kind]).format == kind


def test_a_zero_says_why() -> None:
    lines = {line["student"]: line for line in read(CLASS)}
    assert (lines["bo"]["status"], lines["bo"]["reason"]) == ("zero", "no notebook, <none>")
    assert (lines["ada"]["status"], lines["ada"]["reason"]) == ("graded", "")
