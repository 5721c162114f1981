"""Assignment 9: the four bills of classic networks, and where each of them falls due."""

from __future__ import annotations

from typing import Any

from cnnlib.exercises.dice import Dice
from cnnlib.exercises.kinds.architectures import lenet_like
from cnnlib.exercises.kinds.solutions import with_slip
from cnnlib.exercises.networks import AnyLayer, Conv, Pool, Summary, model_table, trace
from cnnlib.exercises.sheet import Asked, Assignment, Facts, Part, Question, Work
from cnnlib.exercises.tasks import Task
from cnnlib.exercises.wording import shape_text
from cnnlib.layers import Conv2D, Dense, Flatten, MaxPooling2D
from cnnlib.sizes import transposed_size

# --- How the numbers are drawn, and how they are shown ------------------------------------------------


def _bill_of(asked: Asked) -> str:
    layer = asked.layer
    padding = layer["padding"] or "none"
    return (
        "| input | filters | kernel | stride | padding, each side |\n|---|---|---|---|---|\n"
        f"| {shape_text(layer['input_shape'])} | {layer['filters']} | "
        f"{shape_text((layer['kernel_size'],) * 2)} | {layer['strides']} | {padding} |"
    )


def _one_layer(dice: Dice) -> Facts:
    kernel = dice.pick((5, 7, 9))
    layer = {
        "input_shape": (dice.roll(24, 60), dice.roll(24, 60), dice.pick((3, 4, 6, 8))),
        "kernel_size": kernel,
        "filters": 2 * dice.roll(5, 12),
        "strides": 2,
        "padding": kernel // 2 - 1,
    }
    return {"layer": layer}


def _its_filters(facts: Facts) -> Facts:
    layer = facts["layer"]
    return {
        "kernel_size": layer["kernel_size"],
        "channels": layer["input_shape"][-1],
        "filters": layer["filters"],
    }


def _its_work(facts: Facts) -> Facts:
    return dict(facts["layer"])


def _crosses(asked: Asked) -> str:
    given = asked.c_connections
    columns = range(1, len(given.table) + 1)
    lines = [
        f"| map ↓ filter → | {' | '.join(map(str, columns))} |",
        f"|---|{'---|' * len(given.table)}",
        *(
            f"| **{row + 1}** | {' | '.join('×' if row in seen else ' ' for seen in given.table)} |"
            for row in range(given.maps)
        ),
    ]
    return (
        f"Kernels are {shape_text((given.kernel_size,) * 2)}. Each output map has "
        f"{shape_text((given.size,) * 2)} places.\n\n" + "\n".join(lines)
    )


def _partial(dice: Dice) -> Facts:
    maps = dice.roll(4, 5)
    start, threes, fours = dice.roll(0, maps - 1), dice.roll(2, maps), dice.roll(1, 3)

    def neighbours(count: int, width: int) -> list[tuple[int, ...]]:
        firsts = range(start, start + count)
        return [tuple(sorted((first + step) % maps for step in range(width))) for first in firsts]

    table = (*neighbours(threes, maps - 2), *neighbours(fours, maps - 1), tuple(range(maps)))
    return {"table": table, "maps": maps, "kernel_size": dice.pick((3, 5)), "size": dice.roll(6, 14)}


def _without_size(facts: Facts) -> Facts:
    return {name: value for name, value in facts.items() if name != "size"}


def _alexnet(dice: Dice) -> Facts:
    channels = 8 * dice.roll(4, 15)
    return {
        "layer": {"kernel_size": 5, "channels": channels, "filters": 8 * dice.roll(6, 30)},
        "towers": dice.pick((2, 4)),
    }


def _towers(asked: Asked) -> str:
    first, layer = asked.smallest_input, asked.layer
    return (
        f"**Layer 1** has {shape_text((first.kernel_size,) * 2)} kernels, stride {first.stride} and "
        f"no padding. "
        f"Its maps are {first.outputs} high and wide.\n\n"
        f"**Layer 2** has {layer['filters']} filters of {shape_text((layer['kernel_size'],) * 2)} over "
        f"{layer['channels']} maps, with biases. Build it in one piece, and in **{asked.towers} "
        f"towers**, each "
        "with its own share of the maps and of the filters."
    )


def _meeting(dice: Dice) -> Facts:
    return {
        "map_shape": (dice.roll(4, 6), dice.roll(7, 9), 4 * dice.roll(4, 12)),
        "units": 10 * dice.roll(4, 15),
        "factor": dice.roll(2, 3),
    }


def _map_and_units(facts: Facts) -> Facts:
    return {name: facts[name] for name in ("map_shape", "units")}


def _stack(dice: Dice) -> Facts:
    before = 4 * dice.roll(4, 16)
    return {"kernel_size": 3, "depth": dice.roll(3, 6), "before": before, "channels": 2 * before}


def _stack_text(asked: Asked) -> str:
    return (
        f"A block of **{asked.depth} layers of 3×3**, stride 1, on {asked.before} feature maps. Each of the "
        f"layers has {asked.channels} filters. The rival is a **single layer** with {asked.channels} filters "
        "whose units see just as much of the input."
    )


def _lenet(dice: Dice) -> Facts:
    side = 4 * dice.roll(6, 10)
    return {
        "input_shape": (side, side + 4 * dice.roll(1, 4), dice.pick((1, 3))),
        "blocks": (
            (dice.roll(4, 10), 5, dice.pick(("same", "valid"))),
            (dice.roll(12, 24), dice.pick((3, 5)), dice.pick(("same", "valid"))),
        ),
        "units": (10 * dice.roll(6, 15), dice.roll(5, 12)),
    }


def _varied(dice: Dice) -> Facts:
    """A network in which the three bills fall due in other places than in LeNet, now and then."""
    side = 4 * dice.roll(6, 12)
    blocks = [
        (dice.roll(4, 12), dice.pick((3, 5, 7)), "same"),
        (dice.roll(8, 48), dice.pick((3, 5)), dice.pick(("same", "valid"))),
        (dice.roll(16, 96), 3, dice.pick(("same", "valid"))),
    ]
    units = ((10 * dice.roll(2, 12),), ())[dice.roll(0, 1)]
    return {
        "input_shape": (side, side + 4 * dice.roll(1, 4), dice.pick((1, 3, 6))),
        "blocks": tuple(blocks[: dice.roll(2, 3)]),
        "units": (*units, dice.roll(5, 12)),
    }


def _two_varied(dice: Dice) -> Facts:
    return {"first": _varied(dice), "second": _varied(dice)}


def _plan(network: Facts) -> str:
    """The layers of a network, without any count."""
    blocks, units = iter(network["blocks"]), iter(network["units"])
    lines = [f"Input: {shape_text(network['input_shape'])}", ""]
    for number, bill in enumerate(lenet_like(**network), 1):
        what = {"MaxPooling2D": "2×2, stride 2"}.get(bill.layer, "")
        if bill.layer == "Conv2D":
            filters, kernel, padding = next(blocks)
            what = f"{filters} filters of {kernel}×{kernel}, padding {padding}"
        elif bill.layer == "Dense":
            what = f"{next(units)} units"
        lines.append(f"{number}  {bill.layer:<14}{what}".rstrip())
    return "```text\n" + "\n".join(lines) + "\n```"


def _plans(asked: Asked) -> str:
    return (
        f"For `most_parameters` and `most_values`:\n\n{_plan(asked.first)}\n\n"
        f"For `most_macs`:\n\n{_plan(asked.second)}"
    )


def _same_lenet(facts: Facts) -> Facts:
    return {name: facts[name] for name in ("input_shape", "blocks", "units")}


def _its_maps(facts: Facts) -> Facts:
    return {name: facts[name] for name in ("input_shape", "blocks")}


def _with_rows(dice: Dice) -> Facts:
    facts = _lenet(dice)
    layers = _layers(facts)
    return {**facts, "layers": layers, "rows": trace(facts["input_shape"], layers)}


def _its_units(facts: Facts) -> Facts:
    rows = facts["rows"]
    return {"parameters": rows[5].parameters, "map_shape": rows[3].output}


def _layers(facts: Facts) -> tuple[AnyLayer, ...]:
    """The layers of a network of LeNet's kind, for a table or a model."""
    layers: list[AnyLayer] = []
    for filters, kernel_size, padding in facts["blocks"]:
        layers += [Conv(filters, kernel_size, padding=padding), Pool(2)]
    return (*layers, Flatten(), *(Dense(units) for units in facts["units"]))


def _summary(asked: Asked) -> str:
    (_, first, pad_1), (_, second, pad_2) = asked.blocks
    hidden = {(4, 2), (5, 2), (6, 2), (7, 3), (0, 3)}
    return (
        f"A Keras model for images of {shape_text(asked.input_shape)}. Layer 1 has {first}×{first} kernels "
        f"and padding {pad_1}, layer 3 has {second}×{second} kernels and padding {pad_2}; poolings "
        f"are 2×2.\n\n"
        f"```text\n{Summary(asked.input_shape, asked.layers, hidden)}\n```"
    )


def _training(dice: Dice) -> Facts:
    parameters, activations = 10_000 * dice.roll(50, 250), 10_000 * dice.roll(4, 12)
    return {
        "parameters": parameters,
        "activations": activations,
        "batch": dice.pick((16, 32, 48, 64)),
        "memory": 2 ** dice.roll(6, 8),
    }


def _training_text(asked: Asked) -> str:
    return (
        f"A network has **{asked.parameters:,} parameters** and makes **{asked.activations:,} "
        f"activations** for "
        "one image. It is trained in float32 (4 bytes a number) by gradient descent with momentum.\n\n"
        "| | asked |\n|---|---|\n"
        f"| `kept_values` | how many *numbers* (not bytes) are in memory with batches of {asked.batch} |\n"
        f"| `largest_batch` | the most images in a batch that fit into {asked.memory} MiB |\n"
        "| `break_even` | the smallest batch whose activations are more numbers than all that does "
        "not depend on "
        "the batch |"
    )


def _chosen(*names: str) -> Any:
    return lambda facts: {name: facts[name] for name in names}


def _notes(dice: Dice) -> Facts:
    """A classmate's notes on the first layers of a network: five claims, one of them a registered mistake."""
    kernel, filters, size = dice.pick((5, 7)), 4 * dice.roll(3, 8), 8 * dice.roll(6, 12)
    first = {
        "input_shape": (size, size, 3),
        "kernel_size": kernel,
        "filters": filters,
        "strides": 2,
        "padding": kernel // 2,
    }
    half = size // 2
    second = {
        "input_shape": (half // 2, half // 2, filters),
        "kernel_size": 3,
        "filters": 2 * filters,
        "strides": 1,
        "padding": 1,
    }
    tasks = (
        Task("output_size", size=size, kernel_size=kernel, stride=2, padding=kernel // 2),
        Task("conv_macs", **first),
        Task("output_size", size=half, kernel_size=2, stride=2),
        Task("conv_macs", **second),
        Task("conv_values", **second),
    )
    number, slip = dice.pick(
        (
            (2, "left-out-the-input-channels"),
            (2, "left-out-the-filters"),
            (2, "at-every-input-place"),
            (4, "left-out-the-input-channels"),
            (4, "weights-for-work"),
        )
    )
    return {
        **with_slip(tasks, number, slip),
        "size": size,
        "kernel": kernel,
        "filters": filters,
    }


def _written_notes(asked: Asked) -> str:
    size, first, pooled, second, values = (line.claim for line in asked.lines)
    return f"""An image of {asked.size}×{asked.size}×3. Layer 1 has {asked.filters} filters of \
{asked.kernel}×{asked.kernel}, stride 2, padding {asked.kernel // 2}. \
Then comes 2×2 max pooling with stride 2. \
Layer 2 has {2 * asked.filters} filters of 3×3, stride 1, padding 1.

> 1. The maps of layer 1 are {size} high and as wide.
> 2. Layer 1 takes {first:,} multiply–accumulates.
> 3. Pooling leaves maps {pooled} high and as wide.
> 4. Layer 2 takes {second:,} multiply–accumulates.
> 5. Layer 2 makes {values:,} values."""


def _model(dice: Dice) -> Facts:
    kernel = dice.pick((3, 5))
    facts: dict[str, Any] = {
        "input_shape": (4 * dice.roll(6, 9), 4 * dice.roll(6, 9), dice.pick((1, 3))),
        "blocks": ((dice.roll(5, 10), kernel, "same"), (2 * dice.roll(5, 9), 8 - kernel, "valid")),
        "units": (dice.roll(6, 14),),
    }
    layers = _layers(facts)
    return {**facts, "layers": layers, "rows": trace(facts["input_shape"], layers)}


def _model_table(asked: Asked) -> str:
    return model_table(asked.input_shape, asked.rows)


def _broken(dice: Dice) -> Facts:
    """A small AlexNet, as it should be."""
    outputs, filters, towers = 2 * dice.roll(9, 13) + 1, 8 * dice.roll(2, 4), dice.pick((2, 4))
    more, units = 8 * dice.roll(5, 8), 10 * dice.roll(3, 8)
    input_shape = (transposed_size(outputs, 11, 4),) * 2 + (3,)
    layers = (
        Conv2D(filters, 11, strides=4),
        MaxPooling2D(3, 2),
        Conv2D(more, 5, padding="same", groups=towers),
        MaxPooling2D(3, 2),
        Flatten(),
        Dense(units),
    )
    return {
        "input_shape": input_shape,
        "filters": filters,
        "more": more,
        "towers": towers,
        "units": units,
        "layers": layers,
        "rows": trace(input_shape, layers),
        "faulty_pool": dice.pick((1, 2)),
    }


def broken_code(asked: Asked) -> str:
    """The network as it was handed in: layer 1 without its stride, one pooling with another, no towers."""
    first, second = ("3" if asked.faulty_pool == number else "3, strides=2" for number in (1, 2))
    return f"""broken = keras.Sequential(
    [
        keras.Input(shape={asked.input_shape}),
        keras.layers.Conv2D({asked.filters}, 11),
        keras.layers.MaxPooling2D({first}),
        keras.layers.Conv2D({asked.more}, 5, padding="same"),
        keras.layers.MaxPooling2D({second}),
        keras.layers.Flatten(),
        keras.layers.Dense({asked.units}),
    ]
)"""


def _mending(asked: Asked) -> str:
    return (
        f"What it should be, with layer 3 in **{asked.towers} towers** (groups):\n\n"
        f"{model_table(asked.input_shape, asked.rows)}\n\nWhat was handed in:\n\n"
        f"```python\n{broken_code(asked)}\n```"
    )


# --- The questions ------------------------------------------------------------------------------------

_LAYER = "work out the four bills of a layer"
_NETWORK = "tell where the bills of a network fall due"

ASSIGNMENT = Assignment(
    "09-architectures",
    "Classic architectures",
    (
        Question(
            "four-bills",
            "Four bills",
            _LAYER,
            2,
            "calculate",
            (
                Part("bill_parameters", "conv_parameters", 1, _its_filters),
                Part("bill_macs", "conv_macs", 1, _its_work, bounds=(50_000, 9_999_999)),
                Part("bill_values", "conv_values", 1, _its_work, bounds=(1_000, 30_000)),
                Part("bill_connections", "conv_connections", 1, _its_work),
            ),
            facts=_one_layer,
            shown=_bill_of,
        ),
        Question(
            "who-sees-whom",
            "Who sees whom",
            "count a layer with missing kernels",
            2,
            "calculate",
            (
                Part("c_parameters", "partial_parameters", 1, _without_size, bounds=(100, 1_500)),
                Part("c_connections", "partial_connections", 1, dict, bounds=(5_000, 250_000)),
            ),
            facts=_partial,
            shown=_crosses,
        ),
        Question(
            "two-towers",
            "Two towers",
            "size and count the layers of AlexNet",
            2,
            "calculate",
            (
                Part("smallest_input", "needed_input", 1, bounds=(50, 320)),
                Part("one_piece", "conv_parameters", 1, lambda facts: facts["layer"]),
                Part(
                    "in_towers",
                    "tower_parameters",
                    1,
                    lambda facts: {**facts["layer"], "towers": facts["towers"]},
                ),
            ),
            facts=_alexnet,
            shown=_towers,
        ),
        Question(
            "maps-meet-units",
            "Where maps meet units",
            "count the first dense layer, and shrink it",
            2,
            "calculate",
            (
                Part("dense_flat", "dense_of_map", 1, _map_and_units),
                Part("dense_larger", "dense_of_larger_map", 1, dict),
                Part("dense_averaged", "dense_of_averages", 1, _map_and_units),
            ),
            facts=_meeting,
            shown="The last maps are **{map_shape}** (height × width × channels), the dense layer behind "
            "them has **{units} units**. For `dense_larger`, the image is {factor} times as high and "
            "wide, and so are the maps.",
        ),
        Question(
            "small-kernels",
            "Why 3×3?",
            "compare a stack of small kernels with a large one",
            2,
            "calculate",
            (
                Part("one_kernel", "equal_kernel", 1, _chosen("kernel_size", "depth")),
                Part("small_weights", "stack_weights", 1, dict),
                Part("large_weights", "single_weights", 1, dict),
            ),
            facts=_stack,
            shown=_stack_text,
        ),
        Question(
            "where-bills-fall-due",
            "Where the bills fall due",
            _NETWORK,
            2,
            "predict",
            tuple(
                Part(
                    f"most_{bill}",
                    "dearest_layer",
                    1,
                    lambda facts, bill=bill, which=which: {**facts[which], "bill": bill},  # type: ignore[misc]
                )
                for bill, which in (("parameters", "first"), ("values", "first"), ("macs", "second"))
            ),
            facts=_two_varied,
            shown=_plans,
        ),
        Question(
            "read-the-summary",
            "Read a summary",
            "fill the gaps of a summary",
            3,
            "read a summary",
            (
                Part("pooled_maps", "last_map", 1, _its_maps),
                Part("hidden_units", "units_from_count", 1, _its_units),
                Part("total", "network_total", 1, _same_lenet),
            ),
            facts=_with_rows,
            shown=_summary,
        ),
        Question(
            "what-training-keeps",
            "What training keeps",
            "estimate how large a batch fits into a memory",
            3,
            "calculate",
            (
                Part("kept_values", "training_values", 1, _chosen("parameters", "activations", "batch")),
                Part(
                    "largest_batch",
                    "largest_batch",
                    1,
                    _chosen("memory", "parameters", "activations"),
                    bounds=(5, 999),
                ),
                Part("break_even", "break_even", 1, _chosen("parameters", "activations")),
            ),
            facts=_training,
            shown=_training_text,
        ),
        Question(
            "find-the-slip",
            "Find the slip",
            _LAYER,
            2,
            "find the slip",
            (
                Part("slip_line", "first_slip", 1, _chosen("lines"), slips=0),
                Part("right_number", "conv_macs", 1, lambda facts: facts["slip"]),
            ),
            facts=_notes,
            shown=_written_notes,
        ),
        Question(
            "write-layer-bills",
            "Three bills at once",
            "write the rule as code",
            2,
            "write the function",
            (Work("layer_bills", 5, "layer_bills"),),
        ),
        Question(
            "build-a-lenet",
            "A LeNet of your own",
            "choose layers for given shapes and counts",
            2,
            "build a model",
            (Work("lenet", 3),),
            facts=_model,
            shown=_model_table,
        ),
        Question(
            "mend-an-alexnet",
            "Mend an AlexNet",
            "find out why a network is not what its table says",
            3,
            "repair",
            (Work("mended", 3),),
            facts=_broken,
            shown=_mending,
        ),
        Question(
            "explain-memory",
            "A letter about memory",
            "explain where memory and parameters go",
            3,
            "explain",
            by_hand=4,
        ),
    ),
)
