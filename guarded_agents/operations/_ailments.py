"""What can be wrong with what is stored, and what the store alone tells of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from guarded_agents.approval import doubt_id
from guarded_agents.audit import verify_log
from guarded_agents.moments import utc
from guarded_agents.records import Claim, ClaimStatus, RequestStatus, RequestSummary, StandingRequest
from guarded_agents.stores import Store, every_request

GRACE: Final = timedelta(minutes=1)  # what is younger may be under way in another process
PAGE: Final = 1_000
_UNTOLD: Final = (  # settled, and not by a transaction that closes the call as well
    RequestStatus.APPROVED,
    RequestStatus.ANSWERED,
    RequestStatus.REJECTED,
    RequestStatus.EXPIRED,
    RequestStatus.LAPSED,
    RequestStatus.VOIDED,
)


class AilmentKind(StrEnum):
    """What can be wrong, in the order in which it is listed."""

    LOG_BROKEN = "log_broken"
    CONFLICT = "conflict"
    IN_DOUBT = "in_doubt"
    REVIEW_OVERDUE = "review_overdue"
    THREAD_WITHOUT_ROW = "thread_without_row"
    ROW_WITHOUT_THREAD = "row_without_thread"
    UNKNOWN_THREAD = "unknown_thread"
    PAST_ITS_TIME = "past_its_time"
    UNREADABLE = "unreadable"
    NOTICE_STUCK = "notice_stuck"
    NOT_TOLD = "not_told"
    STOPPED = "stopped"
    NOT_LOOKED_AT = "not_looked_at"

    @property
    def is_repairable(self) -> bool:
        """Return whether `repair` does something about it. The others are for people."""
        return self in _REPAIRABLE


_REPAIRABLE: Final = frozenset(
    {
        AilmentKind.THREAD_WITHOUT_ROW,
        AilmentKind.ROW_WITHOUT_THREAD,
        AilmentKind.PAST_ITS_TIME,
        AilmentKind.NOT_TOLD,
        AilmentKind.STOPPED,
    }
)


@dataclass(frozen=True, slots=True)
class Ailment:
    """One thing that is wrong: what it is about, what is wrong with it, and what to do.

    *subject* is the id of a request or of a call in doubt, a thread, or the log; *thread* is None where there is none.
    """

    kind: AilmentKind
    subject: str
    what: str
    action: str
    thread: str | None = None


def in_order(ailments: list[Ailment]) -> tuple[Ailment, ...]:
    """Return *ailments* by kind and subject, the first of those that share both."""
    first = {(ailment.kind, ailment.subject): ailment for ailment in reversed(ailments)}
    order = tuple(AilmentKind)
    return tuple(sorted(first.values(), key=lambda ailment: (order.index(ailment.kind), ailment.subject)))


def of_store(store: Store, *, now: datetime) -> list[Ailment]:
    """Return what is wrong at *now* (UTC) whatever the threads do. It may take seconds. Raises StoreError."""
    return [
        *_of_log(store),
        *_of_claims(store, now),
        *_of_reviews(store, now),
        *_of_rows(store),
        *_of_notices(store),
        *_past_their_time(store, now),
    ]


def untold(store: Store, *, now: datetime) -> list[StandingRequest]:
    """Return the requests that were settled for a while and whose call is neither run nor closed."""
    return [
        standing
        for status in _UNTOLD
        for summary in every_request(store, status=status)
        if (standing := store.request(summary.id)) is not None
        and is_quiet(store, standing, now=now)
        and store.claim(standing.request.key) is None
    ]


def is_quiet(store: Store, standing: StandingRequest, *, now: datetime) -> bool:
    """Return whether nobody seems to be at work on a settled request: it is no news, and its call is not being sent."""
    if standing.settled_at is not None and now < standing.settled_at + GRACE:
        return False
    claim = store.claim(standing.request.key)
    return claim is None or not is_sending(claim, now=now)


def is_sending(claim: Claim, *, now: datetime) -> bool:
    """Return whether the owner of *claim* may be sending it at *now* (UTC)."""
    return claim.status is ClaimStatus.SENDING and now < claim.lease_until


def _of_log(store: Store) -> Iterator[Ailment]:
    result = verify_log(store)
    if not result.verified:
        first = f": entry {result.findings[0].sequence} {result.findings[0].what}" if result.findings else ""
        yield Ailment(
            AilmentKind.LOG_BROKEN,
            "audit log",
            f"does not verify{first}",
            "run `guarded-agents audit verify`, keep the files as they are, and find out who wrote them",
        )


def _of_claims(store: Store, now: datetime) -> Iterator[Ailment]:
    found = store.doubts(now=now, limit=PAGE + 1)
    yield from _rest(found, "calls in doubt")
    for claim in found[:PAGE]:
        name, standing = doubt_id(claim.key), store.request_of(claim.key)
        tool = "a call" if standing is None else f"{standing.request.server}/{standing.request.tool}"
        if claim.status is ClaimStatus.CONFLICT:
            yield Ailment(
                AilmentKind.CONFLICT,
                name,
                f"{tool} was resolved as not having happened, and then its server answered: it did happen",
                "tell those who relied on the resolution; nothing here undoes the call",
                claim.key.thread,
            )
        else:
            yield Ailment(
                AilmentKind.IN_DOUBT,
                name,
                f"nobody knows whether {tool} happened (attempt {claim.attempt})",
                f"look at what it acts on, then `guarded-agents approvals resolve {name}`",
                claim.key.thread,
            )


def _of_reviews(store: Store, now: datetime) -> Iterator[Ailment]:
    found = store.broken_glass(limit=PAGE + 1)
    yield from _rest(found, "reviews")
    for glass in found[:PAGE]:
        if glass.is_overdue(now=now):
            yield Ailment(
                AilmentKind.REVIEW_OVERDUE,
                glass.request,
                f"{glass.approver} broke the glass, and the review was due at {utc(glass.review_due)}",
                "look at it, then `guarded-agents approvals review ID`; no other glass can be broken until then",
            )


def _of_rows(store: Store) -> Iterator[Ailment]:
    found = store.unreadable(limit=PAGE + 1)
    yield from _rest(found, "rows")
    for row in found[:PAGE]:
        what = f"this {row.kind} cannot be read, and is passed over: it was not written by guarded_agents"
        action = "find out who writes the store; no call is sent because of it, and nobody is asked"
        yield Ailment(AilmentKind.UNREADABLE, row.name, what, action, row.thread)


def _of_notices(store: Store) -> Iterator[Ailment]:
    found = store.stuck_notices(limit=PAGE + 1)
    yield from _rest(found, "notices")
    for notice in found[:PAGE]:
        if notice.is_readable:
            what = f"the notice to {notice.to} did not arrive {notice.attempt} times: {notice.problem}"
            action = "see that its receiver takes notices; a worker tries again; the request can be answered meanwhile"
        else:
            what = "its notice cannot be read, and nobody is told by it: it was not written by guarded_agents"
            action = "find out who writes the store, and tell the approvers by hand"
        yield Ailment(AilmentKind.NOTICE_STUCK, notice.request, what, action)


def _rest(found: Sequence[object], what: str) -> Iterator[Ailment]:
    if len(found) > PAGE:
        yield Ailment(
            AilmentKind.NOT_LOOKED_AT,
            what,
            f"there are more than {PAGE}, and the others were not looked at",
            "settle these first",
        )


def _past_their_time(store: Store, now: datetime) -> Iterator[Ailment]:
    for summary in every_request(store):
        if now >= summary.decide_by:
            yield _past(summary, f"was to be decided by {utc(summary.decide_by)}")
    for summary in every_request(store, status=RequestStatus.APPROVED):
        standing = store.request(summary.id)
        if standing is not None and standing.execute_by is not None and now >= standing.execute_by:
            yield _past(summary, f"was approved, and to be executed by {utc(standing.execute_by)}")


def _past(summary: RequestSummary, what: str) -> Ailment:
    return Ailment(
        AilmentKind.PAST_ITS_TIME,
        summary.id,
        what,
        "run a worker, or `guarded-agents approvals sweep`; the call runs no more",
        summary.thread,
    )
