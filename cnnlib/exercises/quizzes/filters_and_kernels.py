"""Chapter 5: channels, kernels, filters, and what they cost."""

from __future__ import annotations

from typing import Any

from cnnlib.exercises.dice import Dice
from cnnlib.exercises.quiz_data import Ask, Quiz


def _layer(dice: Dice) -> dict[str, Any]:
    return {"kernel_size": dice.pick((2, 3)), "channels": dice.roll(2, 5), "filters": 2 * dice.roll(1, 5)}


QUIZZES = (
    Quiz(
        "counting-parameters",
        "Counting parameters",
        Ask(
            "conv_parameters",
            "A convolution layer has {filters} filters with kernels of {kernel_size:square}. Its input has "
            "{channels} channels. How many parameters does the layer learn, biases counted?",
            roll=_layer,
            bounds=(20, 300),
        ),
    ),
)
