"""Whatever is handed in becomes a notebook that nbgrader opens without a word, or a reason why not."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import nbformat
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from nbgrader.nbgraderformat import MetadataValidator

from grading import intake

NAME = "sizes-and-counts.ipynb"
SIZE = "size_a = 24\nsize_b = 30"
FUNCTION = "def count_parameters(kernel_size, channels, filters, use_bias=True):\n    return 1"


@pytest.fixture(scope="module")
def released(root) -> dict[str, bytes]:
    file = root / "exercises" / "03-sizes-and-counts" / NAME
    return {NAME: file.read_bytes()}


@pytest.fixture
def notebook(released) -> dict:
    """The released notebook with two answers, as a dictionary to spoil."""
    notebook = json.loads(released[NAME])
    at(notebook, "first-size")["source"] = SIZE
    at(notebook, "write-count-parameters")["source"] = FUNCTION
    return notebook


def at(notebook: dict, name: str) -> dict:
    return next(cell for cell in notebook["cells"] if cell["id"] == name)


def own(source: str, kind: str = "code", **more) -> dict:
    return {"cell_type": kind, "metadata": {}, "source": source, "id": "mine", **more}


def taken(released, notebook, name: str = NAME) -> tuple[dict[str, str], list[str], list[str]]:
    """Sources of the cells by id, notes, and ids in their order."""
    content = notebook if isinstance(notebook, bytes) else json.dumps(notebook).encode()
    result = intake.take({name: content}, released)
    assert result.notebooks.keys() == released.keys()
    rebuilt = nbformat.reads(result.notebooks[NAME].decode(), as_version=4)
    nbformat.validate(rebuilt)
    MetadataValidator().validate_nb(rebuilt)
    return {c.id: c.source for c in rebuilt.cells}, result.notes, [c.id for c in rebuilt.cells]


def test_the_release_itself_comes_back(released) -> None:
    result = intake.take(dict(released), released)
    assert result.notes == []
    came, went = (nbformat.reads(n[NAME].decode(), as_version=4) for n in (result.notebooks, released))
    assert came == went


def test_nothing_but_answers_is_the_students(released, notebook) -> None:
    notebook["metadata"] = {"kernelspec": {"name": "bash"}, "x": "y"}
    for cell in notebook["cells"]:
        cell["metadata"]["tags"] = ["skip-execution"]
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "forged"}]
        cell["metadata"].get("nbgrader", {})["points"] = 1000
    at(notebook, "first-size-check")["source"] = "pass"
    at(notebook, "first-size-question")["source"] = "an easier one"
    result = intake.take({NAME: json.dumps(notebook).encode()}, released)
    expected = json.loads(released[NAME])
    at(expected, "first-size")["source"] = SIZE
    at(expected, "write-count-parameters")["source"] = FUNCTION
    rebuilt = json.loads(result.notebooks[NAME])
    for cell in [*expected["cells"], *rebuilt["cells"]]:
        cell["source"] = "".join(cell["source"])
    assert rebuilt == expected
    assert result.notes == [
        "the text first-size-question had been changed; the original counts",
        "the test first-size-check had been changed; the original counts",
    ]


def test_deterministic(released, notebook) -> None:
    notebook["cells"].insert(4, own("helper = 1"))
    content = json.dumps(notebook).encode()
    assert intake.take({NAME: content}, released) == intake.take({NAME: content}, released)


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("utf-16-be"),
        lambda text: text.encode("utf-32"),
        lambda text: text.encode("cp949"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: b"\n\n" + text.encode() + b"\0\0\n",
    ],
    ids=["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp949", "crlf", "padded"],
)
def test_encodings(released, notebook, encode) -> None:
    korean = "# 첫째 답\r\n" + SIZE
    at(notebook, "first-size")["source"] = korean
    for cell in notebook["cells"]:  # CP949 has no signs for what the questions say
        if not cell["id"].endswith("size"):
            cell["source"] = ""
    text = json.dumps(notebook, ensure_ascii=False, indent=1)
    cells, _, _ = taken(released, encode(text))
    assert cells["first-size"] == korean.replace("\r\n", "\n")


def test_bytes_in_no_encoding_cost_their_own_place_alone(released, notebook) -> None:
    at(notebook, "explain-to-a-friend")["source"] = "tea @ home, \ud55c"
    content = json.dumps(notebook, ensure_ascii=False).encode().replace(b"tea @", b"tea \xe9\xff")
    cells, notes, _ = taken(released, content)
    assert cells["first-size"] == SIZE
    assert "home" in cells["explain-to-a-friend"]
    assert "not in UTF-8" in notes[0]


@pytest.mark.parametrize(
    "name", ["sizes-and-counts (1).ipynb", "Sizes-and-Counts.IPYNB ", "kim.ipynb", "과제.ipynb"]
)
def test_another_name(released, notebook, name) -> None:
    cells, notes, _ = taken(released, notebook, name)
    assert cells["first-size"] == SIZE
    assert notes == [f'graded was "{name}"; hand it in as {NAME}']


@pytest.mark.parametrize(
    "name", ["C:\\Users\\kim\\Downloads\\" + NAME, "homework/" + NAME, NAME + ".txt", "sizes-and-counts.json"]
)
def test_another_place_or_suffix(released, notebook, name) -> None:
    assert taken(released, notebook, name)[0]["first-size"] == SIZE


def test_of_several_the_right_name_counts(released, notebook) -> None:
    other = json.loads(json.dumps(notebook))
    at(other, "first-size")["source"] = "size_a = 0"
    files = {NAME: json.dumps(notebook).encode(), "copy.ipynb": json.dumps(other).encode()}
    result = intake.take(files, released)
    assert SIZE.splitlines()[0] in result.notebooks[NAME].decode()
    assert result.notes == ['not graded, since there is one that counts: "copy.ipynb"']


@pytest.mark.parametrize("spoiled", ["empty", "broken"])
def test_of_several_the_one_with_answers_counts(released, notebook, spoiled) -> None:
    files = {
        NAME: released[NAME] if spoiled == "empty" else b"\x00",
        "sizes-and-counts-Copy1.ipynb": json.dumps(notebook).encode(),
    }
    result = intake.take(files, released)
    assert SIZE.splitlines()[0] in result.notebooks[NAME].decode()
    assert 'graded was "sizes-and-counts-Copy1.ipynb"' in result.notes[0]


def test_version_3(released, notebook) -> None:
    cells = []
    for cell in notebook["cells"]:
        old = {k: v for k, v in cell.items() if k not in ("source", "id")}
        old["input" if cell["cell_type"] == "code" else "source"] = cell["source"]
        cells.append(old | ({"language": "python"} if cell["cell_type"] == "code" else {}))
    cells.append({"cell_type": "heading", "level": 1, "source": "Mine", "metadata": {}})
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": cells}]}
    sources, _, order = taken(released, old)
    assert sources["first-size"] == SIZE
    assert sources["own-1"] == "Mine"
    assert order[-1] == "own-1"


@pytest.mark.parametrize("lost", ["names", "ids", "both"])
def test_lost_metadata(released, notebook, lost) -> None:
    for cell in notebook["cells"]:
        if lost != "ids":
            cell["metadata"] = {}
        if lost != "names":
            del cell["id"]
    at_prose = notebook["cells"][-1]
    at_prose["source"] = "My letter."
    cells, notes, order = taken(released, notebook)
    assert cells["first-size"] == SIZE
    assert cells["write-count-parameters"] == FUNCTION
    assert cells["explain-to-a-friend"] == "My letter."
    assert "own-1" not in order
    assert bool(notes) == (lost == "both")


@pytest.mark.parametrize("version", [None, 0, 1, 2, 99, "x", [], {}])
def test_schema_versions(released, notebook, version) -> None:
    for cell in notebook["cells"]:
        cell["metadata"]["nbgrader"].pop("schema_version")
        if version is not None:
            cell["metadata"]["nbgrader"]["schema_version"] = version
    assert taken(released, notebook)[0]["first-size"] == SIZE


@pytest.mark.parametrize(
    "change",
    [
        lambda nb: nb["cells"].reverse(),
        lambda nb: nb["cells"].append(nb["cells"].pop(2)),
        lambda nb: nb["cells"].insert(0, nb["cells"].pop(2)),
    ],
    ids=["reversed", "to the end", "to the top"],
)
def test_moved(released, notebook, change) -> None:
    change(notebook)
    cells, notes, order = taken(released, notebook)
    assert cells["first-size"] == SIZE
    assert order == [cell.id for cell in nbformat.reads(released[NAME].decode(), as_version=4).cells]
    assert notes == ["cells had been moved; they were put back in their order"]


def test_copies(released, notebook) -> None:
    """The last that is filled in counts; what came before is still run, since splitting makes copies too."""
    blank = json.loads(released[NAME])
    first, last = at(notebook, "first-size"), {**at(notebook, "first-size"), "id": "copy"}
    last["source"] = "size_a = 24\nsize_b = 31"
    notebook["cells"] += [last, at(blank, "first-size"), at(notebook, "first-size-check")]
    cells, notes, order = taken(released, notebook)
    assert cells["first-size"] == last["source"]
    assert order.index("own-1") == order.index("first-size") - 1
    assert cells["own-1"] == first["source"]
    assert order.count("first-size-check") == 1
    assert notes == ["cell first-size was there 2 times; the last one counts"]


def test_a_copy_of_the_same_is_dropped(released, notebook) -> None:
    notebook["cells"] += json.loads(json.dumps(notebook["cells"]))
    cells, notes, order = taken(released, notebook)
    assert cells["first-size"] == SIZE
    assert len(order) == len(set(order)) == len(json.loads(released[NAME])["cells"])
    assert "the copy of cell first-size was left out" in notes


def test_deleted(released, notebook) -> None:
    notebook["cells"] = [
        cell
        for cell in notebook["cells"]
        if cell["id"] not in ("intro", "first-size-check", "dropped-column", "write-count-parameters")
    ]
    cells, notes, order = taken(released, notebook)
    assert len(order) == len(json.loads(released[NAME])["cells"])
    assert "count_parameters" in cells["write-count-parameters"]
    assert notes == [
        "the text intro had been deleted; it was put back",
        "the test first-size-check had been deleted; it was put back",
        "cell dropped-column was not there",
        "cell write-count-parameters was not there",
    ]


def test_merged(released, notebook) -> None:
    """Two answers in one cell: the released stub of the other must not reset what that cell gave."""
    merged = at(notebook, "first-size")
    merged["source"] += "\nstrided_a = 54\nstrided_b = 36\ndropped_b = 3"
    notebook["cells"].remove(at(notebook, "dropped-column"))
    cells, notes, _ = taken(released, notebook)
    assert cells["first-size"] == merged["source"]
    assert cells["dropped-column"] == "# answered in the cell of another question"
    assert notes == ["cell dropped-column is answered in another cell"]


def test_split(released, notebook) -> None:
    half = {**at(notebook, "first-size"), "id": "half", "source": "size_a = 24"}
    at(notebook, "first-size")["source"] = "size_b = 30"
    notebook["cells"].insert(2, half)
    cells, _, order = taken(released, notebook)
    assert cells["own-1"] == "size_a = 24"
    assert cells["first-size"] == "size_b = 30"
    assert order.index("own-1") < order.index("first-size") < order.index("first-size-check")


def test_own_cells_stay_where_they_were(released, notebook) -> None:
    notebook["cells"].insert(notebook["cells"].index(at(notebook, "first-size")), own("helper = 24"))
    at(notebook, "first-size")["source"] = "size_a = helper\nsize_b = 30"
    notebook["cells"].append(own("print('done')"))
    notebook["cells"].append(own("*thoughts*", "markdown"))
    notebook["cells"].append(own("", "code"))
    cells, notes, order = taken(released, notebook)
    assert order.index("own-1") == order.index("first-size") - 1
    assert cells["own-1"] == "helper = 24"
    assert order[-2:] == ["own-2", "own-3"]
    assert notes == []


@pytest.mark.parametrize("kind", ["markdown", "raw", "nonsense", None, 7])
def test_an_answer_in_a_cell_of_another_kind(released, notebook, kind) -> None:
    at(notebook, "first-size")["cell_type"] = kind
    cells, notes, _ = taken(released, notebook)
    assert cells["first-size"] == SIZE
    assert "it was read as code" in notes[0]


def test_pictures_in_an_answer(released, notebook) -> None:
    answer = at(notebook, "explain-to-a-friend")
    answer["source"] = "![](attachment:a.png)"
    answer["attachments"] = {
        "a.png": {"image/png": "iVBORw0KGgo="},
        "b.svg": {"image/svg+xml": "<svg onload='alert(1)'/>"},
        "c.png": {"image/png": '"><script>alert(1)</script>'},
        "d.png": 7,
    }
    result = intake.take({NAME: json.dumps(notebook).encode()}, released)
    rebuilt = nbformat.reads(result.notebooks[NAME].decode(), as_version=4)
    assert rebuilt.cells[-1].attachments == {"a.png": {"image/png": "iVBORw0KGgo="}}


def test_a_file_that_breaks_off_gives_its_whole_cells(released, notebook) -> None:
    text = json.dumps(notebook, indent=1)
    cells, notes, _ = taken(released, text[: text.index('"keep-the-size"')].encode())
    assert cells["first-size"] == SIZE
    assert "is damaged" in notes[0]
    whole = [cell["id"] for cell in notebook["cells"]].index("keep-the-size")
    assert f"{whole} cells from its beginning" in notes[0]


def test_conflict_marks(released, notebook) -> None:
    text = json.dumps(notebook, indent=1)
    mine = '   "source": "size_a = 24\\nsize_b = 30"'
    assert mine in text
    other = mine.replace("24", "25")
    cells, notes, _ = taken(
        released, text.replace(mine, f"<<<<<<< HEAD\n{mine}\n=======\n{other}\n>>>>>>> theirs").encode()
    )
    assert cells["first-size"] == SIZE
    assert "the first (yours) version counts" in notes[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"nbformat": 4', '"nbformat": NaN'),
        lambda text: text.replace('"nbformat": 4', f'"nbformat": {"9" * 9000}'),
        lambda text: text.replace('"nbformat": 4', '"nbformat": -1e999'),
        lambda text: text.replace('{"cells"', '{"cells": [], "cells"', 1),
        lambda text: text.replace('"intro"', '"in\ttro\u0001"', 1),
        lambda text: text.replace('{"cells"', f'{{"x": "{"y" * (9 << 20)}", "cells"', 1),
    ],
    ids=["NaN", "a huge number", "infinity", "two lists of cells", "control characters", "a long line"],
)
def test_odd_json(released, notebook, change) -> None:
    text = json.dumps(notebook)
    changed = change(text)
    assert changed != text
    assert taken(released, changed.encode())[0]["first-size"] == SIZE


def test_what_no_program_can_write_is_replaced(released, notebook) -> None:
    at(notebook, "first-size")["source"] = SIZE + "\n# \ud800"
    assert taken(released, notebook)[0]["first-size"] == SIZE + "\n# \ufffd"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"\xef\xbb\xbf", "it is empty"),
        (b"[" * 100_000, "nested too deeply"),
        (b"{}", "it has no list of cells"),
        (b"[]", "it has no list of cells"),
        (b"null", "it has no list of cells"),
        (b'{"cells": 7}', "it has no list of cells"),
        (b"<!DOCTYPE html><html>", "it is a web page"),
        (b"\x1f\x8b\x08abc", "it is a gzip archive"),
        (b"%PDF-1.7", "it is a PDF file"),
        (b"PK\x03\x04 no archive", "an archive that cannot be opened"),
        (b"<<<<<<< HEAD\n{}", "git's conflict marks are in it"),
        (b"print('hello')", "no valid JSON at line 1"),
        (b"[" + b"1," * 5_000_000, "too many values"),
        (b" " * ((64 << 20) + 1) + b"x", "at most 64 are read"),
    ],
    ids=range(16),
)
def test_refused(released, content, reason) -> None:
    with pytest.raises(intake.Refused, match=f"{NAME} is not a notebook that can be read \\(.*{reason}"):
        intake.take({NAME: content}, released)


def test_refused_for_what_is_missing(released) -> None:
    with pytest.raises(intake.Refused, match=f"^{NAME} is missing$"):
        intake.take({"timestamp.txt": b"2026-03-09"}, released)
    other = json.dumps({"cells": [own("x = 1")]}).encode()
    with pytest.raises(intake.Refused, match=f"^{NAME} is missing; there is other.ipynb$"):
        intake.take({"other.ipynb": other}, released)
    with pytest.raises(intake.Refused, match=f"^nothing of this assignment was found in {NAME}$"):
        intake.take({NAME: other}, released)
    with pytest.raises(intake.Refused, match=r"\\x1b\[2J"):
        intake.take({"\x1b[2J.ipynb": other}, released)


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return held.getvalue()


@pytest.mark.parametrize("name", ["homework.zip", NAME])
def test_a_zip_with_the_notebook_in_it(released, notebook, name) -> None:
    content = zipped({"hw/" + NAME: json.dumps(notebook).encode(), "__MACOSX/._x.ipynb": b"x", "a.txt": b"x"})
    assert taken(released, content, name)[0]["first-size"] == SIZE


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (zipped({"a.txt": b""}), "an archive with 0 notebooks"),
        (zipped({f"{n}.ipynb": b"" for n in range(11)}), "an archive with 11 notebooks"),
        (zipped({"a.ipynb": b"{}"}, zipfile.ZIP_LZMA), "of a kind that is not opened"),
        (zipped({"a.ipynb": bytes((64 << 20) + 1)}), "an archive of more than 64 MiB"),
        (zipped({f"{n}": b"" for n in range(1001)}), "too much in it"),
        (zipped({"a.ipynb": b"{}" * 99})[:-30], "cannot be opened"),
    ],
    ids=range(6),
)
def test_archives_that_are_not_opened(released, content, reason) -> None:
    with pytest.raises(intake.Refused, match=reason):
        intake.take({"homework.zip": content}, released)


def test_several_notebooks_of_an_assignment(released, notebook) -> None:
    other = json.loads(released[NAME])
    for number, cell in enumerate(other["cells"]):
        cell["id"] = cell["metadata"]["nbgrader"]["grade_id"] = f"other-{number}"
        cell["source"] = f"text {number}"
    both = {**released, "other.ipynb": json.dumps(other).encode()}
    result = intake.take({"x.ipynb": json.dumps(notebook).encode()}, both)
    assert result.notebooks.keys() == both.keys()
    assert "other.ipynb is missing: its questions got no points" in result.notes
    next(c for c in other["cells"] if c["metadata"]["nbgrader"]["solution"])["source"] = "mine"
    files = {"x.ipynb": json.dumps(notebook).encode(), "y.ipynb": json.dumps(other).encode()}
    result = intake.take(files, both)
    assert '"mine"' in result.notebooks["other.ipynb"].decode()
    assert "size_a = 24" in result.notebooks[NAME].decode()


def test_too_much_of_the_students_own(released, notebook) -> None:
    notebook["cells"] += [own(f"x = {n}") for n in range(600)]
    notebook["cells"].append(own("#" * (300 << 10)))
    at(notebook, "dropped-column")["source"] = "#" * (300 << 10)
    cells, notes, order = taken(released, notebook)
    assert len(order) == len(json.loads(released[NAME])["cells"]) + 500
    assert "..." in cells["dropped-column"]
    assert any("longer than 256 KiB" in note for note in notes)
    assert any("too many" in note for note in notes)


# --- Anything at all --------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
CELL = st.fixed_dictionaries(
    {},
    optional={
        "cell_type": st.sampled_from(["code", "markdown", "raw", "heading"]) | JSON,
        "source": st.sampled_from([SIZE, "x = 1"]) | st.text() | st.lists(st.text(), max_size=3) | JSON,
        "id": st.sampled_from(["first-size", "intro", "own-1"]) | JSON,
        "metadata": st.fixed_dictionaries(
            {"nbgrader": st.fixed_dictionaries({"grade_id": st.sampled_from(["first-size", "intro"]) | JSON})}
        )
        | JSON,
        "attachments": JSON,
        "outputs": JSON,
    },
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(CELL | JSON, max_size=5), st.booleans())
def test_any_cells(released, cells, prefixed) -> None:
    if prefixed:
        cells = [*json.loads(released[NAME])["cells"][:3], *cells]
    try:
        taken(released, {"cells": cells})
    except intake.Refused:
        assert not prefixed


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300), st.text(max_size=20))
@example(b'{"cells": [{"source": "\xff"}]}', "a")
def test_any_bytes(released, content, name) -> None:
    with pytest.raises(intake.Refused):
        intake.take({NAME: content, name: content}, released)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_spoiled_notebook(released, data) -> None:
    """Bytes cut, doubled or changed anywhere never raise anything but a reason."""
    content = bytearray(released[NAME])
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 5000)))
    content[start:end] = data.draw(st.binary(max_size=40))
    with_reason = True
    try:
        taken(released, bytes(content))
    except intake.Refused as refused:
        with_reason = bool(str(refused))
    assert with_reason


# --- Folders ----------------------------------------------------------------------------------------------


def test_a_folder_without_tricks(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_bytes(b"{}")
    (tmp_path / "inner" / "deep").mkdir(parents=True)
    (tmp_path / "inner" / "deep" / "b.ipynb").write_bytes(b"[]")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints" / "a-checkpoint.ipynb").write_bytes(b"{}")
    (tmp_path / "cnnlib.py").write_text("everything = 'forged'")
    os.utime(tmp_path / "inner" / "deep" / "b.ipynb", (2e9, 2e9))
    found = intake.read(tmp_path)
    assert found.contents == {"a.ipynb": b"{}", "inner/deep/b.ipynb": b"[]"}
    assert found.left_out == {"cnnlib.py": "only notebooks are graded"}
    assert found.written == "2033-05-18T03:33:20"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
def test_a_folder_with_tricks(tmp_path: Path, released) -> None:
    folder = tmp_path / "submitted"
    folder.mkdir()
    secret = tmp_path / "secret.ipynb"
    secret.write_bytes(released[NAME])
    (folder / NAME).symlink_to(secret)
    (folder / "up").symlink_to(tmp_path)
    (folder / "loop.ipynb").symlink_to("loop.ipynb")
    os.mkfifo(folder / "pipe.ipynb")
    with (folder / "huge.ipynb").open("wb") as sparse:
        sparse.truncate(200 << 20)
    found = intake.read(folder)
    assert found.contents == {}
    assert found.left_out.keys() == {NAME, "up", "loop.ipynb", "pipe.ipynb", "huge.ipynb"}
    with pytest.raises(intake.Refused, match=f"{NAME} is not a notebook that can be read \\(a link"):
        intake.take(found.contents, released, found.left_out)
    (tmp_path / "link").symlink_to(folder)
    assert intake.read(tmp_path / "link").left_out == {"link": "a link, or no folder"}


def test_a_folder_of_very_many_files(tmp_path: Path) -> None:
    for number in range(intake.MOST_FILES + 5):
        (tmp_path / f"{number:04}.ipynb").touch()
    found = intake.read(tmp_path)
    assert len(found.contents) == intake.MOST_FILES
    assert found.left_out == {"…": f"more than {intake.MOST_FILES} files"}


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps names as text")
def test_names_in_other_alphabets(tmp_path: Path) -> None:
    decomposed = "\u1100\u116a\u110c\u1166.ipynb"  # what macOS makes of 과제
    (tmp_path / decomposed).write_bytes(b"1")
    assert list(intake.read(tmp_path).contents) == ["과제.ipynb"]
    (tmp_path / "과제.ipynb").write_bytes(b"2")
    assert sorted(intake.read(tmp_path).contents) == ["과제.ipynb", "과제.ipynb (2)"]


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("2026-03-09 17:42:00.123 UTC", "2026-03-09T17:42:00.123000"),
        ("2026-03-09T17:42:00Z\r\n", "2026-03-09T17:42:00"),
        ("2026-03-10 02:42:00 +0900", "2026-03-09T17:42:00"),
        ("Mon, 09 Mar 2026 17:42:00 GMT", "2026-03-09T17:42:00"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_times(said, moment, encoding) -> None:
    assert intake.timestamp(said.encode(encoding), "1999-01-01T00:00:00") == (moment, [])


@pytest.mark.parametrize(
    "said", ["", "soon", "12", "17:42", "2026-03-09", "99999999999999", "0001-01-01 00:00 +2359"]
)
def test_no_times(said) -> None:
    moment, notes = intake.timestamp(said.encode(), "1999-01-01T00:00:00")
    assert moment == "1999-01-01T00:00:00"
    assert "holds no time that can be read" in notes[0]
    assert intake.timestamp(said.encode(), None)[0] is None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40) | st.text("0123456789-:/ TZ+.apmUC", max_size=30).map(str.encode))
def test_any_time(content) -> None:
    moment, notes = intake.timestamp(content, None)
    assert (moment is None) == bool(notes)


def test_no_time_at_all() -> None:
    assert intake.timestamp(None, "1999-01-01T00:00:00") == ("1999-01-01T00:00:00", [])
