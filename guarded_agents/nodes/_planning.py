"""The plan that a model proposes: pinned before it has read anything, and told of. Such a call is for no server."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from langchain_core.messages import AIMessage
from pydantic import JsonValue

from guarded_agents.errors import StoreError
from guarded_agents.nodes import _notes
from guarded_agents.nodes._services import Services
from guarded_agents.nodes._told import GuardUpdate, refusal
from guarded_agents.records import ClaimStatus, Decision, Integrity, Outcome, Reason, ThreadFacts

PROPOSAL_SCHEMA: Final[Mapping[str, JsonValue]] = {
    "type": "object",
    "properties": {
        "tools": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Names of tools that change or send something.",
        }
    },
    "required": ["tools"],
    "additionalProperties": False,
}
PROPOSAL_TEXT: Final = (
    "Before you read anything, say which tools that change or send something you are going to use for what the user"
    " asks. Only these can be used later on; the first proposal counts."
)
_PROPOSED: Final = Reason.PLAN_PROPOSED
_MAX_NAMES: Final = 500  # more tools than a plan needs, and all of them within the limits of a call
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # of a tool, as a model knows it


async def pin_proposed(services: Services, facts: ThreadFacts, message: AIMessage) -> None:
    """Pin the first plan that *message* proposes, where all that the model was shown is trusted.

    One that names tools, and none with an effect, is a mistake, and pins nothing. Raises StoreError.
    """
    if not facts.thread or facts.labels.integrity is not Integrity.TRUSTED:
        return
    for call in message.tool_calls:
        names = _names(call["args"]) if services.provenance.is_proposal(call["name"]) else None
        if names is None:
            continue
        tools = sorted(_known(services, names).values())
        if tools or not names:
            note = _notes.pinned(facts, tools)
            await services.store.pin(facts.thread, facts.entry, tools, note=note, now=services.now())
            return


def told_of_plan(services: Services, facts: ThreadFacts, arguments: Mapping[str, object]) -> Outcome:
    """Return what the model is told of its proposal: what the plan holds now, and which of its names are not in it."""
    names = _names(arguments)
    if names is None:
        return refusal(Reason.SCHEMA_MISMATCH)
    try:
        plan = services.provenance.plan_of(facts.thread)
    except StoreError:
        return refusal(Reason.STORE_UNAVAILABLE)
    covered = () if plan is None else plan.covered
    known = _known(services, names)
    aliases = [tool.alias for tool in services.catalog if tool.ref.key in covered]
    told = f"The plan holds: {', '.join(sorted(aliases)) or 'no tool'}."
    if late := sorted(name for name, key in known.items() if key not in covered):
        told += f" Not in it: {', '.join(late)}; it is pinned once, before anything untrusted is read."
    if dropped := sorted(set(names) - known.keys()):
        told += f" Dropped, for you have no such tool that changes or sends something: {', '.join(dropped)}."
    return Outcome(ClaimStatus.CLOSED, f"{told} Only a person can extend it.", is_error=False, reason=_PROPOSED)


def with_plan(services: Services, update: GuardUpdate, facts: ThreadFacts, decision: Decision) -> GuardUpdate:
    """Return *update* with the plan that the state shows, where the call has proposed one."""
    if decision.reason is not _PROPOSED:
        return update
    try:
        return {**update, "guard_trust": services.provenance.shown(facts)}
    except StoreError:
        return update


def _names(arguments: object) -> Sequence[str] | None:
    """Return the names that a proposal gives, None where it is none."""
    names = arguments.get("tools") if isinstance(arguments, Mapping) and set(arguments) == {"tools"} else None
    if not isinstance(names, list) or len(names) > _MAX_NAMES:
        return None
    return names if all(isinstance(name, str) and _NAME.fullmatch(name) for name in names) else None


def _known(services: Services, names: Sequence[str]) -> dict[str, str]:
    """Return those of *names* that are of a tool with an effect, with their keys."""
    found = {name: tool.ref.key for name in names if (tool := services.catalog.resolve(name)) is not None}
    return {name: key for name, key in found.items() if services.provenance.needs_plan(key)}
