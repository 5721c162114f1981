"""The race of LeNet-5 with Keras runs and writes what it promises. (Its times are not tested.)"""

from __future__ import annotations

import csv
import importlib

import numpy as np
import pytest

pytestmark = [pytest.mark.keras, pytest.mark.slow]


@pytest.fixture
def bench(root, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(root / "tests" / "benchmarks")
    monkeypatch.delenv("CNNLIB_THREADS", raising=False)
    module = importlib.import_module("networks")
    monkeypatch.setattr(module.measuring, "OUT", tmp_path / "bench")
    return module


def test_it_writes_a_table_and_a_picture(bench, capsys):
    assert bench.main(["--quick", "--only", "training"]) == 0
    said = capsys.readouterr().out
    assert "of Keras' fit; allowed 1.0" in said
    assert "of held-out digits after" in said
    rows = list(csv.DictReader((bench.measuring.OUT / "training.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    for row in rows:  # both learn the same: their batches differ, and so their losses a little
        ours, theirs = float(row["cnnlib_loss"]), float(row["keras_loss"])
        assert 0.7 < ours / theirs < 1.4
        assert 0 < float(row["cnnlib_seconds"]) < 60
    page = (bench.measuring.OUT / "training.md").read_text()
    assert "times as long" in page
    assert page.count("\n|") == 4
    assert "<svg" in (bench.measuring.OUT / "training.svg").read_text()


def test_limits_are_judged_by_the_median_epoch(bench):
    rows = [{"cnnlib_seconds": ours, "keras_seconds": 1.0} for ours in (0.9, 0.95, 9.0)]
    assert [kept for kept, _ in bench.verdicts(rows, 0.98, 30)] == [True, True]
    assert [kept for kept, _ in bench.verdicts([*rows, rows[2], rows[2]], 0.97, 30)] == [False, False]
    assert not bench.verdicts(rows, 0.98, 61)[1][0]
    assert np.isclose(bench.medians(rows)[0], 0.95)
