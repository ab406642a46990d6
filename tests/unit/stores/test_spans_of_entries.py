"""Entries name the span that they were made in, however many are written at once."""

import asyncio
import json
from pathlib import Path

import pytest
from opentelemetry.context import attach, detach
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from guarded_agents.audit import Kind
from guarded_agents.stores import AuditNote, SqliteStore
from tests.support.stores import TEN

TASKS = 200


@pytest.mark.requirement("telemetry:one-picture")
async def test_of_many_tasks_each_entry_names_the_span_of_its_own(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "guard.db")

    async def write(number: int) -> None:
        context = SpanContext(number, number, is_remote=False, trace_flags=TraceFlags(1))
        token = attach(set_span_in_context(NonRecordingSpan(context)))
        try:
            store.note([AuditNote(Kind.DECISION, {"n": number})], now=TEN)
            await asyncio.sleep(0)
            await store.append([AuditNote(Kind.INTENT, {"n": number})], now=TEN)
            store.note([AuditNote(Kind.OUTCOME, {"n": number})], now=TEN)
        finally:
            detach(token)

    await asyncio.gather(*map(write, range(1, TASKS + 1)))
    store.note([AuditNote(Kind.NOTICE, {"n": 0})], now=TEN)
    await store.append([AuditNote(Kind.NOTICE, {"n": 0})], now=TEN)
    fields = [json.loads(stored)["fields"] for _, stored, _ in store.audit_rows()]
    await store.aclose()
    assert len(fields) == 3 * TASKS + 2
    assert {(one["n"], int(one.get("span_id", "0"), 16), int(one.get("trace_id", "0"), 16)) for one in fields} == {
        (number, number, number) for number in range(TASKS + 1)
    }
