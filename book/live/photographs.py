"""The photographs of scikit-image, without the rest of it: stands for ``skimage.data`` in JupyterLite."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def __getattr__(name: str) -> Any:
    """A function that reads the photograph of that name, as scikit-image has one for each."""
    found = sorted(Path(__file__).parent.glob(f"{name}.*g"))
    if name.startswith("_") or not found:
        raise AttributeError(f"there is no photograph {name!r} here")

    def read() -> Any:
        import numpy as np
        from PIL import Image

        return np.array(Image.open(found[0]))

    return read
