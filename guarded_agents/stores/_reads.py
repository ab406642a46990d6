"""What is read outside a transaction: lists, and the audit log."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice, starmap
from typing import Any, Final, TypeVar

import orjson

from guarded_agents.errors import UnknownRequestError
from guarded_agents.records import CallKey, Claim, RequestStatus, RequestSummary, SignedVote, StandingRequest
from guarded_agents.stores._results import ClosedCall, Waiting
from guarded_agents.stores._rows import (
    CLAIM_COLUMNS,
    CLAIM_OF_PROPOSAL,
    CLAIMS,
    claim_from,
    micros,
    moment,
    risk_of,
    vote_from,
)
from guarded_agents.stores._tables import is_text

AUDIT_PAGE = 4_096  # rows read at once
CLAIMED_PAGE = 4_096
_Record = TypeVar("_Record")
_NO_RECORD: Final = (ValueError, TypeError, LookupError, OverflowError)
_EXACT: Final = 2**53 - 1  # RFC 8785 section 3.2.2.3: a number beyond has no canonical form, so the call has no id
_NAMES: Final = "c.thread || ' ' || c.entry || ' ' || c.digest"  # each is UTF-8 if this is: none ends in another
CLAIM_HAS_ID: Final = f"({is_text(_NAMES)} AND c.turn BETWEEN 0 AND {_EXACT} AND c.occurrence BETWEEN 0 AND {_EXACT})"


def readable(rows: Iterable[Any], record_from: Callable[[Any], _Record]) -> Iterator[_Record]:
    """Yield the record of each of *rows* that makes one: one that does not keeps no other from being read."""
    for row in rows:
        with suppress(*_NO_RECORD):
            yield record_from(row)


def calls(db: sqlite3.Connection, thread: str, entry: str) -> tuple[ClosedCall, ...]:
    """Return the proposals of *entry* that have a claim row, in the order in which they were recorded."""
    rows = db.execute(
        f"SELECT p.call_id, p.tool, {CLAIM_COLUMNS} FROM proposals p JOIN {CLAIM_OF_PROPOSAL}"
        " LEFT JOIN payloads o ON o.id = c.outcome_payload"
        " WHERE p.thread = ? AND p.entry = ? ORDER BY p.turn, p.payload",
        (thread, entry),
    )
    return tuple(ClosedCall(call_id, tool, claim_from(tuple(row))) for call_id, tool, *row in rows)


SUMMARY_COLUMNS: Final = (
    "r.id, r.status, r.risk, r.tool, r.principal, r.tenant, r.grp, r.quorum,"
    " (SELECT count(*) FROM votes v WHERE v.request = r.id AND v.answer = 'approve'), r.question,"
    " r.thread, r.decide_by, r.escalate_at"
)
_FIRST: Final[tuple[int, int, str]] = (-(2**63), -(2**63), "")  # before any row, also one that we never write
_STATUS: Final = {status.value: status for status in RequestStatus}


def requests(
    db: sqlite3.Connection, status: RequestStatus | None, limit: int, after: str | None
) -> tuple[RequestSummary, ...]:
    """Return requests by risk, decide-by, then id, after the one named.

    Raises UnknownRequestError where that is not there.
    """
    place = _FIRST
    if after is not None:
        row = db.execute("SELECT risk, decide_by, id FROM requests WHERE id = ?", (after,)).fetchone()
        if row is None:
            raise UnknownRequestError(
                f"page after approval {after}",
                expected="a request of that id",
                got="none",
                action="list from the start",
            )
        place = row
    where, values = ("", ()) if status is None else ("r.status = ? AND ", (status.value,))
    found: list[RequestSummary] = []
    while len(found) < limit:
        rows = db.execute(
            f"SELECT {SUMMARY_COLUMNS} FROM requests r WHERE {where}(r.risk, r.decide_by, r.id) > (?, ?, ?)"
            f" AND {is_text('r.id')} ORDER BY r.risk, r.decide_by, r.id LIMIT ?",
            (*values, *place, limit - len(found)),
        ).fetchall()
        if not rows:
            break
        found += readable(rows, summary_from)
        place = rows[-1][2], rows[-1][11], rows[-1][0]
    return tuple(found)


def similar(db: sqlite3.Connection, standing: StandingRequest, limit: int) -> tuple[RequestSummary, ...]:
    """Return the other settled requests of the same principal, tenant and tool, newest first."""
    request = standing.request
    rows = db.execute(
        f"SELECT {SUMMARY_COLUMNS} FROM requests r INDEXED BY requests_similar WHERE r.tenant = ? AND r.principal = ?"
        " AND r.tool = ? AND r.status <> 'pending' AND r.id <> ?"
        " ORDER BY r.number DESC LIMIT ?",
        (request.tenant, request.requester.id, f"{request.server}/{request.tool}", request.id, limit),
    )
    return tuple(readable(rows, summary_from))


def summary_from(
    row: tuple[str, str, int, str, str, str, str, int, int, str, str, int, int | None],
) -> RequestSummary:
    escalate_at = row[12]
    return RequestSummary(
        row[0],
        _STATUS[row[1]],
        risk_of(row[2]),
        *row[3:11],
        moment(row[11]),
        None if escalate_at is None else moment(escalate_at),
    )


def votes(db: sqlite3.Connection, request_id: str) -> tuple[SignedVote, ...]:
    """Return the votes on a request, oldest first."""
    rows = db.execute(
        "SELECT document, body FROM votes LEFT JOIN payloads ON id = payload WHERE request = ? ORDER BY number",
        (request_id,),
    )
    return tuple(vote_from(*row) for row in rows)


def speakers(db: sqlite3.Connection, request_id: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return who voted on a request, oldest first, each with the ids of the credentials that proved it then."""
    rows = db.execute("SELECT approver, credentials FROM votes WHERE request = ? ORDER BY number", (request_id,))
    return tuple((approver, tuple(map(str, orjson.loads(credentials)))) for approver, credentials in rows)


def doubts(db: sqlite3.Connection, now: datetime, limit: int) -> tuple[Claim, ...]:
    """Return what a person has to look at, longest lapsed first."""
    rows = db.execute(
        f"SELECT {CLAIM_COLUMNS} FROM {CLAIMS} WHERE c.status IN ('sending', 'in_doubt', 'conflict')"
        " AND (c.status <> 'sending' OR c.lease_until <= ?)"
        f" AND {CLAIM_HAS_ID} ORDER BY c.lease_until",
        (micros(now),),
    )
    return tuple(islice(readable(rows, claim_from), limit))


def resolved(db: sqlite3.Connection) -> tuple[Claim, ...]:
    """Return the claims that a person has settled."""
    key = "thread, entry, turn, digest, occurrence"
    rows = db.execute(
        f"SELECT {CLAIM_COLUMNS} FROM {CLAIMS}"
        f" WHERE (c.thread, c.entry, c.turn, c.digest, c.occurrence) IN (SELECT {key} FROM resolutions)"
        f" AND {CLAIM_HAS_ID}"
    )
    return tuple(readable(rows, claim_from))


def claimed_page(db: sqlite3.Connection, after: CallKey | None) -> list[CallKey]:
    """Return the next readable keys of claims after that one, at most ``CLAIMED_PAGE`` of them."""
    key = "c.thread, c.entry, c.turn, c.digest, c.occurrence"
    rest = "" if after is None else f"AND ({key}) > (?, ?, ?, ?, ?)"
    rows = db.execute(
        f"SELECT {key} FROM claims c WHERE {CLAIM_HAS_ID} {rest} ORDER BY {key} LIMIT {CLAIMED_PAGE}", after or ()
    )
    return list(starmap(CallKey, rows))


def audit_page(db: sqlite3.Connection, start: int) -> list[tuple[int, bytes, str]]:
    """Return the next entries from sequence *start* on, at most ``AUDIT_PAGE`` of them."""
    return db.execute(
        "SELECT sequence, body, hash FROM audit WHERE sequence >= ? ORDER BY sequence LIMIT ?", (start, AUDIT_PAGE)
    ).fetchall()


def hashes(db: sqlite3.Connection, level: int, first: int, count: int) -> list[bytes]:
    """Return the hashes of *count* subtrees of a kept level from *first* on, as many as there are; 0 are the leaves."""
    if level == 0:
        rows = db.execute(
            "SELECT hash FROM audit WHERE sequence >= ? AND sequence < ? ORDER BY sequence", (first, first + count)
        )
        return [bytes.fromhex(digest) for (digest,) in rows]
    rows = db.execute(
        "SELECT hash FROM subtrees WHERE level = ? AND place >= ? AND place < ? ORDER BY place",
        (level, first, first + count),
    )
    return [digest for (digest,) in rows]


def waiting(db: sqlite3.Connection) -> Waiting:
    """Return how many requests are PENDING, and since when the first of them has been asked."""
    count, asked_at = db.execute("SELECT count(*), min(asked_at) FROM requests WHERE status = 'pending'").fetchone()
    return Waiting(count, None if asked_at is None else moment(asked_at))
