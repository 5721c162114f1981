"""The figures of chapter 4 show the numbers that cnnlib computes, and can be read on a phone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Polygon, Rectangle
from matplotlib.text import Text

from cnnlib import conv, correlate, filters
from cnnlib.connections import conv_matrix
from cnnlib.errors import ShapeError, SizeError
from cnnlib.plots import pieces, style
from cnnlib.plots import two_dimensions as plots

RNG = np.random.default_rng(4)
PICTURE = RNG.random((12, 16))
FILM = RNG.random((5, 8, 10))


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def cells(figure: Figure, colour: str) -> list[str]:
    """What is written in the cells of one colour, in the order in which they were drawn."""
    (axes,) = figure.axes
    fill = (*to_rgb(style.COLOURS[colour]), 0.3)
    at = {tuple(np.round(text.get_position(), 6)): text.get_text() for text in axes.texts}
    chosen = [p for p in axes.patches if isinstance(p, Rectangle) and np.allclose(p.get_facecolor(), fill)]
    return [at[tuple(np.round((p.get_x() + 0.5, p.get_y() + 0.52), 6))] for p in chosen]


def numbers(values: Any) -> list[str]:
    return [pieces.number(float(value)) for value in np.ravel(values)]


def outlines(figure: Figure) -> list[tuple[float, ...]]:
    """(left, top, width, height) of the thick frames."""
    edge = to_rgb(style.COLOURS["highlight"])
    frames = [p for axes in figure.axes for p in axes.patches if isinstance(p, Rectangle)]
    return [
        tuple(np.round((p.get_x(), p.get_y(), p.get_width(), p.get_height()), 9))
        for p in frames
        if not p.get_fill() and p.get_edgecolor()[:3] == edge
    ]


def images(figure: Figure) -> list[np.ndarray]:
    return [np.asarray(image.get_array()) for axes in figure.axes for image in axes.images]


def check_readable(figure: Figure) -> None:
    assert figure.get_figwidth() <= style.WIDTH + 1e-9
    assert min(t.get_fontsize() for t in figure.findobj(Text) if t.get_text()) >= 10
    figure.draw_without_rendering()  # lays everything out, without a warning
    box = figure.bbox.padded(1)
    for text in figure.findobj(Text):
        if text.get_text():
            extent = text.get_window_extent()
            inside = (
                box.x0 <= extent.x0 and extent.x1 <= box.x1 and box.y0 <= extent.y0 and extent.y1 <= box.y1
            )
            assert inside, text.get_text()


@pytest.mark.parametrize(("height", "width", "tall", "wide"), [(3, 4, 2, 2), (4, 3, 2, 1)])
def test_steps_show_every_window_and_its_sum(height: int, width: int, tall: int, wide: int) -> None:
    image, kernel = RNG.integers(-9, 10, (height, width)), RNG.integers(-3, 4, (tall, wide))
    figure = plots.steps(image, kernel)
    check_readable(figure)
    result = correlate(image, kernel)
    assert cells(figure, "output") == numbers(result)
    assert cells(figure, "input") == numbers(image) * result.size
    across, down = width + 0.75, height + 0.5 * tall + 0.95
    expected = [(c * across + c, r * down + r, wide, tall) for r, c in np.ndindex(result.shape)]
    assert outlines(figure) == [tuple(np.round(e, 9)) for e in expected]


def test_steps_write_the_products_out() -> None:
    said = texts(plots.steps([[1, 2], [4, -1]], [[2, -1], [0, 3]]))
    assert {"2·1 + (−1)·2", "+ 0·4 + 3·(−1) ="} <= set(said)


def test_steps_refuse_what_does_not_fit() -> None:
    with pytest.raises(SizeError, match="kernel 3 does not fit into input 2"):
        plots.steps(np.ones((2, 4)), np.ones((3, 3)))
    with pytest.raises(SizeError, match="9 places side by side"):
        plots.steps(np.ones((3, 10)), np.ones((2, 2)))
    with pytest.raises(ShapeError, match="must be \\(height, width\\)"):
        plots.steps(np.ones(4), np.ones((2, 2)))


def test_filtered_shows_what_the_kernels_make_and_the_kernels() -> None:
    kernels = {"blur": filters.box(5), "edges": filters.sobel(), "one": filters.identity()}
    figure = plots.filtered(PICTURE, kernels)
    check_readable(figure)
    shown = images(figure)
    for index, kernel in enumerate(kernels.values()):
        np.testing.assert_array_equal(shown[2 * index], filters.apply(PICTURE, kernel))
        np.testing.assert_array_equal(shown[2 * index + 1], kernel)
    limits = [axes.images[0].get_clim() for axes in figure.axes[::2]]
    assert limits[0] == limits[2] == (0, 1)
    assert limits[1][0] == -limits[1][1] < 0  # zero is mid-grey
    written = [text.get_text() for axes in figure.axes[1::2] for text in axes.texts]
    assert written == numbers(filters.sobel()) + numbers(filters.identity())  # the blur has no whole numbers


def test_filtered_refuses_nothing_and_colour() -> None:
    with pytest.raises(SizeError, match="kernels is empty"):
        plots.filtered(PICTURE, {})
    with pytest.raises(ShapeError, match="image has shape"):
        plots.filtered(np.ones((4, 4, 3)), {"one": filters.identity()})
    check_readable(plots.filtered(np.zeros((6, 6)), {"edges": filters.sobel()}))  # nothing to scale by


def test_outer_multiplies_column_and_row() -> None:
    pairs = {"one": ([1, 2, 1], [-1, 0, 1]), "two": ([3, -2], [1, 4, 5])}
    figure = plots.outer(pairs)
    check_readable(figure)
    products = [np.outer(*pair) for pair in pairs.values()]
    assert cells(figure, "kernel") == [n for product in products for n in numbers(product)]
    assert cells(figure, "input") == [n for column, _ in pairs.values() for n in numbers(column)]
    with pytest.raises(SizeError, match="pairs is empty"):
        plots.outer({})
    with pytest.raises(ShapeError, match="row has shape"):
        plots.outer({"one": ([1, 2], [[1, 2]])})


def test_pyramid_draws_levels_to_scale_with_one_window() -> None:
    levels = filters.gaussian_pyramid(RNG.random((48, 64)), 4)
    figure = plots.pyramid(levels, window=4, centre=(24, 40))
    check_readable(figure)
    (axes,) = figure.axes
    spans = [np.subtract(*image.get_extent()[1::-1]) for image in axes.images]
    units = [span / level.shape[1] for span, level in zip(spans, levels, strict=True)]
    np.testing.assert_allclose(units, units[0])
    frames = outlines(figure)
    assert len({frame[2:] for frame in frames}) == 1
    for index, (image, frame) in enumerate(zip(axes.images, frames, strict=True)):
        left, _, _, top = image.get_extent()
        middle = (frame[1] - top + frame[3] / 2, frame[0] - left + frame[2] / 2)
        np.testing.assert_allclose(np.divide(middle, units[0]), [24 / 2**index, 40 / 2**index])


def test_pyramid_refuses_a_window_that_leaves_a_level() -> None:
    levels = filters.gaussian_pyramid(PICTURE, 3)
    with pytest.raises(SizeError, match="leaves level 2"):
        plots.pyramid(levels, window=4, centre=(6, 8))
    with pytest.raises(SizeError, match="levels is empty"):
        plots.pyramid([], window=1, centre=(0, 0))


def test_sliding_axes_have_an_arrow_for_each_free_axis() -> None:
    figure = plots.sliding_axes()
    check_readable(figure)
    (axes,) = figure.axes
    assert sum(isinstance(patch, FancyArrowPatch) for patch in axes.patches) == 1 + 2 + 3
    assert sum(isinstance(patch, Polygon) for patch in axes.patches) == 3 * 2 * 3


def test_video_shows_frames_above_their_answers() -> None:
    answers = conv(FILM[None, ..., None], RNG.normal(size=(3, 3, 3, 1, 1)))[0, ..., 0]
    figure = plots.video(FILM, answers, shown=(0, 2))
    check_readable(figure)
    first, second, below, last = images(figure)
    np.testing.assert_array_equal([first, second], FILM[[0, 2]])
    np.testing.assert_array_equal([below, last], answers[[0, 2]])
    assert "answer to frames 2 to 4" in texts(figure)


def test_video_refuses_frames_without_an_answer() -> None:
    with pytest.raises(SizeError, match="frame 3 begins no window; there are answers to 0 to 2"):
        plots.video(FILM, FILM[:3], shown=(3,))
    with pytest.raises(ShapeError, match="no more times"):
        plots.video(FILM[:2], FILM, shown=(0,))


def test_matrix_has_the_letter_of_every_weight() -> None:
    figure = plots.matrix((3, 4), 2, "wxyz")
    check_readable(figure)
    weights = conv_matrix(np.arange(1, 5).reshape(2, 2, 1, 1), (3, 4))
    written = [text.get_text() for text in figure.axes[0].texts]
    assert written == ["0wxyz"[weight] for weight in weights.ravel()]
    frames = [p for p in figure.axes[0].patches if isinstance(p, Rectangle) and not p.get_fill()]
    assert {(p.get_width(), p.get_height()) for p in frames} == {(4, 3)}
    with pytest.raises(SizeError, match="4 weights need as many letters, not 3"):
        plots.matrix((3, 4), 2, "abc")
    with pytest.raises(SizeError, match="wider than a page"):
        plots.matrix((6, 6), 2, "wxyz")


def test_words_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(plots.WORDS, "column", "Spalte")
    assert "Spalte" in texts(plots.outer({"one": ([1], [1])}))
