"""The transactions over a claim row that is there, and the one that closes it (DESIGN section 8b)."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from guarded_agents.audit import Kind
from guarded_agents.errors import StoreError
from guarded_agents.records import (
    CallKey,
    Claim,
    ClaimStatus,
    Labels,
    Outcome,
    Reason,
    RequestStatus,
    StandingRequest,
)
from guarded_agents.stores._admit import why_unusable
from guarded_agents.stores._closing import close_request, close_row, existing_row, note_of
from guarded_agents.stores._results import Admission, AuditNote, Proven, Told
from guarded_agents.stores._rows import KEY_IS, claim_of, join_labels, micros, outcome_columns, request_of_key, tool_of
from guarded_agents.stores._tx import Tx

_UNSETTLED: Final = frozenset({ClaimStatus.SENDING, ClaimStatus.IN_DOUBT})
_SAID_NOT_TO_HAVE_HAPPENED: Final = frozenset(
    {ClaimStatus.NOT_HAPPENED, ClaimStatus.NOT_OBSERVED, ClaimStatus.FAILED, ClaimStatus.CLOSED}
)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What came of an attempt, as its sender saw it."""

    key: CallKey
    attempt: int
    outcome: Outcome
    labels: Labels
    note: AuditNote
    now: datetime  # UTC


@dataclass(frozen=True, slots=True)
class Again:
    """What the door asks when it wants to send a call again."""

    key: CallKey
    attempt: int  # the one that was seen
    owner: str
    lease_until: datetime  # UTC
    proven: Proven | None  # as of `Asked`
    now: datetime  # UTC


def retry(tx: Tx, again: Again) -> Admission | Told:
    """Send an idempotent call again, over the attempt that was seen and no other (8b.4, 8b.7; TX retry).

    The attempt before may never have arrived, so what people agreed to has to stand as it does for a first one.
    """
    key, now = again.key, again.now
    claim, standing = existing_row(tx, key, now), request_of_key(tx.db, key)
    if claim is None:
        return Told(Reason.NOT_PROPOSED)
    is_seen = claim.status is ClaimStatus.IN_DOUBT and claim.attempt == again.attempt
    if not is_seen or not _may_still_be_sent(tx, standing, again):
        return Told(claim.reason, claim, standing=standing)
    taken = replace(
        claim,
        status=ClaimStatus.SENDING,
        owner=again.owner,
        attempt=again.attempt + 1,
        lease_until=again.lease_until,
        outcome=None,
    )
    _write(tx, taken, now, over=claim)
    tx.append([note_of(Kind.INTENT, key, attempt=taken.attempt)], now)
    return Admission(taken)


def _may_still_be_sent(tx: Tx, standing: StandingRequest | None, again: Again) -> bool:
    if standing is None:
        return again.proven is None
    return standing.status is RequestStatus.CONSUMED and why_unusable(tx, standing, again.proven, again.now) is None


def settle(tx: Tx, settlement: Settlement) -> Claim:
    """Store what came of a sent call, and join its labels into the thread's (8b; TX settle)."""
    key, outcome, now = settlement.key, settlement.outcome, settlement.now
    claim = claim_of(tx.db, key)
    if claim is None or outcome.status not in (ClaimStatus.EXECUTED, ClaimStatus.FAILED, ClaimStatus.IN_DOUBT):
        raise StoreError(
            f"claim of {key.thread}/{key.entry}/{key.turn}",
            expected="an admitted call that was executed, failed or is in doubt",
            got=f"{outcome.status.value} of a call that was {'not ' if claim is None else ''}claimed",
            action="settle only what was admitted",
        )
    join_labels(tx.db, key.thread, settlement.labels)
    status = _next_status(claim, settlement.attempt, outcome.status)
    if status is None:
        return claim
    notes = [settlement.note]
    if status is not outcome.status:  # another than the sender thinks
        notes.append(note_of(Kind.OUTCOME, key, status=status, attempt=settlement.attempt))
    tx.append(notes, now)
    # What is in doubt must not be told as failed: of an error after a retry no outcome is kept.
    kept = None if (status, outcome.status) == (ClaimStatus.IN_DOUBT, ClaimStatus.FAILED) else outcome
    settled = replace(claim, status=status, outcome=kept)
    _write(tx, settled, now, over=claim)
    return settled


def _next_status(claim: Claim, attempt: int, said: ClaimStatus) -> ClaimStatus | None:
    """Return the status that *said* leads to, None where it changes nothing."""
    if said is ClaimStatus.EXECUTED:  # an acknowledged effect is recorded, whoever reports it
        if claim.status in _UNSETTLED:
            return said
        return ClaimStatus.CONFLICT if claim.status in _SAID_NOT_TO_HAVE_HAPPENED else None
    if claim.attempt != attempt or claim.status not in _UNSETTLED:
        return None
    if said is ClaimStatus.FAILED and attempt == 1:
        return said
    return ClaimStatus.IN_DOUBT if claim.status is ClaimStatus.SENDING else None


def refuse(tx: Tx, key: CallKey, ended: tuple[Reason, Outcome], note: AuditNote, *, now: datetime) -> Claim:
    """Close the row, and the request with it, before the model is told (8b.2; TX refuse)."""
    reason, outcome = ended
    claim = existing_row(tx, key, now)
    if claim is not None:
        return claim
    tool = tool_of(tx.db, key)
    tx.append([note], now)
    if tool is None:
        return Claim(key, ClaimStatus.CLOSED, "", 0, now, Reason.NOT_PROPOSED, outcome)
    close_request(tx, key, RequestStatus.EXPIRED if reason is Reason.EXPIRED else RequestStatus.VOIDED, now)
    return close_row(tx, key, reason, tool=tool, now=now, outcome=outcome)


def _write(tx: Tx, claim: Claim, now: datetime, *, over: Claim) -> None:
    """Write where *claim* now stands, in place of *over*, whose outcome is erased: nothing names it any more."""
    if over.outcome is not None:
        tx.db.execute(
            f"UPDATE payloads SET body = NULL WHERE id = (SELECT outcome_payload FROM claims WHERE {KEY_IS})", claim.key
        )
    tx.db.execute(
        "UPDATE claims SET status = ?, owner = ?, attempt = ?, lease_until = ?, changed_at = ?, outcome_status = ?,"
        f" outcome_is_error = ?, outcome_reason = ?, outcome_payload = ? WHERE {KEY_IS}",
        (
            claim.status.value,
            claim.owner,
            claim.attempt,
            micros(claim.lease_until),
            micros(now),
            *outcome_columns(tx.db, claim.outcome),
            *claim.key,
        ),
    )
