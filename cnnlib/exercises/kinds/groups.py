"""Convolution in groups, and shuffles between them (chapter 9)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlib.convolution import conv
from cnnlib.exercises.answers import Array, Number, Shape
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.misconceptions import add
from cnnlib.exercises.tasks import TaskError, add_kind
from cnnlib.sizes import (
    conv_parameters,
    conv_weights,
    kernel_shape,
)
from cnnlib.variants import channel_shuffle


def _grouped_shape(kernel_size: int, channels: int, filters: int, groups: int) -> tuple[int, ...]:
    return kernel_shape((kernel_size, kernel_size), channels, filters, groups)


def _roll_grouped(dice: Dice) -> dict[str, Any]:
    groups = dice.pick((2, 3, 4, 4, 8))
    return {
        "kernel_size": dice.pick((3, 3, 5)),
        "channels": groups * dice.roll(2, 6),
        "filters": groups * dice.roll(2, 8),
        "groups": groups,
    }


add_kind(
    "grouped_shape",
    _grouped_shape,
    Shape(("kernel height", "kernel width", "channels that a filter sees", "filters")),
    "how many channels does a single filter look at, and how many filters are there in all?",
    "variants",
    _roll_grouped,
    labels={"groups": "groups"},
)
add(
    "grouped_shape",
    "ignored-the-groups",
    lambda kernel_size, channels, filters, groups: _grouped_shape(kernel_size, channels, filters, 1),
    "{answer} is a layer without groups. A filter looks at the channels of its own group only.",
    "variants",
)
add(
    "grouped_shape",
    "split-the-filters",
    lambda kernel_size, channels, filters, groups: (kernel_size, kernel_size, channels, filters // groups),
    "{answer} splits the filters instead of the channels. There are as many filters as output channels; each "
    "of them is less deep.",
    "variants",
)
add(
    "grouped_shape",
    "one-group-only",
    lambda kernel_size, channels, filters, groups: _grouped_shape(
        kernel_size, channels // groups, filters // groups, 1
    ),
    "{answer} is one group. The array holds the filters of all groups, side by side.",
    "variants",
)
add(
    "grouped_shape",
    "order-of-pytorch",
    lambda kernel_size, channels, filters, groups: (filters, channels // groups, kernel_size, kernel_size),
    "{answer} is PyTorch's order. Keras and this course store the kernel's height and width first.",
    "filters-and-kernels",
)


def _grouped_parameters(
    kernel_size: int, channels: int, filters: int, groups: int, use_bias: bool = True
) -> int:
    return conv_parameters((kernel_size, kernel_size), channels, filters, groups, use_bias)


_OWN_GROUP = "how many channels does one filter look at, and how many filters are there in all?"
add_kind(
    "grouped_parameters",
    _grouped_parameters,
    Number(),
    _OWN_GROUP,
    "variants",
    _roll_grouped,
    labels={"groups": "groups"},
)
add(
    "grouped_parameters",
    "ignored-the-groups",
    lambda groups, **given: _grouped_parameters(**given, groups=1),
    "{answer} is the same layer without groups. A filter looks at the channels of its own group only.",
    "variants",
)
add(
    "grouped_parameters",
    "divided-the-biases",
    lambda groups, use_bias, **given: (
        _grouped_parameters(**given, groups=1, use_bias=True) / groups if use_bias else None
    ),
    "{answer} divides the biases, too. Every filter has a bias of its own, in whatever group it is.",
    "variants",
)
add(
    "grouped_parameters",
    "one-group-only",
    lambda kernel_size, channels, filters, groups, use_bias: _grouped_parameters(
        kernel_size, channels // groups, filters // groups, 1, use_bias
    ),
    "{answer} is one group; the layer has {groups} of them.",
    "variants",
)
add(
    "grouped_parameters",
    "divided-twice",
    lambda kernel_size, channels, filters, groups, use_bias: (
        _grouped_parameters(kernel_size, channels, filters, groups, False) / groups
        + (filters if use_bias else 0)
    ),
    "{answer} divides by the groups twice. The filters are dealt out to the groups, but none of them goes "
    "away: only their depth is divided.",
    "variants",
)
add(
    "grouped_parameters",
    "left-out-the-biases",
    lambda use_bias, **given: _grouped_parameters(**given, use_bias=False) if use_bias else None,
    "{answer} leaves out the biases: every filter has one.",
    "filters-and-kernels",
)
add(
    "grouped_parameters",
    "one-channel-a-filter",
    lambda kernel_size, channels, filters, groups, use_bias: (
        _grouped_parameters(kernel_size, filters, filters, filters, use_bias) if channels > groups else None
    ),
    "{answer} gives every filter a single channel, as a depthwise layer does. Here a filter sees the whole "
    "of its group.",
    "variants",
)


def _groups_from_count(parameters: int, kernel_size: int, channels: int, filters: int) -> int:
    """The number of groups of a layer that has so many parameters, biases among them."""
    for groups in range(1, channels + 1):
        divides = channels % groups == filters % groups == 0
        if divides and _grouped_parameters(kernel_size, channels, filters, groups) == parameters:
            return groups
    raise TaskError(f"no number of groups gives {parameters} parameters")


def _roll_groups_from_count(dice: Dice) -> dict[str, Any]:
    layer = _roll_grouped(dice)
    count = _grouped_parameters(**layer)
    del layer["groups"]
    return {"parameters": count, **layer}


add_kind(
    "groups_from_count",
    _groups_from_count,
    Number(),
    "how many of the parameters are weights, and how many weights has one filter?",
    "variants",
    _roll_groups_from_count,
)
add(
    "groups_from_count",
    "channels-of-a-group",
    lambda parameters, kernel_size, channels, filters: (
        channels // _groups_from_count(parameters, kernel_size, channels, filters)
    ),
    "{answer} is how many channels a group has; asked is how many groups there are.",
    "variants",
)
add(
    "groups_from_count",
    "took-biases-for-weights",
    lambda parameters, kernel_size, channels, filters: round(
        conv_weights((kernel_size, kernel_size), channels, filters) / parameters, 2
    ),
    "{answer} takes all the parameters for weights. One bias a filter has to be taken off first.",
    "variants",
)
add(
    "groups_from_count",
    "filters-of-a-group",
    lambda parameters, kernel_size, channels, filters: (
        filters // _groups_from_count(parameters, kernel_size, channels, filters)
        if filters != channels
        else None
    ),
    "{answer} is how many filters a group has; asked is how many groups there are.",
    "variants",
)


def _shuffle_order(channels: int, groups: int) -> NDArray:
    return channel_shuffle(np.arange(channels), groups)


def _roll_shuffle(dice: Dice) -> dict[str, Any]:
    pairs = [(groups, each) for groups in range(2, 7) for each in range(2, 7) if groups != each]
    groups, each = dice.pick([(groups, each) for groups, each in pairs if groups * each <= 20])
    return {"channels": groups * each, "groups": groups}


add_kind(
    "shuffle_order",
    _shuffle_order,
    Array(1),
    "if every group is a row of a table, in what order do you read the table to deal it out?",
    "variants",
    _roll_shuffle,
    labels={"groups": "groups"},
)
add(
    "shuffle_order",
    "not-shuffled",
    lambda channels, groups: np.arange(channels),
    "nothing has moved. After the shuffle every group holds something of all the old groups.",
    "variants",
)
add(
    "shuffle_order",
    "dealt-into-groups",
    lambda channels, groups: channel_shuffle(np.arange(channels), channels // groups),
    "this makes a table with {groups} columns. It has {groups} rows, one for each group, and is read by "
    "columns.",
    "variants",
)
add(
    "shuffle_order",
    "groups-exchanged",
    lambda channels, groups: np.arange(channels).reshape(groups, -1)[::-1].ravel(),
    "this moves whole groups about. Inside a group nothing has changed, so that nobody hears of anybody new.",
    "variants",
)
add(
    "shuffle_order",
    "written-backwards",
    lambda channels, groups: _shuffle_order(channels, groups)[::-1],
    "the order is there, but written from its end.",
    "variants",
)
add(
    "shuffle_order",
    "counted-from-one",
    lambda channels, groups: _shuffle_order(channels, groups) + 1,
    "this counts channels from 1. They are numbered from 0.",
    "variants",
)

add_kind(
    "unshuffle_groups",
    lambda channels, groups: channels // groups,
    Number(),
    "how many rows has the table once it is transposed?",
    "variants",
    _roll_shuffle,
    labels={"groups": "groups"},
)
add(
    "unshuffle_groups",
    "the-same-again",
    lambda channels, groups: groups,
    "{answer} repeats the shuffle. The table has been transposed, and has other sides now.",
    "variants",
)
add(
    "unshuffle_groups",
    "as-many-as-channels",
    lambda channels, groups: channels,
    "with {answer} groups of one channel each, a shuffle changes nothing.",
    "variants",
)
add(
    "unshuffle_groups",
    "a-single-group",
    lambda channels, groups: 1,
    "with {answer} group a shuffle changes nothing.",
    "variants",
)


def _shuffle_reach(channels: int, groups: int) -> int:
    """How many channels one output hears of through two grouped 1×1 layers with a shuffle between."""
    ones = np.ones(kernel_shape((1,), channels, channels, groups))
    one_each = np.eye(channels)[:, None]  # a batch: in each picture another channel is 1
    between = channel_shuffle(conv(one_each, ones, groups=groups), groups)
    return int(np.count_nonzero(conv(between, ones, groups=groups)[:, 0, 0]))


def _roll_reach(dice: Dice, whole: bool = False) -> dict[str, Any]:
    """``whole``: so few groups that every output hears of all channels; else so many that none does."""
    few, many = dice.roll(3, 6), dice.roll(3, 7)
    many += few
    groups, each = (few, many) if whole else (many, few)
    return {"channels": groups * each, "groups": groups}


add_kind(
    "shuffle_reach",
    _shuffle_reach,
    Number(),
    "how many channels does a group of the second layer hold, and how many old groups do they come from?",
    "variants",
    _roll_reach,
    labels={"groups": "groups"},
)
add(
    "shuffle_reach",
    "own-group-only",
    lambda channels, groups: channels // groups,
    "{answer} is one group. The channels of a group in the second layer come from several old groups, and "
    "each of them has heard of all the channels of its own.",
    "variants",
)
add(
    "shuffle_reach",
    "hears-of-all",
    lambda channels, groups: channels if channels // groups < groups else None,
    "{answer} would be all of them. But a group holds only so many channels: do they come from all the old "
    "groups?",
    "variants",
)
add(
    "shuffle_reach",
    "one-of-each-group",
    lambda channels, groups: groups,
    "{answer} is the number of groups. Each channel that arrives has heard of its whole group before.",
    "variants",
)


def _shuffle_map(inputs: NDArray, groups: int) -> NDArray:
    return channel_shuffle(inputs, groups)


def _roll_shuffle_map(dice: Dice, side: int | None = None) -> dict[str, Any]:
    cards = _roll_shuffle(dice)
    shape = (side or dice.roll(1, 3), side or dice.roll(2, 4), cards["channels"])
    return {"inputs": dice.halves(shape), "groups": cards["groups"]}


add_kind(
    "shuffle_map",
    _shuffle_map,
    Array(3),
    "into what shape do you bring the channels of one pixel, and which axes do you exchange?",
    "variants",
    _roll_shuffle_map,
    labels={"groups": "groups"},
)
add(
    "shuffle_map",
    "dealt-into-groups",
    lambda inputs, groups: channel_shuffle(inputs, inputs.shape[-1] // groups),
    "The table has `groups` rows, one for each group; here it has that many columns.",
    "variants",
)
add(
    "shuffle_map",
    "not-shuffled",
    lambda inputs, groups: inputs.copy(),
    "The channels are in the order in which they came. Exchange the two axes of the table before you "
    "flatten it.",
    "variants",
)
add(
    "shuffle_map",
    "groups-exchanged",
    lambda inputs, groups: inputs.reshape(*inputs.shape[:2], groups, -1)[:, :, ::-1].reshape(inputs.shape),
    "Whole groups were moved about; inside a group nothing has changed.",
    "variants",
)
add(
    "shuffle_map",
    "mixed-the-pixels",
    lambda inputs, groups: (
        channel_shuffle(inputs.reshape(-1), groups).reshape(inputs.shape)
        if inputs.shape[0] * inputs.shape[1] > 1
        else None
    ),
    "Numbers have moved from pixel to pixel. A shuffle works within each pixel: leave the axes of height and "
    "width as they are.",
    "variants",
)
