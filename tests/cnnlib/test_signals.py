"""Recordings: there, real, and what their descriptions say."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from cnnlib.signals import RECORDINGS, recording


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_recording_opens(name):
    samples = recording(name)
    assert samples.dtype == np.float64
    assert samples.ndim == 1
    assert np.isfinite(samples).all()
    assert len(np.unique(samples)) > 100
    assert len(RECORDINGS[name]) > 10


def test_sizes_are_those_described():
    assert "1024" in RECORDINGS["heartbeat"]
    assert len(recording("heartbeat")) == 1024
    years = 2015 - 1950 + 1
    assert len(recording("sea_temperature")) == 4 * years  # every three months


def test_the_heart_beats():
    samples = recording("heartbeat")
    height = samples.mean() + 3 * samples.std()
    beats, _ = scipy.signal.find_peaks(samples, height=height, distance=100)
    assert 3 <= len(beats) <= 12
    assert np.diff(beats).std() < 0.2 * np.diff(beats).mean()  # regular


def test_the_sea_is_a_few_degrees_off_at_most():
    samples = recording("sea_temperature")
    assert abs(samples.mean()) < 0.5
    assert 1 < np.abs(samples).max() < 5


def test_a_recording_is_the_callers_own():
    for name in RECORDINGS:
        recording(name)[:] = 0
        assert recording(name).any()
