"""Each protection is tried behind both walls, and again with that protection taken away."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


#: Makes root an ordinary user, and lets this one see, of what lies in folders that are shut to others, what
#: Python and grading need: in a world of mounts of its own, so that nothing changes for anybody else.
BECOME = """
import ctypes, json, os, sys
from pathlib import Path
from grading import sandbox

user, *shown = json.loads(sys.argv[1])
os.umask(0o022)
def shut(path):
    return next((p for p in reversed(path.parents) if not p.stat().st_mode & 0o001), None)

folders = {path: shut(path) for path in map(Path, shown) if shut(path)}
if folders:
    try:
        sandbox._call("unshare", ctypes.c_int(sandbox._NEW["mount"]))
    except sandbox.SandboxError as error:
        sys.exit("skip: root itself may not mount anything here, and an ordinary user sees no Python")
    sandbox._mount("none", "/", "", sandbox._MS["rec"] | sandbox._MS["private"])
    held = {path: os.open(path, os.O_PATH) for path in folders}
    for folder in set(folders.values()):
        sandbox._mount("tmpfs", str(folder), "tmpfs", 0, "mode=0755")
    for path, descriptor in held.items():
        if not path.exists():
            path.mkdir(parents=True)
            sandbox._mount(f"/proc/self/fd/{descriptor}", str(path), "", sandbox._MS["bind"])
os.setgroups([])
os.setresgid(user, user, user)
os.setresuid(user, user, user)
for path in shown:
    if not os.access(path, os.R_OK | os.X_OK):
        sys.exit(f"skip: {path} may not be read by others")
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""

#: Grades a class, and tries the walls.
GRADE = """
import json, os, sys
from pathlib import Path
from grading import config, doctor, run
from grading.course import ROOT, Course

found = {"user": os.geteuid(), "why_not": config.why_not(ROOT)}
if not found["why_not"]:
    course = Course.load(Path(sys.argv[1]))
    run.grade(course, "01-tiny", (), run.Options(jobs=2))
    (table,) = run.tables(course)
    found["marks"] = {row.student: [mark.automatic for mark in row.marks.values()] for row in table.rows}
    found["sandboxed"] = all(row.sandboxed for row in table.rows)
    found["holes"] = [f"{f.protection.name}: {f.hole}" for f in doctor.examine(ROOT) if f.hole]
print(json.dumps(found))
"""

HOSTILE = """
import os, signal, socket, subprocess
answer, root = 28, {root!r}
for path in (root, root + "/class", root + "/solutions", "/etc/shadow", "/sys/class"):
    if os.path.exists(path):
        print(path, "is there")
        answer = 0
for folder in (root, "/tmp", "/run/course/me", "/dev/shm", os.path.expanduser("~"), {home!r}):
    try:
        open(folder + "/hostile-was-here", "w").close()
    except OSError:
        pass
if len([name for name in os.listdir("/proc") if name.isdigit()]) > 2 or len(socket.if_nameindex()) > 1:
    answer = 0
for become in (lambda: os.setuid(0), lambda: os.kill(-1, signal.SIGKILL), lambda: os.kill(os.getppid(), 9)):
    try:
        become()
    except OSError:
        pass
if os.geteuid() == 0 or subprocess.run(["unshare", "--user", "true"], check=False).returncode == 0:
    answer = 0
"""


@pytest.fixture
def anybodys() -> Iterator[Path]:
    """A folder below /tmp; pytest's own are shut to others."""
    folder = Path(tempfile.mkdtemp(prefix="grade-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def as_ordinary_user(root: Path, place: Path, *arguments: str) -> dict[str, Any]:
    """What a program prints, run by a user without rights (whoever runs the tests, unless that is root)."""
    command = [sys.executable, *arguments]
    if os.geteuid() == 0:
        user = 61_000 + os.getpid() % 2000
        for path in (place, *place.rglob("*")):
            os.lchown(path, user, user)
        python = {sys.base_prefix, sys.prefix, str(Path(sys.executable).resolve().parents[1])}
        about = [user, *sorted(python), str(root / "cnnlib"), str(root / "grading")]
        command = [sys.executable, "-c", BECOME, json.dumps(about), *arguments]
    home = place / "home"
    done = subprocess.run(
        command,
        env={
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.defpath]),
            "PYTHONPATH": str(root),
            "HOME": str(home),
            "USER": "somebody",
            "LANG": "C.UTF-8",
            "TMPDIR": str(home),
            "OPENBLAS_NUM_THREADS": "1",
        },
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    if done.stderr.startswith("skip: "):
        pytest.skip(done.stderr.removeprefix("skip: ").strip())
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_an_ordinary_user_grades_behind_the_same_walls(new_course, root: Path, anybodys: Path) -> None:
    made = new_course()
    made.release()
    right = {"size": "answer = 28", "halve": "def halve(n):\n    return n // 2", "why": "Because."}
    made.hand_in("good", **right)
    hostile = HOSTILE.format(root=str(anybodys / "a course"), home=str(anybodys / "home"))
    made.hand_in(
        "hostile", **right | {"size": hostile, "halve": "def halve(n):\n    __import__('os').abort()"}
    )
    shutil.copytree(made.root, anybodys / "a course")
    (anybodys / "home").mkdir()
    found = as_ordinary_user(root, anybodys, "-c", GRADE, str(anybodys / "a course"))
    assert found["user"] != 0
    if found["why_not"]:
        pytest.skip(f"no sandbox for ordinary users on this machine: {found['why_not']}")
    assert found["marks"] == {"good": [2, 3, None], "hostile": [2, 0, None]}
    assert found["sandboxed"]
    assert found["holes"] == []
    assert not list(anybodys.rglob("hostile-was-here"))
    assert not Path("/tmp/hostile-was-here").exists()
