"""What all explorers share: how one becomes a piece of a page, and how it writes its numbers."""

from __future__ import annotations

import functools
import hashlib
import html
import io
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, TypeAlias

from numpy.typing import NDArray

from cnnlib.errors import MissingExtraError, SizeError
from cnnlib.explorers.shorter import shortened
from cnnlib.sizes import shown

#: Rows of numbers, nested lists or an array.
Rows: TypeAlias = "Sequence[Sequence[float]] | NDArray"

MINUS = "\N{MINUS SIGN}"
#: Dots an inch of the picture that a printed page gets.
RESOLUTION = 200

_shown: Counter[str] = Counter()


def number(value: float) -> str:
    """A number as explorers write it: three decimals at most, a true minus sign; the script does the same.

    >>> number(2.0), number(-1 / 3), number(0.0625), number(-0.0001)
    ('2', '−0.333', '0.063', '0')
    """
    rounded = math.floor(float(value) * 1000 + 0.5) / 1000
    return f"{rounded:.3f}".rstrip("0").rstrip(".").replace("-", MINUS)


def factor(value: float) -> str:
    """A number after an operator: brackets where it is negative.

    >>> factor(3), factor(-3)
    ('3', '(−3)')
    """
    text = number(value)
    return f"({text})" if text[0] == MINUS else text


def listed(rows: Rows) -> str:
    """Rows of numbers in a sentence.

    >>> listed([[1, 2], [-3, 4]])
    '1, 2; −3, 4'
    """
    return "; ".join(", ".join(map(number, row)) for row in rows)


def products(window: Rows, weights: Rows, total: float) -> str:
    """A weighted sum written out, the weight first.

    >>> products([[3, 1]], [[-1, 1]], total=-2)
    '(−1)·3 + 1·1 = −2'
    """
    terms = [
        f"{factor(w)}·{factor(x)}"
        for values, row in zip(window, weights, strict=True)
        for x, w in zip(values, row, strict=True)
    ]
    return f"{' + '.join(terms)} = {number(total)}"


@functools.cache
def source(name: str) -> str:
    """A file of this package, without the comments and the spaces that only its readers need; "" for none."""
    file = resources.files("cnnlib.explorers").joinpath(name)
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith(("//", "/*")))


@functools.cache
def joined(names: tuple[str, ...]) -> str:
    """Several scripts as one, as short as :mod:`cnnlib.explorers.shorter` makes it."""
    return shortened("\n".join(source(f"{name}.js") for name in names))


def script_data(data: Any) -> str:
    r"""JSON that may stand in a script: it cannot end it.

    >>> script_data("</script>")
    '"\\u003c/script>"'
    """
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def as_name(name: str | None) -> str | None:
    """A name that may stand in a link, or what is wrong with it.

    >>> as_name("first-row")
    'first-row'
    """
    if name is not None and not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", str(name)):
        raise SizeError(f"name {shown(name)} cannot stand in a link; use letters, digits and hyphens")
    return name


class Explorer:
    """The common part; a subclass gives its words, its script and the HTML of its first step."""

    #: The package's script file, without its ending.
    script: str
    #: The scripts and styles that it builds upon, in order.
    parts: tuple[str, ...] = ()
    #: All words that a reader sees; a translation replaces the values.
    words: Mapping[str, str]
    #: The part of a link that names this explorer; made from its numbers where none is given.
    name: str | None = None

    def _state(self) -> dict[str, Any]:
        """What the script starts from, and what it returns to by reset."""
        raise NotImplementedError

    def _content(self) -> str:
        """The HTML of the first step and the controls, which stay hidden until the script runs."""
        raise NotImplementedError

    def _label(self) -> str:
        """What the whole is called by a screen reader."""
        return self.words["label_title"]

    def _figure(self) -> Any:
        """The Matplotlib figure of the first step."""
        raise NotImplementedError

    def _identity(self, content: str) -> str:
        """An id that no other explorer of this page has, and that the next build gives again."""
        digest = hashlib.sha256((script_data(self._state()) + content).encode()).hexdigest()[:6]
        stem = self.name or f"{self.script.replace('_', '-')}-{digest}"
        _shown[stem] += 1
        return stem if _shown[stem] == 1 else f"{stem}-{_shown[stem]}"

    def _repr_html_(self) -> str:
        content = self._content()
        identity = self._identity(content)
        files = ("base", *self.parts, self.script)
        said = set(re.findall(r"\w+", "".join(source(f"{name}.js") for name in files)))
        # A script may say "sum_" + kind; it never says what is called label_….
        words = {k: text for k, text in self.words.items() if k in said or k[: k.rfind("_") + 1] in said}
        data = {"id": identity, "words": words, **self._state()}
        return (
            f'<div class="cx" id="{identity}" role="group" '
            f'aria-label="{html.escape(self._label())}">\n'
            f"<style>{''.join(source(f'{name}.css') for name in files)}</style>{content}\n"
            f"<script>(()=>{{const data={script_data(data)};\n{joined(files)}}})()</script>\n</div>"
        )

    def _repr_png_(self) -> bytes | None:
        try:
            figure = self._figure()
        except MissingExtraError:  # a page does without the picture, and a terminal too
            return None
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=RESOLUTION)
        return buffer.getvalue()


def region(name: str, content: str, tag: str = "div", **attributes: str) -> str:
    """A part of an explorer that its script writes anew: ``data-r`` names it."""
    more = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in attributes.items())
    return f'<{tag} class="cx-{name}" data-r="{name}"{more}>{content}</{tag}>'


def button(name: str, text: str, **attributes: str) -> str:
    """A button of the script's; ``data-c`` names it."""
    more = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in attributes.items())
    return f'<button type="button" data-c="{name}"{more}>{html.escape(text)}</button>'


def field(name: str, label: str, value: str, kind: str = "text", **attributes: Any) -> str:
    """An input with its label; ``textarea`` is a kind, too."""
    more = "".join(f' {key}="{html.escape(str(value))}"' for key, value in attributes.items())
    common = f'data-c="{name}"{more}'
    text = html.escape(value)
    control = (
        f'<textarea {common} spellcheck="false">{text}</textarea>'
        if kind == "textarea"
        else f'<input type="{kind}" {common} value="{text}">'
    )
    return f'<label class="cx-{kind}"><span>{html.escape(label)}</span> {control}</label>'


def choice(name: str, label: str, options: Mapping[str, str], chosen: str) -> str:
    """A list of options, value → text, with its label."""
    items = "".join(
        f'<option value="{value}"{" selected" * (value == chosen)}>{html.escape(text)}</option>'
        for value, text in options.items()
    )
    select = f'<select data-c="{name}">{items}</select>'
    return f"<label><span>{html.escape(label)}</span> {select}</label>"
