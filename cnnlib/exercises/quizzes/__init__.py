"""The quizzes, one module a chapter: those of ``filters-and-kernels`` stand in ``filters_and_kernels.py``.

Every module of this package is found by itself; it declares ``QUIZZES`` (see
:mod:`cnnlib.exercises.quiz_data`), in the order of the chapter's sections.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil
from typing import TYPE_CHECKING

from cnnlib.exercises.quiz_data import Quiz
from cnnlib.exercises.tasks import TaskError
from cnnlib.exercises.wording import CHAPTERS

if TYPE_CHECKING:
    from cnnlib.exercises.quiz_page import QuizPage
    from cnnlib.exercises.quiz_review import Review


@functools.cache
def by_chapter() -> dict[str, tuple[Quiz, ...]]:
    """The quizzes of each chapter that has any: label → in the order of its sections.

    Raises:
        TaskError: a module is not named as a chapter is, or two quizzes have one name.
    """
    modules = {module.name for module in pkgutil.iter_modules(__path__)}
    labels = {label.replace("-", "_"): label for label in CHAPTERS}
    for name in sorted(modules - labels.keys()):
        nearest = difflib.get_close_matches(name, labels, 1, 0)[0]
        raise TaskError(f"no chapter is labelled as the quizzes {name}.py; did you mean {nearest}.py?")
    found: dict[str, tuple[Quiz, ...]] = {
        label: importlib.import_module(f"{__name__}.{name}").QUIZZES
        for name, label in labels.items()
        if name in modules
    }
    names = [quiz.name for quizzes in found.values() for quiz in quizzes]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise TaskError(f"more than one quiz is called {', '.join(twice)}; choose other names")
    return found


@functools.cache
def by_name() -> dict[str, tuple[str, Quiz]]:
    """All quizzes: name → label of the chapter, and the quiz."""
    return {quiz.name: (label, quiz) for label, quizzes in by_chapter().items() for quiz in quizzes}


def load(name: str) -> tuple[str, Quiz]:
    """The chapter's label and the quiz of a name.

    >>> label, quiz = load("counting-parameters")
    >>> label, quiz.section
    ('filters-and-kernels', 'Counting parameters')

    Raises:
        TaskError: no quiz is called that.
    """
    if name not in by_name():
        nearest = difflib.get_close_matches(name, by_name(), 1, 0)
        raise TaskError(f"no quiz is called {name!r}; did you mean {nearest[0]!r}?")
    return by_name()[name]


def quiz(name: str) -> QuizPage:
    """The quiz of a name, for a cell at the end of its section to show.

    >>> len(quiz("counting-parameters").drawn[0])
    16

    Raises:
        TaskError: no quiz is called that.
    """
    from cnnlib.exercises.quiz_page import QuizPage  # only a page needs it, and graders start often

    label, found = load(name)
    return QuizPage(found, label)


def review() -> Review:
    """What this browser's reader answered in all quizzes, and what to look at again: for a page of its own.

    >>> review()
    You have not tried any question yet. Each section of a chapter ends with one or two.
    """
    from cnnlib.exercises.quiz_review import Review

    return Review()
