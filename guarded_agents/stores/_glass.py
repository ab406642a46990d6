"""The transactions over broken glass: one person approves in an emergency, somebody else reviews it later."""

import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import orjson

from guarded_agents.approval import check_glass, execute_by, glass_breakers, glass_left, quorum_met
from guarded_agents.errors import BreakGlassError, RequestClosedError, UnknownRequestError
from guarded_agents.records import (
    BreakGlassTerms,
    BrokenGlass,
    NoticeKind,
    RequestStatus,
    ReviewFinding,
    SignedReview,
    StandingRequest,
)
from guarded_agents.stores._ballot import Ballot, votes_on
from guarded_agents.stores._nonces import spend_nonce
from guarded_agents.stores._outbox import put_notice
from guarded_agents.stores._payloads import put
from guarded_agents.stores._requests import store_move
from guarded_agents.stores._results import AuditNote, Proven
from guarded_agents.stores._rows import micros, moment
from guarded_agents.stores._tables import UNREVIEWED
from guarded_agents.stores._tx import Tx

_COLUMNS = "request, approver, used_at, review_due, finding, reviewed_by, reviewed_at"
_FINDINGS: Final = {finding.value: finding for finding in ReviewFinding}


def check_may_break(tx: Tx, standing: StandingRequest, ballot: Ballot) -> None:
    """Raise unless the vote may approve alone, over what is broken and unreviewed at this instant.

    Raises BreakGlassError, NotEligibleError and ApprovalError as `check_glass` and `glass_left`.
    """
    vote, cast = ballot.signed.vote, votes_on(tx, standing.request)
    check_glass(standing, vote, ballot.glass, electorate=ballot.electorate, cast=cast)
    terms = _terms(ballot)
    glass_left(terms, _used(tx.db, terms, ballot.now), approver=vote.approver, now=ballot.now)


def is_glass_on_record(tx: Tx, proven: Proven, now: datetime) -> bool:
    """Return whether the glass of the request was broken by who may still, is on record, and within the cap.

    It is counted by the guard's own terms and without itself: who recorded it may have gone by another policy.
    """
    breakers = glass_breakers(proven.request, proven.said, electorate=proven.electorate)
    glass = glass_of(tx.db, proven.request.id)
    if glass is None or glass.approver not in breakers or proven.glass is None:
        return False
    others = [used for used in _used(tx.db, proven.glass, now) if used.request != glass.request]
    try:
        glass_left(proven.glass, others, approver=glass.approver, now=now)
    except BreakGlassError:
        return False
    return True


def break_glass(tx: Tx, standing: StandingRequest, ballot: Ballot) -> StandingRequest:
    """Approve by one person, until a time that the policy keeps short, and have it reviewed by a date."""
    request, vote, now, terms = standing.request, ballot.signed.vote, ballot.now, _terms(ballot)
    within_s = min(request.execute_within_s, terms.execute_within_s)
    # The door counts it again, and would find the same.
    if not quorum_met(request, votes_on(tx, request), electorate=ballot.electorate):
        raise BreakGlassError(
            f"approval {request.id}",
            expected="the digest of this request under two signatures",
            got="another digest or one signature",
            action="sign what you see with both keys",
        )
    tx.db.execute(
        "INSERT INTO broken_glass (request, approver, used_at, review_due, reviewers) VALUES (?, ?, ?, ?, ?)",
        (
            request.id,
            vote.approver,
            micros(now),
            micros(now + timedelta(seconds=terms.review_within_s)),
            terms.reviewers,
        ),
    )
    put_notice(tx, NoticeKind.GLASS_BROKEN, request, terms.reviewers, now=now)
    return store_move(
        tx,
        replace(
            standing,
            status=RequestStatus.APPROVED,
            execute_by=execute_by(request, vote.at, within_s=within_s, now=now),
            settled_at=now,
            settled_by=vote.approver,
            text=vote.text,
            broke_glass=True,
        ),
        now,
    )


def review(tx: Tx, signed: SignedReview, note: AuditNote, *, now: datetime) -> BrokenGlass:
    """Record the verified review of a broken glass, once."""
    said = signed.review
    glass = glass_of(tx.db, said.request)
    if glass is None:
        raise UnknownRequestError(
            f"review of approval {said.request}",
            expected="a request whose glass was broken",
            got="none of that id",
            action="list what waits for a review with `guarded-agents approvals list`",
        )
    if not spend_nonce(tx, said.reviewer, said):
        return glass
    if glass.finding is not None:
        raise RequestClosedError(
            f"review of approval {said.request}",
            expected="a broken glass without a review",
            got=f"one that is {glass.finding.value} by {glass.reviewed_by}",
            action="list what is still to be reviewed with `guarded-agents approvals list`",
        )
    document = signed.model_dump_json(exclude={"review": {"text"}})
    tx.db.execute(
        "UPDATE broken_glass SET finding = ?, reviewed_by = ?, reviewed_at = ?, document = ?, payload = ?"
        " WHERE request = ?",
        (
            said.finding.value,
            said.reviewer,
            micros(now),
            document,
            put(tx.db, orjson.dumps(said.text)),
            said.request,
        ),
    )
    tx.append([note], now)
    return replace(glass, finding=said.finding, reviewed_by=said.reviewer, reviewed_at=now)


def broken_glass(db: sqlite3.Connection, limit: int, *, is_open: bool) -> tuple[BrokenGlass, ...]:
    """Return broken glass by review date, those without a review where *is_open*."""
    where = f"WHERE {UNREVIEWED}" if is_open else ""
    rows = db.execute(f"SELECT {_COLUMNS} FROM broken_glass {where} ORDER BY review_due, request LIMIT ?", (limit,))
    return tuple(map(_glass_from, rows))


def _terms(ballot: Ballot) -> BreakGlassTerms:
    if ballot.glass is None:  # pragma: no cover - `check_glass` has refused it
        raise BreakGlassError("break-glass", expected="terms", got="none", action="leave it to its approvers")
    return ballot.glass


def glass_of(db: sqlite3.Connection, request_id: str) -> BrokenGlass | None:
    """Return the broken glass of a request, None where it was not broken."""
    row = db.execute(f"SELECT {_COLUMNS} FROM broken_glass WHERE request = ?", (request_id,)).fetchone()
    return None if row is None else _glass_from(row)


def _used(db: sqlite3.Connection, terms: BreakGlassTerms, now: datetime) -> tuple[BrokenGlass, ...]:
    """Return what has no review yet, and what was broken within the period, by anybody.

    Its review is due by *terms*, where whoever recorded it gave more time.
    """
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM broken_glass WHERE {UNREVIEWED} OR used_at > ?",
        (micros(now - timedelta(seconds=terms.period_s)),),
    )
    within = timedelta(seconds=terms.review_within_s)
    return tuple(
        replace(glass, review_due=min(glass.review_due, glass.used_at + within)) for glass in map(_glass_from, rows)
    )


def _glass_from(row: tuple[str, str, int, int, str | None, str | None, int | None]) -> BrokenGlass:
    request, approver, used_at, review_due, finding, reviewed_by, reviewed_at = row
    return BrokenGlass(
        request,
        approver,
        moment(used_at),
        moment(review_due),
        _FINDINGS.get(finding or ""),
        reviewed_by,
        None if reviewed_at is None else moment(reviewed_at),
    )
