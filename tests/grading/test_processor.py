"""Processor time of a sandbox: what the books say of processes that come and go unseen."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("sandboxes need Linux", allow_module_level=True)

from grading import doctor, processor

TICK = 1 / os.sysconf("SC_CLK_TCK")


class World:
    """A /proc of processes that are told what they do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def process(
        self, pid: int, own: float, children: float = 0, *, state: str = "R", share: float = 1, start: int = 7
    ) -> None:
        folder = self.folder / str(pid)
        folder.mkdir(exist_ok=True)
        times = [round(own / 2 / TICK), round(own / 2 / TICK), round(children / TICK), 0]
        fields = [state, *["0"] * 10, *map(str, times), "20", "0", "1", "0", str(start), "0"]
        (folder / "stat").write_text(f"{pid} (a ) name) {' '.join(fields)}")
        (folder / "schedstat").write_text(f"{int(share * 1e9)} {int((1 - share) * 1e9)} 1")

    def end(self, pid: int) -> None:
        for file in (self.folder / str(pid)).iterdir():
            file.unlink()
        (self.folder / str(pid)).rmdir()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_who_stays_counts_as_it_says(world: World) -> None:
    ledger = processor.Ledger(world.folder)
    world.process(1, 1.0)
    assert ledger.look(0) == pytest.approx(1)
    world.process(1, 3.0)
    world.process(2, 2.0, state="S")
    assert ledger.look(1) == pytest.approx(5)


def test_who_was_waited_for_counts_once(world: World) -> None:
    ledger = processor.Ledger(world.folder)
    world.process(1, 0.5)
    world.process(2, 4.0)
    ledger.look(0)
    world.process(2, 5.0)
    ledger.look(1)
    world.end(2)
    world.process(1, 0.5, children=5.2)
    assert ledger.look(2) == pytest.approx(5.7)


def test_who_is_gone_unseen_by_its_parent_still_counts(world: World) -> None:
    ledger = processor.Ledger(world.folder)
    world.process(1, 0.5)
    world.process(2, 4.0)
    for now in (0, 1):
        ledger.look(now)
    world.end(2)
    assert ledger.look(2) == pytest.approx(4.5)


def test_the_same_number_may_be_another_process(world: World) -> None:
    ledger = processor.Ledger(world.folder)
    for start in range(5):
        world.process(2, 2.0, start=start)
        ledger.look(2 * start)
        ledger.look(2 * start + 1)
    assert ledger.look(100) == pytest.approx(10)


@pytest.mark.parametrize("life", [0.02, 0.1, 0.2, 0.4])
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_a_chain_of_short_lives_is_found_on_the_average(world: World, life: float, share: float) -> None:
    """One process at a time is at work for 30 s, and each is gone when the next one comes."""
    chance, ledger, now, said = random.Random(3), processor.Ledger(world.folder), 0.0, 0.0
    pid = 1
    while now < 30:
        number = 2 + int(now / life)
        if number != pid:
            if pid > 1:
                world.end(pid)
            pid = number
        world.process(pid, (now % life) * share, share=share)
        said = ledger.look(now)
        now += 0.25 + chance.uniform(-0.01, 0.03)
    assert said == pytest.approx(30 * share, rel=0.15)


def test_where_groups_are_made(tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("4:memory:/a\n2:cpu,cpuacct:/user/b\n0::/user/c\n")
    (tmp_path / "mountinfo").write_text(
        "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
        "33 31 0:30 /user /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
        "34 31 0:30 / /cg/memory rw - cgroup cgroup rw,memory\n"
        "35 31 0:31 / /cg/unified rw shared:3 - cgroup2 cgroup2 rw\n"
        "36 31 0:31 /elsewhere /cg/other rw - cgroup2 cgroup2 rw\n"
    )
    assert list(processor._places(tmp_path)) == [
        (Path("/cg/cpu/b"), "cpuacct.usage"),
        (Path("/cg/unified/user/c"), "cpu.stat"),
    ]
    assert list(processor._places(tmp_path / "none")) == []


def test_both_kinds_of_counter_are_read(tmp_path: Path) -> None:
    for content, seconds in ((b"usage_usec 2500000\nuser_usec 1\n", 2.5), (b"1500000000\n", 1.5), (b"", 0)):
        (tmp_path / "counter").write_bytes(content)
        counter = os.open(tmp_path / "counter", os.O_RDONLY)
        assert processor.used(counter) == seconds
        os.close(counter)


@pytest.fixture
def group() -> Iterator[processor.Account]:
    if not processor.counted():
        pytest.skip("no control group can be made here")
    made = processor.Account()
    yield made
    made.close()


def test_a_group_counts_those_whom_nobody_waits_for(group: processor.Account) -> None:
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(ready, 1)
        for _ in range(4):
            if os.fork() == 0:
                while time.process_time() < 0.05:
                    pass
                os._exit(0)
        os._exit(0)
    assert group.take(child)
    os.write(go, b"x")
    os.waitpid(child, 0)
    until = time.monotonic() + 10
    while processor.used(group.counter) < 0.2 and time.monotonic() < until:
        time.sleep(0.01)
    assert 0.2 <= processor.used(group.counter) < 1
    for end in (ready, go):
        os.close(end)
    group.close()
    assert not group.folder.exists()


def test_old_groups_of_the_dead_are_taken_away(
    group: processor.Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor.sweep()
    assert group.folder.exists()
    monkeypatch.setattr(processor, "OLD", -1)
    processor.sweep()
    assert not group.folder.exists()


def test_without_groups_the_doctor_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "_places", lambda: iter([(Path("/proc/none"), "cpu.stat")]))
    assert processor.account() is None
    assert not processor.counted()
    assert "estimated" in doctor.machine()[-1]
