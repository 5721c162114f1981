"""Explorers on an empty page in Chromium: any error, warning or request is a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

PAGE = "http://explorers.test/"
FRAME = """<!doctype html>
<html lang="en"{theme}>
<head><meta charset="utf-8"><title>Explorers</title><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body style="margin:8px;font-family:sans-serif;{ground}"><main><h1>Explorers</h1>{body}</main></body>
</html>"""


@pytest.fixture
def show(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Open a page with these explorers: ``show(explorer, …, width=…, theme=…, hash=…)``."""
    troubles: list[str] = []
    contexts = []

    def open_page(
        *explorers: Any,
        width: int = 1280,
        theme: str = "light",
        hash: str = "",
        motion: str = "no-preference",
        **options: Any,
    ) -> Any:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion=motion, **options
        )
        contexts.append(context)
        context.set_default_timeout(8_000)
        page = context.new_page()
        ground = "background:#121212;color:#eee" if theme == "dark" else ""
        body = "".join(explorer._repr_html_() for explorer in explorers)
        html = FRAME.format(theme=f' data-theme="{theme}"', ground=ground, body=body)

        def answer(route: Any) -> None:
            if route.request.url.split("#")[0] == PAGE:
                route.fulfill(body=html, content_type="text/html; charset=utf-8")
            else:
                troubles.append(f"request: {route.request.url}")
                route.abort()

        context.route("**/*", answer)
        page.on("console", lambda m: troubles.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        page.goto(PAGE + hash, wait_until="load")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []
