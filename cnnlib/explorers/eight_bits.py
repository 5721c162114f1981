"""A small network as a page carries it: weights of eight bits, and each layer as windows that slide.

A dense layer is a convolution whose window is as large as its inputs, so that two kinds of layers are enough:
sums with weights, and pooling.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnlib.errors import ShapeError, SizeError
from cnnlib.layers import AveragePooling2D, Conv2D, Dense, Flatten, MaxPooling2D
from cnnlib.layers.base import Layer
from cnnlib.network import Sequential
from cnnlib.sizes import PerAxis, output_size, padding_amounts, per_axis

#: So many weights a page carries.
MOST_WEIGHTS = 6000


class Coded(NamedTuple):
    """An array of weights as whole numbers from −127 to 127, and what one is worth."""

    codes: NDArray[np.int8]
    scale: float

    @property
    def values(self) -> NDArray[np.float64]:
        """The weights that the codes stand for."""
        return self.codes.astype(np.float64) * self.scale


def coded(weights: NDArray) -> Coded:
    """Weights rounded to eight bits; the largest of them decides how finely.

    >>> coded(np.array([-2.54, 0.0, 1.0]))
    Coded(codes=array([-127,    0,   50], dtype=int8), scale=0.02)
    """
    largest = float(np.abs(weights).max(initial=0)) or 1.0
    step = 10.0 ** (math.floor(math.log10(largest / 127)) - 3)
    scale = float(f"{math.ceil(largest / 127 / step - 1e-9) * step:.4g}")  # few digits, for a small page
    return Coded(np.rint(weights / scale).astype(np.int8), scale)


class Looking(NamedTuple):
    """A layer as windows of k×k cells at stride s, with ``pad`` cells of zeros before the first."""

    name: str
    kind: str
    k: int
    s: int
    pad: int
    maps: int
    rows: int
    columns: int
    bends: bool
    kernel: Coded | None
    bias: Coded | None


class SmallNetwork:
    """A network whose weights are rounded to eight bits, layer by layer.

    Args:
        model: a :class:`~cnnlib.network.Sequential` of one picture: convolutions and pooling with square
            windows, then dense layers; activations ReLU or none.

    Raises:
        ShapeError: it has other layers.
        SizeError: it has more weights than a page carries.
    """

    def __init__(self, model: Sequential) -> None:
        if model.count_params() > MOST_WEIGHTS:
            raise SizeError(
                f"{model.name} has {model.count_params()} weights; a page carries at most {MOST_WEIGHTS}"
            )
        coded_weights = [coded(weights) for weights in model.get_weights()]
        config = model.get_config()
        for entry in config["layers"]:
            entry["config"]["dtype"] = "float64"
        #: The network with these weights.
        self.model = Sequential.from_config(config)
        self.model.set_weights([one.values for one in coded_weights])
        #: The input, then each layer that computes something.
        self.layers = self._described(iter(coded_weights))

    def _described(self, arrays: Iterator[Coded]) -> list[Looking]:
        height, width, channels = tuple(self.model.input_shape)[1:]
        found = [Looking("input", "input", 1, 1, 0, channels, height, width, False, None, None)]
        flat = False
        for layer in self.model.layers:
            if isinstance(layer, Flatten):
                flat = True
                continue
            before = found[-1]
            if flat != isinstance(layer, Dense):
                raise ShapeError(
                    f"{layer.label} stands on the wrong side of Flatten; dense layers come after it"
                )
            k, s, padding, maps = _window(layer, before)
            kernel = bias = None
            if layer.weights:
                kernel = next(arrays)
                kernel = Coded(kernel.codes.reshape(k, k, before.maps, maps), kernel.scale)
                bias = next(arrays) if "bias" in layer.weights else coded(np.zeros(maps))
            rows, columns = (output_size(n, k, s, padding) for n in (before.rows, before.columns))
            kind = "max" if isinstance(layer, MaxPooling2D) else "conv" if kernel else "average"
            first = padding_amounts(before.rows, k, s, padding)[0]
            bends = getattr(layer, "activation", None) == "relu"
            found.append(Looking(layer.name, kind, k, s, first, maps, rows, columns, bends, kernel, bias))
        if (found[-1].kind, found[-1].rows, found[-1].columns) != ("conv", 1, 1):
            raise ShapeError(f"{self.model.name} does not end in a dense layer, which would give scores")
        return found

    def outputs(self, pictures: NDArray, off: Collection[tuple[int, int]] = ()) -> list[NDArray[np.float64]]:
        """What the input and each layer hand on, (n, rows, columns, maps); maps that are ``off`` are zero."""
        values, found = np.asarray(pictures, np.float64), [np.asarray(pictures, np.float64)]
        for layer in self.model.layers:
            values = np.asarray(layer(values))
            if isinstance(layer, Flatten):
                continue
            for at, which in off:
                if at == len(found):
                    values = values.copy()
                    values[..., which] = 0
            shape = self.layers[len(found)]
            found.append(values.reshape(len(values), shape.rows, shape.columns, shape.maps))
        return found

    def weights(self) -> str:
        """All codes, kernel and bias of each layer in turn, as base64."""
        arrays = [array.codes.tobytes() for one in self.layers for array in (one.kernel, one.bias) if array]
        return base64.b64encode(b"".join(arrays)).decode()


def _window(layer: Layer, before: Looking) -> tuple[int, int, str | int, int]:
    """Window, stride and padding along both axes, and how many maps the layer makes."""
    known, windows = getattr(layer, "activation", None) in (None, "relu"), (1, 1, 1, 1)
    padding: Any = getattr(layer, "padding", "valid")
    if isinstance(layer, Dense):
        windows, maps = (before.rows, before.columns, 1, 1), layer.units
    elif isinstance(layer, Conv2D):
        known &= (_two(layer.dilation_rate), layer.groups) == ((1, 1), 1)
        known &= (layer.pad_mode, layer.pad_value) == ("constant", 0)
        windows, maps = (*_two(layer.kernel_size), *_two(layer.strides)), layer.filters
    elif isinstance(layer, MaxPooling2D | AveragePooling2D):
        known &= padding == "valid"
        windows, maps = (*_two(layer.pool_size), *_two(layer.strides)), before.maps
    else:
        known, maps = False, 0
    k, wide, s, across = windows
    if not known or k != wide or s != across or not isinstance(padding, str | int):
        raise ShapeError(
            f"{layer.label} cannot be shown; a network that looks has Conv2D (ReLU or no activation), "
            "MaxPooling2D, AveragePooling2D, Flatten and Dense, with square windows"
        )
    return k, s, padding, maps


def _two(sizes: PerAxis | None) -> tuple[int, int]:
    """Sizes along two axes."""
    first, second = per_axis(1 if sizes is None else sizes, 2, "window")
    return first, second
