"""For the instructor: how marks lie, which questions were hard, which slips common, what needs a person."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import nbformat
import numpy as np
from matplotlib.figure import Figure
from nbformat import NotebookNode

from cnnlib.exercises.misconceptions import Misconception
from cnnlib.plots import style
from grading import likeness, verdicts
from grading.course import Course
from grading.feedback import data_address, render
from grading.gradebook import Question, Row, Table


@dataclass(frozen=True)
class Difficulty:
    """How one question went: the mean share of its points, among those whose answers are marked."""

    question: Question
    share: float | None
    full: int
    part: int
    none: int
    waiting: int
    #: How the marks here go with those of all other questions (Pearson's correlation, item and rest): about
    #: 0 where strong and weak students fare alike. None with fewer than :data:`ENOUGH` marks, or equal ones.
    discrimination: float | None = None

    @property
    def tells_little(self) -> bool:
        """Whether the question may be worth another look: those who know the rest fail it as often."""
        return self.discrimination is not None and self.discrimination < WEAK


@dataclass(frozen=True)
class Slip:
    """A registered mistake, and in which questions how many students made it."""

    name: str
    #: The message that each of them read, with … for what was theirs.
    message: str
    students: int
    questions: tuple[str, ...]


@dataclass(frozen=True)
class Unknown:
    """A wrong answer that several students gave and that is no registered mistake."""

    question: str
    asked: str
    message: str
    students: int


@dataclass(frozen=True)
class Read:
    """What the graded notebooks of an assignment tell."""

    slips: tuple[Slip, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    pairs: tuple[likeness.Pair, ...] = ()
    borrowed: tuple[likeness.Borrowed, ...] = ()


@dataclass(frozen=True)
class Summary:
    """The figures behind the report of one assignment."""

    table: Table
    #: Totals in per cent of what can be reached, of all whose submission was graded.
    percentages: tuple[float, ...]
    difficulties: tuple[Difficulty, ...]
    #: How many totals lie in each of :data:`BINS`.
    counts: tuple[int, ...]
    ungraded: tuple[Row, ...]
    missing: tuple[Row, ...]
    waiting: tuple[Row, ...]
    late: tuple[Row, ...]
    #: Who got no points at all, for a reason.
    zeros: tuple[Row, ...] = ()
    #: In whose submission something was put right before it was graded.
    mended: tuple[Row, ...] = ()
    #: Whose code ran without a sandbox.
    unsandboxed: tuple[Row, ...] = ()

    @property
    def mean(self) -> float | None:
        """The mean total, in per cent."""
        return float(np.mean(self.percentages)) if self.percentages else None

    @property
    def median(self) -> float | None:
        """The middle total, in per cent."""
        return float(np.median(self.percentages)) if self.percentages else None


#: The edges of the bars of the distribution, in per cent; the last one holds 100 too.
BINS = tuple(range(0, 101, 10))
#: So many marks say something about a question.
ENOUGH = 10
#: A question that goes with the others less than this is worth another look.
WEAK = 0.2
#: So many students with one wrong answer make it a candidate for the registry.
SEVERAL = 3


def summarise(table: Table) -> Summary:
    """Count what the report shows."""
    graded = [row for row in table.rows if row.marks]
    percentages = [100 * row.total / table.points for row in graded] if table.points else []
    counts, _ = np.histogram(np.clip(percentages, 0, 100), bins=BINS)
    return Summary(
        table=table,
        percentages=tuple(percentages),
        difficulties=tuple(
            _difficulty(question, [row for row in graded if not row.problem]) for question in table.questions
        ),
        counts=tuple(int(count) for count in counts),
        ungraded=tuple(row for row in table.rows if row.status == "not graded"),
        missing=tuple(row for row in table.rows if row.status == "not submitted"),
        waiting=tuple(row for row in graded if row.waiting),
        late=tuple(row for row in graded if row.seconds_late),
        zeros=tuple(row for row in table.rows if row.status == "zero"),
        mended=tuple(row for row in table.rows if row.notes),
        unsandboxed=tuple(row for row in graded if not row.sandboxed),
    )


def _difficulty(question: Question, rows: Sequence[Row]) -> Difficulty:
    marks = [row.marks[question.name] for row in rows if question.name in row.marks]
    marked = [mark.score for mark in marks if not mark.waiting]
    full = sum(score >= question.points for score in marked)
    part = sum(0 < score < question.points for score in marked)
    return Difficulty(
        question=question,
        share=float(np.mean(marked)) / question.points if marked and question.points else None,
        full=full,
        part=part,
        none=len(marked) - full - part,
        waiting=len(marks) - len(marked),
        discrimination=_discrimination(question, rows),
    )


def _discrimination(question: Question, rows: Sequence[Row]) -> float | None:
    """The correlation of a question's marks with the sum of all others."""
    complete = [row for row in rows if question.name in row.marks and not row.marks[question.name].waiting]
    item = np.array([row.marks[question.name].score for row in complete])
    rest = np.array([sum(m.score for m in row.marks.values()) for row in complete]) - item
    if len(complete) < ENOUGH or not np.ptp(item) or not np.ptp(rest):
        return None
    return float(np.corrcoef(item, rest)[0, 1])


def read(course: Course, table: Table) -> Read:
    """Read the graded notebooks: slips by the messages that their check cells printed, and likeness."""
    reader = likeness.Reader(_notebooks(course.exercises / table.assignment))
    works = []
    slips: dict[str, dict[str, set[str]]] = {}
    entries: dict[str, Misconception] = {}
    unknown: dict[tuple[str, str, str], set[str]] = {}
    for row in table.rows:
        if not row.marks or row.problem:
            continue
        notebooks = _notebooks(course.autograded / row.student / table.assignment)
        work = reader.read(row.student, notebooks)
        works.append(work)
        for answer in work.wrong:
            unknown.setdefault(answer, set()).add(row.student)
        for notebook in notebooks:
            for question, told in verdicts.of(notebook):
                if told.slip is not None:
                    entries.setdefault(told.slip.name, told.slip)
                    slips.setdefault(told.slip.name, {}).setdefault(question, set()).add(row.student)
    found = [
        Slip(
            name,
            re.sub(r"\{[^}]*\}", "…", entries[name].message),
            len(set().union(*by_question.values())),
            tuple(by_question),
        )
        for name, by_question in slips.items()
    ]
    several = [Unknown(*key, len(who)) for key, who in unknown.items() if len(who) >= SEVERAL]
    return Read(
        slips=tuple(sorted(found, key=lambda slip: (-slip.students, slip.name))),
        unknown=tuple(sorted(several, key=lambda each: (-each.students, each.question, each.message))[:20]),
        pairs=tuple(likeness.pairs(works)),
        borrowed=tuple(likeness.borrowed(table.assignment, works)),
    )


def _notebooks(folder: Path) -> list[NotebookNode]:
    """The notebooks in a folder; what cannot be read is left out, since somebody may have put it there."""
    found = []
    for file in sorted(folder.glob("*.ipynb")):
        try:
            notebook = nbformat.from_dict(json.loads(file.read_bytes()))
            for cell in notebook.cells:
                cell.source = "".join(cell.source)
            found.append(notebook)
        except (OSError, ValueError, AttributeError, TypeError):
            continue
    return found


@style.styled
def draw(summary: Summary) -> Figure:
    """Both pictures: the distribution of totals, and the difficulty of each question."""
    questions = summary.difficulties
    figure = style.new_figure(height=3.1 + 0.34 * len(questions), width=7.2)
    above, below = figure.subplots(2, 1, height_ratios=[2.3, 0.5 + 0.34 * len(questions)])

    bars = above.bar(
        BINS[:-1],
        summary.counts,
        width=np.diff(BINS),
        align="edge",
        color=style.COLOURS["third"],
        edgecolor="white",
    )
    above.bar_label(bars, labels=[str(count) if count else "" for count in summary.counts], padding=2)
    above.set_xticks(BINS)
    above.set_xlabel("total, % of the points that can be reached")
    above.set_ylabel("students")
    above.set_ylim(0, max(summary.counts, default=0) * 1.25 + 0.5)
    above.yaxis.get_major_locator().set_params(integer=True)
    above.set_title(f"{summary.table.assignment}: {len(summary.percentages)} graded submissions", loc="left")
    if summary.mean is not None:
        above.axvline(summary.mean, color=style.COLOURS["highlight"], linestyle="--")
        above.annotate(
            f"mean {summary.mean:.0f} %",
            (summary.mean, 1),
            xycoords=("data", "axes fraction"),
            xytext=(-4 if summary.mean > 50 else 4, -2),
            textcoords="offset points",
            ha="right" if summary.mean > 50 else "left",
            va="top",
            color=style.COLOURS["highlight"],
        )

    rows = np.arange(len(questions))
    shares = [100 * (d.share or 0) for d in questions]
    below.barh(rows, shares, color=style.COLOURS["output"], height=0.68)
    for row, difficulty in zip(rows, questions, strict=True):
        said = "not marked yet" if difficulty.share is None else f"{100 * difficulty.share:.0f} %"
        below.annotate(
            said, (100 * (difficulty.share or 0), row), (4, 0), textcoords="offset points", va="center"
        )
    below.set_yticks(rows, [f"{d.question.name} ({d.question.points:g})" for d in questions])
    below.invert_yaxis()
    below.set_xlim(0, 115)
    below.set_xticks(range(0, 101, 20))
    below.set_xlabel("mean share of the points, %  (short bar: hard question)")
    return figure


def describe(summary: Summary) -> str:
    """The pictures in words, for those who do not see them."""
    parts = [
        f"Distribution of {len(summary.percentages)} totals by tenths of the points, from low to high: "
        + ", ".join(str(count) for count in summary.counts)
    ]
    marked = [d for d in summary.difficulties if d.share is not None]
    if marked:
        hardest = min(marked, key=lambda d: d.share or 0.0)
        parts.append(
            f"the hardest question is {hardest.question.name}"
            f" ({100 * (hardest.share or 0):.0f} % of its points)"
        )
    return "; ".join(parts) + "."


def write(course: Course, tables: Sequence[Table]) -> Path:
    """Write the page and a picture for each assignment; return the page."""
    folder = course.folder / "report"
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for table in tables:
        summary = summarise(table)
        figure = draw(summary)
        figure.savefig(folder / f"{table.assignment}.png", dpi=144, metadata={"Software": ""})
        drawn = io.StringIO()
        with matplotlib.rc_context({"svg.hashsalt": table.assignment}):
            figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
        picture = data_address(drawn.getvalue(), "image/svg+xml")
        names = {row.student: row.name for row in table.rows}
        entries.append((summary, picture, describe(summary), read(course, table), names))
    return render(
        "report.html.j2",
        folder / "index.html",
        entries=entries,
        likeness=likeness,
        weak=WEAK,
        enough=ENOUGH,
    )
