"""Going up again: transposed convolution against the matrix it transposes, the rest against their peers."""

from __future__ import annotations

import itertools
import math

import hypothesis
import numpy as np
import pytest
import scipy.ndimage
from hypothesis import assume, given
from hypothesis import strategies as st

from cnnlib import upsampling
from cnnlib.algorithms import conv_matrix, conv_transpose_loops
from cnnlib.convolution import conv
from cnnlib.errors import DtypeError, ShapeError, SizeError
from cnnlib.keras_bridge import keras
from cnnlib.pooling import max_pool, max_pool_switches
from cnnlib.sizes import (
    dropped_inputs,
    effective_kernel_size,
    output_size,
    padding_amounts,
    per_axis,
    transposed_crop,
    transposed_crops,
    transposed_macs,
    transposed_shape,
    transposed_size,
)
from cnnlib.upsampling import (
    bed_of_nails,
    conv_transpose,
    conv_transpose_backward,
    max_unpool,
    max_unpool_backward,
    overlap_counts,
    upsample_bilinear,
    upsample_nearest,
)

#: For what is slower, or looks at many numbers in each case.
FEWER = hypothesis.settings(max_examples=hypothesis.settings.default.max_examples // 3)
SIDES = ("valid", "same", "full", "causal", 0, 1, 2)
#: The operators that enlarge by whole factors, with nothing to learn.
ENLARGE = ("bed_of_nails", "upsample_nearest", "upsample_bilinear")


@st.composite
def problems(draw, sides=SIDES, whole=True):
    """Inputs, kernel and arguments of a transposed convolution of any geometry that leaves something."""
    rank = draw(st.integers(1, 3))
    most = {1: 5, 2: 4, 3: 2}[rank]
    kernel_size = draw(st.tuples(*[st.integers(1, most)] * rank))
    gaps = draw(st.tuples(*[st.integers(1, 3)] * rank))
    steps = draw(st.tuples(*[st.integers(1, 4)] * rank))
    spatial = draw(st.tuples(*[st.integers(1, 6 if rank < 3 else 3)] * rank))
    padding = draw(
        st.one_of(
            st.sampled_from(sides),
            st.tuples(*[st.one_of(st.sampled_from(sides), st.tuples(*[st.integers(0, 3)] * 2))] * rank),
        )
    )
    added = draw(st.one_of(st.none(), st.tuples(*(st.integers(0, s - 1) for s in steps))))
    groups, width, depth = (draw(st.integers(1, 3)) for _ in range(3))
    arguments = {"strides": steps, "padding": padding, "output_padding": added, "dilation_rate": gaps}
    try:
        transposed_shape((1, *spatial, 1), kernel_size, 1, **arguments)
    except SizeError:
        assume(False)
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shapes = (draw(st.integers(1, 2)), *spatial, groups * depth), (*kernel_size, width, groups * depth)
    if whole:  # sums are exact in every order
        dtype = draw(st.sampled_from([np.float32, np.float64]))
        inputs, kernel = (random.integers(-8, 9, shape).astype(dtype) for shape in shapes)
    else:
        inputs, kernel = (random.normal(size=shape) for shape in shapes)
    return inputs, kernel, {**arguments, "groups": groups}


def crops_of(kernel, arguments):
    """What is cut off before and after every axis; negative: what is added."""
    return transposed_crops(
        kernel.shape[:-2], **{name: value for name, value in arguments.items() if name != "groups"}
    )


# --- sizes -----------------------------------------------------------------------------------------


def test_every_size_can_be_reached_again(geometries):
    """What a convolution dropped is the output padding that leads back to its input's size."""
    for n, k, s, pair, d in geometries:
        if effective_kernel_size(k, d) <= n + sum(pair):
            places, dropped = output_size(n, k, s, pair, d), dropped_inputs(n, k, s, pair, d)
            assert transposed_size(places, k, s, pair, dropped, d) == n
            assert transposed_crop(k, s, pair, dropped, d) == (pair[0], pair[1] - dropped)


@pytest.mark.parametrize("mode", ["valid", "same"])
def test_the_modes_lead_back_too(mode, geometries):
    for n, k, s, _, d in geometries:
        size, span = transposed_size(n, k, s, mode, dilation=d), effective_kernel_size(k, d)
        assert size == (n * s if mode == "same" else (n - 1) * s + max(span, s))
        assert output_size(size, k, s, mode, d) == n
        before, after = transposed_crop(k, s, mode, dilation=d)
        assert (before, max(after, 0)) == padding_amounts(size, k, s, mode, d)
        for added in range(s):
            if mode == "valid":
                assert output_size(transposed_size(n, k, s, mode, added, d), k, s, mode, d) == n
            elif span % 2 or added:  # not the one that TensorFlow cannot do
                size = transposed_size(n, k, s, mode, added, d)
                assert size == (n - 1) * s + span % 2 + added
                assert output_size(size, k, s, mode, d) == n
                before, after = transposed_crop(k, s, mode, added, d)
                assert (before, max(after, 0)) == padding_amounts(size, k, s, mode, d)


@pytest.mark.keras
@pytest.mark.parametrize("mode", ["valid", "same"])
def test_sizes_are_those_of_the_keras_layer(mode):
    for n, k, s, added in itertools.product(range(1, 5), range(1, 6), range(1, 4), (None, 0, 1, 2)):
        if added is not None and (added >= s or (mode, k % 2, added) == ("same", 0, 0)):
            continue
        layer = keras().layers.Conv1DTranspose(3, k, strides=s, padding=mode, output_padding=added)
        expected = layer.compute_output_shape((None, n, 2))
        assert transposed_shape((None, n, 2), k, 3, s, mode, added) == tuple(expected)


def test_macs_are_those_of_the_convolution_that_leads_back(rng):
    """Counted by hand: every input value times every weight that it meets."""
    shape, kernel_size, filters = (2, 3, 4, 5), (3, 2), 7
    kernel = np.ones((*kernel_size, filters, 5))
    products = conv_transpose(np.ones(shape), kernel, 2).sum()  # ones, so that the sum counts
    assert transposed_macs(shape, kernel_size, filters) == products


# --- transposed convolution -------------------------------------------------------------------------


@given(problems())
def test_equals_its_loop_twin(problem):
    inputs, kernel, arguments = problem
    groups = arguments["groups"]
    blocks = zip(np.split(inputs, groups, -1), np.split(kernel, groups, -1), strict=True)
    gaps = arguments["dilation_rate"]
    covered = [conv_transpose_loops(x, k, arguments["strides"], gaps) for x, k in blocks]
    expected = np.concatenate(covered, -1)
    crops = crops_of(kernel, arguments)
    expected = np.pad(expected, [(0, 0), *((0, max(-after, 0)) for _, after in crops), (0, 0)])
    inside = (slice(b, n - max(a, 0)) for (b, a), n in zip(crops, expected.shape[1:-1], strict=True))
    bias = np.arange(expected.shape[-1], dtype=inputs.dtype)
    outputs = conv_transpose(inputs, kernel, bias=bias, **arguments)
    assert outputs.dtype == inputs.dtype
    assert outputs.flags.c_contiguous
    np.testing.assert_array_equal(outputs, expected[(slice(None), *inside)] + bias)


@given(problems(sides=("valid", "full", "causal", 0, 1, 2)))
def test_it_is_the_transpose_of_the_convolution(problem):
    """<conv(y), x> = <y, conv_transpose(x)>, exactly, with whole numbers."""
    inputs, kernel, arguments = problem
    outputs = conv_transpose(inputs, kernel, **arguments)
    others = np.random.default_rng(1).integers(-8, 9, outputs.shape).astype(outputs.dtype)
    geometry = {name: value for name, value in arguments.items() if name != "output_padding"}
    back = conv(others, kernel, **geometry)
    assert back.shape == inputs.shape
    assert np.vdot(back, inputs) == np.vdot(others, outputs)


@given(problems(sides=("same",)))
def test_same_is_the_transpose_of_same(problem):
    inputs, kernel, arguments = problem
    outputs = conv_transpose(inputs, kernel, **arguments)
    others = np.random.default_rng(1).integers(-8, 9, outputs.shape).astype(outputs.dtype)
    steps, gaps, groups = (arguments[name] for name in ("strides", "dilation_rate", "groups"))
    padding = arguments["padding"]
    if arguments["output_padding"] is not None:  # for even kernels and 0, no `same` has this size
        padding = [(before, max(after, 0)) for before, after in crops_of(kernel, arguments)]
    back = conv(others, kernel, steps, padding, gaps, groups)
    assert back.shape == inputs.shape
    assert np.vdot(back, inputs) == np.vdot(others, outputs)


@pytest.mark.parametrize("strides", [1, 2, (2, 1)])
def test_its_matrix_is_the_transposed_matrix(strides, rng):
    kernel, outputs = rng.normal(size=(3, 2, 2, 4)), (7, 6)
    matrix = conv_matrix(kernel, outputs, strides)
    steps = per_axis(strides, 2, "strides")
    spatial = [output_size(n, k, s) for n, k, s in zip(outputs, (3, 2), steps, strict=True)]
    added = [dropped_inputs(n, k, s) for n, k, s in zip(outputs, (3, 2), steps, strict=True)]
    inputs = rng.normal(size=(1, *spatial, 4))
    expected = (matrix.T @ inputs.ravel()).reshape(1, *outputs, 2)
    np.testing.assert_allclose(conv_transpose(inputs, kernel, strides, output_padding=added), expected)


@FEWER
@given(problems(whole=False))
def test_gradients_by_differences(check_gradients, problem):
    inputs, kernel, arguments = problem
    filters = kernel.shape[-2] * arguments["groups"]
    arrays = {"inputs": inputs, "kernel": kernel, "bias": np.linspace(-1, 1, filters)}
    check_gradients(conv_transpose, conv_transpose_backward, arrays, **arguments)


def test_only_the_gradients_that_are_needed():
    inputs, kernel = np.ones((1, 3, 2), np.float32), np.ones((3, 4, 2), np.float32)
    slope = np.ones((1, 5, 4), np.float32)
    whole = conv_transpose_backward(slope, inputs, kernel)
    for name in whole._fields:
        alone = conv_transpose_backward(slope, inputs, kernel, needs=(name,))
        np.testing.assert_array_equal(getattr(alone, name), getattr(whole, name))
        assert getattr(alone, name).dtype == np.float32
        assert all(getattr(alone, other) is None for other in whole._fields if other != name)


def test_what_keras_cannot_do_is_simply_right():
    """An even kernel, `same`, no output padding (TensorFlow aborts); stride and dilation together."""
    row = np.array([1, 2, 3.0]).reshape(1, 3, 1)
    assert conv_transpose(row, np.ones((4, 1, 1)), 2, "same", 0).ravel().tolist() == [3, 3, 5, 5]
    spread = conv_transpose(row, np.array([1, 10.0]).reshape(2, 1, 1), 2, dilation_rate=3)
    assert spread.ravel().tolist() == [1, 0, 2, 10, 3, 20, 0, 30]


@pytest.mark.parametrize(
    ("kernel_size", "strides", "even"),
    [(3, 2, False), (4, 2, True), (5, 2, False), (6, 3, True), (2, 2, True)],
)
def test_the_overlap_is_even_where_the_stride_divides_the_kernel(kernel_size, strides, even):
    counts = overlap_counts(12, kernel_size, strides)
    inside = counts[kernel_size:-kernel_size]
    assert (inside.min() == inside.max()) == even == (kernel_size % strides == 0)
    assert counts.sum() == 12 * kernel_size
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(
        overlap_counts((12, 3), kernel_size, strides),
        np.outer(counts, overlap_counts(3, kernel_size, strides)),
    )


@FEWER
@given(problems())
def test_overlap_is_counted_as_inputs_write(problem):
    inputs, kernel, arguments = problem
    rank, arguments = inputs.ndim - 2, {k: v for k, v in arguments.items() if k != "groups"}
    ones = conv_transpose(
        np.ones((1, *inputs.shape[1:-1], 1)), np.ones((*kernel.shape[:rank], 1, 1)), **arguments
    )
    counts = overlap_counts(inputs.shape[1:-1], kernel.shape[:rank], **arguments)
    np.testing.assert_array_equal(counts, ones[0, ..., 0])


@pytest.mark.keras
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (2, 1), (3, 1), (1, 2)])
def test_equals_keras(rank, padding, strides, dilation, rng):
    """With whole numbers, whose sums are exact in every order."""
    for kernel_size in (1, 2, 3, 4):
        if dilation > 1 and rank != 2:
            continue  # TensorFlow dilates images alone
        inputs = rng.integers(-8, 9, (2, *(5, 4, 3)[:rank], 3)).astype(np.float32)
        kernel = rng.integers(-8, 9, (*[kernel_size] * rank, 2, 3)).astype(np.float32)
        for added in (None, *range(strides)):
            if padding == "same" and effective_kernel_size(kernel_size, dilation) % 2 == 0 and added == 0:
                continue  # TensorFlow aborts the process
            theirs = keras().ops.conv_transpose(inputs, kernel, strides, padding, added, None, dilation)
            ours = conv_transpose(inputs, kernel, strides, padding, added, dilation)
            np.testing.assert_array_equal(ours, theirs)


# --- enlarging without weights -----------------------------------------------------------------------


@FEWER
@given(st.integers(1, 3), st.data())
@pytest.mark.parametrize("name", ENLARGE)
def test_enlarging_by_one_changes_nothing_and_gradients_hold(name, check_gradients, rank, data):
    operator, backward = getattr(upsampling, name), getattr(upsampling, name + "_backward")
    spatial = data.draw(st.tuples(*[st.integers(1, 4)] * rank))
    size = data.draw(st.tuples(*[st.integers(1, 4)] * rank))
    inputs = np.random.default_rng(0).normal(size=(2, *spatial, 2))
    np.testing.assert_array_equal(operator(inputs, 1), inputs)
    outputs = operator(inputs, size)
    assert outputs.shape == (2, *(n * f for n, f in zip(spatial, size, strict=True)), 2)
    assert outputs.flags.c_contiguous
    check_gradients(operator, backward, {"inputs": inputs}, size=size)


@pytest.mark.parametrize("size", [1, 2, 3, (2, 3), (3, 1)])
def test_enlarging_is_transposed_convolution(size, rng):
    """Bed of nails: a kernel of 1. Nearest: a kernel of ones as large as the stride."""
    inputs, factors = rng.normal(size=(2, 3, 4, 3)), per_axis(size, 2, "size")
    identity = np.eye(3)[None, None]
    np.testing.assert_array_equal(conv_transpose(inputs, identity, size), bed_of_nails(inputs, size))
    block = np.broadcast_to(identity, (*factors, 3, 3))
    np.testing.assert_array_equal(conv_transpose(inputs, block, size), upsample_nearest(inputs, size))


@pytest.mark.parametrize("factor", [2, 3, 4, 5])
def test_bilinear_is_transposed_convolution_with_a_triangle(factor, rng):
    """… but for the border, which the interpolation repeats."""
    inputs = rng.normal(size=(1, 6, 2))
    wide = 2 * factor - factor % 2
    triangle = 1 - np.abs(np.arange(wide) - (wide - 1) / 2) / factor
    kernel = np.repeat(triangle[:, None, None], 2, axis=-1)
    outputs = conv_transpose(inputs, kernel, factor, "same", groups=2)
    inside = slice(factor, -factor)
    np.testing.assert_allclose(outputs[:, inside], upsample_bilinear(inputs, factor)[:, inside])


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 2), (4, 5)])
def test_interpolation_equals_scipys(size, rng):
    image = rng.normal(size=(4, 5))
    for operator, order in ((upsample_nearest, 0), (upsample_bilinear, 1)):
        expected = scipy.ndimage.zoom(image, size, order=order, mode="nearest", grid_mode=True)
        np.testing.assert_allclose(operator(image[None, ..., None], size)[0, ..., 0], expected, atol=1e-12)


def test_bilinear_keeps_what_is_flat_and_what_rises_evenly():
    flat = np.full((1, 3, 4, 1), 0.7, np.float32)
    np.testing.assert_array_equal(upsample_bilinear(flat, 3), np.float32(0.7))
    rise = upsample_bilinear(np.arange(5.0).reshape(1, 5, 1), 4).ravel()
    np.testing.assert_allclose(np.diff(rise[2:-2]), 1 / 4)
    np.testing.assert_array_equal(rise[[0, 1, -2, -1]], [0, 0, 4, 4])


@pytest.mark.keras
@pytest.mark.parametrize("size", [1, 2, 3, (2, 5), (4, 1)])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_upsampling_equals_the_keras_layer(interpolation, size, rng):
    inputs = rng.normal(size=(2, 3, 4, 3)).astype(np.float32)
    theirs = keras().layers.UpSampling2D(size, interpolation=interpolation)(inputs)
    ours = getattr(upsampling, f"upsample_{interpolation}")(inputs, size)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=0 if interpolation == "nearest" else 2e-6)


# --- max unpooling -----------------------------------------------------------------------------------


@FEWER
@given(st.integers(1, 3), st.data())
def test_maxima_go_back_to_their_places(rank, data):
    """Without and with overlap: what is not zero is the input itself, and pooling again changes nothing."""
    spatial = data.draw(st.tuples(*[st.integers(3, 6)] * rank))
    pool, steps = (data.draw(st.tuples(*[st.integers(1, 3)] * rank)) for _ in range(2))
    padding = data.draw(st.sampled_from(["valid", "same"]))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    inputs = random.permutation(2 * math.prod(spatial) * 2).reshape(2, *spatial, 2) + 1.0
    kept, switches = max_pool_switches(inputs, pool, steps, padding)
    outputs = max_unpool(kept, switches, inputs.shape)
    assert outputs.dtype == inputs.dtype
    there = outputs != 0
    np.testing.assert_array_equal(outputs[there], inputs[there])
    assert set(outputs[there]) == set(kept.ravel())
    np.testing.assert_array_equal(max_pool(outputs, pool, steps, padding), kept)


@given(st.data())
def test_unpooling_by_differences(check_gradients, data):
    random = np.random.default_rng(data.draw(st.integers(0, 999)))
    inputs = random.normal(size=(2, 3, 2, 2))
    switches = random.integers(0, data.draw(st.sampled_from([6, 20])), inputs.shape)  # 6: places clash
    shape = (2, 4, 5, 2)
    check_gradients(
        max_unpool, max_unpool_backward, {"inputs": inputs}, switches=switches, output_shape=shape
    )


def test_where_windows_overlap_the_later_value_stands():
    values, switches = np.array([5, 6, 7.0]).reshape(1, 3, 1), np.array([2, 2, 0]).reshape(1, 3, 1)
    assert max_unpool(values, switches, (1, 4, 1)).ravel().tolist() == [7, 0, 6, 0]
    slope = np.arange(1, 5.0).reshape(1, 4, 1)
    assert max_unpool_backward(slope, values, switches, (1, 4, 1)).ravel().tolist() == [0, 3, 1]


# --- what all have in common -------------------------------------------------------------------------

CALLS = {
    "conv_transpose": (lambda x, t: (np.ones((3, 3, 2, 3), t),), {"strides": 2}),
    "bed_of_nails": (lambda x, t: (2,), {}),
    "upsample_nearest": (lambda x, t: (2,), {}),
    "upsample_bilinear": (lambda x, t: (2,), {}),
    "max_unpool": (lambda x, t: (np.zeros(x.shape, int), (x.shape[0], 8, 8, x.shape[-1])), {}),
}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("batch", [0, 2])
@pytest.mark.parametrize("name", CALLS)
def test_dtype_is_kept_both_ways_and_batches_may_be_empty(name, batch, dtype):
    operator, backward = getattr(upsampling, name), getattr(upsampling, name + "_backward")
    make, options = CALLS[name]
    inputs = np.ones((batch, 4, 4, 3), dtype)
    others = make(inputs, dtype)
    outputs = operator(inputs, *others, **options)
    assert (outputs.dtype, len(outputs)) == (dtype, batch)
    found = backward(np.ones(outputs.shape, dtype), inputs, *others, **options)
    for slopes in found if isinstance(found, tuple) else (found,):
        assert slopes.dtype == dtype
    first = found[0] if isinstance(found, tuple) else found
    assert first.shape == inputs.shape


@pytest.mark.parametrize("name", CALLS)
def test_how_an_array_lies_in_memory_does_not_matter(name, rng):
    operator, (make, options) = getattr(upsampling, name), CALLS[name]
    wide = rng.integers(-8, 9, (3, 8, 4, 4)).astype(np.float32)
    view = wide.transpose(3, 1, 2, 0)[:, ::-2]
    others = make(view, np.float32)
    before = wide.copy()
    np.testing.assert_array_equal(
        operator(view, *others, **options), operator(view.copy(), *others, **options)
    )
    np.testing.assert_array_equal(wide, before)


X, K = np.ones((1, 4, 4, 3), np.float32), np.ones((3, 3, 2, 3), np.float32)
FOUR = np.zeros((1, 2, 2, 3), int)
BAD = [
    (lambda: conv_transpose(X[0, 0], K), ShapeError, "(4, 3) … (3, 3, 2, 3) … filters / groups, channels"),
    (lambda: conv_transpose(X, K[0]), ShapeError, "(1, 4, 4, 3) … (3, 2, 3)"),
    (lambda: conv_transpose(X, K[..., :2]), ShapeError, "3 channels … (3, 3, 2, 2) sees 2"),
    (lambda: conv_transpose(X, K[:0]), ShapeError, "(0, 3, 2, 3) is empty … at least 1"),
    (lambda: conv_transpose(X, K, groups=2), ShapeError, "3 filters cannot be split into 2 groups"),
    (lambda: conv_transpose(X, K, bias=np.ones(3)), ShapeError, "bias has shape (3,); 2 filters need (2,)"),
    (lambda: conv_transpose(X, K, 0), SizeError, "strides must be a whole number of at least 1, not 0"),
    (lambda: conv_transpose(X, K, (1, 2, 3)), ShapeError, "3 values (1, 2, 3) for 2 axes"),
    (
        lambda: conv_transpose(X, K, padding="sane"),
        SizeError,
        "axis 0: padding 'sane' is unknown; use one of",
    ),
    (lambda: conv_transpose(X, K, 2, "same", 2), SizeError, "output_padding 2 must be smaller than stride 2"),
    (lambda: conv_transpose(X, K, 2, "same", -1), SizeError, "output_padding must be … at least 0, not -1"),
    (
        lambda: conv_transpose(X, K, 1, 3),
        SizeError,
        "axis 0: 4 input(s) … cover 6 … cuts off 3 + 3; … 1 more",
    ),
    (lambda: conv_transpose(X[:, :0], K), SizeError, "axis 0: input size must be … at least 1, not 0"),
    (lambda: conv_transpose(X * 1j, K), DtypeError, "inputs has dtype complex64"),
    (lambda: conv_transpose_backward(X, X, K), ShapeError, "gradient has shape (1, 4, 4, 3) … (1, 6, 6, 2)"),
    (
        lambda: conv_transpose_backward(X, X, K, needs="weights"),
        ShapeError,
        "no gradient of … choose among inputs, kernel, bias",
    ),
    (lambda: bed_of_nails(X[0, 0], 2), ShapeError, "(4, 3) cannot be enlarged; they need (batch"),
    (lambda: upsample_nearest(X, 0), SizeError, "size must be a whole number of at least 1, not 0"),
    (lambda: upsample_nearest(X, (2, 2, 2)), ShapeError, "3 values (2, 2, 2) for 2 axes"),
    (lambda: upsample_bilinear(X, 2.0), SizeError, "not 2.0"),
    (lambda: upsample_bilinear(X * 1j, 2), DtypeError, "inputs has dtype complex64"),
    (lambda: upsampling.upsample_nearest_backward(X, X, 2), ShapeError, "(1, 4, 4, 3) … (1, 8, 8, 3)"),
    (lambda: upsampling.bed_of_nails_backward(X, X, 2), ShapeError, "(1, 4, 4, 3) … (1, 8, 8, 3)"),
    (lambda: upsampling.upsample_bilinear_backward(X, X, 2), ShapeError, "(1, 4, 4, 3) … (1, 8, 8, 3)"),
    (lambda: max_unpool(X, FOUR, X.shape), ShapeError, "(1, 4, 4, 3) … switches of shape (1, 2, 2, 3)"),
    (lambda: max_unpool(FOUR, FOUR, (4, 4)), ShapeError, "unpooled to (4, 4); … (1, 2 spatial sizes, 3)"),
    (lambda: max_unpool(FOUR, FOUR, (1, 4, 4, 2)), ShapeError, "unpooled to (1, 4, 4, 2)"),
    (lambda: max_unpool(FOUR, FOUR + 16, X.shape), SizeError, "switch 16 … (4, 4); … from 0 to 15"),
    (lambda: max_unpool(FOUR, FOUR - 1, X.shape), SizeError, "switch -1 lies outside"),
    (lambda: max_unpool(FOUR, FOUR + 0.5, X.shape), DtypeError, "switches have dtype float64"),
    (lambda: max_unpool_backward(X, X, X.astype(int), (1, 8, 8, 3)), ShapeError, "(1, 8, 8, 3)"),
    (lambda: transposed_shape((4, 4), 3, 1), ShapeError, "(4, 4) has 2 axes"),
    (lambda: transposed_macs((4, 4), 3, 1), ShapeError, "(4, 4) has 2 axes"),
    (lambda: overlap_counts(0, 3), SizeError, "size must be … at least 1, not 0"),
    (lambda: overlap_counts((4, 4), (3, 3, 3)), ShapeError, "3 values (3, 3, 3) for 2 axes"),
]


@pytest.mark.parametrize(("call", "error", "words"), BAD)
def test_bad_input_is_answered_in_one_line(call, error, words, says):
    with pytest.raises(error) as caught:
        call()
    says(caught, words)
