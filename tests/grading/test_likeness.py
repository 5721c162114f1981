"""Likeness names who may have copied, whatever was renamed, and leaves alone who worked apart."""

from __future__ import annotations

import random
import time

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

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
