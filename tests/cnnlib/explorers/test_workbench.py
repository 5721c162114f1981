"""The workbench: its numbers are those of the library, of Keras, and of the browser."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnnlib.architectures import alexnet, lenet5_modern, mobilenet, vgg16
from cnnlib.errors import CnnError, ShapeError, SizeError
from cnnlib.explorers import ArchitectureWorkbench
from cnnlib.explorers.workbench import ACTIVATIONS, PRESETS

PUBLISHED = {"LeNet": lenet5_modern, "AlexNet": alexnet, "VGG-16": vgg16, "MobileNet": mobilenet}


def drawn(count: int) -> list[tuple[str, tuple[int, int, int]]]:
    """Networks drawn at random, most of which hold together, some with a slip of the pen."""
    random = np.random.default_rng(20260112)

    def chosen(*options: Any) -> Any:
        return options[random.integers(len(options))]

    def line(picture: bool) -> str:
        if not picture:
            return f"dense {random.integers(1, 30)}{chosen('', '', ' nobias')}{chosen('', ' bn', ' relu')}"
        kind = chosen("conv", "conv", "conv", "depthwise", "maxpool", "averagepool")
        words = [
            kind,
            *([str(random.integers(1, 5) * 2)] if kind == "conv" else []),
            str(random.integers(1, 5)),
        ]
        if kind in ("conv", "depthwise"):
            words += chosen([], ["same"], ["pad", "1"], ["same"])
            words += chosen([], [], ["stride", "2"], ["dilation", "2"])
            words += [*chosen([], [], ["nobias", "bn"]), chosen(*ACTIVATIONS)]
            if kind == "conv":
                words += chosen([], [], [], ["groups", "2"])
        else:
            words += chosen([], ["stride", str(random.integers(1, 4))], ["same"])
        return " ".join(words)

    def network() -> tuple[str, tuple[int, int, int]]:
        lines = [line(True) for _ in range(random.integers(1, 6))]
        if random.random() < 0.7:
            lines += [chosen("flatten", "globalpool"), *(line(False) for _ in range(random.integers(0, 3)))]
        if random.random() < 0.12:
            slip = chosen(
                "cnv 3", "conv 3", "conv 0 3", "maxpool 2 groups 2", "dense x", "conv 2 3 stride", "flatten 3"
            )
            lines.insert(int(random.integers(len(lines) + 1)), slip)
        size = [int(n) for n in random.integers(8, 40, 2)]
        return "\n".join(lines), (*size, int(random.integers(1, 4)))

    return [network() for _ in range(count)]


def say(page: Any) -> str:
    return page.locator(".cx-say").inner_text()


@pytest.mark.parametrize("title", PRESETS)
def test_what_it_starts_from_is_the_published_network(title: str) -> None:
    shape, lines = PRESETS[title]
    mine, theirs = ArchitectureWorkbench(lines, shape), PUBLISHED[title]().summary()
    assert mine.total("parameters") == theirs.parameters
    assert mine.total("macs") == theirs.macs
    assert [row.shape for row in mine.rows][-1] == theirs.rows[-1].output_shape[1:]
    seen = [row.field[0].size for row in theirs.rows if row.field and row.field[0].stride]
    assert max(row.field for row in mine.rows if row.field) == max(seen)
    if title == "VGG-16":  # nothing but its dropout is left out here
        assert mine.total("values") == sum(row.values for row in theirs.rows if row.kind != "Dropout")


def test_each_row_is_that_of_a_network_of_such_layers() -> None:
    compared = 0
    for lines, shape in drawn(80):
        try:
            mine = ArchitectureWorkbench(lines, shape)
        except CnnError:
            continue
        summary = mine.network().summary()
        assert (mine.total("parameters"), mine.total("macs")) == (summary.parameters, summary.macs)
        assert mine.rows[-1].shape == summary.rows[-1].output_shape[1:]
        compared += 1
    assert compared > 40


@pytest.mark.keras
def test_the_program_runs_in_keras() -> None:
    """… and makes a network of the same shape and as many parameters."""
    networks = [
        (lines, shape) for shape, lines in (PRESETS["LeNet"], PRESETS["AlexNet"], PRESETS["MobileNet"])
    ]
    for lines, shape in [*networks, *drawn(12)]:
        try:
            mine = ArchitectureWorkbench(lines, shape)
        except CnnError:
            continue
        names: dict[str, Any] = {}
        exec(mine.keras_code(), names)
        assert names["model"].count_params() == mine.total("parameters"), lines
        assert names["model"].output_shape[1:] == mine.rows[-1].shape, lines


@pytest.mark.parametrize(
    ("lines", "error", "words"),
    [
        ("conv 6 5\ncnv 3 3", SizeError, "line 2: there is no layer cnv; use one of conv, depthwise"),
        ("conv 6", SizeError, "line 1: conv needs a number for kernel"),
        ("\nconv 6 5 stride", SizeError, "line 2: stride needs a number for stride"),
        ("conv 6 5 stride 0", SizeError, "line 1: stride must be a whole number from 1 to 100000, not 0"),
        ("conv 6 5 stried 2", SizeError, "line 1: conv has no option stried; it has stride, pad"),
        ("flatten same", SizeError, "line 1: flatten has no option same; it has no options"),
        ("conv 6 40", SizeError, "line 1, axis 0: kernel 40 does not fit into input 28"),
        ("conv 6 3 stride 2 dilation 2", SizeError, "line 1: stride 2 and dilation 2: Keras takes only one"),
        ("conv 6 3 groups 2", ShapeError, "line 1: 1 channels cannot be split into 2 groups; choose"),
        ("dense 10", ShapeError, "line 1: dense needs a row of numbers; put flatten or globalpool"),
        ("globalpool\nmaxpool 2", ShapeError, "line 2: maxpool needs a picture; after flatten"),
        ("", SizeError, "there are 0 lines; give 1 to 60"),
        ("conv 1 1\n" * 61, SizeError, "there are 61 lines; give 1 to 60"),
    ],
)
def test_what_cannot_be_built_is_said_with_its_line(
    lines: str, error: type[Exception], words: str, says: Any
) -> None:
    with pytest.raises(error) as caught:
        ArchitectureWorkbench(lines)
    says(caught, words)


def test_an_input_is_a_picture(says: Any) -> None:
    with pytest.raises(SizeError) as caught:
        ArchitectureWorkbench("flatten", (28, 28))
    says(caught, "input must be height, width and channels, such as 32 32 3")


def test_the_script_computes_what_python_computes(show: Any, asked: Any) -> None:
    """Hundreds of networks: the same HTML, numbers and program, and the same refusals."""
    cases, answers = [], []
    for lines, shape in [*drawn(900), *((lines, shape) for shape, lines in PRESETS.values())]:
        cases.append(({"layers": lines, "input": shape}, [{}]))
        try:
            answers.append([ArchitectureWorkbench(lines, shape)._regions()])
        except CnnError as error:
            answers.append(str(error))
    assert sum(isinstance(answer, list) for answer in answers) >= 500
    assert len({answer.split(" ")[2] for answer in answers if isinstance(answer, str)}) >= 5
    assert asked(show(ArchitectureWorkbench()), cases) == answers


def test_by_keyboard_and_link(show: Any) -> None:
    page = show(ArchitectureWorkbench(name="bench"))
    page.locator(".cx-panels").focus()
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.dataset.c ?? document.activeElement.tagName"))
    assert reached == ["SUMMARY", "preset", "input", "layers", "reset", "link"]
    page.locator("summary").press("Enter")
    page.get_by_role("combobox").press("ArrowDown")
    page.get_by_role("combobox").press("ArrowDown")
    shape, lines = PRESETS["AlexNet"]
    assert say(page) == repr(ArchitectureWorkbench(lines, shape))
    assert page.locator("pre").inner_text() == ArchitectureWorkbench(lines, shape).keras_code()
    page.get_by_label("layers, a line each").fill("conv 6 5 relu\nconv 6 299")
    with pytest.raises(SizeError) as caught:
        ArchitectureWorkbench("conv 6 5 relu\nconv 6 299", shape)
    assert page.get_by_role("alert").inner_text() == str(caught.value)
    page.get_by_label("layers, a line each").fill("conv 6 5 relu\n\nconv 6 3 same")
    page.get_by_label("input:").fill("32 32")
    assert (
        page.get_by_role("alert").inner_text() == "input must be height, width and channels, such as 32 32 3"
    )
    page.get_by_label("input:").fill("32 32 3")
    typed = ArchitectureWorkbench("conv 6 5 relu\n\nconv 6 3 same", (32, 32, 3))
    assert say(page) == repr(typed)
    page.wait_for_function("location.hash && location.hash === document.querySelector('[data-c=link]').hash")
    link = page.evaluate("location.hash").split("--")[1]
    again = show(ArchitectureWorkbench(name="bench-again"), hash=f"#bench-again--{link}")
    assert say(again) == repr(typed)
    again.get_by_role("button", name="Reset").press("Enter")
    assert say(again) == repr(ArchitectureWorkbench())
