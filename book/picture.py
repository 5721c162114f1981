"""The picture in the README: the built site on a desktop and on a phone, side by side.

``make picture`` draws it anew from ``build/site`` with the system's Chromium.
"""

from __future__ import annotations

import io
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from book import browser

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "build" / "site"
PICTURE = ROOT / "book" / "picture.png"

#: What is shown: page, what to scroll to, window in CSS pixels, colour scheme.
DESKTOP = ("index.html", "h1", (1200, 880), "light")
PHONE = ("05-filters-and-kernels.html", "#fig-filter-stack", (360, 720), "dark")
MARGIN = 40


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def main() -> int:
    """Draw the picture and return the exit code."""
    chromium = browser.executable()
    if not chromium:
        print(f"make: {browser.MISSING}", file=sys.stderr)
        return 1
    from PIL import Image
    from playwright.sync_api import sync_playwright

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    shots = []
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=browser.OPTIONS)
        for name, target, (width, height), scheme in (DESKTOP, PHONE):
            page = running.new_page(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
            )
            page.goto(f"http://127.0.0.1:{server.server_port}/{name}")
            page.locator(target).first.evaluate("node => node.scrollIntoView({block: 'center'})")
            page.wait_for_timeout(1500)  # fonts, formulas, smooth scrolling
            shots.append(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
        running.close()
    server.shutdown()
    desktop, phone = shots
    size = (desktop.width + phone.width + 3 * MARGIN, desktop.height + 2 * MARGIN)
    picture = Image.new("RGB", size, "#E8EEF2")
    picture.paste(desktop, (MARGIN, MARGIN))
    picture.paste(phone, (desktop.width + 2 * MARGIN, (size[1] - phone.height) // 2))
    picture.quantize(256, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
    print(f"drawn: {PICTURE.relative_to(ROOT)} ({PICTURE.stat().st_size // 1000} kB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
