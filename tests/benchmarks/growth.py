"""How time and memory of a convolution grow with the image, the channels and the kernel, beside Keras.

One thread, unless ``CNNLIB_THREADS`` says otherwise. Written to ``build/bench``: growth.csv, growth.svg.

    python tests/benchmarks/growth.py
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import measuring  # noqa: I001 - before NumPy: it sets the number of threads

import csv
from operators import Case, conv_contestants

#: What grows, its name on the axis, and the layers: (side, channels and filters, side of the kernel).
SWEEPS = {
    "size": ("side of the image", [(n, 32, 3) for n in (16, 32, 64, 128, 256, 512)]),
    "channels": ("channels and filters", [(56, c, 3) for c in (4, 8, 16, 32, 64, 128, 256)]),
    "kernel": ("side of the kernel", [(112, 16, k) for k in (1, 3, 5, 7, 9, 11, 15)]),
}
#: The place of what grows in a layer.
GROWING = {"size": 0, "channels": 1, "kernel": 2}

Row = dict[str, object]


def measure(seconds: float) -> list[Row]:
    """Time of each contestant, and memory beyond the output of ours and of the big im2col."""
    rows: list[Row] = []
    for sweep, (_, layers) in SWEEPS.items():
        for layer in layers:
            side, channels, kernel = layer
            case = Case(sweep, sweep, (1, side, side, channels), (kernel, kernel, channels, channels))
            runs, macs = conv_contestants(case)
            best = measuring.interleave(runs, seconds, turns=3)
            for name, time in best.items():
                row: Row = {"sweep": sweep, "at": layer[GROWING[sweep]], "macs": macs, "name": name}
                row |= {"threads": measuring.THREADS, "ms": time * 1e3}
                if name in ("cnnlib", "big im2col"):
                    beyond, output = measuring.peak_beyond_output(runs[name])
                    row |= {"beyond_output_mib": beyond / 2**20, "output_mib": output / 2**20}
                rows.append(row)
    return rows


def draw(rows: list[Row], path: Path) -> None:
    """Two rows of panels: time above, memory beyond the output below; a column for each thing that grows."""
    from cnnlib.plots import style

    looks = {
        "cnnlib": ("o-", "highlight"),
        "Keras layer": ("D-", "output"),
        "TensorFlow op": ("s-", "third"),
        "big im2col": ("^-", "kernel"),
    }

    @style.styled
    def drawn() -> None:
        figure = style.new_figure(height=4.6)
        panels = figure.subplots(2, len(SWEEPS), sharex="col", sharey="row")
        for column, (sweep, (label, layers)) in enumerate(SWEEPS.items()):
            above, below = panels[:, column]
            for name, (look, colour) in looks.items():
                found = [row for row in rows if (row["sweep"], row["name"]) == (sweep, name)]
                at = [row["at"] for row in found]
                options = {"color": style.COLOURS[colour], "markersize": 4}
                above.plot(at, [row["ms"] for row in found], look, label=name, **options)
                if found and "beyond_output_mib" in found[0]:
                    below.plot(at, [row["beyond_output_mib"] for row in found], look, **options)
            ours = [row for row in rows if (row["sweep"], row["name"]) == (sweep, "cnnlib")]
            faint = {"color": style.COLOURS["padding"], "linewidth": 1.2}
            below.plot(
                [r["at"] for r in ours], [r["output_mib"] for r in ours], "--", label="output", **faint
            )
            for axes in (above, below):
                axes.set_xscale("log", base=2)
                axes.set_yscale("log")
                axes.minorticks_off()
            ticks = [layer[GROWING[sweep]] for layer in layers][:: 2 if len(layers) > 4 else 1]
            below.set_xticks(ticks, [str(tick) for tick in ticks])
            below.set_xlabel(label)
        panels[0, 0].set_ylabel("time (ms)")
        panels[1, 0].set_ylabel("beyond the output\n(MiB)")
        named = [
            pair for axes in panels[:, 0] for pair in zip(*axes.get_legend_handles_labels(), strict=True)
        ]
        figure.legend(*zip(*named, strict=True), loc="outside upper center", ncols=3)
        figure.savefig(path)
        figure.savefig(path.with_suffix(".png"), dpi=160)

    drawn()


def main(out: Path = measuring.OUT, seconds: float = 0.4) -> list[str]:
    """Measure and write; return the names of the files."""
    rows = measure(seconds)
    out.mkdir(parents=True, exist_ok=True)
    with (out / "growth.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)
    draw(rows, out / "growth.svg")
    return ["growth.csv", "growth.svg"]


if __name__ == "__main__":
    print(*main())
