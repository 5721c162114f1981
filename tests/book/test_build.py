"""The build takes in only what belongs to the site, does nothing twice, and never leaves half a site."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import book.build
from book.build import (
    LIBRARY,
    ROOT,
    SOURCES,
    STAMP,
    WORK,
    BuildError,
    build,
    fingerprint,
    is_fresh,
    main,
    stage,
)
from book.execute import Say, is_notebook

NOTEBOOK = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
myst:
  html_meta:
    description: "A page."
---

# A page

```{code-cell} python
%s
```
"""


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A small course: two chapters, the book's own machinery, and things that must not be published."""
    root = tmp_path / "course"
    root.mkdir()
    for name in ("_config.yml", "requirements.lock"):
        shutil.copy(ROOT / name, root)
    for name in ("book", "cnnlib"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters:\n- file: 02-two\n")
    (root / "chapters").mkdir()
    (root / "chapters" / "index.md").write_text("# First page\n")
    (root / "chapters" / "02-two.md").write_text(NOTEBOOK % "1 + 1")
    (root / "chapters" / "draft.md").write_text("# Not in the table of contents\n")
    for name in ("solutions", "exercises", "tests", "class", "build/rehearsal"):
        (root / name).mkdir(parents=True)
        (root / name / "secret.md").write_text("secret")
    return root


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Replace running and rendering by something quick, and count how often each is done."""
    calls = {"execute": 0, "render": 0}

    def execute(chapters: Iterable[Path], cache_folder: Path, say: Say) -> int:
        calls["execute"] += 1
        cache_folder.mkdir(parents=True, exist_ok=True)
        return 0

    def render(root: Path, source: Path, work: Path, cache: Path, strict: bool) -> Path:
        calls["render"] += 1
        html = work / "_build" / "html"
        html.mkdir(parents=True)
        for page in source.glob("*.md"):
            (html / f"{page.stem}.html").write_text(page.read_text())
        return html

    monkeypatch.setattr(book.build, "execute", execute)
    monkeypatch.setattr(book.build, "render", render)
    monkeypatch.setattr(book.build, "export_all", lambda *_: None)
    return calls


# What gets in


def test_only_what_the_site_needs_is_staged(course: Path, tmp_path: Path) -> None:
    notebooks = stage(course, tmp_path / "stage")
    assert notebooks == [tmp_path / "stage" / "02-two.md"]
    names = {path.name for path in (tmp_path / "stage").iterdir()}
    assert names == {
        "_config.yml",
        "_toc.yml",
        "static",
        "templates",
        "references.bib",
        "index.md",
        "02-two.md",
    }
    assert not [path for path in (tmp_path / "stage").rglob("*") if "secret" in path.name]


def test_the_real_course_stages_no_solutions_and_no_python(tmp_path: Path) -> None:
    stage(ROOT, tmp_path / "stage")
    staged = [path for path in (tmp_path / "stage").rglob("*") if path.is_file()]
    assert len(staged) > 8
    assert {path.suffix for path in staged} <= {
        *(".md", ".yml", ".bib", ".css", ".js", ".svg", ".html", ".png", ".csv")
    }


def test_a_chapter_alone_is_staged_with_the_bibliography(tmp_path: Path) -> None:
    stage(ROOT, tmp_path / "stage", ROOT / "chapters" / "how-to-use.md")
    pages = {path.name for path in (tmp_path / "stage").glob("*.md")}
    assert pages == {"how-to-use.md", "bibliography.md"}


def test_a_chapter_that_the_contents_name_must_be_there(course: Path, tmp_path: Path) -> None:
    (course / "chapters" / "02-two.md").unlink()
    with pytest.raises(BuildError, match=r"_toc\.yml names 02-two, but there is no chapters/02-two\.md"):
        stage(course, tmp_path / "stage")


def test_every_chapter_is_in_the_contents() -> None:
    import yaml

    named = set(book.build._named(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))))
    assert named == {path.stem for path in (ROOT / "chapters").glob("*.md")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [(NOTEBOOK % "1", True), ("# Page\n", False), ("---\nmyst: {}\n---\n# Page\nformat_name: myst\n", False)],
)
def test_notebooks_are_told_from_plain_pages(text: str, expected: bool, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(text)
    assert is_notebook(tmp_path / "page.md") is expected


# When it is done


def edit_chapter(root: Path) -> None:
    (root / "chapters" / "index.md").write_text("# Another first page\n")


def edit_library(root: Path) -> None:
    with (root / "cnnlib" / "sizes.py").open("a") as file:
        file.write("# changed\n")


def edit_lock(root: Path) -> None:
    with (root / "requirements.lock").open("a") as file:
        file.write("# changed\n")


def edit_style(root: Path) -> None:
    with (root / "book" / "static" / "course.css").open("a") as file:
        file.write("/* changed */\n")


def rename_chapter(root: Path) -> None:
    (root / "chapters" / "draft.md").rename(root / "chapters" / "other.md")


@pytest.mark.parametrize("edit", [edit_chapter, edit_library, edit_lock, edit_style, rename_chapter])
def test_every_source_counts(edit: Callable[[Path], None], course: Path, quick: dict[str, int]) -> None:
    site = build(course)
    assert build(course) == site == course / "build" / "site"
    assert quick == {"execute": 1, "render": 1}
    edit(course)
    build(course)
    assert quick["render"] == 2


@pytest.mark.parametrize(
    ("edit", "matters"), [(edit_library, True), (edit_lock, True), (edit_chapter, False), (edit_style, False)]
)
def test_outputs_are_kept_for_one_library_and_one_lock(
    edit: Callable[[Path], None], matters: bool, course: Path
) -> None:
    before = fingerprint(course, LIBRARY)
    edit(course)
    assert (fingerprint(course, LIBRARY) != before) is matters


def test_what_is_no_source_does_not_count(course: Path) -> None:
    before = fingerprint(course, SOURCES)
    (course / "solutions" / "new.py").write_text("x")
    (course / "cnnlib" / "__pycache__").mkdir()
    (course / "cnnlib" / "__pycache__" / "sizes.pyc").write_text("x")
    assert fingerprint(course, SOURCES) == before


def test_the_fingerprint_hangs_on_python(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(course, LIBRARY)
    monkeypatch.setattr(book.build.platform, "python_version", lambda: "3.99.0")
    assert fingerprint(course, LIBRARY) != before


def test_a_fresh_site_takes_under_a_second() -> None:
    start = time.perf_counter()
    fingerprint(ROOT, SOURCES)
    assert time.perf_counter() - start < 1


def test_jupyter_is_not_loaded_where_nothing_is_to_be_done() -> None:
    code = (
        "import sys, book.build; sys.exit(bool({'nbclient', 'jupyter_cache', 'sphinx'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_old_outputs_are_removed(course: Path, quick: dict[str, int]) -> None:
    build(course)
    caches = course / "build" / "cache" / "site"
    first = {path.name for path in caches.iterdir() if path.is_dir()}
    edit_library(course)
    build(course)
    second = {path.name for path in caches.iterdir() if path.is_dir()}
    assert len(first) == len(second) == 1
    assert first != second


def test_a_preview_leaves_the_site_alone(course: Path, quick: dict[str, int]) -> None:
    build(course)
    stamp = (course / "build" / "site" / STAMP).read_text()
    preview = build(course, chapter=course / "chapters" / "02-two.md")
    assert preview == course / "build" / "preview"
    assert (preview / "index.html").read_text() == (preview / "02-two.html").read_text()
    assert (course / "build" / "site" / STAMP).read_text() == stamp


# What is left when something goes wrong


def test_a_failing_build_leaves_the_old_site_and_no_stamp_of_the_new(
    course: Path, quick: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = build(course)
    edit_chapter(course)

    def render(root: Path, source: Path, work: Path, cache: Path, strict: bool) -> Path:
        (work / "_build" / "html").mkdir(parents=True)
        (work / "_build" / "html" / "index.html").write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(book.build, "render", render)
    with pytest.raises(KeyboardInterrupt):
        build(course)
    assert (site / "index.html").read_text() == "# First page\n"
    assert not is_fresh(site, fingerprint(course, SOURCES))
    assert [path.name for path in (course / "build").iterdir() if path.name.startswith(".site")] == []


def test_a_site_without_stamp_or_pages_is_built_again(course: Path, quick: dict[str, int]) -> None:
    site = build(course)
    (site / STAMP).unlink()
    build(course)
    assert quick["render"] == 2
    (site / "index.html").unlink()
    build(course)
    assert quick["render"] == 3


def test_what_a_killed_build_left_is_removed(course: Path, quick: dict[str, int]) -> None:
    left = course / "build" / f".site-abcd_123{WORK}" / "_build"
    left.mkdir(parents=True)
    others = [
        course / "build" / name for name in (".site-server", ".site-abcd_123", f".site-2-abcd_123{WORK}")
    ]
    for other in others:
        other.mkdir()
    build(course)
    assert not left.parent.exists()
    assert all(other.is_dir() for other in others)


def test_a_folder_that_holds_something_else_is_left_alone(course: Path, quick: dict[str, int]) -> None:
    mine = course / "thesis"
    mine.mkdir()
    (mine / "chapter.tex").touch()
    with pytest.raises(BuildError, match="is no site that was built here"):
        build(course, out=mine)
    assert (mine / "chapter.tex").exists()
    (mine / "chapter.tex").unlink()
    for _ in range(2):
        assert build(course, out=mine) == mine
        edit_chapter(course)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (OSError(28, "No space left on device"), 1, "No space left"),
        (KeyboardInterrupt(), 130, "again to go on"),
    ],
)
def test_what_stops_a_build_is_told_in_words(
    error: BaseException,
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stopped(**_: object) -> None:
        raise error

    monkeypatch.setattr(book.build, "build", stopped)
    assert main([]) == code
    assert words in capsys.readouterr().err


def test_sources_that_change_during_a_build_ask_for_another(
    course: Path, quick: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced = book.build.execute

    def execute(chapters: Iterable[Path], cache_folder: Path, say: Say) -> int:
        edit_library(course)
        return replaced(chapters, cache_folder, say)

    monkeypatch.setattr(book.build, "execute", execute)
    site = build(course)
    assert not is_fresh(site, fingerprint(course, SOURCES))
    monkeypatch.setattr(book.build, "execute", replaced)
    build(course)
    assert is_fresh(site, fingerprint(course, SOURCES))


def test_two_builds_at_once_do_the_work_once(course: Path, quick: dict[str, int]) -> None:
    threads = [threading.Thread(target=build, args=(course,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert quick["render"] == 1


def test_citations_do_not_look_through_all_packages_again(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.metadata

    import pybtex.plugin

    from book import extension

    looks = []
    distributions = importlib.metadata.distributions
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: looks.append(1) or distributions())
    monkeypatch.setattr(pybtex.plugin, "entry_points", None)
    extension.remember_plugins()
    found = [pybtex.plugin.find_plugin("pybtex.style.formatting", "plain") for _ in range(9)]
    assert {style.__name__ for style in found} == {"Style"}
    assert looks == [1]


def test_the_command_line_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--chapter", str(tmp_path / "none.md")])
    assert "there is no chapter" in capsys.readouterr().err


# With Jupyter Book itself


@pytest.mark.slow
@pytest.mark.site
def test_a_real_build_of_a_small_course(course: Path) -> None:
    site = build(course)
    assert is_fresh(site, fingerprint(course, SOURCES))
    assert ">2<" in (site / "02-two.html").read_text(encoding="utf-8").replace("\n", "").replace(
        "</pre>", "<"
    ).replace("<span></span>", "")
    assert not [path for path in site.rglob("*") if "secret" in path.name or "draft" in path.name]


@pytest.mark.slow
@pytest.mark.site
@pytest.mark.parametrize(
    ("page", "told"),
    [
        (NOTEBOOK % "import math\nmath.sqrt(-1)", "chapters/02-two.md: a cell failed"),
        (NOTEBOOK % "import sys\nprint('oh', file=sys.stderr)", "stderr"),
        ("# Two\n\nSee {ref}`nowhere`.\n", "undefined label: 'nowhere'"),
        ("# Two\n\n{cite}`nobody1900`\n", "nobody1900"),
        ("# Two\n\n[text](nothing.md)\n", "nothing.md"),
    ],
    ids=["raises", "stderr", "label", "citation", "link"],
)
def test_what_is_wrong_fails_the_build(
    page: str, told: str, course: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (course / "chapters" / "02-two.md").write_text(page)
    with pytest.raises(BuildError) as error:
        build(course)
    assert told in str(error.value)
    assert "\x1b" not in str(error.value)
    assert not (course / "build" / "site").exists()


@pytest.mark.slow
@pytest.mark.site
def test_a_dying_kernel_is_told_of(course: Path) -> None:
    (course / "chapters" / "02-two.md").write_text(NOTEBOOK % "import os\nos._exit(1)")
    with pytest.raises(BuildError, match=r"chapters/02-two\.md: a cell failed\n.*[Kk]ernel died"):
        build(course)


@pytest.mark.slow
@pytest.mark.site
def test_a_failing_cell_is_shown_with_its_traceback(course: Path) -> None:
    (course / "chapters" / "02-two.md").write_text(NOTEBOOK % "import math\nmath.sqrt(-1)")
    with pytest.raises(BuildError) as error:
        build(course)
    assert "math.sqrt(-1)" in str(error.value)
    assert "ValueError" in str(error.value)
