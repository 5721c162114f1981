"""The environment is made once, made afresh when half built, and what is missing is said in a line."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
Version = namedtuple("Version", "major minor micro")


@pytest.fixture
def bootstrap(tmp_path, monkeypatch):
    """The script, set to work in an empty folder, with pip and venv replaced by a record of calls."""
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "bootstrap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    for name, path in (
        ("VENV", ".venv"),
        ("LOCK", "requirements.lock"),
        ("LOG", ".cache/install.log"),
        ("STAMP", ".venv/complete"),
        ("LOCKED", ".cache/install.lock"),
        ("PYTHON", ".venv/bin/python"),
    ):
        monkeypatch.setattr(module, name, tmp_path / path)
    module.steps = []

    def make_environment(command, **_):
        if command[1:3] == ["-m", "venv"]:
            (module.VENV / "bin").mkdir(parents=True)
            (module.VENV / "pyvenv.cfg").touch()
            module.PYTHON.symlink_to(sys.executable)
        return subprocess.CompletedProcess(command, 0, stdout="")

    monkeypatch.setattr(module.subprocess, "run", make_environment)
    monkeypatch.setattr(module, "run", lambda command, *_: module.steps.append(command) or True)
    return module


def test_makes_the_environment_with_hashes_and_only_once(bootstrap):
    assert bootstrap.main() == 0
    assert ["--require-hashes" in step for step in bootstrap.steps] == [True, False]
    assert bootstrap.main() == 0
    assert len(bootstrap.steps) == 2, "a complete environment was made again"


def test_makes_it_afresh_when_the_lock_changes(bootstrap, capsys):
    bootstrap.main()
    bootstrap.LOCK.write_text(bootstrap.LOCK.read_text() + "\n")
    assert bootstrap.main() == 0
    assert len(bootstrap.steps) == 4
    assert "out of date" in capsys.readouterr().out


def test_the_environments_own_python_never_makes_it(tmp_path):
    """`make` finds .venv/bin/python3.11 before the system's, and it is gone once .venv is removed."""
    code = "import bootstrap; print(bootstrap.BASE)"
    inside = tmp_path / "inside"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(inside)], check=True)
    python = str(inside / "bin/python")
    base = Path(subprocess.check_output([python, "-c", code], cwd=ROOT, text=True).strip())
    assert base.is_file()
    assert not base.is_relative_to(inside)


def test_a_second_run_waits_for_the_first(bootstrap, capsys):
    """Otherwise it would take the environment for half built, and remove it."""
    release = threading.Event()
    made = bootstrap.make_afresh

    def slowly(fingerprint):
        assert release.wait(10)
        return made(fingerprint)

    bootstrap.make_afresh = slowly
    runs = [threading.Thread(target=bootstrap.main) for _ in range(2)]
    for run in runs:
        run.start()
    said = ""
    for _ in range(1000):
        said += capsys.readouterr().out
        if "waiting for another run" in said:
            break
        time.sleep(0.01)
    release.set()
    for run in runs:
        run.join()
    assert "waiting for another run" in said
    assert len(bootstrap.steps) == 2, "the environment was made twice"


def test_a_changed_linter_setting_does_not_make_it_anew(bootstrap):
    bootstrap.main()
    settings = bootstrap.ROOT / "pyproject.toml"
    settings.write_text(settings.read_text() + "\n[tool.other]\nkey = 1\n")
    assert bootstrap.main() == 0
    assert len(bootstrap.steps) == 2


def test_makes_a_half_built_one_afresh(bootstrap, capsys):
    bootstrap.main()
    bootstrap.STAMP.unlink()
    left_over = bootstrap.VENV / "left-over"
    left_over.touch()
    assert bootstrap.main() == 0
    assert not left_over.exists()
    assert "half built" in capsys.readouterr().out


def test_a_failed_installation_is_not_taken_for_a_finished_one(bootstrap, monkeypatch, capsys):
    def no_network(command, log, total):
        log.write("NewConnectionError: no route\nERROR: No matching distribution found")
        return False

    with monkeypatch.context() as broken:
        broken.setattr(bootstrap, "run", no_network)
        assert bootstrap.main() == 1
    assert "no network" in capsys.readouterr().err
    assert bootstrap.main() == 0, "the next run did not recover"
    assert bootstrap.STAMP.is_file()


def test_leaves_alone_what_it_did_not_make(bootstrap, capsys):
    bootstrap.VENV.mkdir()
    mine = bootstrap.VENV / "thesis.txt"
    mine.touch()
    assert bootstrap.main() == 1
    assert mine.exists()
    assert "not a Python environment" in capsys.readouterr().err


def test_does_not_follow_a_link(bootstrap, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "pyvenv.cfg").touch()
    bootstrap.VENV.symlink_to(tmp_path / "mine")
    assert bootstrap.main() == 1
    assert (tmp_path / "mine" / "pyvenv.cfg").exists()
    assert "is a link" in capsys.readouterr().err


def test_an_error_of_the_system_is_told_in_a_line(tmp_path):
    """A file in the place of a folder stands for all that a disk or its owner may refuse."""
    for name in ("bootstrap.py", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".cache").touch()
    done = subprocess.run(
        [sys.executable, "bootstrap.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("make: the environment could not be made: [Errno")
    assert done.stderr.count("\n") == 1


def test_says_which_python_is_needed(bootstrap, monkeypatch, capsys):
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 9, 2))
    assert bootstrap.main() == 1
    message = capsys.readouterr().err
    assert "3.11" in message
    assert "3.9.2" in message
    assert not bootstrap.steps


def test_says_that_there_is_no_room(bootstrap, monkeypatch, capsys):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda _: usage(10, 10, 1_000_000_000))
    assert bootstrap.main() == 1
    assert "1.0 GB are free" in capsys.readouterr().err
    assert not bootstrap.VENV.exists()


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("Temporary failure in name resolution", "no network"),
        (
            "THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE",
            "not the one that the lock file names",
        ),
        ("[SSL: CERTIFICATE_VERIFY_FAILED]", "certificates"),
        ("ERROR: No matching distribution found for numpy==99", "no build for this machine"),
        ("something else\nentirely\n\n", "entirely"),
    ],
)
def test_tells_the_cause_in_words(bootstrap, output, words):
    assert words in bootstrap.cause(output)


def test_runs_on_a_python_too_old_for_the_course():
    """It must start in order to say which Python is needed: no syntax newer than 3.7."""
    import ast

    ast.parse((ROOT / "bootstrap.py").read_text(), feature_version=(3, 7))


def test_lock_pins_by_hash_and_names_no_address():
    lock = (ROOT / "requirements.lock").read_text()
    pins = re.findall(r"^([a-z0-9][\w.-]*)==(\S+)", lock, re.MULTILINE)
    assert len(pins) > 100
    assert lock.count("--hash=sha256:") >= len(pins)
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links| @ ", lock)
    versions = dict(pins)
    assert versions["nbgrader"] == "0.9.6"
    assert versions["jupyter-book"].startswith("1.")
    assert versions["keras"].startswith("3.")
    assert versions["jupyterlab"].startswith("4.")


def test_every_verb_is_listed_by_help():
    listed = subprocess.run(
        ["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE).group(1).split()
    missing = [
        verb for verb in phony if verb != "environment" and not re.search(rf"^  make {verb}\s", listed, re.M)
    ]
    assert not missing


def test_says_that_python_is_not_found():
    """Whatever verb is called on a machine without Python 3.11."""
    answer = subprocess.run(
        ["make", "-s", "book", "PYTHON="], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode != 0
    assert "Python 3.11 is needed" in answer.stderr
