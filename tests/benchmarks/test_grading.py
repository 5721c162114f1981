"""The benchmark of grading runs, on a class of one, and writes what it promises. (No time is tested.)"""

from __future__ import annotations

import csv
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

if sys.platform != "linux":
    pytest.skip("sandboxes need Linux", allow_module_level=True)


@pytest.fixture(scope="module")
def bench(root: Path) -> ModuleType:
    # By its file: beside the package `grading`, it has the package's name.
    file = root / "tests" / "benchmarks" / "grading.py"
    spec = importlib.util.spec_from_file_location("bench_grading", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


#: Runs the benchmark on another class than the course's: of the one assignment without Keras, which need not
#: be imported for each part then.
ANOTHER_CLASS = """
import importlib.util, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("bench_grading", sys.argv[1])
bench = importlib.util.module_from_spec(spec); sys.modules[spec.name] = bench
spec.loader.exec_module(bench)
read = bench.Rehearsal.read
bench.Rehearsal.read = staticmethod(lambda folder: read(Path(sys.argv[2])))
bench.main(sys.argv[3:])
"""
CLASS = """
assignment = "10-capstone"
due = 2026-03-09T18:00:00Z
"""
STUDENT = """
first_name = "Ada"
last_name = "Kim"
submitted = 2026-03-09T17:42:00Z
about = "Nothing done yet."
[cells]
"""


@pytest.mark.grading
@pytest.mark.slow
@pytest.mark.xdist_group("warm start")
def test_it_grades_and_writes_tables_and_a_picture(bench: ModuleType, tmp_path: Path) -> None:
    """As a process of its own, since it adopts processes that lost their parents."""
    (tmp_path / "class" / "students").mkdir(parents=True)
    (tmp_path / "class" / "class.toml").write_text(CLASS)
    (tmp_path / "class" / "students" / "ada.toml").write_text(STUDENT)
    options = ["--sizes", "1", "--jobs", "1", "--kernels", "1", "--workers", "0", "--memory", "2"]
    program = [sys.executable, "-c", ANOTHER_CLASS, str(bench.__file__), str(tmp_path / "class")]
    done = subprocess.run(
        [*program, *options, "--only", "ours, tests apart", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = list(csv.DictReader((tmp_path / "grading.csv").read_text().splitlines()))
    assert [row["contestant"] for row in rows] == ["ours, tests apart", "ours, the warm start"]
    for row in rows:
        assert float(row["wall_seconds"]) > 0.1
        assert float(row["cpu_seconds"]) > 0.1
    page = (tmp_path / "grading.md").read_text()
    assert "The sandbox costs a kernel" in page
    assert "to its first reply" in page
    assert "MiB with 2 submissions" in page
    assert "<svg" in (tmp_path / "grading.svg").read_text()


def test_processor_time_of_orphans_counts(bench: ModuleType) -> None:
    burn = "import time\nuntil = time.process_time() + 0.3\nwhile time.process_time() < until: pass"
    leave = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {burn!r}])"
    watched = (
        "import importlib.util, subprocess, sys\n"
        f"spec = importlib.util.spec_from_file_location('bench_grading', {bench.__file__!r})\n"
        "bench = importlib.util.module_from_spec(spec); sys.modules[spec.name] = bench\n"
        "spec.loader.exec_module(bench)\n"
        f"print(bench.timed(lambda: subprocess.run([sys.executable, '-c', {leave!r}]))[2])"
    )
    done = subprocess.run([sys.executable, "-c", watched], capture_output=True, text=True, check=True)
    assert 0.3 < float(done.stdout) < 3


def test_ratios_and_tables_say_what_was_measured(bench: ModuleType, tmp_path: Path) -> None:
    def rows(number: int, measured: bool) -> list[Any]:
        return [
            bench.Row(bench.SERIAL, number, 10.0 * number, 9.0 * number, measured),
            bench.Row(bench.PAIR, number, 5.0 * number, 9.0 * number, measured, 2),
            bench.Row(bench.TRUSTED, number, 0.5 * number, 0.9 * number, workers=2),
            bench.Row(bench.PLAIN, number, 0.25 * number, 0.5 * number, workers=2),
        ]

    everything = [*rows(12, True), *rows(60, False)]
    said = bench.ratios(everything)
    assert len(said) == 6
    assert "12 submissions, ours, tests in the same kernel: 40.0 times as fast as nbgrader, by" in said[0]
    assert "20.0 times" in said[4]
    assert [("goal: at least" in line) for line in said] == [False] * 3 + [True] * 3
    held = [(1, 100.0), (2, 101.0)]
    bench.write(everything, tmp_path, ["and so on"], rows(12, True)[2:3], held)
    page = (tmp_path / "grading.md").read_text()
    assert page.count("(computed)") == 2
    assert "- and so on" in page
    for ending in ("svg", "png", "csv"):
        assert (tmp_path / f"grading.{ending}").stat().st_size > 200


def test_a_submission_becomes_ones_of_others(bench: ModuleType, tmp_path: Path) -> None:
    course, assignment = bench.submissions(3, tmp_path / "class")
    students = course.students(assignment)
    assert len(students) == 3
    assert {student[0] for student in students} == {"a", "b"}
    contents = {file.read_text() for file in course.submitted.glob(f"*/{assignment}/*.ipynb")}
    assert len(contents) == 3
    assert all(f"student_id = '{student}'" in "".join(contents) for student in students)
