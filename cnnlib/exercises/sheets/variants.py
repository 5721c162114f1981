"""Assignment 6: what a layer saves by leaving something out, and what it gives up for that."""

from __future__ import annotations

from typing import Any

from cnnlib.exercises.dice import Dice
from cnnlib.exercises.kinds.solutions import with_slip
from cnnlib.exercises.networks import Summary, model_table, trace
from cnnlib.exercises.sheet import (
    Asked,
    Assignment,
    Facts,
    Part,
    Question,
    Work,
    number_text,
    rows_text,
)
from cnnlib.exercises.tasks import Task
from cnnlib.exercises.wording import shape_text
from cnnlib.layers import Conv2D, DepthwiseConv2D, SeparableConv2D

# --- How the numbers are drawn ------------------------------------------------------------------------


def _pixels(asked: Asked) -> str:
    blocks = []
    for name in ("mix_a", "mix_b"):
        pixel, weights = (getattr(asked, name).__dict__[what] for what in ("pixel", "weights"))
        text = rows_text(weights).splitlines()
        values = ", ".join(map(number_text, pixel))
        blocks.append(
            f"- `{name}`: the pixel ({values}) and the weights\n\n  ```text\n"
            + "\n".join(f"  {line}" for line in text)
            + "\n  ```"
        )
    return "\n\n".join(blocks)


def _rows(asked: Asked) -> str:
    lines = []
    for name in ("row_a", "row_b"):
        part = getattr(asked, name)
        signal, kernel = (", ".join(map(number_text, numbers)) for numbers in (part.signal, part.kernel))
        lines.append(f"- `{name}`: the row {signal} and the kernel {kernel}, **dilation {part.dilation}**")
    return "\n".join(lines)


def _stacks(asked: Asked) -> str:
    lines = []
    for name, wanted in (("field_a", "from the first input seen to the last"), ("touched_b", "truly seen")):
        part = getattr(asked, name)
        dilations = ", ".join(map(str, part.dilations))
        lines.append(f"| `{name}` | {part.kernel_size} | {dilations} | how many inputs, {wanted}? |")
    return "\n".join(["| | kernel | dilations | asked |", "|---|---|---|---|", *lines])


def _grouped(dice: Dice) -> dict[str, Any]:
    groups = dice.pick((2, 3, 4, 5))
    return {
        "kernel_size": dice.pick((3, 5)),
        "channels": groups * dice.roll(3, 6),
        "filters": groups * dice.roll(4, 9),
        "groups": groups,
    }


def _cards(dice: Dice) -> Facts:
    groups, each = dice.pick(((2, 4), (2, 5), (3, 4), (4, 2), (4, 3), (5, 2), (3, 5), (2, 6), (3, 2), (2, 3)))
    return {"deck": {"channels": groups * each, "groups": groups}}


def _dealt(asked: Asked) -> str:
    deck, a, b = asked.deck, asked.reach_a, asked.reach_b
    last = deck["channels"] - 1
    return f"""- `order_a`: channels 0 to {last} are shuffled with **{deck["groups"]} groups**. How do they
  stand then?
- `undo_a`: with how many groups must they be shuffled once more to stand in the first order again?
- `reach_a`: {a.channels} channels, {a.groups} groups
- `reach_b`: {b.channels} channels, {b.groups} groups"""


def _depthwise(dice: Dice) -> Facts:
    kernel = dice.pick((3, 5, 7))
    layer = {
        "kernel_size": kernel,
        "multiplier": dice.roll(2, 4),
        "channels": 4 * dice.roll(2, 8),
    }
    height = dice.roll(24, 60)
    shape = (height, height + dice.roll(4, 20), layer["channels"])
    return {"layer": layer, "input_shape": shape, "padding": kernel // 2, "strides": dice.roll(1, 2)}


def _depthwise_shape(facts: Facts) -> Facts:
    layer = facts["layer"]
    return {
        "input_shape": facts["input_shape"],
        "kernel_size": layer["kernel_size"],
        "multiplier": layer["multiplier"],
        "strides": facts["strides"],
        "padding": facts["padding"],
    }


def _one_channel(asked: Asked) -> str:
    a, b = asked.maps_a, asked.separable_b
    f, g = (shape_text((part.kernel_size, part.kernel_size)) for part in (a, b))
    return f"""- **Layer a** is depthwise: {f}, {a.multiplier} kernels a channel, stride {a.strides}, padding
  {a.padding}. Its input is {shape_text(a.input_shape)}. `maps_a` is its output shape, `depthwise_a` its
  number of parameters.
- **Layer b** is Keras' `SeparableConv2D`: {g}, {b.filters} filters, one kernel a channel. Its input has
  {b.channels} channels. `separable_b` is its number of parameters."""


def _factors(asked: Asked) -> str:
    kernel = asked.entry_a.kernel
    rows = [["?" if entry is None else str(entry) for entry in row] for row in kernel]
    grid = "\n".join("  " + "  ".join(text.rjust(2) for text in row) for row in rows)
    b = asked.thin_b
    return f"""- `entry_a`: the number in place of the `?`, so that this kernel is a column times a row:

  ```text
{grid}
  ```
- `thin_b`: the weights (without biases) of two layers on an input of {b.channels} channels: first
  {b.between} filters of {b.kernel_size}×1, then {b.filters} filters of 1×{b.kernel_size}"""


def _unit(dice: Dice) -> Facts:
    """Notes on the layers of a shuffled unit: five claims, one of them a registered mistake."""
    groups = dice.pick((2, 3, 4))
    narrow, wide = groups * dice.roll(3, 8), groups * dice.roll(9, 16)
    into = {"kernel_size": 1, "channels": wide, "filters": narrow, "groups": groups}
    each = {"kernel_size": 3, "channels": narrow, "filters": narrow, "groups": narrow}
    back = {"kernel_size": 1, "channels": narrow, "filters": wide, "groups": groups}
    layers = (into, each, back, into | {"groups": 1}, each | {"groups": 1})
    tasks = tuple(Task("grouped_parameters", **layer) for layer in layers)
    number, slip = dice.pick(
        (
            (1, "ignored-the-groups"),
            (1, "one-group-only"),
            (1, "divided-twice"),
            (2, "ignored-the-groups"),
            (2, "left-out-the-biases"),
            (3, "divided-the-biases"),
            (3, "left-out-the-biases"),
            (3, "one-group-only"),
        )
    )
    return {
        **with_slip(tasks, number, slip),
        "groups": groups,
        "narrow": narrow,
        "wide": wide,
    }


def _written_notes(asked: Asked) -> str:
    g, narrow, wide = asked.groups, asked.narrow, asked.wide
    into, each, back, alone, plain = (line.claim for line in asked.lines)
    return f"""Three layers on an input of **{wide} channels**, each with one bias for every output channel:

> 1. First {narrow} filters of 1×1 in {g} groups: {into} parameters.
> 2. A shuffle has none. Then a depthwise layer of 3×3, one kernel a channel: {each} parameters.
> 3. At last {wide} filters of 1×1, in {g} groups: {back} parameters.
> 4. Without groups, layer 1 would have {alone} parameters.
> 5. A plain layer of {narrow} filters of 3×3 in place of the depthwise one would have {plain} parameters."""


def _mobile(dice: Dice) -> Facts:
    groups = dice.pick((2, 3, 4, 6))
    pointwise = groups * dice.roll(3, 7)
    layers = (
        DepthwiseConv2D(dice.pick((3, 5)), depth_multiplier=dice.roll(1, 2), padding="same"),
        Conv2D(pointwise, 1),
        Conv2D(groups * dice.roll(3, 8), 3, padding="same", groups=groups),
    )
    input_shape = (2 * dice.roll(10, 20), 2 * dice.roll(10, 20), 2 * dice.roll(3, 9))
    return {"input_shape": input_shape, "layers": layers, "rows": trace(input_shape, layers)}


def _first_layer(facts: Facts) -> Facts:
    first = facts["layers"][0]
    return {
        "kernel_size": first.kernel_size[0],
        "channels": facts["input_shape"][-1],
        "multiplier": first.depth_multiplier,
    }


def _second_layer(facts: Facts) -> Facts:
    first, second = facts["rows"][0], facts["layers"][1]
    return {"kernel_size": 1, "channels": first.output[-1], "filters": second.filters}


def _third_layer(facts: Facts) -> Facts:
    _, second, third = facts["layers"]
    return {
        "parameters": facts["rows"][2].parameters,
        "kernel_size": third.kernel_size[0],
        "channels": second.filters,
        "filters": third.filters,
    }


def _summary(asked: Asked) -> str:
    first, _, third = asked.layers
    f, g, image = (shape_text(size) for size in (first.kernel_size, third.kernel_size, asked.input_shape))
    blanks = {(1, 3), (2, 3), (0, 3)}
    return (
        f"A Keras model for inputs of {image}. Layer 1 has {f} kernels, layer 2 is "
        f"pointwise, layer 3 has {g} kernels in some number of groups.\n\n"
        f"```text\n{Summary(asked.input_shape, asked.layers, blanks)}\n```"
    )


def _block(dice: Dice) -> Facts:
    """A depthwise layer that halves the sides, a pointwise, a dilated and a separable one."""
    dilation = dice.roll(2, 4)
    layers = (
        DepthwiseConv2D(dice.pick((3, 5, 7)), strides=2, padding="same", depth_multiplier=dice.roll(1, 3)),
        Conv2D(4 * dice.roll(3, 8), 1),
        Conv2D(4 * dice.roll(2, 6), 3, dilation_rate=dilation),
        SeparableConv2D(4 * dice.roll(2, 8), dice.pick((3, 5)), padding="same"),
    )
    side = 2 * dice.roll(14, 24)
    input_shape = (side, side + 2 * dice.roll(1, 6), dice.pick((3, 4, 6, 8)))
    return {"input_shape": input_shape, "layers": layers, "rows": trace(input_shape, layers)}


def _table_of_layers(asked: Asked) -> str:
    return model_table(asked.input_shape, asked.rows)


def _broken(dice: Dice) -> Facts:
    """A network as it should be; the code beside the table has a mistake in three of its layers."""
    groups = dice.pick((2, 4))
    channels = 4 * dice.roll(2, 5)
    filters = 8 * dice.roll(2, 5)
    wrong = next(n for n in (dice.pick((3, 5, 6, 7)), 11, 13) if channels % n or filters % n)
    dilation = dice.roll(2, 3)
    layers = (
        Conv2D(filters, 3, padding="same", groups=groups),
        DepthwiseConv2D(dice.pick((3, 5)), padding="same"),
        Conv2D(4 * dice.roll(6, 12), 1),
        Conv2D(4 * dice.roll(2, 6), 3, dilation_rate=dilation),
    )
    input_shape = (2 * dice.roll(10, 20), 2 * dice.roll(10, 20), channels)
    rows = trace(input_shape, layers)
    return {"input_shape": input_shape, "layers": layers, "rows": rows, "wrong_groups": wrong}


def _broken_code(asked: Asked) -> str:
    first, each, across, last = asked.layers
    return f"""```python
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras

mended = keras.Sequential(
    [
        keras.Input(shape={asked.input_shape}),
        keras.layers.Conv2D({first.filters}, 3, padding="same", groups={asked.wrong_groups}),
        keras.layers.DepthwiseConv2D({first.filters}, {each.kernel_size[0]}, padding="same"),
        keras.layers.Conv2D({across.filters}, 1),
        keras.layers.Conv2D({last.filters}, 3, strides={last.dilation_rate[0]}),
    ]
)
```

{_table_of_layers(asked)}"""


# --- The questions ------------------------------------------------------------------------------------

_DILATION = "compute what a dilated kernel spans and sees"
_CHANNELS = "say which channels a filter sees, and what that costs"
_SAVING = "predict what a separable layer costs and saves"
_CODE = "write a variant in a few lines of NumPy"
_KERAS = "build variants in Keras to given shapes and counts"

ASSIGNMENT = Assignment(
    "06-variants",
    "Variants of convolution",
    (
        Question(
            "spread-the-window",
            "Spread the window",
            _DILATION,
            1,
            "calculate",
            (
                Part("size_a", "dilated_size", 1, {"strided": False}, bounds=(10, 64)),
                Part("size_b", "dilated_size", 1, bounds=(20, 64)),
                Part("padding_c", "dilated_padding", 1, bounds=(4, 20)),
            ),
        ),
        Question(
            "see-further",
            "See further",
            _DILATION,
            2,
            "calculate",
            (
                Part("field_a", "dilated_field", 1, bounds=(11, 80)),
                Part("touched_b", "touched_inputs", 2, bounds=(6, 27)),
            ),
            shown=_stacks,
        ),
        Question(
            "predict-the-row",
            "Predict the row",
            _DILATION,
            2,
            "predict",
            (
                Part("row_a", "dilated_row", 1, {"dilation": 2}, bounds=(-40, 60)),
                Part("row_b", "dilated_row", 1, {"dilation": 3}, bounds=(-40, 60)),
            ),
            shown=_rows,
        ),
        Question(
            "mix-a-pixel",
            "Mix a pixel",
            _CHANNELS,
            1,
            "predict",
            (
                Part("mix_a", "pixel_mix", 1, bounds=(-40, 60)),
                Part("mix_b", "pixel_mix", 1, bounds=(-40, 60)),
            ),
            shown=_pixels,
        ),
        Question(
            "into-groups",
            "Into groups",
            _CHANNELS,
            2,
            "calculate",
            (
                Part("weights_a", "grouped_shape", 1, lambda facts: facts["layer"]),
                Part("parameters_a", "grouped_parameters", 1, lambda facts: facts["layer"]),
                Part("parameters_b", "grouped_parameters", 1, roll=_grouped, bounds=(100, 9999)),
            ),
            facts=lambda dice: {"layer": _grouped(dice)},
        ),
        Question(
            "deal-the-cards",
            "Deal the cards",
            _CHANNELS,
            2,
            "predict",
            (
                Part("order_a", "shuffle_order", 1, lambda facts: facts["deck"]),
                Part("undo_a", "unshuffle_groups", 1, lambda facts: facts["deck"]),
                Part("reach_a", "shuffle_reach", 1, {"whole": True}, bounds=(18, 80)),
                Part("reach_b", "shuffle_reach", 1, {"whole": False}, bounds=(9, 40)),
            ),
            facts=_cards,
            shown=_dealt,
        ),
        Question(
            "one-channel-at-a-time",
            "One channel at a time",
            _CHANNELS,
            2,
            "calculate",
            (
                Part("maps_a", "depthwise_output", 1, _depthwise_shape),
                Part("depthwise_a", "depthwise_parameters", 1, lambda facts: facts["layer"]),
                Part("separable_b", "separable_parameters", 1, bounds=(200, 9999)),
            ),
            facts=_depthwise,
            shown=_one_channel,
        ),
        Question(
            "what-it-saves",
            "What it saves",
            _SAVING,
            2,
            "calculate",
            (
                Part("saving_a", "separable_saving", 1, bounds=(1.5, 40)),
                Part("products_b", "separable_products", 1, bounds=(100_000, 9_999_999)),
            ),
        ),
        Question(
            "down-then-across",
            "Down, then across",
            _SAVING,
            2,
            "calculate",
            (
                Part("entry_a", "missing_entry", 1, bounds=(1, 25)),
                Part("thin_b", "column_row_weights", 1, bounds=(500, 29_999)),
            ),
            shown=_factors,
        ),
        Question(
            "find-the-slip",
            "Find the slip",
            _CHANNELS,
            2,
            "find the slip",
            (
                Part("slip_line", "first_slip", 1, lambda facts: {"lines": facts["lines"]}, slips=0),
                Part("right_number", "grouped_parameters", 1, lambda facts: facts["slip"]),
            ),
            facts=_unit,
            shown=_written_notes,
        ),
        Question(
            "read-the-summary",
            "Read a summary",
            _CHANNELS,
            3,
            "read a summary",
            (
                Part("layer_1", "depthwise_parameters", 1, _first_layer),
                Part("layer_2", "conv_parameters", 1, _second_layer),
                Part("groups_3", "groups_from_count", 1, _third_layer),
                Part(
                    "total",
                    "stack_total",
                    1,
                    lambda facts: {name: facts[name] for name in ("input_shape", "layers")},
                ),
            ),
            facts=_mobile,
            shown=_summary,
        ),
        Question(
            "write-depthwise",
            "A depthwise layer in loops",
            _CODE,
            3,
            "write the function",
            (Work("depthwise", 4, "depthwise_map"),),
        ),
        Question(
            "write-shuffle",
            "A shuffle",
            _CODE,
            2,
            "write the function",
            (Work("shuffle", 2, "shuffle_map"),),
        ),
        Question(
            "build-a-block",
            "A block to measure",
            _KERAS,
            2,
            "build a model",
            (Work("model", 4),),
            facts=_block,
            shown=_table_of_layers,
        ),
        Question(
            "mend-a-network",
            "Mend a network",
            _KERAS,
            3,
            "repair",
            (Work("mended", 4),),
            facts=_broken,
            shown=_broken_code,
        ),
        Question(
            "explain-the-trade",
            "A note for the team",
            "explain what a separable layer gives up, and when it does not pay",
            3,
            "explain",
            by_hand=4,
        ),
    ),
)
