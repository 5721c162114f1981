"""Every right answer gets full marks, every wrong one fewer and the message meant for it.

Right and wrong answers to questions for a value are made from each task itself: the styles in which the
right one may be written, every registered misconception, another student's answer, and what is no answer at
all. Functions and models have a bank of their own, in ``banks/``.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from cnnlib.exercises import Sheet, Task, check, check_function, draw, draw_cases, sheet
from cnnlib.exercises.answers import Array, Number, Shape
from cnnlib.exercises.misconceptions import likely
from cnnlib.exercises.wording import CHAPTERS, SAY

#: Whose numbers are tried.
STUDENTS = ("ada", "김하늘", "s1234567")


class Sly:
    """Equal to everything, true, and whatever number or array is wanted."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def __index__(self) -> int:
        return 24

    def __float__(self) -> float:
        return 24.0

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Any:
        return iter((Sly(), Sly(), Sly()))

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return np.zeros(3)

    def __getattr__(self, name: str) -> Any:
        return Sly()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self


class SlyInt(int):
    """A number that says it is equal to every other one."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


class SlyArray(np.ndarray):
    """An array that says so."""

    def __eq__(self, other: object) -> Any:
        return np.True_

    __hash__ = None  # type: ignore[assignment]


def styles(task: Task) -> list[Any]:
    """The right answer in the ways in which people write it."""
    answer, form = task.answer, task.kind.form
    if isinstance(form, Number):
        return [
            answer,
            *((np.int64(answer), np.int32(answer)) if isinstance(answer, int) else (round(answer, 3),)),
            float(answer),
            np.float32(answer),
            np.array(answer),
        ]
    if isinstance(form, Shape):
        return [
            answer,
            list(answer),
            np.array(answer),
            tuple(np.int32(n) for n in answer),
            tuple(map(float, answer)),
        ]
    return [
        answer.tolist(),
        answer,
        *([answer.astype(np.int64)] if np.array_equal(answer, np.round(answer)) else []),
        answer.astype(np.float32),
        _tuples(answer.tolist()),
    ]


def _tuples(value: Any) -> Any:
    return tuple(_tuples(entry) for entry in value) if isinstance(value, list) else value


#: A wrong value, be it a known slip or not.
WRONG_VALUE = "wrong value"

COMMON = [
    (..., "empty"),
    (None, "none"),
    (True, "bool"),
    (np.bool_(True), "bool"),
    ({1: 2}, None),
    (Sly(), None),
    (lambda: 24, None),
]


def no_answers(task: Task) -> list[tuple[Any, str | None]]:
    """What is no answer to a task, and the key of the sentence that says so (None: any of the form's)."""
    answer, form = task.answer, task.kind.form
    if isinstance(form, Number):
        return [
            *COMMON,
            (str(answer), "text-number"),
            (math.nan, "nan"),
            (math.inf, "nan"),
            (-math.inf, "nan"),
            (10**40, "huge"),
            (1e30, "huge"),
            ([answer], "sequence-for-number"),
            ((answer,), "sequence-for-number"),
            (np.array([answer]), "sequence-for-number"),
            (complex(answer), "type-number"),
            (SlyInt(1), "type-number"),
            (0 if answer else 1, WRONG_VALUE),
            (-answer - 1, "unknown"),
            (answer + 1000, "unknown"),
        ]
    if isinstance(form, Shape):
        return [
            *COMMON,
            ("×".join(map(str, answer)), "text-shape"),
            (str(answer), "text-shape"),
            (math.prod(answer), "number-for-shape"),
            (answer[:-1], "length"),
            ((None, *answer), "batch"),
            ((1, *answer), "batch"),
            ((), "length"),
            (set(answer), "type-shape"),
            ((math.nan, *answer[1:]), "nan"),
            ((answer[0] + 0.5, *answer[1:]), "fraction-in-shape"),
            ((-answer[0], *answer[1:]), "fraction-in-shape"),
            ((Sly(),) * len(answer), "type-number"),
            ((True,) * len(answer), "bool"),
            ((str(answer[0]), *answer[1:]), "text-number"),
            ((0,) * len(answer), "unknown"),
            (tuple(n + 7 for n in answer), "unknown"),
        ]
    assert isinstance(form, Array)
    zeros = np.zeros_like(answer)
    return [
        *COMMON,
        (24, None),
        (str(answer.tolist()), "text-array"),
        (answer * math.nan, "nan"),
        (zeros.astype(object), "type-array"),
        (zeros.view(SlyArray), "type-array"),
        (np.array(["1", "2"]), "type-array"),
        ([[1, 2], [3]], "ragged"),
        ([Sly(), Sly(), Sly()], "type-number"),
        (zeros, "unknown-array"),
        (np.ones_like(answer), "unknown-array"),
        (-answer, "unknown-array"),
        (answer[None], "unknown-array" if form.ndim is None else "axes"),
        (answer.ravel()[:1], "unknown-array" if form.ndim in (None, 1) else "axes"),
    ]


def pattern(sentence: str) -> str:
    """A regular expression for a sentence with blanks."""
    return re.sub(r"\\\{.*?\\\}", ".*", re.escape(sentence).replace(r"\ ", " ")).replace("  ", " ")


def test_right_answers_get_full_marks_in_every_style(part, monkeypatch):
    for student in STUDENTS:
        tried = styles(part.task(student))
        assert len(tried) >= 3
        for answer in tried if student == STUDENTS[0] else tried[:2]:
            result = part.run({part.name: answer}, monkeypatch, student)
            assert result.points == part.points, f"{student}, {answer!r}: {result.told}"
            assert result.visible is None


def test_each_misconception_gets_fewer_marks_and_its_own_message(part, monkeypatch):
    visible = {line.name for line in part.notebook.asked(part.id, released=True) if line.method == "check"}
    for student in STUDENTS:
        task = part.task(student)
        for entry in likely(task.kind.name):
            wrong = None if entry.over_many else entry.answer(task)
            if wrong is None:
                continue
            result = part.run({part.name: wrong}, monkeypatch, student)
            told = rf"{part.name}: .*{pattern(entry.message)} See chapter {CHAPTERS[entry.chapter][0]}, "
            assert result.points < part.points
            assert re.search(told, result.told), f"{student}, {entry.name}: {result.told}"
            if part.name in visible:
                assert re.search(told, result.visible)


def test_what_is_no_answer_gets_fewer_marks_and_is_told_so(part, monkeypatch):
    wrong = no_answers(part.task())
    assert len(wrong) >= 6
    for answer, key in wrong:
        result = part.run({part.name: answer}, monkeypatch)
        assert result.points < part.points, f"{answer!r}: {result.told}"
        if key not in (None, WRONG_VALUE) and check(part.task(), answer).state != "slip":
            assert re.search(f"{part.name}: .*{pattern(SAY[key])}", result.told), f"{answer!r}: {result.told}"
        if key not in ("unknown", "unknown-array", WRONG_VALUE):
            assert result.visible, f"Validate is content with {part.name} = {answer!r}"


def test_what_the_bank_calls_wrong_gets_fewer_marks_and_its_message(part, monkeypatch):
    for source, told in part.notebook.bank.values.get(part.name, ()):
        for student in STUDENTS:
            names = part.notebook.start(student)
            exec(source, names)
            result = part.run({part.name: names[part.name]}, monkeypatch, student)
            assert result.points < part.points, f"{source}: {result.told}"
            assert told in result.told, f"{source}: {result.told}"


def test_another_student_s_answer_fails_and_says_why(part, monkeypatch):
    monkeypatch.setattr(sheet, "class_ids", lambda: STUDENTS)
    mine, (other, *_) = STUDENTS[0], [s for s in STUDENTS[1:] if differs(part, s)] or [None]
    if other is None:
        return  # a line out of five: two students may well have the same
    copied = part.task(other).answer
    result = part.run({part.name: copied}, monkeypatch, mine)
    assert result.points < part.points
    known = check(part.task(mine), copied).state == "slip"
    if Sheet(part.notebook.name, student_id=mine).telling(part.id, part.name) and not known:
        assert "another student's numbers" in result.told, result.told
    result = part.run({part.name: copied}, monkeypatch, mine, student_id=other)
    assert known or f"right for the student id {other}," in result.told, result.told


def differs(part: Any, student: str) -> bool:
    mine, other = part.task().answer, part.task(student).answer
    return not part.task().kind.form.same(mine, other)


def test_no_message_shows_the_answer(part, monkeypatch):
    task = part.task()
    right = re.escape(str(task.answer if not isinstance(task.answer, np.ndarray) else task.answer.tolist()))
    others = [entry.answer(task) for entry in likely(task.kind.name) if not entry.over_many]
    for wrong in [
        *(other for other in others if other is not None),
        *(bad for bad, _ in no_answers(task)[:7]),
    ]:
        told = part.run({part.name: wrong}, monkeypatch).told
        mine = re.search(rf"\b{part.name}: (.*?) \[0 of", told)
        assert mine
        said = re.sub(r"See chapter .*", "", mine.group(1))
        assert not re.search(rf"(?<![\d.]){right}(?![\d.]\d|\d)", said), said


def test_nothing_filled_in_gives_no_points_and_no_error(task, monkeypatch):
    released = task.notebook.cell(task.id, released=True).source
    result = task.run(released, monkeypatch)
    assert result.points == 0
    assert "not answered yet." in result.told
    assert "not answered yet." in result.visible
    assert SAY["empty-hint"] in result.visible


def test_a_deleted_answer_is_not_answered_yet(task, monkeypatch):
    result = task.run("", monkeypatch)
    assert result.points == 0
    assert "not answered yet." in result.told


def test_an_old_stub_that_raises_is_not_answered_yet(function, monkeypatch):
    stub = f"def {function.name}(*arguments):\n    raise NotImplementedError()"
    result = function.run({function.name: defined(stub, function.name)}, monkeypatch)
    assert result.points <= function.points - function.part.points
    assert "not answered yet." in result.told


def test_the_solutions_get_full_marks_and_nothing_is_said_against_them(task, monkeypatch):
    for student in STUDENTS:
        result = task.run(task.notebook.cell(task.id).source, monkeypatch, student)
        assert result.points == task.points, f"{student}: {result.told}"
        assert result.visible is None


# --- Functions and models of the banks ----------------------------------------------------------------


def defined(source: str, name: str, space: dict[str, Any] | None = None) -> Any:
    """What a source defines under a name."""
    space = space or {}
    exec(source, space)
    return space[name]


def source_of(piece: Any, source: str) -> str:
    """A source of the bank, with its head where it is the body of a function."""
    head = piece.notebook.bank.heads.get(piece.name)
    return f"{head}\n    {source}\n" if head else source


def test_right_functions_get_full_marks(function, monkeypatch):
    right_ones_get_full_marks(function, monkeypatch)


def test_right_models_get_full_marks(model, monkeypatch):
    right_ones_get_full_marks(model, monkeypatch)


def right_ones_get_full_marks(piece: Any, monkeypatch: Any) -> None:
    assert len(piece.notebook.bank.right[piece.name]) >= 3
    for number, source in enumerate(piece.notebook.bank.right[piece.name]):
        student = STUDENTS[number % len(STUDENTS)]
        answer = {piece.name: defined(source, piece.name, piece.notebook.start(student))}
        result = piece.run(answer, monkeypatch, student)
        assert result.points == piece.points, result.told
        assert result.visible is None


def test_functions_that_cheat_or_slip_get_fewer_marks_and_are_told_why(function, monkeypatch):
    wrong_ones_are_told_why(function, monkeypatch)


def test_wrong_models_get_fewer_marks_and_are_told_why(model, monkeypatch):
    wrong_ones_are_told_why(model, monkeypatch)


def wrong_ones_are_told_why(piece: Any, monkeypatch: Any) -> None:
    bank = piece.notebook.bank
    assert len(bank.wrong[piece.name]) >= 6
    spare = piece.points - piece.part.points  # other parts of the question stay right
    for number, (source, told, most) in enumerate(bank.wrong[piece.name]):
        student = STUDENTS[number % len(STUDENTS)]
        space = piece.notebook.start(student) | {"Sly": Sly, "SlyInt": SlyInt, "SlyArray": SlyArray}
        answer = defined(source_of(piece, source), piece.name, space)
        result = piece.run({piece.name: answer}, monkeypatch, student)
        assert most < piece.part.points
        assert result.points <= most + spare, f"{source}: {result.told}"
        assert told in result.told, f"{source}: {result.told}"
        assert told in (result.visible or ""), f"Validate, {source}: {result.visible}"


def test_what_only_the_hidden_test_sees_gets_fewer_marks(task, monkeypatch):
    for part in task.question.parts:
        for source, told, most in task.notebook.bank.disguised.get(part.name, ()):
            answer = defined(source, part.name, task.notebook.start(STUDENTS[0]))
            result = task.run({part.name: answer}, monkeypatch)
            assert result.visible is None
            assert result.points <= most + task.points - part.points
            assert told in result.told


def test_functions_with_a_misconception_are_told_which(function, monkeypatch):
    lines = [line for line in function.notebook.asked(function.id) if line.method == "function"]
    names = list(next(line for line in lines if line.name == function.name).task[0].given)
    kind = function.part.kind
    for entry in likely(kind):

        def mistaken(*values: Any, entry: Any = entry) -> Any:
            task = Task(kind, **dict(zip(names, values, strict=False)))
            wrong = entry.answer(task)
            return task.answer if wrong is None else wrong

        result = function.run({function.name: mistaken}, monkeypatch)
        sentence = entry.message.removeprefix("{answer} ").split("{")[0].rstrip()
        assert result.points < function.points, f"{entry.name}: {result.told}"
        assert sentence in result.told, f"{entry.name}: {result.told}"
        assert sentence in result.visible, f"{entry.name}: {result.visible}"


@pytest.mark.parametrize("value", [24, "output_size", [1], None, 3.5], ids=repr)
def test_what_is_no_function_is_told_so(function, value, monkeypatch):
    result = function.run({function.name: value}, monkeypatch)
    assert result.points <= function.points - function.part.points
    assert "a function is asked for" in result.told


def test_hidden_inputs_are_not_the_visible_ones(function):
    lines = [
        line
        for line in function.notebook.asked(function.id)
        if line.method == "function" and line.name == function.name
    ]
    visible = {repr(case) for line in lines if not line.points for case in line.task}
    hidden = {repr(case) for line in lines if line.points for case in line.task}
    assert len(hidden - visible) >= 0.8 * len(hidden) > 0


def test_a_mutant_that_is_right_on_all_visible_inputs_fails(function, monkeypatch):
    """Right where the student can look, and zero elsewhere."""
    lines = [
        line
        for line in function.notebook.asked(function.id, released=True)
        if line.method == "function" and line.name == function.name
    ]
    known = [(list(case.given.values()), case.answer) for line in lines for case in line.task]

    def learned_by_heart(*values: Any) -> Any:
        for given, answer in known:
            if len(given) == len(values) and all(map(np.array_equal, given, values)):
                return answer
        return 0 * known[0][1]

    result = function.run({function.name: learned_by_heart}, monkeypatch)
    assert result.points <= function.points - function.part.points / 2, result.told


# --- What asks back -----------------------------------------------------------------------------------


class _Nameless(type):
    @property
    def __name__(cls) -> str:
        raise ValueError("no name")


class _Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


def endless() -> list[Any]:
    itself: list[Any] = []
    itself.append(itself)
    return itself


@pytest.mark.parametrize("kind", ["output_size", "conv_output", "correlation"])
def test_what_asks_back_is_no_answer_and_no_error(kind: str) -> None:
    """An error would cost the points of all other answers in the cell."""
    task = draw(kind, "asks back")
    assert check(task, _Nameless("Odd", (), {})()).state == "form"
    assert check(task, endless()).state == "form"


def test_an_error_without_text_is_told_by_its_name() -> None:
    def function(*_: Any) -> int:
        raise _Mute

    verdict = check_function("size", function, draw_cases("output_size", "mute", 2))
    assert verdict.text.endswith("raised _Mute.")
