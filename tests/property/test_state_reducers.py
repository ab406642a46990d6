"""The laws that LangGraph's replay and its parallel tasks rest on, held for the reducers of the state."""

import string

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, RemoveMessage, SystemMessage, ToolMessage
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.types import Overwrite
from pydantic import JsonValue

from guarded_agents.records import ClaimStatus, Confidentiality, Integrity
from guarded_agents.state import (
    GuardChannel,
    MessagesChannel,
    merge_audit,
    merge_calls,
    merge_messages,
    merge_requester,
    merge_trust,
)
from guarded_agents.state._mirrors import Merge

Json = dict[str, JsonValue]

IDS = st.sampled_from([None, "", *"abcdef"])
CALL_IDS = st.sampled_from(["1", "2", "3"])
TEXTS = st.sampled_from(["", "yes", "no"])


def calling(call_ids: list[str]) -> list[dict[str, object]]:
    return [{"name": "t", "args": {}, "id": call_id} for call_id in call_ids]


def message(kind: str, text: str, message_id: str | None, call_ids: list[str]) -> BaseMessage:
    if kind == "ai":
        return AIMessage(text, id=message_id, tool_calls=calling(call_ids))
    if kind == "tool":
        return ToolMessage(text, id=message_id, tool_call_id=call_ids[0])
    if kind == "remove":
        return RemoveMessage(id=message_id or REMOVE_ALL_MESSAGES)
    return HumanMessage(text, id=message_id) if kind == "human" else SystemMessage(text, id=message_id)


KINDS = st.sampled_from(["human", "system", "ai", "ai", "tool", "tool", "remove"])
MESSAGES = st.builds(message, KINDS, TEXTS, IDS, st.lists(CALL_IDS, min_size=1, max_size=3))
ITEMS = st.one_of(
    MESSAGES,
    TEXTS,
    st.tuples(st.sampled_from(["user", "ai", "nobody"]), TEXTS),
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "nobody"]), "content": TEXTS}),
    st.sampled_from([None, 5, {"__overwrite__": []}, Overwrite([])]),
)
WRITES = st.lists(st.one_of(ITEMS, st.lists(ITEMS, max_size=5)), max_size=6)


@given(WRITES, WRITES, WRITES)
def test_how_writes_are_batched_makes_no_difference(state: list[object], xs: list[object], ys: list[object]) -> None:
    base = merge_messages([], state)
    assert merge_messages(merge_messages(base, xs), ys) == merge_messages(base, xs + ys)


@given(WRITES, WRITES)
def test_the_channel_does_what_the_reducer_does_live_copied_and_replayed(xs: list[object], ys: list[object]) -> None:
    live, replayed = MessagesChannel(), MessagesChannel().from_checkpoint([])
    live.update([[], *xs])
    twin = live.copy()
    live.update(ys)
    replayed.replay_writes([("task", "messages", write) for write in [*xs, *ys]])
    assert live.get() == merge_messages([], [*xs, *ys]) == replayed.get()
    assert twin.get() == merge_messages([], xs), "a copy changes by itself"
    twin.update(ys)
    assert twin.get() == live.get()
    assert MessagesChannel().from_checkpoint(live.get()).get() == live.get()


@given(WRITES)
def test_every_message_has_an_id_of_its_own(writes: list[object]) -> None:
    ids = [message.id for message in merge_messages([], writes)]
    assert all(ids)
    assert len(set(ids)) == len(ids)


@given(WRITES, st.lists(MESSAGES.filter(lambda made: bool(made.id)), max_size=5))
def test_a_write_that_is_applied_again_changes_nothing(state: list[object], write: list[BaseMessage]) -> None:
    once = merge_messages(state, [write])
    again = merge_messages(once, [write])
    removing = any(isinstance(message, RemoveMessage) for message in write)
    if removing:  # a removal may move what is written again behind what came later
        assert {message.id for message in again} == {message.id for message in once}
    else:
        assert again == once


def sibling_answers(draw_order: list[int]) -> list[ToolMessage]:
    return [ToolMessage("ok", tool_call_id=str(number), id=f"answer {number}") for number in draw_order]


@given(st.permutations(range(5)), WRITES.map(lambda writes: [w for w in writes if isinstance(w, str)]))
def test_answers_stand_behind_their_call_in_its_order_whenever_they_come(order: list[int], later: list[str]) -> None:
    proposal = AIMessage("", id="p", tool_calls=calling([str(number) for number in range(5)]))
    merged = merge_messages([HumanMessage("go", id="h"), proposal], [*later, *([m] for m in sibling_answers(order))])
    assert [message.id for message in merged[2:7]] == [f"answer {number}" for number in range(5)]
    assert [message.content for message in merged[7:]] == later


# -- the mirrors ------------------------------------------------------------------------------

WORDS = st.text(string.ascii_lowercase, max_size=3)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), WORDS, st.floats()),
    lambda children: st.one_of(st.lists(children, max_size=3), st.dictionaries(WORDS, children, max_size=3)),
    max_leaves=5,
)
SIZES = st.integers(min_value=0, max_value=5)
FIELDS = {
    merge_requester: ("principal", "tenant", "entry"),
    merge_trust: ("integrity", "confidentiality", "sources", "source_count"),
    merge_calls: ("entry", "turn", "calls"),
    merge_audit: ("log", "size", "root"),
}
TRUST = st.fixed_dictionaries(
    {},
    optional={
        "integrity": st.sampled_from(list(Integrity)).map(str),
        "confidentiality": st.sampled_from(list(Confidentiality)).map(str),
        "sources": st.lists(st.text("ab", min_size=1, max_size=6), max_size=40),
        "source_count": SIZES,
    },
)
TOLD = st.dictionaries(
    st.sampled_from("ab"),
    st.fixed_dictionaries(
        {"status": st.sampled_from([*ClaimStatus, "made up"]).map(str)}, optional={"sequence": SIZES, "rule": WORDS}
    ),
)
CALLS = st.fixed_dictionaries({"entry": st.just("e"), "turn": st.sampled_from([1, 2]), "calls": TOLD})
HEADS = st.fixed_dictionaries({"log": WORDS, "size": SIZES, "root": WORDS})
REQUESTERS = st.fixed_dictionaries({"principal": st.fixed_dictionaries({"id": WORDS}), "tenant": WORDS, "entry": WORDS})
WELL_FORMED = {
    "requester": (merge_requester, REQUESTERS),
    "trust": (merge_trust, TRUST),
    "calls": (merge_calls, CALLS),
    "audit": (merge_audit, HEADS),
}


@pytest.mark.parametrize(("merge", "writes"), WELL_FORMED.values(), ids=WELL_FORMED)
@given(data=st.data())
def test_a_mirror_is_associative_and_idempotent(
    merge: Merge, writes: st.SearchStrategy[Json], data: st.DataObject
) -> None:
    a, b, c = (merge({}, data.draw(writes)) for _ in range(3))
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, a) == a
    assert merge(a, {}) == merge({}, a) == a


COMMUTING = {name: pair for name, pair in WELL_FORMED.items() if name != "requester"}  # there the last one wins


@pytest.mark.parametrize(("merge", "writes"), COMMUTING.values(), ids=COMMUTING)
@given(data=st.data())
def test_parallel_tasks_may_write_a_mirror_in_any_order(
    merge: Merge, writes: st.SearchStrategy[Json], data: st.DataObject
) -> None:
    a, b = merge({}, data.draw(writes)), merge({}, data.draw(writes))
    assert merge(a, b) == merge(b, a)


@pytest.mark.parametrize("merge", FIELDS, ids=lambda merge: merge.__name__)
@given(data=st.data())
def test_whatever_is_written_a_mirror_stays_plain_json_and_no_writer_fails(merge: Merge, data: st.DataObject) -> None:
    shapes = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS[merge], JSON | SIZES | WORDS | TOLD))
    channel = GuardChannel(dict, merge)
    channel.key = "guard_x"
    channel.update(data.draw(st.lists(shapes | JSON | st.just(Overwrite({})), max_size=5)))
    value = channel.get()
    assert set(value) <= set(FIELDS[merge])
    assert orjson.loads(orjson.dumps(value)) == value
    assert channel.from_checkpoint(value).get() == value
    assert not channel.update([value])
