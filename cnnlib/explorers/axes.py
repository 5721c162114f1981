"""Sizes along the axes of a sliding window, and how they follow; ``sizes.js`` writes the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cnnlib.errors import SizeError
from cnnlib.explorers.base import factor
from cnnlib.explorers.form import FORM_WORDS
from cnnlib.sizes import dropped_inputs, effective_kernel_size, output_size, padding_amounts


class Axis(NamedTuple):
    """One axis: what goes in, what comes out, and what is put around (or cut off) before and after."""

    n: int
    k: int
    s: int
    d: int
    f: int
    before: int
    after: int
    out: int
    dropped: int


#: The second axis of a row, which is drawn as a picture of one row.
OF_ROW = Axis(1, 1, 1, 1, 1, 0, 0, 1, 0)


def slid(axis: int, n: int, k: int, stride: int, padding: str | int, dilation: int = 1) -> Axis:
    """A window that slides along an axis, or what is wrong with it.

    >>> slid(0, 6, 3, 2, "valid")
    Axis(n=6, k=3, s=2, d=1, f=3, before=0, after=0, out=2, dropped=1)
    """
    try:
        amounts = padding_amounts(n, k, stride, padding, dilation)
        out = output_size(n, k, stride, padding, dilation)
        dropped = dropped_inputs(n, k, stride, padding, dilation)
    except SizeError as error:
        raise SizeError(f"{FORM_WORDS['where'].format(axis=axis)}: {error}") from None
    return Axis(n, k, stride, dilation, effective_kernel_size(k, dilation), *amounts, out, dropped)


def check_drawn(axis: int, cells: int, most: int) -> None:
    """So many cells side by side are drawn, and no more."""
    if cells > most:
        raise SizeError(FORM_WORDS["too_many"].format(axis=axis, cells=cells, most=most))


def facts(words: Mapping[str, str], axes: Sequence[Axis], template: str = "fact") -> str:
    """How each size follows from the others, a line for each axis."""
    names = ("size",) if len(axes) == 1 else ("rows", "columns")
    lines = []
    for name, axis in zip(names, axes, strict=True):
        values = axis._asdict() | {"axis": words[name], "after": factor(axis.after)}
        spread = " " + words["spread"].format(**values) if axis.d > 1 else ""
        lines.append(f"<div>{words[template].format(**values)}{spread}</div>")
    return "".join(lines)
