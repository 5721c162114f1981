"""Chapters and reference lead to each other: what a chapter uses names it, and every entry has a chapter."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag

import cnnlib
from book import reference
from book.build import ROOT

SOURCES = ROOT / "chapters"
KNOWN = reference.chapters(SOURCES)
DESCRIBED = reference.documented(SOURCES)
#: What stays out of the reference: the plumbing of figures, of assignments and of explorers.
ELSEWHERE = ("cnnlib.plots", "cnnlib.exercises", "cnnlib.explorers")


def public(module: str) -> list[str]:
    """The functions and classes that a module shows as its own."""
    home = importlib.import_module(module)
    names = getattr(home, "__all__", None) or [n for n in vars(home) if not n.startswith("_")]
    things = [(name, getattr(home, name)) for name in names]
    return [
        f"{module}.{name}"
        for name, thing in things
        if (inspect.isfunction(thing) or inspect.isclass(thing))
        and reference.where(thing) == f"{module}.{name}"
    ]


def test_every_module_of_the_library_is_described() -> None:
    modules = {f"cnnlib.{found.name}" for found in pkgutil.iter_modules(cnnlib.__path__)}
    assert modules - set(ELSEWHERE) <= set(DESCRIBED)


@pytest.mark.parametrize("module", DESCRIBED)
def test_every_entry_has_a_chapter(module: str) -> None:
    entries = public(module)
    assert [name for name in entries if not reference.numbers_for(name, KNOWN)] == []


def test_what_a_chapter_uses_is_read_from_its_cells() -> None:
    page = """
```{code-cell} python
---
tags: [hide-input]
---
import numpy as np
from cnnlib import conv, filters
from cnnlib.layers import Conv2D as Layer
from cnnlib.plots import borders as plots
import cnnlib.sizes as arithmetic
filters.sobel(); arithmetic.output_size(5, 3); plots.places
```
```python
from cnnlib import max_pool
```
"""
    assert reference.used(page) == {
        "cnnlib.convolution.conv",
        "cnnlib.filters.sobel",
        "cnnlib.layers.Conv2D",
        "cnnlib.sizes.output_size",
        "cnnlib.plots.borders.places",
    }


def test_a_chapter_that_uses_an_entry_comes_before_the_module_s_own() -> None:
    known = {3: ("three", {"cnnlib.pooling.max_pool"}), 7: ("seven", set())}
    assert reference.numbers_for("cnnlib.pooling.max_pool", known) == [3]
    assert reference.numbers_for("cnnlib.pooling.l2_pool", known) == [7]
    assert reference.numbers_for("cnnlib.errors.SizeError", known) == []


@pytest.mark.site
def test_both_directions_are_on_the_pages(pages: dict[str, BeautifulSoup]) -> None:
    """Follow every link from a chapter to an entry, and back."""
    checked = 0
    for number, (label, names) in KNOWN.items():
        page = f"{number:02}-{label}.html"
        section = pages[page].select_one("#in-the-library")
        assert isinstance(section, Tag), page
        links = [
            str(link["href"]).split("#")
            for link in section.select("a.reference.internal")
            if "#" in link["href"]
        ]
        wanted = {name for name in names if name.rpartition(".")[0] in DESCRIBED}
        assert wanted <= {anchor for _, anchor in links}, page
        for target, anchor in links:
            if anchor in wanted:
                entry = pages[target].find(id=anchor)
                assert isinstance(entry, Tag), (page, anchor)
                assert entry.parent is not None
                assert entry.parent.select_one(f'a[href^="{page}"]'), (page, anchor)
                checked += 1
    assert checked > 100


@pytest.mark.site
def test_formula_boxes_lead_to_the_reference(pages: dict[str, BeautifulSoup]) -> None:
    for number, (label, _) in KNOWN.items():
        links = pages[f"{number:02}-{label}.html"].select(".formulas a[href^=reference-]")
        assert links, label


@pytest.mark.site
def test_the_formula_sheet_names_function_and_chapter(pages: dict[str, BeautifulSoup]) -> None:
    from cnnlib.formulas import FORMULAS

    rows = pages["formula-sheet.html"].select(".formula-sheet tbody tr")
    assert len(rows) == len(FORMULAS)
    for row, formula in zip(rows, FORMULAS.values(), strict=True):
        cells = row.select("td")
        assert cells[2].select_one("a[href^=reference-]"), formula.name
        assert re.match(rf"{formula.chapter:02}-", str(cells[3].select_one("a")["href"])), formula.name  # type: ignore[index]


def test_cells_are_found_without_their_options() -> None:
    text = "```{code-cell} python\n:tags: [hide-input]\nx = 1\n```\n"
    text += "\n````{code-cell} python\n---\na: 1\n---\ny = 2\n````\n"
    assert [code.strip() for code in reference.cells(text)] == ["x = 1", "y = 2"]


def test_pages_say_nothing_of_functions_where_there_is_no_reference(tmp_path: Path) -> None:
    assert reference.documented(tmp_path) == []
