"""The pages as a reader meets them, in Chromium: wide and narrow, light and dark, by keyboard, offline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from book.build import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.site, pytest.mark.xdist_group("browser")]

PAGES = sorted(path.stem for path in (ROOT / "chapters").glob("*.md"))
NARROW, WIDE = 360, 1280
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


def go(page: Any, address: str, name: str) -> Any:
    page.goto(f"{address}/{name}", wait_until="load")
    page.evaluate("window.MathJax?.startup?.promise?.then(() => null)")
    # Where less motion is asked for, the theme lets colours change in no time, but one level after the other.
    page.wait_for_function("document.getAnimations().every((each) => each.playState !== 'running')")
    return page


@pytest.fixture
def visit(chromium: Any, address: str) -> Iterator[Any]:
    """Open a page of the site; at the end of the test there must have been no trouble."""
    troubles: list[str] = []
    with ExitStack() as stack:

        def open_page(name: str, width: int = WIDE, theme: str = "light") -> Any:
            page = stack.enter_context(opened(chromium, width, theme, troubles, urlsplit(address).netloc))
            return go(page, address, name)

        yield open_page
    assert troubles == []


@pytest.fixture(scope="module", params=PAGES)
def wide(request: pytest.FixtureRequest, chromium: Any, address: str) -> Iterator[Any]:
    """Each page of the book, wide and light: loaded once for all tests that only look at it."""
    yield from _seen(request.param, WIDE, chromium, address)


@pytest.fixture(scope="module", params=PAGES)
def narrow(request: pytest.FixtureRequest, chromium: Any, address: str) -> Iterator[Any]:
    """Each page of the book as on a phone, likewise."""
    yield from _seen(request.param, NARROW, chromium, address)


def _seen(name: str, width: int, chromium: Any, address: str) -> Iterator[Any]:
    troubles: list[str] = []
    with opened(chromium, width, "light", troubles, urlsplit(address).netloc) as page:
        yield go(page, address, f"{name}.html")
    assert troubles == []


@pytest.fixture(scope="module")
def violations(axe: Any) -> Any:
    """What axe finds serious or critical, and up to five places for each."""

    def look(page: Any, **options: Any) -> dict[str, list[str]]:
        return {
            v["id"]: [node["html"][:200] for node in v["nodes"]][:5]
            for v in axe(page, preload=False, **options)
            if v["impact"] in ("serious", "critical")
        }

    return look


def test_a_wide_page_is_sound(wide: Any, violations: Any) -> None:
    assert wide.evaluate("document.documentElement.scrollWidth") <= WIDE, "the page scrolls sideways"
    assert violations(wide) == {}


def test_maths_is_drawn(wide: Any) -> None:
    formulas = wide.locator("article .math").count()
    assert wide.locator("article mjx-container").count() == formulas
    assert wide.locator("mjx-merror").count() == 0
    text = wide.locator("article").inner_text()
    assert "\\(" not in text
    assert "\\frac" not in text


def test_what_is_folded_opens_by_keyboard(wide: Any) -> None:
    """Solutions, hints and code."""
    solution = wide.locator("div.solution").first
    chapter = wide.url.rsplit("/", 1)[-1][0].isdigit()
    assert bool(solution.count()) == chapter
    if not chapter:
        return
    button = solution.locator("button.toggle-button")
    body = solution.locator(":scope > :not(.admonition-title)").first
    assert not body.is_visible()
    assert button.get_attribute("aria-expanded") == "false"
    button.focus()
    wide.keyboard.press("Enter")
    assert body.is_visible()
    hint = wide.locator("div.exercise details").first
    hint.locator("summary").focus()
    wide.keyboard.press("Enter")
    assert hint.get_attribute("open") is not None
    code = wide.locator("details.hide").first
    code.locator("summary").focus()
    wide.keyboard.press("Space")
    assert code.locator("pre").first.is_visible()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_sound_in_the_dark(visit: Any, violations: Any, name: str) -> None:
    page = visit(f"{name}.html", WIDE, "dark")
    assert violations(page, runOnly={"type": "rule", "values": COLOUR_RULES}) == {}


def test_a_narrow_page_is_sound(narrow: Any, violations: Any) -> None:
    """Colours are those of a wide page, whose rules are slow."""
    assert narrow.evaluate("document.documentElement.scrollWidth") <= NARROW, "the page scrolls sideways"
    assert violations(narrow, rules={rule: {"enabled": False} for rule in COLOUR_RULES}) == {}


def test_nothing_is_cut_off_on_a_phone(narrow: Any) -> None:
    cut = narrow.evaluate(
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


@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", ["search", "genindex", "index"])
def test_pages_come_in_the_theme_of_the_system(
    visit: Any, violations: Any, name: str, theme: str, width: int
) -> None:
    page = visit(f"{name}.html", width, theme)
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == {}


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


def test_the_menu_of_a_phone_opens_and_leads_on(visit: Any) -> None:
    page = visit("index.html", NARROW)
    page.locator("button.primary-toggle").first.click()
    page.locator(".bd-sidebar-primary").get_by_role("link", name="2 · Convolution in one dimension").click()
    page.wait_for_url("**/02-one-dimension.html")


def test_the_notebook_can_be_downloaded(visit: Any) -> None:
    page = visit("02-one-dimension.html")
    page.locator(".dropdown-download-buttons button").first.click()
    link = page.locator(".dropdown-download-buttons a[href$='.ipynb']").first
    response = page.request.get(page.url.rsplit("/", 1)[0] + "/" + link.get_attribute("href"))
    assert response.ok
    assert response.json()["nbformat"] == 4


def test_figures_are_white_cards_in_the_dark(visit: Any) -> None:
    page = visit("02-one-dimension.html", NARROW, "dark")
    look = page.evaluate(
        """() => { const look = getComputedStyle(document.querySelector('figure img'));
        return [look.backgroundColor, look.filter, parseFloat(look.paddingLeft) > 0] }"""
    )
    assert look == ["rgb(255, 255, 255)", "none", True]
