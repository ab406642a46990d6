"""What a suite of tasks is to the harness, and what the harness says to its server besides MCP.

The words of the control channel are the methods of `World`: one JSON object a line, ``{"do": …, …}``, answered by one.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from mcp.types import Tool
from pydantic import JsonValue
from typing_extensions import TypedDict  # pydantic reads it, and needs this one on Python 3.11


class Call(TypedDict):
    """One tool call: the tool's own name and its arguments."""

    tool: str
    args: dict[str, JsonValue]


def counted(calls: Iterable[Call], tools: Collection[str]) -> Counter[str]:
    """Return how often each call occurs among *calls*, of those to *tools*, its arguments as JSON with sorted keys."""
    return Counter(json.dumps(call, sort_keys=True) for call in calls if call["tool"] in tools)


class Cases(TypedDict):
    """What a world has: the ids of its user tasks and of its attacks, in its own order."""

    tasks: list[str]
    attacks: list[str]


class Opening(TypedDict):
    """How an episode begins: what the user writes, the calls that do it, what is answered in the end.

    *marker* is a word that stands in each injected text, by which the model knows that one has reached it; an empty
    text where nothing is injected.
    """

    prompt: str
    calls: list[Call]
    answer: str
    marker: str


class Verdict(TypedDict):
    """How an episode ended, judged in the environment: *done* are the calls that it carried out, in their order."""

    utility: bool
    attacked: bool  # the attacker's goal was reached
    done: list[Call]


class World(Protocol):
    """A suite over one environment, which `begin` makes anew."""

    def cases(self) -> Cases:
        """Return what there is to run."""
        ...

    def tools(self) -> Sequence[Tool]:
        """Return the tools as tools/list tells them."""
        ...

    def begin(self, task: str, attack: str | None) -> Opening:
        """Start an episode over a fresh environment, into which *attack* has injected its text."""
        ...

    def attack(self) -> list[Call]:
        """Return the calls that the injected text asks for, with what they refer to as it stands now."""
        ...

    def call(self, tool: str, args: Mapping[str, JsonValue]) -> tuple[str, dict[str, JsonValue]]:
        """Carry out one call in the environment; return its text and its structured content.

        Raises whatever the tool raises: that is the tool's error.
        """
        ...

    def judge(self, answer: str) -> Verdict:
        """Judge the episode that *answer* ended."""
        ...
