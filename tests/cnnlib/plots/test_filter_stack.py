"""The figures of chapter 5 show the numbers that cnnlib computes, and can be read on a phone."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from matplotlib.text import Text

from cnnlib import conv, conv_parameters, output_shape
from cnnlib.errors import ShapeError, SizeError
from cnnlib.filters import gaussian, sobel
from cnnlib.plots import filter_stack as plots
from cnnlib.plots import pieces, style

RNG = np.random.default_rng(5)
SMALL = RNG.integers(-3, 4, (3, 4, 3))
FILTER = RNG.integers(-2, 3, (2, 2, 3))
PICTURE = RNG.random((16, 12, 3))
BANK = np.stack(
    [np.multiply.outer(gaussian(3), [1, -1, 0]), np.multiply.outer(sobel(), [1, 1, 1])], axis=-1
).astype(float)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def cells(figure: Figure, colour: str) -> np.ndarray:
    """The numbers in the cells of one colour, in the order in which they were drawn."""
    (axes,) = figure.axes
    fill = (*[int(style.COLOURS[colour][i : i + 2], 16) / 255 for i in (1, 3, 5)], 0.3)
    patches = [p for p in axes.patches if isinstance(p, Rectangle) and p.get_fill()]
    chosen = [p for p in patches if np.allclose(p.get_facecolor(), fill)]
    at = {tuple(np.round(t.get_position(), 6)): t.get_text() for t in axes.texts}
    return np.array(
        [
            float(at[tuple(np.round((p.get_x() + 0.5, p.get_y() + 0.52), 6))].replace(pieces.MINUS, "-"))
            for p in chosen
        ]
    )


def check_readable(figure: Figure) -> None:
    assert isinstance(figure, Figure)
    assert figure.get_figwidth() <= style.WIDTH
    sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text()]
    assert min(sizes) >= 10
    figure.savefig(io.BytesIO(), format="svg")  # draws without a warning
    box = figure.bbox.padded(1)
    for text in figure.findobj(Text):
        if text.get_text():
            extent = text.get_window_extent()
            assert box.x0 <= extent.x0, text.get_text()
            assert extent.x1 <= box.x1, text.get_text()
            assert box.y0 <= extent.y0, text.get_text()
            assert extent.y1 <= box.y1, text.get_text()


@given(
    arrays(float, (4, 5, 3), elements=st.integers(-9, 9)),
    arrays(float, (2, 3, 3), elements=st.integers(-9, 9)),
)
@settings(max_examples=30, deadline=None)
def test_partial_sums_add_up_to_the_feature_map(inputs: np.ndarray, kernel: np.ndarray) -> None:
    sums = plots.partial_sums(inputs, kernel)
    np.testing.assert_allclose(sums.sum(axis=-1), conv(inputs[None], kernel[..., None])[0, ..., 0])
    for channel in range(3):
        alone = conv(inputs[None, ..., [channel]], kernel[:, :, [channel], None])[0, ..., 0]
        np.testing.assert_allclose(sums[..., channel], alone)


@pytest.mark.parametrize("shape", [(3, 4, 2), (3, 4), (3, 4, 3, 1)])
def test_partial_sums_need_as_many_channels_in_both(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="as many channels"):
        plots.partial_sums(np.zeros(shape), np.zeros((2, 2, 3)))


def test_partial_sums_need_a_filter_that_fits() -> None:
    with pytest.raises(SizeError, match="kernel 5 does not fit into input 3"):
        plots.partial_sums(np.zeros((3, 3, 2)), np.zeros((5, 5, 2)))


@pytest.mark.parametrize(("channels", "bias", "place"), [(3, 1, (0, 0)), (2, -2.5, (1, 2)), (1, 0, (0, 1))])
def test_stack_shows_input_kernel_sums_and_feature_map(
    channels: int, bias: float, place: tuple[int, int]
) -> None:
    inputs, kernel = SMALL[..., :channels], FILTER[..., :channels]
    figure = plots.stack(inputs, kernel, bias, place)
    check_readable(figure)
    sums = plots.partial_sums(inputs, kernel)
    result = conv(inputs[None], kernel[..., None], bias=[bias])[0, ..., 0]
    for colour, values in (("input", inputs), ("kernel", kernel), ("second", sums)):
        np.testing.assert_array_equal(cells(figure, colour), np.moveaxis(values, -1, 0).ravel())
    np.testing.assert_allclose(cells(figure, "output"), result.ravel())
    assert any(t.endswith(f"= {pieces.number(result[place])}") for t in texts(figure))


def test_stack_outlines_the_window_of_the_place() -> None:
    (axes,) = plots.stack(SMALL, FILTER, place=(1, 2)).axes
    outlines = [p for p in axes.patches if isinstance(p, Rectangle) and not p.get_fill()]
    windows = [p for p in outlines if (p.get_width(), p.get_height()) == (2, 2)]
    assert len(windows) == SMALL.shape[-1]
    assert {p.get_x() for p in windows} == {2}
    assert len(outlines) == 2 * SMALL.shape[-1] + 1


def test_stack_refuses_a_place_outside() -> None:
    with pytest.raises(SizeError, match=r"place \(2, 0\) lies outside the output of 2×3"):
        plots.stack(SMALL, FILTER, place=(2, 0))


@pytest.mark.parametrize("shape", [(3, 3, 3, 2), (2, 2, 1, 3), (1, 1, 4, 1)])
def test_bank_shows_every_weight_of_every_filter(shape: tuple[int, ...]) -> None:
    weights = RNG.integers(-3, 4, shape).astype(float)
    figure = plots.bank(weights)
    check_readable(figure)
    np.testing.assert_array_equal(cells(figure, "kernel"), np.moveaxis(weights, (3, 2), (0, 1)).ravel())
    named = [t for t in texts(figure) if t.startswith("filter")]
    assert named == [f"filter {i + 1}" for i in range(shape[-1])]


def test_bank_writes_no_negative_zero() -> None:
    assert f"{pieces.MINUS}0" not in texts(plots.bank(-np.zeros((2, 2, 1, 1))))


@pytest.mark.parametrize("shape", [(3, 3, 3), (3, 3, 3, 0), (3,)])
def test_bank_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="is no bank of filters"):
        plots.bank(np.zeros(shape))


def boxes(figure: Figure) -> list[tuple[float, float, float]]:
    """(height, width, channels) of each box, measured on its front and its side."""
    (axes,) = figure.axes
    faces = [p.get_xy() for p in axes.patches if isinstance(p, Polygon)]
    sizes = []
    for front, side in zip(faces[::3], faces[1::3], strict=True):
        width = (side[1, 0] - side[0, 0]) / pieces.SLANT
        sizes.append((front[2, 1] - front[1, 1], width, front[1, 0] - front[0, 0]))
    return [tuple(np.round(size, 6)) for size in sizes]


def test_volumes_are_to_scale_and_named_by_their_sizes() -> None:
    figure = plots.volumes((32, 32, 3), [(5, 6), (5, 10)])
    check_readable(figure)
    first = output_shape((1, 32, 32, 3), 5, 6)
    second = output_shape(first, 5, 10)
    expected = [(32, 32, 3), *[(5, 5, 3)] * 6, first[1:], *[(5, 5, 6)] * 10, second[1:]]
    assert boxes(figure) == expected
    assert {"32×32×3", "5×5×3", "28×28×6", "5×5×6", "24×24×10", "6 filters", "10 maps"} <= set(texts(figure))


@pytest.mark.parametrize(
    ("shape", "layers"), [((10, 10, 3), [(4, 1)]), ((12, 20, 1), [((3, 5), 2), (1, 40)]), ((8, 8, 4), [])]
)
def test_volumes_draw_other_networks(shape: tuple[int, ...], layers: list) -> None:
    figure = plots.volumes(shape, layers, most=5)
    check_readable(figure)
    assert len(boxes(figure)) == 1 + sum(min(filters, 5) + 1 for _, filters in layers)


def test_volumes_refuse_what_does_not_fit() -> None:
    with pytest.raises(SizeError, match="kernel 5 does not fit into input 3"):
        plots.volumes((3, 3, 3), [(5, 1)])
    with pytest.raises(ShapeError, match="3 axes"):
        plots.volumes((32, 32), [(5, 1)])


def images(figure: Figure, framed: bool) -> list[np.ndarray]:
    """The pictures, or the kernels, which have a frame, in the order in which they were drawn."""
    chosen = [axes for axes in figure.axes if axes.images and axes.spines["top"].get_visible() == framed]
    return [np.asarray(axes.images[0].get_array()) for axes in chosen]


def pictures(figure: Figure) -> list[np.ndarray]:
    return images(figure, framed=False)


def kernels(figure: Figure) -> list[np.ndarray]:
    return images(figure, framed=True)


def test_photograph_sums_show_channels_kernels_sums_and_result() -> None:
    weights = BANK[..., 0]
    figure = plots.photograph_sums(PICTURE, weights)
    check_readable(figure)
    sums, shown = plots.partial_sums(PICTURE, weights), pictures(figure)
    for channel in range(3):
        np.testing.assert_array_equal(shown[2 * channel], PICTURE[..., channel])
        np.testing.assert_allclose(shown[2 * channel + 1], sums[..., channel])
        np.testing.assert_array_equal(kernels(figure)[channel], weights[..., channel])
    assert np.abs(shown[6] - PICTURE).max() <= 1 / 62  # few colours, for a small file
    np.testing.assert_allclose(shown[7], sums.sum(axis=-1), atol=1e-12)


def test_photograph_sums_share_one_scale_with_zero_in_the_middle() -> None:
    figure = plots.photograph_sums(PICTURE, BANK[..., 0])
    shown = [axes.images[0] for axes in figure.axes if axes.images]
    sums = [image for image in shown if image.get_array().shape == (14, 10) and image.get_clim() != (0, 1)]
    assert len(sums) == 4
    ((low, high),) = {image.get_clim() for image in sums}
    assert low == -high
    assert high == max(np.abs(image.get_array()).max() for image in sums)
    grey = pieces.GREYS(0.5)
    assert grey == pytest.approx((0.5, 0.5, 0.5, 1))


def test_feature_maps_are_those_of_the_convolution() -> None:
    figure = plots.feature_maps(PICTURE, BANK, ["one", "two"])
    check_readable(figure)
    maps = conv(PICTURE[None], BANK)[0]
    for index, shown in enumerate(pictures(figure)):
        np.testing.assert_array_equal(shown, maps[..., index])
    assert len(kernels(figure)) == conv_parameters((1, 1), 3, 2, use_bias=False)
    assert {"one", "two"} <= set(texts(figure))


def test_feature_maps_of_nothing_are_grey_not_an_error() -> None:
    check_readable(plots.feature_maps(np.zeros((6, 6, 2)), np.ones((3, 3, 2, 3)), list("abc")))


def test_feature_maps_need_a_name_for_each_filter() -> None:
    with pytest.raises(ShapeError, match="1 names for 2 filters"):
        plots.feature_maps(PICTURE, BANK, ["one"])
    with pytest.raises(ShapeError, match="channels"):
        plots.feature_maps(PICTURE[..., :2], BANK, ["one", "two"])


def test_words_can_be_replaced() -> None:
    words = dict(plots.WORDS)
    try:
        plots.WORDS["input"] = "Eingabe"
        assert "Eingabe" in texts(plots.stack(SMALL, FILTER))
    finally:
        plots.WORDS.update(words)
