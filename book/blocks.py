"""The text of a chapter, cut into the blocks that a reader sees: paragraphs, lists, tables, captions.

A chapter is a MyST notebook. Code, options, headings and link targets are left out; what remains is
prose, with the comment lines that stand directly above it. :mod:`book.claims` checks the numbers in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

#: Directives whose content is no prose.
SILENT = {
    "bibliography", "code", "code-block", "code-cell", "contents", "eval-rst", "image", "include", "index",
    "literalinclude", "mermaid", "raw", "tableofcontents", "toctree",
}  # fmt: skip
#: … and of those, the ones that Jupyter executes.
CELLS = {"code-cell"}

_FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,}|:{3,})\s*(?:\{(?P<name>[^}]+)\})?(?P<rest>.*)$")
_OPTION = re.compile(r"^:[\w-]+:(\s|$)")
_LEFT_OUT = re.compile(r"^(#{1,6}\s|\([\w:.-]+\)=\s*$|\+\+\+)")


@dataclass
class Block:
    """Lines that belong together, up to the next blank one, and the comments right above them."""

    path: Path
    line: int
    text: str
    comments: list[tuple[int, str]] = field(default_factory=list)


@dataclass
class _Fence:
    mark: str
    name: str | None

    def closed_by(self, line: str) -> bool:
        bare = line.strip()
        return bool(bare) and set(bare) == {self.mark[0]} and len(bare) >= len(self.mark)

    @property
    def silent(self) -> bool:
        return (self.name is None and self.mark[0] != ":") or self.name in SILENT


def read_blocks(path: Path) -> list[Block]:
    """The blocks of the chapter at ``path``, in order."""
    return list(cut(path.read_text(encoding="utf-8"), path))


def cut(source: str, path: Path = Path("chapter.md")) -> Iterator[Block]:
    r"""Cut MyST ``source`` into blocks.

    >>> page = "# 1 · Title\n\n% claim: 2 + 2\nTwo and two is 4.\n\n```python\nx = 17\n```\n"
    >>> [(block.line, block.text, block.comments) for block in cut(page)]
    [(4, 'Two and two is 4.', [(3, 'claim: 2 + 2')])]
    """
    lines = [*source.splitlines(), ""]
    fences: list[_Fence] = []
    comments: list[tuple[int, str]] = []
    current: Block | None = None
    number = _end_of_front_matter(lines)
    while number < len(lines):
        line, number = lines[number], number + 1
        stripped = line.strip()
        opening = _FENCE.match(stripped)
        ends_block = not stripped or stripped.startswith("%") or _LEFT_OUT.match(stripped) or opening
        if current and ends_block:
            yield current
            current = None
        if fences and fences[-1].closed_by(stripped):
            fences.pop()
            comments = []
        elif opening:
            fence = _Fence(opening["fence"], (opening["name"] or "").strip() or None)
            start, options, number = number, *_options(lines, number, fence)
            if fence.silent:
                caption = _caption(options) if fence.name in CELLS else ""
                if caption:
                    yield Block(path, start, caption, comments)
                comments = []
                number = _end_of(fence, lines, number)
            else:  # comments above an admonition belong to its first paragraph
                fences.append(fence)
        elif stripped.startswith("%"):
            comments.append((number, stripped[1:].removeprefix(" ")))
        elif not stripped or _LEFT_OUT.match(stripped):
            if comments and not stripped:
                yield Block(path, number, "", comments)  # a comment above nothing: its claims fail
            comments = []
        elif current:
            current.text += "\n" + line
        else:
            current, comments = Block(path, number, line, comments), []


def _end_of_front_matter(lines: list[str]) -> int:
    if lines and lines[0].strip() == "---":
        for number, line in enumerate(lines[1:], start=1):
            if line.strip() == "---":
                return number + 1
    return 0


def _options(lines: list[str], number: int, fence: _Fence) -> tuple[dict[str, Any], int]:
    """The options right below a directive's first line, and the line after them."""
    if fence.name is None:
        return {}, number
    if number < len(lines) and lines[number].strip() == "---":
        end = number + 1
        while end < len(lines) and lines[end].strip() != "---":
            end += 1
        try:
            options = yaml.safe_load("\n".join(lines[number + 1 : end]))
        except yaml.YAMLError:
            options = None  # the build says what is wrong with it
        return options if isinstance(options, dict) else {}, end + 1
    while number < len(lines) and _OPTION.match(lines[number].strip()):
        number += 1
    return {}, number


def _caption(options: dict[str, Any]) -> str:
    """What a figure's cell says below the picture and to those who cannot see it."""
    notes = options.get("mystnb")
    if not isinstance(notes, dict):
        return ""
    parts = (notes.get("figure", {}).get("caption"), notes.get("image", {}).get("alt"))
    return "\n".join(str(part).strip() for part in parts if part)


def _end_of(fence: _Fence, lines: list[str], number: int) -> int:
    while number < len(lines) and not fence.closed_by(lines[number]):
        number += 1
    return number + 1
