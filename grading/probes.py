"""What a submission might try, one function each, sent into a sandbox as text by :mod:`grading.doctor`.

Each stands alone and is plain Python, as a submission would write it. It returns what it could do that it
should not, and None where the wall held; the first line of its docstring says what it means that it holds.
"""
# ruff: noqa: PTH111, PTH112, PTH113, PTH118, PTH123, PTH208, SIM115

from __future__ import annotations


def network() -> str | None:
    """Nothing can be looked up, and nothing sent away"""
    import socket

    others = [name for _, name in socket.if_nameindex() if name != "lo"]
    if others:
        return f"there is a network: {', '.join(others)}"
    for family, address in ((socket.AF_INET, ("1.1.1.1", 53)), (socket.AF_INET, ("127.0.0.1", 22))):
        with socket.socket(family) as line:
            line.settimeout(1)
            if line.connect_ex(address) == 0:
                return f"{address[0]} answers"
    return None


def system() -> str | None:
    """The system and Python can be read and not changed"""
    import os

    own = ("/tmp", "/home/student", "/dev/shm", "/run/course", "/proc", "/var/tmp")
    devices = [f"/dev/{name}" for name in os.listdir("/dev")]
    for line in open("/proc/self/mounts").read().splitlines():
        where, options = line.split()[1], line.split()[3].split(",")
        if "rw" in options and not any(
            where == one or where.startswith(one + "/") for one in (*own, *devices)
        ):
            return f"{where} can be written to"
    import sys

    for folder in ("/", "/dev", "/home", "/run", "/usr/bin", "/etc", sys.prefix, "/run/course/me"):
        try:
            with open(os.path.join(folder, "probe"), "w"):
                return f"a file could be made in {folder}"
        except OSError:
            continue
    return None


def files(*paths: str) -> str | None:
    """The class, the solutions, homes and passwords are not there"""
    import os

    for path in (*paths, "/etc/passwd", "/etc/shadow", "/sys/kernel", "/var/lib", "/mnt", "/srv"):
        if os.path.isfile(path) or (os.path.isdir(path) and os.listdir(path)):
            return f"{path} can be seen"
    return None


def environment() -> str | None:
    """No variable of the grader's environment, and so no secret in one, goes in"""
    import os

    strange = [name for name in os.environ if name.startswith(("PROBE_", "SSH_", "AWS_", "GITHUB_", "SUDO_"))]
    return f"{', '.join(strange)} can be read" if strange else None


def processes() -> str | None:
    """It sees, and can signal, no process but its own"""
    import os

    seen = [name for name in os.listdir("/proc") if name.isdigit()]
    if os.getpid() != 1:
        return "it is not the first process of a world of its own"
    if len(seen) > 2:
        return f"it sees {len(seen)} processes"
    try:
        os.kill(2, 0)
        os.kill(os.getppid() or 99_999, 0)
        return "it can signal others"
    except OSError:
        return None


def rights() -> str | None:
    """It has no rights of root's, and can get none"""
    import os

    said = dict(
        line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line
    )
    if os.geteuid() == 0 or os.getgroups() not in ([], [os.getgid()], [65534]):
        return f"it runs as user {os.geteuid()}, in groups {os.getgroups()}"
    for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"):
        if int(said[name], 16):
            return f"{name} is {said[name]}"
    return None if said["NoNewPrivs"].strip() == "1" else "it may gain rights by running a program"


def namespaces() -> str | None:
    """It cannot make a world of its own where it would be root"""
    import ctypes
    import os

    libc = ctypes.CDLL(None, use_errno=True)
    child = os.fork()
    if child == 0:
        os._exit(0 if libc.unshare(0x10000000) == 0 else 1)
    return "it made a user namespace" if os.waitpid(child, 0)[1] == 0 else None


def calls() -> str | None:
    """System calls that no answer needs are refused (needs libseccomp)"""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    for name, arguments in (("ptrace", (0, 0, 0, 0)), ("memfd_create", (b"probe", 0)), ("inotify_init", ())):
        if getattr(libc, name)(*arguments) >= 0:
            return f"{name} works"
    return None


def memory(most: int) -> str | None:
    """A process that takes too much memory gets an error"""
    taken = []
    try:
        for _ in range(most // 64 * 2):
            # Asked for, not written to: that would also try the limits on time and on all processes together.
            taken.append(bytes(64 << 20))
    except MemoryError:
        return None
    return f"it took {64 * len(taken)} MiB"


def memory_of_all(most: int) -> str | None:
    """A submission whose processes together take too much memory is stopped"""
    import os
    import time

    for _ in range(6):
        if os.fork() == 0:
            kept = b"x" * (most // 4 << 20)
            time.sleep(20)
            os._exit(len(kept) & 1)
    time.sleep(15)
    return f"its processes took {6 * (most // 4)} MiB together"


def time_of_processor() -> str | None:
    """An endless computation ends"""
    import signal
    import time

    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    while time.process_time() < 15:
        pass
    return "it computed for 15 s"


def time_of_all() -> str | None:
    """A chain of processes, each soon gone, cannot compute for ever"""
    import os
    import signal
    import time

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks what they have used
    until = time.monotonic() + 25
    while time.monotonic() < until:
        child = os.fork()
        if child == 0:
            while time.process_time() < 0.05:
                pass
            os._exit(0)
        try:
            os.waitpid(child, 0)
        except ChildProcessError:
            continue
    return "its processes computed for 25 s, one after another"


def many(most: int) -> str | None:
    """A fork bomb goes off in its own room"""
    import os
    import time

    count = 0
    try:
        while count < 2 * most:
            if os.fork() == 0:
                time.sleep(5)
                os._exit(0)
            count += 1
    except OSError:
        return None
    return f"it started {count} processes"


def descriptors(most: int) -> str | None:
    """It cannot hold any number of files open"""
    kept = []
    try:
        for _ in range(2 * most):
            kept.append(open("/dev/null"))
    except OSError:
        return None
    return f"it opened {len(kept)} files"


def disk(most: int) -> str | None:
    """It cannot fill the disk: what it writes is kept in memory, up to a limit"""
    import os

    written = 0
    for folder in (
        os.path.expanduser("~"),
        "/tmp",
        "/dev/shm",
        "/run/course/me",
        "/var/tmp",
        "/run/course",
        "/",
        "/dev",
    ):
        try:
            for number in range(200):
                with open(f"{folder}/{number}", "wb") as file:
                    for _ in range(3):
                        file.write(bytes(1 << 20))
                        written += 1
        except OSError:
            continue
    return f"it wrote {written} MiB" if written > most + 64 else None


def file_size(most: int) -> str | None:
    """A file cannot grow without end"""
    import os

    try:
        with open(os.path.expanduser("~/probe"), "wb") as file:
            file.truncate(2 * most << 20)
    except OSError:
        return None
    return f"it made a file of {2 * most} MiB"


def cores() -> str | None:
    """No core dump is left"""
    import resource

    most = resource.getrlimit(resource.RLIMIT_CORE)
    return None if most == (0, 0) else f"core dumps of {most} bytes are allowed"


def others() -> str | None:
    """Two submissions that run at the same time do not see each other"""
    import os

    there = [name for name in os.listdir("/run/course") if name != "me"]
    left = [name for name in (*os.listdir("/tmp"), *os.listdir("/dev/shm")) if name.startswith("probe")]
    return f"it sees {', '.join(there + left)}" if there or left else None


def leave_traces() -> str | None:
    """Leave what the other of two submissions must not see."""
    for folder in ("/tmp", "/dev/shm"):
        with open(f"{folder}/probe", "w") as file:
            file.write("here I am")
    return None
