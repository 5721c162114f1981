"""Weights survive the way to a file and back; files that are broken, foreign or hostile do no harm."""

from __future__ import annotations

import io
import json
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlib import weights
from cnnlib.layers import Add, BatchNormalization, Conv2D, Dense, Flatten, MaxPooling2D
from cnnlib.network import Input, Model, Sequential
from cnnlib.weights import WeightsError, load, load_model, save, save_model


def network(seed: int = 1, units: int = 3) -> Sequential:
    return Sequential(
        [
            Input((6, 6, 1)),
            Conv2D(2, 3, activation="relu", seed=seed),
            BatchNormalization(),
            MaxPooling2D(),
            Flatten(),
            Dense(units, seed=seed, name="last"),
        ],
        name="small",
    )


def branching() -> Model:
    image = Input((8, 8, 2), name="image")
    shared = Conv2D(2, 3, padding="same", seed=3, name="shared")
    once = shared(image)
    return Model(image, Dense(2, seed=4)(Flatten()(Add()([shared(once), once, image]))), name="branching")


IMAGES = np.random.default_rng(0).normal(size=(2, 6, 6, 1)).astype(np.float32)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "small.npz"
    save(network(), path)
    return path


def entries(path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path, changed: dict[str, bytes | None], compression=zipfile.ZIP_STORED) -> None:
    """The same archive with some entries exchanged, added, or (None) left out."""
    kept = entries(path) | changed
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in kept.items():
            if data is not None:
                archive.writestr(name, data)


def npy(array, **options) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def header(text: str) -> bytes:
    """The beginning of an array of NumPy, whatever it says."""
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def test_weights_come_back_bit_by_bit(saved):
    first, second = network(seed=1), network(seed=2)
    assert not np.array_equal(first(IMAGES), second(IMAGES))
    load(second, saved)
    np.testing.assert_array_equal(first(IMAGES), second(IMAGES))
    for ours, theirs in zip(first.get_weights(), second.get_weights(), strict=True):
        assert ours.dtype == theirs.dtype == np.float32
        np.testing.assert_array_equal(ours, theirs)


def test_numpy_opens_the_file_too(saved):
    with np.load(saved) as archive:
        assert bytes(archive["format"]).decode() == weights.FORMAT
        np.testing.assert_array_equal(archive["last/kernel"], network().get_layer("last").weights["kernel"])


def test_the_same_weights_make_the_same_file(tmp_path):
    for name in ("a.npz", "b.npz"):
        save(network(), tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_other_floats_and_orders_are_read(saved, dtype, order):
    kernel = np.asarray(network().get_layer("last").weights["kernel"], dtype, order=order)
    rewrite(saved, {"last/kernel.npy": npy(kernel)})
    model = network(seed=2)
    load(model, saved)
    np.testing.assert_array_equal(model.get_layer("last").weights["kernel"], kernel.astype(np.float32))


@pytest.mark.parametrize("make", [network, branching])
def test_a_whole_network_comes_back(tmp_path, make):
    model = make()
    save_model(model, tmp_path / "whole.npz")
    again = load_model(tmp_path / "whole.npz")
    assert again.name == model.name
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert [layer.get_config() for layer in again.layers] == [layer.get_config() for layer in model.layers]
    images = np.random.default_rng(1).normal(size=(2, *model.input_shape[1:])).astype(np.float32)
    np.testing.assert_array_equal(model(images), again(images))
    load(make(), tmp_path / "whole.npz")  # its weights alone


def test_a_file_of_weights_alone_is_no_network(saved):
    with pytest.raises(WeightsError, match=r"small.npz: .* weights alone; build the network and load"):
        load_model(saved)


def test_nothing_is_left_over_and_an_older_file_survives(saved, monkeypatch):
    before = saved.read_bytes()

    def full(file, **arrays):
        file.write(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(WeightsError, match="cannot be written: No space left on device"):
        save(network(seed=2), saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["small.npz"]


def test_weights_that_are_no_numbers_are_neither_written_nor_read(saved):
    model = network()
    model.get_layer("last").weights["bias"][1] = np.nan
    with pytest.raises(WeightsError, match="last: 1 of 3 numbers of bias are NaN or infinite"):
        save(model, saved)
    load(network(), saved)  # the older file is still there
    for bad in (np.nan, np.inf, -np.inf):
        rewrite(saved, {"last/bias.npy": npy(np.float32([0, bad, bad]))})
        with pytest.raises(WeightsError, match=r"small.npz: last: 2 of 3 numbers of bias are NaN or inf"):
            load(network(), saved)
    rewrite(saved, {"last/bias.npy": npy(np.float64([0, 1e300, 0]))})  # too large for float32
    with pytest.raises(WeightsError, match="last: 1 of 3 numbers of bias are too large for float32"):
        load(network(), saved)


def shorten(path):
    path.write_bytes(path.read_bytes()[:-400])


def wrong_crc(path):
    data = bytearray(path.read_bytes())
    place = data.index(b"last/kernel.npy") + 200
    data[place] ^= 255
    path.write_bytes(data)


def twice(path):
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("last/bias.npy", npy(np.zeros(3, np.float32)))


class Bomb:
    """Unpickled, it would end the test."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('code in a file was run')",))


BOMB = np.array([Bomb()], dtype=object)
HUGE = header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }\n")
BROKEN = {
    "missing": (lambda path: path.unlink(), "cannot be read: No such file"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "cannot be read: Is a directory"),
    "empty": (lambda path: path.write_bytes(b""), "is broken or no file of weights"),
    "text": (lambda path: path.write_text("kernel = 1"), "is broken or no file of weights"),
    "a pickle": (lambda path: path.write_bytes(pickle.dumps(BOMB)), "is broken or no file of weights"),
    "truncated": (shorten, "is broken or no file of weights"),
    "a flipped bit": (wrong_crc, "is broken or no file of weights"),
    "an entry twice": (twice, "there twice"),
    "no format": (lambda path: rewrite(path, {"format.npy": None}), "no file of weights that this library"),
    "another format": (
        lambda path: rewrite(path, {"format.npy": npy(np.frombuffer(b"cnnlib weights 9", np.uint8))}),
        "would say 'cnnlib weights 1'",
    ),
    "format a number": (lambda path: rewrite(path, {"format.npy": npy(np.float64(1))}), "format has shape"),
    "format too long": (
        lambda path: rewrite(path, {"format.npy": npy(np.zeros(10**6, np.uint8))}),
        "at most 16 bytes",
    ),
    "a weight less": (
        lambda path: rewrite(path, {"last/bias.npy": None}),
        "'last/bias' is not in the file",
    ),
    "a weight more": (
        lambda path: rewrite(path, {"other/bias.npy": npy(np.zeros(1))}),
        "the file has 'other/bias', but the network has 'conv2d/kernel' and 7 more",
    ),
    "a path upwards": (
        lambda path: rewrite(path, {"../../etc/passwd.npy": npy(np.zeros(1))}),
        "the file has '../../etc/passwd'",
    ),
    "no array": (lambda path: rewrite(path, {"readme.txt": b"hello"}), "some entries are no arrays"),
    "another shape": (
        lambda path: rewrite(path, {"last/kernel.npy": npy(np.zeros((8, 4), np.float32))}),
        r"last: kernel has shape \(8, 4\) in the file, \(8, 3\) in the network",
    ),
    "whole numbers": (
        lambda path: rewrite(path, {"last/kernel.npy": npy(np.zeros((8, 3), int))}),
        "last: kernel holds int64, but weights are floats",
    ),
    "complex": (
        lambda path: rewrite(path, {"last/kernel.npy": npy(np.zeros((8, 3), complex))}),
        "holds complex128",
    ),
    "structured": (
        lambda path: rewrite(path, {"last/kernel.npy": npy(np.zeros((8, 3), [("a", "f4")]))}),
        "but weights are floats",
    ),
    "objects": (
        lambda path: rewrite(path, {"last/bias.npy": npy(BOMB, allow_pickle=True)}),
        "last/bias holds Python objects, which are never read",
    ),
    "huge": (lambda path: rewrite(path, {"last/bias.npy": HUGE + b"1234"}), r"has shape \(1000000000000,\)"),
    "short of its shape": (
        lambda path: rewrite(path, {"last/bias.npy": npy(np.zeros(3, np.float32))[:-1]}),
        "last/bias is shorter than the 12 bytes",
    ),
    "longer than its shape": (
        lambda path: rewrite(path, {"last/bias.npy": npy(np.zeros(3, np.float32)) + b"1"}),
        "last/bias is longer than the 12 bytes",
    ),
    "no header": (lambda path: rewrite(path, {"last/bias.npy": b"\x93NUMPY"}), "does not begin as an array"),
    "empty entry": (lambda path: rewrite(path, {"last/bias.npy": b""}), "does not begin as an array"),
    "header of nonsense": (
        lambda path: rewrite(path, {"last/bias.npy": header("-" * 9000 + "1")}),
        "does not begin as an array",
    ),
    "header of brackets": (
        lambda path: rewrite(path, {"last/bias.npy": header("(" * 5000)}),
        "does not begin as an array",
    ),
    "header of code": (
        lambda path: rewrite(path, {"last/bias.npy": header("__import__('os').system('true')\n")}),
        "does not begin as an array",
    ),
    "negative shape": (
        lambda path: rewrite(
            path, {"last/bias.npy": header("{'descr': '<f4', 'fortran_order': False, 'shape': (-3,), }\n")}
        ),
        r"has shape \(-3,\) in the file",
    ),
    "another network": (lambda path: save(network(units=4), path), r"has shape \(8, 4\) in the file"),
}


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_bad_file_is_told_in_one_line_and_changes_nothing(saved, what):
    spoil, words = BROKEN[what]
    spoil(saved)
    model = network(seed=7)
    before = model.get_weights()
    with pytest.raises(WeightsError, match=words) as caught:
        load(model, saved)
    assert "\n" not in str(caught.value)
    assert "small.npz" in str(caught.value)
    for was, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)


def peak_of(call) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_bomb_takes_no_memory(saved):
    """A small archive that would unpack to 200 MB: what is compressed is not unpacked at all."""
    start = header("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n")
    rewrite(saved, {"last/bias.npy": start + bytes(200_000_000)}, zipfile.ZIP_DEFLATED)
    assert saved.stat().st_size < 300_000

    def refused():
        with pytest.raises(WeightsError, match="is packed in a way that save never uses"):
            load(network(), saved)

    assert peak_of(refused) < 5_000_000


def test_a_network_described_as_huge_takes_no_memory(saved):
    """The description asks for a terabyte of weights; nothing is made before the file has been compared."""
    save_model(network(), saved)
    text = json.dumps(description(saved)).replace('"units": 3', '"units": 30000000000')
    assert "30000000000" in text
    described(saved, text)

    def refused():
        with pytest.raises(WeightsError, match=r"has shape \(8, 3\) in the file, \(8, 30000000000\)"):
            load_model(saved)

    assert peak_of(refused) < 5_000_000


DESCRIPTIONS = {
    "empty": (b"", "describes no network"),
    "no JSON": (b"{", "describes no network"),
    "no text": (b"\xff\xfe", "describes no network"),
    "a number": (b"7", "describes no network"),
    "a list": (b"[]", "describes no network"),
    "an empty object": (b"{}", "describes no network: .*'layers'"),
    "deep": (b"[" * 100_000, "describes no network: RecursionError"),
    "a layer that is not": (("Dense", "Explode"), "there is no layer 'Explode'"),
    "a function for a layer": (("Flatten", "set_random_seed"), "there is no layer 'set_random_seed'"),
    "an argument that is not": (('"units"', '"unit"'), "cannot be made from"),
    "an argument of another kind": (('"units": 3', '"units": "three"'), "units must be a whole number"),
    "an activation that is not": (('"relu"', '"explode"'), "no activation 'explode'"),
    "a call out of range": (('"layer": 4', '"layer": 44'), "describes no network"),
    "a node out of range": (('"inputs": [4]', '"inputs": [99]'), "describes no network"),
    "a name for a number": (('"layer": 4', '"layer": "four"'), "describes no network"),
}


@pytest.mark.parametrize("what", DESCRIPTIONS)
def test_a_bad_description_is_told_in_one_line(saved, what):
    change, words = DESCRIPTIONS[what]
    save_model(network(), saved)
    text = json.dumps(description(saved))
    if isinstance(change, tuple):
        assert change[0] in text
        change = text.replace(*change).encode()
    described(saved, change)
    with pytest.raises(WeightsError, match=words) as caught:
        load_model(saved)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_description_beyond_bounds_is_refused(saved):
    save_model(network(), saved)
    described(saved, b" " * (weights.NETWORK_BYTES + 1))
    with pytest.raises(WeightsError, match=f"network has shape .* at most {weights.NETWORK_BYTES} bytes"):
        load_model(saved)


def test_a_layer_of_ones_own_is_given_by_name(tmp_path):
    class Doubled(Flatten):
        pass

    model = Sequential([Input((2, 2, 1)), Doubled(), Dense(1, seed=0)])
    save_model(model, tmp_path / "own.npz")
    with pytest.raises(WeightsError, match="there is no layer 'Doubled'"):
        load_model(tmp_path / "own.npz")
    again = load_model(tmp_path / "own.npz", custom={"Doubled": Doubled})
    assert isinstance(again.layers[0], Doubled)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6), st.floats(0, 1))
def test_no_spoilt_byte_does_more_than_an_error(tmp_path_factory, changes, cut):
    """Whatever bytes are changed or cut off: the weights come back as they were, or in one line not."""
    path = tmp_path_factory.mktemp("spoilt") / "small.npz"
    save_model(network(), path)
    data = bytearray(path.read_bytes())
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    path.write_bytes(data[: len(data) if cut < 0.7 else int(cut * len(data))])
    for read in (lambda: load(network(seed=2), path), lambda: load_model(path)):
        said = ""
        try:
            read()
        except WeightsError as error:
            said = str(error)
        assert "\n" not in said


def description(path) -> dict:
    with np.load(path) as archive:
        return json.loads(bytes(archive["network"]))


def described(path, text: str | bytes) -> None:
    data = text.encode() if isinstance(text, str) else text
    rewrite(path, {"network.npy": npy(np.frombuffer(data, np.uint8))})
