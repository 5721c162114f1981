"""One term for one thing, in one spelling: ``python -m book.terms chapters/*.md``.

The glossary says what each term means. Here stands what a sentence should not say in its place: the other
names that texts use for the same thing, other ways to write it, and American spellings. Names in code are
left alone (Keras says ``BatchNormalization``), and so are the titles of works.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from book.blocks import read_blocks

#: What is not said, as a pattern, and what is said instead.
RULES = {
    r"convolutional (layers?)": r"convolution \1",
    r"(max|average|global|mean)-pooling": r"\1 pooling",
    r"mean pooling": "average pooling",
    r"fully-connected": "fully connected",
    r"(?:hyper-parameter|hyper parameter)(s?)": r"hyperparameter\1",
    r"feature-maps?": "feature map",
    r"activation-maps?": "activation map",
    r"receptive-fields?": "receptive field",
    r"mini-?batch(es)?": r"batch\1",
    r"(down|up)-sampl(\w+)": r"\1sampl\2",
    r"sub-sampl(\w+)": r"subsampl\1",
    r"nonlinearit(y|ies)": r"non-linearit\1",
    r"nonlinear": "non-linear",
    r"(?:multiply-accumulates?|multiply-adds?|MACCs?)": "multiply–accumulate",
    r"(?:back-propagation|back propagation)": "backpropagation",
    r"depth-wise": "depthwise",
    r"point-wise": "pointwise",
    r"data ?sets?": "dataset",
    r"color(s|ed|ing|ful)?": r"colour\1",
    r"gray(s|ish|er|scale)?": r"grey\1",
    r"neighbor(s|ing|hood)?": r"neighbour\1",
    r"center(s|ed)?": r"centre\1",
    r"behavior(s)?": r"behaviour\1",
    r"favor(s|ite|ed|able)?": r"favour\1",
    r"artifact(s)?": r"artefact\1",
    r"(normal|general|initial|optim|maxim|minim|visual|regular|vector|parallel|factor|quant|recogn"
    r"|memor|summar|local|organ|emphas|real)iz(e[sd]?|ing|ation|ations)": r"\1is\2",  # codespell:ignore
    r"analyz(e[sd]?|ing)": r"analys\1",
    r"label(ed|ing)": r"labell\1",
    r"cancel(ed|ing)": r"cancell\1",  # codespell:ignore
    r"model(ed|ing)": r"modell\1",  # codespell:ignore
    r"catalog": "catalogue",
}  # fmt: skip
_RULES = [
    (re.compile(rf"(?<![\w-])(?:{wrong})(?![\w-])", re.IGNORECASE), right) for wrong, right in RULES.items()
]

#: What is no prose of ours: code, maths, roles with their targets, titles and words in quotation marks.
_MASKED = [
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"(`+)(?!`).+?(?<!`)\1(?!`)",
        r"\$[^$]+\$",
        r"\]\([^)]*\)",
        r"“[^”]*”|\"[^\"\n]*\"",
        r"https?://\S+",
        r"\*[A-Z][^*\n]{20,}\*",
    )
]


def slips(path: Path) -> Iterator[tuple[int, str, str]]:
    """Where a page says something in another way than the book: line, what it says, what it should say."""
    for block in read_blocks(path):
        text = block.text
        for pattern in _MASKED:
            text = pattern.sub(lambda found: re.sub(r"\S", " ", found[0]), text)
        for pattern, right in _RULES:
            for found in pattern.finditer(text):
                line = block.line + text[: found.start()].count("\n")
                said = found.expand(right)
                if said != found[0]:
                    yield line, found[0], said


def glossary(path: Path) -> dict[str, str]:
    """The terms of a glossary page and what they mean.

    Raises:
        ValueError: the page has no glossary, or the terms are not in order.
    """
    body = re.search(
        r"^```\{glossary\}\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    if not body:
        raise ValueError(f"{path} has no glossary")
    entries = dict(re.findall(r"^(\S.*)\n((?:  .*\n?)+)", body[1], re.MULTILINE))
    if list(entries) != sorted(entries, key=str.casefold):
        raise ValueError(f"the terms in {path} are not in order")
    return entries


def linked(text: str) -> list[str]:
    """The terms that a page links to the glossary, as often as it does."""
    roles = (" ".join(role.split()) for role in re.findall(r"\{term\}`([^`]+)`", text))
    return [role.removesuffix(">").rpartition("<")[2] for role in roles]


def main(arguments: list[str] | None = None) -> int:
    """Check the pages named on the command line; 1 if one of them says something otherwise."""
    parser = argparse.ArgumentParser(prog="python -m book.terms", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pages", nargs="+", type=Path, metavar="PAGE")
    found = False
    for path in parser.parse_args(arguments).pages:
        for line, wrong, right in slips(path):
            found = True
            print(f"{path}:{line}: say {right!r}, not {wrong!r}")
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
