"""The benchmark runs, races like with like, and writes what it promises. (Its times are not tested.)"""

from __future__ import annotations

import csv
import importlib
import time

import numpy as np
import pytest

pytestmark = [pytest.mark.keras, pytest.mark.slow]


@pytest.fixture
def bench(root, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(root / "tests" / "benchmarks")
    monkeypatch.delenv("CNNLIB_THREADS", raising=False)
    module = importlib.import_module("operators")
    monkeypatch.setattr(module, "OUT", tmp_path / "bench")
    monkeypatch.setattr(module.measuring, "OUT", tmp_path / "bench")
    return module


def table(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_it_writes_a_table_and_a_picture_for_one_thread_and_for_two(bench, capfd):
    assert bench.main(["--quick", "--cases", "b,l,l',p,p'"]) == 0
    said = capfd.readouterr().out
    assert "1 thread(s); sgemm" in said
    assert "2 thread(s); sgemm" in said
    rows = table(bench.OUT / "operators-partial.csv")
    assert [(row["threads"], row["case"]) for row in rows] == [
        (threads, case) for threads in "12" for case in ("b", "l", "p", "l'", "p'")
    ]
    for row in rows:
        backward = row["case"].endswith("'")
        rival = float(row["tensorflow_ms" if backward else "keras_ms"])
        assert float(row["to_rival"]) == pytest.approx(float(row["cnnlib_ms"]) / rival)
        assert bool(row["keras_ms"]) != backward
        # what is slow by nature is measured once, with one thread
        assert bool(row["loops_over_cnnlib"]) == (row["threads"] == "1" and row["case"] in "bl")
        if row["loops_over_cnnlib"]:
            assert float(row["loops_over_cnnlib"]) > 100
            assert float(row["scipy_ms"]) > float(row["cnnlib_ms"])
    report = (bench.OUT / "operators-partial.md").read_text()
    assert report.count("\n| ") == 2 + len(rows)
    assert "NumPy" in report
    assert "## 2 threads" in report
    assert (bench.OUT / "operators-partial.svg").read_text().count("<path") > 10
    for letter in ("b", "l", "l'", "p'"):  # each limit is judged, once
        assert said.count(f"kept      {letter} (") + said.count(f"NOT KEPT  {letter} (") == 1


def test_a_limit_that_is_not_kept_is_named(bench):
    row = {"threads": 1, "case": "a", "what": "a photograph", "rival": "Keras layer", "to_rival": 2.5}
    row |= {"limit_to_rival": 2.0, "beyond_over_output": 0.5, "limit_beyond_output": 1.25}
    row |= {"loops_over_cnnlib": 4000, "limit_loops": 5000}
    assert bench.verdicts([row, {**row, "threads": 2}]) == [
        (False, "a (a photograph): 2.50 of the Keras layer's time; allowed 2"),
        (True, "a (a photograph): 0.50 of the output beyond the output; allowed 1.25"),
        (False, "a (a photograph): naive loops take 4,000×; at least 5,000 wanted"),
    ]


@pytest.mark.parametrize("contestant", ["cnnlib", "TensorFlow op", "big im2col"])
def test_a_contestant_that_computes_something_else_is_found_out(bench, contestant):
    case = next(c for c in bench.CASES if c.name == "b")
    runs, _ = bench.contestants(case)
    bench.compare(case, runs)
    runs[contestant] = lambda: np.zeros((32, 26, 26, 8), np.float32)
    with pytest.raises(SystemExit, match=f"case b: {contestant} and the Keras layer differ"):
        bench.compare(case, runs)


def test_a_wrong_gradient_is_found_out_whichever_it_is(bench):
    case = next(c for c in bench.CASES if c.name == "l'")
    runs, _ = bench.contestants(case)
    bench.compare(case, runs)
    right = runs["cnnlib"]()
    for name in right._fields:
        wrong = right._replace(**{name: getattr(right, name) * 1.001})
        with pytest.raises(SystemExit, match="case l': cnnlib and the TensorFlow op differ"):
            bench.compare(case, {**runs, "cnnlib": lambda wrong=wrong: wrong})


def test_an_unknown_case_is_named(bench, capsys):
    with pytest.raises(SystemExit):
        bench.main(["--cases", "z"])
    assert "there are a, b, c" in capsys.readouterr().err


def test_some_cases_do_not_take_the_place_of_all(bench, monkeypatch):
    monkeypatch.setattr(bench, "gather", lambda *_: ([{"case": "b"}], "here"))
    for name in ("as_markdown", "draw", "verdicts"):
        monkeypatch.setattr(bench, name, lambda *_: "")
    bench.OUT.mkdir(parents=True, exist_ok=True)
    (bench.OUT / "operators.csv").write_text("all")
    assert bench.main(["--cases", "b"]) == 0
    assert (bench.OUT / "operators.csv").read_text() == "all"
    assert "b" in (bench.OUT / "operators-partial.csv").read_text()


def test_memory_is_what_numpy_holds_at_most(bench):
    beyond, output = bench.measuring.peak_beyond_output(lambda: np.ones(1000) + np.ones(1000) * 2)
    assert output == 8000
    assert 8000 <= beyond < 20_000


def test_the_least_time_of_each_counts(bench):
    waits = iter([0, 0.02, 0.001, 0.02, 0.02, 0.02])

    def spin():
        until = time.process_time() + next(waits)
        while time.process_time() < until:
            pass

    best = bench.measuring.interleave({"spinning": spin}, seconds=0)
    assert 0.001 <= best["spinning"] < 0.01


def test_names_of_the_cases_are_told_once(bench):
    names = [case.name for case in bench.CASES]
    assert len(set(names)) == len(names)


def test_growth_has_a_curve_for_each_thing_that_grows(bench, monkeypatch, tmp_path):
    growth = importlib.import_module("growth")
    small = {name: (label, layers[:3]) for name, (label, layers) in growth.SWEEPS.items()}
    monkeypatch.setattr(growth, "SWEEPS", small)
    growth.main(tmp_path, seconds=0)
    rows = table(tmp_path / "growth.csv")
    for sweep, (_, layers) in small.items():
        for name in ("cnnlib", "Keras layer", "big im2col"):
            found = [r for r in rows if (r["sweep"], r["name"]) == (sweep, name)]
            assert [int(r["at"]) for r in found] == [layer[growth.GROWING[sweep]] for layer in layers]
            assert all(float(r["ms"]) > 0 for r in found)
            macs = [int(r["macs"]) for r in found]
            assert macs == sorted(set(macs))
    assert (tmp_path / "growth.svg").read_text().count("<path") > 10
