"""The filter stack: its numbers are those of the library, in Python and in the browser."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from cnnlib.convolution import conv
from cnnlib.errors import CnnError, ShapeError, SizeError
from cnnlib.explorers import FilterStack
from cnnlib.explorers.filter_stack import KINDS
from cnnlib.layers import Conv2D, DepthwiseConv2D, SeparableConv2D
from cnnlib.network import Input, Sequential
from cnnlib.variants import depthwise_conv, pointwise_conv

_RANDOM = np.random.default_rng(20260105)
INPUTS, KERNEL = _RANDOM.integers(-8, 20, (4, 5, 4)) / 2, _RANDOM.integers(-8, 8, (3, 2, 4, 4)) / 2
BIAS = np.array([1, -2, 0.5, 0])
LAYER: dict[str, Any] = {"inputs": INPUTS, "kernel": KERNEL, "bias": BIAS}


def say(page: Any) -> str:
    return page.locator(".cx-say").inner_text()


def test_the_kinds_are_the_librarys_layers() -> None:
    x, out = INPUTS[None], {kind: FilterStack(**LAYER, kind=kind).outputs for kind in KINDS}
    np.testing.assert_allclose(out["plain"], conv(x, KERNEL, bias=BIAS)[0])
    own = np.stack([KERNEL[..., c, c] for c in range(4)], axis=-1)[..., None]
    np.testing.assert_allclose(out["depthwise"], depthwise_conv(x, own, bias=BIAS)[0])
    np.testing.assert_allclose(out["pointwise"], pointwise_conv(x, KERNEL[1, 1], bias=BIAS)[0])
    halves = [conv(x[..., c : c + 2], KERNEL[:, :, c : c + 2, c : c + 2]) for c in (0, 2)]
    np.testing.assert_allclose(out["grouped"], np.concatenate(halves, axis=-1)[0] + BIAS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("use_bias", [True, False])
def test_partial_sums_and_bias_add_up(kind: str, use_bias: bool) -> None:
    explorer = FilterStack(**LAYER, kind=kind, use_bias=use_bias)
    for f in range(4):
        for place, value in enumerate(explorer.outputs[..., f].ravel()):
            terms, total = explorer._regions(f, place)["sum"].replace("−", "-").split(" = ")
            assert eval(terms) == pytest.approx(float(total), abs=5.1e-4)
            assert float(total) == pytest.approx(value, abs=5.1e-4)
            assert terms.count(" + ") + 1 == len(explorer.reads(f)) + use_bias


@pytest.mark.parametrize("use_bias", [True, False])
def test_counts_are_those_of_a_network_of_such_layers(use_bias: bool) -> None:
    layers = {
        "plain": Conv2D(4, (3, 2), use_bias=use_bias),
        "in groups": Conv2D(4, (3, 2), groups=2, use_bias=use_bias),
        "depthwise": DepthwiseConv2D((3, 2), use_bias=use_bias),
        "pointwise (1×1)": Conv2D(4, 1, use_bias=use_bias),
        "depthwise, then pointwise": SeparableConv2D(4, (3, 2), use_bias=use_bias),
    }
    table = FilterStack(**LAYER, use_bias=use_bias)._regions()["facts"]
    rows = re.findall(r"<th scope=row>(.*?)</th><td>.*?</td><td>(\d+)</td><td>(\d+)</td>", table)
    assert [name for name, *_ in rows] == list(layers)
    for name, parameters, products in rows:
        summary = Sequential([Input((4, 5, 4)), layers[name]]).summary()
        assert (int(parameters), int(products)) == (summary.parameters, summary.macs)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"inputs": np.ones((3, 3, 2))}, ShapeError, "inputs of shape (3, 3, 2) … do not go together"),
        ({"inputs": np.ones((2, 5, 4))}, SizeError, "axis 0: kernel 3 does not fit into input 2"),
        ({"inputs": np.ones((9, 5, 4))}, SizeError, "axis 0: 9 cells are more … use at most 8"),
        (
            {"inputs": np.ones((4, 4, 7)), "kernel": np.ones((1, 1, 7, 4))},
            SizeError,
            "channels is 7; use at most 6",
        ),
        ({"kernel": np.ones((1, 1, 4, 7)), "bias": 0}, SizeError, "filters is 7; use at most 6"),
        ({"bias": [1, 2]}, ShapeError, "bias has shape (2,); give one number or one for each of 4 filters"),
        ({"kind": "grouped", "groups": 3}, ShapeError, "4 channels cannot be split into 3 groups; choose"),
        ({"kind": "shuffled"}, SizeError, "kind 'shuffled' is unknown; use one of plain, grouped"),
        ({"filter": 4}, SizeError, "filter 4 is none of the 4 filters; use one below 4"),
        ({"place": (0, 4)}, SizeError, "place (0, 4) lies outside the output of 2×4"),
        ({"bias": 20_000}, SizeError, "bias must be a number … below 10000"),
    ],
)
def test_bad_layers_are_refused(arguments: Any, error: type[Exception], words: str, says: Any) -> None:
    with pytest.raises(error) as caught:
        FilterStack(**{**LAYER, **arguments})
    says(caught, words)


def test_the_script_computes_what_python_computes(show: Any, asked: Any) -> None:
    """Hundreds of layers of every kind: the same HTML, and the same refusals."""
    fitting, cases, answers = 0, [], []
    page = show(FilterStack(np.ones((3, 3, 6)), np.ones((2, 2, 6, 6))))
    for tall, wide in ((3, 2), (1, 1), (2, 3)):
        for number in range(8 * 36):
            inputs, kernel = (
                _RANDOM.integers(-8, 20, shape) / 4 for shape in ((4, 3, 6), (tall, wide, 6, 6))
            )
            bias = _RANDOM.integers(-9, 9, 6) / 2
            channels, filters, kind = number % 6 + 1, number // 6 % 6 + 1, KINDS[_RANDOM.integers(4)]
            groups, use_bias = int(_RANDOM.integers(1, 5)), bool(_RANDOM.integers(2))
            given = {"kind": kind, "groups": groups, "use_bias": use_bias}
            places = [{"filter": 0, "at": 0}]
            try:
                explorer = FilterStack(
                    inputs[..., :channels], kernel[..., :channels, :filters], bias[:filters], **given
                )
            except CnnError as error:
                answers.append(str(error))
            else:
                fitting += 1
                places = [{"filter": filters // 2, "at": number % 2}]
                answers.append([explorer._regions(place["filter"], place["at"]) for place in places])
            planes = np.moveaxis(inputs, 2, 0)[:channels], kernel.transpose(3, 2, 0, 1)[:filters, :channels]
            arrays = dict(zip(("inputs", "kernel"), (plane.tolist() for plane in planes), strict=True))
            counts = {"channels": channels, "filters": filters, "bias": bias.tolist()}
            cases.append(({**given, **counts, **arrays}, places))
    assert asked(page, cases) == answers
    assert fitting >= 500
    assert any(isinstance(answer, str) for answer in answers)


def test_all_by_keyboard(show: Any) -> None:
    page = show(FilterStack(**LAYER))
    page.locator(".cx-panels").focus()
    for key, place in (("ArrowRight", 1), ("ArrowDown", 5), ("ArrowLeft", 4), ("End", 7), ("Home", 0)):
        page.keyboard.press(key)
        assert say(page) == FilterStack(**LAYER)._regions(0, place)["say"]
    reached = []
    for _ in range(7):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.dataset.c ?? document.activeElement.tagName"))
    assert reached == ["kind", "filter", "row", "column", "reset", "link", "SUMMARY"]
    page.keyboard.press("Enter")
    page.get_by_role("combobox", name="layer").press("ArrowDown")
    page.get_by_role("spinbutton", name="groups").press("ArrowUp")
    assert (
        page.get_by_role("alert").inner_text().startswith("4 channels cannot be split into 3 groups; choose")
    )
    page.get_by_role("spinbutton", name="groups").press("ArrowUp")
    page.get_by_role("slider", name="filter").press("End")
    page.get_by_role("checkbox", name="bias").press("Space")
    other = FilterStack(**LAYER, kind="grouped", groups=4, use_bias=False)
    assert say(page) == other._regions(3, 0)["say"]
    assert page.locator(".cx-facts").inner_text().count("\n") >= 5
    page.get_by_role("spinbutton", name="filters").fill("2")
    page.get_by_role("spinbutton", name="channels").fill("2")
    page.get_by_role("spinbutton", name="groups").fill("2")
    fewer = FilterStack(INPUTS[..., :2], KERNEL[..., :2, :2], kind="grouped", use_bias=False)
    assert say(page) == fewer._regions(1, 0)["say"]
    page.get_by_role("button", name="Reset").press("Enter")
    assert say(page) == repr(FilterStack(**LAYER))


def test_by_mouse_and_finger(show: Any, dragged: Any, middle: Any) -> None:
    explorer = FilterStack(**LAYER)
    page = show(explorer)
    page.mouse.move(*middle(page, "w2", 0, 0))
    page.mouse.down()
    page.mouse.move(*middle(page, "w2", 1, 2), steps=4)
    page.mouse.up()
    assert say(page) == explorer._regions(0, 6)["say"]
    page.locator("svg[data-p=m]").scroll_into_view_if_needed()
    page.mouse.click(*middle(page, "pl", 1, 1))
    assert say(page) == explorer._regions(0, 5)["say"]
    box = page.locator("svg[data-p=m]").bounding_box()
    page.mouse.click(box["x"] + 10, box["y"] + box["height"] * 5 / 8)
    assert say(page) == explorer._regions(2, 5)["say"]
    page = show(explorer, width=360, has_touch=True, is_mobile=True)
    dragged(page, *(middle(page, "w0", 0, part / 2) for part in range(5)))
    assert say(page) == explorer._regions(0, 2)["say"]


def test_a_link_brings_the_layer_back(show: Any) -> None:
    page = show(FilterStack(**LAYER, name="stack"))
    page.get_by_role("combobox", name="layer").select_option("depthwise")
    page.get_by_role("slider", name="filter").fill("3")
    page.wait_for_function("location.hash && location.hash === document.querySelector('[data-c=link]').hash")
    words, link = say(page), page.evaluate("location.hash").split("--")[1]
    again = show(FilterStack(**LAYER, name="stack-again"), hash=f"#stack-again--{link}")
    assert say(again) == words == FilterStack(**LAYER, kind="depthwise")._regions(3, 0)["say"]


def test_every_number_can_be_changed(show: Any) -> None:
    page = show(FilterStack(**LAYER, name="edited"))
    page.locator("summary").click()
    other = {"inputs": INPUTS + 0, "kernel": KERNEL + 0, "bias": BIAS + 0}
    other["inputs"][2, 1, 3], other["kernel"][1, 0, 2, 1], other["bias"][1] = -7.5, 12, 0.25
    blocks = {"inputs": np.moveaxis(other["inputs"], 2, 0), "kernel": other["kernel"].transpose(3, 2, 0, 1)}
    for label, name in (("input values", "inputs"), ("kernel weights", "kernel")):
        rows = blocks[name].reshape(-1, blocks[name].shape[-1])
        page.get_by_label(label).fill("; ".join(" ".join(map(str, row)) for row in rows))
    page.get_by_label("biases").fill("1 0.25 0.5 0")
    page.get_by_role("slider", name="filter").fill("1")
    page.get_by_role("slider", name="column").fill("2")
    explorer = FilterStack(**other)
    assert say(page) == explorer._regions(1, 2)["say"]
    page.wait_for_function("location.hash && location.hash === document.querySelector('[data-c=link]').hash")
    link = page.evaluate("location.hash").split("--")[1]
    for label, typed, wrong in (
        (
            "input values",
            "1 2\n3 4\n5 6",
            "inputs has 3 rows, which make no 4 blocks of one height; give each as",
        ),
        ("kernel weights", "1 2; 3", "kernel is ragged: its rows differ in length"),
        ("biases", "1 2", "bias has 2 numbers; give 4, one for each filter"),
        ("biases", "1 2 x 3", "bias must be a number of at least -10000 and below 10000, not 'x'"),
    ):
        before = page.get_by_label(label).input_value()
        page.get_by_label(label).fill(typed)
        assert page.get_by_role("alert").inner_text().startswith(wrong)
        page.get_by_label(label).fill(before)
        assert say(page) == explorer._regions(1, 2)["say"]
    again = show(FilterStack(**LAYER, name="edited-again"), hash=f"#edited-again--{link}")
    assert say(again) == explorer._regions(1, 2)["say"]
    again.get_by_role("button", name="Reset").click()
    assert say(again) == repr(FilterStack(**LAYER))
