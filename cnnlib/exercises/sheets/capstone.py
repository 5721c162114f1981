"""Assignment 10: design a network under a budget, train it, and defend it."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnlib.exercises.budgets import Budget, Exam, last_field
from cnnlib.exercises.dice import Dice
from cnnlib.exercises.kinds.solutions import with_slip
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
from cnnlib.layers import Conv2D, Dense, Flatten
from cnnlib.network import Input, Sequential

# --- How the numbers are drawn, and how they are shown ------------------------------------------------


def _chosen(*names: str) -> Any:
    return lambda facts: {name: facts[name] for name in names}


def _reduction(dice: Dice) -> Facts:
    reduced = 4 * dice.roll(2, 8)
    return {
        "kernel_size": dice.pick((3, 5)),
        "channels": reduced * dice.roll(3, 6),
        "reduced": reduced,
        "filters": 8 * dice.roll(4, 16),
    }


def _direct(facts: Facts) -> Facts:
    return {**_chosen("kernel_size", "channels", "filters")(facts), "use_bias": False}


def _reduction_text(asked: Asked) -> str:
    a = asked.behind_reduction
    return (
        f"{a.filters} filters of {a.kernel_size}×{a.kernel_size} on {a.channels} feature maps: once "
        f"directly, "
        f"and once behind a reduction by {a.reduced} filters of 1×1."
    )


def _residual(dice: Dice) -> Facts:
    channels = 4 * dice.roll(4, 16)
    return {"channels": channels, "filters": 2 * channels}


def _residual_text(asked: Asked) -> str:
    a = asked.widening
    return (
        "```text\n"
        "x ──┬── 3×3 conv ── ReLU ── 3×3 conv ──(+)── ReLU ──\n"
        "    └───────────── shortcut ────────────┘\n"
        "```\n\n"
        "| | channels of x | filters of both 3×3 convolutions |\n|---|---|---|\n"
        f"| `keeping` | {a.channels} | {a.channels} |\n| `widening` | {a.channels} | {a.filters} |"
    )


def _folding(dice: Dice) -> Facts:
    return {
        "weight": dice.roll(2, 9),
        "bias": dice.pick((-4, -3, -2, 2, 3, 4, 5)),
        "scale": dice.roll(2, 7),
        "shift": dice.pick((-3, -2, -1, 1, 2, 3)),
        "mean": dice.pick((-5, -4, -3, -2, 2, 3, 4, 5)),
        "variance": dice.pick((4, 16)),
    }


def _folding_text(asked: Asked) -> str:
    a = asked.facts
    return (
        "| weight w | bias b | γ | β | running mean μ | running variance and ε, σ² + ε "
        "|\n|---|---|---|---|---|---|\n"
        f"| {a['weight']} | {number_text(a['bias'])} | {a['scale']} | {number_text(a['shift'])} | "
        f"{number_text(a['mean'])} | {a['variance']} |"
    )


def _insides(dice: Dice) -> Facts:
    def rows(low: int, high: int) -> tuple[tuple[int, int], ...]:
        return tuple((dice.roll(low, high), dice.roll(low, high)) for _ in range(2))

    def with_mean(mean: int) -> tuple[int, int, int, int]:
        """Slopes whose mean is whole, so that it is easy to work with."""
        first, second, third = (mean + dice.roll(-4, 4) for _ in range(3))
        return first, second, third, 4 * mean - first - second - third

    columns = with_mean(dice.roll(1, 3)), with_mean(dice.roll(-3, -1))
    slopes = np.moveaxis(np.reshape(columns, (2, 2, 2)), 0, -1)
    return {
        "features": (*rows(0, 4), *rows(0, 4))[:3],
        "maps": tuple(rows(0, 6) for _ in range(2)),
        "slopes": tuple(tuple(tuple(map(int, entry)) for entry in row) for row in slopes),
    }


def _insides_text(asked: Asked) -> str:
    a = asked.cam
    maps = [[[row[x][c] for x in range(2)] for row in a.maps] for c in range(2)]
    slopes = [[[row[x][c] for x in range(2)] for row in a.slopes] for c in range(2)]
    return (
        "For `gram`, the activations of two channels (columns) at three places (rows):\n\n"
        f"```text\n{rows_text(asked.gram.features)}\n```\n\n"
        "For `cam`, two feature maps of 2×2 places, and below each the slopes of the class's score by its "
        f"values:\n\n```text\n{rows_text(*maps)}\n\n{rows_text(*slopes)}\n```"
    )


def _draft(dice: Dice) -> Facts:
    first = dice.roll(4, 8)
    plan = (
        (first, dice.pick((3, 5)), 2),
        (first + 2 * dice.roll(2, 4), dice.pick((3, 5)), 1),
        (first + 2 * dice.roll(5, 8), 3, 2),
    )
    return {
        "input_shape": (dice.roll(28, 36), dice.roll(28, 36), dice.pick((1, 3))),
        "plan": plan[: dice.roll(2, 3)],
        "classes": dice.roll(4, 10),
    }


def _plan_lines(plan: Any) -> str:
    return "\n".join(
        f"| {number} | {filters} | {kernel}×{kernel} | {stride} |"
        for number, (filters, kernel, stride) in enumerate(plan, 1)
    )


def _draft_text(asked: Asked) -> str:
    return (
        f"Input {shape_text(asked.input_shape)}, {asked.classes} classes.\n\n"
        "| convolution | filters | kernel | stride |\n|---|---|---|---|\n" + _plan_lines(asked.plan)
    )


def _limits_text(asked: Asked) -> str:
    lines = [
        "| | limit | kernel | channels before | last maps | classes |",
        "|---|---|---|---|---|---|",
    ]
    for name in ("most_a", "most_b"):
        a = getattr(asked, name)
        lines.append(
            f"| `{name}` | {a.limit:,} | {a.kernel_size}×{a.kernel_size} | {a.channels} | "
            f"{a.side}×{a.side} | "
            f"{a.classes} |"
        )
    return "\n".join(lines)


def _orders(dice: Dice) -> Facts:
    """The same three kernels, with the large stride at the beginning and at the end."""
    kernels, stride = tuple(dice.pick((3, 5, 7)) for _ in range(3)), dice.roll(2, 4)
    return {
        "kernels": kernels,
        "stride": stride,
        "early": tuple((8, kernel, stride if at == 0 else 1) for at, kernel in enumerate(kernels)),
        "late": tuple((8, kernel, stride if at == 1 else 1) for at, kernel in enumerate(kernels)),
    }


def _orders_text(asked: Asked) -> str:
    kernels = ", ".join(f"{kernel}×{kernel}" for kernel in asked.kernels)
    return (
        f"Three convolutions with kernels {kernels}, in this order. One of them has stride "
        f"{asked.stride}: the "
        "first in `field_early`, the second in `field_late`; the other two have stride 1."
    )


def _notes(dice: Dice) -> Facts:
    """A classmate's notes on a draft: five claims, one of them a registered mistake."""
    first, second, kernel = dice.roll(5, 9), dice.roll(12, 20), dice.pick((3, 5, 7))
    size, classes, before = dice.roll(28, 40), dice.roll(4, 9), dice.pick((3, 4))
    plan = ((first, kernel, 2), (second, 3, 2))
    one = {"kernel_size": kernel, "channels": before, "filters": first}
    two = {"kernel_size": 3, "channels": first, "filters": second}
    tasks = (
        Task("output_size", size=size, kernel_size=kernel, stride=2),
        Task("conv_parameters", **one),
        Task("conv_parameters", **two),
        Task("draft_field", plan=plan),
        Task("draft_parameters", input_shape=(size, size, before), plan=plan, classes=classes),
    )
    number, slip = dice.pick(
        (
            (2, "left-out-the-biases"),
            (2, "left-out-the-input-channels"),
            (3, "left-out-the-input-channels"),
            (3, "one-bias-for-all"),
            (3, "channels-and-filters-exchanged"),
        )
    )
    return {
        **with_slip(tasks, number, slip),
        "input_shape": (size, size, before),
        "plan": plan,
        "classes": classes,
    }


def _notes_text(asked: Asked) -> str:
    size, one, two, field, total = (line.claim for line in asked.lines)
    return (
        f"{_draft_text(asked)}\n\n"
        f"> 1. The maps of convolution 1 are {size} high and as wide.\n"
        f"> 2. Convolution 1 has {one:,} parameters.\n"
        f"> 3. Convolution 2 has {two:,} parameters.\n"
        f"> 4. A unit of the last maps sees {field}×{field} pixels.\n"
        f"> 5. Together with the dense layer the network has {total:,} parameters."
    )


def _rounded_up(number: float, step: int) -> int:
    return int(-(-number // step) * step)


def _commission(dice: Dice) -> Facts:
    """A budget that a simple network keeps, with some room to spare."""
    chosen: list[int] = []
    while len(chosen) < 6:
        digit = dice.roll(0, 9)
        chosen += [] if digit in chosen else [digit]
    classes, side = tuple(sorted(chosen)), 2 * dice.roll(12, 15)
    simple = reference(side, len(classes)).summary()
    room = 1 + dice.roll(1, 5) / 20
    budget = Budget(
        classes,
        side,
        parameters=_rounded_up(simple.parameters * room, 100),
        macs=_rounded_up((simple.macs or 0) * room, 1_000),
        field=last_field(simple) - dice.roll(0, 2),
    )
    return {
        "budget": budget,
        "input_shape": budget.input_shape,
        "watched": Exam(budget, "validation"),
        "exam": Exam(budget),
    }


def reference(side: int, classes: int) -> Sequential:
    """A simple network, by which budgets are drawn up.

    >>> reference(28, 6).count_params()
    4966
    """
    return Sequential(
        [
            Input((side, side, 1)),
            Conv2D(8, 5, strides=2, activation="relu"),
            Conv2D(16, 5, strides=2, activation="relu"),
            Flatten(),
            Dense(classes),
        ]
    )


def _commission_text(asked: Asked) -> str:
    budget = asked.budget
    listed = ", ".join(map(str, budget.classes))
    return (
        f"The network reads the digits **{listed}**, in images of {shape_text(budget.input_shape)}, "
        f"and gives a "
        f"score for each of the {len(budget.classes)} classes.\n\n"
        "| limit | |\n|---|---|\n"
        f"| parameters | at most **{budget.parameters:,}** |\n"
        f"| multiply–accumulates for an image | at most **{budget.macs:,}** |\n"
        f"| receptive field of the last maps | at least **{budget.field}×{budget.field}** |\n"
        f"| digits read, of those held back | {asked.exam.steps[0][0]:.0%} for half of the points, "
        f"{asked.exam.steps[-1][0]:.0%} for all |"
    )


# --- The questions ------------------------------------------------------------------------------------

_PRICE = "price the blocks of later networks"
_BUDGET = "keep a draft within a budget"

ASSIGNMENT = Assignment(
    "10-capstone",
    "A network of your own",
    (
        Question(
            "behind-a-reduction",
            "Behind a reduction",
            _PRICE,
            1,
            "calculate",
            (
                Part("direct", "conv_parameters", 1, _direct),
                Part("behind_reduction", "reduced_weights", 1, dict),
            ),
            facts=_reduction,
            shown=_reduction_text,
        ),
        Question(
            "across-a-shortcut",
            "Across a shortcut",
            _PRICE,
            2,
            "calculate",
            (
                Part(
                    "keeping",
                    "residual_parameters",
                    1,
                    lambda facts: {"channels": facts["channels"], "filters": facts["channels"]},
                ),
                Part("widening", "residual_parameters", 1, dict),
            ),
            facts=_residual,
            shown=_residual_text,
        ),
        Question(
            "fold-it-away",
            "Fold it away",
            "fold a normalisation into a convolution",
            2,
            "calculate",
            (
                Part("folded_weight", "folded_weight", 1, _chosen("weight", "scale", "variance")),
                Part(
                    "folded_bias",
                    "folded_bias",
                    1,
                    _chosen("bias", "scale", "shift", "mean", "variance"),
                    bounds=(-40, 40),
                ),
            ),
            facts=_folding,
            shown=_folding_text,
        ),
        Question(
            "look-inside",
            "Look inside",
            "compute a Gram matrix and a Grad-CAM",
            2,
            "calculate",
            (
                Part("gram", "gram", 1, _chosen("features")),
                Part("cam", "cam", 2, _chosen("maps", "slopes")),
            ),
            facts=_insides,
            shown=_insides_text,
        ),
        Question(
            "draft-on-paper",
            "A draft on paper",
            _BUDGET,
            3,
            "calculate",
            (
                Part("draft_parameters", "draft_parameters", 1, dict, bounds=(1_000, 40_000)),
                Part("draft_macs", "draft_macs", 1, dict, bounds=(50_000, 3_000_000)),
                Part("draft_field", "draft_field", 1, _chosen("plan")),
            ),
            facts=_draft,
            shown=_draft_text,
        ),
        Question(
            "how-many-filters",
            "How many filters?",
            _BUDGET,
            2,
            "calculate",
            (
                Part("most_a", "most_filters", 1, bounds=(8, 120)),
                Part("most_b", "most_filters", 1, bounds=(8, 120)),
            ),
            shown=_limits_text,
        ),
        Question(
            "where-to-stride",
            "Where to put the stride",
            "predict what a stride does to the receptive field",
            2,
            "predict",
            (
                Part("field_early", "draft_field", 1, lambda facts: {"plan": facts["early"]}),
                Part("field_late", "draft_field", 1, lambda facts: {"plan": facts["late"]}),
            ),
            facts=_orders,
            shown=_orders_text,
        ),
        Question(
            "find-the-slip",
            "Find the slip",
            _BUDGET,
            2,
            "find the slip",
            (
                Part("slip_line", "first_slip", 1, _chosen("lines"), slips=0),
                Part("right_number", "conv_parameters", 1, lambda facts: facts["slip"]),
            ),
            facts=_notes,
            shown=_notes_text,
        ),
        Question(
            "write-draft-cost",
            "The bill of a draft",
            "write the bill of a network as code",
            3,
            "write the function",
            (Work("draft_cost", 5, "draft_cost"),),
        ),
        Question(
            "write-grad-cam",
            "Where it looks",
            "write Grad-CAM as code",
            1,
            "write the function",
            (Work("grad_cam", 2, "cam"),),
        ),
        Question(
            "design-and-train",
            "Design it, train it",
            "design and train a network under a budget",
            3,
            "build a model",
            (Work("network", 8),),
            facts=_commission,
            shown=_commission_text,
        ),
        Question(
            "defend-it",
            "Defend it",
            "defend a design by measurements",
            3,
            "explain",
            by_hand=8,
        ),
    ),
)
