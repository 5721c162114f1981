"""cnnlib as a wheel, for those who run it elsewhere: students at home, and readers in their browser."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

#: The time of every file in it, the earliest that a zip can hold: the same sources make the same bytes.
EPOCH = "315532800"


class WheelError(Exception):
    """The wheel could not be built; the message says why."""


def build_wheel(root: Path) -> tuple[str, bytes]:
    """The file name and the bytes of the library in the checkout ``root``, built without fetching anything.

    Raises:
        WheelError: there is no library, or it cannot be built.
    """
    with tempfile.TemporaryDirectory(prefix="wheel-") as place:
        built = subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", place],
            cwd=root,
            env=os.environ | {"SOURCE_DATE_EPOCH": EPOCH},
            capture_output=True,
            text=True,
            check=False,
        )
        wheels = list(Path(place).glob("*.whl"))
        if built.returncode or len(wheels) != 1:
            said = (built.stderr or built.stdout).strip().splitlines() or ["no word why"]
            raise WheelError(f"cnnlib could not be built: {said[-1]}")
        return wheels[0].name, wheels[0].read_bytes()
