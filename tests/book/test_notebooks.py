"""What is offered for download reads well in plain Jupyter: no directive, role, label or claim is left."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

import nbformat
import pytest

from book.build import ROOT
from book.lite import NOTEBOOKS
from book.notebooks import Names, _take_lighter, names, to_markdown, write

CASES = {
    "admonition": (
        ":::{admonition} Predict\n:class: tip\n\nWhat shape?\n:::",
        "> **Predict**\n>\n> What shape?",
    ),
    "yaml options": ("```{note}\n---\nclass: x\n---\nText.\n```", "> **Note**\n>\n> Text."),
    "dropdown": (
        "```{dropdown} Hint\nThink.\n```",
        "<details><summary>Hint</summary>\n\nThink.\n\n</details>",
    ),
    "nested": (
        "::::{exercise}\n:label: ex-1\n\nDo.\n\n:::{dropdown} Hint\nThink.\n:::\n::::",
        "**Exercise**\n\nDo.\n\n<details><summary>Hint</summary>\n\nThink.\n\n</details>",
    ),
    "gates": ("```{exercise-start}\n:label: e\n```\nDo.\n```{exercise-end}\n```", "**Exercise**\n\nDo."),
    "solution": ("```{solution-start} e\n:class: dropdown\n```\nSo.", "**Solution**\n\nSo."),
    "maths": ("```{math}\n:label: eq\nx = 1\n```", "$$\nx = 1\n$$"),
    "code": ("```{code-block} python\nx = 1\n```", "```python\nx = 1\n```"),
    "plain code is kept": ("```python\n% x {ref}`y`\n```", "```python\n% x {ref}`y`\n```"),
    "label and claim": ("(here)=\n# Title\n\n% claim: 1\nText.", "# Title\n\nText."),
    "reference": ("See {ref}`there` and {ref}`the other <there>`.", "See Chapter there and the other."),
    "figure": ("In {numref}`fig-1` and {eq}`eq-1`.", "In the figure and the equation above."),
    "index": ("{index}`stride` and {index}`steps <single: stride>`", "stride and steps"),
    "math role": ("{math}`x^2`", "$x^2$"),
    "citation": ("Told by {cite:t}`lecun1989` {cite}`lecun1998, dumoulin2016`.",
                 "Told by LeCun et al. (1989) [LeCun et al., 1998; Dumoulin and Visin, 2016]."),
    "unknown work": ("{cite}`nobody`", "[nobody]"),
    "picture": ("![alt](a.png){width=300px}", "![alt](a.png)"),
}  # fmt: skip


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Names:
    chapter = tmp_path_factory.mktemp("chapters") / "there.md"
    chapter.write_text("(there)=\n# Chapter there\n")
    return names([chapter], ROOT / "book" / "references.bib")


@pytest.mark.parametrize(("myst", "markdown"), CASES.values(), ids=CASES)
def test_myst_becomes_markdown(myst: str, markdown: str, known: Names) -> None:
    assert to_markdown(myst, known) == markdown


def test_a_notebook_is_written_as_jupyterlite_shows_it(tmp_path: Path) -> None:
    printed = nbformat.v4.new_output("display_data", {"text/plain": "a\nb", "image/svg+xml": "<svg>\n</svg>"})
    cells = [nbformat.v4.new_code_cell("1\n2", outputs=[printed]), nbformat.v4.new_markdown_cell("ö")]
    write(nbformat.v4.new_notebook(cells=cells), tmp_path / "a.ipynb")
    told = json.loads((tmp_path / "a.ipynb").read_text(encoding="utf-8"))
    assert told["cells"][0]["outputs"][0]["data"] == printed.data
    assert [cell["metadata"] for cell in told["cells"]] == [{"trusted": True}, {}]
    assert nbformat.read(tmp_path / "a.ipynb", as_version=4).cells[1].source == "ö"


def test_a_figure_is_the_sites_lighter_one(tmp_path: Path) -> None:
    drawn = "<svg>\r\n<path/></svg>"
    name = hashlib.sha256(os.linesep.join(drawn.splitlines()).encode()).hexdigest()
    (tmp_path / f"{name}.svg").write_text("<svg/>")
    light, other, words = {"image/svg+xml": drawn}, {"image/svg+xml": "<svg></svg>"}, {"text/plain": "1"}
    for data in (light, other, words):
        _take_lighter(data, tmp_path)
    assert (light, other) == ({"image/svg+xml": "<svg/>"}, {"image/svg+xml": "<svg></svg>"})
    assert words == {"text/plain": "1"}


@pytest.mark.site
def test_the_notebooks_figures_are_those_of_the_pages(site: Path) -> None:
    pages = {path.read_text(encoding="utf-8") for path in (site / "_images").glob("*.svg")}
    for path in (site / NOTEBOOKS).glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", ()):
                figure = output.get("data", {}).get("image/svg+xml")
                assert figure is None or figure in pages, path.name


@pytest.mark.site
def test_no_myst_is_left_in_the_notebooks_of_the_site(site: Path) -> None:
    for path in (site / NOTEBOOKS).glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                text = re.sub(r"```.*?```|\$\$.*?\$\$", "", cell.source, flags=re.DOTALL)
                left = re.findall(r"\{[a-z:-]+\}`|:::|^\([\w-]+\)=$|^%.*|^:\w+:", text, re.MULTILINE)
                assert left == [], (path.name, cell.source)
