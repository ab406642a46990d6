"""What a tool says about itself, taken only where it makes the tool look worse (FACTS F21)."""

from collections.abc import Iterable, Mapping
from typing import Final

from pydantic import JsonValue

from guarded_agents.records import ToolEffect

RESERVED_ARGUMENTS: Final = frozenset({"callbacks", "config", "run_manager", "runtime", "self"})
"""Arguments that LangChain takes for itself before a tool or a server sees them, so that what was approved is not
what is sent (langgraph#8728): the parameters of ``BaseTool._run``, and ``runtime`` of ``ToolNode`` and the adapter."""


def reserved_arguments(names: Iterable[str]) -> tuple[str, ...]:
    """Return those of *names* that are reserved, sorted."""
    return tuple(sorted(RESERVED_ARGUMENTS.intersection(names)))


def risk_raised(annotations: Mapping[str, JsonValue], *, effect: ToolEffect) -> bool:
    """Return whether a tool that the policy calls a read says itself that it is more (MCP 2025-11-25, ToolAnnotations).

    That is ``readOnlyHint`` false, ``destructiveHint`` true without ``readOnlyHint`` true, or either of them no
    boolean. A hint that is missing raises nothing: by the defaults of the specification every read would be
    destructive, and the policy has said what it is. No annotation lowers anything.
    """
    if effect is not ToolEffect.READ:
        return False
    read_only, destructive = annotations.get("readOnlyHint"), annotations.get("destructiveHint")
    if not (isinstance(read_only, bool | None) and isinstance(destructive, bool | None)):
        return True
    return read_only is False or (destructive is True and read_only is None)
