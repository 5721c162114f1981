"""The two-way street between the chapters and the reference of the library.

Every chapter ends with the functions of :mod:`cnnlib` that its cells use, each linked to its entry; every
entry names the chapters that use it, or that its module is about. Nothing of this is written by hand: it is
read from the imports of the cells and from the first lines of the modules.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

LIBRARY = "cnnlib"
#: A chapter's file: its number and its label.
CHAPTER = re.compile(r"(\d\d)-([\w-]+)$")
#: What the section is called that chapters end with.
HEADING = "In the library"

_CELL = re.compile(r"^(`{3,})\{code-cell\}[^\n]*\n(.*?)^\1\s*$", re.DOTALL | re.MULTILINE)
_OPTIONS = re.compile(r"\A(?:---\n.*?^---\n|(?::[\w-]+:[^\n]*\n)+)", re.DOTALL | re.MULTILINE)
#: ``*spatial`` in a docstring is Python's, and no emphasis.
_STAR = re.compile(r"(?<![\w*\\`])\*(?=\w+(?:\W|$))(?!\w[^*\n]*\w\*(?!\w))")
_NUMBERED = re.compile(r"Chapters? ((?:\d+(?:, | and | to )?)+)\.")


def cells(text: str) -> Iterator[str]:
    """The code of each cell of a chapter."""
    for found in _CELL.finditer(text):
        yield _OPTIONS.sub("", found[2])


def used(text: str) -> set[str]:
    r"""The public objects of the library that a chapter's cells name, by where they are defined.

    >>> sorted(used('```{code-cell} python\nfrom cnnlib import conv, filters\nfilters.sobel()\n```'))
    ['cnnlib.convolution.conv', 'cnnlib.filters.sobel']
    """
    modules: dict[str, ModuleType] = {}
    found = set()
    for code in cells(text):
        try:
            tree = ast.parse(re.sub(r"^[%!].*$", "", code, flags=re.MULTILINE))
        except SyntaxError:  # a cell that shows one; the build tells where it is not meant
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == LIBRARY:
                home = importlib.import_module(str(node.module))
                for name in node.names:
                    thing = _get(home, name.name)
                    if isinstance(thing, ModuleType):
                        modules[name.asname or name.name] = thing
                    elif address := where(thing):
                        found.add(address)
            elif isinstance(node, ast.Import):
                for name in node.names:
                    if name.name.split(".")[0] == LIBRARY and name.asname:
                        modules[name.asname] = importlib.import_module(name.name)
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in modules
            ) and (address := where(_get(modules[node.value.id], node.attr))):
                found.add(address)
    return found


def _get(module: ModuleType, name: str) -> Any:
    try:
        return getattr(module, name)
    except AttributeError:
        return importlib.import_module(f"{module.__name__}.{name}")


def where(thing: Any) -> str:
    """Where a public function or class of the library is documented; empty for all else.

    >>> import cnnlib
    >>> where(cnnlib.conv), where(3)
    ('cnnlib.convolution.conv', '')
    """
    thing = inspect.unwrap(thing) if callable(thing) else thing
    module, name = getattr(thing, "__module__", "") or "", getattr(thing, "__qualname__", "")
    if module.split(".")[0] != LIBRARY or not name or name.startswith("_") or "<" in name:
        return ""
    parts = module.split(".")
    for size in range(2, len(parts) + 1):  # packages show what their modules hold
        home = ".".join(parts[:size])
        if hasattr(importlib.import_module(home), name.split(".")[0]):
            return f"{home}.{name}"
    return ""


@cache
def about(module: str) -> tuple[int, ...]:
    """The chapters that a module says it is about, in the first lines of its docstring.

    >>> about("cnnlib.pooling")
    (6, 7)
    """
    text = " ".join((importlib.import_module(module).__doc__ or "").split())
    found = _NUMBERED.search(text)
    if not found:
        return ()
    numbers = [int(n) for n in re.findall(r"\d+", found[1])]
    return tuple(range(numbers[0], numbers[-1] + 1)) if " to " in found[1] else tuple(numbers)


def chapters(folder: Path) -> dict[int, tuple[str, set[str]]]:
    """For each chapter in a folder its label and the objects of the library that it uses."""
    found = {}
    for path in sorted(folder.glob("[0-9][0-9]-*.md")):
        if match := CHAPTER.match(path.stem):
            found[int(match[1])] = (match[2], used(path.read_text(encoding="utf-8")))
    return found


def numbers_for(address: str, known: dict[int, tuple[str, set[str]]]) -> list[int]:
    """The chapters that an entry names: those that use it, else those that its module is about."""
    using = [number for number, (_, names) in known.items() if address in names]
    if using:
        return using
    module = address
    while "." in module:
        module = module.rpartition(".")[0]
        try:
            if found := [number for number in about(module) if number in known]:
                return found
        except ImportError:  # a class: look in the module around it
            continue
    return []


# --- the pages -------------------------------------------------------------------------------------------


def documented(folder: Path) -> list[str]:
    """The modules that the reference pages in a folder describe."""
    pages = (path.read_text(encoding="utf-8") for path in sorted(folder.glob("reference-*.md")))
    return [name for page in pages for name in re.findall(r"^\.\. automodule:: (\S+)$", page, re.MULTILINE)]


def _look(app: Sphinx) -> None:
    folder = Path(app.srcdir)
    described = set(documented(folder))
    app.env.cnnlib_uses = {  # type: ignore[attr-defined]
        number: (label, {name for name in names if name.rpartition(".")[0] in described})
        for number, (label, names) in chapters(folder).items()
    }


def _uses(env: BuildEnvironment) -> dict[int, tuple[str, set[str]]]:
    return getattr(env, "cnnlib_uses", {})


def add_functions(app: Sphinx, page: str, source: list[str]) -> None:
    """Let a chapter end with the functions that it uses."""
    match = CHAPTER.match(page)
    if not match or int(match[1]) not in _uses(app.env):
        return
    names = _uses(app.env)[int(match[1])][1]
    if not names:
        return
    groups: dict[str, list[str]] = {}
    for address in sorted(names):
        module, _, name = address.rpartition(".")
        groups.setdefault(module, []).append(name)
    lines = [f"\n\n## {HEADING}\n", "What the cells of this chapter use, and where it is explained:\n"]
    for module, found in groups.items():
        links = ", ".join(f"{{py:obj}}`{name} <{module}.{name}>`" for name in found)
        lines.append(f"- {{py:mod}}`{module}`: {links}")
    source[0] = source[0].rstrip() + "\n".join(lines) + "\n"


def name_chapters(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Let an entry of the reference name its chapters; take Python's stars for what they are."""
    lines[:] = [_STAR.sub(r"\\*", line) if not line.lstrip().startswith(">>>") else line for line in lines]
    known = _uses(app.env)
    if what == "module" or not known:
        return
    if what in ("function", "class", "exception") and (numbers := numbers_for(name, known)):
        links = ", ".join(f":ref:`{number} <{known[number][0]}>`" for number in numbers)
        lines += ["", f":Chapters: {links}", ""]


def link_literals(app: Sphinx, tree: nodes.document, page: str) -> None:
    """Make a function's name in a chapter's formula box a link to its entry."""
    if not CHAPTER.match(page) and page != "formula-sheet":
        return
    entries = app.env.domains["py"].objects
    for box in tree.findall(lambda node: "formulas" in getattr(node, "attributes", {}).get("classes", ())):
        for literal in list(box.findall(nodes.literal)):
            address = _entry(literal.astext(), entries)
            if address and not isinstance(literal.parent, nodes.reference):
                place = entries[address]
                link = nodes.reference("", "", internal=True)
                link["refuri"] = f"{app.builder.get_relative_uri(page, place.docname)}#{place.node_id}"
                literal.replace_self(link)
                link += literal


def _entry(text: str, entries: dict[str, Any]) -> str:
    """The entry that ``conv``, ``sizes.kernel_shape`` or ``layers.Conv2D()`` stands for."""
    name = re.sub(r"\(.*", "", text.strip())
    if not re.fullmatch(r"[A-Za-z_][\w.]*", name):
        return ""
    library = importlib.import_module(LIBRARY)
    for candidate in (name, f"{LIBRARY}.{name}"):
        if candidate in entries:
            return candidate
    if "." not in name and name in library.__all__:
        address = where(getattr(library, name))
        return address if address in entries else ""
    return ""


def _called(code: str) -> str:
    """Where the first function of the library stands that a formula's code calls.

    >>> _called("sum(padding_amounts(N, F, stride=S, padding='same'))")
    'cnnlib.sizes.padding_amounts'
    """
    from cnnlib import receptive_field, sizes

    for name in re.findall(r"\w+(?=\()", code):
        for home in (sizes, receptive_field):
            if address := where(vars(home).get(name)):
                return address
    raise ValueError(f"{code} calls no function of cnnlib.sizes or cnnlib.receptive_field")


class FormulaSheet(SphinxDirective):
    """The formulas of :mod:`cnnlib.formulas` as tables, each linked to its function and its chapter."""

    #: The headings, each before the formula that it begins with.
    headings: ClassVar = {
        "output size": "Sizes",
        "weights of a convolution layer": "What a layer has to learn",
        "operations of a convolution layer": "What it has to compute",
        "receptive field, size": "What it sees",
    }

    def run(self) -> list[nodes.Node]:
        """The tables, as nodes."""
        from cnnlib.formulas import FORMULAS

        labels = {number: label for number, (label, _) in _uses(self.env).items()}
        lines: list[str] = []
        for name, formula in FORMULAS.items():
            if heading := self.headings.get(name):
                lines += [
                    "",
                    f"**{heading}**",
                    "",
                    "| what | formula | in `cnnlib` | chapter |",
                    "|---|---|---|---|",
                ]
            address = _called(formula.code)
            called = address.rpartition(".")[2]
            tex = formula.tex.replace("|", r"\vert ")
            where = f", where ${formula.conditions}$" if formula.conditions else ""
            lines.append(
                f"| {name}{where} | $\\displaystyle {tex}$ | {{py:obj}}`{called} <{address}>` "
                f"| {{ref}}`{formula.chapter} <{labels[formula.chapter]}>` |"
            )
        body = nodes.container(classes=["formula-sheet"])
        self.state.nested_parse(StringList(lines, "formula-sheet"), self.content_offset, body)
        return [body]


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the above to Sphinx."""
    app.add_directive("formula-sheet", FormulaSheet)
    app.connect("builder-inited", _look)
    app.connect("source-read", add_functions)
    app.connect("autodoc-process-docstring", name_chapters)
    app.connect("doctree-resolved", link_literals)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
