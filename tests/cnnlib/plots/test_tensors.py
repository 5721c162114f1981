"""The figures of chapter 3 show the numbers that arrays hold, and where they are stored."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.text import Text

from cnnlib.errors import DtypeError, ShapeError, SizeError
from cnnlib.plots import pieces, style
from cnnlib.plots import tensors as plots

RNG = np.random.default_rng(3)
GREY = RNG.integers(0, 256, (20, 30), np.uint8)
COLOUR = RNG.integers(0, 256, (20, 30, 3), np.uint8)
BYTES = np.arange(12, dtype=np.uint8).reshape(3, 4)
VIEWS = {"a": BYTES, "a.T": BYTES.T, "a[:, ::2]": BYTES[:, ::2], "a[::-1]": BYTES[::-1]}
RUNGS = {
    "grey": RNG.random((6, 8)),
    "colour": RNG.random((6, 8, 3)),
    "alpha": RNG.random((6, 8, 4)),
    "video": RNG.random((3, 6, 8, 3)),
}

FIGURES: dict[str, Callable[[], Figure]] = {
    "pixels": lambda: plots.pixels(GREY, 4, 6),
    "planes": lambda: plots.planes(COLOUR, (5, 7)),
    "ladder": lambda: plots.ladder(RUNGS, times=["video"]),
    "frames": lambda: plots.frames({"flat": (1080, 1920, 3), "tall": (1920, 1080, 3)}),
    "memory": lambda: plots.memory(VIEWS),
    "clocks": lambda: plots.clocks([(200, 100), (30, -50)]),
}


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_can_be_read_and_nothing_leaves_it(name: str, check_words: Callable) -> None:
    figure = FIGURES[name]()
    assert figure.get_figwidth() <= style.WIDTH + 1e-9
    figure.savefig(io.BytesIO(), format="svg")  # draws without a warning
    check_words(figure, [text for text in figure.findobj(Text) if text.get_text()])


def test_pixels_writes_the_numbers_of_the_frame_on_their_own_grey() -> None:
    figure = plots.pixels(GREY, top=4, left=6, height=5, width=3)
    (axes,) = figure.axes
    part = GREY[4:9, 6:9]
    written = [int(text) for text in texts(figure) if text.isdigit()]
    assert written == part.ravel().tolist()
    cells = [p for p in axes.patches if isinstance(p, Rectangle) and p.get_fill()]
    shades = [round(p.get_facecolor()[0] * 255) for p in cells]
    assert shades == part.ravel().tolist()
    np.testing.assert_allclose(np.asarray(axes.images[0].get_array()), GREY / 255)
    assert plots.WORDS["rows"].format(4, 8, 6, 8) in texts(figure)


def test_numbers_stand_out_from_their_grey() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    (axes,) = plots.pixels(every, 0, 0, 16, 8).axes
    for text in axes.texts:
        if text.get_text().isdigit():
            light = int(text.get_text()) / 255
            luminance = light / 12.92 if light <= 0.04045 else ((light + 0.055) / 1.055) ** 2.4
            ink = 1.0 if text.get_color() == "white" else 0.0
            low, high = sorted((luminance, ink))
            assert (high + 0.05) / (low + 0.05) >= 4.5, text.get_text()


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (COLOUR, ShapeError, "is not grey"),
        (GREY / 255, DtypeError, "float64"),
        (GREY[:9], SizeError, r"frame of 8x7 at \(4, 6\) leaves the picture of 9x30"),
    ],
)
def test_pixels_refuses_what_it_cannot_show(image: np.ndarray, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        plots.pixels(image, 4, 6)


def test_planes_are_the_channels_with_their_value_at_the_pixel() -> None:
    figure = plots.planes(COLOUR, (5, 7))
    for channel, axes in enumerate(figure.axes[1:]):
        np.testing.assert_allclose(np.asarray(axes.images[0].get_array()), COLOUR[..., channel] / 255)
        name = plots.WORDS["rgb"][channel]
        assert axes.get_title() == f"{name}: {COLOUR[5, 7, channel]}"
    for axes in figure.axes:
        assert all(line.get_xydata().tolist() == [[7, 5]] for line in axes.lines)
    for image, error in ((GREY, ShapeError), (COLOUR / 255, DtypeError)):
        with pytest.raises(error):
            plots.planes(image, (0, 0))
    with pytest.raises(SizeError, match=r"pixel \(20, 0\) lies outside"):
        plots.planes(COLOUR, (20, 0))


def test_ladder_has_a_sheet_for_every_channel_of_every_picture() -> None:
    figure = plots.ladder(RUNGS, times=["video"])
    (axes,) = figure.axes
    sheets = [np.asarray(image.get_array()) for image in axes.images]
    assert len(sheets) == 1 + 3 + 4 + 3 * 3
    np.testing.assert_array_equal(sheets[0], RUNGS["grey"])
    for sheet, channel in zip(sheets[1:4], (2, 1, 0), strict=True):  # the last channel lies at the back
        assert sheet[..., [c for c in range(3) if c != channel]].max() == 0
        order = np.argsort(sheet[..., channel].ravel(), kind="stable")
        assert np.diff(RUNGS["colour"][..., channel].ravel()[order]).min() > -0.1  # in steps of 1/31
    for name, values in RUNGS.items():
        assert f"{name}: {values.shape}" in texts(figure)
    assert texts(figure).count(plots.WORDS["time"]) == 1
    assert plots.WORDS["time"] not in texts(plots.ladder(RUNGS))
    for shape in ((5,), (1, 2, 6, 8, 3)):
        with pytest.raises(ShapeError, match="two to four axes"):
            plots.ladder({"wrong": np.zeros(shape)})


def test_frames_are_to_scale_and_name_their_axes() -> None:
    figure = plots.frames({"flat": (10, 20, 3), "tall": (20, 10, 3)})
    (axes,) = figure.axes
    flat, tall = (p for p in axes.patches if isinstance(p, Rectangle))
    assert flat.get_width() / flat.get_height() == pytest.approx(2)
    assert flat.get_width() == pytest.approx(tall.get_height())
    assert {"axis 0: 10", "axis 1: 20", "(10, 20, 3)", "(20, 10, 3)", "[2, 10]", "[5, 5]"} <= set(
        texts(figure)
    )


def test_memory_shows_what_each_view_reads_and_its_strides() -> None:
    figure = plots.memory(VIEWS)
    written = [int(text) for text in texts(figure) if text.isdigit()]
    assert written == [*range(12), *(int(value) for view in VIEWS.values() for value in view.ravel())]
    for view in VIEWS.values():
        assert plots.WORDS["layout"].format(view.shape, view.strides) in texts(figure)
        for step in view.strides:
            assert f"{step:+d}".replace("-", pieces.MINUS) in texts(figure)
    (axes,) = figure.axes
    assert sum(isinstance(patch, FancyArrowPatch) for patch in axes.patches) == 2 * len(VIEWS)


@pytest.mark.parametrize(
    ("views", "error", "message"),
    [
        ({"a": BYTES, "copy": BYTES.copy()}, SizeError, "copy has a memory of its own"),
        ({"a": BYTES.ravel()}, ShapeError, r"\(rows, columns\)"),
        ({"a": BYTES.astype(np.int16)}, DtypeError, "int16"),
        ({}, SizeError, "empty"),
    ],
)
def test_memory_refuses_what_is_no_view(views: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        plots.memory(views)


@pytest.mark.parametrize(("start", "step", "end"), [(200, 100, 44), (30, -50, 236), (255, 1, 0), (7, -7, 0)])
def test_clocks_go_round_as_numpy_does(start: int, step: int, end: int) -> None:
    assert end == (start + step) % 256
    figure = plots.clocks([(start, step)])
    (axes,) = figure.axes
    sign = "+" if step > 0 else pieces.MINUS
    assert axes.get_title() == f"{start} {sign} {abs(step)} = {end}"
    dots = [line for line in axes.lines if len(line.get_xydata()) == 1]
    for dot, value in zip(dots, (start, end), strict=True):
        x, y = dot.get_xydata()[0]
        turned = np.rad2deg(np.arctan2(x, y)) % 360
        assert round(turned / 360 * 256) % 256 == value


@pytest.mark.parametrize(("start", "step"), [(256, 1), (-1, 1), (5, 0), (5, 256)])
def test_clocks_refuse_what_is_no_byte(start: int, step: int) -> None:
    with pytest.raises(SizeError, match="from 0 to 255"):
        plots.clocks([(start, step)])


def test_words_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(plots.WORDS, "memory", "Speicher")
    assert "Speicher" in texts(FIGURES["memory"]())
