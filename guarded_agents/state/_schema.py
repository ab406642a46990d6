"""The state schema that guarded graphs derive from, and the context that says who asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, NotRequired

from langchain_core.messages import AnyMessage
from pydantic import JsonValue
from typing_extensions import TypedDict

from guarded_agents.errors import RecordError
from guarded_agents.records import Principal
from guarded_agents.state._door import load
from guarded_agents.state._messages import MessagesChannel
from guarded_agents.state._mirrors import GuardChannel, merge_audit, merge_calls, merge_requester, merge_trust

GUARD_KEYS: Final = ("guard_audit", "guard_calls", "guard_requester", "guard_trust")
"""The keys beside ``messages`` that a guarded graph's state must have: LangGraph drops silently what a schema lacks."""


@dataclass(frozen=True)
class GuardContext:
    """Who runs the graph, as a LangGraph ``context_schema``. It is not persisted: pass it with every run.

    A principal that comes as JSON (LangGraph's server hands contexts on so) is parsed strictly;
    RecordError is raised where it is none, where *tenant* is no string, or *plan* no list of them. A plan counts
    where the policy takes it from the caller, and in the first run of a thread.
    """

    principal: Principal
    tenant: str = "default"
    plan: tuple[str, ...] | None = None  # the tools with an effect ("server/tool") that a new thread may use

    def __post_init__(self) -> None:
        """Parse what came as JSON; refuse what is neither."""
        if not isinstance(self.principal, Principal):
            given: object = self.principal
            object.__setattr__(self, "principal", load(Principal, dict(given) if isinstance(given, Mapping) else given))
        if not isinstance(self.tenant, str):
            raise RecordError("GuardContext", got=f"{type(self.tenant).__name__} at tenant")
        if self.plan is not None:
            object.__setattr__(self, "plan", _names(self.plan))


def _names(plan: object) -> tuple[str, ...]:
    if not isinstance(plan, list | tuple) or not all(isinstance(name, str) for name in plan):
        raise RecordError("GuardContext", got=f"{type(plan).__name__} at plan")
    return tuple(plan)


class GuardedState(TypedDict):
    """The state of a guarded graph; derive from it to add keys. The guard writes the keys below and believes none.

    ========================  ============================================================================
    ``guard_requester``       ``{"principal": {...}, "tenant": str, "entry": str}``
    ``guard_trust``           ``{"integrity": str, "confidentiality": str, "sources": [str], "source_count": int}``
    ``guard_calls``           ``{"entry": str, "turn": int, "calls": {digest: {...}}}``
    ``guard_audit``           ``{"log": str, "size": int, "root": str}``
    ========================  ============================================================================
    """

    messages: Annotated[list[AnyMessage], MessagesChannel()]
    guard_requester: NotRequired[Annotated[dict[str, JsonValue], GuardChannel(dict, merge_requester)]]
    guard_trust: NotRequired[Annotated[dict[str, JsonValue], GuardChannel(dict, merge_trust)]]
    guard_calls: NotRequired[Annotated[dict[str, JsonValue], GuardChannel(dict, merge_calls)]]
    guard_audit: NotRequired[Annotated[dict[str, JsonValue], GuardChannel(dict, merge_audit)]]
