"""What pages tell of the assignments, made of the assignments themselves.

``{all-tasks}`` in a page stands for a fold with a table for each assignment, ``{practice}`` for a list of
links that open them in JupyterLite.
"""

from __future__ import annotations

import os
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from book.lite import PRACTICE, address


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


class Practice(SphinxDirective):
    """A list of the assignments, to be opened in JupyterLite, or a word that it is not there."""

    def run(self) -> list[nodes.Node]:
        """The list, as nodes."""
        from cnnlib.exercises.sheet import assignments

        if not os.environ.get("BOOK_LITE"):
            return [nodes.paragraph("", "", nodes.Text("This copy of the book has no JupyterLite."))]
        made = nodes.bullet_list(bullet="-")
        for assignment in assignments():
            target = address(f"{PRACTICE}/{assignment.name}.ipynb")
            title = f"{assignment.order} · {assignment.title}"
            link = nodes.reference("", title, refuri=target, internal=True)
            made += nodes.list_item("", nodes.paragraph("", "", link))
        return [made]


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the above to Sphinx."""
    app.add_directive("all-tasks", AllTasks)
    app.add_directive("practice", Practice)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
