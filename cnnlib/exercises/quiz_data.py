"""Quizzes as data: at the end of each section one or two questions on what goes wrong there.

A quiz draws its numbers anew as often as a reader likes, says at once what is right, and names the slip
behind what is not. It asks for what the assignments ask for: a question is a *kind* of task
(:mod:`cnnlib.exercises.kinds`) with a text of its own, so that right answers, slips, their messages and the
chapters that they point to stand in one place.

How to write a quiz
===================

The quizzes of a chapter stand in one module, named as the chapter's label is
(:data:`~cnnlib.exercises.wording.CHAPTERS`): ``cnnlib/exercises/quizzes/filters_and_kernels.py``. It declares
``QUIZZES``, in the order of the sections; nothing is registered elsewhere.

1. *A question with numbers* is an :class:`Ask`: a kind, a text, and what narrows the draw to what can be
worked out in the head. Blanks in the text stand for the task's parameters; ``{kernel_size:square}`` is 5×5,
``{input_shape}`` is 28×28×3, ``{bias:number}`` is −2 with a true minus, ``{signal:list}`` is 2, −1, 3, and
``{kernel:rows}`` are rows of numbers in a block of their own.

>>> count = Ask(
...     "conv_parameters",
...     "A layer has {filters} filters with kernels of {kernel_size:square}; its input has {channels} "
...     "channels. How many parameters does it learn?",
...     given={"use_bias": True},
...     roll=lambda dice: {
...         "kernel_size": dice.pick((2, 3)), "channels": dice.roll(2, 5), "filters": 2 * dice.roll(1, 5)
...     },
...     bounds=(20, 300),
... )
>>> task = count.draws("an-example")[0]
>>> print(count.asked(task))
A layer has 8 filters with kernels of 2×2; its input has 3 channels. How many parameters does it learn?
>>> task.answer
104

``given`` are parameters that are not drawn, and hints to the kind's own drawing (see the kind's ``roll``);
``roll`` draws the parameters instead of it; ``bounds`` are for every number of the right answer; ``accept``
says whether a task will do. Draws on which two slips cannot be told apart are left out by themselves; at
least ``slips`` of them (two) must show in each. Only text with blanks is short in a page: a function of the
task, which may stand in its place, is for a network in words and the like.

2. *How it is answered* follows from the kind: a number, a shape (``24, 24, 6``) or a list is typed.
``choose=True`` offers the right answer among those of up to three slips instead, where typing is dull.

>>> order = Ask("weight_shape", "Which shape has the weight array?", choose=True, roll=lambda dice: {
...     "kernel_size": 5, "channels": 3, "filters": dice.roll(6, 12)})
>>> task = order.draws("an-example")[0]
>>> order.options(task, "an-example")
[(5, 5, 8, 3), (5, 5, 3, 8), (8, 3, 5, 5), (5, 5, 1, 8)]

3. *A question without numbers* is made in one call, :func:`sentences`: a pool of situations, each with what
is right there and with what a reader may take for right, each of these with what to say to that. What is
wrong in every situation stands in ``wrong`` of the whole. A draw takes a situation and up to three of the
wrong sentences. It registers a kind and its slips, which nobody else uses.

>>> axes = sentences(
...     "sharing-weights",
...     chapter="from-dense-to-local",
...     question="which entries are neighbours, and would the data mean the same if they were shuffled?",
...     text="{situation} Does it make sense to slide one kernel over it?",
...     cases=[
...         Case("A table has a row for each patient: age, weight, blood pressure.",
...              "no: its columns have no order",
...              {"yes: all of them are numbers": "A kernel can be slid over any numbers; it helps where "
...               "neighbours belong together."}),
...         Case("A microphone gives 16,000 numbers a second.", "yes: neighbours in time belong together",
...              {"no: sound is no picture": "The number of axes does not matter. Ask what neighbours are."}),
...     ],
...     wrong={"only if each entry gets weights of its own": "That is a fully connected layer: nothing is "
...            "shared and nothing slides.",
...            "only after it has been sorted": "Sorting makes an order that the data do not have."},
... )
>>> task = axes.draws("an-example")[0]
>>> print(axes.asked(task))
A table has a row for each patient: age, weight, blood pressure. Does it
make sense to slide one kernel over it?
>>> for option in task.given["options"]:
...     print(check(task, option).text)
Sorting makes an order that the data do not have. See chapter 1, “From fully connected to local”.
right.
That is a fully connected layer: nothing is shared and nothing slides. See chapter 1, “From fully
connected to local”.
A kernel can be slid over any numbers; it helps where neighbours belong together. See chapter 1, “From
fully connected to local”.

Where the question is the same each time ("Which of these is true?"), cases have no text of their own:
``Case("", "what is true")``. What is wrong in several situations, for different reasons, stands in each.

4. *The quiz* gathers the questions of a section: a name that no other quiz has (the section's title in
small letters with hyphens, where that is free), the section's title as the heading has it, one or two
questions::

    QUIZZES = (
        Quiz("counting-parameters", "Counting parameters", count, order),
        Quiz("where-kernels-help", "Where kernels help", axes),
    )

5. *In the chapter* it is the last thing of its section::

    ```{code-cell} python
    :tags: [remove-input]
    from cnnlib.exercises import quiz

    quiz("counting-parameters")
    ```

(Each cell imports it: in a chapter's first cell it would keep live cells waiting.)

Texts are plain, with ``code`` between backticks, ``×`` and ``−``; an empty line begins a paragraph, and
lines between three backticks are a block of numbers. ``pytest tests/cnnlib/exercises`` holds every
question to all of this.

>>> for entry in misconceptions.likely("sharing-weights"):
...     misconceptions.remove(entry)
>>> KINDS.pop("sharing-weights").name
'sharing-weights'
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_lowercase as LETTERS
from typing import Any

from cnnlib.exercises import misconceptions
from cnnlib.exercises.answers import Sentence
from cnnlib.exercises.checks import check
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.sheet import Blanks, Facts, Part
from cnnlib.exercises.tasks import KINDS, Task, TaskError, add_kind, draw, known

__all__ = ["KINDS", "Ask", "Case", "Quiz", "among", "check", "misconceptions", "sentences"]

#: So many draws of a question a page holds; a reader who wants more sees the first again.
DRAWS = 16
#: A text that is a function of the task cannot be shortened: fewer draws keep a page light.
DRAWS_OF_A_FUNCTION = 10
#: So many draws in a row that bring nothing new: there is nothing else to ask.
ENOUGH = 20
#: A choice has the right answer and at most so many wrong ones.
WRONG = 3
#: A mistake, and what it gives for a task.
Slip = tuple[misconceptions.Misconception, Any]


@dataclass(frozen=True, eq=False)
class Ask:
    """A question of a quiz.

    Attributes:
        kind: of the task.
        text: what is asked, with blanks for the parameters, or a function that writes it.
        given: parameters that are not drawn, and hints to the drawing.
        roll: draws the parameters, in place of the kind's own.
        bounds: between what every number of the right answer lies, both included.
        accept: whether a task will do beyond that.
        slips: so many registered mistakes, at least, must make a difference.
        choose: the answer is chosen among the right one and those of slips; else it is typed.
    """

    kind: str
    text: str | Callable[[Task], str]
    given: Facts = field(default_factory=dict)
    roll: Callable[[Dice], dict[str, Any]] | None = None
    bounds: tuple[float, float] | None = None
    accept: Callable[[Task], bool] | None = None
    slips: int = 2
    choose: bool = False

    def __post_init__(self) -> None:
        known(self.kind)

    def asked(self, task: Task) -> str:
        """The text of the question with a task's numbers."""
        if callable(self.text):
            return self.text(task)
        return Blanks().vformat(self.text, (), task.given)

    def draws(self, seed: str) -> list[Task]:
        """The tasks that a page holds: no two of them ask the same.

        Raises:
            TaskError: no task is well-posed and within bounds.
        """
        wanted = DRAWS_OF_A_FUNCTION if callable(self.text) else DRAWS
        part = Part(
            self.kind, self.kind, 0, self.given, bounds=self.bounds, accept=self.accept, slips=self.slips
        )
        found: dict[str, Task] = {}
        attempt = known_already = 0
        while len(found) < wanted and known_already < ENOUGH:
            task = draw(self.kind, f"{seed}/{attempt}", part.suits, roll=self.roll, **part.fixed({}))
            asked = f"{self.asked(task)} {task.answer if self.says else ''}"
            known_already = known_already + 1 if asked in found else 0
            found.setdefault(asked, task)
            attempt += 1
        return list(found.values())

    @property
    def says(self) -> bool:
        """Whether its answers are sentences."""
        return isinstance(KINDS[self.kind].form, Sentence)

    def options(self, task: Task, seed: str, slips: Sequence[Slip] | None = None) -> list[Any] | None:
        """The answers among which a reader chooses, shuffled for the seed; None where one is typed.

        ``slips`` are what :func:`~cnnlib.exercises.misconceptions.answers` gives, where that is known.
        """
        if self.says:
            return list(task.given["options"])
        if not self.choose:
            return None
        wrong = [answer for _, answer in (misconceptions.answers(task) if slips is None else slips)]
        dice = Dice(f"{seed}/{task!r}")
        options = shuffled(dice, [task.answer, *shuffled(dice, wrong)[:WRONG]])
        return [round(one, 3) if isinstance(one, float) else one for one in options]


@dataclass(frozen=True, init=False, eq=False)
class Quiz:
    """The questions at the end of a section.

    Attributes:
        name: no other quiz of the book has it.
        section: the section's title.
        questions: one or two.
    """

    name: str
    section: str
    questions: tuple[Ask, ...]

    def __init__(self, name: str, section: str, *questions: Ask) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
            raise TaskError(f"{name!r} cannot name a quiz; use small letters, digits and hyphens")
        if not questions:
            raise TaskError(f"quiz {name} asks nothing")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "section", section)
        object.__setattr__(self, "questions", questions)

    @property
    def anchor(self) -> str:
        """What the section is called in a link."""
        return anchor(self.section)

    def seed(self, number: int) -> str:
        """The text from which a question's draws are made; the first question is number 0."""
        return f"quiz/{self.name}/{number}"


def anchor(title: str) -> str:
    """What a section is called in a link, as the site names it.

    >>> anchor("What the frame costs: 3×3 is π/2"), anchor("“Same” isn't the same")
    ('what-the-frame-costs-33-is-2', 'same-isn-t-the-same')
    """
    plain = unicodedata.normalize("NFKD", title.lower()).encode("ascii", "ignore").decode()
    return re.sub(r"^[-0-9]+|-+$", "", re.sub(r"[^a-z0-9]+", "-", plain))


def shuffled(dice: Dice, entries: Sequence[Any]) -> list[Any]:
    """The entries in an order that the dice choose.

    >>> shuffled(Dice("an example"), "abcd")
    ['d', 'a', 'c', 'b']
    """
    left = list(entries)
    return [left.pop(dice.roll(0, len(left) - 1)) for _ in entries]


# --- Questions whose answers are sentences ------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Case:
    """A situation of :func:`sentences`: its text, what is right there, and what is not (sentence → message).

    A message says what is confused and never what is right. It may be a pair: the message, and the label of
    another chapter than the question's that explains it.
    """

    text: str
    right: str
    wrong: Mapping[str, str | tuple[str, str]] = field(default_factory=dict)


def among(options: Mapping[str, str | tuple[str, str]], *pairs: tuple[str, str]) -> list[Case]:
    """Cases of :func:`sentences` whose answers are the same few words each time.

    Args:
        options: each answer, and what to say where it is wrong.
        pairs: each situation, and which answer is right there.

    >>> ways = {"dilation": "Dilation leaves inputs out.", "a stride": "A stride leaves outputs out.",
    ...         "depth": "Depth leaves nothing out."}
    >>> among(ways, ("Every second place is lost.", "a stride"))[0].wrong
    {'dilation': 'Dilation leaves inputs out.', 'depth': 'Depth leaves nothing out.'}

    Raises:
        TaskError: what is right somewhere is none of the options.
    """
    if unknown := sorted({right for _, right in pairs} - options.keys()):
        raise TaskError(f"no such option: {', '.join(unknown)}")
    return [
        Case(text, right, {option: said for option, said in options.items() if option != right})
        for text, right in pairs
    ]


def sentences(
    kind: str,
    *,
    chapter: str,
    question: str,
    cases: Sequence[Case],
    text: str = "{situation}",
    wrong: Mapping[str, str | tuple[str, str]] | None = None,
) -> Ask:
    """Make a question whose answers are sentences; see the top of this module.

    Args:
        kind: a name for it that no kind of task has.
        chapter: label of the chapter that explains it.
        question: what to ask oneself when stuck.
        cases: the pool.
        text: what is asked; ``{situation}`` stands for the case's text.
        wrong: what is wrong in every case.

    Raises:
        TaskError: a case has fewer than two wrong sentences, or a sentence is right and wrong at once.
    """
    common = dict(wrong or {})
    rights: dict[str, list[str]] = {}
    wrongs: dict[str, dict[str, str | tuple[str, str]]] = {}
    for case in cases:
        rights.setdefault(case.text, []).append(case.right)
        wrongs.setdefault(case.text, dict(common)).update(case.wrong)
    for situation, right in rights.items():
        if both := set(right) & wrongs[situation].keys():
            raise TaskError(f"{kind}: right and wrong at once: {', '.join(sorted(both))}")
    for case in cases:
        if len(case.wrong) + len(common) < 2:
            raise TaskError(f"{kind}: {case.right!r} needs two wrong sentences beside it")

    def solve(situation: str, options: Sequence[str]) -> str:
        found = [option for option in options if option in rights.get(situation, ())]
        if len(found) != 1:
            raise TaskError(f"{kind}: one option must be right, not {len(found)}")
        return found[0]

    def roll(dice: Dice) -> dict[str, Any]:
        case = dice.pick(cases)
        own = shuffled(dice, list(case.wrong))[:WRONG]
        more = shuffled(dice, [one for one in common if one not in own])[: WRONG - len(own)]
        return {"situation": case.text, "options": tuple(shuffled(dice, [case.right, *own, *more]))}

    add_kind(kind, solve, Sentence(), question, chapter, roll)
    told: dict[tuple[str, str | tuple[str, str]], list[str]] = {}
    for situation, those in wrongs.items():
        for sentence, said in those.items():
            told.setdefault((sentence, said), []).append(situation)
    names: list[str] = []
    for (sentence, said), where in told.items():
        message, label = (said, chapter) if isinstance(said, str) else said

        def rule(
            situation: str, options: Sequence[str], sentence: str = sentence, where: Sequence[str] = where
        ) -> str | None:
            return sentence if situation in where and sentence in options else None

        stem = "-".join(re.findall("[a-z]+", sentence.lower())[:6]) or "none"
        free = (name for name in (stem, *(f"{stem}-{sign}" for sign in LETTERS)) if name not in names)
        names.append(next(free))
        misconceptions.add(kind, names[-1], rule, message, label)
    return Ask(kind, text)
