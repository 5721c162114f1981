"""Assignment 2: pictures as arrays, kernels that slide over them, and filters as deep as their input."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnlib.exercises.dice import Dice
from cnnlib.exercises.kinds.solutions import with_slip
from cnnlib.exercises.kinds.tensors import SCREENS, block
from cnnlib.exercises.networks import Conv, model_table, trace
from cnnlib.exercises.sheet import Asked, Assignment, Facts, Part, Question, Work, number_text, rows_text
from cnnlib.exercises.tasks import Task
from cnnlib.exercises.wording import shape_text

# --- How the numbers are drawn ------------------------------------------------------------------------


def _screens(dice: Dice) -> Facts:
    width, height = dice.pick(SCREENS)
    count = dice.roll(4, 32)
    return {
        "width": width,
        "height": height,
        "count": count,
        "said": {"width": width, "height": height, "count": count},
    }


def _stored(dice: Dice) -> Facts:
    shape = (dice.roll(40, 90), dice.roll(40, 120), 3)
    index = (dice.roll(2, 12), dice.roll(13, 30), dice.roll(1, 2))
    return {"shape": shape, "index": index, "dtype": "float32"}


def _of(*names: str) -> Any:
    """Some of a question's facts as parameters of a part."""
    return lambda facts: {name: facts[name] for name in names}


def _too_bright(dice: Dice) -> dict[str, Any]:
    return {"value": dice.roll(150, 250), "change": dice.roll(110, 250)}


def _too_dark(dice: Dice) -> dict[str, Any]:
    return {"value": dice.roll(10, 100), "change": -dice.roll(110, 230)}


def _factors(dice: Dice) -> Facts:
    column = (dice.roll(1, 3), dice.roll(2, 5), dice.roll(-2, 2))
    row = dice.pick(((-1, 0, 1), (1, 0, -1), (1, 2, 1), (-1, 2, 1), (2, 1, -1), (1, -3, 1)))
    return {"down": column, "across": tuple(dice.roll(1, 2) * weight for weight in row)}


def _weights(facts: Facts) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(n) for n in row) for row in np.outer(facts["down"], facts["across"]))


def _filled(dice: Dice) -> dict[str, Any]:
    """A window that fills one or two axes of a film from end to end."""
    film = (dice.roll(6, 20), 8 * dice.roll(3, 9), 8 * dice.roll(10, 15))
    window = [dice.roll(2, 5), dice.roll(2, 7), dice.roll(2, 7)]
    for axis in dice.pick(((0,), (1, 2), (1,), (2,), (0, 2), (0, 1))):
        window[axis] = film[axis]
    return {"film": film, "window": tuple(window)}


def _layer(dice: Dice) -> Facts:
    height = dice.roll(30, 60)
    layer = {"kernel_size": dice.pick((3, 5, 7)), "filters": 2 * dice.roll(4, 12)}
    return {
        "layer": {"input_shape": (height, height + dice.roll(6, 30), dice.pick((3, 4))), **layer},
        "next_filters": 2 * dice.roll(13, 24),
        "next_kernel": dice.pick((3, 5)),
    }


def _counted(facts: Facts) -> Facts:
    layer = facts["layer"]
    return {
        "kernel_size": layer["kernel_size"],
        "channels": layer["input_shape"][-1],
        "filters": layer["filters"],
    }


def _following(facts: Facts) -> Facts:
    return {
        "kernel_size": facts["next_kernel"],
        "channels": facts["layer"]["filters"],
        "filters": facts["next_filters"],
    }


def _thumbnail(dice: Dice) -> Facts:
    return {
        "layer": {
            "input_shape": (4 * dice.roll(6, 15), 4 * dice.roll(16, 25), 3),
            "kernel_size": dice.pick((3, 5, 7)),
            "filters": dice.roll(5, 12),
        }
    }


def _notes(dice: Dice) -> Facts:
    """A classmate's notes on two layers: six claims, one of them a registered mistake."""
    side, filters, kernel = 8 * dice.roll(3, 7), dice.roll(6, 14), dice.pick((5, 7))
    layer = {"input_shape": (side, side, 3), "kernel_size": kernel, "filters": filters}
    following = {
        "input_shape": (side - kernel + 1, side - kernel + 1, filters),
        "kernel_size": 3,
        "filters": dice.roll(15, 30),
    }
    counted = {"kernel_size": kernel, "channels": 3, "filters": filters}
    tasks = (
        Task("conv_parameters", **counted, use_bias=False),
        Task("conv_parameters", **counted),
        Task("map_values", **layer),
        Task("layer_macs", **layer),
        Task("layer_macs", **layer | {"filters": 2 * filters}),
        Task("layer_macs", **following),
    )
    number, slip = dice.pick(
        (
            (4, "weights-for-work"),
            (4, "left-out-the-input-channels"),
            (4, "a-window-at-every-pixel"),
            (5, "counted-one-filter"),
            (5, "left-out-the-input-channels"),
            (5, "multiplications-and-additions"),
            (6, "left-out-the-input-channels"),
            (6, "counted-one-filter"),
            (6, "a-window-at-every-pixel"),
        )
    )
    return {"layer": layer, "following": following, **with_slip(tasks, number, slip)}


def _network(dice: Dice) -> Facts:
    layers = (
        Conv(dice.roll(8, 16), dice.pick((5, 7))),
        Conv(2 * dice.roll(9, 14), 3),
        Conv(dice.roll(4, 7), 1),
    )
    height = dice.roll(28, 60)
    input_shape = (height, height + dice.roll(8, 40), 3)
    return {"input_shape": input_shape, "layers": layers, "rows": trace(input_shape, layers)}


# --- How they are shown -------------------------------------------------------------------------------


def _stored_text(asked: Asked) -> str:
    return (
        f"The array `a` has the shape **{asked.shape}** and the dtype **{asked.dtype}**; it was made by "
        f"`np.zeros`. The number is `a[{', '.join(map(str, asked.index))}]`."
    )


def _sums(asked: Asked) -> str:
    bright, dark = asked.too_bright, asked.too_dark
    return (
        f"- `too_bright`: {bright.value} + {bright.change} in `uint8`\n"
        f"- `too_dark`: {dark.value} − {-dark.change} in `uint8`"
    )


def _pictures(asked: Asked) -> str:
    blocks = []
    for name in ("map_a", "map_b"):
        given = getattr(asked, name)
        blocks.append(f"{name}\n{rows_text(given.picture, given.kernel, between='          ')}")
    drawn = "\n\n".join(blocks)
    return f"The picture on the left, the kernel on the right:\n\n```text\n{drawn}\n```"


def _factors_text(asked: Asked) -> str:
    column, row = (", ".join(map(number_text, numbers)) for numbers in (asked.down, asked.across))
    return (
        f"- `separable`: the column ({column}), from top to bottom, times the row ({row})\n"
        f"- `on_even`: that kernel, on an even surface of brightness **{asked.on_even.level}**"
    )


def _films(asked: Asked) -> str:
    lines = ["| | film: time×height×width | window: time×height×width |", "|---|---|---|"]
    for name in ("film_shape", "directions"):
        given = getattr(asked, name)
        lines.append(f"| `{name}` | {shape_text(given.film)} | {shape_text(given.window)} |")
    return "\n".join(lines)


def _window(asked: Asked) -> str:
    named = {"window": asked.window, "filter a": asked.number_a.weights, "filter b": asked.number_b.weights}
    columns = []
    for name, numbers in named.items():  # all channels of a block below each other, so that columns line up
        rows = rows_text(np.moveaxis(np.array(numbers), -1, 0).reshape(6, 2)).splitlines()
        columns.append([f"{text:<14}" for text in (name, *rows)])
    lines = ["".join(texts) for texts in zip(*columns, strict=True)]
    drawn = [f"{'':9}{lines[0]}".rstrip()]
    for row, line in enumerate(lines[1:]):
        name = ("" if row % 2 else ("red", "green", "blue")[row // 2]).ljust(9)
        drawn += [*([] if row % 2 else [""]), f"{name}{line}".rstrip()]
    text = "\n".join(drawn)
    first, second = number_text(asked.number_a.bias), number_text(asked.number_b.bias)
    return f"Filter a has the bias **{first}**, filter b the bias **{second}**.\n\n```text\n{text}\n```"


def _layer_text(asked: Asked) -> str:
    layer = asked.layer
    kernel, following = layer["kernel_size"], asked.next_kernel
    return (
        f"A layer with **{layer['filters']} filters** and a **{kernel}×{kernel} kernel** reads an input of "
        f"**{shape_text(layer['input_shape'])}**. The next layer has **{asked.next_filters} filters** and a "
        f"**{following}×{following} kernel**."
    )


def _thumbnail_text(asked: Asked) -> str:
    layer = asked.layer
    return (
        f"A layer with **{layer['filters']} filters** and a **{layer['kernel_size']}×{layer['kernel_size']} "
        f"kernel** reads a picture of **{shape_text(layer['input_shape'])}**."
    )


def _written_notes(asked: Asked) -> str:
    layer, following = asked.layer, asked.following
    kernel, filters = layer["kernel_size"], layer["filters"]
    weights, parameters, values, macs, double, after = (f"{line.claim:,}" for line in asked.lines)
    return f"""A layer of **{filters} filters, {kernel}×{kernel}**, on a picture of \
**{shape_text(layer["input_shape"])}**; stride 1, no padding. Next comes a layer of \
**{following["filters"]} filters, 3×3**:

> 1. The first layer has {weights} weights.
> 2. With its biases it has {parameters} parameters.
> 3. Its feature maps hold {values} numbers.
> 4. It takes {macs} MACs to make them.
> 5. With twice as many filters it would take {double} MACs.
> 6. The second layer takes {after} MACs."""


def _broken(asked: Asked) -> str:
    """The network as somebody wrote it, and the table that it should fit."""
    height, width, channels = asked.input_shape
    first, second, third = asked.layers
    return f"""```python
import keras
from keras import layers

mended = keras.Sequential(
    [
        keras.Input(shape=({channels}, {height}, {width})),
        layers.Conv2D({first.kernel_size}, {first.filters}),
        layers.Conv2D({second.filters}, {second.kernel_size}, use_bias=False),
        layers.Conv2D({third.filters}, 3, padding="same"),
    ]
)
```

{model_table(asked.input_shape, asked.rows)}"""


# --- The questions ------------------------------------------------------------------------------------

_ARRAYS = "read a picture as an array: axes, values, bytes"
_OVER = "compute what a kernel makes of a picture, and say along which axes it slides"
_FILTERS = "give the shapes and counts of a layer with many channels and filters"
_WORK = "tell what a layer stores from what it computes"
_CODE = "write what happens to a picture as code"

ASSIGNMENT = Assignment(
    "02-tensors-and-filters",
    "Tensors and filters",
    (
        Question(
            "read-the-axes",
            "People say, arrays store",
            _ARRAYS,
            1,
            "calculate",
            (
                Part("shape_last", "array_shape", 1, lambda facts: {**facts["said"], "order": "NHWC"}),
                Part("shape_first", "array_shape", 1, lambda facts: {**facts["said"], "order": "NCHW"}),
                Part(
                    "how_many",
                    "values",
                    1,
                    lambda facts: {"shape": (facts["count"], facts["height"], facts["width"], 3)},
                ),
            ),
            facts=_screens,
            shown="You have **{count} colour pictures**, without an alpha channel, of which people say "
            "“**{width}×{height}**”.",
        ),
        Question(
            "where-it-is-stored",
            "Where a number lies",
            _ARRAYS,
            2,
            "calculate",
            (
                Part("memory", "bytes", 1, _of("shape", "dtype")),
                Part("byte_strides", "array_strides", 1, _of("shape", "dtype")),
                Part("offset", "byte_offset", 1, _of("shape", "index", "dtype")),
            ),
            facts=_stored,
            shown=_stored_text,
        ),
        Question(
            "eight-bits",
            "Eight bits",
            _ARRAYS,
            1,
            "calculate",
            (
                Part("too_bright", "eight_bits", 1, roll=_too_bright),
                Part("too_dark", "eight_bits", 1, roll=_too_dark),
            ),
            shown=_sums,
        ),
        Question(
            "predict-the-map",
            "Predict the feature map",
            _OVER,
            2,
            "predict",
            (
                Part("map_a", "picture_map", 1, {"columns": 3}, bounds=(-15, 20)),
                Part("map_b", "picture_map", 1, bounds=(-15, 20)),
            ),
            shown=_pictures,
        ),
        Question(
            "column-times-row",
            "A column times a row",
            _OVER,
            2,
            "calculate",
            (
                Part("separable", "separable_kernel", 2, _of("down", "across")),
                Part(
                    "on_even",
                    "even_response",
                    1,
                    lambda facts: {"kernel": _weights(facts)},
                    roll=lambda dice: {"level": dice.roll(3, 12)},
                ),
            ),
            facts=_factors,
            shown=_factors_text,
        ),
        Question(
            "over-a-film",
            "Over a film",
            _OVER,
            2,
            "calculate",
            (
                Part("film_shape", "film_output", 2),
                Part("directions", "sliding_axes", 1, roll=_filled),
            ),
            shown=_films,
        ),
        Question(
            "one-window",
            "One window, all channels",
            _FILTERS,
            2,
            "predict",
            tuple(
                Part(name, "filter_response", 1, _of("window"), bounds=(-30, 30))
                for name in ("number_a", "number_b")
            ),
            facts=lambda dice: {"window": block(dice, 0, 4)},
            shown=_window,
        ),
        Question(
            "shapes-and-counts",
            "Shapes and counts",
            _FILTERS,
            2,
            "calculate",
            (
                Part("maps_shape", "conv_output", 1, lambda facts: facts["layer"]),
                Part("weights_shape", "weight_shape", 1, _counted),
                Part("layer_parameters", "conv_parameters", 1, _counted),
                Part("next_weights_shape", "weight_shape", 1, _following),
            ),
            facts=_layer,
            shown=_layer_text,
        ),
        Question(
            "stored-and-computed",
            "Stored and computed",
            _WORK,
            2,
            "calculate",
            (
                Part("output_values", "map_values", 1, lambda facts: facts["layer"]),
                Part("macs", "layer_macs", 1, lambda facts: facts["layer"]),
            ),
            facts=_thumbnail,
            shown=_thumbnail_text,
        ),
        Question(
            "find-the-slip",
            "Find the slip",
            _WORK,
            2,
            "find the slip",
            (
                Part("slip_line", "first_slip", 1, _of("lines"), slips=0),
                Part("right_number", "layer_macs", 1, lambda facts: facts["slip"]),
            ),
            facts=_notes,
            shown=_written_notes,
        ),
        Question(
            "write-channels-first",
            "Channels first",
            _CODE,
            1,
            "write the function",
            (Work("channels_first", 3, "channels_first"),),
        ),
        Question(
            "write-one-filter",
            "One filter",
            _CODE,
            3,
            "write the function",
            (Work("one_filter", 4, "one_filter"),),
        ),
        Question(
            "mend-the-network",
            "Mend a network",
            _FILTERS,
            2,
            "repair",
            (Work("mended", 3),),
            facts=_network,
            shown=_broken,
        ),
        Question(
            "explain-the-grey",
            "All in grey",
            "explain what the channels of a filter are for",
            2,
            "explain",
            by_hand=4,
        ),
    ),
)
