"""What several transactions do to a row: look whether its lease lapsed, close it, close its request."""

from dataclasses import replace
from datetime import datetime

from pydantic import JsonValue

from guarded_agents.audit import Kind, place_of
from guarded_agents.records import CallKey, Claim, ClaimStatus, Outcome, Reason, RequestStatus, StandingRequest
from guarded_agents.stores._outbox import tell_of_others
from guarded_agents.stores._results import AuditNote, Told
from guarded_agents.stores._rows import KEY_IS, claim_of, micros, outcome_columns
from guarded_agents.stores._tx import Tx


def note_of(kind: Kind, key: CallKey, **fields: JsonValue) -> AuditNote:
    """Return an audit entry about the call *key*, for what no caller writes an entry of."""
    return AuditNote(kind, place_of(key) | fields)


def existing_row(tx: Tx, key: CallKey, now: datetime) -> Claim | None:
    """Return the claim row of *key*; a SENDING one whose lease lapsed becomes IN_DOUBT first (8b.4, TX lapse)."""
    claim = claim_of(tx.db, key)
    if claim is None or claim.status is not ClaimStatus.SENDING or now < claim.lease_until:
        return claim
    tx.db.execute(
        f"UPDATE claims SET status = 'in_doubt', changed_at = ? WHERE {KEY_IS}",
        (micros(now), *key),
    )
    tx.append([note_of(Kind.OUTCOME, key, status=ClaimStatus.IN_DOUBT, attempt=claim.attempt, cause="lapsed")], now)
    return replace(claim, status=ClaimStatus.IN_DOUBT)


def close_row(
    tx: Tx, key: CallKey, reason: Reason, *, tool: str, now: datetime, outcome: Outcome | None = None
) -> Claim:
    """Write the CLOSED row of a call that was never sent and never will be; there must be no row yet (8b.2)."""
    tx.db.execute(
        "INSERT INTO claims VALUES (?, ?, ?, ?, ?, ?, '', '', 'closed', '', 0, ?, ?, NULL, ?, ?, ?, ?, ?)",
        (*key, tool, micros(now), reason.value, micros(now), *outcome_columns(tx.db, outcome)),
    )
    return Claim(key, ClaimStatus.CLOSED, "", 0, now, reason, outcome)


def close_request(tx: Tx, key: CallKey, status: RequestStatus, now: datetime) -> None:
    """Move the request of *key* to *status*, if it is open."""
    closed = tx.db.execute(
        f"UPDATE requests SET status = ?, settled_at = ? WHERE {KEY_IS} AND status IN ('pending', 'approved')"
        " RETURNING id",
        (status.value, micros(now), *key),
    ).fetchall()
    tell_of_others(tx, [request for (request,) in closed], status, now)


def withdraw_requests(tx: Tx, thread: str, entry: str, now: datetime) -> list[tuple[str, CallKey]]:
    """Withdraw the open requests of *entry*; return each with the call that it was for, in the order of their turns."""
    rows = tx.db.execute(
        "UPDATE requests SET status = 'withdrawn', settled_at = ?, due = NULL"
        " WHERE thread = ? AND entry = ? AND status IN ('pending', 'approved')"
        " RETURNING turn, number, digest, occurrence, id",
        (micros(now), thread, entry),
    ).fetchall()
    return [
        (request, CallKey(thread, entry, turn, digest, occurrence))
        for turn, _, digest, occurrence, request in sorted(rows)
    ]


def told_of(claim: Claim, standing: StandingRequest | None) -> Told:
    """Return what an existing row says. Where an edit led on, nothing is told as refused yet: see ``standing``."""
    edited = standing is not None and standing.status is RequestStatus.SUPERSEDED and standing.successor is not None
    return Told(claim.reason, claim, waiting=edited, standing=standing)
