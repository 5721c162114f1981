"""The student's path in a real JupyterLab: open, answer wrongly, read why, correct it, validate.

A browser drives JupyterLab as a student would: by clicking cells, typing and pressing the toolbar's buttons.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.grading, pytest.mark.slow]

ASSIGNMENT = "03-sizes-and-counts"
NOTEBOOK = "sizes-and-counts.ipynb"


@pytest.fixture(scope="module")
def desk(tmp_path_factory, root) -> Path:
    """A student's own copy of the exercises."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(root / "exercises" / ASSIGNMENT, folder / ASSIGNMENT)
    return folder


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


def test_a_wrong_answer_is_explained_and_can_be_corrected(student):
    check = 'marks.check("size_a"'
    student.replace("size_a = ...", "size_a = 23\nsize_b = ...")
    said = student.run(check)
    assert "+ 1" in said or "+1" in said, f"the slip behind 23 was not named: {said}"
    assert "24" not in said, "the check gave the answer away"
    student.replace("size_a = 23", "size_a = 24\nsize_b = ...")
    assert "right" in student.run(check)


def test_validate_says_what_is_open(student):
    said = student.validate()
    assert "failed" in said
    assert "not answered yet" in said
    assert "HIDDEN" not in said


def test_validate_is_content_with_a_solved_notebook(chromium, jupyterlab, desk, root):
    released = nbformat.read(desk / ASSIGNMENT / NOTEBOOK, as_version=4)
    source = nbformat.read(root / "solutions" / ASSIGNMENT / NOTEBOOK, as_version=4)
    answers = {cell.metadata.nbgrader.grade_id: cell.source for cell in source.cells}
    for cell in released.cells:
        if cell.metadata.nbgrader.solution:
            lines = answers[cell.metadata.nbgrader.grade_id].splitlines()
            cell.source = "\n".join(line for line in lines if "### " not in line)
    nbformat.write(released, desk / ASSIGNMENT / NOTEBOOK)
    page = chromium.new_page(viewport={"width": 1280, "height": 1000})
    said = Student(page, jupyterlab).validate()
    page.close()
    assert "Success" in said, said
