"""The microscope: its numbers are the library's, in Python and, letter for letter, in the browser."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from scipy.signal import correlate2d

from cnnlib.errors import CnnError, ShapeError, SizeError
from cnnlib.explorers import ConvolutionMicroscope
from cnnlib.padding import PAD_MODES
from cnnlib.sizes import PADDING_MODES

EXAMPLES: dict[str, dict[str, Any]] = {
    "row": {"inputs": [3, 1, 4, 1, 5], "kernel": [1, 0, -1], "padding": 1},
    "picture": {
        "inputs": (np.arange(25).reshape(5, 5) * 7 % 10).tolist(),
        "kernel": [[1, 0, -1], [2, 0, -2], [1, 0, -1]],
        "padding": "same",
        "stride": 2,
    },
    "transposed": {"inputs": [[1, 2], [3, 4]], "kernel": [[1, 2, 1]] * 3, "transposed": True, "stride": 2},
    "dilated": {
        "inputs": list(range(8)),
        "kernel": [1, -0.5],
        "dilation": 3,
        "pad_mode": "reflect",
        "padding": 2,
    },
}


def drawn(count: int) -> list[dict[str, Any]]:
    """Examples drawn at random, of quarters, whose sums are exact; some cannot be convolved."""
    random = np.random.default_rng(20260101)

    def one(rank: int) -> dict[str, Any]:
        least, most = (1, 12) if rank == 1 else (1, 6)
        size = random.integers(least, most, rank, endpoint=True)
        way = [(False, False), (False, False), (True, False), (False, True)][random.integers(4)]
        kernel = random.integers(1, 5 if rank == 1 else 4, rank)
        return {
            "inputs": (random.integers(-40, 40, size) / 4).tolist(),
            "kernel": (random.integers(-8, 8, kernel) / 4).tolist(),
            "stride": tuple(int(n) for n in random.integers(1, 4, rank)),
            "dilation": int(random.integers(1, 4)) if random.random() < 0.4 else 1,
            "padding": [*PADDING_MODES, 0, 1, 2, 5][random.integers(8)],
            "pad_mode": list(PAD_MODES)[random.integers(4)],
            "pad_value": float(random.integers(-8, 8)) / 4,
            **dict(zip(("transposed", "backward"), way, strict=True)),
        }

    return [one(1 + index % 2) for index in range(count)]


def told(example: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """The state that the script starts from, and what Python makes of it: every step, or an error."""
    rank = np.ndim(example["inputs"])
    strides = {f"stride{axis}": stride for axis, stride in enumerate(example["stride"])}
    state = example | strides | {key: np.atleast_2d(example[key]).tolist() for key in ("inputs", "kernel")}
    try:
        explorer = ConvolutionMicroscope(**example)
    except CnnError as error:
        return {"rank": rank, **state}, str(error)
    place = int(np.sum(explorer.inputs) * 4) % explorer.steps  # now the first, now the last
    return {"rank": rank, **state}, {place: explorer._regions(place)}


def test_every_showing_has_an_id_of_its_own_and_a_link_can_name_it() -> None:
    explorer = ConvolutionMicroscope([1, 2, 3], [1, 1], name="my-row")
    first, second = (re.search('id="([^"]+)"', explorer._repr_html_()) for _ in range(2))
    assert first is not None
    assert second is not None
    assert (first[1], second[1]) == ("my-row", "my-row-2")
    other = ConvolutionMicroscope([1, 2, 3], [1, 2])._repr_html_()
    assert re.search(r'id="(microscope-[0-9a-f]{6})"', other)


def test_the_sums_are_those_of_scipy(rng: np.random.Generator) -> None:
    image, kernel = rng.integers(-9, 9, (6, 5)), rng.integers(-3, 3, (3, 2))
    explorer = ConvolutionMicroscope(image, kernel)
    expected = correlate2d(image, kernel, "valid")
    np.testing.assert_array_equal(explorer.outputs, expected)
    for place, value in enumerate(expected.ravel()):
        parts = explorer._regions(place)
        written = parts["sum"].replace("−", "-").replace("·", "*")
        terms, total = written.split(" = ")
        assert eval(terms) == float(total) == value


def test_stamps_add_up_to_the_output() -> None:
    explorer = ConvolutionMicroscope([1, 2, 3], [1, 2, 1], stride=2, transposed=True, padding="same")
    last = explorer._regions(explorer.steps - 1)["panels"]
    numbers = re.findall(r'aria-label="output[^"]*: ([^"]+)"', last)[-1].split(", ")
    assert [float(n) for n in numbers[: explorer.outputs.size]] == explorer.outputs.tolist()
    assert numbers[-1] == "3", "what is cut off stands there, too"


def test_backward_each_output_hands_its_gradient_to_its_window() -> None:
    """Against differences of the sum of the outputs, which are exact: it is linear."""
    example = {**EXAMPLES["picture"], "stride": (1, 2), "pad_mode": "reflect"}
    values = np.array(example["inputs"], float)
    explorer = ConvolutionMicroscope(**example, backward=True)
    before = explorer.outputs.sum()
    change = [
        [
            ConvolutionMicroscope(**{**example, "inputs": values + step.reshape(5, 5)}).outputs.sum() - before
            for step in np.eye(25)[5 * row : 5 * row + 5]
        ]
        for row in range(5)
    ]
    drawing = explorer._regions(explorer.steps - 1)["panels"].replace("−", "-")
    (text,) = re.findall(r'aria-label="gradient of the input so far: ([^"]+)"', drawing)
    shown = np.array([[float(number) for number in row.split(", ")] for row in text.split("; ")])
    down, across = explorer._axes
    np.testing.assert_allclose(
        shown[down.before : down.before + 5, across.before : across.before + 5], change, atol=1e-9
    )


@pytest.mark.parametrize("pad_mode", PAD_MODES)
def test_backward_each_output_hands_its_gradient_to_the_weights(pad_mode: str) -> None:
    """After each step the differences of the sum of the outputs until then, by every weight."""
    example = {**EXAMPLES["picture"], "stride": (1, 2), "pad_mode": pad_mode, "pad_value": 2.5}
    weights = np.array(example["kernel"], float)
    explorer = ConvolutionMicroscope(**example, backward=True)
    for place in (0, 4, explorer.steps - 1):
        sums = [
            ConvolutionMicroscope(**{**example, "kernel": weights + step.reshape(3, 3)})
            .outputs.ravel()[: place + 1]
            .sum()
            for step in (np.zeros(9), *np.eye(9))
        ]
        drawing = explorer._regions(place)["panels"].replace("−", "-")
        (text,) = re.findall(r'aria-label="gradient of the kernel so far: ([^"]+)"', drawing)
        shown = [float(number) for row in text.split("; ") for number in row.split(", ")]
        np.testing.assert_allclose(shown, np.array(sums[1:]) - sums[0], atol=1e-9)


def test_what_is_dropped_and_padded_is_told_apart_without_colour() -> None:
    page = ConvolutionMicroscope([1, 2, 3, 4, 5, 6], [1, 1, 1], stride=2)._regions()["panels"]
    assert page.count("class=lost") == 1
    page = ConvolutionMicroscope([1, 2, 3], [1, 1, 1], padding="same")._regions()["panels"]
    squares = "".join(re.findall(r'class=(?:pd|off) d="([^"]+)"', page))
    assert squares.count("M") == 2


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (
            {"inputs": [1, 2], "kernel": [1, 2, 3]},
            SizeError,
            "axis 0: kernel 3 does not fit into input 2; pad by",
        ),
        ({"inputs": [1, 2], "kernel": [[1]]}, ShapeError, "inputs of shape (2,) … the same number of axes"),
        (
            {"inputs": [[[1]]], "kernel": [[[1]]]},
            ShapeError,
            "inputs has shape (1, 1, 1); an explorer shows",
        ),
        (
            {"inputs": [[1, 2], [3]], "kernel": [[1]]},
            ShapeError,
            "inputs is ragged: its rows differ in length",
        ),
        ({"inputs": [], "kernel": [1]}, SizeError, "inputs is empty; give at least one"),
        ({"inputs": [1, float("nan")], "kernel": [1]}, SizeError, "inputs must be a number … not nan"),
        ({"inputs": [1, 20_000], "kernel": [1]}, SizeError, "inputs must be a number … and below 10000"),
        ({"inputs": range(30), "kernel": [1]}, SizeError, "axis 0: 30 cells are more … at most 24"),
        (
            {"inputs": [1, 2], "kernel": [1], "stride": 0},
            SizeError,
            "stride must be a whole number of at least 1",
        ),
        (
            {"inputs": [1, 2], "kernel": [1], "padding": "sam"},
            SizeError,
            "padding 'sam' is unknown; use one of",
        ),
        (
            {"inputs": [1], "kernel": [1], "padding": 1, "pad_mode": "x"},
            SizeError,
            "padding mode 'x' is unknown",
        ),
        ({"inputs": [1], "kernel": [1], "pad_mode": "x"}, SizeError, "padding mode 'x' is unknown"),
        (
            {"inputs": [1, 2], "kernel": [1], "transposed": True, "backward": True},
            SizeError,
            "backward is shown of a convolution",
        ),
        ({"inputs": [1, 2], "kernel": [1], "stride": (1, 2)}, CnnError, "stride … 1"),
        ({"inputs": [1, 2], "kernel": [1], "place": 2}, SizeError, "place 2 is none of the 2 steps"),
        (
            {"inputs": [1, 2], "kernel": [1], "name": "a b"},
            SizeError,
            "name 'a b' … letters, digits and hyphens",
        ),
    ],
)
def test_bad_examples_are_refused(
    arguments: dict[str, Any], error: type[Exception], words: str, says: Any
) -> None:
    with pytest.raises(error) as caught:
        ConvolutionMicroscope(**arguments)
    says(caught, words)


# --- in the browser --------------------------------------------------------------------------------------


def say(page: Any, identity: str = "") -> str:
    return page.locator(f"{identity} .cx-say").inner_text()


def test_the_script_computes_what_python_computes(show: Any, asked: Any) -> None:
    """Hundreds of examples, each at some step: the same HTML, numbers and words, and the same refusals."""
    cases = [told(example) for example in drawn(800)]
    assert sum(isinstance(answer, dict) for _, answer in cases) >= 500
    assert len({answer.split(":")[1][:8] for _, answer in cases if isinstance(answer, str)}) >= 2
    for rank in (1, 2):
        page = show(ConvolutionMicroscope(np.ones((3,) * rank), np.ones((2,) * rank)))
        mine = [(state, answer) for state, answer in cases if state["rank"] == rank]
        found = asked(
            page,
            [(state, [{"at": at} for at in answer]) for state, answer in mine if isinstance(answer, dict)],
        )
        refused = asked(page, [(state, [{"at": 0}]) for state, answer in mine if isinstance(answer, str)])
        assert found == [list(answer.values()) for _, answer in mine if isinstance(answer, dict)]
        assert refused == [answer for _, answer in mine if isinstance(answer, str)]


def test_all_by_keyboard(show: Any) -> None:
    page = show(ConvolutionMicroscope(**EXAMPLES["picture"]))
    page.locator(".cx-panels").focus()
    for key, step in (
        ("ArrowRight", 2),
        ("ArrowDown", 5),
        ("ArrowLeft", 4),
        ("ArrowLeft", 4),
        ("End", 9),
        ("Home", 1),
    ):
        page.keyboard.press(key)
        assert say(page).startswith(f"Step {step} of 9")
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.dataset.c"))
    assert reached == ["row", "column", "forward", "play", "reset", "link"]
    page.get_by_role("slider", name="column").focus()
    page.keyboard.press("ArrowRight")
    assert say(page).startswith("Step 2 of 9")
    page.locator("summary").focus()
    page.keyboard.press("Enter")
    for label, steps in (("stride down", 15), ("stride across", 25)):
        page.get_by_label(label).focus()
        page.keyboard.press("ArrowDown")
        assert f"of {steps}:" in say(page)
    page.get_by_role("button", name="Reset").focus()
    page.keyboard.press("Space")
    assert say(page) == repr(ConvolutionMicroscope(**EXAMPLES["picture"]))


def test_what_is_typed_is_convolved(show: Any) -> None:
    page = show(ConvolutionMicroscope(**EXAMPLES["row"]))
    page.locator("summary").click()
    page.get_by_label("input values").fill("2 -1, 0.5 7 1 3")
    page.get_by_label("kernel weights").fill("1 2")
    page.get_by_role("combobox", name="padding", exact=True).select_option("full")
    page.get_by_label("padded with").select_option("circular")
    page.get_by_label("dilation").fill("2")
    other = ConvolutionMicroscope(
        [2, -1, 0.5, 7, 1, 3], [1, 2], padding="full", pad_mode="circular", dilation=2
    )
    assert say(page) == repr(other)
    page.get_by_label("backward").check()
    other = ConvolutionMicroscope(
        [2, -1, 0.5, 7, 1, 3], [1, 2], padding="full", pad_mode="circular", dilation=2, backward=True
    )
    assert say(page) == repr(other)
    assert "copied from" in page.locator(".cx-facts").inner_text()
    page.get_by_label("transposed").check()
    other = ConvolutionMicroscope([2, -1, 0.5, 7, 1, 3], [1, 2], padding="full", dilation=2, transposed=True)
    assert say(page) == repr(other)
    assert page.locator(".cx-facts").inner_text() in re.sub("<[^>]+>", "", other._regions()["facts"])


WRONG: list[tuple[str, str, dict[str, Any]]] = [
    ("stride", "0", {"stride": 0}),
    ("stride", "1.5", {"stride": 1.5}),
    ("dilation", "3", {"dilation": 3}),
    ("input values", "3", {"inputs": [3]}),
    ("input values", "1 20000", {"inputs": [1, 20000]}),
    ("input values", "x", {"inputs": ["x"]}),
    ("kernel weights", "", {"kernel": []}),
    ("on each side", "-1", {"padding": -1}),
    ("on each side", "20", {"padding": 20}),
    ("the value", "12345", {"pad_value": 12345}),
]


def test_errors_are_said_as_the_library_says_them(show: Any) -> None:
    example = {"inputs": [3, 1, 4], "kernel": [1, 2, 3], "padding": 0}
    page = show(ConvolutionMicroscope(**example))
    before = say(page)
    page.locator("summary").click()
    for label, typed, arguments in WRONG:
        page.get_by_label(label).fill(typed)
        with pytest.raises(CnnError) as caught:
            ConvolutionMicroscope(**{**example, **arguments})
        assert page.get_by_role("alert").inner_text() == str(caught.value)
        assert say(page) == before, "what was right stays"
        page.get_by_role("button", name="Reset").click()
        assert not page.get_by_role("alert").is_visible()


@pytest.mark.parametrize("name", ["picture", "transposed"])
def test_the_window_is_dragged_by_mouse(show: Any, middle: Any, name: str) -> None:
    page = show(ConvolutionMicroscope(**EXAMPLES[name]))
    page.mouse.move(*middle(page, "win", 0, 0))
    page.mouse.down()
    page.mouse.move(*middle(page, "win", 1, 2), steps=4)
    page.mouse.move(*middle(page, "win", 2, 2), steps=4)
    explorer = ConvolutionMicroscope(**EXAMPLES[name])
    columns = 3 if name == "picture" else 2
    assert say(page) == explorer._regions(columns + 1)["say"]
    page.mouse.move(2000, 2000)
    page.mouse.up()
    assert say(page) == explorer._regions(explorer.steps - 1)["say"], "it stops at the edge"
    page.mouse.move(*middle(page, "win", 0, 0))
    assert say(page) == explorer._regions(explorer.steps - 1)["say"], "it was let go"
    page.mouse.click(*middle(page, "pl", 0, 1))
    assert say(page) == explorer._regions(1)["say"]


def test_the_window_is_dragged_by_a_finger(show: Any, dragged: Any, middle: Any) -> None:
    explorer = ConvolutionMicroscope(**EXAMPLES["picture"])
    page = show(explorer, width=360, has_touch=True, is_mobile=True)
    dragged(page, *(middle(page, "win", 1 + part / 4, 1 + part / 2) for part in range(9)))
    assert say(page) == explorer._regions(5)["say"]
    page.touchscreen.tap(*middle(page, "pl", 2, 0))
    assert say(page) == explorer._regions(6)["say"]


def test_it_plays_pauses_and_stops_at_the_end(show: Any) -> None:
    page = show(ConvolutionMicroscope([1, 2, 3], [1, 1]))
    page.get_by_role("button", name="Play").click()
    assert page.locator(".cx-say").get_attribute("aria-live") == "off"
    page.get_by_text("Step 2 of 2").wait_for()
    page.get_by_role("button", name="Play").wait_for()
    assert page.locator(".cx-say").get_attribute("aria-live") == "polite"
    page.get_by_role("button", name="Play").click()
    assert say(page).startswith("Step 1 of 2"), "from the end it starts again"
    page.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(1100)
    assert say(page).startswith("Step 1 of 2")


def test_less_motion_means_no_playing(show: Any) -> None:
    page = show(ConvolutionMicroscope([1, 2, 3], [1, 1]), motion="reduce")
    assert not page.locator("[data-c=play]").is_visible()
    page.get_by_role("button", name="Forward").click()
    assert say(page).startswith("Step 2 of 2")


def test_the_address_stays_until_the_reader_does_something(show: Any) -> None:
    page = show(ConvolutionMicroscope(**EXAMPLES["row"]), hash="#a-heading")
    page.wait_for_timeout(400)
    assert page.evaluate("location.hash") == "#a-heading"
    damaged = show(ConvolutionMicroscope(**EXAMPLES["row"], name="row-y"), hash="#row-y--!%")
    assert say(damaged) == repr(ConvolutionMicroscope(**EXAMPLES["row"]))


def test_a_link_brings_the_state_back(show: Any) -> None:
    """… to the explorer that it names, and to no other."""
    explorers = [ConvolutionMicroscope(**EXAMPLES[n], name=f"{n}-x") for n in ("row", "picture")]
    page = show(*explorers)
    mine = page.locator("[id^=picture-x]")
    mine.locator("summary").click()
    mine.get_by_role("combobox", name="padding", exact=True).select_option("amount")
    mine.get_by_label("on each side").fill("2")
    mine.get_by_label("the value").fill("-1.5")
    mine.get_by_role("button", name="Forward").click()
    words = mine.locator(".cx-say").inner_text()
    page.wait_for_function(
        "location.hash && location.hash === document.querySelectorAll('[data-c=link]')[1].hash"
    )
    identity, found = page.evaluate("location.hash").removeprefix("#").split("--")
    assert re.fullmatch(r"[\w-]+", found), "themes look for an element by the address"
    again = show(*explorers)
    fresh = [again.locator(".cx").nth(i).get_attribute("id") for i in range(2)]
    assert fresh[1] != identity, "each showing has its own id"
    for page in (show(*explorers, hash=f"#{nth(fresh[1])}--{found}"), again):
        if page is again:
            page.evaluate("hash => { location.hash = hash }", f"{fresh[1]}--{found}")
        page.wait_for_function("document.querySelectorAll('.cx-say')[1].innerText.startsWith('Step 2')")
        assert page.locator(".cx-say").nth(1).inner_text() == words
        assert page.locator(".cx-say").nth(0).inner_text() == repr(explorers[0])


def nth(identity: str) -> str:
    """The id of the same explorer's next showing."""
    stem, count = re.fullmatch(r"(.*?)-(\d+)", identity).groups()
    return f"{stem}-{int(count) + 1}"


def test_light_and_dark_follow_the_page_before_the_system(show: Any) -> None:
    page = show(ConvolutionMicroscope(**EXAMPLES["row"]), theme="dark")
    ground = "getComputedStyle(document.querySelector('.cx')).backgroundColor"
    dark = page.evaluate(ground)
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    assert page.evaluate(ground) == "rgb(255, 255, 255)" != dark
    page.evaluate("delete document.documentElement.dataset.theme")
    assert page.evaluate(ground) == dark, "without a theme, the system's"
    page.evaluate("document.body.dataset.jpThemeLight = 'true'")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
