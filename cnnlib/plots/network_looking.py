"""A network at work on one picture: every map of every layer, and what it makes of them. Chapter 11."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from cnnlib.errors import ShapeError
from cnnlib.plots import style

#: The words in this figure; a translation replaces them.
WORDS = {"input": "input", "probability": "probability"}


@style.styled
def looking(outputs: Sequence[NDArray], shares: ArrayLike, names: Sequence[str]) -> Figure:
    """Draw what each layer makes of a picture, and the probability of each class.

    Args:
        outputs: (rows, columns, maps) of the input and of each layer; the last, of one cell, is not drawn.
        shares: the probability of each class.
        names: of the input and of the layers.

    Raises:
        ShapeError: not one name for each.
    """
    if len(names) != len(outputs):
        raise ShapeError(f"{len(names)} names for {len(outputs)} layers; give one for each")
    figure = style.new_figure(1.9 * math.ceil(len(outputs) / 3))
    panels = figure.subplots(math.ceil(len(outputs) / 3), 3).ravel()
    for axes, values, name in zip(panels, outputs[:-1], names[:-1], strict=False):
        rows, columns, maps = values.shape
        across = math.ceil(math.sqrt(maps))
        whole = np.full((math.ceil(maps / across) * (rows + 1) - 1, across * (columns + 1) - 1), np.nan)
        for c in range(maps):
            top, left = c // across * (rows + 1), c % across * (columns + 1)
            whole[top : top + rows, left : left + columns] = values[..., c]
        axes.imshow(whole, vmin=0, vmax=max(float(values.max()), 1e-9))
        axes.set_title(f"{WORDS['input'] if name == 'input' else name}: {rows}×{columns}×{maps}")
        style.bare(axes)
    bars, heights = panels[len(outputs) - 1], np.asarray(shares)
    bars.barh(np.arange(heights.size), heights, color=style.COLOURS["highlight"])
    bars.set_yticks(np.arange(heights.size))
    bars.invert_yaxis()
    bars.set_xlim(0, 1)
    bars.set_xlabel(WORDS["probability"])
    for axes in panels[len(outputs) :]:
        axes.set_visible(False)
    return figure
