"""The cone: its numbers are those of the library, in Python and, letter for letter, in the browser."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from cnnlib.errors import CnnError, ShapeError, SizeError
from cnnlib.explorers import ReceptiveCone
from cnnlib.receptive_field import EVERYTHING, Window, inputs_seen, receptive_field
from cnnlib.sizes import PADDING_MODES

STACK = [Window(3, 2, "same"), Window(3, padding=1), Window(2, 2)]


def drawn(count: int) -> list[tuple[list[Window], int]]:
    """Stacks drawn at random; some do not fit."""
    random = np.random.default_rng(20260108)

    def window() -> Window:
        padding = [*PADDING_MODES, "same", 0, 1, 1, 2, 5][random.integers(10)]
        dilation = int(random.integers(1, 4)) if random.random() < 0.3 else 1
        return Window(int(random.integers(1, 5)), int(random.choice([1, 1, 1, 2, 3])), padding, dilation)

    return [
        ([window() for _ in range(random.integers(1, 7))], int(random.integers(1, 33))) for _ in range(count)
    ]


def state(stack: list[Window], size: int) -> dict[str, Any]:
    """What the script reads from its fields."""
    layers = {
        f"{name}{place}": value
        for place, window in enumerate(stack)
        for name, value in zip(("kernel", "stride", "padding", "dilation"), window[:4], strict=True)
    }
    return {"size": size, "depth": len(stack), **layers}


def say(page: Any) -> str:
    return page.locator(".cx-say").inner_text()


def test_the_numbers_are_those_of_the_library() -> None:
    explorer = ReceptiveCone(STACK, 16)
    for layer in range(1, 4):
        field = receptive_field(STACK[:layer], 16)
        for output in range((8, 8, 4)[layer - 1]):
            parts = explorer._regions(layer, output)
            seen = inputs_seen(STACK[:layer], output, 16)
            first = field.offset + output * int(field.stride)
            words = parts["say"].replace("−", "-")
            assert f"stretch of {field.size}, from {first} to {first + field.size - 1}" in words
            assert f"reads {len(seen)}: {', '.join(map(str, seen))}." in words
            assert parts["panels"].count("class=in ") == len(seen)
        row = re.findall("<tr.*?</tr>", parts["facts"])[layer + 1]
        cells = [int(text.replace("−", "-")) for text in re.findall(r"<td>(\S+?)</td>", row)]
        assert cells == [(8, 8, 4)[layer - 1], field.size, field.stride, field.offset]
        rule = parts["sum"].replace("·", "*").replace("−", "-")
        sides = [side.split(" ", 1)[1].split(" = ") for side in rule.split(", ")]
        assert [[eval(term), int(value)] for term, value in sides] == [[v, v] for v in cells[1:]]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (
            ([Window(3), Window(5)], 6),
            SizeError,
            "layer 2, axis 0: kernel 5 does not fit into input 4; pad by",
        ),
        (([Window(0)], 6), SizeError, "layer 1: kernel must be a whole number of at least 1, not 0"),
        (([Window(1, padding=-1)], 6), SizeError, "layer 1: padding must be a whole number of at least 0"),
        (([Window(1, padding="sam")], 6), SizeError, "layer 1, axis 0: padding 'sam' is unknown; use one of"),
        (([Window(1, padding=(0, 1))], 6), SizeError, "layer 1: padding must be a whole number … not (0, 1)"),
        (([Window(2, 2, transposed=True)], 6), ShapeError, "layer 1 is Window(… the cone shows windows that"),
        (([EVERYTHING], 6), ShapeError, "layer 1 is 'everything'; the cone shows windows that slide"),
        (([], 6), SizeError, "there are 0 layers; the cone shows 1 to 6"),
        (([Window(1)] * 7, 6), SizeError, "there are 7 layers; the cone shows 1 to 6"),
        (([Window(1)], 33), SizeError, "size is 33; use at most 32"),
        (([Window(1, padding=9)], 32), SizeError, "50 places side by side are more … use at most 48"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    arguments: Any, error: type[Exception], words: str, says: Any
) -> None:
    with pytest.raises(error) as caught:
        ReceptiveCone(*arguments)
    says(caught, words)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({"layer": 4}, "layer 4 is none of the 3 layers"),
        ({"output": 4}, "output 4 is none of the 4 outputs of layer 3"),
    ],
)
def test_a_place_that_is_none_is_refused(place: Any, words: str, says: Any) -> None:
    with pytest.raises(SizeError) as caught:
        ReceptiveCone(STACK, 16, **place)
    says(caught, words)


def test_the_script_computes_what_python_computes(show: Any, asked: Any) -> None:
    """Hundreds of stacks: the same HTML, numbers and words, and the same refusals."""
    cases, answers = [], []
    for number, (stack, size) in enumerate(drawn(1000)):
        places = [{"layer": 1, "output": 0}]
        try:
            explorer = ReceptiveCone(stack, size)
        except CnnError as error:
            answers.append(str(error))
        else:
            if number % 4:
                places = [{"layer": explorer.layer, "output": explorer.output}]
            answers.append([explorer._regions(**place) for place in places])
        cases.append((state(stack, size), places))
    assert sum(isinstance(answer, list) for answer in answers) >= 500
    assert len({answer.split(" ")[3] for answer in answers if isinstance(answer, str)}) >= 2
    assert asked(show(ReceptiveCone(STACK, 16)), cases) == answers


def test_all_by_keyboard(show: Any) -> None:
    explorer = ReceptiveCone(STACK, 16, presets={"dilated": [Window(3, dilation_rate=2)] * 2})
    page = show(explorer)
    page.locator(".cx-panels").focus()
    for key, layer, output in (
        ("ArrowLeft", 3, 1),
        ("ArrowUp", 3, 1),
        ("ArrowDown", 2, 3),
        ("ArrowDown", 1, 3),
        ("ArrowDown", 1, 3),
        ("End", 1, 7),
        ("ArrowRight", 1, 7),
        ("ArrowUp", 2, 7),
        ("Home", 2, 0),
    ):
        page.keyboard.press(key)
        assert say(page) == explorer._regions(layer, output)["say"]
    reached = []
    for _ in range(5):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.dataset.c ?? document.activeElement.tagName"))
    assert reached == ["layer", "output", "reset", "link", "SUMMARY"]
    page.keyboard.press("Enter")
    page.get_by_label("start from").focus()
    page.keyboard.press("ArrowDown")
    assert say(page) == repr(ReceptiveCone([Window(3, dilation_rate=2)] * 2, 16))
    page.get_by_label("layers", exact=True).focus()
    page.keyboard.press("ArrowDown")
    assert say(page).startswith("Layer 1, output 4 of 0 to 11")
    page.get_by_role("button", name="Reset").press("Enter")
    assert say(page) == repr(explorer)


def test_what_is_typed_is_followed_or_refused(show: Any) -> None:
    page = show(ReceptiveCone([Window(3)], 9))
    page.locator("summary").click()
    page.get_by_label("layers", exact=True).fill("2")
    second = page.get_by_role("group", name="layer 2")
    second.get_by_label("stride", exact=True).fill("2")
    second.get_by_label("padding").select_option("same")
    assert say(page) == ReceptiveCone([Window(3), Window(3, 2, "same")], 9)._regions(1, 3)["say"]
    for label, typed, window in (("kernel", "9", Window(9, 2)), ("dilation", "0", Window(3, 2, "valid", 0))):
        second.get_by_label("padding").select_option("valid")
        second.get_by_label(label).fill(typed)
        with pytest.raises(SizeError) as caught:
            ReceptiveCone([Window(3), window], 9)
        assert page.get_by_role("alert").inner_text() == str(caught.value)
        second.get_by_label(label).fill("3")
    page.get_by_label("inputs", exact=True).fill("40")
    assert page.get_by_role("alert").inner_text() == "size is 40; use at most 32"
    page.get_by_role("button", name="Reset").click()
    assert not page.get_by_role("alert").is_visible()


def spot(page: Any, layer: int, output: int) -> tuple[float, float]:
    """Where a unit of STACK over 16 inputs is on the screen."""
    x, y = page.evaluate(
        """([layer, output]) => {
            const rows = {};
            for (const unit of document.querySelectorAll("circle:is(.in,.out,.no)"))
                (rows[unit.getAttribute("cy")] ??= []).push(unit);
            const ys = Object.keys(rows).map(Number).sort((a, b) => b - a);
            const box = rows[ys[layer]][output].getBoundingClientRect();
            return [box.left + box.width / 2, box.top + box.height / 2];
        }""",
        [layer, output],
    )
    return (x, y)


def test_by_mouse_and_finger(show: Any, dragged: Any) -> None:
    explorer = ReceptiveCone(STACK, 16)
    page = show(explorer)
    page.mouse.click(*spot(page, 1, 6))
    assert say(page) == explorer._regions(1, 6)["say"]
    page.mouse.move(*spot(page, 1, 6))
    page.mouse.down()
    page.mouse.move(*spot(page, 2, 2), steps=4)
    page.mouse.up()
    assert say(page) == explorer._regions(1, 2)["say"], "a drag keeps to its layer"
    page = show(explorer, width=360, has_touch=True, is_mobile=True)
    page.touchscreen.tap(*spot(page, 2, 1))
    assert say(page) == explorer._regions(2, 1)["say"]
    dragged(page, spot(page, 2, 1), spot(page, 2, 3), spot(page, 2, 4))
    assert say(page) == explorer._regions(2, 4)["say"]


def test_a_link_brings_the_stack_back(show: Any) -> None:
    page = show(ReceptiveCone(STACK, 16, name="cone"))
    page.locator("summary").click()
    page.get_by_role("group", name="layer 1").get_by_label("kernel", exact=True).fill("5")
    page.get_by_role("slider", name="layer").fill("2")
    page.wait_for_function("location.hash && location.hash === document.querySelector('[data-c=link]').hash")
    words, link = say(page), page.evaluate("location.hash").split("--")[1]
    again = show(ReceptiveCone(STACK, 16, name="cone-again"), hash=f"#cone-again--{link}")
    assert say(again) == words
    assert words.startswith("Layer 2")
