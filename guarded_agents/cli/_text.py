"""Text for a terminal: nothing in it can move the cursor, hide, or turn the direction of reading.

What comes out of a store is printed through this module or `guarded_agents.catalog.visible`, ids too: whoever can write
the store can put any text into any column.
"""

import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

import orjson
import typer

from guarded_agents.catalog import visible, visible_json
from guarded_agents.cli._folded import folded
from guarded_agents.moments import duration, utc

LABEL_CHARS: Final = 11  # of what stands before a line of `show`
_MAX_CHARS: Final = 150  # of one value in a table
_COMMAND: Final = re.compile("`[^`]*`")
_NO_BREAK: Final = "\u00a0"  # no text has one: it is among the characters that are made visible
_ID: Final = re.compile("[0-9a-f]{12}")


def printable(text: str) -> str:
    r"""Return *text* with every invisible character but a line feed as ``\uXXXX``."""
    return visible_json(text)


def one_line(text: str) -> str:
    r"""Return *text* as `printable` does, and its line feeds as ``\u000a``: no text begins a line of its own."""
    return printable(text).replace("\n", "\\u000a")


def identifier(text: str) -> str:
    """Return the id of a request, which has 12 hex digits; ``not an id`` for anything else."""
    return text if _ID.fullmatch(text) else "not an id"


def json_text(value: object, *, is_indented: bool = True) -> str:
    r"""Return *value* as JSON, with invisible characters of its texts as ``\uXXXX``."""
    return visible_json(orjson.dumps(value, option=orjson.OPT_INDENT_2 if is_indented else None).decode())


def print_json(value: object) -> None:
    """Print *value* on stdout as JSON."""
    typer.echo(json_text(value))


def pretty(canonical: str, *, is_full: bool = False) -> str:
    r"""Return canonical JSON indented, with invisible characters as ``\uXXXX``; as it stands where it is no JSON.

    What is long is folded, unless *is_full*.
    """
    if not canonical:
        return "(erased)"
    try:
        return folded(orjson.loads(canonical), is_full=is_full)
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


def indented(text: str, *, columns: int | None = None) -> str:
    """Return *text* with four blanks before each of its lines, every character of which is kept.

    What does not fit into *columns* stands below, four further in, broken between words.
    """
    lines = (f"    {line}" for line in text.split("\n"))
    return "\n".join(part for line in lines for part in _broken(line, columns))


def _broken(line: str, columns: int | None) -> list[str]:
    if columns is None or len(line) <= columns:
        return [line]
    further = " " * (len(line) - len(line.lstrip(" ")) + 4)
    return textwrap.wrap(
        line,
        columns,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=False,
    )


def clock(moment: datetime, *, now: datetime) -> str:
    """Return *moment* (UTC) as a clock shows it, and how far it is from *now*."""
    left = (moment - now).total_seconds()
    return f"{utc(moment)} ({f'in {duration(left)}' if left > 0 else f'{duration(-left)} ago'})"


def unproven(found: Iterable[bool | None]) -> str:
    """Return what is to be said beside what somebody is said to have said: nothing where one of *found* is proven."""
    known = set(found)
    if True in known:
        return ""
    return ", not checked here" if None in known else ", NOT VERIFIED"


def columns() -> int | None:
    """Return how many columns the terminal has, None where stdout is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def wrapped(lines: Iterable[str], *, columns: int | None, hanging: int = LABEL_CHARS) -> Iterator[str]:
    """Yield *lines* of prose, what does not fit into *columns* below the line's own text, broken between words.

    A command in backquotes stays whole, to be copied.
    """
    for line in lines:
        if columns is None or len(line) <= columns:
            yield line
        else:
            whole = _COMMAND.sub(lambda found: found[0].replace(" ", _NO_BREAK), line)
            broken = textwrap.wrap(
                whole, columns, subsequent_indent=" " * hanging, break_long_words=False, break_on_hyphens=False
            )
            yield from (part.replace(_NO_BREAK, " ") for part in broken)


__all__ = [
    "LABEL_CHARS",
    "brief",
    "brief_json",
    "clock",
    "columns",
    "cut",
    "identifier",
    "indented",
    "json_text",
    "one_line",
    "pretty",
    "print_json",
    "printable",
    "unproven",
    "wrapped",
]
