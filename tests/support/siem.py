"""What a SIEM does with what is forwarded: it parses it, and here writes the entry again from it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson
from hypothesis import strategies as st

from guarded_agents.audit import Kind

# Where each field goes, told a second time.
WHO: Final = {
    "approval": "principal",
    "decision": "principal",
    "plan_extended": "approver",
    "resolution": "resolver",
    "review": "reviewer",
    "vote": "approver",
}
SAID: Final = {
    "approval": "status",
    "decision": "effect",
    "finding": "required",
    "outcome": "status",
    "resolution": "verdict",
    "review": "finding",
    "tool_quarantined": "kind",
    "tool_restored": "kind",
    "vote": "answer",
}
OCSF_PLACES: Final = {
    "call": ("api.request.uid",),
    "detail": ("message",),
    "policy": ("policy.uid",),
    "reason": ("status_detail",),
    "rule": ("policy.name",),
    "tenant": ("metadata.tenant_uid",),
    "thread": ("message_context.uid",),
    "tool": ("api.operation", "resources[0].name"),
    "trace_id": ("metadata.correlation_uid",),
}
WHO_PLACES: Final = ("actor.user.uid", "evidences[0].user.uid")
SAID_PLACE: Final = "status_code"
CEF_KEYS: Final = {
    "call": "cs3",
    "detail": "msg",
    "policy": "flexString1",
    "reason": "reason",
    "request": "cs4",
    "rule": "cs5",
    "tenant": "flexString2",
    "thread": "cs2",
    "tool": "destinationServiceName",
    "trace_id": "cs6",
}


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield each value that is no object or list, with its path."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from leaves(one, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from leaves(one, f"{path}[{number}]")
    else:
        yield path, value


def entry_of_ocsf(event: dict[str, Any]) -> bytes:
    """Return the bytes of the entry that *event* was made of."""
    metadata, rest = event["metadata"], dict(event["unmapped"])
    kind = metadata["event_code"]
    fields = dict(rest.pop("fields", {}))
    at = dict(leaves({name: value for name, value in event.items() if name != "unmapped"}))
    if at.get("api.operation") == kind:
        del at["api.operation"]  # said where no tool is named
    places = dict(OCSF_PLACES)
    if kind in WHO:
        places[WHO[kind]] = WHO_PLACES
    if kind in SAID:
        places[SAID[kind]] = (SAID_PLACE,)
    for name, known in places.items():
        for place in known:
            if name not in fields and place in at:
                fields[name] = at[place]
    return _entry(
        rest,
        at=metadata["original_time"],
        fields=fields,
        kind=kind,
        log=metadata["log_name"],
        sequence=metadata["sequence"],
    )


def entry_of_cef(line: str) -> bytes:
    """Return the bytes of the entry that *line* was made of."""
    _, keys = parse_cef(line)
    pieces = ["guardedAgentsRest", *(f"guardedAgentsRest{number}" for number in range(2, len(keys)))]
    rest = orjson.loads("".join(keys[piece] for piece in pieces if piece in keys))
    kind, log, at = rest.pop("kind", keys["cat"]), rest.pop("log", keys["deviceExternalId"]), rest.pop("at")
    fields = dict(rest.pop("fields", {}))
    places = dict(CEF_KEYS)
    if kind in WHO:
        places[WHO[kind]] = "suser"
    if kind in SAID:
        places[SAID[kind]] = "outcome" if SAID[kind] == "status" else "act"
    for name, key in places.items():
        if name not in fields and key in keys:
            fields[name] = keys[key]
    return _entry(rest, at=at, fields=fields, kind=kind, log=log, sequence=int(keys["externalId"]))


def _entry(rest: Mapping[str, object], **parts: object) -> bytes:
    return orjson.dumps({**rest, **parts}, option=orjson.OPT_SORT_KEYS)


# -- a reader of CEF, as they are ------------------------------------------------------------------

_HEADER: Final = re.compile(r"((?:[^\\|]|\\.)*)\|")
_KEY: Final = re.compile(r"(?:^| )([A-Za-z0-9]+)=")
_ESCAPED: Final = re.compile(r"\\(.)")


def parse_cef(line: str) -> tuple[list[str], dict[str, str]]:
    """Return the seven parts of the header, and the extension; blanks around a value are dropped, as readers do."""
    header, at = [], 0
    while len(header) < 7:
        part = _HEADER.match(line, at)
        assert part is not None
        header.append(_ESCAPED.sub(r"\1", part[1]))
        at = part.end()
    keys = raw_extension(line[at:])
    return header, {key: _ESCAPED.sub(_char, value.strip()) for key, value in keys.items()}


def raw_extension(text: str) -> dict[str, str]:
    """Return the keys of an extension with their values as they stand there."""
    found = list(_KEY.finditer(text))
    ends = [*(one.start() for one in found[1:]), len(text)]
    assert len({one[1] for one in found}) == len(found)
    return {one[1]: text[one.end() : end] for one, end in zip(found, ends, strict=True)}


def _char(match: re.Match[str]) -> str:
    return {"n": "\n", "r": "\r"}.get(match[1], match[1])


# -- entries of any kind ---------------------------------------------------------------------------

TEXTS: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    [
        "a|b\\|c=d\\=e",
        "x\ncs1=forged\r\nCEF:0|a|b|c|d|e|1|act=permit",
        " blank ",
        "\\",
        "\\\\n",
        "\x00\x1b[31m",
        "\u202e\u2028\u0085",
        "\U000e0041",
        "=" * 700,
        "ä" * 600,
        "x" * 3000,
        "payments/refund",
        "decision",
        "overdue",
        "permitted",
    ]
)
_LEAVES: Final = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXTS
VALUES: Final = st.recursive(_LEAVES, lambda one: st.lists(one, max_size=3) | st.dictionaries(TEXTS, one, max_size=3))
NAMES: Final = st.sampled_from(
    sorted({*CEF_KEYS, *WHO.values(), *SAID.values(), "escalated_to", "findings", "fields", "kind", "review"})
)
FIELDS: Final = st.dictionaries(NAMES, TEXTS | VALUES, max_size=8) | st.dictionaries(TEXTS, VALUES, max_size=4)
KINDS: Final = st.sampled_from([kind.value for kind in Kind])
SEQUENCES: Final = st.integers(0, 2**63 - 1)
MICROS: Final = st.integers(0, 10**15)
