"""Whether a call may wait for people at all (DESIGN section 8)."""

import sqlite3
from datetime import datetime, timedelta
from typing import Final

from guarded_agents.records import ApprovalRequest, QueueLimits, Reason
from guarded_agents.stores._outbox import LAST_ASKED
from guarded_agents.stores._results import Told
from guarded_agents.stores._rows import micros, moment
from guarded_agents.stores._tx import Tx

_MICROS: Final = 1_000_000  # in a second


def not_asked(tx: Tx, request: ApprovalRequest, limits: QueueLimits, now: datetime) -> Told | None:
    """Return why nobody is asked, and when it could be tried again; None where *request* may wait.

    What has passed its decide-by and was not swept yet waits no more, and so does not stand for another.
    """
    coalesced = _same_waits(tx.db, request, now)
    if coalesced is not None:
        return Told(Reason.COALESCED, retry_at=coalesced)
    rejected = _last_rejected(tx.db, request)
    if rejected is not None and now < rejected + timedelta(seconds=limits.ask_again_after_s):
        return Told(Reason.ALREADY_REJECTED, retry_at=rejected + timedelta(seconds=limits.ask_again_after_s))
    return _full(tx.db, request, limits, now)


def told_at(tx: Tx, request: ApprovalRequest, limits: QueueLimits, now: datetime) -> datetime | None:
    """Return when its group is to be told of *request*: the same question once within ``ask_again_after_s``.

    None where somebody is to be told of the same question later anyway.
    """
    (last,) = tx.db.execute(LAST_ASKED, (request.question,)).fetchone()
    if last is None:
        return now
    due = moment(last) + timedelta(seconds=limits.ask_again_after_s)
    if now >= due:
        return now
    return None if moment(last) > now else due


def _same_waits(db: sqlite3.Connection, request: ApprovalRequest, now: datetime) -> datetime | None:
    """Return the decide-by of the identical request that waits on the same thread."""
    (decide_by,) = db.execute(
        "SELECT max(decide_by) FROM requests INDEXED BY requests_same"
        " WHERE status = 'pending' AND thread = ? AND question = ? AND decide_by > ?",
        (request.thread, request.question, micros(now)),
    ).fetchone()
    return None if decide_by is None else moment(decide_by)


def _last_rejected(db: sqlite3.Connection, request: ApprovalRequest) -> datetime | None:
    (settled_at,) = db.execute(
        "SELECT max(settled_at) FROM requests INDEXED BY requests_rejected WHERE status = 'rejected' AND question = ?",
        (request.question,),
    ).fetchone()
    return None if settled_at is None else moment(settled_at)


def _full(db: sqlite3.Connection, request: ApprovalRequest, limits: QueueLimits, now: datetime) -> Told | None:
    """Return when the last of the full queues has room, None where none is full.

    What people were told of and nobody answered keeps its place for ``ask_again_after_s``, even where it was withdrawn
    or has expired: else one who asks, withdraws and asks a little otherwise could have people told without end.
    """
    places = (
        (_OF_GROUP, limits.per_group),
        (_OF_PRINCIPAL, limits.per_principal),
        (_OF_TENANT, limits.per_tenant),
    )
    again = limits.ask_again_after_s * _MICROS
    at = micros(now)
    values = {
        "group": request.group,
        "tenant": request.tenant,
        "principal": request.requester.id,
        "now": at,
        "since": at - again,
        "again": again,
    }
    earliest = []
    for taken_in, limit in places:
        taken, free_at = db.execute(taken_in, values | {"limit": limit}).fetchone()
        if taken >= limit:
            earliest.append(request.decide_by if free_at is None else moment(free_at))
    return Told(Reason.QUEUE_FULL, retry_at=max(earliest)) if earliest else None


def _taken_in(place: str, where: str) -> str:
    """Return the statement that counts what takes a place there, and says when the first of it gives it up."""
    waiting = (
        f"SELECT max(decide_by, ifnull(asked_at, 0) + :again) AS free_at FROM requests INDEXED BY requests_of_{place}"
        f" WHERE {where} AND status = 'pending' AND decide_by > :since AND (decide_by > :now OR asked_at > :since)"
        " ORDER BY decide_by LIMIT :limit"
    )
    told_in_vain = (
        f"SELECT asked_at + :again FROM requests INDEXED BY requests_told_{place}"
        f" WHERE {where} AND status <> 'pending' AND settled_by IS NULL AND asked_at > :since"
        " ORDER BY asked_at LIMIT :limit"
    )
    return f"SELECT count(*), min(free_at) FROM (SELECT * FROM ({waiting}) UNION ALL SELECT * FROM ({told_in_vain}))"


_OF_GROUP: Final = _taken_in("group", "grp = :group")
_OF_PRINCIPAL: Final = _taken_in("principal", "tenant = :tenant AND principal = :principal")
_OF_TENANT: Final = _taken_in("tenant", "tenant = :tenant")
