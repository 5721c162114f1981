"""Pages get lighter, and show what they showed."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from book.lighter import keep_used_icons, without_repeats

#: As in Font Awesome's style.
DRAWN = re.compile(r'\.(fa-[\w-]+):before(?=[^{}]*\{content:"([^"]+)"\})')


def test_what_differs_stays() -> None:
    page = "<p>1</p><script>a(1)</script><style>p{}</style><p>2</p><script>a(2)</script><style>q{}</style>"
    assert without_repeats(page) == page
    assert without_repeats(page * 2) == page + "<p>1</p><p>2</p>"
    assert without_repeats('<script src="a.js"></script>' * 2).count("src") == 2


def test_icons_that_are_named_stay_and_all_else_of_the_style(tmp_path: Path) -> None:
    theme = importlib.util.find_spec("pydata_sphinx_theme")
    assert theme is not None
    assert theme.origin is not None
    source = next(Path(theme.origin).parent.rglob("fontawesome/*/css/all.min.css"))
    text = source.read_text(encoding="utf-8")
    target = tmp_path / "_static" / "fontawesome" / "all.min.css"
    target.parent.mkdir(parents=True)
    target.write_text(text, encoding="utf-8")
    (tmp_path / "page.html").write_text('<i class="fas fa-download"></i>')
    (tmp_path / "_static" / "theme.js").write_text('icon.className = "fa-solid fa-circle-half-stroke"')

    saved = keep_used_icons(tmp_path)

    kept = target.read_text(encoding="utf-8")
    assert saved == len(text.encode()) - len(kept.encode()) > 50_000
    before, after = dict(DRAWN.findall(text)), dict(DRAWN.findall(kept))
    assert {"fa-download", "fa-circle-half-stroke"} <= after.keys()
    assert len(after) < 10, "each with its other names"
    assert after.items() <= before.items()
    assert kept.count("@font-face") == text.count("@font-face")
    assert kept.count("@keyframes") == text.count("@keyframes")
    assert ".fa-spin{" in kept, "what is no icon stays"
    assert kept.count("{") == kept.count("}")
