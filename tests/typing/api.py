"""Typical user code, type-checked by ``make check``; it is never run."""

from datetime import UTC, datetime
from pathlib import Path

from langchain_core.language_models import BaseChatModel
from langgraph.checkpoint.memory import InMemorySaver

from guarded_agents import (
    Answer,
    Directory,
    Guard,
    GuardContext,
    Principal,
    ReviewFinding,
    Scheme,
    Verdict,
    doubt_id,
    load_private_key,
    sign,
)
from guarded_agents.identity import IdTokens, JwksUrl
from guarded_agents.notify import Webhook
from guarded_agents.operations import Worker, diagnose


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


class Ldap:
    """A directory of the application's own."""

    async def members(self, group: str) -> frozenset[str]:
        """Return who belongs to *group* now."""
        return frozenset({f"{group}@example.com"})


async def operate(folder: Path, request: str) -> tuple[str, ...]:
    """Hand a vote over, break the glass and have that reviewed, settle what is in doubt, and cancel a thread."""
    directory: Directory = Ldap()
    key, second = (load_private_key((folder / name).read_bytes()) for name in ("ana.key", "ana2.key"))
    async with Guard.open(
        folder / "policy.yaml", lockfile=folder / "tools.lock", store=folder / "guard.db", directory=directory
    ) as guard:
        await guard.vote(sign(guard.prepare(request, Answer.DELEGATE, approver="ana", delegate="raj"), key))
        emergency = guard.prepare(request, Answer.BREAK_GLASS, approver="ana", text="nobody else is there until noon")
        await guard.vote(sign(emergency, key, second=second))
        review = guard.prepare_review(request, ReviewFinding.REVIEWED, reviewer="raj", text="looked at it")
        await guard.review(sign(review, second))
        for claim in guard.doubts:
            resolution = guard.prepare_resolution(
                doubt_id(claim.key), Verdict.HAPPENED, resolver="raj", looked_at=datetime.now(UTC), text="seen"
            )
            await guard.resolve(sign(resolution, second))
        extension = guard.prepare_extension("1", "payments/refund", approver="raj", text="it was meant all along")
        covered: tuple[str, ...] = (await guard.extend_plan(sign(extension, second))).covered
        return (await guard.sweep()).expired + await guard.cancel("1") + covered


async def serve(model: BaseChatModel, folder: Path, secret: str) -> tuple[str, ...]:
    """Let answers by ID token come in, wake the threads that were answered, tell people, and look for what is amiss."""
    tokens = IdTokens(
        issuer="https://login.example.com", audience="guard", keys=JwksUrl("https://login.example.com/keys")
    )
    async with Guard.open(
        folder / "policy.yaml",
        lockfile=folder / "tools.lock",
        store=folder / "guard.db",
        authenticators={Scheme.OIDC: tokens},
    ) as guard:
        agent = guard.agent(model, checkpointer=InMemorySaver())
        worker = Worker(guard, agent, notifier=Webhook("https://hooks.example.com", secret))
        done = await worker.run_once()
        ailments = await diagnose(guard, agent, now=guard.now())
        return done.woken + tuple(ailment.action for ailment in ailments)
