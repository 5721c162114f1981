"""Assignments as data, and a student's own sheet of one: the same questions with that student's numbers.

An :class:`Assignment` is a list of questions; each says what is asked, for how many points, and how its
numbers are drawn. A :class:`Sheet` is what one student gets of it. The numbers depend on the student's id and
the assignment alone (:func:`seed`), so that they are the same on every machine and in every year:

>>> sheet = Sheet("03-sizes-and-counts", student_id="ada")
>>> sheet["first-size"].size_a == Sheet("03-sizes-and-counts", student_id=" ADA ")["first-size"].size_a
True

They change where a question, a kind, or the mistakes registered for it change, since a draw is taken only if
all likely mistakes can be told apart on it: do that between terms.
"""

from __future__ import annotations

import functools
import json
import os
import string
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np

from cnnlib.errors import SizeError
from cnnlib.exercises import sheets
from cnnlib.exercises.checks import well_posed
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.marks import Marks, NotYet
from cnnlib.exercises.tasks import Task, TaskError, draw, known, needed
from cnnlib.exercises.wording import say, shape_text

#: What a question wants of a student.
SORTS = (
    "calculate",
    "predict",
    "write the function",
    "build a model",
    "repair",
    "find the slip",
    "read a summary",
    "explain",
)
#: Where a student's id is looked for, in this order, before what the notebook says: the grader's, the hub's.
VARIABLES = ("COURSE_STUDENT", "JUPYTERHUB_USER")
#: Where the grader puts the ids of those who handed in, as a JSON list.
CLASS = "COURSE_CLASSMATES"
#: No student id is longer than this.
LONGEST = 80
#: So many draws of a question's facts, and of each part, before it is given up.
DRAWS, DRAWS_OF_A_PART = 200, 60

Facts = Mapping[str, Any]


# --- Who: ids and seeds -------------------------------------------------------------------------------


def normalised(student_id: str) -> str:
    """An id as it is used: Unicode NFC, lower case (by case folding), no space around it, single ones inside.

    >>> normalised("  Ada  LOVELACE ")
    'ada lovelace'
    """
    folded = unicodedata.normalize("NFC", student_id).casefold()
    return " ".join(unicodedata.normalize("NFC", folded).split())


def seed(student_id: str, assignment: str, part: str) -> str:
    """The text from which a part's numbers are drawn (:class:`~cnnlib.exercises.dice.Dice` hashes it).

    >>> seed("Ada", "03-sizes-and-counts", "first-size")
    '03-sizes-and-counts/first-size/ada'
    """
    return f"{assignment}/{part}/{normalised(student_id)}"


# --- What: assignments as data ------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Part:
    """A value that is asked for.

    Attributes:
        name: the variable that takes the answer.
        kind: of the task.
        points: for the right value.
        given: parameters that are not drawn, and hints to the drawing; or a function that makes them of the
            question's facts. Where it holds every parameter that has no default, nothing is drawn.
        roll: draws the parameters, in place of the kind's own.
        bounds: between what every number of the right answer lies, both included.
        accept: whether a task will do beyond that.
        slips: so many registered mistakes, at least, must make a difference.
    """

    name: str
    kind: str
    points: float = 1
    given: Facts | Callable[[Facts], Facts] = field(default_factory=dict)
    roll: Callable[[Dice], dict[str, Any]] | None = None
    bounds: tuple[float, float] | None = None
    accept: Callable[[Task], bool] | None = None
    slips: int = 2

    def fixed(self, facts: Facts) -> dict[str, Any]:
        """What of the task is settled before it is drawn."""
        return dict(self.given(facts) if callable(self.given) else self.given)

    def suits(self, task: Task) -> bool:
        """Whether a task is well-posed, within bounds, and as telling as it should be."""
        if self.bounds is not None:
            low, high = self.bounds
            numbers = np.ravel(task.answer)
            if numbers.min() < low or numbers.max() > high:
                return False
        if self.accept is not None and not self.accept(task):
            return False
        return well_posed(task, self.slips)


@dataclass(frozen=True, eq=False)
class Work:
    """A function or a model that is asked for; the lines of the check cell say how its points are shared.

    Attributes:
        name: of the function or model.
        points: in all.
        kind: of the tasks on which a function is tried, if it is one.
    """

    name: str
    points: float
    kind: str | None = None


@dataclass(frozen=True, eq=False)
class Question:
    """One question of an assignment.

    Attributes:
        id: the name (grade id) of the answer's cell.
        title: a few words.
        objective: what it trains, as "can …" goes on: "compute the size of an output".
        difficulty: 1 (one step), 2 (several), 3 (has to be worked out).
        sort: one of :data:`SORTS`.
        parts: what is asked.
        facts: draws what the parts and the text have in common.
        shown: how the numbers stand in the notebook: Markdown with blanks (see :meth:`Asked.text`), or a
            function that writes it; nothing where the question has no numbers of its own.
        by_hand: the points that a person gives.
    """

    id: str
    title: str
    objective: str
    difficulty: int
    sort: str
    parts: Sequence[Part | Work] = ()
    facts: Callable[[Dice], Facts] | None = None
    shown: str | Callable[[Asked], str] = "{table}"
    by_hand: float = 0

    def __post_init__(self) -> None:
        if self.sort not in SORTS:
            raise TaskError(f"{self.id}: no sort {self.sort!r}; there are {', '.join(SORTS)}")
        if self.difficulty not in (1, 2, 3):
            raise TaskError(f"{self.id}: difficulty {self.difficulty}; it is 1, 2 or 3")
        for part in self.parts:
            if part.kind is not None:
                known(part.kind)

    @property
    def values(self) -> tuple[Part, ...]:
        """The parts that are values."""
        return tuple(part for part in self.parts if isinstance(part, Part))

    @property
    def points(self) -> float:
        """All points."""
        return sum(part.points for part in self.parts) + self.by_hand

    @property
    def personal(self) -> bool:
        """Whether each student gets other numbers."""
        return bool(self.values) or self.facts is not None


@dataclass(frozen=True, eq=False)
class Assignment:
    """An assignment: its folder's name, its title, and its questions in order."""

    name: str
    title: str
    questions: Sequence[Question]

    def __post_init__(self) -> None:
        ids = [question.id for question in self.questions]
        names = [part.name for question in self.questions for part in question.parts]
        for what in (ids, names):
            twice = sorted({one for one in what if what.count(one) > 1})
            if twice:
                raise TaskError(f"{self.name}: used more than once: {', '.join(twice)}")

    @property
    def order(self) -> int:
        """Its number: that of its folder."""
        return int(self.name.split("-")[0])

    @property
    def points(self) -> float:
        """All points."""
        return sum(question.points for question in self.questions)

    def __getitem__(self, question_id: str) -> Question:
        for question in self.questions:
            if question.id == question_id:
                return question
        there = ", ".join(question.id for question in self.questions)
        raise TaskError(f"{self.name} has no question {question_id!r}; there are {there}")


# --- Whose: a question with somebody's numbers --------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Asked:
    """A question as one student gets it.

    Facts and the parameters of each part are attributes: ``asked.size_a.kernel_size``.
    """

    question: Question
    facts: Facts
    tasks: Mapping[str, Task]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self.facts:
            return self.facts[name]
        if name in self.tasks:
            return SimpleNamespace(**self.tasks[name].given)
        there = ", ".join([*self.facts, *self.tasks]) or "no numbers"
        raise AttributeError(f"{self.question.id} has no {name!r}; it has {there}")

    @property
    def text(self) -> str:
        """The numbers as Markdown.

        In ``shown``, ``{size_a.stride}`` stands for a parameter of a part, ``{layers}`` for a fact, and
        ``{table}`` for a table of all parts. A blank may say how: ``{a.kernel_size:square}`` is 5×5,
        ``{a.signal:list}`` is 2, −1, 3, and ``{a.signal:rows}`` are rows of numbers in a block of their own.
        """
        if callable(self.question.shown):
            return self.question.shown(self)
        return Blanks().vformat(self.question.shown, (), _Lookup(self))


class _Lookup(dict[str, Any]):
    """What the blanks of a text stand for."""

    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self._asked = asked

    def __missing__(self, name: str) -> Any:
        return table()(self._asked) if name == "table" else getattr(self._asked, name)


class Blanks(string.Formatter):
    """Fills the blanks of a text; see :meth:`Asked.text` for how a blank may say how it is written."""

    def get_value(self, key: int | str, args: Any, kwargs: Any) -> Any:
        """What a blank stands for; its name is looked up even where ``in`` does not find it."""
        return kwargs[key]

    def format_field(self, value: Any, format_spec: str) -> str:
        """How it is written."""
        if format_spec == "square":
            return shape_text(value if isinstance(value, tuple) else (value, value))
        if format_spec == "list":
            return ", ".join(number_text(number) for number in value)
        if format_spec == "number":
            return number_text(value)
        if format_spec == "rows":
            return f"\n```text\n{rows_text(value)}\n```\n"
        if format_spec:
            return format(value, format_spec)
        return shape_text(value) if isinstance(value, (tuple, int)) else str(value)


def number_text(number: Any) -> str:
    """A number as text sets it: whole where it is, with a true minus.

    >>> number_text(-2.0), number_text(0.5)
    ('−2', '0.5')
    """
    return f"{number:g}".replace("-", "−")


def rows_text(*arrays: Any, between: str = "     ") -> str:
    """Rows of numbers, aligned; several arrays stand side by side.

    >>> print(rows_text([[1, -2], [10, 0]], [[0, 1]]))
     1  -2      0  1
    10   0
    """
    blocks = []
    for array in arrays:
        rows = [[f"{number:g}" for number in row] for row in np.atleast_2d(np.asarray(array))]
        width = max(len(text) for row in rows for text in row)
        blocks.append(["  ".join(text.rjust(width) for text in row) for row in rows])
    height = max(map(len, blocks))
    padded = [[*block, *[" " * len(block[0])] * (height - len(block))] for block in blocks]
    return "\n".join(between.join(lines).rstrip() for lines in zip(*padded, strict=True))


def table(*columns: str, parts: Sequence[str] = (), points: bool | None = None) -> Callable[[Asked], str]:
    """How to show a question's parts: a table with a row for each and a column for each parameter.

    Args:
        columns: names of parameters (default: all that a part has, a bias that is always there left out).
        parts: names of the parts (default: all values).
        points: whether a column tells the points (default: where parts differ in them).
    """

    def text(asked: Asked) -> str:
        chosen = [part for part in asked.question.values if not parts or part.name in parts]
        tasks = [asked.tasks[part.name] for part in chosen]
        names = columns or [
            name
            for name in dict.fromkeys(name for task in tasks for name in task.given)
            if not (name == "use_bias" and all(task.given.get(name, True) for task in tasks))
        ]
        worth = points if points is not None else len({part.points for part in chosen}) > 1
        head = ["", *(_label(name, tasks) for name in names), *(["points"] if worth else [])]
        lines = [head, ["---"] * len(head)]
        for part, task in zip(chosen, tasks, strict=True):
            cells = [_cell(name, task.given) for name in names]
            lines.append([f"`{part.name}`", *cells, *([f"{part.points:g}"] if worth else [])])
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    return text


def _label(name: str, tasks: Sequence[Task]) -> str:
    return next(task.kind.label(name) for task in tasks if name in task.given)


def _cell(name: str, given: Facts) -> str:
    """A parameter in a table; a square window of a layer is written with both sides."""
    if name not in given:
        return ""
    value = given[name]
    flat = not {"input_shape", "channels"} & given.keys()
    if name in ("kernel_size", "pool_size") and not flat and isinstance(value, int):
        return shape_text((value, value))
    if isinstance(value, (list, tuple)) and name in ("signal", "kernel"):
        return ", ".join(number_text(number) for number in value)
    if isinstance(value, bool):
        return say("yes" if value else "no")
    return shape_text(value)


@functools.lru_cache(maxsize=4096)
def ask(question: Question, seed_text: str) -> Asked:
    """Draw a question.

    Raises:
        TaskError: no draw of its facts and parts is well-posed and within bounds.
    """
    for attempt in range(DRAWS):
        here = f"{seed_text}#{attempt}"
        facts = MappingProxyType(dict(question.facts(Dice(here)))) if question.facts else {}
        tasks = _draw_parts(question, facts, here)
        if tasks is not None:
            return Asked(question, facts, MappingProxyType(tasks))
        if not question.facts and attempt >= 4:  # what is fixed is the same each time
            break
    raise TaskError(f"{question.id}: nothing well-posed was drawn from {seed_text!r}; see faults()")


def _draw_parts(question: Question, facts: Facts, seed_text: str) -> dict[str, Task] | None:
    tasks: dict[str, Task] = {}
    for part in question.values:
        fixed = part.fixed(facts)
        others = [task for task in tasks.values() if task.kind.name == part.kind]

        def suits(task: Task, part: Part = part, others: list[Task] = others) -> bool:
            alike = any(task.kind.form.same(task.answer, other.answer) for other in others)
            return not alike and part.suits(task)

        try:
            if needed(part.kind) <= fixed.keys():
                task = Task(part.kind, **fixed)
                if not suits(task):
                    return None
            else:
                task = draw(part.kind, f"{seed_text}/{part.name}", suits, DRAWS_OF_A_PART, part.roll, **fixed)
        except (SizeError, TaskError):
            return None
        tasks[part.name] = task
    return tasks


class NoStudent(NotYet):
    """Nobody has said whose sheet this is."""


class Shown(str):
    """Markdown: notebooks show it as such, everything else as text."""

    def _repr_markdown_(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        return str(self)


class Sheet:
    """One student's questions of an assignment.

    Args:
        assignment: its name.
        namespace: the notebook's ``globals()``: there answers are looked up, and ``student_id``.
        student_id: whose, for those who are not in a notebook.
    """

    def __init__(
        self, assignment: str, namespace: Mapping[str, Any] | None = None, student_id: str | None = None
    ) -> None:
        self.assignment: Assignment = sheets.load(assignment)
        self._namespace = {} if namespace is None else namespace
        self._given = student_id
        #: Of others who handed in: the parts in which a wrong answer here is right for them.
        self._anothers: dict[str, set[str]] = {}

    @property
    def student(self) -> str:
        """The id, normalised.

        Raises:
            NoStudent: nobody has said who it is.
        """
        for given in (self._given, *(os.environ.get(name) for name in VARIABLES), self.typed):
            if given is not None and normalised(given):
                return normalised(given)
        raise NoStudent(say("no-student")) from None

    @property
    def typed(self) -> str | None:
        """What the notebook says in ``student_id``."""
        typed = self._namespace.get("student_id")
        if type(typed) is int and abs(typed) < 10**LONGEST:
            return str(typed)
        kind = type(typed)  # exactly: a class of the student's own may say anything
        return str(typed) if kind in (str, np.str_) and len(str(typed)) <= LONGEST else None

    def who(self) -> Shown:
        """Say whose numbers these are."""
        student, typed = self.student, normalised(self.typed or "")
        if typed not in ("", student):
            return Shown(say("other-student", student=student, typed=typed))
        return Shown(say("student", student=student, assignment=self.assignment.title))

    def __getitem__(self, question_id: str) -> Asked:
        return self.asked(question_id, self.student)

    def asked(self, question_id: str, student: str) -> Asked:
        """A question as some student gets it."""
        return ask(self.assignment[question_id], seed(student, self.assignment.name, question_id))

    def show(self, question_id: str) -> Shown:
        """A question's numbers, for a notebook to show."""
        return Shown(self[question_id].text)

    def marks(self, question_id: str) -> Marks:
        """What the check cell of a question calls; it knows the tasks and points of the parts."""
        return Marks(self._namespace, self, self.assignment[question_id].id)

    def answers(self, question_id: str) -> dict[str, Any]:
        """The right values, by name."""
        return {name: task.answer for name, task in self[question_id].tasks.items()}

    # --- answers to somebody else's numbers -----------------------------------------------------------

    def whose(self, question_id: str, part: str, value: Any) -> str | None:
        """What to say of a wrong value that is right for other numbers than this student's, if it is.

        ``value`` is what the part's form has read. The id that the notebook names counts at once; those of
        others who handed in (:data:`CLASS`) count where the part is telling by itself (see
        :meth:`telling`), or where answers to two parts are right for the same one of them.
        """
        typed = normalised(self.typed or "")
        if typed not in ("", self.student) and self._right_for(typed, question_id, part, value):
            return say("typed-numbers", student=self.student, typed=typed)
        matching = [other for other in class_ids() if other != self.student]
        matching = [other for other in matching if self._right_for(other, question_id, part, value)]
        for other in matching:
            self._anothers.setdefault(other, set()).add(f"{question_id}/{part}")
        if any(len(self._anothers[other]) > 1 for other in matching) or (
            matching and self.telling(question_id, part)
        ):
            return say("anothers-numbers")
        return None

    def _right_for(self, student: str, question_id: str, part: str, value: Any) -> bool:
        task = self.asked(question_id, student).tasks[part]
        return bool(task.kind.form.same(value, task.answer))

    def telling(self, question_id: str, part: str) -> bool:
        """Whether nearly every student has another answer to a part, so that a match is no chance."""
        return _telling(self.assignment, question_id, part)


#: So many made-up students tell whether a part is telling.
_PANEL = 30


@functools.cache
def _telling(assignment: Assignment, question_id: str, part: str) -> bool:
    panel = (seed(f"panel {number}", assignment.name, question_id) for number in range(_PANEL))
    drawn = (ask(assignment[question_id], text).tasks[part].answer for text in panel)
    return len({repr(np.asarray(answer).tolist()) for answer in drawn}) >= 0.9 * _PANEL


@functools.lru_cache(maxsize=4)
def _ids(text: str) -> tuple[str, ...]:
    try:
        found = json.loads(text)
    except ValueError:
        return ()
    return tuple(normalised(one) for one in found if isinstance(one, str)) if isinstance(found, list) else ()


def class_ids() -> tuple[str, ...]:
    """The ids of those who handed in, where a grader has told them."""
    return _ids(os.environ.get(CLASS, ""))


def assignments() -> list[Assignment]:
    """All assignments, in order."""
    return sorted(map(sheets.load, sheets.names()), key=lambda assignment: assignment.order)


def everybody(assignment: Assignment, students: Sequence[str]) -> Iterator[tuple[str, Asked]]:
    """Every personal question of an assignment, drawn for every one of the students."""
    for student in students:
        for question in assignment.questions:
            if question.personal:
                yield student, ask(question, seed(student, assignment.name, question.id))
