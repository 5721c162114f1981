"""What every explorer with settings keeps to: light, self-contained, legible, still until the reader acts."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest

from cnnlib import handwritten_digits
from cnnlib.explorers import (
    ArchitectureWorkbench,
    ConvolutionMicroscope,
    FilterStack,
    NetworkLooking,
    ReceptiveCone,
    ShiftAndPool,
)
from cnnlib.explorers.base import Explorer
from cnnlib.explorers.filter_stack import KINDS
from cnnlib.explorers.workbench import PRESETS
from cnnlib.layers import Conv2D, Dense, Flatten, MaxPooling2D
from cnnlib.network import Input, Sequential
from cnnlib.padding import PAD_MODES
from cnnlib.receptive_field import Window
from cnnlib.sizes import PADDING_MODES


def small_network() -> Sequential:
    """Of the layers that chapter 11 trains for the page, untrained."""
    first, second = Conv2D(6, 5, activation="relu", name="C1"), Conv2D(9, 3, activation="relu", name="C3")
    blocks = [first, MaxPooling2D(2, name="S2"), second, MaxPooling2D(3, name="S4")]
    model = Sequential([Input((28, 28, 1)), *blocks, Flatten(), Dense(10, name="F5")])
    model.initialize(seed=1)
    return model


#: Each as a chapter has it, and where it draws something else.
EXAMPLES: dict[str, Explorer] = {
    "row": ConvolutionMicroscope([3, 1, 4, 1, 5], [1, 0, -1], padding=1),
    "picture": ConvolutionMicroscope(
        np.arange(25).reshape(5, 5) * 7 % 10, [[1, 0, -1], [2, 0, -2], [1, 0, -1]], padding="same", stride=2
    ),
    "transposed": ConvolutionMicroscope([[1, 2], [3, 4]], [[1, 2, 1]] * 3, transposed=True, stride=2),
    "dilated": ConvolutionMicroscope(range(8), [1, -0.5], dilation=3, pad_mode="reflect", padding=2),
    "large": ConvolutionMicroscope(np.arange(36).reshape(6, 6) % 19 - 9, [[1, 0, -1]] * 3, padding="same"),
    "backward": ConvolutionMicroscope(
        np.arange(36).reshape(6, 6) % 10,
        np.arange(9).reshape(3, 3) - 4,
        padding="same",
        stride=(1, 2),
        backward=True,
    ),
    "cone": ReceptiveCone([Window(3)] * 3, 9, presets={"5": [Window(5)] * 3}),
    "strided cone": ReceptiveCone([Window(3, 2, "same"), Window(3, 1, 1, 2)], 12, layer=1, output=0),
    "shifted row": ShiftAndPool([0, 3, 1, 4, 1, 5, 9, 2], 3, strides=1, shift=1),
    "shifted picture": ShiftAndPool(
        np.arange(36).reshape(6, 6) * 7 % 10, 3, strides=2, padding="same", kind="average", ring=True, place=2
    ),
    "stack": FilterStack(
        np.arange(27).reshape(3, 3, 3) % 4, np.arange(36).reshape(2, 2, 3, 3) % 5 - 2, bias=1
    ),
    "groups": FilterStack(
        np.arange(64).reshape(4, 4, 4) % 5, np.arange(144).reshape(3, 3, 4, 4) % 7 - 3, kind="grouped"
    ),
    "workbench": ArchitectureWorkbench(),
    "looking": NetworkLooking(small_network(), handwritten_digits()[0][::500] / 255, digit=7),
}
#: What is called by its name in code, in every language.
NAMES = {
    *PADDING_MODES,
    *PAD_MODES,
    "LeNet",
    "AlexNet",
    "VGG",
    "MobileNet",
    *re.findall("[A-Za-z]{2,}", f"{ArchitectureWorkbench().lines}\n{ArchitectureWorkbench().keras_code()}"),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_page_is_small_and_asks_for_nothing(name: str) -> None:
    page = EXAMPLES[name]._repr_html_()
    assert len(page.encode()) < 30_000
    assert "http" not in page
    assert re.search(r"\bimport\b(?! Sequential)", page) is None, "the program that it writes is no script"
    assert page.count("</script>") == 1


def test_so_is_each_network_to_start_from_and_each_way_to_slide() -> None:
    """Whatever a chapter begins with: all presets of the workbench, all kinds, paddings and ways of a 6×6."""
    made: dict[str, Explorer] = {
        name: ArchitectureWorkbench(lines, shape) for name, (shape, lines) in PRESETS.items()
    }
    picture, weights = np.arange(36).reshape(6, 6) % 19 - 9, [[1, 0, -1], [2, 0, -2], [1, 0, -1]]
    ways: dict[str, dict[str, Any]] = {"forward": {}, "back": {"backward": True}, "up": {"transposed": True}}
    for padding, mode, (way, given) in itertools.product(("valid", "same", 1), PAD_MODES, ways.items()):
        options = {"padding": padding, "pad_mode": mode, **given}
        made[f"{padding} {mode} {way}"] = ConvolutionMicroscope(picture, weights, **options)
    tiny, filters = np.arange(64).reshape(4, 4, 4) % 9 - 4, np.arange(64).reshape(2, 2, 4, 4) % 7 - 3
    for kind in KINDS:
        made[kind] = FilterStack(tiny, filters, bias=1, kind=kind)
    sizes = {name: len(explorer._repr_html_().encode()) for name, explorer in made.items()}
    assert {name: size for name, size in sizes.items() if size >= 30_000} == {}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_printed_page_gets_a_picture(name: str) -> None:
    picture = EXAMPLES[name]._repr_png_()
    assert picture is not None
    assert picture.startswith(b"\x89PNG")


def test_the_script_changes_nothing_until_the_reader_does(show: Any) -> None:
    still, moving = (show(*EXAMPLES.values(), java_script_enabled=on) for on in (False, True))
    for part in ("panels", "sum", "say", "facts"):
        looks = [[one.inner_html() for one in page.locator(f".cx-{part}").all()] for page in (still, moving)]
        assert looks[0] == looks[1]
        assert len(looks[0]) == len(EXAMPLES)
    said = [one.inner_text() for one in moving.locator(".cx-say").all()]
    assert said == [repr(explorer) for explorer in EXAMPLES.values()]
    assert still.locator(".cx-panels").first.is_visible()
    assert not still.locator(".cx-controls").first.is_visible()
    assert moving.locator(".cx-controls").first.is_visible()


def test_axe_finds_nothing_and_nothing_is_cut_off(show: Any, violations: Any) -> None:
    """Of each explorer the smallest example; the tests of the site look at the chapters' own."""
    page = show(
        *(
            EXAMPLES[name]
            for name in ("row", "transposed", "cone", "shifted row", "stack", "workbench", "looking")
        )
    )
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    page.locator("[data-c=stride0]").first.fill("0")
    assert violations(page) == {}


def test_nothing_is_wider_than_a_phone(show: Any) -> None:
    page = show(*EXAMPLES.values(), width=360)
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_translation_reaches_the_script(show: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every word comes from WORDS: with others in their place, none of the old ones is left."""
    for words in {id(explorer.words): explorer.words for explorer in EXAMPLES.values()}.values():
        for key, text in words.items():
            pieces = re.split(r"(\{\w+\})", text)
            pieces[::2] = ["§" + re.sub(r"\w", "", piece) for piece in pieces[::2]]
            monkeypatch.setitem(words, key, "".join(pieces))
    page = show(*EXAMPLES.values())
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    for slider in page.locator("input[type=range]:visible").all():
        slider.press("ArrowLeft")
    left = set(re.findall(r"[A-Za-z]{2,}", page.locator("main").inner_text()))
    assert left - {"Explorers", *NAMES} == set()
