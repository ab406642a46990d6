"""What a call's digest covers, and the one value that everything downstream sees (DESIGN I2)."""

from typing import Any

import pytest

from guarded_agents.binding import BoundCall, bind, keyed_digest, requester_key
from guarded_agents.errors import BindingError

ASKED: dict[str, Any] = {
    "key": b"k" * 32,
    "requester": requester_key({"id": "desk", "acting_for": None}, "acme"),
    "place": ("thread", "entry", 1),
    "tool": "payments/refund",
    "call_id": "call-1",
    "arguments": {"order": "A1", "amount_cents": 900},
}

COVERED: dict[str, dict[str, Any]] = {
    "deployment": {"key": b"l" * 32},
    "principal": {"requester": requester_key({"id": "other", "acting_for": None}, "acme")},
    "whom it acts for": {"requester": requester_key({"id": "desk", "acting_for": "bob"}, "acme")},
    "tenant": {"requester": requester_key({"id": "desk", "acting_for": None}, "other")},
    "thread": {"place": ("other", "entry", 1)},
    "entry": {"place": ("thread", "other", 1)},
    "turn": {"place": ("thread", "entry", 2)},
    "server": {"tool": "mint/refund"},
    "tool": {"tool": "payments/charge"},
    "argument value": {"arguments": {"order": "A1", "amount_cents": 901}},
    "argument type": {"arguments": {"order": "A1", "amount_cents": "900"}},
    "argument name": {"arguments": {"order": "A1", "amount": 900}},
    "missing argument": {"arguments": {"order": "A1"}},
    "null argument": {"arguments": {"order": "A1", "amount_cents": 900, "note": None}},
}


def bound(**changes: Any) -> BoundCall:
    return bind(**(ASKED | changes))


@pytest.mark.requirement("I2")
@pytest.mark.parametrize("changes", COVERED.values(), ids=COVERED)
def test_another_component_is_another_call(changes: dict[str, Any]) -> None:
    assert bound(**changes).key.digest != bound().key.digest


@pytest.mark.requirement("I4")
def test_the_call_id_and_the_order_of_the_arguments_are_no_part_of_the_call() -> None:
    same = bound(call_id="call-2", arguments={"amount_cents": 900, "order": "A1"})
    assert same.key == bound().key
    assert same.canonical == bound().canonical


@pytest.mark.requirement("I4")
def test_equal_calls_of_one_turn_are_told_apart_by_their_number() -> None:
    assert bound(occurrence=1).key == bound().key._replace(occurrence=1)


@pytest.mark.requirement("I2")
@pytest.mark.parametrize(("value", "sent"), [(50000.0, 50000), (-0.0, 0), (1e15, 10**15)])
def test_the_value_that_was_digested_is_the_only_one_that_anybody_sees(value: float, sent: int) -> None:
    call = bound(arguments={"amount_cents": value})
    assert call.key == bound(arguments={"amount_cents": sent}).key
    assert (call.arguments, type(call.arguments["amount_cents"])) == ({"amount_cents": sent}, int)


def test_what_is_bound_is_a_copy() -> None:
    arguments = {"lines": [1]}
    call = bound(arguments=arguments)
    arguments["lines"].append(2)
    assert call.arguments == {"lines": [1]}


@pytest.mark.requirement("I2")
@pytest.mark.parametrize("parts", [("ab", ""), ("", "ab"), ("a", "b", ""), ("ab",), ("1:a", "b")])
def test_no_part_of_a_digest_runs_into_the_next(parts: tuple[str, ...]) -> None:
    assert keyed_digest(b"k", *parts) != keyed_digest(b"k", "a", "b")


@pytest.mark.requirement("I10")
def test_a_digest_needs_the_key_of_the_deployment() -> None:
    assert keyed_digest(b"", "call") != keyed_digest(b"k", "call")


def nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


SAMPLES: dict[str, Any] = {
    "NaN": {"a": float("nan")},
    "infinity": {"a": float("-inf")},
    "2^53": {"a": 2**53},
    "-2^53": {"a": -(2**53)},
    "a huge integer": {"a": 10**400},
    "a lone surrogate": {"a": "\ud800"},
    "a lone surrogate in a name": {"\udfff": 1},
    "33 levels": nested(33),
    "33 levels of lists": {"a": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]},
    "1,001 items": {"a": list(range(1_000))},
    "65,537 bytes": {"a": "x" * 65_529},
    "a name that is no string": {1: 1},
    "a tuple": {"a": (1,)},
    "bytes": {"a": b"x"},
    "a list": [1],
    "a string": "{}",
    "none": None,
    "a subclass of int": {"a": type("Count", (int,), {})(1)},
    "a subclass of dict": type("Arguments", (dict,), {})(a=1),
}


@pytest.mark.requirement("I6")
@pytest.mark.requirement("L1")
@pytest.mark.parametrize("arguments", SAMPLES.values(), ids=SAMPLES)
def test_what_has_no_canonical_form_within_the_limits_is_refused_and_not_quoted(arguments: Any) -> None:
    with pytest.raises(BindingError) as told:
        bound(arguments=arguments)
    assert "xxx" not in str(told.value)


@pytest.mark.requirement("I6")
@pytest.mark.parametrize(
    "arguments",
    [nested(32), {"a": list(range(999))}, {"a": "x" * 65_528}, {"a": 2**53 - 1}],
    ids=["32 levels", "1,000 items", "65,536 bytes", "2^53 - 1"],
)
def test_what_is_just_within_the_limits_is_bound(arguments: Any) -> None:
    assert bound(arguments=arguments).arguments == arguments
