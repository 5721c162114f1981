"""Assignment 4: its drawing, its repairs, its letter, and its questions are what the library computes."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from cnnlib.activations import activation_backward, sigmoid
from cnnlib.connections import shift
from cnnlib.exercises import Sheet, Task, check_model, draw_cases, trace
from cnnlib.exercises.networks import Conv, Pool
from cnnlib.pooling import average_pool, max_pool
from cnnlib.sizes import output_size, padding_amounts

STUDENTS = ("ada", "김하늘", "s1234567")


@pytest.fixture
def pooling(notebooks):
    return notebooks["04-pooling"]


def code(text: str) -> str:
    """The first program in a text."""
    return re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)


def test_the_window_over_the_edge_is_where_keras_puts_it(pooling):
    source = pooling.cell("over-the-edge-question").source
    inputs, *windows = re.search(r"```text\n(.*?)\n```", source, re.DOTALL).group(1).splitlines()
    size, first = inputs.count("■"), inputs.index("■")
    assert len(windows) == output_size(size, 3, 3, "same")
    assert padding_amounts(size, 3, 3, "same") == (0, 1)
    for number, line in enumerate(windows):
        assert re.search("└─┴─┘", line).start() == first + 6 * number
    assert max(line.rindex("┘") for line in windows) == inputs.rindex("■") + 2
    assert len(Sheet(pooling.name, student_id="ada")["over-the-edge"].rows[0]) == size


def test_the_function_to_repair_has_the_four_faults_that_are_promised(pooling):
    """Only all four corrections together make it right."""
    question = pooling.cell("repair-average-pool-question").source
    source = code(question)
    assert "wrong in four ways" in question
    assert "Four faults in ten lines" in question
    assert len(source.splitlines()) == 10
    corrections = [
        (
            "height // strides, width // strides",
            "(height - pool_size) // strides + 1, (width - pool_size) // strides + 1",
        ),
        (
            "inputs[y : y + pool_size, x : x + pool_size]",
            "inputs[y * strides :, x * strides :][:pool_size, :pool_size]",
        ),
        ("window.sum()", "window.sum(axis=(0, 1))"),
        ("/ pool_size", "/ pool_size**2"),
    ]
    cases = draw_cases("average_pool_map", "four faults", 6, overlap=True)

    def right(chosen: tuple[int, ...]) -> bool:
        mended = source
        for number in chosen:
            wrong, correct = corrections[number]
            assert mended.count(wrong) == 1
            mended = mended.replace(wrong, correct)
        space: dict[str, object] = {"np": np}
        exec(mended, space)
        pool = space["average_pool2d"]
        found = [pool(*case.given.values()) for case in cases]  # type: ignore[operator]
        return all(case.kind.form.same(one, case.answer) for one, case in zip(found, cases, strict=True))

    chosen = [some for count in range(5) for some in itertools.combinations(range(4), count)]
    assert [some for some in chosen if right(some)] == [(0, 1, 2, 3)]


@pytest.mark.parametrize("student", STUDENTS)
def test_all_sides_between_smallest_and_largest_lead_to_the_last_shape(pooling, student):
    asked = Sheet(pooling.name, student_id=student)["backwards-through-a-summary"]
    found = [asked.tasks[name].answer for name in ("smallest_side", "largest_side")]

    def last(side: int) -> tuple[int, ...]:
        return trace((side, side, 3), asked.layers)[-1].output

    wanted = (asked.size, asked.size, asked.layers[2].filters)
    assert str((None, *wanted)) in asked.text
    sides = [side for side in range(2, 2 * found[1]) if fits(side, asked.layers) and last(side) == wanted]
    assert sides == list(range(found[0], found[1] + 1))


def fits(side: int, layers: tuple[Conv | Pool, ...]) -> bool:
    for layer in layers:
        if isinstance(layer, Pool):
            side //= layer.pool_size  # type: ignore[operator]
    return side > 0


def test_windows_without_a_stride_move_as_the_library_s_layers_do(pooling):
    from cnnlib.layers import GlobalAveragePooling2D, MaxPooling2D

    for student in STUDENTS:
        asked = Sheet(pooling.name, student_id=student)["pooling-shapes"]
        shape, window = asked.shape_c.input_shape, asked.shape_c.pool_size
        assert f"`MaxPooling2D({window})`" in asked.text
        assert MaxPooling2D(window).compute_output_shape((None, *shape))[1:] == asked.tasks["shape_c"].answer
        maps = (None, *asked.numbers_d.input_shape)
        assert GlobalAveragePooling2D().compute_output_shape(maps)[1:] == (asked.tasks["numbers_d"].answer,)


def test_gradients_are_what_nudging_the_inputs_shows():
    for rule, pool in (("maximum", max_pool), ("average", average_pool)):
        for case in range(5):
            task = draw_cases("pool_gradient", f"nudge {case}", 1, rule=rule)[0]
            values, slopes = (np.array(task.given[name], float) for name in ("values", "slopes"))
            window, step = task.given["pool_size"], task.given["strides"]
            nudged = np.zeros(values.shape)
            for place in np.ndindex(values.shape):
                loss = []
                for nudge in (1e-4, -1e-4):
                    moved = values.copy()
                    moved[place] += nudge
                    loss.append(np.sum(pool(moved[None, ..., None], window, step)[0, ..., 0] * slopes))
                nudged[place] = (loss[0] - loss[1]) / 2e-4
            np.testing.assert_allclose(task.answer, nudged, atol=1e-6)


def test_values_left_are_those_that_pooling_leaves():
    for task in draw_cases("values_left", "counted", 4, input_shape=(48, 32, 8), pool_size=2):
        maps = np.zeros((1, 48, 32, 8))
        for _ in range(task.given["times"]):
            maps = max_pool(maps, 2)
        assert task.answer == maps.size


def test_the_letter_is_right_and_shares_out_its_points(pooling):
    cell = pooling.cell("explain-invariance")
    points = [int(worth) for worth in re.findall(r"^\| (\d) \|", cell.source, re.MULTILINE)]
    assert sum(points) == cell.metadata.nbgrader.points
    stripes = np.array([0.0, 0, 1, 1, 0, 0, 1, 1]).reshape(1, 8, 1)
    before, after = (max_pool(row, 2).ravel() for row in (stripes, shift(stripes, 1, "circular")))
    said = " ".join(cell.source.split())
    assert "The row 0 0 1 1 0 0 1 1, pooled by two with stride two, gives 0 1 0 1" in said
    assert before.tolist() == [0, 1, 0, 1]
    assert set(after) == {1}
    assert "that of a sigmoid is a quarter at most" in said
    sums = np.linspace(-5, 5, 101)
    slopes = activation_backward("sigmoid", np.ones(101), sums, sigmoid(sums))
    assert slopes.max() == pytest.approx(1 / 4)
    assert Task("values_left", input_shape=(8, 8, 1), pool_size=2, times=1).answer / 64 == 1 / 4


@pytest.mark.keras
@pytest.mark.parametrize("student", STUDENTS[:2])
def test_the_network_to_repair_is_wrong_in_every_layer_and_can_be_repaired(pooling, student):
    asked = Sheet(pooling.name, student_id=student)["repair-a-network"]
    source = code(asked.text)
    first, _, second, *_ = asked.layers
    corrections = {
        f"Conv2D({first.filters}, 5)": f'Conv2D({first.filters}, 5, padding="same")',
        "MaxPooling2D(3)": "MaxPooling2D(3, strides=2)",
        f"Conv2D({second.filters}, 3, strides=2)": f"Conv2D({second.filters}, 3)",
        "MaxPooling2D(2, strides=1)": "MaxPooling2D(2)",
        "Flatten()": "GlobalAveragePooling2D()",
    }
    mended = source
    for wrong, right in corrections.items():
        assert mended.count(wrong) == 1
        mended = mended.replace(wrong, right)
    for program, right in ((source, False), (mended, True)):
        space: dict[str, object] = {}
        exec(program, space)
        verdicts = check_model("model", space["model"], asked.input_shape, asked.layers)
        assert {verdict.right for verdict in verdicts} == {right}
