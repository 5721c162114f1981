"""What of our grading costs what: run by ``grading.py``, each part in a process of its own; prints JSON.

python tests/benchmarks/grading_parts.py ours CLASS ASSIGNMENT JOBS trusted|plain
python tests/benchmarks/grading_parts.py replies CLASS ASSIGNMENT COUNT
python tests/benchmarks/grading_parts.py walls COUNT
python tests/benchmarks/grading_parts.py memory CLASS ASSIGNMENT JOBS
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# In place of this folder, where `grading` would be the benchmark.
sys.path[:] = [str(ROOT), *(path for path in sys.path if Path(path).resolve() != Path(__file__).parent)]

import psutil  # noqa: E402

from grading import gradebook, pool, run, task  # noqa: E402
from grading.course import Course  # noqa: E402


def ours(folder: str, assignment: str, jobs: str, how: str) -> dict[str, float]:
    """Autograde, as ``python -m grading grade`` does before it writes feedback and report.

    Seconds until the first submission is sent off, by the clock and of the processors; and those of all.
    """
    course = Course.load(ROOT, Path(folder))
    ready: dict[str, float] = {}
    grade = run._results

    def results(*arguments: Any) -> Iterator[task.Result]:
        ready.update(ready_wall=_age(), ready_cpu=_used())
        yield from grade(*arguments)

    run._results = results
    outcome = run.autograde(course, assignment, (), run.Options(jobs=int(jobs), trusted=how == "trusted"))
    return ready | {"graded": len(outcome.graded), "wall": _age(), "coordinator_mib": _peak()}


def _age() -> float:
    """Seconds since this process began."""
    return time.time() - psutil.Process().create_time()


def _used() -> float:
    """Processor seconds of this process and of all below it so far."""
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    times = [process.cpu_times() for process in processes]
    return sum(t.user + t.system + t.children_user + t.children_system for t in times)


def _peak() -> float:
    """The most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def replies(folder: str, assignment: str, count: str) -> dict[str, list[float]]:
    """Seconds from the request for a kernel in the sandbox to its first reply; the warm start waits."""
    from jupyter_client.manager import KernelManager

    from grading import config, provisioner

    course = Course.load(ROOT, Path(folder))
    seconds = []
    with course.surroundings():
        provisioner.register(course.solutions / assignment)
        os.environ["JUPYTER_PATH"] = str(ROOT / "grading" / "jupyter")
        provisioner.address()
        for number in range(int(count) + 1):
            started = time.perf_counter()
            manager = KernelManager(kernel_name=config.KERNEL)
            manager.start_kernel(extra_arguments=["--IPKernelApp.log_level=ERROR"])
            client = manager.client()
            client.start_channels()
            client.wait_for_ready(timeout=60)
            if number:  # the first one imports what asks for kernels
                seconds.append(time.perf_counter() - started)
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    return {"seconds": seconds}


def walls(count: str) -> dict[str, list[list[float]]]:
    """What it takes to fork a kernel's process from the warmed one, with the walls and without, by turns.

    Pairs of seconds: by the clock, and of the processors.
    """
    from grading import provisioner, sandbox

    with tempfile.TemporaryDirectory(prefix="course-", dir="/tmp") as folder:
        place = Path(folder)
        place.chmod(0o711)
        modules = provisioner.modules_for(["keras"])
        for number in range(int(count)):
            sandbox.make_place(place / f"k{number}")
        program = (
            "import sys; from grading import warm; warm.warm(sys.argv[2:]);"
            "from tests.benchmarks import grading_parts as parts; parts.fork_kernels(int(sys.argv[1]))"
        )
        inside = sandbox.outer(place, ROOT, ["-c", program, count, *modules], provisioner.environment(ROOT))
        mark = inside.index("--chdir")
        inside[mark:mark] = ["--ro-bind", str(ROOT / "tests"), str(ROOT / "tests")]
        done = subprocess.run(inside, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    found: dict[str, list[list[float]]] = json.loads(done.stdout.splitlines()[-1])
    return found


def fork_kernels(count: int) -> None:
    """Inside the outer wall: time what stands between the warmed process and a kernel's first line."""
    from grading import sandbox
    from grading.limits import Limits

    def walled(number: int) -> None:
        sandbox.separate()
        _forked(lambda: sandbox.enter(f"k{number}", Limits()))
        sandbox.seal()

    ways: dict[str, Callable[[int], None]] = {
        "without": lambda _: _forked(lambda: None),
        "with": walled,
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(count):
        for name, way in ways.items():
            started, used = time.perf_counter(), _of_children()
            _forked(lambda way=way, number=number: way(number))  # type: ignore[misc]
            seconds[name].append((time.perf_counter() - started, _of_children() - used))
    print(json.dumps(seconds))


def _of_children() -> float:
    """Processor seconds of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _forked(work: Callable[[], None]) -> None:
    """Do it in a process of its own, to its end."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    if os.waitpid(child, 0)[1]:
        raise SystemExit("a forked process has failed")


_known: dict[str, task.Result] = {}


def graded_before(setup: task.Setup, job: task.Job) -> task.Result:
    """In a worker: grade the first submission, and take its result for all that follow."""
    if job.assignment not in _known:
        _known[job.assignment] = task.grade(setup, job)
    return replace(_known[job.assignment], student=job.student)


def memory(folder: str, assignment: str, jobs: str) -> dict[str, Any]:
    """MiB that the coordinator holds, by submissions written down; all but the grading itself is real."""
    course = Course.load(ROOT, Path(folder))
    run.TASK = "tests.benchmarks.grading_parts:graded_before"
    held: list[tuple[int, float]] = []
    record = gradebook.record

    def recorded(*arguments: Any) -> gradebook.Recorded:
        done = record(*arguments)
        held.append((len(held) + 1, psutil.Process().memory_info().rss / 2**20))
        return done

    gradebook.record = recorded
    outcome = run.autograde(course, assignment, (), run.Options(jobs=int(jobs) or pool.cores()))
    return {"graded": len(outcome.graded), "held": held, "coordinator_mib": _peak()}


def main(arguments: list[str]) -> None:
    """Do one part and print what came out."""
    parts: dict[str, Callable[..., Any]] = {
        "ours": ours,
        "replies": replies,
        "walls": walls,
        "memory": memory,
    }
    found = parts[arguments[0]](*arguments[1:])
    print(json.dumps(found))


if __name__ == "__main__":
    atexit.register(gc.freeze)  # as the command line does
    main(sys.argv[1:])
