"""The same numbers through our operators and through Keras, forward and backward, thousands of times.

What is drawn is told in ``cnnlib.keras_bridge.problems``, what counts as equal in ``ledger`` beside it.
What was compared is recorded in ``build/agreement``, one file a layer. More cases, new in every run:
HYPOTHESIS_PROFILE=fuzz.
"""

from __future__ import annotations

import itertools
import math
import secrets
from dataclasses import replace

import bs4
import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlib import convolution, upsampling
from cnnlib.algorithms import conv_loops
from cnnlib.keras_bridge import DisagreementError, faults
from cnnlib.keras_bridge.agreement import summed
from cnnlib.keras_bridge.backend import tensorflow
from cnnlib.keras_bridge.ledger import Ledger, errors, keep, keep_all
from cnnlib.keras_bridge.peers import PEERS, ours, theirs
from cnnlib.keras_bridge.problems import CASES, EXACT, RANKS, SINGLE_ONLY, problems
from cnnlib.padding import amounts_for, pad

pytestmark = pytest.mark.keras

#: Ten times as many cases, and other ones, when the profile asks for them.
MANY = hypothesis.settings.default.max_examples // hypothesis.settings.get_profile("ci").max_examples
SEED = 0 if MANY == 1 else secrets.randbits(32)

COMPARED = [(operator, rank) for operator in PEERS for rank in RANKS[operator]]


@pytest.mark.parametrize(("operator", "rank"), COMPARED)
def test_equals_keras_forward_and_backward(operator, rank, root):
    cases = CASES[operator] * MANY
    entry = keep(operator, rank, cases, SEED)
    entry.write(root / "build" / "agreement")
    assert entry.cases - entry.peer_at_fault >= 0.75 * cases
    expected = {"float32"} if (operator, rank) in SINGLE_ONLY else {"float32", "float64"}
    if operator in EXACT:
        assert min(entry.exact_cases, entry.cases - entry.exact_cases) > 0.2 * entry.cases
    assert set(entry.outputs_error) == set(entry.gradients_error) == expected


def test_there_are_enough_cases():
    assert sum(CASES[operator] for operator, _ in COMPARED) >= 3500
    assert {operator for operator, _ in COMPARED} == set(PEERS)


def test_every_gradient_of_an_operator_is_compared():
    """A backward pass that returned less than it was asked for would otherwise pass unseen."""
    seen: dict[str, set[str]] = {}
    for operator, rank in COMPARED:
        for problem in drawn(operator, rank, 6):
            outputs = ours(operator, problem.arrays, problem.options)["outputs"]
            gradient = problem.gradient(outputs.shape)
            found = ours(operator, problem.arrays, problem.options, gradient)
            keras = theirs(operator, problem.arrays, problem.options, gradient)
            seen.setdefault(operator, set()).update(found)
            missing = keras.keys() - found.keys() - set(PEERS[operator].results)
            allowed = {"mean", "variance"} if operator == "batch_normalization" else set()
            allowed |= {"target"}  # what is wanted, which nothing learns
            assert missing <= allowed
    assert seen["conv"] == {"inputs", "kernel", "bias"}
    assert seen["separable_conv"] == {"inputs", "depthwise_kernel", "pointwise_kernel", "bias"}
    assert seen["batch_normalization_train"] == {"inputs", "gamma", "beta"}


def drawn(operator: str, rank: int, count: int) -> list:
    """So many problems of a kind, always the same."""
    kept: list = []

    @hypothesis.seed(1)
    @hypothesis.settings(max_examples=count, database=None, deadline=None, phases=[hypothesis.Phase.generate])
    @given(problems(operator, rank))
    def keep_them(problem):
        kept.append(problem)

    keep_them()
    return kept


# ---- what Keras cannot do: the definition, and the property that makes a gradient a gradient ----


@st.composite
def refused(draw):
    """Strides together with dilation, in one to three dimensions, in whole numbers."""
    rank = draw(st.integers(1, 3))
    each = st.tuples(*[st.integers(1, 3)] * rank)
    kernel_size, steps, gaps = draw(each), draw(each), draw(each)
    steps, gaps = (max(2, steps[0]), *steps[1:]), (max(2, gaps[0]), *gaps[1:])
    spatial = tuple((k - 1) * d + 1 + draw(st.integers(0, 4)) for k, d in zip(kernel_size, gaps, strict=True))
    groups, depth, width = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    random = np.random.default_rng(draw(st.integers(0, 2**31)))
    inputs = random.integers(-8, 9, (2, *spatial, groups * depth)).astype(float)
    kernel = random.integers(-8, 9, (*kernel_size, depth, groups * width)).astype(float)
    padding = draw(st.sampled_from(["valid", "same", "full", 1]))
    options = {"strides": steps, "padding": padding, "dilation_rate": gaps, "groups": groups}
    return inputs, kernel, options, random


@hypothesis.settings(max_examples=200 * MANY)
@given(refused())
def test_what_keras_refuses_equals_the_loops_and_has_the_gradients_of_a_bilinear_map(problem):
    inputs, kernel, options, random = problem
    if options["padding"] in ("valid", "same"):
        with pytest.raises(ValueError, match="not supported in conjunction with"):
            theirs("conv", {"inputs": inputs, "kernel": kernel}, options)
    outputs = convolution.conv(inputs, kernel, **options)
    spatial, steps, gaps = inputs.shape[1:-1], options["strides"], options["dilation_rate"]
    amounts = amounts_for(spatial, kernel.shape[:-2], steps, options["padding"], gaps)
    expected = conv_loops(pad(inputs, amounts), kernel, steps, gaps, options["groups"])
    np.testing.assert_array_equal(outputs, expected)
    gradient = random.integers(-8, 9, outputs.shape).astype(float)
    slopes = convolution.conv_backward(gradient, inputs, kernel, **options)
    for name, value in (("inputs", inputs), ("kernel", kernel)):
        change = random.integers(-8, 9, value.shape).astype(float)
        changed = {"inputs": inputs, "kernel": kernel, name: change}
        # linear in each argument: to change it by this much changes the loss by so much, exactly
        assert (gradient * convolution.conv(**changed, **options)).sum() == (
            getattr(slopes, name) * change
        ).sum()


@hypothesis.settings(max_examples=100 * MANY)
@given(st.integers(1, 3), st.data())
def test_even_kernels_that_keras_cannot_do_transpose_the_convolution(rank, data):
    """``same``, ``output_padding`` 0: ⟨conv(x), y⟩ = ⟨x, conv_transpose(y)⟩, in whole numbers."""
    kernel_size = data.draw(st.tuples(*[st.sampled_from([2, 4])] * rank))
    steps = data.draw(st.tuples(*[st.integers(1, 3)] * rank))
    spatial = data.draw(st.tuples(*[st.integers(2, 5)] * rank))
    random = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    kernel = random.integers(-8, 9, (*kernel_size, 2, 3)).astype(float)
    above = random.integers(-8, 9, (1, *spatial, 3)).astype(float)
    below = upsampling.conv_transpose(above, kernel, steps, "same", output_padding=0)
    images = random.integers(-8, 9, below.shape).astype(float)
    half = tuple(size // 2 for size in kernel_size)
    assert below.shape[1:-1] == tuple(
        (n - 1) * s + k - 2 * h for n, s, k, h in zip(spatial, steps, kernel_size, half, strict=True)
    )
    down = convolution.conv(images, kernel, steps, [(h, h) for h in half])
    assert down.shape == above.shape
    assert (down * above).sum() == (images * below).sum()


# ---- the comparison itself ----

MISTAKES = {
    "a hair off": lambda values: values * values.dtype.type(1 + 3e-4),
    "one element off": lambda values: changed(values, 1.01),
    "missing": lambda values: changed(values, np.nan),
    "all zero": lambda values: values * 0,
    "the other way": lambda values: -values,
    "float64": lambda values: values.astype(float),
    "cut": lambda values: values[..., :-1] if values.ndim else values.reshape(1),
}


def changed(values, factor):
    values = values.copy()
    place = np.unravel_index(np.abs(values).argmax(), values.shape)
    values[place] *= factor
    return values


@pytest.mark.parametrize("operator", PEERS)
def test_the_comparison_notices_what_is_wrong_with_any_result(operator):
    """Every mistake in every result, each of which must fail the comparison that the right results pass."""
    rank, noticed = RANKS[operator][-1], set()
    for problem in drawn(operator, rank, 12):
        if problem.dtype != np.float32 or problem.exact:
            continue
        mine = ours(operator, problem.arrays, problem.options)
        gradient = problem.gradient(mine["outputs"].shape)
        bounds = summed(operator, problem.arrays, problem.options)
        bounds |= summed(operator, problem.arrays, problem.options, gradient)
        mine |= ours(operator, problem.arrays, problem.options, gradient)
        assert all(error >= 0 for error in errors(problem, mine, mine, bounds).values())
        for name, mistake in itertools.product(mine, MISTAKES):
            if not np.abs(mine[name]).max(initial=0) > 0.05 * np.max(bounds[name][0], initial=0):
                continue  # nothing to be wrong with: all but zero beside what it is the sum of
            wrong = mine | {name: MISTAKES[mistake](mine[name])}
            with pytest.raises(DisagreementError, match=rf"{operator}\("):
                errors(problem, wrong, mine, bounds)
            noticed.add((name, mistake))
    results = {name for name, _ in noticed}
    assert results >= {"outputs"}
    assert len(results) >= 2  # a gradient too
    assert noticed == set(itertools.product(results, MISTAKES))


def test_whole_numbers_must_be_equal_to_the_last_bit():
    problem = next(p for p in drawn("conv", 2, 40) if p.exact and p.dtype == np.float32)
    mine = ours("conv", problem.arrays, problem.options)
    nearly = {"outputs": np.nextafter(mine["outputs"], np.float32(np.inf))}
    with pytest.raises(DisagreementError, match="must be equal to the last bit"):
        errors(problem, nearly, mine, summed("conv", problem.arrays, problem.options))


def test_an_entry_counts_what_it_saw(tmp_path):
    entry = keep("max_pool", 1, 30, seed=3)
    assert entry == keep("max_pool", 1, 30, seed=3)  # the same seed, the same problems
    assert entry.cases == 30
    assert 0 < entry.exact_cases < 30
    entry.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["MaxPooling1D-1.json"]


def test_the_table_of_the_page_holds_every_operator(monkeypatch):
    monkeypatch.setattr("cnnlib.keras_bridge.ledger.CASES", {"max_pool": 50, "dense": 50})
    ledger = keep_all(share=0.2)
    assert isinstance(ledger, Ledger)
    assert [(e.operator, e.rank, e.cases) for e in ledger.entries] == [
        *(("max_pool", rank, 10) for rank in (1, 2, 3)),
        *(("dense", rank, 10) for rank in (0, 2)),
    ]
    text, page = str(ledger), bs4.BeautifulSoup(ledger._repr_html_(), "html.parser")
    assert "50 comparisons, forward and backward, with Keras 3." in text
    assert [row.code.text for row in page.tbody.find_all("tr")] == ["max_pool", "dense"]
    assert [row.span.text for row in page.tbody.find_all("tr")] == ["MaxPooling1D/2D/3D", "Dense"]
    first = [cell.text for cell in page.tbody.tr.find_all("td")]
    assert first[0] == "30"
    assert all(cell in text for cell in first)
    assert page.caption.text == ledger.title()
    assert {th["scope"] for th in page.find_all("th")} == {"row", "col"}


def test_the_simplest_failing_case_is_reported(monkeypatch):
    right = PEERS["max_pool"].operator

    def wrong(inputs, pool_size, strides=None, padding="valid"):
        """Pad by zeros rather than by nothing: the classic slip, seen only where all inputs are negative."""
        values = right(inputs, pool_size, strides, padding)
        return np.maximum(values, 0) if padding == "same" else values

    monkeypatch.setattr("cnnlib.keras_bridge.peers.PEERS", PEERS | {"max_pool": replaced("max_pool", wrong)})
    with pytest.raises(DisagreementError, match=r"max_pool\(inputs \(1, 1, 1\), .*padding='same'"):
        keep("max_pool", 1, 100)


def replaced(operator, function):
    function.__module__, function.__name__ = PEERS[operator].operator.__module__, operator
    return replace(PEERS[operator], operator=function)


# ---- what is known to differ ----


@pytest.mark.parametrize("difference", faults.DIFFERENCES, ids=lambda d: d.where)
def test_what_is_known_to_differ_still_does(difference):
    """Where this fails, TensorFlow has been mended: take the difference off the list and draw such cases."""
    found, right = difference.show()
    assert not math.isclose(found, right, rel_tol=1e-9)
    assert 20 < len(difference.what) < 200
    assert difference.show.__doc__.endswith(".")
    assert difference.answer.endswith(".")


def test_the_page_tells_every_difference_with_its_numbers():
    page = bs4.BeautifulSoup(faults.differences(), "html.parser")
    assert [term.text for term in page.find_all("dt")] == [d.where for d in faults.DIFFERENCES]
    for difference, told in zip(faults.DIFFERENCES, page.find_all("dd"), strict=True):
        found, right = difference.show()
        assert f"TensorFlow gives {found:.9g}, where {right:.9g} is right" in told.text


def test_an_even_kernel_is_still_too_much_for_keras():
    arrays = {"inputs": np.ones((1, 4, 4, 1), np.float32), "kernel": np.ones((2, 2, 1, 1), np.float32)}
    options = {"strides": (2, 2), "padding": "same", "output_padding": (0, 0)}
    assert ours("conv_transpose", arrays, options)["outputs"].shape == (1, 6, 6, 1)
    with pytest.raises(tensorflow().errors.AbortedError, match="could not create a primitive"):
        theirs("conv_transpose", arrays, options)
