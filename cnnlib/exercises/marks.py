"""What a test cell of the assignments calls: checks, verdicts in words, and points.

A test cell looks like this, its last line being the points::

    marks = sheet.marks("first-size")
    marks.check("size_a")
    marks.look("size_b")
    ### BEGIN HIDDEN TESTS
    marks.check("size_b")
    ### END HIDDEN TESTS
    marks.score()

The tasks and points of the parts come from the student's :class:`~cnnlib.exercises.sheet.Sheet`; without one,
``Marks(globals())`` takes them in each line: ``marks.check("height", Task("output_size", …), points=1)``.

How the three readers of such a cell get along with one another:

- *A student* who runs it, and nbgrader's *Validate*, see what the visible checks say. Where something is
  not right, :meth:`Marks.score` raises :class:`NotYet`, whose traceback is nothing but the verdicts; Validate
  then counts the cell as failed and shows the same words. Where all is right it returns nothing.
- *Autograding* (nbgrader sets ``NBGRADER_EXECUTION=autograde``) runs the hidden tests too and wants points:
  nothing is raised, the verdicts are printed (the feedback page shows them), and the last line is a number
  from 0 to the cell's points, which nbgrader 0.9.6 takes as partial credit.
- *An instructor* who runs the solution notebook sees every check, hidden ones included.

Points are given by line: a check's ``points`` are won whole or not at all, and those of a cell are added up.
Only :meth:`Marks.model` shares its points out, evenly over the layers or limits. The visible checks of a
function are worth ``points=0``: they show the way, and the points come from hidden ones on other inputs.

Answers are looked up by name, so that one that was never assigned is "not answered yet" and costs its own
points alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from cnnlib.exercises.checks import (
    EMPTY,
    WRONG,
    Verdict,
    check,
    check_function,
    check_model,
    check_refusals,
    form_only,
)
from cnnlib.exercises.networks import AnyLayer, Row
from cnnlib.exercises.tasks import Task, TaskError
from cnnlib.exercises.wording import say, wrapped

if TYPE_CHECKING:
    from cnnlib.exercises.sheet import Sheet


@runtime_checkable
class Judge(Protocol):
    """What judges a network as a whole."""

    def judge(self, name: str, answer: Any, input_shape: tuple[int, ...]) -> list[Verdict]:
        """A verdict on each thing that is wanted."""


class NotYet(AssertionError):  # it is a judgement on an answer, not an error in the program
    """An answer is not right yet. Notebooks show the message and no traceback."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback."""
        return str(self).splitlines()


@dataclass(frozen=True)
class _Entry:
    name: str
    verdict: Verdict
    points: float


class Marks:
    """The points of one test cell, collected check by check.

    >>> marks = Marks({"height": 24, "width": 24})
    >>> marks.check("height", Task("output_size", size=28, kernel_size=5))
    >>> marks.check("width", Task("output_size", size=32, kernel_size=5, padding=2))
    >>> try:
    ...     marks.score()
    ... except NotYet as verdicts:
    ...     print(verdicts)
    height: right.
    width: 24 is not right yet, and it is no slip that I know. Ask yourself: how
      far can the window move before it would stick out, and how many steps is
      that? See chapter 6, “Padding and stride”.
    """

    def __init__(
        self, namespace: Mapping[str, Any], sheet: Sheet | None = None, question: str | None = None
    ) -> None:
        self._namespace = namespace
        self._sheet, self._question = sheet, question
        self._entries: list[_Entry] = []

    def check(self, name: str, task: Task | None = None, points: float | None = None) -> None:
        """Judge the value called ``name``; task and points are the sheet's unless given."""
        if task is not None:
            self._add(name, check(task, self._value(name)), 1 if points is None else points)
            return
        sheet, question = self._from_sheet(name)
        verdict = check(sheet[question].tasks[name], self._value(name))
        if verdict.state == WRONG:
            value = sheet[question].tasks[name].kind.form.read(self._value(name))
            said = sheet.whose(question, name, value)
            verdict = verdict if said is None else Verdict(WRONG, said, "anothers-numbers")
        worth = next(part.points for part in sheet.assignment[question].parts if part.name == name)
        self._add(name, verdict, worth if points is None else points)

    def look(self, name: str, kind: str | None = None) -> None:
        """Say whether ``name`` is answered in the form of a kind; whether it is right, hidden tests tell."""
        if kind is None:
            sheet, question = self._from_sheet(name)
            kind = sheet[question].tasks[name].kind.name
        self._add(name, form_only(kind, self._value(name)), 0)

    def _from_sheet(self, name: str) -> tuple[Sheet, str]:
        if self._sheet is None or self._question is None:
            raise TaskError(f"{name}: which task? Give one, or take the marks from a sheet: sheet.marks(…)")
        names = [part.name for part in self._sheet.assignment[self._question].values]
        if name not in names:
            raise TaskError(f"{self._question} does not ask for {name!r}; it asks for {', '.join(names)}")
        return self._sheet, self._question

    def function(
        self,
        name: str,
        cases: Sequence[Task],
        points: float = 1,
        about: str = "",
        arguments: Sequence[str] | None = None,
    ) -> None:
        """Judge the function called ``name`` on ``cases``; ``about`` says what they have in common."""
        verdict = check_function(name, self._value(name), cases, arguments)
        self._add(f"{name}, {about}" if about else name, verdict, points)

    def refuses(
        self,
        name: str,
        calls: Iterable[Sequence[Any]],
        error: type[Exception] = ValueError,
        points: float = 1,
        about: str = "",
    ) -> None:
        """Judge whether the function called ``name`` raises ``error`` for all ``calls``."""
        verdict = check_refusals(name, self._value(name), calls, error)
        self._add(f"{name}, {about}" if about else name, verdict, points)

    def model(
        self,
        name: str,
        input_shape: tuple[int, ...],
        wanted: Sequence[Row | AnyLayer] | Judge,
        points: float = 1,
    ) -> None:
        """Judge a Keras model layer by layer, or a network by what else is wanted of it.

        Each layer, or each verdict of a judge (see :mod:`cnnlib.exercises.budgets`), is worth the same share
        of the points.
        """
        if isinstance(wanted, Judge):
            verdicts = wanted.judge(name, self._value(name), input_shape)
        else:
            verdicts = check_model(name, self._value(name), input_shape, wanted)
        for verdict in verdicts:
            self._add(name, verdict, points / len(verdicts))

    def score(self) -> float | None:
        """Tell the verdicts; autograding gets the points, anybody else :class:`NotYet` if one is wrong."""
        if grading():
            # In one piece: a notebook may put what comes in two into two outputs, by chance.
            print(self._text(with_points=True) + "\n", end="")
            won = sum(entry.points * entry.verdict.share for entry in self._entries)
            return round(float(won), 2)
        text = self._text(with_points=False)
        if all(entry.verdict.right for entry in self._entries):
            print(text)
            return None
        raise NotYet(text) from None

    def _value(self, name: str) -> Any:
        try:
            return self._namespace[name]
        except KeyError:
            return ...

    def _add(self, name: str, verdict: Verdict, points: float) -> None:
        if grading() and not points:
            return  # a visible check that other inputs repeat for points
        self._entries.append(_Entry(name, verdict, points))

    def _text(self, with_points: bool) -> str:
        lines = []
        for entry in self._entries:
            line = f"{entry.name}: {entry.verdict.text}"
            if with_points:
                won, worth = round(entry.points * entry.verdict.share, 2), round(entry.points, 2)
                line = f"{line} [{say('points', points=won, worth=worth)}]"
            line = wrapped(line, "  ")
            if line not in lines:  # a model that is not there is said once, not once a layer
                lines.append(line)
        if not with_points and any(entry.verdict.state == EMPTY for entry in self._entries):
            lines.append(say("empty-hint"))
        return "\n".join(lines)


def grading() -> bool:
    """Whether nbgrader is autograding, so that points are wanted rather than an error."""
    return os.environ.get("NBGRADER_EXECUTION") == "autograde"
