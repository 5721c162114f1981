"""Hostile and clumsy submissions (tests/hostile), graded in one class: marks, reasons, and no harm."""

from __future__ import annotations

import contextlib
import copy
import functools
import gzip
import hashlib
import html
import io
import json
import os
import re
import sqlite3
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell

from grading import run
from grading.config import KERNEL

pytestmark = [pytest.mark.grading, pytest.mark.slow, pytest.mark.xdist_group("hostile class")]

CASES = [
    {"file": file.stem, **case}
    for file in sorted(Path(__file__).parents[1].joinpath("hostile").glob("*.toml"))
    for case in tomllib.loads(file.read_text(encoding="utf-8"))["case"]
]
#: Full marks by class and question. Cases of keras.toml are a class of their own, so that the others need not
#: wait for TensorFlow.
POINTS = {
    "python": {"size-test": 2, "halve-test": 3, "total-test": 2},
    "keras": {"size-test": 2, "model-test": 3, "pool-test": 2},
}
RIGHT = {
    "size": "answer = 28",
    "halve": "def halve(n):\n    return n // 2",
    "total": "def total(image):\n    return image.sum()",
    "model": "model = keras.Sequential(\n    [keras.Input((12, 12, 3)), "
    "keras.layers.Conv2D(4, 3), keras.layers.MaxPooling2D(2)]\n)",
    "pool": "def pool(image):\n    return keras.ops.max_pool(image, 2)",
    "why": "Each window needs room.",
}
GOOD = ("aaa-good", "mmm-good", "zzz-good")
#: Words that stand in hidden tests alone.
HIDDEN = (
    "hidden_expectation_of_size",
    "hidden_numbers_of_total",
    "n in (7, 9, 1001)",
    "hidden_layers_of_model",
    "hidden_pixels_of_pool",
)
SHORT = """
c.Execute.timeout = 5
c.TrustedExecute.call_seconds = 2
c.Bounded.output_kib = 64
c.Bounded.seconds = 60
c.Sandbox.memory_mib = 1024
c.Sandbox.cpu_seconds = 30
c.Sandbox.processes = 64
c.Sandbox.disk_mib = 32
"""
#: TensorFlow's first steps take a while, and its libraries some memory.
LONGER = """
c.Execute.timeout = 10
c.TrustedExecute.call_seconds = 8
c.Sandbox.memory_mib = 3072
"""


# --- How a submission is spoiled --------------------------------------------------------------------------


class Submission:
    """The folder of one student, and the notebook that is to lie in it."""

    def __init__(self, small, student: str, notebook: dict[str, Any]) -> None:
        self.small, self.student, self.notebook = small, student, notebook
        self.folder: Path = small.root / "class" / "submitted" / student / small.name
        self.folder.mkdir(parents=True)
        (self.folder / "timestamp.txt").write_text("2026-03-09 12:00:00 UTC")
        self.name = "tiny.ipynb"

    @property
    def cells(self) -> list[dict[str, Any]]:
        return self.notebook["cells"]

    def at(self, name: str) -> dict[str, Any]:
        return next(cell for cell in self.cells if cell["id"] == name)

    def text(self, **options: Any) -> str:
        return json.dumps(self.notebook, indent=1, ensure_ascii=False, **options)

    def write(self, content: bytes | str, name: str | None = None) -> None:
        data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        (self.folder / (name or self.name)).write_bytes(data)


MAKE: dict[str, Callable[[Submission, str], Any]] = {}


def maker(function: Callable[[Submission, str], Any]) -> Callable[[Submission, str], Any]:
    """Name a way to spoil a submission; if it writes no file, what it made of the notebook is written."""
    MAKE[function.__name__] = function
    return function


def zip_of(files: dict[str, str | bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return held.getvalue()


@maker
def content(s: Submission, text: str) -> None:
    s.write(text)


@maker
def nothing(s: Submission, _: str) -> str:
    return "nothing is written"


@maker
def nested(s: Submission, _: str) -> None:
    s.write('{"cells": ' + "[" * 200_000)


@maker
def many_values(s: Submission, _: str) -> None:
    s.write('{"cells": [' + "[],[]," * 1_000_000 + "[]]}")


@maker
def sparse(s: Submission, _: str) -> None:
    with (s.folder / s.name).open("wb") as file:
        file.truncate(200 << 20)


@maker
def long_line(s: Submission, _: str) -> None:
    s.notebook["metadata"]["long"] = "x" * (9 << 20)


@maker
def huge_outputs(s: Submission, _: str) -> None:
    s.at("size")["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * (20 << 20)}]


@maker
def truncated(s: Submission, _: str) -> None:
    text = s.text()
    s.write(text[: text.index('"halve"')])


@maker
def conflict(s: Submission, _: str) -> None:
    text = s.text()
    line = next(line for line in text.splitlines() if "answer = 28" in line)
    other = line.replace("28", "29")
    s.write(text.replace(line, f"<<<<<<< HEAD\n{line}\n=======\n{other}\n>>>>>>> origin/main"))


@maker
def encoded(s: Submission, encoding: str) -> None:
    s.write(s.text().replace("–", "-").encode(encoding, "replace"))


@maker
def broken_bytes(s: Submission, _: str) -> None:
    s.at("size")["source"] = "answer = 28  # @@@ 크기"
    s.write(s.text().encode().replace(b"@@@", b"\xff\xfe\xff"))


@maker
def line_ends(s: Submission, _: str) -> None:
    s.at("halve")["source"] = "def halve(n):\r\n    half = n // 2\r    return half\n"
    s.write(s.text().replace("\n", "\r\n", 40))


@maker
def numbers(s: Submission, _: str) -> None:
    s.write(s.text().replace('"nbformat": 4', f'"nbformat": NaN, "x": {"9" * 9000}, "y": -Infinity'))


@maker
def keys_twice(s: Submission, _: str) -> None:
    s.write(s.text().replace("{", '{"cells": [], ', 1))


@maker
def version_3(s: Submission, _: str) -> None:
    for cell in s.cells:
        if cell["cell_type"] == "code":
            cell |= {"input": cell.pop("source"), "language": "python", "prompt_number": 1}
        del cell["id"]
    s.notebook = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": s.cells}]}


@maker
def named(s: Submission, name: str) -> None:
    s.write(s.text(), name)


@maker
def named_bytes(s: Submission, _: str) -> None:
    s.write(s.text(), os.fsdecode("과제.ipynb".encode("cp949")))


@maker
def in_a_folder(s: Submission, _: str) -> None:
    (s.folder / "homework").mkdir()
    s.write(s.text(), "homework/tiny.ipynb")


@maker
def draft_beside(s: Submission, _: str) -> None:
    s.write(s.text())
    s.at("size")["source"] = "answer = 0"
    s.write(s.text(), "draft.ipynb")


@maker
def work_in_copy(s: Submission, _: str) -> None:
    s.write((s.small.root / "exercises" / s.small.name / "tiny.ipynb").read_bytes())
    s.write(s.text(), "tiny-Copy1.ipynb")


@maker
def zipped(s: Submission, _: str) -> None:
    s.write(zip_of({"homework/tiny.ipynb": s.text(), "__MACOSX/._tiny.ipynb": b"x"}), "homework.zip")


@maker
def zip_bomb(s: Submission, _: str) -> None:
    s.write(zip_of({"tiny.ipynb": bytes(70 << 20)}))


@maker
def zip_of_thousands(s: Submission, _: str) -> None:
    s.write(zip_of({str(number): b"" for number in range(1001)}), "homework.zip")


@maker
def zip_path(s: Submission, _: str) -> None:
    s.write(zip_of({"../../../../hostile-was-here.ipynb": s.text()}), "homework.zip")


@maker
def gzipped(s: Submission, _: str) -> None:
    s.write(gzip.compress(s.text().encode()))


@maker
def tarred(s: Submission, _: str) -> None:
    with tarfile.open(s.folder / s.name, "w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("../../hostile-was-here"), io.BytesIO())


@maker
def link_to_solution(s: Submission, _: str) -> None:
    (s.folder / s.name).symlink_to(s.small.source)


@maker
def link_to_neighbour(s: Submission, _: str) -> None:
    (s.folder / s.name).symlink_to(s.folder.parents[1] / GOOD[0] / s.small.name / s.name)


@maker
def link_to_device(s: Submission, _: str) -> None:
    (s.folder / s.name).symlink_to("/dev/zero")


@maker
def pipe(s: Submission, _: str) -> None:
    os.mkfifo(s.folder / s.name)


@maker
def folder(s: Submission, _: str) -> None:
    (s.folder / s.name).mkdir()


@maker
def ships(s: Submission, about: str) -> None:
    name, text = about.split(":", 1)
    s.write(s.text())
    s.write(text, name)


@maker
def schema(s: Submission, version: str) -> None:
    for cell in s.cells:
        about = cell["metadata"].get("nbgrader", {})
        about.pop("schema_version", None)
        if version != "none" and about:
            about["schema_version"] = int(version)


@maker
def stripped(s: Submission, _: str) -> None:
    for cell in s.cells:
        cell["metadata"] = {}


@maker
def stripped_of_everything(s: Submission, _: str) -> None:
    for cell in s.cells:
        cell["metadata"] = {}
        del cell["id"]
        cell["source"] = cell["source"].replace("# your answer here", "")


@maker
def bad_ids(s: Submission, _: str) -> None:
    for number, cell in enumerate(s.cells):
        cell["id"] = [None, 7, "", "x" * 999, "a b/../c", [], {"a": 1}][number % 7]


@maker
def duplicated(s: Submission, _: str) -> None:
    s.cells.extend({**copy.deepcopy(cell), "id": f"copy-{n}"} for n, cell in enumerate(list(s.cells)))


@maker
def two_versions(s: Submission, _: str) -> None:
    first = {**copy.deepcopy(s.at("size")), "id": "first", "source": "answer = 0"}
    s.cells.insert(s.cells.index(s.at("size")), first)


def _reversed(s: Submission, _: str) -> None:
    s.cells.reverse()


MAKE["reversed"] = _reversed


@maker
def split(s: Submission, _: str) -> None:
    cell = s.at("halve")
    one, two = cell["source"].split("#SPLIT\n")
    cell["source"] = two
    s.cells.insert(s.cells.index(cell), {**copy.deepcopy(cell), "id": "half", "source": one})


@maker
def merged(s: Submission, _: str) -> None:
    s.at("size")["source"] += "\n" + s.at("halve")["source"]
    s.cells.remove(s.at("halve"))


@maker
def helper(s: Submission, _: str) -> None:
    source = "def helper(n):\n    return n // 2"
    cell = {"cell_type": "code", "id": "mine", "metadata": {}, "outputs": [], "execution_count": 1}
    s.cells.insert(s.cells.index(s.at("halve")), cell | {"source": source})


@maker
def without(s: Submission, name: str) -> None:
    s.cells.remove(s.at(name))


@maker
def only_answers(s: Submission, _: str) -> None:
    s.notebook["cells"] = [cell for cell in s.cells if cell["id"] in RIGHT]


@maker
def source(s: Submission, about: str) -> None:
    name, text = about.split(":", 1)
    s.at(name)["source"] = text


@maker
def points(s: Submission, _: str) -> None:
    for cell in s.cells:
        if "points" in cell["metadata"].get("nbgrader", {}):
            cell["metadata"]["nbgrader"]["points"] = 1000


@maker
def unlocked(s: Submission, _: str) -> None:
    s.at("size-test")["metadata"]["nbgrader"] |= {"locked": False, "solution": True}
    s.at("size-test")["source"] = "2"


@maker
def kind(s: Submission, about: str) -> None:
    name, cell_type = about.split(":")
    cell = s.at(name)
    cell["cell_type"] = cell_type
    cell.pop("outputs"), cell.pop("execution_count")


@maker
def tagged(s: Submission, tag: str) -> None:
    for cell in s.cells:
        cell["metadata"]["tags"] = [tag]
    s.notebook["metadata"] |= {"allow_errors": True, "execution": {"allow_errors": True}}


@maker
def forged_outputs(s: Submission, _: str) -> None:
    shown = {"output_type": "execute_result", "execution_count": 1, "metadata": {}}
    for cell in s.cells:
        if cell["cell_type"] == "code":
            cell["outputs"] = [shown | {"data": {"text/plain": "2"}}]
            cell["execution_count"] = 1


@maker
def forged_test(s: Submission, _: str) -> None:
    for name in ("size-test", "halve-test", "total-test"):
        test = {**copy.deepcopy(s.at(name)), "id": f"forged-{name}", "source": "2"}
        s.cells.append(test)


@maker
def kernel(s: Submission, _: str) -> None:
    s.notebook["metadata"] = {
        "kernelspec": {"name": "no-such-kernel", "display_name": "R", "language": "R"},
        "language_info": {"name": "R"},
    }


@maker
def attachment(s: Submission, _: str) -> None:
    s.at("why")["source"] = "![](attachment:x.svg) Each window needs room."
    s.at("why")["attachments"] = {"x.svg": {"image/svg+xml": "<svg onload=alert(1)></svg>"}}


@maker
def knows_the_root(s: Submission, _: str) -> None:
    for cell in s.cells:
        cell["source"] = cell["source"].replace("ROOT", str(s.small.root))


# --- The class --------------------------------------------------------------------------------------------


def ask(notebook: nbformat.NotebookNode, name: str, points: int, answer: str, test: str) -> None:
    """Add a question before the last one, which asks why."""
    here = next(n for n, cell in enumerate(notebook.cells) if cell.id == "why-text")
    cells = [copy.deepcopy(next(c for c in notebook.cells if c.id == i)) for i in ("size", "size-test")]
    for cell, ending, source in zip(cells, ("", "-test"), (answer, test), strict=True):
        cell.id = cell.metadata.nbgrader.grade_id = name + ending
        cell.source = source
    cells[1].metadata.nbgrader.points = points
    notebook.cells[here:here] = [new_markdown_cell(f"## {name}", id=f"{name}-text"), *cells]


def with_arrays(notebook: nbformat.NotebookNode) -> None:
    """Add a question that needs NumPy to the tiny assignment."""
    ask(
        notebook,
        "total",
        2,
        'def total(image):\n    """The sum of all pixels."""\n'
        "    ### BEGIN SOLUTION\n    return image.sum()\n    ### END SOLUTION",
        "import numpy as np\n\nassert np.isclose(total(np.ones((2, 3))), 6)\n"
        "### BEGIN HIDDEN TESTS\n"
        "hidden_numbers_of_total = np.random.default_rng(7).integers(1, 99, (3, 5))\n"
        "kept = hidden_numbers_of_total.copy()\n"
        "assert np.allclose(total(hidden_numbers_of_total), kept.sum())\n"
        "### END HIDDEN TESTS",
    )


def with_keras(notebook: nbformat.NotebookNode) -> None:
    """Ask for a Keras model, as the course does, and for a function that uses Keras, in place of `halve`."""
    notebook.cells = [
        cell for cell in notebook.cells if cell.id not in ("function-text", "halve", "halve-test")
    ]
    imports = copy.deepcopy(next(cell for cell in notebook.cells if cell.id == "size-test"))
    imports.id = imports.metadata.nbgrader.grade_id = "imports"
    imports.metadata.nbgrader.grade, imports.source = False, "import keras"
    del imports.metadata.nbgrader["points"]
    notebook.cells.insert(1, imports)
    ask(
        notebook,
        "model",
        3,
        f"model = ...\n### BEGIN SOLUTION\n{RIGHT['model']}\n### END SOLUTION",
        "import numpy as np\nfrom cnnlib.exercises import Marks\n"
        "from cnnlib.exercises.networks import Conv, Pool\n\nmarks = Marks(globals())\n"
        "### BEGIN HIDDEN TESTS\n"
        "hidden_layers_of_model = [Conv(4, 3), Pool(2)]\n"
        "marks.model('model', (12, 12, 3), hidden_layers_of_model, points=3)\n"
        "given = marks.score()\n"
        "if given:\n"
        "    assert (model.count_params(), model.output_shape) == (112, (None, 5, 5, 4))\n"
        "    assert model(np.ones((2, 12, 12, 3))).shape == (2, 5, 5, 4)\n"
        "given\n"
        "### END HIDDEN TESTS",
    )
    ask(
        notebook,
        "pool",
        2,
        'def pool(image):\n    """The largest of each 2×2 pixels."""\n'
        "    ### BEGIN SOLUTION\n    return keras.ops.max_pool(image, 2)\n    ### END SOLUTION",
        "import numpy as np\n\n### BEGIN HIDDEN TESTS\n"
        "hidden_pixels_of_pool = np.random.default_rng(7).random((1, 4, 6, 2))\n"
        "wanted = hidden_pixels_of_pool.reshape(1, 2, 2, 3, 2, 2).max((2, 4))\n"
        "given = pool(hidden_pixels_of_pool.copy())\n"
        "assert np.shape(given) == wanted.shape\n"
        "assert np.allclose(given, wanted)\n"
        "### END HIDDEN TESTS",
    )


def outside(small) -> dict[str, str]:
    """All files that grading has no business with, by name, with a hash of each."""
    return {
        str(file.relative_to(small.root)): hashlib.sha256(file.read_bytes()).hexdigest()
        for top in ("nbgrader_config.py", "solutions", "exercises", "class/submitted")
        for file in sorted([small.root / top, *(small.root / top).rglob("*")])
        if file.is_file() and not file.is_symlink() and file.stat().st_size < 1 << 25
    }


def rows(database: Path, student: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(database)) as book:
        return book.execute(
            "select c.name, g.auto_score, g.manual_score, g.needs_manual_grade, n.late_submission_penalty "
            "from grade g join base_cell c on g.cell_id = c.id join submitted_notebook n on g.notebook_id = "
            "n.id join submitted_assignment a on n.assignment_id = a.id where a.student_id = ? "
            "order by c.name",
            (student,),
        ).fetchall()


@pytest.fixture(scope="module")
def classes(new_course) -> Callable[[str], SimpleNamespace]:
    """Everybody of a class graded in one run, when it is first asked for."""
    return functools.cache(lambda kind: graded(new_course(), kind))


@pytest.fixture(params=POINTS)
def klass(request: pytest.FixtureRequest, classes) -> SimpleNamespace:
    """Each class."""
    return classes(request.param)


def graded(small, kind: str) -> SimpleNamespace:
    """Grade a class."""
    with (small.root / "nbgrader_config.py").open("a") as config:
        config.write(SHORT + (LONGER if kind == "keras" else ""))
    if small.course.config.Execute.kernel_name != KERNEL:
        pytest.skip("no sandbox for submissions on this system")
    small.edit(with_keras if kind == "keras" else with_arrays)
    small.release()
    released = json.loads((small.root / "exercises" / small.name / "tiny.ipynb").read_text())
    for cell in released["cells"]:
        cell["source"] = "".join(cell["source"])
    for student, case in [*((good, {}) for good in GOOD), *((case["name"], case) for case in chosen(kind))]:
        notebook = copy.deepcopy(released)
        answers = {**(RIGHT if case.get("answers", True) else {}), **case.get("cells", {})}
        for cell in notebook["cells"]:
            cell["source"] = answers.get(cell["id"], cell["source"])
        submission = Submission(small, student, notebook)
        name, _, about = case.get("make", "").partition(":")
        before = set(submission.folder.iterdir())
        done = MAKE[name](submission, about) if name else None
        wrote = set(submission.folder.iterdir()) - before
        if not done and not wrote:
            submission.write(submission.text())
    before = outside(small)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        outcome = run.grade(small.course, small.name)
    (table,) = run.tables(small.course)
    return SimpleNamespace(
        kind=kind,
        points=POINTS[kind],
        small=small,
        course=small.course,
        before=before,
        outcome=outcome,
        said=said.getvalue(),
        rows={row.student: row for row in table.rows},
    )


def chosen(kind: str) -> list[dict[str, Any]]:
    """The cases of a class, or those that COURSE_HOSTILE names (a pattern), to look into one by itself."""
    pattern = os.environ.get("COURSE_HOSTILE", "")
    own = [case for case in CASES if (case["file"] == "keras") == (kind == "keras")]
    return [case for case in own if re.search(pattern, f"{case['file']}/{case['name']}")]


def page(klass, student: str) -> str:
    return (klass.course.feedback / student / klass.small.name / "tiny.html").read_text(encoding="utf-8")


def text_of(page_html: str) -> str:
    """What a reader sees of a page."""
    return html.unescape(re.sub(r"<[^>]*>", "", page_html)).replace("\xa0", " ")


@pytest.mark.parametrize(
    ("kind", "case"),
    [pytest.param(kind, case, id=case["name"]) for kind in POINTS for case in chosen(kind)],
)
def test_the_mark_and_its_reason(classes, kind, case) -> None:
    klass = classes(kind)
    row = klass.rows[case["name"]]
    assert [row.marks[question].score for question in klass.points] == case["marks"], row.problem
    if "problem" in case:
        assert case["problem"] in row.problem
        assert case["problem"] in text_of(page(klass, case["name"]))
    else:
        assert not row.problem
    if "says" in case:
        assert case["says"] in text_of(page(klass, case["name"]))


def test_nobody_is_lost(klass) -> None:
    assert klass.rows.keys() == {*GOOD, *(case["name"] for case in chosen(klass.kind))}
    assert klass.outcome.graded.keys() | klass.outcome.problems.keys() == klass.rows.keys()
    assert klass.outcome.problems.keys() == {case["name"] for case in chosen(klass.kind) if "problem" in case}


def test_good_students_notice_nothing(klass) -> None:
    database = klass.course.gradebook
    expected = [(question, most, None, 0, None) for question, most in sorted(klass.points.items())]
    expected.append(("why", None, None, 1, None))
    for student in GOOD:
        assert rows(database, student) == expected
    pages = {page(klass, student).replace(student, "") for student in GOOD}
    assert len(pages) == 1


def test_nothing_else_was_touched(klass) -> None:
    assert outside(klass.small) == klass.before
    for place in ("/tmp", "/dev/shm", "/var/tmp", "/root", "/run", str(Path.home()), str(klass.small.root)):
        with contextlib.suppress(OSError):
            assert not list(Path(place).glob("*hostile-was-here*")), place
    assert not list(klass.small.root.rglob("*hostile-was-here*"))


def test_no_hidden_test_is_told(klass) -> None:
    for file in klass.course.feedback.rglob("*.html"):
        seen = file.read_text(encoding="utf-8")
        own = next((c for c in CASES if c["name"] == file.parts[-3]), {})
        students = " ".join(own.get("cells", {}).values())
        assert not [word for word in HIDDEN if word in seen and word not in students], file
    for file in klass.course.autograded.rglob("*.ipynb"):
        for cell in nbformat.read(file, as_version=4).cells:
            if not cell.metadata.get("nbgrader", {}).get("grade"):
                assert not [word for word in HIDDEN if word in json.dumps(cell.get("outputs", []))], file


def test_no_page_runs_anything(klass) -> None:
    for file in klass.course.feedback.rglob("*.html"):
        seen = file.read_text(encoding="utf-8")
        assert "Content-Security-Policy" in seen, file
        live = re.findall(
            r"<script\b|<iframe\b|<img[^>]*onerror|<svg[^>]*onload|=\s*[\"']?\s*javascript:", seen
        )
        assert not live, (file, live)


def test_the_terminal_obeys_nobody(klass) -> None:
    assert not re.findall(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", klass.said)


def test_every_case_is_made_by_something() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES) >= 120
    assert {case["make"].partition(":")[0] for case in CASES if "make" in case} == MAKE.keys()
    for case in CASES:
        known = {"file", "name", "about", "make", "answers", "cells", "marks", "problem", "says"}
        assert case.keys() <= known, case["name"]
        assert case.get("cells", {}).keys() <= RIGHT.keys(), case["name"]
