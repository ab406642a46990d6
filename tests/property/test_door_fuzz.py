"""Whatever is sent to a node, and whatever a server answers: nothing raises, and nothing runs that may not."""

import itertools
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.types import Command

from guarded_agents import Guard
from guarded_agents.state import MessagesChannel
from guarded_agents.transport import ToolReply
from guarded_agents.transport._reply import MAX_TEXT_BYTES, reply_of
from tests.support.bank import CONTEXT, POLICY, asked, calls, model, thread, waiting
from tests.support.ledger import ACCOUNT, TOOLS, Ledger, make_ledger_bank, tool

UNLIMITED = (
    POLICY.replace(", limits: {per_thread: 3}", "").replace("raj@example.com]}", "raj@example.com], capacity: 100001}")
    + "  bank/shaped: {scope: bank:read, effect: read}\nqueue: {per_principal: 100000, per_tenant: 100000}\n"
)
SHAPED = tool("shaped", ACCOUNT, {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})
MORE = (*TOOLS, SHAPED)
FAST = settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
LONG = settings(FAST, max_examples=1_200)
FRESH = itertools.count()
SERDE = JsonPlusSerializer()

TEXT = st.text(max_size=20) | st.sampled_from(
    ["\ud800", "\x00\x1b[2J", "\u202e", "__overwrite__", "x" * 3_000, "é" * 1_000]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
ANY = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=15
)


class Bench:
    """A guard, opened once, and the bodies of its nodes."""

    def __init__(self, guard: Guard, server: Ledger) -> None:
        self.guard, self.server = guard, server
        self.parts = guard._parts

    def run(self, work: Any) -> Any:
        return self.guard._services.home.run_sync(work)

    def propose(self, *proposed: Any) -> tuple[Any, list[Any]]:
        """Open a new thread, propose in it, and return its config and the tasks of the turn."""
        config: Any = {"configurable": {"thread_id": f"t{next(FRESH)}", "__pregel_durability": "sync"}}
        human = HumanMessage("please", id=f"m{next(FRESH)}")
        self.run(self.parts.screen_input({"messages": [human]}, config, CONTEXT))
        message = calls(*proposed)
        self.run(self.parts.plans.record([human], {"messages": [message]}, config, CONTEXT))
        return config, [send.arg for send in self.parts.plans.route({"messages": [human, message]}, config, CONTEXT)]

    def execute(self, task: Any, config: Any) -> Any:
        return self.run(self.parts.endings.execute(task, config, CONTEXT))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    server = Ledger(tools=MORE)
    bank = make_ledger_bank(tmp_path_factory.mktemp("fuzz") / "desk", policy=UNLIMITED, tools=MORE)
    with bank.open(transport=server) as guard:
        yield Bench(guard, server)


# -- tool results -----------------------------------------------------------------------------


def check_update(update: Any, call_id: str) -> None:
    """Check that *update* answers one call, can be stored, and replaces nothing."""
    [message] = update["messages"]
    assert isinstance(message, ToolMessage)
    assert message.tool_call_id == call_id
    assert len(message.content.encode()) <= MAX_TEXT_BYTES + 2_000
    SERDE.loads_typed(SERDE.dumps_typed(update))
    channel = MessagesChannel().from_checkpoint([HumanMessage("please", id="m"), calls(("forge", {}, call_id))])
    channel.update([update["messages"]])
    assert [kept.type for kept in channel.get()] == ["human", "ai", "tool"]


BLOCKS = ANY | st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image", "audio", "resource", "resource_link"]) | TEXT},
    optional={"text": ANY, "data": ANY, "mimeType": ANY, "resource": ANY, "uri": ANY, "name": ANY, "size": ANY},
)
RESULTS = st.fixed_dictionaries(
    {}, optional={"content": st.lists(BLOCKS, max_size=4) | ANY, "structuredContent": ANY, "isError": ANY, "_meta": ANY}
)
OVERWRITES = [{"__overwrite__": []}, {"type": "__overwrite__", "value": []}, {"messages": {"__overwrite__": []}}]


def check_result(bench: Bench, result: dict[str, Any]) -> None:
    bench.server.reply = lambda _: reply_of(result)
    proposed = [(name, {"account": "A"}) for name in ("forge", "shaped", "refuse")]
    config, tasks = bench.propose(*proposed, ("topup", {"account": "A", "amount_cents": 5}))
    before = len(bench.server.sent)
    for task in tasks:
        check_update(bench.execute(task, config), task["call"]["id"])
    assert len(bench.server.sent) == before + 4
    for task in tasks[2:]:  # the outcomes of effects are told again, and not made again
        check_update(bench.execute(task, config), task["call"]["id"])
    assert len(bench.server.sent) == before + 4


@pytest.mark.requirement("I6")
@pytest.mark.requirement("B15")
@pytest.mark.requirement("G7")
@FAST
@example({"content": [], "structuredContent": OVERWRITES[0]})
@example({"content": [], "structuredContent": OVERWRITES[1]})
@example({"content": [{"type": "text", "text": "\ud800"}], "structuredContent": {"n": 2**70}})
@example({"content": [{"type": "text", "text": "é" * MAX_TEXT_BYTES}]})
@example({"structuredContent": {"n": float("nan")}})
@given(RESULTS)
def test_any_result_of_a_server_is_an_answer_that_can_be_stored_and_replaces_nothing(
    bench: Bench, result: dict[str, Any]
) -> None:
    check_result(bench, result)


REPLIES = st.builds(ToolReply, TEXT, ANY | st.sampled_from(OVERWRITES), st.booleans(), st.booleans())


@pytest.mark.requirement("I6")
@FAST
@given(REPLIES)
def test_any_reply_of_a_transport_of_the_applications_own_is_an_answer(bench: Bench, reply: ToolReply) -> None:
    bench.server.reply = lambda _: reply
    config, tasks = bench.propose(("forge", {"account": "A"}), ("topup", {"account": "A", "amount_cents": 5}))
    for task in tasks:
        [message] = bench.execute(task, config)["messages"]
        assert message.tool_call_id == task["call"]["id"]


# -- forged tasks -----------------------------------------------------------------------------

NAMES = st.sampled_from(["balance", "forge", "topup", "wire", "nothing", "__overwrite__"]) | ANY
ARGUMENTS = (
    st.sampled_from([{"account": "A"}, {"account": "A", "amount_cents": 5}, {"account": "A", "amount_cents": 6}]) | ANY
)
FORGED_CALLS = st.fixed_dictionaries(
    {}, optional={"name": NAMES, "args": ARGUMENTS, "id": st.sampled_from(["call-0"]) | ANY, "type": ANY}
)
FORGED_TASKS = (
    st.fixed_dictionaries(
        {},
        optional={
            "call": FORGED_CALLS | ANY,
            "turn": st.sampled_from([1, 2]) | ANY,
            "occurrence": st.sampled_from([0, 1]) | ANY,
            "permit": ANY,
            "guard_requester": ANY,
            "approved": st.just(True),
        },
    )
    | ANY
)
CONFIGS = st.sampled_from(["this", "other", "none"])
RECORDED = {"name": "topup", "args": {"account": "A", "amount_cents": 5}, "id": "call-0", "type": "tool_call"}
HELD = RECORDED | {"name": "wire"}


def is_recorded(task: Any) -> bool:
    """Return whether *task* is the permitted call that is on record, whatever it calls itself."""
    call = task["call"]
    same = (call["name"], call["args"]) == ("topup", RECORDED["args"]) and type(
        call["args"]["amount_cents"]
    ) is not bool
    return same and (task["turn"], task["occurrence"]) == (1, 0)


def check_task(bench: Bench, task: Any, place: str) -> None:
    bench.server.reply = Ledger().reply
    config, _ = bench.propose(("topup", RECORDED["args"]), ("wire", RECORDED["args"]))
    other: Any = {"configurable": {"thread_id": f"t{next(FRESH)}", "__pregel_durability": "sync"}}
    given_config = {"this": config, "other": other, "none": {"configurable": {}}}[place]
    bench.server.sent.clear()
    bodies = (bench.parts.endings.refuse, bench.parts.approval.hold, bench.parts.endings.execute)
    for body in bodies[1:] if is_well_formed(task) else bodies:
        update = bench.run(body(task, given_config, CONTEXT))
        SERDE.dumps_typed(update)
    for sent in bench.server.sent:
        if sent.tool == "topup":
            assert place == "this"
            assert is_recorded(task)
        else:  # a read without a thread is its own proposal
            assert place == "none"
            assert sent.tool in ("balance", "forge")


def is_well_formed(task: Any) -> bool:
    try:
        return is_recorded(task)
    except (KeyError, TypeError, IndexError):
        return False


@pytest.mark.requirement("I3")
@pytest.mark.requirement("I1")
@pytest.mark.requirement("G4")
@settings(FAST, max_examples=250)
@example({}, "this")
@example(None, "this")
@example({"call": None, "turn": 1, "occurrence": 0}, "this")
@example({"call": {"name": ["topup"], "args": {}, "id": "x"}, "turn": 1, "occurrence": 0}, "this")
@example({"call": RECORDED, "turn": 1, "occurrence": 0}, "this")
@example({"call": RECORDED, "turn": 1, "occurrence": 0}, "other")
@example({"call": RECORDED, "turn": 1, "occurrence": 0}, "none")
@example({"call": RECORDED, "turn": True, "occurrence": False}, "this")
@example({"call": RECORDED, "turn": 2**70, "occurrence": 0}, "this")
@example({"call": RECORDED, "turn": "1", "occurrence": "0"}, "this")
@example({"call": HELD, "turn": 1, "occurrence": 0}, "this")
@example({"call": HELD | {"type": "invalid_tool_call"}, "turn": 1, "occurrence": 0}, "this")
@given(FORGED_TASKS, CONFIGS)
def test_a_forged_task_raises_nothing_and_runs_only_what_is_recorded_and_permitted(
    bench: Bench, task: Any, place: str
) -> None:
    check_task(bench, task, place)


# -- resume values ----------------------------------------------------------------------------


class Waiting:
    """A thread that waits for an approval."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.config = bench, thread(f"waiting-{next(FRESH)}")
        self.agent = bench.guard.agent(model(calls(("wire", RECORDED["args"]))), checkpointer=InMemorySaver())
        bench.server.reply = Ledger().reply
        self.agent.invoke(asked(), self.config, context=CONTEXT)
        [self.request] = waiting(self.agent.get_state(self.config))


VOTES = st.fixed_dictionaries(
    {},
    optional={
        "vote": ANY
        | st.fixed_dictionaries(
            {
                "request": TEXT,
                "digest": TEXT,
                "approver": TEXT | st.just("ana@example.com"),
                "answer": st.sampled_from(["approve", "edit", "reject", "respond"]) | TEXT,
                "at": st.just("2026-01-05T12:00:00Z") | TEXT,
                "nonce": st.just("0" * 32) | TEXT,
            },
            optional={"arguments": ANY, "text": ANY},
        ),
        "signature": ANY | st.just("A" * 86 + "=="),
        "type": st.just("approve"),
    },
)


# What LangGraph raises for a value of its own dislike (for None the last); the guard's errors are others.
LANGGRAPH = (TypeError, ValueError, RuntimeError, UnboundLocalError)


def check_resume(bench: Bench, value: Any) -> None:
    held = Waiting(bench)
    before = len(bench.server.sent)
    for update in (None, {"guard_requester": value} if isinstance(value, dict) else None):
        with suppress(*LANGGRAPH):
            held.agent.invoke(Command(resume=value, update=update), held.config)
    assert len(bench.server.sent) == before
    assert bench.guard.store.request(held.request).status == "pending"
    assert waiting(held.agent.get_state(held.config)) == [held.request]


@pytest.mark.requirement("I7")
@pytest.mark.requirement("G9")
@settings(FAST, max_examples=60)
@example({"vote": {}, "signature": ""})
@example({})
@example(False)
@given(ANY | VOTES)
def test_any_resume_value_that_is_no_signed_vote_leaves_the_request_as_it_was(bench: Bench, value: Any) -> None:
    check_resume(bench, value)


# -- the same for long ------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.timeout(900)
@LONG
@given(RESULTS)
def test_any_result_of_a_server_is_an_answer_for_long(bench: Bench, result: dict[str, Any]) -> None:
    check_result(bench, result)


@pytest.mark.long
@pytest.mark.timeout(900)
@LONG
@given(FORGED_TASKS, CONFIGS)
def test_a_forged_task_runs_nothing_for_long(bench: Bench, task: Any, place: str) -> None:
    check_task(bench, task, place)


@pytest.mark.long
@pytest.mark.timeout(900)
@settings(LONG, max_examples=300)
@given(ANY | VOTES)
def test_any_resume_value_is_waited_out_for_long(bench: Bench, value: Any) -> None:
    check_resume(bench, value)
