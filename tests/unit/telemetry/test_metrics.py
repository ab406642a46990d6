"""Metrics: a bounded number of series, and every guard of a process."""

from collections.abc import Mapping
from typing import Any

import pytest

from guarded_agents.errors import StoreError
from guarded_agents.records import BoundCall, CallKey, Decision, Effect, Reason
from guarded_agents.telemetry import MAX_SERIES, Metrics, Sources
from tests.support.watched import Metered

CALL = BoundCall(CallKey("t", "e", 1, "d", 0), "bank/balance", "c", b"{}", {})


def of_store(log: str, pending: Any = 1, reopened: Mapping[str, int] | None = None) -> Sources:
    return Sources(
        log=log,
        waiting=lambda: (pending() if callable(pending) else pending, 60.0),
        doubts=lambda: 2,
        unreviewed=lambda: 1,
        entries=lambda: 3,
        verified=lambda: 3,
        verified_age=lambda: 2.5,
        quarantined=lambda: {"bank": 1},
        reopened=lambda: reopened or {},
    )


def gone() -> int:
    raise StoreError("store", expected="an open one", got="a closed one", action="open it")


def test_a_counter_has_a_bounded_number_of_series() -> None:
    metered = Metered()
    metrics = Metrics(metered.provider)
    for number in range(MAX_SERIES + 50):
        metrics.decided("execute", CALL, Decision(Effect.PERMIT, f"rule-{number}", Reason.PERMITTED), None)
    counts = metered.counts("guarded_agents.decisions", "guarded_agents.rule")
    assert len(counts) == MAX_SERIES + 1
    assert counts["_OTHER",] == 50
    assert counts["rule-7",] == 1


@pytest.mark.parametrize("kinds", [("injection",), ("injection", "hidden"), ()], ids=len)
def test_findings_are_counted_by_kind(kinds: tuple[str, ...]) -> None:
    metered = Metered()
    Metrics(metered.provider).found("tool_result", "ask", kinds)
    counts = metered.counts(
        "guarded_agents.screening.findings", "guarded_agents.finding.kind", "guarded_agents.finding.required"
    )
    assert counts == {(kind, "ask"): 1 for kind in kinds}


def test_a_wait_is_never_negative() -> None:
    metered = Metered()
    Metrics(metered.provider).approval("approved", "finance", waited_s=-5.0)
    [point] = metered.points()["guarded_agents.approval.wait"]
    assert point.sum == 0.0


def test_every_guard_of_a_process_is_looked_at_and_a_closed_one_says_nothing() -> None:
    metered = Metered()
    first, second = Metrics(metered.provider), Metrics(metered.provider)
    first.observe(of_store("one", reopened={"mail": 4}))
    second.observe(of_store("two", pending=gone))
    log = "guarded_agents.audit.log"
    assert metered.counts("guarded_agents.approvals.pending", log) == {("one",): 1}
    assert metered.counts("guarded_agents.calls.in_doubt", log) == {("one",): 2, ("two",): 2}
    assert metered.counts("guarded_agents.audit.entries", log) == {("one",): 3, ("two",): 3}
    assert metered.counts("guarded_agents.sessions.reopened", log, "guarded_agents.server") == {("one", "mail"): 4}


def test_a_guard_that_is_gone_is_not_kept_for_its_metrics() -> None:
    metered = Metered()
    metrics = Metrics(metered.provider)
    metrics.observe(of_store("one"))
    del metrics
    assert metered.counts("guarded_agents.audit.entries") == {}


def test_without_a_provider_nothing_happens() -> None:
    metrics = Metrics()
    metrics.observe(of_store("one"))
    metrics.screened(0.1)
    metrics.appended(0.1)
    metrics.approval("pending", "finance")
