"""The built site, its pages parsed, and a server for them."""

from __future__ import annotations

import contextlib
import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from book.build import ROOT, build
from book.lite import LITE


@pytest.fixture(scope="session")
def site() -> Path:
    """The finished site; built first if anything changed since."""
    return build()


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[str, BeautifulSoup]:
    """Every page of the site, parsed, by its file name."""
    return {
        path.relative_to(site).as_posix(): BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for path in sorted(site.rglob("*.html"))
        if not {"_static", LITE} & set(path.parts)  # JupyterLab's own pages are its makers'
    }


@pytest.fixture(scope="session")
def chapters() -> list[Path]:
    """The chapters' sources."""
    return sorted((ROOT / "chapters").glob("*.md"))


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Path], str]]:
    """Where a server on this machine shows a folder."""
    with contextlib.ExitStack() as stack:

        def begin(folder: Path) -> str:
            handler = functools.partial(_Quiet, directory=str(folder))
            server = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
            stack.callback(server.shutdown)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            return f"http://127.0.0.1:{server.server_port}"

        yield begin


@pytest.fixture(scope="session")
def address(site: Path, serve: Callable[[Path], str]) -> str:
    """Where a server on this machine shows the site."""
    return serve(site)
