"""The sections of the report, and how much each form of it measures."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import product
from typing import Final

from benchmarks import _turns
from benchmarks._alone import alone as _alone
from benchmarks._audit_log import audit_log
from benchmarks._deciding import deciding as _deciding
from benchmarks._documented import documented as _documented
from benchmarks._hostile import HOSTILE
from benchmarks._long_runs import long_runs as _long_runs
from benchmarks._measure import Row
from benchmarks._screening import screening as _screening
from benchmarks._sessions import SAVERS, TRANSPORTS
from benchmarks._waiting import waiting as _waiting


@dataclass(frozen=True, slots=True)
class Form:
    """How much is measured."""

    effort: _turns.Effort
    transports: tuple[str, ...]
    documented_rounds: int
    alone_calls: int
    alone_rounds: int
    tools: tuple[int, ...]
    decisions: int
    long_turns: int
    long_window: int
    entries: int
    pending: int
    hostile: tuple[str, ...]
    hostile_kb: tuple[int, ...]


FULL: Final = Form(
    effort=_turns.Effort(turns=10, rounds=20, max_s=90),
    transports=TRANSPORTS,
    documented_rounds=3,
    alone_calls=200,
    alone_rounds=25,
    tools=(10, 100, 1_000, 10_000),
    decisions=1_000,
    long_turns=1_000,
    long_window=100,
    entries=1_000_000,
    pending=10_000,
    hostile=tuple(HOSTILE),
    hostile_kb=(12, 1_000),
)
QUICK: Final = Form(
    effort=_turns.Effort(turns=2, rounds=2, max_s=0),
    transports=("memory",),
    documented_rounds=0,
    alone_calls=20,
    alone_rounds=3,
    tools=(10, 100),
    decisions=50,
    long_turns=12,
    long_window=4,
    entries=1_000,
    pending=200,
    hostile=tuple(HOSTILE)[:3],
    hostile_kb=(12,),
)


async def turns(form: Form) -> AsyncIterator[Row]:
    """Yield guarded against unguarded turns, over each transport and checkpointer."""
    for transport, saver in product(form.transports, SAVERS):
        for row in await _turns.compare(transport, saver, form.effort):
            yield row


async def unstructured(form: Form) -> AsyncIterator[Row]:
    """Yield tools without an output schema, where the unguarded client has nothing to validate."""
    for row in await _turns.compare("memory", "memory", form.effort, structured=False):
        yield row


async def documented(form: Form) -> AsyncIterator[Row]:
    """Yield a guarded turn against one of the tools of `MultiServerMCPClient.get_tools`."""
    async for row in _documented(rounds=form.documented_rounds):
        yield row


async def alone(form: Form) -> AsyncIterator[Row]:
    """Yield the guard without a graph."""
    async for row in _alone(calls=form.alone_calls, rounds=form.alone_rounds):
        yield row


async def deciding(form: Form) -> AsyncIterator[Row]:
    """Yield decision and building time by the number of tools."""
    async for row in _deciding(sizes=form.tools, calls=form.decisions, rounds=form.alone_rounds):
        yield row


async def long_runs(form: Form) -> AsyncIterator[Row]:
    """Yield the growth of a turn over a long run."""
    async for row in _long_runs(turns=form.long_turns, window=form.long_window):
        yield row


async def audit(form: Form) -> AsyncIterator[Row]:
    """Yield appending to the audit log and verifying it."""
    async for row in audit_log(entries=form.entries):
        yield row


async def waiting(form: Form) -> AsyncIterator[Row]:
    """Yield listing many pending requests, and one sweep over them."""
    async for row in _waiting(requests=form.pending):
        yield row


async def screening(form: Form) -> AsyncIterator[Row]:
    """Yield the screening of ordinary and of hostile texts."""
    async for row in _screening(units=form.hostile, sizes_kb=form.hostile_kb):
        yield row


SECTIONS: Final[dict[str, Callable[[Form], AsyncIterator[Row]]]] = {
    "turns": turns,
    "unstructured": unstructured,
    "documented": documented,
    "alone": alone,
    "deciding": deciding,
    "long_runs": long_runs,
    "audit": audit,
    "waiting": waiting,
    "screening": screening,
}
