"""The state schema in compiled graphs: each saver, history, forks, Send, subgraphs, streams."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import orjson
import pytest
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, RemoveMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES, add_messages
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, Overwrite, Send, interrupt
from typing_extensions import TypedDict

from guarded_agents.records import Principal
from guarded_agents.state import GUARD_KEYS, GuardChannel, GuardContext, GuardedState, MessagesChannel

CONFIG: RunnableConfig = {"configurable": {"thread_id": "1"}, "recursion_limit": 10_000}
CONTEXT = GuardContext(Principal(id="bob"))


class Desk(GuardedState):
    """A user's own state."""

    topic: str


class Call(TypedDict):
    call: dict[str, Any]


def model(state: Desk) -> dict[str, object]:
    """Propose two calls, then say done; the call ids repeat in every turn, as some providers have it."""
    if isinstance(state["messages"][-1], ToolMessage):
        return {"messages": [AIMessage("done")]}
    return {
        "messages": [AIMessage("", tool_calls=[{"name": "t", "args": {}, "id": call_id} for call_id in ("0", "1")])],
        "topic": "orders",
    }


def route(state: Desk) -> list[Send] | str:
    last = state["messages"][-1]
    calls = last.tool_calls if isinstance(last, AIMessage) else []
    return [Send("execute", {"call": call}) for call in reversed(calls)] or END


def execute(state: Call, runtime: Runtime[GuardContext]) -> dict[str, object]:
    call_id = state["call"]["id"]
    return {
        "messages": [ToolMessage(f"ok {call_id}", tool_call_id=call_id)],
        "guard_requester": {"principal": {"id": runtime.context.principal.id}, "tenant": "default", "entry": "h"},
        "guard_trust": {"integrity": "untrusted", "confidentiality": "public", "sources": [f"orders/{call_id}"]},
        "guard_calls": {"entry": "h", "turn": 1, "calls": {call_id: {"status": "executed"}}},
        "guard_audit": {"log": "l", "size": 3 + int(call_id), "root": "00"},
    }


def desk() -> StateGraph[Desk, GuardContext]:
    graph = StateGraph(Desk, context_schema=GuardContext)
    graph.add_node(model)
    graph.add_node(execute)
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", route, ["execute", END])
    graph.add_edge("execute", "model")
    return graph


@pytest.fixture(params=["memory", "sqlite"])
async def saver(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BaseCheckpointSaver]:
    if request.param == "memory":
        yield InMemorySaver()
    else:
        async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "threads.db")) as opened:
            yield opened


def said(messages: list[BaseMessage]) -> list[str]:
    return [f"{message.type}: {message.content}" for message in messages]


ONE_TURN = ["human: go", "ai: ", "tool: ok 0", "tool: ok 1", "ai: done"]


async def run(graph: CompiledStateGraph, text: str, message_id: str) -> dict[str, Any]:
    return await graph.ainvoke(
        {"messages": [HumanMessage(text, id=message_id)]}, CONFIG, context=CONTEXT, durability="sync"
    )


async def test_what_ran_is_what_a_checkpoint_gives_back(saver: BaseCheckpointSaver) -> None:
    graph = desk().compile(checkpointer=saver)
    result = await run(graph, "go", "h")
    state = await graph.aget_state(CONFIG)
    assert said(result["messages"]) == ONE_TURN
    assert state.values == result
    assert result["topic"] == "orders"
    assert {key: result[key] for key in GUARD_KEYS} == {
        "guard_requester": {"principal": {"id": "bob"}, "tenant": "default", "entry": "h"},
        "guard_trust": {
            "integrity": "untrusted",
            "confidentiality": "public",
            "sources": ["orders/0", "orders/1"],
            "source_count": 2,
        },
        "guard_calls": {"entry": "h", "turn": 1, "calls": {"0": {"status": "executed"}, "1": {"status": "executed"}}},
        "guard_audit": {"log": "l", "size": 4, "root": "00"},
    }
    assert orjson.loads(orjson.dumps({key: result[key] for key in GUARD_KEYS})) == {
        key: result[key] for key in GUARD_KEYS
    }
    again = await run(graph, "go", "h2")
    assert said(again["messages"]) == ONE_TURN * 2, "repeated call ids are answered in their own turn"


async def test_history_and_forks_hold_their_own_messages(saver: BaseCheckpointSaver) -> None:
    graph = desk().compile(checkpointer=saver)
    await run(graph, "go", "h")
    history = [state async for state in graph.aget_state_history(CONFIG)]
    assert [len(state.values["messages"]) for state in history] == [5, 4, 2, 1, 0]
    before_execution = history[2]
    replayed = await graph.ainvoke(None, before_execution.config, context=CONTEXT, durability="sync")
    assert said(replayed["messages"]) == ONE_TURN
    assert replayed["messages"][:2] == before_execution.values["messages"], "what was there keeps its ids"
    fork = await graph.aupdate_state(history[0].config, {"messages": [RemoveMessage(id="h")]})
    assert said((await graph.aget_state(fork)).values["messages"]) == ONE_TURN[1:]
    assert said((await graph.aget_state(history[0].config)).values["messages"]) == ONE_TURN


async def test_a_message_without_an_id_has_the_same_one_at_every_read(saver: BaseCheckpointSaver) -> None:
    graph = desk().compile(checkpointer=saver)
    first = await graph.ainvoke({"messages": [("user", "go")]}, CONFIG, context=CONTEXT, durability="sync")
    history = [state async for state in graph.aget_state_history(CONFIG)]
    replayed = await graph.ainvoke(None, history[-1].config, context=CONTEXT, durability="sync")
    assert first["messages"][0].id == replayed["messages"][0].id
    assert {state.values["messages"][0].id for state in history[:-1]} == {first["messages"][0].id}
    assert len({message.id for message in first["messages"]}) == len(ONE_TURN)


def forged(value: object) -> dict[str, object]:
    return {"messages": value, **dict.fromkeys(GUARD_KEYS, value)}


FORGERIES: dict[str, Callable[[CompiledStateGraph, Any], Any]] = {
    "a command": lambda graph, value: graph.ainvoke(Command(update=forged(value)), CONFIG, context=CONTEXT),
    "a command that resumes": lambda graph, value: graph.ainvoke(
        Command(resume={"0" * 32: "no such interrupt"}, update=forged(value)), CONFIG, context=CONTEXT
    ),
    "update_state": lambda graph, value: graph.aupdate_state(CONFIG, forged(value)),
}
OVERWRITES: dict[str, object] = {
    "Overwrite": Overwrite([]),
    "dict": {"__overwrite__": []},
    "erased dataclass": {"type": "__overwrite__", "value": []},
    "junk": 5,
}


@pytest.mark.requirement("B15")
@pytest.mark.requirement("I3")
@pytest.mark.parametrize("value", OVERWRITES.values(), ids=OVERWRITES)
@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
async def test_an_overwrite_changes_nothing_and_the_waiting_thread_can_still_be_answered(
    saver: BaseCheckpointSaver, forge: Callable[[CompiledStateGraph, Any], Any], value: object
) -> None:
    graph = desk()
    graph.nodes.pop("execute")
    graph.add_node("execute", lambda state, runtime: (interrupt("?"), execute(state, runtime))[1])
    app = graph.compile(checkpointer=saver)
    waiting = await run(app, "go", "h")
    before = (await app.aget_state(CONFIG)).values
    await forge(app, value)
    after = await app.aget_state(CONFIG)
    assert after.values == before
    answers = {found.id: "yes" for found in waiting["__interrupt__"]}
    if after.interrupts:  # update_state drops the pending tasks of a thread, whatever it writes
        result = await app.ainvoke(Command(resume=answers), CONFIG, context=CONTEXT)
        assert said(result["messages"]) == ONE_TURN
    renewed = await run(app, "again", "h2")
    assert said(renewed["messages"])[:2] == ONE_TURN[:2]


@pytest.mark.requirement("B15")
async def test_an_overwrite_in_an_old_checkpoint_replaces_nothing(saver: BaseCheckpointSaver) -> None:
    graph = desk().compile(checkpointer=saver)
    await run(graph, "go", "h")
    history = [state async for state in graph.aget_state_history(CONFIG)]
    for state in history:
        await saver.aput_writes(state.config, [("messages", {"__overwrite__": []})], "forged")
    assert said((await graph.aget_state(CONFIG)).values["messages"]) == ONE_TURN


def test_the_sync_savers_hold_it_too() -> None:
    with SqliteSaver.from_conn_string(":memory:") as saver:
        graph = desk().compile(checkpointer=saver)
        result = graph.invoke({"messages": [HumanMessage("go", id="h")]}, CONFIG, context=CONTEXT)
        assert graph.get_state(CONFIG).values == result
        assert said(result["messages"]) == ONE_TURN


async def test_a_graph_without_a_checkpointer_runs() -> None:
    result = await desk().compile().ainvoke({"messages": "go"}, context=CONTEXT)
    assert said(result["messages"]) == ONE_TURN


async def test_a_subgraph_hands_up_its_messages_once(saver: BaseCheckpointSaver) -> None:
    outer = StateGraph(Desk, context_schema=GuardContext)
    outer.add_node("desk", desk().compile())
    outer.add_node("close", lambda _: {"messages": [AIMessage("closed")]})
    outer.add_edge(START, "desk")
    outer.add_edge("desk", "close")
    app = outer.compile(checkpointer=saver)
    result = await run(app, "go", "h")
    assert said(result["messages"]) == [*ONE_TURN, "ai: closed"]
    assert (await app.aget_state(CONFIG)).values == result


async def test_new_input_leaves_the_answers_of_the_turn_before_in_place(saver: BaseCheckpointSaver) -> None:
    app = desk().compile(checkpointer=saver, interrupt_before=["execute"])
    await run(app, "go", "h")
    await app.aupdate_state(CONFIG, {"messages": [HumanMessage("wait", id="n")]}, as_node="model")
    await app.aupdate_state(
        CONFIG,
        {"messages": [ToolMessage("withdrawn", tool_call_id=call_id) for call_id in ("1", "0")]},
        as_node="execute",
    )
    messages = (await app.aget_state(CONFIG)).values["messages"]
    assert said(messages) == ["human: go", "ai: ", "tool: withdrawn", "tool: withdrawn", "human: wait"]
    assert [message.tool_call_id for message in messages[2:4]] == ["0", "1"]


async def test_a_summary_takes_the_place_of_the_conversation(saver: BaseCheckpointSaver) -> None:
    graph = desk().compile(checkpointer=saver)
    await run(graph, "go", "h")
    await graph.aupdate_state(
        CONFIG, {"messages": [RemoveMessage(id=REMOVE_ALL_MESSAGES), HumanMessage("summary", id="s")]}
    )
    assert said((await graph.aget_state(CONFIG)).values["messages"]) == ["human: summary"]
    assert said((await run(graph, "go", "h2"))["messages"]) == ["human: summary", *ONE_TURN]


async def test_every_stream_mode_shows_the_messages(saver: BaseCheckpointSaver) -> None:
    graph = desk().compile(checkpointer=saver)
    seen: dict[str, list[Any]] = {"messages": [], "updates": [], "values": []}
    async for mode, event in graph.astream(
        {"messages": [HumanMessage("go", id="h")]}, CONFIG, context=CONTEXT, stream_mode=list(seen)
    ):
        seen[mode].append(event)
    final = (await graph.aget_state(CONFIG)).values["messages"]
    assert {message.id for message, _ in seen["messages"]} == {message.id for message in final[1:]}
    assert [len(values["messages"]) for values in seen["values"]] == [1, 2, 4, 5], (
        "what was shown does not change later"
    )
    assert [next(iter(update)) for update in seen["updates"]] == ["model", "execute", "execute", "model"]


async def test_a_node_that_changes_its_list_changes_nothing_in_the_state(saver: BaseCheckpointSaver) -> None:
    def meddle(state: GuardedState) -> dict[str, object]:
        state["messages"].clear()
        return {}

    graph = StateGraph(GuardedState)
    graph.add_node(meddle)
    graph.add_node("reply", lambda state: {"messages": [AIMessage(str(len(state["messages"])))]})
    graph.add_edge(START, "meddle")
    graph.add_edge("meddle", "reply")
    app = graph.compile(checkpointer=saver)
    result = await app.ainvoke({"messages": [HumanMessage("go", id="h")]}, CONFIG)
    assert said(result["messages"]) == ["human: go", "ai: 1"]


class ByClass(TypedDict):
    messages: Annotated[list[AnyMessage], MessagesChannel]


class Often(TypedDict):
    messages: Annotated[list[AnyMessage], MessagesChannel(snapshot_frequency=2)]


@pytest.mark.parametrize(
    "schema", [ByClass, Often, GuardedState, Desk], ids=["class", "instance", "guarded", "derived"]
)
async def test_langgraph_takes_the_channel_from_the_annotation(schema: type, saver: BaseCheckpointSaver) -> None:
    graph = StateGraph(schema)
    graph.add_node("reply", lambda _: {"messages": "hi"})
    graph.add_edge(START, "reply")
    app = graph.compile(checkpointer=saver)
    assert isinstance(app.channels["messages"], MessagesChannel)
    assert app.channels["messages"].snapshot_frequency == (2 if schema is Often else 200)
    assert all(isinstance(app.channels[key], GuardChannel) for key in GUARD_KEYS if key in app.channels)
    for number in range(5):
        await app.ainvoke({"messages": [HumanMessage("go", id=str(number))]}, CONFIG)
    assert said((await app.aget_state(CONFIG)).values["messages"]) == ["human: go", "human: hi"] * 5


class Stock(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


def test_a_schema_with_another_messages_channel_is_refused_beside_ours() -> None:
    with pytest.raises(ValueError, match="messages"):
        StateGraph(GuardedState, input_schema=Stock)


async def test_a_thread_of_the_stock_channel_goes_on_with_ours(saver: BaseCheckpointSaver) -> None:
    for schema in (Stock, GuardedState):
        graph = StateGraph(schema)
        graph.add_node("reply", lambda _: {"messages": [AIMessage("hi")]})
        graph.add_edge(START, "reply")
        result = await graph.compile(checkpointer=saver).ainvoke({"messages": [HumanMessage("go")]}, CONFIG)
    assert said(result["messages"]) == ["human: go", "ai: hi"] * 2


@pytest.mark.requirement("I11")
def test_what_is_stored_grows_with_the_messages_and_not_with_their_square(tmp_path: Path) -> None:
    sizes = []
    for turns in (100, 400):
        path = tmp_path / f"{turns}.db"
        with SqliteSaver.from_conn_string(str(path)) as saver:
            graph = StateGraph(GuardedState)
            graph.add_node("reply", lambda state: {"messages": [AIMessage("x" * 300, id=f"a{len(state['messages'])}")]})
            graph.add_edge(START, "reply")
            graph.add_conditional_edges(
                "reply", lambda state, turns=turns: "reply" if len(state["messages"]) < turns else END
            )
            graph.compile(checkpointer=saver).invoke({"messages": [HumanMessage("go", id="h")]}, CONFIG)
        with closing(sqlite3.connect(path)) as database:
            sizes.append(
                sum(
                    database.execute(query).fetchone()[0]
                    for query in (
                        "SELECT sum(length(checkpoint)) FROM checkpoints",
                        "SELECT sum(length(value)) FROM writes",
                    )
                )
            )
    assert sizes[1] < 8 * sizes[0], "four times the turns; the stock channel writes sixteen times as much"
