"""The cone of inputs that an output sees through a stack of layers, which the reader builds. Chapter 8.

Its numbers are those of :mod:`cnnlib.receptive_field`; its script repeats their rule, and a test holds the
two together in a browser, over hundreds of stacks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from cnnlib.errors import ShapeError, SizeError
from cnnlib.explorers.base import Explorer, as_name, choice, field, number
from cnnlib.explorers.form import FORM_WORDS, explored, form
from cnnlib.receptive_field import ReceptiveField, Window, inputs_seen, receptive_field
from cnnlib.sizes import PADDING_MODES, as_int, effective_kernel_size, output_size, padding_amounts, shown

#: The words that a reader sees, in Python and in the script; a translation replaces the values.
WORDS = FORM_WORDS | {
    "label_title": "What an output sees",
    "help": "Choose an output with the pointer, or use the arrow keys here: left and right along a layer, "
    "up and down between layers.",
    "label_link": "Link to this stack",
    "label_settings": "Change the stack",
    "start_from": "start from",
    "as_given": "the stack of this page",
    "label_size": "inputs",
    "label_depth": "layers",
    "layer": "layer",
    "label_output": "output",
    "label_kernel": "kernel",
    "layer_name": "layer {layer}",
    "input": "input",
    "drawing": "{depth} layer(s) over {size} inputs",
    "beside": "layer {layer} sees {r}",
    "inputs": "{size} inputs",
    "outputs": "outputs",
    "r": "size",
    "j": "stride",
    "a": "offset",
    "say": "Layer {layer}, output {output} of 0 to {last_output}: it sees a stretch of {r}, "
    "from {first} to {last}{outside}. Of the inputs it reads {count}: {read}. "
    "The view of the next output lies {j} further on.",
    "outside": ", {count} of them in the padding",
    "none": "none",
    "rule": "size {r0} + ({f} − 1)·{j0} = {r}, stride {j0}·{s} = {j}, offset {a0} − {before}·{j0} = {a}",
    "where": "layer {layer}, axis 0",
    "layer_kernel": "layer {layer}: kernel",
    "layer_stride": "layer {layer}: stride",
    "layer_dilation": "layer {layer}: dilation",
    "layer_padding": "layer {layer}: padding",
    "too_wide": "{cells} places side by side are more than the cone shows; use at most {most}",
}

#: The most inputs, layers, and places side by side, padding included, that are drawn.
MOST_INPUTS, MOST_LAYERS, MOST_PLACES = 32, 6, 48
#: From one input to the next, from one layer to the next, and the room around units, in the drawing's units.
ACROSS, UP, ROOM = 28, 56, 16
#: Room for the words beside a layer.
BESIDE = 130
#: What a layer is that the reader adds.
ADDED = Window(3)


class _Row(NamedTuple):
    """A layer's units: how many there are, what each sees, and how many padded places the next layer adds."""

    units: int
    field: ReceptiveField
    before: int = 0
    after: int = 0

    def middle(self, unit: int) -> int:
        """Twice the middle of what a unit sees, so that it is a whole number."""
        return int(2 * self.field.centre) + 2 * unit * int(self.field.stride)


class ReceptiveCone(Explorer):
    """A stack of layers along one axis, and what one output of it sees of the inputs.

    Args:
        windows: how each layer slides over its inputs, from the inputs on; one number each, not transposed.
        size: how many inputs there are.
        layer: the layer to start at, counted from 1; the last unless told.
        output: which of its outputs, counted from 0; the middle unless told.
        presets: further stacks that the reader can start from, by title.
        name: what links call this explorer; letters, digits and hyphens.

    Raises:
        SizeError: a window does not fit, or there is more than can be drawn.
        ShapeError: a layer is no window of one axis.

    >>> print(ReceptiveCone([Window(3), Window(3, strides=2)], size=9, output=1))  # doctest: +ELLIPSIS
    Layer 2, output 1 of 0 to 2: it sees a stretch of 5, from 2 to 6. Of the inputs it reads ...
    """

    script, parts = "receptive_cone", ("form", "sizes")
    words = WORDS

    def __init__(
        self,
        windows: Iterable[Window],
        size: int,
        *,
        layer: int | None = None,
        output: int | None = None,
        presets: Mapping[str, Sequence[Window]] | None = None,
        name: str | None = None,
    ) -> None:
        self.size, self.name = _at_most(as_int(size, "size"), "size", MOST_INPUTS), as_name(name)
        self.windows = _checked(windows)
        self.presets = {title: _checked(stack) for title, stack in (presets or {}).items()}
        self._rows = self._followed()
        self.layer = as_int(len(self.windows) if layer is None else layer, "layer")
        if self.layer > len(self.windows):
            raise SizeError(f"layer {layer} is none of the {len(self.windows)} layers, counted from 1")
        outputs = self._rows[self.layer].units
        self.output = as_int(outputs // 2 if output is None else output, "output", minimum=0)
        if self.output >= outputs:
            raise SizeError(
                f"output {output} is none of the {outputs} outputs of layer {self.layer}; "
                f"use one below {outputs}"
            )

    def _followed(self) -> list[_Row]:
        """The inputs and each layer's outputs, or what does not fit."""
        rows, count = [], self.size
        for layer, window in enumerate(self.windows):
            kernel, stride, padding, dilation = _numbers(window)
            seen = receptive_field(self.windows[:layer], self.size)
            try:
                following = output_size(count, kernel, stride, padding, dilation)
            except SizeError as error:
                raise SizeError(f"{WORDS['where'].format(layer=layer + 1)}: {error}") from None
            rows.append(_Row(count, seen, *padding_amounts(count, kernel, stride, padding, dilation)))
            count = following
        rows.append(_Row(count, receptive_field(self.windows, self.size)))
        left, right = _ends(rows)
        if (cells := (right - left) // 2 + 1) > MOST_PLACES:
            raise SizeError(WORDS["too_wide"].format(cells=cells, most=MOST_PLACES))
        return rows

    def __repr__(self) -> str:
        return self._regions()["say"]

    # --- one output, as the script writes it ---------------------------------------------------------------

    def _regions(self, layer: int | None = None, output: int | None = None) -> dict[str, str]:
        """The HTML of each part for an output: ``panels``, ``sum``, ``say`` and ``facts``."""
        layer = self.layer if layer is None else layer
        output = self.output if output is None else output
        return {
            "panels": self._drawing(layer, output),
            "sum": self._rule(layer),
            "say": self._say(layer, output),
            "facts": self._facts(layer),
        }

    def _say(self, layer: int, output: int) -> str:
        row = self._rows[layer]
        r, j = int(row.field.size or 0), int(row.field.stride)
        first = row.field.offset + output * j
        last = first + r - 1
        beyond = max(min(-first, r), 0) + max(min(last - self.size + 1, r), 0)
        read = inputs_seen(self.windows[:layer], output, self.size)
        return WORDS["say"].format(
            layer=layer, output=output, last_output=row.units - 1, r=r, j=j, first=number(first),
            last=number(last), outside=WORDS["outside"].format(count=beyond) if beyond else "",
            count=len(read), read=", ".join(map(str, read)) or WORDS["none"],
        )  # fmt: skip

    def _rule(self, layer: int) -> str:
        below, here = self._rows[layer - 1], self._rows[layer]
        kernel, stride, _, dilation = _numbers(self.windows[layer - 1])
        return WORDS["rule"].format(
            r0=below.field.size, j0=below.field.stride, a0=number(below.field.offset),
            f=effective_kernel_size(kernel, dilation), s=stride, before=below.before,
            r=here.field.size, j=here.field.stride, a=number(here.field.offset),
        )  # fmt: skip

    def _facts(self, layer: int) -> str:
        head = "".join(f"<th scope=col>{WORDS[key]}</th>" for key in ("layer", "outputs", "r", "j", "a"))
        lines = []
        for place, row in enumerate(self._rows):
            field = row.field
            cells = (row.units, field.size, field.stride, number(field.offset))
            name = WORDS["layer_name"].format(layer=place) if place else WORDS["input"]
            lines.append(
                f"<tr{' class=here' if place == layer else ''}><th scope=row>{name}</th>"
                f"{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
            )
        return f"<table><tr>{head}</tr>{''.join(lines)}</table>"

    def _drawing(self, layer: int, output: int) -> str:
        """Every unit over the middle of what it sees, lines to what it reads, strong below the chosen one."""
        rows, depth = self._rows, len(self.windows)
        left, right = _ends(rows)
        wanted, reach = self._wanted(layer, output), (right - left) * ACROSS // 2 + 2 * ROOM

        def x(place: int, unit: int) -> int:
            return (rows[place].middle(unit) - left) * ACROSS // 2 + ROOM

        def y(place: int) -> int:
            return (depth - place) * UP + ROOM

        weak, strong = "", ""
        for place in range(1, depth + 1):
            for unit in range(rows[place].units):
                begun = f"M{x(place, unit)} {y(place)}"
                line = "".join(
                    f"{begun}L{x(place - 1, source)} {y(place - 1)}" for source in self._sources(place, unit)
                )
                if place <= layer and unit in wanted[place]:
                    strong += line
                else:
                    weak += line
        units, words = "", ""
        for place, row in enumerate(rows):
            for unit in range(-row.before, row.units + row.after):
                seen, inside = place <= layer and unit in wanted[place], 0 <= unit < row.units
                kind = ("no", "in" if place == 0 else "out")[seen] if inside else ("pd", "off")[seen]
                units += f"<circle class={kind} cx={x(place, unit)} cy={y(place)} r={9 if inside else 6} />"
            text = WORDS["beside"].format(layer=place, r=row.field.size)
            text = text if place else WORDS["inputs"].format(size=self.size)
            words += f"<text class=t x={reach + 4} y={y(place) + 5}>{text}</text>"
        width, height = reach + BESIDE, depth * UP + 2 * ROOM
        title = WORDS["drawing"].format(depth=depth, size=self.size)
        return (
            f'<div><svg data-p=cone viewBox="0 0 {width} {height}" role="img" aria-label="{title}" '
            f'style="width:{width}px;min-width:{width * 3 // 5}px"><path class=weak d="{weak}"/>'
            f'<path class=strong d="{strong}"/>{units}'
            f"<circle class=fr cx={x(layer, output)} cy={y(layer)} r=13 />{words}</svg></div>"
        )

    def _sources(self, layer: int, unit: int) -> list[int]:
        """The units below that one unit reads, those in the padding included."""
        below, window = self._rows[layer - 1], self.windows[layer - 1]
        kernel, stride, _, dilation = _numbers(window)
        padded = below.before + below.units + below.after
        free = Window(kernel, stride, dilation_rate=dilation)
        return [place - below.before for place in inputs_seen([free], unit, padded)]

    def _wanted(self, layer: int, output: int) -> dict[int, set[int]]:
        """For each layer up to this one what the output depends on, padding included."""
        wanted = {layer: {output}}
        for place in range(layer, 0, -1):
            real = (unit for unit in wanted[place] if 0 <= unit < self._rows[place].units)
            wanted[place - 1] = {source for unit in real for source in self._sources(place, unit)}
        return wanted

    # --- the whole -----------------------------------------------------------------------------------------

    def _state(self) -> dict[str, Any]:
        return {
            "most": [MOST_INPUTS, MOST_LAYERS, MOST_PLACES],
            "presets": [
                [list(_numbers(w)) for w in stack] for stack in (self.windows, *self.presets.values())
            ],
            "start": {"layer": self.layer, "output": self.output},
        }

    def _content(self) -> str:
        return explored(self._regions(), self._controls(), WORDS["help"])

    def _controls(self) -> str:
        sliders = field("layer", WORDS["layer"], "1", "range", min=1, max=1)
        sliders += field("output", WORDS["label_output"], "0", "range", min=0, max=0)
        titles = {str(place): title for place, title in enumerate((WORDS["as_given"], *self.presets))}
        settings = choice("preset", WORDS["start_from"], titles, "0") if self.presets else ""
        settings += field("size", WORDS["label_size"], str(self.size), "number", min=1, max=MOST_INPUTS)
        settings += field(
            "depth", WORDS["label_depth"], str(len(self.windows)), "number", min=1, max=MOST_LAYERS
        )
        stacks = (self.windows, *self.presets.values())
        paddings = [*PADDING_MODES, 1, 2, 3, *(w.padding for stack in stacks for w in stack)]
        options = {str(padding): str(padding) for padding in paddings}
        for place in range(MOST_LAYERS):
            window = self.windows[place] if place < len(self.windows) else ADDED
            kernel, stride, padding, dilation = map(str, _numbers(window))
            fields = field(f"kernel{place}", WORDS["label_kernel"], kernel, "number", min=1)
            fields += field(f"stride{place}", WORDS["label_stride"], stride, "number", min=1)
            fields += choice(f"padding{place}", WORDS["label_padding"], options, padding)
            fields += field(f"dilation{place}", WORDS["label_dilation"], dilation, "number", min=1)
            legend = WORDS["layer_name"].format(layer=place + 1)
            settings += f'<fieldset data-f="layer{place}"><legend>{legend}</legend>{fields}</fieldset>'
        return form(WORDS, sliders, settings)

    def _figure(self) -> Any:
        from cnnlib.plots.receptive_field import cones

        return cones(
            {WORDS["drawing"].format(depth=self.layer, size=self.size): self.windows[: self.layer]}, self.size
        )


def _at_most(value: int, name: str, most: int) -> int:
    if value > most:
        raise SizeError(WORDS["at_most"].format(name=name, value=value, most=most))
    return value


def _checked(windows: Iterable[Window]) -> tuple[Window, ...]:
    """Windows of one axis, with whole numbers in them."""
    stack = []
    for place, window in enumerate(windows, 1):
        if not isinstance(window, Window) or window.transposed or window.output_padding is not None:
            raise ShapeError(f"layer {place} is {shown(window)}; the cone shows windows that slide")
        kernel, stride, padding, dilation = _numbers(window)
        kernel = as_int(kernel, WORDS["layer_kernel"].format(layer=place))
        stride = as_int(stride, WORDS["layer_stride"].format(layer=place))
        dilation = as_int(dilation, WORDS["layer_dilation"].format(layer=place))
        if not isinstance(padding, str):
            padding = as_int(padding, WORDS["layer_padding"].format(layer=place), minimum=0)
        stack.append(Window(kernel, stride, padding, dilation))
    if not 1 <= len(stack) <= MOST_LAYERS:
        raise SizeError(f"there are {len(stack)} layers; the cone shows 1 to {MOST_LAYERS}")
    return tuple(stack)


def _numbers(window: Window) -> tuple[Any, Any, Any, Any]:
    """Kernel, stride, padding and dilation."""
    return window.kernel_size, window.strides, window.padding, window.dilation_rate


def _ends(rows: Sequence[_Row]) -> tuple[int, int]:
    """Twice the leftmost and the rightmost place that is drawn."""
    return (
        min(row.middle(-row.before) for row in rows),
        max(row.middle(row.units + row.after - 1) for row in rows),
    )
