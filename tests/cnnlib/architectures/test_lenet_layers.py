"""The layers that only LeNet-5 of 1998 has: by definitions, by differences, made again."""

from __future__ import annotations

import numpy as np
import pytest

from cnnlib.architectures import lenet5
from cnnlib.architectures.lenet import (
    DRAWINGS,
    TABLE,
    PartialConv2D,
    RadialBasis,
    ScaledTanh,
    Subsampling2D,
    digit_codes,
)
from cnnlib.convolution import conv
from cnnlib.errors import ShapeError
from cnnlib.images import handwritten_digits, to_floats, train_test_split
from cnnlib.layers import LAYERS, Conv2D
from cnnlib.network import Model
from cnnlib.optimizers import Adam
from cnnlib.training import fit

LAYERS_AND_INPUTS = [
    (ScaledTanh(dtype="float64"), (2, 3, 3, 2)),
    (Subsampling2D(dtype="float64"), (2, 6, 4, 3)),
    (Subsampling2D(3, dtype="float64"), (1, 7, 6, 2)),
    (PartialConv2D(TABLE, 3, dtype="float64", seed=1), (2, 5, 6, 6)),
    (PartialConv2D(((0,), (2, 1)), 2, dtype="float64", seed=2), (1, 4, 4, 4)),
    (RadialBasis(dtype="float64"), (3, 84)),
]


@pytest.fixture(params=LAYERS_AND_INPUTS, ids=lambda pair: f"{pair[0]!r}")
def layer_and_inputs(request, rng):
    layer, shape = request.param
    layer.build((None, *shape[1:]))
    if "RadialBasis" not in type(layer).__name__:
        layer.set_weights([rng.normal(size=shape) for shape in layer.weight_shapes.values()])
    return layer, rng.normal(size=shape)


def test_gradients_are_differences(layer_and_inputs, rng):
    """In float64, with respect to the inputs and to every weight, at places drawn by lot."""
    layer, inputs = layer_and_inputs
    outputs, memory = layer.forward(inputs, training=True)
    gradient = rng.normal(size=outputs.shape)
    of_inputs, of_weights = layer.backward(gradient, memory)
    assert set(of_weights) == set(layer.trainable)
    step = 1e-6
    for array, slopes in [(inputs, of_inputs), *((layer.weights[n], g) for n, g in of_weights.items())]:
        assert slopes.shape == array.shape
        flat = array.reshape(-1)
        for place in rng.choice(flat.size, size=min(flat.size, 12), replace=False):
            kept, losses = flat[place], []
            for sign in (1, -1):
                flat[place] = kept + sign * step
                losses.append((layer.forward(inputs)[0] * gradient).sum())
            flat[place] = kept
            assert slopes.reshape(-1)[place] == pytest.approx(
                (losses[0] - losses[1]) / (2 * step), rel=1e-5, abs=1e-7
            )


def test_the_gradient_of_the_inputs_is_left_out_where_nobody_asks(layer_and_inputs):
    layer, inputs = layer_and_inputs
    outputs, memory = layer.forward(inputs)
    whole, alone = (layer.backward(outputs, memory, needs_inputs=n) for n in (True, False))
    assert alone[0] is None
    assert all(np.array_equal(whole[1][name], alone[1][name]) for name in whole[1])


def test_shapes_are_those_announced(layer_and_inputs):
    layer, inputs = layer_and_inputs
    assert layer.forward(inputs)[0].shape == layer.compute_output_shape(inputs.shape)
    assert layer.macs(inputs.shape) <= layer.connections(inputs.shape) or isinstance(layer, ScaledTanh)


def test_layers_are_made_again_from_their_arguments(layer_and_inputs):
    layer, inputs = layer_and_inputs
    again = LAYERS[type(layer).__name__].from_config(layer.get_config())
    again.build(inputs.shape)
    again.set_weights(layer.get_weights())
    assert np.array_equal(again(inputs), layer(inputs))


def test_squashing_leaves_plus_and_minus_one():
    """Appendix A: f(±1) = ±1, the second derivative is largest there, the slope at 0 is near 1.14."""
    layer = ScaledTanh(dtype="float64")
    assert layer(np.array([[1.0, -1.0]]))[0] == pytest.approx([1, -1], abs=1e-4)
    x = np.linspace(0, 2, 2001)[None]
    curvature = np.abs(np.gradient(np.gradient(layer(x)[0], x[0]), x[0]))
    assert x[0, curvature[2:-2].argmax() + 2] == pytest.approx(1, abs=0.02)


def test_subsampling_by_its_definition(rng):
    layer = Subsampling2D(dtype="float64")
    x, a, b = rng.normal(size=(1, 4, 6, 2)), np.array([2.0, -1]), np.array([0.5, 3])
    layer.build(x.shape)
    layer.set_weights([a, b])
    made = layer(x)
    for row, column, c in np.ndindex(2, 3, 2):
        block = x[0, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2, c]
        assert made[0, row, column, c] == pytest.approx(a[c] * block.sum() + b[c])


# -- the table -----------------------------------------------------------------------------------------


def test_the_table_is_that_of_the_paper():
    """Table I, row by row as printed: the maps of C3 that each map of S2 goes to."""
    printed = [
        "0 4 5 6 9 10 11 12 14 15",
        "0 1 5 6 7 10 11 12 13 15",
        "0 1 2 6 7 8 11 13 14 15",
        "1 2 3 6 7 8 9 12 14 15",
        "2 3 4 7 8 9 10 12 13 15",
        "3 4 5 8 9 10 11 13 14 15",
    ]
    for channel, row in enumerate(printed):
        assert [f for f, seen in enumerate(TABLE) if channel in seen] == [int(f) for f in row.split()]
    assert len(set(TABLE)) == 16


def test_a_filter_sees_the_maps_of_the_table_and_no_others(rng):
    layer = PartialConv2D(TABLE, 5, seed=3)
    x = rng.normal(size=(1, 9, 9, 6)).astype(np.float32)
    before = layer(x)
    for channel in range(6):
        changed = x.copy()
        changed[..., channel] += 1
        moved = np.abs(layer(changed) - before).max(axis=(0, 1, 2)) > 1e-6
        assert moved.tolist() == [channel in seen for seen in TABLE]


def test_each_filter_is_a_small_convolution_of_its_maps(rng):
    layer = PartialConv2D(TABLE, 5, dtype="float64", seed=4)
    x = rng.normal(size=(2, 8, 9, 6))
    made = layer(x)
    kernels = np.split(layer.weights["kernel"], np.cumsum([len(seen) for seen in TABLE])[:-1], axis=2)
    for number, (seen, kernel) in enumerate(zip(TABLE, kernels, strict=True)):
        alone = conv(x[..., list(seen)], kernel[..., None], bias=layer.weights["bias"][[number]])
        assert np.allclose(made[..., number], alone[..., 0])


def test_a_full_table_is_a_plain_convolution(rng):
    full = PartialConv2D([range(3)] * 4, 3, seed=5)
    x = rng.normal(size=(1, 6, 6, 3)).astype(np.float32)
    plain = Conv2D(4, 3)
    full(x), plain(x)
    plain.set_weights([full.full_kernel(3), full.weights["bias"]])
    assert np.array_equal(full(x), plain(x))
    assert full.macs(x.shape) == plain.macs(x.shape)
    assert full.connections(x.shape) == plain.connections(x.shape)
    assert full.count_params() == plain.count_params()


def test_too_few_channels_for_the_table():
    with pytest.raises(ShapeError, match="the table speaks of 6 channels, but the inputs have 3"):
        PartialConv2D(TABLE, 5)(np.zeros((1, 9, 9, 3)))


# -- the digits at the end --------------------------------------------------------------------------------


def test_drawings_are_ten_different_pictures_of_7_by_12():
    rows = [line.split() for line in DRAWINGS.strip().split("\n")]
    assert len(rows) == 12
    assert {len(row) for row in rows} == {10}
    assert {len(cell) for row in rows for cell in row} == {7}
    codes = digit_codes()
    apart = (codes[:, :, None] != codes[:, None, :]).sum(axis=0) + 84 * np.eye(10)
    assert apart.min() >= 5
    assert codes.sum(axis=0).argmin() == 1  # the thinnest digit is the one


def test_the_penalty_is_smallest_for_the_right_drawing():
    penalties = RadialBasis()(digit_codes().T)
    assert penalties.argmin(axis=1).tolist() == list(range(10))
    assert np.diag(penalties).tolist() == [0] * 10
    # ±1 codes lie 4 apart for every pixel that differs
    assert penalties[3, 8] == 4 * (digit_codes()[:, 3] != digit_codes()[:, 8]).sum()


def test_drawings_do_not_learn():
    layer = RadialBasis()
    layer.build((None, 84))
    assert layer.trainable == ()
    with pytest.raises(ShapeError, match="the drawings have 84 pixels, but the inputs are"):
        RadialBasis().build((None, 83))


def test_scores_are_penalties_turned_round(rng):
    x = rng.normal(size=(2, 32, 32, 1)).astype(np.float32)
    plain, scored = lenet5(), lenet5(scores=True)
    scored.set_weights(plain.get_weights())
    assert np.array_equal(scored(x), -plain(x))


def test_the_network_is_made_again_from_its_description(rng):
    x = rng.normal(size=(1, 32, 32, 1)).astype(np.float32)
    network = lenet5()
    network.initialize(seed=1)
    again = Model.from_config(network.get_config())
    again.set_weights(network.get_weights())
    assert np.array_equal(again(x), network(x))


@pytest.mark.slow
def test_the_network_of_1998_learns_digits():
    """A few seconds on real digits, by the distances alone."""
    x, y = handwritten_digits()
    ink = np.pad(to_floats(x), ((0, 0), (2, 2), (2, 2)))[..., None] * 1.275 - 0.1
    x_train, x_test, y_train, y_test = train_test_split(ink, y, 1000, seed=0)
    network = lenet5(scores=True)
    network.initialize(seed=0)
    fit(network, x_train, y_train, epochs=4, batch_size=64, optimizer=Adam(1e-3), from_logits=True, verbose=0)
    assert (network.predict(x_test).argmax(axis=1) == y_test).mean() > 0.9
