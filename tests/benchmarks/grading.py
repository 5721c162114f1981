"""What grading a class costs, beside nbgrader's own and Otter's: wall and processor time, same submissions.

Each contestant is a process that autogrades, and nothing else (no feedback, no report). The processor time
is that of this process and of all that it has started, whoever their parents were, as the system counts it
when they end. Ours starts by importing everything once; that has a line of its own, since a run of any size
pays it once.

What is graded is the assignment that the students' files of ``tests/class`` are about: numbers, lists,
functions and a Keras model, as in nine of the ten assignments. They hand in again and again under other
names. nbgrader and Otter are measured on at most ``--stock`` submissions; their time grows with the number,
so larger classes are computed from that, and marked so. Otter's exercise has the same tests
(``grading_otter.py``).

Then (``grading_parts.py``): what the sandbox costs a kernel, how soon a kernel replies, the coordinator's
memory as a class grows, and how time changes with the number of workers. Written to ``build/bench``:
grading.csv, grading.md, grading.svg, grading.png.

    python tests/benchmarks/grading.py               # nbgrader and Otter at 60 and 240 computed from 12
    python tests/benchmarks/grading.py --sizes 12    # quicker
    python tests/benchmarks/grading.py --all         # everybody measured: hours
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import ctypes
import itertools
import json
import os
import platform
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from cnnlib.errors import CnnError  # noqa: E402
from grading import config, pool  # noqa: E402
from grading.course import Course  # noqa: E402
from grading.rehearsal import Rehearsal, Student, Work, answered, hand_in  # noqa: E402
from tests.benchmarks import grading_otter  # noqa: E402

OUT = ROOT / "build" / "bench"
PARTS = Path(__file__).with_name("grading_parts.py")

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

#: The contestants that goals speak of, and the goals: at so many submissions, so many times as fast.
SERIAL, PAIR = "nbgrader", "nbgrader, two processes"
TRUSTED, PLAIN, START = "ours, tests apart", "ours, tests in the same kernel", "ours, the warm start"
GOALS = ((PLAIN, SERIAL, 20), (PLAIN, PAIR, 8), (TRUSTED, SERIAL, 10))
GOALS_AT = 60
#: Milliseconds that the sandbox may cost a kernel, and seconds until one replies.
SANDBOX, REPLY = 60, 0.25


@dataclass(frozen=True)
class Row:
    """One measurement: seconds by the clock and of the processors, for so many submissions."""

    contestant: str
    submissions: int
    wall: float
    cpu: float
    measured: bool = True
    workers: int = 1


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
        student = f"{'ab'[number % 2]}-{number:05}-{attempt}-{work.student}"
        # The others tell nobody whose notebook they grade.
        cells = {**work.cells, "student-id": f"student_id = {student!r}"}
        other = replace(work, student=student, cells=cells)
        with contextlib.suppress(CnnError):
            answered(released, other)
            return other
    raise AssertionError


def copies(number: int, folder: Path) -> tuple[Course, str]:
    """A class of so many who all handed in the same."""
    course, assignment = submissions(1, folder)
    (first,) = course.submitted.iterdir()
    for other in range(1, number):
        shutil.copytree(first, course.submitted / f"copy-{other:05}")
    return course, assignment


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What it returns, and seconds by the clock and of the processors of all that it starts."""
    # Who loses his parent becomes this process's child, and is counted when waited for.
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    result = work()
    wall = time.perf_counter() - started
    until = time.monotonic() + 20
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < until:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.01)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return result, wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def call(arguments: Sequence[str], folder: Path, python: str = sys.executable) -> str:
    """Run Python with these arguments; return what it printed."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "PATH": os.pathsep.join([str(Path(python).parent), os.environ["PATH"]]),
        "JUPYTER_CONFIG_DIR": str(folder / ".jupyter"),
        "COURSE_CLASS": str(folder),
    }
    done = subprocess.run(
        [python, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments[:4])} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def part(folder: Path, *arguments: object) -> dict[str, Any]:
    """What a part of ``grading_parts.py`` prints."""
    said = call([str(PARTS), *map(str, arguments)], folder)
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def stock(number: int, place: Path, settings: str = "", processes: int = 1) -> list[Row]:
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

    _, wall, cpu = timed(work)
    graded = len(list((root / "autograded").glob(f"*/{assignment}/*.ipynb")))
    with contextlib.closing(sqlite3.connect(root / "gradebook.db")) as database:
        (points,) = database.execute("select sum(auto_score) from grade").fetchone()
    if graded != number or not points:
        raise SystemExit(f"nbgrader graded {graded} of {number}, and gave {points} points")
    return [Row("", number, wall, cpu, workers=processes)]


def otter(number: int, place: Path) -> list[Row]:
    """Otter's ``run``, one submission after the other, in an environment of its own."""
    course, assignment = submissions(number, place / "class")
    python = grading_otter.environment()
    commands = grading_otter.convert(course, assignment, place / "otter", python)

    def work() -> None:
        for command in commands:
            call(command, place / "otter", str(python))

    _, wall, cpu = timed(work)
    grading_otter.check(place / "otter", number)
    return [Row("", number, wall, cpu)]


def ours(number: int, place: Path, jobs: int, how: str) -> list[Row]:
    """This package's autograding: until it is ready, and from there on."""
    course, assignment = submissions(number, place / "class")
    found, wall, cpu = timed(lambda: part(course.folder, "ours", course.folder, assignment, jobs, how))
    if found["graded"] != number:
        raise SystemExit(f"we graded {found['graded']} of {number}")
    start = Row(START, number, found["ready_wall"], found["ready_cpu"], workers=jobs)
    return [Row("", number, wall - start.wall, cpu - start.cpu, workers=jobs), start]


def contestants(jobs: int) -> dict[str, tuple[bool, int, Callable[[int, Path], list[Row]]]]:
    """By name: whether it is slow, with how many workers, and how it is measured."""
    return {
        SERIAL: (True, 1, stock),
        "nbgrader, kernels ended at once": (True, 1, lambda n, p: stock(n, p, IMMEDIATE)),
        PAIR: (True, 2, lambda n, p: stock(n, p, IMMEDIATE, 2)),
        "otter run": (True, 1, otter),
        TRUSTED: (False, jobs, lambda n, p: ours(n, p, jobs, "trusted")),
        PLAIN: (False, jobs, lambda n, p: ours(n, p, jobs, "plain")),
    }


def measure(sizes: Sequence[int], most: int, jobs: int, names: Sequence[str] = ()) -> list[Row]:
    """All contestants, or those named, at all sizes."""
    rows: list[Row] = []
    for name, (slow, _, contestant) in contestants(jobs).items():
        known: Row | None = None
        for number in sorted(sizes):
            if names and name not in names:
                continue
            if slow and known is not None and number > most:
                factor = number / known.submissions
                found = [replace(known, submissions=number, wall=known.wall * factor, cpu=known.cpu * factor)]
                found = [replace(row, measured=False) for row in found]
            else:
                try:
                    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as place:
                        found = contestant(min(number, most) if slow else number, Path(place))
                except grading_otter.Missing as error:
                    print(f"{name} is left out: {error}", flush=True)
                    break
                found[0] = replace(found[0], contestant=name)
                known = found[0]
                if known.submissions != number:
                    factor = number / known.submissions
                    found = [
                        replace(
                            known,
                            submissions=number,
                            wall=known.wall * factor,
                            cpu=known.cpu * factor,
                            measured=False,
                        )
                    ]
            for row in found:
                print(line(row), flush=True)
            rows += found
    return rows


def by_workers(number: int, most: int) -> list[Row]:
    """Ours, tests apart, with one worker, two, four … on the same submissions."""
    rows = []
    for jobs in sorted({1, 2, most, 2 * most} if most < 4 else {1, 2, 4, most}):
        with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as place:
            row = replace(ours(number, Path(place), jobs, "trusted")[0], contestant=TRUSTED)
        print(line(row), flush=True)
        rows.append(row)
    return rows


def kernels(count: int) -> list[str]:
    """What the sandbox costs a kernel, and how soon a kernel replies, in words."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as temporary:
        place = Path(temporary)
        course, assignment = submissions(1, place / "class")
        walls = part(place, "walls", count)
        replies = part(course.folder, "replies", course.folder, assignment, count)["seconds"]
    middle = {
        way: [1000 * statistics.median(each) for each in zip(*walls[way], strict=True)] for way in walls
    }
    clock, used = (w - o for w, o in zip(middle["with"], middle["without"], strict=True))
    return [
        f"The sandbox costs a kernel {clock:.0f} ms by the clock and {used:.0f} ms of the processor "
        f"(median of {count}: {middle['with'][0]:.0f} with it, {middle['without'][0]:.0f} without; "
        f"goal: at most {SANDBOX}).",
        f"From the request for a kernel to its first reply: {statistics.median(replies):.2f} s "
        f"(median of {count}, quickest {min(replies):.2f}; goal: at most {REPLY}).",
    ]


def memory(sizes: Sequence[int], jobs: int) -> tuple[list[str], list[tuple[int, float]]]:
    """The coordinator's memory by size of the class, and by submissions written down of the largest."""
    peaks, held = [], []
    for number in sizes:
        with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as place:
            course, assignment = copies(number, Path(place) / "class")
            found = part(course.folder, "memory", course.folder, assignment, jobs)
        peaks.append(f"{found['coordinator_mib']:.0f} MiB with {found['graded']:,} submissions")
        held = [(int(n), float(mib)) for n, mib in found["held"]]
    first = min(sizes[0], len(held))
    grown = held[-1][1] - held[first - 1][1]
    text = (
        f"The coordinator's memory at its highest: {', '.join(peaks)}. In the largest class it grew by "
        f"{grown:.1f} MiB after submission {first}. (The first submission of each worker is graded, and its "
        "result stands for all others; all else is as always.)"
    )
    return [text], held


def line(row: Row) -> str:
    """A measurement as a line of the table."""
    per = row.wall / row.submissions
    kind = "" if row.measured else " (computed)"
    return (
        f"| {row.contestant} | {row.workers} | {row.submissions}{kind} | {row.wall:.1f} | {row.cpu:.1f} "
        f"| {per:.2f} | {row.cpu / row.submissions:.2f} |"
    )


def ratios(rows: Sequence[Row]) -> list[str]:
    """How many times as fast as nbgrader ours is, with what it was to be."""
    said = []
    for number in sorted({row.submissions for row in rows}):
        walls = {row.contestant: row for row in rows if row.submissions == number}
        for mine, other, least in GOALS:
            if mine in walls and other in walls:
                wall = walls[other].wall / walls[mine].wall
                cpu = walls[other].cpu / walls[mine].cpu
                goal = f"; goal: at least {least} by the clock" if number == GOALS_AT else ""
                said.append(
                    f"{number} submissions, {mine}: {wall:.1f} times as fast as {other}, by the clock"
                )
                said[-1] += f" ({cpu:.1f} times less of the processors{goal})."
    return said


def write(
    rows: Sequence[Row],
    out: Path,
    said: Sequence[str] = (),
    workers: Sequence[Row] = (),
    held: Sequence[tuple[int, float]] = (),
) -> None:
    """The tables and the pictures."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "grading.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["contestant", "workers", "submissions", "wall_seconds", "cpu_seconds", "measured"])
        writer.writerows(
            [r.contestant, r.workers, r.submissions, f"{r.wall:.3f}", f"{r.cpu:.3f}", r.measured]
            for r in (*rows, *workers)
        )
    busy = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    table = ["| contestant | workers | submissions | wall, s | CPU, s | wall each, s | CPU each, s |"]
    table.append("|---|---:|---:|---:|---:|---:|---:|")
    page = [
        f"{platform.processor() or platform.machine()}, {pool.cores()} cores, load {busy} at the end",
        "",
        *table,
        *map(line, rows),
        "",
        *(f"- {each}" for each in (*ratios(rows), *said)),
    ]
    if workers:
        page += ["", *table, *map(line, workers)]
    (out / "grading.md").write_text("\n".join(page) + "\n", encoding="utf-8")
    draw(rows, out / "grading", workers, held)


def draw(rows: Sequence[Row], file: Path, workers: Sequence[Row], held: Sequence[tuple[int, float]]) -> None:
    """Time by submissions; where they were measured, time by workers and memory by submissions."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4 + 3.5 * bool(workers or held)), layout="constrained")
    axes = figure.subplots(1 + bool(workers or held), 2, squeeze=False)
    for place, title, values in zip(
        axes[0], ("wall time, s", "processor time, s"), ("wall", "cpu"), strict=True
    ):
        for name in dict.fromkeys(row.contestant for row in rows):
            own = sorted((row for row in rows if row.contestant == name), key=lambda row: row.submissions)
            known = [row for row in own if row.measured]
            (drawn,) = place.plot(
                [r.submissions for r in own], [getattr(r, values) for r in own], linestyle=":", linewidth=1
            )
            place.plot(
                [r.submissions for r in known],
                [getattr(r, values) for r in known],
                marker="o",
                color=drawn.get_color(),
                label=name,
            )
        place.set(xscale="log", yscale="log", xlabel="submissions (dotted: computed)", title=title)
        place.grid(alpha=0.3)
    axes[0][1].legend(fontsize=7)
    if workers:
        counts = [row.workers for row in workers]
        for values, label in (("wall", "by the clock"), ("cpu", "of the processors")):
            axes[1][0].plot(counts, [getattr(row, values) for row in workers], marker="o", label=label)
        axes[1][0].set(
            xlabel=f"workers on {pool.cores()} cores",
            title=f"{workers[0].submissions} submissions, tests apart: s",
            ylim=(0, None),
        )
        axes[1][0].legend(fontsize=7)
    if held:
        axes[1][1].plot(*zip(*held, strict=True))
        axes[1][1].set(
            xlabel="submissions written down", title="the coordinator's memory, MiB", ylim=(0, None)
        )
    for place in axes[1] if len(axes) > 1 else ():
        place.grid(alpha=0.3)
    for ending in ("svg", "png"):
        figure.savefig(file.with_suffix(f".{ending}"), dpi=144)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[12, 60, 240], help="numbers of submissions")
    parser.add_argument(
        "--stock", type=int, default=12, help="nbgrader and Otter are measured on so many at most"
    )
    parser.add_argument("--all", action="store_true", help="12, 60 and 240 submissions, everybody measured")
    parser.add_argument(
        "--jobs",
        type=int,
        default=pool.at_once(config.Sandbox().memory_mib),
        help="submissions at a time, ours (as `grade` chooses)",
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these contestants, by name")
    parser.add_argument("--kernels", type=int, default=20, help="so many kernels are started (0: none)")
    parser.add_argument(
        "--workers", type=int, default=12, help="submissions for the count of workers (0: none)"
    )
    parser.add_argument(
        "--memory",
        type=int,
        nargs="*",
        default=[60, 2000],
        help="classes whose memory is compared (none: no)",
    )
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(arguments)
    if options.all:
        options.sizes, options.stock, options.workers = [12, 60, 240], 240, 60
    unknown = sorted(set(options.only) - contestants(1).keys())
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are: {', '.join(contestants(1))}")
    rows = measure(options.sizes, options.stock, options.jobs, options.only)
    write(rows, options.out)  # what follows may take long, or fail
    said: list[str] = []
    held: list[tuple[int, float]] = []
    if options.kernels:
        said += kernels(options.kernels)
    workers = by_workers(options.workers, options.jobs) if options.workers else []
    if options.memory:
        more, held = memory(sorted(options.memory), options.jobs)
        said += more
    write(rows, options.out, said, workers, held)
    print("\n".join([*ratios(rows), *said]))


if __name__ == "__main__":
    main()
