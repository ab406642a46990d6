"""One call that was sent, or may have been: what it was, what came of it, and what people said of it since."""

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
from guarded_agents.cli._people import Asked, is_proven, resolvers
from guarded_agents.cli._text import clock, cut, indented, pretty, unproven
from guarded_agents.errors import BindingError, ProofError
from guarded_agents.moments import utc
from guarded_agents.records import (
    ApprovalRequest,
    ClaimStatus,
    Execution,
    Principal,
    Resolution,
    Review,
    Scheme,
    SignedResolution,
    SignedReview,
)

if TYPE_CHECKING:
    from guarded_agents.stores import Store

_NOBODY: Final = Principal(id="")


class Said(NamedTuple):
    """What somebody said afterwards, and whether it is proven to be theirs; None where nothing here can tell."""

    signed: SignedReview | SignedResolution
    is_proven: bool | None


@dataclass(frozen=True, slots=True)
class CallView:
    """A call that has a claim row. Its arguments are verified, or empty; the rest is as the store has it."""

    execution: Execution
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


def said_as_json(said: Said) -> dict[str, object]:
    """Return the statement, and whether it is proven; of an ID token the SHA-256, for it is a credential."""
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
        "tool": view.execution.tool,
        "thread": claim.key.thread,
        "turn": claim.key.turn,
        "arguments": parse(view.arguments.encode()) if view.arguments else None,
        "requester": view.requester.model_dump(mode="json"),
        "tenant": view.execution.tenant,
        "request": None if view.request is None else view.request.id,
        "idempotency_key": view.idempotency_key,
        "told": None if outcome is None else {"content": outcome.content, "is_error": outcome.is_error},
        "may_resolve": [
            {"group": asked.group, "members": None if asked.members is None else list(asked.members)}
            for asked in view.resolvers
        ],
    }


def as_text(view: CallView, *, now: datetime, is_full: bool = False) -> tuple[list[str], str]:
    """Return the lines that tell of the call, and those of its arguments, which are not to be folded at words."""
    shown = "it was sent with these arguments, exactly:" if view.arguments else "its arguments were erased"
    below = [shown, *([indented(pretty(view.arguments, is_full=is_full))] if view.arguments else [])]
    if view.status is ClaimStatus.IN_DOUBT:
        call = doubt_id(view.execution.claim.key)
        below += [
            "",
            "nobody knows whether it happened: look at the system that it acts on, then say what you saw:",
            f"    guarded-agents approvals resolve {call} --verdict VERDICT --looked-at TIME --text TEXT",
        ]
    return list(_head(view, now, is_full=is_full)), "\n".join(below)


def _head(view: CallView, now: datetime, *, is_full: bool) -> Iterator[str]:
    execution, claim = view.execution, view.execution.claim
    acting = "" if view.requester.acting_for is None else f", acting for {visible(view.requester.acting_for)}"
    yield f"call       {doubt_id(claim.key)}  ({view.status.value.replace('_', ' ')})"
    yield f"tool       {visible(execution.tool)}"
    yield f"asked by   {visible(view.requester.id)}{acting}, tenant {visible(execution.tenant)}"
    yield f"thread     {visible(claim.key.thread)}, turn {claim.key.turn}"
    yield f"request    {'none: nobody was asked' if view.request is None else visible(view.request.id)}"
    sent = "not known when" if claim.admitted_at is None else clock(claim.admitted_at, now=now)
    yield f"admitted   {sent}, attempt {claim.attempt}, by {visible(claim.owner)}"
    yield f"lease      until {clock(claim.lease_until, now=now)}: after it nobody waits for a reply"
    yield f"key        {view.idempotency_key}, as guarded_agents/idempotency_key in _meta of the call"
    if not view.resolvers:
        yield "resolve    nobody: the policy here names no operators"
    for asked in view.resolvers:
        names = "the members, whom nothing here knows" if asked.members is None else ", ".join(asked.members)
        yield f"resolve    {visible(names) or 'nobody'}  ({visible(asked.group)})"
    if claim.outcome is not None and claim.outcome.content:
        content = visible(claim.outcome.content)
        yield f"told       {content if is_full else cut(content)}"
    yield from resolved(view.said)


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
