"""A network looking: its numbers are those of the network's layers, in Python and in the browser."""

from __future__ import annotations

import base64
import re
from typing import Any

import numpy as np
import pytest

from cnnlib import handwritten_digits
from cnnlib.activations import softmax
from cnnlib.errors import CnnError, ShapeError, SizeError
from cnnlib.explorers import NetworkLooking
from cnnlib.explorers.eight_bits import MOST_WEIGHTS, coded
from cnnlib.explorers.ink import LEVELS, as_levels, fitted, packed
from cnnlib.images import to_floats
from cnnlib.layers import AveragePooling2D, BatchNormalization, Conv2D, Dense, Flatten, MaxPooling2D, ReLU
from cnnlib.network import Input, Sequential
from cnnlib.training import SGD

PIXELS, LABELS = handwritten_digits()
IMAGES = to_floats(PIXELS)
TEN = np.array([np.flatnonzero(label == LABELS)[0] for label in range(10)])


def network(*layers: Any) -> Sequential:
    """With weights that were drawn, not learned."""
    made = Sequential([Input((28, 28, 1)), *layers, Flatten(), Dense(10, name="scores")], name="small")
    made.initialize(seed=3)
    random = np.random.default_rng(5)  # biases begin at zero, which would hide a mistake about them
    made.set_weights([w + random.normal(0, 0.1, w.shape) for w in made.get_weights()])
    return made


def chapter() -> Sequential:
    """Of the layers of chapter 11."""
    return network(
        Conv2D(6, 5, activation="relu", name="C1"),
        MaxPooling2D(2, name="S2"),
        Conv2D(9, 3, activation="relu", name="C3"),
        MaxPooling2D(3, name="S4"),
    )


NETWORKS = {
    "chapter": chapter(),
    "padded": network(
        Conv2D(3, 4, strides=2, padding="same", name="first"),
        AveragePooling2D(3, strides=2, name="means"),
        Conv2D(5, 2, padding=1, activation="relu", use_bias=False, name="second"),
    ),
}


def drawn(count: int, seed: int = 0) -> np.ndarray:
    """Drawings (count, 28, 28) in the pen's greys: some real, moved and cut off, scribbles, nothing."""
    random = np.random.default_rng(seed)
    made = np.zeros((count, 28, 28), np.int64)
    for number in range(1, count):
        kind = number % 3
        if kind == 0:
            made[number] = random.integers(0, 16, (28, 28)) * (random.random((28, 28)) < 0.3)
        else:
            digit, (y, x) = as_levels(IMAGES[random.integers(len(IMAGES))]), random.integers(0, 12, 2)
            made[number, : 28 - y, : 28 - x] = digit[y:, x:]
        if kind == 2:  # one small thing somewhere
            top, left = random.integers(0, 26, 2)
            made[number] *= 0
            made[number, top : top + random.integers(1, 9), left : left + random.integers(1, 9)] = 9
    return made


def say(page: Any) -> str:
    return page.locator(".cx-say").inner_text()


def test_the_digits_of_mnist_lie_where_the_rule_puts_them() -> None:
    """They were made by it: nearly all of 5000 stay as they are, and none is scaled."""
    stay = 0
    for image in IMAGES[::5]:
        greys = as_levels(image) / LEVELS
        found = fitted(greys)
        assert found.scale == 1
        stay += np.array_equal(found.greys, greys)
    assert 0.97 < stay / len(IMAGES[::5]) < 1


def test_where_a_drawing_stands_and_how_large_it_is_makes_no_difference() -> None:
    small = np.zeros((28, 28))
    small[3:13, 5:9] = np.arange(40).reshape(10, 4) / 39
    moved = np.roll(small, (9, 14), (0, 1))
    large = np.kron(small[:14, :14], np.ones((2, 2)))
    for other in (moved, large):
        np.testing.assert_allclose(fitted(other).greys, fitted(small).greys, atol=1e-12)
    assert fitted(small).greys.sum() == pytest.approx(4 * small.sum()), "scaled by two"


def test_weights_of_eight_bits_are_near_and_finest_at_the_largest() -> None:
    for weights, found in zip(
        chapter().get_weights(), NetworkLooking(chapter()).model.get_weights(), strict=True
    ):
        assert np.abs(found - weights).max() <= 0.51 * np.abs(weights).max() / 127
        assert coded(weights).codes.dtype == np.int8
        assert np.abs(coded(weights).codes).max() >= 126
    assert not coded(np.zeros(3)).values.any()


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_written_adds_up_to_what_the_layers_compute(name: str) -> None:
    explorer = NetworkLooking(NETWORKS[name], IMAGES[TEN], digit=3)
    found = explorer.model.activations(explorer.seen[None, ..., None])
    np.testing.assert_allclose(explorer.scores, found["scores"][0], rtol=1e-12)
    for at, layer in enumerate(explorer._layers[1:], 1):
        np.testing.assert_allclose(explorer.outputs[at].ravel(), found[layer.name][0].ravel(), rtol=1e-12)
        row, column = layer.rows // 3, layer.columns // 2
        for which in (0, layer.maps - 1):
            parts = explorer._regions(at, (which, row, column))
            value = float(explorer.outputs[at][row, column, which])
            numbers = [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", parts["say"].replace("−", "-"))]
            assert numbers[-1] == pytest.approx(value, abs=6e-4)
            if layer.kernel:
                terms, total = parts["sum"].replace("−", "-").replace("·", "*").split(" = ")
                assert eval(terms) == pytest.approx(float(total), abs=0.02)
    table = re.findall(r"<td>([^<]*)<td>([^<]*)<td>", explorer._regions()["facts"].replace("−", "-"))
    np.testing.assert_allclose([float(score) for score, _ in table], explorer.scores, atol=6e-4)
    shares = [float(share.removeprefix("≈ ")) for _, share in table]
    np.testing.assert_allclose(shares, softmax(explorer.scores), atol=6e-4)


def test_it_looks_first_where_most_is_to_be_seen() -> None:
    explorer = NetworkLooking(chapter(), IMAGES[TEN], digit=4, layer="C3")
    which, row, column = explorer.place
    assert explorer.outputs[3][row, column, which] == explorer.outputs[3].max() > 0
    of_map = NetworkLooking(chapter(), IMAGES[TEN], digit=4, layer="C3", map=2).place
    assert explorer.outputs[3][of_map[1], of_map[2], 2] == explorer.outputs[3][..., 2].max()


def test_a_map_that_is_switched_off_says_nothing_to_those_after_it() -> None:
    explorer = NetworkLooking(chapter(), IMAGES[TEN], off=[("C3", 4), ("C1", 0)])
    weights = explorer.model.get_weights()
    weights[0][..., 0], weights[1][0] = 0, 0
    weights[2][..., 4], weights[3][4] = 0, 0
    explorer.model.set_weights(weights)
    expected = explorer.model.predict(explorer.seen[None, ..., None])[0]
    np.testing.assert_allclose(explorer.scores, expected)
    assert "Switched off: C1 map 0, C3 map 4." in repr(explorer)


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"digits": np.ones((2, 20, 20))}, ShapeError, "digits have shape (2, 20, 20); give pictures"),
    ({"digits": PIXELS[:2]}, SizeError, "digits have values outside 0 to 1; divide"),
    ({"digits": IMAGES[:11]}, SizeError, "digits is 11; use at most 10"),
    ({"digits": IMAGES[:2], "labels": "7"}, ShapeError, "1 labels for 2 digits; give one for"),
    ({"digits": IMAGES[:2], "digit": 2}, SizeError, "digit 2 is none of 2; use one below 2"),
    ({"layer": "C5"}, SizeError, "no layer 'C5' to look at; use one of C1, S2, C3, S4, scores"),
    ({"map": 6}, SizeError, "C1: map 6 is none of 6; use one below 6"),
    ({"layer": "S4", "place": (0, 3)}, SizeError, "S4: column 3 is none of 3; use one below 3"),
    ({"off": [("scores", 1)]}, SizeError, "scores: map 1 is none of 0"),
]
UNKNOWN: list[tuple[Sequential, type[Exception], str]] = [
    (network(Conv2D(2, 15), BatchNormalization()), ShapeError, "BatchNormalization … cannot be shown; a"),
    (network(Conv2D(2, 15), ReLU()), ShapeError, "ReLU … cannot be shown"),
    (network(Conv2D(2, (15, 14))), ShapeError, "cannot be shown … with square windows"),
    (network(Conv2D(1, 9, dilation_rate=2)), ShapeError, "cannot be shown"),
    (network(Conv2D(2, 15, activation="tanh")), ShapeError, "cannot be shown; a network that looks has"),
    (network(Conv2D(1, 20), Dense(2)), ShapeError, "on the wrong side of Flatten; dense layers come after"),
    (network(Conv2D(9, 3)), SizeError, f"small has 60940 weights; a page carries at most {MOST_WEIGHTS}"),
    (network(Conv2D(18, 3), MaxPooling2D(9)), SizeError, "maps is 18; use at most 16"),
]


@pytest.mark.parametrize(
    ("model", "arguments", "error", "words"),
    [(chapter(), *one) for one in REFUSED] + [(model, {}, *rest) for model, *rest in UNKNOWN],
)
def test_what_cannot_be_shown_is_refused(
    model: Sequential, arguments: Any, error: type[Exception], words: str, says: Any
) -> None:
    with pytest.raises(error) as caught:
        NetworkLooking(model, **arguments)
    says(caught, words)


def test_a_network_of_other_inputs_is_refused(says: Any) -> None:
    model = Sequential([Input((20, 20, 1)), Conv2D(2, 9), Flatten(), Dense(10)], name="other")
    model.initialize(0)
    with pytest.raises(CnnError) as caught:
        NetworkLooking(model)
    says(caught, "other takes inputs of (None, 20, 20, 1); a drawing is (None, 28, 28, 1)")


@pytest.mark.slow
def test_a_network_that_was_trained_keeps_its_accuracy_and_fits_into_a_page() -> None:
    order = np.random.default_rng(0).permutation(len(LABELS))
    x, t = IMAGES[order, ..., None], LABELS[order]
    model = chapter()
    model.initialize(seed=0)
    rule = SGD(0.03, momentum=0.9)
    model.fit(x[1000:], t[1000:], epochs=2, batch_size=32, optimizer=rule, from_logits=True, verbose=0)
    explorer = NetworkLooking(model, IMAGES[TEN])
    before, after = (
        net.evaluate(x[:1000], t[:1000], from_logits=True)["accuracy"] for net in (model, explorer.model)
    )
    assert after > 0.9
    assert abs(after - before) <= 0.005
    coarse = explorer.model.predict(as_levels(x[:1000]) / LEVELS).argmax(axis=1)
    assert abs((coarse == t[:1000]).mean() - before) <= 0.01, "sixteen greys are enough, too"
    assert len(explorer._repr_html_().encode()) < 30_000


# --- in the browser --------------------------------------------------------------------------------------


def state(explorer: NetworkLooking) -> dict[str, Any]:
    off = [f"{at}.{which}" for at, which in explorer.off]
    return {"ink": explorer.levels.tolist(), "fit": explorer.fit, "off": off}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_script_computes_what_the_layers_compute(show: Any, name: str) -> None:
    """Hundreds of drawings, centred or not: every number of every layer."""
    model, levels = NETWORKS[name], drawn(300)
    explorer = NetworkLooking(model)
    seen = levels / LEVELS
    seen[::2] = [fitted(greys).greys for greys in seen[::2]]
    expected = explorer.network.outputs(seen[..., None])
    found = show(explorer).evaluate(
        # As text: a browser hands over millions of numbers one by one.
        """drawings => drawings.map((text, at) => {
            const ink = text.match(/.{28}/g).map(line => [...line].map(level => parseInt(level, 16)));
            const made = document.querySelector(".cx").explorer.outputs({ ink, fit: at % 2 === 0, off: [] });
            const bytes = new Uint8Array(new Float32Array(made.flat(3)).buffer);
            return btoa(String.fromCharCode(...bytes));
        })""",
        ["".join(f"{level:x}" for level in drawing.ravel()) for drawing in levels],
    )
    numbers = np.array([np.frombuffer(base64.b64decode(text), np.float32) for text in found])
    wanted = [np.moveaxis(values, -1, 1).reshape(len(levels), -1) for values in expected]
    np.testing.assert_allclose(numbers, np.concatenate(wanted, axis=1), rtol=1e-6, atol=1e-6)


def test_the_script_writes_what_python_writes(show: Any, asked: Any) -> None:
    random = np.random.default_rng(8)
    for model in NETWORKS.values():
        cases, expected = [], []
        for number, levels in enumerate(drawn(60, seed=1)):
            off = [("S2", 1), ("C1", 5)] if number % 7 == 0 and model is NETWORKS["chapter"] else []
            explorer = NetworkLooking(model, drawing=levels / LEVELS, fit=number % 2 == 0, off=off)
            at = int(random.integers(1, len(explorer._layers)))
            layer = explorer._layers[at]
            spot = [int(random.integers(n)) for n in (layer.maps, layer.rows, layer.columns)]
            cases.append(
                (state(explorer), [dict(zip(("map", "row", "column"), spot, strict=True)) | {"layer": at}])
            )
            expected.append([explorer._regions(at, (spot[0], spot[1], spot[2]))])
        for found, wanted in zip(asked(show(NetworkLooking(model)), cases), expected, strict=True):
            assert found == wanted


#: Where the tests look at first.
SPOT: dict[str, Any] = {"map": 0, "place": (12, 12)}


@pytest.fixture
def looking() -> NetworkLooking:
    return NetworkLooking(chapter(), IMAGES[TEN], digit=7, name="looking", **SPOT)


def ink(page: Any) -> np.ndarray:
    """What stands on the pad, by its own pixels."""
    shades = page.evaluate(
        """() => {
            const copy = new OffscreenCanvas(28, 28).getContext("2d", { willReadFrequently: true });
            copy.drawImage(document.querySelector("[data-i=pad]"), 0, 0);
            return [...copy.getImageData(0, 0, 28, 28).data];
        }"""
    )
    return np.rint(np.array(shades).reshape(28, 28, 4)[..., 0] * LEVELS / 255).astype(int)


def expected(levels: np.ndarray, **options: Any) -> str:
    return repr(NetworkLooking(chapter(), drawing=levels / LEVELS, **SPOT, **options))


def test_the_pen_draws_by_mouse(show: Any, looking: NetworkLooking) -> None:
    page = show(looking)
    np.testing.assert_array_equal(ink(page), looking.levels)
    page.get_by_role("button", name="Clear").click()
    assert say(page).startswith("Nothing is drawn")
    box = page.locator("svg[data-p=ppad]").bounding_box()
    cell = box["width"] / 28
    place = lambda row, column: (box["x"] + (column + 0.5) * cell, box["y"] + (row + 0.5) * cell)  # noqa: E731
    page.mouse.move(*place(6, 6))
    page.mouse.down()
    page.mouse.move(*place(6, 18), steps=2)
    page.mouse.move(*place(20, 10), steps=3)
    page.mouse.up()
    drawn_here = ink(page)
    assert (drawn_here[6, 6:19] == LEVELS).all(), "without a gap, however few events there are"
    assert drawn_here[20, 10] == LEVELS
    assert drawn_here[:4].max() == 0
    assert 0 < drawn_here[6, 4] < LEVELS or drawn_here[6, 5] < LEVELS, "a soft edge"
    assert say(page) == expected(drawn_here)
    page.get_by_label("rubber").check()
    box = page.locator("svg[data-p=ppad]").bounding_box()
    page.mouse.click(*place(6, 12))
    assert ink(page)[6, 12] == 0
    page.get_by_label("centre and scale").uncheck()
    assert say(page) == expected(ink(page), fit=False)
    before = ink(page)
    page.get_by_role("button", name="down").click()
    page.get_by_role("button", name="left").click()
    np.testing.assert_array_equal(ink(page), np.pad(before, ((1, 0), (0, 1)))[:28, 1:])
    page.get_by_role("button", name="3", exact=True).click()
    np.testing.assert_array_equal(ink(page), looking.digits[3])
    page.get_by_role("button", name="Reset").click()
    assert say(page) == repr(looking)


def test_the_pen_draws_by_a_finger(show: Any, dragged: Any, looking: NetworkLooking) -> None:
    page = show(looking, width=360, has_touch=True, is_mobile=True)
    page.get_by_role("button", name="Clear").click()
    pad = page.locator("svg[data-p=ppad]")
    pad.scroll_into_view_if_needed()
    box, top = pad.bounding_box(), page.evaluate("scrollY")
    dragged(page, *((box["x"] + 140, box["y"] + 40 + 20 * step) for step in range(8)))
    assert page.evaluate("scrollY") == top, "the page stays"
    assert np.count_nonzero(ink(page).any(axis=1)) >= 14
    assert say(page) == expected(ink(page))


def test_the_pen_draws_by_keyboard(show: Any, looking: NetworkLooking) -> None:
    page = show(looking)
    page.get_by_role("button", name="Clear").press("Enter")
    page.locator("[data-c=pad]").focus()
    status = page.locator("[data-r=pen]")
    for _ in range(4):
        page.keyboard.press("ArrowUp")
    assert status.inner_text() == "Pen up, row 10, column 14."
    assert not ink(page).any()
    page.keyboard.press("Space")
    assert status.inner_text() == "Pen down, row 10, column 14."
    assert page.locator(".cx-say").get_attribute("aria-live") == "off", "it would speak at every cell"
    for _ in range(9):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    assert (ink(page)[10:20, 14] == LEVELS).all()
    assert status.inner_text().startswith("Pen up, row 19, column 14. The network says")
    assert page.locator(".cx-say").get_attribute("aria-live") == "polite"
    assert say(page) == expected(ink(page))
    page.keyboard.press("ArrowLeft")
    assert ink(page)[19, 12] == 0


def test_a_map_is_looked_at_and_switched_off(show: Any, looking: NetworkLooking) -> None:
    page = show(looking)
    page.get_by_role("combobox", name="layer").select_option("C3")
    page.get_by_role("slider", name="map").fill("4")
    page.get_by_role("slider", name="row").fill("2")
    page.get_by_role("slider", name="column").press("End")
    assert say(page) == looking._regions(3, (4, 2, 9))["say"]
    page.locator(".cx-panels").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    assert say(page) == looking._regions(3, (4, 3, 8))["say"]
    box = page.locator("svg[data-p=p1]").bounding_box()
    page.mouse.click(
        box["x"] + box["width"] * (1 + 7.5 / 24) / 3, box["y"] + box["height"] * (1 + 10.5 / 24) / 2
    )
    assert say(page) == looking._regions(1, (4, 10, 7))["say"]
    toggle = page.get_by_role("button", name="Switch this map off")
    toggle.press("Enter")
    assert toggle.get_attribute("aria-pressed") == "true"
    dark = NetworkLooking(chapter(), IMAGES[TEN], digit=7, off=[("C1", 4)])
    assert say(page) == dark._regions(1, (4, 10, 7))["say"]
    toggle.press("Enter")
    assert say(page) == looking._regions(1, (4, 10, 7))["say"]
    page.get_by_role("combobox", name="layer").select_option("scores")
    assert toggle.is_disabled()


def test_a_link_brings_the_drawing_back(show: Any, looking: NetworkLooking) -> None:
    page = show(looking)
    page.get_by_role("button", name="2", exact=True).click()
    page.get_by_role("button", name="right").click()
    page.get_by_label("centre and scale").uncheck()
    page.get_by_role("combobox", name="layer").select_option("C3")
    page.get_by_role("button", name="Switch this map off").click()
    page.wait_for_function("location.hash && location.hash === document.querySelector('[data-c=link]').hash")
    words, levels, link = say(page), ink(page), page.evaluate("location.hash").split("--")[1]
    again = show(NetworkLooking(chapter(), name="looking-again"), hash=f"#looking-again--{link}")
    assert say(again) == words
    np.testing.assert_array_equal(ink(again), levels)
    assert packed(levels) == again.locator("[data-c=ink]").input_value()
    bad = show(NetworkLooking(chapter(), name="bad"), hash="#bad--" + "aW5rPTk5OTk5OTk5YQ")  # ink=99999999a
    assert bad.get_by_role("alert").inner_text() == "this link holds no drawing of 28 by 28 cells"
