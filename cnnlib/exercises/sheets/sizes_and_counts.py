"""Assignment 3: how large is what comes out of a layer, and how many numbers does it learn?"""

from __future__ import annotations

from typing import Any

from cnnlib.exercises.dice import Dice
from cnnlib.exercises.kinds.solutions import with_slip
from cnnlib.exercises.networks import Conv, Pool, Summary, trace
from cnnlib.exercises.sheet import (
    Asked,
    Assignment,
    Facts,
    Part,
    Question,
    Work,
    number_text,
    rows_text,
    table,
)
from cnnlib.exercises.tasks import Task
from cnnlib.exercises.wording import shape_text

# --- How the numbers are drawn ------------------------------------------------------------------------


def _row(dice: Dice) -> dict[str, Any]:
    kernel = dice.pick((3, 5, 7, 9))
    return {"size": dice.roll(20, 64), "kernel_size": kernel, "padding": dice.roll(1, kernel // 2)}


def _changes(task: Task) -> bool:
    """Whether the size does not stay as it is."""
    return bool(task.answer != task.given["size"])


def _strided_row(dice: Dice) -> dict[str, Any]:
    return {
        "size": dice.roll(100, 240),
        "kernel_size": dice.pick((5, 7, 9, 11)),
        "stride": dice.roll(3, 5),
        "padding": 0,
    }


def _image(dice: Dice, least: int = 40, most: int = 96) -> tuple[int, int]:
    height = dice.roll(least, most)
    return height, height + dice.roll(6, 30)


def _layer(dice: Dice) -> dict[str, Any]:
    return {
        "input_shape": (*_image(dice), 3),
        "filters": 4 * dice.roll(2, 16),
        "kernel_size": dice.pick((3, 5, 7)),
        "strides": 1,
        "padding": 0,
    }


def _strided_layer(dice: Dice) -> dict[str, Any]:
    kernel = dice.pick((5, 7, 9))
    layer = _layer(dice) | {"kernel_size": kernel, "strides": 2, "padding": dice.roll(1, kernel // 2)}
    return layer | {"input_shape": (*_image(dice), dice.pick((1, 3)))}


def _pooled(dice: Dice, window: int) -> dict[str, Any]:
    return {
        "input_shape": (*_image(dice), 4 * dice.roll(4, 30)),
        "pool_size": window,
        "strides": 2,
        "padding": 0,
    }


def _counted(dice: Dice) -> dict[str, Any]:
    return {
        "kernel_size": dice.pick((3, 5, 7)),
        "channels": 4 * dice.roll(1, 6) + 2,
        "filters": 4 * dice.roll(3, 10),
    }


def _notes(dice: Dice) -> Facts:
    """A classmate's notes on a layer: five claims, one of them a registered mistake."""
    kernel, filters, size = dice.pick((5, 7, 9)), dice.roll(9, 24), dice.pick((32, 48, 64, 96))
    layer = {"kernel_size": kernel, "channels": 3, "filters": filters}
    one = layer | {"filters": 1}
    tasks = (
        Task("output_size", size=size, kernel_size=kernel, padding=kernel // 2),
        Task("conv_parameters", **one, use_bias=False),
        Task("conv_parameters", **one),
        Task("conv_parameters", **layer),
        Task("conv_parameters", kernel_size=3, channels=filters, filters=4),
    )
    slips = {
        2: ("left-out-the-input-channels",),
        4: ("counted-one-filter", "left-out-the-biases", "one-bias-for-all"),
        5: ("left-out-the-input-channels", "left-out-the-biases"),
    }
    number = dice.pick(tuple(slips))
    slip = dice.pick(slips[number])
    return {
        **with_slip(tasks, number, slip),
        "kernel": kernel,
        "filters": filters,
        "size": size,
    }


def _written_notes(asked: Asked) -> str:
    f, n, k = asked.kernel, asked.size, asked.filters
    size, weights, one, layer, following = (line.claim for line in asked.lines)
    return f"""A layer of **{k} filters, {f}×{f}, stride 1, padding {f // 2}, on an image of {n}×{n}×3**:

> 1. The output is {size} high and as wide.
> 2. A filter, without its bias, has {weights} weights.
> 3. With its bias a filter has {one} parameters.
> 4. So the whole layer has {layer} parameters.
> 5. Four 3×3 filters in the layer that comes next have {following} parameters together."""


def _network(dice: Dice) -> Facts:
    first = Conv(dice.pick((6, 8, 10, 12)), dice.pick((5, 7, 9)), padding="same")
    layers = (first, Pool(2), Conv(4 * dice.roll(4, 8), 3, padding="same"))
    input_shape = (8 * dice.roll(4, 8), 8 * dice.roll(9, 12), 3)
    return {"input_shape": input_shape, "layers": layers, "rows": trace(input_shape, layers)}


def _summary(asked: Asked) -> str:
    blanks = {(2, 3), (3, 3), (0, 3)}
    return (
        f"A Keras model for images of {shape_text(asked.input_shape)}:\n\n"
        f"```text\n{Summary(asked.input_shape, asked.layers, blanks)}\n```"
    )


def _first_kernel(facts: Facts) -> Facts:
    row, layer = facts["rows"][0], facts["layers"][0]
    channels = facts["input_shape"][-1]
    return {"parameters": row.parameters, "channels": channels, "filters": layer.filters}


def _third_layer(facts: Facts) -> Facts:
    first, _, third = facts["layers"]
    return {"kernel_size": third.kernel_size, "channels": first.filters, "filters": third.filters}


def _signal(dice: Dice) -> dict[str, Any]:
    signal = tuple(dice.roll(-2, 5) for _ in range(7))
    return {"signal": signal, "kernel": (dice.roll(1, 3), dice.roll(-3, -1)), "stride": 2}


def _picture(dice: Dice) -> dict[str, Any]:
    def rows(height: int, width: int, low: int, high: int) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(dice.roll(low, high) for _ in range(width)) for _ in range(height))

    return {"signal": rows(3, 4, 0, 3), "kernel": rows(2, 2, -1, 2), "stride": 1}


def _full(task: Task) -> bool:
    """Whether at most one number of the kernel is 0."""
    return sum(number == 0 for row in task.given["kernel"] for number in row) <= 1


def _maps(asked: Asked) -> str:
    a, b = asked.map_a, asked.map_b
    signal, kernel = (", ".join(map(number_text, numbers)) for numbers in (a.signal, a.kernel))
    return (
        f"- `map_a`: the signal {signal} and the kernel {kernel}, **stride {a.stride}**\n"
        "- `map_b`: stride 1, the input on the left and the kernel on the right\n\n"
        f"```text\n{rows_text(b.signal, b.kernel, between='          ')}\n```"
    )


def _model(dice: Dice) -> Facts:
    first = Conv(dice.roll(4, 12), dice.pick((3, 5, 7)))
    layers = (first, Pool(2), Conv(2 * dice.roll(6, 12), dice.pick((3, 5)), padding="same"))
    input_shape = (4 * dice.roll(7, 12) + first.kernel_size - 1,) * 2 + (3,)  # type: ignore[operator]
    return {"input_shape": input_shape, "layers": layers, "rows": trace(input_shape, layers)}


def _model_table(asked: Asked) -> str:
    lines = [
        "| layer | output | parameters |",
        "|---|---|---|",
        f"| `keras.Input` | {shape_text(asked.input_shape)} | |",
        *(
            f"| {number} · `{row.layer}` | {shape_text(row.output)} | {row.parameters} |"
            for number, row in enumerate(asked.rows, 1)
        ),
    ]
    return "\n".join(lines)


# --- The questions ------------------------------------------------------------------------------------

_SIZES = "compute the size of an output"
_SHAPES = "give the output shape of a layer"
_COUNTS = "count what a layer learns"
_CODE = "write the rule as code"

ASSIGNMENT = Assignment(
    "03-sizes-and-counts",
    "Sizes and counts",
    (
        Question(
            "first-size",
            "A window on a row",
            _SIZES,
            1,
            "calculate",
            (
                Part("size_a", "output_size", 1, {"stride": 1, "padding": 0}, roll=_row),
                Part("size_b", "output_size", 1, {"stride": 1}, roll=_row, accept=_changes),
            ),
        ),
        Question(
            "dropped-column",
            "The dropped column",
            _SIZES,
            2,
            "calculate",
            (
                Part("strided_a", "output_size", 1, roll=_strided_row),
                Part("strided_b", "output_size", 1, lambda facts: facts["row"]),
                Part("dropped_b", "dropped_inputs", 1, lambda facts: facts["row"], bounds=(1, 4)),
            ),
            facts=lambda dice: {"row": _strided_row(dice)},
            shown=table("size", "kernel_size", "stride"),
        ),
        Question(
            "keep-the-size",
            "Keep the size",
            "choose the padding",
            1,
            "calculate",
            (Part("padding_a", "keeping_padding", 1), Part("padding_b", "keeping_padding", 1)),
        ),
        Question(
            "layer-shape",
            "The shape that a layer makes",
            _SHAPES,
            2,
            "calculate",
            (
                Part("shape_a", "conv_output", 1, roll=_layer),
                Part("shape_b", "conv_output", 2, roll=_strided_layer),
            ),
        ),
        Question(
            "pooling-shape",
            "Pooling",
            _SHAPES,
            1,
            "calculate",
            (
                Part("pooled_a", "pool_output", 1, roll=lambda dice: _pooled(dice, 2)),
                Part("pooled_b", "pool_output", 1, roll=lambda dice: _pooled(dice, 3)),
            ),
            shown=table("input_shape", "pool_size", "strides"),
        ),
        Question(
            "count-a-layer",
            "Count a layer",
            _COUNTS,
            2,
            "calculate",
            (
                Part("parameters_a", "conv_parameters", 1, lambda facts: facts["layer"]),
                Part("weights_a", "weight_shape", 1, lambda facts: facts["layer"]),
                Part("parameters_b", "conv_parameters", 1, roll=_counted),
            ),
            facts=lambda dice: {"layer": _counted(dice)},
        ),
        Question(
            "find-the-slip",
            "Find the slip",
            _COUNTS,
            2,
            "find the slip",
            (
                Part("slip_line", "first_slip", 1, lambda facts: {"lines": facts["lines"]}, slips=0),
                Part("right_number", "conv_parameters", 1, lambda facts: facts["slip"], slips=1),
            ),
            facts=_notes,
            shown=_written_notes,
        ),
        Question(
            "read-the-summary",
            "Read a summary",
            _COUNTS,
            3,
            "read a summary",
            (
                Part("kernel_width", "kernel_from_count", 1, _first_kernel),
                Part("layer_3", "conv_parameters", 1, _third_layer),
                Part(
                    "total",
                    "network_parameters",
                    1,
                    lambda facts: {name: facts[name] for name in ("input_shape", "layers")},
                ),
            ),
            facts=_network,
            shown=_summary,
        ),
        Question(
            "predict-the-map",
            "Predict the feature map",
            "predict what a kernel gives",
            2,
            "predict",
            (
                Part("map_a", "correlation", 1, roll=_signal, bounds=(-20, 20)),
                Part("map_b", "correlation", 1, roll=_picture, bounds=(-9, 20), accept=_full),
            ),
            shown=_maps,
        ),
        Question(
            "write-output-size",
            "The size rule",
            _CODE,
            2,
            "write the function",
            (Work("output_size", 4, "output_size"),),
        ),
        Question(
            "write-count-parameters",
            "The count of a layer",
            _CODE,
            1,
            "write the function",
            (Work("count_parameters", 2, "conv_parameters"),),
        ),
        Question(
            "write-conv2d",
            "The convolution itself",
            _CODE,
            3,
            "write the function",
            (Work("conv2d", 5, "conv2d"),),
        ),
        Question(
            "build-a-model",
            "A model to measure",
            "choose layers for given shapes and counts",
            2,
            "build a model",
            (Work("model", 3),),
            facts=_model,
            shown=_model_table,
        ),
        Question(
            "explain-to-a-friend",
            "A letter to a friend",
            "explain weight sharing",
            2,
            "explain",
            by_hand=4,
        ),
    ),
)
