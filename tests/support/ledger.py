"""A deployment whose server only notes what reaches it: what stands in ``sent`` was sent, and nothing else happened."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from guarded_agents import Answer, Guard, GuardContext, SignedVote
from guarded_agents.catalog import dump_lockfile, make_lock, of_observed
from guarded_agents.testing import FixedClock
from guarded_agents.transport import ObservedTool, ToolReply
from tests.support.bank import (
    CONTEXT,
    NOON,
    PEOPLE,
    POLICY,
    Bank,
    answers,
    asked,
    model,
    thread,
    waiting,
    write_keys,
)

ACCOUNT = {"account": {"type": "string"}}
MONEY = ACCOUNT | {"amount_cents": {"type": "integer"}}
KEYS = {name: Ed25519PrivateKey.generate() for name in PEOPLE}
SECOND_KEYS = {(name, "second.key"): Ed25519PrivateKey.generate() for name in PEOPLE}


def tool(name: str, properties: Mapping[str, Any], output: Mapping[str, Any] | None = None) -> ObservedTool:
    schema = {"type": "object", "properties": properties, "required": sorted(properties)}
    return ObservedTool("bank", name, None, f"The tool {name}.", schema, output, {})


TOOLS = (
    tool("balance", ACCOUNT),
    tool("drop_table", ACCOUNT),
    tool("forge", ACCOUNT),
    tool("refuse", ACCOUNT),
    tool("topup", MONEY),
    tool("wire", MONEY),
)


@dataclass(frozen=True)
class Sent:
    """One call as it reached the server."""

    tool: str
    arguments: dict[str, Any]
    principal: str
    meta: Mapping[str, str]


@dataclass
class Ledger:
    """The transport. ``reply`` answers or raises; ``before`` is run while the call is on its way."""

    tools: Sequence[ObservedTool] = TOOLS
    reply: Callable[[Sent], Any] = lambda sent: ToolReply(f"did {sent.tool}", None, is_error=False)
    before: Callable[[], Any] = lambda: None
    sent: list[Sent] = field(default_factory=list)
    servers: tuple[str, ...] = ("bank",)

    async def list_tools(self, server: str, *, principal: str) -> tuple[ObservedTool, ...]:
        return tuple(self.tools)

    async def call(
        self, server: str, tool: str, arguments: Any, *, principal: str, meta: Mapping[str, str], timeout_s: float
    ) -> ToolReply:
        sent = Sent(tool, dict(arguments), principal, dict(meta))
        self.sent.append(sent)
        pause = self.before()
        if pause is not None:
            await pause
        reply: ToolReply = self.reply(sent)
        return reply

    async def aclose(self) -> None:
        """Do nothing."""

    @property
    def effects(self) -> list[tuple[str, Any]]:
        """Return (tool, amount in cents) of what was sent, in order."""
        return [(sent.tool, sent.arguments.get("amount_cents")) for sent in self.sent]


def make_ledger_bank(folder: Path, *, policy: str = POLICY, tools: Sequence[ObservedTool] = TOOLS) -> Bank:
    """Write a deployment into *folder* whose lockfile holds *tools*; no process is started."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "policy.yaml").write_text(policy)
    write_keys(folder, {(who, "key"): key for who, key in KEYS.items()} | SECOND_KEYS)
    (folder / "tools.lock").write_bytes(dump_lockfile(make_lock([of_observed(found) for found in tools])))
    return Bank(folder, FixedClock(NOON))


@dataclass
class Desk:
    """A guarded agent over a ledger, and one thread of it."""

    bank: Bank
    guard: Guard
    agent: Any
    server: Ledger
    config: Any = field(default_factory=thread)

    async def ask(self, text: str = "please", *, context: GuardContext | None = CONTEXT, **more: Any) -> dict[str, str]:
        """Write *text* and return what the model was told, by call id."""
        result = await self.agent.ainvoke(asked(text), self.config, context=context, **more)
        return answers(result["messages"])

    async def held(self, text: str = "please", **more: Any) -> str:
        """Write *text* and return the one request that the thread waits for then."""
        await self.ask(text, **more)
        [request] = await self.waiting()
        return request

    async def state(self) -> Any:
        return await self.agent.aget_state(self.config)

    async def told(self) -> dict[str, str]:
        return answers((await self.state()).values["messages"])

    async def waiting(self) -> list[str]:
        return waiting(await self.state())

    def signed(self, request_id: str, answer: Answer = Answer.APPROVE, **more: Any) -> SignedVote:
        return self.bank.signed(self.guard, request_id, answer, **more)

    async def approve(self, request_id: str, answer: Answer = Answer.APPROVE, **more: Any) -> Any:
        return await self.guard.resume(self.agent, self.signed(request_id, answer, **more))

    async def wake(self) -> None:
        await self.guard.wake(self.agent, self.config["configurable"]["thread_id"])

    async def reasons(self) -> list[str]:
        """Return the reason of each settled call of the turn, as the state shows it."""
        shown = (await self.state()).values.get("guard_calls", {}).get("calls", {})
        return sorted(call["reason"] for call in shown.values())


@asynccontextmanager
async def at_desk(
    folder: Path,
    *script: Any,
    policy: str = POLICY,
    server: Ledger | None = None,
    saver: BaseCheckpointSaver[str] | None = None,
    bank: Bank | None = None,
    **changes: Any,
) -> AsyncIterator[Desk]:
    """Yield a desk whose model follows *script*; with *bank* it is opened again over what that one has stored."""
    server = server or Ledger()
    bank = bank or make_ledger_bank(folder / "desk", policy=policy)
    async with bank.open(transport=server, **changes) as guard:
        agent = guard.agent(model(*script), checkpointer=saver or InMemorySaver())
        yield Desk(bank, guard, agent, server)
