"""``screen_input``: record who asks, and close the turn that new input leaves behind (FACTS G5)."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from itertools import takewhile
from typing import Final

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    ToolMessage,
)
from langchain_core.runnables import RunnableConfig
from pydantic import JsonValue
from typing_extensions import TypedDict  # LangGraph needs it below Python 3.12 (FACTS F17)

from guarded_agents.binding import canonical
from guarded_agents.errors import BindingError, StoreError
from guarded_agents.nodes._ended import ended
from guarded_agents.nodes._exposure import message_digest
from guarded_agents.nodes._services import NOBODY, Services, thread_of
from guarded_agents.nodes._told import UNEDITED, GuardUpdate, refusal, told_of, tool_message
from guarded_agents.records import QUOTED, UNEXPOSED, Claim, ClaimStatus, Labels, Proposal, Reason, ThreadFacts
from guarded_agents.state import GuardContext, dump
from guarded_agents.stores import ClosedCall, SeenMessage, latest
from guarded_agents.telemetry import time_ns

# What LangGraph gives a message that came without an id, and a new one at each replay of the input.
_STAMPED: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class InputState(TypedDict):
    """The least that this node reads."""

    messages: Sequence[AnyMessage]


def newest_human(messages: Sequence[AnyMessage]) -> int | None:
    """Return the index of the newest human message, None where there is none."""
    for index in range(len(messages) - 1, -1, -1):
        if _is_human(type(messages[index])):
            return index
    return None


@lru_cache(maxsize=64)
def _is_human(kind: type[BaseMessage]) -> bool:
    """Return whether messages of *kind* are human ones: asked of each message anew, that is what a long entry costs."""
    return issubclass(kind, HumanMessage)


def entry_of(messages: Sequence[AnyMessage], at: int) -> str:
    """Return the entry that the human message at index *at* opens, the same at each replay (DESIGN I4).

    That is the message's id and a digest of what it says: another text under the same id is another entry.
    """
    said = sha256(_said(messages[at])).hexdigest()
    return f"{id_of(messages, at)}.{said[:16]}"


def id_of(messages: Sequence[AnyMessage], at: int) -> str:
    """Return the id of the human message at index *at*, the same at each replay.

    Where its own may be LangGraph's (a random UUID, drawn again when the input itself is replayed), it is made of what
    was said since the newest message before it whose id stays.
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
        digest.update(_said(message) + b"\n")
    return f"input-{digest.hexdigest()[:32]}"


def _said(message: BaseMessage) -> bytes:
    said = [message.type, message.content, message.name]
    return json.dumps(said, default=lambda value: type(value).__name__).encode()


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
        thread = thread_of(config)
        at = newest_human(messages)
        if at is None or not thread:
            return {}
        raw, since_ns = messages[at], time_ns()
        principal, tenant = (NOBODY, "") if context is None else (context.principal, context.tenant)
        try:
            entered = self._services.screening.entered(thread, raw)
            messages = [*messages[:at], entered.message, *messages[at + 1 :]]  # whose entry it is, at each replay
            entry = entry_of(messages, at)
            is_new = self._services.store.thread(thread) is None
            opened = await self._services.store.open_entry(
                thread=thread,
                entry=entry,
                requester=principal,
                tenant=tenant,
                labels=_begins_with(messages[at], is_alone=at == 0 or not is_new),
                now=self._services.now(),
                text="" if context is None else entered.text,  # nobody's words give authority, also not later
                plan=self._services.provenance.plan_for(context),
                seen=[SeenMessage(message_digest(messages[at]), _labels_of(messages[at]))],
            )
            self._services.telemetry.entered(thread, since_ns)
            answers = await self._answers(messages[:at], thread)
            shown = self._services.provenance.shown(opened.facts)
            for answer in answers:
                self._services.exposure.remember(thread, answer, opened.facts.labels)
        except StoreError:
            return {}
        said = [*answers, *_renamed(raw, entered.message, id_of(messages, at))]
        return {"messages": said, **_mirrored(replace(opened.facts, requester=principal), shown)}

    async def _answers(self, earlier: Sequence[AnyMessage], thread: str) -> list[ToolMessage]:
        """Return an answer to each call of *earlier* that has none: what its claim row says, else that it is withdrawn.

        Each call is looked up by its own entry and turn: when an entry is opened again (a crash, a replay) the store
        closes nothing any more, and a provider may repeat a call id in a later turn. Raises StoreError.
        """
        answers, entry, turn = [], "", 0
        for index, message in enumerate(earlier):
            if isinstance(message, HumanMessage):
                entry, turn = entry_of(earlier, index), 0
            if not isinstance(message, AIMessage):
                continue
            turn += bool(message.tool_calls)
            behind = takewhile(lambda other: isinstance(other, ToolMessage), earlier[index + 1 :])
            answered = {other.tool_call_id for other in behind if isinstance(other, ToolMessage)}
            open_calls = [
                call
                for call in (*message.tool_calls, *message.invalid_tool_calls)
                if (call["id"] or "") not in answered
            ]
            recorded = self._services.store.calls(thread, entry) if open_calls else ()
            of_turn = [one for one in recorded if one.claim.key.turn == turn]
            answers += [
                await self._answer(call, self._stands(call, of_turn), of=str(message.id)) for call in open_calls
            ]
        return answers

    def _stands(self, call: Mapping[str, object], recorded: Sequence[ClosedCall]) -> Claim | None:
        """Return the claim row of *call*, or of what stands in its place after every edit; None where there is none.

        Two branches of a thread may have proposed different calls under one id: each is told of its own. Raises
        StoreError.
        """
        claims = [one.claim for one in recorded if one.call_id == str(call["id"] or "")]
        own = next((claim for claim in claims if self._is_of(claim, call["args"])), None)
        if own is None:
            return claims[-1] if claims else None
        asked = self._services.store.request_of(own.key)
        last = None if asked is None else latest(self._services.store, asked.request.id)
        if last is None or last == asked or last.request.key[:3] != own.key[:3]:
            return own  # no edit, or a row that leads into another turn
        return self._services.store.claim(last.request.key) or own

    def _is_of(self, claim: Claim, arguments: object) -> bool:
        proposal = self._services.store.proposal(claim.key)
        try:
            return proposal is not None and self._is_same(claim, proposal, arguments)
        except BindingError:
            return False

    def _is_same(self, claim: Claim, proposal: Proposal, arguments: object) -> bool:
        tokens, proposed = self._services.tokens, canonical(arguments)
        if not tokens.has_tokens(proposed):
            return proposal.canonical == proposed
        return proposal.canonical == canonical(tokens.restored(claim.key.thread, proposal.tool, arguments))

    async def _answer(self, call: Mapping[str, object], claim: Claim | None, *, of: str) -> ToolMessage:
        call_id, name = str(call["id"] or ""), str(call["name"] or "")
        if claim is None:
            return tool_message(call_id, name, refusal(Reason.WITHDRAWN), edit=UNEDITED, of=of)
        asked, outcome = self._services.store.request_of(claim.key), None
        if claim.status is ClaimStatus.CLOSED and claim.outcome is None:  # closed here, and nobody has been told of it
            outcome = await ended(self._services, asked, of=claim.key)
        edit = self._services.edit_of(asked)
        return tool_message(call_id, name, outcome or told_of(claim), edit=edit, key=claim.key)


def _begins_with(newest: AnyMessage, *, is_alone: bool) -> Labels:
    """Return the labels to join: the strictest for a conversation that the store has seen no part of (I9).

    Whatever stands before the user's own message in a thread that is not on record came with the input or was written
    into the state: nobody here can tell which, nor whose it is (I3).
    """
    return _labels_of(newest) if is_alone else Labels()


def _labels_of(message: BaseMessage) -> Labels:
    """Return the labels of what a user or an application wrote: an image or a file in it may be anybody's."""
    content = message.content
    is_text = isinstance(content, str) or all(isinstance(part, str) or part.get("type") == "text" for part in content)
    return UNEXPOSED if is_text else QUOTED


def _mirrored(facts: ThreadFacts, shown: Mapping[str, JsonValue]) -> GuardUpdate:
    """Return what the state shows of an entry: who asks, and what its thread is exposed to."""
    return {
        "guard_requester": {"principal": dump(facts.requester), "tenant": facts.tenant, "entry": facts.entry},
        "guard_trust": {
            "integrity": facts.labels.integrity.value,
            "confidentiality": facts.labels.confidentiality.value,
            **shown,
        },
    }


def _renamed(raw: AnyMessage, message: AnyMessage, message_id: str) -> list[BaseMessage]:
    """Return the writes that put *message* in the place of *raw* with the id *message_id*, none where it stands so."""
    if raw.id == message_id:
        return [] if message is raw else [message]
    return [RemoveMessage(id=str(raw.id)), message.model_copy(update={"id": message_id})]
