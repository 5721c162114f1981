"""Classic kernels with known weights, how to put one over a picture, and pyramids. Chapters 4 to 6.

All kernels are float32 arrays (height, width) for cross-correlation, which is how :func:`apply` and
every convolution layer use them.

>>> sobel("vertical")
array([[-1.,  0.,  1.],
       [-2.,  0.,  2.],
       [-1.,  0.,  1.]], dtype=float32)
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.convolution import as_floats, conv
from cnnlib.errors import ShapeError, SizeError
from cnnlib.padding import pad
from cnnlib.sizes import Padding, as_int, as_shape, shown, split_padding


def identity(size: int = 3) -> NDArray[np.float32]:
    """A single 1 in the middle: the picture comes out as it went in. ``size`` is odd."""
    size = _odd(size)
    kernel = np.zeros((size, size), np.float32)
    kernel[size // 2, size // 2] = 1
    return kernel


def box(size: int = 3) -> NDArray[np.float32]:
    """The mean of a square of ``size``: the simplest blur.

    >>> float(box(5).sum())
    1.0
    """
    size = as_int(size, "size")
    return np.full((size, size), 1 / size**2, np.float32)


def gaussian(size: int = 5, sigma: float = 1.0) -> NDArray[np.float32]:
    """A bell of standard deviation ``sigma`` (in pixels), summing to 1. ``size`` is odd."""
    bell = _bell(size, sigma)
    return np.outer(bell, bell).astype(np.float32)


def gaussian_1d(size: int = 5, sigma: float = 1.0) -> NDArray[np.float32]:
    """The same bell along one axis: :func:`gaussian` is its outer product with itself.

    >>> gaussian_1d(3, sigma=0.85).round(2)
    array([0.25, 0.5 , 0.25], dtype=float32)
    """
    return _bell(size, sigma).astype(np.float32)


def _bell(size: int, sigma: float) -> NDArray[np.float64]:
    if not isinstance(sigma, (int, float, np.number)) or not sigma > 0:
        raise SizeError(f"sigma must be above 0 pixels, not {shown(sigma)}")
    size = _odd(size)
    distance = np.arange(size) - size // 2
    with np.errstate(over="ignore"):  # a vanishing sigma leaves the middle alone, which is right
        bell = np.exp(-0.5 * (distance / sigma) ** 2)
    return bell / bell.sum()


def sharpen() -> NDArray[np.float32]:
    """Five times the pixel minus its four neighbours: the picture plus its :func:`laplacian`."""
    return np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], np.float32)


def laplacian(neighbours: int = 4) -> NDArray[np.float32]:
    """Four times the pixel minus its four neighbours: 0 wherever brightness changes evenly.

    With 8 ``neighbours``, eight times the pixel minus all around it, the corners too.
    """
    if as_int(neighbours, "neighbours") not in (4, 8):
        raise SizeError(f"a pixel has 4 neighbours, or 8 with the corners, not {neighbours}")
    corner = 0 if neighbours == 4 else -1
    return np.array([[corner, -1, corner], [-1, neighbours, -1], [corner, -1, corner]], np.float32)


def sobel(edges: str = "vertical") -> NDArray[np.float32]:
    """Answers to edges that run ``vertical``-ly, ``horizontal``-ly or aslant.

    ``diagonal`` is for those that run up to the right, brighter below; ``antidiagonal`` for those that run
    down to the right, brighter above.

    >>> sobel("antidiagonal")
    array([[ 0.,  1.,  2.],
           [-1.,  0.,  1.],
           [-2., -1.,  0.]], dtype=float32)
    """
    return _edges(edges, weight=2)


def prewitt(edges: str = "vertical") -> NDArray[np.float32]:
    """As :func:`sobel`, with equal weights along the edge."""
    return _edges(edges, weight=1)


def emboss() -> NDArray[np.float32]:
    """Light from the upper left: the picture as a relief."""
    return np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], np.float32)


def _edges(edges: str, weight: int) -> NDArray[np.float32]:
    vertical = np.array([[-1, 0, 1], [-weight, 0, weight], [-1, 0, 1]], np.float32)
    diagonal = np.array([[-weight, -1, 0], [-1, 0, 1], [0, 1, weight]], np.float32)
    kernels = {"vertical": vertical, "horizontal": vertical.T.copy()}
    kernels |= {"diagonal": diagonal, "antidiagonal": diagonal[::-1].copy()}
    if not isinstance(edges, str) or edges not in kernels:
        raise SizeError(f"edges {shown(edges)} are unknown; use one of {', '.join(kernels)}")
    return kernels[edges]


def _odd(size: int) -> int:
    number = as_int(size, "size")
    if number % 2 == 0:
        raise SizeError(f"size {number} has no middle; use an odd size such as {number + 1}")
    return number


def apply(
    image: ArrayLike,
    kernel: ArrayLike,
    padding: Padding = "same",
    pad_mode: str = "edge",
    pad_value: float = 0,
) -> NDArray[np.floating]:
    """Filter every channel of a picture by the same kernel.

    Args:
        image: array (height, width) or (height, width, channels).
        kernel: array (height, width), not flipped.
        padding, pad_mode, pad_value: as in :func:`cnnlib.convolution.conv`.

    Returns:
        array of as many axes; values may leave the range of the picture.

    >>> apply(np.ones((4, 4)), box(3)).round(6)[0]
    array([1., 1., 1., 1.])
    """
    picture, weights = as_floats(image, "image"), as_floats(kernel, "kernel")
    if picture.ndim not in (2, 3) or weights.ndim != 2:
        raise ShapeError(
            f"an image of shape {picture.shape} and a kernel of shape {weights.shape} do not go "
            "together; they need (height, width) or (height, width, channels), and (height, width)"
        )
    planes = np.moveaxis(np.atleast_3d(picture), -1, 0)[..., None]  # channels as a batch
    result = conv(planes, weights[..., None, None], 1, padding, pad_mode=pad_mode, pad_value=pad_value)
    filtered = np.moveaxis(result[..., 0], 0, -1)
    return filtered[..., 0] if picture.ndim == 2 else filtered


def apply_separable(
    image: ArrayLike,
    column: ArrayLike,
    row: ArrayLike,
    padding: Padding = "same",
    pad_mode: str = "edge",
    pad_value: float = 0,
) -> NDArray[np.floating]:
    """Filter by a column of weights, then by a row: the same as by their outer product, in fewer products.

    A kernel of F×F takes F² products a pixel, its two factors 2F. Which kernels factor is the question of
    :func:`cnnlib.variants.separable_rank`.

    Args:
        image, padding, pad_mode, pad_value: as for :func:`apply`.
        column, row: arrays (height,) and (width,).

    >>> picture = np.random.default_rng(0).random((6, 8))
    >>> twice = apply_separable(picture, gaussian_1d(5), gaussian_1d(5))
    >>> bool(np.allclose(twice, apply(picture, gaussian(5)), atol=1e-6))
    True
    """
    down, across = as_floats(column, "column"), as_floats(row, "row")
    if down.ndim != 1 or across.ndim != 1:
        raise ShapeError(
            f"a column of shape {down.shape} and a row of shape {across.shape} must have one axis each"
        )
    each: Any = split_padding(padding, 2)
    between = apply(image, down[:, None], (each[0], 0), pad_mode, pad_value)
    # The frame that the row slides over was filtered by the column too.
    return apply(between, across[None], (0, each[1]), pad_mode, pad_value * float(down.sum()))


# ---------------------------------------------------------------------------------------------------
# Pyramids
# ---------------------------------------------------------------------------------------------------

#: The weights by which pyramids blur along each axis (Burt and Adelson, 1983).
BINOMIAL = np.array([1, 4, 6, 4, 1], np.float32) / 16


def pyramid_reduce(image: ArrayLike) -> NDArray[np.floating]:
    """Half the size: blur, then keep every second row and column, so that no detail turns into a pattern.

    Args:
        image: array (height, width) or (height, width, channels).

    Returns:
        array of half the height and width, rounded up.

    >>> pyramid_reduce(np.ones((5, 8))).shape
    (3, 4)
    """
    return apply_separable(image, BINOMIAL, BINOMIAL)[::2, ::2]


def pyramid_expand(image: ArrayLike, shape: Sequence[int]) -> NDArray[np.floating]:
    """Double the size: zeros between all pixels, then the blur of :func:`pyramid_reduce`, times four.

    This is a transposed convolution of stride 2 with the same kernel.

    Args:
        image: array (height, width) or (height, width, channels).
        shape: what to come to, (height, width): twice the image, or one less.

    >>> pyramid_expand(np.ones((2, 3)), (4, 5)).shape
    (4, 5)
    """
    picture = _picture(image)
    target = tuple(as_int(n, "shape") for n in as_shape(shape, "shape"))
    if [(n + 1) // 2 for n in target] != [*picture.shape[:2]]:
        double = tuple(2 * n for n in picture.shape[:2])
        raise ShapeError(f"an image of {picture.shape[:2]} expands to {double}, or one less, not to {target}")
    framed = pad(np.atleast_3d(picture)[None], [(1, 1), (1, 1)], "edge")[0]
    spread = np.zeros((2 * framed.shape[0], 2 * framed.shape[1], framed.shape[2]), framed.dtype)
    spread[::2, ::2] = framed
    larger = apply_separable(spread, 2 * BINOMIAL, 2 * BINOMIAL, "valid")
    return larger[: target[0], : target[1]].reshape(*target, *picture.shape[2:])


def _picture(image: ArrayLike) -> NDArray[np.floating]:
    picture = as_floats(image, "image")
    if picture.ndim not in (2, 3) or 0 in picture.shape:
        raise ShapeError(
            f"an image of shape {picture.shape} has no pyramid; "
            "it needs (height, width) or (height, width, channels), none of them 0"
        )
    return picture


def gaussian_pyramid(image: ArrayLike, levels: int) -> list[NDArray[np.floating]]:
    """The image and ``levels`` - 1 smaller ones, each blurred and halved: the same kernel sees ever more.

    >>> [level.shape for level in gaussian_pyramid(np.ones((100, 60)), levels=4)]
    [(100, 60), (50, 30), (25, 15), (13, 8)]
    """
    picture, levels = _picture(image), as_int(levels, "levels")
    most = 1 + (min(picture.shape[:2]) - 1).bit_length()
    if levels > most:
        raise SizeError(f"an image of {picture.shape[:2]} has at most {most} levels, not {levels}")
    pyramid = [picture]
    while len(pyramid) < levels:
        pyramid.append(pyramid_reduce(pyramid[-1]))
    return pyramid


def laplacian_pyramid(image: ArrayLike, levels: int) -> list[NDArray[np.floating]]:
    """What each halving loses, ``levels`` - 1 times, and the small image that is left at last.

    Source: P. J. Burt and E. H. Adelson, *The Laplacian pyramid as a compact image code* (1983),
    doi:10.1109/TCOM.1983.1095851.

    >>> picture = np.random.default_rng(0).random((9, 14))
    >>> pyramid = laplacian_pyramid(picture, levels=3)
    >>> [level.shape for level in pyramid], bool(np.allclose(reconstruct(pyramid), picture))
    ([(9, 14), (5, 7), (3, 4)], True)
    """
    gaussians = gaussian_pyramid(image, levels)
    details = [fine - pyramid_expand(coarse, fine.shape[:2]) for fine, coarse in pairwise(gaussians)]
    return [*details, gaussians[-1]]


def reconstruct(pyramid: Sequence[ArrayLike]) -> NDArray[np.floating]:
    """The image of a :func:`laplacian_pyramid`: from the smallest on, expand and add what was lost.

    Nothing is lost but rounding, whatever the blur.
    """
    if len(pyramid) == 0:
        raise ShapeError(
            "a pyramid without levels has no image; give the list that laplacian_pyramid returns"
        )
    *details, image = (as_floats(level, "level") for level in pyramid)
    for detail in reversed(details):
        image = detail + pyramid_expand(image, detail.shape[:2])
    return image
