"""Collecting: each platform's way of naming, what is hostile in an archive, and who is who."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from grading import collect, intake
from grading.collect import Found, Person
from grading.errors import GradingError

NAME = "01-tiny"
PEOPLE = [Person("ada", "Ada Kim"), Person("bo", "Bo Kim", "4711"), Person("jw", "김 지우")]


def archive(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name, content in files.items():
            made.writestr(zipfile.ZipInfo(name), content)
    return path


def collected(course, source: Path, people=PEOPLE) -> dict[str, dict[str, bytes]]:
    collect.collect(course, NAME, source, people)
    return {
        folder.parent.name: {p.name: p.read_bytes() for p in folder.iterdir()}
        for folder in sorted(course.submitted.glob(f"*/{NAME}"))
    }


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    "names",
    [
        ("Ada Kim_12_assignsubmission_file_/tiny.ipynb", "Bo Kim_13_assignsubmission_file_/tiny.ipynb"),
        ("Ada Kim_12_assignsubmission_file_tiny.ipynb", "Bo Kim_13_assignsubmission_file_tiny.ipynb"),
        ("kimada_99_1234_tiny.ipynb", "kimwhoever_LATE_4711_1235_tiny.ipynb"),
        ("ada/tiny.ipynb", "bo/tiny.ipynb"),
        ("ada.ipynb", "bo.ipynb"),
    ],
)
def test_the_ways_of_platforms(small, tmp_path: Path, names: tuple[str, str], packed: bool) -> None:
    files = {names[0]: b"of Ada", names[1]: b"of Bo"}
    source = tmp_path / "download"
    if packed:
        source = archive(tmp_path / "download.zip", files)
    else:
        for name, content in files.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(content)
    found = collected(small.course, source)
    assert {student: list(each.values()) for student, each in found.items()} == {
        "ada": [b"of Ada"],
        "bo": [b"of Bo"],
    }


def test_the_exchange_gives_the_latest_of_this_assignment_and_its_time(small, tmp_path: Path) -> None:
    for name, content in {
        f"ada+{NAME}+2026-03-09 17:42:00.1 UTC+x1": b"first",
        f"ada+{NAME}+2026-03-10 08:00:00.1 UTC+x2": b"second",
        "ada+02-other+2026-03-11 08:00:00.1 UTC": b"other",
    }.items():
        (tmp_path / "inbound" / name).mkdir(parents=True)
        (tmp_path / "inbound" / name / "tiny.ipynb").write_bytes(content)
    found = collected(small.course, tmp_path / "inbound")
    assert found == {"ada": {"tiny.ipynb": b"second", "timestamp.txt": b"2026-03-10 08:00:00.1 UTC"}}


def test_what_is_hostile_in_an_archive_goes_nowhere_else(small, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(intake, "MOST_BYTES", 1000)
    source = archive(
        tmp_path / "d.zip",
        {
            "kimada_99_1_../../../escaped.ipynb": b"x",
            "Ada Kim_12_assignsubmission_file_/../../../../escaped.ipynb": b"y",
            "/etc/cron.d/job": b"z",
            "..\\..\\windows.ipynb": b"w",
            "bo/bomb.ipynb": b"0" * 100_000,
            "bo/tiny.ipynb": b"of Bo",
        },
    )
    around = small.root.parent.parent
    before = set(tmp_path.rglob("*")), set(around.glob("*"))
    done, notes = collect.collect(small.course, NAME, source, PEOPLE)
    assert (set(tmp_path.rglob("*")), set(around.glob("*"))) == before
    assert done["bo"] == "new"
    assert list(intake.read(small.course.submitted / "bo" / NAME).contents) == ["tiny.ipynb"]
    assert any("bo: bomb.ipynb was left out" in note for note in notes)
    inside = small.course.submitted.resolve()
    assert all(p.resolve().is_relative_to(inside) for p in small.course.submitted.rglob("*"))


def test_collecting_again_changes_only_what_is_new(small, tmp_path: Path) -> None:
    source = tmp_path / "d.zip"
    archive(source, {"ada/tiny.ipynb": b"1", "bo/tiny.ipynb": b"1"})
    assert collect.collect(small.course, NAME, source)[0] == {"ada": "new", "bo": "new"}
    archive(source, {"ada/tiny.ipynb": b"1", "bo/tiny.ipynb": b"2", "cy/tiny.ipynb": b"1"})
    done, _ = collect.collect(small.course, NAME, source)
    assert done == {"ada": "unchanged", "bo": "replaced", "cy": "new"}


def test_of_two_who_are_called_alike_none_gets_the_others_work(small, tmp_path: Path) -> None:
    people = [Person("ada1", "Ada Kim"), Person("ada2", "Ada Kim")]
    assert collect.student_id(Found("Ada Kim", "12"), people) == "Ada-Kim-12"
    source = archive(tmp_path / "d.zip", {"Ada Kim_12_assignsubmission_file_/tiny.ipynb": b"1"})
    _, notes = collect.collect(small.course, NAME, source, people)
    assert notes == ["Ada Kim is not in the gradebook; taken as Ada-Kim-12"]


def test_what_is_no_download_is_told(small, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    broken = io.BytesIO()
    with zipfile.ZipFile(broken, "w") as made:
        made.writestr("ada/tiny.ipynb", b"x" * 50)
    (tmp_path / "broken.zip").write_bytes(broken.getvalue().replace(b"xxxxx", b"yyyyy", 1))
    for name, said in (("a.txt", "neither"), ("empty", "no submission"), ("broken.zip", "cannot be read")):
        with pytest.raises(GradingError, match=said):
            collect.collect(small.course, NAME, tmp_path / name)
