"""Decision, claim and intent are on disk before a call with an effect is sent (DESIGN I5)."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from guarded_agents.catalog import of_observed
from guarded_agents.errors import StoreError
from tests.support.bank import POLICY, calls
from tests.support.ledger import Ledger, at_desk

MONEY = {"account": "A", "amount_cents": 5}
DURABLE_READ = POLICY.replace(
    "bank/balance: {scope: bank:read, effect: read,", "bank/balance: {scope: bank:read, effect: read, record: durable,"
)


class Disk:
    """What another process would find in the store's file, looked at while a call is on its way."""

    def __init__(self, path: Path) -> None:
        self.path, self.claims, self.kinds, self.requests = path, [], [], []

    def look(self) -> None:
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        self.claims = connection.execute("SELECT tool, status, attempt FROM claims").fetchall()
        self.requests = [status for (status,) in connection.execute("SELECT status FROM requests")]
        column = next(row[1] for row in connection.execute("PRAGMA table_info(audit)") if row[2].upper() == "BLOB")
        self.kinds = [
            json.loads(row[0])["kind"] for row in connection.execute(f"SELECT {column} FROM audit ORDER BY 1")
        ]
        connection.close()


@pytest.mark.requirement("I5")
@pytest.mark.parametrize(
    ("tool", "policy"),
    [("refuse", POLICY), ("topup", POLICY), ("wire", POLICY), ("balance", DURABLE_READ)],
    ids=["an effect", "a limited effect", "an approved effect", "a read whose policy asks for it"],
)
async def test_claim_and_intent_are_on_disk_when_the_call_leaves(tmp_path: Path, tool: str, policy: str) -> None:
    server = Ledger()
    script = calls((tool, MONEY if tool in ("topup", "wire") else {"account": "A"}))
    async with at_desk(tmp_path, script, server=server, policy=policy) as desk:
        disk = Disk(desk.bank.folder / "guard.db")
        server.before = disk.look
        await desk.ask()
        for request in await desk.waiting():
            await desk.approve(request)
        assert [sent.tool for sent in server.sent] == [tool]
        assert disk.claims == [(f"bank/{tool}", "sending", 1)]
        assert disk.requests == (["consumed"] if tool == "wire" else [])
        assert {"decision", "intent"} <= set(disk.kinds)
        assert "outcome" not in disk.kinds


@pytest.mark.requirement("I5")
async def test_a_tool_whose_server_calls_it_destructive_is_recorded_first_whatever_the_policy_says(
    tmp_path: Path,
) -> None:
    from dataclasses import replace

    from guarded_agents.catalog import dump_lockfile, make_lock
    from tests.support.ledger import TOOLS, make_ledger_bank

    tools = [replace(TOOLS[0], annotations={"destructiveHint": True, "readOnlyHint": False}), *TOOLS[1:]]
    server = Ledger(tools=tools)
    bank = make_ledger_bank(tmp_path / "desk", tools=tools)
    assert dump_lockfile(make_lock([of_observed(tool) for tool in tools])) == (bank.folder / "tools.lock").read_bytes()
    async with at_desk(tmp_path, calls(("balance", {"account": "A"})), server=server, bank=bank) as desk:
        disk = Disk(bank.folder / "guard.db")
        server.before = disk.look
        await desk.ask()
        assert disk.claims == [("bank/balance", "sending", 1)]


READS = ("thread", "proposal", "request_of")
FAILS = [(method, tool) for method in (*READS, "propose", "open_entry") for tool in ("topup", "wire")]
FAILS += [(method, "balance") for method in ("thread", "proposal", "propose", "open_entry")]


@pytest.mark.requirement("I5")
@pytest.mark.requirement("I6")
@pytest.mark.requirement("B13")
@pytest.mark.parametrize(("method", "tool"), [*FAILS, ("admit", "topup"), ("hold", "wire"), ("admit", "wire")])
async def test_a_call_that_cannot_be_recorded_is_not_sent_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, tool: str
) -> None:
    def fail(*_args: Any, **_keywords: Any) -> Any:
        raise StoreError("store", expected="a disk", got="none", action="look")

    async def afail(*_args: Any, **_keywords: Any) -> Any:
        fail()

    async with at_desk(tmp_path, calls((tool, {"account": "A"} if tool == "balance" else MONEY))) as desk:
        monkeypatch.setattr(desk.guard.store, method, fail if method in READS else afail)
        await desk.ask()
        for request in await desk.waiting():
            await desk.approve(request)
        assert desk.server.sent == []
        assert "not carried out" in (await desk.told())["call-0"]
        assert (await desk.state()).next == ()
        monkeypatch.undo()


@pytest.mark.requirement("I5")
async def test_a_read_is_recorded_with_the_next_group(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(("balance", {"account": "A"}))) as desk:
        await desk.ask()
        await desk.guard.store.append([], now=desk.bank.clock())
        kinds = [json.loads(stored)["kind"] for _, stored, _ in desk.guard.store.audit_rows()]
        assert [kind for kind in kinds if kind in ("decision", "outcome")] == ["decision", "outcome"]
