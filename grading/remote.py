"""How the examiner asks a student's kernel for answers: values cross as data, never as pickles or code.

Two kernels take part, each in a sandbox of its own. In the student's, :func:`serve` looks names up, calls
functions and tells what came of it. In the examiner's, where the tests run, a :class:`Student` asks. What
crosses is numbers, text, containers, arrays, and Keras models as their configuration; anything else stays
where it is, and the examiner gets a :class:`Handle` that can be called and walked through, if the thing can,
and asked for attributes: it equals nothing but itself, whatever its owner would have it say. Nothing that
the student's side sends is believed: each message is read by the rules below, or not at all.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import io
import itertools
import json
import keyword
import math
import os
import re
import signal
import socket
import struct
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import numpy as np

#: Where each side finds the other: a local socket that the grader listens at.
DOOR = "/run/course/me/door"
#: The largest message, and the most values in one.
MOST_BYTES, MOST_VALUES, MOST_DEPTH = 64 << 20, 200_000, 24
#: The longest JSON in a message, the longest text and whole number in it (in characters and bits).
MOST_JSON, MOST_TEXT, MOST_BITS = 16 << 20, 1 << 20, 1 << 20
#: The most weights that a model may bring along.
MOST_WEIGHTS = MOST_BYTES // 16
#: What functions print while a test tries them is kept up to here.
MOST_PRINTED = 10_000
#: How many things of an iterable are asked for at once.
MOST_ITEMS = 256
#: Modules that may be an answer's (``import numpy as np`` in a student's cell): those already here, by name.
MODULES = ("cnnlib", "keras", "math", "matplotlib", "matplotlib.pyplot", "numpy", "scipy", "tensorflow")

_HEAD = struct.Struct("!II")
_KINDS_OF_DTYPES = "biufcUS"
_DTYPE = re.compile(r"[<>|=][biufcUS]\d{1,6}")


class ProtocolError(Exception):
    """The other side sent what is no message."""


# --- Frames: a head with two lengths, JSON, and the bytes of arrays ---------------------------------------


def frame(message: Mapping[str, Any], blobs: list[bytes]) -> bytes:
    """A message and its blobs as bytes."""
    text = json.dumps({**message, "blobs": [len(blob) for blob in blobs]}).encode()
    body = b"".join([text, *blobs])
    if len(body) > MOST_BYTES or len(text) > MOST_JSON:
        raise ProtocolError(f"{len(body)} bytes are too many")
    return _HEAD.pack(len(text), len(body)) + body


def lengths(head: bytes) -> tuple[int, int]:
    """The length of the JSON and of all that follows the head."""
    text, body = _HEAD.unpack(head)
    if not (text <= body <= MOST_BYTES and text <= MOST_JSON):
        raise ProtocolError(f"a message of {body} bytes, {text} of them JSON")
    return text, body


#: Bytes before each message.
HEAD = _HEAD.size


def unframe(text: int, body: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """The message and its blobs."""
    try:
        message = json.loads(body[:text])
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"no JSON ({error})") from None
    if not isinstance(message, dict) or not isinstance(message.get("blobs"), list):
        raise ProtocolError("no message")
    blobs, at = [], text
    for length in message["blobs"]:
        if type(length) is not int or not 0 <= length <= len(body) - at:
            raise ProtocolError("blobs that do not fit")
        blobs.append(body[at : at + length])
        at += length
    return message, blobs


class Line:
    """A connected socket that carries messages."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    @classmethod
    def to(cls, address: str = DOOR) -> Line:
        """Connect."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(address)
        return cls(connection)

    def send(self, message: Mapping[str, Any], blobs: list[bytes]) -> None:
        """Send one message."""
        self._connection.sendall(frame(message, blobs))

    def receive(self) -> tuple[dict[str, Any], list[bytes]]:
        """Receive one message; :class:`EOFError` where the other side is gone."""
        text, body = lengths(self._exactly(HEAD))
        return unframe(text, self._exactly(body))

    def _exactly(self, count: int) -> bytes:
        pieces = bytearray()
        while len(pieces) < count:
            piece = self._connection.recv(min(count - len(pieces), 1 << 20))
            if not piece:
                raise EOFError
            pieces += piece
        return bytes(pieces)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


# --- Values as data ---------------------------------------------------------------------------------------


class Writer:
    """Turns values into data; what cannot be data is kept, and its number written instead."""

    def __init__(self, kept: list[Any] | None = None, arguments: list[Any] | None = None) -> None:
        self.blobs: list[bytes] = []
        self._kept = kept
        self._arguments = arguments or []
        self._count = 0
        self._left = MOST_BYTES // 2

    def write(self, value: Any, depth: int = 0) -> Any:  # noqa: PLR0911, PLR0912  # one return a kind
        """The value as data for JSON."""
        self._count += 1
        kind = type(value)
        many = len(value) if kind in (list, tuple, set, frozenset, dict) else 0
        if self._count + many > MOST_VALUES or depth > MOST_DEPTH:
            return self._keep(value)
        for index, given in enumerate(self._arguments):
            if value is given and isinstance(value, np.ndarray):
                return {"argument": index}
        if value is None or kind is bool:
            return value
        if value is ...:
            return {"ellipsis": 1}
        if kind is str:
            return {"str": value} if len(value) <= MOST_TEXT else self._keep(value)
        if kind is int:
            return {"int": hex(value)} if value.bit_length() <= MOST_BITS else self._keep(value)
        if kind is float:
            return {"float": value.hex() if math.isfinite(value) else repr(value)}
        if kind is complex:
            return {"complex": [self.write(value.real), self.write(value.imag)]}
        if kind in (bytes, bytearray):
            return {"bytes": self._blob(bytes(value))} if len(value) <= self._left else self._keep(value)
        if kind is types.ModuleType and value.__name__ in MODULES:
            return {"module": value.__name__}
        if kind is range:
            return {"range": [hex(value.start), hex(value.stop), hex(value.step)]}
        if kind is slice:
            return {"slice": [self.write(part, depth + 1) for part in (value.start, value.stop, value.step)]}
        if kind in (list, tuple, set, frozenset):
            return {kind.__name__: [self.write(part, depth + 1) for part in value]}
        if kind is dict:
            pairs = [[self.write(k, depth + 1), self.write(v, depth + 1)] for k, v in value.items()]
            return {"dict": pairs}
        if isinstance(value, tuple) and hasattr(kind, "_fields"):
            return {"tuple": [self.write(part, depth + 1) for part in tuple.__iter__(value)]}
        if isinstance(value, (np.ndarray, np.generic)):
            return self._array(value)
        return self._foreign(value)

    def whatever(self, value: Any) -> Any:
        """The value as data, or kept where it cannot even be looked at: others must not suffer from it."""
        try:
            return self.write(value)
        except Exception:
            return self._keep(value)

    def anew(self, value: Any) -> Any:
        """The value as data even where it is one of the arguments."""
        self._arguments = []
        return self.write(value)

    def _array(self, value: Any) -> Any:
        array = np.asarray(value)
        if array.dtype.kind not in _KINDS_OF_DTYPES or array.nbytes > self._left:
            return self._keep(value)
        about = {"dtype": array.dtype.str, "shape": list(array.shape), "blob": self._blob(array.tobytes())}
        return {"array" if isinstance(value, np.ndarray) else "number": about}

    def _foreign(self, value: Any) -> Any:
        """Tensors as arrays, Keras models as their configuration; anything else is kept."""
        keras = sys.modules.get("keras")
        with contextlib.suppress(Exception):
            if keras is not None and isinstance(value, keras.Model):
                return self._model(keras, value)
            if keras is not None and (keras.ops.is_tensor(value) or isinstance(value, keras.Variable)):
                return self._array(np.asarray(value))
            if type(value).__name__ == "TensorShape":
                return self.write(tuple(value.as_list()))
        return self._keep(value)

    def _model(self, keras: Any, model: Any) -> Any:
        config = json.dumps(keras.saving.serialize_keras_object(model))
        about: dict[str, Any] = {"config": config, "built": bool(model.built), "weights": []}
        if model.built and model.count_params() < MOST_WEIGHTS:
            about["weights"] = [self._array(np.asarray(w)) for w in model.get_weights()]
        return {"model": about}

    def _keep(self, value: Any) -> Any:
        kind = type(value)
        iterable = any("__iter__" in one.__dict__ for one in kind.__mro__)
        name = type.__dict__["__name__"].__get__(kind)[:80]  # past what a metaclass may say
        about = {"type": name, "callable": callable(value), "iterable": iterable}
        if self._kept is not None:
            self._kept.append(value)
            about["number"] = len(self._kept) - 1
        return {"handle": about}

    def _blob(self, content: bytes) -> int:
        self._left -= len(content)
        self.blobs.append(content)
        return len(self.blobs) - 1


class Reader:
    """Turns data back into values, trusting none of it."""

    def __init__(
        self, blobs: list[bytes], handle: Callable[..., Any] | None = None, arguments: list[Any] | None = None
    ) -> None:
        self._blobs, self._handle, self._arguments, self._count = blobs, handle, arguments or [], 0
        self._left = MOST_BYTES  # many arrays may name the same bytes

    def read(self, data: Any, depth: int = 0) -> Any:
        """The value."""
        self._count += 1
        if self._count > MOST_VALUES + 1000 or depth > MOST_DEPTH + 2:
            raise ProtocolError("too many values, or too deep")
        if data is None or isinstance(data, bool):
            return data
        if not isinstance(data, dict) or len(data) != 1:
            raise ProtocolError("no value")
        ((kind, content),) = data.items()
        try:
            return self._one(kind, content, depth)
        except ProtocolError:
            raise
        except Exception as error:
            raise ProtocolError(f"a {kind} that is none ({type(error).__name__})") from None

    def _one(self, kind: str, content: Any, depth: int) -> Any:  # noqa: PLR0911, PLR0912  # one return a kind
        if kind == "ellipsis":
            return ...
        if kind == "str":
            return self._expect(str, content)
        if kind == "int":
            return self._int(content)
        if kind == "module":
            return self._module(content)
        if kind == "float":
            text = self._expect(str, content)
            return float(text) if text in ("inf", "-inf", "nan") else float.fromhex(text)
        if kind == "complex":
            real, imaginary = (self._expect(float, self.read(part, depth + 1)) for part in content)
            return complex(real, imaginary)
        if kind == "bytes":
            return self._blob(content)
        if kind == "range":
            return range(*(self._int(part) for part in self._expect(list, content)))
        if kind == "slice":
            return slice(*(self.read(part, depth + 1) for part in self._expect(list, content)))
        if kind in ("list", "tuple", "set", "frozenset"):
            return getattr(builtins, kind)(self.read(part, depth + 1) for part in self._expect(list, content))
        if kind == "dict":
            return {self.read(k, depth + 1): self.read(v, depth + 1) for k, v in content}
        if kind == "array":
            return self._array(content)
        if kind == "number":
            array = self._array(content)
            if array.shape != ():
                raise ProtocolError("a number that is an array")
            return array[()]
        if kind == "argument" and self._expect(int, content) >= 0:
            return self._arguments[content]
        if kind == "model":
            return self._model(content)
        if kind == "handle" and self._handle is not None:
            name = str(content["type"])
            able = {what for what in ("callable", "iterable") if content.get(what) is True}
            return self._handle(name, able, content.get("number"))
        raise ProtocolError(f"unknown kind {kind!r}")

    def _array(self, about: Mapping[str, Any]) -> np.ndarray:
        if not _DTYPE.fullmatch(self._expect(str, about["dtype"])):
            raise ProtocolError("no dtype")
        dtype = np.dtype(about["dtype"])
        shape = tuple(self._expect(int, n) for n in self._expect(list, about["shape"]))
        content = self._blob(about["blob"])
        if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(content):
            raise ProtocolError("an array that does not fit its bytes")
        self._left -= len(content)
        if self._left < 0:
            raise ProtocolError("arrays that are too large together")
        if not content:  # also text of no length, of which there may be any number
            return np.empty(shape, dtype) if math.prod(shape) <= MOST_VALUES else np.empty(0, dtype)
        array = np.frombuffer(content, dtype).reshape(shape).copy()
        if dtype.kind == "b":
            array = array.view(np.uint8) != 0  # a byte that is neither 0 nor 1 is a strange truth
        elif dtype.kind == "U" and array.view(dtype.byteorder + "u4").max() > sys.maxunicode:
            raise ProtocolError("text that is none")
        return array

    def _int(self, content: Any) -> int:
        if len(self._expect(str, content)) > MOST_BITS // 4 + 4:
            raise ProtocolError("a number that is too large")
        return int(content, 16)

    def _module(self, content: Any) -> Any:
        if content not in MODULES or content not in sys.modules:
            raise ProtocolError("no module")
        return sys.modules[content]

    def _model(self, about: Mapping[str, Any]) -> Any:
        """The model built anew from its configuration, of Keras' own parts alone, and never from a file."""
        import keras

        try:
            config = json.loads(self._expect(str, about["config"]))
            refuse_code(config)
            model = keras.saving.deserialize_keras_object(config, safe_mode=True)
            if not isinstance(model, keras.Model):
                raise TypeError
            if about["weights"] and model.built:
                model.set_weights([self._array(w["array"]) for w in about["weights"]])
        except Exception:
            return self._handle("Model", set(), None) if self._handle else None
        return model

    def _blob(self, index: Any) -> bytes:
        return self._blobs[self._expect(int, index)]

    @staticmethod
    def _expect(kind: type, content: Any) -> Any:
        if type(content) is not kind:
            raise ProtocolError(f"{type(content).__name__} where {kind.__name__} belongs")
        return content


#: Where a model's parts come from; what else stands for a value in a configuration; and parts that run code,
#: read files or start other frameworks.
_KERAS = re.compile(
    r"builtins|keras(\.src)?(\.(layers|models|initializers|regularizers|constraints|activations|losses|metrics"
    r"|optimizers|ops|dtype_policies|random)(\.\w+)*)?"
)
_VALUES = ("__keras_tensor__", "__tensor__", "__numpy__", "__ellipsis__", "__slice__", "__bytes__")
_NO_PARTS = re.compile(
    r"_|Lambda|TFSM|Torch|Jax|Flax|.*(Lookup|Vectorization|Hashing|PyFunction)|(Map|Cond|Scan)$"
)


def refuse_code(config: Any) -> None:
    """Raise :class:`ProtocolError` unless a model's configuration names nothing but parts of Keras itself.

    Keras' safe mode refuses lambdas alone; what it may import, and from where, has had holes before.
    """
    waiting = [config]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        if not isinstance(one, dict):
            continue
        waiting += one.values()
        if not {"class_name", "module", "registered_name", "shared_object_id"} & one.keys():
            continue
        name, module = one.get("class_name"), one.get("module")
        if module is None and name in _VALUES:
            continue
        if not isinstance(name, str) or not name.isidentifier() or _NO_PARTS.match(name):
            raise ProtocolError(f"a model with a part called {str(name)[:80]!r}")
        if not isinstance(module, str) or not _KERAS.fullmatch(module):
            raise ProtocolError(f"a model with a part of {str(module)[:80]!r}")
        if one.get("registered_name") not in (None, name):
            raise ProtocolError(f"a model with a part registered as {str(one['registered_name'])[:80]!r}")


# --- The student's side -----------------------------------------------------------------------------------


def serve(address: str = DOOR) -> None:
    """Answer the examiner until it hangs up. Runs as a cell of the student's kernel, in its main thread."""
    namespace = sys.modules["__main__"].__dict__
    kept: list[Any] = []
    line = Line.to(address)
    with contextlib.suppress(EOFError, OSError):
        while True:
            message, blobs = line.receive()
            try:
                reply, sent = _answer(message, blobs, namespace, kept)
                ready = frame(reply, sent)
            except BaseException as error:  # a value that cannot even be looked at
                ready = frame({"raised": _told(error)}, [])
            line._connection.sendall(ready)
    line.close()


def _answer(
    message: dict[str, Any], blobs: list[bytes], namespace: Mapping[str, Any], kept: list[Any]
) -> tuple[dict[str, Any], list[bytes]]:
    writer = Writer(kept)
    if message["ask"] == "names":
        found = {n: writer.whatever(namespace[n]) for n in message["names"] if n in namespace}
        return {"values": found}, writer.blobs
    if message["ask"] == "attribute":
        return {"value": writer.write(getattr(kept[message["number"]], message["name"]))}, writer.blobs
    if message["ask"] == "next":
        walk = message["walk"]
        if walk is None:
            walk = len(kept)
            kept.append(iter(kept[message["number"]]))
        items = list(itertools.islice(kept[walk], MOST_ITEMS))
        return {"value": writer.write(items), "walk": walk}, writer.blobs
    reader = Reader(blobs)
    arguments = [reader.read(part) for part in message["arguments"]]
    options = {name: reader.read(part) for name, part in message["options"].items()}
    before = [_state(argument) for argument in arguments]
    printed = _Printed()
    writer = Writer(kept, arguments)
    reply: dict[str, Any] = {}
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(_Printed()):
        try:
            reply["value"] = writer.write(kept[message["number"]](*arguments, **options))
        except BaseException as error:  # also exit() and the interrupt after too long a time
            reply = {"raised": _told(error)}
    changed = {
        str(index): writer.anew(now)
        for index, (then, now) in enumerate(zip(before, arguments, strict=True))
        if then is not None and then != _state(now)
    }
    return {**reply, "changed": changed, "printed": printed.getvalue()}, writer.blobs


def _state(value: Any) -> bytes | None:
    """What a function might change of an argument, to be compared; None where it cannot."""
    if type(value) in (np.ndarray, list, dict, set):
        writer = Writer()
        return frame({"value": writer.anew(value)}, writer.blobs)
    return None


class _Printed(io.StringIO):
    """Keeps the beginning of what is printed."""

    def write(self, text: str) -> int:
        if self.tell() < MOST_PRINTED:
            super().write(text[:MOST_PRINTED])
        return len(text)


def _told(error: BaseException) -> dict[str, Any]:
    try:
        text = str(error)[:2000]
    except BaseException:
        text = ""
    return {"types": [kind.__name__ for kind in type(error).__mro__], "text": text}


# --- The examiner's side ----------------------------------------------------------------------------------


class Handle:
    """Something of the student's that is no data. It equals itself alone and tells nothing."""

    def __repr__(self) -> str:
        return f"<a {type(self).__name__} of the student's>"


class Gone(RuntimeError):
    """The student's kernel has ended while it was asked."""


class Student:
    """The answers of the student's kernel, as seen from the examiner's."""

    def __init__(self, address: str = DOOR) -> None:
        self._line = Line.to(address)
        self._printed = 0

    def fetch(self, names: list[str]) -> dict[str, Any]:
        """The values of those names that the student has."""
        reply, blobs = self._ask({"ask": "names", "names": names}, [])
        self._raise(reply)
        values = reply.get("values")
        if not isinstance(values, dict):
            raise ProtocolError("no values")
        reader = Reader(blobs, self._handle)
        return {name: reader.read(values[name]) for name in names if name in values}

    def _handle(self, kind: str, able: set[str], number: Any) -> Handle:
        members: dict[str, Any] = {}
        if type(number) is int:

            def call(_: Handle, *arguments: Any, **options: Any) -> Any:
                return self._call(number, list(arguments), options)

            def attribute(_: Handle, name: str) -> Any:
                if name.startswith("_"):
                    raise AttributeError(name)
                return self._get({"ask": "attribute", "number": number, "name": name})

            def iterate(_: Handle) -> Iterator[Any]:
                walk = None
                while True:
                    reply, blobs = self._ask({"ask": "next", "number": number, "walk": walk}, [])
                    self._raise(reply)
                    items, walk = Reader(blobs, self._handle).read(reply.get("value")), reply.get("walk")
                    if type(items) is not list or not items or type(walk) is not int:
                        return
                    yield from items

            members["__getattr__"] = attribute
            if "callable" in able:
                members["__call__"] = call
            if "iterable" in able:
                members["__iter__"] = iterate
        name = kind if kind.isidentifier() and not keyword.iskeyword(kind) else "object"
        handle: Handle = type(name, (Handle,), members)()
        return handle

    def _get(self, message: dict[str, Any]) -> Any:
        reply, blobs = self._ask(message, [])
        self._raise(reply)
        return Reader(blobs, self._handle).read(reply.get("value"))

    def _call(self, number: int, arguments: list[Any], options: dict[str, Any]) -> Any:
        writer = Writer()
        message = {
            "ask": "call",
            "number": number,
            "arguments": [writer.write(a) for a in arguments],
            "options": {k: writer.write(v) for k, v in options.items()},
        }
        reply, blobs = self._ask(message, writer.blobs)
        reader = Reader(blobs, self._handle, arguments)
        printed = reply.get("printed")
        if isinstance(printed, str) and printed:
            print(printed[: MOST_PRINTED - self._printed], end="")
            self._printed = min(MOST_PRINTED, self._printed + len(printed))
        changed = reply.get("changed")
        for index, about in (changed if isinstance(changed, dict) else {}).items():
            _change(arguments[int(index)], reader.read(about))
        self._raise(reply)
        return reader.read(reply.get("value", "no value"))

    def _ask(self, message: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
        try:
            self._line.send(message, blobs)
            return self._line.receive()
        except (EOFError, OSError):
            raise Gone("the notebook's Python ended here") from None

    @staticmethod
    def _raise(reply: Mapping[str, Any]) -> None:
        told = reply.get("raised")
        if told is None:
            return
        _raise_as(told)

    def close(self) -> None:
        """Hang up."""
        self._line.close()


def _change(given: Any, now: Any) -> None:
    """Make an argument what the student's function made of it."""
    if type(given) is not type(now):
        return
    if isinstance(given, np.ndarray):
        if given.shape == now.shape and given.dtype == now.dtype:
            given[...] = now
    elif isinstance(given, list):
        given[:] = now
    elif isinstance(given, (dict, set)):
        given.clear()
        given.update(now)


def _raise_as(told: Any) -> NoReturn:
    """Raise what the student's code raised: the nearest exception of Python's own, by the same name."""
    if not isinstance(told, dict):
        raise ProtocolError("no error")
    kinds = told.get("types")
    names = [str(name)[:80] for name in (kinds if isinstance(kinds, list) else ())]
    text = str(told.get("text", ""))[:2000]
    for name in names:
        kind = getattr(builtins, name, None)
        if isinstance(kind, type) and issubclass(kind, Exception):
            own = type(names[0], (kind,), {}) if names[0] != name and names[0].isidentifier() else kind
            try:
                error = own(text)
            except TypeError:  # UnicodeDecodeError and its like want more
                error = RuntimeError(text)
            raise error
        if name in ("SystemExit", "KeyboardInterrupt"):
            what = "it called exit()" if name == "SystemExit" else "it took too long and was stopped"
            raise (TimeoutError if name == "KeyboardInterrupt" else RuntimeError)(what)
    raise RuntimeError(text)


# --- Cells of the examiner's kernel -----------------------------------------------------------------------


def wanted(source: str) -> tuple[set[str], set[str]]:
    """The names that a test speaks of: as variables, and in quotation marks (``marks.check("height", …)``).

    >>> names, quoted = wanted('marks.check("height", task(height))')
    >>> sorted(names), sorted(quoted)
    (['height', 'marks', 'task'], ['height'])
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return set(), set()
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    quoted = {
        n.value
        for n in ast.walk(tree)
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and n.value.isidentifier()
    }
    return {n for n in names if not hasattr(builtins, n)}, quoted


#: Names that the course's own cells defined: locked cells for good, tests until an answer is so called.
_trusted: set[str] = set()
_of_tests: set[str] = set()
_student: Student | None = None
_before: dict[str, Any] = {}


class NoAnswer(Exception):
    """What a test asks for cannot be read."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


def examine(
    source: str, names: list[str], quoted: list[str], common: list[str], variables: dict[str, str]
) -> None:
    """Run a test as a cell of its own, with the answers it asks for.

    Args:
        source: the test.
        names: what it speaks of; see :func:`wanted`.
        quoted: what it names in quotation marks.
        common: cells of the course's own to run before it; what they define is nobody's to replace.
        variables: for the environment; for tests alone to see.
    """
    # All in one request: each costs as much as a short test.
    os.environ.update(variables)
    for cell in common:
        learn(cell)
    try:
        begin(names, quoted)
    except (Exception, KeyboardInterrupt) as error:
        why = "it took too long" if isinstance(error, KeyboardInterrupt) else str(error)[:300]
        raise NoAnswer(f"the answers that this test asks for cannot be read: {why}") from None
    shell = _shell()
    try:
        shell._last_traceback = None
        done = shell.run_cell(source, store_history=True)
    finally:
        end()
    # An error that could not even be shown is one all the same.
    if not done.success and shell._last_traceback is None:
        raise RuntimeError("the test ended in an error that cannot be shown")


def _shell() -> Any:
    from IPython.core.interactiveshell import InteractiveShell

    return InteractiveShell.instance()


def begin(names: list[str], quoted: list[str]) -> None:
    """Before a test: bring what it speaks of from the student's kernel into the examiner's."""
    global _student, _before  # noqa: PLW0603  # one conversation at a time
    namespace = sys.modules["__main__"].__dict__
    _student = Student()
    asked = {n for n in {*quoted, *(set(names) - _of_tests)} - _trusted if not n.startswith("_")}
    for name in asked - _of_tests:
        namespace.pop(name, None)  # an earlier answer
    found = _student.fetch(sorted(asked))
    namespace.update(found)
    _before = dict(namespace)


def end() -> None:
    """After a test: hang up, so that the student's kernel goes on."""
    global _student  # noqa: PLW0603
    namespace = sys.modules["__main__"].__dict__
    _of_tests.update(
        n for n, v in namespace.items() if _before.get(n, _before) is not v and not n.startswith("_")
    )
    if _student is not None:
        _student.close()
        _student = None


def learn(source: str) -> None:
    """Run a locked cell that is no test: what it defines is the course's own, and nobody's to replace."""
    namespace = sys.modules["__main__"].__dict__
    before = dict(namespace)  # answers are among it
    _shell().run_cell(source, silent=True)
    _trusted.update(
        n for n, v in namespace.items() if before.get(n, before) is not v and not n.startswith("_")
    )


def stand_exit() -> None:
    """Make ``exit()`` in a cell an error of that cell instead of the end of the kernel."""

    def leave(*_: object) -> NoReturn:
        raise RuntimeError("exit() ends this cell; the rest of the notebook goes on")

    for name in ("exit", "quit"):
        sys.modules["__main__"].__dict__[name] = leave
        setattr(builtins, name, leave)
    signal.signal(signal.SIGINT, signal.default_int_handler)
