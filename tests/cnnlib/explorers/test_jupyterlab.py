"""The same objects in JupyterLab: they run there, and keys pressed in them stay theirs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import nbformat
import pytest

from cnnlib.exercises import check, misconceptions, quiz
from cnnlib.exercises.wording import QUIZ
from cnnlib.explorers import ConvolutionMicroscope, OneWindow

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

CELLS = (
    "from cnnlib.explorers import ConvolutionMicroscope, OneWindow\n"
    "ConvolutionMicroscope([3, 1, 4, 1, 5], [1, 0, -1])",
    "OneWindow()",
    "from cnnlib.exercises import quiz\nquiz('counting-parameters')",
    "import numpy as np\nfrom cnnlib.explorers import NetworkLooking\n"
    "from cnnlib.layers import Conv2D, Dense, Flatten\nfrom cnnlib.network import Input, Sequential\n"
    "model = Sequential([Input((28, 28, 1)), Conv2D(2, 15), Flatten(), Dense(10)])\n"
    "model.initialize(seed=0)\nNetworkLooking(model, np.eye(28)[None])",
)


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory, serve_jupyterlab: Callable) -> Iterator[str]:
    """The address of a JupyterLab with one notebook."""
    pytest.importorskip("jupyterlab")
    desk = tmp_path_factory.mktemp("desk")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, desk / "explorers.ipynb")
    with serve_jupyterlab(desk, tmp_path_factory.mktemp("jupyter")) as address:
        yield address


def test_explorers_run_in_jupyterlab_and_keep_their_keys(laboratory: str, chromium: Any) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 1400})
    page.set_default_timeout(20_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{laboratory}/lab/tree/explorers.ipynb?reset")
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").first.wait_for()
    for place in range(len(CELLS)):
        for _ in range(20):  # a kernel that is not ready drops the first press
            page.locator(".jp-Notebook .jp-CodeCell .cm-content").nth(place).click()
            page.keyboard.press("Control+Enter")
            page.wait_for_timeout(2000)
            if page.locator(".cx").count() > place:
                break
        page.locator(".cx .cx-controls").nth(place).wait_for()
    address = page.url
    expected = ConvolutionMicroscope([3, 1, 4, 1, 5], [1, 0, -1])
    first, second = page.locator(".cx").nth(0), page.locator(".cx").nth(1)
    assert first.locator(".cx-say").inner_text() == repr(expected)
    first.locator(".cx-panels").focus()
    page.keyboard.press("ArrowRight")
    assert first.locator(".cx-say").inner_text() == expected._regions(1)["say"]
    for key in ("a", "d", "d", "x", "m"):  # commands of a notebook: insert, delete, cut, to Markdown
        page.keyboard.press(key)
    assert page.locator(".jp-Notebook .jp-CodeCell").count() == len(CELLS)
    first.locator("summary").click()
    first.get_by_label("kernel weights").fill("")
    page.keyboard.type("2 1")
    assert first.locator(".cx-say").inner_text().endswith("Its weighted sum is 6, output 1.")
    window = OneWindow()
    assert second.locator(".cx-say").inner_text() == repr(window)
    second.get_by_role("slider", name="column").focus()
    page.keyboard.press("ArrowRight")
    row, column = window.place
    assert second.locator(".cx-say").inner_text() == window._regions(0, (row, column + 1))["say"]
    asked = page.locator(".cx-quiz")
    task, number = quiz("counting-parameters").drawn[0][0], asked.get_by_label(QUIZ["label_number"])
    (_, wrong), *_ = misconceptions.answers(task)
    for answer in (wrong, task.answer):  # "x" and "m" are commands; here they are typed, and taken back
        number.fill("")
        page.keyboard.type(f"xm{answer}")
        page.keyboard.press("Home")
        page.keyboard.press("Delete")
        page.keyboard.press("Delete")
        page.keyboard.press("Enter")
        assert asked.locator("[role=status]").text_content() == check(task, answer).text
    assert asked.locator("a").count() == 0, "chapters are not beside a notebook"
    _draw(page, page.locator(".cx").nth(3))
    page.wait_for_timeout(500)
    assert page.locator(".jp-Notebook .jp-CodeCell").count() == len(CELLS)
    assert page.url == address, "the address is JupyterLab's"
    assert errors == []
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/jupyterlab.png")
    page.close()


def _draw(page: Any, looking: Any) -> None:
    """A stroke by keys, some of which are a notebook's commands."""
    assert looking.locator(".cx-say").inner_text().startswith("28 of 784 cells are drawn")
    looking.locator("[data-c=pad]").focus()
    for key in (" ", "ArrowLeft", "ArrowLeft", " ", "x", "m"):
        page.keyboard.press(key)
    assert looking.locator("[data-r=pen]").inner_text().startswith("Pen up, row 14, column 12.")
    assert not looking.locator(".cx-say").inner_text().startswith("28 of")
