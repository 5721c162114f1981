"""How long whole networks take for one photograph, beside the same networks in Keras.

EfficientNet-Lite0 has its real weights, the others random ones; what is compared is time, and memory beyond
the weights. Keras runs the very network, layer by layer (eager) and compiled (``tf.function``). Written to
``build/bench``: photographs.csv, photographs.md, photographs.svg.

    python tests/benchmarks/photographs.py [--quick] [--networks mobilenet,resnet50] [--seconds 5]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import measuring  # noqa: I001 - before NumPy: it sets the number of threads

import argparse
import csv
from collections.abc import Callable
from functools import partial

import numpy as np

from cnnlib import architectures
from cnnlib.architectures.imagenet import decode, prepare
from cnnlib.folding import fold_batch_norm
from cnnlib.images import photograph

#: The networks, as they are made: random ones without softmax, which would say the same of every class.
#: Weights of VGG-16 take half a gigabyte, twice.
NETWORKS: dict[str, Callable] = {"efficientnet_lite0": architectures.efficientnet_lite0} | {
    name: partial(getattr(architectures, name), classifier_activation=None)
    for name in ("mobilenet", "shufflenet", "googlenet", "resnet18", "resnet50", "vgg16")
}
#: The most that a photograph may take, in seconds of one thread.
LIMITS = {"efficientnet_lite0": 1.0}

Row = dict[str, object]


def measure(name: str, seconds: float, ceiling: float) -> Row:
    """Milliseconds of each contestant for a batch of one, and what our memory peaks at beyond the weights."""
    from cnnlib.keras_bridge.backend import tensorflow
    from cnnlib.keras_bridge.models import to_keras

    tf = tensorflow()
    ours = NETWORKS[name]()
    folded = fold_batch_norm(ours)
    theirs = to_keras(ours)
    compiled = tf.function(theirs)
    x = prepare(photograph("cat"))
    tensor = tf.constant(x)
    runs: dict[str, Callable[[], object]] = {
        "cnnlib": lambda: ours(x),
        "folded": lambda: folded(x),
        "keras": lambda: theirs(tensor),
        "keras_compiled": lambda: compiled(tensor),
    }
    wanted = np.asarray(theirs(tensor))
    for run in runs.values():  # a race of different answers would be none
        np.testing.assert_allclose(np.asarray(run()), wanted, atol=1e-3 * np.abs(wanted).max())
    best = measuring.interleave(runs, seconds, turns=3)
    beyond, _ = measuring.peak_beyond_output(runs["cnnlib"])
    macs = ours.summary().macs
    guess = decode(ours(x), top=1)[0][0] if name == "efficientnet_lite0" else None
    return {
        "network": name,
        "parameters": ours.count_params(),
        "macs": macs,
        "threads": measuring.THREADS,
        **{f"{key}_ms": 1e3 * value for key, value in best.items()},
        "to_keras": best["cnnlib"] / best["keras"],
        "folded_to_keras": best["folded"] / best["keras"],
        "share_of_sgemm": macs / best["folded"] / ceiling,
        "beyond_weights_mib": beyond / 2**20,
        "limit_ms": 1e3 * LIMITS[name] if name in LIMITS else None,
        "sees": f"{guess.name} ({guess.probability:.0%})" if guess else None,
    }


#: The columns of the table for people: heading, key, format.
COLUMNS = (
    ("parameters", "parameters", ","),
    ("MACs", "macs", ","),
    ("cnnlib ms", "cnnlib_ms", ".1f"),
    ("folded ms", "folded_ms", ".1f"),
    ("Keras ms", "keras_ms", ".1f"),
    ("compiled ms", "keras_compiled_ms", ".1f"),
    ("× Keras", "to_keras", ".2f"),
    ("folded × Keras", "folded_to_keras", ".2f"),
    ("of sgemm", "share_of_sgemm", ".0%"),
    ("memory MiB", "beyond_weights_mib", ".1f"),
)


def as_markdown(rows: list[Row]) -> str:
    """The table for people."""
    return "\n".join(
        [
            f"One photograph, 224×224, {measuring.THREADS} thread(s). {measuring.machine()}.",
            "",
            f"| network | {' | '.join(heading for heading, *_ in COLUMNS)} |",
            "|---|" + "---:|" * len(COLUMNS),
            *(
                f"| {row['network']} | {' | '.join(format(row[key], form) for _, key, form in COLUMNS)} |"
                for row in rows
            ),
            "",
            "*folded*: batch normalisation put into the convolutions. *of sgemm*: the share of the machine's",
            "own matrix product that *folded* reaches. *memory*: what is needed at most beyond the weights.",
            "",
        ]
    )


def draw(rows: list[Row], path: Path) -> None:
    """The time of each contestant over that of eager Keras, a line for each network."""
    from cnnlib.plots import style

    looks = {
        "keras_compiled": ("Keras, compiled", "s", "third"),
        "cnnlib": ("cnnlib", "o", "highlight"),
        "folded": ("cnnlib, folded", "D", "output"),
    }

    @style.styled
    def drawn() -> None:
        figure = style.new_figure(height=0.32 * len(rows) + 1.4)
        axes = figure.subplots()
        for key, (label, marker, colour) in looks.items():
            ratios = [row[f"{key}_ms"] / row["keras_ms"] for row in rows]  # type: ignore[operator]
            axes.plot(ratios, range(len(rows)), marker, color=style.COLOURS[colour], label=label)
        axes.axvline(1, color=style.COLOURS["padding"], linewidth=1, zorder=0)
        axes.set_xlim(left=0)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_yticks(range(len(rows)), [str(row["network"]) for row in rows])
        axes.set_xlabel("time for one photograph (Keras, layer by layer: 1)")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)
        figure.savefig(path)
        figure.savefig(path.with_suffix(".png"), dpi=160)

    drawn()


def verdicts(rows: list[Row]) -> list[tuple[bool, str]]:
    """Whether each limit is kept, and in words."""
    return [
        (
            row["cnnlib_ms"] < row["limit_ms"],  # type: ignore[operator]
            f"{row['network']}: {row['cnnlib_ms']:.0f} ms a photograph; allowed {row['limit_ms']:.0f}",
        )
        for row in rows
        if row["limit_ms"]
    ]


def main(arguments: list[str] | None = None) -> list[str]:
    """Measure, write, say whether limits are kept; return the names of the files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", help="names, such as mobilenet,resnet50 (all unless told)")
    parser.add_argument("--seconds", type=float, default=4, help="for each network")
    parser.add_argument("--quick", action="store_true", help="half a second for each network, without VGG-16")
    options = parser.parse_args(arguments)
    names = options.networks.split(",") if options.networks else list(NETWORKS)
    if unknown := [name for name in names if name not in NETWORKS]:
        parser.error(f"no such network {unknown[0]!r}; there are {', '.join(NETWORKS)}")
    if options.quick:
        names = [name for name in names if name != "vgg16" or options.networks]
    ceiling = measuring.sgemm_rate() * measuring.THREADS
    rows = []
    for name in names:
        rows.append(row := measure(name, 0.5 if options.quick else options.seconds, ceiling))
        print(
            f"{name:20} {row['cnnlib_ms']:8.1f} ms   folded {row['folded_ms']:8.1f} ms   × Keras "
            f"{row['to_keras']:5.2f}   folded {row['folded_to_keras']:5.2f}   {row['sees'] or ''}",
            flush=True,
        )
    measuring.OUT.mkdir(parents=True, exist_ok=True)
    with (measuring.OUT / "photographs.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (measuring.OUT / "photographs.md").write_text(as_markdown(rows))
    draw(rows, measuring.OUT / "photographs.svg")
    for kept, words in verdicts(rows):
        print(f"{'kept    ' if kept else 'NOT KEPT'}  {words}")
    return ["photographs.md", "photographs.csv", "photographs.svg"]


if __name__ == "__main__":
    main()
