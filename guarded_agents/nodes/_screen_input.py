"""``screen_input``: record who asks, and close the turn that new input leaves behind (FACTS G5)."""

import json
import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, RemoveMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from typing_extensions import TypedDict  # LangGraph needs it below Python 3.12 (FACTS F17)

from guarded_agents.errors import StoreError
from guarded_agents.nodes import _notes
from guarded_agents.nodes._services import NOBODY, Services
from guarded_agents.nodes._told import GuardUpdate, refusal, told_of, tool_message
from guarded_agents.records import UNEXPOSED, Reason
from guarded_agents.state import GuardContext
from guarded_agents.stores import EntryOpened

# What LangGraph gives a message that came without an id, and a new one at each replay of the input.
_STAMPED: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class InputState(TypedDict):
    """The least that this node reads."""

    messages: Sequence[AnyMessage]


def newest_human(messages: Sequence[AnyMessage]) -> int | None:
    """Return the index of the newest human message, None where there is none."""
    for index in range(len(messages) - 1, -1, -1):
        if isinstance(messages[index], HumanMessage):
            return index
    return None


def entry_of(messages: Sequence[AnyMessage], at: int) -> str:
    """Return the entry that the human message at index *at* opens, the same at each replay (DESIGN I4).

    That is the message's id. Where that may be LangGraph's own (a random UUID, drawn again when the input itself is
    replayed), it is made of what was said since the newest message before it whose id stays.
    """
    own = messages[at].id
    if _stays(own):
        return str(own)
    digest = sha256()
    for message in reversed(messages[: at + 1]):
        if isinstance(message, ToolMessage):
            continue  # answers are still put in, behind their call
        if _stays(message.id):
            digest.update(f"after {message.id}".encode())
            break
        said = [message.type, message.content, message.name]
        digest.update(json.dumps(said, default=lambda value: type(value).__name__).encode() + b"\n")
    return f"input-{digest.hexdigest()[:32]}"


def _stays(message_id: str | None) -> bool:
    return bool(message_id) and not _STAMPED.fullmatch(str(message_id))


class ScreenInput:
    """Makes the newest human message the thread's entry, which is what claims are keyed by (DESIGN I4)."""

    def __init__(self, services: Services) -> None:
        """Keep the services."""
        self._services = services

    async def __call__(self, state: InputState, config: RunnableConfig, context: GuardContext | None) -> GuardUpdate:
        """Record the entry, and make it the message's id; answer what the turn before left unanswered.

        Without a context nobody is recorded as the requester, and every call is denied. Where the store cannot
        record the entry, calls are denied too: they find no entry that fits. Raises NotEligibleError where the
        entry is on record with another requester.
        """
        messages = state["messages"]
        thread = config.get("configurable", {}).get("thread_id")
        at = newest_human(messages)
        if at is None or thread is None:
            return {}
        entry = entry_of(messages, at)
        principal, tenant = (NOBODY, "") if context is None else (context.principal, context.tenant)
        try:
            opened = await self._services.store.open_entry(
                thread=str(thread),
                entry=entry,
                requester=principal,
                tenant=tenant,
                labels=UNEXPOSED,
                now=self._services.now(),
            )
        except StoreError:
            return {}
        labels = opened.facts.labels
        return {
            "messages": [*_answers(messages[:at], opened), *_renamed(messages[at], entry)],
            "guard_requester": _notes.asked_by(principal, tenant) | {"entry": opened.facts.entry},
            "guard_trust": {
                "integrity": labels.integrity.value,
                "confidentiality": labels.confidentiality.value,
            },
        }


def _renamed(message: AnyMessage, entry: str) -> list[BaseMessage]:
    """Return the writes that give *message* the id *entry*, none where it has it."""
    if message.id == entry:
        return []
    return [RemoveMessage(id=str(message.id)), message.model_copy(update={"id": entry})]


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
            answers.append(
                tool_message(
                    call_id, call["name"] or "", outcome, key=None if claim is None else claim.key, of=str(message.id)
                )
            )
    return answers
