"""Grade a class: all submissions of an assignment, then what follows from their marks."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from grading import export, feedback, gradebook, late, release, report, state, task
from grading.course import Course
from grading.errors import GradingError, SubmissionError


@dataclass
class Outcome:
    """What a run of ``grade`` did."""

    graded: dict[str, float] = field(default_factory=dict)
    unchanged: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)


def some(number: int, thing: str) -> str:
    """A number of things.

    >>> some(1, "page"), some(2, "page")
    ('1 page', '2 pages')
    """
    return f"{number} {thing}{'' if number == 1 else 's'}"


def say(text: str) -> None:
    """Print at once, so that progress shows; what the terminal cannot write, as its code."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def locked(course: Course) -> AbstractContextManager[None]:
    """One run at a time for a class."""
    waiting = f"waiting for another run in {course.show(course.folder)} …"
    return state.locked(course.folder / ".state" / "lock", lambda: say(waiting))


def autograde(course: Course, assignment: str, students: Sequence[str] = ()) -> Outcome:
    """Grade the submissions that are new or changed (of all students, or of those named)."""
    there = course.students(assignment)
    unknown = sorted(set(students) - set(there))
    if unknown:
        raise GradingError(
            f"{', '.join(unknown)} handed in nothing for {assignment} "
            f"(looked in {course.show(course.submitted)}/STUDENT/{assignment}/)"
        )
    if not there:
        raise GradingError(
            f"there are no submissions of {assignment}; put each into "
            f"{course.show(course.submitted)}/STUDENT/{assignment}/"
        )
    outcome = Outcome()
    wanted = [student for student in there if not students or student in students]
    recorded = _recorded(course, assignment)
    stale = [s for s in wanted if s not in recorded or not _fresh(course, assignment, s)]
    outcome.unchanged = [s for s in wanted if s not in stale]
    if outcome.unchanged:
        say(f"{len(outcome.unchanged)} of {some(len(wanted), 'submission')} graded and unchanged")
    if not stale:
        return outcome
    with course.surroundings() as log:
        gradebook.check(course)
        release.record(course, assignment, log)
        started = time.monotonic()
        for number, student in enumerate(stale, 1):
            _one(course, assignment, student, outcome, log, f"[{number}/{len(stale)}]")
        say(f"graded {some(len(outcome.graded), 'submission')} in {time.monotonic() - started:.0f} s")
    return outcome


def _recorded(course: Course, assignment: str) -> set[str]:
    """Whose submissions the gradebook knows: none where it was begun anew since they were graded."""
    if not course.gradebook.exists():
        return set()
    with course.surroundings(), gradebook.opened(course) as book:
        return {submission.student.id for submission in book.assignment_submissions(assignment)}


def _fresh(course: Course, assignment: str, student: str) -> bool:
    noted = state.fresh(course.stamp(assignment, student), task.mark(course, assignment, student))
    return noted is not None and (course.autograded / student / assignment).is_dir()


def _one(
    course: Course, assignment: str, student: str, outcome: Outcome, log: logging.Logger, count: str
) -> None:
    try:
        seconds = task.autograde(course, assignment, student, log)
    except SubmissionError as error:
        outcome.problems[student] = str(error)
        # No fingerprint is empty: each run tries it again, and meanwhile all pages say why.
        state.note(course.stamp(assignment, student), "", problem=str(error))
        say(f"{count} {student}  NOT GRADED: {error}")
        return
    outcome.graded[student] = seconds
    with gradebook.opened(course) as book:
        row = next(r for r in gradebook.table(book, course, assignment).rows if r.student == student)
    waiting = f", {len(row.waiting)} to mark by hand" if row.waiting else ""
    say(f"{count} {student}  {row.automatic + row.manual:g} points{waiting}  ({seconds:.1f} s)")


def tables(course: Course, assignments: Sequence[str] = ()) -> list[gradebook.Table]:
    """The marks of the named assignments, or of all that are in the gradebook, with penalties up to date."""
    if not course.gradebook.exists():
        raise GradingError(
            f"there is no gradebook at {course.show(course.gradebook)} yet; "
            "run: python -m grading grade ASSIGNMENT"
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


def write_marks(course: Course, assignments: Sequence[str] = ()) -> list[Path]:
    """Write the marks of each assignment as CSV."""
    files = []
    for table in tables(course, assignments):
        file = course.folder / "marks" / f"{table.assignment}.csv"
        export.write(table, file)
        files.append(file)
        held = f"{some(len(table.rows), 'student')}, {some(len(table.questions), 'question')}"
        say(f"marks     {course.show(file)}  ({held})")
    return files


def write_report(course: Course) -> Path:
    """Write the report of all assignments that are in the gradebook."""
    page = report.write(course, tables(course))
    say(f"report    {course.show(page)}")
    return page


def grade(course: Course, assignment: str, students: Sequence[str] = ()) -> Outcome:
    """Grade what is new, then bring feedback, marks and report up to date."""
    differing = release.differing(course, assignment)
    if differing:
        say(
            f"note: {course.show(course.exercises / assignment)} is not what {course.show(course.solutions)} "
            f"would release today ({', '.join(differing)}); run: python -m grading release {assignment}"
        )
    with locked(course):
        outcome = autograde(course, assignment, students)
        write_all(course, assignment)
    return outcome


def write_all(course: Course, assignment: str) -> None:
    """Marks, report and feedback, after grading; feedback last, since a page may fail."""
    write_marks(course, [assignment])
    write_report(course)
    write_feedback(course, [assignment])
