"""The comparison that notebooks show: it agrees where it should and speaks up where it should."""

from __future__ import annotations

import dataclasses
import importlib
import inspect

import numpy as np
import pytest

from cnnlib import keras_bridge
from cnnlib.errors import CnnError
from cnnlib.keras_bridge import PEERS, DisagreementError, agree

pytestmark = pytest.mark.keras

INPUTS = np.random.default_rng(5).normal(size=(2, 9, 8, 3)).astype(np.float32)
KERNEL = np.random.default_rng(6).normal(size=(3, 3, 3, 4)).astype(np.float32)
CALLS = {  # an example of each operator; those that are not here have their tests in the ledger's
    "conv": ((KERNEL,), {"strides": 2, "padding": "same"}),
    "max_pool": ((3,), {"strides": 2, "padding": "same"}),
    "average_pool": ((3,), {"strides": 2, "padding": "same"}),
}


@pytest.mark.parametrize("operator", CALLS)
@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1, 1e6])
def test_agrees_at_every_magnitude(operator, scale):
    arguments, options = CALLS[operator]
    found = agree(operator, INPUTS * np.float32(scale), *arguments, **options)
    assert found.largest_difference <= found.allowed < 1e-4 * scale
    assert found.output_shape == (2, 5, 4, 4 if operator == "conv" else 3)
    assert "largest difference" in str(found)


WRONG = {
    "a hair off": lambda right: lambda *a, **k: right(*a, **k) * np.float32(1 + 1e-4),
    "one element off": lambda right: lambda *a, **k: spoil(right(*a, **k), 1.001),
    "missing": lambda right: lambda *a, **k: spoil(right(*a, **k), np.nan),
    "upside down": lambda right: lambda *a, **k: right(*a, **k)[:, ::-1],
    "all zero": lambda right: lambda *a, **k: right(*a, **k) * 0,
    "cut": lambda right: lambda *a, **k: right(*a, **k)[:, 1:],
    "transposed": lambda right: lambda *a, **k: right(*a, **k).swapaxes(1, 2),
}


def spoil(values, factor):
    values = values.copy()
    place = np.unravel_index(np.abs(values).argmax(), values.shape)
    values[place] *= np.float32(factor)
    return values


@pytest.mark.parametrize("operator", CALLS)
@pytest.mark.parametrize("scale", [1e-12, 1, 1e6])
@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_operator_is_found_out_at_every_magnitude(monkeypatch, operator, scale, mistake):
    right = PEERS[operator].operator
    wrong = WRONG[mistake](right)
    wrong.__signature__ = inspect.signature(right)
    monkeypatch.setitem(PEERS, operator, dataclasses.replace(PEERS[operator], operator=wrong))
    arguments, options = CALLS[operator]
    with pytest.raises(DisagreementError, match=r"values differ by .* where rounding allows|our shape is"):
        agree(operator, INPUTS * np.float32(scale), *arguments, **options)


@pytest.mark.parametrize("operator", CALLS)
@pytest.mark.parametrize("scale", [1e-12, 1, 1e6])
def test_gradients_agree_and_wrong_ones_are_found_out(monkeypatch, operator, scale):
    arguments, options = CALLS[operator]
    inputs = INPUTS * np.float32(scale)
    shape = agree(operator, inputs, *arguments, **options).output_shape
    gradient = np.random.default_rng(7).normal(size=shape).astype(np.float32)
    found = agree(f"{operator}_backward", gradient, inputs, *arguments, **options)
    assert found == agree(f"{operator}_backward", inputs=inputs, gradient=gradient, **named(operator))
    assert found.largest_difference <= found.allowed < 1e-4 * max(scale, 1)
    assert "gradients of Keras" in str(found)

    right = PEERS[operator].backward

    def wrong(gradient, *rest, **named):
        return right(gradient * np.float32(1 + 1e-4), *rest, **named)

    wrong.__signature__ = inspect.signature(right)
    spoilt = dataclasses.replace(PEERS[operator])
    vars(spoilt)["backward"] = wrong
    monkeypatch.setitem(PEERS, operator, spoilt)
    with pytest.raises(
        DisagreementError, match=r"gradients of the inputs differ by .* where rounding allows"
    ):
        agree(f"{operator}_backward", gradient, inputs, *arguments, **options)


def named(operator):
    arguments, options = CALLS[operator]
    names = list(inspect.signature(PEERS[operator].operator).parameters)[1:]
    return dict(zip(names, arguments, strict=False)) | options


def test_arguments_by_name_bias_and_integers():
    found = agree("conv", INPUTS, kernel=KERNEL, bias=np.arange(4.0, dtype=np.float32), padding="same")
    assert found.output_shape == (2, 9, 8, 4)
    pixels = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)
    assert agree("conv", pixels, KERNEL).output_shape == (1, 6, 6, 4)
    assert agree("max_pool", pixels, pool_size=2).largest_difference == 0


def test_the_peers_are_the_operators_that_students_call():
    for name, peer in PEERS.items():
        module = importlib.import_module(peer.operator.__module__)
        assert peer.operator is getattr(module, name)
        assert module.__name__.startswith("cnnlib.")


def test_disagreement_may_be_caught_as_either():
    assert issubclass(DisagreementError, AssertionError)
    assert issubclass(DisagreementError, CnnError)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_facts_come_from_the_layer_of_that_rank(rank):
    facts = keras_bridge.conv_facts((1, *[9] * rank, 2), 4, 3)
    assert facts.name == f"Conv{rank}D"
    assert keras_bridge.pool_facts((1, *[9] * rank, 2), 3).name == f"MaxPooling{rank}D"
