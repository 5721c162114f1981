"""What several tests of operators ask: are these the gradients, and does this error say enough?"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray


def _check_gradients(
    operator: Callable[..., NDArray],
    backward: Callable[..., Any],
    arrays: dict[str, NDArray],
    step: float = 0.5,
    **options: Any,
) -> None:
    """Compare ``backward`` with central differences of ``operator``, in float64.

    The loss is the outputs times random slopes; each array is moved some way along a random direction, which
    sees every gradient at once. Where an operator is linear in each of its arrays, any ``step`` is exact;
    others need a small one. ``bias`` is not handed to ``backward``, on which it has no influence.
    """
    random = np.random.default_rng(7)
    slopes = random.normal(size=operator(**arrays, **options).shape)
    handed = {name: array for name, array in arrays.items() if name != "bias"}
    found = backward(slopes, **handed, **options)
    found = found._asdict() if hasattr(found, "_asdict") else dict(zip(arrays, [found], strict=True))
    for name, array in arrays.items():
        direction = random.normal(size=array.shape)
        ahead, behind = (
            (slopes * operator(**{**arrays, name: array + way * direction}, **options)).sum()
            for way in (step, -step)
        )
        assert found[name].shape == array.shape
        expected = (ahead - behind) / (2 * step)
        scale = np.abs(slopes).sum() * (1 + sum(np.abs(a).max(initial=0) for a in arrays.values())) ** 2
        np.testing.assert_allclose((found[name] * direction).sum(), expected, rtol=1e-7, atol=1e-11 * scale)


@pytest.fixture(scope="session")
def check_gradients() -> Callable[..., None]:
    return _check_gradients


def _says(caught: Any, words: str) -> None:
    """The message is one line of a sensible length, and has ``words`` in it: parts are set off by …"""
    message = str(caught.value)
    assert "\n" not in message
    assert 20 < len(message) < 260
    pattern = ".*".join(re.escape(part.strip()) for part in words.split("…"))
    assert re.search(pattern, message), message


@pytest.fixture(scope="session")
def says() -> Callable[..., None]:
    return _says
