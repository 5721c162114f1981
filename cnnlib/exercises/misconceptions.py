"""Likely mistakes as data: each is a wrong rule that computes the wrong answer, and what to say about it.

A rule takes the parameters of its kind of task, as the right rule does (see
:data:`cnnlib.exercises.tasks.KINDS`), and returns the answer of somebody who makes that one mistake, or
None where the mistake makes no difference (no padding can be forgotten where there is none). Wrong rules
call :mod:`cnnlib.sizes` too, with something left out. ``{answer}`` in a message stands for what the
student wrote; the right answer never stands there.

An instructor adds one in a line:

>>> from cnnlib.exercises import Task, check
>>> task = Task("conv_parameters", kernel_size=5, channels=3, filters=10)
>>> rule = lambda kernel_size, channels, filters, use_bias: kernel_size + channels + filters
>>> added = add("conv_parameters", "added-up", rule, "{answer} adds up.", "filters-and-kernels")
>>> print(check(task, 18).text)
18 adds up. See chapter 5, “Filters and kernels”.
>>> remove(added)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnlib.convolution import conv, convolve, correlate
from cnnlib.errors import CnnError
from cnnlib.exercises.networks import Conv, trace
from cnnlib.exercises.tasks import KINDS, Line, Task
from cnnlib.exercises.wording import CHAPTERS
from cnnlib.sizes import conv_parameters, dropped_inputs, output_shape, output_size, per_axis


@dataclass(frozen=True)
class Misconception:
    """A wrong rule for one kind of task, and what to say to someone who followed it.

    ``over_many`` marks a mistake that one question cannot tell from another one, but many inputs to a
    function can (rounding to the nearest is now rounding up, now right).
    """

    kind: str
    name: str
    rule: Callable[..., Any]
    message: str
    chapter: str
    over_many: bool = False

    def answer(self, task: Task) -> Any:
        """What this mistake gives for a task, in the kind's form; None where it makes no difference."""
        try:
            wrong = self.rule(**task.given)
        except CnnError:  # the mistaken sizes do not even fit
            return None
        if wrong is None:
            return None
        return task.kind.form.read(wrong)


_REGISTRY: list[Misconception] = []


def add(
    kind: str, name: str, rule: Callable[..., Any], message: str, chapter: str, *, over_many: bool = False
) -> Misconception:
    """Register a likely mistake; the arguments are the fields of :class:`Misconception`.

    Raises:
        CnnError: the kind or chapter is unknown, or the name is taken.
    """
    if kind not in KINDS:
        raise CnnError(f"no kind of task is called {kind!r}; there are {', '.join(KINDS)}")
    if chapter not in CHAPTERS:
        raise CnnError(f"no chapter is labelled {chapter!r}; there are {', '.join(CHAPTERS)}")
    if any(known.name == name for known in likely(kind)):
        raise CnnError(f"{kind} already has a misconception {name!r}; choose another name")
    entry = Misconception(kind, name, rule, message, chapter, over_many)
    _REGISTRY.append(entry)
    return entry


def remove(entry: Misconception) -> None:
    """Take a misconception out of the registry again."""
    _REGISTRY.remove(entry)


def likely(kind: str) -> list[Misconception]:
    """The registered mistakes of one kind of task.

    >>> [entry.name for entry in likely("keeping_padding")]
    ['both-sides-together', 'half-the-kernel', 'one-too-many']
    """
    return [entry for entry in _REGISTRY if entry.kind == kind]


def everything() -> Iterator[Misconception]:
    """All registered mistakes."""
    return iter(tuple(_REGISTRY))


# --- One axis -----------------------------------------------------------------------------------------


def _per_side(padding: Any) -> int:
    """The padding as a number; 0 for ``valid``."""
    return padding if isinstance(padding, int) else 0


def _forgot_the_one(size: int, kernel_size: int, stride: int, padding: Any) -> int:
    return output_size(size, kernel_size, stride, padding) - 1


def _forgot_padding(size: int, kernel_size: int, stride: int, padding: Any) -> int | None:
    return output_size(size, kernel_size, stride) if _per_side(padding) else None


def _padded_one_side(size: int, kernel_size: int, stride: int, padding: Any) -> int | None:
    one_sided = (_per_side(padding), 0)
    return output_size(size, kernel_size, stride, one_sided) if _per_side(padding) else None


def _rounded_up(size: int, kernel_size: int, stride: int, padding: Any) -> int | None:
    rest = dropped_inputs(size, kernel_size, stride, padding)
    return output_size(size, kernel_size, stride, padding) + 1 if rest else None


def _kept_fraction(size: int, kernel_size: int, stride: int, padding: Any) -> float | None:
    rest = dropped_inputs(size, kernel_size, stride, padding)
    return output_size(size, kernel_size, stride, padding) + rest / stride if rest else None


def _rounded(size: int, kernel_size: int, stride: int, padding: Any) -> int:
    rest = dropped_inputs(size, kernel_size, stride, padding)
    return round(output_size(size, kernel_size, stride, padding) + rest / stride)


def _forgot_stride(size: int, kernel_size: int, stride: int, padding: Any) -> int | None:
    return output_size(size, kernel_size, padding=padding) if stride > 1 else None


def _same_for_valid(size: int, kernel_size: int, stride: int, padding: Any) -> int | None:
    return None if _per_side(padding) or padding == "same" else output_size(size, kernel_size, stride, "same")


#: Mistakes along one axis: they are also made in shapes.
_AXIS: list[tuple[str, Callable[..., Any], str, str]] = [
    (
        "forgot-the-one",
        _forgot_the_one,
        "{answer} counts the steps that the window takes, not the places where it stands: the place where "
        "it starts counts too, hence the + 1.",
        "padding-and-stride",
    ),
    (
        "forgot-the-padding",
        _forgot_padding,
        "{answer} is the size without padding: P adds to both sides of the input.",
        "padding-and-stride",
    ),
    (
        "padded-one-side",
        _padded_one_side,
        "{answer} adds P once. The padding is P on each side: 2P in all.",
        "padding-and-stride",
    ),
    (
        "rounded-up",
        _rounded_up,
        "{answer} counts a last window that would stick out of the input. Round down (floor): what is left "
        "at the end is dropped.",
        "padding-and-stride",
    ),
    (
        "forgot-the-stride",
        _forgot_stride,
        "{answer} is the size for stride 1. The window moves S at a time: divide the way it can go by S.",
        "padding-and-stride",
    ),
    (
        "same-for-valid",
        _same_for_valid,
        "{answer} would be the size with “same” padding. Without padding the window must lie wholly inside "
        "the input.",
        "padding-and-stride",
    ),
]

for _name, _rule, _message, _chapter in _AXIS:
    add("output_size", _name, _rule, _message, _chapter)
add(
    "output_size",
    "kept-the-fraction",
    _kept_fraction,
    "{answer} is not whole: a window either fits or it does not. Round down (floor).",
    "padding-and-stride",
)
add(
    "output_size",
    "used-round",
    _rounded,
    "{answer} is rounded to the nearest whole number. A window that sticks out does not count: round down, "
    "with // or math.floor.",
    "padding-and-stride",
    over_many=True,
)

# --- Shapes: what goes wrong along an axis goes wrong along both ----------------------------------------


def _along_both(
    rule: Callable[..., Any], input_shape: Sequence[int], window: Any, strides: Any, padding: Any
) -> tuple[Any, Any] | None:
    """A mistake along one axis, made along both; None where it makes no difference on either."""
    sizes, steps = per_axis(window, 2, "window"), per_axis(strides, 2, "strides")
    arguments = list(zip(input_shape[:2], sizes, steps, strict=True))
    wrong = [rule(size, kernel, step, padding) for size, kernel, step in arguments]
    if wrong[0] is None and wrong[1] is None:
        return None
    height, width = (
        output_size(size, kernel, step, padding) if entry is None else entry
        for entry, (size, kernel, step) in zip(wrong, arguments, strict=True)
    )
    return height, width


def _conv_along(rule: Callable[..., Any]) -> Callable[..., Any]:
    def wrong(input_shape: Any, kernel_size: Any, filters: int, strides: Any, padding: Any) -> Any:
        sides = _along_both(rule, input_shape, kernel_size, strides, padding)
        return None if sides is None else (*sides, filters)

    return wrong


def _pool_along(rule: Callable[..., Any]) -> Callable[..., Any]:
    def wrong(input_shape: Any, pool_size: Any, strides: Any, padding: Any) -> Any:
        sides = _along_both(rule, input_shape, pool_size, strides, padding)
        return None if sides is None else (*sides, input_shape[-1])

    return wrong


for _name, _rule, _message, _chapter in _AXIS:
    add("conv_output", _name, _conv_along(_rule), _message, _chapter)
    if _name != "same-for-valid":  # in pooling it gives what rounding up gives
        add("pool_output", _name, _pool_along(_rule), _message, _chapter)


def _conv_shape(input_shape: Any, kernel_size: Any, filters: int, strides: Any, padding: Any) -> Any:
    return output_shape((1, *input_shape), kernel_size, filters, strides, padding)[1:]


def _pool_shape(input_shape: Any, pool_size: Any, strides: Any, padding: Any) -> Any:
    return output_shape((1, *input_shape), pool_size, None, strides, padding)[1:]


def _swapped(shape: Any) -> Any:
    height, width, channels = shape
    return None if height == width else (width, height, channels)


_SWAPPED = "{answer} has rows and columns exchanged: arrays store height first, then width, then channels."
add(
    "conv_output",
    "rows-and-columns-exchanged",
    lambda **given: _swapped(_conv_shape(**given)),
    _SWAPPED,
    "filters-and-kernels",
)
add(
    "pool_output",
    "rows-and-columns-exchanged",
    lambda **given: _swapped(_pool_shape(**given)),
    _SWAPPED,
    "filters-and-kernels",
)
add(
    "conv_output",
    "kept-the-input-channels",
    lambda **given: (*_conv_shape(**given)[:2], given["input_shape"][-1]),
    "{answer} keeps the channels of the input. Each filter adds them all up into one feature map, so there "
    "are as many output channels as filters.",
    "filters-and-kernels",
)
add(
    "conv_output",
    "a-map-for-every-kernel",
    lambda **given: (
        (*_conv_shape(**given)[:2], given["filters"] * given["input_shape"][-1])
        if given["input_shape"][-1] > 1
        else None
    ),
    "{answer} counts kernels, not filters: a filter has a kernel for every input channel, but their results "
    "are added into one feature map.",
    "filters-and-kernels",
)
add(
    "pool_output",
    "channels-shrunk-too",
    lambda **given: (
        *_pool_shape(**given)[:2],
        max(1, given["input_shape"][-1] // per_axis(given["strides"], 2, "strides")[0]),
    ),
    "{answer} shrinks the channels as well. Pooling works on each feature map by itself, so their number "
    "stays.",
    "padding-and-stride",
)
add(
    "pool_output",
    "channels-pooled-away",
    lambda **given: (*_pool_shape(**given)[:2], 1),
    "{answer} has one channel left. Pooling does not add channels up; it works on each feature map by "
    "itself.",
    "padding-and-stride",
)
add(
    "pool_output",
    "window-for-stride",
    lambda input_shape, pool_size, strides, padding: (
        _pool_shape(input_shape, pool_size, pool_size, padding) if pool_size != strides else None
    ),
    "{answer} moves the window by its own size. Here the stride is another number, so windows overlap.",
    "padding-and-stride",
)

# --- Padding ------------------------------------------------------------------------------------------

add(
    "dropped_inputs",
    "rest-of-the-input",
    lambda size, kernel_size, stride, padding: size % stride,
    "{answer} is what is left when the input is divided by the stride. The first window already takes F of "
    "it: only the rest is walked over.",
    "padding-and-stride",
)
add(
    "dropped_inputs",
    "what-is-lacking",
    lambda size, kernel_size, stride, padding: (
        stride - dropped_inputs(size, kernel_size, stride, padding)
        if dropped_inputs(size, kernel_size, stride, padding)
        else None
    ),
    "{answer} is what one more window would need. Asked is what lies behind the last window that fits.",
    "padding-and-stride",
)
add(
    "dropped_inputs",
    "nothing-dropped",
    lambda size, kernel_size, stride, padding: (
        0 if dropped_inputs(size, kernel_size, stride, padding) else None
    ),
    "{answer} would mean that the last window ends exactly at the edge. Does (N + 2P − F)/S come out whole?",
    "padding-and-stride",
)
add(
    "keeping_padding",
    "both-sides-together",
    lambda kernel_size: kernel_size - 1,
    "{answer} is the padding of both sides together; P is counted per side.",
    "padding-and-stride",
)
add(
    "keeping_padding",
    "half-the-kernel",
    lambda kernel_size: kernel_size / 2,
    "{answer} is half the kernel. The place under its middle is already inside: take the middle away first.",
    "padding-and-stride",
)
add(
    "keeping_padding",
    "one-too-many",
    lambda kernel_size: (kernel_size + 1) // 2,
    "{answer} counts the middle of the kernel too; with it the output is larger than the input.",
    "padding-and-stride",
)

# --- Counts -------------------------------------------------------------------------------------------


def _count(kernel_size: Any, channels: int, filters: int, use_bias: bool) -> int:
    return conv_parameters(per_axis(kernel_size, 2, "kernel_size"), channels, filters, use_bias=use_bias)


def _if_bias(count: Callable[..., Any]) -> Callable[..., Any]:
    """A mistake about biases, which cannot be made where there are none."""
    return lambda use_bias, **given: count(**given) if use_bias else None


add(
    "conv_parameters",
    "left-out-the-biases",
    _if_bias(lambda **given: _count(**given, use_bias=False)),
    "{answer} leaves out the biases: every filter has one.",
    "filters-and-kernels",
)
add(
    "conv_parameters",
    "one-bias-for-all",
    _if_bias(lambda **given: _count(**given, use_bias=False) + 1 if given["filters"] > 1 else None),
    "{answer} has a single bias for the whole layer: every filter has its own.",
    "filters-and-kernels",
)
add(
    "conv_parameters",
    "left-out-the-input-channels",
    lambda channels, **given: _count(channels=1, **given) if channels > 1 else None,
    "{answer} leaves out the input channels: a filter is as deep as its input.",
    "filters-and-kernels",
)
add(
    "conv_parameters",
    "counted-one-filter",
    lambda filters, **given: _count(filters=1, **given) if filters > 1 else None,
    "{answer} is a single filter; the layer has more of them.",
    "filters-and-kernels",
)
add(
    "conv_parameters",
    "counted-kernels-not-filters",
    _if_bias(
        lambda channels, filters, **given: (
            _count(channels=channels, filters=filters, **given, use_bias=False) + channels * filters
            if channels > 1
            else None
        )
    ),
    "{answer} counts kernels, not filters: all kernels of a filter share one bias.",
    "filters-and-kernels",
)
add(
    "conv_parameters",
    "channels-and-filters-exchanged",
    lambda channels, filters, **given: (
        _count(channels=filters, filters=channels, **given)
        if channels != filters and given["use_bias"]
        else None
    ),
    "{answer} gives a bias to every input channel. Biases belong to filters: one for each output channel.",
    "filters-and-kernels",
)
add(
    "conv_parameters",
    "took-the-kernel-for-square",
    lambda kernel_size, **given: (
        None if isinstance(kernel_size, int) else _count(kernel_size=kernel_size[0], **given)
    ),
    "{answer} takes the kernel for a square. Its height and width may differ: multiply the two.",
    "filters-and-kernels",
    over_many=True,
)
add(
    "weight_shape",
    "order-of-pytorch",
    lambda kernel_size, channels, filters: (filters, channels, *per_axis(kernel_size, 2, "kernel_size")),
    "{answer} is PyTorch's order. Keras and this course store the kernel's height and width first.",
    "filters-and-kernels",
)
add(
    "weight_shape",
    "channels-and-filters-exchanged",
    lambda kernel_size, channels, filters: (
        (*per_axis(kernel_size, 2, "kernel_size"), filters, channels) if channels != filters else None
    ),
    "{answer} takes the number of filters for the channels of a filter: a filter is as deep as its input; "
    "how many filters there are comes last.",
    "filters-and-kernels",
)
add(
    "weight_shape",
    "left-out-the-input-channels",
    lambda kernel_size, channels, filters: (
        (*per_axis(kernel_size, 2, "kernel_size"), 1, filters) if channels > 1 else None
    ),
    "{answer} has flat filters. A filter is as deep as its input: one kernel for every input channel.",
    "filters-and-kernels",
)
add(
    "kernel_from_count",
    "area-for-width",
    lambda **given: KINDS["kernel_from_count"].solve(**given) ** 2,
    "{answer} is the number of weights in one kernel; asked is its width.",
    "filters-and-kernels",
)
add(
    "kernel_from_count",
    "left-out-the-input-channels",
    lambda parameters, channels, filters: round(math.sqrt((parameters - filters) / filters), 2),
    "{answer} forgets that every filter has a kernel for each input channel.",
    "filters-and-kernels",
)


def _network_count(per_row: Callable[[Any, int, int], int]) -> Callable[..., int]:
    """A wrong total: ``per_row`` counts a layer from the layer, its right count, and its input's channels."""

    def wrong(input_shape: Sequence[int], layers: Sequence[Any]) -> int:
        rows = trace(input_shape, layers)
        depths = [input_shape[-1], *(row.output[-1] for row in rows)]
        return sum(
            per_row(layer, row.parameters, depth)
            for layer, row, depth in zip(layers, rows, depths, strict=False)
        )

    return wrong


def _pool_window(layer: Any) -> int:
    return math.prod(per_axis(layer.pool_size, 2, "pool_size"))


def _network_kernels_of_the_input(input_shape: Sequence[int], layers: Sequence[Any]) -> int:
    return sum(
        _count(layer.kernel_size, input_shape[-1], layer.filters, use_bias=True)
        for layer in layers
        if isinstance(layer, Conv)
    )


add(
    "network_parameters",
    "gave-pooling-parameters",
    _network_count(
        lambda layer, count, depth: count if isinstance(layer, Conv) else (_pool_window(layer) + 1) * depth
    ),
    "{answer} gives pooling weights and biases. A maximum has nothing to learn: pooling has no parameters.",
    "padding-and-stride",
)
add(
    "network_parameters",
    "left-out-the-biases",
    _network_count(lambda layer, count, depth: count - layer.filters if isinstance(layer, Conv) else count),
    "{answer} leaves out the biases: every filter has one.",
    "filters-and-kernels",
)
add(
    "network_parameters",
    "as-deep-as-the-first-input",
    _network_kernels_of_the_input,
    "{answer} makes every filter as deep as the picture. A filter is as deep as the input of its own layer.",
    "filters-and-kernels",
)
add(
    "network_parameters",
    "last-layer-only",
    lambda input_shape, layers: trace(input_shape, layers)[-1].parameters,
    "{answer} is the last layer alone; asked is the sum over all layers.",
    "filters-and-kernels",
)

# --- Numbers that come out ----------------------------------------------------------------------------


def _symmetric(kernel: Any) -> bool:
    return bool(np.array_equal(np.flip(kernel), kernel))


add(
    "correlation",
    "flipped-the-kernel",
    lambda signal, kernel, stride: (
        None if _symmetric(kernel) else convolve(signal, kernel, stride, padding="valid")
    ),
    "this is the convolution with the flip. A convolution layer lays the kernel down as it is "
    "(cross-correlation).",
    "one-dimension",
)
add(
    "correlation",
    "forgot-the-stride",
    lambda signal, kernel, stride: correlate(signal, kernel) if stride > 1 else None,
    "this is stride 1: the window must move {stride} places at a time.",
    "one-dimension",
)
add(
    "correlation",
    "went-over-the-edge",
    lambda signal, kernel, stride: correlate(signal, kernel, stride, padding="full"),
    "this lets the kernel hang over the edge. Without padding it must lie wholly inside.",
    "padding-and-stride",
)
add(
    "correlation",
    "same-for-valid",
    lambda signal, kernel, stride: correlate(signal, kernel, stride, padding="same"),
    "this is as with “same” padding. Without padding the kernel must lie wholly inside the input.",
    "padding-and-stride",
)
add(
    "correlation",
    "wrote-it-backwards",
    lambda signal, kernel, stride: np.flip(correlate(signal, kernel, stride)),
    "the numbers are there but in reverse order. Start at the first place.",
    "one-dimension",
)
add(
    "conv2d",
    "flipped-the-kernel",
    lambda inputs, kernels, stride: conv(inputs[None], kernels[::-1, ::-1], stride)[0],
    "This is the convolution with the flip. A convolution layer lays the kernel down as it is "
    "(cross-correlation).",
    "one-dimension",
)
add(
    "conv2d",
    "forgot-the-stride",
    lambda inputs, kernels, stride: conv(inputs[None], kernels)[0] if stride > 1 else None,
    "This is the result for stride 1. The window for output row y starts at input row y · stride.",
    "padding-and-stride",
)
add(
    "conv2d",
    "first-channel-only",
    lambda inputs, kernels, stride: (
        conv(inputs[None, ..., :1], kernels[:, :, :1], stride)[0] if inputs.shape[-1] > 1 else None
    ),
    "Only the first channel was used. A filter is as deep as its input: sum over all channels.",
    "filters-and-kernels",
)
add(
    "conv2d",
    "first-filter-only",
    lambda inputs, kernels, stride: (
        np.repeat(conv(inputs[None], kernels[..., :1], stride)[0], kernels.shape[-1], axis=-1)
        if kernels.shape[-1] > 1
        else None
    ),
    "Every feature map is that of the first filter. Use kernels[..., f] for feature map f.",
    "filters-and-kernels",
)
add(
    "conv2d",
    "rows-and-columns-exchanged",
    lambda inputs, kernels, stride: conv(inputs[None], kernels, stride)[0].swapaxes(0, 1),
    "Rows and columns are exchanged: height comes first, as arrays store it, then width.",
    "filters-and-kernels",
)
add(
    "conv2d",
    "averaged-over-channels",
    lambda inputs, kernels, stride: (
        conv(inputs[None], kernels, stride)[0] / inputs.shape[-1] if inputs.shape[-1] > 1 else None
    ),
    "The channels were averaged. Their products are added up, not averaged.",
    "filters-and-kernels",
)
add(
    "conv2d",
    "wrote-it-backwards",
    lambda inputs, kernels, stride: conv(inputs[None], kernels, stride)[0][::-1, ::-1],
    "The picture is upside down and mirrored: output (0, 0) belongs to the window at the top left.",
    "one-dimension",
)


def _last_false(lines: Sequence[Line]) -> int | None:
    false = [number for number, line in enumerate(lines, 1) if line.claim != line.task.answer]
    return false[-1] if len(false) > 1 else None


add(
    "first_slip",
    "the-consequence",
    _last_false,
    "line {answer} only carries on with a wrong number. Where does that number come from?",
    "filters-and-kernels",
)
