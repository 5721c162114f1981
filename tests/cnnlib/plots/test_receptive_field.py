"""The figures of chapter 8 show what the library computes, and can be read on a phone."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from cnnlib import conv, correlate
from cnnlib.connections import equivariance, shift
from cnnlib.errors import ShapeError, SizeError
from cnnlib.filters import sobel
from cnnlib.layers import Conv2D, Flatten, MaxPooling2D
from cnnlib.network import Input, Sequential
from cnnlib.plots import receptive_field as plots
from cnnlib.plots import style
from cnnlib.receptive_field import Window, inputs_seen, receptive_field, receptive_fields
from cnnlib.sizes import output_size

RNG = np.random.default_rng(8)
PICTURE = RNG.random((18, 24))
KERNEL = sobel("vertical")
ROW, WEIGHTS = [0, 0, 1, 3, 2, 0, 0, 0, 0], [1, -1, 2]
STACKS = {
    "plain": [Window(3)] * 3,
    "mixed": [Window(2, padding="same"), Window(3, 2), Window(2, dilation_rate=2)],
    "padded": [Window(3, padding=1), Window(3, 2, padding=1)],
}


def network() -> Sequential:
    layers = [Conv2D(2, 3, padding="same", name="conv"), MaxPooling2D(2, name="pool"), Flatten(name="flat")]
    return Sequential([Input((18, 24, 1)), *layers])


def moved(strides: int, amount: int):
    windows = [Window(3, strides, "same")]
    return equivariance(
        lambda x: conv(x, KERNEL[..., None, None], strides, padding="same"),
        windows,
        PICTURE[None, ..., None],
        (0, amount),
    )


def energies() -> dict[int, np.ndarray]:
    return {depth: RNG.random((1 + 2 * depth, 1 + 2 * depth)) for depth in (2, 4)}


MAPS = RNG.random((5, 6, 8))
FIGURES = {
    "roads": lambda: plots.two_roads(ROW, WEIGHTS, 2),
    "short road": lambda: plots.two_roads([1, 2], [1], 1),
    "orders": lambda: plots.two_orders(PICTURE, KERNEL, (2, -3)),
    "errors": lambda: plots.error_maps({"one": moved(1, 2), "two": moved(2, 1), "three": moved(2, 2)}),
    "cones": lambda: plots.cones(STACKS, 13, columns=2),
    "one cone": lambda: plots.cones({"plain": STACKS["plain"]}, 9),
    "growth": lambda: plots.growth(STACKS),
    "frames": lambda: plots.frames(PICTURE, network(), {"conv": "first", "pool": "second"}, [0, 4]),
    "gradients": lambda: plots.gradient_maps(energies(), Window(3)),
    "channels": lambda: plots.channels(MAPS, dead=[2, 7]),
    "silent": lambda: plots.channels(np.zeros((4, 4, 1)), dead=[0]),
}


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


@pytest.mark.parametrize("name", FIGURES)
def test_figures_fit_the_page_and_can_be_read_on_a_phone(
    name: str, words: Callable, check_words: Callable
) -> None:
    figure = FIGURES[name]()
    assert figure.get_figwidth() <= style.WIDTH
    figure.savefig(io.BytesIO(), format="svg")
    found = words(figure)
    assert found
    check_words(figure, found)


def test_two_roads_writes_both_results_and_frames_what_is_not_zero() -> None:
    (axes,) = plots.two_roads(ROW, WEIGHTS, 2).axes
    written = [float(t.get_text().replace("−", "-")) for t in axes.texts if re.match(r"[−\d]", t.get_text())]
    row = np.array(ROW, float)
    later = shift(row[None, :, None], 2)[0, :, 0]
    expected = np.concatenate([row, later, correlate(row, WEIGHTS), correlate(later, WEIGHTS)])
    np.testing.assert_array_equal(written, expected)
    frames = [p for p in axes.patches if isinstance(p, Rectangle) and not p.get_fill()]
    assert [frame.get_width() for frame in frames] == [3, 3, 5, 5]
    assert frames[1].get_x() - frames[0].get_x() == frames[3].get_x() - frames[2].get_x() == 2


def test_two_orders_shows_the_photograph_and_the_two_results() -> None:
    figure = plots.two_orders(PICTURE, KERNEL, (2, -3))
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes]
    values, weights = PICTURE[None, ..., None], KERNEL[..., None, None]
    later = shift(values, (2, -3))
    expected = [
        values,
        later,
        shift(conv(values, weights, padding="same"), (2, -3)),
        conv(later, weights, padding="same"),
    ]
    for one, other in zip(shown, expected, strict=True):
        np.testing.assert_allclose(one, other[0, ..., 0])


def test_error_maps_show_the_differences_and_where_equality_is_promised() -> None:
    results = {"equal": moved(1, 2), "broken": moved(2, 1)}
    for axes, (title, result) in zip(plots.error_maps(results).axes, results.items(), strict=True):
        assert axes.get_title() == title
        shown = np.asarray(axes.images[0].get_array())
        np.testing.assert_allclose(shown, np.minimum(result.difference, result.scale / 2))
        (frame,) = [patch for patch in axes.patches if patch.get_gid() == "inside"]
        left, top = frame.get_xy()
        wide, tall = int(frame.get_width()), int(frame.get_height())
        assert wide * tall == result.inside.sum()
        assert result.inside[int(top + 0.5), int(left + 0.5)]
        assert (shown[result.inside].max() == 0) == (title == "equal")


@pytest.mark.parametrize("name", STACKS)
def test_cones_draw_every_unit_and_light_up_what_the_top_one_sees(name: str) -> None:
    stack, size = STACKS[name], 13
    (axes,) = plots.cones({name: stack}, size).axes
    sizes = [size]
    for window in stack:
        sizes.append(output_size(sizes[-1], *window[:4]))
    units = [line for line in axes.lines if line.get_gid() in ("seen", "unseen")]
    assert len(units) == sum(sizes)
    top = sizes[-1] // 2
    for layer, count in enumerate(sizes):
        here = [unit for unit in units if unit.get_ydata()[0] == layer]
        places = [unit.get_xdata()[0] for unit in here]
        field = receptive_field(stack[:layer], size)
        np.testing.assert_allclose(places, field.centre + np.arange(count) * float(field.stride))
        lit = tuple(index for index, unit in enumerate(here) if unit.get_gid() == "seen")
        assert lit == inputs_seen(stack[layer:], top, count)
    said = [text.get_text() for text in axes.texts]
    expected = [f"sees {receptive_field(stack[:n], size).size}" for n in range(1, len(stack) + 1)]
    assert said == ["inputs", *expected]


def test_cones_draw_a_line_for_each_connection() -> None:
    (axes,) = plots.cones({"one": [Window(3)]}, 5).axes
    lines = [line.get_gid() for line in axes.lines if line.get_gid() in ("strong", "faint")]
    assert (lines.count("strong"), lines.count("faint")) == (3, 6)


def test_growth_plots_the_sizes_and_tells_curves_apart_without_colour() -> None:
    axes = plots.growth(STACKS).axes[0]
    for line, (name, stack) in zip(axes.lines, STACKS.items(), strict=True):
        sizes = [receptive_field(stack[:depth]).size for depth in range(len(stack) + 1)]
        np.testing.assert_array_equal(line.get_ydata(), sizes)
        assert line.get_label() == name
    assert len({(line.get_marker(), line.get_linestyle()) for line in axes.lines}) == len(STACKS)


def test_frames_stand_where_the_outputs_look() -> None:
    places = [{"conv": 5, "pool": 1}, 0]
    layers = {"conv": "first", "pool": "second"}
    figure = plots.frames(PICTURE, network(), layers, places)
    fields = receptive_fields(network()).fields
    for axes, chosen in zip(figure.axes, places, strict=True):
        drawn = [patch for patch in axes.patches if patch.get_gid() == "field"]
        for patch, name in zip(drawn, layers, strict=True):
            index = chosen[name] if isinstance(chosen, dict) else chosen
            down, across = fields[name]
            x, y = across.offset + index * across.stride - 0.5, down.offset + index * down.stride - 0.5
            assert patch.get_xy() == (x, y)
            assert (patch.get_width(), patch.get_height()) == (across.size, down.size)
        (ground,) = [patch for patch in axes.patches if patch.get_gid() == "padding"]
        assert ground.get_hatch()
        assert ground.get_x() < min(patch.get_x() for patch in drawn)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["first: 3×3", "second: 4×4"]


def test_gradient_maps_show_each_map_and_bells_of_area_one() -> None:
    given = energies()
    figure = plots.gradient_maps(given, Window(3))
    *maps, chart = figure.axes
    for axes, energy in zip(maps, given.values(), strict=True):
        np.testing.assert_allclose(np.asarray(axes.images[0].get_array()), energy / energy.max())
    for line, (layers, energy) in zip(chart.lines, given.items(), strict=True):
        np.testing.assert_allclose(line.get_ydata(), energy.sum(axis=0) / energy.sum() * len(energy))
        assert str(layers) in line.get_label()
        assert np.mean(line.get_ydata()) == pytest.approx(1)
    for bell, (layers, energy) in zip(chart.collections, given.items(), strict=True):
        outline = bell.get_paths()[0].vertices
        peak = outline[outline[:, 1].argmax()]
        assert peak[0] == pytest.approx(0.5)
        sigma = plots.spread([Window(3)] * layers) / len(energy)
        assert peak[1] == pytest.approx(1 / (sigma * np.sqrt(2 * np.pi)))


@pytest.mark.parametrize("name", STACKS)
def test_the_spread_is_that_of_all_paths(name: str) -> None:
    stack, places = STACKS[name], np.zeros(1)
    for depth, window in enumerate(stack):
        jump = receptive_field(stack[:depth]).stride
        taps = np.arange(window.kernel_size) * window.dilation_rate * jump
        places = np.add.outer(places, taps).ravel()
    assert plots.spread(stack) == pytest.approx(places.std())


def test_channels_cross_out_the_dead_ones_alone() -> None:
    figure = plots.channels(MAPS, dead=[2, 7], columns=5)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert len(shown) == MAPS.shape[-1]
    for channel, axes in enumerate(shown):
        np.testing.assert_array_equal(np.asarray(axes.images[0].get_array()), MAPS[..., channel])
        assert bool(axes.lines) == ("dead" in axes.get_title()) == (channel in (2, 7))
    assert len({axes.images[0].get_clim() for axes in shown}) == 1


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda: plots.two_roads([[1]], [1], 1), ShapeError, "not one row"),
        (lambda: plots.two_roads([1, 2], [1, 1, 1], 1), SizeError, "does not fit"),
        (lambda: plots.two_roads(ROW, WEIGHTS, 0), SizeError, "amount must be"),
        (lambda: plots.two_orders(PICTURE[..., None], KERNEL, (0, 1)), ShapeError, "not grey"),
        (lambda: plots.error_maps({}), SizeError, "results is empty"),
        (lambda: plots.cones({}, 9), SizeError, "stacks is empty"),
        (lambda: plots.cones({"one": [Window(5)]}, 4), SizeError, "kernel 5 does not fit"),
        (lambda: plots.growth({}), SizeError, "ways is empty"),
        (lambda: plots.growth({"none": []}), SizeError, "the stack 'none' is empty"),
        (lambda: plots.frames(PICTURE, network(), {}, [0]), SizeError, "layers is empty"),
        (lambda: plots.frames(PICTURE, network(), {"conv": "c"}, []), SizeError, "places is empty"),
        (lambda: plots.frames(PICTURE, network(), {"cov": "c"}, [0]), ShapeError, "no layer is called 'cov'"),
        (lambda: plots.frames(PICTURE, network(), {"flat": "f"}, [0]), SizeError, "sees everything"),
        (lambda: plots.gradient_maps({}, Window(3)), SizeError, "energies is empty"),
        (lambda: plots.gradient_maps({1: np.ones((3, 4))}, Window(3)), ShapeError, r"shape \(3, 4\)"),
        (lambda: plots.channels(PICTURE, []), ShapeError, "are not"),
    ],
)
def test_bad_input_is_named(draw, error, message) -> None:
    with pytest.raises(error, match=message):
        draw()


def test_words_can_be_replaced() -> None:
    words = dict(plots.WORDS)
    try:
        plots.WORDS["inputs"] = "Eingaben"
        assert "Eingaben" in texts(plots.cones({"one": [Window(3)]}, 5))
    finally:
        plots.WORDS.update(words)
