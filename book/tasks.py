"""The table of all tasks in the instructor's guide, made of the assignments themselves.

``{all-tasks}`` in a page stands for a fold with a table for each assignment.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class AllTasks(SphinxDirective):
    """A fold for each assignment, with its questions and the slips that they know."""

    def run(self) -> list[nodes.Node]:
        """The folds, as nodes."""
        from cnnlib.exercises.overview import table
        from cnnlib.exercises.sheet import assignments

        lines: list[str] = []
        for assignment in assignments():
            count = f"{len(assignment.questions)} tasks, {assignment.points:g} points"
            title = f"{assignment.order} · {assignment.title} ({count})"
            lines += [f":::{{dropdown}} {title}", table(assignment), ":::", ""]
        body = nodes.container(classes=["all-tasks"])
        content = "\n".join(lines).splitlines()
        self.state.nested_parse(StringList(content, "all-tasks"), self.content_offset, body)
        return [body]


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the above to Sphinx."""
    app.add_directive("all-tasks", AllTasks)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
