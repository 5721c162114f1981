"""Lateness: the edges of the rule, and penalties that follow points given later."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from traitlets import TraitError

from grading.course import Course
from grading.late import DAY, StartedDays, policy


def usual() -> StartedDays:
    return StartedDays(grace_minutes=15, percent_per_day=10, maximum_percent=50)


@pytest.mark.parametrize(
    ("seconds", "share"),
    [
        (0, 0),
        (15 * 60, 0),  # the grace period's last second
        (15 * 60 + 1, 0.1),
        (DAY, 0.1),  # days count from the due date, not from the end of the grace period
        (DAY + 1, 0.2),
        (4 * DAY, 0.4),
        (4 * DAY + 0.5, 0.5),
        (5 * DAY + 1, 0.5),  # at most half
        (1000 * DAY, 0.5),
    ],
)
def test_share_of_the_score(seconds: float, share: float) -> None:
    assert usual().late_submission_penalty("ada", 40, seconds) == pytest.approx(40 * share)


@given(score=st.floats(0, 100), seconds=st.floats(0, 100 * DAY), more=st.floats(0, 100 * DAY))
def test_never_more_than_the_score_and_never_less_for_waiting(
    score: float, seconds: float, more: float
) -> None:
    rule = StartedDays(grace_minutes=0, percent_per_day=30, maximum_percent=100)
    sooner, later = (rule.late_submission_penalty("ada", score, s) for s in (seconds, seconds + more))
    assert 0 <= sooner <= later <= score + 0.005  # two decimals


@pytest.mark.parametrize(
    "settings", [{"percent_per_day": -1}, {"maximum_percent": 101}, {"grace_minutes": -5}]
)
def test_senseless_settings_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(TraitError):
        StartedDays(**settings)


def test_the_course_uses_it(root) -> None:
    rule = policy(Course.load(root).config)
    assert isinstance(rule, StartedDays)
    assert rule.late_submission_penalty("ada", 40, 60 * rule.grace_minutes) == 0
    assert rule.late_submission_penalty("ada", 40, 60 * rule.grace_minutes + 1) > 0


def test_another_policy_can_be_named(root) -> None:
    config = Course.load(root).settings()
    config.AssignLatePenalties.plugin_class = "nbgrader.plugins.LateSubmissionPlugin"
    config.LateSubmissionPlugin.penalty_method = "zero"
    assert policy(config).late_submission_penalty("ada", 40, 1) == 40
