"""What goes in and what comes out: the photograph's preparation against Pillow, and the names of classes."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from cnnlib.architectures.imagenet import Guess, classes, decode, prepare
from cnnlib.errors import DtypeError, ShapeError
from cnnlib.images import photograph


def test_a_thousand_classes_in_the_order_of_their_identifiers():
    """ILSVRC numbers its classes by the identifiers of WordNet in order, nouns all of them."""
    identifiers = [wordnet for wordnet, _ in classes()]
    assert len(set(identifiers)) == 1000
    assert identifiers == sorted(identifiers)
    assert all(re.fullmatch(r"n\d{8}", wordnet) for wordnet in identifiers)
    assert all(name == name.strip() and len(name) > 1 for _, name in classes())
    # animals come before things
    assert classes()[0][1] == "tench"
    assert classes()[999][1] == "toilet tissue"


@pytest.mark.parametrize("name", ["cat", "coffee", "rocket", "camera"])
def test_preparation_is_pillows(name):
    """Cut out, reduced by Pillow's own bicubic filter channel by channel, and scaled."""
    pixels = photograph(name)
    if pixels.ndim == 2:
        pixels = np.stack([pixels] * 3, axis=-1)
    side = min(pixels.shape[:2]) * 224 // 256
    top, left = ((n - side) // 2 for n in pixels.shape[:2])
    square = pixels[top : top + side, left : left + side].astype(np.float32)
    channels = [
        Image.fromarray(np.ascontiguousarray(square[..., c])).resize((224, 224), Image.Resampling.BICUBIC)
        for c in range(3)
    ]
    wanted = (np.stack(channels, axis=-1) - 127) / 128
    made = prepare(photograph(name))
    assert made.shape == (1, 224, 224, 3)
    assert made.dtype == np.float32
    assert np.abs(made[0] - wanted).max() < 1e-4


def test_grey_is_three_equal_channels():
    made = prepare(photograph("camera"))
    assert np.array_equal(made[..., 0], made[..., 1])
    assert np.array_equal(made[..., 0], made[..., 2])


def test_white_and_black_come_to_the_ends():
    assert np.allclose(prepare(np.full((300, 300, 3), 255, np.uint8)), 1)
    assert np.allclose(prepare(np.zeros((300, 300, 3), np.uint8)), -127 / 128)


@pytest.mark.parametrize(
    ("picture", "error", "message"),
    [
        (np.zeros((4, 4, 3)), DtypeError, "pixels have dtype float64"),
        (
            np.zeros((4, 4, 4), np.uint8),
            ShapeError,
            r"\(height, width, 3\) or \(height, width\), not \(4, 4, 4\)",
        ),
        (np.zeros((2, 4, 4, 3), np.uint8), ShapeError, r"not \(2, 4, 4, 3\)"),
        (np.zeros(4, np.uint8), ShapeError, r"not \(4,\)"),
        (np.zeros((0, 4, 3), np.uint8), ShapeError, "cannot cut 1x1 out of a picture of 0x4"),
    ],
)
def test_what_is_no_photograph_is_refused(picture, error, message):
    with pytest.raises(error, match=message):
        prepare(picture)


def test_guesses_are_the_largest_scores_in_order(rng):
    scores = rng.random((3, 1000))
    for guesses, row in zip(decode(scores, top=4), scores, strict=True):
        best = np.sort(row)[::-1][:4]
        assert [g.probability for g in guesses] == best.tolist()
        assert [(g.wordnet, g.name) for g in guesses] == [
            classes()[int(np.flatnonzero(row == b)[0])] for b in best
        ]
    assert isinstance(decode(scores)[0][0], Guess)
    assert len(decode(scores, top=5000)[0]) == 1000


@pytest.mark.parametrize("shape", [(1000,), (1, 10), (1, 1, 1000)])
def test_scores_of_other_shapes_are_refused(shape):
    with pytest.raises(ShapeError, match=r"predictions have shape \(batch, 1000\)"):
        decode(np.zeros(shape))
