"""What students get: made from the solutions alone, committed as made, and refused where it would harm."""

from __future__ import annotations

import shutil

import nbformat
import pytest

from grading import release
from grading.cli import main
from grading.course import Course
from grading.errors import GradingError

pytestmark = pytest.mark.grading


def test_what_is_committed_is_what_would_be_released_today(root) -> None:
    course = Course.load(root)
    assert course.assignments()
    for assignment in course.assignments():
        assert release.differing(course, assignment) == []
    assert release.strays(course) == []


def test_releasing_twice_changes_nothing(small) -> None:
    assert release.release(small.course, small.name) == {"tiny.ipynb": None}
    file = small.root / "exercises" / small.name / "tiny.ipynb"
    content, moment = file.read_bytes(), file.stat().st_mtime_ns
    assert release.release(small.course, small.name) == {}
    assert (file.read_bytes(), file.stat().st_mtime_ns) == (content, moment)
    assert [p.name for p in file.parent.iterdir()] == ["tiny.ipynb"]


def test_solutions_and_hidden_tests_are_out_and_all_else_is_in(small) -> None:
    release.release(small.course, small.name)
    text = (small.root / "exercises" / small.name / "tiny.ipynb").read_text()
    for secret in ("32 - 5 + 1", "n // 2", "hidden_expectation", "1001", "BEGIN", "room for the whole"):
        assert secret not in text
    for kept in ("answer = ...", "not answered yet", "half of 4 is 2", "Write your answer here"):
        assert kept in text


def test_nothing_but_the_exercises_is_written(small) -> None:
    release.release(small.course, small.name)
    there = {p.relative_to(small.root).parts[0] for p in small.root.rglob("*") if p.is_file()}
    assert there == {"nbgrader_config.py", "solutions", "exercises", "class"}
    assert {p.parent.name for p in (small.root / "class").rglob("*") if p.is_file()} == {"log"}


@pytest.mark.parametrize("part", ["source", "points", "hidden test", "metadata"])
def test_any_change_of_a_solution_shows(small, part: str) -> None:
    release.release(small.course, small.name)
    assert release.differing(small.course, small.name) == []

    def change(notebook) -> None:
        if part == "source":
            notebook.cells[0].source += " More."
        elif part == "points":
            notebook.cells[3].metadata.nbgrader.points = 5
        elif part == "hidden test":  # which the release does not show: the same files
            notebook.cells[3].source = notebook.cells[3].source.replace("= 28", "= 29")
        else:
            notebook.metadata.title = "Tiny"

    small.edit(change)
    expected = [] if part == "hidden test" else ["tiny.ipynb"]
    assert release.differing(small.course, small.name) == expected


def test_a_change_by_hand_shows(small) -> None:
    release.release(small.course, small.name)
    file = small.root / "exercises" / small.name / "tiny.ipynb"
    file.write_text(file.read_text().replace("not answered", "not yet answered"))
    assert release.differing(small.course, small.name) == ["tiny.ipynb"]
    (file.parent / "notes.md").write_text("for myself")
    assert release.differing(small.course, small.name) == ["notes.md", "tiny.ipynb"]


def test_answers_given_in_the_released_notebook_are_not_lost(small, capsys) -> None:
    """`make lab` gives a copy; who opens the released notebook itself should not lose a day's work."""
    small.release()
    file = small.root / "exercises" / small.name / "tiny.ipynb"
    answered = file.read_text().replace("answer = ...", "answer = 28  # after a day of work")
    file.write_text(answered)
    assert main(["release"], small.root) == 0
    assert "day of work" not in file.read_text()
    (kept,) = (small.root / "class" / "replaced" / small.name).iterdir()
    assert kept.read_text() == answered
    assert f"held answers; as it was, it lies in class/replaced/{small.name}/{kept.name}" in (
        capsys.readouterr().out
    )
    file.write_text("half a file")
    release.release(small.course, small.name)
    assert "half a file" in {p.read_text() for p in kept.parent.iterdir()}


def test_a_release_after_another_text_keeps_nothing(small) -> None:
    small.release()
    small.edit(lambda notebook: notebook.cells[0].update(source="# Another title"))
    assert release.release(small.course, small.name) == {"tiny.ipynb": None}
    assert not (small.root / "class" / "replaced").exists()


def test_a_file_beside_the_released_ones_is_named(small, capsys) -> None:
    """The rehearsal refuses it and says to release again, which must say what to do."""
    small.release()
    (small.root / "exercises" / small.name / "old.ipynb").write_text("{}")
    assert main(["release"], small.root) == 0
    assert f"note: exercises/{small.name}/old.ipynb has no source" in capsys.readouterr().out


def test_an_assignment_that_is_gone_is_named(small) -> None:
    release.release(small.course, small.name)
    shutil.copytree(small.root / "exercises" / small.name, small.root / "exercises" / "00-old")
    assert release.strays(small.course) == ["00-old"]


def unclosed(notebook) -> None:
    notebook.cells[2].source = "### BEGIN SOLUTION\nanswer = 28"


def twice(notebook) -> None:
    notebook.cells[5].metadata.nbgrader.grade_id = "size"


def empty_function(notebook) -> None:
    notebook.cells[
        5
    ].source = "def halve(n):\n    ### BEGIN SOLUTION\n    return n // 2\n    ### END SOLUTION"


def told_in_a_comment(notebook) -> None:
    notebook.cells[2].outputs = []
    notebook.metadata.note = "    return n // 2  # the floor of the half"


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (unclosed, "could not release"),
        (twice, "grade id more than once: size"),
        (empty_function, "not valid Python"),
        (told_in_a_comment, "would give away: return n // 2"),
    ],
)
def test_harm_is_refused_before_anything_is_written(small, harm, words: str) -> None:
    small.edit(harm)
    with pytest.raises(GradingError, match=words):
        release.release(small.course, small.name)
    assert not (small.root / "exercises" / small.name / "tiny.ipynb").exists()


def test_other_files_beside_the_notebook_are_refused(small) -> None:
    (small.source.parent / "rubric.md").write_text("for instructors")
    with pytest.raises(GradingError, match=r"rubric\.md, which students would get too"):
        release.release(small.course, small.name)


def test_a_file_that_is_no_notebook_is_refused(small) -> None:
    small.source.write_text("<<<<<<< HEAD")
    with pytest.raises(GradingError, match="not a notebook that can be read"):
        release.release(small.course, small.name)


def test_links_and_overlapping_folders_are_refused(small, tmp_path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (small.root / "exercises").mkdir()
    (small.root / "exercises" / small.name).symlink_to(elsewhere)
    with pytest.raises(GradingError, match="is a link"):
        release.release(small.course, small.name)
    assert not list(elsewhere.iterdir())

    config = small.root / "nbgrader_config.py"
    config.write_text(config.read_text() + '\nc.CourseDirectory.release_directory = "solutions/released"\n')
    with pytest.raises(GradingError, match="must not lie inside each other"):
        release.release(small.course, small.name)


@pytest.mark.parametrize("folder", [".", "solutions", "exercises/mine", "solutions/03"])
def test_a_class_folder_over_the_courses_own_files_is_refused(small, folder: str) -> None:
    with pytest.raises(GradingError, match="would lie over the course's own files"):
        Course.load(small.root, folder)


def test_the_instructors_notebook_is_not_touched(small) -> None:
    before = small.source.read_bytes()
    release.release(small.course, small.name)
    assert small.source.read_bytes() == before
    assert nbformat.read(small.source, as_version=4).cells[2].source.count("SOLUTION") == 2
