"""The report's figures, from rows and notebooks made for them."""

from __future__ import annotations

import numpy as np
import pytest
from bs4 import BeautifulSoup

from grading import likeness, report
from grading.gradebook import Mark, Question, Row, Table

QUESTIONS = (Question("a", 2, False), Question("b", 2, False), Question("c", 4, False))


def table(scores: np.ndarray, **more) -> Table:
    rows = []
    for n, line in enumerate(scores):
        marks = {q.name: Mark(float(s), None, 0, False) for q, s in zip(QUESTIONS, line, strict=True)}
        rows.append(Row(f"s{n}", "", "", None, True, marks=marks, **more))
    return Table("01", None, QUESTIONS, tuple(rows))


def test_discrimination_is_the_correlation_of_item_and_rest() -> None:
    scores = np.random.default_rng(1).integers(0, 3, (40, 3))
    for index, difficulty in enumerate(report.summarise(table(scores)).difficulties):
        rest = scores.sum(1) - scores[:, index]
        assert difficulty.discrimination == pytest.approx(np.corrcoef(scores[:, index], rest)[0, 1])
        assert difficulty.share == pytest.approx(scores[:, index].mean() / QUESTIONS[index].points)


def test_a_question_that_those_fail_who_know_the_rest_is_named() -> None:
    good = np.arange(20) % 2
    scores = np.stack([2 * good, 2 * good, 4 * (1 - good)], 1)
    assert [d.tells_little for d in report.summarise(table(scores)).difficulties] == [True, True, True]
    scores = np.stack([2 * good, 2 * good, 4 * good], 1)
    assert [d.tells_little for d in report.summarise(table(scores)).difficulties] == [False] * 3


@pytest.mark.parametrize("scores", [np.ones((report.ENOUGH - 1, 3)), np.ones((30, 3))], ids=["few", "equal"])
def test_few_or_equal_marks_discriminate_nothing(scores: np.ndarray) -> None:
    assert {d.discrimination for d in report.summarise(table(scores)).difficulties} == {None}


def test_a_zero_for_a_reason_is_named_and_makes_no_question_hard() -> None:
    rows = (*table(np.full((3, 3), 2)).rows, *table(np.zeros((1, 3)), problem="no notebook").rows)
    summary = report.summarise(Table("01", None, QUESTIONS, rows))
    assert [row.problem for row in summary.zeros] == ["no notebook"]
    assert summary.difficulties[0].share == 1
    assert len(summary.percentages) == 4


def test_who_ran_without_the_sandbox_is_named() -> None:
    scores = np.ones((3, 3))
    assert [row.student for row in report.summarise(table(scores, sandboxed=False)).unsandboxed] == [
        "s0",
        "s1",
        "s2",
    ]
    assert report.summarise(table(scores)).unsandboxed == ()


def test_the_page_leads_to_what_needs_a_person_and_escapes_names(tmp_path, monkeypatch) -> None:
    waiting = {q.name: Mark(None, None, 0, q.name == "c") for q in QUESTIONS}
    row = Row("bo", "<b>Bo</b>", "<script>", None, True, marks=waiting)
    more = Row("cy", "", "", None, True, marks=waiting, problem="<i>no notebook</i>")
    found = report.Read(
        pairs=(likeness.Pair(("bo", "cy"), 99.0, ("<u>17</u>",)),),
        borrowed=(likeness.Borrowed("bo", tuple("abcdefgh"), ("cy",), "<s>dee</s>"),),
    )
    monkeypatch.setattr(report, "read", lambda course, table: found)
    course = type("", (), {"folder": tmp_path})
    page = BeautifulSoup(
        report.write(course, [Table("01", None, QUESTIONS, (row, more))]).read_text("utf-8"), "html.parser"
    )
    figures = [cell.text for cell in page.select("#overview + div tbody td")]
    assert figures == ["01", "2 of 2", "0 %", "0 %", "2", "1", "0", "2"]
    targets = {link["href"] for link in page.select("#overview + div a")}
    assert targets == {"#a1", "#mark1", "#zero1", "#alike1"}
    assert all(page.select(target) for target in targets)
    said = " ".join(page.text.split())
    assert (
        "<b>Bo</b> <script> (bo): 8 answers (a, b, c, d, e, f, …), right for the numbers of cy (cy)" in said
    )
    assert "the notebook names <s>dee</s> as its student" in said
    assert not page.find_all(["script", "b", "i", "u", "s"])


@pytest.mark.grading
@pytest.mark.slow
@pytest.mark.xdist_group("rehearsal")
def test_those_of_the_rehearsal_class_who_copied_values_are_named(rehearsed) -> None:
    from pathlib import Path

    from grading import run
    from grading.rehearsal import Rehearsal

    works = Rehearsal.read(Path(rehearsed.root) / "tests" / "class", rehearsed).works
    copiers = {(w.assignment, w.student) for w in works if "Copied the values" in w.about}
    assert copiers
    before = {
        w.assignment: [other.student for other in works if other.assignment == w.assignment] for w in works
    }
    for table in run.tables(rehearsed, sorted({name for name, _ in copiers})):
        (found,) = report.read(rehearsed, table).borrowed
        assert (table.assignment, found.student) in copiers
        students = before[table.assignment]
        assert found.owners == (students[students.index(found.student) - 1],)


@pytest.mark.grading
@pytest.mark.slow
@pytest.mark.xdist_group("rehearsal")
def test_the_rehearsal_class_shows_its_slips(rehearsed) -> None:
    from grading import run

    (found,) = run.tables(rehearsed, ["03-sizes-and-counts"])
    read = report.read(rehearsed, found)
    assert {"forgot-the-one", "rows-and-columns-exchanged"} <= {slip.name for slip in read.slips}
    assert len({slip.name for slip in read.slips}) == len(read.slips)
    assert [slip.students for slip in read.slips] == sorted((s.students for s in read.slips), reverse=True)
    page = BeautifulSoup(
        (rehearsed.folder / "report" / "index.html").read_text(encoding="utf-8"), "html.parser"
    )
    for slip in read.slips:
        assert slip.name in page.text
    assert not page.find_all(["script", "link"])
    assert all(image["src"].startswith("data:") and image["alt"] for image in page.find_all("img"))
