"""Decision time and building time by the number of tools (DESIGN section 9, row 3)."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

from pydantic import JsonValue

from benchmarks._measure import Rounds, Row, Spent, timed, us
from guarded_agents.catalog import Catalog, Lockfile, ToolDefinition, make_lock
from guarded_agents.errors import ConfigurationError
from guarded_agents.policy import Policy, RulePolicy, load_policy
from guarded_agents.records import AccessRequest, Labels, Principal

_NOW: Final = datetime(2026, 1, 5, 10, tzinfo=UTC)
_ASKING: Final = Principal(id="clerk", scopes=("records:read",))
_ARGUMENTS: Final[dict[str, JsonValue]] = {"record_id": "rec-000123", "limit": 5}
_SCHEMA: Final[dict[str, JsonValue]] = {
    "type": "object",
    "properties": {"record_id": {"type": "string"}, "limit": {"type": "integer"}},
    "required": ["record_id"],
}
_ASKED: Final = 10  # tools that are asked about, spread over all
_FLAT: Final = 1.5
_BUILT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Deployment:
    """Files of so many tools, parsed."""

    policy: Policy
    lockfile: Lockfile
    policy_s: float  # what reading the policy file took
    lockfile_s: float


def deployment(tools: int) -> Deployment:
    """Return a policy and a lockfile of so many tools, each with a condition on its arguments."""
    rule = '{scope: "records:read", effect: read, permit_when: "args.limit <= 100"}'
    rows = "".join(f"  s/tool_{number}: {rule}\n" for number in range(tools))
    text = f'version: 1\nprincipals:\n  clerk: {{scopes: ["records:read"]}}\ntools:\n{rows}'.encode()
    start = time.process_time()
    policy = load_policy(text, source="policy.yaml")
    policy_s = time.process_time() - start
    start = time.process_time()
    lockfile = make_lock([_definition(number) for number in range(tools)])
    return Deployment(policy, lockfile, policy_s, time.process_time() - start)


class Decider:
    """A catalogue and a policy that are asked as the guard asks them."""

    def __init__(self, files: Deployment) -> None:
        """Build both, as `Guard.open` does, and observe the server. Raises ConfigurationError where a tool drifted."""
        definitions = [tool.definition for tool in files.lockfile.tools]
        start = time.process_time()
        self._catalog, self._policy = Catalog(files.lockfile), RulePolicy(files.policy)
        self._catalog.observe("s", definitions)
        self.built_s = time.process_time() - start
        if self._catalog.quarantine:
            raise ConfigurationError("tools", expected="none in quarantine", got="some", action="correct the benchmark")
        aliases = [tool.alias for tool in self._catalog]
        self._asked = aliases[:: max(1, len(aliases) // _ASKED)][:_ASKED]

    async def ask(self, times: int) -> None:
        """Decide so many calls. Raises RuntimeError where one is denied."""
        catalog, policy, labels = self._catalog, self._policy, Labels()
        for number in range(times):
            tool = catalog.resolve(self._asked[number % len(self._asked)])
            if tool is None or catalog.quarantine_reason(tool.ref.key) is not None:
                raise RuntimeError("a tool is missing")
            request = AccessRequest(_ASKING, "default", tool.ref, _ARGUMENTS, labels)
            if not tool.arguments.accepts(_ARGUMENTS) or not policy.decide(request, now=_NOW).permitted:
                raise RuntimeError("a call was denied")


async def deciding(*, sizes: Sequence[int], calls: int, rounds: int) -> AsyncIterator[Row]:
    """Yield the time of a decision at each of *sizes*, and what it took to build the largest."""
    files = {size: deployment(size) for size in sizes}
    deciders = {size: Decider(found) for size, found in files.items()}
    spent = Rounds({str(size): _asked(decider, calls) for size, decider in deciders.items()})
    await spent.run(rounds)
    few, many = str(sizes[0]), str(sizes[-1])
    for size in sizes:
        yield Row(f"one decision among {size} tools", us(spent.values(str(size))), "us of CPU")
    ratio = spent.ratio(many, few)
    yield Row(f"a decision among {many} tools against {few}", ratio.median, "ratio of CPU", _FLAT, ratio.interval)
    for row in _building(sizes[-1], files[sizes[-1]], deciders[sizes[-1]]):
        yield row


def _building(size: int, files: Deployment, decider: Decider) -> Iterator[Row]:
    yield Row(f"building catalogue and policy of {size} tools, observed", decider.built_s, "s of CPU", _BUILT_S)
    yield Row(f"reading a policy file of {size} tools", files.policy_s, "s of CPU")
    yield Row(f"making a lockfile of {size} tools", files.lockfile_s, "s of CPU")


def _asked(decider: Decider, calls: int) -> Callable[[], Awaitable[Spent]]:
    return partial(timed, partial(decider.ask, calls), units=calls)


def _definition(number: int) -> ToolDefinition:
    return ToolDefinition(
        server="s",
        name=f"tool_{number}",
        title=None,
        description=f"Tool {number}.",
        input_schema=_SCHEMA,
        output_schema=None,
    )
