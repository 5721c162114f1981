"""Feedback pages and report in a real browser: nothing is loaded, nothing runs, everybody can read them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from grading import bundle, key
from grading.course import Course

pytestmark = [
    pytest.mark.grading,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("rehearsal"),
]


def addresses(course: Course) -> list[str]:
    """The overview pages, and the longest and the shortest page of a student."""
    pages = sorted(course.feedback.glob("*/*/*.html"), key=lambda page: page.stat().st_size)
    overviews = [course.feedback / "index.html", course.folder / "report" / "index.html"]
    return [page.as_uri() for page in (*overviews, pages[0], pages[-1])]


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_pages_load_nothing_fit_and_pass_axe(
    rehearsed: Course, chromium: Any, axe: Any, tmp_path: Path, width: int, scheme: str
) -> None:
    start = tmp_path / "START-HERE.html"
    start.write_text(bundle.guide(rehearsed.assignments()), encoding="utf-8")
    keys = key.write(dataclasses.replace(rehearsed, folder=tmp_path), "ada-kim", ["03"])
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True
    )
    try:
        page = context.new_page()
        troubles: list[str] = []
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: troubles.append(request.url))
        for address in [*addresses(rehearsed), *(file.as_uri() for file in (start, *keys))]:
            page.goto(address)
            own = address.rsplit("/", 1)[0]
            assert [t for t in troubles if not t.startswith(own)] == []
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, address
            assert [(v["id"], v["nodes"][0]["html"]) for v in axe(page)] == [], address
            troubles.clear()
    finally:
        context.close()


#: What can be scrolled sideways, and not by keyboard: it cannot have the focus, nor holds what can.
OUT_OF_REACH = """[...document.querySelectorAll("main *")].filter(e =>
    /auto|scroll/.test(getComputedStyle(e).overflowX) && e.scrollWidth > e.clientWidth + 1
    && e.tabIndex < 0 && !e.querySelector("a, [tabindex]")).map(e => e.outerHTML.slice(0, 200))"""


def test_the_keyboard_reaches_all_that_a_narrow_phone_scrolls(rehearsed: Course, chromium: Any) -> None:
    page = chromium.new_page(viewport={"width": 320, "height": 700})
    try:
        pages = sorted(rehearsed.feedback.glob("*/*/*.html"))
        for file in pages[:: max(1, len(pages) // 12)]:
            page.goto(file.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, file
            assert page.evaluate(OUT_OF_REACH) == [], file
    finally:
        page.close()


def test_pictures_show_and_links_lead_somewhere(rehearsed: Course, chromium: Any) -> None:
    page = chromium.new_page()
    try:
        page.goto((rehearsed.folder / "report" / "index.html").as_uri())
        assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 600)")
        page.goto((rehearsed.feedback / "index.html").as_uri())
        links = page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.href)")
        assert len(links) == len(list(rehearsed.feedback.glob("*/*/*.html")))
        page.goto(links[-1])
        assert page.locator("#questions").is_visible()
    finally:
        page.close()


def test_nothing_that_a_student_wrote_can_run(rehearsed: Course, chromium: Any, tmp_path) -> None:
    """The policy of the page holds by itself, were the cleaning to miss something."""
    source = next(iter(sorted(rehearsed.feedback.glob("*/*/*.html")))).read_text(encoding="utf-8")
    attack = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script></main>"
    planted = tmp_path / "page.html"
    planted.write_text(source.replace("</main>", attack), encoding="utf-8")
    page = chromium.new_page()
    try:
        page.goto(planted.as_uri())
        page.wait_for_timeout(200)
        assert page.title() != "run"
        planted.write_text(
            planted.read_text(encoding="utf-8").replace("Content-Security-Policy", "x"), "utf-8"
        )
        page.goto(planted.as_uri())
        page.wait_for_timeout(200)
        assert page.title() == "run"  # so it is the policy that holds
    finally:
        page.close()
