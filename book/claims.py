"""Every number in the prose is proved: ``python -m book.claims chapters/*.md``.

Comment lines directly above a paragraph, list, table or figure say where its numbers come from::

    % given: 6, 2
    % claim: output_size(6, 2) == conv_facts((1, 6, 1), 1, 2).output_shape[1]
    A kernel of width 2 over 6 inputs has 5 places to stand.

A *claim* is a Python expression. In a chain ``a == b == c`` all must be equal, and the value of the first
must be written in the block below; any other comparison must be true. *Given* lists numbers that the
text sets rather than derives. A comment indented by three spaces or more continues the line above it.

A number of two or more digits, or one right after ``=``, ``→``, ``≈``, *gives*, *leaves* or *makes*, that is
neither claimed nor given nor (unless it is such a result) an argument of a claim, is a fault too.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import math
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from book.blocks import Block, read_blocks
from book.numbers import Written, find, flatten, mask, plain, stands_in

#: Modules of cnnlib that a claim may name.
MODULES = (
    "activations", "algorithms", "architectures", "connections", "convolution", "filters", "formulas",
    "functional", "images", "keras_bridge", "layers", "losses", "network", "normalization", "padding",
    "pooling", "receptive_field", "seeing", "signals", "sizes", "summary", "training",
    "upsampling", "variants", "weights", "windows",
)  # fmt: skip
_RESULT = re.compile(
    r"(?:(?<![<>!=])=(?!=)|→|≈|\\to|\\rightarrow|\\approx|\\Rightarrow|⇒|\b(?:gives|leaves|makes)\b)"
    r"(?:\s|[*_`$({\[−-]|\\(?:mathbf|boldsymbol|text|left|big)\b)*$"
)
_CODE_SPAN = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_SETTING = re.compile(r"\$\s*[FkSPDNmt](?:_(?:\w|\{[^}]*\}))?\s*=\s*\d\s*\$")


@dataclass(frozen=True)
class Problem:
    """A claim that fails or a number that nothing proves, and where it stands."""

    path: Path
    line: int
    message: str
    text: str

    def __str__(self) -> str:
        quoted = "\n".join(f"    | {line}" for line in self.text.splitlines()[:8])
        return f"{self.path}:{self.line}: {self.message}" + (f"\n{quoted}" if quoted else "")


@cache
def scope() -> dict[str, Any]:
    """The names that a claim may use. Keras is loaded only where a claim calls it."""
    import cnnlib
    from cnnlib import keras_bridge, sizes

    names: dict[str, Any] = {"np": np, "math": math}
    names |= {name: value for name, value in vars(sizes).items() if _is_public(name, value, sizes)}
    names |= {name: getattr(cnnlib, name) for name in cnnlib.__all__}
    names |= {name: importlib.import_module(f"cnnlib.{name}") for name in MODULES}
    return names | {name: getattr(keras_bridge, name) for name in ("agree", "conv_facts", "pool_facts")}


def _is_public(name: str, value: Any, module: Any) -> bool:
    return not name.startswith("_") and getattr(value, "__module__", "") == module.__name__


def check(path: Path) -> list[Problem]:
    """Everything in the chapter at ``path`` that is not proved."""
    return [problem for block in read_blocks(path) for problem in check_block(block)]


def check_block(block: Block) -> list[Problem]:
    """Everything in one block that is not proved.

    >>> block = Block(Path("x.md"), 3, "It has 5 places.", [(2, "claim: output_size(6, 2)")])
    >>> check_block(block)
    []
    >>> block.text = "It has 6 places."
    >>> print(check_block(block)[0].message)
    claim `output_size(6, 2)` is 5, which is not written in the text below
    """
    text = mask(plain(block.text))
    problems, proved, arguments = [], set[tuple[int, int]](), list[float]()
    given: list[float | int | None] = []
    for line, kind, content in _statements(block.comments):
        if kind == "given":
            given += [number.value for number in find(plain(content))]
            continue
        try:
            value, literals = evaluate(content)
            spans = [] if isinstance(value, bool) else stands_in(value, text)
        except Exception as error:
            problems.append(Problem(block.path, line, f"claim `{content}`: {_said(error)}", block.text))
            continue
        if not isinstance(value, bool) and not spans:
            message = f"claim `{content}` is {_shown(value)}, which is not written in the text below"
            problems.append(Problem(block.path, line, message, block.text))
        proved.update(spans)
        arguments += literals
    for number in find(text):
        why = _why_proof(text, number)
        if not why or (number.start, number.end) in proved or number.value in given:
            continue
        if why == "number" and number.value in arguments:
            continue
        line = block.line + text[: number.start].count("\n")
        problems.append(
            Problem(block.path, line, f"the {why} {number.text} is neither claimed nor given", block.text)
        )
    return problems


def _statements(comments: Iterable[tuple[int, str]]) -> list[tuple[int, str, str]]:
    """The claims and givens among comments, each with its line; continued lines are joined."""
    statements: list[tuple[int, str, str]] = []
    continues = False
    for line, comment in comments:
        opening = re.match(r"(claim|given):\s*(.*)$", comment)
        if opening:
            statements.append((line, opening[1], opening[2].strip()))
        elif continues and comment.startswith("  "):
            first, kind, content = statements.pop()
            statements.append((first, kind, f"{content} {comment.strip()}"))
        continues = bool(opening) or (continues and comment.startswith("  "))
    return statements


def evaluate(expression: str) -> tuple[Any, list[float]]:
    """The value of a claim, and the numbers that it is computed from.

    >>> evaluate("2 + 2 == 4")
    (4, [2, 2])
    >>> evaluate("output_size(6, 2) == 6")
    Traceback (most recent call last):
        ...
    ValueError: output_size(6, 2) is 5, but 6 is 6

    Raises:
        ValueError: the values of a chain differ, or a condition does not hold.
        Exception: whatever the expression itself raises.
    """
    tree = ast.parse(expression, mode="eval").body
    chain = isinstance(tree, ast.Compare) and all(isinstance(op, ast.Eq) for op in tree.ops)
    parts = [tree.left, *tree.comparators] if isinstance(tree, ast.Compare) and chain else [tree]
    # In a chain, a bare constant is what the others must equal, not what they are computed from.
    inputs = [
        node for part in parts for node in ast.walk(part) if not (chain and isinstance(part, ast.Constant))
    ]
    literals = [
        node.value
        for node in inputs
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value is not True
    ]
    values = [_value(part) for part in parts]
    for part, value in zip(parts[1:], values[1:], strict=True):
        if not _same(values[0], value):
            raise ValueError(
                f"{ast.unparse(parts[0])} is {_shown(values[0])}, but {ast.unparse(part)} is {_shown(value)}"
            )
    if values[0] is False:
        raise ValueError("it is False")
    if not isinstance(values[0], bool | str):
        flatten(values[0])  # what cannot be written cannot be claimed
    return values[0], literals


def _value(part: ast.expr) -> Any:
    code = compile(ast.Expression(part), "<claim>", "eval")
    value = eval(code, scope() | {"__builtins__": __builtins__})
    return bool(value) if isinstance(value, np.bool_) else value


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, str | bool) or isinstance(other, str | bool):
        return type(one) is type(other) and one == other
    a, b = flatten(one), flatten(other)
    return len(a) == len(b) and all(
        x == y or (isinstance(x, float | int) and isinstance(y, float | int) and _close(x, y))
        for x, y in zip(a, b, strict=True)
    )


def _close(x: float, y: float) -> bool:
    """Whole numbers must be equal; results in float32 and float64 may differ by their rounding."""
    if isinstance(x, int) and isinstance(y, int):
        return False
    return math.isclose(x, y, rel_tol=1e-6, abs_tol=1e-9)


def _shown(value: Any) -> str:
    text = re.sub(r"\s+", " ", str(value) if not isinstance(value, str) else repr(value))
    return text if len(text) < 200 else f"{text[:200]} …"


def _said(error: Exception) -> str:
    said = " ".join(str(error).split())
    return said if type(error) is ValueError else f"{type(error).__name__}: {said}"


def _why_proof(text: str, number: Written) -> str:
    """``result`` or ``number`` where this number needs a proof, an empty string where it does not."""
    if number.exact and not number.text[0].isdigit():  # a word
        return ""
    before = text[: number.start]
    if _RESULT.search(before) and not _is_setting(text, number):
        return "result"
    return "number" if sum(map(str.isdigit, number.text)) > 1 else ""


def _is_setting(text: str, number: Written) -> bool:
    """Whether ``=`` chooses rather than concludes: ``strides=2`` in code, ``S = 2`` alone in maths."""
    for span in _CODE_SPAN.finditer(text):
        if span.start() < number.start < span.end():
            return bool(re.search(r"\w=\(?$", text[span.start() : number.start]))
    return any(span.start() < number.start < span.end() for span in _SETTING.finditer(text))


def main(arguments: list[str] | None = None) -> int:
    """Check the chapters named on the command line; 1 if anything in them is not proved."""
    parser = argparse.ArgumentParser(prog="python -m book.claims", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("chapters", nargs="+", type=Path, metavar="CHAPTER")
    chapters = parser.parse_args(arguments).chapters
    counts = []
    for path in chapters:
        if not path.is_file():
            parser.error(f"there is no chapter {path}")
        problems = check(path)
        for problem in problems:
            print(problem)
        counts.append(len(problems))
        claims = sum(kind == "claim" for b in read_blocks(path) for _, kind, _ in _statements(b.comments))
        print(
            f"{path}: {claims} claims, {len(problems)} problems"
            if problems
            else f"{path}: {claims} claims hold"
        )
    return 1 if any(counts) else 0


if __name__ == "__main__":
    sys.exit(main())
