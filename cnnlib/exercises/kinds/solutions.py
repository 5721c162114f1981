"""Worked solutions with a slip in them: which line is the first that is wrong?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cnnlib.exercises.answers import Number
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.misconceptions import add, mistaken
from cnnlib.exercises.tasks import Task, TaskError, add_kind, draw


@dataclass(frozen=True)
class Line:
    """A line of a worked solution: what it claims, and the task that tells whether it is so."""

    claim: Any
    task: Task


def with_slip(tasks: Sequence[Task], number: int, slip: str) -> dict[str, Any]:
    """A worked solution in which the line ``number``, from 1, makes the registered mistake ``slip``.

    Returns:
        ``lines``, and as ``slip`` the parameters of the task that went wrong.

    >>> right = Task("output_size", size=28, kernel_size=5), Task("output_size", size=12, kernel_size=5)
    >>> facts = with_slip(right, 2, "forgot-the-one")
    >>> [line.claim for line in facts["lines"]], facts["slip"]["size"]
    ([24, 7], 12)
    """
    claims = [task.answer for task in tasks]
    claims[number - 1] = mistaken(tasks[number - 1], slip)
    lines = tuple(Line(claim, task) for claim, task in zip(claims, tasks, strict=True))
    return {"lines": lines, "slip": tasks[number - 1].given}


def _first_slip(lines: Sequence[Line]) -> int:
    """The number, from 1, of the first line whose claim is not what its own task gives."""
    for number, line in enumerate(lines, start=1):
        if line.claim != line.task.answer:
            return number
    raise TaskError("there is no slip in these lines")


def _roll_lines(dice: Dice) -> dict[str, Any]:
    layer = draw("conv_parameters", dice.seed)
    one = Task("conv_parameters", **{**layer.given, "filters": 1})
    return {"lines": (Line(one.answer, one), Line(one.answer, layer))}


add_kind(
    "first_slip",
    _first_slip,
    Number(),
    "which lines are right if you work them out anew?",
    "filters-and-kernels",
    _roll_lines,
)


def _last_false(lines: Sequence[Line]) -> int | None:
    false = [number for number, line in enumerate(lines, 1) if line.claim != line.task.answer]
    return false[-1] if len(false) > 1 else None


add(
    "first_slip",
    "the-consequence",
    _last_false,
    "line {answer} only carries on with a wrong number. Where does that number come from?",
    "filters-and-kernels",
)
