"""A network under a budget, and what it can read: checks of whole networks of :mod:`cnnlib.network`.

A student's network is never run as it is. Its description and its weights are asked for, and the same network
is built anew from them, of the library's own layers, and within bounds; that one is counted and tried.

>>> from cnnlib.layers import Conv2D, Dense, Flatten
>>> from cnnlib.network import Input, Sequential
>>> budget = Budget((1, 4, 7), 28, parameters=6_000, macs=100_000, field=9)
>>> network = Sequential([Input((28, 28, 1)), Conv2D(8, 5, strides=4), Flatten(), Dense(3)])
>>> shapes, parameters, macs, field = budget.judge("network", network, (28, 28, 1))
>>> print(macs.text)
8,064 multiply–accumulates, within 100,000.
>>> field.right                     # 5×5 pixels are fewer than 9×9
False
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnlib.exercises.checks import EMPTY, FORM, RIGHT, WRONG, Verdict
from cnnlib.exercises.wording import chapter_reference, say, shape_text
from cnnlib.images import crop, handwritten_digits, to_floats

if TYPE_CHECKING:
    from cnnlib.network import Model
    from cnnlib.summary import Summary

#: A network with so many times its budget is not tried: it would take too long.
FAR_ABOVE = 4
#: The longest description of a network that is read, in values, and its largest whole number.
MOST_VALUES, MOST_NUMBER = 20_000, 100_000
#: The parts of the digits: three of five to learn from, one to watch the training, one for the exam.
PARTS = {"training": (0, 1, 2), "validation": (3,), "exam": (4,)}


class Digits(NamedTuple):
    """Images (count, side, side, 1), float32 from 0 to 1, and labels: the places of their class."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]


@functools.lru_cache(maxsize=8)
def digits(classes: tuple[int, ...], side: int, part: str = "training") -> Digits:
    """Handwritten digits of some classes, cut or framed to ``side`` × ``side`` pixels.

    Args:
        classes: which digits; label 0 is the first of them.
        side: height and width of the images.
        part: one of :data:`PARTS`.

    >>> images, labels = digits((1, 4, 7), 24)
    >>> images.shape, np.bincount(labels).tolist()
    ((900, 24, 24, 1), [300, 300, 300])
    """
    pixels, said = handwritten_digits()
    numbers = np.concatenate(
        [np.flatnonzero(said == digit)[np.isin(np.arange(500) % 5, PARTS[part])] for digit in classes]
    )
    chosen = pixels[numbers]
    frame = max(0, side - chosen.shape[1])
    framed = np.pad(chosen, ((0, 0), (frame // 2, frame - frame // 2), (frame // 2, frame - frame // 2)))
    cut = np.stack([crop(image, side, side) for image in framed])
    labels = np.array([classes.index(digit) for digit in said[numbers]])
    images = to_floats(cut)[..., np.newaxis]
    images.setflags(write=False)
    labels.setflags(write=False)
    return Digits(images, labels)


@dataclass(frozen=True)
class Budget:
    """What a network may cost, and how much it must see.

    Attributes:
        classes: the digits that it tells apart.
        side: of the images.
        parameters: the most that it may have.
        macs: the most multiply–accumulates for one image.
        field: what a unit of its last maps (the last that have places) must see, in pixels a side.
    """

    classes: tuple[int, ...]
    side: int
    parameters: int
    macs: int
    field: int

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Of one image."""
        return self.side, self.side, 1

    def digits(self, part: str = "training") -> Digits:
        """The digits of :func:`digits`."""
        return digits(self.classes, self.side, part)

    def judge(self, name: str, answer: Any, input_shape: tuple[int, ...]) -> list[Verdict]:
        """Verdicts on the shapes, the parameters, the work and the receptive field."""
        network, problem = read_network(name, answer)
        if network is None:
            return [problem] * 4
        table = network.summary()
        return [
            self._shapes(network, input_shape),
            _within("parameters", table.parameters, self.parameters),
            _within("macs", table.macs or 0, self.macs),
            self._sees(table),
        ]

    def _shapes(self, network: Model, input_shape: tuple[int, ...]) -> Verdict:
        given, output = _open(network.input_shape), _open(network.output_shape)
        if given != tuple(input_shape):
            text = say("network-input", given=shape_text(given), wanted=shape_text(tuple(input_shape)))
            return Verdict(WRONG, text)
        if output != (len(self.classes),):
            text = say("network-output", given=shape_text(output), classes=len(self.classes))
            return Verdict(WRONG, text)
        shapes = {"input": shape_text(given), "classes": len(self.classes)}
        return Verdict(RIGHT, say("network-shapes-right", **shapes), share=1.0)

    def _sees(self, table: Summary) -> Verdict:
        facts = {"given": last_field(table), "limit": self.field}
        if facts["given"] < self.field:
            return Verdict(WRONG, f"{say('budget-below', **facts)} {chapter_reference('receptive-field')}")
        return Verdict(RIGHT, say("budget-sees", **facts), share=1.0)


@dataclass(frozen=True)
class Exam:
    """Digits that the network must read; it is examined only where it is about within its budget.

    Attributes:
        budget: whose digits.
        part: which of them, see :data:`PARTS`.
        steps: pairs (share of digits read, share of the points for it), rising.
    """

    budget: Budget
    part: str = "exam"
    steps: Sequence[tuple[float, float]] = ((0.85, 0.5), (0.91, 1.0))

    def judge(self, name: str, answer: Any, input_shape: tuple[int, ...]) -> list[Verdict]:
        """One verdict, with a share of the points for each step that is reached."""
        network, problem = read_network(name, answer)
        if network is None:
            return [problem]
        shapes = self.budget._shapes(network, input_shape)
        if not shapes.right:
            return [shapes]
        table = network.summary()
        costs = {"parameters": table.parameters, "macs": table.macs or 0}
        if (
            costs["parameters"] > FAR_ABOVE * self.budget.parameters
            or costs["macs"] > FAR_ABOVE * self.budget.macs
        ):
            return [Verdict(WRONG, say("network-large", name=name, **costs))]
        try:
            network.set_weights([np.asarray(weight) for weight in answer.get_weights()])
            images, labels = self.budget.digits(self.part)
            with np.errstate(all="ignore"):  # a cell that warns gets no points at all
                scores = network.predict(images)
        except Exception as error:  # what a student's object hands over may be anything
            return [Verdict(FORM, say("network-unreadable", name=name, problem=_told(error)))]
        if not np.isfinite(scores).all():
            return [Verdict(WRONG, say("no-numbers", name=name))]
        return [self._mark(float(np.mean(scores.argmax(axis=1) == labels)), len(labels))]

    def _mark(self, share: float, count: int) -> Verdict:
        wanted = self.steps[-1][0]
        text = say("accuracy", share=share, count=count, wanted=wanted)
        won = max((points for least, points in self.steps if share >= least), default=0.0)
        if share >= wanted:
            return Verdict(RIGHT, text, share=won)
        text = f"{text} {say('accuracy-question')} {chapter_reference('learning')}"
        return Verdict(WRONG, text, share=won)


def read_network(name: str, answer: Any) -> tuple[Model | None, Verdict]:
    """The network that an answer describes, built anew with weights of its own; or what is wrong with it.

    >>> read_network("network", 3)[1].text
    'network is of type int; a network of cnnlib.network is asked for (Sequential or Model).'
    """
    from cnnlib.network import Model  # a whole library of layers, wanted by one assignment

    kind = type.__dict__["__name__"].__get__(type(answer))[:40]  # past what a metaclass may say
    if answer is ...:
        return None, Verdict(EMPTY, say("empty"))
    if _of_keras(answer):
        return None, Verdict(FORM, say("not-a-network", name=name, type=f"keras.{kind}"))
    if kind not in ("Sequential", "Model"):
        return None, Verdict(FORM, say("not-a-network", name=name, type=kind))
    try:
        description = answer.get_config()
        if type(description) is not dict or not _modest(description):
            raise ValueError("it is no description of a network, or a very long one")
        network = Model.from_config(description)
        network.summary()
    except Exception as error:  # what a student's object says of itself may be anything
        return None, Verdict(FORM, say("network-unreadable", name=name, problem=_told(error)))
    return network, Verdict(RIGHT, say("right"), share=1.0)


def _of_keras(answer: Any) -> bool:
    """Whether an answer is a Keras model, whose description says something else."""
    return type(answer).__module__.split(".")[0] == "keras"


def last_field(table: Summary) -> int:
    """The pixels a side that a unit of the last maps sees, along the axis where it sees fewer.

    >>> from cnnlib.architectures import lenet5_modern
    >>> last_field(lenet5_modern().summary())
    16
    """
    rows = [row for row in table.rows if len(row.output_shape) == 4]
    fields = rows[-1].field if rows else None
    return min((axis.size or 0 for axis in fields or () if axis is not None), default=0)


def _within(what: str, given: int, limit: int) -> Verdict:
    facts = {"what": say(what), "given": given, "limit": limit}
    if given > limit:
        text = f"{say('budget-above', **facts)} {chapter_reference('classic-architectures')}"
        return Verdict(WRONG, text)
    return Verdict(RIGHT, say("budget-within", **facts), share=1.0)


def _open(shape: Any) -> tuple[int, ...]:
    return tuple(shape[1:]) if isinstance(shape, tuple) else ()


def _modest(description: Any) -> bool:
    """Whether a description is made of plain values, not too many, and no number is huge."""
    waiting, count = [description], 0
    while waiting:
        one = waiting.pop()
        count += 1
        if count > MOST_VALUES:
            return False
        if type(one) is dict:
            waiting += [*one.keys(), *one.values()]
        elif type(one) in (list, tuple):
            waiting += one
        elif type(one) in (int, float):
            if not abs(one) <= MOST_NUMBER:
                return False
        elif type(one) not in (str, bool, type(None)):
            return False
    return True


def _told(error: Exception) -> str:
    try:
        return " ".join(str(error).split())[:200] or type(error).__name__
    except Exception:  # an error whose own text raises one
        return type(error).__name__
