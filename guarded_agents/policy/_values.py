"""What a policy says of the authority of values (DESIGN section 7): its checks, and the terms that it comes to."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from guarded_agents.policy._fault import Fault
from guarded_agents.policy._file import ArgumentEntry, PlanEntry, PlanOrigin, Policy, PolicyFile, ToolEntry
from guarded_agents.records import ArgumentTerms, ArgumentUse, AuthorityTerms, ContentRule, ResultTerms, ToolEffect

_NAMING: Final = frozenset({ArgumentUse.TARGET, ArgumentUse.SELECTOR})


def authority_terms(policy: Policy, key: str) -> AuthorityTerms | None:
    """Return by which terms calls of the tool *key*, "server/tool", have authority; None where it is not listed."""
    entry = policy.tools.get(key)
    if entry is None:
        return None
    records = entry.records
    return AuthorityTerms(
        tool=key,
        effect=entry.effect,
        arguments=MappingProxyType({name: _terms(argument) for name, argument in entry.arguments.items()}),
        verbs=entry.verbs,
        readers=entry.readers,
        result=ResultTerms(
            labels=entry.result,
            fields=entry.fields,
            records=None if records is None else records.at,
            keys=() if records is None else records.keys,
            every=() if records is None else records.every,
        ),
    )


def value_faults(path: tuple[str, ...], entry: ToolEntry) -> Iterator[Fault]:
    """Yield what the entry of one tool, at *path*, says of values that cannot be meant."""
    for name, argument in entry.arguments.items():
        yield from _argument((*path, "arguments", name), argument)
    if entry.effect is ToolEffect.READ:
        said: Mapping[str, object] = {"verbs": entry.verbs, "readers": entry.readers}
        for part in (part for part, value in said.items() if value):
            yield Fault((*path, part), "none for a read, which needs no authority", "some")


def plan_faults(plan: PlanEntry, policy: PolicyFile) -> Iterator[Fault]:
    """Yield what *plan* says that cannot be meant."""
    if plan.origin is not PlanOrigin.POLICY:
        if plan.tools:
            yield Fault(("plan", "tools"), f"none where the plan is from the {plan.origin}", "some")
        return
    for index, key in enumerate(plan.tools):
        entry = policy.tools.get(key)
        if entry is None or entry.effect is ToolEffect.READ:
            yield Fault(("plan", "tools", index), "a tool of this file that has an effect", f"{key!r}")


def _argument(here: tuple[str, ...], argument: ArgumentEntry) -> Iterator[Fault]:
    use = argument.use
    if argument.natural_key and use not in _NAMING:
        yield Fault((*here, "natural_key"), "use: target or selector for a natural key", use)
    if argument.content is not None and use is not ArgumentUse.CONTENT:
        yield Fault((*here, "content"), "use: content for a rule about content", use)
    if argument.minor_units and use is not ArgumentUse.AMOUNT:
        yield Fault((*here, "minor_units"), "use: amount for minor units", use)
    if argument.from_fields and (use is ArgumentUse.CONTENT or argument.natural_key):
        yield Fault((*here, "from_fields"), "a value that a record may license", "content or a natural key")


def _terms(entry: ArgumentEntry) -> ArgumentTerms:
    return ArgumentTerms(
        use=entry.use,
        natural_key=entry.natural_key,
        content=ContentRule.NO_NEW_TOKENS if entry.content is None else entry.content,
        minor_units=entry.minor_units,
        from_fields=entry.from_fields,
        keys=frozenset(entry.keys),
    )
