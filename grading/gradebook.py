"""The gradebook: opened with care, read as plain rows, written here and by nbgrader alone."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import nbformat
import sqlalchemy.exc
from nbgrader.api import Assignment, Base, Grade, Gradebook, MissingEntry, get_alembic_version

from grading import state
from grading.course import Course
from grading.errors import GradingError


@dataclass(frozen=True)
class Question:
    """What gets points: a test cell, or an answer that a person reads."""

    name: str
    points: float
    by_hand: bool


@dataclass(frozen=True)
class Mark:
    """The points of one student in one question."""

    automatic: float | None
    manual: float | None
    extra: float
    waiting: bool

    @property
    def score(self) -> float:
        """The points that count: those given by hand before those of the tests."""
        given = self.manual if self.manual is not None else self.automatic
        return (given or 0.0) + self.extra


@dataclass(frozen=True)
class Row:
    """One student and what is known of the submission; ``marks`` is empty where nothing was graded."""

    student: str
    first_name: str
    last_name: str
    submitted: datetime | None
    handed_in: bool
    seconds_late: float = 0.0
    penalty: float = 0.0
    marks: Mapping[str, Mark] = field(default_factory=dict)
    #: Why what was handed in last could not be graded; the marks are then those of an earlier submission.
    problem: str = ""

    @property
    def name(self) -> str:
        """The name to show to a person."""
        return f"{self.first_name} {self.last_name}".strip() or self.student

    @property
    def automatic(self) -> float:
        """Points of the tests."""
        return sum(m.score for m in self.marks.values() if m.manual is None)

    @property
    def manual(self) -> float:
        """Points given by hand."""
        return sum(m.score for m in self.marks.values() if m.manual is not None)

    @property
    def total(self) -> float:
        """What the student gets: all points, less the penalty."""
        return max(0.0, self.automatic + self.manual - self.penalty)

    @property
    def waiting(self) -> list[str]:
        """Questions that wait for a person."""
        return [name for name, mark in self.marks.items() if mark.waiting]

    @property
    def status(self) -> str:
        """In a word: graded, waiting, not graded, not submitted."""
        if self.problem:
            return "not graded"
        if self.marks:
            return "waiting" if self.waiting else "graded"
        return "not graded" if self.handed_in else "not submitted"


@dataclass(frozen=True)
class Table:
    """All marks of an assignment: students by last name, questions in the notebook's order."""

    assignment: str
    due: datetime | None
    questions: tuple[Question, ...]
    rows: tuple[Row, ...]

    @property
    def points(self) -> float:
        """The most that can be reached."""
        return sum(q.points for q in self.questions)


@contextlib.contextmanager
def opened(course: Course) -> Iterator[Gradebook]:
    """Nbgrader's gradebook, or one line that says what is the matter with it.

    Call it inside :meth:`grading.course.Course.surroundings`.
    """
    check(course)
    try:
        with Gradebook(course.config.CourseDirectory.db_url, course.config.CourseDirectory.course_id) as book:
            yield book
    except sqlalchemy.exc.OperationalError as error:
        place = course.show(course.gradebook)
        raise GradingError(
            f"{place} could not be used ({error.orig}); close other programs that have it open, "
            f"or, after an upgrade of nbgrader, back it up and run: nbgrader db upgrade"
        ) from error


def check(course: Course) -> None:
    """Refuse a gradebook that is none; complete one that was left half-made. Nothing in it is lost.

    nbgrader makes the tables first and notes their version last, by a program that it may not find; without
    the note it could never upgrade them.
    """
    file = course.gradebook
    if not file.exists():
        return
    place = course.show(file)
    try:
        with contextlib.closing(sqlite3.connect(file)) as database:
            tables = {
                name for (name,) in database.execute("select name from sqlite_master where type = 'table'")
            }
            if not tables or (
                "alembic_version" in tables and _first(database, "count(*)", "alembic_version")
            ):
                return
            other = [name for name in sorted(tables) if not _as_now(database, name)]
            if other:
                raise GradingError(
                    f"{place} was left half-made by another version of nbgrader (table {other[0]}); "
                    f"put a backup in its place, or begin a new one: mv {place} {place}.half-made"
                )
            database.execute("create table if not exists alembic_version (version_num varchar(32) not null)")
            database.execute("insert into alembic_version values (?)", (get_alembic_version(),))
            database.commit()
    except sqlite3.DatabaseError as error:
        raise GradingError(
            f"{place} cannot be used as a gradebook ({error}); close other programs that have it open, "
            f"or put a backup in its place"
        ) from error


def _first(database: sqlite3.Connection, what: str, table_name: str) -> int:
    return int(database.execute(f"select {what} from {table_name}").fetchone()[0])


def _as_now(database: sqlite3.Connection, name: str) -> bool:
    """Whether a table has the columns that this nbgrader gives it."""
    if name not in Base.metadata.tables:
        return name == "alembic_version"
    columns = {column for _, column, *_ in database.execute(f"pragma table_info({name})")}
    return columns == {column.name for column in Base.metadata.tables[name].columns}


def table(book: Gradebook, course: Course, assignment: str) -> Table:
    """Read an assignment's marks, with a row for each student of the class."""
    try:
        entry = book.find_assignment(assignment)
    except MissingEntry:
        raise GradingError(
            f"nothing of {assignment} was graded yet; run: python -m grading grade {assignment}"
        ) from None
    questions = _questions(course, entry)
    handed_in = set(course.students(assignment))
    submissions = {s.student.id: s for s in book.assignment_submissions(assignment)}
    rows = []
    known = {s.id: s for s in book.students}
    for student_id in known.keys() | handed_in:
        student, submission = known.get(student_id), submissions.get(student_id)
        grades = {
            g.name: Mark(g.auto_score, g.manual_score, g.extra_credit or 0.0, bool(g.needs_manual_grade))
            for notebook in (submission.notebooks if submission else [])
            for g in notebook.grades
        }
        # nbgrader begins rows before it grades, and takes the folder away where grading fails.
        graded = (course.autograded / student_id / assignment).is_dir()
        rows.append(
            Row(
                student=student_id,
                first_name=(student and student.first_name) or "",
                last_name=(student and student.last_name) or "",
                submitted=submission.timestamp if submission else None,
                handed_in=student_id in handed_in or graded,
                seconds_late=submission.total_seconds_late if submission else 0.0,
                penalty=sum(n.late_submission_penalty or 0.0 for n in submission.notebooks)
                if submission
                else 0.0,
                marks={q.name: grades[q.name] for q in questions if q.name in grades} if graded else {},
                problem=str(state.read(course.stamp(assignment, student_id)).get("problem", "")),
            )
        )
    rows.sort(key=lambda r: (r.last_name.casefold(), r.first_name.casefold(), r.student))
    return Table(assignment, entry.duedate, tuple(questions), tuple(rows))


def give(book: Gradebook, assignment: str, student: str, question: str, points: float) -> None:
    """Record points given by hand."""
    grade = _grade(book, assignment, student, question)
    if not 0 <= points <= grade.max_score:
        raise GradingError(
            f"{question} of {student}: {points:g} points of {grade.max_score:g} cannot be given"
        )
    grade.manual_score = points
    grade.needs_manual_grade = False
    book.db.commit()


def comments(book: Gradebook, assignment: str, student: str) -> dict[str, str]:
    """What was said to the student, by cell."""
    try:
        submission = book.find_submission(assignment, student)
    except MissingEntry:
        return {}
    return {c.name: c.comment for n in submission.notebooks for c in n.comments if c.comment}


def reviewed(book: Gradebook, assignment: str, student: str) -> list[str]:
    """The questions to which a person gave points and is done with."""
    try:
        submission = book.find_submission(assignment, student)
    except MissingEntry:
        return []
    return [
        g.name
        for notebook in submission.notebooks
        for g in notebook.grades
        if g.manual_score is not None and not g.needs_manual_grade
    ]


def keep_reviewed(book: Gradebook, assignment: str, student: str, questions: list[str]) -> None:
    """Take back nbgrader's wish to have these looked at again."""
    for question in questions:
        _grade(book, assignment, student, question).needs_manual_grade = False
    book.db.commit()


def _grade(book: Gradebook, assignment: str, student: str, question: str) -> Grade:
    try:
        submission = book.find_submission(assignment, student)
    except MissingEntry:
        raise GradingError(f"{student} has no submission of {assignment} in the gradebook") from None
    for notebook in submission.notebooks:
        for grade in notebook.grades:
            if grade.name == question:
                return grade
    raise GradingError(f"{assignment} has no question {question!r}")


def _questions(course: Course, entry: Assignment) -> list[Question]:
    """The questions in the order in which the student meets them, which the database does not keep."""
    order: dict[str, int] = {}
    for file in course.notebooks(entry.name):
        for cell in nbformat.read(file, as_version=4).cells:
            order.setdefault(cell.metadata.get("nbgrader", {}).get("grade_id", ""), len(order))
    questions = []
    for notebook in entry.notebooks:
        by_hand = {c.name for c in notebook.solution_cells} | {c.name for c in notebook.task_cells}
        for cell in [*notebook.grade_cells, *notebook.task_cells]:
            questions.append(Question(cell.name, cell.max_score, cell.name in by_hand))
    return sorted(questions, key=lambda q: order.get(q.name, len(order)))
