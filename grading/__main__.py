"""``python -m grading``."""

from __future__ import annotations

import sys

from grading.cli import main

if __name__ == "__main__":
    sys.exit(main())
