"""Pooling before and after a shift: what stays, what moves along, and where the gradient goes. Chapter 7.

Its numbers are those of :mod:`cnnlib.pooling`; its script repeats their rules, and a test holds the two
together in a browser, over hundreds of configurations.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.connections import shift as shifted
from cnnlib.errors import SizeError
from cnnlib.explorers.axes import OF_ROW, Axis, check_drawn, facts, slid
from cnnlib.explorers.base import Explorer, as_name, choice, factor, field, listed, number
from cnnlib.explorers.cells import cell, lines, numbers, panel, sliders, written
from cnnlib.explorers.form import FORM_WORDS, check, explored, form
from cnnlib.pooling import average_pool, average_pool_backward, max_pool, max_pool_backward
from cnnlib.sizes import as_int, shown

#: The words that a reader sees, in Python and in the script; a translation replaces the values.
WORDS = FORM_WORDS | {
    "label_title": "Pooling and a shift",
    "help": "Drag the orange window, or use the arrow keys here.",
    "input": "input",
    "output": "output",
    "moved": "input, moved by {shift}",
    "moved_output": "output of that; ≠ where it was another",
    "gradient": "gradient of the input",
    "label_kind": "pooling",
    "max": "maximum",
    "average": "average",
    "strided": "stride alone",
    "label_shift": "shift to the right",
    "label_ring": "what goes out comes in at the other end",
    "label_inputs": "input values",
    "label_pool_size": "window",
    "one": "Window {step} of {steps} covers {values} and gives {result}. After the shift it covers {moved} "
    "and gives {other}. Of all outputs {same} of {steps} stay as they were.",
    "sum_max": "max({listed}) = {result}",
    "sum_average": "({added}) / {count} = {result}",
    "sum_strided": "{result}, the first of its window",
    "too_far": "{n} columns cannot be shifted by {a}; shift by at most {n}",
    "no_shift": "Nothing is moved yet.",
    "along": "The outputs move along, by {places}: {same} of {count} are the old ones, moved.",
    "not_along": "A shift by {shift} is no multiple of the stride {s}: the outputs cannot move along.",
    "back_max": "Backward, with 1 for each output: the largest value of its window gets all of it, "
    "and {none} of {inputs} inputs get nothing.",
    "back_average": "Backward, with 1 for each output: each input of its window gets an equal share, "
    "and {none} of {inputs} inputs get nothing.",
    "back_strided": "Backward, with 1 for each output: the input that it took gets all of it, "
    "and {none} of {inputs} inputs get nothing.",
}

#: What stands for a window; a stride alone is a window of one.
KINDS = ("max", "average", "strided")
#: How windows may meet the edge: on padding alone nothing could be pooled.
EDGES = ("valid", "same")
#: The most cells along an axis that are drawn: of a row, and of a picture.
MOST = (24, 10)
#: How far the slider moves.
FARTHEST = 6


class ShiftAndPool(Explorer):
    """A row or picture of numbers and its pooled outputs, both again after a shift along the columns.

    Args:
        inputs: array (m,) or (height, width).
        pool_size: the side of the window.
        strides: how far it moves; None moves it by its own size.
        padding: ``valid`` or ``same``.
        kind: ``max``, ``average``, or ``strided``: of each window its first value, as a stride alone keeps.
        shift: columns to the right; negative, to the left.
        ring: what goes out at one end comes in at the other, in place of zeros.
        place: the window to start at, counted from 0.
        name: what links call this explorer; letters, digits and hyphens.

    Raises:
        ShapeError: not one row or one picture.
        SizeError: the window does not fit, or there is more than can be drawn.

    >>> explorer = ShiftAndPool([3, 1, 4, 1, 5, 9], 2, shift=1)
    >>> explorer.outputs, explorer.moved_outputs
    (array([[3., 4., 9.]]), array([[3., 4., 5.]]))
    """

    script, parts = "shift_and_pool", ("form", "sizes", "cells")
    words = WORDS

    def __init__(
        self,
        inputs: ArrayLike,
        pool_size: int = 2,
        *,
        strides: int | None = None,
        padding: str = "valid",
        kind: str = "max",
        shift: int = 0,
        ring: bool = False,
        place: int = 0,
        name: str | None = None,
    ) -> None:
        array = numbers(inputs, "inputs")
        self.rank, self.inputs = array.ndim, np.atleast_2d(array)
        self.pool_size = as_int(pool_size, "pool_size")
        self.strides = self.pool_size if strides is None else as_int(strides, "strides")
        if padding not in EDGES:
            raise SizeError(
                f"padding {shown(padding)} is unknown to pooling here; use one of {', '.join(EDGES)}"
            )
        if kind not in KINDS:
            raise SizeError(f"kind {shown(kind)} is unknown; use one of {', '.join(KINDS)}")
        self.padding, self.kind, self.ring = padding, kind, bool(ring)
        self.shift, self.name = as_int(shift, "shift", minimum=-MOST[0]), as_name(name)
        window = 1 if kind == "strided" else self.pool_size
        self._axes = [slid(axis, n, window, self.strides, padding) for axis, n in enumerate(array.shape)]
        for axis, (n, *_) in enumerate(self._axes):
            check_drawn(axis, n, MOST[self.rank - 1])
        if abs(self.shift) > (width := array.shape[-1]):
            raise SizeError(WORDS["too_far"].format(n=width, a=self.shift))
        self.place = as_int(place, "place", minimum=0)
        if self.place >= self.steps:
            raise SizeError(f"place {place} is none of the {self.steps} windows; use one below {self.steps}")

    @property
    def _both(self) -> tuple[Axis, Axis]:
        return (OF_ROW, self._axes[0]) if self.rank == 1 else (self._axes[0], self._axes[1])

    @property
    def steps(self) -> int:
        """How many windows there are."""
        return self._both[0].out * self._both[1].out

    @property
    def outputs(self) -> NDArray[np.floating]:
        """What the windows give, (height, width); a row is a picture of one row."""
        return self._pooled(self.inputs)

    @property
    def moved(self) -> NDArray[np.floating]:
        """The inputs after the shift, (height, width)."""
        mode = "circular" if self.ring else "constant"
        return shifted(self.inputs[None, ..., None], (0, self.shift), mode)[0, ..., 0]

    @property
    def moved_outputs(self) -> NDArray[np.floating]:
        """What the windows give after the shift."""
        return self._pooled(self.moved)

    @property
    def gradient(self) -> NDArray[np.floating]:
        """What each input gets where the gradient of every output is 1."""
        down, across = self._both
        back = average_pool_backward if self.kind == "average" else max_pool_backward
        ones = np.ones((1, down.out, across.out, 1))
        return back(ones, self.inputs[None, ..., None], *self._movement)[0, ..., 0]

    @property
    def _movement(self) -> tuple[tuple[int, int], tuple[int, int], list[tuple[int, int]]]:
        both = self._both
        return (both[0].k, both[1].k), (both[0].s, both[1].s), [(a.before, a.after) for a in both]

    def _pooled(self, values: NDArray) -> NDArray[np.floating]:
        pool = average_pool if self.kind == "average" else max_pool
        return pool(values[None, ..., None], *self._movement)[0, ..., 0]

    def __repr__(self) -> str:
        return self._regions()["say"]

    # --- one window, as the script writes it ---------------------------------------------------------------

    def _regions(self, place: int | None = None) -> dict[str, str]:
        """The HTML of each part at a place: ``panels``, ``sum``, ``say`` and ``facts``."""
        at = self.place if place is None else place
        row, column = divmod(at, self._both[1].out)
        outputs, moved, others, gradient = self.outputs, self.moved, self.moved_outputs, self.gradient
        result, same = float(outputs[row, column]), outputs == others
        values, beside = (self._covered(picture, row, column) for picture in (self.inputs, moved))
        flat = values.ravel()
        say = WORDS["one"].format(
            step=at + 1, steps=self.steps, values=listed(values), result=number(result), moved=listed(beside),
            other=number(float(others[row, column])), same=int(same.sum()),
        )  # fmt: skip
        total = WORDS[f"sum_{self.kind}"].format(
            listed=", ".join(map(number, flat)), added=" + ".join(map(factor, flat)), count=flat.size,
            result=number(result),
        )  # fmt: skip
        back = WORDS[f"back_{self.kind}"].format(none=int((gradient == 0).sum()), inputs=gradient.size)
        remarks = "".join(f"<div>{line}</div>" for line in (self._along(outputs, others), back))
        spot = (row, column, 1, 1)
        changed = [
            cell(i, j, v, "out") if same[i, j] else cell(i, j, v, "no", _other(float(outputs[i, j])))
            for (i, j), v in np.ndenumerate(others)
        ]
        plain = [cell(i, j, v, "out") for (i, j), v in np.ndenumerate(outputs)]
        panels = (
            self._seen("w0", WORDS["input"], self.inputs, self.inputs, row, column)
            + panel("pl", WORDS["output"], outputs, plain, spot)
            + self._seen("w1", WORDS["moved"].format(shift=number(self.shift)), moved, moved, row, column)
            + panel("q", WORDS["moved_output"], others, changed, spot)
            + self._seen("w2", WORDS["gradient"], gradient, self.inputs, row, column)
        )
        return {"panels": panels, "sum": total, "say": say, "facts": facts(WORDS, self._axes) + remarks}

    def _window(self, row: int, column: int) -> tuple[int, int]:
        """Where a window begins; below 0 it hangs over."""
        down, across = self._both
        return row * down.s - down.before, column * across.s - across.before

    def _covered(self, values: NDArray, row: int, column: int) -> NDArray:
        """The values in a window; of padding there are none."""
        rows, columns = self._inside(row, column)
        return values[rows.start : rows.stop, columns.start : columns.stop]

    def _inside(self, row: int, column: int) -> tuple[range, range]:
        """The rows and columns of the inputs that a window covers."""
        (top, left), (down, across) = self._window(row, column), self._both
        return range(max(top, 0), min(top + down.k, down.n)), range(
            max(left, 0), min(left + across.k, across.n)
        )

    def _seen(self, name: str, title: str, values: NDArray, judged: NDArray, row: int, column: int) -> str:
        """A drawing with the window in it; what decides its result, by the values ``judged``, is marked."""
        (top, left), (down, across) = self._window(row, column), self._both
        rows, columns = self._inside(row, column)
        inside = [(i, j) for i in rows for j in columns]
        chosen = inside if self.kind == "average" else [max(inside, key=lambda place: judged[place])]
        cells = [cell(i, j, v, "now" if (i, j) in chosen else "in") for (i, j), v in np.ndenumerate(values)]
        over = (down.before, across.before, down.after, across.after)
        return panel(name, title, values, cells, (top, left, down.k, across.k), over)

    def _along(self, outputs: NDArray, others: NDArray) -> str:
        """Whether the outputs moved with the inputs."""
        if self.shift == 0:
            return WORDS["no_shift"]
        places, rest = divmod(self.shift, self._both[1].s)
        if rest:
            return WORDS["not_along"].format(shift=number(self.shift), s=self._both[1].s)
        here = [j for j in range(outputs.shape[1]) if 0 <= j - places < outputs.shape[1]]
        same = outputs[:, [j - places for j in here]] == others[:, here]
        return WORDS["along"].format(places=number(places), same=int(same.sum()), count=same.size)

    # --- the whole -----------------------------------------------------------------------------------------

    def _state(self) -> dict[str, Any]:
        return {"rank": self.rank, "most": MOST, "start": {"at": self.place}}

    def _content(self) -> str:
        return explored(self._regions(), self._controls(), WORDS["help"])

    def _controls(self) -> str:
        flat = self.rank == 1
        farthest = max(FARTHEST, abs(self.shift))
        steps = field("shift", WORDS["label_shift"], str(self.shift), "range", min=-farthest, max=farthest)
        steps += choice("kind", WORDS["label_kind"], {kind: WORDS[kind] for kind in KINDS}, self.kind)
        box = {} if flat else lines(self.inputs)
        settings = [
            field(
                "inputs", WORDS["label_inputs"], written(self.inputs), "text" if flat else "textarea", **box
            ),
            field("pool_size", WORDS["label_pool_size"], str(self.pool_size), "number", min=1),
            field("strides", WORDS["label_stride"], str(self.strides), "number", min=1),
            choice("padding", WORDS["label_padding"], {edge: edge for edge in EDGES}, self.padding),
            check("ring", WORDS["label_ring"], self.ring),
        ]
        return form(WORDS, steps + sliders(WORDS, flat), "".join(settings))

    def _figure(self) -> Any:
        from cnnlib.plots.shift_and_pool import shift_and_pool

        place = divmod(self.place, self._both[1].out)
        rows, columns = self._inside(*place)
        window = (rows[0], columns[0], len(rows), len(columns))
        pictures = (self.inputs, self.outputs, self.moved, self.moved_outputs, self.gradient)
        return shift_and_pool(*pictures, window, place)


def _other(value: float) -> str:
    """That an output was another, and which, if there is room."""
    text = number(value)
    return f"≠{text}" if len(text) < 5 else "≠"
