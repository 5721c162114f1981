"""Each protection is tried behind both walls, and again with that protection taken away."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("sandboxes need Linux", allow_module_level=True)

from grading import doctor, sandbox
from grading.limits import Limits

pytestmark = [pytest.mark.grading, pytest.mark.slow]

#: Puts up the inner wall as a kernel's guard does, and runs a probe behind it.
BEHIND = """
import os
from grading import sandbox
from grading.limits import Limits
{tweak}
sandbox.separate()
ready, go = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    sandbox.enter("k", Limits(**{limits!r}))
    os.write(ready[1], b"r")
    os.read(go[0], 1)
    os.chdir(sandbox.HOME)
    exec({probe!r})
    os._exit(0)
os.read(ready[0], 1)
sandbox.seal()
os.write(go[1], b"g")
print("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def behind(tmp_path: Path, root: Path, name: str, tweak: str = "", loose: str = "", outer: str = "") -> str:
    """What a probe says behind both walls, of which parts may be taken away."""
    reason = sandbox.why_not(root)
    if reason:
        pytest.skip(f"no sandbox here: {reason}")
    protection = next(p for p in doctor.PROTECTIONS if p.name == name)
    limits = dataclasses.asdict(doctor.TIGHT)
    if loose:
        limits[loose] = getattr(Limits(), loose) * (16 if loose != "memory_mib" else 2)
    run = Path(tmp_path)
    (run / "k").mkdir()
    for folder in (run, run / "k"):
        folder.chmod(0o777)
    probe = doctor.source(protection.probe, doctor.arguments(protection, [str(root / "solutions")]))
    code = BEHIND.format(tweak=tweak, limits=limits, probe=probe)
    command = sandbox.outer(run, root, ["-c", code], {"PYTHONPATH": str(root), "HOME": sandbox.HOME})
    if outer == "network":
        command.remove("--unshare-net")
    elif outer == "writable":
        command = ["--bind" if part == "--ro-bind" else part for part in command]
    elif outer == "common ground":
        while "--remount-ro" in command:
            at = command.index("--remount-ro")
            del command[at : at + 2]
    elif outer == "solutions":
        at = command.index("--dev")
        command[at:at] = ["--ro-bind", str(root / "solutions"), str(root / "solutions")]
    elif outer == "environment":
        command.remove("--clearenv")
    said = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PROBE_X": "secret"},
    )
    assert "found" in said.stdout or "ended" in said.stdout, said.stderr
    return said.stdout


NO_FILTER = "sandbox.filter_calls = lambda: True"
NO_CORE = (
    "import resource\nset = resource.setrlimit\n"
    "resource.setrlimit = lambda w, l: None if w == resource.RLIMIT_CORE else set(w, l)\n"
    "set(resource.RLIMIT_CORE, (1 << 20, 1 << 20))"
)
NO_PROC = (
    "mount = sandbox._mount\nsandbox._mount = lambda *a, **k: None if a[2] == 'proc' else mount(*a, **k)"
)
NO_DROP = "sandbox._drop_bounding_set = lambda: None"


@pytest.mark.parametrize(
    ("name", "without", "hole"),
    [
        ("network", {"outer": "network", "tweak": "sandbox._NEW_NETWORK = 0"}, "network"),
        ("system", {"outer": "writable"}, "can be written to"),
        ("system", {"outer": "common ground"}, "can be written to"),
        ("files", {"outer": "solutions"}, "solutions can be seen"),
        ("environment", {"outer": "environment"}, "PROBE_X can be read"),
        ("processes", {"tweak": NO_PROC}, "it sees"),
        ("rights", {"tweak": NO_DROP}, "CapBnd"),
        ("namespaces", {"tweak": NO_FILTER}, "user namespace"),
        ("system calls", {"tweak": NO_FILTER}, "works"),
        ("memory", {"loose": "memory_mib"}, "MiB"),
        ("number of processes", {"loose": "processes"}, "processes"),
        ("open files", {"loose": "files"}, "files"),
        ("disk", {"loose": "disk_mib"}, "MiB"),
        ("disk", {"tweak": "sandbox.seal = lambda: None"}, "MiB"),
        ("size of a file", {"loose": "file_mib"}, "MiB"),
        ("core dumps", {"tweak": NO_CORE}, "core dumps"),
    ],
)
def test_each_protection_is_what_holds(
    tmp_path_factory: pytest.TempPathFactory, root: Path, name: str, without: dict[str, str], hole: str
) -> None:
    if name == "network" and len(list(Path("/sys/class/net").iterdir())) < 2:
        pytest.skip("this machine has no network to keep away")
    if name == "namespaces" and not int(Path("/proc/sys/user/max_user_namespaces").read_text() or 0):
        pytest.skip("this machine allows no user namespaces to anybody")
    if name == "files" and root.is_relative_to("/tmp"):
        pytest.skip("each kernel's own /tmp hides a checkout that lies there, whatever the outer wall shows")
    held = behind(tmp_path_factory.mktemp("a"), root, name)
    assert "found None" in held
    taken = behind(tmp_path_factory.mktemp("b"), root, name, **without)
    assert "found '" in taken
    assert hole in taken


def test_a_computation_ends(tmp_path: Path, root: Path) -> None:
    said = behind(tmp_path, root, "processor time")
    assert "found" not in said
    assert "ended -9" in said


def test_the_newer_bubblewrap_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, version in (("old", "0.4.0"), ("new", "0.12.1")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho bubblewrap {version}\n")
        (tmp_path / name).chmod(0o755)
    for system, package in (("old", "new"), ("new", "old")):
        monkeypatch.setattr(sandbox.shutil, "which", lambda *_, s=system, **__: str(tmp_path / s))
        monkeypatch.setattr(sandbox, "_packaged", lambda p=package: str(tmp_path / p))
        assert sandbox.bubblewrap() == str(tmp_path / "new")
    monkeypatch.setattr(sandbox.shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(sandbox, "_packaged", lambda: None)
    assert sandbox.bubblewrap() is None


def test_why_not(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    why = sandbox.why_not.__wrapped__
    assert why(root) == sandbox.why_not(root)
    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "bubblewrap", lambda: None)
        assert "bubblewrap is missing" in why(root)
    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "_CAPSET", {})
        assert "x86_64" in why(root)
    with monkeypatch.context() as patch:
        patch.setattr(
            sandbox, "outer", lambda *_: ["sh", "-c", "echo No permissions to make a namespace >&2; exit 1"]
        )
        assert why(root) == "No permissions to make a namespace"
