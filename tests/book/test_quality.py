"""What search engines, previews and screen readers are told: addresses, a map of the site, names of folds."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from sphinx.errors import ExtensionError

from book import extension
from book.build import ROOT, render

HEAD = """---
myst:
  html_meta:
    description: "A page for a trial of {0}, and no more."
---
# {0} & `so on`

Text.
"""
TOC = """format: jb-book
root: index
parts:
  - caption: Part
    chapters:
      - file: one
        sections:
          - file: two
"""


def test_the_address_of_the_site_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_SITE", raising=False)
    assert extension.published() == ""
    for given in ("https://example.org/course", " https://example.org/course/ "):
        monkeypatch.setenv("COURSE_SITE", given)
        assert extension.published() == "https://example.org/course/"
    for wrong in ("example.org", "file:///course", "https://", "https://example.org/?a=b", "https://a b/"):
        monkeypatch.setenv("COURSE_SITE", wrong)
        with pytest.raises(ExtensionError, match="it must look like https"):
            extension.published()


def test_what_unfolds_in_the_side_bar_has_a_name() -> None:
    entry = '<a href="r.html">R: <code class="c">x</code> &amp; "y"</a><details><summary><i></i></summary>'
    context: dict[str, Any] = {"generate_toctree_html": lambda kind, depth=1: f"{kind}{depth}{entry}"}
    extension.name_the_folds(None, "page", "", context, None)  # type: ignore[arg-type]
    made = context["generate_toctree_html"]("sidebar", depth=2)
    assert made.startswith("sidebar2<a")
    summary = BeautifulSoup(made, "html.parser").select_one("summary")
    assert summary is not None
    assert summary["aria-label"] == 'Pages of R: x & "y"'
    extension.name_the_folds(None, "search", "", {}, None)  # type: ignore[arg-type]


@pytest.mark.site
@pytest.mark.slow
def test_a_published_site_is_mapped_and_names_its_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = tmp_path / "stage"
    for folder in ("static", "templates"):
        shutil.copytree(ROOT / "book" / folder, stage / folder)
    for file in ("_config.yml", "book/references.bib"):
        shutil.copy(ROOT / file, stage)
    names = ("index", "one", "two")
    for name in names:
        (stage / f"{name}.md").write_text(HEAD.format(name))
    (stage / "_toc.yml").write_text(TOC)
    monkeypatch.setenv("COURSE_SITE", "https://example.org/course")
    site = render(ROOT, stage, tmp_path, tmp_path / "cache", strict=True)
    wanted = {f"https://example.org/course/{name}.html" for name in names}
    places = ET.parse(site / "sitemap.xml").getroot()
    assert places.tag == "{http://www.sitemaps.org/schemas/sitemap/0.9}urlset"
    assert {place.text for place in places.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")} == wanted
    assert "Sitemap: https://example.org/course/sitemap.xml\n" in (site / "robots.txt").read_text()
    for name in names:
        page = BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
        address = f"https://example.org/course/{name}.html"
        assert [link["href"] for link in page.select("link[rel=canonical]")] == [address]
        assert [card["content"] for card in page.select("meta[property='og:url']")] == [address]
        assert [fold["aria-label"] for fold in page.select("nav summary")] == ["Pages of one & so on"]


@pytest.mark.site
def test_a_site_without_an_address_claims_none(site: Path, pages: dict[str, BeautifulSoup]) -> None:
    if extension.published():
        pytest.skip("COURSE_SITE is set")
    assert not (site / "sitemap.xml").exists()
    assert not (site / "robots.txt").exists()
    for name, page in pages.items():
        claims = [tag.get("href") for tag in page.select("link[rel=canonical]")]
        claims += [tag.get("content") for tag in page.select("meta[property='og:url']")]
        assert claims == [], name


@pytest.mark.site
def test_everything_that_can_be_pressed_has_a_name(pages: dict[str, BeautifulSoup]) -> None:
    for name, page in pages.items():
        for control in page.select("summary, button, a[href]"):
            said = control.get_text(strip=True) or control.get("aria-label") or control.get("title")
            pictures = [picture.get("alt") for picture in control.select("img")]
            assert said or any(pictures), (name, str(control)[:200])


@pytest.mark.site
def test_names_say_what_is_seen(pages: dict[str, BeautifulSoup]) -> None:
    """Who speaks to the machine says what stands on the screen."""
    for name, page in pages.items():
        for fold in page.select("article summary[aria-label]"):
            assert fold.get_text(strip=True) in str(fold["aria-label"]), (name, str(fold)[:200])


@pytest.mark.site
def test_links_out_are_safe(pages: dict[str, BeautifulSoup]) -> None:
    for name, page in pages.items():
        for link in page.select("a[href^='http:']"):
            host = urlsplit(str(link["href"])).hostname
            assert host in ("localhost", "127.0.0.1"), (name, link["href"])
