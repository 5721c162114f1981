"""Photographs: there, real, and safe from those who write on them."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.color
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cnnlib.images import LUMA, PHOTOGRAPHS, crop, photograph, to_floats, to_pixels


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
