"""Feedback pages: hidden tests stay hidden, messages stay readable, and nothing of a student's runs."""

from __future__ import annotations

import time
from datetime import datetime

import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from grading import gradebook, run
from grading.feedback import (
    WITHHELD,
    FeedbackExporter,
    HideTests,
    data_address,
    markdown,
    mathml,
    questions,
    safe_html,
)

HIDDEN = "assert answer == secret_of_the_course, 'too small'"
TEST = f"import check\n### BEGIN HIDDEN TESTS\n{HIDDEN}\n### END HIDDEN TESTS\nscore()"


def graded(*outputs, source: str = TEST, **answer):
    """An answer and its test, with these outputs of the test."""
    about = {"grade_id": "size", "grade": False, "solution": True, "locked": False, "schema_version": 3}
    test = about | {"grade_id": "size-test", "grade": True, "solution": False, "locked": True, "points": 2}
    cells = [
        new_code_cell("answer = 28", execution_count=1, metadata={"nbgrader": about}, **answer),
        new_code_cell(source, execution_count=2, metadata={"nbgrader": test}, outputs=list(outputs)),
    ]
    return new_notebook(cells=cells)


def cleaned(notebook):
    return HideTests().preprocess(notebook, {})[0]


def error(*traceback: str, name: str = "AssertionError", value: str = "too small"):
    return new_output("error", ename=name, evalue=value, traceback=list(traceback))


def test_the_hidden_region_leaves_the_cell_and_the_rest_stays() -> None:
    _, test = cleaned(graded()).cells
    assert test.source == "import check\nscore()"


def test_of_an_error_the_message_and_the_students_own_lines_stay() -> None:
    header = "\x1b[0;31m-------\x1b[0m\n\x1b[0;31mAssertionError\x1b[0m   Traceback (most recent call last)"
    own = "Cell \x1b[0;32mIn[1], line 3\x1b[0m\n----> 3     return n / 0"
    test = f"Cell \x1b[0;32mIn[2], line 3\x1b[0m\n----> \x1b[1;32m3\x1b[0m {HIDDEN}"
    library = "File /somewhere/check.py:12, in check(x)\n---> 12 raise AssertionError"
    (output,) = (
        cleaned(graded(error(header, test, own, library, "AssertionError: too small"))).cells[1].outputs
    )
    assert output.traceback == [own, "AssertionError: too small"]


def test_an_error_without_a_message_says_that_the_test_was_hidden() -> None:
    frame = f"Cell In[2], line 3\n----> 3 {HIDDEN}"
    (output,) = cleaned(graded(error("header", frame, "AssertionError: ", value=""))).cells[1].outputs
    assert output.traceback == [
        "AssertionError (in a hidden test, which tries your answer with other inputs)"
    ]


@pytest.mark.parametrize(
    "printed",
    [
        f"before\n{HIDDEN}\nafter",
        f"before\n  >> {HIDDEN}\nafter",
        f"before\n\x1b[31m{HIDDEN[:9]}\x1b[0m{HIDDEN[9:]}\nafter",
    ],
)
@pytest.mark.parametrize("where", ["stream", "html", "error", "answer's source"])
def test_a_hidden_test_that_the_student_printed_is_withheld(printed: str, where: str) -> None:
    outputs = {
        "stream": new_output("stream", name="stdout", text=printed),
        "html": new_output("display_data", data={"text/html": printed, "text/plain": printed}),
        "error": error("Cell In[1]\n" + printed, name="ValueError", value="x"),
    }
    notebook = graded(outputs=[outputs[where]] if where in outputs else [])
    if where == "answer's source":
        notebook.cells[0].source = printed
    text = str(cleaned(notebook))
    assert "secret_of_the_course" not in text
    assert WITHHELD in text
    assert "before" in text
    assert "after" in text


def test_visible_output_is_not_touched() -> None:
    notebook = graded(new_output("stream", name="stdout", text="size: right. [1 of 2]\n"))
    assert cleaned(notebook).cells[1].outputs[0].text == "size: right. [1 of 2]\n"


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<iframe src='https://a.example'></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href=' java\tscript:alert(1)'>x</a>",
    "<img src='https://a.example/pixel.png'>",
    "<link rel=stylesheet href='https://a.example/x.css'>",
    "<div style='position:fixed;inset:0;background:url(https://a.example)'>covered</div>",
    "<style>body{display:none}</style>",
    "<meta http-equiv=refresh content='0;url=https://a.example'>",
    "<form action='https://a.example'><input name=p></form>",
    "<base href='https://a.example'>",
    "<object data='x'></object><embed src='x'>",
    "[x](javascript:alert(1))",
    "![x](https://a.example/pixel.png)",
    "$</math><script>alert(1)</script>$",
    "$\\text{<img src=x onerror=alert(1)>}$",
    "$$\\nosuch<script>alert(1)</script>$$",
]


def page(notebook, **about) -> BeautifulSoup:
    """A page as the exporter writes it, without a gradebook behind it."""
    known = {
        "title": "T", "name": "Ada", "problem": "", "notes": [], "submitted": None, "due": None,
        "late_penalty": 0, "score": 1, "max_score": 2, "questions": [],
    }  # fmt: skip
    exporter = FeedbackExporter(site=about.pop("site", ""))
    text, _ = exporter.from_notebook_node(notebook, {"nbgrader": known | about})
    return BeautifulSoup(text, "html.parser")


def told(text: str):
    """A graded notebook whose test printed this."""
    notebook = graded(new_output("stream", name="stdout", text=text))
    notebook.cells[1].metadata.nbgrader.update(score=0.0, went="none", heading="Size")
    return notebook


SLIP = "size: 23 counts the steps. See chapter 6, “Padding and\n  stride”. [0 of 2]\n"


def test_verdicts_are_listed_with_their_points_and_the_chapter() -> None:
    found = page(told(SLIP), site="https://a.example/book/").find(class_="verdicts")
    assert found.find("li")["class"] == ["none"]
    assert found.find(class_="word").text == "0 of 2"
    assert found.find("a")["href"] == "https://a.example/book/06-padding-and-stride.html"
    assert found.find("a").text == "See chapter 6, “Padding and stride”"
    assert not page(told(SLIP)).find(class_="verdicts").find("a")
    assert not page(told(SLIP), site="javascript:x//").find(class_="verdicts").find("a")


def test_what_is_no_verdict_is_shown_as_it_was_printed() -> None:
    found = page(told("<script>alert(1)</script>: x [0 of 2]\nand more"))
    assert not found.find(class_="verdicts")
    assert found.find("pre", class_="stdout").text == "<script>alert(1)</script>: x [0 of 2]\nand more"
    harmless(str(found.find("main")))


@settings(max_examples=25)
@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(), st.text())
def test_nothing_in_verdicts_reasons_and_notes_runs(text: str, problem: str, note: str) -> None:
    attack = f"<img src=x onerror=1>{text}"
    found = page(told(f"{attack}: {attack} [0 of 2]"), problem=attack + problem, notes=[attack + note])
    harmless(str(found.find("main")))


def test_a_zero_says_why_and_notes_say_what_was_put_right() -> None:
    found = page(
        told(SLIP), problem="\x1b[31mno notebook\x1b[0m <b>", notes=["a copy of <i>size</i> was dropped"]
    )
    zero, notes = found.select("header .note")
    assert "got no points" in zero.text
    assert "The reason: no notebook <b>" in zero.text
    assert "a copy of <i>size</i> was dropped" in notes.text
    assert not page(told(SLIP)).select("header .note")


def test_headings_take_no_longer_for_many_marks() -> None:
    """A heading of a hundred thousand signs, which a pattern could try in every way."""
    cell = new_markdown_cell("# " + "# " * 100_000 + "x" + "<small" * 10_000)
    started = time.process_time()
    questions(new_notebook(cells=[cell]))
    assert time.process_time() - started < 2


def harmless(page: str) -> None:
    """No element or attribute of the page can run, load, send or cover anything."""
    soup = BeautifulSoup(page, "html.parser")
    bad = soup.find_all(
        [
            "script",
            "iframe",
            "object",
            "embed",
            "form",
            "input",
            "link",
            "base",
            "meta",
            "style",
            "svg",
            "video",
            "audio",
        ]
    )
    assert not bad
    for element in soup.find_all(True):
        for name, value in element.attrs.items():
            assert not name.startswith("on")
            if name == "href":
                assert value.startswith(("http://", "https://", "mailto:", "#"))
            if name == "src":
                assert value.startswith("data:image/")
            if name == "style":
                assert "url" not in value
                assert "position" not in value


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("clean", [markdown, safe_html])
def test_nothing_runs_or_loads(clean, text: str) -> None:
    harmless(str(clean(text)))


@given(
    st.lists(
        st.sampled_from([*HOSTILE, "<b>", "</b>", "`", "$", "$$", "\n\n", "a < b", "> ", "- ", "|", "<!--"])
    )
)
def test_nothing_runs_or_loads_in_any_mixture(parts: list[str]) -> None:
    harmless(str(markdown("".join(parts))))


def test_plain_markdown_looks_as_in_the_notebook() -> None:
    page = BeautifulSoup(
        str(markdown("| a | b |\n|---|---|\n| 1 | `x < 3` |\n\n*so*: $\\frac{N - F}{S} + 1$ 그래서")),
        "html.parser",
    )
    assert [cell.text for cell in page.find_all("td")] == ["1", "x < 3"]
    assert page.find("em").text == "so"
    assert page.find("mfrac")
    assert "그래서" in page.text


@pytest.mark.parametrize(
    "tex",
    [
        r"\lfloor (N + 2P - F) / S \rfloor + 1",
        r"y_i = \sum_{k=0}^{F-1} w_k\, x_{i+k}",
        r"5 \cdot 5 \times 3",
        r"C_\text{in}",
    ],
)
def test_the_courses_formulas_are_drawn(tex: str) -> None:
    assert mathml(tex).startswith("<math")


@pytest.mark.parametrize(
    "tex",
    ["{" * 5000, r"\pmod}", r"/\limits", "x^", r"\begin{matrix}", r"\left", '"><script>'],
    ids=str.strip,
)
def test_what_is_no_tex_is_shown_as_it_was_typed(tex: str) -> None:
    """A student may write anything between dollar signs, and still gets a page."""
    page = mathml(tex)
    harmless(page)
    assert page.startswith("<math") or BeautifulSoup(page, "html.parser").text == tex


def test_a_formula_in_the_words_for_a_picture_stays_in_them() -> None:
    page = BeautifulSoup(str(markdown('![a $x<"y"$ z](data:image/png;base64,AA)')), "html.parser")
    assert page.find("img")["alt"] == 'a $x<"y"$ z'
    assert not page.find("math")


@given(st.text(st.sampled_from("\"'<> =/ABon\n")))
def test_what_claims_to_be_a_picture_cannot_leave_its_attribute(content: str) -> None:
    for kind in ("image/png", "image/jpeg", "image/svg+xml"):
        page = BeautifulSoup(f'<img src="{data_address(content, kind)}">', "html.parser")
        (image,) = page.find_all(True)
        assert image.attrs.keys() == {"src"}
        harmless(str(page))


def test_questions_go_by_the_headings_that_the_student_knows() -> None:
    notebook = graded()
    notebook.cells.insert(
        0, new_markdown_cell("# All\n\n### 1 · A *window* on `a` row <small>(2 points)</small>")
    )
    notebook.cells[2].metadata.nbgrader.update(score=1.5)
    (question,) = questions(notebook)
    assert question == {
        "id": "size-test",
        "heading": "1 · A window on a row",
        "score": 1.5,
        "points": 2,
        "went": "part",
    }


@pytest.mark.grading
@pytest.mark.slow
def test_a_page_of_a_hostile_student(small) -> None:
    small.release()
    print_tests = (
        "import sys\nanswer = 27\nfrom IPython.display import HTML, display\n"
        "display(HTML('<script>alert(1)</script><b>bold</b>'))\n"
        "display({'image/png': 'x\"onerror=\"alert(1)\"><script>alert(1)</script>'}, raw=True)\n"
        "get_ipython().events.register('pre_run_cell', lambda info: print(info.raw_cell))"
    )
    small.hand_in(
        "eve",
        "2026-03-10 12:00:00 UTC",
        size=print_tests,
        why="<img src=x onerror=alert(1)> [x](javascript:1)",
    )
    course = small.course
    with course.surroundings(), gradebook.opened(course) as book:
        book.update_or_create_student("eve", first_name="<script>alert('Eve')</script>", last_name='"><b>Lee')
        book.update_or_create_assignment(small.name, duedate=datetime(2026, 3, 9))
    run.grade(course, small.name)
    page = (course.feedback / "eve" / small.name / "tiny.html").read_text(encoding="utf-8")
    assert WITHHELD in page  # the hook did print the hidden tests
    assert "hidden_expectation" not in page
    assert "1001" not in page
    assert "No response" not in page  # of the function: its test says so, beside its marks
    soup = BeautifulSoup(page, "html.parser")
    assert soup.find("meta", {"http-equiv": "Content-Security-Policy"})["content"].startswith(
        "default-src 'none'"
    )
    harmless(str(soup.find("main")))
    assert (
        soup.find("title").text == "A tiny assignment – feedback for <script>alert('Eve')</script> \"><b>Lee"
    )
    assert "Submitted late" in soup.find("header").text
    assert "http" not in str(soup.find("head").find("style"))
    for index in (course.feedback / "index.html", course.folder / "report" / "index.html"):
        overview = BeautifulSoup(index.read_text(encoding="utf-8"), "html.parser")
        assert not overview.find("script")
        assert "<script>alert('Eve')</script>" in overview.text
