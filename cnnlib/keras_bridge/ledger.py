"""The book that is kept of comparisons with Keras: how many there were, and how far the worst was off."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlib.keras_bridge.agreement import DisagreementError, summed
from cnnlib.keras_bridge.backend import hypothesis, versions
from cnnlib.keras_bridge.faults import standing_in
from cnnlib.keras_bridge.peers import Results, ours, peer, theirs
from cnnlib.keras_bridge.problems import CASES, EXACT, RANKS, Problem, problems


@dataclass
class Entry:
    """What was compared of one operator over so many spatial axes."""

    operator: str
    layer: str
    rank: int
    cases: int = 0
    #: Those in whole numbers, where outputs and gradients had to be equal to the last bit.
    exact_cases: int = 0
    #: Those where TensorFlow is known to be wrong, so that the definition stood in for it.
    peer_at_fault: int = 0
    #: How far the two were apart, by dtype: the largest difference over the sum of the absolute values that
    #: were added up, in units of the last place.
    outputs_error: dict[str, float] = field(default_factory=dict)
    gradients_error: dict[str, float] = field(default_factory=dict)

    def compare(self, problem: Problem) -> None:
        """Run one problem, forward and backward, in both libraries, and enter it.

        Raises:
            DisagreementError: shapes or dtypes differ, or values beyond what rounding can do.
        """
        mine = ours(problem.operator, problem.arrays, problem.options)
        gradient = problem.gradient(mine["outputs"].shape)
        bounds = summed(problem.operator, problem.arrays, problem.options)
        mine |= ours(problem.operator, problem.arrays, problem.options, gradient)
        bounds |= summed(problem.operator, problem.arrays, problem.options, gradient)
        keras = theirs(problem.operator, problem.arrays, problem.options, gradient)
        stands_in = standing_in(problem, mine["outputs"], gradient)
        keras |= stands_in
        self.cases += 1
        self.exact_cases += problem.exact
        self.peer_at_fault += bool(stands_in)
        for name, error in errors(problem, mine, keras, bounds).items():
            book = self.outputs_error if name in peer(self.operator).results else self.gradients_error
            dtype = str(problem.dtype)
            book[dtype] = max(book.get(dtype, 0.0), error)

    def write(self, folder: Path) -> None:
        """Write the entry as ``<layer>.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        name = "".join(c if c.isalnum() else "-" for c in self.layer).strip("-")
        (folder / f"{name}-{self.rank}.json").write_text(json.dumps(asdict(self), indent=2) + "\n")


@dataclass
class Ledger:
    """All entries, one line an operator, as text or, in a notebook, as a table."""

    entries: list[Entry]

    def lines(self) -> Iterator[tuple[str, str, int, int, float, float]]:
        """Operator, its peers, cases, exact cases, and the largest errors of outputs and of gradients."""
        for operator, group in groupby(self.entries, key=lambda entry: entry.operator):
            kept = list(group)
            yield (
                operator,
                peer(operator).layer.replace("{rank}D", "/".join(f"{entry.rank}D" for entry in kept)),
                sum(entry.cases for entry in kept),
                sum(entry.exact_cases for entry in kept),
                max(max(entry.outputs_error.values()) for entry in kept),
                max(max(entry.gradients_error.values()) for entry in kept),
            )

    @property
    def cases(self) -> int:
        """All cases together."""
        return sum(entry.cases for entry in self.entries)

    @property
    def peer_at_fault(self) -> int:
        """The cases in which the definition stood in for TensorFlow."""
        return sum(entry.peer_at_fault for entry in self.entries)

    def title(self) -> str:
        """What the table is of, with the versions that it holds for."""
        used = ", ".join(f"{name} {version}" for name, version in versions().items())
        return f"{self.cases:,} comparisons, forward and backward, with {used}"

    def __str__(self) -> str:
        first, *headings = HEADINGS
        rows = [[*first.split(", and "), *headings], *self._shown()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)
        return "\n".join([self.title(), *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        title = html.escape(self.title())
        wrapped = ' style="white-space: normal; padding: 0.4rem"'  # the columns fit a phone
        right = ' style="text-align: right; padding: 0.4rem"'
        head = "".join(f'<th scope="col"{wrapped}>{html.escape(word)}</th>' for word in HEADINGS)
        rows = "".join(
            f'<tr><th scope="row"{wrapped}><code>{_breakable(operator)}</code><br>'
            f'<span style="font-weight: normal">{_breakable(peers)}</span></th>'
            + "".join(f"<td{right}>{html.escape(number)}</td>" for number in numbers)
            + "</tr>"
            for operator, peers, *numbers in self._shown()
        )
        return (
            f'<table class="table" style="font-size: 0.9em"><caption>{title}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )

    def _shown(self) -> Iterator[list[str]]:
        for operator, peers, cases, exact, outputs, gradients in self.lines():
            whole = f"{exact:,}" if operator in EXACT else "–"
            yield [operator, peers, f"{cases:,}", whole, f"{outputs:.1f}", f"{gradients:.1f}"]


#: The columns of the table, for a translation to replace.
HEADINGS = ("operator, and in Keras", "cases", "to the last bit", "outputs off by", "gradients off by")


def _breakable(name: str) -> str:
    """A name that may go on in the next line of a narrow table, after each of its words."""
    return re.sub(r"(?<=[_./])|(?<=[a-z])(?=[A-Z])", "<wbr>", html.escape(name))


def errors(problem: Problem, mine: Results, keras: Results, bounds: dict[str, Any]) -> dict[str, float]:
    """How far each result (by name) is from Keras', in units of the last place of what was added up.

    Raises:
        DisagreementError: one is farther than rounding can bring it, or not at all the same.
    """
    found = {}
    for name, values in mine.items():
        expected = keras[name]
        what = name if name in peer(problem.operator).results else f"gradient of {name}"
        for word in ("shape", "dtype"):
            if getattr(values, word) != getattr(expected, word):
                said = f"{word} {getattr(values, word)}, Keras has {getattr(expected, word)}"
                raise DisagreementError(f"{problem}: {what} has {said}")
        if problem.exact or (peer(problem.operator).selects and name == "outputs"):
            if not np.array_equal(values, expected):
                raise DisagreementError(
                    f"{problem}: {what} must be equal to the last bit; {_worst(values, expected)}"
                )
            found[name] = 0.0
            continue
        magnitudes, terms = bounds[name]
        resolution = np.finfo(values.dtype)
        unit = resolution.eps * magnitudes + resolution.tiny
        error = np.abs(values - expected) / unit
        if not (error <= np.asarray(terms) + 2).all():  # each of the two rounds by at most half of it
            raise DisagreementError(f"{problem}: {what} differs beyond rounding; {_worst(values, expected)}")
        found[name] = float(error.max(initial=0))
    return found


def _worst(values: NDArray, expected: NDArray) -> str:
    gap = np.abs(values - expected)
    place = np.unravel_index(np.nan_to_num(gap, nan=np.inf).argmax(), gap.shape)
    return f"at {tuple(map(int, place))} ours is {values[place]!r}, Keras' {expected[place]!r}"


def keep_all(share: float = 1.0, seed: int = 0) -> Ledger:
    """Compare every operator, so many times as ``problems.CASES`` says, or a ``share`` of it.

    Returns:
        the ledger (operator, cases, errors); each operator is tried at least 8 times in every rank.
    """
    return Ledger(
        [
            keep(operator, rank, max(round(CASES[operator] * share), 8), seed)
            for operator in CASES
            for rank in RANKS[operator]
        ]
    )


def keep(operator: str, rank: int, cases: int, seed: int = 0) -> Entry:
    """Draw so many problems (``cases``) and compare them all; the same seed draws the same problems.

    Raises:
        DisagreementError: of the simplest problem on which the two libraries differ.
    """
    entry = Entry(operator, peer(operator).layer.format(rank=rank), rank)
    testing = hypothesis()
    settings = testing.settings(
        max_examples=cases,
        deadline=None,  # machines are shared
        database=None,
        suppress_health_check=list(testing.HealthCheck),
        report_multiple_bugs=False,
    )

    @testing.seed(seed)
    @settings
    @testing.given(problems(operator, rank))
    def compare(problem: Problem) -> None:
        try:
            entry.compare(problem)
        except DisagreementError:
            raise
        except Exception as error:  # one of the two cannot do it at all
            error.add_note(str(problem))
            raise

    compare()
    return entry
