"""Nothing that students must not see is in what they get; and the search finds what is planted."""

from __future__ import annotations

import html
import json
import re
import tomllib
from pathlib import Path

import nbformat
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from cnnlib.exercises import Sheet
from grading import leaks
from grading.course import Course

pytestmark = [pytest.mark.grading, pytest.mark.xdist_group("rehearsal")]

NOTEBOOKS = sorted(Path(__file__).parents[2].glob("solutions/*/*.ipynb"))


def secrets(root: Path) -> set[str]:
    """The telling lines of all solutions and hidden tests that no other assignment shows."""
    lines = {line for notebook in NOTEBOOKS for line in leaks.secrets(notebook)}
    shown = "\n".join(
        cell.source
        for file in sorted((root / "exercises").glob("*/*.ipynb"))
        for cell in nbformat.read(file, as_version=4).cells
    )
    return {line for line in lines if line not in shown}


def class_lines(root: Path) -> set[str]:
    """What is told about the rehearsal's students, and what they wrote into their explanations."""
    lines = set()
    for file in sorted((root / "tests" / "class" / "students").glob("*.toml")):
        student = tomllib.loads(file.read_text(encoding="utf-8"))
        lines.add(student["about"])
        for name in student.get("manual", {}):
            lines.update(student.get("cells", {}).get(name, "").splitlines())
    return {line.strip() for line in lines if len(line.strip()) >= leaks.TELLING}


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_there_is_something_to_look_for(notebook: Path) -> None:
    assert len(leaks.secrets(notebook, "solution")) >= 10
    assert len(leaks.secrets(notebook, "hidden test")) >= 10


def test_the_exercises(root) -> None:
    for notebook in NOTEBOOKS:
        own = leaks.secrets(notebook) | class_lines(root)
        assert leaks.search(root / "exercises" / notebook.parent.name, own) == {}
    for file in (root / "exercises").rglob("*"):
        assert file.is_dir() or leaks.marked(file.read_text(encoding="utf-8")) == []


@pytest.mark.site
@pytest.mark.slow
def test_the_site(root) -> None:
    site = root / "build" / "site"
    if not site.is_dir():
        pytest.skip("the site is not built (make book)")
    private = secrets(root) | class_lines(root)
    taught = "\n".join(
        file.read_text(encoding="utf-8")
        for file in [*(root / "chapters").glob("*.md"), *(root / "cnnlib").rglob("*.py")]
    )
    hidden = {line for line in private if line not in taught}  # the rest is what chapters teach to write
    assert len(hidden) > 0.9 * len(private)
    assert leaks.search(site, hidden) == {}
    databases = [p for p in site.rglob("*") if p.is_file() and p.read_bytes()[:15] == b"SQLite format 3"]
    assert databases == []


@pytest.mark.slow
def test_feedback_shows_no_hidden_test(rehearsed: Course) -> None:
    pages = sorted(rehearsed.feedback.rglob("*.html"))
    assert len(pages) > 10
    for notebook in NOTEBOOKS:
        name = notebook.parent.name
        hidden = leaks.secrets(notebook, "hidden test")
        graded = sorted(rehearsed.autograded.glob(f"*/{name}/*.ipynb"))
        assert graded
        assert all(leaks.search(file.parent, hidden) for file in graded)  # before they are taken out
        for folder in rehearsed.feedback.glob(f"*/{name}"):
            assert leaks.search(folder, hidden) == {}


@pytest.mark.slow
def test_feedback_shows_no_solution_but_the_students_own(rehearsed: Course) -> None:
    secret = {notebook.parent.name: leaks.secrets(notebook, "solution") for notebook in NOTEBOOKS}
    for page in sorted(rehearsed.feedback.glob("*/*/*.html")):
        student, assignment = page.parent.parent.name, page.parent.name
        submitted = rehearsed.submitted / student / assignment / f"{page.stem}.ipynb"
        solutions = secret[assignment]
        sheet = Sheet(assignment, student_id=student)
        shown = [sheet.show(q.id) for q in sheet.assignment.questions if q.personal]  # a network to mend, say
        own = set(leaks.found("\n".join([submitted.read_text(encoding="utf-8"), *shown]), solutions))
        assert set(leaks.found(page.read_text(encoding="utf-8"), solutions)) <= own, student


@pytest.mark.slow
def test_feedback_shows_nothing_of_another_student(rehearsed: Course, root: Path) -> None:
    explanations: dict[str, set[str]] = {}
    for file in sorted((root / "tests" / "class" / "students").glob("*.toml")):
        student = tomllib.loads(file.read_text(encoding="utf-8"))
        lines = {
            line.strip()
            for name in student.get("manual", {})
            for line in student.get("cells", {}).get(name, "").splitlines()
        }
        explanations[file.stem] = {line for line in lines if len(line) >= 2 * leaks.TELLING}
    assert sum(map(bool, explanations.values())) >= 5
    for page in sorted(rehearsed.feedback.glob("*/*/*.html")):
        me = page.parent.parent.name
        others = {line for student, lines in explanations.items() if student != me for line in lines}
        assert leaks.found(page.read_text(encoding="utf-8"), others - explanations.get(me, set())) == []


SECRET = 'assert answer["size"] == 28 and answer < limit  # 비밀'


@pytest.mark.parametrize(
    "dressed",
    [
        SECRET,
        f"    {SECRET}\n",
        html.escape(SECRET),
        json.dumps({"source": [SECRET]}),
        json.dumps({"source": SECRET}, ensure_ascii=False),
        highlight(SECRET, PythonLexer(), HtmlFormatter()),
        SECRET.encode(),
    ],
)
def test_a_planted_leak_is_found(tmp_path: Path, dressed: str | bytes) -> None:
    (tmp_path / "deep").mkdir()
    file = tmp_path / "deep" / "page.html"
    (tmp_path / "clean.html").write_text("nothing", encoding="utf-8")
    file.write_bytes(dressed if isinstance(dressed, bytes) else dressed.encode())
    assert leaks.search(tmp_path, {SECRET, "something else entirely"}) == {file: [SECRET]}


@example("a<b>b</b> a.b", ["b a.b", "a b", "ab a"])
@given(
    st.text('ab <>&;."\\_é\n', max_size=30),
    st.lists(st.text('ab <>&."é_', min_size=1, max_size=6), max_size=5, unique=True),
)
def test_no_line_is_missed(text: str, lines: list[str]) -> None:
    """Which lines are searched for hangs on the words of both; what is found does not."""
    bare = re.sub(r"<[^<>]*>", "", text)
    expected = [
        line
        for line in sorted(lines)
        if any(line in each for each in (text, html.unescape(text), html.unescape(bare)))
        or any(json.dumps(line, ensure_ascii=ascii)[1:-1] in text for ascii in (True, False))
    ]
    assert leaks.found(text, lines) == expected


def test_a_leak_planted_in_the_release_is_found(root: Path, tmp_path: Path) -> None:
    notebook = NOTEBOOKS[0]
    secret = sorted(leaks.secrets(notebook, "hidden test"))[0]
    released = root / "exercises" / notebook.relative_to(root / "solutions")
    content = json.loads(released.read_text(encoding="utf-8"))
    content["cells"][-1]["source"].append("\n    " + secret)
    (tmp_path / released.name).write_text(json.dumps(content), encoding="utf-8")
    assert leaks.search(tmp_path, secrets(root)) == {tmp_path / released.name: [secret]}
