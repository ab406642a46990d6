"""The transactions that record what a user wrote and what the model proposes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from guarded_agents.audit import Kind
from guarded_agents.errors import NotEligibleError, StoreError
from guarded_agents.provenance import pin_plan
from guarded_agents.records import (
    REFUSES,
    CallKey,
    ClaimStatus,
    Principal,
    Proposal,
    Reason,
    RequestStatus,
    ThreadFacts,
)
from guarded_agents.stores._closing import close_request, close_row, note_of, withdraw_requests
from guarded_agents.stores._outbox import tell_of_others
from guarded_agents.stores._results import EntryOpened, SeenMessage
from guarded_agents.stores._rows import (
    CLAIM_OF_PROPOSAL,
    REQUEST_OF_PROPOSAL,
    is_left,
    join_labels,
    micros,
    put_proposal,
    thread_of,
)
from guarded_agents.stores._trail import put_plan, put_seen, put_text
from guarded_agents.stores._tx import Tx

_MAY_HAVE_HAPPENED: Final = frozenset(
    {
        ClaimStatus.SENDING,
        ClaimStatus.EXECUTED,
        ClaimStatus.IN_DOUBT,
        ClaimStatus.HAPPENED,
        ClaimStatus.NOT_OBSERVED,
        ClaimStatus.CONFLICT,
    }
)


# -- new input --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opening:
    """An entry as it is opened: who asks, what was written, which plan is to be pinned, and what is seen of it."""

    facts: ThreadFacts
    text: str = ""
    plan: Collection[str] | None = None
    seen: tuple[SeenMessage, ...] = ()


def open_entry(tx: Tx, opening: Opening, *, now: datetime) -> EntryOpened:
    """Make the entry of *opening* the current one of its thread, with what its user wrote (8b.2; TX withdraw).

    Raises NotEligibleError where it is recorded with another requester or tenant.
    """
    opened = opening.facts
    known = _recorded(tx, opened)
    before = tx.db.execute("SELECT entry FROM threads WHERE thread = ?", (opened.thread,)).fetchone()
    if before is not None and before[0] not in (None, opened.entry):
        _withdraw(tx, opened.thread, before[0], now)
    if not known:
        tx.db.execute(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?)",
            (opened.thread, opened.entry, opened.requester.model_dump_json(), opened.tenant, micros(now)),
        )
    join_labels(tx.db, opened.thread, opened.labels)
    if not known:
        put_text(tx.db, opened.thread, opened.entry, opening.text, opened.labels)
    for seen in opening.seen:
        put_seen(tx.db, opened.thread, seen)
    tx.db.execute("UPDATE threads SET entry = ? WHERE thread = ?", (opened.entry, opened.thread))
    facts = thread_of(tx.db, opened.thread) or opened
    if opening.plan is not None:
        pinned = pin_plan(opening.plan, facts.labels)
        put_plan(tx.db, opened.thread, pinned.tools, facts.labels)
    return EntryOpened(facts, not known)


def _recorded(tx: Tx, opened: ThreadFacts) -> bool:
    row = tx.db.execute(
        "SELECT requester, tenant FROM entries WHERE thread = ? AND entry = ?", (opened.thread, opened.entry)
    ).fetchone()
    if row is None:
        return False
    requester = Principal.model_validate_json(row[0])
    theirs, ours = (requester.id, requester.acting_for, row[1]), opened.requester
    if theirs != (ours.id, ours.acting_for, opened.tenant):  # scopes may change with a token; the recorded ones count
        raise NotEligibleError(
            f"entry {opened.entry} of thread {opened.thread}",
            expected="the requester and tenant that it is recorded with",
            got="another one",
            action="start a thread of your own",
        )
    return True


def withdraw(tx: Tx, thread: str, *, now: datetime) -> tuple[str, ...]:
    """Close what the current entry of *thread* left open, as new input does (8b.2); return the requests withdrawn."""
    row = tx.db.execute("SELECT entry FROM threads WHERE thread = ?", (thread,)).fetchone()
    return () if row is None or row[0] is None else _withdraw(tx, thread, row[0], now)


def _withdraw(tx: Tx, thread: str, entry: str, now: datetime) -> tuple[str, ...]:
    """Close what *entry* left open, over row and request; what was sent stays as it is (8b.2)."""
    left = tx.db.execute(
        "SELECT p.turn, p.digest, p.occurrence, p.tool, r.status FROM proposals p"
        f" LEFT JOIN {CLAIM_OF_PROPOSAL} LEFT JOIN {REQUEST_OF_PROPOSAL}"
        " WHERE p.thread = ? AND p.entry = ? AND p.consequential AND c.status IS NULL ORDER BY p.turn, p.payload",
        (thread, entry),
    ).fetchall()
    notes = []
    for turn, digest, occurrence, tool, asked in left:
        key, reason = CallKey(thread, entry, turn, digest, occurrence), REFUSES.get(asked, Reason.WITHDRAWN)
        close_row(tx, key, reason, tool=tool, now=now)
        notes.append(note_of(Kind.WITHDRAWAL, key, tool=tool, reason=reason))
    withdrawn = withdraw_requests(tx, thread, entry, now)
    tell_of_others(tx, [request for request, _ in withdrawn], RequestStatus.WITHDRAWN, now)
    for request, key in withdrawn:
        notes.append(note_of(Kind.APPROVAL, key, request=request, status=RequestStatus.WITHDRAWN))
    tx.append(notes, now)
    return tuple(request for request, _ in withdrawn)


# -- what the model proposes ------------------------------------------------------------------


class _Recorded(NamedTuple):
    consequential: bool
    tool: str
    status: ClaimStatus | None
    reason: Reason | None
    asked: bool  # a request was written for it


def propose(tx: Tx, calls: Sequence[Proposal], *, now: datetime) -> frozenset[CallKey]:
    """Record what one model message proposes; return the keys that are refused (8b.6; TX propose).

    A refused call is recorded together with a CLOSED row, so that it stays refused.
    """
    if not calls:
        return frozenset()
    recorded = _turn(tx, calls)
    keys = {call.key for call in calls}
    refused = {
        key for key in keys & recorded.keys() if recorded[key].reason is Reason.SUPERSEDED and not recorded[key].asked
    }
    new = {call.key: call for call in calls if call.key not in recorded}
    if not new:
        return frozenset(refused)
    reason = _make_way(tx, new, {key: row for key, row in recorded.items() if key not in keys}, now)
    for key, call in new.items():
        put_proposal(tx.db, call)
        if reason is not None and call.consequential:
            close_row(tx, key, reason, tool=call.tool, now=now)
            tx.append([note_of(Kind.REFUSAL, key, tool=call.tool, reason=reason)], now)
            refused.add(key)
    return frozenset(refused)


def _turn(tx: Tx, calls: Sequence[Proposal]) -> dict[CallKey, _Recorded]:
    """Return what is recorded of the turn that all of *calls* share."""
    places = {call.key[:3] for call in calls}
    if len(places) != 1:
        raise StoreError(
            "proposals",
            expected="one thread, entry and turn",
            got=str(len(places)),
            action="record each turn by itself",
        )
    (place,) = places
    rows = tx.db.execute(
        "SELECT p.digest, p.occurrence, p.consequential, p.tool, c.status, c.reason, r.id IS NOT NULL FROM proposals p"
        f" LEFT JOIN {CLAIM_OF_PROPOSAL} LEFT JOIN {REQUEST_OF_PROPOSAL}"
        " WHERE p.thread = ? AND p.entry = ? AND p.turn = ?",
        place,
    )
    return {
        CallKey(*place, digest, occurrence): _Recorded(
            bool(consequential), tool, status and ClaimStatus(status), reason and Reason(reason), bool(asked)
        )
        for digest, occurrence, consequential, tool, status, reason, asked in rows
    }


def _make_way(tx: Tx, new: dict[CallKey, Proposal], older: dict[CallKey, _Recorded], now: datetime) -> Reason | None:
    """Close the older proposals of the turn; return why the new ones that need a claim are refused, if they are."""
    if is_left(tx.db, *next(iter(new))[:2]):
        return Reason.WITHDRAWN  # the user wrote something new while the model was thinking
    if any(row.status in _MAY_HAVE_HAPPENED for row in older.values()):
        return Reason.SUPERSEDED  # a person, or its outcome, comes first
    for key, row in older.items():
        if row.consequential and row.status is None:
            close_row(tx, key, Reason.SUPERSEDED, tool=row.tool, now=now)
            close_request(tx, key, RequestStatus.SUPERSEDED, now)
            tx.append([note_of(Kind.REFUSAL, key, tool=row.tool, reason=Reason.SUPERSEDED)], now)
    return None
