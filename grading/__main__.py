"""``python -m grading``."""

from __future__ import annotations

import atexit
import gc
import sys

from grading.cli import main

if __name__ == "__main__":
    # Nothing is garbage that ends with the process: to look for some takes Python most of a second.
    atexit.register(gc.freeze)
    sys.exit(main())
