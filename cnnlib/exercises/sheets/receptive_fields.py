"""Assignment 5: what moves when the picture moves, and what one output sees of it."""

from __future__ import annotations

from typing import Any

from cnnlib.exercises.dice import Dice
from cnnlib.exercises.kinds.receptive_fields import MAPS, SIZE_SLIPS
from cnnlib.exercises.kinds.solutions import Line
from cnnlib.exercises.misconceptions import likely
from cnnlib.exercises.networks import Conv, Pool, Summary, model_table, trace
from cnnlib.exercises.sheet import Asked, Assignment, Facts, Part, Question, Work, number_text
from cnnlib.exercises.tasks import Task
from cnnlib.exercises.wording import shape_text
from cnnlib.layers import Conv2D

# --- How the numbers are drawn, and how they are shown -----------------------------------------------


def _numbers(values: Any) -> str:
    return ", ".join(map(number_text, values))


def _pattern(dice: Dice) -> Facts:
    """Three numbers between zeros, and a kernel that is not symmetric."""
    first, last = dice.pick(((1, 2), (2, -1), (-1, 3), (3, 1), (-2, 1), (1, -2)))
    return {
        "signal": (0, 0, *(dice.pick((1, 2, 3, 4, 5)) for _ in range(3)), 0, 0, 0, 0, 0, 0),
        "kernel": (first, dice.pick((-1, 1, 2)), last),
    }


def _moved(stride: int, least: int, most: int) -> Any:
    """The pattern moved by so many places (in steps of the stride)."""
    return lambda facts: {
        "signal": facts["signal"],
        "kernel": facts["kernel"],
        "amount": stride * (least + sum(facts["signal"]) % (most - least + 1)),
        "stride": stride,
    }


def _roads(asked: Asked) -> str:
    a, b = asked.map_after, asked.map_strided
    return (
        f"The row is **{_numbers(asked.signal)}** and the kernel **{_numbers(asked.kernel)}**.\n\n"
        f"- `map_after`: the row moves {a.amount} to the right; stride 1\n"
        f"- `map_strided`: the row moves {b.amount} to the right; **stride {b.stride}**"
    )


def _strided_network(dice: Dice) -> Facts:
    """Strides of five layers, two or three of them larger than 1."""
    strides = [1, 2, 2, dice.pick((1, 2, 3)), dice.pick((1, 3))]
    order = [strides.pop(dice.roll(0, len(strides) - 1)) for _ in range(5)]
    kernels = tuple(dice.pick((3, 5, 7)) for _ in range(dice.roll(3, 4)))
    return {"strides": tuple(order), "times": dice.roll(2, 7), "size": dice.roll(40, 120), "kernels": kernels}


def _stray(asked: Asked) -> str:
    strides, kernels = _numbers(asked.strides), _numbers(asked.kernels)
    return (
        f"- `smallest_shift`: the layers of a network have the strides {strides}. What is the smallest "
        "shift of the picture (above 0) for which, inside, the last map is exactly the old one, moved?\n"
        "- `places_moved`: by how many places does that map move when the picture moves by "
        f"{asked.places_moved.amount} pixels?\n"
        f"- `inside_places`: another network has kernels of {kernels}, all with stride 1 and `same` padding. "
        f"How many outputs along a side of {asked.size} pixels see none of the padding?"
    )


def _words(asked: Asked) -> str:
    lists = [("movements_a", asked.movements_a.operators), ("movements_b", asked.movements_b.operators)]
    return "\n".join(
        f"`{name}`:\n\n" + "\n".join(f"{n}. {operator}" for n, operator in enumerate(operators, 1)) + "\n"
        for name, operators in lists
    )


def _two_lists(dice: Dice) -> Facts:
    """Six maps, none of them twice; at least two of the three words in each list."""
    free = list(MAPS)
    drawn = [free.pop(dice.roll(0, len(free) - 1)) for _ in range(6)]
    return {"first": tuple(drawn[:3]), "second": tuple(drawn[3:])}


def _stack_words(layers: Any) -> str:
    """A stack of (kernel, stride) in words."""
    return " → ".join(
        f"pooling {kernel}, stride {stride}" if kernel == stride == 2 else f"conv {kernel}, stride {stride}"
        for kernel, stride in layers
    )


def _stacks(asked: Asked) -> str:
    return (
        f"- `sizes_a`: {_stack_words(asked.sizes_a.layers)}\n- `size_b`: {_stack_words(asked.size_b.layers)}"
    )


def _views(asked: Asked) -> str:
    lines = ["| | layers: kernel, stride, padding | which output |", "|---|---|---|"]
    for name, view in (("view_a", asked.view_a), ("view_b", asked.view_b)):
        layers = " → ".join(f"({', '.join(map(str, layer))})" for layer in view.layers)
        lines.append(f"| `{name}` | {layers} | {view.output} |")
    return "\n".join(lines)


def _picture(dice: Dice) -> Facts:
    return {"size": 12 * dice.roll(4, 18) + 2 * dice.roll(0, 5) + dice.roll(0, 1)}


def _deep(kernel: int) -> Any:
    return lambda facts: {"size": facts["size"], "kernel_size": kernel}


def _gaps(dice: Dice) -> Facts:
    """Dilations that leave holes."""
    return {"dilations": (dice.roll(2, 5), dice.roll(2, 9), dice.roll(1, 9))}


def _dilated(facts: Facts) -> Facts:
    return {"kernel_size": 3, "dilations": facts["dilations"]}


def _plain_stack(dice: Dice) -> dict[str, Any]:
    return {"layers": ((dice.roll(2, 5), 1), (dice.roll(2, 4), 1), (dice.roll(2, 4), 1))}


def _strided_stack(dice: Dice) -> dict[str, Any]:
    return {"layers": ((dice.roll(2, 4), 2), (dice.roll(2, 4), dice.roll(1, 2)), (dice.roll(2, 3), 1))}


def _two_stacks(asked: Asked) -> str:
    return (
        f"- `paths_a`: {_stack_words(asked.paths_a.layers)}\n"
        f"- `paths_b`: {_stack_words(asked.paths_b.layers)}"
    )


def _network(dice: Dice) -> Facts:
    """Blocks whose kernels can be told from the counts."""
    side = 8 * dice.roll(6, 14)
    filters = (8 * dice.roll(1, 3), 8 * dice.roll(3, 5), 8 * dice.roll(6, 9))
    first, second, third = (Conv(maps, dice.pick((3, 5, 7)), padding="same") for maps in filters)
    input_shape = (side, side, 3)
    layers = (first, Pool(2), second, Pool(2), third)
    return {"input_shape": input_shape, "layers": layers, "rows": trace(input_shape, layers)}


def _third_layer(facts: Facts) -> Facts:
    first, _, second, _, _ = facts["layers"]
    count = facts["rows"][2].parameters
    return {"parameters": count, "channels": first.filters, "filters": second.filters}


def _summary(asked: Asked) -> str:
    side = shape_text(asked.input_shape)
    return f"A model for pictures of {side}:\n\n```text\n{Summary(asked.input_shape, asked.layers)}\n```"


def _notes(dice: Dice) -> Facts:
    """A classmate's notes on a stack, layer by layer; one size is a registered mistake."""
    layers = (
        (dice.pick((5, 7)), 2),
        (dice.pick((3, 5)), 1),
        (2, 2),
        (dice.pick((3, 5)), 1),
        (dice.pick((3, 5, 7)), 1),
    )
    tasks = [Task("receptive_size", layers=layers[:depth]) for depth in range(1, 6)]
    names = [name for name, _, _ in SIZE_SLIPS if name != "kernels-multiplied"]
    slips = [
        (number, wrong)
        for number, task in enumerate(tasks)
        for entry in likely("receptive_size")
        if entry.name in names and number > 0 and (wrong := entry.answer(task)) is not None
    ]
    number, claim = dice.pick(slips)
    lines = [Line(task.answer, task) for task in tasks]
    lines[number] = Line(claim, tasks[number])
    strides = Task("exact_shift", strides=tuple(stride for _, stride in layers))
    lines.append(Line(strides.answer, strides))
    return {"layers": layers, "lines": tuple(lines), "slip": tasks[number].given}


def _written_notes(asked: Asked) -> str:
    *sizes, steps = (line.claim for line in asked.lines)
    names = [
        f"`MaxPooling2D({f})`" if f == s else f"`Conv2D(…, {f}{', strides=2' if s == 2 else ''})`"
        for f, s in asked.layers
    ]
    lines = [
        f"> {n}. One output of layer {n}, {name}, sees {size} pixels along an axis."
        for n, (name, size) in enumerate(zip(names, sizes, strict=True), 1)
    ]
    last = f"> 6. From one output of the last layer to the next, the view moves by {steps} pixels."
    return "\n".join(["A stack of five layers:\n", *lines, last])


def _model(dice: Dice) -> Facts:
    """Three layers with 3×3 kernels; shapes tell dilation and stride."""
    filters = [2 * dice.roll(2, 8) for _ in range(3)]
    dilations = dice.pick(
        ((1, 2, 4), (1, 2, 3), (1, 3, 4), (2, 3, 4), (2, 1, 4), (3, 1, 2), (1, 4, 2), (2, 4, 3))
    )
    layers = tuple(
        Conv2D(maps, 3, dilation_rate=dilation) for maps, dilation in zip(filters, dilations, strict=True)
    )
    side = dice.roll(28, 64)
    input_shape = (side, side, 3)
    return {"input_shape": input_shape, "layers": layers, "rows": trace(input_shape, layers)}


def _model_table(asked: Asked) -> str:
    return model_table(asked.input_shape, asked.rows)


# --- The questions ------------------------------------------------------------------------------------

_MOVE = "tell what moves with the picture, and where that ends"
_SIZE = "compute the receptive field of a stack"
_WHERE = "say which pixels one output looks at"
_CHOOSE = "choose how to see more"
_USE = "say how much of its view an output uses"

ASSIGNMENT = Assignment(
    "05-receptive-fields",
    "What moves, and what is seen",
    (
        Question(
            "two-roads",
            "Two roads",
            _MOVE,
            1,
            "predict",
            (
                Part("map_after", "moved_map", 1, _moved(1, 1, 3), bounds=(-20, 28)),
                Part("map_strided", "moved_map", 1, _moved(2, 1, 2), bounds=(-20, 28)),
            ),
            facts=_pattern,
            shown=_roads,
        ),
        Question(
            "where-it-holds",
            "Where it holds",
            _MOVE,
            2,
            "calculate",
            (
                Part("smallest_shift", "exact_shift", 1, lambda facts: {"strides": facts["strides"]}),
                Part(
                    "places_moved",
                    "map_shift",
                    1,
                    lambda facts: {
                        "strides": facts["strides"],
                        "amount": facts["times"] * Task("exact_shift", strides=facts["strides"]).answer,
                    },
                ),
                Part(
                    "inside_places",
                    "inside_outputs",
                    1,
                    lambda facts: {"size": facts["size"], "kernel_sizes": facts["kernels"]},
                ),
            ),
            facts=_strided_network,
            shown=_stray,
        ),
        Question(
            "two-words",
            "Two words",
            _MOVE,
            2,
            "predict",
            (
                Part("movements_a", "movements", 1, lambda facts: {"operators": facts["first"]}),
                Part("movements_b", "movements", 1, lambda facts: {"operators": facts["second"]}),
            ),
            facts=_two_lists,
            shown=_words,
        ),
        Question(
            "layer-by-layer",
            "Layer by layer",
            _SIZE,
            2,
            "calculate",
            (
                Part("sizes_a", "receptive_sizes", 2, {"depth": 4}, bounds=(3, 60)),
                Part("size_b", "receptive_size", 1, {"depth": 5}, bounds=(15, 90)),
            ),
            shown=_stacks,
        ),
        Question(
            "where-it-looks",
            "Where it looks",
            _WHERE,
            3,
            "calculate",
            (
                Part("view_a", "pixel_range", 1, {"depth": 2, "least": 2}, bounds=(-4, 45)),
                Part("view_b", "pixel_range", 1, {"depth": 3, "least": 2}, bounds=(-4, 75)),
            ),
            shown=_views,
        ),
        Question(
            "how-deep",
            "How deep?",
            _CHOOSE,
            1,
            "calculate",
            (
                Part("layers_of_3", "layers_needed", 1, _deep(3), bounds=(20, 120)),
                Part("layers_of_7", "layers_needed", 1, _deep(7), bounds=(8, 40)),
            ),
            facts=_picture,
            shown="The picture is **{size}** pixels wide.",
        ),
        Question(
            "holes",
            "Holes",
            _CHOOSE,
            2,
            "calculate",
            (
                Part("stretch", "dilated_field", 1, _dilated, bounds=(17, 45)),
                Part("really_read", "touched_inputs", 1, _dilated, bounds=(11, 27)),
            ),
            facts=_gaps,
            shown=lambda asked: (
                f"The dilations are **{_numbers(asked.dilations)}**, from the first layer on."
            ),
        ),
        Question(
            "count-the-paths",
            "Count the paths",
            _USE,
            2,
            "predict",
            (
                Part("paths_a", "paths", 1, roll=_plain_stack, bounds=(1, 16), slips=3),
                Part("paths_b", "paths", 1, roll=_strided_stack, bounds=(1, 12), slips=4),
            ),
            shown=_two_stacks,
        ),
        Question(
            "read-the-summary",
            "Kernels from counts",
            _SIZE,
            3,
            "read a summary",
            (
                Part("kernel_of_3", "kernel_from_count", 1, _third_layer),
                Part(
                    "last_sees",
                    "stack_field",
                    2,
                    lambda facts: {name: facts[name] for name in ("input_shape", "layers")},
                ),
            ),
            facts=_network,
            shown=_summary,
        ),
        Question(
            "find-the-slip",
            "Find the slip",
            _SIZE,
            2,
            "find the slip",
            (
                Part("slip_line", "first_slip", 1, lambda facts: {"lines": facts["lines"]}, slips=0),
                Part("right_number", "receptive_size", 1, lambda facts: facts["slip"], bounds=(11, 60)),
            ),
            facts=_notes,
            shown=_written_notes,
        ),
        Question(
            "write-the-size",
            "The size of the view",
            _SIZE,
            2,
            "write the function",
            (Work("receptive_size", 3, "receptive_size"),),
        ),
        Question(
            "write-the-view",
            "The view of one output",
            _WHERE,
            3,
            "write the function",
            (Work("view", 3, "pixel_range"),),
        ),
        Question(
            "repair-the-walk",
            "Down through the layers",
            _WHERE,
            3,
            "repair",
            (Work("pixels_read", 3, "pixels_read"),),
        ),
        Question(
            "see-more",
            "See more with nine weights",
            _CHOOSE,
            2,
            "build a model",
            (Work("model", 3),),
            facts=_model,
            shown=_model_table,
        ),
        Question(
            "explain-seeing",
            "Seeing, using, moving",
            "explain equivariance and the effective receptive field",
            2,
            "explain",
            by_hand=4,
        ),
    ),
)
