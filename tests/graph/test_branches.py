"""Two branches of a thread that propose different calls under one id: each is told of its own (DESIGN I4, G1)."""

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.bank import CONTEXT, asked, calls, model, thread
from tests.support.ledger import Desk, at_desk

WIRE = ("wire", {"account": "ACME", "amount_cents": 900})
OTHER = ("wire", {"account": "EVE", "amount_cents": 100})
pytestmark = pytest.mark.requirement("I4")


async def branches(desk: Desk) -> tuple[Any, Any]:
    """Return where the older branch waited, whose call was executed since, and how the newer one ended."""
    request = await desk.held()
    waited = (await desk.agent.aget_state(desk.config)).config
    history = [snapshot async for snapshot in desk.agent.aget_state_history(desk.config)]
    await desk.approve(request)
    assert desk.server.effects == [("wire", 900)]
    at_model = next(snapshot for snapshot in history if snapshot.next == ("model",))
    other = desk.guard.agent(model(calls(OTHER)), checkpointer=desk.agent.checkpointer)
    return waited, await other.ainvoke(None, at_model.config, context=CONTEXT)


def told(result: Any) -> str:
    return str(next(message.content for message in result["messages"] if message.type == "tool"))


async def test_new_input_on_the_older_branch_is_told_that_its_call_was_carried_out(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        waited, _ = await branches(desk)
        result = await desk.agent.ainvoke(asked("and now?"), waited, context=CONTEXT)
        assert "not carried out" not in told(result)
        assert desk.server.effects == [("wire", 900)]


async def test_new_input_after_a_row_that_leads_into_another_thread_is_told_nothing_of_it(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        other = replace(desk, config=thread("t2"))
        elsewhere = await other.held()
        await other.approve(elsewhere)
        request = await desk.held()
        with sqlite3.connect(desk.bank.folder / "guard.db") as db:
            db.execute("UPDATE requests SET status = 'superseded', successor = ? WHERE id = ?", (elsewhere, request))
            as_if_edited = "UPDATE requests SET document = json_set(document, '$.parent', ?) WHERE id = ?"
            db.execute(as_if_edited, (request, elsewhere))
        result = await desk.agent.ainvoke(asked("and now?"), desk.config, context=CONTEXT)
        assert told(result).startswith("This call was not carried out.")
        assert desk.server.effects == [("wire", 900)]


async def test_a_call_that_was_closed_before_anybody_was_asked_does_not_wait_for_an_answer(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        _, replayed = await branches(desk)
        assert [found.status for found in desk.guard.store.requests(status=None)] == ["consumed"]
        assert told(replayed).startswith("This call was not carried out.")
