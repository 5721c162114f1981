r"""Numbers as people write them: finding them in a block of text, and finding a value among them.

A value may be written as ``5`` or *five*, ``2,061,616``, ``2.06 million``, ``(1, 28, 28, 6)``, ``28×28×6``,
``28 \times 28``, ``0.33``, ``1/3``, ``1.2 × 10^{-7}`` or ``33 %``: a rounded number counts as far as it is
typed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_PLAIN = r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?"
_NUMBER = re.compile(
    rf"(?<![\w.^\\])(?:(?P<over>\d+)/(?P<under>\d+)(?![\d.])"
    rf"|(?P<digits>{_PLAIN})(?:e(?P<e>[-+]?\d+)|\s*(?:×|\\times|\\cdot)\s*10\^\{{?(?P<power>[-−]?\d+)\}}?)?"
    rf"(?:\s*(?P<percent>%|\\%|per cent)|\s+(?P<scale>{'|'.join(_SCALES)})s?\b)?"
    rf"|(?P<word>{'|'.join(WORDS)}|None)\b)",
    re.IGNORECASE,
)
#: What may stand between two numbers of one shape or list.
_BETWEEN = re.compile(r"^[\s,;|&×\[\](){}$`*_]*(?:\\times|\\\\|\bby\b|\band\b)?[\s,;|&×\[\](){}$`*_]*[-−]?$")
_TIMES = re.compile(r"^[\s$`{}]*(?:×|\\times|\bby\b)[\s$`{}]*$")

#: What is typed like a number and is none: masked before looking.
_NOT_NUMBERS = [
    re.compile(pattern, re.MULTILINE | (re.IGNORECASE if fold else 0))
    for pattern, fold in [
        (r"\{(?!math\})[\w:+-]+\}`[^`]*`", False),  # roles, such as {ref}`fig-2`
        (r"\]\([^)]*\)(?:\{[^}]*\})?", False),  # the target of a link, the attributes of a picture
        (r"<[^<>\n]{2,}>", False),  # addresses and HTML
        (r"https?://\S+", False),
        (r"\[\^[^\]]*\]", False),  # footnotes
        (r"^[ \t]*(?:>[ \t]*)?\d+[.)](?=\s)", False),  # the numeral of a list
        (r"(?<=[A-Za-z][-‑])(?<!\d[eE]-)\d+(?![.,]?\d)", False),  # VGG-16
        (r"(?<![\d.])\d+-(?:D|d)\b", False),  # 2-D
        (r"\\(?:hspace|vspace|kern|mspace|rule)\*?\{[^}]*\}|\\\\\[[^\]]*\]", False),
        (r"_\{?\d+\}?", False),  # an index
        (
            r"\b(?:chapters?|sections?|figures?|tables?|equations?|exercises?|assignments?|tasks?|steps?|parts?|"
            r"python|keras|tensorflow|numpy|scipy|pytorch|version|lecture)"
            r"[\s\u00a0]+\d+(?:\.\d+)*(?:(?:,|\s+and|\s*–|\s+to|,\s+and|\s+or)\s+\d+(?:\.\d+)*)*(?!\s*[×x])",
            True,
        ),
        (r"\b(?:in|since|until|by|\()\s*(?:1[6-9]|20)\d\d\b(?!\s*(?:×|x|\\times|by))", True),  # years
    ]
]


@dataclass(frozen=True)
class Written:
    """A number found in a text."""

    start: int
    end: int
    text: str
    value: float | int | None
    decimals: int
    unit: float
    exact: bool

    def shows(self, value: float | int | None) -> bool:
        """Whether this is how one would write ``value``, rounded no further than to two digits.

        >>> [number.shows(1 / 3) for number in find("0.33 and 0.34 and 33 % and 1/3")]
        [True, False, True, True]
        """
        if value is None or self.value is None:
            return value is None and self.value is None
        if self.value == value:
            return True
        if not isinstance(value, int) and abs(self.value - value) <= 1e-12 * abs(value):
            return True
        rounded = not self.exact and (self.decimals > 0 or len(self.text.strip("0")) > 1 or self.unit != 1)
        whole = isinstance(value, int) and self.unit == 1
        if not rounded or whole or self.value == 0:
            return False
        return abs(self.value - value) <= 0.5000001 * 10**-self.decimals * self.unit


def plain(text: str) -> str:
    """``text`` with every way to set thousands apart turned into a comma, ``5x5`` into ``5×5``, and so on."""
    text = re.sub(r"(?<=\d)(?:\{,\}|\\,|[\u2009\u202f])(?=\d{3})", ",", text)
    text = re.sub(r"\\,(?=\\?%)", "", text)
    text = re.sub(r"(\\[a-zA-Z]+)(?=\d)", r"\1 ", text)
    text = re.sub(r"(?<!\\)\\(?:[ ,;:!]|q?quad\b)|~", " ", text)  # LaTeX's spaces
    return re.sub(r"(?<=\d)x(?=\d)", "×", text)


def mask(text: str) -> str:
    """``text`` with spaces in the place of chapter numbers, link targets, names and the like.

    >>> mask("VGG-16 in chapter 12 has 16 layers")
    'VGG-   in            has 16 layers'
    """
    for pattern in _NOT_NUMBERS:
        text = pattern.sub(lambda found: re.sub(r"\S", " ", found[0]), text)
    return text


def find(text: str) -> list[Written]:
    """Every number written in ``text``, in order.

    >>> [number.value for number in find("five of 2,061,616 are 1.5 million, 25 % or −3")]
    [5, 2061616, 1500000.0, 0.25, -3]
    """
    return list(_find(text))


def _find(text: str) -> Iterator[Written]:
    for found in _NUMBER.finditer(text):
        start, end = found.span()
        if found["word"]:
            word = found["word"].lower()
            value = None if word == "none" else WORDS.index(word)
            yield Written(start, end, found[0], value, 0, 1, exact=True)
        elif found["under"]:
            if int(found["under"]):
                ratio = int(found["over"]) / int(found["under"])
                yield Written(start, end, found[0], ratio, 0, 1, exact=True)
        elif end == len(text) or found["percent"] or not re.match(r"\w", text[end]) or found["scale"]:
            yield _decimal(text, found)


def _decimal(text: str, found: re.Match[str]) -> Written:
    digits = found["digits"].replace(",", "")
    number: int | float = float(digits) if "." in digits else int(digits)
    exponent = (found["e"] or found["power"] or "0").replace("−", "-")
    unit = 10.0 ** int(exponent) * _SCALES.get((found["scale"] or "").lower(), 1)
    if found["percent"]:
        unit *= 0.01
    decimals = len(digits.partition(".")[2])
    if unit != 1:
        number = float(Fraction(digits) * Fraction(unit).limit_denominator(10**30))
    if _is_negative(text, found.start()):
        number = -number
    return Written(found.start(), found.end(), found["digits"], number, decimals, unit, exact=False)


def _is_negative(text: str, start: int) -> bool:
    """Whether the minus before a number is its sign, rather than a subtraction or a hyphen."""
    before = text[:start]
    if not before.endswith(("-", "−")):
        return False
    return not re.search(r"[\w)\]}–-]$", before[:-1])


def stands_in(value: Any, text: str) -> list[tuple[int, int]]:
    r"""Where ``value`` (a number, a shape, an array, a word) is written in ``text``: a span for each number.

    >>> len(stands_in((28, 28), r"28×28, (28, 28) or $28 \times 28$, but neither 28×28×6 nor 28×27"))
    6
    """
    if isinstance(value, str):
        return [found.span() for found in re.finditer(rf"(?<!\w){re.escape(value)}(?!\w)", text)]
    wanted = flatten(value)
    numbers = find(text)
    spans = []
    for first in range(len(numbers) - len(wanted) + 1):
        run = numbers[first : first + len(wanted)]
        if all(n.shows(v) for n, v in zip(run, wanted, strict=True)) and _is_one_list(
            text, numbers, first, run
        ):
            spans += [(number.start, number.end) for number in run]
    return spans


def _is_one_list(text: str, numbers: Sequence[Written], first: int, run: Sequence[Written]) -> bool:
    if len(run) < 2:
        return True
    gaps = [text[a.end : b.start] for a, b in itertools.pairwise(run)]
    if not all(_BETWEEN.match(gap) and len(gap) < 24 for gap in gaps):
        return False
    # 28×28 is not what 28×28×6 says
    after = first + len(run)
    joined = [(numbers[first - 1], run[0])] if first else []
    joined += [(run[-1], numbers[after])] if after < len(numbers) else []
    return not any(_TIMES.match(text[a.end : b.start]) for a, b in joined)


def flatten(value: Any) -> list[float | int | None]:
    """The numbers in a number, a shape or an array, as plain Python numbers.

    >>> flatten((1, (2, None))), flatten(np.float64(0.5))
    ([1, 2, None], [0.5])

    Raises:
        TypeError: there is something else in it.
    """
    if isinstance(value, list | tuple):
        return [number for item in value for number in flatten(item)]
    if isinstance(value, np.ndarray):
        return flatten(value.tolist())
    if isinstance(value, Fraction):
        return [float(value)]
    if isinstance(value, np.generic):
        return flatten(value.item())
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return [value]
    raise TypeError(f"{value!r} is neither a number nor a shape, a list or an array of numbers")
