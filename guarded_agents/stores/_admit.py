"""The transaction that admits a call: check, consume, claim and intend at once (DESIGN section 8b.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from guarded_agents.approval import agreed_at, is_answered, usable_until
from guarded_agents.records import (
    REFUSES,
    CallKey,
    Claim,
    ClaimStatus,
    Limits,
    Reason,
    RequestStatus,
    StandingRequest,
)
from guarded_agents.stores._ballot import votes_on
from guarded_agents.stores._closing import close_request, close_row, existing_row, told_of
from guarded_agents.stores._glass import is_glass_on_record
from guarded_agents.stores._results import NO_USE, Admission, AuditNote, Proven, Told, Use
from guarded_agents.stores._rows import (
    CLAIM_OF_PROPOSAL,
    KEY_IS,
    REQUEST_OF_PROPOSAL,
    micros,
    principal_from,
    request_of_key,
)
from guarded_agents.stores._trail import endorse, is_spent, put_use
from guarded_agents.stores._tx import Tx

_HOUR: Final = timedelta(seconds=3_600)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the door asks when it wants to send a call."""

    key: CallKey
    owner: str
    lease_until: datetime  # UTC
    proven: Proven | None  # the request that stands for the call, where the caller knows one
    limits: Limits
    notes: Sequence[AuditNote]
    refusal: AuditNote
    now: datetime  # UTC
    use: Use = NO_USE


def admit(tx: Tx, asked: Asked) -> Admission | Told:
    """Check, consume, claim and intend at once (8b.1; TX claim): the first writer of the row wins."""
    tool, asker, is_held, is_claimed = _recorded(tx, asked.key)
    standing = request_of_key(tx.db, asked.key) if is_held else None
    claim = existing_row(tx, asked.key, asked.now) if is_claimed else None
    if claim is not None:
        return told_of(claim, standing)
    if tool is None:
        _append_refusal(tx, asked, Reason.NOT_PROPOSED)
        return Told(Reason.NOT_PROPOSED)
    if (waiting := _waiting(asked, standing)) is not None:
        return waiting
    reason = _spent_request(tx, asked, standing) or _spent_use(tx, asked) or _limit_reached(tx, asked, tool, asker)
    if reason is not None:
        return _refused(tx, asked, tool, reason)
    _draw(tx, asked, standing)
    return _admitted(tx, asked, tool, asker, is_held=is_held)


class _Recorded(NamedTuple):
    """What stands of a call. One that is no proposal may still have a request or a claim row."""

    tool: str | None = None
    asker: tuple[str, str] = ("", "")  # principal and tenant that opened its entry
    is_held: bool = True  # there may be a request
    is_claimed: bool = True  # there may be a claim row


def _recorded(tx: Tx, key: CallKey) -> _Recorded:
    row = tx.db.execute(
        f"SELECT p.tool, e.requester, e.tenant, r.id IS NOT NULL, c.status IS NOT NULL FROM proposals p"
        f" LEFT JOIN {CLAIM_OF_PROPOSAL} LEFT JOIN {REQUEST_OF_PROPOSAL} LEFT JOIN entries e USING (thread, entry)"
        f" WHERE {KEY_IS}",
        key,
    ).fetchone()
    if row is None:
        return _Recorded()
    tool, requester, tenant, is_held, is_claimed = row
    asker = ("", "") if requester is None else (principal_from(requester).id, tenant)
    return _Recorded(tool, asker, bool(is_held), bool(is_claimed))


def _waiting(asked: Asked, standing: StandingRequest | None) -> Told | None:
    """Return what is told while nobody may be told that the call is refused (8b.3)."""
    if standing is None:
        return None if asked.proven is None else Told(Reason.PERMITTED, waiting=True)
    if asked.proven is not None and asked.proven.request.id != standing.request.id:
        return Told(Reason.PERMITTED, waiting=True)
    if standing.status is RequestStatus.PENDING:
        return Told(Reason.PERMITTED, waiting=True, standing=standing)
    if standing.status is RequestStatus.SUPERSEDED:
        return Told(Reason.SUPERSEDED, waiting=True, standing=standing)
    return None


def _spent_request(tx: Tx, asked: Asked, standing: StandingRequest | None) -> Reason | None:
    """Return why the request cannot be consumed now."""
    if standing is None:
        return None
    if standing.status is not RequestStatus.APPROVED:
        return REFUSES.get(standing.status, Reason.VOIDED)
    return why_unusable(tx, standing, asked.proven, asked.now)


def _spent_use(tx: Tx, asked: Asked) -> Reason | None:
    """Return why an unattended call may not draw on what its user asked for (DESIGN section 7)."""
    use = asked.use
    is_refused = use.is_checked and (use.licence is None or is_spent(tx, asked.key, use.licence))
    return Reason.UNLICENSED if is_refused else None


def _draw(tx: Tx, asked: Asked, standing: StandingRequest | None) -> None:
    """Record what the call spends, and the values that its quorum agreed to: a broken glass agrees to one call."""
    use = asked.use
    if use.licence is not None:
        put_use(tx, asked.key, use.licence, use.labels)
    if standing is not None and not standing.broke_glass:
        endorse(tx, asked.key.thread, use.endorsed, use.labels)


def why_unusable(tx: Tx, standing: StandingRequest, proven: Proven | None, now: datetime) -> Reason | None:
    """Return why what people agreed to does not let the call be sent at *now* (UTC), None where it does.

    The quorum is counted again, over what was proven and who counts. What this transaction reads nobody has proven:
    it has to be the same to the letter, and is not counted.
    """
    if standing.execute_by is None or now >= standing.execute_by:
        return Reason.LAPSED
    if proven is None:
        return None
    if (standing.request, votes_on(tx, standing.request)) != (proven.request, proven.votes):
        return Reason.VOIDED
    return _not_agreed(tx, proven, now)


def _not_agreed(tx: Tx, proven: Proven, now: datetime) -> Reason | None:
    """Return why what people signed does not let the call be sent at *now* (UTC); ``execute_by`` nobody has signed."""
    request = proven.request
    if is_answered(request, proven.said):
        return Reason.VOIDED
    at = agreed_at(request, proven.said, electorate=proven.electorate)
    if at is not None:
        return None if now < usable_until(at, within_s=request.execute_within_s) else Reason.LAPSED
    return None if is_glass_on_record(tx, proven, now) else Reason.VOIDED


def _limit_reached(tx: Tx, asked: Asked, tool: str, asker: tuple[str, str]) -> Reason | None:
    limits = asked.limits
    if limits.per_thread is not None:
        (count,) = tx.db.execute(
            "SELECT count(*) FROM claims INDEXED BY claims_of_thread"
            " WHERE thread = ? AND tool = ? AND admitted_at IS NOT NULL",
            (asked.key.thread, tool),
        ).fetchone()
        if count >= limits.per_thread:
            return Reason.LIMIT_REACHED
    if limits.per_hour is not None:
        (count,) = tx.db.execute(
            "SELECT count(*) FROM claims WHERE tool = ? AND requester = ? AND tenant = ? AND admitted_at > ?",
            (tool, *asker, micros(asked.now - _HOUR)),
        ).fetchone()
        if count >= limits.per_hour:
            return Reason.LIMIT_REACHED
    return None


def _append_refusal(tx: Tx, asked: Asked, reason: Reason) -> None:
    kind, fields = asked.refusal
    tx.append([AuditNote(kind, {**fields, "reason": reason})], asked.now)


def _refused(tx: Tx, asked: Asked, tool: str, reason: Reason) -> Told:
    claim = close_row(tx, asked.key, reason, tool=tool, now=asked.now)
    ends = RequestStatus.LAPSED if reason is Reason.LAPSED else RequestStatus.VOIDED
    close_request(tx, asked.key, ends, asked.now)
    _append_refusal(tx, asked, reason)
    return Told(reason, claim, standing=request_of_key(tx.db, asked.key))


def _admitted(tx: Tx, asked: Asked, tool: str, asker: tuple[str, str], *, is_held: bool) -> Admission:
    now = micros(asked.now)
    if is_held:
        tx.db.execute(f"UPDATE requests SET status = 'consumed' WHERE {KEY_IS}", asked.key)
    tx.db.execute(
        "INSERT INTO claims VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'sending', ?, 1, ?, ?, ?, ?, NULL, NULL, NULL, NULL)",
        (
            *asked.key,
            tool,
            *asker,
            asked.owner,
            micros(asked.lease_until),
            Reason.PERMITTED.value,
            now,
            now,
        ),
    )
    tx.append(asked.notes, asked.now)
    claim = Claim(asked.key, ClaimStatus.SENDING, asked.owner, 1, asked.lease_until, Reason.PERMITTED, None, asked.now)
    return Admission(claim)
