"""A network as a table: shapes, parameters, operations, memory and receptive fields. Chapter 12.

>>> from cnnlib.layers import Conv2D, Dense, Flatten, MaxPooling2D
>>> from cnnlib.network import Input, Sequential
>>> layers = [Conv2D(6, 5, padding="same"), MaxPooling2D(), Flatten(), Dense(10)]
>>> print(Sequential([Input((28, 28, 1)), *layers], name="small").summary())
small
Layer          Output   Parameters     MACs  Activations  Receptive field
input_layer    28×28×1           0        0          784              1×1
conv2d         28×28×6         156  117,600        4,704              5×5
max_pooling2d  14×14×6           0        0        1,176              6×6
flatten        1176              0        0            0              all
dense          10           11,770   11,760           10              all
Total                       11,926  129,360        6,674
Parameters: 11,926 (46.6 KiB), all of them learned
Activations of one image: 26.1 KiB if all are kept, as for training; else at most 23.0 KiB at a time
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cnnlib.errors import CnnError, ShapeError
from cnnlib.layers.base import Layer, base_name
from cnnlib.layers.nodes import Call, Node, Shape
from cnnlib.receptive_field import ReceptiveField, Step, receptive_fields
from cnnlib.sizes import activation_values, item_bytes

#: Every word of the table; a translation replaces the values.
WORDS = {
    "layer": "Layer",
    "output": "Output",
    "parameters": "Parameters",
    "macs": "MACs",
    "values": "Activations",
    "field": "Receptive field",
    "reads": "reads {names}",
    "total": "Total",
    "everything": "all",
    "misaligned": "misaligned",
    "unknown": "?",
    "learned": "Parameters: {count} ({size}), all of them learned",
    "partly": "Parameters: {count} ({size}), {learned} of them learned, {fixed} not",
    "memory": "Activations of one image: {kept} if all are kept, as for training; "
    "else at most {peak} at a time",
    "caption": "Layers of {name}",
}
#: The widest line of the table of text, in characters.
TEXT_WIDTH = 100


@dataclass(frozen=True)
class Row:
    """One call of a layer, for one image.

    Attributes:
        name, kind: of the layer: ``conv2d_1``, ``Conv2D``; a layer that is called again is ``conv2d_1:1``.
        reads: the names of the rows that it reads.
        output_shape: (None, *spatial, channels), or a list of shapes.
        parameters: its weights; 0 in the rows of later calls.
        learned: how many of them are learned.
        macs, connections: multiply-accumulate operations, and connections as LeCun et al. (1998) count
            them; None where a size is open.
        values: the numbers that it makes; 0 where it only hands on the memory of others.
        bytes: their memory.
        field: what an output sees, for each axis; empty where there are no axes, None in it where branches
            are misaligned.
    """

    name: str
    kind: str
    reads: tuple[str, ...]
    output_shape: Any
    parameters: int
    learned: int
    macs: int | None
    connections: int | None
    values: int | None
    bytes: int | None
    field: tuple[ReceptiveField | None, ...] = ()

    @property
    def label(self) -> str:
        """The name, and the kind of layer where the name does not tell it."""
        tells = self.name.startswith(base_name(self.kind))
        return self.name if tells else f"{self.name} ({self.kind})"

    @property
    def shown_shape(self) -> str:
        """The shape without the batch, as 28×28×6."""
        shape = self.output_shape[0] if isinstance(self.output_shape, list) else self.output_shape
        return "×".join(WORDS["unknown"] if n is None else str(n) for n in shape[1:])

    @property
    def shown_field(self) -> str:
        """The receptive field, as 5×5."""
        if not self.field:
            return ""
        if None in self.field:
            return WORDS["misaligned"]
        if all(one is not None and one.stride == 0 for one in self.field):
            return WORDS["everything"]
        sizes = (None if one is None else one.size for one in self.field)
        return "×".join(WORDS["everything"] if n is None else str(n) for n in sizes)


@dataclass(frozen=True)
class Summary:
    """A network as a table, shown as text or, in a notebook, as HTML.

    Attributes:
        name: of the network.
        rows: inputs and layers, in the order in which the network was written down.
        peak_bytes: the memory of all activations that are needed at the same time, at the worst moment of a
            pass forward that keeps nothing; None where a size is open.
        weight_bytes: the memory of all weights.
        misaligned: where branches meet that do not look at the same place.
    """

    name: str
    rows: tuple[Row, ...]
    peak_bytes: int | None
    weight_bytes: int
    misaligned: tuple[str, ...] = field(default=())

    @property
    def parameters(self) -> int:
        """All weights."""
        return sum(row.parameters for row in self.rows)

    @property
    def learned(self) -> int:
        """The weights that training changes."""
        return sum(row.learned for row in self.rows)

    @property
    def macs(self) -> int | None:
        """Multiply-accumulate operations for one image: products with weights, biases not counted."""
        return _total(row.macs for row in self.rows)

    @property
    def connections(self) -> int | None:
        """Connections for one image, as LeCun et al. (1998) count them."""
        return _total(row.connections for row in self.rows)

    @property
    def values(self) -> int | None:
        """The numbers in all activations of one image, its input among them."""
        return _total(row.values for row in self.rows)

    @property
    def bytes(self) -> int | None:
        """The memory of all activations of one image, as training keeps them for the way back."""
        return _total(row.bytes for row in self.rows)

    def cells(self) -> list[tuple[str, ...]]:
        """The table as text: the heading, a line for each row, the total."""
        columns = ("layer", "output", "parameters", "macs", "values", "field")
        body = [
            (
                row.label,
                row.shown_shape,
                _number(row.parameters),
                _number(row.macs),
                _number(row.values),
                row.shown_field,
            )
            for row in self.rows
        ]
        totals = (_number(n) for n in (self.parameters, self.macs, self.values))
        return [tuple(WORDS[column] for column in columns), *body, (WORDS["total"], "", *totals, "")]

    def notes(self) -> list[str]:
        """What stands under the table."""
        learned = "learned" if self.learned == self.parameters else "partly"
        return [
            WORDS[learned].format(
                count=_number(self.parameters),
                size=_memory(self.weight_bytes),
                learned=_number(self.learned),
                fixed=_number(self.parameters - self.learned),
            ),
            WORDS["memory"].format(kept=_memory(self.bytes), peak=_memory(self.peak_bytes)),
            *self.misaligned,
        ]

    def reads(self) -> list[str]:
        """For each row what it reads, where that is not just the row before."""
        before = [(), *((row.name,) for row in self.rows)]
        return [
            WORDS["reads"].format(names=", ".join(row.reads)) if row.reads not in ((), last) else ""
            for row, last in zip(self.rows, before, strict=False)
        ]

    def __str__(self) -> str:
        cells = self.cells()
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        room = TEXT_WIDTH - sum(widths[1:]) - 2 * len(widths[1:])
        cells = [(_cut(label, room), *others) for label, *others in cells]
        widths[0] = max(len(label) for label, *_ in cells)
        sides = ("<", "<", ">", ">", ">", ">")
        lines = [
            "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(line, sides, widths, strict=True))
            for line in cells
        ]
        for place, words in reversed(list(enumerate(self.reads(), start=2))):
            if words:
                lines[place:place] = textwrap.wrap(
                    words, TEXT_WIDTH, initial_indent="  ", subsequent_indent="  "
                )
        notes = [
            part for note in self.notes() for part in textwrap.wrap(note, TEXT_WIDTH, subsequent_indent="  ")
        ]
        return "\n".join(line.rstrip() for line in (self.name, *lines, *notes))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        heading, *body, total = ([html.escape(cell) for cell in line] for line in self.cells())
        # Numbers of ten digits stand side by side: a gap between columns, and no line within a number.
        gap, whole = "padding-left: 1em", "padding-left: 1em; white-space: nowrap"
        right = f' style="text-align: right; {whole}"'

        def cells(line: Sequence[str]) -> str:
            shape, *numbers = line
            first = f'<td style="{whole}">{shape}</td>'
            return first + "".join(f"<td{right}>{number}</td>" for number in numbers)

        head = "".join(
            f'<th scope="col" style="{"text-align: right; " if i > 1 else ""}{gap if i else ""}">{word}</th>'
            for i, word in enumerate(heading)
        )
        rows = [
            f'<tr><th scope="row">{label}{f"<br><small>{html.escape(words)}</small>" if words else ""}</th>'
            f"{cells(line)}</tr>"
            for (label, *line), words in zip(body, self.reads(), strict=True)
        ]
        label, *line = total
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes())
        caption = html.escape(WORDS["caption"].format(name=self.name))
        return (
            '<div class="cnnlib-summary" style="overflow-x: auto" tabindex="0" role="region" '
            f'aria-label="{caption}"><table style="font-size: 0.85em"><caption>{caption}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
            f'<tfoot><tr><th scope="row">{label}</th>{cells(line)}</tr></tfoot></table></div>{notes}'
        )


def _total(counts: Any) -> int | None:
    counts = list(counts)
    return None if None in counts else sum(counts)


def _number(count: int | None) -> str:
    return WORDS["unknown"] if count is None else f"{count:,}"


def _memory(count: int | None) -> str:
    """Bytes in the unit that they are read in.

    >>> _memory(600), _memory(60_000), _memory(553_430_176)
    ('600 B', '58.6 KiB', '527.8 MiB')
    """
    if count is None:
        return WORDS["unknown"]
    if count < 1024:
        return f"{count} B"
    unit, size = ("MiB", 1 << 20) if count >= 1 << 20 else ("KiB", 1 << 10)
    return f"{count / size:,.1f} {unit}"


def _cut(label: str, width: int) -> str:
    """A label that is not too wide: without the kind of layer, or without its middle.

    >>> _cut("block1_conv1 (Conv2D)", 21), _cut("block1_conv1 (Conv2D)", 20), _cut("block1_conv1", 7)
    ('block1_conv1 (Conv2D)', 'block1_conv1', 'blo…nv1')
    """
    if len(label) > width:
        label = label.split(" (", maxsplit=1)[0]
    if len(label) > width:
        half = (width - 1) // 2
        label = f"{label[:half]}…{label[-half:]}"
    return label


def summarize(
    name: str,
    inputs: Sequence[Node],
    calls: Sequence[Call],
    names: Mapping[Call, str],
    outputs: Sequence[Node],
) -> Summary:
    """Count everything that :meth:`cnnlib.network.Model.summary` shows.

    Args:
        name: of the network.
        inputs, outputs: its nodes.
        calls: every use of a layer, each after those that it reads.
        names: of the calls.

    Returns:
        a row for each input and each call (a layer that is called twice has two), for one image.
    """
    sources = {node: node.layer.name for node in inputs}
    sources |= {node: names[call] for call in calls for node in call.outputs}
    fields, misaligned = _fields(inputs, calls, sources)
    rows, counted = [], set[Layer]()
    for node in inputs:
        seen = fields.get(sources[node], ())
        values = _sum_open([node.shape])
        memory = None if values is None else values * item_bytes(node.layer.dtype)
        row = Row(sources[node], type(node.layer).__name__, (), node.shape, 0, 0, 0, 0, values, memory, seen)
        rows.append(row)
    for call in calls:
        layer, again = call.layer, call.layer in counted
        counted.add(layer)
        sizes = {} if again else {key: _product(shape) for key, shape in layer.weight_shapes.items()}
        shapes = [node.shape for node in call.outputs]
        values = 0 if layer.shares_memory(training=True) else _sum_open(shapes)
        rows.append(
            Row(
                names[call],
                type(layer).__name__,
                tuple(sources[node] for node in call.inputs),
                shapes if len(shapes) > 1 else shapes[0],
                sum(sizes.values()),
                sum(sizes.get(key, 0) for key in layer.trainable),
                _counted(layer.macs, call.input_shape),
                _counted(layer.connections, call.input_shape),
                values,
                None if values is None else _bytes(call, training=True),
                fields.get(names[call], ()),
            )
        )
    weights = sum(layer.count_params() * item_bytes(layer.dtype) for layer in counted)
    return Summary(name, tuple(rows), _peak(inputs, calls, outputs), weights, misaligned)


def _product(shape: Shape) -> int:
    return activation_values((1, *shape))


def _sum_open(shapes: Sequence[Shape]) -> int | None:
    """The values of all ``shapes`` for one image, or None where a size is open."""
    if any(None in shape[1:] for shape in shapes):
        return None
    return sum(activation_values(shape) for shape in shapes)


def _bytes(call: Call, training: bool) -> int:
    """The memory of what a call makes; outputs behind the first are indices, such as switches."""
    if call.layer.shares_memory(training):
        return 0
    sizes = [item_bytes(call.layer.dtype), *[item_bytes("int64")] * (len(call.outputs) - 1)]
    return sum(activation_values(node.shape) * n for node, n in zip(call.outputs, sizes, strict=True))


def _counted(count: Callable[[Any], int], input_shape: Any) -> int | None:
    """A layer's count, or None where a size is open."""
    try:
        return count(input_shape)
    except ShapeError:
        return None


def _fields(
    inputs: Sequence[Node], calls: Sequence[Call], sources: Mapping[Node, str]
) -> tuple[Mapping[Any, tuple[ReceptiveField | None, ...]], tuple[str, ...]]:
    """What each row sees of the image, if there is one image, and where branches are misaligned."""
    spatial = {node.shape[1:-1] for node in inputs}
    if len(spatial) > 1 or not (sizes := spatial.pop()):
        return {}, ()
    try:
        report = receptive_fields(graph_steps(inputs, calls, sources), sizes)
    except CnnError:  # a layer between says too little of its window to follow sizes through it
        return {}, ()
    return report.fields, tuple(map(str, report.misaligned))


def graph_steps(inputs: Sequence[Node], calls: Sequence[Call], sources: Mapping[Node, str]) -> list[Step]:
    """A network as :mod:`cnnlib.receptive_field` wants it: one step for each input and each call.

    Args:
        inputs, calls: of the network, each call after those that it reads.
        sources: the name that the step of each node will have.

    Returns:
        the steps, of the inputs first and then of the calls (in their order).
    """
    steps = [Step(sources[node], None) for node in inputs]
    for call in calls:
        reads = tuple(dict.fromkeys(sources[node] for node in call.inputs))
        steps.append(Step(sources[call.outputs[0]], call.layer.window(), reads))
    return steps


def _peak(inputs: Sequence[Node], calls: Sequence[Call], outputs: Sequence[Node]) -> int | None:
    """The most memory at a time, in bytes, when each result goes as soon as nobody needs it."""
    owner: dict[Node, Any] = {node: node for node in inputs}  # whose memory it is
    memory: dict[Any, int] = {}
    if any(None in node.shape[1:] for node in (*inputs, *(n for call in calls for n in call.outputs))):
        return None
    for node in inputs:
        memory[node] = activation_values(node.shape) * item_bytes(node.layer.dtype)
    last: dict[Any, int] = {}
    for turn, call in enumerate(calls):
        shares = call.layer.shares_memory(training=False)
        for node in call.outputs:
            owner[node] = owner[call.inputs[0]] if shares else call
        memory[call] = _bytes(call, training=False)
        last |= {owner[node]: turn for node in (*call.inputs, *call.outputs)}
    last |= {owner[node]: len(calls) for node in outputs}
    alive = sum(memory[node] for node in inputs)
    peak = alive
    for turn, call in enumerate(calls):
        alive += memory[call]
        peak = max(peak, alive)
        alive -= sum(memory[who] for who, when in last.items() if when == turn)
    return peak
