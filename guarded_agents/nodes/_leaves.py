"""The strings of a JSON value, and the texts of a message."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
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


@dataclass(frozen=True, slots=True)
class Strings:
    """All strings of a value in order, names of objects and long integers too, and what stands behind each."""

    parts: list[str]
    behind: list[str]  # ": " behind a name, else the end of a line

    @property
    def whole(self) -> str:
        """Return them as one text, an object's names before what they name, so that each is read beside its like."""
        return "".join(chain.from_iterable(zip(self.parts, self.behind, strict=True)))


def strings(value: JsonValue) -> Strings:
    """Return the strings of *value*.

    Raises RecursionError for more than 100 levels, and OverflowError for an integer of more than 64 bits: neither can
    be written to a checkpoint.
    """
    found = Strings([], [])
    _collect(value, found, _MAX_DEPTH)
    return found


def _collect(value: JsonValue, found: Strings, levels: int) -> None:
    if levels < 0:
        raise RecursionError
    if isinstance(value, str):
        found.parts.append(value)
        found.behind.append("\n")
    elif isinstance(value, dict):
        for name, inner in value.items():
            found.parts.append(name)
            found.behind.append("\n" if isinstance(inner, dict | list) else ": ")
            _collect(inner, found, levels - 1)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, found, levels - 1)
    elif isinstance(value, int) and not _LEAST <= value <= _MOST:
        raise OverflowError
    elif _is_long(value):
        found.parts.append(str(value))
        found.behind.append("\n")


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


def replaced(value: JsonValue, texts: Iterable[str]) -> tuple[JsonValue, bool]:
    """Return *value* with *texts* in the place of its `strings`, and whether two names of an object became one."""
    rest = iter(texts)
    leaves = Leaves(lambda _: next(rest))
    return mapped(value, leaves), leaves.is_ambiguous


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
