"""Each section that teaches ends with its quiz, and each quiz stands in its section."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from docutils.nodes import make_id

from cnnlib.exercises import quizzes
from cnnlib.exercises.quiz_data import anchor
from cnnlib.exercises.wording import CHAPTERS

#: Sections that every chapter has, and that teach nothing new.
WITHOUT = {"Summary", "In the source notes", "Exercises", "Further reading"}
_CELL = re.compile(
    r"```\{code-cell\} python\n:tags: \[remove-input\]\nfrom cnnlib\.exercises import quiz\n\n"
    r"quiz\(\"([a-z0-9-]+)\"\)\n```"
)
_FENCED = re.compile(r"^(`{3,}|:{3,}).*?^\1\s*$", re.DOTALL | re.MULTILINE)


def sections(text: str) -> dict[str, str]:
    """The sections of a chapter, by title; headings within code are none."""
    code = [range(*found.span()) for found in _FENCED.finditer(text)]
    heads = [
        found
        for found in re.finditer(r"^## (.+)$", text, re.MULTILINE)
        if not any(found.start() in one for one in code)
    ]
    ends = [*(found.start() for found in heads[1:]), len(text)]
    return {found[1].strip(): text[found.end() : end] for found, end in zip(heads, ends, strict=True)}


@pytest.fixture(scope="module", params=CHAPTERS)
def chapter(request: pytest.FixtureRequest, root: Path) -> tuple[str, dict[str, str]]:
    """A chapter's label and its sections."""
    page = CHAPTERS[request.param][2]
    return request.param, sections((root / "chapters" / f"{page}.md").read_text(encoding="utf-8"))


def test_each_section_ends_with_its_quiz(chapter: tuple[str, dict[str, str]]) -> None:
    label, its = chapter
    named = {quiz.name: quiz.section for quiz in quizzes.by_chapter()[label]}
    for title, text in its.items():
        called = re.findall(r"\bquiz\(", text)
        if title in WITHOUT:
            assert not called, title
            continue
        # A label for what follows may stand behind it, and a comment.
        end = re.sub(r"(\n+(\([\w:.-]+\)=|\+\+\+|%.*))*\s*$", "", text)
        cells = list(_CELL.finditer(end))
        assert len(cells) == len(called) == 1, f"{title}: {len(called)} quizzes, {len(cells)} cells of one"
        assert cells[0].end() == len(end), f"{title}: something stands behind the quiz"
        assert named.pop(cells[0][1], None) == title
    assert named == {}, "quizzes that stand nowhere"


def test_quizzes_come_in_the_order_of_the_sections(chapter: tuple[str, dict[str, str]]) -> None:
    label, its = chapter
    titles = [quiz.section for quiz in quizzes.by_chapter()[label]]
    assert titles == [title for title in its if title not in WITHOUT]


def test_links_to_sections_hold(chapter: tuple[str, dict[str, str]]) -> None:
    """The site makes its anchors with docutils, which a reader's Python does not have."""
    _, its = chapter
    anchors = [anchor(title) for title in its]
    assert anchors == [make_id(title) for title in its]
    assert len(set(anchors)) == len(anchors)
