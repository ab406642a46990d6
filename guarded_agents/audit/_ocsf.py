"""An audit entry as an event of the Open Cybersecurity Schema Framework."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, cast

from pydantic import JsonValue

from guarded_agents.audit._entry import Kind
from guarded_agents.audit._meaning import SAID, WHO, Does, Entry, Meaning, meaning_of, read

OCSF_VERSION: Final = "1.8.0"
"""The version of the schema that `to_ocsf` writes: the first that has the profile ``ai_operation``."""

_NAME: Final = "guarded_agents"
_OTHER: Final = 99
_TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        Kind.APPROVAL: "Approved by break-glass",
        Kind.FINDING: "Found in a text",
        Kind.REVIEW: "Approved by break-glass",
        Kind.TOOL_QUARANTINED: "Tool in quarantine",
        Kind.TOOL_RESTORED: "Tool in quarantine",
        Kind.VOTE: "Approved by break-glass",
    }
)

# Where a field goes that has a place in the class. No two fields of one kind have the same.
_ANYWHERE: Final[Mapping[str, tuple[str, ...]]] = {
    "detail": ("message",),
    "reason": ("status_detail",),
    "tenant": ("metadata", "tenant_uid"),
    "trace_id": ("metadata", "correlation_uid"),
}
_IN_ACTIVITY: Final[Mapping[str, tuple[str, ...]]] = {
    "call": ("api", "request", "uid"),
    "policy": ("policy", "uid"),
    "rule": ("policy", "name"),
    "thread": ("message_context", "uid"),
    "tool": ("api", "operation"),
}
_IN_FINDING: Final[Mapping[str, tuple[str, ...]]] = {"tool": ("resources", "name")}
_WHO_IN_ACTIVITY: Final = ("actor", "user", "uid")
_WHO_IN_FINDING: Final = ("evidences", "user", "uid")
_SAID_IN: Final = ("status_code",)
_PROFILES: Final = {  # with what each adds here; the schema has one name its profiles
    "ai_operation": {"message_context"},
    "security_control": {"disposition_id", "policy"},
    "trace": {"trace"},
}


def to_ocsf(stored: bytes, *, version: str) -> dict[str, JsonValue]:
    """Return the OCSF event (`OCSF_VERSION`) of one entry's exact bytes; *version* is that of this product.

    It is API Activity (6003) with the profile ``ai_operation``, Detection Finding (2004) where somebody should look,
    and a Base Event (0) for a kind that this release does not know. ``metadata.uid`` is the leaf hash: an event that
    is sent twice is known by it. With ``log_name``, ``sequence`` and ``original_time`` it leads back to the entry, and
    a field without a place stands in ``unmapped.fields``, so that the entry can be written again from its event.
    Raises StoreError for bytes that are no entry.
    """
    entry = read(stored)
    meaning = meaning_of(entry)
    event = _frame(entry, meaning, version)
    if meaning.does.is_finding:
        _as_finding(event, entry, meaning)
    elif meaning.does is not Does.BASE_OTHER:
        _as_activity(event, entry)
    left = dict(entry.fields)
    for name, place in _places(entry.kind, meaning).items():
        value = entry.text(name)
        if value is not None:
            _put(event, place, value)
            if (name, value) != ("tool", entry.kind):  # then it looks like an entry without a tool
                del left[name]
    return _finished(event, entry, left)


def _frame(entry: Entry, meaning: Meaning, version: str) -> dict[str, JsonValue]:
    """Return what every event has (the Base Event of the schema)."""
    class_uid, activity_id = meaning.does.value
    event: dict[str, JsonValue] = {
        "activity_id": activity_id,
        "category_uid": class_uid // 1000,
        "class_uid": class_uid,
        "type_uid": class_uid * 100 + activity_id,
        "severity_id": int(meaning.severity),
        "time": entry.time_ms,
        "metadata": {
            "version": OCSF_VERSION,
            "product": {"name": _NAME, "vendor_name": _NAME, "version": version},
            "uid": entry.leaf,
            "log_name": entry.log,
            "sequence": entry.sequence,
            "event_code": entry.kind,
            "original_time": entry.at,
        },
    }
    if activity_id == _OTHER:
        event["activity_name"] = entry.kind
    if meaning.status is not None:
        event["status_id"] = int(meaning.status)
    if meaning.disposition is not None:
        event["action_id"] = meaning.disposition.action_id
        event["disposition_id"] = int(meaning.disposition)
    return event


def _as_activity(event: dict[str, JsonValue], entry: Entry) -> None:
    """Add what API Activity requires. The log's id stands for the application: the guard that wrote it."""
    event["actor"] = {"app_uid": entry.log}
    event["src_endpoint"] = {"svc_name": entry.log}
    event["message_context"] = {"application": {"uid": entry.log}}
    event["api"] = {} if entry.text("tool") else {"operation": entry.kind}
    if (trace := entry.text("trace_id")) is not None:
        event["trace"] = {"uid": trace}


def _as_finding(event: dict[str, JsonValue], entry: Entry, meaning: Meaning) -> None:
    """Add what Detection Finding requires. Of a broken glass, as of a quarantine, all entries have the same uid."""
    about = entry.text(meaning.of)
    event["is_alert"] = meaning.does is not Does.FINDING_CLOSE
    event["finding_info"] = {
        "uid": entry.leaf if about is None else f"{entry.log}/{meaning.of}/{about}",
        "title": _TITLES[entry.kind],
        **_types(entry),
    }


def _types(entry: Entry) -> dict[str, JsonValue]:
    """Return what a text was found to do: the second of each of its findings. Those stay where they are."""
    findings = entry.fields.get("findings")
    named = [one[1] for one in findings if isinstance(one, list) and one[1:]] if isinstance(findings, list) else []
    types = sorted({name for name in named if isinstance(name, str)})
    return {"types": [*types]} if types else {}


def _places(kind: str, meaning: Meaning) -> dict[str, tuple[str, ...]]:
    if meaning.does is Does.BASE_OTHER:
        return {**_ANYWHERE}
    is_finding = meaning.does.is_finding
    places = {**_ANYWHERE, **(_IN_FINDING if is_finding else _IN_ACTIVITY)}
    if kind in WHO:
        places[WHO[kind]] = _WHO_IN_FINDING if is_finding else _WHO_IN_ACTIVITY
    if kind in SAID:
        places[SAID[kind]] = _SAID_IN
    return places


def _put(event: dict[str, JsonValue], place: tuple[str, ...], value: str) -> None:
    at = event
    for name in place[:-1]:
        at = cast("dict[str, JsonValue]", at.setdefault(name, {}))
    at[place[-1]] = value


def _finished(event: dict[str, JsonValue], entry: Entry, left: dict[str, JsonValue]) -> dict[str, JsonValue]:
    for name in ("evidences", "resources"):
        if name in event:
            event[name] = [event[name]]
    unmapped: dict[str, JsonValue] = {**entry.rest}
    if left:
        unmapped["fields"] = left
    profiles: list[JsonValue] = [name for name, signs in _PROFILES.items() if signs & event.keys()]
    if profiles:
        cast("dict[str, JsonValue]", event["metadata"])["profiles"] = profiles
    return event | {"unmapped": unmapped}
