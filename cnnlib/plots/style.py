"""One look for all figures: colours that colour-blind readers can tell apart, sizes for a phone.

Figures are at most :data:`WIDTH` inches wide with text of at least 10 points, so that they can still
be read when a phone shrinks them to half, and opaque, so that they look the same in dark mode.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from cnnlib.errors import MissingExtraError

try:
    import matplotlib
    from cycler import cycler
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ImportError:
    raise MissingExtraError("Matplotlib", "plots") from None

P = ParamSpec("P")
T = TypeVar("T")

#: The widest figure, in inches.
WIDTH = 5.6

#: What a colour stands for, in every figure (the palette of Okabe and Ito, 2008).
COLOURS = {
    "input": "#56B4E9",
    "kernel": "#E69F00",
    "output": "#009E73",
    "padding": "#BBBBBB",
    "highlight": "#D55E00",
    "second": "#CC79A7",
    "third": "#0072B2",
    "ink": "#222222",
    "faint": "#DDDDDD",
    "paper": "#FFFFFF",
}

#: The Matplotlib settings behind it.
SETTINGS: Any = {
    "figure.facecolor": COLOURS["paper"],
    "savefig.facecolor": COLOURS["paper"],
    "figure.dpi": 100,
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "axes.edgecolor": COLOURS["ink"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(
        color=[COLOURS[c] for c in ("third", "highlight", "output", "kernel", "second", "input")]
    ),
    "lines.linewidth": 1.8,
    "image.cmap": "gray",
    "image.interpolation": "nearest",
    "legend.frameon": False,
    "svg.hashsalt": "cnnlib",  # the same figure gives the same file
    "svg.fonttype": "path",
}


def use() -> None:
    """Set the style for a notebook: the course's look for every figure, drawn as SVG."""
    matplotlib.rcParams.update(SETTINGS)
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # outside a notebook there is nothing to display in
        return
    set_matplotlib_formats("svg")


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """Let a drawing function draw in the course's style, whatever the settings around it."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> T:
        with matplotlib.rc_context(SETTINGS):
            return draw(*args, **kwargs)

    return drawn


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure of ``width`` x ``height`` inches; add axes with ``figure.subplots(...)``.

    It is not known to pyplot, so that a notebook shows it once: where a cell returns it.
    """
    return Figure(figsize=(width, height), layout="constrained")


def bare(axes: Axes) -> Axes:
    """Take ticks and frame away, for pictures and drawings."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes
