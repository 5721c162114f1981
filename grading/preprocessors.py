"""What the course adds to nbgrader's way of putting a submission right before it is run."""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor


class ForgetDuplicates(NbGraderPreprocessor):
    """Make plain cells of those that nbgrader found twice.

    Its ``DeduplicateIds`` empties the metadata of all but the last copy, and ``OverwriteCells`` then stumbles
    over what is empty, so that one press of *duplicate* in JupyterLab cost the student the whole notebook.
    """

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], cell_index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Remove ``nbgrader`` from a cell's metadata where nothing is left in it."""
        if not cell.metadata.get("nbgrader", True):
            del cell.metadata["nbgrader"]
        return cell, resources
