"""The figures of chapter 9 show what cnnlib computes, and can be read on a phone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from matplotlib.text import Text

from cnnlib import conv, filters, output_size, pointwise_conv, separable_conv
from cnnlib.errors import ShapeError, SizeError
from cnnlib.plots import style
from cnnlib.plots import variants as plots
from cnnlib.receptive_field import Window, inputs_seen
from cnnlib.sizes import conv_weights, separable_cost
from cnnlib.variants import channel_shuffle, low_rank

RNG = np.random.default_rng(9)
PICTURE = RNG.random((12, 16, 3))
TINY = RNG.integers(-2, 4, (3, 4, 2))
EACH = RNG.integers(-2, 3, (2, 2, 2))
ACROSS = np.array([[1, 1, 0, -1], [2, -1, 1, 0]])
KERNELS = {"Sobel": filters.sobel(), "emboss": filters.emboss(), "nothing": np.zeros((3, 3))}
BARS = {"one": {"a": 1.0, "b": 99.0}, "two": {"a": 50.0, "b": 50.0}}

FIGURES: dict[str, Callable[[], Figure]] = {
    "holes": lambda: plots.holes([1, 2, 3]),
    "stacks": lambda: plots.dilated_stacks([(1, 1, 1), (1, 2, 4), (2, 2)]),
    "mixes": lambda: plots.colour_mixes(PICTURE, RNG.random((3, 3)), ["one", "two", "three"]),
    "maps": lambda: plots.kernel_maps({"a": np.ones((3, 3, 8, 8)), "b": np.ones((5, 3, 2, 8))}),
    "wires": lambda: plots.wires(9, 3),
    "separable": lambda: plots.separable(TINY, EACH, ACROSS),
    "separable of one": lambda: plots.separable(TINY[..., :1], EACH[..., :1], ACROSS[:1]),
    "savings": plots.savings,
    "shares": lambda: plots.shares(BARS),
    "ranks": lambda: plots.ranks(KERNELS),
    "approximations": lambda: plots.approximations(PICTURE[..., 0], filters.emboss(), [1, 2]),
    "pairs": lambda: plots.pair_errors({"a": RNG.random((9, 3, 3)), "b": RNG.random((500, 5, 5))}),
}


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


@pytest.mark.parametrize("name", FIGURES)
def test_figures_can_be_read_on_a_phone(name: str) -> None:
    figure = FIGURES[name]()
    assert figure.get_figwidth() <= style.WIDTH
    shown = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    assert min(text.get_fontsize() for text in shown) >= 10
    figure.draw_without_rendering()  # and without a warning
    box = figure.bbox.padded(1)
    for text in shown:
        extent = text.get_window_extent()
        inside = box.x0 <= extent.x0 and extent.x1 <= box.x1 and box.y0 <= extent.y0 and extent.y1 <= box.y1
        assert inside, text.get_text()


def test_holes_hold_as_many_weights_at_any_dilation() -> None:
    (axes,) = plots.holes([1, 3], kernel_size=3).axes
    squares = [p for p in axes.patches if isinstance(p, Rectangle)]
    taps = [p for p in squares if p.get_hatch()]
    assert len(taps) == 2 * 3 * 3
    spread = sorted({p.get_x() for p in taps[9:]})
    assert np.diff(spread).tolist() == [3, 3]
    assert {"D = 1", "D = 3", "spans 3×3", "spans 7×7"} <= set(texts(axes.figure))


@pytest.mark.parametrize("dilations", [(1, 1), (2, 2, 2), (1, 2, 3), (3,), (1, 2, 4, 8)])
def test_ways_are_zero_just_where_no_input_is_seen(dilations: tuple[int, ...]) -> None:
    counts = plots.ways(dilations)
    stack = [Window(3, dilation_rate=d) for d in dilations]
    assert tuple(np.flatnonzero(counts)) == inputs_seen(stack, index=0, size=len(counts))
    assert counts.sum() == 3 ** len(dilations)
    size = len(counts)
    for dilation in dilations:
        size = output_size(size, 3, dilation=dilation)
    assert size == 1


def test_stacks_hatch_what_is_not_seen_and_write_the_ways() -> None:
    (axes,) = plots.dilated_stacks([(2, 2, 2)]).axes
    hatched = [p for p in axes.patches if isinstance(p, Rectangle) and p.get_hatch()]
    counts = plots.ways((2, 2, 2))
    assert len(hatched) == np.count_nonzero(counts == 0)
    written = [int(t) for t in texts(axes.figure) if t.isdigit()]
    assert written == counts.tolist()
    assert any(t.endswith("7 of 13 inputs seen") for t in texts(axes.figure))
    assert sum(isinstance(p, Circle) for p in axes.patches) == 1 + 3 + 5


def test_stacks_refuse_what_is_too_wide() -> None:
    with pytest.raises(SizeError, match="sees 31 inputs"):
        plots.dilated_stacks([(1, 2, 4, 8)])


def test_mixes_are_those_of_the_pointwise_convolution() -> None:
    weights = np.array([[0.2, 1], [0.3, -1], [0.5, 0]])
    photo, first, second = (axes.images[0] for axes in plots.colour_mixes(PICTURE, weights, "ab").axes[:3])
    expected = pointwise_conv(PICTURE[None], weights)[0]
    assert np.abs(photo.get_array() - PICTURE).max() <= 1 / 62
    np.testing.assert_array_equal(first.get_array(), expected[..., 0])
    np.testing.assert_array_equal(second.get_array(), expected[..., 1])
    assert first.get_clim() == (0, 1)
    low, high = second.get_clim()
    assert low == -high == -np.abs(expected[..., 1]).max()


def test_kernel_maps_are_filled_where_there_is_a_weight() -> None:
    kernel = RNG.integers(0, 2, (2, 3, 4, 5))
    figure = plots.kernel_maps({"some": kernel})
    mask = np.asarray(figure.axes[0].images[0].get_array())
    for filter_, channel in np.ndindex(5, 4):
        box = mask[2 * filter_ : 2 * filter_ + 2, 3 * channel : 3 * channel + 3]
        np.testing.assert_array_equal(box, kernel[:, :, channel, filter_] != 0)
    assert f"some: {np.count_nonzero(kernel)} weights" in texts(figure)


@pytest.mark.parametrize(("channels", "groups"), [(6, 2), (9, 3), (6, 3), (8, 4), (8, 8), (5, 1)])
@pytest.mark.parametrize("shuffled", [False, True])
def test_channels_seen_are_those_that_change_the_output(channels: int, groups: int, shuffled: bool) -> None:
    first, second = (RNG.random((1, channels // groups, channels)) + 0.1 for _ in range(2))
    changed = []
    for channel in range(channels):
        pulse = np.zeros((1, 1, channels))
        pulse[..., channel] = 1
        between = conv(pulse, first, groups=groups)
        between = channel_shuffle(between, groups) if shuffled else between
        changed.append(conv(between, second, groups=groups).ravel() != 0)
    np.testing.assert_array_equal(plots.channels_seen(channels, groups, shuffled), np.transpose(changed))


def test_wires_lead_from_the_channels_that_are_seen() -> None:
    figure = plots.wires(6, 3)
    squares = [p for p in figure.axes[0].patches if isinstance(p, Rectangle)]
    for panel, shuffled in enumerate((False, True)):
        top = squares[panel * 24 : panel * 24 + 6]
        thick = [p.get_linewidth() > 1 for p in top]
        assert thick == plots.channels_seen(6, 3, shuffled)[0].tolist()
    written = [t for t in texts(figure) if t.isdigit()]
    order = channel_shuffle(np.arange(6)[None, None], 3).ravel() + 1
    assert written[24 + 12 : 24 + 18] == [str(n) for n in order]
    assert any("sees 4 of 6" in t for t in texts(figure))


def test_separable_writes_the_numbers_of_both_steps() -> None:
    figure = plots.separable(TINY, EACH, ACROSS)
    result = separable_conv(TINY[None], EACH[..., None], ACROSS[None, None])[0]
    fill = to_rgba(style.COLOURS["output"], 0.3)
    (axes,) = figure.axes
    corners = [p for p in axes.patches if isinstance(p, Rectangle) and p.get_facecolor() == fill]
    at = {tuple(np.round(t.get_position(), 6)): t.get_text() for t in axes.texts}
    drawn = [at[tuple(np.round((p.get_x() + 0.5, p.get_y() + 0.52), 6))] for p in corners]
    assert drawn == [plots.number(float(v)) for v in np.moveaxis(result, -1, 0).ravel()]
    assert {"A + 2B =", "A − B =", "B =", "−A ="} <= set(texts(figure))


def test_savings_are_the_inverse_of_the_cost() -> None:
    (axes,) = plots.savings((3, 5), most=256).axes
    curve = axes.lines[0].get_ydata()
    assert curve[127] == pytest.approx(float(1 / separable_cost((3, 3), 128)))
    (dot,) = (line for line in axes.lines if line.get_marker() == "o")
    enters = int(dot.get_xdata()[0])
    assert separable_cost((3, 3), enters) <= 1 / 8 < float(separable_cost((3, 3), enters - 1))
    assert f"from {enters} channels on" in texts(axes.figure)


def test_shares_are_of_the_whole_and_none_is_left_out() -> None:
    (axes,) = plots.shares(BARS).axes
    assert [p.get_width() for p in axes.patches] == pytest.approx([1, 99, 50, 50])
    assert {"99.0 %", "a 1.0 %", "50.0 %"} <= set(texts(axes.figure))


def test_ranks_draw_singular_values_against_the_largest() -> None:
    figure = plots.ranks(KERNELS)
    bars = [axes for axes in figure.axes if not axes.images]
    for axes, kernel in zip(bars, KERNELS.values(), strict=True):
        values = np.linalg.svd(kernel, compute_uv=False)
        heights = [p.get_height() for p in axes.patches]
        assert heights == pytest.approx(list(values / (values[0] or 1)))
    assert {"Sobel\nrank 1", "emboss\nrank 3", "nothing\nrank 0"} <= set(texts(figure))


def test_approximations_filter_by_the_sum_of_pairs() -> None:
    picture = PICTURE[..., 0]
    figure = plots.approximations(picture, filters.emboss(), [1, 3])
    kernels, answers = figure.axes[::2], figure.axes[1::2]
    for axes, answer, rank in zip(kernels, answers, (1, 3), strict=True):
        best = low_rank(filters.emboss(), rank)
        np.testing.assert_allclose(axes.images[0].get_array(), best.kernel)
        expected = np.abs(filters.apply(picture, best.kernel))
        np.testing.assert_allclose(answer.images[0].get_array(), expected)
        assert any(t.endswith(f"misses {100 * best.error:.0f} %") for t in texts(figure))


def test_pair_errors_rise_to_all_kernels() -> None:
    planes = RNG.normal(size=(40, 3, 3))
    (axes,) = plots.pair_errors({"these": planes}).axes
    (line,) = axes.lines
    np.testing.assert_allclose(line.get_xdata(), np.sort([low_rank(p, 1).error for p in planes]))
    assert line.get_ydata()[-1] == 1


@pytest.mark.parametrize(
    ("draw", "error", "match"),
    [
        (lambda: plots.holes([]), SizeError, "dilations is empty"),
        (lambda: plots.dilated_stacks([]), SizeError, "stacks is empty"),
        (lambda: plots.colour_mixes(PICTURE, np.ones((3, 2)), ["one"]), ShapeError, "1 names"),
        (lambda: plots.colour_mixes(PICTURE[..., 0], np.ones((3, 1)), ["one"]), ShapeError, "go together"),
        (lambda: plots.kernel_maps({"a": np.ones((3, 3))}), ShapeError, "has no map"),
        (lambda: plots.wires(7, 2), ShapeError, "7 channels cannot be split"),
        (lambda: plots.wires(16, 4), SizeError, "more than 12"),
        (lambda: plots.separable(TINY, EACH[..., :1], ACROSS), ShapeError, "go together"),
        (lambda: plots.savings((2,)), SizeError, "2x2 never saves 8 times"),
        (lambda: plots.savings((3, 5, 7, 9, 11)), SizeError, "cannot be told apart"),
        (lambda: plots.shares({"one": {"a": 1}, "two": {"b": 1}}), SizeError, "the same parts"),
        (lambda: plots.approximations(PICTURE, filters.box(), [1]), ShapeError, "has colours"),
        (lambda: plots.approximations(PICTURE[..., 0], filters.box(), []), SizeError, "ranks is empty"),
        (lambda: plots.ranks({}), SizeError, "kernels is empty"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw: Callable[[], Figure], error: type, match: str) -> None:
    with pytest.raises(error, match=match):
        draw()


def test_kernel_maps_count_grouped_weights() -> None:
    full = np.kron(np.eye(4), np.ones((2, 2)))[None, None] * np.ones((3, 3, 1, 1))
    assert f"G: {conv_weights((3, 3), 8, 8, groups=4)} weights" in texts(plots.kernel_maps({"G": full}))


def test_words_can_be_replaced() -> None:
    words = dict(plots.WORDS)
    try:
        plots.WORDS["filters"] = "Filter"
        assert "Filter" in texts(plots.kernel_maps({"a": np.ones((1, 1, 2, 2))}))
    finally:
        plots.WORDS.update(words)
