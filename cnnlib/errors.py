"""What can go wrong, as one class for each thing that a caller may want to catch.

Every message says what clashed, with the numbers, and the mend.

>>> from cnnlib.errors import SizeError
>>> from cnnlib.sizes import output_size
>>> try:
...     output_size(3, kernel_size=5)
... except SizeError as error:
...     print(error)
kernel 5 does not fit into input 3; pad by at least 1 on each side or use a kernel of at most 3
"""


class CnnError(Exception):
    """Base class of all errors that this library raises on purpose."""


class SizeError(CnnError, ValueError):
    """Sizes that cannot go together: a kernel that does not fit, a stride of 0."""


class ShapeError(CnnError, ValueError):
    """Arrays whose ranks or channels clash."""


class DtypeError(CnnError, TypeError):
    """Numbers of a kind that an operator cannot work on without losing something."""


class MissingExtraError(CnnError, ImportError):
    """An optional package is needed and not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; get it with: pip install 'cnnlib[{extra}]'")
