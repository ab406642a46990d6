"""``guarded-agents trace``: a thread over every wait, as the audit log has it."""

import asyncio
import sqlite3
from pathlib import Path

import orjson
import pytest
from langgraph.checkpoint.memory import InMemorySaver

from guarded_agents.audit import seal
from guarded_agents.cli._traced import calls_of
from tests.support.bank import calls
from tests.support.commands import Command, command_line
from tests.support.ledger import at_desk
from tests.support.watched import Watched

SCRIPT = calls(
    ("balance", {"account": "ACME"}),
    ("wire", {"account": "ACME", "amount_cents": 900}),
    ("drop_table", {"account": "ACME"}),
)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Command:
    return command_line(capfd, "trace")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the store of a bank whose thread ``t1`` waited for 90 seconds."""
    folder = tmp_path_factory.mktemp("bank")

    async def work() -> Path:
        first, second, saver = Watched(), Watched(), InMemorySaver()
        async with at_desk(folder, SCRIPT, saver=saver, tracer_provider=first.provider) as desk:
            request = await desk.held()
        desk.bank.clock.advance(seconds=90)
        async with at_desk(folder, SCRIPT, bank=desk.bank, saver=saver, tracer_provider=second.provider) as later:
            await later.approve(request)
        return desk.bank.folder / "guard.db"

    return asyncio.run(work())


def test_a_thread_is_told_call_by_call_with_its_spans_and_waits(run: Command, store: Path) -> None:
    told = run("t1", "--store", store)
    assert told.status == 0
    lines = told.out.splitlines()
    assert lines[0] == "thread t1: 3 calls, 3 traces, since 2026-01-05"
    assert [line.split("─ ")[1] for line in lines if "─ " in line] == [
        "bank/balance",
        "the thread",
        "bank/drop_table",
        "bank/wire",
    ]
    wire = told.out[told.out.index("bank/wire") :]
    for earlier, later in (("held: finance, 1 to agree", "1 min 30 s later"), ("approve by ana@", "sent")):
        assert wire.index(earlier) < wire.index(later)
    assert "permit by permit:bank/wire" in wire
    assert "outcome: executed" in wire
    assert "(missing_scope)" in told.out


def test_json_says_the_same_with_whole_ids(run: Command, store: Path) -> None:
    found = run("t1", "--store", store, "--json").json
    [wire] = [call for call in found["calls"] if call["tool"] == "bank/wire"]
    assert [step["kind"] for step in wire["steps"]] == ["approval", "vote", "decision", "intent", "outcome"]
    assert {len(step["span_id"]) for step in wire["steps"]} == {16}
    held, voted, *ended = wire["steps"]
    assert held["trace_id"] != voted["trace_id"]
    assert len({step["span_id"] for step in ended}) == 1


def test_a_thread_that_the_log_does_not_know_is_a_failure(run: Command, store: Path) -> None:
    told = run("t2", "--store", store)
    assert told.status == 1
    assert told.out.startswith("nothing of thread t2 in ")
    assert told.out.strip().endswith(": check the id, and --store")


def test_a_store_that_is_not_there_is_wrong_use(run: Command, tmp_path: Path) -> None:
    assert run("t1", "--store", tmp_path / "none.db").status == 2


def test_what_somebody_else_wrote_into_the_log_moves_no_cursor(run: Command, store: Path, tmp_path: Path) -> None:
    copy = tmp_path / "guard.db"
    copy.write_bytes(store.read_bytes())
    connection = sqlite3.connect(copy)
    fields = {"thread": "t1", "call": "c", "tool": "a\x1b[2J\nb", "effect": "\x1b[2J", "span_id": "\x1b"}
    entry = {"kind": "decision", "at": "2026-01-05T12:00:00Z", "fields": fields}
    connection.execute("INSERT INTO audit VALUES (999, ?, '')", (orjson.dumps(entry),))
    connection.execute("INSERT INTO audit VALUES (1000, ?, '')", (b'{"t1": "t1"',))
    connection.execute("INSERT INTO audit VALUES (1001, ?, '')", (b'["t1"]',))
    connection.commit()
    connection.close()
    told = run("t1", "--store", copy)
    assert told.status == 0
    assert "\x1b" not in told.out
    assert "a\\u001b[2J\\u000ab" in told.out


WRONG = {
    "no fields": {"kind": "decision", "at": "2026-01-05T12:00:00Z", "x": "t1"},
    "no time": {"kind": "decision", "at": "t1", "fields": {"thread": "t1"}},
    "no zone": {"kind": "decision", "at": "2026-01-05T12:00:00", "fields": {"thread": "t1"}},
    "of another thread": {"kind": "decision", "at": "2026-01-05T12:00:00Z", "fields": {"thread": "t2", "tool": "t1"}},
}


@pytest.mark.parametrize("entry", WRONG.values(), ids=WRONG)
def test_what_is_no_entry_of_the_thread_is_left_out(entry: dict[str, object]) -> None:
    assert calls_of([(0, orjson.dumps(entry), "")], "t1") == ()


def test_a_vote_is_told_with_the_call_that_its_request_is_about() -> None:
    from datetime import UTC, datetime

    at, rows = datetime(2026, 1, 5, 12, tzinfo=UTC), []
    held = {"thread": "t1", "entry": "e", "turn": 1, "call": "c", "occurrence": 0, "tool": "a/b", "request": "r1"}
    for kind, fields in (
        ("approval", {**held, "status": "pending"}),
        ("vote", {"request": "r1", "answer": "approve", "approver": "ana"}),
        ("vote", {"request": "r2", "answer": "approve", "approver": "eve"}),
        ("approval", {**held, "status": "expired"}),
    ):
        stored, _ = seal(kind, fields, log="l", sequence=len(rows), previous="", at=at)
        rows.append((len(rows), stored, ""))
    [call] = calls_of(rows, "t1")
    assert [step.what for step in call.steps][1:] == ["approve by ana", "approval: expired"]
