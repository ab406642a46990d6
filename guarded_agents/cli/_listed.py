"""The requests of a store, one line for each question: read from its columns, and not verified."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from guarded_agents.moments import utc
from guarded_agents.records import ApprovalRequest, RequestStatus, RequestSummary, Risk

if TYPE_CHECKING:
    from guarded_agents.stores import Store

MAX_READ: Final = 50_000  # requests; 10,000 are read in a tenth of a second
_GOES_BY: Final = {
    "question": ("question",),
    "labels": ("labels",),
    "risk": ("risk", "hard"),
    "group": ("group", "backup"),
    "quorum": ("quorum",),
    "what an editor may": ("editor_may_approve",),
    "time to send it": ("execute_within_s",),
    "tool definition": ("server", "tool", "definition"),
    "policy": ("policy", "rule", "approval_rule"),
}
_ONE_LINE: Final = ("question", "status", "risk", "group", "quorum")  # requests that share all of these are one line


class Line(NamedTuple):
    """The most urgent one of the requests that ask the same, how many there are, and how often each is approved."""

    request: RequestSummary
    number: int
    fewest: int  # approvals of one of them
    most: int


@dataclass(frozen=True, slots=True)
class Listing:
    """Requests by risk, decide-by and id. *is_whole* is False where there are more than were read."""

    requests: tuple[RequestSummary, ...]
    is_whole: bool = True

    @property
    def lines(self) -> tuple[Line, ...]:
        """Return a line for each question that was asked, in the order of its most urgent request."""
        first: dict[tuple[object, ...], RequestSummary] = {}
        votes: dict[tuple[object, ...], list[int]] = {}
        for request in self.requests:
            question = tuple(getattr(request, column) for column in _ONE_LINE)
            first.setdefault(question, request)
            votes.setdefault(question, []).append(request.votes)
        return tuple(
            Line(request, len(found), min(found), max(found))
            for request, found in zip(first.values(), votes.values(), strict=True)  # both in the order of the first
        )

    def title(self, *, what: str, shown: int) -> str:
        """Return how many there are, of which risk, and how many lines of them are *shown*."""
        total = len(self.requests)
        counted = Counter(request.risk for request in self.requests)
        words = ", ".join(f"{counted[risk]:,} {risk.value}" for risk in reversed(Risk) if counted[risk])
        lines = len(self.lines)
        rest = f"; the first {shown:,} of {lines:,} questions, --limit shows more" if shown < lines else ""
        return f"{total:,}{'' if self.is_whole else ' or more'} {what}: {words} risk{rest}"


def listing(store: "Store", *, status: RequestStatus | None, group: str | None) -> Listing:
    """Return the requests of *status* (None: any) and *group* (None: any), at most `MAX_READ`. Raises StoreError."""
    from guarded_agents.stores import every_request

    read = list(islice(every_request(store, status=status), MAX_READ))
    return Listing(
        tuple(request for request in read if group is None or request.group == group), is_whole=len(read) < MAX_READ
    )


def asking(store: "Store", question: str) -> tuple[str, ...]:
    """Return the ids of the pending requests that say they ask *question*, the most urgent one first."""
    from guarded_agents.stores import every_request

    return tuple(request.id for request in islice(every_request(store), MAX_READ) if request.question == question)


def differences(request: ApprovalRequest, other: ApprovalRequest) -> tuple[str, ...]:
    """Return what is not the same about two requests, of all that an approver goes by: none where they are identical.

    The same question may be asked after other texts were read, under another policy, or of another tool by that name.
    """
    return tuple(
        name for name, fields in _GOES_BY.items() if any(getattr(request, f) != getattr(other, f) for f in fields)
    )


def as_json(request: RequestSummary) -> dict[str, object]:
    """Return *request* as JSON."""
    return request._asdict() | {
        "status": request.status.value,
        "risk": request.risk.value,
        "decide_by": utc(request.decide_by),
        "escalate_at": None if request.escalate_at is None else utc(request.escalate_at),
    }


def left(moment: datetime | None, *, now: datetime, then: str = "over") -> str:
    """Return how long it is until *moment*, in a few letters: ``3h58m``; *then* from there on; a dash for none."""
    if moment is None:
        return "-"
    seconds = (moment - now).total_seconds()
    if seconds <= 0:
        return then
    minutes, hours = int(seconds // 60), int(seconds // 3_600)
    if hours >= 48:  # noqa: PLR2004  hours are read well up to two days
        return f"{hours // 24}d{hours % 24}h"
    return f"{hours}h{minutes % 60:02}m" if hours else f"{minutes}m{int(seconds % 60):02}s"


__all__ = ["MAX_READ", "Line", "Listing", "as_json", "asking", "differences", "left", "listing"]
