"""What can be asked: kinds of task, and a task as a kind with its parameters.

The right answer is computed by the same functions of :mod:`cnnlib` that the chapters explain, so that a
question, its check and the page about it cannot disagree.

>>> task = Task("conv_parameters", kernel_size=5, channels=3, filters=10)
>>> task.answer
760

A kind also draws parameters: from the same seed always the same, so that a seed made of a student's name
gives that student's own numbers (see :func:`draw`).
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from numpy.typing import ArrayLike, NDArray

from cnnlib.convolution import conv, correlate
from cnnlib.errors import CnnError, SizeError
from cnnlib.exercises.answers import Array, Form, Number, Shape
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.networks import Conv, Pool, trace
from cnnlib.exercises.wording import facts
from cnnlib.sizes import (
    Padding,
    PerAxis,
    conv_parameters,
    dropped_inputs,
    kernel_shape,
    output_shape,
    output_size,
    padding_amounts,
    per_axis,
)

#: The parameters of a function, found once: thousands of tasks are drawn before one is good.
_signature = functools.cache(inspect.signature)


class TaskError(CnnError, ValueError):
    """A task that cannot be asked: unknown kind, wrong parameters, or not well-posed."""


@dataclass(frozen=True)
class Kind:
    """A kind of question.

    Attributes:
        name: what tasks and misconceptions call it.
        solve: computes the right answer from the parameters.
        form: what an answer looks like.
        question: what to ask oneself when stuck.
        chapter: label of the chapter that explains it.
        roll: draws parameters; it may take hints, which narrow what it draws.
    """

    name: str
    solve: Callable[..., Any]
    form: Form
    question: str
    chapter: str
    roll: Callable[..., dict[str, Any]]


@dataclass(frozen=True, init=False)
class Task:
    """One question: a kind and its parameters.

    >>> Task("output_size", size=28, kernel_size=5)
    Task('output_size', size=28, kernel_size=5, stride=1, padding=0)
    >>> Task("output_size", size=28)
    Traceback (most recent call last):
        ...
    cnnlib.exercises.tasks.TaskError: output_size: missing a required argument: 'kernel_size'
    """

    kind: Kind
    given: Mapping[str, Any]

    def __init__(self, kind: str, **given: Any) -> None:
        if kind not in KINDS:
            raise TaskError(f"no kind of task is called {kind!r}; there are {', '.join(KINDS)}")
        try:
            bound = _signature(KINDS[kind].solve).bind(**given)
        except TypeError as error:
            raise TaskError(f"{kind}: {error}") from None
        bound.apply_defaults()
        object.__setattr__(self, "kind", KINDS[kind])
        object.__setattr__(self, "given", MappingProxyType(dict(bound.arguments)))

    @functools.cached_property
    def answer(self) -> Any:
        """The right answer, in the kind's form."""
        return self.kind.form.read(self.kind.solve(**self.given))

    @property
    def text(self) -> str:
        """The parameters in words: ``input 28, kernel 5, stride 1, padding 0``."""
        return facts(self.given)

    def __repr__(self) -> str:
        given = "".join(f", {name}={value!r}" for name, value in self.given.items())
        return f"Task({self.kind.name!r}{given})"


def draw(kind: str, seed: str, accept: Callable[[Task], bool] | None = None, **fixed: Any) -> Task:
    """Draw a task from a seed.

    Args:
        kind: name of the kind.
        seed: any text; the same text always gives the same task.
        accept: says whether a task will do, for instance :func:`~cnnlib.exercises.checks.well_posed`.
        fixed: parameters that are not drawn, and hints to the drawing (``channels=1`` for ``conv2d``).

    >>> draw("output_size", seed="03/first-size/ada", stride=1)
    Task('output_size', size=43, kernel_size=4, stride=1, padding=3)

    Raises:
        TaskError: no acceptable task within a thousand draws.
    """
    if kind not in KINDS:
        raise TaskError(f"no kind of task is called {kind!r}; there are {', '.join(KINDS)}")
    roll = KINDS[kind].roll
    hints = {name: fixed.pop(name) for name in _signature(roll).parameters if name in fixed}
    for attempt in range(1000):
        task = Task(kind, **(roll(Dice(f"{seed}#{attempt}"), **hints) | fixed))
        try:
            task.answer  # noqa: B018  # sizes must fit
        except SizeError:
            continue
        if accept is None or accept(task):
            return task
    raise TaskError(f"{kind}: no acceptable task among a thousand draws with {fixed} fixed")


# --- How each kind is solved --------------------------------------------------------------------------


def _axis_output(size: int, kernel_size: int, stride: int = 1, padding: int = 0) -> int:
    return output_size(size, kernel_size, stride, padding)


def _axis_rest(size: int, kernel_size: int, stride: int = 1, padding: int = 0) -> int:
    return dropped_inputs(size, kernel_size, stride, padding)


def _conv_output(
    input_shape: Sequence[int],
    kernel_size: PerAxis,
    filters: int,
    strides: PerAxis = 1,
    padding: Padding = 0,
) -> tuple[int, ...]:
    return output_shape((1, *input_shape), kernel_size, filters, strides, padding)[1:]


def _pool_output(
    input_shape: Sequence[int], pool_size: PerAxis, strides: PerAxis, padding: Padding = 0
) -> tuple[int, ...]:
    return output_shape((1, *input_shape), pool_size, None, strides, padding)[1:]


def _keeping_padding(kernel_size: int) -> int:
    # At stride 1 the padding that keeps the size does not depend on the size.
    return padding_amounts(kernel_size, kernel_size, padding="same")[0]


def _weight_shape(kernel_size: PerAxis, channels: int, filters: int) -> tuple[int, ...]:
    return kernel_shape(per_axis(kernel_size, 2, "kernel_size"), channels, filters)


def _parameters(kernel_size: PerAxis, channels: int, filters: int, use_bias: bool = True) -> int:
    return conv_parameters(per_axis(kernel_size, 2, "kernel_size"), channels, filters, use_bias=use_bias)


def _kernel_from_count(parameters: int, channels: int, filters: int) -> int:
    """The width of the square kernel whose layer has so many parameters."""
    for width in range(1, math.isqrt(parameters) + 1):
        if _parameters(width, channels, filters) == parameters:
            return width
    raise TaskError(f"no square kernel gives {parameters} parameters")


def _network_parameters(input_shape: Sequence[int], layers: Sequence[Conv | Pool]) -> int:
    return sum(row.parameters for row in trace(input_shape, layers))


def _conv2d(inputs: NDArray, kernels: NDArray, stride: int = 1) -> NDArray:
    return conv(inputs[None], kernels, stride)[0]


def _correlate(signal: ArrayLike, kernel: ArrayLike, stride: int = 1) -> NDArray:
    return correlate(signal, kernel, stride)


def _first_slip(lines: Sequence[Line]) -> int:
    """The number, from 1, of the first line whose claim is not what its own task gives."""
    for number, line in enumerate(lines, start=1):
        if line.claim != line.task.answer:
            return number
    raise TaskError("there is no slip in these lines")


@dataclass(frozen=True)
class Line:
    """A line of a worked solution: what it claims, and the task that tells whether it is so."""

    claim: Any
    task: Task


# --- How each kind draws ------------------------------------------------------------------------------


def _roll_axis(dice: Dice) -> dict[str, Any]:
    kernel, stride = dice.roll(1, 11), dice.roll(1, 4)
    return {
        "size": dice.roll(kernel, 64),
        "kernel_size": kernel,
        "stride": stride,
        "padding": dice.roll(0, max(kernel - 1, 0)),
    }


def _roll_conv(dice: Dice) -> dict[str, Any]:
    kernel = dice.pick((3, 5, 7, 9))
    return {
        "input_shape": (dice.roll(24, 96), dice.roll(24, 96), dice.pick((1, 3, 8, 16))),
        "kernel_size": kernel,
        "filters": dice.roll(4, 64),
        "strides": dice.roll(1, 3),
        "padding": dice.roll(0, kernel // 2),
    }


def _roll_pool(dice: Dice) -> dict[str, Any]:
    return {
        "input_shape": (dice.roll(24, 96), dice.roll(24, 96), 2 * dice.roll(4, 48)),
        "pool_size": dice.roll(2, 3),
        "strides": 2,
        "padding": dice.pick((0, 0, 0, 1)),
    }


def _roll_layer(dice: Dice, oblong: bool = False) -> dict[str, Any]:
    return {
        "kernel_size": (dice.roll(1, 7), dice.roll(1, 7)) if oblong else dice.roll(1, 7),
        "channels": dice.roll(1, 16),
        "filters": dice.roll(2, 24),
    }


def _roll_count(dice: Dice) -> dict[str, Any]:
    width, channels, filters = dice.pick((3, 5, 7)), dice.roll(2, 16), dice.roll(4, 32)
    return {
        "parameters": _parameters(width, channels, filters),
        "channels": channels,
        "filters": filters,
    }


def _roll_network(dice: Dice) -> dict[str, Any]:
    first, second = Conv(dice.roll(4, 16), 5), Conv(dice.roll(8, 32), 3, padding="same")
    return {"input_shape": (dice.roll(24, 64), dice.roll(24, 64), 3), "layers": (first, Pool(2), second)}


def _roll_signal(dice: Dice) -> dict[str, Any]:
    return {
        "signal": tuple(dice.roll(-3, 5) for _ in range(7)),
        "kernel": tuple(dice.roll(-3, 3) for _ in range(2)),
        "stride": dice.roll(1, 2),
    }


def _roll_conv2d(dice: Dice, channels: int | None = None, filters: int | None = None) -> dict[str, Any]:
    rows, columns = dice.roll(1, 3), dice.roll(1, 4)
    height, width = rows + dice.roll(1, 5), columns + dice.roll(2, 6)
    channels, filters = channels or dice.roll(2, 3), filters or dice.roll(2, 4)
    return {
        "inputs": dice.halves((height, width, channels)),
        "kernels": dice.halves((rows, columns, channels, filters)),
        "stride": dice.roll(1, 3),
    }


def _roll_lines(dice: Dice) -> dict[str, Any]:
    layer = _roll_layer(dice)
    one = Task("conv_parameters", **(layer | {"filters": 1}))
    return {"lines": (Line(one.answer, one), Line(one.answer, Task("conv_parameters", **layer)))}


_IMAGE = ("height", "width", "channels")
_HOW_MANY_STEPS = "how far can the window move before it would stick out, and how many steps is that?"

#: All kinds by name.
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("output_size", _axis_output, Number(), _HOW_MANY_STEPS, "padding-and-stride", _roll_axis),
        Kind(
            "dropped_inputs",
            _axis_rest,
            Number(),
            "where does the last window end, and what lies behind it?",
            "padding-and-stride",
            _roll_axis,
        ),
        Kind(
            "keeping_padding",
            _keeping_padding,
            Number(),
            "by how much does the kernel shrink the input, and how is that shared by the two sides?",
            "padding-and-stride",
            lambda dice: {"kernel_size": 2 * dice.roll(1, 7) + 1},
        ),
        Kind(
            "conv_output",
            _conv_output,
            Shape(_IMAGE),
            "which of height, width and channels does the window decide, and what decides the other?",
            "padding-and-stride",
            _roll_conv,
        ),
        Kind(
            "pool_output",
            _pool_output,
            Shape(_IMAGE),
            "what does pooling do to a single feature map, and to how many of them?",
            "padding-and-stride",
            _roll_pool,
        ),
        Kind(
            "weight_shape",
            _weight_shape,
            Shape(("kernel height", "kernel width", "input channels", "filters")),
            "how large is one filter, and how many of them are there?",
            "filters-and-kernels",
            _roll_layer,
        ),
        Kind(
            "conv_parameters",
            _parameters,
            Number(),
            "how many weights has a single filter, what else belongs to it, and how many filters are there?",
            "filters-and-kernels",
            _roll_layer,
        ),
        Kind(
            "kernel_from_count",
            _kernel_from_count,
            Number(),
            "how many of these parameters are weights, and how many weights has one kernel?",
            "filters-and-kernels",
            _roll_count,
        ),
        Kind(
            "network_parameters",
            _network_parameters,
            Number(),
            "which layers learn something, and how deep is the input of each?",
            "filters-and-kernels",
            _roll_network,
        ),
        Kind(
            "correlation",
            _correlate,
            Array(),
            "which inputs lie under the kernel at the first place, and which at the next?",
            "one-dimension",
            _roll_signal,
        ),
        Kind(
            "conv2d",
            _conv2d,
            Array(3),
            "which numbers are multiplied and added for the very first output value?",
            "filters-and-kernels",
            _roll_conv2d,
        ),
        Kind(
            "first_slip",
            _first_slip,
            Number(),
            "which lines are right if you work them out anew?",
            "filters-and-kernels",
            _roll_lines,
        ),
    )
}
