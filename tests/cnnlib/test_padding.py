"""Padding against its definition, one index at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlib.errors import CnnError
from cnnlib.padding import PAD_MODES, amounts_for, pad, pad_backward
from cnnlib.sizes import padding_amounts

#: Where a padded element comes from: index (may lie outside) and size, to an index inside or None.
SOURCES = {
    "constant": lambda i, n: i if 0 <= i < n else None,
    "edge": lambda i, n: min(max(i, 0), n - 1),
    "circular": lambda i, n: i % n,
    "reflect": lambda i, n: 0 if n == 1 else (n - 1) - abs((n - 1) - i % (2 * n - 2)),
}


def test_every_mode_has_its_definition():
    assert set(SOURCES) == set(PAD_MODES)


@pytest.mark.parametrize("mode", PAD_MODES)
@given(
    spatial=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    data=st.data(),
    value=st.sampled_from([0, 7, -2]),
)
def test_each_element_comes_from_where_the_mode_says(mode, spatial, data, value):
    """Amounts larger than the input are drawn too: reflections and circles go round again."""
    amounts = data.draw(st.tuples(*[st.tuples(st.integers(0, 7), st.integers(0, 7))] * len(spatial)))
    inputs = np.random.default_rng(0).integers(0, 100, (2, *spatial, 2))
    padded = pad(inputs, amounts, mode, value)
    assert padded.dtype == inputs.dtype
    assert padded.shape == (2, *(n + sum(pair) for n, pair in zip(spatial, amounts, strict=True)), 2)
    expected = inputs
    for axis, (n, (before, after)) in enumerate(zip(spatial, amounts, strict=True), start=1):
        sources = [SOURCES[mode](i - before, n) for i in range(n + before + after)]
        expected = expected.take([0 if i is None else i for i in sources], axis)
        nowhere = np.reshape([i is None for i in sources], (-1, *[1] * (expected.ndim - axis - 1)))
        expected = np.where(nowhere, value, expected)
    np.testing.assert_array_equal(padded, expected)


def test_nothing_to_add_copies_nothing(rng):
    inputs = rng.normal(size=(1, 4, 5, 2))
    assert pad(inputs, [(0, 0), (0, 0)]) is inputs


def test_batch_and_channels_stay(rng):
    inputs = rng.normal(size=(3, 4, 2)).astype(np.float32)
    padded = pad(inputs, [(2, 1)], value=np.nan)
    np.testing.assert_array_equal(padded[:, 2:-1], inputs)
    assert np.isnan(padded).sum() == 3 * 3 * 2


def test_amounts_for_asks_each_axis():
    found = amounts_for((6, 7, 8), (3, 4, 5), (2, 1, 3), ("same", 2, (0, 1)), (1, 2, 1))
    assert found == [padding_amounts(6, 3, 2, "same"), (2, 2), (0, 1)]


@pytest.mark.parametrize("mode", ["edge", "reflect", "circular"])
def test_an_empty_axis_has_nothing_to_repeat(mode):
    empty = np.empty((1, 0, 3))
    with pytest.raises(CnnError, match="nothing to repeat"):
        pad(empty, [(1, 1)], mode)
    assert pad(empty, [(1, 1)]).shape == (1, 2, 3)


@pytest.mark.parametrize("mode", PAD_MODES)
@given(spatial=st.lists(st.integers(1, 5), min_size=1, max_size=3), data=st.data())
def test_backward_gives_each_share_back_to_where_it_came_from(mode, spatial, data):
    amounts = data.draw(st.tuples(*[st.tuples(st.integers(0, 7), st.integers(0, 7))] * len(spatial)))
    random = np.random.default_rng(0)
    slopes = random.integers(0, 9, (2, *(n + sum(pair) for n, pair in zip(spatial, amounts, strict=True)), 2))
    expected = np.zeros((2, *spatial, 2), slopes.dtype)
    for place in np.ndindex(slopes.shape[1:-1]):
        inside = [
            SOURCES[mode](i - before, n) for i, n, (before, _) in zip(place, spatial, amounts, strict=True)
        ]
        if None not in inside:
            expected[(slice(None), *inside)] += slopes[(slice(None), *place)]
    kept = slopes.copy()
    np.testing.assert_array_equal(pad_backward(slopes, amounts, mode), expected)
    np.testing.assert_array_equal(slopes, kept)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((1, 5, 1)), [(3, 3)]), "too short for padding 3 [+] 3"),
        ((np.ones((1, 6, 1)), [(3, 3)], "edge"), "too short for padding 3 [+] 3"),
        ((np.ones((1, 5, 1)), [(1, 1), (1, 1)]), "2 pairs of padding for 1 spatial axes"),
        ((np.ones((1, 5, 1)), [(1, 1)], "mirror"), "padding mode 'mirror' is unknown"),
    ],
)
def test_backward_says_what_is_wrong(arguments, message):
    with pytest.raises(CnnError, match=message):
        pad_backward(*arguments)
