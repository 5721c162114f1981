"""Work shared among threads: in order, within bounds, and harmless where there are none."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from cnnlib import threads
from cnnlib.errors import SizeError


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch):
    monkeypatch.delenv(threads.VARIABLE, raising=False)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_come_in_the_order_of_the_items(count):
    def slow_at_first(item):
        time.sleep(0.002 * (5 - item))
        return item

    with threads.using(count):
        assert list(threads.in_order(slow_at_first, range(6 - 1))) == [0, 1, 2, 3, 4]
        assert list(threads.in_order(slow_at_first, [])) == []


def test_one_thread_is_the_callers_own():
    seen = set()
    threads.each(lambda _: seen.add(threading.get_ident()), range(3))
    assert seen == {threading.get_ident()}


def test_so_many_threads_work_at_once():
    """Each waits for the other: with fewer than two nobody would get on."""
    meeting = threading.Barrier(2, timeout=20)
    with threads.using(2):
        threads.each(lambda _: meeting.wait(), range(4))
    assert not meeting.broken


def test_few_results_wait_to_be_taken():
    done = []
    with threads.using(2):
        results = threads.in_order(done.append, range(100))
        next(results)
        time.sleep(0.05)
        assert len(done) <= 4
        results.close()


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_comes_out_and_nothing_goes_on_behind_it(count):
    running = set()

    def work(item):
        running.add(item)
        time.sleep(0.005)
        running.discard(item)
        if item == 1:
            raise ValueError("item 1")

    with threads.using(count):
        with pytest.raises(ValueError, match="item 1"):
            threads.each(work, range(20))
        assert not running


def test_work_within_work_runs_through(monkeypatch):
    """The pool would wait for itself otherwise."""
    monkeypatch.setenv(threads.VARIABLE, "2")

    def outer(_):
        assert threads.count() == 1
        return sum(threads.in_order(lambda item: item, range(4)))

    with threads.using(2):
        assert list(threads.in_order(outer, range(4))) == [6] * 4
        assert threads.count() == 2


def test_a_single_block_may_share_out_what_is_within():
    counts = []
    with threads.using(2):
        threads.each(lambda _: counts.append(threads.count()), [0])
        threads.each(lambda _: counts.append(threads.count()), [0, 1])
    assert counts == [2, 1, 1]


def test_how_many_is_said_by_the_nearest(monkeypatch):
    assert threads.count() == 1
    monkeypatch.setenv(threads.VARIABLE, "3")
    assert threads.count() == 3
    with threads.using(2):
        with threads.using(1):
            assert threads.count() == 1
        assert threads.count() == 2
    assert threads.count() == 3


def test_the_number_is_given_back_after_an_error():
    with pytest.raises(RuntimeError), threads.using(2):
        raise RuntimeError
    assert threads.count() == 1


@pytest.mark.parametrize("said", ["0", "two", "-1", "1.5", ""])
def test_the_environment_has_to_say_a_whole_number(monkeypatch, said):
    monkeypatch.setenv(threads.VARIABLE, said)
    with pytest.raises(
        SizeError, match="the environment variable CNNLIB_THREADS must be a whole number of at least 1"
    ):
        threads.count()


def test_so_has_a_caller():
    for wrong in (0, 1.5, "2"):
        with (
            pytest.raises(SizeError, match="threads must be a whole number of at least 1"),
            threads.using(wrong),
        ):
            pass


def test_in_a_browser_there_is_always_one(monkeypatch):
    monkeypatch.setattr(sys, "platform", "emscripten")
    with threads.using(4):
        assert threads.count() == 1
        assert (
            list(threads.in_order(lambda item: threading.get_ident(), range(2)))
            == [threading.get_ident()] * 2
        )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_has_threads_of_its_own():
    """Those of its parent are gone: a child that waited for them would hang."""
    code = """
import os, signal
from cnnlib import threads
with threads.using(2):
    threads.each(abs, range(8))
    child = os.fork()
    if not child:
        signal.alarm(20)
        print(*threads.in_order(abs, range(4)), flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    print(*threads.in_order(abs, range(3)))
"""
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.stdout.split("\n"), ran.returncode) == (["0 1 2 3", "0 1 2", ""], 0), ran.stderr
