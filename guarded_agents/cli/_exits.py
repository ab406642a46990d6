"""The exit statuses of every command. 0 is success."""

from typing import Final

FAILED: Final = 1
"""A check failed, something was found, or an answer does not count."""

USAGE: Final = 2
"""Wrong use, or a file that cannot be used."""

__all__ = ["FAILED", "USAGE"]
