"""The arithmetic of sizes against windows that are counted one by one, and against Keras."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlib import sizes
from cnnlib.convolution import conv
from cnnlib.errors import CnnError, ShapeError, SizeError

AXES = {
    "size": st.integers(1, 40),
    "kernel_size": st.integers(1, 9),
    "stride": st.integers(1, 5),
    "dilation": st.integers(1, 4),
}


def places_by_hand(length: int, kernel_size: int, stride: int, dilation: int) -> list[list[int]]:
    """The inputs that every window touches, found by sliding until the window sticks out."""
    places = []
    start = 0
    while True:
        taps = [start + tap * dilation for tap in range(kernel_size)]
        if taps[-1] >= length:
            return places
        places.append(taps)
        start += stride


def test_output_size_counts_the_windows_that_fit(geometries):
    assert len(geometries) > 5_000
    for size, kernel, stride, padding, dilation in geometries:
        expected = len(places_by_hand(size + sum(padding), kernel, stride, dilation))
        if expected:
            assert sizes.output_size(size, kernel, stride, padding, dilation) == expected
        else:
            with pytest.raises(SizeError, match="does not fit"):
                sizes.output_size(size, kernel, stride, padding, dilation)


def test_dropped_inputs_are_those_that_no_window_can_reach(geometries):
    checked = 0
    for size, kernel, stride, padding, dilation in geometries:
        length = size + sum(padding)
        places = places_by_hand(length, kernel, stride, dilation)
        if places:
            expected = length - 1 - max(itertools.chain.from_iterable(places))
            assert sizes.dropped_inputs(size, kernel, stride, padding, dilation) == expected
            checked += 1
    assert checked > 3_000


def test_the_mend_in_the_message_works_and_is_the_least(geometries):
    """A kernel that does not fit: the padding and the kernel that the message proposes do fit."""
    unfit = 0
    for size, kernel, stride, padding, dilation in geometries:
        if padding != (0, 0) or places_by_hand(size, kernel, stride, dilation):
            continue
        unfit += 1
        with pytest.raises(SizeError) as caught:
            sizes.output_size(size, kernel, stride, padding, dilation)
        words = str(caught.value).replace(";", "").split()
        lacking, largest = int(words[words.index("by", words.index("pad")) + 3]), int(words[-1])
        assert sizes.output_size(size, kernel, stride, lacking, dilation) >= 1
        assert not places_by_hand(size + 2 * (lacking - 1), kernel, stride, dilation)
        assert places_by_hand(size, largest, stride, dilation)
        assert not places_by_hand(size, largest + 1, stride, dilation)
    assert unfit > 100


@given(**AXES)
def test_same_makes_as_many_outputs_as_strides_fit(size, kernel_size, stride, dilation):
    before, after = sizes.padding_amounts(size, kernel_size, stride, "same", dilation)
    assert sizes.output_size(size, kernel_size, stride, "same", dilation) == math.ceil(size / stride)
    assert after - before in (0, 1)  # the odd one goes after
    if before + after:  # and it is the least that does
        wanted = math.ceil(size / stride)
        assert len(places_by_hand(size + before + after - 1, kernel_size, stride, dilation)) < wanted


@given(**AXES)
def test_same_at_stride_1_pads_whatever_the_size(size, kernel_size, stride, dilation):
    span = sizes.effective_kernel_size(kernel_size, dilation)
    assert sum(sizes.padding_amounts(size, kernel_size, 1, "same", dilation)) == span - 1


@given(**AXES)
def test_full_sees_every_overlap_and_causal_keeps_the_length(size, kernel_size, stride, dilation):
    span = sizes.effective_kernel_size(kernel_size, dilation)
    assert sizes.output_size(size, kernel_size, 1, "full", dilation) == size + span - 1
    assert sizes.output_size(size, kernel_size, 1, "causal", dilation) == size
    assert sizes.padding_amounts(size, kernel_size, stride, "causal", dilation) == (span - 1, 0)


@given(**AXES)
def test_effective_kernel_size_is_first_to_last_tap(size, kernel_size, stride, dilation):
    taps = range(0, kernel_size * dilation, dilation)
    assert sizes.effective_kernel_size(kernel_size, dilation) == taps[-1] - taps[0] + 1


@given(**AXES, padding=st.tuples(st.integers(0, 3), st.integers(0, 3)))
def test_output_size_grows_with_the_input_and_shrinks_with_kernel_and_stride(
    size, kernel_size, stride, dilation, padding
):
    def places(n: int, k: int, s: int) -> int:
        try:
            return sizes.output_size(n, k, s, padding, dilation)
        except SizeError:
            return 0

    here = places(size, kernel_size, stride)
    assert here <= places(size + 1, kernel_size, stride) <= here + 1
    assert here + 1 == places(size + stride, kernel_size, stride) or here == 0
    assert here >= places(size, kernel_size + 1, stride)
    assert here >= places(size, kernel_size, stride + 1)


@given(**AXES)
def test_two_layers_of_stride_1_shrink_as_one_larger_kernel(size, kernel_size, stride, dilation):
    span = sizes.effective_kernel_size(kernel_size, dilation)
    if size >= 2 * span - 1:
        twice = sizes.output_size(
            sizes.output_size(size, kernel_size, 1, 0, dilation), kernel_size, 1, 0, dilation
        )
        assert twice == sizes.output_size(size, 2 * span - 1)


@pytest.mark.parametrize("integer", [np.int64(3), np.uint8(3), np.array(3)])
def test_numpys_integers_are_whole_numbers(integer):
    assert sizes.output_size(integer, integer) == 1
    assert type(sizes.as_int(integer, "size")) is int


def test_output_shape_works_axis_by_axis():
    shape = sizes.output_shape((7, 20, 31, 12, 3), (3, 4, 5), 8, (1, 2, 3), (0, "same", (1, 2)), (2, 1, 1))
    assert shape == (
        7,
        sizes.output_size(20, 3, 1, 0, 2),
        sizes.output_size(31, 4, 2, "same"),
        sizes.output_size(12, 5, 3, (1, 2)),
        8,
    )


def test_output_shape_names_the_axis():
    with pytest.raises(SizeError, match=r"^axis 1: kernel 5 does not fit into input 4;"):
        sizes.output_shape((1, 9, 4, 3), 5)


@pytest.mark.parametrize("filters", [1, 6])
@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_weights_and_macs_are_what_loops_count(filters, groups):
    channels, kernel, shape = 6, (3, 2), (2, 7, 5, 6)
    if filters % groups:
        with pytest.raises(ShapeError, match=f"{filters} filters cannot be split into {groups} groups"):
            sizes.conv_weights(kernel, channels, filters, groups)
        return
    # One weight for every place in the kernel and every pair of channel and filter in one group.
    pairs = [
        (c, f)
        for c, f in itertools.product(range(channels), range(filters))
        if c // (channels // groups) == f // (filters // groups)
    ]
    weights = [(y, x, c, f) for y, x in np.ndindex(kernel) for c, f in pairs]
    assert sizes.conv_weights(kernel, channels, filters, groups) == len(weights)
    assert sizes.conv_parameters(kernel, channels, filters, groups) == len(weights) + filters
    assert sizes.conv_parameters(kernel, channels, filters, groups, use_bias=False) == len(weights)
    rows, columns = places_by_hand(7, 3, 2, 1), places_by_hand(5, 2, 1, 2)
    macs = sum(1 for _ in itertools.product(range(2), rows, columns, weights))
    assert sizes.conv_macs(shape, kernel, filters, (2, 1), "valid", (1, 2), groups) == macs


def test_dense_is_a_convolution_as_large_as_its_input():
    assert sizes.dense_parameters(5 * 4 * 3, 7) == sizes.conv_parameters((5, 4), 3, 7)
    assert sizes.conv_macs((1, 5, 4, 3), (5, 4), 7) == sizes.dense_parameters(60, 7, use_bias=False)


def loop_over_a_layer(shape, kernel, filters, strides, groups, use_bias):
    """Every (output, what it is connected to), written down one by one."""
    batch, *spatial, channels = shape
    axes = [places_by_hand(n, k, s, 1) for n, k, s in zip(spatial, kernel, strides, strict=True)]
    pairs = []
    for item, filter_ in itertools.product(range(batch), range(filters)):
        group = filter_ // (filters // groups)
        depth = range(group * (channels // groups), (group + 1) * (channels // groups))
        for place in itertools.product(*axes):
            output = (item, filter_, tuple(map(tuple, place)))
            pairs += [(output, (item, *spot, c)) for spot in itertools.product(*place) for c in depth]
            pairs += [(output, "bias")] if use_bias else []
    return pairs


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
def test_connections_are_those_that_a_loop_draws(groups, strides, use_bias):
    shape, kernel = (2, 7, 6, 4), (3, 2)
    drawn = loop_over_a_layer(shape, kernel, 6, strides, groups, use_bias)
    assert sizes.conv_connections(shape, kernel, 6, strides, groups=groups, use_bias=use_bias) == len(drawn)
    pooled = loop_over_a_layer(shape, kernel, 4, strides, 4, use_bias)  # each map for itself
    assert sizes.pool_connections(shape, kernel, strides, use_bias=use_bias) == len(pooled)
    if not use_bias:
        outputs = {output for output, _ in pooled}
        assert sizes.pool_operations(shape, kernel, strides) == len(pooled) - len(outputs)


@given(inputs=st.integers(1, 50), units=st.integers(1, 50), batch=st.integers(0, 5), use_bias=st.booleans())
def test_a_dense_layer_uses_each_parameter_once_a_vector(inputs, units, batch, use_bias):
    used = batch * sizes.dense_parameters(inputs, units, use_bias)
    assert sizes.dense_connections((batch, inputs), units, use_bias) == used
    assert sizes.dense_macs((batch, inputs), units) == batch * inputs * units
    as_conv = sizes.conv_connections((batch, 1, inputs), 1, units, use_bias=use_bias)
    assert sizes.dense_connections((batch, 1, inputs), units, use_bias) == as_conv


def test_lenet_has_the_connections_of_its_paper():
    """LeCun et al. (1998), section II.B: 340,908 connections."""
    partial = sum([6 * 3, 9 * 4, 1 * 6]) * 25 + 16  # C3 reads 3, 4 or all of the six maps
    parts = [
        sizes.conv_connections((1, 32, 32, 1), 5, 6),
        sizes.pool_connections((1, 28, 28, 6), 2, use_bias=True),
        partial * math.prod(sizes.output_shape((1, 14, 14, 6), 5)[1:-1]),
        sizes.pool_connections((1, 10, 10, 16), 2, use_bias=True),
        sizes.conv_connections((1, 5, 5, 16), 5, 120),
        sizes.dense_connections((1, 120), 84),
        sizes.dense_connections((1, 84), 10, use_bias=False),  # the output's Euclidean units
    ]
    assert parts[:3] == [122_304, 5_880, 151_600]
    assert sum(parts) == 340_908


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8", "int64", "bool"])
def test_memory_is_what_numpy_says(dtype):
    array = np.zeros((2, 5, 4, 3), dtype)
    for named in (dtype, array.dtype, array.dtype.type):
        assert sizes.activation_bytes(array.shape, named) == array.nbytes
    assert sizes.activation_values((None, 5, 4, 3)) == array.size // 2
    assert sizes.activation_values((0, 5)) == 0


def test_memory_names_what_it_does_not_know():
    with pytest.raises(SizeError, match="dtype 'float31' is unknown; use one of float16, float32"):
        sizes.activation_bytes((1, 2), "float31")
    with pytest.raises(SizeError, match="shape must be a whole number of at least 0, not None"):
        sizes.activation_values((None, None, 3))


def test_split_padding_tells_a_pair_from_two_axes():
    assert sizes.split_padding((1, 2), 2) == (1, 2)  # one number an axis …
    assert sizes.split_padding(((1, 2), (1, 2)), 2) == ((1, 2), (1, 2))  # … pairs are nested
    assert sizes.split_padding(3, 3) == (3, 3, 3)
    with pytest.raises(ShapeError, match="2 entries"):
        sizes.split_padding((1, 2), 1)


@pytest.mark.keras
def test_shapes_equal_those_that_keras_computes():
    """All small configurations of the three layers, by Keras' own arithmetic (no arrays)."""
    from keras.src.ops.operation_utils import compute_conv_output_shape, compute_pooling_output_shape

    compared = refused = 0
    for size, kernel, stride, dilation, mode in itertools.product(
        range(1, 13), range(1, 6), range(1, 5), range(1, 4), ("valid", "same", "causal")
    ):
        shape = (2, size, 3)
        try:
            theirs = compute_conv_output_shape(shape, 4, (kernel,), stride, mode, "channels_last", dilation)
        except ValueError:
            theirs = None
        try:
            ours = sizes.output_shape(shape, kernel, 4, stride, mode, dilation)
        except CnnError:
            ours = None
        assert ours == theirs, (size, kernel, stride, dilation, mode)
        compared, refused = compared + 1, refused + (ours is None)
        if dilation == 1 and mode != "causal" and ours is not None:
            pooled = compute_pooling_output_shape(shape, (kernel,), (stride,), mode, "channels_last")
            assert sizes.output_shape(shape, kernel, None, stride, mode) == tuple(pooled)
    assert compared > 2_000
    assert refused > 50


@pytest.mark.keras
@given(
    rank=st.integers(1, 3),
    channels=st.sampled_from([1, 2, 4, 6]),
    width=st.integers(1, 3),
    groups=st.sampled_from([1, 2]),
    bias=st.booleans(),
    padding=st.sampled_from(["valid", "same"]),
    data=st.data(),
)
def test_layers_have_our_shapes_and_counts(rank, channels, width, groups, bias, padding, data):
    from cnnlib.keras_bridge import conv_facts, pool_facts

    groups = groups if channels % groups == 0 else 1
    filters = width * groups
    kernel = data.draw(st.tuples(*[st.integers(1, 3)] * rank))
    strides = data.draw(st.tuples(*[st.integers(1, 3)] * rank))
    shape = (2, *data.draw(st.tuples(*[st.integers(3, 9)] * rank)), channels)
    facts = conv_facts(shape, filters, kernel, strides=strides, padding=padding, groups=groups, use_bias=bias)
    assert facts.output_shape == sizes.output_shape(shape, kernel, filters, strides, padding)
    assert facts.weight_shape == sizes.kernel_shape(kernel, channels, filters, groups)
    assert facts.parameters == sizes.conv_parameters(kernel, channels, filters, groups, bias)
    pooled = pool_facts(shape, kernel, strides=strides, padding=padding)
    assert pooled.output_shape == sizes.output_shape(shape, kernel, None, strides, padding)
    assert pooled.parameters == 0


@pytest.mark.parametrize("value", [np.ones((9, 9)), list(range(999)), {"a": "b" * 99}, "x" * 999])
def test_whatever_is_given_a_message_stays_one_short_line(value):
    for call in (
        lambda: sizes.as_int(value, "stride"),
        lambda: sizes.output_size(5, 3, padding=value),
        lambda: sizes.per_axis(value, 2, "strides"),
        lambda: sizes.as_shape(3.5, "kernel_size"),
    ):
        with pytest.raises(CnnError) as caught:
            call()
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 200


def test_modes_are_read_in_any_case_as_in_keras():
    for mode in sizes.PADDING_MODES:
        assert sizes.padding_amounts(7, 3, 2, mode.upper()) == sizes.padding_amounts(7, 3, 2, mode)
        assert sizes.transposed_size(7, 3, 2, mode.upper()) == sizes.transposed_size(7, 3, 2, mode)


def test_only_plain_arguments_are_remembered():
    asked = []

    @sizes.remembered
    def rule(value, other=None):
        asked.append(value)
        return (value, other)

    plain = [1, "same", None, (1, (2, 3))]
    for value in plain * 2:
        assert rule(value) == (value, None)
    assert asked == plain
    for value in (True, 1.0, (True, 2), [1, 2], np.int64(1), (1.0, (2, 3))):  # some are equal to 1
        for _ in range(2):
            assert rule(value) == (value, None)
    assert len(asked) == len(plain) + 12
    assert rule(1, other=2) == (1, 2)


def test_what_is_remembered_does_not_let_in_what_is_refused():
    image, kernel = np.ones((1, 6, 6, 1)), np.ones((3, 3, 1, 1))
    conv(image, kernel, strides=1)
    for wrong in (True, 1.0, (True, 1), [1, 1.0]):
        with pytest.raises(SizeError, match="strides must be a whole number"):
            conv(image, kernel, strides=wrong)
