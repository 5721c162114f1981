"""Figures on the networks after VGG: where their operations go, how gradients and losses run, what they see.

Chapter 13. Whole networks and their blocks are drawn by :mod:`cnnlib.plots.network`; here are the charts.
Parameters and operations are those that :meth:`cnnlib.network.Model.summary` counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from cnnlib.architectures.imagenet import Guess
from cnnlib.errors import ShapeError, SizeError
from cnnlib.layers import Dense
from cnnlib.layers.base import WeightedSum
from cnnlib.layers.convolutional import DepthwiseConv
from cnnlib.network import Model
from cnnlib.plots.pieces import LINE, need_picture, number, page, picture
from cnnlib.plots.style import COLOURS, new_figure, styled
from cnnlib.sizes import per_axis

#: Every word in these figures; a translation replaces the values.
WORDS = {
    "one": "1×1",
    "three": "3×3",
    "larger": "larger kernels",
    "depthwise": "depthwise",
    "dense": "dense",
    "other": "other",
    "share": "share of the multiply–accumulates",
    "macs": "multiply–accumulates",
    "norm": "norm of a layer's gradient",
    "layer": "convolution layer, counted from the input",
    "loss": "loss in training",
    "epoch": "epoch",
    "operations": "multiply–accumulates for one image",
    "accuracy": "top-1 accuracy (%)",
    "parameters": "area: parameters",
    "share_of_one": "{percent:.0f} %",
    "hardly": "< 1 %",
    "giga": "{value} G",
    "mega": "{value} M",
    "kilo": "{value} k",
}

#: The kinds of layers that operations are sorted by, each with a colour and a hatch that tell it apart.
LOOKS = {
    "larger": ("second", "xx"),
    "three": ("kernel", ""),
    "one": ("third", "//"),
    "depthwise": ("output", ".."),
    "dense": ("padding", "\\\\"),
    "other": ("faint", ""),
}
#: Lines that can be told apart without colour.
STYLES = ("-", "--", "-.", ":")
#: Charts are narrower than pictures, so that the page enlarges their text with them.
CHART_WIDTH = 4.8


class Published(NamedTuple):
    """What somebody measured: the share of ImageNet's validation images whose class a network got right.

    Attributes:
        top_1: in per cent, one crop of the middle of each image.
        source: the key in the bibliography.
    """

    top_1: float
    source: str


#: Published accuracies. Each is for the layers that :mod:`cnnlib.architectures` has, but as its source
#: trained them, so that differences of a point say nothing.
ACCURACIES = {
    "AlexNet": Published(57.2, "howard2017"),  # Table 9
    "VGG-16": Published(71.3, "chollet2015"),  # applications
    "VGG-19": Published(71.3, "chollet2015"),
    "GoogLeNet": Published(69.8, "howard2017"),  # Table 8
    "ResNet-18": Published(69.8, "torchvision2016"),
    "ResNet-34": Published(73.3, "torchvision2016"),
    "ResNet-50": Published(74.9, "chollet2015"),
    "MobileNet": Published(70.6, "howard2017"),  # Table 8
    "ShuffleNet": Published(67.4, "zhang2018"),  # Table 2, three groups
    "EfficientNet-Lite0": Published(75.1, "liu2020lite"),
}


def amount(count: float) -> str:
    """A large number, short.

    >>> amount(15_470_264_320), amount(385_187_552), amount(6_998_552), amount(4_200)
    ('15.5 G', '385 M', '7.00 M', '4.20 k')
    """
    name, unit = ("giga", 1e9) if count >= 1e9 else ("mega", 1e6) if count >= 1e6 else ("kilo", 1e3)
    return WORDS[name].format(value=f"{count / unit:#.3g}".rstrip("."))


def _tick(value: float) -> str:
    """The same for a round number beside an axis: 1 G."""
    return amount(value).replace(".00", "").replace(".0", "") if value else "0"


def operations_by_kind(model: Model) -> dict[str, int]:
    """The multiply–accumulates of a network for one image, sorted by the kind of layer that needs them.

    Args:
        model: with inputs of known size.

    Returns:
        a count for every kind in :data:`LOOKS`, in that order; together they are the network's.

    >>> from cnnlib.architectures import mobilenet
    >>> counts = operations_by_kind(mobilenet())
    >>> f"{counts['one'] / sum(counts.values()):.2%}"
    '95.04%'
    """
    rows = model.summary().rows[len(model.inputs) :]
    counts = dict.fromkeys(LOOKS, 0)
    for call, row in zip(model.calls, rows, strict=True):
        if row.macs is None:
            raise ShapeError(f"{row.name} has outputs of open size; give the network inputs of known size")
        if row.macs:
            counts[_kind(call.layer)] += row.macs
    return counts


def _kind(layer: object) -> str:
    if isinstance(layer, Dense):
        return "dense"
    if isinstance(layer, DepthwiseConv):
        return "depthwise"
    if not isinstance(layer, WeightedSum) or not hasattr(layer, "kernel_size"):
        return "other"
    sizes = set(per_axis(layer.kernel_size, layer.rank, "kernel_size"))  # type: ignore[attr-defined]
    return "one" if sizes == {1} else "three" if sizes == {3} else "larger"


@styled
def operations(models: Mapping[str, Model], share: bool = False) -> Figure:
    """A bar for each network: its multiply–accumulates, sorted by the kind of layer.

    Args:
        models: by the names that are written beside the bars.
        share: every bar as long as any other, so that shares are compared.

    Raises:
        SizeError: there is no network.
    """
    if not models:
        raise SizeError("there is no network to draw; give at least one, by its name")
    counts = {name: operations_by_kind(model) for name, model in models.items()}
    figure = new_figure(0.95 + 0.42 * len(models))
    axes = figure.subplots()
    shown = [kind for kind in LOOKS if any(count[kind] for count in counts.values())]
    totals = np.array([sum(count.values()) for count in counts.values()], float)
    scale = totals if share else np.ones(len(totals))
    ends = np.zeros(len(totals))
    for kind in shown:
        lengths = np.array([count[kind] for count in counts.values()]) / scale
        colour, hatch = LOOKS[kind]
        axes.barh(
            list(counts), lengths, 0.62, ends, label=WORDS[kind], color=(COLOURS[colour], 0.75), hatch=hatch,
            edgecolor=COLOURS["ink"], linewidth=0.6,
        )  # fmt: skip
        ends += lengths
    longest = float(ends.max())
    for place, total in enumerate(totals):
        axes.text(ends[place] + longest * 0.015, place, amount(total), va="center", size=10)
    axes.set(xlim=(0, longest * 1.17), xlabel=WORDS["share" if share else "macs"])
    if share:
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    else:
        axes.xaxis.set_major_formatter(lambda value, _: _tick(value))
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0, labelsize=11)
    figure.legend(loc="outside upper right", ncols=len(shown), handlelength=1.4, columnspacing=1.1)
    return figure


@styled
def gradient_norms(norms: Mapping[str, Sequence[float]]) -> Figure:
    """How large the gradient of each layer's weights is, from the first layer to the last, on a log scale.

    Args:
        norms: for each network the norms, first layer first.
    """
    figure, axes = _chart(norms, WORDS["layer"], WORDS["norm"])
    for (name, values), style in zip(norms.items(), STYLES, strict=False):
        axes.plot(range(1, len(values) + 1), values, style, label=name)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: _power(value))
    axes.legend()
    return figure


@styled
def losses(histories: Mapping[str, Sequence[float]]) -> Figure:
    """The loss of each epoch of several trainings.

    Args:
        histories: for each network the losses, first epoch first.
    """
    figure, axes = _chart(histories, WORDS["epoch"], WORDS["loss"])
    for (name, values), style, marker in zip(histories.items(), STYLES, "osD^", strict=False):
        axes.plot(range(1, len(values) + 1), values, style, marker=marker, label=name)
    axes.set_ylim(bottom=0)
    axes.set_xticks(range(1, max(map(len, histories.values())) + 1))
    axes.legend()
    return figure


def _power(value: float) -> str:
    """A power of ten beside an axis.

    >>> _power(0.01), _power(1e-6)
    ('0.01', '1e−6')
    """
    return number(value) if value >= 1e-3 else f"1e{number(round(math.log10(value)))}"


def _chart(lines: Mapping[str, Sequence[float]], across: str, up: str) -> tuple[Figure, Axes]:
    if not 0 < len(lines) <= len(STYLES):
        raise SizeError(f"{len(lines)} lines cannot be told apart; give 1 to {len(STYLES)}")
    for name, values in lines.items():
        if not len(values) or not np.isfinite(values).all():
            raise SizeError(f"{name} has no values, or some that are NaN or infinite")
    figure = new_figure(3.0, CHART_WIDTH)
    axes = figure.subplots()
    axes.set(xlabel=across, ylabel=up)
    return figure, axes


#: On which side of its disc a network's name stands, if not above.
_SIDES = {
    "AlexNet": "left",
    "VGG-16": "below",
    "GoogLeNet": "below",
    "ResNet-34": "right",
}


@styled
def accuracy_and_cost(models: Mapping[str, Model]) -> Figure:
    """Networks by their operations, their published accuracy, and their parameters as the area of a disc.

    Args:
        models: by the names that :data:`ACCURACIES` knows.

    Raises:
        SizeError: there is none, or one that has no published accuracy here.
    """
    if not models:
        raise SizeError("there is no network to draw; give at least one, by its name")
    if unknown := [name for name in models if name not in ACCURACIES]:
        raise SizeError(f"no published accuracy of {', '.join(unknown)}; there are {', '.join(ACCURACIES)}")
    figure = new_figure(4.4)
    axes = figure.subplots()
    for name, model in models.items():
        counted = model.summary()
        macs, top, area = float(counted.macs or 0), ACCURACIES[name].top_1, counted.learned / 1e5
        axes.scatter(
            macs, top, s=area, color=(COLOURS["input"], 0.55), edgecolor=COLOURS["ink"], linewidth=0.8
        )
        away = math.sqrt(area / math.pi) + 3
        side = _SIDES.get(name, "above")
        right, up = {"above": (0, away), "below": (0, -away), "left": (-away, 0), "right": (away, 0)}[side]
        axes.annotate(
            f"{name}\n{amount(counted.learned)}",
            (macs, top),
            (right, up),
            textcoords="offset points",
            ha={"left": "right", "right": "left"}.get(side, "center"),
            va={"above": "bottom", "below": "top"}.get(side, "center"),
            linespacing=0.95,
            size=10,
        )
    axes.set(xscale="log", xlabel=WORDS["operations"], ylabel=WORDS["accuracy"])
    axes.xaxis.set_major_formatter(lambda value, _: _tick(value))
    axes.margins(0.13, 0.14)
    axes.text(0.98, 0.03, WORDS["parameters"], transform=axes.transAxes, ha="right", style="italic", size=10)
    return figure


#: Inches of the square of a photograph, of the column of names, and of the longest bar.
_SQUARE, _NAMES, _BAR = 1.12, 1.62, 2.1


@styled
def guesses(pictures: Mapping[str, ArrayLike], found: Mapping[str, Sequence[Guess]]) -> Figure:
    """Photographs, and beside each the classes that a network finds most probable.

    Args:
        pictures: by title, uint8 or floats from 0 to 1, (height, width, 3) or (height, width).
        found: for each title the guesses, the best first.

    Raises:
        SizeError: titles differ, or there are none, or a picture has no guess or more than five.
        ShapeError: what cannot be shown as a picture.
    """
    if not pictures or pictures.keys() != found.keys():
        raise SizeError(f"there are pictures {list(pictures)} and guesses {list(found)}; give both for each")
    shown = {title: _small(np.asarray(values)) for title, values in pictures.items()}
    step = LINE + _SQUARE + 0.16
    figure, axes = page(step * len(pictures))
    for row, (title, values) in enumerate(shown.items()):
        if not 1 <= len(found[title]) <= 5:
            raise SizeError(f"{title} has {len(found[title])} guesses; 1 to 5 can be drawn")
        top = row * step + 0.04
        axes.text(0.03, top + LINE / 2, title, va="center", size=11, weight="bold")
        height = step * len(pictures)
        place = (0.03 / 5.6, 1 - (top + LINE + 0.02 + _SQUARE) / height, _SQUARE / 5.6, _SQUARE / height)
        frame = figure.add_axes(place)
        picture(frame, values)
        frame.spines[:].set(visible=True, linewidth=0.7)  # a white picture is still seen
        _bars(axes, found[title], top + LINE + 0.02)
    return figure


def _small(values: NDArray) -> NDArray:
    """Colours from 0 to 1, of so few pixels as can be seen."""
    need_picture(values)
    values = values / 255 if values.dtype == np.uint8 else values
    values = np.repeat(values[..., None], 3, axis=2) if values.ndim == 2 else values
    step = max(-(-min(values.shape[:2]) // 90), 1)
    side = min(values.shape[:2]) // step * step
    square = values[:side, :side].reshape(side // step, step, side // step, step, -1).mean(axis=(1, 3))
    return np.clip(square, 0, 1)


def _bars(axes: Axes, found: Sequence[Guess], top: float) -> None:
    each = _SQUARE / 5
    left = _SQUARE + 0.12 + _NAMES
    for place, guess in enumerate(found):
        middle = top + (place + 0.5) * each
        axes.text(left - 0.07, middle, guess.name, ha="right", va="center", size=10)
        axes.add_patch(
            Rectangle(
                (left, middle - 0.37 * each),
                _BAR * guess.probability,
                0.74 * each,
                facecolor=(COLOURS["output"], 0.75),
                edgecolor=COLOURS["ink"],
                linewidth=0.6,
            )
        )
        words = WORDS["share_of_one"].format(percent=100 * guess.probability)
        if guess.probability < 0.005:
            words = WORDS["hardly"]
        axes.text(left + _BAR * guess.probability + 0.05, middle, words, va="center", size=10)
