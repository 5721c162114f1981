"""What lateness costs: some per cent of the score for each day that has begun.

An instructor sets the three numbers in ``nbgrader_config.py``; another policy is another subclass of
nbgrader's ``LateSubmissionPlugin``, named there.
"""

from __future__ import annotations

import math

from nbgrader.api import Gradebook
from nbgrader.plugins import LateSubmissionPlugin
from traitlets import Float, TraitError, validate
from traitlets.config import Config
from traitlets.utils.importstring import import_item

DAY = 24 * 60 * 60


class StartedDays(LateSubmissionPlugin):
    """Take ``percent_per_day`` of the score for each started day, at most ``maximum_percent``.

    A submission within the grace period is punctual. After it, days count from the due date itself, so
    that the grace period is a courtesy for slow networks and not a later due date.

    >>> policy = StartedDays(grace_minutes=15, percent_per_day=10, maximum_percent=50)
    >>> [policy.late_submission_penalty("ada", 40, 60 * late) for late in (15, 16, 24 * 60, 24 * 60 + 1)]
    [0.0, 4.0, 4.0, 8.0]
    >>> policy.late_submission_penalty("ada", 40, 365 * DAY)
    20.0
    """

    grace_minutes = Float(0, min=0, help="So many minutes after the due date still count as punctual.").tag(
        config=True
    )
    percent_per_day = Float(10, help="How many per cent of the score each started day takes.").tag(
        config=True
    )
    maximum_percent = Float(100, help="The most that lateness takes, in per cent of the score.").tag(
        config=True
    )

    @validate("percent_per_day", "maximum_percent")
    def _valid_percentage(self, proposal: dict) -> float:
        if not 0 <= proposal["value"] <= 100:
            raise TraitError(
                f"{proposal['trait'].name} is {proposal['value']:g}; it must lie between 0 and 100"
            )
        return float(proposal["value"])

    def late_submission_penalty(self, student_id: str, score: float, total_seconds_late: float) -> float:
        """The points to take off, with two decimals.

        Args:
            student_id: who; the same rule holds for all.
            score: the points reached.
            total_seconds_late: seconds after the due date, extensions already taken off.
        """
        if total_seconds_late <= 60 * self.grace_minutes:
            return 0.0
        days = math.ceil(total_seconds_late / DAY)
        return float(round(score * min(self.maximum_percent, days * self.percent_per_day) / 100, 2))


def policy(config: Config) -> LateSubmissionPlugin:
    """The policy that the configuration names."""
    named = config.AssignLatePenalties.get("plugin_class", LateSubmissionPlugin)
    return (import_item(named) if isinstance(named, str) else named)(config=config)


def refresh(gradebook: Gradebook, assignment: str, rule: LateSubmissionPlugin) -> None:
    """Compute all penalties anew.

    nbgrader does so only while it autogrades; points that a person gives later would go unpenalised.
    """
    for submission in gradebook.assignment_submissions(assignment):
        late = submission.total_seconds_late
        for notebook in submission.notebooks:
            penalty = (
                rule.late_submission_penalty(submission.student.id, notebook.score, late)
                if late > 0
                else None
            )
            notebook.late_submission_penalty = penalty and min(max(penalty, 0.0), notebook.score)
    gradebook.db.commit()
