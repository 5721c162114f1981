"""The notebooks that pages offer for download: executed, and written so that plain Jupyter can show them.

MyST's directives and roles mean nothing to JupyterLab. Here they become Markdown: an admonition a quotation
with a title, a hint a fold, a reference its text. Claims and labels go.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from book.execute import read

if TYPE_CHECKING:
    from pybtex.database import Entry  # type: ignore[import-untyped]

_OPENING = re.compile(r"^(?P<fence>`{3,}|:{3,})\s*(?:\{(?P<name>[^}]+)\})?\s*(?P<title>.*)$")
_LABEL = re.compile(r"^\(([\w:.-]+)\)=\s*$")
_ROLE = re.compile(r"\{([\w:+-]+)\}`([^`]+)`", re.DOTALL)
_EXPLICIT = re.compile(r"^(.*?)\s*<([^<>]+)>$", re.DOTALL)

_QUOTED = {
    "admonition", "attention", "caution", "danger", "error", "hint", "important", "note", "seealso", "tip",
    "warning",
}  # fmt: skip
_SILENT = {"bibliography", "contents", "exercise-end", "index", "solution-end", "tableofcontents", "toctree"}


@dataclass
class Names:
    """What references are called: sections by their label, works by their key."""

    sections: Mapping[str, str] = field(default_factory=dict)
    works: Mapping[str, Entry] = field(default_factory=dict)

    def work(self, key: str, textual: bool) -> str:
        """*LeCun et al., 1989*, or *LeCun et al. (1989)* within a sentence."""
        entry = self.works.get(key)
        if entry is None:
            return key
        people = [" ".join((*person.prelast_names, *person.last_names)) for person in entry.persons["author"]]
        people = [name.strip("{}") for name in people]
        who = " and ".join(people) if len(people) < 3 else f"{people[0]} et al."
        return f"{who} ({entry.fields['year']})" if textual else f"{who}, {entry.fields['year']}"


def names(chapters: Iterable[Path], bibliography: Path) -> Names:
    """The names of all that chapters refer to."""
    from pybtex.database import parse_file

    sections = {}
    for chapter in chapters:
        text = chapter.read_text(encoding="utf-8")
        for label, heading in re.findall(r"^\(([\w:.-]+)\)=\n#+ (.+)$", text, re.MULTILINE):
            sections[label] = heading.strip()
    return Names(sections, parse_file(str(bibliography), bib_format="bibtex").entries)


def export(chapter: Path, cache_folder: Path, target: Path, known: Names, pictures: Path) -> None:
    """Write the executed notebook of ``chapter``, in plain Markdown, to ``target``.

    Figures are taken from the folder ``pictures`` of the site, where they are lighter.
    """
    import nbformat
    from jupyter_cache import get_cache

    _, notebook = get_cache(cache_folder).merge_match_into_notebook(read(chapter))
    chapter_number = re.match(r"(\d\d)-", chapter.name)
    cells: list[Any] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = to_markdown(cell.source, known)
            if chapter_number and not cells:  # as the site numbers its pages
                cell.source = re.sub(r"^# ", f"# {int(chapter_number[1])} · ", cell.source, count=1)
            cell.metadata = nbformat.NotebookNode()
            if cell.source:
                cells.append(cell)
            continue
        options = cell.metadata
        hidden = {"hide-input", "remove-input"} & set(options.get("tags", ()))
        cell.metadata = nbformat.NotebookNode({"jupyter": {"source_hidden": True}} if hidden else {})
        for output in cell.get("outputs", ()):
            _take_lighter(output.get("data", {}), pictures)
        cells.append(cell)
        if caption := options.get("mystnb", {}).get("figure", {}).get("caption"):
            cells.append(nbformat.v4.new_markdown_cell(f"*{_inline(caption.strip(), known)}*"))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kept = {
        key: notebook.metadata[key] for key in ("kernelspec", "language_info") if key in notebook.metadata
    }
    write(nbformat.v4.new_notebook(cells=cells, metadata=kept), target)


def write(notebook: Any, target: Path) -> None:
    """Write a notebook so that JupyterLite shows at once what is printed in it.

    That is, with its cells marked as trusted: Jupyter does so by itself for those that it knows, JupyterLite
    knows none, and would hide all figures. And with texts in one piece: of a list of lines it shows commas.
    """
    import nbformat

    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.metadata["trusted"] = True
    text = json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True)
    target.write_text(f"{text}\n", encoding="utf-8")


def _take_lighter(data: dict[str, str], pictures: Path) -> None:
    """Put the site's form of a figure in its place; MyST-NB names it by the hash of the one in the cache."""
    if figure := data.get("image/svg+xml"):
        name = hashlib.sha256(os.linesep.join(figure.splitlines()).encode()).hexdigest()
        if (file := pictures / f"{name}.svg").is_file():
            data["image/svg+xml"] = file.read_text(encoding="utf-8")


def to_markdown(text: str, known: Names) -> str:
    r"""MyST as Markdown that Jupyter shows.

    >>> print(to_markdown(":::{admonition} Look\n:class: tip\nAt {ref}`here <there>`.\n:::", Names()))
    > **Look**
    >
    > At here.
    """
    return re.sub(r"\n{3,}", "\n\n", "\n".join(_convert(text.splitlines(), known))).strip()


def _convert(lines: list[str], known: Names) -> list[str]:
    result: list[str] = []
    plain: list[str] = []
    number = 0
    while number < len(lines):
        line, number = lines[number], number + 1
        opening = _OPENING.match(line.strip())
        if not opening:
            if not line.lstrip().startswith("%") and not _LABEL.match(line.strip()) and line.strip() != "+++":
                plain.append(line)
            continue
        result += _inline("\n".join(plain), known).split("\n") if plain else []
        plain = []
        end = _end(lines, number, opening["fence"])
        result += _directive(opening, lines[number:end], known)
        number = end + 1
    return result + (_inline("\n".join(plain), known).split("\n") if plain else [])


def _end(lines: list[str], start: int, fence: str) -> int:
    for number in range(start, len(lines)):
        bare = lines[number].strip()
        if bare and set(bare) == {fence[0]} and len(bare) >= len(fence):
            return number
    return len(lines)


def _directive(opening: re.Match[str], body: list[str], known: Names) -> list[str]:
    name, title = (opening["name"] or "").strip(), _inline(opening["title"].strip(), known)
    if not name:
        return [f"```{opening['title'].strip()}", *body, "```"]
    if body and body[0].strip() == "---":
        body = body[next((i for i, line in enumerate(body[1:], 1) if line.strip() == "---"), 0) + 1 :]
    while body and re.match(r"^:[\w-]+:(\s|$)", body[0].strip()):
        body = body[1:]
    if name in _SILENT:
        return []
    if name in ("code", "code-block", "math"):
        return [f"```{title}", *body, "```"] if name != "math" else ["", "$$", *body, "$$", ""]
    inner = "\n".join(_convert(body, known)).strip("\n").split("\n")
    before, after = [], []
    if name in _QUOTED:
        before = [f"> **{title or name.capitalize()}**", ">"]
        inner = [f"> {line}".rstrip() for line in inner]
    elif name.partition("-")[0] in ("exercise", "solution"):
        before = [f"**{name.partition('-')[0].capitalize()}**", ""]
    elif name == "dropdown":
        before, after = [f"<details><summary>{title}</summary>", ""], ["", "</details>"]
    elif title and not title[0].isdigit():  # a card; numbers are the columns of a grid
        before = [f"**{title}**", ""]
    return ["", *before, *inner, *after, ""]


def _inline(text: str, known: Names) -> str:
    """Roles as the text that they stand for."""

    def said(role: re.Match[str]) -> str:
        name, content = role[1], role[2]
        explicit = _EXPLICIT.match(content)
        if name == "math":
            return f"${content}$"
        if name.startswith("cite"):
            textual = name == "cite:t"
            works = [known.work(key.strip(), textual) for key in content.split(",")]
            return ", ".join(works) if textual else f"[{'; '.join(works)}]"
        if explicit:
            return explicit[1]
        if name in ("ref", "doc"):
            return known.sections.get(content, content)
        if name in ("numref", "eq"):
            return {"numref": "the figure", "eq": "the equation above"}[name]
        return content

    return re.sub(r"(!\[[^\]]*\]\([^)]*\))\{[^}]*\}", r"\1", _ROLE.sub(said, text))


def export_all(
    notebooks: Iterable[Path], folder: Path, cache_folder: Path, target: Path, pictures: Path
) -> None:
    """Export ``notebooks``, staged in ``folder`` with the bibliography, into the folder ``target``."""
    target.mkdir(parents=True, exist_ok=True)
    known = names(folder.glob("*.md"), folder / "references.bib")
    for notebook in notebooks:
        export(notebook, cache_folder, target / f"{notebook.stem}.ipynb", known, pictures)
