"""What a policy must keep that one record alone cannot show: names that exist, rules that can be met."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Final

from guarded_agents.binding import person
from guarded_agents.errors import GuardError
from guarded_agents.policy._condition import check_condition
from guarded_agents.policy._fault import Fault
from guarded_agents.policy._fence import ConditionFault
from guarded_agents.policy._file import (
    ApprovalEntry,
    ApproverGroup,
    AskingEntry,
    BreakGlassEntry,
    PolicyFile,
    Recording,
    ToolEntry,
)
from guarded_agents.policy._values import plan_faults, value_faults
from guarded_agents.records import HOLDERS, ToolEffect
from guarded_agents.schema import compile_schema

DEFAULT_DENY: Final = "default-deny"
_GROUP: Final = "a group of this file"


def permit_id(key: str, entry: ToolEntry) -> str:
    """Return the id of the rule that permits the tool *key* ("server/tool")."""
    return entry.id if entry.id is not None else f"permit:{key}"


def approval_id(key: str, entry: ApprovalEntry) -> str:
    """Return the id of the rule that asks for an approval of the tool *key*."""
    return entry.id if entry.id is not None else f"approval:{key}"


def asking_id(key: str, entry: ToolEntry, asking: AskingEntry) -> str:
    """Return the id of the rule that asks about values of a call of the tool *key* that have no authority."""
    if entry.approval is not None:
        return approval_id(key, entry.approval)
    return asking.id if asking.id is not None else f"authority:{key}"


def people(names: Iterable[str]) -> frozenset[str]:
    """Return whom *names* are, each by one spelling (`person`)."""
    return frozenset(map(person, names))


class Roster:
    """Who may ask for the tools of a policy and who may answer, as far as the file says it."""

    def __init__(self, policy: PolicyFile) -> None:
        """Look at *policy*, whose groups and their backups are in the file."""
        self._policy = policy

    @cached_property
    def _askers(self) -> dict[str, frozenset[str]]:
        """Who has which scope."""
        names: dict[str, list[str]] = {}
        for name, entry in self._policy.principals.items():
            for scope in entry.scopes:
                names.setdefault(scope, []).append(name)
        return {scope: people(listed) for scope, listed in names.items()}

    @cached_property
    def members(self) -> dict[str, frozenset[str]]:
        """Who is in which group."""
        return {name: people(group.members) for name, group in self._policy.approvers.items()}

    def askers(self, entry: ToolEntry) -> frozenset[str]:
        """Return who may ask for the tool of *entry*."""
        return self._askers.get(entry.scope, frozenset())

    def serves_many_tenants(self, group: str, *, certainly: bool) -> bool:
        """Return whether calls of more than one tenant may wait for *group*.

        A principal without a list of tenants may act in any: that is so perhaps, and not *certainly*.
        """
        asking = [entry.scope for entry in self._policy.tools.values() if self._asks(entry, group)]
        listed = [
            entry.tenants for entry in self._policy.principals.values() if not set(asking).isdisjoint(entry.scopes)
        ]
        return (not certainly and None in listed) or len({tenant for tenants in listed for tenant in tenants or ()}) > 1

    def _asks(self, entry: ToolEntry, group: str) -> bool:
        asking = self._policy.asking(entry)
        return asking is not None and asking.approvers == group

    def locked_out(self, entry: ToolEntry, approval: AskingEntry) -> frozenset[str]:
        """Return whose calls of the tool of *entry* certainly too few others could approve.

        Anybody may be in an external group, so that one locks out nobody.
        """
        voters = self._voters(approval)
        if voters is None or len(voters) > approval.quorum:
            return frozenset()
        return frozenset(asker for asker in self.askers(entry) if len(voters - {asker}) < approval.quorum)

    def _voters(self, approval: AskingEntry) -> frozenset[str] | None:
        group = self._policy.approvers[approval.approvers]
        asked = [approval.approvers]
        if group.backup is not None and approval.escalate_within_s is not None:
            asked.append(group.backup)
        if any(self._policy.approvers[name].external for name in asked):
            return None
        return frozenset().union(*(self.members[name] for name in asked))


def first_fault(policy: PolicyFile) -> Fault | None:
    """Return the first thing that makes *policy* unusable, None where nothing does."""
    return next(_faults(policy), None)


def _faults(policy: PolicyFile) -> Iterator[Fault]:
    yield from _groups(policy)
    roster = Roster(policy)
    yield from _queue(policy, roster)
    for key, entry in policy.tools.items():
        path = ("tools", key)
        yield from _conditions(path, entry)
        yield from _flags(path, entry)
        yield from value_faults(path, entry)
        asking, here = policy.asking(entry), ("authority",) if entry.approval is None else (*path, "approval")
        if asking is not None:
            yield from _approval(here, entry, asking, policy, roster=roster)
        if entry.argument_schema is not None:
            yield from _schema(path, entry, key)
    yield from _exceptions(policy)
    yield from _ids(policy)
    if policy.break_glass is not None:
        yield from _glass(policy.break_glass, policy, roster)
    if policy.plan is not None:
        yield from plan_faults(policy.plan, policy)
    if policy.operators is not None and policy.operators not in policy.approvers:
        yield Fault(("operators",), _GROUP, f"{policy.operators[:80]!r}")


def _groups(policy: PolicyFile) -> Iterator[Fault]:
    for name, group in policy.approvers.items():
        path = ("approvers", name)
        if name == HOLDERS:
            yield Fault(path, "another name: this one stands for who may break the glass", f"{name!r}")
        yield from _group(path, group)
        if group.backup is not None and (group.backup not in policy.approvers or group.backup == name):
            yield Fault((*path, "backup"), "another group of this file", group.backup)


def _group(path: tuple[str, ...], group: ApproverGroup) -> Iterator[Fault]:
    if group.external and group.members:
        yield Fault((*path, "members"), "none for an external group, whom a directory knows", "some")
    if not group.external and not group.members:
        yield Fault((*path, "members"), "at least one member", "none")


def _queue(policy: PolicyFile, roster: Roster) -> Iterator[Fault]:
    """Find bounds that are written down, and let one principal or one tenant fill a group for all others."""
    queue = policy.queue
    for name, group in policy.approvers.items():
        if "capacity" not in group.model_fields_set:
            continue
        for bound, limit, is_certain in (
            ("per_principal", queue.per_principal, True),
            ("per_tenant", queue.per_tenant, roster.serves_many_tenants(name, certainly=True)),
        ):
            if bound in queue.model_fields_set and is_certain and limit >= group.capacity:
                got = f"{limit}: one could fill it for all others"
                yield Fault(("queue", bound), f"less than {group.capacity}, the capacity of {name}", got)


def _condition(path: tuple[str | int, ...], text: str) -> Iterator[Fault]:
    try:
        check_condition(text)
    except ConditionFault as fault:
        yield Fault(path, fault.expected, fault.got)


def _conditions(path: tuple[str, ...], entry: ToolEntry) -> Iterator[Fault]:
    if entry.permit_when is not None:
        yield from _condition((*path, "permit_when"), entry.permit_when)
    for index, deny in enumerate(entry.deny_when):
        yield from _condition((*path, "deny_when", index, "when"), deny.when)
    if entry.approval is not None and entry.approval.when is not None:
        yield from _condition((*path, "approval", "when"), entry.approval.when)


def _flags(path: tuple[str, ...], entry: ToolEntry) -> Iterator[Fault]:
    if entry.effect is not ToolEffect.READ and entry.record is Recording.BUFFERED:
        yield Fault((*path, "record"), "an effect recorded before it is sent (leave 'record' out)", "buffered")
    if entry.effect is ToolEffect.READ and entry.irreversible:
        yield Fault((*path, "irreversible"), "effect write or egress for what is irreversible", "read")


def _approval(
    here: tuple[str, ...], entry: ToolEntry, approval: AskingEntry, policy: PolicyFile, *, roster: Roster
) -> Iterator[Fault]:
    group = policy.approvers.get(approval.approvers)
    if group is None:
        yield Fault((*here, "approvers"), _GROUP, f"{approval.approvers[:80]!r}")
    else:
        yield from _answerable(here, entry, approval, group, roster)


def _answerable(
    here: tuple[str, ...], entry: ToolEntry, approval: AskingEntry, group: ApproverGroup, roster: Roster
) -> Iterator[Fault]:
    if approval.escalate_within_s is not None and group.backup is None:
        yield Fault((*here, "escalate_within"), f"a backup of {approval.approvers}", "a group without one")
    if approval.escalate_within_s is not None and approval.escalate_within_s >= approval.decide_within_s:
        yield Fault((*here, "escalate_within"), "escalation before decide_within has passed", "one after it")
    size = len(roster.members[approval.approvers])
    if not group.external and approval.quorum > size:
        yield Fault((*here, "quorum"), f"a quorum of at most {size}, the group", str(approval.quorum))
    locked_out = roster.locked_out(entry, approval)
    if locked_out and locked_out == roster.askers(entry):
        got = "a group that is too small without the principal that asks"
        yield Fault((*here, "quorum"), "enough approvers other than who asks", got)


def _glass(glass: BreakGlassEntry, policy: PolicyFile, roster: Roster) -> Iterator[Fault]:
    holders = people(glass.holders)
    if len(holders) < len(glass.holders):
        yield Fault(("break_glass", "holders"), "each person once", "one in two spellings")
    for index, key in enumerate(glass.tools):
        got = _unbreakable(policy.tools.get(key))
        if got is not None:
            yield Fault(("break_glass", "tools", index), "a tool with an approval that is not hard", f"{key!r}, {got}")
    group = policy.approvers.get(glass.reviewers)
    if group is None:
        yield Fault(("break_glass", "reviewers"), _GROUP, f"{glass.reviewers[:80]!r}")
    elif not group.external and any(roster.members[glass.reviewers] == {holder} for holder in holders):
        got = "a holder as the only reviewer"
        yield Fault(("break_glass", "reviewers"), "a reviewer other than who breaks the glass", got)


def _unbreakable(entry: ToolEntry | None) -> str | None:
    if entry is None:
        return "which this file does not list"
    if entry.hard:
        return "which is hard"
    return "which nobody has to approve" if entry.approval is None else None


def _schema(path: tuple[str, ...], entry: ToolEntry, key: str) -> Iterator[Fault]:
    try:
        compile_schema(dict(entry.argument_schema or {}), subject=key)
    except GuardError as error:
        yield Fault((*path, "schema"), error.expected, error.got)


def _exceptions(policy: PolicyFile) -> Iterator[Fault]:
    for index, exception in enumerate(policy.exceptions):
        path = ("exceptions", index)
        yield from _condition((*path, "when"), exception.when)
        entry = policy.tools.get(exception.allows)
        if entry is None:
            yield Fault((*path, "allows"), "a tool of this file", f"{exception.allows[:80]!r}")
        elif entry.hard:
            yield Fault((*path, "allows"), "a tool that is not hard", f"{exception.allows[:80]!r}")
        elif entry.permit_when is None and not entry.deny_when:
            yield Fault((*path, "allows"), "a tool with a condition to except from", f"{exception.allows[:80]!r}")


def _ids(policy: PolicyFile) -> Iterator[Fault]:
    seen = {DEFAULT_DENY}
    for path, rule in _rules(policy):
        if rule in seen:
            yield Fault(path, "rule ids that are unique", f"{rule!r} again")
        seen.add(rule)


def _rules(policy: PolicyFile) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for key, entry in policy.tools.items():
        path = ("tools", key)
        yield (*path, "id"), permit_id(key, entry)
        for index, deny in enumerate(entry.deny_when):
            yield (*path, "deny_when", index, "id"), deny.id
        if entry.approval is not None:
            yield (*path, "approval", "id"), approval_id(key, entry.approval)
    for index, exception in enumerate(policy.exceptions):
        yield ("exceptions", index, "id"), exception.id
