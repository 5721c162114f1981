"""Chapter 9: what each variant of convolution leaves out, what that saves, and what it gives up."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from cnnlib.exercises.dice import Dice
from cnnlib.exercises.quiz_data import Ask, Case, Quiz, among, sentences
from cnnlib.exercises.sheet import number_text
from cnnlib.exercises.tasks import Task, TaskError
from cnnlib.receptive_field import Window, inputs_seen

CHAPTER = "variants"

# --- What a plain layer pays for ----------------------------------------------------------------------


def _plain(dice: Dice) -> dict[str, Any]:
    kernel = dice.pick((3, 5))
    side = kernel + dice.pick((4, 9))
    return {
        "input_shape": (side, side, dice.roll(2, 6)),
        "kernel_size": kernel,
        "filters": dice.pick((2, 4, 5, 8, 10)),
    }


macs = Ask(
    "layer_macs",
    "The input is {input_shape}. A plain layer has {filters} filters of {kernel_size:square}, stride 1 and "
    "no padding. How many multiply–accumulates (products) does it take?",
    roll=_plain,
)

grows = sentences(
    "plain-layer-grows",
    chapter=CHAPTER,
    question="weights are F · F · C_in · C_out; which of these factors changes, and does the number of "
    "places?",
    text="A plain layer with `same` padding gets {situation}. What becomes of its weights and its products?",
    cases=among(
        {
            "both are doubled": "Put the change into F · F · C_in · C_out: how many factors change?",
            "both become four times as many": "Put the change into F · F · C_in · C_out: does it occur "
            "twice?",
            "only the products are doubled": "Do the weights know of what has been changed?",
            "only the products become four times as many": "At how many more places is each weight used?",
            "only the products fall to a quarter": "Does this leave places out, and do the weights notice?",
            "only the weights are doubled": "Each weight works at every place: more weights, more products.",
        },
        ("twice as many filters", "both are doubled"),
        ("an input of twice as many channels", "both are doubled"),
        ("twice as many channels both in and out", "both become four times as many"),
        ("a kernel of twice the side", "both become four times as many"),
        ("a picture of twice the height and twice the width", "only the products become four times as many"),
        ("a picture of the same height and twice the width", "only the products are doubled"),
        ("stride 2 instead of 1, on an input of even sides", "only the products fall to a quarter"),
    ),
)

# --- Dilation -----------------------------------------------------------------------------------------

spread = Ask(
    "dilated_size",
    "A row of {size} inputs meets a kernel of {kernel_size} with dilation {dilation}, stride 1 and no "
    "padding. How many outputs are there?",
    given={"stride": 1, "padding": 0},
    roll=lambda dice: {
        "size": dice.roll(14, 32),
        "kernel_size": dice.pick((3, 3, 4, 5)),
        "dilation": dice.roll(2, 4),
    },
    bounds=(4, 28),
)

keeping = Ask(
    "dilated_padding",
    "A kernel of {kernel_size} with dilation {dilation} and stride 1 shall keep the size of its input. How "
    "much padding does each side need?",
    roll=lambda dice: {"kernel_size": dice.pick((3, 5, 7)), "dilation": dice.roll(2, 6)},
)

# --- 1×1 ----------------------------------------------------------------------------------------------

mix = Ask(
    "pixel_mix",
    "A pixel has the channels {pixel:list}. Two 1×1 filters meet it; as Keras stores their weights, a row is "
    "a channel and a column is a filter:\n{weights:rows}\nWhat do the two filters put out?",
    roll=lambda dice: {
        "pixel": tuple(dice.roll(1, 6) for _ in range(2)),
        "weights": tuple(tuple(dice.pick((-2, -1, 1, 2, 3)) for _ in range(2)) for _ in range(2)),
    },
)

points = Ask(
    "conv_parameters",
    "A 1×1 layer turns {channels} channels into {filters}. How many parameters does it learn, biases "
    "counted?",
    given={"kernel_size": 1},
    roll=lambda dice: {"channels": dice.roll(4, 24), "filters": dice.pick((3, 5, 10, 20))},
)

# --- Groups -------------------------------------------------------------------------------------------


def _grouped(dice: Dice) -> dict[str, Any]:
    groups = dice.pick((2, 2, 3, 4))
    return {
        "kernel_size": 3,
        "channels": groups * dice.roll(2, 4),
        "filters": groups * dice.roll(1, 5),
        "groups": groups,
    }


weights_in_groups = Ask(
    "grouped_parameters",
    "A 3×3 layer reads {channels} channels, has {filters} filters and {groups} groups. How many parameters "
    "does it learn, with a bias for every filter?",
    roll=_grouped,
    bounds=(30, 900),
)

shape_in_groups = Ask(
    "grouped_shape",
    "A 3×3 layer reads {channels} channels and has {filters} filters in {groups} groups. Which shape has its "
    "array of weights in Keras?",
    roll=_grouped,
    choose=True,
)

# --- Shuffle ------------------------------------------------------------------------------------------


def _cards(dice: Dice) -> dict[str, Any]:
    groups, each = dice.pick(((2, 3), (2, 4), (3, 2), (4, 2), (2, 5), (5, 2), (3, 4), (4, 3), (2, 6), (6, 2)))
    return {"channels": groups * each, "groups": groups}


def _hands(dice: Dice) -> dict[str, Any]:
    each = dice.roll(2, 6)
    return {"channels": each * (groups := each + dice.roll(1, 5)), "groups": groups}


order = Ask(
    "shuffle_order",
    lambda task: (
        f"{task.given['channels']} channels, numbered from 0, are shuffled with {task.given['groups']} "
        "groups. In which order do they stand afterwards?"
    ),
    roll=_cards,
    choose=True,
)

reach = Ask(
    "shuffle_reach",
    "Two layers read {channels} channels each, in {groups} groups; between them the channels are shuffled "
    "with {groups} groups. On how many channels of the first layer's input does one output of the second "
    "depend?",
    roll=_hands,
)

# --- Depthwise, separable -----------------------------------------------------------------------------

own_maps = Ask(
    "depthwise_output",
    "A depthwise layer reads {input_shape}. It has {multiplier} kernels of {kernel_size:square} for each "
    "channel, stride {strides} and padding {padding}. Which shape has its output (height, width, channels)?",
    roll=lambda dice: {
        "input_shape": (2 * dice.roll(5, 12), 2 * dice.roll(5, 12), dice.pick((3, 4, 5, 8))),
        "kernel_size": 3,
        "multiplier": dice.roll(2, 4),
        "strides": 1,
        "padding": dice.roll(0, 1),
    },
)

own_weights = Ask(
    "depthwise_parameters",
    "A depthwise layer has {multiplier} kernels of {kernel_size:square} for each of {channels} channels, and "
    "biases. How many parameters does it learn?",
    roll=lambda dice: {
        "kernel_size": dice.pick((2, 3)),
        "channels": dice.roll(3, 12),
        "multiplier": dice.roll(2, 3),
    },
)

two_steps = Ask(
    "separable_parameters",
    "A depthwise separable layer with {kernel_size:square} kernels, one for each channel, turns {channels} "
    "channels into {filters}. How many weights has it? (No biases.)",
    given={"use_bias": False, "multiplier": 1},
    roll=lambda dice: {
        "kernel_size": 3,
        "channels": dice.pick((4, 5, 6, 10, 20)),
        "filters": dice.roll(6, 30),
    },
)

#: Kernels and filters for which the saving is a number that a pencil can find.
_SAVINGS = ((3, 3), (3, 9), (3, 18), (3, 36), (3, 72), (5, 25), (5, 75), (5, 100), (2, 4), (2, 12))

fewer = Ask(
    "separable_saving",
    "A plain layer reads {channels} channels and has {filters} filters of {kernel_size:square}. How many "
    "times fewer products does a depthwise separable layer in its place take?",
    roll=lambda dice: {
        "channels": dice.pick((8, 16, 32, 64)),
        **dict(zip(("kernel_size", "filters"), dice.pick(_SAVINGS), strict=True)),
    },
)

# --- Column and row -----------------------------------------------------------------------------------


def _gap(task: Task) -> str:
    rows = [["?" if one is None else number_text(one) for one in row] for row in task.given["kernel"]]
    width = max(len(one) for row in rows for one in row)
    kernel = "\n".join("  ".join(one.rjust(width) for one in row) for row in rows)
    return (
        f"This kernel is a column times a row:\n\n```text\n{kernel}\n```\n\nWhich number belongs in the "
        "place of the question mark?"
    )


entry = Ask("missing_entry", _gap)

thin = Ask(
    "column_row_weights",
    "A layer of {kernel_size}×1 turns {channels} channels into {between}; a layer of 1×{kernel_size} turns "
    "these into {filters}. How many weights have both together? (No biases.)",
    roll=lambda dice: {
        "kernel_size": dice.pick((3, 5, 7)),
        "channels": dice.roll(2, 8),
        "between": dice.roll(2, 10),
        "filters": dice.roll(2, 12),
    },
    bounds=(20, 700),
)

# --- Side by side, MobileNet, what goes wrong ---------------------------------------------------------

purpose = sentences(
    "variant-for-a-purpose",
    chapter=CHAPTER,
    question="is it the places, the channels, or the way from one to the other that has to change?",
    text="{situation} Which variant serves best?",
    cases=among(
        {
            "dilation": "Dilation changes which inputs are read; neither cost nor channels change.",
            "a 1×1 layer": "A 1×1 layer mixes channels and looks at no neighbour.",
            "groups": "Groups keep channels apart: a filter sees those of its own group alone.",
            "a channel shuffle": "A shuffle moves channels about and computes nothing.",
            "a depthwise layer": "A depthwise layer never adds two channels up.",
            "a depthwise separable layer": "This does the work of a plain layer in two steps: first space, "
            "then channels.",
            "a column, then a row": "This takes a large window apart along its two axes.",
        },
        ("Each output shall look twice as far, with the weights and the places that there are.", "dilation"),
        ("256 channels shall become 64 before an expensive layer; neighbours play no part.", "a 1×1 layer"),
        ("The maps do not fit onto one card; each half of the filters shall do with its own half.", "groups"),
        ("The groups of two layers shall hear of each other, without a new weight.", "a channel shuffle"),
        ("Every channel shall be blurred by itself before subsampling.", "a depthwise layer"),
        (
            "A plain 3×3 layer with many filters shall cost about an eighth, and still see all channels.",
            "a depthwise separable layer",
        ),
        ("A 7×7 kernel shall be replaced by two thin ones that see as much.", "a column, then a row"),
    ),
)

mobile = Ask(
    "separable_products",
    "A block of MobileNet reads {input_shape}: a depthwise {kernel_size:square} layer (`same`, stride 1), "
    "then {filters} filters of 1×1. How many products does it take?",
    given={"kernel_size": 3},
    roll=lambda dice: {
        "input_shape": (10, dice.pick((10, 20)), dice.roll(2, 8)),
        "filters": dice.pick((11, 21, 31, 41)),
    },
)

bill = sentences(
    "bill-of-mobilenet",
    chapter=CHAPTER,
    question="at one place and for one channel: how many products does each of the two steps take?",
    text="Which of these is true of MobileNet, which is built of depthwise separable layers?",
    cases=[
        Case("", "nearly all of its products lie in the 1×1 layers"),
        Case("", "whoever wants to save more has to save on mixing channels"),
        Case("", "plain layers in place of its own would take about eight times the work"),
        Case("", "its saving costs it about one picture in a hundred"),
        Case("", "its clock time need not fall as far as its products do"),
    ],
    wrong={
        "nearly all of its products lie in the 3×3 layers": "For each input value a depthwise 3×3 layer "
        "takes nine products. How many does a 1×1 layer with 512 filters take?",
        "the classifier takes most of its products": "The classifier has many weights. At how many places is "
        "each of them used?",
        "its saving costs it about half of the pictures": "Look up the shares of pictures that are named "
        "right: how far apart are they?",
        "it has not a single plain convolution": "Look at its first layer.",
        "5×5 kernels in its depthwise layers would double its work": "The window would be not quite three "
        "times as large. How large is the share that this multiplies?",
    },
)

_STEPS = {
    1: "all inputs of its span",
    2: "every second input of its span",
    3: "every third input of its span",
    4: "every fourth input of its span",
}
_GO_DOWN = "Go down from one output, layer by layer: which inputs do you reach, and how far are they apart?"


def _grid(dilations: Sequence[int]) -> tuple[str, str]:
    """Layers of width 3, and which inputs one output reads: found by going down from it."""
    layers = [Window(3, dilation_rate=dilation) for dilation in dilations]
    read = inputs_seen(layers, 0, 2 * sum(dilations) + 1)
    steps = {after - before for before, after in pairwise(read)}
    if len(steps) > 1:
        raise TaskError(f"dilations {dilations}: the gaps are not alike")
    return ", ".join(map(str, dilations)), _STEPS[steps.pop()]


gridding = sentences(
    "gridding",
    chapter=CHAPTER,
    question="which neighbours of the middle input have a way to the output?",
    text="Layers with kernels of 3 have, from the input up, the dilations {situation}. Which inputs does one "
    "output of the last layer read?",
    cases=among(
        dict.fromkeys(_STEPS.values(), _GO_DOWN)
        | {_STEPS[1]: "Go down from one output: do you ever come to a direct neighbour of the middle input?"},
        *map(
            _grid,
            (
                (1, 2),
                (1, 3),
                (3, 1),
                (1, 2, 3),
                (1, 2, 4),
                (2, 2),
                (2, 2, 2),
                (2, 4),
                (2, 6),
                (3, 3),
                (3, 3, 3),
                (3, 6),
                (4, 4),
                (4, 4, 4),
                (4, 8),
            ),
        ),
    ),
)

undo = Ask(
    "unshuffle_groups",
    "{channels} channels have been shuffled with {groups} groups. With how many groups must they be shuffled "
    "once more to stand as they did at first?",
    roll=lambda dice: {
        "groups": (groups := dice.roll(2, 6)),
        "channels": groups * dice.pick([each for each in range(2, 8) if each != groups]),
    },
)

QUIZZES = (
    Quiz("what-a-plain-layer-pays-for", "What a plain layer pays for", grows, macs),
    Quiz("spread-the-window-dilation", "Spread the window: dilation", spread, keeping),
    Quiz("shrink-it-to-a-point-1x1", "Shrink it to a point: 1×1", mix, points),
    Quiz("split-the-channels-groups", "Split the channels: groups", weights_in_groups, shape_in_groups),
    Quiz("let-the-groups-talk-channel-shuffle", "Let the groups talk: channel shuffle", order, reach),
    Quiz("one-channel-at-a-time-depthwise", "One channel at a time: depthwise", own_maps, own_weights),
    Quiz(
        "space-first-channels-after-depthwise-separable",
        "Space first, channels after: depthwise separable",
        two_steps,
        fewer,
    ),
    Quiz("down-then-across-spatially-separable", "Down, then across: spatially separable", entry, thin),
    Quiz("all-of-them-side-by-side", "All of them side by side", purpose),
    Quiz("the-real-thing-mobilenet", "The real thing: MobileNet", mobile, bill),
    Quiz("what-goes-wrong-with-variants", "What goes wrong", gridding, undo),
)
