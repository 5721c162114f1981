"""What many tests of figures ask: can it be read on a phone, and does nothing leave the page?"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text


def _words(figure: Figure) -> list[Text]:
    """Every text that is drawn; ticks beyond the limits of their axis are not."""
    figure.draw_without_rendering()
    beyond = {
        tick.label1
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis.get_major_ticks()
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    }
    found = figure.findobj(Text)
    return [t for t in found if t.get_text().strip() and t.get_visible() and t not in beyond]


def _check_words(figure: Figure, words: Iterable[Text], margin: float = 1) -> None:
    """None of the texts is small, and none leaves the figure by more than ``margin`` pixels."""
    page = figure.bbox.padded(margin)
    for text in words:
        assert text.get_fontsize() >= 10, text
        box = text.get_window_extent()
        assert page.x0 <= box.x0, text
        assert box.x1 <= page.x1, text
        assert page.y0 <= box.y0, text
        assert box.y1 <= page.y1, text


def _check_drawing(figure: Figure) -> None:
    """It draws without a warning, no text is small, and nothing at all leaves the figure."""
    figure.savefig(io.BytesIO(), format="svg")
    assert min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text()) >= 10
    drawn = figure.get_tightbbox()
    assert min(drawn.x0, drawn.y0) > -0.01
    assert drawn.x1 < figure.get_figwidth() + 0.01
    assert drawn.y1 < figure.get_figheight() + 0.01


@pytest.fixture(scope="session")
def words() -> Callable[[Figure], list[Text]]:
    return _words


@pytest.fixture(scope="session")
def check_words() -> Callable[..., None]:
    return _check_words


@pytest.fixture(scope="session")
def check_drawing() -> Callable[[Figure], None]:
    return _check_drawing
