"""Keeping what a network has learned: its weights in a file, or the whole network. Chapter 11.

A file is NumPy's ``.npz``: a zip archive with one array for each weight, named ``layer/weight``, which
``numpy.load`` opens too. It never holds pickled objects. Reading trusts nothing: names, shapes and sizes are
compared with what the network needs before any array is made, so that a foreign file can neither run code
nor fill the memory.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnnlib.errors import CnnError
from cnnlib.network import Model

if TYPE_CHECKING:
    from cnnlib.layers import Layer

#: The entry that says what kind of file it is, and the kind that is written and read.
FORMAT_ENTRY, FORMAT = "format", "cnnlib weights 1"
#: The entry with the description of a whole network, and the longest that is read, in bytes.
NETWORK_ENTRY, NETWORK_BYTES = "network", 4_000_000
#: An array's own description is never longer than this.
HEADER_BYTES = 10_000


class WeightsError(CnnError, ValueError):
    """A file of weights that is broken, foreign, or of another network."""


def save(model: Model, path: str | os.PathLike[str]) -> None:
    """Write all weights of a model to a file, whole or not at all.

    Args:
        model: built (that is, its shapes are known), so that it has weights.
        path: where to. A file that is there already is replaced once the new one is complete.

    Raises:
        WeightsError: a weight is NaN or infinite (the message names its layer).

    >>> import tempfile
    >>> from cnnlib.layers import Dense
    >>> from cnnlib.network import Input, Sequential
    >>> model = Sequential([Input((3,)), Dense(2, name="scores")])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(model, folder + "/weights.npz")
    ...     with np.load(folder + "/weights.npz") as archive:
    ...         print(*archive)
    format scores/kernel scores/bias
    """
    _write(Path(path), _arrays(model))


def load(model: Model, path: str | os.PathLike[str]) -> None:
    """Give a model the weights of a file that :func:`save` wrote. On any error the model keeps its own.

    Args:
        model: built, with layers of the same names (``conv2d``) and weights of the same shapes.
        path: the file.

    Raises:
        WeightsError: the file is missing, broken or foreign, or fits another network: the message names
            the layer and both shapes, or the weight that is NaN or infinite.

    >>> import tempfile
    >>> from cnnlib.layers import Dense
    >>> from cnnlib.network import Input, Sequential
    >>> learned = Sequential([Input((3,)), Dense(2, name="scores")])
    >>> fresh = Sequential([Input((3,)), Dense(2, name="scores")])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(learned, folder + "/weights.npz")
    ...     load(fresh, folder + "/weights.npz")
    >>> all(map(np.array_equal, fresh.get_weights(), learned.get_weights()))
    True
    """
    with _open(Path(path)) as archive:
        _set(model, _read_all(archive, _shapes(model)))


def save_model(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a whole network to a file: its layers, how they are connected, and their weights.

    Arguments and errors are those of :func:`save`.

    >>> import tempfile
    >>> from cnnlib.layers import Dense
    >>> from cnnlib.network import Input, Sequential
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(Sequential([Input((3,)), Dense(2, name="scores")]), folder + "/network.npz")
    ...     with np.load(folder + "/network.npz") as archive:
    ...         print(*archive)
    format network scores/kernel scores/bias
    """
    text = json.dumps(model.get_config())
    if len(text) > NETWORK_BYTES:
        raise WeightsError(f"{model.name} takes {len(text)} bytes to describe, more than {NETWORK_BYTES}")
    _write(Path(path), {NETWORK_ENTRY: _text(text), **_arrays(model)})


def load_model(path: str | os.PathLike[str], custom: Mapping[str, type[Layer]] | None = None) -> Model:
    """The network that :func:`save_model` wrote.

    Args:
        path: the file (see :func:`save_model` for an example).
        custom: layers that this library does not have, by the names of their classes.

    Raises:
        WeightsError: as for :func:`load`, or the file names a layer that is not known.

    >>> import tempfile
    >>> from cnnlib.layers import Dense
    >>> from cnnlib.network import Input, Sequential
    >>> model = Sequential([Input((3,)), Dense(2, name="scores")])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, folder + "/network.npz")
    ...     again = load_model(folder + "/network.npz")
    >>> [layer.name for layer in again.layers], np.array_equal(again(np.eye(3)), model(np.eye(3)))
    (['scores'], True)
    """
    with _open(Path(path)) as archive:
        if NETWORK_ENTRY not in _names(archive):
            raise WeightsError("the file has weights alone; build the network and load() them into it")
        text = _read_text(archive, NETWORK_ENTRY, NETWORK_BYTES)
        try:
            model = Model.from_config(json.loads(text), custom)
            shapes = _shapes(model)
        except (
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            ArithmeticError,
            RecursionError,
            CnnError,
        ) as error:
            raise WeightsError(f"it describes no network: {_line(error)}") from None
        _set(model, _read_all(archive, shapes))
    return model


def _line(error: Exception) -> str:
    """What an error says, in one line of bearable length."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _set(model: Model, found: Mapping[str, NDArray]) -> None:
    """Give every layer its weights, all of them or none."""
    for layer in model.layers:
        for name in layer.weight_shapes:
            largest = np.finfo(layer.dtype).max
            beyond = np.count_nonzero(np.abs(found[f"{layer.name}/{name}"]) > largest)
            if beyond:
                size = found[f"{layer.name}/{name}"].size
                raise WeightsError(
                    f"{layer.name}: {beyond} of {size} numbers of {name} are too large for {layer.dtype}"
                )
    for layer in model.layers:
        if layer.weight_shapes:
            layer.set_weights([found[f"{layer.name}/{name}"] for name in layer.weight_shapes])


def _shapes(model: Model) -> dict[str, tuple[int, ...]]:
    """The shape of every weight by its entry, without making any."""
    return {
        f"{layer.name}/{name}": shape for layer in model.layers for name, shape in layer.weight_shapes.items()
    }


def _arrays(model: Model) -> dict[str, NDArray]:
    return {
        f"{layer.name}/{name}": weight for layer in model.layers for name, weight in layer.weights.items()
    }


# Writing


def _write(path: Path, arrays: Mapping[str, NDArray]) -> None:
    for key, array in arrays.items():
        _finite(key, array)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("xb") as file:
            np.savez(file, **{FORMAT_ENTRY: _text(FORMAT)}, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise WeightsError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        unfinished.unlink(missing_ok=True)


def _text(text: str) -> NDArray[np.uint8]:
    """A text as an array of its bytes, which has a size that can be checked."""
    return np.frombuffer(text.encode(), np.uint8)


def _finite(key: str, array: NDArray) -> None:
    bad = array.size - np.isfinite(array).sum()
    if bad:
        layer, _, weight = key.rpartition("/")
        raise WeightsError(
            f"{layer}: {bad} of {array.size} numbers of {weight} are NaN or infinite; "
            "training has gone astray, so keep an earlier state"
        )


# Reading


@contextlib.contextmanager
def _open(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive, with everything that can be wrong with a file told as one line that names it."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except WeightsError as error:
        raise WeightsError(f"{path.name}: {error}") from None
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError):
        raise WeightsError(f"{path.name} is broken or no file of weights; save the weights anew") from None
    except (NotImplementedError, RuntimeError):  # an unknown compression; encrypted
        raise WeightsError(f"{path.name} is packed in a way that save never uses; it is foreign") from None


def _read_all(archive: zipfile.ZipFile, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray]:
    """All weights, of these shapes and no others, after the format has been looked at."""
    names = _names(archive)
    if FORMAT_ENTRY not in names or _read_text(archive, FORMAT_ENTRY, len(FORMAT)) != FORMAT:
        raise WeightsError(f"no file of weights that this library wrote (it would say {FORMAT!r})")
    entries = names - {FORMAT_ENTRY, NETWORK_ENTRY}
    if lacking := [key for key in shapes if key not in entries]:
        raise WeightsError(f"{_some(lacking)} is not in the file, which has {_some(sorted(entries))}")
    if foreign := sorted(entries - set(shapes)):
        raise WeightsError(f"the file has {_some(foreign)}, but the network has {_some(list(shapes))}")
    return {key: _read_weight(archive, key, shape) for key, shape in shapes.items()}


def _some(names: list[str]) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0][:80]!r}{more}" if names else "nothing"


def _names(archive: zipfile.ZipFile) -> set[str]:
    """What is in the archive, each once and each an array."""
    files = archive.namelist()
    names = {name.removesuffix(".npy") for name in files}
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
        raise NotImplementedError  # what is not compressed cannot unpack to more than the file
    if len(names) < len(files) or not all(name.endswith(".npy") for name in files):
        raise WeightsError("some entries are no arrays, or there twice; save never writes such a file")
    return names


def _read_weight(archive: zipfile.ZipFile, key: str, shape: tuple[int, ...]) -> NDArray:
    """One array of floats of this shape, nowhere NaN."""
    layer, _, weight = key.rpartition("/")
    with archive.open(f"{key}.npy") as stream:
        found, fortran, dtype = _header(stream, key)
        if dtype.kind != "f":
            raise WeightsError(f"{layer}: {weight} holds {dtype}, but weights are floats")
        if found != shape:
            raise WeightsError(f"{layer}: {weight} has shape {found} in the file, {shape} in the network")
        data = _exactly(stream, math.prod(shape) * dtype.itemsize, key)
    array = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    _finite(key, array)
    return array


def _read_text(archive: zipfile.ZipFile, key: str, most: int) -> str:
    """A text that is kept as an array of bytes, no longer than this."""
    with archive.open(f"{key}.npy") as stream:
        shape, _, dtype = _header(stream, key)
        if dtype != np.uint8 or len(shape) != 1 or shape[0] > most:
            raise WeightsError(f"{key} has shape {shape} of {dtype}; it must be at most {most} bytes of text")
        return _exactly(stream, shape[0], key).decode(errors="replace")


def _header(stream: IO[bytes], key: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """The shape, the order and the dtype that an entry begins with; objects are refused here."""
    try:
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise ValueError
        read = np.lib.format.read_array_header_1_0 if version[0] == 1 else np.lib.format.read_array_header_2_0
        with warnings.catch_warnings(action="ignore"):  # of headers that Python 2 wrote
            shape, fortran, dtype = read(stream, HEADER_BYTES)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError):
        raise WeightsError(f"{key[:80]} does not begin as an array of NumPy does") from None
    if dtype.hasobject:
        raise WeightsError(f"{key[:80]} holds Python objects, which are never read: they can run code")
    return shape, fortran, dtype


def _exactly(stream: IO[bytes], size: int, key: str) -> bytes:
    """So many bytes and no more: one more is asked for, none is kept, whatever the entry unpacks to."""
    data = stream.read(size + 1)
    if len(data) != size:
        long = "longer" if len(data) > size else "shorter"
        raise WeightsError(f"{key[:80]} is {long} than the {size} bytes that it announces")
    return data
