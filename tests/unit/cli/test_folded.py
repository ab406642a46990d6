"""JSON as an approver reads it."""

from hashlib import sha256
from unicodedata import category

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarded_agents.cli._folded import FOLD_CHARS, FOLD_MEMBERS, difference, folded

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)


@given(JSON)
def test_what_is_short_reads_as_the_same_json_and_hides_nothing(value: object) -> None:
    shown = folded(value, is_full=False)
    assert orjson.loads(shown) == value
    assert {category(character) for character in shown.replace("\n", "")}.isdisjoint(HIDDEN)


def test_a_long_text_is_folded_to_its_start_its_length_and_its_digest() -> None:
    text = "ä" * (FOLD_CHARS + 1)
    shown = folded({"note": text}, is_full=False)
    assert shown == (
        '{\n  "note": "'
        + "ä" * FOLD_CHARS
        + f'"... {FOLD_CHARS + 1} characters in all, SHA-256 {sha256(text.encode()).hexdigest()}\n}}'
    )
    assert orjson.loads(folded({"note": text}, is_full=True)) == {"note": text}
    assert "..." not in folded({"note": "ä" * FOLD_CHARS}, is_full=False)


def test_a_long_list_is_folded_to_its_first_members() -> None:
    many = list(range(FOLD_MEMBERS + 1))
    shown = folded(many, is_full=False)
    digest = sha256(orjson.dumps(many)).hexdigest()
    assert shown.endswith(f"  {FOLD_MEMBERS - 1},\n  ... 101 in all, SHA-256 of its canonical JSON {digest}\n]")
    assert orjson.loads(folded(many, is_full=True)) == many


def test_no_text_can_pretend_a_fold() -> None:
    shown = folded('x"... 5,000 characters in all, SHA-256 00', is_full=False)
    assert shown.startswith('"x\\"...')
    assert shown.endswith('"')


DIFFERENCES = {
    "nothing": ({"a": 1}, {"a": 1}, []),
    "changed": ({"a": 1, "b": 2}, {"a": 1, "b": 3}, ["- b: 2", "+ b: 3"]),
    "added": ({}, {"a": "x"}, ["- (all): {}", '+ a: "x"']),
    "removed": ({"a": "x", "b": 1}, {"b": 1}, ['- a: "x"']),
    "nested": ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, ["- a.b[1]: 2", "+ a.b[1]: 3"]),
    "another-kind": ({"a": 1}, {"a": True}, ["- a: 1", "+ a: true"]),
    "integer-and-float": ({"a": 50000}, {"a": 50000.0}, ["- a: 50000", "+ a: 50000.0"]),
    "hidden": ({"a\u202e": "b"}, {"a\u202e": "b\u200b"}, ['- ["a\\u202e"]: "b"', '+ ["a\\u202e"]: "b\\u200b"']),
    "dotted-name": ({"a.b": 1}, {"a": {"b": 1}}, ['- ["a.b"]: 1', "+ a.b: 1"]),
    "no-name": (None, {"": None}, ["- (all): null", '+ [""]: null']),
}


@pytest.mark.parametrize(("before", "after", "lines"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_a_difference_names_each_member_that_changed(before: object, after: object, lines: list[str]) -> None:
    assert difference(before, after, is_full=False) == lines


@given(JSON, JSON)
def test_there_is_no_difference_only_between_equals(before: object, after: object) -> None:
    assert (difference(before, after, is_full=True) == []) is (
        orjson.dumps(before) == orjson.dumps(after) or _equal(before, after)
    )


def _equal(one: object, other: object) -> bool:
    return orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(other, option=orjson.OPT_SORT_KEYS)
