"""The pages say one thing in one way, and the glossary and the chapters lead to each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from book.build import ROOT
from book.terms import glossary, linked, main, slips

PAGES = sorted((ROOT / "chapters").glob("*.md"))
CHAPTERS = [path for path in PAGES if re.match(r"\d\d-", path.name)]
TERMS = glossary(ROOT / "chapters/glossary.md")
WRONG = {
    "A convolutional layer has filters.": "convolution layer",
    "Use max-pooling here.": "max pooling",
    "Two Hyper-parameters are left.": "hyperparameters",
    "The color of the neighbor.": "colour",
    "We normalize it.": "normalise",
    "a normalized initialization": "normalised",
    "Its behavior is odd.": "behaviour",
    "Down-sampling twice.": "downsampling",
    "ten multiply-adds": "multiply–accumulate",
    "over two lines it is a\nmini-batch": "batch",
}
RIGHT = [
    "A convolution layer with max pooling; the colour of the neighbour.",
    'The layer `BatchNormalization` and `data_format="gray"`.',
    "They call it “max-pooling” in the paper.",
    "$\\text{color}$ and [the page](https://example.org/color)",
    "*Color naming in ten languages* is its title.",
    "size, prize, horizontal, wise, analysis, centre of the centred window",
]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_a_page_uses_the_words_of_the_book(page: Path) -> None:
    assert list(slips(page)) == []


@pytest.mark.parametrize("sentence", WRONG)
def test_other_words_are_found_and_mended(
    sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\nFirst.\n\n{sentence}\n")
    (line, _, said), *_ = slips(page)
    assert said.casefold() == WRONG[sentence]
    assert line == 5 + sentence.count("\n")
    assert main([str(page)]) == 1
    assert "say" in capsys.readouterr().out


@pytest.mark.parametrize("sentence", RIGHT)
def test_code_quotations_and_right_words_pass(sentence: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{sentence}\n\n```python\ncolor = 1\n```\n")
    assert list(slips(page)) == []
    assert main([str(page)]) == 0


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_leads_to_the_glossary(chapter: Path) -> None:
    terms = linked(chapter.read_text(encoding="utf-8"))
    known = {term.casefold() for term in TERMS}
    assert [term for term in terms if term.casefold() not in known] == []
    assert len({term.casefold() for term in terms}) >= 5
    assert len(terms) == len({term.casefold() for term in terms}), "each term is linked once"


def test_every_term_is_linked_from_a_chapter_and_leads_to_one() -> None:
    used = {term.casefold() for chapter in CHAPTERS for term in linked(chapter.read_text(encoding="utf-8"))}
    assert sorted(term for term in TERMS if term.casefold() not in used) == []
    labels = {chapter.stem[3:]: int(chapter.stem[:2]) for chapter in CHAPTERS}
    for term, meaning in TERMS.items():
        (number, label), *_ = re.findall(r"\{ref\}`Chapter (\d+) <([\w-]+)>`", meaning)
        assert labels.get(label) == int(number), term


def test_links_are_read_with_their_targets() -> None:
    assert linked("{term}`stride`, {term}`kernels\n<kernel>`, {ref}`x <y>`") == ["stride", "kernel"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("no glossary", "has no glossary"), ("```{glossary}\nb\n  B.\n\na\n  A.\n```\n", "not in order")],
)
def test_a_broken_glossary_is_refused(text: str, message: str, tmp_path: Path) -> None:
    page = tmp_path / "glossary.md"
    page.write_text(text)
    with pytest.raises(ValueError, match=message):
        glossary(page)
