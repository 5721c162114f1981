"""Pieces of a page that answer a reader: HTML with its own styles and a small script, and no server.

Explorers are such pieces, and quizzes. What they share stands here, in ``page.js`` and in ``page.css``.
"""

from __future__ import annotations

import functools
import hashlib
import html
import json
import re
from collections import Counter
from collections.abc import Mapping, Set
from importlib import resources
from typing import Any

from cnnlib.explorers.shorter import needed, shortened, tokens

_shown: Counter[str] = Counter()


@functools.cache
def source(name: str) -> str:
    """A script or style, without the comments and the spaces that only its readers need; "" for none.

    It is a file of this package, or of another one that stands before a slash: ``cnnlib.exercises/quiz.js``.
    """
    package, _, file_name = name.rpartition("/")
    file = resources.files(package or "cnnlib.explorers").joinpath(file_name)
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith(("//", "/*")))


@functools.cache
def together(names: tuple[str, ...]) -> str:
    """Several scripts as one, with what is needed of each."""
    return needed("\n".join(source(f"{name}.js") for name in names))


@functools.cache
def joined(names: tuple[str, ...]) -> str:
    """The same as short as :mod:`cnnlib.explorers.shorter` makes it."""
    return shortened(together(names))


@functools.cache
def quoted(names: tuple[str, ...]) -> str:
    """All texts in these scripts: what they write into a page."""
    return " ".join(token.text for token in tokens(together(names)) if token.kind == "text")


def worn(css: str, said: Set[str]) -> str:
    r"""Those rules of a style, one a line, that some element can meet, by the names that occur in a page.

    >>> worn(".cx p{margin:0}\n.cx table,.cx-facts td:last-child{width:auto}", {"cx-facts", "td"})
    '.cx table,.cx-facts td:last-child{width:auto}'
    """

    def meets(selector: str) -> bool:
        names = re.findall(r"[a-z][\w-]*", re.sub(r":[\w-]+(\([^()]*\))?", "", selector))
        return said >= set(names)

    lines = []
    for line in css.splitlines():
        selectors = line.partition("{")[0].removeprefix(".cx ").replace(",.cx ", ",")
        if not line.startswith((".cx ", ".cx-")) or any(map(meets, re.split(r",(?![^()]*\))", selectors))):
            lines.append(line)
    return "\n".join(lines)


def script_data(data: Any) -> str:
    r"""Data as a script writes them; they cannot end it.

    >>> script_data({"tag": "</script>", "no name": [1, None]})
    '{tag:"\\u003c/script>","no name":[1,null]}'
    """
    if isinstance(data, Mapping):
        named = (
            f"{key if key.isidentifier() and key.isascii() else script_data(key)}:{script_data(value)}"
            for key, value in data.items()
        )
        return f"{{{','.join(named)}}}"
    if isinstance(data, list | tuple):
        return f"[{','.join(map(script_data, data))}]"
    return json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")


class Piece:
    """A piece; a subclass gives its words, its script, and the HTML that stands there before it runs."""

    #: The scripts and styles of all pieces of its family, which come first.
    common: tuple[str, ...] = ("page",)
    #: The script's file, without its ending; see :func:`source`.
    script: str
    #: The scripts and styles that it builds upon, in order.
    parts: tuple[str, ...] = ()
    #: All words that a reader sees; a translation replaces the values.
    words: Mapping[str, str]
    #: The part of a link that names this piece; made from its numbers where none is given.
    name: str | None = None

    def _state(self) -> dict[str, Any]:
        """What the script starts from."""
        raise NotImplementedError

    def _content(self) -> str:
        """The HTML before the script runs; controls stay hidden until then."""
        raise NotImplementedError

    def _label(self) -> str:
        """What the whole is called by a screen reader."""
        return self.words["label_title"]

    def _identity(self, content: str) -> str:
        """An id that no other piece of this page has, and that the next build gives again."""
        digest = hashlib.sha256((script_data(self._state()) + content).encode()).hexdigest()[:6]
        stem = self.name or f"{self.script.rpartition('/')[2].replace('_', '-')}-{digest}"
        _shown[stem] += 1
        return stem if _shown[stem] == 1 else f"{stem}-{_shown[stem]}"

    def _styles(self, files: tuple[str, ...], content: str) -> str:
        """The styles of all files; of those that others share, what this one needs."""
        said = set(re.findall(r"[\w-]+", content + quoted(files)))
        shared = (worn(source(f"{name}.css"), said) for name in files[:-1])
        return "\n".join(filter(None, [*shared, source(f"{files[-1]}.css")]))

    def _repr_html_(self) -> str:
        content = self._content()
        identity = self._identity(content)
        files = (*self.common, *self.parts, self.script)
        said = set(re.findall(r"\w+", together(files)))
        # A script may say "sum_" + kind; it never says what is called label_….
        words = {k: text for k, text in self.words.items() if k in said or k[: k.rfind("_") + 1] in said}
        data = {"id": identity, "words": words, **self._state()}
        return (
            f'<div class="cx" id="{identity}" role="group" '
            f'aria-label="{html.escape(self._label())}">\n'
            f"<style>{self._styles(files, content)}</style>{content}\n"
            f"<script>(()=>{{const data={script_data(data)};\n{joined(files)}}})()</script>\n</div>"
        )
