"""The rehearsal class, after a real `nbgrader autograde`: its marks are known, and so is all that follows."""

from __future__ import annotations

import csv
import io
import math
import struct
from datetime import datetime
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from grading import gradebook, report, run
from grading.course import Course
from grading.errors import GradingError
from grading.rehearsal import Rehearsal, Work, rehearse

pytestmark = [pytest.mark.grading, pytest.mark.slow, pytest.mark.xdist_group("rehearsal")]

CLASS = Path(__file__).parents[1] / "class"


@pytest.fixture(scope="module")
def rehearsal(rehearsed: Course) -> Rehearsal:
    return Rehearsal.read(CLASS, rehearsed)


@pytest.fixture(scope="module")
def tables(rehearsed: Course) -> dict[str, gradebook.Table]:
    return {table.assignment: table for table in run.tables(rehearsed)}


@pytest.fixture(scope="module")
def rows(tables: dict[str, gradebook.Table]) -> dict[tuple[str, str], gradebook.Row]:
    """A row for each student and assignment."""
    return {(row.student, name): row for name, table in tables.items() for row in table.rows}


@pytest.fixture(scope="module")
def works(rehearsal: Rehearsal) -> dict[tuple[str, str], Work]:
    """What was handed in, by student and assignment."""
    return {(work.student, work.assignment): work for work in rehearsal.works}


def expected(work: Work, due: datetime) -> float:
    """A total by the documented rule, computed from what was handed in alone."""
    score = sum((dict(work.marks) | dict(work.manual)).values())
    late = (work.submitted - due).total_seconds()
    days = math.ceil(late / 86400) if late > 15 * 60 else 0
    return score - round(score * min(10 * days, 50) / 100, 2)


def test_the_class_is_what_it_should_be(rehearsal, rehearsed: Course) -> None:
    assert rehearsal.assignments == tuple(rehearsed.assignments())
    assert len(rehearsal.students) == 30
    by_hand = Rehearsal.read(CLASS)
    assert len(by_hand.works) >= 12
    assert len(by_hand.students) > len(by_hand.works)
    assert len({work.about for work in by_hand.works}) == len(by_hand.works)


def test_marks_by_question(rows, works) -> None:
    for key, work in works.items():
        got = {question: mark.automatic or 0 for question, mark in rows[key].marks.items()}
        assert got == work.marks, key


def test_totals_with_points_by_hand_and_lateness(rows, works, rehearsal) -> None:
    for key, work in works.items():
        assert rows[key].total == pytest.approx(expected(work, rehearsal.due[work.assignment]), abs=0.005)
        marks = rows[key].marks.items()
        given = {question: mark.manual for question, mark in marks if mark.manual is not None}
        assert given == work.manual, key


def test_names_and_times(rows, works, rehearsal) -> None:
    for student in rehearsal.students:
        for name in rehearsal.assignments:
            row = rows[student.id, name]
            assert (row.first_name, row.last_name) == (student.first_name, student.last_name)
    for key, work in works.items():
        assert rows[key].submitted == work.submitted


def test_who_handed_in_nothing_is_there(rows, works, rehearsal) -> None:
    assert {key for key, row in rows.items() if row.status == "not submitted"} == rows.keys() - works.keys()
    assert rows.keys() == {(s.id, name) for s in rehearsal.students for name in rehearsal.assignments}


def test_who_copied_is_told(rehearsed: Course, works) -> None:
    """By their classmates' ids, which the tests know; nobody's name is told."""
    for (student, name), work in works.items():
        if not work.about.startswith("Copied"):
            continue
        (page,) = (rehearsed.feedback / student / name).glob("*.html")
        text = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").text
        assert "another student's numbers" in " ".join(text.split()).replace("’", "'")


def test_some_are_late_and_pay_for_it(rows) -> None:
    late = [row for row in rows.values() if row.seconds_late]
    assert len(late) >= 2
    assert any(row.penalty > 0 for row in late)
    assert all(row.penalty == 0 for row in rows.values() if not row.seconds_late)


def test_what_is_not_marked_waits(rows, works) -> None:
    for key, work in works.items():
        by_hand = [q for q, mark in rows[key].marks.items() if mark.automatic is None]
        assert rows[key].waiting == [q for q in by_hand if q not in work.manual]


def test_the_csv_says_the_same(rehearsed: Course, tables, works, rehearsal) -> None:
    for name, table in tables.items():
        text = (rehearsed.folder / "marks" / f"{name}.csv").read_bytes().decode("utf-8-sig")
        lines = {line["student"]: line for line in csv.DictReader(io.StringIO(text))}
        assert lines.keys() == {student.id for student in rehearsal.students}
        for row in table.rows:
            line = lines[row.student]
            assert float(line["total"]) == pytest.approx(row.total, abs=0.005)
            assert line["last name"] == row.last_name
            for question in table.questions:
                there = (row.student, name) in works
                wanted = f"{row.marks[question.name].score:g}" if there else ""
                assert line[f"{question.name} [{question.points:g}]"] == wanted


def test_each_has_a_feedback_page(rehearsed: Course, tables, rows, works) -> None:
    for (student, name), row in ((key, rows[key]) for key in works):
        (page,) = (rehearsed.feedback / student / name).glob("*.html")
        soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        assert f"{row.first_name} {row.last_name}" in soup.find("header").text
        assert f"{row.total:.2f}".rstrip("0").rstrip(".") in soup.find(class_="score").text
        shown = [line.find_all("td")[1].text for line in soup.find("tbody").find_all("tr")]
        questions = tables[name].questions
        assert shown == [f"{row.marks[q.name].score:g} / {q.points:g}" for q in questions]
        targets = {element["id"] for element in soup.find_all(id=True)}
        links = [a["href"] for a in soup.find_all("a", href=True) if a["href"].startswith("#")]
        assert len(links) >= len(questions)
        assert {link[1:] for link in links} <= targets
        for question in questions:  # wherever points were lost on a check, the page says something about it
            if not question.by_hand and row.marks[question.name].score < question.points:
                assert soup.find(id=question.name).find(class_="output"), (student, name, question.name)


def test_the_report(rehearsed: Course, tables, rows, works, rehearsal) -> None:
    page = BeautifulSoup(
        (rehearsed.folder / "report" / "index.html").read_text(encoding="utf-8"), "html.parser"
    )
    pictures = [image for image in page.find_all("img") if image["src"].startswith("data:image/svg+xml")]
    for name, table in tables.items():
        summary = report.summarise(table)
        there = [key for key in works if key[1] == name]
        totals = [100 * rows[key].total / table.points for key in there]
        assert sorted(summary.percentages) == pytest.approx(sorted(totals))
        by_tenths = [0] * 10
        for total in totals:
            by_tenths[min(int(total // 10), 9)] += 1
        assert list(summary.counts) == by_tenths
        for difficulty in summary.difficulties:
            marks = [rows[key].marks[difficulty.question.name] for key in there]
            marked = [mark.score / difficulty.question.points for mark in marks if not mark.waiting]
            if marked:
                assert difficulty.share == pytest.approx(sum(marked) / len(marked))
            counted = difficulty.full + difficulty.part + difficulty.none + difficulty.waiting
            assert counted == len(there)
        missing = {student.id for student in rehearsal.students} - {student for student, _ in there}
        assert {row.student for row in summary.missing} == missing

        picture = (rehearsed.folder / "report" / f"{name}.png").read_bytes()
        assert picture.startswith(b"\x89PNG\r\n\x1a\n")
        assert picture.endswith(b"IEND\xaeB`\x82")
        width, height = struct.unpack(">II", picture[16:24])
        assert min(width, height) > 700
        assert any(", ".join(map(str, by_tenths)) in image["alt"] for image in pictures)


def test_the_picture_draws_the_counts(tables) -> None:
    table = tables["03-sizes-and-counts"]
    summary = report.summarise(table)
    above, below = report.draw(summary).axes
    assert [int(bar.get_height()) for bar in above.patches] == list(summary.counts)
    assert [bar.get_width() for bar in below.patches] == pytest.approx(
        [100 * d.share for d in summary.difficulties]
    )
    assert len(below.get_yticklabels()) == len(table.questions)


def test_regrading_one_student_changes_nothing(rehearsed: Course, works, rows) -> None:
    """One with points by hand, and no Keras model to wait for if there is one."""
    marked = [key for key, work in works.items() if work.manual]
    name, assignment = min(marked, key=lambda key: "keras" in str(works[key].cells))
    graded = next((rehearsed.autograded / name / assignment).glob("*.ipynb"))
    before = graded.read_bytes()
    rehearsed.stamp(assignment, name).unlink()
    assert run.autograde(rehearsed, assignment, [name]).graded.keys() == {name}
    assert graded.read_bytes() == before
    (after,) = run.tables(rehearsed, [assignment])
    assert next(row for row in after.rows if row.student == name) == rows[name, assignment]


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
