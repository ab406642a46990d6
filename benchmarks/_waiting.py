"""Many requests that wait (DESIGN section 9, row 5): listing them, and letting their time pass."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks._measure import Row
from guarded_agents.approval import open_request
from guarded_agents.audit import Kind
from guarded_agents.binding import bind
from guarded_agents.records import (
    UNEXPOSED,
    AccessRequest,
    ApprovalObligation,
    ApprovalRequest,
    Decision,
    Effect,
    Principal,
    Proposal,
    QueueLimits,
    Reason,
    RequestStatus,
    ToolEffect,
    ToolRef,
)
from guarded_agents.stores import AuditNote, SqliteStore

_NOW: Final = datetime(2026, 1, 5, 10, tzinfo=UTC)
_KEY: Final = bytes(32)
_TEN_THOUSAND: Final = 10_000
_PAGE_MS: Final = 5.0
_ALL_MS: Final = 100.0
_SWEEP_S: Final = 2.0
_ROUNDS: Final = 5
_TOOL: Final = ToolRef("payments", "refund", "d" * 64)
_MEMBERS: Final = ("ana@example.com", "raj@example.com")
_ASKER: Final = Principal(id="desk-agent", scopes=("refunds:write",))


async def waiting(*, requests: int) -> AsyncIterator[Row]:
    """Yield the time for the first page of *requests* pending ones, for all of them, and for one sweep."""
    with tempfile.TemporaryDirectory(prefix="guarded-agents-bench-") as folder:
        store = SqliteStore.open(Path(folder) / "guard.db")
        await _fill(store, requests)
        share = requests / _TEN_THOUSAND
        yield Row(f"first page of {requests} pending", _ms(store.requests), "ms", _PAGE_MS)
        yield Row(f"all of {requests} pending", _ms(lambda: store.requests(limit=requests)), "ms", _ALL_MS * share)
        start = time.perf_counter()
        swept = await store.sweep(now=_NOW + timedelta(days=2))
        swept_s = time.perf_counter() - start
        left = store.requests(status=RequestStatus.PENDING)
        await store.aclose()
    if len(swept.expired) != requests or left:
        raise RuntimeError("the sweep left something")
    yield Row(f"one sweep that expires {requests}, each with an audit entry", swept_s, "s", _SWEEP_S * share)


async def _fill(store: SqliteStore, requests: int) -> None:
    limits = QueueLimits(per_group=requests, per_principal=requests, per_tenant=requests)
    note = AuditNote(Kind.APPROVAL, {"status": RequestStatus.PENDING.value})
    made = [_request(number) for number in range(requests)]
    for _, proposal in made:
        await store.propose([proposal], durable=True, now=_NOW)
    await asyncio.gather(*(store.hold(request, note, limits=limits, now=_NOW) for request, _ in made))


def _request(number: int) -> tuple[ApprovalRequest, Proposal]:
    bound = bind(
        key=_KEY,
        requester=_ASKER.id,
        place=(f"thread-{number}", "entry", 1),
        tool=_TOOL.key,
        call_id=f"call-{number}",
        arguments={"order_id": f"A-{number}", "amount_cents": 7_000, "note": "damaged in transit " * 10},
    )
    decision = Decision(
        Effect.PERMIT,
        "permit:payments/refund",
        Reason.PERMITTED,
        tool_effect=ToolEffect.WRITE,
        irreversible=number % 2 == 0,
        approval=ApprovalObligation("refund-over-50", "finance", _MEMBERS, 1, 3_600 + number, 900),
    )
    access = AccessRequest(_ASKER, "main", _TOOL, bound.arguments, UNEXPOSED)
    request = open_request(bound, access, decision, members=frozenset(_MEMBERS), key=_KEY, now=_NOW)
    return request, Proposal(bound.key, _TOOL.key, bound.call_id, bound.canonical, consequential=True, labels=UNEXPOSED)


def _ms(read: Callable[[], object]) -> float:
    """Return the median of 5, in milliseconds of elapsed time."""
    spent = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        read()
        spent.append(time.perf_counter() - start)
    return median(spent) * 1e3
