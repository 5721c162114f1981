"""What can go wrong, in words for the person who typed the command."""

from __future__ import annotations


class GradingError(Exception):
    """One line that says what is wrong and how to mend it."""


class SubmissionError(GradingError):
    """One submission could not be graded; the others are not touched."""
