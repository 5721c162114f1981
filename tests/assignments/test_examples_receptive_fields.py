"""Assignment 5: its drawing, its repair, its letter, and its questions are what the library computes."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from cnnlib.exercises import Sheet, Task, draw_cases
from cnnlib.exercises.kinds.receptive_fields import EQUIVARIANT, INVARIANT, MAPS, NEITHER
from cnnlib.layers import Conv2D, MaxPooling2D
from cnnlib.network import Input, Sequential
from cnnlib.plots.receptive_field import spread
from cnnlib.receptive_field import Window, receptive_field

STUDENTS = ("ada", "김하늘", "s1234567")


@pytest.fixture
def seen(notebooks):
    return notebooks["05-receptive-fields"]


def test_the_drawing_shows_two_layers_of_width_3_the_first_with_stride_2(seen):
    source = seen.cell("layer-by-layer-question").source
    top, upper, units, lower, pixels = (
        re.search(r"```text\n(.*?)\n```", source, re.DOTALL).group(1).splitlines()
    )
    places = [at for at, sign in enumerate(pixels) if sign == "■"]
    centres = [at for at, sign in enumerate(units) if sign in "○●"]
    lines = [at for at, sign in enumerate(lower) if sign in "┌┼┬┐"]
    read = [at for at, sign in enumerate(units) if sign == "●"]
    assert set(np.diff(places)) == {2}
    assert set(np.diff(centres)) == {4}  # two pixels
    assert len(centres) == (len(places) - 3) // 2 + 1
    assert [upper.index("┌"), upper.index("┼"), upper.index("┐")] == read
    assert top.index("●") == read[1]
    assert lines[0] == read[0] - 2
    assert lines[-1] == read[-1] + 2
    field = receptive_field([Window(3, 2), Window(3)])
    assert len(lines) == field.size == 3 + (3 - 1) * 2 == 7
    assert "7 of them are seen: 3 + (3 − 1)·2" in pixels


def test_the_example_of_paths(seen):
    assert "give `[1, 2, 3, 2, 1]`" in seen.cell("count-the-paths-question").source
    assert Task("paths", layers=((3, 1), (3, 1))).answer.tolist() == [1, 2, 3, 2, 1]


def test_paths_are_what_ones_and_gradients_count():
    """A network of ones: the gradient of an output is the number of paths."""
    for task in draw_cases("paths", "ones", 6):
        sides = [1]
        for kernel, stride in reversed(task.given["layers"]):
            sides.append((sides[-1] - 1) * stride + kernel)
        rows = np.eye(sides[-1])
        for kernel, stride in task.given["layers"]:
            places = range(0, rows.shape[1] - kernel + 1, stride)
            rows = np.stack([rows[:, at : at + kernel].sum(axis=1) for at in places], axis=1)
        np.testing.assert_array_equal(rows[:, 0], task.answer)


def test_every_map_keeps_its_word_on_other_rows():
    rng = np.random.default_rng(5)
    found = {name: int(Task("movements", operators=(name,)).answer[0]) for name in MAPS}
    assert min(list(found.values()).count(word) for word in (EQUIVARIANT, INVARIANT, NEITHER)) >= 8
    for name, word in found.items():
        along, stays = [], []
        for _ in range(5):
            row = rng.normal(size=8)
            for amount in range(1, 8):
                before, after = (np.asarray(MAPS[name](one)) for one in (row, np.roll(row, amount)))
                stays.append(np.allclose(before, after))
                along.append(before.ndim == 1 and np.allclose(after, np.roll(before, amount)))
        assert (EQUIVARIANT if all(along) else INVARIANT if all(stays) else NEITHER) == word, name


def test_strides_multiply_in_a_real_network():
    """The map of a picture moved by the product of the strides is the old one, moved by one place."""
    rng = np.random.default_rng(8)
    for task in draw_cases("exact_shift", "real", 3, strides=(2, 1, 3)):
        network = Sequential([Input((60, 8, 1)), *(Conv2D(2, 3, strides=(s, 1)) for s in (2, 1, 3))])
        network.initialize(1)
        picture = rng.normal(size=(1, 66, 8, 1))
        late, early = network(picture[:, :60]), network(picture[:, task.answer : 60 + task.answer])
        np.testing.assert_allclose(early[:, :-1], late[:, 1:])


@pytest.mark.parametrize("student", STUDENTS)
def test_the_summary_sees_what_the_library_s_network_sees(seen, student):
    asked = Sheet(seen.name, student_id=student)["read-the-summary"]
    first, _, second, _, third = asked.layers
    network = Sequential(
        [
            Input(asked.input_shape),
            Conv2D(first.filters, first.kernel_size, padding="same"),
            MaxPooling2D(2),
            Conv2D(second.filters, second.kernel_size, padding="same"),
            MaxPooling2D(2),
            Conv2D(third.filters, third.kernel_size, padding="same"),
        ]
    )
    assert asked.tasks["last_sees"].answer == receptive_field(network).size
    assert asked.tasks["kernel_of_3"].answer == second.kernel_size
    assert f"{network.count_params():,}" in asked.text


def test_the_function_to_repair_has_the_four_faults_that_are_promised(seen):
    """Only all four corrections together make it right."""
    question = seen.cell("repair-the-walk-question").source
    source = re.search(r"```python\n(.*?)```", question, re.DOTALL).group(1)
    assert "wrong in four ways" in question
    sizes = (
        "    sizes = [size]\n    for kernel, stride, padding, dilation in layers:\n"
        "        sizes.append((sizes[-1] + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1)\n"
    )
    corrections = [
        ("dilation in layers:\n        below", "dilation in reversed(layers):\n        below"),
        ("- padding + tap)", "- padding + tap * dilation)"),
        ("sorted(wanted)", "sorted(set(wanted))"),
        (
            "        wanted = below\n",
            "        sizes.pop()\n        wanted = [place for place in below if 0 <= place < sizes[-1]]\n",
        ),
    ]
    cases = draw_cases("pixels_read", "four faults", 30)

    def right(chosen: tuple[int, ...]) -> bool:
        mended = source
        for number in chosen:
            wrong, correct = corrections[number]
            assert mended.count(wrong) == 1
            mended = mended.replace(wrong, correct)
        mended = mended.replace("    wanted = [output]\n", sizes + "    wanted = [output]\n")
        space: dict[str, object] = {}
        exec(mended, space)
        read = space["pixels_read"]
        return all(read(*case.given.values()) == case.answer.tolist() for case in cases)  # type: ignore[operator]

    chosen = [some for count in range(5) for some in itertools.combinations(range(4), count)]
    assert [some for some in chosen if right(some)] == [(0, 1, 2, 3)]


def test_the_letter_is_right_and_shares_out_its_points(seen):
    cell = seen.cell("explain-seeing")
    points = [int(worth) for worth in re.findall(r"^\| (\d) \|", cell.source, re.MULTILINE)]
    assert sum(points) == cell.metadata.nbgrader.points
    stack = [Window(3, padding="same")] * 40
    assert "40 layers of 3×3" in seen.cell("explain-question").source
    assert receptive_field(stack).size == 81 == 1 + 40 * 2
    assert "1 + 40·2 = 81" in cell.source
    inside = Task("inside_outputs", size=224, kernel_sizes=(3,) * 40).answer
    assert (224 - inside) // 2 == 40
    assert "that border is 40 pixels wide on each side" in " ".join(cell.source.split())
    assert round(spread(stack)) == 5
    assert "its standard deviation is about 5 pixels" in cell.source
