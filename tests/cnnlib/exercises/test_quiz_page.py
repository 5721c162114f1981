"""Quizzes in a browser: they judge as Python does, by keyboard and by touch, and keep what was answered."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnnlib.explorers.page
from cnnlib.exercises import check, misconceptions, quiz, quizzes, review
from cnnlib.exercises.answers import Array, FormError, Number, Shape
from cnnlib.exercises.quiz_page import QuizPage, judged, marked, template, typed
from cnnlib.exercises.tasks import KINDS
from cnnlib.exercises.wording import CHAPTERS, QUIZ, REVIEW, chapter_reference

#: Bytes of what is the same in all quizzes, which a page of the site has once; of a quiz and of a question
#: beside their data.
ONCE, FRAME, QUESTION = 10_500, 800, 1_700
#: What a reader may type anywhere.
ANYTHING = (
    "", "  ", "abc", "1e3", "12 345", "1,234", "1,2", "0,125", "5.0", "7/2", "8/2", "1/0", "--3", "(3)", "−4",
    "+4", "0.00001", "1000000000000000", "999999999999999", "None", "None, 1, 2, 3", "3", "3,", "2, 3", "2×3",
    "2x3x4", "(2, 3, 4)", "[2; 3; 4; 5]", "1.5, 2, 3", "-1, 2", "-1, 2, 3", "2.0, 3", "1000000000000000, 2",
    "2 3 4 5 6", "[1, 2], [3, 4]", "[[1, 2], [3, 4]]", "1 2; 3 4", "1 2; 3", ";", "2, 0.5, −1",
    "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13", "1. 2. 3.", "🙂", "<b>1</b>", "{answer}", "1/3, 2",
    "0.123456789, 0.123456789, 0.123456789, 0.123456789, 0.123456789",
)  # fmt: skip


ALL = [QuizPage(one, chapter) for chapter, its in quizzes.by_chapter().items() for one in its]


@pytest.fixture(autouse=True)
def first_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quiz that is shown again on one page gets another id; here each page is a new one."""
    monkeypatch.setattr(cnnlib.explorers.page, "_shown", Counter())


def first(wanted: Callable[[Any], bool]) -> QuizPage:
    """The first quiz whose first question is answered in a form."""
    return next(page for page in ALL if wanted(page))


def by_number(page: QuizPage) -> bool:
    return not page.chosen(0) and isinstance(KINDS[page.quiz.questions[0].kind].form, Number)


def by_shape(page: QuizPage) -> bool:
    return not page.chosen(0) and isinstance(KINDS[page.quiz.questions[0].kind].form, Shape)


def by_array(page: QuizPage) -> bool:
    return not page.chosen(0) and isinstance(KINDS[page.quiz.questions[0].kind].form, Array)


def by_choice(page: QuizPage) -> bool:
    return page.chosen(0)


EXAMPLES = [first(wanted) for wanted in (by_number, by_shape, by_array, by_choice)]


# --- What a page holds ----------------------------------------------------------------------------------


def test_what_is_typed_is_read() -> None:
    number, shape, array = Number(), Shape(("height", "width", "channels")), Array(None)
    for text, value in {
        "1,234": 1234,
        "12 345.5": 12345.5,
        "−3": -3,
        "0,25": 0.25,
        "3/4": 0.75,
        "5.0": 5.0,
    }.items():
        assert (typed(number, text), type(typed(number, text))) == (value, type(value))
    for text in ("24×24×6", "(24, 24, 6)", "[24 24 6]", "24x24*6", " 24 ;24; 6 "):
        assert typed(shape, text) == (24, 24, 6)
    assert typed(shape, "None, 24, 24, 6") == (None, 24, 24, 6)
    assert typed(array, "[2, −1, 0.5]") == [2, -1, 0.5]
    assert typed(array, "[[1, 2], [3, 4]]") == typed(array, "1 2; 3 4") == [[1, 2], [3, 4]]
    for form, text in ((number, "1 2"), (number, "1/0"), (shape, "wide"), (shape, "None"), (array, "1;;2")):
        with pytest.raises(FormError, match="cannot be read"):
            typed(form, text)


def test_texts_are_marked() -> None:
    assert marked("a < b & `c < d`") == "<p>a &lt; b &amp; <code>c &lt; d</code></p>"
    assert (
        marked("One.\n\nTwo:\n\n```text\n1  2\n3  4\n```\n") == "<p>One.</p><p>Two:</p><pre>1  2\n3  4</pre>"
    )


@pytest.mark.parametrize(
    "texts",
    [
        ["<p>a 5×5 kernel</p>", "<p>a 3×3 kernel</p>"],
        ["<p>1, 2</p><p>Which?</p>", "<p>1, 2, 3</p><p>Which?</p>"],
        ["same", "same"],
        ["aa", "aaa"],
        ["alone"],
    ],
)
def test_a_template_gives_back_its_texts(texts: list[str]) -> None:
    pieces, gaps = template(texts)
    for text, gap in zip(texts, gaps, strict=True):
        assert len(gap) == len(pieces) - 1
        assert text == pieces[0] + "".join(a + b for a, b in zip(gap, pieces[1:], strict=True))


@pytest.mark.slow
def test_a_quiz_is_light_and_asks_for_nothing() -> None:
    shared = set()
    for page in ALL:
        text = page._repr_html_()
        style, script, own = re.findall(r"<style>.*?</style>|<script>.*?</script>", text, re.DOTALL)
        shared.add(style + script)
        assert len((style + script).encode()) <= ONCE
        questions = len(page.quiz.questions)
        rest = text.replace(style, "").replace(script, "").replace(own, "")
        assert len(rest.encode()) <= FRAME + questions * QUESTION
        assert len(own.encode()) <= FRAME + questions * 6_000
        assert "http" not in text
        assert page._repr_png_() is None
    assert len(shared) == 1


def test_text_shows_a_quiz_without_its_answers() -> None:
    page = first(by_choice)
    lines = repr(page).splitlines()
    assert lines[0] == QUIZ["label_title"].format(section=page.quiz.section)
    assert f"  - {page.options(0, 0)[0]}" in lines
    assert repr(quiz("counting-parameters")).count("\n") == 1


# --- In the browser -------------------------------------------------------------------------------------


def cases(page: QuizPage, number: int, anything: bool) -> list[tuple[int, Any, dict[str, Any]]]:
    """A draw, an answer, and what Python says to it, for many of them."""
    found: list[tuple[int, Any, dict[str, Any]]] = []
    for draw, task in enumerate(page.drawn[number][:3]):
        options = page.options(number, draw)
        if options is not None:
            verdicts = [check(task, option) for option in options]
            found += [(draw, at, told(verdict, task)) for at, verdict in enumerate(verdicts)]
            continue
        values = [task.answer, *(answer for _, answer in page.slips[number][draw])]
        texts = [repr(value.tolist() if isinstance(value, np.ndarray) else value) for value in values]
        texts += [f"{value:,}".replace("-", "−") for value in values if isinstance(value, int)]
        texts += ANYTHING if anything and draw == 0 else ()
        found += [(draw, text, told(judged(task, text), task)) for text in texts]
    return found


def told(verdict: Any, task: Any) -> dict[str, Any]:
    return {"state": verdict.state, "text": verdict.text, "slip": verdict.slip}


def test_the_script_says_what_python_says(show: Any) -> None:
    asked = [(page, number) for page in ALL for number in range(len(page.quiz.questions))]
    seen = Counter[str]()
    expected = []
    for page, number in asked:
        form = (
            "choice" if page.chosen(number) else type(KINDS[page.quiz.questions[number].kind].form).__name__
        )
        seen[form] += 1
        expected.append(cases(page, number, anything=seen[form] <= 6))
    assert seen.keys() == {"Number", "Shape", "Array", "choice"}
    assert sum(map(len, expected)) >= 500
    opened = show(*ALL)
    found = opened.evaluate(
        """asked => asked.map(([id, q, cases]) => {
            const { judge } = document.getElementById(id).quiz;
            return cases.map(([draw, answer]) => {
                const { state, text, chapter, slip = null } = judge(q, draw, answer);
                return { state, text: chapter ? `${text} ${chapter[0]}` : text, slip };
            });
        })""",
        [
            (page.name, number, [(draw, answer) for draw, answer, _ in its])
            for (page, number), its in zip(asked, expected, strict=True)
        ],
    )
    for (page, number), its, said in zip(asked, expected, found, strict=True):
        for (draw, answer, wanted), given in zip(its, said, strict=True):
            assert given == wanted, (page.quiz.name, number, page.drawn[number][draw], answer)


def opened(show: Any, *pieces: Any, **options: Any) -> Any:
    """A page on which nothing has been answered yet."""
    page = show(*pieces, **options)
    page.evaluate("localStorage.clear()")
    page.reload()
    return page


def test_a_question_is_answered_by_keyboard_alone(show: Any) -> None:
    example = EXAMPLES[0]
    page = opened(show, example)
    task = example.drawn[0][0]
    (_, one), (_, two), *_ = misconceptions.answers(task)
    page.keyboard.press("Tab")
    say, text = page.locator("[data-r=say0]"), page.locator("[data-r=text0]")
    page.keyboard.press("Enter")
    assert say.inner_text() == QUIZ["empty"]
    reveal = page.get_by_role("button", name=QUIZ["show"])
    for wrong in (one, one, two):
        assert not reveal.is_visible()
        page.keyboard.press("Control+A")
        page.keyboard.type(str(wrong))
        page.keyboard.press("Enter")
        verdict = check(task, wrong).text
        assert say.text_content() == verdict
    assert say.locator("a").get_attribute("href").endswith(f".html#{example.quiz.anchor}")
    assert reveal.is_visible()
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert str(task.answer) in say.inner_text()
    assert not reveal.is_visible()
    before = text.inner_text()
    for _ in range(30):
        page.get_by_role("button", name=QUIZ["new"]).press("Enter")
        assert text.inner_text() != before, "the same numbers twice in a row"
        assert page.evaluate("document.activeElement.dataset.c") == "in0"
        before = text.inner_text()
    draw = next(
        draw for draw in example.drawn[0] if before == example.quiz.questions[0].asked(draw).replace("`", "")
    )
    page.keyboard.type(str(draw.answer))
    page.keyboard.press("Enter")
    assert say.text_content() == "right."
    assert page.locator("legend").inner_text().endswith(f"✓ {QUIZ['done']}")


def test_an_answer_is_chosen_by_keyboard_and_by_touch(show: Any) -> None:
    example = EXAMPLES[3]
    task = example.drawn[0][0]
    options = example.options(0, 0)
    page = opened(show, example, has_touch=True, width=360)
    say = page.locator("[data-r=say0]")
    page.get_by_role("button", name=QUIZ["check"]).first.tap()
    assert say.inner_text() == QUIZ["empty"]
    for number, option in enumerate(options):
        page.locator("[data-r=options0] label").nth(number).tap()
        page.get_by_role("button", name=QUIZ["check"]).first.tap()
        assert say.text_content() == check(task, option).text
    page.locator("[data-r=options0] input").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert say.text_content() == check(task, options[1]).text
    group = page.locator("[role=radiogroup]").first
    named = page.locator(f"#{group.get_attribute('aria-labelledby')}")
    assert named.text_content() == page.locator("[data-r=text0]").text_content()


def test_axe_finds_nothing_and_nothing_is_wider_than_a_phone(show: Any, violations: Any) -> None:
    few = review()
    few.chapters = dict(list(few.chapters.items())[:2])  # the others look alike
    page = opened(show, *EXAMPLES, few)
    for form in page.locator("form").all():
        field = form.locator("input[type=text]")
        if field.count():
            field.fill("1")
        else:
            form.locator("input").first.check()
        form.locator("[type=submit]").click()
    page.evaluate("document.querySelectorAll('details:not([hidden])').forEach(d => { d.open = true })")
    assert violations(page) == {}


def test_all_quizzes_fit_a_phone(show: Any) -> None:
    page = show(*ALL, review(), width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    wide = page.evaluate(
        """[...document.querySelectorAll('.cx :is(p,label,legend,button,input)')].filter(
            e => e.getBoundingClientRect().right > 360).map(e => e.outerHTML.slice(0, 100))"""
    )
    assert wide == []


def test_without_javascript_a_question_and_its_answer_are_there(show: Any) -> None:
    page = show(*EXAMPLES, review(), java_script_enabled=False)
    for number, example in enumerate(EXAMPLES):
        form = (
            page.locator("form")
            .filter(has=page.locator("xpath=."))
            .nth(sum(len(one.quiz.questions) for one in EXAMPLES[:number]))
        )
        assert form.locator("[data-r=text0]").is_visible()
        assert not form.locator("button").first.is_visible()
        assert form.locator("details").is_visible()
        if example.chosen(0):
            assert form.locator("input").first.is_visible()
    answer = page.locator("details").first
    answer.locator("summary").click()
    assert str(EXAMPLES[0].drawn[0][0].answer) in answer.inner_text()
    assert page.locator("#quiz-review [data-r=summary]").inner_text() == REVIEW["static"]
    assert page.locator("#quiz-review li").first.is_visible()


def answer(page: Any, example: QuizPage, text: str) -> None:
    page.locator(f"#{example.name} [data-c=in0]").fill(text)
    page.keyboard.press("Enter")


def test_answers_are_kept_listed_saved_read_and_erased(show: Any, tmp_path: Path) -> None:
    one, two = EXAMPLES[:2]
    listed = review()
    page = opened(show, one, two, listed)
    entry, wrong = misconceptions.answers(one.drawn[0][0])[0]
    answer(page, one, str(wrong))
    answer(page, two, "wide")  # cannot be read: no try
    answer(page, two, ", ".join(map(str, two.drawn[0][0].answer)))
    page.reload()
    here = page.locator("#quiz-review")
    counts = {"all": len(listed.places), "tried": 2, "right": 1, "review": 1}
    assert here.locator("[data-r=summary]").inner_text() == REVIEW["summary"].format(**counts)
    said = check(one.drawn[0][0], wrong).text.removesuffix(f" {chapter_reference(entry.chapter)}")
    again = here.locator("[data-r=again] li")
    assert again.count() == 1
    assert again.inner_text() == f"{one.quiz.section}: {REVIEW['review'].format(said=said)}".replace(
        ":", f", {REVIEW['question'].format(number=1)}:" if len(one.quiz.questions) > 1 else ":", 1
    )
    page_name = CHAPTERS[one.chapter][2]
    assert again.locator("a").get_attribute("href") == f"{page_name}.html#{one.quiz.anchor}"
    assert page.locator(f"#{two.name} legend").first.inner_text().endswith(QUIZ["done"])

    with page.expect_download() as saved:
        here.get_by_role("button", name=REVIEW["export"]).click()
    assert saved.value.suggested_filename == REVIEW["file"]
    file = tmp_path / "answers.json"
    saved.value.save_as(file)
    kept = json.loads(file.read_text(encoding="utf-8"))["answers"]
    assert kept[f"{one.quiz.name}/1"]["slip"] == entry.name
    assert {place: (its["tries"], its["right"]) for place, its in kept.items()} == {
        f"{one.quiz.name}/1": (1, 0),
        f"{two.quiz.name}/1": (1, 1),
    }

    page.once("dialog", lambda dialog: dialog.dismiss())
    here.get_by_role("button", name=REVIEW["erase"]).click()
    assert again.count() == 1, "kept where the reader thinks better of it"
    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    here.get_by_role("button", name=REVIEW["erase"]).click()
    assert asked == [REVIEW["erase_really"].format(tried=2)]
    assert here.locator("[data-r=summary]").inner_text() == f"{REVIEW['erased']} {REVIEW['none']}"
    assert page.evaluate("localStorage.length") == 0

    here.locator("input[type=file]").set_input_files(file)
    page.wait_for_function("document.querySelectorAll('[data-r=again] li').length == 1")
    counted = REVIEW["imported"].format(count=2)
    assert here.locator("[data-r=summary]").inner_text() == f"{counted} {REVIEW['summary'].format(**counts)}"
    page.reload()
    assert again.count() == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"course": "another", "answers": {}}',
        '{"course": "cnn-course-quizzes", "answers": {"x/1": 3}}',
    ],
)
def test_a_file_of_something_else_changes_nothing(text: str, show: Any, tmp_path: Path) -> None:
    page = opened(show, review())
    (tmp_path / "other.json").write_text(text)
    page.locator("input[type=file]").set_input_files(tmp_path / "other.json")
    page.wait_for_function("word => document.body.innerText.includes(word)", arg=REVIEW["not_imported"])
    assert "undefined" not in page.locator("main").inner_text()


def test_what_a_file_says_is_text(show: Any, tmp_path: Path) -> None:
    """A file may come from anybody."""
    place = f"{EXAMPLES[0].quiz.name}/1"
    one = {"tries": "2", "right": {}, "last": "slip", "said": "<img src=x onerror=alert(1)>", "time": []}
    file = {"course": "cnn-course-quizzes", "answers": {place: one, "no-quiz/1": one}}
    page = opened(show, review())
    (tmp_path / "file.json").write_text(json.dumps(file))
    page.locator("input[type=file]").set_input_files(tmp_path / "file.json")
    page.wait_for_function("document.querySelectorAll('[data-r=again] li').length == 1")
    assert one["said"] in page.locator("[data-r=again]").inner_text()
    assert page.locator("#quiz-review img").count() == 0
    assert page.evaluate("Object.keys(JSON.parse(localStorage['cnn-course-quizzes']))") == [place]


def test_links_stay_in_the_book_or_lead_there(show: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_SITE", "https://course.test/cnn/")
    example = QuizPage(EXAMPLES[0].quiz, EXAMPLES[0].chapter)
    answers = [wrong for _, wrong in example.slips[0][0]][:1]
    page = opened(show, example, review())
    for place, address in (("", ""), ('<div class="jp-Notebook"></div>', "https://course.test/cnn/")):
        pieces = f"{example._repr_html_()}{review()._repr_html_()}"
        page.set_content(f"{place}{pieces}")
        page.locator("[data-c=in0]").fill(str(answers[0]))
        page.keyboard.press("Enter")
        links = (page.locator("[data-r=say0] a"), page.locator("details li a").first)
        found = [link.get_attribute("href") for link in links]
        assert all(re.match(rf"{address}\d\d-[\w-]+\.html(#|$)", link) for link in found), found


def test_where_nothing_can_be_kept_quizzes_work(show: Any) -> None:
    page = show(EXAMPLES[0], review(), locale="en-GB")  # a page of its own
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied') } })"
    )
    page.reload()
    answer(page, EXAMPLES[0], str(EXAMPLES[0].drawn[0][0].answer))
    assert page.locator("[data-r=say0]").text_content() == "right."
    assert page.locator("[data-r=summary]").inner_text() == f"{REVIEW['not_kept']} {REVIEW['none']}"
