"""Every right answer gets full marks, every wrong one fewer and the message meant for it.

Right and wrong answers to questions for a value are made from each task itself: the styles in which the
right one may be written, every registered misconception, and what is no answer at all. Functions and models
have a bank of their own.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from cnnlib.exercises import Task, check, check_function, draw, draw_cases
from cnnlib.exercises.answers import Array, Number, Shape
from cnnlib.exercises.misconceptions import likely
from cnnlib.exercises.wording import CHAPTERS, SAY


class Sly:
    """Equal to everything, true, and whatever number or array is wanted."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def __index__(self) -> int:
        return 24

    def __float__(self) -> float:
        return 24.0

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Any:
        return iter((Sly(), Sly(), Sly()))

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return np.zeros(3)

    def __getattr__(self, name: str) -> Any:
        return Sly()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self


class SlyInt(int):
    """A number that says it is equal to every other one."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


class SlyArray(np.ndarray):
    """An array that says so."""

    def __eq__(self, other: object) -> Any:
        return np.True_

    __hash__ = None  # type: ignore[assignment]


def styles(task: Task) -> list[Any]:
    """The right answer in the ways in which people write it."""
    answer, form = task.answer, task.kind.form
    if isinstance(form, Number):
        return [
            answer,
            np.int64(answer),
            np.uint32(answer),
            float(answer),
            np.float32(answer),
            np.array(answer),
        ]
    if isinstance(form, Shape):
        return [
            answer,
            list(answer),
            np.array(answer),
            tuple(np.int32(n) for n in answer),
            tuple(map(float, answer)),
        ]
    return [
        answer.tolist(),
        answer,
        answer.astype(np.int64),
        answer.astype(np.float32),
        _tuples(answer.tolist()),
    ]


def _tuples(value: Any) -> Any:
    return tuple(_tuples(entry) for entry in value) if isinstance(value, list) else value


#: A wrong value, be it a known slip or not.
WRONG_VALUE = "wrong value"

COMMON = [
    (..., "empty"),
    (None, "none"),
    (True, "bool"),
    (np.bool_(True), "bool"),
    ({1: 2}, None),
    (Sly(), None),
    (lambda: 24, None),
]


def no_answers(task: Task) -> list[tuple[Any, str | None]]:
    """What is no answer to a task, and the key of the sentence that says so (None: any of the form's)."""
    answer, form = task.answer, task.kind.form
    if isinstance(form, Number):
        return [
            *COMMON,
            (str(answer), "text-number"),
            (math.nan, "nan"),
            (math.inf, "nan"),
            (-math.inf, "nan"),
            (10**40, "huge"),
            (1e30, "huge"),
            ([answer], "sequence-for-number"),
            ((answer,), "sequence-for-number"),
            (np.array([answer]), "sequence-for-number"),
            (complex(answer), "type-number"),
            (SlyInt(1), "type-number"),
            (0 if answer else 1, WRONG_VALUE),
            (-answer - 1, "unknown"),
            (answer + 1000, "unknown"),
        ]
    if isinstance(form, Shape):
        return [
            *COMMON,
            ("×".join(map(str, answer)), "text-shape"),
            (str(answer), "text-shape"),
            (math.prod(answer), "number-for-shape"),
            (answer[:-1], "length"),
            ((None, *answer), "batch"),
            ((1, *answer), "batch"),
            ((), "length"),
            (set(answer), "type-shape"),
            ((math.nan, *answer[1:]), "nan"),
            ((answer[0] + 0.5, *answer[1:]), "fraction-in-shape"),
            ((-answer[0], *answer[1:]), "fraction-in-shape"),
            ((Sly(),) * len(answer), "type-number"),
            ((True,) * len(answer), "bool"),
            ((str(answer[0]), *answer[1:]), "text-number"),
            ((0,) * len(answer), "unknown"),
            (tuple(n + 7 for n in answer), "unknown"),
        ]
    assert isinstance(form, Array)
    zeros = np.zeros_like(answer)
    return [
        *COMMON,
        (24, None),
        (str(answer.tolist()), "text-array"),
        (answer * math.nan, "nan"),
        (zeros.astype(object), "type-array"),
        (zeros.view(SlyArray), "type-array"),
        (np.array(["1", "2"]), "type-array"),
        ([[1, 2], [3]], "ragged"),
        ([Sly(), Sly(), Sly()], "type-number"),
        (zeros, "unknown-array"),
        (np.ones_like(answer), "unknown-array"),
        (-answer, "unknown-array"),
        (answer[None], "unknown-array"),
        (answer.ravel()[:1], "unknown-array"),
    ]


def pattern(sentence: str) -> str:
    """A regular expression for a sentence with blanks."""
    return re.sub(r"\\\{.*?\\\}", ".*", re.escape(sentence).replace(r"\ ", " ")).replace("  ", " ")


def test_right_answers_get_full_marks_in_every_style(sheet, part, monkeypatch):
    task_id, name, task = part
    tried = styles(task)
    assert len(tried) >= 3
    for answer in tried:
        result = sheet.run(task_id, {name: answer}, monkeypatch)
        assert result.points == sheet.graded[task_id], f"{answer!r}: {result.told}"
        assert result.visible is None


def test_each_misconception_gets_fewer_marks_and_its_own_message(sheet, part, monkeypatch):
    task_id, name, task = part
    for entry in likely(task.kind.name):
        wrong = None if entry.over_many else entry.answer(task)
        if wrong is None:
            continue
        result = sheet.run(task_id, {name: wrong}, monkeypatch)
        told = rf"{name}: .*{pattern(entry.message)} See chapter {CHAPTERS[entry.chapter][0]}, "
        assert result.points < sheet.graded[task_id]
        assert re.search(told, result.told), f"{entry.name}: {result.told}"
        if name in {line.name for line in sheet.asked(task_id, released=True) if line.method == "check"}:
            assert re.search(told, result.visible)


def test_what_is_no_answer_gets_fewer_marks_and_is_told_so(sheet, part, monkeypatch):
    task_id, name, task = part
    wrong = no_answers(task)
    assert len(wrong) >= 6
    for answer, key in wrong:
        result = sheet.run(task_id, {name: answer}, monkeypatch)
        assert result.points < sheet.graded[task_id], f"{answer!r}: {result.told}"
        if key not in (None, WRONG_VALUE):
            assert re.search(f"{name}: .*{pattern(SAY[key])}", result.told), f"{answer!r}: {result.told}"
        if key not in ("unknown", "unknown-array", WRONG_VALUE):
            assert result.visible, f"Validate is content with {name} = {answer!r}"


def test_no_message_shows_the_answer(sheet, part, monkeypatch):
    task_id, name, task = part
    right = re.escape(str(task.answer if not isinstance(task.answer, np.ndarray) else task.answer.tolist()))
    others = [entry.answer(task) for entry in likely(task.kind.name) if not entry.over_many]
    for wrong in [
        *(other for other in others if other is not None),
        *(bad for bad, _ in no_answers(task)[:7]),
    ]:
        told = sheet.run(task_id, {name: wrong}, monkeypatch).told
        mine = re.search(rf"\b{name}: (.*?) \[0 of", told)
        assert mine
        said = re.sub(r"See chapter .*", "", mine.group(1))
        assert not re.search(rf"(?<![\d.]){right}(?![\d.]\d|\d)", said), said


def test_nothing_filled_in_gives_no_points_and_no_error(sheet, task_id, monkeypatch):
    released = sheet.cell(task_id, released=True).source
    result = sheet.run(task_id, released, monkeypatch)
    assert result.points == 0
    assert "not answered yet." in result.told
    assert "not answered yet." in result.visible
    assert SAY["empty-hint"] in result.visible


def test_a_deleted_answer_is_not_answered_yet(sheet, task_id, monkeypatch):
    result = sheet.run(task_id, "", monkeypatch)
    assert result.points == 0
    assert "not answered yet." in result.told


def test_an_old_stub_that_raises_is_not_answered_yet(sheet, function, monkeypatch):
    task_id, name, _ = function
    result = sheet.run(task_id, f"def {name}(*arguments):\n    raise NotImplementedError()", monkeypatch)
    assert result.points == 0
    assert "not answered yet." in result.told


def test_the_solutions_get_full_marks_and_nothing_is_said_against_them(sheet, monkeypatch):
    for task_id in set(sheet.graded) - {"build-a-model"}:  # models are tested with Keras, below
        result = sheet.run(task_id, sheet.cell(task_id).source, monkeypatch)
        assert result.points == sheet.graded[task_id]
        assert result.visible is None


# --- Functions ----------------------------------------------------------------------------------------

RIGHT = {
    "output_size": [
        """
def output_size(size, kernel_size, stride=1, padding=0):
    if size + 2 * padding < kernel_size:
        raise ValueError("too large")
    return (size + 2 * padding - kernel_size) // stride + 1
""",
        """
import math

def output_size(n, f, s=1, p=0):
    places = math.floor((n + 2 * p - f) / s) + 1
    if n + 2 * p - f < 0:
        raise ValueError(f"{f} > {n}")
    return places
""",
        """
def output_size(size, kernel_size, stride=1, padding=0):
    count = 0
    start = -padding
    while start + kernel_size <= size + padding:
        count += 1
        start += stride
    if count == 0:
        raise ValueError("the kernel does not fit")
    return count
""",
        """
import numpy as np

def output_size(size, kernel_size, stride=1, padding=0):
    if kernel_size > size + 2 * padding:
        raise ValueError("too large")
    return np.floor((size + 2 * padding - kernel_size) / stride) + 1      # a float that is whole
""",
        """
def output_size(size, kernel_size, stride=1, padding=0):
    starts = range(0, size + 2 * padding - kernel_size + 1, stride)
    if not starts:
        raise ValueError("no place")
    print("places:", len(starts))
    return len(starts)
""",
    ],
    "count_parameters": [
        """
def count_parameters(kernel_size, channels, filters, use_bias=True):
    return (kernel_size[0] * kernel_size[1] * channels + use_bias) * filters
""",
        """
import numpy as np

def count_parameters(kernel_size, channels, filters, use_bias=True):
    weights = np.prod([*kernel_size, channels, filters])
    return weights + filters if use_bias else weights
""",
        """
def count_parameters(k, c, f, b=True):
    total = 0
    for _ in range(f):
        for _ in range(c):
            total += k[0] * k[1]
        if b:
            total += 1
    return total
""",
    ],
    "conv2d": [
        """
import numpy as np

def conv2d(inputs, kernels, stride=1):
    h, w, c = inputs.shape
    kh, kw, _, filters = kernels.shape
    oh, ow = (h - kh) // stride + 1, (w - kw) // stride + 1
    out = np.zeros((oh, ow, filters))
    for f in range(filters):
        for y in range(oh):
            for x in range(ow):
                total = 0.0
                for i in range(kh):
                    for j in range(kw):
                        for k in range(c):
                            total += inputs[y * stride + i, x * stride + j, k] * kernels[i, j, k, f]
                out[y, x, f] = total
    return out
""",
        """
import numpy as np

def conv2d(inputs, kernels, stride=1):
    windows = np.lib.stride_tricks.sliding_window_view(inputs, kernels.shape[:2], axis=(0, 1))
    return np.einsum("yxcij,ijcf->yxf", windows[::stride, ::stride], kernels).astype(np.float32)
""",
        """
from cnnlib import conv

def conv2d(inputs, kernels, stride=1):
    return conv(inputs[None], kernels, strides=stride)[0]
""",
        """
def conv2d(inputs, kernels, stride=1):
    kh, kw = kernels.shape[:2]
    rows = range(0, inputs.shape[0] - kh + 1, stride)
    columns = range(0, inputs.shape[1] - kw + 1, stride)
    return [
        [
            [float((inputs[y : y + kh, x : x + kw] * kernels[..., f]).sum()) for f in range(kernels.shape[3])]
            for x in columns
        ]
        for y in rows
    ]
""",
    ],
}

#: Cheats and slips that no registered misconception describes: name → (body, what is told, most points).
WRONG: dict[str, list[tuple[str, str, float]]] = {
    "output_size": [
        ("return 24", "the same result, 24, comes out for different arguments", 0),
        ("return 0", "the same result, 0,", 0),
        ("print(size - kernel_size + 1)", "printed its result and returned None", 0),
        ("size - kernel_size + 1", "returned None. Is there a return", 0),
        ("return str(size)", "its result is text", 0),
        ("return True", "its result is True", 0),
        ("return float('nan')", "its result is nan", 0),
        ("return [size]", "its result is a list; one number is asked for", 0),
        ("return 10 ** 50", "more than 15 digits", 0),
        ("return size / 0", "raised ZeroDivisionError: division by zero", 0),
        ("return undefined", "raised NameError: name 'undefined' is not defined", 0),
        ("exit()", "raised RuntimeError: exit(None)", 0),
        ("return output_size(size, kernel_size, stride, padding)", "raised RecursionError", 0),
        ("raise ValueError('no')", "raised ValueError: no", 1),
        ("return size - kernel_size + 1", "is the size for stride 1", 1),
        (
            "return (size + 2 * padding - kernel_size) // stride + 1",
            "but the kernel does not fit there. Raise",
            3,
        ),
        (
            "room = size + 2 * padding - kernel_size\n    assert room >= 0\n    return room // stride + 1",
            "raised AssertionError, but a ValueError is asked for",
            3,
        ),
        ("return Sly()", "is of type Sly", 0),
        ("return SlyInt(3)", "is of type SlyInt", 0),
    ],
    "count_parameters": [
        ("return 760", "the same result, 760,", 0),
        ("return kernel_size", "its result is a tuple", 0),
        ("return None", "returned None", 0),
        ("print(760)", "printed its result", 0),
        ("return kernel_size * kernel_size * channels * filters", "raised TypeError", 0),
        ("return Sly()", "is of type Sly", 0),
        ("return float('inf')", "its result is inf", 0),
    ],
    "conv2d": [
        ("return np.zeros(3)", "its array has 1 axis", 0),
        ("return inputs", "gave back its own input", 0),
        ("return inputs.copy()", "which is not the shape of the output", 0),
        ("return out", "gave zeros everywhere", 0),
        ("print(right)", "printed its result", 0),
        ("return right.astype(int)", "gave whole numbers", 0),
        ("return right[::-1]", "gave an array", 0),
        ("return right * np.nan", "its result is nan", 0),
        ("return right.astype(object)", "is of type ndarray", 0),
        ("return right.sum(axis=-1)", "its array has 2 axes", 0),
        ("return right[..., 0]", "its array has 2 axes", 0),
        ("return right[None]", "its array has 4 axes", 0),
        ("inputs *= 2\n    return right", "changed the array that was handed to it", 0),
        ("kernels[:] = kernels[::-1, ::-1]\n    return right", "changed the array", 0),
        ("return right.view(SlyArray)", "is of type SlyArray", 0),
        ("return Sly()", "is of type Sly", 0),
        ("raise SystemExit", "raised RuntimeError: exit(None)", 0),
        ("return right + 1e-3", "gave an array of shape", 0),
        ("return conv(inputs[None], kernels)[0]", "is the result for stride 1", 3),
        ("return conv(inputs[None], kernels, stride, 'same')[0]", "gave an array of shape", 0),
    ],
}

HEADS = {
    "output_size": "def output_size(size, kernel_size, stride=1, padding=0):",
    "count_parameters": "def count_parameters(kernel_size, channels, filters, use_bias=True):",
    "conv2d": (
        "import numpy as np\nfrom cnnlib import conv\n\ndef conv2d(inputs, kernels, stride=1):\n"
        "    right = conv(inputs[None], kernels, stride)[0]\n    out = np.zeros(right.shape)"
    ),
}


def test_right_functions_get_full_marks(sheet, function, monkeypatch):
    task_id, name, _ = function
    assert len(RIGHT[name]) >= 3
    for source in RIGHT[name]:
        result = sheet.run(task_id, source, monkeypatch)
        assert result.points == sheet.graded[task_id], result.told
        assert result.visible is None


def test_functions_that_cheat_or_slip_get_fewer_marks_and_are_told_why(sheet, function, monkeypatch):
    task_id, name, _ = function
    assert len(WRONG[name]) >= 6
    for body, told, most in WRONG[name]:
        space: dict[str, Any] = {"Sly": Sly, "SlyInt": SlyInt, "SlyArray": SlyArray}
        exec(f"{HEADS[name]}\n    {body}\n", space)
        result = sheet.run(task_id, {name: space[name]}, monkeypatch)
        assert result.points <= most, f"{body}: {result.told}"
        assert told in result.told, f"{body}: {result.told}"
        assert told in result.visible, f"Validate, {body}: {result.visible}"


def test_functions_with_a_misconception_are_told_which(sheet, function, monkeypatch):
    task_id, name, kind = function
    names = list(next(line for line in sheet.asked(task_id) if line.method == "function").task[0].given)
    for entry in likely(kind):

        def mistaken(*values: Any, entry: Any = entry) -> Any:
            task = Task(kind, **dict(zip(names, values, strict=False)))
            wrong = entry.answer(task)
            return task.answer if wrong is None else wrong

        result = sheet.run(task_id, {name: mistaken}, monkeypatch)
        sentence = entry.message.removeprefix("{answer} ").split("{")[0].rstrip()
        assert result.points < sheet.graded[task_id], f"{entry.name}: {result.told}"
        assert sentence in result.told, f"{entry.name}: {result.told}"
        assert sentence in result.visible, f"{entry.name}: {result.visible}"


@pytest.mark.parametrize("value", [24, "output_size", [1], None, Sly], ids=repr)
def test_what_is_no_function_is_told_so(sheet, function, value, monkeypatch):
    task_id, name, _ = function
    if value is Sly:
        value = 3.5
    result = sheet.run(task_id, {name: value}, monkeypatch)
    assert result.points == 0
    assert "a function is asked for" in result.told


def test_hidden_inputs_are_not_the_visible_ones(sheet, function):
    task_id, _, _ = function
    lines = [line for line in sheet.asked(task_id) if line.method == "function"]
    visible = {repr(case) for line in lines if not line.points for case in line.task}
    hidden = {repr(case) for line in lines if line.points for case in line.task}
    assert len(hidden - visible) >= 0.8 * len(hidden) > 0


# --- Keras models -------------------------------------------------------------------------------------

MODEL = """
import keras
from keras import layers
model = keras.Sequential([keras.Input(shape=({input})), {layers}])
"""
GOOD = ["layers.Conv2D(6, 5)", "layers.MaxPooling2D(2)", "layers.Conv2D(16, 3, padding='same')"]

RIGHT_MODELS = [
    MODEL.format(input="32, 32, 3", layers=", ".join(GOOD)),
    """
import keras
model = keras.Sequential()
model.add(keras.Input((32, 32, 3)))
model.add(keras.layers.Conv2D(filters=6, kernel_size=(5, 5), activation="relu"))
model.add(keras.layers.MaxPool2D())
model.add(keras.layers.Conv2D(filters=16, kernel_size=(3, 3), padding="same", activation="relu"))
""",
    """
import keras
image = keras.Input(shape=(32, 32, 3))
x = keras.layers.Conv2D(6, 5, name="C1")(image)
x = keras.layers.MaxPooling2D((2, 2), strides=2)(x)
x = keras.layers.Conv2D(16, 3, strides=(1, 1), padding="same")(x)
model = keras.Model(image, x)
""",
    """
import keras
model = keras.Sequential(
    [keras.layers.Conv2D(6, 5), keras.layers.MaxPooling2D(2), keras.layers.Conv2D(16, 3, padding="same")]
)
model.build((None, 32, 32, 3))
""",
]


def variant(number: int, layer: str) -> str:
    """The right model with one layer exchanged."""
    return MODEL.format(input="32, 32, 3", layers=", ".join([*GOOD[: number - 1], layer, *GOOD[number:]]))


WRONG_MODELS = [
    (variant(1, "layers.Conv2D(6, 5, padding='same')"), "layer 1, Conv2D, makes (32, 32, 6)", 0),
    (variant(1, "layers.Conv2D(8, 5)"), "layer 1, Conv2D, makes (28, 28, 8)", 0),
    (variant(1, "layers.Conv2D(6, 5, use_bias=False)"), "layer 1, Conv2D, has 450 parameters", 2),
    (variant(1, "layers.SeparableConv2D(6, 5)"), "layer 1 is SeparableConv2D, where Conv2D is asked for", 2),
    (variant(2, "layers.AveragePooling2D(2)"), "layer 2 is AveragePooling2D", 2),
    (variant(2, "layers.Conv2D(6, 2, strides=2)"), "layer 2 is Conv2D, where MaxPooling2D is asked for", 2),
    (variant(2, "layers.MaxPooling2D(2, strides=1)"), "layer 2, MaxPooling2D, makes (27, 27, 6)", 1),
    (variant(3, "layers.Conv2D(16, 3)"), "layer 3, Conv2D, makes (12, 12, 16)", 2),
    (variant(3, "layers.Conv2D(16, 5, padding='same')"), "layer 3, Conv2D, has 2,416 parameters", 2),
    (MODEL.format(input="28, 28, 1", layers=", ".join(GOOD)), "the input shape is (28, 28, 1)", 0),
    (MODEL.format(input="32, 32, 3", layers=", ".join(GOOD[:2])), "the model has 2 layers", 0),
    (
        "import keras\nmodel = keras.Sequential([keras.layers.Conv2D(6, 5)])",
        "does not know its input shape",
        0,
    ),
    ("import keras\nmodel = keras.layers.Conv2D(6, 5)", "model is of type Conv2D", 0),
    ("import keras\nmodel = [keras.layers.Conv2D(6, 5)]", "model is of type list", 0),
    ("model = None", "model is of type NoneType", 0),
    ("model = 'model'", "model is of type str", 0),
    (
        "class Sly:\n    __eq__ = lambda self, other: True\n    built = True\nmodel = Sly()",
        "model is of type Sly",
        0,
    ),
]


@pytest.mark.keras
@pytest.mark.parametrize("source", RIGHT_MODELS)
def test_right_models_get_full_marks(sheet, source, monkeypatch):
    result = sheet.run("build-a-model", source, monkeypatch)
    assert result.points == sheet.graded["build-a-model"], result.told
    assert result.visible is None


@pytest.mark.keras
@pytest.mark.parametrize(("source", "told", "points"), WRONG_MODELS)
def test_wrong_models_get_fewer_marks_and_are_told_why(sheet, source, told, points, monkeypatch):
    result = sheet.run("build-a-model", source, monkeypatch)
    assert result.points == points, result.told
    assert told in result.told
    assert told in result.visible


@pytest.mark.keras
def test_a_convolution_in_disguise_is_seen_by_the_hidden_test(sheet, monkeypatch):
    disguise = variant(3, "layers.Conv2D(16, (9, 1), padding='same')")  # 9·1 weights as in 3·3
    result = sheet.run("build-a-model", disguise, monkeypatch)
    assert result.visible is None
    assert result.points == 2
    assert "not the weights of a plain convolution" in result.told


class _Nameless(type):
    @property
    def __name__(cls) -> str:
        raise ValueError("no name")


class _Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


def endless() -> list[Any]:
    itself: list[Any] = []
    itself.append(itself)
    return itself


@pytest.mark.parametrize("kind", ["output_size", "conv_output", "correlation"])
def test_what_asks_back_is_no_answer_and_no_error(kind: str) -> None:
    """An error would cost the points of all other answers in the cell."""
    task = draw(kind, "asks back")
    assert check(task, _Nameless("Odd", (), {})()).state == "form"
    assert check(task, endless()).state == "form"


def test_an_error_without_text_is_told_by_its_name() -> None:
    def function(*_: Any) -> int:
        raise _Mute

    verdict = check_function("size", function, draw_cases("output_size", "mute", 2))
    assert verdict.text.endswith("raised _Mute.")
