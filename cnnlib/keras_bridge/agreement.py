"""Run one of our operators and its Keras twin on the same numbers, and say how far apart they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlib.convolution import as_floats
from cnnlib.errors import CnnError
from cnnlib.keras_bridge.peers import bind, ours, peer, theirs

#: A backward pass is compared under the name of its operator and this ending.
BACKWARD = "_backward"


class DisagreementError(CnnError, AssertionError):
    """This library and Keras gave different results."""


@dataclass(frozen=True)
class Agreement:
    """The outcome of one comparison with Keras, which a notebook shows as a sentence."""

    layer: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    largest_difference: float
    allowed: float
    #: Whether gradients were compared rather than outputs.
    gradients: bool = False

    def __str__(self) -> str:
        what = f"gradients of Keras {self.layer}" if self.gradients else f"Keras {self.layer}"
        return (
            f"cnnlib = {what}: {self.input_shape} → {self.output_shape},\n"
            f"largest difference {self.largest_difference:.1e} (rounding allows {self.allowed:.1e})"
        )

    __repr__ = __str__


def agree(operator: str, *arguments: Any, **options: Any) -> Agreement:
    """Run one of our operators and its Keras layer on the same numbers and compare.

    Args:
        operator: a name in ``PEERS``, such as ``conv`` or ``max_pool``; with ``_backward`` after it, the
            gradients are compared, with those that TensorFlow's tape finds.
        arguments, options: what the operator, or its backward pass, takes.

    Returns:
        what was compared, and the largest difference.

    Raises:
        DisagreementError: shapes differ, or values differ beyond the rounding of their dtype.

    >>> agree("max_pool", np.arange(8.0).reshape(1, 8, 1), pool_size=3, strides=2).output_shape
    (1, 3, 1)
    >>> agree("conv_backward", np.ones((1, 7, 1)), np.ones((1, 8, 1)), np.ones((2, 1, 1))).gradients
    True
    """
    name, backward = operator.removesuffix(BACKWARD), operator.endswith(BACKWARD)
    known = peer(name)
    positional, gradient = list(arguments), None
    if backward:
        gradient = options.pop("gradient") if "gradient" in options else positional.pop(0)
    arrays, options = bind(name, *positional, **options)
    dtype = np.result_type(*arrays.values())
    cast = {key: value.astype(dtype, copy=False) for key, value in arrays.items()}
    slopes = None if gradient is None else as_floats(gradient, "gradient").astype(dtype, copy=False)
    mine, keras = ours(name, arrays, options, slopes), theirs(name, cast, options, slopes)
    output_shape = keras["outputs"].shape
    keras = {key: keras[key] for key in mine}
    values = next(iter(cast.values()))
    layer = known.layer.format(rank=values.ndim - 2)
    for key, expected in keras.items():
        if mine[key].shape != expected.shape:
            what = "shape" if key == "outputs" else f"shape of the gradient of the {key}"
            raise DisagreementError(f"{layer}: our {what} is {mine[key].shape}, Keras' is {expected.shape}")
    largest = {key: float(np.abs(mine[key] - keras[key]).max(initial=0)) for key in mine}
    allowed = {key: _rounding(*pair) for key, pair in summed(name, cast, options, slopes).items()}
    for key in mine:
        if not largest[key] <= allowed[key]:
            what = "values differ" if key == "outputs" else f"gradients of the {key} differ"
            raise DisagreementError(
                f"{layer}: {what} by {largest[key]:.3g} where rounding allows {allowed[key]:.3g}"
            )
    worst = max(largest, key=lambda key: largest[key] / (allowed[key] or 1))
    return Agreement(layer, values.shape, output_shape, largest[worst], allowed[worst], backward)


def summed(
    operator: str, arrays: Mapping[str, NDArray], options: Mapping[str, Any], gradient: NDArray | None = None
) -> dict[str, tuple[NDArray, NDArray | float]]:
    """Of each result (by name), place by place: the sum of absolute values added up, and their number.

    Two right results may lie apart, because each adds its products in its own order; how far depends on
    these two alone. They are what the operator makes of absolute values, and of ones.
    """
    known = peer(operator)
    if known.rounds is not None:
        return known.rounds(arrays, options, gradient)
    slopes = None if gradient is None else np.abs(gradient)
    if known.selects:  # which inputs are chosen depends on them; what is done with them, does not
        if slopes is None:
            return {"outputs": (np.abs(ours(operator, arrays, options)["outputs"]), 1.0)}
        magnitudes = ours(operator, arrays, options, slopes)
        numbers = ours(operator, arrays, options, np.ones_like(slopes))
    else:
        magnitudes = ours(operator, {n: np.abs(v) for n, v in arrays.items()}, options, slopes)
        ones = {n: np.ones_like(v) for n, v in arrays.items()}
        numbers = ours(operator, ones, options, None if slopes is None else np.ones_like(slopes))
    return {name: (magnitudes[name], numbers[name]) for name in magnitudes}


def _rounding(magnitudes: NDArray, terms: NDArray | float) -> float:
    """How far two right results may be expected to lie apart.

    A sum of n products rounds by about sqrt(n) units in the last place of the sum of their absolute
    values (Higham, *Accuracy and Stability of Numerical Algorithms*, 2002, section 4.2).
    """
    most = max(float(np.max(terms, initial=0)), 16.0)
    return float(np.finfo(magnitudes.dtype).eps * most**0.5 * magnitudes.max(initial=0))
