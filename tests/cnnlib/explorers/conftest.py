"""Explorers on an empty page in Chromium: any error, warning or request is a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PAGE = "http://explorers.test/"
FRAME = """<!doctype html>
<html lang="en"{theme}>
<head><meta charset="utf-8"><title>Explorers</title><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body style="margin:8px;font-family:sans-serif;{ground}"><main><h1>Explorers</h1>{body}</main></body>
</html>"""


@pytest.hookimpl(tryfirst=True)  # before marks are chosen among
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What opens a page needs the browser, and time."""
    for item in items:
        if item.path.parent == HERE and "show" in getattr(item, "fixturenames", ()):
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
    """Open a page with these explorers: ``show(explorer, …, width=…, theme=…, hash=…)``."""
    taken: list[tuple[tuple[Any, ...], Any]] = []
    shelf.troubles.clear()

    def open_page(
        *explorers: Any,
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
        body = "".join(explorer._repr_html_() for explorer in explorers)
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
def dragged() -> Callable[..., None]:
    """Move a finger over a page that was opened with ``has_touch``: ``dragged(page, start, …, end)``."""

    def drag(page: Any, *places: tuple[float, float]) -> None:
        wire = page.context.new_cdp_session(page)
        kinds = ["touchStart", *["touchMove"] * (len(places) - 1)]
        for kind, (x, y) in zip(kinds, places, strict=True):
            wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        wire.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    return drag


@pytest.fixture
def asked() -> Callable[..., list[Any]]:
    """What the first explorer of a page makes of states at places: or what it says is wrong."""

    def ask(page: Any, cases: list[tuple[Any, list[Any]]]) -> list[Any]:
        return page.evaluate(
            """cases => {
                const { explorer } = document.querySelector(".cx");
                return cases.map(([state, places]) => {
                    try { return places.map(place => explorer.regions(state, place)) }
                    catch (error) { return error.message }
                });
            }""",
            cases,
        )

    return ask


@pytest.fixture
def middle() -> Callable[..., tuple[float, float]]:
    """Where the middle of a cell is on the screen: ``middle(page, drawing, row, column)``."""

    def find(page: Any, drawing: str, row: float, column: float) -> tuple[float, float]:
        x, y = page.evaluate(
            """([name, row, column]) => {
                const svg = document.querySelector(`svg[data-p=${name}]`), all = svg.viewBox.baseVal;
                const box = svg.getBoundingClientRect(), scale = box.width / all.width;
                const place = (index, begin) => ((index + 0.5) * 40 - begin) * scale;
                return [box.left + place(column, all.x), box.top + place(row, all.y)];
            }""",
            [drawing, row, column],
        )
        return (x, y)

    return find


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
