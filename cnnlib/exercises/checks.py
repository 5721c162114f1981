"""Checking answers: say whether one is right, and if not, which slip is likely behind it.

The right answer is never printed. :func:`check` judges a value, :func:`check_function` a function on many
inputs, :func:`check_refusals` a function on inputs that it must refuse, :func:`check_model` a Keras model.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import io
import math
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnlib.exercises.answers import EmptyAnswer, FormError, brief
from cnnlib.exercises.misconceptions import Misconception, answers, likely
from cnnlib.exercises.networks import AnyLayer, Conv, Pool, Row, trace
from cnnlib.exercises.tasks import KINDS, Task, draw
from cnnlib.exercises.wording import chapter_reference, say
from cnnlib.sizes import kernel_shape, per_axis

#: What a verdict can be.
RIGHT, SLIP, WRONG, FORM, EMPTY = "right", "slip", "wrong", "form", "empty"


@dataclass(frozen=True)
class Verdict:
    """A judgement: its ``state``, the sentence to show, the slip behind it, and the share of points."""

    state: str
    text: str
    slip: str | None = None
    share: float = 0.0

    @property
    def right(self) -> bool:
        """Whether nothing is left to do."""
        return self.state == RIGHT


def check(task: Task, answer: Any) -> Verdict:
    """Judge a value.

    >>> layer = Task("conv_parameters", kernel_size=5, channels=3, filters=10)
    >>> check(layer, 760).text
    'right.'
    >>> print(check(layer, 750).text)
    750 leaves out the biases: every filter has one. See chapter 5, “Filters and kernels”.
    >>> check(layer, "760").text
    'your answer is text. Write the number without quotation marks.'
    """
    form = task.kind.form
    try:
        value = form.read(answer)
    except EmptyAnswer as error:
        return Verdict(EMPTY, str(error))
    except FormError as error:
        return Verdict(FORM, str(error))
    if form.same(value, task.answer):
        whole = type(answer) is not type(value) and isinstance(answer, float)
        return Verdict(RIGHT, say("right-whole" if whole else "right"), share=1.0)
    for entry, wrong in answers(task):
        if form.same(value, wrong):
            message = entry.message.format(answer=brief(value), **task.given)
            return Verdict(SLIP, f"{message} {chapter_reference(entry.chapter)}", entry.name)
    key = "unknown-array" if isinstance(value, np.ndarray) else "unknown"
    text = say(key, answer=brief(value), question=task.kind.question)
    return Verdict(WRONG, f"{text} {chapter_reference(task.kind.chapter)}")


def form_only(kind: str, answer: Any) -> Verdict:
    """Judge only whether an answer is there and of the right type.

    >>> form_only("output_size", 23).text
    'filled in; it is checked when your work is graded.'
    """
    try:
        KINDS[kind].form.read(answer)
    except EmptyAnswer as error:
        return Verdict(EMPTY, str(error))
    except FormError as error:
        return Verdict(FORM, str(error))
    return Verdict(RIGHT, say("pending"), share=1.0)


def faults(task: Task) -> list[str]:
    """What makes a task a bad question: a likely mistake that is right, or two that cannot be told apart.

    >>> faults(Task("output_size", size=32, kernel_size=5, padding=1))
    ['forgot-the-one and padded-one-side give the same answer']
    """
    found: list[str] = []
    form, told = task.kind.form, answers(task)
    for number, (entry, wrong) in enumerate(told):
        if form.same(wrong, task.answer):
            found.append(f"{entry.name} gives the right answer")
        found += [
            f"{other.name} and {entry.name} give the same answer"
            for other, value in told[:number]
            if form.same(wrong, value)
        ]
    return found


def well_posed(task: Task, slips: int = 0) -> bool:
    """Whether every likely mistake can be told from the others and from the right answer.

    At least so many ``slips`` must show in it.
    """
    told = [wrong for _, wrong in answers(task)]
    same = task.kind.form.same
    return len(told) >= slips and not any(
        same(one, other) for number, one in enumerate(told) for other in (task.answer, *told[:number])
    )


# --- Functions ----------------------------------------------------------------------------------------

#: A mistake that shows on none of so many cases is taken to make no difference with what is fixed.
HOPELESS = 40


def draw_cases(kind: str, seed: str, count: int, **fixed: Any) -> list[Task]:
    """Inputs to try a function on, always the same for a seed.

    ``fixed`` parameters are not drawn: ``stride=1`` tries the function without a stride. The first few
    draws are replaced until each likely mistake shows on at least one case, but for those that never do.

    >>> [case.given["size"] for case in draw_cases("output_size", "example", 3, stride=1, padding=0)]
    [62, 54, 40]
    """
    return list(_cases(kind, seed, count, tuple(fixed.items())))


@functools.lru_cache(maxsize=512)
def _cases(kind: str, seed: str, count: int, fixed: tuple[tuple[str, Any], ...]) -> tuple[Task, ...]:
    mistakes = likely(kind)
    hid: collections.Counter[str] = collections.Counter()
    for attempt in range(100):
        cases = tuple(draw(kind, f"{seed}/{attempt}/{number}", **dict(fixed)) for number in range(count))
        unseen = next((entry for entry in mistakes if _hidden(entry, cases)), None)
        if unseen is None:
            break
        mistakes.remove(unseen)
        hid[unseen.name] += count
        if hid[unseen.name] < HOPELESS:
            mistakes.insert(0, unseen)  # what hid once may hide again: it is first now
    return cases


def _hidden(entry: Misconception, cases: Sequence[Task]) -> bool:
    """Whether a mistake could show with such parameters, and shows on none of the cases."""
    could = False
    for case in cases:
        wrong = entry.answer(case)
        if wrong is not None:
            could = True
            if not case.kind.form.same(wrong, case.answer):
                return False
    return could


@dataclass(frozen=True)
class _Outcome:
    """What a function did with one case."""

    case: Task
    value: Any
    problem: str | None
    empty: bool = False


def check_function(  # noqa: PLR0911  # one return for each thing that can be wrong
    name: str, function: Any, cases: Sequence[Task], arguments: Sequence[str] | None = None
) -> Verdict:
    """Judge a function by calling it on every case; the first case that fails is told.

    Args:
        name: what the function is called in messages.
        function: the student's function; it gets the parameters in order.
        cases: tasks of one kind.
        arguments: names of the parameters to hand over, default all.

    >>> cases = draw_cases("output_size", "example", 4)
    >>> check_function("size", lambda n, f, s, p: (n + 2 * p - f) // s, cases).slip
    'forgot-the-one'
    """
    if function is ...:
        return Verdict(EMPTY, say("empty"))
    if not callable(function):
        return Verdict(FORM, say("not-a-function", name=name, type=type(function).__name__))
    outcomes: list[_Outcome] = []
    first: _Outcome | None = None
    for case in cases:
        outcome = _try(name, function, case, arguments)
        if outcome.empty:
            return Verdict(EMPTY, outcome.problem or "")
        if outcome.problem and first is None:  # what takes too long once is not tried twenty times
            return Verdict(FORM, outcome.problem)
        if first is None and not case.kind.form.same(outcome.value, case.answer):
            first = outcome
        outcomes.append(outcome)
    if first is None:
        return Verdict(RIGHT, say("function-right", count=len(cases)), share=1.0)
    call, result = _call_text(name, first.case, arguments), brief(first.value)
    entry = _slip_behind(outcomes)
    if entry:
        message = entry.message.format(answer=result, **first.case.given)
        message = message.removeprefix(f"{result} ")
        joint = "That" if entry.message.startswith("{answer}") else ""
        text = say("slip-call", call=call, result=result, message=f"{joint} {message}".strip())
        return Verdict(SLIP, f"{text} {chapter_reference(entry.chapter)}", entry.name)
    text, slip = _plain_fault(call, outcomes, first)
    question = say("function-question", question=cases[0].kind.question)
    return Verdict(WRONG, f"{text} {question} {chapter_reference(cases[0].kind.chapter)}", slip)


def check_refusals(  # noqa: PLR0911
    name: str, function: Any, calls: Iterable[Sequence[Any]], error: type[Exception] = ValueError
) -> Verdict:
    """Judge whether a function raises ``error`` for every one of the calls.

    >>> def size(n, f):
    ...     return n - f + 1
    >>> print(check_refusals("size", size, [(3, 5)]).text)
    size(3, 5) gave -1, but the kernel does not fit there. Raise a ValueError.
    """
    if function is ...:
        return Verdict(EMPTY, say("empty"))
    if not callable(function):
        return Verdict(FORM, say("not-a-function", name=name, type=type(function).__name__))
    count = 0
    for arguments in calls:
        count += 1
        call = f"{name}({', '.join(_argument_text(argument) for argument in arguments)})"
        try:
            result, _ = _quietly(function, arguments)
        except error:
            continue
        except NotImplementedError:
            return Verdict(EMPTY, say("empty"))
        except Exception as raised:
            text = say("wrong-error", call=call, raised=type(raised).__name__, error=error.__name__)
            return Verdict(WRONG, text)
        if result is ...:
            return Verdict(EMPTY, say("empty"))
        text = say("not-refused", call=call, result=_result_text(result), error=error.__name__)
        return Verdict(WRONG, text)
    return Verdict(RIGHT, say("refuses-right", count=count), share=1.0)


def _quietly(function: Callable[..., Any], arguments: Sequence[Any]) -> tuple[Any, str]:
    """Call without letting anything be printed; return the result and what was printed.

    nbgrader gives no points to a cell that writes to stderr, be it only a warning.
    """
    printed = io.StringIO()
    with (
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        try:
            result = function(*arguments)
        except SystemExit as stop:  # exit() in a function ends the notebook's kernel otherwise
            raise RuntimeError(f"exit({stop.code})") from None
    return result, printed.getvalue()


def _arguments(case: Task, names: Sequence[str] | None) -> list[Any]:
    chosen = case.given if names is None else {name: case.given[name] for name in names}
    return [value.copy() if isinstance(value, np.ndarray) else value for value in chosen.values()]


def _try(  # noqa: PLR0911
    name: str, function: Callable[..., Any], case: Task, names: Sequence[str] | None
) -> _Outcome:
    arguments, untouched = _arguments(case, names), _arguments(case, names)
    call = _call_text(name, case, names)
    try:
        result, printed = _quietly(function, arguments)
    except NotImplementedError:
        return _Outcome(case, None, say("empty"), empty=True)
    except Exception as error:
        what = type(error).__name__
        try:
            detail = " ".join(str(error).split())[:200]
        except Exception:  # an error whose own text raises one
            detail = ""
        return _Outcome(case, None, say("raised", call=call, error=f"{what}: {detail}" if detail else what))
    if result is ...:
        return _Outcome(case, None, say("empty"), empty=True)
    if result is None:
        return _Outcome(case, None, say("printed" if printed.strip() else "returned-none", call=call))
    if any(
        isinstance(now, np.ndarray) and not np.array_equal(now, before)
        for now, before in zip(arguments, untouched, strict=True)
    ):
        return _Outcome(case, None, say("mutated", call=call))
    if any(isinstance(given, np.ndarray) and result is given for given in arguments):
        return _Outcome(case, None, say("returned-input", call=call))
    try:
        value = case.kind.form.read(result)
    except FormError as error:
        problem = str(error).replace("your answer", "its result").replace("your array", "its array")
        return _Outcome(case, None, say("form-call", call=call, problem=problem))
    if (
        type(result) is np.ndarray
        and result.dtype.kind in "iu"
        and not case.kind.form.same(value, case.answer)
        and not np.array_equal(case.answer, np.round(case.answer))  # places, say, are whole
    ):
        return _Outcome(case, None, say("whole-numbers", call=call, dtype=result.dtype))
    return _Outcome(case, value, None)


def _slip_behind(outcomes: Sequence[_Outcome]) -> Misconception | None:
    """The mistake that explains everything the function returned, right results included."""
    for entry in likely(outcomes[0].case.kind.name):
        explained = True
        for outcome in outcomes:
            form = outcome.case.kind.form
            wrong = entry.answer(outcome.case)
            expected = outcome.case.answer if wrong is None else wrong
            if outcome.problem or not form.same(outcome.value, expected):
                explained = False
                break
        if explained:
            return entry
    return None


def _plain_fault(call: str, outcomes: Sequence[_Outcome], first: _Outcome) -> tuple[str, str | None]:
    """Say what is wrong with a result that no registered mistake explains."""
    value, result = first.value, brief(first.value)
    if isinstance(value, np.ndarray):
        if not value.any():
            return say("zeros", call=call), "zeros"
        if value.shape != first.case.answer.shape:
            return say("result-shape", call=call, shape=value.shape), "result-shape"
    elif len(outcomes) > 1 and len({str(outcome.value) for outcome in outcomes}) == 1:
        return say("constant", call=call, result=result), "constant"
    return say("wrong-call", call=call, result=result), None


def _call_text(name: str, case: Task, names: Sequence[str] | None) -> str:
    return f"{name}({', '.join(_argument_text(argument) for argument in _arguments(case, names))})"


def _argument_text(argument: Any) -> str:
    return f"array of {argument.shape}" if isinstance(argument, np.ndarray) else repr(argument)


def _result_text(result: Any) -> str:
    kind = type(result)
    return repr(result)[:60] if kind in (int, float, str, bool, type(None)) else f"a {kind.__name__}"


# --- Keras models -------------------------------------------------------------------------------------


def check_model(
    name: str, model: Any, input_shape: tuple[int, ...], wanted: Sequence[Row | AnyLayer]
) -> list[Verdict]:
    """Judge a Keras model layer by layer.

    Args:
        name: what the model is called in messages.
        model: the student's model; only what it holds is looked at, and no layer is called.
        input_shape: (height, width, channels).
        wanted: rows of a table (output shape and parameters), or layers; with layers the shapes of the
            weights must fit too, so that nothing but a plain convolution (or the layer given) will do.

    Returns:
        a verdict for each layer.
    """
    layers = [entry for entry in wanted if not isinstance(entry, Row)]
    rows = trace(input_shape, layers) if layers else [entry for entry in wanted if isinstance(entry, Row)]
    given, problem = _read_model(name, model, input_shape, len(rows))
    if problem is not None:
        return [problem] * len(rows)
    shapes = [tuple(input_shape), *(row.output for row in rows)]
    return [
        _check_layer(number, given[number - 1], row, _weights(layers, number, shapes))
        for number, row in enumerate(rows, start=1)
    ]


def _weights(
    layers: Sequence[AnyLayer], number: int, shapes: Sequence[tuple[int, ...]]
) -> list[tuple[int, ...]] | None:
    """The shapes of a layer's weights and biases; None where they are not asked for."""
    layer = layers[number - 1] if layers else None
    if layer is None or isinstance(layer, Pool):
        return None
    before = shapes[number - 1]
    if not isinstance(layer, Conv):
        return [weight.shape for weight in layer.weight_specs((None, *before)).values()]
    size = per_axis(layer.kernel_size, 2, "kernel_size")
    return [kernel_shape(size, before[-1], layer.filters), (layer.filters,)]


def _read_model(
    name: str, model: Any, input_shape: tuple[int, ...], count: int
) -> tuple[list[Any], Verdict | None]:
    """The layers of a model without its input layer, or what is wrong with it as a whole."""
    if model is ...:
        return [], Verdict(EMPTY, say("empty"))
    keras = sys.modules.get("keras")  # a Keras model cannot be there without Keras
    if keras is None or not isinstance(model, keras.Model):
        return [], Verdict(FORM, say("not-a-model", name=name, type=type(model).__name__))
    if not model.built:
        return [], Verdict(FORM, say("not-built", name=name))
    given = tuple(model.input_shape)[1:]
    if given != tuple(input_shape):
        return [], Verdict(WRONG, say("model-input", given=given, wanted=tuple(input_shape)))
    layers = [layer for layer in model.layers if type(layer).__name__ != "InputLayer"]
    if len(layers) != count:
        return [], Verdict(WRONG, say("model-layers", given=len(layers), count=count))
    return layers, None


def _check_layer(number: int, layer: Any, wanted: Row, weights: list[tuple[int, ...]] | None) -> Verdict:
    facts: dict[str, Any] = {"number": number, "layer": type(layer).__name__}
    if type(layer) is not getattr(sys.modules["keras"].layers, wanted.layer):
        return Verdict(WRONG, say("layer-kind", number=number, given=facts["layer"], wanted=wanted.layer))
    shape = tuple(layer.output.shape)[1:]
    if shape != wanted.output:
        text = say("layer-shape", **facts, given=shape, wanted=wanted.output)
        return Verdict(WRONG, f"{text} {say('model-question')}")
    given = [tuple(weight.shape) for weight in layer.weights]
    count = sum(math.prod(weight) for weight in given)
    if count != wanted.parameters:
        text = say("layer-count", **facts, given=count, wanted=wanted.parameters)
        return Verdict(WRONG, f"{text} {say('model-question')}")
    if weights is not None and weights != given:
        return Verdict(WRONG, say("layer-weights", **facts))
    return Verdict(RIGHT, say("layer-right", **facts), share=1.0)
