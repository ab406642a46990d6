"""How what a server offers now differs from what was reviewed."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from guarded_agents.catalog._definition import ToolDefinition
from guarded_agents.catalog._difference import definition_diff
from guarded_agents.catalog._lockfile import LockedTool, Lockfile
from guarded_agents.catalog._visible import visible
from guarded_agents.errors import SchemaError
from guarded_agents.records import Record
from guarded_agents.schema import compile_schema


class DriftKind(StrEnum):
    """In what way a tool is not, or is again, what was reviewed."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    DUPLICATE = "duplicate"
    UNUSABLE_SCHEMA = "unusable_schema"
    UNREACHABLE = "unreachable"
    RESTORED = "restored"  # the one kind that quarantines nothing


class Drift(Record):
    """One tool that differs. *text* is for people; every invisible character in it stands as an escape.

    *reviewed* and *observed* are definition digests (hex), empty where there is none.
    """

    key: str
    kind: DriftKind
    text: str
    reviewed: str = ""
    observed: str = ""

    @property
    def reason(self) -> str:
        """Return one line that says why the tool is quarantined."""
        return _REASONS[self.kind]


_REASONS: Final[Mapping[DriftKind, str]] = {
    DriftKind.ADDED: "not in the lockfile",
    DriftKind.REMOVED: "no longer offered by its server",
    DriftKind.CHANGED: "changed since it was reviewed",
    DriftKind.DUPLICATE: "offered more than once under one name",
    DriftKind.UNUSABLE_SCHEMA: "its schema is invalid or beyond the limits",
    DriftKind.UNREACHABLE: "its server cannot be reached",
    DriftKind.RESTORED: "offered again as it was reviewed",
}


def diff(lockfile: Lockfile, observed: Mapping[str, Sequence[ToolDefinition]]) -> tuple[Drift, ...]:
    """Return every difference between *lockfile* and what the servers in *observed* offer, sorted by key.

    Tools of a server that is not in *observed* are not compared. A definition that names another server than the one
    it stands under does not count.
    """
    found: list[Drift] = []
    for server in observed:
        locked = {tool.key: tool for tool in lockfile.tools if tool.definition.server == server}
        found += compare(locked, server, observed[server], problem=schema_problem)
    return tuple(sorted(found, key=lambda drift: drift.key))


def compare(
    locked: Mapping[str, LockedTool],
    server: str,
    definitions: Sequence[ToolDefinition],
    *,
    problem: Callable[[ToolDefinition], str | None],
) -> tuple[Drift, ...]:
    """Return the differences of one server, sorted by key. *locked* are its reviewed tools by key.

    *problem* says what is wrong with the schemas of a definition that is as it was reviewed.
    """
    found = (_one(locked, key, times, problem) for key, times in sorted(_by_key(server, definitions, locked).items()))
    return tuple(drift for drift in found if drift is not None)


def schema_problem(definition: ToolDefinition) -> str | None:
    """Return why the schemas of *definition* cannot be used, or None."""
    try:
        compile_schema(definition.input_schema, subject=f"{definition.key} input_schema")
        if definition.output_schema is not None:
            compile_schema(definition.output_schema, subject=f"{definition.key} output_schema")
    except SchemaError as error:
        return str(error)
    return None


def unreachable(locked: LockedTool, why: str) -> Drift:
    """Return that the server of *locked* cannot be asked, for the reason *why*."""
    text = f"{visible(locked.key)}: its server cannot be reached: {visible(why)}"
    return Drift(key=locked.key, kind=DriftKind.UNREACHABLE, text=text, reviewed=locked.digest)


def restored(locked: LockedTool) -> Drift:
    """Return that *locked* is again offered exactly as it was reviewed."""
    text = f"{visible(locked.key)}: offered again as it was reviewed"
    return Drift(key=locked.key, kind=DriftKind.RESTORED, text=text, reviewed=locked.digest, observed=locked.digest)


def _by_key(
    server: str, definitions: Sequence[ToolDefinition], locked: Mapping[str, LockedTool]
) -> dict[str, list[ToolDefinition]]:
    found: dict[str, list[ToolDefinition]] = {key: [] for key in locked}
    for definition in definitions:
        if definition.server == server:
            found.setdefault(definition.key, []).append(definition)
    return found


def _one(
    locked: Mapping[str, LockedTool],
    key: str,
    offered: Sequence[ToolDefinition],
    problem: Callable[[ToolDefinition], str | None],
) -> Drift | None:
    before = locked[key].definition if key in locked else None
    after = offered[0] if offered else None
    reviewed, observed = "" if before is None else before.digest, "" if after is None else after.digest
    if len(offered) > 1:
        kind, text = DriftKind.DUPLICATE, f"{visible(key)}: offered {len(offered)} times under this name"
    elif reviewed != observed:
        kind = DriftKind.ADDED if before is None else DriftKind.REMOVED if after is None else DriftKind.CHANGED
        text = definition_diff(before, after)
    else:
        why = None if after is None else problem(after)
        if why is None:
            return None
        kind, text = DriftKind.UNUSABLE_SCHEMA, visible(why)
    return Drift(key=key, kind=kind, text=text, reviewed=reviewed, observed=observed)
