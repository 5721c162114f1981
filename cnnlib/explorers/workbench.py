"""A network as a list of lines that the reader edits: shapes, parameters, products, memory, view. Chapter 12.

Its numbers are those of :mod:`cnnlib.sizes` and :mod:`cnnlib.receptive_field`; its script repeats their
rules, and a test holds the two together in a browser, over hundreds of networks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cnnlib import layers
from cnnlib.errors import ShapeError, SizeError
from cnnlib.explorers.axes import slid
from cnnlib.explorers.base import Explorer, as_name, choice, field, number
from cnnlib.explorers.form import FORM_WORDS, explored, form
from cnnlib.network import Input, Sequential
from cnnlib.receptive_field import Window, receptive_field
from cnnlib.sizes import (
    activation_bytes,
    activation_values,
    as_shape,
    conv_macs,
    conv_parameters,
    dense_macs,
    dense_parameters,
    depthwise_macs,
    depthwise_parameters,
    kernel_shape,
)

#: The words that a reader sees, in Python and in the script; a translation replaces the values.
WORDS = FORM_WORDS | {
    "label_title": "Architecture workbench",
    "label_link": "Link to this network",
    "label_layers": "layers, a line each",
    "label_input": "input: height width channels",
    "label_preset": "start from",
    "label_given": "the network of this page",
    "help": "The table of layers; scroll it sideways where it is wide.",
    "layer": "layer",
    "output": "output",
    "parameters": "parameters",
    "macs": "products",
    "values": "values",
    "field": "sees",
    "everything": "all",
    "input": "input {sizes}",
    "total": "{parameters} parameters, {macs} products, {values} values ({memory} MiB in float32)",
    "most": "{count} layers for one image. Most parameters: {heavy} ({parameters}). "
    "Most values: {wide} ({values}). "
    "An output of the last picture sees a stretch of {field} rows; the image has {size}.",
    "code": "The same in Keras",
    "at_line": "line {line}",
    "no_kind": "line {line}: there is no layer {word}; use one of {known}",
    "no_option": "line {line}: {kind} has no option {word}; it has {known}",
    "no_options": "no options",
    "needs": "line {line}: {kind} needs a number for {what}",
    "no_count": "line {line}: {what} must be a whole number from {least} to {most}, not {word}",
    "both": "line {line}: stride {stride} and dilation {dilation}: Keras takes only one of them above 1",
    "no_picture": "line {line}: {kind} needs a picture; after flatten, globalpool or dense there is none",
    "no_row": "line {line}: dense needs a row of numbers; put flatten or globalpool before it",
    "unsplit": "line {line}: {count} {what} cannot be split into {groups} groups; "
    "choose groups among the divisors of {count}",
    "no_lines": "there are {count} lines; give 1 to {most}",
    "no_input": "input must be height, width and channels, such as 32 32 3",
}

#: For each kind of line: what its first numbers are, the options that it takes, and Keras' name.
KINDS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "conv": (("filters", "kernel"), "stride pad dilation groups same nobias bn act", "Conv2D"),
    "depthwise": (("kernel",), "stride pad dilation same nobias bn act", "DepthwiseConv2D"),
    "maxpool": (("window",), "stride same", "MaxPooling2D"),
    "averagepool": (("window",), "stride same", "AveragePooling2D"),
    "globalpool": ((), "", "GlobalAveragePooling2D"),
    "flatten": ((), "", "Flatten"),
    "dense": (("units",), "nobias bn act", "Dense"),
}
#: What "act" stands for.
ACTIVATIONS = ("relu", "relu6", "tanh", "sigmoid", "softmax")
#: Options that a number follows, and the least that it may be.
COUNTED = {"stride": 1, "pad": 0, "dilation": 1, "groups": 1}
#: The largest number in a line, and the most lines.
LARGEST, MOST_LINES = 100_000, 60


def _vgg() -> str:
    blocks = [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]
    lines = [
        line for times, filters in blocks for line in [f"conv {filters} 3 same relu"] * times + ["maxpool 2"]
    ]
    return "\n".join([*lines, "flatten", "dense 4096 relu", "dense 4096 relu", "dense 1000 softmax"])


def _mobilenet() -> str:
    lines = ["conv 32 3 stride 2 same nobias bn relu6"]
    for stride, filters in [
        (1, 64),
        (2, 128),
        (1, 128),
        (2, 256),
        (1, 256),
        (2, 512),
        *[(1, 512)] * 5,
        (2, 1024),
        (1, 1024),
    ]:
        step = f" stride {stride}" if stride > 1 else ""
        lines += [f"depthwise 3{step} same nobias bn relu6", f"conv {filters} 1 nobias bn relu6"]
    return "\n".join([*lines, "globalpool", "dense 1000 softmax"])


#: Networks to start from: title → shape of the input, and the lines.
PRESETS: dict[str, tuple[tuple[int, int, int], str]] = {
    "LeNet": (
        (28, 28, 1),
        "conv 6 5 pad 2 relu\nmaxpool 2\nconv 16 5 relu\nmaxpool 2\n"
        "flatten\ndense 120 relu\ndense 84 relu\ndense 10 softmax",
    ),
    "AlexNet": (
        (227, 227, 3),
        "conv 96 11 stride 4 relu\nmaxpool 3 stride 2\nconv 256 5 groups 2 same relu\nmaxpool 3 stride 2\n"
        "conv 384 3 same relu\nconv 384 3 groups 2 same relu\nconv 256 3 groups 2 same relu\n"
        "maxpool 3 stride 2\nflatten\ndense 4096 relu\ndense 4096 relu\ndense 1000 softmax",
    ),
    "VGG-16": ((224, 224, 3), _vgg()),
    "MobileNet": ((224, 224, 3), _mobilenet()),
}


class _Line(NamedTuple):
    """What a line says: its number, its words, and the values in it."""

    line: int
    text: str
    kind: str
    counts: dict[str, int]
    same: bool
    nobias: bool
    bn: bool
    act: str

    @property
    def padding(self) -> str | int:
        return "same" if self.same else self.counts.get("pad", 0)

    def count(self, name: str, default: int = 1) -> int:
        return self.counts.get(name, default)


class _Row(NamedTuple):
    """What a line makes: its words, the shape, and what it costs."""

    text: str
    shape: tuple[int, ...]
    parameters: int
    macs: int
    values: int
    field: int | None


class ArchitectureWorkbench(Explorer):
    r"""A network, a line for each layer, and what each line costs.

    A line is ``conv FILTERS KERNEL``, ``depthwise KERNEL``, ``maxpool WINDOW``, ``averagepool WINDOW``,
    ``globalpool``, ``flatten`` or ``dense UNITS``, and options after it: ``stride N``, ``pad N`` or ``same``,
    ``dilation N``, ``groups N``, ``nobias``, ``bn`` (batch normalisation) and the name of an activation.

    Args:
        lines: a line for each layer.
        input_shape: (height, width, channels).
        presets: further networks to start from, title → (input_shape, lines).
        name: what links call this explorer; letters, digits and hyphens.

    Raises:
        ShapeError: layers that cannot follow each other.
        SizeError: a line that cannot be read, or a window that does not fit.

    >>> ArchitectureWorkbench("conv 6 5 relu\nflatten\ndense 10", (32, 32, 3)).total("parameters")
    47506
    """

    script, parts = "workbench", ("form", "sizes")
    words = WORDS

    def __init__(
        self,
        lines: str | Sequence[str] = PRESETS["LeNet"][1],
        input_shape: Sequence[int] = PRESETS["LeNet"][0],
        *,
        presets: Mapping[str, tuple[Sequence[int], str]] = PRESETS,
        name: str | None = None,
    ) -> None:
        self.lines = lines if isinstance(lines, str) else "\n".join(lines)
        self.name, self.presets = as_name(name), dict(presets)
        shape = as_shape(input_shape, "input_shape")
        if len(shape) != 3 or not all(isinstance(n, int) and 1 <= n <= LARGEST for n in shape):
            raise SizeError(WORDS["no_input"])
        self.input_shape: tuple[int, int, int] = tuple(shape)
        self._lines = _read(self.lines)
        self.rows = self._followed()

    def total(self, what: str) -> int:
        """The sum of ``parameters``, ``macs`` or ``values`` over all rows.

        >>> ArchitectureWorkbench().total("parameters")
        61706
        """
        return sum(getattr(row, what) for row in self.rows)

    def _followed(self) -> list[_Row]:
        """The input and what each line makes."""
        shape: tuple[int, ...] = self.input_shape
        windows: list[Window] = []
        text = WORDS["input"].format(sizes=" ".join(map(str, shape)))
        rows = [_Row(text, shape, 0, 0, activation_values((1, *shape)), 1)]
        for line in self._lines:
            before, shape = shape, _shape(line, shape)
            parameters, macs = _cost(line, before, shape)
            if line.bn:
                parameters += 4 * shape[-1]
            values = 0 if line.kind == "flatten" else activation_values((1, *shape))
            if len(shape) == 3:
                kernel, stride = line.count("kernel", line.count("window")), _stride(line)
                windows.append(
                    Window(kernel, stride, line.padding if line.padding else "valid", line.count("dilation"))
                )
            seen = receptive_field(windows, self.input_shape[0]).size if len(shape) == 3 else None
            rows.append(_Row(line.text, shape, parameters, macs, values, seen))
        return rows

    def __repr__(self) -> str:
        return self._regions()["say"]

    # --- the table, as the script writes it ----------------------------------------------------------------

    def _regions(self) -> dict[str, str]:
        """The HTML of each part: ``panels``, ``sum``, ``say`` and ``facts``."""
        heavy = max(self.rows, key=lambda row: row.parameters)
        wide = max(self.rows, key=lambda row: row.values)
        memory = activation_bytes((1, self.total("values"))) / 2**20
        pictures = [row for row in self.rows if row.field is not None]
        total = {what: _grouped(self.total(what)) for what in ("parameters", "macs", "values")}
        return {
            "panels": self._table(heavy.parameters, wide.values),
            "sum": WORDS["total"].format(**total, memory=number(memory)),
            "say": WORDS["most"].format(
                count=len(self._lines), heavy=heavy.text, parameters=_grouped(heavy.parameters),
                wide=wide.text, values=_grouped(wide.values),
                field=pictures[-1].field, size=self.input_shape[0],
            ),
            "facts": f"<details><summary>{WORDS['code']}</summary><pre>{self.keras_code()}</pre></details>",
        }  # fmt: skip

    def _table(self, heaviest: int, widest: int) -> str:
        columns = ("layer", "output", "parameters", "macs", "values", "field")
        head = "".join(f"<th scope=col>{WORDS[key]}</th>" for key in columns)
        lines = ""
        for row in self.rows:
            cells = [
                "×".join(map(str, row.shape)),
                _bar(row.parameters, heaviest),
                _grouped(row.macs),
                _bar(row.values, widest),
                WORDS["everything"] if row.field is None else str(row.field),
            ]
            lines += f"<tr><th scope=row>{row.text}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        return f"<table><tr>{head}</tr>{lines}</table>"

    def keras_code(self) -> str:
        """The network as a program.

        >>> print(ArchitectureWorkbench("conv 8 3 stride 2 same nobias bn relu", (32, 32, 3)).keras_code())
        from keras import Sequential, layers
        <BLANKLINE>
        model = Sequential([
            layers.Input((32, 32, 3)),
            layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.Activation("relu"),
        ])
        """
        made = [f"Input({self.input_shape})"]
        for line in self._lines:
            needed, _, theirs = KINDS[line.kind]
            arguments = [str(line.counts[what]) for what in needed]
            pairs = (("strides", "stride"), ("dilation_rate", "dilation"), ("groups", "groups"))
            arguments += [f"{word}={line.counts[key]}" for word, key in pairs[:1] if key in line.counts]
            arguments += ['padding="same"'] * line.same
            arguments += [f"{word}={line.counts[key]}" for word, key in pairs[1:] if key in line.counts]
            arguments += ["use_bias=False"] * line.nobias
            if line.act and not line.bn:
                arguments.append(f'activation="{line.act}"')
            if line.count("pad", 0):
                made.append(f"ZeroPadding2D({line.counts['pad']})")
            made.append(f"{theirs}({', '.join(arguments)})")
            if line.bn:
                made.append("BatchNormalization()")
            if line.bn and line.act:
                made.append(f'Activation("{line.act}")')
        body = "".join(f"    layers.{layer},\n" for layer in made)
        return f"from keras import Sequential, layers\n\nmodel = Sequential([\n{body}])"

    # --- the whole -----------------------------------------------------------------------------------------

    def _state(self) -> dict[str, Any]:
        presets = [[" ".join(map(str, shape)), text] for shape, text in self.presets.values()]
        return {
            "presets": [[" ".join(map(str, self.input_shape)), self.lines], *presets],
            "kinds": {kind: [needed, options, theirs] for kind, (needed, options, theirs) in KINDS.items()},
            "start": {},
        }

    def _content(self) -> str:
        return explored(self._regions(), self._controls(), WORDS["help"])

    def _controls(self) -> str:
        titles = {str(place): title for place, title in enumerate((WORDS["label_given"], *self.presets))}
        steps = choice("preset", WORDS["label_preset"], titles, "0") if self.presets else ""
        steps += field("input", WORDS["label_input"], " ".join(map(str, self.input_shape)))
        steps += field("layers", WORDS["label_layers"], self.lines, "textarea", rows=9, cols=44)
        return form(WORDS, steps, "")

    def network(self) -> Sequential:
        """The network as the library's layers.

        >>> ArchitectureWorkbench().network().count_params()
        61706
        """
        found: list[Any] = [Input(self.input_shape)]
        for line in self._lines:
            sliding: dict[str, Any] = {"strides": _stride(line), "padding": "same" if line.same else "valid"}
            weighted: dict[str, Any] = {
                "use_bias": not line.nobias,
                "activation": None if line.bn else line.act or None,
            }
            wide: dict[str, Any] = {"dilation_rate": line.count("dilation")}
            if line.count("pad", 0):
                found.append(layers.ZeroPadding2D(line.counts["pad"]))
            if line.kind == "conv":
                filters, kernel, groups = line.counts["filters"], line.counts["kernel"], line.count("groups")
                found.append(layers.Conv2D(filters, kernel, groups=groups, **sliding, **wide, **weighted))
            elif line.kind == "depthwise":
                found.append(layers.DepthwiseConv2D(line.counts["kernel"], **sliding, **wide, **weighted))
            elif line.kind == "dense":
                found.append(layers.Dense(line.counts["units"], **weighted))
            elif line.kind in ("globalpool", "flatten"):
                found.append(getattr(layers, KINDS[line.kind][2])())
            else:
                found.append(getattr(layers, KINDS[line.kind][2])(line.counts["window"], **sliding))
            found += [layers.BatchNormalization()] * line.bn
            if line.bn and line.act:
                found.append(layers.Activation(line.act))
        return Sequential(found)

    def _figure(self) -> Any:
        from cnnlib.plots.architectures import memory_and_parameters

        return memory_and_parameters(self.network().summary())


def _grouped(count: int) -> str:
    return f"{count:,}"


def _bar(count: int, most: int) -> str:
    """A number over a bar that shows its share of the largest."""
    return f'{_grouped(count)}<i style="width:{100 * count // most if most else 0}%"></i>'


def _refuse(what_for: str, **values: Any) -> SizeError:
    return SizeError(WORDS[what_for].format(**values))


def _read(text: str) -> list[_Line]:
    """The lines of a network, or what is wrong with the first that cannot be read."""
    rows = [(place, line.split()) for place, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not 1 <= len(rows) <= MOST_LINES:
        raise _refuse("no_lines", count=len(rows), most=MOST_LINES)
    return [_line(place, words) for place, words in rows]


def _line(line: int, words: list[str]) -> _Line:
    kind, *rest = words
    if kind not in KINDS:
        raise _refuse("no_kind", line=line, word=kind, known=", ".join(KINDS))
    needed, options, _ = KINDS[kind]
    allowed = [*options.split()]
    known = ", ".join(" ".join(ACTIVATIONS) if option == "act" else option for option in allowed)
    counts: dict[str, int] = {}
    flags, act = set(), ""
    for what in needed:
        if not rest:
            raise _refuse("needs", line=line, kind=kind, what=what)
        counts[what] = _count(line, what, rest.pop(0), 1)
    while rest:
        word = rest.pop(0)
        if word in COUNTED and word in allowed:
            if not rest:
                raise _refuse("needs", line=line, kind=word, what=word)
            counts[word] = _count(line, word, rest.pop(0), COUNTED[word])
        elif word in ACTIVATIONS and "act" in allowed:
            act = word
        elif word in ("same", "nobias", "bn") and word in allowed:
            flags.add(word)
        else:
            raise _refuse("no_option", line=line, kind=kind, word=word, known=known or WORDS["no_options"])
    found = _Line(line, " ".join(words), kind, counts, "same" in flags, "nobias" in flags, "bn" in flags, act)
    if found.count("stride") > 1 and found.count("dilation") > 1:
        raise _refuse("both", line=line, stride=found.count("stride"), dilation=found.count("dilation"))
    return found


def _count(line: int, what: str, word: str, least: int) -> int:
    if not re.fullmatch("[0-9]{1,9}", word) or not least <= int(word) <= LARGEST:
        raise _refuse("no_count", line=line, what=what, least=least, most=LARGEST, word=word)
    return int(word)


def _stride(line: _Line) -> int:
    return line.count("stride", line.count("window"))


def _shape(line: _Line, shape: tuple[int, ...]) -> tuple[int, ...]:
    """What a line makes of a shape."""
    if line.kind == "dense":
        if len(shape) == 3:
            raise ShapeError(WORDS["no_row"].format(line=line.line))
        return (line.counts["units"],)
    if len(shape) == 1:
        raise ShapeError(WORDS["no_picture"].format(line=line.line, kind=line.kind))
    height, width, channels = shape
    if line.kind == "globalpool":
        return (channels,)
    if line.kind == "flatten":
        return (height * width * channels,)
    filters, groups = line.count("filters", channels), line.count("groups")
    for what, count in (("channels", channels), ("filters", filters)):
        if count % groups:
            raise ShapeError(WORDS["unsplit"].format(line=line.line, count=count, what=what, groups=groups))
    kernel = line.count("kernel", line.count("window"))
    sizes = []
    for axis, size in enumerate((height, width)):
        try:
            sizes.append(slid(axis, size, kernel, _stride(line), line.padding, line.count("dilation")).out)
        except SizeError as error:
            raise SizeError(f"{WORDS['at_line'].format(line=line.line)}, {error}") from None
    return (*sizes, filters)


def _cost(line: _Line, before: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, int]:
    """Parameters without a normalisation's, and products."""
    bias = not line.nobias
    if line.kind == "dense":
        return dense_parameters(before[0], shape[0], bias), dense_macs((1, *before), shape[0])
    if line.kind not in ("conv", "depthwise"):
        return 0, 0
    kernel, image = line.counts["kernel"], (1, *before)
    moves = (_stride(line), line.padding, line.count("dilation"))
    if line.kind == "depthwise":
        return depthwise_parameters((kernel, kernel), before[-1], use_bias=bias), depthwise_macs(
            image, kernel, 1, *moves
        )
    groups = line.count("groups")
    kernel_shape((kernel, kernel), before[-1], shape[-1], groups)
    parameters = conv_parameters((kernel, kernel), before[-1], shape[-1], groups, bias)
    return parameters, conv_macs(image, kernel, shape[-1], *moves, groups)
