"""How fast our operators are, and how much memory they take, beside their peers.

All contestants of a case run interleaved in one process, so that whatever else the machine does meets each
of them alike, and only ratios are to be trusted. Written to ``build/bench``: ``operators.csv``,
``operators.md`` and ``operators.svg``.

    python tests/benchmarks/operators.py [--quick] [--cases a,d] [--seconds 2]
"""

from __future__ import annotations

import os

for name, value in {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "KERAS_BACKEND": "tensorflow",
    "MPLBACKEND": "agg",
}.items():
    os.environ.setdefault(name, value)

import argparse  # noqa: E402
import csv  # noqa: E402
import math  # noqa: E402
import platform  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import tracemalloc  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

import cnnlib  # noqa: E402
from cnnlib import sizes  # noqa: E402
from cnnlib.algorithms import conv_loops  # noqa: E402
from cnnlib.padding import amounts_for, pad  # noqa: E402
from cnnlib.windows import sliding_windows  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "bench"
#: Naive loops run on a corner of the input that takes about this many multiplications; the rest is scaled.
LOOP_PLACES = 400


@dataclass(frozen=True)
class Case:
    """One operator on one input, by the name that it has in the table."""

    name: str
    what: str
    shape: tuple[int, ...]
    kernel: tuple[int, ...]  # of a convolution: (*size, channels, filters); of a pooling: the window
    strides: int = 1
    padding: str = "valid"
    operator: str = "conv"
    #: The most that our time may be of the eager Keras layer's, where a limit is set.
    limit: float | None = None
    #: The most memory beyond the output that we may take, as a multiple of the output.
    memory_limit: float | None = None


CASES = (
    Case(
        "a", "a full-HD photograph, 5×5 → 16", (1, 1080, 1920, 3), (5, 5, 3, 16), limit=2.0, memory_limit=1.25
    ),
    Case("b", "32 digits, 3×3 → 8", (32, 28, 28, 1), (3, 3, 1, 8), limit=1.0),
    Case("c", "64 small images, 3×3 → 64", (64, 32, 32, 32), (3, 3, 32, 64), limit=1.5, memory_limit=1.25),
    Case(
        "d",
        "VGG block 1, 3×3 → 64",
        (1, 224, 224, 64),
        (3, 3, 64, 64),
        padding="same",
        limit=1.5,
        memory_limit=1.25,
    ),
    Case("e", "AlexNet's first, 11×11 stride 4 → 96", (1, 227, 227, 3), (11, 11, 3, 96), 4, limit=1.0),
    Case("f", "pointwise, 1×1 → 128", (1, 112, 112, 64), (1, 1, 64, 128)),
    Case("g", "one dimension, 9 → 32", (8, 16_000, 1), (9, 1, 32)),
    Case("h", "VGG block 5, 3×3 → 512", (1, 14, 14, 512), (3, 3, 512, 512), padding="same", limit=1.0),
    Case("i", "a volume, 3×3×3 → 16", (1, 32, 64, 64, 4), (3, 3, 3, 4, 16)),
    Case("k", "LeNet's first, batch 64, 5×5 → 6", (64, 28, 28, 1), (5, 5, 1, 6), padding="same", limit=1.0),
    Case("l", "LeNet's second, batch 64, 5×5 → 16", (64, 14, 14, 6), (5, 5, 6, 16), limit=1.0),
    Case("n", "ResNet's first, 7×7 stride 2 → 64", (1, 230, 230, 3), (7, 7, 3, 64), 2, limit=1.0),
    Case("p", "max 2×2", (64, 32, 32, 32), (2, 2), 2, operator="max_pool"),
    Case("q", "max 3×3 stride 2, overlapping", (1, 112, 112, 64), (3, 3), 2, "same", operator="max_pool"),
    Case("r", "mean 2×2", (64, 32, 32, 32), (2, 2), 2, operator="average_pool"),
)


def im2col(inputs, kernel, bias, strides: int, padding: str):
    """All windows laid out at once and multiplied in one product: fast to write, hungry for memory."""
    rank = kernel.ndim - 2
    windows = sliding_windows(
        pad(inputs, amounts_for(inputs.shape[1:-1], kernel.shape[:rank], strides, padding)),
        kernel.shape[:rank],
        strides,
    )
    places = windows.shape[: rank + 1]
    matrix = windows.reshape(math.prod(places), -1)
    return (matrix @ kernel.reshape(-1, kernel.shape[-1]) + bias).reshape(*places, -1)


def contestants(case: Case) -> tuple[dict[str, Callable[[], object]], int]:
    """What to run, by name, and the number of multiply-adds of one run."""
    import tensorflow as tf

    from cnnlib.keras_bridge import keras

    random = np.random.default_rng(0)
    inputs = random.normal(size=case.shape).astype(np.float32)
    rank, tensor = len(case.shape) - 2, tf.constant(inputs)
    mode, steps = case.padding.upper(), [case.strides] * rank
    if case.operator == "conv":
        kernel = random.normal(size=case.kernel).astype(np.float32)
        bias = random.normal(size=case.kernel[-1]).astype(np.float32)
        weights, shift = tf.constant(kernel), tf.constant(bias)
        layer = getattr(keras().layers, f"Conv{rank}D")(
            case.kernel[-1], case.kernel[:rank], strides=case.strides, padding=case.padding
        )
        layer.build(case.shape)
        layer.set_weights([kernel, bias])
        runs = {
            "cnnlib": lambda: cnnlib.conv(inputs, kernel, case.strides, case.padding, bias=bias),
            "TensorFlow op": lambda: tf.nn.bias_add(tf.nn.convolution(tensor, weights, steps, mode), shift),
            "Keras layer": lambda: layer(tensor),
            "big im2col": lambda: im2col(inputs, kernel, bias, case.strides, case.padding),
        }
        macs = sizes.conv_macs(case.shape, case.kernel[:rank], case.kernel[-1], case.strides, case.padding)
        return runs, macs
    operator = getattr(cnnlib, case.operator)
    kind, name = ("MAX", "MaxPooling") if case.operator == "max_pool" else ("AVG", "AveragePooling")
    layer = getattr(keras().layers, f"{name}{rank}D")(case.kernel, case.strides, case.padding)
    runs = {
        "cnnlib": lambda: operator(inputs, case.kernel, case.strides, case.padding),
        "TensorFlow op": lambda: tf.nn.pool(tensor, case.kernel, kind, steps, mode),
        "Keras layer": lambda: layer(tensor),
    }
    outputs = sizes.output_shape(case.shape, case.kernel, None, case.strides, case.padding)
    return runs, math.prod(case.kernel) * math.prod(outputs)


def interleave(runs: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """The least processor time of each contestant, in seconds, taking turns until time is up."""
    best = dict.fromkeys(runs, math.inf)
    for run in runs.values():
        run()  # caches, lazy set-up
    until, turns = time.perf_counter() + seconds, 0
    while turns < 5 or time.perf_counter() < until:
        for name, run in runs.items():
            started = time.process_time()  # of this process, so that a busy machine distorts it less
            run()
            best[name] = min(best[name], time.process_time() - started)
        turns += 1
    return best


def peak_beyond_output(run: Callable[[], object]) -> tuple[int, int]:
    """The bytes that NumPy holds at most while ``run`` works, less its output's, and those of the output."""
    tracemalloc.start()
    try:
        outputs = run()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    size = outputs.nbytes  # type: ignore[attr-defined]
    return max(peak - size, 0), size


def loops_seconds(case: Case) -> float:
    """What the naive loops would take: measured on a few rows of outputs, scaled to all of them."""
    rank = len(case.kernel) - 2
    side = math.ceil(LOOP_PLACES ** (1 / rank) / max(case.kernel[-1] ** (1 / rank), 1))
    corner = [
        min(n, (side - 1) * case.strides + k) for n, k in zip(case.shape[1:-1], case.kernel, strict=False)
    ]
    random = np.random.default_rng(0)
    inputs, kernel = random.normal(size=(1, *corner, case.shape[-1])), random.normal(size=case.kernel)
    started = time.perf_counter()
    outputs = conv_loops(inputs.astype(np.float32), kernel.astype(np.float32), case.strides)
    spent = time.perf_counter() - started
    whole = sizes.output_shape(case.shape, case.kernel[:rank], case.kernel[-1], case.strides, case.padding)
    return spent * math.prod(whole) / outputs.size


def sgemm_rate() -> float:
    """Multiply-adds a second of the machine's own matrix product on one core: the ceiling."""
    a, b = np.ones((1024, 1024), np.float32), np.ones((1024, 1024), np.float32)
    out = np.empty_like(a)
    best = interleave({"sgemm": lambda: np.matmul(a, b, out=out)}, 0.5)["sgemm"]
    return 1024**3 / best


def machine() -> str:
    """Which processor and which versions the numbers belong to."""
    import tensorflow as tf

    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    threads = os.environ["OPENBLAS_NUM_THREADS"]
    return (
        f"{model}, {os.cpu_count()} cores, {threads} thread(s); Python {platform.python_version()}, "
        f"NumPy {np.__version__}, TensorFlow {tf.__version__}"
    )


def measure(case: Case, seconds: float, ceiling: float) -> dict[str, object]:
    """One row of the table."""
    runs, macs = contestants(case)
    expected = np.asarray(runs["Keras layer"]())
    for name, run in runs.items():  # the race is only fair where all do the same
        error = np.abs(np.asarray(run()) - expected).max() / np.abs(expected).max()
        if not error < 1e-4:
            raise SystemExit(f"case {case.name}: {name} and the Keras layer differ by {error:.1e}")
    best = interleave(runs, seconds)
    beyond, output = peak_beyond_output(runs["cnnlib"])
    row: dict[str, object] = {
        "case": case.name,
        "operator": case.operator,
        "what": case.what,
        "cnnlib_ms": best["cnnlib"] * 1e3,
        "tensorflow_ms": best["TensorFlow op"] * 1e3,
        "keras_ms": best["Keras layer"] * 1e3,
        "to_tensorflow": best["cnnlib"] / best["TensorFlow op"],
        "to_keras": best["cnnlib"] / best["Keras layer"],
        "limit_to_keras": case.limit,
        "limit_beyond_output": case.memory_limit,
        "output_mib": output / 2**20,
        "beyond_output_mib": beyond / 2**20,
        "beyond_over_output": beyond / output,
    }
    if case.operator == "conv":
        wanted, _ = peak_beyond_output(runs["big im2col"])
        row |= {
            "im2col_ms": best["big im2col"] * 1e3,
            "im2col_beyond_mib": wanted / 2**20,
            "share_of_sgemm": macs / best["cnnlib"] / ceiling,
            "loops_over_cnnlib": loops_seconds(case) / best["cnnlib"],
        }
    return row


def as_markdown(rows: list[dict[str, object]], where: str) -> str:
    """The table for people: times in ms, ratios, memory."""

    def cell(row: dict[str, object], key: str, form: str) -> str:
        value = row.get(key)
        return "–" if value is None else form.format(value)

    columns = (
        ("case", "case", "{}"),
        ("", "what", "{}"),
        ("cnnlib (ms)", "cnnlib_ms", "{:.2f}"),
        ("TensorFlow op (ms)", "tensorflow_ms", "{:.2f}"),
        ("Keras layer (ms)", "keras_ms", "{:.2f}"),
        ("big im2col (ms)", "im2col_ms", "{:.2f}"),
        ("to TensorFlow", "to_tensorflow", "{:.2f}"),
        ("to Keras", "to_keras", "{:.2f}"),
        ("allowed", "limit_to_keras", "{:.1f}"),
        ("share of sgemm", "share_of_sgemm", "{:.0%}"),
        ("loops take", "loops_over_cnnlib", "{:,.0f}×"),
        ("output (MiB)", "output_mib", "{:.1f}"),
        ("beyond it (MiB)", "beyond_output_mib", "{:.1f}"),
        ("im2col beyond (MiB)", "im2col_beyond_mib", "{:.1f}"),
    )
    lines = [
        "# Operators beside their peers",
        "",
        f"Measured on {where}. The least of several interleaved runs each; trust ratios, not times. "
        "Loops are measured on a corner and scaled.",
        "",
        "| " + " | ".join(title for title, *_ in columns) + " |",
        "|" + "---|" * len(columns),
    ]
    lines += ["| " + " | ".join(cell(row, key, form) for _, key, form in columns) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def draw(rows: list[dict[str, object]], where: str, path: Path) -> None:
    """Two panels: time over the Keras layer's, and memory beyond the output over the output's."""
    from cnnlib.plots import style

    @style.styled
    def drawn() -> None:
        figure = style.new_figure(height=0.34 * len(rows) + 1.7)
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        labels = [f"{row['case']}  {str(row['what']).split(',')[0]}" for row in rows]
        times = {"cnnlib": "cnnlib_ms", "TensorFlow op": "tensorflow_ms", "big im2col": "im2col_ms"}
        marks = {"cnnlib": ("o", "highlight"), "TensorFlow op": ("s", "third"), "big im2col": ("^", "kernel")}
        for name, key in times.items():
            points = [(row[key] / row["keras_ms"], y) for y, row in enumerate(rows) if key in row]  # type: ignore[operator]
            marker, colour = marks[name]
            left.plot(
                *zip(*points, strict=True), marker, color=style.COLOURS[colour], label=name, markersize=6
            )
        for y, row in enumerate(rows):
            for axes, limit in ((left, row["limit_to_keras"]), (right, row["limit_beyond_output"])):
                if limit:
                    axes.plot([limit] * 2, [y - 0.4, y + 0.4], color=style.COLOURS["ink"], linewidth=1)
        left.axvline(1, color=style.COLOURS["padding"], linewidth=1, zorder=0)
        left.plot([], [], "|", color=style.COLOURS["ink"], markersize=12, label="allowed")
        left.set_xscale("log", base=2)
        left.set_xticks(ticks := [0.25, 0.5, 1, 2, 4], [f"{tick:g}×" for tick in ticks])
        left.set_xlabel("time\n(Keras layer: 1)")
        left.set_yticks(range(len(rows)), labels)
        for key, name in (("beyond_output_mib", "cnnlib"), ("im2col_beyond_mib", "big im2col")):
            points = [(row[key] / row["output_mib"], y) for y, row in enumerate(rows) if key in row]  # type: ignore[operator]
            marker, colour = marks[name]
            right.plot(*zip(*points, strict=True), marker, color=style.COLOURS[colour], markersize=6)
        right.axvline(1, color=style.COLOURS["padding"], linewidth=1, zorder=0)
        right.set_xscale("log")
        right.set_xticks(ticks := [0.01, 0.1, 1, 10], [f"{tick:g}×" for tick in ticks])
        right.set_xlabel("extra memory\n(output: 1)")
        for axes in (left, right):
            axes.minorticks_off()
            axes.set_ylim(len(rows) - 0.4, -0.6)
        figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=2)
        figure.savefig(path)
        figure.savefig(path.with_suffix(".png"), dpi=160)

    drawn()


def main(arguments: list[str] | None = None) -> int:
    """Measure, write, and say where a limit is not kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", help="letters of the cases to run, such as a,d (all unless told)")
    parser.add_argument("--seconds", type=float, default=3, help="for each case")
    parser.add_argument("--quick", action="store_true", help="0.2 seconds for each case")
    options = parser.parse_args(arguments)
    chosen = [c for c in CASES if not options.cases or c.name in options.cases.split(",")]
    if not chosen:
        parser.error(f"no such cases {options.cases!r}; there are {', '.join(c.name for c in CASES)}")
    where, ceiling = machine(), sgemm_rate()
    print(f"{where}\nsgemm: {2e-9 * ceiling:.0f} GFLOP/s a core\n")
    rows = []
    for case in chosen:
        rows.append(row := measure(case, 0.2 if options.quick else options.seconds, ceiling))
        print(
            f"{case.name}  {case.what:40} {row['cnnlib_ms']:9.2f} ms"
            f"   × TensorFlow {row['to_tensorflow']:5.2f}   × Keras {row['to_keras']:5.2f}"
            f"   beyond the output {row['beyond_output_mib']:6.1f} MiB",
            flush=True,
        )
    OUT.mkdir(parents=True, exist_ok=True)
    keys = list(dict.fromkeys(key for row in rows for key in row))
    with (OUT / "operators.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, keys)
        writer.writeheader()
        writer.writerows(rows)
    (OUT / "operators.md").write_text(as_markdown(rows, where))
    draw(rows, where, OUT / "operators.svg")
    for row in rows:
        if row["limit_beyond_output"] and row["beyond_over_output"] > row["limit_beyond_output"]:  # type: ignore[operator]
            print(
                f"{row['case']}: {row['beyond_over_output']:.2f} of the output beyond the output, "
                f"where at most {row['limit_beyond_output']} is wanted"
            )
    slow = [r for r in rows if r["limit_to_keras"] and r["to_keras"] > r["limit_to_keras"]]  # type: ignore[operator]
    for row in slow:
        print(
            f"{row['case']}: {row['to_keras']:.2f} of the Keras layer's time, "
            f"where at most {row['limit_to_keras']} is wanted"
        )
    print(f"\nWritten to {OUT}: operators.md, operators.csv, operators.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
