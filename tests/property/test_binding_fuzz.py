"""Arguments of any kind have one canonical form, or are refused (DESIGN I2, I6; FACTS L1)."""

import math
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guarded_agents.binding import MAX_BYTES, canonical, parse
from guarded_agents.errors import BindingError

TEXT = st.text(max_size=12) | st.text(alphabet='\u2028\x00\x7f"\\/é😀\ud83d￿', max_size=4)
SAFE = TEXT.filter(lambda text: text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text))
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | NUMBERS | SAFE
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(SAFE, inner, max_size=5), max_leaves=12
)
OBJECTS = st.dictionaries(SAFE, JSON, max_size=6)
ANYTHING = st.recursive(
    LEAVES
    | TEXT
    | st.integers()
    | st.floats()
    | st.binary(max_size=4)
    | st.complex_numbers()
    | st.sampled_from([object(), int, (1,), {1}, 2**53, -(2**53), 10**400]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.dictionaries(TEXT | st.integers() | st.none(), inner, max_size=4)
    ),
    max_leaves=20,
)


def check_form(arguments: dict[str, Any]) -> None:
    text = canonical(arguments)
    assert text == rfc8785.dumps(arguments)
    value = parse(text)
    try:
        assert canonical(value) == text
    except BindingError:  # a float from 2^53 on may be spelt as an integer, which is then none of ours
        assert any(isinstance(leaf, float) and abs(leaf) >= 2**53 for leaf in leaves(arguments))


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, list) else [value]


def check_anything(arguments: Any) -> None:
    try:
        text = canonical(arguments)
    except BindingError:
        return
    assert len(text) <= MAX_BYTES
    assert all(math.isfinite(leaf) for leaf in leaves(parse(text)) if isinstance(leaf, float))


@pytest.mark.requirement("I2")
@pytest.mark.requirement("L1")
@settings(max_examples=150)
@example({"a": 50_000, "b": 50_000.0})
@example({"a": -0.0, "b": 1e21, "c": 1e-7, "d": 5e-324})
@example({"a": 2**53 - 1, "b": -(2**53) + 1, "c": 2.0**53})
@example({"€": 1, "\r": 2, "דּ": 3, "1": 4, "😀": 5, "\x80": 6, "ö": 7})
@given(OBJECTS)
def test_a_canonical_form_is_that_of_rfc_8785_and_stays_as_it_is(arguments: dict[str, Any]) -> None:
    check_form(arguments)


@pytest.mark.requirement("I6")
@pytest.mark.requirement("L1")
@settings(max_examples=150)
@example({"a": float("nan")})
@example({"a": "\ud800"})
@example({"\udfff": 1})
@example({"a": 2**53})
@example(None)
@given(ANYTHING)
def test_anything_else_is_refused_and_raises_nothing_of_another_kind(arguments: Any) -> None:
    check_anything(arguments)


@pytest.mark.requirement("I2")
@settings(max_examples=100)
@given(OBJECTS, OBJECTS)
def test_two_values_share_a_form_exactly_if_they_are_the_same_json(one: dict[str, Any], other: dict[str, Any]) -> None:
    for changed in (other, {**one, **other}):
        assert (canonical(one) == canonical(changed)) is (
            parse(canonical(one)) == parse(canonical(changed)) and same(one, changed)
        )


def same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are the same, true and 1 told apart."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.mark.requirement("I6")
@pytest.mark.parametrize("wide", [True, False], ids=["wide", "deep"])
@pytest.mark.parametrize("size", [10_000, 100_000])
def test_what_is_far_too_large_is_refused_at_once(wide: bool, size: int) -> None:
    value: Any = [0] * size
    if not wide:
        value = []
        for _ in range(size):
            value = [value]
    with pytest.raises(BindingError):
        canonical({"a": value})


@pytest.mark.long
@settings(max_examples=3_000)
@given(OBJECTS)
def test_a_canonical_form_is_that_of_rfc_8785_for_long(arguments: dict[str, Any]) -> None:
    check_form(arguments)


@pytest.mark.long
@settings(max_examples=3_000)
@given(ANYTHING)
def test_anything_else_is_refused_for_long(arguments: Any) -> None:
    check_anything(arguments)
