"""Beside the instrumentors of others, each run in processes of its own: nothing breaks, and no call has two spans."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from guarded_agents import telemetry
from tests.support.bank import make_bank

ROOT = Path(__file__).parents[2]
SCOPES = {
    "openinference": {"openinference.instrumentation.langchain"},
    "traceloop": {"opentelemetry.instrumentation.langchain", "opentelemetry.instrumentation.mcp.instrumentation"},
}


def ran(*words: str) -> list[dict[str, Any]]:
    """Return the spans of one process."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.beside", *words],
        env=os.environ | {"PYTHONPATH": str(ROOT), "TRACELOOP_TELEMETRY": "false"},
        capture_output=True,
        text=True,
        timeout=80,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    spans: list[dict[str, Any]] = json.loads(done.stdout)
    return spans


@pytest.mark.timeout(180)
@pytest.mark.requirement("telemetry:beside")
@pytest.mark.parametrize("whose", SCOPES)
async def test_beside_the_instrumentors_of_others_each_call_has_one_span_and_a_wait_is_no_error(
    tmp_path: Path, whose: str
) -> None:
    bank = await make_bank(tmp_path)
    asked = ran(whose, "ask", str(tmp_path))
    assert bank.effects() == []
    resumed = ran(whose, "resume", str(tmp_path))
    assert bank.effects() == [("wire", "ACME", 900)]

    for spans in (asked, resumed):
        assert {span["scope"] for span in spans} >= SCOPES[whose]  # theirs were made, in both processes
    executed = [span for span in asked + resumed if span["said"].get("gen_ai.operation.name") == "execute_tool"]
    assert {span["scope"] for span in executed} == {"guarded_agents"}
    assert sorted(
        (span["said"]["gen_ai.tool.call.id"], span["name"], span["said"][telemetry.DECISION]) for span in executed
    ) == [
        ("call-0", "execute_tool bank/balance", "permit"),
        ("call-1", "execute_tool bank/wire", "permit"),
        ("call-2", "execute_tool bank/drop_table", "deny"),
    ]
    ours = [span for span in asked + resumed if span["scope"] == "guarded_agents"]
    assert {"guard approval", "guard vote", "guard wake"} <= {span["name"] for span in ours}
    assert {span["status"] for span in ours} == {"UNSET"}
    assert [event for span in ours for event in span["events"]] == []
    [wire] = [span for span in executed if span["name"] == "execute_tool bank/wire"]
    assert wire["roles"] == ["held", "vote"]
    assert wire in resumed
