"""Python for the reader's browser: Pyodide with NumPy, Matplotlib and cnnlib, served by the site itself.

Cells tagged ``live`` run in it. Nothing of it is kept in the repository but a list, ``live/runtime.json``:
the files of the official release and their SHA-256 (of the packages, as Pyodide's own lock file gives them),
and the package of the Python index that holds a copy of them all. A build has pip fetch that package once,
takes the files out whose hash is the one listed, and keeps them in ``.cache/live``; later builds only hash
them. Where they cannot be had, the site is built without live cells.

A newer release is listed by ``python -m book.runtime FOLDER``, with the unpacked npm package ``pyodide``.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from book.wheel import WheelError, build_wheel

#: The list of files.
LIST = Path(__file__).resolve().parent / "live" / "runtime.json"
#: What Pyodide itself consists of.
CORE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
#: The packages that cells may import besides cnnlib; what they need comes with them.
PACKAGES = ("numpy", "matplotlib")
#: What JupyterLite needs besides (see :mod:`book.lite`): its own installer, which finds nothing but these.
INSTALLER = ("micropip",)
#: The name under which Pyodide looks for its lock file.
LOCK = "pyodide-lock.json"

Say = Callable[[str], None]
Listed = dict[str, Any]


class NoRuntimeError(Exception):
    """The runtime cannot be had; the message says why in one line."""


def listed() -> Listed:
    """The list of files: ``package`` (where they are), ``core`` (their hashes), ``lock`` (the wheels)."""
    return dict(json.loads(LIST.read_text(encoding="utf-8")))


def files(wanted: Listed) -> dict[str, str]:
    """The name and the SHA-256 of every file that is to be fetched.

    >>> sorted(files(listed()))[-1]
    'six-1.17.0-py2.py3-none-any.whl'
    """
    wheels = {entry["file_name"]: entry["sha256"] for entry in wanted["lock"]["packages"].values()}
    return wanted["core"] | wheels


def fetch(root: Path, say: Say, wanted: Listed | None = None) -> Path:
    """The folder that holds every listed file, each with the hash listed; fetched first if need be.

    Raises:
        NoRuntimeError: the package cannot be fetched, or does not hold a file with the hash listed.
    """
    wanted = wanted or listed()
    expected = files(wanted)
    package = wanted["package"]

    def make(new: Path) -> None:
        say(f"fetching what runs the live cells: {package['requirement']}, {package['megabytes']} MB, once")
        archive = download(package, new.parent)
        new.mkdir()
        with zipfile.ZipFile(archive) as held:
            names = set(held.namelist())
            for name in expected.keys() & {n.removeprefix(package["folder"]) for n in names}:
                (new / name).write_bytes(held.read(package["folder"] + name))
        if faults := list(wrong(new, expected)):
            raise NoRuntimeError(
                f"{package['requirement']} does not hold what is listed: {', '.join(faults)}"
            )

    name = sha256(json.dumps(expected, sort_keys=True).encode())[:16]
    return kept(root / ".cache" / "live", name, make, lambda folder: wrong(folder, expected))


def kept(
    caches: Path, name: str, make: Callable[[Path], None], faults: Callable[[Path], Iterable[str]]
) -> Path:
    """The folder ``name`` in ``caches``, made first if it is not there or has faults; others are forgotten.

    Several builds may do this at once, and be interrupted: ``make`` gets the path of a folder to make, in a
    place of its own, and the folder gets its name when it is whole.
    """
    folder = caches / name
    if folder.is_dir():
        if not list(faults(folder)):
            return folder
        shutil.rmtree(folder, ignore_errors=True)
    caches.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="new-", dir=caches) as place:
        new = Path(place) / "whole"
        make(new)
        try:
            new.rename(folder)
        except OSError:  # another build was quicker
            if list(faults(folder)):
                raise
    for other in caches.iterdir():  # of earlier sources, and what a build that was killed left a day ago
        if other != folder and (not other.name.startswith("new-") or _age(other) > 86_400):
            shutil.rmtree(other, ignore_errors=True)
    return folder


def download(package: dict[str, str], place: Path) -> Path:
    """Let pip fetch the package from where it is told to look, check its hash, and return the file.

    Raises:
        NoRuntimeError: pip could not.
    """
    wanted = f"{package['requirement']} --hash=sha256:{package['sha256']}"
    found = pip_download([wanted], place)
    if len(found) != 1:
        raise NoRuntimeError(f"pip fetched {len(found)} files for {package['requirement']}, not one")
    return found[0]


def pip_download(wanted: Sequence[str], place: Path, *more: str) -> list[Path]:
    """Let pip fetch wheels into ``place``; ``wanted`` are lines of a requirements file, each with a hash.

    Raises:
        NoRuntimeError: pip could not.
    """
    request = place / "requirements.txt"
    request.write_text("\n".join(wanted) + "\n", encoding="utf-8")
    options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--no-cache-dir", "--quiet"]
    options += ["--retries=1", "--timeout=15", "--disable-pip-version-check", "--no-input", *more]
    run = subprocess.run(
        [sys.executable, "-m", "pip", "download", *options, "-d", str(place), "-r", str(request)],
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        errors = [line for line in run.stderr.splitlines() if line.startswith("ERROR")] or ["no word why"]
        named = wanted[0].split()[0] + (f" and {len(wanted) - 1} more" if wanted[1:] else "")
        raise NoRuntimeError(f"pip could not fetch {named} ({errors[-1][:120]})")
    return sorted(place.glob("*.whl"))


def wrong(folder: Path, expected: dict[str, str]) -> Iterator[str]:
    """Which of the expected files are missing in ``folder``, or are not what they should be."""
    for name, wanted in expected.items():
        file = folder / name
        if not file.is_file():
            yield f"{name} is missing"
        elif sha256(file.read_bytes()) != wanted:
            yield f"{name} has another hash"


def assemble(root: Path, target: Path, say: Say) -> None:
    """Put the runtime into the folder ``target``: Pyodide, packages, cnnlib, and a lock file of just these.

    Raises:
        NoRuntimeError: a part cannot be had.
    """
    wanted = listed()
    source = fetch(root, say, wanted)
    try:
        name, content = build_wheel(root)
    except WheelError as error:
        raise NoRuntimeError(str(error)) from None
    target.mkdir(parents=True)
    for file in files(wanted):
        shutil.copyfile(source / file, target / file)
    (target / name).write_bytes(content)
    lock = wanted["lock"]
    # It names more than that, Keras too, which no browser has: cells load the rest where they ask for it.
    lock["packages"]["cnnlib"] = lock_entry(name, content) | {"depends": ["numpy"]}
    (target / LOCK).write_text(json.dumps(lock, indent=1), encoding="utf-8")


def lock_entry(name: str, content: bytes) -> Listed:
    """What Pyodide's lock says of a wheel, by its file name and bytes."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        paths = archive.namelist()
        [metadata] = [path for path in paths if re.fullmatch(r"[^/]+\.dist-info/METADATA", path)]
        lines = archive.read(metadata).decode("utf-8").split("\n\n", 1)[0].splitlines()
    fields = dict(line.split(": ", 1) for line in lines if re.match(r"(Name|Version): ", line))
    required = [line.split(": ", 1)[1] for line in lines if line.startswith("Requires-Dist: ")]
    outside = (path for path in paths if not re.match(r"[^/]*\.(dist-info|data)/", path))
    return {
        "name": str(canonicalize_name(fields["Name"])),
        "version": fields["Version"],
        "file_name": name,
        "sha256": sha256(content),
        "install_dir": "site",
        "package_type": "package",
        "imports": sorted({path.split("/")[0].removesuffix(".py") for path in outside}),
        "depends": sorted(needs(required)),
        "unvendored_tests": False,
    }


def needs(required: Iterable[str]) -> Iterator[str]:
    """The packages that one needs in a browser, of those that its metadata name.

    >>> list(needs(["Jedi>=0.18", "psutil>=7; sys_platform != 'emscripten'", "ipykernel; extra == 'doc'"]))
    ['jedi']
    """
    here = {"sys_platform": "emscripten", "platform_system": "Emscripten", "python_version": python_version()}
    for needed in map(Requirement, required):
        if needed.marker is None or needed.marker.evaluate(here | {"extra": ""}):
            yield str(canonicalize_name(needed.name))


def python_version() -> str:
    """The version of the browser's Python, as folders and wheels name it."""
    return ".".join(str(listed()["lock"]["info"]["python"]).split(".")[:2])


def trimmed(official: Listed, roots: Iterable[str] = PACKAGES + INSTALLER) -> Listed:
    """An official lock file of ``roots`` and what they need alone: nothing else will be asked for.

    >>> entry = {"depends": []}
    >>> lock = {"info": {}, "packages": {"a": {"depends": ["b"]}, "b": entry, "c": entry}}
    >>> sorted(trimmed(lock, ["a"])["packages"])
    ['a', 'b']
    """
    ahead, kept = list(roots), set[str]()
    while ahead:
        if (name := ahead.pop()) not in kept:
            kept.add(name)
            ahead += official["packages"][name]["depends"]
    return official | {"packages": {name: official["packages"][name] for name in sorted(kept)}}


def main(arguments: list[str] | None = None) -> int:
    """Write the list anew from an official release."""
    parser = argparse.ArgumentParser(prog="python -m book.runtime", description="List the live cells' files.")
    parser.add_argument("folder", type=Path, help="the unpacked npm package pyodide")
    folder = parser.parse_args(arguments).folder
    official = json.loads((folder / LOCK).read_text(encoding="utf-8"))
    core = {name: sha256((folder / name).read_bytes()) for name in CORE}
    new = listed() | {"core": core, "lock": trimmed(official)}
    LIST.write_text(json.dumps(new, indent=1) + "\n", encoding="utf-8")
    return 0


def _age(path: Path) -> float:
    """The seconds since a folder was last changed; 0 if it is gone."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def sha256(content: bytes) -> str:
    """The SHA-256 of some bytes, as lock files write it."""
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
