"""A quiz as a piece of a page: questions with a field or a choice, and a script that judges as Python does.

All is worked out beforehand: the page holds the draws of each question with the right answer, what each slip
gives, and what is said to it. The script reads what is typed, compares it by the rules of
:mod:`cnnlib.exercises.answers`, and says what :func:`~cnnlib.exercises.checks.check` says.
"""

from __future__ import annotations

import functools
import hashlib
import html
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnlib.exercises import misconceptions
from cnnlib.exercises.answers import Array, EmptyAnswer, Form, FormError, Number, Shape, brief, plain
from cnnlib.exercises.checks import EMPTY, FORM, Verdict, check
from cnnlib.exercises.quiz_data import Ask, Quiz, Slip
from cnnlib.exercises.sheet import rows_text
from cnnlib.exercises.tasks import KINDS, Task
from cnnlib.exercises.wording import CHAPTERS, QUIZ, SAY, say, site
from cnnlib.explorers.base import button, region
from cnnlib.explorers.page import Piece, joined, script_data, source

#: So many signs may be typed.
LONGEST = 60
#: What scripts and files of quizzes are called.
_HERE = "cnnlib.exercises"
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)")
_GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2}([ ,][0-9]{3})+(\.[0-9]+)?")


# --- What a reader types --------------------------------------------------------------------------------


def typed(form: Form, text: str) -> Any:
    """What a reader's text says, for a check to judge.

    >>> typed(Number(), "1,234"), typed(Number(), "−3"), typed(Number(), "3/4")
    (1234, -3, 0.75)
    >>> typed(Shape(("height", "width", "channels")), "24×24×6")
    (24, 24, 6)
    >>> typed(Array(1), "[2, −1, 0.5]")
    [2, -1, 0.5]

    Raises:
        FormError: it is not of the form that is asked for; the message says so.
    """
    said = text.strip()
    text = re.sub("[−–]", "-", re.sub("[\u00a0\u2009\u202f]", " ", said))
    if not text:
        raise EmptyAnswer
    if isinstance(form, Shape):
        return _typed_shape(form, text, said)
    if isinstance(form, Array):
        return _typed_array(form, text, said)
    if _GROUPED.fullmatch(text):
        text = re.sub("[ ,]", "", text)
    elif re.fullmatch("[+-]?[0-9]+,[0-9]+", text):
        text = text.replace(",", ".")
    value = _real(text)
    if value is None:
        raise FormError(QUIZ["not_number"].format(answer=said))
    return value


def _real(text: str) -> int | float | None:
    over, line, under = text.partition("/")
    if not _NUMBER.fullmatch(over.strip()) or (line and not _NUMBER.fullmatch(under.strip())):
        return None
    if line:
        return float(over) / float(under) if float(under) else None
    return float(text) if "." in text else int(text)


def _typed_shape(form: Shape, text: str, said: str) -> Any:
    entries = [entry for entry in re.split(r"[×x*,;\s]+", re.sub(r"[()[\]]", " ", text)) if entry]
    batch = entries[:1] == ["None"] and len(entries) == len(form.axes) + 1
    numbers = [None if batch and not at else _real(entry) for at, entry in enumerate(entries)]
    if not numbers or None in numbers[batch:]:
        axes = ", ".join(form.axes)
        raise FormError(QUIZ["not_shape"].format(answer=said, count=len(form.axes), axes=axes))
    return numbers[0] if len(numbers) == 1 < len(form.axes) else tuple(numbers)


def _typed_array(form: Array, text: str, said: str) -> list[Any]:
    lines = re.sub(r"[()[\]]", " ", re.sub(r"\]\s*,?\s*\[", ";", text)).split(";")
    rows = [[_real(entry) for entry in re.split(r"[,\s]+", line) if entry] for line in lines]
    if not all(rows) or any(None in row for row in rows):
        raise FormError(QUIZ["not_array"].format(answer=said))
    return rows if len(rows) > 1 or form.ndim == 2 else rows[0]


def judged(task: Task, text: str) -> Verdict:
    """Judge what a reader has typed."""
    try:
        return check(task, typed(task.kind.form, text))
    except EmptyAnswer:
        return Verdict(EMPTY, QUIZ["empty"])
    except FormError as error:
        return Verdict(FORM, str(error))


# --- What a page holds ----------------------------------------------------------------------------------


def marked(text: str) -> str:
    r"""A question's text as HTML: paragraphs, blocks of numbers, and ``code``.

    >>> marked("A `Conv2D`\nof 5×5:\n\n```text\n1  2\n```\n\nHow many?")
    '<p>A <code>Conv2D</code> of 5×5:</p><pre>1  2</pre><p>How many?</p>'
    """
    parts = re.split(r"\n*^```\w*\n(.*?)\n```$\n*", text, flags=re.DOTALL | re.MULTILINE)
    found = []
    for number, part in enumerate(parts):
        if number % 2:
            found.append(f"<pre>{html.escape(part, quote=False)}</pre>")
        else:
            found += [f"<p>{marked_line(one)}</p>" for one in re.split(r"\n{2,}", part) if one.strip()]
    return "".join(found)


def marked_line(text: str) -> str:
    """A sentence as HTML."""
    escaped = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped)


def template(texts: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """What all texts have in common, and what fills its gaps in each.

    >>> template(["a 5 by 5 kernel", "a 3 by 3 kernel"])
    (['a ', ' by ', ' kernel'], [['5', '5'], ['3', '3']])
    """
    rows = [re.split(r"(\s+|(?<=>)|(?=<))", text) for text in texts]
    if len({len(row) for row in rows}) > 1:
        start = _common(texts)
        end = _common([text[len(start) :][::-1] for text in texts])[::-1]
        return [start, end], [[text[len(start) : len(text) - len(end)]] for text in texts]
    pieces, gaps = [""], [list[str]() for _ in rows]
    for column in zip(*rows, strict=True):
        if len(set(column)) == 1:
            pieces[-1] += column[0]
        else:
            pieces.append("")
            for gap, token in zip(gaps, column, strict=True):
                gap.append(token)
    return pieces, gaps


def _common(texts: Sequence[str]) -> str:
    """What all texts begin with."""
    first, last = min(texts), max(texts)
    return first[: next((at for at, sign in enumerate(first) if sign != last[at]), len(first))]


def label(value: Any) -> str:
    """How an answer stands in a choice, or where it is told, as HTML: fractions to three decimals.

    >>> label(2 / 3), label((24, 24, 6)), label(np.array([-1.0, 0.5]))
    ('0.667', '(24, 24, 6)', '−1, 0.5')
    """
    if isinstance(value, str):
        return marked_line(value)
    if isinstance(value, np.ndarray):
        value = np.round(value, 3)
        if value.ndim == 2:
            return f"<pre>{rows_text(value)}</pre>"
        text = ", ".join(map(str, plain(value)))
    else:
        text = brief(round(value, 3) if isinstance(value, float) else value)
    return re.sub(r"-(?=\d)", "−", text)


class _Slips:
    """The slips that show in a question's draws: what is said to each, and what differs from draw to draw."""

    def __init__(self) -> None:
        self.entries: dict[str, misconceptions.Misconception] = {}
        self.texts: dict[str, list[str]] = {}

    def note(self, entry: misconceptions.Misconception, task: Task, answer: str) -> tuple[str, int]:
        """Remember what is said to a slip in a task; :meth:`place` finds it again."""
        self.entries[entry.name] = entry
        texts = self.texts.setdefault(entry.name, [])
        texts.append(entry.message.format(**{**task.given, "answer": answer}))
        return entry.name, len(texts) - 1

    @functools.cached_property
    def templates(self) -> dict[str, tuple[list[str], list[list[str]]]]:
        """For each slip what its messages have in common, and what fills the gaps of each."""
        return {name: template(texts) for name, texts in self.texts.items()}

    def place(self, noted: tuple[str, int]) -> tuple[int, list[str]]:
        """The number of a slip, and what fills the gaps of its message."""
        name, which = noted
        return list(self.entries).index(name), self.templates[name][1][which]

    @property
    def messages(self) -> list[tuple[str, str]]:
        """For each slip its message, with gaps {0}, {1}, …, and the chapter that explains it."""
        texts = (pieces for pieces, _ in self.templates.values())
        return [
            (pieces[0] + "".join(f"{{{at}}}{piece}" for at, piece in enumerate(pieces[1:])), entry.chapter)
            for pieces, entry in zip(texts, self.entries.values(), strict=True)
        ]


def _form_of(ask: Ask) -> dict[str, Any]:
    """How the script reads what is typed."""
    form = KINDS[ask.kind].form
    if isinstance(form, Shape):
        return {"form": "shape", "axes": form.axes}
    if isinstance(form, Array):
        return {"form": "array", "ndim": form.ndim or 1}
    return {"form": "number"}


def _number(value: Any) -> Any:
    """A read answer for the script: as long as its comparison needs it."""
    if isinstance(value, np.ndarray):
        return _number(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_number(one) for one in value]
    return plain(float(f"{value:.12g}")) if isinstance(value, float) else value


class QuizPage(Piece):
    """A quiz that a page or a notebook shows; see :func:`cnnlib.exercises.quiz`."""

    script = f"{_HERE}/quiz_page"
    words = QUIZ

    def __init__(self, quiz: Quiz, chapter: str) -> None:
        self.quiz, self.chapter, self.name = quiz, chapter, f"quiz-{quiz.name}"

    @functools.cached_property
    def drawn(self) -> list[list[Task]]:
        """The draws of each question."""
        return [ask.draws(self.quiz.seed(number)) for number, ask in enumerate(self.quiz.questions)]

    @functools.cached_property
    def slips(self) -> list[list[list[Slip]]]:
        """For each draw of each question the slips that show in it, and what they give."""
        return [[misconceptions.answers(task) for task in tasks] for tasks in self.drawn]

    def options(self, number: int, draw: int) -> list[Any] | None:
        """Among what a reader chooses; None where the answer is typed."""
        task, slips = self.drawn[number][draw], self.slips[number][draw]
        return self.quiz.questions[number].options(task, self.quiz.seed(number), slips)

    def __repr__(self) -> str:
        found = []
        for number, ask in enumerate(self.quiz.questions):
            task = self.drawn[number][0]
            found.append(ask.asked(task))
            found += [f"  - {option}" for option in self.options(number, 0) or ()]
        return "\n".join([QUIZ["label_title"].format(section=self.quiz.section), *found])

    def _repr_png_(self) -> None:
        """A quiz has no picture: print shows its text."""

    def _label(self) -> str:
        return QUIZ["label_title"].format(section=self.quiz.section)

    # What the script knows.

    def _state(self) -> dict[str, Any]:
        return self._data

    @functools.cached_property
    def _data(self) -> dict[str, Any]:
        questions = [self._question(number) for number in range(len(self.quiz.questions))]
        labels = list(dict.fromkeys(chapter for one in questions for _, chapter in one["say"]))
        for one in questions:
            one["say"] = [[text, labels.index(chapter)] for text, chapter in one["say"]]
        address = site()
        chapters = []
        for label in labels:
            number, title, page = CHAPTERS[label]
            section = f"#{self.quiz.anchor}" if label == self.chapter else ""
            said = say("chapter", number=number, title=title, where="")
            chapters.append([said, f"{page}.html{section}"])
        return {
            "quiz": self.quiz.name,
            "site": f"{address}/" if address else "",
            "chapters": chapters,
            "questions": questions,
        }

    def _repr_html_(self) -> str:
        """The script and the styles are the same in all quizzes: the site keeps those of a page's first."""
        content = self._content()
        identity = self._identity(content)
        data = script_data({"id": identity, **self._state()})
        name, script, style = _once()
        return (
            f'<div class="cx cx-quiz" id="{identity}" role="group" '
            f'aria-label="{html.escape(self._label())}">\n'
            f"<style>{style}</style>{content}\n"
            f"<script>(window.cnnQuiz??={{}}).{name}??={script}</script>\n"
            f"<script>cnnQuiz.{name}({data})</script>\n</div>"
        )

    def _question(self, number: int) -> dict[str, Any]:
        ask, tasks = self.quiz.questions[number], self.drawn[number]
        kind, slips = KINDS[ask.kind], _Slips()
        pieces, gaps = template([marked(ask.asked(task)) for task in tasks])
        noted = [self._noted(number, draw, slips) for draw in range(len(tasks))]
        draws: list[list[Any]] = []
        for task, gap, found in zip(tasks, gaps, noted, strict=True):
            told = []
            for shown, one in found:
                at, filled = slips.place(one) if one else (-1, [])
                told.append([at, shown, *filled])
            draws.append([gap, told] if self.chosen(number) else [gap, told, _number(task.answer)])
        messages = [(kind.question, kind.chapter), *slips.messages]
        return {
            **({"form": "choice"} if self.chosen(number) else _form_of(ask)),
            "text": pieces,
            "say": messages,
            "slips": list(slips.entries),
            "draws": draws,
        }

    def _noted(self, number: int, draw: int, slips: _Slips) -> list[tuple[Any, tuple[str, int] | None]]:
        """What may be answered to a task, as the script holds it, and the slip behind each; None if right."""
        task, entries, options = (
            self.drawn[number][draw],
            self.slips[number][draw],
            self.options(number, draw),
        )
        if options is None:
            return [(_number(answer), slips.note(entry, task, "{answer}")) for entry, answer in entries]
        found: list[tuple[Any, tuple[str, int] | None]] = []
        for option in options:
            behind = next((entry for entry, wrong in entries if task.kind.form.same(option, wrong)), None)
            noted = None if behind is None else slips.note(behind, task, brief(option))
            found.append((label(option), noted))
        return found

    def chosen(self, number: int) -> bool:
        """Whether a question is answered by choosing."""
        ask = self.quiz.questions[number]
        return ask.choose or ask.says

    # What stands there before the script runs.

    def _content(self) -> str:
        return "".join(self._form(number) for number in range(len(self.quiz.questions)))

    def _form(self, number: int) -> str:
        ask, task = self.quiz.questions[number], self.drawn[number][0]
        options, count = self.options(number, 0), len(self.quiz.questions)
        legend = QUIZ["legend_of" if count > 1 else "legend"].format(number=number + 1, count=count)
        new = QUIZ["another" if ask.says else "new"]
        buttons = (
            f'<button type="submit">{QUIZ["check"]}</button>'
            f"{button(f'new{number}', new)}{button(f'show{number}', QUIZ['show'], hidden='')}"
        )
        answer = label(task.answer)
        return (
            f'<form data-q="{number}"><fieldset>'
            f"<legend>{legend} {region(f'done{number}', '', 'span')}</legend>"
            f"{region(f'text{number}', marked(ask.asked(task)))}"
            f"{self._field(number, ask, options)}"
            f'<div class="cx-controls" hidden>{buttons}</div>'
            f"{region(f'say{number}', '', 'p', role='status', aria_live='polite')}"
            f"<details><summary>{QUIZ['fold']}</summary><p>{answer}</p></details></fieldset></form>"
        )

    def _field(self, number: int, ask: Ask, options: list[Any] | None) -> str:
        if options is not None:
            return region(
                f"options{number}", "".join(radio(self.name, number, label(one)) for one in options)
            )
        form = KINDS[ask.kind].form
        key = "label_number"
        if isinstance(form, Shape):
            key = "label_shape"
        elif isinstance(form, Array):
            key = "label_rows" if form.ndim == 2 else "label_array"
        said = QUIZ[key].format(axes=", ".join(getattr(form, "axes", ())))
        values = [np.ravel(task.answer) for task in self.drawn[number]]
        digits = isinstance(form, Number) and min(value.min() for value in values) >= 0
        mode = "decimal" if digits else "text"
        return (
            f'<div class="cx-controls" hidden><label><span>{said}</span>'
            f'<input type="text" data-c="in{number}" '
            f'inputmode="{mode}" maxlength="{LONGEST}" autocomplete="off" spellcheck="false"></label></div>'
        )


def radio(name: str | None, number: int, text: str) -> str:
    """One answer of a choice; the script writes the same."""
    return f'<label><input type="radio" name="{name}-{number}"> <span>{text}</span></label>'


@functools.cache
def _once() -> tuple[str, str, str]:
    """What is the same in all quizzes: a name, the script as a function of a quiz's data, the styles."""
    files = ("page", *(f"{_HERE}/quiz_{name}" for name in ("kept", *_TYPED, "page")))
    style = "".join(source(f"{name}.css") for name in files)
    words = {key: text for key, text in QUIZ.items() if not key.startswith(("label_", "legend", "fold"))}
    same = script_data({"words": words, "told": {name: SAY[name] for name in _TOLD}})
    script = f"given=>{{const data={{...{same},...given}};\n{joined(files)}}}"
    return f"q{hashlib.sha256((script + style).encode()).hexdigest()[:6]}", script, style


#: The scripts that read what is typed.
_TYPED = ("typed", "number", "shape", "array")
#: What a script may say of it, by keys of :data:`~cnnlib.exercises.wording.SAY`.
_TOLD = (
    "right",
    "right-whole",
    "unknown",
    "unknown-array",
    "huge",
    "number-for-shape",
    "length",
    "batch",
    "fraction-in-shape",
    "axes",
    "ragged",
)
