"""Assignment 1: from a dense layer to a kernel that slides along a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cnnlib.exercises.dice import Dice
from cnnlib.exercises.kinds.solutions import with_slip
from cnnlib.exercises.misconceptions import likely
from cnnlib.exercises.networks import model_table, trace
from cnnlib.exercises.sheet import Asked, Assignment, Facts, Part, Question, Work, number_text, table
from cnnlib.exercises.tasks import Task
from cnnlib.layers import Conv1D

# --- How the numbers are drawn ------------------------------------------------------------------------


def _tape(dice: Dice) -> Facts:
    sides = {"input_shape": (4 * dice.roll(5, 20), 4 * dice.roll(5, 20), 3)}
    return {"picture": sides, "units": 10 * dice.roll(3, 12), "scores": dice.roll(4, 20)}


def _window(dice: Dice) -> Facts:
    return {"row": {"size": dice.roll(12, 40), "kernel_size": dice.roll(3, 6)}}


def _weights_of(layer: str) -> Callable[[Facts], Facts]:
    return lambda facts: {"layer": layer, **facts["row"]}


def _recording(dice: Dice) -> dict[str, Any]:
    return {"size": dice.roll(30, 90), "kernel_size": dice.roll(4, 12), "stride": 1, "padding": 0}


def _strided(dice: Dice) -> dict[str, Any]:
    stride = dice.roll(3, 6)
    return {
        "size": dice.roll(100, 300),
        "kernel_size": stride + dice.roll(1, 8),
        "stride": stride,
        "padding": 0,
    }


def _signal(dice: Dice) -> dict[str, Any]:
    return {
        "signal": tuple(dice.roll(-2, 5) for _ in range(7)),
        "kernel": (dice.roll(1, 3), dice.roll(-3, -1), dice.roll(-2, 2)),
        "stride": 2,
    }


def _noticed(dice: Dice) -> dict[str, Any]:
    return {
        "signal": tuple(dice.roll(0, 6) for _ in range(6)),
        "kernel": dice.pick(((-1, 1), (1, -1), (-1, 2), (2, -1), (-2, 1), (1, -2))),
        "bias": dice.pick((-2, -1, 1, 2)),
        "stride": 1,
    }


def _speaks(task: Task) -> bool:
    """Whether the map is neither silent nor loud nearly everywhere, and silent with none of the mistakes."""
    wrong = (entry.answer(task) for entry in likely(task.kind.name))
    silent = any(answer is not None and not answer.any() for answer in wrong)
    return not silent and 2 <= int((task.answer > 0).sum()) <= len(task.answer) - 1


def _lopsided(task: Task) -> bool:
    """Whether flipping changes more of each kernel than its sign."""
    kernels = (np.array(kernel) for kernel in task.given.values())
    return not any(np.array_equal(kernel[::-1], -kernel) for kernel in kernels)


def _detector(dice: Dice) -> dict[str, Any]:
    """A kernel whose weights sum to 0 or to 1, or nearly."""
    first, second, total = dice.roll(1, 4), dice.roll(1, 4), dice.pick((0, 0, 1, 1, -1, 2))
    weights = dice.pick(((first, total - first - second, second), (-first, total + first - second, second)))
    return {"kernel": weights, "level": 10 * dice.roll(1, 9)}


def _smoother(dice: Dice) -> dict[str, Any]:
    return {
        "kernel": (dice.roll(1, 3), dice.roll(2, 5), dice.roll(-3, -1), dice.roll(1, 3)),
        "level": 10 * dice.roll(1, 9),
    }


def _notes(dice: Dice) -> Facts:
    """A classmate's notes on the work of a layer: six claims, one of them a registered mistake."""
    stride = dice.roll(2, 4)
    row = {"size": dice.roll(60, 200), "kernel_size": stride + dice.roll(2, 10), "stride": stride}
    tasks = (
        Task("output_size", **row),
        Task("row_macs", **row),
        Task("three_layers", layer="convolution", **row),
        Task("three_layers", layer="dense", **row),
        Task("row_macs", **row | {"stride": 1}),
        Task("row_macs", **row | {"size": 2 * row["size"]}),
    )
    number, slip = dice.pick(
        (
            (2, "weights-for-work"),
            (2, "forgot-the-stride"),
            (2, "multiplications-and-additions"),
            (2, "counted-the-dense-layer"),
            (5, "a-window-at-every-input"),
            (5, "forgot-the-one"),
            (5, "multiplications-and-additions"),
            (6, "forgot-the-stride"),
            (6, "weights-for-work"),
            (6, "multiplications-and-additions"),
        )
    )
    return {"row": row, **with_slip(tasks, number, slip)}


def _model(dice: Dice) -> Facts:
    layers = (
        Conv1D(dice.roll(4, 12), dice.pick((3, 5, 7, 9)), dice.roll(2, 3)),
        Conv1D(2 * dice.roll(4, 10), dice.pick((3, 5, 7))),
        Conv1D(dice.roll(3, 9), dice.pick((3, 5))),
    )
    input_shape = (dice.roll(100, 200), dice.roll(2, 6))
    return {"input_shape": input_shape, "layers": layers, "rows": trace(input_shape, layers)}


# --- How they are shown -------------------------------------------------------------------------------


def _maps(asked: Asked) -> str:
    rows = ((name, getattr(asked, name)) for name in ("feature_map", "activation_map"))
    lines = ["| | signal | kernel | stride | bias | ReLU |", "|---|---|---|---|---|---|"]
    for name, given in rows:
        signal, kernel = (", ".join(map(number_text, row)) for row in (given.signal, given.kernel))
        after = f"{number_text(given.bias)} | yes" if name == "activation_map" else "none | no"
        lines.append(f"| `{name}` | {signal} | {kernel} | {given.stride} | {after} |")
    return "\n".join(lines)


def _written_notes(asked: Asked) -> str:
    row = asked.row
    places, work, weights, dense, every, longer = (line.claim for line in asked.lines)
    return f"""One kernel of **{row["kernel_size"]} weights** slides along a recording of **{row["size"]} \
samples** with **stride {row["stride"]}**; no padding, no bias:

> 1. The kernel finds {places:,} places.
> 2. The layer takes {work:,} MACs.
> 3. It has {weights:,} weights to learn.
> 4. A dense layer from the same inputs to as many outputs would have {dense:,} weights.
> 5. With stride 1 our layer would take {every:,} MACs.
> 6. With stride {row["stride"]}, but on a recording twice as long, it would take {longer:,} MACs."""


# --- The questions ------------------------------------------------------------------------------------

_DENSE = "count the parameters of dense, local and shared layers"
_SLIDE = "compute what a kernel makes of a row, and how many outputs there are"
_MIRROR = "tell convolution from cross-correlation, and use what the flip buys"
_COST = "count weights and multiply–accumulates of a layer on a row"
_CODE = "write a one-dimensional layer as code"

ASSIGNMENT = Assignment(
    "01-one-dimension",
    "One dimension",
    (
        Question(
            "photograph-on-a-tape",
            "A photograph on a tape",
            _DENSE,
            1,
            "calculate",
            (
                Part("inputs", "flattened", 1, lambda facts: facts["picture"]),
                Part(
                    "first_layer",
                    "dense_count",
                    1,
                    lambda facts: {**facts["picture"], "units": facts["units"]},
                ),
                Part(
                    "second_layer",
                    "dense_count",
                    1,
                    lambda facts: {"input_shape": (facts["units"],), "units": facts["scores"]},
                ),
            ),
            facts=_tape,
            shown="A picture of **{inputs.input_shape}** is flattened into one row of numbers. A dense layer "
            "of **{units} units** reads it, and a second dense layer makes **{scores} scores** of what the "
            "first gives.",
        ),
        Question(
            "three-layers",
            "Three layers on one row",
            _DENSE,
            2,
            "calculate",
            tuple(
                Part(f"{layer}_weights", "three_layers", 1, _weights_of(layer))
                for layer in ("dense", "local", "convolution")
            ),
            facts=_window,
            shown="Your row has **{row[size]} inputs**, and the window is **{row[kernel_size]} wide**.",
        ),
        Question(
            "count-the-places",
            "Count the places",
            _SLIDE,
            1,
            "calculate",
            (
                Part("places_a", "output_size", 1, roll=_recording),
                Part("places_b", "output_size", 1, lambda facts: facts["row"]),
                Part("unseen_b", "dropped_inputs", 1, lambda facts: facts["row"], bounds=(1, 5)),
            ),
            facts=lambda dice: {"row": _strided(dice)},
            shown=table("size", "kernel_size", "stride"),
        ),
        Question(
            "predict-the-maps",
            "Predict two maps",
            _SLIDE,
            2,
            "predict",
            (
                Part("feature_map", "correlation", 2, roll=_signal, bounds=(-20, 20)),
                Part("activation_map", "activation_map", 2, roll=_noticed, bounds=(0, 20), accept=_speaks),
            ),
            shown=_maps,
        ),
        Question(
            "write-the-matrix",
            "The layer as a matrix",
            _SLIDE,
            2,
            "predict",
            (
                Part("matrix_a", "toeplitz", 1, {"small": True}, slips=4),
                Part("matrix_b", "toeplitz", 1, slips=6),
            ),
            shown=table("kernel", "size", "stride"),
        ),
        Question(
            "raise-the-level",
            "Raise the level",
            _SLIDE,
            2,
            "calculate",
            (
                Part("change_a", "even_response", 1, roll=_smoother),
                Part("change_b", "even_response", 1, roll=_detector),
            ),
            shown="- `change_a`: **{change_a.level}** is added everywhere, and the kernel is "
            "({change_a.kernel:list})\n"
            "- `change_b`: **{change_b.level}** is added everywhere, and the kernel is "
            "({change_b.kernel:list})",
        ),
        Question(
            "in-the-mirror",
            "In the mirror",
            _MIRROR,
            2,
            "predict",
            (
                Part("mirrored_a", "full_convolution", 1, {"length": 2}, slips=3),
                Part("mirrored_b", "full_convolution", 1, slips=5),
            ),
            shown="- `mirrored_a` = [{mirrored_a.signal:list}] ∗ [{mirrored_a.kernel:list}]\n"
            "- `mirrored_b` = [{mirrored_b.signal:list}] ∗ [{mirrored_b.kernel:list}]",
        ),
        Question(
            "two-layers-in-one",
            "Two layers in one",
            _MIRROR,
            3,
            "calculate",
            (
                Part("joint_kernel", "joint_kernel", 2, accept=_lopsided),
                Part("joint_width", "joint_width", 1),
            ),
            shown="- `joint_kernel`: the first layer has the kernel ({joint_kernel.first:list}), the second "
            "({joint_kernel.second:list})\n"
            "- `joint_width`: **{joint_width.layers} layers**, each with a kernel of "
            "**{joint_width.kernel_size} weights**",
        ),
        Question(
            "find-the-slip",
            "Find the slip",
            _COST,
            2,
            "find the slip",
            (
                Part("slip_line", "first_slip", 1, lambda facts: {"lines": facts["lines"]}, slips=0),
                Part("right_number", "row_macs", 1, lambda facts: facts["slip"], slips=2),
            ),
            facts=_notes,
            shown=_written_notes,
        ),
        Question(
            "write-correlate",
            "Slide a kernel",
            _CODE,
            2,
            "write the function",
            (Work("correlate", 4, "slide"),),
        ),
        Question(
            "mend-the-layer",
            "Mend a layer",
            _CODE,
            2,
            "repair",
            (Work("layer", 3, "activation_map"),),
        ),
        Question(
            "build-a-model",
            "Layers for a recording",
            "choose layers for given shapes and counts",
            2,
            "build a model",
            (Work("model", 3),),
            facts=_model,
            shown=lambda asked: model_table(asked.input_shape, asked.rows),
        ),
        Question(
            "explain-the-table",
            "A kernel for a table",
            "judge whether looking locally and sharing weights make sense",
            2,
            "explain",
            by_hand=4,
        ),
    ),
)
