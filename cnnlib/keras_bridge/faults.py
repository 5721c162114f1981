"""Where TensorFlow is known to be wrong, so that the definition stands in for it.

Each was found by a comparison that failed, and was decided by the loops of :mod:`cnnlib.algorithms`, which do
nothing but what the definition says.
"""

from __future__ import annotations

import html
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnlib.algorithms import conv_loops
from cnnlib.keras_bridge.peers import Results, theirs
from cnnlib.keras_bridge.problems import Problem
from cnnlib.padding import amounts_for, pad
from cnnlib.sizes import Padding


@dataclass(frozen=True)
class Difference:
    """Something in which Keras or TensorFlow is known to differ from the definition, and the proof of it."""

    where: str
    what: str
    #: What is done about it in comparisons.
    answer: str
    #: One number of theirs, and what it should be.
    show: Callable[[], tuple[float, float]]


def _tied_volume() -> tuple[float, float]:
    """The gradients of two equal values in one window, added up."""
    inputs = {"inputs": np.ones((1, 1, 1, 2, 1), np.float32)}
    slopes = theirs("max_pool", inputs, {"pool_size": (1, 1, 2)}, np.ones((1, 1, 1, 1, 1), np.float32))
    return float(slopes["inputs"].sum()), 1.0


def _late_window() -> tuple[float, float]:
    """The first output of a kernel of 1 that steps by three over the values 1, 2 and 3."""
    inputs = np.arange(1.0, 4.0).reshape(1, 1, 1, 3, 1)
    options = {"strides": (1, 1, 3), "padding": "same", "dilation_rate": (1, 1, 1), "groups": 1}
    arrays = {"inputs": inputs, "kernel": np.ones((1, 1, 1, 1, 1))}
    return float(theirs("conv", arrays, options)["outputs"][0, 0, 0, 0, 0]), 1.0


def _single_slope() -> tuple[float, float]:
    """The output for -1, with a slope of 0.2."""
    found = theirs("leaky_relu", {"inputs": np.full((1, 1), -1.0)}, {"negative_slope": 0.2})["outputs"]
    return float(found[0, 0]), -0.2


def _single_root() -> tuple[float, float]:
    """The output for 1."""
    found = theirs("gelu", {"inputs": np.ones((1, 1))}, {})["outputs"]
    return float(found[0, 0]), (1 + math.erf(math.sqrt(0.5))) / 2


def _near_zero() -> tuple[float, float]:
    """The output for -0.0001."""
    found = theirs("elu", {"inputs": np.full((1, 1), -1e-4, np.float32)}, {"alpha": 1.0})["outputs"]
    return float(found[0, 0]), math.expm1(-1e-4)


#: Each was met by a comparison, is shown by a number, and is looked after in the way that it says.
DIFFERENCES = (
    Difference(
        "MaxPooling3D, gradient",
        "Where several values of a window are equally large, each gets the whole gradient; in one and two "
        "dimensions only the first does.",
        "Volumes are drawn without equal values.",
        _tied_volume,
    ),
    Difference(
        "Conv3D in float64, and the gradient of Conv3DTranspose",
        "With same and a stride so wide that no window reaches the end of an axis, the padding is taken to "
        "be negative, and the first window begins too late.",
        "The definition, in loops, stands in for it.",
        _late_window,
    ),
    Difference(
        "leaky_relu in float64",
        "The slope is kept in single precision.",
        "In float64 only slopes that fit are drawn.",
        _single_slope,
    ),
    Difference(
        "gelu in float64",
        "The constants are kept in single precision.",
        "It is compared in float32.",
        _single_root,
    ),
    Difference(
        "elu in float32",
        "Close below 0, where the exponential is all but 1, most digits cancel.",
        "Errors are measured against 1, from which it is subtracted.",
        _near_zero,
    ),
)


def differences() -> str:
    """The known differences as an HTML list (where, what, an example computed now, what is done)."""
    items = []
    for known in DIFFERENCES:
        found, right = known.show()
        example = f"{(inspect.getdoc(known.show) or '').rstrip('.')}: {SAID.format(found=found, right=right)}"
        words = " ".join(html.escape(text) for text in (known.what, example, known.answer))
        items.append(f"<dt>{html.escape(known.where)}</dt><dd><p>{words}</p></dd>")
    return f"<dl>{''.join(items)}</dl>"


#: What is said of the number of an example.
SAID = "TensorFlow gives {found:.9g}, where {right:.9g} is right."


@dataclass(frozen=True)
class _Convolution:
    """One run of TensorFlow's convolution, forward or as the gradient of a transposed one."""

    inputs: NDArray
    kernel: NDArray
    #: The places of the outputs on each axis.
    places: tuple[int, ...]
    steps: tuple[int, ...]
    gaps: tuple[int, ...]
    padding: Padding
    groups: int

    @property
    def forgets_rows(self) -> bool:
        """float32, one input channel, an output one column wide, strides 1 downwards and more to the right.

        All rows but the first then hold what happened to lie in memory (TensorFlow 2.21 on x86-64; not so
        with TF_ENABLE_ONEDNN_OPTS=0).
        """
        return (
            self.inputs.dtype == np.float32
            and self.kernel.shape[-2] == 1
            and self.places[-1] == 1
            and self.steps[-1] > 1
            and self.steps[-2:-1] == (1,)
        )

    @property
    def begins_late(self) -> bool:
        """Volumes of float64, ``same``, and a stride so wide that no window reaches the end of an axis.

        TensorFlow 2.21 pads by a negative amount there and begins too late (float32 and images: not so).
        """
        spatial = self.inputs.shape[1:-1]
        return (
            self.inputs.dtype == np.float64
            and len(self.steps) == 3
            and self.padding == "same"
            and any(
                (out - 1) * step + size < n
                for n, size, step, out in zip(
                    spatial, self.kernel.shape[:-2], self.steps, self.places, strict=True
                )
            )
        )

    def by_loops(self) -> NDArray:
        """What the definition makes of it."""
        amounts = amounts_for(
            self.inputs.shape[1:-1], self.kernel.shape[:-2], self.steps, self.padding, self.gaps
        )
        padded = pad(self.inputs.astype(float), amounts)
        return conv_loops(padded, self.kernel.astype(float), self.steps, self.gaps, self.groups)


def standing_in(problem: Problem, outputs: NDArray, gradient: NDArray) -> Results:
    """The right results (by name) where TensorFlow's are wrong: none at all for nearly every problem."""
    if problem.operator not in ("conv", "conv_transpose"):
        return {}
    run = _run(problem, outputs, gradient)
    if not (run.forgets_rows or run.begins_late):
        return {}
    if problem.operator == "conv":
        return {"outputs": (run.by_loops() + problem.arrays.get("bias", 0)).astype(problem.dtype)}
    return {"inputs": run.by_loops().astype(problem.dtype)}


def _run(problem: Problem, outputs: NDArray, gradient: NDArray) -> _Convolution:
    """The convolution that TensorFlow runs: the gradient of a transposed one is a convolution of it."""
    arrays, options = problem.arrays, problem.options
    images, places = (
        (arrays["inputs"], outputs) if problem.operator == "conv" else (gradient, arrays["inputs"])
    )
    return _Convolution(
        images,
        arrays["kernel"],
        places.shape[1:-1],
        options["strides"],
        options.get("dilation_rate", (1,) * problem.rank),
        options["padding"],
        options.get("groups", 1),
    )
