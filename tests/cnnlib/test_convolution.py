"""Convolution against its loop twin, SciPy, and the properties that define it."""

from __future__ import annotations

import itertools
import math
import tracemalloc

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cnnlib import convolution, threads
from cnnlib.algorithms import conv_backward_loops, conv_loops
from cnnlib.convolution import ConvGradients, conv, conv_backward, convolve, correlate
from cnnlib.errors import ShapeError
from cnnlib.padding import PAD_MODES, amounts_for, pad, pad_backward
from cnnlib.sizes import effective_kernel_size, output_shape

#: Small whole numbers: every sum is exact in float32, so that results must be equal to the last bit.
WHOLE = st.integers(-8, 8)
SIDES = ("valid", "same", "full", "causal", 0, 1, 2)


@st.composite
def problems(draw, ranks=(1, 2, 3)):
    """Inputs, kernel and arguments of a convolution, of any geometry that fits, Keras' or not."""
    rank = draw(st.sampled_from(ranks))
    kernel_size = draw(st.tuples(*[st.integers(1, 4 if rank < 3 else 2)] * rank))
    gaps = draw(st.tuples(*[st.integers(1, 3)] * rank))
    steps = draw(st.tuples(*[st.integers(1, 4)] * rank))
    spatial = draw(st.tuples(*[st.integers(1, 9 if rank < 3 else 5)] * rank))
    padding = draw(
        st.one_of(
            st.sampled_from(SIDES),
            st.tuples(*[st.one_of(st.sampled_from(SIDES), st.tuples(*[st.integers(0, 3)] * 2))] * rank),
        )
    )
    groups, depth, width = (draw(st.integers(1, 3)) for _ in range(3))
    amounts = amounts_for(spatial, kernel_size, steps, padding, gaps)
    assume(
        all(
            n + sum(pair) >= effective_kernel_size(k, d)
            for n, pair, k, d in zip(spatial, amounts, kernel_size, gaps, strict=True)
        )
    )
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    inputs = random.integers(-8, 9, (draw(st.integers(1, 2)), *spatial, groups * depth)).astype(dtype)
    kernel = random.integers(-8, 9, (*kernel_size, depth, groups * width)).astype(dtype)
    return inputs, kernel, {"strides": steps, "padding": padding, "dilation_rate": gaps, "groups": groups}


def amounts_of(inputs, kernel, arguments):
    """The pairs (before, after) that the padding of a problem means."""
    return amounts_for(
        inputs.shape[1:-1],
        kernel.shape[:-2],
        arguments["strides"],
        arguments["padding"],
        arguments["dilation_rate"],
    )


@given(problems())
def test_equals_its_loop_twin(problem):
    inputs, kernel, arguments = problem
    amounts = amounts_of(inputs, kernel, arguments)
    bias = np.arange(kernel.shape[-1], dtype=inputs.dtype)
    expected = conv_loops(
        pad(inputs, amounts), kernel, arguments["strides"], arguments["dilation_rate"], arguments["groups"]
    )
    outputs = conv(inputs, kernel, bias=bias, **arguments)
    assert outputs.dtype == inputs.dtype
    assert outputs.flags.c_contiguous
    np.testing.assert_array_equal(outputs, expected + bias)


@given(problems(), st.sampled_from([1, 100, 1_000, 1 << 30]))
def test_blocks_of_any_size_give_the_same(problem, block_bytes):
    inputs, kernel, arguments = problem
    expected = conv(inputs, kernel, **arguments)
    gradients = conv_backward(expected, inputs, kernel, **arguments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "BLOCK_BYTES", block_bytes)
        patch.setattr(convolution, "BLOCK_PLACES", 1)
        np.testing.assert_array_equal(conv(inputs, kernel, **arguments), expected)
        for one, other in zip(conv_backward(expected, inputs, kernel, **arguments), gradients, strict=True):
            np.testing.assert_array_equal(one, other)


@st.composite
def breadths(draw):
    """A stand-in for the choice of how broad a product is: any that is allowed, worth it or not."""
    seed = draw(st.integers(0, 2**32 - 1))

    def choose(kernel_shape, groups, stride, gap, shape):
        random = np.random.default_rng(seed)
        merged = random.choice([n for n in range(1, groups + 1) if groups % n == 0])
        if merged < groups or gap > 1:
            return merged, 1
        return merged, random.choice([n for n in range(1, max(shape[-2], 1) + 1) if shape[-2] % n == 0])

    return choose


@given(problems(), breadths())
def test_products_of_any_breadth_give_the_same(problem, choose):
    """One group and one place in a product, or as many as there are; forward and backward."""
    inputs, kernel, arguments = problem
    expected = conv(inputs, kernel, **arguments)
    gradients = conv_backward(expected, inputs, kernel, **arguments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "_breadth", choose)
        np.testing.assert_array_equal(conv(inputs, kernel, **arguments), expected)
        for one, other in zip(conv_backward(expected, inputs, kernel, **arguments), gradients, strict=True):
            np.testing.assert_array_equal(one, other)


@given(problems(), st.sampled_from([1, 1 << 20]))
def test_pairs_of_rows_that_share_products_give_the_same(problem, block_bytes):
    inputs, kernel, arguments = problem
    kernel = np.resize(kernel, (3, *kernel.shape[1:]))
    inputs = np.concatenate([inputs, inputs], axis=1)  # rows come in pairs
    arguments = {**arguments, "strides": 1, "dilation_rate": 1, "padding": "same"}
    expected = conv(inputs, kernel, **arguments)
    gradients = conv_backward(expected, inputs, kernel, **arguments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "DEEP", 1)
        patch.setattr(convolution, "BLOCK_BYTES", block_bytes)
        patch.setattr(convolution, "BLOCK_PLACES", 1)
        np.testing.assert_array_equal(conv(inputs, kernel, **arguments), expected)
        for one, other in zip(conv_backward(expected, inputs, kernel, **arguments), gradients, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("where", ["inputs", "kernel", "bias"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_pairs_of_rows_spread_nothing_infinite(monkeypatch, where, value):
    arguments = {
        "inputs": np.ones((1, 10, 1, 2), np.float32),
        "kernel": np.ones((3, 1, 2, 2), np.float32),
        "bias": np.zeros(2, np.float32),
    }
    arguments["inputs"][0, 3:5] = arguments["kernel"][0, 0, 0, 0] = -1
    arguments[where].flat[-1] = value
    with np.errstate(over="ignore", invalid="ignore"):
        expected = conv(**arguments)
        monkeypatch.setattr(convolution, "DEEP", 1)
        np.testing.assert_array_equal(conv(**arguments), expected)


def test_deep_layers_round_no_worse(rng):
    inputs, kernel = rng.normal(size=(1, 8, 8, 128)), rng.normal(size=(3, 3, 128, 128))
    assert convolution._deep(kernel.shape, (1, 1), (1, 1), 1, (1, 8, 8, 128))
    exact = conv(inputs, kernel, padding="same")
    rounded = conv(inputs.astype(np.float32), kernel.astype(np.float32), padding="same")
    assert np.abs(rounded - exact).max() < 3 * np.finfo(np.float32).eps * 1152**0.5 * np.abs(exact).max()


@pytest.mark.parametrize(("depth", "width", "most"), [(1, 1, 0), (2, 1, 32), (1, 2, 64), (2, 2, 64)])
def test_hundreds_of_groups_are_few_products(monkeypatch, depth, width, most):
    """Forward and backward; a filter of its own for every channel needs no product at all."""
    calls = []
    for name in ("_multiply_blocks", "_sum_blocks"):
        work = getattr(convolution, name)
        monkeypatch.setattr(convolution, name, lambda *a, work=work: (calls.append(work), work(*a))[1])
    inputs, kernel = np.ones((1, 6, 512 * depth)), np.ones((3, depth, 512 * width))
    outputs = conv(inputs, kernel, groups=512)
    np.testing.assert_array_equal(outputs, 3 * depth)
    assert len(calls) <= most
    conv_backward(outputs, inputs, kernel, groups=512)
    assert len(calls) <= 4 * most


@given(problems())
def test_the_breadth_that_is_chosen_is_allowed(problem):
    inputs, kernel, arguments = problem
    shape = conv(inputs, kernel, **arguments).shape
    groups, gap = arguments["groups"], arguments["dilation_rate"][-1]
    merged, copies = convolution._breadth(kernel.shape, groups, arguments["strides"][-1], gap, shape)
    assert groups % merged == 0
    assert shape[-2] % copies == 0
    assert copies == 1 or (merged == groups and gap == 1)


def test_breadth_is_chosen_where_filters_are_few():
    """For a photograph and few filters several places at once; for many filters, one."""
    assert convolution._breadth((5, 5, 3, 16), 1, 1, 1, (1, 1076, 1916, 16))[1] > 1
    assert convolution._breadth((3, 3, 64, 64), 1, 1, 1, (1, 224, 224, 64)) == (1, 1)
    assert convolution._breadth((3, 3, 2, 512), 256, 1, 1, (1, 14, 14, 512))[0] > 1
    assert convolution._breadth((3, 3, 64, 128), 2, 1, 1, (1, 14, 14, 128))[0] == 1


@given(problems(), WHOLE, WHOLE)
def test_linear_in_the_inputs_and_in_the_kernel(problem, a, b):
    inputs, kernel, arguments = problem
    other, another = inputs[:, ::-1][::-1], kernel[::-1]
    np.testing.assert_array_equal(
        conv(a * inputs + b * other, kernel, **arguments),
        a * conv(inputs, kernel, **arguments) + b * conv(other, kernel, **arguments),
    )
    np.testing.assert_array_equal(
        conv(inputs, a * kernel + b * another, **arguments),
        a * conv(inputs, kernel, **arguments) + b * conv(inputs, another, **arguments),
    )


@given(problems(ranks=(1, 2)), st.integers(0, 9))
def test_equivariant_to_circular_translation(problem, shift):
    """Where the edges meet, moving the inputs moves the outputs, and the size is kept."""
    inputs, kernel, arguments = problem
    arguments = {**arguments, "strides": 1, "padding": "same"}
    moved = conv(np.roll(inputs, shift, axis=1), kernel, pad_mode="circular", **arguments)
    expected = np.roll(conv(inputs, kernel, pad_mode="circular", **arguments), shift, axis=1)
    np.testing.assert_array_equal(moved, expected)


@given(problems())
def test_a_stride_keeps_every_so_manyeth_place(problem):
    inputs, kernel, arguments = problem
    amounts = amounts_of(inputs, kernel, arguments)
    everywhere = conv(inputs, kernel, **{**arguments, "strides": 1, "padding": amounts})
    kept = everywhere[(slice(None), *(slice(None, None, s) for s in arguments["strides"]))]
    np.testing.assert_array_equal(conv(inputs, kernel, **arguments), kept)


@given(problems())
def test_dilation_is_a_kernel_with_zeros_between_its_weights(problem):
    inputs, kernel, arguments = problem
    gaps = arguments["dilation_rate"]
    spans = [effective_kernel_size(k, d) for k, d in zip(kernel.shape, gaps, strict=False)]
    spread = np.zeros((*spans, *kernel.shape[-2:]), kernel.dtype)
    spread[tuple(slice(None, None, d) for d in gaps)] = kernel
    np.testing.assert_array_equal(
        conv(inputs, kernel, **arguments), conv(inputs, spread, **{**arguments, "dilation_rate": 1})
    )


@given(problems())
def test_groups_are_convolutions_side_by_side(problem):
    inputs, kernel, arguments = problem
    groups = arguments["groups"]
    parts = [
        conv(x, k, **{**arguments, "groups": 1})
        for x, k in zip(np.split(inputs, groups, axis=-1), np.split(kernel, groups, axis=-1), strict=True)
    ]
    np.testing.assert_array_equal(conv(inputs, kernel, **arguments), np.concatenate(parts, axis=-1))


@pytest.mark.parametrize("mode", PAD_MODES)
def test_what_is_put_around_the_edge_is_what_pad_puts(rng, mode):
    inputs, kernel = rng.integers(-8, 9, (2, 6, 5, 2)), rng.integers(-8, 9, (3, 3, 2, 4))
    padded = pad(inputs, [(2, 1), (0, 3)], mode, 5)
    outputs = conv(inputs, kernel, padding=((2, 1), (0, 3)), pad_mode=mode, pad_value=5)
    np.testing.assert_array_equal(outputs, conv(padded, kernel))


def test_a_1x1_kernel_is_a_matrix_at_every_pixel(rng):
    inputs, kernel = rng.integers(-8, 9, (2, 4, 5, 6)), rng.integers(-8, 9, (1, 1, 6, 3))
    np.testing.assert_array_equal(conv(inputs, kernel), inputs @ kernel[0, 0])


def test_a_kernel_as_large_as_the_input_is_a_dense_layer(rng):
    inputs, kernel = rng.integers(-8, 9, (2, 4, 5, 6)), rng.integers(-8, 9, (4, 5, 6, 3))
    np.testing.assert_array_equal(
        conv(inputs, kernel)[:, 0, 0], inputs.reshape(2, -1) @ kernel.reshape(-1, 3)
    )


def test_four_spatial_axes(rng):
    inputs, kernel = rng.integers(-8, 9, (1, 4, 5, 3, 4, 2)), rng.integers(-8, 9, (2, 3, 1, 2, 2, 2))
    expected = conv_loops(inputs, kernel, (1, 2, 1, 1))
    np.testing.assert_array_equal(conv(inputs, kernel, (1, 2, 1, 1)), expected)
    assert expected.shape == output_shape(inputs.shape, (2, 3, 1, 2), 2, (1, 2, 1, 1))


# ----------------------------------------------------------------------------------- dtypes and layouts


@pytest.mark.parametrize(
    ("inputs", "kernel", "result"),
    [
        ("float32", "float32", "float32"),
        ("float64", "float64", "float64"),
        ("float32", "float64", "float64"),
        ("float16", "float32", "float32"),
        ("uint8", "float32", "float32"),
        ("int16", "float32", "float32"),
        ("int32", "float32", "float64"),
        ("int64", "int64", "float64"),
        ("bool", "float32", "float32"),
        ("uint8", "int8", "float32"),
    ],
)
def test_dtype_of_the_result(inputs, kernel, result):
    outputs = conv(np.ones((1, 4, 2), inputs), np.ones((2, 2, 3), kernel))
    assert outputs.dtype == result
    np.testing.assert_array_equal(outputs, 4)


def test_8_bit_images_do_not_overflow():
    white = np.full((1, 8, 8, 3), 255, np.uint8)
    np.testing.assert_array_equal(conv(white, np.ones((5, 5, 3, 1), np.int8)), 255 * 75)
    np.testing.assert_array_equal(conv(white, -np.ones((1, 1, 3, 1), np.int8)), -255 * 3)


def test_arguments_are_left_as_they_were(rng):
    inputs, kernel, bias = rng.normal(size=(1, 6, 2)), rng.normal(size=(3, 2, 4)), rng.normal(size=4)
    before = [array.copy() for array in (inputs, kernel, bias)]
    for array in (inputs, kernel, bias):
        array.setflags(write=False)
    conv(inputs, kernel, padding="same", bias=bias)[...] = 0
    for array, copy in zip((inputs, kernel, bias), before, strict=True):
        np.testing.assert_array_equal(array, copy)


LAYOUTS = {
    "reversed": lambda a: a[:, ::-1],
    "strided": lambda a: a[:, ::2, 1::2],
    "Fortran": np.asfortranarray,
    "channels moved": lambda a: np.moveaxis(np.ascontiguousarray(np.moveaxis(a, -1, 1)), 1, -1),
    "broadcast": lambda a: np.broadcast_to(a[:1], (3, *a.shape[1:])),
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory_layout(rng, layout):
    inputs = LAYOUTS[layout](rng.integers(-8, 9, (2, 12, 10, 4)).astype(float))
    kernel = np.asfortranarray(rng.integers(-8, 9, (3, 2, 4, 5)).astype(float))
    plain = np.array(inputs, dtype=float, order="C")
    assert layout == "big-endian" or not inputs.flags.c_contiguous
    outputs = conv(inputs, kernel, 2, "same")
    np.testing.assert_array_equal(outputs, conv(plain, np.ascontiguousarray(kernel), 2, "same"))
    assert outputs.dtype.isnative


def test_lists_will_do():
    np.testing.assert_array_equal(conv([[[1], [2], [3]]], [[[1]], [[1]]]), [[[3], [5]]])


def test_no_images_no_outputs():
    assert conv(np.empty((0, 8, 8, 3)), np.ones((3, 3, 3, 5))).shape == (0, 6, 6, 5)


def test_infinite_and_missing_values_stay_where_they_are():
    inputs = np.zeros((1, 9, 1))
    inputs[0, 4] = np.nan
    outputs = conv(inputs, np.ones((3, 1, 1)))[0, :, 0]
    np.testing.assert_array_equal(np.isnan(outputs), [False, False, True, True, True, False, False])
    inputs[0, 4] = np.inf
    outputs = conv(inputs, np.ones((3, 1, 1)))[0, :, 0]
    np.testing.assert_array_equal(outputs, [0, 0, np.inf, np.inf, np.inf, 0, 0])
    outputs = conv(np.zeros((1, 9, 1)), np.ones((3, 1, 1)), padding=1, pad_value=np.nan)[0, :, 0]
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(outputs)), [0, 8])


def test_sums_too_large_for_the_dtype_are_no_error_before_their_time():
    """Inputs whose total overflows, where no window's does."""
    inputs = np.full((1, 40, 1), 3e37, np.float32)
    outputs = conv(inputs, np.array([1, -1], np.float32).reshape(2, 1, 1))
    np.testing.assert_array_equal(outputs, 0)


@pytest.mark.parametrize(
    ("shape", "kernel"),
    [((1, 1080, 1920, 3), (5, 5, 3, 16)), ((16, 64, 64, 32), (3, 3, 32, 64)), ((1, 300_000, 2), (9, 2, 4))],
    ids=["photograph", "many channels", "long signal"],
)
def test_memory_beyond_the_output_stays_small(shape, kernel):
    """Laying out all windows at once (im2col) would take several times the output."""
    inputs, weights = np.ones(shape, np.float32), np.ones(kernel, np.float32)
    tracemalloc.start()
    try:
        outputs = conv(inputs, weights, bias=np.ones(kernel[-1], np.float32))
        peak = tracemalloc.get_traced_memory()[1] - outputs.nbytes
    finally:
        tracemalloc.stop()
    windows = 4 * math.prod(outputs.shape[:-1]) * math.prod(kernel[:-1])
    assert peak < 0.25 * outputs.nbytes + 8 * convolution.BLOCK_BYTES
    assert peak < windows / 2
    np.testing.assert_array_equal(outputs[0, 0], math.prod(kernel[:-1]) + 1)


# ------------------------------------------------------------------------------------------- backward


@given(problems())
def test_backward_equals_its_loop_twin(problem):
    inputs, kernel, arguments = problem
    amounts = amounts_of(inputs, kernel, arguments)
    slopes = gradient_of(inputs, kernel, arguments)
    padded, *rest = conv_backward_loops(
        slopes,
        pad(inputs, amounts),
        kernel,
        arguments["strides"],
        arguments["dilation_rate"],
        arguments["groups"],
    )
    gradients = conv_backward(slopes, inputs, kernel, **arguments)
    for name, got, expected in zip(
        ConvGradients._fields, gradients, (pad_backward(padded, amounts), *rest), strict=True
    ):
        assert got.dtype == inputs.dtype, name
        assert got.flags.c_contiguous, name
        np.testing.assert_array_equal(got, expected, name)


def gradient_of(inputs, kernel, arguments):
    """Whole numbers in the shape of the outputs, as what comes back from above."""
    shape = output_shape(
        inputs.shape,
        kernel.shape[:-2],
        kernel.shape[-1],
        arguments["strides"],
        arguments["padding"],
        arguments["dilation_rate"],
    )
    return np.random.default_rng(0).integers(-8, 9, shape).astype(inputs.dtype)


@given(problems(), st.sampled_from(list(PAD_MODES)), st.integers(-3, 3))
def test_backward_is_the_adjoint(problem, mode, value):
    """<conv(x, k), g> = <x, of_inputs> + what a constant border adds; = <k, of_kernel>, always."""
    inputs, kernel, arguments = problem
    slopes = gradient_of(inputs, kernel, arguments)
    edge = {"pad_mode": mode, "pad_value": value}
    gradients = conv_backward(slopes, inputs, kernel, **arguments, **edge)
    total = (conv(inputs, kernel, **arguments, **edge) * slopes).sum(dtype=np.float64)
    border = conv(np.zeros_like(inputs), kernel, **arguments, **edge)  # only a constant border is not zero
    from_border = (border * slopes).sum(dtype=np.float64)
    assert (gradients.inputs * inputs).sum(dtype=np.float64) == total - from_border
    assert (gradients.kernel * kernel).sum(dtype=np.float64) == total
    np.testing.assert_array_equal(gradients.bias, slopes.reshape(-1, slopes.shape[-1]).sum(0))


@given(problems(), st.sampled_from(list(PAD_MODES)), st.data())
def test_backward_is_the_slope_of_forward(problem, mode, data):
    """A loss that is not linear, stepped along a direction in all three arguments at once."""
    inputs, kernel, arguments = problem
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    arrays = [random.normal(size=a.shape) for a in (inputs, kernel, np.empty(kernel.shape[-1]))]
    ways = [random.normal(size=a.shape) for a in arrays]
    edge = {**arguments, "pad_mode": mode, "pad_value": 0.5}

    def outputs(step):
        x, k, b = (a + step * way for a, way in zip(arrays, ways, strict=True))
        return conv(x, k, bias=b, **edge)

    def loss(step):
        return np.sin(outputs(step)).sum()

    gradients = conv_backward(np.cos(outputs(0)), arrays[0], arrays[1], **edge)
    slope = sum((g * way).sum() for g, way in zip(gradients, ways, strict=True))
    scale = sum(np.abs(g * way).sum() for g, way in zip(gradients, ways, strict=True)) + 1
    assert (loss(1e-6) - loss(-1e-6)) / 2e-6 == pytest.approx(slope, abs=1e-6 * scale)


@pytest.mark.parametrize(
    "needs", [c for n in range(4) for c in itertools.combinations(ConvGradients._fields, n)]
)
def test_only_what_is_needed_is_computed(rng, needs):
    inputs, kernel = rng.normal(size=(2, 6, 6, 3)), rng.normal(size=(3, 3, 3, 4))
    slopes = rng.normal(size=(2, 4, 4, 4))
    whole, part = conv_backward(slopes, inputs, kernel), conv_backward(slopes, inputs, kernel, needs=needs)
    for name in ConvGradients._fields:
        if name in needs:
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name))
        else:
            assert getattr(part, name) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"gradient": np.ones((1, 3, 4))},
            r"gradient has shape \(1, 3, 4\); the outputs .* have \(1, 5, 4\)",
        ),
        ({"gradient": np.ones((1, 5, 2))}, r"\(1, 5, 2\); the outputs"),
        ({"needs": ("input",)}, r"no gradient of input; choose among inputs, kernel, bias"),
        ({"kernel": np.ones((2, 3, 4))}, r"kernel of shape \(2, 3, 4\)"),
    ],
)
def test_backward_says_what_clashes(change, message):
    arguments = {"gradient": np.ones((1, 5, 4)), "inputs": np.ones((1, 6, 2)), "kernel": np.ones((2, 2, 4))}
    with pytest.raises(ShapeError, match=message):
        conv_backward(**{**arguments, **change})


@pytest.mark.parametrize(
    ("inputs", "kernel", "result"),
    [
        ("float32", "float32", "float32"),
        ("float64", "float32", "float64"),
        ("uint8", "float32", "float32"),
    ],
)
def test_dtype_of_the_gradients(inputs, kernel, result):
    """That of the outputs, whatever the gradient comes in."""
    for slopes in (np.float32, np.float64):
        got = conv_backward(
            np.ones((1, 3, 3), slopes), np.ones((1, 4, 2), inputs), np.ones((2, 2, 3), kernel)
        )
        assert [g.dtype for g in got] == [result] * 3


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_backward_of_any_memory_layout(rng, layout, groups):
    inputs = LAYOUTS[layout](rng.integers(-8, 9, (2, 12, 10, 4)).astype(float))
    slopes = rng.integers(
        -8, 9, (6, *conv(inputs, np.ones((3, 2, 4 // groups, 4)), 2, "same", 1, groups).shape[1:])
    )
    slopes = slopes.astype(float)[: 2 * len(inputs) : 2] if 2 * len(inputs) <= 6 else slopes[: len(inputs)]
    kernel = np.asfortranarray(rng.integers(-8, 9, (3, 2, 4 // groups, 4)).astype(float))
    got = conv_backward(slopes, inputs, kernel, 2, "same", 1, groups)
    plain = [np.array(a, dtype=float, order="C") for a in (slopes, inputs, kernel)]
    for one, other in zip(got, conv_backward(*plain, 2, "same", 1, groups), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype.isnative


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_no_images_no_gradients(groups):
    empty, kernel = np.empty((0, 8, 8, 4), np.float32), np.ones((3, 3, 4 // groups, 4), np.float32)
    got = conv_backward(np.empty((0, 6, 6, 4)), empty, kernel, groups=groups)
    assert [g.shape for g in got] == [empty.shape, kernel.shape, (4,)]
    assert not got.kernel.any()
    assert not got.bias.any()


def test_a_missing_gradient_spoils_its_window_alone():
    slopes = np.zeros((1, 9, 1))
    slopes[0, 4] = np.nan
    got = conv_backward(slopes, np.zeros((1, 11, 1)), np.ones((3, 1, 1)))
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(got.inputs)), [4, 5, 6])
    inputs = np.zeros((1, 11, 1))
    inputs[0, 10] = np.inf  # the last weight alone has seen it
    got = conv_backward(np.ones((1, 9, 1)), inputs, np.ones((3, 1, 1)))
    np.testing.assert_array_equal(got.kernel.ravel(), [0, 0, np.inf])


def test_inputs_that_no_window_reached_have_no_gradient():
    got = conv_backward(np.ones((1, 2, 1)), np.ones((1, 8, 1)), np.ones((2, 1, 1)), strides=4)
    np.testing.assert_array_equal(got.inputs.ravel(), [1, 1, 0, 0, 1, 1, 0, 0])


@pytest.mark.parametrize(
    ("shape", "kernel", "arguments"),
    [
        ((1, 540, 960, 3), (5, 5, 3, 16), {}),
        ((16, 64, 64, 32), (3, 3, 32, 64), {}),
        ((16, 64, 64, 32), (3, 3, 32, 64), {"strides": 2, "padding": "same"}),
        ((1, 150_000, 2), (9, 2, 4), {}),
        ((8, 64, 64, 64), (3, 3, 1, 64), {"groups": 64}),
    ],
    ids=["photograph", "many channels", "strided", "long signal", "depthwise"],
)
def test_memory_of_backward_stays_near_that_of_its_arguments(shape, kernel, arguments):
    """Beyond what is returned: a padded copy of the inputs, or of the gradient, and some blocks."""
    inputs, weights = np.ones(shape, np.float32), np.ones(kernel, np.float32)
    slopes = conv(inputs, weights, **arguments)
    tracemalloc.start()
    try:
        gradients = conv_backward(slopes, inputs, weights, **arguments)
        peak = tracemalloc.get_traced_memory()[1] - sum(g.nbytes for g in gradients)
    finally:
        tracemalloc.stop()
    assert peak < 1.25 * max(slopes.nbytes, inputs.nbytes) + 8 * convolution.BLOCK_BYTES
    windows = 4 * slopes[..., 0].size * math.prod(kernel[:2]) * shape[-1]
    assert peak < windows


@given(problems(), st.sampled_from([2, 3]))
def test_threads_change_no_bit(problem, count):
    inputs, kernel, arguments = problem
    inputs, kernel = inputs * np.pi, kernel * np.e  # no sum is exact any more
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "BLOCK_BYTES", 200)
        patch.setattr(convolution, "BLOCK_PLACES", 1)
        expected = conv(inputs, kernel, **arguments)
        gradients = conv_backward(expected, inputs, kernel, **arguments)
        with threads.using(count):
            np.testing.assert_array_equal(conv(inputs, kernel, **arguments), expected)
            for one, other in zip(
                conv_backward(expected, inputs, kernel, **arguments), gradients, strict=True
            ):
                np.testing.assert_array_equal(one, other)


# ------------------------------------------------------------- the two operations of signal processing

ARRAYS = st.integers(1, 3).flatmap(
    lambda rank: st.tuples(
        *[
            hnp.arrays(np.int64, st.tuples(*[st.integers(1, most)] * rank), elements=WHOLE)
            for most in (6, 4, 3)
        ]
    )
)


@given(ARRAYS)
def test_full_equals_scipy(arrays):
    signal, kernel, _ = arrays
    np.testing.assert_array_equal(
        correlate(signal, kernel, padding="full"), scipy.signal.correlate(signal, kernel, "full", "direct")
    )
    np.testing.assert_array_equal(
        convolve(signal, kernel), scipy.signal.convolve(signal, kernel, "full", "direct")
    )


@given(ARRAYS)
def test_valid_equals_scipy_where_the_kernel_fits(arrays):
    signal, kernel, _ = arrays
    assume(all(n >= k for n, k in zip(signal.shape, kernel.shape, strict=True)))
    np.testing.assert_array_equal(
        correlate(signal, kernel), scipy.signal.correlate(signal, kernel, "valid", "direct")
    )
    np.testing.assert_array_equal(
        convolve(signal, kernel, padding="valid"), scipy.signal.convolve(signal, kernel, "valid", "direct")
    )


@given(ARRAYS)
def test_same_equals_scipys_image_filter(arrays):
    """For even kernels the two place the middle differently: ours pads the odd one after, as Keras."""
    signal, kernel, _ = arrays
    origin = [-1 if k % 2 == 0 else 0 for k in kernel.shape]
    expected = scipy.ndimage.correlate(signal, kernel, mode="constant", origin=origin)
    np.testing.assert_array_equal(correlate(signal, kernel, padding="same"), expected)


@given(ARRAYS)
def test_convolution_commutes_and_associates(arrays):
    a, b, c = arrays
    np.testing.assert_array_equal(convolve(a, b), convolve(b, a))
    np.testing.assert_array_equal(convolve(convolve(a, b), c), convolve(a, convolve(b, c)))


def test_correlation_does_neither():
    a, b, c = [1, 2], [3, 5], [1, 0]
    full = {"padding": "full"}
    assert not np.array_equal(correlate(a, b, **full), correlate(b, a, **full))
    left = correlate(correlate(a, b, **full), c, **full)
    assert not np.array_equal(left, correlate(a, correlate(b, c, **full), **full))


@given(ARRAYS)
def test_the_flip_tells_them_apart(arrays):
    signal, kernel, _ = arrays
    np.testing.assert_array_equal(
        convolve(signal, kernel), correlate(signal, np.flip(kernel), padding="full")
    )
    reversed_ = np.flip(correlate(kernel, signal, padding="full"))
    np.testing.assert_array_equal(correlate(signal, kernel, padding="full"), reversed_)


@given(ARRAYS)
def test_an_impulse_copies_the_kernel(arrays):
    _, kernel, _ = arrays
    impulse = np.ones((1,) * kernel.ndim)
    np.testing.assert_array_equal(convolve(impulse, kernel), kernel)
    np.testing.assert_array_equal(correlate(impulse, kernel, padding="full"), np.flip(kernel))


def test_polynomials_multiply_by_convolution():
    np.testing.assert_array_equal(convolve([2, 3], [1, -1]), np.polymul([2, 3], [1, -1]))


@pytest.mark.parametrize(("stride", "dilation"), list(itertools.product((1, 2, 3), repeat=2)))
def test_correlate_passes_its_arguments_on(rng, stride, dilation):
    signal, kernel = rng.integers(-8, 9, (9, 8)), rng.integers(-8, 9, (3, 2))
    looped = conv_loops(signal[None, ..., None], kernel[..., None, None], stride, dilation)
    np.testing.assert_array_equal(correlate(signal, kernel, stride, "valid", dilation), looped[0, ..., 0])


@given(
    st.integers(1, 3),
    st.sampled_from(["valid", "same", "full", 1]),
    st.sampled_from(sorted(PAD_MODES)),
    st.integers(0, 9),
)
def test_both_ways_to_the_gradient_of_the_inputs_agree(rank, padding, pad_mode, seed):
    """By strips or by windows: what is quicker depends on the sizes, what comes out does not."""
    rng = np.random.default_rng(seed)
    kernel_size, (channels, filters) = rng.integers(1, 5, rank), rng.integers(1, 6, 2)
    gaps = [*rng.integers(1, 3, rank - 1), 1]  # strips are no way where the last axis is dilated
    spans = [effective_kernel_size(k, gap) for k, gap in zip(kernel_size, gaps, strict=True)]
    inputs = rng.normal(size=(2, *(span + rng.integers(1, 5) for span in spans), channels))
    kernel = rng.normal(size=(*kernel_size, channels, filters))
    options = {"padding": padding, "pad_mode": pad_mode, "dilation_rate": gaps}
    gradient = rng.normal(size=conv(inputs, kernel, **options).shape)
    found = []
    for few in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(convolution, "_few_channels", lambda *a, few=few: few)
            found.append(conv_backward(gradient, inputs, kernel, **options, needs=("inputs",)).inputs)
    np.testing.assert_allclose(*found, atol=1e-12)
