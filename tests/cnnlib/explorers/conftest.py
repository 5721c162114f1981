"""What explorers are asked in a browser, beside what every piece of a page is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest


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
        # As text: a browser is handed data, and hands them over, one by one.
        found = page.evaluate(
            """cases => {
                const { explorer } = document.querySelector(".cx");
                return JSON.stringify(JSON.parse(cases).map(([state, places]) => {
                    try { return places.map(place => explorer.regions(state, place)) }
                    catch (error) { return error.message }
                }));
            }""",
            json.dumps(cases),
        )
        return list(json.loads(found))

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
