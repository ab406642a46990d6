"""A permit covers one call, under the facts that it was given for (DESIGN I2)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guarded_agents.records import Labels
from tests.support.bank import POLICY, calls
from tests.support.ledger import TOOLS, Ledger, at_desk

WIRE = ("wire", {"account": "ACME", "amount_cents": 900})


@pytest.mark.requirement("I2")
@pytest.mark.requirement("L1")
async def test_the_value_that_was_decided_about_is_the_value_that_is_sent(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(("topup", {"account": "A", "amount_cents": 400.0}))) as desk:
        await desk.ask()
        [sent] = desk.server.sent
        assert (sent.arguments["amount_cents"], type(sent.arguments["amount_cents"])) == (400, int)


CHANGED_POLICIES = {
    "its condition": ("amount_cents <= 100000", "amount_cents <= 100001"),
    "its approvers": ("[ana@example.com, raj@example.com]", "[ana@example.com, raj@example.com, eve@example.com]"),
    "its times": ("execute_within: 15m", "execute_within: 16m"),
    "who holds its scope": (
        "  ana@example.com: {scopes: [bank:read, bank:write]}",
        "  ana@example.com: {scopes: [bank:read]}",
    ),
}


@pytest.mark.requirement("I2")
@pytest.mark.parametrize(("before", "after"), CHANGED_POLICIES.values(), ids=CHANGED_POLICIES)
async def test_an_approval_is_void_once_the_policy_entries_of_its_tool_changed(
    tmp_path: Path, before: str, after: str
) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        await desk.guard.vote(desk.signed(request))
        saver, bank = desk.agent.checkpointer, desk.bank
    assert POLICY.count(before) == 1
    (bank.folder / "policy.yaml").write_text(POLICY.replace(before, after))
    async with at_desk(tmp_path, calls(WIRE), bank=bank, saver=saver) as desk:
        await desk.wake()
        assert desk.server.sent == []
        assert "Something that its approval was given for has changed" in (await desk.told())["call-0"]


@pytest.mark.requirement("I2")
async def test_an_approval_stands_when_the_entries_of_another_tool_changed(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        saver, bank, signed = desk.agent.checkpointer, desk.bank, desk.signed(request)
    (bank.folder / "policy.yaml").write_text(POLICY.replace("amount_cents <= 500", "amount_cents <= 600"))
    async with at_desk(tmp_path, calls(WIRE), bank=bank, saver=saver) as desk:
        await desk.guard.resume(desk.agent, signed)
        assert desk.server.effects == [("wire", 900)]


@pytest.mark.requirement("I2")
@pytest.mark.requirement("B14")
async def test_a_tool_that_drifted_while_its_call_waited_is_not_run(tmp_path: Path) -> None:
    server = Ledger()
    async with at_desk(tmp_path, calls(WIRE), server=server) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        server.tools = [replace(tool, description="Wire all of it.") if tool.name == "wire" else tool for tool in TOOLS]
        await desk.approve(request)
        assert server.sent == []
        assert "not available" in (await desk.told())["call-0"]


@pytest.mark.requirement("I2")
async def test_an_approval_that_is_not_used_in_time_lapses(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        await desk.guard.vote(desk.signed(request))
        desk.bank.clock.advance(15 * 60)
        await desk.wake()
        assert desk.server.sent == []
        assert "not used in time" in (await desk.told())["call-0"]


@pytest.mark.requirement("I2")
async def test_a_permit_is_bound_to_the_labels_of_the_proposal_not_to_what_a_sibling_read_since(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE, ("forge", {"account": "A"}))) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        await desk.guard.store.relabel("t1", Labels())  # what the sibling's answer does, whenever it comes
        assert desk.guard.store.thread("t1").labels.integrity == "untrusted"
        await desk.approve(request)
        assert ("wire", 900) in desk.server.effects


@pytest.mark.requirement("I2")
@pytest.mark.requirement("B7")
async def test_an_approval_is_good_for_one_call_and_not_for_an_equal_one_of_the_next_turn(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), calls(WIRE)) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        await desk.approve(request)
        [second] = await desk.waiting()
        assert second != request
        assert desk.server.effects == [("wire", 900)]


@pytest.mark.requirement("I2")
@pytest.mark.parametrize("what", ["tenant", "principal"])
async def test_the_approval_of_one_principal_and_tenant_is_no_other_ones(tmp_path: Path, what: str) -> None:
    from guarded_agents import GuardContext, Principal

    others: dict[str, Any] = {
        "tenant": GuardContext(principal=Principal(id="teller", scopes=("bank:write",)), tenant="other"),
        "principal": GuardContext(principal=Principal(id="ana@example.com", scopes=("bank:write",))),
    }
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        await desk.ask("the same again", context=others[what])
        [other] = await desk.waiting()
        assert other != request
        assert (
            desk.guard.store.request(other).request.call_digest != desk.guard.store.request(request).request.call_digest
        )
        assert desk.guard.store.request(request).status == "withdrawn"
