"""A guarded turn against an unguarded one on the same held session (DESIGN section 9, row 1)."""

import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Final

from langchain_core.tools import BaseTool
from langchain_mcp_adapters.tools import load_mcp_tools
from langgraph.checkpoint.base import BaseCheckpointSaver
from mcp import ClientSession

from benchmarks._agents import CountingModel, Graph, run, unguarded
from benchmarks._measure import AA_WIDTH, Rounds, Row, us
from benchmarks._sessions import saver_of, session_over
from benchmarks.factory import Variant, guarded, opened
from guarded_agents.records import ToolEffect

BASE: Final = "unguarded"
AGAIN: Final = "unguarded again (A/A)"
READS: Final = {"reads, spans": (Variant(), 0.90), "reads, no spans": (Variant(spans=False), 0.85)}
CLASSIFIED: Final = {"reads, spans, classifier": (Variant(classifier=True), None)}  # reported, without a target
EFFECTS: Final = {"effects, spans": (Variant(effect=ToolEffect.WRITE), 1.00)}
UNSTRUCTURED: Final = {"reads without output schema, spans": (Variant(), 1.05)}


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: turns a run, rounds at a time, and seconds after which no more rounds begin."""

    turns: int
    rounds: int
    max_s: float


async def compare(transport: str, saver: str, effort: Effort, *, structured: bool = True) -> list[Row]:
    """Return the rows of one transport and one checkpointer, all variants interleaved in this process.

    Rounds go on until the A/A interval is narrower than 0.06, or the time is over.
    """
    variants = READS | CLASSIFIED | EFFECTS if structured else UNSTRUCTURED
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(session_over(transport, structured=structured))
        checkpointer = await stack.enter_async_context(saver_of(saver))
        tools = await load_mcp_tools(session)
        graphs = {name: _plain(tools, checkpointer) for name in (BASE, AGAIN)}
        for name, (variant, _) in variants.items():
            graphs[name] = await _guarded(stack, session, variant, checkpointer)
        rounds = Rounds({name: partial(run, graph, effort.turns) for name, graph in graphs.items()})
        end = time.monotonic() + effort.max_s
        await rounds.run(effort.rounds)
        while rounds.ratio(AGAIN, BASE).width >= AA_WIDTH and time.monotonic() < end:
            await rounds.run(effort.rounds)
    where = f"{transport} transport, {saver} saver"
    return list(_rows(rounds, where, {name: target for name, (_, target) in variants.items()}))


def _plain(tools: list[BaseTool], checkpointer: BaseCheckpointSaver[str]) -> Graph:
    return unguarded(CountingModel(), tools, checkpointer=checkpointer)


async def _guarded(
    stack: AsyncExitStack, session: ClientSession, variant: Variant, checkpointer: BaseCheckpointSaver[str]
) -> Graph:
    guard = await stack.enter_async_context(opened(session, variant))
    return guarded(guard, CountingModel(), checkpointer)


def _rows(rounds: Rounds, where: str, targets: dict[str, float | None]) -> Iterator[Row]:
    again = rounds.ratio(AGAIN, BASE)
    clean = again.width < AA_WIDTH and again.interval[0] <= 1 <= again.interval[1]
    yield Row(
        f"A/A: {where}",
        again.median,
        "ratio of CPU per turn",
        interval=again.interval,
        more={"usable": clean, "rounds": len(rounds.spent[BASE]), "unguarded_cpu_us": us(rounds.values(BASE))},
    )
    for name, target in targets.items():
        clocks = {"CPU": "cpu_s", "wall": "wall_s"} if name in EFFECTS else {"CPU": "cpu_s"}
        for clock, key in clocks.items():
            ratio = rounds.ratio(name, BASE, clock=key)
            yield Row(
                f"{name}: {where}",
                ratio.median,
                f"ratio of {clock} per turn",
                target=target if name not in EFFECTS or clock == "wall" else None,
                interval=ratio.interval,
                more={
                    "usable": clean,
                    "guarded_us": us(rounds.values(name, clock=key)),
                    "unguarded_us": us(rounds.values(BASE, clock=key)),
                },
            )
