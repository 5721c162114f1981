"""Greys as pictures that a page holds itself, without a file beside it."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray


def png_url(pixels: NDArray[np.uint8], difference: bool = True) -> str:
    """Grey pixels (height, width) as the address of a PNG.

    With ``difference`` every row is written as its difference from the row above, which is shorter for
    photographs, and longer for pictures of a few pixels.

    >>> png_url(np.zeros((2, 2), np.uint8))[:30]
    'data:image/png;base64,iVBORw0K'
    """
    height, width = pixels.shape
    above = np.vstack([np.zeros((1, width), np.uint8), pixels[:-1]])
    kind, lines = (2, pixels - above) if difference else (0, pixels)
    rows = np.hstack([np.full((height, 1), kind, np.uint8), lines])

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + data).decode()
