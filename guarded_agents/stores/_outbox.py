"""What people are told of requests: written in the transaction that causes it, delivered by whoever takes it."""

import sqlite3
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from guarded_agents.records import ApprovalRequest, Notice, NoticeKind, Risk
from guarded_agents.stores._results import StuckNotice
from guarded_agents.stores._rows import micros, moment, risk_of
from guarded_agents.stores._tx import Tx

_MAX_ATTEMPT: Final = 1_000  # beyond any schedule
_MAX_PROBLEM_CHARS: Final = 200
_KINDS: Final = ", ".join(repr(kind.value) for kind in NoticeKind)
_RISKS: Final = ", ".join(repr(risk.value) for risk in Risk)
_READABLE: Final = (
    f"(kind IN ({_KINDS}) AND risk IN ({_RISKS}) AND attempt BETWEEN 0 AND {_MAX_ATTEMPT}"
    f" AND at BETWEEN 0 AND {micros(datetime.max.replace(tzinfo=UTC))})"
)
"""What makes a record. One row that does not is passed over: it keeps nobody else from being told."""


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


def drop_notices(tx: Tx, requests: list[str], now: datetime) -> None:
    """Drop what nobody needs to be told any more of *requests*, which were withdrawn: that they wait for an answer.

    One that nobody has begun to deliver counts as never put, so that who is asked the same again is told at once.
    Where another request of the same question waits and nobody is to be told of it, it is told of instead.
    """
    for request in requests:
        dropped = tx.db.execute(
            "DELETE FROM notices WHERE request = ? AND kind IN ('asked', 'escalated', 'delegated')"
            " RETURNING kind, attempt",
            (request,),
        ).fetchall()
        for kind, attempt in dropped:
            if kind == NoticeKind.ASKED:
                _tell_of_next(tx, request, micros(now))
                if attempt == 0:
                    tx.db.execute("UPDATE requests SET asked_at = NULL WHERE id = ?", (request,))


def _tell_of_next(tx: Tx, gone: str, at: int) -> None:
    """Let the oldest untold request of the question of *gone* be told of when that would have been, if it waits then.

    Where the notice of *gone* was tried and did not arrive yet, that is at once.
    """
    row = tx.db.execute(
        "SELECT next.id, next.risk, next.grp, max(ifnull(gone.asked_at, 0), ?) AS tell_at FROM requests gone"
        " JOIN requests next INDEXED BY requests_untold ON next.question = gone.question"
        " WHERE gone.id = ? AND next.status = 'pending' AND next.asked_at IS NULL AND next.decide_by > tell_at"
        " ORDER BY next.number LIMIT 1",
        (at, gone),
    ).fetchone()
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
