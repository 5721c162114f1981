"""All tasks at a glance: what each asks, trains and is worth, and which mistakes it knows.

>>> from cnnlib.exercises import sheets
>>> assignment = sheets.load("03-sizes-and-counts")
>>> print(table(assignment).splitlines()[4])
| **Keep the size** · calculate | choose the padding | 2 | 1 | both sides together · half the kernel · one
too many |
"""

from __future__ import annotations

from cnnlib.exercises.misconceptions import likely
from cnnlib.exercises.sheet import Assignment, Question, Work


def slips(question: Question) -> list[str]:
    """The names of the mistakes that checks of a question tell, each once.

    Some show over many inputs alone, and so only where a function is asked for.
    """
    found: dict[str, None] = {}
    for part in question.parts:
        if part.kind is not None:
            entries = likely(part.kind)
            found |= {entry.name: None for entry in entries if isinstance(part, Work) or not entry.over_many}
    return list(found)


def table(assignment: Assignment) -> str:
    """A table in Markdown, with a row for each question."""
    lines = ["| task | trains to | points | difficulty | slips that are told |", "|---|---|---|---|---|"]
    for question in assignment.questions:
        told = " · ".join(name.replace("-", " ") for name in slips(question))
        by_hand = "read by a person" if question.by_hand else "what is not as asked for, layer by layer"
        cells = (
            f"**{question.title}** · {question.sort}",
            question.objective,
            f"{question.points:g}",
            str(question.difficulty),
            told or by_hand,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
