"""The CEF line of an entry."""

import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from guarded_agents.audit import GENESIS, leaf_hash, to_cef, to_ocsf
from guarded_agents.errors import StoreError
from tests.support.audit_entries import ENTRIES, LOG, entry_of, sealed
from tests.support.siem import FIELDS, KINDS, MICROS, SEQUENCES, TEXTS, entry_of_cef, parse_cef, raw_extension

VERSION = "0.1.0"
LENGTHS = {"act": 63, "deviceExternalId": 255, "externalId": 40, "outcome": 63}  # of the CEF dictionary; else 1,023
KEYS = {
    *(f"cs{number}" for number in range(1, 7)),
    *(f"cs{number}Label" for number in range(1, 7)),
    *("act", "cat", "destinationServiceName", "deviceExternalId", "externalId", "flexString1", "flexString1Label"),
    *("flexString2", "flexString2Label", "guardedAgentsRest", "msg", "outcome", "reason", "rt", "suser"),
}


# -- known answers ----------------------------------------------------------------------------------

# Of each entry: what the header names it by, and how grave it is, of 10.
EXPECTED = {
    "permit": ("decision:permit", "1"),
    "deny": ("decision:deny", "3"),
    "refused-at-the-door": ("decision:deny", "3"),
    "held": ("approval:pending", "1"),
    "escalated": ("approval:escalated", "3"),
    "expired": ("approval:expired", "3"),
    "lapsed": ("approval:lapsed", "3"),
    "closed": ("approval", "1"),
    "overdue": ("approval:overdue", "8"),
    "vote": ("vote", "1"),
    "rejection": ("vote", "1"),
    "broken-glass": ("vote:break_glass", "8"),
    "reviewed": ("review:reviewed", "1"),
    "violation": ("review:violation", "8"),
    "intent": ("intent", "1"),
    "intent-again": ("intent", "1"),
    "executed": ("outcome:executed", "1"),
    "failed": ("outcome:failed", "3"),
    "in-doubt": ("outcome:in_doubt", "5"),
    "conflict": ("outcome:conflict", "8"),
    "refusal": ("refusal", "3"),
    "withdrawal": ("withdrawal", "1"),
    "happened": ("resolution", "1"),
    "not-happened": ("resolution", "1"),
    "not-observed": ("resolution:not_observed", "5"),
    "finding-nothing": ("finding:nothing", "3"),
    "finding-ask": ("finding:ask", "5"),
    "finding-quarantine": ("finding:quarantine", "8"),
    "finding-deny": ("finding:deny", "8"),
    "label-raised": ("label_raised", "3"),
    "notice": ("notice", "5"),
    "plan-pinned": ("plan_pinned", "1"),
    "plan-extended": ("plan_extended", "3"),
    "policy-loaded": ("policy_loaded", "1"),
    "log-opened": ("log_opened", "1"),
    "log-closed": ("log_closed", "1"),
    "key-rotated": ("key_rotated", "5"),
    "tool-changed": ("tool_quarantined", "8"),
    "tool-added": ("tool_quarantined", "8"),
    "tool-removed": ("tool_quarantined:removed", "3"),
    "tool-unreachable": ("tool_quarantined:unreachable", "3"),
    "tool-restored": ("tool_restored", "1"),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_the_header_names_the_product_the_case_and_the_severity(name: str) -> None:
    signature, severity = EXPECTED[name]
    header, keys = parse_cef(to_cef(sealed(name), version=VERSION))
    title = signature.replace("_", " ").replace(":", " ")
    assert header == ["CEF:0", "guarded_agents", "guarded_agents", VERSION, signature, title, severity]
    assert keys.keys() <= KEYS


def test_every_case_has_a_known_answer() -> None:
    assert EXPECTED.keys() == ENTRIES.keys()


def test_a_vote_is_all_of_this_line() -> None:
    stored = sealed("vote")
    assert to_cef(stored, version=VERSION) == (
        "CEF:0|guarded_agents|guarded_agents|0.1.0|vote|vote|1|rt=1767607260250 externalId=12 "
        f"cs1={leaf_hash(stored)} cs1Label=leafHash deviceExternalId=desk cat=vote suser=raj@example.com act=approve "
        'cs4=62ba9a22f812 cs4Label=request guardedAgentsRest={"at":"2026-01-05T10:01:00.250750Z","fields":{'
        f'"credentials":["ana-laptop"],"delegate":null,"digest":"{"d1" * 32}","group":"finance",'
        f'"nonce":"{"0f" * 16}","proof":"{"ab" * 32}","scheme":"ed25519","second":null,'
        f'"signed_at":"2026-01-05T10:00:59+00:00","successor":null}},"previous":"{GENESIS}"}}'
    )


@pytest.mark.parametrize("name", ENTRIES)
def test_both_formats_agree_on_time_and_place(name: str) -> None:
    _, keys = parse_cef(to_cef(sealed(name), version=VERSION))
    event = to_ocsf(sealed(name), version=VERSION)
    assert (keys["rt"], keys["externalId"], keys["cs1"]) == (str(event["time"]), "12", leaf_hash(sealed(name)))


# -- nothing is left out ----------------------------------------------------------------------------


@pytest.mark.requirement("B10")
@given(KINDS, FIELDS, TEXTS, SEQUENCES, MICROS)
def test_an_entry_is_written_again_from_its_line_and_has_its_hash(
    kind: str, fields: dict[str, JsonValue], log: str, sequence: int, micros: int
) -> None:
    stored = entry_of(kind, fields, sequence=sequence, log=log, micros=micros)
    line = to_cef(stored, version=VERSION)
    assert entry_of_cef(line) == stored
    assert parse_cef(line)[1]["cs1"] == leaf_hash(stored)


def unknown(kind: str, fields: dict[str, JsonValue]) -> bytes:
    entry = {"at": "2027-01-01T00:00:00Z", "fields": fields, "kind": kind, "log": LOG, "previous": GENESIS}
    return orjson.dumps({**entry, "sequence": 3, "witness": "w1"}, option=orjson.OPT_SORT_KEYS)


@given(TEXTS, FIELDS)
def test_an_entry_of_any_kind_is_written_again(kind: str, fields: dict[str, JsonValue]) -> None:
    stored = unknown(kind, fields)
    assert entry_of_cef(to_cef(stored, version=VERSION)) == stored


@pytest.mark.parametrize(
    "stored", [b"[]", unknown("x", {}).replace(b'"w1"', b"[" * 900 + b"]" * 900)], ids=["list", "nested-too-deeply"]
)
def test_bytes_that_are_no_entry_are_refused(stored: bytes) -> None:
    with pytest.raises(StoreError, match="audit verify"):
        to_cef(stored, version=VERSION)


# -- nothing is forged, and every value has its length ----------------------------------------------


@given(KINDS | TEXTS, FIELDS, TEXTS)
def test_whatever_an_entry_says_it_is_one_line_of_known_keys(
    kind: str, fields: dict[str, JsonValue], version: str
) -> None:
    line = to_cef(unknown(kind, fields), version=version)
    assert line.isprintable()
    header, keys = parse_cef(line)
    assert header[:3] == ["CEF:0", "guarded_agents", "guarded_agents"]
    assert header[6] in {"1", "3", "5", "8"}
    assert {key.rstrip("0123456789") if key.startswith("guarded") else key for key in keys} <= KEYS
    assert keys["externalId"] == "3"


@given(KINDS | TEXTS, FIELDS, TEXTS)
def test_no_value_is_longer_than_the_dictionary_says_and_each_is_escaped(
    kind: str, fields: dict[str, JsonValue], version: str
) -> None:
    line = to_cef(unknown(kind, fields), version=version)
    header, _ = parse_cef(line)
    extension = line.split(f"|{header[6]}|rt=", 1)[1]
    for key, value in raw_extension(f"rt={extension}").items():
        assert len(value.encode()) <= LENGTHS.get(key, 1023), key
        assert re.fullmatch(r"(?:[^\\=]|\\[\\=nr])*", value), key
    assert [len(part.encode()) <= limit for part, limit in zip(header[3:6], (31, 1023, 512), strict=True)] == [True] * 3


HOSTILE = {
    "another-key": "bank/wire act=permit suser=root",
    "another-key-after-a-line": "bank/wire\nact=permit",
    "another-line": "bank/wire\nCEF:0|a|b|c|d|e|1|act=permit",
    "carriage-return": "bank/wire\r\nact=permit",
    "next-line": "bank/wire\x85act=permit",
    "line-separator": "bank/wire\u2028act=permit",
    "escaped-already": "bank/wire \\act=permit",
    "backslashes": "bank/wire\\\\ act=permit\\",
    "pipes": "bank/wire|9|act=permit",
    "nul": "bank/wire\x00act=permit",
}


@pytest.mark.parametrize("tool", HOSTILE.values(), ids=HOSTILE)
def test_the_name_of_a_tool_forges_no_key_and_no_line(tool: str) -> None:
    line = to_cef(entry_of("decision", {"tool": tool, "effect": "deny", "principal": "ana"}), version=VERSION)
    _, keys = parse_cef(line)
    assert len(line.splitlines()) == 1
    assert (keys["act"], keys["suser"]) == ("deny", "ana")
    assert keys["destinationServiceName"].startswith("bank/wire")


SHOWN = {
    "as-it-is": ("bank/wire", "bank/wire"),
    "equals": ("a=b", r"a\=b"),
    "backslash": ("a\\b", r"a\\b"),
    "line-feed": ("a\nb", r"a\nb"),
    "carriage-return": ("a\rb", r"a\rb"),
    "pipe": ("a|b", "a|b"),
    "escape": ("a\x1bb", r"a\\u001bb"),
    "right-to-left-override": ("a\u202eb", r"a\\u202eb"),
    "tag-beyond-the-first-plane": ("a\U000e0041b", r"a\\U000e0041b"),
    "no-break-space": ("a\u00a0b", r"a\\u00a0b"),
    "as-long-as-may-be": ("x" * 1023, "x" * 1023),
    "too-long": ("x" * 1024, "x" * 1020 + "…"),
    "too-long-in-bytes": ("ä" * 512, "ä" * 510 + "…"),
    "an-escape-is-not-parted": ("=" * 512, r"\=" * 510 + "…"),
}


@pytest.mark.parametrize(("text", "shown"), SHOWN.values(), ids=SHOWN)
def test_a_value_is_escaped_and_cut_like_this(text: str, shown: str) -> None:
    line = to_cef(entry_of("intent", {"tool": text}), version=VERSION)
    assert f" destinationServiceName={shown} guardedAgentsRest=" in line


@pytest.mark.parametrize("text", [" a", "a ", "\ta", ""], ids=["before", "after", "tab", "nothing"])
def test_what_a_reader_would_trim_stands_whole_among_the_rest(text: str) -> None:
    _, keys = parse_cef(to_cef(entry_of("intent", {"tool": text}), version=VERSION))
    assert orjson.loads(keys["guardedAgentsRest"])["fields"] == {"tool": text}


def test_the_header_is_escaped() -> None:
    line = to_cef(unknown("a|b\\c\nd", {}), version="1|2")
    assert line.startswith(r"CEF:0|guarded_agents|guarded_agents|1\|2|a\|b\\c\\u000ad|a\|b\\c\\u000ad|5|rt=")


@given(st.integers(0, 12), st.sampled_from(["=", "\\", '"', " ", "x"]))
def test_the_rest_is_parted_between_escapes(shift: int, char: str) -> None:
    stored = entry_of("notice", {"to": "x" * shift + char * 2500})
    line = to_cef(stored, version=VERSION)
    assert "guardedAgentsRest3=" in line
    assert entry_of_cef(line) == stored
