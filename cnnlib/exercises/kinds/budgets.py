"""Designing a network (chapters 13 and 14): blocks and their price, drafts under a budget, looking inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlib.activations import relu6
from cnnlib.errors import SizeError
from cnnlib.exercises.answers import Array, Number, Shape
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.misconceptions import add, add_all
from cnnlib.exercises.networks import Conv, trace
from cnnlib.exercises.tasks import add_kind
from cnnlib.receptive_field import Window, receptive_field
from cnnlib.sizes import (
    activation_values,
    conv_macs,
    conv_parameters,
    conv_weights,
    dense_macs,
    dense_parameters,
    item_bytes,
    remembered,
)

CHAPTER = "after-vgg"

#: A draft of a network: (filters, kernel size, stride) of each convolution, without padding.
Plan = Sequence[tuple[int, int, int]]

# --- Blocks of chapter 13 -----------------------------------------------------------------------------


def _square(kernel_size: int) -> tuple[int, int]:
    return kernel_size, kernel_size


def _reduced_weights(kernel_size: int, channels: int, reduced: int, filters: int) -> int:
    """The weights of a 1×1 reduction and the convolution behind it, biases left out."""
    behind = conv_weights(_square(kernel_size), reduced, filters)
    return conv_weights((1, 1), channels, reduced) + behind


def _direct_weights(kernel_size: int, channels: int, reduced: int, filters: int) -> int:
    return conv_weights(_square(kernel_size), channels, filters)


def _roll_reduction(dice: Dice) -> dict[str, Any]:
    reduced = 4 * dice.roll(2, 8)
    return {
        "kernel_size": dice.pick((3, 5)),
        "channels": reduced * dice.roll(3, 6),
        "reduced": reduced,
        "filters": 8 * dice.roll(4, 16),
    }


add_kind(
    "reduced_weights",
    _reduced_weights,
    Number(),
    "which two layers are there, and how deep is the input of each?",
    CHAPTER,
    _roll_reduction,
    labels={"reduced": "1×1 filters"},
)
add(
    "reduced_weights",
    "without-the-reduction",
    _direct_weights,
    "{answer} is the convolution without a reduction before it.",
    CHAPTER,
)
add(
    "reduced_weights",
    "behind-it-only",
    lambda kernel_size, channels, reduced, filters: conv_weights(_square(kernel_size), reduced, filters),
    "{answer} leaves out the reduction itself: a 1×1 convolution has weights too, one for each channel.",
    CHAPTER,
)
add(
    "reduced_weights",
    "still-as-deep",
    lambda kernel_size, channels, reduced, filters: (
        conv_weights((1, 1), channels, reduced) + conv_weights(_square(kernel_size), channels, filters)
    ),
    "{answer} lets the second layer read all {channels} channels. It reads what the reduction leaves.",
    CHAPTER,
)
add(
    "reduced_weights",
    "with-the-biases",
    lambda **given: _reduced_weights(**given) + given["reduced"] + given["filters"],
    "{answer} counts biases. Only weights are compared here.",
    CHAPTER,
)


def _residual_parameters(channels: int, filters: int) -> int:
    """A basic block of two 3×3 convolutions; where the channels change, the shortcut is a 1×1 convolution."""
    both = conv_parameters((3, 3), channels, filters) + conv_parameters((3, 3), filters, filters)
    return both + (conv_parameters((1, 1), channels, filters) if channels != filters else 0)


def _roll_residual(dice: Dice) -> dict[str, Any]:
    channels = 4 * dice.roll(4, 16)
    return {"channels": channels, "filters": dice.pick((1, 2)) * channels}


add_kind(
    "residual_parameters",
    _residual_parameters,
    Number(),
    "which layers lie on the way through, and does the shortcut need one to make the channels agree?",
    CHAPTER,
    _roll_residual,
)
add(
    "residual_parameters",
    "forgot-the-shortcut",
    lambda channels, filters: (
        _residual_parameters(channels, filters) - conv_parameters((1, 1), channels, filters)
        if channels != filters
        else None
    ),
    "{answer} adds {channels} channels to {filters}. The shortcut needs a 1×1 convolution to make "
    "them agree.",
    CHAPTER,
)
add(
    "residual_parameters",
    "shortcut-for-nothing",
    lambda channels, filters: (
        _residual_parameters(channels, filters) + conv_parameters((1, 1), channels, filters)
        if channels == filters
        else None
    ),
    "{answer} has a convolution in the shortcut. The channels agree as they are: adding costs no parameters.",
    CHAPTER,
)
add(
    "residual_parameters",
    "second-like-the-first",
    lambda channels, filters: (
        _residual_parameters(channels, filters)
        - conv_parameters((3, 3), filters, filters)
        + conv_parameters((3, 3), channels, filters)
        if channels != filters
        else None
    ),
    "{answer} lets the second convolution read {channels} channels. It reads what the first one makes.",
    CHAPTER,
)
add(
    "residual_parameters",
    "left-out-the-biases",
    lambda channels, filters: (
        _residual_parameters(channels, filters) - (3 if channels != filters else 2) * filters
    ),
    "{answer} leaves out the biases: every filter has one.",
    CHAPTER,
)
add(
    "residual_parameters",
    "one-convolution",
    lambda channels, filters: (
        _residual_parameters(channels, filters) - conv_parameters((3, 3), filters, filters)
    ),
    "{answer} has one 3×3 convolution; the block has two.",
    CHAPTER,
)

# --- Folding a normalisation --------------------------------------------------------------------------


def _folded_weight(weight: float, scale: float, variance: float) -> float:
    return weight * scale / variance**0.5


def _folded_bias(bias: float, scale: float, shift: float, mean: float, variance: float) -> float:
    return scale / variance**0.5 * (bias - mean) + shift


def _roll_folding(dice: Dice) -> dict[str, Any]:
    return {
        "bias": dice.roll(-4, 6),
        "scale": dice.roll(1, 7),
        "shift": dice.pick((-3, -2, -1, 1, 2, 3)),
        "mean": dice.pick((-5, -4, -3, -2, 2, 3, 4, 5)),
        "variance": dice.pick((4, 16)),
    }


add_kind(
    "folded_weight",
    _folded_weight,
    Number(),
    "by what does the normalisation multiply whatever comes out of the convolution?",
    CHAPTER,
    lambda dice: {
        "weight": dice.roll(2, 9),
        "scale": dice.roll(2, 7),
        "variance": dice.pick((4, 16)),
    },
    labels={"weight": "weight", "scale": "γ", "variance": "σ² + ε"},
)
add_kind(
    "folded_bias",
    _folded_bias,
    Number(),
    "what comes out of both layers where all inputs are zero?",
    CHAPTER,
    _roll_folding,
    labels={"bias": "bias", "shift": "β", "mean": "μ"},
)
add(
    "folded_weight",
    "divided-by-the-variance",
    lambda weight, scale, variance: weight * scale / variance,
    "{answer} divides by the variance. The normalisation divides by its square root.",
    CHAPTER,
)
add(
    "folded_weight",
    "forgot-the-scale",
    lambda weight, scale, variance: weight / variance**0.5,
    "{answer} leaves out γ.",
    CHAPTER,
)
add(
    "folded_weight",
    "scale-alone",
    lambda weight, scale, variance: weight * scale,
    "{answer} is not divided by the spread of the channel.",
    CHAPTER,
)
add(
    "folded_bias",
    "forgot-the-mean",
    lambda mean, **given: _folded_bias(mean=0, **given),
    "{answer} does not take the mean away.",
    CHAPTER,
)
add(
    "folded_bias",
    "forgot-the-shift",
    lambda shift, **given: _folded_bias(shift=0, **given),
    "{answer} leaves out β.",
    CHAPTER,
)
add(
    "folded_bias",
    "forgot-the-old-bias",
    lambda bias, **given: _folded_bias(bias=0, **given) if bias else None,
    "{answer} leaves out the bias of the convolution. It is normalised like everything else.",
    CHAPTER,
)
add(
    "folded_bias",
    "old-bias-as-it-is",
    lambda bias, **given: bias + _folded_bias(bias=0, **given),
    "{answer} adds the bias of the convolution as it is. It goes through the normalisation, too.",
    CHAPTER,
)
add(
    "folded_bias",
    "divided-by-the-variance",
    lambda variance, **given: _folded_bias(variance=variance**2, **given),
    "{answer} divides by the variance. The normalisation divides by its square root.",
    CHAPTER,
)

# --- Ways to look inside (chapter 14) -----------------------------------------------------------------


def _gram(features: Any) -> NDArray:
    from cnnlib.seeing import gram_matrix  # it brings all layers along, which other tasks do without

    return np.asarray(gram_matrix(np.asarray(features, dtype=np.float64)[None]))[0]


add_kind(
    "gram",
    _gram,
    Array(2),
    "which two columns of numbers belong to one entry, and what is done with them?",
    "seeing",
    lambda dice: {"features": tuple(tuple(dice.roll(-2, 4) for _ in range(2)) for _ in range(3))},
    labels={"features": "activations"},
)
add(
    "gram",
    "places-for-channels",
    lambda features: np.asarray(features, dtype=float) @ np.asarray(features, dtype=float).T,
    "this compares places. The Gram matrix compares channels: it has a row and a column for each.",
    "seeing",
)
add(
    "gram",
    "mean-for-sum",
    lambda features: _gram(features) / len(features),
    "these are means over the places. Here G is the sum over all places.",
    "seeing",
)
add(
    "gram",
    "took-the-means-away",
    lambda features: _gram(np.asarray(features, dtype=float) - np.mean(features, axis=0)),
    "the means were taken away first, as for a covariance. The Gram matrix takes activations as they are.",
    "seeing",
)
add(
    "gram",
    "only-with-themselves",
    lambda features: np.diag(np.diag(_gram(features))),
    "there are zeros beside the diagonal. How strongly two channels answer together stands there.",
    "seeing",
)


def _cam(maps: Any, slopes: Any) -> NDArray:
    """Grad-CAM from feature maps and slopes, both (height, width, channels)."""
    weights = np.mean(slopes, axis=(0, 1))
    return np.maximum((np.asarray(maps, dtype=np.float64) * weights).sum(axis=-1), 0)


def _roll_cam(dice: Dice) -> dict[str, Any]:
    shape = (dice.roll(2, 4), dice.roll(2, 5), dice.roll(2, 4))
    return {"maps": dice.halves(shape, low=-3, high=8), "slopes": dice.halves(shape, low=-8, high=8)}


add_kind(
    "cam",
    _cam,
    Array(2),
    "what is the weight of each map, and what happens to a place where the weighted sum is negative?",
    "seeing",
    _roll_cam,
    labels={"maps": "maps", "slopes": "slopes"},
)
add(
    "cam",
    "kept-the-negative",
    lambda maps, slopes: (np.asarray(maps) * np.mean(slopes, axis=(0, 1))).sum(axis=-1),
    "negative values were kept. Grad-CAM shows what speaks for the class, and cuts off the rest.",
    "seeing",
)
add(
    "cam",
    "sum-for-mean",
    lambda maps, slopes: _cam(maps, np.asarray(slopes) * np.asarray(slopes)[..., 0].size),
    "the weights are sums of slopes. A map's weight is the mean over its places.",
    "seeing",
)
add(
    "cam",
    "place-by-place",
    lambda maps, slopes: np.maximum(np.sum(np.multiply(maps, slopes), axis=-1), 0),
    "each place was multiplied by its own slope. A map has one weight, the mean of its slopes.",
    "seeing",
)
add(
    "cam",
    "without-weights",
    lambda maps, slopes: np.maximum(np.sum(maps, axis=-1), 0),
    "the maps were added up without weights. Which of them matter for the class is in the slopes.",
    "seeing",
)
add(
    "cam",
    "cut-off-map-by-map",
    lambda maps, slopes: np.maximum(np.asarray(maps) * np.mean(slopes, axis=(0, 1)), 0).sum(axis=-1),
    "each map was cut off by itself. The sum comes first: maps may speak against the class.",
    "seeing",
)

# --- A draft and its bills ----------------------------------------------------------------------------


def _convolutions(plan: Plan) -> list[Conv]:
    return [Conv(filters, kernel_size, strides=stride) for filters, kernel_size, stride in plan]


def _last_shape(input_shape: Sequence[int], plan: Plan) -> tuple[int, ...]:
    return trace(input_shape, _convolutions(plan))[-1].output


def _draft_parameters(input_shape: Sequence[int], plan: Plan, classes: int) -> int:
    rows = trace(input_shape, _convolutions(plan))
    return sum(row.parameters for row in rows) + dense_parameters(activation_values(rows[-1].output), classes)


def _plan_macs(input_shape: Sequence[int], plan: Plan) -> int:
    work, shape = 0, tuple(input_shape)
    for filters, kernel_size, stride in plan:
        work += conv_macs((1, *shape), kernel_size, filters, stride)
        shape = _last_shape(shape, [(filters, kernel_size, stride)])
    return work


def _draft_macs(input_shape: Sequence[int], plan: Plan, classes: int) -> int:
    inputs = activation_values(_last_shape(input_shape, plan))
    return _plan_macs(input_shape, plan) + dense_macs((1, inputs), classes)


def _draft_field(plan: Plan) -> int:
    size = receptive_field([Window(kernel_size, stride) for _, kernel_size, stride in plan]).size
    if size is None:
        raise SizeError("a draft of convolutions sees so many pixels; this one has none")
    return size


def _roll_plan(dice: Dice, depth: int | None = None) -> dict[str, Any]:
    depth = depth or dice.roll(2, 3)
    filters, plan = dice.roll(4, 8), []
    for number in range(depth):
        plan.append((filters, dice.pick((3, 5)), dice.pick((1, 2)) if number else 2))
        filters += dice.roll(2, 8)
    return {
        "input_shape": (dice.roll(28, 40), dice.roll(28, 40), dice.pick((1, 3))),
        "plan": tuple(plan),
        "classes": dice.roll(4, 10),
    }


add_kind(
    "draft_parameters",
    _draft_parameters,
    Number(),
    "how deep is the input of each convolution, and how many numbers does the dense layer read?",
    CHAPTER,
    _roll_plan,
    labels={"plan": "plan", "classes": "classes"},
)
add_kind(
    "draft_macs",
    _draft_macs,
    Number(),
    "how large is each output, and how many products make one of its values?",
    CHAPTER,
    _roll_plan,
)
add_kind(
    "draft_field",
    _draft_field,
    Number(),
    "by how many pixels are neighbours apart before each layer, and how many steps does its kernel reach?",
    "receptive-field",
    lambda dice: {"plan": _roll_plan(dice)["plan"]},
)


def _without_strides(plan: Plan) -> Plan:
    return [(filters, kernel_size, 1) for filters, kernel_size, _ in plan]


add(
    "draft_parameters",
    "left-out-the-dense-layer",
    lambda input_shape, plan, classes: sum(row.parameters for row in trace(input_shape, _convolutions(plan))),
    "{answer} leaves out the dense layer at the end.",
    CHAPTER,
)
add(
    "draft_parameters",
    "left-out-the-biases",
    lambda input_shape, plan, classes: (
        _draft_parameters(input_shape, plan, classes) - sum(filters for filters, *_ in plan) - classes
    ),
    "{answer} leaves out the biases: every filter and every unit has one.",
    CHAPTER,
)
add(
    "draft_parameters",
    "one-number-a-channel",
    lambda input_shape, plan, classes: (
        sum(row.parameters for row in trace(input_shape, _convolutions(plan)))
        + dense_parameters(plan[-1][0], classes)
    ),
    "{answer} lets the dense layer read one number a channel. The maps are flattened: it reads every place.",
    CHAPTER,
)
add(
    "draft_parameters",
    "forgot-the-strides",
    lambda input_shape, plan, classes: _draft_parameters(input_shape, _without_strides(plan), classes),
    "{answer} flattens maps as large as stride 1 would leave them.",
    CHAPTER,
)
add(
    "draft_macs",
    "parameters-for-work",
    _draft_parameters,
    "{answer} counts parameters. Each weight of a convolution is used at every place of its output.",
    CHAPTER,
)
add(
    "draft_macs",
    "left-out-the-dense-layer",
    lambda input_shape, plan, classes: _plan_macs(input_shape, plan),
    "{answer} leaves out the dense layer, which multiplies once for each weight.",
    CHAPTER,
)
add(
    "draft_macs",
    "forgot-the-strides",
    lambda input_shape, plan, classes: _draft_macs(input_shape, _without_strides(plan), classes),
    "{answer} is the work at stride 1.",
    CHAPTER,
)
add(
    "draft_macs",
    "left-out-the-depth",
    lambda input_shape, plan, classes: (
        sum(
            filters * kernel**2 * shape[0] * shape[1]
            for (filters, kernel, _), shape in zip(
                plan, [row.output for row in trace(input_shape, _convolutions(plan))], strict=True
            )
        )
        + dense_macs((1, activation_values(_last_shape(input_shape, plan))), classes)
    ),
    "{answer} leaves out the depth of the filters: each value of an output sums over all channels of "
    "its input.",
    CHAPTER,
)
add(
    "draft_field",
    "added-the-kernels",
    lambda plan: sum(kernel_size for _, kernel_size, _ in plan) if len(plan) > 1 else None,
    "{answer} adds up the kernels. Windows overlap: at stride 1 each layer adds F − 1.",
    "receptive-field",
)
add(
    "draft_field",
    "forgot-the-strides",
    lambda plan: _draft_field(_without_strides(plan)) if any(s > 1 for *_, s in plan[:-1]) else None,
    "{answer} is the field at stride 1. Behind a stride, neighbours are further apart, and a kernel "
    "reaches further.",
    "receptive-field",
)
add(
    "draft_field",
    "stride-of-its-own-layer",
    lambda plan: (
        _draft_field([(1, 1, plan[0][2]), *((1, k, s) for (_, k, _), (_, _, s) in _paired(plan))])
        if any(s > 1 for *_, s in plan)
        else None
    ),
    "{answer} lets a layer's own stride widen its own window. A stride counts for the layers behind it.",
    "receptive-field",
)
add(
    "draft_field",
    "left-out-the-first",
    lambda plan: _draft_field(plan) - 1,
    "{answer} leaves out the pixel that the unit stands on: begin with 1.",
    "receptive-field",
)


def _paired(plan: Plan) -> list[tuple[tuple[int, int, int], tuple[int, int, int]]]:
    """Each layer with the one behind it, whose stride is taken too early; the last with none."""
    return list(zip(plan, [*plan[1:], (1, 1, 1)], strict=True))


def _most_filters(limit: int, kernel_size: int, channels: int, side: int, classes: int) -> int:
    """The most filters of a last convolution with a dense layer on its side × side maps behind it."""

    def cost(filters: int) -> int:
        convolution = conv_parameters(_square(kernel_size), channels, filters)
        return convolution + dense_parameters(side * side * filters, classes)

    if cost(1) > limit:
        raise SizeError(f"{limit} parameters do not allow a single filter")
    filters = 1
    while cost(filters + 1) <= limit:
        filters += 1
    return filters


add_kind(
    "most_filters",
    _most_filters,
    Number(),
    "how many parameters does one filter more cost, in this layer and in the dense layer behind it?",
    CHAPTER,
    lambda dice: {
        "limit": 100 * dice.roll(40, 120),
        "kernel_size": dice.pick((3, 5)),
        "channels": dice.roll(6, 16),
        "side": dice.roll(3, 6),
        "classes": dice.roll(4, 10),
    },
    labels={"limit": "limit", "side": "side"},
)
add(
    "most_filters",
    "convolution-only",
    lambda limit, kernel_size, channels, side, classes: (
        limit // conv_parameters(_square(kernel_size), channels, 1)
    ),
    "{answer} would leave nothing for the dense layer, which reads every place of every map.",
    CHAPTER,
)
add(
    "most_filters",
    "rounded-up",
    lambda **given: _most_filters(**given) + 1,
    "{answer} is one too many: its parameters are above the limit. Round down.",
    CHAPTER,
)
add(
    "most_filters",
    "one-number-a-channel",
    lambda limit, kernel_size, channels, side, classes: _most_filters(
        limit, kernel_size, channels, 1, classes
    ),
    "{answer} lets the dense layer read one number a map. It reads {side}×{side}.",
    CHAPTER,
)
add(
    "most_filters",
    "left-out-the-depth",
    lambda limit, kernel_size, channels, side, classes: _most_filters(limit, kernel_size, 1, side, classes),
    "{answer} takes filters that are one channel deep. Here a filter reads {channels} channels.",
    CHAPTER,
)


# --- The rule as code: all three at once --------------------------------------------------------------


def _draft_cost(input_shape: Sequence[int], plan: Plan, classes: int) -> tuple[int, int, int]:
    return (
        _draft_parameters(input_shape, plan, classes),
        _draft_macs(input_shape, plan, classes),
        _draft_field(plan),
    )


add_kind(
    "draft_cost",
    _draft_cost,
    Shape(("parameters", "MACs", "field")),
    "what are the three numbers of a draft with a single 1×1 filter, worked out by hand?",
    CHAPTER,
    _roll_plan,
)


def _costs(change: Callable[..., tuple[Any, ...] | None]) -> Callable[..., Any]:
    """A mistake in one of the three numbers: ``change`` gets them, and what is given."""
    return lambda **given: change(*_draft_cost(**given), **given)


add(
    "draft_cost",
    "left-out-the-dense-layer",
    lambda input_shape, plan, classes: (
        sum(row.parameters for row in trace(input_shape, _convolutions(plan))),
        _plan_macs(input_shape, plan),
        _draft_field(plan),
    ),
    "The dense layer at the end is left out.",
    CHAPTER,
)
add(
    "draft_cost",
    "left-out-the-biases",
    _costs(
        lambda parameters, macs, field, input_shape, plan, classes: (
            parameters - sum(filters for filters, *_ in plan) - classes,
            macs,
            field,
        )
    ),
    "The biases are left out of the parameters: every filter and every unit has one.",
    CHAPTER,
)
add(
    "draft_cost",
    "forgot-the-strides",
    lambda input_shape, plan, classes: _draft_cost(input_shape, _without_strides(plan), classes),
    "This is the draft at stride 1.",
    CHAPTER,
)
add(
    "draft_cost",
    "field-at-stride-one",
    _costs(
        lambda parameters, macs, field, input_shape, plan, classes: (
            (parameters, macs, _draft_field(_without_strides(plan)))
            if any(stride > 1 for *_, stride in plan[:-1])
            else None
        )
    ),
    "The field is that of stride 1. Behind a stride, neighbours are further apart.",
    CHAPTER,
)
add(
    "draft_cost",
    "parameters-for-work",
    _costs(lambda parameters, macs, field, **_: (parameters, parameters, field)),
    "The work is the number of parameters. Each weight of a convolution is used at every place.",
    CHAPTER,
)

# --- Modules, chains, bridges, pixels (chapter 13) ----------------------------------------------------


def _module_channels(ones: int, reduced: Sequence[int], threes: int, fives: int, projected: int) -> int:
    """The channels that an inception module hands on; ``reduced`` are those before its large kernels."""
    return ones + threes + fives + projected


add_kind(
    "module_channels",
    _module_channels,
    Number(),
    "which four layers are the last of their branches, and what is done with their maps?",
    CHAPTER,
    lambda dice: {
        "ones": 8 * dice.roll(2, 8),
        "reduced": (8 * dice.roll(4, 8), 4 * dice.roll(1, 4)),
        "threes": 8 * dice.roll(8, 16),
        "fives": 8 * dice.roll(1, 6),
        "projected": 8 * dice.roll(1, 7),
    },
    labels={
        "ones": "filters of 1×1",
        "reduced": "1×1 filters before the large kernels",
        "threes": "filters of 3×3",
        "fives": "filters of 5×5",
        "projected": "1×1 filters behind the pooling",
    },
)
add_all(
    "module_channels",
    CHAPTER,
    (
        "counted-the-reductions",
        lambda reduced, **given: _module_channels(reduced=reduced, **given) + sum(reduced),
        "{answer} counts the maps between 1×1 and large kernels, too. They are read inside the module.",
    ),
    (
        "the-widest-branch",
        lambda ones, reduced, threes, fives, projected: max(ones, threes, fives, projected),
        "{answer} is one branch. The maps of all four are stacked, not added or compared.",
    ),
    (
        "pooling-makes-none",
        lambda projected, **given: _module_channels(projected=0, **given),
        "{answer} leaves the branch of the pooling out. It makes maps as well.",
    ),
    (
        "multiplied-the-branches",
        lambda ones, reduced, threes, fives, projected: ones * threes * fives * projected,
        "{answer} multiplies. Maps that are stacked are counted one after the other.",
    ),
)


def _chain_slope(slope: float, blocks: int, skip: bool) -> float:
    """What a gradient is multiplied by on its way back through blocks whose F has this slope."""
    return (int(skip) + slope) ** blocks


add_kind(
    "chain_slope",
    _chain_slope,
    Number(),
    "what is the slope of x + F(x), and what happens to the slopes of a chain?",
    CHAPTER,
    lambda dice: {
        "slope": dice.pick((-0.5, 0.5, 1, 2, 3)),
        "blocks": dice.roll(2, 4),
        "skip": bool(dice.roll(0, 2)),
    },
    labels={"slope": "slope", "blocks": "blocks", "skip": "shortcuts"},
)
add_all(
    "chain_slope",
    CHAPTER,
    (
        "forgot-the-one",
        lambda slope, blocks, skip: slope**blocks if skip else None,
        "{answer} is the way through the blocks alone. What comes by the shortcut is added at each of them.",
    ),
    (
        "a-shortcut-where-none-is",
        lambda slope, blocks, skip: None if skip else (1 + slope) ** blocks,
        "{answer} has shortcuts. There are none here.",
    ),
    (
        "one-shortcut-for-all",
        lambda slope, blocks, skip: 1 + slope**blocks if skip else None,
        "{answer} has one shortcut round all blocks. Every block has one of its own.",
    ),
    (
        "added-the-slopes",
        lambda slope, blocks, skip: int(skip) + slope * blocks,
        "{answer} adds slopes up. In a chain they are multiplied.",
    ),
    (
        "one-block-only",
        lambda slope, blocks, skip: int(skip) + slope,
        "{answer} goes back through one block; there are {blocks}.",
    ),
)


def _thinned_products(products: int, alpha: float) -> float:
    """The products of a 1×1 layer between maps that a width multiplier has thinned."""
    return round(products * alpha * alpha, 6)


add_kind(
    "thinned_products",
    _thinned_products,
    Number(),
    "what becomes of the channels that come in, and what of those that go out?",
    CHAPTER,
    lambda dice: {"products": 1600 * dice.roll(1, 40), "alpha": dice.pick((0.25, 0.5, 0.75))},
    labels={"products": "products", "alpha": "α"},
)
add_all(
    "thinned_products",
    CHAPTER,
    (
        "filters-only",
        lambda products, alpha: products * alpha,
        "{answer} thins the filters alone. The layer before has fewer, too, so that fewer channels come in.",
    ),
    (
        "unchanged",
        lambda products, alpha: products,
        "{answer} would be right if only the size of the picture counted. The channels have changed.",
    ),
    (
        "places-too",
        lambda products, alpha: products * alpha**4,
        "{answer} takes places away as well. α thins channels and leaves the picture as large as it is.",
    ),
    (
        "took-away",
        lambda products, alpha: products * (1 - alpha) ** 2 if alpha != 0.5 else None,
        "{answer} takes α for what is left out. It is what is kept.",
    ),
)


def _mask_overlap(true: Sequence[int], predicted: Sequence[int]) -> float:
    """Intersection over union of two masks."""
    one, other = np.asarray(true, bool), np.asarray(predicted, bool)
    return float((one & other).sum() / (one | other).sum())


def _roll_masks(dice: Dice) -> dict[str, Any]:
    """Two stretches of a row that overlap in part."""
    start, length = dice.roll(1, 4), dice.roll(3, 6)
    late, longer = dice.roll(1, 2), dice.roll(-1, 3)

    def row(first: int, count: int) -> tuple[int, ...]:
        return tuple(int(first <= place < first + count) for place in range(12))

    return {"true": row(start, length), "predicted": row(start + late, length + longer)}


add_kind(
    "mask_overlap",
    _mask_overlap,
    Number(),
    "how many pixels are in both masks, and how many in at least one of them?",
    CHAPTER,
    _roll_masks,
    labels={"true": "true mask", "predicted": "predicted mask"},
)
add_all(
    "mask_overlap",
    CHAPTER,
    (
        "share-of-the-true",
        lambda true, predicted: float(np.minimum(true, predicted).sum() / np.sum(true)),
        "{answer} is the share of the true mask that was found. What was found too much does not count "
        "there.",
    ),
    (
        "share-of-the-predicted",
        lambda true, predicted: float(np.minimum(true, predicted).sum() / np.sum(predicted)),
        "{answer} is the share of the predicted mask that is right. What was missed does not count there.",
    ),
    (
        "equal-pixels",
        lambda true, predicted: float(np.equal(true, predicted).mean()),
        "{answer} is the share of all pixels that are judged rightly, the background among them.",
    ),
    (
        "over-the-sum",
        lambda true, predicted: float(np.minimum(true, predicted).sum() / np.sum([true, predicted])),
        "{answer} divides by the pixels of both masks together. Those in both are counted twice there.",
    ),
    (
        "union-over-all",
        lambda true, predicted: float(np.maximum(true, predicted).mean()),
        "{answer} is the share of the picture that lies in either mask.",
    ),
)


def _bridge_bits(height: int, width: int, channels: int, bridge: str) -> int:
    """What goes across to the decoder, in bits: a place out of 2×2 takes two, a value takes 32."""
    if bridge == "switches":
        return 2 * activation_values((1, height // 2, width // 2, channels))
    return 8 * item_bytes() * activation_values((1, height, width, channels))


add_kind(
    "bridge_bits",
    _bridge_bits,
    Number(),
    "how many things are handed across, and how many bits does each of them take?",
    CHAPTER,
    lambda dice: {
        "height": 2 * dice.roll(2, 12),
        "width": 2 * dice.roll(2, 12),
        "channels": dice.roll(3, 16),
        "bridge": dice.pick(("switches", "whole maps")),
    },
    labels={"height": "height", "width": "width", "bridge": "bridge"},
)
add_all(
    "bridge_bits",
    CHAPTER,
    (
        "the-other-bridge",
        lambda bridge, **given: _bridge_bits(
            bridge="switches" if bridge == "whole maps" else "whole maps", **given
        ),
        "{answer} is what the other kind of bridge hands across.",
    ),
    (
        "a-switch-for-every-input",
        lambda height, width, bridge, channels: (
            _bridge_bits(2 * height, 2 * width, channels, bridge) if bridge == "switches" else None
        ),
        "{answer} remembers something for every input. There is one winner in a window.",
    ),
    (
        "thirty-two-bits-a-switch",
        lambda bridge, **given: _bridge_bits(bridge=bridge, **given) * 16 if bridge == "switches" else None,
        "{answer} gives a switch as many bits as a value. It only has to tell one of four places.",
    ),
    (
        "after-pooling",
        lambda height, width, bridge, channels: (
            _bridge_bits(height // 2, width // 2, channels, bridge) if bridge == "whole maps" else None
        ),
        "{answer} hands the pooled maps across. The decoder gets them as they were before pooling.",
    ),
    (
        "one-map-only",
        lambda channels, **given: _bridge_bits(channels=1, **given),
        "{answer} is one map; there are {channels}.",
    ),
)


def _prepared(pixel: int) -> float:
    """A pixel as EfficientNet-Lite0 gets it."""
    return (pixel - 127) / 128


add_kind(
    "prepared_value",
    _prepared,
    Number(),
    "what is done to a pixel first, and what then?",
    CHAPTER,
    lambda dice: {"pixel": 8 * dice.roll(1, 32) - 1},
    labels={"pixel": "pixel"},
)
add_all(
    "prepared_value",
    CHAPTER,
    ("zero-to-one", lambda pixel: pixel / 255, "{answer} brings pixels to 0 … 1, as many other networks do."),
    (
        "not-divided",
        lambda pixel: pixel - 127 if pixel != 127 else None,
        "{answer} has not been divided yet.",
    ),
    (
        "divided-first",
        lambda pixel: pixel / 128 - 127,
        "{answer} divides first. The middle of the grey levels is taken off before.",
    ),
    ("not-shifted", lambda pixel: pixel / 128, "{answer} leaves the middle of the grey levels where it was."),
)

# --- Ceilings and ways back (chapter 14) --------------------------------------------------------------


def _tied(sums: Sequence[float]) -> int:
    """How many share the first place behind ReLU6."""
    behind = relu6(np.asarray(sums, float))
    return int((behind == behind.max()).sum())


add_kind(
    "tied_at_the_top",
    _tied,
    Number(),
    "what does ReLU6 put out for a sum above 6, and what for one below 0?",
    "seeing",
    lambda dice: {"sums": tuple(dice.pick((-3, -1, 2, 4, 5, 6.5, 7, 8, 9, 12)) for _ in range(8))},
    labels={"sums": "sums"},
)
add_all(
    "tied_at_the_top",
    "seeing",
    (
        "ranked-before-it",
        lambda sums: sum(one == max(sums) for one in sums),
        "{answer} ranks before the ReLU6. What is left of the differences behind it?",
    ),
    (
        "all-above-zero",
        lambda sums: sum(one > 0 for one in sums),
        "{answer} counts all that are above 0. Behind ReLU6 those below its ceiling still differ.",
    ),
    (
        "nothing-is-cut-off",
        lambda sums: len(set(sums)),
        "{answer} counts different values. Asked is how many are equal, at the top.",
    ),
    (
        "tied-at-the-floor",
        lambda sums: sum(one <= 0 for one in sums) or None,
        "{answer} counts those at the floor.",
    ),
)

#: The three ways back of chapter 14.
WAYS_BACK = ("the gradient", "the deconvolutional network", "guided backpropagation")


@remembered
def _way_back(weights: Sequence[Sequence[int]], outer: Sequence[int], x: Sequence[int], way: str) -> NDArray:
    """What comes back from s = Σ outer · max(0, weights · x); a row of weights is a neuron."""
    from cnnlib import seeing  # it brings all layers along, which other tasks do without
    from cnnlib.layers import Dense
    from cnnlib.network import Input, Sequential

    toy = Sequential([Input((len(x),)), Dense(len(outer), activation="relu"), Dense(1)])
    inner = np.transpose(np.asarray(weights, float))
    toy.set_weights([inner, np.zeros(len(outer)), np.asarray(outer, float)[:, None], np.zeros(1)])
    ways = dict(
        zip(WAYS_BACK, (seeing.input_gradient, seeing.deconvnet, seeing.guided_backprop), strict=True)
    )
    return np.asarray(ways[way](toy, np.asarray([x], float), 0))[0]


def _without_relu(weights: Any, outer: Any, x: Any, way: str) -> NDArray:
    return np.asarray(outer, float) @ np.asarray(weights, float)


def _another_way(number: int) -> Callable[..., Any]:
    """The result of one of the ways, None where that one was asked for or comes to the same."""

    def wrong(weights: Any, outer: Any, x: Any, way: str) -> NDArray | None:
        told = _way_back(weights, outer, x, WAYS_BACK[number])
        return None if np.array_equal(told, _way_back(weights, outer, x, way)) else told

    return wrong


def _roll_toy(dice: Dice) -> dict[str, Any]:
    """Two neurons that compare neighbours, one with a weight above 0 and one with a weight below."""
    outer = [dice.roll(1, 3), -dice.roll(1, 3)]
    return {
        "weights": dice.pick((((1, -1, 0), (0, 1, -1)), ((1, 0, -1), (0, 1, 1)), ((1, 1, 0), (0, -1, 1)))),
        "outer": tuple(outer if dice.roll(0, 1) else reversed(outer)),
        "x": tuple(dice.roll(0, 4) for _ in range(3)),
        "way": dice.pick(WAYS_BACK),
    }


add_kind(
    "way_back",
    _way_back,
    Array(1),
    "which neurons are on, what comes back to each, and what does this way let through a ReLU?",
    "seeing",
    _roll_toy,
    labels={"weights": "weights", "outer": "outer weights", "x": "x", "way": "way"},
)
add_all(
    "way_back",
    "seeing",
    (
        "the-plain-gradient",
        _another_way(0),
        "this is the gradient: it passes where a neuron was on, whatever comes back.",
    ),
    (
        "the-deconvolutional-network",
        _another_way(1),
        "this is the deconvolutional network: it passes what is positive and does not ask who was on.",
    ),
    (
        "guided",
        _another_way(2),
        "this is guided backpropagation: it passes what is positive through neurons that were on.",
    ),
    (
        "straight-through",
        lambda weights, outer, x, way: (
            None
            if any(
                np.array_equal(_without_relu(weights, outer, x, way), _way_back(weights, outer, x, one))
                for one in WAYS_BACK
            )
            else _without_relu(weights, outer, x, way)
        ),
        "this goes back as if there were no ReLU.",
    ),
)
