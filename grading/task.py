"""Grade one submission with nbgrader's own converters, in a private course of its own.

A :class:`Job` is the bytes of one submission, a :class:`Setup` what all submissions of an assignment share;
:func:`grade` turns them into a :class:`Result`, which :mod:`grading.gradebook` writes down. Nothing here
reads or writes the class: a worker process, on this machine or another, needs nothing but this package, and
whatever happens touches this submission alone.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import logging
import os
import re
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat
import sqlalchemy
from nbformat.v4 import new_markdown_cell
from nbgrader.api import Base, Gradebook
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config
from traitlets.utils.importstring import import_item

from grading import intake, places, private, processor, rows
from grading.config import BOUNDED, KERNEL, TRUSTED
from grading.course import UNWANTED, Course, environment, is_name
from grading.errors import printable


@dataclass(frozen=True)
class Setup:
    """What all submissions of an assignment share; it goes to each worker once."""

    assignment: str
    #: File name → the notebook as students got it.
    released: Mapping[str, bytes]
    #: A gradebook that holds the assignment's structure alone, as an SQLite file.
    structure: bytes
    config: Config
    #: The ids of those who handed it in, or of some of them: a wrong answer may be right for another.
    students: tuple[str, ...] = ()

    @property
    def sandboxed(self) -> bool:
        """Whether submissions run behind the walls of :mod:`grading.sandbox`."""
        return bool(self.config.Execute.get("kernel_name", "") == KERNEL)

    @property
    def trusted(self) -> bool:
        """Whether tests run out of reach of the student's code."""
        return TRUSTED in self.config.Autograde.get("autograde_preprocessors", [])


@dataclass(frozen=True)
class Job:
    """One submission: what the student handed in, as bytes."""

    assignment: str
    student: str
    files: Mapping[str, bytes]
    #: Name of a file → why it was not even read.
    left_out: Mapping[str, str] = field(default_factory=dict)
    #: When the files were written (UTC, ISO 8601), for where ``timestamp.txt`` cannot be read.
    written: str | None = None
    #: The warm start to take kernels from (:mod:`grading.provisioner`); none where there is no sandbox.
    warm: str = ""


@dataclass(frozen=True)
class Score:
    """What the tests gave for one question; ``points`` is None where a person must read the answer."""

    notebook: str
    question: str
    points: float | None
    by_hand: bool


@dataclass(frozen=True)
class Said:
    """What nbgrader says of one answer by itself: that it is empty, or nothing."""

    notebook: str
    cell: str
    text: str | None


@dataclass(frozen=True)
class Result:
    """What grading one submission came to. It ends in marks, or in a problem and none."""

    student: str
    assignment: str
    scores: tuple[Score, ...] = ()
    comments: tuple[Said, ...] = ()
    #: File name → the graded notebook.
    notebooks: Mapping[str, bytes] = field(default_factory=dict)
    #: When it was handed in (UTC, ISO 8601), if that is known.
    timestamp: str | None = None
    #: What was put right before grading, for the student.
    notes: tuple[str, ...] = ()
    #: Why there is nothing to give points for.
    problem: str | None = None
    #: Whether the problem is the submission's own; otherwise it is tried again in the next run.
    final: bool = True
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    sandboxed: bool = False
    trusted: bool = False
    #: What nbgrader had to say, for the log.
    log: str = ""

    def to_json(self) -> str:
        """All of it as text.

        >>> result = Result("ada", "01", (Score("a", "q", 1.5, False),), notebooks={"a.ipynb": b"{}"})
        >>> Result.from_json(result.to_json()) == result
        True
        """
        plain = asdict(self)
        plain["notebooks"] = {name: base64.b64encode(b).decode() for name, b in self.notebooks.items()}
        return json.dumps(plain, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Result:
        """Read what :meth:`to_json` wrote."""
        plain: dict[str, Any] = json.loads(text)
        return cls(
            **plain
            | {
                "scores": tuple(Score(**each) for each in plain["scores"]),
                "comments": tuple(Said(**each) for each in plain["comments"]),
                "notes": tuple(plain["notes"]),
                "notebooks": {name: base64.b64decode(b) for name, b in plain["notebooks"].items()},
            }
        )


#: So many classmates are told to tests at most: for each of them a question answered wrongly is drawn.
MOST_STUDENTS = 120


def setup(course: Course, assignment: str, book: Gradebook, *, trusted: bool = True) -> Setup:
    """Gather what the submissions of an assignment share; the gradebook must know the assignment.

    ``trusted=False`` runs the tests in the student's own kernel, as nbgrader does; it stays in its sandbox.
    """
    config = copy.deepcopy(course.config)
    if not trusted:
        config.Autograde.autograde_preprocessors = [
            BOUNDED if name == TRUSTED else name for name in config.Autograde.autograde_preprocessors
        ]
    files = sorted((course.exercises / assignment).glob("*.ipynb"))
    return Setup(
        assignment=assignment,
        released={file.name: file.read_bytes() for file in files},
        structure=structure(book, assignment),
        config=config,
        students=_handed_in(course, assignment),
    )


def _handed_in(course: Course, assignment: str) -> tuple[str, ...]:
    """Who has handed an assignment in."""
    there = sorted(folder.parent.name for folder in course.submitted.glob(f"*/{assignment}"))
    return tuple(name for name in there if is_name(name))[:MOST_STUDENTS]


def structure(book: Gradebook, assignment: str) -> bytes:
    """What an assignment consists of, without any student, as an SQLite file that is a gradebook."""
    tables = Base.metadata.tables
    notebooks = [notebook.id for notebook in book.find_assignment(assignment).notebooks]
    base = tables["base_cell"]
    cells = sqlalchemy.select(base.c.id).where(base.c.notebook_id.in_(notebooks))
    version = sqlalchemy.table("alembic_version", sqlalchemy.column("version_num"))
    wanted = {
        "course": sqlalchemy.true(),
        "assignment": tables["assignment"].c.name == assignment,
        "notebook": tables["notebook"].c.id.in_(notebooks),
        "source_cell": tables["source_cell"].c.notebook_id.in_(notebooks),
        "base_cell": base.c.notebook_id.in_(notebooks),
        **{name: tables[name].c.id.in_(cells) for name in ("grade_cells", "solution_cells", "task_cells")},
    }
    with places.temporary(scratch_folder()) as temporary:
        file = temporary / "gradebook.db"
        engine = sqlalchemy.create_engine(f"sqlite:///{file}")
        Base.metadata.create_all(engine)
        with engine.begin() as copied:
            copied.execute(sqlalchemy.text("create table alembic_version (version_num varchar(32) not null)"))
            for table in [*(t for t in Base.metadata.sorted_tables if t.name in wanted), version]:
                chosen = sqlalchemy.select(table).where(wanted.get(table.name, sqlalchemy.true()))
                rows = [dict(row) for row in book.db.execute(chosen).mappings()]
                if rows:
                    copied.execute(sqlalchemy.insert(table), rows)
        engine.dispose()
        return file.read_bytes()


def scratch_folders() -> list[Path]:
    """Where private courses may be: in memory, on disk."""
    memory = Path("/dev/shm")
    there = [memory] if memory.is_dir() and os.access(memory, os.W_OK) else []
    return [*there, Path(tempfile.gettempdir())]


def scratch_folder() -> Path:
    """Where private courses are quickest: in memory, if there is room."""
    first, *others = scratch_folders()
    return first if not others or shutil.disk_usage(first).free > 1 << 28 else others[0]


def surround(place: Path) -> None:
    """Make this process one that does nothing but grade: its environment, its folder, its warnings."""
    for name in UNWANTED:
        os.environ.pop(name, None)
    os.environ.update(environment(place / "home"))
    os.chdir(place)
    warnings.simplefilter("ignore")  # deprecations inside nbgrader, which are not ours to mend
    processor.settle()


def rehearse(setup: Setup) -> None:
    """Grade the notebooks as they were released, but for running them.

    Queries are compiled and modules imported on the way, which the first submission would have to wait for;
    while the kernels' own warm start takes its time, it costs nobody any.
    """
    config = copy.deepcopy(setup.config)
    runner, *others = config.Autograde.autograde_preprocessors
    import_item(runner)
    config.Autograde.autograde_preprocessors = others
    job = Job(setup.assignment, "student", setup.released)
    taken = intake.take(job.files, setup.released, {})
    _autograded(replace(setup, config=config), job, taken.notebooks, Result("student", setup.assignment))


def grade(setup: Setup, job: Job) -> Result:
    """Grade one submission. What is the matter with it is said in the result; nothing is raised for it."""
    started, used = time.monotonic(), time.process_time()
    when, notes = intake.timestamp(job.files.get(intake.TIMESTAMP), job.written)
    empty = Result(
        job.student,
        job.assignment,
        timestamp=when,
        notes=tuple(notes),
        sandboxed=setup.sandboxed,
        trusted=setup.trusted,
    )
    try:
        taken = intake.take(job.files, setup.released, job.left_out)
        empty = replace(empty, notes=(*taken.notes, *notes))
        result = _autograded(setup, job, taken.notebooks, empty)
    except intake.Refused as error:
        result = without_points(setup, empty, str(error))
    except _Stopped as error:
        result = replace(without_points(setup, empty, error.args[0]), final=False, log=error.args[1])
    used = time.process_time() - used + (_kernels() if setup.sandboxed else 0.0)
    return replace(result, seconds=time.monotonic() - started, cpu_seconds=used)


def _kernels() -> float:
    """What the kernels of this submission have used of the processors."""
    from grading import provisioner  # its modules are those of Linux

    return provisioner.spent()


def without_points(setup: Setup, result: Result, reason: str) -> Result:
    """A result that gives nothing, and says why: the notebook as it was released, with the reason on top."""
    notebooks = {}
    for name, content in setup.released.items():
        notebook = nbformat.reads(content.decode("utf-8"), as_version=4)
        # As code, so that nothing in it (a file's name, say) is taken for Markdown or HTML.
        told = new_markdown_cell(
            f"**This submission got no points:**\n\n    {' '.join(printable(reason).split())}", id="no-points"
        )
        notebook.cells.insert(0, told)
        notebooks[name] = nbformat.writes(notebook).encode()
    return replace(result, problem=reason, notebooks=notebooks)


class _Stopped(Exception):
    """Why grading did not come to its end, and what nbgrader's log says of it."""


def _autograded(setup: Setup, job: Job, notebooks: Mapping[str, bytes], empty: Result) -> Result:
    """What nbgrader makes of clean notebooks."""
    if setup.sandboxed:
        from grading import provisioner  # its modules are those of Linux

        provisioner.register()
        if job.warm:
            os.environ[provisioner.VARIABLE] = job.warm
    with (
        tempfile.TemporaryDirectory(prefix="task-", ignore_cleanup_errors=True) as temporary,
        # The student's name decides nothing, and may hold what nbgrader takes for a pattern.
        private.course(setup.structure, job.assignment, student := "student") as gradebook,
    ):
        place = Path(temporary).resolve()
        folder = place / "submitted" / student / job.assignment
        folder.mkdir(parents=True)
        for name, content in notebooks.items():
            (folder / name).write_bytes(content)
        if empty.timestamp:
            (folder / "timestamp.txt").write_text(empty.timestamp)
        config = copy.deepcopy(setup.config)
        config.CourseDirectory.update(
            {
                "root": str(place),
                "submitted_directory": "submitted",
                "autograded_directory": "autograded",
                "db_url": gradebook,
                "assignment_id": job.assignment,
                "student_id": student,
            }
        )
        config.Bounded.student = job.student
        config.Exporter.optimistic_validation = True  # once, when all is done, and not after each part
        config.TrustedExecute.classmates = list(setup.students)
        back = Path.cwd()
        with _heard() as (log, said):
            try:
                directory = CourseDirectory(config=config, log=log)
                with _silent_kernel():
                    Autograde(coursedir=directory, config=config, log=log, force=True).start()
            except (NbGraderException, SystemExit):
                raise _Stopped(f"it could not be run to its end ({_reason(said())})", said()) from None
            finally:
                os.chdir(back)
        graded = sorted((place / "autograded" / student / job.assignment).glob("*.ipynb"))
        scores, comments = _read(config, job.assignment, student)
        return replace(
            empty,
            scores=scores,
            comments=comments,
            notebooks={file.name: file.read_bytes() for file in graded},
            log=said(),
        )


def _read(config: Config, assignment: str, student: str) -> tuple[tuple[Score, ...], tuple[Said, ...]]:
    """The scores and comments of a private gradebook."""
    about = config.CourseDirectory
    with Gradebook(about.db_url, about.course_id) as book:
        found = rows.find(book, assignment, student)
        assert found is not None
    scores = [
        Score(*place, grade.auto_score, bool(grade.needs_manual_grade))
        for place, grade in found.grades.items()
    ]
    comments = [Said(*place, comment.auto_comment) for place, comment in found.comments.items()]
    return (
        tuple(sorted(scores, key=lambda s: (s.notebook, s.question))),
        tuple(sorted(comments, key=lambda c: (c.notebook, c.cell))),
    )


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.lines) < 1000:
            self.lines.append(self.format(record)[:10_000])


@contextlib.contextmanager
def _heard() -> Iterator[tuple[logging.Logger, Callable[[], str]]]:
    """A logger, and what it was told."""
    log, kept = logging.Logger("grading.task", logging.INFO), _Lines()
    log.addHandler(kept)
    yield log, lambda: "".join(f"{line}\n" for line in kept.lines)


@contextlib.contextmanager
def _silent_kernel() -> Iterator[None]:
    """Keep off the terminal what a kernel writes past its cells; endless as it may be, it is not kept."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved[0], 1)
        os.dup2(saved[1], 2)
        for descriptor in (nowhere, *saved):
            os.close(descriptor)


def _reason(log: str) -> str:
    """What nbgrader's log says an error was."""
    named = re.compile(r"(?:[-\d :,]+ ERROR )?([\w.]*(?:Error|Exception|Entry|TooOld|TooNew): .*)")
    said = [found[1] for line in log.splitlines() if (found := named.match(line))]
    return said[-1][:200] if said else "no reason given"
