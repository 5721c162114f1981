"""Likely mistakes as data: each is a wrong rule that computes the wrong answer, and what to say about it.

They stand beside the kinds that they belong to, in the modules of :mod:`cnnlib.exercises.kinds`. A rule
takes the parameters of its kind of task, as the right rule does, and returns the answer of somebody who
makes that one mistake, or None where the mistake makes no difference (no padding can be forgotten where
there is none). Wrong rules call :mod:`cnnlib.sizes` too, with something left out. ``{answer}`` in a message
stands for what the student wrote; the right answer never stands there.

An instructor adds one in a line:

>>> from cnnlib.exercises import Task, check
>>> task = Task("conv_parameters", kernel_size=5, channels=3, filters=10)
>>> rule = lambda kernel_size, channels, filters, use_bias: kernel_size + channels + filters
>>> added = add("conv_parameters", "added-up", rule, "{answer} adds up.", "filters-and-kernels")
>>> print(check(task, 18).text)
18 adds up. See chapter 5, “Filters and kernels”.
>>> remove(added)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cnnlib.errors import CnnError
from cnnlib.exercises.tasks import Task, known
from cnnlib.exercises.wording import CHAPTERS


@dataclass(frozen=True)
class Misconception:
    """A wrong rule for one kind of task, and what to say to someone who followed it.

    ``over_many`` marks a mistake that one question cannot tell from another one, but many inputs to a
    function can (rounding to the nearest is now rounding up, now right).
    """

    kind: str
    name: str
    rule: Callable[..., Any]
    message: str
    chapter: str
    over_many: bool = False

    def answer(self, task: Task) -> Any:
        """What this mistake gives for a task, in the kind's form; None where it makes no difference."""
        try:
            wrong = self.rule(**task.given)
        except CnnError:  # the mistaken sizes do not even fit
            return None
        if wrong is None:
            return None
        return task.kind.form.read(wrong)


#: Kind → its mistakes, in the order in which they were registered.
_REGISTRY: dict[str, list[Misconception]] = {}


def add(
    kind: str, name: str, rule: Callable[..., Any], message: str, chapter: str, *, over_many: bool = False
) -> Misconception:
    """Register a likely mistake; the arguments are the fields of :class:`Misconception`.

    Raises:
        CnnError: the kind or chapter is unknown, or the name is taken.
    """
    known(kind)
    if chapter not in CHAPTERS:
        raise CnnError(f"no chapter is labelled {chapter!r}; there are {', '.join(CHAPTERS)}")
    if any(other.name == name for other in likely(kind)):
        raise CnnError(f"{kind} already has a misconception {name!r}; choose another name")
    entry = Misconception(kind, name, rule, message, chapter, over_many)
    _REGISTRY.setdefault(kind, []).append(entry)
    return entry


def add_all(kind: str, chapter: str, *slips: tuple[str, Callable[..., Any], str]) -> None:
    """Register several likely mistakes of one kind, each as (name, rule, message)."""
    for name, rule, message in slips:
        add(kind, name, rule, message, chapter)


def remove(entry: Misconception) -> None:
    """Take a misconception out of the registry again."""
    _REGISTRY[entry.kind].remove(entry)


def likely(kind: str) -> list[Misconception]:
    """The registered mistakes of one kind of task.

    >>> [entry.name for entry in likely("keeping_padding")]
    ['both-sides-together', 'half-the-kernel', 'one-too-many']
    """
    return list(_REGISTRY.get(kind, ()))


def answers(task: Task) -> list[tuple[Misconception, Any]]:
    """What each mistake that shows in one question gives for a task.

    >>> [(entry.name, wrong) for entry, wrong in answers(Task("keeping_padding", kernel_size=7))]
    [('both-sides-together', 6), ('half-the-kernel', 3.5), ('one-too-many', 4)]
    """
    given = ((entry, entry.answer(task)) for entry in likely(task.kind.name) if not entry.over_many)
    return [(entry, wrong) for entry, wrong in given if wrong is not None]


def mistaken(task: Task, name: str) -> Any:
    """What the mistake of this name gives for a task.

    >>> mistaken(Task("output_size", size=28, kernel_size=5), "forgot-the-one")
    23

    Raises:
        CnnError: it is unknown, or makes no difference there.
    """
    for entry in likely(task.kind.name):
        if entry.name == name and (answer := entry.answer(task)) is not None:
            return answer
    raise CnnError(f"{name!r} is no mistake that shows in {task!r}")


def everything() -> Iterator[Misconception]:
    """All registered mistakes."""
    return iter([entry for entries in _REGISTRY.values() for entry in entries])
