"""Prints the whole book: ``python -m book.pdf``, into ``build/book.pdf``.

The pages of the finished site are put together into one: a title, a table of contents, the chapters in their
order, the solutions of all exercises, an index. Chromium prints it twice, since only the first print tells on
which page everything stands.
"""

from __future__ import annotations

import hashlib
import html
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml  # type: ignore[import-untyped]
from bs4 import BeautifulSoup, Tag

from book import browser
from book.build import ROOT, STAMP, BuildError, build, say
from book.picture import Quiet

#: How the print looks.
STYLE = ROOT / "book" / "print.css"
#: Sections that every chapter has, which a table of contents need not repeat.
EVERYWHERE = {
    "Summary",
    "In the source notes",
    "Exercises",
    "Further reading",
    "What goes wrong",
    "In the library",
}
#: Pages that are for the screen: functions are looked up there, or answers are kept.
LEFT_OUT = re.compile(r"(reference(-.*)?|review)$")
COVER = "cover"
#: The longest that Chromium may take over one step, in milliseconds.
PATIENCE = 600_000


class PrintError(Exception):
    """The book could not be printed; the message says why."""


# --- What is printed ------------------------------------------------------------------------------------


@dataclass
class Page:
    """A page of the site, ready to be printed; solutions have been taken out of it."""

    name: str
    title: str
    body: Tag
    sections: list[tuple[str, str]] = field(default_factory=list)
    solutions: list[Tag] = field(default_factory=list)


@dataclass
class Part:
    """Some pages of the book under one caption."""

    caption: str
    pages: list[Page]


def assemble(site: Path, toc: dict[str, Any], published: str = "") -> str:
    """The whole book as one page of HTML, made from the finished ``site``.

    Args:
        site: the folder of the finished site.
        toc: the table of contents, as ``_toc.yml`` holds it.
        published: the address of the published site, to which links to pages that are left out lead.
    """
    outline = [(part.get("caption", ""), list(_files(part["chapters"]))) for part in toc["parts"]]
    names = [name for _, pages in outline for name in pages if not LEFT_OUT.match(name)]
    known = {**dict.fromkeys(names), toc["root"]: None}
    soups = {name: _soup(site / f"{name}.html") for name in known}
    anchors = {name: {str(tag["id"]) for tag in soup.select("article [id]")} for name, soup in soups.items()}
    links = Links(toc["root"], anchors, published)
    parts = [
        Part(caption, [prepare(name, soups[name], links) for name in pages if name in soups])
        for caption, pages in outline
    ]
    cover = soups[toc["root"]]
    index = site / "genindex.html"
    back = index_of(_soup(index), links) if index.is_file() else ""
    return _whole(cover, [part for part in parts if part.pages], back)


def _files(entries: Iterable[dict[str, Any]]) -> Iterator[str]:
    for entry in entries:
        if "file" in entry:
            yield str(entry["file"])
        yield from _files(entry.get("sections", ()))


def _soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@dataclass
class Links:
    """Where links lead once all pages are one."""

    root: str
    #: For each page that is printed, the identifiers on it.
    anchors: dict[str, set[str]]
    published: str = ""

    def target(self, page: str, link: str) -> str | None:
        """The printed book's address for a link on ``page``; none if it leads nowhere in print."""
        parts = urlsplit(link)
        if parts.scheme:
            return link
        name = Path(unquote(parts.path)).stem if parts.path else page
        if name not in self.anchors:
            return f"{self.published.rstrip('/')}/{link}" if self.published else None
        anchor = unquote(parts.fragment)
        if name == self.root:
            return f"#{COVER}"
        return f"#{name}--{anchor}" if anchor in self.anchors[name] else f"#{name}"


def prepare(name: str, soup: BeautifulSoup, links: Links) -> Page:
    """Make a page of the site fit for paper: names of its own, nothing folded, solutions apart."""
    body = soup.select_one("article > section")
    if body is None:
        raise PrintError(f"{name}.html holds no article: build the site anew")
    executed = soup.select_one("article > p.executed")
    if executed:
        body.append(executed.extract())
    for tag in body.select(".headerlink, script, style, .sd-summary-state-marker"):
        tag.decompose()
    for tag in [body, *body.select("[id]")]:
        tag["id"] = f"{name}--{tag['id']}"
    for tag in body.select("[aria-labelledby], [aria-describedby]"):
        for key in ("aria-labelledby", "aria-describedby"):
            del tag[key]
    answers = _part_answers(soup, name, body)
    _unfold(soup, body)
    _relink(soup, name, body, links)
    heading = body.select_one("h1")
    number = heading.select_one(".section-number") if heading else None
    if heading and number and heading.get_text().count(number.get_text(strip=True)) > 1:
        number.decompose()  # the title has its number itself
    title = " ".join(heading.get_text().split()) if heading else name
    if heading:
        heading["id"] = name
    page = Page(name, title, body)
    for section in body.find_all("section", recursive=False):
        if isinstance(section, Tag) and (second := section.find("h2", recursive=False)):
            page.sections.append((str(section["id"]), " ".join(second.get_text().split())))
    page.solutions = [*_part_solutions(soup, body), *answers]
    return page


def _unfold(soup: BeautifulSoup, body: Tag) -> None:
    """Show what is folded, without the code of figures: in print nothing can be opened."""
    for cell in body.select("div.cell:has(> details)"):
        details = cell.select_one("details")
        assert details is not None
        source = details.select_one("div.cell_input")
        if source is None or cell.select_one(".cell_output img, .cell_output svg"):
            details.decompose()
        else:
            details.replace_with(source)
    for details in body.select("details"):
        summary = details.find("summary")
        if isinstance(summary, Tag):
            summary.name = "p"
            summary["class"] = "folded-title"
        details.name = "div"
        details["class"] = "folded"
    for link in body.select("a.image-reference"):
        link.unwrap()


def _relink(soup: BeautifulSoup, name: str, body: Tag, links: Links) -> None:
    """Let links lead to places in the book; those to other sites say their address."""
    for link in body.select("a[href]"):
        old = str(link["href"])
        new = links.target(name, old)
        if new is None:
            link.unwrap()
            continue
        link["href"] = new
        if re.match(r"https?:", new) and link.get_text(strip=True):
            shown = re.sub(r"^https?://(www\.)?", "", new).rstrip("/")
            said = link.get_text(strip=True)
            if shown not in said and said.partition(":")[2].strip() not in (shown, shown.partition("/")[2]):
                address = soup.new_tag("span", attrs={"class": "address"})
                address.string = f" ({shown})"
                link.append(address)


def _part_solutions(soup: BeautifulSoup, body: Tag) -> Iterator[Tag]:
    """Take the solutions out of a page, each linked with the exercise before it."""
    for solution in body.select("div.solution"):
        exercise = solution.find_previous("div", class_="exercise")
        if not isinstance(exercise, Tag):
            raise PrintError(f"{solution.get('id')} solves no exercise")
        number = exercise.select_one(".caption-number")
        said = " ".join(number.get_text().split()) if number else "Exercise"
        title = solution.select_one("p.admonition-title")
        assert title is not None
        title.name, title.string = "h3", said
        title.insert_after(_note(soup, str(exercise["id"]), "Asked on page "))
        exercise.append(_note(soup, str(solution["id"]), "Solution on page "))
        yield solution.extract()


def _part_answers(soup: BeautifulSoup, name: str, body: Tag) -> list[Tag]:
    """Make quizzes fit for paper, with the numbers that stand there first, and take their answers out."""
    quizzes = body.select("div.cx-quiz")
    if not quizzes:
        return []
    back = soup.new_tag("div", attrs={"class": "answers", "id": f"{name}--answers"})
    title, entries = soup.new_tag("h3"), soup.new_tag("ul")
    title.string = str(quizzes[0]["aria-label"]).partition(":")[0]
    back.extend([title, entries])
    for quiz in quizzes:
        entry, link = soup.new_tag("li"), soup.new_tag("a", attrs={"href": f"#{quiz['id']}"})
        link.string = str(quiz["aria-label"]).partition(":")[2].strip()
        entry.extend([link, ": "])
        for number, folded in enumerate(quiz.select("details")):
            answer = folded.select_one("p")
            assert answer is not None
            entry.extend(["; " if number else "", *list(answer.children)])
            folded.decompose()
        entries.append(entry)
        for useless in quiz.select(".cx-controls, [role=status]"):
            useless.decompose()
        for mark in quiz.select("input"):
            mark.replace_with("○")
        for tag in quiz.select("form, fieldset, label"):
            tag.name = "div"
        for legend in quiz.select("legend"):
            legend.name, legend["class"] = "p", "admonition-title"
        quiz["class"] = "admonition quiz"
        quiz.append(_note(soup, str(back["id"]), "Answers on page "))
    return [back]


def _note(soup: BeautifulSoup, target: str, words: str) -> Tag:
    """A line that leads from an exercise to its solution, or back."""
    note, link = soup.new_tag("p", attrs={"class": "solved"}), soup.new_tag("a", attrs={"href": f"#{target}"})
    link.append(words)
    link.append(soup.new_tag("span", attrs={"class": "page", "data-to": target}))
    note.append(link)
    return note


def index_of(soup: BeautifulSoup, links: Links) -> str:
    """The index at the back: each term with the pages on which it is explained."""
    letters = []
    for heading in soup.select("article h2"):
        table = heading.find_next("table")
        assert isinstance(table, Tag)
        terms = "".join(
            _term(entry, links) for entry in table.select("li") if entry.find_parent("li") is None
        )
        if terms:
            letters.append(f"<h2>{html.escape(heading.get_text())}</h2><ul>{terms}</ul>")
    return "".join(letters)


def _term(entry: Tag, links: Links) -> str:
    """A term of the index, with those below it; empty if none of its places is printed."""
    found: list[str] = []
    name = ""
    for child in entry.children:
        if isinstance(child, Tag) and child.name == "a":
            name = name or child.get_text()
            new = links.target("genindex", str(child["href"]))
            if new and new.startswith("#"):
                found.append(new[1:])
        elif not isinstance(child, Tag):
            name = name or str(child).strip()
    below = "".join(_term(e, links) for e in entry.select("li") if e.find_parent("li") is entry)
    if not (found or below):
        return ""
    places = ", ".join(
        f'<a href="#{place}"><span class="page" data-to="{place}"></span></a>' for place in found
    )
    said = html.escape(name.strip())
    return f"<li>{said}{', ' if places else ''}{places}{f'<ul>{below}</ul>' if below else ''}</li>"


def _whole(cover: BeautifulSoup, parts: list[Part], back: str) -> str:
    """One document of all parts."""
    title = " ".join(str(cover.select_one("h1").get_text()).split()).rstrip("#")  # type: ignore[union-attr]
    lead = cover.select_one("article p")
    picture = cover.select_one("article img")
    description = cover.select_one("meta[name=description]")
    rights = cover.select_one("footer .copyright, .footer-content p.copyright, p.copyright")
    today = date.today()
    pages = [page for part in parts for page in part.pages]
    solved = [page for page in pages if page.solutions]
    heads = "".join(_head(page.name, page.title) for page in pages)
    heads += _head("contents", "Contents") + _head("solutions", "Solutions") + _head("index", "Index")
    chapters = "".join(
        f'<div class="chapter" style="page: {_css_name(page.name)}">{page.body}</div>' for page in pages
    )
    answers = "".join(
        f'<section id="solutions--{page.name}"><h2>{html.escape(page.title)}</h2>'
        f"{''.join(map(str, page.solutions))}</section>"
        for page in solved
    )
    mathjax = "_static/mathjax/tex-chtml.js"
    document = [
        '<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8">',
        f"<title>{html.escape(title)}</title>",
        f'<meta name="description" content="{html.escape(str(description["content"]))}">'
        if description
        else "",
        '<link rel="stylesheet" href="_static/pygments.css">',
        f"<style>{STYLE.read_text(encoding='utf-8')}{heads}</style>",
        "<script>window.MathJax = {options: {enableMenu: false, enableAssistiveMml: false,",
        'processHtmlClass: "tex2jax_process|mathjax_process|math|output_area"}}</script>',
        f'<script defer src="{mathjax}"></script></head><body>',
        f'<section class="cover" id="{COVER}"><p class="title">{html.escape(title)}</p>',
        f'<p class="lead">{lead.get_text()}</p>' if lead else "",
        str(picture) if picture else "",
        f'<p class="rights">{rights.get_text(" ", strip=True)}</p>' if rights else "",
        f'<p class="rights">Printed on {today.day} {today:%B %Y}</p></section>',
        f'<nav class="contents" id="contents"><h1>Contents</h1>{_contents(parts, solved, back)}</nav>',
        chapters,
        '<div class="chapter solutions" style="page: p-solutions"><section class="tex2jax_ignore">'
        f'<h1 id="solutions">Solutions to the exercises</h1>{answers}</section></div>'
        if solved
        else "",
        '<div class="chapter index" style="page: p-index"><section><h1 id="index">Index</h1>'
        f'<div class="letters">{back}</div></section></div>'
        if back
        else "",
        "</body></html>",
    ]
    return "\n".join(document)


def _css_name(name: str) -> str:
    return "p-" + re.sub(r"[^\w-]", "-", name)


def _head(name: str, title: str) -> str:
    """The running head of a chapter: pages have names in CSS, and each name a head."""
    said = title.replace("\\", r"\\").replace('"', r"\"")
    return f'@page {_css_name(name)} {{ @top-left {{ content: "{said}"; }} }}\n'


def _contents(parts: list[Part], solved: list[Page], back: str) -> str:
    lines = []
    for part in parts:
        lines.append(f'<p class="part">{html.escape(part.caption)}</p>' if part.caption else "")
        for page in part.pages:
            lines.append(_line("chapter-line", page.name, page.title))
            if page.name[0].isdigit():
                shown = [(i, t) for i, t in page.sections if t not in EVERYWHERE]
                lines += [_line("section-line", anchor, text) for anchor, text in shown]
    lines.append('<p class="part">At the back</p>')
    if solved:
        lines.append(_line("chapter-line", "solutions", "Solutions to the exercises"))
        lines += [_line("section-line", f"solutions--{page.name}", page.title) for page in solved]
    if back:
        lines.append(_line("chapter-line", "index", "Index"))
    return "".join(lines)


def _line(kind: str, target: str, text: str) -> str:
    return (
        f'<p class="{kind}"><a href="#{target}"><span class="text">{html.escape(text)}</span>'
        f'<span class="dots"></span><span class="page" data-to="{target}"></span></a></p>'
    )


# --- What a PDF says of itself ----------------------------------------------------------------------------


#: Where what an object says of itself ends.
_END = re.compile(rb"\bendobj\b|\bstream\r?\n")


class Pdf:
    """Just enough of a PDF to find its pages, the places that links lead to, and its bookmarks.

    Reads what Chromium writes: a plain table of objects, none of them packed into streams.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        start = re.findall(rb"startxref\s+(\d+)", content)
        if not start:
            raise PrintError("this is no PDF, or one that was cut off")
        self.start = int(start[-1])
        self.offsets = self._table(self.start)
        self.pages = list(self._leaves(self._number(self.trailer, b"Root"), b"Pages"))

    def _table(self, position: int) -> dict[int, int]:
        table = re.compile(rb"xref\s+(\d+)\s+(\d+)\s+").match(self.content, position)
        if not table:
            raise PrintError("this PDF keeps its objects in streams, which this reader does not know")
        offsets, first, count = {}, int(table[1]), int(table[2])
        for index in range(count):
            line = self.content[table.end() + 20 * index :][:20]
            if line[17:18] == b"n":
                offsets[first + index] = int(line[:10])
        self.trailer = self.content[table.end() + 20 * count :]
        return offsets

    def object(self, number: int) -> bytes:
        """The object of that number, up to the data of its stream, if it has one."""
        start = self.offsets[number]
        end = _END.search(self.content, start)
        return self.content[start : end.start() if end else None]

    def _number(self, text: bytes, key: bytes) -> int:
        found = re.search(rb"/" + key + rb"\s+(\d+) 0 R", text)
        if not found:
            raise PrintError(f"this PDF has no {key.decode()}")
        return int(found[1])

    def _leaves(self, number: int, key: bytes) -> Iterator[int]:
        """The pages below a node of the tree of pages, in their order."""
        if key == b"Pages":
            number = self._number(self.object(number), key)
        text = self.object(number)
        kids = re.search(rb"/Kids\s*\[(.*?)\]", text, re.DOTALL)
        if kids is None:
            yield number
            return
        for kid in re.findall(rb"(\d+) 0 R", kids[1]):
            yield from self._leaves(int(kid), b"")

    def destinations(self) -> dict[str, int]:
        """For each named place the number of its page, counted from 1."""
        catalog = self.object(self._number(self.trailer, b"Root"))
        places = {page: number for number, page in enumerate(self.pages, start=1)}
        found = re.search(rb"/Dests\s+(\d+) 0 R", catalog)
        text = self.object(int(found[1])) if found else b""
        named = re.findall(rb"/([^\s/\[\]<>()]+)\s*\[\s*(\d+) 0 R\s*/XYZ", text)
        return {_name(name): places[int(page)] for name, page in named if int(page) in places}

    def bookmarks(self) -> list[tuple[int, str]]:
        """The outline: how deep each title lies, from 1, and the title."""
        outline = self._number(self.object(self._number(self.trailer, b"Root")), b"Outlines")
        return list(self._below(self.object(outline), 1))

    def _below(self, above: bytes, depth: int) -> Iterator[tuple[int, str]]:
        following = re.search(rb"/First (\d+) 0 R", above)
        while following:
            text = self.object(int(following[1]))
            yield depth, _string(text[text.index(b"/Title") + 6 :])
            yield from self._below(text, depth + 1)
            following = re.search(rb"/Next (\d+) 0 R", text)


def _name(raw: bytes) -> str:
    """A name as it was before the PDF escaped it."""
    return unquote(re.sub(rb"#([0-9a-fA-F]{2})", lambda m: bytes([int(m[1], 16)]), raw).decode("utf-8"))


def _string(raw: bytes) -> str:
    """The string that ``raw`` begins with."""
    raw = raw.lstrip()
    if raw.startswith(b"<"):
        data = bytes.fromhex(raw[1 : raw.index(b">")].decode())
    else:
        match = re.match(rb"\(((?:\\.|[^\\()])*)\)", raw, re.DOTALL)
        data = match[1] if match else b""
        octal = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
        data = octal.sub(lambda m: bytes([int(m[1], 8)]) if m[1].isdigit() else m[1], data)
    return data.decode("utf-16") if data[:2] in (b"\xfe\xff", b"\xff\xfe") else data.decode("latin-1")


def tidied(content: bytes, headings: Iterable[str]) -> bytes:
    """The same PDF with each picture stored once, and bookmarks that say what the headings say.

    Chromium stores a picture as often as it draws it; it doubles the title of a heading that begins a page,
    and loses the space where one breaks.
    """
    pdf = Pdf(content)
    order = sorted(pdf.offsets, key=pdf.offsets.__getitem__)
    ends = [*(pdf.offsets[number] for number in order[1:]), pdf.start]
    objects = {
        n: content[pdf.offsets[n] : end].split(b"obj", 1)[1] for n, end in zip(order, ends, strict=True)
    }
    same: dict[int, int] = {}
    for _ in range(2):  # masks first, then the pictures that use them
        first: dict[bytes, int] = {}
        for number, text in objects.items():
            if b"/Subtype /Image" in text[:400] and number not in same:
                head, stream, data = text.partition(b"stream")
                key = hashlib.sha256(_renumbered(head, same) + stream + data).digest()
                if first.setdefault(key, number) != number:
                    same[number] = first[key]
    said = {_squeezed(heading): " ".join(heading.split()) for heading in headings}
    written, offsets = bytearray(content[: pdf.offsets[order[0]]]), {}
    for number in order:
        if number in same:
            continue
        head, stream, data = objects[number].partition(b"stream")
        head = _renumbered(head, same)
        if head.lstrip().startswith(b"<</Title") and b"/Dest" in head:
            start = head.index(b"/Title") + 6
            title = _string(head[start:])
            half = _squeezed(title[: len(title) // 2])
            doubled = title[: len(title) // 2] == title[len(title) // 2 :]
            right = said.get(_squeezed(title)) or (said.get(half) if doubled else None)
            if right:
                rest = head[re.search(rb"/Dest", head).start() :]  # type: ignore[union-attr]
                head = head[:start] + b" <feff" + right.encode("utf-16-be").hex().encode() + b">\n" + rest
        offsets[number] = len(written)
        written += b"%d 0 obj" % number + head + stream + data
    start = len(written)
    written += b"xref\n0 %d\n0000000000 65535 f \n" % (max(order) + 1)
    for number in range(1, max(order) + 1):
        written += b"%010d 00000 n \n" % offsets[number] if number in offsets else b"0000000000 65535 f \n"
    trailer = pdf.trailer[: pdf.trailer.index(b"startxref")]
    return bytes(written + trailer + b"startxref\n%d\n%%%%EOF\n" % start)


def _renumbered(head: bytes, same: dict[int, int]) -> bytes:
    if not same:
        return head
    return re.sub(rb"(\d+) 0 R", lambda m: b"%d 0 R" % same.get(int(m[1]), int(m[1])), head)


def _squeezed(text: str) -> str:
    return "".join(text.split())


# --- Printing ---------------------------------------------------------------------------------------------

#: Wait until all formulas, fonts and pictures are there, then make what is too wide fit.
_SETTLE = """async () => {
    await window.MathJax.startup.promise;
    for (const image of document.images) image.loading = "eager";
    await Promise.all([...document.images].map(image => image.decode().catch(() => null)));
    await document.fonts.ready;
    const wide = [];
    const fit = (box, least) => {
        const room = box.parentElement.clientWidth;
        const need = () => Math.max(box.scrollWidth, box.getBoundingClientRect().width);
        const size = () => parseFloat(getComputedStyle(box).fontSize);
        // Columns do not shrink as letters do: a second time settles what the first left over.
        for (let turn = 0; turn < 3 && room && need() > room + 1 && size() > least; turn++)
            box.style.fontSize = Math.max(size() * room / need() * 0.99, least) + "px";
        if (room && need() > room + 1) wide.push(box.outerHTML.slice(0, 120));
    };
    document.querySelectorAll("table").forEach(t => fit(t, 7.5));
    document.querySelectorAll("mjx-container").forEach(m => fit(m, 8));
    return wide;
}"""
_FILL = """numbers => {
    for (const place of document.querySelectorAll("span.page[data-to]"))
        place.textContent = numbers[place.dataset.to] ?? place.textContent;
    for (const entry of document.querySelectorAll(".letters li")) {  // in the order of the pages
        const links = [...entry.children].filter(child => child.tagName === "A");
        const found = links.map(a => [parseInt(a.textContent), a.getAttribute("href"), a.innerHTML]);
        found.sort((one, other) => one[0] - other[0]).forEach(([, href, text], i) => {
            links[i].setAttribute("href", href);
            links[i].innerHTML = text;
        });
    }
}"""
#: The column of an A4 page within its margins (print.css), in CSS pixels.
COLUMN = round((210 - 2 * 24) / 25.4 * 96)


def print_pages(document: str, site: Path, chromium: str, tell: Callable[[str], None] = say) -> bytes:
    """The PDF of ``document``, whose pictures and scripts lie in ``site``.

    Raises:
        PrintError: something in the document was not found, or a formula could not be drawn.
    """
    from playwright.sync_api import Error, sync_playwright

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/book.html"
    troubles: list[str] = []
    try:
        with sync_playwright() as playwright:
            running = playwright.chromium.launch(executable_path=chromium, args=browser.OPTIONS)
            page = running.new_page(viewport={"width": COLUMN, "height": 1000}, color_scheme="light")
            page.set_default_timeout(PATIENCE)
            page.on("response", lambda r: troubles.append(f"{r.status} {r.url}") if r.status >= 400 else None)
            page.on("pageerror", lambda error: troubles.append(str(error)))
            page.route(address, lambda route: route.fulfill(body=document, content_type="text/html"))
            page.emulate_media(media="print", color_scheme="light")
            page.goto(address, wait_until="load", timeout=PATIENCE)
            wide = page.evaluate(_SETTLE)
            for box in wide:
                tell(f"  too wide for the page: {box}")
            broken = page.locator("mjx-merror").count()
            if broken or troubles:
                raise PrintError("\n".join(troubles) or f"{broken} formulas cannot be drawn")
            numbers: dict[str, int] = {}
            for _ in range(3):  # the numbers themselves may move a line
                page.evaluate(_FILL, numbers or {})
                content = page.pdf(
                    prefer_css_page_size=True, tagged=True, outline=True, print_background=True
                )
                found = Pdf(content).destinations()
                if found == numbers:
                    break
                numbers = found
            headings = page.evaluate(
                "[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => h.textContent)"
            )
            running.close()
    except Error as error:
        raise PrintError(f"Chromium could not print: {error.message}") from None
    finally:
        server.shutdown()
        server.server_close()
    return tidied(content, headings)


def make(root: Path = ROOT, out: Path | None = None, published: str = "") -> Path:
    """Print the book of ``root`` unless it is printed already; return where it is.

    Raises:
        PrintError: there is no browser, or it could not print.
        BuildError: the site could not be built.
    """
    chromium = browser.executable()
    if not chromium:
        raise PrintError(f"printing needs a browser: {browser.MISSING}")
    site = build(root)
    target = out or root / "build" / "book.pdf"
    stamp = target.with_name(f".{target.name}{STAMP}")
    key = (site / STAMP).read_text().strip() + f" {published}"
    if target.is_file() and stamp.is_file() and stamp.read_text() == key:
        say(f"{target.name} is up to date")
        return target
    start = time.monotonic()
    if not _has_korean():
        say("no font here has Korean letters: the glossary's will be empty boxes (install fonts-noto-cjk)")
    say("printing the pages, twice")
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    content = print_pages(assemble(site, toc, published), site, chromium)
    part = target.with_suffix(".part")
    part.write_bytes(content)
    part.replace(target)
    stamp.write_text(key)
    say(
        f"{target.name} has {len(Pdf(content).pages)} pages ({len(content) / 1e6:.1f} MB), "
        f"printed in {time.monotonic() - start:.0f} s"
    )
    return target


def _has_korean() -> bool:
    """Whether a font with Korean letters is installed, as far as fontconfig can tell."""
    lister = shutil.which("fc-list")
    if not lister:
        return True
    run = subprocess.run([lister, ":lang=ko", "family"], capture_output=True, text=True, check=False)
    return run.returncode != 0 or bool(run.stdout.strip())


def main() -> int:
    """Print the book and return the exit code."""
    import os

    try:
        make(published=os.environ.get("COURSE_SITE", ""))
    except (PrintError, BuildError, OSError) as error:
        print(f"\nbook: not printed\n\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
