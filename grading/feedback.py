"""Feedback pages: what a student gets back, in one file that opens anywhere and runs nothing.

nbgrader makes the page (``GenerateFeedback``, configured in ``nbgrader_config.py``); here are the exporter
that writes it in the course's template, and the preprocessor that keeps hidden tests out of it.
"""

from __future__ import annotations

import base64
import copy
import functools
import html
import logging
import os
import re
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import bleach  # type: ignore[import-untyped]
import jinja2
import markupsafe
from bleach.css_sanitizer import CSSSanitizer  # type: ignore[import-untyped]
from docutils.utils.math.latex2mathml import tex2mathml
from jinja2.bccache import Bucket
from nbconvert.exporters.html import HTMLExporter
from nbconvert.filters.ansi import strip_ansi
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.converters import GenerateFeedback
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import ClearHiddenTests, NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution, is_task
from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
from traitlets import List, Unicode, default
from traitlets.config import Config

from grading import gradebook, leaks, state, verdicts
from grading.course import Course
from grading.errors import GradingError
from grading.gradebook import Table

TEMPLATES = Path(__file__).parent / "templates"
TEMPLATE = "course_feedback"

#: The cell that grading puts on top of a notebook that got nothing (:mod:`grading.task`).
NO_POINTS = "no-points"

#: nbgrader's comment on an answer that was left as it was given out.
NO_RESPONSE = "No response."

#: So many signs of an answer's code fit into a window of 320 pixels.
NARROW = 26

#: What takes the place of a line that would show a hidden test.
WITHHELD = "[a line of the hidden tests is left out here]"

#: What a student's Markdown and output may consist of.
_TAGS = frozenset(
    """
    a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure
    h1 h2 h3 h4 h5 h6 hr i img kbd li ol p pre q s small span strong sub summary sup
    table tbody td tfoot th thead tr u ul var
    """.split()  # noqa: SIM905  (a list of fifty strings reads worse)
)
_ATTRIBUTES = {
    "*": ["class", "title", "lang", "style"],
    "a": ["href"],
    "img": ["src", "alt", "width", "height"],
    "td": ["colspan", "rowspan", "align"],
    "th": ["colspan", "rowspan", "align", "scope"],
    "ol": ["start"],
}
_STYLES = CSSSanitizer(
    allowed_css_properties=[
        "color",
        "background-color",
        "font-weight",
        "font-style",
        "text-align",
        "white-space",
    ]
)
_HEADING = re.compile(r"^#{1,4} +(.+)$", re.MULTILINE)
_FRAME = re.compile(r"\s*(?:Cell )?In\s?\[(\d+)\]")


class HideTests(NbGraderPreprocessor):
    """Take hidden tests out of a graded notebook: out of the cells, the error reports and all other output.

    The message of a check stays; so do the places in the student's own code that an error report names.
    """

    # The exporter configures it for all preprocessors, and the base class does not let it.
    display_data_priority: List = List().tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Work on a whole notebook, since a test may be shown in another cell's output."""
        secret = hidden_lines(nb)
        strip = ClearHiddenTests()
        for index, cell in enumerate(nb.cells):
            graded = is_grade(cell) and not is_solution(cell)
            if graded:
                hidden = set(leaks.region(cell.source, "hidden test"))
                strip.preprocess_cell(cell, resources, index)
            if cell.cell_type != "code":
                cell.source = _without(cell.source, secret)
                continue
            for output in cell.outputs:
                if graded and output.output_type == "error":
                    _shorten(output, cell.execution_count, hidden)
                _clean_output(output, secret)
            if not graded:
                cell.source = _without(cell.source, secret)
        return nb, resources


def hidden_lines(nb: NotebookNode) -> set[str]:
    """The telling lines of a graded notebook's hidden tests, which the student never had."""
    cells = [cell.source for cell in nb.cells if is_grade(cell) and not is_solution(cell)]
    shown = {line.strip() for source in cells for line in leaks.public(source)}
    hidden = {line.strip() for source in cells for line in leaks.region(source, "hidden test")}
    return {line for line in hidden - shown if len(line) >= leaks.TELLING}


def _shorten(output: NotebookNode, count: int | None, hidden: set[str]) -> None:
    """Leave of a test's error report its message, and where in the student's own cells it arose."""
    own, failed = [], ""
    for entry in output.traceback:
        plain = strip_ansi(entry)
        frame = _FRAME.match(plain)
        if frame and int(frame[1]) != count:
            own.append(entry)
        elif frame:
            failed = next((line for line in plain.splitlines() if line.lstrip().startswith("-")), "")
    in_hidden = bool(failed) and any(line.strip() and line.strip() in failed for line in hidden)
    message = f"{output.ename}: {output.evalue}".removesuffix(": ")
    if in_hidden and not output.evalue:
        message += " (in a hidden test, which tries your answer with other inputs)"
    output.traceback = [*own, message]


def _clean_output(output: NotebookNode, secret: set[str]) -> None:
    if "text" in output:
        output.text = _without(output.text, secret)
    if "traceback" in output:
        output.traceback = [_without(entry, secret) for entry in output.traceback]
    for kind, content in output.get("data", {}).items():
        if isinstance(content, str) and not kind.startswith("image/"):
            output.data[kind] = _without(content, secret)


def _without(text: str, secret: set[str]) -> str:
    """The text with each line that holds a secret one replaced."""
    if not secret or not leaks.found(strip_ansi(text), secret):
        return text
    lines = [WITHHELD if leaks.found(strip_ansi(line), secret) else line for line in text.split("\n")]
    cleaned = "\n".join(lines)
    # A secret may have been broken over lines or escapes in a way that only the whole shows.
    return WITHHELD if leaks.found(strip_ansi(cleaned), secret) else cleaned


class Marks(NbGraderPreprocessor):
    """Marks and comments, and with them what the page's head says: name, lateness, what waits, and why."""

    display_data_priority: List = List().tag(config=True)
    problem = Unicode(help="Why the submission got no points at all.").tag(config=True)
    notes = List(Unicode(), help="What was put right in the submission before it was graded.").tag(
        config=True
    )

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Put the marks into the cells, and a summary into the resources."""
        about = resources["nbgrader"]
        about["problem"], about["notes"] = self.problem, list(self.notes)
        if self.problem:  # the page's head says it
            nb.cells = [cell for cell in nb.cells if cell.get("id") != NO_POINTS]
        with Gradebook(about["db_url"]) as book:
            submission = book.find_submission(about["assignment"], about["student"])
            (notebook,) = (n for n in submission.notebooks if n.name == about["notebook"])
            grades = {grade.name: grade for grade in notebook.grades}
            comments = {comment.name: comment.comment for comment in notebook.comments}
            for cell in nb.cells:
                given = cell.metadata.get("nbgrader", {})
                if is_solution(cell) or is_task(cell):
                    given["comment"] = comments[given.grade_id]
                    if self.problem and (given["comment"] or "").startswith("No points: "):
                        given["comment"] = None
                    if given["comment"] == NO_RESPONSE and not is_grade(cell):
                        given["comment"] = None  # the test below says so, or nothing was asked, as of the id
                if is_grade(cell) or is_task(cell):
                    grade = grades[given.grade_id]
                    given.update(
                        score=grade.score, points=grade.max_score, waiting=bool(grade.needs_manual_grade)
                    )
            about["late_penalty"] = notebook.late_submission_penalty or 0
            about["score"] = notebook.score - about["late_penalty"]
            about["max_score"] = notebook.max_score
            name = f"{submission.student.first_name or ''} {submission.student.last_name or ''}".strip()
            about["name"] = name or about["student"]
            about["submitted"] = submission.timestamp
            about["due"] = submission.duedate if submission.assignment.duedate else None
            about["seconds_late"] = submission.total_seconds_late
        about["questions"] = questions(nb)
        titles = (title for cell in nb.cells if cell.cell_type == "markdown" for title in _headings(cell))
        about["title"] = next(titles, about["notebook"])
        return nb, resources


def questions(nb: NotebookNode) -> list[dict[str, Any]]:
    """What got points, under the headings that the student knows, and in a word how it went."""
    asked, heading = [], ""
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            heading = next(iter(_headings(cell)[-1:]), heading)
        if not (is_grade(cell) or is_task(cell)):
            continue
        about = cell.metadata.nbgrader
        score, most = about.get("score") or 0.0, about.get("points") or 0.0
        went = "waiting" if about.get("waiting") else "full" if score >= most else "part" if score else "none"
        about["went"], about["heading"] = went, heading or about.grade_id
        asked.append(
            {"id": about.grade_id, "heading": about.heading, "score": score, "points": most, "went": went}
        )
    return asked


def _headings(cell: NotebookNode) -> list[str]:
    """A Markdown cell's headings as plain text, without what stands in them in small print."""
    return [
        re.sub(r"<small>[^<]*</small>|<[^<>]+>|[*`]", "", heading.rstrip(" #")).strip()
        for heading in _HEADING.findall(cell.source)
    ]


class _InMemory(jinja2.BytecodeCache):
    """Templates as they were compiled, kept for the next page."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


_COMPILED = _InMemory()


class FeedbackExporter(HTMLExporter):
    """Write the page in the course's template: no script, nothing loaded, formulas as MathML."""

    site = Unicode(help="Where the book is, for links to its chapters; by default as COURSE_SITE says.").tag(
        config=True
    )

    @default("site")
    def _default_site(self) -> str:
        return os.environ.get("COURSE_SITE", "")

    def __init__(self, config: Config | None = None, **kwargs: Any) -> None:
        # Said here, since nbgrader configures its own template for all exporters of HTML.
        own = Config()
        own.FeedbackExporter.template_name = TEMPLATE
        own.FeedbackExporter.extra_template_basedirs = [str(TEMPLATES)]
        own.FeedbackExporter.extra_template_paths = [str(TEMPLATES)]
        settings = copy.deepcopy(config) if config else Config()
        settings.merge(own)
        super().__init__(config=settings, **kwargs)

    def from_notebook_node(self, nb: NotebookNode, resources: Any = None, **kw: Any) -> tuple[Any, Any]:
        """Make the page, without what nbconvert does to pages of its own template."""
        return super(HTMLExporter, self).from_notebook_node(nb, self._init_resources(resources), **kw)

    def _create_environment(self) -> jinja2.Environment:
        environment = super()._create_environment()
        environment.bytecode_cache = _COMPILED
        return environment

    def _init_resources(self, resources: Any) -> Any:
        resources = super()._init_resources(resources)
        resources["code_css"] = _code_css()
        return resources

    def _told(self, printed: str) -> list[verdicts.Told]:
        return verdicts.read(printed)

    def _linked(self, text: str) -> markupsafe.Markup:
        site = self.site.rstrip("/") if self.site.startswith(("http://", "https://")) else ""
        return markupsafe.Markup("").join(
            markupsafe.Markup('<a href="{}/{}.html">{}</a>').format(site, page, piece)
            if site and page
            else markupsafe.escape(piece)
            for piece, page in verdicts.chapters(text)
        )

    def default_filters(self) -> Iterator[Any]:
        """The filters that the template uses besides nbconvert's own."""
        yield from super().default_filters()
        yield ("verdicts", self._told)
        yield ("linked", self._linked)
        yield ("coloured", coloured)
        yield ("safe_markdown", markdown)
        yield ("safe_html", safe_html)
        yield ("points", points)
        yield ("is_wide", is_wide)
        yield ("data_address", data_address)


@functools.cache
def _code_css() -> str:
    light, dark = (
        HtmlFormatter(style=name, nobackground=True).get_style_defs(".highlight")
        for name in ("default", "github-dark")
    )
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}"


@functools.lru_cache(maxsize=512)
def coloured(code: str) -> markupsafe.Markup:
    """Python code as HTML with its colours; what all students got is worked out once.

    >>> '<span class="n">x</span> <span class="o">&lt;</span>' in coloured("x < 3")
    True
    """
    return markupsafe.Markup(
        highlight(code, get_lexer_by_name("ipython3"), HtmlFormatter(cssclass="highlight", nobackground=True))
    )


class _Formulas(IPythonRenderer):
    """Put formulas aside while the rest is cleaned."""

    def __init__(self, attachments: dict[str, Any]) -> None:
        super().__init__(escape=False, attachments=attachments, exclude_anchor_links=True)
        self.key = uuid.uuid4().hex
        self.formulas: list[str] = []
        self.sources: list[str] = []

    def _aside(self, tex: str, block: bool) -> str:
        self.formulas.append(mathml(tex, block))
        self.sources.append(html.unescape(tex))
        return f"{self.key}-{len(self.formulas) - 1}."

    def block_math(self, body: str) -> str:
        return self._aside(body, True)

    def multiline_math(self, text: str) -> str:
        return self._aside(text.strip("$"), True)

    def inline_math(self, body: str) -> str:
        return self._aside(body, False)

    def latex_environment(self, name: str, body: str) -> str:
        return self._aside(rf"\begin{{{name}}}{body}\end{{{name}}}", True)

    def image(self, text: str, url: str, title: str | None = None) -> str:
        if url.startswith("attachment:") and url.removeprefix("attachment:") not in self.attachments:
            return html.escape(f"[a missing picture: {text or url}]")
        # An attribute holds no elements: formulas stay as they were typed.
        text = re.sub(rf"{self.key}-(\d+)\.", lambda formula: f"${self.sources[int(formula[1])]}$", text)
        return str(super().image(text, url, title))


def markdown(source: str, attachments: dict[str, Any] | None = None) -> markupsafe.Markup:
    r"""Markdown as harmless HTML.

    >>> print(markdown("so *many* <script>alert(1)</script>").strip())
    <p>so <em>many</em> &lt;script&gt;alert(1)&lt;/script&gt;</p>
    >>> "<msup><mn>2</mn><mn>5</mn></msup></math>" in markdown("$2^5$")
    True
    """
    return _markdown(source) if not attachments else _rendered(source, attachments)


@functools.lru_cache(maxsize=512)
def _markdown(source: str) -> markupsafe.Markup:
    return _rendered(source, {})


def _rendered(source: str, attachments: dict[str, Any]) -> markupsafe.Markup:
    renderer = _Formulas(attachments)
    cleaned = str(safe_html(MarkdownWithMath(renderer=renderer).render(source)))
    # The empty corner of a table is no heading, and screen readers stumble over one.
    cleaned = re.sub(r"<th[^>]*></th>", "<td></td>", cleaned)
    for number, formula in enumerate(renderer.formulas):
        cleaned = cleaned.replace(f"{renderer.key}-{number}.", formula)
    return markupsafe.Markup(cleaned)


def mathml(tex: str, block: bool = False) -> str:
    r"""A formula that browsers draw by themselves; what cannot be read as TeX is shown as it is.

    >>> mathml(r"\frac{1}{2}").startswith("<math") and "<mfrac>" in mathml(r"\frac{1}{2}")
    True
    >>> mathml(r"\nosuch{1}")
    '<code>\\nosuch{1}</code>'
    """
    try:
        drawn = tex2mathml(html.unescape(tex), as_block=block)
    except Exception:  # docutils stumbles in many ways over what is no TeX
        return f"<code>{html.escape(html.unescape(tex))}</code>"
    return re.sub(r">\s+<", "><", drawn).strip()


def safe_html(text: str) -> markupsafe.Markup:
    """HTML of which nothing can run, load or cover the page; what is not allowed is shown as text.

    >>> print(safe_html('<b onclick="x()">28</b><img src="https://a.example/pixel">'))
    <b>28</b><img>
    """
    text = re.sub(r"<style\b.*?</style\s*>", "", text, flags=re.DOTALL | re.IGNORECASE)
    cleaned = bleach.Cleaner(
        tags=_TAGS,
        attributes=_allowed,
        protocols=["http", "https", "mailto", "data"],
        css_sanitizer=_STYLES,
    ).clean(text)
    return markupsafe.Markup(cleaned)


def _allowed(tag: str, name: str, value: str) -> bool:
    if tag == "img" and name == "src":
        return value.startswith(("data:image/png", "data:image/jpeg", "data:image/gif", "data:image/svg+xml"))
    if tag == "a" and name == "href":
        return value.startswith(("http://", "https://", "mailto:", "#"))
    return name in _ATTRIBUTES.get(tag, []) or name in _ATTRIBUTES["*"]


def points(value: float | None) -> str:
    """Points without needless digits.

    >>> points(2.0), points(2.5), points(None)
    ('2', '2.5', '0')
    """
    return f"{round(value or 0.0, 2):g}"


def is_wide(code: str) -> bool:
    """Whether code has lines that a narrow phone must scroll to, so that the keyboard must reach it too."""
    return any(len(line) > NARROW for line in code.splitlines())


def data_address(content: str, kind: str) -> str:
    r"""A picture as an address that holds it: SVG is text in a notebook, other kinds are base64 already.

    >>> data_address("<svg/>", "image/svg+xml")
    'data:image/svg+xml;base64,PHN2Zy8+'
    >>> data_address('iVBORw0\nKGgo="><script>', "image/png")
    'data:image/png;base64,iVBORw0KGgo=script'
    """
    if kind == "image/svg+xml":
        packed = base64.b64encode(content.encode()).decode()
    else:  # a student may display anything as a picture: nothing may end the attribute that it stands in
        packed = re.sub(r"[^A-Za-z0-9+/=]", "", content)
    return f"data:{kind};base64,{packed}"


def generate(course: Course, table: Table, log: logging.Logger) -> list[str]:
    """Bring the pages of an assignment up to date; return the students whose pages were made.

    Call it inside :meth:`grading.course.Course.surroundings`.

    Raises:
        GradingError: some pages could not be made; all others are.
    """
    assignment, made, failed = table.assignment, list[str](), list[str]()
    site = FeedbackExporter(config=course.config).site
    with gradebook.opened(course) as book:
        graded_rows = [row for row in table.rows if row.marks]
        comments = {row.student: gradebook.comments(book, assignment, row.student) for row in graded_rows}
    for row in graded_rows:
        note = course.folder / ".state" / "feedback" / assignment / f"{row.student}.json"
        graded = course.autograded / row.student / assignment
        expected = pages(course, assignment, row.student)
        mark = state.fingerprint(
            [graded, TEMPLATES, Path(__file__)], row, comments[row.student], table.points, table.due, site
        )
        if state.fresh(note, mark) and all(page.is_file() for page in expected):
            continue
        config = course.settings(assignment_id=assignment, student_id=row.student)
        config.Marks.problem, config.Marks.notes = row.problem, list(row.notes)
        try:
            directory = CourseDirectory(config=config, log=log)
            GenerateFeedback(coursedir=directory, config=config, log=log, force=True).start()
        except (NbGraderException, SystemExit):
            failed.append(row.student)
            continue
        state.note(note, mark)
        made.append(row.student)
    if failed:
        raise GradingError(
            f"the feedback pages of {', '.join(failed)} could not be made; see {course.show(course.log)}"
        )
    return made


def pages(course: Course, assignment: str, student: str) -> list[Path]:
    """The pages that a student gets for an assignment."""
    graded = course.autograded / student / assignment
    return [course.feedback / student / assignment / f"{p.stem}.html" for p in sorted(graded.glob("*.ipynb"))]


def write_index(course: Course, tables: Sequence[Table]) -> Path:
    """A page for the instructor that leads to every student's page."""
    entries = [
        (
            table,
            [
                (row, [p.relative_to(course.feedback) for p in pages(course, table.assignment, row.student)])
                for row in table.rows
            ],
        )
        for table in tables
    ]
    return render("feedback_index.html.j2", course.feedback / "index.html", entries=entries)


def render(template: str, target: Path, **values: Any) -> Path:
    """Fill one of the package's own page templates, and write the page."""
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(target.name + ".new")
    new.write_text(filled(template, **values), encoding="utf-8", errors="backslashreplace")
    new.replace(target)
    return target


def filled(template: str, **values: Any) -> str:
    """One of the package's own page templates with ``values`` in it; everything is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["points"] = points
    return environment.get_template(template).render(**values)
