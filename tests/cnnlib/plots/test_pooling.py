"""The figures of chapter 7 show the numbers that cnnlib computes, and can be read on a phone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from matplotlib.text import Text

from cnnlib import average_pool, average_pool_backward, max_pool, max_pool_backward, output_shape
from cnnlib.errors import ShapeError, SizeError
from cnnlib.plots import pieces, style
from cnnlib.plots import pooling as plots

RNG = np.random.default_rng(7)
MAP = RNG.permutation(24).reshape(4, 6).astype(float)
BATCH = MAP[None, ..., None]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def rectangles(figure: Figure) -> list[Rectangle]:
    return [p for axes in figure.axes for p in axes.patches if isinstance(p, Rectangle)]


def cells(figure: Figure, colour: str) -> list[str]:
    """What is written in the cells of one colour, in the order in which they were drawn."""
    (axes,) = figure.axes
    fill = (*to_rgb(style.COLOURS[colour]), 0.3)
    at = {tuple(np.round(text.get_position(), 6)): text.get_text() for text in axes.texts}
    chosen = [p for p in rectangles(figure) if np.allclose(p.get_facecolor(), fill)]
    return [at[tuple(np.round((p.get_x() + 0.5, p.get_y() + 0.52), 6))] for p in chosen]


def numbers(values: Any) -> list[str]:
    return [pieces.number(float(value), 2) for value in np.ravel(values)]


def winners(figure: Figure) -> set[tuple[float, float]]:
    """(row, column) of the cells with a thick outline, counted from the figure's left."""
    edge = to_rgb(style.COLOURS["highlight"])
    marked = [p for p in rectangles(figure) if not p.get_fill() and p.get_edgecolor()[:3] == edge]
    return {(round(p.get_y() - 0.06, 6), round(p.get_x() - 0.06, 6)) for p in marked}


def check_readable(figure: Figure) -> None:
    assert figure.get_figwidth() <= style.WIDTH + 1e-9
    assert min(t.get_fontsize() for t in figure.findobj(Text) if t.get_text()) >= 10
    figure.draw_without_rendering()  # lays everything out, without a warning
    drawn = figure.get_tightbbox()  # in inches
    assert min(drawn.x0, drawn.y0) >= -0.01
    assert drawn.x1 <= figure.get_figwidth() + 0.01
    assert drawn.y1 <= figure.get_figheight() + 0.01


@pytest.mark.parametrize("size", [2, 3])
def test_windows_show_what_is_kept(size: int) -> None:
    figure = plots.windows(MAP, size)
    check_readable(figure)
    largest = max_pool(BATCH, size)
    assert cells(figure, "input") == numbers(MAP)
    assert cells(figure, "output") == numbers(largest)
    assert cells(figure, "second") == numbers(average_pool(BATCH, size))
    assert winners(figure) == {tuple(np.argwhere(value == MAP)[0]) for value in largest.ravel()}
    assert sum(p.get_gid() == "window" for p in rectangles(figure)) == largest.size


def test_gradients_go_where_the_backward_passes_send_them() -> None:
    slopes = RNG.integers(-9, 10, (2, 3)) * 4.0
    figure = plots.gradients(MAP, slopes, 2)
    check_readable(figure)
    given = slopes[None, ..., None]
    through = [pool(given, BATCH, 2) for pool in (max_pool_backward, average_pool_backward)]
    assert cells(figure, "kernel") == numbers(slopes) + numbers(through[0]) + numbers(through[1])
    left = slopes.shape[1] + 1.4
    won = {(row, column + left) for row, column in np.argwhere(through[0][0, ..., 0] != 0)}
    assert {tuple(np.round(place, 6)) for place in won} <= winners(figure)


def test_windows_and_gradients_refuse_what_does_not_fit() -> None:
    with pytest.raises(SizeError, match="does not fit"):
        plots.windows(MAP, 5)
    with pytest.raises(ShapeError, match="must be \\(height, width\\)"):
        plots.windows(BATCH, 2)
    with pytest.raises(ShapeError, match="gradient has shape"):
        plots.gradients(MAP, np.ones((2, 2)), 2)


@pytest.mark.parametrize(("shape", "size", "times"), [((224, 224, 64), 2, 2), ((30, 12, 8), 3, 1)])
def test_volumes_are_to_scale(shape: tuple[int, ...], size: int, times: int) -> None:
    figure = plots.volumes(shape, size, times)
    check_readable(figure)
    expected = [shape]
    for _ in range(times):
        expected.append(output_shape((1, *expected[-1]), size, None, size)[1:])
    faces = [p.get_xy() for p in figure.axes[0].patches if isinstance(p, Polygon)]
    drawn = [
        (front[2, 1] - front[1, 1], (side[1, 0] - side[0, 0]) / pieces.SLANT, front[1, 0] - front[0, 0])
        for front, side in zip(faces[::3], faces[1::3], strict=True)
    ]
    np.testing.assert_allclose(drawn, expected)
    assert {pieces.by(s) for s in expected} <= set(texts(figure))


def test_volumes_refuse_a_window_that_does_not_fit() -> None:
    with pytest.raises(SizeError, match="does not fit"):
        plots.volumes((4, 4, 2), 2, 3)


def test_shrunk_pools_by_maximum_above_and_average_below() -> None:
    figure = plots.shrunk(MAP, (1, 2))
    check_readable(figure)
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes]
    expected = [pool(BATCH, size)[0, ..., 0] for pool in (max_pool, average_pool) for size in (1, 2)]
    for one, other in zip(shown, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len({axes.images[0].get_clim() for axes in figure.axes}) == 1
    with pytest.raises(SizeError, match="pool_sizes is empty"):
        plots.shrunk(MAP, ())


def test_moved_hatches_what_has_changed() -> None:
    signal = np.array([4, 1, 9, 2, 1, 7, 3, 2, 5.0])
    figure = plots.moved(signal, 3)
    check_readable(figure)
    before, after = signal[1:], signal[:-1]
    pooled = [max_pool(row.reshape(1, -1, 1), 3, 1, "same").ravel() for row in (before, after)]
    assert cells(figure, "input") == numbers(before) + numbers(after)
    assert cells(figure, "output") == numbers(pooled[0]) + numbers(pooled[1])
    hatched = sum(p.get_hatch() is not None for p in rectangles(figure))
    changed = int((before != after).sum()), int((pooled[0] != pooled[1]).sum())
    assert hatched == sum(changed)
    assert {f"{n} of 8 changed" for n in changed} <= set(texts(figure))


@pytest.mark.parametrize("signal", [[1.0], [[1.0, 2.0]]])
def test_moved_refuses_what_is_no_row(signal: Any) -> None:
    with pytest.raises(ShapeError, match="one row of at least two numbers"):
        plots.moved(signal, 1)


def test_curves_are_told_apart_by_line_and_marker() -> None:
    series = {f"way {k}": RNG.random(5) for k in range(len(plots.LOOKS))}
    figure = plots.curves(series, "shift", "share")
    check_readable(figure)
    lines = figure.axes[0].lines
    for line, values in zip(lines, series.values(), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), values)
    assert len({(str(line.get_linestyle()), line.get_marker()) for line in lines}) == len(series)
    for wrong in ({}, series | {"one more": [1]}):
        with pytest.raises(SizeError, match="curves to draw"):
            plots.curves(wrong, "shift", "share")


def test_words_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(plots.WORDS, "max", "Maximum")
    assert "Maximum" in texts(plots.windows(MAP, 2))
