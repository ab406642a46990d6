"""What waits to be written with the next group, and is visible to reads at once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import orjson

from guarded_agents.audit import Kind
from guarded_agents.errors import StoreError
from guarded_agents.records import CallKey, Labels, Proposal
from guarded_agents.stores._redactions import KeptRow, put_kept
from guarded_agents.stores._results import AuditNote, SeenMessage
from guarded_agents.stores._rows import is_left, join_labels, put_proposal, stricter, tool_of
from guarded_agents.stores._trail import put_seen, put_suspicion
from guarded_agents.stores._tx import Tx

_KINDS: Final = frozenset(kind.value for kind in Kind)
_MAX_NUMBER: Final = 2**63 - 1  # the largest integer of SQLite


class Buffer:
    """One group: audit notes in order, labels by thread, proposals by key, messages seen or suspect, what was kept.

    What it takes can be written. What cannot is refused at once, to the caller at fault, and holds up no group.
    """

    __slots__ = ("_count", "_notes", "kept", "labels", "proposals", "seen", "suspects")

    def __init__(self) -> None:
        """Begin an empty group."""
        self._count = 0
        self._notes: list[tuple[Sequence[AuditNote], datetime]] = []
        self.labels: dict[str, Labels] = {}
        self.proposals: dict[CallKey, Proposal] = {}
        self.seen: dict[tuple[str, str], SeenMessage] = {}
        self.kept: dict[KeptRow, bytes | None] = {}
        self.suspects: dict[tuple[str, str], None] = {}  # in order

    def __len__(self) -> int:
        """Return how many entries, labels and proposals wait."""
        return self._count

    def note(self, notes: Sequence[AuditNote], now: datetime) -> None:
        """Take *notes*, as taken at *now* (UTC)."""
        self._notes.append((notes, now))
        self._count += len(notes)

    def relabel(self, thread: str, labels: Labels) -> None:
        """Join *labels* into those of *thread*."""
        known = self.labels.get(thread)
        self.labels[thread] = labels if known is None else stricter(known, labels)
        self._count += 1

    def propose(self, calls: Sequence[Proposal]) -> None:
        """Take calls of which none needs a claim."""
        for call in calls:
            self.proposals.setdefault(call.key, call)
        self._count += len(calls)

    def see(self, thread: str, seen: SeenMessage) -> None:
        """Take a message of *thread*; of one that waits already the labels are joined."""
        at = (thread, seen.digest)
        known = self.seen.get(at)
        self.seen[at] = seen if known is None else replace(known, labels=stricter(known.labels, seen.labels))
        self._count += 1

    def keep(self, rows: Mapping[KeptRow, bytes | None]) -> None:
        """Take rows of what was taken out of texts."""
        for row, body in rows.items():
            self.kept.setdefault(row, body)
        self._count += len(rows)

    def suspect(self, thread: str, message: str) -> None:
        """Take that *message* of *thread* asks for a person."""
        self.suspects[thread, message] = None
        self._count += 1

    def write(self, tx: Tx) -> None:
        """Write the group (DESIGN I5, I9; TX propose where nothing stands in the way)."""
        for thread, labels in self.labels.items():
            join_labels(tx.db, thread, labels)
        for (thread, _), seen in self.seen.items():
            put_seen(tx.db, thread, seen)
        for thread, message in self.suspects:
            put_suspicion(tx.db, thread, message)
        for row, body in self.kept.items():
            put_kept(tx.db, row, body)
        left = {place: is_left(tx.db, *place) for place in {key[:2] for key in self.proposals}}
        for key, call in self.proposals.items():
            if not left[key[:2]] and tool_of(tx.db, key) is None:
                put_proposal(tx.db, call)
        if self._notes:
            tx.append_each(self._notes)


def check_notes(notes: Sequence[AuditNote]) -> None:
    """Raise StoreError for one of *notes* that is of no known kind or that JSON cannot spell.

    That is what a tool's or a model's text may bring about. The rest that `seal` refuses (a float, a time that is not
    UTC) only code can bring about: it stops the group, and with it every later call.
    """
    for kind, fields in notes:
        if kind not in _KINDS:
            raise _unstorable("an audit entry of a known kind", "another")
        try:
            orjson.dumps(fields if type(fields) is dict else dict(fields))
        except orjson.JSONEncodeError:
            raise _unstorable("an audit entry that JSON can spell", "another") from None


def check_text(*texts: str) -> None:
    """Raise StoreError unless each of *texts* can be stored (a lone surrogate cannot)."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise _unstorable("text without lone surrogates", "one") from None


def check_calls(calls: Sequence[Proposal]) -> None:
    """Raise StoreError unless each of *calls* can be stored."""
    for call in calls:
        thread, entry, turn, digest, occurrence = call.key
        check_text(thread, entry, digest, call.tool, call.call_id)
        if not (0 <= turn <= _MAX_NUMBER and 0 <= occurrence <= _MAX_NUMBER):
            raise _unstorable("a turn and an occurrence from 0 on, below 2^63", "another")


def _unstorable(expected: str, got: str) -> StoreError:
    return StoreError("what is to be recorded", expected=expected, got=got, action="correct the caller")
