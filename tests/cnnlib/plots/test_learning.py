"""Figures on learning show what cnnlib computes, can be read, and refuse what they cannot draw."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from cnnlib.activations import ACTIVATIONS, relu, softmax
from cnnlib.convolution import conv_backward
from cnnlib.errors import CnnError, ShapeError, SizeError
from cnnlib.plots import learning as plots
from cnnlib.plots import style
from cnnlib.plots.pieces import MINUS
from cnnlib.pooling import max_pool, max_pool_backward

RNG = np.random.default_rng(11)
SIGNAL, KERNEL, GRADIENT = [3.0, 1, 4, 1], [1.0, 2], [1.0, 0, 2]
PLANE = np.array([[1.0, 0, 2], [0, -1, 0], [3, 0, 1]])
MAP = np.array([[1, -2, 3, 0], [4, 2, -1, 5], [-3, -1, 2, 1], [-2, -4, 0, 6.0]])


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def cells(figure: Figure) -> np.ndarray:
    """The numbers in all cells, in the order in which they were drawn."""
    (axes,) = figure.axes
    found = []
    at = {tuple(np.round(t.get_position(), 6)): t.get_text() for t in axes.texts}
    for patch in axes.patches:
        if isinstance(patch, Rectangle) and patch.get_fill():
            text = at.get(tuple(np.round((patch.get_x() + 0.5, patch.get_y() + 0.52), 6)))
            if text is not None:
                found.append(float(text.replace(MINUS, "-")))
    return np.array(found)


def check_readable(figure: Figure) -> None:
    assert figure.get_figwidth() <= style.WIDTH
    sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text()]
    assert min(sizes, default=10) >= 10
    figure.draw_without_rendering()
    drawn = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert -0.02 <= drawn.x0 < drawn.x1 <= width + 0.02
    assert -0.02 <= drawn.y0 < drawn.y1 <= height + 0.02


def test_bends_draws_every_activation_and_the_slope_of_what_it_draws() -> None:
    names = ["sigmoid", "tanh", "relu", "leaky_relu", "silu", "gelu"]
    figure = plots.bends(names)
    check_readable(figure)
    left, right = figure.axes
    for name, curve, slope in zip(names, left.lines, right.lines, strict=False):
        x, y = curve.get_data()
        np.testing.assert_allclose(y, ACTIVATIONS[name].forward(x))
        middle = (x[1:] + x[:-1]) / 2
        measured = np.diff(y) / np.diff(x)
        away = np.abs(middle) > 0.05  # of the kink
        np.testing.assert_allclose(np.interp(middle, *slope.get_data())[away], measured[away], atol=1e-3)


def test_bends_refuses_nothing_and_the_unknown() -> None:
    with pytest.raises(SizeError, match="names is empty"):
        plots.bends([])
    with pytest.raises(CnnError, match="no activation 'bend'"):
        plots.bends(["bend"])


def test_by_layer_counts_layers_from_one() -> None:
    figure = plots.by_layer({"one": [1e-3, 1e-2], "two": [0.5, 0.25]})
    check_readable(figure)
    for line, values in zip(figure.axes[0].lines, ([1e-3, 1e-2], [0.5, 0.25]), strict=True):
        np.testing.assert_array_equal(line.get_data(), [[1, 2], values])


@pytest.mark.parametrize("values", [[0.1, 0], [0.1, -1], [[0.1], [0.2]]])
def test_by_layer_needs_positive_numbers(values: list) -> None:
    with pytest.raises(SizeError, match="one: sizes on a logarithmic scale"):
        plots.by_layer({"one": values})


@pytest.mark.parametrize(("scores", "label"), [([2, 1, 0], 0), ([0.5, -3, 2, 1], 3)])
def test_from_scores_shows_softmax_and_its_gradient(scores: list[float], label: int) -> None:
    figure = plots.from_scores(scores, label)
    check_readable(figure)
    heights = [[bar.get_height() for bar in axes.containers[0]] for axes in figure.axes]
    probabilities = softmax(np.array(scores, float))
    expected = [scores, np.exp(scores), probabilities, probabilities - np.eye(len(scores))[label]]
    for found, values in zip(heights, expected, strict=True):
        np.testing.assert_allclose(found, values)
    for axes in figure.axes:
        assert [bool(bar.get_hatch()) for bar in axes.containers[0]] == list(np.arange(len(scores)) == label)


@pytest.mark.parametrize("scores", [[1.0], list(range(7)), [[1.0, 2]]])
def test_from_scores_refuses_too_few_and_too_many(scores: list) -> None:
    with pytest.raises(ShapeError, match="2 to 6 classes"):
        plots.from_scores(scores, 0)


@pytest.mark.parametrize(
    ("signal", "kernel", "gradient"),
    [
        (SIGNAL, KERNEL, GRADIENT),
        ([2.0, 0, 1, 3, 5], [1.0, -1, 2], [1.0, -2, 1]),
        ([1.0, 2], [3.0], [1.0, 0.5]),
    ],
)
def test_line_back_shows_both_gradients(signal: list, kernel: list, gradient: list) -> None:
    figure = plots.line_back(signal, kernel, gradient)
    check_readable(figure)
    found = conv_backward(*(np.reshape(a, shape) for a, shape in (
        (gradient, (1, -1, 1)), (signal, (1, -1, 1)), (kernel, (-1, 1, 1)))))  # fmt: skip
    shown = cells(figure)
    stamps = np.multiply.outer(gradient, kernel).ravel()
    expected = [*signal, *gradient * len(kernel), *stamps, *found.inputs.ravel()]
    np.testing.assert_allclose(shown, expected)
    for total in found.kernel.ravel():
        assert any(text.endswith(f"= {plots.number(float(total))}") for text in texts(figure))


def test_line_back_needs_a_gradient_of_the_outputs() -> None:
    with pytest.raises(ShapeError):
        plots.line_back(SIGNAL, KERNEL, [1.0, 2])


@pytest.mark.parametrize("kernel", [[[1.0, 2], [3, 4]], [[1.0, -1, 2]]])
def test_plane_back_shows_what_conv_backward_finds(kernel: list) -> None:
    figure = plots.plane_back(PLANE, kernel, (1, 1))
    check_readable(figure)
    weights = np.array(kernel)
    inputs = np.zeros((1, PLANE.shape[0] + weights.shape[0] - 1, PLANE.shape[1] + weights.shape[1] - 1, 1))
    found = conv_backward(PLANE[None, ..., None], inputs, weights[..., None, None]).inputs
    shown = cells(figure)
    np.testing.assert_allclose(shown[-found.size :], found.ravel())
    turned = shown[-found.size - weights.size : -found.size]
    np.testing.assert_array_equal(turned, weights[::-1, ::-1].ravel())
    window, result = [p for p in figure.axes[0].patches if isinstance(p, Rectangle) and not p.get_fill()]
    assert (window.get_height(), window.get_width()) == weights.shape
    assert (result.get_height(), result.get_width()) == (1, 1)


def test_plane_back_refuses_other_shapes_and_places_outside() -> None:
    with pytest.raises(ShapeError, match="both need"):
        plots.plane_back([1.0, 2], [[1.0]])
    with pytest.raises(SizeError, match="outside the inputs of 4×4"):
        plots.plane_back(PLANE, [[1.0, 2], [3, 4]], (4, 0))


def test_block_back_shows_values_forward_and_gradients_backward() -> None:
    slopes = np.array([[1.0, 2], [3, 4]])
    figure = plots.block_back(MAP, slopes)
    check_readable(figure)
    active = relu(MAP)
    unpooled = max_pool_backward(slopes[None, ..., None], active[None, ..., None], 2)[0, ..., 0]
    pooled = max_pool(active[None, ..., None], 2)[0, ..., 0]
    stages = (MAP, active, pooled, unpooled * (MAP > 0), unpooled, slopes)
    np.testing.assert_array_equal(cells(figure), np.concatenate([stage.ravel() for stage in stages]))


@pytest.mark.parametrize("shape", [(3, 4), (4, 5), (4, 4, 1)])
def test_block_back_needs_whole_windows(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="2×2 windows"):
        plots.block_back(np.ones(shape), np.ones((2, 2)))


def test_progress_shows_both_losses_and_both_accuracies() -> None:
    names = ("loss", "val_loss", "accuracy", "val_accuracy")
    history = {name: list(RNG.random(4)) for name in names}
    figure = plots.progress(history)
    check_readable(figure)
    lines = [line for axes in figure.axes for line in axes.lines]
    for name, line in zip(names, lines, strict=True):
        np.testing.assert_array_equal(line.get_data(), [[1, 2, 3, 4], history[name]])


def test_side_by_side_shows_both_runs_and_where_they_differ() -> None:
    ours = RNG.random(20)
    theirs = ours + np.r_[0, np.full(19, 1e-6)]
    figure = plots.side_by_side({"same": (ours, theirs), "other": (ours, ours[::-1])})
    check_readable(figure)
    first, second, below = figure.axes
    np.testing.assert_array_equal(first.lines[0].get_ydata(), ours)
    np.testing.assert_array_equal(first.lines[1].get_ydata(), theirs)
    np.testing.assert_array_equal(second.lines[1].get_ydata(), ours[::-1])
    np.testing.assert_array_equal(below.lines[0].get_xdata(), range(2, 21))  # the first is no difference
    np.testing.assert_allclose(below.lines[0].get_ydata(), 1e-6, rtol=1e-6)


def test_side_by_side_needs_as_many_batches_in_both() -> None:
    with pytest.raises(ShapeError, match="one: losses of shapes"):
        plots.side_by_side({"one": ([1.0, 2], [1.0])})


def test_by_rate_draws_a_line_for_each_network() -> None:
    losses = {"plain": {0.1: 1.5, 1.0: np.nan}, "normalised": {0.1: 0.5, 1.0: 0.7}}
    figure = plots.by_rate(losses)
    check_readable(figure)
    for line, found in zip(figure.axes[0].lines, losses.values(), strict=True):
        np.testing.assert_array_equal(line.get_data(), [list(found), list(found.values())])


def test_filters_and_answers_show_the_arrays_given() -> None:
    before, after = RNG.normal(size=(2, 5, 5, 1, 2))
    figure = plots.learned_filters(before, after)
    check_readable(figure)
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes]
    np.testing.assert_array_equal(shown, np.moveaxis(np.concatenate([before, after], -1)[:, :, 0], -1, 0))
    image, maps = RNG.random((9, 9)), RNG.random((9, 9, 2))
    figure = plots.answers(image, after, maps)
    check_readable(figure)
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]
    for index in range(2):
        np.testing.assert_array_equal(shown[index], after[:, :, 0, index])
        np.testing.assert_array_equal(shown[3 + index], maps[..., index])
    np.testing.assert_array_equal(shown[2], image)


def test_filters_and_answers_refuse_other_shapes() -> None:
    with pytest.raises(ShapeError, match="grey images"):
        plots.learned_filters(np.ones((5, 5, 3, 6)), np.ones((5, 5, 3, 6)))
    with pytest.raises(ShapeError, match="do not go together"):
        plots.answers(np.ones((9, 9)), np.ones((5, 5, 1, 6)), np.ones((9, 9, 5)))


def test_sheet_shows_pictures_with_their_titles() -> None:
    rows = {"first": list(RNG.random((3, 4, 4))), " ": list(RNG.random((2, 4, 4)))}
    figure = plots.sheet(rows, list("abcde"))
    check_readable(figure)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in shown] == list("abcde")
    for axes, picture in zip(shown, [*rows["first"], *rows[" "]], strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), picture)
    plots.sheet({"dark": [np.zeros((2, 2))]})


def test_sheet_refuses_titles_that_do_not_fit_and_what_is_no_picture() -> None:
    with pytest.raises(ShapeError, match="1 titles for 2 pictures"):
        plots.sheet({"row": list(np.ones((2, 3, 3)))}, ["one"])
    with pytest.raises(ShapeError, match="row: a picture of shape"):
        plots.sheet({"row": [np.ones((3, 3, 3))]})
    with pytest.raises(SizeError, match="rows is empty"):
        plots.sheet({})


def test_confusion_writes_every_count_that_is_not_zero_or_right() -> None:
    counts = np.array([[9, 1, 0], [0, 8, 2], [0, 0, 0]])
    figure = plots.confusion(counts)
    check_readable(figure)
    (axes,) = figure.axes
    written = {tuple(map(int, t.get_position())): t.get_text() for t in axes.texts}
    assert written == {(0, 0): "9", (1, 0): "1", (1, 1): "8", (2, 1): "2", (2, 2): "0"}
    with pytest.raises(ShapeError, match="classes by classes"):
        plots.confusion(np.ones((2, 3)))


def test_firing_marks_the_dead_and_no_others() -> None:
    rates = {"C1": np.array([0.5, 0.0, 1e-6]), "C3": np.array([0.2, 0.3, 0.4, 0.0])}
    figure = plots.firing({"one": rates, "two": {"C1": rates["C1"] + 0.1, "C3": rates["C3"] + 0.1}})
    check_readable(figure)
    marks = [
        line.get_xdata().tolist() for axes in figure.axes for line in axes.lines if line.get_gid() == "dead"
    ]
    assert marks == [[1], [3], [], []]
    heights = [bar.get_height() for bar in figure.axes[0].containers[0]]
    np.testing.assert_array_equal(heights, rates["C1"])
    assert [axes.get_title() for axes in figure.axes] == ["one: C1", "one: C3", "two: C1", "two: C3"]


def test_words_can_be_replaced() -> None:
    words = dict(plots.WORDS)
    try:
        plots.WORDS["pooled"] = "gebündelt"
        assert "gebündelt" in texts(plots.block_back(MAP, np.ones((2, 2))))
    finally:
        plots.WORDS.update(words)
