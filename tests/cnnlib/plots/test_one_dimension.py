"""The figures of chapter 2 show what cnnlib computes, in letters that can be read."""

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from matplotlib.text import Text

from cnnlib import conv_macs, convolve, correlate, output_size
from cnnlib.algorithms import toeplitz_matrix
from cnnlib.errors import ShapeError, SizeError
from cnnlib.plots import one_dimension as plots
from cnnlib.plots import style

X = [3, 1, 4, 1, 5, 9]
RANDOM = np.random.default_rng(0)
RECORDING = RANDOM.normal(size=200)

FIGURES = {
    "slide": lambda: plots.slide(X, [-1, 1]),
    "slide, stride": lambda: plots.slide(X, [-1, 1], stride=2),
    "slide, full": lambda: plots.slide([2, 3], [1, -1], padding="full", flip=True),
    "slide, padded": lambda: plots.slide([1, 2, 3], [1, -1, 0.5], padding=(0, 1)),
    "network": lambda: plots.network(6, 2),
    "network, stride": lambda: plots.network(6, 2, stride=2),
    "network, wide": lambda: plots.network(8, 4),
    "product": lambda: plots.product(X, [1, 2, 1]),
    "product, stride": lambda: plots.product(X, [-1, 1], stride=2),
    "stages": lambda: plots.stages(X, [-1, 1], bias=-1),
    "overlap": lambda: plots.overlap(at=2.5),
    "mirrored": lambda: plots.mirrored([0.5, -0.3], [[0, 0], [-0.2, 0.3], [-0.3, 0.5]]),
    "filtered": lambda: plots.filtered(RECORDING, {"mean": [0.5, 0.5], "change": [-1, 1]}, marks=(30,)),
    "matched": lambda: plots.matched(RECORDING, RECORDING[:20], correlate(RECORDING, RECORDING[:20]), [0], 5),
}


@pytest.fixture(params=FIGURES, scope="module")
def figure(request: pytest.FixtureRequest) -> Figure:
    drawn = FIGURES[request.param]()
    assert isinstance(drawn, Figure)
    drawn.draw_without_rendering()
    return drawn


def visible_texts(figure: Figure) -> list[Text]:
    return [t for t in figure.findobj(Text) if t.get_text().strip() and t.get_visible()]


def number_in(text: Text) -> float | None:
    try:
        return float(text.get_text().replace("\N{MINUS SIGN}", "-"))
    except ValueError:
        return None


def cells(figure: Figure) -> list[tuple[float, float, float]]:
    """The numbers written in cells as (row from the top, column, value), rows and columns in inches."""
    corners = [patch.get_xy() for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    texts = {tuple(np.round(t.get_position(), 6)): number_in(t) for t in figure.axes[0].texts}
    half = plots.CELL / 2
    found = [(y, x, texts[(round(x + half, 6), round(y + half, 6))]) for x, y in corners]
    assert all(value is not None for _, _, value in found)
    return sorted((-y, x, value) for y, x, value in found if value is not None)


def test_text_is_large_enough_for_a_phone(figure: Figure) -> None:
    assert min(text.get_fontsize() for text in visible_texts(figure)) >= 10


def test_figure_is_no_wider_than_a_page(figure: Figure) -> None:
    assert figure.get_size_inches()[0] <= style.WIDTH


def test_nothing_is_cut_off_at_the_edge(figure: Figure) -> None:
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert min(drawn.x0, drawn.y0) >= -0.01
    assert drawn.x1 <= width + 0.01
    assert drawn.y1 <= height + 0.01


@pytest.mark.parametrize("name", [name for name in FIGURES if name.startswith(("slide", "product"))])
def test_no_words_of_a_drawing_overlap(name: str) -> None:
    drawn = FIGURES[name]()
    drawn.draw_without_rendering()
    boxes = [text.get_window_extent() for text in visible_texts(drawn)]
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)


@pytest.mark.parametrize(
    ("signal", "kernel", "stride", "padding", "flip"),
    [
        (X, [-1, 1], 1, "valid", False),
        (X, [1, -2, 1], 1, "valid", False),
        (X, [1, 2], 2, "valid", True),
        ([2, 3], [1, -1], 1, "full", False),
        ([2, 3], [1, -1], 1, "full", True),
        ([1, 2, 3, 4], [1, 0, 2], 2, "same", False),
        (X, [1, 2, 3], 2, "valid", False),
    ],
)
def test_slide_writes_the_outputs_of_the_layer(signal, kernel, stride, padding, flip) -> None:  # type: ignore[no-untyped-def]
    rows = [
        list(row)
        for _, row in itertools.groupby(
            cells(plots.slide(signal, kernel, stride, padding, flip)), lambda c: c[0]
        )
    ]
    expected = (convolve if flip else correlate)(signal, kernel, stride, padding)
    assert len(rows) == 1 + len(expected)
    assert [row[-1][2] for row in rows[1:]] == expected.tolist()
    header = rows[0]
    for place, row in enumerate(rows[1:]):
        above = [cell for cell in header if any(np.isclose(cell[1], c[1]) for c in row[:-1])]
        assert [cell[1] for cell in above] == pytest.approx([cell[1] for cell in row[:-1]])
        assert header.index(above[0]) == place * stride
        assert sum(a[2] * c[2] for a, c in zip(above, row[:-1], strict=True)) == expected[place]


def test_slide_spells_the_sums() -> None:
    sums = [t.get_text() for t in plots.slide(X, [1, -2, 1]).axes[0].texts if "=" in t.get_text()]
    assert sums[0] == "1·3 + (−2)·1 + 1·4 ="
    values = [eval(s.removesuffix("=").replace("·", "*").replace("−", "-")) for s in sums]
    assert values == correlate(X, [1, -2, 1]).tolist()


def test_slide_hatches_what_no_window_reaches_and_dashes_the_padding() -> None:
    hatched = [p for p in plots.slide(X, [1, 2, 3], stride=2).axes[0].patches if p.get_hatch()]
    assert len(hatched) == 1
    dashed = [
        p
        for p in plots.slide([2, 3], [1, 1], padding="full").axes[0].patches
        if p.get_linestyle() in ("--", "dashed")
    ]
    assert len(dashed) == 2


@pytest.mark.parametrize(("size", "kernel_size", "stride"), [(6, 2, 1), (6, 2, 2), (6, 3, 1), (9, 4, 2)])
def test_network_draws_a_line_for_every_multiplication(size: int, kernel_size: int, stride: int) -> None:
    convolution, dense = plots.network(size, kernel_size, stride).axes
    places = output_size(size, kernel_size, stride)
    assert len(convolution.lines) == conv_macs((1, size, 1), kernel_size, 1, stride)
    assert len(dense.lines) == size * places
    looks = {(str(line.get_color()), line.get_linestyle()) for line in convolution.lines}
    assert len(looks) == kernel_size  # shared weights, one look each …
    assert len({line.get_linestyle() for line in convolution.lines}) == kernel_size  # … without colour too
    for axes in (convolution, dense):
        assert sum(isinstance(patch, Circle) for patch in axes.patches) == size + places
    joined = {(round(line.get_xdata()[0]), round(line.get_xdata()[1] * 2)) for line in convolution.lines}
    expected = {
        (place * stride + tap, 2 * place * stride + kernel_size - 1)
        for place in range(places)
        for tap in range(kernel_size)
    }
    assert joined == expected
    assert f"{conv_macs((1, size, 1), kernel_size, 1, stride)} lines" in convolution.get_title()
    assert f"{size * places} weights" in dense.get_title()


@pytest.mark.parametrize(("kernel", "stride"), [([-1, 1], 1), ([1, 2, 1], 2), ([3], 1)])
def test_product_writes_matrix_input_and_output(kernel: list[int], stride: int) -> None:
    found = cells(plots.product(X, kernel, stride))
    columns = sorted({round(x, 6) for _, x, _ in found})
    values = [[value for _, x, value in found if np.isclose(x, column)] for column in columns]
    matrix = toeplitz_matrix(np.array(kernel), len(X), stride)
    assert np.array_equal(np.array(values[:-2]).T, matrix)
    assert values[-2] == X
    assert values[-1] == correlate(X, kernel, stride).tolist()


def test_stages_show_the_map_before_and_after_the_activation() -> None:
    rows = [[bar.get_height() for bar in axes.patches] for axes in plots.stages(X, [-1, 1], bias=1).axes]
    feature_map = correlate(X, [-1, 1]) + 1
    assert rows == [X, feature_map.tolist(), np.maximum(feature_map, 0).tolist()]


@pytest.mark.parametrize("at", [0.5, 1.5, 3])
def test_overlap_is_the_integral(at: float) -> None:
    upper, lower = plots.overlap(at).axes
    theory = 1 - np.exp(-at) if at <= 1 else (np.e - 1) * np.exp(-at)
    dot = lower.lines[-1]
    assert dot.get_xdata()[0] == at
    assert dot.get_ydata()[0] == pytest.approx(theory, abs=1e-4)
    push, response = (np.asarray(line.get_ydata()) for line in upper.lines)
    assert (push * response).sum() * 0.01 == pytest.approx(theory, abs=0.01)


def test_mirrored_shows_both_kernels_and_the_way() -> None:
    history = [[0, 0, 0], [-0.2, 0.1, 0.3], [-0.3, 0.2, 0.5]]
    made, learned, path = plots.mirrored([0.5, 0.2, -0.3], history).axes
    assert [bar.get_height() for bar in made.patches] == [0.5, 0.2, -0.3]
    assert [bar.get_height() for bar in learned.patches] == history[-1]
    assert np.array_equal([line.get_ydata() for line in path.lines], np.transpose(history))


def test_filtered_puts_outputs_over_the_middle_of_their_windows() -> None:
    times = 1950 + np.arange(200) / 4
    spike = np.zeros(200)
    spike[100] = 1
    _, symmetric = plots.filtered(spike, {"symmetric": [1, 2, 1]}, times).axes
    x, y = symmetric.lines[0].get_data()
    assert np.asarray(x)[np.argmax(y)] == times[100]  # a symmetric kernel moves nothing
    assert np.array_equal(y, correlate(spike, [1, 2, 1]))


def test_matched_shades_and_marks_what_was_found() -> None:
    template = RECORDING[50:70]
    score = correlate(RECORDING, template)
    _, recording, scores = plots.matched(RECORDING, template, score, [50, 120], threshold=3).axes
    assert [(span.get_x(), span.get_width()) for span in recording.patches] == [(50, 19), (120, 19)]
    markers = [line for line in scores.lines if line.get_marker() == "v"]
    assert [line.get_xdata()[0] for line in markers] == [50, 120]
    assert [line.get_ydata()[0] for line in markers] == score[[50, 120]].tolist()


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda: plots.slide([[1, 2]], [1]), ShapeError, r"signal has shape \(1, 2\)"),
        (lambda: plots.slide([1, 2], [1, 2, 3]), SizeError, "kernel 3 does not fit into input 2"),
        (lambda: plots.slide(range(20), [1, 2]), SizeError, "inches and a page has 5.6"),
        (lambda: plots.product(range(20), [1, 2]), SizeError, "inches and a page has 5.6"),
        (lambda: plots.network(9, 5), SizeError, "at most 4"),
        (lambda: plots.network(2, 3), SizeError, "does not fit"),
        (lambda: plots.stages([1], [1, 2]), SizeError, "does not fit"),
        (lambda: plots.overlap(5), SizeError, "between 0 and 4"),
        (lambda: plots.mirrored([1, 2], [[1, 2, 3]]), ShapeError, r"needs \(steps, 2\)"),
        (lambda: plots.filtered([1, 2, 3], {"": [1]}, times=[1, 2]), ShapeError, "2 times for 3 samples"),
        (lambda: plots.matched(X, [1, 2], [1, 2], []), ShapeError, "2 scores for 5 windows"),
        (lambda: plots.matched(X, [1, 2], range(5), [5]), SizeError, "outside the 5 windows"),
        (lambda: plots.matched(X, [1, 2], range(5), [-1]), SizeError, "at least 0"),
    ],
)
def test_bad_input_is_told_in_words(draw, error, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=message):
        draw()
