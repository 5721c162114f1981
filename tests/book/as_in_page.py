"""Runs cells as a page does, where no package is but those that a page has.

Reads from standard input a JSON list of chapters, each a list of ``[source, live]``; writes what their live
cells show: for each chapter a list of lists of outputs. Run by ``test_live.py`` in a process of its own.
"""

from __future__ import annotations

import importlib.abc
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from book.live.running import Session
from book.runtime import listed


class OnlyThePage(importlib.abc.MetaPathFinder):
    """Refuses to import what a page has not."""

    def __init__(self) -> None:
        packages = listed()["lock"]["packages"].values()
        self.there = {name.split(".")[0] for entry in packages for name in entry["imports"]}
        self.there |= {"cnnlib", *sys.stdlib_module_names}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> None:
        top = name.split(".", maxsplit=1)[0]
        if top not in self.there and not top.startswith("_"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def main() -> None:
    chapters = json.load(sys.stdin)
    sys.meta_path.insert(0, OnlyThePage())
    told = []
    for cells in chapters:
        shown: list[dict[str, Any]] = []
        session = Session(shown.append)
        told.append([])
        for source, live in cells:
            shown.clear()
            if live:
                session.run(source)
                told[-1].append([dict(output) for output in shown])
            else:
                session.prepare(source)
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
