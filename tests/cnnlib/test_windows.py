"""The sliding view against slices cut one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cnnlib.errors import SizeError
from cnnlib.sizes import effective_kernel_size
from cnnlib.windows import sliding_windows

NUMBERS = np.random.default_rng(1).normal(size=(2, 9, 8, 7, 3))


@given(rank=st.integers(1, 3), data=st.data())
def test_each_window_is_the_slice_at_its_place(rank, data):
    kernel, strides, gaps = (data.draw(st.tuples(*[st.integers(1, 3)] * rank)) for _ in range(3))
    inputs = NUMBERS[(slice(None), *[slice(None)] * rank, *[0] * (3 - rank))]
    spans = [effective_kernel_size(k, d) for k, d in zip(kernel, gaps, strict=True)]
    assume(all(span <= n for span, n in zip(spans, inputs.shape[1:-1], strict=True)))
    windows = sliding_windows(inputs, kernel, strides, gaps)
    places = windows.shape[1 : rank + 1]
    assert windows.shape == (2, *places, *kernel, 3)
    for place in np.ndindex(places):
        cut = tuple(
            slice(p * s, p * s + span, d) for p, s, span, d in zip(place, strides, spans, gaps, strict=True)
        )
        np.testing.assert_array_equal(windows[(slice(None), *place)], inputs[(slice(None), *cut)])
    # One more place would stick out.
    for places_, s, span, n in zip(places, strides, spans, inputs.shape[1:-1], strict=True):
        assert (places_ - 1) * s + span <= n < places_ * s + span


def test_a_view_and_no_copy():
    inputs = np.zeros((1, 6, 6, 2))
    windows = sliding_windows(inputs, 3, 2)
    assert np.shares_memory(windows, inputs)
    inputs[0, 2, 2, 1] = 5
    assert windows[0, 0, 0, 2, 2, 1] == windows[0, 1, 1, 0, 0, 1] == 5


def test_read_only_so_that_no_shared_element_is_written_by_mistake():
    windows = sliding_windows(np.zeros((1, 6, 1)), 2)
    with pytest.raises(ValueError, match="read-only"):
        windows[0, 0, 0, 0] = 1


@pytest.mark.parametrize("arrange", [lambda a: a[:, ::-1], lambda a: a[:, ::2], np.asfortranarray])
def test_any_memory_layout(arrange):
    inputs = arrange(np.arange(48.0).reshape(2, 12, 2))
    np.testing.assert_array_equal(
        sliding_windows(inputs, 3, 2), sliding_windows(np.ascontiguousarray(inputs), 3, 2)
    )


def test_no_images_no_windows():
    assert sliding_windows(np.empty((0, 6, 6, 3)), 3).shape == (0, 4, 4, 3, 3, 3)
    assert sliding_windows(np.empty((2, 6, 6, 0)), 3).shape == (2, 4, 4, 3, 3, 0)


def test_a_window_that_sticks_out_is_refused():
    with pytest.raises(
        SizeError, match=r"axis 1: kernel 3 spread over 5 by dilation 2 does not fit into input 4"
    ):
        sliding_windows(np.zeros((1, 9, 4, 1)), 3, 1, 2)
