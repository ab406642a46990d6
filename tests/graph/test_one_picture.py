"""A run over six processes and two servers is one connected picture at a real OTLP receiver, without a value in it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from graphs._database import rows
from graphs._run import ROOT
from guarded_agents.approval import allowed_signers_line, load_private_key
from guarded_agents.keys import new_approver_key
from tests.support.collector import Collector, collecting
from tests.support.picture import NOTE, ORDERS, SECRET, make

PEOPLE = ("ana@example.com", "raj@example.com")
DESK = ("execute_tool orders/get_order", "execute_tool payments/refund")


def environment(collector: Collector, **more: str) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return plain | {"PYTHONPATH": str(ROOT), "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **more}


def ran(*words: str, env: dict[str, str]) -> str:
    done = subprocess.run([sys.executable, *words], env=env, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextmanager
def orders(folder: Path, env: dict[str, str]) -> Iterator[str]:
    """Yield the address of the HTTP server; it ends in peace, so that its last spans are sent."""
    words = [sys.executable, "-m", "tests.support.picture", "orders", str(folder)]
    with subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=20)


def connected(spans: list[Any]) -> bool:
    """Return whether parents and links lead from each span to each other."""
    near: dict[bytes, set[bytes]] = {span.span_id: set() for span in spans}
    for span in spans:
        for other in (*(link.span_id for link in span.links), span.parent_span_id):
            if other:
                near[span.span_id].add(other)
                near[other].add(span.span_id)  # KeyError: it resolves to no span that arrived
    reached, ahead = set[bytes](), [spans[0].span_id]
    while ahead:
        here = ahead.pop()
        if here not in reached:
            reached.add(here)
            ahead += near[here]
    return reached == near.keys()


@pytest.mark.timeout(180)
@pytest.mark.requirement("telemetry:one-picture")
@pytest.mark.requirement("I10")
def test_a_run_over_many_processes_is_one_connected_picture_without_a_value(tmp_path: Path) -> None:
    for person in PEOPLE:
        new_approver_key(tmp_path / person)
    keys = {person: load_private_key((tmp_path / person).read_bytes()).public_key() for person in PEOPLE}
    (tmp_path / "allowed_signers").write_text("".join(f"{allowed_signers_line(*item)}\n" for item in keys.items()))
    make(tmp_path)
    store, cli = ("--store", str(tmp_path / "guard.db")), ("-m", "guarded_agents.cli")
    with collecting() as collector:
        with orders(tmp_path, environment(collector)) as url:
            env = environment(collector, **{ORDERS: url})
            request = ran("-m", "tests.support.picture", "ask", str(tmp_path), env=env)
            for person in PEOPLE:
                by = ("--key", str(tmp_path / person), "--as", person)
                ran(*cli, "approvals", "approve", request, *store, *by, env=env)
            ran(*cli, "worker", "tests.support.picture:saved", *store, "--once", env=env)
        [refund] = rows(tmp_path / "desk.db", "SELECT note FROM refunds")
        assert refund == {"note": NOTE}
        found = [(service, span) for service, span in collector.spans()]
        raw, metrics = collector.raw, collector.metrics()
    names = [(service, span.name) for service, span in found]
    assert sorted(name for name in names if not name[1].startswith("guard ")) == [
        ("desk", "execute_tool orders/get_order"),
        ("guarded-agents", "execute_tool payments/refund"),
        ("orders", "tools/call get_order"),
        ("payments", "tools/call refund"),
    ]
    assert names.count(("guarded-agents", "guard vote")) == 2
    assert names.count(("desk", "guard approval")) == 1
    spans = [span for _, span in found]
    assert connected(spans)
    by_name = {span.name: span for span in spans}
    for server, caller in (("get_order", DESK[0]), ("refund", DESK[1])):
        assert by_name[f"tools/call {server}"].parent_span_id == by_name[caller].span_id
        assert by_name[f"tools/call {server}"].trace_id == by_name[caller].trace_id
    assert len(by_name["execute_tool payments/refund"].links) == 3
    assert {span.status.code for span in spans} == {0}
    assert {"guarded_agents.decisions", "guarded_agents.approvals", "guarded_agents.screening.findings"} <= metrics
    for canary in (NOTE, SECRET, "12900", "desk-agent", *PEOPLE, "Please refund", "customer"):
        assert canary.encode() not in raw, canary
