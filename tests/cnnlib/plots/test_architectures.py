"""The figures of chapter 12 show what cnnlib counts, keep to the sources, and can be read on a phone."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.text import Text

from cnnlib import architectures as zoo
from cnnlib.architectures.lenet import TABLE
from cnnlib.convolution import conv
from cnnlib.errors import ShapeError, SizeError
from cnnlib.layers import Conv2D, Dense, Flatten, GlobalAveragePooling2D
from cnnlib.network import Input, Sequential
from cnnlib.plots import architectures as plots
from cnnlib.plots import style

VGG = zoo.vgg16().summary()
SMALL = zoo.lenet5_modern().summary()
OPEN = Sequential([Input((None, None, 3)), Conv2D(4, 3), GlobalAveragePooling2D(), Dense(2)]).summary()
STRIPES = np.cos(2 * np.pi * np.arange(60) / 6)
TAPS = np.cos(2 * np.pi * np.arange(-5, 6) / 6)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def widths(axes: Axes) -> list[float]:
    """The lengths of the horizontal bars, in the order in which they were drawn."""
    return [bar.get_width() for container in axes.containers for bar in container]


FIGURES = {
    "timeline": plots.timeline,
    "partial table": lambda: plots.partial_table(TABLE, 6),
    "towers": lambda: plots.towers(zoo.alexnet()),
    "aliasing": lambda: plots.aliasing(STRIPES, TAPS, [4, 2]),
    "memory and parameters": lambda: plots.memory_and_parameters(VGG),
    "training memory": lambda: plots.training_memory(VGG, 128),
    "shares": lambda: plots.shares({"LeNet-5": zoo.lenet5().summary(), "VGG-16": VGG}),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_can_be_read(name: str) -> None:
    figure = FIGURES[name]()
    assert figure.get_figwidth() <= style.WIDTH
    figure.savefig(io.BytesIO(), format="svg")  # draws without a warning
    figure.draw_without_rendering()  # lay it out again at the resolution that is measured
    drawn = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert -0.02 <= drawn.x0 < drawn.x1 <= width + 0.02
    assert -0.02 <= drawn.y0 < drawn.y1 <= height + 0.02
    shown = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    assert min(text.get_fontsize() for text in shown) >= 10


# -- the competition ---------------------------------------------------------------------------------------


def test_the_timeline_has_every_entry_and_the_person() -> None:
    (axes,) = plots.timeline().axes
    assert widths(axes) == [*(entry.error for entry in plots.ILSVRC), plots.HUMAN_ERROR]
    said = texts(axes.figure)
    assert {f"{entry.year}  {entry.name}" for entry in plots.ILSVRC} <= set(said)
    assert "3.57, 152 layers" in said


def test_results_fall_from_year_to_year_and_depths_are_those_of_the_networks() -> None:
    for before, after in itertools.pairwise(plots.ILSVRC):
        assert before.year <= after.year
        assert before.error > after.error
    depths = {entry.name: entry.layers for entry in plots.ILSVRC}
    for name, network in (("AlexNet", zoo.alexnet()), ("VGG", zoo.vgg19()), ("Clarifai", zoo.zfnet())):
        assert depths[name] == sum(isinstance(layer, Conv2D | Dense) for layer in network.layers)


def test_an_empty_competition_is_refused() -> None:
    with pytest.raises(SizeError, match="entries is empty"):
        plots.timeline([])


# -- who sees whom -----------------------------------------------------------------------------------------


def test_the_table_of_c3_is_that_of_the_layer() -> None:
    (axes,) = plots.partial_table(TABLE, 6).axes
    crosses = {tuple(np.round(t.get_position(), 2)) for t in axes.texts if t.get_text() == "×"}
    places = zoo.lenet5().get_layer("C3").places
    assert crosses == {(filter_ + 0.5, channel + 0.52) for channel, filter_ in zip(*places, strict=True)}
    cells = [p for p in axes.patches if isinstance(p, Rectangle)]
    assert len(cells) == 6 * 16
    sums = [int(t.get_text()) for t in axes.texts if t.get_text().isdigit() and t.get_position()[1] > 6]
    assert sums == [len(seen) for seen in TABLE]


def test_a_table_that_speaks_of_other_maps_is_refused() -> None:
    with pytest.raises(SizeError, match="sees map 5, but there are only the maps 0 to 4"):
        plots.partial_table(TABLE, 5)


def test_towers_halve_every_layer_and_cross_only_where_both_are_read() -> None:
    (axes,) = plots.towers(zoo.alexnet()).axes
    said = texts(axes.figure)
    for name, half in (("conv1  11×11", "55×55×48"), ("conv4  3×3", "13×13×192"), ("fc6", "2048")):
        assert said.count(name) == 2
        assert said.count(half) >= 2
    assert said.count("fc8") == said.count("1000") == 1
    arrows = [p for p in axes.patches if isinstance(p, FancyArrowPatch)]
    crossing = [p for p in arrows if p.get_linestyle() not in ("-", "solid")]
    assert len(crossing) == 2 * 3  # before conv3, fc6 and fc7
    # Two from the input, two into fc8; four where both towers are read, two where only their own.
    assert len(arrows) == 2 + 2 + 3 * 4 + 3 * 2


def test_a_network_without_towers_is_refused() -> None:
    with pytest.raises(ShapeError, match="alexnet_1_tower has no convolution in two groups"):
        plots.towers(zoo.alexnet(towers=1))


# -- stripes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_the_answers_are_those_of_the_convolution(stride: int) -> None:
    figure = plots.aliasing(STRIPES, TAPS, [stride])
    every, some = figure.axes[1].lines[:2]
    full = conv(STRIPES[None, :, None], TAPS[:, None, None])[0, :, 0]
    np.testing.assert_allclose(every.get_ydata(), full)
    np.testing.assert_allclose(some.get_ydata(), full[::stride])
    np.testing.assert_array_equal(some.get_xdata(), every.get_xdata()[::stride])


def test_stripes_must_be_a_row_and_strides_be_given() -> None:
    with pytest.raises(ShapeError, match="are no rows"):
        plots.aliasing(STRIPES[None], TAPS, [2])
    with pytest.raises(SizeError, match="strides is empty"):
        plots.aliasing(STRIPES, TAPS, [])
    with pytest.raises(SizeError, match="kernel 11 does not fit into input 6"):
        plots.aliasing(STRIPES[:6], TAPS, [2])


# -- memory and parameters ---------------------------------------------------------------------------------


def test_bars_are_the_bytes_and_the_parameters_of_every_row() -> None:
    left, right = plots.memory_and_parameters(VGG).axes
    rows = [row for row in VGG.rows if row.kind not in ("Dropout", "Flatten")]
    assert [label.get_text() for label in left.get_yticklabels()] == [row.name for row in rows]
    np.testing.assert_allclose(widths(left), [row.bytes / 2**20 for row in rows])
    np.testing.assert_allclose(widths(right), [row.parameters / 1e6 for row in rows])


def test_the_lines_of_training_cross_where_they_are_equal() -> None:
    (axes,) = plots.training_memory(VGG, 100).axes
    weights, kept, mark = axes.lines
    dropout = sum(row.bytes for row in VGG.rows if row.kind == "Dropout")
    np.testing.assert_allclose(weights.get_ydata(), 3 * VGG.weight_bytes / 2**30)
    np.testing.assert_allclose(kept.get_ydata()[-1], 100 * (VGG.bytes - dropout) / 2**30)
    x, y = mark.get_xdata()[0], mark.get_ydata()[0]
    np.testing.assert_allclose(y, np.interp(x, kept.get_xdata(), kept.get_ydata()))
    np.testing.assert_allclose(y, weights.get_ydata()[0])
    assert f"{x:.1f} images" in texts(axes.figure)


def test_lines_that_do_not_meet_are_not_marked() -> None:
    (axes,) = plots.training_memory(VGG, 10).axes
    assert len(axes.lines) == 2


def total(parts: Iterable[dict[str, int]]) -> list[int]:
    return [sum(part.values()) for part in parts]


@pytest.mark.parametrize("summary", [VGG, SMALL, zoo.lenet5().summary()], ids=lambda s: s.name)
def test_the_parts_of_a_network_add_up_to_the_whole(summary) -> None:
    dropout = sum(row.values for row in summary.rows if row.kind == "Dropout")
    assert total(plots.divided(summary)) == [summary.parameters, summary.macs, summary.values - dropout]


def test_shares_fill_a_hundred_per_cent_in_the_order_of_the_kinds() -> None:
    (axes,) = plots.shares({"small": SMALL}).axes
    found = np.reshape(widths(axes), (3, len(plots.KINDS)))
    np.testing.assert_allclose(found.sum(axis=1), 100)
    dense = sum(row.parameters for row in SMALL.rows if row.kind == "Dense")
    np.testing.assert_allclose(found[0, list(plots.KINDS).index("dense")], 100 * dense / SMALL.parameters)


def test_every_row_has_a_kind_by_its_layer() -> None:
    kinds = {row.name: plots.kind(row) for row in zoo.lenet5().summary().rows}
    assert {name for name, word in kinds.items() if word == "conv"} == {"C1", "C3", "C5"}
    assert {name for name, word in kinds.items() if word == "pool"} == {"S2", "S4"}
    assert {name for name, word in kinds.items() if word == "dense"} == {"F6", "output"}
    flat = Sequential([Input((4, 4, 1)), Flatten(), Dense(2)]).summary()
    assert [plots.kind(row) for row in flat.rows] == ["other", "other", "dense"]


@pytest.mark.parametrize(
    "draw",
    [
        plots.memory_and_parameters,
        lambda s: plots.training_memory(s, 8),
        lambda s: plots.shares({"x": s}),
    ],
    ids=["bars", "lines", "shares"],
)
def test_open_sizes_are_refused(draw) -> None:
    with pytest.raises(SizeError, match="has open sizes"):
        draw(OPEN)


def test_no_networks_are_refused() -> None:
    with pytest.raises(SizeError, match="give at least one network"):
        plots.shares({})


def test_words_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(plots.WORDS, "error", "Fehler")
    assert "Fehler" in texts(plots.timeline())
