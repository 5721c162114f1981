"""The pages as a reader meets them, in Chromium: wide and narrow, light and dark, by keyboard, offline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe

from book.build import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.site, pytest.mark.xdist_group("browser")]

PAGES = sorted(path.stem for path in (ROOT / "chapters").glob("*.md"))
WIDTHS = (360, 1280)
THEMES = ("light", "dark")
#: The rules of axe whose answers change with the theme.
COLOUR_RULES = ["color-contrast", "link-in-text-block"]


@contextmanager
def opened(browser: Any, width: int, theme: str, troubles: list[str], host: str) -> Iterator[Any]:
    """A fresh page that notes console errors and requests to other hosts."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce"
    )
    context.set_default_timeout(90_000)  # a page of a whole chapter, on a busy machine
    page = context.new_page()
    page.on(
        "console", lambda m: troubles.append(f"console: {m.text}") if m.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
    page.on("requestfailed", lambda request: troubles.append(f"failed: {request.url}"))
    page.on("response", lambda r: troubles.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
    page.on(
        "request",
        lambda r: (
            troubles.append(f"elsewhere: {r.url}")
            if urlsplit(r.url).scheme.startswith("http") and urlsplit(r.url).netloc != host
            else None
        ),
    )
    try:
        yield page
    finally:
        context.close()


@pytest.fixture
def visit(chromium: Any, address: str) -> Iterator[Any]:
    """Open a page of the site; at the end of the test there must have been no trouble."""
    troubles: list[str] = []
    stack = []

    def open_page(name: str, width: int = 1280, theme: str = "light") -> Any:
        manager = opened(chromium, width, theme, troubles, urlsplit(address).netloc)
        page = manager.__enter__()
        stack.append(manager)
        page.goto(f"{address}/{name}", wait_until="load")
        page.evaluate("window.MathJax?.startup?.promise?.then(() => null)")
        return page

    yield open_page
    for manager in stack:
        manager.__exit__(None, None, None)
    assert troubles == []


def violations(page: Any, **options: Any) -> dict[str, list[str]]:
    """What axe finds serious or critical, and up to five places for each."""
    found = Axe().run(page, options={"preload": False, **options}).response["violations"]
    return {
        v["id"]: [node["html"][:200] for node in v["nodes"]][:5]
        for v in found
        if v["impact"] in ("serious", "critical")
    }


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", [*PAGES, "search", "genindex"])
def test_a_page_is_sound(visit: Any, name: str, width: int) -> None:
    """Wide by every rule, in dark by those on colours; narrow by all others, since these are slow."""
    page = visit(f"{name}.html", width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
    if width == min(WIDTHS):
        assert violations(page, rules={rule: {"enabled": False} for rule in COLOUR_RULES}) == {}
        return
    assert violations(page) == {}
    page = visit(f"{name}.html", width, "dark")
    assert violations(page, runOnly={"type": "rule", "values": COLOUR_RULES}) == {}


@pytest.mark.parametrize("theme", THEMES)
def test_pages_come_in_the_theme_of_the_system(visit: Any, theme: str) -> None:
    page = visit("index.html", 1280, theme)
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    assert violations(page) == {}


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_cut_off_on_a_phone(visit: Any, name: str) -> None:
    page = visit(f"{name}.html", 360)
    cut = page.evaluate(
        """() => [...document.querySelectorAll('article *')].filter(e => {
            const box = e.getBoundingClientRect();
            if (!box.width || box.right <= innerWidth + 1) return false;
            for (let p = e; p && p.tagName !== 'ARTICLE'; p = p.parentElement) {
                const flow = getComputedStyle(p).overflowX;
                if (flow === 'auto' || flow === 'scroll' || p.tagName === 'MJX-ASSISTIVE-MML') return false;
            }
            return true;
        }).map(e => e.outerHTML.slice(0, 150))"""
    )
    assert cut == []


@pytest.mark.parametrize("name", PAGES)
def test_maths_is_drawn(visit: Any, name: str) -> None:
    page = visit(f"{name}.html")
    formulas = page.locator("article .math").count()
    assert page.locator("article mjx-container").count() == formulas
    assert page.locator("mjx-merror").count() == 0
    text = page.locator("article").inner_text()
    assert "\\(" not in text
    assert "\\frac" not in text


def test_the_theme_switches_and_is_remembered(visit: Any) -> None:
    page = visit("02-one-dimension.html")
    seen = {page.evaluate("getComputedStyle(document.body).backgroundColor")}
    for _ in range(2):
        page.locator(".article-header-buttons .theme-switch-button").click()
        seen.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(seen) == 2
    mode = page.evaluate("document.documentElement.dataset.theme")
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == mode


def test_the_search_finds_a_term(visit: Any) -> None:
    page = visit("search.html?q=stride")
    page.locator("ul.search li").first.wait_for()
    assert "Padding and stride" in page.locator("ul.search").inner_text()


def test_the_search_opens_by_keyboard(visit: Any) -> None:
    page = visit("index.html")
    page.keyboard.press("Control+k")
    assert page.evaluate("document.activeElement.tagName") == "INPUT"
    page.keyboard.type("causal")
    page.keyboard.press("Enter")
    page.locator("ul.search li").first.wait_for()


@pytest.mark.parametrize("name", [name for name in PAGES if name[0].isdigit()])
def test_solutions_and_hints_open_by_keyboard(visit: Any, name: str) -> None:
    page = visit(f"{name}.html")
    solution = page.locator("div.solution").first
    button = solution.locator("button.toggle-button")
    body = solution.locator(":scope > :not(.admonition-title)").first
    assert not body.is_visible()
    assert button.get_attribute("aria-expanded") == "false"
    button.focus()
    page.keyboard.press("Enter")
    assert body.is_visible()
    hint = page.locator("div.exercise details").first
    hint.locator("summary").focus()
    page.keyboard.press("Enter")
    assert hint.get_attribute("open") is not None


@pytest.mark.parametrize("name", [name for name in PAGES if name[0].isdigit()])
def test_code_that_is_folded_opens_by_keyboard(visit: Any, name: str) -> None:
    page = visit(f"{name}.html")
    details = page.locator("details.hide").first
    details.locator("summary").focus()
    page.keyboard.press("Space")
    assert details.locator("pre").first.is_visible()


def test_the_menu_of_a_phone_opens_and_leads_on(visit: Any) -> None:
    page = visit("index.html", 360)
    page.locator("button.primary-toggle").first.click()
    page.locator(".bd-sidebar-primary").get_by_role("link", name="2 · Convolution in one dimension").click()
    page.wait_for_url("**/02-one-dimension.html")


def test_the_notebook_can_be_downloaded(visit: Any) -> None:
    page = visit("02-one-dimension.html")
    page.locator(".dropdown-download-buttons button").first.click()
    link = page.locator("a.btn-download-notebook-button, a[href$='.ipynb']").first
    response = page.request.get(page.url.rsplit("/", 1)[0] + "/" + link.get_attribute("href"))
    assert response.ok
    assert response.json()["nbformat"] == 4


def test_figures_are_white_cards_in_the_dark(visit: Any) -> None:
    page = visit("02-one-dimension.html", 360, "dark")
    look = page.evaluate(
        """() => { const look = getComputedStyle(document.querySelector('figure img'));
        return [look.backgroundColor, look.filter, parseFloat(look.paddingLeft) > 0] }"""
    )
    assert look == ["rgb(255, 255, 255)", "none", True]
