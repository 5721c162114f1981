"""What holds of every operator: gradients by finite differences, a loop twin, and a dtype that is kept.

Operators are found by looking through their modules, so that a new one without an example here fails.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import given

from cnnlib import algorithms
from cnnlib.errors import CnnError, DtypeError
from cnnlib.keras_bridge.problems import RANKS, problems
from cnnlib.padding import amounts_for, pad

#: The modules whose public functions are operators.
MODULES = (
    "padding", "convolution", "pooling", "variants", "upsampling", "functional", "activations", "losses",
    "normalization",
)  # fmt: skip


def operators(suffix: str = "") -> dict[str, Callable]:
    """The public functions of these modules whose name ends so, each where it is defined."""
    return {
        name: function
        for home in MODULES
        for name, function in vars(importlib.import_module(f"cnnlib.{home}")).items()
        if inspect.isfunction(function)
        and function.__module__ == f"cnnlib.{home}"
        and not name.startswith("_")
        and name.endswith(suffix)
    }


EVERY = operators()
#: What operators call on their arguments; see the tests of the convolution.
HELPERS = {"as_array", "as_floats", "as_bias", "as_gradient", "check_needs"}
BACKWARDS = operators("_backward")


@dataclass(frozen=True)
class Example:
    """A call: shapes of the arrays by name (or the array itself), and options."""

    arrays: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)

    def made(self, dtype: Any = float, largest: float = 3) -> dict[str, np.ndarray]:
        """The arrays: different numbers up to ``largest``, none of them 0, where functions may bend."""
        random, arrays = np.random.default_rng(4), {}
        for name, given_ in self.arrays.items():
            if isinstance(given_, np.ndarray):
                arrays[name] = given_.astype(dtype) if given_.dtype.kind == "f" else given_
                continue
            size = int(np.prod(given_))
            values = random.permutation(np.linspace(-largest, largest, size + 1)[:size] + 0.01)
            arrays[name] = values.reshape(given_).astype(dtype)
        return arrays


def image(*shape: int, **others: Any) -> dict[str, Any]:
    return {"inputs": shape} | others


POSITIVE = np.linspace(0.5, 2, 3)
ONE_HOT = np.eye(4)[[1, 0, 3]]
LIKELY = np.random.default_rng(2).dirichlet(np.full(4, 3.0), 3)
BENDS = ("linear", "relu", "relu6", "leaky_relu", "elu", "sigmoid", "tanh", "silu", "gelu", "softmax")
LOSSES = ("categorical_crossentropy", "binary_crossentropy", "sparse_categorical_crossentropy")
STATISTICS = {"mean": (3,), "variance": POSITIVE, "gamma": (3,), "beta": (3,)}
POOLS = [
    Example(image(2, 7, 2), {"pool_size": 3, "strides": 2, "padding": "same"}),
    Example(image(1, 5, 6, 2), {"pool_size": (2, 3), "strides": 1}),
    Example(image(1, 4, 4, 3, 1), {"pool_size": 2}),
    Example(image(1, 5, 4, 1), {"pool_size": 3, "strides": 2, "padding": 1}),
]
MAPS = [Example(image(2, 3, 4, 2)), Example(image(1, 5, 3)), Example(image(1, 2, 3, 2, 2))]
EXAMPLES: dict[str, list[Example]] = {
    "pad": [
        Example(image(1, 4, 3, 2), {"amounts": [(2, 1), (0, 2)], "mode": mode})
        for mode in ("constant", "edge", "reflect", "circular")
    ],
    "conv": [
        Example(image(2, 7, 2, kernel=(3, 2, 3), bias=(3,)), {"padding": "causal", "dilation_rate": 2}),
        Example(
            image(1, 5, 6, 4, kernel=(2, 3, 2, 2), bias=(2,)),
            {"strides": (2, 1), "dilation_rate": (1, 2), "groups": 2, "padding": 2, "pad_mode": "reflect"},
        ),
        Example(image(1, 3, 4, 3, 1, kernel=(2, 2, 2, 1, 2)), {"padding": "same", "strides": 2}),
        Example(image(1, 4, 4, 1, kernel=(3, 3, 1, 2)), {"padding": ((1, 0), 2), "pad_mode": "circular"}),
    ],
    "correlate": [Example({"signal": (4, 5), "kernel": (2, 3)}, {"stride": (1, 2)})],
    "convolve": [Example({"signal": (6,), "kernel": (3,)})],
    "depthwise_conv": [
        Example(image(1, 5, 4, 2, kernel=(2, 3, 2, 2), bias=(4,)), {"strides": (2, 1), "padding": "same"}),
        Example(image(2, 6, 3, kernel=(2, 3, 1)), {"dilation_rate": 2, "strides": 2}),
    ],
    "pointwise_conv": [Example(image(2, 3, 2, 3, kernel=(3, 4), bias=(4,)))],
    "separable_conv": [
        Example(
            image(1, 5, 4, 2, depthwise_kernel=(3, 2, 2, 2), pointwise_kernel=(1, 1, 4, 3), bias=(3,)),
            {"strides": 2, "padding": "same"},
        ),
    ],
    "spatially_separable_conv": [
        Example(image(1, 5, 5, 2, column=(3,), row=(2,)), {"padding": "same", "strides": (1, 2)}),
        Example(image(1, 4, 5, 2, column=(2, 2, 3), row=(3, 3, 2), bias=(2,))),
    ],
    "channel_shuffle": [Example(image(1, 2, 2, 6), {"groups": 3})],
    "locally_connected": [
        Example(image(2, 5, 2, kernel=(3, 3, 2, 2), bias=(3, 2))),
        Example(
            image(1, 4, 3, 1, kernel=(2, 3, 2, 2, 1, 2)), {"strides": (2, 1), "padding": ((0, 0), (0, 1))}
        ),
    ],
    "conv_transpose": [
        Example(image(1, 3, 2, 2, kernel=(3, 2, 3, 2), bias=(3,)), {"strides": 2, "padding": "same"}),
        Example(image(1, 3, 2, kernel=(2, 2, 2)), {"strides": 3, "dilation_rate": 2, "output_padding": 1}),
    ],
    "bed_of_nails": [Example(image(1, 2, 3, 2), {"size": (2, 3)})],
    "upsample_nearest": [Example(image(1, 2, 3, 2), {"size": (2, 3)}), Example(image(2, 3, 1), {"size": 3})],
    "upsample_bilinear": [Example(image(1, 3, 4, 2), {"size": (2, 3)})],
    "max_unpool": [
        Example(
            image(1, 2, 2, 2, switches=np.array([[[[0, 1], [3, 2]], [[9, 8], [10, 15]]]])),
            {"output_shape": (1, 4, 4, 2)},
        ),
    ],
    **dict.fromkeys(("max_pool", "average_pool", "l2_pool", "max_pool_switches"), POOLS),
    **dict.fromkeys(("global_max_pool", "global_average_pool"), MAPS),
    "dense": [Example(image(3, 4, kernel=(4, 2), bias=(2,))), Example(image(2, 3, 4, kernel=(4, 5)))],
    "flatten": MAPS,
    "dropout": [
        Example(image(3, 4), {"rate": 0.4}),
        Example(image(2, 3, 2, 4), {"rate": 0.5, "noise_shape": (None, 1, 1, None)}),
    ],
    **dict.fromkeys(BENDS, MAPS),
    "leaky_relu": [*MAPS, Example(image(3, 4), {"negative_slope": 0.4})],
    "elu": [*MAPS, Example(image(3, 4), {"alpha": 2.0})],
    "gelu": [*MAPS, Example(image(3, 4), {"approximate": True})],
    "softmax": [*MAPS, Example(image(3, 4), {"axis": 0})],
    "log_softmax": [*MAPS, Example(image(3, 4), {"axis": 0})],
    "activation": [Example(image(3, 4), {"name": name}) for name in ("relu", "gelu", "softmax", None)],
    "categorical_crossentropy": [
        Example({"target": ONE_HOT, "output": LIKELY}),
        Example({"target": ONE_HOT, "output": (3, 4)}, {"from_logits": True}),
        Example({"target": ONE_HOT, "output": 3 * LIKELY}),
    ],
    "sparse_categorical_crossentropy": [
        Example({"target": np.array([1, 0, 3]), "output": LIKELY}),
        Example({"target": np.array([1, 0, 3]), "output": (3, 4)}, {"from_logits": True}),
    ],
    "binary_crossentropy": [
        Example({"target": ONE_HOT, "output": LIKELY}),
        Example({"target": ONE_HOT, "output": (3, 4)}, {"from_logits": True}),
    ],
    "mean_squared_error": [Example({"target": (3, 4), "output": (3, 4)})],
    "batch_normalization": [
        Example(image(2, 3, 3, **STATISTICS)),
        Example(image(4, 3, mean=(3,), variance=POSITIVE), {"epsilon": 0.1}),
    ],
    "batch_normalization_train": [
        Example(image(2, 3, 2, 3, gamma=(3,), beta=(3,))),
        Example(image(4, 3), {"epsilon": 0.1}),
    ],
    "local_response_normalization": [
        Example(image(2, 2, 7), {"depth_radius": 2, "bias": 2, "alpha": 0.3, "beta": 0.75}),
        Example(image(1, 2, 2, 4), {"depth_radius": 1, "beta": 0.6, "alpha_over_n": True}),
    ],
    "moments": MAPS,
    "overlap_counts": [],  # of sizes alone
    "amounts_for": [],
    "low_rank": [Example({"kernel": (3, 4)}, {"rank": 2})],
    "separable_rank": [Example({"kernel": (3, 4)})],
    "factors": [],  # of kernels of rank 1 alone, which an arbitrary example is not
}
CASES = [(name, place) for name, examples in EXAMPLES.items() for place in range(len(examples))]
SLOPED = [(name, place) for name, place in CASES if f"{name}_backward" in BACKWARDS]


def forward(name: str, arrays: dict[str, Any], options: dict[str, Any]) -> Any:
    """What the operator makes of an example; dropout with the same random numbers each time."""
    if name == "dropout":
        options = options | {"rng": np.random.default_rng(1)}
    return EVERY[name](**arrays, **options)


def first(found: Any) -> np.ndarray:
    """The outputs, without what comes with them."""
    return np.asarray(found[0] if isinstance(found, tuple) else found)


def backward(name: str, gradient: Any, arrays: dict[str, Any], options: dict[str, Any], **more: Any) -> dict:
    """The gradients by the name of the array that each is of."""
    function = BACKWARDS[f"{name}_backward"]
    accepted = inspect.signature(function).parameters
    if name == "dropout":
        found = function(gradient, forward(name, arrays, options)[1], options["rate"])
    elif name == "activation":
        found = function(options["name"], gradient, arrays["inputs"], first(forward(name, arrays, options)))
    elif name == "pad":
        found = function(gradient, **options)
    else:
        known = {n: v for n, v in {**arrays, **options}.items() if n in accepted}
        found = function(gradient, **known, **more)
    if isinstance(found, np.ndarray):
        return {"output" if "output" in arrays else "inputs": found}
    return {n: v for n, v in found._asdict().items() if n in arrays}


def test_every_operator_has_an_example_and_every_backward_pass_an_operator():
    forwards = {name for name in EVERY if not name.endswith("_backward")}
    assert forwards - EXAMPLES.keys() <= HELPERS
    assert {name.removesuffix("_backward") for name in BACKWARDS} <= EXAMPLES.keys()
    assert all(EXAMPLES[name.removesuffix("_backward")] for name in BACKWARDS)
    assert {name for name, _ in SLOPED} == {name.removesuffix("_backward") for name in BACKWARDS}


@pytest.mark.parametrize(("name", "place"), SLOPED)
def test_gradients_are_those_of_finite_differences(name, place):
    """Every element of every array moved a little up and down, in float64."""
    example, step = EXAMPLES[name][place], 1e-6
    arrays = example.made(largest=8 if name == "relu6" else 3)
    outputs = first(forward(name, arrays, example.options))
    gradient = np.random.default_rng(3).normal(size=outputs.shape)
    slopes = backward(name, gradient, arrays, example.options)
    assert slopes
    for key, slope in slopes.items():
        assert slope.shape == arrays[key].shape
        assert slope.dtype == np.float64
        expected = np.empty(slope.shape)
        for index in np.ndindex(slope.shape):
            losses = []
            for move in (step, -step):
                moved = arrays[key].copy()
                moved[index] += move
                losses.append((first(forward(name, arrays | {key: moved}, example.options)) * gradient).sum())
            expected[index] = (losses[0] - losses[1]) / (2 * step)
        np.testing.assert_allclose(slope, expected, rtol=1e-6, atol=1e-7, err_msg=f"of the {key}")
    learned = set(arrays) - {"target", "switches", "mean", "variance"}
    assert slopes.keys() == learned


@pytest.mark.parametrize(("name", "place"), SLOPED)
def test_gradients_do_not_depend_on_what_is_passed_or_asked_for(name, place):
    """From the outputs as from the inputs, and one at a time as all together."""
    function, example = BACKWARDS[f"{name}_backward"], EXAMPLES[name][place]
    accepted, arrays = inspect.signature(function).parameters, example.made()
    outputs = first(forward(name, arrays, example.options))
    gradient = np.random.default_rng(3).normal(size=outputs.shape)
    whole = backward(name, gradient, arrays, example.options)
    if "outputs" in accepted and name != "activation":
        found = backward(name, gradient, arrays, example.options, outputs=outputs)
        np.testing.assert_allclose(found["inputs"], whole["inputs"], rtol=1e-12, atol=1e-14)
    if "needs" in accepted:
        for wanted in accepted["needs"].default:
            found = backward(name, gradient, arrays, example.options, needs=(wanted,))
            assert {key for key, value in found.items() if value is not None} == {wanted} & arrays.keys()
            if wanted in arrays:
                np.testing.assert_allclose(found[wanted], whole[wanted], rtol=1e-12, atol=1e-12)


def test_finite_differences_notice_a_wrong_gradient(monkeypatch):
    """The check itself: a slope that is a hair too steep, and one that is left out."""
    right = BACKWARDS["dense_backward"]
    for spoil in (lambda s: s._replace(kernel=s.kernel * 1.00001), lambda s: s._replace(bias=None)):
        monkeypatch.setitem(BACKWARDS, "dense_backward", same_signature(right, spoil))
        with pytest.raises((AssertionError, AttributeError)):
            test_gradients_are_those_of_finite_differences("dense", 0)


def same_signature(function, spoil):
    def wrong(*arguments, **options):
        return spoil(function(*arguments, **options))

    wrong.__signature__ = inspect.signature(function)
    return wrong


# ---- loop twins ----


def conv_twin(inputs, kernel, bias=0, padding="valid", strides=1, dilation_rate=1, groups=1):
    framed = framed_inputs(inputs, kernel.shape[:-2], strides, padding, dilation_rate)
    return algorithms.conv_loops(framed, kernel, strides, dilation_rate, groups) + bias


def depthwise_twin(inputs, kernel, bias=0, padding="valid", strides=1, dilation_rate=1):
    framed = framed_inputs(inputs, kernel.shape[:-2], strides, padding, dilation_rate)
    return algorithms.depthwise_loops(framed, kernel, strides, dilation_rate) + bias


def separable_twin(inputs, depthwise_kernel, pointwise_kernel, bias=0, **options):
    return conv_twin(depthwise_twin(inputs, depthwise_kernel, **options), pointwise_kernel) + bias


def transposed_twin(inputs, kernel, bias=0, strides=1, padding="valid", output_padding=None):
    """All that the loops write, of which the operator shows a part (or a frame of zeros around it)."""
    from cnnlib.sizes import per_axis, transposed_crop

    rank = inputs.ndim - 2
    steps = per_axis(strides, rank, "strides")
    added = (None,) * rank if output_padding is None else output_padding
    values = algorithms.conv_transpose_loops(inputs, kernel, strides)
    for axis, (size, step, extra) in enumerate(zip(kernel.shape[:-2], steps, added, strict=True)):
        before, after = transposed_crop(size, step, padding, extra)
        widths = [(0, 0)] * values.ndim
        widths[axis + 1] = (max(-before, 0), max(-after, 0))
        values = np.pad(values, widths)
        stop = values.shape[axis + 1] - max(after, 0)
        values = np.take(values, range(max(before, 0), stop), axis=axis + 1)
    return values + bias


def pool_twin(summary, filling):
    def twin(inputs, pool_size, strides=None, padding="valid"):
        steps = pool_size if strides is None else strides
        framed = framed_inputs(inputs, pool_size, steps, padding, value=filling)
        return algorithms.pool_loops(framed, pool_size, steps, summary)

    return twin


def framed_inputs(inputs, size, strides, padding, dilation_rate=1, value=0.0):
    amounts = amounts_for(inputs.shape[1:-1], size, strides, padding, dilation_rate)
    return pad(inputs, amounts, value=value)


#: What an operator is held to, and the loops of which that is made.
TWINS: dict[str, tuple[Callable, tuple[str, ...]]] = {
    "conv": (conv_twin, ("conv_loops",)),
    "depthwise_conv": (depthwise_twin, ("depthwise_loops",)),
    "separable_conv": (separable_twin, ("depthwise_loops", "conv_loops")),
    "conv_transpose": (transposed_twin, ("conv_transpose_loops",)),
    "max_pool": (pool_twin(np.max, -np.inf), ("pool_loops",)),
    "average_pool": (pool_twin(np.nanmean, np.nan), ("pool_loops",)),
    "local_response_normalization": (algorithms.lrn_loops, ("lrn_loops",)),
    "upsample_bilinear": (algorithms.bilinear_loops, ("bilinear_loops",)),
}
#: Compared with their twins in the tests of their own modules, since Keras has no such thing.
ELSEWHERE = {
    "correlate": "correlate_loops",
    "conv_backward": "conv_backward_loops",
    "locally_connected": "locally_connected_loops",
    "max_pool_backward": "max_pool_backward_loops",
}
#: Other operators on windows, and what they are made of, so that nothing is left to be held to a loop.
MADE_OF = {
    "pad": "numpy.pad",
    "convolve": "correlate",
    "pointwise_conv": "conv",
    "spatially_separable_conv": "conv",
    "channel_shuffle": "numpy.reshape",
    "bed_of_nails": "an assignment to a slice",
    "upsample_nearest": "numpy.repeat",
    "max_unpool": "an assignment to an index",
    "max_pool_switches": "max_pool",
    "l2_pool": "average_pool",
    "global_max_pool": "numpy.max",
    "global_average_pool": "numpy.mean",
    "batch_normalization": "one formula",
    "batch_normalization_train": "batch_normalization",
    "moments": "numpy.mean",
    "overlap_counts": "conv_transpose",
    "separable_rank": "numpy.linalg",
    "low_rank": "numpy.linalg",
    "factors": "numpy.linalg",
    "amounts_for": "padding_amounts",
}
WINDOWED = ("padding", "convolution", "pooling", "variants", "upsampling", "normalization")


def test_every_fast_function_has_a_twin_or_is_made_of_one():
    told = TWINS.keys() | MADE_OF.keys() | {name for name in ELSEWHERE if not name.endswith("_backward")}
    forwards = {
        name
        for name, function in EVERY.items()
        if function.__module__.split(".")[1] in WINDOWED and not name.endswith("_backward")
    }
    assert forwards - HELPERS == told


def loops() -> list[str]:
    return sorted({*ELSEWHERE.values(), *(name for _, names in TWINS.values() for name in names)})


@pytest.mark.parametrize("name", loops())
def test_a_loop_twin_is_short_enough_to_be_seen_to_be_right(name):
    source = textwrap.dedent(inspect.getsource(getattr(algorithms, name)))
    tree = ast.parse(source).body[0]
    assert ast.get_docstring(tree)
    lines = source.splitlines()[tree.body[1].lineno - 1 :]  # without signature and docstring
    code = [line for line in lines if line.strip() and not line.strip().startswith("#")]
    assert 3 <= len(code) <= 15, f"{name} has {len(code)} lines of code"
    assert any(isinstance(node, ast.For) for node in ast.walk(tree))


@pytest.mark.parametrize(("name", "rank"), [(name, rank) for name in TWINS for rank in RANKS[name]])
def test_a_fast_function_equals_its_loop_twin(name, rank):
    twin, _ = TWINS[name]

    @hypothesis.settings(max_examples=12)
    @given(problems(name, rank))
    def compare(problem):
        arrays = {key: value[:2].astype(float) if key == "inputs" else value.astype(float)
                  for key, value in problem.arrays.items()}  # fmt: skip
        found = EVERY[name](**arrays, **problem.options)
        np.testing.assert_allclose(found, twin(**arrays, **problem.options), rtol=1e-11, atol=1e-11)

    compare()


# ---- dtypes ----

#: Those that only move numbers about, and so keep every dtype.
MOVES = {"pad", "bed_of_nails", "upsample_nearest", "channel_shuffle", "max_unpool"}
#: A result that is not in the dtype of the arrays.
COUNTS = {"separable_rank"}


def converted(name: str, place: int, dtype: str) -> dict[str, np.ndarray]:
    """The arrays of an example in whole numbers that an 8-bit image may hold, as this dtype."""
    arrays = EXAMPLES[name][place].made()
    kept = ("target", "switches") if EXAMPLES[name][place].arrays.keys() & {"switches", "target"} else ()
    return {
        key: value if key in kept else np.where(value > 0, 200, 3).astype(dtype)
        for key, value in arrays.items()
    }


def results(found: Any) -> list[np.ndarray]:
    if isinstance(found, tuple):
        return [np.asarray(part) for part in found if isinstance(part, np.ndarray | np.generic)]
    return [np.asarray(found)]


@pytest.mark.parametrize("name", [name for name, place in CASES if place == 0 and name not in COUNTS])
class TestDtypes:
    """Kept, promoted as is documented, or refused with a word; never overflowed."""

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_floating_point_is_kept_by_all_results(self, name, dtype):
        for example in EXAMPLES[name]:
            found = results(forward(name, example.made(dtype), example.options))
            wanted = {np.dtype(dtype), np.dtype(bool), np.dtype(np.int64)}  # masks and switches
            assert found[0].dtype == dtype
            assert {result.dtype for result in found} <= wanted

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_floating_point_is_kept_by_all_gradients(self, name, dtype):
        if f"{name}_backward" not in BACKWARDS:
            return
        for example in EXAMPLES[name]:
            arrays = example.made(dtype)
            gradient = np.ones_like(first(forward(name, arrays, example.options)))
            assert gradient.dtype == dtype
            slopes = backward(name, gradient, arrays, example.options)
            assert {str(slope.dtype) for slope in slopes.values()} == {dtype}

    @pytest.mark.parametrize(
        ("dtype", "as_floats"),
        [("uint8", "float32"), ("int16", "float32"), ("bool", "float32"), ("int64", "float64")],
    )
    def test_whole_numbers_are_promoted_before_anything_is_added(self, name, dtype, as_floats):
        arrays = converted(name, 0, dtype)
        if "output" in arrays and not EXAMPLES[name][0].options.get("from_logits"):
            arrays = {**arrays, "output": np.minimum(arrays["output"], 1).astype(dtype)}
        floats = {
            key: value if key == "switches" or value.dtype != dtype else value.astype(as_floats)
            for key, value in arrays.items()
        }
        found = results(forward(name, arrays, EXAMPLES[name][0].options))
        expected = results(forward(name, floats, EXAMPLES[name][0].options))
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)
        assert found[0].dtype == (dtype if name in MOVES else as_floats)

    @pytest.mark.parametrize("dtype", ["complex64", "object", "U3", "datetime64[D]"])
    def test_what_is_no_real_number_is_refused(self, name, dtype):
        arrays = EXAMPLES[name][0].made()
        for key, value in arrays.items():
            if name in MOVES or key in ("switches",):
                continue
            wrong = value.astype(int).astype(dtype)
            with pytest.raises(DtypeError) as caught:
                forward(name, arrays | {key: wrong}, EXAMPLES[name][0].options)
            assert "\n" not in str(caught.value)
            assert str(wrong.dtype) in str(caught.value)


# ---- nonsense ----

NONSENSE = {
    "None": None, "True": True, "0": 0, "-1": -1, "1.5": 1.5, "NaN": float("nan"), "1e30": 10**30, "1j": 1j,
    "text": "x", "bytes": b"x", "empty": [], "too many": (1, 2, 3, 4, 5), "ragged": [[1, 2], [3]],
    "dictionary": {"a": 1}, "object": object(), "scalar": np.ones(()), "no batch": np.ones((0, 3, 3, 2)),
    "no channels": np.ones((1, 2, 2, 0)), "other shape": np.ones((2, 3, 4, 2)),
    "complex": np.ones((1, 3, 3, 3)) * 1j, "six axes": np.ones((1,) * 6), "function": len,
}  # fmt: skip
#: Where Python's own rule is that anything goes, or what is wanted is an object of another library.
FREE = {"from_logits", "approximate", "alpha_over_n", "out", "outputs", "rng", "statistics"}


@pytest.mark.parametrize("name", [name for name, place in CASES if place == 0])
def test_nonsense_in_any_argument_is_answered_in_one_line(name):
    """Whatever is passed, there are results or one of our errors: nothing from deep inside NumPy."""
    example = EXAMPLES[name][0]
    arrays = example.made()
    for argument in sorted(inspect.signature(EVERY[name]).parameters.keys() - FREE):
        for what, value in NONSENSE.items():
            said = answer(name, {**arrays, **example.options, argument: value})
            assert "\n" not in said, f"{name}({argument}={what})"
            assert len(said) < 450, f"{name}({argument}={what})"


def answer(name: str, given_: dict[str, Any]) -> str:
    """What the error says, where it is one of ours; any other is let through."""
    try:
        forward(name, given_, {})
    except CnnError as error:
        return str(error)
    return ""
