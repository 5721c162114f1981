"""What every layer is: weights by name, a forward pass, and a backward pass beside it. Chapter 11.

A layer holds its weights and nothing else. ``forward`` hands out what ``backward`` will need, its
*memory*, so that the same layer can stand in several places of a network, and a network that is only
asked for its outputs keeps nothing.

>>> import numpy as np
>>> from cnnlib.layers import Conv2D
>>> layer = Conv2D(filters=6, kernel_size=5, activation="relu", seed=0)
>>> layer(np.ones((1, 28, 28, 1))).shape
(1, 24, 24, 6)
>>> {name: weight.shape for name, weight in layer.weights.items()}
{'kernel': (5, 5, 1, 6), 'bias': (6,)}
>>> outputs, memory = layer.forward(np.ones((1, 28, 28, 1), np.float32), training=True)
>>> inputs_gradient, gradients = layer.backward(np.ones_like(outputs), memory)
>>> inputs_gradient.shape, gradients["kernel"].shape
((1, 28, 28, 1), (5, 5, 1, 6))
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import inspect
import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cnnlib.activations import ACTIVATIONS, activation, activation_backward
from cnnlib.convolution import as_floats
from cnnlib.errors import CnnError, DtypeError, ShapeError, SizeError
from cnnlib.layers.initializers import initial, known_initializer, seed_sequence
from cnnlib.layers.nodes import Call, Node, Shape, calls_behind, is_symbolic
from cnnlib.receptive_field import AnyWindow
from cnnlib.sizes import shown

Floats: TypeAlias = NDArray[np.floating]
#: How an activation passes a gradient back: (gradient, its inputs, its outputs) to the gradient of its
#: inputs. The inputs are None where the outputs were computed in their place.
Rule: TypeAlias = "Callable[[Floats, Floats | None, Floats], Floats]"


class ArgumentError(CnnError, TypeError):
    """A layer was made with arguments that it does not have, or without those that it needs."""


class LayerType(type):
    """The class of layer classes: makes a layer, or says by the layer's own name which arguments it has."""

    @property
    def __signature__(cls) -> inspect.Signature:
        """The arguments of the layer itself, as help and editors show them."""
        signature = inspect.signature(cls.__init__)  # type: ignore[misc]
        return signature.replace(parameters=list(signature.parameters.values())[1:])

    def __call__(cls, *given: Any, **named: Any) -> Any:
        """Make a layer. Keras' ``data_format`` may be given where it says what is always so here."""
        if named.get("data_format") not in (None, "channels_last"):
            raise ArgumentError(
                f"{cls.__name__}: data_format {shown(named['data_format'])} is not to be had; images are "
                "(batch, *spatial, channels), 'channels_last'; move the axes, by np.moveaxis(images, 1, -1)"
            )
        named.pop("data_format", None)
        signature = inspect.signature(cls.__init__)  # type: ignore[misc]
        try:
            signature.bind(None, *given, **named)
        except TypeError as error:
            raise ArgumentError(_arguments_wanted(cls.__name__, signature, given, named, error)) from None
        return super().__call__(*given, **named)


def _arguments_wanted(
    layer: str, signature: inspect.Signature, given: Sequence[Any], named: Mapping[str, Any], error: TypeError
) -> str:
    """What is wrong with the arguments of a layer, and which there are."""
    _, *arguments = signature.parameters.values()
    names = [argument.name for argument in arguments]
    by_place = [a.name for a in arguments if a.kind is not inspect.Parameter.KEYWORD_ONLY]
    if unknown := [name for name in named if name not in names]:
        near = difflib.get_close_matches(unknown[0], names, 1, cutoff=0.5)
        hint = f"do you mean {near[0]!r}? " if near else ""
        return f"{layer} has no argument {unknown[0]!r}; {hint}there are {', '.join(names)}"
    if len(given) > len(by_place):
        return (
            f"{layer} takes {len(by_place)} arguments by their place ({', '.join(by_place)}), "
            f"but {len(given)} were given; give the others by name"
        )
    rest = (a for a in arguments[len(given) :] if a.name not in named)
    if missing := [a.name for a in rest if a.default is inspect.Parameter.empty]:
        return f"{layer} needs {' and '.join(missing)}; there are {', '.join(names)}"
    return f"{layer}: {error}"


class Weight(NamedTuple):
    """The shape that a weight will have, and the name of its initializer."""

    shape: tuple[int, ...]
    initializer: str


class Activated(NamedTuple):
    """What an activation was given and what it made; the inputs are None if it overwrote them."""

    inputs: Floats | None
    outputs: Floats


@dataclass(eq=False, repr=False)
class Layer(metaclass=LayerType):
    """Base class of all layers.

    A subclass is a dataclass whose fields are its arguments. It says what weights it has in
    :meth:`weight_specs`, what shape it makes in :meth:`compute_output_shape`, and how, in
    :meth:`forward` and :meth:`backward`.

    Args:
        name: of the layer in its network, such as ``conv2d_1``; a network numbers the layers that were
            given none.
        dtype: of its weights and of what it computes, ``float32`` or ``float64``.
    """

    _: KW_ONLY
    name: str = ""
    dtype: str = "float32"

    #: The weights that are learned, where the layer has them.
    LEARNED: ClassVar[tuple[str, ...]] = ()
    #: Whether it takes a list of inputs, as merging layers do.
    TAKES_LIST: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.has_own_name, self.has_number = bool(self.name), False
        self.name = str(self.name or base_name(type(self).__name__))
        if str(self.dtype) not in ("float16", "float32", "float64"):
            raise DtypeError(f"{self.name}: dtype must be float32 or float64, not {self.dtype!r}")
        self.dtype = np.dtype(self.dtype).name
        for argument in dataclasses.fields(self):
            if argument.name.endswith("_initializer"):
                known_initializer(getattr(self, argument.name))  # raises where it is unknown
        self.built = False
        self._specs: dict[str, Weight] = {}
        self._weights: dict[str, Floats] = {}
        self._frozen = False
        self.seeds = seed_sequence(getattr(self, "seed", None))

    # --- weights ---------------------------------------------------------------------------------

    def weight_specs(self, input_shape: Any) -> dict[str, Weight]:
        """The weights that inputs of ``input_shape`` (batch, *spatial, channels) need, in Keras' order."""
        return {}

    def build(self, input_shape: Any) -> None:
        """Settle the shapes of the weights; the numbers are drawn when they are first used.

        Raises:
            ShapeError: the layer was built for other inputs.
        """
        specs = self.weight_specs(input_shape)
        if self.built and specs != self._specs:
            had, needed = ({name: spec.shape for name, spec in s.items()} for s in (self._specs, specs))
            raise ShapeError(
                f"the layer has weights of shape {had}, but inputs of shape {input_shape} need {needed}; "
                "use another layer for them"
            )
        self._specs, self.built = specs, True

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each weight, known without making it."""
        if not self.built:
            raise CnnError(
                f"{self.label} has no weights yet; call it on inputs, or build() it for a shape "
                "(batch, *spatial, channels)"
            )
        return {name: spec.shape for name, spec in self._specs.items()}

    @property
    def weights(self) -> dict[str, Any]:
        """The weights by name, in Keras' order, drawn at the first use."""
        if not self.built or len(self._weights) < len(self._specs):
            _ = self.weight_shapes  # says so where the layer is not built yet
            self.initialize()
        return self._weights

    def initialize(self, seed: int | np.random.SeedSequence | None = None) -> None:
        """Draw all weights anew, from ``seed`` or else from the layer's own."""
        if seed is not None:
            self.seeds = seed_sequence(seed)
        generator = np.random.default_rng(self.seeds)
        self._weights = {
            name: initial(spec.initializer, spec.shape, generator, self.dtype)
            for name, spec in self._specs.items()
        }

    @property
    def trainable(self) -> tuple[str, ...]:
        """Which of the weights are learned; set it to False to freeze the layer."""
        return () if self._frozen else tuple(name for name in self.LEARNED if name in self._specs)

    @trainable.setter
    def trainable(self, learn: bool) -> None:
        self._frozen = not learn

    def count_params(self) -> int:
        """The number of weights, biases and statistics included."""
        return sum(math.prod(shape) for shape in self.weight_shapes.values())

    def get_weights(self) -> list[Floats]:
        """Copies of the weights, in Keras' order."""
        return [weight.copy() for weight in self.weights.values()]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Take over weights in Keras' order: as many, in the same shapes.

        Raises:
            ShapeError: another number of weights, or another shape.
            DtypeError: NaN or infinite values, with which no output would be a number.
        """
        shapes = self.weight_shapes
        if len(weights) != len(shapes):
            raise ShapeError(
                f"{self.label} has {len(shapes)} weights ({', '.join(shapes) or 'none'}), "
                f"but {len(weights)} were given"
            )
        taken = {}
        for (name, shape), weight in zip(shapes.items(), weights, strict=True):
            array = as_floats(weight, f"{self.label}: {name}")
            if array.shape != shape:
                raise ShapeError(f"{self.label}: {name} has shape {shape}, but {array.shape} was given")
            if bad := array.size - np.count_nonzero(np.isfinite(array)):
                raise DtypeError(
                    f"{self.label}: {bad} of {array.size} numbers of {name} are NaN or infinite; "
                    "give weights that were saved before training went wrong"
                )
            taken[name] = np.array(array, self.dtype)
        self._weights = taken

    def astype(self, dtype: str) -> None:
        """Change the dtype of the layer and of its weights."""
        self.dtype = np.dtype(dtype).name
        self._weights = {name: weight.astype(self.dtype) for name, weight in self._weights.items()}

    # --- computing -------------------------------------------------------------------------------

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape that the layer makes of ``input_shape`` (batch, *spatial, channels).

        Merging layers take a list of shapes; a layer with several outputs returns a list.
        """
        return input_shape

    def forward(self, inputs: Any, training: bool = False) -> tuple[Any, Any]:
        """Compute the outputs, and what :meth:`backward` will need.

        Args:
            inputs: array (batch, *spatial, channels) of the layer's dtype, or a list of them.
            training: whether dropout drops, and batch normalisation uses the batch's own statistics.
        """
        raise NotImplementedError(f"{type(self).__name__} has no forward pass")

    def backward(
        self, gradient: Any, memory: Any, needs_inputs: bool = True
    ) -> tuple[Any, dict[str, Floats]]:
        """Pass the gradient of the loss from the outputs back to the inputs and the weights.

        Args:
            gradient: dL/d(outputs), an array in the outputs' shape.
            memory: what :meth:`forward` returned beside them.
            needs_inputs: False spares the gradient of the inputs, as a first layer can.

        Returns:
            dL/d(inputs), or None, and dL/d(weight) for every trainable weight by its name.
        """
        raise NotImplementedError(f"{type(self).__name__} has no backward pass")

    def __call__(self, inputs: Any, training: bool = False) -> Any:
        """Apply the layer: to arrays, or to nodes of a network that is being written down."""
        if is_symbolic(inputs):
            return self._connect(inputs)
        with self.named_errors():
            listed = isinstance(inputs, (list, tuple)) and self.TAKES_LIST
            arrays = self.cast(list(inputs) if listed else [inputs])
            if not all(array.ndim for array in arrays):
                raise ShapeError(f"inputs {shown(inputs)} are no batch; give an array (batch, ..., channels)")
            shapes = [array.shape for array in arrays]
            self.build(shapes if listed else shapes[0])
            self.compute_output_shape(shapes if listed else shapes[0])  # raises what is wrong with them
            return self.forward(arrays if listed else arrays[0], training)[0]

    def cast(self, arrays: Sequence[Any]) -> list[Any]:
        """Arrays as the layer computes with them: floats of its dtype."""
        return [as_floats(array, "inputs").astype(self.dtype, copy=False) for array in arrays]

    def _connect(self, inputs: Any) -> Any:
        """Remember this call; return the node that it makes, or a list of them."""
        listed = isinstance(inputs, (list, tuple))
        nodes = list(inputs) if listed else [inputs]
        if strangers := [item for item in nodes if not isinstance(item, Node)]:
            raise ShapeError(
                f"{self.label} was called on nodes and on {type(strangers[0]).__name__} at once; "
                "give every input as a node, made by Input() or by a layer"
            )
        shapes = [node.shape for node in nodes] if listed else nodes[0].shape
        with self.named_errors(among=nodes):
            self.build(shapes)
            made = self.compute_output_shape(shapes)
        several = isinstance(made, list)
        call = Call(self, nodes, listed, made if several else [made])
        return list(call.outputs) if several else call.outputs[0]

    # --- describing ------------------------------------------------------------------------------

    def macs(self, input_shape: Any) -> int:
        """The multiply-accumulate operations for one image: products with weights, biases not counted."""
        return 0

    def connections(self, input_shape: Any) -> int:
        """How often weights and biases are used for one image, as LeCun et al. (1998) count for LeNet-5."""
        return 0

    def window(self) -> AnyWindow:
        """How the layer slides, for :mod:`cnnlib.receptive_field`; None: every value stays in its place."""
        return None

    def shares_memory(self, training: bool) -> bool:
        """Whether the outputs are the inputs' own memory seen in another way, so that they cost none."""
        return False

    @property
    def label(self) -> str:
        """The name and the class, as errors show them."""
        return f"{self.name} ({type(self).__name__})"

    @contextlib.contextmanager
    def named_errors(self, among: Sequence[Node] = ()) -> Iterator[None]:
        """Put the layer's name before every error, as it will be in a network behind the nodes ``among``."""
        try:
            yield
        except (ShapeError, SizeError, DtypeError) as error:
            names = layer_names([*(call.layer for call in calls_behind(among)), self])
            raise type(error)(f"{names[self]} ({type(self).__name__}): {error}") from None

    def get_config(self) -> dict[str, Any]:
        """The arguments that make a layer like this one, as JSON can hold them."""
        config = {name: getattr(self, name) for name in ("name", *self._arguments())}
        return config | ({"trainable": False} if self._frozen else {})

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Layer:
        """A layer from what :meth:`get_config` returned.

        >>> from cnnlib.layers import Dense
        >>> Dense.from_config(Dense(10, name="last").get_config())
        Dense(units=10, name='last')
        """
        arguments = dict(config)
        learn = arguments.pop("trainable", True)
        try:
            layer = cls(**{key: _tuples(value) for key, value in arguments.items()})
        except TypeError as error:
            raise CnnError(f"{cls.__name__} cannot be made from {arguments}: {error}") from None
        layer.trainable = learn
        return layer

    @classmethod
    def _arguments(cls) -> dict[str, Any]:
        """The arguments but the name, in the order in which they are given, and their defaults."""
        fields = sorted(
            dataclasses.fields(cls), key=lambda field: (field.kw_only, field.name in Layer.__annotations__)
        )
        return {field.name: field.default for field in fields if field.name != "name"}

    def __repr__(self) -> str:
        shown = []
        for name, default in self._arguments().items():
            value = getattr(self, name)
            if value != default and value not in ((default,) * 2, (default,) * 3, (default,)):
                shown.append(f"{name}={value!r}")
        if self.has_own_name:
            shown.append(f"name={self.name!r}")
        return f"{type(self).__name__}({', '.join(shown)})"


class Weightless(Layer):
    """Base class of layers without weights: a way back for the inputs is all that they need."""

    def pass_back(self, gradient: Any, memory: Any) -> Any:
        """Pass dL/d(outputs) back to dL/d(inputs)."""
        raise NotImplementedError(f"{type(self).__name__} has no backward pass")

    def backward(
        self, gradient: Any, memory: Any, needs_inputs: bool = True
    ) -> tuple[Any, dict[str, Floats]]:
        """The gradient of the inputs, if it is needed; there are no weights."""
        return (self.pass_back(gradient, memory) if needs_inputs else None), {}


class WeightedSum(Layer):
    """Base class of layers that sum weighted inputs, add a bias and apply an activation.

    A subclass computes the sums, in :meth:`sums`, and their gradients, in :meth:`sums_backward`.
    """

    activation: str | None
    use_bias: bool
    bias_initializer: str

    def __post_init__(self) -> None:
        super().__post_init__()
        self.activation = known_activation(self.activation)

    def sums(self, inputs: Floats) -> Floats:
        """The weighted sums, biases added: a new array."""
        raise NotImplementedError

    def sums_backward(self, gradient: Floats, inputs: Floats, needs: Sequence[str]) -> Any:
        """The gradients of :meth:`sums`: a tuple with a field for the inputs and for each weight."""
        raise NotImplementedError

    def bias_spec(self, *shape: int) -> dict[str, Weight]:
        """The bias among the weights, if there is one."""
        return {"bias": Weight(shape, self.bias_initializer)} if self.use_bias else {}

    def forward(self, inputs: Floats, training: bool = False) -> tuple[Floats, tuple[Floats, Activated]]:
        """Sum, then apply the activation, in place where nothing is lost by it."""
        activated = activate(self.activation, self.sums(inputs))
        return activated.outputs, (inputs, activated)

    def backward(
        self,
        gradient: Floats,
        memory: tuple[Floats, Activated],
        needs_inputs: bool = True,
        rule: Rule | None = None,
    ) -> tuple[Floats | None, dict[str, Floats]]:
        """Back through the activation (by ``rule``, if there is one), then through the sums."""
        inputs, activated = memory
        gradient = activate_backward(self.activation, gradient, activated, rule)
        needs = (*self.trainable, "inputs") if needs_inputs else self.trainable
        gradients = self.sums_backward(gradient, inputs, needs)
        return gradients.inputs, {name: getattr(gradients, name) for name in self.trainable}


def _tuples(value: Any) -> Any:
    """Lists, as JSON keeps tuples, turned into tuples again."""
    return tuple(map(_tuples, value)) if isinstance(value, (list, tuple)) else value


def base_name(kind: str) -> str:
    """The name that Keras gives the layers of a class: ``max_pooling2d`` for ``MaxPooling2D``.

    >>> base_name("MaxPooling2D"), base_name("ReLU")
    ('max_pooling2d', 're_lu')
    """
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", kind)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def layer_names(layers: Sequence[Layer]) -> dict[Layer, str]:
    """A name for each of the layers of a network: its own, or its class' with a number, as in Keras.

    A layer keeps the number that an earlier network gave it, unless two layers have the same.

    Raises:
        CnnError: two layers were given the same name.

    >>> from cnnlib.layers import Flatten
    >>> list(layer_names([Flatten(), Flatten(name="rows"), Flatten()]).values())
    ['flatten', 'rows', 'flatten_1']
    """
    layers = list(dict.fromkeys(layers))
    own = [layer.name for layer in layers if layer.has_own_name]
    if repeated := {name for name in own if own.count(name) > 1}:
        raise CnnError(f"several layers are named {min(repeated)!r}; names in a network must differ")
    owners = {layer.name: layer for layer in reversed(layers) if layer.has_number}
    owners |= {layer.name: layer for layer in layers if layer.has_own_name}
    names = {}
    for layer in layers:
        name = layer.name
        if owners.get(name) is not layer:
            base = base_name(type(layer).__name__)
            numbered = (f"{base}_{number}" if number else base for number in itertools.count())
            name = next(candidate for candidate in numbered if candidate not in owners)
            owners[name] = layer
        names[layer] = name
    return names


def name_layers(layers: Sequence[Layer]) -> None:
    """Give the layers of a network their names for good: see :func:`layer_names`."""
    for layer, name in layer_names(layers).items():
        layer.name = name
        layer.has_number = not layer.has_own_name


def activate(name: str | None, sums: Floats) -> Activated:
    """Apply an activation to sums that nobody else reads: in their place, if nothing is lost by it.

    >>> sums = np.array([-1.0, 2])
    >>> activate("relu", sums).outputs is sums, activate("silu", sums).outputs is sums
    (True, False)
    """
    if name is None:
        return Activated(None, sums)
    if ACTIVATIONS[name].by_outputs:
        return Activated(None, activation(name, sums, out=sums))
    return Activated(sums, activation(name, sums))


def activate_backward(
    name: str | None, gradient: Floats, memory: Activated, rule: Rule | None = None
) -> Floats:
    """The gradient of :func:`activate` (or what ``rule`` says instead), in the shape of its inputs."""
    if rule is not None:
        return rule(gradient, *memory)
    return gradient if name is None else activation_backward(name, gradient, *memory)


def known_activation(name: Any) -> str | None:
    """The name of an activation as it was given, or an error with the names that there are.

    >>> known_activation("relu"), known_activation(None)
    ('relu', None)
    """
    if name is not None and (not isinstance(name, str) or name not in ACTIVATIONS):
        raise CnnError(f"no activation {name!r}; there are {', '.join(ACTIVATIONS)}")
    return None if name == "linear" else name


def open_sizes(rule: Callable[[tuple[int, ...]], tuple[int, ...]], input_shape: Shape, rank: int) -> Shape:
    """Apply a rule of :mod:`cnnlib.sizes` to a shape with ``rank`` spatial axes; open sizes stay open.

    >>> open_sizes(lambda shape: shape, (None, None, 32, 3), rank=2)
    (None, None, 32, 3)

    Raises:
        ShapeError: another number of axes.
    """
    if len(input_shape) != rank + 2:
        axes = ("batch", *("depth", "height", "width")[3 - rank :], "channels")
        raise ShapeError(
            f"inputs of shape {tuple(input_shape)} have {len(input_shape)} axes; "
            f"they need {rank + 2}: ({', '.join(axes)})"
        )
    large = 1 << 30  # whatever the size will be, it is no smaller than what the layer needs
    known = tuple(1 if n is None else n for n in (input_shape[0], input_shape[-1]))
    made = rule((known[0], *(large if n is None else n for n in input_shape[1:-1]), known[1]))
    spatial = (m if n is not None else None for n, m in zip(input_shape[1:-1], made[1:-1], strict=True))
    return (input_shape[0], *spatial, made[-1])


def one_image(input_shape: Sequence[int | None]) -> tuple[int, ...]:
    """The shape of a batch of one image, for counting.

    >>> one_image((None, 28, 28, 1))
    (1, 28, 28, 1)
    """
    if None in input_shape[1:]:
        raise ShapeError(f"the operations on inputs of shape {tuple(input_shape)} cannot be counted")
    return (1, *input_shape[1:])  # type: ignore[arg-type]
