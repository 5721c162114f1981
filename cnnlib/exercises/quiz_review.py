"""What a reader answered in all quizzes, what went wrong, and what is left: a piece of a page of its own."""

from __future__ import annotations

import html
from typing import Any

from cnnlib.exercises import quizzes
from cnnlib.exercises.wording import CHAPTERS, REVIEW, site
from cnnlib.explorers.base import button, region
from cnnlib.explorers.page import Piece


class Review(Piece):
    """What to review; see :func:`cnnlib.exercises.review`."""

    script, parts, name = "cnnlib.exercises/quiz_review", ("cnnlib.exercises/quiz_kept",), "quiz-review"
    words = REVIEW

    def __init__(self) -> None:
        self.chapters = quizzes.by_chapter()

    @property
    def places(self) -> list[str]:
        """All questions as the reader's browser keeps them: the quiz's name, and which of its questions."""
        return [
            f"{quiz.name}/{number}"
            for its in self.chapters.values()
            for quiz in its
            for number in range(1, len(quiz.questions) + 1)
        ]

    def __repr__(self) -> str:
        return REVIEW["none"]

    def _repr_png_(self) -> None:
        """A list has no picture."""

    def _state(self) -> dict[str, Any]:
        return {"site": f"{site()}/" if site() else ""}

    def _content(self) -> str:
        file = '<input type="file" data-c="import" accept=".json,application/json">'
        controls = (
            f"{button('export', REVIEW['export'])}{button('erase', REVIEW['erase'])}"
            f"<label><span>{REVIEW['import']}</span>{file}</label>"
        )
        summary = region("summary", REVIEW["static"], "p", role="status", aria_live="polite")
        return (
            f'<div class="cx-review">{summary}'
            f'{region("again", "", "ul")}<div class="cx-controls" hidden>{controls}</div>'
            f"{''.join(map(self._chapter, self.chapters))}</div>"
        )

    def _chapter(self, label: str) -> str:
        number, title, page = CHAPTERS[label]
        entries = []
        for quiz in self.chapters[label]:
            for which in range(1, len(quiz.questions) + 1):
                said = html.escape(quiz.section)
                if len(quiz.questions) > 1:
                    said += f", {REVIEW['question'].format(number=which)}"
                link = f'<a href="{page}.html#{quiz.anchor}">{said}</a>'
                entries.append(f'<li data-q="{quiz.name}/{which}">{link}<span></span></li>')
        return (
            f"<details open><summary>{number}. {html.escape(title)} <span></span></summary>"
            f"<ul>{''.join(entries)}</ul></details>"
        )
