"""What one write does to the conversation."""

import logging

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.errors import EmptyChannelError
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.types import Overwrite

from guarded_agents.state import MessagesChannel, derived_id, merge_messages


def human(message_id: str, text: str = "hello") -> HumanMessage:
    return HumanMessage(text, id=message_id)


def ai(message_id: str, *call_ids: str) -> AIMessage:
    return AIMessage("", id=message_id, tool_calls=[{"name": "t", "args": {}, "id": call_id} for call_id in call_ids])


def answer(call_id: str, message_id: str | None = None, text: str = "ok") -> ToolMessage:
    return ToolMessage(text, tool_call_id=call_id, id=message_id or f"answer-{call_id}")


def ids(messages: list[BaseMessage]) -> list[str | None]:
    return [message.id for message in messages]


ORDERS = {
    "appended": ([human("h")], [ai("a")], ["h", "a"]),
    "replaced in place by id": ([human("h"), ai("a")], [human("h", "corrected")], ["h", "a"]),
    "removed": ([human("h"), ai("a")], [RemoveMessage(id="h")], ["a"]),
    "removed and added again goes to the end": (
        [human("h"), ai("a")],
        [RemoveMessage(id="h"), human("h")],
        ["a", "h"],
    ),
    "removing what is not there changes nothing": ([human("h")], [RemoveMessage(id="x")], ["h"]),
    "all removed, a summary in their place": (
        [human("h"), ai("a")],
        [RemoveMessage(id=REMOVE_ALL_MESSAGES), SystemMessage("summary", id="s")],
        ["s"],
    ),
    "what stands before a removal of all in one write goes too": (
        [human("h")],
        [ai("a"), RemoveMessage(id=REMOVE_ALL_MESSAGES), human("n")],
        ["n"],
    ),
    "an answer behind its call": ([human("h"), ai("a", "1")], [answer("1")], ["h", "a", "answer-1"]),
    "a late answer before the newer human message": (
        [ai("a", "1"), human("n")],
        [answer("1")],
        ["a", "answer-1", "n"],
    ),
    "answers in call order, whoever is first": (
        [ai("a", "1", "2", "3")],
        [answer("3"), answer("1"), answer("2")],
        ["a", "answer-1", "answer-2", "answer-3"],
    ),
    "late answers to two messages": (
        [ai("a", "1"), ai("b", "2"), human("n")],
        [answer("2"), answer("1")],
        ["a", "answer-1", "b", "answer-2", "n"],
    ),
    "an answer to no call at the end": ([ai("a"), human("h")], [answer("?")], ["a", "h", "answer-?"]),
    "a repeated call id belongs to the newest call without an answer": (
        [ai("a", "1"), answer("1", "first"), human("n"), ai("b", "1")],
        [answer("1", "second")],
        ["a", "first", "n", "b", "second"],
    ),
    "of a repeated call id the older one, where only that is open": (
        [ai("a", "1"), human("n"), ai("b", "1"), answer("1", "first")],
        [answer("1", "second")],
        ["a", "second", "n", "b", "first"],
    ),
    "a second answer of another id behind the first": (
        [ai("a", "1"), answer("1", "first"), human("n")],
        [answer("1", "second")],
        ["a", "first", "second", "n"],
    ),
    "the same answer again stays where it is": (
        [ai("a", "1"), answer("1"), human("n")],
        [answer("1")],
        ["a", "answer-1", "n"],
    ),
    "an answer where its neighbour was just removed": (
        [ai("a", "1", "2"), answer("1"), human("n")],
        [RemoveMessage(id="answer-1"), answer("2"), human("m")],
        ["a", "answer-2", "n", "m"],
    ),
    "answers behind a call that was given back unparsed": (
        [AIMessage("", id="a", invalid_tool_calls=[{"name": "t", "args": "{", "id": "1", "error": None}]), human("n")],
        [answer("1")],
        ["a", "answer-1", "n"],
    ),
    "an answer to somebody else in between": (
        [ai("a", "1"), answer("?", "stray"), human("n")],
        [answer("1")],
        ["a", "answer-1", "stray", "n"],
    ),
}


@pytest.mark.parametrize(("state", "write", "expected"), ORDERS.values(), ids=ORDERS)
def test_a_write_puts_each_message_in_its_place(
    state: list[BaseMessage], write: list[BaseMessage], expected: list[str]
) -> None:
    before = list(state)
    assert ids(merge_messages(state, [write])) == expected
    assert state == before, "the value that a checkpoint may still hold must not change"


def test_a_replacement_says_what_was_written_last() -> None:
    assert merge_messages([human("h"), ai("a")], [[human("h", "corrected")]])[0].content == "corrected"


FORMS = {
    "string": ("hello", [HumanMessage("hello")]),
    "pair": (("user", "hello"), [HumanMessage("hello")]),
    "pair as a checkpoint gives it back": (["user", "hello"], [HumanMessage("hello")]),
    "list of pairs": ([("system", "be kind"), ["ai", "hi"]], [SystemMessage("be kind"), AIMessage("hi")]),
    "two strings that are no pair": (["hello", "there"], [HumanMessage("hello"), HumanMessage("there")]),
    "OpenAI dict": ({"role": "assistant", "content": "hi"}, [AIMessage("hi")]),
    "LangChain dict": ([{"type": "human", "content": "hello"}], [HumanMessage("hello")]),
    "chunk": (AIMessageChunk("hi", id="x"), [AIMessage("hi", id="x")]),
    "tuple of messages": ((HumanMessage("hello"), AIMessage("hi")), [HumanMessage("hello"), AIMessage("hi")]),
}


@pytest.mark.parametrize(("write", "expected"), FORMS.values(), ids=FORMS)
def test_every_form_that_langgraph_takes_becomes_messages(write: object, expected: list[BaseMessage]) -> None:
    merged = merge_messages([], [write])
    assert [(type(message), message.content) for message in merged] == [(type(m), m.content) for m in expected]
    assert all(message.id for message in merged)


REFUSED = {
    "Overwrite": Overwrite([]),
    "overwrite dict": {"__overwrite__": []},
    "overwrite dict of an erased dataclass": {"type": "__overwrite__", "value": []},
    "overwrite dict with a role": {"__overwrite__": [], "role": "user", "content": "x"},
    "overwrite in a list": [{"__overwrite__": []}],
    "number": 5,
    "none": None,
    "dict that is no message": {"total_cents": 5},
    "unknown role": {"role": "emperor", "content": "x"},
    "answer without its call": {"role": "tool", "content": "x"},
    "calls of the wrong kind": {"role": "assistant", "content": "x", "tool_calls": [5]},
    "pair in a pair": [["user", ["x"], "y"]],
}


@pytest.mark.requirement("B15")
@pytest.mark.parametrize("write", REFUSED.values(), ids=REFUSED)
def test_what_is_no_message_is_refused_and_its_text_is_not_logged(
    write: object, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="guarded_agents.state"):
        merged = merge_messages([human("h")], [write, [ai("a")]])
    assert ids(merged) == ["h", "a"]
    assert "refused" in caplog.text
    assert "emperor" not in caplog.text
    assert "total_cents" not in caplog.text


def test_an_id_that_was_not_given_follows_from_place_and_content() -> None:
    once = merge_messages([human("h")], ["hello", ("ai", "hi")])
    again = merge_messages([human("h")], [["hello"], [("ai", "hi")]])
    assert ids(once) == ids(again)
    assert ids(once)[1] == derived_id("h", HumanMessage("hello"))
    assert ids(merge_messages([human("x")], ["hello"]))[1] != ids(once)[1]
    assert ids(merge_messages([human("h")], ["other"]))[1] != ids(once)[1]


def test_the_same_said_twice_is_two_messages() -> None:
    merged = merge_messages([], ["yes", "yes"])
    assert len(set(ids(merged))) == 2


def test_a_derived_id_that_is_taken_is_counted_on() -> None:
    said_behind_h = merge_messages([human("h")], ["yes"])
    behind_h_again = merge_messages(said_behind_h, [RemoveMessage(id="h"), human("h"), "yes"])
    assert [message.content for message in behind_h_again] == ["yes", "hello", "yes"]
    assert len(set(ids(behind_h_again))) == 3


def test_a_message_that_comes_in_without_an_id_is_not_changed() -> None:
    given = HumanMessage("hello")
    merge_messages([], [given])
    assert given.id is None


def test_an_answer_without_an_id_is_one_per_call() -> None:
    without = ToolMessage("ok", tool_call_id="1")
    merged = merge_messages([ai("a", "1"), human("n")], [without, ToolMessage("ok, really", tool_call_id="1")])
    assert [message.content for message in merged] == ["", "ok, really", "hello"]
    in_a_later_turn = merge_messages([*merged, ai("b", "1")], [without])
    assert in_a_later_turn[-1].content == "ok"
    assert len(in_a_later_turn) == 5


def test_content_that_json_cannot_spell_has_an_id_too() -> None:
    merged = merge_messages([], [HumanMessage([{"type": "text", "text": "\ud800", "raw": b"x"}])])
    assert str(merged[0].id).startswith("msg-")


def test_a_state_that_lacks_ids_gets_them() -> None:
    merged = merge_messages([HumanMessage("hello"), {"role": "ai", "content": "hi"}, human("h"), human("h")], [])
    assert len(set(ids(merged))) == len(merged) == 3


def test_a_channel_that_nothing_was_written_to_is_empty() -> None:
    channel = MessagesChannel()
    assert not channel.is_available()
    assert not channel.update([])
    assert not channel.copy().is_available()
    with pytest.raises(EmptyChannelError):
        channel.get()


STORED = {
    "an overwrite": {"__overwrite__": [HumanMessage("forged", id="f")]},
    "a number": 5,
    "a dict": {"total_cents": 5},
    "a list of junk": [{"total_cents": 5}, None],
}


@pytest.mark.requirement("B15")
@pytest.mark.parametrize("stored", STORED.values(), ids=STORED)
def test_a_checkpoint_that_holds_no_messages_gives_none(stored: object) -> None:
    channel = MessagesChannel().from_checkpoint(stored)
    assert channel.get() == []
    assert channel.is_available()


def test_an_altered_checkpoint_that_holds_dicts_gives_messages() -> None:
    assert MessagesChannel().from_checkpoint([{"type": "human", "content": "hi", "id": "h"}]).get() == [
        human("h", "hi")
    ]
