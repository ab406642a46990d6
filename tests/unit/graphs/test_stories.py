"""The stories of the applications, through the guard and over stdio; what counts is what lies in the database."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver

from graphs._run import Run
from graphs.records_clerk import run as records_clerk
from graphs.records_clerk import script as clerk_script
from graphs.records_clerk import servers as clerk_servers
from graphs.refund_desk import app as desk_app
from graphs.refund_desk import run as refund_desk
from graphs.refund_desk import script as desk_script
from graphs.refund_desk import servers as desk_servers
from guarded_agents.approval import load_private_key, sign
from guarded_agents.assembly import Guard
from guarded_agents.records import Answer, Principal
from guarded_agents.state import GuardContext
from guarded_agents.testing import FixedClock

DESK = (refund_desk, desk_script, desk_servers)
CLERK = (records_clerk, clerk_script, clerk_servers)
CLOCK = FixedClock(datetime(2026, 1, 5, 10, tzinfo=UTC))
PAID = {"order_id": "1001", "amount_cents": 12900, "account": "visa-4242", "note": "grinder broken on arrival"}
SENT = {
    "patient_id": "P-1007",
    "partner": "heart-center.example",
    "sections": "master_data,visits",
    "purpose": "second opinion on ablation",
}
STORIES = {
    "refund approved": (DESK, Answer.APPROVE, {"refunds": [PAID], "outbox": []}),
    "refund rejected": (DESK, Answer.REJECT, {"refunds": [], "outbox": []}),
    "refund left": (DESK, None, {"refunds": [], "outbox": []}),
    "export approved": (CLERK, Answer.APPROVE, {"exports": [SENT]}),
    "export rejected": (CLERK, Answer.REJECT, {"exports": []}),
}
Application = tuple[ModuleType, ModuleType, ModuleType]


@asynccontextmanager
async def opened(application: Application, folder: Path) -> AsyncIterator[tuple[Run, Guard]]:
    module, _, servers = application
    run = module.prepare(folder, now=CLOCK())
    async with AsyncExitStack() as stack:
        guard = Guard.open(run.policy, lockfile=run.lockfile, store=run.store, servers=servers.servers(run), now=CLOCK)
        yield run, await stack.enter_async_context(guard)


@pytest.mark.parametrize(("application", "answer", "effects"), STORIES.values(), ids=STORIES)
async def test_exactly_what_was_approved_happens(
    application: Application, answer: Answer | None, effects: dict[str, object], tmp_path: Path
) -> None:
    module, script, _ = application
    async with opened(application, tmp_path / "run") as (run, guard):
        assert not guard.quarantine  # the committed lockfile is that of the servers
        agent = guard.agent(script.scripted_model(), checkpointer=InMemorySaver())
        config = {"configurable": {"thread_id": "story"}}
        context = GuardContext(principal=Principal(id=module.PRINCIPAL, scopes=module.SCOPES), tenant="main")
        await agent.ainvoke({"messages": [HumanMessage(script.REQUEST)]}, config, context=context)
        (waiting,) = guard.store.requests()
        assert not any(module.effects(run.folder).values())
        if answer is not None:
            approver = run.approvers[0]
            vote = guard.prepare(waiting.id, answer, approver=approver)
            await guard.resume(agent, sign(vote, load_private_key(run.key(approver).read_bytes())))
        state = await agent.aget_state(config)
    assert module.effects(run.folder) == effects
    assert bool(state.next) is (answer is None)
    last = state.values["messages"][-1]
    assert isinstance(last, AIMessage)
    assert bool(last.tool_calls) is (answer is None)


async def test_what_the_injection_asks_for_is_refused_by_a_rule(tmp_path: Path) -> None:
    async with opened(DESK, tmp_path / "run") as (_, guard):
        agent = guard.agent(desk_script.scripted_model(), checkpointer=InMemorySaver())
        config = {"configurable": {"thread_id": "story"}}
        context = GuardContext(principal=Principal(id=refund_desk.PRINCIPAL, scopes=refund_desk.SCOPES), tenant="main")
        state = await agent.ainvoke({"messages": [HumanMessage(desk_script.REQUEST)]}, config, context=context)
        refused = {m.name: m.text for m in state["messages"] if isinstance(m, ToolMessage) and m.status == "error"}
        assert set(refused) == {"send_mail", "refund"}
        assert all("not permitted with these arguments" in text for text in refused.values())
        log = b"\n".join(stored for _, stored, _ in guard.store.audit_rows())
    assert b"mail-to-strangers" in log
    assert b"refund-to-other-account" in log


async def test_the_factory_that_langgraph_json_names_yields_a_graph_without_a_checkpointer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_app, "FOLDER", tmp_path / "served")
    monkeypatch.delenv("GUARDED_AGENTS_MODEL", raising=False)
    for _ in range(2):  # prepared at first, reopened then
        async with desk_app.graph({}) as graph:
            assert graph.checkpointer is None
            assert {"model", "approval", "execute", "refuse"} <= set(graph.nodes)
