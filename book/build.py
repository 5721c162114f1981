"""Builds the website: ``python -m book.build``, into ``build/site``.

Only what the site needs is copied to a folder of its own (chapters, bibliography, style), so that nothing of
solutions, tests or submissions can get in. Notebooks are executed there in parallel, then Jupyter Book
renders the pages strictly: a warning is an error. The finished site takes the place of the old one in one
step and carries a stamp of everything that it was made from, so that nothing is done when nothing changed and
a build that was interrupted is never taken for a finished one.
"""

from __future__ import annotations

import argparse
import contextlib
import glob
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml  # type: ignore[import-untyped]

from book import lite
from book.execute import ExecutionError, execute, forget_others, is_notebook, read
from book.notebooks import export_all
from book.pictures import lighten
from book.runtime import NoRuntimeError, assemble, fetch

ROOT = Path(__file__).resolve().parent.parent
#: What the site is made from, and what the outputs of notebooks are made from besides their cells.
SOURCES = ("_config.yml", "_toc.yml", "chapters", "book", "cnnlib", "exercises", "requirements.lock")
LIBRARY = ("cnnlib", "requirements.lock")
#: Kept in a finished site: the fingerprint of its sources.
STAMP = ".made-from"
#: The folder of the site that runs its live cells, and the scripts in it besides Python itself.
LIVE = "live"
SCRIPTS = ("live.js", "live.css", "worker.js", "running.py")
#: Kept in a finished site that could not get what runs live cells or notebooks.
WITHOUT = ".without-runtime"
#: How the names of folders end in which a build works.
WORK = ".book-build"

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_COMPLAINT = re.compile(r"\b(WARNING|ERROR|CRITICAL)\b:? ")
#: Complaints about references to chapters that a preview leaves out.
_ELSEWHERE = re.compile(
    r"undefined label|'myst' cross-reference target not found|unknown document|could not find bibtex key"
    r"|term not in glossary|reference target not found"
    r"|\[(ref\.\w+|myst\.xref_missing)\]|Failed to create a cross reference"
)


class BuildError(Exception):
    """The site could not be built; the message says why."""


def fingerprint(root: Path, names: Iterable[str]) -> str:
    """A hash of the content of files and folders below ``root``, and of the Python that runs.

    Compiled files do not count; renaming does.
    """
    digest = hashlib.sha256(platform.python_version().encode())
    for name in names:
        top = root / name
        files = sorted(top.rglob("*")) if top.is_dir() else [top]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                content = hashlib.sha256(file.read_bytes()).hexdigest()
                digest.update(f"{file.relative_to(root).as_posix()}\0{content}\0".encode())
    return digest.hexdigest()


def is_fresh(site: Path, key: str) -> bool:
    """Whether ``site`` is a finished build of the sources with this fingerprint."""
    stamp = site / STAMP
    return (site / "index.html").is_file() and stamp.is_file() and stamp.read_text().strip() == key


def stage(root: Path, target: Path, chapter: Path | None = None) -> list[Path]:
    """Copy what Jupyter Book needs to ``target`` and return the notebooks among it.

    With ``chapter``, the table of contents holds that chapter (and the bibliography) alone.

    Raises:
        BuildError: the table of contents names a chapter that is not there.
    """
    target.mkdir(parents=True)
    shutil.copy(root / "_config.yml", target)
    shutil.copytree(root / "book" / "static", target / "static", ignore=shutil.ignore_patterns("readme*"))
    shutil.copytree(root / "book" / "templates", target / "templates")
    shutil.copy(root / "book" / "references.bib", target)
    if chapter:
        pages = [chapter.name, "bibliography.md"]
        shutil.copy(chapter, target)
        if (root / "chapters" / "bibliography.md").is_file() and chapter.name != "bibliography.md":
            shutil.copy(root / "chapters" / "bibliography.md", target)
        else:
            pages = pages[:1]
        toc = {
            "format": "jb-book",
            "root": chapter.stem,
            "chapters": [{"file": Path(p).stem} for p in pages[1:]],
        }
        (target / "_toc.yml").write_text(yaml.safe_dump(toc), encoding="utf-8")
    else:
        shutil.copy(root / "_toc.yml", target)
        pages = [
            f"{name}.md" for name in _named(yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8")))
        ]
        for page in pages:
            source = root / "chapters" / page
            if not source.is_file():
                raise BuildError(
                    f"_toc.yml names {page.removesuffix('.md')}, but there is no chapters/{page}"
                )
            shutil.copy(source, target)
    return [target / page for page in pages if is_notebook(target / page)]


def _named(toc: object) -> Iterator[str]:
    """The files that a table of contents names."""
    if isinstance(toc, dict):
        for key, value in toc.items():
            if key in ("root", "file"):
                yield str(value)
            else:
                yield from _named(value)
    elif isinstance(toc, list):
        for entry in toc:
            yield from _named(entry)


def build(root: Path = ROOT, chapter: Path | None = None, out: Path | None = None) -> Path:
    """Build the site, or one chapter alone, unless it is fresh; return the folder that holds it.

    Raises:
        BuildError: something is wrong in the chapters, or ``out`` holds something else than a site; the
            message says what and where.
    """
    root = root.resolve()
    site = out or root / "build" / ("preview" if chapter else "site")
    site = site.resolve()
    if (
        out
        and site.exists()
        and not (site.is_dir() and ((site / STAMP).is_file() or not any(site.iterdir())))
    ):
        raise BuildError(f"{site} is there and is no site that was built here; name a folder that is not yet")
    caches = root / "build" / "cache" / (_name(site) if chapter else "site")
    site.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(caches / "lock"):
        start = time.monotonic()
        key = _key(root, chapter)
        if is_fresh(site, key) and not _can_be_completed(root, site, whole=not chapter):
            say(f"the site in {_short(site)} is up to date")
            return site
        # Named so that what a killed build left is told from all else that may lie beside the site.
        for left in site.parent.glob(f".{glob.escape(site.name)}-????????{WORK}"):
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(WORK, f".{site.name}-", site.parent) as temporary:
            work = Path(temporary)
            notebooks = stage(root, work / "stage", chapter)
            library = fingerprint(root, LIBRARY)
            cache = caches / library[:16]
            try:
                execute(notebooks, cache, say)
            except ExecutionError as error:
                raise BuildError(str(error)) from None
            live = add_live_cells(root, notebooks, work / LIVE)
            wanted = live and not chapter  # a preview has no JupyterLite
            practice = wanted and lite.add(root, work / LIVE, work / lite.LITE, say)
            say("rendering the pages")
            html = render(root, work / "stage", work, cache, strict=chapter is None)
            if live:
                (work / LIVE).rename(html / LIVE)
            if practice:
                (work / lite.LITE).rename(html / lite.LITE)
            if live is None or (wanted and not practice):
                (html / WITHOUT).touch()
            lighten(html / "_images")
            for path in (html / "_static").rglob("*.map"):  # of the theme's scripts, for its makers
                path.unlink()
            export_all(notebooks, work / "stage", cache, html / lite.NOTEBOOKS, html / "_images")
            if practice:
                lite.fill(html / lite.LITE, root / "exercises")
            if chapter and chapter.stem != "index":
                shutil.copy(html / f"{chapter.stem}.html", html / "index.html")
            changed = _key(root, chapter) != key
            if changed:  # somebody edited meanwhile: show what there is, but let the next build make it anew
                say("the sources changed during the build; build again")
            (html / STAMP).write_text("changed\n" if changed else key + "\n")
            if fingerprint(root, LIBRARY) != library:
                shutil.rmtree(cache, ignore_errors=True)
            _replace(site, html)
        forget_others(cache)
    say(f"the site is in {_short(site)}, made in {time.monotonic() - start:.0f} s")
    return site


def add_live_cells(root: Path, notebooks: Iterable[Path], target: Path) -> bool | None:
    """Put what runs cells tagged ``live`` into ``target``; False if there are none, None if it cannot be had.

    The book is whole without it: the pages just have no live cells.
    """
    if not any("live" in cell.metadata.get("tags", []) for path in notebooks for cell in read(path).cells):
        return False
    try:
        assemble(root, target / "pyodide", say)
    except NoRuntimeError as error:
        say(f"no live cells: {error}")
        shutil.rmtree(target, ignore_errors=True)
        return None
    for name in SCRIPTS:
        shutil.copy(root / "book" / "live" / name, target)
    return True


def _can_be_completed(root: Path, site: Path, whole: bool) -> bool:
    """Whether ``site`` was built without what runs its live cells and notebooks, and it can be had now."""
    if not (site / WITHOUT).is_file():
        return False
    try:
        fetch(root, say)
        if whole:
            lite.shell(root, say)
    except NoRuntimeError as error:
        say(f"not to be run in the browser: {error}")
        return False
    return True


def render(root: Path, source: Path, work: Path, cache: Path, strict: bool) -> Path:
    """Let Jupyter Book make pages of what is staged in ``source``; return their folder.

    Pages with live cells ask for the script that runs them, if ``work`` holds it.

    Raises:
        BuildError: Jupyter Book failed or warned. Without ``strict``, references to what is not in this
            book are forgiven.
    """
    environment = os.environ | {
        "JUPYTERCACHE": str(cache),
        "BOOK_CACHE": str(cache),
        "BOOK_LIVE": "1" if (work / LIVE).is_dir() else "",
        "BOOK_LITE": "1" if (work / lite.LITE).is_dir() else "",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")])),
        "PYTHONWARNINGS": "ignore",
    }
    # What a build makes it keeps to its end: to look for garbage in it would take a quarter of the time.
    run_it = "import gc; gc.disable(); from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", run_it, "build", str(source)]
    command += ["--path-output", str(work), "--keep-going", *(["-W", "-n"] if strict else [])]
    run = subprocess.run(
        command, env=environment, cwd=work, capture_output=True, text=True, encoding="utf-8", check=False
    )
    log = _ANSI.sub("", run.stdout + run.stderr).replace(f"{source}{os.sep}", "chapters/")
    complaints = [line for line in log.splitlines() if _COMPLAINT.search(line)]
    if not strict:
        complaints = [line for line in complaints if not _ELSEWHERE.search(line)]
    html = work / "_build" / "html"
    if run.returncode or complaints:
        told = "\n".join(dict.fromkeys(complaints)) or "\n".join(log.splitlines()[-40:])
        raise BuildError(f"Jupyter Book is not content:\n{told}")
    if not (html / "index.html").is_file() and strict:
        raise BuildError(f"Jupyter Book made no index.html:\n{log[-2000:]}")
    return html


def site_key(root: Path) -> str:
    """The fingerprint of the whole site: of all sources, and of the address that its pages name."""
    address = os.environ.get("COURSE_SITE", "")
    sources = fingerprint(root, SOURCES)
    return hashlib.sha256(f"{sources} {address}".encode()).hexdigest() if address else sources


def _key(root: Path, chapter: Path | None) -> str:
    """The fingerprint of a build: of all sources, or of those of one chapter."""
    if not chapter:
        return site_key(root)
    others = [name for name in SOURCES if name not in ("chapters", "_toc.yml")]
    own = hashlib.sha256(chapter.read_bytes()).hexdigest()
    return hashlib.sha256(f"{fingerprint(root, others)} {chapter.name} {own}".encode()).hexdigest()


def _replace(site: Path, new: Path) -> None:
    """Put a finished site in the place of the old one."""
    old = new.parent / "old"
    if site.exists():
        site.rename(old)
    new.rename(site)


@contextlib.contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """Let builds into the same place wait for each other."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            import fcntl
        except ImportError:  # Windows: builds are not run side by side there
            yield
            return
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _name(site: Path) -> str:
    return "preview-" + hashlib.sha256(str(site).encode()).hexdigest()[:12]


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def say(line: str) -> None:
    """Report progress at once, even into a pipe."""
    print(f"book: {line}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Build what the command line asks for; 1 if it failed."""
    parser = argparse.ArgumentParser(prog="python -m book.build", description="Build the website.")
    parser.add_argument("--chapter", type=Path, metavar="FILE", help="build this chapter alone")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to; build/site, or build/preview")
    options = parser.parse_args(arguments)
    if options.chapter and not options.chapter.is_file():
        parser.error(f"there is no chapter {options.chapter}")
    try:
        build(chapter=options.chapter, out=options.out)
    except (BuildError, OSError) as error:
        print(f"\nbook: the site was not built\n\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nbook: interrupted; run the same command again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
