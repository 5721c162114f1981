"""The same numbers through our operators and through Keras' layers, thousands of times.

Half of all cases hold small whole numbers, whose sums are exact in every order: there the results must be
equal to the last bit. In the other half they may differ by rounding, within the bound that holds for every
order of adding. What was compared is recorded in ``build/agreement``, one file a layer. More cases:
HYPOTHESIS_PROFILE=fuzz.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field

import hypothesis
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cnnlib import convolution, keras_bridge, pooling
from cnnlib.algorithms import conv_loops
from cnnlib.padding import amounts_for, pad
from cnnlib.sizes import effective_kernel_size

pytestmark = pytest.mark.keras

#: Ten times as many cases when the profile asks for them.
MANY = hypothesis.settings.default.max_examples // hypothesis.settings.get_profile("ci").max_examples


@dataclass
class Ledger:
    """What was compared: how often, how often exactly, and how far the worst was off."""

    operator: str
    layer: str
    cases: int = 0
    exact_cases: int = 0
    peer_at_fault: int = 0
    #: By dtype: the difference over the sum of absolute products, in units of the last place.
    largest_error: dict[str, float] = field(default_factory=dict)

    def compare(self, ours, theirs, magnitudes, terms: int, exact: bool) -> None:
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype
        self.cases += 1
        if exact:
            self.exact_cases += 1
            np.testing.assert_array_equal(ours, theirs)
            return
        unit = np.finfo(ours.dtype).eps * magnitudes + np.finfo(ours.dtype).tiny
        error = float((np.abs(ours - theirs) / unit).max(initial=0))
        assert error <= terms + 2  # each of the two rounds by at most half of it, in any order
        name = str(ours.dtype)
        self.largest_error[name] = max(self.largest_error.get(name, 0.0), error)

    def write(self, root) -> None:
        folder = root / "build" / "agreement"
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(vars(self), indent=2)
        (folder / f"{self.layer}.json").write_text(text + "\n")
        print(text)


def numbers(seed: int, shape, dtype: str, exact: bool):
    random = np.random.default_rng(seed)
    return random.integers(-8, 9, shape).astype(dtype) if exact else random.normal(size=shape).astype(dtype)


SEEDS = st.integers(0, 2**31)


@st.composite
def conv_problems(draw, rank: int):
    axes = [1] * rank
    most = {1: 5, 2: 4, 3: 3}[rank]
    kernel_size = draw(st.tuples(*[st.integers(1, most)] * rank))
    spread = draw(st.booleans())  # Keras refuses strides together with dilation
    ones = tuple(axes)
    gaps = draw(st.tuples(*[st.integers(1, 3)] * rank)) if spread else ones
    steps = ones if spread else draw(st.tuples(*[st.integers(1, 3)] * rank))
    padding = draw(st.sampled_from(["valid", "same", "causal"] if rank == 1 else ["valid", "same"]))
    spatial = draw(st.tuples(*[st.integers(1, {1: 24, 2: 10, 3: 7}[rank])] * rank))
    spans = [effective_kernel_size(k, d) for k, d in zip(kernel_size, gaps, strict=True)]
    assume(padding != "valid" or all(n >= s for n, s in zip(spatial, spans, strict=True)))
    groups, depth, width = (
        draw(st.sampled_from([*[1] * 8, 2, 3])),
        draw(st.integers(1, 3)),
        draw(st.integers(1, 3)),
    )
    dtype, exact, seed = draw(st.sampled_from(["float32", "float64"])), draw(st.booleans()), draw(SEEDS)
    inputs = numbers(seed, (draw(st.integers(1, 3)), *spatial, groups * depth), dtype, exact)
    kernel = numbers(seed + 1, (*kernel_size, depth, groups * width), dtype, exact)
    bias = numbers(seed + 2, groups * width, dtype, exact) if draw(st.booleans()) else None
    arguments = {"strides": steps, "padding": padding, "dilation_rate": gaps, "groups": groups}
    return inputs, kernel, bias, arguments, exact


def tensorflow_is_at_fault(inputs, kernel, outputs, arguments) -> bool:
    """Where TensorFlow 2.21 on x86-64 is known to be wrong, so that the loops stand in for it.

    1. float32, one input channel, an output one column wide, strides 1 downwards and more to the right:
       all rows but the first hold what happened to lie in memory (not so with TF_ENABLE_ONEDNN_OPTS=0).
    2. Volumes of float64, ``same``, a stride beyond the kernel, so that the windows do not reach the end
       of the axis: TensorFlow pads by a negative amount and begins too late (float32 and images: not so).
    """
    steps, kernel_size = arguments["strides"], kernel.shape[:-2]
    forgets = (
        inputs.dtype == np.float32
        and kernel.shape[-2] == 1
        and outputs.shape[-2] == 1
        and steps[-1] > 1
        and steps[-2:-1] == (1,)
    )
    begins_late = (
        inputs.dtype == np.float64
        and len(steps) == 3
        and arguments["padding"] == "same"
        and any(
            (out - 1) * s + k < n
            for n, k, s, out in zip(inputs.shape[1:-1], kernel_size, steps, outputs.shape[1:-1], strict=True)
        )
    )
    return forgets or begins_late


def looped(inputs, kernel, bias, arguments):
    """The loop twin, with the padding that ``arguments`` mean and in the dtype of ``inputs``."""
    steps, gaps = arguments["strides"], arguments["dilation_rate"]
    amounts = amounts_for(inputs.shape[1:-1], kernel.shape[:-2], steps, arguments["padding"], gaps)
    values = conv_loops(
        pad(inputs.astype(float), amounts), kernel.astype(float), steps, gaps, arguments["groups"]
    )
    return (values if bias is None else values + bias).astype(inputs.dtype)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_conv_equals_the_keras_layer(rank, root):
    ledger = Ledger("conv", f"Conv{rank}D")

    @hypothesis.settings(max_examples=500 * MANY)
    @given(conv_problems(rank))
    def compare(problem):
        inputs, kernel, bias, arguments, exact = problem
        ours = convolution.conv(inputs, kernel, bias=bias, **arguments)
        if tensorflow_is_at_fault(inputs, kernel, ours, arguments):
            ledger.peer_at_fault += 1
            theirs = looped(inputs, kernel, bias, arguments)
        else:
            theirs = keras_bridge.conv(inputs, kernel, bias=bias, **arguments)
        shift = None if bias is None else np.abs(bias)
        magnitudes = convolution.conv(np.abs(inputs), np.abs(kernel), bias=shift, **arguments)
        ledger.compare(ours, theirs, magnitudes, math.prod(kernel.shape[:-1]), exact)

    compare()
    ledger.write(root)
    assert ledger.cases - ledger.peer_at_fault >= 450 * MANY
    assert min(ledger.exact_cases, ledger.cases - ledger.exact_cases) > 0.2 * ledger.cases
    assert set(ledger.largest_error) == {"float32", "float64"}


POOLS = {"max_pool": "MaxPooling", "average_pool": "AveragePooling"}


@st.composite
def pool_problems(draw, rank: int):
    most = {1: 6, 2: 4, 3: 3}[rank]
    pool_size = draw(st.tuples(*[st.integers(1, most)] * rank))
    strides = draw(st.one_of(st.none(), st.tuples(*[st.integers(1, most)] * rank)))
    padding = draw(st.sampled_from(["valid", "same"]))
    spatial = draw(st.tuples(*[st.integers(1, {1: 24, 2: 10, 3: 7}[rank])] * rank))
    assume(padding == "same" or all(n >= k for n, k in zip(spatial, pool_size, strict=True)))
    # TensorFlow on a processor pools volumes of float32 only.
    dtype = draw(st.sampled_from(["float32", "float64"])) if rank < 3 else "float32"
    exact = draw(st.booleans())
    inputs = numbers(draw(SEEDS), (draw(st.integers(1, 3)), *spatial, draw(st.integers(1, 4))), dtype, exact)
    return inputs, pool_size, strides, padding, exact


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("operator", POOLS)
def test_pooling_equals_the_keras_layer(operator, rank, root):
    ledger = Ledger(operator, f"{POOLS[operator]}{rank}D")

    @hypothesis.settings(max_examples=150 * MANY)
    @given(pool_problems(rank))
    def compare(problem):
        inputs, *arguments, whole = problem
        ours = getattr(pooling, operator)(inputs, *arguments)
        theirs = getattr(keras_bridge, operator)(inputs, *arguments)
        exact = operator == "max_pool"  # a mean divides, so that even whole numbers round
        magnitudes = getattr(pooling, operator)(np.abs(inputs), *arguments)
        ledger.compare(ours, theirs, magnitudes, math.prod(arguments[0]), exact)
        if whole and operator == "average_pool":
            np.testing.assert_allclose(ours, theirs, rtol=2 * np.finfo(ours.dtype).eps)

    compare()
    ledger.write(root)
    assert ledger.cases >= 150 * MANY


@hypothesis.settings(max_examples=100 * MANY)
@given(problem=conv_problems(2), steps=st.integers(2, 3), gaps=st.integers(2, 3))
def test_what_keras_refuses_equals_the_loops(problem, steps, gaps):
    """Strides together with dilation: Keras says no, the definition does not."""
    inputs, kernel, bias, arguments, exact = problem
    arguments = {**arguments, "strides": steps, "dilation_rate": gaps, "padding": "same"}
    with pytest.raises(ValueError, match="not supported in conjunction with"):
        keras_bridge.conv(inputs, kernel, **arguments)
    ours, expected = (
        convolution.conv(inputs, kernel, bias=bias, **arguments),
        looped(inputs, kernel, bias, arguments),
    )
    if exact:
        np.testing.assert_array_equal(ours, expected)
    else:
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4 if ours.dtype == "float32" else 1e-12)


def test_the_comparison_notices_what_is_wrong(rng):
    """Typical mistakes, each of which must fail the comparison that the cases above pass."""
    inputs, kernel = (
        rng.normal(size=(1, 9, 8, 3)).astype("float32"),
        rng.normal(size=(3, 3, 3, 4)).astype("float32"),
    )
    right = convolution.conv(inputs, kernel, 2, "same")
    magnitudes = convolution.conv(np.abs(inputs), np.abs(kernel), 2, "same")
    wrong = {
        "flipped": convolution.conv(inputs, kernel[::-1, ::-1], 2, "same"),
        "padded before": convolution.conv(inputs, kernel, 2, ((1, 1), (1, 0))),
        "channels swapped": convolution.conv(inputs, kernel[:, :, ::-1], 2, "same"),
        "one element off": right + 1e-5 * (np.arange(right.size).reshape(right.shape) == 7),
        "transposed": right.swapaxes(1, 2),
        "missing": np.where(np.arange(right.size).reshape(right.shape) == 7, np.nan, right).astype("float32"),
        "float64": right.astype("float64"),
    }
    Ledger("conv", "").compare(right, keras_bridge.conv(inputs, kernel, 2, "same"), magnitudes, 27, False)
    for values in wrong.values():
        for reference in (right, keras_bridge.conv(inputs, kernel, 2, "same")):
            with pytest.raises(AssertionError):
                Ledger("conv", "").compare(values, reference, magnitudes, 27, False)
