"""``screen_input``: record who asks, and close the turn that new input leaves behind (FACTS G5)."""

from collections.abc import Sequence

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from typing_extensions import TypedDict  # LangGraph needs it below Python 3.12 (FACTS F17)

from guarded_agents.errors import StoreError
from guarded_agents.nodes import _notes
from guarded_agents.nodes._services import NOBODY, Services
from guarded_agents.nodes._told import GuardUpdate, refusal, told_of, tool_message
from guarded_agents.records import UNEXPOSED, Reason
from guarded_agents.state import GuardContext
from guarded_agents.stores import EntryOpened


class InputState(TypedDict):
    """The least that this node reads."""

    messages: Sequence[AnyMessage]


def newest_human(messages: Sequence[AnyMessage]) -> int | None:
    """Return the index of the newest human message, None where there is none."""
    for index in range(len(messages) - 1, -1, -1):
        if isinstance(messages[index], HumanMessage):
            return index
    return None


class ScreenInput:
    """Makes the newest human message the thread's entry. Its id is what claims are keyed by (DESIGN I4)."""

    def __init__(self, services: Services) -> None:
        """Keep the services."""
        self._services = services

    async def __call__(self, state: InputState, config: RunnableConfig, context: GuardContext | None) -> GuardUpdate:
        """Record the entry; answer what the turn before left unanswered.

        Without a context nobody is recorded as the requester, and every call is denied. Where the store cannot
        record the entry, calls are denied too: they find no entry that fits. Raises NotEligibleError where the
        entry is on record with another requester.
        """
        messages = state["messages"]
        thread = config.get("configurable", {}).get("thread_id")
        at = newest_human(messages)
        if at is None or thread is None:
            return {}
        principal, tenant = (NOBODY, "") if context is None else (context.principal, context.tenant)
        try:
            opened = await self._services.store.open_entry(
                thread=str(thread),
                entry=str(messages[at].id),
                requester=principal,
                tenant=tenant,
                labels=UNEXPOSED,
                now=self._services.now(),
            )
        except StoreError:
            return {}
        labels = opened.facts.labels
        return {
            "messages": _answers(messages[:at], opened),
            "guard_requester": _notes.asked_by(principal, tenant) | {"entry": opened.facts.entry},
            "guard_trust": {
                "integrity": labels.integrity.value,
                "confidentiality": labels.confidentiality.value,
            },
        }


def _answers(earlier: Sequence[AnyMessage], opened: EntryOpened) -> list[ToolMessage]:
    """Return an answer to each call of *earlier* that has none."""
    answered = {message.tool_call_id for message in earlier if isinstance(message, ToolMessage)}
    stands = {closed.call_id: closed.claim for closed in opened.closed}
    answers = []
    for message in earlier:
        if not isinstance(message, AIMessage):
            continue
        for call in (*message.tool_calls, *message.invalid_tool_calls):
            call_id = call["id"] or ""
            if call_id in answered:
                continue
            claim = stands.get(call_id)
            outcome = refusal(Reason.WITHDRAWN) if claim is None else told_of(claim)
            answers.append(tool_message(call_id, call["name"] or "", outcome, key=None if claim is None else claim.key))
    return answers
