"""What is no error in a policy and yet seldom meant."""

from collections.abc import Iterator
from datetime import datetime

from guarded_agents.policy._check import Roster, people
from guarded_agents.policy._file import BreakGlassEntry, Policy
from guarded_agents.policy._screening import SECRETS
from guarded_agents.records import ToolEffect


def seldom_meant(policy: Policy, *, now: datetime) -> tuple[str, ...]:
    """Return what in *policy* is no error at *now* (aware, UTC) and yet seldom meant, one line each.

    *policy* is one that was loaded.
    """
    return tuple(_notes(policy, now))


def _notes(policy: Policy, now: datetime) -> Iterator[str]:
    roster = Roster(policy)
    for key, entry in policy.tools.items():
        if not roster.askers(entry):
            yield f"tool {key}: no principal has its scope {entry.scope}, so nobody can call it"
    for exception in policy.exceptions:
        if not exception.is_live(now=now):
            yield f"exception {exception.id}: it ended at {exception.until.isoformat()} and has no effect"
    if policy.signers is None and any(policy.asking(entry) is not None for entry in policy.tools.values()):
        yield "signers: no file of approvers' keys is named, so no approval can be given by a key"
    yield from _received(policy)
    yield from _groups(policy, roster)
    yield from _approvals(policy, roster)
    yield from _doubts(policy)
    yield from _values(policy)
    yield from _queue(policy, roster)
    if policy.break_glass is not None:
        yield from _glass(policy.break_glass, policy, roster)


def _received(policy: Policy) -> Iterator[str]:
    taken_out = {*policy.screening.redact, *SECRETS}
    for key, entry in policy.tools.items():
        for kind in sorted(set(entry.receives) - taken_out):
            yield f"tool {key}: it receives values of kind {kind}, which screening.redact does not take out of a text"


def _groups(policy: Policy, roster: Roster) -> Iterator[str]:
    escalating = {
        entry.approval.approvers
        for entry in policy.tools.values()
        if entry.approval is not None and entry.approval.escalate_within_s is not None
    }
    for name, group in policy.approvers.items():
        if group.backup is None:
            continue
        if name not in escalating:
            yield f"approvers {name}: no approval escalates, so its backup {group.backup} is never asked"
        elif roster.members[group.backup] and roster.members[group.backup] <= roster.members[name]:
            yield f"approvers {name}: everybody in its backup {group.backup} is in it already"


def _queue(policy: Policy, roster: Roster) -> Iterator[str]:
    queue = policy.queue
    if queue.per_principal > queue.per_tenant:
        yield "queue.per_principal: it is above per_tenant, so it bounds nothing"
    asked = {asking.approvers for entry in policy.tools.values() if (asking := policy.asking(entry)) is not None}
    for name in sorted(asked):
        capacity = policy.approvers[name].capacity
        if min(queue.per_principal, queue.per_tenant) >= capacity:
            yield f"approvers {name}: one principal can fill its capacity of {capacity} for all others"
        elif queue.per_tenant >= capacity and roster.serves_many_tenants(name, certainly=False):
            yield f"approvers {name}: one tenant can fill its capacity of {capacity} for all others"


def _approvals(policy: Policy, roster: Roster) -> Iterator[str]:
    for key, entry in policy.tools.items():
        if (asking := policy.asking(entry)) is not None:
            for asker in sorted(roster.locked_out(entry, asking)):
                yield f"tool {key}: without {asker} its approvers are too few, so no call of {asker} can be approved"


def _doubts(policy: Policy) -> Iterator[str]:
    acting = any(entry.effect is not ToolEffect.READ or entry.approval is not None for entry in policy.tools.values())
    if policy.operators is None and acting:
        yield "operators: no group is named, so a call in doubt that nobody was asked about can be settled by nobody"


def _values(policy: Policy) -> Iterator[str]:
    """Say of which tools every call is asked about, or refused, once a thread has read anything untrusted."""
    for key, entry in policy.tools.items():
        if entry.effect is ToolEffect.READ or entry.verbs:
            continue
        asked = "refused" if policy.asking(entry) is None else "asked about"
        yield f"tool {key}: it has no verbs, so each call of it is {asked} once anything untrusted was read"


def _glass(glass: BreakGlassEntry, policy: Policy, roster: Roster) -> Iterator[str]:
    holders = people(glass.holders)
    if policy.signers is None:
        yield "break_glass: no file of approvers' keys is named, so nobody has the two keys that it takes"
    if roster.members[glass.reviewers] and roster.members[glass.reviewers] <= holders:
        yield f"break_glass: everybody in {glass.reviewers} may break the glass, so the holders review one another"
    for key in glass.tools:
        for asker in sorted(holders & roster.askers(policy.tools[key])):
            yield f"break_glass: {asker} may call {key}, and nobody breaks the glass for a call of their own"
