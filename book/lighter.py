"""Makes pages lighter and lets them look as they did: nothing stands twice, no icon comes that none uses."""

from __future__ import annotations

import re
from pathlib import Path

#: Styles and scripts within a page, of objects that cells show.
_WITHIN = re.compile(r"<style>.*?</style>|<script>.*?</script>", re.DOTALL)
_ICON = re.compile(r"\bfa-[a-z0-9-]+")
#: What a style of Font Awesome says of some icons: their names, and the sign that is drawn.
_DRAWN = re.compile(r'(?:\.fa-[a-z0-9-]+:before,?)+\{content:"[^"]*"\}')


def without_repeats(body: str) -> str:
    """A page on which each style and script stands once, where it stood first.

    Quizzes are whole by themselves, so that each can stand alone in a notebook; on a page they share.

    >>> without_repeats("<style>p{}</style><p>1</p><style>p{}</style><p>2</p>")
    '<style>p{}</style><p>1</p><p>2</p>'
    """
    seen: set[str] = set()

    def first(found: re.Match[str]) -> str:
        if found[0] in seen:
            return ""
        seen.add(found[0])
        return found[0]

    return _WITHIN.sub(first, body)


def keep_used_icons(site: Path) -> int:
    """Take icons that no page and no script names out of Font Awesome's style; return how many bytes go."""
    styles = [path for path in site.rglob("*.css") if "fontawesome" in path.parts]
    used: set[str] = set()
    for path in site.rglob("*"):
        if path.suffix in (".html", ".js", ".css") and "fontawesome" not in path.parts:
            used |= set(_ICON.findall(path.read_text(encoding="utf-8", errors="replace")))
    saved = 0
    for path in styles:
        text = path.read_text(encoding="utf-8")
        kept = _DRAWN.sub(lambda found: found[0] if used & set(_ICON.findall(found[0])) else "", text)
        saved += len(text.encode()) - len(kept.encode())
        path.write_text(kept, encoding="utf-8")
    return saved
