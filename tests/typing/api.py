"""Typical user code, type-checked by ``make check``; it is never run."""

from pathlib import Path

from langchain_core.language_models import BaseChatModel
from langgraph.checkpoint.memory import InMemorySaver

from guarded_agents import Answer, Guard, GuardContext, Principal, load_private_key, sign


async def ask(model: BaseChatModel, folder: Path) -> str:
    """Run a guarded agent, and approve what it waits for."""
    servers = {"orders": {"command": "python", "args": ["-m", "orders"]}}
    principal = Principal(id="desk-agent", scopes=("orders:read",))
    async with Guard.open(
        folder / "policy.yaml", lockfile=folder / "tools.lock", store=folder / "guard.db", servers=servers
    ) as guard:
        agent = guard.agent(model, checkpointer=InMemorySaver())
        result = await agent.ainvoke(
            {"messages": [{"role": "user", "content": "hello"}]},
            {"configurable": {"thread_id": "1"}},
            context=GuardContext(principal=principal),
        )
        vote = guard.prepare("7f3a", Answer.APPROVE, approver="ana@example.com")
        await guard.resume(agent, sign(vote, load_private_key((folder / "ana.key").read_bytes())))
        return str(result["messages"][-1].content)
