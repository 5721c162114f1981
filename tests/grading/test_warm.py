"""Kernels from the warm start: apart from each other, ended with their grader, stopped at their limits."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

if sys.platform != "linux":
    pytest.skip("sandboxes need Linux", allow_module_level=True)

from jupyter_client.manager import AsyncKernelManager, KernelManager

from grading import config, processor, provisioner, sandbox
from grading.errors import SandboxError
from grading.limits import Limits

pytestmark = [pytest.mark.grading, pytest.mark.slow, pytest.mark.xdist_group("warm start")]


@pytest.fixture(scope="module")
def warm(root: Path) -> Iterator[provisioner.WarmStart]:
    reason = sandbox.why_not(root)
    if reason:
        pytest.skip(f"no sandbox here: {reason}")
    provisioner.register()
    with pytest.MonkeyPatch.context() as patch, provisioner.WarmStart(["numpy"]) as started:
        patch.setenv(provisioner.VARIABLE, started.address)
        patch.setenv("JUPYTER_PATH", str(root / "grading" / "jupyter"))
        yield started


class Kernel:
    """A kernel, and what it says."""

    def __init__(self, **options: Any) -> None:
        self.manager = KernelManager(kernel_name=config.KERNEL)
        options = {"extra_arguments": ["--IPKernelApp.log_level=ERROR"], **options}
        try:
            self.manager.start_kernel(**options)
        except SandboxError:
            self.manager.context.destroy(linger=0)
            raise
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def say(self, source: str) -> str:
        said: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            content = message["content"]
            said.append(content.get("text") or content.get("evalue") or "")
            said.append(str(content.get("data", {}).get("text/plain", "")))

        self.client.execute_interactive(source, output_hook=hear, timeout=60)
        return "".join(said).strip()

    @property
    def process(self) -> Any:
        return self.manager.provisioner.process  # type: ignore[union-attr]

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(warm: provisioner.WarmStart) -> Iterator[Callable[..., Kernel]]:
    """Start kernels, with limits of their own."""
    started: list[Kernel] = []

    def start(limits: Limits | None = None, **options: Any) -> Kernel:
        provisioner.set_limits(limits or Limits())
        started.append(Kernel(**options))
        return started[-1]

    yield start
    provisioner.set_limits(Limits())
    for each in started:
        each.close()


def wait_for(done: Callable[[], Any], seconds: float = 20) -> Any:
    until = time.monotonic() + seconds
    while not (found := done()) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def test_two_kernels_do_not_meet(kernel: Callable[..., Kernel]) -> None:
    first, second = kernel(), kernel()
    first.say("open('/tmp/note', 'w').write('x'); open('note', 'w').write('x')")
    for each in (first, second):
        assert each.say("import os; os.getpid()") == "1"
    # A checkout that lies under /tmp itself is in sight of its kernels; nothing else is.
    assert (
        second.say("import os; 'note' in os.listdir('/tmp'), 'note' in os.listdir('.')") == "(False, False)"
    )
    assert second.say("[n for n in os.listdir('/proc') if n.isdigit()]") == "['1']"
    assert second.say("os.listdir('/run/course')") == "['me']"
    if os.geteuid() == 0:
        users = {first.say("import os; os.getuid()"), second.say("os.getuid()")}
        assert len(users) == 2
        assert all(sandbox.NOBODY <= int(u) < sandbox.NOBODY + sandbox.NOBODIES for u in users)


def test_files_of_the_assignment_come_along_and_notebooks_do_not(
    kernel: Callable[..., Kernel], tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("1,2")
    (tmp_path / "solution.ipynb").write_text("{}")
    (tmp_path / "link").symlink_to("/etc/passwd")
    started = kernel(cwd=str(tmp_path))
    seen = started.say(
        "import os; sorted(n for n in os.listdir('.') if n[0] != '.'), open('data/a.csv').read()"
    )
    assert seen == "(['data'], '1,2')"
    started.say("open('data/a.csv', 'w').write('changed')")
    assert (tmp_path / "data" / "a.csv").read_text() == "1,2"


def test_an_endless_loop_is_interrupted(kernel: Callable[..., Kernel]) -> None:
    started = kernel()
    # After an error a kernel drops what comes in the same moment, unless told not to stop.
    identity = started.client.execute("while True: pass", stop_on_error=False)
    time.sleep(0.5)
    started.manager.interrupt_kernel()
    reply = started.client.get_shell_msg(timeout=20)
    assert reply["parent_header"]["msg_id"] == identity
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    assert started.say("1 + 1") == "2"


@pytest.mark.parametrize(
    # The first process of a namespace survives its own abort, and crashes for it.
    ("how", "codes"),
    [("os._exit(7)", {7}), ("os.abort()", {-6, -11}), ("ctypes.string_at(0)", {-11})],
)
def test_how_a_kernel_ended_is_known(kernel: Callable[..., Kernel], how: str, codes: set[int]) -> None:
    started = kernel()
    started.client.execute(f"import os, ctypes; {how}")
    assert started.process.wait(20) in codes
    assert started.process.ended["code"] in codes
    assert started.process.ended["memory_kib"] > 1000


TOGETHER = (
    "import os, time\nfor _ in range(5):\n"
    "  if os.fork() == 0:\n    b = b'x' * (60 << 20); time.sleep(20); os._exit(0)\n"
)


@pytest.mark.parametrize("limited", [True, False])
def test_processes_that_take_much_together_are_stopped(kernel: Callable[..., Kernel], limited: bool) -> None:
    started = kernel(Limits(memory_mib=256 if limited else 3072))
    started.client.execute(TOGETHER + "time.sleep(6)")
    if limited:
        assert started.process.wait(30) == -9
        assert started.process.ended["over"] == "memory"
    else:
        with pytest.raises(subprocess.TimeoutExpired):
            started.process.wait(5)


#: Each computes for a moment, starts the next one and ends; nobody waits for anybody.
CHAIN = (
    "import os, signal, time\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nif os.fork() == 0:\n"
    "  while True:\n    began = time.process_time()\n    while time.process_time() < began + 0.06: pass\n"
    "    if os.fork(): os._exit(0)\n"
)


@pytest.mark.parametrize("counted", [True, False])
def test_a_chain_of_processes_that_computes_is_stopped(
    kernel: Callable[..., Kernel], monkeypatch: pytest.MonkeyPatch, counted: bool
) -> None:
    if not counted:
        monkeypatch.setattr(processor, "account", lambda: None)
    elif not processor.counted():
        pytest.skip("no control group can be made here")
    started = kernel(Limits(cpu_seconds=3))
    began = time.monotonic()
    assert started.say(CHAIN + "28") == "28"
    assert started.process.wait(40) == -9
    assert started.process.ended["over"] == "processor"
    assert 3 < started.process.ended["cpu_seconds"] < 6
    assert time.monotonic() - began > 1.5


def test_what_many_share_counts_once(kernel: Callable[..., Kernel]) -> None:
    started = kernel(Limits(memory_mib=320))
    said = started.say(
        "import os, time\nb = b'x' * (60 << 20)\nfor _ in range(6):\n  if os.fork() == 0:\n"
        "    time.sleep(2); os._exit(0)\ntime.sleep(1.5); len(b) >> 20"
    )
    assert said == "60"


def test_what_is_printed_in_one_piece_is_cut(kernel: Callable[..., Kernel]) -> None:
    from grading.warm import MOST_SENT

    started = kernel()
    for source in ("print('x' * 30_000_000)", "'x' * 30_000_000"):
        assert 1000 < len(started.say(source)) <= MOST_SENT


def test_kernels_look_at_no_more_modules_than_they_need(kernel: Callable[..., Kernel]) -> None:
    """What they look at is copied; and they must be as good as others for all that."""
    started = kernel()
    assert started.say("len(get_ipython().kernel._kernel_modules)") == "0"
    assert started.say("import sys; len(sys.modules) > 500") == "True"
    started.say("%reset -f --aggressive")
    assert started.say("import numpy; numpy.arange(3).sum() == 3") == "np.True_"


@pytest.mark.parametrize(
    ("settings", "level", "shown"),
    [
        (["--IPKernelApp.log_level=CRITICAL"], "50", "2"),
        (["--log-level=CRITICAL"], "50", "2"),
        (["--InteractiveShell.ast_node_interactivity=all", "--IPKernelApp.log_level=40"], "40", "12"),
    ],
)
def test_a_kernel_that_was_begun_takes_settings(
    kernel: Callable[..., Kernel], settings: list[str], level: str, shown: str
) -> None:
    started = kernel(extra_arguments=settings)
    assert started.say("1\n2") == shown
    assert started.say("get_ipython().kernel.parent.log_level") == level


def test_a_kernel_that_was_begun_is_one_like_others(kernel: Callable[..., Kernel]) -> None:
    started = kernel()
    assert started.say("import asyncio\nawait asyncio.sleep(0.01)\nget_ipython().execution_count") == "2"
    assert started.say("In[1][:14], _ih[1][:6], __name__, _") == "('import asyncio', 'import', '__main__', 2)"
    assert started.say("get_ipython().kernel is get_ipython().parent") == "True"
    # None of the threads that ask each other what is to be done next.
    names = "sorted(t.name for t in __import__('threading').enumerate() if not t.name.startswith('Thread'))"
    assert started.say(names) == "['Control', 'Heartbeat', 'IOPub', 'MainThread']"
    started.say("x = 5\n%store x")
    assert started.say("del x\n%store -r x\nx") == "5"
    assert kernel().say("'x' in globals()") == "False"


def test_who_awaits_a_kernel_does_not_wait_for_nothing(warm: provisioner.WarmStart) -> None:
    """A kernel is ready with its first answer, and has ended when the call that ends it returns."""

    async def live() -> tuple[bool, bool]:
        manager = AsyncKernelManager(kernel_name=config.KERNEL)
        await manager.start_kernel()
        client = manager.client()
        client.start_channels()
        await client.wait_for_ready(timeout=60)
        heard = []
        await client.execute_interactive("print('heard')", output_hook=heard.append, timeout=60)
        alive, process = await manager.is_alive(), manager.provisioner.process
        await manager.provisioner.kill()
        ended = process.returncode == -signal.SIGKILL
        with pytest.raises(RuntimeError, match="ended before"):
            await client.wait_for_ready(timeout=60)
        client.stop_channels()
        await manager.shutdown_kernel(now=True)
        assert any(message["content"].get("text") == "heard\n" for message in heard)
        return alive, ended

    assert asyncio.run(live()) == (True, True)


def test_what_is_printed_is_sent_in_order(kernel: Callable[..., Kernel]) -> None:
    source = (
        "import sys, threading\nfor n in range(3):\n    print(n, flush=n == 1); print('e', file=sys.stderr)\n"
        "def work():\n    print('from', 'a thread')\n"
        "t = threading.Thread(target=work); t.start(); t.join()\ndisplay(7)\nprint('last', end='')"
    )
    said = kernel().say(source)
    assert said.replace("e\n", "").split("\n") == ["0", "1", "2", "from a thread", "7last"]
    assert said.count("e\n") == 3


def test_what_ends_takes_its_processes_along(
    kernel: Callable[..., Kernel], warm: provisioner.WarmStart
) -> None:
    started = kernel()
    started.say("import os, subprocess, sys; p = subprocess.Popen(['sleep', '98765'])")
    assert children("98765")
    started.manager.shutdown_kernel(now=True)
    assert wait_for(lambda: not children("98765"))


def children(mark: str) -> list[Path]:
    """Processes with this in their command line."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if mark.encode() in line.read_bytes():
                found.append(line)
    return found


def test_all_ends_with_a_grader_that_is_killed(root: Path) -> None:
    if reason := sandbox.why_not(root):
        pytest.skip(reason)
    source = (
        "import os, sys, time\nfrom grading import provisioner\n"
        "from jupyter_client.manager import AsyncKernelManager, KernelManager\nprovisioner.register()\n"
        "with provisioner.WarmStart([]) as w:\n  os.environ['COURSE_WARM'] = w.address\n"
        "  m = KernelManager(kernel_name='course'); m.start_kernel()\n"
        "  c = m.client(); c.start_channels(); c.wait_for_ready(timeout=60)\n"
        "  c.execute_interactive(\"import os; done = os.system('sleep 87654 &')\", timeout=20)\n"
        "  print('up', w.address, flush=True); time.sleep(60)"
    )
    place = {"JUPYTER_PATH": str(root / "grading" / "jupyter"), "PYTHONPATH": str(root)}
    surroundings = {k: v for k, v in os.environ.items() if k != provisioner.VARIABLE} | place
    grader = subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, text=True, env=surroundings
    )
    assert grader.stdout is not None
    with grader:
        said = grader.stdout.readline().split()
        assert said[:1] == ["up"]
        assert wait_for(lambda: children("87654"))
        grader.send_signal(signal.SIGKILL)
    assert wait_for(lambda: not children("87654"))
    assert wait_for(lambda: not children(Path(said[1]).name))
    subprocess.run(["rm", "-r", said[1]], check=True)


def test_a_warm_start_that_is_gone_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    provisioner.register()
    monkeypatch.setenv(provisioner.VARIABLE, str(tmp_path))
    monkeypatch.setenv("JUPYTER_PATH", str(root / "grading" / "jupyter"))
    with pytest.raises(SandboxError, match="does not answer"):
        Kernel()


def test_a_kernel_that_cannot_be_walled_in_is_refused(
    kernel: Callable[..., Kernel], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SandboxError, match="no kernel could be started"):
        kernel(Limits(files=-5))


def test_a_sandbox_that_does_not_come_up_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    script = "echo setting up uid map: Permission denied >&2"
    monkeypatch.setattr(sandbox, "outer", lambda *_: ["sh", "-c", script])
    with pytest.raises(SandboxError, match=r"Permission denied.*--unsandboxed"):
        provisioner.WarmStart([])


def test_nothing_is_left(root: Path) -> None:
    if reason := sandbox.why_not(root):
        pytest.skip(reason)
    with provisioner.WarmStart([]) as started:
        folder = started.folder
        assert folder.is_dir()
    assert not folder.exists()
    assert not children(folder.name)


def test_one_that_was_killed_is_replaced(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if reason := sandbox.why_not(root):
        pytest.skip(reason)
    monkeypatch.delenv(provisioner.VARIABLE, raising=False)
    provisioner.register(tmp_path)  # no notebooks there, so that nothing heavy is imported
    first = provisioner.address()
    assert provisioner.address() == first
    provisioner._own._process.kill()
    provisioner._own._process.wait()
    second = provisioner.address()
    assert second != first
    assert not Path(first).exists()
    # Nor does one serve notebooks that need more than it has imported.
    (tmp_path / "a.ipynb").write_text("import scipy")
    third = provisioner.address()
    assert third != second
    (tmp_path / "a.ipynb").write_text("nothing")
    assert provisioner.address() == third
    provisioner._own.close()
    monkeypatch.setattr(provisioner, "_own", None)


@pytest.mark.keras
def test_keras_trains_in_a_forked_kernel(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if reason := sandbox.why_not(root):
        pytest.skip(reason)
    provisioner.register()
    monkeypatch.setenv("JUPYTER_PATH", str(root / "grading" / "jupyter"))
    with provisioner.WarmStart(provisioner.modules_for(["import keras"])) as started:
        monkeypatch.setenv(provisioner.VARIABLE, started.address)
        for _ in range(2):  # the first must not have spoilt it for the second
            one = Kernel()
            said = one.say(
                "import keras, numpy as np\nfrom keras import layers as l\nrng = np.random.default_rng(0)\n"
                "x, y = rng.normal(size=(64, 8, 8, 1)), rng.integers(0, 2, 64)\n"
                "m = keras.Sequential([keras.Input((8, 8, 1)), l.Conv2D(4, 3), l.Flatten(), l.Dense(2)])\n"
                "m.compile('adam', "
                "keras.losses.SparseCategoricalCrossentropy(from_logits=True))\n"
                "h = m.fit(x, y, epochs=8, verbose=0).history['loss']\nprint(h[-1] < h[0])"
            )
            one.close()
            assert said == "True"
