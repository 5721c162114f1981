"""One step of a convolution with its numbers: what a printed page shows where the book has an explorer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from cnnlib.convolution import as_floats, conv, conv_backward
from cnnlib.errors import ShapeError, SizeError
from cnnlib.padding import amounts_for, pad
from cnnlib.plots.pieces import canvas, grid, outline
from cnnlib.plots.style import styled
from cnnlib.sizes import PerAxis, as_int, effective_kernel_size, per_axis, transposed_crops
from cnnlib.upsampling import conv_transpose

#: Every word that a figure shows; a translation replaces the values.
WORDS = {
    "input": "input",
    "padded": "padded input",
    "kernel": "kernel",
    "output": "output",
    "slopes": "gradient of the output",
    "gradient": "gradient of the input",
    "kernel_gradient": "gradient of the kernel",
}

#: Cells between two drawings, and for the title above one.
GAP, TITLE = 0.8, 0.75
#: The most cells side by side.
WIDEST = 24


@styled
def microscope(
    inputs: ArrayLike,
    kernel: ArrayLike,
    *,
    stride: PerAxis = 1,
    padding: str | int = "valid",
    pad_mode: str = "constant",
    pad_value: float = 0,
    dilation: int = 1,
    transposed: bool = False,
    backward: bool = False,
    place: int = 0,
) -> Figure:
    """The input with the window in it, the kernel, and the output; transposed, the window is in the output.

    Padded cells and those that are cut off are dashed.

    Args:
        inputs: array (m,) or (height, width).
        kernel: array of the same rank.
        stride, padding, pad_mode, pad_value, dilation: as in :func:`cnnlib.conv`.
        transposed: as :func:`cnnlib.conv_transpose` does it.
        backward: the gradients of input and kernel, as :func:`cnnlib.conv_backward` makes them where that of
            every output is 1.
        place: which step is framed, counted from 0 along the rows.

    Raises:
        ShapeError: ranks clash, or are neither 1 nor 2.
        SizeError: the kernel does not fit, there is no such place, or it is to be transposed and backward.
    """
    values, weights = as_floats(inputs, "inputs"), as_floats(kernel, "kernel")
    rank = values.ndim
    if rank not in (1, 2) or weights.ndim != rank:
        raise ShapeError(
            f"inputs of shape {values.shape} and a kernel of shape {weights.shape} cannot be drawn; "
            "they need one row each, or one picture each"
        )
    if transposed and backward:
        raise SizeError("backward is drawn of a convolution; leave transposed or backward out")
    x, k = values[None, ..., None], weights[..., None, None]
    if transposed:
        pairs = transposed_crops(weights.shape, stride, padding, dilation_rate=dilation)
        result = conv_transpose(x, k, stride, padding, dilation_rate=dilation)[0, ..., 0]
        whole = conv_transpose(x, k, stride, 0, 0, dilation)[0, ..., 0]
        whole = np.pad(whole, [(0, max(-after, 0)) for _, after in pairs])
        slid, placed, kept, title = whole, values, result.shape, "output"
    else:
        pairs = amounts_for(values.shape, weights.shape, stride, padding, dilation)
        placed = conv(x, k, stride, padding, dilation, pad_mode=pad_mode, pad_value=pad_value)[0, ..., 0]
        slid, kept = pad(x, pairs, pad_mode, pad_value)[0, ..., 0], values.shape
        title = "padded" if slid.shape != kept else "input"
    if backward:
        placed = np.ones_like(placed)
        slopes = placed[None, ..., None]
        around: dict[str, Any] = {"pad_mode": pad_mode, "pad_value": pad_value}
        found = conv_backward(slopes, x, k, stride, padding, dilation, **around)
        slid = np.pad(np.asarray(found.inputs)[0, ..., 0], pairs, constant_values=np.nan)
    at = as_int(place, "place", minimum=0)
    if at >= placed.size:
        raise SizeError(f"place {at} is none of the {placed.size} steps; use one below {placed.size}")

    inside = np.zeros(slid.shape, bool)
    inside[tuple(slice(before, before + n) for n, (before, _) in zip(kept, pairs, strict=True))] = True
    row, column = divmod(at, placed.shape[-1])
    steps = per_axis(stride, rank, "stride")
    spans = [effective_kernel_size(n, dilation) for n in np.atleast_2d(weights).shape]

    def window(axes: Axes, left: float, top: float) -> None:
        _two_kinds(axes, slid, inside, left, top, "output" if transposed else "input")
        outline(axes, left + column * steps[-1], top + row * steps[0], spans[1], spans[0] if rank == 2 else 1)

    def plain(axes: Axes, left: float, top: float) -> None:
        grid(axes, np.atleast_2d(placed), left, top, "input" if transposed else "output")
        outline(axes, left + column, top + row, 1, 1)

    def middle(axes: Axes, left: float, top: float) -> None:
        grid(axes, np.atleast_2d(weights), left, top, "kernel")

    def handed(axes: Axes, left: float, top: float) -> None:
        grid(axes, np.atleast_2d(np.asarray(found.kernel)[..., 0, 0]), left, top, "kernel")

    names = ("gradient", "slopes") if backward else (title, "input" if transposed else "output")
    parts = [
        (WORDS[names[0]], np.atleast_2d(slid).shape, window),
        (WORDS["kernel"], np.atleast_2d(weights).shape, middle),
        (WORDS[names[1]], np.atleast_2d(placed).shape, plain),
    ]
    if transposed or backward:
        parts.reverse()
    if backward:
        parts.append((WORDS["kernel_gradient"], np.atleast_2d(weights).shape, handed))
    return laid_out(parts)


def laid_out(parts: Sequence[tuple[str, tuple[int, ...], Callable[[Axes, float, float], None]]]) -> Figure:
    """Titled drawings beside one another, or below where a row is full: (title, shape, how it is drawn)."""
    places, left, top, lowest, right = [], 0.0, 0.0, 0.0, 0.0
    for _, (height, width), _ in parts:
        wide = max(width, 3.5)
        if left and left + wide > 13:
            left, top = 0.0, lowest + 0.4
        places.append((left, top + TITLE))
        left += wide + GAP
        lowest, right = max(lowest, top + TITLE + height), max(right, left - GAP)
    figure, axes = canvas(-0.15, right + 0.15, -0.05, lowest + 0.15)
    for (title, _, draw), (x, y) in zip(parts, places, strict=True):
        axes.text(x, y - 0.2, title, ha="left", va="bottom", size=10)
        draw(axes, x, y)
    return figure


def _two_kinds(axes: Axes, values: NDArray, inside: NDArray, left: float, top: float, colour: str) -> None:
    """Cells of one colour, and dashed grey ones around them."""
    rows, mask = np.atleast_2d(values), np.atleast_2d(inside)
    for i, j in np.ndindex(rows.shape):
        looks: dict[str, Any] = {} if mask[i, j] else {"linestyle": "--"}
        grid(
            axes, rows[i : i + 1, j : j + 1], left + j, top + i, colour if mask[i, j] else "padding", **looks
        )
