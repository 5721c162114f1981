"""The figures on borders say what the library computes, and fit the page."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cnnlib import photograph
from cnnlib.errors import ShapeError, SizeError
from cnnlib.padding import PAD_MODES, pad
from cnnlib.plots import borders, pieces
from cnnlib.plots.borders import Setting
from cnnlib.plots.style import WIDTH
from cnnlib.sizes import dropped_inputs, output_size, padding_amounts

SETTINGS = [
    Setting(7, 3),
    Setting(8, 3, 2),
    Setting(6, 3, 2, "same"),
    Setting(6, 3, 2, 1),
    Setting(5, 3, 1, "full"),
    Setting(5, 2, 3, (0, 2)),
    Setting(7, 2, 3),
]
FILLINGS = {"zero": ("constant", 0.0), "grey": ("constant", 128.0), "mirror": ("reflect", 0.0)}


def patches(axes, kind: str) -> list[Rectangle]:
    return [patch for patch in axes.patches if patch.get_gid() == kind]


def eye() -> np.ndarray:
    return photograph("cat")[86:122, 120:168]


FIGURES = {
    "places": lambda: borders.places(SETTINGS),
    "one place": lambda: borders.places([Setting(3, 3)]),
    "long row": lambda: borders.places([Setting(16, 3, 4)]),
    "grids": lambda: borders.grids(SETTINGS[:4]),
    "coverage": lambda: borders.coverage_maps(SETTINGS),
    "shrinking": lambda: borders.shrinking(32, [3, 5, 7]),
    "frames": lambda: borders.frames(eye(), 8, FILLINGS),
    "grey frames": lambda: borders.frames(eye()[..., 0], 8, FILLINGS),
    "gallery": lambda: pieces.gallery({"a": eye(), "b": eye(), "c": eye()}),
    "profile": lambda: borders.error_profile({"a": np.ones((9, 9)), "b": np.eye(9)}, rings=4),
    "to scale": lambda: borders.to_scale({"a": eye(), "b": eye()[::2, ::2], "c": eye()[::4, ::4, 0]}),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_fit_the_page_and_can_be_read_on_a_phone(name, words, check_words):
    figure = FIGURES[name]()
    assert isinstance(figure, Figure)
    assert figure.get_figwidth() <= WIDTH
    found = words(figure)
    assert found
    check_words(figure, found)


@pytest.mark.parametrize("setting", SETTINGS)
def test_places_draws_each_window_where_it_stands(setting):
    axes = borders.places([setting]).axes[0]
    before, after = padding_amounts(*setting)
    windows = patches(axes, "window")
    assert len(windows) == output_size(*setting)
    middles = [bar.get_x() + bar.get_width() / 2 for bar in windows]
    expected = [
        place * setting.stride - before + setting.kernel_size / 2 for place in range(output_size(*setting))
    ]
    np.testing.assert_allclose(middles, expected)
    dropped = dropped_inputs(*setting)
    assert len(patches(axes, "dropped")) == dropped
    assert (
        sum(len(patches(axes, kind)) for kind in ("input", "padding", "dropped"))
        == setting.size + before + after
    )
    assert all(patch.get_hatch() for kind in ("padding", "dropped") for patch in patches(axes, kind))
    assert f"{len(windows)} places" in axes.get_title(loc="left")
    pad = borders.WORDS["padding"]
    assert [text.get_text() for text in axes.texts] == (
        [pad] * before + [str(index) for index in range(setting.size)] + [pad] * after
    )


def test_places_draws_cells_equally_wide_in_all_panels():
    limits = {axes.get_xlim() for axes in borders.places(SETTINGS).axes}
    assert len(limits) == 1


@pytest.mark.parametrize("setting", SETTINGS)
def test_grids_draws_the_padded_input_and_the_output(setting):
    left, right = borders.grids([setting]).axes
    total = setting.size + sum(padding_amounts(*setting))
    reached = total - dropped_inputs(*setting)
    assert len(patches(left, "dropped")) == total**2 - reached**2
    inside = len(patches(left, "input"))
    lost = max(dropped_inputs(*setting) - padding_amounts(*setting)[1], 0)  # padding is dropped first
    assert inside == (setting.size - lost) ** 2
    assert len(patches(right, "output")) == output_size(*setting) ** 2
    (window,) = patches(left, "window")
    assert window.get_width() == window.get_height() == setting.kernel_size
    assert f"{output_size(*setting)}×{output_size(*setting)}" in right.get_title()


def test_coverage_maps_write_every_count_where_it_belongs():
    shown = [axes for axes in borders.coverage_maps(SETTINGS).axes if axes.get_visible()]
    assert len(shown) == len(SETTINGS)
    for axes, setting in zip(shown, SETTINGS, strict=True):
        counts = borders.coverage(*setting)
        written = np.full(counts.shape, -1)
        for text in axes.texts:
            x, y = text.get_position()
            written[int(y), int(x)] = int(text.get_text())
        np.testing.assert_array_equal(written, counts)
        np.testing.assert_array_equal(axes.images[0].get_array(), counts)
        assert len(patches(axes, "dropped")) == (counts == 0).sum()


def test_shrinking_draws_the_sides_layer_by_layer():
    axes = borders.shrinking(32, [3, 5]).axes[0]
    for line, kernel_size in zip(axes.lines, [3, 5], strict=True):
        sides = [int(side) for side in line.get_ydata()]
        assert sides[0] == 32
        for before, after in itertools.pairwise(sides):
            assert after == output_size(before, kernel_size)
        with pytest.raises(SizeError):
            output_size(sides[-1], kernel_size)
        assert f"{len(sides) - 1} layers" in line.get_label()
    assert len({line.get_marker() for line in axes.lines}) == 2  # told apart without colour


@given(size=st.integers(1, 60), kernel_size=st.integers(2, 9))
def test_layers_without_padding_follow_the_formula_of_the_chapter(size, kernel_size):
    layers = len(borders.sides_without_padding(size, kernel_size)) - 1
    assert layers == (0 if size < kernel_size else (size - kernel_size) // (kernel_size - 1) + 1)


def test_frames_show_what_pad_makes():
    picture, fillings = eye(), {mode: (mode, 0.0) for mode in PAD_MODES}
    axes = [a for a in borders.frames(picture, 8, fillings).axes if a.get_visible()]
    assert [a.get_title() for a in axes] == [borders.WORDS["original"], *fillings]
    np.testing.assert_array_equal(axes[0].images[0].get_array(), picture)
    for a, (mode, value) in zip(axes[1:], fillings.values(), strict=True):
        expected = pad(picture[None], [(8, 8), (8, 8)], mode, value)[0]
        np.testing.assert_array_equal(a.images[0].get_array(), expected)
        (edge,) = patches(a, "edge")
        assert (edge.get_width(), edge.get_height()) == picture.shape[1::-1]
        assert edge.get_xy() == (7.5, 7.5)


def test_gallery_shows_all_pictures_on_one_scale():
    dark, light = np.full((6, 8), 10.0), np.full((6, 8), 200.0)
    axes = [a for a in pieces.gallery({"dark": dark, "light": light}).axes if a.get_visible()]
    assert [a.images[0].get_clim() for a in axes] == [(0, 200)] * 2


def test_error_profile_plots_the_means_of_rings():
    error = np.arange(63.0).reshape(7, 9)
    (line,) = borders.error_profile({"one": error}, rings=4).axes[0].lines
    np.testing.assert_array_equal(line.get_ydata(), borders.ring_means(error, 4))


@given(height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 99))
def test_ring_means_are_those_of_nested_frames(height, width, seed):
    values = np.random.default_rng(seed).normal(size=(height, width))
    rings = (min(height, width) + 1) // 2
    for ring, mean in enumerate(borders.ring_means(values, rings)):
        outer = values[ring : height - ring, ring : width - ring]
        inner = outer[1:-1, 1:-1]
        count = outer.size - inner.size
        assert mean == pytest.approx((outer.sum() - inner.sum()) / count)
    with pytest.raises(SizeError, match=f"has {rings} rings"):
        borders.ring_means(values, rings + 1)


def test_to_scale_draws_every_pixel_equally_large():
    pictures = {"whole": eye(), "half": eye()[::2, ::2], "quarter": eye()[::4, ::4]}
    (axes,) = borders.to_scale(pictures).axes
    assert axes.get_aspect() == 1
    boxes = []
    for image, picture in zip(axes.images, pictures.values(), strict=True):
        left, right, bottom, top = image.get_extent()
        assert (right - left, bottom - top) == pytest.approx(picture.shape[1::-1])
        boxes.append((left, right, top, bottom))
    for i, (left, right, top, bottom) in enumerate(boxes):  # none covers another
        for other_left, other_right, other_top, other_bottom in boxes[:i]:
            assert left >= other_right or right <= other_left or top >= other_bottom or bottom <= other_top
    assert [text.get_text() for text in axes.texts] == ["whole: 36×48", "half: 18×24", "quarter: 9×12"]


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda: borders.places([]), SizeError, "settings is empty"),
        (lambda: borders.places([Setting(3, 5)]), SizeError, "kernel 5 does not fit into input 3"),
        (lambda: borders.grids([Setting(4, 3, 0)]), SizeError, "stride must be a whole number"),
        (lambda: borders.grids([Setting(4, 3, 1, "some")]), SizeError, "padding 'some' is unknown"),
        (lambda: borders.coverage_maps([]), SizeError, "settings is empty"),
        (lambda: borders.shrinking(32, []), SizeError, "kernel_sizes is empty"),
        (lambda: borders.shrinking(32, [1]), SizeError, "a kernel of 1 never shrinks"),
        (lambda: borders.shrinking(0, [3]), SizeError, "input size must be"),
        (lambda: borders.frames(eye(), 8, {}), SizeError, "fillings is empty"),
        (lambda: borders.frames(eye(), 8, {"x": ("odd", 0)}), SizeError, "mode 'odd' is unknown"),
        (lambda: borders.frames(eye(), -1, FILLINGS), SizeError, "padding must be a whole number"),
        (lambda: borders.frames(np.ones(5), 8, FILLINGS), ShapeError, r"shape \(5,\) cannot be shown"),
        (lambda: pieces.gallery({"x": np.ones((4, 4, 2))}), ShapeError, r"\(4, 4, 2\) cannot be shown"),
        (lambda: pieces.gallery({}), SizeError, "pictures is empty"),
        (lambda: borders.to_scale({}), SizeError, "pictures is empty"),
        (lambda: borders.error_profile({}, 3), SizeError, "errors is empty"),
        (lambda: borders.error_profile({"x": np.ones((4, 4))}, 3), SizeError, "4x4 has 2 rings, not 3"),
    ],
)
def test_bad_input_is_named(draw, error, message):
    with pytest.raises(error, match=message):
        draw()
