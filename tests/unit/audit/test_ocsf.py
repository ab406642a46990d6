"""The OCSF event of an entry."""

from datetime import UTC, datetime
from typing import Any

import jsonschema_rs
import ocsf_json_schema
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from guarded_agents.audit import GENESIS, OCSF_VERSION, Kind, leaf_hash, to_ocsf
from guarded_agents.errors import StoreError
from tests.support.audit_entries import ENTRIES, LOG, entry_of, sealed
from tests.support.siem import FIELDS, KINDS, MICROS, SEQUENCES, TEXTS, VALUES, entry_of_ocsf

VERSION = "0.1.0"

# -- known answers --------------------------------------------------------------------------------

# Of each entry: type_uid (the class, and the last two digits the activity), severity_id, status_id, disposition_id.
EXPECTED: dict[str, tuple[int, int, int | None, int | None]] = {
    "permit": (600399, 1, 1, 1),
    "deny": (600399, 2, 2, 2),
    "refused-at-the-door": (600399, 2, 2, 2),
    "held": (600301, 1, None, 14),
    "escalated": (600303, 2, None, 14),
    "expired": (600303, 2, 2, 2),
    "lapsed": (600303, 2, 2, 2),
    "closed": (600303, 1, None, None),
    "overdue": (200402, 4, 1, None),
    "vote": (600301, 1, None, None),
    "rejection": (600301, 1, None, None),
    "broken-glass": (200401, 4, 1, None),
    "reviewed": (200403, 1, 4, None),
    "violation": (200402, 4, 2, None),
    "intent": (600399, 1, None, None),
    "intent-again": (600399, 1, None, None),
    "executed": (600399, 1, 1, None),
    "failed": (600399, 2, 2, None),
    "in-doubt": (600399, 3, 0, None),
    "conflict": (600399, 4, 0, None),
    "refusal": (600399, 2, 2, 2),
    "withdrawal": (600303, 1, None, 2),
    "happened": (600303, 1, 1, None),
    "not-happened": (600303, 1, 1, None),
    "not-observed": (600303, 3, 0, None),
    "finding-nothing": (200401, 2, 1, 15),
    "finding-ask": (200401, 3, 1, 15),
    "finding-quarantine": (200401, 4, 1, 3),
    "finding-deny": (200401, 4, 1, 2),
    "label-raised": (600303, 2, None, None),
    "notice": (600399, 3, 2, None),
    "plan-pinned": (600301, 1, 1, None),
    "plan-extended": (600303, 2, 1, None),
    "policy-loaded": (600399, 1, 1, None),
    "log-opened": (600399, 1, 1, None),
    "log-closed": (600399, 1, 1, None),
    "key-rotated": (600303, 3, 1, None),
    "tool-changed": (200401, 4, 1, 3),
    "tool-added": (200401, 4, 1, 3),
    "tool-removed": (200401, 2, 1, 3),
    "tool-unreachable": (200401, 2, 1, 3),
    "tool-restored": (200403, 1, 4, 9),
}


def event_of(name: str) -> dict[str, Any]:
    return to_ocsf(sealed(name), version=VERSION)


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_has_the_class_the_activity_and_the_severity_of_its_case(name: str) -> None:
    event = event_of(name)
    got = (event["type_uid"], event["severity_id"], event.get("status_id"), event.get("disposition_id"))
    assert got == EXPECTED[name]


def test_every_kind_has_a_known_answer() -> None:
    assert {kind for kind, _ in ENTRIES.values()} == set(Kind)
    assert EXPECTED.keys() == ENTRIES.keys()


def test_a_decision_is_all_of_this_event() -> None:
    stored = sealed("deny")
    assert to_ocsf(stored, version=VERSION) == {
        "activity_id": 99,
        "activity_name": "decision",
        "action_id": 2,
        "actor": {"app_uid": LOG, "user": {"uid": "desk-agent"}},
        "api": {"operation": "payments/refund", "request": {"uid": "c4" * 32}},
        "category_uid": 6,
        "class_uid": 6003,
        "disposition_id": 2,
        "message": "no rule names it",
        "message_context": {"application": {"uid": LOG}, "uid": "t-17"},
        "metadata": {
            "correlation_uid": "4bf92f3577b34da6a3ce929d0e0e4736",
            "event_code": "decision",
            "log_name": LOG,
            "original_time": "2026-01-05T10:01:00.250750Z",
            "product": {"name": "guarded_agents", "vendor_name": "guarded_agents", "version": VERSION},
            "profiles": ["ai_operation", "security_control", "trace"],
            "sequence": 12,
            "tenant_uid": "acme",
            "uid": leaf_hash(stored),
            "version": OCSF_VERSION,
        },
        "policy": {"name": "refunds", "uid": "9a" * 32},
        "severity_id": 2,
        "src_endpoint": {"svc_name": LOG},
        "status_code": "deny",
        "status_detail": "no_rule",
        "status_id": 2,
        "time": 1767607260250,
        "trace": {"uid": "4bf92f3577b34da6a3ce929d0e0e4736"},
        "type_uid": 600399,
        "unmapped": {
            "fields": {
                "acting_for": "ana@example.com",
                "approval": None,
                "call_id": "call_1",
                "confidentiality": "internal",
                "definition": "de" * 32,
                "entry": "m-3",
                "integrity": "untrusted",
                "misses": [],
                "occurrence": 0,
                "span_id": "00f067aa0ba902b7",
                "turn": 0,
            },
            "previous": GENESIS,
        },
    }


GLASS = ("broken-glass", "overdue", "reviewed", "violation")
QUARANTINE = ("tool-changed", "tool-unreachable", "tool-restored")


@pytest.mark.parametrize("names", [GLASS, QUARANTINE], ids=["glass", "quarantine"])
def test_a_finding_keeps_its_uid_until_it_is_closed(names: tuple[str, ...]) -> None:
    assert len({event_of(name)["finding_info"]["uid"] for name in names}) == 1


def test_two_findings_in_texts_are_two() -> None:
    first, second = (to_ocsf(sealed("finding-ask", sequence=n), version=VERSION) for n in (1, 2))
    assert first["finding_info"]["uid"] == first["metadata"]["uid"] != second["metadata"]["uid"]


def test_a_finding_that_is_closed_is_no_alert() -> None:
    alerts = {name: event["is_alert"] for name in ENTRIES if "is_alert" in (event := event_of(name))}
    assert {name for name, is_alert in alerts.items() if not is_alert} == {"reviewed", "tool-restored"}


def test_the_types_of_a_finding_are_what_the_text_was_found_to_do() -> None:
    assert event_of("finding-ask")["finding_info"]["types"] == ["hiding", "injection"]


ODD_FINDINGS: dict[str, JsonValue] = {
    "no-list": "injection",
    "no-lists": ["injection"],
    "too-short": [["id"]],
    "no-text": [["id", 5, 1]],
    "empty": [],
}


@pytest.mark.parametrize("findings", ODD_FINDINGS.values(), ids=ODD_FINDINGS)
def test_findings_of_another_form_name_no_type(findings: JsonValue) -> None:
    event: dict[str, Any] = to_ocsf(entry_of("finding", {"required": "ask", "findings": findings}), version=VERSION)
    assert "types" not in event["finding_info"]
    assert event["unmapped"]["fields"]["findings"] == findings


def test_what_its_rule_permits_and_the_door_refuses_is_not_allowed() -> None:
    assert (event_of("permit")["action_id"], event_of("refused-at-the-door")["action_id"]) == (1, 2)


def test_a_call_that_waits_for_a_person_is_neither_allowed_nor_denied() -> None:
    assert event_of("held")["action_id"] == 0


# -- kinds, and words, that this release does not know ----------------------------------------------


def unknown(kind: str | None = "head_signed", **beside: JsonValue) -> bytes:
    entry = {"at": "2027-01-01T00:00:00.000000Z", "fields": {"size": 7, "trace_id": "ab"}, "kind": kind, "log": LOG}
    return orjson.dumps({**entry, "previous": GENESIS, "sequence": 3, **beside}, option=orjson.OPT_SORT_KEYS)


def test_an_unknown_kind_is_a_base_event_with_all_that_it_holds() -> None:
    stored = unknown(witness="w1")
    assert to_ocsf(stored, version=VERSION) == {
        "activity_id": 99,
        "activity_name": "head_signed",
        "category_uid": 0,
        "class_uid": 0,
        "type_uid": 99,
        "severity_id": 0,
        "time": 1798761600000,
        "metadata": {
            "correlation_uid": "ab",
            "event_code": "head_signed",
            "log_name": LOG,
            "original_time": "2027-01-01T00:00:00.000000Z",
            "product": {"name": "guarded_agents", "vendor_name": "guarded_agents", "version": VERSION},
            "sequence": 3,
            "uid": leaf_hash(stored),
            "version": OCSF_VERSION,
        },
        "unmapped": {"fields": {"size": 7}, "previous": GENESIS, "witness": "w1"},
    }


UNKNOWN_WORDS = {
    "decision": (Kind.DECISION, {"effect": "perhaps", "reason": "permitted"}, 600399, 2),
    "decision-without-a-reason": (Kind.DECISION, {"effect": "permit"}, 600399, 2),
    "finding": (Kind.FINDING, {"required": "burn"}, 200401, 4),
    "outcome": (Kind.OUTCOME, {"status": None}, 600399, 3),
    "review": (Kind.REVIEW, {"finding": "well"}, 200402, 4),
    "quarantine": (Kind.TOOL_QUARANTINED, {"kind": ["changed"]}, 200401, 4),
}


@pytest.mark.parametrize(("kind", "fields", "type_uid", "severity"), UNKNOWN_WORDS.values(), ids=UNKNOWN_WORDS)
def test_an_unknown_word_is_read_as_the_graver_case(
    kind: Kind, fields: dict[str, JsonValue], type_uid: int, severity: int
) -> None:
    event = to_ocsf(entry_of(kind, fields), version=VERSION)
    assert (event["type_uid"], event["severity_id"]) == (type_uid, severity)


UNREADABLE = {
    "no-json": b"\xff",
    "nothing": b"",
    "list": b"[]",
    "text": b'"at"',
    "key-missing": b'{"at":"2026-01-05T10:00:00.000000Z","fields":{},"kind":"vote","log":"L"}',
    "no-time": unknown(at="yesterday"),
    "time-without-a-zone": unknown(at="2026-01-05T10:00:00.000000"),
    "time-as-a-number": unknown(at=5),
    "fields-no-object": unknown(fields=[]),
    "kind-no-text": unknown(kind=None),
    "log-no-text": unknown(log=1),
    "sequence-no-number": unknown(sequence="1"),
    "sequence-true": unknown(sequence=True),
    "nested-too-deeply": unknown().replace(b'"ab"', b"[" * 900 + b"]" * 900),
}


@pytest.mark.parametrize("stored", UNREADABLE.values(), ids=UNREADABLE)
def test_bytes_that_are_no_entry_are_refused(stored: bytes) -> None:
    with pytest.raises(StoreError, match="audit verify"):
        to_ocsf(stored, version=VERSION)


# -- nothing is left out, nothing is added ----------------------------------------------------------


@pytest.mark.requirement("B10")
@given(KINDS, FIELDS, TEXTS, SEQUENCES, MICROS)
def test_an_entry_is_written_again_from_its_event_and_has_its_hash(
    kind: str, fields: dict[str, JsonValue], log: str, sequence: int, micros: int
) -> None:
    stored = entry_of(kind, fields, sequence=sequence, log=log, micros=micros)
    event = orjson.loads(orjson.dumps(to_ocsf(stored, version=VERSION)))
    assert entry_of_ocsf(event) == stored
    assert event["metadata"]["uid"] == leaf_hash(stored)


@given(TEXTS, FIELDS, st.dictionaries(TEXTS.filter(lambda name: name not in {"at", "log"}), VALUES, max_size=2))
def test_an_entry_of_any_kind_and_with_more_keys_is_written_again(
    kind: str, fields: dict[str, JsonValue], more: dict[str, JsonValue]
) -> None:
    stored = unknown(kind=f"x{kind}", **{f"x{name}": value for name, value in more.items()}, fields=fields)
    assert entry_of_ocsf(orjson.loads(orjson.dumps(to_ocsf(stored, version=VERSION)))) == stored


def test_the_time_is_that_of_the_entry_in_whole_milliseconds() -> None:
    assert event_of("vote")["time"] == int(datetime(2026, 1, 5, 10, 1, 0, 250_000, tzinfo=UTC).timestamp() * 1000)


def test_a_tool_that_is_named_like_a_kind_is_told_from_none() -> None:
    named, unnamed = entry_of("intent", {"tool": "intent"}), entry_of("intent", {})
    assert [entry_of_ocsf(to_ocsf(stored, version=VERSION)) for stored in (named, unnamed)] == [named, unnamed]


# -- the schema -------------------------------------------------------------------------------------

# OCSF 1.8.0: what is required of every event, and of each class beside; then of which objects one attribute at least.
REQUIRED = {"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"}
REQUIRED_OF = {0: set[str](), 2004: {"finding_info"}, 6003: {"actor", "api", "src_endpoint"}}
PROFILES_OF = {
    0: {"security_control"},
    2004: {"security_control"},
    6003: {"ai_operation", "security_control", "trace"},
}


@given(KINDS | TEXTS, FIELDS)
def test_every_event_has_what_its_class_requires(kind: str, fields: dict[str, JsonValue]) -> None:
    event: dict[str, Any] = to_ocsf(unknown(kind=kind, fields=fields), version=VERSION)
    class_uid = event["class_uid"]
    assert event.keys() >= REQUIRED | REQUIRED_OF[class_uid]
    assert event["type_uid"] == class_uid * 100 + event["activity_id"]
    assert event["category_uid"] == class_uid // 1000
    assert event["metadata"].keys() >= {"product", "version"}
    assert set(event["metadata"].get("profiles", [])) <= PROFILES_OF[class_uid]
    if class_uid == 6003:
        assert "ai_operation" in event["metadata"]["profiles"]
        assert event["api"]["operation"]
        assert event["actor"].keys() >= {"app_uid"}
        assert event["message_context"].keys() >= {"application"}
    if class_uid == 2004:
        assert event["finding_info"]["uid"]


@given(KINDS | TEXTS, FIELDS)
def test_every_event_is_one_by_the_schema_itself(kind: str, fields: dict[str, JsonValue]) -> None:
    assert problems(to_ocsf(unknown(kind=kind, fields=fields), version=VERSION)) == []


@pytest.mark.parametrize("name", ENTRIES)
def test_the_event_of_each_entry_is_one_by_the_schema_itself(name: str) -> None:
    assert problems(event_of(name)) == []


BROKEN = {
    "attribute-of-no-class": {"nonsense": 1},
    "text-for-a-number": {"severity_id": "2"},
    "value-of-no-enum": {"severity_id": 77},
    "actor-of-nothing": {"actor": {}},
    "context-of-nothing": {"message_context": {"uid": "t"}},
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_the_schema_finds_what_is_wrong(change: dict[str, object]) -> None:
    assert problems(event_of("deny") | change)


def problems(event: dict[str, Any]) -> list[str]:
    """Return what the published schema has against *event*, in the profiles that it names."""
    return [error.message for error in _validator(event).iter_errors(event)]


_VALIDATORS: dict[tuple[int, ...], Any] = {}


def _validator(event: dict[str, Any]) -> Any:
    profiles = sorted(event["metadata"].get("profiles", []))
    known = (event["class_uid"], *profiles)
    if known not in _VALIDATORS:
        whole = ocsf_json_schema.get_ocsf_schema(version=OCSF_VERSION)
        of = ocsf_json_schema.OcsfJsonSchemaEmbedded(whole)
        name = of.lookup_class_name_from_uid(event["class_uid"])
        assert set(profiles) <= set(whole["classes"][name]["profiles"])
        _VALIDATORS[known] = jsonschema_rs.validator_for(of.get_class_schema(name, profiles))
    return _VALIDATORS[known]
