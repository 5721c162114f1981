"""Real photographs as arrays. Chapters 3 to 6.

The pictures ship with scikit-image, so that nothing is downloaded. They are loaded when first asked
for; importing this module needs NumPy alone.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.errors import DtypeError, MissingExtraError, ShapeError, SizeError
from cnnlib.sizes import as_int

#: The photographs: our name, scikit-image's, and what is to be seen.
PHOTOGRAPHS = {
    "astronaut": ("astronaut", "Eileen Collins, astronaut, in an orange suit before a flag"),
    "brick": ("brick", "a brick wall"),
    "camera": ("camera", "a photographer on a lawn, behind his camera"),
    "cat": ("chelsea", "a ginger cat called Chelsea"),
    "coffee": ("coffee", "a cup of coffee on a wooden table"),
    "coins": ("coins", "Greek coins from Pompeii on a dark ground"),
    "grass": ("grass", "grass from above"),
    "gravel": ("gravel", "gravel from above"),
    "rocket": ("rocket", "a rocket on its launch pad at night"),
}

#: How much red, green and blue weigh in brightness (ITU-R BT.601).
LUMA = np.array([0.299, 0.587, 0.114])


@functools.cache
def _load(name: str) -> NDArray[np.uint8]:
    try:
        import skimage.data
    except ImportError:
        raise MissingExtraError("scikit-image", "data") from None
    pixels = getattr(skimage.data, PHOTOGRAPHS[name][0])()
    pixels.setflags(write=False)
    return pixels


def photograph(name: str, grey: bool = False) -> NDArray[np.uint8]:
    """A photograph as a camera stores it: uint8 from 0 (black) to 255 (white).

    Args:
        name: one of :data:`PHOTOGRAPHS`.
        grey: brightness alone instead of colours.

    Returns:
        array (height, width, 3), or (height, width) where ``grey`` or the photograph has no colours.

    >>> photograph("cat").shape, photograph("cat", grey=True).shape
    ((300, 451, 3), (300, 451))
    """
    if not isinstance(name, str) or name not in PHOTOGRAPHS:
        raise SizeError(f"no photograph {name!r}; there are {', '.join(PHOTOGRAPHS)}")
    pixels = _load(name)
    if grey and pixels.ndim == 3:
        return np.rint(pixels @ LUMA).astype(np.uint8)
    return pixels.copy()


def to_floats(pixels: ArrayLike) -> NDArray[np.float32]:
    """Bring 8-bit pixels to float32 from 0 to 1, in which filters cannot overflow.

    >>> to_floats(np.array([0, 51, 255], np.uint8))
    array([0. , 0.2, 1. ], dtype=float32)
    """
    values = np.asarray(pixels)
    if values.dtype != np.uint8:
        raise DtypeError(
            f"pixels have dtype {values.dtype}; only uint8 is known to run from 0 to 255, "
            "so bring them to that range and convert them to uint8"
        )
    return values.astype(np.float32) / np.float32(255)


def to_pixels(values: ArrayLike) -> NDArray[np.uint8]:
    """Bring numbers from 0 to 1 back to 8-bit pixels; what lies outside is clipped, then rounded.

    >>> to_pixels([-0.3, 0.2, 1.7])
    array([  0,  51, 255], dtype=uint8)
    """
    numbers = np.asarray(values)
    if numbers.dtype.kind not in "biuf":
        raise DtypeError(f"values have dtype {numbers.dtype}; pixels are made of real numbers from 0 to 1")
    if np.isnan(numbers).any():
        raise DtypeError(
            f"{np.isnan(numbers).sum()} of {numbers.size} values are NaN, which no brightness stands for"
        )
    return np.rint(np.clip(numbers.astype(float), 0, 1) * 255).astype(np.uint8)


def crop(image: NDArray, height: int, width: int) -> NDArray:
    """Cut the middle of a picture, (height, width, ...), to the size wanted.

    >>> crop(np.zeros((300, 451, 3)), 100, 150).shape
    (100, 150, 3)
    """
    image = np.asarray(image)
    if image.ndim < 2:
        raise ShapeError(f"a picture has (height, width, ...), but this has shape {image.shape}")
    height, width = as_int(height, "height"), as_int(width, "width")
    full = image.shape[:2]
    if height > full[0] or width > full[1]:
        raise ShapeError(
            f"cannot cut {height}x{width} out of a picture of {full[0]}x{full[1]}; "
            f"ask for at most {full[0]}x{full[1]}"
        )
    top, left = (full[0] - height) // 2, (full[1] - width) // 2
    return image[top : top + height, left : left + width]
