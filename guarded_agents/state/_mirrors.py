"""The ``guard_*`` channels: what each reducer keeps, when several tasks, or a forger, write in one step.

A reducer takes the value so far and one write, and returns a value in its own closed form. It is
idempotent, ``{}`` changes nothing (a subgraph hands its whole state up), and what is not of the form
is ignored: LangGraph saves a write before it applies it, so a reducer that raised would raise again
at every later read of the thread.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

import orjson
from langgraph.channels import BinaryOperatorAggregate
from pydantic import JsonValue

from guarded_agents.records import ClaimStatus, Confidentiality, Integrity
from guarded_agents.state._refusal import is_overwrite, refused

Json = dict[str, JsonValue]
Merge = Callable[[Json, Json], Json]

MAX_SOURCES: Final = 32
MAX_COUNT: Final = 2**53 - 1  # beyond, JSON readers disagree; beyond 2^64 a checkpoint cannot be written at all

_TOLD: Final = frozenset(("integrity", "confidentiality", "sources"))  # by a call that was answered
_PLAIN: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
# A call is told once more when its stand becomes clearer; the clearer one is shown.
_CLEARER: Final = tuple(
    status.value
    for status in (
        ClaimStatus.SENDING,
        ClaimStatus.CLOSED,
        ClaimStatus.IN_DOUBT,
        ClaimStatus.FAILED,
        ClaimStatus.EXECUTED,
        ClaimStatus.NOT_OBSERVED,
        ClaimStatus.NOT_HAPPENED,
        ClaimStatus.HAPPENED,
        ClaimStatus.CONFLICT,
    )
)


class GuardChannel(BinaryOperatorAggregate[Json]):
    """A channel that folds writes with a reducer of this module, and that nothing can overwrite.

    Parallel writers never conflict. The value of a checkpoint passes the reducer too, so an old or
    altered one comes back in the closed form or as ``{}``.
    """

    def from_checkpoint(self, checkpoint: Json) -> "GuardChannel":
        """Return a channel that holds what *checkpoint* says, as far as it is of the form."""
        new = super().from_checkpoint(checkpoint)
        plain = _plain(new.value)
        new.value = {} if plain is None else self.operator({}, plain)
        return new

    def update(self, values: Sequence[Json]) -> bool:
        """Fold *values* in; return whether the value changed. Whatever is no JSON object is ignored."""
        before = self.value
        for value in values:
            plain = None if is_overwrite(value) else _plain(value)
            if plain is None:
                refused(self.key, value)
            else:
                self.value = self.operator(self.value, plain)
        return bool(self.value != before)


def merge_requester(old: Json, new: Json) -> Json:
    """Return the requester last written: a principal, a tenant and an entry."""
    principal, tenant, entry = new.get("principal"), new.get("tenant"), new.get("entry")
    if not (isinstance(principal, dict) and isinstance(tenant, str) and isinstance(entry, str)):
        return old
    return {"principal": principal, "tenant": tenant, "entry": entry}


def merge_trust(old: Json, new: Json) -> Json:
    """Return the join: the stricter labels, the union of sources and of the plan (the first 32 by name), larger counts.

    Commutative and associative, so that parallel tasks may write in any order.
    """
    if _is_told(old, new):  # most turns read what their thread has read before
        return old
    merged: Json = {}
    for part, labels in (("integrity", Integrity), ("confidentiality", Confidentiality)):
        label = _stricter(labels, old.get(part), new.get(part))
        if label is not None:
            merged[part] = label
    sources = sorted({*_strings(old.get("sources")), *_strings(new.get("sources"))})[:MAX_SOURCES]
    if sources:
        counts = (_count(old.get("source_count")), _count(new.get("source_count")))
        merged |= {"sources": list(sources), "source_count": max(*counts, len(sources))}
    if isinstance(old.get("plan"), list) or isinstance(new.get("plan"), list):
        merged["plan"] = list(sorted({*_strings(old.get("plan")), *_strings(new.get("plan"))})[:MAX_SOURCES])
    for part in ("endorsed", "spent"):
        if part in old or part in new:
            merged[part] = max(_count(old.get(part)), _count(new.get(part)))
    return merged


def _is_told(old: Json, new: Json) -> bool:
    """Return whether *new* says nothing but labels and sources that *old* has; for anything else it is False."""
    sources, known = new.get("sources"), old.get("sources")
    return (
        new.keys() == _TOLD
        and (new["integrity"], new["confidentiality"]) == (old.get("integrity"), old.get("confidentiality"))
        and isinstance(sources, list)
        and isinstance(known, list)
        and all(source in known for source in sources)
    )


def merge_calls(old: Json, new: Json) -> Json:
    """Return the settled calls of the newest turn: of one turn the union, of a later turn or another entry the new.

    Commutative within a turn. Of one call told twice, the clearer status is kept.
    """
    entry, turn, calls = new.get("entry"), new.get("turn"), new.get("calls")
    if not (isinstance(entry, str) and type(turn) is int and 0 <= turn <= MAX_COUNT and isinstance(calls, dict)):
        return old
    told: Json = {digest: call for digest, call in calls.items() if isinstance(call, dict)}
    if old.get("entry") == entry:
        known_turn, known = old["turn"], old["calls"]
        if isinstance(known_turn, int) and turn < known_turn:
            return old
        if turn == known_turn and isinstance(known, dict):
            told = {
                **known,
                **told,
                **{digest: _clearer(known[digest], told[digest]) for digest in known.keys() & told},
            }
    return {"entry": entry, "turn": turn, "calls": {digest: told[digest] for digest in sorted(told)}}


def merge_audit(old: Json, new: Json) -> Json:
    """Return the audit head of the larger size; of two equal sizes always the same one."""
    return max(old, _head(new), key=_size_first)


def _head(value: Json) -> Json:
    log, size, root = value.get("log"), value.get("size"), value.get("root")
    if isinstance(log, str) and type(size) is int and 0 <= size <= MAX_COUNT and isinstance(root, str):
        return {"log": log, "size": size, "root": root}
    return {}


def _size_first(head: Json) -> tuple[int, str, str]:
    return _count(head.get("size"), default=-1), str(head.get("log", "")), str(head.get("root", ""))


def _stricter(labels: type[StrEnum], *given: JsonValue) -> str | None:
    """Return the strictest of the labels that *given* holds, None where it holds none."""
    order = [label.value for label in labels]  # from loose to strict
    return max((label for label in given if isinstance(label, str) and label in order), key=order.index, default=None)


def _clearer(one: JsonValue, other: JsonValue) -> JsonValue:
    return max(one, other, key=_clarity)


def _clarity(call: JsonValue) -> tuple[int, int, bytes]:
    status = call.get("status") if isinstance(call, dict) else None
    sequence = call.get("sequence") if isinstance(call, dict) else None
    return (
        _count(sequence, default=-1),
        _CLEARER.index(status) if isinstance(status, str) and status in _CLEARER else -1,
        orjson.dumps(call, option=orjson.OPT_SORT_KEYS),
    )


def _count(value: JsonValue, *, default: int = 0) -> int:
    return value if type(value) is int and 0 <= value <= MAX_COUNT else default


def _strings(value: JsonValue) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _plain(value: object) -> Json | None:
    """Return a copy of *value* in which all is plain JSON, None where it is no such object."""
    if not isinstance(value, Mapping):
        return None
    try:
        plain = orjson.loads(orjson.dumps(dict(value), option=_PLAIN))
    except TypeError:  # JSONEncodeError is one: no JSON, or an integer that a checkpoint could not hold either
        return None
    return plain if isinstance(plain, dict) else None
