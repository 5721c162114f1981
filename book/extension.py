"""What Sphinx does besides Jupyter Book's own: maths served by the site, notebooks to download, plain pages.

Loaded by ``_config.yml``.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import platform
import re
import shutil
from datetime import date
from html import escape
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pybtex.plugin  # type: ignore[import-untyped]
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from book.execute import executed
from book.lighter import keep_used_icons, without_repeats
from book.lite import CHAPTERS, NOTEBOOKS, address

#: The packages whose versions a page's outputs hang on.
PACKAGES = {"NumPy": "numpy", "Keras": "keras", "TensorFlow": "tensorflow", "Matplotlib": "matplotlib"}
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


def remember_plugins() -> None:
    """Let pybtex look for its plugins once: it would ask all installed packages anew for each citation."""
    pybtex.plugin.entry_points = functools.cache(entry_points)


def published() -> str:
    """The address at which the site will be found, as the environment variable COURSE_SITE says; or nothing.

    Raises:
        ExtensionError: it is not an address of the web.
    """
    address = os.environ.get("COURSE_SITE", "").strip()
    if address and not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", address):
        raise ExtensionError(f"COURSE_SITE is {address!r}; it must look like https://example.org/course/")
    return f"{address.rstrip('/')}/" if address else ""


def use_the_address(app: Sphinx, config: Any) -> None:
    """Let pages name their address to search engines, and to those who share them, if it is known."""
    if address := published():
        config.html_baseurl = config.ogp_site_url = address


def offer_notebook(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Offer the executed notebook, which :mod:`book.notebooks` writes, to be run or kept, and printing.

    The source is not offered: Jupyter cannot open it as it is.
    """
    has_cells = (Path(app.outdir).parent / "jupyter_execute" / f"{page}.ipynb").is_file()  # by MyST-NB
    buttons = context.get("header_buttons")
    if buttons is None or context.get("page_source_suffix") is None:
        return
    entries = []
    if has_cells:
        entries.append(
            {
                "type": "link",
                "url": context["pathto"](f"{NOTEBOOKS}/{page}.ipynb", 1),
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
    launch = []
    if has_cells and os.environ.get("BOOK_LITE"):
        launch.append(
            {
                "type": "link",
                "url": context["pathto"](address(f"{CHAPTERS}/{page}.ipynb"), 1),
                "tooltip": "Open in JupyterLite: run and change this page's notebook in your browser",
                "icon": "fas fa-rocket",
                "label": "jupyterlite-button",
            }
        )
    buttons[:] = [*launch, group, *(b for b in buttons if b.get("label") != "download-buttons")]


def tidy(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Mend what the writers of Sphinx leave behind for those who cannot see the page, and for phones."""
    body = context.get("body")
    if isinstance(body, str):
        for old, new in _MENDS:
            body = old.sub(new, body)
        context["body"] = without_repeats(body)
    if not published():  # an address without its host is none
        context["metatags"] = _OG_URL.sub("", context.get("metatags", ""))
    if 'name="description"' not in context.get("metatags", ""):
        text = _DESCRIPTIONS.get(page, f"{context.get('title', page)}: {app.config.project}.")
        context["metatags"] = (
            context.get("metatags", "") + f'\n<meta name="description" content="{escape(text)}"/>'
        )


def name_the_folds(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Say what the arrows in the side bar unfold: the theme leaves them without a name."""
    make = context.get("generate_toctree_html")
    if callable(make):
        context["generate_toctree_html"] = lambda *args, **options: _FOLD.sub(
            _named_fold, str(make(*args, **options))
        )


def _named_fold(fold: re.Match[str]) -> str:
    text = re.sub(r"<[^>]*>", "", fold["text"]).strip().replace('"', "&quot;")
    return f'{fold["before"]}<summary aria-label="Pages of {text}">'


def foot(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Say at the foot of a page when its code was executed, and with which versions."""
    folder = os.environ.get("BOOK_CACHE")
    done = executed(Path(folder)).get(page) if folder else None
    body = context.get("body")
    if not done or not isinstance(body, str):
        return
    day = date.fromisoformat(done["day"])
    context["body"] = (
        f'{body}<p class="executed">Executed on {day.day} {day:%B %Y} in {done["seconds"]} s with '
        f"Python {platform.python_version()}, {_versions()}.</p>"
    )


@functools.cache
def _versions() -> str:
    return ", ".join(f"{name} {_version(package)}" for name, package in PACKAGES.items())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # the same with another build's name
        return version(f"{package}-cpu")


def enliven(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Let a page with live cells load the small script that runs them, if the site has it."""
    if os.environ.get("BOOK_LIVE") and _LIVE.search(context.get("body") or ""):
        script, style = (context["pathto"](f"live/{name}", 1) for name in ("live.js", "live.css"))
        context["metatags"] = (
            f'{context.get("metatags", "")}\n<link rel="stylesheet" href="{style}"/>'
            f'\n<script defer src="{script}"></script>'
        )


#: An entry of the side bar with pages below it.
_FOLD = re.compile(r"(?P<before><a\b[^>]*>(?P<text>.*?)</a>\s*<details[^>]*>\s*)<summary>", re.DOTALL)
#: Roles that browsers do not know where docutils puts them, and tables that would widen a phone's page.
_MENDS = [
    (re.compile(r'<div role="list" class="citation-list">'), '<div class="citation-list">'),
    (re.compile(r' role="doc-biblioentry"'), ""),
    (re.compile(r' id="((?:exercise|solution)-content)"'), r' class="\1"'),  # the same on every exercise
    (re.compile(r'(<summary) aria-label="Toggle hidden content"'), r"\1"),  # it says so itself
    (re.compile(r"(<table\b.*?</table>)", re.DOTALL), r'<div class="table-wrap">\1</div>'),
]
_LIVE = re.compile(r'<div class="cell [^"]*\btag_live\b(?!-)')
_OG_URL = re.compile(r'<meta property="og:url"[^>]*>\n?')
_DESCRIPTIONS = {
    "search": "Search the course on convolutional neural networks.",
    "genindex": "Index of the course on convolutional neural networks: where each term is explained.",
}


def korean(
    name: str, rawtext: str, text: str, line: int, inliner: Any, options: Any = None, content: Any = None
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """The role ``ko``: words in Korean, so marked that they are read aloud in Korean."""
    return [nodes.raw("", f'<span lang="ko">{escape(text)}</span>', format="html")], []


def copy_files(app: Sphinx, error: Exception | None) -> None:
    """Put MathJax beside the finished pages, and take out the icons that none uses."""
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
    keep_used_icons(out)


def map_the_site(app: Sphinx, error: Exception | None) -> None:
    """Write ``sitemap.xml`` and ``robots.txt``, if the site's address is known."""
    address = published()
    if error or app.builder.name != "html" or not address:
        return
    out = Path(app.outdir)
    pages = "".join(
        f"  <url><loc>{escape(address + quote(app.builder.get_target_uri(page)))}</loc></url>\n"
        for page in sorted(app.env.found_docs)
    )
    (out / "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{pages}</urlset>\n',
        encoding="utf-8",
    )
    (out / "robots.txt").write_text(
        f"User-agent: *\nAllow: /\nSitemap: {address}sitemap.xml\n", encoding="utf-8"
    )


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the above to Sphinx."""
    remember_plugins()
    app.add_role("ko", korean)
    app.connect("config-inited", use_the_cache, priority=100)
    app.connect("config-inited", use_the_address, priority=100)
    app.connect("html-page-context", offer_notebook, priority=900)
    app.connect("html-page-context", tidy, priority=900)
    app.connect("html-page-context", name_the_folds, priority=900)
    app.connect("html-page-context", foot, priority=910)
    app.connect("html-page-context", enliven, priority=910)
    app.connect("build-finished", copy_files)
    app.connect("build-finished", map_the_site)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
