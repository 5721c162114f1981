"""What an output sees of the image: receptive fields of stacks and of branching networks. Chapter 8.

Along one axis, output ``o`` of a network sees the inputs from ``o * stride + offset`` on, ``size`` of them.
The three numbers grow layer by layer:

>>> stack = [Window(3, padding=1), Window(2, strides=2), Window(3, padding=1)]
>>> for depth in range(len(stack) + 1):
...     print(receptive_field(stack[:depth]))
ReceptiveField(size=1, stride=1, offset=0)
ReceptiveField(size=3, stride=1, offset=-1)
ReceptiveField(size=4, stride=2, offset=-1)
ReceptiveField(size=8, stride=2, offset=-3)

Where branches meet, they should look at the same place. Odd kernels with ``same`` at stride 1 always do, and
so do GoogLeNet's modules, whatever the padding of its stem: it strides only where there is one road. ResNet's
blocks stride in both branches; with ``same``, which pads an even size after its end alone, they are aligned
for some sizes of image and not for others, and :func:`receptive_fields` reports it.

The arithmetic follows A. Araujo, W. Norris and J. Sim, *Computing receptive fields of convolutional neural
networks*, Distill (2019), doi:10.23915/distill.00021, and goes on where layers enlarge the image again.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias

from cnnlib.errors import ShapeError, SizeError
from cnnlib.sizes import (
    Padding,
    PerAxis,
    as_int,
    as_shape,
    effective_kernel_size,
    output_size,
    padding_amounts,
    per_axis,
    shown,
    split_padding,
    transposed_crop,
    transposed_size,
)

#: The window of a layer each of whose outputs depends on the whole image: dense, flatten, global pooling.
EVERYTHING: Final = "everything"


class Window(NamedTuple):
    """How a layer slides over its inputs, in Keras' arguments: convolution and pooling alike.

    Each is one number for all spatial axes or one for each. ``transposed`` turns the window round: a
    transposed convolution, upsampling by repetition where ``strides`` equals ``kernel_size``, and cropping
    where both are 1 (its ``padding`` is what is cut off).

    >>> Window((3, 3), strides=2, padding="same").rank
    2
    """

    kernel_size: PerAxis
    strides: PerAxis = 1
    padding: Padding = "valid"
    dilation_rate: PerAxis = 1
    transposed: bool = False
    output_padding: PerAxis | None = None

    @property
    def rank(self) -> int:
        """The number of spatial axes, as far as the values tell: 1 where each is a single number.

        >>> Window(3).rank, Window(3, strides=(1, 2)).rank
        (1, 2)
        """
        values = (self.kernel_size, self.strides, self.padding, self.dilation_rate, self.output_padding)
        return max(len(v) if isinstance(v, Sequence) and not isinstance(v, str) else 1 for v in values)


#: What a layer may answer when asked for its window; None passes every value through in its place.
AnyWindow: TypeAlias = "Window | Literal['everything'] | None"


class HasWindow(Protocol):
    """A layer: whatever has a method ``window()``."""

    def window(self) -> AnyWindow:
        """The layer's window."""


class HasSteps(Protocol):
    """A network: whatever has a method ``steps()``, and the shape of its inputs."""

    @property
    def input_shape(self) -> Any:
        """(batch, *spatial, channels), or a list of such shapes."""

    def steps(self) -> list[Step]:
        """One step for each input and each layer."""


class ReceptiveField(NamedTuple):
    """What the outputs of a network see of one axis of the image, in pixels.

    Attributes:
        size: how many pixels an output sees, those in the padding included; None where it sees a whole
            image whose size is not known.
        stride: how far the view moves from one output to the next; 0 where every output sees everything.
        offset: the first pixel that output 0 sees; below 0 it lies in the padding.
    """

    size: int | None
    stride: int | Fraction
    offset: int

    @property
    def centre(self) -> float:
        """The middle of what output 0 sees: a pixel, or half way between two.

        >>> ReceptiveField(size=4, stride=2, offset=-1).centre
        0.5
        """
        return math.nan if self.size is None else self.offset + (self.size - 1) / 2


class Step(NamedTuple):
    """One layer of a network: its name, its window, and the names of the steps that it reads.

    A step that reads nothing reads the image.
    """

    name: Hashable
    window: AnyWindow
    inputs: tuple[Hashable, ...] = ()


class Misaligned(NamedTuple):
    """Branches that meet without looking at the same place.

    Attributes:
        name: the step at which they meet.
        axis: along which axis.
        branches: for each of its inputs the stride, and the centre of what output 0 sees, in pixels.
    """

    name: Hashable
    axis: int
    branches: dict[Hashable, tuple[Fraction, Fraction]]

    def __str__(self) -> str:
        strides = {stride for stride, _ in self.branches.values()}
        what = "move by different strides" if len(strides) > 1 else "look at different centres"
        seen = ", ".join(
            f"{name} (stride {stride}, centre {float(centre):g})"
            for name, (stride, centre) in self.branches.items()
        )
        return f"{self.name}, axis {self.axis}: its inputs {what}: {seen}"


class Report(NamedTuple):
    """What every step of a network sees, and where branches disagree.

    Attributes:
        fields: for each step one receptive field an axis; None from where strides disagree, because no
            single stride describes what comes after.
        misaligned: every disagreement, in the network's order.
    """

    fields: dict[Hashable, tuple[ReceptiveField | None, ...]]
    misaligned: tuple[Misaligned, ...]


# ---------------------------------------------------------------------------------------------------
# One window along one axis
# ---------------------------------------------------------------------------------------------------


class _Slide(NamedTuple):
    """One window along one axis, its padding known."""

    kernel_size: int
    stride: int
    before: int  # padding, or what a transposed window has cut off
    dilation: int
    transposed: bool
    outputs: int | None

    def sees(self, output: int) -> Iterable[int]:
        """The inputs of this one layer that ``output`` is computed from, padding included."""
        taps = range(0, self.kernel_size * self.dilation, self.dilation)
        if not self.transposed:
            return [output * self.stride - self.before + tap for tap in taps]
        places = [output + self.before - tap for tap in taps]  # the output that this tap would begin at
        return [place // self.stride for place in places if place % self.stride == 0]


def _slide(window: Window, axis: int, rank: int, size: int | None) -> _Slide:
    """``window`` along one of ``rank`` axes, over ``size`` inputs."""
    kernel = per_axis(window.kernel_size, rank, "kernel_size")[axis]
    stride = per_axis(window.strides, rank, "strides")[axis]
    dilation = per_axis(window.dilation_rate, rank, "dilation_rate")[axis]
    padding = split_padding(window.padding, rank)[axis]
    outputs = None
    if window.transposed:
        more = window.output_padding
        extra = None if more is None else per_axis(more, rank, "output_padding", minimum=0)[axis]
        before, _ = transposed_crop(kernel, stride, padding, extra, dilation)
        if size is not None:
            outputs = transposed_size(size, kernel, stride, padding, extra, dilation)
    else:
        # Without a size, `same` pads as it does for a multiple of the stride.
        assumed = stride * effective_kernel_size(kernel, dilation) if size is None else size
        before, _ = padding_amounts(assumed, kernel, stride, padding, dilation)
        if size is not None:
            outputs = output_size(size, kernel, stride, padding, dilation)
    return _Slide(kernel, stride, before, dilation, window.transposed, outputs)


# ---------------------------------------------------------------------------------------------------
# What outputs see of the image
# ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Reach:
    """For outputs 0 … n - 1 the first and last pixel seen; ``advance`` pixels further for the next n.

    n is 1 but behind layers that enlarge the image, whose neighbouring outputs may see the same pixels.
    """

    ranges: tuple[tuple[int, int] | None, ...]
    advance: int

    def at(self, output: int) -> tuple[int, int] | None:
        """The first and last pixel that ``output`` sees, or None if it sees none."""
        turns, phase = divmod(output, len(self.ranges))
        seen = self.ranges[phase]
        return seen and (seen[0] + turns * self.advance, seen[1] + turns * self.advance)

    def through(self, slide: _Slide) -> _Reach:
        """What the next layer's outputs see: all that the inputs of its window see."""
        period = len(self.ranges)
        if slide.transposed:  # so many outputs further, the window stands ``period`` inputs further
            outputs, advance = period * slide.stride, self.advance
        else:
            outputs = period // math.gcd(period, slide.stride)
            advance = self.advance * (outputs * slide.stride // period)
        return _Reach(
            tuple(_hull(map(self.at, slide.sees(output))) for output in range(outputs)), advance
        ).shortest()

    def shortest(self) -> _Reach:
        """The same with the least period."""
        whole = len(self.ranges)
        for period in range(1, whole):
            if whole % period == 0 and self.advance % (whole // period) == 0:
                shorter = _Reach(self.ranges[:period], self.advance * period // whole)
                if shorter.spread(whole) == self:
                    return shorter
        return self

    @property
    def stride(self) -> Fraction:
        """Pixels that the view moves an output."""
        return Fraction(self.advance, len(self.ranges))

    def spread(self, period: int) -> _Reach:
        """The same over a multiple of the period."""
        turns = period // len(self.ranges)
        return _Reach(tuple(self.at(output) for output in range(period)), self.advance * turns)

    @property
    def centre(self) -> Fraction:
        """The middle of what output 0 sees; where neighbours differ, as their mean would have it."""
        seen = [
            Fraction(sum(pair), 2) - place * self.stride for place, pair in enumerate(self.ranges) if pair
        ]
        return sum(seen, Fraction(0)) / max(len(seen), 1)

    @property
    def field(self) -> ReceptiveField:
        """The three numbers: the largest size where neighbours differ, and the first pixel that any sees."""
        seen = [pair for pair in self.ranges if pair]
        return ReceptiveField(
            size=max((last - first + 1 for first, last in seen), default=0),
            stride=self.stride.numerator if self.stride.denominator == 1 else self.stride,
            offset=min((first for first, _ in seen), default=0),
        )


def _hull(ranges: Iterable[tuple[int, int] | None]) -> tuple[int, int] | None:
    """The least range that holds all ``ranges``."""
    there = [pair for pair in ranges if pair]
    return (min(first for first, _ in there), max(last for _, last in there)) if there else None


#: The image itself: output 0 sees pixel 0, output 1 pixel 1 …
_IMAGE = _Reach(((0, 0),), 1)


def receptive_field(
    windows: Iterable[AnyWindow | HasWindow] | HasSteps, size: int | None = None, axis: int = 0
) -> ReceptiveField:
    """The receptive field of a stack of layers, or of a network's last layer, along one axis.

    Args:
        windows: from the image on, a :class:`Window` or a layer with a method ``window()`` each; or a
            network, whose images have the size that its input says.
        size: the size of the image along this axis. It is needed where ``same`` meets a stride, whose
            padding depends on it; without it, sizes are taken to be multiples of the strides.
        axis: which spatial axis, where windows have a number for each.

    Returns:
        size, stride and offset in pixels. Where layers enlarge the image, neighbouring outputs may see more
        and less: the size is then the largest, the offset that of the first, the stride may be a fraction.

    >>> receptive_field([Window(3), Window(3), Window(3)])          # three layers of width 3
    ReceptiveField(size=7, stride=1, offset=0)
    >>> receptive_field([Window(2, strides=2), Window(2, strides=2, transposed=True)])
    ReceptiveField(size=2, stride=1, offset=0)
    >>> receptive_field([Window(3), EVERYTHING], size=32)           # a dense layer sees it all
    ReceptiveField(size=32, stride=0, offset=0)

    Raises:
        SizeError: a window does not fit into what is left of ``size``, or branches move by different
            strides.
    """
    steps = as_steps(windows)
    if size is None and hasattr(windows, "input_shape"):
        spatial = _spatial(windows)
        if as_int(axis, "axis", minimum=0) >= len(spatial):
            raise SizeError(f"axis {axis} is none of the {len(spatial)} spatial axes of {shown(windows)}")
    else:
        spatial = (size,) * _rank(steps, axis)
    field = receptive_fields(steps, spatial).fields[steps[-1].name][axis]
    if field is None:
        raise SizeError(
            f"axis {axis}: branches of {shown(windows)} move by different strides, so that its end has no "
            "receptive field; receptive_fields tells where"
        )
    return field


def grown(field: ReceptiveField, window: Window, size: int | None = None) -> ReceptiveField:
    """The receptive field one layer further up: r + (F - 1)·D·j, j·S and o - P·j.

    r, j and o are the size, stride and offset of ``field``, P the padding before; ``size`` is that of the
    layer's inputs, as in :func:`receptive_field`.

    >>> grown(ReceptiveField(size=4, stride=2, offset=-1), Window(3, padding=1))
    ReceptiveField(size=8, stride=2, offset=-3)

    Raises:
        SizeError: a field that another layer cannot be put upon: it sees everything, or its stride is a
            fraction, so that neighbouring outputs see unlike stretches.
    """
    if (
        not isinstance(field, ReceptiveField)
        or not isinstance(field.stride, int)
        or field.size is None
        or 0 in (field.size, field.stride)
    ):
        raise SizeError(f"{shown(field)} is not that of a window; give the whole stack to receptive_field")
    below = _Reach(((field.offset, field.offset + field.size - 1),), field.stride)
    return below.through(_slide(window, 0, 1, size)).field


def _spatial(network: Any) -> tuple[int | None, ...]:
    """The size of a network's images, if it says so and all its inputs agree."""
    shape = getattr(network, "input_shape", None)
    shapes = {tuple(one) for one in (shape if isinstance(shape, list) else [shape] if shape else [])}
    spatial = {one[1:-1] for one in shapes}
    if len(spatial) != 1 or not (sizes := spatial.pop()):
        raise ShapeError(f"{shown(network)} has no one size of image; give spatial, such as [224, 224]")
    return sizes


def as_steps(network: Iterable[Step | AnyWindow | HasWindow] | HasSteps) -> list[Step]:
    """The steps of a network: as they are, or made of a stack's windows or layers.

    Step 0 of a stack is the image; each of the others reads the one before.

    >>> [step.inputs for step in as_steps([Window(3), Window(5)])]
    [(), (0,), (1,)]
    """
    if hasattr(network, "steps"):
        return network.steps()
    if isinstance(network, (Window, Step, str)) or not isinstance(network, Iterable):
        raise ShapeError(f"a network is a list of steps, windows or layers, not {shown(network)}")
    steps: list[Step] = []
    for item in network:
        if isinstance(item, Step):
            steps.append(item)
            continue
        steps = steps or [Step(0, None)]
        if not isinstance(item, (Window, str, type(None))) and not hasattr(item, "window"):
            raise ShapeError(f"{shown(item)} is neither a Window nor a layer with a method window()")
        window = item if isinstance(item, (Window, str, type(None))) else item.window()
        steps.append(Step(len(steps), window, (steps[-1].name,)))
    return steps or [Step(0, None)]


def receptive_fields(steps: Iterable[Step] | HasSteps, spatial: Sequence[int | None] | None = None) -> Report:
    """What every layer of a network sees of the image; networks may branch and join.

    Args:
        steps: a network; or its steps, in an order in which each comes after those that it reads.
        spatial: the size of the image, one number an axis; None where it is not known. Only a network,
            whose input says it, can do without.

    Returns:
        the receptive field of each step, and where branches meet that do not look at the same place.

    >>> residual = [
    ...     Step("image", None),
    ...     Step("conv", Window(3, strides=2, padding="same"), ("image",)),
    ...     Step("short", Window(1, strides=2), ("image",)),
    ...     Step("add", None, ("conv", "short")),
    ... ]
    >>> report = receptive_fields(residual, [9])                # odd: `same` pads one on each side
    >>> report.fields["add"], report.misaligned
    ((ReceptiveField(size=3, stride=2, offset=-1),), ())
    >>> print(*receptive_fields(residual, [8]).misaligned)      # even: it pads after the end alone
    add, axis 0: its inputs look at different centres: conv (stride 2, centre 1), short (stride 2, centre 0)

    Raises:
        SizeError: a window does not fit.
        ShapeError: branches of different sizes meet, or a step reads what does not come before it.
    """
    spatial = _spatial(steps) if spatial is None else as_shape(spatial, "spatial")
    steps = as_steps(steps)
    fields: dict[Hashable, list[ReceptiveField | None]] = {step.name: [] for step in steps}
    misaligned: list[Misaligned] = []
    for axis, size in enumerate(spatial):
        reaches: dict[Hashable, _Reach | str | None] = {}
        for step, slide, *_, whole in _placed(steps, axis, len(spatial), size):
            seen = {name: reaches[name] for name in step.inputs} or {None: _IMAGE}
            reach, apart = _join(seen.values())
            if apart:
                branches = {n: (r.stride, r.centre) for n, r in seen.items() if isinstance(r, _Reach)}
                misaligned.append(Misaligned(step.name, axis, branches))
            if whole:
                reach = EVERYTHING
            elif isinstance(reach, _Reach) and slide is not None:
                reach = reach.through(slide)
            reaches[step.name] = reach
            fields[step.name].append(None if reach is None else _field(reach, size))
    order = {step.name: place for place, step in enumerate(steps)}
    misaligned.sort(key=lambda m: (order[m.name], m.axis))
    return Report({name: tuple(one) for name, one in fields.items()}, tuple(misaligned))


def _field(reach: _Reach | str, size: int | None) -> ReceptiveField:
    return reach.field if isinstance(reach, _Reach) else ReceptiveField(size, 0, 0)


class _Placed(NamedTuple):
    """A step along one axis."""

    step: Step
    slide: _Slide | None  # None where it has no window, or where what it reads sees everything
    inputs: int | None
    outputs: int | None
    whole: bool  # each output sees everything; sizes are then no longer those of the image


def _placed(steps: Sequence[Step], axis: int, rank: int, size: int | None) -> Iterator[_Placed]:
    """Each step with its window along one axis, sizes followed from the image on."""
    sizes: dict[Hashable, int | None] = {}
    whole: set[Hashable] = set()
    for step in steps:
        if step.name in sizes:
            raise ShapeError(f"two steps are called {step.name}; give each a name of its own")
        for name in step.inputs:
            if name not in sizes:
                raise ShapeError(f"{step.name} reads {name}, which does not come before it")
        met = {name: sizes[name] for name in step.inputs if name not in whole}
        if len(set(met.values())) > 1:
            each = ", ".join(f"{name} has {n}" for name, n in met.items())
            raise ShapeError(f"{step.name}, axis {axis}: {each}; branches that meet must be of the same size")
        here = next(iter(met.values()), None) if step.inputs else size
        slide, outputs = None, here
        if step.window == EVERYTHING or (step.inputs and not met):
            whole.add(step.name)
            outputs = None
        elif isinstance(step.window, Window):
            try:
                slide = _slide(step.window, axis, rank, here)
            except SizeError as error:
                raise SizeError(f"{step.name}, axis {axis}: {error}") from None
            outputs = slide.outputs
        elif step.window is not None:
            raise ShapeError(f"{step.name} has the window {step.window!r}; use a Window, EVERYTHING or None")
        sizes[step.name] = outputs
        yield _Placed(step, slide, here, outputs, step.name in whole)


def _join(reaches: Iterable[_Reach | str | None]) -> tuple[_Reach | str | None, bool]:
    """What several branches see together, and whether they look at different places.

    A branch that sees everything is aligned with all; one whose strides were at odds stays None.
    """
    reaches = list(reaches)
    if any(reach is None for reach in reaches):
        return None, False
    if any(isinstance(reach, str) for reach in reaches):
        return EVERYTHING, False
    views = [reach for reach in reaches if isinstance(reach, _Reach)]
    if len({view.stride for view in views}) > 1:
        return None, True
    period = math.lcm(*(len(view.ranges) for view in views))
    views = [view.spread(period) for view in views]
    ranges = tuple(_hull(view.ranges[phase] for view in views) for phase in range(period))
    return _Reach(ranges, views[0].advance).shortest(), len({view.centre for view in views}) > 1


# ---------------------------------------------------------------------------------------------------
# One output, exactly
# ---------------------------------------------------------------------------------------------------


def inputs_seen(
    network: Iterable[Step | AnyWindow | HasWindow] | HasSteps,
    index: int,
    size: int,
    axis: int = 0,
    name: Hashable | None = None,
) -> tuple[int, ...]:
    """The pixels, along one axis, that one output is computed from: those in the image alone.

    Args:
        network: steps, or the windows of a stack.
        index: which output.
        size: the size of the image along this axis.
        axis: which spatial axis.
        name: of which step; the last unless told.

    Returns:
        the pixels in order; dilation and strides larger than kernels leave gaps.

    >>> inputs_seen([Window(3, dilation_rate=2)], index=1, size=8)
    (1, 3, 5)
    >>> inputs_seen([Window(3, padding=1), Window(3, padding=1)], index=0, size=8)   # at the border
    (0, 1, 2)
    """
    steps = as_steps(network)
    placed = list(_placed(steps, axis, _rank(steps, axis), as_int(size, "size")))
    name = steps[-1].name if name is None else name
    target = next((p for p in placed if p.step.name == name), None)
    if target is None:
        raise ShapeError(f"no step is called {name!r}; there are {', '.join(str(s.name) for s in steps)}")
    if not target.whole and not 0 <= as_int(index, "index", minimum=0) < (target.outputs or 0):
        raise SizeError(f"{name} has {target.outputs} outputs along axis {axis}, from 0 on; {index} is none")

    image = object()  # a name that no step has
    needed: dict[Hashable, set[int]] = {image: set()}
    needed.update({p.step.name: set() for p in placed})
    needed[name] = {index}
    for step, slide, inputs, _, whole in reversed(placed):
        wanted = needed[step.name]
        if wanted and whole and inputs is not None:
            wanted = set(range(inputs))
        elif slide is not None:
            seen = {place for output in wanted for place in slide.sees(output)}
            wanted = {place for place in seen if 0 <= place < (inputs or 0)}  # the rest is padding
        for source in step.inputs or (image,):
            needed[source] |= wanted
    return tuple(sorted(needed[image]))


def input_range(
    network: Iterable[Step | AnyWindow | HasWindow] | HasSteps,
    index: int,
    size: int,
    axis: int = 0,
    name: Hashable | None = None,
) -> range:
    """The stretch of pixels that one output sees, clipped to the image: see :func:`inputs_seen`.

    >>> vgg_start = [Window(3, padding=1), Window(3, padding=1), Window(2, strides=2)]
    >>> input_range(vgg_start, index=0, size=8), input_range(vgg_start, index=1, size=8)
    (range(0, 4), range(0, 6))
    """
    seen = inputs_seen(network, index, size, axis, name)
    return range(seen[0], seen[-1] + 1) if seen else range(0)


def layers_needed(size: int, kernel_size: int, stride: int = 1, dilation: int = 1) -> int:
    """The least number of equal layers after which an output sees at least ``size`` pixels along an axis.

    >>> layers_needed(224, kernel_size=3), layers_needed(224, kernel_size=7)
    (112, 38)
    >>> layers_needed(224, kernel_size=3, stride=2)
    7

    Raises:
        SizeError: a window of one input, which sees no more however often it is stacked.
    """
    size = as_int(size, "size")
    window = Window(kernel_size, stride, dilation_rate=dilation)
    if effective_kernel_size(kernel_size, dilation) == 1 < size:
        raise SizeError(f"layers with kernel 1 never see more than 1 of {size} inputs; use a larger kernel")
    slide, reach, layers = _slide(window, 0, 1, None), _IMAGE, 0
    while (reach.field.size or 0) < size:
        reach, layers = reach.through(slide), layers + 1
    return layers


def _rank(steps: Sequence[Step], axis: int) -> int:
    """The number of spatial axes that the windows have, or just as many as ``axis`` needs."""
    ranks = [step.window.rank for step in steps if isinstance(step.window, Window)]
    rank = max(ranks, default=1)
    if as_int(axis, "axis", minimum=0) and rank == 1:
        return axis + 1  # single numbers hold for every axis
    if axis >= rank:
        raise SizeError(f"axis {axis} is none of the {rank} spatial axes that these windows have")
    return rank
