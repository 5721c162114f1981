"""A network that looks at what is drawn: every map of every layer, and the scores. Chapter 11.

Its numbers are those of the network's own layers, :mod:`cnnlib.layers`, with weights of eight bits; its
script repeats their rules, and a test holds the two together in a browser, over hundreds of drawings.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib.activations import softmax
from cnnlib.convolution import as_floats
from cnnlib.errors import ShapeError, SizeError
from cnnlib.explorers.base import (
    Explorer,
    as_name,
    attributes,
    button,
    choice,
    factor,
    field,
    number,
    products,
    region,
)
from cnnlib.explorers.cells import sliders
from cnnlib.explorers.eight_bits import SmallNetwork
from cnnlib.explorers.form import FORM_WORDS, check, form
from cnnlib.explorers.ink import LEVELS, SIDE, as_levels, fitted, packed
from cnnlib.explorers.pictures import png_url
from cnnlib.network import Sequential
from cnnlib.sizes import as_int, shown

#: The words that a reader sees, in Python and in the script; a translation replaces the values.
WORDS = FORM_WORDS | {
    "label_title": "A network looking",
    "label_link": "Link to this drawing",
    "label_drawing": "draw here",
    "label_still": "(with JavaScript)",
    "help": "Click a pixel of a map, or move over the chosen map by the arrow keys here.",
    "label_pad": "Drawing of 28 by 28 cells. Arrow keys move the pen, space puts it down or lifts it.",
    "label_digits": "real digits:",
    "label_clear": "Clear",
    "label_rubber": "rubber",
    "label_fit": "centre and scale as MNIST does",
    "label_shift": "shift:",
    "label_up": "up",
    "label_down": "down",
    "label_left": "left",
    "label_right": "right",
    "label_layer": "layer",
    "label_map": "map",
    "label_toggle": "Switch this map off",
    "kind_input": "what the network gets: {rows}×{columns}",
    "kind_conv": "{name}: {maps} maps of {rows}×{columns}, windows of {k}×{k}; white is {top}",
    "kind_max": "{name}: {maps} maps of {rows}×{columns}, largest of {k}×{k}; white is {top}",
    "kind_average": "{name}: {maps} maps of {rows}×{columns}, mean of {k}×{k}; white is {top}",
    "window": "what the chosen place sees",
    "weights": "its weights: white +{top}, black −{top}",
    "no_weights": "it has no weights",
    "class": "class",
    "score": "score",
    "probability": "probability",
    "no_ink": "Nothing is drawn, and the network answers all the same.",
    "ink": "{count} of 784 cells are drawn, in rows {top} to {bottom} and columns {left} to {right}.",
    "fit": "They are scaled by {scale} and moved to the middle.",
    "no_fit": "The network gets them as they are.",
    "answer": "The network says {first} (probability {p}), then {second} ({q}).",
    "off": "Switched off: {maps}.",
    "off_map": "{name} map {map}",
    "at_map": "{name}, map {map}, row {row}, column {column}: {found}",
    "at_class": "{name}, class {map}: {found}",
    "gives": "channel {c} gives {sum}",
    "sums": "{given}. With the bias {bias} that makes {sum}.",
    "bent": "ReLU makes it {value}.",
    "pooled_max": "the largest of {values} is {value}.",
    "pooled_average": "the mean of {values} is {value}.",
    "pen_up": "Pen up, row {row}, column {column}.",
    "pen_down": "Pen down, row {row}, column {column}.",
    "no_drawing": "this link holds no drawing of 28 by 28 cells",
    "nearly": "≈ {share}",
}

#: So many digits a page carries, and so many maps of a layer.
MOST_DIGITS, MOST_MAPS = 10, 16
#: The greys, besides black, of the pictures that stand there until the script runs: few, for a small page.
SHADES = 5


class NetworkLooking(Explorer):
    """A small network for 28×28 pictures at work: a reader draws, and sees every map and the scores.

    The network's weights are rounded to eight bits, a scale for each array, so that a page can carry
    them. ``model`` is the network with these weights: what it scores is what the page shows.

    Args:
        model: a trained :class:`~cnnlib.network.Sequential` of 28×28×1 inputs: convolutions and pooling with
            square windows, then dense layers; activations ReLU or none, the last layer returns scores.
        digits: pictures to choose among, (n, 28, 28) or (n, 28, 28, 1), from 0 to 1; at most ten.
        labels: what stands on the button of each; its number unless given.
        digit: which of them stands there at first.
        drawing: what stands there instead, (28, 28) from 0 to 1.
        fit: centre and scale drawings as the digits of MNIST were; else the network gets them as they are.
        off: maps that are switched off, pairs of a layer's name and a map.
        layer: the name of the layer that is looked at first; the first one unless given.
        map: which of its maps; the one with the largest value unless given.
        place: row and column in it; that of its largest value unless given.
        name: what links call this explorer; letters, digits and hyphens.

    Raises:
        ShapeError: a network of other layers or shapes, or pictures that are not 28×28.
        SizeError: more weights or digits than a page carries, values outside 0 to 1, a place that is none.

    >>> from cnnlib.network import Input
    >>> from cnnlib.layers import Conv2D, Dense, Flatten
    >>> model = Sequential([Input((28, 28, 1)), Conv2D(2, 15, name="C1"), Flatten(), Dense(10)])
    >>> model.initialize(0)
    >>> explorer = NetworkLooking(model, np.ones((1, 28, 28)), layer="C1", map=1, place=(12, 3))
    >>> print(str(explorer).split(". ")[0])
    784 of 784 cells are drawn, in rows 0 to 27 and columns 0 to 27
    """

    script, parts = "network_looking", ("form",)
    words = WORDS

    def __init__(
        self,
        model: Sequential,
        digits: ArrayLike = (),
        *,
        labels: Sequence[Any] | None = None,
        digit: int = 0,
        drawing: ArrayLike | None = None,
        fit: bool = True,
        off: Iterable[tuple[str, int]] = (),
        layer: str | None = None,
        map: int | None = None,
        place: tuple[int, int] | None = None,
        name: str | None = None,
    ) -> None:
        self.network = SmallNetwork(model)
        self.model, self._layers = self.network.model, self.network.layers
        if tuple(model.input_shape)[1:] != (SIDE, SIDE, 1):
            raise ShapeError(
                f"{model.name} takes inputs of {tuple(model.input_shape)}; a drawing is (None, 28, 28, 1)"
            )
        if (most := max(layer.maps for layer in self._layers)) > MOST_MAPS:
            raise SizeError(WORDS["at_most"].format(name="maps", value=most, most=MOST_MAPS))
        self.digits = _pictures(digits)
        count = len(self.digits)
        if count > MOST_DIGITS:
            raise SizeError(WORDS["at_most"].format(name="digits", value=count, most=MOST_DIGITS))
        self.labels = [str(label) for label in (range(count) if labels is None else labels)]
        if len(self.labels) != count:
            raise ShapeError(f"{len(self.labels)} labels for {count} digits; give one for each")
        if drawing is not None:
            self.levels = _pictures(np.asarray(drawing)[None])[0]
        elif count:
            self.levels = self.digits[_below(digit, "digit", count)]
        else:
            self.levels = np.zeros((SIDE, SIDE), np.int64)
        self.fit, self.name = bool(fit), as_name(name)
        last = len(self._layers) - 1
        self.off = sorted((self._number(of), int(which)) for of, which in off)
        for at, which in self.off:
            _below(which, f"{self._layers[at].name}: map", self._layers[at].maps if at < last else 0)
        self.layer = 1 if layer is None else self._number(layer)
        shape = self._layers[self.layer]
        values = self.outputs[self.layer]
        which = (
            int(values.max(axis=(0, 1)).argmax())
            if map is None
            else _below(map, f"{shape.name}: map", shape.maps)
        )
        row, column = divmod(int(values[..., which].argmax()), shape.columns) if place is None else place
        self.place = (
            which,
            _below(row, f"{shape.name}: row", shape.rows),
            _below(column, f"{shape.name}: column", shape.columns),
        )

    def _number(self, name: str) -> int:
        """The place of a layer among all."""
        names = [layer.name for layer in self._layers[1:]]
        if name not in names:
            raise SizeError(f"there is no layer {shown(name)} to look at; use one of {', '.join(names)}")
        return names.index(name) + 1

    @property
    def seen(self) -> NDArray[np.float64]:
        """What the network gets, (28, 28) from 0 to 1."""
        greys = self.levels / LEVELS
        return fitted(greys).greys if self.fit else greys

    @functools.cached_property
    def outputs(self) -> list[NDArray[np.float64]]:
        """What the input and each layer hand on, (rows, columns, maps): computed by the library's layers."""
        return [values[0] for values in self.network.outputs(self.seen[None, ..., None], self.off)]

    @property
    def scores(self) -> NDArray[np.float64]:
        """One score for each class, (classes,)."""
        return self.outputs[-1].ravel()

    def __repr__(self) -> str:
        return self._regions()["say"]

    # --- one drawing and one place, as the script writes them ----------------------------------------------

    def _regions(self, layer: int | None = None, place: tuple[int, int, int] | None = None) -> dict[str, str]:
        """The HTML of each part: ``sum``, ``say``, ``facts``, and the headings and frames of the pictures."""
        at, spot = self.layer if layer is None else layer, self.place if place is None else place
        total, found = self._found(at, spot)
        parts = {"sum": total, "say": f"{self._drawn()} {self._answer()} {found}", "facts": self._table()}
        for of, one in enumerate(self._layers[:-1]):
            values = {**one._asdict(), "top": number(self._top(of))}
            parts[f"h{of}"] = WORDS[f"kind_{one.kind}"].format(**values)
            parts[f"f{of}"] = _lines(self.outputs[of].shape) + self._frames(of, at, spot)
        kernel = self._weights(at, spot[0])
        parts["hw"] = WORDS["window"]
        k, maps = self._layers[at].k, 1 if kernel is None else kernel.shape[2]
        parts["fw"] = parts["fk"] = _lines((k, k, maps))
        parts["hk"] = (
            WORDS["no_weights"]
            if kernel is None
            else WORDS["weights"].format(top=number(float(np.abs(kernel).max())))
        )
        return parts

    def _drawn(self) -> str:
        """What is drawn, and what becomes of it."""
        rows, columns = (np.flatnonzero(self.levels.any(axis)) for axis in (1, 0))
        if not rows.size:
            return WORDS["no_ink"]
        ink = WORDS["ink"].format(
            count=np.count_nonzero(self.levels),
            top=rows[0],
            bottom=rows[-1],
            left=columns[0],
            right=columns[-1],
        )
        scale = number(fitted(self.levels / LEVELS).scale)
        return f"{ink} {WORDS['fit'].format(scale=scale) if self.fit else WORDS['no_fit']}"

    def _answer(self) -> str:
        """The two best classes, and what is switched off."""
        first, second = np.argsort(-self.scores, kind="stable")[:2]
        shares = softmax(self.scores)
        answer = WORDS["answer"].format(
            first=first, p=_share(shares[first]), second=second, q=_share(shares[second])
        )
        if self.off:
            names = (WORDS["off_map"].format(name=self._layers[at].name, map=which) for at, which in self.off)
            answer += " " + WORDS["off"].format(maps=", ".join(names))
        return answer

    def _window(self, at: int, row: int, column: int) -> NDArray[np.float64]:
        """What a place of a layer sees of the layer before, (k, k, maps)."""
        k, s, before = self._layers[at].k, self._layers[at].s, self._layers[at].pad
        padded = np.pad(self.outputs[at - 1], [(before, k), (before, k), (0, 0)])
        return padded[row * s : row * s + k, column * s : column * s + k]

    def _weights(self, at: int, which: int) -> NDArray[np.float64] | None:
        """The weights of one filter, (k, k, maps before)."""
        kernel = self._layers[at].kernel
        return None if kernel is None else kernel.values[..., which]

    def _found(self, at: int, spot: tuple[int, int, int]) -> tuple[str, str]:
        """How one number comes about: as a sum, and as a sentence."""
        (which, row, column), layer = spot, self._layers[at]
        window, value = self._window(at, row, column), number(float(self.outputs[at][row, column, which]))
        weights = self._weights(at, which)
        if weights is None or layer.bias is None:
            values = ", ".join(number(v) for v in window[..., which].ravel())
            total = found = WORDS[f"pooled_{layer.kind}"].format(values=values, value=value)
        else:
            bias = float(layer.bias.values[which])
            parts = (window * weights).sum(axis=(0, 1)).tolist()
            summed = number(sum(parts) + bias)
            given = ", ".join(WORDS["gives"].format(c=c, sum=number(part)) for c, part in enumerate(parts))
            found = WORDS["sums"].format(given=given, bias=number(bias), sum=summed)
            if layer.bends:
                found += " " + WORDS["bent"].format(value=number(max(sum(parts) + bias, 0)))
            total = (
                products(window[..., 0], weights[..., 0], parts[0])
                if len(parts) == 1
                else f"{' + '.join(factor(part) for part in [*parts, bias])} = {summed}"
            )
        place = WORDS["at_class" if at == len(self._layers) - 1 else "at_map"]
        return total, place.format(name=layer.name, map=which, row=row, column=column, found=found)

    def _table(self) -> str:
        """A row for each class: its score, its probability, and that as a bar."""
        head = "".join(f"<th scope=col>{WORDS[key]}" for key in ("class", "score", "probability"))
        best, lines = int(np.argmax(self.scores)), ""
        for c, (score, share) in enumerate(zip(self.scores, softmax(self.scores), strict=True)):
            here = " class=here" if c == best else ""
            bar = f"<i style=width:{math.floor(share * 100 + 0.5)}%></i>"
            lines += f"<tr{here}><th scope=row>{c}<td>{number(score)}<td>{_share(share)}<td>{bar}"
        return f"<table><tr>{head}<td>{lines}</table>"

    def _top(self, at: int) -> float:
        """What is painted white: the largest value of a layer."""
        return float(self.outputs[at].max()) if at else 1.0

    def _frames(self, of: int, at: int, spot: tuple[int, int, int]) -> str:
        """What is framed on the picture of a layer: the place, or what it sees."""
        (which, row, column), layer, shape = spot, self._layers[at], self.outputs[of].shape
        if of == at:
            return _frame(shape, which, row, column, 1)
        if of != at - 1:
            return ""
        maps = range(shape[2]) if layer.kernel else [which]
        top, left = row * layer.s - layer.pad, column * layer.s - layer.pad
        return "".join(_frame(shape, c, top, left, layer.k) for c in maps)

    # --- the whole -----------------------------------------------------------------------------------------

    def _state(self) -> dict[str, Any]:
        shapes = []
        for layer in self._layers:
            shape = {
                key: value
                for key, value in layer._asdict().items()
                if value and key not in ("kernel", "bias")
            }
            coded = [one.scale for one in (layer.kernel, layer.bias) if one]
            shapes.append(shape | ({"scales": coded} if coded else {}))
        which, row, column = self.place
        return {
            "layers": shapes,
            "weights": self.network.weights(),
            "digits": [packed(levels) for levels in self.digits],
            "start": {"layer": self.layer, "map": which, "row": row, "column": column},
        }

    def _content(self) -> str:
        parts = self._regions()
        help_pad = attributes(data_c="pad", tabindex=0, role="application", aria_label=WORDS["label_pad"])
        pad = (
            f"<div class=cx-map data-lm-suppress-shortcuts=true{help_pad}>"
            f"{_picture('pad', (SIDE, SIDE), WORDS['label_still'], '')}</div>"
        )
        panels = f"<div><div>{WORDS['label_drawing']}</div>{pad}<div data-r=pen role=status></div></div>"
        panels += region("facts", parts["facts"])
        for at, values in enumerate(self.outputs[:-1]):
            sheet = _sheet(values / (self._top(at) or 1))
            panels += _panel(parts, str(at), sheet)
        window, weights = self._window(self.layer, *self.place[1:]), self._weights(self.layer, self.place[0])
        if weights is None:
            window = window[..., self.place[:1]]
        panels += _panel(parts, "w", _sheet(window / (self._top(self.layer - 1) or 1)))
        kernel = np.zeros((1, 1, 1)) if weights is None else weights / np.abs(weights).max()
        panels += _panel(parts, "k", _sheet((kernel + 1) / 2))
        return (
            self._controls()  # above, so that the pen's are beside the pad
            + region("error", "", "p", role="alert", hidden="")
            + region("panels", panels, tabindex="0", role="group", aria_label=WORDS["help"])
            + region("say", parts["say"], "p", role="status", aria_live="polite")
            + region("sum", parts["sum"], "p")
        )

    def _controls(self) -> str:
        pen = "".join(button(f"digit{at}", label) for at, label in enumerate(self.labels))
        pen = f"<span>{WORDS['label_digits']}</span> {pen}" if pen else ""
        pen += button("clear", WORDS["label_clear"]) + check("rubber", WORDS["label_rubber"], False)
        pen += check("fit", WORDS["label_fit"], self.fit) + f"<span>{WORDS['label_shift']}</span>"
        pen += "".join(button(way, WORDS[f"label_{way}"]) for way in ("up", "down", "left", "right"))
        names = {str(at): layer.name for at, layer in enumerate(self._layers) if at}
        look = choice("layer", WORDS["label_layer"], names, str(self.layer))
        look += field("map", WORDS["label_map"], "0", "range", min=0, max=0) + sliders(WORDS, flat=False)
        look += button("toggle", WORDS["label_toggle"], aria_pressed="false")
        off = " ".join(f"{at}.{which}" for at, which in self.off)
        kept = (("ink", packed(self.levels)), ("off", off))
        hidden = "".join(f"<input hidden{attributes(data_c=key, value=value)}>" for key, value in kept)
        return form(WORDS, f"{pen}<b></b>{look}{hidden}", "")

    def _figure(self) -> Any:
        from cnnlib.plots.network_looking import looking

        names = [layer.name for layer in self._layers]
        return looking(self.outputs, softmax(self.scores), names)


def _below(value: Any, name: str, count: int) -> int:
    """A whole number from 0 on that is below ``count``."""
    whole = as_int(value, name, minimum=0)
    if whole >= count:
        raise SizeError(f"{name} {whole} is none of {count}; use one below {count}")
    return whole


def _pictures(given: ArrayLike) -> NDArray[np.int64]:
    """Pictures in the greys of the pen, (n, 28, 28)."""
    values = as_floats(np.asarray(given), "digits")
    if values.size == 0:
        return np.zeros((0, SIDE, SIDE), np.int64)
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    if values.ndim != 3 or values.shape[1:] != (SIDE, SIDE):
        raise ShapeError(f"digits have shape {values.shape}; give pictures of 28×28, (n, 28, 28)")
    if not ((values >= 0) & (values <= 1)).all():
        raise SizeError("digits have values outside 0 to 1; divide pixels by 255")
    return as_levels(values)


def _share(share: float) -> str:
    """A probability: none is quite 0 or 1."""
    text = number(share)
    return WORDS["nearly"].format(share=text) if text in ("0", "1") else text


def _columns(maps: int) -> int:
    """How many maps stand in a row of a sheet."""
    return math.ceil(math.sqrt(maps))


def _shades(values: NDArray) -> NDArray[np.uint8]:
    """Greys from 0 to 1 as pixels."""
    return np.rint(np.rint(np.clip(values, 0, 1) * SHADES) * 255 / SHADES).astype(np.uint8)


def _sheet(values: NDArray) -> NDArray[np.uint8]:
    """Maps (rows, columns, maps) from 0 to 1 as one picture."""
    rows, columns, maps = values.shape
    across = _columns(maps)
    whole = np.zeros((-(-maps // across) * rows, across * columns), np.uint8)
    for c in range(maps):
        x, y = _corner(values.shape, c)
        whole[y : y + rows, x : x + columns] = _shades(values[..., c])
    return whole


def _picture(name: str, size: tuple[int, ...], below: str, frames: str) -> str:
    """A canvas for the script, with what stands there without it, and the frames on it."""
    height, width = size
    return (
        f"<canvas{attributes(data_i=name, width=width, height=height)}>{below}</canvas>"
        f'<svg data-p=p{name} viewBox="0 0 {width} {height}" aria-hidden=true>'
        f"<rect class=hit /><g data-r=f{name}>{frames}</g></svg>"
    )


def _panel(parts: dict[str, str], name: str, pixels: NDArray[np.uint8]) -> str:
    """A picture with its heading."""
    below = f'<img alt="" src="{png_url(pixels, difference=False)}">'
    return (
        f"<div><div data-r=h{name}>{parts[f'h{name}']}</div>"
        f"<div class=cx-map>{_picture(name, pixels.shape, below, parts[f'f{name}'])}</div></div>"
    )


def _corner(shape: tuple[int, ...], which: int) -> tuple[int, int]:
    """Where a map begins on the sheet of all of (rows, columns, maps): x and y."""
    rows, columns, maps = shape
    return which % _columns(maps) * columns, which // _columns(maps) * rows


def _frame(shape: tuple[int, ...], which: int, row: int, column: int, size: int) -> str:
    """A frame about cells of one map on its sheet."""
    x, y = _corner(shape, which)
    return f'<path class=fr d="M{x + column} {y + row}h{size}v{size}h-{size}z"/>'


def _lines(shape: tuple[int, ...]) -> str:
    """Lines between the maps on their sheet."""
    rows, columns, maps = shape
    wide = _columns(maps)
    tall = -(-maps // wide)
    drawn = [f"M{i * columns} 0v{tall * rows}" for i in range(wide)]
    drawn += [f"M0 {i * rows}h{wide * columns}" for i in range(tall)]
    return f'<path d="{"".join(drawn)}"/>'
