"""What our operators and Keras are compared on: configurations drawn by Hypothesis.

Half of all problems hold small whole numbers, whose sums are exact in every order of adding, so that right
results are equal to the last bit; in the other half they may differ by rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlib.errors import CnnError
from cnnlib.keras_bridge.backend import hypothesis
from cnnlib.keras_bridge.peers import PEERS, peer
from cnnlib.sizes import effective_kernel_size

#: Draws a value from a strategy, as Hypothesis hands it to a composite.
Draw = Callable[[Any], Any]
Shapes = dict[str, tuple[int, ...]]
#: The shapes of the arrays by name, and the options.
Plan = tuple[Shapes, dict[str, Any]]


@dataclass(frozen=True)
class Problem:
    """One operator with everything that it needs."""

    operator: str
    arrays: dict[str, NDArray]
    options: dict[str, Any]
    exact: bool
    seed: int

    @property
    def rank(self) -> int:
        """The number of spatial axes."""
        return next(iter(self.arrays.values())).ndim - 2

    @property
    def dtype(self) -> np.dtype:
        """The floating-point type that the problem is in."""
        return np.result_type(*(a for a in self.arrays.values() if a.dtype.kind == "f"))

    def gradient(self, shape: Sequence[int]) -> NDArray:
        """dL/d(outputs), for outputs of this shape."""
        return _numbers(self.seed - 1, tuple(shape), self.dtype, self.exact)

    def __str__(self) -> str:
        arrays = ", ".join(f"{name} {array.shape}" for name, array in self.arrays.items())
        options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        numbers = "whole numbers" if self.exact else "random numbers"
        return f"{self.operator}({arrays}, {options}), {numbers} in {self.dtype}, seed {self.seed}"


def _numbers(seed: int, shape: tuple[int, ...], dtype: Any, whole: bool) -> NDArray:
    random = np.random.default_rng(seed)
    values = random.integers(-8, 9, shape) if whole else random.normal(size=shape)
    return values.astype(dtype)


def problems(operator: str, rank: int) -> Any:
    """A Hypothesis strategy of problems for one operator over ``rank`` spatial axes.

    Raises:
        CnnError: Keras has no such operator for this rank; ``RANKS`` says which it has.

    >>> problems("local_response_normalization", 3)
    Traceback (most recent call last):
        ...
    cnnlib.errors.CnnError: local_response_normalization is compared for (2,) spatial axes, not 3
    """
    peer(operator)
    if rank not in RANKS[operator]:
        raise CnnError(f"{operator} is compared for {RANKS[operator]} spatial axes, not {rank}")
    return hypothesis().strategies.composite(_draw)(operator, rank)


def _draw(draw: Draw, operator: str, rank: int) -> Problem:
    st = hypothesis().strategies
    shapes, options = PLANS[operator](draw, rank)
    dtypes = ["float32"] if (operator, rank) in SINGLE_ONLY else ["float32", "float64"]
    dtype, seed = draw(st.sampled_from(dtypes)), draw(st.integers(1, 2**31))
    exact = operator in EXACT and draw(st.booleans())
    arrays = {
        name: _numbers(seed + place, shape, dtype, exact)
        for place, (name, shape) in enumerate(shapes.items())
    }
    if operator in FINISH:
        FINISH[operator](draw, arrays, options)
    return Problem(operator, arrays, options, exact, seed)


# ---- how each kind of operator is drawn ----

#: The longest axis of an input and of a window, by rank: small, for there are thousands of cases.
LONGEST = {0: 1, 1: 24, 2: 10, 3: 7}
WIDEST = {1: 5, 2: 4, 3: 3}


def _each_axis(draw: Draw, rank: int, least: int, most: int) -> tuple[int, ...]:
    st = hypothesis().strategies
    return draw(st.tuples(*[st.integers(least, most)] * rank))


def _window(draw: Draw, rank: int, equal_strides: bool = False) -> tuple[tuple[int, ...], dict[str, Any]]:
    """A kernel size and strides, dilation and padding as far as Keras has them together."""
    st = hypothesis().strategies
    ones = (1,) * rank
    kernel_size = _each_axis(draw, rank, 1, WIDEST[rank])
    spread = draw(st.booleans())  # Keras refuses strides together with dilation
    gaps = _each_axis(draw, rank, 1, 3) if spread else ones
    steps = ones if spread else _each_axis(draw, rank, 1, 3)
    if equal_strides:
        steps = (steps[0],) * rank
    return kernel_size, {"strides": steps, "dilation_rate": gaps}


def _spatial(draw: Draw, spans: Sequence[int], padding: Any) -> tuple[int, ...]:
    """Sizes of an input that the window fits into."""
    st = hypothesis().strategies
    longest = LONGEST[len(spans)]
    least = [1] * len(spans)
    if padding == "valid":
        least = list(spans)
    elif not isinstance(padding, str):
        least = [max(span - sum(pair), 1) for span, pair in zip(spans, padding, strict=True)]
    return draw(st.tuples(*(st.integers(n, max(n, longest)) for n in least)))


def _amounts(draw: Draw, rank: int) -> tuple[tuple[int, int], ...]:
    st = hypothesis().strategies
    return draw(st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * rank))


def _conv(draw: Draw, rank: int) -> Plan:
    st = hypothesis().strategies
    kernel_size, options = _window(draw, rank)
    modes = ["valid", "same", "pairs"] + ["causal"] * (rank == 1)
    padding = draw(st.sampled_from(modes))
    padding = _amounts(draw, rank) if padding == "pairs" else padding
    spans = _spans(kernel_size, options)
    spatial = _spatial(draw, spans, padding)
    groups = draw(st.sampled_from([*[1] * 22, 2, 3]))  # TensorFlow compiles anew for each group
    depth, width = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    shapes = {
        "inputs": (draw(st.integers(1, 3)), *spatial, groups * depth),
        "kernel": (*kernel_size, depth, groups * width),
    }
    return _with_bias(draw, shapes, groups * width), {**options, "padding": padding, "groups": groups}


def _depthwise(draw: Draw, rank: int) -> Plan:
    st = hypothesis().strategies
    kernel_size, options = _window(draw, rank, equal_strides=True)
    padding = draw(st.sampled_from(["valid", "same", "pairs"]))
    padding = _amounts(draw, rank) if padding == "pairs" else padding
    spatial = _spatial(draw, _spans(kernel_size, options), padding)
    channels, multiplier = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    shapes = {
        "inputs": (draw(st.integers(1, 3)), *spatial, channels),
        "kernel": (*kernel_size, channels, multiplier),
    }
    return _with_bias(draw, shapes, channels * multiplier), {**options, "padding": padding}


def _separable(draw: Draw, rank: int) -> Plan:
    shapes, options = _depthwise(draw, rank)
    shapes.pop("bias", None)
    *kernel_size, channels, multiplier = shapes.pop("kernel")
    shapes["depthwise_kernel"] = (*kernel_size, channels, multiplier)
    filters = draw(hypothesis().strategies.integers(1, 4))
    shapes["pointwise_kernel"] = (*[1] * rank, channels * multiplier, filters)
    return _with_bias(draw, shapes, filters), options


def _transposed(draw: Draw, rank: int) -> Plan:
    """As Keras has it on a processor: without dilation.

    An even kernel with ``same`` and ``output_padding`` 0 is an error in TensorFlow 2.21, so it is left out.
    """
    st = hypothesis().strategies
    kernel_size, steps = _each_axis(draw, rank, 1, WIDEST[rank]), _each_axis(draw, rank, 1, 3)
    padding = draw(st.sampled_from(["valid", "same"]))
    options: dict[str, Any] = {"strides": steps, "padding": padding}
    least = [int(padding == "same" and size % 2 == 0) for size in kernel_size]
    if draw(st.booleans()) and all(n < step for n, step in zip(least, steps, strict=True)):
        choices = (st.integers(n, step - 1) for n, step in zip(least, steps, strict=True))
        options["output_padding"] = draw(st.tuples(*choices))
    spatial = _each_axis(draw, rank, 1, LONGEST[rank] // 2 + 1)
    filters, channels = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    shapes = {
        "inputs": (draw(st.integers(1, 3)), *spatial, channels),
        "kernel": (*kernel_size, filters, channels),
    }
    return _with_bias(draw, shapes, filters), options


def _pool(draw: Draw, rank: int) -> Plan:
    st = hypothesis().strategies
    pool_size = _each_axis(draw, rank, 1, WIDEST[rank] + (rank == 1))
    strides = draw(st.one_of(st.none(), st.tuples(*[st.integers(1, WIDEST[rank])] * rank)))
    padding = draw(st.sampled_from(["valid", "same"]))
    spatial = _spatial(draw, pool_size, padding)
    inputs = (draw(st.integers(1, 3)), *spatial, draw(st.integers(1, 4)))
    return {"inputs": inputs}, {"pool_size": pool_size, "strides": strides, "padding": padding}


def _map(draw: Draw, rank: int) -> Plan:
    st = hypothesis().strategies
    return {
        "inputs": (
            draw(st.integers(1, 3)),
            *_each_axis(draw, rank, 1, LONGEST[rank]),
            draw(st.integers(1, 5)),
        )
    }, {}


def _classes(draw: Draw, rank: int) -> Plan:
    """At least two channels, for a softmax over one is 1, and Keras warns of it."""
    shapes, options = _map(draw, rank)
    *before, channels = shapes["inputs"]
    return {"inputs": (*before, channels + 1)}, options


def _upsampling(draw: Draw, rank: int) -> Plan:
    shapes, _ = _map(draw, rank)
    return shapes, {"size": _each_axis(draw, rank, 1, 4)}


def _dense(draw: Draw, rank: int) -> Plan:
    st = hypothesis().strategies
    shapes, _ = _map(draw, rank)
    units = draw(st.integers(1, 5))
    return _with_bias(draw, shapes | {"kernel": (shapes["inputs"][-1], units)}, units), {}


def _statistics(draw: Draw, rank: int) -> Plan:
    shapes, _ = _map(draw, rank)
    each = (shapes["inputs"][-1],)
    shapes |= dict.fromkeys(("mean", "variance", "gamma", "beta"), each)
    return shapes, {"epsilon": draw(hypothesis().strategies.sampled_from([1e-3, 1e-5]))}


def _batch(draw: Draw, rank: int) -> Plan:
    shapes, options = _statistics(draw, rank)
    return {name: shapes[name] for name in ("inputs", "gamma", "beta")}, options


def _response(draw: Draw, rank: int) -> Plan:
    st = hypothesis().strategies
    inputs = (draw(st.integers(1, 3)), *_each_axis(draw, rank, 1, 5), draw(st.integers(1, 12)))
    return {"inputs": inputs}, {
        "depth_radius": draw(st.integers(0, 5)),
        "bias": draw(st.sampled_from([1.0, 2.0, 0.5])),
        "alpha": draw(st.sampled_from([1.0, 1e-4, 0.25])),
        "beta": draw(st.sampled_from([0.75, 0.5, 1.0, 0.6])),
    }


def _scores(draw: Draw, rank: int) -> Plan:
    st = hypothesis().strategies
    output = (draw(st.integers(1, 4)), *_each_axis(draw, rank, 1, 3), draw(st.integers(2, 6)))
    return {"target": output, "output": output}, {"from_logits": draw(st.booleans())}


def _pairs(draw: Draw, rank: int) -> Plan:
    return _scores(draw, rank)[0], {}


def _with_bias(draw: Draw, shapes: Shapes, filters: int) -> Shapes:
    return shapes | ({"bias": (filters,)} if draw(hypothesis().strategies.booleans()) else {})


def _spans(kernel_size: Sequence[int], options: dict[str, Any]) -> list[int]:
    return [effective_kernel_size(k, d) for k, d in zip(kernel_size, options["dilation_rate"], strict=True)]


# ---- what the numbers must be besides random ----


def _positive_variance(draw: Draw, arrays: dict[str, NDArray], options: dict[str, Any]) -> None:
    arrays["variance"] = np.abs(arrays["variance"]) + arrays["variance"].dtype.type(0.05)


def _wide(draw: Draw, arrays: dict[str, NDArray], options: dict[str, Any]) -> None:
    """Some far from 0, where a bend is flat."""
    arrays["inputs"] *= arrays["inputs"].dtype.type(draw(hypothesis().strategies.sampled_from([1, 4, 30])))


def _probabilities(values: NDArray) -> NDArray:
    """Numbers between 0.02 and 1, for where a probability is all but 0 its logarithm is not comparable."""
    return (0.02 + 0.96 / (1 + np.exp(-values))).astype(values.dtype)


def _one_hot(draw: Draw, arrays: dict[str, NDArray], options: dict[str, Any]) -> None:
    target = arrays["target"]
    arrays["target"] = (target == target.max(axis=-1, keepdims=True)).astype(target.dtype)
    if not options["from_logits"]:
        likely = _probabilities(arrays["output"])
        arrays["output"] = likely / likely.sum(axis=-1, keepdims=True)


def _labels(draw: Draw, arrays: dict[str, NDArray], options: dict[str, Any]) -> None:
    _one_hot(draw, arrays, options)
    arrays["target"] = arrays["target"].argmax(axis=-1)


def _yes_or_no(draw: Draw, arrays: dict[str, NDArray], options: dict[str, Any]) -> None:
    arrays["target"] = (arrays["target"] > 0).astype(arrays["target"].dtype)
    if not options["from_logits"]:
        arrays["output"] = _probabilities(arrays["output"])


def _slope(draw: Draw, arrays: dict[str, NDArray], options: dict[str, Any]) -> None:
    """TensorFlow keeps the slope in float32, so that in float64 it must be a number that fits."""
    slopes = [0.2, 0.01, 0.0] if arrays["inputs"].dtype == np.float32 else [0.25, 0.0]
    options["negative_slope"] = draw(hypothesis().strategies.sampled_from(slopes))


def _no_ties(draw: Draw, arrays: dict[str, NDArray], options: dict[str, Any]) -> None:
    """Volumes have no equal values, because TensorFlow gives each of them the whole gradient there."""
    inputs = arrays["inputs"]
    if inputs.ndim == 5:
        places = inputs.ravel().argsort(kind="stable").argsort()
        arrays["inputs"] = places.reshape(inputs.shape).astype(inputs.dtype)


def _alpha(draw: Draw, arrays: dict[str, NDArray], options: dict[str, Any]) -> None:
    options["alpha"] = draw(hypothesis().strategies.sampled_from([1.0, 0.5, 2.0]))


def _approximate(draw: Draw, arrays: dict[str, NDArray], options: dict[str, Any]) -> None:
    options["approximate"] = draw(hypothesis().strategies.booleans())


_BENDS = ("relu", "relu6", "leaky_relu", "elu", "sigmoid", "tanh", "silu", "gelu", "softmax", "log_softmax")
PLANS: dict[str, Callable[[Draw, int], Plan]] = {
    "conv": _conv,
    "depthwise_conv": _depthwise,
    "separable_conv": _separable,
    "conv_transpose": _transposed,
    "max_pool": _pool,
    "average_pool": _pool,
    "global_max_pool": _map,
    "global_average_pool": _map,
    "upsample_nearest": _upsampling,
    "upsample_bilinear": _upsampling,
    "dense": _dense,
    "flatten": _map,
    "batch_normalization": _statistics,
    "batch_normalization_train": _batch,
    "local_response_normalization": _response,
    **dict.fromkeys(_BENDS, _map),
    "softmax": _classes,
    "log_softmax": _classes,
    "categorical_crossentropy": _scores,
    "sparse_categorical_crossentropy": _scores,
    "binary_crossentropy": _scores,
    "mean_squared_error": _pairs,
}
FINISH: dict[str, Callable[[Draw, dict[str, NDArray], dict[str, Any]], None]] = {
    "max_pool": _no_ties,
    "batch_normalization": _positive_variance,
    "sigmoid": _wide,
    "tanh": _wide,
    "softmax": _wide,
    "log_softmax": _wide,
    "leaky_relu": _slope,
    "elu": _alpha,
    "gelu": _approximate,
    "categorical_crossentropy": _one_hot,
    "sparse_categorical_crossentropy": _labels,
    "binary_crossentropy": _yes_or_no,
}
#: Those that only add and multiply; a mean divides, so that even whole numbers round.
EXACT = frozenset(
    {"conv", "depthwise_conv", "separable_conv", "conv_transpose", "dense"}
    | {"max_pool", "upsample_nearest", "flatten", "relu", "relu6"}
)
#: The ranks that Keras has each for.
RANKS: dict[str, tuple[int, ...]] = dict.fromkeys(PLANS, (1, 2, 3)) | {
    "depthwise_conv": (1, 2),
    "separable_conv": (1, 2),
    "upsample_bilinear": (2,),
    "local_response_normalization": (2,),
    "dense": (0, 2),
    "flatten": (2,),
    "batch_normalization": (0, 2),
    "batch_normalization_train": (0, 2),
    **dict.fromkeys(_BENDS, (2,)),
    "categorical_crossentropy": (0, 2),
    "sparse_categorical_crossentropy": (0, 2),
    "binary_crossentropy": (0, 2),
    "mean_squared_error": (0, 2),
}
#: How often each is compared, in every rank that it is drawn in, where all are; see ``ledger.keep``.
CASES = dict.fromkeys(PLANS, 50) | {
    "conv": 400,
    "depthwise_conv": 150,
    "separable_conv": 120,
    "conv_transpose": 150,
    "max_pool": 120,
    "average_pool": 120,
    "local_response_normalization": 100,
}
#: What TensorFlow on a processor has in single precision only.
SINGLE_ONLY = frozenset(
    [
        *[("max_pool", 3), ("average_pool", 3)],
        *[("local_response_normalization", 2), ("upsample_bilinear", 2)],
        ("gelu", 2),  # its constants are rounded to float32
    ]
)
assert PLANS.keys() == PEERS.keys() == RANKS.keys()
