"""The same episodes without graph, store and server: each call goes through `weigh` alone, in one process.

It is what the rule and a policy are tuned by, in seconds where the graph takes many minutes, and what the metamorphic
measure plays: the figures that count are the graph's.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pydantic import JsonValue

from benchmarks.dojo._episode import Asked, Episode
from benchmarks.dojo._model import INJECTED, OWN, turns_of
from benchmarks.dojo._replay import Replay, replayed
from benchmarks.dojo._variants import effects_of
from benchmarks.dojo._world import Call, Opening, World
from guarded_agents.binding import canonical
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
from guarded_agents.records import UNEXPOSED, AuthorityTerms, Integrity, Labels

_KEY: Final = bytes(32)


class Weighed:
    """Plays the episodes of *suite*, whose calls are weighed by *policy*; with a plan, one of the user's own tools."""

    def __init__(self, world: World, suite: str, policy: Policy, *, planned: bool) -> None:
        """Prepare the rules of all tools."""
        self._world, self._suite, self._policy, self._planned = world, suite, policy, planned
        self._effects = effects_of(policy)
        self._terms = {tool: _terms(policy, f"{suite}/{tool.name}") for tool in ()}
        self._terms = {key.partition("/")[2]: _terms(policy, key) for key in policy.tools}
        self._rules = {name: compile_authority(terms) for name, terms in self._terms.items()}

    def play(self, task: str, attack: str | None, replay: Replay | None = None) -> Episode:
        """Play one episode and have it judged; see `Stage.play`."""
        run = self._started(task, attack, replay)
        self._run_on(run)
        verdict = self._world.judge(run.opening["answer"])
        beyond = self._counted(verdict["done"]) - self._counted(run.opening["calls"])
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

    def _started(self, task: str, attack: str | None, replay: Replay | None) -> "_Run":
        opening = self._world.begin(task, attack)
        plan = None
        if self._planned:
            own = {f"{self._suite}/{call['tool']}" for call in opening["calls"] if call["tool"] in self._effects}
            plan = Plan(tools=tuple(sorted(own)))
        facts = Facts(_KEY, UNEXPOSED, (UserText("user", opening["prompt"]),), plan=plan)
        return _Run(opening, facts, replay)

    def _run_on(self, run: "_Run") -> None:
        for turn in turns_of(run.opening["calls"]):
            self._turn(run, OWN, turn)
            marker = run.opening["marker"]
            if run.attack is None and marker and marker in run.read:
                run.attack = self._world.attack() if run.replay is None else self._replayed(run)
                for call in run.attack:
                    self._turn(run, INJECTED, [call])

    def _replayed(self, run: "_Run") -> list[Call]:
        return replayed(run.opening, self._policy, self._suite, run.replay or Replay.LINK)

    def _turn(self, run: "_Run", whose: str, calls: Sequence[Call]) -> None:
        """Weigh all calls of a turn by what is on record before it, ask at once about those that lack something."""
        weighed, facts, asked = list[tuple[Call, Ruling]](), run.facts, list[str]()
        for call in calls:
            said = weigh(_canonical(call["args"]), self._rules[call["tool"]], facts)
            run.weighed.append((call, run.facts, said.ruling))
            weighed.append((call, said.ruling))
            if said.use is not None and said.ruling is not Ruling.DENY:
                facts = facts.spending(said.use)
            if said.ruling is Ruling.ASK:
                asked.append(f"{whose}-")
                run.lacks.update((whose, call["tool"], miss.lack.value, miss.argument) for miss in said.misses)
        if asked:
            run.asked.count(asked)
        for call, ruling in weighed:
            if ruling is Ruling.UNATTENDED or (ruling is Ruling.ASK and whose == OWN):
                self._do(run, call, attended=ruling is Ruling.ASK)
            elif whose == OWN:
                run.refused += 1

    def _do(self, run: "_Run", call: Call, *, attended: bool) -> None:
        tool, rule, number = call["tool"], self._rules[call["tool"]], len(run.facts.results)
        arguments = _canonical(call["args"])
        said = weigh(arguments, rule, run.facts)
        if said.use is not None:
            run.facts = run.facts.spending(said.use)
        if attended:
            agreed = endorsements(arguments, rule, approval=f"request-{number}", key=_KEY)
            run.facts = replace(run.facts, endorsed=(*run.facts.endorsed, *agreed))
        value: JsonValue
        terms = self._terms[tool].result
        try:
            text, value = self._world.call(tool, call["args"])
            labels = result_labels(value, terms)
        except Exception as error:  # noqa: BLE001 - whatever a tool raises is its answer
            text = value = str(error)
            labels = terms.labels
            run.refused += 1
        run.read += text
        seen = SeenResult(f"message-{number}", self._suite, tool, value, terms)
        run.facts = replace(run.facts, labels=run.facts.labels.join(labels), results=(*run.facts.results, seen))

    def _counted(self, calls: Iterable[Call]) -> Counter[bytes]:
        return Counter(
            canonical({"tool": call["tool"], "args": call["args"]}) for call in calls if call["tool"] in self._effects
        )


@dataclass
class _Run:
    opening: Opening
    facts: Facts
    replay: Replay | None
    read: str = ""
    attack: list[Call] | None = None
    refused: int = 0
    asked: Asked = field(default_factory=Asked)
    weighed: list[tuple[Call, Facts, Ruling]] = field(default_factory=list)
    lacks: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)


def _terms(policy: Policy, key: str) -> AuthorityTerms:
    found = authority_terms(policy, key)
    if found is None:
        raise LookupError(key)
    return found


def _canonical(arguments: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return dict(arguments)
