"""The ``messages`` channel: stored as deltas, merged by our own reducer, overwritten by nothing (FACTS F16, G7)."""

from collections.abc import Sequence
from typing import Final

from langchain_core.messages import BaseMessage
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.base import PendingWrite
from langgraph.errors import EmptyChannelError

from guarded_agents.state._coerce import messages_in
from guarded_agents.state._conversation import Conversation

SNAPSHOT_EVERY: Final = 200  # updates; the measurements are in docs/adr/002-messages-are-stored-as-deltas.md

Messages = list[BaseMessage]


def merge_messages(state: Sequence[object], writes: Sequence[object]) -> Messages:
    """Return *state* with *writes* applied in order; both stay as they are.

    A message replaces the one of its id, ``RemoveMessage`` takes one away (or all of them, with
    ``REMOVE_ALL_MESSAGES``), an answer of a tool goes directly behind the message that holds its call, and
    anything else goes to the end. Chunks, dicts, ``(role, content)`` pairs and strings become messages; what
    cannot is ignored, as is an overwrite. How batches are cut does not matter:
    ``merge(merge(s, xs), ys) == merge(s, xs + ys)``.
    """
    conversation = Conversation(messages_in(state))
    conversation.apply(messages_in(writes))
    return conversation.messages


class MessagesChannel(DeltaChannel[Messages]):
    """The channel of ``messages``: ``Annotated[list[AnyMessage], MessagesChannel()]``, or the class alone.

    It refuses ``Overwrite`` in each of its forms (see `_refusal`), in an update as in the replay of an
    old checkpoint. What it hands out is a copy: changing the list in a node changes nothing in the state.
    """

    __slots__ = ("_conversation",)

    def __init__(self, *_from_langgraph: object, snapshot_frequency: int = SNAPSHOT_EVERY) -> None:
        """Save the whole list at every *snapshot_frequency*-th update.

        LangGraph hands in reducer and annotated type when it makes a channel from another; both are always ours.
        """
        super().__init__(merge_messages, list, snapshot_frequency=snapshot_frequency)
        self._conversation: Conversation | None = None  # None: never written

    def __eq__(self, other: object) -> bool:
        """Return whether *other* is such a channel too, so that no schema puts another in its place."""
        return isinstance(other, MessagesChannel) and super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]  # as in LangGraph's channels

    def copy(self) -> "MessagesChannel":
        """Return a channel of the same messages that changes by itself."""
        new = self._empty()
        new._conversation = None if self._conversation is None else self._conversation.copy()  # noqa: SLF001 - its own class
        return new

    def from_checkpoint(self, checkpoint: object) -> "MessagesChannel":
        """Return a channel that holds the messages of *checkpoint*, none where it holds something else."""
        stored = super().from_checkpoint(checkpoint).value
        new = self._empty()
        new._conversation = Conversation(messages_in(stored if isinstance(stored, list) else [stored]))  # noqa: SLF001 - its own class
        return new

    def replay_writes(self, writes: Sequence[PendingWrite]) -> None:
        """Apply the saved *writes*, oldest first. An overwrite among them is ignored, not a point to start from."""
        self._apply([value for _, _, value in writes])

    def update(self, values: Sequence[object]) -> bool:
        """Apply *values*; return whether there was a message, or a removal, among them."""
        return self._apply(values)

    def get(self) -> Messages:
        """Return a copy of the messages. Raises EmptyChannelError where nothing was ever written."""
        if self._conversation is None:
            raise EmptyChannelError
        return self._conversation.messages.copy()

    def is_available(self) -> bool:
        """Return whether something was written."""
        return self._conversation is not None

    def _empty(self) -> "MessagesChannel":
        new = self.__class__(snapshot_frequency=self.snapshot_frequency)
        new.key = self.key
        return new

    def _apply(self, values: Sequence[object]) -> bool:
        messages = messages_in(values)
        if values and self._conversation is None:
            self._conversation = Conversation(())
        if messages and self._conversation is not None:
            self._conversation.apply(messages)
        return bool(messages)
