"""An audit entry as a line of the Common Event Format."""

import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final

from pydantic import JsonValue

from guarded_agents.audit._meaning import OTHERWISE, SAID, WHO, Entry, Severity, case_of, meaning_of, read

_NAME: Final = "guarded_agents"
_REST: Final = "guardedAgentsRest"
_MAX_BYTES: Final = 1_023  # of a text of the CEF dictionary, where it names no other length
_LENGTHS: Final[Mapping[str, int]] = {"act": 63, "deviceExternalId": 255, "outcome": 63}
_PRODUCT_BYTES, _VERSION_BYTES, _TITLE_BYTES = 63, 31, 512
_CUT: Final = "…"

# Of 0 to 10: 0-3 low, 4-6 medium, 7-8 high.
_SEVERITIES: Final = {
    Severity.UNKNOWN: 5,
    Severity.INFORMATIONAL: 1,
    Severity.LOW: 3,
    Severity.MEDIUM: 5,
    Severity.HIGH: 8,
}
_KEYS: Final[Mapping[str, str]] = {
    "tool": "destinationServiceName",
    "reason": "reason",
    "detail": "msg",
    "thread": "cs2",
    "call": "cs3",
    "request": "cs4",
    "rule": "cs5",
    "trace_id": "cs6",
    "policy": "flexString1",
    "tenant": "flexString2",
}
_LABELLED: Final = ("cs", "flexString")
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "=": "\\=", "\n": "\\n", "\r": "\\r"})
_HEADER_ESCAPES: Final = str.maketrans({"\\": "\\\\", "|": "\\|"})


def to_cef(stored: bytes, *, version: str) -> str:
    r"""Return one line of CEF 0, without a line end, of one entry's exact bytes; *version* is that of this product.

    Keys and lengths are those of the dictionary of ArcSight's CEF guide (version 25). The leaf hash stands in ``cs1``,
    the log's id in ``deviceExternalId``, the sequence in ``externalId``. What has no key stands, as JSON, in
    ``guardedAgentsRest``, ``guardedAgentsRest2`` and so on, to be joined in that order; so does, whole, what its key
    cannot hold as it is: the key then has what fits, with an ellipsis and with what is invisible as ``\uXXXX``. The
    entry can thus be written again from its line. No value can begin another key or another line.
    Raises StoreError for bytes that are no entry.
    """
    entry = read(stored)
    case, severity = case_of(entry), _SEVERITIES[meaning_of(entry).severity]
    signature = entry.kind if case == OTHERWISE else f"{entry.kind}:{case}"
    header = "|".join(
        [
            "CEF:0",
            _NAME,
            _NAME,
            _head(version, _VERSION_BYTES),
            _head(signature, _MAX_BYTES),
            _head(signature.replace("_", " ").replace(":", " "), _TITLE_BYTES),
            str(severity),
        ]
    )
    return f"{header}|{' '.join(_extension(entry))}"


def _extension(entry: Entry) -> Iterator[str]:
    """Yield every key with its value, escaped."""
    rest: dict[str, JsonValue] = {**entry.rest, "at": entry.at}
    left = dict(entry.fields)
    yield f"rt={entry.time_ms}"
    yield f"externalId={entry.sequence}"
    yield f"cs1={entry.leaf}"
    yield "cs1Label=leafHash"
    for name, key, value in (("log", "deviceExternalId", entry.log), ("kind", "cat", entry.kind)):
        held, is_all = _held(key, value)
        if not is_all:
            rest[name] = value
        yield f"{key}={held}"
    for name, key in _keys(entry.kind).items():
        if (text := entry.text(name)) is None:
            continue
        held, is_all = _held(key, text)
        if is_all:
            del left[name]
        yield f"{key}={held}"
        if key.startswith(_LABELLED):
            yield f"{key}Label={name}"
    if left:
        rest["fields"] = left
    yield from _in_pieces(rest)


def _keys(kind: str) -> dict[str, str]:
    """Return the fields of *kind* that the dictionary has a key for."""
    keys: dict[str, str] = {}
    if kind in WHO:
        keys[WHO[kind]] = "suser"
    if kind in SAID:
        keys[SAID[kind]] = "outcome" if SAID[kind] == "status" else "act"
    return {**keys, **_KEYS}


# -- escaping -------------------------------------------------------------------------------------


def _head(text: str, limit: int) -> str:
    escaped = text.translate(_HEADER_ESCAPES)
    return escaped if _fits(escaped, limit) else _cut([_unit(char, _HEADER_ESCAPES) for char in text], limit)


def _held(key: str, text: str) -> tuple[str, bool]:
    """Return what *key* holds of *text*, and whether a reader who trims blanks reads *text* again from it."""
    limit = _LENGTHS.get(key, _MAX_BYTES)
    escaped = text.translate(_ESCAPES)
    if _fits(escaped, limit):
        return escaped, text == text.strip() != ""
    return _cut([_unit(char, _ESCAPES) for char in text], limit), False


def _fits(escaped: str, limit: int) -> bool:
    return escaped.isprintable() and len(escaped.encode()) <= limit


def _unit(char: str, escapes: Mapping[int, str]) -> str:
    """Return *char*, escaped; of a control, of what is invisible and of odd blanks the number behind a backslash."""
    number = ord(char)
    if number in escapes or char.isprintable():
        return escapes.get(number, char)
    return f"\\\\u{number:04x}" if number <= 0xFFFF else f"\\\\U{number:08x}"  # noqa: PLR2004


def _cut(units: Sequence[str], limit: int) -> str:
    """Return *units* in at most *limit* bytes of UTF-8: an escape is whole or not there."""
    ends = list(accumulate(len(unit.encode()) for unit in units))
    if not ends or ends[-1] <= limit:
        return "".join(units)
    room = limit - len(_CUT.encode())
    return "".join(units[: bisect_right(ends, room)]) + _CUT


def _in_pieces(rest: Mapping[str, JsonValue]) -> Iterator[str]:
    """Yield *rest* as JSON in ASCII without a blank, in as many keys as it takes."""
    text = json.dumps(rest, separators=(",", ":"), sort_keys=True).replace(" ", "\\u0020")
    escaped = text.replace("\\", "\\\\").replace("=", "\\=")
    number = 1
    while escaped:
        end = _MAX_BYTES
        while _is_within_escape(escaped, end):
            end -= 1
        yield f"{_REST}{number if number > 1 else ''}={escaped[:end]}"
        escaped, number = escaped[end:], number + 1


def _is_within_escape(escaped: str, end: int) -> bool:
    """Return whether a cut at *end* parts a backslash from what it escapes: an odd number of them stands before it."""
    before = escaped[:end]
    return end < len(escaped) and (len(before) - len(before.rstrip("\\"))) % 2 == 1
