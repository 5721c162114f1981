"""What every benchmark shares: one thread or so many, turns taken, memory counted, the machine named.

Import it before NumPy: the number of threads is read from the environment when NumPy and TensorFlow start.
``CNNLIB_THREADS`` says how many each contestant may use; BLAS keeps to one, because ours are above it.
"""

from __future__ import annotations

import os

THREADS = int(os.environ.setdefault("CNNLIB_THREADS", "1"))
for name, value in {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": str(THREADS),
    "TF_NUM_INTRAOP_THREADS": str(THREADS),
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "KERAS_BACKEND": "tensorflow",
    "MPLBACKEND": "agg",
}.items():
    os.environ.setdefault(name, value)

import math  # noqa: E402
import platform  # noqa: E402
import time  # noqa: E402
import tracemalloc  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "bench"
#: Idle threads of one contestant turn on the spot for a while; the next one waits for that long.
PAUSE = 0.002


def interleave(runs: dict[str, Callable[[], object]], seconds: float, turns: int = 5) -> dict[str, float]:
    """The least time of each contestant, in seconds: they take turns, and at least so many, until time is up.

    With one thread it is processor time, which a busy machine distorts less; with more, time by the clock.
    """
    best = dict.fromkeys(runs, math.inf)
    clock = time.process_time if THREADS == 1 else time.perf_counter
    for run in runs.values():
        run()  # caches, lazy set-up
    until, turn = time.perf_counter() + seconds, 0
    while turn < turns or time.perf_counter() < until:
        for name, run in runs.items():
            if THREADS > 1:
                time.sleep(PAUSE)
            started = clock()
            run()
            best[name] = min(best[name], clock() - started)
        turn += 1
    return best


def size_of(result: object) -> int:
    """The bytes of an array, or of all arrays of a tuple."""
    return result.nbytes if isinstance(result, np.ndarray) else sum(map(size_of, result))  # type: ignore[call-overload]


def peak_beyond_output(run: Callable[[], object]) -> tuple[int, int]:
    """The bytes that NumPy holds at most while ``run`` works, less its output's, and those of the output."""
    tracemalloc.start()
    try:
        outputs = run()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    size = size_of(outputs)
    return max(peak - size, 0), size


def sgemm_rate() -> float:
    """Multiply-adds a second of the machine's own matrix product, on one core: the ceiling."""
    a, b = np.ones((1024, 1024), np.float32), np.ones((1024, 1024), np.float32)
    out = np.empty_like(a)
    best = math.inf
    for _ in range(30):
        started = time.process_time()
        np.matmul(a, b, out=out)
        best = min(best, time.process_time() - started)
    return 1024**3 / best


def machine() -> str:
    """Which processor and which versions the numbers belong to."""
    import tensorflow as tf

    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, TensorFlow {tf.__version__}"
    return f"{model}, {os.cpu_count()} cores; {versions}"
