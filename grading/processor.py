"""How much processor time a sandbox has used: all its processes, those too that nobody waited for.

The limit on a process (``RLIMIT_CPU``) says nothing of its children, and what a child used that ended unseen
stands nowhere in ``/proc``. A control group counts all of it. Where none may be made, as in most containers
and for most ordinary users, :class:`Ledger` keeps books by looking at the processes now and then.
"""

from __future__ import annotations

import contextlib
import gc
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: What the groups of kernels are called, and how old one is that holds nobody and is nobody's any more.
PREFIX, OLD = "course-", 300.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Account:
    """A control group that counts the processor time of all that is put into it, and of its children.

    The second version of control groups counts in every group; of the first one it takes ``cpuacct``.

    Raises:
        OSError: none can be made here.
    """

    def __init__(self) -> None:
        failed: OSError | None = None
        for parent, counter in _places():
            self.folder = parent / f"{PREFIX}{uuid.uuid4().hex[:12]}"
            try:
                self.folder.mkdir()
                self.counter = os.open(self.folder / counter, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                failed = error
                with contextlib.suppress(OSError):
                    self.folder.rmdir()
                continue
            return
        raise failed or OSError("this machine has no control groups that count processor time")

    def take(self, process: int) -> bool:
        """Count a process from now on; tell whether the system allows it."""
        try:
            (self.folder / "cgroup.procs").write_text(str(process))
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Take the group away; its processes have ended, or end within a moment."""
        if self.counter >= 0:
            os.close(self.counter)
            self.counter = -1
        for _ in range(20):
            with contextlib.suppress(FileNotFoundError):
                try:
                    self.folder.rmdir()
                except FileNotFoundError:
                    raise
                except OSError:  # the last one is not quite gone
                    time.sleep(0.005)
                    continue
            return


def account() -> Account | None:
    """A control group for a kernel, if one can be made."""
    try:
        return Account()
    except OSError:
        return None


def counted() -> bool:
    """Whether control groups count here: tried with a process of ours, which ends at once."""
    made = account()
    if made is None:
        return False
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go)
        os.read(ready, 1)
        os._exit(0)
    try:
        return made.take(child) and used(made.counter) >= 0
    finally:
        os.close(go)
        os.waitpid(child, 0)
        os.close(ready)
        made.close()


def used(counter: int) -> float:
    """The seconds that a group's counter shows; 0 where it cannot be read."""
    try:
        said = os.pread(counter, 4096, 0).split()
        return int(said[1]) / 1e6 if said[0] == b"usage_usec" else int(said[0]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def sweep() -> None:
    """Take away the groups of runs that were killed: old ones that hold nobody."""
    for parent, _ in _places():
        for folder in parent.glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):
                if time.time() - folder.stat().st_ctime > OLD:
                    folder.rmdir()  # which the system refuses where somebody is in it


def _places(process: Path = Path("/proc/self")) -> Iterator[tuple[Path, str]]:
    """Where groups may be made, with the file that counts: below this process's own."""
    try:
        groups = (process / "cgroup").read_text().splitlines()
        mounts = [line.split() for line in (process / "mountinfo").read_text().splitlines()]
    except OSError:
        return
    own = {
        kind: path for line in groups for _, kinds, path in [line.split(":", 2)] for kind in kinds.split(",")
    }
    for mount in mounts:
        kind, options = mount[mount.index("-") + 1], mount[-1].split(",")
        if kind == "cgroup2" and "" in own:
            path, counter = own[""], "cpu.stat"
        elif kind == "cgroup" and "cpuacct" in options and "cpuacct" in own:
            path, counter = own["cpuacct"], "cpuacct.usage"
        else:
            continue
        top = mount[3].rstrip("/")
        if path.startswith(f"{top}/"):  # otherwise it lies beyond what is mounted
            yield Path(mount[4] + path.removeprefix(top)), counter


@dataclass
class _Entry:
    """What was seen of a process: its own seconds, how often, and the time that it stood for at work."""

    own: float
    looks: int
    stood_for: float


class Ledger:
    """Books of what the processes of a namespace have used, by looks at its ``/proc``.

    Who stays is entered with what stands in ``/proc``. Of those who live no longer than it takes from one
    look to the next, some are seen, the more the longer they live: who is seen at work stands for those who
    were not, and is charged all the time between two looks. So the sum is right on the average, however
    short the lives are, and whoever ignores their end.
    """

    #: Who is seen more often than this is taken at its word.
    FEW = 4

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._known: dict[tuple[int, str], _Entry] = {}
        self._gone = 0.0
        self._last: float | None = None

    def look(self, now: float) -> float:
        """Look at all processes at this time (in seconds); return what was used in all."""
        since = 0.0 if self._last is None else now - self._last
        self._last = now
        seen: dict[tuple[int, str], _Entry] = {}
        waited = 0.0
        for folder in self._proc.iterdir():
            if not folder.name.isdigit():
                continue
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            own, children = (sum(map(int, fields[n : n + 2])) / _TICKS for n in (11, 13))
            key = int(folder.name), fields[19]
            before = self._known.get(key)
            stands_for = _share(folder) * since if fields[0] == "R" else 0.0
            seen[key] = _Entry(
                own,
                before.looks + 1 if before else 1,
                (before.stood_for if before else 0.0) + stands_for,
            )
            waited += own + children
        for key, entry in self._known.items():
            if key not in seen:
                short = entry.looks <= self.FEW
                self._gone += max(entry.own, entry.stood_for) if short else entry.own
        self._known = seen
        return max(waited, self._gone + sum(entry.own for entry in seen.values()))


def _share(folder: Path) -> float:
    """The part of its time on the run queue that a process had a processor, and did not wait for one."""
    try:
        ran, waited = map(int, (folder / "schedstat").read_text().split()[:2])
    except (OSError, ValueError):
        return 1.0
    return ran / (ran + waited) if ran + waited else 1.0


def settle() -> None:
    """Take all that is here for no garbage, and look for garbage less often, in this process and its forks.

    Notebooks and models are many small things, most of which live to the end. A fork that looked through
    what it shares with others would copy it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def waited(process: int) -> float:
    """How long a process was ready to run while others had the processors, in seconds since it began.

    The thread counts that waited longest, and nothing that the process has started. Where the system does
    not tell (``schedstat``), nobody ever waited.
    """
    longest = 0.0
    for thread in Path(f"/proc/{process}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            longest = max(longest, int(thread.read_text().split()[1]) / 1e9)
    return longest
