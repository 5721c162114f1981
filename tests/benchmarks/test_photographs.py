"""The benchmark of whole networks runs, compares equal answers, and writes what it promises."""

from __future__ import annotations

import csv
import importlib

import numpy as np
import pytest

pytestmark = [pytest.mark.keras, pytest.mark.slow]


@pytest.fixture
def bench(root, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(root / "tests" / "benchmarks")
    module = importlib.import_module("photographs")
    monkeypatch.setattr(module.measuring, "OUT", tmp_path / "bench")
    return module


def test_it_writes_tables_and_a_picture(bench, capsys):
    written = bench.main(["--quick", "--networks", "efficientnet_lite0"])
    folder = bench.measuring.OUT
    assert all((folder / name).stat().st_size > 300 for name in written)
    assert "kept      efficientnet_lite0" in capsys.readouterr().out
    (row,) = csv.DictReader((folder / "photographs.csv").read_text().splitlines())
    assert row["parameters"] == "4694024"
    assert "cat" in row["sees"]
    assert float(row["to_keras"]) == pytest.approx(float(row["cnnlib_ms"]) / float(row["keras_ms"]))
    assert 0 < float(row["share_of_sgemm"]) < 1.2


def test_a_race_of_different_answers_is_none(bench, monkeypatch):
    monkeypatch.setattr(bench, "fold_batch_norm", lambda model: lambda x: np.roll(model(x), 1))
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        bench.measure("mobilenet", 0.1, 1e9)


def test_a_limit_that_is_broken_is_said(bench):
    row = {"network": "slow", "cnnlib_ms": 1500.0, "limit_ms": 1000.0}
    assert bench.verdicts([row]) == [(False, "slow: 1500 ms a photograph; allowed 1000")]


def test_an_unknown_network_is_an_error(bench, capsys):
    with pytest.raises(SystemExit):
        bench.main(["--networks", "skynet"])
    assert "no such network 'skynet'" in capsys.readouterr().err
