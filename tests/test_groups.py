"""The tests of a group run in one worker, so that what they share is made once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import os
from pathlib import Path
import pytest

def note(name):
    folder = Path(__file__).parent / "seen" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / os.environ["PYTEST_XDIST_WORKER"]).touch()

@pytest.mark.parametrize("number", range(6))
@pytest.mark.xdist_group("one group")
def test_one(number):
    note("one")

@pytest.mark.parametrize("number", range(6))
@pytest.mark.xdist_group("another")
def test_another(number):
    note("another")

@pytest.mark.parametrize("number", range(40))
def test_without(number):
    note("none")
"""


@pytest.mark.slow
def test_a_group_stays_in_one_worker(root: Path, tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    shutil.copy(root / "tests" / "conftest.py", tmp_path / "tests")
    (tmp_path / "tests" / "test_some.py").write_text(TESTS)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        "2",
        "--dist",
        "loadgroup",
        "-p",
        "no:cacheprovider",
    ]
    mine = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [*command, "tests"], cwd=tmp_path, env=mine, capture_output=True, text=True, check=False
    )
    assert "52 passed" in done.stdout, done.stdout + done.stderr
    seen = {folder.name: len(list(folder.iterdir())) for folder in (tmp_path / "tests" / "seen").iterdir()}
    assert seen == {"one": 1, "another": 1, "none": 2}
