"""Update rules and falling learning rates: number by number those of Keras, and what their formulas say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlib.errors import ShapeError, SizeError
from cnnlib.optimizers import (
    SGD,
    Adam,
    CosineDecay,
    ExponentialDecay,
    Optimizer,
    OptionError,
    PiecewiseConstantDecay,
    as_number,
    optimizer,
)

SETTINGS = {
    "plain": (SGD, {"learning_rate": 0.1}),
    "momentum": (SGD, {"learning_rate": 0.05, "momentum": 0.9}),
    "nesterov": (SGD, {"learning_rate": 0.05, "momentum": 0.8, "nesterov": True}),
    "decay": (SGD, {"learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.02}),
    "adam": (Adam, {"learning_rate": 0.01}),
    "adam, other means": (Adam, {"learning_rate": 0.01, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}),
    "adam with decay": (Adam, {"learning_rate": 0.01, "weight_decay": 0.1}),
}
SCHEDULES = {
    ExponentialDecay: [(0.1, 7, 0.5), (0.1, 7, 0.5, True), (1.0, 1, 0.9)],
    CosineDecay: [(0.1, 15), (0.2, 12, 0.1)],
    PiecewiseConstantDecay: [([3, 9], [0.1, 0.05, 0.01]), ([5], [1.0, 0.5])],
}


def steps(rng, made, weights, count=20):
    for _ in range(count):
        made.apply({k: rng.normal(size=w.shape).astype(w.dtype) for k, w in weights.items()}, weights)
    return weights


@pytest.mark.keras
@pytest.mark.parametrize("setting", SETTINGS)
def test_every_rule_is_kerass(setting):
    """The same weights and 20 gradients end in the same weights, up to rounding."""
    from cnnlib.keras_bridge import keras

    kind, options = SETTINGS[setting]
    rng = np.random.default_rng(1)
    start = {"kernel": rng.normal(size=(3, 4)), "bias": rng.normal(size=4)}
    weights = {name: w.astype(np.float32) for name, w in start.items()}
    theirs = {name: keras().Variable(w) for name, w in weights.items()}
    peer, ours = getattr(keras().optimizers, kind.__name__)(**options), kind(**options)
    for _ in range(20):
        gradients = {name: rng.normal(size=w.shape).astype(np.float32) for name, w in weights.items()}
        ours.apply(gradients, weights)
        peer.apply([gradients[name] for name in theirs], list(theirs.values()))
    assert ours.iterations == 20
    for name, weight in weights.items():
        assert weight.dtype == np.float32
        np.testing.assert_allclose(weight, np.asarray(theirs[name]), rtol=3e-6, atol=3e-6)


@pytest.mark.keras
@pytest.mark.parametrize("kind", SCHEDULES, ids=lambda kind: kind.__name__)
def test_every_schedule_is_kerass(kind):
    from cnnlib.keras_bridge import keras

    for arguments in SCHEDULES[kind]:
        peer, ours = getattr(keras().optimizers.schedules, kind.__name__)(*arguments), kind(*arguments)
        for step in range(20):
            assert ours(step) == pytest.approx(float(peer(step)), rel=1e-5)


def test_a_schedule_is_asked_before_every_update():
    asked = []
    sgd = SGD(lambda step: asked.append(step) or 1.0 / (step + 1))
    weight = {"w": np.zeros(1)}
    for _ in range(3):
        sgd.apply({"w": np.ones(1)}, weight)
    assert asked == [0, 1, 2]
    assert weight["w"][0] == pytest.approx(-(1 + 1 / 2 + 1 / 3))


@given(st.floats(1e-4, 1), st.floats(0, 0.99), st.integers(1, 30))
def test_momentum_is_a_sum_of_all_gradients_that_fade(rate, momentum, count):
    """A constant gradient moves the weight by rate · Σ (1 + μ + … ), written out."""
    weight = {"w": np.zeros(1)}
    made = SGD(rate, momentum)
    for _ in range(count):
        made.apply({"w": np.ones(1)}, weight)
    moved = sum(momentum**age for step in range(count) for age in range(step + 1))
    assert weight["w"][0] == pytest.approx(-rate * moved, rel=1e-9)


@given(st.floats(1e-6, 1e6), st.floats(1e-4, 1))
def test_adams_first_step_is_the_rate_whatever_the_gradient(size, rate):
    weight = {"w": np.zeros(2)}
    Adam(rate, epsilon=0).apply({"w": np.array([size, -size])}, weight)
    np.testing.assert_allclose(weight["w"], [-rate, rate], rtol=1e-6)


@pytest.mark.parametrize("setting", SETTINGS)
def test_updates_are_made_in_place_and_keep_the_dtype(setting, rng):
    kind, options = SETTINGS[setting]
    for dtype in (np.float32, np.float64):
        weights = {"a": np.ones((2, 3), dtype), "b": np.ones(3, dtype)}
        arrays = dict(weights)
        steps(rng, kind(**options), weights)
        for name, array in arrays.items():
            assert weights[name] is array
            assert array.dtype == dtype
            assert (array != 1).all()


def test_a_weight_without_a_gradient_stays(rng):
    weights = {"a": np.ones(3), "frozen": np.ones(3)}
    made = SGD(0.1, 0.9, weight_decay=0.5)
    made.apply({"a": np.ones(3)}, weights)
    assert (weights["frozen"] == 1).all()
    assert list(made.memory) == ["a"]


def test_optimizers_by_name():
    assert isinstance(optimizer("SGD"), SGD)
    assert isinstance(optimizer("adam"), Adam)
    made = Adam(0.5)
    assert optimizer(made) is made
    assert repr(SGD(0.1, 0.9)) == "SGD(learning_rate=0.1, weight_decay=0.0, momentum=0.9, nesterov=False)"
    for unknown in ("rmsprop", None, 3, ["sgd"], SGD):
        with pytest.raises(OptionError, match="is unknown; use one of sgd, adam"):
            optimizer(unknown)
    with pytest.raises(NotImplementedError):
        Optimizer(0.1).apply({"w": np.ones(1)}, {"w": np.ones(1)})


BAD = [
    (lambda: SGD(-0.1), OptionError, r"learning_rate must be a number of at least 0, not -0\.1"),
    (lambda: SGD("fast"), OptionError, "not 'fast'"),
    (lambda: SGD(math.nan), OptionError, "not nan"),
    (lambda: SGD(math.inf), OptionError, "not inf"),
    (lambda: SGD(True), OptionError, "not True"),
    (lambda: SGD(momentum=1), OptionError, "momentum must be a number of at least 0 and below 1, not 1"),
    (lambda: SGD(weight_decay=-1), OptionError, "weight_decay"),
    (lambda: Adam(beta_1=1.0), OptionError, "beta_1"),
    (lambda: Adam(beta_2=-0.5), OptionError, "beta_2"),
    (lambda: Adam(epsilon=None), OptionError, "epsilon"),
    (lambda: ExponentialDecay(0.1, 0, 0.5), SizeError, "decay_steps must be a whole number of at least 1"),
    (lambda: CosineDecay(-1, 5), OptionError, "initial_learning_rate"),
    (lambda: PiecewiseConstantDecay([1, 2], [0.1]), OptionError, "2 boundaries make 3 stretches"),
    (lambda: PiecewiseConstantDecay([2, 1], [1, 2, 3]), OptionError, r"\[2, 1\] must rise"),
    (
        lambda: SGD().apply({"w": np.ones(2)}, {"w": np.ones(3)}),
        ShapeError,
        r"w: gradient \(2,\) for a weight of shape \(3,\)",
    ),
]


@pytest.mark.parametrize(("call", "error", "words"), BAD, ids=[words for _, _, words in BAD])
def test_options_that_make_no_sense_are_refused(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_as_number_takes_numpys_numbers_too():
    assert as_number(np.float32(0.5), "x") == 0.5
    assert as_number(np.int64(2), "x") == 2.0
