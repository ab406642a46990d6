"""B14: a tool that is not offered as it was reviewed, or that another server offers as well, does not run."""

from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from guarded_agents.catalog import dump_lockfile, load_lockfile, make_lock, of_observed
from tests.support.bank import Bank, calls
from tests.support.siege import HAPPENED_TOPUP, HAPPENED_WIRE, TOPUP, WIRE, Post, Siege, Wires

pytestmark = pytest.mark.requirement("B14", "I2", "I6")

SCRIPT = calls(("wire", WIRE), ("topup", TOPUP))
ONCE = [HAPPENED_TOPUP, HAPPENED_WIRE]


def _drifted(siege: Siege) -> Any:
    """Return a process of the same server that describes ``wire`` otherwise than it was reviewed."""
    return siege.line.transport(siege.line.bank.servers(BANK_DRIFT="description"), name="drifted")


def test_a_tool_that_changed_before_the_start_does_not_run(siege: Siege) -> None:
    post = siege.open(SCRIPT, wires=Wires(_drifted(siege)))
    post.ask()
    assert "bank/wire" in post.guard.quarantine
    assert post.waits() == []
    assert siege.effects == [HAPPENED_TOPUP]  # what did not change is not touched


@pytest.mark.parametrize("voted", ["before", "after"])
def test_a_tool_that_changed_while_its_call_waited_does_not_run(siege: Siege, voted: str) -> None:
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    signed = siege.signed(post, request)
    if voted == "before":
        post.call("vote", signed)
    post.wires.lent = _drifted(siege)  # restarted, and nobody told the guard
    post.failing("call", "resume", signed)
    post.failing("call", "wake", "t1")
    for snapshot in post.history():
        post.failing("run", at=snapshot.config)
    assert siege.effects == [HAPPENED_TOPUP]


def test_an_approval_does_not_come_back_when_the_tool_does(siege: Siege) -> None:
    post = siege.open(SCRIPT)
    post.ask()
    signed = siege.signed(post, post.waits()[0])
    post.wires.lent = _drifted(siege)
    post.failing("call", "resume", signed)
    post.wires.lent = siege.line.transport()
    post.line.wait(post.guard.observe("bank"))
    for snapshot in post.history():
        post.failing("run", at=snapshot.config)
    post.failing("run", Command(resume=signed.model_dump(mode="json")))
    assert siege.effects == [HAPPENED_TOPUP]


def test_a_tool_that_was_reviewed_anew_needs_a_new_approval(siege: Siege) -> None:
    saver = InMemorySaver()
    first = siege.open(SCRIPT, saver=saver)
    first.ask()
    first.call("vote", siege.signed(first, first.waits()[0]))
    path = siege.bank.folder / "tools.lock"
    offered = siege.line.wait(_drifted(siege).list_tools("bank", principal=""))
    path.write_bytes(dump_lockfile(make_lock([of_observed(tool) for tool in offered])))
    second = siege.open(SCRIPT, saver=saver, wires=Wires(_drifted(siege)))
    second.failing("call", "wake", "t1")
    for snapshot in second.history():
        second.failing("run", at=snapshot.config)
    assert siege.effects == [HAPPENED_TOPUP]


def test_a_server_that_cannot_be_asked_runs_nothing_that_waited(siege: Siege, tmp_path: Path) -> None:
    post = siege.open(SCRIPT)
    post.ask()
    signed = siege.signed(post, post.waits()[0])
    gone = {"bank": {"command": str(tmp_path / "gone"), "args": []}}
    post.wires.lent = siege.line.transport(gone, name=f"gone {tmp_path}")
    post.failing("call", "resume", signed)
    assert siege.effects == [HAPPENED_TOPUP]


# -- two servers --------------------------------------------------------------------------------


def _two(siege: Siege) -> tuple[Wires, Bank]:
    """Return a transport to the bank and to an evil twin of its own database, which offers the same tools."""
    folder = siege.line.folder / "twin"
    folder.mkdir(exist_ok=True)
    twin = Bank(folder, siege.bank.clock)
    servers = siege.line.bank.servers() | {"aaa": twin.servers()["bank"]}
    return Wires(siege.line.transport(servers, name="two")), twin


def test_a_server_that_nobody_reviewed_shadows_no_tool(siege: Siege) -> None:
    wires, twin = _two(siege)
    before = twin.effects()
    post = siege.open(SCRIPT, wires=wires)
    post.ask()
    siege.approve(post)
    assert siege.effects == ONCE
    assert twin.effects() == before
    assert "aaa/wire" in post.guard.quarantine


def test_a_name_that_two_reviewed_servers_claim_belongs_to_neither(siege: Siege) -> None:
    wires, twin = _two(siege)
    before = twin.effects()
    _lock_both(siege, wires)
    post = siege.open(calls(("topup", TOPUP), ("aaa__topup", TOPUP, "b"), ("bank__topup", TOPUP, "c")), wires=wires)
    post.ask()
    assert "topup" not in [tool.name for tool in post.guard.tools]
    assert siege.effects == [HAPPENED_TOPUP]  # by its full name; for the twin's there is no rule
    assert twin.effects() == before


def test_an_approval_for_one_server_is_none_for_the_other(siege: Siege) -> None:
    wires, twin = _two(siege)
    before = twin.effects()
    _lock_both(siege, wires)
    approval = "{id: twin, approvers: finance, quorum: 1, decide_within: 4h, execute_within: 15m}"
    rule = f"  aaa/wire: {{scope: bank:write, effect: write, approval: {approval}}}\n  bank/refuse:"
    siege.policy(("  bank/refuse:", rule))
    post = siege.open(calls(("bank__wire", WIRE), ("aaa__wire", WIRE, "b")), wires=wires)
    post.ask()
    requests = {post.guard.store.request(request).request.server: request for request in post.waits()}  # type: ignore[union-attr]
    assert sorted(requests) == ["aaa", "bank"]
    siege.approve(post, requests["bank"])
    assert siege.effects == [HAPPENED_WIRE]
    assert twin.effects() == before


def _lock_both(siege: Siege, wires: Wires) -> None:
    path = siege.bank.folder / "tools.lock"
    definitions = [tool.definition for tool in load_lockfile(path.read_bytes(), source="tools.lock").tools]
    offered: Post | Any = siege.line.wait(wires.list_tools("aaa", principal=""))
    path.write_bytes(dump_lockfile(make_lock([*definitions, *(of_observed(tool) for tool in offered)])))
