"""google-re2 as this room uses it: over UTF-8, time linear in the text, no capture, no word to standard error (L5)."""

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import re2

MAX_MEMORY: Final = 64 * 2**20
"""Bytes for the program of a set and its states: 200 patterns overflow the 8 MB that are the default (FACTS L5)."""


class Found(Protocol):
    """Where a regular expression matched."""

    def start(self) -> int:
        """Return the offset of its first unit."""

    def end(self) -> int:
        """Return the offset after its last unit."""


class Regex(Protocol):
    """A compiled regular expression. Over `str` offsets count characters, over `bytes` those of UTF-8."""

    @property
    def programsize(self) -> int:
        """Return how many instructions it has."""

    def search(self, text: bytes) -> Found | None:
        """Return the leftmost match."""

    def finditer(self, text: str) -> Iterator[Found]:
        """Return all matches, none overlapping."""


class RegexSet(Protocol):
    """Regular expressions that are looked for in one pass."""

    def Match(self, text: bytes) -> list[int] | None:  # noqa: N802  the name is google-re2's
        """Return the indexes of those that occur in *text*, in any order; None for none."""


def regex(pattern: str, *, folds_case: bool = False) -> Regex:
    """Return *pattern*, compiled. Raises ValueError where google-re2 does not take it."""
    try:
        compiled: Regex = re2.compile(pattern, _options(folds_case=folds_case))
    except re2.error as error:
        raise ValueError(_said(error)) from None
    return compiled


def regex_set(patterns: Sequence[str], *, folds_case: bool = False) -> RegexSet:
    """Return *patterns*, compiled. Raises ValueError where google-re2 does not take one, or all are too much.

    A set answers by index. Matched before it is compiled it finds nothing, without a word, so it is compiled here.
    """
    found = re2.Set.SearchSet(_options(folds_case=folds_case))
    try:
        for pattern in patterns:
            found.Add(pattern)
        found.Compile()
    except re2.error as error:
        raise ValueError(_said(error)) from None
    compiled: RegexSet = found
    return compiled


def _options(*, folds_case: bool) -> object:
    options = re2.Options()
    options.case_sensitive = not folds_case
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    options.never_capture = True
    return options


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
