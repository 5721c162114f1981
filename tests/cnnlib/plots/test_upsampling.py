"""The figures of chapter 10 show the numbers that cnnlib computes, and can be read on a phone."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from matplotlib.text import Text

from cnnlib import conv_transpose, max_pool, max_pool_switches, max_unpool, upsample_nearest
from cnnlib.algorithms import conv_transpose_loops, toeplitz_matrix
from cnnlib.errors import ShapeError, SizeError
from cnnlib.layers import Conv2D, Conv2DTranspose, Dense, Flatten
from cnnlib.network import Input, Sequential
from cnnlib.plots import style
from cnnlib.plots import upsampling as plots
from cnnlib.plots.pieces import MINUS, SLANT, number
from cnnlib.upsampling import bed_of_nails, overlap_counts

RNG = np.random.default_rng(10)
ROW, KERNEL = np.array([2, 1, -3]), np.array([1, 3, 2, -5])
MAP = RNG.permutation(24).reshape(4, 6)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def cells(figure: Figure, *colours: str) -> np.ndarray:
    """The numbers in the cells of some colours, from above and from the left: as one reads them."""
    (axes,) = figure.axes
    wanted = [[int(style.COLOURS[name][i : i + 2], 16) / 255 for i in (1, 3, 5)] for name in colours]
    at = {tuple(np.round(t.get_position(), 6)): t.get_text() for t in axes.texts}
    found = []
    for patch in axes.patches:
        if isinstance(patch, Rectangle) and patch.get_fill():
            middle = tuple(np.round((patch.get_x() + 0.5, patch.get_y() + 0.52), 6))
            if middle in at and any(np.allclose(patch.get_facecolor()[:3], colour) for colour in wanted):
                found.append((patch.get_y(), patch.get_x(), float(at[middle].replace(MINUS, "-"))))
    return np.array([value for *_, value in sorted(found)])


def outlines(figure: Figure) -> list[tuple[float, ...]]:
    """(left, top, width, height) of each thick frame."""
    (axes,) = figure.axes
    frames = [p for p in axes.patches if isinstance(p, Rectangle) and not p.get_fill()]
    return [(*frame.get_xy(), frame.get_width(), frame.get_height()) for frame in frames]


def check_readable(figure: Figure) -> None:
    assert figure.get_figwidth() <= style.WIDTH + 1e-9
    figure.savefig(io.BytesIO(), format="svg")  # draws without a warning
    box = figure.bbox.padded(1)
    for text in figure.findobj(Text):
        if text.get_text():
            assert text.get_fontsize() >= 10
            extent = text.get_window_extent()
            assert box.x0 <= extent.x0 <= extent.x1 <= box.x1, text.get_text()
            assert box.y0 <= extent.y0 <= extent.y1 <= box.y1, text.get_text()


def transposed(inputs: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    return conv_transpose_loops(inputs.reshape(1, -1, 1), kernel.reshape(-1, 1, 1), stride).ravel()


def network(*layers: object) -> Sequential:
    return Sequential([Input((12, 8, 3)), *layers])


HOURGLASS = (
    Conv2D(6, 3, strides=2, padding="same"),
    Conv2D(2, 3, strides=2, padding="same"),
    Conv2DTranspose(5, 4, strides=2, padding="same"),
    Conv2DTranspose(1, 2, strides=2),
)


def test_hourglass_draws_every_step_to_scale() -> None:
    figure = plots.hourglass(network(*HOURGLASS))
    check_readable(figure)
    faces = [p.get_xy() for p in figure.axes[0].patches if isinstance(p, Polygon)]
    sizes = [
        (front[2, 1] - front[1, 1], (side[1, 0] - side[0, 0]) / SLANT, front[1, 0] - front[0, 0])
        for front, side in zip(faces[::3], faces[1::3], strict=True)
    ]
    np.testing.assert_allclose(sizes, [(12, 8, 3), (6, 4, 6), (3, 2, 2), (6, 4, 5), (12, 8, 1)])
    shown = texts(figure)
    assert {"12×8×3", "3×2×2", "288 values", "12 values", "encoder", "latent", "decoder"} <= set(shown)


def test_hourglass_without_a_way_up_has_no_decoder() -> None:
    shown = texts(plots.hourglass(network(*HOURGLASS[:2])))
    assert "encoder" in shown
    assert "decoder" not in shown


def test_hourglass_needs_images() -> None:
    with pytest.raises(ShapeError, match="volumes need"):
        plots.hourglass(network(Flatten(), Dense(4)))


@pytest.mark.parametrize("values", [MAP[:, :4], -MAP[:2]])
def test_unpooling_shows_the_winners_and_three_ways_back(values: np.ndarray) -> None:
    figure = plots.unpooling(values)
    check_readable(figure)
    batch = values[None, ..., None].astype(float)
    pooled, switches = max_pool_switches(batch, 2)
    np.testing.assert_array_equal(cells(figure, "input"), values.ravel())
    np.testing.assert_array_equal(cells(figure, "second"), max_pool(batch, 2).ravel())
    expected = [
        bed_of_nails(pooled, 2),
        upsample_nearest(pooled, 2),
        max_unpool(pooled, switches, batch.shape),
    ]
    beside = np.hstack([large[0, ..., 0] for large in expected])
    np.testing.assert_array_equal(cells(figure, "output", "faint"), beside.ravel())
    left = min(p.get_x() for p in figure.axes[0].patches if isinstance(p, Rectangle) and p.get_y() == 0)
    framed = [(top, x - left) for x, top, *_ in outlines(figure)]
    winners = [divmod(place, values.shape[1]) for place in switches.ravel()]
    np.testing.assert_allclose(sorted(framed), sorted(winners))


@pytest.mark.parametrize("shape", [(3, 4), (4, 5), (4,), (0, 2)])
def test_unpooling_needs_even_sides(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="two even sides"):
        plots.unpooling(np.zeros(shape))


@pytest.mark.parametrize("stride", [2, 5])
def test_three_views_of_a_row_show_the_same_outputs(stride: int) -> None:
    expected = transposed(ROW, KERNEL, stride)
    for figure in (
        plots.stamps(ROW, KERNEL, stride),
        plots.matrices(ROW, KERNEL, stride),
        plots.zeros_inserted(ROW, KERNEL, stride),
    ):
        check_readable(figure)
        np.testing.assert_array_equal(cells(figure, "output"), expected)
        np.testing.assert_array_equal(cells(figure, "input"), ROW)


def test_stamps_stand_where_they_are_added() -> None:
    figure = plots.stamps(ROW, KERNEL, 2)
    np.testing.assert_array_equal(cells(figure, "kernel"), np.outer(ROW, KERNEL).ravel())


def test_matrices_are_each_others_transpose() -> None:
    figure = plots.matrices(ROW, KERNEL, 2)
    (axes,) = figure.axes
    shown = {}
    for patch in axes.patches:
        shown[patch.get_xy()] = next(
            t.get_text()
            for t in axes.texts
            if np.allclose(t.get_position(), np.add(patch.get_xy(), (0.5, 0.52)))
        )
    matrix = toeplitz_matrix(KERNEL, 8, 2)
    top, second = (8 - 3) / 2, 8 + 1.6
    for (row, column), weight in np.ndenumerate(matrix):
        written = number(float(weight))
        assert shown[(column, top + row)] == written
        assert shown[(second + row, column)] == written
    assert {"convolution:\n8 → 3", "transposed:\n3 → 8"} <= set(texts(figure))


@pytest.mark.parametrize("place", [0, 4, 7])
def test_zeros_inserted_outlines_the_window_of_its_output(place: int) -> None:
    figure = plots.zeros_inserted(ROW, KERNEL, 2, place)
    window, output = outlines(figure)
    assert window == (place, 0, len(KERNEL), 1)
    under = place + (len(KERNEL) - 1) / 2
    assert output == (under, 4, 1, 1)
    row = cells(figure, "input", "padding")
    seen = row[place : place + len(KERNEL)]
    assert seen @ cells(figure, "kernel") == transposed(ROW, KERNEL, 2)[place]


def test_zeros_inserted_refuses_a_place_outside() -> None:
    with pytest.raises(SizeError, match="place 8 lies outside the 8 outputs"):
        plots.zeros_inserted(ROW, KERNEL, 2, 8)


@pytest.mark.parametrize("draw", [plots.stamps, plots.matrices, plots.zeros_inserted])
def test_views_of_a_row_need_rows(draw: object) -> None:
    with pytest.raises(ShapeError, match=r"inputs of shape \(1, 3\) are no row"):
        draw([[1, 2, 3]], KERNEL)  # type: ignore[operator]
    with pytest.raises(ShapeError, match=r"kernel of shape \(0,\) are no row"):
        draw(ROW, [])  # type: ignore[operator]


@pytest.mark.parametrize("stride", [1, 2])
def test_stamps_2d_show_the_sum_and_outline_first_and_last(stride: int) -> None:
    inputs, kernel = np.array([[1, 2], [3, 4]]), RNG.integers(-3, 4, (3, 3))
    figure = plots.stamps_2d(inputs, kernel, stride)
    check_readable(figure)
    expected = conv_transpose(inputs[None, ..., None], kernel[..., None, None], stride)[0, ..., 0]
    np.testing.assert_array_equal(cells(figure, "output"), expected.ravel())
    first, last, *_ = outlines(figure)
    assert (last[0] - first[0], last[1] - first[1]) == pytest.approx((stride, stride))
    assert first[2:] == last[2:] == (3, 3)


def test_stamps_2d_need_maps() -> None:
    with pytest.raises(ShapeError, match=r"kernel of shape \(3,\) are no map"):
        plots.stamps_2d([[1]], [1, 2, 3])


@pytest.mark.parametrize(("size", "kernels", "stride"), [(5, [3, 4], 2), (3, [5, 2, 3], 3)])
def test_overlap_counts_the_bars_above(size: int, kernels: list[int], stride: int) -> None:
    figure = plots.overlap(size, kernels, stride)
    check_readable(figure)
    expected = [overlap_counts(size, kernel, stride, 0) for kernel in kernels]
    np.testing.assert_array_equal(cells(figure, "output"), np.concatenate(expected))
    bars = [p for p in figure.axes[0].patches if p.get_gid() == "stamp"]
    assert len(bars) == size * len(kernels)
    for index, (kernel, counts) in enumerate(zip(kernels, expected, strict=True)):
        over = [
            (bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars[index * size : (index + 1) * size]
        ]
        middles = np.arange(len(counts)) + 0.5
        assert [sum(a < m < b for a, b in over) for m in middles] == counts.tolist(), kernel


def test_overlap_maps_show_the_counts_and_darken_with_them() -> None:
    figure = plots.overlap_maps(3, [3, 4], 2)
    check_readable(figure)
    first, second = (overlap_counts((3, 3), kernel, 2) for kernel in (3, 4))
    shown = cells(figure, "output")
    assert sorted(shown) == sorted([*first.ravel(), *second.ravel()])
    np.testing.assert_array_equal(shown[: len(first)], first[0])
    shades: dict[str, set[float]] = {}
    patches = [p for p in figure.axes[0].patches if isinstance(p, Rectangle)]
    counts = [text for text in texts(figure) if text.isdigit()]
    for patch, count in zip(patches, counts, strict=True):
        shades.setdefault(count, set()).add(patch.get_facecolor()[3])
    assert {count: len(alphas) for count, alphas in shades.items()} == {"1": 1, "2": 1, "4": 1}
    assert min(shades["1"]) < min(shades["2"]) < min(shades["4"])


@pytest.mark.parametrize("draw", [plots.overlap, plots.overlap_maps])
def test_overlap_needs_a_kernel(draw: object) -> None:
    with pytest.raises(SizeError, match="kernel_sizes is empty"):
        draw(5, [], 2)  # type: ignore[operator]


def test_strips_show_their_pictures_beside_one_another() -> None:
    rows = {"first": RNG.random((4, 7, 5)), "second": RNG.random((4, 7, 5))}
    figure = plots.strips(rows)
    check_readable(figure)
    for axes, pictures in zip(figure.axes, rows.values(), strict=True):
        np.testing.assert_array_equal(np.asarray(axes.images[0].get_array()), np.hstack(list(pictures)))
    assert texts(figure) == ["first", "second"]


def test_strips_refuse_other_shapes() -> None:
    with pytest.raises(SizeError, match="rows is empty"):
        plots.strips({})
    with pytest.raises(ShapeError, match="second has shape"):
        plots.strips({"first": np.zeros((2, 3, 3)), "second": np.zeros((2, 3, 4))})
    with pytest.raises(ShapeError):
        plots.strips({"flat": np.zeros((3, 3))})


def test_words_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(plots.WORDS, "sum", "Summe")
    assert "Summe" in texts(plots.stamps(ROW, KERNEL))
