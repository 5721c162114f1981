"""What is asked about classic architectures is answered as the library's networks, laid out whole, say it."""

from __future__ import annotations

import numpy as np
import pytest

from cnnlib.architectures import alexnet, lenet5, lenet5_modern, vgg16, vgg19, zfnet
from cnnlib.architectures.lenet import TABLE
from cnnlib.exercises import Task, draw
from cnnlib.exercises.kinds.architectures import BILLS, lenet_like
from cnnlib.exercises.sheets.architectures import broken_code
from cnnlib.layers import Conv2D, Dense, Flatten, GlobalAveragePooling2D, MaxPooling2D
from cnnlib.network import Input, Sequential
from cnnlib.plots.architectures import fixed_and_per_image
from cnnlib.sizes import output_size

SEEDS = [f"peer {number}" for number in range(8)]
each = pytest.mark.parametrize("seed", SEEDS)


def laid_out(input_shape, *layers):
    """The summary of a stack."""
    return Sequential([Input(tuple(input_shape)), *layers]).summary()


@each
def test_the_bills_of_a_layer_are_those_of_a_summary(seed):
    for kind, column in (
        ("conv_macs", "macs"),
        ("conv_values", "values"),
        ("conv_connections", "connections"),
    ):
        task = draw(kind, seed)
        given = dict(task.given)
        row = laid_out(given.pop("input_shape"), Conv2D(**given)).rows[-1]
        assert task.answer == getattr(row, column)
    given = dict(draw("layer_bills", seed).given)
    row = laid_out(given.pop("input_shape"), Conv2D(strides=given.pop("stride"), **given)).rows[-1]
    assert draw("layer_bills", seed).answer == (row.parameters, row.macs, row.values)


def test_the_table_of_the_paper_gives_its_published_numbers():
    c3 = next(row for row in lenet5().summary().rows if row.name == "C3")
    table = {"table": TABLE, "maps": 6, "kernel_size": 5}
    assert Task("partial_parameters", **table).answer == c3.parameters == 1516
    assert Task("partial_connections", **table, size=10).answer == c3.connections == 151_600


def test_alexnet_in_towers_and_in_one_piece():
    layer = {"kernel_size": 5, "channels": 96, "filters": 256}
    for towers in (1, 2):
        conv2 = alexnet(towers=towers).get_layer("conv2").count_params()
        assert Task("tower_parameters", **layer, towers=towers).answer == conv2
    assert Task("needed_input", outputs=55, kernel_size=11, stride=4).answer == alexnet().input_shape[1]


@each
def test_no_smaller_input_makes_so_many_outputs(seed):
    task = draw("needed_input", seed)
    outputs, window = task.given["outputs"], (task.given["kernel_size"], task.given["stride"])
    assert output_size(task.answer, *window) == outputs > output_size(task.answer - 1, *window)


@each
def test_where_maps_meet_units(seed):
    given = dict(draw("dense_of_larger_map", seed).given)
    height, width, channels = given["map_shape"]
    larger = (given["factor"] * height, given["factor"] * width, channels)
    small = {name: given[name] for name in ("map_shape", "units")}

    def head(shape, layer):
        return laid_out(shape, layer, Dense(given["units"])).parameters

    flat = head(given["map_shape"], Flatten())
    assert Task("dense_of_map", **small).answer == flat
    averaged = head(given["map_shape"], GlobalAveragePooling2D())
    assert Task("dense_of_averages", **small).answer == averaged
    assert Task("dense_of_larger_map", **given).answer == head(larger, Flatten())
    known = Task("units_from_count", parameters=flat, map_shape=given["map_shape"])
    assert known.answer == given["units"]


@each
def test_a_stack_of_small_kernels_and_its_rival(seed):
    task = draw("stack_weights", seed)
    k, depth, before, channels = task.given.values()
    stack = [Conv2D(channels, k, padding="same", use_bias=False) for _ in range(depth)]
    table = laid_out((64, 64, before), *stack)
    assert task.answer == table.parameters
    width = Task("equal_kernel", kernel_size=k, depth=depth).answer
    assert width == table.rows[-1].field[0].size
    rival = laid_out((64, 64, before), Conv2D(channels, width, padding="same", use_bias=False))
    assert Task("single_weights", **task.given).answer == rival.parameters


@each
def test_a_network_of_lenet_s_kind_is_that_network(seed):
    given = draw("network_total", seed).given
    layers = []
    for filters, size, padding in given["blocks"]:
        layers += [Conv2D(filters, size, padding=padding), MaxPooling2D(2)]
    table = laid_out(given["input_shape"], *layers, Flatten(), *map(Dense, given["units"]))
    bills = lenet_like(**given)
    for row, bill in zip(table.rows[1:], bills, strict=True):
        assert (row.kind, row.output_shape[1:]) == (bill.layer, bill.output)
        assert (row.parameters, row.macs, row.values) == (bill.parameters, bill.macs, bill.values)
    assert Task("network_total", **given).answer == table.parameters
    maps = {name: given[name] for name in ("input_shape", "blocks")}
    assert Task("last_map", **maps).answer == table.rows[-len(given["units"]) - 2].output_shape[1:]
    for bill in BILLS:
        amounts = [getattr(row, bill) for row in table.rows[1:]]
        if amounts.count(max(amounts)) == 1:
            assert Task("dearest_layer", **given, bill=bill).answer == 1 + int(np.argmax(amounts))


@each
def test_what_training_keeps_and_how_much_of_it_fits(seed):
    given = draw("largest_batch", seed).given
    memory, parameters, activations = given.values()

    def kept(batch):
        return Task("training_values", parameters=parameters, activations=activations, batch=batch).answer

    largest = Task("largest_batch", **given).answer
    assert 4 * kept(largest) <= memory * 2**20 < 4 * kept(largest + 1)
    even = Task("break_even", parameters=parameters, activations=activations).answer
    assert (even - 1) * activations <= 3 * parameters < even * activations


def test_what_training_keeps_is_what_the_chapter_keeps():
    table = lenet5_modern().summary()
    fixed, one = fixed_and_per_image(table)
    task = Task("training_values", parameters=table.parameters, activations=table.values, batch=10)
    assert 4 * task.answer == fixed + 10 * one


# --- The notebook -------------------------------------------------------------------------------------


def test_the_numbers_of_the_letter(notebooks):
    letter = notebooks["09-architectures"].cell("explain-memory").source
    (fixed_16, one_16), (fixed_z, one_z) = (
        fixed_and_per_image(build().summary()) for build in (vgg16, zfnet)
    )
    table = vgg16().summary()
    dense = max(row.parameters for row in table.rows)
    for told in (
        f"{table.rows[1].bytes / 2**20:.2f} MiB",
        f"{dense / 1e6:.1f} of the {table.parameters // 10**6} million",
        f"that of {fixed_16 / fixed_z:.1f} only",
        f"{one_16 / 2**20:.1f} MiB of activations in VGG-16 and {one_z / 2**20:.1f} MiB",
    ):
        assert told in " ".join(letter.split())
    assert round((fixed_16 + 64 * one_16) / (fixed_z + 64 * one_z)) == 4  # "about four times"
    question = notebooks["09-architectures"].cell("explain-memory-question").source
    assert f"{table.parameters // 10**6} million" in question
    assert f"{zfnet().summary().parameters // 10**6} million" in question
    assert vgg19().count_params() > table.parameters  # the letter is about the smaller of the two


@pytest.mark.parametrize("student", ["ada", "bo", "김하늘", "x"])
def test_the_broken_alexnet_differs_in_three_layers(notebooks, student):
    asked = notebooks["09-architectures"].start(student)["sheet"]["mend-an-alexnet"]
    right = (
        broken_code(asked)
        .replace(", 11)", ", 11, strides=4)")
        .replace("MaxPooling2D(3)", "MaxPooling2D(3, strides=2)")
    )
    right = right.replace('"same")', f'"same", groups={asked.towers})')
    pairs = zip(broken_code(asked).splitlines(), right.splitlines(), strict=True)
    assert sum(before != after for before, after in pairs) == 3
