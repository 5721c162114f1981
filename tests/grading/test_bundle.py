"""What a student takes home is whole: notebooks, library, pinned packages; and nothing that is not theirs."""

from __future__ import annotations

import importlib.metadata
import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from grading import bundle, run
from grading.course import Course
from grading.errors import GradingError

pytestmark = pytest.mark.grading


@pytest.fixture(scope="module")
def archive(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    file = bundle.make(Course.load(root), tmp_path_factory.mktemp("out") / "a.zip")
    with zipfile.ZipFile(file) as opened:
        assert opened.testzip() is None
        names = opened.namelist()
        assert {name.partition("/")[0] for name in names} == {bundle.FOLDER}
        return {name.partition("/")[2]: opened.read(name) for name in names}


def test_every_released_notebook_is_in_it_as_released(archive: dict[str, bytes], root: Path) -> None:
    there = {p.relative_to(root).as_posix(): p.read_bytes() for p in (root / "exercises").glob("*/*.ipynb")}
    assert there
    assert {name: data for name, data in archive.items() if name.startswith("exercises/")} == there
    others = [name for name in archive if not name.startswith("exercises/")]
    assert others[:2] == ["START-HERE.html", "requirements.txt"]
    assert len(others) == 3
    assert others[2].endswith(".whl")


def test_the_library_in_it_works_by_itself(archive: dict[str, bytes], tmp_path: Path) -> None:
    wheel = next(name for name in archive if name.endswith(".whl"))
    with zipfile.ZipFile(io.BytesIO(archive[wheel])) as opened:
        opened.extractall(tmp_path / "there")
        assert not [n for n in opened.namelist() if re.search(r"(^|/)(tests?|solutions|grading|book)/", n)]
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import cnnlib.exercises, cnnlib\n"
        "assert cnnlib.__file__.startswith(sys.argv[1]), cnnlib.__file__\n"
        "sheet = cnnlib.exercises.Sheet('03-sizes-and-counts', student_id='ada')\n"
        "print(sheet['first-size'].size_a.kernel_size)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "there")],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().isdigit()


def test_the_same_sources_give_the_same_bytes(root: Path, tmp_path: Path) -> None:
    course = Course.load(root)
    first, second = (bundle.make(course, tmp_path / name).read_bytes() for name in ("a.zip", "b.zip"))
    assert first == second


def pinned(archive: dict[str, bytes]) -> dict[str, list[Requirement]]:
    lines = archive["requirements.txt"].decode().splitlines()
    found: dict[str, list[Requirement]] = {}
    for line in lines:
        if line and not line.startswith(("#", " ", "./")):
            requirement = Requirement(line.rstrip(" \\"))
            found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


@pytest.mark.parametrize("machine", bundle.MACHINES, ids=lambda machine: machine["platform_system"])
def test_all_that_a_package_needs_is_pinned_too(archive: dict[str, bytes], machine: dict[str, str]) -> None:
    pins = {
        name: [r for r in entries if r.marker is None or r.marker.evaluate(machine)]
        for name, entries in pinned(archive).items()
    }
    pins = {name: entries for name, entries in pins.items() if entries}
    assert all(len(entries) == 1 for entries in pins.values()), "one version on one machine"
    for name in pins:
        try:
            asked = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # one for another machine
        for requirement in map(Requirement, asked):
            if requirement.marker is None or requirement.marker.evaluate(machine | {"extra": ""}):
                wanted = canonicalize_name(requirement.name)
                assert wanted in pins, f"{name} needs {wanted}"
                (version,) = pins[wanted][0].specifier
                assert requirement.specifier.contains(version.version, prereleases=True)
    assert {
        "numpy",
        "keras",
        "jupyterlab",
        "nbgrader",
        "matplotlib",
        "mlxtend",
        "scikit-image",
    } <= pins.keys()
    tensorflow = {"tensorflow", "tensorflow-cpu"} & pins.keys()
    assert tensorflow == ({"tensorflow"} if machine["sys_platform"] == "darwin" else {"tensorflow-cpu"})
    assert ("pywinpty" in pins) == (machine["sys_platform"] == "win32")


def test_what_the_course_itself_is_built_with_is_left_out(archive: dict[str, bytes]) -> None:
    assert not {"jupyter-book", "pytest", "playwright", "distributed", "ruff"} & pinned(archive).keys()


def test_every_pin_is_the_lock_file_s_and_has_its_hashes(archive: dict[str, bytes], root: Path) -> None:
    lines = archive["requirements.txt"].decode().splitlines()
    locked = (root / "requirements.lock").read_text().splitlines()
    own = [line for line in lines if line.startswith("./")]
    assert set(lines) - set(locked) - set(own) <= {"# Made from the course's lock file.", ""}
    assert len(own) == 1
    assert re.fullmatch(r"\./cnnlib-[\d.]+-py3-none-any\.whl --hash=sha256:[0-9a-f]{64}", own[0])
    for at, line in enumerate(lines):
        if "==" in line:
            assert lines[at + 1].strip().startswith("--hash=sha256:"), line
    assert "://" not in archive["requirements.txt"].decode()


def test_the_guide_tells_the_way_on_every_system(archive: dict[str, bytes], root: Path) -> None:
    text = archive["START-HERE.html"].decode()
    for words in (
        r"course\Scripts\python -m pip install -r requirements.txt",
        "course/bin/python -m pip install -r requirements.txt",
        "Windows",
        "macOS",
        "Linux",
        *(folder.name for folder in (root / "exercises").iterdir()),
    ):
        assert words in text
    assert "<script" not in text


def test_nothing_released_and_nothing_built_are_told(small, tmp_path: Path) -> None:
    with pytest.raises(GradingError, match="holds no notebook; run: python -m grading release"):
        bundle.make(small.course, tmp_path / "a.zip")
    small.release()
    with pytest.raises(GradingError, match="cnnlib could not be built"):  # a course without the library
        bundle.make(small.course, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.slow
def test_a_student_fetches_and_submits_by_the_exchange(small, tmp_path: Path) -> None:
    """As on a machine that students and instructors share."""
    small.release()
    exchange, home = tmp_path / "exchange", tmp_path / "home"
    for folder in (exchange, home):
        folder.mkdir()
    exchange.chmod(0o777)
    tools = Path(sys.executable).parent
    environment = os.environ | {
        "COURSE_EXCHANGE": str(exchange),
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
    }
    settings = "c = get_config()\nc.CourseDirectory.course_id = 'cnn'\n"
    (home / "nbgrader_config.py").write_text(f"{settings}c.Exchange.root = {str(exchange)!r}\n")

    def nbgrader(where: Path, *words: str) -> None:
        done = subprocess.run(
            [tools / "nbgrader", *words, small.name],
            cwd=where,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    nbgrader(small.root, "release_assignment")
    nbgrader(home, "fetch_assignment")
    nbgrader(home, "submit")
    collected = small.course.submitted
    assert not collected.exists()
    with run.locked(small.course):
        run.collect_from(small.course, small.name, exchange / "cnn" / "inbound")
    (student,) = collected.iterdir()
    assert (student / small.name / "tiny.ipynb").read_bytes() == (
        home / small.name / "tiny.ipynb"
    ).read_bytes()
