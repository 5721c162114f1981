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
    'let c=(a,b)=>{go(b,"b , c",`${b} , ${a}`)};'
    """
    signs = re.compile(r" *([{}()\[\];,=<>?:&|*%]) *| ([-+/]) (?![-+])| (?=[-+]=)")
    parts = []
    for is_text, run in itertools.groupby(
        merged(renamed(list(tokens(script)))), lambda token: token.kind == "text"
    ):
        code = "".join(token.text for token in run)
        if not is_text:
            short = signs.sub(lambda found: found[1] or found[2] or "", code)
            short = re.sub(r",(?=[})\]])", "", re.sub(r"(?<=[)\]])([-+/]) (?![-+])", r"\1", short))
            code = re.sub(r"(?<![\w$])\(([\w$]+)\)=>", r"\1=>", re.sub(r"\bconst\b", "let", short))
        parts.append(code)
    joined = re.sub(r"([{(\[,;=?:&|])\n", r"\1", "".join(parts))
    return re.sub(r"\n([})\].?:&|])|;(?=})", r"\1", joined)


def needed(script: str) -> str:
    r"""A script without the functions, classes and numbers that nothing in it asks for.

    >>> print(needed("const one = 1;\nconst f = () => one;\nconst g = () => 2;\ng();"))
    const g = () => 2;
    g();
    """
    parts = [(part, {token.text for token in part if token.kind == "name"}) for part in _statements(script)]
    while True:
        asked = Counter(name for _, names in parts for name in names)
        kept = [(part, names) for part, names in parts if asked[_declared(part)] != 1]
        if len(kept) == len(parts):
            return "".join(token.text for part, _ in parts for token in part).strip()
        parts = kept


def _statements(script: str) -> list[list[_Token]]:
    """The statements of a script that are in no bracket, each with the spaces after it."""
    found, depth, last = [list[_Token]()], 0, ""
    for token in tokens(script):
        if token.kind == "space":
            last += token.text
        else:
            # It ends by its sign, or a block where its line does.
            if last.startswith(";") or last.startswith("}\n"):
                found.append([])
            depth -= token.text[0] in ")]}"
            last = token.text if depth == 0 else ""
            depth += token.text in ("(", "[", "{") or token.text.endswith("${")
        found[-1].append(token)
    return found


def _declared(statement: list[_Token]) -> str:
    """The name that a statement declares and does nothing else; "" where it may do something."""
    texts = [token.text for token in statement if token.kind != "space"]
    if texts[:1] == ["class"]:
        return texts[1]
    if texts[:1] != ["const"] or texts[2:3] != ["="]:
        return ""
    if texts[3] == "(":  # perhaps those about the parameters of a function
        partners, _ = _brackets(texts)
        ending = next(place for place, opening in partners.items() if opening == 3)
        return texts[1] if texts[ending + 1] == "=>" else ""
    return texts[1] if texts[4] == "=>" or re.fullmatch(r"\d+", texts[3]) else ""


def merged(script: list[_Token]) -> list[_Token]:
    """The same script with one ``let`` for declarations that follow one another.

    >>> "".join(token.text for token in merged(list(tokens("const a = 1; let b = 2; f(); let c;"))))
    'const a = 1,b = 2; f(); let c;'
    """
    result, begun, skipping = list[_Token](), [""], False  # how the statement in each bracket begins
    for place, token in enumerate(script):
        if skipping:  # the word that is not said again, and spaces about it
            skipping = token.kind == "space" or token.text in ("const", "let")
            if skipping:
                continue
        if token.text[0] in ")]}" and len(begun) > 1:
            begun.pop()
        if token.text == ";":
            rest = itertools.islice(script, place + 1, None)
            after = next((other.text for other in rest if other.kind != "space"), "")
            skipping = begun[-1] in ("const", "let") and after in ("const", "let")
            begun[-1] = begun[-1] if skipping else ""
        elif token.kind == "space":
            if "\n" in token.text and result[-1].text == "}":
                begun[-1] = ""
        elif not begun[-1]:
            begun[-1] = token.text
        result.append(_Token("sign", ",") if skipping else token)
        if token.text in ("(", "[", "{") or token.text.endswith("${"):
            begun.append("")
    return result


#: After these a brace begins an object, or a pattern that takes one apart; after all others a block.
_BEFORE_OBJECT = frozenset(["(", ",", "=", ":", "[", "?", "&", "|", "...", "return", "const", "let"])


def renamed(script: list[_Token]) -> list[_Token]:
    """The same script with a short name for each that it declares; those of properties stay.

    >>> found = renamed(list(tokens("const most = 2, all = { most, high: 3 }; f(all.high + most + most);")))
    >>> "".join(token.text for token in found)
    'const a = 2, b = { most:a, high: 3 }; f(b.high + a + a);'
    """
    places = [place for place, token in enumerate(script) if token.kind != "space"]
    solid = [script[place] for place in places]
    uses = _uses([token.text for token in solid], [token.kind == "name" for token in solid])
    declared = {solid[place].text for place, use in uses.items() if use.declares} - _KEYWORDS - _GLOBALS
    counts, alone = Counter[str](), Counter[str]()
    for place, use in uses.items():
        counts[solid[place].text] += not use.of_property
        alone[solid[place].text] += use.in_short
    # A name that stands for a property, too, must be written beside its short one.
    names = [name for name in declared if (counts[name] - alone[name]) * (len(name) - 1) > 3 * alone[name]]
    there = {solid[place].text for place, use in uses.items() if not use.of_property} - set(names)
    order = sorted(names, key=lambda name: (-counts[name], name))
    short = dict(zip(order, (name for name in _short_names() if name not in there), strict=False))
    result = list(script)
    for place, use in uses.items():
        text = solid[place].text
        if text in short and not use.of_property:
            written = f"{text}:{short[text]}" if use.in_short else short[text]
            result[places[place]] = _Token("name", written)
    return result


class _Use(NamedTuple):
    """What a name does at a place: is it a property's, does it stand for both, is it declared here?"""

    of_property: bool
    in_short: bool
    declares: bool


def _uses(texts: list[str], named: list[bool]) -> dict[int, _Use]:
    """For the place of each name what it does there."""
    partners, inner = _brackets(texts)
    ends = ["", *texts, "", ""]  # the text before and after place p are ends[p] and ends[p + 2]
    lists = [  # parameters, and patterns that take something apart
        range(partners[place], place)
        for place, text in enumerate(texts)
        if place in partners
        and (
            ends[place + 2] == "=>"
            if text == ")"
            else text in ("]", "}") and (ends[place + 2] == "of" or ends[place + 2] == "=" != ends[place + 3])
        )
    ]
    listed = {place for span in lists for place in span}
    uses = {}
    for place in (place for place, is_name in enumerate(named) if is_name):
        before, after, around = ends[place], ends[place + 2], inner[place]
        in_object = around is not None and texts[around] == "{" and ends[around] in _BEFORE_OBJECT
        in_short = in_object and before in ("{", ",") and after in (",", "}", "=")
        of_property = before in (".", "?.") or (in_object and before in ("{", ",") and after in (":", "("))
        assigned = after == "=" != ends[place + 3] or after == "=>"
        declares = not of_property and (before in ("const", "let", "class") or assigned or place in listed)
        uses[place] = _Use(of_property, in_short, declares)
    return uses


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
