"""What all explorers share: how one becomes a piece of a page, and how it writes its numbers."""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from numpy.typing import NDArray

from cnnlib.errors import MissingExtraError, SizeError
from cnnlib.explorers.page import Piece
from cnnlib.sizes import shown

#: Rows of numbers, nested lists or an array.
Rows: TypeAlias = "Sequence[Sequence[float]] | NDArray"

MINUS = "\N{MINUS SIGN}"
#: Dots an inch of the picture that a printed page gets.
RESOLUTION = 200


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


def as_name(name: str | None) -> str | None:
    """A name that may stand in a link, or what is wrong with it.

    >>> as_name("first-row")
    'first-row'
    """
    if name is not None and not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", str(name)):
        raise SizeError(f"name {shown(name)} cannot stand in a link; use letters, digits and hyphens")
    return name


class Explorer(Piece):
    """The common part; a subclass gives its words, its script, the HTML of its first step, and a figure.

    Its ``_state`` is what the script starts from, and what it returns to by reset.
    """

    common = ("page", "base")

    def _figure(self) -> Any:
        """The Matplotlib figure of the first step."""
        raise NotImplementedError

    def _repr_png_(self) -> bytes | None:
        try:
            figure = self._figure()
        except MissingExtraError:  # a page does without the picture, and a terminal too
            return None
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=RESOLUTION)
        return buffer.getvalue()


def attributes(**given: Any) -> str:
    """Attributes of an element, each with a space before it; quotes only where they are needed.

    >>> attributes(data_c="row", aria_label="a row", min=0)
    ' data-c=row aria-label="a row" min=0'
    """
    texts = {key.replace("_", "-"): html.escape(str(value)) for key, value in given.items()}
    return "".join(
        f" {key}={text}" if re.fullmatch(r"[\w.-]+", text) else f' {key}="{text}"'
        for key, text in texts.items()
    )


def region(name: str, content: str, tag: str = "div", **more: str) -> str:
    """A part of an explorer that its script writes anew: ``data-r`` names it."""
    return f"<{tag} class=cx-{name}{attributes(data_r=name, **more)}>{content}</{tag}>"


def button(name: str, text: str, **more: str) -> str:
    """A button of the script's; ``data-c`` names it."""
    return f"<button type=button{attributes(data_c=name, **more)}>{html.escape(text)}</button>"


def field(name: str, label: str, value: str, kind: str = "text", **more: Any) -> str:
    """An input with its label; ``textarea`` is a kind, too."""
    common = attributes(data_c=name, **more)
    control = (
        f"<textarea{common} spellcheck=false>{html.escape(value)}</textarea>"
        if kind == "textarea"
        else f"<input type={kind}{common}{attributes(value=value)}>"
    )
    return f"<label class=cx-{kind}><span>{html.escape(label)}</span> {control}</label>"


def choice(name: str, label: str, options: Mapping[str, str], chosen: str) -> str:
    """A list of options, value → text, with its label."""
    items = "".join(
        f"<option{attributes(value=value)}{' selected' * (value == chosen)}>{html.escape(text)}</option>"
        for value, text in options.items()
    )
    return (
        f"<label><span>{html.escape(label)}</span> <select{attributes(data_c=name)}>{items}</select></label>"
    )
