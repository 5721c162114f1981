"""How fast whole networks learn and look: LeNet-5 on 5,000 digits, and networks for one photograph.

Training races Keras' ``fit``: the same network, weights and batches, epoch by epoch in turns in one process,
after both have warmed up. Then LeNet-5 learns the digits in earnest, and is tested on some that it never saw.
Written to ``build/bench``: training.csv, training.md, training.svg, and what photographs.py writes.

    python tests/benchmarks/networks.py [--quick] [--only training]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import measuring  # noqa: I001 - before NumPy: it sets the number of threads

import argparse
import csv
import time

import numpy as np

from cnnlib import architectures, training
from cnnlib.images import handwritten_digits, to_floats, train_test_split
from cnnlib.network import Sequential

BATCH = 64
HELD_OUT = 1000
#: The most that our epoch may take of Keras', the least accuracy on held-out digits, and the seconds for it.
RATIO, ACCURACY, SECONDS = 1.0, 0.975, 60

Row = dict[str, object]


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Images for training and testing, and their labels."""
    images, labels = handwritten_digits()
    return train_test_split(to_floats(images)[..., np.newaxis], labels, HELD_OUT)


def lenet() -> Sequential:
    """The modern LeNet-5, with the same weights in every run."""
    model = architectures.lenet5_modern()
    model.initialize(0)
    return model


def race(epochs: int) -> list[Row]:
    """The processor seconds of each epoch, ours and Keras' in turns; who begins changes from turn to turn."""
    from cnnlib.keras_bridge import keras
    from cnnlib.keras_bridge.models import to_keras

    x, _, y, _ = digits()
    ours, adam = lenet(), training.Adam()
    theirs = to_keras(ours)
    theirs.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    assert keras().backend.backend() == "tensorflow"
    found: dict[str, training.History] = {}

    def fit_ours() -> None:
        found["cnnlib"] = training.fit(ours, x, y, batch_size=BATCH, optimizer=adam, verbose=0)

    def fit_theirs() -> None:
        found["keras"] = theirs.fit(x, y, batch_size=BATCH, verbose=0)

    runs = {"cnnlib": fit_ours, "keras": fit_theirs}
    rows = []
    for epoch in range(epochs + 1):
        row: Row = {"epoch": epoch}
        for name in sorted(runs, reverse=epoch % 2 == 1):
            started = time.process_time() if measuring.THREADS == 1 else time.perf_counter()
            runs[name]()
            ended = time.process_time() if measuring.THREADS == 1 else time.perf_counter()
            row |= {f"{name}_seconds": ended - started, f"{name}_loss": found[name].history["loss"][-1]}
        rows.append(row)
        print(
            f"epoch {epoch:2}   cnnlib {row['cnnlib_seconds']:.3f} s, loss {row['cnnlib_loss']:.4f}   "
            f"Keras {row['keras_seconds']:.3f} s, loss {row['keras_loss']:.4f}"
            + ("   (to warm up)" if epoch == 0 else ""),
            flush=True,
        )
    return rows[1:]


def medians(rows: list[Row]) -> tuple[float, float]:
    """The usual epoch of ours and of Keras', in seconds: the median of all."""
    ours, theirs = (
        float(np.median([row[f"{name}_seconds"] for row in rows])) for name in ("cnnlib", "keras")
    )
    return ours, theirs


def learn(epochs: int) -> tuple[float, float]:
    """Train in earnest; return the accuracy on held-out digits and the processor seconds that it took."""
    x, x_test, y, y_test = digits()
    model, started = lenet(), time.process_time()
    rate = training.CosineDecay(0.003, decay_steps=epochs * -(-len(x) // BATCH))
    training.fit(
        model,
        x,
        y,
        epochs=epochs,
        batch_size=BATCH,
        optimizer=training.Adam(rate),
        augment=training.random_shift(2),
        verbose=0,
    )
    seconds = time.process_time() - started
    accuracy = training.evaluate(model, x_test, y_test, batch_size=100)["accuracy"]
    return accuracy, seconds


def as_markdown(rows: list[Row], accuracy: float, seconds: float, epochs: int) -> str:
    """What was measured, as a page."""
    ours, theirs = medians(rows)
    threads = "one thread" if measuring.THREADS == 1 else f"{measuring.THREADS} threads"
    lines = [
        f"# LeNet-5 on {5000 - HELD_OUT} digits",
        "",
        f"{measuring.machine()}; {threads}, batches of {BATCH}.",
        "",
        f"An epoch takes {ours:.2f} s, Keras' `fit` {theirs:.2f} s: {ours / theirs:.2f} times as long.",
        "",
        f"After {epochs} epochs with images shifted by up to 2 pixels ({seconds:.0f} s), {accuracy:.1%} of "
        f"{HELD_OUT} digits that it never saw are read.",
        "",
        "| epoch | cnnlib s | Keras s | cnnlib loss | Keras loss |",
        "|---|---|---|---|---|",
        *(
            f"| {row['epoch']} | {row['cnnlib_seconds']:.3f} | {row['keras_seconds']:.3f} "
            f"| {row['cnnlib_loss']:.4f} | {row['keras_loss']:.4f} |"
            for row in rows
        ),
    ]
    return "\n".join(lines) + "\n"


def draw(rows: list[Row], path: Path) -> None:
    """Loss over processor time, both runs: who learns how much in the same time."""
    from cnnlib.plots import style

    looks = {"cnnlib": ("cnnlib", "o-", "highlight"), "keras": ("Keras fit", "s-", "third")}

    @style.styled
    def drawn() -> None:
        figure = style.new_figure(height=2.6)
        axes = figure.subplots()
        for name, (label, marker, colour) in looks.items():
            seconds = np.cumsum([row[f"{name}_seconds"] for row in rows])
            losses = [row[f"{name}_loss"] for row in rows]
            axes.plot(seconds, losses, marker, color=style.COLOURS[colour], label=label, markersize=4)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("processor seconds")
        axes.set_ylabel("loss while training")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
        figure.savefig(path)
        figure.savefig(path.with_suffix(".png"), dpi=160)

    drawn()


def verdicts(rows: list[Row], accuracy: float, seconds: float) -> list[tuple[bool, str]]:
    """Whether each limit is kept, and in words."""
    ours, theirs = medians(rows)
    return [
        (
            ours <= RATIO * theirs,
            f"an epoch of LeNet-5 takes {ours / theirs:.2f} of Keras' fit; allowed {RATIO}",
        ),
        (
            accuracy >= ACCURACY and seconds < SECONDS,
            f"{accuracy:.1%} of held-out digits after {seconds:.0f} s; wanted {ACCURACY:.1%} in {SECONDS} s",
        ),
    ]


def main(arguments: list[str] | None = None) -> int:
    """Measure, write, and say which limits are kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="few epochs, and networks for half a second each"
    )
    parser.add_argument("--only", choices=["training", "photographs"], help="leave the other part out")
    options = parser.parse_args(arguments)
    written = []
    if options.only != "photographs":
        rows = race(2 if options.quick else 9)
        epochs = 2 if options.quick else 30
        accuracy, seconds = learn(epochs)
        measuring.OUT.mkdir(parents=True, exist_ok=True)
        with (measuring.OUT / "training.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        (measuring.OUT / "training.md").write_text(as_markdown(rows, accuracy, seconds, epochs))
        draw(rows, measuring.OUT / "training.svg")
        for kept, words in verdicts(rows, accuracy, seconds):
            print(f"{'kept    ' if kept else 'NOT KEPT'}  {words}")
        written += ["training.md", "training.csv", "training.svg"]
    if options.only != "training":
        import photographs

        written += photographs.main(["--quick"] if options.quick else [])
    print(f"\nWritten to {measuring.OUT}: {', '.join(written)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
