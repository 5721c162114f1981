"""Values that cross between the kernels: all of them arrive, and nothing else does, whoever sends it."""

from __future__ import annotations

import collections
import contextlib
import json
import math
import pickle
import socket
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import (
    array_shapes,
    arrays,
    boolean_dtypes,
    complex_number_dtypes,
    floating_dtypes,
    integer_dtypes,
    unicode_string_dtypes,
)

from grading import remote
from grading.remote import Handle, ProtocolError, Reader, Writer


def over(value: Any) -> Any:
    """The value after it has crossed as bytes."""
    writer = Writer([])
    data = writer.write(value)
    sent = remote.frame({"value": data}, writer.blobs)
    text, body = remote.lengths(sent[: remote.HEAD])
    assert body == len(sent) - remote.HEAD
    message, blobs = remote.unframe(text, sent[remote.HEAD :])
    return Reader(blobs, lambda *about: ("kept", *about)).read(message["value"])


def same(first: Any, second: Any) -> bool:
    """Equal in type and value all the way down, NaN to NaN and bit for bit."""
    if type(first) is not type(second):
        return False
    if isinstance(first, (np.ndarray, np.generic)):
        return (
            first.dtype == second.dtype
            and first.shape == second.shape
            and first.tobytes() == second.tobytes()
        )
    if isinstance(first, float):
        return first.hex() == second.hex()
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, dict):
        return same(list(first.items()), list(second.items()))
    return bool(first == second)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**200), 2**200)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.just(...)
    | st.builds(range, st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 3))
    | arrays(
        integer_dtypes()
        | floating_dtypes()
        | complex_number_dtypes()
        | boolean_dtypes()
        | unicode_string_dtypes(),
        array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    lambda one: (
        st.lists(one, max_size=4)
        | st.lists(one, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=5) | st.integers(), one, max_size=4)
        | st.frozensets(st.integers() | st.text(max_size=5), max_size=4)
    ),
    max_leaves=12,
)


@given(plain)
def test_plain_values_arrive_as_they_were(value: Any) -> None:
    assert same(over(value), value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda one: st.lists(one, max_size=4) | st.dictionaries(st.text(max_size=8), one, max_size=3),
    max_leaves=20,
)
KINDS = [
    "ellipsis", "str", "int", "float", "complex", "bytes", "range", "slice", "list", "tuple", "set",
    "frozenset", "dict", "array", "number", "argument", "model", "handle", "module", "object",
]  # fmt: skip
forged = st.recursive(
    json_values
    | st.builds(
        lambda kind, dtype, shape, blob: {kind: {"dtype": dtype, "shape": shape, "blob": blob}},
        st.sampled_from(["array", "number"]),
        st.sampled_from(
            ["<f8", "|O8", "O", "<U0", "<U4", "|b1", "i4,i4", "<M8[s]", "V8", "|S3", "<f16", ">c8", "x"]
        ),
        st.lists(st.integers(-2, 5) | st.just(10**30), max_size=4),
        st.integers(-1, 3) | st.booleans(),
    ),
    lambda one: st.builds(
        lambda kind, content: {kind: content}, st.sampled_from(KINDS), one | st.lists(one, max_size=3)
    ),
    max_leaves=12,
)


@given(forged, st.lists(st.binary(max_size=40), max_size=3))
def test_whatever_is_sent_is_a_value_or_refused(data: Any, blobs: list[bytes]) -> None:
    with contextlib.suppress(ProtocolError):
        value = Reader(blobs, lambda *about: Handle(), [np.zeros(2)]).read(data)
        assert_harmless(value)


def assert_harmless(value: Any) -> None:
    allowed = (
        type(None), bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict, range, slice,
        type(...), np.ndarray, Handle, types.ModuleType,
    )  # fmt: skip
    assert type(value) in allowed or isinstance(value, np.generic)
    if isinstance(value, (np.ndarray, np.generic)):
        assert value.dtype.kind in "biufcUS"
        str(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        for one in value:
            assert_harmless(one)


@given(st.binary(max_size=200))
def test_bytes_are_a_message_or_refused(sent: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        text, body = remote.lengths(sent[: remote.HEAD].ljust(remote.HEAD, b"\0"))
        assert text <= body <= remote.MOST_BYTES
        remote.unframe(min(text, len(sent)), sent[remote.HEAD :])


@pytest.mark.parametrize(
    ("data", "blobs"),
    [
        ({"int": "0x" + "f" * (remote.MOST_BITS // 2)}, []),  # a number that takes hours to print
        ({"array": {"dtype": "|O", "shape": [1], "blob": 0}}, [b"12345678"]),  # an address as an object
        ({"array": {"dtype": "|O8", "shape": [1], "blob": 0}}, [b"12345678"]),
        ({"array": {"dtype": "<U1", "shape": [1], "blob": 0}}, [b"\xff\xff\xff\xff"]),  # no character
        ({"array": {"dtype": "<f8", "shape": [-1, -1], "blob": 0}}, [bytes(8)]),
        ({"array": {"dtype": "<f8", "shape": [True], "blob": 0}}, [bytes(8)]),
        ({"number": {"dtype": "<f8", "shape": [1], "blob": 0}}, [bytes(8)]),
        ({"list": [{"array": {"dtype": "|u1", "shape": [1 << 24], "blob": 0}}] * 5}, [bytes(1 << 24)]),
        ({"list": [None] * (remote.MOST_VALUES + 2000)}, []),
        ({"argument": -1}, []),
        ({"argument": True}, []),
        ({"module": "os"}, []),
        ({"module": "antigravity"}, []),
        ({"dict": [[{"list": []}, None]]}, []),  # a list as a key
        ({"complex": [{"str": "1"}, {"float": "0x1p+0"}]}, []),
        ({"float": "1" * 400}, []),
        ({"int": True}, []),
        ({"pickle": "x"}, []),
        ({}, []),
        (3, []),
        ("text", []),
    ],
)  # fmt: skip
def test_forgeries_are_refused(data: Any, blobs: list[bytes]) -> None:
    with pytest.raises(ProtocolError):
        Reader(blobs, None, [np.zeros(1)]).read(data)


def test_strange_truths_become_plain_ones() -> None:
    value = Reader([b"\x00\x01\x07"]).read({"array": {"dtype": "|b1", "shape": [3], "blob": 0}})
    assert value.tobytes() == b"\x00\x01\x01"


def test_text_without_length_cannot_be_of_any_number() -> None:
    about = {"dtype": "<U0", "shape": [1 << 50], "blob": 0}
    assert Reader([b""]).read({"array": about}).size == 0


class Sly(int):
    """A number that is equal to all others."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


class SlyArray(np.ndarray):
    """An array that is equal to all others."""

    def __eq__(self, other: object) -> Any:
        return True

    __hash__ = None  # type: ignore[assignment]


class Meta(type):
    """A class that lies about its name."""

    @property
    def __name__(cls) -> str:  # type: ignore[override]
        return "int"


class Liar(metaclass=Meta):
    """Says that it is a number."""

    @property
    def __class__(self) -> type:  # type: ignore[override]
        return int


class Bomb:
    """Would run code where it is unpickled."""

    def __reduce__(self) -> Any:
        return (exec, ("raise SystemExit",))


@pytest.mark.parametrize(
    "value",
    [Sly(3), Liar(), Bomb(), object(), (n for n in ()), lambda: 1, int, sys, type("str", (str,), {})("x")],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_plain_value_stays_where_it_is(value: Any) -> None:
    arrived = over(value)
    assert arrived[0] == "kept"
    assert isinstance(arrived[1], str)


def test_a_lying_class_is_named_as_it_is() -> None:
    assert over(Liar())[1] == "Liar"


def test_subclasses_of_arrays_arrive_as_arrays() -> None:
    arrived = over(np.arange(3).view(SlyArray))
    assert type(arrived) is np.ndarray
    assert not (arrived == 7).any()


def test_objects_in_an_array_stay() -> None:
    assert over(np.array([Bomb()], dtype=object))[0] == "kept"


def test_a_list_in_itself_ends() -> None:
    endless: list[Any] = []
    endless.append(endless)
    value, depth = over(endless), 0
    while isinstance(value, list):
        value, depth = value[0], depth + 1
    assert value[0] == "kept"
    assert depth <= remote.MOST_DEPTH + 1


@pytest.mark.parametrize("kind", ["text", "number", "array", "bytes"])
def test_what_is_huge_stays(kind: str) -> None:
    value = {
        "text": "x" * (remote.MOST_TEXT + 1),
        "number": 1 << (remote.MOST_BITS + 8),
        "array": np.zeros(remote.MOST_BYTES, np.uint8),
        "bytes": bytes(remote.MOST_BYTES),
    }[kind]
    assert over(value)[0] == "kept"


def test_several_large_arrays_do_not_burst_the_message() -> None:
    large = np.zeros(remote.MOST_BYTES // 5, np.uint8)
    arrived = over([large] * 4)
    assert [type(one) is np.ndarray for one in arrived] == [True, True, False, False]


def test_named_tuples_arrive_as_tuples() -> None:
    pair = collections.namedtuple("pair", "a b")
    assert same(over(pair(1, 2.5)), (1, 2.5))


def test_modules_that_both_sides_have_arrive() -> None:
    assert over(np) is np
    assert over(math) is math
    assert over(pickle)[0] == "kept"


# --- A conversation -------------------------------------------------------------------------------------


@pytest.fixture
def talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Define something for the student, and get the examiner's end of a conversation with it."""
    door = tmp_path / "door"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(door))
    listener.listen(2)
    main = types.ModuleType("__main__")
    open_ends: list[Any] = []

    def relay(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(1 << 16):
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)

    def start(source: str) -> remote.Student:
        exec(source, main.__dict__)
        monkeypatch.setitem(sys.modules, "__main__", main)
        serving = threading.Thread(target=remote.serve, args=(str(door),), daemon=True)
        serving.start()
        theirs, _ = listener.accept()
        student = remote.Student(str(door))
        ours, _ = listener.accept()
        for pair in ((theirs, ours), (ours, theirs)):
            threading.Thread(target=relay, args=pair, daemon=True).start()
        open_ends.extend([student, theirs, ours])
        return student

    yield start
    for end in (*open_ends, listener):
        end.close()


def test_functions_are_called_where_they_are(talk: Any) -> None:
    student = talk("factor = 3\ndef times(x, y=2, *, z=0): return x * y * factor + z")
    (times,) = student.fetch(["times", "nothing"]).values()
    assert (times(5), times(5, 1), times(5, y=4, z=1)) == (30, 15, 61)
    assert times != times.__call__
    assert repr(times) == "<a function of the student's>"


@pytest.mark.parametrize(
    ("raised", "kind", "text"),
    [
        ("ValueError('no room')", ValueError, "no room"),
        ("ZeroDivisionError()", ZeroDivisionError, "^$"),
        ("type('Mine', (KeyError,), {})('x')", KeyError, "x"),
        ("SystemExit(0)", RuntimeError, "exit"),
        ("KeyboardInterrupt()", TimeoutError, "too long"),
        ("type('Odd', (BaseException,), {'__str__': lambda s: 1 / 0})()", RuntimeError, "^$"),
        ("UnicodeDecodeError('utf-8', b'', 0, 1, 'bad')", RuntimeError, "bad"),
    ],
)
def test_errors_cross_by_name(talk: Any, raised: str, kind: type[Exception], text: str) -> None:
    f = talk(f"def f(): raise {raised}").fetch(["f"])["f"]
    with pytest.raises(kind, match=text):
        f()


def test_what_a_function_changes_of_its_arguments_is_changed(talk: Any) -> None:
    f = talk("def f(a, l, d, s, t):\n  a += 1; l.append(3); d['k'] = 1; s.add(9)\n  return a").fetch(["f"])[
        "f"
    ]
    array, listed, named, some = np.zeros(2), [1], {}, {1}
    assert f(array, listed, named, some, (1,)) is array
    assert (array.tolist(), listed, named, some) == ([1, 1], [1, 3], {"k": 1}, {1, 9})


def test_objects_have_attributes_and_methods(talk: Any) -> None:
    student = talk(
        "class Layer:\n  def __init__(self, n): self.n = n\n  def forward(self, x): return x * self.n\n"
        "  def __eq__(self, other): return True\n  _own = 1"
    )
    layer = student.fetch(["Layer"])["Layer"](3)
    assert (layer.n, layer.forward(np.ones(2)).tolist()) == (3, [3, 3])
    assert layer != 3
    for name in ("_own", "nothing"):
        with pytest.raises(AttributeError):
            getattr(layer, name)


def test_generators_and_iterables_are_walked_through(talk: Any) -> None:
    student = talk(
        "def count(n): yield from range(n)\n"
        "class Two:\n  def __iter__(self): return iter((1, 2))\ntwo = Two()"
    )
    found = student.fetch(["count", "two"])
    assert list(found["count"](600)) == list(range(600))
    assert [list(found["two"]) for _ in range(2)] == [[1, 2], [1, 2]]
    endless = talk("import itertools").fetch(["itertools"])
    assert isinstance(endless["itertools"], Handle)


def test_what_is_printed_is_kept_up_to_a_limit(talk: Any, capsys: pytest.CaptureFixture[str]) -> None:
    f = talk("def f(): print('x' * 6000)").fetch(["f"])["f"]
    for _ in range(4):
        f()
    assert 6000 < len(capsys.readouterr().out) <= remote.MOST_PRINTED


def test_a_value_that_cannot_be_looked_at_harms_no_other(talk: Any) -> None:
    student = talk(
        "class Meta(type):\n  def __getattr__(self, name): raise OSError\n"
        "class Sore(tuple, metaclass=Meta): pass\nsore = Sore()\nsound = 3"
    )
    found = student.fetch(["sore", "sound"])
    assert found["sound"] == 3
    assert isinstance(found["sore"], Handle)


def test_the_end_of_the_student_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(remote.Line, "to", classmethod(lambda cls, address: cls(ours)))
    student = remote.Student()
    theirs.close()
    with ours, pytest.raises(remote.Gone):
        student.fetch(["x"])


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"value": {"int": 3}},
        {"value": 7},
        {"raised": 7},
        {"raised": {"types": 5}},
        {"changed": {"x": None}, "value": None},
        {"changed": {"9": None}, "value": None},
        {"values": [1]},
    ],
)
def test_forged_replies_are_errors_of_the_call(
    reply: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        monkeypatch.setattr(remote.Line, "to", classmethod(lambda cls, address: cls(ours)))
        student = remote.Student()
        theirs.sendall(remote.frame(reply, []))
        with pytest.raises(Exception):  # noqa: B017, PT011  # any: the test that asked fails, and nothing else
            student._call(0, [np.zeros(1)], {})


def test_wanted_names() -> None:
    names, quoted = remote.wanted("import x\nmarks.check('height', task(width)); print(sorted(b))")
    assert names == {"marks", "task", "width", "b"}
    assert quoted == {"height"}
    assert remote.wanted("def (") == (set(), set())


# --- Models ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "part",
    [
        {"class_name": "Lambda", "module": "keras.layers", "config": {}},
        {"class_name": "Dense", "module": "os", "config": {}},
        {"class_name": "Dense", "module": "keras.layers.os", "registered_name": "evil>Dense"},
        {"class_name": "function", "module": "subprocess", "config": "Popen"},
        {"class_name": "__lambda__", "config": {"value": "x"}},
        {"class_name": "__typespec__", "module": "os", "spec_name": "x"},
        {"class_name": "TFSMLayer", "module": "keras.layers", "config": {"filepath": "/etc"}},
        {"class_name": "StringLookup", "module": "keras.layers", "config": {"vocabulary": "/etc/passwd"}},
        {"class_name": "get_file", "module": "keras.utils", "config": {}},
        {"class_name": "Model", "module": "keras.src.saving.saving_lib"},
        {"class_name": ["Dense"], "module": "keras.layers"},
        {"class_name": "Dense", "module": None},
        {"class_name": "Dense"},
        {"module": "keras.layers"},
    ],
)
def test_models_with_parts_that_are_not_keras_own_are_refused(part: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        remote.refuse_code({"class_name": "Sequential", "module": "keras", "config": {"layers": [part]}})


@pytest.mark.keras
def test_models_arrive_with_their_weights() -> None:
    import keras

    layers = keras.layers
    chain = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, activation="relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.RandomFlip(),
            layers.Flatten(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    chain.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    start = keras.Input((8, 8, 3))
    kept = layers.Add()([layers.Conv2D(3, 3, padding="same")(start), start])
    graph = keras.Model(start, layers.GlobalAveragePooling2D()(keras.ops.relu(kept) * 2 + start[..., :1]))
    for model in (chain, graph):
        arrived = over(model)
        assert type(arrived) is type(model)
        assert arrived is not model
        assert all(
            np.array_equal(a, b) for a, b in zip(arrived.get_weights(), model.get_weights(), strict=True)
        )
        picture = np.random.default_rng(0).normal(size=(1, 8, 8, 3))
        assert np.array_equal(arrived(picture, training=False), model(picture, training=False))


@pytest.mark.keras
def test_models_that_run_code_do_not_arrive() -> None:
    import keras

    class Mine(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x

    for layer in (keras.layers.Lambda(lambda x: x), Mine()):
        model = keras.Sequential([keras.Input((3,)), layer])
        assert over(model)[:2] == ("kept", "Model")


@pytest.mark.keras
def test_a_forged_model_is_none() -> None:
    for about in (
        {"config": "{}"},
        {"config": json.dumps({"class_name": "Dense", "module": "keras.layers"})},
        {},
        3,
    ):
        with contextlib.suppress(ProtocolError):
            assert Reader([], lambda *about: "handle").read({"model": about}) == "handle"
