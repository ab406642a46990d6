"""The strings of a JSON value, and the texts of a message."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from langchain_core.messages import BaseMessage
from pydantic import JsonValue

_MAX_DEPTH: Final = 100  # levels; neither a checkpoint nor the store takes much more (some 250)
_LEAST: Final = -(2**63)  # of the integers that a checkpoint takes, and the largest
_MOST: Final = 2**64 - 1
_LONG: Final = 10**12  # an integer of 13 digits may be a card's, which is no string


@dataclass(slots=True)
class Leaves:
    """What becomes of each string of a value, with *keys* of the names in its objects too."""

    change: Callable[[str], str]
    keys: bool = True
    is_ambiguous: bool = False  # whether two names of an object became one


def strings(value: JsonValue) -> list[str]:
    """Return all strings of *value* in order, names of objects and long integers too.

    Raises RecursionError for more than 100 levels, and OverflowError for an integer of more than 64 bits: neither can
    be written to a checkpoint.
    """
    found: list[str] = []
    _collect(value, found, _MAX_DEPTH)
    return found


def _collect(value: JsonValue, found: list[str], levels: int) -> None:
    if levels < 0:
        raise RecursionError
    if isinstance(value, str):
        found.append(value)
    elif isinstance(value, dict):
        for name, inner in value.items():
            found.append(name)
            _collect(inner, found, levels - 1)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, found, levels - 1)
    elif isinstance(value, int) and not _LEAST <= value <= _MOST:
        raise OverflowError
    elif _is_long(value):
        found.append(str(value))


def mapped(value: JsonValue, leaves: Leaves) -> JsonValue:
    """Return *value* with each string changed; a long integer becomes a string if that changes. Raises RecursionError.

    What stays the same stays the same object.
    """
    if isinstance(value, str):
        return leaves.change(value)
    if isinstance(value, dict):
        changed = {leaves.change(name) if leaves.keys else name: mapped(inner, leaves) for name, inner in value.items()}
        leaves.is_ambiguous |= len(changed) < len(value)
        return changed
    if isinstance(value, list):
        return [mapped(inner, leaves) for inner in value]
    if leaves.keys and _is_long(value):
        text = str(value)
        changed_text = leaves.change(text)
        return value if changed_text == text else changed_text
    return value


def _is_long(value: JsonValue) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and _LONG <= abs(value) < _LONG**2


def mapped_text(message: BaseMessage, kept: Callable[[str], str]) -> str | list[str | dict[str, object]]:
    """Return the content of *message* with each text in it as *kept* returns it; other parts stay as they are."""
    content = message.content
    if isinstance(content, str):
        return kept(content)
    parts: list[str | dict[str, object]] = []
    for part in content:
        if isinstance(part, str):
            parts.append(kept(part))
        elif isinstance(text := part.get("text"), str):
            parts.append({**part, "text": kept(text)})
        else:
            parts.append(part)
    return parts
