"""What can go wrong, as one class for each thing that a caller may want to catch. Chapters 5 and 6.

Every message says what clashed, with the numbers, and the mend.

>>> from cnnlib.errors import SizeError
>>> from cnnlib.sizes import output_size
>>> try:
...     output_size(3, kernel_size=5)
... except SizeError as error:
...     print(error)
kernel 5 does not fit into input 3; pad by at least 1 on each side or use a kernel of at most 3
"""

#: The longest message, in characters.
LONGEST = 400


class CnnError(Exception):
    """Base class of all errors that this library raises on purpose; each says it in one line."""

    def __init__(self, message: str = "", *more: object) -> None:
        line = " ".join(str(message).split())  # an array that was given for a number has many
        super().__init__(line if len(line) <= LONGEST else f"{line[:LONGEST]} …", *more)


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
