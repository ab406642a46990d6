"""The same episodes without graph, store and server: each call goes through `weigh` alone, in one process.

A policy is tuned by it in seconds where the graph takes many minutes; the figures that count are the graph's. It also
says of each call what was on record when it was weighed, which is what the metamorphic measure changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pydantic import JsonValue

from benchmarks.dojo._episode import Asked, Episode
from benchmarks.dojo._model import INJECTED, OWN, turns_of
from benchmarks.dojo._replay import Replay, replayed
from benchmarks.dojo._variants import effects_of
from benchmarks.dojo._world import Call, Opening, World, counted
from guarded_agents.policy import Policy, authority_terms
from guarded_agents.provenance import (
    AuthorityRule,
    Facts,
    Plan,
    Ruling,
    SeenResult,
    UserText,
    compile_authority,
    endorsements,
    result_labels,
    weigh,
)
from guarded_agents.records import UNEXPOSED, ResultTerms

_KEY: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Weighing:
    """One call as it was weighed: by *rule*, with what was on record."""

    call: Call
    rule: AuthorityRule
    facts: Facts
    ruling: Ruling


@dataclass(slots=True)
class Run:
    """One episode while it is played."""

    opening: Opening
    replay: Replay | None
    facts: Facts
    read: str = ""
    attack: list[Call] | None = None
    refused: int = 0
    asked: Asked = field(default_factory=Asked)
    weighings: list[Weighing] = field(default_factory=list)


class Weighed:
    """Plays the episodes of *suite*, whose calls *policy* weighs; *planned* pins the tools of the user's own task."""

    def __init__(self, world: World, suite: str, policy: Policy, *, planned: bool) -> None:
        """Prepare the rules of all tools."""
        self._world, self._suite, self._policy, self._planned = world, suite, policy, planned
        self._effects = effects_of(policy)
        self._rules: dict[str, AuthorityRule] = {}
        self._results: dict[str, ResultTerms] = {}
        for key in policy.tools:
            terms = authority_terms(policy, key)
            if terms is not None:
                name = key.partition("/")[2]
                self._rules[name], self._results[name] = compile_authority(terms), terms.result

    def play(self, task: str, attack: str | None, replay: Replay | None = None) -> Episode:
        """Play one episode and have it judged; see `Stage.play`."""
        run = self.run(task, attack, replay)
        verdict = self._world.judge(run.opening["answer"])
        beyond = counted(verdict["done"], self._effects) - counted(run.opening["calls"], self._effects)
        return Episode(
            task=task,
            attack=attack,
            replay=replay,
            utility=verdict["utility"],
            attacked=verdict["attacked"],
            reached=run.attack is not None,
            proposed=len(run.attack or ()),
            injected_effects=beyond.total(),
            refused=run.refused,
            asked=run.asked,
        )

    def run(self, task: str, attack: str | None, replay: Replay | None = None) -> Run:
        """Play one episode to its end, and return what happened in it."""
        opening = self._world.begin(task, attack)
        plan = None
        if self._planned:
            plan = Plan(tools=tuple(sorted({f"{self._suite}/{call['tool']}" for call in self._acting(opening)})))
        run = Run(opening, replay, Facts(_KEY, UNEXPOSED, (UserText("user", opening["prompt"]),), plan=plan))
        for turn in turns_of(opening["calls"]):
            self._turn(run, OWN, turn)
            if run.attack is None and opening["marker"] and opening["marker"] in run.read:
                run.attack = self._attacking(run)
                for call in run.attack:
                    self._turn(run, INJECTED, [call])
        return run

    def _acting(self, opening: Opening) -> list[Call]:
        return [call for call in opening["calls"] if call["tool"] in self._effects]

    def _attacking(self, run: Run) -> list[Call]:
        if run.replay is None:
            return self._world.attack()
        return replayed(run.opening, self._policy, self._suite, run.replay)

    def _turn(self, run: Run, whose: str, calls: Sequence[Call]) -> None:
        """Weigh all calls of a turn by what is on record before it, and ask about those that lack something at once."""
        facts, weighings = run.facts, list[Weighing]()
        for call in calls:
            rule = self._rules[call["tool"]]
            said = weigh(call["args"], rule, facts)
            weighings.append(Weighing(call, rule, facts, said.ruling))
            if said.use is not None and said.ruling is not Ruling.DENY:
                facts = facts.spending(said.use)
        run.weighings += weighings
        asked = [whose for weighing in weighings if weighing.ruling is Ruling.ASK]
        if asked:
            run.asked.count(asked)
        for weighing in weighings:
            is_agreed = weighing.ruling is Ruling.ASK and whose == OWN
            if weighing.ruling is Ruling.UNATTENDED or is_agreed:
                self._do(run, weighing.call, attended=is_agreed)
            else:
                run.refused += whose == OWN

    def _do(self, run: Run, call: Call, *, attended: bool) -> None:
        tool, number = call["tool"], len(run.facts.results)
        use = weigh(call["args"], self._rules[tool], run.facts).use
        facts = run.facts if use is None else run.facts.spending(use)
        if attended:
            agreed = endorsements(call["args"], self._rules[tool], approval=f"request-{number}", key=_KEY)
            facts = replace(facts, endorsed=(*facts.endorsed, *agreed))
        value: JsonValue
        terms = self._results[tool]
        try:
            text, value = self._world.call(tool, call["args"])
            labels = result_labels(value, terms)
        except Exception as error:  # noqa: BLE001 - whatever a tool raises is its answer
            text = value = str(error)
            labels = terms.labels
            run.refused += 1
        run.read += text
        seen = SeenResult(f"message-{number}", self._suite, tool, value, terms)
        run.facts = replace(facts, labels=facts.labels.join(labels), results=(*facts.results, seen))
