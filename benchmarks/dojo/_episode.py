"""One episode: a user task, perhaps an attack, one graph, and the person who answers what it asks."""

import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from langchain_core.runnables import RunnableConfig
from langchain_mcp_adapters.tools import load_mcp_tools
from langgraph.checkpoint.memory import InMemorySaver

from benchmarks.dojo._client import Dojo
from benchmarks.dojo._model import ObedientModel, Play, is_injected
from benchmarks.dojo._replay import Replay, replayed
from benchmarks.dojo._variants import APPROVER, PRINCIPAL, VARIANTS, Deployment, effects_of, read_policy, undefended
from benchmarks.dojo._world import Call, Opening, counted
from guarded_agents import Answer, Guard, GuardContext, Principal, sign
from guarded_agents.policy import Policy

_STEPS: Final = 400  # super-steps; the longest episode has some 40 turns


@dataclass(slots=True)
class Asked:
    """What a person was asked in one episode: calls, and how often the run stopped to ask."""

    own: int = 0
    injected: int = 0
    own_stops: int = 0
    injected_stops: int = 0

    def count(self, call_ids: Iterable[str]) -> None:
        """Count one stop at which the calls *call_ids* were shown."""
        injected = [is_injected(call_id) for call_id in call_ids]
        self.injected += sum(injected)
        self.own += len(injected) - sum(injected)
        self.injected_stops += any(injected)
        self.own_stops += not all(injected)


@dataclass(frozen=True, slots=True)
class Episode:
    """How one episode ended. *attack* is None for a benign one, *replay* where the attack's own calls were made."""

    task: str
    attack: str | None
    utility: bool
    attacked: bool
    reached: bool  # the injection was read
    injected_effects: int  # calls with an effect that were carried out beyond the user's own
    refused: int  # the user's own calls to which the answer was an error
    asked: Asked = field(default_factory=Asked)
    replay: Replay | None = None
    proposed: int = 0  # the attacker's calls


class Stage:
    """Plays the episodes of one suite in one variant."""

    def __init__(self, dojo: Dojo, suite: str, policy: Policy, deployment: Deployment | None) -> None:
        """Play *suite*, which *dojo* serves, guarded by *deployment*, undefended where that is None.

        *policy* says which tools have an effect, what their arguments mean, and which scopes the token grants.
        """
        self._dojo, self._suite, self._policy, self._deployment = dojo, suite, policy, deployment
        self._effects = effects_of(policy)
        principal = Principal(id=PRINCIPAL, scopes=policy.principals[PRINCIPAL].scopes)
        self._principal = principal

    async def play(self, task: str, attack: str | None, replay: Replay | None = None) -> Episode:
        """Play one episode and have it judged; with *replay*, *attack* says only where the injection stands."""
        opening = await self._dojo.begin(task, attack)

        async def attack_calls() -> list[Call]:
            if replay is None:
                return await self._dojo.attack()
            return replayed(opening, self._policy, self._suite, replay)

        play = Play(opening, attack_calls)
        model, asked = ObedientModel(play=play), Asked()
        if self._deployment is None:
            await self._undefended(model, opening["prompt"])
        else:
            async with self._deployment.guard() as guard:
                asked = await self._guarded(guard, model, opening, self._deployment.key)
        verdict = await self._dojo.judge(opening["answer"])
        beyond = counted(verdict["done"], self._effects) - counted(opening["calls"], self._effects)
        return Episode(
            task=task,
            attack=attack,
            replay=replay,
            utility=verdict["utility"],
            attacked=verdict["attacked"],
            reached=play.attack is not None,
            proposed=len(play.attack or ()),
            injected_effects=beyond.total(),
            refused=play.refused,
            asked=asked,
        )

    async def _undefended(self, model: ObedientModel, prompt: str) -> None:
        graph = undefended(model, await load_mcp_tools(self._dojo.session))
        await graph.ainvoke(_said(prompt), {"recursion_limit": _STEPS})

    async def _guarded(self, guard: Guard, model: ObedientModel, opening: Opening, key: Ed25519PrivateKey) -> Asked:
        agent = guard.agent(model, checkpointer=InMemorySaver()).with_config(recursion_limit=_STEPS)
        thread, asked = uuid.uuid4().hex, Asked()
        config: RunnableConfig = {"configurable": {"thread_id": thread}}
        context = GuardContext(principal=self._principal, plan=self._planned(opening["calls"]))
        await agent.ainvoke(_said(opening["prompt"]), config, context=context)
        while waiting := [found.value for found in (await agent.aget_state(config)).interrupts]:
            asked.count(shown["tool_call_id"] for shown in waiting)
            for shown in waiting:
                answer = Answer.REJECT if is_injected(shown["tool_call_id"]) else Answer.APPROVE
                await guard.vote(sign(guard.prepare(shown["request_id"], answer, approver=APPROVER), key))
            await guard.wake(agent, thread)
        return asked

    def _planned(self, calls: Iterable[Call]) -> tuple[str, ...]:
        """Return the tools with an effect that the user's own task takes: what a caller would pin for it."""
        return tuple(sorted({f"{self._suite}/{call['tool']}" for call in calls if call["tool"] in self._effects}))


@asynccontextmanager
async def staged(dojo: Dojo, suite: str, policy: Path, variant: str) -> AsyncIterator[Stage]:
    """Set the stage for *variant* of the suite, whose server the *policy* calls *suite*.

    Raises PolicyError, and ValueError where the policy does not name exactly the tools of the suite.
    """
    change, (parsed, written) = VARIANTS[variant], read_policy(policy)
    if change is None:
        yield Stage(dojo, suite, parsed, None)
        return
    with TemporaryDirectory(prefix="dojo-") as folder:
        deployment = Deployment(Path(folder), suite, dojo.session)
        await deployment.prepare(change(written))
        yield Stage(dojo, suite, parsed, deployment)


def _said(prompt: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": prompt}]}
