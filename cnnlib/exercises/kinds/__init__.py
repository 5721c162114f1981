"""The kinds of task and the likely mistakes in each, one module a topic.

Every module of this package is found by itself: a file that is added here registers its kinds with
:func:`~cnnlib.exercises.tasks.add_kind` and their mistakes with
:func:`~cnnlib.exercises.misconceptions.add`, and nothing else has to know of it.
"""

from __future__ import annotations

import importlib
import pkgutil

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")
