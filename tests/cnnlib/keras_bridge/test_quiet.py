"""What Keras and the comparison with it say on a page."""

import subprocess
import sys

import pytest

from cnnlib.keras_bridge import Agreement


@pytest.mark.keras
@pytest.mark.slow
def test_loading_keras_writes_nothing_and_leaves_the_standard_error_open() -> None:
    """A notebook that is built strictly may not write to the standard error."""
    code = "import sys; from cnnlib.keras_bridge import keras; keras(); print('still here', file=sys.stderr)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("", "still here\n")


def test_an_agreement_fits_into_the_column_of_a_page() -> None:
    shown = str(Agreement("Conv2D", (1, 1920, 1080, 3), (1, 1916, 1076, 16), 1.2e-7, 3.4e-6))
    assert max(map(len, shown.splitlines())) <= 78
    assert "(1, 1916, 1076, 16)" in shown
    assert "1.2e-07" in shown
