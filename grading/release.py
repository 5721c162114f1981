"""Make ``exercises/`` from ``solutions/``, and record an assignment's structure in a gradebook."""

from __future__ import annotations

import ast
import hashlib
import logging
import tempfile
from collections import Counter
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbgrader.converters import GenerateAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory

from grading import leaks
from grading.course import Course, is_name
from grading.errors import GradingError


def released(course: Course, assignment: str) -> dict[str, bytes]:
    """What the release of an assignment consists of today: file name → content. Nothing is written."""
    _check_source(course, assignment)
    with tempfile.TemporaryDirectory(prefix="release-") as temporary, course.surroundings() as log:
        there = Path(temporary).resolve()
        _generate(course, assignment, there, log, recording=False)
        files = {p.name: p.read_bytes() for p in sorted((there / assignment).iterdir())}
    for name, content in files.items():
        _check_release(course, assignment, name, content.decode("utf-8"))
    return files


def release(course: Course, assignment: str) -> dict[str, Path | None]:
    """Bring an assignment's released files up to date; return those that changed.

    Where somebody has answered in the released notebook itself, the class's folder keeps it as it was; the
    result says where.
    """
    files = released(course, assignment)
    target = course.exercises / assignment
    if target.is_symlink() or course.exercises.is_symlink():
        raise GradingError(f"{target} is a link; the release would be written somewhere else, so remove it")
    target.mkdir(parents=True, exist_ok=True)
    changed = {}
    for name, content in files.items():
        before = (target / name).read_bytes() if (target / name).is_file() else None
        if before != content:
            kept = None
            if before is not None and _answers(before) != _answers(content):
                digest = hashlib.sha256(before).hexdigest()[:8]
                kept = course.folder / "replaced" / assignment / f"{Path(name).stem}-{digest}.ipynb"
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(before)
            new = target / f".{name}.new"
            new.write_bytes(content)
            new.replace(target / name)
            changed[name] = kept
    return changed


def _answers(content: bytes) -> list[tuple[str, str]] | None:
    """What stands in the cells that are to be answered; nothing where that cannot be read."""
    try:
        cells = nbformat.reads(content.decode("utf-8"), as_version=4).cells
    except Exception:  # as many kinds of error as there are ways to break a file
        return None
    given = ((cell.metadata.get("nbgrader", {}), cell.source) for cell in cells)
    return [(about.get("grade_id", ""), source) for about, source in given if about.get("solution")]


def differing(course: Course, assignment: str) -> list[str]:
    """The files in which ``exercises/`` is not what ``solutions/`` would release today."""
    files = released(course, assignment)
    target = course.exercises / assignment
    there = {p.name: p.read_bytes() for p in target.iterdir() if p.is_file()} if target.is_dir() else {}
    there = {name: content for name, content in there.items() if not name.startswith(".")}
    return sorted(name for name in files.keys() | there.keys() if files.get(name) != there.get(name))


def strays(course: Course) -> list[str]:
    """Released assignments that have no source, and files beside released ones (``03-sizes/old.ipynb``)."""
    if not course.exercises.is_dir():
        return []
    known = set(course.assignments())
    found = set()
    for place in course.exercises.iterdir():
        if not place.is_dir() or place.name.startswith("."):
            continue
        if place.name not in known:
            found.add(place.name)
            continue
        sources = {file.name for file in course.notebooks(place.name)}
        there = {p.name for p in place.iterdir() if p.is_file() and not p.name.startswith(".")}
        found |= {f"{place.name}/{name}" for name in there - sources}
    return sorted(found)


def record(course: Course, assignment: str, log: logging.Logger) -> None:
    """Write an assignment's structure into the class's gradebook, so that submissions can be graded.

    Call it inside :meth:`grading.course.Course.surroundings`.
    """
    _check_source(course, assignment)
    with tempfile.TemporaryDirectory(prefix="release-") as temporary:
        _generate(course, assignment, Path(temporary).resolve(), log, recording=True)


def _generate(course: Course, assignment: str, into: Path, log: logging.Logger, *, recording: bool) -> None:
    """Let nbgrader write the released notebooks into a folder, and into the gradebook what it records."""
    # "." stands where other steps have the student.
    config = course.settings(assignment_id=assignment, release_directory=str(into), student_id=".")
    config.GenerateAssignment.no_database = not recording
    config.SaveCells.enabled = recording
    try:
        directory = CourseDirectory(config=config, log=log)
        GenerateAssignment(coursedir=directory, config=config, log=log, force=True).start()
    except (NbGraderException, SystemExit) as error:
        raise GradingError(f"nbgrader could not release {assignment}: {_reason(course, error)}") from error


def _reason(course: Course, error: BaseException) -> str:
    """The last thing that nbgrader's log calls an exception, which says more than nbgrader's own error."""
    lines = course.log.read_text(encoding="utf-8").splitlines() if course.log.is_file() else []
    said = [
        line for line in lines if line and not line[0].isspace() and "Error: " in line and line[0].isalpha()
    ]
    if said and "Cannot add or remove cells" in said[-1]:
        return (
            "cells were added or removed after students handed in, and the gradebook holds marks for the old "
            "ones; give the changed assignment a new name, or grade in a new class folder"
        )
    return f"{said[-1] if said else error} (all of it: {course.show(course.log)})"


def _check_source(course: Course, assignment: str) -> None:
    """Refuse what would leak, or what nbgrader would only notice in the middle of grading."""
    folder = course.solutions / assignment
    if not is_name(assignment):
        raise GradingError(f"{folder} needs a name of letters, digits, dots and hyphens")
    if course.exercises.resolve().is_relative_to(course.solutions.resolve()) or (
        course.solutions.resolve().is_relative_to(course.exercises.resolve())
    ):
        raise GradingError(f"{course.solutions} and {course.exercises} must not lie inside each other")
    others = [
        p.name
        for p in folder.iterdir()
        if p.suffix != ".ipynb" and p.name not in {".ipynb_checkpoints", "__pycache__"}
    ]
    if others:
        raise GradingError(
            f"{folder} holds {', '.join(sorted(others))}, which students would get too; "
            "keep nothing but notebooks there"
        )
    ids: Counter[str] = Counter()
    for file in course.notebooks(assignment):
        try:
            notebook = nbformat.read(file, as_version=4)
        except Exception as error:
            raise GradingError(f"{file} is not a notebook that can be read: {error}") from error
        ids.update(
            cell.metadata.nbgrader.grade_id
            for cell in notebook.cells
            if "nbgrader" in cell.metadata and "grade_id" in cell.metadata.nbgrader
        )
    twice = sorted(name for name, times in ids.items() if times > 1)
    if twice:
        raise GradingError(f"{folder} uses a grade id more than once: {', '.join(twice)}")


def _check_release(course: Course, assignment: str, name: str, text: str) -> None:
    """Look at what students would get: no secret in it, and every cell is Python."""
    source = course.solutions / assignment / name
    left = leaks.marked(text)
    if left:
        raise GradingError(
            f"the release of {source} would still hold {', '.join(left)}; look for an unclosed region"
        )
    seen = leaks.found(text, leaks.secrets(source))
    if seen:
        raise GradingError(f"the release of {source} would give away: {seen[0]}")
    transform = TransformerManager().transform_cell
    for cell in nbformat.reads(text, as_version=4).cells:
        if cell.cell_type == "code":
            try:
                ast.parse(transform(cell.source))
            except SyntaxError as error:
                where = cell.metadata.get("nbgrader", {}).get("grade_id", cell.id)
                raise GradingError(
                    f"without its solution, the cell {where} of {source} is not valid Python ({error.msg}); "
                    "give a function a docstring, or keep a line outside the solution"
                ) from error
