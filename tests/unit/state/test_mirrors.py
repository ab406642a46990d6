"""The reducers of the guard_* keys."""

import pytest
from langgraph.types import Overwrite
from pydantic import JsonValue

from guarded_agents.state import GuardChannel, merge_audit, merge_calls, merge_requester, merge_trust
from guarded_agents.state._mirrors import MAX_SOURCES, Merge

Json = dict[str, JsonValue]
BOB: Json = {"principal": {"id": "bob"}, "tenant": "default", "entry": "e1"}
EVE: Json = {"principal": {"id": "eve"}, "tenant": "default", "entry": "e2"}


def calls(entry: str, turn: int, **told: JsonValue) -> Json:
    return {"entry": entry, "turn": turn, "calls": told}


MERGES: dict[str, tuple[Merge, Json, Json, Json]] = {
    "requester: first": (merge_requester, {}, BOB, BOB),
    "requester: equal": (merge_requester, BOB, BOB, BOB),
    "requester: the last wins": (merge_requester, BOB, EVE, EVE),
    "requester: nothing said": (merge_requester, BOB, {}, BOB),
    "requester: junk": (merge_requester, BOB, {"principal": "eve", "tenant": "t", "entry": "e"}, BOB),
    "requester: closed": (merge_requester, {}, {**BOB, "admin": True}, BOB),
    "trust: first": (merge_trust, {}, {"integrity": "trusted"}, {"integrity": "trusted"}),
    "trust: stricter integrity": (
        merge_trust,
        {"integrity": "untrusted", "confidentiality": "public"},
        {"integrity": "trusted", "confidentiality": "restricted"},
        {"integrity": "untrusted", "confidentiality": "restricted"},
    ),
    "trust: junk label": (merge_trust, {"integrity": "trusted"}, {"integrity": "saintly"}, {"integrity": "trusted"}),
    "trust: sources": (
        merge_trust,
        {"sources": ["b"], "source_count": 7},
        {"sources": ["a", "b", 5]},
        {"sources": ["a", "b"], "source_count": 7},
    ),
    "trust: closed": (merge_trust, {}, {"note": "x", "sources": "x"}, {}),
    "calls: first": (merge_calls, {}, calls("e", 1, d={"status": "executed"}), calls("e", 1, d={"status": "executed"})),
    "calls: siblings": (merge_calls, calls("e", 1, a={}), calls("e", 1, b={}), calls("e", 1, a={}, b={})),
    "calls: a later turn": (merge_calls, calls("e", 1, a={}), calls("e", 2, b={}), calls("e", 2, b={})),
    "calls: an earlier turn": (merge_calls, calls("e", 2, a={}), calls("e", 1, b={}), calls("e", 2, a={})),
    "calls: another entry": (merge_calls, calls("e", 2, a={}), calls("f", 1, b={}), calls("f", 1, b={})),
    "calls: the clearer status": (
        merge_calls,
        calls("e", 1, a={"status": "in_doubt"}),
        calls("e", 1, a={"status": "executed"}),
        calls("e", 1, a={"status": "executed"}),
    ),
    "calls: the clearer status came first": (
        merge_calls,
        calls("e", 1, a={"status": "happened"}),
        calls("e", 1, a={"status": "in_doubt"}),
        calls("e", 1, a={"status": "happened"}),
    ),
    "calls: the later audit entry": (
        merge_calls,
        calls("e", 1, a={"status": "executed", "sequence": 4}),
        calls("e", 1, a={"status": "made up", "sequence": 5}),
        calls("e", 1, a={"status": "made up", "sequence": 5}),
    ),
    "calls: junk call": (merge_calls, {}, calls("e", 1, a="x"), calls("e", 1)),
    "calls: junk turn": (merge_calls, calls("e", 1), {"entry": "e", "turn": True, "calls": {}}, calls("e", 1)),
    "calls: nothing said": (merge_calls, calls("e", 1), {}, calls("e", 1)),
    "audit: larger": (
        merge_audit,
        {"log": "l", "size": 1, "root": "a"},
        {"log": "l", "size": 2, "root": "b"},
        {"log": "l", "size": 2, "root": "b"},
    ),
    "audit: smaller": (
        merge_audit,
        {"log": "l", "size": 2, "root": "b"},
        {"log": "l", "size": 1, "root": "a"},
        {"log": "l", "size": 2, "root": "b"},
    ),
    "audit: empty log": (merge_audit, {}, {"log": "l", "size": 0, "root": ""}, {"log": "l", "size": 0, "root": ""}),
    "audit: junk": (merge_audit, {}, {"log": "l", "size": 2**60, "root": ""}, {}),
}


@pytest.mark.parametrize(("merge", "old", "new", "expected"), MERGES.values(), ids=MERGES)
def test_a_write_is_merged(merge: Merge, old: Json, new: Json, expected: Json) -> None:
    assert merge(old, new) == expected
    assert merge(merge(old, new), new) == expected, "idempotent"


def test_sources_are_bounded_and_counted() -> None:
    trust: Json = {}
    for number in range(10 * MAX_SOURCES):
        trust = merge_trust(trust, {"sources": [f"{number:04}"], "source_count": number + 1})
    assert trust["sources"] == [f"{number:04}" for number in range(MAX_SOURCES)]
    assert trust["source_count"] == 10 * MAX_SOURCES


JUNK = {
    "Overwrite": Overwrite(EVE),
    "overwrite dict": {"__overwrite__": EVE},
    "overwrite dict of an erased dataclass": {"type": "__overwrite__", "value": EVE},
    "none": None,
    "list": [EVE],
    "string": "eve",
    "no JSON": {"principal": {"id": object()}, "tenant": "t", "entry": "e"},
    "an integer that no checkpoint can hold": {"principal": {"id": 2**64}, "tenant": "t", "entry": "e"},
    "an open object": {"who": "eve"},
}


@pytest.mark.requirement("B15")
@pytest.mark.parametrize("write", JUNK.values(), ids=JUNK)
def test_a_guard_channel_ignores_what_is_no_write_to_it(write: Json) -> None:
    channel = GuardChannel(dict, merge_requester)
    channel.key = "guard_requester"
    assert channel.update([BOB])
    assert not channel.update([write])
    assert channel.get() == BOB
    assert not channel.update([])
    assert channel.from_checkpoint(BOB).get() == BOB
    assert channel.from_checkpoint(write).get() == {}


def test_a_guard_channel_says_whether_it_changed() -> None:
    channel = GuardChannel(dict, merge_requester)
    assert channel.update([BOB, EVE])
    assert not channel.update([EVE])


def test_what_a_writer_keeps_hold_of_is_not_in_the_state() -> None:
    channel = GuardChannel(dict, merge_requester)
    written: Json = {"principal": {"id": "bob"}, "tenant": "t", "entry": "e"}
    channel.update([written])
    written["principal"]["id"] = "eve"  # type: ignore[call-overload, index]
    assert channel.get()["principal"] == {"id": "bob"}
