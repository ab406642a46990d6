"""Does the log stand as it was written?"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, NamedTuple, Protocol

import orjson

from guarded_agents.audit._entry import GENESIS, Kind
from guarded_agents.audit._heads import HeadCheck
from guarded_agents.audit._note import Verifier, parse_head_text, parse_note
from guarded_agents.audit._tree import EMPTY_ROOT, Frontier
from guarded_agents.errors import ConfigurationError, NoteError
from guarded_agents.records import AuditHead

CANNOT_PROVE: Final = (
    "A log by itself cannot show that it was cut off at a signed head, nor that whoever holds its key "
    "wrote all of it anew: compare with a head that was kept elsewhere (--since-head) or that a witness signed."
)
MAX_FINDINGS: Final = 1_000
FROM_THE_FIRST: Final = -(2**63)  # of SQLite: a row before entry 0 is found too
_KEYS: Final = frozenset({"at", "fields", "kind", "log", "previous", "sequence"})
_AT_CHARS: Final = len("2026-01-05T10:00:00.000000Z")
_HEX_CHARS: Final = 64
_MAX_DIGITS: Final = 18
_OF_KEYS: Final = (Kind.LOG_OPENED, Kind.KEY_ROTATED)


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
    signed: int = 0  # entries under the newest signed head that holds
    witnessed: int = 0  # entries under heads that every witness given has cosigned
    key: str | None = None  # that signs the log now (vkey), None where it names none
    key_given: bool = False  # keys were given that vouch for it; else it is what the log itself names


def verify(
    rows: Iterable[tuple[int, bytes, str]],
    *,
    log: str | None = None,
    head: AuditHead | None = None,
    recorded: Iterable[AuditHead] = (),
    heads: Iterable[tuple[int, bytes]] | None = None,
    keys: Collection[Verifier] = (),
    witnesses: Collection[Verifier] = (),
) -> Verification:
    """Check *rows* (sequence, stored bytes, hash) from the first on, in the order given.

    Found are: a changed byte, a row moved, missing, doubled or added, a missing beginning, an entry
    of another log, bytes that are no entry, and a log that is shorter than a head or does not lead to
    it: *head* was kept elsewhere, those *recorded* were read from the log before, *heads* (size,
    signed note) are kept with it: see `HeadCheck` for these, *keys* and *witnesses*. Where *log* is
    None the first entry names the log. A clock that went backwards is a warning. An unknown kind is
    data.

    Not proved, whatever the rows: that nothing was cut off at a signed head, and that the holder of
    the key did not write the whole log anew. Only a *head* that was kept where that holder cannot
    write, or that a witness has signed, proves either, up to its size.
    """
    walk = Walk(
        log if log is not None or head is None else head.log,
        head,
        recorded=recorded,
        heads=HeadCheck(heads, keys, witnesses),
    )
    for row in rows:
        walk.step(*row)
    return walk.result()


class Log(Protocol):
    """Where a log is read: a store."""

    def audit_head(self) -> AuditHead:
        """Return the head as last committed."""

    def audit_rows(self, start: int = 0) -> Iterator[tuple[int, bytes, str]]:
        """Yield (sequence, stored bytes, hash as hex) from sequence *start* on."""

    def audit_heads(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Yield (size, signed note) of the kept heads of *start* or more entries, the smallest first."""


def verify_log(
    log: Log, *, head: AuditHead | None = None, keys: Collection[Verifier] = (), witnesses: Collection[Verifier] = ()
) -> Verification:
    """Return the result of `verify` over all of *log*, which may grow meanwhile."""
    own = log.audit_head()
    return verify(
        log.audit_rows(FROM_THE_FIRST),
        log=own.log,
        head=head,
        recorded=[own],
        heads=log.audit_heads(FROM_THE_FIRST),
        keys=keys,
        witnesses=witnesses,
    )


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


def read_head(stored: bytes) -> AuditHead:
    """Return the head that was kept as *stored*: a signed note, or ``LOG:SIZE:ROOT``.

    Where it was kept vouches for it: no signature is verified. Raises ConfigurationError.
    """
    try:
        head = parse_head_text(parse_note(stored).text)
    except NoteError:
        return parse_head(stored.decode(errors="replace").strip())
    return AuditHead(head.origin, head.size, head.root.hex())


def _is_hex(text: str) -> bool:
    return len(text) == _HEX_CHARS and all(char in "0123456789abcdef" for char in text)


class Walk:
    """The state of one pass over the rows, which may be taken in stretches. See `verify`."""

    def __init__(
        self,
        log: str | None,
        head: AuditHead | None = None,
        *,
        recorded: Iterable[AuditHead] = (),
        heads: HeadCheck | None = None,
    ) -> None:
        """Begin before the first row of *log*, None where that names it."""
        self._heads = HeadCheck() if heads is None else heads
        self.log, self.given, self._recorded = log, head, tuple(recorded)
        given = () if head is None else (head,)
        self._roots = {one.size: EMPTY_ROOT.hex() if one.size == 0 else None for one in (*given, *self._recorded)}
        self.expected, self.previous = 0, GENESIS
        self._tree = Frontier()
        self.at = datetime.min.replace(tzinfo=UTC)
        self.findings: list[Finding] = []
        self.warnings: list[Finding] = []
        self.omitted = 0

    def step(self, number: int, stored: bytes, recorded: str) -> None:
        """Check one row, cheaply where it is right."""
        if type(stored) is not bytes:
            self._found("the stored entry is not a row of bytes")
            stored = b""
        leaf = sha256(b"\x00" + stored)
        if leaf.hexdigest() != recorded:
            self._found("the stored bytes do not have the stored hash: one of them was changed")
        if number != self.expected:
            self._found(f"expected entry {self.expected}, got entry {number}: rows are missing, doubled or moved")
        self._entry(number, stored)
        self._tree.append(leaf.digest())
        self.previous = leaf.hexdigest()
        self.expected += 1
        if self.expected in self._roots:
            self._roots[self.expected] = self._tree.root().hex()
        while self.expected == self._heads.due:
            for what in self._heads.at(self.log or "", self.expected, self._tree.root()):
                self._found(what)

    def _entry(self, number: int, stored: bytes) -> None:
        """Check what the entry says of itself."""
        try:
            entry = orjson.loads(stored)
            at_text, log, sequence = entry["at"], entry["log"], entry["sequence"]
            previous, kind, fields = entry["previous"], entry["kind"], entry["fields"]
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
        if kind in _OF_KEYS and type(fields) is dict and (what := self._heads.read(fields)):
            self._found(what)

    def _found(self, what: str) -> None:
        self._listed(self.findings, what)

    def _listed(self, findings: list[Finding], what: str) -> None:
        if len(findings) < MAX_FINDINGS:
            findings.append(Finding(self.expected, what))
        else:
            self.omitted += 1

    def result(self) -> Verification:
        """Compare with the heads and return what was found."""
        log = self.log or ""
        for head in self._recorded:
            self._compare(head, log, "the head recorded")
        if self.given is not None:
            self._compare(self.given, log, "the head given")
        for what in self._heads.beyond(self.expected):
            self._found(what)
        return Verification(
            entries=self.expected,
            verified=not self.findings,
            head=AuditHead(log, self.expected, self._tree.root().hex()),
            findings=tuple(self.findings),
            warnings=tuple(self.warnings),
            omitted=self.omitted,
            against_head=self.given is not None,
            signed=self._heads.signed,
            witnessed=self._heads.witnessed,
            key=None if self._heads.key is None else str(self._heads.key),
            key_given=self._heads.given,
        )

    def _compare(self, head: AuditHead, log: str, which: str) -> None:
        if head.log != log:
            self._found(f"{which} is that of another log")
        elif head.size > self.expected:
            self._found(f"the log ends after {self.expected} entries, {which} has {head.size}")
        elif head.root != self._roots[head.size]:
            self._found(f"the first {head.size} entries do not lead to {which}")
