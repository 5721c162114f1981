"""Real recordings, one number after another. Chapter 2.

They ship with PyWavelets, so that nothing is downloaded, and are loaded when first asked for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cnnlib.errors import MissingExtraError, SizeError

#: The recordings and what they hold.
RECORDINGS = {
    "heartbeat": "an electrocardiogram of 1024 samples",
    "sea_temperature": "the surface temperature of the eastern tropical Pacific every three months "
    "from 1950 to 2015, seasons included, scaled to mean 0 and standard deviation 1 (NOAA, ERSST v4)",
}


def recording(name: str) -> NDArray[np.float64]:
    """A recording as an array (samples,).

    >>> recording("heartbeat").shape, recording("sea_temperature").shape
    ((1024,), (264,))
    """
    if not isinstance(name, str) or name not in RECORDINGS:
        raise SizeError(f"no recording {name!r}; there are {', '.join(RECORDINGS)}")
    try:
        import pywt.data
    except ImportError:
        raise MissingExtraError("PyWavelets", "data") from None
    values = pywt.data.ecg() if name == "heartbeat" else pywt.data.nino()[1]
    return np.array(values, np.float64)  # a copy: PyWavelets keeps one for all callers
