"""Assignment 8: how wrong a network is, what each layer hands back, and the steps that follow."""

from __future__ import annotations

from collections.abc import Sequence
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
from cnnlib.layers import BatchNormalization, Conv2D, Dense, Flatten, Layer, MaxPooling2D, ReLU

# --- How the numbers are drawn, and how they are shown ------------------------------------------------


def _fraction(task: Task) -> bool:
    """Whether an answer is well away from a whole number, which would have to be met exactly."""
    return bool(abs(task.answer - round(task.answer)) > 0.03)


def _chosen(*names: str) -> Any:
    return lambda facts: {name: facts[name] for name in names}


def _listed(numbers: Sequence[float]) -> str:
    return ", ".join(number_text(number) for number in numbers)


def _scores(dice: Dice) -> Facts:
    right = dice.roll(0, 2)
    return {
        "scores": tuple(dice.roll(-2, 4) for _ in range(3)),
        "right": right,
        "asked": (right + dice.roll(1, 2)) % 3,
    }


def _scores_text(asked: Asked) -> str:
    facts = asked.facts
    return (
        f"The scores of three classes (0, 1 and 2) are **{_listed(facts['scores'])}**. "
        f"The right class is **class {facts['right']}**.\n\n"
        "| | asked |\n|---|---|\n"
        "| `p_right` | the probability of the right class |\n"
        "| `loss` | the cross-entropy |\n"
        f"| `slope_right` | the slope of the loss by the score of class {facts['right']} |\n"
        f"| `slope_other` | the slope of the loss by the score of class {facts['asked']} |"
    )


def _dense(dice: Dice) -> Facts:
    def few(count: int) -> tuple[int, ...]:
        return tuple(dice.roll(-3, 4) for _ in range(count))

    return {"inputs": few(3), "weights": tuple(few(2) for _ in range(3)), "gradient": few(2)}


def _dense_text(asked: Asked) -> str:
    a = asked.dense_weights
    return (
        f"Inputs x = ({_listed(a.inputs)}). From above comes the gradient of the two outputs, "
        f"g = ({_listed(a.gradient)}). The weights, a row for each input and a column for each output:\n\n"
        f"```text\n{rows_text(a.weights)}\n```"
    )


def _row(dice: Dice) -> Facts:
    stride = dice.roll(1, 2)
    return {
        "signal": tuple(dice.roll(-2, 5) for _ in range(2 * stride + 2)),
        "kernel": (dice.roll(1, 3), dice.roll(-3, 3)),
        "gradient": tuple(dice.roll(-2, 3) for _ in range(3)),
        "stride": stride,
    }


def _row_text(asked: Asked) -> str:
    a = asked.kernel_slopes
    return (
        "| signal x | kernel w | stride | gradient g of the outputs |\n|---|---|---|---|\n"
        f"| {_listed(a.signal)} | {_listed(a.kernel)} | {a.stride} | {_listed(a.gradient)} |"
    )


def _block(dice: Dice) -> Facts:
    """A map of four windows, in one of which nothing is positive."""
    dead = dice.roll(0, 3)
    top, left = 2 * (dead // 2), 2 * (dead % 2)
    rows = [[dice.roll(-6, 7) for _ in range(4)] for _ in range(4)]
    for row in (top, top + 1):
        for column in (left, left + 1):
            rows[row][column] = -abs(rows[row][column]) - 1
    slopes = (dice.roll(1, 5), -dice.roll(1, 5), dice.roll(2, 6), -dice.roll(2, 6))
    return {"values": tuple(map(tuple, rows)), "gradient": (slopes[:2], slopes[2:])}


def _one_winner(task: Task) -> bool:
    """Whether no window has two largest values, so that nobody need know who wins a tie."""
    rows = task.given["values"]
    for top in (0, 2):
        for left in (0, 2):
            window = [rows[row][column] for row in (top, top + 1) for column in (left, left + 1)]
            if window.count(max(window)) > 1:
                return False
    return True


def _block_text(asked: Asked) -> str:
    a = asked.block_slopes
    return (
        "The feature map on the left, before the ReLU; on the right the gradient of the pooled values:\n\n"
        f"```text\n{rows_text(a.values, a.gradient, between='          ')}\n```"
    )


def _step(dice: Dice) -> dict[str, Any]:
    return {
        "weight": dice.roll(1, 8) + 0.5,
        "gradient": dice.pick((-4, -3, -2, 2, 3, 4, 5)),
        "velocity": dice.pick((-1.2, -0.8, -0.4, 0.4, 0.8, 1.2)),
        "rate": dice.pick((0.05, 0.1, 0.2)),
        "momentum": dice.pick((0.8, 0.9)),
    }


def _steps_text(asked: Asked) -> str:
    a, b = asked.new_weight, asked.steps
    return (
        "| | weight w | gradient | velocity v, before | learning rate η | momentum ρ |\n"
        "|---|---|---|---|---|---|\n"
        f"| `new_weight` | {a.weight:g} | {number_text(a.gradient)} | {number_text(a.velocity)} | "
        f"{a.rate:g} | "
        f"{a.momentum:g} |\n\n"
        "| | examples | batch | epochs |\n|---|---|---|---|\n"
        f"| `steps` | {b.examples:,} | {b.batch} | {b.epochs} |"
    )


def _even_scores(facts: Facts) -> Facts:
    """What a network that knows nothing says; which class is right does not matter."""
    return {"scores": (0,) * facts["classes"], "right": 0, "asked": 0}


def _channel(asked: Asked) -> str:
    held, first, second = asked.held, asked.first, asked.second
    return (
        f"In a batch, a channel holds the values **{_listed(held)}**. Its scale γ is {asked.scale}, "
        f"its shift β is "
        f"{number_text(asked.shift)}; ε is 0. What becomes of {number_text(held[first])} "
        f"(`normalised_a`), and "
        f"what of {number_text(held[second])} (`normalised_b`)?"
    )


def _held(dice: Dice) -> Facts:
    first = dice.roll(0, 3)
    return {
        "held": tuple(dice.roll(0, 12) for _ in range(4)),
        "first": first,
        "second": (first + dice.roll(1, 3)) % 4,
        "scale": dice.roll(2, 4),
        "shift": dice.pick((-3, -2, -1, 1, 2, 3)),
    }


def _value(which: str) -> Any:
    """One of the two values of a channel that are asked for."""
    return lambda facts: {**_chosen("held", "scale", "shift")(facts), "asked": facts[which]}


def _summary_blocks(dice: Dice) -> Facts:
    first, second = 2 * dice.roll(4, 12), 2 * dice.roll(6, 20)
    return {
        "first": {"kernel_size": dice.pick((3, 5)), "channels": dice.roll(3, 20), "filters": first},
        "second": {"kernel_size": 3, "channels": first, "filters": second},
    }


def _summary_text(asked: Asked) -> str:
    first, second = asked.first, asked.second
    layers: list[Layer] = []
    for block in (first, second):
        layers += [
            Conv2D(block["filters"], block["kernel_size"], padding="same", use_bias=False),
            BatchNormalization(),
            ReLU(),
        ]
    blanks = {(1, 3), (2, 3), (4, 3), (5, 3), (0, 3)}
    kernels = [f"{block['kernel_size']}×{block['kernel_size']}" for block in (first, second)]
    return (
        f"The input has {first['channels']} channels. Layer 1 has {kernels[0]} kernels, layer 4 has "
        f"{kernels[1]} kernels; both have `use_bias=False`.\n\n"
        f"```text\n{Summary((24, 24, first['channels']), tuple(layers), blanks)}\n```"
    )


def _notes(dice: Dice) -> Facts:
    """A classmate's notes on a training: five claims, one of them a registered mistake."""
    given = {
        "examples": 100 * dice.roll(20, 90) + 2 * dice.roll(5, 45) + 1,  # odd: no batch divides it
        "batch": dice.pick((32, 64, 128)),
        "epochs": dice.roll(5, 20),
    }
    block = {"kernel_size": 3, "channels": dice.roll(6, 16), "filters": 2 * dice.roll(6, 16)}
    tasks = (
        Task("updates", **{**given, "epochs": 1}),
        Task("updates", **given),
        Task("first_loss", classes=dice.roll(6, 40)),
        Task("block_trained", **block),
        Task("block_parameters", **block),
    )
    number, slip = dice.pick(
        (
            (1, "dropped-the-last-batch"),
            (1, "a-step-an-example"),
            (2, "rounded-at-the-end"),
            (2, "dropped-the-last-batch"),
            (2, "a-step-an-example"),
        )
    )
    return {
        **with_slip(tasks, number, slip),
        "classes": tasks[2].given["classes"],
        **given,
        **block,
    }


def _notes_text(asked: Asked) -> str:
    a = asked
    epoch, steps, loss, trained, kept = (line.claim for line in asked.lines)
    return f"""{a.examples:,} examples of {a.classes} classes, batches of {a.batch}, {a.epochs} epochs, \
softmax and cross-entropy.

> 1. An epoch takes {epoch:,} steps.
> 2. So the whole training takes {steps:,} steps.
> 3. Before the first step the loss is near {loss:.2f}.
> 4. A block of a 3×3 convolution without biases, {a.channels} → {a.filters} channels, and batch \
normalisation learns {trained:,} numbers.
> 5. Keras' summary counts {kept:,} parameters for the two layers."""


def _normalised_model(dice: Dice) -> Facts:
    size = 4 * dice.roll(5, 9)
    input_shape = (size, size + 4 * dice.roll(0, 3), dice.pick((1, 3)))
    layers = (
        Conv2D(2 * dice.roll(3, 9), dice.pick((3, 5)), padding="same", use_bias=False),
        BatchNormalization(),
        ReLU(),
        MaxPooling2D(2),
        Flatten(),
        Dense(dice.roll(5, 12)),
    )
    return {"input_shape": input_shape, "layers": layers, "rows": trace(input_shape, layers)}


def _model_text(asked: Asked) -> str:
    return model_table(asked.input_shape, asked.rows)


# --- The questions ------------------------------------------------------------------------------------

_BACK = "derive what a layer hands back"
_LOSS = "compute softmax, cross-entropy and their slope"
_CODE = "write a backward pass as code"

ASSIGNMENT = Assignment(
    "08-learning",
    "A network that learns",
    (
        Question(
            "scores-to-loss",
            "From scores to a loss",
            _LOSS,
            2,
            "calculate",
            (
                Part("p_right", "softmax_probability", 1, _chosen("scores", "right"), bounds=(0.04, 0.95)),
                Part("loss", "cross_entropy", 1, _chosen("scores", "right"), accept=_fraction),
                Part(
                    "slope_right",
                    "score_gradient",
                    1,
                    lambda facts: {**_chosen("scores", "right")(facts), "asked": facts["right"]},
                    accept=_fraction,
                ),
                Part("slope_other", "score_gradient", 1, dict, accept=_fraction),
            ),
            facts=_scores,
            shown=_scores_text,
        ),
        Question(
            "knowing-nothing",
            "Knowing nothing",
            "predict the first loss",
            1,
            "predict",
            (
                Part("first_loss", "first_loss", 1, _chosen("classes"), accept=_fraction),
                Part("first_slope", "score_gradient", 1, _even_scores, bounds=(-0.965, -0.7)),
            ),
            facts=lambda dice: {"classes": dice.roll(5, 28)},
            shown="A new network judges **{classes} classes**, equally frequent. All get the same score.",
        ),
        Question(
            "dense-back",
            "Back through a dense layer",
            _BACK,
            2,
            "calculate",
            (
                Part("dense_weights", "dense_weight_gradient", 1, dict, bounds=(-16, 16)),
                Part("dense_inputs", "dense_input_gradient", 1, dict, bounds=(-30, 30)),
            ),
            facts=_dense,
            shown=_dense_text,
        ),
        Question(
            "row-back",
            "Back through a convolution",
            _BACK,
            3,
            "calculate",
            (
                Part("kernel_slopes", "kernel_gradient", 1, dict, bounds=(-40, 40)),
                Part("signal_slopes", "signal_gradient", 1, dict, bounds=(-20, 20)),
            ),
            facts=_row,
            shown=_row_text,
        ),
        Question(
            "block-back",
            "Back through pooling and ReLU",
            "tell who hears anything on the way back",
            2,
            "predict",
            (
                Part("learners", "learning_places", 1, _chosen("values")),
                Part("block_slopes", "block_gradient", 2, dict, accept=_one_winner),
            ),
            facts=_block,
            shown=_block_text,
        ),
        Question(
            "take-a-step",
            "Take a step",
            "compute a step with momentum, and count steps",
            2,
            "calculate",
            (
                Part("new_weight", "momentum_step", 1, roll=_step, accept=_fraction, bounds=(0.05, 12)),
                Part("steps", "updates", 1, bounds=(50, 6_000)),
            ),
            shown=_steps_text,
        ),
        Question(
            "normalise",
            "Normalise",
            "normalise a channel",
            2,
            "calculate",
            (
                Part("normalised_a", "normalised_value", 1, _value("first"), accept=_fraction),
                Part("normalised_b", "normalised_value", 1, _value("second"), accept=_fraction),
            ),
            facts=_held,
            shown=_channel,
        ),
        Question(
            "read-the-summary",
            "Read a summary",
            "count what a block learns",
            2,
            "read a summary",
            (
                Part("trainable", "block_trained", 1, lambda facts: facts["first"]),
                Part("all_parameters", "block_parameters", 1, lambda facts: facts["second"]),
            ),
            facts=_summary_blocks,
            shown=_summary_text,
        ),
        Question(
            "find-the-slip",
            "Find the slip",
            "check the numbers of a training",
            2,
            "find the slip",
            (
                Part("slip_line", "first_slip", 1, _chosen("lines"), slips=0),
                Part("right_number", "updates", 1, lambda facts: facts["slip"], slips=1),
            ),
            facts=_notes,
            shown=_notes_text,
        ),
        Question(
            "write-mean-loss",
            "The loss of a batch",
            "write the loss as code",
            2,
            "write the function",
            (Work("mean_loss", 3, "mean_loss"),),
        ),
        Question(
            "write-max-pool-back",
            "Back through max pooling",
            _CODE,
            2,
            "write the function",
            (Work("max_pool_back", 2, "map_gradient"),),
        ),
        Question(
            "write-filter-gradient",
            "What a filter hears",
            _CODE,
            3,
            "write the function",
            (Work("filter_gradient", 4, "filter_gradient"),),
        ),
        Question(
            "mend-a-step",
            "Mend a training step",
            "find out why a training does not learn",
            3,
            "repair",
            (Work("training_step", 3, "training_step"),),
        ),
        Question(
            "build-a-block",
            "A network that is normalised",
            "choose layers for given shapes and counts",
            2,
            "build a model",
            (Work("normalised_network", 3),),
            facts=_normalised_model,
            shown=_model_text,
        ),
        Question(
            "explain-sharing",
            "A letter about sharing",
            "explain the backward pass of a convolution",
            3,
            "explain",
            by_hand=4,
        ),
    ),
)
