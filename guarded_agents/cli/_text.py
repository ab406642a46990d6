"""Text for a terminal: nothing in it can move the cursor, hide, or turn the direction of reading."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import orjson

from guarded_agents.catalog import visible, visible_json

_MAX_CHARS: Final = 150  # of one value in a table


def printable(text: str) -> str:
    r"""Return *text* with every invisible character but a line feed as ``\uXXXX``."""
    return visible_json(text)


def pretty(canonical: str) -> str:
    r"""Return canonical JSON indented, with invisible characters as ``\uXXXX``; as it stands where it is no JSON."""
    if not canonical:
        return "(erased)"
    try:
        return visible_json(orjson.dumps(orjson.loads(canonical), option=orjson.OPT_INDENT_2).decode())
    except orjson.JSONDecodeError:
        return visible(canonical)


def brief(canonical: str) -> list[str]:
    """Return canonical JSON as `brief_json` does."""
    if not canonical:
        return ["(erased)"]
    try:
        return brief_json(orjson.loads(canonical))
    except orjson.JSONDecodeError:
        return [cut(visible(canonical))]


def brief_json(found: object) -> list[str]:
    """Return a line ``name: value`` for each member of *found*, or one for all of it: JSON, cut where long."""
    if isinstance(found, Mapping):
        return [f"{visible(str(name))}: {_json(value)}" for name, value in found.items()]
    return [_json(found)]


def _json(value: object) -> str:
    return cut(visible_json(orjson.dumps(value).decode()))


def cut(text: str) -> str:
    """Return the first 150 characters of *text*, with dots where more followed."""
    return text if len(text) <= _MAX_CHARS else f"{text[: _MAX_CHARS - 3]}..."


def indented(text: str) -> str:
    """Return *text* with four blanks before each of its lines."""
    return "\n".join(f"    {line}" for line in text.split("\n"))


def utc(moment: datetime) -> str:
    """Return *moment* (UTC) to the second, as RFC 3339 spells it."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


__all__ = ["brief", "brief_json", "cut", "indented", "pretty", "printable", "utc"]
