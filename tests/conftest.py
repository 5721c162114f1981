"""Set-up for all tests: one thread, a quiet TensorFlow, repeatable Hypothesis.

Threads and Keras' backend are read from the environment when NumPy and TensorFlow are first imported, so
that they are set here before anything else is.
"""

from __future__ import annotations

import os

for name, value in {
    "OPENBLAS_NUM_THREADS": "1",  # many small products stall on two threads
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",  # TensorFlow's start-up chatter
    "KERAS_BACKEND": "tensorflow",
    "MPLBACKEND": "agg",
}.items():
    os.environ.setdefault(name, value)

import contextlib  # noqa: E402
import itertools  # noqa: E402
import socket  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import urllib.request  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(ROOT / "build" / "hypothesis"))

import hypothesis  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

_QUIET = {
    "deadline": None,  # machines are shared
    "database": None,
    "suppress_health_check": [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
}
hypothesis.settings.register_profile("ci", derandomize=True, max_examples=60, **_QUIET)
# New cases in every run, ten times as many: HYPOTHESIS_PROFILE=fuzz.
hypothesis.settings.register_profile("fuzz", max_examples=600, **_QUIET)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


BRIDGE = ROOT / "cnnlib" / "keras_bridge"
#: What `make check` leaves out.
MARKS = {"slow", "keras", "site", "grading", "browser"}


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before marks are chosen among
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Mark examples that load Keras; let the tests of a group stay in one worker.

    Examples in the docstrings of the door to Keras load it, as every test marked ``keras`` may. And
    pytest-xdist 3.8 tells its scheduler a test's group by the name it writes where pytest 9.2 reads it no
    more (pytest-xdist's issue 1386): without a word, each worker would make what a group shares.
    """
    for item in items:
        if isinstance(item, pytest.DoctestItem) and item.path.is_relative_to(BRIDGE):
            item.add_marker("keras")
    yield
    for item in items:
        named = vars(item).get("_nodeid", item.nodeid)
        if named != item.nodeid:
            item._id = type(item._id).parse(named)  # type: ignore[attr-defined]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A quick test stays quick: where it is the first to load TensorFlow, it fails for want of its mark."""
    loaded = "tensorflow" in sys.modules
    yield
    if "tensorflow" in sys.modules and not loaded and not MARKS & {mark.name for mark in item.iter_markers()}:
        pytest.fail("this test loads TensorFlow: mark it keras, so that `make check` leaves it out")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.default_rng(20260101)


@pytest.fixture(scope="session")
def geometries() -> list[tuple[int, int, int, tuple[int, int], int]]:
    """All small (size, kernel_size, stride, (before, after), dilation) of one axis."""
    return [
        (n, k, s, (before, after), d)
        for n, k, s, before, after, d in itertools.product(
            range(1, 12), range(1, 6), range(1, 5), range(3), range(3), range(1, 4)
        )
    ]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless browser; where none is installed, the tests that need one are skipped with a word."""
    from playwright.sync_api import sync_playwright

    from book import browser

    found = browser.executable()
    if not found:
        pytest.skip(browser.MISSING)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=browser.OPTIONS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def axe() -> Callable[..., list[dict[str, Any]]]:
    """What axe finds wrong on a page: ``axe(page, runOnly=…)``, by axe's own options."""
    from axe_playwright_python.sync_playwright import Axe

    def look(page: Any, **options: Any) -> list[dict[str, Any]]:
        # To write down what is in order as well would take four times as long.
        options = {"resultTypes": ["violations"], **options}
        return list(Axe().run(page, options=options).response["violations"])

    return look


@contextlib.contextmanager
def _jupyterlab(desk: Path, home: Path) -> Iterator[str]:
    """The address of a JupyterLab that serves the folder ``desk``, with settings of its own in ``home``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--IdentityProvider.token=", "--ServerApp.port_retries=0"]
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    environment = os.environ | {name: str(home / name.lower()) for name in places}
    environment["JUPYTER_CONFIG_PATH"] = str(ROOT / "grading" / "jupyter")  # as `make lab` does
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    log = home / "log"
    with log.open("w") as output:
        server = subprocess.Popen(command, cwd=desk, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(address + "/api", server, log)
            yield address
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait_for(address: str, server: subprocess.Popen, log: Path) -> None:
    for _ in range(240):
        assert server.poll() is None, f"JupyterLab ended:\n{log.read_text()[-2000:]}"
        try:
            with urllib.request.urlopen(address):
                return
        except OSError:
            time.sleep(0.25)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def serve_jupyterlab() -> Callable[[Path, Path], contextlib.AbstractContextManager[str]]:
    """A JupyterLab on a folder, for as long as a ``with`` lasts: see the function above."""
    return _jupyterlab
