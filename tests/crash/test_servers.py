"""The server dies in the middle of a call, or the person at the terminal presses Ctrl-C."""

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from guarded_agents.audit import verify
from tests.crash.conftest import INTERRUPTED, App
from tests.crash.process import BALANCE, TOPUP, WIRE, servers
from tests.support.bank import CONTEXT, answers, asked, calls, model, thread, waiting

DOUBT = "not known whether"


async def ran(app: App, death: str, *script: Any) -> tuple[dict[str, str], list[str], Any]:
    """Run *script* while *death* happens once; return what was told, which calls are in doubt, and the last message."""
    app.deaths(1)
    bank = app.bank
    async with bank.open(servers=servers(bank, app.settings(death=death))) as guard:
        agent = guard.agent(model(*script), checkpointer=InMemorySaver())
        await agent.ainvoke(asked(), thread(), context=CONTEXT)
        for request in waiting(await agent.aget_state(thread())):
            await guard.resume(agent, bank.signed(guard, request))
        state = await agent.aget_state(thread())
        assert verify(guard.store.audit_rows()).verified
        return answers(state.values["messages"]), [claim.status for claim in guard.doubts], state.values["messages"][-1]


@pytest.mark.requirement("I4")
@pytest.mark.parametrize(("when", "effects"), [("before", 0), ("after", 1)], ids=["before it wrote", "after it wrote"])
@pytest.mark.parametrize("call", [TOPUP, WIRE], ids=["unattended", "approved"])
async def test_a_server_that_dies_in_an_effect_leaves_a_doubt_and_the_run_goes_on(
    app: App, when: str, effects: int, call: tuple[str, dict[str, Any], str]
) -> None:
    told, doubts, last = await ran(app, f"server:{when}:{call[0]}", calls(call), calls(BALANCE))
    assert DOUBT in told[call[2]]
    assert told["balance"] == "account A holds 1,000.00"  # over a session that was opened again
    assert doubts == ["in_doubt"]
    assert last.content == "done"
    assert len(app.bank.effects()) == effects
    assert app.outcomes(call[0]) == ["in_doubt"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_server_that_dies_in_a_read_makes_it_fail_and_the_next_one_works(app: App, when: str) -> None:
    again = ("balance", {"account": "A"}, "again")
    told, doubts, last = await ran(app, f"server:{when}:balance", calls(BALANCE), calls(again))
    assert told == {"balance": "The tool's server did not answer.", "again": "account A holds 1,000.00"}
    assert doubts == []
    assert last.content == "done"
    assert app.outcomes("balance") == ["failed", "executed"]


@pytest.mark.requirement("I4")
@pytest.mark.parametrize(("script", "do"), [("topup", ("ask",)), ("wire", ("ask", "approve"))], ids=["topup", "wire"])
def test_ctrl_c_during_an_effect_leaves_a_claim_that_the_next_start_reports(
    app: App, script: str, do: tuple[str, ...]
) -> None:
    app.deaths(1)
    slow = app.bank.folder / "slow"
    slow.touch()
    process = app.start(script, *do, death=f"interrupt:before:{script}")
    process.wait(timeout=50)
    assert app.bank.effects() == []
    slow.unlink()
    app.end(process, INTERRUPTED)
    assert len(app.bank.effects()) == 1  # no server knows of our Ctrl-C: this is what "in doubt" means
    report = app.run(script, "wake")
    assert report["doubts"] == report["doubts_left"] == ["in_doubt"]  # at once, and not when the lease has lapsed
    assert DOUBT in report["told"][script]
    assert report["last"] == "done"
    assert len(app.bank.effects()) == 1
    assert app.outcomes(script) == ["in_doubt"]
