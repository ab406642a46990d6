"""How an episode's graph is guarded: not at all, or by a policy that is made from the suite's."""

import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import orjson
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from mcp import ClientSession

from benchmarks._agents import Graph
from guarded_agents import Guard
from guarded_agents.approval import allowed_signers_line
from guarded_agents.catalog import dump_lockfile, make_lock, of_observed
from guarded_agents.policy import Policy, load_policy
from guarded_agents.records import ToolEffect
from guarded_agents.transport import SessionTransport

APPROVER: Final = "ana@example.com"
PRINCIPAL: Final = "assistant"
_CLEAN: Final = "labels.integrity == 'trusted'"

Tree = dict[str, Any]
Change = Callable[[Tree], Tree]


def ask_every_effect(policy: Tree) -> Tree:
    """Let a person agree to each call of a tool with an effect."""
    approval = {"approvers": "people", "decide_within": "4h", "execute_within": "15m"}
    return _with_effects(policy, {"approval": approval})


def deny_after_untrusted(policy: Tree) -> Tree:
    """Deny each call of a tool with an effect once the thread has read anything untrusted."""
    return _with_effects(policy, {"permit_when": _CLEAN})


def authority(policy: Tree) -> Tree:
    """Leave the policy as it is: where a value comes from decides."""
    return policy


def authority_with_plan(policy: Tree) -> Tree:
    """Pin besides, before anything is read, which tools with an effect the user's task needs."""
    return {**policy, "plan": {"from": "caller"}}


VARIANTS: Final[Mapping[str, Change | None]] = {
    "undefended": None,  # LangGraph's tool loop with its ToolNode
    "ask_every_effect": ask_every_effect,
    "deny_after_untrusted": deny_after_untrusted,
    "authority": authority,
    "authority_with_plan": authority_with_plan,
}


def effects_of(policy: Policy) -> frozenset[str]:
    """Return the names of the tools that the table of *policy* says have an effect."""
    table = policy.tools.items()
    return frozenset(key.partition("/")[2] for key, entry in table if entry.effect is not ToolEffect.READ)


def read_policy(path: Path) -> tuple[Policy, Tree]:
    """Return the policy at *path* as the guard reads it, and as it is written. Raises PolicyError."""
    text = path.read_bytes()
    return load_policy(text, source=str(path)), yaml.safe_load(text)


class Deployment:
    """A folder with what guards are opened from: the changed policy, the lockfile and the approver's key."""

    def __init__(self, folder: Path, server: str, session: ClientSession) -> None:
        """Take an empty *folder* and the held *session* with *server*."""
        self._folder, self._transport = folder, SessionTransport({server: session})
        self.key = Ed25519PrivateKey.generate()

    async def prepare(self, policy: Tree) -> None:
        """Write the files: *policy*, and a lock of what the server offers now.

        Raises ValueError where the policy does not name exactly the tools that the server offers.
        """
        self._path("policy.yaml").write_bytes(orjson.dumps(policy))  # JSON is YAML
        self._path("allowed_signers").write_text(allowed_signers_line(APPROVER, self.key.public_key()) + "\n")
        (server,) = self._transport.servers
        offered = await self._transport.list_tools(server, principal="")
        if odd := {f"{server}/{tool.name}" for tool in offered} ^ policy["tools"].keys():
            raise ValueError(f"the policy and the server do not have the same tools: {', '.join(sorted(odd))}")
        self._path("tools.lock").write_bytes(dump_lockfile(make_lock([of_observed(tool) for tool in offered])))

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[Guard]:
        """Open a guard over a store of its own: no episode knows what another one asked for."""
        store = self._path("store")
        store.mkdir()
        try:
            async with Guard.open(
                self._path("policy.yaml"),
                lockfile=self._path("tools.lock"),
                store=store / "guard.db",
                transport=self._transport,
            ) as guard:
                yield guard
        finally:
            shutil.rmtree(store)

    def _path(self, name: str) -> Path:
        return self._folder / name


def undefended(model: BaseChatModel, tools: list[BaseTool]) -> Graph:
    """Return LangGraph's plain tool loop. The model is told of a tool's error, as the guard tells it."""

    async def call_model(state: MessagesState) -> dict[str, object]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    def route(state: MessagesState) -> str:
        return "tools" if getattr(state["messages"][-1], "tool_calls", ()) else END

    builder = StateGraph(MessagesState)
    builder.add_node("model", call_model)
    builder.add_node("tools", ToolNode(tools, handle_tool_errors=True))
    builder.add_edge(START, "model")
    builder.add_conditional_edges("model", route, ["tools", END])
    builder.add_edge("tools", "model")
    return builder.compile()


def _with_effects(policy: Tree, added: Tree) -> Tree:
    tools = {
        key: entry if entry["effect"] == ToolEffect.READ.value else {**entry, **added}
        for key, entry in policy["tools"].items()
    }
    return {**policy, "tools": tools}
