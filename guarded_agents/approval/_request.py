"""The request that waits for a person, and what its digest covers (DESIGN I2)."""

import hmac
from datetime import datetime, timedelta
from typing import Final, TypedDict

import rfc8785

from guarded_agents.approval._machine import is_barred
from guarded_agents.binding import keyed_digest, person, requester_key
from guarded_agents.errors import ApprovalError
from guarded_agents.records import (
    AccessRequest,
    ApprovalObligation,
    ApprovalRequest,
    BoundCall,
    CallKey,
    Decision,
    Integrity,
    Labels,
    Permit,
    Principal,
    Risk,
    ToolEffect,
)

_ID_CHARS: Final = 12


class _Terms(TypedDict):
    approval_rule: str
    group: str
    members: tuple[str, ...]
    quorum: int
    editor_may_approve: bool
    execute_within_s: int
    backup: str | None


def open_request(
    bound: BoundCall,
    access: AccessRequest,
    decision: Decision,
    *,
    members: frozenset[str],
    key: bytes,
    now: datetime,
) -> ApprovalRequest:
    """Return the request for one call that the policy permits once a person agrees.

    *access* is what the policy was asked, *members* are those of the obligation's group now. The id
    follows from the call's key alone, so that asking again gives the same id. Raises ApprovalError where
    *decision* holds no approval obligation, or one that *members* cannot meet.
    """
    obligation = _obligation(decision, bound.call_id)
    request = ApprovalRequest(
        id=_request_id(bound.key, None, key),
        thread=bound.key.thread,
        entry=bound.key.entry,
        turn=bound.key.turn,
        call_digest=bound.key.digest,
        occurrence=bound.key.occurrence,
        call_id=bound.call_id,
        server=access.tool.server,
        tool=access.tool.name,
        definition=access.tool.definition,
        arguments=bound.canonical.decode(),
        requester=access.principal,
        tenant=access.tenant,
        labels=access.labels,
        policy=decision.policy,
        rule=decision.rule,
        escalate_at=_escalate_at(obligation, now),
        risk=risk_of(decision, access.labels),
        misses=decision.misses,
        hard=decision.hard,
        question=_question(access.principal, access.tenant, bound, key),
        created_at=now,
        decide_by=now + timedelta(seconds=obligation.decide_within_s),
        digest="",
        **_terms(obligation, access.principal, members),
    )
    return _digested(request, key)


def edit_request(
    parent: ApprovalRequest,
    bound: BoundCall,
    decision: Decision,
    *,
    members: frozenset[str],
    key: bytes,
    now: datetime,
) -> ApprovalRequest:
    """Return the request for *parent*'s call with other arguments: another call, that inherits no vote (I8).

    Its decide-by and escalate-at are the parent's. *decision* is a fresh one on the edited call, *members*
    are those of its obligation's group now; where it demands no approval the parent's terms stay. Raises
    ApprovalError where it denies, where *members* cannot meet it, and where *bound* is not that tool in
    that turn, or changes nothing.
    """
    if not decision.permitted:
        raise _refused(parent.id, "an edit that the policy permits", decision.reason.value)
    place = (parent.thread, parent.entry, parent.turn, f"{parent.server}/{parent.tool}", parent.call_id)
    if (*bound.key[:3], bound.tool, bound.call_id) != place:
        raise _refused(parent.id, "an edit of this call's arguments", "another call")
    if bound.canonical == parent.arguments.encode():
        raise _refused(parent.id, "an edit that changes an argument", "the same arguments")
    changes: dict[str, object] = {
        "id": _request_id(bound.key, parent.id, key),
        "call_digest": bound.key.digest,
        "occurrence": bound.key.occurrence,
        "arguments": bound.canonical.decode(),
        "policy": decision.policy,
        "rule": decision.rule,
        "risk": risk_of(decision, parent.labels),
        "misses": decision.misses,
        "hard": decision.hard,
        "question": _question(parent.requester, parent.tenant, bound, key),
        "created_at": now,
        "parent": parent.id,
    }
    if decision.approval is not None:
        changes |= _terms(decision.approval, parent.requester, members)
    if changes.get("backup", parent.backup) is None or parent.escalate_at is None:  # one is nothing without the other
        changes |= {"backup": None, "escalate_at": None}
    return _digested(parent.model_copy(update=changes), key)


def risk_of(decision: Decision, labels: Labels) -> Risk:
    """Return what a wrong approval could cost: much for what cannot be undone or leaves after untrusted text."""
    leaves = decision.tool_effect is ToolEffect.EGRESS and labels.integrity is Integrity.UNTRUSTED
    if decision.irreversible or leaves:
        return Risk.HIGH
    return Risk.LOW if decision.tool_effect is ToolEffect.READ else Risk.MEDIUM


def request_digest(request: ApprovalRequest, *, key: bytes) -> str:
    """Return the digest of everything that a permit on *request* covers (hex, keyed).

    It covers every field but ``digest`` itself and ``created_at``, so that whatever is changed in
    the store shows, and an edited request has one digest when it is previewed and when it is voted on.
    """
    fields = request.model_dump(mode="json", exclude={"digest", "created_at"})
    return keyed_digest(key, "approval-request", rfc8785.dumps(fields))


def is_intact(request: ApprovalRequest, *, key: bytes) -> bool:
    """Return whether the request is as it was written; whatever else stands in its row, it is not."""
    try:
        digest = request_digest(request, key=key)
    except rfc8785.CanonicalizationError:  # an integer that JSON has no one spelling for
        return False
    return hmac.compare_digest(request.digest.encode(), digest.encode())


def covers(permit: Permit, *, key: bytes) -> bool:
    """Return whether the permit's request is intact and covers exactly the call about to be sent (I2).

    The permit holds fresh facts: the call as bound again, the tool's definition as it is now, and
    the policy's entries as they decide now. *labels* are those of the proposal.
    """
    request = permit.request
    if request is None:
        return False
    return (
        is_intact(request, key=key)
        and request.key == permit.call.key
        and request.arguments.encode() == permit.call.canonical
        and f"{request.server}/{request.tool}" == permit.call.tool
        and (request.server, request.tool, request.definition) == tuple(permit.tool)
        and (request.requester, request.tenant) == (permit.principal, permit.tenant)
        and request.labels == permit.labels
        and request.policy == permit.decision.policy
        and permit.decision.permitted
    )


def _obligation(decision: Decision, call_id: str) -> ApprovalObligation:
    if not decision.permitted or decision.approval is None:
        raise _refused(f"of call {call_id}", "a permit with an approval", decision.reason.value)
    return decision.approval


def _terms(obligation: ApprovalObligation, requester: Principal, members: frozenset[str]) -> _Terms:
    """Return the fields that the obligation sets. Raises ApprovalError for terms that cannot be met."""
    able = {person(member) for member in members if not is_barred(member, requester)}
    if not 1 <= obligation.quorum <= len(able):
        raise _refused(obligation.rule, f"a quorum from 1 to the {len(able)} who may answer", str(obligation.quorum))
    times_s = (obligation.decide_within_s, obligation.execute_within_s, obligation.escalate_within_s)
    if any(time_s is not None and time_s < 1 for time_s in times_s):
        raise _refused(obligation.rule, "times of at least 1 s", "less")
    if (obligation.backup is None) is not (obligation.escalate_within_s is None):
        raise _refused(obligation.rule, "a backup and a time to escalate, or neither", "one of them")
    return {
        "approval_rule": obligation.rule,
        "group": obligation.group,
        "members": tuple(sorted(members)),
        "quorum": obligation.quorum,
        "editor_may_approve": obligation.editor_may_approve,
        "execute_within_s": obligation.execute_within_s,
        "backup": obligation.backup,
    }


def _escalate_at(obligation: ApprovalObligation, now: datetime) -> datetime | None:
    return None if obligation.escalate_within_s is None else now + timedelta(seconds=obligation.escalate_within_s)


def _question(requester: Principal, tenant: str, bound: BoundCall, key: bytes) -> str:
    """Return the digest of who asks for what: the same in every thread and turn, and whatever scopes are held."""
    who = requester_key({"id": requester.id, "acting_for": requester.acting_for}, tenant)
    return keyed_digest(key, "question", who, bound.tool, bound.canonical)


def _request_id(call: CallKey, parent: str | None, key: bytes) -> str:
    parts = (call.thread, call.entry, str(call.turn), call.digest, str(call.occurrence), parent or "")
    return keyed_digest(key, "approval-id", *parts)[:_ID_CHARS]


def _digested(request: ApprovalRequest, key: bytes) -> ApprovalRequest:
    return request.model_copy(update={"digest": request_digest(request, key=key)})


def _refused(subject: str, expected: str, got: str) -> ApprovalError:
    return ApprovalError(f"approval {subject}", expected=expected, got=got, action="change the edit or the policy")
