"""A desk over a stdio and an HTTP server, each step in a process of its own: ``picture.py orders|ask FOLDER``.

``orders`` serves over HTTP on a free loopback port, prints its address, and ends with its standard input.
"""

import asyncio
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig

NOTE = "canary-note-51c7"
SECRET = "sk-ant-api03-canary" + "A1b2C3d4E5f6" * 8
ORDERS = "PICTURE_ORDERS"
POLICY = """
  orders/get_order: {scope: orders:read, effect: read, result: {integrity: trusted, confidentiality: internal}}
"""


def make(folder: Path) -> None:
    """Fill *folder*, which holds the approvers' public keys, with the desk of two people and one tool more."""
    from graphs.two_people.app import HERE, LOCKFILE, prepare
    from guarded_agents.catalog import dump_lockfile, load_lockfile, make_lock

    prepare(folder, now=datetime.now(UTC))
    policy = (folder / "policy.yaml").read_text().replace("[refunds:write]", "[orders:read, refunds:write]")
    (folder / "policy.yaml").write_text(policy.rstrip("\n") + POLICY)
    reviewed = load_lockfile((HERE.parent / "refund_desk" / LOCKFILE).read_bytes(), source="tools.lock")
    kept = ("payments/refund", "orders/get_order")
    tools = [tool.definition for tool in reviewed.tools if f"{tool.definition.server}/{tool.definition.name}" in kept]
    (folder / LOCKFILE).write_bytes(dump_lockfile(make_lock(tools)))


@asynccontextmanager
async def saved(config: RunnableConfig) -> AsyncIterator[Any]:
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    from graphs._run import stdio_server
    from guarded_agents import Guard
    from guarded_agents.testing import ScriptedModel

    folder = Path(config["configurable"]["guard_store"]).parent
    servers = {
        "orders": {"url": os.environ[ORDERS]},
        "payments": stdio_server("graphs.refund_desk.payments", folder / "desk.db"),
    }
    refund = {"order_id": "1001", "amount_cents": 12900, "note": NOTE}
    script = (
        AIMessage("", tool_calls=[{"name": "get_order", "args": {"order_id": "1001"}, "id": "c1"}]),
        AIMessage("", tool_calls=[{"name": "refund", "args": refund, "id": "c2"}]),
        AIMessage("done"),
    )
    async with (
        AsyncSqliteSaver.from_conn_string(str(folder / "checkpoints.db")) as saver,
        Guard.open(
            folder / "policy.yaml", lockfile=folder / "tools.lock", store=folder / "guard.db", servers=servers
        ) as guard,
    ):
        yield guard.agent(ScriptedModel(script=script), checkpointer=saver)


async def ask(folder: Path) -> None:
    """Ask until the refund waits, and print the id of its request."""
    from guarded_agents import GuardContext, Principal

    context = GuardContext(principal=Principal(id="desk-agent", scopes=("orders:read", "refunds:write")))
    config: RunnableConfig = {"configurable": {"thread_id": "picture", "guard_store": str(folder / "guard.db")}}
    async with saved(config) as agent:
        text = f"Please refund order 1001; my key is {SECRET}"
        await agent.ainvoke({"messages": [HumanMessage(text)]}, config, context=context)
        [wait] = (await agent.aget_state(config)).interrupts
        sys.stdout.write(wait.value["request_id"])


def orders(folder: Path) -> None:
    """Serve the orders over HTTP until standard input ends."""
    import uvicorn

    from graphs._tracing import export_spans
    from graphs.refund_desk.orders import server

    export_spans("orders")
    running = uvicorn.Server(uvicorn.Config(server(folder / "desk.db").streamable_http_app(), log_level="error"))
    bound = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"http://127.0.0.1:{bound.getsockname()[1]}/mcp\n")
    sys.stdout.flush()

    def end() -> None:
        sys.stdin.read()
        running.should_exit = True

    threading.Thread(target=end, daemon=True).start()
    asyncio.run(running.serve(sockets=[bound]))


if __name__ == "__main__":
    task, where = sys.argv[1:]
    if task == "orders":
        orders(Path(where))
    else:
        from guarded_agents.telemetry import export_from_environment

        assert export_from_environment("desk")
        asyncio.run(ask(Path(where)))
