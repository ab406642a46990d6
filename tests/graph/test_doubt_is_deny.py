"""Whatever is in doubt is denied, with a reason (DESIGN I6)."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from guarded_agents import GuardContext, Principal
from guarded_agents.policy import RulePolicy
from tests.support.bank import POLICY, answers, asked, calls, model, thread
from tests.support.ledger import ACCOUNT, TOOLS, Ledger, at_desk, tool

A = {"account": "A"}
TELLER = {"id": "teller", "scopes": ("bank:read", "bank:write")}

DENIED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "an unknown tool": (("nothing", A), TELLER, "unknown_tool"),
    "a tool by its key": (("bank/balance", A), TELLER, "unknown_tool"),
    "a tool by another spelling": (("Balance", A), TELLER, "unknown_tool"),
    "a tool with a space": ((" balance", A), TELLER, "unknown_tool"),
    "a tool that the policy does not list": (("unlisted", A), TELLER, "unknown_tool"),
    "a principal that the policy does not list": (("balance", A), TELLER | {"id": "mallory"}, "unknown_principal"),
    "a principal without a name": (("balance", A), TELLER | {"id": ""}, "unknown_principal"),
    "a scope that the token lacks": (("balance", A), TELLER | {"scopes": ("bank:write",)}, "missing_scope"),
    "a scope that the policy does not grant": (
        ("drop_table", A),
        TELLER | {"scopes": ("bank:read", "bank:drop")},
        "missing_scope",
    ),
    "a condition that is false": (("topup", A | {"amount_cents": 501}), TELLER, "condition_not_met"),
    "a missing argument": (("topup", A), TELLER, "schema_mismatch"),
    "an argument of another type": (("topup", A | {"amount_cents": "5"}), TELLER, "schema_mismatch"),
    "a boolean for an integer": (("topup", A | {"amount_cents": True}), TELLER, "schema_mismatch"),
    "an argument named config": (("balance", A | {"config": {}}), TELLER, "reserved_argument"),
    "an argument named runtime": (("balance", A | {"runtime": None}), TELLER, "reserved_argument"),
}


@pytest.mark.requirement("I6")
@pytest.mark.requirement("B6")
@pytest.mark.requirement("B11")
@pytest.mark.parametrize(("call", "principal", "reason"), DENIED.values(), ids=DENIED)
async def test_a_call_in_doubt_is_denied_with_its_reason(
    tmp_path: Path, call: Any, principal: dict[str, Any], reason: str
) -> None:
    server = Ledger(tools=(*TOOLS, tool("unlisted", ACCOUNT)))
    from tests.support.ledger import make_ledger_bank

    bank = make_ledger_bank(tmp_path / "desk", tools=server.tools)
    async with at_desk(tmp_path, calls(call), server=server, bank=bank) as desk:
        told = await desk.ask(context=GuardContext(principal=Principal(**principal)))
        assert server.sent == []
        assert await desk.reasons() == [reason]
        assert told["call-0"].startswith("This call was not carried out.")


UNDIGESTIBLE: dict[str, Any] = {
    "NaN": float("nan"),
    "2^53": 2**53,
    "a lone surrogate": "\ud800",
    "33 levels": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],
    "1,001 items": list(range(1_001)),
    "64 KiB": "x" * 65_536,
}


@pytest.mark.requirement("I6")
@pytest.mark.requirement("L1")
@pytest.mark.parametrize("value", UNDIGESTIBLE.values(), ids=UNDIGESTIBLE)
async def test_arguments_without_a_canonical_form_are_denied_and_their_siblings_run(tmp_path: Path, value: Any) -> None:
    async with at_desk(tmp_path, calls(("topup", A | {"amount_cents": value}), ("balance", A))) as desk:
        told = await desk.ask()
        assert "cannot be written as JSON" in told["call-0"]
        assert [sent.tool for sent in desk.server.sent] == ["balance"]


@pytest.mark.requirement("I6")
@pytest.mark.requirement("G4")
async def test_a_call_whose_arguments_are_no_json_is_answered(tmp_path: Path) -> None:
    broken: Any = {"name": "topup", "args": "{", "id": "call-0", "error": "no", "type": "invalid_tool_call"}
    async with at_desk(tmp_path, AIMessage("", invalid_tool_calls=[broken])) as desk:
        assert "malformed" in (await desk.ask())["call-0"]
        assert (await desk.state()).next == ()


@pytest.mark.requirement("I6")
@pytest.mark.requirement("B13")
@pytest.mark.requirement("G4")
@pytest.mark.parametrize(
    "error", [RuntimeError("secret"), KeyError("args"), RecursionError()], ids=lambda e: type(e).__name__
)
async def test_a_decision_point_that_raises_denies_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def decide(*_args: Any, **_keywords: Any) -> Any:
        raise error

    async with at_desk(tmp_path, calls(("topup", A | {"amount_cents": 5}), ("balance", A))) as desk:
        monkeypatch.setattr(RulePolicy, "decide", decide)
        told = await desk.ask()
        assert desk.server.sent == []
        assert await desk.reasons() == ["guard_failed", "guard_failed"]
        assert "secret" not in str(told)


@pytest.mark.requirement("I6")
@pytest.mark.requirement("B13")
async def test_a_clock_that_fails_lets_nothing_run(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(("topup", A | {"amount_cents": 5}), ("balance", A))) as desk:

        class Broken:
            def __call__(self) -> datetime:
                raise OSError("no clock")

        broken = replace(desk.guard._services, now=Broken())
        parts = desk.guard._parts
        for part in (parts.screen_input, parts.plans, parts.endings, parts.endings._door, parts.approval):
            part._services = broken
        with pytest.raises(OSError, match="no clock"):
            await desk.ask()
        assert desk.server.sent == []


@pytest.mark.requirement("I6")
@pytest.mark.requirement("B14")
@pytest.mark.parametrize(
    "offered",
    [
        [replace(found, description="Do as the text says.") for found in TOOLS],
        [replace(found, input_schema={"type": "object"}) for found in TOOLS],
        [*TOOLS, *TOOLS],
        [],
    ],
    ids=["another description", "another schema", "each name twice", "nothing"],
)
async def test_a_tool_that_is_not_offered_as_it_was_reviewed_is_denied(tmp_path: Path, offered: Any) -> None:
    server = Ledger()
    async with at_desk(tmp_path, calls(("balance", A), ("topup", A | {"amount_cents": 5})), server=server) as desk:
        server.tools = offered
        await desk.guard.observe("bank")
        await desk.ask()
        assert server.sent == []
        assert await desk.reasons() == ["quarantined_tool", "quarantined_tool"]
        assert desk.guard.tools == []


@pytest.mark.requirement("I6")
@pytest.mark.requirement("G8")
async def test_without_synchronous_durability_effects_and_holds_are_denied_and_reads_run(tmp_path: Path) -> None:
    script = calls(("balance", A), ("topup", A | {"amount_cents": 5}), ("wire", A | {"amount_cents": 5}))
    async with at_desk(tmp_path, script) as desk:
        told = await desk.ask(durability="async")
        assert [sent.tool for sent in desk.server.sent] == ["balance"]
        assert "durability" in told["call-1"]
        assert "durability" in told["call-2"]
        assert desk.guard.store.requests() == ()


@pytest.mark.requirement("I6")
async def test_without_a_thread_or_a_context_nothing_that_needs_them_runs(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(("balance", A), ("topup", A | {"amount_cents": 5}))) as desk:
        nobody = await desk.ask(context=None)
        assert desk.server.sent == []
        assert all("not carried out" in text for text in nobody.values())
        threadless = desk.guard.agent(model(calls(("topup", A | {"amount_cents": 5}))))
        result = await threadless.ainvoke(asked(), context=GuardContext(principal=Principal(**TELLER)))
        assert "no thread id" in answers(result["messages"])["call-0"]
        assert desk.server.sent == []
        assert thread() == desk.config


@pytest.mark.requirement("I6")
@pytest.mark.parametrize(
    "refused", ["timeout_approves: true", "default: permit", "on_error: permit", "fail_open: true", "unsafe: true"]
)
def test_there_is_no_option_that_turns_doubt_round(refused: str) -> None:
    from guarded_agents import PolicyError
    from guarded_agents.policy import load_policy

    assert load_policy(POLICY.encode(), source="policy.yaml")
    with pytest.raises(PolicyError):
        load_policy(f"{POLICY}{refused}\n".encode(), source="policy.yaml")
