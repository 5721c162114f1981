"""Weights from a file that PyTorch wrote, read by NumPy alone and without running anything in it.

Chapter 13. ``torch.save`` wrote, before version 1.6, a chain of five pickles (a magic number, a protocol
number, facts about the machine, the dictionary of tensors, the list of the storages' keys) and after it
each storage: how many numbers it has, as an int64, and the numbers as they lie in memory. A tensor is a
view of a storage: where it begins, its sizes, and its strides.

A pickle is a small program: it may name any function and have it called, which is why strange files
must never be given to ``pickle.load``. Here nothing in the file is ever called. The instructions that a
dictionary of tensors needs are carried out one by one by ``_unpickle``, whose only "functions" are the
two that describe tensors; every other instruction or name is refused.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlib.weights import WeightsError

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
#: PyTorch's kinds of storage, and how their numbers lie in the file.
STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "|b1",
}
#: A file of more bytes than this is refused before it is read.
LARGEST = 2**31


class TorchFileError(WeightsError):
    """A file that is not what PyTorch writes for a dictionary of tensors, or that is damaged."""


@dataclass(frozen=True)
class _Named:
    """A name that a pickle may mention. It stands for itself; nothing is imported."""

    module: str
    name: str


@dataclass(frozen=True)
class _Storage:
    """A storage that a tensor refers to; its numbers come later in the file."""

    key: str
    dtype: np.dtype
    count: int


@dataclass(frozen=True)
class _Tensor:
    """A tensor as the pickle describes it: where it lies in its storage, in elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


_DICT = _Named("collections", "OrderedDict")
_REBUILD = _Named("torch._utils", "_rebuild_tensor_v2")
_ADMITTED = {_DICT, _REBUILD} | {_Named("torch", name) for name in STORAGES}


def read(path: str | Path) -> dict[str, NDArray]:
    """Read the tensors of a file that ``torch.save(model.state_dict(), path)`` wrote before PyTorch 1.6.

    Tensors that share a storage share memory, as they do in PyTorch.

    Returns:
        arrays by name, in the file's order, each in PyTorch's own layout: a convolution's kernel is
        (filters, channels, height, width), a dense layer's (units, inputs).

    Raises:
        TorchFileError: the file is of another kind, cut short or damaged; it names something other than
            tensors; sizes do not fit; a number is NaN or infinite.

    >>> read("README.md")
    Traceback (most recent call last):
        ...
    cnnlib.torch_file.TorchFileError: README.md, read as weights from PyTorch: it does not begin with a pickle
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise TorchFileError(f"{path} is not a file")
        if size > LARGEST:
            raise TorchFileError(f"{path} has {size:,} bytes; files of up to {LARGEST:,} are read")
        data = path.read_bytes()
    except OSError as error:
        raise TorchFileError(f"{path} cannot be read: {error.strerror}") from None
    try:
        return _tensors(data)
    except TorchFileError as error:
        raise TorchFileError(f"{path.name}, read as weights from PyTorch: {error}") from None


def _tensors(data: bytes) -> dict[str, NDArray]:
    if data[:4] == b"PK\x03\x04":
        raise TorchFileError(
            "it is a zip archive, the form since PyTorch 1.6; "
            "write it with torch.save(…, _use_new_zipfile_serialization=False)"
        )
    if data[:1] != b"\x80":
        raise TorchFileError("it does not begin with a pickle")
    stream = io.BytesIO(data)
    _expect("magic number", _unpickle(stream), MAGIC)
    _expect("protocol", _unpickle(stream), PROTOCOL)
    machine = _unpickle(stream)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise TorchFileError("its numbers are not in little-endian order")
    described, keys = _unpickle(stream), _unpickle(stream)
    if not isinstance(described, dict):
        raise TorchFileError(f"it holds a {type(described).__name__}, not a dictionary of tensors")
    wanted = _storages(described)
    if not isinstance(keys, list) or len(keys) != len(wanted) or set(map(_text, keys)) != wanted.keys():
        raise TorchFileError("its list of storages is not that of its tensors")
    numbers = {key: _numbers(stream, wanted[key]) for key in keys}
    if rest := len(data) - stream.tell():
        raise TorchFileError(f"{rest:,} bytes follow its last storage")
    return {name: _view(name, tensor, numbers[tensor.storage.key]) for name, tensor in described.items()}


def _expect(what: str, found: Any, wanted: int) -> None:
    if type(found) is not int or found != wanted:
        raise TorchFileError(f"its {what} is {_short(found)}, not {wanted}")


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TorchFileError(f"a name is {_short(value)}, not text")
    return value


def _short(value: Any) -> str:
    """A word on a value of the file that is no longer than a line, whatever the value is."""
    if type(value) is int:
        return str(value) if value.bit_length() <= 128 else f"a number of {value.bit_length()} bits"
    return repr(value[:40]) if type(value) is str else f"a {type(value).__name__}"


def _storages(described: dict[str, Any]) -> dict[str, _Storage]:
    """The storages that the tensors lie in, by key; each has one kind and one size."""
    found: dict[str, _Storage] = {}
    for name, tensor in described.items():
        if not isinstance(tensor, _Tensor):
            raise TorchFileError(f"{_short(name)} is a {type(tensor).__name__}, not a tensor")
        storage = tensor.storage
        if found.setdefault(storage.key, storage) != storage:
            raise TorchFileError(f"storage {_short(storage.key)} is described in two ways")
    return found


def _numbers(stream: io.BytesIO, storage: _Storage) -> NDArray:
    """Read the next storage: an int64 count and that many numbers."""
    where = f"storage {_short(storage.key)}"
    head = stream.read(8)
    if len(head) < 8:
        raise TorchFileError(f"it ends before {where}; the file was cut short")
    count = int.from_bytes(head, "little", signed=True)
    if count != storage.count:
        raise TorchFileError(f"{where} has {count} numbers where {storage.count} were announced")
    wanted = count * storage.dtype.itemsize
    left = len(stream.getbuffer()) - stream.tell()
    if wanted > left:
        raise TorchFileError(f"{where} needs {wanted:,} bytes and {left:,} are left; the file was cut short")
    # A copy: the bytes in the file need not be aligned as NumPy likes them.
    return np.frombuffer(stream.read(wanted), storage.dtype).astype(storage.dtype.newbyteorder("="))


def _view(name: str, tensor: _Tensor, numbers: NDArray) -> NDArray:
    """The tensor as a view of its storage, which it must not leave, nor enlarge."""
    size = math.prod(tensor.shape)
    if size > len(numbers) or math.prod(n for n in tensor.shape if n) > LARGEST:
        largest = _short(max(tensor.shape, default=1))
        raise TorchFileError(
            f"tensor {_short(name)} has {_short(size)} numbers in sizes of up to {largest}, "
            f"and its storage {len(numbers)}"
        )
    last = tensor.offset + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.strides, strict=True))
    if size and last >= len(numbers):
        raise TorchFileError(
            f"tensor {_short(name)} reaches number {_short(last)} of a storage of {len(numbers)}"
        )
    if not size:
        return np.empty(tensor.shape, numbers.dtype)
    steps = tuple(s * numbers.itemsize for s in tensor.strides)
    values = np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, steps)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        bad = size - int(np.isfinite(values).sum())
        raise TorchFileError(f"tensor {_short(name)} has {bad} of {size} numbers that are NaN or infinite")
    return values


# -- the pickle -----------------------------------------------------------------------------------

_MARK = object()


def _unpickle(stream: io.BytesIO) -> Any:
    """Carry out one pickle, as far as a dictionary of tensors needs it.

    The result is made of int, bool, None, str, tuple, list, dict with text as keys, and the classes
    above. An instruction that is not in :data:`_INSTRUCTIONS` is refused before its argument is read.
    """
    machine = _Machine()
    while (code := stream.read(1)) != pickle.STOP:
        if not code:
            raise TorchFileError("its pickle is cut short")
        if code not in _OPCODES:
            raise TorchFileError(f"its pickle has the instruction {code!r}, which no tensor needs")
        opcode = _OPCODES[code]
        try:
            argument = opcode.arg.reader(stream) if opcode.arg else None
        except ValueError:  # of the standard library: bytes are lacking, or are no text
            raise TorchFileError("its pickle is damaged or cut short") from None
        _INSTRUCTIONS[opcode.name](machine, argument)
    return machine.pop()


class _Machine:
    """The stack and the memory on which a pickle works."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memory: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise TorchFileError("its pickle takes more values than it has made")
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        value = self.stack[-1] if self.stack else None
        if type(value) is not kind:
            raise TorchFileError(f"its pickle fills a {type(value).__name__} as if it were a {kind.__name__}")
        return value

    def since_mark(self) -> list[Any]:
        values = []
        while self.stack and self.stack[-1] is not _MARK:
            values.append(self.stack.pop())
        if not self.stack:
            raise TorchFileError("its pickle takes more values than it has made")
        self.stack.pop()
        return values[::-1]

    def take(self, count: int) -> tuple[Any, ...]:
        return tuple([self.pop() for _ in range(count)][::-1])

    def remember(self, place: int) -> None:
        value = self.pop()
        self.memory[place] = value
        self.push(value)

    def recall(self, place: int) -> None:
        if place not in self.memory:
            raise TorchFileError("its pickle recalls what it never made")
        self.push(self.memory[place])

    def fill_dict(self, values: list[Any]) -> None:
        if len(values) % 2:
            raise TorchFileError("its pickle has a key without a value")
        target = self.top(dict)
        for key, value in zip(values[::2], values[1::2], strict=True):
            if _text(key) in target:
                raise TorchFileError(f"the name {_short(key)} stands for two tensors")
            target[key] = value

    def name(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        named = _Named(module, name)
        if named not in _ADMITTED:
            raise TorchFileError(
                f"its pickle asks for {module[:40]}.{name[:40]}, which is no part of a tensor"
            )
        self.push(named)

    def storage(self) -> None:
        """A reference to a storage: ("storage", kind, key, device, count, None)."""
        match self.pop():
            case ("storage", _Named("torch", kind), str(key), str(), int(count), None) if (
                type(count) is int and count >= 0
            ):
                self.push(_Storage(key, np.dtype(STORAGES[kind]), count))
            case _:
                raise TorchFileError("its pickle refers to something that is not a storage of numbers")

    def call(self) -> None:
        """The two calls that describe tensors; they make values of this module and nothing else."""
        arguments, function = self.pop(), self.pop()
        if function == _DICT and arguments == ():
            self.push({})
            return
        match arguments:
            case (_Storage() as storage, int(offset), tuple(shape), tuple(strides), bool(), {**hooks}) if (
                function == _REBUILD and not hooks
            ):
                numbers = (offset, *shape, *strides)
                if len(shape) != len(strides) or any(type(n) is not int or n < 0 for n in numbers):
                    raise TorchFileError(
                        "a tensor's offset, sizes or strides are not counts that fit together"
                    )
                if len(shape) > 32:
                    raise TorchFileError(f"a tensor has {len(shape)} axes; at most 32 are read")
                self.push(_Tensor(storage, offset, shape, strides))
            case _:
                raise TorchFileError("its pickle calls something that describes no tensor")

    def state(self) -> None:
        """PyTorch hangs its own notes (versions of layers) on the dictionary; they are left out."""
        self.pop()
        self.top(dict)


_INSTRUCTIONS: dict[str, Callable[[_Machine, Any], Any]] = (
    {
        "PROTO": lambda machine, _: None,
        "NONE": lambda machine, _: machine.push(None),
        "NEWTRUE": lambda machine, _: machine.push(True),
        "NEWFALSE": lambda machine, _: machine.push(False),
        "EMPTY_TUPLE": lambda machine, _: machine.push(()),
        "EMPTY_LIST": lambda machine, _: machine.push([]),
        "EMPTY_DICT": lambda machine, _: machine.push({}),
        "MARK": lambda machine, _: machine.push(_MARK),
        "TUPLE": lambda machine, _: machine.push(tuple(machine.since_mark())),
        "TUPLE1": lambda machine, _: machine.push(machine.take(1)),
        "TUPLE2": lambda machine, _: machine.push(machine.take(2)),
        "TUPLE3": lambda machine, _: machine.push(machine.take(3)),
        "APPENDS": lambda machine, _: (values := machine.since_mark(), machine.top(list).extend(values)),
        "APPEND": lambda machine, _: (value := machine.pop(), machine.top(list).append(value)),
        "SETITEM": lambda machine, _: machine.fill_dict(list(machine.take(2))),
        "SETITEMS": lambda machine, _: machine.fill_dict(machine.since_mark()),
        "GLOBAL": lambda machine, argument: machine.name(argument),
        "BINPERSID": lambda machine, _: machine.storage(),
        "REDUCE": lambda machine, _: machine.call(),
        "BUILD": lambda machine, _: machine.state(),
    }
    | {
        name: lambda machine, argument: machine.push(argument)
        for name in ("BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "SHORT_BINUNICODE")
    }
    | {name: lambda machine, argument: machine.remember(argument) for name in ("BINPUT", "LONG_BINPUT")}
    | {name: lambda machine, argument: machine.recall(argument) for name in ("BINGET", "LONG_BINGET")}
)

#: Those instructions by their byte, with the standard library's readers of their arguments.
_OPCODES = {op.code.encode("latin-1"): op for op in pickletools.opcodes if op.name in _INSTRUCTIONS}
