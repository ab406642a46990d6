"""The transactions that write a request and that let its time pass."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import orjson

from guarded_agents.approval import status_at
from guarded_agents.audit import Kind
from guarded_agents.errors import UnknownRequestError
from guarded_agents.records import (
    ApprovalRequest,
    QueueLimits,
    Reason,
    RequestStatus,
    StandingRequest,
    TraceContext,
)
from guarded_agents.stores._closing import existing_row, note_of, told_of
from guarded_agents.stores._outbox import put_asked, tell_of_others
from guarded_agents.stores._payloads import put
from guarded_agents.stores._queue import not_asked, told_at
from guarded_agents.stores._results import AuditNote, Told
from guarded_agents.stores._rows import micros, request_of_id, request_of_key, tool_of
from guarded_agents.stores._traces import put_trace
from guarded_agents.stores._tx import Tx

_TO_BE_TOLD: Final = frozenset(
    {
        RequestStatus.APPROVED,
        RequestStatus.ANSWERED,
        RequestStatus.REJECTED,
        RequestStatus.EXPIRED,
        RequestStatus.LAPSED,
    }
)
"""Settled, and the claim row not yet written: the thread has to be woken. Any other status closes the row itself."""


def hold(
    tx: Tx,
    request: ApprovalRequest,
    note: AuditNote,
    *,
    limits: QueueLimits,
    now: datetime,
    trace: TraceContext | None = None,
) -> StandingRequest | Told:
    """Write *request* as PENDING, once, where the queue has room; never re-open it (8b.6; TX hold)."""
    standing = request_of_key(tx.db, request.key)
    claim = existing_row(tx, request.key, now)
    if claim is not None:
        return told_of(claim, standing)
    if standing is not None:
        return standing
    if tool_of(tx.db, request.key) is None:
        return Told(Reason.NOT_PROPOSED)
    if (told := not_asked(tx, request, limits, now)) is not None:
        return told
    at = told_at(tx, request, limits, now)
    put_request(tx, request, again_after=timedelta(seconds=limits.ask_again_after_s))
    if at is not None:
        put_asked(tx, request, now=now, due=at)
    put_trace(tx, request.id, trace)
    tx.append([note], now)
    return StandingRequest(request, RequestStatus.PENDING)


def put_request(tx: Tx, request: ApprovalRequest, *, again_after: timedelta) -> None:
    """Write *request* as PENDING; it must not be there yet. Its question is not told again for *again_after*."""
    document = request.model_dump_json(exclude={"arguments"})
    tx.db.execute(
        "INSERT INTO requests (id, thread, entry, turn, digest, occurrence, status, risk, tool, principal,"
        " tenant, grp, quorum, question, again_after, decide_by, escalate_at, arguments, document)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            request.id,
            *request.key,
            RequestStatus.PENDING.value,
            -request.risk.rank,
            f"{request.server}/{request.tool}",
            request.requester.id,
            request.tenant,
            request.group,
            request.quorum,
            request.question,
            again_after // timedelta(microseconds=1),
            micros(request.decide_by),
            None if request.escalate_at is None else micros(request.escalate_at),
            put(tx.db, orjson.dumps(request.arguments)),
            document,
        ),
    )


def expire(tx: Tx, request_id: str, *, now: datetime) -> StandingRequest:
    """Close a request whose time has passed (section 8; TX sweep). Raises UnknownRequestError."""
    standing = known(tx, request_id)
    status = status_at(standing, now=now)
    return standing if status is standing.status else timed_out(tx, standing, status, now)


def timed_out(tx: Tx, standing: StandingRequest, status: RequestStatus, now: datetime) -> StandingRequest:
    """Move a request to *status*, EXPIRED or LAPSED, and say so in the audit log."""
    request = standing.request
    tx.db.execute(
        "UPDATE requests SET status = ?, settled_at = ?, due = ? WHERE id = ?",
        (status.value, micros(now), micros(now), request.id),
    )
    tell_of_others(tx, [request.id], status, now)
    tx.append([note_of(Kind.APPROVAL, request.key, request=request.id, status=status)], now)
    return replace(standing, status=status, settled_at=now)


def known(tx: Tx, request_id: str) -> StandingRequest:
    """Return the request of that id. Raises UnknownRequestError."""
    standing = request_of_id(tx.db, request_id)
    if standing is None:
        raise UnknownRequestError(
            f"approval {request_id}", expected="a request of that id", got="none", action="list the requests"
        )
    return standing


def store_move(tx: Tx, standing: StandingRequest, now: datetime) -> StandingRequest:
    """Write where *standing*, which was PENDING, stands since *now*, and return it."""
    settled_at = None if standing.settled_at is None else micros(standing.settled_at)
    tx.db.execute(
        "UPDATE requests SET status = ?, execute_by = ?, settled_at = ?, due = ?, settled_by = ?, text = ?,"
        " broke_glass = ?, successor = ? WHERE id = ?",
        (
            standing.status.value,
            None if standing.execute_by is None else micros(standing.execute_by),
            settled_at,
            settled_at if standing.status in _TO_BE_TOLD else None,
            standing.settled_by,
            None if standing.text is None else put(tx.db, standing.text.encode()),
            standing.broke_glass,
            standing.successor,
            standing.request.id,
        ),
    )
    tell_of_others(tx, [standing.request.id], standing.status, now)
    return standing
