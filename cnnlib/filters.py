"""Classic kernels with known weights, and how to put one over a picture. Chapters 4 to 6.

All kernels are float32 arrays (height, width) for cross-correlation, which is how :func:`apply` and
every convolution layer use them.

>>> sobel("vertical")
array([[-1.,  0.,  1.],
       [-2.,  0.,  2.],
       [-1.,  0.,  1.]], dtype=float32)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.convolution import as_floats, conv
from cnnlib.errors import ShapeError, SizeError
from cnnlib.sizes import Padding, as_int


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
    if not isinstance(sigma, (int, float, np.number)) or not sigma > 0:
        raise SizeError(f"sigma must be above 0 pixels, not {sigma!r}")
    size = _odd(size)
    distance = np.arange(size) - size // 2
    with np.errstate(over="ignore"):  # a vanishing sigma leaves the middle alone, which is right
        bell = np.exp(-0.5 * (distance / sigma) ** 2)
    kernel = np.outer(bell, bell)
    return (kernel / kernel.sum()).astype(np.float32)


def sharpen() -> NDArray[np.float32]:
    """Five times the pixel minus its four neighbours: the picture plus its :func:`laplacian`."""
    return np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], np.float32)


def laplacian() -> NDArray[np.float32]:
    """Four times the pixel minus its four neighbours: 0 wherever brightness changes evenly."""
    return np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], np.float32)


def sobel(edges: str = "vertical") -> NDArray[np.float32]:
    """Answers to edges that run ``vertical``-ly, ``horizontal``-ly or along the ``diagonal``."""
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
    kernels = {"vertical": vertical, "horizontal": vertical.T.copy(), "diagonal": diagonal}
    if not isinstance(edges, str) or edges not in kernels:
        raise SizeError(f"edges {edges!r} are unknown; use one of {', '.join(kernels)}")
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
