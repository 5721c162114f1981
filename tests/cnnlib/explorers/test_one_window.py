"""The window on the photograph: its numbers are the library's, in Python and in the browser."""

from __future__ import annotations

import base64
import json
import re
import struct
import zlib
from typing import Any

import numpy as np
import pytest

from cnnlib import filters
from cnnlib.errors import CnnError, ShapeError, SizeError
from cnnlib.explorers import OneWindow
from cnnlib.explorers.one_window import BRIGHT, WORDS
from cnnlib.explorers.pictures import png_url
from cnnlib.plots.one_window import PLACE, photograph_part


@pytest.fixture
def open_window(show: Any) -> Any:
    """A page with this explorer whose pixels have been read."""

    def opened(*explorers: Any, **options: Any) -> Any:
        page = show(*explorers, **options)
        page.locator(".cx-controls").last.wait_for()
        return page

    return opened


def say(page: Any) -> str:
    return page.locator(".cx-say").last.inner_text()


def test_the_page_is_small_and_asks_for_nothing() -> None:
    page = OneWindow()._repr_html_()
    assert len(page.encode()) < 60_000
    assert "http" not in page
    assert page.count("</script>") == 1


def test_it_starts_where_the_figure_does() -> None:
    explorer, part = OneWindow(), photograph_part()
    row, column = PLACE
    window = part[row : row + 3, column : column + 3].astype(int)
    total = int((window * filters.sobel("vertical")).sum())
    assert repr(explorer) == WORDS["say"].format(
        row=row, column=column, values="; ".join(", ".join(map(str, line)) for line in window), sum=total
    )
    picture = explorer._repr_png_()
    assert picture is not None
    assert picture.startswith(b"\x89PNG")


def test_the_picture_holds_the_pixels(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (7, 5)).astype(np.uint8)
    png = base64.b64decode(png_url(pixels).split(",")[1])
    assert struct.unpack(">II", png[16:24]) == (5, 7)
    (length,) = struct.unpack(">I", png[33:37])
    assert png[37:41] == b"IDAT"
    rows = np.frombuffer(zlib.decompress(png[41 : 41 + length]), np.uint8).reshape(7, 6)
    assert (rows[:, 0] == 2).all()
    np.testing.assert_array_equal(np.cumsum(rows[:, 1:], axis=0, dtype=np.uint8), pixels)


def test_numbers_stand_out_from_every_grey() -> None:
    """By the contrast that WCAG asks of small text: 4.5 to 1."""
    for grey in range(256):
        light = grey / 255 / 12.92 if grey / 255 <= 0.04045 else ((grey / 255 + 0.055) / 1.055) ** 2.4
        contrast = 1.05 / (light + 0.05) if grey < BRIGHT else (light + 0.05) / 0.05
        assert contrast >= 4.5, grey


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"image": np.zeros((5, 5, 3))}, ShapeError, "image has shape (5, 5, 3); it needs grey pixels"),
        (
            {"image": np.full((5, 5), 0.5)},
            SizeError,
            "image has values that are no whole numbers from 0 to 255",
        ),
        (
            {"image": np.full((5, 5), 300)},
            SizeError,
            "image has values that are no whole numbers from 0 to 255",
        ),
        (
            {"kernels": {"a": np.ones((3, 3)), "b": np.ones((2, 2))}},
            ShapeError,
            "kernels have shapes … must have",
        ),
        ({"kernels": {}}, ShapeError, "kernels have shapes [] … must have one (height, width)"),
        (
            {"place": (128, 0)},
            SizeError,
            "a window at (128, 0) … choose a row below 128 and a column below 178",
        ),
        ({"name": "1"}, SizeError, "name '1' cannot stand in a link"),
    ],
)
def test_bad_arguments_are_refused(arguments: Any, error: type[CnnError], words: str, says: Any) -> None:
    with pytest.raises(error) as caught:
        OneWindow(**arguments)
    says(caught, words)


def test_the_script_computes_what_python_computes(open_window: Any, rng: np.random.Generator) -> None:
    explorer = OneWindow()
    page = open_window(explorer)
    # As text: a browser hands numbers over one by one.
    pixels = page.evaluate("JSON.stringify(document.querySelector('.cx').explorer.pixels)")
    np.testing.assert_array_equal(json.loads(pixels), explorer.image)
    asked = [
        [
            int(rng.integers(3)),
            int(rng.integers(explorer.maps[0].shape[0])),
            int(rng.integers(explorer.maps[0].shape[1])),
        ]
        for _ in range(150)
    ]
    found = page.evaluate("all => all.map(a => document.querySelector('.cx').explorer.regions(...a))", asked)
    for (kernel, row, column), parts in zip(asked, found, strict=True):
        assert parts == explorer._regions(kernel, (row, column))
    for kernel in range(3):
        page.get_by_role("combobox", name="kernel").select_option(str(kernel))
        shades = "k => JSON.stringify(document.querySelector('.cx').explorer.shades(k))"
        painted = json.loads(page.evaluate(shades, kernel))
        np.testing.assert_array_equal(painted, explorer.shades(kernel))
        drawn = page.evaluate(
            """async () => {
                const image = new Image();
                image.src = document.querySelector('[data-i=pl]').getAttribute('href');
                await image.decode();
                const canvas = new OffscreenCanvas(image.width, image.height), pen = canvas.getContext('2d');
                pen.drawImage(image, 0, 0);
                const { data } = pen.getImageData(0, 0, image.width, image.height);
                return JSON.stringify([...data].filter((_, i) => i % 4 === 0));
            }"""
        )
        np.testing.assert_array_equal(np.reshape(json.loads(drawn), np.shape(painted)), painted)


def test_without_script_and_where_nothing_can_be_unpacked_the_first_window_stays(show: Any) -> None:
    explorer = OneWindow()
    still = show(explorer, java_script_enabled=False)
    moving = show(explorer)
    moving.locator(".cx-controls").wait_for()
    for part in ("numbers", "sum", "say"):
        assert still.locator(f".cx-{part}").inner_html() == moving.locator(f".cx-{part}").inner_html()
    assert still.locator("image").count() == 2
    assert still.locator(".cx-numbers svg").is_visible()
    assert not still.locator(".cx-controls").is_visible()


def test_all_by_keyboard(open_window: Any) -> None:
    explorer, (row, column) = OneWindow(), PLACE
    page = open_window(explorer)
    page.locator(".cx-panels").focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "Shift+ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
    assert say(page) == explorer._regions(0, (row + 1, column - 9))["say"]
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert say(page) == explorer._regions(1, (row + 1, column - 9))["say"]
    page.get_by_role("slider", name="row").focus()
    page.keyboard.press("Home")
    page.get_by_role("slider", name="column").focus()
    page.keyboard.press("End")
    assert say(page) == explorer._regions(1, (0, 177))["say"]
    page.get_by_role("button", name="Reset").press("Enter")
    assert say(page) == repr(explorer)


def at(page: Any, panel: str, row: float, column: float) -> list[float]:
    """Where a pixel of a picture is on the screen."""
    return page.evaluate(
        """([panel, row, column]) => {
            const svg = document.querySelector(`svg[data-p=${panel}]`);
            const box = svg.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;
            return [box.left + column * scale, box.top + row * scale];
        }""",
        [panel, row, column],
    )


def test_by_mouse(open_window: Any) -> None:
    explorer, (row, column) = OneWindow(), PLACE
    page = open_window(explorer)
    page.mouse.move(*at(page, "win", row + 1.5, column + 1.5))
    page.mouse.down()
    page.mouse.move(*at(page, "win", row + 21.5, column - 38.5), steps=5)
    page.mouse.up()
    assert say(page) == explorer._regions(0, (row + 20, column - 40))["say"]
    page.mouse.click(*at(page, "pl", 10.5, 20.5))
    assert say(page) == explorer._regions(0, (10, 20))["say"]


def test_by_finger(open_window: Any, dragged: Any) -> None:
    explorer, (row, column) = OneWindow(), PLACE
    page = open_window(explorer, width=360, has_touch=True, is_mobile=True)
    # It begins beside the frame, where a finger lands.
    places = [at(page, "win", row - 5 + 4 * part, column - 5 - 6 * part) for part in range(6)]
    dragged(page, *places)
    assert say(page) == explorer._regions(0, (row + 20, column - 30))["say"]
    page.touchscreen.tap(*at(page, "win", 11.5, 21.5))
    assert say(page) == explorer._regions(0, (10, 20))["say"]


def test_a_link_brings_the_window_back(open_window: Any) -> None:
    explorer = OneWindow(name="linked")
    page = open_window(explorer)
    page.get_by_role("combobox", name="kernel").select_option("2")
    page.get_by_role("slider", name="row").fill("5")
    page.wait_for_function("location.hash && location.hash === document.querySelector('[data-c=link]').hash")
    found = page.evaluate("location.hash").split("--")[1]
    words = say(page)
    again = open_window(explorer, hash=f"#linked-2--{found}")
    assert say(again) == words == explorer._regions(2, (5, PLACE[1]))["say"]
    packed = base64.urlsafe_b64encode(b"kernel=9&row=x&column=9999").decode().rstrip("=")
    strange = open_window(explorer, hash=f"#linked-3--{packed}")
    assert say(strange) == explorer._regions(2, (PLACE[0], 177))["say"]


def test_axe_finds_nothing_and_nothing_is_cut_off(open_window: Any, violations: Any) -> None:
    assert violations(open_window(OneWindow())) == {}


def test_every_word_comes_from_the_table(open_window: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, text in WORDS.items():
        pieces = re.split(r"(\{\w+\})", text)
        pieces[::2] = ["§" + re.sub(r"\w", "", piece) for piece in pieces[::2]]
        monkeypatch.setitem(WORDS, key, "".join(pieces))
    page = open_window(OneWindow())
    page.locator("[data-c=row]").fill("5")
    left = re.findall(r"[A-Za-z]{2,}", page.locator(".cx").inner_text())
    assert left == []
