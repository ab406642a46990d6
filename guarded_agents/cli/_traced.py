"""What the audit log says of one thread, as calls and the spans in which each step of them was made."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import orjson

from guarded_agents.audit import Kind

_PLACE: Final = ("entry", "turn", "call", "occurrence")
Row = tuple[int, bytes, str]  # sequence, stored bytes, hash


@dataclass(frozen=True, slots=True)
class Step:
    """One entry: when it was made, what it says, and the span that it names ("" where it names none)."""

    sequence: int
    at: datetime  # UTC
    kind: str
    what: str
    trace_id: str
    span_id: str


@dataclass(slots=True)
class TracedCall:
    """A call of the thread, or (*tool* is "") what happened to the thread itself; steps in their order."""

    tool: str
    steps: list[Step] = field(default_factory=list)

    @property
    def traces(self) -> tuple[str, ...]:
        """Return the ids of the traces that it went through, in their order."""
        return tuple(dict.fromkeys(step.trace_id for step in self.steps if step.trace_id))


def calls_of(rows: Iterable[Row], thread: str) -> tuple[TracedCall, ...]:
    """Return what the log *rows* say of *thread*, by call, in the order in which each began. Nothing is verified."""
    calls: dict[tuple[object, ...], TracedCall] = {}
    requests: dict[str, tuple[object, ...]] = {}
    needle = orjson.dumps(thread)
    for sequence, stored, _ in rows:
        if needle not in stored and not any(request.encode() in stored for request in requests):
            continue
        entry = _parsed(stored)
        fields = entry.get("fields")
        if not isinstance(fields, dict):
            continue
        request = str(fields.get("request") or "")
        if fields.get("thread") == thread:
            place = tuple(fields.get(name) for name in _PLACE) if "call" in fields else ()
        elif "thread" not in fields and request in requests:
            place = requests[request]
        else:
            continue
        if request:
            requests.setdefault(request, place)
        call = calls.setdefault(place, TracedCall(""))
        call.tool = call.tool or str(fields.get("tool") or "") if place else ""
        if (step := _step(sequence, entry, fields)) is not None:
            call.steps.append(step)
    return tuple(call for call in calls.values() if call.steps)


def _parsed(stored: bytes) -> Mapping[str, object]:
    try:
        entry: object = orjson.loads(stored)
    except orjson.JSONDecodeError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _step(sequence: int, entry: Mapping[str, object], fields: Mapping[str, object]) -> Step | None:
    kind = str(entry.get("kind"))
    try:
        at = datetime.fromisoformat(str(entry.get("at")))
    except ValueError:
        return None
    if at.tzinfo is None:
        return None
    ids = (str(fields.get(name) or "") for name in ("trace_id", "span_id"))
    return Step(sequence, at, kind, " ".join(_words(kind, fields)), *ids)


def _words(kind: str, fields: Mapping[str, object]) -> Iterator[str]:
    if kind == Kind.APPROVAL and fields.get("status") == "pending":
        yield f"held: {fields.get('group')}, {fields.get('quorum')} to agree, request {fields.get('request')}"
    elif kind == Kind.DECISION:
        yield f"{fields.get('effect')} by {fields.get('rule')}"
        if fields.get("reason") != "permitted":
            yield f"({fields.get('reason')})"
    elif kind == Kind.VOTE:
        yield f"{fields.get('answer')} by {fields.get('approver')}"
    elif kind == Kind.RESOLUTION:
        yield f"{fields.get('verdict')} by {fields.get('resolver')}"
    elif kind == Kind.INTENT:
        yield "sent"
    else:
        labels = [str(fields[name]) for name in ("integrity", "confidentiality") if fields.get(name)]
        said = fields.get("status") or fields.get("reason") or fields.get("required") or ", ".join(labels) or None
        yield kind.replace("_", " ") if said is None else f"{kind.replace('_', ' ')}: {said}"
