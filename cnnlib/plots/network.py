"""Any network, drawn: volumes to scale, branches as boxes and arrows, or a U. Chapters 11 to 13.

:func:`draw` chooses by the network's own graph. What only bends, normalises or drops values stands with
the layer before it, so that a drawing shows the steps that change shapes.
"""

from __future__ import annotations

import itertools
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.path import Path

from cnnlib.errors import SizeError
from cnnlib.layers import ChannelShuffle
from cnnlib.layers.base import WeightedSum
from cnnlib.layers.nodes import Call, Node, Shape
from cnnlib.network import Model
from cnnlib.plots.pieces import ARROW, LINE, SLANT, arrow, by, labelled, oblique_box, page
from cnnlib.plots.style import COLOURS, WIDTH, styled
from cnnlib.receptive_field import Window
from cnnlib.sizes import per_axis

#: Every word in these drawings; a translation replaces the values. Layers by their class, without the rank.
WORDS = {
    "InputLayer": "input",
    "Conv": "conv",
    "DepthwiseConv": "depthwise",
    "SeparableConv": "separable",
    "ConvTranspose": "up-conv",
    "LocallyConnected": "local",
    "Dense": "dense",
    "MaxPooling": "max pool",
    "MaxPoolingWithSwitches": "max pool",
    "AveragePooling": "mean pool",
    "L2Pooling": "L2 pool",
    "GlobalMaxPooling": "global max",
    "GlobalAveragePooling": "global mean",
    "MaxUnpooling": "unpool",
    "UpSampling": "enlarge",
    "ZeroPadding": "pad",
    "Cropping": "crop",
    "ChannelShuffle": "shuffle",
    "Concatenate": "concat",
    "Add": "add",
    "Multiply": "multiply",
    "BatchNormalization": "BN",
    "LocalResponseNormalization": "LRN",
    "Dropout": "dropout",
    "SpatialDropout": "dropout",
    "relu": "ReLU",
    "relu6": "ReLU6",
    "leaky_relu": "leaky ReLU",
    "elu": "ELU",
    "silu": "SiLU",
    "gelu": "GELU",
    "groups": "{count} groups",
    "PartialConv": "partial conv",
    "Subsampling": "subsample",
    "RadialBasis": "distances",
    "one_scale": "all sizes to one scale",
    "two_scales": "to scale; a pixel is drawn as {ratio:.1f} channels",
}
#: Layers that stand with the one before them, and are not named.
SILENT = ("Flatten", "Reshape", "Rescaling", "ZeroPadding", "Cropping")
#: The colour of each kind of layer, by how its name begins.
KINDS = {"Input": "input", "Max": "second", "Average": "second", "L2": "second", "Global": "second"}

#: Inches that a letter takes, and the gap between what is drawn.
LETTER, GAP = 0.087, 0.14
#: Small networks beside one another: the inches between them if there is room, and the narrowest drawing.
APART, NARROW = 0.6, 4.4
#: The gap between two columns of boxes, in widths of a box.
BETWEEN = 0.12
#: The part of a drawing of volumes that the volumes take, in inches; the rest is text.
VOLUMES_WIDTH = 2.85
#: The height of the largest volume, in inches, and the thinnest slab that is still seen.
LARGEST, THINNEST = 1.7, 0.03


@dataclass(eq=False)
class Box:
    """One step of a network as it is drawn: a layer, and the quiet ones behind it.

    Attributes:
        kind: the layer's class without its rank: ``Conv``.
        words: what the step does: ``conv 3×3``.
        notes: activation, normalisation.
        shape: what it makes, (None, *spatial, channels).
        inputs: the steps that it reads.
        level: how many times the image was halved before it, less the times that it was doubled.
        rising: whether the step stands behind one that doubles.
    """

    kind: str
    words: str
    shape: Shape
    inputs: list[Box] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    level: int = 0
    rising: bool = False

    @property
    def colour(self) -> str:
        """Its name in :data:`cnnlib.plots.style.COLOURS`."""
        if self.kind == "Dense":
            return "third"
        return next((name for start, name in KINDS.items() if self.kind.startswith(start)), "output")

    @property
    def size(self) -> str:
        """The shape without the batch, as 28×28×6."""
        return by(["?" if n is None else n for n in self.shape[1:]])

    @property
    def lines(self) -> list[str]:
        """What is written into its box in a graph."""
        return [self.words, self.size, *([", ".join(self.notes)] if self.notes else [])]


def boxes(model: Model) -> list[Box]:
    """The steps of a network, each after those that it reads.

    >>> from cnnlib.layers import BatchNormalization, Conv2D, ReLU
    >>> from cnnlib.network import Input, Sequential
    >>> layers = [Conv2D(8, 3, strides=2), BatchNormalization(), ReLU()]
    >>> for box in boxes(Sequential([Input((9, 9, 1)), *layers])):
    ...     print(box.lines)
    ['input', '9×9×1']
    ['conv 3×3 /2', '4×4×8', 'BN, ReLU']
    """
    readers = Counter(node for call in model.calls for node in call.inputs)
    readers.update(model.outputs)
    made: dict[Node, Box] = {
        node: Box("InputLayer", WORDS["InputLayer"], node.shape) for node in model.inputs
    }
    found = list(made.values())
    for call in model.calls:
        kind, source = _kind(call), call.inputs[0]
        joined = _is_quiet(call) and (readers[source] == 1 or kind in ("Flatten", "Reshape"))
        if joined:
            box = made[source]
        else:
            inputs = list(dict.fromkeys(made[node] for node in call.inputs))
            box = Box(kind, _describe(call), call.outputs[0].shape, inputs)
            _place(box, call)
            found.append(box)
        note = _note(call, kind, joined)
        box.notes += [note] if note and note not in box.notes else []
        made.update(dict.fromkeys(call.outputs, box))
    return found


def _is_quiet(call: Call) -> bool:
    """Whether a layer changes values one by one, or only lays them out anew, so that it needs no box."""
    same = len(call.inputs) == 1 and call.outputs[0].shape == call.inputs[0].shape
    still = same and call.layer.window() is None and not isinstance(call.layer, (WeightedSum, ChannelShuffle))
    return still or _kind(call) in SILENT


def _kind(call: Call) -> str:
    name = type(call.layer).__name__
    for rank in ("1D", "2D", "3D"):
        name = name.replace(rank, "")
    return name


def _describe(call: Call) -> str:
    """What a layer does, such as ``conv 3×3 /2``."""
    kind, window = _kind(call), call.layer.window()
    words = WORDS.get(kind, kind)
    if not isinstance(window, Window) or kind in (*SILENT, "UpSampling", "MaxUnpooling"):
        return words
    rank = len(call.outputs[0].shape) - 2
    sizes, steps = per_axis(window.kernel_size, rank, "size"), per_axis(window.strides, rank, "strides")
    moves = sizes != (1,) * rank if window.transposed or "Pool" in kind else steps != (1,) * rank
    stride = by(steps) if len(set(steps)) > 1 else str(steps[0])
    default = "Pool" in kind and steps == sizes  # windows that do not overlap need no word
    return f"{words} {by(sizes)}" + (f" /{stride}" if moves and not default and stride != "1" else "")


def _note(call: Call, kind: str, joined: bool) -> str:
    """What stands beside a step: its activation, its normalisation, its groups."""
    name = getattr(call.layer, "activation", None)
    if name and name != "linear":
        return WORDS.get(name, name)
    if joined and kind not in SILENT:
        return WORDS.get(kind, kind)
    groups = getattr(call.layer, "groups", 1)
    return WORDS["groups"].format(count=groups) if kind == "Conv" and groups > 1 else ""


def _place(box: Box, call: Call) -> None:
    """How deep the step stands: one lower for each halving, one higher for each doubling."""
    window = call.layer.window()
    box.level = max((read.level for read in box.inputs), default=0)
    box.rising = any(read.rising for read in box.inputs)
    if isinstance(window, Window) and set(_flat(window.strides)) != {1}:
        box.level += -1 if window.transposed else 1
        box.rising |= window.transposed


def _flat(value: Any) -> Sequence[int]:
    return value if isinstance(value, tuple) else (value,)


@styled
def draw(model: Model) -> Figure:
    """A drawing of a network, as it is best seen.

    A chain of images is drawn as volumes to scale, a network that goes down and up again as a U, any other
    as boxes and arrows. To draw a part, such as one block, make a model of it:
    ``Model(inner_input, inner_output)``.

    Raises:
        CnnError: the network does not know its shapes yet.
    """
    model.output_shape  # noqa: B018  # raises while shapes are not known
    steps = boxes(model)
    chain = all(box.inputs == [before] for before, box in itertools.pairwise(steps))
    image = len(steps[0].shape) in (3, 4) and None not in steps[0].shape[1:]
    if chain and image and not any(box.rising for box in steps):
        return _volumes(steps)
    if any(box.rising for box in steps):
        return _letter_u(steps)
    return _graph(steps)


# --- a chain: volumes to scale ---------------------------------------------------------------------------


def _volumes(steps: Sequence[Box]) -> Figure:
    """One row for each size of map, the slabs in it side by side; units of dense layers as bars."""
    rows = [list(group) for _, group in itertools.groupby(steps, key=lambda box: box.shape[1:-1])]
    bars = [box for row in rows for box in row if len(box.shape) == 2]
    maps = [row for row in rows if len(row[0].shape) > 2]
    sides = [_sides(row[0]) for row in maps]
    pixel = LARGEST / max(height + SLANT * width for height, width in sides)
    channel = _channel_scale(maps, bars, pixel)
    heights = []
    for row, (height, width) in zip(maps, sides, strict=True):
        heights.append(max(pixel * (height + SLANT * width), LINE * len(row)) + 2 * GAP)
    total = sum(heights) + len(bars) * (LINE + 0.06)
    figure, axes = page(total + LINE + 0.15)
    top = 0.05
    for number, (row, (height, width), room) in enumerate(zip(maps, sides, heights, strict=True)):
        middle = top + room / 2
        left = 0.05
        for box in row:
            thick = max(channel * int(box.shape[-1] or 1), THINNEST)
            size = (max(pixel * height, THINNEST), pixel * width, thick)
            oblique_box(axes, left, middle - (size[0] + SLANT * size[1]) / 2, size, box.colour)
            left += thick + GAP
        _captions(axes, row, middle)
        if number:
            arrow(axes, (0.22, top - 0.1), (0.22, top + 0.1))
        top += room
    for box in bars:
        length = max(channel * int(box.shape[-1] or 1), THINNEST)
        axes.add_patch(_bar(0.05, top + LINE / 2 - 0.05, length, 0.1, box.colour))
        _captions(axes, [box], top + LINE / 2)
        top += LINE + 0.06
    scale = "one_scale" if pixel == channel else "two_scales"
    axes.text(0.05, total + 0.15, WORDS[scale].format(ratio=pixel / channel), va="center", size=10)
    return figure


def _sides(box: Box) -> tuple[int, int]:
    """Height and width of its maps; a row has only one of them."""
    spatial = [int(n or 1) for n in box.shape[1:-1]]
    return (spatial[0], spatial[1]) if len(spatial) > 1 else (1, spatial[0])


def _channel_scale(maps: Sequence[Sequence[Box]], bars: Sequence[Box], pixel: float) -> float:
    """Inches a channel, so that the longest row and the longest bar fit."""
    limits = [pixel]  # never more than a pixel takes
    for row in maps:
        _, width = _sides(row[0])
        room = VOLUMES_WIDTH - GAP * (len(row) - 1) - SLANT * pixel * width
        limits.append(room / sum(int(box.shape[-1] or 1) for box in row))
    limits += [VOLUMES_WIDTH / int(box.shape[-1] or 1) for box in bars]
    return min(limits)


def _captions(axes: Axes, row: Sequence[Box], middle: float) -> None:
    """A line for each slab, beside a square of its colour."""
    first = middle - LINE * (len(row) - 1) / 2
    for number, box in enumerate(row):
        y = first + LINE * number
        axes.add_patch(_bar(VOLUMES_WIDTH + 0.15, y - 0.045, 0.09, 0.09, box.colour))
        axes.text(VOLUMES_WIDTH + 0.3, y, f"{box.words}  {box.size}", va="center", size=10)


def _bar(left: float, top: float, width: float, height: float, colour: str) -> Rectangle:
    return Rectangle(
        (left, top),
        width,
        height,
        facecolor=(COLOURS[colour], 0.75),
        edgecolor=COLOURS["ink"],
        linewidth=0.7,
    )


# --- branches: boxes and arrows --------------------------------------------------------------------------


@dataclass(eq=False)
class _Spot:
    """A box in its row, or the place where an arrow passes through a row."""

    box: Box | None
    row: int
    above: list[_Spot] = field(default_factory=list)
    below: list[_Spot] = field(default_factory=list)
    x: float = 0.0

    @property
    def width(self) -> float:
        """In widths of a box."""
        return 1.0 if self.box else 0.3


@dataclass(eq=False)
class _Plan:
    """Where the boxes of a graph will stand, in inches from its upper left corner."""

    spots: list[_Spot]
    unit: float
    left: float
    width: float
    height: float
    heights: list[float]
    middles: list[float]
    texts: dict[Box, list[str]]

    def tall(self, box: Box) -> float:
        return len(self.texts[box]) * LINE + 0.1

    def edges(self, spot: _Spot) -> tuple[float, float, float]:
        """The middle of a spot from the left, its upper and its lower edge."""
        half = (self.tall(spot.box) if spot.box else self.heights[spot.row]) / 2
        middle = self.middles[spot.row]
        return (spot.x - self.left) * self.unit, middle - half, middle + half

    def draw(self, axes: Axes, left: float, top: float) -> None:
        def moved(spot: _Spot) -> tuple[float, float, float]:
            x, upper, lower = self.edges(spot)
            return left + x, top + upper, top + lower

        for spot in self.spots:
            if spot.box:
                x, upper, lower = moved(spot)
                labelled(axes, x, (upper + lower) / 2, self.unit, self.texts[spot.box], spot.box.colour)
                for points in _paths(spot):
                    _curve(axes, [moved(point) for point in points])


def _plan(steps: Sequence[Box], room: float) -> _Plan:
    """Rows from above to below, every box under all that it reads, no wider than ``room``."""
    rows = _rows(steps)
    _place_columns(rows)
    spots = [spot for row in rows for spot in row]
    left = min(spot.x - spot.width / 2 for spot in spots)
    columns = max(spot.x + spot.width / 2 for spot in spots) - left
    wanted = LETTER * max(len(line) for box in steps for line in box.lines) + 0.16
    unit = min(wanted, room / columns)
    texts = {box: _wrapped(box.lines, round((unit - 0.16) / LETTER - 0.45)) for box in steps}
    tall = {box: len(lines) * LINE + 0.1 for box, lines in texts.items()}
    heights = [max((tall[spot.box] for spot in row if spot.box), default=0.2) for row in rows]
    starts = itertools.accumulate([0.0, *(height + 0.26 for height in heights[:-1])])
    middles = [start + height / 2 for start, height in zip(starts, heights, strict=True)]
    total = middles[-1] + heights[-1] / 2
    return _Plan(spots, unit, left, columns * unit, total, heights, middles, texts)


def _graph(steps: Sequence[Box]) -> Figure:
    """A whole network as boxes and arrows."""
    plan = _plan(steps, WIDTH - 0.1)
    figure, axes = page(plan.height + 0.1, plan.width + 0.1)
    plan.draw(axes, 0.05, 0.05)
    return figure


@styled
def side_by_side(models: Mapping[str, Model]) -> Figure:
    """Some small networks, such as blocks, as boxes and arrows beside one another, each under its title.

    Raises:
        SizeError: there is none, or they do not fit beside one another.
        CnnError: a network does not know its shapes yet.
    """
    if not models:
        raise SizeError("there is no network to draw; give at least one, by its title")
    for model in models.values():
        model.output_shape  # noqa: B018  # raises while shapes are not known
    room = (WIDTH - 0.1 - GAP * (len(models) - 1)) / len(models)
    plans = {title: _plan(boxes(model), room) for title, model in models.items()}
    for title, plan in plans.items():
        need = LETTER * max(
            len(word) for line in plan.texts.values() for text in line for word in text.split()
        )
        if need > plan.unit:
            raise SizeError(f"{title} does not fit: {len(models)} networks beside one another are too many")
    needed = sum(plan.width for plan in plans.values())
    width = min(max(needed + 0.1 + APART * len(plans), NARROW), WIDTH)
    figure, axes = page(max(plan.height for plan in plans.values()) + LINE + 0.15, width)
    spare = (width - 0.1 - needed) / len(plans)
    left = 0.05 + spare / 2
    for title, plan in plans.items():
        axes.text(left + plan.width / 2, 0.05 + LINE / 2, title, ha="center", va="center", weight="bold")
        plan.draw(axes, left, LINE + 0.1)
        left += plan.width + spare
    return figure


def _wrapped(lines: Sequence[str], letters: int) -> list[str]:
    """Lines of at most so many letters, broken between words, a stride never without its window.

    >>> _wrapped(["max pool 3×3 /2", "28×28×64"], letters=12)
    ['max pool', '3×3 /2', '28×28×64']
    """
    kept = [line.replace(" /", "\N{NO-BREAK SPACE}/") for line in lines]
    parts = [part for line in kept for part in textwrap.wrap(line, max(letters, 1), break_long_words=False)]
    return [part.replace("\N{NO-BREAK SPACE}", " ") for part in parts]


def _rows(steps: Sequence[Box]) -> list[list[_Spot]]:
    """Every box one row below the lowest that it reads; arrows over several rows get a spot in each."""
    depth: dict[Box, int] = {}
    for box in steps:
        depth[box] = 1 + max((depth[read] for read in box.inputs), default=-1)
    rows: list[list[_Spot]] = [[] for _ in range(max(depth.values()) + 1)]
    spots: dict[Box, _Spot] = {}
    for box in steps:
        spot = spots[box] = _Spot(box, depth[box])
        for read in box.inputs:
            upper = spots[read]
            for row in range(depth[read] + 1, depth[box]):
                passing = _Spot(None, row)
                _join(upper, passing)
                rows[row].append(passing)
                upper = passing
            _join(upper, spot)
        rows[spot.row].append(spot)
    return rows


def _join(upper: _Spot, lower: _Spot) -> None:
    upper.below.append(lower)
    lower.above.append(upper)


def _place_columns(rows: Sequence[Sequence[_Spot]]) -> None:
    """Put what follows one another without branching into one column, and centre the columns.

    A row with a single box cuts the network; between two cuts branches lie side by side.
    """
    for alone, group in itertools.groupby(rows, key=lambda row: len(row) == 1):
        if not alone:  # a row with a single spot stays at 0
            _place_branches(list(group))


def _place_branches(rows: Sequence[Sequence[_Spot]]) -> None:
    column: dict[_Spot, int] = {}
    for row in rows:
        free = set(range(len(column) + len(row)))
        begun = []
        for spot in row:
            upper = spot.above[0] if len(spot.above) == 1 else None
            if upper in column and len(upper.below) == 1 and column[upper] in free:
                column[spot] = column[upper]
                free.remove(column[spot])
            else:
                begun.append(spot)
        for spot in begun:  # as near as there is room
            near = [column[upper] for upper in spot.above if upper in column]
            column[spot] = min(free, key=lambda place: (sum(abs(place - n) for n in near), place))
            free.remove(column[spot])
    widths = [0.0] * (max(column.values()) + 1)
    for spot, place in column.items():
        widths[place] = max(widths[place], spot.width)
    ends = list(itertools.accumulate(width + BETWEEN for width in widths))
    centres = [end - BETWEEN - width / 2 for end, width in zip(ends, widths, strict=True)]
    filled = [place for place, width in enumerate(widths) if width == 1]
    # A skip beside a single branch leaves that branch in the middle.
    middle = centres[filled[0]] if len(filled) == 1 else (ends[-1] - BETWEEN) / 2
    for spot, place in column.items():
        spot.x = centres[place] - middle


def _paths(spot: _Spot) -> list[list[_Spot]]:
    """Every arrow that begins at a box: the spots that it goes through."""
    found = []
    for lower in spot.below:
        points = [spot, lower]
        while points[-1].box is None:
            points.append(points[-1].below[0])
        found.append(points)
    return found


def _curve(axes: Axes, points: Sequence[tuple[float, float, float]]) -> None:
    """An arrow from below the first point to above the last, upright in every row."""
    x, _, y = points[0]
    vertices, codes = [(x, y)], [Path.MOVETO]
    for place, (right, top, bottom) in enumerate(points[1:], start=1):
        half = (y + top) / 2
        vertices += [(x, half), (right, half), (right, top)]
        codes += [Path.CURVE4] * 3
        if place < len(points) - 1:
            vertices.append((right, bottom))
            codes.append(Path.LINETO)
        x, y = right, bottom
    axes.add_patch(
        FancyArrowPatch(path=Path(vertices, codes), color=COLOURS["ink"], shrinkA=0, shrinkB=0, **ARROW)
    )


# --- down and up again: a U ------------------------------------------------------------------------------


def _letter_u(steps: Sequence[Box]) -> Figure:
    """A row for each size: the way down on the left, the way up on the right, skips across."""
    for box in steps:  # what is cropped for the way up alone belongs there: the way down goes on uncropped
        readers = [reader for reader in steps if box in reader.inputs]
        if box.kind == "Cropping" and all(reader.rising and reader.level == box.level for reader in readers):
            box.rising = True
    stages: dict[tuple[int, bool], list[Box]] = {}
    for box in steps:
        stages.setdefault((box.level, box.rising), []).append(box)
    levels = sorted({level for level, _ in stages})
    wide = 2.5
    columns = {False: 0.05 + wide / 2, True: WIDTH - 0.05 - wide / 2}
    heights = {
        level: max(len(stages.get((level, rising), [])) for rising in columns) * LINE + 0.1
        for level in levels
    }
    tops = dict(
        zip(levels, itertools.accumulate([0.05, *(heights[n] + 0.3 for n in levels[:-1])]), strict=True)
    )
    figure, axes = page(tops[levels[-1]] + heights[levels[-1]] + 0.05)
    stage_of = {box: key for key, members in stages.items() for box in members}
    bottom = levels[-1]
    where: dict[tuple[int, bool], tuple[float, float, float]] = {}
    for (level, rising), members in stages.items():
        alone = level == bottom and (level, not rising) not in stages
        x = WIDTH / 2 if alone else columns[rising]
        tall = len(members) * LINE + 0.1
        middle = tops[level] + heights[level] / 2
        where[level, rising] = (x, middle - tall / 2, middle + tall / 2)
        lines = [f"{box.words}  {box.size}" for box in members]
        labelled(axes, x, middle, wide, lines, members[-1].colour)
    drawn = set()
    for box in steps:
        for read in box.inputs:
            start, end = stage_of[read], stage_of[box]
            if start != end and (start, end) not in drawn:
                drawn.add((start, end))
                _between_stages(axes, where[start], where[end], wide, skip=start[1] != end[1])
    return figure


def _between_stages(
    axes: Axes,
    start: tuple[float, float, float],
    end: tuple[float, float, float],
    wide: float,
    skip: bool,
) -> None:
    """An arrow down, up, or across."""
    (x, top, bottom), (right, head, foot) = start, end
    if top < foot and head < bottom:  # side by side
        y = (max(top, head) + min(bottom, foot)) / 2
        arrow(axes, (x + wide / 2, y), (right - wide / 2, y))
    elif skip and x < right and head < top and x + wide / 2 < right - wide / 2:  # from one row further down
        arrow(axes, (x + wide / 2, (top + bottom) / 2), (right - wide / 2, (head + foot) / 2))
    elif head > top:
        arrow(axes, (x, bottom), (right if abs(right - x) < wide / 4 else right - wide / 4, head))
    else:
        arrow(axes, (x if abs(right - x) < wide / 4 else x + wide / 4, top), (right, foot))
