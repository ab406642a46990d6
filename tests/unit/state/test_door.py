"""The door between JSON and records."""

from datetime import UTC, datetime

import pytest

from guarded_agents.errors import RecordError
from guarded_agents.records import Answer, Labels, Principal, SignedVote, Vote
from guarded_agents.state import GuardContext, dump, load

VOTE = SignedVote(
    vote=Vote(
        request="r",
        digest="d",
        approver="ana",
        answer=Answer.APPROVE,
        at=datetime(2026, 1, 5, 10, tzinfo=UTC),
        nonce="0" * 32,
    ),
    signature="c2ln",
)
RECORDS = {
    "tuples": Principal(id="bob", scopes=("a", "b")),
    "enums": Labels(),
    "times, nested": VOTE,
}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_a_record_comes_back_from_its_json_as_it_was(record: Principal | Labels | SignedVote) -> None:
    assert load(type(record), dump(record)) == record


FORGED = {
    "an integer as a string": {"id": 5},
    "an unknown field": {"id": "bob", "secret-4711": True},
    "a missing field": {},
    "a list": ["bob"],
    "nothing": None,
    "no JSON": object(),
    "a surrogate": {"id": "\ud800"},
    "scopes as one string": {"id": "bob", "scopes": "secret-4711"},
}


@pytest.mark.requirement("I3")
@pytest.mark.parametrize("value", FORGED.values(), ids=FORGED)
def test_what_is_no_record_is_an_error_that_does_not_quote_it(value: object) -> None:
    with pytest.raises(RecordError, match="Principal: expected") as caught:
        load(Principal, value)
    assert "4711" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_error_names_the_field_and_the_rule() -> None:
    with pytest.raises(RecordError, match="string_type at id"):
        load(Principal, {"id": 5})


def test_a_context_takes_a_principal_as_json() -> None:
    context = GuardContext(principal={"id": "bob", "scopes": ["a"]})  # type: ignore[arg-type]
    assert context == GuardContext(Principal(id="bob", scopes=("a",)), tenant="default")


CONTEXTS = {
    "principal of another form": {"principal": {"name": "bob"}},
    "principal as a string": {"principal": "bob"},
    "principal missing": {"principal": None},
    "tenant of another type": {"principal": Principal(id="bob"), "tenant": 5},
}


@pytest.mark.requirement("I6")
@pytest.mark.parametrize("fields", CONTEXTS.values(), ids=CONTEXTS)
def test_a_context_refuses_what_is_no_principal_or_tenant(fields: dict[str, object]) -> None:
    with pytest.raises(RecordError):
        GuardContext(**fields)  # type: ignore[arg-type]
