"""The figures of chapter 1 show what cnnlib computes, and pictures have the properties that it tells of."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from matplotlib.text import Text

from cnnlib import handwritten_digits, photograph
from cnnlib.connections import KINDS, connection_ids, counts, shift
from cnnlib.errors import ShapeError, SizeError
from cnnlib.images import to_floats
from cnnlib.plots import connections as plots
from cnnlib.plots import style
from cnnlib.sizes import conv_parameters, dense_parameters

RNG = np.random.default_rng(1)
UPRIGHT = np.array([[0, 1, 0]] * 3)
PICTURE = RNG.random((12, 16))
DIGITS, LABELS = RNG.random((6, 5, 8)), np.array([0, 0, 1, 1, 2, 2])
SHIFTS = [0, 1, 2]
SIZES = {"small": (8, 8), "large": (16, 20)}
RESULTS = {"one": {"a": 0.5, "b": 0.125}, "two": {"a": 0.75, "b": 1.0}}

FIGURES: dict[str, Callable[[], Figure]] = {
    "scores": lambda: plots.scores(UPRIGHT, {"upright": UPRIGHT, "lying": UPRIGHT.T}),
    "templates": lambda: plots.templates(RNG.normal(size=(20, 7)), (4, 5)),
    "neighbours": lambda: plots.neighbours(PICTURE, PICTURE.T, {"one": PICTURE}, [1, 2, 4]),
    "shifted": lambda: plots.shifted(DIGITS[0], plots.shift_distances(DIGITS, LABELS, SHIFTS), SHIFTS),
    "growth": lambda: plots.growth(SIZES),
    "grids": lambda: plots.grids(RNG.random(40), PICTURE, RNG.random((4, 12, 12))),
    "layers": lambda: plots.layers(6, 3),
    "layers, stride 2": lambda: plots.layers(7, 3, stride=2),
    "matrices": lambda: plots.matrices((5, 5), 3),
    "accuracies": lambda: plots.accuracies(RESULTS, guessing=0.1),
}


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def axes_of(figure: Figure) -> list[Axes]:
    return list(figure.findobj(Axes))


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_can_be_read_and_nothing_leaves_it(name: str, check_words: Callable) -> None:
    figure = FIGURES[name]()
    assert figure.get_figwidth() <= style.WIDTH
    figure.savefig(io.BytesIO(), format="svg")  # draws without a warning
    # powers of ten are not all drawn, and the box of a text is a little larger than its letters
    found = [text for text in figure.findobj(Text) if text.get_text()]
    shown = [text for text in found if "mathdefault" not in text.get_text()]
    check_words(figure, shown, margin=2)


@given(arrays(int, (3, 3, 2), elements=st.integers(-9, 9)))
@settings(max_examples=4, deadline=None)
def test_scores_are_the_sums_of_picture_times_template(numbers: np.ndarray) -> None:
    picture, template = numbers[..., 0], numbers[..., 1]
    (axes,) = plots.scores(picture, {"one": template, "self": picture}).axes
    cells = {(round(p.get_x() + 0.5, 6), round(p.get_y() + 0.52, 6)): p.get_facecolor() for p in axes.patches}
    green = (*[int(style.COLOURS["output"][i : i + 2], 16) / 255 for i in (1, 3, 5)], 0.3)
    shown = [
        int(text.get_text().replace("\N{MINUS SIGN}", "-"))
        for text in axes.texts
        if cells.get(tuple(np.round(text.get_position(), 6))) == pytest.approx(green)  # type: ignore[arg-type]
    ]
    assert shown == [(picture * template).sum(), (picture**2).sum()]


def test_scores_need_templates_of_the_shape_of_the_picture() -> None:
    for templates in ({"one": np.ones((2, 3))}, {}):
        with pytest.raises(ShapeError, match="do not go together"):
            plots.scores(UPRIGHT, templates)


def test_templates_are_the_columns_of_the_weights_on_one_scale() -> None:
    weights = RNG.normal(size=(20, 7))
    figure = plots.templates(weights, (4, 5), names=list("abcdefg"))
    shown = [axes.images[0] for axes in figure.axes if axes.get_visible()]
    assert len(shown) == 7
    for unit, image in enumerate(shown):
        np.testing.assert_array_equal(np.asarray(image.get_array()).ravel(), weights[:, unit])
        assert image.get_clim() == (-np.abs(weights).max(), np.abs(weights).max())
    assert set("abcdefg") <= set(texts(figure))
    with pytest.raises(ShapeError, match=r"they need \(30, units\)"):
        plots.templates(weights, (5, 6))


@pytest.mark.parametrize("distance", [1, 3, 15])
def test_correlation_is_that_of_the_pairs(distance: int) -> None:
    pairs = [
        (PICTURE[i, j], PICTURE[i, j + distance])
        for i, j in np.ndindex(PICTURE.shape[0], PICTURE.shape[1] - distance)
    ]
    expected = np.corrcoef(np.array(pairs).T)[0, 1]
    assert plots.neighbour_correlation(PICTURE, distance) == pytest.approx(expected)


def test_correlation_refuses_what_has_no_pairs() -> None:
    with pytest.raises(SizeError, match="row of 16 are 16 apart"):
        plots.neighbour_correlation(PICTURE, 16)
    with pytest.raises(ShapeError, match="no single brightness"):
        plots.neighbour_correlation(np.zeros((4, 4, 3)), 1)


@pytest.mark.slow
def test_neighbours_in_photographs_are_alike_and_shuffled_ones_are_not() -> None:
    for name in ("camera", "cat", "gravel"):
        grey = to_floats(photograph(name, grey=True))
        found = [plots.neighbour_correlation(grey, distance) for distance in (1, 2, 4, 8)]
        assert found[0] > 0.8
        assert found == sorted(found, reverse=True)
        snow = RNG.permutation(grey.ravel()).reshape(grey.shape)
        assert abs(plots.neighbour_correlation(snow, 1)) < 0.02


def test_distances_are_those_of_every_pair() -> None:
    found = plots.shift_distances(DIGITS, LABELS, SHIFTS)
    apart = np.array([[np.linalg.norm(a - b) for b in DIGITS] for a in DIGITS])
    for index in range(len(DIGITS)):
        others = np.delete(apart[index], index)
        assert found.nearest[index] == pytest.approx(others.min())
        assert found.typical[index] == pytest.approx(np.median(others))
        assert found.nearest_class[index] == pytest.approx(apart[index][LABELS[index] != LABELS].min())
        for row, amount in zip(found.moved, SHIFTS, strict=True):
            moved = shift(DIGITS[index][None, ..., None], (0, amount))[0, ..., 0]
            assert row[index] == pytest.approx(np.linalg.norm(moved - DIGITS[index]))


@pytest.mark.slow
def test_digits_shifted_by_two_pixels_are_farther_than_another_digit() -> None:
    images, labels = handwritten_digits()
    found = plots.shift_distances(to_floats(images)[::10], labels[::10], [1, 2, 4])
    moved = np.median(found.moved, axis=1)
    assert moved[0] < np.median(found.nearest_class) < moved[1]
    assert moved[2] > np.median(found.typical)


@pytest.mark.parametrize(("shape", "labels"), [((4, 6), [0, 0, 1, 1]), ((2, 4, 6), [1, 1]), ((2, 4, 6), [1])])
def test_distances_need_pictures_of_two_classes(shape: tuple[int, ...], labels: list[int]) -> None:
    with pytest.raises(ShapeError, match="cannot be compared"):
        plots.shift_distances(np.zeros(shape), labels, [1])


def test_shifted_draws_the_medians_and_the_copies() -> None:
    found = plots.shift_distances(DIGITS, LABELS, SHIFTS)
    figure = plots.shifted(DIGITS[0], found, SHIFTS)
    pictures = [axes.images[0].get_array() for axes in axes_of(figure) if axes.images]
    for amount, copy in zip(SHIFTS, pictures, strict=True):
        np.testing.assert_array_equal(copy, shift(DIGITS[:1, ..., None], (0, amount))[0, ..., 0])
    (chart,) = [axes for axes in axes_of(figure) if not axes.images]
    np.testing.assert_allclose(chart.lines[0].get_ydata(), np.median(found.moved, axis=1))
    levels = [float(np.asarray(line.get_ydata())[0]) for line in chart.lines[1:]]
    expected = [np.median(values) for values in (found.typical, found.nearest_class, found.nearest)]
    np.testing.assert_allclose(levels, expected)
    with pytest.raises(ShapeError, match="3 rows of distances for 2 shifts"):
        plots.shifted(DIGITS[0], found, SHIFTS[:2])


def test_growth_draws_the_counts_of_the_library() -> None:
    figure = plots.growth(SIZES, kernel_size=3, filters=4, units=10)
    lines = [line for line in figure.axes[0].lines if len(np.asarray(line.get_xdata())) == len(SIZES)]
    drawn = [np.asarray(line.get_ydata()).tolist() for line in lines[:4]]
    shapes = [(1, h, w, 3) for h, w in SIZES.values()]
    full, local, shared = ([counts(kind, shape, 3, 4).parameters for shape in shapes] for kind in KINDS)
    fixed = [dense_parameters(h * w * 3, 10) for h, w in SIZES.values()]
    assert drawn == [full, fixed, local, shared]
    assert set(shared) == {conv_parameters((3, 3), 3, 4)}


def test_grids_frame_windows_of_the_size_asked_for() -> None:
    figure = plots.grids(RNG.random(40), PICTURE, RNG.random((4, 12, 12)), window=3)
    frames = [
        patch
        for axes in axes_of(figure)
        for patch in axes.patches
        if isinstance(patch, Rectangle) and (patch.get_width(), patch.get_height()) == (3, 3)
    ]
    assert len(frames) == 1 + 3
    with pytest.raises(ShapeError, match="frames, height, width"):
        plots.grids(PICTURE, PICTURE, PICTURE)


@pytest.mark.parametrize(("size", "kernel_size", "stride"), [(6, 3, 1), (5, 2, 1), (7, 3, 2)])
def test_layers_number_the_weights_and_draw_a_line_for_each_connection(
    size: int, kernel_size: int, stride: int
) -> None:
    figure = plots.layers(size, kernel_size, stride)
    (axes,) = figure.axes
    expected = [connection_ids(kind, (size,), kernel_size, stride) for kind in KINDS]
    written = [int(text) for text in texts(figure) if text.isdigit()]
    assert written == [int(weight) for ids in expected for weight in ids.ravel() if weight]
    assert len(axes.lines) == sum(int((ids > 0).sum()) for ids in expected)
    filled = [p for p in axes.patches if isinstance(p, Rectangle)]
    assert len(filled) == sum(ids.size for ids in expected)
    circles = [p for p in axes.patches if isinstance(p, Circle)]
    assert len(circles) == 2 * sum(sum(ids.shape) for ids in expected)
    for kind, ids in zip(KINDS, expected, strict=True):
        title = plots.WORDS["counts"].format(
            name=plots.WORDS[kind], lines=(ids > 0).sum(), weights=len(set(ids[ids > 0].tolist()))
        )
        assert title in texts(figure)


def test_shared_weights_are_told_apart_by_line_and_hatching_too() -> None:
    (axes,) = plots.layers(6, 3).axes
    assert {line.get_linestyle() for line in axes.lines[-12:]} == {"-", "--", ":"}
    assert {patch.get_hatch() for patch in axes.patches} >= {"///", "..."}


def test_layers_refuse_kernels_that_cannot_be_told_apart_or_do_not_fit() -> None:
    with pytest.raises(SizeError, match="more than 4 weights"):
        plots.layers(9, 5)
    with pytest.raises(SizeError, match="does not fit"):
        plots.layers(2, 3)


def test_matrices_are_the_connections() -> None:
    figure = plots.matrices((5, 4), (3, 2), strides=(2, 1))
    for axes, kind in zip(figure.axes, KINDS, strict=True):
        ids = connection_ids(kind, (5, 4), (3, 2), (2, 1))
        shown = np.ma.filled(np.ma.asarray(axes.images[0].get_array()).astype(float), np.nan)
        np.testing.assert_array_equal(np.nan_to_num(shown), ids)


def test_accuracies_are_bars_with_their_share() -> None:
    figure = plots.accuracies(RESULTS, guessing=0.1)
    bars = list(figure.axes[0].containers)
    assert [[bar.get_width() for bar in container] for container in bars] == [[0.5, 0.75], [0.125, 1.0]]
    assert {"50%", "75%", "12%", "100%"} <= set(texts(figure))
    assert {bar.get_hatch() for container in bars for bar in container} == {"", "///"}
    for wrong in ({}, {"one": {"a": 1.0}, "two": {"b": 1.0}}):
        with pytest.raises(ShapeError, match="same kinds"):
            plots.accuracies(wrong, 0.1)


def test_words_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(plots.WORDS, "flattened", "eine Zeile")
    assert "eine Zeile" in texts(FIGURES["scores"]())
