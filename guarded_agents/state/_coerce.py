"""What counts as a message in a write to ``messages``, and what becomes one."""

from collections.abc import Iterable, Iterator
from typing import Final

from langchain_core.messages import BaseMessage, BaseMessageChunk, convert_to_messages, message_chunk_to_message

from guarded_agents.state._refusal import is_overwrite, refused

# A checkpoint turns the pair ("user", "hello") into a list of two strings. Read live or from the checkpoint, it has to
# give the same message; so two strings of which the first is one of these are a pair, in a list as in a tuple.
_ROLES: Final = frozenset({"human", "user", "ai", "assistant", "system", "developer"})
_PAIR: Final = 2


def messages_in(writes: Iterable[object]) -> list[BaseMessage]:
    """Return the messages of *writes*, each a message-like or a list of them. What is neither is refused."""
    return [message for write in writes for item in _items(write) for message in _coerced(item)]


def _items(write: object) -> Iterable[object]:
    return write if isinstance(write, list | tuple) and not _is_pair(write) else (write,)


def _is_pair(write: list[object] | tuple[object, ...]) -> bool:
    return len(write) == _PAIR and isinstance(write[0], str) and write[0] in _ROLES and isinstance(write[1], str | list)


def _coerced(item: object) -> Iterator[BaseMessage]:
    if isinstance(item, BaseMessage):
        yield message_chunk_to_message(item) if isinstance(item, BaseMessageChunk) else item
        return
    is_pair = isinstance(item, list | tuple) and _is_pair(item)
    if not is_overwrite(item) and (is_pair or isinstance(item, str | dict)):
        try:
            yield convert_to_messages([item])[0]  # type: ignore[list-item]  # whether it is one is found out here
        except (AttributeError, KeyError, NotImplementedError, TypeError, ValueError):
            pass
        else:
            return
    refused("messages", item)
