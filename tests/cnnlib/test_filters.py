"""Classic kernels: what each is for, and SciPy's filters as the peer of applying them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st

from cnnlib import filters

#: Our name for what is put around the edge, and SciPy's.
PEER_MODES = {"edge": "nearest", "reflect": "mirror", "circular": "wrap", "constant": "constant"}
KERNELS = {
    "identity": filters.identity(5),
    "box": filters.box(3),
    "gaussian": filters.gaussian(7, 1.4),
    "sharpen": filters.sharpen(),
    "laplacian": filters.laplacian(),
    "emboss": filters.emboss(),
    **{f"sobel {e}": filters.sobel(e) for e in ("vertical", "horizontal", "diagonal")},
    **{f"prewitt {e}": filters.prewitt(e) for e in ("vertical", "horizontal", "diagonal")},
}


@pytest.mark.parametrize("mode", PEER_MODES)
@pytest.mark.parametrize("name", KERNELS)
def test_applied_as_scipy_applies_it(rng, name, mode):
    image, kernel = rng.integers(0, 256, (14, 17)), KERNELS[name].astype(float)
    expected = scipy.ndimage.correlate(image.astype(float), kernel, mode=PEER_MODES[mode], cval=9)
    np.testing.assert_allclose(
        filters.apply(image, kernel, pad_mode=mode, pad_value=9), expected, rtol=1e-12, atol=1e-9
    )


def test_colours_are_filtered_each_for_itself(rng):
    image = rng.integers(0, 256, (9, 8, 3), dtype=np.uint8)
    filtered = filters.apply(image, filters.sobel())
    assert filtered.shape == image.shape
    assert filtered.dtype == np.float32
    for colour in range(3):
        np.testing.assert_array_equal(
            filtered[..., colour], filters.apply(image[..., colour], filters.sobel())
        )


def test_without_padding_the_picture_shrinks(rng):
    image = rng.normal(size=(9, 8))
    expected = scipy.signal.correlate2d(image, filters.emboss(), "valid")
    np.testing.assert_allclose(filters.apply(image, filters.emboss(), "valid"), expected, rtol=1e-6)


@pytest.mark.parametrize("name", KERNELS)
def test_sums_tell_what_becomes_of_an_even_grey(name):
    """Blurs and sharpening keep brightness (sum 1); edge detectors answer 0 to it (sum 0)."""
    keeps = name in ("identity", "box", "gaussian", "sharpen", "emboss")
    assert KERNELS[name].sum() == pytest.approx(1 if keeps else 0, abs=1e-6)
    grey = np.full((8, 8), 0.5)
    np.testing.assert_allclose(filters.apply(grey, KERNELS[name]), 0.5 if keeps else 0, atol=1e-6)


@pytest.mark.parametrize("name", KERNELS)
def test_the_separable_ones_have_rank_1(name):
    separable = name in ("identity", "box", "gaussian") or "vertical" in name or "horizontal" in name
    assert (np.linalg.matrix_rank(KERNELS[name].astype(float), tol=1e-6) == 1) == separable


def test_identity_changes_nothing(rng):
    image = rng.normal(size=(6, 7))
    np.testing.assert_array_equal(filters.apply(image, filters.identity()), image)


@given(st.integers(0, 6).map(lambda n: 2 * n + 1), st.floats(0.3, 5))
def test_gaussian_is_a_round_bell(size, sigma):
    bell = filters.gaussian(size, sigma)
    assert bell.shape == (size, size)
    assert bell.dtype == np.float32
    assert bell.sum() == pytest.approx(1, abs=1e-6)
    for same in (bell.T, bell[::-1], bell[:, ::-1]):
        np.testing.assert_array_equal(bell, same)
    assert bell.argmax() == size * size // 2
    middle = size // 2
    if middle:  # the fall to the neighbour is that of the normal density
        fall = bell[middle, middle - 1] / bell[middle, middle]
        assert fall == pytest.approx(np.exp(-0.5 / sigma**2), rel=1e-5)


def test_gaussian_equals_scipys_of_the_same_radius(rng):
    image = rng.normal(size=(20, 20))
    expected = scipy.ndimage.gaussian_filter(image, 1.5, mode="nearest", radius=4)
    np.testing.assert_allclose(filters.apply(image, filters.gaussian(9, 1.5)), expected, atol=1e-6)


def test_limits_of_the_bell():
    np.testing.assert_array_equal(filters.gaussian(5, 1e-300), filters.identity(5))
    np.testing.assert_allclose(filters.gaussian(5, 1e9), filters.box(5), rtol=1e-6)


def test_sharpening_adds_the_laplacian():
    np.testing.assert_array_equal(filters.sharpen(), filters.identity(3) + filters.laplacian())


@pytest.mark.parametrize("kernel", [filters.sobel, filters.prewitt])
def test_edges_answer_to_their_own_direction(kernel):
    rising = np.tile(np.arange(8.0), (8, 1))  # brighter to the right: a vertical edge everywhere
    inside = (slice(1, -1), slice(1, -1))
    assert (filters.apply(rising, kernel("vertical"))[inside] > 0).all()
    np.testing.assert_array_equal(filters.apply(rising, kernel("horizontal"))[inside], 0)
    np.testing.assert_array_equal(kernel("horizontal"), kernel("vertical").T)
    falling = np.add.outer(np.arange(8.0), -np.arange(8.0))  # even along the main diagonal
    rising = np.add.outer(np.arange(8.0), np.arange(8.0))  # even along the other
    np.testing.assert_array_equal(filters.apply(falling, kernel("diagonal"))[inside], 0)
    assert (filters.apply(rising, kernel("diagonal"))[inside] > 0).all()


def test_sobel_equals_scipys(rng):
    image = rng.normal(size=(9, 9))
    for edges, axis in (("vertical", 1), ("horizontal", 0)):
        expected = scipy.ndimage.sobel(image, axis, mode="nearest")
        np.testing.assert_allclose(filters.apply(image, filters.sobel(edges)), expected, atol=1e-12)


def test_every_call_gives_its_own_array():
    for make in (filters.identity, filters.box, filters.sharpen, filters.laplacian, filters.sobel):
        first = make()
        first[...] = 99
        assert not (make() == 99).any()
        assert make().dtype == np.float32
