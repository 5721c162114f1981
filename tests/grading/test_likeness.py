"""Likeness names who may have copied, whatever was renamed, and leaves alone who worked apart."""

from __future__ import annotations

import random
import time

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from cnnlib.exercises import Sheet
from cnnlib.exercises.wording import say
from grading import likeness

LOOPS = '''
def conv2d(inputs, kernels, stride=1):
    """One feature map for each filter."""
    rows, columns, _, filters = kernels.shape
    height = (inputs.shape[0] - rows) // stride + 1
    width = (inputs.shape[1] - columns) // stride + 1
    outputs = np.zeros((height, width, filters))
    for f in range(filters):
        for y in range(height):
            for x in range(width):  # every place
                window = inputs[y * stride : y * stride + rows, x * stride : x * stride + columns]
                outputs[y, x, f] = (window * kernels[..., f]).sum()
    return outputs
'''
RENAMED = (
    LOOPS.replace("window", "patch")
    .replace("outputs", "result")
    .replace("height", "h")
    .replace("filters", "k")
    + "\n# my own work\n"
)
VIEWS = """
def conv2d(inputs, kernels, stride=1):
    shape = kernels.shape[:2]
    view = np.lib.stride_tricks.sliding_window_view(inputs, shape, axis=(0, 1))[::stride, ::stride]
    taken = np.einsum("yxcij,ijcf->yxf", view, kernels)
    if taken.ndim != 3 or taken.shape[-1] != kernels.shape[-1]:
        raise ValueError(f"{taken.shape} is no stack of {kernels.shape[-1]} feature maps")
    good = np.asarray(taken, dtype=float)
    assert good.flags.owndata or good.base is not None
    assert good.shape[0] <= inputs.shape[0] and good.shape[1] <= inputs.shape[1]
    return good.reshape(good.shape[0], good.shape[1], -1)
"""


def notebook(code: str, *wrong: str):
    """A graded notebook with one answer and what its test said."""
    about = {"grade_id": "conv", "grade": False, "solution": True, "locked": False, "schema_version": 3}
    test = about | {"grade_id": "conv-check", "grade": True, "solution": False, "locked": True, "points": 2}
    text = "".join(f"{name}: {name} is not right yet [0 of 1]\n" for name in wrong)
    outputs = [new_output("stream", name="stdout", text=text)] if text else []
    cells = [
        new_code_cell(code, metadata={"nbgrader": about}),
        new_code_cell("score()", metadata={"nbgrader": test}, outputs=outputs),
    ]
    return new_notebook(cells=cells)


def named(**submissions) -> dict[tuple[str, str], likeness.Pair]:
    reader = likeness.Reader()
    works = [reader.read(student, [book]) for student, book in submissions.items()]
    return {pair.students: pair for pair in likeness.pairs(works)}


def test_renaming_and_comments_hide_nothing() -> None:
    found = named(ada=notebook(LOOPS), bo=notebook(RENAMED), cy=notebook(VIEWS))
    assert found.keys() == {("ada", "bo")}
    assert found["ada", "bo"].alike == 100


def test_one_changed_line_is_still_alike() -> None:
    found = named(ada=notebook(LOOPS), bo=notebook(RENAMED.replace("// stride + 1", "// stride + 2", 1)))
    assert likeness.ALIKE <= found["ada", "bo"].alike < 100


def test_code_that_many_have_is_nobody_s() -> None:
    assert named(**{f"s{n}": notebook(LOOPS) for n in range(likeness.RARE + 1)}) == {}
    variants = {f"v{n}": notebook(LOOPS.replace("stride + 1", f"stride + {n}", 1)) for n in range(5)}
    assert named(**variants) == {}


def test_short_answers_tell_nothing() -> None:
    assert named(ada=notebook("size = 28"), bo=notebook("size = 28")) == {}


def test_the_same_wrong_numbers_tell_more_than_code() -> None:
    found = named(ada=notebook(LOOPS, "17", "404"), bo=notebook(VIEWS, "17", "404"), cy=notebook(VIEWS, "17"))
    assert list(found) == [("ada", "bo"), ("bo", "cy")]
    assert [text.split(":")[0] for text in found["ada", "bo"].wrong] == ["17", "404"]
    many = {f"s{n}": notebook(str(n), "17", "404") for n in range(likeness.RARE + 1)}
    assert named(**many) == {}


def test_what_was_given_out_does_not_count() -> None:
    reader = likeness.Reader([notebook(LOOPS)])
    works = [reader.read(student, [notebook(LOOPS + "\npass")]) for student in ("ada", "bo")]
    assert [work.code for work in works] == ["", ""]


NAME, FOREIGN = "03-sizes-and-counts", say("anothers-numbers")


def graded(answers: dict[str, object], said: str = FOREIGN):
    """A graded notebook with these values, of all of which its test said the same."""
    book = notebook("\n".join(f"{name} = {value!r}  # so" for name, value in answers.items()))
    text = "".join(f"{name}: {said} [0 of 1]\n" for name in answers)
    book.cells[1].outputs = [new_output("stream", name="stdout", text=text)]
    return book


def theirs(student: str) -> dict[str, object]:
    """The right answers to a student's numbers, to a few questions."""
    sheet = Sheet(NAME, student_id=student)
    return sheet.answers("first-size") | sheet.answers("layer-shape") | sheet.answers("dropped-column")


def lent(**submissions) -> list[likeness.Borrowed]:
    reader = likeness.Reader()
    return likeness.borrowed(NAME, [reader.read(student, [book]) for student, book in submissions.items()])


def test_values_of_somebody_else_tell_whose_they_are() -> None:
    others = {name: graded({}) for name in ("ada", "cy", "dee", "eve", "Bo")}
    (found,) = lent(**others, bob=graded(theirs("dee")))
    assert (found.student, found.owners, found.typed) == ("bob", ("dee",), None)
    assert set(found.answers) == set(theirs("dee"))
    # … also where they are of nobody in this class, or are not written down as they are
    (found,) = lent(ada=graded({}), bob=graded(theirs("dee") | {"size_a": 10**6}))
    assert found.owners == ()
    computed = graded(theirs("dee"))
    computed.cells[0].source = computed.cells[0].source.replace("=", "= 0 +")
    assert [each.owners for each in lent(ada=graded({}), bob=computed)] == [()]


def test_who_worked_under_another_id_is_named_with_it() -> None:
    said = say("typed-numbers", student="bob", typed="dee <b>")
    (found,) = lent(ada=graded({}), bob=graded(theirs("dee"), said), dee=graded({}))
    assert (found.owners, found.typed) == (("dee",), "dee <b>")
    # … which is no wrong answer that two have in common
    both = {name: graded({"size_a": 1}, say("typed-numbers", student=name, typed="7")) for name in "ab"}
    assert named(**both) == {}


def large(number: int, copied: int) -> list[likeness.Borrowed]:
    """A class in which all answer six questions right, but for one who copies some of the first one's."""
    names = [f"part_{letter}" for letter in "abcdef"]
    works = [
        likeness.Work(
            f"s{n}",
            "",
            frozenset(),
            right=frozenset((f"{name}-check", name, repr(100 * n + i)) for i, name in enumerate(names)),
        )
        for n in range(number)
    ]
    book = notebook("\n".join(f"{name} = {i if i < copied else -1 - i}" for i, name in enumerate(names)))
    for name in names:
        test = notebook("").cells[1]
        test.metadata.nbgrader.grade_id = f"{name}-check"
        test.outputs = [
            new_output("stream", name="stdout", text=f"{name}: that is not right yet. [0 of 1]\n")
        ]
        book.cells.append(test)
    return likeness.borrowed(NAME, [*works, likeness.Reader().read("copier", [book])])


def test_in_a_large_class_copied_values_are_found_among_those_that_others_wrote() -> None:
    (found,) = large(300, 4)
    assert found == likeness.Borrowed("copier", ("part_a", "part_b", "part_c", "part_d"), ("s0",), None)
    assert large(300, 2) == []  # among so many, two numbers fit somebody's by chance
    assert large(300, 0) == []


def test_wrong_values_that_are_right_for_many_tell_nothing() -> None:
    right = {"part_a": 3, "part_b": 4}
    works = [
        likeness.Work(
            f"s{n}", "", frozenset(), right=frozenset((f"{k}-check", k, str(v)) for k, v in right.items())
        )
        for n in range(200)
    ]
    works.append(likeness.Work("bo", "", frozenset(), missed=works[0].right))
    assert likeness.borrowed(NAME, works) == []


def test_wrong_answers_are_nobody_s_and_other_assignments_have_no_owners() -> None:
    assert lent(ada=graded(theirs("dee"), "17 is not right yet."), dee=graded({})) == []
    work = likeness.Reader().read("bob", [graded(theirs("dee"))])
    assert likeness.borrowed("01-tiny", [work]) == []


@pytest.mark.parametrize(
    "code", ["f(" * 90, "-" * 3990 + "1", "x = " + "[" * 3990, "x = 1 if" * 99, "x = {[]: 1}"]
)
def test_no_answer_is_too_much_to_look_for_values(code: str) -> None:
    assert likeness.values(code) == {}
    assert likeness.values(f"y = 2\n{' ' * likeness.READABLE}") == {}


@pytest.mark.parametrize("code", ["def f(:\n", "'''", "x = $", "\x00", "  a\n b", "(" * 300, "é = 1\n\tx"])
def test_anything_can_be_an_answer(code: str) -> None:
    likeness.tokens(code)


def test_two_thousand_submissions_take_seconds() -> None:
    """Different code of the same length: nothing can be left out by its length."""
    drawn = random.Random(7)
    works = [
        likeness.Work(f"s{n:04}", "".join(drawn.choices("abcdefghijklmnopqrstuvwxyz", k=400)), frozenset())
        for n in range(2000)
    ]
    works.append(likeness.Work("copy", works[0].code[:-3] + "xyz", frozenset()))
    started = time.process_time()
    (pair,) = likeness.pairs(works)
    assert pair.students == ("copy", "s0000")
    assert time.process_time() - started < 10
