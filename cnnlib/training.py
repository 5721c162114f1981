"""How a network learns: batches, losses, epochs, and what comes of them. Chapter 11.

:func:`fit` is the loop that a chapter can show: shuffle, take a batch, go forward, compare, go backward,
step. The update rules are in :mod:`cnnlib.optimizers`, the losses in :mod:`cnnlib.losses`; names,
arguments and numbers are those of Keras' ``compile``, ``fit`` and ``evaluate``.
"""

from __future__ import annotations

import html
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnlib import losses
from cnnlib.convolution import as_floats
from cnnlib.errors import CnnError, ShapeError
from cnnlib.network import Model
from cnnlib.optimizers import (
    SGD,
    Adam,
    CosineDecay,
    ExponentialDecay,
    Optimizer,
    OptionError,
    PiecewiseConstantDecay,
    as_number,
)
from cnnlib.optimizers import optimizer as optimizer_named
from cnnlib.sizes import as_int, shown

__all__ = [
    "LOSSES",
    "SGD",
    "Adam",
    "Callback",
    "CosineDecay",
    "EarlyStopping",
    "ExponentialDecay",
    "History",
    "Loss",
    "OptionError",
    "PiecewiseConstantDecay",
    "ReduceLROnPlateau",
    "Run",
    "TrainingError",
    "evaluate",
    "fit",
    "random_flip",
    "random_shift",
    "train_on_batch",
]

#: What changes a batch of inputs before the network sees it, with a source of chance.
Augment: TypeAlias = "Callable[[NDArray, np.random.Generator], NDArray]"


class TrainingError(CnnError, ArithmeticError):
    """Training that cannot go on, because the loss is no number any more."""


# Losses and metrics

#: Losses by Keras' names: the function and its backward pass.
LOSSES: dict[str, tuple[Callable[..., Any], Callable[..., NDArray]]] = {
    name: (getattr(losses, name), getattr(losses, f"{name}_backward"))
    for name in (
        "sparse_categorical_crossentropy",
        "categorical_crossentropy",
        "binary_crossentropy",
        "mean_squared_error",
    )
}
#: The short names that Keras has for losses too.
SHORT_NAMES = {"mse": "mean_squared_error"}
#: Memory that lies free and is not given back to the system, so that the next batch finds it (see fit).
KEPT_BYTES = 31 << 20


@dataclass(frozen=True)
class Loss:
    """A loss by Keras' name: its value, its gradient, and what the accuracy of such an output is.

    Args:
        name: one of :data:`LOSSES`, or a short name for it, ``mse``.
        from_logits: the outputs are those of the last layer without softmax (or sigmoid).

    >>> Loss("mse")
    Loss(name='mean_squared_error', from_logits=False)
    >>> Loss("mean_squared_error")(np.array([[0.0, 1.0]]), np.array([[0.0, 3.0]]))
    2.0
    """

    name: str
    from_logits: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.name, str):
            object.__setattr__(self, "name", SHORT_NAMES.get(self.name, self.name))  # the loss is frozen
        if not isinstance(self.name, str) or self.name not in LOSSES:
            raise OptionError(f"loss {self.name!r} is unknown; use one of {', '.join(LOSSES)}")
        if self.from_logits and self.name == "mean_squared_error":
            raise OptionError("mean_squared_error compares values as they are; leave out from_logits")

    @property
    def sparse(self) -> bool:
        """Whether targets are whole numbers, not a row of numbers each."""
        return self.name == "sparse_categorical_crossentropy"

    @property
    def classifies(self) -> bool:
        """Whether an output is right or wrong, so that there is an accuracy."""
        return self.name != "mean_squared_error"

    @property
    def _options(self) -> dict[str, bool]:
        return {} if self.name == "mean_squared_error" else {"from_logits": self.from_logits}

    def __call__(self, target: NDArray, output: NDArray) -> float:
        """The mean loss of the batch."""
        return float(LOSSES[self.name][0](target, output, **self._options))

    def gradient(self, target: NDArray, output: NDArray) -> NDArray:
        """How the mean loss changes with each output, in the outputs' shape."""
        return LOSSES[self.name][1](1, target, output, **self._options)

    def accuracy(self, target: NDArray, output: NDArray) -> float:
        """The share of examples that the output gets right, as Keras' metric ``accuracy`` counts them.

        Among classes the largest output wins, the first of several; of a single output (or of several
        yes-or-no ones) more than a half means yes.
        """
        if self.sparse:
            return float((output.argmax(axis=-1) == target).mean())
        if self.name == "categorical_crossentropy":
            return float((output.argmax(axis=-1) == target.argmax(axis=-1)).mean())
        return float(((output > (0 if self.from_logits else 0.5)) == (target > 0.5)).mean())


# Augmentation


def random_shift(pixels: int) -> Augment:
    """Move every image by up to so many pixels along each spatial axis, at random; what comes in is 0.

    >>> row = np.arange(1, 4.0).reshape(1, 3, 1)
    >>> moved = random_shift(1)(np.repeat(row, 5, axis=0), np.random.default_rng(0))
    >>> moved[..., 0].astype(int).tolist()
    [[2, 3, 0], [1, 2, 3], [1, 2, 3], [0, 1, 2], [0, 1, 2]]
    """
    most = as_int(pixels, "pixels", minimum=0)

    def shift(batch: NDArray, rng: np.random.Generator) -> NDArray:
        spatial = batch.shape[1:-1]
        axes = tuple(range(1, len(spatial) + 1))
        padded = np.pad(batch, [(0, 0), *[(most, most)] * len(spatial), (0, 0)])
        views = np.lib.stride_tricks.sliding_window_view(padded, spatial, axis=axes)
        starts = (rng.integers(0, 2 * most + 1, len(batch)) for _ in spatial)
        chosen = views[(np.arange(len(batch)), *starts)]  # (batch, channels, *spatial)
        return np.ascontiguousarray(np.moveaxis(chosen, 1, -1))

    return shift


def random_flip(probability: float = 0.5) -> Augment:
    """Mirror every image left to right with this probability: for photographs, not for digits.

    >>> row = np.arange(3.0).reshape(1, 3, 1)
    >>> random_flip(1)(row, np.random.default_rng(0)).ravel()
    array([2., 1., 0.])
    """
    as_number(probability, "probability", below=1 + 1e-9)

    def flip(batch: NDArray, rng: np.random.Generator) -> NDArray:
        chosen = rng.random(len(batch)) < probability
        flipped = batch.copy()
        flipped[chosen] = flipped[chosen][..., ::-1, :]
        return flipped

    return flip


# What is looked at after every epoch


class Callback:
    """What is done at the beginning, after every epoch and at the end. All three do nothing here."""

    def on_train_begin(self, run: Run) -> None:
        """Before the first epoch."""

    def on_epoch_end(self, run: Run, epoch: int, logs: dict[str, float]) -> None:
        """After each epoch, numbered from 0; ``logs`` has its loss and metrics, and takes more of them."""

    def on_train_end(self, run: Run) -> None:
        """After the last epoch."""


@dataclass
class Run:
    """A training that is under way, as callbacks see it: set ``stop`` to make this epoch the last."""

    model: Model
    optimizer: Optimizer
    stop: bool = False


class _Watch(Callback):
    """What watches one number: is it better than the best so far, and how long ago was that?"""

    def __init__(self, monitor: str, patience: int, min_delta: float, mode: str) -> None:
        if mode not in ("auto", "min", "max"):
            raise OptionError(f"mode {mode!r} is unknown; use auto, min or max")
        self.monitor = monitor
        self.patience = as_int(patience, "patience", minimum=0)
        self.min_delta = as_number(min_delta, "min_delta")
        self.sign = -1 if mode == "max" or (mode == "auto" and "accuracy" in monitor) else 1
        self.best, self.wait = math.inf, 0

    def on_train_begin(self, run: Run) -> None:
        """Forget an earlier training."""
        self.best, self.wait = math.inf, 0

    def value(self, logs: Mapping[str, float]) -> float:
        """What is watched, so that less is better."""
        if self.monitor not in logs:
            raise OptionError(
                f"{type(self).__name__} watches {self.monitor!r}, but there are only {', '.join(logs)}; "
                "give validation_data, or watch one of these"
            )
        return self.sign * logs[self.monitor]

    def improved(self, value: float) -> bool:
        """Note a value; is it better than the best by more than ``min_delta``?"""
        better = value < self.best - self.min_delta
        if better:
            self.best, self.wait = value, 0
        return better


class EarlyStopping(_Watch):
    """Stop when nothing has become better for ``patience`` epochs, as Keras' callback of this name.

    Args:
        monitor: what is watched: ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``.
        patience: so many epochs without improvement are borne.
        min_delta: a smaller improvement is none.
        restore_best_weights: end with the weights of the best epoch.
        mode: ``min``, ``max``, or ``auto``: accuracies rise, all else falls.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        patience: int = 0,
        min_delta: float = 0.0,
        restore_best_weights: bool = False,
        mode: str = "auto",
    ) -> None:
        super().__init__(monitor, patience, min_delta, mode)
        self.restore_best_weights = restore_best_weights
        self.best_weights: list[NDArray] | None = None
        self.best_epoch = 0

    def on_train_begin(self, run: Run) -> None:
        """Forget an earlier training."""
        super().on_train_begin(run)
        self.best_weights, self.best_epoch = None, 0

    def on_epoch_end(self, run: Run, epoch: int, logs: dict[str, float]) -> None:
        """Remember the best epoch, or count the epochs since then."""
        self.wait += 1
        if self.improved(self.value(logs)):
            self.best_epoch = epoch
            if self.restore_best_weights:
                self.best_weights = [weight.copy() for weight in run.model.get_weights()]
        elif self.wait >= self.patience and epoch > 0:
            run.stop = True

    def on_train_end(self, run: Run) -> None:
        """Go back to the best weights, if wanted."""
        if self.best_weights is not None:
            run.model.set_weights(self.best_weights)


class ReduceLROnPlateau(_Watch):
    """Multiply the learning rate by ``factor`` when nothing has become better for ``patience`` epochs.

    AlexNet was trained so, by hand: "divided by 10 when the validation error rate stopped improving".
    Arguments and rule are those of Keras' callback of this name.

    Args:
        monitor, patience, min_delta, mode: see :class:`EarlyStopping`.
        factor: what the rate is multiplied by, under 1.
        cooldown: so many epochs after a reduction nothing is counted.
        min_lr: the rate never falls below this.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        factor: float = 0.1,
        patience: int = 10,
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        mode: str = "auto",
    ) -> None:
        super().__init__(monitor, patience, min_delta, mode)
        self.factor = as_number(factor, "factor", below=1)
        self.cooldown = as_int(cooldown, "cooldown", minimum=0)
        self.min_lr = as_number(min_lr, "min_lr")

    def on_train_begin(self, run: Run) -> None:
        """Forget an earlier training; a rate that follows a function cannot be reduced."""
        super().on_train_begin(run)
        self.resting = 0
        if callable(run.optimizer.learning_rate):
            raise OptionError(
                f"ReduceLROnPlateau sets the learning rate, but {run.optimizer.learning_rate!r} does too; "
                "give the optimizer a number"
            )

    def on_epoch_end(self, run: Run, epoch: int, logs: dict[str, float]) -> None:
        """Count the epochs since the last improvement, and reduce; note the rate that the epoch had."""
        logs["learning_rate"] = run.optimizer.rate
        if self.resting:
            self.resting -= 1
            self.wait = 0
        if self.improved(self.value(logs)) or self.resting:
            return
        self.wait += 1
        if self.wait >= self.patience and run.optimizer.rate > self.min_lr:
            run.optimizer.learning_rate = max(run.optimizer.rate * self.factor, self.min_lr)
            self.resting, self.wait = self.cooldown, 0


@dataclass
class History:
    """What each epoch came to: ``history["loss"]``, ``history["val_accuracy"]`` … are lists, as in Keras."""

    history: dict[str, list[float]] = field(default_factory=dict)

    def append(self, logs: Mapping[str, float]) -> None:
        """Add an epoch."""
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)

    @property
    def epoch(self) -> list[int]:
        """The epochs, numbered from 0."""
        return list(range(max(map(len, self.history.values()), default=0)))

    def __getitem__(self, name: str) -> list[float]:
        if name not in self.history:
            raise KeyError(f"no {name!r} was noted; there are {', '.join(self.history)}")
        return self.history[name]

    def rows(self) -> list[tuple[str, ...]]:
        """The table as text: a head, then an epoch a row, numbered from 1."""
        epochs = zip(*self.history.values(), strict=True)
        return [
            ("epoch", *(name.replace("_", " ") for name in self.history)),
            *((str(number), *map(_digits, values)) for number, values in enumerate(epochs, 1)),
        ]

    def __str__(self) -> str:
        rows = self.rows()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *body = self.rows()
        cells = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in head)
        lines = (
            f'<tr><th scope="row">{first}</th>{"".join(f"<td>{value}</td>" for value in rest)}</tr>'
            for first, *rest in body
        )
        return (
            f"<table><caption>Training, epoch by epoch</caption><thead><tr>{cells}</tr></thead>"
            f"<tbody>{''.join(lines)}</tbody></table>"
        )


def _digits(value: float) -> str:
    """Four decimals for losses and accuracies, powers of ten for what is smaller."""
    return f"{value:.4f}" if value == 0 or abs(value) >= 1e-3 else f"{value:.1e}"


# The loop


def fit(
    model: Model,
    x: ArrayLike,
    y: ArrayLike,
    *,
    epochs: int = 1,
    batch_size: int = 32,
    optimizer: str | Optimizer = "sgd",
    loss: str | Loss = "sparse_categorical_crossentropy",
    from_logits: bool = False,
    validation_data: tuple[ArrayLike, ArrayLike] | None = None,
    validation_split: float = 0.0,
    callbacks: Callback | Sequence[Callback] = (),
    augment: Augment | Sequence[Augment] = (),
    shuffle: bool = True,
    seed: int | np.random.Generator | None = 0,
    verbose: int | str = "auto",
) -> History:
    """Train a model: for every batch of every epoch go forward, compare, go backward, and step.

    All but the first three arguments are given by name (Keras counts ``batch_size`` before ``epochs``).

    Args:
        model: a :class:`cnnlib.network.Model` or ``Sequential`` with one input and one output.
        x: inputs (examples, ...), brought to the dtype of the weights.
        y: targets (examples, ...), as the loss wants them: whole numbers from 0, or a row each.
        epochs, batch_size: how often all examples are seen, and how many at a time.
        optimizer: ``sgd``, ``adam``, or one with settings, such as ``SGD(0.01, momentum=0.9)``.
        loss, from_logits: a name of :data:`LOSSES`, or a :class:`Loss`.
        validation_data: a pair (x, y) that is evaluated after every epoch and never learned from.
        validation_split: instead, the part of the examples, from 0 to under 1, that is kept for this: the
            last ones, as in Keras, so that examples in an order have to be shuffled before.
        callbacks: such as :class:`EarlyStopping` and :class:`ReduceLROnPlateau`; one, or several.
        augment: such as ``random_shift(2)``, or several of the kind, one after the other.
        shuffle: see the examples in another order in every epoch.
        seed: for the order and the augmentation; the same seed gives the same result, if the model's own
            chance (first weights, dropout) is settled too, as by ``model.initialize(seed)``.
        verbose: 0 nothing, 1 a bar, 2 a line an epoch; ``auto`` a bar in a terminal or notebook.

    Returns:
        loss and accuracy (the latter of classes) of each epoch, averaged over its batches while the
        weights change; with ``val_`` before the name those of the validation data after the epoch.

    Raises:
        ShapeError: inputs, targets and outputs do not go together, or there is nothing to learn from.
        OptionError: an option that is unknown or makes no sense.
        TrainingError: the loss became infinite or NaN; the message says where, and what to try.
    """
    criterion = _loss(loss, from_logits)
    stepper = optimizer_named(optimizer)
    epochs, batch_size = as_int(epochs, "epochs"), as_int(batch_size, "batch_size")
    changes = (augment,) if callable(augment) else tuple(augment)
    watchers = _watchers(callbacks)
    inputs, targets = _examples(model, x, y, criterion)
    held_out = None
    if validation_data is not None:
        if validation_split or not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
            raise OptionError("validation_data is a pair (x, y); leave out validation_split beside it")
        held_out = _examples(model, *validation_data, criterion)
    elif validation_split:
        first = _split(len(inputs), validation_split)
        held_out, (inputs, targets) = (inputs[first:], targets[first:]), (inputs[:first], targets[:first])
    rng = _source(seed)
    run, history = Run(model, stepper), History()
    batches = -(-len(inputs) // batch_size)
    # The C library gives what lies free at the end of its memory back to the system, and has to fetch it
    # anew, page by page, for the next batch: a quarter of the time. GNU's keeps twice the largest block that
    # was ever freed. This one is never written to, so that it takes no memory itself.
    np.empty(KEPT_BYTES, np.uint8)

    with _progress(verbose, epochs, batches) as progress:
        for callback in watchers:
            callback.on_train_begin(run)
        for epoch in range(epochs):
            order = rng.permutation(len(inputs)) if shuffle else np.arange(len(inputs))
            totals = _Totals()
            for number in range(batches):
                chosen = order[number * batch_size : (number + 1) * batch_size]
                batch, wanted = inputs[chosen], targets[chosen]
                for change in changes:
                    batch = change(batch, rng)
                logs = train_on_batch(model, batch, wanted, stepper, criterion)
                if not math.isfinite(logs["loss"]):
                    raise TrainingError(_diverged(logs["loss"], epoch, number, batches, stepper))
                totals.add(logs, len(chosen))
                progress.batch(epoch, totals)
            logs = totals.means()
            if held_out is not None:
                found = _evaluate(model, *held_out, criterion, batch_size)
                logs |= {f"val_{name}": value for name, value in found.items()}
            for callback in watchers:
                callback.on_epoch_end(run, epoch, logs)
            history.append(logs)
            progress.epoch(epoch, logs)
            if run.stop:
                break
        for callback in watchers:
            callback.on_train_end(run)
    return history


def train_on_batch(
    model: Model, batch: NDArray, targets: NDArray, optimizer: Optimizer, loss: Loss
) -> dict[str, float]:
    """One step of learning: forward, loss, backward, update.

    Args:
        model: built; its weights change.
        batch: array (batch, *input shape).
        targets: array in the shape of the outputs, or labels (batch,) where the loss takes them.
        optimizer: makes the step, and keeps what it remembers between steps.
        loss: what the step makes smaller.

    Returns:
        loss (and accuracy, where there are classes) by name, of the weights before the step.

    >>> from cnnlib.layers import Dense
    >>> from cnnlib.network import Input, Sequential
    >>> model = Sequential([Input((1,)), Dense(1, use_bias=False)])
    >>> model.set_weights([np.array([[1.0]])])
    >>> train_on_batch(model, np.array([[2.0]]), np.array([[6.0]]), SGD(0.1), Loss("mean_squared_error"))
    {'loss': 16.0}
    >>> model.get_weights()[0].round(3)  # 1 + 0.1 · 2 · (6 − 2) · 2
    array([[2.6]], dtype=float32)
    """
    skipped = _skipped(model, loss)
    with np.errstate(over="ignore", invalid="ignore"):  # a loss that is no number is told of by fit
        outputs, tape = model.forward(batch, training=True)
        judge, judged = _unbent(skipped, loss, outputs)
        logs = _measure(judge, judged, targets)
        if math.isfinite(logs["loss"]):
            slopes = judge.gradient(targets, judged)
            rules = {skipped: lambda gradient, *_: gradient} if skipped else None
            _, gradients = model.backward(slopes, tape, rules=rules)
            optimizer.apply(_flat(gradients), _learned(model))
    return logs


#: Activations at the end of a network that are computed together with these losses.
TOGETHER = {
    "softmax": ("sparse_categorical_crossentropy", "categorical_crossentropy"),
    "sigmoid": ("binary_crossentropy",),
}


def _skipped(model: Model, loss: Loss) -> str | None:
    """The last activation, if loss and gradient are better computed from the scores before it.

    A probability of 1e-9 is as wrong as one of 1e-7 to a loss that keeps probabilities from 0, and its
    gradient is none; scores know better. Keras, too, looks behind a softmax or sigmoid at the end.
    """
    last = model.outputs[0].layer
    name = str(getattr(last, "activation", None))
    if loss.from_logits or loss.name not in TOGETHER.get(name, ()) or getattr(last, "axis", -1) != -1:
        return None
    alike = [call for call in model.calls if getattr(call.layer, "activation", None) == name]
    return name if len(alike) == 1 else None


def _unbent(activation: str | None, loss: Loss, outputs: NDArray) -> tuple[Loss, NDArray]:
    """The loss and what it judges: the outputs, or scores that ``activation`` would turn into them."""
    if activation is None:
        return loss, outputs
    smallest = np.finfo(outputs.dtype).tiny
    scores = np.log(np.maximum(outputs, smallest))
    if activation == "sigmoid":
        scores -= np.log(np.maximum(1 - outputs, smallest))
    return replace(loss, from_logits=True), scores


def evaluate(
    model: Model,
    x: ArrayLike,
    y: ArrayLike,
    *,
    batch_size: int = 32,
    loss: str | Loss = "sparse_categorical_crossentropy",
    from_logits: bool = False,
) -> dict[str, float]:
    """The mean loss (and accuracy, of classes) of a model over all examples; nothing is learned.

    Arguments are those of :func:`fit`.

    >>> from cnnlib.layers import Dense
    >>> from cnnlib.network import Input, Sequential
    >>> model = Sequential([Input((2,)), Dense(2, kernel_initializer="zeros", activation="softmax")])
    >>> evaluate(model, np.ones((4, 2)), [0, 0, 0, 1])["accuracy"]
    0.75
    """
    criterion = _loss(loss, from_logits)
    return _evaluate(model, *_examples(model, x, y, criterion), criterion, as_int(batch_size, "batch_size"))


def _evaluate(
    model: Model, inputs: NDArray, targets: NDArray, loss: Loss, batch_size: int
) -> dict[str, float]:
    totals, skipped = _Totals(), _skipped(model, loss)
    for start in range(0, len(inputs), batch_size):
        batch, wanted = (array[start : start + batch_size] for array in (inputs, targets))
        totals.add(_measure(*_unbent(skipped, loss, model(batch)), wanted), len(batch))
    return totals.means()


def _measure(loss: Loss, outputs: NDArray, targets: NDArray) -> dict[str, float]:
    """The numbers that are noted of a batch."""
    logs = {"loss": loss(targets, outputs)}
    if loss.classifies:
        logs["accuracy"] = loss.accuracy(targets, outputs)
    return logs


def _learned(model: Model) -> dict[tuple[str, str], NDArray]:
    """Every weight that is learned, by layer and name: the arrays themselves."""
    return {(layer.name, name): layer.weights[name] for layer in model.layers for name in layer.trainable}


def _flat(gradients: Mapping[str, Mapping[str, NDArray]]) -> dict[tuple[str, str], NDArray]:
    return {(layer, name): array for layer, arrays in gradients.items() for name, array in arrays.items()}


@dataclass
class _Totals:
    """Numbers of batches, added up by the examples in each."""

    sums: dict[str, float] = field(default_factory=dict)
    count: int = 0

    def add(self, logs: Mapping[str, float], count: int) -> None:
        self.count += count
        for name, value in logs.items():
            self.sums[name] = self.sums.get(name, 0.0) + value * count

    def means(self) -> dict[str, float]:
        return {name: value / self.count for name, value in self.sums.items()}


# What is checked before the first batch


def _split(examples: int, share: float) -> int:
    """The number of the first example that is held out, or what leaves nothing to learn or to test.

    >>> _split(10, 0.25)        # Keras rounds down, too
    7
    """
    first = int(examples * (1 - as_number(share, "validation_split", below=1)))
    if not 0 < first < examples:
        raise OptionError(
            f"validation_split {share:g} of {examples} examples leaves {first} to learn from and "
            f"{examples - first} to test with; both need at least one"
        )
    return first


def _source(seed: int | np.random.Generator | None) -> np.random.Generator:
    """Where chance comes from, or what is no seed."""
    return np.random.default_rng(as_int(seed, "seed", minimum=0) if isinstance(seed, (int, float)) else seed)


def _watchers(callbacks: Callback | Sequence[Callback]) -> tuple[Callback, ...]:
    """One callback or several, as a tuple, or what is none."""
    listed = callbacks if isinstance(callbacks, (tuple, list)) else (callbacks,)
    if strangers := [item for item in listed if not isinstance(item, Callback)]:
        raise OptionError(f"callbacks are such as EarlyStopping(patience=3), not {shown(strangers[0])}")
    return tuple(listed)


def _loss(given: str | Loss, from_logits: bool) -> Loss:
    if isinstance(given, Loss):
        return given
    return Loss(given, from_logits)


def _examples(model: Model, x: ArrayLike, y: ArrayLike, loss: Loss) -> tuple[NDArray, NDArray]:
    """Inputs and targets as arrays that the model and the loss can work on, or what is wrong with them."""
    inputs, targets = as_floats(x, "x"), as_floats(y, "y")
    if inputs.ndim == 0 or targets.ndim == 0 or len(inputs) != len(targets):
        raise ShapeError(
            f"x of shape {inputs.shape} and y of shape {targets.shape} do not go together; "
            "they need one example in every row"
        )
    if not len(inputs):
        raise ShapeError(f"x of shape {inputs.shape} is empty; there is nothing to learn from")
    for name, array in (("x", inputs), ("y", targets)):
        bad = ~np.isfinite(array.reshape(len(array), -1)).all(axis=1)
        if bad.any():
            raise TrainingError(
                f"{name} has NaN or infinite values in {bad.sum()} of {len(bad)} examples, the first in "
                f"number {bad.argmax()}; leave these out or mend them"
            )
    output = model(inputs[:1])  # also builds a model that did not know its input
    dtype = next((weight.dtype for weight in _learned(model).values()), inputs.dtype)
    if not loss.sparse and targets.ndim == 1 and output.shape[1:] == (1,):
        targets = targets[:, np.newaxis]
    for start in range(0, len(targets), 256):  # the loss itself says whether targets and outputs go together
        part = targets[start : start + 256]
        loss(part, np.broadcast_to(output, (len(part), *output.shape[1:])))
    if loss.sparse:
        return inputs.astype(dtype, copy=False), targets.reshape(-1, *output.shape[1:-1]).astype(np.int64)
    return inputs.astype(dtype, copy=False), targets.astype(dtype, copy=False)


def _diverged(value: float, epoch: int, batch: int, batches: int, optimizer: Optimizer) -> str:
    rate = optimizer.rate
    return (
        f"the loss became {value} in epoch {epoch + 1}, batch {batch + 1} of {batches}; "
        f"try a learning rate smaller than {rate:g} (such as {rate / 10:g}), "
        "and inputs scaled to about -1 … 1"
    )


# What is seen of it while it runs


class _Progress:
    """A line an epoch, or nothing; the bar is another one's."""

    def __init__(self, epochs: int, speaks: bool) -> None:
        self.epochs, self.speaks = epochs, speaks

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to close."""

    def batch(self, epoch: int, totals: _Totals) -> None:
        """A batch is done."""

    def epoch(self, epoch: int, logs: Mapping[str, float]) -> None:
        """An epoch is done."""
        if self.speaks:
            print(f"epoch {epoch + 1}/{self.epochs}: {_line(logs)}", flush=True)


class _Bar(_Progress):
    """One bar for the whole training, on the standard output."""

    def __init__(self, epochs: int, batches: int, tqdm: Callable[..., Any]) -> None:
        super().__init__(epochs, speaks=False)
        self.batches = batches
        self.held_out = ""
        self.bar = tqdm(
            total=epochs * batches,
            file=sys.stdout,
            mininterval=0.2,
            bar_format="{desc} {percentage:3.0f}% {bar:16} {n_fmt}/{total_fmt} {elapsed}{postfix}",
        )

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def batch(self, epoch: int, totals: _Totals) -> None:
        self.bar.set_description_str(f"epoch {epoch + 1}/{self.epochs}", refresh=False)
        self.bar.set_postfix_str(_line(totals.means()) + self.held_out, refresh=False)
        self.bar.update()

    def epoch(self, epoch: int, logs: Mapping[str, float]) -> None:
        held_out = {name: value for name, value in logs.items() if name.startswith("val_")}
        self.held_out = ", " + _line(held_out) if held_out else ""
        self.bar.set_postfix_str(_line(logs), refresh=True)


def _line(logs: Mapping[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_digits(value)}" for name, value in logs.items())


def _progress(verbose: int | str, epochs: int, batches: int) -> _Progress:
    """What shows the progress, as wanted and as far as tqdm is there."""
    if verbose not in (0, 1, 2, "auto"):
        raise OptionError(
            f"verbose must be 0 (nothing), 1 (a bar), 2 (a line an epoch) or auto, not {verbose!r}"
        )
    if verbose == "auto":
        seen_live = sys.stdout.isatty() or type(sys.stdout).__module__.startswith("ipykernel")
        verbose = 1 if seen_live else 2
    if verbose == 1:
        try:
            from tqdm import tqdm
        except ImportError:  # in a browser, say: lines will do
            return _Progress(epochs, speaks=True)
        return _Bar(epochs, batches, tqdm)
    return _Progress(epochs, speaks=verbose == 2)
