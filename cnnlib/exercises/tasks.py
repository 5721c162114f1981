"""What can be asked: kinds of task, and a task as a kind with its parameters.

The kinds themselves stand in :mod:`cnnlib.exercises.kinds`, one module a topic.

The right answer is computed by the same functions of :mod:`cnnlib` that the chapters explain, so that a
question, its check and the page about it cannot disagree.

>>> task = Task("conv_parameters", kernel_size=5, channels=3, filters=10)
>>> task.answer
760

A kind also draws parameters: from the same seed always the same, so that a seed made of a student's name
gives that student's own numbers (see :func:`draw`).
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from cnnlib.errors import CnnError, SizeError
from cnnlib.exercises.answers import Form
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.wording import CHAPTERS, LABELS, shape_text

#: The parameters of a function, found once: thousands of tasks are drawn before one is good.
_signature = functools.cache(inspect.signature)


class TaskError(CnnError, ValueError):
    """A task that cannot be asked: unknown kind, wrong parameters, or not well-posed."""


@dataclass(frozen=True)
class Kind:
    """A kind of question.

    Attributes:
        name: what tasks and misconceptions call it.
        solve: computes the right answer from the parameters.
        form: what an answer looks like.
        question: what to ask oneself when stuck.
        chapter: label of the chapter that explains it.
        roll: draws parameters; it may take hints, which narrow what it draws.
        labels: what parameters are called, where :data:`~cnnlib.exercises.wording.LABELS` does not tell.
    """

    name: str
    solve: Callable[..., Any]
    form: Form
    question: str
    chapter: str
    roll: Callable[..., dict[str, Any]]
    labels: Mapping[str, str] = field(default_factory=dict)

    def label(self, parameter: str) -> str:
        """What a parameter is called."""
        return self.labels.get(parameter) or LABELS.get(parameter, parameter)


#: All kinds by name; modules of :mod:`cnnlib.exercises.kinds` put them here.
KINDS: dict[str, Kind] = {}


def add_kind(
    name: str,
    solve: Callable[..., Any],
    form: Form,
    question: str,
    chapter: str,
    roll: Callable[..., dict[str, Any]],
    labels: Mapping[str, str] | None = None,
) -> Kind:
    """Register a kind; the arguments are the fields of :class:`Kind`.

    ``labels`` are words for parameters that :data:`~cnnlib.exercises.wording.LABELS` lacks, and go there.

    Raises:
        TaskError: the name is taken, or the chapter unknown.
    """
    if name in KINDS:
        raise TaskError(f"there is a kind called {name!r} already; choose another name")
    if chapter not in CHAPTERS:
        raise TaskError(f"no chapter is labelled {chapter!r}; there are {', '.join(CHAPTERS)}")
    for parameter, word in (labels or {}).items():
        LABELS.setdefault(parameter, word)
    KINDS[name] = Kind(name, solve, form, question, chapter, roll, MappingProxyType(dict(labels or {})))
    return KINDS[name]


def known(kind: str) -> Kind:
    """The kind of a name.

    >>> known("ouput_size")
    Traceback (most recent call last):
        ...
    cnnlib.exercises.tasks.TaskError: no kind of task is called 'ouput_size'; did you mean 'output_size'?
    """
    if kind not in KINDS:
        nearest = difflib.get_close_matches(kind, KINDS, 1, 0)
        raise TaskError(f"no kind of task is called {kind!r}; did you mean {nearest[0]!r}?")
    return KINDS[kind]


@dataclass(frozen=True, init=False)
class Task:
    """One question: a kind and its parameters.

    >>> Task("output_size", size=28, kernel_size=5)
    Task('output_size', size=28, kernel_size=5, stride=1, padding=0)
    >>> Task("output_size", size=28)
    Traceback (most recent call last):
        ...
    cnnlib.exercises.tasks.TaskError: output_size: missing a required argument: 'kernel_size'
    """

    kind: Kind
    given: Mapping[str, Any]

    def __init__(self, kind: str, **given: Any) -> None:
        try:
            bound = _signature(known(kind).solve).bind(**given)
        except TypeError as error:
            raise TaskError(f"{kind}: {error}") from None
        bound.apply_defaults()
        object.__setattr__(self, "kind", KINDS[kind])
        object.__setattr__(self, "given", MappingProxyType(dict(bound.arguments)))

    @functools.cached_property
    def answer(self) -> Any:
        """The right answer, in the kind's form."""
        return self.kind.form.read(self.kind.solve(**self.given))

    @property
    def text(self) -> str:
        """The parameters in words: ``input 28, kernel 5, stride 1, padding 0``."""
        return ", ".join(f"{self.kind.label(name)} {shape_text(value)}" for name, value in self.given.items())

    def __repr__(self) -> str:
        given = "".join(f", {name}={value!r}" for name, value in self.given.items())
        return f"Task({self.kind.name!r}{given})"


def needed(kind: str) -> frozenset[str]:
    """The parameters that a task of a kind cannot do without.

    >>> sorted(needed("output_size"))
    ['kernel_size', 'size']
    """
    listed = _signature(known(kind).solve).parameters.values()
    return frozenset(p.name for p in listed if p.default is inspect.Parameter.empty)


def draw(
    kind: str,
    seed: str,
    accept: Callable[[Task], bool] | None = None,
    draws: int = 1000,
    roll: Callable[..., dict[str, Any]] | None = None,
    **fixed: Any,
) -> Task:
    """Draw a task from a seed.

    Args:
        kind: name of the kind.
        seed: any text; the same text always gives the same task.
        accept: says whether a task will do, for instance :func:`~cnnlib.exercises.checks.well_posed`.
        draws: after so many it is given up.
        roll: draws the parameters, in place of the kind's own.
        fixed: parameters that are not drawn, and hints to the drawing (``channels=1`` for ``conv2d``).

    >>> draw("output_size", seed="03/first-size/ada", stride=1)
    Task('output_size', size=43, kernel_size=4, stride=1, padding=3)

    Raises:
        TaskError: no acceptable task within so many draws.
    """
    roll = roll or known(kind).roll
    hints = {name: fixed.pop(name) for name in _signature(roll).parameters if name in fixed}
    for attempt in range(draws):
        task = Task(kind, **(roll(Dice(f"{seed}#{attempt}"), **hints) | fixed))
        try:
            task.answer  # noqa: B018  # sizes must fit
        except SizeError:
            continue
        if accept is None or accept(task):
            return task
    raise TaskError(f"{kind}: no acceptable task among {draws:,} draws with {fixed} fixed")
