"""Make the environment `.venv` from `requirements.lock`, or say in one line what is missing.

Run by every target of the Makefile, with the standard library alone. It does nothing when the
environment is complete and up to date, and starts afresh when it is half built or the lock changed.
"""

import contextlib
import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
LOG = ROOT / ".cache" / "install.log"
#: Written last, so that an environment without it is known to be half built.
STAMP = VENV / "complete"
LOCKED = ROOT / ".cache" / "install.lock"
PYTHON = VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
#: The Python that makes the environment: never the environment's own, which `make` finds first and which
#: goes away when the environment is made afresh.
BASE = getattr(sys, "_base_executable", None) or sys.executable
#: What the environment takes, with room for what pip unpacks on the way.
NEEDED_GB = 4.5

#: Signs in pip's output, and what they mean to a person. The first that is found is told.
CAUSES = (
    (r"No space left on device", "the disk is full: free some {needed} GB and run the command again"),
    (
        r"Temporary failure in name resolution|Name or service not known|NewConnectionError|ProxyError"
        r"|Network is unreachable|getaddrinfo failed|ConnectTimeout|Read timed out|Connection refused",
        "no network: the packages could not be fetched; connect and run the command again",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError",
        "the package index could not be verified; check this machine's certificates",
    ),
    (
        r"DO NOT MATCH THE HASHES",
        "a package is not the one that the lock file names; do not use it, and check where pip fetches from",
    ),
    (
        r"No matching distribution found|from versions: none",
        "a package has no build for this machine, or the package index is out of reach",
    ),
)


def main():
    """Bring the environment up to date and return the exit code."""
    if sys.version_info[:2] != (3, 11):
        version = ".".join(map(str, sys.version_info[:3]))
        return fail(
            f"the course needs Python 3.11, and this is {version} ({sys.executable}); "
            "install 3.11 and, if it is not called python3.11, name it: make PYTHON=/path/to/python3.11"
        )
    fingerprint = what_decides_it()
    if is_complete(fingerprint):
        return 0
    with one_at_a_time():  # two terminals: the second one would remove what the first one is making
        return 0 if is_complete(fingerprint) else make_afresh(fingerprint)


def is_complete(fingerprint):
    """Whether the environment is there, whole and up to date."""
    return STAMP.is_file() and STAMP.read_text() == fingerprint and works(PYTHON)


@contextlib.contextmanager
def one_at_a_time():
    """Wait while another process makes the environment."""
    LOCKED.parent.mkdir(exist_ok=True)
    with LOCKED.open("a") as file:
        try:
            import fcntl
        except ImportError:  # Windows
            pass
        else:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("waiting for another run, which is setting up .venv …")
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make_afresh(fingerprint):
    """Remove what is left of an old environment and make a new one."""
    if VENV.exists():
        if VENV.is_symlink() or not VENV.is_dir():
            return fail(f"{VENV} is a link or a file, and not an environment; move it away")
        if not (VENV / "pyvenv.cfg").is_file() and any(VENV.iterdir()):
            return fail(f"{VENV} is there and is not a Python environment; move it away")
        why = "is out of date" if STAMP.is_file() else "was left half built"
        say(f"the environment in .venv {why}; making it afresh")
        shutil.rmtree(VENV)
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < NEEDED_GB:
        return fail(f"no room: the environment needs {NEEDED_GB} GB and {free:.1f} GB are free at {ROOT}")
    return install(fingerprint)


def install(fingerprint):
    """Make a new environment and put into it what the lock names."""
    started = time.monotonic()
    total = len(re.findall(r"^[a-z0-9].*==", LOCK.read_text(), re.MULTILINE))
    say(f"setting up .venv with {total} packages (once; two to ten minutes) …")
    LOG.parent.mkdir(exist_ok=True)
    command = [BASE, "-m", "venv", str(VENV)]
    made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if made.returncode:
        LOG.write_text(made.stdout)
        if "ensurepip" in made.stdout:
            return fail(
                "this Python cannot make environments, since its venv module is incomplete; on Debian "
                "or Ubuntu, as root: apt-get install python3.11-venv"
            )
        return fail(f"the environment could not be made: {last_line(made.stdout)}")
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    steps = (
        [*pip, "--progress-bar", "off", "--require-hashes", "-r", str(LOCK)],
        [*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)],
    )
    with LOG.open("w") as log:
        done = all(run(step, log, total) for step in steps)
    if not done:
        return fail(f"{cause(LOG.read_text())} (all of pip's output: {LOG.relative_to(ROOT)})")
    STAMP.write_text(fingerprint)
    say(f"the environment is ready, after {time.monotonic() - started:.0f} s")
    return 0


def run(command, log, total):
    """Run pip, write what it says into the log and show how far it has come."""
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    collected = 0
    for line in process.stdout:
        log.write(line)
        if line.startswith(("Collecting ", "Processing /")) and "-r " in line:
            collected += 1
            if collected % 25 == 0:
                say(f"  {collected} of {total} packages fetched")
        elif line.startswith("Installing collected packages") and collected:
            say("  all fetched; unpacking them (a minute or so)")
    log.flush()
    return process.wait() == 0


def works(python):
    """Whether the environment's Python still starts: it does not when its base was removed."""
    try:
        return subprocess.run([str(python), "-c", ""], stderr=subprocess.DEVNULL, check=False).returncode == 0
    except OSError:
        return False


def what_decides_it():
    """One hash of what the environment is made from: Python, the lock and cnnlib's own metadata."""
    import tomllib  # not in every Python that must be able to read this file

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    parts = [sys.version, LOCK.read_text(), json.dumps([project["project"], project["build-system"]])]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def cause(output):
    """What pip's output means, in words."""
    for sign, meaning in CAUSES:
        if re.search(sign, output):
            return meaning.format(needed=NEEDED_GB)
    return f"installing the packages failed: {last_line(output)}"


def last_line(output):
    """The last line that says something."""
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no output"


def say(text):
    """Print at once, so that progress shows."""
    print(text, flush=True)


def fail(text):
    """Say what is missing."""
    print(f"make: {text}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        fail("interrupted; run the same command again to go on")
        sys.exit(130)
    except OSError as error:
        sys.exit(fail(f"the environment could not be made: {error}"))
