"""Classic kernels: what each is for, and SciPy's filters as the peer of applying them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st

from cnnlib import filters
from cnnlib.errors import CnnError

#: Our name for what is put around the edge, and SciPy's.
PEER_MODES = {"edge": "nearest", "reflect": "mirror", "circular": "wrap", "constant": "constant"}
KERNELS = {
    "identity": filters.identity(5),
    "box": filters.box(3),
    "gaussian": filters.gaussian(7, 1.4),
    "sharpen": filters.sharpen(),
    "laplacian": filters.laplacian(),
    "emboss": filters.emboss(),
    "laplacian 8": filters.laplacian(8),
    **{f"sobel {e}": filters.sobel(e) for e in ("vertical", "horizontal", "diagonal", "antidiagonal")},
    **{f"prewitt {e}": filters.prewitt(e) for e in ("vertical", "horizontal", "diagonal", "antidiagonal")},
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
    np.testing.assert_array_equal(filters.apply(rising, kernel("antidiagonal"))[inside], 0)
    assert (filters.apply(-falling, kernel("antidiagonal"))[inside] > 0).all()


def test_laplacian_of_4_equals_scipys(rng):
    image = rng.normal(size=(9, 9))
    expected = -scipy.ndimage.laplace(image, mode="nearest")
    np.testing.assert_allclose(filters.apply(image, filters.laplacian()), expected, atol=1e-12)
    bowl = np.add.outer(np.arange(9.0) ** 2, np.arange(9.0) ** 2)  # curved alike everywhere
    for neighbours, bend in ((4, -4), (8, -12)):
        inside = filters.apply(bowl, filters.laplacian(neighbours), "valid")
        np.testing.assert_array_equal(inside, bend)


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


# -- one axis after the other -------------------------------------------------------------------------


@pytest.mark.parametrize("mode", PEER_MODES)
@given(st.integers(1, 5), st.integers(1, 5), st.sampled_from(["same", "valid", "full", 1, (2, (0, 1))]))
def test_two_factors_do_what_their_product_does(mode, down, across, padding):
    numbers = np.random.default_rng([down, across])
    image = numbers.integers(-9, 9, (11, 12, 2)).astype(float)
    column, row = numbers.integers(-9, 9, down).astype(float), numbers.integers(-9, 9, across).astype(float)
    expected = filters.apply(image, np.outer(column, row), padding, mode, 7 if mode == "constant" else 0)
    got = filters.apply_separable(image, column, row, padding, mode, 7 if mode == "constant" else 0)
    np.testing.assert_array_equal(got, expected)


@given(st.integers(0, 6).map(lambda n: 2 * n + 1), st.floats(0.3, 5))
def test_the_bell_is_the_product_of_its_profiles(size, sigma):
    profile = filters.gaussian_1d(size, sigma)
    assert profile.dtype == np.float32
    np.testing.assert_allclose(np.outer(profile, profile), filters.gaussian(size, sigma), rtol=1e-6)


# -- pyramids -----------------------------------------------------------------------------------------

IMAGES = st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([(), (1,), (3,)]))


def blurred_by_scipy(image, gain=1):
    for axis in (0, 1):
        image = scipy.ndimage.correlate1d(
            image, gain * np.array([1, 4, 6, 4, 1]) / 16, axis=axis, mode="nearest"
        )
    return image


@given(IMAGES)
def test_reduce_and_expand_against_scipy(shape):
    height, width, colours = shape
    image = np.random.default_rng([height, width]).normal(size=(height, width, *colours))
    small = filters.pyramid_reduce(image)
    np.testing.assert_allclose(small, blurred_by_scipy(image)[::2, ::2], atol=1e-12)
    # Zeros between the pixels of a framed image, blurred, the frame cut off.
    around = [(2, 2), (2, 2), (0, 0)][: small.ndim]
    framed = np.pad(small, around, mode="edge")
    spread = np.zeros((2 * framed.shape[0], 2 * framed.shape[1], *colours))
    spread[::2, ::2] = framed
    expected = blurred_by_scipy(spread, gain=2)[4 : 4 + height, 4 : 4 + width]
    np.testing.assert_allclose(filters.pyramid_expand(small, (height, width)), expected, atol=1e-12)


@given(IMAGES, st.integers(1, 6))
def test_the_laplacian_pyramid_gives_the_image_back(shape, levels):
    height, width, colours = shape
    levels = min(levels, 1 + (min(height, width) - 1).bit_length())
    numbers = np.random.default_rng([height, width])
    image = numbers.normal(size=(height, width, *colours))
    np.testing.assert_allclose(
        filters.reconstruct(filters.laplacian_pyramid(image, levels)), image, rtol=0, atol=1e-14
    )
    bytes_ = numbers.integers(0, 256, image.shape, dtype=np.uint8)
    back = filters.reconstruct(filters.laplacian_pyramid(bytes_, levels))
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back.round(), bytes_)  # to the last of its 256 steps


@given(IMAGES)
def test_an_even_grey_has_no_details(shape):
    height, width, colours = shape
    image = np.full((height, width, *colours), 0.75)
    levels = 1 + (min(height, width) - 1).bit_length()
    *details, last = filters.laplacian_pyramid(image, levels)
    for detail in details:
        np.testing.assert_array_equal(detail, 0)
    np.testing.assert_array_equal(last, 0.75)
    assert min(last.shape[:2]) == 1


def test_expanding_is_a_transposed_convolution(rng):
    from cnnlib.upsampling import conv_transpose

    small = rng.normal(size=(6, 7))
    kernel = 4 * np.outer(filters.BINOMIAL, filters.BINOMIAL)[..., None, None]
    whole = conv_transpose(small[None, ..., None], kernel, strides=2)[0, ..., 0]
    inside = filters.pyramid_expand(small, (12, 14))[2:-2, 2:-2]
    np.testing.assert_allclose(inside, whole[4:12, 4:14], atol=1e-6)


def test_blurring_first_keeps_fine_stripes_from_turning_into_coarse_ones():
    """Every second row alone shows stripes as an even white; the blur makes them the grey that they are."""
    stripes = np.tile(np.array([1.0, 0.0])[:, None], (16, 32))
    np.testing.assert_array_equal(stripes[::2, ::2], 1)
    np.testing.assert_array_equal(filters.pyramid_reduce(stripes)[1:-1], 0.5)


def test_weights_of_the_pyramid_add_to_one():
    assert filters.BINOMIAL.sum() == 1
    assert filters.BINOMIAL[::2].sum() == filters.BINOMIAL[1::2].sum()  # even over expanded pixels


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: filters.laplacian(6), "4 neighbours, or 8 with the corners, not 6"),
        (lambda: filters.gaussian_1d(4), "an odd size such as 5"),
        (
            lambda: filters.apply_separable(np.ones((4, 4)), np.ones((1, 3)), np.ones(3)),
            "(1, 3) and a row of",
        ),
        (lambda: filters.gaussian_pyramid(np.ones((8, 5)), 5), "(8, 5) has at most 4 levels, not 5"),
        (lambda: filters.gaussian_pyramid(np.ones((8, 5)), 0), "levels must be a whole number of at least 1"),
        (lambda: filters.gaussian_pyramid(np.ones(8), 1), "(8,) has no pyramid; it needs (height, width)"),
        (lambda: filters.gaussian_pyramid(np.ones((0, 8)), 1), "(0, 8) has no pyramid"),
        (
            lambda: filters.pyramid_expand(np.ones((2, 3)), (5, 6)),
            "(2, 3) expands to (4, 6), or one less, not",
        ),
        (lambda: filters.pyramid_expand(np.ones((2, 3)), 4), "shape must have one number for each axis"),
        (lambda: filters.reconstruct([]), "a pyramid without levels has no image"),
        (lambda: filters.reconstruct([np.ones((4, 4)), np.ones((3, 2))]), "(3, 2) expands to (6, 4)"),
    ],
)
def test_errors_name_the_numbers(call, says):
    with pytest.raises(CnnError) as caught:
        call()
    assert says in str(caught.value)
