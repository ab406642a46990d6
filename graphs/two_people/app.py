"""``python -m graphs.two_people.app``: makes the working folder a desk, and lets its agent ask for a refund.

With the word ``urgent`` the agent of that desk is asked, in a thread of its own, for a refund that cannot wait. The
approvers' keys are made before, with `guarded-agents approvals keygen`; everything else follows from there.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph.state import CompiledStateGraph

from graphs._database import rows
from graphs._run import LOCKFILE, POLICY, stdio_server
from graphs._script import Reply, propose, report
from graphs.refund_desk.data import fill
from guarded_agents import Guard, GuardContext, GuardedState, Principal
from guarded_agents.catalog import dump_lockfile, load_lockfile, make_lock
from guarded_agents.testing import ScriptedModel

Graph = CompiledStateGraph[GuardedState, GuardContext, GuardedState, GuardedState]
HERE: Final = Path(__file__).resolve().parent
DATABASE: Final = "desk.db"
PRINCIPAL: Final = "desk-agent"
SCOPES: Final = ("refunds:write",)
THREADS: Final = {
    "order 1001": "The grinder of order 1001 is broken. Please refund it, and the scale of order 1003 as a goodwill.",
    "order 1007": "Order 1007 was cancelled, and its bank takes the money back until noon only. Please refund it.",
}
USUAL, URGENT = THREADS


def _summary(done: str, undone: str) -> Reply:
    def reply(messages: Sequence[BaseMessage]) -> AIMessage:
        return AIMessage(report("payments/refund", messages, done=done, undone=f"{undone} I was told:"))

    return reply


def _refund(order_id: str, amount_cents: int, note: str) -> Reply:
    return propose(("payments/refund", {"order_id": order_id, "amount_cents": amount_cents, "note": note}))


def _either(usual: Reply, urgent: Reply) -> Reply:
    def reply(messages: Sequence[BaseMessage]) -> AIMessage:
        is_urgent = any(message.text == THREADS[URGENT] for message in messages if isinstance(message, HumanMessage))
        return (urgent if is_urgent else usual)(messages)

    return reply


SCRIPT: Final = (
    _either(_refund("1001", 12900, "grinder broken on arrival"), _refund("1007", 7450, "cancelled")),
    _either(_refund("1003", 5950, "goodwill"), _summary("Order 1007 is refunded:", "Order 1007 is not refunded.")),
    _summary("Orders 1001 and 1003 are refunded:", "Order 1001 is refunded, order 1003 is not."),
)


@asynccontextmanager
async def saved(config: RunnableConfig) -> AsyncIterator[Graph]:
    """Yield the desk of the folder in which the store ``configurable["guard_store"]`` lies."""
    folder = _folder(config)
    servers = {"payments": stdio_server("graphs.refund_desk.payments", folder / DATABASE)}
    async with (
        AsyncSqliteSaver.from_conn_string(str(folder / "checkpoints.db")) as saver,
        Guard.open(folder / POLICY, lockfile=folder / LOCKFILE, store=folder / "guard.db", servers=servers) as guard,
    ):
        yield guard.agent(ScriptedModel(script=SCRIPT), checkpointer=saver)


def _folder(config: RunnableConfig) -> Path:
    return Path(config["configurable"]["guard_store"]).resolve().parent


def prepare(folder: Path, *, now: datetime) -> None:
    """Fill *folder* with the policy, the lockfile and the servers' database, whose orders are dated by *now* (UTC)."""
    (folder / POLICY).write_bytes((HERE / POLICY).read_bytes())
    reviewed = HERE.parent / "refund_desk" / LOCKFILE
    tools = (tool.definition for tool in load_lockfile(reviewed.read_bytes(), source=str(reviewed)).tools)
    (folder / LOCKFILE).write_bytes(dump_lockfile(make_lock(tool for tool in tools if tool.server == "payments")))
    fill(folder / DATABASE, now=now)


def effects(folder: Path) -> dict[str, list[dict[str, object]]]:
    """Return the refunds, oldest first; amounts are in euro cents."""
    return {"refunds": rows(folder / DATABASE, "SELECT order_id, amount_cents, note FROM refunds ORDER BY refund_id")}


async def ask(folder: Path, thread: str) -> None:
    """Hand the agent the work of *thread*, until it waits."""
    context = GuardContext(principal=Principal(id=PRINCIPAL, scopes=SCOPES))
    config: RunnableConfig = {"configurable": {"thread_id": thread, "guard_store": str(folder / "guard.db")}}
    async with saved(config) as agent:
        await agent.ainvoke({"messages": [HumanMessage(THREADS[thread])]}, config, context=context)
        waits = (await agent.aget_state(config)).interrupts
        print(f"the agent waits for an answer to {', '.join(found.value['request_id'] for found in waits)}")


if __name__ == "__main__":
    is_urgent = sys.argv[1:] == ["urgent"]
    if not is_urgent:
        prepare(Path.cwd(), now=datetime.now(UTC))
    asyncio.run(ask(Path.cwd(), URGENT if is_urgent else USUAL))
