"""A few threads over blocks of work: one unless told otherwise. Chapter 11.

NumPy lets other threads run while it multiplies, adds or copies large arrays, so that blocks of one
operator can be worked on side by side. Which blocks there are, and the order in which their results
are added, never depends on the number of threads: the result is the same to the last bit.

>>> with using(2):
...     list(in_order(lambda block: block**2, range(4)))
[0, 1, 4, 9]

BLAS, which multiplies the matrices, can start threads of its own; together the two would fight over the
cores. Set ``OPENBLAS_NUM_THREADS=1`` before NumPy is imported where this module is to do the sharing.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from cnnlib.sizes import as_int

Item = TypeVar("Item")
Result = TypeVar("Result")

#: The environment's word on the number of threads, read when a block of work starts.
VARIABLE = "CNNLIB_THREADS"
_chosen: ContextVar[int | None] = ContextVar("threads", default=None)
_pools: dict[int, ThreadPoolExecutor] = {}  # by their number of threads
_worker = threading.local()


def count() -> int:
    """How many threads a block of work is shared among, here and now: at least one.

    Python in a browser (Pyodide) has no threads, so that it is always one there.

    >>> count()
    1

    Raises:
        SizeError: the environment variable ``CNNLIB_THREADS`` is no whole number of at least 1.
    """
    if sys.platform == "emscripten" or getattr(_worker, "busy", False):
        return 1  # a block that is itself shared out runs through: the pool cannot wait for itself
    chosen = _chosen.get()
    if chosen is not None:
        return chosen
    said = os.environ.get(VARIABLE, "1")
    return as_int(int(said) if said.isdecimal() else said, f"the environment variable {VARIABLE}")


@contextmanager
def using(threads: int) -> Iterator[None]:
    """Share work among so many ``threads`` within the ``with`` statement.

    >>> with using(2):
    ...     count()
    2
    """
    before = _chosen.set(as_int(threads, "threads"))
    try:
        yield
    finally:
        _chosen.reset(before)


def in_order(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The results of ``work`` on every item, in the order of the items; some are worked on ahead.

    Only as many results as there are threads wait to be taken, and one more, so that large ones do not
    pile up. An error comes out where its result would have.

    >>> list(in_order(str.upper, ["a", "b"]))
    ['A', 'B']
    """
    threads, items = count(), iter(items)
    if threads == 1:
        yield from map(work, items)
        return
    ahead: deque[Future[Result]] = deque()
    try:
        for item in items:
            ahead.append(_pool(threads).submit(_run, work, item))
            if len(ahead) > threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:  # nobody writes into an array any more once this is left, whatever went wrong
        for future in ahead:
            if not future.cancel():
                future.exception()


def each(work: Callable[[Item], object], items: Iterable[Item]) -> None:
    """Do ``work`` on every item, for what it writes; return when all is done.

    >>> squares = [0, 0, 0]
    >>> each(lambda place: squares.__setitem__(place, place**2), range(3))
    >>> squares
    [0, 1, 4]
    """
    items = list(items)
    if len(items) == 1:  # nothing to share out here, but perhaps within
        work(items[0])
        return
    for _ in in_order(work, items):
        pass


def _run(work: Callable[[Item], Result], item: Item) -> Result:
    _worker.busy = True
    return work(item)


def _pool(threads: int) -> ThreadPoolExecutor:
    if threads not in _pools:
        _pools[threads] = ThreadPoolExecutor(threads, thread_name_prefix="cnnlib")
    return _pools[threads]


if hasattr(os, "register_at_fork"):  # a forked child has none of its parent's threads: it makes new ones
    os.register_at_fork(after_in_child=_pools.clear)
