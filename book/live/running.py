"""Runs cells one after another and tells what each shows: in the reader's browser, and in our tests.

It says in plain dictionaries what a page draws: ``kind`` is ``stream``, ``text``, ``html``, ``image`` or
``error``. It needs the standard library alone; Matplotlib is looked at only where a cell has loaded it.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import linecache
import pprint
import sys
import time
import tokenize
import traceback
from collections.abc import Callable, Iterator
from typing import Any

Show = Callable[[dict[str, Any]], None]

#: The longest text that one cell prints, in characters, and the seconds for which prints are gathered.
LONGEST, PAUSE = 100_000, 0.1
#: From this size on, in characters, a figure is drawn in pixels instead.
HEAVY = 2_000_000
#: What to say where a package is missing.
MISSING = "Only NumPy, Matplotlib and cnnlib run in the page; the notebook, under Download, runs everything."


class Session:
    r"""Names that cells share, as in a notebook.

    >>> shown = []
    >>> session = Session(shown.append)
    >>> session.run("a = 6")
    True
    >>> session.run("print('seven'); a * 7")
    True
    >>> [(output["kind"], output["text"]) for output in shown]
    [('stream', 'seven\n'), ('text', '42')]
    """

    def __init__(self, show: Show, names: dict[str, Any] | None = None) -> None:
        self.show = show
        self.names: dict[str, Any] = {"__name__": "__main__"} if names is None else names
        self.names["display"] = self.display
        self._cells = 0

    def prepare(self, source: str) -> None:
        """Run a cell on which others build, and show nothing.

        Statements that fail, since they need what is not here (Keras, say), are left out.
        """
        file = self._file(source)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            for statement in ast.parse(source, file).body:
                with contextlib.suppress(Exception):
                    exec(_compiled(ast.Module([statement], []), file), self.names)
        for _ in _figures():
            pass

    def run(self, source: str) -> bool:
        """Run a cell and show what it prints, returns and draws; return whether it came to its end."""
        file = self._file(source)
        stream = _Stream(self.show)
        fine = False
        try:
            with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
                *body, last = [*ast.parse(source, file).body, None]
                if body and isinstance(body[-1], ast.Expr) and not _silenced(source):
                    last = body.pop()
                exec(_compiled(ast.Module(body, []), file), self.names)
                if isinstance(last, ast.Expr):
                    value = eval(_compiled(ast.Expression(last.value), file), self.names)
                    stream.flush()
                    if value is not None:
                        self.names["_"] = value
                        self.display(value)
            fine = True
        except KeyboardInterrupt:
            stream.flush()
            self.show({"kind": "error", "text": "Stopped.", "line": None})
        except BaseException as error:
            stream.flush()
            self.show({"kind": "error", **_told(error, file)})
        stream.flush()
        for figure in _figures():
            self.display(figure)
        return fine

    def display(self, *values: Any) -> None:
        """Show values as a notebook does: a figure as a picture, what has HTML as that, all else as text."""
        for value in values:
            matplotlib = sys.modules.get("matplotlib.figure")
            if matplotlib and isinstance(value, matplotlib.Figure):
                self.show(_picture(value))
                continue
            html = getattr(value, "_repr_html_", None)
            if not isinstance(value, type) and callable(html) and (text := html()) is not None:
                self.show({"kind": "html", "text": text})
            else:
                self.show({"kind": "text", "text": _text(value)})

    def _file(self, source: str) -> str:
        """A name for a cell under which tracebacks find its lines."""
        self._cells += 1
        name = f"<cell {self._cells}>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        return name


def draws(source: str) -> bool:
    """Whether a cell needs Matplotlib although it may not import it by name.

    >>> draws("from cnnlib.plots import style"), draws("from cnnlib import plots"), draws("import cnnlib")
    (True, True, False)
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return False
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return any(f"{name}.".startswith("cnnlib.plots.") for name in names)


class _Stream(io.TextIOBase):
    """What a cell prints, passed on now and then, up to :data:`LONGEST`."""

    def __init__(self, show: Show) -> None:
        self._show, self._parts, self._left, self._last = show, list[str](), LONGEST, time.monotonic()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self._left > 0:
            self._parts.append(text[: self._left])
            self._left -= len(text)
            if self._left <= 0:
                self._parts.append(f"\n… the rest is not shown: it is more than {LONGEST:,} characters\n")
            if time.monotonic() - self._last > PAUSE:
                self.flush()
        return len(text)

    def flush(self) -> None:
        if self._parts:
            self._show({"kind": "stream", "text": "".join(self._parts)})
            self._parts.clear()
        self._last = time.monotonic()


def _compiled(tree: ast.Module | ast.Expression, file: str) -> Any:
    """Code to execute or evaluate, without this module's own future statements."""
    return compile(tree, file, "exec" if isinstance(tree, ast.Module) else "eval", dont_inherit=True)


def _silenced(source: str) -> bool:
    """Whether a cell ends in a semicolon, which says that its value is not to be shown."""
    end = ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER):
            end = token.string
    return end == ";"


def _text(value: Any) -> str:
    text = repr(value)
    if len(text) > 79 and isinstance(value, dict | list | tuple | set):
        return pprint.pformat(value, width=79, sort_dicts=False)
    return text


def _told(error: BaseException, file: str) -> dict[str, Any]:
    """An error: the lines of cells that led to it, its class and message, and the line in its own cell."""
    if isinstance(error, SyntaxError) and error.filename == file:
        places = [(file, error.lineno, "")]
    else:
        frames = traceback.extract_tb(error.__traceback__)
        places = [(f.filename, f.lineno, f.name) for f in frames if f.filename.startswith("<cell ")]
    lines = []
    for name, number, function in places:
        where = "" if function in ("", "<module>") else f" in {function}"
        earlier = "" if name == file else " of an earlier cell"
        lines += [
            f"Line {number}{earlier}{where}:",
            f"    {linecache.getline(name, number or 0).strip()}",
        ]
    lines += traceback.format_exception_only(error)[-1].splitlines()
    if isinstance(error, ImportError):
        lines.append(MISSING)
    own = [number for name, number, _ in places if name == file]
    return {"text": "\n".join(lines), "line": own[-1] if own else None}


def _figures() -> Iterator[Any]:
    """The figures that a cell has opened; each is closed."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot:
        for number in pyplot.get_fignums():
            figure = pyplot.figure(number)
            yield figure
            pyplot.close(figure)


def _picture(figure: Any) -> dict[str, Any]:
    """A figure, drawn as the book draws them, and the words in it for those who cannot see it."""
    mime, data = "image/svg+xml", _drawn(figure, "svg")
    if len(data) > HEAVY:
        mime, data = "image/png", _drawn(figure, "png")
    words = [figure.get_suptitle()]
    for axes in figure.axes:
        labels = [("across", axes.get_xlabel()), ("upwards", axes.get_ylabel())]
        words += [axes.get_title(), *(f"{label} {way}" for way, label in labels if label)]
    told = ", ".join(" ".join(word.split()) for word in words if word)
    return {
        "kind": "image",
        "source": f"data:{mime};base64,{base64.b64encode(data).decode()}",
        "text": f"Figure drawn by this cell{': ' if told else ''}{told}.",
    }


def _drawn(figure: Any, form: str) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format=form, bbox_inches="tight")
    return file.getvalue()
