"""The benchmark runs, races like with like, and writes what it promises. (Its times are not tested.)"""

from __future__ import annotations

import csv
import importlib.util
import sys

import numpy as np
import pytest

pytestmark = [pytest.mark.keras, pytest.mark.slow]


@pytest.fixture
def bench(root, monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location("operators", root / "tests" / "benchmarks" / "operators.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "operators", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "OUT", tmp_path / "bench")
    return module


def test_it_writes_a_table_and_a_picture(bench, capsys):
    assert bench.main(["--quick", "--cases", "b,l,p"]) == 0
    assert "GFLOP/s" in capsys.readouterr().out
    rows = list(csv.DictReader((bench.OUT / "operators.csv").read_text().splitlines()))
    assert [row["case"] for row in rows] == ["b", "l", "p"]
    for row in rows:
        assert float(row["to_keras"]) == pytest.approx(float(row["cnnlib_ms"]) / float(row["keras_ms"]))
    assert (bench.OUT / "operators.md").read_text().count("\n| ") == 1 + len(rows)
    assert "NumPy" in (bench.OUT / "operators.md").read_text()
    assert (bench.OUT / "operators.svg").read_text().count("<path") > 10


def test_a_contestant_that_computes_something_else_is_found_out(bench, monkeypatch):
    monkeypatch.setattr(
        bench, "im2col", lambda inputs, kernel, bias, *_: np.zeros((32, 26, 26, 8), np.float32)
    )
    with pytest.raises(SystemExit, match="case b: big im2col and the Keras layer differ"):
        bench.main(["--quick", "--cases", "b"])


def test_an_unknown_case_is_named(bench, capsys):
    with pytest.raises(SystemExit):
        bench.main(["--cases", "z"])
    assert "there are a, b, c" in capsys.readouterr().err


def test_memory_is_what_numpy_holds_at_most(bench):
    beyond, output = bench.peak_beyond_output(lambda: np.ones(1000) + np.ones(1000) * 2)
    assert output == 8000
    assert 8000 <= beyond < 20_000


def test_names_of_the_cases_are_told_once(bench):
    names = [case.name for case in bench.CASES]
    assert len(set(names)) == len(names)
