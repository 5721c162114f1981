"""The runtime of the live cells is what its list says, or is not there."""

from __future__ import annotations

import hashlib
import json
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from book import runtime
from book.build import ROOT
from book.lite import write_wheel
from book.runtime import NoRuntimeError, assemble, fetch, files, listed, main, trimmed, wrong
from book.wheel import build_wheel

FOLDER = "some/where/"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


CONTENT = {"pyodide.mjs": b"core", "numpy.whl": b"numbers"}
LISTED: dict[str, Any] = {
    "package": {"requirement": "box==1", "sha256": "0", "megabytes": 1, "folder": FOLDER},
    "core": {"pyodide.mjs": digest(b"core")},
    "lock": {
        "info": {"python": "3.13.2"},
        "packages": {"numpy": {"file_name": "numpy.whl", "sha256": digest(b"numbers"), "depends": []}},
    },
}


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Path]]:
    """A package index with one package; returns the list of what was fetched from it."""

    def sells(content: dict[str, bytes], before: Callable[[], None] = lambda: None) -> list[Path]:
        sold: list[Path] = []

        def download(package: dict[str, str], place: Path) -> Path:
            sold.append(place)
            before()
            with zipfile.ZipFile(place / "box.whl", "w") as box:
                for name, data in content.items():
                    box.writestr(FOLDER + name, data)
                box.writestr("elsewhere/pyodide.mjs", b"another")
            return place / "box.whl"

        monkeypatch.setattr(runtime, "download", download)
        return sold

    return sells


def told(line: str) -> None:
    assert "\n" not in line


def test_what_is_listed_is_fetched_once_and_nothing_else(shop, tmp_path: Path) -> None:
    sold = shop(CONTENT | {"secret.whl": b"not asked for"})
    folder = fetch(tmp_path, told, LISTED)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == CONTENT
    assert fetch(tmp_path, told, LISTED) == folder
    assert len(sold) == 1
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("harm", ["changed", "shortened", "removed", "killed"])
def test_a_spoilt_cache_is_made_anew(shop, tmp_path: Path, harm: str) -> None:
    sold = shop(CONTENT)
    folder = fetch(tmp_path, told, LISTED)
    if harm == "removed":
        (folder / "numpy.whl").unlink()
    elif harm == "killed":  # what an interrupted fetch leaves has another name
        folder.rename(folder.with_name("new-abc"))
    else:
        (folder / "numpy.whl").write_bytes(b"Numbers" if harm == "changed" else b"numb")
    assert fetch(tmp_path, told, LISTED) == folder
    assert not list(wrong(folder, files(LISTED)))
    assert len(sold) == 2


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({"pyodide.mjs": b"core", "numpy.whl": b"malice"}, "numpy.whl has another hash"),
        ({"numpy.whl": b"numbers"}, "pyodide.mjs is missing"),
    ],
)
def test_what_is_not_as_listed_is_refused_and_not_kept(shop, tmp_path: Path, content, fault: str) -> None:
    shop(content)
    with pytest.raises(NoRuntimeError, match=fault):
        fetch(tmp_path, told, LISTED)
    assert not list((tmp_path / ".cache" / "live").iterdir())


def test_two_builds_may_fetch_at_once(shop, tmp_path: Path) -> None:
    def another_is_quicker() -> None:
        shop(CONTENT)
        fetch(tmp_path, told, LISTED)

    shop(CONTENT, another_is_quicker)
    assert not list(wrong(fetch(tmp_path, told, LISTED), files(LISTED)))


def test_what_killed_builds_left_is_removed_after_a_day(shop, tmp_path: Path) -> None:
    caches = tmp_path / ".cache" / "live"
    for name, age in (("new-old", 100_000), ("new-young", 10)):
        (caches / name).mkdir(parents=True)
        os.utime(caches / name, (time.time() - age,) * 2)
    shop(CONTENT)
    folder = fetch(tmp_path, told, LISTED)
    assert set(caches.iterdir()) == {folder, caches / "new-young"}


def test_an_earlier_release_is_forgotten(shop, tmp_path: Path) -> None:
    shop(CONTENT)
    old = fetch(tmp_path, told, LISTED)
    shop(CONTENT | {"numpy.whl": b"newer"})
    lock = {"packages": {"numpy": LISTED["lock"]["packages"]["numpy"] | {"sha256": digest(b"newer")}}}
    new = fetch(tmp_path, told, LISTED | {"lock": lock})
    assert new != old
    assert list(new.parent.iterdir()) == [new]


@pytest.mark.slow
def test_without_network_the_reason_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(NoRuntimeError, match=r"^pip could not fetch box==1 \(ERROR: No matching .*\)$"):
        fetch(tmp_path, told, LISTED | {"package": LISTED["package"] | {"sha256": "0" * 64}})


def test_the_runtime_is_whole_and_its_lock_asks_for_nothing_else(
    shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shop(CONTENT)
    monkeypatch.setattr(runtime, "listed", lambda: json.loads(json.dumps(LISTED)))
    wheel = write_wheel(tmp_path, "cnnlib", {"cnnlib/__init__.py": b""}, "A library")
    monkeypatch.setattr(runtime, "build_wheel", lambda root: (wheel.name, wheel.read_bytes()))
    assemble(tmp_path, tmp_path / "out" / "pyodide", told)
    out = tmp_path / "out" / "pyodide"
    lock = json.loads((out / "pyodide-lock.json").read_text())
    named = {entry["file_name"]: entry["sha256"] for entry in lock["packages"].values()}
    assert named == {"numpy.whl": digest(b"numbers"), wheel.name: digest(wheel.read_bytes())}
    assert {f.name for f in out.iterdir()} == named.keys() | {"pyodide.mjs", "pyodide-lock.json"}
    said = {"name": "cnnlib", "version": "1", "depends": ["numpy"], "imports": ["cnnlib"]}
    assert lock["packages"]["cnnlib"].items() >= said.items()


@pytest.mark.slow
def test_a_library_that_cannot_be_built_is_told(
    shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shop(CONTENT)
    monkeypatch.setattr(runtime, "listed", lambda: json.loads(json.dumps(LISTED)))
    with pytest.raises(NoRuntimeError, match="cnnlib could not be built"):
        assemble(tmp_path, tmp_path / "out", told)


def test_the_list_holds_all_that_its_packages_need() -> None:
    packages = listed()["lock"]["packages"]
    assert {need for entry in packages.values() for need in entry["depends"]} <= packages.keys()
    assert trimmed(listed()["lock"]) == listed()["lock"]
    assert {*runtime.PACKAGES, *runtime.INSTALLER} <= packages.keys()
    assert listed()["core"].keys() == set(runtime.CORE)
    assert all(len(sha256) == 64 for sha256 in files(listed()).values())


def test_a_newer_release_is_listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in runtime.CORE:
        (tmp_path / name).write_bytes(name.encode())
    packages = {name: {"depends": [], "file_name": name, "sha256": name} for name in ("six", "scipy")}
    roots = (*runtime.PACKAGES, *runtime.INSTALLER)
    packages |= {name: packages["six"] | {"depends": ["six"]} for name in roots}
    (tmp_path / runtime.LOCK).write_text(json.dumps({"info": {"python": "9"}, "packages": packages}))
    target = tmp_path / "list.json"
    target.write_text(json.dumps({"package": "kept"}))
    monkeypatch.setattr(runtime, "LIST", target)
    assert main([str(tmp_path)]) == 0
    assert listed()["package"] == "kept"
    assert listed()["core"]["pyodide.mjs"] == digest(b"pyodide.mjs")
    assert listed()["lock"]["packages"].keys() == {"six", *roots}


@pytest.mark.slow
def test_the_same_sources_make_the_same_wheel() -> None:
    assert build_wheel(ROOT) == build_wheel(ROOT)
