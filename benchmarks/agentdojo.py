"""AgentDojo with a model that obeys everything: ``python -m benchmarks.agentdojo`` (extra ``bench``).

Its suites run as real MCP servers, through the whole guarded graph: progress goes to standard error, one JSON document
to standard output. The suites travel and banking are left out on purpose: nothing here is tuned on them.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

os.environ.setdefault("LANGSMITH_TRACING", "false")  # before LangChain is imported: a benchmark sends nothing anywhere

from benchmarks.dojo._client import Dojo, served
from benchmarks.dojo._episode import Episode, Stage, staged
from benchmarks.dojo._metamorphic import changed_readings
from benchmarks.dojo._replay import Replay
from benchmarks.dojo._report import details_of, row_of
from benchmarks.dojo._variants import VARIANTS, read_policy
from benchmarks.dojo._weighed import Weighed
from benchmarks.dojo._world import Cases, World
from guarded_agents.policy import load_policy
from guarded_agents.records import ContentRule

POLICIES: Final = Path(__file__).with_name("policies")
_EVERY: Final = 20  # episodes between two lines of progress


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite: the world that serves it (MODULE:NAME), and its policy, which calls the server by the suite's name."""

    name: str
    world: str
    policy: Path


class Case(NamedTuple):
    """One episode to play: see `Stage.play`."""

    task: str
    attack: str | None
    replay: Replay | None


SUITES: Final = {
    name: Suite(name, f"benchmarks.dojo._agentdojo:{name}", POLICIES / f"{name}.yaml")
    for name in ("workspace", "slack")
}


async def measure(suites: Sequence[Suite], variants: Sequence[str], *, quick: bool) -> dict[str, object]:
    """Run *variants* over *suites*; return the report."""
    played: dict[str, dict[str, list[Episode]]] = {variant: {} for variant in variants}
    for suite in suites:
        async with served(suite.world) as dojo:
            for variant in variants:
                played[variant][suite.name] = await _played(dojo, suite, variant, quick=quick)
    return {
        "form": "quick" if quick else "full",
        "suites": [suite.name for suite in suites],
        "variants": {
            variant: {
                "all": row_of([episode for episodes in by_suite.values() for episode in episodes]),
                "suites": {name: row_of(episodes) | details_of(episodes) for name, episodes in by_suite.items()},
            }
            for variant, by_suite in played.items()
        },
    }


def metamorphic(suites: Sequence[Suite], changes: int) -> dict[str, object]:
    """Return what *changes* of what was read, for each call that was not permitted, turn into permits; without a plan.

    No graph and no server: `weigh` alone, over every task and pair.
    """
    report: dict[str, object] = {}
    for suite in suites:
        with redirect_stdout(sys.stderr):  # some checks of the suites print
            world = _world(suite)
            weighed = Weighed(world, suite.name, read_policy(suite.policy)[0], planned=False)
            report[suite.name] = changed_readings(weighed, world.cases(), changes)
    return {"changes_per_call": changes, "suites": report}


def prices(suites: Sequence[Suite]) -> dict[str, object]:
    """Return what each content rule costs and stops, in place of the policies' ``no_new_links``; without a plan.

    No graph and no server: `weigh` alone, over every task, pair and replay.
    """
    report: dict[str, object] = {}
    for rule in ContentRule:
        episodes: list[Episode] = []
        for suite in suites:
            written = suite.policy.read_text().replace("content: no_new_links", f"content: {rule.value}")
            with redirect_stdout(sys.stderr):
                world = _world(suite)
                policy = load_policy(written.encode(), source=f"{suite.policy} with {rule.value}")
                weighed = Weighed(world, suite.name, policy, planned=False)
                episodes += [weighed.play(*case) for case in _cases(world.cases(), quick=False)]
        report[rule.value] = row_of(episodes)
    return {"content_rules": report}


def _world(suite: Suite) -> World:
    module, _, maker = suite.world.partition(":")
    world: World = getattr(import_module(module), maker)()
    return world


async def _played(dojo: Dojo, suite: Suite, variant: str, *, quick: bool) -> list[Episode]:
    cases = _cases(await dojo.cases(), quick=quick)
    episodes, began = [], time.monotonic()
    async with staged(dojo, suite.name, suite.policy, variant) as stage:
        for number, case in enumerate(cases, start=1):
            episodes.append(await _one(stage, case))
            if number % _EVERY == 0 or number == len(cases):
                took = time.monotonic() - began
                print(f"{suite.name} {variant}: {number}/{len(cases)}, {took:.0f} s", file=sys.stderr, flush=True)
    return episodes


async def _one(stage: Stage, case: Case) -> Episode:
    try:
        return await stage.play(*case)
    except Exception as error:
        error.add_note(f"in the episode {case}")
        raise


def _cases(cases: Cases, *, quick: bool) -> list[Case]:
    """Return the benign episodes, then the pairs, then the replays; in the quick form of a tenth of the tasks."""
    tasks, attacks = (cases["tasks"][::10], cases["attacks"][::5]) if quick else (cases["tasks"], cases["attacks"])
    benign = [Case(task, None, None) for task in tasks]
    pairs = [Case(task, attack, None) for task in tasks for attack in attacks]
    return benign + pairs + [Case(task, attacks[0], form) for form in Replay for task in tasks]


def main() -> None:
    """Parse the command line and print the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agentdojo", description=__doc__)
    parser.add_argument("--suite", action="append", choices=SUITES, help="one suite; may be repeated")
    parser.add_argument("--variant", action="append", choices=VARIANTS, help="one variant; may be repeated")
    parser.add_argument("--quick", action="store_true", help="a few pairs, to see that everything runs")
    parser.add_argument("--metamorphic", type=int, metavar="N", help="only change what each held call has read N times")
    parser.add_argument("--prices", action="store_true", help="only weigh calls under each content rule: what it costs")
    parser.add_argument("--out", type=Path, help="write the report to this file too")
    given = parser.parse_args()
    if find_spec("agentdojo") is None:
        raise SystemExit("this needs the package agentdojo: run `make dojo`, or pip install '.[mcp,otel,bench]'")
    suites = [SUITES[name] for name in given.suite or SUITES]
    if given.metamorphic:
        report = metamorphic(suites, given.metamorphic)
    elif given.prices:
        report = prices(suites)
    else:
        report = asyncio.run(measure(suites, given.variant or list(VARIANTS), quick=given.quick))
    text = json.dumps(report, indent=2)
    if given.out is not None:
        given.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
