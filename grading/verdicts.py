"""What checks told a student, read out of a graded notebook: verdict by verdict, with the slip behind it.

A check prints a line for each thing that it looks at (:class:`cnnlib.exercises.Marks`); a slip is known by
its message, which stands in :mod:`cnnlib.exercises.kinds` and nowhere else.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_solution

from cnnlib.exercises.misconceptions import Misconception, everything
from cnnlib.exercises.wording import CHAPTERS, SAY, say

_LINE = re.compile(
    r"(?P<name>[^:]{1,120}): (?P<text>.+) \[(?P<won>\d+(?:\.\d+)?) of (?P<worth>\d+(?:\.\d+)?)\]"
)
#: How a message sends a student to a chapter, up to where the book's address may follow.
_CHAPTERS = {
    say("chapter", number=number, title=title, where="").removesuffix("."): page
    for number, title, page in CHAPTERS.values()
}
_CHAPTER = re.compile("|".join(map(re.escape, _CHAPTERS)))
#: What is said of an answer that is right for another student's numbers, and for those of the id that the
#: notebook names.
_ANOTHERS = say("anothers-numbers")
_TYPED = re.compile(
    re.escape(SAY["typed-numbers"]).replace(r"\{typed\}", "(?P<typed>.+)").replace(r"\{student\}", ".+")
)


@dataclass(frozen=True)
class Told:
    """One verdict: about what, in which words, and for how many points."""

    name: str
    text: str
    won: float
    worth: float

    @property
    def went(self) -> str:
        """In a word: full, part, none."""
        return "full" if self.won >= self.worth else "part" if self.won else "none"

    @property
    def foreign(self) -> bool:
        """Whether the answer is right, but for numbers that are not this student's."""
        return self.text.startswith(_ANOTHERS) or self.typed is not None

    @property
    def typed(self) -> str | None:
        """The id that the notebook names and for whose numbers the answer is right, where that is so.

        >>> Told("size", say("typed-numbers", student="ada", typed="bo"), 0, 1).typed
        'bo'
        """
        match = _TYPED.match(self.text)
        return match["typed"] if match else None

    @property
    def slip(self) -> Misconception | None:
        """The registered mistake whose message this is; the first of several that say the same."""
        return None if self.went == "full" else _slip(self.text)


def read(printed: str) -> list[Told]:
    r"""The verdicts in what a check printed; none where something else was printed too.

    >>> read("size: right. [1 of 1]\nshape: 23 counts the steps that\n  the window takes. [0 of 2]\n")[1]
    Told(name='shape', text='23 counts the steps that the window takes.', won=0.0, worth=2.0)
    >>> read("size: right. [1 of 1]\nand so on")
    []
    """
    lines: list[str] = []
    for line in printed.strip("\n").split("\n"):
        if line.startswith("  ") and lines:
            lines[-1] += line[1:]
        else:
            lines.append(line)
    matches = [_LINE.fullmatch(line) for line in lines if line]
    found = [
        Told(match["name"], match["text"], float(match["won"]), float(match["worth"]))
        for match in matches
        if match
    ]
    return found if len(found) == len(matches) else []


def of(nb: NotebookNode) -> Iterator[tuple[str, Told]]:
    """All verdicts of a graded notebook, each with the question that it belongs to."""
    for cell in nb.cells:
        if cell.cell_type == "code" and is_grade(cell) and not is_solution(cell):
            for output in cell.get("outputs", []):
                if output.output_type == "stream" and output.name == "stdout":
                    for told in read("".join(output.text)):
                        yield cell.metadata.nbgrader.grade_id, told


def chapters(text: str) -> list[tuple[str, str]]:
    """A text cut where it names a chapter: pieces, each with the page that it names or nothing.

    >>> chapters("No. See chapter 6, “Padding and stride”.")
    [('No. ', ''), ('See chapter 6, “Padding and stride”', '06-padding-and-stride'), ('.', '')]
    """
    pieces, end = [], 0
    for match in _CHAPTER.finditer(text):
        pieces += [(text[end : match.start()], ""), (match[0], _CHAPTERS[match[0]])]
        end = match.end()
    return [piece for piece in (*pieces, (text[end:], "")) if piece[0]]


@functools.cache
def _patterns() -> tuple[tuple[str, re.Pattern[str], Misconception], ...]:
    """For each message its longest piece without a blank, and all of it as a pattern; the longest first.

    "This leaves out the bias" would else be taken for "{answer} leaves out the bias".
    """
    found = []
    for entry in everything():
        pieces = re.split(r"\{[^}]*\}", entry.message)
        found.append((max(pieces, key=len), re.compile(".+?".join(map(re.escape, pieces))), entry))
    return tuple(sorted(found, key=lambda each: -len(each[1].pattern)))


@functools.lru_cache(maxsize=4096)
def _slip(text: str) -> Misconception | None:
    return next((entry for piece, whole, entry in _patterns() if piece in text and whole.search(text)), None)
