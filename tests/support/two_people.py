"""A desk where a refund takes two people, with threads that wait for the same one: for tests of the commands."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig

from graphs.refund_desk.run import PRINCIPAL, SCOPES, prepare
from guarded_agents import GuardContext, Principal
from guarded_agents.approval import allowed_signers_line, load_private_key
from guarded_agents.keys import new_approver_key
from tests.support.desk import saved

ANA, KIM, LEE, RAJ = PEOPLE = tuple(f"{name}@example.com" for name in ("ana", "kim", "lee", "raj"))
KEYS = {ANA: "ana", KIM: "kim", LEE: "lee", RAJ: "raj"}
SECOND = "ana-2"

POLICY = """\
version: 1
signers: allowed_signers
principals:
  desk-agent: {scopes: [refunds:write]}
approvers:
  finance: {members: [ana@example.com, lee@example.com, raj@example.com], backup: leads}
  leads: {members: [kim@example.com]}
operators: leads
break_glass: {holders: [ana@example.com], tools: [payments/refund], reviewers: leads}
tools:
  payments/refund:
    scope: refunds:write
    effect: write
    irreversible: true
    approval:
      {id: refund-over-50, approvers: finance, quorum: 2, decide_within: 4h, execute_within: 15m, escalate_within: 2h}
"""


def by(name: str) -> tuple[str, ...]:
    """Return the options of an answer of *name*."""
    return "--key", KEYS[name], "--as", name


def waiting_desks(folder: Path, threads: tuple[str, ...]) -> Path:
    """Return the folder of a run whose *threads* all wait for two people to approve the same refund."""
    run = prepare(folder, now=datetime.now(UTC))
    run.policy.write_text(POLICY)
    lines = []
    for name, file in (*KEYS.items(), (ANA, SECOND)):
        new_approver_key(folder / file)
        lines.append(allowed_signers_line(name, load_private_key((folder / file).read_bytes()).public_key()))
    run.signers.write_text("\n".join(lines) + "\n")

    async def ask() -> None:
        context = GuardContext(principal=Principal(id=PRINCIPAL, scopes=SCOPES))
        for thread in threads:
            config: RunnableConfig = {"configurable": {"thread_id": thread, "guard_store": str(run.store)}}
            async with saved(config) as agent:
                await agent.ainvoke({"messages": [HumanMessage("refund it")]}, config, context=context)

    asyncio.run(ask())
    return folder
