"""What a window sees is answered as loops over its places, SciPy and NumPy answer it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import correlate

from cnnlib.exercises import Task, draw

each = pytest.mark.parametrize("seed", [f"peer {number}" for number in range(8)])


def _seen(size, kernel_size, stride=1):
    counts = np.zeros((size, size), int)
    for top in range(0, size - kernel_size + 1, stride):
        for left in range(0, size - kernel_size + 1, stride):
            counts[top : top + kernel_size, left : left + kernel_size] += 1
    return counts


@each
@pytest.mark.parametrize("gaps", [False, True])
def test_pixels_that_no_window_reaches(seed, gaps):
    task = draw("unseen_pixels", seed, gaps=gaps)
    assert task.answer == (_seen(**task.given) == 0).sum()


@each
def test_windows_that_see_a_pixel(seed):
    task = draw("pixel_coverage", seed)
    size, kernel_size, row, column = task.given.values()
    assert task.answer == _seen(size, kernel_size)[row, column]


@each
def test_the_frame(seed):
    task = draw("frame_cells", seed)
    size, padding = task.given.values()
    assert task.answer == np.pad(np.zeros((size, size)), padding, constant_values=1).sum()


@each
def test_same_gives_every_window_what_it_needs(seed):
    task = draw("same_amounts", seed)
    size, kernel_size, stride = task.given.values()
    before, after = task.answer
    outputs = math.ceil(size / stride)
    assert (size + before + after - kernel_size) // stride + 1 == outputs
    assert before + after == max((outputs - 1) * stride + kernel_size - size, 0)
    assert 0 <= after - before <= 1


@each
@pytest.mark.parametrize(("mode", "theirs"), [("reflect", "reflect"), ("edge", "edge"), ("circular", "wrap")])
def test_what_stands_in_the_frame(seed, mode, theirs):
    task = draw("filled_row", seed, mode=mode)
    np.testing.assert_array_equal(task.answer, np.pad(task.given["row"], 2, mode=theirs))


@each
def test_layers_without_padding(seed):
    task = draw("unpadded_layers", seed)
    size, kernel_size = task.given.values()
    left = size - task.answer * (kernel_size - 1)
    assert 1 <= left < kernel_size


@each
def test_work_with_a_stride(seed):
    task = draw("strided_work", seed)
    size, kernel_size, stride = task.given.values()
    assert task.answer == len(range(0, size, stride)) ** 2 * kernel_size**2


@each
def test_places_and_their_windows(seed):
    task = draw("places", seed)
    picture = np.zeros(task.given["input_shape"])
    assert task.answer == correlate(picture, np.ones(task.given["kernel_size"]), "valid").size
    rows = draw("window_rows", seed)
    height, width, channels = rows.given["input_shape"]
    side = rows.given["kernel_size"]
    windows = sliding_window_view(np.zeros((height, width, channels)), (side, side, channels))
    assert rows.answer == windows.reshape(-1, side * side * channels).shape


@each
def test_one_filter(seed):
    task = draw("filter_weights", seed)
    block = np.zeros(task.given["input_shape"])[: task.given["kernel_size"], : task.given["kernel_size"]]
    assert task.answer == block.size
    sums = draw("channel_sum", seed)
    assert sums.answer == math.fsum((*sums.given["sums"], sums.given["bias"]))
    split = draw("split_products", seed)
    assert split.answer == 2 * split.given["kernel_size"]


@each
def test_the_call_of_torch7(seed):
    task = draw("torch_call", seed)
    torch7 = np.zeros([task.given[name] for name in ("maps", "planes", "tall", "wide")])
    assert task.answer == torch7.transpose(2, 3, 1, 0).shape


@each
def test_one_output_and_its_matrix(seed):
    task = draw("one_output", seed)
    signal, kernel, stride, place = task.given.values()
    assert task.answer == pytest.approx(correlate(signal, kernel, "valid")[::stride][place])
    shape = draw("matrix_shape", seed)
    size, kernel_size, stride = shape.given.values()
    assert shape.answer == (len(range(0, size - kernel_size + 1, stride)), size)


@each
def test_a_layer_without_a_flip_learns_the_mirrored_kernel(seed):
    task = draw("learned_kernel", seed)
    signal = np.random.default_rng(7).normal(size=40)
    target = np.convolve(signal, task.given["kernel"], "valid")
    windows = sliding_window_view(signal, len(task.given["kernel"]))
    learned, *_ = np.linalg.lstsq(windows, target, rcond=None)
    np.testing.assert_allclose(task.answer, learned, atol=1e-9)


@each
@pytest.mark.parametrize(("rule", "reduce"), [("maximum", np.max), ("average", np.mean)])
def test_a_thin_line(seed, rule, reduce):
    task = draw("line_left", seed, rule=rule)
    window = np.zeros((task.given["pool_size"],) * 2)
    window[-1] = task.given["value"]
    assert task.answer == Task("line_left", **task.given).answer == reduce(window)
