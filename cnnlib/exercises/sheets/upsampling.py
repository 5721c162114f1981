"""Assignment 7: from few places to many, by copying, by unpooling, or by weights."""

from __future__ import annotations

from typing import Any

from cnnlib.exercises.checks import well_posed
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.kinds.solutions import with_slip
from cnnlib.exercises.kinds.upsampling import WAYS
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
    table,
)
from cnnlib.exercises.tasks import Task, draw, known
from cnnlib.exercises.wording import shape_text
from cnnlib.layers import Conv2D, Conv2DTranspose, UpSampling2D

# --- How the numbers are drawn ------------------------------------------------------------------------


def _numbers(values: Any) -> str:
    return ", ".join(map(number_text, values))


def _picture(dice: Dice) -> Facts:
    return {"picture": known("unpooled").roll(dice)["picture"]}


def _in_way(way: str) -> Any:
    return lambda facts: {"picture": facts["picture"], "way": way}


def _stamps(asked: Asked) -> str:
    lines = []
    for name in ("stamped_a", "stamped_b"):
        part = getattr(asked, name)
        inputs, kernel = _numbers(part.signal), _numbers(part.kernel)
        lines.append(f"- `{name}`: inputs {inputs}, kernel {kernel}, **stride {part.stride}**")
    return "\n".join(lines)


def _sizes(asked: Asked) -> str:
    columns = ("size", "kernel_size", "stride", "padding", "output_padding")
    rows = table(*columns, parts=("size_a", "size_b"))(asked)
    c = asked.size_c
    return (
        f"{rows}\n\n`size_c`: Keras' `Conv1DTranspose` with kernel {c.kernel_size}, stride {c.stride} and "
        f'`padding="{c.mode}"`, on {c.size} inputs'
    )


def _outputs(asked: Asked) -> str:
    lines = ["| | outputs | kernel | stride | padding |", "|---|---|---|---|---|"]
    for name in ("largest_a", "largest_b"):
        part = getattr(asked, name)
        lines.append(f"| `{name}` | {part.size} | {part.kernel_size} | {part.stride} | {part.padding} |")
    return "\n".join(lines)


def _layer_up(dice: Dice) -> Facts:
    stride = dice.roll(2, 3)
    return {
        "input_shape": (dice.roll(6, 14), dice.roll(15, 20), dice.pick((8, 12, 16, 24, 32))),
        "kernel_size": stride * dice.roll(1, 2) + dice.roll(1, 2),
        "filters": dice.pick((4, 5, 6, 10, 20)),
        "strides": stride,
    }


def _weights_up(facts: Facts) -> Facts:
    channels = facts["input_shape"][-1]
    return {"kernel_size": facts["kernel_size"], "channels": channels, "filters": facts["filters"]}


def _written_layer(asked: Asked) -> str:
    f = shape_text((asked.kernel_size, asked.kernel_size))
    return (
        f"A `Conv2DTranspose` with **{asked.filters} filters of {f}**, stride {asked.strides} and "
        f'`padding="same"`, on an input of **{shape_text(asked.input_shape)}**'
    )


def _phases(asked: Asked) -> str:
    a, b = asked.sums_a, asked.weight_b
    return (
        f"- `sums_a`: the kernel {_numbers(a.kernel)} with stride {a.stride}\n"
        f"- `weight_b`: the kernel {_numbers(b.kernel)}, ? with stride 2"
    )


def _notes(dice: Dice) -> Facts:
    """A classmate's list of sizes: five claims, one of them a registered mistake."""
    first, second, third = (draw("transposed_size", f"{dice.seed}/{n}", well_posed) for n in range(3))
    down = {name: first.given[name] for name in ("kernel_size", "stride", "padding")}
    tasks = (
        first,
        second,
        third,
        Task("output_size", size=first.answer, **down),
        Task("largest_input", size=first.given["size"], **down),
    )
    number, slip = dice.pick(
        (
            (1, "one-stride-too-many"),
            (1, "cut-one-side"),
            (2, "forgot-the-padding"),
            (2, "one-stride-too-many"),
            (3, "added-the-padding"),
            (3, "cut-one-side"),
        )
    )
    return with_slip(tasks, number, slip)


def _written_notes(asked: Asked) -> str:
    *layers, down, most = asked.lines
    written = []
    for number, line in enumerate(layers, 1):
        g = line.task.given
        written.append(
            f"> {number}. {g['size']} inputs, F = {g['kernel_size']}, S = {g['stride']}, P = {g['padding']}, "
            f"output padding {g['output_padding']}: {line.claim} outputs."
        )
    start, size = down.task.given["size"], most.task.given["size"]
    return "\n".join(
        [
            "Transposed convolutions along one axis, and what leads back:",
            "",
            *written,
            f"> 4. An ordinary convolution with F, S and P of line 1 makes {down.claim} of {start} again.",
            f"> 5. The largest input of which it makes {size} is {most.claim}.",
        ]
    )


def _autoencoder(dice: Dice) -> Facts:
    half: dict[str, Any] = {"strides": 2, "padding": "same"}
    channels = dice.pick((1, 3))
    layers = (
        Conv2D(2 * dice.roll(4, 8), 3, **half),
        Conv2D(2 * dice.roll(2, 4), 3, **half),
        Conv2DTranspose(2 * dice.roll(5, 9) + 1, dice.pick((2, 4, 6)), **half),
        Conv2DTranspose(channels, dice.pick((2, 3, 4, 5, 6)), **half),
    )
    side = 4 * dice.roll(6, 10)
    input_shape = (side, side + 4 * dice.roll(1, 5), channels)
    return {"input_shape": input_shape, "layers": layers, "rows": trace(input_shape, layers)}


def _third_shape(facts: Facts) -> Facts:
    third = facts["layers"][2]
    return {
        "input_shape": facts["rows"][1].output,
        "kernel_size": third.kernel_size[0],
        "filters": third.filters,
        "strides": 2,
    }


def _third_count(facts: Facts) -> Facts:
    _, second, third, _ = facts["layers"]
    return {"kernel_size": third.kernel_size[0], "channels": second.filters, "filters": third.filters}


def _fourth_kernel(facts: Facts) -> Facts:
    _, _, third, fourth = facts["layers"]
    return {
        "parameters": facts["rows"][3].parameters,
        "channels": third.filters,
        "filters": fourth.filters,
    }


def _summary(asked: Asked) -> str:
    third = asked.layers[2]
    blanks, image, kernel = {(3, 2), (3, 3), (0, 3)}, asked.input_shape, third.kernel_size
    return (
        f"A Keras model for images of {shape_text(image)}. Layer 3 has **{third.filters} filters** of "
        f"**{shape_text(kernel)}**.\n\n"
        f"```text\n{Summary(asked.input_shape, asked.layers, blanks)}\n```"
    )


def _decoder(dice: Dice) -> Facts:
    """Two learned ways up, one without padding, and between them resizing and then convolving."""
    stride = dice.roll(2, 3)
    layers = (
        Conv2DTranspose(4 * dice.roll(3, 6), dice.pick((2, 4, 6)), strides=2, padding="same"),
        UpSampling2D(2),
        Conv2D(2 * dice.roll(3, 6), dice.pick((3, 5)), padding="same"),
        Conv2DTranspose(dice.pick((1, 3)), stride * 2, strides=stride),
    )
    side = dice.roll(4, 7)
    input_shape = (side, side + dice.roll(1, 3), 4 * dice.roll(2, 5))
    return {"input_shape": input_shape, "layers": layers, "rows": trace(input_shape, layers)}


def _model(asked: Asked) -> str:
    return model_table(asked.input_shape, asked.rows)


def _broken(dice: Dice) -> Facts:
    """An encoder and decoder as it should be; the code beside the table has three mistakes."""
    half: dict[str, Any] = {"strides": 2, "padding": "same"}
    channels = dice.pick((1, 3))
    layers = (
        Conv2D(2 * dice.roll(4, 8), 3, **half),
        Conv2D(2 * dice.roll(2, 3), 3, **half),
        Conv2DTranspose(2 * dice.roll(4, 8), dice.pick((2, 4)), **half),
        UpSampling2D(2),
        Conv2D(channels, dice.pick((3, 5)), padding="same"),
    )
    side = 4 * dice.roll(5, 9)
    input_shape = (side, side + 4 * dice.roll(1, 3), channels)
    return {"input_shape": input_shape, "layers": layers, "rows": trace(input_shape, layers)}


def _broken_code(asked: Asked) -> str:
    first, second, third, _, last = asked.layers
    return f"""```python
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras

mended = keras.Sequential(
    [
        keras.Input(shape={asked.input_shape}),
        keras.layers.Conv2D({first.filters}, 3, strides=2, padding="same"),
        keras.layers.Conv2D({second.filters}, 3, strides=2, padding="same"),
        keras.layers.Conv2D({third.filters}, {third.kernel_size[0]}, strides=2, padding="same"),
        keras.layers.MaxUnpooling2D(2),
        keras.layers.Conv2D({last.filters}, {last.kernel_size[0]}),
    ]
)
```

{_model(asked)}"""


# --- The questions ------------------------------------------------------------------------------------

_UNPOOL = "enlarge a map by hand, and say what each way remembers"
_STAMP = "compute a transposed convolution as stamps"
_SIZES = "compute the size that a transposed convolution makes"
_COSTS = "give shape, weights and cost of a layer that goes up"
_BOARDS = "predict a checkerboard from kernel and stride"
_CODE = "write the way up, and its way back, in NumPy"
_KERAS = "build an encoder and a decoder to given shapes and counts"

ASSIGNMENT = Assignment(
    "07-upsampling",
    "Going up again",
    (
        Question(
            "three-ways-back",
            "Three ways back",
            _UNPOOL,
            1,
            "predict",
            (
                Part("nails", "unpooled", 1, _in_way(WAYS[0])),
                Part("nearest", "unpooled", 1, _in_way(WAYS[1])),
                Part("places", "switches", 1, lambda facts: {"values": facts["picture"], "pool_size": 2}),
                Part("unpooled", "unpooled", 1, _in_way(WAYS[2])),
            ),
            facts=_picture,
            shown=lambda asked: f"```text\n{rows_text(asked.picture)}\n```",
        ),
        Question(
            "stamp-the-kernel",
            "Stamp the kernel",
            _STAMP,
            2,
            "predict",
            (
                Part("stamped_a", "stamped_row", 1, bounds=(-20, 30)),
                Part("stamped_b", "stamped_row", 1, bounds=(-20, 30)),
            ),
            shown=_stamps,
        ),
        Question(
            "how-large",
            "How large is the output?",
            _SIZES,
            2,
            "calculate",
            (
                Part("size_a", "transposed_size", 1, {"plain": True}, bounds=(12, 125)),
                Part("size_b", "transposed_size", 1, bounds=(8, 125)),
                Part("size_c", "keras_transposed_size", 1, bounds=(12, 150)),
            ),
            shown=_sizes,
        ),
        Question(
            "what-went-in",
            "What went in?",
            _SIZES,
            2,
            "calculate",
            (
                Part("largest_a", "largest_input", 1, bounds=(10, 130)),
                Part("largest_b", "largest_input", 1, bounds=(10, 130)),
            ),
            shown=_outputs,
        ),
        Question(
            "a-layer-up",
            "A layer that goes up",
            _COSTS,
            2,
            "calculate",
            (
                Part("maps", "up_output", 1, lambda facts: facts),
                Part("weights", "transposed_weights", 1, _weights_up),
                Part("learned", "transposed_parameters", 1, _weights_up),
                Part("products", "up_products", 1, lambda facts: facts),
            ),
            facts=_layer_up,
            shown=_written_layer,
        ),
        Question(
            "count-the-stamps",
            "Count the stamps",
            _BOARDS,
            2,
            "predict",
            (Part("overlaps_a", "overlaps", 1), Part("overlaps_b", "overlaps", 1)),
        ),
        Question(
            "balance-the-phases",
            "Balance the phases",
            _BOARDS,
            3,
            "calculate",
            (
                Part("sums_a", "phase_sums", 1, bounds=(-8, 16)),
                Part("weight_b", "balancing_weight", 1, bounds=(-7, 16)),
            ),
            shown=_phases,
        ),
        Question(
            "find-the-slip",
            "Find the slip",
            _SIZES,
            2,
            "find the slip",
            (
                Part("slip_line", "first_slip", 1, lambda facts: {"lines": facts["lines"]}, slips=0),
                Part("right_number", "transposed_size", 1, lambda facts: facts["slip"]),
            ),
            facts=_notes,
            shown=_written_notes,
        ),
        Question(
            "read-the-summary",
            "Read a summary",
            _COSTS,
            2,
            "read a summary",
            (
                Part("shape_3", "up_output", 1, _third_shape),
                Part("layer_3", "transposed_parameters", 1, _third_count),
                Part("kernel_4", "kernel_from_count", 1, _fourth_kernel),
            ),
            facts=_autoencoder,
            shown=_summary,
        ),
        Question(
            "write-stamps",
            "The stamps in NumPy",
            _CODE,
            2,
            "write the function",
            (Work("transposed", 3, "stamped_row"),),
        ),
        Question(
            "write-the-way-back",
            "Both gradients",
            _CODE,
            3,
            "write the function",
            (Work("input_slopes", 2, "input_slopes"), Work("kernel_slopes", 2, "kernel_slopes")),
        ),
        Question(
            "write-unpool",
            "Max unpooling",
            _CODE,
            2,
            "write the function",
            (Work("unpool", 2, "unpool_map"),),
        ),
        Question(
            "build-a-decoder",
            "A decoder to measure",
            _KERAS,
            3,
            "build a model",
            (Work("decoder", 4),),
            facts=_decoder,
            shown=_model,
        ),
        Question(
            "mend-an-autoencoder",
            "Mend an autoencoder",
            _KERAS,
            2,
            "repair",
            (Work("mended", 5),),
            facts=_broken,
            shown=_broken_code,
        ),
        Question(
            "explain-the-pattern",
            "A grid on the picture",
            "explain what a transposed convolution does, and where checkerboards come from",
            3,
            "explain",
            by_hand=4,
        ),
    ),
)
