"""Pooling before and after a shift: what a printed page shows where the book has an explorer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cnnlib.errors import ShapeError, SizeError
from cnnlib.plots.microscope import laid_out
from cnnlib.plots.pieces import grid, outline
from cnnlib.plots.style import styled

#: Every word that a figure shows; a translation replaces the values.
WORDS = {
    "input": "input",
    "output": "output",
    "moved": "input, moved",
    "moved_output": "output; white: new",
    "gradient": "gradient of the input",
}

_Part: TypeAlias = tuple[tuple[int, ...], Callable[[Axes, float, float], None]]


@styled
def shift_and_pool(
    inputs: NDArray,
    outputs: NDArray,
    moved: NDArray,
    moved_outputs: NDArray,
    gradient: NDArray,
    window: tuple[int, int, int, int],
    place: tuple[int, int],
) -> Figure:
    """A picture and its pooled outputs, both again after a shift, and where gradients go.

    Args:
        inputs, moved, gradient: arrays (height, width).
        outputs, moved_outputs: arrays (output height, output width); those that changed are white.
        window: row, column, rows and columns of the framed window.
        place: row and column of its output.

    Raises:
        ShapeError: arrays that belong together differ in shape.
        SizeError: there is no such place.
    """
    if not (inputs.shape == moved.shape == gradient.shape and outputs.shape == moved_outputs.shape):
        raise ShapeError(
            f"inputs {inputs.shape}, moved {moved.shape} and gradient {gradient.shape} must have one shape, "
            f"and outputs {outputs.shape} and moved_outputs {moved_outputs.shape} another"
        )
    if not (0 <= place[0] < outputs.shape[0] and 0 <= place[1] < outputs.shape[1]):
        raise SizeError(f"place {place} does not lie inside outputs of {outputs.shape}")
    row, column, rows, columns = window

    def seen(values: NDArray, colour: str) -> _Part:
        def draw(axes: Axes, left: float, top: float) -> None:
            grid(axes, values.round(2), left, top, colour)
            outline(axes, left + column, top + row, columns, rows)

        return values.shape, draw

    def made(values: NDArray, same: NDArray) -> _Part:
        def draw(axes: Axes, left: float, top: float) -> None:
            for i, j in np.ndindex(values.shape):
                colour = "output" if same[i, j] else "paper"
                grid(axes, values[i : i + 1, j : j + 1].round(2), left + j, top + i, colour)
            outline(axes, left + place[1], top + place[0], 1, 1)

        return values.shape, draw

    parts = {
        "input": seen(inputs, "input"),
        "output": made(outputs, np.ones(outputs.shape, bool)),
        "moved": seen(moved, "input"),
        "moved_output": made(moved_outputs, outputs == moved_outputs),
        "gradient": seen(gradient, "kernel"),
    }
    return laid_out([(WORDS[name], *part) for name, part in parts.items()])
