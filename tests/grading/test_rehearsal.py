"""The rehearsal class, after a real `nbgrader autograde`: its marks are known, and so is all that follows."""

from __future__ import annotations

import csv
import io
import math
import struct
import tomllib
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from grading import gradebook, report, run
from grading.course import Course
from grading.errors import GradingError
from grading.rehearsal import Rehearsal, rehearse

pytestmark = [pytest.mark.grading, pytest.mark.slow, pytest.mark.xdist_group("rehearsal")]

CLASS = Path(__file__).parents[1] / "class"
STUDENTS = {
    file.stem: tomllib.loads(file.read_text(encoding="utf-8"))
    for file in sorted((CLASS / "students").glob("*.toml"))
}
SUBMITTED = sorted(name for name, student in STUDENTS.items() if "submitted" in student)


@pytest.fixture(scope="module")
def table(rehearsed: Course) -> gradebook.Table:
    (found,) = run.tables(rehearsed)
    return found


@pytest.fixture(scope="module")
def rows(table: gradebook.Table) -> dict[str, gradebook.Row]:
    return {row.student: row for row in table.rows}


def expected(name: str) -> float:
    """A student's total by the documented rule, computed from the student's file alone."""
    student = STUDENTS[name]
    score = sum((student["marks"] | student.get("manual", {})).values())
    due = tomllib.loads((CLASS / "class.toml").read_text(encoding="utf-8"))["due"]
    late = (student["submitted"] - due).total_seconds()
    days = math.ceil(late / 86400) if late > 15 * 60 else 0
    return score - round(score * min(10 * days, 50) / 100, 2)


def test_the_class_is_what_it_should_be() -> None:
    assert len(SUBMITTED) >= 12
    assert len(STUDENTS) > len(SUBMITTED)
    assert len({student["about"] for student in STUDENTS.values()}) == len(STUDENTS)


@pytest.mark.parametrize("name", SUBMITTED)
def test_marks_by_question(rows, name: str) -> None:
    got = {question: mark.automatic or 0 for question, mark in rows[name].marks.items()}
    assert got == STUDENTS[name]["marks"]


@pytest.mark.parametrize("name", SUBMITTED)
def test_totals_with_points_by_hand_and_lateness(rows, name: str) -> None:
    assert rows[name].total == pytest.approx(expected(name), abs=0.005)
    given = {question: mark.manual for question, mark in rows[name].marks.items() if mark.manual is not None}
    assert given == STUDENTS[name].get("manual", {})


@pytest.mark.parametrize("name", SUBMITTED)
def test_names_and_times(rows, name: str) -> None:
    student = STUDENTS[name]
    assert (rows[name].first_name, rows[name].last_name) == (student["first_name"], student["last_name"])
    assert rows[name].submitted == student["submitted"].replace(tzinfo=None)


def test_who_handed_in_nothing_is_there(rows) -> None:
    assert {
        name for name, row in rows.items() if row.status == "not submitted"
    } == STUDENTS.keys() - SUBMITTED
    assert rows.keys() == STUDENTS.keys()


def test_some_are_late_and_pay_for_it(rows) -> None:
    late = [row for row in rows.values() if row.seconds_late]
    assert len(late) >= 2
    assert any(row.penalty > 0 for row in late)
    assert all(row.penalty == 0 for row in rows.values() if not row.seconds_late)


def test_what_is_not_marked_waits(rows) -> None:
    for name in SUBMITTED:
        by_hand = [q for q, mark in rows[name].marks.items() if mark.automatic is None]
        assert rows[name].waiting == [q for q in by_hand if q not in STUDENTS[name].get("manual", {})]


def test_the_csv_says_the_same(rehearsed: Course, table: gradebook.Table, rows) -> None:
    text = (rehearsed.folder / "marks" / f"{table.assignment}.csv").read_bytes().decode("utf-8-sig")
    lines = {line["student"]: line for line in csv.DictReader(io.StringIO(text))}
    assert lines.keys() == STUDENTS.keys()
    for name, row in rows.items():
        assert float(lines[name]["total"]) == pytest.approx(row.total, abs=0.005)
        assert lines[name]["last name"] == STUDENTS[name]["last_name"]
        for question in table.questions:
            field = lines[name][f"{question.name} [{question.points:g}]"]
            assert field == (f"{row.marks[question.name].score:g}" if name in SUBMITTED else "")


@pytest.mark.parametrize("name", SUBMITTED)
def test_each_has_a_feedback_page(rehearsed: Course, table: gradebook.Table, rows, name: str) -> None:
    (page,) = (rehearsed.feedback / name / table.assignment).glob("*.html")
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    student = STUDENTS[name]
    assert f"{student['first_name']} {student['last_name']}" in soup.find("header").text
    assert f"{rows[name].total:.2f}".rstrip("0").rstrip(".") in soup.find(class_="score").text
    shown = [line.find_all("td")[1].text for line in soup.find("tbody").find_all("tr")]
    assert shown == [f"{rows[name].marks[q.name].score:g} / {q.points:g}" for q in table.questions]
    targets = {element["id"] for element in soup.find_all(id=True)}
    links = [a["href"] for a in soup.find_all("a", href=True) if a["href"].startswith("#")]
    assert len(links) >= len(table.questions)
    assert {link[1:] for link in links} <= targets


def test_wrong_answers_are_explained_on_the_page(rehearsed: Course, table: gradebook.Table, rows) -> None:
    """Wherever points were lost on a check, the page says something about it."""
    for name in SUBMITTED:
        (page,) = (rehearsed.feedback / name / table.assignment).glob("*.html")
        soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        for question in table.questions:
            if not question.by_hand and rows[name].marks[question.name].score < question.points:
                assert soup.find(id=question.name).find(class_="output"), (name, question.name)


def test_the_report(rehearsed: Course, table: gradebook.Table, rows) -> None:
    summary = report.summarise(table)
    totals = [100 * rows[name].total / table.points for name in SUBMITTED]
    assert sorted(summary.percentages) == pytest.approx(sorted(totals))
    by_tenths = [0] * 10
    for total in totals:
        by_tenths[min(int(total // 10), 9)] += 1
    assert list(summary.counts) == by_tenths
    for difficulty in summary.difficulties:
        marks = [rows[name].marks[difficulty.question.name] for name in SUBMITTED]
        marked = [mark.score / difficulty.question.points for mark in marks if not mark.waiting]
        assert difficulty.share == pytest.approx(sum(marked) / len(marked))
        assert difficulty.full + difficulty.part + difficulty.none + difficulty.waiting == len(SUBMITTED)
    assert {row.student for row in summary.missing} == STUDENTS.keys() - SUBMITTED

    picture = (rehearsed.folder / "report" / f"{table.assignment}.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert picture.endswith(b"IEND\xaeB`\x82")
    width, height = struct.unpack(">II", picture[16:24])
    assert min(width, height) > 700
    page = BeautifulSoup(
        (rehearsed.folder / "report" / "index.html").read_text(encoding="utf-8"), "html.parser"
    )
    assert page.find("img")["src"].startswith("data:image/svg+xml;base64,")
    assert ", ".join(map(str, by_tenths)) in page.find("img")["alt"]
    assert len(page.find("tbody").find_all("tr")) == len(table.questions)


def test_the_picture_draws_the_counts(table: gradebook.Table) -> None:
    summary = report.summarise(table)
    above, below = report.draw(summary).axes
    assert [int(bar.get_height()) for bar in above.patches] == list(summary.counts)
    assert [bar.get_width() for bar in below.patches] == pytest.approx(
        [100 * d.share for d in summary.difficulties]
    )
    assert len(below.get_yticklabels()) == len(table.questions)


def test_regrading_one_student_changes_nothing(rehearsed: Course, table: gradebook.Table, rows) -> None:
    """One with points by hand, and no Keras model to wait for if there is one."""
    marked = [name for name in SUBMITTED if STUDENTS[name].get("manual")]
    name = min(marked, key=lambda name: "keras" in str(STUDENTS[name].get("cells")))
    graded = next((rehearsed.autograded / name / table.assignment).glob("*.ipynb"))
    before = graded.read_bytes()
    rehearsed.stamp(table.assignment, name).unlink()
    assert run.autograde(rehearsed, table.assignment, [name]).graded.keys() == {name}
    assert graded.read_bytes() == before
    (after,) = run.tables(rehearsed)
    assert next(row for row in after.rows if row.student == name) == rows[name]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ('last_name = "K"\nabout = "x"', "lacks first_name"),
        (
            'first_name = "A"\nlast_name = "K"\nabout = "x"\nsubmit = 2026-03-09T17:42:00Z',
            "unknown submit",
        ),
        ('first_name = 1\nlast_name = "K"\nabout = "x"', "wrong kind of value for first_name"),
        ('first_name = "A"\nlast_name = "K"\nabout = "x"\n[cells]\na = "1"', "no time at which"),
        ("first_name = ", "not valid TOML"),
    ],
)
def test_a_students_file_with_a_slip_is_named(tmp_path: Path, change: str, words: str) -> None:
    (tmp_path / "students").mkdir()
    (tmp_path / "class.toml").write_text('assignment = "03"\ndue = 2026-03-09T18:00:00Z')
    (tmp_path / "students" / "ada.toml").write_text(change)
    with pytest.raises(GradingError, match=words):
        Rehearsal.read(tmp_path)


ADA = """
first_name = "Ada"
last_name = "Kim"
submitted = 2026-03-11T18:00:00+09:00
about = "A function that divides."
[cells]
halve = "def halve(n):\\n    return n // 2"
why = "Because."
[manual]
why = 1
"""
EVE = 'first_name = "Eve"\nlast_name = "Park"\nabout = "Hands in nothing."'


@pytest.fixture
def play(small):
    """A small course with a rehearsal class of its own."""
    students = small.root / "tests" / "class" / "students"
    students.mkdir(parents=True)
    (students.parent / "class.toml").write_text(f'assignment = "{small.name}"\ndue = 2026-03-09T18:00:00Z')
    (students / "ada.toml").write_text(ADA)
    (students / "eve.toml").write_text(EVE)
    small.release()
    return small


def test_it_is_done_once_and_again_when_something_changed(play) -> None:
    course, graded = rehearse(play.root)
    assert graded
    (found,) = run.tables(course)
    ada, eve = found.rows
    assert (ada.total, ada.penalty, ada.seconds_late) == (3.2, 0.8, 39 * 3600)
    assert eve.status == "not submitted"
    assert rehearse(play.root) == (course, False)

    left_over = course.folder / "left over"
    left_over.touch()
    (play.root / "tests" / "class" / "students" / "eve.toml").write_text(
        EVE + "\nsubmitted = 2026-03-09T18:15:00Z"
    )
    assert rehearse(play.root)[1]
    assert not left_over.exists()
    (found,) = run.tables(course)
    assert (found.rows[1].status, found.rows[1].penalty, found.rows[1].total) == ("graded", 0, 0)


def test_an_interrupted_one_is_not_taken_for_finished(play, monkeypatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(run, "write_report", interrupted)
        with pytest.raises(KeyboardInterrupt):
            rehearse(play.root)
    assert rehearse(play.root)[1]


def test_exercises_that_are_out_of_date_are_not_rehearsed(play) -> None:
    play.edit(lambda notebook: notebook.cells[0].update(source="# Changed"))
    with pytest.raises(GradingError, match="run: python -m grading release"):
        rehearse(play.root)


def test_an_answer_to_no_question_is_named(play) -> None:
    (play.root / "tests" / "class" / "students" / "ada.toml").write_text(ADA.replace("halve =", "third ="))
    with pytest.raises(GradingError, match=r"ada answers third, which tiny\.ipynb does not ask"):
        rehearse(play.root)
