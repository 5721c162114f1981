"""Where the system's Chromium is: the tests drive it, and the README's picture is taken with it."""

from __future__ import annotations

import os
import shutil

#: What to say where there is none.
MISSING = "no Chromium here: `make browser` installs it (as root)"
#: No sandbox, since root may run it; nothing that calls its maker.
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


def executable() -> str | None:
    """The path of Chromium: the environment variable CHROMIUM, or the first that PATH has."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
