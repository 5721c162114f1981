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
    "sea_temperature": "how much warmer than usual the eastern tropical Pacific was, in degrees "
    "Celsius, every three months from 1950 to 2015 (NOAA, Niño 3)",
}


def recording(name: str) -> NDArray[np.float64]:
    """A recording as an array (samples,).

    >>> recording("heartbeat").shape, recording("sea_temperature").shape
    ((1024,), (264,))
    """
    if name not in RECORDINGS:
        raise SizeError(f"no recording {name!r}; there are {', '.join(RECORDINGS)}")
    try:
        import pywt.data
    except ImportError:
        raise MissingExtraError("PyWavelets", "data") from None
    values = pywt.data.ecg() if name == "heartbeat" else pywt.data.nino()[1]
    return np.asarray(values, np.float64)
