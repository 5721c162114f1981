"""The student's whole path: take the archive home, answer wrongly, read why, correct it, validate, hand in,
and read the feedback.

A browser drives a real JupyterLab as a student would: by clicking cells, typing and pressing buttons.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from cnnlib.exercises import Sheet
from grading import bundle, config
from grading.course import Course

pytestmark = [pytest.mark.browser, pytest.mark.grading, pytest.mark.slow]

ASSIGNMENT = "03-sizes-and-counts"
NOTEBOOK = "sizes-and-counts.ipynb"
STUDENT = "ada-kim"


@pytest.fixture(scope="module")
def desk(tmp_path_factory, root) -> Path:
    """A student's own exercises, out of the archive that students get."""
    home = tmp_path_factory.mktemp("home")
    with zipfile.ZipFile(bundle.make(Course.load(root), home / "exercises.zip")) as archive:
        archive.extractall(home)
    return home / bundle.FOLDER / "exercises"


@pytest.fixture(scope="module")
def jupyterlab(desk, serve_jupyterlab, tmp_path_factory) -> Iterator[str]:
    """The address of a JupyterLab that serves the desk."""
    with serve_jupyterlab(desk, tmp_path_factory.mktemp("jupyter")) as address:
        yield address


class Student:
    """What a student does with mouse and keyboard."""

    def __init__(self, page, address: str) -> None:
        self.page = page
        self.page.set_default_timeout(60_000)
        self.page.goto(f"{address}/lab/tree/{ASSIGNMENT}/{NOTEBOOK}?reset")
        self.page.get_by_role("button", name="Validate").wait_for()
        self.page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
        self.page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").first.wait_for()

    def cell(self, text: str):
        """The first code cell that holds ``text``."""
        return (
            self.page.locator(".jp-Notebook .jp-CodeCell")
            .filter(has=self.page.locator(".jp-InputArea", has_text=text))
            .first
        )

    def replace(self, marker: str, source: str) -> None:
        """Click the cell that holds ``marker``, type ``source`` over it, and run it."""
        first = source.splitlines()[0]
        for _ in range(20):  # JupyterLab still moves while it settles: look whether the typing arrived
            self.cell(marker).locator(".cm-content").click()
            self.page.keyboard.press("Control+A")
            self.page.keyboard.insert_text(source)
            self.page.wait_for_timeout(300)
            if self.cell(first).count():
                break
        self.execute(self.cell(first))

    def run(self, marker: str) -> str:
        """Run the cell that holds ``marker`` and read what it says."""
        cell = self.cell(marker)
        self.execute(cell)
        return str(cell.locator(".jp-OutputArea-output").all_inner_texts())

    def execute(self, cell) -> None:
        """Run a cell and wait for its number to change; a kernel that is not ready drops the first press."""
        prompt = cell.locator(".jp-InputPrompt")
        before = prompt.inner_text()
        for attempt in range(240):
            if attempt % 40 == 0 and "*" not in prompt.inner_text():
                cell.locator(".cm-content").click()
                self.page.keyboard.press("Control+Enter")
            now = prompt.inner_text()
            if now != before and re.search(r"\[\d+\]", now):
                return
            time.sleep(0.25)
        pytest.fail(f"the cell did not run: {cell.inner_text()[:200]}")

    def save(self, file: Path) -> None:
        """Save, and wait until the file has changed."""
        before = file.stat().st_mtime_ns
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("Control+s")
        for _ in range(120):
            if file.stat().st_mtime_ns != before:
                return
            time.sleep(0.25)
        pytest.fail("the notebook was not saved")

    def validate(self) -> str:
        """Press Validate and read the dialogue."""
        self.page.get_by_role("button", name="Validate").click()
        dialog = self.page.locator(".jp-Dialog")
        dialog.wait_for(timeout=240_000)
        text = dialog.inner_text()
        dialog.get_by_role("button", name="Ok").click()
        return text


@pytest.fixture
def student(chromium, jupyterlab) -> Iterator[Student]:
    page = chromium.new_page(viewport={"width": 1280, "height": 1000})
    yield Student(page, jupyterlab)
    page.close()


def test_from_a_wrong_answer_to_the_feedback(student, desk, chromium, root, tmp_path):
    """In one go, as each step stands on the one before."""
    said = student.run("sheet.who()")
    assert "student id" in said, f"nobody asked who it is: {said}"
    student.replace("student_id = ...", f'student_id = "{STUDENT}"')
    assert STUDENT in student.run("sheet.who()")
    row = Sheet(ASSIGNMENT, student_id=STUDENT)["first-size"].size_a
    assert str(row.size) in student.run('sheet.show("first-size")')

    check, right = 'marks.check("size_a")', (row.size + 2 * row.padding - row.kernel_size) // row.stride + 1
    student.replace("size_a = ...", f"size_a = {right - 1}\nsize_b = ...")
    said = student.run(check)
    assert "+ 1" in said, f"the slip was not named: {said}"
    assert not re.search(rf"\b{right}\b", said), "the check gave the answer away"
    student.replace(f"size_a = {right - 1}", f"size_a = {right}\nsize_b = ...")
    assert "size_a: right" in student.run(check)

    said = student.validate()
    assert "failed" in said
    assert "not answered yet" in said
    assert "HIDDEN" not in said

    student.save(desk / ASSIGNMENT / NOTEBOOK)
    handed_in = tmp_path / "class" / "submitted" / STUDENT / ASSIGNMENT
    handed_in.mkdir(parents=True)
    shutil.copy(desk / ASSIGNMENT / NOTEBOOK, handed_in)
    command = [sys.executable, "-m", "grading", "--class", str(tmp_path / "class"), "grade", ASSIGNMENT]
    if config.why_not(root):  # this machine has no sandbox; the notebook is our own
        command.append("--unsandboxed")
    subprocess.run(command, cwd=root, check=True, timeout=300)
    (feedback,) = (tmp_path / "class" / "feedback" / STUDENT).rglob("*.html")
    page = chromium.new_page()
    page.goto(feedback.as_uri())
    told = " ".join(page.locator("body").inner_text().split())
    page.close()
    assert "1 of 1 size_a: right." in told, told[:3000]
    assert "0 of 1 size_b: not answered yet" in told


def test_validate_is_content_with_a_solved_notebook(chromium, jupyterlab, desk, root):
    released = nbformat.read(desk / ASSIGNMENT / NOTEBOOK, as_version=4)
    source = nbformat.read(root / "solutions" / ASSIGNMENT / NOTEBOOK, as_version=4)
    answers = {cell.metadata.nbgrader.grade_id: cell.source for cell in source.cells}
    for cell in released.cells:
        if cell.metadata.nbgrader.solution:
            lines = answers[cell.metadata.nbgrader.grade_id].splitlines()
            cell.source = "\n".join(line for line in lines if "### " not in line)
        if cell.metadata.nbgrader.grade_id == "student-id":
            cell.source = f'student_id = "{STUDENT}"'
    nbformat.write(released, desk / ASSIGNMENT / NOTEBOOK)
    page = chromium.new_page(viewport={"width": 1280, "height": 1000})
    said = Student(page, jupyterlab).validate()
    page.close()
    assert "Success" in said, said
