"""A list of messages with an index by id: one more costs the same in a long thread as in a short one."""

import json
from collections.abc import Iterable, Sequence
from hashlib import sha256

from langchain_core.messages import AIMessage, BaseMessage, RemoveMessage, ToolMessage
from langgraph.graph.message import REMOVE_ALL_MESSAGES


def derived_id(previous: str, message: BaseMessage, *, repeat: int = 0) -> str:
    """Return the id of a *message* that came without one: the same wherever the same was said at the same place.

    It is the SHA-256 of the id of the message before it (of the call's message and the call id, for a tool's
    answer; "" at the start) and of what the message says. *repeat* counts messages that would share it.
    """
    said: list[object] = [previous, repeat, message.type]
    if isinstance(message, ToolMessage):
        said.append(message.tool_call_id)  # one answer for one call, whatever it says
    else:
        calls = [(call["name"], call["args"], call["id"]) for call in getattr(message, "tool_calls", ())]
        said += [message.content, message.name, calls]
    return "msg-" + sha256(json.dumps(said, default=lambda value: type(value).__name__).encode()).hexdigest()[:32]


class Conversation:
    """Messages in order, each with an id of its own.

    Applying is a fold over single messages, so it does not matter how they were batched.
    """

    __slots__ = ("_at", "_is_indexed", "_lender", "_version", "messages")

    def __init__(self, messages: Iterable[BaseMessage]) -> None:
        """Start from *messages*. Such as have no id, or one that occurred before, are put in again one by one."""
        self.messages = list(messages)
        self._at, self._is_indexed = _index(self.messages), True
        self._version = 0
        self._lender: tuple[Conversation, int] | None = None
        is_ready = len(self._at) == len(self.messages) and None not in self._at and "" not in self._at
        if not is_ready or RemoveMessage in set(map(type, self.messages)):
            given, self.messages, self._at = self.messages, [], {}
            self.apply(given)

    def copy(self) -> "Conversation":
        """Return a twin that changes by itself.

        A conditional edge reads the state through a twin that sees one more write and is then dropped (LangGraph's
        ``local_read``), at every step: copying the index each time would make long threads slow. So the twin has none
        until it needs one, and looks into that of its lender as long as the lender stays as it was.
        """
        twin = Conversation(())
        twin.messages, twin._is_indexed, twin._lender = self.messages.copy(), False, (self, self._version)
        return twin

    def apply(self, messages: Iterable[BaseMessage]) -> None:
        """Put *messages* in, in order."""
        messages, lender, self._lender = list(messages), self._lender, None
        if lender is not None and lender[0].would_append(messages, lender[1]):
            self.messages += messages
            return
        self._version += 1
        if not self._is_indexed:
            self._at, self._is_indexed = _index(self.messages), True
        has_gaps = False
        for message in messages:
            if isinstance(message, RemoveMessage):
                self._remove(message)
                has_gaps = True
            else:
                self._put(message)
        if has_gaps:  # removed ones stood in as gaps, so that many removals cost one pass
            self.messages = [message for message in self.messages if not isinstance(message, RemoveMessage)]
            self._at = _index(self.messages)

    def would_append(self, messages: Sequence[BaseMessage], version: int) -> bool:
        """Return whether *messages* would just go to the end here, where nothing has changed since *version*."""
        ids = {message.id for message in messages}
        return (
            version == self._version
            and self._is_indexed
            and len(ids) == len(messages)
            and not ids & {None, "", *(message_id for message_id in ids if message_id in self._at)}
            and not any(isinstance(message, RemoveMessage | ToolMessage) for message in messages)
        )

    def _remove(self, message: RemoveMessage) -> None:
        if message.id == REMOVE_ALL_MESSAGES:
            self.messages, self._at = [], {}
        elif (at := self._at.pop(message.id, None)) is not None:
            self.messages[at] = message

    def _put(self, message: BaseMessage) -> None:
        holder, place = self._place(message)
        if not message.id:
            message = message.model_copy(update={"id": self._free_id(message, holder)})
        at = self._at.get(message.id)
        if at is not None:
            self.messages[at] = message
        else:
            self.messages.insert(place, message)
            for index in range(place, len(self.messages)):
                if not isinstance(self.messages[index], RemoveMessage):
                    self._at[self.messages[index].id] = index

    def _place(self, message: BaseMessage) -> tuple[int | None, int]:
        """Return where the call of *message* stands, if it answers one, and where *message* goes.

        A provider may repeat a call id in a later turn: the newest call of that id without an answer
        counts, and the newest one where all are answered.
        """
        end = len(self.messages)
        newest: tuple[int | None, int] | None = None
        if isinstance(message, ToolMessage) and message.id not in self._at:
            for holder in range(end - 1, -1, -1):
                calls = _calls(self.messages[holder])
                if message.tool_call_id in calls:
                    place, is_answered = self._behind(holder, calls, message.tool_call_id)
                    if not is_answered:
                        return holder, place
                    newest = newest or (holder, place)
        return newest or (None, end)

    def _behind(self, holder: int, calls: list[str | None], call_id: str) -> tuple[int, bool]:
        """Return the place of an answer behind *holder*, in call order, and whether there is one already."""
        rank, place, is_answered = calls.index(call_id), holder + 1, False
        for index in range(holder + 1, len(self.messages)):
            other = self.messages[index]
            if isinstance(other, RemoveMessage):
                continue
            if not isinstance(other, ToolMessage):
                break
            if other.tool_call_id in calls and calls.index(other.tool_call_id) <= rank:
                place = index + 1
                is_answered |= other.tool_call_id == call_id
        return place, is_answered

    def _free_id(self, message: BaseMessage, holder: int | None) -> str:
        """Return the derived id of *message*, counted on where another message has it."""
        before = (found for found in reversed(self.messages) if not isinstance(found, RemoveMessage))
        previous = next(before, None) if holder is None else self.messages[holder]
        repeat, place = 0, "" if previous is None else str(previous.id)
        while (free := derived_id(place, message, repeat=repeat)) in self._at and holder is None:
            repeat += 1
        return free


def _index(messages: Iterable[BaseMessage]) -> dict[str | None, int]:
    return {message.id: index for index, message in enumerate(messages)}


def _calls(message: BaseMessage) -> list[str | None]:
    if not isinstance(message, AIMessage):
        return []
    return [call["id"] for call in (*message.tool_calls, *message.invalid_tool_calls)]
