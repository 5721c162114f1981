"""Figures become lighter without becoming others."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from book.pictures import COLOURS, lighten, shrunk
from cnnlib import photograph


def png(pixels: np.ndarray) -> bytes:
    packed = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(packed, "PNG")
    return packed.getvalue()


def opened(packed: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(packed)).convert("RGBA"), int)


@pytest.fixture
def grey() -> np.ndarray:
    shades = np.random.default_rng(0).integers(0, 256, (40, 40, 1))
    return np.concatenate([np.repeat(shades, 3, axis=2), np.full((40, 40, 1), 255)], axis=2)


def test_grey_pictures_stay_the_same_to_the_last_bit(grey: np.ndarray) -> None:
    small = shrunk(png(grey))
    assert len(small) < len(png(grey))
    np.testing.assert_array_equal(opened(small), grey)


def test_colours_change_less_than_can_be_seen() -> None:
    cat = photograph("cat")[60:180, 120:240]
    found = opened(shrunk(png(cat)))
    assert np.abs(found[..., :3] - cat).mean() < 5
    assert len(np.unique(found.reshape(-1, 4), axis=0)) <= COLOURS


def test_what_shines_through_is_left_alone(grey: np.ndarray) -> None:
    grey[0, 0, 3] = 100
    assert shrunk(png(grey)) == png(grey)


def test_coordinates_are_rounded_and_the_rest_is_kept(tmp_path: Path, grey: np.ndarray) -> None:
    picture = base64.b64encode(png(grey)).decode()
    text = (
        '<svg viewBox="0 0 403.2 288"><path d="M 10.123456 20.98765 L 403 -0.04" id="line_1.2345"/>'
        f'<image width="12.345678" href="data:image/png;base64,{picture}"/></svg>'
    )
    (tmp_path / "figure.svg").write_text(text)
    (tmp_path / "tiny.svg").write_text('<svg><path d="M1 2"/></svg>')
    saved = lighten(tmp_path)
    after = (tmp_path / "figure.svg").read_text()
    assert saved == len(text) - len(after) > 0
    assert 'd="M10.1 21L403 -0"' in after
    assert 'width="12.345678"' in after
    assert 'id="line_1.2345"' in after
    packed = re.search(r"base64,([^\"]+)", after)
    assert packed is not None
    np.testing.assert_array_equal(opened(base64.b64decode(packed[1])), grey)
    assert (tmp_path / "tiny.svg").read_text() == '<svg><path d="M1 2"/></svg>'
    assert lighten(tmp_path) == 0


def test_notes_and_spaces_go_unless_there_are_words(tmp_path: Path) -> None:
    note = "<metadata>\n <who>somebody</who>\n</metadata>\n <!-- a\nnote -->\n"
    (tmp_path / "drawn.svg").write_text(f'<svg>\n {note} <g>\n  <path d="M 1 2 \nL 3 4 \nz"/>\n </g>\n</svg>')
    (tmp_path / "worded.svg").write_text(
        f"<svg>\n{note}<text>a <tspan>b</tspan> <tspan>c</tspan></text></svg>"
    )
    lighten(tmp_path)
    assert (tmp_path / "drawn.svg").read_text() == '<svg><g><path d="M1 2L3 4z"/></g></svg>'
    assert "<tspan>b</tspan> <tspan>c</tspan>" in (tmp_path / "worded.svg").read_text()
