"""What students must not see, as lines of text, and the search for it.

A line is *secret* where it stands in a solution or in a hidden test and nowhere in the released notebook;
*telling* where it is long enough that nobody would write it by chance.
"""

from __future__ import annotations

import functools
import html
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

#: The shortest line that counts as telling, without the space around it.
TELLING = 16

_TAG = re.compile(r"<[^<>]*>")
_WORD = re.compile(r"\w+")

_REGIONS = {
    "solution": ("BEGIN SOLUTION", "END SOLUTION"),
    "hidden test": ("BEGIN HIDDEN TESTS", "END HIDDEN TESTS"),
    "marking scheme": ("BEGIN MARK SCHEME", "END MARK SCHEME"),
}


def region(source: str, kind: str) -> Iterator[str]:
    r"""The lines inside all regions of this kind.

    >>> list(region("a = 1\n### BEGIN SOLUTION\na = 2\n### END SOLUTION", "solution"))
    ['a = 2']
    """
    begin, end = _REGIONS[kind]
    inside = False
    for line in source.splitlines():
        if begin in line:
            inside = True
        elif end in line:
            inside = False
        elif inside:
            yield line


def public(source: str) -> Iterator[str]:
    r"""The lines outside all regions, which the release shows.

    >>> list(public("a = 1\n### BEGIN SOLUTION\na = 2\n### END SOLUTION"))
    ['a = 1']
    """
    inside = False
    for line in source.splitlines():
        if any(begin in line for begin, _ in _REGIONS.values()):
            inside = True
        elif any(end in line for _, end in _REGIONS.values()):
            inside = False
        elif not inside:
            yield line


def secrets(notebook: Path, *kinds: str) -> set[str]:
    """The secret, telling lines of a source notebook (of all kinds of region, or of those named)."""
    cells = _cells(notebook)
    shown = {line.strip() for cell in cells for line in public(cell)}
    hidden = {line.strip() for cell in cells for kind in kinds or _REGIONS for line in region(cell, kind)}
    return {line for line in hidden - shown if len(line) >= TELLING}


def found(text: str, lines: Iterable[str]) -> list[str]:
    """Which of the lines stand in a text, also where HTML has coloured and escaped them, or JSON.

    >>> found("<b>assert</b> x <i>&lt;</i> 3 and y", ["assert x < 3 and y", "assert y"])
    ['assert x < 3 and y']
    """
    texts = [(each, frozenset(_WORD.findall(each))) for each in _undressed(text)]
    return sorted(
        line
        for line in lines
        if any(_stands(line, *each) for each in texts)
        or any(_stands(written, *texts[0]) for written in _as_json(line))
    )


def _undressed(text: str) -> list[str]:
    """A text as it is, without HTML's escapes, and without its tags as well: each once."""
    return list(dict.fromkeys((text, html.unescape(text), html.unescape(_TAG.sub("", text)))))


def _stands(line: str, text: str, words: frozenset[str]) -> bool:
    """Whether a line stands in a text with these words: a search only where its own words are among them.

    There are a thousand lines, and files of ten megabytes.
    """
    return _inner(line) <= words and line in text


@functools.cache
def _inner(line: str) -> frozenset[str]:
    """The words of a line that are whole words wherever it stands: not those at its ends."""
    return frozenset(word[0] for word in _WORD.finditer(line) if word.start() > 0 and word.end() < len(line))


def search(folder: Path, lines: Iterable[str]) -> dict[Path, list[str]]:
    """The files of a folder in which some of the lines stand, and which."""
    wanted = list(lines)
    seen = {}
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        there = found(file.read_bytes().decode("utf-8", errors="replace"), wanted)
        if there:
            seen[file] = there
    return seen


def marked(text: str) -> list[str]:
    """The delimiters of regions that stand in a text: none may be left in what students get."""
    return sorted(mark for pair in _REGIONS.values() for mark in pair if mark in text)


@functools.cache
def _as_json(line: str) -> tuple[str, str]:
    return json.dumps(line)[1:-1], json.dumps(line, ensure_ascii=False)[1:-1]


def _cells(notebook: Path) -> list[str]:
    content: Any = json.loads(notebook.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in content["cells"]]
