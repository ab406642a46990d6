"""What an interrupt shows and takes."""

import json

import pytest
from langchain.agents.middleware.human_in_the_loop import ToolApprovalRequest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from guarded_agents.approval import ResumeAnswer, changed_payload, interrupt_payload
from guarded_agents.records import Answer, Scheme
from tests.support.approvals import broke, opened, voted

REQUEST = opened()
SIGNED = voted(REQUEST, answer=Answer.REJECT, text="no")


def test_the_payload_has_langchains_shape_and_ours() -> None:
    payload = interrupt_payload(REQUEST, how="guarded-agents approvals show")
    theirs = set(ToolApprovalRequest.__annotations__)
    assert theirs <= set(payload)
    TypeAdapter(ToolApprovalRequest).validate_python({name: payload[name] for name in theirs})
    assert payload["type"] == "tool_approval"
    assert payload["args"] == {"order_id": "1", "amount_cents": 8200}
    assert (payload["request_id"], payload["digest"]) == (REQUEST.id, REQUEST.digest)
    assert payload["decide_by"] == "2026-01-05T14:00:00Z"
    assert (payload["risk"], payload["backup"], payload["escalate_at"]) == ("medium", None, None)
    assert payload["labels"] == {"integrity": "trusted", "confidentiality": "public"}
    assert payload["how_to_answer"] == "guarded-agents approvals show"
    assert json.loads(json.dumps(payload)) == payload


def test_the_payload_says_who_is_asked_next_and_when() -> None:
    payload = interrupt_payload(opened(backup="leads", escalate_within_s=60), how="")
    assert (payload["backup"], payload["escalate_at"]) == ("leads", "2026-01-05T10:01:00Z")


def test_the_payload_of_a_changed_row_shows_nothing_of_it() -> None:
    payload = changed_payload(REQUEST)
    assert set(payload) == {"type", "request_id", "how_to_answer"}
    assert "8200" not in str(payload)


@pytest.mark.requirement("I7")
def test_a_signed_vote_is_the_answer_from_json_and_from_python() -> None:
    assert ResumeAnswer.model_validate(SIGNED.model_dump(mode="json")).signed() == SIGNED
    assert ResumeAnswer.model_validate_json(SIGNED.model_dump_json()).signed() == SIGNED
    assert ResumeAnswer(vote=SIGNED.vote, signature=SIGNED.signature).signed() == SIGNED
    two_keys = broke(REQUEST)
    assert ResumeAnswer.model_validate(two_keys.model_dump(mode="json")).signed() == two_keys
    assert ResumeAnswer.model_validate(two_keys.model_dump()).signed() == two_keys


@pytest.mark.requirement("I10")
@pytest.mark.parametrize("scheme", [Scheme.OIDC, "oidc"], ids=["python", "json"])
def test_an_id_token_is_never_a_resume_value(scheme: object) -> None:
    with pytest.raises(ValidationError) as caught:
        ResumeAnswer.model_validate(SIGNED.model_dump(mode="json") | {"scheme": scheme, "signature": "a.b.c"})
    assert "a.b.c" not in str(caught.value)


JSON = SIGNED.model_dump(mode="json")
BOGUS = {
    "none": None,
    "true": True,
    "word": "approve",
    "empty": {},
    "langchains-approve": {"type": "approve"},
    "unsigned": {"vote": JSON["vote"]},
    "no-vote": {"vote": None, "signature": "x"},
    "key-too-many": JSON | {"goto": "execute"},
    "key-too-many-in-the-vote": {"vote": JSON["vote"] | {"weight": 9}, "signature": "x"},
    "answer-of-no-kind": {"vote": JSON["vote"] | {"answer": "always"}, "signature": "x"},
    "time-a-number": {"vote": JSON["vote"] | {"at": 5}, "signature": "x"},
    "no-json": {"vote": {1}, "signature": "x"},
    "signature-bytes": JSON | {"signature": 5},
    "signature-of-10-mb": JSON | {"signature": "A" * 10_000_000},
    "second-of-10-mb": JSON | {"second": "A" * 10_000_000},
    "vote-of-10-mb": {"vote": JSON["vote"] | {"text": "A" * 10_000_000}, "signature": "x"},
}


@pytest.mark.requirement("I7")
@pytest.mark.parametrize("answer", BOGUS.values(), ids=BOGUS)
def test_nothing_else_is_an_answer_and_nothing_of_it_is_quoted(answer: object) -> None:
    with pytest.raises(ValidationError) as caught:
        ResumeAnswer.model_validate(answer)
    assert REQUEST.digest not in str(caught.value)


class Thread(TypedDict, total=False):
    got: str


def ask(state: Thread) -> Thread:
    answer = interrupt({"type": "tool_approval"}, response_schema=ResumeAnswer)
    return {"got": answer.vote.nonce}


@pytest.mark.requirement("I7")
def test_a_wrong_answer_leaves_the_interrupt_and_can_be_corrected() -> None:
    builder = StateGraph(Thread)
    builder.add_node(ask)
    builder.add_edge(START, "ask")
    graph = builder.compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    waiting = graph.invoke({}, config)  # type: ignore[call-overload]
    assert waiting["__interrupt__"][0].response_schema["title"] == "ResumeAnswer"
    with pytest.raises(ValidationError):
        graph.invoke(Command(resume={"type": "approve"}), config)
    assert graph.invoke(Command(resume=JSON), config)["got"] == "0" * 32
