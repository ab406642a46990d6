"""The shapes of user interfaces that were made for LangChain."""

import warnings
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain.agents.middleware.human_in_the_loop import (
    Decision,
    DecisionType,
    HITLRequest,
    HITLResponse,
    ToolApprovalRequest,
)
from langgraph.warnings import LangGraphDeprecatedSinceV10
from pydantic import JsonValue, TypeAdapter

with warnings.catch_warnings():
    warnings.simplefilter("ignore", LangGraphDeprecatedSinceV10)  # the older shape is what is tested here
    from langgraph.prebuilt.interrupt import HumanInterrupt, HumanResponse

from guarded_agents.approval import (
    Answered,
    changed_payload,
    from_agent_inbox,
    from_hitl_response,
    interrupt_payload,
    to_agent_inbox,
    to_hitl_request,
)
from guarded_agents.errors import ApprovalError, BindingError
from guarded_agents.records import Answer
from tests.support.approvals import opened

REQUEST = opened()
PAYLOAD = interrupt_payload(REQUEST, how="sign")
OTHER = PAYLOAD | {"request_id": "other", "name": "payout", "args": {"amount_cents": 5}}
EDITED: dict[str, JsonValue] = {"amount_cents": 5000, "order_id": "1"}


def in_their_shape(shape: object, value: object) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LangGraphDeprecatedSinceV10)
        return TypeAdapter(shape).validate_python(value)


def test_what_waits_is_shown_as_langchain_shows_it() -> None:
    shown = to_hitl_request([PAYLOAD, OTHER])
    assert in_their_shape(HITLRequest, shown) == shown
    assert shown["action_requests"] == [
        {
            "name": "refund",
            "args": {"amount_cents": 8200, "order_id": "1"},
            "description": "payments/refund waits for 1 of finance (refund-over-50).",
        },
        {"name": "payout", "args": {"amount_cents": 5}, "description": PAYLOAD["description"]},
    ]
    configs = shown["review_configs"]
    assert isinstance(configs, list)
    assert [config["action_name"] for config in configs if isinstance(config, dict)] == ["refund", "payout"]


def test_all_of_langchains_decisions_are_offered_and_no_other() -> None:
    configs = to_hitl_request([PAYLOAD])["review_configs"]
    assert configs == [{"action_name": "refund", "allowed_decisions": list(get_args(DecisionType))}]
    assert to_hitl_request([]) == {"action_requests": [], "review_configs": []}


DECISIONS: dict[str, tuple[Decision, Answered]] = {
    "approve": ({"type": "approve"}, Answered(REQUEST.id, Answer.APPROVE)),
    "edit": (
        {"type": "edit", "edited_action": {"name": "refund", "args": EDITED}},
        Answered(REQUEST.id, Answer.EDIT, EDITED),
    ),
    "reject": ({"type": "reject"}, Answered(REQUEST.id, Answer.REJECT)),
    "reject-with-a-reason": (
        {"type": "reject", "message": "paid already"},
        Answered(REQUEST.id, Answer.REJECT, None, "paid already"),
    ),
    "respond": (
        {"type": "respond", "message": "it was 82.00"},
        Answered(REQUEST.id, Answer.RESPOND, None, "it was 82.00"),
    ),
}


@pytest.mark.parametrize(("decision", "answered"), DECISIONS.values(), ids=DECISIONS)
def test_langchains_decision_becomes_an_answer_that_is_still_to_be_signed(
    decision: Decision, answered: Answered
) -> None:
    response: HITLResponse = {"decisions": [decision]}
    in_their_shape(HITLResponse, response)
    assert from_hitl_response(response, [PAYLOAD]) == (answered,)


def test_decisions_answer_by_their_place() -> None:
    response = {"decisions": [{"type": "reject"}, {"type": "approve"}]}
    assert from_hitl_response(response, [PAYLOAD, OTHER]) == (
        Answered(REQUEST.id, Answer.REJECT),
        Answered("other", Answer.APPROVE),
    )
    assert from_hitl_response({"decisions": []}, []) == ()


def one(decision: object) -> dict[str, object]:
    return {"decisions": [decision]}


NO_RESPONSE: dict[str, tuple[object, str]] = {
    "none": (None, "an object with decisions"),
    "true": (True, "an object with decisions"),
    "list": ([{"type": "approve"}], "an object with decisions"),
    "empty": ({}, "an object with decisions"),
    "goto": (one({"type": "approve"}) | {"goto": "execute"}, "an object with decisions"),
    "decisions-a-word": ({"decisions": "approve"}, "a list of 1 decisions"),
    "too-few": ({"decisions": []}, "a list of 1 decisions"),
    "too-many": ({"decisions": [{"type": "approve"}] * 2}, "a list of 1 decisions"),
    "decision-none": (one(None), "one of approve, edit, reject, respond"),
    "decision-word": (one("approve"), "one of approve, edit, reject, respond"),
    "decision-untyped": (one({}), "one of approve, edit, reject, respond"),
    "decision-unknown": (one({"type": "always"}), "one of approve, edit, reject, respond"),
    "decision-of-ours": (one({"type": "break_glass"}), "one of approve, edit, reject, respond"),
    "decision-type-a-list": (one({"type": ["approve"]}), "one of approve, edit, reject, respond"),
    "approve-and-more": (one({"type": "approve", "message": "but only once"}), "an object with type"),
    "edit-of-nothing": (one({"type": "edit"}), "an object with edited_action, type"),
    "edit-no-object": (one({"type": "edit", "edited_action": "refund"}), "an object with args, name"),
    "edit-without-a-name": (one({"type": "edit", "edited_action": {"args": {}}}), "an object with args, name"),
    "edit-into-another-tool": (
        one({"type": "edit", "edited_action": {"name": "payout", "args": EDITED}}),
        "an edit of the arguments of refund, got another tool",
    ),
    "reject-with-a-number": (one({"type": "reject", "message": 5}), "a message that is text"),
    "reject-with-none": (one({"type": "reject", "message": None}), "a message that is text"),
    "respond-without-a-text": (one({"type": "respond"}), "an object with message, type"),
    "respond-with-none": (one({"type": "respond", "message": None}), "a message that is text"),
}


@pytest.mark.requirement("I7")
@pytest.mark.requirement("I8")
@pytest.mark.parametrize(("response", "message"), NO_RESPONSE.values(), ids=NO_RESPONSE)
def test_whatever_else_comes_is_no_answer(response: object, message: str) -> None:
    with pytest.raises(ApprovalError, match=message):
        from_hitl_response(response, [PAYLOAD])


NO_ARGUMENTS: dict[str, object] = {
    "a-list": [1],
    "none": None,
    "a-number-without-a-spelling": {"amount_cents": float("nan")},
    "an-object-that-is-no-json": {"amount_cents": {1, 2}},
}


@pytest.mark.parametrize("arguments", NO_ARGUMENTS.values(), ids=NO_ARGUMENTS)
def test_edited_arguments_have_a_canonical_form(arguments: object) -> None:
    with pytest.raises(BindingError):
        from_hitl_response(one({"type": "edit", "edited_action": {"name": "refund", "args": arguments}}), [PAYLOAD])
    with pytest.raises(BindingError):
        from_agent_inbox({"type": "edit", "args": {"action": "refund", "args": arguments}}, PAYLOAD)


NOT_SHOWN: dict[str, dict[str, JsonValue]] = {
    "changed-row": changed_payload(REQUEST),
    "empty": {},
    "no-id": PAYLOAD | {"request_id": None},
    "no-name": PAYLOAD | {"name": 5},
    "no-arguments": PAYLOAD | {"args": []},
    "no-description": PAYLOAD | {"description": None},
}


@pytest.mark.requirement("I3")
@pytest.mark.parametrize("payload", NOT_SHOWN.values(), ids=NOT_SHOWN)
def test_what_shows_no_call_is_neither_shown_nor_answered(payload: dict[str, JsonValue]) -> None:
    for convert in (
        lambda: to_hitl_request([payload]),
        lambda: from_hitl_response(one({"type": "approve"}), [payload]),
        lambda: to_agent_inbox(payload),
        lambda: from_agent_inbox({"type": "accept", "args": None}, payload),
    ):
        with pytest.raises(ApprovalError, match="leave it out"):
            convert()


def test_what_waits_is_shown_as_the_agent_inbox_shows_it() -> None:
    shown = to_agent_inbox(PAYLOAD)
    assert in_their_shape(HumanInterrupt, shown) == shown
    assert shown["action_request"] == {"action": "refund", "args": {"amount_cents": 8200, "order_id": "1"}}
    assert shown["description"] == PAYLOAD["description"]


RESPONSES: dict[str, tuple[dict[str, object], Answered]] = {
    "accept": ({"type": "accept", "args": None}, Answered(REQUEST.id, Answer.APPROVE)),
    "accept-of-what-was-shown": (
        {"type": "accept", "args": {"action": "refund", "args": {"order_id": "1", "amount_cents": 8200}}},
        Answered(REQUEST.id, Answer.APPROVE),
    ),
    "ignore": ({"type": "ignore", "args": None}, Answered(REQUEST.id, Answer.REJECT)),
    "response": (
        {"type": "response", "args": "paid already"},
        Answered(REQUEST.id, Answer.RESPOND, None, "paid already"),
    ),
    "edit": (
        {"type": "edit", "args": {"action": "refund", "args": EDITED}},
        Answered(REQUEST.id, Answer.EDIT, EDITED),
    ),
}


@pytest.mark.parametrize(("response", "answered"), RESPONSES.values(), ids=RESPONSES)
def test_the_inboxs_response_becomes_an_answer_that_is_still_to_be_signed(
    response: dict[str, object], answered: Answered
) -> None:
    in_their_shape(HumanResponse, response)
    assert from_agent_inbox(response, PAYLOAD) == answered


NO_HUMAN_RESPONSE: dict[str, tuple[object, str]] = {
    "none": (None, "an object with args, type"),
    "the-list-around-it": ([{"type": "accept", "args": None}], "an object with args, type"),
    "without-args": ({"type": "accept"}, "an object with args, type"),
    "goto": ({"type": "accept", "args": None, "goto": "execute"}, "an object with args, type"),
    "unknown": ({"type": "always", "args": None}, "accept, ignore, response with a text, or edit"),
    "type-a-list": ({"type": ["accept"], "args": None}, "accept, ignore, response with a text, or edit"),
    "ignore-with-a-word": ({"type": "ignore", "args": "later"}, "accept, ignore, response with a text, or edit"),
    "response-without-a-text": ({"type": "response", "args": None}, "accept, ignore, response with a text, or edit"),
    "accept-with-a-word": ({"type": "accept", "args": "yes"}, "an object with action, args"),
    "accept-of-others": (
        {"type": "accept", "args": {"action": "refund", "args": EDITED}},
        "an accept of the arguments that were shown, got one of others",
    ),
    "accept-of-another-tool": (
        {"type": "accept", "args": {"action": "payout", "args": PAYLOAD["args"]}},
        "an edit of the arguments of refund, got another tool",
    ),
    "edit-of-nothing": ({"type": "edit", "args": None}, "an object with action, args"),
    "edit-into-another-tool": (
        {"type": "edit", "args": {"action": "payout", "args": EDITED}},
        "an edit of the arguments of refund, got another tool",
    ),
}


@pytest.mark.requirement("I7")
@pytest.mark.requirement("I8")
@pytest.mark.parametrize(("response", "message"), NO_HUMAN_RESPONSE.values(), ids=NO_HUMAN_RESPONSE)
def test_whatever_else_comes_from_the_inbox_is_no_answer(response: object, message: str) -> None:
    with pytest.raises(ApprovalError, match=message):
        from_agent_inbox(response, PAYLOAD)


def test_the_interrupt_itself_is_langchains_newer_shape() -> None:
    theirs = {name: PAYLOAD[name] for name in ToolApprovalRequest.__annotations__}
    assert in_their_shape(ToolApprovalRequest, theirs) == theirs


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["refund", "payout", "", "REFUND"])
ACTIONS = st.fixed_dictionaries({"name": NAMES, "args": JSON}) | st.fixed_dictionaries({"action": NAMES, "args": JSON})
ANYTHING = JSON | ACTIONS


@given(
    response=st.fixed_dictionaries(
        {"type": st.sampled_from(["approve", "edit", "reject", "respond", "accept", "ignore", "response"])},
        optional={"args": ANYTHING, "message": ANYTHING, "edited_action": ANYTHING, "extra": JSON},
    )
    | JSON
)
@pytest.mark.requirement("I7")
def test_any_value_is_an_answer_in_their_own_types_or_an_error_that_says_why(response: Any) -> None:
    for convert, shape in (
        (lambda: from_hitl_response(one(response), [PAYLOAD])[0], Decision),
        (lambda: from_agent_inbox(response, PAYLOAD), HumanResponse),
    ):
        try:
            answered = convert()
        except (ApprovalError, BindingError):
            continue
        in_their_shape(shape, response)
        assert answered.request_id == REQUEST.id
        assert (answered.arguments is not None) is (answered.answer is Answer.EDIT)
        assert answered.answer not in (Answer.DELEGATE, Answer.BREAK_GLASS)
