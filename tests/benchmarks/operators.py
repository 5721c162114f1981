"""How fast our operators are, forward and backward, and how much memory they take, beside their peers.

All contestants of a case run interleaved in one process, so that whatever else the machine does meets each
of them alike, and only ratios are to be trusted. Each number of threads is a process of its own, because
TensorFlow reads it when it starts. Written to ``build/bench``: ``operators.csv``, ``operators.md``,
``operators.svg``, and ``growth.svg`` with ``growth.csv`` (see growth.py). Limits are reported, kept or not;
the exit code is 0 in both cases.

    python tests/benchmarks/operators.py [--quick] [--cases a,d] [--seconds 2] [--threads 1,2]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import measuring  # noqa: I001 - before NumPy: it sets the number of threads

import argparse
import csv
import dataclasses
import importlib.util
import json
import math
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import cnnlib
from cnnlib import sizes
from cnnlib.algorithms import conv_loops, conv_seven_loops
from cnnlib.convolution import conv_backward
from cnnlib.padding import amounts_for, pad
from cnnlib.pooling import max_pool_backward
from cnnlib.windows import sliding_windows

OUT = measuring.OUT
#: Naive loops run on a corner of the input that takes about this many multiply-adds; the rest is scaled.
LOOP_MACS = 200_000
#: SciPy filters one image by one filter, for all the others; where that takes more, it is left out.
SCIPY_MACS = 50_000_000
#: Backward passes: they are measured against the TensorFlow op, all else against the Keras layer.
BACKWARD = ("conv_backward", "max_pool_backward")

Runs = dict[str, Callable[[], object]]
Row = dict[str, object]


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
    groups: int = 1
    #: The most that our time may be of the rival's, where a limit is set: forward the eager Keras layer,
    #: backward the TensorFlow op.
    limit: float | None = None
    #: The most memory beyond the output that we may take, as a multiple of the output.
    memory_limit: float | None = None
    #: How many times as long the naive loops have to take at least.
    loops_limit: float | None = None

    @property
    def rank(self) -> int:
        return len(self.shape) - 2

    @property
    def rival(self) -> str:
        return "TensorFlow op" if self.operator in BACKWARD else "Keras layer"


FORWARD = (
    Case(
        "a",
        "a full-HD photograph, 5×5 → 16",
        (1, 1080, 1920, 3),
        (5, 5, 3, 16),
        limit=2.0,
        memory_limit=1.25,
        loops_limit=5000,
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
    Case("m", "depthwise, 3×3", (1, 112, 112, 64), (3, 3, 1, 64), padding="same", groups=64),
    Case("p", "max 2×2", (64, 32, 32, 32), (2, 2), 2, operator="max_pool"),
    Case("q", "max 3×3 stride 2, overlapping", (1, 112, 112, 64), (3, 3), 2, "same", operator="max_pool"),
    Case("r", "mean 2×2", (64, 32, 32, 32), (2, 2), 2, operator="average_pool"),
)
#: The backward pass of a case has its letter and a prime.
CASES = FORWARD + tuple(
    dataclasses.replace(
        case,
        name=f"{case.name}'",
        operator=f"{case.operator}_backward",
        limit=2.0 if case.operator == "conv" else 1.0,
        memory_limit=None,
        loops_limit=None,
    )
    for case in FORWARD
    if case.operator in ("conv", "max_pool")
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


def contestants(case: Case) -> tuple[Runs, int]:
    """What to run, by name, and the number of multiply-adds of one run."""
    return {
        "conv": conv_contestants,
        "conv_backward": conv_backward_contestants,
        "max_pool": pool_contestants,
        "average_pool": pool_contestants,
        "max_pool_backward": max_pool_backward_contestants,
    }[case.operator](case)


def arrays(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
    """Inputs, kernel, bias and a gradient of the outputs; and the multiply-adds of the forward pass."""
    random = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return random.normal(size=shape).astype(np.float32)

    size, filters = case.kernel[: case.rank], case.kernel[-1]
    outputs = sizes.output_shape(case.shape, size, filters, case.strides, case.padding)
    macs = sizes.conv_macs(case.shape, size, filters, case.strides, case.padding, groups=case.groups)
    return normal(*case.shape), normal(*case.kernel), normal(filters), normal(*outputs), macs


def conv_contestants(case: Case) -> tuple[Runs, int]:
    import tensorflow as tf

    from cnnlib.keras_bridge import keras

    inputs, kernel, bias, _, macs = arrays(case)
    rank, mode, steps = case.rank, case.padding.upper(), [case.strides] * case.rank
    tensor, weights, shift = tf.constant(inputs), tf.constant(kernel), tf.constant(bias)
    options = {"strides": case.strides, "padding": case.padding}
    depthwise = case.groups == case.shape[-1] > 1
    if depthwise:
        layer = getattr(keras().layers, f"DepthwiseConv{rank}D")(case.kernel[:rank], **options)
        weights = tf.constant(np.swapaxes(kernel, -1, -2))
        strides = [1, case.strides, case.strides, 1]
        op = lambda: tf.nn.bias_add(tf.nn.depthwise_conv2d(tensor, weights, strides, mode), shift)  # noqa: E731
    else:
        layer = getattr(keras().layers, f"Conv{rank}D")(case.kernel[-1], case.kernel[:rank], **options)
        op = lambda: tf.nn.bias_add(tf.nn.convolution(tensor, weights, steps, mode), shift)  # noqa: E731
    layer.build(case.shape)
    layer.set_weights([weights.numpy(), bias])
    runs: Runs = {
        "cnnlib": lambda: cnnlib.conv(
            inputs, kernel, case.strides, case.padding, groups=case.groups, bias=bias
        ),
        "TensorFlow op": op,
        "Keras layer": lambda: layer(tensor),
    }
    if importlib.util.find_spec("torch"):
        runs["PyTorch"] = torch_conv(case, inputs, kernel, bias)
    if not depthwise and measuring.THREADS == 1:  # BLAS has one thread, because ours are above it
        runs["big im2col"] = lambda: im2col(inputs, kernel, bias, case.strides, case.padding)
    return runs, macs


def torch_conv(case: Case, inputs: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> Callable[[], object]:
    """PyTorch's operator on the same numbers, kept channels last in memory, padded as Keras pads."""
    import torch

    torch.set_num_threads(measuring.THREADS)
    amounts = amounts_for(case.shape[1:-1], case.kernel[: case.rank], case.strides, case.padding)
    images, weights, shift = (
        torch.from_numpy(np.ascontiguousarray(a))
        for a in (np.moveaxis(pad(inputs, amounts), -1, 1), np.moveaxis(kernel, (-1, -2), (0, 1)), bias)
    )
    convolve = getattr(torch.nn.functional, f"conv{case.rank}d")
    options = {"stride": case.strides, "groups": case.groups}
    if case.rank == 2:
        images, weights = (t.to(memory_format=torch.channels_last) for t in (images, weights))

    def run() -> object:
        with torch.no_grad():
            return convolve(images, weights, shift, **options).movedim(1, -1)

    return run


def conv_backward_contestants(case: Case) -> tuple[Runs, int]:
    """The gradients of inputs, kernel and bias, all three."""
    import tensorflow as tf

    inputs, kernel, bias, slopes, macs = arrays(case)
    tensor, weights, shift, above = map(tf.constant, (inputs, kernel, bias, slopes))
    mode, strides = case.padding.upper(), [1, *[case.strides] * case.rank, 1]
    if case.rank == 2 and case.groups == 1:
        ops = tf.raw_ops
        options = {"out_backprop": above, "strides": strides, "padding": mode}

        def theirs() -> object:
            return (
                ops.Conv2DBackpropInput(input_sizes=case.shape, filter=weights, **options),
                ops.Conv2DBackpropFilter(input=tensor, filter_sizes=case.kernel, **options),
                ops.BiasAddGrad(out_backprop=above),
            )
    else:
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([tensor, weights, shift])
            if case.groups > 1:
                made = tf.nn.depthwise_conv2d(tensor, tf.transpose(weights, (0, 1, 3, 2)), strides, mode)
            else:
                operator = getattr(tf.nn, f"conv{case.rank}d")  # tf.nn.convolution has no gradient in 3-D
                made = operator(tensor, weights, case.strides if case.rank == 1 else strides, mode)
            made = tf.nn.bias_add(made, shift)

        def theirs() -> object:
            return tuple(tape.gradient(made, [tensor, weights, shift], above))

    def ours() -> object:
        return conv_backward(slopes, inputs, kernel, case.strides, case.padding, groups=case.groups)

    return {"cnnlib": ours, "TensorFlow op": theirs}, 2 * macs


def pool_contestants(case: Case) -> tuple[Runs, int]:
    import tensorflow as tf

    from cnnlib.keras_bridge import keras

    inputs = np.random.default_rng(0).normal(size=case.shape).astype(np.float32)
    tensor, steps = tf.constant(inputs), [case.strides] * case.rank
    operator = getattr(cnnlib, case.operator)
    kind, name = ("MAX", "MaxPooling") if case.operator == "max_pool" else ("AVG", "AveragePooling")
    layer = getattr(keras().layers, f"{name}{case.rank}D")(case.kernel, case.strides, case.padding)
    outputs = sizes.output_shape(case.shape, case.kernel, None, case.strides, case.padding)
    return {
        "cnnlib": lambda: operator(inputs, case.kernel, case.strides, case.padding),
        "TensorFlow op": lambda: tf.nn.pool(tensor, case.kernel, kind, steps, case.padding.upper()),
        "Keras layer": lambda: layer(tensor),
    }, math.prod(case.kernel) * math.prod(outputs)


def max_pool_backward_contestants(case: Case) -> tuple[Runs, int]:
    """Both are given what the forward pass made."""
    import tensorflow as tf

    random = np.random.default_rng(0)
    inputs = random.normal(size=case.shape).astype(np.float32)
    outputs = cnnlib.max_pool(inputs, case.kernel, case.strides, case.padding)
    slopes = random.normal(size=outputs.shape).astype(np.float32)
    tensor, made, above = map(tf.constant, (inputs, outputs, slopes))
    size, steps = [1, *case.kernel, 1], [1, *[case.strides] * case.rank, 1]
    return {
        "cnnlib": lambda: max_pool_backward(
            slopes, inputs, case.kernel, case.strides, case.padding, outputs=outputs
        ),
        "TensorFlow op": lambda: tf.raw_ops.MaxPoolGrad(
            orig_input=tensor,
            orig_output=made,
            grad=above,
            ksize=size,
            strides=steps,
            padding=case.padding.upper(),
        ),
    }, math.prod(case.kernel) * math.prod(outputs.shape)


def loops_seconds(case: Case) -> float:
    """What the naive loops would take: measured on a corner of the outputs, scaled to all of them."""
    size, filters = case.kernel[: case.rank], case.kernel[-1]
    places = max(LOOP_MACS // math.prod(case.kernel), 1)
    side = math.ceil(places ** (1 / case.rank))
    corner = [min(n, (side - 1) * case.strides + k) for n, k in zip(case.shape[1:-1], size, strict=True)]
    random = np.random.default_rng(0)
    inputs, kernel = random.normal(size=(1, *corner, case.shape[-1])), random.normal(size=case.kernel)
    loops = conv_seven_loops if case.rank == 2 else conv_loops
    started = time.process_time()
    outputs = loops(inputs.astype(np.float32), kernel.astype(np.float32), case.strides)
    spent = time.process_time() - started
    whole = sizes.output_shape(case.shape, size, filters, case.strides, case.padding)
    return spent * math.prod(whole) / outputs.size


def scipy_seconds(case: Case) -> float | None:
    """What SciPy would take: one image and one filter, measured, times the number of both.

    SciPy knows no strides, so that it computes every place and drops most of them.
    """
    import scipy.signal

    inputs, kernel, *_, macs = arrays(case)
    one = macs / case.shape[0] / case.kernel[-1] * case.strides**case.rank
    if one > SCIPY_MACS or case.groups > 1:
        return None
    image, filter_ = (
        pad(inputs[:1], amounts_for(case.shape[1:-1], case.kernel[: case.rank], case.strides, case.padding))[
            0
        ],
        kernel[..., 0],
    )
    best = math.inf
    for _ in range(2):
        started = time.process_time()
        scipy.signal.correlate(image, filter_, "valid", "direct")
        best = min(best, time.process_time() - started)
    return best * case.shape[0] * case.kernel[-1]


def compare(case: Case, runs: Runs) -> None:
    """Stop where one contestant computes something else: the race would not be fair."""

    def values(run: Callable[[], object]) -> list[np.ndarray]:
        result = run()
        return [np.asarray(part) for part in (result if isinstance(result, tuple) else (result,))]

    expected = values(runs[case.rival])
    for name, run in runs.items():
        for part, other in zip(values(run), expected, strict=True):
            error = np.abs(part - other).max() / np.abs(other).max()
            if not error < 1e-4:
                raise SystemExit(f"case {case.name}: {name} and the {case.rival} differ by {error:.1e}")


def measure(case: Case, seconds: float, ceiling: float) -> Row:
    """One row of the table."""
    runs, macs = contestants(case)
    compare(case, runs)
    best = measuring.interleave(runs, seconds)
    beyond, output = measuring.peak_beyond_output(runs["cnnlib"])
    row: Row = {
        "threads": measuring.THREADS,
        "case": case.name,
        "operator": case.operator,
        "what": case.what,
        "rival": case.rival,
        "cnnlib_ms": best["cnnlib"] * 1e3,
        "to_tensorflow": best["cnnlib"] / best["TensorFlow op"],
        "to_rival": best["cnnlib"] / best[case.rival],
        "limit_to_rival": case.limit,
        "output_mib": output / 2**20,
        "beyond_output_mib": beyond / 2**20,
        "beyond_over_output": beyond / output,
        "limit_beyond_output": case.memory_limit,
    }
    keys = {
        "TensorFlow op": "tensorflow",
        "Keras layer": "keras",
        "PyTorch": "pytorch",
        "big im2col": "im2col",
    }
    row |= {f"{keys[name]}_ms": time * 1e3 for name, time in best.items() if name in keys}
    if "conv" in case.operator:
        row["share_of_sgemm"] = macs / best["cnnlib"] / ceiling / measuring.THREADS
    if "big im2col" in runs:
        row["im2col_beyond_mib"] = measuring.peak_beyond_output(runs["big im2col"])[0] / 2**20
    if case.operator == "conv" and case.groups == 1 and measuring.THREADS == 1:
        row["loops_over_cnnlib"] = loops_seconds(case) / best["cnnlib"]
        row["limit_loops"] = case.loops_limit
        spent = scipy_seconds(case)
        row["scipy_ms"] = None if spent is None else spent * 1e3
    return row


def as_markdown(rows: list[Row], where: str) -> str:
    """The table for people, one for each number of threads: times in ms, ratios, memory."""

    def cell(row: Row, key: str, form: str) -> str:
        value = row.get(key)
        return "–" if value is None else form.format(value)

    columns = (
        ("case", "case", "{}"),
        ("", "what", "{}"),
        ("cnnlib (ms)", "cnnlib_ms", "{:.2f}"),
        ("TensorFlow op (ms)", "tensorflow_ms", "{:.2f}"),
        ("Keras layer (ms)", "keras_ms", "{:.2f}"),
        ("PyTorch (ms)", "pytorch_ms", "{:.2f}"),
        ("SciPy (ms)", "scipy_ms", "{:.0f}"),
        ("big im2col (ms)", "im2col_ms", "{:.2f}"),
        ("to TensorFlow", "to_tensorflow", "{:.2f}"),
        ("to its rival", "to_rival", "{:.2f}"),
        ("allowed", "limit_to_rival", "{:.1f}"),
        ("share of sgemm", "share_of_sgemm", "{:.0%}"),
        ("loops take", "loops_over_cnnlib", "{:,.0f}×"),
        ("output (MiB)", "output_mib", "{:.1f}"),
        ("beyond it (MiB)", "beyond_output_mib", "{:.1f}"),
        ("im2col beyond (MiB)", "im2col_beyond_mib", "{:.1f}"),
    )
    lines = [
        "# Operators beside their peers",
        "",
        f"Measured on {where}. The least of several interleaved runs each: processor time with one",
        "thread, time by the clock with more; trust ratios, not times. The rival is the eager Keras layer,",
        "and for the backward pass (a prime at the letter; inputs, kernel, bias together) the TensorFlow op.",
        "Naive loops are measured on a corner and scaled, SciPy with one image and one filter; these and the",
        "big im2col have one thread.",
    ]
    for threads in dict.fromkeys(row["threads"] for row in rows):
        some = [row for row in rows if row["threads"] == threads]
        shown = [column for column in columns if any(row.get(column[1]) is not None for row in some)]
        lines += ["", f"## {threads} thread{'s' if threads != 1 else ''}", ""]
        lines += ["| " + " | ".join(title for title, *_ in shown) + " |", "|" + "---|" * len(shown)]
        lines += ["| " + " | ".join(cell(row, key, form) for _, key, form in shown) + " |" for row in some]
    return "\n".join(lines) + "\n"


def draw(rows: list[Row], path: Path) -> None:
    """Time over the rival's, a panel for each number of threads, and memory beyond the output over it."""
    from cnnlib.plots import style

    marks = {
        "cnnlib": ("o", "highlight"),
        "TensorFlow op": ("s", "third"),
        "big im2col": ("^", "kernel"),
    }
    counts = list(dict.fromkeys(row["threads"] for row in rows))
    names = list(dict.fromkeys(row["case"] for row in rows))
    labels = {
        row["case"]: f"{row['case']}  "
        + ("backward" if row["operator"] in BACKWARD else str(row["what"]).split(",")[0])
        for row in rows
    }

    def points(axes, threads, value, name, **options):
        found = [(value(row), names.index(row["case"])) for row in rows if row["threads"] == threads]
        found = [(x, y) for x, y in found if x is not None]
        marker, colour = marks[name]
        if found:
            axes.plot(*zip(*found, strict=True), marker, color=style.COLOURS[colour], markersize=5, **options)

    @style.styled
    def drawn() -> None:
        figure = style.new_figure(height=0.27 * len(names) + 1.9)
        *times, memory = figure.subplots(
            1, len(counts) + 1, sharey=True, width_ratios=[3] * len(counts) + [2.6], squeeze=False
        )[0]
        for axes, threads in zip(times, counts, strict=True):
            for name, key in (
                ("big im2col", "im2col_ms"),
                ("TensorFlow op", "tensorflow_ms"),
                ("cnnlib", "cnnlib_ms"),
            ):

                def ratio(row: Row, key: str = key) -> float | None:
                    rival = row["keras_ms" if row["rival"] == "Keras layer" else "tensorflow_ms"]
                    return row[key] / rival if row.get(key) is not None else None  # type: ignore[operator]

                points(axes, threads, ratio, name, label=name)
            axes.set_xscale("log", base=2)
            axes.set_xlim(0.125, 8)
            axes.set_xticks(ticks := [0.25, 1, 4], [f"{tick:g}×" for tick in ticks])
            axes.set_xlabel(f"time, {threads} thread{'s' if threads != 1 else ''}\n(rival: 1)")
        points(memory, counts[0], lambda row: row["beyond_over_output"], "cnnlib")
        points(
            memory,
            counts[0],
            lambda row: (
                row["im2col_beyond_mib"] / row["output_mib"] if row.get("im2col_beyond_mib") else None
            ),
            "big im2col",
        )
        memory.set_xscale("log")
        memory.set_xlim(0.005, 50)
        memory.set_xticks(ticks := [0.01, 1], [f"{tick:g}×" for tick in ticks])
        memory.set_xlabel("extra memory\n(output: 1)")
        for axes, key in [*((a, "limit_to_rival") for a in times), (memory, "limit_beyond_output")]:
            for row in rows:
                if row["threads"] == counts[0] and row[key]:
                    y = names.index(row["case"])
                    axes.plot([row[key]] * 2, [y - 0.4, y + 0.4], color=style.COLOURS["ink"], linewidth=1)
            axes.axvline(1, color=style.COLOURS["padding"], linewidth=1, zorder=0)
            axes.minorticks_off()
            axes.set_ylim(len(names) - 0.4, -0.6)
        times[0].set_yticks(range(len(names)), [labels[name] for name in names])
        times[0].plot([], [], "|", color=style.COLOURS["ink"], markersize=12, label="allowed")
        figure.legend(*times[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
        figure.savefig(path)
        figure.savefig(path.with_suffix(".png"), dpi=160)

    drawn()


def verdicts(rows: list[Row]) -> list[tuple[bool, str]]:
    """Whether each limit is kept, and in words. They are for one thread."""
    found = []
    for row in rows:
        if row["threads"] != 1:
            continue
        case = f"{row['case']} ({row['what']})"
        if (most := row["limit_to_rival"]) is not None:
            ratio = row["to_rival"]
            found.append(
                (ratio <= most, f"{case}: {ratio:.2f} of the {row['rival']}'s time; allowed {most:g}")
            )
        if (most := row["limit_beyond_output"]) is not None:
            ratio = row["beyond_over_output"]
            found.append(
                (ratio <= most, f"{case}: {ratio:.2f} of the output beyond the output; allowed {most:g}")
            )
        if (least := row.get("limit_loops")) is not None:
            ratio = row["loops_over_cnnlib"]
            found.append(
                (ratio >= least, f"{case}: naive loops take {ratio:,.0f}×; at least {least:,} wanted")
            )
    return found  # type: ignore[return-value]


def work(chosen: list[Case], seconds: float, path: Path) -> None:
    """Measure with this process's number of threads, and leave rows for the process that asked."""
    ceiling = measuring.sgemm_rate()
    print(f"{measuring.THREADS} thread(s); sgemm: {2e-9 * ceiling:.0f} GFLOP/s a core", flush=True)
    rows = []
    for case in chosen:
        rows.append(row := measure(case, seconds, ceiling))
        print(
            f"{case.name:2}  {case.what:40} {row['cnnlib_ms']:9.2f} ms"
            f"   × TensorFlow {row['to_tensorflow']:5.2f}   × {case.rival} {row['to_rival']:5.2f}"
            f"   beyond the output {row['beyond_output_mib']:6.1f} MiB",
            flush=True,
        )
    path.write_text(json.dumps({"where": measuring.machine(), "rows": rows}))


def gather(chosen: list[Case], seconds: float, counts: list[int]) -> tuple[list[Row], str]:
    """The rows of a process for each number of threads, and the machine that they belong to."""
    rows: list[Row] = []
    for threads in counts:
        variables = {
            k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS") and "OP_THREADS" not in k
        }
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.json"
            command = [sys.executable, __file__, "--cases", ",".join(c.name for c in chosen)]
            command += ["--seconds", str(seconds), "--rows", str(path)]
            subprocess.run(command, check=True, env={**variables, "CNNLIB_THREADS": str(threads)})
            report = json.loads(path.read_text())
        rows, where = rows + report["rows"], report["where"]
    return rows, where


def main(arguments: list[str] | None = None) -> int:
    """Measure, write, and say which limits are kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", help="letters of the cases to run, such as a,d,d' (all unless told)")
    parser.add_argument("--seconds", type=float, default=1.2, help="for each case")
    parser.add_argument("--quick", action="store_true", help="0.2 seconds for each case, no growth")
    parser.add_argument("--threads", default="1,2", help="how many, a process for each (1,2 unless told)")
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    chosen = [c for c in CASES if not options.cases or c.name in options.cases.split(",")]
    if not chosen:
        parser.error(f"no such cases {options.cases!r}; there are {', '.join(c.name for c in CASES)}")
    seconds = 0.2 if options.quick else options.seconds
    if options.rows:
        work(chosen, seconds, options.rows)
        return 0
    rows, where = gather(chosen, seconds, [int(count) for count in options.threads.split(",")])
    name = "operators-partial" if options.cases else "operators"  # a part must not take the whole's place
    OUT.mkdir(parents=True, exist_ok=True)
    keys = list(dict.fromkeys(key for row in rows for key in row))
    with (OUT / f"{name}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, keys)
        writer.writeheader()
        writer.writerows(rows)
    (OUT / f"{name}.md").write_text(as_markdown(rows, where))
    draw(rows, OUT / f"{name}.svg")
    written = [f"{name}.{kind}" for kind in ("md", "csv", "svg")]
    if not (options.quick or options.cases):
        import growth

        written += growth.main(OUT)
    print(f"\n{where}\n")
    for kept, words in sorted(verdicts(rows), key=lambda verdict: not verdict[0]):
        print(f"{'kept    ' if kept else 'NOT KEPT'}  {words}")
    print(f"\nWritten to {OUT}: {', '.join(written)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
