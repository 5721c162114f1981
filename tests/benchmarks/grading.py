"""What grading a class costs, beside nbgrader's own: the same submissions, wall and processor time.

Each contestant is a process that autogrades, and nothing else (no feedback, no report). The processor time
is that of all processes below it, looked at twenty times a second: what a process used after the last look
is missing. The time in which ours gets its warm start ready is part of it.

The students of ``tests/class`` hand in again and again under other names. nbgrader is measured on at most
``--stock`` submissions; its time grows with their number, so larger classes are computed from that, and
marked so. Written to ``build/bench``: grading.csv, grading.md, grading.svg, grading.png.

    python tests/benchmarks/grading.py --sizes 12 60 --jobs 2
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import itertools
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from cnnlib.errors import CnnError  # noqa: E402
from grading.course import Course  # noqa: E402
from grading.rehearsal import Rehearsal, Student, Work, answered, hand_in  # noqa: E402

OUT = ROOT / "build" / "bench"

#: nbgrader as it comes: told where things lie, and to use this environment's kernel.
STOCK = """
c = get_config()
c.CourseDirectory.root = {root!r}
c.CourseDirectory.course_id = "cnn"
c.CourseDirectory.db_url = "sqlite:///{root}/gradebook.db"
c.Execute.kernel_name = "python3"
c.Execute.timeout = 60
c.Application.log_level = "ERROR"
"""
IMMEDIATE = 'c.Execute.shutdown_kernel = "immediate"\n'
#: Ours, as `python -m grading grade` does it before it writes feedback and report.
OURS = """
import sys
from grading import run
from grading.course import ROOT, Course
course = Course.load(ROOT, sys.argv[1])
options = run.Options(jobs=int(sys.argv[3]), trusted=sys.argv[4] == "trusted")
outcome = run.autograde(course, sys.argv[2], (), options)
sys.exit(len(outcome.graded) != int(sys.argv[5]))
"""


@dataclass(frozen=True)
class Row:
    """One measurement: seconds by the clock and of the processors, for so many submissions."""

    contestant: str
    submissions: int
    wall: float
    cpu: float
    measured: bool = True


def submissions(number: int, folder: Path) -> tuple[Course, str]:
    """A class of so many who handed in."""
    rehearsal = Rehearsal.read(ROOT / "tests" / "class")
    (assignment,) = rehearsal.assignments
    course = Course.load(ROOT, folder)
    (released,) = sorted((course.exercises / assignment).glob("*.ipynb"))
    works = tuple(_again(rehearsal.works[n % len(rehearsal.works)], n, released) for n in range(number))
    students = tuple(Student(work.student, "", "") for work in works)
    hand_in(course, Rehearsal(students, rehearsal.due, works))
    return course, assignment


def _again(work: Work, number: int, released: Path) -> Work:
    """The same work by somebody else: by one in whose numbers its slips show."""
    for attempt in itertools.count():
        other = replace(work, student=f"{'ab'[number % 2]}-{number:05}-{attempt}-{work.student}")
        with contextlib.suppress(CnnError):
            answered(released, other)
            return other
    raise AssertionError


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds by the clock, and of the processors in all processes that are below this one meanwhile."""
    used: dict[tuple[int, float], float] = {}
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    times = process.cpu_times()
                    used[process.pid, process.create_time()] = times.user + times.system

    watcher = threading.Thread(target=look)
    watcher.start()
    started = time.perf_counter()
    try:
        work()
    finally:
        wall = time.perf_counter() - started
        over.set()
        watcher.join()
    return wall, sum(used.values())


def call(arguments: Sequence[str], folder: Path) -> None:
    """Run Python with these arguments."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "JUPYTER_CONFIG_DIR": str(folder / ".jupyter"),
        "COURSE_CLASS": str(folder),
    }
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments[:4])} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def stock(number: int, place: Path, settings: str = "", processes: int = 1) -> Row:
    """Autograde as nbgrader comes, or with these settings."""
    course, assignment = submissions(number, place / "class")
    root = place / "stock"
    shutil.copytree(course.solutions / assignment, root / "source" / assignment)
    shutil.copytree(course.submitted, root / "submitted")
    (root / "nbgrader_config.py").write_text(STOCK.format(root=str(root)) + settings)
    call(["-m", "nbgrader", "generate_assignment", assignment], root)
    # Each process takes the students whose names begin alike: one command is one process.
    patterns = ["*"] if processes == 1 else ["a*", "b*"]

    def work() -> None:
        with ThreadPoolExecutor(processes) as threads:
            commands = [["-m", "nbgrader", "autograde", assignment, f"--student={p}"] for p in patterns]
            list(threads.map(lambda command: call(command, root), commands))

    wall, cpu = timed(work)
    graded = len(list((root / "autograded").glob(f"*/{assignment}/*.ipynb")))
    if graded != number:
        raise SystemExit(f"nbgrader graded {graded} of {number}")
    return Row("", number, wall, cpu)


def ours(number: int, place: Path, jobs: int, how: str) -> Row:
    """This package's autograding."""
    course, assignment = submissions(number, place / "class")
    wall, cpu = timed(
        lambda: call(["-c", OURS, str(course.folder), assignment, str(jobs), how, str(number)], place)
    )
    return Row("", number, wall, cpu)


def measure(sizes: Sequence[int], most: int, jobs: int) -> list[Row]:
    """All contestants, at all sizes."""
    contestants: dict[str, tuple[bool, Callable[[int, Path], Row]]] = {
        "nbgrader": (True, stock),
        "nbgrader, kernels ended at once": (True, lambda n, p: stock(n, p, IMMEDIATE)),
        "nbgrader, two processes": (True, lambda n, p: stock(n, p, IMMEDIATE, 2)),
        f"ours, tests apart, {jobs} at a time": (False, lambda n, p: ours(n, p, jobs, "trusted")),
        f"ours, tests in the same kernel, {jobs} at a time": (False, lambda n, p: ours(n, p, jobs, "plain")),
        "ours, tests apart, one at a time": (False, lambda n, p: ours(n, p, 1, "trusted")),
    }
    rows: list[Row] = []
    for name, (slow, contestant) in contestants.items():
        known: Row | None = None
        for number in sorted(sizes):
            if slow and known is not None and number > most:
                factor = number / known.submissions
                row = Row(name, number, known.wall * factor, known.cpu * factor, measured=False)
            else:
                with tempfile.TemporaryDirectory(
                    prefix="bench-grading-", ignore_cleanup_errors=True
                ) as place:
                    row = replace(
                        contestant(min(number, most) if slow else number, Path(place)), contestant=name
                    )
                known = row
                if row.submissions != number:
                    factor = number / row.submissions
                    row = Row(name, number, row.wall * factor, row.cpu * factor, measured=False)
            print(line(row), flush=True)
            rows.append(row)
    return rows


def line(row: Row) -> str:
    """A measurement as a line of the table."""
    per = row.wall / row.submissions
    kind = "" if row.measured else " (computed)"
    return (
        f"| {row.contestant} | {row.submissions}{kind} | {row.wall:.1f} | {row.cpu:.1f} | {per:.2f} "
        f"| {row.cpu / row.submissions:.2f} |"
    )


def write(rows: Sequence[Row], out: Path) -> None:
    """The table and the picture."""
    from matplotlib.figure import Figure

    out.mkdir(parents=True, exist_ok=True)
    with (out / "grading.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["contestant", "submissions", "wall_seconds", "cpu_seconds", "measured"])
        writer.writerows(
            [r.contestant, r.submissions, f"{r.wall:.3f}", f"{r.cpu:.3f}", r.measured] for r in rows
        )
    busy = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    head = [
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {busy} at the end",
        "",
        "| contestant | submissions | wall, s | CPU, s | wall each, s | CPU each, s |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    (out / "grading.md").write_text("\n".join([*head, *map(line, rows)]) + "\n", encoding="utf-8")
    figure = Figure(figsize=(8, 4), layout="constrained")
    for axes, title, values in zip(
        figure.subplots(1, 2), ("wall time, s", "processor time, s"), ("wall", "cpu"), strict=True
    ):
        for name in dict.fromkeys(row.contestant for row in rows):
            own = [row for row in rows if row.contestant == name]
            axes.plot([r.submissions for r in own], [getattr(r, values) for r in own], marker="o", label=name)
        axes.set(xscale="log", yscale="log", xlabel="submissions", title=title)
        axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    for ending in ("svg", "png"):
        figure.savefig(out / f"grading.{ending}", dpi=144)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[12], help="numbers of submissions (12)")
    parser.add_argument(
        "--stock", type=int, default=12, help="nbgrader itself is measured on so many at most"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="submissions at a time, ours")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(arguments)
    write(measure(options.sizes, options.stock, options.jobs), options.out)


if __name__ == "__main__":
    main()
