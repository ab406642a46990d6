"""Does the log stand as it was written?"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, NamedTuple

import orjson

from guarded_agents.audit._entry import GENESIS
from guarded_agents.errors import ConfigurationError
from guarded_agents.records import AuditHead

CANNOT_PROVE: Final = (
    "A chain cannot show that its last entries were cut off, nor that whoever owns the database "
    "wrote all of it anew: compare with a head that was kept elsewhere (--head LOG:SIZE:ROOT)."
)
MAX_FINDINGS: Final = 1_000
FROM_THE_FIRST: Final = -(2**63)  # of SQLite: a row before entry 0 is found too
_KEYS: Final = frozenset({"at", "fields", "kind", "log", "previous", "sequence"})
_AT_CHARS: Final = len("2026-01-05T10:00:00.000000Z")
_HEX_CHARS: Final = 64
_MAX_DIGITS: Final = 18


class Finding(NamedTuple):
    """What is wrong with one entry; ``sequence`` counts from 0 and is the place where it stands."""

    sequence: int
    what: str


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of `verify`. At most 1,000 findings are listed; *omitted* counts the rest."""

    entries: int
    verified: bool
    head: AuditHead  # of the rows that were read
    findings: tuple[Finding, ...]
    warnings: tuple[Finding, ...] = ()  # do not make the log false: a clock that went backwards
    omitted: int = 0
    against_head: bool = False  # a head kept elsewhere was given: without one see CANNOT_PROVE


def verify(
    rows: Iterable[tuple[int, bytes, str]],
    *,
    log: str | None = None,
    head: AuditHead | None = None,
) -> Verification:
    """Check *rows* (sequence, stored bytes, hash) from the first on, in the order given.

    Found are: a changed byte, a row moved, missing, doubled or added, a missing beginning, an entry
    of another log, bytes that are no entry, and, given *head*, a log that is shorter than it or
    does not lead to it. Where *log* is None the first entry names the log. A clock that went
    backwards is a warning. An unknown kind is data.

    Not proved, whatever the rows: that nothing was cut off at the end, and that the owner of the
    database did not write the whole log anew. Only a *head* that was kept where that owner cannot
    write proves either, up to its size.
    """
    walk = Walk(log if log is not None or head is None else head.log, head)
    for number, stored, recorded in rows:
        walk.step(number, stored, recorded)
    return walk.result()


def parse_head(text: str) -> AuditHead:
    """Return the head that ``LOG:SIZE:ROOT`` spells. Raises ConfigurationError."""
    log, size, root = ["", "", "", *text.rsplit(":", 2)][-3:]
    if log and size.isascii() and size.isdecimal() and len(size) <= _MAX_DIGITS and _is_hex(root):
        return AuditHead(log, int(size), root)
    raise ConfigurationError(
        "audit head",
        expected="LOG:SIZE:ROOT, the size in digits and the root as 64 lower-case hex digits",
        got="something else",
        action="copy it as `audit verify` printed it",
    )


def _is_hex(text: str) -> bool:
    return len(text) == _HEX_CHARS and all(char in "0123456789abcdef" for char in text)


class Walk:
    """The state of one pass over the rows, which may be taken in stretches. See `verify`."""

    def __init__(self, log: str | None, head: AuditHead | None = None) -> None:
        """Begin before the first row of *log*, None where that names it."""
        self.log, self.given = log, head
        self.expected, self.previous = 0, GENESIS
        self.at = datetime.min.replace(tzinfo=UTC)
        self.findings: list[Finding] = []
        self.warnings: list[Finding] = []
        self.omitted = 0
        self.reached: str | None = GENESIS if head is not None and head.size == 0 else None

    def step(self, number: int, stored: bytes, recorded: str) -> None:
        """Check one row, cheaply where it is right."""
        if type(stored) is not bytes:
            self._found("the stored entry is not a row of bytes")
            stored = b""
        root = sha256(b"\x00" + stored).hexdigest()
        if root != recorded:
            self._found("the stored bytes do not have the stored hash: one of them was changed")
        if number != self.expected:
            self._found(f"expected entry {self.expected}, got entry {number}: rows are missing, doubled or moved")
        self._entry(number, stored)
        self.previous = root
        self.expected += 1
        if self.given is not None and self.expected == self.given.size:
            self.reached = root

    def _entry(self, number: int, stored: bytes) -> None:
        """Check what the entry says of itself."""
        try:
            entry = orjson.loads(stored)
            at_text, log, sequence = entry["at"], entry["log"], entry["sequence"]
            previous = entry["previous"]
            at = datetime.fromisoformat(at_text)
            regular = entry.keys() == _KEYS and len(at_text) == _AT_CHARS and at_text[-1] == "Z"
        except (ValueError, TypeError, KeyError):
            self._found("the stored bytes are not an entry")
            return
        if not regular or type(sequence) is not int or type(log) is not str:
            self._found("the entry has other keys or another form than entries have")
            return
        if sequence != number:
            self._found(f"the entry is number {sequence} by its own account and stands as {number}")
        if previous != self.previous:
            self._found("the entry does not follow the one before it")
        if self.log is None:
            self.log = log
        if log != self.log:
            self._found("the entry belongs to another log")
        if at < self.at:
            self._listed(self.warnings, "the clock went backwards")
        self.at = at

    def _found(self, what: str) -> None:
        self._listed(self.findings, what)

    def _listed(self, findings: list[Finding], what: str) -> None:
        if len(findings) < MAX_FINDINGS:
            findings.append(Finding(self.expected, what))
        else:
            self.omitted += 1

    def result(self) -> Verification:
        """Compare with the given head and return what was found."""
        log = self.log or ""
        if self.given is not None:
            if self.given.log != log:
                self._found("the head given is that of another log")
            elif self.given.size > self.expected:
                self._found(f"the log ends after {self.expected} entries, the head given has {self.given.size}")
            elif self.given.root != self.reached:
                self._found(f"the first {self.given.size} entries do not lead to the head given")
        return Verification(
            entries=self.expected,
            verified=not self.findings,
            head=AuditHead(log, self.expected, self.previous),
            findings=tuple(self.findings),
            warnings=tuple(self.warnings),
            omitted=self.omitted,
            against_head=self.given is not None,
        )
