"""The examples in the questions, and the model answers to the letters, of assignments 1 and 2 are right."""

from __future__ import annotations

import ast
import re

import numpy as np
import pytest

from cnnlib.algorithms import toeplitz_matrix
from cnnlib.connections import KINDS, connection_ids
from cnnlib.convolution import convolve
from cnnlib.exercises import Sheet, check_model
from cnnlib.filters import sobel
from cnnlib.images import LUMA
from cnnlib.sizes import conv_weights, dropped_inputs, output_size


@pytest.fixture
def rows(notebooks):
    """Assignment 1."""
    return notebooks["01-one-dimension"]


@pytest.fixture
def tensors(notebooks):
    """Assignment 2."""
    return notebooks["02-tensors-and-filters"]


def block(notebook, question: str) -> list[str]:
    """The lines of the first drawing in a question."""
    source = notebook.cell(f"{question}-question").source
    return re.search(r"```text\n(.*?)\n```", source, re.DOTALL).group(1).splitlines()


def code(text: str) -> str:
    """The first program in a text."""
    return re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)


def test_the_three_layers_on_four_inputs(rows):
    _, *drawn = block(rows, "three-layers")
    entries = np.array([[0 if entry == "." else int(entry) for entry in line.split()] for line in drawn])
    for number, kind in enumerate(KINDS):
        np.testing.assert_array_equal(entries[:, 4 * number : 4 * number + 4], connection_ids(kind, (4,), 2))
    assert "Here are 4 inputs and a window of 2." in rows.cell("three-layers-question").source


def test_the_places_of_the_drawing(rows):
    inputs, *places = block(rows, "count-the-places")
    size, width, stride = 9, 4, 3
    assert "Here are 9 inputs, a kernel of 4, stride 3" in rows.cell("count-the-places-question").source
    assert inputs.count("■") == size
    assert len(places) == output_size(size, width, stride)
    assert places[-1].count("✗") == dropped_inputs(size, width, stride)
    for number, line in enumerate(places):
        window = re.search("└[─┴]*┘", line)
        assert window.start() == inputs.index("■") + 2 * stride * number
        assert window.group().count("┴") == width - 2


def test_the_matrix_and_the_convolution_of_the_examples(rows):
    question = rows.cell("write-the-matrix-question").source
    written = ast.literal_eval(re.search(r"is `(\[\[.*\]\])`", question).group(1))
    np.testing.assert_array_equal(written, toeplitz_matrix(np.array([5, 6]), 4))
    assert "The kernel (5, 6) on 4 inputs" in question
    assert "[2, 3] ∗ [1, 1] = [2, 5, 3]" in rows.cell("in-the-mirror-question").source
    np.testing.assert_array_equal(convolve([2, 3], [1, 1]), [2, 5, 3])


def test_the_layer_to_mend_has_the_three_slips_that_are_promised(rows):
    """Each correction alone leaves it wrong, all three make it right."""
    source = re.search(r"```python\n(.*?)```", rows.cell("mend-the-layer-question").source, re.DOTALL).group(
        1
    )
    corrections = [
        ("// stride\n", "// stride + 1\n"),
        ("signal[i : i + len(kernel)]", "signal[i * stride : i * stride + len(kernel)]"),
        ("max(np.dot(window, kernel), 0) + bias", "max(np.dot(window, kernel) + bias, 0)"),
    ]
    assert "**three slips**" in rows.cell("mend-the-layer-question").source

    def right(*chosen: int) -> bool:
        mended = source
        for number in chosen:
            wrong, correct = corrections[number]
            assert mended.count(wrong) == 1
            mended = mended.replace(wrong, correct)
        space: dict[str, object] = {"np": np}
        exec(mended, space)
        layer = space["layer"]
        signal, kernel = np.array([3.0, 1, 4, 1, 5, 9, 2]), np.array([-1.0, 2])
        wanted = np.maximum(np.correlate(signal, kernel, "valid")[::2] - 1, 0)
        return np.array_equal(layer(signal, kernel, -1.0, 2), wanted)

    assert right(0, 1, 2)
    assert not any(right(*chosen) for chosen in ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2)))


def test_the_bytes_of_the_small_picture(tensors):
    picture = np.zeros((2, 3, 3), np.uint8)
    numbers, letters, pixels = block(tensors, "where-it-is-stored")
    assert [int(byte) for byte in re.findall(r"\d+", numbers)] == list(range(picture.size))
    assert re.findall("[RGB]", letters) == list("RGB") * 6
    assert [ast.literal_eval(place) for place in re.findall(r"\[\d, \d\]", pixels)] == [
        list(place) for place in np.ndindex(picture.shape[:2])
    ]
    question = tensors.cell("where-it-is-stored-question").source
    assert f"its strides are {picture.strides}" in question
    assert f"the B of pixel [1, 0] is byte {np.dot((1, 0, 2), picture.strides)}." in question


def test_the_separable_kernel_of_the_example(tensors):
    question = tensors.cell("column-times-row-question").source
    written = ast.literal_eval(re.search(r"`(\[\[.*\]\])`", question).group(1))
    np.testing.assert_array_equal(written, np.outer([1, 2, 1], [-1, 0, 1]))
    np.testing.assert_array_equal(written, sobel())


def test_the_letters_count_right_and_share_out_their_points(rows, tensors):
    for notebook, question in ((rows, "explain-the-table"), (tensors, "explain-the-grey")):
        cell = notebook.cell(question)
        points = [int(worth) for worth in re.findall(r"^\| (\d) \|", cell.source, re.MULTILINE)]
        assert sum(points) == cell.metadata.nbgrader.points
    letter = tensors.cell("explain-the-grey").source
    assert f"5·5·1·64 = {conv_weights((5, 5), 1, 64):,} weights" in letter
    assert f"5·5·3·64 = {conv_weights((5, 5), 3, 64):,}" in letter
    assert f"3·3·64·64 = {conv_weights((3, 3), 64, 64):,} weights" in letter
    assert round(float(LUMA @ [200, 0, 0])) == round(float(LUMA @ [0, 102, 0]))
    assert "the weights {}, {} and {}".format(*LUMA) in letter
    columns = 4 + 200
    assert f"on {columns}" in rows.cell("explain-question").source
    assert f"instead of\n{columns}." in rows.cell("explain-the-table").source


@pytest.mark.keras
@pytest.mark.parametrize("student", ["ada", "김하늘"])
def test_the_network_to_mend_has_the_four_slips_that_are_promised(tensors, student):
    """As it is shown it does not run; with the four corrections it fits the table."""
    asked = Sheet(tensors.name, student_id=student)["mend-the-network"]
    assert "**four slips**" in tensors.cell("mend-the-network-question").source
    source = code(asked.text)
    with pytest.raises(ValueError, match="output size would be zero or negative"):
        exec(source, {})
    height, width, channels = asked.input_shape
    first, second, third = asked.layers
    corrections = {
        f"({channels}, {height}, {width})": f"({height}, {width}, {channels})",
        f"Conv2D({first.kernel_size}, {first.filters})": f"Conv2D({first.filters}, {first.kernel_size})",
        ", use_bias=False": "",
        f'Conv2D({third.filters}, 3, padding="same")': f"Conv2D({third.filters}, 1)",
    }
    for wrong, right in corrections.items():
        assert source.count(wrong) == 1
        source = source.replace(wrong, right)
    space: dict[str, object] = {}
    exec(source, space)
    verdicts = check_model("mended", space["mended"], asked.input_shape, asked.layers)
    assert [verdict.right for verdict in verdicts] == [True] * len(asked.layers)
    assert second.kernel_size == 3
