"""The finished site, page by page: complete, described, linked, light, and with nothing private in it."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag

from book.build import ROOT, is_fresh, site_key
from book.lite import NOTEBOOKS

pytestmark = pytest.mark.site

#: Made by Sphinx, not by us: no chapter stands behind them.
MADE = {"genindex.html", "search.html"}
#: The heaviest that a page may be, with its pictures, style and fonts but without scripts, in bytes.
WEIGHT = 1_500_000


@pytest.fixture
def articles(pages: dict[str, BeautifulSoup]) -> dict[str, BeautifulSoup]:
    """The pages that come from chapters."""
    return {name: page for name, page in pages.items() if name not in MADE}


def attributes(page: BeautifulSoup, *pairs: tuple[str, str]) -> list[str]:
    return [str(tag[name]) for tag, name in ((t, n) for sel, n in pairs for t in page.select(sel))]


def target(page: str, link: str) -> tuple[str, str]:
    """The file and the anchor that a link on ``page`` leads to."""
    parts = urlsplit(link)
    path = (Path("/") / Path(page).parent / unquote(parts.path)).resolve() if parts.path else Path("/") / page
    return str(path.relative_to("/")), unquote(parts.fragment)


def test_it_is_a_finished_build_of_these_sources(site: Path) -> None:
    assert is_fresh(site, site_key(ROOT))


def test_every_chapter_has_its_page(articles: dict[str, BeautifulSoup], chapters: list[Path]) -> None:
    assert {Path(name).stem for name in articles} == {chapter.stem for chapter in chapters}


def test_every_page_says_what_it_is(pages: dict[str, BeautifulSoup]) -> None:
    descriptions = {}
    for name, page in pages.items():
        assert page.html is not None
        assert page.html.get("lang") == "en", name
        assert page.title is not None, name
        assert "Convolutional neural networks, proved" in page.title.get_text(), name
        found = [tag["content"] for tag in page.select("meta[name=description]")]
        assert len(found) == 1, (name, found)
        assert 20 < len(str(found[0])) < 160, (name, found)
        descriptions[name] = found[0]
        assert page.select_one("link[rel~=icon]"), name
        assert page.select_one("meta[name=viewport]"), name
    assert len(set(descriptions.values())) == len(pages)


def test_every_article_has_a_card_for_those_who_share_it(articles: dict[str, BeautifulSoup]) -> None:
    for name, page in articles.items():
        cards = {str(tag["property"]): str(tag["content"]) for tag in page.select("meta[property^='og:']")}
        assert cards["og:title"], name
        assert cards["og:description"], name
        assert cards["og:site_name"] == "Convolutional neural networks, proved", name


def test_every_page_has_one_first_heading_and_no_level_is_skipped(pages: dict[str, BeautifulSoup]) -> None:
    for name, page in pages.items():
        assert len(page.select("h1")) == 1, name
        levels = [int(tag.name[1]) for tag in page.select("article h1, article h2, article h3, article h4")]
        for above, below in zip([1, *levels], levels, strict=False):
            assert below <= above + 1, (name, levels)


def test_every_picture_says_what_is_in_it(articles: dict[str, BeautifulSoup]) -> None:
    pictures = 0
    for name, page in articles.items():
        for picture in page.select(
            "article img:not(canvas img)"
        ):  # what stands for a canvas has words beside it
            text = str(picture.get("alt", ""))
            assert len(text) > 20, (name, picture)
            assert "_build" not in text, (name, picture)
            pictures += 1
    assert pictures > 20


def test_no_identifier_is_used_twice(pages: dict[str, BeautifulSoup]) -> None:
    for name, page in pages.items():
        found = [str(tag["id"]) for tag in page.select("article [id]")]
        assert len(found) == len(set(found)), (name, {i for i in found if found.count(i) > 1})


def test_every_link_leads_somewhere(pages: dict[str, BeautifulSoup], site: Path) -> None:
    anchors = {name: {str(t["id"]) for t in page.select("[id]")} for name, page in pages.items()}
    checked = 0
    for name, page in pages.items():
        for link in attributes(page, ("a[href]", "href")):
            if urlsplit(link).scheme or link in ("#", ""):
                continue
            path, anchor = target(name, link)
            assert (site / path).is_file(), (name, link)
            if anchor and path in anchors:
                assert anchor in anchors[path], (name, link)
            checked += 1
    assert checked > 200


def test_nothing_is_fetched_from_another_host(pages: dict[str, BeautifulSoup], site: Path) -> None:
    fetched = ("script[src]", "src"), ("link[href]:not([rel=canonical])", "href"), ("img[src]", "src")
    fetched += ("iframe[src]", "src"), ("source[src]", "src"), ("use[href]", "href")
    for name, page in pages.items():
        for address in attributes(page, *fetched):
            assert not urlsplit(address).netloc, (name, address)
            if not address.startswith("data:"):
                assert (site / target(name, address)[0]).is_file(), (name, address)
        for script in page.select("script:not([src])"):
            assert not re.search(r"https?://|//cdn|unpkg|thebe", script.get_text(), re.IGNORECASE), name
    for sheet in site.rglob("*.css"):
        for address in re.findall(
            r"""(?:@import|url\()\s*['"]?([^'")]+)""", sheet.read_text(encoding="utf-8")
        ):
            assert not urlsplit(address).netloc or address.startswith("data:"), (sheet.name, address)


def test_maths_is_served_by_the_site(pages: dict[str, BeautifulSoup], site: Path) -> None:
    page = pages["02-one-dimension.html"]
    sources = [source for source in attributes(page, ("script[src]", "src")) if "mathjax" in source]
    assert len(sources) == 1
    assert (site / target("02-one-dimension.html", sources[0])[0]).stat().st_size > 500_000
    assert list((site / "_static" / "mathjax").rglob("MathJax_Main-Regular.woff"))


def test_no_page_is_heavy(articles: dict[str, BeautifulSoup], site: Path) -> None:
    for name, page in articles.items():
        files = {
            target(name, a)[0]
            for a in attributes(page, ("link[rel=stylesheet]", "href"), ("img[src]", "src"))
            if not a.startswith("data:")  # it is in the page itself
        }
        weight = (site / name).stat().st_size + sum((site / file).stat().st_size for file in files)
        assert weight < WEIGHT, (name, weight, files)


def test_no_picture_is_heavy(site: Path) -> None:
    heavy = {f.name: f.stat().st_size for f in (site / "_images").iterdir() if f.stat().st_size > 400_000}
    assert heavy == {}


def test_every_code_cell_was_executed(articles: dict[str, BeautifulSoup], site: Path) -> None:
    notebooks = sorted((site / NOTEBOOKS).glob("*.ipynb"))
    assert {path.stem for path in notebooks} == {
        chapter.stem for chapter in (ROOT / "chapters").glob("*.md") if "{code-cell}" in chapter.read_text()
    }
    for path in notebooks:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert cells, path.name
        for number, cell in enumerate(cells, start=1):
            assert cell.execution_count == number, (path.name, cell.source)
            kinds = {output.output_type for output in cell.outputs}
            assert "error" not in kinds, (path.name, cell.source)
            assert not [o for o in cell.outputs if o.get("name") == "stderr"], (path.name, cell.source)
            assert "<Figure size" not in "".join(
                str(o.get("data", {}).get("text/plain", ""))
                for o in cell.outputs
                if len(o.get("data", {})) < 2
            ), (path.name, cell.source)


def test_every_page_with_cells_offers_its_notebook(articles: dict[str, BeautifulSoup], site: Path) -> None:
    for path in (site / NOTEBOOKS).glob("*.ipynb"):
        assert f"{NOTEBOOKS}/{path.name}" in attributes(articles[f"{path.stem}.html"], ("a[href]", "href"))


def test_no_markup_shows_through(articles: dict[str, BeautifulSoup]) -> None:
    for name, page in articles.items():
        article = copy.copy(page.select_one("article"))  # the pages are other tests' too
        assert isinstance(article, Tag)
        for code in article.select("pre, code, script, style, .math, .sig"):
            code.decompose()
        text = article.get_text(" ")
        for slip in ("```", ":::", "{ref}", "{cite}", "% claim", "% given", ":label:", ":class:", "**", "]("):
            assert slip not in text, (name, slip, text[max(0, text.find(slip) - 60) : text.find(slip) + 60])
        assert not page.select(".system-message, .problematic"), name


def test_nothing_private_is_in_the_site(site: Path) -> None:
    secrets = ("BEGIN SOLUTION", "BEGIN HIDDEN TESTS", "### HIDDEN", "gradebook.db", str(ROOT))
    for path in site.rglob("*"):
        assert not {"solutions", "exercises", "submitted", "tests", "class"} & set(
            path.relative_to(site).parts
        ), path
        if path.suffix in (".html", ".js", ".ipynb", ".md", ".txt", ".json") and "mathjax" not in path.parts:
            content = path.read_text(encoding="utf-8")
            for secret in secrets:
                # Instructors are told how such a cell is written, by an example that no assignment holds.
                if path.stem == "for-instructors" and "HIDDEN" in secret:
                    assert content.count(secret) <= 1
                    continue
                assert secret not in content, (path, secret)


def test_the_search_knows_the_chapters(site: Path) -> None:
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    titles = json.loads(re.search(r"Search\.setIndex\((.*)\)", index, re.DOTALL)[1])["titles"]  # type: ignore[index]
    assert any("Convolution in one dimension" in title for title in titles)


def test_the_index_lists_terms(pages: dict[str, BeautifulSoup]) -> None:
    assert len(pages["genindex.html"].select("article table a, .genindextable a")) > 10


def test_the_bibliography_gives_a_number_to_look_up(pages: dict[str, BeautifulSoup]) -> None:
    entries = pages["bibliography.html"].select(".citation")
    assert len(entries) == (ROOT / "book" / "references.bib").read_text(encoding="utf-8").count("\n@")
    for entry in entries:
        links = [str(a["href"]) for a in entry.select("a[href^=http]")]
        text = entry.get_text()
        assert links or re.search(r"ISBN|978-|Technical Report \d", text), text
