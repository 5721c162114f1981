"""The printed book: what is in it, where its links lead, and that it can be read without the site."""

from __future__ import annotations

import re
import shutil
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from bs4 import BeautifulSoup

from book import browser, pdf
from book.build import ROOT
from book.extension import MATHJAX, mathjax_folder
from book.pdf import Pdf, PrintError, assemble, print_pages, tidied
from cnnlib.exercises import quiz

COVER = """<html><head><meta name="description" content="About it"></head><body><article>
<section id="all"><h1>All of it<a class="headerlink" href="#all">#</a></h1><p>The lead.</p></section>
</article></body></html>"""
#: A chapter as the site shows it: a folded figure, folded code, a formula, an exercise, hint and solution.
CHAPTER = """<html><body><article><section class="tex2jax_ignore mathjax_ignore" id="{name}">
<h1><span class="section-number">{n} · </span>{n} · {name}<a class="headerlink" href="#{name}">#</a></h1>
<p>See <a href="{other}.html#sums">there</a>, <a href="reference-x.html#f">f</a>, <a
href="index.html">all</a>, <a href="https://example.org/paper">a paper</a> and <a href="https://doi.org/10.1/x">doi:10.1/x</a>.</p>
<div class="cell"><details class="hide"><summary>Show</summary>
<div class="cell_input"><pre>setup_{n}()</pre></div>
</details></div>
<div class="cell"><details class="hide"><summary>Show</summary>
<div class="cell_input"><pre>draw_{n}()</pre></div>
</details><div class="cell_output"><figure id="fig"><a class="image-reference" href="_images/p.svg">
<img alt="A square." src="_images/p.svg"></a></figure></div></div>
<section id="sums"><h2>Sums of {name}</h2><span class="target" id="index-0"></span>
<p>It is <span class="math notranslate nohighlight">\\(y = {n}x\\)</span>.</p></section>
<section id="exercises"><h2>Exercises</h2>
<div class="exercise admonition" id="ex-{n}">
<p class="admonition-title"><span class="caption-number">Exercise {n}.1 </span></p>
<section><p>How much?</p>
<details class="sd-dropdown"><summary>Hint<span class="sd-summary-state-marker">v</span></summary>
<div><p>Count {n}.</p></div></details></section></div>
<div class="solution dropdown admonition" id="{name}-solution-1"><p class="admonition-title">Solution</p>
<section><p>Answer {n}, as <a href="#sums">above</a>.</p></section></div></section>
</section><p class="executed">Executed yesterday.</p></article></body></html>"""
INDEX = """<html><body><article><h1 id="index">Index</h1><h2 id="S">S</h2><table><tr><td><ul>
<li><a href="01-one.html#index-0">sum</a>, <a href="02-two.html#index-0">[1]</a></li>
<li>sliding<ul><li><a href="02-two.html#index-0">window</a></li></ul></li>
<li><a href="reference-x.html#f">f() (in x)</a></li></ul></td></tr></table></article></body></html>"""
TOC: dict[str, Any] = {
    "root": "index",
    "parts": [
        {"caption": "First", "chapters": [{"file": "01-one"}, {"file": "02-two"}]},
        {"caption": "Last", "chapters": [{"file": "reference", "sections": [{"file": "reference-x"}]}]},
    ],
}
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="90"><path d="M9 9h70v70z"/></svg>'


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A site of two chapters."""
    (tmp_path / "_images").mkdir()
    (tmp_path / "_images" / "p.svg").write_text(PICTURE)
    (tmp_path / "index.html").write_text(COVER)
    (tmp_path / "genindex.html").write_text(INDEX)
    for n, name, other in ((1, "one", "02-two"), (2, "two", "01-one")):
        (tmp_path / f"0{n}-{name}.html").write_text(CHAPTER.format(n=n, name=name, other=other))
    return tmp_path


@pytest.fixture
def drawn(small: Path) -> Path:
    """The same with what its formulas need."""
    static = small / "_static"
    (static / "mathjax").mkdir(parents=True)
    (static / "pygments.css").write_text("")
    for name in MATHJAX:
        source, target = mathjax_folder() / name, static / "mathjax" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    return small


def dangling(book: BeautifulSoup) -> set[str]:
    """The places that links and page numbers name and that are not there."""
    there = {str(tag["id"]) for tag in book.select("[id]")}
    named = {str(a["href"])[1:] for a in book.select("a[href^='#']")}
    return (named | {str(p["data-to"]) for p in book.select("[data-to]")}) - there


def parsed(site: Path, toc: dict[str, Any], published: str = "") -> BeautifulSoup:
    return BeautifulSoup(assemble(site, toc, published), "html.parser")


def test_links_lead_to_places_in_the_book(small: Path) -> None:
    book = parsed(small, TOC)
    assert dangling(book) == set()
    first = book.find(id="01-one--one")
    assert first is not None
    where = {a.get_text(): a["href"] for a in first.select("p a[href]")}
    assert where["there"] == "#02-two--sums"
    assert where["all"] == "#cover"
    assert "f" not in where, "the reference is not printed"
    assert where["a paper (example.org/paper)"] == "https://example.org/paper"
    assert where["doi:10.1/x"] == "https://doi.org/10.1/x", "it says its address itself"
    ids = [tag["id"] for tag in book.select("[id]")]
    assert len(ids) == len(set(ids))


def test_links_to_what_is_left_out_lead_to_the_published_site(small: Path) -> None:
    book = parsed(small, TOC, "https://example.org/course/")
    assert book.select("a[href='https://example.org/course/reference-x.html#f']")


def test_code_of_figures_is_left_out_and_all_else_is_open(small: Path) -> None:
    book = parsed(small, TOC)
    text = book.get_text()
    assert "setup_1()" in text
    assert "draw_1()" not in text
    assert "Count 2." in text
    assert not book.select("details, summary, .headerlink, a.image-reference")
    assert [h.get_text() for h in book.select("h1")][1:3] == ["1 · one", "2 · two"]


def test_solutions_stand_at_the_back_and_nowhere_else(small: Path) -> None:
    book = parsed(small, TOC)
    back = book.select_one(".solutions")
    assert back is not None
    assert len(book.select("div.solution")) == len(back.select("div.solution")) == 2
    assert back.select_one("h3").get_text().strip() == "Exercise 1.1"  # type: ignore[union-attr]
    assert back.select("a[href='#01-one--ex-1']")
    assert book.select("[id='01-one--ex-1'] a[href='#01-one--one-solution-1']")
    assert back.select("a[href='#01-one--sums']"), "links within a solution lead back into its chapter"


def test_quizzes_ask_in_their_place_and_answer_at_the_back(small: Path) -> None:
    path = small / "01-one.html"
    asked, next_one = quiz("counting-parameters"), '<section id="exercises">'
    path.write_text(path.read_text().replace(next_one, asked._repr_html_() + next_one))
    book = parsed(small, TOC)
    assert dangling(book) == set()
    there = book.select_one("[id='01-one--quiz-counting-parameters']")
    assert there is not None
    task = asked.drawn[0][0]
    assert asked.quiz.questions[0].asked(task) in there.get_text()
    assert "Answers on page" in there.get_text()
    assert not there.select("form, input, button, script, style, details, [hidden]")
    back = book.select_one(".solutions [id='01-one--answers']")
    assert back is not None
    assert back.get_text() == f"QuizCounting parameters: {task.answer}"
    assert back.select("a[href='#01-one--quiz-counting-parameters']")


def test_the_index_gives_the_pages_of_what_is_printed(small: Path) -> None:
    letters = parsed(small, TOC).select_one(".letters")
    assert letters is not None
    places = [p["data-to"] for p in letters.select("li")[0].select("[data-to]")]
    assert places == ["01-one--index-0", "02-two--index-0"]
    assert "in x" not in letters.get_text()
    assert "sliding" in letters.get_text()


def test_a_solution_without_an_exercise_is_refused(small: Path) -> None:
    page = small / "01-one.html"
    page.write_text(page.read_text().replace('class="exercise admonition"', 'class="admonition"'))
    with pytest.raises(PrintError, match="one-solution-1 solves no exercise"):
        assemble(small, TOC)


def test_without_a_browser_one_sentence_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(browser, "executable", lambda: None)
    assert pdf.main() == 1
    assert "make browser" in capsys.readouterr().err


def test_what_is_no_pdf_is_refused() -> None:
    with pytest.raises(PrintError, match="no PDF"):
        Pdf(b"%PDF-1.4 cut off")


def written(*objects: bytes) -> bytes:
    """A PDF of these objects, the first of which is its catalogue."""
    content, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, text in enumerate(objects, start=1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, text)
    start = len(content)
    content += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    content += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return bytes(content + b"trailer\n<</Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % start)


def test_pictures_are_stored_once_and_bookmarks_say_what_headings_say() -> None:
    picture = b"<</Type /XObject\n/Subtype /Image\n/Length 4>> stream\n\x00\x01\x02\x03\nendstream"
    content = written(
        b"<</Type /Catalog\n/Pages 2 0 R\n/Outlines 4 0 R\n/Dests 7 0 R>>",
        b"<</Type /Pages\n/Kids [3 0 R]>>",
        b"<</Type /Page\n/Resources <</XObject <</X1 8 0 R\n/X2 9 0 R>>>>>>",
        b"<</Type /Outlines\n/First 5 0 R\n/Last 6 0 R>>",
        b"<</Title (OneOne)\n/Dest [3 0 R /XYZ 0 0 0]\n/Parent 4 0 R\n/Next 6 0 R>>",
        b"<</Title (Two andthree)\n/Dest [3 0 R /XYZ 0 0 0]\n/Parent 4 0 R>>",
        b"<</a--b [3 0 R /XYZ 0 0 0]>>",
        picture,
        picture,
        picture.replace(b"\x03", b"\x04"),
    )
    assert Pdf(content).bookmarks() == [(1, "OneOne"), (1, "Two andthree")]
    tidy = Pdf(tidied(content, ["One", "Two and\n three"]))
    assert tidy.bookmarks() == [(1, "One"), (1, "Two and three")]
    assert tidy.destinations() == {"a--b": 1}
    assert tidy.content.count(b"/Subtype /Image") == 2, "one of each"
    assert b"/X1 8 0 R\n/X2 8 0 R" in tidy.object(3)
    assert tidied(tidy.content, []) == tidy.content


# --- Printed by Chromium ------------------------------------------------------------------------------------


def stream(document: Pdf, number: int) -> bytes:
    head = document.object(number)
    size = re.search(rb"/Length (\d+)", head)
    assert size
    start = re.compile(rb"stream\r?\n").search(document.content, document.offsets[number])
    assert start
    data = document.content[start.end() :][: int(size[1])]
    return zlib.decompress(data) if b"FlateDecode" in head else data


def letters(document: Pdf, font: int) -> dict[str, str]:
    """For each code of a font, as hexadecimal digits, the letters that it stands for."""
    table = re.search(rb"/ToUnicode (\d+) 0 R", document.object(font))
    assert table, "text in this font cannot be searched or copied"
    result: dict[str, str] = {}
    text = stream(document, int(table[1])).decode().partition("endcodespacerange")[2]
    for code, meaning in re.findall(r"^<([0-9A-F]+)> <([0-9A-F]+)>$", text, re.MULTILINE):
        result[code] = bytes.fromhex(meaning).decode("utf-16-be")
    for low, high, meaning in re.findall(r"^<([0-9A-F]+)> <([0-9A-F]+)> <([0-9A-F]+)>$", text, re.MULTILINE):
        for code in range(int(low, 16), int(high, 16) + 1):
            result[f"{code:0{len(low)}X}"] = chr(int(meaning, 16) + code - int(low, 16))
    return result


def text_of(document: Pdf, page: int) -> str:
    """The text of a page (from 1), without spaces."""
    head = document.object(document.pages[page - 1])
    contents = re.search(rb"/Contents (\d+)", head)
    assert contents
    fonts = {name: int(n) for name, n in re.findall(rb"/(F\d+) (\d+) 0 R", head)}
    known: dict[str, str] = {}
    found = []
    for font, code in re.findall(rb"/(F\d+) \S+ Tf|<([0-9A-F]+)> Tj", stream(document, int(contents[1]))):
        if font:
            known = letters(document, fonts[font])
            width = len(next(iter(known)))
        else:
            digits = code.decode()
            found += [known.get(digits[i : i + width], "?") for i in range(0, len(digits), width)]
    return "".join("".join(found).split())


def check_links_and_fonts(document: Pdf) -> None:
    """Links lead somewhere, all fonts are within, and it says its language and that it is tagged."""
    places = document.destinations()
    named = {
        pdf._name(name)
        for number in document.offsets
        if b"/Subtype /Link" in (text := document.object(number))
        for name in re.findall(rb"/Dest /(\S+?)(?=[\s/>])", text)
    }
    assert named
    assert named <= set(places)
    fonts = [document.object(number) for number in document.offsets]
    outlines = [font for font in fonts if re.search(rb"/Subtype /(CIDFontType\d|TrueType|Type1)\b", font)]
    assert outlines
    for font in outlines:  # fonts of Type 3, as those of formulas are, hold their shapes themselves
        described = re.search(rb"/FontDescriptor (\d+) 0 R", font)
        assert described, font
        assert b"/FontFile" in document.object(int(described[1])), font
    assert b"/Marked true" in document.content
    assert b"/Lang (en)" in document.content


def printed(*arguments: Any) -> Pdf:
    """The PDF, made in a thread of its own: in this one another Playwright may be at work."""
    with ThreadPoolExecutor(1) as apart:
        return Pdf(apart.submit(print_pages, *arguments).result())


@pytest.mark.browser
def test_a_small_book_is_printed(drawn: Path) -> None:
    chromium = browser.executable()
    if not chromium:
        pytest.skip(browser.MISSING)
    book = assemble(drawn, TOC)
    document = printed(book, drawn, chromium)
    assert len(document.pages) == 6  # title, contents, two chapters, solutions, index
    titles = [title for depth, title in document.bookmarks() if depth == 1]
    assert titles == ["Contents", "1 · one", "2 · two", "Solutions to the exercises", "Index"]
    check_links_and_fonts(document)
    places = document.destinations()
    assert (places["01-one"], places["02-two"], places["solutions"], places["index"]) == (3, 4, 5, 6)
    contents = text_of(document, 2)
    assert "1·one3" in contents
    assert "Sumsoftwo4" in contents
    assert "y=2x" in text_of(document, 4), "formulas are text"
    assert "Solutiononpage5" in text_of(document, 3)
    assert "Answer1" not in text_of(document, 3)
    assert "Answer1" in text_of(document, 5)
    assert "sum,3,4" in text_of(document, 6)


@pytest.mark.browser
def test_what_is_missing_or_cannot_be_drawn_is_told(drawn: Path) -> None:
    chromium = browser.executable()
    if not chromium:
        pytest.skip(browser.MISSING)
    (drawn / "_images" / "p.svg").unlink()
    with pytest.raises(PrintError, match=r"404 .*p\.svg"):
        printed(assemble(drawn, TOC), drawn, chromium)


# --- The book itself ---------------------------------------------------------------


@pytest.fixture(scope="session")
def contents() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8")))


@pytest.mark.site
@pytest.mark.slow
def test_the_whole_book_hangs_together(
    site: Path, contents: dict[str, Any], pages: dict[str, BeautifulSoup]
) -> None:
    book = parsed(site, contents)
    assert dangling(book) == set()
    printed = {tag["id"] for tag in book.select("h1[id]")}
    expected = {
        name.removesuffix(".html")
        for name in pages
        if not pdf.LEFT_OUT.match(name.removesuffix(".html"))
        and not name.startswith(("search", "genindex", "py-modindex"))
    }
    assert expected - {"index"} - printed == set()
    solved = {name: len(page.select("div.solution")) for name, page in pages.items()}
    assert sum(solved.values()) >= 6
    assert len(book.select(".solutions div.solution")) == sum(solved.values())
    assert not book.select(".chapter:not(.solutions) div.solution")
    assert not book.select("details, .headerlink")
    for name, page in pages.items():
        kept = book.find(id=name.removesuffix(".html"))
        if kept and name in expected:
            chapter = kept.find_parent("div", class_="chapter")
            assert chapter is not None
            assert len(chapter.select("figure")) == len(page.select("article figure")) - len(
                page.select("div.solution figure")
            ), name


@pytest.mark.site
@pytest.mark.slow
@pytest.mark.browser
def test_a_chapter_of_the_book_is_printed(site: Path, contents: dict[str, Any]) -> None:
    chromium = browser.executable()
    if not chromium:
        pytest.skip(browser.MISSING)
    name = "02-one-dimension"
    few = {**contents, "parts": [{"caption": "Part", "chapters": [{"file": name}, {"file": "bibliography"}]}]}
    said: list[str] = []
    document = printed(assemble(site, few), site, chromium, said.append)
    assert said == [], "all of it fits its column"
    assert 15 < len(document.pages) < 60
    check_links_and_fonts(document)
    places = document.destinations()
    assert places[name] < places["bibliography"] < places["solutions"] < places["index"]
    assert "2·Convolutioninonedimension" in text_of(document, places[name])
