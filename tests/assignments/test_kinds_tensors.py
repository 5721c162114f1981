"""What is asked about pictures and filters is answered as NumPy and SciPy answer it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import correlate

from cnnlib.exercises import Task, draw

SEEDS = [f"peer {number}" for number in range(8)]
each = pytest.mark.parametrize("seed", SEEDS)


@each
def test_values_and_bytes(seed):
    task = draw("bytes", seed)
    array = np.zeros(task.given["shape"], task.given["dtype"])
    assert task.answer == array.nbytes
    assert Task("values", shape=task.given["shape"]).answer == array.size


@each
def test_where_a_number_lies(seed):
    task = draw("byte_offset", seed)
    array = np.zeros(task.given["shape"], task.given["dtype"])
    array[task.given["index"]] = 1
    item = array.itemsize
    assert task.answer == np.flatnonzero(array.ravel()).item() * item
    strides = Task("array_strides", shape=task.given["shape"], dtype=task.given["dtype"]).answer
    assert np.dot(strides, task.given["index"]) == task.answer


@each
def test_what_people_say_and_what_arrays_store(seed):
    task = draw("array_shape", seed, order="NHWC")
    given = dict(task.given)
    batch = np.empty(task.answer, np.uint8)
    assert batch[0].shape == (given["height"], given["width"], 3)
    first = Task("array_shape", **{**given, "order": "NCHW"})
    assert first.answer == np.moveaxis(batch, -1, 1).shape


@each
def test_eight_bits(seed):
    task = draw("eight_bits", seed)
    assert task.answer == (task.given["value"] + task.given["change"]) % 256


@each
@pytest.mark.parametrize("arrays", [False, True])
def test_a_kernel_over_a_picture(seed, arrays):
    task = draw("picture_map", seed, arrays=arrays)
    picture, kernel = (np.array(task.given[name], float) for name in ("picture", "kernel"))
    np.testing.assert_allclose(task.answer, correlate(picture, kernel, "valid"), atol=1e-9)


@each
def test_a_separable_kernel_has_rank_one(seed):
    task = draw("separable_kernel", seed)
    assert np.linalg.matrix_rank(task.answer) <= 1
    down, across = np.array(task.given["down"]), np.array(task.given["across"])
    np.testing.assert_array_equal(task.answer @ across, down * (across @ across))


@each
@pytest.mark.parametrize("kind", ["film_output", "sliding_axes"])
def test_films(seed, kind):
    task = draw(kind, seed)
    film = np.broadcast_to(0, task.given["film"])
    places = np.lib.stride_tricks.sliding_window_view(film, task.given["window"]).shape[:3]
    assert task.answer == (places if kind == "film_output" else sum(n > 1 for n in places))


@each
def test_one_window_and_a_whole_picture(seed):
    task = draw("filter_response", seed)
    window, weights = (np.array(task.given[name]) for name in ("window", "weights"))
    assert task.answer == np.einsum("ijc,ijc", window, weights) + task.given["bias"]
    task = draw("one_filter", seed)
    inputs, weights, bias = task.given.values()
    partial = [correlate(inputs[..., c], weights[..., c], "valid") for c in range(inputs.shape[-1])]
    np.testing.assert_allclose(task.answer, sum(partial) + bias, atol=1e-9)


@each
def test_channels_first(seed):
    task = draw("channels_first", seed)
    for (n, y, x, c), value in np.ndenumerate(task.given["pictures"]):
        assert task.answer[n, c, y, x] == value


@each
def test_values_and_work_of_a_layer(seed):
    given = dict(draw("layer_macs", seed).given)
    height, width, channels = given["input_shape"]
    window = (given["kernel_size"], given["kernel_size"], channels)
    every = np.lib.stride_tricks.sliding_window_view(np.broadcast_to(0, (height, width, channels)), window)
    assert Task("layer_macs", **given).answer == every.size * given["filters"]
    assert Task("map_values", **given).answer == every[..., 0, 0, 0].size * given["filters"]
