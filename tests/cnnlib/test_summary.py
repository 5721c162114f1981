"""The table of a network: its numbers against published totals, its two shapes, text and HTML."""

from __future__ import annotations

import numpy as np
import pytest
from bs4 import BeautifulSoup

from cnnlib.layers import (
    Add,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
    MaxPoolingWithSwitches2D,
    MaxUnpooling2D,
)
from cnnlib.network import Input, Model, Sequential


def vgg16() -> Sequential:
    layers = [Input((224, 224, 3))]
    for block, (filters, depth) in enumerate([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)], 1):
        layers += [
            Conv2D(filters, 3, padding="same", activation="relu", name=f"block{block}_conv{place}")
            for place in range(1, depth + 1)
        ]
        layers.append(MaxPooling2D(name=f"block{block}_pool"))
    return Sequential(
        [*layers, Flatten(), Dense(4096, "relu"), Dense(4096, "relu"), Dense(1000)], name="vgg16"
    )


def residual(size=9) -> Model:
    image = Input((size, size, 3))
    wide = Conv2D(4, 3, strides=2, padding="same", name="wide")(image)
    short = Conv2D(4, 1, strides=2, name="short")(image)
    normal = BatchNormalization(name="normal")(wide)
    return Model(image, Dropout(0.5, name="drop")(Add(name="add")([normal, short])), name="residual")


def test_vgg16_has_its_published_numbers():
    """Parameters and operations as in Keras, activations added up by layers, receptive field 212."""
    summary = vgg16().summary()
    assert summary.parameters == summary.learned == 138_357_544
    assert summary.macs == 15_470_264_320
    assert summary.values == 15_237_608
    assert summary.bytes == 4 * summary.values
    rows = {row.name: row for row in summary.rows}
    assert rows["block5_pool"].shown_field == "212×212"
    assert rows["dense"].shown_field == "all"
    # the second convolution reads and writes the largest maps
    assert summary.peak_bytes == 2 * 224 * 224 * 64 * 4
    assert summary.connections == summary.macs + sum(
        row.values for row in summary.rows if "conv" in row.name or "dense" in row.name
    ) + sum(4 * row.values for row in summary.rows if "pool" in row.name)


@pytest.mark.parametrize("make", [vgg16, residual])
def test_text_fits_a_page_and_its_columns_line_up(make):
    lines = str(make().summary()).splitlines()
    assert max(map(len, lines)) <= 100
    heading = lines[1]
    rows = lines[2 : 2 + len(make().summary().rows)]
    for word in ("Parameters", "MACs", "Activations"):
        end = heading.index(word) + len(word)
        for row in rows:
            if not row.startswith("  reads"):
                assert row[end - 1].isdigit()
                assert row[end : end + 2].strip() == ""


def test_long_names_are_cut():
    name = "the_first_and_by_far_the_longest_name_of_a_layer_that_was_ever_given"
    text = str(Sequential([Input((8, 8, 1)), Conv2D(2, 3, name=name)]).summary())
    assert max(map(len, text.splitlines())) <= 100
    assert "the_first" in text
    assert "…" in text
    assert name not in text
    assert name in Sequential([Input((8, 8, 1)), Conv2D(2, 3, name=name)]).summary()._repr_html_()


def test_branches_say_what_they_read():
    summary = residual().summary()
    assert "  reads input_layer" in str(summary)
    assert "  reads normal, short" in str(summary)
    rows = {row.name: row for row in summary.rows}
    assert rows["add"].reads == ("normal", "short")
    assert summary.reads()[1] == ""  # the row before
    assert rows["normal"].learned == 8
    assert rows["normal"].parameters == 16
    assert summary.parameters - summary.learned == 8
    assert "8 not" in str(summary)


def test_misaligned_branches_are_told():
    assert residual(9).summary().misaligned == ()
    notes = residual(8).summary().misaligned
    assert len(notes) == 2  # both axes
    assert notes[0].startswith("add, axis 0")
    assert notes[0] in " ".join(str(residual(8).summary()).split())


def test_memory_of_a_graph_by_hand():
    summary = residual().summary()
    image, maps = 9 * 9 * 3 * 4, 5 * 5 * 4 * 4
    # wide, short, normal, add, and what dropout makes in training alone
    assert summary.bytes == image + 5 * maps
    # the image and one map; the image and two; then two or three maps, which are smaller
    assert summary.peak_bytes == max(image + 2 * maps, 3 * maps)


def test_shared_layers_count_once_and_work_twice():
    image = Input((8, 8, 3))
    conv = Conv2D(3, 3, padding="same")
    summary = Model(image, conv(conv(image))).summary()
    assert [row.name for row in summary.rows] == ["input_layer", "conv2d", "conv2d:1"]
    assert [row.parameters for row in summary.rows] == [0, 84, 0]
    assert summary.macs == 2 * 8 * 8 * 81
    assert summary.rows[2].shown_field == "5×5"


def test_frozen_layers_are_not_learned():
    model = Sequential([Input((4,)), Dense(3), Dense(2)])
    model.layers[0].trainable = False
    assert (model.summary().parameters, model.summary().learned) == (23, 8)


def test_switches_take_memory_too():
    image = Input((4, 4, 2))
    pooled, switches = MaxPoolingWithSwitches2D()(image)
    summary = Model(image, MaxUnpooling2D()([pooled, switches])).summary()
    assert summary.rows[1].values == 16
    assert summary.rows[1].bytes == 8 * 4 + 8 * 8


def test_other_ranks_and_no_axes():
    rows = Sequential([Input((20, 3)), Conv1D(4, 5), Flatten(), Dense(2)]).summary().rows
    assert [row.shown_field for row in rows] == ["1", "5", "all", "all"]
    rows = Sequential([Input((20,)), Dense(2)]).summary().rows
    assert [row.shown_field for row in rows] == ["", ""]


def test_html_is_a_table_for_everybody():
    summary = Sequential(
        [Input((8, 8, 1)), Conv2D(2, 3, name="a<b"), GlobalAveragePooling2D()], name="x&y"
    ).summary()
    page = BeautifulSoup(summary._repr_html_(), "html.parser")
    table = page.table
    assert table.caption.text == "Layers of x&y"
    assert [th.text for th in table.thead.find_all("th")] == [
        "Layer",
        "Output",
        "Parameters",
        "MACs",
        "Activations",
        "Receptive field",
    ]
    assert all(th["scope"] == "col" for th in table.thead.find_all("th"))
    bodies = table.tbody.find_all("tr")
    assert all(row.th["scope"] == "row" for row in bodies)
    assert [len(row.find_all(["th", "td"])) for row in table.find_all("tr")] == [6] * (len(summary.rows) + 2)
    assert bodies[1].th.text == "a<b (Conv2D)"
    for cell in table.find_all("td"):  # numbers neither touch nor break
        assert "padding-left: 1em; white-space: nowrap" in cell["style"]
    assert "color" not in summary._repr_html_()
    region = page.div
    assert (region["role"], region["tabindex"]) == ("region", "0")  # a wide table scrolls by keyboard
    assert [p.text for p in page.find_all("p")] == summary.notes()
    # the same numbers as the text
    for row in table.find_all("tr"):
        for cell in row.find_all("td"):
            assert cell.text in str(summary)


def test_macs_are_the_products_that_are_computed():
    """Ones everywhere: the outputs of a network of ones count what was multiplied."""
    model = Sequential(
        [
            Input((6, 6, 2)),
            Conv2D(3, 3, kernel_initializer="ones"),
            Flatten(),
            Dense(2, kernel_initializer="ones"),
        ]
    )
    rows = model.summary().rows
    values = model.activations(np.ones((1, 6, 6, 2)))
    assert rows[1].macs == values["conv2d"].sum()
    assert rows[3].macs == model.layers[2](np.ones((1, 48))).sum()
