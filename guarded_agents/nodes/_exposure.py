"""What a model was shown: which messages are on record with their labels, and what one that is not does (DESIGN I9)."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from operator import attrgetter
from secrets import token_bytes
from typing import Final

import orjson
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from guarded_agents._bounded import keep
from guarded_agents.nodes import _notes
from guarded_agents.records import Answered, Labels, ThreadFacts
from guarded_agents.stores import SeenMessage, Store

_THREADS: Final = 256
_content: Final = attrgetter("content")
_UNKNOWN: Final = Labels()  # of what is not on record: the strictest


def message_digest(message: BaseMessage) -> str:
    """Return the SHA-256 (hex) of all of *message* that a model is shown; its id and what was metered are not."""
    said: list[object] = [message.type, message.name, message.content, message.additional_kwargs]
    if isinstance(message, AIMessage):
        said += [message.tool_calls, message.invalid_tool_calls]
    if isinstance(message, ToolMessage):
        said += [message.tool_call_id, message.status]
    options = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
    try:
        text = orjson.dumps(said, default=repr, option=options)
    except TypeError:  # a huge integer, a lone surrogate
        try:
            text = repr(said).encode("utf-8", "surrogatepass")
        except (RecursionError, ValueError):  # no text at all has it, so it is on record nowhere
            text = token_bytes()
    return sha256(text).hexdigest()


class Exposure:
    """Keeps the labels of what models are shown, and raises those of a thread whose model is shown more."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        """Keep the store and the clock."""
        self._store, self._now = store, now
        self._checked: OrderedDict[str, tuple[list[BaseMessage], list[object]]] = OrderedDict()
        self._recorded: OrderedDict[str, dict[str, Labels]] = OrderedDict()  # since, by thread and digest

    def remember(
        self, thread: str, message: BaseMessage, labels: Labels, *, tool: str = "", answer: Answered | None = None
    ) -> None:
        """Record *message* with its *labels*, and of a tool's *answer* what was read. Raises StoreError."""
        if not thread:
            return
        digest = message_digest(message)
        if answer is None:
            self._store.see(thread, SeenMessage(digest, labels))
        else:
            self._store.see(thread, SeenMessage(digest, labels, str(message.id), tool, answer.value))
        recorded = self._recorded.get(thread, {})
        joined = recorded[digest].join(labels) if digest in recorded else labels
        keep(self._recorded, thread, {**recorded, digest: joined}, most=_THREADS)

    def summarised(self, thread: str, message: BaseMessage) -> Labels:
        """Record *message*, made of messages of *thread*, and return its labels: the thread's, the join of all of them.

        A thread that is not on record gives the strictest. Raises StoreError.
        """
        facts = self._store.thread(thread)
        labels = _UNKNOWN if facts is None else facts.labels
        self.remember(thread, message, labels)
        return labels

    async def of(self, facts: ThreadFacts, shown: Sequence[BaseMessage]) -> ThreadFacts:
        """Return *facts* with the labels of all that the model was *shown*; they are on record when this returns.

        A message that the guard did not see being made, or not as it stands now, has the strictest. Raises StoreError.
        """
        if not facts.thread:
            return facts
        recorded = self._recorded.pop(facts.thread, {})
        digests = [message_digest(message) for message in shown[self._stays(facts.thread, shown) :]]
        others = [digest for digest in digests if digest not in recorded]
        found = self._store.labels_shown(facts.thread, others) if others else {}
        joined = facts.labels
        for digest in digests:
            joined = joined.join(recorded.get(digest) or found.get(digest, _UNKNOWN))
        if joined != facts.labels:
            await self._raise(facts, joined)
        keep(self._checked, facts.thread, (list(shown), [*map(_content, shown)]), most=_THREADS)
        return replace(facts, labels=joined)

    def _stays(self, thread: str, shown: Sequence[BaseMessage]) -> int:
        """Return how many messages *shown* begins with that are the ones looked at last time, as they were; or 0.

        They are the same objects with the same content, mostly, and that is compared fast in a long thread. A list of
        parts that a node of the application changes in place is the same content here.
        """
        messages, contents = self._checked.get(thread, ([], []))
        begins = list(shown[: len(messages)])
        return len(messages) if begins == messages and [*map(_content, begins)] == contents else 0

    async def _raise(self, facts: ThreadFacts, labels: Labels) -> None:
        await self._store.relabel(facts.thread, labels)
        await self._store.append([_notes.label_raised(replace(facts, labels=labels))], now=self._now())
