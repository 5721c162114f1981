"""Grade a class: what is new goes through the pool, comes back as results, and is written down by one writer.

This process alone reads the class and writes to it. A run may be killed at any moment; the same command goes
on where it was.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from nbgrader.api import Gradebook
from tqdm import tqdm

from grading import (
    collect,
    config,
    export,
    feedback,
    gradebook,
    intake,
    late,
    places,
    pool,
    release,
    report,
    state,
    task,
)
from grading.course import NAME_RULE, ROOT, Course, is_name
from grading.errors import GradingError, printable
from grading.limits import PATIENCE

#: The modules that decide what a submission gets.
_DECIDING = (
    *("task", "private", "rows", "intake", "bounded", "trusted", "remote", "preprocessors"),
    *("sandbox", "limits", "config"),
)
#: What each process does, and how it begins.
TASK, PREPARE, REHEARSE = "grading.task:grade", "grading.task:surround", "grading.task:rehearse"
#: Classes up to this size are told of one by one.
FEW = 20


@dataclass
class Outcome:
    """What a run of ``grade`` did: seconds by student, and reasons by student who got no points."""

    graded: dict[str, float] = field(default_factory=dict)
    unchanged: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Options:
    """How to grade.

    Args:
        jobs: so many submissions at a time; 0 for two on each core of this machine, memory allowing.
        scheduler: the address of a Dask cluster that does the work, or ``local`` for one on this machine.
        question: grade this question anew in all submissions, and leave the marks of all others.
        again: grade also what is unchanged.
        trusted: run the tests out of reach of the student's code.
    """

    jobs: int = 0
    scheduler: str = ""
    question: str = ""
    again: bool = False
    trusted: bool = True


def some(number: int, thing: str) -> str:
    """A number of things.

    >>> some(1, "page"), some(2, "page")
    ('1 page', '2 pages')
    """
    return f"{number} {thing}{'' if number == 1 else 's'}"


def say(text: str) -> None:
    """Print at once, so that progress shows; what the terminal cannot write, or obeys, as its code."""
    encoding = sys.stdout.encoding or "utf-8"
    line = printable(text).encode(encoding, "backslashreplace").decode(encoding)
    tqdm.write(line, file=sys.stdout)
    sys.stdout.flush()


def locked(course: Course) -> AbstractContextManager[None]:
    """One run at a time for a class."""
    waiting = f"waiting for another run in {course.show(course.folder)} …"
    return state.locked(course.folder / ".state" / "lock", lambda: say(waiting))


def autograde(
    course: Course, assignment: str, students: Sequence[str] = (), options: Options = Options()
) -> Outcome:
    """Grade the submissions that are new or changed (of all students, or of those named)."""
    _allowed(course)
    for line in misplaced(course):
        say(f"note: {line}")
    there = course.students(assignment)
    unknown = sorted(set(students) - set(there))
    if unknown:
        raise GradingError(
            f"{', '.join(unknown)} handed in nothing for {assignment} "
            f"(looked in {course.show(course.submitted)}/STUDENT/{assignment}/)"
        )
    outcome = Outcome()
    with course.surroundings() as log, _prepared(course, assignment, log, options) as book:
        _take_back(course, assignment, book, there)
        if not there:
            raise GradingError(
                f"there are no submissions of {assignment}; put each into "
                f"{course.show(course.submitted)}/STUDENT/{assignment}/"
            )
        wanted = [student for student in there if not students or student in students]
        known = {submission.student.id for submission in book.assignment_submissions(assignment)}
        rule = deciding(course, assignment)
        marks = {student: mark(course, assignment, student, rule) for student in wanted}
        everything = options.again or options.question
        outcome.unchanged = [
            student
            for student in wanted
            if not everything and student in known and _fresh(course, assignment, student, marks[student])
        ]
        if outcome.unchanged:
            say(f"{len(outcome.unchanged)} of {some(len(wanted), 'submission')} graded and unchanged")
        unchanged = set(outcome.unchanged)
        stale = {student: marks[student] for student in wanted if student not in unchanged}
        if stale:
            _grade(course, assignment, stale, book, log, options, outcome)
    return outcome


def _allowed(course: Course) -> None:
    """Refuse to run students' code without the sandbox, unless somebody has said that it may."""
    if not config.check(ROOT):
        say("note: submissions run WITHOUT the sandbox, with all your rights")


@contextlib.contextmanager
def _prepared(course: Course, assignment: str, log: logging.Logger, options: Options) -> Iterator[Gradebook]:
    """The gradebook, whole and knowing the assignment."""
    gradebook.check(course)
    fingerprint = state.fingerprint([course.solutions / assignment], course.db_url)
    noted = course.folder / ".state" / "recorded" / f"{assignment}.json"
    if not (gradebook.exists(course) and state.fresh(noted, fingerprint) and _knows(course, assignment)):
        release.record(course, assignment, log)
        state.note(noted, fingerprint)
    with gradebook.opened(course) as book:
        gradebook.quicken(book)
        healed = gradebook.heal(course, book)
        if healed:
            say(f"wrote down {some(len(healed), 'result')} of a run that was cut short")
        if options.question:
            names = {each.name for each in gradebook.questions(course, book.find_assignment(assignment))}
            if options.question not in names:
                known = ", ".join(sorted(names))
                raise GradingError(f"{assignment} has no question {options.question!r}; there are: {known}")
        yield book


def _knows(course: Course, assignment: str) -> bool:
    with gradebook.opened(course) as book:
        return assignment in {a.name for a in book.assignments if a.notebooks}


def _take_back(course: Course, assignment: str, book: Gradebook, there: Sequence[str]) -> None:
    """Where a submission that got nothing was taken back, what was there before counts again."""
    for stamp in sorted(course.stamp(assignment, "any").parent.glob("*.json")):
        student = stamp.stem
        if student in there or not state.read(stamp).get("problem"):
            continue
        if not is_name(student):
            stamp.unlink()
        else:
            again = gradebook.withdraw(course, book, assignment, student)
            say(f"{student}  handed in nothing any more{'; the earlier marks count again' if again else ''}")


def misplaced(course: Course) -> list[str]:
    """What lies in a wrong place below ``submitted/``, each with where it belongs."""
    found, names, top = [], course.assignments(), course.show(course.submitted)
    for entry in sorted(course.submitted.iterdir()) if course.submitted.is_dir() else []:
        if entry.name.startswith("."):
            continue
        if not entry.is_dir():
            found.append(f"{top}/{entry.name} belongs into {top}/STUDENT/ASSIGNMENT/")
            continue
        for inner in sorted(entry.iterdir()):
            where = f"{top}/{entry.name}/{inner.name}"
            if inner.name.startswith(".") or inner.name in names:
                continue
            if inner.is_dir():
                near = difflib.get_close_matches(inner.name, names, 1, 0.4)
                guess = f"; it may be meant for {near[0]}" if near else ""
                found.append(f"{where} is no assignment{guess} (there are: {', '.join(names)})")
            elif entry.name in names:
                found.append(f"{where} belongs into {top}/STUDENT/{entry.name}/")
                break
            else:
                found.append(f"{where} belongs into {top}/{entry.name}/ASSIGNMENT/")
    return found


def deciding(course: Course, assignment: str) -> str:
    """A hash of all that decides marks, but for the submission: tests, library, settings, this package."""
    here = Path(__file__).parent
    return state.fingerprint(
        [
            course.solutions / assignment,
            course.exercises / assignment,
            course.root / "cnnlib",
            course.root / "nbgrader_config.py",
            course.root / "requirements.lock",
            *(here / f"{name}.py" for name in _DECIDING),
        ]
    )


def mark(course: Course, assignment: str, student: str, rule: str) -> str:
    """A hash of all that decides a submission's marks; ``rule`` is what :func:`deciding` gives."""
    files = intake.read(course.submitted / student / assignment)
    digest = hashlib.sha256(rule.encode())
    for name, content in sorted(files.contents.items()):
        digest.update(f"{name!r} {len(content)} ".encode() + content)
    digest.update(repr(sorted(files.left_out.items())).encode())
    return digest.hexdigest()


def _fresh(course: Course, assignment: str, student: str, fingerprint: str) -> bool:
    noted = state.fresh(course.stamp(assignment, student), fingerprint)
    return noted is not None and (course.autograded / student / assignment).is_dir()


def _grade(
    course: Course,
    assignment: str,
    marks: dict[str, str],
    book: Gradebook,
    log: logging.Logger,
    options: Options,
    outcome: Outcome,
) -> None:
    """Send submissions to the pool and write down what comes back."""
    setup = task.setup(course, assignment, book, trusted=options.trusted)
    started = time.monotonic()
    nameless = [student for student in marks if not is_name(student)]
    for student in nameless:
        reason = f"the folder's name can be no student id; {NAME_RULE}"
        outcome.problems[student] = reason
        state.note(course.stamp(assignment, student), "", problem=reason)
        say(f"{student}  NOT GRADED: {reason}")
    students = [student for student in marks if is_name(student)]
    progress = _Progress(len(students))
    with contextlib.closing(progress), _hands(course, setup, options, len(students)) as hands:
        for result in _results(setup, students, hands):
            log.info("graded %s of %s\n%s", result.student, assignment, result.log)
            recorded = gradebook.record(course, book, result, marks[result.student], options.question or None)
            if result.problem:
                outcome.problems[result.student] = result.problem
            else:
                outcome.graded[result.student] = result.seconds
            progress.tell(result, recorded)
    said = f"graded {some(len(outcome.graded), 'submission')} in {time.monotonic() - started:.0f} s"
    zeros = len(outcome.problems) - len(nameless)
    say(said + (f"; {some(zeros, 'submission')} got no points, for the reasons above" if zeros else ""))


#: Sends students' submissions to be graded, and gives back what becomes of them.
Hands = Callable[[Sequence[str]], Iterator[pool.Done]]


def _results(setup: task.Setup, students: Sequence[str], hands: Hands) -> Iterator[task.Result]:
    """A result for each; where the trouble is not the submission's, a second try goes before it."""
    again: list[str] = []
    for done in hands(students):
        if done.value is not None and done.value.final:
            yield done.value
        else:
            again.append(done.key)
    for done in hands(again) if again else ():
        yield done.value or task.without_points(
            setup, task.Result(done.key, setup.assignment, final=False, sandboxed=setup.sandboxed), done.lost
        )


@contextlib.contextmanager
def _hands(course: Course, setup: task.Setup, options: Options, number: int) -> Iterator[Hands]:
    """Whoever does the work: processes of this machine, or a cluster."""

    def jobs(students: Sequence[str], warm: Callable[[], str] = lambda: "") -> Iterator[tuple[str, task.Job]]:
        for student in students:
            yield student, job(course, setup.assignment, student, warm())

    each = config.Sandbox(config=course.config).memory_mib
    processes = min(options.jobs or pool.at_once(each), number)
    if options.scheduler:
        from grading import cluster

        with cluster.Cluster(options.scheduler, setup, processes) as remote:
            yield lambda students: remote.run(jobs(students))
        return
    with (
        _scratch() as place,
        pool.Pool(
            TASK,
            setup,
            prepare=PREPARE,
            rehearse=REHEARSE,
            processes=processes,
            seconds=PATIENCE * float(course.config.Bounded.get("seconds", 600)) + 60,
            place=place,
        ) as workers,
    ):
        with ThreadPoolExecutor(1) as beside:  # the warm start and the workers get ready at the same time
            warm = beside.submit(_warm, course, setup)
            workers.start()
            warm.result()
        # Asked for each time: it is started anew where it was killed.
        yield lambda students: workers.run(jobs(students, lambda: _warm(course, setup)))


def _warm(course: Course, setup: task.Setup) -> str:
    """The address of this process's warm start."""
    if not setup.sandboxed:
        return ""
    from grading import provisioner

    provisioner.register(course.solutions / setup.assignment)
    return provisioner.address()


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for what exists only while a run does; what those that were killed have left is removed."""
    places.sweep(*task.scratch_folders())
    with places.temporary(task.scratch_folder()) as place:
        yield place


def job(course: Course, assignment: str, student: str, warm: str = "") -> task.Job:
    """One submission as it lies in the class's folder."""
    files = intake.read(course.submitted / student / assignment)
    return task.Job(assignment, student, files.contents, files.left_out, files.written, warm)


class _Progress:
    """Says how far it is: a bar where somebody watches, a line now and then where not."""

    def __init__(self, number: int) -> None:
        self._number, self._done = number, 0
        self._began = self._said = time.monotonic()
        self._watched = sys.stderr.isatty()
        tqdm.monitor_interval = 0  # no thread of its own
        self._bar = tqdm(
            total=number,
            bar_format="{percentage:3.0f} % |{bar}| {n} of {total} graded, {remaining} left",
            disable=not self._watched,
            leave=False,
            smoothing=0.1,
        )

    def tell(self, result: task.Result, recorded: gradebook.Recorded) -> None:
        """One more is done."""
        self._done += 1
        count = f"[{self._done}/{self._number}] {result.student}"
        if result.problem:
            say(f"{count}  0 points: {result.problem}")
        elif self._number <= FEW and not self._watched:
            waiting = f", {recorded.waiting} to mark by hand" if recorded.waiting else ""
            say(f"{count}  {recorded.points:g} points{waiting}  ({result.seconds:.1f} s)")
        self._bar.update()
        now = time.monotonic()
        if self._number > FEW and not self._watched and now - self._said > 10:
            self._said = now
            left = (now - self._began) / self._done * (self._number - self._done)
            say(f"{self._done} of {self._number} graded, about {left:.0f} s left")

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()


def tables(course: Course, assignments: Sequence[str] = ()) -> list[gradebook.Table]:
    """The marks of the named assignments, or of all that are in the gradebook, with penalties up to date."""
    if not gradebook.exists(course):
        raise GradingError(
            f"there is no gradebook at {gradebook.place(course)} yet; run: python -m grading grade ASSIGNMENT"
        )
    with course.surroundings(), gradebook.opened(course) as book:
        recorded = {a.name for a in book.assignments}
        names = list(assignments) or [name for name in course.assignments() if name in recorded]
        for name in names:
            if name in recorded:
                late.refresh(book, name, late.policy(course.config))
        return [gradebook.table(book, course, name) for name in names]


def write_feedback(course: Course, assignments: Sequence[str] = ()) -> Path:
    """Bring all feedback pages and their index up to date."""
    found, made = tables(course, assignments), 0
    with course.surroundings() as log:
        for table in found:
            made += len(feedback.generate(course, table, log))
    index = feedback.write_index(course, tables(course))
    there = sum(bool(row.marks) for table in found for row in table.rows)
    say(f"feedback  {course.show(index)}  ({some(there, 'page')}, {made} new)")
    return index


def write_marks(course: Course, assignments: Sequence[str] = (), kind: str = "csv") -> list[Path]:
    """Write the marks of each assignment as CSV, of a kind that :mod:`grading.export` knows."""
    files = []
    for table in tables(course, assignments):
        file = export.write(table, course.folder / "marks", kind)
        files.append(file)
        held = f"{some(len(table.rows), 'student')}, {some(len(table.questions), 'question')}"
        if kind != "csv":
            held = f"{len(export.final(table))} of {some(len(table.rows), 'student')}: whose marks are final"
        say(f"marks     {course.show(file)}  ({held})")
    return files


def write_report(course: Course) -> Path:
    """Write the report of all assignments that are in the gradebook."""
    page = report.write(course, tables(course))
    say(f"report    {course.show(page)}")
    return page


def grade(
    course: Course, assignment: str, students: Sequence[str] = (), options: Options = Options()
) -> Outcome:
    """Grade what is new, then bring feedback, marks and report up to date."""
    differing = release.differing(course, assignment)
    if differing:
        say(
            f"note: {course.show(course.exercises / assignment)} is not what {course.show(course.solutions)} "
            f"would release today ({', '.join(differing)}); run: python -m grading release {assignment}"
        )
    with locked(course):
        outcome = autograde(course, assignment, students, options)
        write_all(course, assignment)
    return outcome


def collect_from(course: Course, assignment: str, source: Path) -> None:
    """Put downloaded submissions into the class's folder; names are looked up in the gradebook."""
    people = []
    if gradebook.exists(course):
        with course.surroundings(), gradebook.opened(course) as book:
            for student in book.students:
                name = f"{student.first_name or ''} {student.last_name or ''}".strip()
                people.append(collect.Person(student.id, name, student.lms_user_id or ""))
    done, notes = collect.collect(course, assignment, source, people)
    for line in notes:
        say(f"note: {line}")
    say(f"collected {course.show(source.resolve())}: {collect.summary(done)}")


def write_all(course: Course, assignment: str) -> None:
    """Marks, report and feedback, after grading; feedback last, since a page may fail."""
    write_marks(course, [assignment])
    write_report(course)
    write_feedback(course, [assignment])
