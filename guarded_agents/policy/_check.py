"""What a policy must keep that one record alone cannot show: names that exist, rules that can be met."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from guarded_agents.errors import GuardError
from guarded_agents.policy._condition import check_condition
from guarded_agents.policy._fence import ConditionFault
from guarded_agents.policy._file import ApprovalEntry, ArgumentUse, PolicyFile, Recording, ToolEntry
from guarded_agents.records import ToolEffect
from guarded_agents.schema import compile_schema

DEFAULT_DENY: Final = "default-deny"


class Fault(NamedTuple):
    """What is wrong, and where in the file."""

    path: tuple[str | int, ...]
    expected: str
    got: str


def permit_id(key: str, entry: ToolEntry) -> str:
    """Return the id of the rule that permits the tool *key* ("server/tool")."""
    return entry.id if entry.id is not None else f"permit:{key}"


def approval_id(key: str, entry: ApprovalEntry) -> str:
    """Return the id of the rule that asks for an approval of the tool *key*."""
    return entry.id if entry.id is not None else f"approval:{key}"


def first_fault(policy: PolicyFile) -> Fault | None:
    """Return the first thing that makes *policy* unusable, None where nothing does."""
    return next(_faults(policy), None)


def _faults(policy: PolicyFile) -> Iterator[Fault]:
    yield from _groups(policy)
    for key, entry in policy.tools.items():
        path = ("tools", key)
        yield from _conditions(path, entry)
        yield from _flags(path, entry)
        if entry.arguments:
            yield from _arguments(path, entry)
        if entry.approval is not None:
            yield from _approval(path, entry.approval, policy)
        if entry.argument_schema is not None:
            yield from _schema(path, entry, key)
    yield from _exceptions(policy)
    yield from _ids(policy)


def _groups(policy: PolicyFile) -> Iterator[Fault]:
    for name, group in policy.approvers.items():
        path = ("approvers", name)
        if not group.members:
            yield Fault((*path, "members"), "at least one member", "none")
        if group.backup is not None and (group.backup not in policy.approvers or group.backup == name):
            yield Fault((*path, "backup"), "another group of this file", group.backup)


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


def _arguments(path: tuple[str, ...], entry: ToolEntry) -> Iterator[Fault]:
    for name, argument in entry.arguments.items():
        here = (*path, "arguments", name)
        if argument.natural_key and argument.use is not ArgumentUse.TARGET:
            yield Fault((*here, "natural_key"), "use: target for a natural key", argument.use)
        if argument.content is not None and argument.use is not ArgumentUse.CONTENT:
            yield Fault((*here, "content"), "use: content for a rule about content", argument.use)


def _approval(path: tuple[str, ...], approval: ApprovalEntry, policy: PolicyFile) -> Iterator[Fault]:
    here = (*path, "approval")
    group = policy.approvers.get(approval.approvers)
    if group is None:
        yield Fault((*here, "approvers"), "a group of this file", f"{approval.approvers[:80]!r}")
    elif approval.quorum > len(group.members):
        yield Fault((*here, "quorum"), f"a quorum of at most {len(group.members)}, the group", str(approval.quorum))
    if approval.escalate_within_s is not None and approval.escalate_within_s >= approval.decide_within_s:
        yield Fault((*here, "escalate_within"), "escalation before decide_within has passed", "one after it")


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
