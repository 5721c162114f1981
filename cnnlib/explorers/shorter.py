"""The explorers' scripts, made short for a page: their sources keep long names, spaces and comments.

It knows as much of JavaScript as these scripts use, and no more; tests run what it makes in a browser.
"""

from __future__ import annotations

import itertools
import re
import string
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

#: A string; a pattern, which stands where no value ends; a name; a number or any sign; space.
_TOKEN = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*"|(?:(?<=[(=:,&|?!])|(?<=[(=:,&|?!]\ ))/(?:\\.|\[[^]]*\]|[^/\\\n])+/[a-z]*)
    |(?P<name>[A-Za-z_$][\w$]*)|(?P<sign>\d[\w.]*|=>|\?\.|\.{3}|[^\w\s])|(?P<space>\s+)""",
    re.VERBOSE,
)
#: The text of a template, until code begins in it or it ends.
_TEMPLATE = re.compile(r"(?:\\.|\$(?!\{)|[^`\\$])*(?:`|\$\{)")
_KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        "await case catch class const else extends false for if in instanceof let new null of return super "
        "this throw true try typeof undefined void while",
    )
)

#: Names of the browser that a script may use for something of its own in another place.
_GLOBALS = frozenset({"document", "history", "location", "window"})


class _Token(NamedTuple):
    kind: str
    text: str


def shortened(script: str) -> str:
    """JavaScript with short names and words, and no spaces about its signs; texts stay as they are.

    >>> shortened('const say = (a, begun) => { go(begun, "b , c", `${begun} , ${a}`); };')
    'let c=(b,a)=>{go(a,"b , c",`${a} , ${b}`)};'
    """
    signs = re.compile(r" *([{}()\[\];,=<>?:&|*%]) *| ([-+/]) (?![-+])")
    parts = []
    for is_text, run in itertools.groupby(renamed(list(tokens(script))), lambda token: token.kind == "text"):
        code = "".join(token.text for token in run)
        if not is_text:
            short = signs.sub(lambda found: found[1] or found[2], code)
            code = re.sub(r"(?<![\w$])\(([\w$]+)\)=>", r"\1=>", re.sub(r"\bconst\b", "let", short))
        parts.append(code)
    joined = re.sub(r"([{(\[,;=?:&|])\n", r"\1", "".join(parts))
    return re.sub(r"\n([})\].?:&|])|;(?=})", r"\1", joined)


def renamed(script: list[_Token]) -> list[_Token]:
    """The same script with a short name for each that it declares, unless a property has that name, too.

    >>> found = renamed(list(tokens("const wide = 2, all = { wide, high: 3 }; let most = all.high * 2;")))
    >>> "".join(token.text for token in found)
    'const wide = 2, a = { wide, high: 3 }; let b = a.high * 2;'
    """
    solid = [token for token in script if token.kind != "space"]
    texts = [token.text for token in solid]
    partners, inner = _brackets(texts)
    declared, kept = set[str](), set(_KEYWORDS | _GLOBALS)
    ends = ["", *texts, "", ""]  # the text before and after place p are ends[p] and ends[p + 2]
    for place, (kind, text) in enumerate(solid):
        before, after = ends[place], ends[place + 2]
        assigned = after == "=" != ends[place + 3]
        if kind == "name":
            listed = inner[place] is not None and texts[inner[place] or 0] == "{" and before in ("{", ",")
            if before in (".", "?.") or (listed and after in (",", "}", ":", "=")):
                kept.add(text)
            elif before in ("const", "let", "class") or assigned or after == "=>":
                declared.add(text)
        elif place in partners and (
            after == "=>" if text == ")" else text == "]" and (assigned or after == "of")
        ):
            declared |= {one.text for one in solid[partners[place] : place] if one.kind == "name"}
    names = declared - kept
    there = {token.text for token in solid if token.kind == "name"} - names
    count = Counter(token.text for token in solid if token.text in names)
    order = sorted(names, key=lambda name: (-count[name], name))
    short = dict(zip(order, (name for name in _short_names() if name not in there), strict=False))
    return [_Token(kind, short.get(text, text) if kind == "name" else text) for kind, text in script]


def _short_names() -> Iterator[str]:
    """One letter, then two."""
    yield from string.ascii_letters
    yield from map("".join, itertools.product(string.ascii_lowercase, string.ascii_letters))


def _brackets(texts: list[str]) -> tuple[dict[int, int], list[int | None]]:
    """For each closing bracket the place of its opening one, and for each place the bracket that it is in."""
    partners, inner, opened = dict[int, int](), list[int | None](), list[int]()
    for place, text in enumerate(texts):
        if text[0] in ")]}" and opened:
            partners[place] = opened.pop()
        inner.append(opened[-1] if opened else None)
        if text in ("(", "[", "{") or text.endswith("${"):
            opened.append(place)
    return partners, inner


def tokens(script: str) -> Iterator[_Token]:
    r"""The pieces of a script; the texts of a template go from code in it to code.

    >>> [token.text for token in tokens('say(`a ${b} c`, "d")')]
    ['say', '(', '`a ${', 'b', '} c`', ',', ' ', '"d"', ')']
    """
    place, depths = 0, list[int]()  # how many brackets are open in the code of each template
    while place < len(script):
        begins = script[place] == "`"
        if begins or (script[place] == "}" and depths and depths[-1] == 0):
            found = _TEMPLATE.match(script, place + 1)
            assert found, f"a template without an end: {script[place : place + 40]}"
            text = script[place : found.end()]
            if not begins:
                depths.pop()
            if text.endswith("${"):
                depths.append(0)
            yield _Token("text", text)
            place = found.end()
            continue
        found = _TOKEN.match(script, place)
        assert found, f"no JavaScript that is known here: {script[place : place + 40]}"
        kind, text = str(found.lastgroup), found[0]
        if depths and text in "{}":
            depths[-1] += 1 if text == "{" else -1
        yield _Token(kind, text)
        place = found.end()
