"""The gradebook: opened with care, read as plain rows, written here and by nbgrader alone."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
import sqlalchemy
import sqlalchemy.exc
from nbgrader.api import Assignment, Base, Grade, Gradebook, MissingEntry, get_alembic_version

from grading import rows, state
from grading.course import Course
from grading.errors import GradingError
from grading.task import Result


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
    #: Why what was handed in last got no points at all; all its marks are then 0.
    problem: str = ""
    #: What was put right in the submission before it was graded.
    notes: tuple[str, ...] = ()
    #: Whether its code ran in the sandbox.
    sandboxed: bool = True

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
        """In a word: graded, waiting, zero (for the reason in ``problem``), not graded yet, not submitted."""
        if self.marks:
            return "zero" if self.problem else "waiting" if self.waiting else "graded"
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
    with _told(course), Gradebook(course.db_url, course.config.CourseDirectory.course_id) as book:
        yield book


@contextlib.contextmanager
def _told(course: Course) -> Iterator[None]:
    """Make one line of what a database refuses."""
    try:
        yield
    except (sqlalchemy.exc.OperationalError, sqlalchemy.exc.ProgrammingError) as error:
        said = " ".join(str(error.orig).split())
        mend = (
            "close other programs that have it open" if course.gradebook else "see whether its server answers"
        )
        raise GradingError(
            f"{place(course)} could not be used ({said}); {mend}, "
            f"or, after an upgrade of nbgrader, back it up and run: nbgrader db upgrade"
        ) from error
    except (sqlalchemy.exc.ArgumentError, sqlalchemy.exc.NoSuchModuleError, ImportError) as error:
        raise GradingError(
            f"{place(course)} is no database that can be opened here ({error}); "
            "name one as postgresql+psycopg2://user:password@host/name"
        ) from error


def place(course: Course) -> str:
    """Where the gradebook is, as a person may read it: a password is not shown."""
    try:
        url = sqlalchemy.engine.make_url(course.db_url)
    except sqlalchemy.exc.ArgumentError:
        return "the gradebook's address"
    if url.get_backend_name() == "sqlite" and url.database:
        return course.show(Path(url.database))
    return url.render_as_string(hide_password=True)


def exists(course: Course) -> bool:
    """Whether there is a gradebook: a file, or a server that was told to be one."""
    return course.gradebook is None or course.gradebook.exists()


def check(course: Course) -> None:
    """Refuse a gradebook that is none; complete one that was left half-made. Nothing in it is lost.

    nbgrader makes the tables first and notes their version last, by a program that it may not find; without
    the note it could never upgrade them.
    """
    file = course.gradebook
    if file is None:
        with _told(course), sqlalchemy.create_engine(course.db_url).connect():
            return
    if not file.exists():
        return
    named = course.show(file)
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
                    f"{named} was left half-made by another version of nbgrader (table {other[0]}); "
                    f"put a backup in its place, or begin a new one: mv {named} {named}.half-made"
                )
            database.execute("create table if not exists alembic_version (version_num varchar(32) not null)")
            database.execute("insert into alembic_version values (?)", (get_alembic_version(),))
            database.commit()
    except sqlite3.DatabaseError as error:
        raise GradingError(
            f"{named} cannot be used as a gradebook ({error}); close other programs that have it open, "
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
    asked = questions(course, entry)
    handed_in = set(course.students(assignment))
    submissions = rows.of_class(book, assignment)
    found = []
    known = {s.id: s for s in book.students}
    for student_id in known.keys() | handed_in:
        student, submission = known.get(student_id), submissions.get(student_id)
        grades = {
            name: Mark(g.auto_score, g.manual_score, g.extra_credit or 0.0, g.needs_manual_grade)
            for name, g in (submission.grades.items() if submission else ())
        }
        # nbgrader begins rows before it grades, and takes the folder away where grading fails.
        graded = (course.autograded / student_id / assignment).is_dir()
        noted = state.read(course.stamp(assignment, student_id))
        found.append(
            Row(
                student=student_id,
                first_name=(student and student.first_name) or "",
                last_name=(student and student.last_name) or "",
                submitted=submission.timestamp if submission else None,
                handed_in=student_id in handed_in or graded,
                seconds_late=submission.seconds_late if submission else 0.0,
                penalty=submission.penalty if submission else 0.0,
                marks={q.name: grades[q.name] for q in asked if q.name in grades} if graded else {},
                problem=str(noted.get("problem", "")),
                notes=tuple(str(note) for note in noted.get("notes", [])),
                sandboxed=bool(noted.get("sandboxed", True)),
            )
        )
    found.sort(key=lambda r: (r.last_name.casefold(), r.first_name.casefold(), r.student))
    return Table(assignment, entry.duedate, tuple(asked), tuple(found))


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


#: Tables and the columns by which nbgrader looks for rows of one submission.
_SOUGHT = (("submitted_notebook", "assignment_id"), ("grade", "notebook_id"), ("comment", "notebook_id"))


@dataclass(frozen=True)
class Recorded:
    """What the gradebook holds of a submission now."""

    points: float
    waiting: int


def record(
    course: Course, book: Gradebook, result: Result, mark: str, question: str | None = None
) -> Recorded:
    """Write a result down: gradebook, graded notebooks, and the note that both are of this submission.

    Points and comments given by hand stay; where the answer has not changed since, nobody is asked to look
    at it again. A submission with a problem gets 0 everywhere, and what was there before is kept aside
    (:func:`earlier`) until there is something to mark again. Killed at any moment, the rest is done by
    :func:`heal`. Late penalties are computed when marks are read (:func:`grading.late.refresh`).

    Args:
        course: where to write.
        book: the open gradebook; one process at a time may write.
        result: what grading came to.
        mark: the fingerprint of what it was made from.
        question: change the marks of this question alone.
    """
    file, entry = _journal(course, result.assignment, result.student), _Entry(result, mark, question)
    state.write(file, entry.sealed())
    return _complete(course, book, file, entry)


def _sealed(content: bytes) -> bytes:
    """Content with a seal before it that nothing else has, for disks that lose what they promised to keep."""
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content


@dataclass(frozen=True)
class _Entry:
    """What is to be written down of one submission, as its journal has it."""

    result: Result
    mark: str
    question: str | None

    def sealed(self) -> bytes:
        """All of it, as bytes.

        A line says what there is; then come the notebooks, as they are.
        """
        notebooks = self.result.notebooks
        about = {
            "mark": self.mark,
            "question": self.question,
            "result": replace(self.result, notebooks={}, log="").to_json(),
            "notebooks": {name: len(content) for name, content in notebooks.items()},
        }
        return _sealed(b"".join([json.dumps(about).encode(), b"\n", *notebooks.values()]))

    @classmethod
    def read(cls, file: Path) -> _Entry | None:
        """What a journal says; None where it is torn, or is none."""
        seal, _, content = file.read_bytes().partition(b"\n")
        if hashlib.sha256(content).hexdigest().encode() != seal:
            return None
        line, _, rest = content.partition(b"\n")
        notebooks, at = {}, 0
        try:
            about = json.loads(line)
            for name, size in about["notebooks"].items():
                notebooks[name] = rest[at : at + size]
                at += size
            result = replace(Result.from_json(about["result"]), notebooks=notebooks)
            return cls(result, about["mark"], about["question"])
        except (ValueError, KeyError, TypeError):  # whole, but of another version of this package
            return None


def quicken(book: Gradebook) -> None:
    """Give the gradebook the indexes that nbgrader's lacks, or each result would cost more than the last.

    It looks for a submission's notebooks, and for their marks and comments, by columns without one, and so
    through those of the whole class. nbgrader itself takes no notice.
    """
    for table, column in _SOUGHT:
        index = f"course_{table}_{column}"
        book.db.execute(sqlalchemy.text(f"create index if not exists {index} on {table} ({column})"))
    book.db.commit()


def heal(course: Course, book: Gradebook) -> list[str]:
    """Complete what a run that was killed had begun to write down; return whose results these were.

    Where nothing can be made of what it left, the submission is graded anew.
    """
    healed, results = [], course.folder / ".state" / "results"
    for file in sorted(results.glob("*/*.json")):
        entry = _Entry.read(file)
        if entry is not None:
            _complete(course, book, file, entry)
            healed.append(file.stem)
        else:
            state.forget(course.stamp(file.parent.name, file.stem))
            file.unlink()
    for file in results.glob("*/*.json.new"):
        file.unlink()  # not even begun: what was to be replaced still counts
    return healed


def _journal(course: Course, assignment: str, student: str) -> Path:
    return course.folder / ".state" / "results" / assignment / f"{student}.json"


def earlier(course: Course, assignment: str, student: str) -> Path:
    """Where the last good result of a student lies whose newer submission got nothing."""
    return course.folder / "earlier" / student / assignment


def _complete(course: Course, book: Gradebook, file: Path, entry: _Entry) -> Recorded:
    """Do what a journal says. Each step can be done again, and the journal goes last."""
    result, question = entry.result, entry.question
    assignment, student = result.assignment, result.student
    folder, aside = course.autograded / student / assignment, earlier(course, assignment, student)
    stamp = course.stamp(assignment, student)
    if result.problem and folder.is_dir() and not aside.exists() and not state.read(stamp).get("problem"):
        _put_aside(course, book, assignment, student)
    recorded = _write(book, result, question, lambda: _answers(aside, folder), _snapshot(aside))
    notebooks = dict(result.notebooks)
    if question is not None:
        notebooks |= _merged(folder, notebooks, question)
    if result.timestamp:
        notebooks["timestamp.txt"] = f"{result.timestamp.replace('T', ' ')} UTC".encode()
    state.write_folder(folder, notebooks)
    more: dict[str, Any] = {name: getattr(result, name) for name in ("notes", "sandboxed", "trusted")}
    if result.problem:
        more["problem"] = result.problem
    state.note(stamp, entry.mark if result.final else "", seconds=round(result.seconds, 2), **more)
    if not result.problem and aside.exists():
        shutil.rmtree(aside)
    file.unlink()
    return recorded


def _write(
    book: Gradebook,
    result: Result,
    question: str | None,
    before: Callable[[], Mapping[str, str]],
    kept: Mapping[str, Any],
) -> Recorded:
    """Write a result into the database, in one transaction.

    ``before`` reads the answers that were graded last, for where a person has marked them.
    """
    submission = rows.find_or_begin(book, result.assignment, result.student)
    submission.submitted(result.timestamp)
    grades, comments = submission.grades, submission.comments
    if result.problem:
        for grade in grades.values():
            grade.auto_score, grade.manual_score, grade.extra_credit = 0.0, None, None
            grade.needs_manual_grade = False
        for number, key in enumerate(sorted(comments)):
            comments[key].auto_comment = None if number else f"No points: {result.problem}"
    else:
        answers = functools.cache(lambda: (before(), _sources(result.notebooks)))
        for score in result.scores:
            if question is not None and score.question != question:
                continue
            grade = grades[score.notebook, score.question]
            manual = grade.manual_score is not None
            done = manual and not grade.needs_manual_grade
            past = kept.get("grades", {}).get(score.question)
            if past and not manual:
                grade.manual_score, grade.extra_credit = past["manual"], past["extra"]
                manual = past["manual"] is not None
                done = manual and not past["waiting"]
            grade.auto_score = score.points
            grade.needs_manual_grade = (score.by_hand or manual) and not (
                done and _unchanged(*answers(), score.question)
            )
        for said in result.comments:
            if question is None or said.cell == question:
                comments[said.notebook, said.cell].auto_comment = said.text
    submission.save(book)
    points = sum(
        (g.auto_score or 0.0 if g.manual_score is None else g.manual_score) + (g.extra_credit or 0.0)
        for g in grades.values()
    )
    return Recorded(points, sum(g.needs_manual_grade for g in grades.values()))


def _unchanged(before: Mapping[str, str], after: Mapping[str, str], question: str) -> bool:
    """Whether a person who has seen the answer before has nothing new to see."""
    if question in after:
        return before.get(question) == after[question]
    return bool(before) and before == after  # a test: all answers may matter to it


def _answers(*folders: Path) -> dict[str, str]:
    """What the student had written into each answer when it was last graded: in the first folder there is."""
    for folder in folders:
        if folder.is_dir():
            return _sources({file.name: file.read_bytes() for file in folder.glob("*.ipynb")})
    return {}


def _sources(notebooks: Mapping[str, bytes]) -> dict[str, str]:
    """The answers in graded notebooks; none where somebody has put something else there."""
    try:
        cells = [cell for content in notebooks.values() for cell in json.loads(content)["cells"]]
        about = [(cell["metadata"].get("nbgrader", {}), "".join(cell["source"])) for cell in cells]
    except (ValueError, KeyError, TypeError):
        return {}
    return {each["grade_id"]: source for each, source in about if each.get("solution") and "grade_id" in each}


def _merged(folder: Path, notebooks: Mapping[str, bytes], question: str) -> dict[str, bytes]:
    """Graded notebooks as they were, with the cells of one question as they are now."""
    merged = {}
    for name, content in notebooks.items():
        try:
            was = nbformat.read(folder / name, as_version=4)
        except Exception:  # there is none, or nothing that can be read: the new one, then
            continue
        now = {c.metadata.get("nbgrader", {}).get("grade_id"): c for c in nbformat.reads(content, 4).cells}
        was.cells = [
            now.get(question, cell) if cell.metadata.get("nbgrader", {}).get("grade_id") == question else cell
            for cell in was.cells
        ]
        merged[name] = nbformat.writes(was).encode()
    return merged


def _put_aside(course: Course, book: Gradebook, assignment: str, student: str) -> None:
    """Keep a good result, before 0 takes its place."""
    submission = rows.find(book, assignment, student)
    if submission is None:
        return
    folder = course.autograded / student / assignment
    snapshot = {
        "timestamp": submission.timestamp and submission.timestamp.isoformat(),
        "stamp": state.read(course.stamp(assignment, student)),
        "grades": {
            question: {
                "automatic": g.auto_score,
                "manual": g.manual_score,
                "extra": g.extra_credit,
                "waiting": g.needs_manual_grade,
            }
            for (_, question), g in submission.grades.items()
        },
        "comments": {cell: c.auto_comment for (_, cell), c in submission.comments.items()},
    }
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    files["marks.json"] = json.dumps(snapshot, indent=1).encode()
    state.write_folder(earlier(course, assignment, student), files)


def _snapshot(aside: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((aside / "marks.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def withdraw(course: Course, book: Gradebook, assignment: str, student: str) -> bool:
    """Undo a submission that got nothing and was taken back; tell whether an earlier one counts again."""
    aside, stamp = earlier(course, assignment, student), course.stamp(assignment, student)
    folder, kept = course.autograded / student / assignment, _snapshot(aside)
    if kept:
        submission = rows.find_or_begin(book, assignment, student)
        submission.submitted(kept["timestamp"])
        for (_, question), grade in submission.grades.items():
            past = kept["grades"].get(question)
            if past:
                grade.auto_score, grade.manual_score = past["automatic"], past["manual"]
                grade.extra_credit, grade.needs_manual_grade = past["extra"], past["waiting"]
        for (_, cell), comment in submission.comments.items():
            comment.auto_comment = kept["comments"].get(cell)
        submission.save(book)
        files = {p.name: p.read_bytes() for p in aside.iterdir() if p.name != "marks.json"}
        state.write_folder(folder, files)
        state.write(stamp, json.dumps(kept["stamp"]).encode())
        shutil.rmtree(aside)
    else:
        with contextlib.suppress(MissingEntry):
            book.remove_submission(assignment, student)
        shutil.rmtree(folder, ignore_errors=True)
        stamp.unlink(missing_ok=True)
    return bool(kept)


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


def questions(course: Course, entry: Assignment) -> list[Question]:
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
