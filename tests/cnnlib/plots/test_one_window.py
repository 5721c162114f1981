"""The picture on the first page shows the numbers that are there."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from cnnlib import correlate, filters
from cnnlib.errors import ShapeError
from cnnlib.plots import one_window as plots
from cnnlib.plots import style


def numbers(figure: Figure) -> list[list[float]]:
    """What is written into the cells of each grid: the pixels, the kernel, the sum."""
    return [[float(text.get_text().replace("−", "-")) for text in axes.texts if text.get_text() not in "×="]
            for axes in figure.axes[2:]]  # fmt: skip


@pytest.mark.parametrize(
    "kernel", [filters.sobel("vertical"), filters.sobel("diagonal"), filters.laplacian()]
)
@pytest.mark.parametrize("place", [plots.PLACE, (0, 0), (127, 177)])
def test_the_numbers_are_those_of_the_window(kernel: np.ndarray, place: tuple[int, int]) -> None:
    image = plots.photograph_part()
    figure = plots.one_window(image, kernel, place)
    pixels, weights, total = numbers(figure)
    row, column = place
    assert pixels == image[row : row + 3, column : column + 3].ravel().tolist()
    assert weights == kernel.ravel().tolist()
    assert total == [correlate(image, kernel)[place]]
    assert total == [sum(p * w for p, w in zip(pixels, weights, strict=True))]


def test_the_feature_map_is_drawn_whole() -> None:
    image, kernel = plots.photograph_part(), filters.sobel("vertical")
    figure = plots.one_window(image, kernel)
    drawn = figure.axes[1].images[0].get_array()
    np.testing.assert_array_equal(drawn, correlate(image, kernel))
    assert figure.axes[1].images[0].norm(0) == pytest.approx(0.5)  # 0 is mid-grey


def test_the_window_of_the_first_page_meets_an_edge() -> None:
    result = correlate(plots.photograph_part(), filters.sobel("vertical"))
    assert result[plots.PLACE] > 0.7 * np.abs(result).max()


def test_it_can_be_read_on_a_phone() -> None:
    figure = plots.one_window(plots.photograph_part(), filters.sobel("vertical"))
    assert figure.get_figwidth() <= style.WIDTH
    texts = [text for text in figure.findobj(Text) if text.get_text()]
    assert len(texts) > 20
    assert min(text.get_fontsize() for text in texts) >= 10


@pytest.mark.parametrize("place", [(128, 0), (0, 178), (-1, 0)])
def test_a_window_outside_the_picture_is_refused(place: tuple[int, int]) -> None:
    with pytest.raises(ShapeError, match="choose a row below 128 and a column below 178"):
        plots.one_window(plots.photograph_part(), filters.sobel("vertical"), place)
