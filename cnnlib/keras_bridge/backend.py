"""Load Keras, TensorFlow or Hypothesis when one of them is first used, quietly, or say how to get it."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from cnnlib.errors import MissingExtraError


@functools.cache
def keras() -> ModuleType:
    """Keras on TensorFlow, loaded quietly, or an error that says how to get it."""
    return _load("keras", "Keras", "keras")


@functools.cache
def tensorflow() -> ModuleType:
    """TensorFlow, under the Keras that :func:`keras` loads: its tape gives the peers' gradients."""
    keras()
    module = _load("tensorflow", "TensorFlow", "keras")
    module.get_logger().setLevel("ERROR")  # it warns of every new shape that it compiles a grouped kernel for
    return module


@functools.cache
def hypothesis() -> ModuleType:
    """Hypothesis, which draws the configurations that are compared."""
    return _load("hypothesis", "Hypothesis", "dev")


def versions() -> dict[str, str]:
    """The packages that a comparison rests on and their versions, by the names that people use.

    >>> list(versions())
    ['Keras', 'TensorFlow', 'NumPy', 'Hypothesis']
    """
    numpy = importlib.import_module("numpy")
    loaded = {"Keras": keras(), "TensorFlow": tensorflow(), "NumPy": numpy, "Hypothesis": hypothesis()}
    return {name: module.__version__ for name, module in loaded.items()}


def _load(module: str, package: str, extra: str) -> ModuleType:
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up chatter
    try:
        with _silent():
            return importlib.import_module(module)
    except ImportError:
        raise MissingExtraError(package, extra) from None


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep off the standard error what TensorFlow's C++ writes there while it is loaded.

    Some of it comes before TensorFlow has read its log level, so no setting of Python's stops it.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
