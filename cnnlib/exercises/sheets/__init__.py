"""The assignments, one module each: ``03-sizes-and-counts`` is declared in ``sizes_and_counts.py``.

Every module of this package is found by itself; it declares ``ASSIGNMENT``. Only the one that is asked for
is loaded.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
from typing import Any

from cnnlib.exercises.tasks import TaskError


def module_name(assignment: str) -> str:
    """The module of an assignment: its name without the number, as Python wants it.

    >>> module_name("03-sizes-and-counts")
    'sizes_and_counts'
    """
    return re.sub(r"^\d+-", "", assignment).replace("-", "_")


@functools.cache
def names() -> tuple[str, ...]:
    """The names of all modules."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


@functools.cache
def load(assignment: str) -> Any:
    """The :class:`~cnnlib.exercises.sheet.Assignment` of a name, or of a module's name.

    Raises:
        TaskError: there is none.
    """
    name = module_name(assignment)
    if name not in names():
        raise TaskError(f"no assignment is called {assignment!r}; there are {', '.join(names()) or 'none'}")
    found = importlib.import_module(f"{__name__}.{name}").ASSIGNMENT
    if assignment not in (name, found.name):
        raise TaskError(f"no assignment is called {assignment!r}; did you mean {found.name!r}?")
    return found
