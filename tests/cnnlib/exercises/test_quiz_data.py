"""Every question of every quiz: well-posed, short, telling, and without its answer in the text."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from cnnlib.exercises import Task, TaskError, check, misconceptions, quizzes
from cnnlib.exercises.answers import Array, brief
from cnnlib.exercises.quiz_data import DRAWS, Ask, Case, Quiz, sentences
from cnnlib.exercises.quiz_page import QuizPage, judged, label
from cnnlib.exercises.tasks import KINDS
from cnnlib.explorers.page import script_data

PAGES = {quiz.name: QuizPage(quiz, chapter) for chapter, its in quizzes.by_chapter().items() for quiz in its}
QUESTIONS = [
    pytest.param(page, number, id=f"{page.chapter}:{name}-{number + 1}")
    for name, page in PAGES.items()
    for number in range(len(page.quiz.questions))
]
#: Bytes of a question's data.
LARGEST = 6_000
#: A reader has so many different situations or sets of numbers, at least.
FEWEST = 4
#: No question is longer than this, numbers and networks set apart not counted.
LONGEST = 420


def written(value: Any) -> str:
    """A right or wrong answer as a reader may type it."""
    return repr(value.tolist() if isinstance(value, np.ndarray) else value)


def _right_is_right_and_every_slip_is_known(page: QuizPage, number: int) -> None:
    ask, tasks = page.quiz.questions[number], page.drawn[number]
    assert FEWEST <= len(tasks) <= DRAWS
    for draw, task in enumerate(tasks):
        slips, options = page.slips[number][draw], page.options(number, draw)
        verdicts = [check(task, answer) for answer in ([a for _, a in slips] if options is None else options)]
        if options is None:
            assert judged(task, written(task.answer)).right, task
            assert [verdict.slip for verdict in verdicts] == [entry.name for entry, _ in slips]
            assert len(slips) >= ask.slips
        else:
            assert sorted(verdict.state for verdict in verdicts) == ["right", *["slip"] * (len(options) - 1)]
            assert len({label(option) for option in options}) == len(options) >= 3


def _text_is_short_filled_in_and_silent_about_the_answer(page: QuizPage, number: int) -> None:
    ask, tasks = page.quiz.questions[number], page.drawn[number]
    told = 0
    for task in tasks:
        text = ask.asked(task)
        assert not re.search(r"[{}]", text), text
        assert text.count("`") % 2 == 0, text
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        assert len(prose) <= LONGEST, prose
        assert prose.rstrip().endswith(("?", ".", ":", "…", ")")), prose
        answer = str(task.answer) if isinstance(task.answer, float) else label(task.answer)
        told += bool(re.search(rf"(?<![\w.,×]){re.escape(answer)}(?![\w×]|[.,]\d)", text))
    assert told <= len(tasks) / 2, "the answer stands in the question"


def _right_sentences_are_not_known_by_their_length(page: QuizPage, number: int) -> None:
    tasks = page.drawn[number]
    longest = 0
    for draw, task in enumerate(tasks):
        options = page.options(number, draw) or []
        lengths = sorted(len(option) for option in options if option != task.answer)
        longest += len(task.answer) > lengths[-1]
        for entry, _ in page.slips[number][draw]:
            if task.answer.count(" ") > 2:
                assert task.answer.lower() not in entry.message.lower(), entry.message
            assert not re.search(r"[{}]", entry.message.replace("{answer}", "")), entry.message
            assert entry.message.rstrip().endswith((".", "?", "!")), entry.message
    assert longest <= 2 * len(tasks) / 3, f"right is the longest in {longest} of {len(tasks)} draws"


@pytest.mark.parametrize(("page", "number"), QUESTIONS)
def test_a_question_is_fair_and_short(page: QuizPage, number: int) -> None:
    _right_is_right_and_every_slip_is_known(page, number)
    _text_is_short_filled_in_and_silent_about_the_answer(page, number)
    if page.quiz.questions[number].says:
        _right_sentences_are_not_known_by_their_length(page, number)


@pytest.mark.slow
def test_a_page_gets_little() -> None:
    for page in PAGES.values():
        for number in range(len(page.quiz.questions)):
            assert len(script_data(page._question(number)).encode()) <= LARGEST, (page.quiz.name, number)


def test_draws_are_the_same_each_time_and_differ_from_one_another() -> None:
    for page in list(PAGES.values())[:5]:
        again = QuizPage(page.quiz, page.chapter)
        for number, (ask, tasks) in enumerate(zip(page.quiz.questions, page.drawn, strict=True)):
            assert repr(again.drawn[number]) == repr(tasks)
            asked = [ask.asked(task) + (brief(task.answer) if ask.says else "") for task in tasks]
            assert len(set(asked)) == len(asked)


def test_quizzes_have_one_or_two_questions_and_names_of_their_own() -> None:
    assert PAGES
    for page in PAGES.values():
        assert 1 <= len(page.quiz.questions) <= 2, page.quiz.name
    kinds = [ask.kind for page in PAGES.values() for ask in page.quiz.questions if ask.says]
    assert len(kinds) == len(set(kinds))


# --- What an author is told ---------------------------------------------------------------------------


def test_mistakes_of_an_author_are_named() -> None:
    with pytest.raises(TaskError, match="did you mean 'conv_parameters'"):
        Ask("conv_parameter", "?")
    with pytest.raises(TaskError, match="cannot name a quiz"):
        Quiz("Counting parameters", "Counting parameters", Ask("conv_parameters", "?"))
    with pytest.raises(TaskError, match="asks nothing"):
        Quiz("counting", "Counting")
    with pytest.raises(TaskError, match="did you mean 'counting-parameters'"):
        quizzes.load("counting-parameter")
    common = {"chapter": "pooling", "question": "what stays?"}
    with pytest.raises(TaskError, match="needs two wrong"):
        sentences("test-few", cases=[Case("", "yes", {"no": "No."})], **common)
    with pytest.raises(TaskError, match="right and wrong at once: yes"):
        sentences("test-both", cases=[Case("", "yes", {"no": "No."})], wrong={"yes": "Yes."}, **common)
    assert not {"test-few", "test-both"} & KINDS.keys()


def test_a_task_of_sentences_has_one_that_is_right() -> None:
    ask = sentences(
        "test-one",
        chapter="pooling",
        question="what stays?",
        cases=[
            Case("First.", "a", {"b": "Not b.", "c": ("Not c.", "variants")}),
            Case("Second.", "b", {"a": "Not a.", "c": "Never c."}),
        ],
    )
    try:
        assert {ask.asked(task): task.answer for task in ask.draws("x")} == {"First.": "a", "Second.": "b"}
        task = Task("test-one", situation="First.", options=("c", "a", "b"))
        said = "Not c. See chapter 9, “Variants of convolution”."
        assert [check(task, one).text for one in "abc"] == [
            "right.",
            "Not b. See chapter 7, “Pooling”.",
            said,
        ]
        assert check(task, 3).state == "form"
        with pytest.raises(TaskError, match="one option must be right, not 0"):
            Task("test-one", situation="First.", options=("c", "b")).answer  # noqa: B018
    finally:
        for entry in misconceptions.likely("test-one"):
            misconceptions.remove(entry)
        del KINDS["test-one"]


def test_arrays_that_are_typed_have_rows_at_most() -> None:
    for page in PAGES.values():
        for ask in page.quiz.questions:
            form = KINDS[ask.kind].form
            if isinstance(form, Array) and not ask.choose:
                assert form.ndim in (None, 1, 2), ask.kind
