"""Networks: layers behind one another, with branches or without. Chapters 11 to 13.

A network is written down as in Keras, as a list of layers or by calling layers on nodes:

>>> from cnnlib.layers import Add, Conv2D, Dense, Flatten, MaxPooling2D
>>> layers = [Conv2D(6, 5, activation="relu"), MaxPooling2D(), Flatten(), Dense(10)]
>>> network = Sequential([Input((28, 28, 1)), *layers])
>>> network.output_shape, network.count_params()
((None, 10), 8806)

>>> image = Input((32, 32, 16))
>>> residual = Conv2D(16, 3, padding="same", activation="relu")(image)
>>> block = Model(image, Add()([Conv2D(16, 3, padding="same")(residual), image]))
>>> [layer.name for layer in block.layers]
['conv2d', 'conv2d_1', 'add']

:meth:`Model.forward` computes along the graph and remembers what the way back needs; :meth:`Model.backward`
goes back, adding up gradients where branches part. A plain call remembers nothing, and drops every
intermediate result as soon as no layer needs it any more.
"""

from __future__ import annotations

import difflib
import importlib
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from cnnlib.convolution import as_floats
from cnnlib.errors import CnnError, ShapeError
from cnnlib.layers import LAYERS
from cnnlib.layers.base import Floats, Layer, Rule, Weightless, name_layers
from cnnlib.layers.nodes import Call, Node, is_symbolic
from cnnlib.receptive_field import Step
from cnnlib.sizes import as_int
from cnnlib.summary import Summary, graph_steps, summarize

#: dL/d(weight) for every layer and every trainable weight by their names.
Gradients: TypeAlias = "dict[str, dict[str, Floats]]"


class InputLayer(Weightless):
    """Where a network's inputs come in; :func:`Input` makes it."""


def Input(shape: Sequence[int | None], name: str = "") -> Node:  # as in Keras
    """The beginning of a network: a node for images of ``shape``, the batch left out.

    Args:
        shape: (*spatial, channels) or (features,); None leaves a size open.
        name: of the input.

    >>> Input((28, 28, 1)).shape
    (None, 28, 28, 1)
    """
    if isinstance(shape, int) or not hasattr(shape, "__iter__"):
        raise ShapeError(f"Input needs a shape such as (28, 28, 1), not {shape!r}")
    sizes = tuple(n if n is None else as_int(n, "input shape") for n in shape)
    return Call(InputLayer(name=name), (), False, [(None, *sizes)]).outputs[0]


class Tape:
    """What a forward pass remembers for the way back: each call's memory, to be used once."""

    def __init__(self) -> None:
        self.memories: dict[Call, Any] = {}
        self.used = False

    def begin(self) -> None:
        """Allow one way back."""
        if self.used:
            raise CnnError("this tape was used already, and its memory is gone; run forward() again")
        self.used = True


class Model:
    """A network: the graph of layers between some input and some output nodes.

    Args:
        inputs: the node that :func:`Input` made, or a list of such nodes.
        outputs: the node, or list of nodes, that the network computes.
        name: of the network.

    Attributes:
        layers: in the order in which the network was written down, inputs left out; a layer that is used
            twice stands here once.
        calls: every use of a layer, each after those that it reads.
        input_shape, output_shape: (None, *spatial, channels), or a list of shapes.

    Raises:
        CnnError: the outputs depend on an input that is not listed, or two layers have the same name.
    """

    def __init__(self, inputs: Node | Sequence[Node], outputs: Node | Sequence[Node], name: str = "") -> None:
        self.name = name or "model"
        self._set_graph(inputs, outputs)

    def _set_graph(self, inputs: Node | Sequence[Node], outputs: Node | Sequence[Node]) -> None:
        self._lists = isinstance(inputs, (list, tuple)), isinstance(outputs, (list, tuple))
        self.inputs: tuple[Node, ...] = tuple(_as_nodes(inputs, "inputs"))
        self.outputs: tuple[Node, ...] = tuple(_as_nodes(outputs, "outputs"))
        self.calls: list[Call] = self._calls_between()
        self.layers: list[Layer] = list(dict.fromkeys(call.layer for call in self.calls))
        name_layers([*(node.layer for node in self.inputs), *self.layers])
        self._last_reader = {node: call for call in self.calls for node in call.inputs}

    def _calls_between(self) -> list[Call]:
        """The calls from the inputs, which may be inner nodes of a larger network, to the outputs."""
        found: set[Call] = set()
        waiting = list(self.outputs)
        while waiting:
            node = waiting.pop()
            if node in self.inputs or node.call in found:
                continue
            if not node.parents:
                raise CnnError(
                    f"the outputs depend on an input of shape {node.shape} "
                    "that is not among the inputs of the model; list it there"
                )
            found.add(node.call)
            waiting += node.parents
        return sorted(found, key=lambda call: call.number)

    # --- forward -----------------------------------------------------------------------------------

    def __call__(self, x: Any, training: bool = False) -> Any:
        """The outputs for arrays (batch, *spatial, channels); called on nodes, the same layers there."""
        if is_symbolic(x):
            return self._replay(x)
        return self._packed(self._run(x, training))

    def forward(self, x: Any, training: bool = False) -> tuple[Any, Tape]:
        """Compute the outputs and remember what :meth:`backward` will need.

        Args:
            x: array (batch, *spatial, channels), or a list with one for each input.
            training: whether dropout drops, and batch normalisation uses the batch's own statistics.

        Returns:
            the outputs, an array or a list, and the tape.

        Raises:
            ShapeError, SizeError, DtypeError: the message names the layer.
        """
        tape = Tape()
        return self._packed(self._run(x, training, tape)), tape

    def predict(self, x: Any, batch_size: int = 32) -> Any:
        """The outputs for many images, computed ``batch_size`` at a time, so that memory stays small.

        >>> from cnnlib.layers import Flatten
        >>> Sequential([Input((2, 2, 1)), Flatten()]).predict(np.zeros((100, 2, 2, 1))).shape
        (100, 4)
        """
        as_int(batch_size, "batch_size")
        arrays = list(x) if isinstance(x, (list, tuple)) and self._lists[0] else [x]
        total = len(arrays[0])
        parts = [
            self._run(
                [array[start : start + batch_size] for array in arrays]
                if self._lists[0]
                else arrays[0][start : start + batch_size],
                training=False,
            )
            for start in range(0, max(total, 1), batch_size)
        ]
        return self._packed([np.concatenate(part) for part in zip(*parts, strict=True)])

    def activations(self, x: Any, names: Iterable[str] | None = None) -> dict[str, Any]:
        """What every layer makes of ``x``, by the layers' names; or only the layers ``names``.

        A layer that is called several times stands there as ``name``, ``name:1``, …; of a layer with several
        outputs there is a list.
        """
        wanted = None if names is None else set(names)
        labels = self.call_names()
        if wanted is not None and (unknown := wanted - set(labels.values())):
            raise CnnError(self._no_layer(sorted(unknown)[0]))
        found: dict[str, Any] = {}

        def watch(call: Call, outputs: list[Any]) -> None:
            if wanted is None or labels[call] in wanted:
                found[labels[call]] = outputs if len(outputs) > 1 else outputs[0]

        self._run(x, training=False, watch=watch)
        return found

    def _run(
        self,
        x: Any,
        training: bool,
        tape: Tape | None = None,
        watch: Callable[[Call, list[Any]], None] | None = None,
    ) -> list[Any]:
        """The outputs. Each result is dropped as soon as nobody needs it."""
        values = dict(zip(self.inputs, self._arrays(x), strict=True))
        for call in self.calls:
            made = self._step(call, values, training, tape)
            if watch is not None:
                watch(call, made)
            del made
        return [values[node] for node in self.outputs]

    def _step(self, call: Call, values: dict[Node, Any], training: bool, tape: Tape | None) -> list[Any]:
        """Make one call: put what it makes into ``values``, and take out what it was the last to read."""
        given = [values[node] for node in call.inputs]
        with call.layer.named_errors():
            outputs, memory = call.layer.forward(given if call.takes_list else given[0], training)
        if tape is not None:
            tape.memories[call] = memory
        made = list(outputs) if len(call.outputs) > 1 else [outputs]
        values.update(zip(call.outputs, made, strict=True))
        for node in set(call.inputs):
            if self._last_reader[node] is call and node not in self.outputs:
                del values[node]
        return made

    def _arrays(self, x: Any) -> list[Any]:
        """The inputs as arrays of the network's dtype, or what does not fit about them."""
        arrays = list(x) if self._lists[0] else [x]
        if len(arrays) != len(self.inputs):
            raise ShapeError(f"{self.name} has {len(self.inputs)} inputs, but {len(arrays)} were given")
        dtype = self.dtype
        values = []
        for node, item in zip(self.inputs, arrays, strict=True):
            array = as_floats(item, f"{self.name}: inputs").astype(dtype, copy=False)
            if not fits(array.shape, node.shape):
                raise ShapeError(
                    f"{self.name} takes inputs of shape {node.shape}, not {array.shape}; "
                    + _missing_axis(array.shape, node.shape)
                )
            values.append(array)
        return values

    def _packed(self, outputs: list[Any]) -> Any:
        """A list where the network was given a list of outputs, an array otherwise."""
        return outputs if self._lists[1] else outputs[0]

    def _replay(self, x: Any) -> Any:
        """The same layers, called on other nodes: how a network becomes a part of another."""
        nodes = list(x) if isinstance(x, (list, tuple)) else [x]
        if len(nodes) != len(self.inputs):
            raise ShapeError(f"{self.name} has {len(self.inputs)} inputs, but {len(nodes)} nodes were given")
        stands_for = dict(zip(self.inputs, nodes, strict=True))
        for call in self.calls:
            given = [stands_for[node] for node in call.inputs]
            made = call.layer(given if call.takes_list else given[0])
            stands_for.update(zip(call.outputs, made if isinstance(made, list) else [made], strict=True))
        return self._packed([stands_for[node] for node in self.outputs])

    # --- backward ----------------------------------------------------------------------------------

    def backward(
        self,
        gradient: Any,
        tape: Tape,
        needs_inputs: bool = False,
        rules: Mapping[str, Rule] | None = None,
    ) -> tuple[Any, Gradients]:
        """Pass the gradient of the loss back through the network (Rumelhart, Hinton and Williams, 1986).

        Args:
            gradient: dL/d(outputs), an array, or a list where the network has a list of outputs.
            tape: what :meth:`forward` returned; it is used up.
            needs_inputs: whether dL/d(inputs) is wanted too, as for saliency maps.
            rules: by an activation's name a function (gradient, inputs, outputs) that passes its gradient
                back in place of its own, for layers and for activations inside layers. (The inputs are
                None where the outputs were computed in their place.) Guided backpropagation is
                ``{"relu": lambda gradient, _, outputs: gradient * (gradient > 0) * (outputs > 0)}``.

        Returns:
            dL/d(inputs), or None, and dL/d(weight) by the names of layer and weight, trainable ones only.
        """
        tape.begin()
        slopes: dict[Node, Any] = {}
        for node, item in zip(self.outputs, self._gradients(gradient), strict=True):
            _accumulate(slopes, node, item)
        carriers = self._carriers(needs_inputs)
        gradients: Gradients = {}
        for call in reversed(self.calls):
            memory = tape.memories.pop(call)
            above = [slopes.pop(node, None) for node in call.outputs]
            wanted = any(node in carriers for node in call.inputs)
            if all(item is None for item in above) or not (wanted or call.layer.trainable):
                continue
            options: dict[str, Any] = {}
            if rules and (rule := rules.get(getattr(call.layer, "activation", None) or "")):
                options["rule"] = rule
            with call.layer.named_errors():
                below, learned = call.layer.backward(
                    above if len(above) > 1 else above[0], memory, wanted, **options
                )
            shares = below if call.takes_list else [below]
            for node, item in zip(call.inputs, shares or (), strict=False):
                if node in carriers:
                    _accumulate(slopes, node, item)
            for name, item in learned.items():
                _accumulate(gradients.setdefault(call.layer.name, {}), name, item)
        if not needs_inputs:
            return None, gradients
        found = [slopes[node] for node in self.inputs]
        return found if self._lists[0] else found[0], gradients

    def _carriers(self, needs_inputs: bool) -> set[Node]:
        """The nodes whose gradient somebody needs: a weight before them, or the caller."""
        carriers = set(self.inputs) if needs_inputs else set()
        for call in self.calls:
            if call.layer.trainable or not carriers.isdisjoint(call.inputs):
                carriers.update(call.outputs)
        return carriers

    def _gradients(self, gradient: Any) -> list[Any]:
        """One gradient for each output, in the network's dtype."""
        given = list(gradient) if self._lists[1] else [gradient]
        if len(given) != len(self.outputs):
            raise ShapeError(
                f"{self.name} has {len(self.outputs)} outputs, but {len(given)} gradients were given"
            )
        arrays = []
        for node, item in zip(self.outputs, given, strict=True):
            array = None if item is None else as_floats(item, "gradient").astype(self.dtype, copy=False)
            if array is not None and not fits(array.shape, node.shape):
                raise ShapeError(
                    f"{self.name} makes outputs of shape {node.shape}, but the gradient has {array.shape}"
                )
            arrays.append(array)
        return arrays

    # --- weights -----------------------------------------------------------------------------------

    @property
    def dtype(self) -> str:
        """The dtype that inputs are converted to: that of the first layer."""
        return self.layers[0].dtype if self.layers else "float32"

    def astype(self, dtype: str) -> None:
        """Change the dtype of all layers and weights; gradient checks need ``float64``."""
        for layer in self.layers:
            layer.astype(dtype)

    def initialize(self, seed: int | None = None) -> None:
        """Draw all weights anew; the same seed gives the same weights."""
        for layer, source in zip(
            self.layers, np.random.SeedSequence(seed).spawn(len(self.layers)), strict=True
        ):
            layer.initialize(source)

    def count_params(self) -> int:
        """The number of weights of all layers, known without making them."""
        self._check_built()
        return sum(layer.count_params() for layer in self.layers)

    def get_weights(self) -> list[Floats]:
        """Copies of the weights of all layers, in order."""
        self._check_built()
        return [weight for layer in self.layers for weight in layer.get_weights()]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Take over the weights of all layers, in order.

        Raises:
            ShapeError: another number of weights, or another shape (the message names the layer).
        """
        self._check_built()
        numbers = [len(layer.weight_shapes) for layer in self.layers]
        if len(weights) != sum(numbers):
            raise ShapeError(f"{self.name} has {sum(numbers)} weights, but {len(weights)} were given")
        start = 0
        for layer, number in zip(self.layers, numbers, strict=True):
            layer.set_weights(weights[start : start + number])
            start += number

    def _check_built(self) -> None:
        """Raise if the shapes are not known yet, which happens to a list of layers without an input."""

    # --- looking into it ---------------------------------------------------------------------------

    @property
    def input_shape(self) -> Any:
        """(None, *spatial, channels), or a list of such shapes."""
        self._check_built()
        shapes = [node.shape for node in self.inputs]
        return shapes if self._lists[0] else shapes[0]

    @property
    def output_shape(self) -> Any:
        """(None, *spatial, channels), or a list of such shapes."""
        self._check_built()
        return self._packed([node.shape for node in self.outputs])

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name, or the one with this number in ``layers``, negative from the end.

        Keras counts the input of a ``Model`` as a layer, but not that of a ``Sequential``; here inputs are
        left out of both.

        Raises:
            CnnError: there is none; or not just one of name and index was given.
        """
        if (name is None) == (index is None):
            raise CnnError("get_layer takes a name or an index=, one of them")
        if index is not None or not isinstance(name, str):
            number = as_int(index if name is None else name, "index", minimum=-sys.maxsize)
            if name is not None:
                raise CnnError(f"get_layer takes a layer's name; for its number write index={number}")
            if not -len(self.layers) <= number < len(self.layers):
                raise CnnError(
                    f"{self.name} has {len(self.layers)} layers, from index 0 to {len(self.layers) - 1}; "
                    f"{number} is none of them"
                )
            return self.layers[number]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise CnnError(self._no_layer(name))

    def _no_layer(self, name: str) -> str:
        near = difflib.get_close_matches(name, names := [layer.name for layer in self.layers], 1)
        some = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        return f"{self.name} has no layer {name!r}; " + (
            f"do you mean {near[0]!r}?" if near else f"it has {some}"
        )

    def call_names(self) -> dict[Call, str]:
        """A name for every call: the layer's, with ``:1``, ``:2`` … where it is called again."""
        names, counts = {}, Counter[Layer]()
        for call in self.calls:
            again = counts[call.layer]
            names[call] = f"{call.layer.name}:{again}" if again else call.layer.name
            counts[call.layer] += 1
        return names

    def steps(self) -> list[Step]:
        """The network as :func:`cnnlib.receptive_field.receptive_fields` reads it, by the layers' names.

        >>> from cnnlib.layers import Add, Conv2D
        >>> from cnnlib.receptive_field import receptive_field, receptive_fields
        >>> image = Input((32, 32, 3))
        >>> halved = Conv2D(8, 3, strides=2, padding="same")(image)
        >>> block = Model(image, Add()([halved, Conv2D(8, 1, strides=2)(image)]))
        >>> receptive_field(block)
        ReceptiveField(size=3, stride=2, offset=0)
        >>> [at.name for at in receptive_fields(block).misaligned]      # along both axes
        ['add', 'add']
        """
        self._check_built()
        names = {node: node.layer.name for node in self.inputs}
        names |= {node: name for call, name in self.call_names().items() for node in call.outputs}
        return graph_steps(self.inputs, self.calls, names)

    def get_config(self) -> dict[str, Any]:
        """The whole network but its weights, as JSON can hold it.

        Nodes are numbered, the inputs first, then the outputs of every call in order.
        """
        self._check_built()
        nodes = [*self.inputs, *(node for call in self.calls for node in call.outputs)]
        numbers = {node: place for place, node in enumerate(nodes)}
        return {
            "class": type(self).__name__,
            "name": self.name,
            "inputs": [{"name": node.layer.name, "shape": list(node.shape[1:])} for node in self.inputs],
            "layers": [
                {"class": type(layer).__name__, "config": layer.get_config()} for layer in self.layers
            ],
            "calls": [
                {
                    "layer": self.layers.index(call.layer),
                    "inputs": [numbers[node] for node in call.inputs],
                    "list": call.takes_list,
                }
                for call in self.calls
            ],
            "outputs": [numbers[node] for node in self.outputs],
            "lists": list(self._lists),
        }

    @staticmethod
    def from_config(config: Mapping[str, Any], custom: Mapping[str, type[Layer]] | None = None) -> Model:
        """The network that :meth:`get_config` described, with new weights.

        Args:
            config: the description.
            custom: layers that are not in :data:`cnnlib.layers.LAYERS`, by their class' names.

        Raises:
            CnnError: a layer that is not known, or a description with something missing.
        """
        known = LAYERS | dict(custom or {})
        try:
            layers = []
            for entry in config["layers"]:
                if entry["class"] not in known:
                    raise CnnError(f"there is no layer {entry['class']!r}; give it as custom={{name: class}}")
                layers.append(known[entry["class"]].from_config(entry["config"]))
            nodes = [Input(entry["shape"], entry["name"]) for entry in config["inputs"]]
            inputs = list(nodes)
            for call in config["calls"]:
                given = [nodes[number] for number in call["inputs"]]
                made = layers[call["layer"]](given if call["list"] else given[0])
                nodes += made if isinstance(made, list) else [made]
            outputs = [nodes[number] for number in config["outputs"]]
            lists = config["lists"]
            name = config["name"]
            sequential = config["class"] == "Sequential"
        except (KeyError, IndexError, TypeError) as error:
            raise CnnError(f"this describes no network: {type(error).__name__} {error}") from None
        if sequential:
            return Sequential([inputs[0], *layers], name)
        return Model(inputs if lists[0] else inputs[0], outputs if lists[1] else outputs[0], name)

    def summary(self) -> Summary:
        """A table of all layers: shapes, parameters, operations, memory, receptive fields."""
        self._check_built()
        return summarize(self.name, self.inputs, self.calls, self.call_names(), self.outputs)

    # --- shortcuts to the modules above ----------------------------------------------------------------

    def fit(self, x: Any, y: Any, **options: Any) -> Any:
        """Learn from images and targets: see :func:`cnnlib.training.fit`."""
        return importlib.import_module("cnnlib.training").fit(self, x, y, **options)

    def evaluate(self, x: Any, y: Any, **options: Any) -> Any:
        """Loss and accuracy on images and targets: see :func:`cnnlib.training.evaluate`."""
        return importlib.import_module("cnnlib.training").evaluate(self, x, y, **options)

    def save(self, path: Any) -> None:
        """Write the weights to a file: see :func:`cnnlib.weights.save`."""
        importlib.import_module("cnnlib.weights").save(self, path)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} of {len(self.layers)} layers>"


class Sequential(Model):
    """A network without branches: a list of layers, each reading the one before.

    Args:
        layers: one, or a list that may begin with a node that :func:`Input` made; without one, the first
            call settles the shapes.
        name: of the network.

    >>> from cnnlib.layers import Dense, Flatten
    >>> network = Sequential([Flatten(), Dense(10)])
    >>> network(np.ones((2, 8, 8, 1))).shape, network.count_params()
    ((2, 10), 650)
    """

    def __init__(
        self, layers: Layer | Model | Node | Iterable[Layer | Model | Node] = (), name: str = ""
    ) -> None:
        self.name = name or "sequential"
        self._lists = (False, False)
        self.inputs, self.outputs = (), ()
        self.calls, self.layers = [], []
        for layer in [layers] if isinstance(layers, (Layer, Model, Node)) else layers:
            self.add(layer)

    @property
    def built(self) -> bool:
        """Whether the shapes are known."""
        return bool(self.inputs)

    def add(self, layer: Layer | Model | Node) -> None:
        """Put a layer (or all layers of a network) behind the others, or an input at the beginning.

        Raises:
            CnnError: an input that is not at the beginning; what is no layer.
        """
        if isinstance(layer, Node):
            if self.layers or self.inputs or layer.parents:
                raise CnnError(f"{self.name}: an Input() can only stand at the beginning, before all layers")
            self._set_graph(layer, layer)
        elif not isinstance(layer, (Layer, Model)):
            raise CnnError(f"{self.name}: {layer!r} is no layer; make one, such as Conv2D(6, 5)")
        elif self.inputs:
            self._set_graph(self.inputs[0], layer(self.outputs[0]))
        else:
            self.layers.extend(layer.layers if isinstance(layer, Model) else [layer])
            name_layers(self.layers)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Settle the shapes for inputs of ``input_shape`` (batch, *spatial, channels)."""
        if not self.built:
            node = Input(tuple(input_shape)[1:])
            outputs = node
            for layer in self.layers:
                outputs = layer(outputs)
            self._set_graph(node, outputs)

    def _run(self, x: Any, *args: Any, **options: Any) -> list[Any]:
        if not self.built:
            self.build(np.shape(x))
        return super()._run(x, *args, **options)

    def _replay(self, x: Any) -> Any:
        if not self.built and isinstance(x, Node):
            self.build(x.shape)
        return super()._replay(x)

    def _check_built(self) -> None:
        if not self.built:
            raise CnnError(
                f"{self.name} does not know its shapes yet; begin the list with Input((28, 28, 1)), "
                "or call the network on images"
            )


def fits(shape: Sequence[int], wanted: Sequence[int | None]) -> bool:
    """Whether ``shape`` is ``wanted``, whose open sizes may be anything.

    >>> fits((64, 28, 28, 1), (None, 28, 28, 1)), fits((64, 28, 28), (None, 28, 28, 1))
    (True, False)
    """
    return len(shape) == len(wanted) and all(m in (None, n) for n, m in zip(shape, wanted, strict=True))


def _missing_axis(shape: tuple[int, ...], wanted: Sequence[int | None]) -> str:
    """What to do about inputs whose shape is not what is wanted, as the end of a message."""
    if fits((*shape, 1), wanted):
        return "give grey images an axis for their one channel, by images[..., np.newaxis]"
    if fits((1, *shape), wanted):
        return "make one image a batch of one, by image[np.newaxis]"
    return "the first axis counts images, the last their channels"


def _accumulate(sums: dict[Any, Any], key: Any, item: Any) -> None:
    """Add to a sum; nothing is overwritten, because gradients may be shared between branches."""
    if item is not None:
        sums[key] = sums[key] + item if key in sums else item


def _as_nodes(nodes: Node | Sequence[Node], what: str) -> Sequence[Node]:
    listed: Sequence[Any] = nodes if isinstance(nodes, (list, tuple)) else [nodes]
    for node in listed:
        if not isinstance(node, Node):
            raise CnnError(
                f"{what} of a model are nodes, made by Input() or by calling layers, "
                f"not {type(node).__name__}"
            )
    if not listed:
        raise CnnError(f"a model needs at least one node among its {what}")
    return listed
