"""What people are told of requests: written in the transaction that causes it, delivered by whoever takes it."""

import sqlite3
from datetime import datetime
from typing import Final
from uuid import uuid4

from guarded_agents.records import ApprovalRequest, Notice, NoticeKind, RequestStatus, Risk
from guarded_agents.stores._results import StuckNotice
from guarded_agents.stores._rows import LAST_MOMENT, micros, moment, risk_of
from guarded_agents.stores._tables import is_text
from guarded_agents.stores._tx import Tx

_MAX_ATTEMPT: Final = 1_000  # beyond any schedule
_MAX_PROBLEM_CHARS: Final = 200
_KINDS: Final = ", ".join(repr(kind.value) for kind in NoticeKind)
_RISKS: Final = ", ".join(repr(risk.value) for risk in Risk)
_READABLE: Final = (
    f"(kind IN ({_KINDS}) AND risk IN ({_RISKS}) AND attempt BETWEEN 0 AND {_MAX_ATTEMPT}"
    f" AND at BETWEEN 0 AND {micros(LAST_MOMENT)}"
    f" AND {is_text('id')} AND {is_text('request')} AND {is_text('addressee')})"
)
"""What makes a record. One row that does not is passed over: it keeps nobody else from being told."""

LAST_ASKED: Final = (
    "SELECT max(asked_at) FROM requests INDEXED BY requests_asked WHERE asked_at IS NOT NULL AND question = ?"
)
_STANDS: Final = (
    "SELECT 1 FROM requests INDEXED BY requests_waiting"
    " WHERE question = ? AND status = 'pending' AND asked_at IS NOT NULL AND decide_by > ? LIMIT 1"
)
_NEXT: Final = (
    "SELECT id, risk, grp, max(again_after + ?, ?) AS tell_at FROM requests INDEXED BY requests_waiting"
    " WHERE question = ? AND status = 'pending' AND asked_at IS NULL AND decide_by > tell_at"
    f" AND {is_text('id')} ORDER BY number LIMIT 1"
)
_DROP: Final = (  # of what was withdrawn all, of the rest what is not due yet
    "DELETE FROM notices WHERE request = :request AND iif(:is_withdrawn, kind IN ('asked', 'escalated', 'delegated'),"
    " kind = 'asked' AND attempt = 0 AND due > :now) RETURNING kind, attempt"
)


def put_notice(
    tx: Tx, kind: NoticeKind, request: ApprovalRequest, to: str, *, now: datetime, due: datetime | None = None
) -> None:
    """Put into the outbox that *to*, a group or a delegate, is told of *request*, at *due* (UTC) if not at once."""
    put_notices(tx, [(kind, request.id, request.risk, to)], now, due=due)


def put_notices(
    tx: Tx, notices: list[tuple[NoticeKind, str, Risk, str]], now: datetime, *, due: datetime | None = None
) -> None:
    """Put notices of (kind, id of a request, risk, to whom) into the outbox, due at *now* (UTC) if not at *due*."""
    _put(tx, notices, at=micros(now), due=micros(due or now))


def _put(tx: Tx, notices: list[tuple[NoticeKind, str, Risk, str]], *, at: int, due: int) -> None:
    tx.db.executemany(
        "INSERT INTO notices (id, kind, request, risk, addressee, at, due) VALUES (?, ?, ?, ?, ?, ?, ?)",
        ((uuid4().hex, kind.value, request, risk.value, to, at, due) for kind, request, risk, to in notices),
    )


def put_asked(tx: Tx, request: ApprovalRequest, *, now: datetime, due: datetime) -> None:
    """Put into the outbox that the group of *request* is told at *due* (UTC) that it waits, and note when."""
    _put_asked(tx, request.id, request.risk, request.group, at=micros(now), due=micros(due))


def _put_asked(tx: Tx, request: str, risk: Risk, group: str, *, at: int, due: int) -> None:
    tx.db.execute("UPDATE requests SET asked_at = ? WHERE id = ?", (due, request))
    _put(tx, [(NoticeKind.ASKED, request, risk, group)], at=at, due=due)


def tell_of_others(tx: Tx, requests: list[str], status: RequestStatus, now: datetime) -> None:
    """Drop what nobody needs to be told any more of *requests*, which have become *status*, and tell of others instead.

    Dropped is that they wait for an answer: of what was withdrawn always, of the rest where that is not due yet. One
    that nobody has begun to deliver counts as never put, so that who is asked the same again is told at once. A
    request that people were told of stands for those of its question that they were not, until it is settled.
    """
    at, is_withdrawn = micros(now), status is RequestStatus.WITHDRAWN
    for request in requests:
        dropped = tx.db.execute(_DROP, {"request": request, "is_withdrawn": is_withdrawn, "now": at}).fetchall()
        attempts = [attempt for kind, attempt in dropped if kind == NoticeKind.ASKED]
        _hand_on(tx, request, at, attempts, is_rejected=status is RequestStatus.REJECTED)
        if 0 in attempts:
            tx.db.execute("UPDATE requests SET asked_at = NULL WHERE id = ?", (request,))


def _hand_on(tx: Tx, gone: str, at: int, attempts: list[int], *, is_rejected: bool) -> None:
    """Let another request of the question of *gone* be told of, where people were or would have been told of *gone*.

    Where its notice was dropped, the other takes its place: when it was due, at once where it was tried in vain. Where
    it was delivered, and no other is told of, that is when the question may be told again: some time after it was last,
    or after it was rejected.
    """
    row = tx.db.execute(
        "SELECT question, asked_at FROM requests WHERE id = ? AND asked_at IS NOT NULL", (gone,)
    ).fetchone()
    if row is None:  # nobody was, or its id cannot be read
        return
    question, asked_at = row
    if attempts:
        _tell_of_next(tx, question, at=at, since=at if is_rejected else 0, due=max(asked_at, at))
    elif not tx.db.execute(_STANDS, (question, at)).fetchone():
        (last,) = tx.db.execute(LAST_ASKED, (question,)).fetchone()
        _tell_of_next(tx, question, at=at, since=at if is_rejected else last, due=at)


def _tell_of_next(tx: Tx, question: str, *, at: int, since: int, due: int) -> None:
    """Let the oldest untold request of *question* be told of at *due*, or when its time since *since* is over."""
    row = tx.db.execute(_NEXT, (since, due, question)).fetchone()
    if row is not None:
        request, risk, group, due = row
        _put_asked(tx, request, risk_of(risk), group, at=at, due=due)


def take_notices(tx: Tx, *, owner: str, limit: int, until: datetime, now: datetime) -> tuple[Notice, ...]:
    """Lease the oldest notices that are due to *owner*, each for one more attempt. What cannot be read is left."""
    rows = tx.db.execute(
        "UPDATE notices SET owner = ?, due = ?, attempt = attempt + 1 WHERE number IN"
        f" (SELECT number FROM notices WHERE due <= ? AND {_READABLE} ORDER BY due, number LIMIT ?)"
        " RETURNING number, id, kind, request, risk, addressee, at, attempt",
        (owner, micros(until), micros(now), limit),
    ).fetchall()
    return tuple(
        Notice(name, NoticeKind(kind), request, Risk(risk), to, moment(at), attempt)
        for _, name, kind, request, risk, to, at, attempt in sorted(rows)
    )


def noticed(tx: Tx, notice: Notice, *, again_at: datetime | None, problem: str) -> None:
    """Remove a notice that was delivered, or let it be tried at *again_at*, unless it was taken again since."""
    if again_at is None:
        tx.db.execute("DELETE FROM notices WHERE id = ?", (notice.id,))
    else:
        tx.db.execute(
            "UPDATE notices SET due = ?, owner = '', problem = ? WHERE id = ? AND attempt = ?",
            (micros(again_at), problem[:_MAX_PROBLEM_CHARS], notice.id, notice.attempt),
        )


def stuck_notices(db: sqlite3.Connection, limit: int) -> tuple[StuckNotice, ...]:
    """Return the notices that cannot be read, then those that failed more than once, each the oldest first."""
    rows = db.execute(
        f"SELECT id, request, addressee, attempt, problem, {_READABLE} AS readable FROM notices"
        f" WHERE NOT {_READABLE} OR (attempt > 1 AND problem <> '') ORDER BY readable, number LIMIT ?",
        (limit,),
    )
    return tuple(StuckNotice._make((*found, bool(readable))) for *found, readable in rows)
