"""What can go wrong, in words for the person who typed the command."""

from __future__ import annotations


class GradingError(Exception):
    """One line that says what is wrong and how to mend it."""


class SubmissionError(GradingError):
    """One submission could not be graded; the others are not touched."""


class SandboxError(GradingError):
    """A protection could not be put up; nothing of a submission has run."""


def printable(text: str) -> str:
    r"""Text that does nothing to a terminal: what is not plain to see is written as its code.

    >>> printable("ada\x1b[2J, 김지우\u202e"), printable("two\nlines")
    ('ada\\x1b[2J, 김지우\\u202e', 'two\nlines')
    """
    return "".join(
        c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode("ascii") for c in text
    )
