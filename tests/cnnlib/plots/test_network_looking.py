"""The picture of a network at work shows every map as it is."""

from __future__ import annotations

import numpy as np
import pytest

from cnnlib.errors import ShapeError
from cnnlib.plots.network_looking import looking


def test_every_map_stands_there_and_every_class_has_its_bar(rng: np.random.Generator) -> None:
    outputs = [rng.random(shape) for shape in ((8, 8, 1), (6, 6, 5), (1, 1, 3))]
    figure = looking(outputs, [0.2, 0.7, 0.1], ["input", "C1", "scores"])
    drawn = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in drawn] == ["input: 8×8×1", "C1: 6×6×5", ""]
    sheet = np.asarray(drawn[1].images[0].get_array())
    assert sheet.shape == (13, 20), "three in a row, a gap of one between"
    np.testing.assert_array_equal(sheet[7:13, 7:13], outputs[1][..., 4])
    assert [bar.get_width() for bar in drawn[2].patches] == [0.2, 0.7, 0.1]


def test_a_name_for_each_layer() -> None:
    with pytest.raises(ShapeError, match="1 names for 2 layers; give one for each"):
        looking([np.ones((2, 2, 1)), np.ones((1, 1, 2))], [0.5, 0.5], ["input"])
