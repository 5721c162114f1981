"""The simulation of a large class runs and adds up. (Its times are not tested.)"""

from __future__ import annotations

import csv
import importlib
import json
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")

pytestmark = [pytest.mark.grading, pytest.mark.slow, pytest.mark.xdist_group("dask")]


@pytest.fixture
def simulation(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(root / "tests" / "benchmarks")
    return importlib.import_module("simulation")


def test_what_was_recorded_is_of_the_rehearsal_class(simulation) -> None:
    recorded = json.loads(simulation.RECORDED.read_text())
    assert len(recorded["seconds"]) == len(recorded["bytes_sent"]) == len(recorded["bytes_back"]) >= 12
    assert 0.1 < min(recorded["seconds"]) <= max(recorded["seconds"]) < 60


def test_all_are_scheduled_once_and_a_table_and_a_picture_are_drawn(
    simulation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded, kept, real = json.loads(simulation.RECORDED.read_text()), [], simulation.Simulated.run

    def run(self, jobs):
        kept.append(self.client.scheduler_comm.recent_message_log.maxlen)
        return real(self, jobs)

    monkeypatch.setattr(simulation.Simulated, "run", run)
    scheduled = simulation.schedule(recorded, many=60, workers=3, faster=200)
    assert scheduled[-1]["done"] == 60
    assert kept == [simulation.cluster.FEW], "submissions that were sent stay in memory"
    written = [
        {
            "kind": kind,
            "held": 0,
            "seconds": s,
            "cpu": s / 4,
            "database": s,
            "notebooks": s,
            "journal and note": s,
        }
        for kind, s in (("SQLite", 0.02), ("PostgreSQL", 0.01))
    ]
    found = simulation.follows(recorded, scheduled, written)
    each = {line["part"]: line["seconds"] for line in found}
    assert each["writer, SQLite"] == 0.02
    assert each["writer, SQLite, without its waiting"] == 0.005
    for kind in ("SQLite", "PostgreSQL"):
        number = simulation.enough(found, kind)
        least = simulation.hours(found, 10**9, kind)
        assert simulation.hours(found, number, kind) == pytest.approx(least, rel=0.05)
        assert simulation.hours(found, number / 2, kind) == pytest.approx(2 * least, rel=0.05)
    said = {"recorded": recorded, "scheduled": scheduled, "written": written}
    said["about"] = {"machine": "this one", "load": [0.0]}
    simulation.table(said, found, tmp_path / "a.csv")
    rows = list(csv.reader((tmp_path / "a.csv").read_text().splitlines()))
    assert {len(row) for row in rows} == {4}
    simulation.draw(found, scheduled, written, tmp_path / "a.svg")
    assert (tmp_path / "a.svg").stat().st_size > 5000


def test_a_gradebook_is_filled_with_students_who_have_marks(simulation, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(simulation, "OUT", tmp_path / "bench")
    (line,) = simulation.write("SQLite", None, full=[7], results=2)
    assert line["held"] == 7
    parts = line["database"] + line["notebooks"] + line["journal and note"]
    assert 0 < parts <= line["seconds"]
