"""Whether a call may wait for people at all (DESIGN section 8)."""

import sqlite3
from datetime import datetime, timedelta

from guarded_agents.records import ApprovalRequest, QueueLimits, Reason
from guarded_agents.stores._results import Told
from guarded_agents.stores._rows import micros, moment
from guarded_agents.stores._tx import Tx


def not_asked(tx: Tx, request: ApprovalRequest, limits: QueueLimits, now: datetime) -> Told | None:
    """Return why nobody is asked, and when it could be tried again; None where *request* may wait.

    What has passed its decide-by and was not swept yet waits no more, and so neither stands for another nor fills
    the queue.
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
    (last,) = tx.db.execute(
        "SELECT max(asked_at) FROM requests INDEXED BY requests_asked WHERE asked_at IS NOT NULL AND question = ?",
        (request.question,),
    ).fetchone()
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
    places: tuple[tuple[str, tuple[str, ...], int], ...] = (
        ("INDEXED BY requests_of_group WHERE grp = ?", (request.group,), limits.per_group),
        (
            "INDEXED BY requests_of_principal WHERE tenant = ? AND principal = ? AND acting_for = ?",
            (request.tenant, request.requester.id, request.requester.acting_for or ""),
            limits.per_principal,
        ),
        ("INDEXED BY requests_of_tenant WHERE tenant = ?", (request.tenant,), limits.per_tenant),
    )
    earliest = []
    for where, values, limit in places:
        waiting, decide_by = db.execute(
            "SELECT count(*), min(decide_by) FROM (SELECT decide_by FROM requests"
            f" {where} AND status = 'pending' AND decide_by > ? ORDER BY decide_by LIMIT ?)",
            (*values, micros(now), limit),
        ).fetchone()
        if waiting >= limit:
            earliest.append(request.decide_by if decide_by is None else moment(decide_by))
    return Told(Reason.QUEUE_FULL, retry_at=max(earliest)) if earliest else None
