"""What is asked about variants is answered as counting, NumPy, SciPy and Keras answer it in other ways."""

from __future__ import annotations

import itertools

import nbformat
import numpy as np
import pytest
from scipy.signal import correlate

from cnnlib.exercises import draw, trace
from cnnlib.exercises.checks import well_posed
from cnnlib.exercises.networks import Row
from cnnlib.sizes import separable_cost

SEEDS = [f"peer {number}" for number in range(8)]
each = pytest.mark.parametrize("seed", SEEDS)


def spread(kernel, dilation):
    """A kernel with zeros between its weights."""
    wide = np.zeros(dilation * (len(kernel) - 1) + 1)
    wide[::dilation] = kernel
    return wide


# --- Dilation -----------------------------------------------------------------------------------------


@each
@pytest.mark.parametrize("strided", [False, True])
def test_a_kernel_with_gaps_fits_as_often_as_it_is_laid_down(seed, strided):
    given = draw("dilated_size", seed, strided=strided).given
    padded = np.zeros(given["size"] + 2 * given["padding"])
    wide = spread(np.ones(given["kernel_size"]), given["dilation"])
    places = np.correlate(padded, wide, "valid")[:: given["stride"]]
    assert draw("dilated_size", seed, strided=strided).answer == len(places)


@each
def test_the_padding_that_keeps_the_size(seed):
    task = draw("dilated_padding", seed)
    wide = spread(np.ones(task.given["kernel_size"]), task.given["dilation"])
    assert len(np.correlate(np.zeros(100 + 2 * task.answer), wide, "valid")) == 100


def reached(kernel_size, dilations):
    """The inputs at the ends of all ways down from one output."""
    steps = [[dilation * weight for weight in range(kernel_size)] for dilation in dilations]
    return {sum(way) for way in itertools.product(*steps)}


@each
def test_what_a_stack_sees_is_what_its_ways_end_at(seed):
    for kind, length in (("dilated_field", lambda ends: max(ends) + 1), ("touched_inputs", len)):
        task = draw(kind, seed, accept=well_posed)
        assert task.answer == length(reached(**task.given))


@each
def test_a_dilated_row_is_a_plain_one_of_a_wider_kernel(seed):
    task = draw("dilated_row", seed)
    wide = spread(np.array(task.given["kernel"], float), task.given["dilation"])
    np.testing.assert_allclose(task.answer, np.correlate(task.given["signal"], wide, "valid"))


# --- Channels -----------------------------------------------------------------------------------------


@each
def test_a_1x1_layer_is_a_product_with_a_matrix(seed):
    task = draw("pixel_mix", seed)
    np.testing.assert_allclose(task.answer, np.array(task.given["pixel"]) @ np.array(task.given["weights"]))


def cut(count, groups):
    """The number of the group of each of ``count`` channels."""
    return np.repeat(np.arange(groups), count // groups)


@each
def test_groups_have_weights_where_filter_and_channel_are_of_one_group(seed):
    given = draw("grouped_parameters", seed).given
    size, channels, filters, groups = (
        given[name] for name in ("kernel_size", "channels", "filters", "groups")
    )
    pairs = (cut(channels, groups)[:, None] == cut(filters, groups)).sum()
    assert draw("grouped_parameters", seed).answer == size**2 * pairs + filters
    shape = draw("grouped_shape", seed, **{name: given[name] for name in given if name != "use_bias"})
    assert np.prod(shape.answer) == size**2 * pairs
    assert shape.answer[-1] == filters


@each
def test_the_groups_that_a_count_betrays(seed):
    task = draw("groups_from_count", seed)
    size, channels, filters = (task.given[name] for name in ("kernel_size", "channels", "filters"))
    pairs = (cut(channels, task.answer)[:, None] == cut(filters, task.answer)).sum()
    assert task.given["parameters"] == size**2 * pairs + filters


@each
def test_a_shuffle_deals_cards(seed):
    task = draw("shuffle_order", seed)
    channels, groups = task.given["channels"], task.given["groups"]
    piles = np.array_split(np.arange(channels), groups)
    assert task.answer.tolist() == [card for row in zip(*piles, strict=True) for card in row]
    undo = draw("unshuffle_groups", seed, channels=channels, groups=groups).answer
    again = np.concatenate(list(zip(*np.array_split(task.answer, undo), strict=True)))
    assert again.tolist() == list(range(channels))


@each
@pytest.mark.parametrize("whole", [False, True])
def test_who_hears_of_whom(seed, whole):
    task = draw("shuffle_reach", seed, whole=whole, accept=well_posed)
    channels, groups = task.given["channels"], task.given["groups"]
    layer = (cut(channels, groups)[:, None] == cut(channels, groups)).astype(int)  # who hears of whom
    order = draw("shuffle_order", seed, channels=channels, groups=groups).answer.astype(int)
    assert task.answer == np.count_nonzero((layer @ layer[order])[0])
    assert (task.answer == channels) == whole


@each
def test_a_shuffled_picture(seed):
    task = draw("shuffle_map", seed)
    groups = task.given["groups"]
    for inputs, outputs in zip(
        task.given["inputs"].reshape(-1, task.answer.shape[-1]),
        task.answer.reshape(-1, task.answer.shape[-1]),
        strict=True,
    ):
        np.testing.assert_array_equal(outputs, np.reshape(inputs, (groups, -1)).T.ravel())


# --- Space first, channels after ----------------------------------------------------------------------


@each
def test_a_depthwise_layer_filters_every_channel_by_itself(seed):
    task = draw("depthwise_map", seed)
    inputs, kernels, stride = task.given.values()
    *_, channels, multiplier = kernels.shape
    maps = [
        correlate(inputs[..., c], kernels[..., c, m], "valid")[::stride, ::stride]
        for c in range(channels)
        for m in range(multiplier)
    ]
    np.testing.assert_allclose(task.answer, np.stack(maps, axis=-1), atol=1e-12)


@each
def test_how_many_products_a_separable_layer_saves(seed):
    task = draw("separable_saving", seed)
    size, channels, filters = task.given.values()
    plain = np.ones((size, size, channels, filters)).size
    thin = np.ones((size, size, channels)).size + np.ones((channels, filters)).size
    assert task.answer == pytest.approx(plain / thin)


@each
def test_a_column_times_a_row(seed):
    task = draw("missing_entry", seed, accept=well_posed)
    kernel = np.array([[task.answer if n is None else n for n in row] for row in task.given["kernel"]], float)
    assert np.linalg.matrix_rank(kernel) == 1


@pytest.mark.keras
def test_keras_makes_and_counts_the_same():
    from cnnlib.keras_bridge import conv_facts, keras, layer_facts

    layers = keras().layers
    for seed in SEEDS[:2]:
        given = draw("depthwise_output", seed).given
        layer = layers.DepthwiseConv2D(
            given["kernel_size"], given["strides"], depth_multiplier=given["multiplier"]
        )
        height, width, channels = given["input_shape"]
        padded = (1, height + 2 * given["padding"], width + 2 * given["padding"], channels)
        assert layer_facts(layer, padded).output_shape[1:] == draw("depthwise_output", seed).answer

        task = draw("depthwise_parameters", seed)
        layer = layers.DepthwiseConv2D(task.given["kernel_size"], depth_multiplier=task.given["multiplier"])
        assert layer_facts(layer, (1, 9, 9, task.given["channels"])).parameters == task.answer

        task = draw("separable_parameters", seed)
        layer = layers.SeparableConv2D(task.given["filters"], task.given["kernel_size"])
        assert layer_facts(layer, (1, 9, 9, task.given["channels"])).parameters == task.answer

        task = draw("grouped_shape", seed)
        size, channels, filters, groups = task.given.values()
        assert conv_facts((1, 9, 9, channels), filters, size, groups=groups).weight_shape == task.answer

        task = draw("column_row_weights", seed)
        size, channels, between, filters = task.given.values()
        column = layers.Conv2D(between, (size, 1), use_bias=False)
        row = layers.Conv2D(filters, (1, size), use_bias=False)
        counts = [
            layer_facts(column, (1, 9, 9, channels)).parameters,
            layer_facts(row, (1, 9, 9, between)).parameters,
        ]
        assert sum(counts) == task.answer


# --- The assignment -----------------------------------------------------------------------------------


def test_the_letter_counts_right(root):
    notebook = nbformat.read(root / "solutions/06-variants/variants.ipynb", as_version=4)
    letter = next(cell.source for cell in notebook.cells if cell.id == "explain-the-trade")
    second, first, pointwise, last = (
        float(separable_cost((size, size), filters)) for size, filters in ((3, 128), (3, 16), (1, 64), (3, 1))
    )
    assert f"that is {second:.3f}, or {1 / second:.1f} times" in letter
    assert f"saves {1 / first:.1f} times" in letter
    assert f"cost {pointwise - 1:.1%} more".replace("%", " %") in letter
    assert f"costs {last:.1f} times" in letter
    assert f"{1 / second:.1f} times for the second layer, fewer for the first ({1 / first:.1f})" in letter


def test_a_stack_is_counted_layer_by_layer():
    task = draw("stack_total", "peer", accept=well_posed)
    rows: list[Row] = trace(task.given["input_shape"], task.given["layers"])
    assert task.answer == sum(row.parameters for row in rows)
