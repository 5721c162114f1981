"""The microscope's picture: the numbers in it are the library's, and all of it lies within the page."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from cnnlib.convolution import conv, conv_backward, correlate
from cnnlib.errors import ShapeError, SizeError
from cnnlib.plots import style
from cnnlib.plots.microscope import WORDS, microscope
from cnnlib.plots.pieces import number
from cnnlib.upsampling import conv_transpose

ROW = {"inputs": [3, 1, 4, 1, 5], "kernel": [1, 0, -1], "padding": 1, "place": 3}
IMAGE = np.arange(25).reshape(5, 5) * 7 % 10
PICTURE = {"inputs": IMAGE, "kernel": [[1, 0, -1], [2, 0, -2], [1, 0, -1]], "padding": "same", "stride": 2}
UP = {"inputs": [[1, 2], [3, 4]], "kernel": [[1, 2, 1]] * 3, "stride": 2, "padding": 1, "transposed": True}


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def cells(values: Any) -> list[str]:
    return [number(float(value)) for value in np.ravel(values)]


def test_all_numbers_are_the_librarys() -> None:
    shown = texts(microscope(**ROW))
    outputs = correlate(ROW["inputs"], ROW["kernel"], padding=1)
    assert sorted(shown) == sorted(
        cells([0, 3, 1, 4, 1, 5, 0])
        + cells([1, 0, -1])
        + cells(outputs)
        + [WORDS["padded"], WORDS["kernel"], WORDS["output"]]
    )
    shown = texts(microscope(**UP))
    whole = conv_transpose(
        np.array(UP["inputs"])[None, ..., None], np.array(UP["kernel"])[..., None, None], 2
    )
    assert sorted(shown) == sorted(
        cells(whole)
        + cells([1, 2, 3, 4])
        + cells(UP["kernel"])
        + [WORDS["input"], WORDS["kernel"], WORDS["output"]]
    )


def test_backward_it_shows_where_gradients_go() -> None:
    stride = (1, 2)
    figure = microscope(**{**PICTURE, "stride": stride, "pad_mode": "edge"}, backward=True)
    x, k = IMAGE[None, ..., None], np.array(PICTURE["kernel"])[..., None, None]
    slopes = np.ones(conv(x, k, stride, "same").shape)
    found = conv_backward(slopes, x, k, stride, "same", pad_mode="edge")
    titles = [WORDS[key] for key in ("gradient", "kernel", "slopes", "kernel_gradient")]
    numbers = cells(found.inputs) + cells(found.kernel) + cells(slopes) + cells(k)
    assert sorted(texts(figure)) == sorted(numbers + titles)
    with pytest.raises(SizeError, match="leave transposed or backward out"):
        microscope(**UP, backward=True)


@pytest.mark.parametrize("example", [ROW, PICTURE, UP, {"inputs": range(24), "kernel": [1, 1]}])
def test_it_can_be_read_and_fits(example: dict[str, Any]) -> None:
    figure = microscope(**example)
    assert figure.get_size_inches()[0] <= style.WIDTH + 1e-9
    figure.canvas.draw()
    box = figure.bbox.padded(1)
    for axes in figure.axes:
        for text in axes.texts:
            assert text.get_size() >= 10
            extent = text.get_window_extent()
            assert box.contains(*extent.min), text
            assert box.contains(*extent.max), text


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"inputs": [[[1]]]}, ShapeError, "inputs of shape (1, 1, 1) … cannot be drawn"),
        ({"kernel": [[1]]}, ShapeError, "a kernel of shape (1, 1) cannot be drawn"),
        ({"place": 5}, SizeError, "place 5 is none of the 5 steps; use one below 5"),
        ({"kernel": [1] * 9}, SizeError, "axis 0: kernel 9 does not fit into input 5"),
    ],
)
def test_what_cannot_be_drawn_is_refused(changes: dict[str, Any], error: type, words: str, says: Any) -> None:
    with pytest.raises(error) as caught:
        microscope(**{**ROW, **changes})
    says(caught, words)
