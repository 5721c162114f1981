"""A hundred thousand submissions: what the scheduler, the coordinator and the one writer can bear.

Nobody has so many, nor the machines for them; so the submissions sleep, and all else is real: Dask's own
scheduler, the connection through which this package grades on a cluster, messages of the right size, and the
writer with its journal, on SQLite and on PostgreSQL. Each simulated worker sleeps as long as the grading of
a submission of the rehearsal class takes on a core of its own (``--record`` takes these times, into
``recorded.json`` beside this file), divided by ``--faster``. From what each part costs follows how long a
class takes on how many workers.

Times are processor times, because each part has a core of its own on a real cluster, and here all share one
machine; but for the writer's, who waits for the disk. Written to ``build/bench``: simulation.csv, .svg,
.png and .json; ``--keep`` puts table and picture into the book, too.

    python tests/benchmarks/simulation.py --record
    python tests/benchmarks/simulation.py --keep
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent), str(ROOT / "tests" / "grading")]

import argparse  # noqa: E402
import asyncio  # noqa: E402
import contextlib  # noqa: E402
import csv  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import platform  # noqa: E402
import shutil  # noqa: E402
import statistics  # noqa: E402
import subprocess  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator, Sequence  # noqa: E402
from typing import Any  # noqa: E402

import psutil  # noqa: E402
import sqlalchemy  # noqa: E402
from distributed import Worker, WorkerPlugin  # noqa: E402
from nbgrader.api import Base, Gradebook  # noqa: E402

from grading import cluster, gradebook, rows, run, state, task  # noqa: E402
from grading.course import Course  # noqa: E402
from grading.rehearsal import Rehearsal, hand_in  # noqa: E402

OUT, KEPT = ROOT / "build" / "bench", ROOT / "book" / "static" / "measured"
RECORDED = Path(__file__).with_name("recorded.json")
#: How many submissions; simulated workers, in so many processes; how much faster time goes for them.
MANY, WORKERS, PROCESSES, FASTER = 100_000, 64, 2, 100.0
#: How full the gradebook is when the writer's time is taken, and how many results it writes then.
FULL, RESULTS = (0, 1000, 10_000), 100
#: They are written in so many blocks, of which the middle one counts.
BLOCKS = 10

Numbers = dict[str, Any]


# --- The times of real submissions -------------------------------------------------------------------------


def record(file: Path = RECORDED) -> Numbers:
    """Grade the rehearsal class's own submissions; keep the processor time of each, and how large it was."""
    results: list[task.Result] = []
    with tempfile.TemporaryDirectory(prefix="simulation-") as folder:
        course, name = rehearsed(Path(folder))
        real = gradebook.record

        def kept(into: Course, book: Gradebook, result: task.Result, *more: Any) -> gradebook.Recorded:
            results.append(result)
            return real(into, book, result, *more)

        gradebook.record = kept
        try:
            run.autograde(course, name)
        finally:
            gradebook.record = real
        sizes = [sum(map(len, run.job(course, name, r.student).files.values())) for r in results]
    graded = [(r, size) for r, size in zip(results, sizes, strict=True) if not r.problem]
    about = {
        "assignment": name,
        "machine": machine(),
        "seconds": [round(r.cpu_seconds, 3) for r, _ in graded],
        "bytes_sent": [size for _, size in graded],
        "bytes_back": [len(r.to_json()) for r, _ in graded],
    }
    file.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return about


def rehearsed(folder: Path, db_url: str | None = None) -> tuple[Course, str]:
    """A class of its own with the rehearsal's submissions."""
    rehearsal = Rehearsal.read(ROOT / "tests" / "class")
    course = Course.load(ROOT, folder, db_url) if db_url else Course.load(ROOT, folder)
    hand_in(course, rehearsal)
    (name,) = rehearsal.assignments
    return course, name


def machine() -> str:
    """What the numbers belong to."""
    info = Path("/proc/cpuinfo")
    models = [x.split(":", 1)[1].strip() for x in info.read_text().splitlines() if x.startswith("model name")]
    return f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores"


# --- The scheduler -----------------------------------------------------------------------------------------


class Sleeper(WorkerPlugin):
    """What grades on a simulated worker: it sleeps, and gives back as much as a real one would."""

    def __init__(self, recorded: Numbers, faster: float) -> None:
        self.name = "sleeper"
        self._seconds = [seconds / faster for seconds in recorded["seconds"]]
        notebook = bytes(int(statistics.mean(recorded["bytes_back"]) * 3 / 4))  # base 64 makes it longer
        self._result = task.Result(
            "STUDENT", recorded["assignment"], notebooks={"a.ipynb": notebook}
        ).to_json()

    def setup(self, worker: Any) -> None:
        """Nothing is needed."""

    def grade(self, job: task.Job) -> str:
        """Sleep as long as one of the recorded submissions took."""
        time.sleep(self._seconds[int(job.student) % len(self._seconds)])
        return self._result.replace("STUDENT", job.student)


class Simulated(cluster.Cluster):
    """The real connection to a cluster, with sleepers at its other end."""

    def __init__(self, address: str, recorded: Numbers, faster: float) -> None:
        super().__init__(address, None)  # type: ignore[arg-type]
        self.plugin = Sleeper(recorded, faster)  # type: ignore[assignment]


async def work(address: str, number: int) -> None:
    """Be so many workers until the scheduler is gone."""
    workers = [await Worker(address, nthreads=1, dashboard=False) for _ in range(number)]
    await asyncio.gather(*(worker.finished() for worker in workers))


@contextlib.contextmanager
def cluster_of(workers: int, processes: int) -> Iterator[tuple[str, psutil.Process, list[psutil.Process]]]:
    """A real scheduler and simulated workers: its address, its process, theirs."""
    with tempfile.TemporaryDirectory(prefix="simulation-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "scheduler.json"
        # As the guide for instructors says, or it keeps a thousand submissions for each worker.
        variable = "DASK_" + cluster.LOG_LENGTH.replace(".", "__").replace("-", "_").upper()
        variables = os.environ | {variable: str(cluster.FEW)}
        common: Any = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        common["env"] = variables
        begin = ["-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
        started = [
            subprocess.Popen(
                [sys.executable, *begin, "--no-dashboard", "--scheduler-file", str(file)], **common
            )
        ]
        try:
            until = time.monotonic() + 120
            while not file.exists() and time.monotonic() < until:
                time.sleep(0.1)
            address = str(json.loads(file.read_text())["address"])
            shares = [workers // processes + (n < workers % processes) for n in range(processes)]
            started += [
                subprocess.Popen([sys.executable, __file__, "--work", address, str(share)], **common)
                for share in shares
            ]
            yield address, psutil.Process(started[0].pid), [psutil.Process(p.pid) for p in started[1:]]
        finally:
            for process in started:
                process.kill()
            for process in started:
                process.wait()


def used(processes: Sequence[psutil.Process]) -> float:
    """Processor time, in seconds."""
    return float(sum(sum(process.cpu_times()[:2]) for process in processes))


def schedule(
    recorded: Numbers, many: int = MANY, workers: int = WORKERS, faster: float = FASTER
) -> list[Numbers]:
    """Send all submissions through the scheduler; a line of numbers now and then."""
    size = int(statistics.mean(recorded["bytes_sent"]))
    files = {"notebook.ipynb": b"x" * size}
    jobs = ((str(n), task.Job(recorded["assignment"], str(n), files)) for n in range(many))
    me, every, lines = psutil.Process(), max(1, many // 50), []
    processes = min(PROCESSES, workers)
    with (
        cluster_of(workers, processes) as (address, scheduler, hosts),
        Simulated(address, recorded, faster) as there,
    ):
        there.client.wait_for_workers(workers, timeout=120)
        began, before = time.monotonic(), (used([scheduler]), used([me]), used(hosts))
        seen: set[str] = set()
        for number, done in enumerate(there.run(jobs), 1):
            assert done.value is not None, done.lost
            seen.add(done.value.student)
            if number % every == 0 or number == many:
                lines.append(
                    {
                        "done": number,
                        "seconds": time.monotonic() - began,
                        "scheduler_cpu": used([scheduler]) - before[0],
                        "coordinator_cpu": used([me]) - before[1],
                        "workers_cpu": used(hosts) - before[2],
                        "scheduler_mib": scheduler.memory_info().rss / 2**20,
                        "coordinator_mib": me.memory_info().rss / 2**20,
                    }
                )
                said = {k: round(v, 1) for k, v in lines[-1].items()}
                print(f"{number:>7} of {many}: {said}", flush=True)
        assert len(seen) == many, "submissions were lost or doubled"
    return lines


# --- The writer --------------------------------------------------------------------------------------------


def write(kind: str, db_url: str | None, full: Sequence[int] = FULL, results: int = RESULTS) -> list[Numbers]:
    """How long the one writer takes for a result, in gradebooks that hold ever more."""
    found: list[Numbers] = []
    OUT.parent.mkdir(parents=True, exist_ok=True)  # on a disk, as a class would be
    with tempfile.TemporaryDirectory(prefix="simulation-", dir=OUT.parent) as folder:
        course, name = rehearsed(Path(folder), db_url)
        with (
            course.surroundings() as log,
            run._prepared(course, name, log, run.Options()) as book,
        ):
            model = result_of(course, book, name)
            gradebook.record(course, book, renamed(model, "model"), "")
            held = 0
            for wanted in full:
                fill(book, held, wanted)
                held = wanted
                tries = []
                for block in range(min(BLOCKS, results)):
                    students = [f"new-{wanted}-{number}" for number in range(block, results, BLOCKS)]
                    with timed() as spent:
                        began, cpu = time.perf_counter(), time.process_time()
                        for student in students:
                            gradebook.record(course, book, renamed(model, student), "")
                        took = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
                    each = {part: seconds / len(students) for part, seconds in (took | spent).items()}
                    tries.append({"kind": kind, "held": wanted, **each})
                # A disk that others use, too, makes one block wait for long, and another not at all.
                found.append(sorted(tries, key=lambda line: line["seconds"])[len(tries) // 2])
                print(
                    {k: round(v, 4) if isinstance(v, float) else v for k, v in found[-1].items()}, flush=True
                )
    return found


def result_of(course: Course, book: Gradebook, name: str) -> task.Result:
    """A result with all that a graded submission of this assignment has."""
    notebooks = book.find_assignment(name).notebooks
    scores = [
        task.Score(n.name, c.name, c.max_score, False)
        for n in notebooks
        for c in [*n.grade_cells, *n.task_cells]
    ]
    said = [task.Said(n.name, c.name, None) for n in notebooks for c in [*n.solution_cells, *n.task_cells]]
    files = {file.name: file.read_bytes() for file in sorted((course.exercises / name).glob("*.ipynb"))}
    when = "2026-03-09T12:00:00"
    return task.Result(
        "", name, tuple(scores), tuple(said), files, timestamp=when, sandboxed=True, trusted=True
    )


def renamed(result: task.Result, student: str) -> task.Result:
    """The same result of somebody else's."""
    return task.Result(**{**vars(result), "student": student})


@contextlib.contextmanager
def timed() -> Iterator[Numbers]:
    """Where the writer's time goes: the seconds of each of its parts."""
    spent = {"database": 0.0, "notebooks": 0.0, "journal and note": 0.0}
    parts = [(gradebook, "_write", "database"), (state, "write_folder", "notebooks")]
    parts.append((state, "write", "journal and note"))
    real = [getattr(owner, name) for owner, name, _ in parts]

    def wrapped(function: Any, part: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                spent[part] += time.perf_counter() - began

        return call

    try:
        for (owner, name, part), function in zip(parts, real, strict=True):
            setattr(owner, name, wrapped(function, part))
        yield spent
    finally:
        for (owner, name, _), function in zip(parts, real, strict=True):
            setattr(owner, name, function)


def fill(book: Gradebook, held: int, wanted: int) -> None:
    """Copy the model student's rows under other names until the gradebook holds so many."""
    tables = Base.metadata.tables
    model: dict[str, list[Numbers]] = {}
    known = ["model"]
    for name, key in rows.OWN.items():
        chosen = sqlalchemy.select(tables[name]).where(tables[name].c[key].in_(known))
        model[name] = [dict(row) for row in book.db.execute(chosen).mappings()]
        if name not in ("grade", "comment"):
            known = [row["id"] for row in model[name]]
    # What is the student's own gets another name; cells, notebooks and assignments are everybody's.
    own = {row["id"] for found in model.values() for row in found}
    for first in range(held, wanted, 500):
        for name, found in model.items():
            copies = [
                {
                    # No id begins with a g.
                    key: f"g{number:05}{value[6:] or value}"
                    if isinstance(value, str) and value in own
                    else value
                    for key, value in row.items()
                }
                for number in range(first, min(first + 500, wanted))
                for row in found
            ]
            if copies:
                book.db.execute(sqlalchemy.insert(tables[name]), copies)
        book.db.commit()
    book.db.expunge_all()


# --- What follows ------------------------------------------------------------------------------------------


def follows(recorded: Numbers, lines: Sequence[Numbers], written: Sequence[Numbers]) -> list[Numbers]:
    """What each part does in a second at most, and how long it has to do with all submissions."""
    last = lines[-1]
    fullest = {line["kind"]: line for line in written}
    each = {
        "grading, one worker": statistics.mean(recorded["seconds"]),
        "Dask's scheduler": last["scheduler_cpu"] / last["done"],
        "coordinator, without the writer": last["coordinator_cpu"] / last["done"],
        **{f"writer, {kind}": line["seconds"] for kind, line in fullest.items()},
        **{f"writer, {kind}, without its waiting": line["cpu"] for kind, line in fullest.items()},
    }
    return [
        {"part": part, "seconds": seconds, "rate": 1 / seconds, "hours": MANY * seconds / 3600}
        for part, seconds in each.items()
    ]


def hours(found: Sequence[Numbers], workers: float, kind: str) -> float:
    """How long a hundred thousand take on so many workers: the slowest part decides."""
    each = {line["part"]: line["seconds"] for line in found}
    ours = each["coordinator, without the writer"] + each[f"writer, {kind}"]  # one process does both
    slowest = max(each["grading, one worker"] / workers, each["Dask's scheduler"], ours)
    return float(MANY * slowest / 3600)


def enough(found: Sequence[Numbers], kind: str) -> int:
    """How many workers keep the one writer busy."""
    each = {line["part"]: line["seconds"] for line in found}
    ours = each["coordinator, without the writer"] + each[f"writer, {kind}"]
    return round(each["grading, one worker"] / max(ours, each["Dask's scheduler"]))


def draw(found: Sequence[Numbers], lines: Sequence[Numbers], written: Sequence[Numbers], file: Path) -> None:
    """How long a class takes, where the writer's time goes, and what memory does."""
    from cnnlib.plots import style

    @style.styled
    def drawn() -> None:
        figure = style.new_figure(height=5.2)
        panels = figure.subplot_mosaic([["takes", "takes"], ["goes", "memory"]])
        takes, goes, memory = (panels[name] for name in ("takes", "goes", "memory"))
        kinds = list(dict.fromkeys(line["kind"] for line in written))
        looks = dict(zip(kinds, ("highlight", "output", "third"), strict=False))
        workers, all_hours = [2**n for n in range(12)], []
        for kind, colour in looks.items():
            at = [hours(found, number, kind) for number in workers]
            all_hours += at
            dashed = "-" if kind == kinds[0] else "--"  # both are seen where they meet
            takes.plot(workers, at, dashed, label=f"writing to {kind}", color=style.COLOURS[colour])
        takes.set(xscale="log", yscale="log", xlabel="workers", ylabel="hours")
        takes.set_xticks(workers[::2], [f"{number:,}" for number in workers[::2]])
        ticks = [n for n in (0.1, 0.3, 1, 3, 10, 30, 100) if min(all_hours) / 2 < n < 2 * max(all_hours)]
        takes.set_yticks(ticks, [f"{n:g}" for n in ticks])
        takes.minorticks_off()
        takes.set_title(f"{MANY:,} submissions")
        takes.legend()
        parts = ("database", "notebooks", "journal and note")
        bottom = [0.0] * len(kinds)
        for part, colour in zip(parts, ("input", "kernel", "padding"), strict=True):
            heights = [1e3 * [w for w in written if w["kind"] == kind][-1][part] for kind in kinds]
            goes.bar(kinds, heights, bottom=bottom, label=part, color=style.COLOURS[colour])
            bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
        goes.set(ylabel="ms for a result", ylim=(0, 1.7 * max(bottom)))
        goes.set_title("the one writer")
        goes.legend(loc="upper left", fontsize="small")
        for who, colour in (("scheduler", "highlight"), ("coordinator", "output")):
            at = [line["done"] / 1e3 for line in lines]
            memory.plot(at, [line[f"{who}_mib"] for line in lines], label=who, color=style.COLOURS[colour])
        memory.set(xlabel="thousand submissions done", ylabel="memory (MiB)", ylim=(0, None))
        memory.margins(x=0.02)
        memory.set_title("memory")
        memory.legend(loc="lower right", fontsize="small")
        figure.savefig(file)
        figure.savefig(file.with_suffix(".png"), dpi=160)

    drawn()


def table(said: Numbers, found: Sequence[Numbers], file: Path) -> None:
    """The table for the book: who is asked, and what it bears."""
    kinds = list(dict.fromkeys(line["kind"] for line in said["written"]))
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["part", "ms a submission", "submissions a second", f"hours for {MANY:,}"])
        for line in found:
            numbers = 1e3 * line["seconds"], line["rate"], line["hours"]
            writer.writerow([line["part"], *(f"{x:,.0f}" if x >= 100 else f"{x:.2g}" for x in numbers)])
        for kind in kinds:
            number = enough(found, kind)
            all_hours = hours(found, number, kind)
            writer.writerow([f"all together, {kind}, {number} workers", "", "", f"{all_hours:.2g}"])
        done, about = said["scheduled"][-1]["done"], said["about"]
        busy = f"load {about['load'][0]:.1f} at the beginning"
        writer.writerow([f"measured with {done:,} submissions sent: {about['machine']}, {busy}", "", "", ""])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for, and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--record", action="store_true", help="take the times of the rehearsal class, and stop"
    )
    parser.add_argument("--keep", action="store_true", help="put table and picture into the book")
    parser.add_argument("--many", type=int, default=MANY, help="submissions for the scheduler (100,000)")
    parser.add_argument("--workers", type=int, default=WORKERS, help="simulated workers (64)")
    parser.add_argument("--faster", type=float, default=FASTER, help="how much faster time goes (100)")
    parser.add_argument("--full", type=int, nargs="+", default=FULL, help="how full the gradebook is")
    parser.add_argument("--results", type=int, default=RESULTS, help="results that the writer's time is of")
    parser.add_argument("--again", action="store_true", help="draw anew what was measured last")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--work", nargs=2, metavar=("ADDRESS", "N"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.work:
        asyncio.run(work(options.work[0], int(options.work[1])))
        return 0
    if options.record:
        record()
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    kept = options.out / "simulation.json"
    if options.again:
        said = json.loads(kept.read_text(encoding="utf-8"))
    else:
        said = measured(options)
        kept.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    found = follows(said["recorded"], said["scheduled"], said["written"])
    table(said, found, options.out / "simulation.csv")
    draw(found, said["scheduled"], said["written"], options.out / "simulation.svg")
    print((options.out / "simulation.csv").read_text(encoding="utf-8"))
    if options.keep:
        KEPT.mkdir(parents=True, exist_ok=True)
        for name in ("simulation.csv", "simulation.svg"):
            shutil.copy(options.out / name, KEPT)
    return 0


def measured(options: argparse.Namespace) -> Numbers:
    """All measurements."""
    recorded, load = json.loads(RECORDED.read_text(encoding="utf-8")), os.getloadavg()
    written = write("SQLite", None, options.full, options.results)
    with server() as address:
        if address is None:
            print("PostgreSQL is not installed here (apt-get install postgresql): left out")
        else:
            written += write("PostgreSQL", address, options.full, options.results)
    scheduled = schedule(recorded, options.many, options.workers, options.faster)
    about = {
        "machine": machine(),
        "load": load,
        "faster": options.faster,
        "workers": options.workers,
    }
    return {"about": about, "recorded": recorded, "written": written, "scheduled": scheduled}


@contextlib.contextmanager
def server() -> Iterator[str | None]:
    """The address of an empty PostgreSQL database on a server of its own; None where there is none."""
    import test_postgres

    there = test_postgres.programs()
    if there is None:
        yield None
        return
    with test_postgres.serving(there, safe=True) as address:
        yield address


if __name__ == "__main__":
    sys.exit(main())
