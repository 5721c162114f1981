"""The pool: tasks that end their process, take too long or raise cost themselves and nobody else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from grading.pool import Pool

#: What the processes of these tests do; they import it by name.
TASKS = """
import os, signal, time

def work(shared, argument):
    kind, _, rest = argument.partition(":")
    if kind == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "die once" and not os.path.exists(f"{shared}/{rest}"):
        open(f"{shared}/{rest}", "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "exit":
        raise SystemExit(3)
    if kind == "raise":
        raise ValueError(rest)
    if kind == "sleep":
        time.sleep(float(rest))
    if kind == "here":
        return os.getcwd(), os.getpid()
    return argument

def prepare(place):
    (place / "prepared").touch()

def rehearse(shared):
    open("rehearsed", "w").write(shared)
    raise ValueError("what goes wrong there is nobody's concern")
"""


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tasks_of_the_pool.py").write_text(TASKS)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def pool(shared: Path, **options) -> Pool:
    ready = {name: f"tasks_of_the_pool:{name}" for name in ("prepare", "rehearse")}
    return Pool("tasks_of_the_pool:work", str(shared), **ready, **options)


def test_each_task_is_answered_once_whatever_others_do(tasks: Path) -> None:
    arguments = ["a", "die", "b", "die once:x", "raise:no", "exit", "c", "sleep:60", "d", "die once:y", "e"]
    with pool(tasks, processes=2, seconds=3) as workers:
        done = list(workers.run((argument, argument) for argument in arguments))
    assert sorted(d.key for d in done) == sorted(arguments)
    said = {d.key: d.lost or d.value for d in done}
    assert {key: said[key] for key in "abcde"} == {key: key for key in "abcde"}
    assert said["die once:x"] == "die once:x"
    assert said["die once:y"] == "die once:y"
    assert said["die"] == "the process that did it ended with code -9, 2 times"
    assert "2 times" in said["exit"]
    assert said["sleep:60"] == "it took more than 3 seconds"
    assert "ValueError: no" in said["raise:no"]


def test_tasks_are_taken_when_there_is_somebody_to_do_them(tasks: Path) -> None:
    taken = []

    def coming():
        for number in range(20):
            taken.append(number)
            yield str(number), "a"

    with pool(tasks, processes=2) as workers:
        for count, _ in enumerate(workers.run(coming()), 1):
            assert len(taken) <= count + 2
    assert len(taken) == 20


def test_processes_work_in_parallel_and_in_folders_that_go_with_them(tasks: Path) -> None:
    with pool(tasks, processes=2) as workers:
        workers.start()
        places = {done.value for done in workers.run([(str(n), "sleep:0.3") for n in range(2)])}
        places = {done.value for done in workers.run([(str(n), "here") for n in range(40)])}
        assert {Path(place, "prepared").is_file() for place, _ in places} == {True}
        assert {Path(place, "rehearsed").read_text() for place, _ in places} == {str(tasks)}
    assert not any(Path(place).exists() for place, _ in places)
    for _, process in places:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="needs /proc to see that a process is gone")
def test_processes_end_with_their_coordinator_however_it_ends(tasks: Path) -> None:
    """Two tasks are under way when it is killed; a moment later both processes are gone."""
    program = """
        import sys
        from grading.pool import Pool
        sys.path.insert(0, sys.argv[1])
        if __name__ == "__main__":
            with Pool("tasks_of_the_pool:work", sys.argv[1], processes=2) as workers:
                for done in workers.run([("a", "here"), ("b", "here"), ("c", "sleep:50"), ("d", "sleep:50")]):
                    print(done.value[1], flush=True)
    """
    file = tasks / "program.py"
    file.write_text(textwrap.dedent(program))
    environment = os.environ | {"PYTHONPATH": f"{Path(__file__).parents[2]}{os.pathsep}{tasks}"}
    with subprocess.Popen([sys.executable, file, tasks], env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        workers = {int(process.stdout.readline()) for _ in range(2)}
        process.send_signal(signal.SIGKILL)
    until = time.monotonic() + 10
    while time.monotonic() < until and any(Path(f"/proc/{worker}/cwd").exists() for worker in workers):
        time.sleep(0.05)
    assert not any(Path(f"/proc/{worker}/cwd").exists() for worker in workers)
