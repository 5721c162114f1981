"""Runs cells as a page does, and tells what the live ones show.

``test_live.py`` runs it twice: in a process of its own in which no package is but those that a page has, and
in the page's own Python, whose integers are shorter. As a program it reads from standard input a JSON list of
chapters, each a list of ``[source, live]``; it writes for each chapter what its live cells show.
"""

from __future__ import annotations

import json
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any


def shown(chapters: list[list[tuple[str, bool]]], session_of: Any) -> list[list[list[dict[str, Any]]]]:
    """What the live cells of each chapter show; figures are not drawn, only told."""
    told: list[list[list[dict[str, Any]]]] = []
    for cells in chapters:
        outputs: list[dict[str, Any]] = []
        session = session_of(outputs.append)
        told.append([])
        for source, live in cells:
            outputs.clear()
            if live:
                session.run(source)
                told[-1].append(list(outputs))
            else:
                session.prepare(source)
    return told


class OnlyThePage(MetaPathFinder):
    """Refuses to import what a page has not."""

    def __init__(self, packages: list[dict[str, Any]]) -> None:
        imports = [name for entry in packages for name in entry["imports"]]
        self.there = {"cnnlib", *(name.partition(".")[0] for name in imports), *sys.stdlib_module_names}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        top = name.partition(".")[0]
        if top not in self.there and not top.startswith("_"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def main() -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from book.live import running
    from book.runtime import listed

    sys.meta_path.insert(0, OnlyThePage(list(listed()["lock"]["packages"].values())))
    running._drawn = lambda figure, form: b""
    json.dump(shown(json.load(sys.stdin), running.Session), sys.stdout)


if __name__ == "__main__":
    main()
