"""Assignment 4: what pooling keeps, what it forgets, and where the gradient goes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnnlib.exercises.dice import Dice
from cnnlib.exercises.kinds.pooling import AVERAGE, MAXIMUM
from cnnlib.exercises.kinds.solutions import Line
from cnnlib.exercises.misconceptions import likely
from cnnlib.exercises.networks import Conv, Pool, Summary, model_table, trace
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
from cnnlib.layers import Dense, GlobalAveragePooling2D

# --- How the numbers are drawn ------------------------------------------------------------------------


def _block(*arrays: Any) -> str:
    return f"```text\n{rows_text(*arrays, between='          ')}\n```"


def _grid(dice: Dice) -> Facts:
    """Whole numbers, some of them below 0; the mean of every window is whole."""
    grid = np.array([dice.roll(-6, 9) for _ in range(16)]).reshape(4, 4)
    sums = grid.reshape(2, 2, 2, 2).sum(axis=(1, 3))
    grid[1::2, 1::2] -= sums % 4
    return {"grid": tuple(map(tuple, grid.tolist()))}


def _by_hand(asked: Asked) -> str:
    row = asked.row_maxima
    values = ", ".join(map(number_text, row.values))
    return (
        "`maxima`, `means`: this feature map, windows of 2×2, stride 2\n\n"
        f"{_block(asked.grid)}\n\n"
        f"`row_maxima`: the row {values}, windows of {row.pool_size}, stride {row.strides}"
    )


def _uneven_rows(dice: Dice) -> Facts:
    """Eight numbers; their means are whole, and at the end, where zeros would win, all are negative."""
    rows = []
    for _ in range(2):
        row = [dice.roll(-6, 9) for _ in range(6)] + [dice.roll(-9, -1), dice.roll(-9, -1)]
        for last, width in ((2, 3), (5, 3), (7, 2)):
            row[last] -= sum(row[last - width + 1 : last + 1]) % width
        rows.append(tuple(row))
    return {"rows": tuple(rows)}


def _pooled_row(number: int, rule: str) -> Any:
    return lambda facts: {
        "values": facts["rows"][number],
        "pool_size": 3,
        "padding": "same",
        "rule": rule,
    }


def _uneven(asked: Asked) -> str:
    first, second = (", ".join(map(number_text, row)) for row in asked.rows)
    return (
        f'- `edge_maxima`: `MaxPooling1D(3, padding="same")` on the row {first}\n'
        f'- `edge_means`: `AveragePooling1D(3, padding="same")` on the row {second}'
    )


def _maps(dice: Dice) -> dict[str, Any]:
    height = dice.roll(31, 90)
    return {"input_shape": (height, height + dice.roll(5, 30), 8 * dice.roll(2, 16)), "padding": 0}


def _even_pool(dice: Dice) -> dict[str, Any]:
    return _maps(dice) | {"pool_size": 2, "strides": 2}


def _overlapping_pool(dice: Dice) -> dict[str, Any]:
    return _maps(dice) | {"pool_size": 3, "strides": 2}


def _calls(asked: Asked) -> str:
    calls = (
        ("shape_a", asked.shape_a.input_shape, "MaxPooling2D(2, strides=2)", "shape"),
        ("shape_b", asked.shape_b.input_shape, "AveragePooling2D(3, strides=2)", "shape"),
        ("shape_c", asked.shape_c.input_shape, f"MaxPooling2D({asked.shape_c.pool_size})", "shape"),
        ("numbers_d", asked.numbers_d.input_shape, "GlobalAveragePooling2D()", "how many numbers"),
    )
    lines = ["| | maps | Keras layer | asked |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {shape_text(maps)} | `{call}` | {what} |" for name, maps, call, what in calls]
    return "\n".join(lines)


def _left(asked: Asked) -> str:
    values, times = asked.values_after, asked.times_possible
    return (
        f"- `values_after`: maps of {shape_text(values.input_shape)} go through {values.times} poolings, one "
        "after another. How many values are left, all channels together?\n"
        f"- `times_possible`: how often can a picture of {times.size}×{times.size} be pooled like this until "
        "a single value of each channel is left?"
    )


def _heads(dice: Dice) -> Facts:
    """Two last maps: the count of one head is not that of the other, taken for the wrong one."""
    maps = []
    for _ in range(2):
        side = dice.roll(4, 9)
        maps.append((side, side + dice.roll(1, 4), 16 * dice.roll(3, 16)))
    return {"maps": tuple(maps), "units": dice.pick((8, 10, 12, 15, 20, 25))}


def _head(number: int, head: str) -> Any:
    return lambda facts: {"input_shape": facts["maps"][number], "units": facts["units"], "head": head}


def _both_heads(asked: Asked) -> str:
    (flat, pooled), dense = map(shape_text, asked.maps), f"`Dense({asked.units})`"
    return (
        "| parameters of the dense layer | last maps | first | then |\n|---|---|---|---|\n"
        f"| `flat_head` | {flat} | `Flatten()` | {dense} |\n"
        f"| `pooled_head` | {pooled} | `GlobalAveragePooling2D()` | {dense} |"
    )


def _hidden_sides(dice: Dice) -> Facts:
    """A network whose picture is known by its last maps alone."""
    windows = tuple(dice.pick((2, 2, 3)) for _ in range(3))
    filters = [8 * dice.roll(1, 3), 8 * dice.roll(3, 5)]
    layers = (
        Conv(filters[0], 3, padding="same"),
        Pool(windows[0]),
        Conv(filters[1], 3, padding="same"),
        Pool(windows[1]),
        Pool(windows[2]),
    )
    return {"size": dice.roll(3, 9), "windows": windows, "layers": layers}


def _before(most: bool) -> Any:
    return lambda facts: {"size": facts["size"], "windows": facts["windows"], "most": most}


def _hidden_summary(asked: Asked) -> str:
    side = asked.size * math.prod(asked.windows)
    hidden = {(line, 2) for line in range(1, len(asked.layers))}
    first, second, third = (f"{window}×{window}" for window in asked.windows)
    return (
        f"```text\n{Summary((side, side, 3), asked.layers, hidden)}\n```\n\n"
        f"The windows of the three poolings are {first}, {second} and {third}; none has a stride of its own."
    )


def _notes(dice: Dice) -> Facts:
    """A classmate's notes on four layers for the same maps; one size is a registered mistake."""
    height = dice.roll(40, 99)
    width, channels = height + dice.roll(5, 30), 8 * dice.roll(2, 12)
    sizes = [
        Task("pooled_side", size=side, pool_size=window, stride=stride)
        for side, window, stride in ((height, 2, 2), (height, 3, 3), (width, 3, 2), (width, 5, 3))
    ]
    maps = (height, width, channels)
    rest = [
        Task("global_values", input_shape=maps),
        Task("network_parameters", input_shape=maps, layers=(Pool(2), Pool(3), Pool(3, 2))),
    ]
    slips = [
        (number, wrong)
        for number, task in enumerate(sizes)
        for entry in likely("pooled_side")
        if entry.name != "kept-the-fraction" and (wrong := entry.answer(task)) is not None
    ]
    number, claim = dice.pick(slips)
    lines = [Line(task.answer, task) for task in (*sizes, *rest)]
    lines[number] = Line(claim, sizes[number])
    return {"maps": maps, "lines": tuple(lines), "slip": sizes[number].given}


def _written_notes(asked: Asked) -> str:
    a, b, c, d, e, f = (line.claim for line in asked.lines)
    return f"""Four layers, each on maps of **{shape_text(asked.maps)}**, none with padding:

> 1. `MaxPooling2D(2)` makes maps that are {a} high.
> 2. `MaxPooling2D(3)` makes maps that are {b} high.
> 3. `MaxPooling2D(3, strides=2)` makes maps that are {c} wide.
> 4. `AveragePooling2D(5, strides=3)` makes maps that are {d} wide.
> 5. `GlobalAveragePooling2D()` leaves {e} numbers of a picture.
> 6. All of them together have {f} parameters."""


def _moving_rows(asked: Asked) -> str:
    shifted, changed = asked.shifted, asked.changed
    first, second = (", ".join(map(number_text, part.signal)) for part in (shifted, changed))
    return (
        f"- `shifted`: the row {first} moves; then max pooling with a window of {shifted.pool_size} and "
        f"stride {shifted.strides}. Write the outputs as a list.\n"
        f"- `changed`: the row {second}; max pooling with a window of {changed.pool_size} and stride "
        f"{changed.strides}, before the row moves and after. At how many places do the outputs differ?"
    )


def _map_and_slopes(dice: Dice) -> Facts:
    """Distinct numbers, so that each window has one winner; gradients that four can share."""
    free = list(range(-9, 30))
    grid = tuple(tuple(free.pop(dice.roll(0, len(free) - 1)) for _ in range(6)) for _ in range(4))
    slopes = tuple(tuple(4 * dice.pick((-3, -2, -1, 1, 2, 3)) for _ in range(3)) for _ in range(2))
    return {"grid": grid, "slopes": slopes}


def _back(rule: str) -> Any:
    return lambda facts: {
        "slopes": facts["slopes"],
        "values": facts["grid"],
        "pool_size": 2,
        "strides": 2,
        "rule": rule,
    }


def _overlapping_row(dice: Dice) -> dict[str, Any]:
    """Seven inputs, the largest of them in two windows; its gradients do not cancel out."""
    free = list(range(-5, 20))
    row = [free.pop(dice.roll(0, len(free) - 1)) for _ in range(7)]
    at, shared = row.index(max(row)), dice.pick((2, 4))
    row[at], row[shared] = row[shared], row[at]
    slopes = tuple(dice.pick((-4, -3, 2, 5, 6, 7)) for _ in range(3))
    return {"slopes": slopes, "values": tuple(row), "pool_size": 3, "strides": 2, "rule": MAXIMUM}


def _way_back(asked: Asked) -> str:
    row = asked.row_back
    values, slopes = (", ".join(map(number_text, numbers)) for numbers in (row.values, row.slopes))
    return (
        "Left the inputs; right the gradient of the loss for each output (windows 2×2, stride 2):\n\n"
        f"{_block(asked.grid, asked.slopes)}\n\n"
        f"For `row_back`: the inputs {values}, a window of {row.pool_size} and stride {row.strides}; the "
        f"gradient of the outputs is {slopes}."
    )


def _network(dice: Dice) -> Facts:
    """Two blocks and a head, with sides that leave nothing over."""
    units = dice.roll(5, 20)
    layers = (
        Conv(4 * dice.roll(2, 6), 5, padding="same"),
        Pool(3, strides=2),
        Conv(8 * dice.roll(3, 8), 3),
        Pool(2),
        GlobalAveragePooling2D(),
        Dense(units),
    )
    side = 4 * dice.roll(8, 16) + 1
    input_shape = (side, side, 3)
    return {"input_shape": input_shape, "layers": layers, "units": units, "rows": trace(input_shape, layers)}


def _broken(asked: Asked) -> str:
    first, _, second, *_ = asked.layers
    return f"""```python
import keras
from keras import layers

model = keras.Sequential([
    keras.Input(shape={asked.input_shape}),
    layers.Conv2D({first.filters}, {first.kernel_size}),
    layers.MaxPooling2D(3),
    layers.Conv2D({second.filters}, {second.kernel_size}, strides=2),
    layers.MaxPooling2D(2, strides=1),
    layers.Flatten(),
    layers.Dense({asked.units}),
])
```

{model_table(asked.input_shape, asked.rows)}"""


# --- The questions ------------------------------------------------------------------------------------

_POOL = "pool by hand"
_SHAPES = "predict the shape that pooling leaves"
_COUNTS = "count what pooling saves"
_SHIFT = "tell what a small shift changes"
_GRADIENT = "trace the gradient back through pooling"
_CODE = "write pooling as code"

ASSIGNMENT = Assignment(
    "04-pooling",
    "Pooling",
    (
        Question(
            "pool-by-hand",
            "One number for each window",
            _POOL,
            1,
            "predict",
            (
                Part("maxima", "pooled", 1, lambda facts: {"values": facts["grid"], "pool_size": 2}),
                Part(
                    "means",
                    "pooled",
                    1,
                    lambda facts: {"values": facts["grid"], "pool_size": 2, "rule": AVERAGE},
                ),
                Part(
                    "row_maxima",
                    "pooled",
                    1,
                    {"shape": (7,), "pool_size": 3, "strides": 2, "padding": "valid", "rule": MAXIMUM},
                ),
            ),
            facts=_grid,
            shown=_by_hand,
        ),
        Question(
            "over-the-edge",
            "A window over the edge",
            _POOL,
            2,
            "predict",
            (
                Part("edge_maxima", "pooled", 1, _pooled_row(0, MAXIMUM)),
                Part("edge_means", "pooled", 1, _pooled_row(1, AVERAGE)),
            ),
            facts=_uneven_rows,
            shown=_uneven,
        ),
        Question(
            "pooling-shapes",
            "Four layers, four shapes",
            _SHAPES,
            2,
            "calculate",
            (
                Part("shape_a", "pool_output", 1, roll=_even_pool),
                Part("shape_b", "pool_output", 1, roll=_overlapping_pool),
                Part("shape_c", "pool_call_output", 1),
                Part("numbers_d", "global_values", 1),
            ),
            shown=_calls,
        ),
        Question(
            "what-is-left",
            "What is left",
            _COUNTS,
            2,
            "calculate",
            (
                Part("values_after", "values_left", 1, bounds=(500, 16_000)),
                Part("times_possible", "poolings", 1, bounds=(5, 8)),
            ),
            shown=_left,
        ),
        Question(
            "two-heads",
            "Two heads",
            _COUNTS,
            2,
            "calculate",
            (
                Part("flat_head", "head_parameters", 1, _head(0, "Flatten"), bounds=(6_000, 400_000)),
                Part(
                    "pooled_head",
                    "head_parameters",
                    1,
                    _head(1, "GlobalAveragePooling2D"),
                    bounds=(400, 7_000),
                ),
            ),
            facts=_heads,
            shown=_both_heads,
        ),
        Question(
            "backwards-through-a-summary",
            "Which pictures fit?",
            _SHAPES,
            3,
            "read a summary",
            (
                Part("smallest_side", "side_before", 1, _before(most=False), bounds=(24, 150)),
                Part("largest_side", "side_before", 1, _before(most=True), bounds=(30, 180)),
            ),
            facts=_hidden_sides,
            shown=_hidden_summary,
        ),
        Question(
            "find-the-slip",
            "Find the slip",
            _SHAPES,
            2,
            "find the slip",
            (
                Part("slip_line", "first_slip", 1, lambda facts: {"lines": facts["lines"]}, slips=0),
                Part("right_number", "pooled_side", 1, lambda facts: facts["slip"], bounds=(7, 70)),
            ),
            facts=_notes,
            shown=_written_notes,
        ),
        Question(
            "a-small-shift",
            "A small shift",
            _SHIFT,
            2,
            "predict",
            (
                Part("shifted", "shifted_pool", 1, {"size": 8, "pool_size": 2, "strides": 2}),
                Part(
                    "changed", "changed_outputs", 1, {"size": 9, "pool_size": 3, "strides": 1}, bounds=(1, 6)
                ),
            ),
            shown=_moving_rows,
        ),
        Question(
            "the-way-back",
            "The way back",
            _GRADIENT,
            2,
            "calculate",
            (
                Part("switches", "switches", 1, lambda facts: {"values": facts["grid"], "pool_size": 2}),
                Part("back_max", "pool_gradient", 1, _back(MAXIMUM)),
                Part("back_mean", "pool_gradient", 1, _back(AVERAGE)),
                Part("row_back", "pool_gradient", 1, roll=_overlapping_row),
            ),
            facts=_map_and_slopes,
            shown=_way_back,
        ),
        Question(
            "write-max-pool",
            "Max pooling in loops",
            _CODE,
            2,
            "write the function",
            (Work("max_pool2d", 4, "max_pool_map"),),
        ),
        Question(
            "write-the-way-back",
            "The way back in loops",
            _GRADIENT,
            3,
            "write the function",
            (Work("max_pool_gradient", 4, "max_pool_gradient"),),
        ),
        Question(
            "repair-average-pool",
            "Four faults in ten lines",
            _CODE,
            2,
            "repair",
            (Work("average_pool2d", 3, "average_pool_map"),),
        ),
        Question(
            "repair-a-network",
            "A network that does not keep its promise",
            _SHAPES,
            2,
            "repair",
            (Work("model", 3),),
            facts=_network,
            shown=_broken,
        ),
        Question(
            "explain-invariance",
            "What pooling does and does not do",
            "explain what pooling keeps and what it forgets",
            2,
            "explain",
            by_hand=4,
        ),
    ),
)
