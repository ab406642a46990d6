"""One call: what it was, whether it was sent, what came of it, and what people said of it since."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from guarded_agents.approval import doubt_id
from guarded_agents.binding import bind, idempotency_key, parse, requester_key
from guarded_agents.catalog import visible
from guarded_agents.cli._opened import require_intact
from guarded_agents.cli._options import Deployment
from guarded_agents.cli._people import Asked, CastVote, asked_as_json, asked_from, is_proven, resolvers
from guarded_agents.cli._text import clock, cut, indented, pretty, unproven, wrapped
from guarded_agents.errors import BindingError, ProofError
from guarded_agents.moments import utc
from guarded_agents.records import (
    ApprovalRequest,
    ClaimStatus,
    Execution,
    Outcome,
    Principal,
    Resolution,
    Review,
    Scheme,
    SignedResolution,
    SignedReview,
)

if TYPE_CHECKING:
    from guarded_agents.stores import Store

ERASED: Final = "NOT VERIFIED: the arguments were erased; the rest may have been changed in the store"
_NOBODY: Final = Principal(id="")
_WORDS: Final = {ClaimStatus.SENDING: "being sent"}
_UNSETTLED: Final = (ClaimStatus.SENDING, ClaimStatus.IN_DOUBT)  # what nobody resolves yet, and what somebody has to
_VERDICTS: Final = (
    "VERDICT is happened, not_happened (you are sure, for its sender had ended before you looked) or not_observed (you"
    " saw nothing, and it may still happen); the time is that of your look, in UTC"
)


class Said(NamedTuple):
    """What somebody said afterwards, and whether it is proven to be theirs; None where nothing here can tell."""

    signed: SignedReview | SignedResolution
    is_proven: bool | None


@dataclass(frozen=True, slots=True)
class CallView:
    """A call that has a claim row. Its arguments are verified, or empty; the rest is as the store has it."""

    execution: Execution
    tool: str
    tenant: str
    status: ClaimStatus  # as it is now: one whose lease has lapsed is in doubt
    arguments: str  # canonical JSON; empty where they were erased
    requester: Principal
    request: ApprovalRequest | None
    idempotency_key: str
    resolvers: tuple[Asked, ...]
    said: tuple[Said, ...]


def call_of(store: "Store", execution: Execution, at: Deployment, *, now: datetime) -> CallView:
    """Return the call of *execution* at *now* (UTC), and what a person has to know who says whether it happened.

    Raises ProofError where it is not as the guard wrote it, ConfigurationError and StoreError.
    """
    from guarded_agents.keys import RootKey

    key = execution.claim.key
    requester = store.requester(key.thread, key.entry) or _NOBODY
    binding_key = RootKey.load(at.root_key_file, create=False).derive("binding")
    standing, proposal = store.request_of(key), store.proposal(key)
    arguments = "" if proposal is None else proposal.canonical.decode(errors="replace")  # no digest fits it then
    if standing is not None:
        arguments = standing.request.arguments if require_intact(standing, at) else ""
        is_bound = standing.request.key == key
    else:
        is_bound = not arguments or _is_bound(execution, arguments, requester, binding_key)
    if not is_bound:
        raise ProofError(
            f"call {doubt_id(key)}",
            expected="the call as the guard wrote it",
            got="one that was changed in the store",
            action="resolve nothing, and verify the audit log",
        )
    request = None if standing is None else standing.request
    return CallView(
        execution,
        tool=execution.tool if request is None else f"{request.server}/{request.tool}",
        tenant=execution.tenant if request is None else request.tenant,
        status=status_of(execution, now=now),
        arguments=arguments,
        requester=requester if request is None else request.requester,
        request=request,
        idempotency_key=idempotency_key(binding_key, key),
        resolvers=resolvers(request, requester, at=at, now=now),
        said=said_of(execution, request, at, now=now),
    )


def said_of(
    execution: Execution, request: ApprovalRequest | None, at: Deployment, *, now: datetime
) -> tuple[Said, ...]:
    """Return what people said of the call, the oldest first, and whether each is proven and about this call."""
    groups = [asked.group for asked in resolvers(request, _NOBODY, at=at, now=now)]
    call = doubt_id(execution.claim.key)
    return tuple(
        Said(signed, signed.resolution.call == call and is_proven(signed, groups=groups, at=at, now=now))
        for signed in execution.resolutions
    )


def status_of(execution: Execution, *, now: datetime) -> ClaimStatus:
    """Return where the call stands at *now* (UTC), with what time alone has done to it: IN_DOUBT."""
    claim = execution.claim
    has_lapsed = claim.status is ClaimStatus.SENDING and now >= claim.lease_until
    return ClaimStatus.IN_DOUBT if has_lapsed else claim.status


def _is_bound(execution: Execution, arguments: str, requester: Principal, binding_key: bytes) -> bool:
    """Return whether the call's keyed digest is over exactly these arguments, tool and requester."""
    key = execution.claim.key
    try:
        bound = bind(
            key=binding_key,
            requester=requester_key(requester.model_dump(mode="json", exclude={"scopes"}), execution.tenant),
            place=(key.thread, key.entry, key.turn),
            tool=execution.tool,
            call_id="",
            arguments=parse(arguments.encode()),
            occurrence=key.occurrence,
        )
    except (BindingError, ValueError):
        return False
    return bound.key == key and bound.canonical == arguments.encode()


def execution_as_json(execution: Execution, said: tuple[Said, ...], *, now: datetime) -> dict[str, object]:
    """Return where the execution stands at *now* (UTC), and what people said of it; not what the server answered."""
    claim = execution.claim
    return {
        "call": doubt_id(claim.key),
        "status": status_of(execution, now=now).value,
        "admitted_at": None if claim.admitted_at is None else utc(claim.admitted_at),
        "changed_at": utc(execution.changed_at),
        "attempt": claim.attempt,
        "owner": claim.owner,
        "lease_until": utc(claim.lease_until),
        "reason": claim.reason.value,
        "resolutions": [said_as_json(one) for one in said],
    }


def said_as_json(said: Said | CastVote) -> dict[str, object]:
    """Return a statement or vote, and whether it is proven; of an ID token the SHA-256, for it is a credential."""
    found: dict[str, object] = said.signed.model_dump(mode="json") | {"proven": said.is_proven}
    if said.signed.scheme is Scheme.OIDC:
        del found["signature"]
        found["proof"] = sha256(said.signed.signature.encode()).hexdigest()
    return found


def as_json(view: CallView, *, now: datetime) -> dict[str, object]:
    """Return the call at *now* (UTC), its arguments parsed."""
    claim = view.execution.claim
    outcome = claim.outcome
    return execution_as_json(view.execution, view.said, now=now) | {
        "tool": view.tool,
        "thread": claim.key.thread,
        "turn": claim.key.turn,
        "arguments": parse(view.arguments.encode()) if view.arguments else None,
        "requester": view.requester.model_dump(mode="json"),
        "tenant": view.tenant,
        "request": None if view.request is None else view.request.id,
        "idempotency_key": view.idempotency_key,
        "told": None if outcome is None else {"content": outcome.content, "is_error": outcome.is_error},
        "verified": bool(view.arguments),
        "may_resolve": [asked_as_json(asked) for asked in view.resolvers],
    }


def as_text(view: CallView, at: Deployment, *, now: datetime, is_full: bool = False, columns: int | None = None) -> str:
    """Return the same for a person, broken between words to fit into *columns*; the arguments are kept as they are.

    Arguments, tool, thread and who asked are verified; how far it came, and what was told, is as the store has it.
    """
    lines = [] if view.arguments else [ERASED]
    lines += wrapped(_head(view, now, is_full=is_full), columns=columns)
    lines += ["", f"{_sent(view)}:", indented(pretty(view.arguments, is_full=is_full), columns=columns)]
    if view.status is ClaimStatus.IN_DOUBT:
        look = "nobody knows whether it happened: look at the system that it acts on, then say what you saw:"
        lines += [
            "",
            *wrapped([look], columns=columns, hanging=0),
            f"    guarded-agents approvals resolve {doubt_id(view.execution.claim.key)} --verdict VERDICT \\",
            "        --looked-at YYYY-MM-DDTHH:MM:SSZ --text TEXT \\",
            f"        --key FILE --as NAME{at.shell_options}",
            *wrapped([_VERDICTS], columns=columns, hanging=0),
        ]
    return "\n".join(lines)


def _sent(view: CallView) -> str:
    if view.status is ClaimStatus.CLOSED:
        return "the call, which was not sent"
    did = {ClaimStatus.SENDING: "is being sent", ClaimStatus.FAILED: "failed"}.get(view.status, "was sent")
    return f"it {did} with these arguments, exactly"


def _head(view: CallView, now: datetime, *, is_full: bool) -> Iterator[str]:
    execution, claim, status = view.execution, view.execution.claim, view.status
    acting = "" if view.requester.acting_for is None else f", acting for {visible(view.requester.acting_for)}"
    why = f": {claim.reason.value.replace('_', ' ')}" if status is ClaimStatus.CLOSED else ""
    yield f"call       {doubt_id(claim.key)}  ({_WORDS.get(status, status.value.replace('_', ' '))}{why})"
    yield f"tool       {visible(view.tool)}"
    yield f"asked by   {visible(view.requester.id)}{acting}, tenant {visible(view.tenant)}"
    yield f"thread     {visible(claim.key.thread)}, turn {claim.key.turn}"
    yield f"request    {'none: nobody was asked' if view.request is None else visible(view.request.id)}"
    if claim.admitted_at is None:
        yield "admitted   never"
    else:
        yield f"admitted   {clock(claim.admitted_at, now=now)}, attempt {claim.attempt}, by {visible(claim.owner)}"
    if status in _UNSETTLED:
        yield f"lease      until {clock(claim.lease_until, now=now)}: after it nobody waits for a reply"
    else:
        yield f"changed    {clock(execution.changed_at, now=now)}"
    yield f"key        {view.idempotency_key}, as guarded_agents/idempotency_key in _meta of the call"
    if status in _UNSETTLED:
        yield from _resolvers(view.resolvers, now)
    if claim.outcome is None:
        yield f"told       {'nothing yet' if status is ClaimStatus.SENDING else 'not on record'}"
    else:
        yield _told(claim.outcome, is_full=is_full)
    yield from resolved(view.said)


def _resolvers(may: tuple[Asked, ...], now: datetime) -> Iterator[str]:
    if not may:
        yield "resolve    nobody: the policy here names no operators"
    for asked in may:
        names = "the members, whom nothing here knows" if asked.members is None else ", ".join(asked.members)
        yield f"resolve    {visible(names) or 'nobody'}  ({visible(asked.group)}{asked_from(asked, now=now)})"


def _told(outcome: Outcome, *, is_full: bool) -> str:
    """Return what the model was told: a server's words, or the guard's. Nothing proves that they are."""
    content = visible(outcome.content)
    error = " (an error)" if outcome.is_error else ""
    return f"told       the model{error}, and not verified: {(content if is_full else cut(content)) or '(nothing)'}"


def resolved(said: tuple[Said, ...]) -> Iterator[str]:
    """Yield a line for each statement: what was found, by whom and when, and the text."""
    for one in said:
        label, found, who, of = _spoken(one.signed)
        text = visible(of.text) if of.text else "(erased)"
        doubt = unproven([one.is_proven])
        yield f"{label:10} {found.replace('_', ' ')} says {visible(who)} at {utc(of.at)}{doubt}: {text}"


def _spoken(signed: SignedReview | SignedResolution) -> tuple[str, str, str, Review | Resolution]:
    if isinstance(signed, SignedReview):
        return "review", signed.review.finding.value, signed.review.reviewer, signed.review
    return "resolved", signed.resolution.verdict.value, signed.resolution.resolver, signed.resolution


__all__ = [
    "ERASED",
    "CallView",
    "Said",
    "as_json",
    "as_text",
    "call_of",
    "execution_as_json",
    "resolved",
    "said_as_json",
    "said_of",
    "status_of",
]
