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
from guarded_agents.approval import parse_allowed_signers
from guarded_agents.catalog import dump_lockfile, load_lockfile, make_lock
from guarded_agents.errors import ConfigurationError, GuardError
from guarded_agents.testing import ScriptedModel

Graph = CompiledStateGraph[GuardedState, GuardContext, GuardedState, GuardedState]
HERE: Final = Path(__file__).resolve().parent
DATABASE: Final = "desk.db"
SIGNERS: Final = "allowed_signers"
STORE: Final = "guard.db"
CHECKPOINTS: Final = "checkpoints.db"
MADE: Final = (POLICY, LOCKFILE, DATABASE)  # by `prepare`; the others come with the first call
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
        AsyncSqliteSaver.from_conn_string(str(folder / CHECKPOINTS)) as saver,
        Guard.open(folder / POLICY, lockfile=folder / LOCKFILE, store=folder / STORE, servers=servers) as guard,
    ):
        yield guard.agent(ScriptedModel(script=SCRIPT), checkpointer=saver)


def _folder(config: RunnableConfig) -> Path:
    return Path(config["configurable"]["guard_store"]).resolve().parent


def prepare(folder: Path, *, now: datetime) -> None:
    """Fill *folder* with the policy, the lockfile and the servers' database, whose orders are dated by *now* (UTC).

    Raises ConfigurationError, before anything is written, where a part of a desk is there, or no approver's key is.
    """
    found = [name for name in (*MADE, STORE, CHECKPOINTS) if (folder / name).exists()]
    if found:
        raise ConfigurationError(
            str(folder),
            expected="a folder without a desk",
            got=f"one with {found[0]}",
            action="go on with that desk (guarded-agents approvals list), or make another folder",
        )
    signers = folder / SIGNERS
    if not signers.is_file():
        raise ConfigurationError(
            str(signers),
            expected="the public keys of the approvers",
            got="no such file",
            action="make one: guarded-agents approvals keygen ana@example.com --key ana.key",
        )
    parse_allowed_signers(signers.read_text(encoding="utf-8", errors="replace"), source=str(signers))
    (folder / POLICY).write_bytes((HERE / POLICY).read_bytes())
    reviewed = HERE.parent / "refund_desk" / LOCKFILE
    tools = (tool.definition for tool in load_lockfile(reviewed.read_bytes(), source=str(reviewed)).tools)
    (folder / LOCKFILE).write_bytes(dump_lockfile(make_lock(tool for tool in tools if tool.server == "payments")))
    fill(folder / DATABASE, now=now)


def effects(folder: Path) -> dict[str, list[dict[str, object]]]:
    """Return the refunds, oldest first; amounts are in euro cents."""
    return {"refunds": rows(folder / DATABASE, "SELECT order_id, amount_cents, note FROM refunds ORDER BY refund_id")}


async def ask(folder: Path, thread: str) -> None:
    """Hand the agent the work of *thread*, until it waits. Raises ConfigurationError where *folder* is no desk."""
    if not all((folder / name).is_file() for name in MADE):
        raise ConfigurationError(
            str(folder), expected="a desk", got="none", action="make it: python -m graphs.two_people.app"
        )
    context = GuardContext(principal=Principal(id=PRINCIPAL, scopes=SCOPES))
    config: RunnableConfig = {"configurable": {"thread_id": thread, "guard_store": str(folder / STORE)}}
    async with saved(config) as agent:
        await agent.ainvoke({"messages": [HumanMessage(THREADS[thread])]}, config, context=context)
        waits = (await agent.aget_state(config)).interrupts
        print(f"the agent waits for an answer to {', '.join(found.value['request_id'] for found in waits)}")


def main(words: Sequence[str]) -> str | None:
    """Do what the command line says; return what is wrong with it, in one line, None where nothing is."""
    if words not in ([], ["urgent"]):
        return "usage: python -m graphs.two_people.app [urgent]"
    try:
        if not words:
            prepare(Path.cwd(), now=datetime.now(UTC))
        asyncio.run(ask(Path.cwd(), URGENT if words else USUAL))
    except GuardError as error:
        return f"error: {error}"
    return None


if __name__ == "__main__":
    wrong = main(sys.argv[1:])
    if wrong is not None:
        print(wrong, file=sys.stderr)
        sys.exit(2)
