"""The doctor's table, and what it says of a machine where something does not hold."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from grading import config, doctor
from grading.errors import SandboxError


def found(name: str, hole: str | None) -> doctor.Finding:
    return doctor.Finding(next(p for p in doctor.PROTECTIONS if p.name == name), hole)


def test_every_probe_says_what_it_is_about() -> None:
    names = [protection.name for protection in doctor.PROTECTIONS]
    assert len(set(names)) == len(names)
    for protection in doctor.PROTECTIONS:
        assert len(protection.meaning) > 15
        text = doctor.source(protection.probe, doctor.arguments(protection, ["/a"]))
        compile(text, protection.name, "exec")


@pytest.mark.parametrize(
    ("findings", "code", "words"),
    [
        ([("network", None), ("system calls", None)], 0, ["held", "can be graded"]),
        (
            [("network", None), ("system calls", "ptrace works")],
            0,
            ["NOT HELD", "ptrace works", "can do without"],
        ),
        ([("network", "there is a network: eth0"), ("disk", None)], 1, ["NOT HELD", "eth0", "1 of 2"]),
    ],
)
def test_the_table(
    findings: list[tuple[str, str | None]],
    code: int,
    words: list[str],
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda root: [found(*each) for each in findings])
    said: list[str] = []
    assert doctor.main(root, said.append) == code
    for word in words:
        assert word in "\n".join(said)


def test_without_namespaces_it_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "why_not", lambda root: "no user namespaces")
    said: list[str] = []
    assert doctor.main(root, said.append) == 1
    assert "no user namespaces" in said[-1]


def test_refusal(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(config.UNSANDBOXED, raising=False)
    monkeypatch.setattr(config, "why_not", lambda root: "no user namespaces")
    with pytest.raises(SandboxError, match=r"no user namespaces.*--unsandboxed") as refused:
        config.check(root)
    assert "\n" not in str(refused.value)
    monkeypatch.setenv(config.UNSANDBOXED, "1")
    assert config.check(root) is False


def test_other_systems_have_none(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "darwin" in (config.why_not(root) or "")
    assert doctor.machine()


@pytest.mark.parametrize(
    ("system", "waived", "first", "kernel"),
    [
        ("linux", "", "grading.trusted.TrustedExecute", config.KERNEL),
        ("linux", "1", "grading.bounded.Bounded", None),
        ("darwin", "", "grading.bounded.Refused", None),
        ("darwin", "1", "grading.bounded.Bounded", None),
        ("linux", "0", "grading.trusted.TrustedExecute", config.KERNEL),
    ],
)
def test_what_runs_submissions(
    system: str, waived: str, first: str, kernel: str | None, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from traitlets.config import Config

    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setenv(config.UNSANDBOXED, waived)
    monkeypatch.setenv("JUPYTER_PATH", "")
    settings = Config()
    config.use_sandbox(settings, root)
    assert settings.Autograde.autograde_preprocessors[0] == first
    assert settings.Execute.get("kernel_name") == kernel


#: Meets the limit on memory, and tells what it took of all else: MiB in use, seconds of the processor.
MEMORY = """
import json, resource, time
from grading import probes
most = {most}
resource.setrlimit(resource.RLIMIT_DATA, (most << 20, most << 20))
began = time.process_time()
found = probes.memory(most)
seconds = time.process_time() - began
# What the system has counted as the most of a process is its parent's, before it became itself.
status = open("/proc/self/status").read().split()
print(json.dumps([found, int(status[status.index("VmHWM:") + 1]) >> 10, seconds]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_trying_the_limit_on_memory_meets_no_other(root: Path) -> None:
    """On a busy machine it would be the one on time, or the one on all processes together."""
    most = doctor.TIGHT.memory_mib
    done = subprocess.run(
        [sys.executable, "-c", MEMORY.format(most=most)], cwd=root, capture_output=True, text=True, check=True
    )
    found, mebibytes, seconds = json.loads(done.stdout)
    assert found is None
    assert mebibytes < most / 4
    assert seconds < doctor.TIGHT.cpu_seconds / 4


@pytest.mark.grading
@pytest.mark.slow
def test_all_holds_here(root: Path) -> None:
    reason = config.why_not(root)
    if reason:
        pytest.skip(reason)
    findings = doctor.examine(root)
    assert len(findings) == len(doctor.PROTECTIONS)
    assert [f"{f.protection.name}: {f.hole}" for f in findings if f.hole] == []
