"""What several tests ask: are these the gradients, does an error say enough, does a piece of a page work?

Explorers and quizzes are shown on an empty page in Chromium: any error, warning or request is a failure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

HERE = Path(__file__).parent
PAGE = "http://pieces.test/"
FRAME = """<!doctype html>
<html lang="en"{theme}>
<head><meta charset="utf-8"><title>Pieces of a page</title><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body style="margin:8px;font-family:sans-serif;{ground}"><main><h1>Explorers</h1>{body}</main></body>
</html>"""


def _check_gradients(
    operator: Callable[..., NDArray],
    backward: Callable[..., Any],
    arrays: dict[str, NDArray],
    step: float = 0.5,
    **options: Any,
) -> None:
    """Compare ``backward`` with central differences of ``operator``, in float64.

    The loss is the outputs times random slopes; each array is moved some way along a random direction, which
    sees every gradient at once. Where an operator is linear in each of its arrays, any ``step`` is exact;
    others need a small one. ``bias`` is not handed to ``backward``, on which it has no influence.
    """
    random = np.random.default_rng(7)
    slopes = random.normal(size=operator(**arrays, **options).shape)
    handed = {name: array for name, array in arrays.items() if name != "bias"}
    found = backward(slopes, **handed, **options)
    found = found._asdict() if hasattr(found, "_asdict") else dict(zip(arrays, [found], strict=True))
    for name, array in arrays.items():
        direction = random.normal(size=array.shape)
        ahead, behind = (
            (slopes * operator(**{**arrays, name: array + way * direction}, **options)).sum()
            for way in (step, -step)
        )
        assert found[name].shape == array.shape
        expected = (ahead - behind) / (2 * step)
        scale = np.abs(slopes).sum() * (1 + sum(np.abs(a).max(initial=0) for a in arrays.values())) ** 2
        np.testing.assert_allclose((found[name] * direction).sum(), expected, rtol=1e-7, atol=1e-11 * scale)


@pytest.fixture(scope="session")
def check_gradients() -> Callable[..., None]:
    return _check_gradients


def _says(caught: Any, words: str) -> None:
    """The message is one line of a sensible length, and has ``words`` in it: parts are set off by …"""
    message = str(caught.value)
    assert "\n" not in message
    assert 20 < len(message) < 260
    pattern = ".*".join(re.escape(part.strip()) for part in words.split("…"))
    assert re.search(pattern, message), message


@pytest.fixture(scope="session")
def says() -> Callable[..., None]:
    return _says


# --- Pieces of a page ---------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)  # before marks are chosen among
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What opens a page needs the browser, and time."""
    for item in items:
        if item.path.is_relative_to(HERE) and "show" in getattr(item, "fixturenames", ()):
            for mark in (pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")):
                item.add_marker(mark)


class _Shelf:
    """Pages that were opened before, by the options that no open page can change: to open one takes long."""

    def __init__(self, chromium: Any) -> None:
        self.chromium, self.free, self.opened = chromium, dict[tuple[Any, ...], list[Any]](), 0
        self.troubles: list[str] = []
        self.html: dict[str, str] = {}

    def take(self, key: tuple[Any, ...]) -> Any:
        if self.free.get(key):
            return self.free[key].pop()
        context = self.chromium.new_context(**dict(key))
        context.set_default_timeout(8_000)
        context.route("**/*", self.answer)
        page = context.new_page()
        page.on("console", self.heard)
        page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        return page

    def heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(message.text)

    def answer(self, route: Any) -> None:
        body = self.html.get(route.request.url.split("#")[0])
        if body is None:
            self.troubles.append(f"request: {route.request.url}")
            route.abort()
        else:
            route.fulfill(body=body, content_type="text/html; charset=utf-8")


@pytest.fixture(scope="session")
def shelf(chromium: Any) -> _Shelf:
    return _Shelf(chromium)


@pytest.fixture
def show(shelf: _Shelf) -> Iterator[Callable[..., Any]]:
    """Open a page with these explorers or quizzes: ``show(piece, …, width=…, theme=…, hash=…)``."""
    taken: list[tuple[tuple[Any, ...], Any]] = []
    shelf.troubles.clear()

    def open_page(
        *pieces: Any,
        width: int = 1280,
        theme: str = "light",
        hash: str = "",
        motion: str = "no-preference",
        **options: Any,
    ) -> Any:
        key = tuple(sorted(options.items()))
        page = shelf.take(key)
        taken.append((key, page))
        shelf.opened += 1
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme, reduced_motion=motion)
        ground = "background:#121212;color:#eee" if theme == "dark" else ""
        body = "".join(piece._repr_html_() for piece in pieces)
        address = f"{PAGE}?{shelf.opened}"  # else a page that differs in its hash alone would not be loaded
        shelf.html[address] = FRAME.format(theme=f' data-theme="{theme}"', ground=ground, body=body)
        page.goto(address + hash, wait_until="load")
        return page

    yield open_page
    for key, page in taken:
        page.goto("about:blank")
        shelf.free.setdefault(key, []).append(page)
    shelf.html.clear()
    assert shelf.troubles == []


@pytest.fixture
def violations(axe: Any) -> Callable[[Any], dict[str, Any]]:
    """What axe finds on a page, wide and narrow; in the dark by the rules of colours alone."""

    def look(page: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        colours = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
        for width, theme, rules in ((1280, "light", {}), (360, "light", {}), (360, "dark", colours)):
            page.set_viewport_size({"width": width, "height": 900})
            page.evaluate(
                """theme => {
                    document.documentElement.dataset.theme = theme;
                    if (theme === "dark") document.body.style.cssText += "background:#121212;color:#eee";
                }""",
                theme,
            )
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            for violation in axe(page, preload=False, **rules):
                nodes = [node["html"][:150] for node in violation["nodes"]]
                found[f"{violation['id']}, {width}, {theme}"] = nodes
        return found

    return look
