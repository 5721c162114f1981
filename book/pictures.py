"""Makes the figures of a finished site lighter, so that a page opens quickly on a phone.

Matplotlib writes coordinates to a millionth of a point, pictures with an opacity for every pixel, and notes
on how and when a figure was made. Here coordinates are rounded to a tenth of a point, less than a pixel,
notes and spaces are left out, and pictures inside figures are stored with few colours: grey ones in grey,
colour photographs with those that suit them best.
"""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

from PIL import Image

#: A photograph of a few hundred pixels shows no fewer with these.
COLOURS = 80

_PATH = re.compile(rb'(?<=\bd=")[^"]*(?=")')
_LONG = re.compile(rb"-?\d+\.\d{2,}")
#: What nothing is drawn from: who made the figure, comments, and the space around these and between elements.
_NOTES = re.compile(rb"\s*(?:<metadata>.*?</metadata>|<!--.*?-->)\s*|(?<=>)\s+(?=<)", re.DOTALL)
_PICTURE = re.compile(rb"data:image/png;base64,\s*([A-Za-z0-9+/=\s]+)")


def lighten(folder: Path) -> int:
    """Rewrite the SVG files of a folder where that makes them smaller; return the bytes saved."""
    saved = 0
    for path in sorted(folder.glob("*.svg")):
        before = path.read_bytes()
        after = _PICTURE.sub(_smaller, _PATH.sub(_rounded, before))
        if b"<text" not in after:  # in words a space counts
            after = _NOTES.sub(b"", after)
        if len(after) < len(before):
            path.write_bytes(after)
            saved += len(before) - len(after)
    return saved


def _rounded(found: re.Match[bytes]) -> bytes:
    short = _LONG.sub(lambda number: b"%g" % round(float(number[0]), 1), found[0])
    return re.sub(rb"\s*([A-Za-z])\s*", rb"\1", b" ".join(short.split()))


def _smaller(found: re.Match[bytes]) -> bytes:
    packed = b"data:image/png;base64," + base64.b64encode(shrunk(base64.b64decode(found[1])))
    return packed if len(packed) < len(found[0]) else found[0]


def shrunk(png: bytes) -> bytes:
    """The same picture as a smaller PNG, if there is one.

    >>> grey = io.BytesIO()
    >>> Image.new("RGBA", (8, 8), (90, 90, 90, 255)).save(grey, "PNG")
    >>> Image.open(io.BytesIO(shrunk(grey.getvalue()))).getpixel((3, 3))
    90
    """
    picture: Image.Image = Image.open(io.BytesIO(png))
    if picture.mode == "RGBA":
        if picture.getchannel("A").getextrema() != (255, 255):  # what shines through must stay
            return png
        picture = picture.convert("RGB")
    if picture.mode == "RGB":
        red, green, blue = picture.split()
        grey = red.tobytes() == green.tobytes() == blue.tobytes()
        picture = red if grey else picture.quantize(COLOURS, dither=Image.Dither.NONE)
    small = io.BytesIO()
    picture.save(small, "PNG", optimize=True)
    return min(small.getvalue(), png, key=len)
