"""One audit entry: its exact bytes and its hash."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final, cast

import orjson
from pydantic import JsonValue

from guarded_agents.errors import StoreError
from guarded_agents.records import CallKey

GENESIS: Final = "0" * 64
"""What the first entry names as the hash of the one before it (hex)."""

_OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z
_ZERO: Final = timedelta(0)
_LEAVES: Final = frozenset({str, int, bool, type(None)})


class Kind(StrEnum):
    """The kinds of entries that are written. A verifier reads any other as data."""

    APPROVAL = "approval"  # a request was written, or reached another status
    DECISION = "decision"
    FINDING = "finding"  # what a text was found to do
    INTENT = "intent"
    KEY_ROTATED = "key_rotated"  # another key signs the log from here on
    LABEL_RAISED = "label_raised"  # a thread was exposed to something stricter
    LOG_CLOSED = "log_closed"  # a guard went: what it had buffered is written
    LOG_OPENED = "log_opened"  # a guard came, with the key that signs the log
    NOTICE = "notice"  # one was given up: nobody was told
    OUTCOME = "outcome"
    PLAN_EXTENDED = "plan_extended"  # a person added a tool to the plan of a thread
    PLAN_PINNED = "plan_pinned"  # what the model proposed is the plan of its thread
    POLICY_LOADED = "policy_loaded"
    REFUSAL = "refusal"  # a claim row was closed and the model told so
    RESOLUTION = "resolution"  # a person settled a call in doubt
    REVIEW = "review"  # a person looked at a broken glass
    TOOL_QUARANTINED = "tool_quarantined"
    TOOL_RESTORED = "tool_restored"  # it matches its reviewed definition again
    VOTE = "vote"
    WITHDRAWAL = "withdrawal"


_KINDS: Final = frozenset(kind.value for kind in Kind)


def place_of(key: CallKey) -> dict[str, JsonValue]:
    """Return the fields by which an entry names the call *key*; ``call`` is its keyed digest (hex)."""
    return {
        "thread": key.thread,
        "entry": key.entry,
        "turn": key.turn,
        "call": key.digest,
        "occurrence": key.occurrence,
    }


def leaf_hash(stored: bytes) -> str:
    """Return the hex hash of one entry's stored bytes (RFC 6962 section 2.1)."""
    return sha256(b"\x00" + stored).hexdigest()  # 0x00 keeps a leaf from passing for a node


def seal(
    kind: str,
    fields: Mapping[str, JsonValue],
    *,
    log: str,
    sequence: int,
    previous: str,
    at: datetime,
) -> tuple[bytes, str]:
    """Return the exact bytes to store for one entry, and their hash (hex).

    The bytes are JSON with sorted keys: ``at`` (RFC 3339, UTC, microseconds), ``fields``, ``kind``,
    ``log``, ``previous`` (the hash of entry *sequence* - 1, or GENESIS), ``sequence`` (from 0).
    Raises StoreError for a kind that is no `Kind`, a time that is not UTC, and for fields that hold
    a float or anything that JSON cannot spell.
    """
    if kind not in _KINDS:
        raise _unsealable(sequence, "a known kind of entry", "another")
    if at.utcoffset() != _ZERO:
        raise _unsealable(sequence, "a time in UTC", "another zone or none")
    _check(fields.values(), sequence)
    entry = {
        # orjson writes a time faster than Python does, but leaves out microseconds that are zero.
        "at": at if at.microsecond else at.isoformat(timespec="microseconds")[:26] + "Z",
        "fields": fields if type(fields) is dict else dict(fields),
        "kind": kind,
        "log": log,
        "previous": previous,
        "sequence": sequence,
    }
    try:
        stored = orjson.dumps(entry, option=_OPTIONS)
    except orjson.JSONEncodeError:
        raise _unsealable(sequence, "fields that JSON can spell", "others") from None
    return stored, leaf_hash(stored)


def _check(values: Iterable[object], sequence: int) -> None:
    """Refuse what has no one spelling: floats, and whatever orjson would spell in a way of its own."""
    for value in values:
        kind = type(value)
        if kind in _LEAVES:
            continue
        if kind is dict:
            _check(cast("dict[str, object]", value).values(), sequence)
        elif kind is list or kind is tuple:
            _check(cast("list[object]", value), sequence)
        elif not isinstance(value, str):  # the members of a StrEnum are spelt as their values
            raise _unsealable(sequence, "JSON without floats", kind.__name__)


def _unsealable(sequence: int, expected: str, got: str) -> StoreError:
    return StoreError(f"audit entry {sequence}", expected=expected, got=got, action="correct the code that wrote it")
