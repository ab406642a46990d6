"""What is read outside a transaction: lists, and the audit log."""

import sqlite3
from datetime import datetime

from guarded_agents.errors import UnknownRequestError
from guarded_agents.records import Claim, RequestStatus, SignedVote, StandingRequest
from guarded_agents.stores._protocol import ClosedCall
from guarded_agents.stores._rows import (
    CLAIM_COLUMNS,
    CLAIM_OF_PROPOSAL,
    CLAIMS,
    REQUEST_COLUMNS,
    REQUESTS,
    claim_from,
    micros,
    standing_from,
    vote_from,
)

AUDIT_PAGE = 4_096  # rows read at once


def calls(db: sqlite3.Connection, thread: str, entry: str) -> tuple[ClosedCall, ...]:
    """Return the proposals of *entry* that have a claim row, in the order in which they were recorded."""
    rows = db.execute(
        f"SELECT p.call_id, p.tool, {CLAIM_COLUMNS} FROM proposals p JOIN {CLAIM_OF_PROPOSAL}"
        " LEFT JOIN payloads o ON o.id = c.outcome_payload"
        " WHERE p.thread = ? AND p.entry = ? ORDER BY p.turn, p.payload",
        (thread, entry),
    )
    return tuple(ClosedCall(call_id, tool, claim_from(tuple(row))) for call_id, tool, *row in rows)


def requests(
    db: sqlite3.Connection, status: RequestStatus | None, limit: int, after: str | None
) -> tuple[StandingRequest, ...]:
    """Return requests by decide-by, then id, after the one named. Raises UnknownRequestError where it is not there."""
    place: tuple[int, str] = (-(2**63), "")
    if after is not None:
        row = db.execute("SELECT decide_by, id FROM requests WHERE id = ?", (after,)).fetchone()
        if row is None:
            raise UnknownRequestError(
                f"page after approval {after}",
                expected="a request of that id",
                got="none",
                action="list from the start",
            )
        place = row
    where, values = ("", ()) if status is None else ("r.status = ? AND ", (status.value,))
    rows = db.execute(
        f"SELECT {REQUEST_COLUMNS} FROM {REQUESTS} WHERE {where}(r.decide_by, r.id) > (?, ?)"
        " ORDER BY r.decide_by, r.id LIMIT ?",
        (*values, *place, limit),
    )
    return tuple(map(standing_from, rows))


def votes(db: sqlite3.Connection, request_id: str) -> tuple[SignedVote, ...]:
    """Return the votes on a request, oldest first."""
    rows = db.execute(
        "SELECT document, body FROM votes LEFT JOIN payloads ON id = payload WHERE request = ? ORDER BY number",
        (request_id,),
    )
    return tuple(vote_from(*row) for row in rows)


def doubts(db: sqlite3.Connection, now: datetime, limit: int) -> tuple[Claim, ...]:
    """Return what a person has to look at, longest lapsed first."""
    rows = db.execute(
        f"SELECT {CLAIM_COLUMNS} FROM {CLAIMS} WHERE c.status IN ('sending', 'in_doubt', 'conflict')"
        " AND (c.status <> 'sending' OR c.lease_until <= ?) ORDER BY c.lease_until LIMIT ?",
        (micros(now), limit),
    )
    return tuple(map(claim_from, rows))


def audit_page(db: sqlite3.Connection, start: int) -> list[tuple[int, bytes, str]]:
    """Return the next entries from sequence *start* on, at most ``AUDIT_PAGE`` of them."""
    return db.execute(
        "SELECT sequence, body, hash FROM audit WHERE sequence >= ? ORDER BY sequence LIMIT ?", (start, AUDIT_PAGE)
    ).fetchall()
