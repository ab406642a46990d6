"""What time alone does, to all rows at once (DESIGN section 8; TX sweep). It never approves."""

from datetime import datetime
from typing import Final, NamedTuple

from guarded_agents.audit import Kind
from guarded_agents.records import CallKey, ClaimStatus, NoticeKind, RequestStatus
from guarded_agents.stores._closing import note_of
from guarded_agents.stores._outbox import put_notices, tell_of_others
from guarded_agents.stores._results import Swept
from guarded_agents.stores._rows import micros, risk_of
from guarded_agents.stores._tables import UNREVIEWED
from guarded_agents.stores._tx import Tx


class _Passing(NamedTuple):
    """What becomes of requests whose time has passed, by which index they are found, and the condition on the time."""

    status: RequestStatus
    found_by: str
    condition: str


_EXPIRING: Final = _Passing(RequestStatus.EXPIRED, "requests_expiring", "status = 'pending' AND decide_by")
_LAPSING: Final = _Passing(RequestStatus.LAPSED, "requests_lapsing", "status = 'approved' AND execute_by")


def sweep(tx: Tx, *, now: datetime) -> Swept:
    """Let pass what has passed, and note once what is escalated or overdue; each with its audit entry."""
    return Swept(
        expired=_timed_out(tx, _EXPIRING, now),
        lapsed=_timed_out(tx, _LAPSING, now),
        escalated=_escalated(tx, now),
        in_doubt=_in_doubt(tx, now),
        overdue=_overdue(tx, now),
    )


def _timed_out(tx: Tx, passing: _Passing, now: datetime) -> tuple[str, ...]:
    status, found_by, condition = passing
    at = micros(now)
    rows = tx.db.execute(
        f"UPDATE requests INDEXED BY {found_by} SET status = ?, settled_at = ?, due = ? WHERE {condition} <= ?"
        " RETURNING number, id, thread, entry, turn, digest, occurrence",
        (status.value, at, at, at),
    ).fetchall()
    rows.sort()
    tell_of_others(tx, [request for _, request, *_ in rows], status, now)
    notes = [note_of(Kind.APPROVAL, CallKey(*key), request=request, status=status) for _, request, *key in rows]
    tx.append(notes, now)
    return tuple(request for _, request, *_ in rows)


def _escalated(tx: Tx, now: datetime) -> tuple[str, ...]:
    """Note what the backup may answer as well, and tell it. Who may answer follows from the time alone.

    Of what its own group was not told, the backup is not told either: another request stands for that question.
    """
    rows = tx.db.execute(
        "UPDATE requests INDEXED BY requests_escalating SET escalated_at = ?"
        " WHERE status = 'pending' AND escalate_at IS NOT NULL AND escalated_at IS NULL AND escalate_at <= ?"
        " AND asked_at <= ?"
        " RETURNING number, id, risk, iif(json_valid(document), document ->> '$.backup', NULL),"
        " thread, entry, turn, digest, occurrence",
        (micros(now),) * 3,
    ).fetchall()
    rows.sort()
    put_notices(
        tx,
        [(NoticeKind.ESCALATED, request, risk_of(risk), backup) for _, request, risk, backup, *_ in rows if backup],
        now,
    )
    tx.append(
        [
            note_of(Kind.APPROVAL, CallKey(*key), request=request, status=RequestStatus.PENDING, escalated_to=backup)
            for _, request, _, backup, *key in rows
        ],
        now,
    )
    return tuple(request for _, request, *_ in rows)


def _in_doubt(tx: Tx, now: datetime) -> int:
    """Put in doubt what is being sent beyond its lease: its owner may still send (8b.4; TX lapse)."""
    rows = tx.db.execute(
        "UPDATE claims INDEXED BY claims_open SET status = 'in_doubt', changed_at = ?"
        " WHERE status IN ('sending', 'in_doubt', 'conflict') AND status = 'sending' AND lease_until <= ?"
        " RETURNING thread, entry, turn, digest, occurrence, attempt",
        (micros(now), micros(now)),
    ).fetchall()
    notes = []
    for *key, attempt in sorted(rows):
        notes.append(note_of(Kind.OUTCOME, CallKey(*key), status=ClaimStatus.IN_DOUBT, attempt=attempt, cause="lapsed"))
    tx.append(notes, now)
    return len(rows)


def _overdue(tx: Tx, now: datetime) -> tuple[str, ...]:
    """Note reviews of broken glass that are overdue, and tell those who are to review."""
    rows = tx.db.execute(
        "SELECT r.id, r.risk, g.reviewers, r.status, r.thread, r.entry, r.turn, r.digest, r.occurrence"
        " FROM broken_glass g JOIN requests r ON r.id = g.request"
        f" WHERE {UNREVIEWED} AND g.noted_at IS NULL AND g.review_due <= ?"
        " ORDER BY g.review_due, g.request",
        (micros(now),),
    ).fetchall()
    tx.db.execute(
        f"UPDATE broken_glass SET noted_at = ? WHERE {UNREVIEWED} AND noted_at IS NULL AND review_due <= ?",
        (micros(now), micros(now)),
    )
    put_notices(
        tx,
        [(NoticeKind.REVIEW_OVERDUE, request, risk_of(risk), reviewers) for request, risk, reviewers, *_ in rows],
        now,
    )
    tx.append(
        [
            note_of(Kind.APPROVAL, CallKey(*key), request=request, status=status, review="overdue")
            for request, _, _, status, *key in rows
        ],
        now,
    )
    return tuple(request for request, *_ in rows)
