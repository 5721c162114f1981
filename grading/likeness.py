"""Which submissions are more alike than those of people who worked apart: a hint for a person, not a verdict.

Three things are looked at:

* the code of the answers, as tokens, compared by RapidFuzz's ratio of what two sequences have in common:
  without what was given out, comments, layout and docstrings, and with all names that students choose
  counting as one, so that renaming hides nothing;
* wrong answers that are no slip of the course's registry. The same slip is what a class has in common; the
  same wrong number that nobody else has is not;
* answers that are right for another student's numbers: since each has other numbers, a value that was copied
  tells so by itself, and mostly whose it is (:func:`borrowed`).

Short answers tell nothing and right ones are alike by themselves, so a pair is named only where there is
enough code (:data:`LEAST`) and it is nearly the same (:data:`ALIKE`), or where wrong answers that few others
gave (:data:`RARE`) coincide. Code that is the same throughout a class, as after a tutorial that all have
seen, is named for nobody.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import io
import keyword
import math
import token
import tokenize
import warnings
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any

import numpy as np
from nbformat import NotebookNode
from nbgrader.utils import is_solution
from rapidfuzz import fuzz

from cnnlib.exercises import Assignment, sheets
from cnnlib.exercises.answers import FormError
from cnnlib.exercises.sheet import Asked, ask, normalised, seed
from cnnlib.exercises.tasks import TaskError
from grading import verdicts

#: Tokens that all code of a submission must have, before likeness means anything.
LEAST = 120
#: Tokens that one answer must have to count: right numbers are the same for all.
LEAST_ANSWER = 30
#: Per cent of tokens in common, in order, from which code by itself is worth a look.
ALIKE = 95
#: The same where wrong answers coincide as well.
ALIKE_AND_WRONG = 80
#: A wrong answer, or the same code, that more students than this share is the class's, not a pair's.
RARE = 3
#: Wrong answers in common that are worth a look whatever the code.
SAME_WRONG = 2
#: Values in common with somebody's right ones are named where a whole class would have so many such pairs by
#: chance.
CHANCE = 0.1
#: Signs that a cell may have for its values to be read.
READABLE = 4000

_KEPT = frozenset(keyword.kwlist) | frozenset(dir(builtins)) | {"np", "numpy", "keras"}
_LAYOUT = {
    token.COMMENT,
    token.NL,
    token.NEWLINE,
    token.INDENT,
    token.DEDENT,
    token.ENCODING,
    token.ENDMARKER,
}


#: The question, the name of the value, and the value as text.
Value = tuple[str, str, str]


@dataclass(frozen=True)
class Work:
    """What of one submission is compared."""

    student: str
    #: The code of all answers, one sign a token.
    code: str
    #: Wrong answers that are no registered slip: the question, what was asked, and what was said of them.
    wrong: frozenset[tuple[str, str, str]]
    #: Answers that are right for another student's numbers, by name: the value, where it can be read.
    foreign: Mapping[str, Any] = field(default_factory=dict)
    #: The id that the notebook names, where answers are right for its numbers.
    typed: str | None = None
    #: Values as they are written in the notebook, by question and name: those that were right, and those that
    #: were wrong and no registered slip.
    right: frozenset[Value] = frozenset()
    missed: frozenset[Value] = frozenset()


@dataclass(frozen=True)
class Borrowed:
    """A student with answers that are right, but for somebody else's numbers."""

    student: str
    answers: tuple[str, ...]
    #: Those for whose numbers most of these answers are right; none where the notebook does not tell.
    owners: tuple[str, ...]
    #: The id under which the student seems to have worked, where the notebook names another.
    typed: str | None


@dataclass(frozen=True)
class Pair:
    """Two submissions to look at, side by side."""

    students: tuple[str, str]
    #: Per cent of their code that is the same; None where too little is there to compare.
    alike: float | None
    #: The wrong answers that both gave and hardly anybody else.
    wrong: tuple[str, ...]


def tokens(source: str, released: Collection[str] = ()) -> list[str]:
    r"""The telling tokens of code, without the lines that were given out.

    >>> tokens("total = 0  # so far\nfor n in range(3):\n    total += n")
    ['x', '=', '0', 'for', 'x', 'in', 'range', '(', '3', ')', ':', 'x', '+=', 'x']
    """
    given = {line.strip() for line in released}
    own = "\n".join(line for line in source.splitlines() if line.strip() not in given)
    found: list[str] = []
    fresh = True
    try:
        for each in tokenize.generate_tokens(io.StringIO(own).readline):
            if each.type in _LAYOUT:
                fresh = True
            elif each.type == token.STRING:
                found += [] if fresh else ['"']
                fresh = False
            else:
                found.append("x" if each.type == token.NAME and each.string not in _KEPT else each.string)
                fresh = False
    except (tokenize.TokenError, SyntaxError):  # no Python: what could be read of it
        pass
    return found


class Reader:
    """Reads submissions of one assignment; tokens become signs, the same for all."""

    def __init__(self, released: Iterable[NotebookNode] = ()) -> None:
        self._given = {
            cell.metadata.nbgrader.grade_id: cell.source.splitlines()
            for notebook in released
            for cell in notebook.cells
            if cell.cell_type == "code" and is_solution(cell)
        }
        self._signs: dict[str, str] = {}

    def read(self, student: str, notebooks: Iterable[NotebookNode]) -> Work:
        """What of a graded submission is compared."""
        signs: list[str] = []
        wrong, foreign = set(), set[str]()
        shown: dict[str, Any] = {}
        typed, right, missed = None, set[tuple[str, str]](), set[tuple[str, str]]()
        for notebook in notebooks:
            for cell in notebook.cells:
                if cell.cell_type == "code" and is_solution(cell):
                    shown |= values(cell.source)
                    given = self._given.get(cell.metadata.nbgrader.grade_id, ())
                    own = tokens(cell.source, given)
                    for each in own if len(own) >= LEAST_ANSWER else ():
                        signs.append(self._signs.setdefault(each, chr(0x100 + len(self._signs) % 0xD000)))
            for question, told in verdicts.of(notebook):
                if told.foreign:
                    foreign.add(told.name)
                    typed = told.typed or typed
                elif told.went == "full" and told.worth:
                    right.add((question, told.name))
                elif told.went == "none" and told.slip is None:
                    missed.add((question, told.name))
                    if any(c.isdigit() for c in told.text[:40]):
                        wrong.add((question, told.name, told.text))
        theirs = {name: shown.get(name) for name in sorted(foreign)}

        def written(asked: Iterable[tuple[str, str]]) -> frozenset[Value]:
            return frozenset((question, name, repr(shown[name])) for question, name in asked if name in shown)

        return Work(student, "".join(signs), frozenset(wrong), theirs, typed, written(right), written(missed))


def values(source: str) -> dict[str, Any]:
    r"""The values that code gives to names and shows as they are: numbers, text, lists, and arrays of them.

    >>> values("size = 28  # wide\nmap_a = np.array([[1, -2]])\ncount = 3 * size\nb, c = 1, 2")
    {'size': 28, 'map_a': [[1, -2]]}
    """
    found: dict[str, Any] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what students wrote may be odd
            lines = ast.parse(source if len(source) <= READABLE else "").body
        for line in lines:
            if (
                isinstance(line, ast.Assign)
                and len(line.targets) == 1
                and isinstance(line.targets[0], ast.Name)
            ):
                shown = line.value
                if isinstance(shown, ast.Call) and len(shown.args) == 1:
                    shown = shown.args[0]
                with contextlib.suppress(ValueError, TypeError):
                    found[line.targets[0].id] = ast.literal_eval(shown)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # no Python, or too much of it
        pass
    return found


def borrowed(name: str, works: Sequence[Work]) -> list[Borrowed]:
    """Who of an assignment gave answers that are right for other students' numbers, and whose these are.

    Where the checks said so, the numbers of all are drawn and compared. In a large class checks do not look
    that far; there, wrong values are looked for among the right ones that others wrote (:func:`_matching`).
    """
    try:
        assignment = sheets.load(name)
    except TaskError:  # everybody has the same numbers
        return []
    found = []
    for work in works:
        if work.foreign:
            fitting = Counter(
                other.student
                for other in works
                if normalised(other.student) != normalised(work.student)
                for _ in _fitting(assignment, work, other.student)
            )
            most = max(fitting.values(), default=0)
            owners = sorted(student for student, count in fitting.items() if count == most)
            told = tuple(owners) if len(owners) <= RARE else ()
            found.append(Borrowed(work.student, tuple(work.foreign), told, work.typed))
    known = {each.student for each in found}
    found += [each for each in _matching(works) if each.student not in known]
    return sorted(found, key=lambda each: (-len(each.answers), each.student))


def _matching(works: Sequence[Work]) -> Iterator[Borrowed]:
    """Students whose wrong values are somebody's right ones, in more questions than happens by chance.

    How often it happens is counted in the class: in how many of its works a question's values are right ones.
    Questions are drawn one by one, so these shares multiply; the values of one question are not.
    """
    owners: dict[Value, set[str]] = defaultdict(set)
    for work in works:
        for value in work.right:
            owners[value].add(work.student)
    for work in works:
        together: dict[str, dict[str, list[Value]]] = defaultdict(lambda: defaultdict(list))
        for value in sorted(work.missed):
            for other in owners.get(value, set()) - {work.student}:
                together[other][value[0]].append(value)
        likely = {}
        for other, questions in together.items():
            shares = [
                len(set.intersection(*(owners[v] for v in vs))) / len(works) for vs in questions.values()
            ]
            likely[other] = len(works) ** 2 * math.prod(shares)
        least = min(likely.values(), default=1.0)
        if least < CHANCE:
            named = sorted(other for other, chance in likely.items() if chance == least)[:RARE]
            answers = [value[1] for values in together[named[0]].values() for value in values]
            yield Borrowed(work.student, tuple(sorted(answers)), tuple(named), None)


def _fitting(assignment: Assignment, work: Work, other: str) -> Iterator[str]:
    """The answers of a work that are right for another student's numbers."""
    for question in assignment.questions:
        wanted = [part.name for part in question.values if work.foreign.get(part.name) is not None]
        asked: Asked | None = None
        for part in wanted:
            asked = asked or ask(question, seed(other, assignment.name, question.id))
            task = asked.tasks[part]
            with contextlib.suppress(FormError):
                if task.kind.form.same(task.kind.form.read(work.foreign[part]), task.answer):
                    yield part


def pairs(works: Sequence[Work], most: int = 50) -> list[Pair]:
    """The pairs to look at, most alike first; at most so many.

    Works of a few thousand students take seconds: equal code is compared once, and other code only
    where length and tokens leave room for likeness.
    """
    together: dict[tuple[str, str], list[str]] = defaultdict(list)
    common: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for work in works:
        for answer in work.wrong:
            common[answer].append(work.student)
    for (_, name, said), students in sorted(common.items()):
        if 2 <= len(students) <= RARE:
            for two in combinations(sorted(students), 2):
                together[two].append(f"{name}: {said}")
    alike = _alike(works, ALIKE)
    code = {work.student: work.code for work in works}
    found = []
    for two in alike.keys() | together.keys():
        a, b = code[two[0]], code[two[1]]
        share = float(fuzz.ratio(a, b)) if min(len(a), len(b)) >= LEAST else None
        wrong = tuple(together.get(two, ()))
        if two in alike or len(wrong) >= SAME_WRONG or (wrong and (share or 0) >= ALIKE_AND_WRONG):
            found.append(Pair(two, share, wrong))
    found.sort(key=lambda pair: (-len(pair.wrong), -(pair.alike or 0), pair.students))
    return found[:most]


def _alike(works: Sequence[Work], cutoff: float) -> Mapping[tuple[str, str], float]:
    """Pairs whose code is alike, unless many have that code."""
    owners: dict[str, list[str]] = defaultdict(list)
    for work in works:
        if len(work.code) >= LEAST:
            owners[work.code].append(work.student)
    texts = sorted(owners, key=len)
    signs = {sign: n for n, sign in enumerate(sorted(set().union(*texts)))}
    counts = np.zeros((len(texts), len(signs)), np.int32)
    for i, text in enumerate(texts):
        for sign, number in Counter(text).items():
            counts[i, signs[sign]] = number
    lengths = counts.sum(1)
    near: list[tuple[int, int, float]] = []
    crowd = Counter({i: len(owners[text]) for i, text in enumerate(texts)})
    # A ratio of so much allows lengths to differ by no more.
    reach = (200 - cutoff) / cutoff
    for i, text in enumerate(texts):
        end = int(np.searchsorted(lengths, len(text) * reach, side="right"))
        # Nor can a ratio be larger than what the two have in common in any order.
        bound = 200 * np.minimum(counts[i], counts[i + 1 : end]).sum(1) / (lengths[i] + lengths[i + 1 : end])
        for step in np.flatnonzero(bound >= cutoff):
            share = fuzz.ratio(text, texts[i + 1 + step], score_cutoff=cutoff)
            if share:
                near.append((i, i + 1 + int(step), share))
    for i, j, _ in near:
        crowd[i] += len(owners[texts[j]])
        crowd[j] += len(owners[texts[i]])
    found = {
        two: 100.0
        for i, text in enumerate(texts)
        if crowd[i] <= RARE
        for two in combinations(sorted(owners[text]), 2)
    }
    for i, j, share in near:
        if max(crowd[i], crowd[j]) <= RARE:
            for one, other in product(owners[texts[i]], owners[texts[j]]):
                found[min(one, other), max(one, other)] = share
    return found
