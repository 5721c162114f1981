"""The figures of chapter 14 show what cnnlib computes, and can be read on a phone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from cnnlib.errors import ShapeError, SizeError
from cnnlib.plots import seeing as plots
from cnnlib.plots import style
from cnnlib.plots.seeing import PIXELS_AN_INCH, brightness, lit
from cnnlib.seeing import gram_matrix

RNG = np.random.default_rng(14)
ONE, TWO = np.array([[1.0, 2], [0, 3]]), np.array([[2.0, 0], [1, -1]])
APART = np.abs(np.subtract.outer([0, 1, 5, 6, 7], [0, 1, 5, 6, 7])) / 10
NAMES = ["brick", "brick", "grass", "grass", "grass"]
PICTURES = {"low": [RNG.random((600, 600, 3)), RNG.random((7, 7))], "high": [RNG.random((30, 20, 3))] * 2}
WEIGHTS = RNG.normal(size=(3, 3, 3, 11))
FIGURES = {
    "table": lambda: plots.table(PICTURES, ["picture", "map"], {"low": (slice(0, 20), slice(50, 224))}),
    "filters": lambda: plots.filters(WEIGHTS, {2, 10}),
    "gram": lambda: plots.gram_by_hand(ONE, TWO),
    "distances": lambda: plots.distances(APART, NAMES),
    "losses": lambda: plots.losses([[1, 0, 0.01], [0.5, 0.1, 0.02], [0.1, 0.2, 0.03]]),
}


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text() and text.get_visible()]


@pytest.mark.parametrize("name", FIGURES)
def test_figures_fit_the_page_and_can_be_read_on_a_phone(name: str, check_drawing: Callable) -> None:
    figure = FIGURES[name]()
    assert figure.get_figwidth() <= style.WIDTH
    check_drawing(figure)


def test_brightness_keeps_order_and_says_nothing_of_size() -> None:
    values = RNG.random((20, 30))
    shown = brightness(values, 90)
    assert (shown.min() >= 0, shown.max()) == (True, 1)
    assert (shown == 1).mean() == pytest.approx(0.1, abs=0.01)
    np.testing.assert_allclose(brightness(values / 1000, 90), shown)
    assert not brightness(np.zeros((3, 3))).any()
    lonely = np.zeros((40, 40))
    lonely[3, 4] = 5
    assert brightness(lonely)[3, 4] == 1  # though its percentile is 0
    with pytest.raises(SizeError, match="101"):
        brightness(values, 101)


def test_a_picture_is_lit_where_the_map_is_high() -> None:
    shown = lit(np.ones((40, 40, 3)), [[0, 0], [0, 2]])
    assert shown[-1, -1].min() > 0.95
    assert shown[0, 0].max() < 0.2
    with pytest.raises(ShapeError, match=r"\(40, 40\)"):
        lit(np.ones((40, 40)), [[1]])


def test_a_table_shows_its_pictures_in_few_pixels_and_frames_them() -> None:
    figure = FIGURES["table"]()
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == 4
    assert {"picture", "map", "low", "high"} <= set(texts(figure))
    large, small = panels[0].images[0].get_array(), panels[1].images[0].get_array()
    assert large.shape[0] == round(1.9 * PIXELS_AN_INCH)
    assert large.mean() == pytest.approx(PICTURES["low"][0].mean(), abs=0.02)
    np.testing.assert_array_equal(small, PICTURES["low"][1])
    many = 600 / (1.9 * PIXELS_AN_INCH)
    frames = [patch for patch in panels[0].patches if isinstance(patch, Rectangle)]
    for frame in frames:
        found = [*frame.get_xy(), frame.get_width(), frame.get_height()]
        assert found == pytest.approx([50 / many - 0.5, -0.5, 174 / many, 20 / many], rel=1e-9)
    assert len(frames) == 2
    assert not panels[2].patches


def test_tables_refuse_what_they_cannot_draw() -> None:
    with pytest.raises(SizeError, match="no picture"):
        plots.table({})
    with pytest.raises(SizeError, match="3 columns"):
        plots.table(PICTURES, ["a", "b", "c"])
    with pytest.raises(ShapeError, match="cannot be shown"):
        plots.table({"one": [np.zeros((2, 2, 2, 2))]})


def test_filters_have_grey_for_zero_and_a_cross_for_silence() -> None:
    weights = WEIGHTS.copy()
    weights[..., 0] = 0
    weights[1, 1, 0, 1] = 50
    figure = plots.filters(weights, {2, 10})
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in panels] == [str(n) for n in range(11)]
    assert np.ptp(panels[0].images[0].get_array()) == 0
    assert panels[0].images[0].get_array()[0, 0, 0] == pytest.approx(0.5, abs=0.02)
    assert panels[1].images[0].get_array()[1, 1, 0] == 1
    assert [n for n, axes in enumerate(panels) if axes.lines] == [2, 10]
    with pytest.raises(ShapeError, match="no colours"):
        plots.filters(np.zeros((3, 3, 1, 4)))


def test_the_sums_by_hand_are_the_gram_matrix() -> None:
    written = texts(plots.gram_by_hand(ONE, TWO))
    gram = gram_matrix(np.stack([ONE, TWO], axis=-1)[None])[0]
    place = {title: number for number, title in enumerate(written) if title.startswith("$G")}
    for i, j in ((0, 0), (0, 1), (1, 1)):
        assert written[place[f"$G_{{{i + 1}{j + 1}}}$"] - 1].replace("−", "-") == f"{gram[i, j]:g}"
    with pytest.raises(ShapeError, match=r"\(2, 2\) and \(4,\)"):
        plots.gram_by_hand(ONE, TWO.ravel())


def test_distances_are_written_legibly_and_framed_by_name() -> None:
    figure = FIGURES["distances"]()
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == [f"{value:.2f}" for value in APART.ravel()]
    frames = [(p.get_x(), p.get_width()) for p in axes.patches if isinstance(p, Rectangle)]
    assert frames == [(-0.5, 2), (1.5, 3)]
    shades = axes.images[0].get_array().ravel()
    for text, value in zip(axes.texts, shades, strict=True):
        ground = axes.images[0].to_rgba(value)[0]
        lighter, darker = sorted((luminance(ground), luminance(to_rgb(text.get_color())[0])), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5
    with pytest.raises(ShapeError, match="2 names"):
        plots.distances(APART, ["brick", "grass"])


def luminance(grey: float) -> float:
    return grey / 12.92 if grey <= 0.04045 else ((grey + 0.055) / 1.055) ** 2.4


def test_losses_are_drawn_as_they_are_but_for_zeros() -> None:
    history = np.array([[1, 0, 0.01], [0.5, 0.1, 0.02], [0.1, 0.2, 0.03]])
    (axes,) = plots.losses(history).axes
    assert axes.get_yscale() == "log"
    for line, values in zip(axes.lines, history.T, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), np.where(values > 0, values, np.nan))
    assert len({line.get_linestyle() for line in axes.lines}) == 3
    with pytest.raises(ShapeError, match=r"\(3, 2\)"):
        plots.losses(history[:, :2])
