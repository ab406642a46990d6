"""What is wrong with a policy."""

from typing import NamedTuple


class Fault(NamedTuple):
    """What is wrong, and where in the file."""

    path: tuple[str | int, ...]
    expected: str
    got: str
