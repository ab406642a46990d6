"""The tools that may be used: reviewed, and offered now exactly as they were reviewed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final

from guarded_agents.catalog._definition import ToolDefinition
from guarded_agents.catalog._drift import Drift, compare, restored, unreachable
from guarded_agents.catalog._lockfile import LockedTool, Lockfile
from guarded_agents.errors import SchemaError
from guarded_agents.records import ToolRef
from guarded_agents.schema import SchemaValidator, compile_schema

_UNKNOWN: Final = "not in the lockfile"
_NOT_OBSERVED: Final = "not observed: its server has not been asked yet"


@dataclass(frozen=True)
class CatalogTool:
    """One reviewed tool. Its validators are built from the reviewed schemas, at their first use, once."""

    ref: ToolRef
    alias: str
    definition: ToolDefinition

    @cached_property
    def arguments(self) -> SchemaValidator:
        """Return the validator of the arguments. Raises SchemaError for a schema beyond the limits."""
        return compile_schema(self.definition.input_schema, subject=f"{self.ref.key} input_schema")

    @cached_property
    def result(self) -> SchemaValidator | None:
        """Return the validator of the structured result, None where the tool declares no schema for it."""
        schema, subject = self.definition.output_schema, f"{self.ref.key} output_schema"
        return None if schema is None else compile_schema(schema, subject=subject, asserts_formats=False)


class Catalog:
    """The tools of a lockfile, and which of them are in quarantine.

    A tool can be used only after its server was observed, and only while what was observed last is exactly what was
    reviewed. Reads may come from any thread; `observe` and `lose` come from one at a time.
    """

    def __init__(self, lockfile: Lockfile) -> None:
        """Take the reviewed tools, all of them not observed yet."""
        self.digest: Final = lockfile.digest
        self._by_key = {tool.key: _catalog_tool(tool) for tool in lockfile.tools}
        self._by_alias = {tool.alias: tool for tool in self._by_key.values()}
        self._locked: dict[str, dict[str, LockedTool]] = {}
        for tool in lockfile.tools:
            self._locked.setdefault(tool.definition.server, {})[tool.key] = tool
        self._drifts: dict[str, dict[str, Drift]] = {}  # by server, then key
        self._condemned: dict[str, str] = {}
        self._reasons = dict.fromkeys(self._by_key, _NOT_OBSERVED)  # of all that is in quarantine

    def __iter__(self) -> Iterator[CatalogTool]:
        """Yield the reviewed tools, sorted by key."""
        return iter(self._by_key.values())

    def __len__(self) -> int:
        """Return the number of reviewed tools."""
        return len(self._by_key)

    def resolve(self, alias: str) -> CatalogTool | None:
        """Return the tool that the model knows as *alias*: exactly that one, or None."""
        return self._by_alias.get(alias)

    def by_key(self, key: str) -> CatalogTool | None:
        """Return the reviewed tool ``server/tool``, or None."""
        return self._by_key.get(key)

    @property
    def quarantine(self) -> Mapping[str, str]:
        """Return why each tool that may not be used may not, by key, sorted; also tools that nobody reviewed."""
        return MappingProxyType(dict(sorted(self._reasons.items())))

    def quarantine_reason(self, key: str) -> str | None:
        """Return why the tool *key* may not be used, or None where it may."""
        reason = self._reasons.get(key)
        return _UNKNOWN if reason is None and key not in self._by_key else reason

    def observe(self, server: str, definitions: Sequence[ToolDefinition]) -> tuple[Drift, ...]:
        """Take what *server* offers now in place of what it offered before; return what is new, sorted by key.

        That is each tool that is newly in quarantine, or there for another reason than before, and (kind RESTORED)
        each that was reported and is now offered exactly as reviewed, which ends its quarantine. Definitions that
        name another server do not count.
        """
        return self._replace(server, compare(self._of(server), server, definitions, problem=self._problem))

    def condemn(self, key: str, why: str) -> None:
        """Keep the tool *key* in quarantine, whatever its server offers: its reviewed definition is at fault."""
        self._condemned[key] = self._reasons[key] = why

    def lose(self, server: str, why: str) -> tuple[Drift, ...]:
        """Put all tools of *server* in quarantine, for it cannot be asked; return what is new, as `observe` does."""
        return self._replace(server, tuple(unreachable(tool, why) for tool in self._of(server).values()))

    def _of(self, server: str) -> Mapping[str, LockedTool]:
        return self._locked.get(server, {})

    def _problem(self, definition: ToolDefinition) -> str | None:
        tool = self._by_key[definition.key]
        try:
            _ = tool.arguments, tool.result
        except SchemaError as error:
            return str(error)
        return None

    def _replace(self, server: str, drifts: Sequence[Drift]) -> tuple[Drift, ...]:
        before, after = self._drifts.get(server, {}), {drift.key: drift for drift in drifts}
        self._drifts[server] = after
        self._reasons.update((key, drift.reason) for key, drift in after.items())  # first what may no longer be used
        for key in (*self._of(server), *before):
            if key in self._condemned:
                self._reasons[key] = self._condemned[key]
            elif key not in after:
                self._reasons.pop(key, None)
        found = [drift for key, drift in after.items() if not _same(before.get(key), drift)]
        found += [restored(tool) for key, tool in self._of(server).items() if key in before and key not in after]
        return tuple(sorted(found, key=lambda drift: drift.key))


def _same(before: Drift | None, now: Drift) -> bool:
    return before is not None and (before.kind, before.observed) == (now.kind, now.observed)


def _catalog_tool(tool: LockedTool) -> CatalogTool:
    definition = tool.definition
    return CatalogTool(ToolRef(definition.server, definition.name, tool.digest), tool.alias, definition)
