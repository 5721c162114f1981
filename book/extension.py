"""What Sphinx does besides Jupyter Book's own: maths served by the site, notebooks to download, plain pages.

Loaded by ``_config.yml``.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

#: The parts of MathJax 3 that pages ask for.
MATHJAX = ("tex-chtml.js", "input/tex/extensions", "output/chtml/fonts/woff-v2")
#: Where pages find them, below ``_static``.
MATHJAX_HOME = "mathjax"


def mathjax_folder() -> Path:
    """The folder of MathJax that came with the package sphinx-mathjax-offline."""
    found = importlib.util.find_spec("sphinx-mathjax-offline")
    if found is None or found.origin is None:
        raise ImportError("sphinx-mathjax-offline is not installed; get it with: make environment")
    return Path(found.origin).parent / "static" / "mathjax"


def use_the_cache(app: Sphinx, config: Any) -> None:
    """Take the notebooks' outputs from where :mod:`book.execute` put them."""
    if folder := os.environ.get("BOOK_CACHE"):
        config.nb_execution_cache_path = folder


def offer_notebook(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Offer the executed notebook and printing; not the source, which Jupyter cannot open as it is."""
    executed = _executed_folder(app) / f"{page}.ipynb"
    buttons = context.get("header_buttons")
    if buttons is None or context.get("page_source_suffix") is None:
        return
    entries = []
    if executed.is_file():
        entries.append(
            {
                "type": "link",
                "url": context["pathto"](f"notebooks/{page}.ipynb", 1),
                "text": "Notebook, executed (.ipynb)",
                "icon": "fas fa-code",
                "label": "download-notebook-button",
            }
        )
    entries.append(
        {
            "type": "javascript",
            "javascript": "window.print()",
            "text": "Print, or save as PDF",
            "icon": "fas fa-file-pdf",
            "label": "download-pdf-button",
        }
    )
    group = {
        "type": "group",
        "tooltip": "Download this page",
        "icon": "fas fa-download",
        "buttons": entries,
        "label": "download-buttons",
    }
    buttons[:] = [group, *(b for b in buttons if b.get("label") != "download-buttons")]


def copy_files(app: Sphinx, error: Exception | None) -> None:
    """Put MathJax and the executed notebooks beside the finished pages."""
    if error or app.builder.format != "html":
        return
    out = Path(app.outdir)
    for name in MATHJAX:
        source, target = mathjax_folder() / name, out / "_static" / MATHJAX_HOME / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy(source, target)
    for notebook in _executed_folder(app).glob("*.ipynb"):
        (out / "notebooks").mkdir(exist_ok=True)
        shutil.copy(notebook, out / "notebooks")


def _executed_folder(app: Sphinx) -> Path:
    return Path(app.outdir).parent / "jupyter_execute"


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the above to Sphinx."""
    app.connect("config-inited", use_the_cache, priority=100)
    app.connect("html-page-context", offer_notebook, priority=900)
    app.connect("build-finished", copy_files)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
