"""Cells that the reader can change and run: in a real browser, and against what the pages print."""

from __future__ import annotations

import functools
import html
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

import book.build
from book.build import LIVE, ROOT, SCRIPTS, WITHOUT, add_live_cells, build
from book.execute import is_notebook, read
from book.lite import NOTEBOOKS
from book.live.running import LONGEST, Session, draws
from book.runtime import NoRuntimeError

CHAPTERS = sorted(p for p in (ROOT / "chapters").glob("[01]*.md") if is_notebook(p))
#: Seconds that things may take at most, on a machine that others use too.
PATIENCE = 120_000
#: Seconds of computing until the first output.
FIRST = 15

# --- What a cell shows -------------------------------------------------------------------------------


@pytest.fixture
def shown() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def session(shown: list[dict[str, Any]]) -> Session:
    return Session(shown.append)


def test_cells_share_names_and_show_what_a_notebook_shows(session: Session, shown: list) -> None:
    assert session.run("import numpy as np\na = np.arange(3)\nprint('a', end='')\nprint('b')\na")
    assert shown == [{"kind": "stream", "text": "ab\n"}, {"kind": "text", "text": "array([0, 1, 2])"}]
    shown.clear()
    for silent in (
        "a;",
        "a  # said\na;  # not said",
        "b = a",
        "None",
        "",
        "# nothing",
        "def f():\n    return a",
    ):
        assert session.run(silent)
    assert shown == []
    assert session.run("display(1, f())\n'last'")
    assert [output["text"] for output in shown] == ["1", "array([0, 1, 2])", "'last'"]


def test_html_is_shown_as_html(session: Session, shown: list) -> None:
    session.run("class A:\n    def _repr_html_(self):\n        return '<b>bold</b>'\nA()")
    session.run("A;A")
    assert shown[0] == {"kind": "html", "text": "<b>bold</b>"}
    assert shown[1]["kind"] == "text"


def test_figures_are_shown_once_and_told(session: Session, shown: list) -> None:
    session.run(
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.title('A  line')\nplt.xlabel('place');"
    )
    session.run("from cnnlib.plots import style\nfigure = style.new_figure(1)\nfigure")
    session.run("1;")
    assert [output["kind"] for output in shown] == ["image", "image"]
    assert shown[0]["text"] == "Figure drawn by this cell: A line, place across."
    assert shown[1]["text"] == "Figure drawn by this cell."
    assert shown[0]["source"].startswith("data:image/svg+xml;base64,")


def test_a_heavy_figure_is_drawn_in_pixels(
    session: Session, shown: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[Session.__module__], "HEAVY", 1000)
    session.run("import matplotlib.pyplot as plt\nplt.plot([1, 2]);")
    assert shown[0]["source"].startswith("data:image/png;base64,")


@pytest.mark.parametrize(
    ("source", "line", "parts"),
    [
        ("a = 1\nb = a / 0", 2, ["Line 2:\n    b = a / 0\nZeroDivisionError: division by zero"]),
        ("x = (1,\n  2", 1, ["Line 1:", "SyntaxError: '(' was never closed"]),
        ("f(0)", 1, ["Line 1:\n    f(0)\nLine 2 of an earlier cell in f:\n    return 1 / n\nZeroDivision"]),
        ("from cnnlib import conv\nconv([1], 2)", 2, ["Line 2:\n    conv([1], 2)\n", "Error: "]),
        ("import keras_is_not_here", 1, ["No module named", "Only NumPy, Matplotlib and cnnlib run in the"]),
        ("print(1)\nraise SystemExit(3)", 2, ["SystemExit: 3"]),
        ("while True:\n    raise KeyboardInterrupt", None, ["Stopped."]),
    ],
)
def test_errors_name_the_line(session: Session, shown: list, source: str, line: int | None, parts) -> None:
    session.run("def f(n):\n    return 1 / n")
    assert not session.run(source)
    assert shown[-1]["kind"] == "error"
    assert shown[-1]["line"] == line
    for part in parts:
        assert part in shown[-1]["text"]
    assert "running.py" not in shown[-1]["text"]
    assert session.run("'goes on'")


def test_much_output_is_cut(session: Session, shown: list) -> None:
    session.run("for i in range(100_000):\n    print('abcdefgh')")
    text = "".join(output["text"] for output in shown)
    assert LONGEST < len(text) < LONGEST + 100
    assert text.endswith(f"the rest is not shown: it is more than {LONGEST:,} characters\n")


def test_preparing_is_silent_and_leaves_out_what_cannot_be(session: Session, shown: list) -> None:
    session.prepare("a = 1\nprint(a)\nimport keras_is_not_here\nb = keras_is_not_here.b\nc = a + 1\nc")
    assert shown == []
    assert session.run("a, c")
    assert not session.run("b")


def test_packages_that_are_not_named_are_found() -> None:
    assert draws("import cnnlib.plots.style as s")
    assert draws("def f():\n    from cnnlib.plots.borders import Setting")
    assert not draws("from cnnlib import conv")
    assert not draws("from cnnlib import (")


# --- What the build makes of it ----------------------------------------------------------------------

NOTEBOOK = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
# Title

```{code-cell} python
:tags: [%s]
1
```
"""


@pytest.fixture
def chapter(tmp_path: Path) -> Callable[[str], list[Path]]:
    def write(tag: str) -> list[Path]:
        (tmp_path / "page.md").write_text(NOTEBOOK % tag)
        return [tmp_path / "page.md"]

    return write


def test_only_a_book_with_live_cells_gets_a_runtime(
    chapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book.build, "assemble", lambda root, target, say: target.mkdir(parents=True))
    for tag in ("hide-input", "live-setup"):
        assert add_live_cells(ROOT, chapter(tag), tmp_path / "out") is False
    assert add_live_cells(ROOT, chapter("hide-input, live"), tmp_path / "out") is True
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"pyodide", *SCRIPTS}


def test_without_a_runtime_one_line_is_said_and_the_book_is_built(
    chapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def fails(root: Path, target: Path, say: object) -> None:
        target.mkdir(parents=True)
        raise NoRuntimeError("no network")

    monkeypatch.setattr(book.build, "assemble", fails)
    assert add_live_cells(ROOT, chapter("live"), tmp_path / "out") is None
    assert capsys.readouterr().out == "book: no live cells: no network\n"
    assert not (tmp_path / "out").exists()


def test_a_site_without_runtime_is_completed_when_there_is_one(
    chapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: list[bool] = []

    def have(*_: object) -> None:
        if not there:
            raise NoRuntimeError("no network")

    def render(root: Path, source: Path, work: Path, cache: Path, strict: bool) -> Path:
        (work / "html").mkdir()
        (work / "html" / "page.html").write_text("")
        return work / "html"

    monkeypatch.setattr(book.build, "fetch", have)
    monkeypatch.setattr(
        book.build, "assemble", lambda root, target, say: have() or target.mkdir(parents=True)
    )
    monkeypatch.setattr(book.build, "render", render)
    for name in ("execute", "export_all", "forget_others"):
        monkeypatch.setattr(book.build, name, lambda *_: None)
    (page,) = chapter("live")

    def made() -> tuple[float, bool, bool]:
        site = build(ROOT, page, tmp_path / "site")
        return (site / "page.html").stat().st_mtime_ns, (site / WITHOUT).exists(), (site / LIVE).exists()

    first = made()
    assert first[1:] == (True, False)
    assert made() == first  # nothing changed, and it still cannot be had
    there.append(True)
    second = made()
    assert second[1:] == (False, True)
    assert made() == second


# --- What the chapters' live cells show --------------------------------------------------------------


def cells_of(path: Path) -> list[Any]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def is_live(cell: Any) -> bool:
    return "live" in cell.metadata.get("tags", [])


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_chapter_has_live_cells(path: Path) -> None:
    assert sum(map(is_live, cells_of(path))) >= 3


def printed(outputs: list[dict[str, Any]]) -> tuple[str, list[str]]:
    """The text of what a notebook's cell shows, and the kinds of what is not text."""
    text, kinds = "", []
    for output in outputs:
        data = output.get("data", {})
        pictures = [kind for kind in data if kind.startswith("image/")]
        if output["output_type"] == "stream":
            text += "".join(output["text"])
        elif "text/html" in data:
            kinds.append("html")
        elif pictures:
            kinds.append("image")
        else:
            text += "".join(data["text/plain"]) + "\n"
    return text.strip(), kinds


@pytest.fixture(scope="module")
def tagged() -> list[list[tuple[str, bool]]]:
    """What a page runs of each chapter: its first cell and those with a tag; and whether a cell is live."""
    chapters = []
    for path in CHAPTERS:
        first, *others = cells_of(path)
        run = [first, *(c for c in others if {"live", "live-setup"} & set(c.metadata.get("tags", [])))]
        chapters.append([(cell.source, is_live(cell)) for cell in run])
    return chapters


@pytest.fixture(scope="module")
def said(tagged: list[list[tuple[str, bool]]]) -> list[list[tuple[str, list[str]]]]:
    """What the live cells of each chapter show without TensorFlow, and without any cell that has no tag."""
    program = Path(__file__).with_name("as_in_page.py")
    ran = subprocess.run(
        [sys.executable, str(program)], input=json.dumps(tagged), capture_output=True, text=True, check=True
    )
    return [[summed(outputs) for outputs in cells] for cells in json.loads(ran.stdout)]


def summed(outputs: list[dict[str, Any]]) -> tuple[str, list[str]]:
    """The same two of what a live cell shows."""
    lines = (o["text"] + "\n" * (o["kind"] == "text") for o in outputs if o["kind"] not in ("html", "image"))
    return "".join(lines).strip(), [o["kind"] for o in outputs if o["kind"] in ("html", "image")]


@pytest.mark.slow
@pytest.mark.site
def test_live_cells_show_what_the_pages_print(site: Path, said: list) -> None:
    for path, cells in zip(CHAPTERS, said, strict=True):
        notebook = json.loads((site / NOTEBOOKS / f"{path.stem}.ipynb").read_text(encoding="utf-8"))
        executed = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        pairs = list(zip(cells_of(path), executed, strict=True))
        assert ["".join(there["source"]) for _, there in pairs] == [cell.source for cell, _ in pairs]
        assert cells == [printed(there["outputs"]) for cell, there in pairs if is_live(cell)], path.name


# --- In the browser ----------------------------------------------------------------------------------

browser = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]
SETUP = "import numpy as np\nfrom cnnlib import conv\nfrom cnnlib.keras_bridge import keras\nkeras();"
CELLS = [
    ("hide-input", SETUP, ""),
    ("live", "x = np.arange(6.0).reshape(1, 6, 1)\nconv(x, np.ones((3, 1, 1))).ravel()", "printed"),
    ("none", "secret = 1", ""),
    ("live-setup", "def double(n):\n    return 2 * n", ""),
    ("live", "print(double(21))\n'secret' in globals()", "printed"),
    ("live", "from cnnlib.plots import style\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);",
     "<figure><img alt='A line' src='data:,'><figcaption>Caption</figcaption></figure>"),
]  # fmt: skip
LOOP = "n = 0\nwhile True:\n    n += 1"


def page_of(cells: list[tuple[str, str, str]]) -> str:
    """A page whose cells are marked up as MyST-NB marks them up."""
    body = "".join(
        f'<div class="cell tag_{tag} docutils container"><div class="cell_input docutils container">'
        f'<div class="highlight-ipython3 notranslate"><div class="highlight"><pre><span></span>'
        f"{html.escape(source)}\n</pre></div></div></div>"
        + (f'<div class="cell_output docutils container">{output}</div>' if output else "")
        + "</div>"
        for tag, source, output in cells
    )
    return (
        '<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>Cells</title>'
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="course.css">'
        '<link rel="stylesheet" href="live/live.css"><script defer src="live/live.js"></script></head>'
        f'<body><main class="bd-article"><h1>Cells</h1>{body}</main></body></html>'
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a page of live cells and what runs them."""
    place = tmp_path_factory.mktemp("live")
    (place / "chapter.md").write_text(NOTEBOOK % "live")
    if not add_live_cells(ROOT, [place / "chapter.md"], place / "live"):
        pytest.skip("the runtime cannot be fetched here")
    (place / "course.css").write_bytes((ROOT / "book" / "static" / "course.css").read_bytes())
    (place / "index.html").write_text(page_of(CELLS), encoding="utf-8")
    return place


@contextmanager
def served(folder: Path, **headers: str) -> Iterator[str]:
    """The address of a server for ``folder``."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def end_headers(self) -> None:
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            super().end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def visited(chromium: Any, address: str, scripts: bool = True) -> Iterator[Any]:
    """A page in the browser; at the end there must have been no trouble."""
    troubles: list[str] = []
    context = chromium.new_context(java_script_enabled=scripts)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    asked: list[str] = []
    context.on("request", lambda r: asked.append(r.url))
    page.on("console", lambda m: troubles.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto(address)
    page.asked = asked
    yield page
    context.close()
    assert troubles == []
    own = f"http://{urlsplit(address).netloc}/"
    assert [url for url in asked if not url.startswith((own, "data:", "blob:"))] == []


@pytest.fixture(scope="module")
def page(chromium: Any, folder: Path) -> Iterator[Any]:
    with served(folder) as address, visited(chromium, address) as page:
        yield page


def cell(page: Any, number: int) -> Any:
    return page.locator(".tag_live").nth(number)


def settled(page: Any, number: int) -> str:
    """Wait until a cell has ended; its status."""
    status = cell(page, number).locator(".live_status")
    for _ in range(PATIENCE // 50):
        text = status.text_content()
        if not text.endswith("…"):
            return text
        page.wait_for_timeout(50)
    raise AssertionError(f"cell {number} still says {text!r}")


def run(page: Any, number: int, source: str | None = None) -> tuple[str, str]:
    """Run a cell, changed first if need be; its output and status."""
    place = cell(page, number)
    if source is not None:
        if not place.locator("textarea").count():
            place.get_by_role("button", name="Edit").click()
        place.locator("textarea").fill(source)
    place.get_by_role("button", name="Run").click()
    status = settled(page, number)
    return place.locator(".live_output").inner_text(), status


def reset(page: Any) -> None:
    for button in page.get_by_role("button", name="Reset").all():
        if button.is_enabled():
            button.click()


def seconds_of_chromium() -> float:
    """Seconds of computing that the browser has taken so far."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            if "chrom" in process.name():
                total += sum(process.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    return total


class TestInTheBrowser:
    """One page, one Python: each test leaves the cells as printed."""

    pytestmark = browser

    def test_nothing_is_loaded_before_the_reader_asks(self, page: Any) -> None:
        assert not [url for url in page.asked if "pyodide" in url or "worker" in url]
        assert "printed" in cell(page, 0).inner_text()
        assert page.locator(".live_bar").count() == 3
        assert page.locator(".live_note").count() == 1

    def test_the_first_output_comes_soon_and_is_what_python_says(self, page: Any) -> None:
        before = seconds_of_chromium()
        output, status = run(page, 0)
        assert output.strip() == "array([ 3.,  6.,  9., 12.])"
        assert status.startswith("Done in ")
        assert seconds_of_chromium() - before < FIRST
        started = time.monotonic()
        assert run(page, 0)[0].strip() == "array([ 3.,  6.,  9., 12.])"
        assert time.monotonic() - started < FIRST

    def test_cells_above_run_first_and_others_do_not(self, page: Any) -> None:
        assert run(page, 1)[0].split() == ["42", "False"]
        reset(page)

    def test_a_changed_cell_counts_for_those_below(self, page: Any) -> None:
        run(page, 0, "x = 7\ndouble = None")
        assert run(page, 1, "x")[0].strip() == "7"
        cell(page, 0).get_by_role("button", name="Reset").click()
        assert run(page, 1, "x.shape")[0].strip() == "(1, 6, 1)"
        reset(page)
        assert page.locator("textarea, .live_output").count() == 0
        assert cell(page, 0).locator(".cell_output").is_visible()

    def test_an_error_is_told_with_its_line(self, page: Any) -> None:
        output, status = run(page, 0, "a = np.ones(3)\n\nconv(a, 5)")
        assert status == "An error in line 3: see below."
        assert output.startswith("Line 3:\n    conv(a, 5)\ncnnlib.errors.ShapeError: ")
        assert "Only NumPy, Matplotlib and cnnlib" in run(page, 0, "import tensorflow")[0]
        reset(page)

    def test_a_figure_is_drawn_in_the_place_of_the_printed_one(self, page: Any) -> None:
        run(page, 2)
        picture = cell(page, 2).locator("figure .live_output img")
        assert picture.get_attribute("alt") == "A line"
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
        assert cell(page, 2).locator("figcaption").is_visible()
        run(page, 2, "plt.plot([2, 1])\nplt.title('Down');")
        assert picture.get_attribute("alt") == "Figure drawn by this cell: Down."
        reset(page)
        assert cell(page, 2).locator("img").count() == 1

    def test_html_is_drawn_with_its_script(self, page: Any) -> None:
        markup = "'<b>a</b><script>window.seen = 8</script>'"
        source = f"class A:\n    def _repr_html_(self):\n        return {markup}\nA()"
        assert run(page, 0, source)[0].strip() == "a"
        assert page.evaluate("window.seen") == 8
        reset(page)

    def test_all_by_keyboard(self, page: Any) -> None:
        cell(page, 0).get_by_role("button", name="Run").focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        field = cell(page, 0).locator("textarea")
        assert field.evaluate("field => document.activeElement === field")
        page.keyboard.press("Control+a")
        page.keyboard.type("for i in range(2):\nprint(i)\n")
        page.keyboard.press("Shift+Tab")
        page.keyboard.type("if i:\nprint('end')")
        page.keyboard.press("Shift+Enter")
        settled(page, 0)
        assert cell(page, 0).locator(".live_output").inner_text().split() == ["0", "1", "end"]
        page.keyboard.press("Control+a")
        page.keyboard.press("Tab")
        assert (
            field.input_value() == "    for i in range(2):\n        print(i)\n    if i:\n        print('end')"
        )
        page.keyboard.press("Shift+Tab")
        assert field.input_value().startswith("for i in range(2):\n    print(i)\nif i:")
        page.keyboard.press("Escape")
        page.keyboard.press("Tab")
        assert not field.evaluate("field => document.activeElement === field")
        cell(page, 0).get_by_role("button", name="Reset").focus()
        page.keyboard.press("Enter")
        assert cell(page, 0).locator("textarea").count() == 0
        assert cell(page, 0).get_by_role("button", name="Run").evaluate("b => document.activeElement === b")

    def test_axe_finds_nothing_serious(self, page: Any, axe: Any) -> None:
        run(page, 0, "1 / 0")
        run(page, 1)
        run(page, 2)
        faults = axe(page)
        assert [
            (f["id"], f["nodes"][0]["html"]) for f in faults if f["impact"] in ("serious", "critical")
        ] == []
        reset(page)

    def test_stop_ends_an_endless_loop_and_python_starts_afresh(self, page: Any) -> None:
        place = cell(page, 0)
        place.get_by_role("button", name="Edit").click()
        place.locator("textarea").fill(f"print('begun')\n{LOOP}\n    if n == 1: print('turning', flush=True)")
        place.get_by_role("button", name="Run").click()
        place.get_by_text("turning").wait_for()
        cell(page, 1).get_by_role("button", name="Run").click()  # it waits for the first
        assert not place.get_by_role("button", name="Run").is_enabled()
        place.get_by_role("button", name="Stop").click()
        for number in (0, 1):
            assert settled(page, number) == "Stopped. Python starts afresh: what cells had computed is gone."
        assert "begun" in place.locator(".live_output").inner_text()
        reset(page)
        assert run(page, 1)[0].split() == ["42", "False"]
        reset(page)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.xdist_group("browser")
def test_where_pages_are_isolated_stop_keeps_what_was_computed(chromium: Any, folder: Path) -> None:
    headers = {
        "Cross_Origin_Opener_Policy": "same-origin",
        "Cross_Origin_Embedder_Policy": "require-corp",
    }
    with served(folder, **headers) as address, visited(chromium, address) as page:
        run(page, 0)
        place = cell(page, 1)
        place.get_by_role("button", name="Edit").click()
        place.locator("textarea").fill(f"print('turning', flush=True)\nkept = 5\n{LOOP}")
        place.get_by_role("button", name="Run").click()
        place.get_by_text("turning").wait_for()
        place.get_by_role("button", name="Stop").click()
        assert settled(page, 1) == "Stopped."
        assert run(page, 1, "kept")[0].strip() == "5"


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_without_scripts_or_runtime_the_printed_page_stays(chromium: Any, folder: Path) -> None:
    with ExitStack() as stack:
        address = stack.enter_context(served(folder))
        page = stack.enter_context(visited(chromium, address, scripts=False))
        assert page.locator(".cell_output").count() == 3
        assert page.locator("button").count() == 0
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto((folder / "index.html").as_uri())
        assert page.locator("button").count() == 0
        assert "make serve" in page.locator(".live_note").inner_text()


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_a_runtime_that_does_not_come_is_told(chromium: Any, folder: Path) -> None:
    with served(folder) as address, chromium.new_context() as context:
        page = context.new_page()
        page.route("**/pyodide.mjs", lambda route: route.abort())
        context.route("**/pyodide.mjs", lambda route: route.abort())
        page.goto(address)
        cell(page, 0).get_by_role("button", name="Run").click()
        assert settled(page, 0).startswith("Python could not be loaded or run here (")
        assert cell(page, 0).locator(".cell_output").is_visible()
        assert cell(page, 0).get_by_role("button", name="Run").is_enabled()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.xdist_group("browser")
def test_all_live_cells_show_the_same_in_the_page(
    chromium: Any, folder: Path, tagged: list, said: list
) -> None:
    """All chapters in one Python, for time; its integers have 32 bits, where another's have 64."""
    for name in ("running.py", "as_in_page.py"):
        place = ROOT / "book" / "live" if name == "running.py" else Path(__file__).parent
        (folder / name).write_bytes((place / name).read_bytes())
    with served(folder) as address, chromium.new_context() as context:
        page = context.new_page()
        page.goto(address)
        answer = page.evaluate(
            """async (tagged) => {
                const home = `${location.origin}/live/pyodide/`;
                const { loadPyodide } = await import(`${home}pyodide.mjs`);
                const pyodide = await loadPyodide({ indexURL: home, env: { MPLBACKEND: "agg" } });
                await pyodide.loadPackage(["cnnlib", "matplotlib"], { messageCallback: () => {} });
                for (const name of ["running.py", "as_in_page.py"])
                    pyodide.FS.writeFile(name, await (await fetch(name)).text());
                pyodide.globals.set("tagged", tagged);
                return pyodide.runPython(`
                    import json, as_in_page, running
                    running._drawn = lambda figure, form: b""
                    json.dumps(as_in_page.shown(json.loads(tagged), running.Session))`);
            }""",
            json.dumps(tagged),
        )
    for path, cells, expected in zip(CHAPTERS, json.loads(answer), said, strict=True):
        assert [summed(outputs) for outputs in cells] == expected, path.name


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.site
@pytest.mark.xdist_group("browser")
def test_a_live_cell_of_a_real_page_runs(chromium: Any, site: Path, address: str) -> None:
    if not (site / LIVE).is_dir():
        pytest.skip("this site was built without live cells")
    assert sum(file.stat().st_size for file in site.rglob("*") if file.is_file()) < 80e6
    with visited(chromium, f"{address}/06-padding-and-stride.html") as page:
        assert run(page, 0)[1].startswith("Done in ")
