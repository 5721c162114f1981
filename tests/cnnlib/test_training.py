"""Training: the same steps as Keras, the same result from the same seed, and errors that help."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from cnnlib import training
from cnnlib.errors import CnnError, ShapeError, SizeError
from cnnlib.images import handwritten_digits, to_floats, train_test_split
from cnnlib.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from cnnlib.network import Input, Sequential
from cnnlib.optimizers import SGD, Adam, ExponentialDecay, OptionError
from cnnlib.training import (
    Callback,
    EarlyStopping,
    History,
    Loss,
    ReduceLROnPlateau,
    TrainingError,
    evaluate,
    fit,
    random_flip,
    random_shift,
)


def lenet(classes: int = 10, seed: int = 0) -> Sequential:
    model = Sequential(
        [
            Input((28, 28, 1)),
            Conv2D(6, 5, padding="same", activation="relu"),
            MaxPooling2D(),
            Conv2D(16, 5, activation="relu"),
            MaxPooling2D(),
            Flatten(),
            Dense(120, activation="relu"),
            Dense(84, activation="relu"),
            Dense(classes, activation="softmax"),
        ],
        name="lenet",
    )
    model.initialize(seed)
    return model


def tiny(units: int = 3, activation: str | None = "softmax", seed: int = 1, features: int = 2) -> Sequential:
    model = Sequential(
        [Input((features,)), Dense(8, activation="tanh"), Dense(units, activation=activation)], name="tiny"
    )
    model.initialize(seed)
    return model


@pytest.fixture(scope="module")
def digits():
    images, labels = handwritten_digits()
    return train_test_split(to_floats(images)[..., np.newaxis], labels, test_size=1000)


@pytest.fixture(scope="module")
def clouds():
    """Three clouds of points that a small network can tell apart."""
    rng = np.random.default_rng(3)
    labels = np.arange(90) % 3
    centres = np.array([[0, 2], [2, -1], [-2, -1]])
    return (centres[labels] + rng.normal(size=(90, 2)) * 0.7).astype(np.float32), labels


# Learning


def test_clouds_are_learned_and_the_loss_falls(clouds):
    x, y = clouds
    model = tiny()
    before = evaluate(model, x, y)
    history = fit(model, x, y, epochs=30, optimizer=SGD(0.2, 0.9), verbose=0)
    after = evaluate(model, x, y)
    assert after["accuracy"] > 0.95 > before["accuracy"]
    assert after["loss"] < before["loss"] / 3
    assert history.epoch == list(range(30))
    assert set(history.history) == {"loss", "accuracy"}
    assert history["loss"][-1] < history["loss"][0] / 3


@pytest.mark.parametrize(
    ("loss", "from_logits", "activation"),
    [
        ("sparse_categorical_crossentropy", False, "softmax"),
        ("sparse_categorical_crossentropy", True, None),
        ("categorical_crossentropy", False, "softmax"),
        ("categorical_crossentropy", True, None),
        ("binary_crossentropy", False, "sigmoid"),
        ("binary_crossentropy", True, None),
        ("mean_squared_error", False, None),
    ],
)
def test_every_loss_is_learned_from(clouds, loss, from_logits, activation):
    x, labels = clouds
    y = labels if loss.startswith("sparse") else np.eye(3)[labels]
    model = tiny(activation=activation)
    options = {"loss": loss, "from_logits": from_logits}
    before = evaluate(model, x, y, **options)
    fit(model, x, y, epochs=20, optimizer="adam", batch_size=8, verbose=0, **options)
    after = evaluate(model, x, y, **options)
    assert after["loss"] < before["loss"]
    assert ("accuracy" in after) is (loss != "mean_squared_error")
    assert (model.predict(x).argmax(axis=1) == labels).mean() > 0.9
    if "accuracy" in after:
        assert after["accuracy"] > 0.85


def test_one_output_and_a_row_of_yes_and_no_go_together(clouds):
    x, labels = clouds
    model = tiny(units=1, activation="sigmoid")
    y = labels == 0
    fit(model, x, y, epochs=30, optimizer=Adam(0.02), loss="binary_crossentropy", verbose=0)
    assert evaluate(model, x, y, loss="binary_crossentropy")["accuracy"] > 0.9
    column = evaluate(model, x, y[:, np.newaxis], loss="binary_crossentropy")
    assert column == evaluate(model, x, y, loss="binary_crossentropy")


@pytest.mark.parametrize(
    ("loss", "activation"),
    [
        ("sparse_categorical_crossentropy", "softmax"),
        ("categorical_crossentropy", "softmax"),
        ("binary_crossentropy", "sigmoid"),
    ],
)
def test_a_sure_mistake_is_still_learned_from(loss, activation):
    """The clipped loss of a probability of 1e-20 has no gradient; together with its activation it has."""
    x, y = np.ones((1, 2), np.float32), np.array([1]) if loss.startswith("sparse") else np.array([[0, 1.0]])
    model = Sequential([Input((2,)), Dense(2, activation=activation)])
    model.set_weights([np.float32([[15, -15], [15, -15]]), np.zeros(2)])
    before = evaluate(model, x, y, loss=loss)["loss"]
    assert before > 16.2  # beyond what clipping at 1e-7 gives
    fit(model, x, y, epochs=10, optimizer=SGD(0.5), loss=loss, verbose=0)
    assert evaluate(model, x, y, loss=loss)["loss"] < before - 3


def test_the_last_activation_is_left_to_itself_where_it_stands_twice(clouds):
    """A rule goes by the name of an activation, so that it is only used where there is one of that name."""
    x, labels = clouds
    y = np.eye(3)[labels]
    model = Sequential(
        [Input((2,)), Dense(4, activation="sigmoid", seed=1), Dense(3, activation="sigmoid", seed=2)]
    )
    alike = Sequential([Input((2,)), Dense(4, activation="sigmoid", seed=1), Dense(3, seed=2)])
    fit(model, x, y, epochs=3, loss="binary_crossentropy", verbose=0)
    fit(alike, x, y, epochs=3, loss="binary_crossentropy", from_logits=True, verbose=0)
    for mine, other in zip(model.get_weights(), alike.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-6)


@given(st.integers(1, 12), st.integers(0, 3))
def test_a_step_lowers_the_loss_of_its_batch(size, seed):
    """A small step against the gradient goes downhill: gradient, sign and scale are right."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(size, 2)).astype(np.float32), rng.integers(0, 3, size)
    model = tiny(seed=seed)
    loss = Loss("sparse_categorical_crossentropy")
    before = loss(y, model(x))
    training.train_on_batch(model, x, y, SGD(1e-3), loss)
    assert loss(y, model(x)) < before


def test_the_mean_over_batches_of_unequal_size_is_that_over_examples(clouds):
    x, y = clouds
    model = tiny()
    whole = evaluate(model, x, y, batch_size=90)
    for batch_size in (1, 7, 64, 1000):
        assert evaluate(model, x, y, batch_size=batch_size) == pytest.approx(whole, rel=1e-5)


def test_the_same_seed_gives_the_same_weights(clouds):
    x, y = clouds

    def trained(seed):
        model = Sequential(
            [Input((2,)), Dense(8, activation="relu"), Dropout(0.2), Dense(3, activation="softmax")]
        )
        model.initialize(5)
        history = fit(model, x, y, epochs=3, batch_size=16, seed=seed, optimizer="adam", verbose=0)
        return history.history, np.concatenate([weight.ravel() for weight in model.get_weights()])

    first, second, other = trained(1), trained(1), trained(2)
    assert first[0] == second[0]
    np.testing.assert_array_equal(first[1], second[1])
    assert not np.array_equal(first[1], other[1])


def test_without_shuffling_batches_come_in_order_and_all_once(clouds):
    x, y = clouds
    seen = []

    def note(batch, rng):
        seen.append(batch.copy())
        return batch

    fit(tiny(), x, y, batch_size=32, shuffle=False, augment=note, verbose=0)
    assert [len(batch) for batch in seen] == [32, 32, 26]
    np.testing.assert_array_equal(np.concatenate(seen), x)
    seen.clear()
    fit(tiny(), x, y, batch_size=32, augment=[note], verbose=0)
    shuffled = np.concatenate(seen)
    assert not np.array_equal(shuffled, x)
    np.testing.assert_array_equal(np.sort(shuffled, axis=0), np.sort(x, axis=0))


def test_frozen_layers_stay_as_they_are(clouds):
    x, y = clouds
    model = tiny()
    model.layers[0].trainable = False
    frozen, learned = (layer.get_weights() for layer in model.layers)
    fit(model, x, y, epochs=2, optimizer=SGD(0.1, weight_decay=0.1), verbose=0)
    for was, now in zip(frozen, model.layers[0].get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)
    assert not np.array_equal(learned[0], model.layers[1].get_weights()[0])


def test_statistics_are_kept_though_they_are_not_learned(clouds):
    x, y = clouds
    model = Sequential([Input((2,)), BatchNormalization(momentum=0.5), Dense(3, activation="softmax")])
    fit(model, x + 5, y, epochs=5, verbose=0)
    weights = model.layers[0].weights
    np.testing.assert_allclose(weights["moving_mean"], x.mean(axis=0) + 5, atol=0.5)


def test_models_of_double_precision_stay_so(clouds):
    x, y = clouds
    model = tiny()
    model.astype("float64")
    fit(model, x, y, verbose=0)
    assert {weight.dtype for weight in model.get_weights()} == {np.dtype("float64")}


# Like Keras


@pytest.mark.keras
@pytest.mark.parametrize("setting", ["sgd", "momentum", "nesterov", "adam", "decay"])
def test_twenty_steps_are_kerass(digits, setting):
    """The same LeNet, weights, batches and optimizer: the losses of 20 steps and the weights after them."""
    from cnnlib.keras_bridge import keras
    from cnnlib.keras_bridge.models import to_keras

    kind, options = {
        "sgd": ("SGD", {"learning_rate": 0.05}),
        "momentum": ("SGD", {"learning_rate": 0.02, "momentum": 0.9}),
        "nesterov": ("SGD", {"learning_rate": 0.02, "momentum": 0.9, "nesterov": True}),
        "adam": ("Adam", {"learning_rate": 0.001}),
        "decay": ("SGD", {"learning_rate": 0.05, "momentum": 0.5, "weight_decay": 0.01}),
    }[setting]
    x, y = digits[0][:1280], digits[2][:1280]
    ours = lenet()
    theirs = to_keras(ours)
    name = "sparse_categorical_crossentropy"
    theirs.compile(
        getattr(keras().optimizers, kind)(**options), name, metrics=["accuracy"], run_eagerly=False
    )
    optimizer, loss = getattr(training, kind)(**options), Loss(name)
    for start in range(0, 1280, 64):
        batch, labels = x[start : start + 64], y[start : start + 64]
        expected = theirs.train_on_batch(batch, labels, return_dict=True)
        theirs.reset_metrics()
        found = training.train_on_batch(ours, batch, labels, optimizer, loss)
        assert found["loss"] == pytest.approx(float(expected["loss"]), rel=2e-4, abs=2e-5)
        assert found["accuracy"] == pytest.approx(float(expected["accuracy"]), abs=1.01 / 64)
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, atol=3e-4 if setting == "adam" else 3e-5)


@pytest.mark.keras
@pytest.mark.parametrize("loss", training.LOSSES)
@pytest.mark.parametrize("from_logits", [False, True])
def test_evaluate_is_kerass(clouds, loss, from_logits):
    from cnnlib.keras_bridge import keras
    from cnnlib.keras_bridge.models import to_keras

    if loss == "mean_squared_error" and from_logits:
        return
    x, labels = clouds
    y = labels if loss.startswith("sparse") else np.eye(3, dtype=np.float32)[labels]
    ours = tiny(activation=None if from_logits else "sigmoid" if loss.startswith("b") else "softmax")
    theirs = to_keras(ours)
    kind = "".join(part.title() for part in loss.split("_"))
    options = {} if loss == "mean_squared_error" else {"from_logits": from_logits}
    # Keras' own "accuracy" compares logits with one half as if they were probabilities
    metric = "accuracy"
    if loss == "binary_crossentropy":
        metric = keras().metrics.BinaryAccuracy(name="accuracy", threshold=0.0 if from_logits else 0.5)
    theirs.compile(loss=getattr(keras().losses, kind)(**options), metrics=[metric])
    expected = theirs.evaluate(x, y, verbose=0, return_dict=True)
    found = evaluate(ours, x, y, loss=loss, from_logits=from_logits)
    for name, value in found.items():
        assert value == pytest.approx(expected[name], rel=1e-4), name


@pytest.mark.keras
def test_callbacks_stop_and_reduce_where_kerass_do():
    """Fed with the same losses, both stop after the same epoch and end with the same learning rate."""
    from cnnlib.keras_bridge import keras

    class Optimizer:
        learning_rate = np.float32(0.1)

    class Theirs:
        def __init__(self):
            self.optimizer, self.stop_training, self.weights = Optimizer(), False, []

        def get_weights(self):
            return []

        def set_weights(self, weights):
            pass

    rng = np.random.default_rng(0)
    for case in range(60):
        losses = np.round(rng.normal(size=15).cumsum() * (case % 3 - 1) / 5 + rng.normal(size=15), 2)
        patience = int(rng.integers(0, 4))
        delta, cooldown = float(rng.choice([0, 0.3])), int(rng.integers(0, 3))
        for name, options in (
            ("EarlyStopping", {"min_delta": delta}),
            ("ReduceLROnPlateau", {"min_delta": delta, "cooldown": cooldown, "factor": 0.5, "min_lr": 0.02}),
        ):
            theirs = getattr(keras().callbacks, name)(patience=patience, **options)
            model = Theirs()
            theirs.set_model(model)
            theirs.on_train_begin()
            ours = getattr(training, name)(patience=patience, **options)
            run = training.Run(tiny(), SGD(0.1))
            ours.on_train_begin(run)
            for epoch, loss in enumerate(losses):
                theirs.on_epoch_end(epoch, {"val_loss": loss})
                ours.on_epoch_end(run, epoch, {"val_loss": loss})
                assert run.stop == model.stop_training
                assert run.optimizer.rate == pytest.approx(float(model.optimizer.learning_rate))
                if run.stop:
                    break


# The digits


def test_a_few_batches_of_digits_are_learned(digits):
    x, _, y, _ = digits
    model = lenet()
    history = fit(model, x[:640], y[:640], epochs=3, batch_size=64, optimizer=Adam(0.003), verbose=0)
    assert history["accuracy"][-1] > 0.6 > history["accuracy"][0]


@pytest.mark.slow
def test_lenet_reads_held_out_digits_in_a_minute(digits):
    """At least 97.5 % of 1,000 digits that it never saw, in under 60 s of CPU."""
    x_train, x_test, y_train, y_test = digits
    model = lenet()
    started = time.process_time()
    rate = training.CosineDecay(0.003, decay_steps=30 * 63)
    options = {"epochs": 30, "batch_size": 64, "augment": random_shift(2), "verbose": 0}
    fit(model, x_train, y_train, optimizer=Adam(rate), **options)
    seconds = time.process_time() - started
    found = evaluate(model, x_test, y_test, batch_size=100)
    assert found["accuracy"] >= 0.975
    assert seconds < 60


# Callbacks


class Losses(Callback):
    """Feigns the losses of validation, for those that watch them."""

    def __init__(self, losses):
        self.losses = losses

    def on_epoch_end(self, run, epoch, logs):
        logs["val_loss"] = self.losses[epoch]


def test_early_stopping_ends_with_the_best_weights(clouds):
    x, y = clouds
    states = []

    class Keep(Callback):
        def on_epoch_end(self, run, epoch, logs):
            states.append(run.model.get_weights())

    stop = EarlyStopping(patience=2, restore_best_weights=True)
    model = tiny()
    losses = Losses([3.0, 1.0, 2.0, 1.5, 0.0])
    history = fit(model, x, y, epochs=5, callbacks=[losses, Keep(), stop], verbose=0)
    assert len(history.epoch) == 4
    assert stop.best_epoch == 1
    for best, now, last in zip(states[1], model.get_weights(), states[3], strict=True):
        np.testing.assert_array_equal(best, now)
        assert not np.array_equal(best, last)
    again = fit(model, x, y, epochs=2, callbacks=[Losses([9.0, 8.0]), stop], verbose=0)
    assert len(again.epoch) == 2  # an earlier training is forgotten


def test_a_single_callback_needs_no_list(clouds):
    watched = [fit(tiny(), *clouds, epochs=2, callbacks=Losses([3.0, 1.0]), verbose=0)["val_loss"]]
    watched += [fit(tiny(), *clouds, epochs=2, callbacks=[Losses([3.0, 1.0])], verbose=0)["val_loss"]]
    assert watched == [[3.0, 1.0]] * 2


def test_a_split_holds_out_the_last_examples(clouds):
    x, y = clouds
    cut = int(len(x) * 0.75)
    assert cut != len(x) * 0.75  # Keras rounds down
    whole, parts = (tiny() for _ in range(2))
    for model in (whole, parts):
        model.initialize(0)
    split = fit(whole, x, y, epochs=2, validation_split=0.25, verbose=0)
    given = fit(parts, x[:cut], y[:cut], epochs=2, validation_data=(x[cut:], y[cut:]), verbose=0)
    assert split.history == given.history
    assert len(split["val_loss"]) == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda: fit(tiny(), *GOOD, 3),  # Keras would take it for the size of a batch
        lambda: evaluate(tiny(), *GOOD, 3),
        lambda: tiny().fit(*GOOD, 3),
        lambda: EarlyStopping("loss", 3),  # … and this for min_delta
        lambda: ReduceLROnPlateau("loss", 0.5),
        lambda: Adam(0.1, 0.9),
    ],
)
def test_what_has_another_place_in_keras_is_given_by_name(call):
    with pytest.raises(TypeError, match="positional argument"):
        call()


PAGES_FETCHED = """
import resource
import numpy as np
from cnnlib import architectures, training
training.KEPT_BYTES = {kept}
x, y, model = np.zeros((640, 28, 28, 1), np.float32), np.zeros(640, int), architectures.lenet5_modern()
for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    training.fit(model, x, y, batch_size=64, verbose=0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have other rules")
def test_memory_is_kept_from_batch_to_batch():
    kept, given_back = (
        int(subprocess.check_output([sys.executable, "-c", PAGES_FETCHED.format(kept=kept)]))
        for kept in (training.KEPT_BYTES, 0)
    )
    assert kept < 0.1 * given_back


def test_accuracy_is_watched_upwards(clouds):
    x, y = clouds
    stop = EarlyStopping(monitor="accuracy", patience=3)
    fit(tiny(), x, y, epochs=4, callbacks=[stop], optimizer=Adam(0.05), verbose=0)
    assert stop.sign == -1
    assert EarlyStopping(monitor="accuracy", mode="min").sign == 1


def test_the_rate_is_divided_on_a_plateau_and_noted(clouds):
    x, y = clouds
    plateau = ReduceLROnPlateau(factor=0.1, patience=2, min_lr=2e-4)
    sgd = SGD(0.1)
    losses = Losses([1.0] * 9)
    history = fit(tiny(), x, y, epochs=9, optimizer=sgd, callbacks=[losses, plateau], verbose=0)
    expected = [0.1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001, 0.0002, 0.0002]
    np.testing.assert_allclose(history["learning_rate"], expected)
    with pytest.raises(OptionError, match=r"sets the learning rate, but ExponentialDecay\(.* does too"):
        fit(tiny(), x, y, optimizer=SGD(ExponentialDecay(0.1, 5, 0.5)), callbacks=[plateau], verbose=0)


def test_watching_what_is_not_there_says_what_is(clouds):
    with pytest.raises(
        OptionError, match="watches 'val_loss', but there are only loss, accuracy; give validation"
    ):
        fit(tiny(), *clouds, callbacks=[EarlyStopping()], verbose=0)


# History and progress


def test_history_is_a_table_to_read_and_to_plot(clouds):
    x, y = clouds
    history = fit(tiny(), x, y, epochs=3, validation_data=(x, y), verbose=0)
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    lines = str(history).splitlines()
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1  # columns are aligned
    assert re.findall(r"\d\.\d{4}", lines[1]) == [f"{values[0]:.4f}" for values in history.history.values()]
    page = history._repr_html_()
    assert page.count("<tr>") == 4
    assert page.count('scope="col"') == 5
    assert page.count('scope="row"') == 3
    with pytest.raises(KeyError, match="there are loss, accuracy"):
        history["acc"]
    assert history["val_loss"][-1] == evaluate(_trained(x, y), x, y)["loss"]
    assert str(History()) == "epoch"


def _trained(x, y):
    model = tiny()
    fit(model, x, y, epochs=3, verbose=0)
    return model


def test_progress_is_nothing_a_bar_or_a_line_an_epoch(clouds, capsys, monkeypatch):
    x, y = clouds

    def said(verbose):
        fit(tiny(), x, y, epochs=2, validation_data=(x, y), verbose=verbose)
        out, err = capsys.readouterr()
        assert err == ""
        return out

    assert said(0) == ""
    lines = said(2).splitlines()
    assert [line.split(":")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert "val accuracy 0." in lines[1]
    assert said("auto") == said(2)  # nobody looks at this output live
    bar = said(1)
    assert bar.count("\n") == 1
    assert "epoch 2/2 100%" in bar
    assert "6/6" in bar
    assert "val accuracy 0." in bar
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert said(1) == said(2)


# Augmentation


@given(st.integers(0, 3), st.integers(1, 3), st.integers(0, 5))
def test_shifted_images_are_parts_of_themselves(pixels, rank, seed):
    rng = np.random.default_rng(seed)
    shape = (4, *(5, 6, 4)[:rank], 2)
    batch = rng.normal(size=shape).astype(np.float32)
    moved = random_shift(pixels)(batch, rng)
    assert moved.shape == batch.shape
    assert moved.dtype == batch.dtype
    framed = np.zeros((4, *np.add(shape[1:-1], 2 * pixels), 2), batch.dtype)  # every shift is a part of this
    framed[(slice(None), *[slice(pixels, pixels + n) for n in shape[1:-1]])] = batch
    for before, after in zip(framed, moved, strict=True):
        parts = sliding_window_view(before, after.shape).reshape(-1, *after.shape)
        assert len(parts) == (2 * pixels + 1) ** rank
        assert (parts == after).reshape(len(parts), -1).all(axis=1).any()


def test_all_shifts_occur_about_equally_often():
    image = np.zeros((900, 5, 5, 1), np.float32)
    image[:, 2, 2] = 1
    moved = random_shift(1)(image, np.random.default_rng(0)).sum(axis=0)[1:4, 1:4, 0]
    assert moved.sum() == 900
    assert moved.min() > 70


def test_flips_mirror_left_to_right_half_of_the_time():
    batch = np.arange(400.0).reshape(200, 1, 2, 1)
    flipped = random_flip()(batch, np.random.default_rng(0))
    mirrored = (flipped[:, 0, 0] > flipped[:, 0, 1])[:, 0]
    assert 70 < mirrored.sum() < 130
    np.testing.assert_array_equal(flipped[mirrored][:, :, ::-1], batch[mirrored])
    np.testing.assert_array_equal(flipped[~mirrored], batch[~mirrored])
    np.testing.assert_array_equal(random_flip(0)(batch, np.random.default_rng(0)), batch)


# What cannot be


GOOD = (np.zeros((6, 2), np.float32), np.arange(6) % 3)
NAN = np.where(np.arange(12).reshape(6, 2) > 6, np.nan, 0)
BAD = {
    "lengths": (lambda: fit(tiny(), GOOD[0], GOOD[1][:5]), ShapeError, r"\(6, 2\) and y of shape \(5,\)"),
    "a single example": (lambda: fit(tiny(), GOOD[0][0], 1), ShapeError, "one example in every row"),
    "nothing": (lambda: fit(tiny(), GOOD[0][:0], GOOD[1][:0]), ShapeError, r"\(0, 2\) is empty"),
    "features": (lambda: fit(tiny(), np.zeros((6, 5)), GOOD[1]), ShapeError, r"\(6, 5\)|\(1, 5\)"),
    "text": (lambda: fit(tiny(), np.array(["a"] * 6), GOOD[1]), CnnError, "x has dtype <U1"),
    "NaN": (lambda: fit(tiny(), NAN, GOOD[1]), TrainingError, "x has NaN .* in 3 of 6 .* number 3"),
    "a label too many": (
        lambda: fit(tiny(), GOOD[0], GOOD[1] + 1),
        SizeError,
        "label 3 is none of 3 classes",
    ),
    "a negative label": (lambda: fit(tiny(), GOOD[0], GOOD[1] - 1), SizeError, "label -1"),
    "half a label": (lambda: fit(tiny(), GOOD[0], GOOD[1] / 2), CnnError, "labels are whole numbers"),
    "a label that is NaN": (
        lambda: fit(tiny(), GOOD[0], [0, 1, np.nan, 1, 2, 0]),
        TrainingError,
        "y has NaN or infinite values in 1 of 6 examples, the first in number 2",
    ),
    "rows for labels": (lambda: fit(tiny(), GOOD[0], np.eye(3)[GOOD[1]]), ShapeError, r"\(6, 3\)"),
    "labels for rows": (
        lambda: fit(tiny(), *GOOD, loss="categorical_crossentropy"),
        ShapeError,
        "sparse_categorical_crossentropy",
    ),
    "a loss that is not": (
        lambda: fit(tiny(), *GOOD, loss="hinge"),
        OptionError,
        "loss 'hinge' is unknown; use one of sparse_categorical_crossentropy, .*mean_squared_error",
    ),
    "a loss of another kind": (lambda: fit(tiny(), *GOOD, loss=3), OptionError, "loss 3 is unknown"),
    "squares of logits": (
        lambda: Loss("mean_squared_error", from_logits=True),
        OptionError,
        "leave out from_logits",
    ),
    "an optimizer that is not": (
        lambda: fit(tiny(), *GOOD, optimizer="rmsprop"),
        OptionError,
        "optimizer 'rmsprop' is unknown; use one of sgd, adam",
    ),
    "no epochs": (lambda: fit(tiny(), *GOOD, epochs=0), SizeError, "epochs must be .* not 0"),
    "no batch": (lambda: fit(tiny(), *GOOD, batch_size=0), SizeError, "batch_size must be .* not 0"),
    "verbose": (lambda: fit(tiny(), *GOOD, verbose=3), OptionError, "verbose must be 0"),
    "validation": (
        lambda: fit(tiny(), *GOOD, validation_data=(GOOD[0], GOOD[1][:2])),
        ShapeError,
        r"\(6, 2\) and y of shape \(2,\)",
    ),
    "no pair": (lambda: fit(tiny(), *GOOD, validation_data=GOOD[0]), OptionError, "a pair"),
    "evaluate": (lambda: evaluate(tiny(), GOOD[0], GOOD[1] + 1), SizeError, "label 3"),
    "two validations": (
        lambda: fit(tiny(), *GOOD, validation_data=GOOD, validation_split=0.5),
        OptionError,
        "leave out validation_split",
    ),
    "less than none": (lambda: fit(tiny(), *GOOD, validation_split=-0.1), OptionError, "not -0.1"),
    "nothing to learn from": (
        lambda: fit(tiny(), *GOOD, validation_split=0.9),
        OptionError,
        "leaves 0 to learn from and 6 to test with",
    ),
    "the whole as a part": (lambda: fit(tiny(), *GOOD, validation_split=1), OptionError, "below 1, not 1"),
    "no callback": (lambda: fit(tiny(), *GOOD, callbacks="stop"), OptionError, "EarlyStopping.* not 'stop'"),
    "seed": (lambda: fit(tiny(), *GOOD, seed=0.5), SizeError, "seed must be a whole number"),
    "mode": (lambda: EarlyStopping(mode="up"), OptionError, "mode 'up' is unknown; use auto, min or max"),
    "patience": (lambda: EarlyStopping(patience=-1), SizeError, "patience"),
    "factor": (lambda: ReduceLROnPlateau(factor=1), OptionError, "factor .* below 1, not 1"),
    "pixels": (lambda: random_shift(-1), SizeError, "pixels"),
    "probability": (lambda: random_flip(1.5), OptionError, "probability"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_trained_is_told_in_a_line(what):
    call, error, words = BAD[what]
    with pytest.raises(error, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_loss_that_runs_away_says_where_and_what_to_try(clouds):
    x, y = clouds
    model = tiny(activation=None)
    with pytest.raises(
        TrainingError,
        match=r"became (inf|nan) in epoch \d+, batch \d of 3; try a learning rate smaller than 1e\+06",
    ):
        fit(model, x, np.eye(3)[y] * 1e9, epochs=50, optimizer=SGD(1e6), loss="mse", verbose=0)
